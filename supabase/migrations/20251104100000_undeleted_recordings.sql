-- What was promised to be erased, and is not: recordings of erased calls that Twilio still has a day later.
insert into public.alert_rules
  (alert, severity, comparison, threshold, window_minutes, minimum, unit, summary, action)
values
  ('recordings_undeleted', 'warning', 'above', 0, 0, 0, 'recordings',
   'Recordings of erased calls are still at Twilio', 'Run `deno task forget --pending`: it says what Twilio answers.');

-- Whoever watches is told how many, not which.
grant select (queued_at) on public.recordings_to_delete to monitoring;
create policy recordings_to_delete_for_monitoring on public.recordings_to_delete for select to monitoring using (true);

-- As in 20251102120000, and the new one.
create or replace view public.alert_status with (security_invoker = true) as
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
