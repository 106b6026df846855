-- Rate limits that hold across every isolate, because the database counts.

-- One row a key, of constant size: the times of the admissions that are still inside the window,
-- of which there are never more than the limit allows.
create table public.rate_limit_windows (
  endpoint text not null,
  identifier_type text not null,
  identifier text not null,
  admitted_at timestamptz[] not null,
  primary key (endpoint, identifier_type, identifier),
  constraint rate_limit_windows_bounded check (cardinality(admitted_at) <= 1000)
)
with (fillfactor = 70);

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

create index rate_limit_refusals_minute_idx on public.rate_limit_refusals (minute);

comment on table public.rate_limit_windows is 'The limiter''s state: admissions inside the window, per endpoint and identifier.';
comment on table public.rate_limit_refusals is 'Refusals by minute; the view rate_limit_violations reads them.';

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
    set admitted_at = array(
      select t from unnest(w.admitted_at) as t where t > clock_timestamp() - p_window order by t
    ) || clock_timestamp()
    where (
      select count(*) from unnest(w.admitted_at) as t where t > clock_timestamp() - p_window
    ) < p_max;
  if found then
    return true;
  end if;

  perform public.record_rate_limit_refusal(p_endpoint, p_identifier_type, p_identifier);
  return false;
end
$$;

comment on function public.take_rate_limit is 'True: admitted and counted. False: refused and recorded. Never more than p_max in any window of p_window.';

alter table public.rate_limit_windows enable row level security;
alter table public.rate_limit_refusals enable row level security;

create policy rate_limit_windows_of_the_service on public.rate_limit_windows
  for select to service_role using (true);
create policy rate_limit_refusals_of_the_service on public.rate_limit_refusals
  for select to service_role using (true);

revoke all on public.rate_limit_windows, public.rate_limit_refusals from anon, authenticated, service_role;
revoke all on function
  public.record_rate_limit_refusal(text, text, text), public.take_rate_limit(text, text, text, integer, interval)
  from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.rate_limit_windows, public.rate_limit_refusals to service_role;
grant execute on function
  public.record_rate_limit_refusal(text, text, text), public.take_rate_limit(text, text, text, integer, interval)
  to service_role;
