-- What an operator is shown, and what somebody is told without looking: how the functions fare, how the system
-- is, which alerts fire, and who has been told. Everything here is aggregated or about ourselves: no phone number,
-- no transcript.

-- --- what is kept -------------------------------------------------------------------------------------------

-- How the functions fare, minute by minute. Each isolate adds up its own requests and hands the sums over after
-- its answers, so no caller ever waits for them. Counts of latencies are cumulative, as Prometheus has them:
-- le_250 counts the requests of at most 250 ms, and `requests` is the last bucket.
create table public.function_metrics (
  minute timestamptz not null,
  function text not null constraint function_metrics_function_form check (function ~ '^[a-z][a-z0-9-]{0,63}$'),
  -- Requests that were let in; the rest of the columns but `refused` are about these.
  requests integer not null constraint function_metrics_requests_range check (requests >= 0),
  errors integer not null constraint function_metrics_errors_range check (errors between 0 and requests),
  database_failures integer not null
    constraint function_metrics_database_failures_range check (database_failures between 0 and requests),
  -- Turned away before anything was done: no signature, wrong method. Apart, so that a flood of them hides nothing.
  refused integer not null constraint function_metrics_refused_range check (refused >= 0),
  total_ms bigint not null constraint function_metrics_total_ms_range check (total_ms >= 0),
  database_ms bigint not null constraint function_metrics_database_ms_range check (database_ms >= 0),
  max_ms integer not null constraint function_metrics_max_ms_range check (max_ms >= 0),
  le_50 integer not null, le_100 integer not null, le_250 integer not null, le_500 integer not null,
  le_1000 integer not null, le_2000 integer not null, le_5000 integer not null,
  primary key (minute, function),
  constraint function_metrics_minute_whole check (minute = date_trunc('minute', minute, 'UTC')),
  constraint function_metrics_cumulative check (
    0 <= le_50 and le_50 <= le_100 and le_100 <= le_250 and le_250 <= le_500 and le_500 <= le_1000
    and le_1000 <= le_2000 and le_2000 <= le_5000 and le_5000 <= requests
  )
);

-- The same since the beginning: minutes are purged, and a counter must never fall.
create table public.function_totals (
  function text primary key constraint function_totals_function_form check (function ~ '^[a-z][a-z0-9-]{0,63}$'),
  requests bigint not null,
  errors bigint not null,
  database_failures bigint not null,
  refused bigint not null,
  total_ms bigint not null,
  le_50 bigint not null, le_100 bigint not null, le_250 bigint not null, le_500 bigint not null,
  le_1000 bigint not null, le_2000 bigint not null, le_5000 bigint not null
);

-- What voice-health answered when alert-dispatch asked, each minute.
create table public.health_checks (
  checked_at timestamptz primary key default clock_timestamp(),
  healthy boolean not null,
  -- The checks that were not healthy, by name.
  failing text[] not null default '{}' constraint health_checks_failing_bounded check (cardinality(failing) <= 50)
);

-- When each worker last ran, and how it went.
create table public.worker_runs (
  worker text primary key constraint worker_runs_worker_form check (worker ~ '^[a-z][a-z0-9-]{0,63}$'),
  last_run_at timestamptz not null,
  last_ok_at timestamptz,
  runs bigint not null default 1,
  failures bigint not null default 0
);

-- Each alert's threshold. `minimum`: with fewer calls or requests than that, a rate says nothing.
create table public.alert_rules (
  alert text primary key constraint alert_rules_alert_form check (alert ~ '^[a-z][a-z_]{0,63}$'),
  severity text not null constraint alert_rules_severity_known check (severity in ('critical', 'warning')),
  comparison text not null constraint alert_rules_comparison_known check (comparison in ('above', 'below', 'at_least')),
  threshold numeric not null,
  -- 0: what is now, not what happened lately.
  window_minutes integer not null constraint alert_rules_window_range check (window_minutes between 0 and 60),
  minimum integer not null default 0 constraint alert_rules_minimum_range check (minimum >= 0),
  unit text not null,
  summary text not null,
  action text not null
);

insert into public.alert_rules
  (alert, severity, comparison, threshold, window_minutes, minimum, unit, summary, action)
values
  ('system_unhealthy', 'critical', 'at_least', 5, 5, 0, 'minutes',
   'The health check has failed for minutes', 'Run `deno task doctor`: it names the check and what to do.'),
  ('call_success_rate', 'critical', 'below', 90, 30, 10, '%',
   'Too many callers reach neither a person nor voicemail', 'Look at call_hangups and destination_performance, then place a call.'),
  ('function_errors', 'critical', 'above', 5, 1, 0, 'errors a minute',
   'Functions fail', 'Look at webhook_performance and the functions'' logs, level error; roll back if a deploy came before it.'),
  ('database_failures', 'critical', 'above', 0, 5, 0, 'webhooks',
   'Webhooks did not reach the database', 'Callers are served without recording. Look at the database''s load and connections.'),
  ('error_rate', 'critical', 'above', 5, 5, 20, '%',
   'Too many requests fail', 'Look at webhook_performance for the function and at its logs.'),
  ('response_time', 'warning', 'above', 2, 1, 10, 'seconds',
   'One request in twenty is slow', 'Compare avg_ms with avg_database_ms in webhook_performance: the database, or the functions.'),
  ('database_connections', 'warning', 'above', 80, 0, 0, '%',
   'The database is short of connections', 'End idle sessions, or raise the connection limit.'),
  ('voicemail_backlog', 'warning', 'above', 10, 0, 0, 'messages',
   'Voicemails wait for somebody', 'Listen, call back, and mark each as handled.'),
  ('rate_limit_violations', 'warning', 'above', 50, 60, 0, 'refusals',
   'Many calls are refused by the rate limit', 'Look at rate_limit_violations: one caller, or many.'),
  ('failed_transactions', 'warning', 'above', 5, 60, 0, 'transactions',
   'Onboarding fails', 'Look at failed_transactions: error_message says why.'),
  ('average_call_duration', 'warning', 'above', 15, 60, 5, 'minutes',
   'Calls last unusually long', 'Look at active_calls: lines that are not hung up cost money.');

