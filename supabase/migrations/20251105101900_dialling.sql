-- The one way to dial out. An attempt is written in the transaction that decides to dial; a job then has Twilio make the leg,
-- whose callbacks carry the attempt's token. Whether a telephone is rung, taken or free is decided here, one owner at a time:
-- see lock_dialling.

create table public.dial_attempts (
  id bigint generated always as identity primary key,
  token uuid not null default gen_random_uuid() constraint dial_attempts_token_key unique,
  purpose text not null constraint dial_attempts_purpose_known check (purpose in ('person', 'callback_person', 'verify')),
  org_id uuid,
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  -- The call that it serves: of a queue, the one that the person was connected with, once there is one.
  call_sid text constraint dial_attempts_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  queue text constraint dial_attempts_queue_length check (length(queue) between 1 and 64),
  callback_id uuid references public.callbacks (id) on delete cascade,
  -- Null: a number that the flow names.
  person_id uuid references public.people (id) on delete set null,
  to_e164 public.e164 not null,
  line public.e164 not null,
  group_name text constraint dial_attempts_group_length check (length(group_name) between 1 and 64),
  version_id bigint,
  node text constraint dial_attempts_node_form check (node ~ '^[a-z][a-z0-9_]{0,31}$'),
  seconds integer not null constraint dial_attempts_seconds_range check (seconds between 5 and 600),
  -- unknown: Twilio was asked for the leg, and has not said whether it made it.
  state text not null default 'intended'
    constraint dial_attempts_state_known check (state in ('intended', 'created', 'unknown', 'refused')),
  leg_sid text constraint dial_attempts_leg_sid_form check (leg_sid ~ '^CA[0-9a-fA-F]{32}$'),
  decided_at timestamptz not null default clock_timestamp(),
  dialled_at timestamptz,
  answered_at timestamptz,
  accepted_at timestamptz,
  -- When the called person and the caller were on the line together.
  connected_at timestamptz,
  -- The leg is to be ended: somebody else was first, or nobody waits any more.
  cancelled_at timestamptz,
  ended_at timestamptz,
  -- answered: accepted by key; declined: answered, and not accepted, as by a mailbox; taken: accepted too late.
  result text constraint dial_attempts_result_known check (result in (
    'answered', 'declined', 'taken', 'busy', 'no_answer', 'canceled', 'failed', 'refused', 'caller_busy', 'caller_no_answer',
    'caller_failed'
  )),
  constraint dial_attempts_whom check (
    (purpose = 'person') = (queue is not null) and (purpose = 'callback_person') = (callback_id is not null)
  ),
  constraint dial_attempts_created_whole check ((state = 'created') = (leg_sid is not null)),
  constraint dial_attempts_ended_whole check (ended_at is null or result is not null)
)
with (fillfactor = 80);

comment on table public.dial_attempts is 'One row a telephone that was, or is to be, dialled on our own account: written before the dial.';

-- A telephone rings for one dial at a time, and a promise has one dial at a time.
create unique index dial_attempts_one_a_telephone on public.dial_attempts (owner, to_e164) where ended_at is null;
create unique index dial_attempts_one_a_callback on public.dial_attempts (callback_id) where ended_at is null;
create index dial_attempts_callback_idx on public.dial_attempts (callback_id);
create index dial_attempts_person_idx on public.dial_attempts (person_id, decided_at);
create index dial_attempts_idle_idx on public.dial_attempts (owner, to_e164, ended_at);
create index dial_attempts_open_idx on public.dial_attempts (owner, queue, id) where ended_at is null;
create index dial_attempts_call_idx on public.dial_attempts (call_sid);
create index dial_attempts_decided_idx on public.dial_attempts (decided_at);

alter table public.dial_attempts enable row level security;
create policy dial_attempts_of_own_org on public.dial_attempts
  for select to authenticated using (owner = (select public.current_owner()));
create policy dial_attempts_of_the_service on public.dial_attempts to service_role using (true) with check (true);

-- Decisions about an owner's telephones take turns, until the end of the transaction. The call's own lock comes before it, and
-- no lock of rows does.
create function public.lock_dialling(p_org_id uuid) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(concat('dialling:', p_org_id), 0));
end
$$;

