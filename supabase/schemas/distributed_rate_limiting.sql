-- Rate limits across all isolates, counted by the database.

-- One row a key: the times of the admissions inside the window, oldest first. There are never more than the limit.
create table public.rate_limit_windows (
  endpoint text not null,
  identifier_type text not null,
  identifier text not null,
  admitted_at timestamptz[] not null,
  primary key (endpoint, identifier_type, identifier),
  constraint rate_limit_windows_bounded check (cardinality(admitted_at) <= 10000)
)
with (fillfactor = 70);

comment on table public.rate_limit_windows is 'The limiter''s state: admissions inside the window, per endpoint and identifier.';

alter table public.rate_limit_windows enable row level security;
create policy rate_limit_windows_of_the_service on public.rate_limit_windows
  for select to service_role using (true);

-- Refusals by identifier and endpoint, at most one row a minute each, however many requests come.
create table public.rate_limit_refusals (
  endpoint text not null,
  identifier_type text not null,
  identifier text not null,
  minute timestamptz not null,
  refusals integer not null default 1 constraint rate_limit_refusals_positive check (refusals > 0),
  last_violation timestamptz not null,
  primary key (endpoint, identifier_type, identifier, minute)
);

comment on table public.rate_limit_refusals is 'Refusals by minute; the view rate_limit_violations reads them.';

create index rate_limit_refusals_minute_idx on public.rate_limit_refusals (minute);

alter table public.rate_limit_refusals enable row level security;
create policy rate_limit_refusals_of_the_service on public.rate_limit_refusals
  for select to service_role using (true);
create policy rate_limit_refusals_for_monitoring on public.rate_limit_refusals for select to monitoring using (true);
create policy rate_limit_refusals_of_the_installation on public.rate_limit_refusals
  for select to authenticated using ((select public.runs_installation()));

-- Records a refusal by either limiter.
create function public.record_rate_limit_refusal(p_endpoint text, p_identifier_type text, p_identifier text)
returns void
language sql volatile set search_path = ''
begin atomic
  insert into public.rate_limit_refusals as r (endpoint, identifier_type, identifier, minute, last_violation)
  values (p_endpoint, p_identifier_type, p_identifier, date_trunc('minute', clock_timestamp()), clock_timestamp())
  on conflict (endpoint, identifier_type, identifier, minute) do update
    set refusals = r.refusals + 1, last_violation = excluded.last_violation;
end;

-- Admits at most p_max in ANY window of p_window under any concurrency: ON CONFLICT locks the key's row before it
-- evaluates WHERE and SET, so no other session can count between the count and the admission. clock_timestamp() is the
-- time at which the lock was granted; now() would be the beginning of the wait.
create function public.take_rate_limit(
  p_endpoint text,
  p_identifier_type text,
  p_identifier text,
  p_max integer,
  p_window interval
) returns boolean
language plpgsql volatile set search_path = ''
as $$
begin
  insert into public.rate_limit_windows as w (endpoint, identifier_type, identifier, admitted_at)
  values (p_endpoint, p_identifier_type, p_identifier, array[clock_timestamp()])
  on conflict (endpoint, identifier_type, identifier) do update
    -- width_bucket counts the elements of a sorted array that are not later.
    set admitted_at = w.admitted_at[width_bucket(clock_timestamp() - p_window, w.admitted_at) + 1:]
      || greatest(clock_timestamp(), w.admitted_at[cardinality(w.admitted_at)])
    where cardinality(w.admitted_at) - width_bucket(clock_timestamp() - p_window, w.admitted_at) < p_max;
  if found then
    return true;
  end if;

  perform public.record_rate_limit_refusal(p_endpoint, p_identifier_type, p_identifier);
  return false;
end
$$;

comment on function public.take_rate_limit is 'True: admitted and counted. False: refused and recorded. Never more than p_max in any window of p_window.';

-- Admits under all of p_limits, [{identifier_type, identifier, max, window_sec}, ...], and returns null; or counts under
-- none, records the refusal by the first limit without room, and returns that limit. Wider limits come last, because the
-- rows are locked in this order.
create function public.take_rate_limits(p_endpoint text, p_limits jsonb) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_limit jsonb;
  v_nth bigint;
begin
  for v_limit, v_nth in select * from jsonb_array_elements(p_limits) with ordinality loop
    if not public.take_rate_limit(
      p_endpoint, v_limit ->> 'identifier_type', v_limit ->> 'identifier', (v_limit ->> 'max')::integer,
      make_interval(secs => (v_limit ->> 'window_sec')::integer)
    ) then
      -- Undoes the admissions under the earlier limits: the newest of each, because its row has been locked since.
      update public.rate_limit_windows as w set admitted_at = trim_array(w.admitted_at, 1)
      from jsonb_array_elements(p_limits) with ordinality as taken(l, nth)
      where taken.nth < v_nth and (w.endpoint, w.identifier_type, w.identifier)
        = (p_endpoint, taken.l ->> 'identifier_type', taken.l ->> 'identifier');
      return v_limit;
    end if;
  end loop;
  return null;
end
$$;

-- Seconds until take_rate_limits admits under all of p_limits again, rounded up; 0: it would now. A limit has room again
-- when its max-th newest admission leaves the window.
create function public.rate_limits_retry_after(p_endpoint text, p_limits jsonb) returns integer
language sql volatile set search_path = ''
as $$
  select coalesce(max((
    select greatest(1, ceil(extract(epoch from t + make_interval(secs => l.window_sec) - clock_timestamp())))::integer
    from public.rate_limit_windows as w, unnest(w.admitted_at) as t
    where w.endpoint = p_endpoint and w.identifier_type = l.identifier_type and w.identifier = l.identifier
      and t > clock_timestamp() - make_interval(secs => l.window_sec)
    order by t desc
    offset l.max - 1 limit 1
  )), 0)
  from jsonb_to_recordset(p_limits) as l(identifier_type text, identifier text, max integer, window_sec integer)
$$;

create view public.rate_limit_violations with (security_invoker = true) as
select
  identifier, identifier_type, endpoint,
  sum(refusals) as violation_count,
  max(last_violation) as last_violation
from public.rate_limit_refusals
where minute > now() - interval '24 hours'
group by identifier, identifier_type, endpoint
order by last_violation desc;

comment on view public.rate_limit_violations is 'Refusals of the last 24 hours by identifier and endpoint.';

grant select on public.rate_limit_refusals to authenticated;
grant select on public.rate_limit_violations to authenticated, service_role;
grant select, insert, update, delete on public.rate_limit_windows, public.rate_limit_refusals to service_role;
grant select (endpoint, identifier_type, minute, refusals) on public.rate_limit_refusals to monitoring;
grant execute on function
  public.record_rate_limit_refusal, public.take_rate_limit, public.take_rate_limits, public.rate_limits_retry_after
  to service_role;