-- From an alert's first firing to its end. One is open for each alert at most, whoever tries.
create table public.alert_episodes (
  id bigint generated always as identity primary key,
  alert text not null references public.alert_rules (alert),
  severity text not null,
  threshold numeric not null,
  opened_at timestamptz not null default now(),
  opened_value numeric not null,
  closed_at timestamptz,
  -- Null: it ended because there was no longer enough to judge by.
  closed_value numeric,
  constraint alert_episodes_times_in_order check (closed_at >= opened_at)
);

create unique index alert_episodes_open_idx on public.alert_episodes (alert) where closed_at is null;
create index alert_episodes_alert_idx on public.alert_episodes (alert, opened_at desc);

-- Who has to be told what, once each. A claim that ran out is claimed again.
create table public.alert_deliveries (
  id bigint generated always as identity primary key,
  episode_id bigint not null references public.alert_episodes (id) on delete cascade,
  transition text not null constraint alert_deliveries_transition_known check (transition in ('fired', 'recovered')),
  channel text not null constraint alert_deliveries_channel_form check (channel ~ '^[a-z]{1,32}$'),
  created_at timestamptz not null default now(),
  claimed_until timestamptz,
  attempts integer not null default 0,
  delivered_at timestamptz,
  constraint alert_deliveries_once unique (episode_id, transition, channel)
);

create index alert_deliveries_due_idx on public.alert_deliveries (id) where delivered_at is null;

-- An alert may be told by e-mail: one more kind of mail.
alter table public.outbox drop constraint outbox_kind_known;
alter table public.outbox add constraint outbox_kind_known
  check (kind in ('contact_notification', 'contact_auto_reply', 'voicemail', 'alert'));

comment on table public.function_metrics is 'Requests, errors and latencies of each function by minute, kept for 30 days.';
comment on table public.function_totals is 'The sums of function_metrics since the beginning; they never fall.';
comment on table public.health_checks is 'What voice-health answered when alert-dispatch asked, kept for 7 days.';
comment on table public.worker_runs is 'When each worker last ran and last succeeded.';
comment on table public.alert_rules is 'The alerts and their thresholds; an operator may change threshold, window_minutes and minimum.';
comment on table public.alert_episodes is 'When each alert fired and recovered.';
comment on table public.alert_deliveries is 'What each channel has been told, or is still to be told, of an episode.';

-- What keeps an alert's window cheap.
create index telephony_transactions_ended_idx on public.telephony_transactions (completed_at)
  where status in ('failed', 'rolled_back');

-- --- what is measured ---------------------------------------------------------------------------------------

-- Adds what an isolate counted since it last told. p_batch: rows of function_metrics, each key once.
create function public.record_function_metrics(p_batch jsonb) returns void
language plpgsql volatile set search_path = '' set lock_timeout = '3s'
as $$
begin
  -- In one order, so that two isolates never wait for each other in a circle.
  insert into public.function_metrics as m
  select * from jsonb_populate_recordset(null::public.function_metrics, p_batch) as b
  order by b.minute, b.function
  on conflict (minute, function) do update set
    requests = m.requests + excluded.requests,
    errors = m.errors + excluded.errors,
    database_failures = m.database_failures + excluded.database_failures,
    refused = m.refused + excluded.refused,
    total_ms = m.total_ms + excluded.total_ms,
    database_ms = m.database_ms + excluded.database_ms,
    max_ms = greatest(m.max_ms, excluded.max_ms),
    le_50 = m.le_50 + excluded.le_50, le_100 = m.le_100 + excluded.le_100,
    le_250 = m.le_250 + excluded.le_250, le_500 = m.le_500 + excluded.le_500,
    le_1000 = m.le_1000 + excluded.le_1000, le_2000 = m.le_2000 + excluded.le_2000,
    le_5000 = m.le_5000 + excluded.le_5000;

  insert into public.function_totals as t
  select
    b.function, sum(b.requests), sum(b.errors), sum(b.database_failures), sum(b.refused), sum(b.total_ms),
    sum(b.le_50), sum(b.le_100), sum(b.le_250), sum(b.le_500), sum(b.le_1000), sum(b.le_2000), sum(b.le_5000)
  from jsonb_populate_recordset(null::public.function_metrics, p_batch) as b
  group by b.function order by b.function
  on conflict (function) do update set
    requests = t.requests + excluded.requests,
    errors = t.errors + excluded.errors,
    database_failures = t.database_failures + excluded.database_failures,
    refused = t.refused + excluded.refused,
    total_ms = t.total_ms + excluded.total_ms,
    le_50 = t.le_50 + excluded.le_50, le_100 = t.le_100 + excluded.le_100,
    le_250 = t.le_250 + excluded.le_250, le_500 = t.le_500 + excluded.le_500,
    le_1000 = t.le_1000 + excluded.le_1000, le_2000 = t.le_2000 + excluded.le_2000,
    le_5000 = t.le_5000 + excluded.le_5000;
