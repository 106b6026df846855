-- Rate limits that hold across every isolate, because the database counts.

-- One row a key: the times of the admissions that are still inside the window, oldest first, of which there are never
-- more than the limit allows.
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

-- Who was refused, where and how often; a row a minute at most, however hard somebody knocks.
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

-- Notes a refusal, whichever limiter decided it.
create function public.record_rate_limit_refusal(p_endpoint text, p_identifier_type text, p_identifier text)
returns void
language sql volatile set search_path = ''
begin atomic
  insert into public.rate_limit_refusals as r (endpoint, identifier_type, identifier, minute, last_violation)
  values (p_endpoint, p_identifier_type, p_identifier, date_trunc('minute', clock_timestamp()), clock_timestamp())
  on conflict (endpoint, identifier_type, identifier, minute) do update
    set refusals = r.refusals + 1, last_violation = excluded.last_violation;
end;

-- Admits at most p_max in ANY window of p_window, whatever the parallelism: ON CONFLICT locks the key's
-- row before it evaluates WHERE and SET, so between the count and the admission nobody else can count.
-- clock_timestamp(), not now(): the time at which the lock was had, not the one at which waiting began.
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
    -- width_bucket finds, in a sorted array, how many are no later.
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

-- Admits under all of p_limits, [{identifier_type, identifier, max, window_sec}, ...], and returns null; or takes nothing
-- from any of them, records the refusal of the first that has no room, and returns that one. Callers name
-- what is shared by more last: the rows are locked in this order.
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
      -- What the limits before it gave is given back: the newest of each, as its row has been locked since.
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

-- Seconds until take_rate_limits admits under all of p_limits again, rounded up; 0: it would now. A limit's place that
-- frees first is that of its max-th newest admission.
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

comment on view public.rate_limit_violations is 'Who was refused in the last 24 hours, where, and how often.';

grant select on public.rate_limit_violations to service_role;
grant select, insert, update, delete on public.rate_limit_windows, public.rate_limit_refusals to service_role;
grant select (endpoint, identifier_type, minute, refusals) on public.rate_limit_refusals to monitoring;
grant execute on function
  public.record_rate_limit_refusal, public.take_rate_limit, public.take_rate_limits, public.rate_limits_retry_after
  to service_role;
