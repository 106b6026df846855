-- Calls: what is known of each one, and every event that told it.
--
-- call_lifecycle is the source; call_logs is its fold. Everything that a webhook changes goes through
-- accept_voice_event (20251101122500), so these tables grant no more than that function needs.

-- ITU-T E.164: a plus sign and 2 to 15 digits, the first not 0.
create domain public.e164 as text
  constraint e164_form check (value ~ '^\+[1-9][0-9]{1,14}$');

-- Twilio's call states. Their ORDER is the meaning: a call's status is the greatest that any event
-- ever reported, so a late `ringing` cannot reopen a call, and two reports commute.
-- Everything from `canceled` on is final. https://www.twilio.com/docs/voice/api/call-resource#call-status-values
create type public.call_status as enum (
  'queued', 'initiated', 'ringing', 'in-progress',
  'canceled', 'failed', 'busy', 'no-answer', 'completed'
);

create table public.call_logs (
  call_sid text primary key
    constraint call_logs_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  org_id uuid,
  -- Null: withheld, or not a telephone number (SIP, client).
  from_e164 public.e164,
  to_e164 public.e164,

  -- What the caller chose; `menu` until then. The choice made at the latest turn of the call stands.
  mode text not null default 'menu'
    constraint call_logs_mode_form check (mode ~ '^[a-z][a-z0-9_]{0,31}$'),
  mode_turn smallint not null default 0 constraint call_logs_mode_turn_range check (mode_turn >= 0),
  status public.call_status not null default 'queued',

  -- Null until decided. The decision of the highest order stands (see calls/consent.ts): words and
  -- keys outrank staying on the line, later ones outrank earlier ones.
  consent_given boolean,
  consent_order smallint not null default 0 constraint call_logs_consent_order_range check (consent_order >= 0),

  started_at timestamptz not null,
  -- When the line picked up; a person's answer is connected_at.
  answered_at timestamptz,
  connected_at timestamptz,
  ended_at timestamptz,
  duration_sec integer constraint call_logs_duration_sec_range check (duration_sec >= 0),

  -- The recording that matters most: a voicemail before a recorded conversation.
  recording_sid text constraint call_logs_recording_sid_form check (recording_sid ~ '^RE[0-9a-fA-F]{32}$'),
  recording_url text constraint call_logs_recording_url_form check (recording_url ~ '^https?://' and length(recording_url) <= 2048),
  recording_source text constraint call_logs_recording_source_known check (recording_source in ('dial', 'voicemail')),
  recording_duration_sec integer constraint call_logs_recording_duration_sec_range check (recording_duration_sec >= 0),
  recorded_at timestamptz,
  transcript text constraint call_logs_transcript_length check (length(transcript) <= 65536),

  handoff boolean not null default false,
  handoff_reason text constraint call_logs_handoff_reason_length check (length(handoff_reason) <= 200),
  rate_limited boolean not null default false,

  -- How it ended for the caller. Derived, so that it cannot disagree with what it derives from.
  disposition text generated always as (
    case
      when status < 'canceled' then null
      when rate_limited then 'rate_limited'
      when connected_at is not null then 'connected'
      when recording_source = 'voicemail' then 'voicemail'
      when status = 'failed' then 'failed'
      else 'abandoned'
    end
  ) stored,

  -- An operator's mark, not an event's.
  voicemail_handled_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),

  constraint call_logs_times_in_order check (ended_at >= started_at),
  constraint call_logs_recording_whole check ((recording_sid is null) = (recording_source is null)),
  constraint call_logs_consent_whole check ((consent_given is null) = (consent_order = 0)),
  constraint call_logs_final_when_ended check (ended_at is null or status >= 'canceled')
)
-- Each call's row is updated a handful of times: with room on its page a version stays beside the one before. (The
-- updates are not HOT: they change columns that the partial indexes' predicates name; see docs/performance.md.)
with (fillfactor = 80);

comment on table public.call_logs is 'One row a call: the fold of its call_lifecycle events, whatever order they came in.';
comment on column public.call_logs.disposition is 'How the call ended for the caller: connected, voicemail, abandoned, rate_limited, failed. Null while it lasts.';
comment on column public.call_logs.answered_at is 'When the line picked up.';
comment on column public.call_logs.connected_at is 'When a person answered.';