end
$$;

-- A quantile out of cumulative counts, between the bounds of its bucket in proportion, as Prometheus's
-- histogram_quantile has it; 5 s for whatever took longer. Null without requests. Milliseconds.
create function public.latency_quantile(p_quantile double precision, p_cumulative bigint[]) returns numeric
language sql immutable set search_path = ''
begin atomic
  select round((b.low + (b.high - b.low) * (r.rank - b.before) / nullif(b.upto - b.before, 0))::numeric, 1)
  from (select p_quantile * p_cumulative[8] as rank) as r,
    lateral (
      select low, high, upto, lag(upto, 1, 0::bigint) over (order by high, low) as before
      from unnest(
        array[0, 50, 100, 250, 500, 1000, 2000, 5000], array[50, 100, 250, 500, 1000, 2000, 5000, 5000], p_cumulative
      ) as u(low, high, upto)
    ) as b
  where p_cumulative[8] > 0 and b.upto >= r.rank and b.upto > b.before
  order by b.high, b.low
  limit 1;
end;

-- Connections in use and allowed. pg_stat_database, unlike pg_stat_activity, tells every role the same.
create function public.database_connections() returns table (used bigint, allowed integer)
language sql stable set search_path = ''
begin atomic
  select sum(d.numbackends)::bigint, current_setting('max_connections')::integer from pg_catalog.pg_stat_database as d;
end;

-- Notes that a worker ran. Workers call it last; whoever misses from here has not come to its end.
create function public.record_worker_run(p_worker text, p_ok boolean default true) returns void
language sql volatile set search_path = ''
begin atomic
  insert into public.worker_runs as w (worker, last_run_at, last_ok_at, failures)
  values (p_worker, clock_timestamp(), case when p_ok then clock_timestamp() end, (not p_ok)::integer)
  on conflict (worker) do update set
    last_run_at = excluded.last_run_at,
    last_ok_at = coalesce(excluded.last_ok_at, w.last_ok_at),
    runs = w.runs + 1,
    failures = w.failures + excluded.failures;
end;

-- The same answer as before, found differently: in a SQL function the planner does not know p_since and reads
-- the whole table; here it plans for the value.
create or replace function public.call_success(p_since timestamptz)
returns table (
  total_calls bigint, active_calls bigint, completed_calls bigint, failed_calls bigint,
  abandoned_calls bigint, rate_limited_calls bigint, success_rate_pct numeric, avg_call_duration_sec numeric
)
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan
as $$
begin
  return query
  select
    count(*),
    count(*) filter (where c.disposition is null),
    count(*) filter (where c.disposition in ('connected', 'voicemail')),
    count(*) filter (where c.disposition in ('failed', 'abandoned')),
    count(*) filter (where c.disposition = 'abandoned'),
    count(*) filter (where c.disposition = 'rate_limited'),
    round(
      100.0 * count(*) filter (where c.disposition in ('connected', 'voicemail'))
        / nullif(count(*) filter (where c.disposition in ('connected', 'voicemail', 'failed', 'abandoned')), 0),
      2
    ),
    round(avg(c.duration_sec) filter (where c.disposition <> 'rate_limited'), 1)
  from public.call_logs as c
  where c.started_at > p_since;
end
$$;

-- --- what is shown ------------------------------------------------------------------------------------------

create view public.call_funnel with (security_invoker = true) as
with calls as (
  select
    c.mode, c.consent_given, c.connected_at, c.disposition,
    exists (
      select from public.call_lifecycle as l where l.call_sid = c.call_sid and l.parent_call_sid is not null
    ) as dialled
  from public.call_logs as c
  where c.started_at > now() - interval '24 hours'
), counted as (
  select
    count(*) as arrived,
    count(consent_given) as consent_decided,
    count(*) filter (where mode <> 'menu') as chose,
    count(*) filter (where dialled) as dialled,
    count(connected_at) as answered,
    count(*) filter (where disposition = 'voicemail') as voicemail,
    count(*) filter (where disposition = 'abandoned') as abandoned,
    count(*) filter (where disposition = 'failed') as failed,
    count(*) filter (where disposition = 'rate_limited') as rate_limited
  from calls
)
select s.position, s.stage, s.calls, round(100.0 * s.calls / nullif(c.arrived, 0), 2) as pct_of_arrived
from counted as c, lateral (values
  (1, 'arrived', c.arrived), (2, 'consent_decided', c.consent_decided), (3, 'chose', c.chose),
  (4, 'dialled', c.dialled), (5, 'answered', c.answered), (6, 'voicemail', c.voicemail),
  (7, 'abandoned', c.abandoned), (8, 'failed', c.failed), (9, 'rate_limited', c.rate_limited)
) as s(position, stage, calls)
order by s.position;

comment on view public.call_funnel is 'How far the calls of the last 24 hours came: one row a stage. The first five stages follow each other; the last four are how calls ended without a person.';