-- Those of the members whose telephones may ring now, the longest idle first. An own line is not dialled.
create function public.free_members(p_org_id uuid, p_members text[])
returns table (phone text, person_id uuid, idle_since timestamptz)
language plpgsql stable set search_path = ''
as $$
begin
  return query
  select m.phone, m.person_id, last.ended_at
  from (
    select distinct on (coalesce(p.phone, w.name)) coalesce(p.phone, w.name) as phone, p.id as person_id, w.nth
    from unnest(p_members) with ordinality as w(name, nth)
    left join public.people as p on p.handle = w.name and p.org_id is not distinct from p_org_id
    where case when p.id is null then w.name like '+%' else public.person_available(p) end
    order by coalesce(p.phone, w.name), w.nth
  ) as m
  left join lateral (
    select max(a.ended_at) as ended_at, max(a.ended_at) filter (
      where a.result in ('declined', 'busy', 'no_answer', 'failed', 'refused')
    ) as in_vain_at
    from public.dial_attempts as a
    where a.owner = coalesce(p_org_id, '00000000-0000-0000-0000-000000000000') and a.to_e164 = m.phone
      and a.ended_at > now() - interval '1 day'
  ) as last on true
  where not exists (
      select from public.dial_attempts as a
      where a.owner = coalesce(p_org_id, '00000000-0000-0000-0000-000000000000') and a.to_e164 = m.phone
        and a.ended_at is null
    )
    -- A telephone that rang in vain has a rest.
    and coalesce(last.in_vain_at < clock_timestamp() - interval '20 seconds', true)
    -- Rung by a plain <Dial>, or in such a talk.
    and not exists (
      select from public.call_legs as l
      join public.call_logs as c on c.call_sid = l.call_sid and c.disposition is null
      where l.to_e164 = m.phone and l.status is null and l.dialled_at > now() - interval '4 hours'
        and c.org_id is not distinct from p_org_id
    )
    and public.own_lines(array[m.phone]) = '[]'
  order by last.ended_at nulls first, m.nth;
end
$$;

-- Decides whom to dial for a queue: as many free members as callers wait whom nobody is being rung for, in the order of
-- arrival, promises to call back among them; for a queue of one caller's own, all free members. Returns how many.
create function public.dispatch_queue(p_org_id uuid, p_queue text) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_owner constant uuid := coalesce(p_org_id, '00000000-0000-0000-0000-000000000000');
  v_members text[];
  v_made uuid[];
begin
  perform public.lock_dialling(p_org_id);
  -- The newest version's members count.
  select d.members into v_members from (
    (
      select e.members, e.queued_at from public.queue_entries as e
      where e.owner = v_owner and e.queue = p_queue and e.left_at is null and e.taken_at is null
      order by e.queued_at desc limit 1
    )
    union all
    (
      select k.members, k.queued_at from public.callbacks as k
      where k.owner = v_owner and k.group_name = p_queue and k.state = 'open' and k.due_at <= now()
      order by k.queued_at desc limit 1
    )
  ) as d order by d.queued_at desc limit 1;
  if v_members is null then
    return 0;
  end if;

  with free as materialized (
    select f.*, row_number() over () as turn from public.free_members(p_org_id, v_members) as f
  ),
  ringing as (
    select count(*) as count from public.dial_attempts as a
    where a.owner = v_owner and a.queue = p_queue and a.ended_at is null and a.accepted_at is null and a.cancelled_at is null
  ),
  waiting as (
    (
      select
        e.call_sid, null::uuid as callback_id, e.queued_at, e.line, e.group_name, e.version_id, e.node, e.seconds,
        e.queue = e.call_sid as own
      from public.queue_entries as e
      where e.owner = v_owner and e.queue = p_queue and e.left_at is null and e.taken_at is null
      order by e.queued_at, e.id
      limit (select count(*) from free) + (select r.count from ringing as r)
      offset case when exists (
        select from public.queue_entries as o where o.call_sid = p_queue and o.left_at is null
      ) then 0 else (select r.count from ringing as r) end
    )
    union all
    (
      select k.call_sid, k.id, k.queued_at, k.line, k.group_name, k.version_id, k.node, k.seconds, false
      from public.callbacks as k
      where k.owner = v_owner and k.group_name = p_queue and k.state = 'open' and k.due_at <= now()
        and k.tries < k.max_tries and public.calendar_open(k.calendar, now())
        and not exists (select from public.dial_attempts as a where a.callback_id = k.id and a.ended_at is null)
      order by k.queued_at, k.id
      limit (select count(*) from free)
    )
  ),
  demand as (
    select w.*, row_number() over (order by w.queued_at, w.call_sid) as turn from waiting as w
  ),
  made as (
    insert into public.dial_attempts (
      purpose, org_id, call_sid, queue, callback_id, person_id, to_e164, line, group_name, version_id, node, seconds
    )
    select
      case when d.callback_id is null then 'person' else 'callback_person' end, p_org_id, d.call_sid,
      case when d.callback_id is null then p_queue end, d.callback_id, f.person_id, f.phone, d.line, d.group_name,
      d.version_id, d.node, d.seconds
    from demand as d
    join free as f on d.own or f.turn = d.turn
    order by f.turn
    on conflict do nothing
    returning token, call_sid, callback_id
  ),
  counted as (
    update public.callbacks as k set tries = k.tries + 1 from made as m where k.id = m.callback_id
  )
  select array_agg(m.token) into v_made from made as m;
  perform public.enqueue_job('dial', a.token::text, jsonb_build_object('call_sid', a.call_sid))
  from public.dial_attempts as a where a.token = any (v_made);
  return coalesce(cardinality(v_made), 0);
