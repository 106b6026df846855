-- Calls. call_lifecycle is the source; call_logs is its fold. All changes by webhooks go through accept_voice_event, so
-- these tables grant no more than that function needs.

-- Twilio's call states. Their ORDER is the meaning: a call's status is the greatest that any event
-- ever reported, so a late `ringing` cannot reopen a call, and two reports commute.
-- Everything from `lost` on is final. https://www.twilio.com/docs/voice/api/call-resource#call-status-values
create type public.call_status as enum (
  'queued', 'initiated', 'ringing', 'in-progress',
  -- Not Twilio's: the call has no reported end and is too old to be open. Any end that Twilio reports outranks it.
  'lost',
  'canceled', 'failed', 'busy', 'no-answer', 'completed'
);

create table public.call_logs (
  call_sid text primary key
    constraint call_logs_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  org_id uuid,
  direction text not null default 'inbound'
    constraint call_logs_direction_known check (direction in ('inbound', 'outbound')),
  -- Null: withheld, or not a telephone number (SIP, client).
  from_e164 public.e164,
  to_e164 public.e164,
  -- Our end of the call, and the other one.
  line public.e164 generated always as (case direction when 'outbound' then from_e164 else to_e164 end) stored,
  party public.e164 generated always as (case direction when 'outbound' then to_e164 else from_e164 end) stored,

  -- The caller's choice; `menu` until then. The choice of the latest turn stands.
  mode text not null default 'menu'
    constraint call_logs_mode_form check (mode ~ '^[a-z][a-z0-9_]{0,31}$'),
  mode_turn smallint not null default -1 constraint call_logs_mode_turn_range check (mode_turn >= -1),
  status public.call_status not null default 'queued',

  -- Null until decided. The decision of the highest order stands (see calls/consent.ts): words and
  -- keys outrank staying on the line, later ones outrank earlier ones; words that were not understood
  -- withdraw the consent of staying on the line.
  consent_given boolean,
  consent_order smallint not null default 0 constraint call_logs_consent_order_range check (consent_order >= 0),

  started_at timestamptz not null,
  -- When the line picked up; a person's answer is connected_at.
  answered_at timestamptz,
  ended_at timestamptz,
  duration_sec integer constraint call_logs_duration_sec_range check (duration_sec >= 0),

  -- From `call_legs`: whether there is a leg, when the first one was dialled, and when the first person was connected.
  dialled boolean not null default false,
  rang_at timestamptz,
  connected_at timestamptz,

  -- The main recording, from `recordings`: the newest voicemail, else the newest conversation.
  -- Its columns are checked there, because each update of a call checks all constraints of its row.
  recording_sid text,
  recording_url text,
  recording_source text,
  recording_duration_sec integer,
  recorded_at timestamptz,
  transcript text,

  handoff boolean not null default false,
  handoff_reason text constraint call_logs_handoff_reason_length check (length(handoff_reason) <= 200),
  -- The version of a flow that it is pinned to, from its first event to its last; null: the settings answer. No reference:
  -- a version is never deleted.
  flow_version bigint,
  -- The last entry of the last event's path: the node of that flow at which it waits, or waited; see path_of_event.
  at_node jsonb,
  -- A limit refused it. The caller's experience wins: a caller who was served all the same was not refused.
  rate_limited boolean not null default false,

  -- A talk with an AI agent was the end of it, and served the caller; see agent_served.
  agent_served boolean not null default false,

  -- How it ended for the caller. Generated, so that it cannot contradict its sources.
  disposition text generated always as (
    case
      when status < 'lost' then null
      when connected_at is not null or agent_served then 'connected'
      when recording_source = 'voicemail' then 'voicemail'
      when rate_limited and coalesce(last_step, 'arrived') = 'arrived' then 'rate_limited'
      when status = 'failed' then 'failed'
      else 'abandoned'
    end
  ) stored,

  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),

  -- The last step taken with the caller, and when: of the greatest (time, name), so that order does not matter;
  -- `arrived` only where there is no other.
  last_step text constraint call_logs_last_step_known check (last_step in (
    'arrived', 'consent', 'menu', 'route', 'key_pressed', 'dial_ended', 'dial_canceled',
    'queue_waited', 'queue_left', 'agent_left', 'voicemail_offered', 'voicemail_recorded'
  )),
  last_step_at timestamptz,
  -- Its end was not reported and was fetched from Twilio: other events may be missing too.
  end_fetched boolean not null default false,
  -- Everything that Twilio has about the call was fetched.
  settled boolean not null default false,
  -- Ended without something that such a call usually has, and not settled: a callback may be lost, so Twilio is asked.
  -- One column that changes once, rather than a condition on eight: an update is HOT unless a column that an index
  -- is about has changed, those of its predicate included.
  incomplete boolean not null generated always as (
    status >= 'lost' and not settled and (
      end_fetched
      or duration_sec is null
      -- Abandoned.
      or (
        not (rate_limited and coalesce(last_step, 'arrived') = 'arrived') and connected_at is null and not agent_served
        and recording_source is distinct from 'voicemail' and status <> 'failed'
      )
      or (recording_source is not distinct from 'voicemail' and (recording_duration_sec is null or transcript is null))
      or (connected_at is not null and consent_given is true and recording_sid is null)
    )
  ) stored,

  constraint call_logs_times_in_order check (ended_at >= started_at),
  constraint call_logs_recording_whole check ((recording_sid is null) = (recording_source is null)),
  constraint call_logs_consent_whole check (consent_given is null or consent_order > 0),
  constraint call_logs_final_when_ended check (ended_at is null or status >= 'lost'),
  constraint call_logs_last_step_whole check ((last_step is null) = (last_step_at is null))
)
-- Each call's row is updated a handful of times: with room on its page a version stays beside the one before. (The
-- updates are not HOT: they change columns that the partial indexes' predicates name; see docs/performance.md.)
with (fillfactor = 80);