create view public.call_hangups with (security_invoker = true) as
select stage, count(*) as calls
from (
  select
    case
      when step.event is null then 'unknown'
      when step.event = 'arrived' then 'greeting'
      when step.event in ('voicemail_offered', 'voicemail_recorded') then 'voicemail'
      when step.event = 'dial_ended' then case when step.status = 'canceled' then 'ringing' else 'voicemail' end
      when c.mode = 'menu' and not c.handoff then 'menu'
      when c.mode = 'voicemail' then 'voicemail'
      else 'ringing'
    end as stage
  from public.call_logs as c
  left join lateral (
    select l.event, l.status from public.call_lifecycle as l
    where l.call_sid = c.call_sid and l.event in (
      'arrived', 'consent', 'menu', 'route', 'key_pressed', 'dial_ended', 'voicemail_offered', 'voicemail_recorded'
    )
    order by l.id desc
    limit 1
  ) as step on true
  where c.disposition = 'abandoned' and c.started_at > now() - interval '24 hours'
) as hangups
group by stage
order by calls desc, stage;

comment on view public.call_hangups is 'Where the callers of the last 24 hours hung up who reached neither a person nor voicemail: the last step that was taken with them.';

create view public.destination_performance with (security_invoker = true) as
select
  c.mode,
  count(*) as dialled_calls,
  count(c.connected_at) as answered_calls,
  round(100.0 * count(c.connected_at) / count(*), 2) as answer_rate_pct,
  -- Without those whose ringing was never reported, or later than it was.
  round(avg(extract(epoch from c.connected_at - leg.rang_at)) filter (where c.connected_at >= leg.rang_at), 1)
    as avg_seconds_to_answer,
  round(max(extract(epoch from c.connected_at - leg.rang_at)) filter (where c.connected_at >= leg.rang_at), 1)
    as max_seconds_to_answer
from public.call_logs as c
cross join lateral (
  select
    count(*) as events,
    min(l.occurred_at) filter (where l.status in ('queued', 'initiated', 'ringing')) as rang_at
  from public.call_lifecycle as l
  where l.call_sid = c.call_sid and l.parent_call_sid is not null
) as leg
where c.started_at > now() - interval '7 days' and leg.events > 0
group by c.mode
order by c.mode;

comment on view public.destination_performance is 'The calls of the last 7 days that were put through, by what the caller chose: how many were answered, and how long it rang before that.';

create view public.calls_by_hour_of_day with (security_invoker = true) as
select
  extract(hour from started_at at time zone 'UTC')::integer as hour_of_day,
  count(*) as total_calls,
  round(count(*) / 28.0, 2) as calls_per_day,
  count(*) filter (where disposition = 'connected') as connected_calls,
  count(*) filter (where disposition = 'voicemail') as voicemail_calls,
  count(*) filter (where disposition in ('abandoned', 'failed')) as failed_calls
from public.call_logs
where started_at > now() - interval '28 days'
group by 1
order by 1;

comment on view public.calls_by_hour_of_day is 'The last 28 days by hour of the day (UTC): when people ring, and when nobody answers.';

create view public.calls_by_day with (security_invoker = true) as
select
  (started_at at time zone 'UTC')::date as day,
  count(*) as total_calls,
  count(*) filter (where disposition = 'connected') as connected_calls,
  count(*) filter (where disposition = 'voicemail') as voicemail_calls,
  count(*) filter (where disposition in ('abandoned', 'failed')) as failed_calls,
  count(*) filter (where disposition = 'rate_limited') as rate_limited_calls,
  round(avg(duration_sec) filter (where disposition <> 'rate_limited'), 1) as avg_duration_sec
from public.call_logs
where started_at > now() - interval '30 days'
group by 1
order by 1 desc;

comment on view public.calls_by_day is 'The last 30 days, by day (UTC) of the call''s start.';

create view public.webhook_performance with (security_invoker = true) as
select
  function,
  sum(requests) as requests,
  sum(errors) as errors,
  round(100.0 * sum(errors) / nullif(sum(requests), 0), 2) as error_rate_pct,
  sum(database_failures) as database_failures,
  sum(refused) as refused,
  round(sum(total_ms)::numeric / nullif(sum(requests), 0), 1) as avg_ms,
  public.latency_quantile(0.5, array[
    sum(le_50), sum(le_100), sum(le_250), sum(le_500), sum(le_1000), sum(le_2000), sum(le_5000), sum(requests)
  ]) as p50_ms,
  public.latency_quantile(0.95, array[
    sum(le_50), sum(le_100), sum(le_250), sum(le_500), sum(le_1000), sum(le_2000), sum(le_5000), sum(requests)
  ]) as p95_ms,
  max(max_ms) as max_ms,
  round(sum(database_ms)::numeric / nullif(sum(requests), 0), 1) as avg_database_ms
from public.function_metrics
where minute > now() - interval '1 hour'
group by function
order by function;

comment on view public.webhook_performance is 'The last hour by function: requests let in, errors (5xx, or answered without the database), latency as we measured it, and those turned away (refused).';

