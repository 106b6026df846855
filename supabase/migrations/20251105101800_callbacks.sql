-- Promises to call back. The row exists before the caller hears the promise, and ends as done or as failed with why.

create table public.callbacks (
  id uuid primary key default gen_random_uuid(),
  -- The call in which it was promised.
  call_sid text not null constraint callbacks_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  org_id uuid,
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  to_e164 public.e164 not null,
  -- Shown to both.
  line public.e164 not null,
  group_name text not null constraint callbacks_group_length check (length(group_name) between 1 and 64),
  version_id bigint not null,
  node text not null constraint callbacks_node_form check (node ~ '^[a-z][a-z0-9_]{0,31}$'),
  members text[] not null,
  seconds integer not null constraint callbacks_seconds_range check (seconds between 5 and 600),
  -- When it may be kept, as a calendar of a flow.
  calendar jsonb not null constraint callbacks_calendar_object check (jsonb_typeof(calendar) = 'object'),
  -- Its place in line: when the caller began to hold.
  queued_at timestamptz not null,
  promised_at timestamptz not null default clock_timestamp(),
  state text not null default 'open' constraint callbacks_state_known check (state in ('open', 'done', 'failed')),
  -- Times that a telephone was dialled for it.
  tries smallint not null default 0,
  max_tries smallint not null default 5 constraint callbacks_max_tries_range check (max_tries between 1 and 20),
  -- Not before. From then on, and while its hours last, it is `ready`: a person who is free is dialled for it.
  due_at timestamptz not null default now(),
  ready boolean not null default false,
  -- How the last try ended; of a failed one, why.
  why text constraint callbacks_why_length check (length(why) between 1 and 200),
  ended_at timestamptz,
  -- Of a failed one: a person has seen it, or called back.
  dismissed boolean not null default false,
  constraint callbacks_dismissed_failed check (state = 'failed' or not dismissed),
  constraint callbacks_tries_range check (tries between 0 and max_tries),
  constraint callbacks_ended_whole check ((ended_at is null) = (state = 'open')),
  constraint callbacks_ready_open check (state = 'open' or not ready)
);

comment on table public.callbacks is 'Promises to call back: one open one for a number and group.';

create unique index callbacks_once on public.callbacks (owner, to_e164, group_name) where state = 'open';
create index callbacks_ready_idx on public.callbacks (owner, group_name, queued_at, id) where ready;
create index callbacks_open_idx on public.callbacks (promised_at) where state = 'open';
create index callbacks_due_idx on public.callbacks (due_at) where state = 'open' and not ready;
create index callbacks_call_idx on public.callbacks (call_sid);
create index callbacks_to_idx on public.callbacks (to_e164);

alter table public.callbacks enable row level security;
create policy callbacks_of_own_org on public.callbacks
  for select to authenticated using (owner = (select public.current_owner()));
create policy callbacks_by_agents_dismissed on public.callbacks
  for update to authenticated
  using (owner = (select public.current_owner()) and (select public.my_role()) >= 'agent' and state = 'failed')
  with check (owner = (select public.current_owner()));
create policy callbacks_of_the_service on public.callbacks to service_role using (true) with check (true);

-- Whether the caller's number was one to call when the call came in: Twilio need not say later that a network calls it forged.
create function public.came_callable(c public.call_logs) returns boolean
language sql stable set search_path = ''
begin atomic
  select not exists (
    select from public.call_lifecycle as l
    where l.call_sid = c.call_sid and l.received_at >= c.created_at and l.received_at < now() + interval '1 day'
      and l.event = 'arrived' and (l.answer).facts ->> 'callable' = 'false'
  );
end;

-- Whether a call back may be promised to a caller. A number can be somebody else's, so it is called back 5 times a day at most.
create function public.may_promise(c public.call_logs) returns boolean
language sql stable set search_path = ''
begin atomic
  select public.came_callable(c) and 5 > (
    select count(*) from public.callbacks as k
    where k.to_e164 = c.party and k.owner = coalesce(c.org_id, '00000000-0000-0000-0000-000000000000')
      and k.state <> 'open' and k.promised_at > now() - interval '1 day'
  );
end;

-- When people are called back where no calendar says it: by day. As a calendar of a flow.
create function public.calling_hours(p_zone text) returns jsonb
language sql immutable set search_path = ''
return jsonb_build_object('zone', p_zone, 'weekly', (
  select jsonb_object_agg(d, '[["08:00", "21:00"]]'::jsonb) from unnest(array['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']) as d
));

