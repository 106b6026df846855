-- The queries of voice-health, one function each so that each has its own deadline, and that of metrics.

-- For voice-health: recent activity, the workers' last runs, and the alerts of the last evaluation. Counts, names and
-- times, nothing personal. None of it decides health, because an alert about health must not keep itself firing.
create function public.health_recent_activity() returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object(
    'calls_last_hour', (select count(*) from public.call_logs where started_at > now() - interval '1 hour'),
    'active_calls', (select count(*) from public.call_logs where disposition is null),
    'last_event_at', (select max(received_at) from public.call_lifecycle),
    'connections', (select jsonb_build_object('used', used, 'allowed', allowed) from public.database_connections()),
    'workers', (
      select coalesce(jsonb_object_agg(w.worker, jsonb_build_object(
        'last_run_at', w.last_run_at, 'last_ok_at', w.last_ok_at,
        'age_seconds', round(extract(epoch from now() - w.last_ok_at)),
        'late', coalesce(w.last_ok_at < now() - interval '5 minutes', true) and (
          -- These are called only while a job is due.
          w.worker not in ('notify-worker', 'dial-worker', 'campaign-dialler')
          or exists (
            select from public.job_lanes as l where l.worker = w.worker and l.due_at < now() - interval '5 minutes'
          )
          or w.worker = 'campaign-dialler' and exists (
            select from public.campaigns as c where c.state = 'running' and c.running_since < now() - interval '5 minutes'
          )
        )
      )), '{}')
      from public.worker_runs as w
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

-- Admits and undoes it: checks that the limiter can lock and write, and leaves no trace. The key belongs to the health
-- check, so no caller waits for it.
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

-- The newest migration in the CLI's record; null without a record. SECURITY DEFINER because only the owner may read the
-- CLI's table; only the service may execute it.
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

-- All figures of function `metrics` in one round trip.
create function public.metrics_snapshot() returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object(
    'now', (select to_jsonb(o) from public.operations_now as o),
    'calls', (
      select coalesce(jsonb_agg(to_jsonb(c)), '[]') from (
        select w.name as window, n.mode, coalesce(n.disposition, 'active') as disposition, sum(n.calls) as calls,
          sum(n.seconds) as seconds
        from (values ('30m', interval '30 minutes'), ('1h', interval '1 hour'), ('24h', interval '24 hours')) as w(name, span)
        cross join lateral public.call_counts(now() - w.span) as n
        group by 1, 2, 3 order by 1, 2, 3
      ) as c
    ),
    'functions', (select coalesce(jsonb_agg(to_jsonb(t) order by t.function), '[]') from public.function_totals as t),
    'jobs', (select coalesce(jsonb_agg(to_jsonb(j)), '[]') from public.jobs_waiting as j),
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
    )
  );
end;

grant execute on function
  public.health_recent_activity, public.health_rate_limiter, public.health_migration, public.metrics_snapshot
  to service_role;