create view public.operations_now with (security_invoker = true) as
select
  (select count(*) from public.call_logs where status < 'canceled') as active_calls,
  (select round(extract(epoch from now() - min(started_at))) from public.call_logs where status < 'canceled')
    as oldest_active_seconds,
  backlog.messages as voicemail_backlog,
  backlog.oldest_hours as oldest_voicemail_hours,
  (select coalesce(sum(refusals), 0) from public.rate_limit_refusals where minute > now() - interval '1 hour')
    as rate_limit_refusals_last_hour,
  (
    select count(*) from public.telephony_transactions
    where status in ('failed', 'rolled_back') and completed_at > now() - interval '1 hour'
  ) as failed_transactions_last_hour,
  mails.waiting as mails_waiting,
  mails.oldest_seconds as oldest_waiting_mail_seconds,
  (select count(*) from public.outbox where status = 'dead') as mails_dead,
  connections.used as connections_used,
  connections.allowed as connections_allowed
from public.database_connections() as connections,
  (
    select count(*) as messages, round(extract(epoch from now() - min(recorded_at)) / 3600, 2) as oldest_hours
    from public.call_logs where recording_source = 'voicemail' and voicemail_handled_at is null
  ) as backlog,
  (
    select count(*) as waiting, round(extract(epoch from now() - min(created_at))) as oldest_seconds
    from public.outbox where status in ('pending', 'sending')
  ) as mails;

comment on view public.operations_now is 'The line at this moment, in one row: calls, waiting voicemails, refusals, e-mails that are owed, connections.';

-- A window of function_metrics reaches one minute further back than it says: the current minute has only begun.
create view public.alert_status with (security_invoker = true) as
select
  r.alert, r.severity, v.value, r.threshold, r.window_minutes,
  coalesce(
    case r.comparison
      when 'above' then v.value > r.threshold
      when 'below' then v.value < r.threshold
      else v.value >= r.threshold
    end,
    false
  ) as firing,
  r.unit, r.summary, r.action
from public.alert_rules as r
cross join lateral (
  select make_interval(mins => r.window_minutes) as span, make_interval(mins => r.window_minutes + 1) as minutes
) as w
cross join lateral (
  select case r.alert
    when 'system_unhealthy' then (
      -- How long ago the first of the failures was that no success has followed.
      select case when max(h.checked_at) > now() - w.span then
        coalesce(round(extract(epoch from now() - min(h.checked_at) filter (
          where h.checked_at > coalesce(
            (select max(ok.checked_at) from public.health_checks as ok where ok.healthy), '-infinity'
          )
        )) / 60, 2), 0)
      end
      from public.health_checks as h where h.checked_at > now() - interval '1 day'
    )
    when 'call_success_rate' then (
      select s.success_rate_pct from public.call_success(now() - w.span) as s
      where s.completed_calls + s.failed_calls >= r.minimum
    )
    when 'average_call_duration' then (
      select round(s.avg_call_duration_sec / 60, 2) from public.call_success(now() - w.span) as s
      where s.completed_calls + s.failed_calls >= r.minimum
    )
    when 'function_errors' then (
      select max(m.errors) from (
        select sum(errors) as errors from public.function_metrics
        where minute > now() - w.minutes and minute > now() - interval '2 hours'
        group by minute
      ) as m
    )
    when 'database_failures' then (
      select sum(database_failures) from public.function_metrics
      where minute > now() - w.minutes and minute > now() - interval '2 hours'
    )
    when 'error_rate' then (
      select round(100.0 * sum(errors) / nullif(sum(requests), 0), 2) from public.function_metrics
      where minute > now() - w.minutes and minute > now() - interval '2 hours'
      having sum(requests) >= r.minimum
    )
    when 'response_time' then (
      select round(public.latency_quantile(0.95, array[
        sum(le_50), sum(le_100), sum(le_250), sum(le_500), sum(le_1000), sum(le_2000), sum(le_5000), sum(requests)
      ]) / 1000, 3)
      from public.function_metrics
      where minute > now() - w.minutes and minute > now() - interval '2 hours'
      having sum(requests) >= r.minimum
    )
    when 'database_connections' then (
      select round(100.0 * c.used / c.allowed, 2) from public.database_connections() as c
    )
    when 'voicemail_backlog' then (
      select count(*) from public.call_logs where recording_source = 'voicemail' and voicemail_handled_at is null
    )
    when 'rate_limit_violations' then (
      select coalesce(sum(refusals), 0) from public.rate_limit_refusals
      where minute > now() - w.span and minute > now() - interval '2 hours'
    )
    when 'failed_transactions' then (
      select count(*) from public.telephony_transactions
      where status in ('failed', 'rolled_back')
        and completed_at > now() - w.span and completed_at > now() - interval '2 hours'
    )
  end as value
) as v
order by r.severity, r.alert;

comment on view public.alert_status is 'Every alert and how it stands. value is null, and the alert does not fire, where there is too little to judge by (alert_rules.minimum). response_time is the 95th percentile in seconds; system_unhealthy is how long voice-health has failed.';

create view public.alert_history with (security_invoker = true) as
select
  e.id, e.alert, e.severity, e.threshold, e.opened_at, e.opened_value, e.closed_at, e.closed_value,
  (select count(*) from public.alert_deliveries as d where d.episode_id = e.id and d.delivered_at is null)
    as undelivered
from public.alert_episodes as e
where e.closed_at is null or e.closed_at > now() - interval '30 days'
order by e.opened_at desc;