end
$$;

-- Dispatches every queue of an owner, as when a telephone is free again. Returns how many are to be dialled.
create function public.dispatch_all(p_org_id uuid) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_owner constant uuid := coalesce(p_org_id, '00000000-0000-0000-0000-000000000000');
  v_queue text;
  v_made integer := 0;
begin
  for v_queue in
    select w.queue from (
      select e.queue, min(e.queued_at) as since from public.queue_entries as e
      where e.owner = v_owner and e.left_at is null and e.taken_at is null group by e.queue
      union all
      select k.group_name, min(k.queued_at) from public.callbacks as k
      where k.owner = v_owner and k.state = 'open' and k.due_at <= now() group by k.group_name
    ) as w group by w.queue order by min(w.since)
  loop
    v_made := v_made + public.dispatch_queue(p_org_id, v_queue);
  end loop;
  return v_made;
end
$$;

-- Ends the ringing that nobody waits for any more: the latest first, all of it where nobody waits.
create function public.cancel_surplus(p_org_id uuid, p_queue text) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_owner constant uuid := coalesce(p_org_id, '00000000-0000-0000-0000-000000000000');
  v_waiting integer;
  v_attempt public.dial_attempts;
begin
  select count(*) into v_waiting from public.queue_entries as e
  where e.owner = v_owner and e.queue = p_queue and e.left_at is null and e.taken_at is null;
  if v_waiting > 0 and exists (select from public.queue_entries as e where e.call_sid = p_queue and e.left_at is null) then
    return;
  end if;
  for v_attempt in
    select * from public.dial_attempts as a
    where a.owner = v_owner and a.queue = p_queue and a.ended_at is null and a.accepted_at is null and a.cancelled_at is null
    order by a.id offset v_waiting
  loop
    perform public.cancel_attempt(v_attempt);
  end loop;
end
$$;

-- Ends an attempt: at once where nothing was dialled, else by a job that has Twilio end the leg.
create function public.cancel_attempt(a public.dial_attempts) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if a.dialled_at is null then
    update public.dial_attempts as t set cancelled_at = now(), ended_at = clock_timestamp(), result = 'canceled' where t.id = a.id;
  else
    update public.dial_attempts as t set cancelled_at = now() where t.id = a.id;
    perform public.enqueue_job('dial_end', a.token::text, jsonb_build_object('call_sid', a.call_sid));
  end if;
end
$$;

-- Lets a caller hold at a node of a version, for its group or, of a ring of all at once, for the call alone.
create function public.enter_queue(c public.call_logs, p_version_id bigint, p_node text) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_owner constant uuid := coalesce(c.org_id, '00000000-0000-0000-0000-000000000000');
  v record;
  v_queue text;
begin
  perform public.lock_dialling(c.org_id);
  select n.node ->> 'group' as name, n.node ->> 'type' as type, w.steps -> 'groups' -> (n.node ->> 'group') as members into v
  from public.call_flow_versions as w cross join lateral (select w.steps -> 'nodes' -> p_node as node) as n
  where w.id = p_version_id;
  v_queue := case v.type when 'queue' then v.name else c.call_sid end;
  insert into public.queue_entries (
    call_sid, org_id, queue, group_name, version_id, node, line, members, seconds, first_position
  )
  select
    c.call_sid, c.org_id, v_queue, v.name, p_version_id, p_node, c.line,
    array(select jsonb_array_elements_text(v.members -> 'members')), coalesce((v.members ->> 'seconds')::integer, 20),
    1 + (
      select count(*) from public.queue_entries as e
      where e.owner = v_owner and e.queue = v_queue and e.left_at is null and e.taken_at is null
    )
  on conflict (call_sid) where left_at is null do nothing;
