-- The one way to dial out. An attempt is written in the transaction that decides to dial; a job then has Twilio make the leg,
-- whose callbacks carry the attempt's token. Whether a telephone is rung, taken or free is decided here, one owner at a time:
-- see lock_dialling.

create table public.dial_attempts (
  id bigint generated always as identity primary key,
  token uuid not null default gen_random_uuid() constraint dial_attempts_token_key unique,
  purpose text not null constraint dial_attempts_purpose_known check (purpose in ('person', 'callback_person', 'verify', 'campaign')),
  org_id uuid,
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  -- The call that it serves: of a queue, the one that the person was connected with, once there is one.
  call_sid text constraint dial_attempts_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  queue text constraint dial_attempts_queue_length check (length(queue) between 1 and 64),
  callback_id uuid references public.callbacks (id) on delete cascade,
  -- Null: a number that the flow names.
  person_id uuid references public.people (id) on delete set null,
  campaign_id uuid references public.campaigns (id) on delete cascade,
  contact_id bigint references public.campaign_contacts (id) on delete cascade,
  -- The slot of the account's time in which Twilio is asked for it, see dial_rates; of a campaign its beginning.
  slot bigint,
  send_at timestamptz,
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
  -- accepted: by key, and on the line with the caller; declined: answered, and another key pressed or hung up; mailbox:
  -- answered, and no key pressed; taken: somebody else was first; caller_left: the caller had gone; unreachable: Twilio
  -- could not, or did not want to; canceled: not dialled in time; machine, abandoned: of a campaign, a machine, or nobody was free
  -- for the person who answered. caller_*: accepted, and the caller was not reached.
  result text constraint dial_attempts_result_known check (result in (
    'accepted', 'declined', 'mailbox', 'taken', 'caller_left', 'busy', 'no_answer', 'unreachable', 'canceled', 'caller_busy',
    'caller_no_answer', 'caller_failed', 'machine', 'abandoned'
  )),
  -- What became of the caller whom the person transferred: see transfer_call.
  transfer text constraint dial_attempts_transfer_known
    check (transfer in ('pending', 'accepted', 'returned', 'unanswered', 'caller_left')),
  constraint dial_attempts_whom check (
    (purpose = 'person') = (queue is not null) and (purpose = 'callback_person') = (callback_id is not null)
      and (purpose = 'campaign') = (contact_id is not null)
      and (contact_id is null) = (campaign_id is null) and (contact_id is null) = (send_at is null)
  ),
  constraint dial_attempts_created_whole check ((state = 'created') = (leg_sid is not null)),
  constraint dial_attempts_ended_whole check (ended_at is null or result is not null)
)
with (fillfactor = 80);

comment on table public.dial_attempts is 'One row a telephone that was, or is to be, dialled on our own account: written before the dial.';

-- A telephone rings for one dial at a time, and a promise has one dial at a time.
create unique index dial_attempts_one_a_telephone on public.dial_attempts (owner, to_e164) where ended_at is null;
create unique index dial_attempts_one_a_callback on public.dial_attempts (callback_id) where ended_at is null;
-- One dial of an account at a time: its rate, over all who dial.
create unique index dial_attempts_one_a_slot on public.dial_attempts (owner, slot) where slot is not null;
create index dial_attempts_contact_idx on public.dial_attempts (contact_id, id);
create index dial_attempts_campaign_idx on public.dial_attempts (campaign_id) where ended_at is null;
create index dial_attempts_callback_idx on public.dial_attempts (callback_id);
create index dial_attempts_person_idx on public.dial_attempts (person_id, decided_at);
create index dial_attempts_idle_idx on public.dial_attempts (owner, to_e164, ended_at);
create index dial_attempts_leg_idx on public.dial_attempts (leg_sid);
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

-- Those of the members whose telephones may ring now for a queue, the longest idle first: of p_phone, that telephone alone.
-- An own line is not dialled.
create function public.free_members(p_org_id uuid, p_queue text, p_members text[], p_phone text default null)
returns table (phone text, person_id uuid, idle_since timestamptz)
language plpgsql stable set search_path = ''
as $$
declare
  v_owner constant uuid := coalesce(p_org_id, '00000000-0000-0000-0000-000000000000');
begin
  return query
  with idle as materialized (
    select m.* from (
      select distinct on (coalesce(p.phone, w.name)) coalesce(p.phone, w.name) as phone, p.id as person_id, w.nth
      from unnest(p_members) with ordinality as w(name, nth)
      left join public.people as p on p.handle = w.name and p.org_id is not distinct from p_org_id
      where (p_phone is null or coalesce(p.phone, w.name) = p_phone)
        and case when p.id is null then w.name like '+%' else public.person_available(p) end
      order by coalesce(p.phone, w.name), w.nth
    ) as m
    where not exists (
      select from public.dial_attempts as a where a.owner = v_owner and a.to_e164 = m.phone and a.ended_at is null
    )
  )
  select m.phone, m.person_id, last.ended_at
  from idle as m
  left join lateral (
    select a.ended_at, a.queue, a.result from public.dial_attempts as a
    where a.owner = v_owner and a.to_e164 = m.phone and a.ended_at is not null
    order by a.ended_at desc limit 1
  ) as last on true
  -- A telephone that rang in vain has a rest.
  where not coalesce(
      last.queue = p_queue and last.ended_at > clock_timestamp() - interval '20 seconds'
        and last.result in ('declined', 'mailbox', 'busy', 'no_answer', 'unreachable'),
      false
    )
    -- Rung by a plain <Dial>, or in such a talk.
    and not exists (
      select from public.call_legs as l
      join public.call_logs as c on c.call_sid = l.call_sid and c.disposition is null
      where l.to_e164 = m.phone and l.status is null and l.dialled_at > now() - interval '4 hours'
        and c.org_id is not distinct from p_org_id
        and not exists (select from public.dial_attempts as a where a.leg_sid = l.leg_sid)
    )
    and not public.own_lines(array(select i.phone from idle as i)) ? m.phone
  order by last.ended_at nulls first, m.nth;
end
$$;

-- The telephone of the available member who was dialled least recently for any call; of equals the first. Null: nobody is
-- available.
create function public.longest_idle(p_org_id uuid, p_members text[]) returns text
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select m.phone
    from (
      select coalesce(p.phone, w.name) as phone, w.nth
      from unnest(p_members) with ordinality as w(name, nth)
      left join public.people as p on p.handle = w.name and p.org_id is not distinct from p_org_id
      where case when p.id is null then w.name like '+%' else public.person_available(p) end
    ) as m
    left join lateral (
      select coalesce(l.ended_at, now()) as at from public.call_legs as l
      where l.to_e164 = m.phone order by l.dialled_at desc limit 1
    ) as last on true
    order by last.at nulls first, m.nth
    limit 1
  );
end
$$;