comment on view public.alert_history is 'Open alerts, and those that ended in the last 30 days; undelivered: messages that no channel has taken yet.';

-- --- what is told -------------------------------------------------------------------------------------------

-- Opens an episode for each alert that began to fire, closes that of each that no longer does, and puts one
-- message down for each channel: e-mail in the outbox, which has its own worker, any other as a delivery. Returns
-- what changed. Safe to run twice at once: the runs take turns, and one of them finds nothing changed.
create function public.evaluate_alerts(p_channels text[] default '{}')
returns table (episode_id bigint, alert text, transition text)
language plpgsql volatile set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('evaluate_alerts', 0));
  return query
  with status as materialized (
    select s.alert, s.severity, s.value, s.threshold, s.firing from public.alert_status as s
  ), opened as (
    insert into public.alert_episodes as e (alert, severity, threshold, opened_value)
    select s.alert, s.severity, s.threshold, s.value from status as s where s.firing
    on conflict do nothing
    returning e.id, e.alert, e.opened_value as value, e.opened_at, e.closed_at
  ), closed as (
    update public.alert_episodes as e set closed_at = greatest(now(), e.opened_at), closed_value = s.value
    from status as s
    where e.closed_at is null and s.alert = e.alert and not s.firing
    returning e.id, e.alert, e.closed_value, e.opened_at, e.closed_at
  ), changed as (
    select o.*, 'fired' as transition from opened as o
    union all
    select c.*, 'recovered' from closed as c
  ), told as (
    insert into public.alert_deliveries (episode_id, transition, channel)
    select c.id, c.transition, channel
    from changed as c join public.alert_rules as r on r.alert = c.alert, unnest(p_channels) as channel
    -- A pager wakes people: for what is critical only.
    where channel <> 'email' and (channel <> 'pagerduty' or r.severity = 'critical')
    order by c.id, channel
  ), mailed as (
    insert into public.outbox (kind, idempotency_key, payload, content)
    select
      'alert', format('alert/%s/%s', c.id, c.transition), jsonb_build_object('episode_id', c.id),
      -- What it says is what was so at this moment, whenever it is sent.
      jsonb_build_object(
        'transition', c.transition, 'alert', c.alert, 'severity', r.severity, 'summary', r.summary,
        'action', r.action, 'unit', r.unit, 'value', c.value, 'threshold', r.threshold,
        'opened_at', c.opened_at, 'closed_at', c.closed_at
      )
    from changed as c join public.alert_rules as r on r.alert = c.alert
    where 'email' = any (p_channels)
  )
  select c.id, c.alert, c.transition from changed as c order by c.id;
end
$$;

-- Claims what is still to be told, the oldest first. Two runs at once never get the same message; what is not
-- reported as delivered is claimed again a minute later, for a day.
create function public.claim_alert_deliveries(p_channels text[])
returns table (
  id bigint, channel text, transition text, episode_id bigint, alert text, severity text, summary text, action text,
  unit text, value numeric, threshold numeric, opened_at timestamptz, closed_at timestamptz
)
language sql volatile set search_path = ''
begin atomic
  with claimed as (
    update public.alert_deliveries as d
    set claimed_until = clock_timestamp() + interval '50 seconds', attempts = d.attempts + 1
    where d.id in (
      select due.id from public.alert_deliveries as due
      where due.delivered_at is null and due.channel = any (p_channels)
        and due.created_at > now() - interval '1 day'
        and (due.claimed_until is null or due.claimed_until < clock_timestamp())
      order by due.id
      limit 50
      for update skip locked
    )
    returning d.id, d.channel, d.transition, d.episode_id
  )
  select
    c.id, c.channel, c.transition, e.id, e.alert, e.severity, r.summary, r.action, r.unit,
    case c.transition when 'fired' then e.opened_value else e.closed_value end,
    e.threshold, e.opened_at, e.closed_at
  from claimed as c
  join public.alert_episodes as e on e.id = c.episode_id
  join public.alert_rules as r on r.alert = e.alert
  order by c.id;
end;

-- Reports how the claimed ones went: what failed may be claimed at once.
create function public.finish_alert_deliveries(p_delivered bigint[], p_failed bigint[]) returns void
language sql volatile set search_path = ''
begin atomic
  update public.alert_deliveries set delivered_at = clock_timestamp(), claimed_until = null
  where id = any (p_delivered) and delivered_at is null;
  update public.alert_deliveries set claimed_until = null
  where id = any (p_failed) and delivered_at is null;
end;

-- One run of alert-dispatch, as far as the database goes: what voice-health said is kept, the alerts are
-- evaluated, and what is to be told comes back. p_healthy null: nobody could ask.
create function public.run_alerts(p_healthy boolean, p_failing text[], p_channels text[]) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_changed jsonb;
begin
  if p_healthy is not null then
    insert into public.health_checks (healthy, failing) values (p_healthy, coalesce(p_failing, '{}'))
    on conflict do nothing;
  end if;
  select coalesce(jsonb_agg(to_jsonb(c)), '[]') into v_changed from public.evaluate_alerts(p_channels) as c;
  perform public.purge_monitoring(1000);
  return jsonb_build_object(
    'changed', v_changed,
    'firing', (select count(*) from public.alert_episodes where closed_at is null),
    'due', (select coalesce(jsonb_agg(to_jsonb(d)), '[]') from public.claim_alert_deliveries(p_channels) as d)
  );
