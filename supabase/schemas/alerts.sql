-- What somebody is told without looking: which alerts fire, and who has been told.

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

comment on table public.alert_rules is 'The alerts and their thresholds; an operator may change threshold, window_minutes and minimum.';

alter table public.alert_rules enable row level security;
create policy alert_rules_for_operators on public.alert_rules for select to service_role, monitoring using (true);

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
   'Calls last unusually long', 'Look at active_calls: lines that are not hung up cost money.'),
  -- What was promised to be erased, and is not: recordings of erased calls that Twilio still has a day later.
  ('recordings_undeleted', 'warning', 'above', 0, 0, 0, 'recordings',
   'Recordings of erased calls are still at Twilio', 'Run `deno task forget --pending`: it says what Twilio answers.');

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

comment on table public.alert_episodes is 'When each alert fired and recovered.';

create unique index alert_episodes_open_idx on public.alert_episodes (alert) where closed_at is null;
create index alert_episodes_alert_idx on public.alert_episodes (alert, opened_at desc);

alter table public.alert_episodes enable row level security;
create policy alert_episodes_for_operators on public.alert_episodes for select to service_role, monitoring using (true);

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

comment on table public.alert_deliveries is 'What each channel has been told, or is still to be told, of an episode.';

create index alert_deliveries_due_idx on public.alert_deliveries (id) where delivered_at is null;

alter table public.alert_deliveries enable row level security;
create policy alert_deliveries_for_operators on public.alert_deliveries for select to service_role, monitoring using (true);

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
    when 'recordings_undeleted' then (
      select count(*) from public.recordings_to_delete where queued_at < now() - interval '1 day'
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

grant select on public.alert_rules, public.alert_status, public.alert_history to service_role, monitoring;
grant select, insert, update on public.alert_deliveries to service_role;
grant select, insert, update, delete on public.alert_episodes to service_role;
grant select on public.alert_episodes, public.alert_deliveries to monitoring;
grant update (threshold, window_minutes, minimum) on public.alert_rules to service_role;
grant execute on function
  public.evaluate_alerts, public.claim_alert_deliveries, public.finish_alert_deliveries, public.run_alerts,
  public.purge_monitoring
  to service_role;
