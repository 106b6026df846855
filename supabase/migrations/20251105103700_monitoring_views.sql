-- The operator's views. Every view runs with its caller's rights (security_invoker), so row-level security shows each
-- organisation only its own calls.

-- A call counts as served when its caller reached a person or left a voicemail. Twilio's `completed`
-- says only that it ended without a telephone error.
create view public.active_calls with (security_invoker = true) as
select
  call_sid, from_e164, to_e164, mode, status, consent_given, started_at,
  greatest(0, extract(epoch from now() - started_at))::integer as duration_seconds
from public.call_logs
where disposition is null;

comment on view public.active_calls is 'Calls whose end has not been reported yet.';

-- The one definition of success, for any set of calls.
create function public.call_success(p_since timestamptz)
returns table (
  total_calls bigint, active_calls bigint, completed_calls bigint, failed_calls bigint,
  abandoned_calls bigint, rate_limited_calls bigint, success_rate_pct numeric, avg_call_duration_sec numeric
)
language sql stable set search_path = ''
begin atomic
  select
    n.total::bigint, n.active::bigint, n.served::bigint, n.failed::bigint, n.abandoned::bigint, n.refused::bigint,
    round(100.0 * n.served / nullif(n.served + n.failed, 0), 2),
    round(n.seconds / nullif(n.timed, 0), 1)
  from (
    select
      coalesce(sum(c.calls), 0) as total,
      coalesce(sum(c.calls) filter (where c.disposition is null), 0) as active,
      coalesce(sum(c.calls) filter (where c.disposition in ('connected', 'voicemail')), 0) as served,
      coalesce(sum(c.calls) filter (where c.disposition in ('failed', 'abandoned')), 0) as failed,
      coalesce(sum(c.calls) filter (where c.disposition = 'abandoned'), 0) as abandoned,
      coalesce(sum(c.calls) filter (where c.disposition = 'rate_limited'), 0) as refused,
      sum(c.seconds) filter (where c.disposition <> 'rate_limited') as seconds,
      sum(c.timed) filter (where c.disposition <> 'rate_limited') as timed
    from public.call_counts(p_since) as c
  ) as n;
end;

create view public.call_success_metrics with (security_invoker = true) as
select * from public.call_success(now() - interval '1 hour');

comment on view public.call_success_metrics is 'The last hour. completed_calls reached a person or left a voicemail; failed_calls ended without either; the rate is the first out of both. Refused and running calls count in neither. Null: no call has ended.';

create view public.call_success_metrics_24h with (security_invoker = true) as
select * from public.call_success(now() - interval '24 hours');

comment on view public.call_success_metrics_24h is 'As call_success_metrics, over 24 hours.';

create view public.call_volume_hourly with (security_invoker = true) as
select
  hour,
  sum(calls)::bigint as total_calls,
  coalesce(sum(calls) filter (where mode = 'sales'), 0)::bigint as sales_calls,
  coalesce(sum(calls) filter (where mode = 'support'), 0)::bigint as support_calls,
  coalesce(sum(calls) filter (where mode = 'voicemail'), 0)::bigint as voicemail_calls,
  coalesce(sum(calls) filter (where disposition in ('connected', 'voicemail')), 0)::bigint as completed_calls,
  coalesce(sum(calls) filter (where disposition in ('failed', 'abandoned')), 0)::bigint as failed_calls,
  round(sum(seconds) / nullif(sum(timed), 0), 1) as avg_duration_sec
from public.call_counts(now() - interval '7 days')
group by 1
order by 1 desc;

comment on view public.call_volume_hourly is 'The last 7 days, by hour (UTC) of the call''s start and by the caller''s choice.';

create view public.consent_metrics with (security_invoker = true) as
select
  coalesce(sum(calls), 0)::bigint as total_calls,
  coalesce(sum(consented), 0)::bigint as consented_calls,
  coalesce(sum(opted_out), 0)::bigint as opted_out_calls,
  round(100.0 * sum(opted_out) / nullif(sum(consented) + sum(opted_out), 0), 2) as opt_out_rate_pct
from public.call_counts(now() - interval '24 hours');

comment on view public.consent_metrics is 'Recording consent over the last 24 hours; the rate is out of the calls that decided.';