end
$$;

-- Deletes what has served its time, at most p_batch rows of each kind.
create function public.purge_monitoring(p_batch integer default 1000) returns void
language sql volatile set search_path = ''
begin atomic
  delete from public.function_metrics as m using (
    select minute, function from public.function_metrics
    where minute < now() - interval '30 days' order by minute limit p_batch for update skip locked
  ) as old where (m.minute, m.function) = (old.minute, old.function);
  delete from public.health_checks as h using (
    select checked_at from public.health_checks
    where checked_at < now() - interval '7 days' order by checked_at limit p_batch for update skip locked
  ) as old where h.checked_at = old.checked_at;
  delete from public.alert_episodes as e using (
    select id from public.alert_episodes
    where closed_at < now() - interval '365 days' order by id limit p_batch for update skip locked
  ) as old where e.id = old.id;
end;

-- voice-reconcile ends each run with this: whoever got here has run.
alter function public.purge_expired(integer) rename to purge_expired_rows;
create function public.purge_expired(p_batch integer default 1000) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_purged constant jsonb := public.purge_expired_rows(p_batch);
begin
  perform public.record_worker_run('voice-reconcile');
  return v_purged;
end
$$;

-- For voice-health: what is going on, when the workers last ran, which alerts were firing when last evaluated.
-- Counts, names and times; nothing personal, and nothing that decides health: an alert about health must not
-- keep itself alive.
create or replace function public.health_recent_activity() returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object(
    'calls_last_hour', (select count(*) from public.call_logs where started_at > now() - interval '1 hour'),
    'active_calls', (select count(*) from public.call_logs where status < 'canceled'),
    'last_event_at', (select max(received_at) from public.call_lifecycle),
    'connections', (select jsonb_build_object('used', used, 'allowed', allowed) from public.database_connections()),
    'workers', (
      select coalesce(jsonb_object_agg(worker, jsonb_build_object('last_run_at', last_run_at, 'last_ok_at', last_ok_at)), '{}')
      from public.worker_runs
    ),
    'alerts', (
      select jsonb_build_object(
        'critical', count(*) filter (where severity = 'critical'),
        'warning', count(*) filter (where severity = 'warning'),
        'firing', coalesce(jsonb_agg(alert order by severity, alert), '[]')
      )
      from public.alert_episodes where closed_at is null
    )
  );
end;

-- Everything that function `metrics` tells, in one round trip.
create function public.metrics_snapshot() returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object(
    'now', (select to_jsonb(o) from public.operations_now as o),
    'calls', (
      select coalesce(jsonb_agg(to_jsonb(c)), '[]') from (
        select w.name as window, c.mode, coalesce(c.disposition, 'active') as disposition, count(*) as calls,
          coalesce(sum(c.duration_sec), 0) as seconds
        from (values ('30m', interval '30 minutes'), ('1h', interval '1 hour'), ('24h', interval '24 hours')) as w(name, span)
        join public.call_logs as c on c.started_at > now() - w.span and c.started_at > now() - interval '24 hours'
        group by 1, 2, 3 order by 1, 2, 3
      ) as c
    ),
    'functions', (select coalesce(jsonb_agg(to_jsonb(t) order by t.function), '[]') from public.function_totals as t),
    'alerts', (
      select jsonb_agg(jsonb_build_object('alert', a.alert, 'severity', a.severity, 'value', a.value,
        'threshold', a.threshold, 'firing', a.firing))
      from public.alert_status as a
    ),
    'healthy', (select healthy from public.health_checks order by checked_at desc limit 1),
    'health_checked_at', (select extract(epoch from max(checked_at)) from public.health_checks),
    'workers', (
      select coalesce(jsonb_agg(jsonb_build_object('worker', worker, 'last_ok_at', extract(epoch from last_ok_at),
        'runs', runs, 'failures', failures) order by worker), '[]')
      from public.worker_runs
    ),
    'alert_deliveries_pending', (select count(*) from public.alert_deliveries where delivered_at is null)
  );
end;

-- --- who may ------------------------------------------------------------------------------------------------

alter table public.function_metrics enable row level security;
alter table public.function_totals enable row level security;
alter table public.health_checks enable row level security;
alter table public.worker_runs enable row level security;
alter table public.alert_rules enable row level security;
alter table public.alert_episodes enable row level security;
alter table public.alert_deliveries enable row level security;

revoke all on
  public.function_metrics, public.function_totals, public.health_checks, public.worker_runs, public.alert_rules,
  public.alert_episodes, public.alert_deliveries,
  public.call_funnel, public.call_hangups, public.destination_performance, public.calls_by_hour_of_day,
  public.calls_by_day, public.webhook_performance, public.operations_now, public.alert_status, public.alert_history
  from anon, authenticated, service_role;
revoke all on function
  public.record_function_metrics(jsonb), public.latency_quantile(double precision, bigint[]),
  public.database_connections(), public.record_worker_run(text, boolean), public.evaluate_alerts(text[]),
  public.claim_alert_deliveries(text[]), public.finish_alert_deliveries(bigint[], bigint[]),
  public.run_alerts(boolean, text[], text[]), public.purge_monitoring(integer), public.purge_expired(integer),
  public.metrics_snapshot()
  from public, anon, authenticated, service_role;

