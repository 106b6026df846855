-- What an operator looks at. Every view runs with the rights of whoever asks (security_invoker), so
-- row-level security shows each organisation its own calls only.

-- A call counts as served when its caller reached a person or left a voicemail. Twilio's `completed`
-- says only that it ended without a telephone error.
create view public.active_calls with (security_invoker = true) as
select
  call_sid, from_e164, to_e164, mode, status, consent_given, started_at,
  greatest(0, extract(epoch from now() - started_at))::integer as duration_seconds
from public.call_logs
where status < 'canceled';

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
end;

create view public.call_success_metrics with (security_invoker = true) as
select * from public.call_success(now() - interval '1 hour');
create view public.call_success_metrics_24h with (security_invoker = true) as
select * from public.call_success(now() - interval '24 hours');

comment on view public.call_success_metrics is 'The last hour. completed_calls reached a person or left a voicemail; failed_calls ended without either; the rate is the first out of both. Refused and running calls count in neither. Null: no call has ended.';
comment on view public.call_success_metrics_24h is 'As call_success_metrics, over 24 hours.';

create view public.call_volume_hourly with (security_invoker = true) as
select
  date_trunc('hour', started_at) as hour,
  count(*) as total_calls,
  count(*) filter (where mode = 'sales') as sales_calls,
  count(*) filter (where mode = 'support') as support_calls,
  count(*) filter (where mode = 'voicemail') as voicemail_calls,
  count(*) filter (where disposition in ('connected', 'voicemail')) as completed_calls,
  count(*) filter (where disposition in ('failed', 'abandoned')) as failed_calls,
  round(avg(duration_sec), 1) as avg_duration_sec
from public.call_logs
where started_at > now() - interval '7 days'
group by 1
order by 1 desc;

comment on view public.call_volume_hourly is 'The last 7 days, by hour (UTC) of the call''s start and by what the caller chose.';

create view public.recent_errors with (security_invoker = true) as
select event_type, event_data, severity, created_at
from public.analytics_events
where severity in ('error', 'critical') and created_at > now() - interval '24 hours'
order by created_at desc;

comment on view public.recent_errors is 'Errors of the last 24 hours, newest first.';

create view public.rate_limit_violations with (security_invoker = true) as
select
  identifier, identifier_type, endpoint,
  sum(refusals) as violation_count,
  max(last_violation) as last_violation
from public.rate_limit_refusals
where minute > now() - interval '24 hours'
group by identifier, identifier_type, endpoint
order by last_violation desc;

comment on view public.rate_limit_violations is 'Who was refused in the last 24 hours, where, and how often.';

create view public.voicemail_backlog with (security_invoker = true) as
select
  call_sid, from_e164, recording_url, transcript, recorded_at as created_at,
  round(extract(epoch from now() - recorded_at) / 3600, 2) as hours_old
from public.call_logs
where recording_source = 'voicemail' and voicemail_handled_at is null
order by recorded_at;

comment on view public.voicemail_backlog is 'Voicemails that nobody has marked as handled (call_logs.voicemail_handled_at), oldest first.';

create view public.failed_transactions with (security_invoker = true) as
select
  id, transaction_type, org_id, error_message, steps_completed, started_at, completed_at,
  extract(epoch from completed_at - started_at)::numeric(12, 3) as duration_seconds
from public.telephony_transactions
where status in ('failed', 'rolled_back')
order by started_at desc;

comment on view public.failed_transactions is 'Onboarding that failed, and what had been done by then.';

create view public.number_provisioning_status with (security_invoker = true) as
select
  n.org_id, n.e164_number, n.country, s.business_name, s.subaccount_sid, n.provisioned_at,
  (
    select count(*) from public.call_logs as c
    where c.to_e164 = n.e164_number and c.started_at > now() - interval '24 hours'
  ) as calls_last_24h
from public.telephony_numbers as n
join public.telephony_subaccounts as s using (org_id);

comment on view public.number_provisioning_status is 'Each onboarded number, its organisation, and its calls of the last 24 hours.';

create view public.consent_metrics with (security_invoker = true) as
select
  count(*) as total_calls,
  count(*) filter (where consent_given) as consented_calls,
  count(*) filter (where not consent_given) as opted_out_calls,
  round(100.0 * count(*) filter (where not consent_given) / nullif(count(consent_given), 0), 2) as opt_out_rate_pct
from public.call_logs
where started_at > now() - interval '24 hours';

comment on view public.consent_metrics is 'Recording consent over the last 24 hours; the rate is out of the calls that decided.';

-- For voice-health, each question on its own so that each has its own deadline.

create function public.health_recent_activity() returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object(
    'calls_last_hour', (select count(*) from public.call_logs where started_at > now() - interval '1 hour'),
    'active_calls', (select count(*) from public.call_logs where status < 'canceled'),
    'last_event_at', (select max(received_at) from public.call_lifecycle)
  );
end;

-- Takes and gives back: proves that the limiter can lock and write, and leaves no trace. The key is
-- the health check's own, so no caller ever waits for it.
create function public.health_rate_limiter() returns boolean
language plpgsql volatile set search_path = ''
as $$
declare
  v_admitted boolean;
begin
  v_admitted := public.take_rate_limit('voice-health', 'probe', 'probe', 1000, interval '1 second');
  delete from public.rate_limit_windows
  where endpoint = 'voice-health' and identifier_type = 'probe' and identifier = 'probe';
  return v_admitted;
end
$$;

-- The newest migration that this database has, as the CLI recorded it; null where none recorded.
-- SECURITY DEFINER because the CLI's table is the owner's alone; only the service may ask.
create function public.health_migration() returns text
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_version text;
begin
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    execute 'select max(version) from supabase_migrations.schema_migrations' into v_version;
  end if;
  return v_version;
end
$$;

revoke all on
  public.active_calls, public.call_success_metrics, public.call_success_metrics_24h, public.call_volume_hourly,
  public.recent_errors, public.rate_limit_violations, public.voicemail_backlog, public.failed_transactions,
  public.number_provisioning_status, public.consent_metrics
  from anon, authenticated, service_role;
revoke all on function
  public.call_success(timestamptz), public.health_recent_activity(), public.health_rate_limiter(),
  public.health_migration()
  from public, anon, authenticated, service_role;

grant select on
  public.active_calls, public.call_success_metrics, public.call_success_metrics_24h, public.call_volume_hourly,
  public.voicemail_backlog, public.failed_transactions, public.number_provisioning_status, public.consent_metrics
  to authenticated;
grant select on
  public.active_calls, public.call_success_metrics, public.call_success_metrics_24h, public.call_volume_hourly,
  public.recent_errors, public.rate_limit_violations, public.voicemail_backlog, public.failed_transactions,
  public.number_provisioning_status, public.consent_metrics
  to service_role;
grant execute on function public.call_success(timestamptz) to authenticated, service_role;
grant execute on function
  public.health_recent_activity(), public.health_rate_limiter(), public.health_migration()
  to service_role;