-- Decides whom to dial for a queue: as many free members as callers wait whom nobody is being rung for, in the order of
-- arrival, promises to call back among them; for a queue of one caller's own, all free members. p_phone: this telephone
-- alone, which is free again. Returns how many.
create function public.dispatch_queue(p_org_id uuid, p_queue text, p_phone text default null) returns integer
-- Planning its one large statement anew would cost more than running it.
language plpgsql volatile set search_path = '' set plan_cache_mode = force_generic_plan
as $$
declare
  v_owner constant uuid := coalesce(p_org_id, '00000000-0000-0000-0000-000000000000');
  -- Groups have names in lower case.
  v_own constant boolean := p_queue like 'CA%';
  v_members text[];
  v_ringing integer;
  v_made uuid[];
begin
  -- The newest version's members count.
  select d.members into v_members from (
    (
      select e.members, e.queued_at from public.queue_entries as e
      where e.owner = v_owner and e.queue = p_queue and e.left_at is null and e.taken_at is null
      order by e.queued_at desc, e.id desc limit 1
    )
    union all
    (
      select k.members, k.queued_at from public.callbacks as k
      where k.owner = v_owner and k.group_name = p_queue and k.ready
      order by k.queued_at desc, k.id desc limit 1
    )
  ) as d order by d.queued_at desc limit 1;
  -- Looked at before the lock, so that those who wait for a busy queue do not wait for each other.
  if v_members is null then
    return 0;
  elsif exists (select from public.free_members(p_org_id, p_queue, v_members, p_phone)) then
    perform public.lock_dialling(p_org_id);
    select count(*) into v_ringing from public.dial_attempts as a
    where a.owner = v_owner and a.queue = p_queue and a.ended_at is null and a.accepted_at is null and a.cancelled_at is null;
    with free as materialized (
      select f.*, row_number() over () as turn from public.free_members(p_org_id, p_queue, v_members, p_phone) as f
    ),
    waiting as (
      (
        select
          e.call_sid, null::uuid as callback_id, e.queued_at, e.line, e.group_name, e.version_id, e.node, e.seconds
        from public.queue_entries as e
        where e.owner = v_owner and e.queue = p_queue and e.left_at is null and e.taken_at is null and e.leaving is null
        order by e.queued_at, e.id
        limit (select count(*) from free)
        offset case when v_own then 0 else v_ringing end
      )
      union all
      (
        select k.call_sid, k.id, k.queued_at, k.line, k.group_name, k.version_id, k.node, k.seconds
        from public.callbacks as k
        where k.owner = v_owner and k.group_name = p_queue and k.ready and k.tries < k.max_tries
          and public.promise_open(k)
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
      join free as f on v_own or f.turn = d.turn
      order by f.turn
      on conflict do nothing
      returning token, callback_id
    ),
    counted as (
      update public.callbacks as k set tries = k.tries + 1 from made as m where k.id = m.callback_id
    )
    select array_agg(m.token) into v_made from made as m;
    perform public.enqueue_job('dial', a.token::text, jsonb_build_object('call_sid', a.call_sid))
    from public.dial_attempts as a where a.token = any (v_made);
  end if;
  if v_made is null then
    return case when v_own then public.return_transfer(p_org_id, p_queue) else 0 end;
  end if;
  return cardinality(v_made);
end
$$;

-- Rings the person who transferred a call, once nobody has taken it. Returns how many are to be dialled.
create function public.return_transfer(p_org_id uuid, p_queue text) returns integer
language plpgsql volatile set search_path = ''
as $$
begin
  update public.queue_entries as e set members = array[e.returns_to::text], returned_at = now()
  where e.call_sid = p_queue and e.left_at is null and e.taken_at is null and e.returns_to is not null and e.returned_at is null
    and not exists (
      select from public.dial_attempts as a where a.owner = e.owner and a.queue = e.queue and a.ended_at is null
    );
  return case when found then public.dispatch_queue(p_org_id, p_queue) else 0 end;
end
$$;

-- Dials a telephone that is free again for the one who has waited longest, of all queues that it is rung for. Returns how many
-- are to be dialled.
create function public.dispatch_phone(p_org_id uuid, p_phone text) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_owner constant uuid := coalesce(p_org_id, '00000000-0000-0000-0000-000000000000');
  v_names constant text[] := p_phone || array(
    select p.handle from public.people as p where p.phone = p_phone and p.org_id is not distinct from p_org_id
  );
  v_queue text;
  v_made integer := 0;
begin
  for v_queue in
    with recursive holding as (
      (
        select e.queue, e.members, e.queued_at from public.queue_entries as e
        where e.owner = v_owner and e.left_at is null and e.taken_at is null
        order by e.queue, e.queued_at, e.id limit 1
      )
      union all
      -- The first of each queue, however many hold in it.
      select n.* from holding as h cross join lateral (
        select e.queue, e.members, e.queued_at from public.queue_entries as e
        where e.owner = v_owner and e.left_at is null and e.taken_at is null and e.queue > h.queue
        order by e.queue, e.queued_at, e.id limit 1
      ) as n
    ),
    promised as (
      (
        select k.group_name, k.members, k.queued_at from public.callbacks as k
        where k.owner = v_owner and k.ready order by k.group_name, k.queued_at, k.id limit 1
      )
      union all
      select n.* from promised as p cross join lateral (
        select k.group_name, k.members, k.queued_at from public.callbacks as k
        where k.owner = v_owner and k.ready and k.group_name > p.group_name
        order by k.group_name, k.queued_at, k.id limit 1
      ) as n
    )
    select w.queue from (select * from holding union all select * from promised) as w
    where w.members && v_names
    group by w.queue order by min(w.queued_at)
  loop
    v_made := public.dispatch_queue(p_org_id, v_queue, p_phone);
    exit when v_made > 0;
  end loop;
  return v_made;
end
$$;

-- Ends the ringing that nobody waits for any more, because of p_why (a result of an attempt): the latest first, all of it where
-- nobody waits.
create function public.cancel_surplus(p_org_id uuid, p_queue text, p_why text) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_owner constant uuid := coalesce(p_org_id, '00000000-0000-0000-0000-000000000000');
  v_ringing constant public.dial_attempts[] := array(
    select a from public.dial_attempts as a
    where a.owner = v_owner and a.queue = p_queue and a.ended_at is null and a.accepted_at is null and a.cancelled_at is null
    order by a.id
  );
  v_attempt public.dial_attempts;
  v_waiting integer;
begin
  select count(*) into v_waiting from (
    select from public.queue_entries as e
    where e.owner = v_owner and e.queue = p_queue and e.left_at is null and e.taken_at is null
    limit cardinality(v_ringing)
  ) as w;
  if v_waiting > 0 and p_queue like 'CA%' then
    return;
  end if;
  foreach v_attempt in array v_ringing[v_waiting + 1:] loop
    perform public.cancel_attempt(v_attempt, p_why);
  end loop;
end
$$;

-- Ends an attempt: at once where nothing was dialled, else by a job that has Twilio end the leg.
create function public.cancel_attempt(a public.dial_attempts, p_why text) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  update public.dial_attempts as t set
    cancelled_at = now(), result = p_why, ended_at = case when a.dialled_at is null then clock_timestamp() end
  where t.id = a.id;
  if a.dialled_at is not null then
    update public.call_legs as l set told = p_why where l.call_sid = a.call_sid and l.leg_sid = a.leg_sid;
    perform public.enqueue_job('dial_end', a.token::text, jsonb_build_object('call_sid', a.call_sid));
  end if;
end
$$;

-- Lets a caller hold at a node of a version, for its group or, of a ring of all at once, for the call alone.
create function public.enter_queue(c public.call_logs, p_version_id bigint, p_node text) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v record;
  v_queue text;
begin
  perform public.lock_dialling(c.org_id);
  select n.node ->> 'group' as name, n.node ->> 'type' as type, w.steps -> 'groups' -> (n.node ->> 'group') as members into v
  from public.call_flow_versions as w cross join lateral (select w.steps -> 'nodes' -> p_node as node) as n
  where w.id = p_version_id;
  v_queue := case v.type when 'queue' then v.name else c.call_sid end;
  insert into public.queue_entries (
    call_sid, org_id, queue, group_name, version_id, node, line, members, seconds
  )
  select
    c.call_sid, c.org_id, v_queue, v.name, p_version_id, p_node, c.line,
    array(select jsonb_array_elements_text(v.members -> 'members')), coalesce((v.members ->> 'seconds')::integer, 20)
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
    left_at = clock_timestamp(),
    result = case when e.connected_at is not null then 'answered' else p_result end
  where e.id = q.id and e.left_at is null;
  if q.transferred_by is not null then
    perform public.transfer_ended(q.transferred_by, case p_result when 'hung_up' then 'caller_left' else 'unanswered' end);
  end if;
  if q.queue = q.call_sid then
    -- Twilio keeps the queue of each such call for ever: once an hour they are deleted.
    perform public.enqueue_job('queue_delete', q.owner::text, '{}', now() + interval '1 hour');
  end if;
  perform public.cancel_surplus(q.org_id, q.queue, case p_result when 'answered' then 'taken' else 'caller_left' end);
end
$$;

-- Whether anybody else has a code that the person of an attempt could transfer to.
create function public.may_transfer(a public.dial_attempts) returns boolean
-- plpgsql, here and below: its plan is kept.
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select exists (select from public.queue_entries as e where e.taken_by = a.token and e.left_at is null)
      and (
        exists (
          select from public.people as p
          where p.org_id is not distinct from a.org_id and p.code is not null and p.phone <> a.to_e164
        ) or exists (
          select from public.call_flow_versions as v
          where v.id = a.version_id and jsonb_path_exists(v.steps, '$.groups.*.code')
        )
      )
  );