create index call_logs_started_at_idx on public.call_logs (started_at desc);
create index call_logs_from_idx on public.call_logs (from_e164, started_at desc);
create index call_logs_to_idx on public.call_logs (to_e164, started_at desc);
create index call_logs_org_idx on public.call_logs (org_id, started_at desc);
create index call_logs_open_idx on public.call_logs (started_at) where status < 'canceled';
create index call_logs_voicemail_backlog_idx on public.call_logs (recorded_at)
  where recording_source = 'voicemail' and voicemail_handled_at is null;

create table public.call_lifecycle (
  id bigint generated always as identity primary key,
  call_sid text not null constraint call_lifecycle_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  -- The leg that the event is about: the call itself, or a child that it dialled.
  leg_sid text not null constraint call_lifecycle_leg_sid_form check (leg_sid ~ '^CA[0-9a-fA-F]{32}$'),
  parent_call_sid text constraint call_lifecycle_parent_form check (parent_call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  event text not null constraint call_lifecycle_event_form check (event ~ '^[a-z][a-z_]{0,31}$'),
  status text constraint call_lifecycle_status_form check (status ~ '^[a-z][a-z-]{0,31}$'),
  sequence_number integer constraint call_lifecycle_sequence_range check (sequence_number >= 0),
  occurred_at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  meta jsonb not null default '{}' constraint call_lifecycle_meta_object check (jsonb_typeof(meta) = 'object')
);

comment on table public.call_lifecycle is 'Every accepted event, append-only. No foreign key to call_logs: the events outlive what is folded from them.';

create index call_lifecycle_call_idx on public.call_lifecycle (call_sid, id);
create index call_lifecycle_received_idx on public.call_lifecycle (received_at);

create table public.analytics_events (
  id bigint generated always as identity primary key,
  event_type text not null constraint analytics_events_type_form check (event_type ~ '^[a-z][a-z0-9_.]{0,63}$'),
  event_data jsonb not null default '{}' constraint analytics_events_data_object check (jsonb_typeof(event_data) = 'object'),
  severity text not null default 'info'
    constraint analytics_events_severity_known check (severity in ('debug', 'info', 'warning', 'error', 'critical')),
  created_at timestamptz not null default clock_timestamp()
);

create index analytics_events_created_idx on public.analytics_events (created_at);
create index analytics_events_errors_idx on public.analytics_events (created_at desc)
  where severity in ('error', 'critical');

-- Notes that something happened which an operator should see. p_event_data holds no personal data.
create function public.record_analytics_event(p_event_type text, p_severity text, p_event_data jsonb default '{}')
returns void
language sql volatile set search_path = ''
begin atomic
  insert into public.analytics_events (event_type, severity, event_data)
  values (p_event_type, p_severity, p_event_data);
end;

-- The organisation that a signed-in user acts for, from the token's app_metadata, which only the
-- service can write. Null for anybody else.
create function public.current_org_id() returns uuid
language sql stable set search_path = ''
return nullif(
  nullif(current_setting('request.jwt.claims', true), '')::jsonb -> 'app_metadata' ->> 'org_id', ''
)::uuid;

alter table public.call_logs enable row level security;
alter table public.call_lifecycle enable row level security;
alter table public.analytics_events enable row level security;

create policy call_logs_of_own_org on public.call_logs
  for select to authenticated using (org_id = (select public.current_org_id()));
create policy call_lifecycle_of_own_org on public.call_lifecycle
  for select to authenticated
  using (exists (select from public.call_logs as c where c.call_sid = call_lifecycle.call_sid));
-- service_role passes row-level security by itself; the policies say so where nobody else may look.
create policy analytics_events_of_the_service on public.analytics_events
  for select to service_role using (true);

-- Projects made before November 2026 grant everything on new objects by themselves: take that back first.
revoke all on public.call_logs, public.call_lifecycle, public.analytics_events from anon, authenticated, service_role;
revoke all on function public.current_org_id() from public, anon, authenticated, service_role;
revoke all on function public.record_analytics_event(text, text, jsonb) from public, anon, authenticated, service_role;
grant select on public.call_logs, public.call_lifecycle to authenticated;
grant select, insert, update on public.call_logs to service_role;
-- Append-only: nobody is granted UPDATE or DELETE.
grant select, insert on public.call_lifecycle, public.analytics_events to service_role;
grant execute on function public.current_org_id() to authenticated, service_role;
grant execute on function public.record_analytics_event(text, text, jsonb) to service_role;
