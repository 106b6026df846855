-- Callers who hold. A queue is one of Twilio's, named by its owner and a group; it connects callers in the order of arrival.
-- For a ring of all members at once, with acceptance by key, the caller holds in a queue of their own.

create table public.queue_entries (
  id bigint generated always as identity primary key,
  call_sid text not null constraint queue_entries_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  org_id uuid,
  -- A key holds no null: see dialled_time.
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  -- The group; of a queue of the caller's own, the call.
  queue text not null constraint queue_entries_queue_length check (length(queue) between 1 and 64),
  group_name text constraint queue_entries_group_length check (length(group_name) between 1 and 64),
  -- The node of the version that holds the caller.
  version_id bigint not null,
  node text not null constraint queue_entries_node_form check (node ~ '^[a-z][a-z0-9_]{0,31}$'),
  line public.e164,
  -- Whom it rings, by handle or number, and how long each of them.
  members text[] not null,
  seconds integer not null constraint queue_entries_seconds_range check (seconds between 5 and 600),
  queued_at timestamptz not null default clock_timestamp(),
  -- Of a transferred caller: the attempt whose person transferred, to whom the caller returns if nobody takes the call, and
  -- since when that telephone is the one that rings.
  transferred_by uuid,
  returns_to public.e164,
  returned_at timestamptz,
  -- When Twilio last asked what the caller hears; -infinity: it is to be asked whether the caller holds at all.
  seen_at timestamptz not null default now(),
  -- The caller has been led out, by the key that leads to the offer or because the longest wait is over: who presses 1 from now
  -- on takes another one.
  leaving text constraint queue_entries_leaving_known check (leaving in ('offer', 'over')),
  -- The last position told: never a greater one, although a caller who comes back to an old place may be put ahead.
  told_position integer constraint queue_entries_position_range check (told_position > 0),
  -- How many were ahead at first, this one included: what a wait is measured by. Set with the first position told.
  first_position integer not null default 1 constraint queue_entries_first_range check (first_position > 0),
  -- The one whose press of the key won it.
  taken_by uuid,
  taken_at timestamptz,
  -- When the two were on the line together.
  connected_at timestamptz,
  left_at timestamptz,
  result text constraint queue_entries_result_known check (
    result in ('answered', 'unanswered', 'offer', 'gave_up', 'full', 'hung_up', 'transferred')
  ),
  constraint queue_entries_taken_whole check ((taken_by is null) = (taken_at is null)),
  constraint queue_entries_connected_taken check (connected_at is null or taken_at is not null),
  constraint queue_entries_left_whole check ((left_at is null) = (result is null)),
  constraint queue_entries_transfer_whole check ((transferred_by is null) = (returns_to is null))
)
with (fillfactor = 80);

comment on table public.queue_entries is 'One row a time that a caller holds for a group.';

-- None on what changes with each document that a caller hears: those updates touch no index.
create unique index queue_entries_open_idx on public.queue_entries (call_sid) where left_at is null;
create index queue_entries_call_idx on public.queue_entries (call_sid);
create index queue_entries_waiting_idx on public.queue_entries (owner, queue, queued_at, id)
  where left_at is null and taken_at is null;
create index queue_entries_taker_idx on public.queue_entries (taken_by) where left_at is null and taken_by is not null;
create index queue_entries_taken_idx on public.queue_entries (owner, queue, taken_at) where taken_at is not null;

alter table public.queue_entries enable row level security;
create policy queue_entries_of_own_org on public.queue_entries
  for select to authenticated using (owner = (select public.current_owner()));
create policy queue_entries_of_the_service on public.queue_entries to service_role using (true) with check (true);

-- Twilio's permission to show a caller's number to the telephones that ring for the call: its `CallToken`, which comes with the
-- call's first webhook. Kept for calls whose flow may ring telephones so, while they last.
create table public.call_tokens (
  call_sid text primary key constraint call_tokens_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  token text not null constraint call_tokens_token_length check (length(token) between 1 and 4096),
  kept_at timestamptz not null default now()
);

comment on table public.call_tokens is 'Twilio''s CallToken of each call whose legs may show its caller''s number; deleted as the call ends.';

create index call_tokens_kept_idx on public.call_tokens (kept_at);

alter table public.call_tokens enable row level security;
create policy call_tokens_of_the_service on public.call_tokens to service_role using (true) with check (true);