end
$$;

-- Ends a caller's holding, wherever it was; again: nothing.
create function public.leave_queue(p_call_sid text, p_result text) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  q public.queue_entries;
begin
  select * into q from public.queue_entries as e where e.call_sid = p_call_sid and e.left_at is null;
  if q.id is null then
    return;
  end if;
  perform public.lock_dialling(q.org_id);
  update public.queue_entries as e set
    left_at = clock_timestamp(), result = case when e.connected_at is not null then 'answered' else p_result end
  where e.id = q.id and e.left_at is null;
  perform public.cancel_surplus(q.org_id, q.queue);
end
$$;

-- What is decided by where an event has led its call: promises, holding, dialling. Returns facts: {callbacks: {group: true},
-- queue: as tell_place, self: as person_at, attempt: as attempt_told, wake: whether somebody is to be dialled}.
create function public.enact(c public.call_logs, e public.voice_event, p_path jsonb) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_facts jsonb := '{}';
  v_last constant jsonb := p_path -> -1;
  v_node jsonb;
  v_group jsonb;
  v_entry public.queue_entries;
  v_step jsonb;
  v_made integer := 0;
begin
  if e.ask ? 'attempt' then
    v_facts := v_facts || jsonb_build_object('attempt', public.attempt_told(
      (e.ask #>> '{attempt,token}')::uuid, e.leg_sid, e.status, e.ask #>> '{attempt,told}'
    ));
    v_made := coalesce((v_facts #>> '{attempt,wake}')::integer, 0);
  end if;
  if e.ask ? 'self' then
    v_facts := v_facts || jsonb_strip_nulls(jsonb_build_object(
      'self', public.person_at(c.org_id, c.party, (e.ask #>> '{self,available}')::boolean)
    ));
    if e.ask #>> '{self,available}' = 'true' and v_facts ? 'self' then
      v_made := v_made + public.dispatch_all(c.org_id);
    end if;
  end if;

  if p_path is not null then
    select * into v_entry from public.queue_entries as q where q.call_sid = c.call_sid and q.left_at is null;
    if v_entry.id is not null and (v_last ->> 'node', (v_last ->> 'version')::bigint, v_last ? 'outcome')
      is distinct from (v_entry.node, v_entry.version_id, false)
    then
      perform public.leave_queue(c.call_sid, case
        when e.meta ->> 'node' = v_entry.node
          and e.meta ->> 'outcome' in ('answered', 'unanswered', 'offer', 'gave_up', 'full') then e.meta ->> 'outcome'
        else 'unanswered'
      end);
    end if;
    for v_step in select * from jsonb_array_elements(p_path) as s where s.value ->> 'outcome' = 'next' loop
      select v.steps -> 'nodes' -> (v_step ->> 'node') into v_node
      from public.call_flow_versions as v where v.id = (v_step ->> 'version')::bigint;
      if v_node ->> 'type' = 'callback' then
        perform public.promise_callback(c, (v_step ->> 'version')::bigint, v_step ->> 'node');
        v_facts := jsonb_set(v_facts, '{callbacks}', coalesce(v_facts -> 'callbacks', '{}') || jsonb_build_object(v_node ->> 'group', true));
      end if;
    end loop;
    if not v_last ? 'outcome' and c.status < 'lost' then
      select v.steps -> 'nodes' -> (v_last ->> 'node'), v.steps -> 'groups' -> (v.steps -> 'nodes' -> (v_last ->> 'node') ->> 'group')
      into v_node, v_group
      from public.call_flow_versions as v where v.id = (v_last ->> 'version')::bigint;
      if v_node ->> 'type' = 'queue'
        or (v_node ->> 'type' = 'ring' and v_group @> '{"confirm": true, "ring": "all"}')
      then
        perform public.enter_queue(c, (v_last ->> 'version')::bigint, v_last ->> 'node');
      end if;
    end if;
  end if;

  if p_path is not null or e.ask ? 'queue' then
    select * into v_entry from public.queue_entries as q where q.call_sid = c.call_sid and q.left_at is null;
    if v_entry.id is not null then
      if v_entry.taken_at is null then
        v_made := v_made + public.dispatch_queue(v_entry.org_id, v_entry.queue);
      end if;
      v_facts := v_facts || jsonb_build_object('queue', public.tell_place(c.call_sid));
    end if;
  end if;
  return v_facts || case when v_made > 0 then jsonb '{"wake": true}' else '{}' end;
end
$$;

-- What a leg of an attempt tells: p_status in Twilio's word, and p_told: `pressed`, the person accepts by key; `connected`,
-- with the caller; of a promise, `caller_busy`, `caller_no_answer` or `caller_failed`. Of all who press for one call, one
-- wins. Returns {purpose, won, over, call_sid, queue, to, wake}: to, the number to call back; over, when the leg is to be ended with a word of why; wake, how
-- many others are to be dialled now. Null: no such attempt. Again: the same.
create function public.attempt_told(p_token uuid, p_leg_sid text, p_status text default null, p_told text default null)
returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  a public.dial_attempts;
  v_taken text;
  v_made integer := 0;
begin
  select * into a from public.dial_attempts as t where t.token = p_token;
  if a.id is null then
    return null;
  end if;
  perform public.lock_dialling(a.org_id);
  select * into a from public.dial_attempts as t where t.id = a.id for update;
  if a.leg_sid <> p_leg_sid or a.state = 'refused' then
    -- A leg too many.
    return jsonb_build_object('purpose', a.purpose, 'won', false, 'over', true);
  end if;
  a.leg_sid := p_leg_sid;
  a.state := 'created';
  a.dialled_at := coalesce(a.dialled_at, now());
  if p_status = 'in-progress' or p_told = 'pressed' then
    a.answered_at := coalesce(a.answered_at, now());
  end if;

  if p_told = 'pressed' and a.accepted_at is null and a.cancelled_at is null and a.ended_at is null then
    if a.purpose = 'person' then
      update public.queue_entries as e set taken_by = a.token, taken_at = clock_timestamp()
      where e.id = (
        select w.id from public.queue_entries as w
        where w.owner = a.owner and w.queue = a.queue and w.left_at is null and w.taken_at is null
        order by w.queued_at, w.id limit 1
      )
      returning e.call_sid into v_taken;
    elsif a.purpose = 'callback_person' then
      select k.call_sid into v_taken from public.callbacks as k where k.id = a.callback_id and k.state = 'open';
    else
      update public.people as p set verified_at = now() where p.id = a.person_id and p.phone = a.to_e164
      returning p.handle into v_taken;
    end if;
    if v_taken is not null then
      a.accepted_at := now();
      a.call_sid := case when a.purpose = 'verify' then null else v_taken end;
    else
      a.cancelled_at := now();
      a.result := 'taken';
    end if;
  elsif p_told = 'connected' then
    a.connected_at := coalesce(a.connected_at, now());
    update public.queue_entries as e set connected_at = coalesce(e.connected_at, now())
    where e.taken_by = a.token and e.left_at is null;
  elsif p_told like 'caller\_%' then
    a.result := coalesce(a.result, p_told);
  end if;
  update public.dial_attempts as t set
    (leg_sid, state, dialled_at, answered_at, accepted_at, connected_at, cancelled_at, result, call_sid)
      = row (a.leg_sid, a.state, a.dialled_at, a.answered_at, a.accepted_at, a.connected_at, a.cancelled_at, a.result, a.call_sid)
  where t.id = a.id;
  if v_taken is not null and a.purpose = 'person' then
    perform public.cancel_surplus(a.org_id, a.queue);
  end if;
  if p_status in ('completed', 'busy', 'no-answer', 'canceled', 'failed') then
    v_made := public.end_attempt(a.id, p_status);
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'purpose', a.purpose, 'won', a.accepted_at is not null, 'over', a.cancelled_at is not null or a.ended_at is not null,
    'call_sid', a.call_sid, 'queue', a.queue, 'wake', v_made,
    'to', (select k.to_e164 from public.callbacks as k where k.id = a.callback_id and a.accepted_at is not null)
  ));
end
$$;

-- Ends an attempt, and dials for whom its telephone is free again. A caller who was taken and not connected holds on, at the
-- old place. Returns how many are to be dialled. p_status: as Twilio's, or `refused`.
create function public.end_attempt(p_id bigint, p_status text) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  a public.dial_attempts;
begin
  update public.dial_attempts as t set
    ended_at = clock_timestamp(),
    result = coalesce(t.result, case
      when t.accepted_at is not null then 'answered'
      when p_status = 'completed' then 'declined'
      else replace(p_status, '-', '_')
    end)
  where t.id = p_id and t.ended_at is null
  returning * into a;
  if a.id is null then
    return 0;
  end if;
  if a.purpose = 'person' and a.accepted_at is not null then
    update public.queue_entries as e set taken_by = null, taken_at = null
    where e.taken_by = a.token and e.left_at is null and e.connected_at is null;
    if a.connected_at is not null then
      perform public.leave_queue(a.call_sid, 'answered');
    end if;
  elsif a.purpose = 'callback_person' then
    perform public.callback_tried(a.callback_id, case
      when a.connected_at is not null then 'done'
      when a.result = 'answered' then 'outcome_unknown'
      else a.result
    end);
  end if;
  return public.dispatch_all(a.org_id);
end
$$;

-- What a `dial` job, or the end of a leg, is about; null: nothing is to be done any more.
create function public.dial_content(p_kind text, p_token uuid) returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object(
    'purpose', a.purpose, 'to', a.to_e164, 'line', a.line, 'account_sid', s.subaccount_sid, 'call_sid', a.call_sid,
    'group', a.group_name, 'node', a.node, 'seconds', a.seconds, 'state', a.state, 'leg_sid', a.leg_sid,
    'decided_at', a.decided_at, 'dialled_at', a.dialled_at, 'flow', v.hash, 'person', p.name
  )
  from public.dial_attempts as a
  left join public.telephony_subaccounts as s on s.org_id = a.org_id
  left join public.call_flow_versions as v on v.id = a.version_id
  left join public.people as p on p.id = a.person_id
  where a.token = p_token and a.ended_at is null
    and case p_kind when 'dial' then a.state in ('intended', 'unknown') and a.cancelled_at is null else true end;
end;

-- Asked just before Twilio is: `dial`, once for each attempt, which is `unknown` from then on; `ask`, when Twilio was asked
-- before, and may have made the leg; `over`, when nothing is to be dialled.
create function public.begin_dial(p_token uuid) returns text
language plpgsql volatile set search_path = ''
as $$
declare
  a public.dial_attempts;
begin
  select * into a from public.dial_attempts as t where t.token = p_token;
  perform public.lock_dialling(a.org_id);
  select * into a from public.dial_attempts as t where t.id = a.id for update;
  if a.id is null or a.ended_at is not null or a.cancelled_at is not null or a.state in ('created', 'refused') then
    return 'over';
  elsif a.state = 'unknown' then
    return 'ask';
  end if;
  update public.dial_attempts as t set state = 'unknown', dialled_at = now() where t.id = a.id;
  return 'dial';
end
$$;

-- What Twilio answered: p_state `created` with the leg, `refused`, or `intended`, when it was asked again and has no such leg.
-- Returns {over, wake}: over, when the leg is to be ended.
create function public.dial_told(p_token uuid, p_state text, p_leg_sid text default null) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  a public.dial_attempts;
  v_made integer := 0;
begin
  select * into a from public.dial_attempts as t where t.token = p_token;
  perform public.lock_dialling(a.org_id);
  update public.dial_attempts as t set
    state = p_state, leg_sid = p_leg_sid, dialled_at = case when p_state <> 'intended' then t.dialled_at end
  where t.id = a.id and t.state in ('intended', 'unknown') and t.ended_at is null;
  -- The leg itself may have told of it before.
  select * into a from public.dial_attempts as t where t.id = a.id;
  if p_state = 'refused' and a.state = 'refused' then
    v_made := public.end_attempt(a.id, 'refused');
  elsif p_state = 'intended' and a.cancelled_at is not null then
    v_made := public.end_attempt(a.id, 'canceled');
  end if;
  return jsonb_build_object(
    'over', a.id is null or a.cancelled_at is not null or a.ended_at is not null
      or (p_leg_sid is not null and a.leg_sid is distinct from p_leg_sid),
    'wake', v_made
  );
end
$$;

-- Dials for a promise that is due; again, while it is dialled: nothing. Returns how many are to be dialled.
create function public.keep_promise(p_id uuid) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  k public.callbacks;
begin
  select * into k from public.callbacks as c where c.id = p_id and c.state = 'open';
  return case when k.id is null then 0 else public.dispatch_queue(k.org_id, k.group_name) end;
end
$$;

-- Has a person called, who proves by a key that the number is theirs. Returns the attempt's token; null: the telephone is in
-- use. Raises PT404 (HTTP 404) for nobody of that handle.
create function public.verify_person(p_org_id uuid, p_handle text, p_line text) returns uuid
language plpgsql volatile set search_path = ''
as $$
declare
  v_person public.people;
  v_token uuid;
begin
  select * into v_person from public.people as p where p.handle = p_handle and p.org_id is not distinct from p_org_id;
  if v_person.id is null then
    raise sqlstate 'PT404' using message = format('no person has the handle "%s"', p_handle), detail = 'handle';
  end if;
  perform public.lock_dialling(p_org_id);
  insert into public.dial_attempts (purpose, org_id, person_id, to_e164, line, seconds)
  values ('verify', p_org_id, v_person.id, v_person.phone, p_line, 30)
  on conflict do nothing
  returning token into v_token;
  if v_token is not null then
    perform public.enqueue_job('dial', v_token::text);
  end if;
  return v_token;
end
$$;

-- What a crash or a lost callback left: attempts that nobody dialled are ended, promises that are due get a job again, and
-- Twilio is asked about legs that must have ended.
create function public.mend_dialling() returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v record;
begin
  for v in
    select a.id, a.org_id from public.dial_attempts as a
    where a.ended_at is null and a.dialled_at is null and a.decided_at < now() - interval '3 minutes'
    -- One order of owners, so that two runs cannot deadlock.
    order by a.owner, a.id
  loop
    perform public.lock_dialling(v.org_id);
    perform public.end_attempt(v.id, 'canceled')
    from public.dial_attempts as a where a.id = v.id and a.dialled_at is null;
  end loop;

  perform public.enqueue_job(o.kind, o.key, jsonb_strip_nulls(jsonb_build_object('call_sid', o.call_sid)))
  from (
    select 'callback' as kind, k.id::text as key, k.call_sid from public.callbacks as k
    where k.state = 'open' and k.due_at <= now() and public.calendar_open(k.calendar, now())
      and not exists (select from public.dial_attempts as a where a.callback_id = k.id and a.ended_at is null)
    union all
    select 'dial_end', a.token::text, a.call_sid
    from public.dial_attempts as a
    where a.ended_at is null and a.dialled_at < now() - make_interval(secs => a.seconds) - case
      when a.accepted_at is not null then interval '4 hours 5 minutes' else interval '2 minutes'
    end
  ) as o;
end
$$;

create view public.people_performance with (security_invoker = true) as
select
  a.org_id, p.handle, coalesce(p.name, a.to_e164) as name, a.group_name,
  date_trunc('day', a.decided_at, 'UTC')::date as day,
  count(*) as rung, count(*) filter (where a.accepted_at is not null) as accepted,
  count(*) filter (where a.result = 'declined') as declined, count(*) filter (where a.result = 'taken') as too_late,
  count(*) filter (where a.result = 'no_answer') as no_answer, count(*) filter (where a.result = 'busy') as busy,
  count(*) filter (where a.result in ('failed', 'refused')) as unreachable,
  count(*) filter (where a.result = 'canceled') as canceled,
  avg(extract(epoch from a.accepted_at - a.dialled_at))::numeric(8, 1) as seconds_to_accept,
  coalesce(sum(extract(epoch from a.ended_at - a.connected_at)), 0)::bigint as talk_sec
from public.dial_attempts as a
left join public.people as p on p.id = a.person_id
where a.purpose <> 'verify'
group by 1, 2, 3, 4, 5;

comment on view public.people_performance is 'Of each person, group and day (UTC): how often rung, and how each ended. too_late: accepted after somebody else; canceled: ended while it rang.';

grant select on public.dial_attempts, public.people_performance to authenticated;
grant select, insert, update on public.dial_attempts to service_role;
grant select on public.people_performance to service_role;
grant execute on function
  public.lock_dialling, public.free_members, public.dispatch_queue, public.dispatch_all, public.cancel_surplus,
  public.cancel_attempt, public.enter_queue, public.leave_queue, public.enact, public.attempt_told, public.end_attempt,
  public.dial_content, public.begin_dial, public.dial_told, public.keep_promise, public.verify_person, public.mend_dialling
  to service_role;
