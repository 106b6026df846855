-- Sums of calls by the hour, so that the cost of a view does not grow with the number of calls.
--
-- An hour either has sums (it is in rolled_hours, the sums are in call_hours), or its calls are counted one by one. When a
-- call of an hour with sums changes, the same transaction deletes the sums, and the next run rebuilds them. So the views
-- are always exact; the sums only make them fast.

create table public.rolled_hours (
  hour timestamptz primary key constraint rolled_hours_whole check (hour = date_trunc('hour', hour, 'UTC')),
  rolled_at timestamptz not null default now()
);

comment on table public.rolled_hours is 'The hours (UTC) whose calls are added up in call_hours; the calls of any other hour are counted one by one.';

alter table public.rolled_hours enable row level security;
create policy rolled_hours_for_all_who_look on public.rolled_hours
  for select to authenticated, service_role, monitoring using (true);

create table public.call_hours (
  id bigint generated always as identity primary key,
  hour timestamptz not null references public.rolled_hours (hour) on delete cascade,
  -- 'org': the calls of one organisation (org_id null: of the main line). 'all': all calls, so that a role that sees every
  -- call reads as few rows with ten thousand organisations as with one.
  scope text not null constraint call_hours_scope_known check (scope in ('all', 'org')),
  org_id uuid,
  mode text not null,
  disposition text,
  -- The step at which callers hung up without reaching a person or voicemail; null for other calls.
  hung_up_at text,
  calls integer not null,
  consented integer not null,
  opted_out integer not null,
  dialled integer not null,
  answered integer not null,
  -- Calls with a known length, and their seconds.
  timed integer not null,
  seconds bigint not null,
  -- Answered calls with a known ringing time, its seconds, and the longest.
  rang integer not null,
  ring_seconds numeric not null,
  longest_ring_seconds numeric,
  constraint call_hours_org_only check (scope = 'org' or org_id is null),
  constraint call_hours_key unique nulls not distinct (hour, scope, org_id, mode, disposition, hung_up_at)
);

comment on table public.call_hours is 'The sums of the last 31 days'' calls, by hour and outcome, for each organisation and for all. It has no single call.';

create index call_hours_all_idx on public.call_hours (hour) where scope = 'all';
create index call_hours_org_idx on public.call_hours (coalesce(org_id, '00000000-0000-0000-0000-000000000000'), hour) where scope = 'org';

alter table public.call_hours enable row level security;
create policy call_hours_of_own_org on public.call_hours
  for select to authenticated using (scope = 'org' and coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()));
create policy call_hours_for_operators on public.call_hours for select to service_role, monitoring using (true);

-- Counts the calls that came in and began in a span: the definition of every column of call_hours. Who is called has other
-- outcomes, which campaign_live and the callbacks have.
create function public.count_calls(p_from timestamptz, p_to timestamptz)
returns table (
  hour timestamptz, org_id uuid, mode text, disposition text, hung_up_at text, calls bigint, consented bigint,
  opted_out bigint, dialled bigint, answered bigint, timed bigint, seconds bigint, rang bigint, ring_seconds numeric,
  longest_ring_seconds numeric
)
-- Planned for each span: a generic plan reads the whole table.
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan
as $$
begin
  return query
  select
    date_trunc('hour', c.started_at, 'UTC'), c.org_id, c.mode, c.disposition,
    case when c.disposition = 'abandoned' then
      case
        when c.last_step is null then 'unknown'
        when c.last_step = 'arrived' then 'greeting'
        when c.last_step in ('voicemail_offered', 'voicemail_recorded', 'dial_ended') then 'voicemail'
        when c.last_step = 'dial_canceled' then 'ringing'
        when c.mode = 'menu' and not c.handoff then 'menu'
        when c.mode = 'voicemail' then 'voicemail'
        else 'ringing'
      end
    end as hung_up_at,
    count(*),
    count(*) filter (where c.consent_given),
    count(*) filter (where not c.consent_given),
    count(*) filter (where c.dialled),
    count(c.connected_at),
    count(c.duration_sec),
    coalesce(sum(c.duration_sec), 0),
    -- Without calls whose ringing was not reported, or was reported after the answer.
    count(*) filter (where c.connected_at >= c.rang_at),
    coalesce(sum(extract(epoch from c.connected_at - c.rang_at)) filter (where c.connected_at >= c.rang_at), 0),
    max(extract(epoch from c.connected_at - c.rang_at)) filter (where c.connected_at >= c.rang_at)
  from public.call_logs as c
  where c.started_at >= p_from and c.started_at < p_to and c.direction = 'inbound'
  group by 1, 2, 3, 4, 5;
end
$$;

-- The calls since p_since, from sums where an hour has them, otherwise counted. Row-level security decides which: a member
-- of an organisation gets its calls, other roles all calls.
create function public.call_counts(p_since timestamptz)
returns table (
  hour timestamptz, mode text, disposition text, hung_up_at text, calls bigint, consented bigint,
  opted_out bigint, dialled bigint, answered bigint, timed bigint, seconds bigint, rang bigint, ring_seconds numeric,
  longest_ring_seconds numeric
)
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan
as $$
declare
  v_scope constant text := case when public.current_owner() is null then 'all' else 'org' end;