grant select, insert, update, delete on
  public.function_metrics, public.health_checks, public.alert_episodes, public.alert_deliveries to service_role;
grant select, insert, update on public.function_totals, public.worker_runs to service_role;
grant select on public.alert_rules to service_role;
grant update (threshold, window_minutes, minimum) on public.alert_rules to service_role;
grant select on
  public.call_funnel, public.call_hangups, public.destination_performance, public.calls_by_hour_of_day,
  public.calls_by_day, public.webhook_performance, public.operations_now, public.alert_status, public.alert_history
  to service_role;
-- A member of an organisation sees its own calls in them, as in the older views.
grant select on
  public.call_funnel, public.call_hangups, public.destination_performance, public.calls_by_hour_of_day,
  public.calls_by_day
  to authenticated;
grant execute on function
  public.record_function_metrics(jsonb), public.latency_quantile(double precision, bigint[]),
  public.database_connections(), public.record_worker_run(text, boolean), public.evaluate_alerts(text[]),
  public.claim_alert_deliveries(text[]), public.finish_alert_deliveries(bigint[], bigint[]),
  public.run_alerts(boolean, text[], text[]), public.purge_monitoring(integer), public.purge_expired(integer),
  public.metrics_snapshot()
  to service_role;

-- For dashboards: a role that reads what the views count, and cannot read whom they count. It may not log in until
-- somebody lets it: alter role monitoring login password '...'.
do $block$
begin
  create role monitoring nologin;
exception
  -- Roles belong to the cluster: another database of it may have made it, even at this moment.
  when duplicate_object or unique_violation then null;
end
$block$;

grant usage on schema public to monitoring;

-- Views run with the rights of whoever asks. So it gets the columns that they aggregate, and not one with a number
-- that was rung from, a recording, a transcript or what a caller said; row-level security lets it see every row.
grant select (
  call_sid, mode, status, consent_given, started_at, answered_at, connected_at, ended_at, duration_sec, disposition,
  recording_source, recorded_at, voicemail_handled_at, handoff
) on public.call_logs to monitoring;
grant select (id, call_sid, parent_call_sid, event, status, occurred_at, received_at) on public.call_lifecycle to monitoring;
grant select (endpoint, minute, refusals) on public.rate_limit_refusals to monitoring;
grant select (transaction_type, status, started_at, completed_at) on public.telephony_transactions to monitoring;
grant select (event_type, severity, created_at) on public.analytics_events to monitoring;
grant select (id, kind, status, attempts, next_attempt_at, created_at) on public.outbox to monitoring;
grant select on
  public.function_metrics, public.function_totals, public.health_checks, public.worker_runs, public.alert_rules,
  public.alert_episodes, public.alert_deliveries
  to monitoring;
grant select on
  public.call_success_metrics, public.call_success_metrics_24h, public.call_volume_hourly, public.consent_metrics,
  public.call_funnel, public.call_hangups, public.destination_performance, public.calls_by_hour_of_day,
  public.calls_by_day, public.webhook_performance, public.operations_now, public.alert_status, public.alert_history,
  public.outbox_backlog
  to monitoring;
grant execute on function
  public.call_success(timestamptz), public.latency_quantile(double precision, bigint[]), public.database_connections()
  to monitoring;

create policy call_logs_for_monitoring on public.call_logs for select to monitoring using (true);
create policy call_lifecycle_for_monitoring on public.call_lifecycle for select to monitoring using (true);
create policy rate_limit_refusals_for_monitoring on public.rate_limit_refusals for select to monitoring using (true);
create policy telephony_transactions_for_monitoring on public.telephony_transactions for select to monitoring using (true);
create policy analytics_events_for_monitoring on public.analytics_events for select to monitoring using (true);
create policy outbox_for_monitoring on public.outbox for select to monitoring using (true);
-- service_role passes row-level security by itself; the policies say so where only it and dashboards may look.
create policy function_metrics_for_operators on public.function_metrics for select to service_role, monitoring using (true);
create policy function_totals_for_operators on public.function_totals for select to service_role, monitoring using (true);
create policy health_checks_for_operators on public.health_checks for select to service_role, monitoring using (true);
create policy worker_runs_for_operators on public.worker_runs for select to service_role, monitoring using (true);
create policy alert_rules_for_operators on public.alert_rules for select to service_role, monitoring using (true);
create policy alert_episodes_for_operators on public.alert_episodes for select to service_role, monitoring using (true);
create policy alert_deliveries_for_operators on public.alert_deliveries for select to service_role, monitoring using (true);

-- Each minute, as voice-reconcile (20251101124000), with the address and the key from Vault.
do $block$
begin
  if (select count(*) from pg_available_extensions where name in ('pg_cron', 'pg_net', 'supabase_vault')) = 3 then
    perform cron.schedule('alert-dispatch', '* * * * *', $job$
      select net.http_post(
        url := url.decrypted_secret || '/alert-dispatch',
        headers := jsonb_build_object('apikey', key.decrypted_secret, 'content-type', 'application/json'),
        body := '{}'::jsonb,
        timeout_milliseconds := 55000
      )
      from vault.decrypted_secrets as url, vault.decrypted_secrets as key
      where url.name = 'functions_url' and key.name = 'functions_secret_key'
    $job$);
  end if;
end
$block$;