comment on table public.call_logs is 'One row a call: the fold of its call_lifecycle events, in any order.';
comment on column public.call_logs.disposition is 'How the call ended for the caller: connected, voicemail, abandoned, rate_limited, failed. Null while it lasts.';
comment on column public.call_logs.agent_served is 'An AI agent served the caller to the end of the call.';
comment on column public.call_logs.answered_at is 'When the line picked up.';
comment on column public.call_logs.line is 'Our telephone number in the call, whichever end it is.';
comment on column public.call_logs.party is 'The other telephone number: the caller, or the called one.';
comment on column public.call_logs.connected_at is 'When a person answered, and the caller was still there.';
comment on column public.call_logs.dialled is 'A leg was dialled for this call.';
comment on column public.call_logs.rang_at is 'When the first leg that was dialled for it was on its way.';
comment on column public.call_logs.last_step is 'The last step with the caller: where callers hung up who reached no person and no voicemail.';
comment on column public.call_logs.incomplete is 'Ended without something that such a call usually has: voice-reconcile asks Twilio for it.';

create index call_logs_started_at_idx on public.call_logs (started_at desc);
create index call_logs_party_idx on public.call_logs (party, started_at desc);
create index call_logs_line_idx on public.call_logs (line, started_at desc);
create index call_logs_org_idx on public.call_logs (coalesce(org_id, '00000000-0000-0000-0000-000000000000'), started_at desc);
-- Open calls by a column that changes when a call ends and not with each of its states.
create index call_logs_open_idx on public.call_logs (started_at) where disposition is null;
create index call_logs_incomplete_idx on public.call_logs (ended_at) where incomplete;

alter table public.call_logs enable row level security;
create policy call_logs_of_own_org on public.call_logs
  for select to authenticated using (coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()));
create policy call_logs_for_monitoring on public.call_logs for select to monitoring using (true);

-- The dialled time of each line, by the UTC day of the answer. The rows are sums over the calls' current state, whatever the
-- order of events: see count_dialled.
create table public.dialled_time (
  line public.e164 not null,
  day date not null,
  -- The account, so that one account's events do not use up another's minutes. The main account is all zeros, because a key
  -- holds no null.
  org_id uuid not null default '00000000-0000-0000-0000-000000000000',
  -- Finished conversations.
  seconds bigint not null default 0,
  -- Open conversations.
  open integer not null default 0,
  -- The limits of a day and of one conversation, from the settings at the line's last call.
  ceiling_sec integer constraint dialled_time_ceiling_range check (ceiling_sec > 0),
  leg_sec integer constraint dialled_time_leg_range check (leg_sec > 0),
  primary key (line, day, org_id)
);