create view public.call_funnel with (security_invoker = true) as
with counted as (
  select
    coalesce(sum(calls), 0)::bigint as arrived,
    coalesce(sum(consented) + sum(opted_out), 0)::bigint as consent_decided,
    coalesce(sum(calls) filter (where mode <> 'menu'), 0)::bigint as chose,
    coalesce(sum(dialled), 0)::bigint as dialled,
    coalesce(sum(answered), 0)::bigint as answered,
    coalesce(sum(calls) filter (where disposition = 'voicemail'), 0)::bigint as voicemail,
    coalesce(sum(calls) filter (where disposition = 'abandoned'), 0)::bigint as abandoned,
    coalesce(sum(calls) filter (where disposition = 'failed'), 0)::bigint as failed,
    coalesce(sum(calls) filter (where disposition = 'rate_limited'), 0)::bigint as rate_limited
  from public.call_counts(now() - interval '24 hours')
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
select hung_up_at as stage, sum(calls)::bigint as calls
from public.call_counts(now() - interval '24 hours')
where hung_up_at is not null
group by hung_up_at
order by calls desc, stage;

comment on view public.call_hangups is 'The last step of the callers of the last 24 hours who hung up without reaching a person or voicemail.';

create view public.destination_performance with (security_invoker = true) as
select
  mode,
  sum(dialled)::bigint as dialled_calls,
  sum(answered)::bigint as answered_calls,
  round(100.0 * sum(answered) / sum(dialled), 2) as answer_rate_pct,
  round(sum(ring_seconds) / nullif(sum(rang), 0), 1) as avg_seconds_to_answer,
  round(max(longest_ring_seconds), 1) as max_seconds_to_answer
from public.call_counts(now() - interval '7 days')
where dialled > 0
group by mode
order by mode;

comment on view public.destination_performance is 'The forwarded calls of the last 7 days, by the caller''s choice: how many were answered, and after how long.';

create view public.leg_results with (security_invoker = true) as
select
  node,
  count(*) as legs,
  count(*) filter (where result = 'accepted') as accepted,
  count(*) filter (where result = 'declined') as declined,
  count(*) filter (where result = 'mailbox') as mailbox,
  count(*) filter (where result = 'taken') as taken,
  count(*) filter (where result = 'caller_left') as caller_left,
  count(*) filter (where result = 'busy') as busy,
  count(*) filter (where result = 'no_answer') as no_answer,
  count(*) filter (where result = 'unreachable') as unreachable,
  count(*) filter (where result = 'canceled') as canceled,
  round(avg(extract(epoch from connected_at - rang_at)) filter (where connected_at >= rang_at), 1) as avg_seconds_to_answer
from public.call_legs
where dialled_at > now() - interval '24 hours'
group by node
order by node;

comment on view public.leg_results is 'The legs dialled in the last 24 hours, by the node of the flow: their results, and the time to answer.';

create view public.calls_by_hour_of_day with (security_invoker = true) as
select
  extract(hour from hour at time zone 'UTC')::integer as hour_of_day,
  sum(calls)::bigint as total_calls,
  round(sum(calls) / 28.0, 2) as calls_per_day,
  coalesce(sum(calls) filter (where disposition = 'connected'), 0)::bigint as connected_calls,
  coalesce(sum(calls) filter (where disposition = 'voicemail'), 0)::bigint as voicemail_calls,
  coalesce(sum(calls) filter (where disposition in ('abandoned', 'failed')), 0)::bigint as failed_calls
from public.call_counts(now() - interval '28 days')
group by 1
order by 1;

comment on view public.calls_by_hour_of_day is 'The last 28 days by hour of the day (UTC): when people ring, and when nobody answers.';

create view public.calls_by_day with (security_invoker = true) as
select
  (hour at time zone 'UTC')::date as day,
  sum(calls)::bigint as total_calls,
  coalesce(sum(calls) filter (where disposition = 'connected'), 0)::bigint as connected_calls,
  coalesce(sum(calls) filter (where disposition = 'voicemail'), 0)::bigint as voicemail_calls,
  coalesce(sum(calls) filter (where disposition in ('abandoned', 'failed')), 0)::bigint as failed_calls,
  coalesce(sum(calls) filter (where disposition = 'rate_limited'), 0)::bigint as rate_limited_calls,
  round(
    sum(seconds) filter (where disposition <> 'rate_limited')
      / nullif(sum(timed) filter (where disposition <> 'rate_limited'), 0),
    1
  ) as avg_duration_sec
from public.call_counts(now() - interval '30 days')
group by 1
order by 1 desc;

comment on view public.calls_by_day is 'The last 30 days, by day (UTC) of the call''s start.';

create view public.calls_by_line with (security_invoker = true) as
select
  c.line, f.name as flow,
  count(*) as total_calls,
  count(*) filter (where c.disposition in ('connected', 'voicemail')) as completed_calls,
  count(*) filter (where c.disposition = 'voicemail') as voicemail_calls,
  count(*) filter (where c.disposition = 'abandoned') as abandoned_calls,
  count(c.connected_at) as connected_calls,
  round(avg(extract(epoch from c.connected_at - c.started_at)) filter (where c.connected_at >= c.started_at), 1) as avg_wait_sec
from public.call_logs as c
left join public.call_flow_versions as v on v.id = c.flow_version
left join public.call_flows as f on f.id = v.flow_id
where c.direction = 'inbound' and c.started_at > now() - interval '7 days'
group by c.line, f.name
order by total_calls desc, c.line, f.name;

comment on view public.calls_by_line is 'The calls of the last 7 days by line and flow (null: the settings answered): served, abandoned, seconds until a person answered.';

create view public.voicemail_backlog with (security_invoker = true) as
select
  r.call_sid, c.from_e164, r.url as recording_url, r.transcript, r.recorded_at as created_at,
  round(greatest(0, extract(epoch from now() - r.recorded_at)) / 3600, 2) as hours_old, r.recording_sid
from public.recordings as r join public.call_logs as c on c.call_sid = r.call_sid
where r.source = 'voicemail' and r.handled_at is null and r.deleted_at is null
order by r.recorded_at desc;

comment on view public.voicemail_backlog is 'Voicemails that are not marked as handled (recordings.handled_at), newest first.';

create view public.recent_errors with (security_invoker = true) as
select event_type, event_data, severity, created_at
from public.analytics_events
where severity in ('error', 'critical') and created_at > now() - interval '24 hours'
order by created_at desc;

comment on view public.recent_errors is 'Errors of the last 24 hours, newest first.';

-- Connections in use and allowed. pg_stat_database, unlike pg_stat_activity, shows every role the same.
create function public.database_connections() returns table (used bigint, allowed integer)
language sql stable set search_path = ''
begin atomic
  select sum(d.numbackends)::bigint, current_setting('max_connections')::integer from pg_catalog.pg_stat_database as d;
end;

create view public.operations_now with (security_invoker = true) as
select
  (select count(*) from public.call_logs where disposition is null) as active_calls,
  (select round(extract(epoch from now() - min(started_at))) from public.call_logs where disposition is null)
    as oldest_active_seconds,
  backlog.messages as voicemail_backlog,
  backlog.oldest_hours as oldest_voicemail_hours,
  (select coalesce(sum(refusals), 0) from public.rate_limit_refusals where minute > now() - interval '1 hour')
    as rate_limit_refusals_last_hour,
  (
    select count(*) from public.telephony_transactions
    where status in ('failed', 'rolled_back') and completed_at > now() - interval '1 hour'
  ) as failed_transactions_last_hour,
  jobs.due as jobs_due,
  jobs.oldest_seconds as oldest_due_job_seconds,
  (select count(*) from public.jobs where status = 'dead') as jobs_dead,
  connections.used as connections_used,
  connections.allowed as connections_allowed
from public.database_connections() as connections,
  (
    select count(*) as messages, round(extract(epoch from now() - min(recorded_at)) / 3600, 2) as oldest_hours
    from public.recordings where source = 'voicemail' and handled_at is null and deleted_at is null
  ) as backlog,
  (
    select coalesce(sum(d.jobs), 0) as due, round(extract(epoch from now() - min(l.due_at))) as oldest_seconds
    from public.job_lanes as l
    cross join lateral (
      select count(*) as jobs from public.jobs as j
      where j.kind = l.kind and j.priority = l.priority and j.ended_at is null and j.run_at <= now()
    ) as d
    where l.due_at <= now()
  ) as jobs;

comment on view public.operations_now is 'The line at this moment, in one row: calls, waiting voicemails, refusals, work that is due, connections.';

grant select on public.active_calls, public.calls_by_line, public.voicemail_backlog to authenticated, service_role;
grant select on
  public.call_success_metrics, public.call_success_metrics_24h, public.call_volume_hourly,
  public.consent_metrics, public.call_funnel, public.call_hangups, public.destination_performance, public.leg_results,
  public.calls_by_hour_of_day, public.calls_by_day
  to authenticated, service_role, monitoring;
grant select on public.recent_errors to authenticated, service_role;
grant select on public.operations_now to service_role, monitoring;
grant execute on function public.call_success to authenticated, service_role, monitoring;
grant execute on function public.database_connections to service_role, monitoring;