end
$$;

-- Whether a talk that has ended for the caller goes on: `held`, while the person is still on the line and may transfer the
-- call; `made`, once it is transferred and the caller is to hold in a queue of its own. Null: it is over.
create function public.transfer_of(p_call_sid text) returns text
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select case
      when e.transferred_by is not null and e.connected_at is null then 'made'
      when e.connected_at is not null and a.ended_at is null and public.may_transfer(a) then 'held'
    end
    from public.queue_entries as e
    left join public.dial_attempts as a on a.token = e.taken_by
    where e.call_sid = p_call_sid and e.left_at is null
  );
end
$$;

-- Whether a caller who leaves a queue does so because the group has closed, or has nobody left, and by no key. Twilio tells
-- of `<Leave>`, not of what led to it.
create function public.gives_up(c public.call_logs, p_facts jsonb) returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return exists (
    select from public.queue_entries as q
    where q.call_sid = c.call_sid and q.left_at is null and q.leaving is distinct from 'offer'
      and public.walk_flow(q.version_id, q.node, c, p_facts) #>> '{0,outcome}' = 'gave_up'
  );
end
$$;

-- Has a person or group rung for the caller with whom the person of an attempt has talked, by the code of either. The caller
-- then holds in a queue of its own; if nobody takes the call, it returns to this person. p_code null: at once. Returns
-- {state, to}: `made`; `busy`, when `to` cannot be rung now; `unknown`, for no such code; `gone`, when the caller is.
create function public.transfer_call(a public.dial_attempts, p_code text) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  q public.queue_entries;
  v record;
begin
  perform public.lock_dialling(a.org_id);
  select * into q from public.queue_entries as e where e.taken_by = a.token and e.left_at is null;
  if q.id is null then
    return jsonb_build_object('state', case a.transfer when 'pending' then 'made' else 'gone' end);
  end if;
  if p_code is null then
    select null as name, q.group_name, array[a.to_e164::text] as members, q.seconds into v;
  else
    select w.* into v from (
      select p.name, q.group_name, array[p.handle] as members, q.seconds, 0 as turn
      from public.people as p where p.org_id is not distinct from a.org_id and p.code = p_code and p.phone <> a.to_e164
      union all
      select
        g.key, g.key, array(select jsonb_array_elements_text(g.value -> 'members')),
        coalesce((g.value ->> 'seconds')::integer, 20), 1
      from public.call_flow_versions as f cross join lateral jsonb_each(f.steps -> 'groups') as g
      where f.id = q.version_id and g.value ->> 'code' = p_code
    ) as w order by w.turn limit 1;
    if v.members is null then
      return '{"state": "unknown"}';
    elsif not exists (select from public.free_members(a.org_id, q.call_sid, v.members)) then
      return jsonb_build_object('state', 'busy', 'to', v.name);
    end if;
  end if;
  update public.queue_entries as e set left_at = clock_timestamp(), result = 'transferred' where e.id = q.id;
  insert into public.queue_entries (
    call_sid, org_id, queue, group_name, version_id, node, line, members, seconds, transferred_by, returns_to,
    returned_at
  ) values (
    q.call_sid, q.org_id, q.call_sid, v.group_name, q.version_id, q.node, q.line, v.members, v.seconds, a.token, a.to_e164,
    case when p_code is null then now() end
  );
  update public.dial_attempts as t set transfer = 'pending' where t.id = a.id;
  update public.call_legs as l set transfer = 'pending' where l.call_sid = a.call_sid and l.leg_sid = a.leg_sid;
  return jsonb_strip_nulls(jsonb_build_object(
    'state', 'made', 'to', v.name, 'wake', public.dispatch_queue(a.org_id, q.call_sid)
  ));
end
$$;

-- Says what became of the caller whom the person of an attempt transferred; again: nothing.
create function public.transfer_ended(p_token uuid, p_result text) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  a public.dial_attempts;
begin
  update public.dial_attempts as t set transfer = p_result where t.token = p_token and t.transfer = 'pending' returning * into a;
  update public.call_legs as l set transfer = p_result where l.call_sid = a.call_sid and l.leg_sid = a.leg_sid;
end
$$;

-- What is decided by where an event has led its call: promises, holding, dialling. Returns facts: {callbacks: {group: true},
-- queue: as tell_place, longest_idle, transfer: as transfer_of, self: as person_at, attempt: as attempt_told, wake: whether somebody is to
-- be dialled}.
create function public.enact(c public.call_logs, e public.voice_event, p_path jsonb) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_facts jsonb := '{}';
  v_last constant jsonb := p_path -> -1;
  v_node jsonb;
  v_group jsonb;
  v_entry public.queue_entries;
  v_freed public.queue_entries;
  v_step jsonb;
  v_made integer := 0;