begin
  return query
  select
    h.hour, h.mode, h.disposition, h.hung_up_at, h.calls::bigint, h.consented::bigint, h.opted_out::bigint,
    h.dialled::bigint, h.answered::bigint, h.timed::bigint, h.seconds, h.rang::bigint, h.ring_seconds,
    h.longest_ring_seconds
  from public.call_hours as h
  where h.hour >= p_since and h.scope = v_scope
  union all
  select
    n.hour, n.mode, n.disposition, n.hung_up_at, n.calls, n.consented, n.opted_out, n.dialled, n.answered, n.timed,
    n.seconds, n.rang, n.ring_seconds, n.longest_ring_seconds
  -- The spans between hours with sums.
  from (
    select lag(r.hour + interval '1 hour', 1, p_since) over (order by r.hour) as begins, r.hour as ends
    from public.rolled_hours as r where r.hour >= p_since
    union all
    select coalesce(max(r.hour) + interval '1 hour', p_since), 'infinity'
    from public.rolled_hours as r where r.hour >= p_since
  ) as gap
  cross join lateral public.count_calls(gap.begins, gap.ends) as n
  where gap.begins < gap.ends;
end
$$;

-- The lock of an hour: shared for changes of its calls, exclusive for summing it.
create function public.call_hour_lock(p_hour timestamptz) returns bigint
language sql immutable set search_path = ''
return hashtextextended('call_hours', extract(epoch from p_hour)::bigint);

-- Sums up to p_hours hours that ended at least a quarter of an hour ago, the newest first, and returns how many. It never
-- waits, so it cannot deadlock: an hour that is being changed is left to the next run.
create function public.roll_up_calls(p_hours integer default 24) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_end constant timestamptz := date_trunc('hour', now() - interval '15 minutes', 'UTC');
  v_hour timestamptz;
  v_rolled integer := 0;
begin
  for v_hour in
    select h from generate_series(v_end - interval '1 hour', v_end - interval '31 days', interval '-1 hour') as h
    where not exists (select from public.rolled_hours as r where r.hour = h)
    limit p_hours
  loop
    continue when not pg_try_advisory_xact_lock(public.call_hour_lock(v_hour));
    -- From here on a change of a call of this hour waits, and then deletes these sums. The statements below see everything
    -- that was committed before the lock.
    insert into public.rolled_hours (hour) values (v_hour) on conflict do nothing;
    continue when not found;
    insert into public.call_hours (
      hour, scope, org_id, mode, disposition, hung_up_at, calls, consented, opted_out, dialled, answered, timed, seconds,
      rang, ring_seconds, longest_ring_seconds
    )
    select
      v_hour, case grouping(c.org_id) when 0 then 'org' else 'all' end, c.org_id, c.mode, c.disposition, c.hung_up_at,
      sum(c.calls), sum(c.consented), sum(c.opted_out), sum(c.dialled), sum(c.answered), sum(c.timed), sum(c.seconds),
      sum(c.rang), sum(c.ring_seconds), max(c.longest_ring_seconds)
    from public.count_calls(v_hour, v_hour + interval '1 hour') as c
    group by grouping sets ((c.mode, c.disposition, c.hung_up_at), (c.org_id, c.mode, c.disposition, c.hung_up_at));
    v_rolled := v_rolled + 1;
  end loop;
  -- No view reads older calls.
  delete from public.rolled_hours where hour < now() - interval '32 days';
  return v_rolled;
end
$$;

-- Deletes the sums of the hours of a changed call.
create function public.unroll_call_hours() returns trigger
language plpgsql volatile set search_path = ''
as $$
declare
  v_hour timestamptz;
begin
  if tg_op = 'TRUNCATE' then
    delete from public.rolled_hours;
    return null;
  end if;
  -- What count_calls reads.
  if tg_op = 'UPDATE' and (
    old.started_at, old.org_id, old.mode, old.disposition, old.handoff, old.last_step, old.consent_given, old.dialled,
    old.connected_at, old.rang_at, old.duration_sec
  ) is not distinct from (
    new.started_at, new.org_id, new.mode, new.disposition, new.handoff, new.last_step, new.consent_given, new.dialled,
    new.connected_at, new.rang_at, new.duration_sec
  ) then
    return null;
  end if;
  for v_hour in
    select distinct date_trunc('hour', t, 'UTC') as h
    from (values (case when tg_op <> 'INSERT' then old.started_at end), (case when tg_op <> 'DELETE' then new.started_at end)) as v(t)
    -- Sums are kept for 32 days, so calls that retention erases have none.
    where t > now() - interval '33 days'
    order by h
  loop
    perform pg_advisory_xact_lock_shared(public.call_hour_lock(v_hour));
    delete from public.rolled_hours as r where r.hour = v_hour;
  end loop;
  return null;
end
$$;

-- Not for calls that began in the last minutes, as most webhooks do: their hour has no sums yet. (PostgreSQL parses these
-- conditions for each statement, so they are short.)
create trigger call_logs_unroll_insert after insert on public.call_logs for each row
when (new.started_at < now() - interval '10 minutes') execute function public.unroll_call_hours();

create trigger call_logs_unroll_update after update on public.call_logs for each row
when (least(old.started_at, new.started_at) < now() - interval '10 minutes') execute function public.unroll_call_hours();

create trigger call_logs_unroll_delete after delete on public.call_logs for each row
when (old.started_at < now() - interval '10 minutes') execute function public.unroll_call_hours();

create trigger call_logs_unroll_truncate after truncate on public.call_logs for each statement
execute function public.unroll_call_hours();

grant select on public.rolled_hours, public.call_hours to authenticated, monitoring;
grant select, insert on public.call_hours to service_role;
grant select, insert, delete on public.rolled_hours to service_role;
grant execute on function public.count_calls, public.call_counts to authenticated, service_role, monitoring;
grant execute on function public.call_hour_lock, public.roll_up_calls to service_role;
