-- The ways that callers take through published flows: which node they enter, by which outcome they leave it, where they
-- hang up. All of it is in the events; what is added up here only makes it quick.

-- Where an outcome leads from a node; null: nowhere else, the node goes on.
create function public.next_node(p_steps jsonb, p_node text, p_outcome text) returns text
language plpgsql immutable set search_path = ''
as $$
declare
  v_node constant jsonb := p_steps -> 'nodes' -> p_node;
begin
  return case
    when p_outcome = 'operator' then p_steps ->> 'operator'
    when p_outcome like 'options.%' then v_node -> 'options' ->> split_part(p_outcome, '.', 2)::integer
    when p_outcome like 'cases.%' then v_node -> 'cases' -> split_part(p_outcome, '.', 2)::integer ->> 'next'
    when p_outcome like 'departments.%' then v_node -> 'departments' ->> split_part(p_outcome, '.', 2)
    when p_outcome = 'unknown' then coalesce(v_node ->> 'unknown', v_node ->> 'open')
    else v_node ->> p_outcome
  end;
end
$$;

-- The way from a node to the next one that waits, or to the end, as `proceed` in flows/advance.ts takes it by the same facts:
-- [{version, node, outcome}], the last without an outcome where the call waits. The next event says where it really waited
-- (see path_of_event), as not all that keeps a telephone from being rung is known here.
create function public.walk_flow(p_version_id bigint, p_node text, c public.call_logs, p_facts jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_version bigint := p_version_id;
  v_node text := p_node;
  v_steps jsonb;
  v_uses jsonb;
  v_prefix text := '';
  n jsonb;
  v_path jsonb := '[]';
  v_entry jsonb;
  v_outcome text;
  v_disclosed boolean;
  -- The path up to a consent node that waits unless a menu follows, which listens in its place.
  v_listening jsonb;
begin
  select v.steps, v.uses into v_steps, v_uses from public.call_flow_versions as v where v.id = v_version;
  -- No path through an acyclic flow is longer.
  for i in 1 .. 1000 loop
    n := v_steps -> 'nodes' -> v_node;
    v_outcome := case n ->> 'type'
      when 'say' then 'next'
      when 'language' then 'next'
      when 'consent' then 'next'
      when 'hours' then coalesce(p_facts -> 'calendars' ->> (v_prefix || (n ->> 'calendar')), 'unknown')
      when 'match' then public.case_of(n, c, p_facts)
      when 'ring' then case when not public.can_ring(v_steps, n, c, p_facts) then 'unanswered' end
      when 'queue' then case
        when not public.can_ring(v_steps, n, c, p_facts)
          or p_facts -> 'calendars' ->> (v_prefix || (v_steps -> 'groups' -> (n ->> 'group') ->> 'calendar')) = 'closed'
        then 'gave_up'
        when (p_facts -> 'queues' -> (n ->> 'group') ->> 'full')::boolean then 'full'
      end
      when 'callback' then case when (p_facts ->> 'callable')::boolean and public.may_promise(c) then 'next' else 'refused' end
      when 'agent' then case when p_facts #>> '{agent,barred}' is not null then 'failed' end
      when 'flow' then 'next'
      when 'end' then 'end'
    end;
    if v_listening is not null and coalesce(n ->> 'type' not in ('say', 'language', 'consent', 'hours', 'match'), true) then
      if n ->> 'type' is distinct from 'menu' then
        return v_listening;
      end if;
      v_listening := null;
    end if;
    v_entry := jsonb_strip_nulls(jsonb_build_object('version', v_version, 'node', v_node, 'outcome', v_outcome));
    if n ->> 'type' = 'consent' then
      -- One disclosure a call: a second consent node is passed over.
      v_disclosed := coalesce(v_disclosed, exists (
        select from public.call_lifecycle as l
        where l.call_sid = c.call_sid and l.received_at >= c.created_at and l.path @> '[{"disclosed": true}]'
      ));
      if not v_disclosed then
        v_disclosed := true;
        v_entry := v_entry || '{"disclosed": true}';
        v_listening := v_path || (v_entry - 'outcome');
      end if;
    end if;
    v_path := v_path || v_entry;
    exit when v_outcome is null or v_outcome = 'end';
    if n ->> 'type' = 'flow' then
      v_prefix := (n ->> 'name') || '/';
      select v.id, v.steps, v.steps ->> 'start' into v_version, v_steps, v_node
      from public.call_flow_versions as v where v.id = (v_uses ->> (n ->> 'name'))::bigint;
    else
      v_node := public.next_node(v_steps, v_node, v_outcome);
    end if;
    exit when v_node is null;
  end loop;
  return v_path;
end
$$;

-- The case of a `match` node that a call meets: `cases.<n>`, or `otherwise`.
create function public.case_of(n jsonb, c public.call_logs, p_facts jsonb) returns text
language plpgsql stable set search_path = ''
as $$
declare
  v_told constant text := case n ->> 'on'
    when 'caller' then c.party
    when 'line' then c.line
    when 'returning' then case (p_facts ->> 'returning')::boolean when true then 'yes' when false then 'no' end
  end;
begin
  return coalesce((
    select format('cases.%s', k.ordinality - 1)
    from jsonb_array_elements(n -> 'cases') with ordinality as k
    where exists (
      select from jsonb_array_elements_text(k.value -> 'in') as pattern
      where case when right(pattern, 1) = '*' then starts_with(v_told, left(pattern, -1)) else v_told = pattern end
    )
    order by k.ordinality
    limit 1
  ), 'otherwise');
end
$$;

-- Whether a `ring` or `queue` node has anybody to ring, as far as the facts tell.
create function public.can_ring(p_steps jsonb, n jsonb, c public.call_logs, p_facts jsonb) returns boolean
language plpgsql stable set search_path = ''
as $$
declare
  v_members constant jsonb := coalesce(
    p_steps -> 'groups' -> (n ->> 'group') -> 'members', jsonb_build_array(n -> 'to')
  );
  v_number text;
begin
  -- Without Twilio's account no leg is made for callers who hold.
  if p_facts ? 'cannot_dial' and (
    n ->> 'type' = 'queue' or (p_steps #>> array['groups', n ->> 'group', 'confirm'])::boolean
      and coalesce(p_steps #>> array['groups', n ->> 'group', 'ring'], 'all') = 'all'
  ) then
    return false;
  end if;
  -- Only a leg that was dialled here, and came back, has a line of ours as its caller.
  if (p_facts ->> 'spent')::boolean or coalesce(p_facts -> 'own_lines' ? c.party, false) then
    return false;
  end if;
  for i in 0 .. jsonb_array_length(v_members) - 1 loop
    v_number := v_members ->> i;
    if v_number not like '+%' then
      v_number := case when (p_facts -> 'people' -> v_number ->> 'available')::boolean then
        p_facts -> 'people' -> v_number ->> 'phone' end;
    end if;
    if v_number is distinct from c.party and not coalesce(p_facts -> 'own_lines' ? v_number, v_number is null) then
      return true;
    end if;
  end loop;
  return false;
end
$$;

-- The path of an event: from the node at which the call waited, by the outcome that the event tells; of an arrival, from the
-- start. An entry with `stays` is asked again, or was hung up at.
create function public.path_of_event(c public.call_logs, e public.voice_event, p_facts jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_version bigint;
  v_steps jsonb;
  v_waited constant jsonb := c.at_node - array['stays', 'disclosed'];
  v_path jsonb := '[]';
  v_left jsonb;
  v_next text;
begin
  select v.id, v.steps into v_version, v_steps
  from public.call_flow_versions as v join public.call_flows as f on f.id = v.flow_id
  where v.hash = p_facts #>> '{flow,hash}' and v.version = (p_facts #>> '{flow,version}')::integer
    and f.name = p_facts #>> '{flow,name}' and f.org_id is not distinct from c.org_id;
  if e.ask ? 'line' or e.event = 'arrived' then
    return public.walk_flow(v_version, v_steps ->> 'start', c, p_facts);
  elsif not e.meta ?& array['node', 'outcome'] then
    return null;
  end if;
  v_left := jsonb_build_object('version', v_version, 'node', e.meta -> 'node', 'outcome', e.meta -> 'outcome');
  if e.event = 'queue_left' and e.meta ->> 'outcome' = 'answered' and public.transfer_of(c.call_sid) is not null then
    return jsonb_build_array(v_left || '{"stays": true}');
  end if;
  -- The call waited elsewhere than was thought: nobody could be rung there after all.
  if v_waited ->> 'node' <> e.meta ->> 'node' then
    v_path := jsonb_build_array(v_waited || '{"outcome": "unanswered"}');
  end if;
  -- Where the caller has gone, nothing comes after a telephone that rang in vain.
  v_next := case when coalesce(e.call_status < 'lost', true) or e.meta ->> 'outcome' <> 'unanswered' then
    public.next_node(v_steps, e.meta ->> 'node', e.meta ->> 'outcome')
  end;
  return v_path || case when v_next is null then v_left || '{"stays": true}'
    else v_left || public.walk_flow(v_version, v_next, c, p_facts) end;
end
$$;

-- How often a node of a version was entered (outcome null), and left by each outcome. Counts all events before
-- flow_counts_until; it tells no call apart.
create table public.flow_counts (
  id bigint generated always as identity primary key,
  version_id bigint not null references public.call_flow_versions (id),
  node text not null,
  outcome text,
  calls bigint not null,
  constraint flow_counts_key unique nulls not distinct (version_id, node, outcome)
);

alter table public.flow_counts enable row level security;
create policy flow_counts_of_own_org on public.flow_counts
  for select to authenticated using (exists (select from public.call_flow_versions as v where v.id = version_id));
create policy flow_counts_of_the_service on public.flow_counts to service_role using (true) with check (true);

-- Events received before it are in flow_counts, the others are counted one by one. At most one row; none: nothing is added up.
create table public.flow_counts_until (
  is_only boolean primary key default true constraint flow_counts_until_only check (is_only),
  until timestamptz not null
);

alter table public.flow_counts_until enable row level security;
create policy flow_counts_until_for_members on public.flow_counts_until for select to authenticated using (true);
create policy flow_counts_until_of_the_service on public.flow_counts_until to service_role using (true) with check (true);

-- Counts the events of a span one by one: the definition of flow_counts.
create function public.paths_counted(p_from timestamptz, p_to timestamptz)
returns table (version_id bigint, node text, outcome text, calls bigint)
-- Planned for the span that it is about.
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan
as $$
begin
  return query
  select (e.value ->> 'version')::bigint, e.value ->> 'node', told.outcome, count(*)
  from public.call_lifecycle as l
  cross join lateral jsonb_array_elements(l.path) with ordinality as e
  cross join lateral (
    -- A node is entered by all but the first entry of an event that found the call waiting at it.
    select null::text as outcome where e.ordinality > 1 or l.event = 'arrived'
    union all
    select e.value ->> 'outcome' where e.value ? 'outcome' and not e.value ? 'stays'
  ) as told
  where l.received_at >= p_from and l.received_at < p_to and l.path is not null
  group by 1, 2, 3;
end
$$;

-- Adds the events before p_until to flow_counts, those of a day at most; returns whether it did. No event is written five
-- minutes after it was received: accept_voice_event waits 3 s for a lock.
create function public.count_paths(p_until timestamptz default now() - interval '5 minutes') returns boolean
language plpgsql volatile set search_path = ''
as $$
declare
  v_from timestamptz;
  v_to timestamptz;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('count_paths', 0)) then
    return false;
  end if;
  v_from := greatest(
    (select u.until from public.flow_counts_until as u), (select min(l.received_at) from public.call_lifecycle as l)
  );
  v_to := least(v_from + interval '1 day', p_until);
  if v_from is null or v_from >= v_to then
    return false;
  end if;
  insert into public.flow_counts as f (version_id, node, outcome, calls)
  select p.version_id, p.node, p.outcome, p.calls from public.paths_counted(v_from, v_to) as p
  on conflict (version_id, node, outcome) do update set calls = f.calls + excluded.calls;
  insert into public.flow_counts_until (until) values (v_to) on conflict (is_only) do update set until = excluded.until;
  return true;
end
$$;

create view public.flow_funnel with (security_invoker = true) as
with counted as (
  select f.version_id, f.node, f.outcome, f.calls, 0 as waiting from public.flow_counts as f
  union all
  select p.version_id, p.node, p.outcome, p.calls, 0
  from public.paths_counted(
    coalesce((select u.until from public.flow_counts_until as u), '-infinity'), 'infinity'
  ) as p
  union all
  -- Calls that go on, where they wait.
  select (c.at_node ->> 'version')::bigint, c.at_node ->> 'node', null, 0, count(*)
  from public.call_logs as c
  where c.disposition is null and (c.at_node ? 'stays' or not c.at_node ? 'outcome')
  group by 1, 2
),
outcomes as (
  select version_id, node, outcome, sum(calls)::bigint as calls, sum(waiting)::bigint as waiting
  from counted group by version_id, node, outcome
)
select
  f.org_id, f.name as flow, v.version, o.node,
  coalesce(sum(o.calls) filter (where o.outcome is null), 0)::bigint as entered,
  coalesce(jsonb_object_agg(o.outcome, o.calls) filter (where o.outcome is not null), '{}') as outcomes,
  coalesce(sum(o.waiting), 0)::bigint as waiting,
  greatest(0, coalesce(sum(case when o.outcome is null then o.calls else -o.calls end), 0) - coalesce(sum(o.waiting), 0))::bigint
    as hung_up
from outcomes as o
join public.call_flow_versions as v on v.id = o.version_id
join public.call_flows as f on f.id = v.flow_id
group by f.org_id, f.name, v.version, o.node;

comment on view public.flow_funnel is 'Of each node of each version: how often callers came in, by which outcomes they left it, how many wait there now, how many hung up there.';

create view public.ivr_sessions with (security_invoker = true) as
select
  c.call_sid as session_id, c.org_id, coalesce(f.name, 'default') as flow, v.version,
  coalesce(c.disposition, 'active') as status, c.mode, c.started_at as created_at, c.ended_at, c.duration_sec,
  c.at_node ->> 'node' as node
from public.call_logs as c
left join public.call_flow_versions as v on v.id = c.flow_version
left join public.call_flows as f on f.id = v.flow_id
where c.direction = 'inbound';

comment on view public.ivr_sessions is 'Each call that came in: the flow and version that answered it, how it stands, and the node that it was led to last.';

create view public.ivr_interactions with (security_invoker = true) as
select
  l.call_sid as session_id, e.value ->> 'node' as node,
  -- What was pressed or said is of the node at which the call waited.
  case when e.value ->> 'node' = l.meta ->> 'node' then coalesce(l.meta ->> 'digits', l.meta ->> 'speech') end as input,
  e.value ->> 'outcome' as outcome, l.occurred_at as at, l.id as event_id, e.ordinality as nth
from public.call_lifecycle as l
cross join lateral jsonb_array_elements(
  coalesce(l.path, case when l.meta ? 'node' then jsonb_build_array(l.meta) end)
) with ordinality as e
where e.value ? 'outcome';

comment on view public.ivr_interactions is 'What happened at each node that a call left or was asked again at, in the order of at, event_id and nth.';

grant select on public.flow_funnel, public.ivr_sessions, public.ivr_interactions, public.flow_counts, public.flow_counts_until
  to authenticated, service_role;
grant insert, update (calls) on public.flow_counts to service_role;
grant insert, update (until) on public.flow_counts_until to service_role;
grant execute on function public.paths_counted to authenticated, service_role;
grant execute on function
  public.next_node, public.walk_flow, public.case_of, public.can_ring, public.path_of_event, public.count_paths
  to service_role;