begin
  if e.ask ? 'attempt' then
    v_facts := v_facts || jsonb_build_object('attempt', public.attempt_told(
      (e.ask #>> '{attempt,token}')::uuid, e.leg_sid, e.status, e.ask #>> '{attempt,told}', e.ask #>> '{attempt,code}',
      c.call_sid
    ));
    v_made := coalesce((v_facts #>> '{attempt,wake}')::integer, 0);
    if v_facts #>> '{attempt,purpose}' = 'campaign' and v_facts #>> '{attempt,over}' = 'true' then
      p_path := null;
    end if;
  end if;
  -- Somebody whom a campaign calls, or has called, calls its number.
  if e.ask ? 'line' and c.party is not null
    and exists (select from public.campaign_lines as l where l.line = c.line)
    and exists (
      select from public.campaign_contacts as k
      join public.campaigns as p on p.id = k.campaign_id and p.state in ('running', 'paused', 'stopping')
      join public.campaign_lines as l on l.campaign_id = p.id and l.line = c.line
      where k.e164 = c.party and p.org_id is not distinct from c.org_id and k.state not in ('opted_out', 'suppressed')
    )
  then
    v_facts := v_facts || '{"campaign": true}';
  end if;
  if e.ask ? 'stop' and c.party is not null then
    insert into public.suppressions (org_id, e164, source) values (c.org_id, c.party, e.ask ->> 'stop')
    on conflict do nothing;
  end if;
  if e.ask ? 'self' and c.flow_version is not null then
    v_facts := v_facts || jsonb_strip_nulls(jsonb_build_object(
      'self', public.person_at(c.org_id, c.party, (e.ask #>> '{self,available}')::boolean)
    ));
    if e.ask #>> '{self,available}' = 'true' and v_facts ? 'self' then
      v_made := v_made + public.dispatch_phone(c.org_id, c.party);
    end if;
  end if;

  if e.event = 'queue_left' and e.meta ->> 'outcome' = 'answered' then
    v_facts := v_facts || jsonb_strip_nulls(jsonb_build_object('transfer', public.transfer_of(c.call_sid)));
  end if;
  if p_path is not null and not v_facts ? 'transfer' then
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
        or (v_node ->> 'type' = 'ring' and (v_group ->> 'confirm')::boolean and coalesce(v_group ->> 'ring', 'all') = 'all')
      then
        perform public.enter_queue(c, (v_last ->> 'version')::bigint, v_last ->> 'node');
      elsif v_node ->> 'type' = 'ring' and v_group ->> 'ring' = 'rotate' then
        v_facts := v_facts || jsonb_strip_nulls(jsonb_build_object(
          'longest_idle', public.longest_idle(c.org_id, array(select jsonb_array_elements_text(v_group -> 'members')))
        ));
      end if;
    end if;
  end if;

  if e.ask ? 'call_token' and c.flow_version is not null and c.status < 'lost' then
    insert into public.call_tokens (call_sid, token)
    select c.call_sid, e.ask ->> 'call_token' from public.call_flow_versions as v where v.id = c.flow_version and v.rings_alone
    on conflict (call_sid) do nothing;
  end if;

  if p_path is not null or e.ask ? 'queue' then
    select * into v_entry from public.queue_entries as q where q.call_sid = c.call_sid and q.left_at is null;
    if v_entry.id is not null then
      if e.event = 'queue_waited' then
        -- A person who accepted the call has 10 s to be connected; this caller still waits.
        update public.queue_entries as q set taken_by = null, taken_at = null
        where q.id = v_entry.id and q.connected_at is null and q.taken_at < now() - interval '1 minute'
        returning * into v_freed;
        v_entry := case when v_freed.id is not null then v_freed else v_entry end;
        if v_entry.leaving is distinct from e.ask #>> '{queue,leaves}' then
          -- Of this and a person who presses 1 one comes first: a caller who is accepted stays for the person.
          perform public.lock_dialling(v_entry.org_id);
          update public.queue_entries as q set leaving = e.ask #>> '{queue,leaves}'
          where q.id = v_entry.id and q.taken_at is null;
        end if;
      end if;
      if v_entry.taken_at is null then
        v_made := v_made + public.dispatch_queue(v_entry.org_id, v_entry.queue);
      end if;
      -- Nothing where another session has ended the holding meanwhile.
      v_facts := v_facts || jsonb_strip_nulls(jsonb_build_object('queue', public.tell_place(c.call_sid)));
    end if;
  end if;
  if e.event = 'arrived' and e.ask ? 'attempt' and p_path is not null and public.finds_nobody(c, p_path) then
    perform public.attempt_told((e.ask #>> '{attempt,token}')::uuid, e.leg_sid, null, 'abandoned');
    perform public.leave_queue(c.call_sid, 'unanswered');
    v_facts := jsonb_set(v_facts - 'queue', '{attempt,abandoned}', 'true');
  end if;
  return v_facts || case when v_made > 0 then jsonb '{"wake": true}' else '{}' end;
end
$$;

-- Whether a person who has answered a campaign's call to people comes to a queue or a ring for which none of them is free now.
create function public.finds_nobody(c public.call_logs, p_path jsonb) returns boolean
language plpgsql stable set search_path = ''
as $$
declare
  v_entry public.queue_entries;
begin
  if not exists (
    select from public.dial_attempts as a join public.campaigns as k on k.id = a.campaign_id
    where a.leg_sid = c.call_sid and k.mode in ('progressive', 'predictive')
  ) then
    return false;
  end if;
  select * into v_entry from public.queue_entries as q where q.call_sid = c.call_sid and q.left_at is null;
  if v_entry.id is null then
    return p_path @? '$[*] ? (@.outcome == "unanswered" || @.outcome == "gave_up" || @.outcome == "full")';
  end if;
  return (
    select count(*) from public.dial_attempts as a
    where a.owner = v_entry.owner and a.queue = v_entry.queue and a.ended_at is null and a.accepted_at is null and a.cancelled_at is null
  ) < (
    select count(*) from public.queue_entries as q
    where q.owner = v_entry.owner and q.queue = v_entry.queue and q.left_at is null and q.taken_at is null
  );
end
$$;

-- What a leg of an attempt tells: p_status in Twilio's word, and p_told: `pressed`, the person accepts by key; `declined`, by
-- another key; `mailbox`, not at all; `connected`, with the caller of p_call_sid; `transfer`, wants to transfer the caller by
-- p_code; of a promise, `caller_busy`, `caller_no_answer` or `caller_failed`. Of all who press for one call, one wins. Returns
-- {purpose, won, over, why, call_sid, queue, to, transferred_by, may_transfer, transfer, wake}: to, the number to call back; over, when the
-- leg is to be ended, why, the result so far; transfer as transfer_call; wake, how many others are to be dialled now. Null: no such attempt. Again: the same.
create function public.attempt_told(
  p_token uuid, p_leg_sid text, p_status text default null, p_told text default null, p_code text default null,
  p_call_sid text default null
) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  a public.dial_attempts;
  v_before text;
  v_taken public.queue_entries;
  v_whom text;
  v_transfer jsonb;
  v_made integer := 0;
begin
  select * into a from public.dial_attempts as t where t.token = p_token;
  if a.id is null then
    return null;
  elsif a.purpose = 'campaign' then
    return public.campaign_leg_told(p_token, p_leg_sid, p_status, p_told);
  end if;
  perform public.lock_dialling(a.org_id);
  select * into a from public.dial_attempts as t where t.id = a.id for update;
  if a.leg_sid <> p_leg_sid or a.state = 'refused' then
    -- A leg too many.
    return jsonb_build_object('purpose', a.purpose, 'won', false, 'over', true);
  end if;
  v_before := a.call_sid;
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
        where w.owner = a.owner and w.queue = a.queue and w.left_at is null and w.taken_at is null and w.leaving is null
        order by w.queued_at, w.id limit 1
      )
      returning * into v_taken;
      v_whom := v_taken.call_sid;
      if v_taken.transferred_by is not null then
        perform public.transfer_ended(
          v_taken.transferred_by, case when v_taken.returns_to = a.to_e164 then 'returned' else 'accepted' end
        );
      end if;
    elsif a.purpose = 'callback_person' then
      select k.call_sid into v_whom from public.callbacks as k where k.id = a.callback_id and k.state = 'open';
    else
      update public.people as p set verified_at = now() where p.id = a.person_id and p.phone = a.to_e164
      returning p.handle into v_whom;
    end if;
    if v_whom is not null then
      a.accepted_at := now();
      -- Whatever was told before.
      a.result := null;
      a.call_sid := case when a.purpose = 'verify' then null else v_whom end;
    else
      a.cancelled_at := now();
      a.result := case when exists (
        select from public.queue_entries as w where w.owner = a.owner and w.queue = a.queue and w.left_at is null and w.leaving is not null
      ) then 'caller_left' else 'taken' end;
    end if;
  elsif p_told = 'connected' and a.accepted_at is not null then
    if a.purpose = 'person' and a.connected_at is null then
      a.call_sid := public.connect_caller(a, coalesce(p_call_sid, a.call_sid));
    end if;
    a.connected_at := coalesce(a.connected_at, now());
  elsif p_told = 'transfer' and a.connected_at is not null and a.ended_at is null then
    v_transfer := public.transfer_call(a, p_code);
    v_made := coalesce((v_transfer ->> 'wake')::integer, 0);
    a.transfer := case v_transfer ->> 'state' when 'made' then 'pending' else a.transfer end;
  elsif p_told in ('declined', 'mailbox') and a.accepted_at is null or p_told like 'caller\_%' then
    a.result := coalesce(a.result, p_told);
  end if;
  update public.dial_attempts as t set
    (leg_sid, state, dialled_at, answered_at, accepted_at, connected_at, cancelled_at, result, call_sid)
      = row (a.leg_sid, a.state, a.dialled_at, a.answered_at, a.accepted_at, a.connected_at, a.cancelled_at, a.result, a.call_sid)
  where t.id = a.id;
  if a.purpose = 'person' and (a.call_sid <> v_before or a.result in ('taken', 'caller_left')) then
    -- For that call the leg is over: it was too late, or took another caller.
    update public.call_legs as l set told = case when a.result = 'caller_left' then a.result else 'taken' end, status = case when a.call_sid <> v_before then 'completed' else l.status end,
      ended_at = case when a.call_sid <> v_before then now() else l.ended_at end
    where l.call_sid = v_before and l.leg_sid = a.leg_sid and l.connected_at is null;
  end if;
  if v_taken.id is not null then
    perform public.cancel_surplus(a.org_id, a.queue, 'taken');
  end if;
  if p_status in ('completed', 'busy', 'no-answer', 'canceled', 'failed') then
    v_made := v_made + public.end_attempt(a.id, p_status);
  end if;
  return jsonb_strip_nulls(jsonb_build_object(
    'purpose', a.purpose, 'won', a.accepted_at is not null,
    'over', a.cancelled_at is not null or a.ended_at is not null
      or coalesce(v_transfer ->> 'state' in ('made', 'gone'), false),
    'why', case when a.accepted_at is null then a.result end,
    'call_sid', a.call_sid, 'queue', a.queue, 'transfer', v_transfer - 'wake', 'wake', v_made,
    'to', (select k.to_e164 from public.callbacks as k where k.id = a.callback_id and a.accepted_at is not null),
    'transferred_by', (
      select f.name from public.queue_entries as e
      join public.dial_attempts as b on b.token = e.transferred_by
      join public.people as f on f.id = b.person_id
      where e.call_sid = a.queue and e.left_at is null
    ),
    'may_transfer', case when a.purpose = 'person' and p_told in ('pressed', 'connected') then public.may_transfer(a) end,
    'caller', case
      when p_told = 'pressed' and a.accepted_at is not null and a.purpose <> 'verify' then public.caller_context(a.call_sid, a.group_name)
    end
  ));
end
$$;

-- As attempt_told, of a leg that is no call's. p_account_sid: the sub-account that signed; null: the main account. One that is
-- not the owner's has no such attempt.
create function public.leg_told(p_token uuid, p_leg_sid text, p_status text, p_told text, p_account_sid text) returns jsonb
language plpgsql volatile set search_path = ''
as $$
begin
  if not exists (
    select from public.dial_attempts as a
    left join public.telephony_subaccounts as s on s.org_id = a.org_id
    where a.token = p_token and s.subaccount_sid is not distinct from p_account_sid
  ) then
    return null;
  end if;
  return public.attempt_told(p_token, p_leg_sid, p_status, p_told);
end
$$;

-- Notes that the person of an attempt is on the line with a caller: the one whom Twilio has connected, which may be another of
-- the queue than the one that was thought. Returns that call.
create function public.connect_caller(a public.dial_attempts, p_call_sid text) returns text
language plpgsql volatile set search_path = ''
as $$
declare
  q public.queue_entries;
begin
  select * into q from public.queue_entries as e
  where e.call_sid = p_call_sid and e.owner = a.owner and e.queue = a.queue and e.left_at is null;
  if q.id is null then
    return a.call_sid;
  end if;
  if q.taken_by is distinct from a.token then
    -- The person who was to have this caller gets the one that was taken here. Without such a person that one waits again.
    update public.queue_entries as e set taken_by = q.taken_by, taken_at = q.taken_at
    where e.taken_by = a.token and e.left_at is null and e.connected_at is null;
    update public.dial_attempts as t set call_sid = a.call_sid where t.token = q.taken_by and t.connected_at is null;
  end if;
  update public.queue_entries as e set
    taken_by = a.token, taken_at = coalesce(e.taken_at, clock_timestamp()), connected_at = coalesce(e.connected_at, now())
  where e.id = q.id;
  return p_call_sid;
end
$$;

-- Ends an attempt, and dials for whom its telephone is free again. A caller who was taken and not connected holds on, at the
-- old place. Returns how many are to be dialled. p_status: as Twilio's, or `refused`.
create function public.end_attempt(p_id bigint, p_status text) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  a public.dial_attempts;
  v_missed text[];
  v_made integer := 0;
begin
  if exists (select from public.dial_attempts as t where t.id = p_id and t.purpose = 'campaign') then
    perform public.end_campaign_attempt(p_id, p_status);
    return 0;
  end if;
  update public.dial_attempts as t set
    ended_at = clock_timestamp(),
    result = coalesce(t.result, case
      when t.accepted_at is not null and t.purpose = 'person' and t.connected_at is null then 'caller_left'
      when t.accepted_at is not null then 'accepted'
      when p_status = 'completed' then 'declined'
      when p_status in ('failed', 'refused') then 'unreachable'
      else replace(p_status, '-', '_')
    end)
  where t.id = p_id and t.ended_at is null
  returning * into a;
  if a.id is null then
    return 0;
  end if;
  if a.result in ('declined', 'mailbox', 'taken', 'caller_left') then
    update public.call_legs as l set told = a.result where l.call_sid = a.call_sid and l.leg_sid = a.leg_sid and l.told <> a.result;
  end if;
  if a.purpose = 'person' and a.accepted_at is not null then
    with missed as (
      update public.queue_entries as e set taken_by = null, taken_at = null, seen_at = '-infinity'
      where e.taken_by = a.token and e.left_at is null and e.connected_at is null
      returning e.call_sid
    )
    select array_agg(m.call_sid) into v_missed from missed as m;
    -- Nobody may be there any more, for whom telephones would ring again and again.
    perform public.enqueue_job('queue_check', m, jsonb_build_object('call_sid', m)) from unnest(v_missed) as m;
    perform public.leave_queue(e.call_sid, 'answered') from public.queue_entries as e
    where e.taken_by = a.token and e.left_at is null;
  elsif a.purpose = 'callback_person' then
    if a.connected_at is not null then
      insert into public.dialled_time as d (line, day, org_id, seconds)
      values (
        a.line, (a.connected_at at time zone 'UTC')::date, a.owner, ceil(extract(epoch from a.ended_at - a.connected_at))
      )
      on conflict (line, day, org_id) do update set seconds = d.seconds + excluded.seconds;
    end if;
    -- A telephone that was never dialled was no try.
    update public.callbacks as k set tries = k.tries - 1 where k.id = a.callback_id and a.dialled_at is null;
    perform public.callback_tried(a.callback_id, case
      when a.connected_at is not null then 'done'
      when a.accepted_at is not null and a.result not like 'caller\_%' then 'outcome_unknown'
      else a.result
    end);
  end if;
  -- Others may be free for the caller whom it did not reach.
  if a.queue is not null and a.connected_at is null then
    v_made := public.dispatch_queue(a.org_id, a.queue);
  end if;
  return v_made + public.dispatch_phone(a.org_id, a.to_e164);
end
$$;

-- What a `dial` job, or the end of a leg, is about; null: nothing is to be done any more.
create function public.dial_content(p_kind text, p_token uuid) returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object(
    'purpose', a.purpose, 'to', a.to_e164, 'line', a.line, 'account_sid', s.subaccount_sid, 'call_sid', a.call_sid,
    'group', a.group_name, 'node', a.node, 'seconds', a.seconds, 'state', a.state, 'leg_sid', a.leg_sid,
    'decided_at', a.decided_at, 'dialled_at', a.dialled_at, 'flow', v.hash, 'person', p.name,
    -- Known beforehand, where the call holds in a queue of its own.
    'caller', c.party, 'call_token', k.token, 'transferred_by', coalesce(f.name, b.to_e164),
    'returned', q.returned_at is not null, 'talks', case a.purpose
      when 'campaign' then a.answered_at is not null else a.accepted_at is not null and a.cancelled_at is null
    end
  )
  from public.dial_attempts as a
  left join public.telephony_subaccounts as s on s.org_id = a.org_id
  left join public.call_flow_versions as v on v.id = a.version_id
  left join public.people as p on p.id = a.person_id
  left join public.queue_entries as q on q.call_sid = a.queue and q.left_at is null
  left join public.call_tokens as k on k.call_sid = q.call_sid
  left join public.call_logs as c on c.call_sid = q.call_sid
  left join public.dial_attempts as b on b.token = q.transferred_by
  left join public.people as f on f.id = b.person_id
  where a.token = p_token and a.ended_at is null
    and case p_kind when 'dial' then a.state in ('intended', 'unknown') and a.cancelled_at is null else true end;
end;

-- Takes a slot of the account's time for a person's leg, before it is begun: at once where nothing is dialled around now, else the
-- next one, and that of a campaign's dial that is not begun, which is made later. So all who dial for an account keep its rate
-- together. Returns the milliseconds until it may be sent; null: more than p_most.
create function public.take_dial_slot(p_token uuid, p_most integer) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  a public.dial_attempts;
  r public.dial_rates;
  v_now timestamptz;
  v_slot_sec numeric;
  v_slot bigint;
  v_taken public.dial_attempts;
  v_wait integer;
begin
  select * into a from public.dial_attempts as t where t.token = p_token and t.state = 'intended' and t.ended_at is null;
  if a.id is null then
    return 0;
  end if;
  insert into public.dial_rates (owner, per_second) values (a.owner, 1) on conflict do nothing;
  select * into r from public.dial_rates as t where t.owner = a.owner for update;
  v_now := clock_timestamp();
  -- As in reserve_campaign_dials.
  v_slot_sec := 1.04 / r.per_second;
  v_slot := floor(extract(epoch from v_now) / v_slot_sec);
  v_wait := case
    when r.not_before <= v_now
      and not exists (select from public.dial_attempts as o where o.owner = a.owner and o.slot = v_slot and o.id <> a.id)
    then 0
  end;
  v_slot := greatest(v_slot + 1, ceil(extract(epoch from greatest(r.not_before, v_now)) / v_slot_sec));
  loop
    if v_slot * v_slot_sec > extract(epoch from v_now) + p_most / 1000.0 then
      return null;
    end if;
    select * into v_taken from public.dial_attempts as o where o.owner = a.owner and o.slot = v_slot and o.id <> a.id;
    exit when v_taken.id is null;
    if v_taken.purpose = 'campaign' then
      update public.dial_attempts as o set slot = null
      where o.id = (
        select t.id from public.dial_attempts as t
        where t.id = v_taken.id and t.state = 'intended' and t.ended_at is null for update skip locked
      );
      if found then
        perform public.end_campaign_attempt(v_taken.id, 'canceled');
        exit;
      end if;
    end if;
    v_wait := null;
    v_slot := v_slot + 1;
  end loop;
  update public.dial_attempts as t set slot = v_slot where t.id = a.id;
  return coalesce(v_wait, greatest(0, ceil((v_slot * v_slot_sec - extract(epoch from v_now)) * 1000)));
end
$$;

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
-- Returns {over, other, wake}: over, when the leg is to be ended; other, when it is that of another attempt.
create function public.dial_told(p_token uuid, p_state text, p_leg_sid text default null) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  a public.dial_attempts;
  v_made integer := 0;
begin
  select * into a from public.dial_attempts as t where t.token = p_token;
  -- Campaigns take no part in decisions on an owner's telephones.
  if a.purpose <> 'campaign' then
    perform public.lock_dialling(a.org_id);
  end if;
  if p_state = 'created' and exists (select from public.dial_attempts as o where o.leg_sid = p_leg_sid and o.id <> a.id) then
    return '{"over": false, "other": true, "wake": 0}';
  end if;
  -- Of a campaign's dial that is in doubt Twilio is asked again, until its list has been without the leg for ten minutes.
  if a.purpose = 'campaign' and p_state = 'intended' and a.dialled_at > now() - interval '12 minutes' then
    return '{"over": false, "wake": 0}';
  end if;
  update public.dial_attempts as t set
    state = p_state, leg_sid = p_leg_sid, dialled_at = case when p_state <> 'intended' then t.dialled_at end
  where t.id = a.id and t.state in ('intended', 'unknown') and t.ended_at is null;
  -- The leg itself may have told of it before.
  select * into a from public.dial_attempts as t where t.id = a.id;
  if p_state = 'refused' and a.state = 'refused' then
    v_made := public.end_attempt(a.id, 'refused');
  elsif p_state = 'created' and a.purpose = 'campaign' and a.ended_at is null then
    perform public.contact_stands(a);
  elsif p_state = 'intended' and (a.cancelled_at is not null or a.purpose = 'campaign') then
    v_made := public.end_attempt(a.id, 'canceled');
  end if;
  return jsonb_build_object(
    'over', a.id is null or a.cancelled_at is not null or a.ended_at is not null
      or (p_leg_sid is not null and a.leg_sid is distinct from p_leg_sid),
    'wake', v_made
  );
end
$$;

-- Dials for a promise that is due, within its hours and its line's minutes of the day: outside them it is due when they begin.
-- It fails where the caller has said stop since. Again, while it is dialled: nothing. Returns how many are to be dialled.
create function public.keep_promise(p_id uuid) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  k public.callbacks;
begin
  select * into k from public.callbacks as c where c.id = p_id and c.state = 'open' and c.due_at <= now();
  if k.id is null then
    return 0;
  end if;
  perform public.lock_dialling(k.org_id);
  if exists (
    select from public.suppressions as x
    where x.number_hash = public.number_hash(k.to_e164) and x.org_id is not distinct from k.org_id and x.created_at > k.promised_at
  ) then
    update public.callbacks as c set state = 'failed', ready = false, ended_at = now(), why = 'stopped'
    where c.id = k.id and c.state = 'open';
    return 0;
  elsif exists (
    select from public.dialled_time as d
    where d.line = k.line and d.org_id = k.owner and d.day = (now() at time zone 'UTC')::date
      and d.seconds + d.open * d.leg_sec >= d.ceiling_sec
  ) then
    -- The line has used up its minutes of the day.
    update public.callbacks as c set ready = false, due_at = date_trunc('day', now(), 'UTC') + interval '1 day'
    where c.id = k.id and c.state = 'open';
    return 0;
  elsif not public.promise_open(k) then
    update public.callbacks as c set ready = false, due_at = coalesce(
      (public.calendar_switches(k.calendar) #>> '{switches,0}')::timestamptz, now() + interval '1 day'
    )
    where c.id = k.id and c.state = 'open';
    return 0;
  end if;
  update public.callbacks as c set ready = true where c.id = k.id and c.state = 'open' and not c.ready
    and not exists (select from public.dial_attempts as a where a.callback_id = c.id and a.ended_at is null);
  return public.dispatch_queue(k.org_id, k.group_name);
end
$$;

-- Has a person called, who proves by a key that the number is theirs. Returns the attempt's token; null: the telephone is in
-- use. Raises PT404 (HTTP 404) for nobody of that handle, PT400 for a number that is a line, PT429 after 5
-- calls to it in a day, or 50 of its owner's.
create function public.verify_person(p_org_id uuid, p_handle text, p_line text) returns uuid
language plpgsql volatile set search_path = ''
as $$
declare
  v_person public.people;
  v_token uuid;
  v_is_often boolean;
begin
  select * into v_person from public.people as p where p.handle = p_handle and p.org_id is not distinct from p_org_id;
  if v_person.id is null then
    raise sqlstate 'PT404' using message = format('no person has the handle "%s"', p_handle), detail = 'handle';
  end if;
  if public.own_lines(array[v_person.phone::text]) <> '[]' then
    raise sqlstate 'PT400' using message = 'the number is one of the lines themselves', detail = 'phone';
  end if;
  -- Of the main account, numbers that follow no published flow are not known here.
  if not coalesce((
    select bool_or(o.line = p_line) from (
      select n.e164_number as line from public.telephony_numbers as n where n.org_id = p_org_id
      union all
      select l.line from public.lines as l where l.org_id is not distinct from p_org_id
    ) as o
  ), p_org_id is null) then
    raise sqlstate 'PT400' using message = format('%s is not a line of this owner', p_line), detail = 'line';
  end if;
  perform public.lock_dialling(p_org_id);
  -- It may be a stranger's, and an admin may enter many.
  select
    count(*) filter (where a.to_e164 = v_person.phone) >= 5 or count(*) filter (where a.org_id is not distinct from p_org_id) >= 50
  into v_is_often
  from public.dial_attempts as a where a.purpose = 'verify' and a.decided_at > now() - interval '1 day';
  if v_is_often then
    raise sqlstate 'PT429' using detail = 'phone',
      message = 'a number is called 5 times a day to be verified, and all numbers together 50 times: try again tomorrow';
  end if;
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

-- What Twilio says of a call that holds: p_state `waiting`, in the queue; `left`, on the line and not in the queue; `ended`.
-- Again: nothing. Returns how many are to be dialled.
create function public.queue_told(p_call_sid text, p_state text) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  q public.queue_entries;
  v_taker public.dial_attempts;
begin
  select * into q from public.queue_entries as e where e.call_sid = p_call_sid and e.left_at is null;
  if q.id is null then
    return 0;
  end if;
  perform public.lock_dialling(q.org_id);
  select * into v_taker from public.dial_attempts as a where a.token = q.taken_by and a.ended_at is null;
  if p_state = 'waiting' then
    update public.queue_entries as e set
      seen_at = now(), taken_by = case when v_taker.id is not null then e.taken_by end,
      taken_at = case when v_taker.id is not null then e.taken_at end
    where e.id = q.id and e.left_at is null and e.connected_at is null;
    return public.dispatch_queue(q.org_id, q.queue);
  elsif p_state = 'left' and v_taker.accepted_at is not null then
    update public.dial_attempts as t set connected_at = coalesce(t.connected_at, now()), call_sid = public.connect_caller(t, p_call_sid)
    where t.id = v_taker.id;
  elsif p_state = 'left' and exists (
    select from public.dial_attempts as a
    where a.owner = q.owner and a.queue = q.queue and a.ended_at is null and a.accepted_at is not null and a.connected_at is null
  ) then
    -- Perhaps connected a moment ago, with another person of the queue: Twilio is asked again.
    return 0;
  else
    perform public.leave_queue(p_call_sid, case p_state when 'ended' then 'hung_up' else 'unanswered' end);
  end if;
  return 0;
end
$$;

-- What a `queue_check` job asks Twilio about; null: the call holds no more, or was heard of.
create function public.queue_content(p_call_sid text) returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object(
    'account_sid', s.subaccount_sid, 'call_sid', e.call_sid, 'org_id', e.org_id, 'queue', e.queue, 'queued_at', e.queued_at
  )
  from public.queue_entries as e
  left join public.telephony_subaccounts as s on s.org_id = e.org_id
  where e.call_sid = p_call_sid and e.left_at is null and e.connected_at is null
    and e.seen_at < now() - interval '2 minutes';
end;

-- What a crash or a lost callback left: attempts that nobody dialled are ended, promises that are due get a job again, and
-- Twilio is asked about legs that must have ended, and about callers whom nothing was heard of.
create function public.mend_dialling() returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v record;
begin
  -- Of calls whose end was never reported: no call lasts longer.
  delete from public.call_tokens as t where t.kept_at < now() - interval '4 hours';
  -- Before any row, as events do, and in one order of owners, so that neither they nor two runs deadlock.
  for v in
    select distinct o.owner, o.org_id from (
      select a.owner, a.org_id from public.dial_attempts as a
      where a.ended_at is null and a.dialled_at is null and a.decided_at < now() - interval '3 minutes'
      union all
      select k.owner, k.org_id from public.callbacks as k
      where k.state = 'open' and (k.ready or k.promised_at < now() - interval '7 days')
    ) as o order by o.owner
  loop
    perform public.lock_dialling(v.org_id);
  end loop;
  perform public.end_attempt(a.id, 'canceled') from public.dial_attempts as a
  where a.ended_at is null and a.dialled_at is null and a.decided_at < now() - interval '3 minutes';

  update public.callbacks as k set ready = false where k.ready and not public.promise_open(k);
  -- After a week the caller has found another way.
  update public.callbacks as k set state = 'failed', ready = false, ended_at = now(), why = 'expired'
  where k.state = 'open' and k.promised_at < now() - interval '7 days'
    and not exists (select from public.dial_attempts as a where a.callback_id = k.id and a.ended_at is null);
  perform public.enqueue_job(o.kind, o.key, jsonb_strip_nulls(jsonb_build_object('call_sid', o.call_sid)))
  from (
    select 'callback' as kind, k.id::text as key, k.call_sid from public.callbacks as k
    where k.state = 'open' and not k.ready and k.due_at <= now()
      and not exists (select from public.dial_attempts as a where a.callback_id = k.id and a.ended_at is null)
    union all
    select 'dial_end', a.token::text, a.call_sid
    from public.dial_attempts as a
    where a.ended_at is null and case
      -- Of a talk that may be over, every fifth minute.
      when a.accepted_at is not null or (a.purpose = 'campaign' and a.answered_at is not null)
        then floor(extract(epoch from now() - coalesce(a.accepted_at, a.answered_at)) / 60)::integer % 5 = 2
      else a.dialled_at < now() - make_interval(secs => a.seconds) - interval '2 minutes'
    end
    union all
    select 'queue_check', e.call_sid, e.call_sid from public.queue_entries as e
    where e.left_at is null and e.connected_at is null and e.seen_at < now() - interval '3 minutes'
  ) as o;
  -- Who is free for promises that were ready, and that no event has looked at since.
  for v in
    select distinct k.owner, k.org_id, k.group_name from public.callbacks as k where k.ready order by k.owner, k.group_name
  loop
    perform public.dispatch_queue(v.org_id, v.group_name);
  end loop;
end
$$;

-- Plain <Dial> legs are in call_legs alone.
create view public.people_performance with (security_invoker = true) as
with rung as (
  select
    a.org_id, a.to_e164, a.person_id, a.group_name, a.decided_at as at, a.result, a.dialled_at, a.accepted_at,
    a.connected_at, a.ended_at, a.transfer
  from public.dial_attempts as a where a.purpose not in ('verify', 'campaign')
  union all
  select
    c.org_id, l.to_e164, null, n.node ->> 'group', l.dialled_at, l.result, l.dialled_at, coalesce(l.accepted_at, l.connected_at),
    l.connected_at, l.ended_at, null
  from public.call_legs as l
  join public.call_logs as c on c.call_sid = l.call_sid
  left join public.call_flow_versions as v on v.id = c.flow_version
  left join lateral (select v.steps -> 'nodes' -> l.node as node) as n on true
  where l.to_e164 is not null and not exists (select from public.dial_attempts as a where a.leg_sid = l.leg_sid)
)
select
  r.org_id, p.handle, coalesce(p.name, r.to_e164) as name, r.group_name, date_trunc('day', r.at, 'UTC')::date as day,
  count(*) as rung, count(*) filter (where r.connected_at is not null or r.result = 'accepted') as accepted,
  count(*) filter (where r.result = 'declined') as declined, count(*) filter (where r.result = 'mailbox') as mailbox,
  count(*) filter (where r.result = 'taken') as too_late, count(*) filter (where r.result = 'caller_left') as caller_left,
  count(*) filter (where r.result = 'no_answer') as no_answer, count(*) filter (where r.result = 'busy') as busy,
  count(*) filter (where r.result = 'unreachable') as unreachable, count(*) filter (where r.result = 'canceled') as canceled,
  count(*) filter (where r.transfer = 'accepted') as transferred,
  avg(extract(epoch from r.accepted_at - r.dialled_at))::numeric(8, 1) as seconds_to_accept,
  coalesce(sum(extract(epoch from r.ended_at - r.connected_at)), 0)::bigint as talk_sec
from rung as r
-- A number that a flow names may be that of a person.
left join lateral (
  select * from public.people as p
  where p.id = r.person_id or r.person_id is null and p.phone = r.to_e164 and p.org_id is not distinct from r.org_id
  order by p.handle limit 1
) as p on true
group by 1, 2, 3, 4, 5;

comment on view public.people_performance is 'Of each person, group and day (UTC): how often rung, and how each ended. too_late: somebody else was first; canceled: ended before an answer; transferred: passed on to somebody who took the call.';

-- Not the token: the address of a leg's webhooks is made of it.
grant select (
  id, purpose, org_id, owner, call_sid, queue, callback_id, person_id, to_e164, line, group_name, version_id, node, seconds, state,
  leg_sid, decided_at, dialled_at, answered_at, accepted_at, connected_at, cancelled_at, ended_at, result, transfer
) on public.dial_attempts to authenticated;
grant select on public.people_performance to authenticated;
grant select, insert, update on public.dial_attempts to service_role;
-- What campaign_results shows; the token stays with the functions.
grant select (id, owner, contact_id, line, leg_sid, dialled_at, answered_at, ended_at) on public.dial_attempts to authenticated;
grant select on public.people_performance to service_role;
grant execute on function
  public.lock_dialling, public.free_members, public.longest_idle, public.dispatch_queue, public.return_transfer, public.dispatch_phone,
  public.cancel_surplus, public.cancel_attempt, public.enter_queue, public.leave_queue, public.gives_up, public.transfer_of, public.may_transfer,
  public.transfer_call, public.transfer_ended, public.enact, public.finds_nobody, public.attempt_told, public.leg_told, public.connect_caller, public.end_attempt,
  public.dial_content, public.take_dial_slot, public.begin_dial, public.dial_told, public.keep_promise, public.verify_person, public.queue_told,
  public.queue_content, public.mend_dialling
  to service_role;