-- Promises a call back, or finds that one is promised already. The caller's place in line counts from the time at which the
-- call first held for the group.
create function public.promise_callback(c public.call_logs, p_version_id bigint, p_node text) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v record;
  v_id uuid;
begin
  select
    w.steps -> 'nodes' -> p_node ->> 'group' as name, w.definition ->> 'zone' as zone, w.calendars,
    w.steps -> 'groups' -> (w.steps -> 'nodes' -> p_node ->> 'group') as members
  into v from public.call_flow_versions as w where w.id = p_version_id;
  insert into public.callbacks (
    call_sid, org_id, to_e164, line, group_name, version_id, node, members, seconds, calendar, queued_at
  ) values (
    c.call_sid, c.org_id, c.party, c.line, v.name, p_version_id, p_node,
    array(select jsonb_array_elements_text(v.members -> 'members')), coalesce((v.members ->> 'seconds')::integer, 20),
    coalesce(v.calendars -> (v.members ->> 'calendar'), public.calling_hours(v.zone)),
    coalesce((
      select min(e.queued_at) from public.queue_entries as e where e.call_sid = c.call_sid and e.group_name = v.name
    ), clock_timestamp())
  )
  on conflict (owner, to_e164, group_name) where state = 'open' do nothing
  returning id into v_id;
  if v_id is not null then
    perform public.enqueue_job(
      'callback', v_id::text, jsonb_build_object('call_sid', c.call_sid)
    );
  end if;
end
$$;

-- Whether a promise may be kept now: by its calendar, or an override of that.
create function public.promise_open(k public.callbacks) returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return public.calendar_states(jsonb_build_object('its', k.calendar)) ->> 'its' = 'open';
end
$$;

-- Has the promises that wait for a calendar to open looked at again, after it was opened or closed by an override. A try that
-- waits after another waits an hour at most.
create function public.reconsider_promises(p_flow_id bigint, p_calendar text) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  update public.callbacks as k set due_at = now()
  where k.state = 'open' and not k.ready and k.due_at > now() + case when k.tries > 0 then interval '1 hour' else interval '0' end
    and (k.calendar ->> 'flow')::bigint = p_flow_id and k.calendar ->> 'calendar' = p_calendar;
end
$$;

-- Ends a try. p_result: `done`, or why the two were not connected. The next try waits longer each time; after the last one
-- the promise has failed.
create function public.callback_tried(p_id uuid, p_result text) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_callback public.callbacks;
begin
  update public.callbacks as k set
    state = case
      when p_result = 'done' then 'done'
      -- The caller may have been called: better no call than a second one.
      when p_result = 'outcome_unknown' or k.tries >= k.max_tries then 'failed'
      else 'open'
    end,
    ended_at = case when p_result in ('done', 'outcome_unknown') or k.tries >= k.max_tries then now() end,
    ready = false,
    why = p_result,
    due_at = now() + (array['1 min', '5 min', '15 min', '1 h'])[least(greatest(k.tries, 1), 4)]::interval
  where k.id = p_id and k.state = 'open'
  returning * into v_callback;
  if v_callback.state = 'open' then
    perform public.enqueue_job('callback', p_id::text, jsonb_build_object('call_sid', v_callback.call_sid), v_callback.due_at);
  end if;
end
$$;

create view public.callbacks_due with (security_invoker = true) as
select
  k.id, k.org_id, k.group_name, k.call_sid, k.to_e164, k.line, k.queued_at, k.promised_at, k.due_at, k.tries, k.max_tries,
  k.state, k.why,
  row_number() over (partition by k.owner, k.group_name, k.state order by k.queued_at, k.id) as place
from public.callbacks as k
where k.state = 'open' or (k.state = 'failed' and k.ended_at > now() - interval '7 days' and not k.dismissed)
order by k.state desc, k.queued_at;

comment on view public.callbacks_due is 'Promises to call back that are open, in order, and those that failed in the last 7 days and nobody dismissed, with why.';

grant select on public.callbacks, public.callbacks_due to authenticated;
grant update (dismissed) on public.callbacks to authenticated;
grant select, insert, update on public.callbacks to service_role;
grant select on public.callbacks_due to service_role;
grant execute on function
  public.came_callable, public.may_promise, public.calling_hours, public.promise_callback, public.callback_tried, public.promise_open,
  public.reconsider_promises
  to service_role;
