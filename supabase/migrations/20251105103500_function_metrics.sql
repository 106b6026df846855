-- Metrics of the functions and workers. Nothing here is personal: no phone number, no transcript.

-- Requests by function and minute. Each isolate sums its requests and reports the sums after its answers, so no caller
-- waits for a report. Counts of latencies are cumulative, as in Prometheus: le_250 counts the requests of at most 250 ms,
-- and `requests` is the last bucket.
create table public.function_metrics (
  minute timestamptz not null,
  function text not null constraint function_metrics_function_form check (function ~ '^[a-z][a-z0-9-]{0,63}$'),
  -- Accepted requests. All columns except `refused` are about these.
  requests integer not null constraint function_metrics_requests_range check (requests >= 0),
  errors integer not null constraint function_metrics_errors_range check (errors between 0 and requests),
  database_failures integer not null
    constraint function_metrics_database_failures_range check (database_failures between 0 and requests),
  -- Rejected before any work: no signature, wrong method. Counted separately, so that a flood of them hides no errors.
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

comment on table public.function_metrics is 'Requests, errors and latencies of each function by minute, kept for 30 days.';

alter table public.function_metrics enable row level security;
create policy function_metrics_for_operators on public.function_metrics for select to service_role, monitoring using (true);
create policy function_metrics_of_the_installation on public.function_metrics
  for select to authenticated using ((select public.runs_installation()));

-- The same since the beginning, because minutes are purged and a counter must never decrease.
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

comment on table public.function_totals is 'The sums of function_metrics since the beginning; they never decrease.';

alter table public.function_totals enable row level security;
create policy function_totals_for_operators on public.function_totals for select to service_role, monitoring using (true);

-- The answers of voice-health to alert-dispatch, each minute.
create table public.health_checks (
  checked_at timestamptz primary key default clock_timestamp(),
  healthy boolean not null,
  -- The checks that were not healthy, by name.
  failing text[] not null default '{}' constraint health_checks_failing_bounded check (cardinality(failing) <= 50),
  -- Calls that Twilio refused in the hour before because the account had too many at once; null: unknown.
  refused_calls integer constraint health_checks_refused_calls_range check (refused_calls >= 0)
);

comment on table public.health_checks is 'The answers of voice-health and Twilio to alert-dispatch, kept for 7 days.';

alter table public.health_checks enable row level security;
create policy health_checks_for_operators on public.health_checks for select to service_role, monitoring using (true);
create policy health_checks_of_the_installation on public.health_checks
  for select to authenticated using ((select public.runs_installation()));

-- Each worker's last run and its result.
create table public.worker_runs (
  worker text primary key constraint worker_runs_worker_form check (worker ~ '^[a-z][a-z0-9-]{0,63}$'),
  last_run_at timestamptz not null,
  last_ok_at timestamptz,
  runs bigint not null default 1,
  failures bigint not null default 0
);

comment on table public.worker_runs is 'When each worker last ran and last succeeded.';

alter table public.worker_runs enable row level security;
create policy worker_runs_for_operators on public.worker_runs for select to service_role, monitoring using (true);
create policy worker_runs_of_the_installation on public.worker_runs
  for select to authenticated using ((select public.runs_installation()));

-- Adds an isolate's report. p_batch: rows of function_metrics, each key once. The same p_key again adds nothing, because an
-- isolate without an answer repeats its report.
create function public.record_function_metrics(p_batch jsonb, p_key uuid) returns void
language plpgsql volatile set search_path = '' set lock_timeout = '3s'
as $$
begin
  insert into public.idempotency_keys (key, operation, request_hash, status, result, expires_at)
  values (
    'function-metrics/' || p_key, 'function-metrics', sha256(convert_to(p_batch::text, 'UTF8')), 'completed', '{}',
    now() + interval '1 day'
  )
  on conflict (key) do nothing;
  if not found then
    return;
  end if;

  -- In a fixed order, so that two isolates cannot deadlock.
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

-- A quantile from cumulative counts, interpolated within its bucket like Prometheus's histogram_quantile; at most 5 s.
-- Null without requests. Milliseconds.
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

-- Records a finished run of a worker. Workers call it last, so an unfinished run is missing here.
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

comment on view public.webhook_performance is 'The last hour by function: requests let in, errors (5xx, or answered without the database), our own latency, and rejected requests (refused).';

grant select on public.function_metrics, public.health_checks, public.worker_runs to authenticated;
grant select on public.webhook_performance to authenticated, service_role, monitoring;
grant select, insert, update on public.function_totals, public.worker_runs to service_role;
grant select, insert, update, delete on public.function_metrics, public.health_checks to service_role;
grant select on
  public.function_metrics, public.function_totals, public.health_checks, public.worker_runs
  to monitoring;
grant execute on function public.record_function_metrics, public.record_worker_run to service_role;
grant execute on function public.latency_quantile to authenticated, service_role, monitoring;