comment on table public.dialled_time is 'The dialled time of each line by day; MAX_DIALLED_MINUTES_PER_DAY limits it.';

alter table public.dialled_time enable row level security;
create policy dialled_time_for_operators on public.dialled_time for select to service_role, monitoring using (true);

-- Subtracts a call's share before an event, and adds its share after it. In a fixed order of rows, so that two calls cannot
-- deadlock.
create function public.count_dialled(p_before public.call_logs, p_after public.call_logs) returns void
-- plpgsql: its plan is kept.
language plpgsql volatile set search_path = ''
as $$
begin
  insert into public.dialled_time as d (line, day, org_id, seconds, open)
  select c.line, c.day, coalesce(c.org_id, '00000000-0000-0000-0000-000000000000') as org_id, sum(c.seconds * c.sign), sum(c.open * c.sign)
  from (
    select
      t.line, t.org_id, (t.connected_at at time zone 'UTC')::date as day, (t.ended_at is null)::integer as open, t.sign,
      coalesce(greatest(0, extract(epoch from t.ended_at - t.connected_at)::bigint), 0) as seconds
    from (values
      ((p_before).line, (p_before).org_id, (p_before).connected_at, (p_before).ended_at, -1),
      ((p_after).line, (p_after).org_id, (p_after).connected_at, (p_after).ended_at, 1)
    ) as t(line, org_id, connected_at, ended_at, sign)
    where t.line is not null and t.connected_at is not null
  ) as c
  group by c.line, c.day, c.org_id
  having sum(c.seconds * c.sign) <> 0 or sum(c.open * c.sign) <> 0
  order by c.line, c.day, c.org_id
  on conflict (line, day, org_id) do update set seconds = d.seconds + excluded.seconds, open = d.open + excluded.open;
end
$$;

-- Whether a call's line has used up its day: its conversations reach p_day_sec, counting open and beginning ones as
-- p_leg_sec each. Stores both limits for the alert.
create function public.line_has_spent(c public.call_logs, p_leg_sec bigint, p_day_sec integer) returns boolean
language plpgsql volatile set search_path = ''
as $$
declare
  v_today constant date := (now() at time zone 'UTC')::date;
  v_org_id constant uuid := coalesce(c.org_id, '00000000-0000-0000-0000-000000000000');
  v_spent boolean;
  v_limits_changed boolean;
begin
  select bool_or((d.ceiling_sec, d.leg_sec) is distinct from (p_day_sec, p_leg_sec::integer)),
    coalesce(sum(d.seconds + d.open * p_leg_sec), 0) + p_leg_sec * (
    -- Telephones that ring now, because none of a burst of calls has been answered yet.
    select count(*) from public.call_logs as o
    where o.disposition is null and o.rang_at > now() - interval '1 minute' and o.connected_at is null
      and o.line = c.line and o.org_id is not distinct from c.org_id and o.call_sid <> c.call_sid
  ) >= p_day_sec
  into v_limits_changed, v_spent
  from public.dialled_time as d where d.line = c.line and d.day = v_today and d.org_id = v_org_id;
  if v_limits_changed then
    update public.dialled_time as d set ceiling_sec = p_day_sec, leg_sec = p_leg_sec
    where d.line = c.line and d.day = v_today and d.org_id = v_org_id;
  end if;
  return v_spent;
end
$$;

grant select, insert, update, delete on public.dialled_time to service_role;
grant select (day, seconds, open, ceiling_sec, leg_sec) on public.dialled_time to monitoring;
grant execute on function public.count_dialled, public.line_has_spent to service_role;
grant select on public.call_logs to authenticated;
grant select, insert, update on public.call_logs to service_role;
grant select (
  call_sid, org_id, direction, mode, status, consent_given, started_at, answered_at, connected_at, ended_at,
  duration_sec, recording_source, recorded_at, handoff, agent_served, disposition, dialled, rang_at,
  last_step, incomplete, flow_version
) on public.call_logs to monitoring;

select public.make_store('public.call_logs');