-- Whether a queue holds as many as Twilio lets it. They are counted only when the last one came to a queue that was so long.
create function public.queue_is_full(p_owner uuid, p_queue text) returns boolean
language plpgsql stable set search_path = ''
as $$
declare
  v_limit constant integer := 1000;
begin
  return coalesce((
    select e.first_position >= v_limit from public.queue_entries as e
    where e.owner = p_owner and e.queue = p_queue and e.left_at is null and e.taken_at is null
    order by e.queued_at desc, e.id desc limit 1
  ), false) and v_limit <= (
    select count(*) from public.queue_entries as e
    where e.owner = p_owner and e.queue = p_queue and e.left_at is null and e.taken_at is null
  );
end
$$;

-- A caller's place, {position, ringing, wait}: position counts those ahead and the caller, and is never greater than the one
-- told before. ringing: how many telephones ring for the queue, or have just accepted; of a transferred call, or will ring when
-- their own leg has ended. taken: somebody has accepted the call, and is about to be connected. wait, {low_sec, high_sec, samples}, is the middle half of what callers at such a place waited in the last 4 hours;
-- only from more than 20 of them. Null: the call holds nowhere.
create function public.tell_place(p_call_sid text) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  q public.queue_entries;
  v_position integer;
  v_wait jsonb;
begin
  select * into q from public.queue_entries as e where e.call_sid = p_call_sid and e.left_at is null for update;
  if q.id is null then
    return null;
  end if;
  select least(q.told_position, count(*) + 1) into v_position
  from public.queue_entries as e
  where e.owner = q.owner and e.queue = q.queue and e.left_at is null and e.taken_at is null
    and (e.queued_at, e.id) < (q.queued_at, q.id);
  update public.queue_entries as e set
    told_position = v_position, seen_at = now(), first_position = case when q.told_position is null then v_position else e.first_position end
  where e.id = q.id;
  select jsonb_build_object(
    'low_sec', ceil(v_position * s.middle[1])::integer, 'high_sec', ceil(v_position * s.middle[2])::integer,
    'samples', s.samples
  ) into v_wait
  from (
    select
      count(*) as samples,
      percentile_cont(array[0.25, 0.75]) within group (
        order by extract(epoch from w.taken_at - w.queued_at) / w.first_position
      ) as middle
    from (
      select e.taken_at, e.queued_at, e.first_position from public.queue_entries as e
      where e.owner = q.owner and e.queue = q.queue and e.taken_at > now() - interval '4 hours'
      order by e.taken_at desc limit 200
    ) as w
  ) as s
  where s.samples > 20;
  return jsonb_strip_nulls(jsonb_build_object('position', v_position, 'wait', v_wait, 'taken', case
    when q.taken_at is not null and q.connected_at is null then true
  end, 'ringing', (
    select count(*) from public.dial_attempts as a
    where a.owner = q.owner and (a.queue = q.queue or a.to_e164 = q.returns_to) and a.ended_at is null and a.cancelled_at is null
  )));
end
$$;

create view public.queue_now with (security_invoker = true) as
select
  e.org_id, e.group_name, e.call_sid, c.party as from_e164, e.line, e.queue = e.call_sid as rings_all, e.node, e.queued_at,
  extract(epoch from now() - e.queued_at)::integer as waited_sec, e.taken_at is not null as taken,
  case when e.taken_at is null then
    row_number() over (partition by e.owner, e.queue, e.taken_at is null order by e.queued_at, e.id)
  end as position,
  e.told_position
from public.queue_entries as e
left join public.call_logs as c on c.call_sid = e.call_sid
where e.left_at is null
order by e.queued_at, e.id;

comment on view public.queue_now is 'Who holds now, for which group, since when and at which place; taken: somebody has accepted the call and is being connected, or talks.';

-- Not the tokens by which legs are addressed.
grant select (
  id, call_sid, org_id, owner, queue, group_name, version_id, node, line, members, seconds, queued_at, returns_to, returned_at,
  seen_at, told_position, first_position, taken_at, connected_at, left_at, result
) on public.queue_entries to authenticated;
grant select on public.queue_now to authenticated;
grant select, insert, update on public.queue_entries to service_role;
grant select, insert, delete on public.call_tokens to service_role;
grant select on public.queue_now to service_role;
grant execute on function public.tell_place, public.queue_is_full to service_role;
