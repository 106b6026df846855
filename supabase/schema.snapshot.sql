-- Schemas

create schema months;

create schema private;

create schema public;

-- Types

create domain e164 as text CHECK ((VALUE ~ '^\+[1-9][0-9]{1,14}$'::text));

create type call_event as enum ('arrived', 'consent', 'menu', 'route', 'key_pressed', 'dial_ended', 'queue_waited', 'queue_left', 'agent_left', 'voicemail_offered', 'voicemail_recorded', 'status', 'leg_status', 'leg_asked', 'leg_accepted', 'leg_declined', 'recording', 'transcription', 'reconciled', 'leg_reconciled', 'recording_reconciled', 'settled', 'closed_unheard');

create type call_status as enum ('queued', 'initiated', 'ringing', 'in-progress', 'lost', 'canceled', 'failed', 'busy', 'no-answer', 'completed');

create type member_role as enum ('viewer', 'agent', 'admin', 'owner');

-- Tables and composite types

create type public.search_hit (
  kind text,
  id bigint,
  call_sid text,
  at timestamp with time zone,
  score real
);

create type public.voice_answer (
  admitted boolean,
  status call_status,
  mode text,
  consent_given boolean,
  facts jsonb
);

create type public.voice_event (
  operation text,
  identity text,
  account_sid text,
  call_sid text,
  leg_sid text,
  parent_call_sid text,
  event call_event,
  status text,
  sequence_number integer,
  occurred_at timestamp with time zone,
  call_status call_status,
  direction text,
  from_e164 text,
  to_e164 text,
  duration_sec integer,
  mode text,
  mode_turn smallint,
  consent_given boolean,
  consent_order smallint,
  leg_status call_status,
  leg_to text,
  leg_node text,
  talk_sec integer,
  bridged boolean,
  recording_sid text,
  recording_url text,
  recording_source text,
  recording_duration_sec integer,
  recording_lost boolean,
  transcript text,
  handoff_reason text,
  limits jsonb,
  rate_limited boolean,
  disclosure jsonb,
  ask jsonb,
  meta jsonb
);

create table public.call_lifecycle (
  id bigint not null generated always as identity,
  call_sid text not null,
  leg_sid text not null,
  parent_call_sid text,
  event call_event not null,
  status text,
  sequence_number integer,
  occurred_at timestamp with time zone not null,
  received_at timestamp with time zone not null default clock_timestamp(),
  meta jsonb not null default '{}'::jsonb,
  path jsonb,
  identity_hash bigint,
  request_hash bigint,
  answer voice_answer
) partition by RANGE (received_at);

create table months.call_lifecycle_other (
  id bigint not null generated always as identity,
  call_sid text not null,
  leg_sid text not null,
  parent_call_sid text,
  event call_event not null,
  status text,
  sequence_number integer,
  occurred_at timestamp with time zone not null,
  received_at timestamp with time zone not null default clock_timestamp(),
  meta jsonb not null default '{}'::jsonb,
  path jsonb,
  identity_hash bigint,
  request_hash bigint,
  answer voice_answer
) partition of call_lifecycle DEFAULT;

create table public.agent_providers (
  provider text not null,
  failures integer not null default 0,
  failed_at timestamp with time zone,
  answered_at timestamp with time zone,
  rests_until timestamp with time zone
);

create table public.agent_questions (
  id bigint not null generated always as identity,
  org_id uuid,
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  language text not null,
  question text not null,
  asked integer not null default 1,
  call_sid text not null,
  first_at timestamp with time zone not null default now(),
  last_at timestamp with time zone not null default now(),
  dismissed boolean not null default false
);

create table public.agent_sessions (
  session_id text not null,
  call_sid text not null,
  org_id uuid,
  line e164,
  flow_version bigint,
  node text not null,
  language text not null,
  opened_at timestamp with time zone not null default clock_timestamp(),
  seen_at timestamp with time zone not null default clock_timestamp(),
  ended_at timestamp with time zone,
  outcome text,
  reason text,
  cost_usd numeric(12,6) not null default 0
);

create table public.agent_turns (
  id bigint not null generated always as identity,
  session_id text not null,
  seq smallint not null,
  call_sid text not null,
  org_id uuid,
  at timestamp with time zone not null,
  kind text not null,
  flow_version bigint,
  node text not null,
  language text not null,
  planned_text text,
  heard_text text,
  tool text,
  tool_arguments jsonb,
  tool_result jsonb,
  model text,
  provider text generated always as (split_part(model, ':'::text, 1)) stored,
  first_token_ms integer,
  total_ms integer,
  tokens_in integer,
  tokens_out integer,
  cost_usd numeric(12,6),
  outcome text,
  reason text
);

create table public.alert_episodes (
  id bigint not null generated always as identity,
  alert text not null,
  severity text not null,
  threshold numeric not null,
  opened_at timestamp with time zone not null default now(),
  opened_value numeric not null,
  closed_at timestamp with time zone,
  closed_value numeric,
  quiet_since timestamp with time zone,
  told_at timestamp with time zone
);

create table public.alert_rules (
  alert text not null,
  severity text not null,
  comparison text not null,
  threshold numeric not null,
  window_minutes integer not null,
  minimum integer not null default 0,
  close_after_minutes integer not null default 10,
  unit text not null,
  summary text not null,
  action text not null
);

create table public.analytics_events (
  id bigint not null generated always as identity,
  event_type text not null,
  event_data jsonb not null default '{}'::jsonb,
  severity text not null default 'info'::text,
  created_at timestamp with time zone not null default clock_timestamp()
);

create table public.audit_log (
  id bigint not null generated always as identity,
  at timestamp with time zone not null default clock_timestamp(),
  owner uuid not null,
  user_id uuid not null,
  action text not null,
  object text not null,
  key text not null,
  changes jsonb not null
);

create table public.calendar_overrides (
  flow_id bigint not null,
  calendar text not null,
  state text not null,
  until timestamp with time zone not null,
  set_by text,
  set_at timestamp with time zone not null default now()
);

create table public.call_flow_pointers (
  flow_id bigint not null,
  version integer not null,
  moved_by text,
  moved_at timestamp with time zone not null default clock_timestamp()
);

create table public.call_flow_versions (
  id bigint not null generated always as identity,
  flow_id bigint not null,
  version integer not null,
  hash text not null,
  definition jsonb not null,
  replaces integer,
  note text,
  published_by text,
  published_at timestamp with time zone not null default clock_timestamp(),
  uses jsonb not null default '{}'::jsonb,
  calendars jsonb not null default '{}'::jsonb,
  handles text[] not null default '{}'::text[],
  numbers text[] not null default '{}'::text[],
  asks_returning boolean not null default false,
  agents boolean not null default false,
  missed_call jsonb,
  holds text[] not null default '{}'::text[],
  steps jsonb not null
);

create table public.call_flows (
  id bigint not null generated always as identity,
  org_id uuid,
  name text not null,
  draft jsonb,
  drafted_by text,
  drafted_at timestamp with time zone
);

create table public.call_hours (
  id bigint not null generated always as identity,
  hour timestamp with time zone not null,
  scope text not null,
  org_id uuid,
  mode text not null,
  disposition text,
  hung_up_at text,
  calls integer not null,
  consented integer not null,
  opted_out integer not null,
  dialled integer not null,
  answered integer not null,
  timed integer not null,
  seconds bigint not null,
  rang integer not null,
  ring_seconds numeric not null,
  longest_ring_seconds numeric
);

create table public.call_legs (
  call_sid text not null,
  leg_sid text not null,
  to_e164 e164,
  node text,
  status call_status,
  dialled_at timestamp with time zone not null,
  rang_at timestamp with time zone,
  answered_at timestamp with time zone,
  bridged boolean,
  accepted_at timestamp with time zone,
  told text,
  transfer text,
  ended_at timestamp with time zone,
  connected_at timestamp with time zone generated always as (
CASE
    WHEN (bridged IS NOT FALSE) THEN COALESCE(accepted_at, answered_at)
    ELSE NULL::timestamp with time zone
END) stored,
  result text generated always as (
CASE
    WHEN (status IS NULL) THEN NULL::text
    WHEN ((answered_at IS NULL) AND (status = 'busy'::call_status)) THEN 'busy'::text
    WHEN ((answered_at IS NULL) AND (status = 'no-answer'::call_status)) THEN 'no_answer'::text
    WHEN ((answered_at IS NULL) AND (status = 'canceled'::call_status)) THEN COALESCE(told, 'canceled'::text)
    WHEN ((answered_at IS NULL) AND (status = 'failed'::call_status)) THEN 'unreachable'::text
    WHEN (bridged IS FALSE) THEN COALESCE(told, 'caller_left'::text)
    ELSE 'accepted'::text
END) stored
) with (fillfactor=80);

create table public.call_logs (
  call_sid text not null,
  org_id uuid,
  direction text not null default 'inbound'::text,
  from_e164 e164,
  to_e164 e164,
  line e164 generated always as (
CASE direction
    WHEN 'outbound'::text THEN from_e164
    ELSE to_e164
END) stored,
  party e164 generated always as (
CASE direction
    WHEN 'outbound'::text THEN to_e164
    ELSE from_e164
END) stored,
  mode text not null default 'menu'::text,
  mode_turn smallint not null default '-1'::integer,
  status call_status not null default 'queued'::call_status,
  consent_given boolean,
  consent_order smallint not null default 0,
  started_at timestamp with time zone not null,
  answered_at timestamp with time zone,
  ended_at timestamp with time zone,
  duration_sec integer,
  dialled boolean not null default false,
  rang_at timestamp with time zone,
  connected_at timestamp with time zone,
  recording_sid text,
  recording_url text,
  recording_source text,
  recording_duration_sec integer,
  recorded_at timestamp with time zone,
  transcript text,
  handoff boolean not null default false,
  handoff_reason text,
  flow_version bigint,
  at_node jsonb,
  rate_limited boolean not null default false,
  disposition text generated always as (
CASE
    WHEN (status < 'lost'::call_status) THEN NULL::text
    WHEN (connected_at IS NOT NULL) THEN 'connected'::text
    WHEN (recording_source = 'voicemail'::text) THEN 'voicemail'::text
    WHEN (rate_limited AND (COALESCE(last_step, 'arrived'::text) = 'arrived'::text)) THEN 'rate_limited'::text
    WHEN (status = 'failed'::call_status) THEN 'failed'::text
    ELSE 'abandoned'::text
END) stored,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  last_step text,
  last_step_at timestamp with time zone,
  end_fetched boolean not null default false,
  settled boolean not null default false,
  incomplete boolean not null generated always as (((status >= 'lost'::call_status) AND (NOT settled) AND (end_fetched OR (duration_sec IS NULL) OR ((NOT (rate_limited AND (COALESCE(last_step, 'arrived'::text) = 'arrived'::text))) AND (connected_at IS NULL) AND (recording_source IS DISTINCT FROM 'voicemail'::text) AND (status <> 'failed'::call_status)) OR ((NOT (recording_source IS DISTINCT FROM 'voicemail'::text)) AND ((recording_duration_sec IS NULL) OR (transcript IS NULL))) OR ((connected_at IS NOT NULL) AND (consent_given IS TRUE) AND (recording_sid IS NULL))))) stored
) with (fillfactor=80);

create table public.call_notes (
  id uuid not null default gen_random_uuid(),
  call_sid text not null,
  org_id uuid,
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  author uuid default auth.uid(),
  body text not null,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now()
);

create table public.call_tags (
  call_sid text not null,
  tag text not null,
  org_id uuid,
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  author uuid default auth.uid(),
  created_at timestamp with time zone not null default now()
);

create table public.callbacks (
  id uuid not null default gen_random_uuid(),
  call_sid text not null,
  org_id uuid,
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  to_e164 e164 not null,
  line e164 not null,
  group_name text not null,
  version_id bigint not null,
  node text not null,
  members text[] not null,
  seconds integer not null,
  calendar jsonb not null,
  queued_at timestamp with time zone not null,
  promised_at timestamp with time zone not null default clock_timestamp(),
  state text not null default 'open'::text,
  tries smallint not null default 0,
  max_tries smallint not null default 5,
  due_at timestamp with time zone not null default now(),
  ready boolean not null default false,
  why text,
  ended_at timestamp with time zone
);

create table public.campaign_areas (
  id bigint not null generated always as identity,
  campaign_id uuid not null,
  rules text not null,
  region text not null,
  zones text[] not null,
  opens_at timestamp with time zone,
  closes_at timestamp with time zone
);

create table public.campaign_changes (
  id bigint not null generated always as identity,
  campaign_id uuid not null,
  figure text not null,
  change integer not null
);

create table public.campaign_contacts (
  id bigint not null generated always as identity,
  campaign_id uuid not null,
  owner uuid not null,
  area_id bigint not null,
  e164 e164 not null,
  name text,
  postal_code text,
  consent_at timestamp with time zone,
  consent_source text,
  state text not null default 'waiting'::text,
  due_at timestamp with time zone default now(),
  tries integer not null default 0,
  ends text[] not null default '{}'::text[]
) with (fillfactor=70, autovacuum_vacuum_scale_factor=0.02);

create table public.campaign_dials (
  id bigint not null generated always as identity,
  campaign_id uuid not null,
  owner uuid not null,
  number_hash bytea not null,
  line e164 not null,
  rules text not null,
  region text not null,
  zones text[] not null,
  consent text not null,
  consent_at timestamp with time zone,
  dialled_at timestamp with time zone not null,
  answered_at timestamp with time zone,
  ended_at timestamp with time zone not null,
  result text not null
);

create table public.campaign_lines (
  campaign_id uuid not null,
  line e164 not null,
  per_day integer not null default 500,
  day date not null default CURRENT_DATE,
  dialled integer not null default 0,
  rests_until timestamp with time zone
);

create table public.campaigns (
  id uuid not null default gen_random_uuid(),
  org_id uuid,
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  name text not null,
  mode text not null,
  flow text not null,
  state text not null default 'draft'::text,
  calls_per_second numeric not null,
  max_concurrent integer not null,
  window_hours jsonb,
  attempts jsonb not null,
  machine text not null,
  consent text not null,
  ring_seconds integer not null default 25,
  created_at timestamp with time zone not null default now(),
  started_at timestamp with time zone,
  ended_at timestamp with time zone
);

create table public.consent_evidence (
  call_hash bytea not null,
  org_id uuid,
  consent_given boolean not null,
  decided_at timestamp with time zone not null,
  basis jsonb not null,
  disclosure text
);

create table public.contact_messages (
  id uuid not null default gen_random_uuid(),
  name text not null,
  email text not null,
  phone text,
  subject text,
  message text not null,
  created_at timestamp with time zone not null default now(),
  handled_at timestamp with time zone
);

create table public.contacts (
  id uuid not null default gen_random_uuid(),
  org_id uuid default current_org_id(),
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  phone e164 not null,
  name text,
  company text,
  notes text,
  consent boolean,
  consent_at timestamp with time zone,
  consent_source text,
  blocked boolean not null default false,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  bare boolean not null generated always as (((name IS NULL) AND (company IS NULL) AND (notes IS NULL) AND (consent IS NULL) AND (NOT blocked))) stored
);

create table public.dial_attempts (
  id bigint not null generated always as identity,
  token uuid not null default gen_random_uuid(),
  purpose text not null,
  org_id uuid,
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  call_sid text,
  queue text,
  callback_id uuid,
  person_id uuid,
  campaign_id uuid,
  contact_id bigint,
  slot bigint,
  send_at timestamp with time zone,
  to_e164 e164 not null,
  line e164 not null,
  group_name text,
  version_id bigint,
  node text,
  seconds integer not null,
  state text not null default 'intended'::text,
  leg_sid text,
  decided_at timestamp with time zone not null default clock_timestamp(),
  dialled_at timestamp with time zone,
  answered_at timestamp with time zone,
  accepted_at timestamp with time zone,
  connected_at timestamp with time zone,
  cancelled_at timestamp with time zone,
  ended_at timestamp with time zone,
  result text,
  transfer text
) with (fillfactor=80);

create table public.dial_rates (
  owner uuid not null,
  per_second numeric not null default 1,
  not_before timestamp with time zone not null default '-infinity'::timestamp with time zone
);

create table public.dialled_time (
  line e164 not null,
  day date not null,
  org_id uuid not null default '00000000-0000-0000-0000-000000000000'::uuid,
  seconds bigint not null default 0,
  open integer not null default 0,
  ceiling_sec integer,
  leg_sec integer
);

create table public.disclosures (
  name text not null,
  policy text not null,
  key text not null,
  language text not null,
  words text not null,
  first_heard_at timestamp with time zone not null default now()
);

create table public.erased_calls (
  call_hash bytea not null,
  erased_at timestamp with time zone not null default now()
);

create table public.erasure_receipts (
  id uuid not null default gen_random_uuid(),
  erased_at timestamp with time zone not null default now(),
  counts jsonb not null
);

create table public.flow_counts (
  id bigint not null generated always as identity,
  version_id bigint not null,
  node text not null,
  outcome text,
  calls bigint not null
);

create table public.flow_counts_until (
  is_only boolean not null default true,
  until timestamp with time zone not null
);

create table public.function_metrics (
  minute timestamp with time zone not null,
  function text not null,
  requests integer not null,
  errors integer not null,
  database_failures integer not null,
  refused integer not null,
  total_ms bigint not null,
  database_ms bigint not null,
  max_ms integer not null,
  le_50 integer not null,
  le_100 integer not null,
  le_250 integer not null,
  le_500 integer not null,
  le_1000 integer not null,
  le_2000 integer not null,
  le_5000 integer not null
);

create table public.function_totals (
  function text not null,
  requests bigint not null,
  errors bigint not null,
  database_failures bigint not null,
  refused bigint not null,
  total_ms bigint not null,
  le_50 bigint not null,
  le_100 bigint not null,
  le_250 bigint not null,
  le_500 bigint not null,
  le_1000 bigint not null,
  le_2000 bigint not null,
  le_5000 bigint not null
);

create table public.health_checks (
  checked_at timestamp with time zone not null default clock_timestamp(),
  healthy boolean not null,
  failing text[] not null default '{}'::text[],
  refused_calls integer
);

create table public.idempotency_keys (
  key text not null,
  operation text not null,
  request_hash bytea not null,
  status text not null,
  result jsonb,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null
);

create table public.job_kinds (
  kind text not null,
  worker text not null,
  priority smallint not null,
  share numeric not null default 0,
  hourly_share numeric,
  lease interval not null,
  delays interval[] not null,
  max_attempts integer,
  key_lives interval,
  expires_after interval,
  longest_hold interval,
  keep interval,
  fixes_content boolean not null default false,
  held_until timestamp with time zone,
  held_for text
);

create table public.jobs (
  id bigint not null generated always as identity,
  kind text not null,
  key text not null,
  priority smallint not null default 3,
  payload jsonb not null default '{}'::jsonb,
  content jsonb,
  status text not null default 'waiting'::text,
  attempts integer not null default 0,
  run_at timestamp with time zone not null default now(),
  lease uuid,
  attempted_at timestamp with time zone,
  uncertain_since timestamp with time zone,
  last_error text,
  result text,
  created_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone
) with (fillfactor=80, autovacuum_vacuum_scale_factor=0.02, autovacuum_analyze_scale_factor=0.05);

create table public.knowledge_entries (
  id uuid not null default gen_random_uuid(),
  org_id uuid default current_org_id(),
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  question text not null,
  answer text not null,
  language text not null default 'en-US'::text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  fts tsvector not null generated always as (
CASE split_part(language, '-'::text, 1)
    WHEN 'en'::text THEN to_tsvector('search_english'::regconfig, ((question || ' '::text) || answer))
    WHEN 'fr'::text THEN to_tsvector('search_french'::regconfig, ((question || ' '::text) || answer))
    WHEN 'es'::text THEN to_tsvector('search_spanish'::regconfig, ((question || ' '::text) || answer))
    ELSE to_tsvector('search_names'::regconfig, ((question || ' '::text) || answer))
END) stored
);

create table public.lines (
  id bigint not null generated always as identity,
  line e164 not null,
  org_id uuid,
  flow_id bigint not null
);

create table public.members (
  id uuid not null default gen_random_uuid(),
  org_id uuid default current_org_id(),
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  user_id uuid,
  email text not null,
  name text,
  role member_role not null,
  invited_by uuid,
  invited_at timestamp with time zone not null default now(),
  joined_at timestamp with time zone
);

create table public.people (
  id uuid not null default gen_random_uuid(),
  org_id uuid default current_org_id(),
  handle text not null,
  name text not null,
  phone e164 not null,
  verified_at timestamp with time zone,
  available boolean not null default true,
  dnd_until timestamp with time zone,
  calendar jsonb,
  member_id uuid,
  code text,
  created_at timestamp with time zone not null default now()
);

create table public.personal_data (
  table_name text not null,
  personal text[] not null default '{}'::text[],
  other text[] not null default '{}'::text[],
  of_person text,
  exported_as text,
  kept_because text,
  rule text,
  expired text
);

create table public.prompts (
  id bigint not null generated always as identity,
  org_id uuid,
  hash text not null,
  mime text not null,
  seconds numeric(7,2) not null,
  bytes integer not null,
  stored_by text,
  stored_at timestamp with time zone not null default now()
);

create table public.queue_entries (
  id bigint not null generated always as identity,
  call_sid text not null,
  org_id uuid,
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  queue text not null,
  group_name text,
  version_id bigint not null,
  node text not null,
  line e164,
  members text[] not null,
  seconds integer not null,
  queued_at timestamp with time zone not null default clock_timestamp(),
  transferred_by uuid,
  returns_to e164,
  returned_at timestamp with time zone,
  call_token text,
  seen_at timestamp with time zone not null default now(),
  wants_offer boolean not null default false,
  told_position integer,
  first_position integer not null default 1,
  taken_by uuid,
  taken_at timestamp with time zone,
  connected_at timestamp with time zone,
  left_at timestamp with time zone,
  result text
) with (fillfactor=80);

create table public.rate_limit_refusals (
  endpoint text not null,
  identifier_type text not null,
  identifier text not null,
  minute timestamp with time zone not null,
  refusals integer not null default 1,
  last_violation timestamp with time zone not null
);

create table public.rate_limit_windows (
  endpoint text not null,
  identifier_type text not null,
  identifier text not null,
  admitted_at timestamp with time zone[] not null
) with (fillfactor=70);

create table public.recordings (
  call_sid text not null,
  recording_sid text not null,
  leg_sid text not null,
  source text not null,
  url text,
  duration_sec integer,
  transcript text,
  recorded_at timestamp with time zone not null,
  confirmed boolean not null default false,
  deleted_at timestamp with time zone,
  handled_at timestamp with time zone
);

create table public.retention_rules (
  subject text not null,
  days integer not null,
  why text not null
);

create table public.rolled_hours (
  hour timestamp with time zone not null,
  rolled_at timestamp with time zone not null default now()
);

create table public.saved_searches (
  id uuid not null default gen_random_uuid(),
  org_id uuid default current_org_id(),
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  user_id uuid not null default auth.uid(),
  name text not null,
  query text not null default ''::text,
  filters jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null default now()
);

create table public.search_alert_matches (
  alert_id uuid not null,
  kind text not null,
  ref text not null,
  call_sid text,
  at timestamp with time zone not null default now()
);

create table public.search_alerts (
  id uuid not null default gen_random_uuid(),
  org_id uuid default current_org_id(),
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  user_id uuid default auth.uid(),
  name text not null,
  query text not null,
  kinds text[],
  channel text not null,
  target text not null,
  secret text,
  active boolean not null default true,
  created_at timestamp with time zone not null default now()
);

create table public.search_documents (
  id bigint not null generated always as identity,
  org_id uuid,
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  kind text not null,
  ref text not null,
  part smallint not null default 0,
  call_sid text,
  party text,
  at timestamp with time zone not null,
  start_ms integer,
  end_ms integer,
  speaker text,
  lang text not null,
  title text,
  body text not null,
  fts tsvector not null generated always as ((setweight(to_tsvector('search_names'::regconfig, COALESCE(title, ''::text)), 'A'::"char") ||
CASE lang
    WHEN 'english'::text THEN (setweight(to_tsvector('search_english'::regconfig, COALESCE(title, ''::text)), 'A'::"char") || to_tsvector('search_english'::regconfig, body))
    WHEN 'french'::text THEN (setweight(to_tsvector('search_french'::regconfig, COALESCE(title, ''::text)), 'A'::"char") || to_tsvector('search_french'::regconfig, body))
    ELSE (setweight(to_tsvector('search_spanish'::regconfig, COALESCE(title, ''::text)), 'A'::"char") || to_tsvector('search_spanish'::regconfig, body))
END)) stored
);

create table public.search_embeddings (
  document_id bigint not null,
  owner uuid not null,
  model text not null,
  embedding real[] not null,
  made_at timestamp with time zone not null default now()
);

create table public.search_history (
  id bigint not null generated always as identity,
  org_id uuid,
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  user_id uuid,
  at timestamp with time zone not null default clock_timestamp(),
  words text,
  filters text[] not null default '{}'::text[],
  hits integer not null,
  milliseconds real not null,
  partial boolean not null,
  corrected boolean not null
);

create table public.search_words (
  id bigint not null generated always as identity,
  owner uuid not null,
  word text not null
);

create table public.suppressions (
  id bigint not null generated always as identity,
  org_id uuid,
  e164 e164 not null,
  source text not null,
  created_at timestamp with time zone not null default now()
);

create table public.telephony_numbers (
  e164_number e164 not null,
  org_id uuid not null,
  number_sid text not null,
  country text not null,
  provisioned_at timestamp with time zone not null default now()
);

create table public.telephony_secrets (
  subaccount_sid text not null,
  vault_secret_id uuid,
  sealed_token text,
  updated_at timestamp with time zone not null default now()
);

create table public.telephony_subaccounts (
  org_id uuid not null,
  subaccount_sid text not null,
  business_name text not null,
  created_at timestamp with time zone not null default now(),
  released_at timestamp with time zone
);

create table public.telephony_transactions (
  id uuid not null default gen_random_uuid(),
  transaction_type text not null,
  org_id uuid not null,
  status text not null default 'in_progress'::text,
  steps_completed jsonb not null default '[]'::jsonb,
  error_message text,
  started_at timestamp with time zone not null default now(),
  completed_at timestamp with time zone,
  request jsonb,
  idempotency_key text,
  result jsonb,
  undoing boolean not null default false
);

create table public.voicemail_steps (
  id bigint not null generated always as identity,
  call_sid text not null,
  recording_sid text not null,
  org_id uuid,
  owner uuid not null generated always as (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  state text not null,
  assigned_to uuid,
  author uuid default auth.uid(),
  at timestamp with time zone not null default clock_timestamp()
);

create table public.worker_runs (
  worker text not null,
  last_run_at timestamp with time zone not null,
  last_ok_at timestamp with time zone,
  runs bigint not null default 1,
  failures bigint not null default 0
);

-- Constraints

alter table agent_providers add constraint agent_providers_failures_range CHECK ((failures >= 0));

alter table agent_providers add constraint agent_providers_name_length CHECK (((length(provider) >= 1) AND (length(provider) <= 32)));

alter table agent_providers add constraint agent_providers_pkey PRIMARY KEY (provider);

alter table agent_questions add constraint agent_questions_asked_range CHECK ((asked > 0));

alter table agent_questions add constraint agent_questions_pkey PRIMARY KEY (id);

alter table agent_questions add constraint agent_questions_question_length CHECK (((length(question) >= 1) AND (length(question) <= 500)));

alter table agent_sessions add constraint agent_sessions_call_sid_form CHECK ((call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table agent_sessions add constraint agent_sessions_cost_range CHECK ((cost_usd >= (0)::numeric));

alter table agent_sessions add constraint agent_sessions_ended_whole CHECK (((ended_at IS NULL) = (outcome IS NULL)));

alter table agent_sessions add constraint agent_sessions_id_form CHECK ((session_id ~ '^VX[0-9a-fA-F]{32}$'::text));

alter table agent_sessions add constraint agent_sessions_language_length CHECK (((length(language) >= 2) AND (length(language) <= 35)));

alter table agent_sessions add constraint agent_sessions_node_form CHECK ((node ~ '^[a-z][a-z0-9_]{0,31}$'::text));

alter table agent_sessions add constraint agent_sessions_outcome_length CHECK (((length(outcome) >= 1) AND (length(outcome) <= 64)));

alter table agent_sessions add constraint agent_sessions_pkey PRIMARY KEY (session_id);

alter table agent_sessions add constraint agent_sessions_reason_length CHECK (((length(reason) >= 1) AND (length(reason) <= 64)));

alter table agent_turns add constraint agent_turns_cost_range CHECK ((cost_usd >= (0)::numeric));

alter table agent_turns add constraint agent_turns_first_token_range CHECK ((first_token_ms >= 0));

alter table agent_turns add constraint agent_turns_heard_length CHECK ((length(heard_text) <= 8000));

alter table agent_turns add constraint agent_turns_key UNIQUE (session_id, seq);

alter table agent_turns add constraint agent_turns_kind_known CHECK ((kind = ANY (ARRAY['disclosure'::text, 'caller'::text, 'agent'::text, 'fixed'::text, 'tool'::text, 'failure'::text, 'left'::text])));

alter table agent_turns add constraint agent_turns_model_length CHECK ((length(model) <= 200));

alter table agent_turns add constraint agent_turns_outcome_length CHECK ((length(outcome) <= 64));

alter table agent_turns add constraint agent_turns_pkey PRIMARY KEY (id);

alter table agent_turns add constraint agent_turns_planned_length CHECK ((length(planned_text) <= 8000));

alter table agent_turns add constraint agent_turns_reason_length CHECK ((length(reason) <= 64));

alter table agent_turns add constraint agent_turns_seq_range CHECK ((seq >= 0));

alter table agent_turns add constraint agent_turns_session_id_fkey FOREIGN KEY (session_id) REFERENCES agent_sessions(session_id) ON DELETE CASCADE;

alter table agent_turns add constraint agent_turns_tokens_in_range CHECK ((tokens_in >= 0));

alter table agent_turns add constraint agent_turns_tokens_out_range CHECK ((tokens_out >= 0));

alter table agent_turns add constraint agent_turns_tool_length CHECK ((length(tool) <= 64));

alter table agent_turns add constraint agent_turns_total_range CHECK ((total_ms >= 0));

alter table alert_episodes add constraint alert_episodes_alert_fkey FOREIGN KEY (alert) REFERENCES alert_rules(alert);

alter table alert_episodes add constraint alert_episodes_pkey PRIMARY KEY (id);

alter table alert_episodes add constraint alert_episodes_times_in_order CHECK ((closed_at >= opened_at));

alter table alert_rules add constraint alert_rules_alert_form CHECK ((alert ~ '^[a-z][a-z_]{0,63}$'::text));

alter table alert_rules add constraint alert_rules_close_after_range CHECK (((close_after_minutes >= 0) AND (close_after_minutes <= 1440)));

alter table alert_rules add constraint alert_rules_comparison_known CHECK ((comparison = ANY (ARRAY['above'::text, 'below'::text, 'at_least'::text])));

alter table alert_rules add constraint alert_rules_minimum_range CHECK ((minimum >= 0));

alter table alert_rules add constraint alert_rules_pkey PRIMARY KEY (alert);

alter table alert_rules add constraint alert_rules_severity_known CHECK ((severity = ANY (ARRAY['critical'::text, 'warning'::text])));

alter table alert_rules add constraint alert_rules_window_range CHECK (((window_minutes >= 0) AND (window_minutes <= 60)));

alter table analytics_events add constraint analytics_events_data_object CHECK ((jsonb_typeof(event_data) = 'object'::text));

alter table analytics_events add constraint analytics_events_pkey PRIMARY KEY (id);

alter table analytics_events add constraint analytics_events_severity_known CHECK ((severity = ANY (ARRAY['debug'::text, 'info'::text, 'warning'::text, 'error'::text, 'critical'::text])));

alter table analytics_events add constraint analytics_events_type_form CHECK ((event_type ~ '^[a-z][a-z0-9_.]{0,63}$'::text));

alter table audit_log add constraint audit_log_action_known CHECK ((action = ANY (ARRAY['insert'::text, 'update'::text, 'delete'::text])));

alter table audit_log add constraint audit_log_changes_object CHECK ((jsonb_typeof(changes) = 'object'::text));

alter table audit_log add constraint audit_log_pkey PRIMARY KEY (id);

alter table calendar_overrides add constraint calendar_overrides_calendar_length CHECK (((length(calendar) >= 1) AND (length(calendar) <= 64)));

alter table calendar_overrides add constraint calendar_overrides_ends CHECK (((until > set_at) AND (until <= (set_at + '366 days'::interval))));

alter table calendar_overrides add constraint calendar_overrides_flow_id_fkey FOREIGN KEY (flow_id) REFERENCES call_flows(id);

alter table calendar_overrides add constraint calendar_overrides_pkey PRIMARY KEY (flow_id, calendar);

alter table calendar_overrides add constraint calendar_overrides_state_known CHECK ((state = ANY (ARRAY['open'::text, 'closed'::text])));

alter table call_flow_pointers add constraint call_flow_pointers_flow_id_fkey FOREIGN KEY (flow_id) REFERENCES call_flows(id);

alter table call_flow_pointers add constraint call_flow_pointers_pkey PRIMARY KEY (flow_id);

alter table call_flow_pointers add constraint call_flow_pointers_to_version FOREIGN KEY (flow_id, version) REFERENCES call_flow_versions(flow_id, version);

alter table call_flow_versions add constraint call_flow_versions_calendars_object CHECK ((jsonb_typeof(calendars) = 'object'::text));

alter table call_flow_versions add constraint call_flow_versions_definition_object CHECK ((jsonb_typeof(definition) = 'object'::text));

alter table call_flow_versions add constraint call_flow_versions_flow_id_fkey FOREIGN KEY (flow_id) REFERENCES call_flows(id);

alter table call_flow_versions add constraint call_flow_versions_hash_form CHECK ((hash ~ '^[0-9a-f]{64}$'::text));

alter table call_flow_versions add constraint call_flow_versions_key UNIQUE (flow_id, version);

alter table call_flow_versions add constraint call_flow_versions_missed_call_object CHECK ((jsonb_typeof(missed_call) = 'object'::text));

alter table call_flow_versions add constraint call_flow_versions_note_length CHECK ((length(note) <= 500));

alter table call_flow_versions add constraint call_flow_versions_pkey PRIMARY KEY (id);

alter table call_flow_versions add constraint call_flow_versions_published_by_length CHECK (((length(published_by) >= 1) AND (length(published_by) <= 200)));

alter table call_flow_versions add constraint call_flow_versions_steps_object CHECK ((jsonb_typeof(steps) = 'object'::text));

alter table call_flow_versions add constraint call_flow_versions_uses_object CHECK ((jsonb_typeof(uses) = 'object'::text));

alter table call_flow_versions add constraint call_flow_versions_version_range CHECK ((version > 0));

alter table call_flows add constraint call_flows_draft_object CHECK ((jsonb_typeof(draft) = 'object'::text));

alter table call_flows add constraint call_flows_draft_whole CHECK (((draft IS NULL) = (drafted_at IS NULL)));

alter table call_flows add constraint call_flows_drafted_by_length CHECK (((length(drafted_by) >= 1) AND (length(drafted_by) <= 200)));

alter table call_flows add constraint call_flows_key UNIQUE NULLS NOT DISTINCT (org_id, name);

alter table call_flows add constraint call_flows_name_form CHECK (((name ~ '^[^[:space:][:cntrl:]]([^[:cntrl:]]{0,62}[^[:space:][:cntrl:]])?$'::text) AND (name <> 'default'::text)));

alter table call_flows add constraint call_flows_pkey PRIMARY KEY (id);

alter table call_hours add constraint call_hours_hour_fkey FOREIGN KEY (hour) REFERENCES rolled_hours(hour) ON DELETE CASCADE;

alter table call_hours add constraint call_hours_key UNIQUE NULLS NOT DISTINCT (hour, scope, org_id, mode, disposition, hung_up_at);

alter table call_hours add constraint call_hours_org_only CHECK (((scope = 'org'::text) OR (org_id IS NULL)));

alter table call_hours add constraint call_hours_pkey PRIMARY KEY (id);

alter table call_hours add constraint call_hours_scope_known CHECK ((scope = ANY (ARRAY['all'::text, 'org'::text])));

alter table call_legs add constraint call_legs_call_sid_form CHECK ((call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table call_legs add constraint call_legs_leg_sid_form CHECK ((leg_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table call_legs add constraint call_legs_node_form CHECK ((node ~ '^[a-z][a-z0-9_]{0,31}$'::text));

alter table call_legs add constraint call_legs_pkey PRIMARY KEY (call_sid, leg_sid);

alter table call_legs add constraint call_legs_status_final CHECK ((status >= 'lost'::call_status));

alter table call_legs add constraint call_legs_told_known CHECK ((told = ANY (ARRAY['declined'::text, 'mailbox'::text, 'caller_left'::text, 'taken'::text])));

alter table call_legs add constraint call_legs_transfer_known CHECK ((transfer = ANY (ARRAY['pending'::text, 'accepted'::text, 'returned'::text, 'unanswered'::text, 'caller_left'::text])));

alter table call_lifecycle add constraint call_lifecycle_call_sid_form CHECK ((call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table call_lifecycle add constraint call_lifecycle_leg_sid_form CHECK ((leg_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table call_lifecycle add constraint call_lifecycle_meta_object CHECK ((jsonb_typeof(meta) = 'object'::text));

alter table call_lifecycle add constraint call_lifecycle_parent_form CHECK ((parent_call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table call_lifecycle add constraint call_lifecycle_path_array CHECK ((jsonb_typeof(path) = 'array'::text));

alter table call_lifecycle add constraint call_lifecycle_pkey PRIMARY KEY (received_at, id);

alter table call_lifecycle add constraint call_lifecycle_sequence_range CHECK ((sequence_number >= 0));

alter table call_lifecycle add constraint call_lifecycle_status_form CHECK ((status ~ '^[a-z][a-z-]{0,31}$'::text));

alter table call_logs add constraint call_logs_call_sid_form CHECK ((call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table call_logs add constraint call_logs_consent_order_range CHECK ((consent_order >= 0));

alter table call_logs add constraint call_logs_consent_whole CHECK (((consent_given IS NULL) OR (consent_order > 0)));

alter table call_logs add constraint call_logs_direction_known CHECK ((direction = ANY (ARRAY['inbound'::text, 'outbound'::text])));

alter table call_logs add constraint call_logs_duration_sec_range CHECK ((duration_sec >= 0));

alter table call_logs add constraint call_logs_final_when_ended CHECK (((ended_at IS NULL) OR (status >= 'lost'::call_status)));

alter table call_logs add constraint call_logs_handoff_reason_length CHECK ((length(handoff_reason) <= 200));

alter table call_logs add constraint call_logs_last_step_known CHECK ((last_step = ANY (ARRAY['arrived'::text, 'consent'::text, 'menu'::text, 'route'::text, 'key_pressed'::text, 'dial_ended'::text, 'dial_canceled'::text, 'queue_waited'::text, 'queue_left'::text, 'agent_left'::text, 'voicemail_offered'::text, 'voicemail_recorded'::text])));

alter table call_logs add constraint call_logs_last_step_whole CHECK (((last_step IS NULL) = (last_step_at IS NULL)));

alter table call_logs add constraint call_logs_mode_form CHECK ((mode ~ '^[a-z][a-z0-9_]{0,31}$'::text));

alter table call_logs add constraint call_logs_mode_turn_range CHECK ((mode_turn >= '-1'::integer));

alter table call_logs add constraint call_logs_pkey PRIMARY KEY (call_sid);

alter table call_logs add constraint call_logs_recording_whole CHECK (((recording_sid IS NULL) = (recording_source IS NULL)));

alter table call_logs add constraint call_logs_times_in_order CHECK ((ended_at >= started_at));

alter table call_notes add constraint call_notes_body_length CHECK (((length(body) >= 1) AND (length(body) <= 4000)));

alter table call_notes add constraint call_notes_of_call FOREIGN KEY (call_sid) REFERENCES call_logs(call_sid) DEFERRABLE INITIALLY DEFERRED;

alter table call_notes add constraint call_notes_pkey PRIMARY KEY (id);

alter table call_tags add constraint call_tags_of_call FOREIGN KEY (call_sid) REFERENCES call_logs(call_sid) DEFERRABLE INITIALLY DEFERRED;

alter table call_tags add constraint call_tags_pkey PRIMARY KEY (call_sid, tag);

alter table call_tags add constraint call_tags_tag_form CHECK (((tag = lower(btrim(tag))) AND ((length(tag) >= 1) AND (length(tag) <= 64))));

alter table callbacks add constraint callbacks_calendar_object CHECK ((jsonb_typeof(calendar) = 'object'::text));

alter table callbacks add constraint callbacks_call_sid_form CHECK ((call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table callbacks add constraint callbacks_ended_whole CHECK (((ended_at IS NULL) = (state = 'open'::text)));

alter table callbacks add constraint callbacks_group_length CHECK (((length(group_name) >= 1) AND (length(group_name) <= 64)));

alter table callbacks add constraint callbacks_max_tries_range CHECK (((max_tries >= 1) AND (max_tries <= 20)));

alter table callbacks add constraint callbacks_node_form CHECK ((node ~ '^[a-z][a-z0-9_]{0,31}$'::text));

alter table callbacks add constraint callbacks_pkey PRIMARY KEY (id);

alter table callbacks add constraint callbacks_ready_open CHECK (((state = 'open'::text) OR (NOT ready)));

alter table callbacks add constraint callbacks_seconds_range CHECK (((seconds >= 5) AND (seconds <= 600)));

alter table callbacks add constraint callbacks_state_known CHECK ((state = ANY (ARRAY['open'::text, 'done'::text, 'failed'::text])));

alter table callbacks add constraint callbacks_tries_range CHECK (((tries >= 0) AND (tries <= max_tries)));

alter table callbacks add constraint callbacks_why_length CHECK (((length(why) >= 1) AND (length(why) <= 200)));

alter table campaign_areas add constraint campaign_areas_campaign_id_fkey FOREIGN KEY (campaign_id) REFERENCES campaigns(id) ON DELETE CASCADE;

alter table campaign_areas add constraint campaign_areas_key UNIQUE (campaign_id, rules, region, zones);

alter table campaign_areas add constraint campaign_areas_opening_whole CHECK ((((opens_at IS NULL) = (closes_at IS NULL)) AND (opens_at < closes_at)));

alter table campaign_areas add constraint campaign_areas_pkey PRIMARY KEY (id);

alter table campaign_areas add constraint campaign_areas_region_form CHECK ((region ~ '^[A-Z]{2}$'::text));

alter table campaign_areas add constraint campaign_areas_rules_known CHECK ((rules = ANY (ARRAY['US'::text, 'CA'::text, 'UK'::text, 'EU'::text])));

alter table campaign_areas add constraint campaign_areas_zones_there CHECK ((cardinality(zones) > 0));

alter table campaign_changes add constraint campaign_changes_campaign_id_fkey FOREIGN KEY (campaign_id) REFERENCES campaigns(id) ON DELETE CASCADE;

alter table campaign_changes add constraint campaign_changes_figure_form CHECK ((figure ~ '^[a-z_]{1,32}$'::text));

alter table campaign_changes add constraint campaign_changes_pkey PRIMARY KEY (id);

alter table campaign_contacts add constraint campaign_contacts_area_id_fkey FOREIGN KEY (area_id) REFERENCES campaign_areas(id) ON DELETE CASCADE;

alter table campaign_contacts add constraint campaign_contacts_campaign_id_fkey FOREIGN KEY (campaign_id) REFERENCES campaigns(id) ON DELETE CASCADE;

alter table campaign_contacts add constraint campaign_contacts_consent_source_length CHECK (((length(consent_source) >= 1) AND (length(consent_source) <= 200)));

alter table campaign_contacts add constraint campaign_contacts_due_while_waiting CHECK (((due_at IS NULL) OR (state = 'waiting'::text)));

alter table campaign_contacts add constraint campaign_contacts_key UNIQUE (campaign_id, e164);

alter table campaign_contacts add constraint campaign_contacts_name_length CHECK (((length(name) >= 1) AND (length(name) <= 200)));

alter table campaign_contacts add constraint campaign_contacts_pkey PRIMARY KEY (id);

alter table campaign_contacts add constraint campaign_contacts_postal_code_length CHECK (((length(postal_code) >= 1) AND (length(postal_code) <= 16)));

alter table campaign_contacts add constraint campaign_contacts_state_known CHECK ((state = ANY (ARRAY['waiting'::text, 'unknown'::text, 'ringing'::text, 'answered'::text, 'machine'::text, 'busy'::text, 'no_answer'::text, 'failed'::text, 'abandoned'::text, 'opted_out'::text, 'suppressed'::text])));

alter table campaign_dials add constraint campaign_dials_campaign_id_fkey FOREIGN KEY (campaign_id) REFERENCES campaigns(id);

alter table campaign_dials add constraint campaign_dials_pkey PRIMARY KEY (id);

alter table campaign_dials add constraint campaign_dials_result_known CHECK ((result = ANY (ARRAY['answered'::text, 'machine'::text, 'busy'::text, 'no_answer'::text, 'failed'::text, 'abandoned'::text])));

alter table campaign_lines add constraint campaign_lines_campaign_id_fkey FOREIGN KEY (campaign_id) REFERENCES campaigns(id) ON DELETE CASCADE;

alter table campaign_lines add constraint campaign_lines_per_day_range CHECK ((per_day > 0));

alter table campaign_lines add constraint campaign_lines_pkey PRIMARY KEY (campaign_id, line);

alter table campaigns add constraint campaigns_attempts_whole CHECK ((((((attempts ->> 'max'::text))::integer >= 1) AND (((attempts ->> 'max'::text))::integer <= 10)) AND ((((attempts ->> 'per_day'::text))::integer >= 1) AND (((attempts ->> 'per_day'::text))::integer <= 10)) AND ((((attempts ->> 'per_week'::text))::integer >= 1) AND (((attempts ->> 'per_week'::text))::integer <= 70)) AND ((attempts -> 'after'::text) ?& ARRAY['busy'::text, 'no_answer'::text, 'machine'::text, 'failed'::text, 'abandoned'::text])));

alter table campaigns add constraint campaigns_broadcast_with_consent CHECK (((mode <> 'broadcast'::text) OR (consent <> 'existing_business'::text)));

alter table campaigns add constraint campaigns_concurrent_range CHECK (((max_concurrent >= 1) AND (max_concurrent <= 100000)));

alter table campaigns add constraint campaigns_consent_known CHECK ((consent = ANY (ARRAY['express_written'::text, 'existing_business'::text, 'none_needed'::text])));

alter table campaigns add constraint campaigns_flow_length CHECK (((length(flow) >= 1) AND (length(flow) <= 64)));

alter table campaigns add constraint campaigns_machine_known CHECK ((machine = ANY (ARRAY['hang_up'::text, 'message'::text, 'flow'::text])));

alter table campaigns add constraint campaigns_mode_known CHECK ((mode = ANY (ARRAY['broadcast'::text, 'progressive'::text, 'predictive'::text, 'preview'::text])));

alter table campaigns add constraint campaigns_name_length CHECK (((length(name) >= 1) AND (length(name) <= 200)));

alter table campaigns add constraint campaigns_pkey PRIMARY KEY (id);

alter table campaigns add constraint campaigns_rate_range CHECK (((calls_per_second > (0)::numeric) AND (calls_per_second <= (1000)::numeric)));

alter table campaigns add constraint campaigns_ring_range CHECK (((ring_seconds >= 15) AND (ring_seconds <= 60)));

alter table campaigns add constraint campaigns_state_known CHECK ((state = ANY (ARRAY['draft'::text, 'running'::text, 'paused'::text, 'stopping'::text, 'done'::text])));

alter table campaigns add constraint campaigns_window_object CHECK ((jsonb_typeof(window_hours) = 'object'::text));

alter table consent_evidence add constraint consent_evidence_basis_object CHECK ((jsonb_typeof(basis) = 'object'::text));

alter table consent_evidence add constraint consent_evidence_hash_length CHECK ((length(call_hash) = 32));

alter table consent_evidence add constraint consent_evidence_pkey PRIMARY KEY (call_hash);

alter table contact_messages add constraint contact_messages_email_form CHECK (((email ~ '^[^\s@]+@[^\s@]+$'::text) AND (length(email) <= 254)));

alter table contact_messages add constraint contact_messages_message_length CHECK (((length(message) >= 1) AND (length(message) <= 5000)));

alter table contact_messages add constraint contact_messages_name_length CHECK (((length(name) >= 1) AND (length(name) <= 100)));

alter table contact_messages add constraint contact_messages_phone_form CHECK ((phone ~ '^\+?[0-9]{7,15}$'::text));

alter table contact_messages add constraint contact_messages_pkey PRIMARY KEY (id);

alter table contact_messages add constraint contact_messages_subject_length CHECK (((length(subject) >= 1) AND (length(subject) <= 150)));

alter table contacts add constraint contacts_company_length CHECK (((length(company) >= 1) AND (length(company) <= 200)));

alter table contacts add constraint contacts_consent_source_length CHECK (((length(consent_source) >= 1) AND (length(consent_source) <= 200)));

alter table contacts add constraint contacts_consent_whole CHECK (((consent IS NULL) = (consent_at IS NULL)));

alter table contacts add constraint contacts_key UNIQUE (owner, phone);

alter table contacts add constraint contacts_name_length CHECK (((length(name) >= 1) AND (length(name) <= 200)));

alter table contacts add constraint contacts_notes_length CHECK (((length(notes) >= 1) AND (length(notes) <= 2000)));

alter table contacts add constraint contacts_pkey PRIMARY KEY (id);

alter table dial_attempts add constraint dial_attempts_call_sid_form CHECK ((call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table dial_attempts add constraint dial_attempts_callback_id_fkey FOREIGN KEY (callback_id) REFERENCES callbacks(id) ON DELETE CASCADE;

alter table dial_attempts add constraint dial_attempts_campaign_id_fkey FOREIGN KEY (campaign_id) REFERENCES campaigns(id) ON DELETE CASCADE;

alter table dial_attempts add constraint dial_attempts_contact_id_fkey FOREIGN KEY (contact_id) REFERENCES campaign_contacts(id) ON DELETE CASCADE;

alter table dial_attempts add constraint dial_attempts_created_whole CHECK (((state = 'created'::text) = (leg_sid IS NOT NULL)));

alter table dial_attempts add constraint dial_attempts_ended_whole CHECK (((ended_at IS NULL) OR (result IS NOT NULL)));

alter table dial_attempts add constraint dial_attempts_group_length CHECK (((length(group_name) >= 1) AND (length(group_name) <= 64)));

alter table dial_attempts add constraint dial_attempts_leg_sid_form CHECK ((leg_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table dial_attempts add constraint dial_attempts_node_form CHECK ((node ~ '^[a-z][a-z0-9_]{0,31}$'::text));

alter table dial_attempts add constraint dial_attempts_person_id_fkey FOREIGN KEY (person_id) REFERENCES people(id) ON DELETE SET NULL;

alter table dial_attempts add constraint dial_attempts_pkey PRIMARY KEY (id);

alter table dial_attempts add constraint dial_attempts_purpose_known CHECK ((purpose = ANY (ARRAY['person'::text, 'callback_person'::text, 'verify'::text, 'campaign'::text])));

alter table dial_attempts add constraint dial_attempts_queue_length CHECK (((length(queue) >= 1) AND (length(queue) <= 64)));

alter table dial_attempts add constraint dial_attempts_result_known CHECK ((result = ANY (ARRAY['accepted'::text, 'declined'::text, 'mailbox'::text, 'taken'::text, 'caller_left'::text, 'busy'::text, 'no_answer'::text, 'unreachable'::text, 'canceled'::text, 'caller_busy'::text, 'caller_no_answer'::text, 'caller_failed'::text, 'machine'::text, 'abandoned'::text])));

alter table dial_attempts add constraint dial_attempts_seconds_range CHECK (((seconds >= 5) AND (seconds <= 600)));

alter table dial_attempts add constraint dial_attempts_state_known CHECK ((state = ANY (ARRAY['intended'::text, 'created'::text, 'unknown'::text, 'refused'::text])));

alter table dial_attempts add constraint dial_attempts_token_key UNIQUE (token);

alter table dial_attempts add constraint dial_attempts_transfer_known CHECK ((transfer = ANY (ARRAY['pending'::text, 'accepted'::text, 'returned'::text, 'unanswered'::text, 'caller_left'::text])));

alter table dial_attempts add constraint dial_attempts_whom CHECK ((((purpose = 'person'::text) = (queue IS NOT NULL)) AND ((purpose = 'callback_person'::text) = (callback_id IS NOT NULL)) AND ((purpose = 'campaign'::text) = (contact_id IS NOT NULL)) AND ((contact_id IS NULL) = (slot IS NULL)) AND ((contact_id IS NULL) = (campaign_id IS NULL)) AND ((contact_id IS NULL) = (send_at IS NULL))));

alter table dial_rates add constraint dial_rates_pkey PRIMARY KEY (owner);

alter table dial_rates add constraint dial_rates_range CHECK (((per_second > (0)::numeric) AND (per_second <= (1000)::numeric)));

alter table dialled_time add constraint dialled_time_ceiling_range CHECK ((ceiling_sec > 0));

alter table dialled_time add constraint dialled_time_leg_range CHECK ((leg_sec > 0));

alter table dialled_time add constraint dialled_time_pkey PRIMARY KEY (line, day, org_id);

alter table disclosures add constraint disclosures_key_form CHECK ((key ~ '^[0-9]$'::text));

alter table disclosures add constraint disclosures_language_length CHECK (((length(language) >= 2) AND (length(language) <= 35)));

alter table disclosures add constraint disclosures_name_of_words CHECK ((name = concat_ws('-'::text, policy, key, language, "left"(encode(sha256(convert_to(words, 'UTF8'::name)), 'hex'::text), 32))));

alter table disclosures add constraint disclosures_pkey PRIMARY KEY (name);

alter table disclosures add constraint disclosures_policy_known CHECK ((policy = ANY (ARRAY['opt_out'::text, 'opt_in'::text])));

alter table disclosures add constraint disclosures_words_length CHECK (((length(words) >= 1) AND (length(words) <= 4000)));

alter table erased_calls add constraint erased_calls_hash_length CHECK ((length(call_hash) = 32));

alter table erased_calls add constraint erased_calls_pkey PRIMARY KEY (call_hash);

alter table erasure_receipts add constraint erasure_receipts_counts_object CHECK ((jsonb_typeof(counts) = 'object'::text));

alter table erasure_receipts add constraint erasure_receipts_pkey PRIMARY KEY (id);

alter table flow_counts add constraint flow_counts_key UNIQUE NULLS NOT DISTINCT (version_id, node, outcome);

alter table flow_counts add constraint flow_counts_pkey PRIMARY KEY (id);

alter table flow_counts add constraint flow_counts_version_id_fkey FOREIGN KEY (version_id) REFERENCES call_flow_versions(id);

alter table flow_counts_until add constraint flow_counts_until_only CHECK (is_only);

alter table flow_counts_until add constraint flow_counts_until_pkey PRIMARY KEY (is_only);

alter table function_metrics add constraint function_metrics_cumulative CHECK (((0 <= le_50) AND (le_50 <= le_100) AND (le_100 <= le_250) AND (le_250 <= le_500) AND (le_500 <= le_1000) AND (le_1000 <= le_2000) AND (le_2000 <= le_5000) AND (le_5000 <= requests)));

alter table function_metrics add constraint function_metrics_database_failures_range CHECK (((database_failures >= 0) AND (database_failures <= requests)));

alter table function_metrics add constraint function_metrics_database_ms_range CHECK ((database_ms >= 0));

alter table function_metrics add constraint function_metrics_errors_range CHECK (((errors >= 0) AND (errors <= requests)));

alter table function_metrics add constraint function_metrics_function_form CHECK ((function ~ '^[a-z][a-z0-9-]{0,63}$'::text));

alter table function_metrics add constraint function_metrics_max_ms_range CHECK ((max_ms >= 0));

alter table function_metrics add constraint function_metrics_minute_whole CHECK ((minute = date_trunc('minute'::text, minute, 'UTC'::text)));

alter table function_metrics add constraint function_metrics_pkey PRIMARY KEY (minute, function);

alter table function_metrics add constraint function_metrics_refused_range CHECK ((refused >= 0));

alter table function_metrics add constraint function_metrics_requests_range CHECK ((requests >= 0));

alter table function_metrics add constraint function_metrics_total_ms_range CHECK ((total_ms >= 0));

alter table function_totals add constraint function_totals_function_form CHECK ((function ~ '^[a-z][a-z0-9-]{0,63}$'::text));

alter table function_totals add constraint function_totals_pkey PRIMARY KEY (function);

alter table health_checks add constraint health_checks_failing_bounded CHECK ((cardinality(failing) <= 50));

alter table health_checks add constraint health_checks_pkey PRIMARY KEY (checked_at);

alter table health_checks add constraint health_checks_refused_calls_range CHECK ((refused_calls >= 0));

alter table idempotency_keys add constraint idempotency_keys_completed_has_result CHECK (((status <> 'completed'::text) OR (result IS NOT NULL)));

alter table idempotency_keys add constraint idempotency_keys_key_length CHECK (((length(key) >= 1) AND (length(key) <= 255)));

alter table idempotency_keys add constraint idempotency_keys_operation_form CHECK ((operation ~ '^[a-z][a-z0-9-]{0,63}$'::text));

alter table idempotency_keys add constraint idempotency_keys_pkey PRIMARY KEY (key);

alter table idempotency_keys add constraint idempotency_keys_request_hash_length CHECK ((length(request_hash) = 32));

alter table idempotency_keys add constraint idempotency_keys_status_known CHECK ((status = ANY (ARRAY['in_progress'::text, 'completed'::text, 'failed'::text])));

alter table job_kinds add constraint job_kinds_delays_there CHECK ((cardinality(delays) > 0));

alter table job_kinds add constraint job_kinds_held_for_length CHECK ((length(held_for) <= 200));

alter table job_kinds add constraint job_kinds_hourly_share_range CHECK (((hourly_share > (0)::numeric) AND (hourly_share <= (1)::numeric)));

alter table job_kinds add constraint job_kinds_kind_form CHECK ((kind ~ '^[a-z][a-z0-9_]{0,63}$'::text));

alter table job_kinds add constraint job_kinds_lease_range CHECK (((lease >= '00:00:01'::interval) AND (lease <= '01:00:00'::interval)));

alter table job_kinds add constraint job_kinds_max_attempts_range CHECK ((max_attempts > 0));

alter table job_kinds add constraint job_kinds_pkey PRIMARY KEY (kind);

alter table job_kinds add constraint job_kinds_priority_range CHECK (((priority >= 0) AND (priority <= 3)));

alter table job_kinds add constraint job_kinds_share_range CHECK (((share >= (0)::numeric) AND (share <= (1)::numeric)));

alter table jobs add constraint jobs_attempts_range CHECK ((attempts >= 0));

alter table jobs add constraint jobs_ended_when_ended CHECK (((status = ANY (ARRAY['done'::text, 'dead'::text])) = (ended_at IS NOT NULL)));

alter table jobs add constraint jobs_key_length CHECK (((length(key) >= 1) AND (length(key) <= 256)));

alter table jobs add constraint jobs_kind_fkey FOREIGN KEY (kind) REFERENCES job_kinds(kind);

alter table jobs add constraint jobs_last_error_length CHECK ((length(last_error) <= 200));

alter table jobs add constraint jobs_leased_while_running CHECK (((status = 'running'::text) = (lease IS NOT NULL)));

alter table jobs add constraint jobs_once UNIQUE (kind, key);

alter table jobs add constraint jobs_payload_object CHECK ((jsonb_typeof(payload) = 'object'::text));

alter table jobs add constraint jobs_pkey PRIMARY KEY (id);

alter table jobs add constraint jobs_priority_range CHECK (((priority >= 0) AND (priority <= 3)));

alter table jobs add constraint jobs_result_length CHECK ((length(result) <= 256));

alter table jobs add constraint jobs_status_known CHECK ((status = ANY (ARRAY['waiting'::text, 'running'::text, 'done'::text, 'dead'::text])));

alter table knowledge_entries add constraint knowledge_entries_answer_length CHECK (((length(btrim(answer)) >= 1) AND (length(btrim(answer)) <= 2000)));

alter table knowledge_entries add constraint knowledge_entries_key UNIQUE (owner, language, question);

alter table knowledge_entries add constraint knowledge_entries_language_form CHECK ((language ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$'::text));

alter table knowledge_entries add constraint knowledge_entries_pkey PRIMARY KEY (id);

alter table knowledge_entries add constraint knowledge_entries_question_length CHECK (((length(btrim(question)) >= 1) AND (length(btrim(question)) <= 500)));

alter table lines add constraint lines_flow_id_fkey FOREIGN KEY (flow_id) REFERENCES call_flow_pointers(flow_id);

alter table lines add constraint lines_key UNIQUE NULLS NOT DISTINCT (line, org_id);

alter table lines add constraint lines_of_own_number FOREIGN KEY (line, org_id) REFERENCES telephony_numbers(e164_number, org_id) ON DELETE CASCADE;

alter table lines add constraint lines_pkey PRIMARY KEY (id);

alter table members add constraint members_email_form CHECK (((email = lower(email)) AND (email ~ '^[^@[:space:]]+@[^@[:space:]]+$'::text) AND (length(email) <= 254)));

alter table members add constraint members_joined_whole CHECK (((user_id IS NULL) = (joined_at IS NULL)));

alter table members add constraint members_keep_an_owner TRIGGER;

alter table members add constraint members_key UNIQUE (owner, email);

alter table members add constraint members_name_length CHECK (((length(name) >= 1) AND (length(name) <= 200)));

alter table members add constraint members_of_one_organisation UNIQUE (user_id);

alter table members add constraint members_pkey PRIMARY KEY (id);

alter table "months.call_lifecycle_other" add constraint call_lifecycle_call_sid_form CHECK ((call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table "months.call_lifecycle_other" add constraint call_lifecycle_leg_sid_form CHECK ((leg_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table "months.call_lifecycle_other" add constraint call_lifecycle_meta_object CHECK ((jsonb_typeof(meta) = 'object'::text));

alter table "months.call_lifecycle_other" add constraint call_lifecycle_other_pkey PRIMARY KEY (received_at, id);

alter table "months.call_lifecycle_other" add constraint call_lifecycle_parent_form CHECK ((parent_call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table "months.call_lifecycle_other" add constraint call_lifecycle_path_array CHECK ((jsonb_typeof(path) = 'array'::text));

alter table "months.call_lifecycle_other" add constraint call_lifecycle_sequence_range CHECK ((sequence_number >= 0));

alter table "months.call_lifecycle_other" add constraint call_lifecycle_status_form CHECK ((status ~ '^[a-z][a-z-]{0,31}$'::text));

alter table people add constraint people_calendar_object CHECK ((jsonb_typeof(calendar) = 'object'::text));

alter table people add constraint people_code_form CHECK ((code ~ '^[0-9]{1,4}$'::text));

alter table people add constraint people_handle_form CHECK ((handle ~ '^[a-z][a-z0-9_]{0,31}$'::text));

alter table people add constraint people_key UNIQUE NULLS NOT DISTINCT (org_id, handle);

alter table people add constraint people_member_id_fkey FOREIGN KEY (member_id) REFERENCES members(id) ON DELETE SET NULL;

alter table people add constraint people_name_length CHECK (((length(name) >= 1) AND (length(name) <= 200)));

alter table people add constraint people_name_speakable CHECK ((name !~ '[[:cntrl:]\ufffe\uffff]'::text));

alter table people add constraint people_pkey PRIMARY KEY (id);

alter table personal_data add constraint personal_data_exported_as_key UNIQUE (exported_as);

alter table personal_data add constraint personal_data_found CHECK (((personal = '{}'::text[]) OR (of_person IS NOT NULL)));

alter table personal_data add constraint personal_data_pkey PRIMARY KEY (table_name);

alter table personal_data add constraint personal_data_rule_fkey FOREIGN KEY (rule) REFERENCES retention_rules(subject);

alter table personal_data add constraint personal_data_told_or_erased CHECK (((of_person IS NULL) OR (exported_as IS NOT NULL) OR (kept_because IS NULL)));

alter table prompts add constraint prompts_bytes_range CHECK (((bytes >= 1) AND (bytes <= 16777216)));

alter table prompts add constraint prompts_hash_form CHECK ((hash ~ '^[0-9a-f]{64}$'::text));

alter table prompts add constraint prompts_key UNIQUE NULLS NOT DISTINCT (org_id, hash);

alter table prompts add constraint prompts_mime_known CHECK ((mime = ANY (ARRAY['audio/wav'::text, 'audio/mpeg'::text])));

alter table prompts add constraint prompts_pkey PRIMARY KEY (id);

alter table prompts add constraint prompts_seconds_range CHECK (((seconds > (0)::numeric) AND (seconds <= (2400)::numeric)));

alter table queue_entries add constraint queue_entries_call_sid_form CHECK ((call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table queue_entries add constraint queue_entries_call_token_length CHECK ((length(call_token) <= 4096));

alter table queue_entries add constraint queue_entries_connected_taken CHECK (((connected_at IS NULL) OR (taken_at IS NOT NULL)));

alter table queue_entries add constraint queue_entries_first_range CHECK ((first_position > 0));

alter table queue_entries add constraint queue_entries_group_length CHECK (((length(group_name) >= 1) AND (length(group_name) <= 64)));

alter table queue_entries add constraint queue_entries_left_whole CHECK (((left_at IS NULL) = (result IS NULL)));

alter table queue_entries add constraint queue_entries_node_form CHECK ((node ~ '^[a-z][a-z0-9_]{0,31}$'::text));

alter table queue_entries add constraint queue_entries_pkey PRIMARY KEY (id);

alter table queue_entries add constraint queue_entries_position_range CHECK ((told_position > 0));

alter table queue_entries add constraint queue_entries_queue_length CHECK (((length(queue) >= 1) AND (length(queue) <= 64)));

alter table queue_entries add constraint queue_entries_result_known CHECK ((result = ANY (ARRAY['answered'::text, 'unanswered'::text, 'offer'::text, 'gave_up'::text, 'full'::text, 'hung_up'::text, 'transferred'::text])));

alter table queue_entries add constraint queue_entries_seconds_range CHECK (((seconds >= 5) AND (seconds <= 600)));

alter table queue_entries add constraint queue_entries_taken_whole CHECK (((taken_by IS NULL) = (taken_at IS NULL)));

alter table queue_entries add constraint queue_entries_transfer_whole CHECK (((transferred_by IS NULL) = (returns_to IS NULL)));

alter table rate_limit_refusals add constraint rate_limit_refusals_pkey PRIMARY KEY (endpoint, identifier_type, identifier, minute);

alter table rate_limit_refusals add constraint rate_limit_refusals_positive CHECK ((refusals > 0));

alter table rate_limit_windows add constraint rate_limit_windows_bounded CHECK ((cardinality(admitted_at) <= 10000));

alter table rate_limit_windows add constraint rate_limit_windows_pkey PRIMARY KEY (endpoint, identifier_type, identifier);

alter table recordings add constraint recordings_call_sid_form CHECK ((call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table recordings add constraint recordings_duration_sec_range CHECK ((duration_sec >= 0));

alter table recordings add constraint recordings_leg_sid_form CHECK ((leg_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table recordings add constraint recordings_pkey PRIMARY KEY (call_sid, recording_sid);

alter table recordings add constraint recordings_sid_form CHECK ((recording_sid ~ '^RE[0-9a-fA-F]{32}$'::text));

alter table recordings add constraint recordings_source_known CHECK ((source = ANY (ARRAY['dial'::text, 'voicemail'::text])));

alter table recordings add constraint recordings_transcript_length CHECK ((length(transcript) <= 65536));

alter table recordings add constraint recordings_url_form CHECK (((url ~ '^https?://'::text) AND (length(url) <= 2048)));

alter table retention_rules add constraint retention_rules_days_range CHECK (((days >= 1) AND (days <= 3650)));

alter table retention_rules add constraint retention_rules_known CHECK ((subject = ANY (ARRAY['calls'::text, 'voicemails'::text, 'contact_messages'::text, 'dead_jobs'::text, 'analytics_events'::text, 'consent_evidence'::text, 'erasures'::text, 'search_history'::text, 'campaign_dials'::text])));

alter table retention_rules add constraint retention_rules_pkey PRIMARY KEY (subject);

alter table retention_rules add constraint retention_rules_why_length CHECK (((length(why) >= 1) AND (length(why) <= 300)));

alter table rolled_hours add constraint rolled_hours_pkey PRIMARY KEY (hour);

alter table rolled_hours add constraint rolled_hours_whole CHECK ((hour = date_trunc('hour'::text, hour, 'UTC'::text)));

alter table saved_searches add constraint saved_searches_filters_object CHECK ((jsonb_typeof(filters) = 'object'::text));

alter table saved_searches add constraint saved_searches_key UNIQUE (user_id, name);

alter table saved_searches add constraint saved_searches_name_length CHECK (((length(name) >= 1) AND (length(name) <= 100)));

alter table saved_searches add constraint saved_searches_pkey PRIMARY KEY (id);

alter table saved_searches add constraint saved_searches_query_length CHECK ((length(query) <= 1000));

alter table search_alert_matches add constraint search_alert_matches_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES search_alerts(id) ON DELETE CASCADE;

alter table search_alert_matches add constraint search_alert_matches_pkey PRIMARY KEY (alert_id, kind, ref);

alter table search_alerts add constraint search_alerts_channel_known CHECK ((channel = ANY (ARRAY['mail'::text, 'slack'::text, 'webhook'::text])));

alter table search_alerts add constraint search_alerts_name_length CHECK (((length(name) >= 1) AND (length(name) <= 100)));

alter table search_alerts add constraint search_alerts_pkey PRIMARY KEY (id);

alter table search_alerts add constraint search_alerts_query_length CHECK (((length(query) >= 1) AND (length(query) <= 200)));

alter table search_alerts add constraint search_alerts_secret_form CHECK ((secret ~ '^whsec_[A-Za-z0-9+/=]{32,100}$'::text));

alter table search_alerts add constraint search_alerts_target_form CHECK (((length(target) <= 500) AND
CASE channel
    WHEN 'mail'::text THEN (target ~ '^[^[:space:]@]+@[^[:space:]@]+$'::text)
    ELSE (target ~ '^https://'::text)
END));

alter table search_documents add constraint search_documents_body_length CHECK ((length(body) <= 6000));

alter table search_documents add constraint search_documents_call_sid_form CHECK ((call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table search_documents add constraint search_documents_end_range CHECK ((end_ms >= start_ms));

alter table search_documents add constraint search_documents_key UNIQUE (kind, ref, part);

alter table search_documents add constraint search_documents_kind_known CHECK ((kind = ANY (ARRAY['voicemail'::text, 'transcript'::text, 'agent_turn'::text, 'note'::text, 'contact'::text, 'message'::text, 'campaign'::text])));

alter table search_documents add constraint search_documents_lang_known CHECK ((lang = ANY (ARRAY['english'::text, 'french'::text, 'spanish'::text])));

alter table search_documents add constraint search_documents_part_range CHECK ((part >= 0));

alter table search_documents add constraint search_documents_party_form CHECK ((party ~ '^\+?[0-9]{2,15}$'::text));

alter table search_documents add constraint search_documents_pkey PRIMARY KEY (id);

alter table search_documents add constraint search_documents_ref_length CHECK (((length(ref) >= 1) AND (length(ref) <= 200)));

alter table search_documents add constraint search_documents_speaker_known CHECK ((speaker = ANY (ARRAY['caller'::text, 'person'::text, 'agent'::text])));

alter table search_documents add constraint search_documents_start_range CHECK ((start_ms >= 0));

alter table search_documents add constraint search_documents_title_length CHECK ((length(title) <= 500));

alter table search_embeddings add constraint search_embeddings_dimensions CHECK ((cardinality(embedding) = 384));

alter table search_embeddings add constraint search_embeddings_document_id_fkey FOREIGN KEY (document_id) REFERENCES search_documents(id) ON DELETE CASCADE;

alter table search_embeddings add constraint search_embeddings_model_length CHECK (((length(model) >= 1) AND (length(model) <= 64)));

alter table search_embeddings add constraint search_embeddings_pkey PRIMARY KEY (document_id);

alter table search_history add constraint search_history_hits_range CHECK (((hits >= 0) AND (hits <= 1000)));

alter table search_history add constraint search_history_milliseconds_range CHECK ((milliseconds >= (0)::double precision));

alter table search_history add constraint search_history_pkey PRIMARY KEY (id);

alter table search_history add constraint search_history_words_length CHECK ((length(words) <= 1000));

alter table search_words add constraint search_words_pkey PRIMARY KEY (id);

alter table search_words add constraint search_words_word_length CHECK (((length(word) >= 4) AND (length(word) <= 40)));

alter table suppressions add constraint suppressions_key UNIQUE NULLS NOT DISTINCT (org_id, e164);

alter table suppressions add constraint suppressions_pkey PRIMARY KEY (id);

alter table suppressions add constraint suppressions_source_form CHECK ((source ~ '^[a-z][a-z0-9_]{0,31}$'::text));

alter table telephony_numbers add constraint telephony_numbers_country_known CHECK ((country = ANY (ARRAY['CA'::text, 'US'::text])));

alter table telephony_numbers add constraint telephony_numbers_number_sid_key UNIQUE (number_sid);

alter table telephony_numbers add constraint telephony_numbers_of_org UNIQUE (e164_number, org_id);

alter table telephony_numbers add constraint telephony_numbers_org_id_fkey FOREIGN KEY (org_id) REFERENCES telephony_subaccounts(org_id);

alter table telephony_numbers add constraint telephony_numbers_pkey PRIMARY KEY (e164_number);

alter table telephony_numbers add constraint telephony_numbers_sid_form CHECK ((number_sid ~ '^PN[0-9a-fA-F]{32}$'::text));

alter table telephony_secrets add constraint telephony_secrets_kept_once CHECK (((vault_secret_id IS NULL) <> (sealed_token IS NULL)));

alter table telephony_secrets add constraint telephony_secrets_pkey PRIMARY KEY (subaccount_sid);

alter table telephony_secrets add constraint telephony_secrets_sealed_length CHECK (((length(sealed_token) >= 1) AND (length(sealed_token) <= 1000)));

alter table telephony_secrets add constraint telephony_secrets_subaccount_sid_fkey FOREIGN KEY (subaccount_sid) REFERENCES telephony_subaccounts(subaccount_sid) ON DELETE CASCADE;

alter table telephony_subaccounts add constraint telephony_subaccounts_name_length CHECK (((length(business_name) >= 1) AND (length(business_name) <= 200)));

alter table telephony_subaccounts add constraint telephony_subaccounts_pkey PRIMARY KEY (org_id);

alter table telephony_subaccounts add constraint telephony_subaccounts_sid_form CHECK ((subaccount_sid ~ '^AC[0-9a-fA-F]{32}$'::text));

alter table telephony_subaccounts add constraint telephony_subaccounts_subaccount_sid_key UNIQUE (subaccount_sid);

alter table telephony_transactions add constraint telephony_transactions_done_when_completed CHECK (((status = 'in_progress'::text) = (completed_at IS NULL)));

alter table telephony_transactions add constraint telephony_transactions_error_length CHECK ((length(error_message) <= 2000));

alter table telephony_transactions add constraint telephony_transactions_key_length CHECK (((length(idempotency_key) >= 1) AND (length(idempotency_key) <= 255)));

alter table telephony_transactions add constraint telephony_transactions_onboarding_whole CHECK (((transaction_type <> 'onboarding'::text) OR ((request IS NOT NULL) AND ((status <> 'completed'::text) OR (result IS NOT NULL)))));

alter table telephony_transactions add constraint telephony_transactions_pkey PRIMARY KEY (id);

alter table telephony_transactions add constraint telephony_transactions_request_object CHECK ((jsonb_typeof(request) = 'object'::text));

alter table telephony_transactions add constraint telephony_transactions_result_object CHECK ((jsonb_typeof(result) = 'object'::text));

alter table telephony_transactions add constraint telephony_transactions_status_known CHECK ((status = ANY (ARRAY['in_progress'::text, 'completed'::text, 'failed'::text, 'rolled_back'::text, 'released'::text])));

alter table telephony_transactions add constraint telephony_transactions_steps_array CHECK ((jsonb_typeof(steps_completed) = 'array'::text));

alter table telephony_transactions add constraint telephony_transactions_times_in_order CHECK ((completed_at >= started_at));

alter table telephony_transactions add constraint telephony_transactions_type_form CHECK ((transaction_type ~ '^[a-z][a-z0-9_]{0,63}$'::text));

alter table voicemail_steps add constraint voicemail_steps_assigned_to_fkey FOREIGN KEY (assigned_to) REFERENCES people(id) ON DELETE SET NULL;

alter table voicemail_steps add constraint voicemail_steps_pkey PRIMARY KEY (id);

alter table voicemail_steps add constraint voicemail_steps_recording FOREIGN KEY (call_sid, recording_sid) REFERENCES recordings(call_sid, recording_sid) ON DELETE CASCADE;

alter table voicemail_steps add constraint voicemail_steps_state_known CHECK ((state = ANY (ARRAY['new'::text, 'taken'::text, 'done'::text])));

alter table worker_runs add constraint worker_runs_pkey PRIMARY KEY (worker);

alter table worker_runs add constraint worker_runs_worker_form CHECK ((worker ~ '^[a-z][a-z0-9-]{0,63}$'::text));

-- Indexes

CREATE UNIQUE INDEX agent_providers_pkey ON public.agent_providers USING btree (provider);

CREATE INDEX agent_questions_call_idx ON public.agent_questions USING btree (call_sid);

CREATE UNIQUE INDEX agent_questions_once ON public.agent_questions USING btree (owner, language, lower(question));

CREATE UNIQUE INDEX agent_questions_pkey ON public.agent_questions USING btree (id);

CREATE INDEX agent_sessions_call_idx ON public.agent_sessions USING btree (call_sid, opened_at);

CREATE INDEX agent_sessions_line_idx ON public.agent_sessions USING btree (line, opened_at DESC);

CREATE INDEX agent_sessions_open_idx ON public.agent_sessions USING btree (seen_at) WHERE (ended_at IS NULL);

CREATE UNIQUE INDEX agent_sessions_pkey ON public.agent_sessions USING btree (session_id);

CREATE INDEX agent_turns_at_idx ON public.agent_turns USING btree (at DESC);

CREATE INDEX agent_turns_call_idx ON public.agent_turns USING btree (call_sid, id);

CREATE UNIQUE INDEX agent_turns_key ON public.agent_turns USING btree (session_id, seq);

CREATE UNIQUE INDEX agent_turns_pkey ON public.agent_turns USING btree (id);

CREATE INDEX alert_episodes_alert_idx ON public.alert_episodes USING btree (alert, opened_at DESC);

CREATE UNIQUE INDEX alert_episodes_open_idx ON public.alert_episodes USING btree (alert) WHERE (closed_at IS NULL);

CREATE UNIQUE INDEX alert_episodes_pkey ON public.alert_episodes USING btree (id);

CREATE UNIQUE INDEX alert_rules_pkey ON public.alert_rules USING btree (alert);

CREATE INDEX analytics_events_created_idx ON public.analytics_events USING btree (created_at);

CREATE INDEX analytics_events_errors_idx ON public.analytics_events USING btree (created_at DESC) WHERE (severity = ANY (ARRAY['error'::text, 'critical'::text]));

CREATE UNIQUE INDEX analytics_events_pkey ON public.analytics_events USING btree (id);

CREATE INDEX audit_log_owner_idx ON public.audit_log USING btree (owner, at DESC, id DESC);

CREATE UNIQUE INDEX audit_log_pkey ON public.audit_log USING btree (id);

CREATE UNIQUE INDEX calendar_overrides_pkey ON public.calendar_overrides USING btree (flow_id, calendar);

CREATE UNIQUE INDEX call_flow_pointers_pkey ON public.call_flow_pointers USING btree (flow_id);

CREATE INDEX call_flow_pointers_version_idx ON public.call_flow_pointers USING btree (flow_id, version);

CREATE INDEX call_flow_versions_hash_idx ON public.call_flow_versions USING btree (hash);

CREATE UNIQUE INDEX call_flow_versions_key ON public.call_flow_versions USING btree (flow_id, version);

CREATE UNIQUE INDEX call_flow_versions_pkey ON public.call_flow_versions USING btree (id);

CREATE UNIQUE INDEX call_flows_key ON public.call_flows USING btree (org_id, name) NULLS NOT DISTINCT;

CREATE UNIQUE INDEX call_flows_pkey ON public.call_flows USING btree (id);

CREATE INDEX call_hours_all_idx ON public.call_hours USING btree (hour) WHERE (scope = 'all'::text);

CREATE UNIQUE INDEX call_hours_key ON public.call_hours USING btree (hour, scope, org_id, mode, disposition, hung_up_at) NULLS NOT DISTINCT;

CREATE INDEX call_hours_org_idx ON public.call_hours USING btree (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid), hour) WHERE (scope = 'org'::text);

CREATE UNIQUE INDEX call_hours_pkey ON public.call_hours USING btree (id);

CREATE INDEX call_legs_dialled_at_idx ON public.call_legs USING btree (dialled_at);

CREATE INDEX call_legs_open_idx ON public.call_legs USING btree (to_e164) WHERE (status IS NULL);

CREATE UNIQUE INDEX call_legs_pkey ON public.call_legs USING btree (call_sid, leg_sid);

CREATE INDEX call_legs_to_idx ON public.call_legs USING btree (to_e164, dialled_at);

CREATE INDEX call_lifecycle_call_idx ON ONLY public.call_lifecycle USING btree (call_sid, received_at);

CREATE INDEX call_lifecycle_other_call_sid_received_at_idx ON months.call_lifecycle_other USING btree (call_sid, received_at);

CREATE UNIQUE INDEX call_lifecycle_other_pkey ON months.call_lifecycle_other USING btree (received_at, id);

CREATE UNIQUE INDEX call_lifecycle_pkey ON ONLY public.call_lifecycle USING btree (received_at, id);

CREATE INDEX call_logs_incomplete_idx ON public.call_logs USING btree (ended_at) WHERE incomplete;

CREATE INDEX call_logs_line_idx ON public.call_logs USING btree (line, started_at DESC);

CREATE INDEX call_logs_open_idx ON public.call_logs USING btree (started_at) WHERE (disposition IS NULL);

CREATE INDEX call_logs_org_idx ON public.call_logs USING btree (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid), started_at DESC);

CREATE INDEX call_logs_party_idx ON public.call_logs USING btree (party, started_at DESC);

CREATE UNIQUE INDEX call_logs_pkey ON public.call_logs USING btree (call_sid);

CREATE INDEX call_logs_started_at_idx ON public.call_logs USING btree (started_at DESC);

CREATE INDEX call_notes_call_idx ON public.call_notes USING btree (call_sid, created_at);

CREATE UNIQUE INDEX call_notes_pkey ON public.call_notes USING btree (id);

CREATE UNIQUE INDEX call_tags_pkey ON public.call_tags USING btree (call_sid, tag);

CREATE INDEX call_tags_tag_idx ON public.call_tags USING btree (owner, tag, call_sid);

CREATE INDEX callbacks_call_idx ON public.callbacks USING btree (call_sid);

CREATE INDEX callbacks_due_idx ON public.callbacks USING btree (due_at) WHERE ((state = 'open'::text) AND (NOT ready));

CREATE UNIQUE INDEX callbacks_once ON public.callbacks USING btree (owner, to_e164, group_name) WHERE (state = 'open'::text);

CREATE INDEX callbacks_open_idx ON public.callbacks USING btree (promised_at) WHERE (state = 'open'::text);

CREATE UNIQUE INDEX callbacks_pkey ON public.callbacks USING btree (id);

CREATE INDEX callbacks_ready_idx ON public.callbacks USING btree (owner, group_name, queued_at, id) WHERE ready;

CREATE INDEX callbacks_to_idx ON public.callbacks USING btree (to_e164);

CREATE UNIQUE INDEX campaign_areas_key ON public.campaign_areas USING btree (campaign_id, rules, region, zones);

CREATE UNIQUE INDEX campaign_areas_pkey ON public.campaign_areas USING btree (id);

CREATE INDEX campaign_changes_idx ON public.campaign_changes USING btree (campaign_id, figure) INCLUDE (change);

CREATE UNIQUE INDEX campaign_changes_pkey ON public.campaign_changes USING btree (id);

CREATE UNIQUE INDEX campaign_contacts_key ON public.campaign_contacts USING btree (campaign_id, e164);

CREATE INDEX campaign_contacts_number_idx ON public.campaign_contacts USING btree (e164);

CREATE UNIQUE INDEX campaign_contacts_pkey ON public.campaign_contacts USING btree (id);

CREATE INDEX campaign_contacts_ready_idx ON public.campaign_contacts USING btree (area_id, due_at, id) WHERE (due_at IS NOT NULL);

CREATE INDEX campaign_dials_campaign_idx ON public.campaign_dials USING btree (campaign_id, dialled_at);

CREATE INDEX campaign_dials_dialled_idx ON public.campaign_dials USING btree (dialled_at);

CREATE INDEX campaign_dials_number_idx ON public.campaign_dials USING btree (number_hash);

CREATE UNIQUE INDEX campaign_dials_pkey ON public.campaign_dials USING btree (id);

CREATE UNIQUE INDEX campaign_lines_pkey ON public.campaign_lines USING btree (campaign_id, line);

CREATE INDEX campaigns_owner_idx ON public.campaigns USING btree (owner, created_at);

CREATE UNIQUE INDEX campaigns_pkey ON public.campaigns USING btree (id);

CREATE INDEX consent_evidence_decided_idx ON public.consent_evidence USING btree (decided_at);

CREATE UNIQUE INDEX consent_evidence_pkey ON public.consent_evidence USING btree (call_hash);

CREATE INDEX contact_messages_created_idx ON public.contact_messages USING btree (created_at DESC);

CREATE INDEX contact_messages_email_idx ON public.contact_messages USING btree (lower(email));

CREATE INDEX contact_messages_phone_idx ON public.contact_messages USING btree (ltrim(phone, '+'::text)) WHERE (phone IS NOT NULL);

CREATE UNIQUE INDEX contact_messages_pkey ON public.contact_messages USING btree (id);

CREATE INDEX contacts_bare_idx ON public.contacts USING btree (created_at) WHERE bare;

CREATE INDEX contacts_digits_idx ON public.contacts USING gin (owner, phone gin_trgm_ops);

CREATE UNIQUE INDEX contacts_key ON public.contacts USING btree (owner, phone);

CREATE UNIQUE INDEX contacts_pkey ON public.contacts USING btree (id);

CREATE INDEX dial_attempts_call_idx ON public.dial_attempts USING btree (call_sid);

CREATE INDEX dial_attempts_callback_idx ON public.dial_attempts USING btree (callback_id);

CREATE INDEX dial_attempts_campaign_idx ON public.dial_attempts USING btree (campaign_id) WHERE (ended_at IS NULL);

CREATE INDEX dial_attempts_contact_idx ON public.dial_attempts USING btree (contact_id, id);

CREATE INDEX dial_attempts_decided_idx ON public.dial_attempts USING btree (decided_at);

CREATE INDEX dial_attempts_idle_idx ON public.dial_attempts USING btree (owner, to_e164, ended_at);

CREATE INDEX dial_attempts_leg_idx ON public.dial_attempts USING btree (leg_sid);

CREATE UNIQUE INDEX dial_attempts_one_a_callback ON public.dial_attempts USING btree (callback_id) WHERE (ended_at IS NULL);

CREATE UNIQUE INDEX dial_attempts_one_a_slot ON public.dial_attempts USING btree (owner, slot) WHERE (slot IS NOT NULL);

CREATE UNIQUE INDEX dial_attempts_one_a_telephone ON public.dial_attempts USING btree (owner, to_e164) WHERE (ended_at IS NULL);

CREATE INDEX dial_attempts_open_idx ON public.dial_attempts USING btree (owner, queue, id) WHERE (ended_at IS NULL);

CREATE INDEX dial_attempts_person_idx ON public.dial_attempts USING btree (person_id, decided_at);

CREATE UNIQUE INDEX dial_attempts_pkey ON public.dial_attempts USING btree (id);

CREATE UNIQUE INDEX dial_attempts_token_key ON public.dial_attempts USING btree (token);

CREATE UNIQUE INDEX dial_rates_pkey ON public.dial_rates USING btree (owner);

CREATE UNIQUE INDEX dialled_time_pkey ON public.dialled_time USING btree (line, day, org_id);

CREATE UNIQUE INDEX disclosures_pkey ON public.disclosures USING btree (name);

CREATE INDEX erased_calls_erased_idx ON public.erased_calls USING btree (erased_at);

CREATE UNIQUE INDEX erased_calls_pkey ON public.erased_calls USING btree (call_hash);

CREATE INDEX erasure_receipts_erased_idx ON public.erasure_receipts USING btree (erased_at);

CREATE UNIQUE INDEX erasure_receipts_pkey ON public.erasure_receipts USING btree (id);

CREATE UNIQUE INDEX flow_counts_key ON public.flow_counts USING btree (version_id, node, outcome) NULLS NOT DISTINCT;

CREATE UNIQUE INDEX flow_counts_pkey ON public.flow_counts USING btree (id);

CREATE UNIQUE INDEX flow_counts_until_pkey ON public.flow_counts_until USING btree (is_only);

CREATE UNIQUE INDEX function_metrics_pkey ON public.function_metrics USING btree (minute, function);

CREATE UNIQUE INDEX function_totals_pkey ON public.function_totals USING btree (function);

CREATE UNIQUE INDEX health_checks_pkey ON public.health_checks USING btree (checked_at);

CREATE INDEX idempotency_keys_expires_idx ON public.idempotency_keys USING btree (expires_at);

CREATE UNIQUE INDEX idempotency_keys_pkey ON public.idempotency_keys USING btree (key);

CREATE UNIQUE INDEX job_kinds_pkey ON public.job_kinds USING btree (kind);

CREATE INDEX jobs_call_idx ON public.jobs USING btree (((payload ->> 'call_sid'::text))) WHERE ((payload ->> 'call_sid'::text) IS NOT NULL);

CREATE INDEX jobs_contact_idx ON public.jobs USING btree (((payload ->> 'contact_message_id'::text))) WHERE ((payload ->> 'contact_message_id'::text) IS NOT NULL);

CREATE INDEX jobs_dead_idx ON public.jobs USING btree (ended_at) WHERE (status = 'dead'::text);

CREATE INDEX jobs_ended_idx ON public.jobs USING btree (kind, status, ended_at) WHERE (ended_at IS NOT NULL);

CREATE INDEX jobs_lane_idx ON public.jobs USING btree (kind, priority, run_at, id) WHERE (ended_at IS NULL);

CREATE UNIQUE INDEX jobs_once ON public.jobs USING btree (kind, key);

CREATE UNIQUE INDEX jobs_pkey ON public.jobs USING btree (id);

CREATE INDEX jobs_running_idx ON public.jobs USING btree (kind, run_at) WHERE (status = 'running'::text);

CREATE UNIQUE INDEX knowledge_entries_key ON public.knowledge_entries USING btree (owner, language, question);

CREATE UNIQUE INDEX knowledge_entries_pkey ON public.knowledge_entries USING btree (id);

CREATE INDEX knowledge_entries_words_idx ON public.knowledge_entries USING gin (owner, fts);

CREATE INDEX lines_flow_idx ON public.lines USING btree (flow_id);

CREATE UNIQUE INDEX lines_key ON public.lines USING btree (line, org_id) NULLS NOT DISTINCT;

CREATE UNIQUE INDEX lines_pkey ON public.lines USING btree (id);

CREATE INDEX members_invited_idx ON public.members USING btree (email) WHERE (user_id IS NULL);

CREATE UNIQUE INDEX members_key ON public.members USING btree (owner, email);

CREATE UNIQUE INDEX members_of_one_organisation ON public.members USING btree (user_id);

CREATE UNIQUE INDEX members_pkey ON public.members USING btree (id);

CREATE UNIQUE INDEX people_code_once ON public.people USING btree (org_id, code) NULLS NOT DISTINCT WHERE (code IS NOT NULL);

CREATE UNIQUE INDEX people_key ON public.people USING btree (org_id, handle) NULLS NOT DISTINCT;

CREATE INDEX people_member_idx ON public.people USING btree (member_id);

CREATE INDEX people_phone_idx ON public.people USING btree (phone);

CREATE UNIQUE INDEX people_pkey ON public.people USING btree (id);

CREATE UNIQUE INDEX personal_data_exported_as_key ON public.personal_data USING btree (exported_as);

CREATE UNIQUE INDEX personal_data_pkey ON public.personal_data USING btree (table_name);

CREATE INDEX personal_data_rule_idx ON public.personal_data USING btree (rule);

CREATE UNIQUE INDEX prompts_key ON public.prompts USING btree (org_id, hash) NULLS NOT DISTINCT;

CREATE UNIQUE INDEX prompts_pkey ON public.prompts USING btree (id);

CREATE INDEX queue_entries_call_idx ON public.queue_entries USING btree (call_sid);

CREATE UNIQUE INDEX queue_entries_open_idx ON public.queue_entries USING btree (call_sid) WHERE (left_at IS NULL);

CREATE UNIQUE INDEX queue_entries_pkey ON public.queue_entries USING btree (id);

CREATE INDEX queue_entries_seen_idx ON public.queue_entries USING btree (seen_at) WHERE ((left_at IS NULL) AND (connected_at IS NULL));

CREATE INDEX queue_entries_taken_idx ON public.queue_entries USING btree (owner, queue, taken_at) WHERE (taken_at IS NOT NULL);

CREATE INDEX queue_entries_waiting_idx ON public.queue_entries USING btree (owner, queue, queued_at, id) WHERE ((left_at IS NULL) AND (taken_at IS NULL));

CREATE INDEX rate_limit_refusals_minute_idx ON public.rate_limit_refusals USING btree (minute);

CREATE UNIQUE INDEX rate_limit_refusals_pkey ON public.rate_limit_refusals USING btree (endpoint, identifier_type, identifier, minute);

CREATE UNIQUE INDEX rate_limit_windows_pkey ON public.rate_limit_windows USING btree (endpoint, identifier_type, identifier);

CREATE INDEX recordings_backlog_idx ON public.recordings USING btree (recorded_at) WHERE ((source = 'voicemail'::text) AND (handled_at IS NULL) AND (deleted_at IS NULL));

CREATE UNIQUE INDEX recordings_pkey ON public.recordings USING btree (call_sid, recording_sid);

CREATE UNIQUE INDEX retention_rules_pkey ON public.retention_rules USING btree (subject);

CREATE UNIQUE INDEX rolled_hours_pkey ON public.rolled_hours USING btree (hour);

CREATE UNIQUE INDEX saved_searches_key ON public.saved_searches USING btree (user_id, name);

CREATE UNIQUE INDEX saved_searches_pkey ON public.saved_searches USING btree (id);

CREATE INDEX search_alert_matches_call_idx ON public.search_alert_matches USING btree (call_sid);

CREATE UNIQUE INDEX search_alert_matches_pkey ON public.search_alert_matches USING btree (alert_id, kind, ref);

CREATE INDEX search_alerts_owner_idx ON public.search_alerts USING btree (owner);

CREATE UNIQUE INDEX search_alerts_pkey ON public.search_alerts USING btree (id);

CREATE INDEX search_documents_call_idx ON public.search_documents USING btree (call_sid) WHERE (call_sid IS NOT NULL);

CREATE INDEX search_documents_contacts_idx ON public.search_documents USING gin (owner, fts) WHERE (kind = 'contact'::text);

CREATE UNIQUE INDEX search_documents_key ON public.search_documents USING btree (kind, ref, part);

CREATE INDEX search_documents_message_idx ON public.search_documents USING gin (party gin_trgm_ops) WHERE (kind = 'message'::text);

CREATE INDEX search_documents_newest_idx ON public.search_documents USING btree (owner, at DESC, id DESC);

CREATE INDEX search_documents_party_idx ON public.search_documents USING btree (owner, party, at DESC) WHERE (party IS NOT NULL);

CREATE UNIQUE INDEX search_documents_pkey ON public.search_documents USING btree (id);

CREATE INDEX search_documents_words_idx ON public.search_documents USING gin (owner, fts);

CREATE UNIQUE INDEX search_embeddings_pkey ON public.search_embeddings USING btree (document_id);

CREATE INDEX search_history_at_idx ON public.search_history USING btree (at);

CREATE UNIQUE INDEX search_history_pkey ON public.search_history USING btree (id);

CREATE INDEX search_history_user_idx ON public.search_history USING btree (user_id, at DESC);

CREATE INDEX search_history_words_idx ON public.search_history USING btree (at) WHERE (words IS NOT NULL);

CREATE INDEX search_words_key_idx ON public.search_words USING btree (owner, word);

CREATE INDEX search_words_like_idx ON public.search_words USING gin (owner, word gin_trgm_ops);

CREATE UNIQUE INDEX search_words_pkey ON public.search_words USING btree (id);

CREATE INDEX suppressions_e164_idx ON public.suppressions USING btree (e164);

CREATE UNIQUE INDEX suppressions_key ON public.suppressions USING btree (org_id, e164) NULLS NOT DISTINCT;

CREATE UNIQUE INDEX suppressions_pkey ON public.suppressions USING btree (id);

CREATE UNIQUE INDEX telephony_numbers_number_sid_key ON public.telephony_numbers USING btree (number_sid);

CREATE UNIQUE INDEX telephony_numbers_of_org ON public.telephony_numbers USING btree (e164_number, org_id);

CREATE INDEX telephony_numbers_org_idx ON public.telephony_numbers USING btree (org_id);

CREATE UNIQUE INDEX telephony_numbers_pkey ON public.telephony_numbers USING btree (e164_number);

CREATE UNIQUE INDEX telephony_secrets_pkey ON public.telephony_secrets USING btree (subaccount_sid);

CREATE UNIQUE INDEX telephony_subaccounts_pkey ON public.telephony_subaccounts USING btree (org_id);

CREATE UNIQUE INDEX telephony_subaccounts_subaccount_sid_key ON public.telephony_subaccounts USING btree (subaccount_sid);

CREATE INDEX telephony_transactions_ended_idx ON public.telephony_transactions USING btree (completed_at) WHERE (status = ANY (ARRAY['failed'::text, 'rolled_back'::text]));

CREATE INDEX telephony_transactions_failed_idx ON public.telephony_transactions USING btree (started_at DESC) WHERE (status = ANY (ARRAY['failed'::text, 'rolled_back'::text]));

CREATE UNIQUE INDEX telephony_transactions_one_active ON public.telephony_transactions USING btree (org_id) WHERE ((transaction_type = ANY (ARRAY['onboarding'::text, 'release'::text])) AND (status = ANY (ARRAY['in_progress'::text, 'failed'::text])));

CREATE UNIQUE INDEX telephony_transactions_one_answer ON public.telephony_transactions USING btree (org_id, COALESCE(idempotency_key, ''::text)) WHERE ((transaction_type = 'onboarding'::text) AND (status <> ALL (ARRAY['rolled_back'::text, 'released'::text])));

CREATE INDEX telephony_transactions_org_idx ON public.telephony_transactions USING btree (org_id, started_at DESC);

CREATE UNIQUE INDEX telephony_transactions_pkey ON public.telephony_transactions USING btree (id);

CREATE INDEX voicemail_steps_person_idx ON public.voicemail_steps USING btree (assigned_to);

CREATE UNIQUE INDEX voicemail_steps_pkey ON public.voicemail_steps USING btree (id);

CREATE INDEX voicemail_steps_recording_idx ON public.voicemail_steps USING btree (call_sid, recording_sid, id);

CREATE UNIQUE INDEX worker_runs_pkey ON public.worker_runs USING btree (worker);

-- Functions

CREATE OR REPLACE FUNCTION private.accept_invitation()
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  update public.members as m set user_id = auth.uid(), joined_at = now()
  where m.id = (
    select i.id from auth.users as u join public.members as i on i.email = lower(u.email)
    where u.id = auth.uid() and u.email_confirmed_at is not null and i.user_id is null
    order by i.invited_at, i.id limit 1
  )
  and not exists (select from public.members as k where k.user_id = auth.uid())
$function$

CREATE OR REPLACE FUNCTION public.accept_voice_event(p_event jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET lock_timeout TO '3s'
AS $function$
declare
  e public.voice_event := jsonb_populate_record(null::public.voice_event, p_event);
  v_identity constant bigint := hashtextextended(e.operation || ':' || e.identity, 0);
  -- jsonb's text is canonical. Its time, limits, another limiter's verdict, the isolate's cached versions and the line's
  -- current words are not part of the request: the first stored copy decides them.
  v_request constant bigint := hashtextextended(
    (p_event - array['occurred_at', 'limits', 'rate_limited', 'disclosure', 'ask'] #- '{meta,flow}')::text, 0
  );
  v_before public.call_logs;
  v_call public.call_logs;
  v_leg public.call_legs;
  v_leg_before public.call_legs;
  v_recording public.recordings;
  v_known record;
  v_limit record;
  v_attempt record;
  -- The organisation that a sub-account belongs to.
  v_org_id constant uuid := case when e.account_sid is not null then public.organisation_of(e.account_sid) end;
  -- Limits count by account, so that one account's events do not use up another's limits.
  v_endpoint constant text := concat_ws(' ', e.operation, e.account_sid);
  v_answer public.voice_answer;
  v_disclosure public.disclosures;
  v_path jsonb;
  -- Of the number that calls; null: not asked, or no contact yet.
  v_blocked boolean;
begin
  if e.ask ? 'attempt' then
    select a.call_sid, a.org_id, a.connected_at into v_attempt
    from public.dial_attempts as a where a.token = (e.ask #>> '{attempt,token}')::uuid;
    -- The leg may have taken another caller of its queue than the one that it was dialled for: the first one that it was
    -- connected with stands.
    if v_attempt.connected_at is not null or e.ask #>> '{attempt,told}' is distinct from 'connected' then
      e.call_sid := coalesce(v_attempt.call_sid, e.call_sid);
    end if;
    e.parent_call_sid := e.call_sid;
  end if;
  -- The events of one call take turns, copies of one event included; different calls do not wait here. (An advisory lock,
  -- which writes nothing. Two calls with the same hash only wait for each other.)
  perform pg_advisory_xact_lock(hashtextextended(e.call_sid, 0));

  -- An erasure does not meet an event either: it locks the call's row (forget_person).
  select * into v_before from public.call_logs as c where c.call_sid = e.call_sid for no key update;
  -- Two conditions, because queries in a condition are set up for each event.
  if e.account_sid is not null then
    if v_org_id is null
      or (v_before.call_sid is not null and v_before.org_id is distinct from v_org_id)
      or (
        -- A call keeps its line, even if the number has another owner now.
        e.to_e164 is distinct from v_before.to_e164
        and exists (select from public.telephony_numbers as n where n.e164_number = e.to_e164 and n.org_id <> v_org_id)
        -- Its previous owner may have released it a moment ago.
        and not exists (
          select from public.running_onboardings() as r where r.account = e.account_sid and r.number = e.to_e164
        )
      )
    then
      raise sqlstate 'PT403' using message = 'this account has no such call or line';
    end if;
  end if;

  if v_before.call_sid is not null then
    select l.request_hash, l.answer into v_known from public.call_lifecycle as l
    where l.call_sid = e.call_sid and l.identity_hash = v_identity
      -- Later months are not opened.
      and l.received_at >= v_before.created_at and l.received_at < now() + interval '1 day';
    if found then
      if v_known.request_hash <> v_request then
        raise sqlstate 'PT409' using
          message = 'a different request was accepted under this identity',
          hint = 'Send a changed request under an identity of its own.';
      end if;
      return public.voice_answer_json(
        v_known.answer, true, public.with_body((v_known.answer).facts, v_before.org_id, e.ask)
      );
    end if;
  elsif exists (select from public.erased_calls as x where x.call_hash = public.call_hash(e.call_sid)) then
    return public.voice_answer_json(row(true, 'completed', 'menu', false, null)::public.voice_answer, true, null);
  end if;

  -- A finished call does not count under the limits.
  if e.limits is not null and v_before.disposition is null then
    if e.rate_limited then
      for v_limit in
        select * from jsonb_to_recordset(e.limits) as l(identifier_type text, identifier text)
      loop
        perform public.record_rate_limit_refusal(v_endpoint, v_limit.identifier_type, v_limit.identifier);
      end loop;
    else
      e.rate_limited := public.take_rate_limits(v_endpoint, e.limits) is not null;
    end if;
  end if;

  v_call := public.fold_voice_event(v_before, e);
  v_call.line := case v_call.direction when 'outbound' then v_call.from_e164 else v_call.to_e164 end;
  v_call.party := case v_call.direction when 'outbound' then v_call.to_e164 else v_call.from_e164 end;
  -- The call's organisation: that of the signing account, or of our number in the call, which only an event of the call
  -- itself has.
  v_call.org_id := coalesce(v_call.org_id, v_org_id);
  if v_call.org_id is null and v_call.line is distinct from v_before.line then
    v_call.org_id := (select n.org_id from public.telephony_numbers as n where n.e164_number = v_call.line);
  end if;
  -- A call's first event, and its arrival at the front door, which comes with limits.
  if e.limits is not null or (v_before.party, v_before.org_id) is distinct from (v_call.party, v_call.org_id) then
    v_blocked := public.blocked_number(v_call);
    if v_blocked and e.limits is not null and v_before.disposition is null then
      e.rate_limited := true;
      e.meta := e.meta || '{"blocked": true}';
      v_call.rate_limited := true;
    end if;
  end if;
  if e.parent_call_sid is not null or e.leg_status is not null or e.talk_sec is not null then
    -- Before the leg's row: what other calls decide about this leg is written there too, under this lock.
    if e.ask ? 'attempt' then
      perform public.lock_dialling(v_attempt.org_id);
    end if;
    select * into v_leg_before from public.call_legs as l
    where l.call_sid = e.call_sid and l.leg_sid = e.leg_sid;
    v_leg := public.fold_leg(v_leg_before, e);
    if v_leg is distinct from v_leg_before then
      perform public.store_call_legs(v_leg, v_leg_before.call_sid is null);
      select true, min(l.rang_at), min(l.connected_at) into v_call.dialled, v_call.rang_at, v_call.connected_at
      from public.call_legs as l where l.call_sid = e.call_sid;
    end if;
  end if;
  if v_call.flow_version is null and e.ask ?| array['line', 'flow'] then
    v_call.flow_version := public.answering_version(v_call.org_id, e.ask);
  end if;
  if e.recording_sid is not null then
    -- An operator may be marking the recording as handled.
    select * into v_recording from public.recordings as r
    where r.call_sid = e.call_sid and r.recording_sid = e.recording_sid for no key update;
    perform public.store_recordings(public.fold_recording(v_recording, e), v_recording.call_sid is null);
    select r.recording_sid, r.url, r.source, r.duration_sec, r.recorded_at, r.transcript
    into v_call.recording_sid, v_call.recording_url, v_call.recording_source, v_call.recording_duration_sec,
      v_call.recorded_at, v_call.transcript
    from public.recordings as r
    where r.call_sid = e.call_sid and r.deleted_at is null
    order by r.source desc, r.recorded_at desc, r.recording_sid desc
    limit 1;
  end if;

  if coalesce(v_before.connected_at, v_call.connected_at) is not null
    and (v_before.line, v_before.org_id, v_before.connected_at, v_before.ended_at)
      is distinct from (v_call.line, v_call.org_id, v_call.connected_at, v_call.ended_at)
  then
    if v_call.flow_version is not null then
      -- Of a caller who holds, before the row of the line's day: the end of a promise is counted there under this lock.
      perform public.lock_dialling(q.org_id)
      from public.queue_entries as q where q.call_sid = v_call.call_sid and q.left_at is null;
    end if;
    perform public.count_dialled(v_before, v_call);
  end if;

  v_answer := row(
    not coalesce(e.rate_limited, false), v_call.status, v_call.mode, v_call.consent_given,
    case when v_blocked and e.rate_limited then '{"blocked": true}' when e.ask is not null then public.call_facts(v_call, e.ask) end
  );
  if v_answer.facts ? 'flow' and v_answer.admitted then
    if e.event = 'queue_left' and e.meta ->> 'outcome' = 'offer' and public.gives_up(v_call, v_answer.facts) then
      e.meta := e.meta || '{"outcome": "gave_up"}';
      v_answer.facts := v_answer.facts || '{"gives_up": true}';
    end if;
    v_path := public.path_of_event(v_call, e, v_answer.facts);
    v_call.at_node := coalesce(v_path -> -1, v_call.at_node);
  end if;
  if e.ask is not null and v_answer.admitted then
    v_answer.facts := v_answer.facts || public.enact(v_call, e, v_path);
  end if;
  if v_call.status >= 'lost' and v_before.disposition is null and v_call.flow_version is not null then
    perform public.leave_queue(v_call.call_sid, 'hung_up');
    perform public.owe_missed_call(v_call);
  end if;

  if e.event = 'agent_left' then
    perform public.end_agent_sessions(v_call, e.meta -> 'agent');
  end if;

  if v_call is distinct from v_before then
    v_call.created_at := coalesce(v_before.created_at, now());
    v_call.updated_at := now();
    perform public.store_call_logs(v_call, v_before.call_sid is null);
  end if;
  -- Only the first event of a call asks.
  if (v_before.party, v_before.org_id) is distinct from (v_call.party, v_call.org_id) then
    if v_blocked is null and v_call.party is not null then
      insert into public.contacts (org_id, phone) values (v_call.org_id, v_call.party)
      on conflict on constraint contacts_key do nothing;
    end if;
    -- Unless an event without numbers came before it, and somebody has already written about the call.
    if v_before.call_sid is not null then
      update public.call_notes as n set org_id = v_call.org_id where n.call_sid = v_call.call_sid;
      update public.call_tags as t set org_id = v_call.org_id where t.call_sid = v_call.call_sid;
    end if;
  end if;
  if (e.recording_sid is not null and coalesce(e.transcript, v_recording.transcript) is not null)
    or (v_before.call_sid is not null
      and (v_before.org_id, v_before.party, v_before.consent_given) is distinct from (v_call.org_id, v_call.party, v_call.consent_given)
      and (v_before.recording_sid is not null
        or exists (select from public.agent_turns as t where t.call_sid = v_call.call_sid)))
  then
    perform public.index_source('call', null, v_call.call_sid);
  end if;
  if v_call.status >= 'lost' and (v_call.recording_source = 'voicemail' or e.recording_lost) then
    perform public.owe_voicemail_mails(e.call_sid);
  end if;

  if e.disclosure is not null then
    v_disclosure := jsonb_populate_record(null::public.disclosures, e.disclosure);
    perform from public.disclosures as d
    where d.name = v_disclosure.name and d.policy = v_disclosure.policy and d.key = v_disclosure.key
      and d.language = v_disclosure.language and d.words = v_disclosure.words;
    if not found then
      insert into public.disclosures (name, policy, key, language, words)
      values (v_disclosure.name, v_disclosure.policy, v_disclosure.key, v_disclosure.language, v_disclosure.words)
      on conflict (name) do nothing;
    end if;
  end if;

  insert into public.call_lifecycle (
    call_sid, leg_sid, parent_call_sid, event, status, sequence_number, occurred_at, meta, path, identity_hash,
    request_hash, answer
  ) values (
    e.call_sid, e.leg_sid, e.parent_call_sid, e.event, e.status, e.sequence_number, e.occurred_at, e.meta, v_path,
    v_identity, v_request, v_answer
  );
  return public.voice_answer_json(
    v_answer, false,
    case when v_answer.facts ? 'flow' then public.with_body(v_answer.facts, v_call.org_id, e.ask) else v_answer.facts end
  );
end
$function$

CREATE OR REPLACE FUNCTION public.accounts_to_check(p_limit integer)
 RETURNS SETOF text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT s.subaccount_sid
    FROM telephony_subaccounts s
   WHERE (s.released_at IS NULL)
   ORDER BY (md5((s.subaccount_sid || (date_trunc('minute'::text, now()))::text)))
  LIMIT accounts_to_check.p_limit;
END

CREATE OR REPLACE FUNCTION public.agent_barred(p_line text, p_caps jsonb)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_day constant timestamptz := date_trunc('day', now(), 'UTC');
  v record;
begin
  select
    coalesce(sum(extract(epoch from coalesce(s.ended_at, s.seen_at) - s.opened_at)), 0) / 60 as minutes, coalesce(sum(s.cost_usd), 0) as cost
  into v
  from public.agent_sessions as s where s.line = p_line and s.opened_at >= v_day;
  if v.minutes >= (p_caps ->> 'minutes')::numeric then
    return 'day_minutes';
  elsif v.cost >= (p_caps ->> 'cost_usd')::numeric then
    return 'day_cost';
  end if;
  -- A session whose isolate was killed is not open for long: a talk writes a row at least each half minute, or ends.
  if (
    select count(*) from public.agent_sessions as s where s.ended_at is null and s.seen_at > now() - interval '2 minutes'
  ) >= (p_caps ->> 'concurrent')::integer then
    return 'concurrent_talks';
  end if;
  -- The last five talks of the line failed, all within five minutes.
  select count(*) as talks, bool_and(t.outcome = 'failed') as all_failed into v
  from (
    select s.outcome from public.agent_sessions as s
    where s.line = p_line and s.ended_at > now() - interval '5 minutes' and s.outcome <> 'resume'
    order by s.opened_at desc limit 5
  ) as t;
  return case when v.talks = 5 and v.all_failed then 'agent_failing' end;
end
$function$

CREATE OR REPLACE FUNCTION public.agent_hours(p_call_sid text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT COALESCE(( SELECT calendar_states(v.calendars) AS calendar_states
            FROM (call_logs c
              JOIN call_flow_versions v ON ((v.id = c.flow_version)))
           WHERE (c.call_sid = agent_hours.p_call_sid)), '{}'::jsonb) AS "coalesce";
END

CREATE OR REPLACE FUNCTION public.alert_content(p_payload jsonb)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'alert', jsonb_build_object(
      'id', a.id, 'name', a.name, 'query', a.query, 'channel', a.channel, 'target', a.target, 'secret', a.secret, 'org_id', a.org_id
    ),
    'document', jsonb_build_object(
      'kind', d.kind, 'ref', d.ref, 'call_sid', d.call_sid, 'at', d.at, 'speaker', d.speaker, 'start_sec', d.start_ms / 1000,
      'text', left(d.body, 1000), 'party', d.party
    )
  )
  from public.search_alerts as a
  join public.search_documents as d on d.owner = a.owner and d.kind = p_payload ->> 'kind' and d.ref = p_payload ->> 'ref'
    and d.fts @@ public.search_query(a.query, d.lang)
  where a.id = (p_payload ->> 'alert_id')::uuid and a.active
    and (
      a.user_id is null
      or exists (select from public.members as m where m.user_id = a.user_id and m.owner = a.owner)
      -- Organisations whose people are told by their tokens only.
      or not exists (select from public.members as m where m.owner = a.owner)
    )
    and (
      a.channel <> 'mail' or a.user_id is null
      or exists (
        select from public.members as m where m.owner = a.owner and m.user_id is not null and m.email = lower(a.target)
      )
      or exists (
        select from auth.users as u
        where u.id = a.user_id and u.email_confirmed_at is not null and lower(u.email) = lower(a.target)
      )
    )
  order by d.part
  limit 1
$function$

CREATE OR REPLACE FUNCTION public.alert_measured(p_value numeric, p_unit text, p_comparison text, p_threshold numeric)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT concat(
         CASE
             WHEN (p_value IS NULL) THEN 'too little to judge by'::text
             ELSE ((trim_scale(p_value) || ' '::text) ||
             CASE
                 WHEN (p_value = (1)::numeric) THEN regexp_replace(p_unit, 's\M'::text, ''::text)
                 ELSE p_unit
             END)
         END,
         CASE p_comparison
             WHEN 'above'::text THEN ', should be at most '::text
             WHEN 'below'::text THEN ', should be at least '::text
             ELSE ', should be less than '::text
         END, trim_scale(p_threshold), ' ',
         CASE
             WHEN (p_threshold = (1)::numeric) THEN regexp_replace(p_unit, 's\M'::text, ''::text)
             ELSE p_unit
         END) AS concat;
END

CREATE OR REPLACE FUNCTION public.answer_question(p_call_sid text, p_question text, p_language text, p_limit integer DEFAULT 3)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_session constant public.agent_sessions := (
    select s from public.agent_sessions as s where s.call_sid = p_call_sid order by s.opened_at desc limit 1
  );
  v_org_id constant uuid := v_session.org_id;
  v_owner constant uuid := coalesce(v_org_id, '00000000-0000-0000-0000-000000000000');
  v_base constant text := split_part(p_language, '-', 1);
  v_question constant text := left(btrim(regexp_replace(p_question, '\s+', ' ', 'g')), 500);
  v_words constant text[] := tsvector_to_array(case v_base
    when 'en' then to_tsvector('public.search_english', v_question)
    when 'fr' then to_tsvector('public.search_french', v_question)
    when 'es' then to_tsvector('public.search_spanish', v_question)
    else to_tsvector('public.search_names', v_question)
  end);
  v_any constant tsquery := array_to_string(array(select quote_literal(w) from unnest(v_words) as w), ' | ')::tsquery;
  v_found jsonb;
begin
  -- Without a session the owner is unknown, and no entries are read.
  if v_session.session_id is null then
    return '[]';
  end if;
  select coalesce(jsonb_agg(jsonb_build_object('question', f.question, 'answer', f.answer) order by f.met desc, f.rank desc, f.id), '[]')
  into v_found
  from (
    select k.id, k.question, k.answer, ts_rank(k.fts, v_any) as rank,
      (select count(*) from unnest(v_words) as w where k.fts @@ quote_literal(w)::tsquery) as met
    from public.knowledge_entries as k
    where k.owner = v_owner and k.fts @@ v_any and split_part(k.language, '-', 1) = v_base
    order by met desc, rank desc, k.id
    limit least(greatest(p_limit, 1), 10)
  ) as f
  -- Half of what was asked for, or it is another question.
  where f.met * 2 >= cardinality(v_words);
  if v_found = '[]' and v_question <> '' then
    insert into public.agent_questions as q (org_id, language, question, call_sid)
    values (v_org_id, p_language, v_question, p_call_sid)
    on conflict (owner, language, lower(question)) do update set
      asked = q.asked + 1, last_at = now(), call_sid = excluded.call_sid;
  end if;
  return v_found;
end
$function$

CREATE OR REPLACE FUNCTION public.answering_version(p_org_id uuid, p_ask jsonb)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return case when p_ask ? 'flow' then public.version_by_hash(p_org_id, p_ask ->> 'flow') else (
    select v.id
    from public.lines as l
    join public.call_flow_pointers as p on p.flow_id = l.flow_id
    join public.call_flow_versions as v on v.flow_id = p.flow_id and v.version = p.version
    where l.line = p_ask ->> 'line' and l.org_id is not distinct from p_org_id
  ) end;
end
$function$

CREATE OR REPLACE FUNCTION public.attempt_told(p_token uuid, p_leg_sid text, p_status text DEFAULT NULL::text, p_told text DEFAULT NULL::text, p_code text DEFAULT NULL::text, p_call_sid text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
        where w.owner = a.owner and w.queue = a.queue and w.left_at is null and w.taken_at is null
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
      a.result := 'taken';
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
  if a.purpose = 'person' and (a.call_sid <> v_before or a.result = 'taken') then
    -- For that call the leg is over: it was too late, or took another caller.
    update public.call_legs as l set told = 'taken', status = case when a.call_sid <> v_before then 'completed' else l.status end,
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
$function$

CREATE OR REPLACE FUNCTION public.begin_campaign_dials(p_tokens uuid[], p_settled jsonb DEFAULT '[]'::jsonb)
 RETURNS uuid[]
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_begun public.dial_attempts[];
  v_left bigint;
begin
  perform public.dial_told((s ->> 'token')::uuid, s ->> 'state', s ->> 'leg_sid')
  from jsonb_array_elements(p_settled) as s where s ->> 'state' in ('created', 'refused');
  for v_left in
    update public.dial_attempts as t set state = 'intended', dialled_at = null
    from jsonb_array_elements(p_settled) as s
    where t.token = (s ->> 'token')::uuid and s ->> 'state' = 'not_made'
      and t.purpose = 'campaign' and t.state = 'unknown' and t.ended_at is null
    returning t.id
  loop
    perform public.end_campaign_attempt(v_left, 'canceled');
  end loop;
  with allowed as (
    update public.dial_attempts as t set state = 'unknown', dialled_at = clock_timestamp()
    from public.campaigns as c
    where t.token = any (p_tokens) and c.id = t.campaign_id and c.state = 'running'
      and t.state = 'intended' and t.ended_at is null and t.cancelled_at is null
      -- A slot that was missed is lost: late dials would meet others.
      and t.send_at > clock_timestamp() - interval '500 milliseconds'
      and not exists (select from public.suppressions as s where s.e164 = t.to_e164 and s.org_id is not distinct from t.org_id)
    returning t
  )
  select array_agg(a.t) into v_begun from allowed as a;
  update public.campaign_contacts as k set state = 'unknown', tries = k.tries + 1
  from unnest(v_begun) as a where k.id = a.contact_id;
  for v_left in
    select a.id from public.dial_attempts as a
    where a.token = any (p_tokens) and a.state = 'intended' and a.ended_at is null order by a.id
  loop
    perform public.end_attempt(v_left, 'canceled');
  end loop;
  return coalesce((select array_agg(a.token order by a.send_at) from unnest(v_begun) as a), '{}');
end
$function$

CREATE OR REPLACE FUNCTION public.begin_dial(p_token uuid)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.begin_onboarding(p_org_id uuid, p_request jsonb, p_key text DEFAULT NULL::text, p_further boolean DEFAULT true)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  t public.telephony_transactions;
  v_work jsonb;
begin
  for v_look in 1..2 loop
    select * into t from public.telephony_transactions as known
    where known.transaction_type = 'onboarding' and known.org_id = p_org_id
      and known.status not in ('rolled_back', 'released')
      and (p_key is null or known.idempotency_key = p_key)
    order by known.started_at, known.id limit 1;
    exit when found;

    -- Waits for a concurrent insert and then does nothing: the unique indexes decide.
    insert into public.telephony_transactions
      (transaction_type, org_id, request, idempotency_key)
    values ('onboarding', p_org_id, p_request, p_key)
    on conflict do nothing
    returning * into t;
    if found then
      -- Read after the insert: an onboarding that was active a moment ago is visible now.
      if not p_further and exists (select from public.telephony_numbers as n where n.org_id = p_org_id) then
        delete from public.telephony_transactions as mine where mine.id = t.id;
        return jsonb_build_object('outcome', 'enough');
      end if;
      if p_request ? 'flow' and public.current_version(p_org_id, p_request ->> 'flow') is null then
        delete from public.telephony_transactions as mine where mine.id = t.id;
        return jsonb_build_object('outcome', 'no_flow');
      end if;
      perform public.enqueue_job('onboarding', t.id::text);
      return jsonb_build_object('outcome', 'started', 'work', public.take_onboarding(t.id));
    end if;
  end loop;

  -- Another onboarding of this organisation, with its own key.
  if t.id is null then
    return jsonb_build_object('outcome', 'in_progress', 'retry_after', 5);
  end if;
  if t.request <> p_request then
    return jsonb_build_object('outcome', 'conflict');
  end if;
  if t.status = 'completed' then
    return jsonb_build_object('outcome', 'completed', 'result', t.result);
  end if;

  -- The same request after its worker died: this caller finishes it.
  if t.status = 'in_progress' and not t.undoing then
    v_work := public.take_onboarding(t.id);
    if v_work is not null then
      return jsonb_build_object('outcome', 'started', 'work', v_work);
    end if;
  end if;
  return jsonb_build_object(
    'outcome', 'in_progress',
    -- Work in progress takes seconds; a retry of an undo waits longer.
    'retry_after', case when t.status = 'in_progress' and not t.undoing then 5
      else coalesce(public.onboarding_due_in(t.id), 5) end
  );
end
$function$

CREATE OR REPLACE FUNCTION public.begin_release(p_org_id uuid)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  t public.telephony_transactions;
  v_active public.telephony_transactions;
  v_work jsonb;
begin
  insert into public.telephony_transactions
    (transaction_type, org_id, undoing, steps_completed)
  select
    'release', s.org_id, true,
    jsonb_build_object(
      'step', 'subaccount', 'state', 'done', 'undo', 'close_subaccount', 'subaccount_sid', s.subaccount_sid
    ) || coalesce((
      select jsonb_agg(
        jsonb_build_object(
          'step', 'number', 'state', 'done', 'undo', 'release_number', 'number', n.e164_number, 'number_sid', n.number_sid
        ) order by n.e164_number
      ) from public.telephony_numbers as n where n.org_id = s.org_id
    ), '[]')
  from public.telephony_subaccounts as s where s.org_id = p_org_id and s.released_at is null
  on conflict do nothing
  returning * into t;
  if found then
    perform public.enqueue_job('onboarding', t.id::text);
    return jsonb_build_object('outcome', 'started', 'work', public.take_onboarding(t.id));
  end if;

  select * into v_active from public.telephony_transactions as a
  where a.org_id = p_org_id and a.transaction_type in ('onboarding', 'release') and a.status in ('in_progress', 'failed');
  if found then
    -- Its worker died: this caller finishes it.
    if v_active.transaction_type = 'release' then
      v_work := public.take_onboarding(v_active.id);
      if v_work is not null then
        return jsonb_build_object('outcome', 'started', 'work', v_work);
      end if;
    end if;
    return jsonb_build_object(
      'outcome', 'in_progress', 'retry_after', coalesce(public.onboarding_due_in(v_active.id), 5)
    );
  end if;

  select * into t from public.telephony_transactions as r
  where r.org_id = p_org_id and r.transaction_type = 'release' and r.status = 'completed'
  order by r.completed_at desc limit 1;
  return case when found then jsonb_build_object('outcome', 'released', 'result', t.result)
    else jsonb_build_object('outcome', 'nothing') end;
end
$function$

CREATE OR REPLACE FUNCTION public.blocked_number(c call_logs)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select k.blocked from public.contacts as k
    where k.owner = coalesce(c.org_id, '00000000-0000-0000-0000-000000000000') and k.phone = c.party
  );
end
$function$

CREATE OR REPLACE FUNCTION public.bury_job(p_id bigint, p_error text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  with dead as (
    update public.jobs as j
    set status = 'dead', lease = null, content = null, last_error = p_error, ended_at = now()
    where j.id = p_id
    returning j.id, j.kind, j.attempts
  )
  select public.record_analytics_event(
    'job_dead', 'error',
    jsonb_build_object('job_id', dead.id, 'kind', dead.kind, 'attempts', dead.attempts, 'reason', p_error)
  )
  from dead
$function$

CREATE OR REPLACE FUNCTION public.calendar_open(p_calendar jsonb, p_at timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_now constant timestamp := p_at at time zone (p_calendar ->> 'zone');
  v_clock constant text collate "C" := to_char(v_now, 'HH24:MI');
  v_periods constant jsonb := coalesce(
    p_calendar -> 'dates' -> to_char(v_now, 'YYYY-MM-DD'), p_calendar -> 'weekly' -> to_char(v_now, 'dy'), '[]'
  );
begin
  for i in 0 .. jsonb_array_length(v_periods) - 1 loop
    if v_clock >= v_periods -> i ->> 0 and v_clock < v_periods -> i ->> 1 then
      return true;
    end if;
  end loop;
  return false;
end
$function$

CREATE OR REPLACE FUNCTION public.calendar_states(p_calendars jsonb, p_at timestamp with time zone DEFAULT now())
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select coalesce(jsonb_object_agg(c.key, coalesce(
      o.state, case when public.calendar_open(c.value, p_at) then 'open' else 'closed' end
    )), '{}')
    from jsonb_each(p_calendars) as c
    left join public.calendar_overrides as o
      on o.flow_id = (c.value ->> 'flow')::bigint and o.calendar = c.value ->> 'calendar' and o.until > p_at
  );
end
$function$

CREATE OR REPLACE FUNCTION public.calendar_switches(p_calendar jsonb, p_from timestamp with time zone DEFAULT now(), p_days integer DEFAULT 14)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 WITH span AS (
          SELECT calendar_switches.p_from AS since,
             (calendar_switches.p_from + make_interval(days => calendar_switches.p_days)) AS until,
             (calendar_switches.p_calendar ->> 'zone'::text) AS zone,
             ( SELECT o.*::calendar_overrides AS o
                    FROM calendar_overrides o
                   WHERE ((o.flow_id = ((calendar_switches.p_calendar ->> 'flow'::text))::bigint) AND (o.calendar = (calendar_switches.p_calendar ->> 'calendar'::text)) AND (o.until > calendar_switches.p_from))) AS override
         ), clocks AS (
          SELECT q.at,
             ((q.at AT TIME ZONE s_1.zone) - (q.at AT TIME ZONE 'UTC'::text)) AS ahead
            FROM (span s_1
              CROSS JOIN LATERAL generate_series(date_trunc('hour'::text, s_1.since, 'UTC'::text), (s_1.until + '00:15:00'::interval), '00:15:00'::interval) q(at))
         ), times AS (
          SELECT DISTINCT ((t.t #>> '{}'::text[]))::interval AS clock
            FROM jsonb_path_query(jsonb_build_array((calendar_switches.p_calendar -> 'weekly'::text), (calendar_switches.p_calendar -> 'dates'::text)), '$[*].*[*][*]'::jsonpath) t(t)
         UNION
          SELECT '00:00:00'::interval AS "interval"
         ), instants AS (
          SELECT (((d.day + t.clock) - c.ahead) AT TIME ZONE 'UTC'::text) AS at
            FROM (((span s_1
              CROSS JOIN LATERAL generate_series(((((s_1.since AT TIME ZONE s_1.zone))::date - 1))::timestamp with time zone, ((((s_1.until AT TIME ZONE s_1.zone))::date + 1))::timestamp with time zone, '1 day'::interval) d(day))
              CROSS JOIN times t)
              CROSS JOIN ( SELECT DISTINCT clocks.ahead
                    FROM clocks) c)
         UNION
          SELECT j.at
            FROM ( SELECT clocks.at,
                     (clocks.ahead <> lag(clocks.ahead) OVER (ORDER BY clocks.at)) AS jumps
                    FROM clocks) j
           WHERE j.jumps
         UNION
          SELECT s_1.since
            FROM span s_1
         UNION
          SELECT (s_1.override).until AS until
            FROM span s_1
         ), states AS (
          SELECT i.at,
                 CASE
                     WHEN (i.at < (s_1.override).until) THEN ((s_1.override).state = 'open'::text)
                     ELSE calendar_open(calendar_switches.p_calendar, i.at)
                 END AS open
            FROM instants i,
             span s_1
           WHERE ((i.at >= s_1.since) AND (i.at < s_1.until))
         ), switches AS (
          SELECT w.at
            FROM ( SELECT states.at,
                     (states.open IS DISTINCT FROM lag(states.open, 1, states.open) OVER (ORDER BY states.at)) AS switches
                    FROM states) w
           WHERE w.switches
         )
  SELECT jsonb_build_object('from', s.since, 'until', s.until, 'state', ( SELECT
                 CASE
                     WHEN t.open THEN 'open'::text
                     ELSE 'closed'::text
                 END AS "case"
            FROM states t
           WHERE (t.at = s.since)), 'switches', ( SELECT COALESCE(jsonb_agg(w.at ORDER BY w.at), '[]'::jsonb) AS "coalesce"
            FROM switches w)) AS jsonb_build_object
    FROM span s;
END

CREATE OR REPLACE FUNCTION public.call_back(p_call_sid text)
 RETURNS uuid
 LANGUAGE sql
 SET search_path TO ''
RETURN private.call_back(p_call_sid)

CREATE OR REPLACE FUNCTION private.call_back(p_call_sid text)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  c constant public.call_logs := private.call_for(p_call_sid, 'agent');
  p public.people;
  v record;
  v_id uuid;
begin
  select h.* into p from public.people as h join public.members as m on m.id = h.member_id where m.user_id = auth.uid();
  if p.id is null or p.verified_at is null then
    raise sqlstate 'PT409' using message = 'no verified telephone is yours: an admin links you to one under People';
  elsif not public.person_available(p) then
    raise sqlstate 'PT409' using message = 'you are not available: set yourself available first';
  elsif c.party is null then
    raise sqlstate 'PT409' using message = 'the number was withheld';
  elsif public.own_lines(array[c.party::text]) <> '[]' then
    raise sqlstate 'PT409' using message = 'the number is a line itself';
  elsif exists (
    select from public.suppressions as x where x.e164 = c.party and x.org_id is not distinct from c.org_id
  ) then
    raise sqlstate 'PT409' using message = 'the number has said stop';
  end if;
  select w.id, w.definition ->> 'zone' as zone, w.definition ->> 'start' as start into v
  from public.call_flow_versions as w join public.call_flows as f on f.id = w.flow_id
  where f.org_id is not distinct from c.org_id
  order by w.id = c.flow_version desc nulls last, w.published_at desc limit 1;
  if v.id is null then
    raise sqlstate 'PT409' using message = 'publish a flow first: your telephone is rung in its language';
  end if;
  insert into public.callbacks (
    call_sid, org_id, to_e164, line, group_name, version_id, node, members, seconds, calendar, queued_at, max_tries
  ) values (
    -- A queue of the person's own: its members are no group's.
    c.call_sid, c.org_id, c.party, c.line, 'own/' || p.handle, v.id, v.start, array[p.handle], 30,
    jsonb_build_object('zone', v.zone, 'weekly', (
      select jsonb_object_agg(d, '[["00:00", "24:00"]]'::jsonb) from unnest(array['mon','tue','wed','thu','fri','sat','sun']) as d
    )), clock_timestamp(), 1
  )
  on conflict (owner, to_e164, group_name) where state = 'open' do nothing
  returning id into v_id;
  if v_id is not null then
    perform public.enqueue_job('callback', v_id::text, jsonb_build_object('call_sid', c.call_sid));
  end if;
  return v_id;
end
$function$

CREATE OR REPLACE FUNCTION public.call_conditions(p_filters jsonb)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_name text;
  v_value jsonb;
  v_text text;
  v_sql text := '';
begin
  for v_name, v_value in select * from jsonb_each(p_filters) loop
    v_text := v_value #>> '{}';
    v_sql := v_sql || case
      when v_value = 'null' or v_name in ('from', 'to', 'number', 'org_id') then ''
      when v_name in ('direction', 'disposition', 'mode', 'line') then format(' and c.%I = %L', v_name, v_text)
      when v_name = 'min_seconds' then format(' and c.duration_sec >= %L', v_text::integer)
      when v_name = 'max_seconds' then format(' and c.duration_sec <= %L', v_text::integer)
      when v_name = 'tag' then format(
        ' and exists (select from public.call_tags as t where t.call_sid = c.call_sid and t.tag = %L)', lower(btrim(v_text))
      )
      when v_name = 'person' then format(
        ' and exists (
          select from public.call_legs as l join public.people as p on p.phone = l.to_e164 and p.org_id is not distinct from c.org_id
          where l.call_sid = c.call_sid and l.connected_at is not null and p.handle = %L
        )', v_text
      )
      when v_name = 'has' and jsonb_typeof(v_value) = 'array' then (
        select coalesce(string_agg(case h
          when 'voicemail' then ' and c.recording_source = ''voicemail'''
          when 'recording' then ' and c.recording_sid is not null'
          when 'transcript' then ' and c.transcript <> '''''
          when 'note' then ' and exists (select from public.call_notes as n where n.call_sid = c.call_sid)'
        end, '' order by h), '')
        from jsonb_array_elements_text(v_value) as h
      )
    end;
    if v_sql is null then
      raise sqlstate 'PT400' using message = 'this filter is not known', detail = 'filters.' || left(v_name, 64);
    end if;
  end loop;
  return v_sql;
exception
  when invalid_text_representation or numeric_value_out_of_range then
    raise sqlstate 'PT400' using message = 'this filter must be a whole number', detail = 'filters.' || v_name;
end
$function$

CREATE OR REPLACE FUNCTION public.call_counts(p_since timestamp with time zone)
 RETURNS TABLE(hour timestamp with time zone, mode text, disposition text, hung_up_at text, calls bigint, consented bigint, opted_out bigint, dialled bigint, answered bigint, timed bigint, seconds bigint, rang bigint, ring_seconds numeric, longest_ring_seconds numeric)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.call_facts(c call_logs, p_ask jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v record;
  v_facts jsonb := '{}';
  v_numbers text[] := array(select jsonb_array_elements_text(p_ask #> '{dials,to}'));
  v_people jsonb;
begin
  if c.flow_version is not null and p_ask ?| array['line', 'flow'] then
    select w.id, w.hash, w.version, f.name, w.calendars, w.handles, w.numbers, w.asks_returning, w.holds, w.agents into v
    from public.call_flow_versions as w join public.call_flows as f on f.id = w.flow_id
    where w.id = c.flow_version;
    if not starts_with(v.hash, coalesce(p_ask ->> 'flow', '')) then
      select w.id, w.hash, w.version, f.name, w.calendars, w.handles, w.numbers, w.asks_returning, w.holds, w.agents into v
      from public.call_flow_versions as w join public.call_flows as f on f.id = w.flow_id
      where w.id = coalesce(public.version_by_hash(c.org_id, p_ask ->> 'flow'), c.flow_version);
    end if;
    v_facts := jsonb_build_object('flow', jsonb_build_object('hash', v.hash, 'name', v.name, 'version', v.version));
    if v.calendars <> '{}' then
      v_facts := v_facts || jsonb_build_object('calendars', public.calendar_states(v.calendars));
    end if;
    if v.asks_returning then
      v_facts := v_facts || jsonb_build_object('returning', exists (
        select from public.call_logs as o
        where o.party = c.party and o.org_id is not distinct from c.org_id
          and o.call_sid <> c.call_sid and o.started_at < c.started_at
      ));
    end if;
    v_numbers := v_numbers || v.numbers;
    if v.handles <> '{}' then
      select
        coalesce(jsonb_object_agg(p.handle, jsonb_build_object(
          'phone', p.phone, 'available', public.person_available(p)
        )), '{}'),
        v_numbers || coalesce(array_agg(p.phone::text), '{}')
      into v_people, v_numbers
      from public.people as p
      where p.handle = any (v.handles) and p.org_id is not distinct from c.org_id;
      v_facts := v_facts || jsonb_build_object('people', v_people);
    end if;
    if v.agents and p_ask ? 'agent' then
      v_facts := v_facts || jsonb_strip_nulls(jsonb_build_object(
        'agent', jsonb_build_object('barred', public.agent_barred(c.line, p_ask -> 'agent'))
      ));
    end if;
    if v.holds <> '{}' then
      v_facts := v_facts || jsonb_build_object('queues', (
        select jsonb_object_agg(h.name, jsonb_build_object('full', public.queue_is_full(
          coalesce(c.org_id, '00000000-0000-0000-0000-000000000000'), h.name
        )))
        from unnest(v.holds) as h(name)
      ));
    end if;
  end if;
  -- A call that comes in where the settings answer hears a menu first: nobody is rung for it yet.
  if p_ask ? 'dials' and (not p_ask ? 'line' or c.flow_version is not null) then
    v_facts := v_facts || jsonb_build_object(
      'spent', public.line_has_spent(c, (p_ask #>> '{dials,leg_sec}')::bigint, (p_ask #>> '{dials,day_sec}')::integer),
      'own_lines', public.own_lines(v_numbers)
    );
  end if;
  -- The step knows which destinations are allowed.
  if p_ask ? 'callable' then
    v_facts := v_facts || jsonb_build_object('callable', coalesce(
      (p_ask ->> 'callable')::boolean and c.party is not null and c.line is not null
        and not coalesce((v_facts ->> 'spent')::boolean, false) and public.own_lines(array[c.party::text]) = '[]',
      false
    ));
  end if;
  return v_facts;
end
$function$

CREATE OR REPLACE FUNCTION private.call_for(p_call_sid text, p_role member_role)
 RETURNS call_logs
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  c public.call_logs;
begin
  if not coalesce(public.my_role() >= p_role, false) then
    raise sqlstate '42501' using message = 'your role does not allow this';
  end if;
  select * into c from public.call_logs as l
  where l.call_sid = p_call_sid
    and coalesce(l.org_id, '00000000-0000-0000-0000-000000000000') = public.current_owner();
  if c.call_sid is null then
    raise sqlstate 'PT404' using message = 'there is no such call';
  end if;
  return c;
end
$function$

CREATE OR REPLACE FUNCTION public.call_hash(p_call_sid text)
 RETURNS bytea
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return sha256(convert_to(p_call_sid, 'UTF8'));
end
$function$

CREATE OR REPLACE FUNCTION public.call_hour_lock(p_hour timestamp with time zone)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
RETURN hashtextextended('call_hours'::text, (EXTRACT(epoch FROM p_hour))::bigint)

CREATE OR REPLACE FUNCTION public.call_success(p_since timestamp with time zone)
 RETURNS TABLE(total_calls bigint, active_calls bigint, completed_calls bigint, failed_calls bigint, abandoned_calls bigint, rate_limited_calls bigint, success_rate_pct numeric, avg_call_duration_sec numeric)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT (n.total)::bigint AS total,
     (n.active)::bigint AS active,
     (n.served)::bigint AS served,
     (n.failed)::bigint AS failed,
     (n.abandoned)::bigint AS abandoned,
     (n.refused)::bigint AS refused,
     round(((100.0 * n.served) / NULLIF((n.served + n.failed), (0)::numeric)), 2) AS round,
     round((n.seconds / NULLIF(n.timed, (0)::numeric)), 1) AS round
    FROM ( SELECT COALESCE(sum(c.calls), (0)::numeric) AS total,
             COALESCE(sum(c.calls) FILTER (WHERE (c.disposition IS NULL)), (0)::numeric) AS active,
             COALESCE(sum(c.calls) FILTER (WHERE (c.disposition = ANY (ARRAY['connected'::text, 'voicemail'::text]))), (0)::numeric) AS served,
             COALESCE(sum(c.calls) FILTER (WHERE (c.disposition = ANY (ARRAY['failed'::text, 'abandoned'::text]))), (0)::numeric) AS failed,
             COALESCE(sum(c.calls) FILTER (WHERE (c.disposition = 'abandoned'::text)), (0)::numeric) AS abandoned,
             COALESCE(sum(c.calls) FILTER (WHERE (c.disposition = 'rate_limited'::text)), (0)::numeric) AS refused,
             sum(c.seconds) FILTER (WHERE (c.disposition <> 'rate_limited'::text)) AS seconds,
             sum(c.timed) FILTER (WHERE (c.disposition <> 'rate_limited'::text)) AS timed
            FROM call_counts(call_success.p_since) c(hour, mode, disposition, hung_up_at, calls, consented, opted_out, dialled, answered, timed, seconds, rang, ring_seconds, longest_ring_seconds)) n;
END

CREATE OR REPLACE FUNCTION public.call_to_ask(p_kind text, p_call_sid text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'account_sid', s.subaccount_sid, 'open', c.disposition is null, 'started_at', c.started_at,
    'last_event_at',
    coalesce((select max(l.occurred_at) from public.call_lifecycle as l where l.call_sid = c.call_sid), c.started_at)
  )
  from public.call_logs as c
  left join public.telephony_subaccounts as s on s.org_id = c.org_id
  where c.call_sid = p_call_sid and case p_kind when 'open_call' then c.disposition is null else c.incomplete end
$function$

CREATE OR REPLACE FUNCTION public.callback_tried(p_id uuid, p_result text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.caller_context(p_call_sid text, p_group text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_strip_nulls(jsonb_build_object('name', k.name, 'calls', (
    select count(*) from public.call_logs as o
    where o.party = c.party and o.org_id is not distinct from c.org_id and o.started_at > now() - interval '7 days'
  )))
  from public.call_logs as c
  join public.call_flow_versions as v on v.id = c.flow_version
  left join public.contacts as k
    on k.owner = coalesce(c.org_id, '00000000-0000-0000-0000-000000000000') and k.phone = c.party
  where c.call_sid = p_call_sid and c.party is not null
    and v.definition #> array['groups', p_group, 'context'] = 'true'
$function$

CREATE OR REPLACE FUNCTION public.calls_of_person(p_number text)
 RETURNS SETOF text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT c.call_sid
    FROM call_logs c
   WHERE ((c.party)::text = calls_of_person.p_number);
END

CREATE OR REPLACE FUNCTION public.came_callable(c call_logs)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT (NOT (EXISTS ( SELECT
            FROM call_lifecycle l
           WHERE ((l.call_sid = (came_callable.c).call_sid) AND (l.received_at >= (came_callable.c).created_at) AND (l.received_at < (now() + '1 day'::interval)) AND (l.event = 'arrived'::call_event) AND (((l.answer).facts ->> 'callable'::text) = 'false'::text)))));
END

CREATE OR REPLACE FUNCTION public.campaign_leg_told(p_token uuid, p_leg_sid text, p_status text, p_told text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  a public.dial_attempts;
begin
  select * into a from public.dial_attempts as t where t.token = p_token for update;
  if a.leg_sid <> p_leg_sid or a.state = 'refused' then
    return jsonb_build_object('purpose', a.purpose, 'won', false, 'over', true);
  end if;
  update public.dial_attempts as t set
    leg_sid = p_leg_sid, state = 'created', dialled_at = coalesce(t.dialled_at, now()),
    answered_at = case when p_status = 'in-progress' then coalesce(t.answered_at, now()) else t.answered_at end,
    result = case when p_told in ('machine', 'abandoned') and t.ended_at is null then p_told else t.result end
  where t.id = a.id returning * into a;
  if a.ended_at is null then
    perform public.contact_stands(a);
    if p_status in ('completed', 'busy', 'no-answer', 'canceled', 'failed') then
      perform public.end_attempt(a.id, p_status);
    end if;
  end if;
  return jsonb_build_object('purpose', a.purpose, 'won', false, 'over', a.cancelled_at is not null or a.ended_at is not null);
end
$function$

CREATE OR REPLACE FUNCTION public.can_ring(p_steps jsonb, n jsonb, c call_logs, p_facts jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_members constant jsonb := coalesce(
    p_steps -> 'groups' -> (n ->> 'group') -> 'members', jsonb_build_array(n -> 'to')
  );
  v_number text;
begin
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
$function$

CREATE OR REPLACE FUNCTION public.cancel_attempt(a dial_attempts, p_why text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.dial_attempts as t set
    cancelled_at = now(), result = p_why, ended_at = case when a.dialled_at is null then clock_timestamp() end
  where t.id = a.id;
  if a.dialled_at is not null then
    update public.call_legs as l set told = p_why where l.call_sid = a.call_sid and l.leg_sid = a.leg_sid;
    perform public.enqueue_job('dial_end', a.token::text, jsonb_build_object('call_sid', a.call_sid));
  end if;
end
$function$

CREATE OR REPLACE FUNCTION public.cancel_surplus(p_org_id uuid, p_queue text, p_why text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.case_of(n jsonb, c call_logs, p_facts jsonb)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.change_dial_rate()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  -- Longer than dials are reserved ahead.
  new.not_before := clock_timestamp() + interval '15 seconds';
  return new;
end
$function$

CREATE OR REPLACE FUNCTION public.check_person()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if tg_op = 'UPDATE' and public.my_role() < 'admin'
    and to_jsonb(new) - '{available, dnd_until, calendar}'::text[] <> to_jsonb(old) - '{available, dnd_until, calendar}'::text[] then
    raise sqlstate '42501' using message = 'an agent may change the own availability and hours alone';
  end if;
  if new.member_id is not null and not exists (
    select from public.members as m where m.id = new.member_id and m.org_id is not distinct from new.org_id
  ) then
    raise sqlstate 'PT400' using message = 'the member must be of the same organisation', detail = 'member_id';
  end if;
  if tg_op = 'UPDATE' and new.phone <> old.phone and new.verified_at is not distinct from old.verified_at then
    new.verified_at := null;
  end if;
  if new.calendar is not null and (tg_op = 'INSERT' or new.calendar is distinct from old.calendar) then
    if not coalesce(public.is_time_zone(new.calendar ->> 'zone'), false) then
      raise sqlstate 'PT400' using message = 'the zone must be one of the IANA time zones, such as America/Edmonton',
        detail = 'calendar.zone';
    elsif exists (
      select from jsonb_path_query(new.calendar, '$.keyvalue() ? (@.key == "weekly" || @.key == "dates").value.*') as d(periods)
      cross join lateral jsonb_array_elements(case jsonb_typeof(d.periods) when 'array' then d.periods else '[0]' end) as p
      where not coalesce(
        jsonb_typeof(p) = 'array' and p ->> 0 ~ '^([01]\d|2[0-3]):[0-5]\d$' and p ->> 1 ~ '^(([01]\d|2[0-3]):[0-5]\d|24:00)$'
          and (p ->> 0) collate "C" < (p ->> 1) collate "C" and jsonb_array_length(p) = 2,
        false
      )
    ) then
      raise sqlstate 'PT400' using message = 'each day must be a list of periods such as ["08:00", "17:00"]',
        detail = 'calendar';
    end if;
  end if;
  return new;
end
$function$

CREATE OR REPLACE FUNCTION public.claim_job(p_kind text, p_key text)
 RETURNS TABLE(id bigint, kind text, priority smallint, key text, payload jsonb, content jsonb, lease uuid, attempts integer)
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select s.* from public.start_jobs(array(
    select j.id from public.jobs as j
    where j.kind = p_kind and j.key = p_key and j.ended_at is null and j.run_at <= now()
    for update
  )) as s
$function$

CREATE OR REPLACE FUNCTION public.claim_jobs(p_kinds text[], p_limit integer, p_per_hour integer DEFAULT NULL::integer)
 RETURNS TABLE(id bigint, kind text, priority smallint, key text, payload jsonb, content jsonb, lease uuid, attempts integer)
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
#variable_conflict use_column
declare
  v_lane record;
  v_ids bigint[];
  v_unknown bigint[];
  v_late bigint[];
  v_used integer := 0;
  v_claimed integer := 0;
  v_room integer;
  v_allowed integer;
begin
  if p_per_hour is not null then
    -- Claims take turns, so that two do not count the same hour.
    perform pg_advisory_xact_lock(hashtextextended('claim_jobs', 0));
    select count(*) into v_used from public.job_kinds as k
    cross join lateral (
      select from public.jobs as j where j.kind = k.kind and j.status = 'done' and j.ended_at > now() - interval '1 hour'
      union all
      select from public.jobs as j where j.kind = k.kind and j.status = 'running' and j.run_at > now()
    ) as used
    where k.kind = any (p_kinds) and k.hourly_share is not null;
  end if;

  for v_lane in
    select
      l.kind, l.priority, k.worker, k.hourly_share, k.max_attempts, k.key_lives, k.expires_after,
      o.owed, sum(o.owed) over (order by l.priority, l.kind rows between 1 following and unbounded following) as owed_later
    from public.job_lanes as l
    join public.job_kinds as k on k.kind = l.kind
    cross join lateral (
      select count(*)::integer as owed from (
        select from public.jobs as j
        where j.kind = l.kind and j.priority = l.priority and j.ended_at is null and j.run_at <= now()
        limit case when k.share > 0 then greatest(floor(k.share * p_limit), 1) else 0 end
      ) as due
    ) as o
    where l.kind = any (p_kinds) and l.due_at <= now()
    order by l.priority, l.kind
  loop
    v_room := least(
      p_limit - v_claimed, greatest(v_lane.owed, p_limit - v_claimed - coalesce(v_lane.owed_later, 0))
    );
    v_allowed := ceil(v_lane.hourly_share * p_per_hour) - v_used;
    with due as (
      select j.id, j.run_at, case
        when coalesce(j.uncertain_since, case when j.status = 'running' then j.attempted_at end) < now() - v_lane.key_lives
          or (j.status = 'running' and j.attempts >= v_lane.max_attempts) then 'unknown'
        when j.created_at < now() - v_lane.expires_after then 'late'
      end as lost
      from public.jobs as j
      where j.kind = v_lane.kind and j.priority = v_lane.priority and j.ended_at is null and j.run_at <= now()
      order by j.run_at, j.id
      limit greatest(least(v_room, v_allowed), 0) for update skip locked
    )
    select
      array_agg(due.id order by due.run_at, due.id) filter (where due.lost is null),
      array_agg(due.id) filter (where due.lost = 'unknown'), array_agg(due.id) filter (where due.lost = 'late')
    into v_ids, v_unknown, v_late from due;
    perform public.bury_job(lost, 'outcome_unknown') from unnest(v_unknown) as lost;
    perform public.bury_job(lost, 'too_late') from unnest(v_late) as lost;

    return query select * from public.start_jobs(v_ids);
    v_claimed := v_claimed + coalesce(cardinality(v_ids), 0);
    if v_lane.hourly_share is not null then
      v_used := v_used + coalesce(cardinality(v_ids), 0);
    end if;
    if v_claimed < p_limit and coalesce(cardinality(v_ids), 0) >= v_allowed and exists (
      select from public.jobs as j
      where j.kind = v_lane.kind and j.priority = v_lane.priority and j.status = 'waiting' and j.run_at <= now()
        and j.ended_at is null
    ) then
      perform public.record_rate_limit_refusal(v_lane.worker, 'everyone', v_lane.kind);
    end if;
  end loop;
end
$function$

CREATE OR REPLACE FUNCTION public.collect_hits(p_sql text, p_deadline timestamp with time zone, OUT hits search_hit[], OUT partial boolean)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  partial := false;
  execute format(
    'select array_agg(row(f.*)::public.search_hit order by f.at desc, f.id desc, f.call_sid desc)
     from (%s) as f(kind, id, call_sid, at, score)', p_sql
  ) into hits using p_deadline;
  hits := coalesce(hits, '{}');
exception
  when division_by_zero then
    hits := '{}';
    partial := true;
end
$function$

CREATE OR REPLACE FUNCTION public.command_campaign(p_campaign_id uuid, p_command text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  c public.campaigns;
  a public.dial_attempts;
begin
  select * into c from public.campaigns as t where t.id = p_campaign_id for update;
  if c.id is null then
    raise sqlstate 'PT404' using message = 'there is no such campaign';
  elsif not coalesce(c.state = any (case p_command
    when 'start' then array['draft', 'running'] when 'pause' then array['running', 'paused']
    when 'resume' then array['paused', 'running'] when 'stop' then array['draft', 'running', 'paused', 'stopping', 'done']
  end), false) then
    raise sqlstate 'PT409' using message = format('a campaign that is %s cannot %s', c.state, p_command);
  elsif p_command = 'start' and not exists (select from public.campaign_lines as l where l.campaign_id = c.id) then
    raise sqlstate 'PT409' using message = 'the campaign has no number to call from';
  end if;
  update public.campaigns as t set
    state = case p_command when 'pause' then 'paused' when 'stop' then case c.state when 'done' then 'done' else 'stopping' end else 'running' end,
    started_at = case when p_command = 'start' then coalesce(t.started_at, now()) else t.started_at end
  where t.id = c.id returning * into c;
  if p_command = 'stop' then
    for a in
      select t.* from public.dial_attempts as t
      where t.campaign_id = c.id and t.ended_at is null and t.answered_at is null and t.cancelled_at is null
      order by t.id for update
    loop
      if a.dialled_at is null then
        perform public.end_campaign_attempt(a.id, 'canceled');
      else
        perform public.cancel_attempt(a, 'canceled');
      end if;
    end loop;
  end if;
  return c.state;
end
$function$

CREATE OR REPLACE FUNCTION public.complete_onboarding(p_id uuid, p_lease_token uuid, p_steps jsonb, p_made jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_org_id uuid;
  v_flow text;
begin
  perform public.end_onboarding_job(p_id, p_lease_token);
  update public.telephony_transactions as t set
    status = 'completed', steps_completed = p_steps, result = p_made -> 'result', completed_at = clock_timestamp()
  where t.id = p_id and t.status = 'in_progress' and not t.undoing
  returning t.org_id, t.request ->> 'flow' into v_org_id, v_flow;
  if not found then
    raise sqlstate 'PT409' using message = 'this onboarding is in other hands, or over';
  end if;

  -- Replaces the sub-account of an organisation that was released.
  perform public.forget_telephony_token(s.subaccount_sid) from public.telephony_subaccounts as s
  where s.org_id = v_org_id and s.released_at is not null;
  insert into public.telephony_subaccounts as s (org_id, subaccount_sid, business_name)
  values (v_org_id, p_made ->> 'subaccount_sid', p_made ->> 'business_name')
  on conflict (org_id) do update
    set subaccount_sid = excluded.subaccount_sid, business_name = excluded.business_name, released_at = null;
  if p_made ?| array['token', 'sealed_token'] then
    perform public.keep_telephony_token(
      p_made ->> 'subaccount_sid', p_made ->> 'token', p_made ->> 'sealed_token'
    );
  end if;
  -- The flow of the number's previous owner is not kept.
  delete from public.lines as l
  where l.line = p_made #>> '{number,e164_number}' and l.org_id is distinct from v_org_id;
  insert into public.telephony_numbers as n (e164_number, org_id, number_sid, country)
  select m.e164_number, v_org_id, m.number_sid, m.country
  from jsonb_to_record(p_made -> 'number') as m(e164_number text, number_sid text, country text)
  -- A previous owner released this number, or Twilio would not have sold it.
  on conflict (e164_number) do update
    set org_id = excluded.org_id, number_sid = excluded.number_sid, country = excluded.country,
      provisioned_at = now();
  insert into public.lines (line, org_id, flow_id)
  select p_made #>> '{number,e164_number}', v_org_id, f.id
  from public.call_flows as f join public.call_flow_pointers as p on p.flow_id = f.id
  where f.org_id = v_org_id and f.name = v_flow
  on conflict (line, org_id) do update set flow_id = excluded.flow_id;
end
$function$

CREATE OR REPLACE FUNCTION public.complete_release(p_id uuid, p_lease_token uuid, p_steps jsonb, p_result jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_org_id uuid;
begin
  perform public.end_onboarding_job(p_id, p_lease_token);
  update public.telephony_transactions as t set
    status = 'completed', steps_completed = p_steps, result = p_result, error_message = null,
    completed_at = clock_timestamp()
  where t.id = p_id and t.transaction_type = 'release' and t.status in ('in_progress', 'failed')
  returning t.org_id into strict v_org_id;
  delete from public.telephony_numbers as n where n.org_id = v_org_id;
  update public.telephony_subaccounts as s set released_at = now() where s.org_id = v_org_id;
  update public.telephony_transactions as t set status = 'released'
  where t.org_id = v_org_id and t.transaction_type = 'onboarding' and t.status = 'completed';
end
$function$

CREATE OR REPLACE FUNCTION public.connect_caller(a dial_attempts, p_call_sid text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.contact_match(p_owner uuid, p_query text)
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
declare
  v_term record;
  v_phones text[];
  v_any text[] := '{}';
  v_sql text := '';
begin
  for v_term in
    select t.negated, t.alternative, public.search_queries(t.word) as queries
    from public.search_terms(p_query) as t where public.term_query(t.word, 'english') is not null limit 16
  loop
    if v_term.alternative > 0 then
      return null;
    end if;
    v_phones := '{}';
    if not v_term.negated then
      execute format(
        'select coalesce(array_agg(d.party), ''{}'') from (
          select d.party from public.search_documents as d
          where d.kind = ''contact'' and d.owner = coalesce($1, d.owner)%s limit 1000
        ) as d', public.document_match(v_term.queries)
      ) into v_phones using p_owner;
    end if;
    v_any := v_any || v_phones;
    v_sql := v_sql || format(
      ' and (d.fts @@ (%s) or d.party = any (%L::text[])) = %L',
      public.tsquery_by_language(v_term.queries), v_phones, not v_term.negated
    );
  end loop;
  return case when v_any <> '{}' then format(' and d.party = any (%L::text[])%s', v_any, v_sql) end;
end
$function$

CREATE OR REPLACE FUNCTION public.contact_stands(a dial_attempts)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 UPDATE campaign_contacts k SET tries = GREATEST(k.tries, (cardinality(k.ends) + 1)), due_at = NULL::timestamp with time zone, state =
         CASE
             WHEN ((contact_stands.a).result = ANY (ARRAY['machine'::text, 'abandoned'::text])) THEN (contact_stands.a).result
             WHEN ((contact_stands.a).answered_at IS NULL) THEN 'ringing'::text
             ELSE 'answered'::text
         END
   WHERE ((k.id = (contact_stands.a).contact_id) AND (k.state <> ALL (ARRAY['opted_out'::text, 'suppressed'::text])));
END

CREATE OR REPLACE FUNCTION public.correct_query(p_owner uuid, p_query text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
declare
  v_term text;
  v_word text;
  v_found text;
  v_query text := p_query;
  v_tried integer := 0;
begin
  -- Two swapped letters leave a short word little in common with itself.
  perform set_config('pg_trgm.similarity_threshold', '0.2', true);
  for v_term in
    select t.word from public.search_terms(p_query) as t
    where not t.negated and not t.phrase and t.word ~ '^[[:alpha:]]{4,40}$'
  loop
    -- In lower case and without accents.
    select w into v_word from public.words_of(v_term) as w;
    continue when v_word is null or exists (
      select from public.search_words as k where k.owner = coalesce(p_owner, k.owner) and k.word = v_word
    );
    select n.word into v_found from (
      select k.word, extensions.similarity(k.word, v_word) as likeness from public.search_words as k
      where k.owner = coalesce(p_owner, k.owner) and k.word operator(extensions.%) v_word
      order by likeness desc, k.word limit 20
    ) as n
    where extensions.levenshtein(n.word, v_word) <= 2 and public.is_said(p_owner, n.word)
    order by extensions.levenshtein(n.word, v_word), n.likeness desc, n.word
    limit 1;
    if found then
      v_query := regexp_replace(v_query, '\m' || v_term || '\M', v_found);
    end if;
    v_tried := v_tried + 1;
    exit when v_tried = 5;
  end loop;
  return nullif(v_query, p_query);
end
$function$

CREATE OR REPLACE FUNCTION public.count_calls(p_from timestamp with time zone, p_to timestamp with time zone)
 RETURNS TABLE(hour timestamp with time zone, org_id uuid, mode text, disposition text, hung_up_at text, calls bigint, consented bigint, opted_out bigint, dialled bigint, answered bigint, timed bigint, seconds bigint, rang bigint, ring_seconds numeric, longest_ring_seconds numeric)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
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
  where c.started_at >= p_from and c.started_at < p_to
  group by 1, 2, 3, 4, 5;
end
$function$

CREATE OR REPLACE FUNCTION public.count_contacts()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if tg_op = 'INSERT' then
    insert into public.campaign_changes (campaign_id, figure, change)
    select n.campaign_id, n.state, count(*) from new_rows as n group by 1, 2;
  elsif tg_op = 'DELETE' then
    insert into public.campaign_changes (campaign_id, figure, change)
    select o.campaign_id, o.state, -count(*) from old_rows as o
    where exists (select from public.campaigns as c where c.id = o.campaign_id) group by 1, 2;
  else
    insert into public.campaign_changes (campaign_id, figure, change)
    select c.campaign_id, c.figure, sum(c.change) from (
      select n.campaign_id, n.state as figure, 1 as change from new_rows as n
      union all select o.campaign_id, o.state, -1 from old_rows as o
      union all select n.campaign_id, 'dialled', n.tries from new_rows as n
      union all select o.campaign_id, 'dialled', -o.tries from old_rows as o
    ) as c
    group by 1, 2 having sum(c.change) <> 0;
  end if;
  return null;
end
$function$

CREATE OR REPLACE FUNCTION public.count_dialled(p_before call_logs, p_after call_logs)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.count_paths(p_until timestamp with time zone DEFAULT (now() - '00:05:00'::interval))
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.current_org_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE
 SET search_path TO ''
RETURN NULLIF((private.membership()).owner, '00000000-0000-0000-0000-000000000000'::uuid)

CREATE OR REPLACE FUNCTION public.current_owner()
 RETURNS uuid
 LANGUAGE sql
 STABLE
 SET search_path TO ''
RETURN (private.membership()).owner

CREATE OR REPLACE FUNCTION public.current_version(p_org_id uuid, p_name text)
 RETURNS bigint
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select v.id
  from public.call_flows as f
  join public.call_flow_pointers as p on p.flow_id = f.id
  join public.call_flow_versions as v on v.flow_id = f.id and v.version = p.version
  where f.org_id is not distinct from p_org_id and f.name = p_name
$function$

CREATE OR REPLACE FUNCTION public.database_connections()
 RETURNS TABLE(used bigint, allowed integer)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT sum(d.numbackends) AS sum,
     (current_setting('max_connections'::text))::integer AS current_setting
    FROM pg_stat_database d;
END

CREATE OR REPLACE FUNCTION public.dial_content(p_kind text, p_token uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT jsonb_build_object('purpose', a.purpose, 'to', a.to_e164, 'line', a.line, 'account_sid', s.subaccount_sid, 'call_sid', a.call_sid, 'group', a.group_name, 'node', a.node, 'seconds', a.seconds, 'state', a.state, 'leg_sid', a.leg_sid, 'decided_at', a.decided_at, 'dialled_at', a.dialled_at, 'flow', v.hash, 'person', p.name, 'caller', c.party, 'call_token', q.call_token, 'transferred_by', COALESCE(f.name, (b.to_e164)::text), 'returned', (q.returned_at IS NOT NULL), 'talks', ((a.accepted_at IS NOT NULL) AND (a.cancelled_at IS NULL))) AS jsonb_build_object
    FROM (((((((dial_attempts a
      LEFT JOIN telephony_subaccounts s ON ((s.org_id = a.org_id)))
      LEFT JOIN call_flow_versions v ON ((v.id = a.version_id)))
      LEFT JOIN people p ON ((p.id = a.person_id)))
      LEFT JOIN queue_entries q ON (((q.call_sid = a.queue) AND (q.left_at IS NULL))))
      LEFT JOIN call_logs c ON ((c.call_sid = q.call_sid)))
      LEFT JOIN dial_attempts b ON ((b.token = q.transferred_by)))
      LEFT JOIN people f ON ((f.id = b.person_id)))
   WHERE ((a.token = dial_content.p_token) AND (a.ended_at IS NULL) AND
         CASE dial_content.p_kind
             WHEN 'dial'::text THEN ((a.state = ANY (ARRAY['intended'::text, 'unknown'::text])) AND (a.cancelled_at IS NULL))
             ELSE true
         END);
END

CREATE OR REPLACE FUNCTION public.dial_told(p_token uuid, p_state text, p_leg_sid text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.dispatch_phone(p_org_id uuid, p_phone text)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.dispatch_queue(p_org_id uuid, p_queue text, p_phone text DEFAULT NULL::text)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
        where e.owner = v_owner and e.queue = p_queue and e.left_at is null and e.taken_at is null
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
$function$

CREATE OR REPLACE FUNCTION public.document_match(p_queries tsquery[])
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_index tsquery := coalesce(p_queries[1], p_queries[2], p_queries[3]);
  -- The planner knows how frequent the words of the index are, and is told by `<> 0` that the rest is true of nearly all rows:
  -- so it goes from the newest on where there will soon be a thousand.
  v_exactly constant text := format(' and (d.fts @@ %s)::integer <> 0', public.tsquery_by_language(p_queries));
begin
  if v_index is null then
    return ' and false';
  end if;
  if p_queries[2] <> v_index then
    v_index := v_index || p_queries[2];
  end if;
  if p_queries[3] not in (p_queries[1], p_queries[2]) then
    v_index := v_index || p_queries[3];
  end if;
  return case
    -- Words that are only excluded are in no index.
    when querytree(v_index) in ('', 'T') then v_exactly
    else format(' and d.fts @@ %L::tsquery', v_index) || case when v_index is distinct from p_queries[1] then v_exactly else '' end
  end;
end
$function$

CREATE OR REPLACE FUNCTION public.drop_searches_of_member()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  delete from public.saved_searches as s where s.user_id = old.user_id and s.owner = old.owner;
  delete from public.search_alerts as a where a.user_id = old.user_id and a.owner = old.owner;
  return null;
end
$function$

CREATE OR REPLACE FUNCTION public.embed_document()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if tg_op = 'UPDATE' then
    delete from public.search_embeddings as e where e.document_id = new.id;
  end if;
  perform public.owe_embedding(new);
  return null;
end
$function$

CREATE OR REPLACE FUNCTION public.embedded_text(p_document search_documents)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
RETURN "left"(concat_ws('
'::text, (p_document).title, (p_document).body), 2000)

CREATE OR REPLACE FUNCTION public.embedding_content(p_key text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_object('text', public.embedded_text(d))
  from public.search_documents as d
  where d.id = split_part(p_key, '/', 1)::bigint and public.embedding_key(d) = p_key
$function$

CREATE OR REPLACE FUNCTION public.embedding_key(p_document search_documents)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
RETURN (((p_document).id || '/'::text) || md5(embedded_text(p_document)))

CREATE OR REPLACE FUNCTION public.enact(c call_logs, e voice_event, p_path jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
        perform public.enter_queue(c, (v_last ->> 'version')::bigint, v_last ->> 'node', e.ask ->> 'call_token');
      elsif v_node ->> 'type' = 'ring' and v_group ->> 'ring' = 'rotate' then
        v_facts := v_facts || jsonb_strip_nulls(jsonb_build_object(
          'longest_idle', public.longest_idle(c.org_id, array(select jsonb_array_elements_text(v_group -> 'members')))
        ));
      end if;
    end if;
  end if;

  if p_path is not null or e.ask ? 'queue' then
    select * into v_entry from public.queue_entries as q where q.call_sid = c.call_sid and q.left_at is null;
    if v_entry.id is not null then
      if e.event = 'queue_waited' then
        if e.ask #>> '{queue,offer}' = 'true' then
          update public.queue_entries as q set wants_offer = true where q.id = v_entry.id;
        end if;
        -- A person who accepted the call has 10 s to be connected; this caller still waits.
        update public.queue_entries as q set taken_by = null, taken_at = null
        where q.id = v_entry.id and q.connected_at is null and q.taken_at < now() - interval '1 minute'
        returning * into v_freed;
        v_entry := case when v_freed.id is not null then v_freed else v_entry end;
      end if;
      if v_entry.taken_at is null then
        v_made := v_made + public.dispatch_queue(v_entry.org_id, v_entry.queue);
      end if;
      -- Nothing where another session has ended the holding meanwhile.
      v_facts := v_facts || jsonb_strip_nulls(jsonb_build_object('queue', public.tell_place(c.call_sid)));
    end if;
  end if;
  return v_facts || case when v_made > 0 then jsonb '{"wake": true}' else '{}' end;
end
$function$

CREATE OR REPLACE FUNCTION public.end_agent_sessions(c call_logs, p_end jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.agent_sessions as s set ended_at = clock_timestamp(), outcome = p_end ->> 'outcome', reason = p_end ->> 'reason'
  where s.call_sid = c.call_sid and s.ended_at is null;
  if not found and p_end ->> 'outcome' = 'failed' and p_end ->> 'session_id' ~ '^VX[0-9a-fA-F]{32}$' then
    insert into public.agent_sessions (
      session_id, call_sid, org_id, line, flow_version, node, language, ended_at, outcome, reason
    )
    values (
      p_end ->> 'session_id', c.call_sid, c.org_id, c.line, c.flow_version, coalesce(p_end ->> 'node', 'agent'),
      coalesce(p_end ->> 'language', 'en-US'), clock_timestamp(), 'failed', p_end ->> 'reason'
    )
    on conflict (session_id) do nothing;
  end if;
end
$function$

CREATE OR REPLACE FUNCTION public.end_attempt(p_id bigint, p_status text)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.end_campaign_attempt(p_id bigint, p_status text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  a public.dial_attempts;
  c public.campaigns;
  k public.campaign_contacts;
  v_end text;
  v_rule jsonb;
  v_again boolean;
begin
  update public.dial_attempts as t set
    ended_at = clock_timestamp(),
    result = coalesce(t.result, case
      when t.dialled_at is null then 'canceled'
      when t.answered_at is not null or p_status = 'completed' then 'accepted'
      when p_status in ('busy', 'canceled') then p_status
      when p_status = 'no-answer' then 'no_answer'
      else 'unreachable'
    end)
  where t.id = p_id and t.ended_at is null returning * into a;
  if a.id is null then
    return;
  end if;
  select * into c from public.campaigns as t where t.id = a.campaign_id;
  select * into k from public.campaign_contacts as t where t.id = a.contact_id for update;
  if a.dialled_at is null then
    -- Told of by Twilio, or never sent: the same dial is still to be made.
    update public.campaign_contacts as t set
      state = 'waiting', due_at = now(), tries = cardinality(t.ends)
    where t.id = k.id and t.state in ('waiting', 'unknown');
    return;
  end if;
  v_end := case a.result when 'accepted' then 'answered' when 'unreachable' then 'failed' when 'canceled' then 'no_answer' else a.result end;
  insert into public.campaign_dials (
    campaign_id, owner, number_hash, line, rules, region, zones, consent, consent_at, dialled_at, answered_at, ended_at, result
  )
  select
    c.id, a.owner, public.number_hash(a.to_e164), a.line, r.rules, r.region, r.zones, c.consent, k.consent_at, a.dialled_at,
    a.answered_at, a.ended_at, v_end
  from public.campaign_areas as r where r.id = k.area_id;
  v_rule := c.attempts -> 'after' -> v_end;
  v_again := v_end <> 'answered' and k.tries < (c.attempts ->> 'max')::integer
    and cardinality(array_positions(k.ends, v_end)) + 1 < (v_rule ->> 'most')::integer
    -- A number that Twilio refuses stays one.
    and p_status <> 'refused' and not (v_end = 'machine' and c.machine <> 'hang_up');
  update public.campaign_contacts as t set
    state = case when v_again then 'waiting' else v_end end,
    due_at = case when v_again then now() + make_interval(mins => (v_rule ->> 'minutes')::integer) end,
    ends = case when v_end = 'answered' then t.ends else t.ends || v_end end
  where t.id = k.id and t.state not in ('opted_out', 'suppressed');
end
$function$

CREATE OR REPLACE FUNCTION public.end_onboarding(p_id uuid, p_lease_token uuid, p_status text, p_steps jsonb, p_error text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if p_status = 'rolled_back' then
    perform public.end_onboarding_job(p_id, p_lease_token);
  else
    perform public.hold_onboarding(p_id, p_lease_token);
    perform public.job_failed(j.id, p_lease_token, 'not undone')
    from public.jobs as j where j.kind = 'onboarding' and j.key = p_id::text;
  end if;
  update public.telephony_transactions as t set
    status = p_status, steps_completed = p_steps, error_message = p_error, undoing = true,
    completed_at = clock_timestamp()
  where t.id = p_id;
end
$function$

CREATE OR REPLACE FUNCTION public.end_onboarding_job(p_id uuid, p_lease uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if not coalesce((
    select public.job_done(j.id, p_lease) from public.jobs as j where j.kind = 'onboarding' and j.key = p_id::text
  ), false) then
    raise sqlstate 'PT409' using message = 'this onboarding is in other hands, or over';
  end if;
end
$function$

CREATE OR REPLACE FUNCTION public.enqueue_calls(p_calls text[] DEFAULT '{}'::text[], p_quiet interval DEFAULT '00:05:00'::interval)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 INSERT INTO jobs (kind, priority, key, payload)  SELECT k.kind,
             k.priority,
             due.call_sid,
             jsonb_build_object('call_sid', due.call_sid) AS jsonb_build_object
            FROM ((( SELECT 'open_call'::text AS kind,
                     c.call_sid,
                     c.started_at AS since
                    FROM call_logs c
                   WHERE ((c.disposition IS NULL) AND (c.updated_at < (now() - enqueue_calls.p_quiet)) AND (NOT (EXISTS ( SELECT
                            FROM jobs j
                           WHERE ((j.kind = 'open_call'::text) AND (j.key = c.call_sid))))))
                   ORDER BY c.started_at
                  LIMIT 5000)
                 UNION ALL
                 ( SELECT 'incomplete_call'::text,
                     c.call_sid,
                     c.ended_at
                    FROM call_logs c
                   WHERE (c.incomplete AND (c.ended_at < (now() - '00:20:00'::interval)) AND (NOT (EXISTS ( SELECT
                            FROM jobs j
                           WHERE ((j.kind = 'incomplete_call'::text) AND (j.key = c.call_sid))))))
                   ORDER BY c.ended_at
                  LIMIT 5000)
                 UNION ALL
                  SELECT 'incomplete_call'::text,
                     c.call_sid,
                     c.ended_at
                    FROM call_logs c
                   WHERE ((c.call_sid = ANY (enqueue_calls.p_calls)) AND c.incomplete)) due
              JOIN job_kinds k ON ((k.kind = due.kind)))
           ORDER BY due.since ON CONFLICT(kind, key) DO NOTHING;
END

CREATE OR REPLACE FUNCTION public.enqueue_job(p_kind text, p_key text, p_payload jsonb DEFAULT '{}'::jsonb, p_run_at timestamp with time zone DEFAULT now(), p_priority integer DEFAULT NULL::integer)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 INSERT INTO jobs AS j (kind, key, payload, run_at, priority)
   VALUES (enqueue_job.p_kind, enqueue_job.p_key, enqueue_job.p_payload, enqueue_job.p_run_at, COALESCE(enqueue_job.p_priority, (( SELECT k.priority
            FROM job_kinds k
           WHERE (k.kind = enqueue_job.p_kind)))::integer, 3)) ON CONFLICT(kind, key) DO UPDATE SET run_at = excluded.run_at
   WHERE ((j.status = 'waiting'::text) AND (j.attempts = 0) AND (excluded.run_at < j.run_at));
END

CREATE OR REPLACE FUNCTION public.enter_queue(c call_logs, p_version_id bigint, p_node text, p_call_token text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
    call_sid, org_id, queue, group_name, version_id, node, line, call_token, members, seconds
  )
  select
    c.call_sid, c.org_id, v_queue, v.name, p_version_id, p_node, c.line, p_call_token,
    array(select jsonb_array_elements_text(v.members -> 'members')), coalesce((v.members ->> 'seconds')::integer, 20)
  on conflict (call_sid) where left_at is null do nothing;
end
$function$

CREATE OR REPLACE FUNCTION public.erase(p_calls text[], p_messages uuid[], p_number text DEFAULT NULL::text, p_email text DEFAULT NULL::text, p_asked boolean DEFAULT false)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_table record;
  v_count integer;
  v_counts jsonb := '{}';
begin
  insert into public.consent_evidence as k (call_hash, org_id, consent_given, decided_at, basis, disclosure)
  select
    public.call_hash(c.call_sid), c.org_id, c.consent_given, coalesce(e.occurred_at, c.started_at),
    coalesce(e.consent, '{}') - 'disclosure', e.consent ->> 'disclosure'
  from public.call_logs as c
  left join lateral (
    select l.occurred_at, l.meta -> 'consent' as consent
    from public.call_lifecycle as l
    where l.call_sid = c.call_sid and l.meta -> 'consent' ->> 'order' = c.consent_order::text
    order by l.occurred_at
    limit 1
  ) as e on true
  where c.call_sid = any (p_calls) and c.consent_given is not null
  on conflict (call_hash) do nothing;

  insert into public.erased_calls (call_hash)
  select public.call_hash(sid) from unnest(p_calls) as sid
  on conflict (call_hash) do nothing;

  -- Deletions that Twilio refuses are retried with growing delays: it may refuse the record of a call for 14 days (error
  -- 20009).
  insert into public.jobs (kind, key, payload)
  select 'twilio_deletion', r.recording_sid, jsonb_build_object('account', a.subaccount_sid)
  from public.recordings as r
  left join public.call_logs as c on c.call_sid = r.call_sid
  left join public.telephony_subaccounts as a on a.org_id = c.org_id
  where r.call_sid = any (p_calls)
  on conflict (kind, key) do nothing;

  for v_table in
    select p.table_name, p.of_person from public.personal_data as p
    where p.of_person is not null and p.kept_because is null order by p.table_name
  loop
    execute format('delete from public.%I as t where %s', v_table.table_name, v_table.of_person)
    using p_calls, p_number, p_email, p_messages, p_asked;
    get diagnostics v_count = row_count;
    v_counts := v_counts || jsonb_build_object(v_table.table_name, v_count);
  end loop;
  return v_counts;
end
$function$

CREATE OR REPLACE FUNCTION public.erase_agent_words(p_batch integer DEFAULT 1000)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_count integer;
begin
  update public.agent_turns as t set planned_text = null, heard_text = null, tool_arguments = null, tool_result = null
  from (
    select o.id from public.agent_turns as o
    join public.call_logs as c on c.call_sid = o.call_sid
    where c.status >= 'lost' and c.consent_given is not true and o.at > now() - interval '2 days'
      and o.kind <> 'disclosure'
      and (o.planned_text is not null or o.heard_text is not null or o.tool_arguments is not null or o.tool_result is not null)
    order by o.id limit p_batch for update of o skip locked
  ) as w
  where t.id = w.id;
  get diagnostics v_count = row_count;
  return v_count;
end
$function$

CREATE OR REPLACE FUNCTION public.erase_call(p_call_sid text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
RETURN private.erase_call(p_call_sid)

CREATE OR REPLACE FUNCTION private.erase_call(p_call_sid text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  c constant public.call_logs := private.call_for(p_call_sid, 'admin');
begin
  -- A transaction that accepts an event of the call holds its row.
  perform from public.call_logs as l where l.call_sid = c.call_sid for update;
  if c.status < 'lost' then
    raise sqlstate 'PT409' using message = 'the call has not ended';
  end if;
  perform public.erase(array[c.call_sid], '{}', null, null, true);
  insert into public.audit_log (owner, user_id, action, object, key, changes)
  values (public.current_owner(), auth.uid(), 'delete', 'call_logs', encode(public.call_hash(c.call_sid), 'hex'), '{}');
end
$function$

CREATE OR REPLACE FUNCTION public.escape_html(p_text text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return replace(replace(replace(replace(replace(p_text, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;');
end
$function$

CREATE OR REPLACE FUNCTION public.evaluate_alerts(p_channels text[] DEFAULT '{}'::text[])
 RETURNS TABLE(episode_id bigint, alert text, transition text)
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_opened bigint[];
  v_closed bigint[];
  v_told bigint[];
begin
  perform pg_advisory_xact_lock(hashtextextended('evaluate_alerts', 0));

  with status as materialized (
    select s.alert, s.severity, s.value, s.threshold, s.firing, r.close_after_minutes
    from public.alert_status as s join public.alert_rules as r on r.alert = s.alert
  ), opened as (
    insert into public.alert_episodes as e (alert, severity, threshold, opened_value)
    select s.alert, s.severity, s.threshold, s.value from status as s where s.firing
    on conflict do nothing
    returning e.id
  ), seen as (
    update public.alert_episodes as e set quiet_since = q.since, closed_at = q.closed_at,
      closed_value = case when q.closed_at is not null then q.value end
    from (
      select s.alert, s.value, s.since,
        case when s.since <= now() - make_interval(mins => s.close_after_minutes) then now() end as closed_at
      from (
        select s.*, case when not s.firing then coalesce(o.quiet_since, now()) end as since
        from status as s join public.alert_episodes as o on o.alert = s.alert and o.closed_at is null
      ) as s
    ) as q
    where e.alert = q.alert and e.closed_at is null
    returning e.id, e.closed_at
  )
  select (select array_agg(o.id) from opened as o), (select array_agg(s.id) from seen as s where s.closed_at is not null)
  into v_opened, v_closed;

  with told as (
    update public.alert_episodes as e set told_at = now()
    where e.closed_at is null and e.quiet_since is null and e.told_at is null
      and (
        select count(*) from public.alert_episodes as t
        where t.alert = e.alert and t.told_at > now() - interval '1 hour'
      ) < 3
    returning e.id
  )
  select array_agg(t.id) into v_told from told as t;

  return query
  with message as (
    select e.*, m.transition
    from public.alert_episodes as e
    cross join lateral (
      select 'fired' as transition where e.id = any (v_told)
      union all
      select 'recovered' where e.id = any (v_closed) and e.told_at is not null
    ) as m
  ), enqueued as (
    insert into public.jobs (kind, priority, key, payload)
    select
      k.kind, k.priority, format('alert/%s/%s', m.id, m.transition),
      -- The message describes this moment, whenever it is sent.
      jsonb_build_object(
        'episode_id', m.id, 'transition', m.transition, 'alert', m.alert, 'severity', m.severity,
        'summary', r.summary, 'action', r.action, 'unit', r.unit, 'value', v.value, 'threshold', m.threshold,
        'measured', public.alert_measured(v.value, r.unit, r.comparison, m.threshold),
        'opened_at', m.opened_at, 'closed_at', m.closed_at
      )
    from message as m
    join public.alert_rules as r on r.alert = m.alert
    join public.job_kinds as k on k.kind = any (p_channels)
    cross join lateral (
      select case m.transition when 'fired' then m.opened_value else m.closed_value end as value
    ) as v
    -- Only critical alerts page people.
    where k.kind <> 'alert_pagerduty' or m.severity = 'critical'
    order by m.id
  )
  select c.id, e.alert, c.transition
  from (
    select unnest(v_opened) as id, 'fired' as transition union all select unnest(v_closed), 'recovered'
  ) as c
  join public.alert_episodes as e on e.id = c.id
  order by c.id;
end
$function$

CREATE OR REPLACE FUNCTION public.expired_calls(p_limit integer)
 RETURNS SETOF text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT c.call_sid
    FROM call_logs c
   WHERE ((c.status >= 'lost'::call_status) AND (c.started_at < (now() - make_interval(days => ( SELECT LEAST(min(r.days), 3650) AS "least"
            FROM retention_rules r
           WHERE (r.subject = ANY (ARRAY['calls'::text, 'voicemails'::text])))))) AND (COALESCE(c.ended_at, c.updated_at) < (now() - make_interval(days => ( SELECT r.days
            FROM retention_rules r
           WHERE (r.subject =
                 CASE
                     WHEN (c.recording_source = 'voicemail'::text) THEN 'voicemails'::text
                     ELSE 'calls'::text
                 END))))))
   ORDER BY c.started_at
  LIMIT expired_calls.p_limit;
END

CREATE OR REPLACE FUNCTION public.export_person(p_number text, p_email text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_table record;
  v_rows jsonb;
  v_known jsonb := '{}';
begin
  if p_number is null and p_email is null then
    raise sqlstate '22023' using message = 'a person is known by a number or an e-mail address';
  end if;
  for v_table in
    select p.table_name, p.of_person, p.exported_as from public.personal_data as p
    where p.exported_as is not null order by p.exported_as
  loop
    execute format(
      $sql$ select coalesce(jsonb_agg(to_jsonb(t)), '[]') from public.%I as t where %s $sql$,
      v_table.table_name, v_table.of_person
    )
    into v_rows
    using
      array(select public.calls_of_person(p_number)), p_number, p_email,
      array(select public.messages_of_person(p_number, p_email)), true;
    v_known := v_known || jsonb_build_object(v_table.exported_as, v_rows);
  end loop;
  return v_known;
end
$function$

CREATE OR REPLACE FUNCTION public.flow_body(p_version_id bigint)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT jsonb_build_object('hash', v.hash, 'name', f.name, 'version', v.version, 'definition', v.definition, 'flows', ( SELECT COALESCE(jsonb_object_agg(u.key, w.hash), '{}'::jsonb) AS "coalesce"
            FROM (jsonb_each_text(v.uses) u(key, value)
              JOIN call_flow_versions w ON ((w.id = (u.value)::bigint)))), 'hours', ( SELECT COALESCE(jsonb_object_agg(c.key, calendar_switches(c.value)), '{}'::jsonb) AS "coalesce"
            FROM jsonb_each(v.calendars) c(key, value)), 'missing_audio', ( SELECT COALESCE(jsonb_agg(DISTINCT h.h), '[]'::jsonb) AS "coalesce"
            FROM jsonb_path_query(v.definition, '$."prompts".**."audio"'::jsonpath) h(h)
           WHERE (NOT (EXISTS ( SELECT
                    FROM prompts p
                   WHERE ((p.hash = (h.h #>> '{}'::text[])) AND (NOT (p.org_id IS DISTINCT FROM f.org_id)))))))) AS jsonb_build_object
    FROM (call_flow_versions v
      JOIN call_flows f ON ((f.id = v.flow_id)))
   WHERE (v.id = flow_body.p_version_id);
END

CREATE OR REPLACE FUNCTION public.flow_check_facts(p_org_id uuid, p_definition jsonb)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT jsonb_build_object('zone_known', is_time_zone((p_definition ->> 'zone'::text)), 'audio', COALESCE(( SELECT jsonb_object_agg(p.hash, p.seconds) AS jsonb_object_agg
            FROM prompts p
           WHERE ((NOT (p.org_id IS DISTINCT FROM flow_check_facts.p_org_id)) AND (p.hash IN ( SELECT (h.h #>> '{}'::text[])
                    FROM jsonb_path_query(flow_check_facts.p_definition, '$."prompts".**."audio"'::jsonpath) h(h))))), '{}'::jsonb), 'people', COALESCE(( SELECT jsonb_agg(p.handle ORDER BY p.handle) AS jsonb_agg
            FROM people p
           WHERE ((NOT (p.org_id IS DISTINCT FROM flow_check_facts.p_org_id)) AND (p.handle IN ( SELECT rung_by(flow_check_facts.p_definition) AS rung_by)))), '[]'::jsonb), 'own_lines', (own_lines(ARRAY( SELECT COALESCE((p.phone)::text, m.m) AS "coalesce"
            FROM (rung_by(flow_check_facts.p_definition) m(m)
              LEFT JOIN people p ON (((p.handle = m.m) AND (NOT (p.org_id IS DISTINCT FROM flow_check_facts.p_org_id))))))) || COALESCE(( SELECT jsonb_agg(p.handle ORDER BY p.handle) AS jsonb_agg
            FROM people p
           WHERE ((NOT (p.org_id IS DISTINCT FROM flow_check_facts.p_org_id)) AND (p.handle IN ( SELECT rung_by(flow_check_facts.p_definition) AS rung_by)) AND (own_lines(ARRAY[(p.phone)::text]) <> '[]'::jsonb))), '[]'::jsonb)), 'flows', COALESCE(( SELECT jsonb_object_agg(u.name, v.definition) AS jsonb_object_agg
            FROM (flows_used(flow_check_facts.p_org_id, flow_check_facts.p_definition) u(name, version_id)
              LEFT JOIN call_flow_versions v ON ((v.id = u.version_id)))), '{}'::jsonb)) AS jsonb_build_object;
END

CREATE OR REPLACE FUNCTION public.flow_definition(p_org_id uuid, p_name text, p_version integer DEFAULT NULL::integer)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT jsonb_build_object('flow', f.name, 'version', v.version, 'hash', v.hash, 'definition', v.definition) AS jsonb_build_object
    FROM (call_flows f
      JOIN call_flow_versions v ON ((v.flow_id = f.id)))
   WHERE ((NOT (f.org_id IS DISTINCT FROM flow_definition.p_org_id)) AND (f.name = flow_definition.p_name) AND (v.version = COALESCE(flow_definition.p_version, ( SELECT p.version
            FROM call_flow_pointers p
           WHERE (p.flow_id = f.id)))));
END

CREATE OR REPLACE FUNCTION public.flow_of_account(p_account_sid text, p_hash text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT flow_body(v.id) AS flow_body
    FROM (call_flow_versions v
      JOIN call_flows f ON ((f.id = v.flow_id)))
   WHERE ((v.hash >= flow_of_account.p_hash) AND (v.hash <= (flow_of_account.p_hash || 'g'::text)) AND (flow_of_account.p_hash ~ '^[0-9a-f]{8,64}$'::text) AND ((flow_of_account.p_account_sid IS NULL) OR (f.org_id = organisation_of(flow_of_account.p_account_sid))))
   ORDER BY ((f.org_id IS NOT NULL) AND (flow_of_account.p_account_sid IS NULL)), v.id DESC
  LIMIT 1;
END

CREATE OR REPLACE FUNCTION public.flow_versions(p_org_id uuid, p_name text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT COALESCE(jsonb_agg(jsonb_build_object('flow', f.name, 'version', v.version, 'hash', v.hash, 'published_at', v.published_at, 'published_by', v.published_by, 'note', v.note, 'current', (p.version IS NOT NULL), 'lines',
         CASE
             WHEN (p.version IS NULL) THEN '[]'::jsonb
             ELSE lines_of_flow(f.id)
         END) ORDER BY v.published_at DESC, v.id DESC), '[]'::jsonb) AS "coalesce"
    FROM ((call_flows f
      JOIN call_flow_versions v ON ((v.flow_id = f.id)))
      LEFT JOIN call_flow_pointers p ON (((p.flow_id = f.id) AND (p.version = v.version))))
   WHERE ((NOT (f.org_id IS DISTINCT FROM flow_versions.p_org_id)) AND ((flow_versions.p_name IS NULL) OR (f.name = flow_versions.p_name)));
END

CREATE OR REPLACE FUNCTION public.flows_named_in(p_definition jsonb)
 RETURNS SETOF text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT DISTINCT (n.n #>> '{}'::text[])
    FROM jsonb_path_query(flows_named_in.p_definition, '$."nodes".*?(@."type" == "flow")."name"'::jsonpath) n(n);
END

CREATE OR REPLACE FUNCTION public.flows_used(p_org_id uuid, p_definition jsonb)
 RETURNS TABLE(name text, version_id bigint)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_names text[] := array(select public.flows_named_in(p_definition));
  v_seen text[] := '{}';
begin
  while cardinality(v_names) > 0 loop
    v_seen := v_seen || v_names;
    return query
      select n.name, public.current_version(p_org_id, n.name) from unnest(v_names) as n(name);
    v_names := array(
      select distinct further.name
      from unnest(v_names) as n(name)
      join public.call_flow_versions as v on v.id = public.current_version(p_org_id, n.name)
      cross join lateral public.flows_named_in(v.definition) as further(name)
      where further.name <> all (v_seen)
    );
  end loop;
end
$function$

CREATE OR REPLACE FUNCTION public.fold_leg(l call_legs, e voice_event)
 RETURNS call_legs
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  l.call_sid := e.call_sid;
  l.leg_sid := e.leg_sid;
  l.to_e164 := least(l.to_e164, e.leg_to);
  l.node := least(l.node, e.leg_node);
  l.status := greatest(l.status, case when e.leg_status >= 'lost' then e.leg_status end);
  l.dialled_at := least(l.dialled_at, e.occurred_at - make_interval(secs => coalesce(e.talk_sec, 0)));
  if e.leg_status <= 'ringing' then
    l.rang_at := least(l.rang_at, e.occurred_at);
  end if;
  if e.talk_sec is not null then
    l.answered_at := least(l.answered_at, e.occurred_at - make_interval(secs => e.talk_sec));
  end if;
  l.bridged := greatest(l.bridged, e.bridged, case
    -- A person of a queue may be too late, or take another caller of it: `connected` tells.
    when e.event = 'leg_asked' or e.ask #>> '{attempt,told}' = 'pressed' then false
    when e.event = 'leg_accepted' or e.ask #>> '{attempt,told}' = 'connected' then true
  end);
  -- Asked, and nothing more heard: `declined` is the lesser word.
  l.told := least(l.told, case e.event when 'leg_asked' then 'mailbox' when 'leg_declined' then 'declined' end);
  if e.event = 'leg_accepted' then
    l.accepted_at := least(l.accepted_at, e.occurred_at);
  end if;
  if e.leg_status >= 'lost' then
    l.ended_at := least(l.ended_at, e.occurred_at);
  end if;
  return l;
end
$function$

CREATE OR REPLACE FUNCTION public.fold_recording(r recordings, e voice_event)
 RETURNS recordings
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  r.call_sid := e.call_sid;
  r.recording_sid := e.recording_sid;
  r.leg_sid := least(r.leg_sid, e.leg_sid);
  r.source := greatest(r.source, e.recording_source);
  r.url := least(r.url, e.recording_url);
  r.duration_sec := least(r.duration_sec, e.recording_duration_sec);
  r.transcript := greatest(r.transcript, e.transcript);
  r.recorded_at := least(r.recorded_at, e.occurred_at);
  r.confirmed := coalesce(r.confirmed, false) or e.event <> 'voicemail_recorded';
  r.deleted_at := least(r.deleted_at, case when e.recording_lost then e.occurred_at end);
  return r;
end
$function$

CREATE OR REPLACE FUNCTION public.fold_voice_event(c call_logs, e voice_event)
 RETURNS call_logs
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  final constant boolean := coalesce(e.call_status >= 'lost', false);
  v_before constant public.call_status := c.status;
  step constant text := case
    -- Hung up while it rang.
    when e.event = 'dial_ended' and e.leg_status = 'canceled' then 'dial_canceled'
    when e.event <= 'voicemail_recorded' then e.event::text
  end;
begin
  c.call_sid := e.call_sid;
  -- min(), not the first value: the order must not matter even where values should agree.
  c.direction := greatest(c.direction, e.direction, 'inbound');
  c.from_e164 := least(c.from_e164, e.from_e164);
  c.to_e164 := least(c.to_e164, e.to_e164);
  c.status := greatest(c.status, e.call_status, 'queued');

  c.mode := coalesce(c.mode, 'menu');
  -- Below any turn: a flow may set a mode as the call arrives.
  c.mode_turn := coalesce(c.mode_turn, -1);
  if (e.mode_turn, e.mode) > (c.mode_turn, c.mode) then
    c.mode := e.mode;
    c.mode_turn := e.mode_turn;
  end if;

  c.consent_order := coalesce(c.consent_order, 0);
  if e.consent_order > c.consent_order then
    c.consent_given := e.consent_given;
    c.consent_order := e.consent_order;
  end if;

  -- A call that reports its length began, and was picked up, that long before its end.
  c.started_at := least(c.started_at, e.occurred_at - make_interval(secs => coalesce(e.duration_sec, 0)));
  if e.call_status in ('in-progress', 'completed') then
    c.answered_at := least(
      c.answered_at, e.occurred_at - make_interval(secs => coalesce(e.duration_sec, 0))
    );
  end if;
  if step is not null and (
    c.last_step is null
    or (step <> 'arrived', e.occurred_at, step) > (c.last_step <> 'arrived', c.last_step_at, c.last_step)
  ) then
    c.last_step := step;
    c.last_step_at := e.occurred_at;
  end if;
  c.dialled := coalesce(c.dialled, false);
  if final then
    c.ended_at := case
      -- A reported end replaces a guessed one.
      when v_before = 'lost' and e.call_status > 'lost' then e.occurred_at
      when v_before > 'lost' and e.call_status = 'lost' then c.ended_at
      else least(c.ended_at, e.occurred_at)
    end;
    c.duration_sec := greatest(c.duration_sec, e.duration_sec);
  end if;

  c.handoff := coalesce(c.handoff, false) or e.handoff_reason is not null;
  c.handoff_reason := least(c.handoff_reason, e.handoff_reason);
  c.end_fetched := coalesce(c.end_fetched, false) or e.event = 'reconciled';
  c.settled := coalesce(c.settled, false) or e.event = 'settled';
  c.rate_limited := coalesce(c.rate_limited, false) or coalesce(e.rate_limited, false);
  return c;
end
$function$

CREATE OR REPLACE FUNCTION public.forget_person(p_number text, p_email text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_calls text[];
  v_messages constant uuid[] := array(select public.messages_of_person(p_number, p_email));
  v_counts jsonb;
  v_open integer;
  v_receipt public.erasure_receipts;
begin
  if p_number is null and p_email is null then
    raise sqlstate '22023' using message = 'a person is known by a number or an e-mail address';
  end if;
  -- A transaction that accepts an event of a call holds its row. Row locks, because a number may have many calls and advisory
  -- locks share limited memory.
  perform from public.call_logs as c where c.party = p_number order by c.call_sid for update;
  v_calls := array(
    select c.call_sid from public.call_logs as c
    where c.call_sid in (select public.calls_of_person(p_number)) and c.status >= 'lost'
  );
  select count(*) into v_open from public.call_logs as c
  where c.call_sid in (select public.calls_of_person(p_number)) and c.status < 'lost';
  v_counts := public.erase(v_calls, v_messages, p_number, p_email, true);
  insert into public.erasure_receipts (counts) values (v_counts) returning * into v_receipt;
  return jsonb_build_object(
    'receipt', v_receipt.id, 'erased_at', v_receipt.erased_at, 'counts', v_counts, 'open_calls', v_open
  );
end
$function$

CREATE OR REPLACE FUNCTION public.forget_searches(p_batch integer DEFAULT 10000)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_count integer;
begin
  update public.search_history as h set words = null
  where h.id in (
    select o.id from public.search_history as o
    where o.words is not null and o.at < now() - interval '30 days' order by o.at limit p_batch for update skip locked
  );
  get diagnostics v_count = row_count;
  return v_count;
end
$function$

CREATE OR REPLACE FUNCTION public.forget_searches_for_contact()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  update public.search_history as h set words = null
  where h.owner = old.owner and h.words is not null and position(lower(old.name) in lower(h.words)) > 0;
  return null;
end
$function$

CREATE OR REPLACE FUNCTION public.forget_telephony_token(p_subaccount_sid text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_secret_id uuid;
begin
  delete from public.telephony_secrets as s where s.subaccount_sid = p_subaccount_sid
  returning s.vault_secret_id into v_secret_id;
  if v_secret_id is not null then
    execute 'delete from vault.secrets where id = $1' using v_secret_id;
  end if;
end
$function$

CREATE OR REPLACE FUNCTION public.forget_words()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_lost record;
begin
  for v_lost in
    select distinct g.owner, w.word from gone as g cross join lateral public.words_of(concat_ws(' ', g.title, g.body)) as w(word)
  loop
    if not public.is_said(v_lost.owner, v_lost.word) then
      delete from public.search_words as k where k.owner = v_lost.owner and k.word = v_lost.word;
    end if;
  end loop;
  return null;
end
$function$

CREATE OR REPLACE FUNCTION public.free_members(p_org_id uuid, p_queue text, p_members text[], p_phone text DEFAULT NULL::text)
 RETURNS TABLE(phone text, person_id uuid, idle_since timestamp with time zone)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.from_micros(p_micros text)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
 SET search_path TO ''
RETURN ('1970-01-01 00:00:00+00'::timestamp with time zone + (((p_micros)::bigint)::double precision * '00:00:00.000001'::interval))

CREATE OR REPLACE FUNCTION public.fuse_hits(p_words search_hit[], p_near search_hit[])
 RETURNS search_hit[]
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
AS $function$
  with placed as (
    select h.kind, h.id, h.call_sid, h.at, row_number() over (order by h.score desc, h.at desc, h.id, h.call_sid) as place
    from unnest(p_words) as h
    union all
    select h.kind, h.id, h.call_sid, h.at, h.place from unnest(p_near) with ordinality as h(kind, id, call_sid, at, score, place)
  )
  select coalesce(array_agg(row(f.kind, f.id, f.call_sid, f.at, f.score)::public.search_hit), '{}') from (
    select p.kind, p.id, p.call_sid, p.at, sum(1.0 / (60 + p.place))::real as score from placed as p group by 1, 2, 3, 4
  ) as f
$function$

CREATE OR REPLACE FUNCTION public.gives_up(c call_logs, p_facts jsonb)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return exists (
    select from public.queue_entries as q
    where q.call_sid = c.call_sid and q.left_at is null and not q.wants_offer
      and public.walk_flow(q.version_id, q.node, c, p_facts) #>> '{0,outcome}' = 'gave_up'
  );
end
$function$

CREATE OR REPLACE FUNCTION public.has_role(p_org_id uuid, p_role member_role)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
RETURN (is_member(p_org_id) AND (my_role() >= p_role))

CREATE OR REPLACE FUNCTION public.has_vault()
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select exists (
    select from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = 'vault' and c.relname = 'decrypted_secrets'
  )
$function$

CREATE OR REPLACE FUNCTION public.has_vectors()
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
RETURN (to_regtype('extensions.vector'::text) IS NOT NULL)

CREATE OR REPLACE FUNCTION public.health_migration()
 RETURNS text
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_version text;
begin
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    execute 'select max(version) from supabase_migrations.schema_migrations' into v_version;
  end if;
  return v_version;
end
$function$

CREATE OR REPLACE FUNCTION public.health_rate_limiter()
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_admitted boolean;
begin
  v_admitted := public.take_rate_limit('voice-health', 'probe', 'probe', 1000, interval '1 second');
  delete from public.rate_limit_windows
  where endpoint = 'voice-health' and identifier_type = 'probe' and identifier = 'probe';
  return v_admitted;
end
$function$

CREATE OR REPLACE FUNCTION public.health_recent_activity()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT jsonb_build_object('calls_last_hour', ( SELECT count(*) AS count
            FROM call_logs
           WHERE (call_logs.started_at > (now() - '01:00:00'::interval))), 'active_calls', ( SELECT count(*) AS count
            FROM call_logs
           WHERE (call_logs.disposition IS NULL)), 'last_event_at', ( SELECT max(call_lifecycle.received_at) AS max
            FROM call_lifecycle), 'connections', ( SELECT jsonb_build_object('used', database_connections.used, 'allowed', database_connections.allowed) AS jsonb_build_object
            FROM database_connections() database_connections(used, allowed)), 'workers', ( SELECT COALESCE(jsonb_object_agg(w.worker, jsonb_build_object('last_run_at', w.last_run_at, 'last_ok_at', w.last_ok_at, 'age_seconds', round(EXTRACT(epoch FROM (now() - w.last_ok_at))), 'late', (COALESCE((w.last_ok_at < (now() - '00:05:00'::interval)), true) AND ((w.worker <> ALL (ARRAY['notify-worker'::text, 'dial-worker'::text])) OR (EXISTS ( SELECT
                    FROM job_lanes l
                   WHERE ((l.worker = w.worker) AND (l.due_at < (now() - '00:05:00'::interval))))))))), '{}'::jsonb) AS "coalesce"
            FROM worker_runs w), 'alerts', ( SELECT jsonb_build_object('critical', count(*) FILTER (WHERE (alert_episodes.severity = 'critical'::text)), 'warning', count(*) FILTER (WHERE (alert_episodes.severity = 'warning'::text)), 'firing', COALESCE(jsonb_agg(alert_episodes.alert ORDER BY alert_episodes.severity, alert_episodes.alert), '[]'::jsonb)) AS jsonb_build_object
            FROM alert_episodes
           WHERE (alert_episodes.closed_at IS NULL))) AS jsonb_build_object;
END

CREATE OR REPLACE FUNCTION public.hold_jobs(p_leases uuid[], p_error text, p_wait_sec integer, p_kinds text[] DEFAULT NULL::text[], p_priority integer DEFAULT 0)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.jobs as j set
    status = 'waiting', lease = null, attempts = j.attempts - 1, last_error = p_error,
    run_at = case when p_kinds is null then now() + make_interval(secs => p_wait_sec) else now() end
  where j.status = 'running' and j.lease = any (p_leases);

  update public.job_kinds as k set
    held_until = now() + least(make_interval(secs => p_wait_sec), k.longest_hold), held_for = p_error
  where k.kind = any (p_kinds) and k.priority >= p_priority;
end
$function$

CREATE OR REPLACE FUNCTION public.hold_onboarding(p_id uuid, p_lease uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if not coalesce((
    select public.renew_job(j.id, p_lease) from public.jobs as j where j.kind = 'onboarding' and j.key = p_id::text
  ), false) then
    raise sqlstate 'PT409' using message = 'this onboarding is in other hands, or over';
  end if;
end
$function$

CREATE OR REPLACE FUNCTION public.hurry_jobs(p_kind text)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_count integer;
begin
  update public.job_kinds as k set held_until = null, held_for = null where k.kind = p_kind;
  update public.jobs as j set run_at = least(j.run_at, now()) where j.kind = p_kind and j.status = 'waiting';
  get diagnostics v_count = row_count;
  return v_count;
end
$function$

CREATE OR REPLACE FUNCTION public.import_campaign_contacts(p_campaign_id uuid, p_contacts jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  c public.campaigns;
  v_given integer;
  v_answer jsonb;
begin
  select * into c from public.campaigns as t where t.id = p_campaign_id for key share;
  if c.id is null then
    raise sqlstate 'PT404' using message = 'there is no such campaign';
  elsif c.state in ('stopping', 'done') then
    raise sqlstate 'PT409' using message = 'the campaign has ended';
  end if;
  v_given := jsonb_array_length(p_contacts);
  insert into public.campaign_areas (campaign_id, rules, region, zones)
  select distinct c.id, g.rules, g.region, g.zones
  from jsonb_to_recordset(p_contacts) as g(rules text, region text, zones text[])
  order by 2, 3, 4
  on conflict on constraint campaign_areas_key do nothing;
  with given as materialized (
    select g.* from jsonb_to_recordset(p_contacts) as g(
      phone text, rules text, region text, zones text[], name text, postal_code text, consent_at timestamptz, consent_source text
    )
  ),
  added as (
    insert into public.campaign_contacts (
      campaign_id, owner, area_id, e164, name, postal_code, consent_at, consent_source, state, due_at
    )
    select
      c.id, c.owner, a.id, g.phone, g.name, g.postal_code, g.consent_at, g.consent_source,
      case when s.e164 is null then 'waiting' else 'suppressed' end, case when s.e164 is null then now() end
    from given as g
    join public.campaign_areas as a on a.campaign_id = c.id and (a.rules, a.region, a.zones) = (g.rules, g.region, g.zones)
    left join public.suppressions as s on s.e164 = g.phone and s.org_id is not distinct from c.org_id
    -- One order, so that two slices with the same numbers do not deadlock.
    order by g.phone
    on conflict on constraint campaign_contacts_key do nothing
    returning state
  )
  select jsonb_build_object(
    'added', count(*) filter (where a.state = 'waiting'), 'suppressed', count(*) filter (where a.state = 'suppressed'),
    'duplicates', v_given - count(*)
  ) into v_answer
  from added as a;
  return v_answer;
end
$function$

CREATE OR REPLACE FUNCTION public.import_contacts(p_contacts jsonb, p_org_id uuid DEFAULT NULL::uuid)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  with given as (
    select g.* from jsonb_to_recordset(p_contacts) as g(phone text, name text, company text, notes text)
  ), stored as (
    insert into public.contacts as k (org_id, phone, name, company, notes)
    select p_org_id, g.phone, g.name, g.company, g.notes from given as g
    on conflict on constraint contacts_key do update set
      name = coalesce(excluded.name, k.name), company = coalesce(excluded.company, k.company),
      notes = coalesce(excluded.notes, k.notes)
    where (coalesce(excluded.name, k.name), coalesce(excluded.company, k.company), coalesce(excluded.notes, k.notes))
      is distinct from (k.name, k.company, k.notes)
    returning k.xmax = 0 as added
  )
  select jsonb_build_object(
    'added', count(*) filter (where s.added), 'changed', count(*) filter (where not s.added)
  ) from stored as s
$function$

CREATE OR REPLACE FUNCTION public.index_row()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform public.index_source(tg_argv[0], case tg_op when 'DELETE' then old.id else new.id end);
  return null;
end
$function$

CREATE OR REPLACE FUNCTION public.index_source(p_kind text, p_id uuid, p_call_sid text DEFAULT NULL::text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_new public.search_passages[];
begin
  if p_call_sid is null then
    v_new := array(select p from public.search_passages as p where p.kind = p_kind and p.source_id = p_id);
    delete from public.search_documents as d where d.kind = p_kind and d.ref = p_id::text and not public.is_passage(d, v_new);
  else
    v_new := array(
      select p from public.search_passages as p
      where p.kind = any (public.search_kinds_of_calls()) and p.call_sid = p_call_sid
    );
    delete from public.search_documents as d
    where d.call_sid = p_call_sid and d.kind = any (public.search_kinds_of_calls()) and not public.is_passage(d, v_new);
  end if;
  if cardinality(v_new) > 0 then
    perform public.store_passages(v_new);
    perform public.match_alerts(v_new);
  end if;
end
$function$

CREATE OR REPLACE FUNCTION public.invitation(p_member_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
  select jsonb_build_object('email', m.email, 'known', exists (select from auth.users as u where lower(u.email) = m.email))
  from public.members as m where m.id = p_member_id and m.user_id is null
$function$

CREATE OR REPLACE FUNCTION public.invite_member()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if tg_when = 'BEFORE' then
    new.email := lower(trim(new.email));
    new.invited_by := auth.uid();
    perform pg_advisory_xact_lock(hashtextextended('members/' || coalesce(new.org_id::text, ''), 1));
    -- Each invitation is a mail to a stranger.
    if (
      select count(*) from public.members as m where m.org_id is not distinct from new.org_id and m.user_id is null
    ) >= 50 then
      raise sqlstate 'PT409' using message = 'there are 50 open invitations: remove one first';
    end if;
  elsif new.user_id is null then
    perform public.enqueue_job('invite', new.id::text, jsonb_build_object('member_id', new.id));
  end if;
  return new;
end
$function$

CREATE OR REPLACE FUNCTION public.is_member(p_org_id uuid)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
RETURN COALESCE((COALESCE(p_org_id, '00000000-0000-0000-0000-000000000000'::uuid) = (private.membership()).owner), false)

CREATE OR REPLACE FUNCTION public.is_passage(d search_documents, p_passages search_passages[])
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return exists (
    select from unnest(p_passages) as p
    where (p.kind, p.ref, p.part, p.at, p.lang, p.body) = (d.kind, d.ref, d.part, d.at, d.lang, d.body)
      and (p.org_id, p.call_sid, p.party, p.start_ms, p.end_ms, p.speaker, p.title)
        is not distinct from (d.org_id, d.call_sid, d.party, d.start_ms, d.end_ms, d.speaker, d.title)
  );
end
$function$

CREATE OR REPLACE FUNCTION public.is_said(p_owner uuid, p_word text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
begin
  return exists (
    select from public.search_documents as d
    where d.owner = coalesce(p_owner, d.owner) and d.fts @@ (
      plainto_tsquery('public.search_english', p_word) || plainto_tsquery('public.search_french', p_word)
      || plainto_tsquery('public.search_spanish', p_word) || plainto_tsquery('public.search_names', p_word)
    )
  );
end
$function$

CREATE OR REPLACE FUNCTION public.is_time_zone(p_zone text)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
RETURN (EXISTS (SELECT FROM pg_timezone_names z WHERE (z.name = is_time_zone.p_zone)))

CREATE OR REPLACE FUNCTION public.job_content(p_kind text, p_key text, p_payload jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return case
    when p_kind like 'mail\_%' then public.mail_content(p_kind, p_payload)
    when p_kind in ('open_call', 'incomplete_call') then public.call_to_ask(p_kind, p_key)
    when p_kind = 'embedding' then public.embedding_content(p_key)
    when p_kind = 'search_alert' then public.alert_content(p_payload)
    when p_kind in ('dial', 'dial_end') then public.dial_content(p_kind, p_key::uuid)
    when p_kind = 'queue_check' then public.queue_content(p_key)
    when p_kind = 'queue_delete' then jsonb_build_object(
      'account_sid', (select s.subaccount_sid from public.telephony_subaccounts as s where s.org_id = p_key::uuid)
    )
    when p_kind = 'missed_call_sms' then public.missed_call_text(p_payload ->> 'call_sid')
    when p_kind = 'onboarding' then (
      select public.onboarding_work(t) from public.telephony_transactions as t where t.id = p_key::uuid
    )
  end;
end
$function$

CREATE OR REPLACE FUNCTION public.job_done(p_id bigint, p_lease uuid, p_result text DEFAULT NULL::text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.jobs as j
  set status = 'done', ended_at = now(), lease = null, content = null, last_error = null, result = p_result
  from public.job_kinds as k
  where j.id = p_id and j.lease = p_lease and k.kind = j.kind and k.keep is not null;
  if found then
    return true;
  end if;
  delete from public.jobs as j where j.id = p_id and j.lease = p_lease;
  return found;
end
$function$

CREATE OR REPLACE FUNCTION public.job_failed(p_id bigint, p_lease uuid, p_error text, p_permanent boolean DEFAULT false, p_uncertain boolean DEFAULT false)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_job record;
begin
  select j.attempts, k.delays, k.key_lives, p_permanent or coalesce(j.attempts >= k.max_attempts, false) as over,
    coalesce(j.uncertain_since, case when p_uncertain then j.attempted_at end) as uncertain_since
  into v_job
  from public.jobs as j join public.job_kinds as k on k.kind = j.kind
  where j.id = p_id and j.lease = p_lease for update of j;
  if not found then
    return null;
  end if;
  if v_job.over then
    perform public.bury_job(p_id, p_error);
    return 'dead';
  end if;
  update public.jobs as j set
    status = 'waiting', lease = null, last_error = p_error, uncertain_since = v_job.uncertain_since,
    run_at = least(
      now() + random() * v_job.delays[least(v_job.attempts, cardinality(v_job.delays))],
      -- While the other side remembers the key of an uncertain try.
      v_job.uncertain_since + v_job.key_lives - interval '30 minutes'
    )
  where j.id = p_id;
  return 'waiting';
end
$function$

CREATE OR REPLACE FUNCTION public.join_as_member()
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform private.accept_invitation();
  return public.my_membership();
end
$function$

CREATE OR REPLACE FUNCTION public.keep_an_owner()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if old.role = 'owner' and old.user_id is not null
    and (tg_op = 'DELETE' or (new.role, new.owner, new.user_id) is distinct from (old.role, old.owner, old.user_id)) then
    perform pg_advisory_xact_lock(hashtextextended('members/' || old.owner, 0));
    if not exists (
      select from public.members as m where m.owner = old.owner and m.role = 'owner' and m.user_id is not null
    ) then
      raise sqlstate 'PT409' using message = 'the last owner stays: make another member an owner first';
    end if;
  end if;
  return null;
end
$function$

CREATE OR REPLACE FUNCTION public.keep_call_months()
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET lock_timeout TO '500ms'
 SET "TimeZone" TO 'UTC'
AS $function$
declare
  v_this constant timestamptz := date_trunc('month', now());
  v_kept constant interval := make_interval(
    days => (select max(days) from public.retention_rules where subject in ('calls', 'voicemails'))
  );
  v_month timestamptz;
  v_name text;
  v_made integer := 0;
  v_dropped integer := 0;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('keep_call_months', 0)) then
    return jsonb_build_object('made', 0, 'dropped', 0);
  end if;

  for v_month in
    select m from (
      select generate_series(v_this, v_this + interval '2 months', interval '1 month')
      union
      select date_trunc('month', o.received_at) from months.call_lifecycle_other as o
    ) as wanted(m)
    where to_regclass(to_char(m, '"months.call_lifecycle_"YYYY_MM')) is null
      and case
        when m > v_this then true
        when m = v_this then not exists (select from public.call_lifecycle)
        -- Moved while no session writes to either table.
        else to_regclass(to_char(v_this, '"months.call_lifecycle_"YYYY_MM')) is not null
      end
    order by m
  loop
    v_name := to_char(v_month, '"call_lifecycle_"YYYY_MM');
    lock table months.call_lifecycle_other in access exclusive mode;
    -- Attached, because creating a partition would lock all months for reading and writing.
    execute format('create table months.%I (like public.call_lifecycle including defaults including constraints)', v_name);
    execute format('alter table months.%I enable row level security', v_name);
    execute format('create policy months_of_the_service on months.%I for select to service_role using (true)', v_name);
    execute format(
      'with moved as (delete from months.call_lifecycle_other where received_at >= %L and received_at < %L returning *)
       insert into months.%I select * from moved',
      v_month, v_month + interval '1 month', v_name
    );
    execute format(
      'alter table public.call_lifecycle attach partition months.%I for values from (%L) to (%L)',
      v_name, v_month, v_month + interval '1 month'
    );
    v_made := v_made + 1;
  end loop;

  for v_month, v_name in
    select m, to_char(m, '"call_lifecycle_"YYYY_MM')
    from (
      select to_date(right(t.tablename, 7), 'YYYY_MM')::timestamptz as m
      from pg_catalog.pg_tables as t
      where t.schemaname = 'months' and t.tablename ~ '^call_lifecycle_[0-9]{4}_[0-9]{2}$'
    ) as made
    where m + interval '1 month' < now() - v_kept
      and not exists (select from public.call_logs as c where c.started_at < m + interval '1 month')
    order by m
  loop
    begin
      execute format('drop table months.%I', v_name);
      v_dropped := v_dropped + 1;
    exception
      -- It is in use; the next run retries.
      when lock_not_available then null;
    end;
  end loop;
  return jsonb_build_object('made', v_made, 'dropped', v_dropped);
exception
  when lock_not_available then
    -- A month could not be made; the next run retries. Until then its events go to call_lifecycle_other.
    return jsonb_build_object('made', 0, 'dropped', 0);
end
$function$

CREATE OR REPLACE FUNCTION public.keep_promise(p_id uuid)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
    where x.e164 = k.to_e164 and x.org_id is not distinct from k.org_id and x.created_at > k.promised_at
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
$function$

CREATE OR REPLACE FUNCTION public.keep_telephony_token(p_subaccount_sid text, p_token text, p_sealed text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_name constant text := 'twilio_auth_token_' || p_subaccount_sid;
  v_id uuid;
begin
  if p_token is not null then
    execute 'select id from vault.secrets where name = $1' into v_id using v_name;
    if v_id is null then
      execute 'select vault.create_secret($1, $2, $3)' into v_id
        using p_token, v_name, 'Auth token of a Twilio sub-account; see telephony_secrets.';
    else
      execute 'select vault.update_secret($1, $2)' using v_id, p_token;
    end if;
  end if;
  insert into public.telephony_secrets as s (subaccount_sid, vault_secret_id, sealed_token)
  values (p_subaccount_sid, v_id, p_sealed)
  on conflict (subaccount_sid) do update
    set vault_secret_id = excluded.vault_secret_id, sealed_token = excluded.sealed_token, updated_at = now();
end
$function$

CREATE OR REPLACE FUNCTION public.language_of(p_text text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_text constant text := lower(left(p_text, 1000));
  v_french constant integer :=
    regexp_count(v_text, '\m(je|vous|les?|des|est|une?|et|pour|dans|pas|que|avec|bonjour|merci|mon|votre)\M');
  v_spanish constant integer :=
    regexp_count(v_text, '\m(el|los|las|es|una?|y|para|por|que|con|usted|hola|gracias|mi|su|del)\M');
  v_english integer;
begin
  if v_french + v_spanish = 0 then
    return 'english';
  end if;
  v_english := regexp_count(v_text, '\m(the|you|and|is|to|a|of|for|my|your|that|i|please|hello|thanks?)\M');
  return case
    when v_french > greatest(v_spanish, v_english) then 'french'
    when v_spanish > greatest(v_french, v_english) then 'spanish'
    else 'english'
  end;
end
$function$

CREATE OR REPLACE FUNCTION public.latency_quantile(p_quantile double precision, p_cumulative bigint[])
 RETURNS numeric
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT round((((b.low)::double precision + ((((b.high - b.low))::double precision * (r.rank - (b.before)::double precision)) / (NULLIF((b.upto - b.before), 0))::double precision)))::numeric, 1) AS round
    FROM ( SELECT (latency_quantile.p_quantile * ((latency_quantile.p_cumulative)[8])::double precision) AS rank) r,
     LATERAL ( SELECT u.low,
             u.high,
             u.upto,
             lag(u.upto, 1, (0)::bigint) OVER (ORDER BY u.high, u.low) AS before
            FROM UNNEST(ARRAY[0, 50, 100, 250, 500, 1000, 2000, 5000], ARRAY[50, 100, 250, 500, 1000, 2000, 5000, 5000], latency_quantile.p_cumulative) u(low, high, upto)) b
   WHERE (((latency_quantile.p_cumulative)[8] > 0) AND ((b.upto)::double precision >= r.rank) AND (b.upto > b.before))
   ORDER BY b.high, b.low
  LIMIT 1;
END

CREATE OR REPLACE FUNCTION public.leave_queue(p_call_sid text, p_result text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  q public.queue_entries;
begin
  select * into q from public.queue_entries as e where e.call_sid = p_call_sid and e.left_at is null;
  if q.id is null then
    return;
  end if;
  perform public.lock_dialling(q.org_id);
  update public.queue_entries as e set
    left_at = clock_timestamp(), call_token = null,
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
$function$

CREATE OR REPLACE FUNCTION public.leg_told(p_token uuid, p_leg_sid text, p_status text, p_told text, p_account_sid text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.limit_alerts()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform pg_advisory_xact_lock(hashtextextended('search_alerts/' || new.owner, 0));
  if (select count(*) from public.search_alerts as a where a.owner = new.owner) > 50 then
    raise sqlstate 'PT409' using message = 'there are 50 alerts on words: remove one first';
  end if;
  return null;
end
$function$

CREATE OR REPLACE FUNCTION public.line_has_spent(c call_logs, p_leg_sec bigint, p_day_sec integer)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.lines_of_flow(p_flow_id bigint)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT COALESCE(jsonb_agg(l.line ORDER BY l.line), '[]'::jsonb) AS "coalesce"
    FROM lines l
   WHERE (l.flow_id = lines_of_flow.p_flow_id);
END

CREATE OR REPLACE FUNCTION public.lock_dialling(p_org_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform pg_advisory_xact_lock(hashtextextended(concat('dialling:', p_org_id), 0));
end
$function$

CREATE OR REPLACE FUNCTION public.longest_idle(p_org_id uuid, p_members text[])
 RETURNS text
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.mail_content(p_kind text, p_payload jsonb)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select case p_kind
    when 'mail_voicemail' then (
      select jsonb_build_object(
        'call_sid', c.call_sid, 'from_e164', c.from_e164, 'to_e164', c.to_e164, 'recording_sid', r.recording_sid,
        'recorded_at', r.recorded_at, 'duration_sec', r.duration_sec, 'transcript', r.transcript,
        'link_expires', extract(epoch from now() + interval '7 days')::bigint
      )
      from public.recordings as r join public.call_logs as c on c.call_sid = r.call_sid
      where r.call_sid = p_payload ->> 'call_sid' and r.recording_sid = p_payload ->> 'recording_sid'
    )
    when 'mail_alert' then p_payload
    when 'mail_search_alert' then public.alert_content(p_payload)
    when 'mail_missed_call' then public.missed_call_mail(p_payload ->> 'call_sid')
    else (
      select jsonb_build_object(
        'id', m.id, 'name', m.name, 'email', m.email, 'phone', m.phone, 'subject', m.subject,
        'message', m.message, 'created_at', m.created_at
      )
      from public.contact_messages as m where m.id = (p_payload ->> 'contact_message_id')::uuid
    )
  end
$function$

CREATE OR REPLACE FUNCTION public.make_audited(p_table regclass, p_key text, p_kept text[], p_by text DEFAULT ''::text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  execute format(
    'create trigger audited after insert or update or delete on %s for each row execute function public.write_audit(%L, %L, %L)',
    p_table, p_key, p_kept, p_by
  );
end
$function$

CREATE OR REPLACE FUNCTION public.make_store(p_table regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_name constant text := (select c.relname from pg_catalog.pg_class as c where c.oid = p_table);
  v_columns text;
  v_values text;
  v_is_row text;
begin
  select
    string_agg(quote_ident(a.attname), ', ' order by a.attnum), string_agg(format('p_row.%I', a.attname), ', ' order by a.attnum),
    string_agg(format('t.%1$I = p_row.%1$I', a.attname), ' and ' order by a.attnum) filter (where a.attnum = any (i.indkey))
  into v_columns, v_values, v_is_row
  from pg_catalog.pg_attribute as a join pg_catalog.pg_index as i on i.indrelid = a.attrelid and i.indisprimary
  where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';
  execute format(
    $sql$
      create or replace function public.store_%1$s(p_row public.%1$I, p_is_new boolean) returns void
      language plpgsql volatile set search_path = ''
      as $$
      begin
        if p_is_new then
          insert into public.%1$I (%2$s) values (%3$s);
        else
          update public.%1$I as t set (%2$s) = row (%3$s) where %4$s;
        end if;
      end
      $$
    $sql$,
    v_name, v_columns, v_values, v_is_row
  );
  execute format('grant execute on function public.store_%s to service_role', v_name);
end
$function$

CREATE OR REPLACE FUNCTION public.match_alerts(p_passages search_passages[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_match record;
begin
  for v_match in
    with matched as (
      insert into public.search_alert_matches (alert_id, kind, ref, call_sid)
      select distinct a.id, d.kind, d.ref, d.call_sid
      from unnest(p_passages) as p
      join public.search_alerts as a on a.owner = coalesce(p.org_id, '00000000-0000-0000-0000-000000000000') and a.active
        and coalesce(p.kind = any (a.kinds), true)
      join public.search_documents as d on (d.kind, d.ref, d.part) = (p.kind, p.ref, p.part)
      where d.fts @@ public.search_query(a.query, d.lang)
      on conflict do nothing
      returning alert_id, kind, ref, call_sid
    )
    select m.*, a.channel from matched as m join public.search_alerts as a on a.id = m.alert_id
  loop
    perform public.enqueue_job(
      case v_match.channel when 'mail' then 'mail_search_alert' else 'search_alert' end,
      format('%s/%s/%s', v_match.alert_id, v_match.kind, v_match.ref),
      jsonb_strip_nulls(jsonb_build_object(
        'alert_id', v_match.alert_id, 'kind', v_match.kind, 'ref', v_match.ref, 'call_sid', v_match.call_sid,
        'contact_message_id', case v_match.kind when 'message' then v_match.ref end
      ))
    );
  end loop;
end
$function$

CREATE OR REPLACE FUNCTION public.may_promise(c call_logs)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT (came_callable(c) AND (5 > ( SELECT count(*) AS count
            FROM callbacks k
           WHERE (((k.to_e164)::text = ((may_promise.c).party)::text) AND (k.owner = COALESCE((may_promise.c).org_id, '00000000-0000-0000-0000-000000000000'::uuid)) AND (k.state <> 'open'::text) AND (k.promised_at > (now() - '1 day'::interval))))));
END

CREATE OR REPLACE FUNCTION public.may_transfer(a dial_attempts)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT ((EXISTS ( SELECT
            FROM queue_entries e
           WHERE ((e.taken_by = (may_transfer.a).token) AND (e.left_at IS NULL)))) AND ((EXISTS ( SELECT
            FROM people p
           WHERE ((NOT (p.org_id IS DISTINCT FROM (may_transfer.a).org_id)) AND (p.code IS NOT NULL) AND ((p.phone)::text <> ((may_transfer.a).to_e164)::text)))) OR (EXISTS ( SELECT
            FROM call_flow_versions v
           WHERE ((v.id = (may_transfer.a).version_id) AND jsonb_path_exists(v.steps, '$."groups".*."code"'::jsonpath))))));
END

CREATE OR REPLACE FUNCTION private.membership(OUT owner uuid, OUT role member_role)
 RETURNS record
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO ''
RETURN private.membership_of((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb)

CREATE OR REPLACE FUNCTION public.membership_of(p_claims jsonb)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_object('org_id', nullif(w.owner, '00000000-0000-0000-0000-000000000000'), 'role', w.role)
  from private.membership_of(p_claims) as w where w.owner is not null
$function$

CREATE OR REPLACE FUNCTION private.membership_of(p_claims jsonb, OUT owner uuid, OUT role member_role)
 RETURNS record
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  -- Who has a second factor must have shown it.
  if p_claims ->> 'aal' = 'aal1' and exists (
    select from auth.mfa_factors as f where f.user_id = (p_claims ->> 'sub')::uuid and f.status = 'verified'
  ) then
    return;
  end if;
  select m.owner, m.role into owner, role from public.members as m where m.user_id = (p_claims ->> 'sub')::uuid;
  if owner is null and p_claims #>> '{app_metadata,org_id}' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    owner := (p_claims #>> '{app_metadata,org_id}')::uuid;
    role := case when p_claims #>> '{app_metadata,role}' in ('agent', 'admin', 'owner')
      then p_claims #>> '{app_metadata,role}' else 'viewer' end;
  end if;
end
$function$

CREATE OR REPLACE FUNCTION public.mend_campaigns()
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 UPDATE campaigns c SET state = 'done'::text, ended_at = now()
   WHERE ((c.state = ANY (ARRAY['running'::text, 'stopping'::text])) AND (NOT (EXISTS ( SELECT
            FROM dial_attempts a
           WHERE ((a.campaign_id = c.id) AND (a.ended_at IS NULL))))) AND ((c.state = 'stopping'::text) OR ((c.started_at < (now() - '00:01:00'::interval)) AND (NOT (EXISTS ( SELECT
            FROM (campaign_contacts k
              JOIN campaign_areas r ON ((r.id = k.area_id)))
           WHERE ((r.campaign_id = c.id) AND (k.due_at IS NOT NULL))))))));
 WITH gone AS (
          DELETE FROM campaign_changes c
           WHERE (c.ctid = ANY (ARRAY( SELECT o.ctid
                    FROM campaign_changes o
                  FOR UPDATE OF o SKIP LOCKED)))
           RETURNING c.campaign_id,
             c.figure,
             c.change
         )
  INSERT INTO campaign_changes (campaign_id, figure, change)  SELECT g.campaign_id,
             g.figure,
             sum(g.change) AS sum
            FROM gone g
           GROUP BY g.campaign_id, g.figure;
END

CREATE OR REPLACE FUNCTION public.mend_dialling()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v record;
begin
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
      when a.accepted_at is not null then floor(extract(epoch from now() - a.accepted_at) / 60)::integer % 5 = 2
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
$function$

CREATE OR REPLACE FUNCTION public.messages_of_person(p_number text, p_email text)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT m.id
    FROM contact_messages m
   WHERE (lower(m.email) = lower(messages_of_person.p_email))
 UNION
  SELECT m.id
    FROM contact_messages m
   WHERE ((m.phone IS NOT NULL) AND (ltrim(m.phone, '+'::text) = ANY (ARRAY[ltrim(messages_of_person.p_number, '+'::text),
         CASE
             WHEN (messages_of_person.p_number ~~ '+1%'::text) THEN substr(messages_of_person.p_number, 3)
             ELSE NULL::text
         END])));
END

CREATE OR REPLACE FUNCTION public.metrics_snapshot()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT jsonb_build_object('now', ( SELECT to_jsonb(o.*) AS to_jsonb
            FROM operations_now o), 'calls', ( SELECT COALESCE(jsonb_agg(to_jsonb(c.*)), '[]'::jsonb) AS "coalesce"
            FROM ( SELECT w.name AS "window",
                     n.mode,
                     COALESCE(n.disposition, 'active'::text) AS disposition,
                     sum(n.calls) AS calls,
                     sum(n.seconds) AS seconds
                    FROM (( VALUES ('30m'::text,'00:30:00'::interval), ('1h'::text,'01:00:00'::interval), ('24h'::text,'24:00:00'::interval)) w(name, span)
                      CROSS JOIN LATERAL call_counts((now() - w.span)) n(hour, mode, disposition, hung_up_at, calls, consented, opted_out, dialled, answered, timed, seconds, rang, ring_seconds, longest_ring_seconds))
                   GROUP BY w.name, n.mode, COALESCE(n.disposition, 'active'::text)
                   ORDER BY w.name, n.mode, COALESCE(n.disposition, 'active'::text)) c), 'functions', ( SELECT COALESCE(jsonb_agg(to_jsonb(t.*) ORDER BY t.function), '[]'::jsonb) AS "coalesce"
            FROM function_totals t), 'jobs', ( SELECT COALESCE(jsonb_agg(to_jsonb(j.*)), '[]'::jsonb) AS "coalesce"
            FROM jobs_waiting j), 'alerts', ( SELECT jsonb_agg(jsonb_build_object('alert', a.alert, 'severity', a.severity, 'value', a.value, 'threshold', a.threshold, 'firing', a.firing)) AS jsonb_agg
            FROM alert_status a), 'healthy', ( SELECT health_checks.healthy
            FROM health_checks
           ORDER BY health_checks.checked_at DESC
          LIMIT 1), 'health_checked_at', ( SELECT EXTRACT(epoch FROM max(health_checks.checked_at)) AS "extract"
            FROM health_checks), 'workers', ( SELECT COALESCE(jsonb_agg(jsonb_build_object('worker', worker_runs.worker, 'last_ok_at', EXTRACT(epoch FROM worker_runs.last_ok_at), 'runs', worker_runs.runs, 'failures', worker_runs.failures) ORDER BY worker_runs.worker), '[]'::jsonb) AS "coalesce"
            FROM worker_runs)) AS jsonb_build_object;
END

CREATE OR REPLACE FUNCTION public.missed_call_mail(p_call_sid text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT jsonb_build_object('call_sid', c.call_sid, 'from_e164', c.from_e164, 'to_e164', c.to_e164, 'started_at', c.started_at, 'duration_sec', c.duration_sec, 'mode', c.mode, 'hung_up_at', c.last_step, 'history', ( SELECT COALESCE(jsonb_agg(jsonb_build_object('call_sid', o.call_sid, 'started_at', o.started_at, 'direction', o.direction, 'disposition', o.disposition, 'duration_sec', o.duration_sec, 'mode', o.mode) ORDER BY o.started_at DESC), '[]'::jsonb) AS "coalesce"
            FROM ( SELECT o_1.call_sid,
                     o_1.org_id,
                     o_1.direction,
                     o_1.from_e164,
                     o_1.to_e164,
                     o_1.line,
                     o_1.party,
                     o_1.mode,
                     o_1.mode_turn,
                     o_1.status,
                     o_1.consent_given,
                     o_1.consent_order,
                     o_1.started_at,
                     o_1.answered_at,
                     o_1.ended_at,
                     o_1.duration_sec,
                     o_1.dialled,
                     o_1.rang_at,
                     o_1.connected_at,
                     o_1.recording_sid,
                     o_1.recording_url,
                     o_1.recording_source,
                     o_1.recording_duration_sec,
                     o_1.recorded_at,
                     o_1.transcript,
                     o_1.handoff,
                     o_1.handoff_reason,
                     o_1.flow_version,
                     o_1.at_node,
                     o_1.rate_limited,
                     o_1.disposition,
                     o_1.created_at,
                     o_1.updated_at,
                     o_1.last_step,
                     o_1.last_step_at,
                     o_1.end_fetched,
                     o_1.settled,
                     o_1.incomplete
                    FROM call_logs o_1
                   WHERE (((o_1.party)::text = (c.party)::text) AND (NOT (o_1.org_id IS DISTINCT FROM c.org_id)) AND (o_1.call_sid <> c.call_sid))
                   ORDER BY o_1.started_at DESC
                  LIMIT 10) o)) AS jsonb_build_object
    FROM call_logs c
   WHERE ((c.call_sid = missed_call_mail.p_call_sid) AND was_missed(c.*));
END

CREATE OR REPLACE FUNCTION public.missed_call_text(p_call_sid text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT jsonb_build_object('to', c.party, 'from', c.line, 'account_sid', s.subaccount_sid, 'text', t.text) AS jsonb_build_object
    FROM ((((call_logs c
      JOIN call_flow_versions v ON ((v.id = c.flow_version)))
      LEFT JOIN telephony_subaccounts s ON ((s.org_id = c.org_id)))
      CROSS JOIN LATERAL ( SELECT COALESCE(( SELECT (((v.steps -> 'nodes'::text) -> (e.value ->> 'node'::text)) ->> 'language'::text)
                    FROM (call_lifecycle l
                      CROSS JOIN LATERAL jsonb_array_elements(l.path) WITH ORDINALITY e(value, ordinality))
                   WHERE ((l.call_sid = c.call_sid) AND (((e.value ->> 'version'::text))::bigint = v.id) AND ((((v.steps -> 'nodes'::text) -> (e.value ->> 'node'::text)) ->> 'type'::text) = 'language'::text))
                   ORDER BY l.occurred_at DESC, l.id DESC, e.ordinality DESC
                  LIMIT 1), (v.definition #>> '{languages,0}'::text[])) AS language,
             (v.missed_call ->> 'sms'::text) AS name) n)
      CROSS JOIN LATERAL ( SELECT COALESCE((((v.definition -> 'prompts'::text) -> n.name) ->> n.language), (((v.definition -> 'prompts'::text) -> n.name) ->> (v.definition #>> '{languages,0}'::text[])),
                 CASE
                     WHEN (NOT ((v.definition -> 'prompts'::text) ? n.name)) THEN n.name
                     ELSE NULL::text
                 END) AS text) t)
   WHERE ((c.call_sid = missed_call_text.p_call_sid) AND was_missed(c.*) AND (t.text IS NOT NULL) AND (own_lines(ARRAY[(c.party)::text]) = '[]'::jsonb) AND (NOT (EXISTS ( SELECT
            FROM suppressions x
           WHERE (((x.e164)::text = (c.party)::text) AND (NOT (x.org_id IS DISTINCT FROM c.org_id)))))));
END

CREATE OR REPLACE FUNCTION public.my_membership()
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select jsonb_build_object(
      'org_id', nullif(w.owner, '00000000-0000-0000-0000-000000000000'), 'role', w.role,
      'member_id', m.id, 'name', m.name, 'business', s.business_name
    )
    from private.membership() as w
    left join public.members as m on m.user_id = auth.uid()
    left join public.telephony_subaccounts as s on s.org_id = w.owner
    where w.owner is not null
  );
end
$function$

CREATE OR REPLACE FUNCTION public.my_role()
 RETURNS member_role
 LANGUAGE sql
 STABLE
 SET search_path TO ''
RETURN (private.membership()).role

CREATE OR REPLACE FUNCTION public.names_number(p_query text, p_number text)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_digits constant text := regexp_replace(p_query, '[^0-9]', '', 'g');
begin
  return length(v_digits) >= 3 and (position(v_digits in p_number) > 0 or position(substr(p_number, 2) in v_digits) > 0);
end
$function$

CREATE OR REPLACE FUNCTION public.near_hits(p_owner uuid, p_conditions text, p_embedding real[], p_model text)
 RETURNS search_hit[]
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_hits public.search_hit[];
begin
  execute format(
    'select array_agg(row(d.kind, d.id, d.call_sid, d.at, 0)::public.search_hit order by n.distance, d.id)
     from public.nearest_documents($1, $2, $3, 60) as n join public.search_documents as d on d.id = n.document_id
     where true%s', p_conditions
  ) into v_hits using p_owner, p_model, p_embedding;
  return coalesce(v_hits, '{}');
end
$function$

CREATE OR REPLACE FUNCTION public.nearest_documents(p_owner uuid, p_model text, p_embedding real[], p_limit integer, p_exact integer DEFAULT 20000)
 RETURNS TABLE(document_id bigint, distance double precision)
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_few boolean;
begin
  if not public.has_vectors() then
    return;
  end if;
  v_few := p_owner is not null and (
    select count(*) from (
      select from public.search_embeddings as e where e.owner = p_owner and e.model = p_model limit p_exact + 1
    ) as first
  ) <= p_exact;
  -- Otherwise the index stops at 40 neighbours of all owners.
  perform set_config('hnsw.iterative_scan', 'strict_order', true);
  return query execute format(
    $sql$
      select n.document_id, n.distance from (
        select e.document_id, e.embedding::extensions.halfvec(384) operator(extensions.<=>) $1::extensions.halfvec(384) as distance
        from public.search_embeddings as e
        where e.model = $2 %s
        %s
      ) as n
      order by n.distance, n.document_id
      limit $3
    $sql$,
    case when p_owner is null then '' else 'and e.owner = $4' end,
    case when v_few then 'offset 0' else 'order by 2 limit $3' end
  ) using p_embedding, p_model, p_limit, p_owner;
end
$function$

CREATE OR REPLACE FUNCTION public.next_node(p_steps jsonb, p_node text, p_outcome text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.number_hash(p_e164 text)
 RETURNS bytea
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
RETURN sha256(convert_to(('number '::text || p_e164), 'UTF8'::name))

CREATE OR REPLACE FUNCTION public.onboarding_due_in(p_id uuid)
 RETURNS integer
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT (GREATEST((5)::numeric, ceil(EXTRACT(epoch FROM (j.run_at - now())))))::integer AS "greatest"
    FROM jobs j
   WHERE ((j.kind = 'onboarding'::text) AND (j.key = (onboarding_due_in.p_id)::text));
END

CREATE OR REPLACE FUNCTION public.onboarding_work(t telephony_transactions)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select jsonb_build_object(
    'id', t.id, 'type', t.transaction_type, 'org_id', t.org_id, 'request', t.request,
    'steps', t.steps_completed,
    'undoing', t.undoing, 'error', t.error_message, 'vault', public.has_vault(),
    'subaccount_sid', (
      select s.subaccount_sid from public.telephony_subaccounts as s
      where s.org_id = t.org_id and s.released_at is null
    )
  )
$function$

CREATE OR REPLACE FUNCTION public.only_stop_words(p_query text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
RETURN (EXISTS (SELECT FROM unnest(ARRAY['english'::text, 'french'::text, 'spanish'::text]) l(l) WHERE (NOT (EXISTS (SELECT FROM search_terms(only_stop_words.p_query) t(nth, alternative, negated, phrase, word) WHERE (t.negated OR (term_query(t.word, l.l) IS NOT NULL)))))))

CREATE OR REPLACE FUNCTION public.open_agent_session(p_session jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET lock_timeout TO '1s'
AS $function$
declare
  s public.agent_sessions := jsonb_populate_record(null::public.agent_sessions, p_session - 'caps');
  v_call record;
  v record;
  v_barred text;
begin
  select c.org_id, c.flow_version, c.line into v_call from public.call_logs as c where c.call_sid = s.call_sid;
  if not found and exists (select from public.erased_calls as x where x.call_hash = public.call_hash(s.call_sid)) then
    raise sqlstate 'PT403' using message = 'this call was erased';
  end if;
  if exists (select from public.agent_sessions as o where o.session_id = s.session_id and o.call_sid <> s.call_sid) then
    raise sqlstate 'PT403' using message = 'this session is another call''s';
  end if;
  s.line := coalesce(v_call.line, s.line);
  -- A call whose arrival could not be stored is its line's owner's, not the main account's.
  s.org_id := coalesce(v_call.org_id, (select n.org_id from public.telephony_numbers as n where n.e164_number = s.line));
  select
    count(*) as sessions, coalesce(sum(extract(epoch from coalesce(o.ended_at, o.seen_at) - o.opened_at) * 1000), 0)::bigint as spent_ms,
    coalesce(sum(o.cost_usd), 0) as cost_usd, (array_agg(o.outcome order by o.opened_at desc))[1] as last,
    (array_agg(o.reason order by o.opened_at desc))[1] as reason
  into v
  from public.agent_sessions as o where o.call_sid = s.call_sid and o.node = s.node and o.session_id <> s.session_id;
  if v.sessions = 0 then
    -- Talks that begin at the same time count each other.
    perform pg_advisory_xact_lock(hashtextextended('agent_sessions', 0));
    v_barred := public.agent_barred(s.line, p_session -> 'caps');
  end if;
  insert into public.agent_sessions (session_id, call_sid, org_id, line, flow_version, node, language)
  values (s.session_id, s.call_sid, s.org_id, s.line, v_call.flow_version, s.node, s.language)
  on conflict (session_id) do nothing;
  return jsonb_strip_nulls(jsonb_build_object(
    'entries', (
      select coalesce(jsonb_agg(e.entry order by e.id), '[]') from (
        select t.id, case t.kind
          when 'caller' then jsonb_build_object('role', 'caller', 'text', t.heard_text)
          when 'agent' then jsonb_build_object('role', 'agent', 'text', t.heard_text)
          when 'tool' then jsonb_build_object(
            'role', 'tool', 'result', t.tool_result,
            'call', jsonb_build_object('id', 'turn_' || t.id, 'name', t.tool, 'arguments', coalesce(t.tool_arguments, '{}')::text)
          )
        end as entry
        from public.agent_turns as t
        where t.call_sid = s.call_sid and t.node = s.node and (
          t.kind in ('caller', 'agent') and t.heard_text <> '' or t.kind = 'tool' and t.tool_result is not null
        )
        order by t.id desc limit 60
      ) as e
    ),
    'spent_ms', v.spent_ms, 'cost_usd', v.cost_usd, 'sessions', v.sessions, 'moved', v.last is not distinct from 'resume',
    -- What the caller said last is not answered yet.
    'owes', v.last is not distinct from 'resume' and v.reason is not distinct from 'moved_unanswered',
    'barred', v_barred,
    'resting', (select coalesce(jsonb_agg(p.provider), '[]') from public.agent_providers as p where p.rests_until > now())
  ));
end
$function$

CREATE OR REPLACE FUNCTION public.organisation_of(p_account_sid text)
 RETURNS uuid
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select coalesce(
    (select s.org_id from public.telephony_subaccounts as s where s.subaccount_sid = p_account_sid),
    (select r.org_id from public.running_onboardings() as r where r.account = p_account_sid limit 1)
  )
$function$

CREATE OR REPLACE FUNCTION public.owe_embedding(p_document search_documents)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select public.enqueue_job(
    'embedding', public.embedding_key(p_document), jsonb_strip_nulls(jsonb_build_object('call_sid', p_document.call_sid))
  )
$function$

CREATE OR REPLACE FUNCTION public.owe_embeddings(p_model text)
 RETURNS bigint
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  with owed as (
    select public.owe_embedding(d) from public.search_documents as d
    where not exists (
      select from public.search_embeddings as e where e.document_id = d.id and e.model = p_model
    )
  )
  select count(*) from owed
$function$

CREATE OR REPLACE FUNCTION public.owe_missed_call(c call_logs)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_missed jsonb;
  v_key text;
begin
  if c.connected_at is not null or c.recording_source = 'voicemail' or c.rate_limited or c.party is null or c.direction <> 'inbound'
    -- A late answer is worse than none.
    or c.ended_at < now() - interval '1 hour'
  then
    return;
  end if;
  select v.missed_call into v_missed from public.call_flow_versions as v where v.id = c.flow_version;
  v_key := encode(sha256(convert_to(format('%s %s %s', c.org_id, c.party, now()::date), 'UTF8')), 'hex');
  if v_missed ? 'sms' and public.came_callable(c)
    and not exists (select from public.jobs as j where j.kind = 'missed_call_sms' and j.key = v_key)
    -- Calls from forged numbers cost a text each.
    and public.take_rate_limit('missed_call_sms', 'called', c.line, 200, '1 day')
  then
    perform public.enqueue_job(
      'missed_call_sms', v_key, jsonb_build_object('call_sid', c.call_sid), now() + interval '1 minute'
    );
  end if;
  if (v_missed ->> 'mail')::boolean then
    perform public.enqueue_job(
      'mail_missed_call', 'missed/' || c.call_sid, jsonb_build_object('call_sid', c.call_sid), now() + interval '1 minute'
    );
  end if;
end
$function$

CREATE OR REPLACE FUNCTION public.owe_voicemail_mails(p_call_sid text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 SELECT enqueue_job('mail_voicemail'::text, format('voicemail/%s/%s'::text, r.call_sid, r.recording_sid), jsonb_build_object('call_sid', r.call_sid, 'recording_sid', r.recording_sid),
         CASE
             WHEN (r.transcript IS NOT NULL) THEN now()
             ELSE (LEAST(r.recorded_at, now()) +
             CASE
                 WHEN r.confirmed THEN '00:02:00'::interval
                 ELSE '00:15:00'::interval
             END)
         END) AS enqueue_job
    FROM recordings r
   WHERE ((r.call_sid = owe_voicemail_mails.p_call_sid) AND (r.source = 'voicemail'::text) AND (r.deleted_at IS NULL));
 DELETE FROM jobs j
    USING recordings r
   WHERE ((j.kind = 'mail_voicemail'::text) AND ((j.payload ->> 'call_sid'::text) = owe_voicemail_mails.p_call_sid) AND (j.status = 'waiting'::text) AND (r.call_sid = owe_voicemail_mails.p_call_sid) AND (r.recording_sid = (j.payload ->> 'recording_sid'::text)) AND (r.deleted_at IS NOT NULL));
END

CREATE OR REPLACE FUNCTION public.own_by_call()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  select c.org_id into new.org_id from public.call_logs as c where c.call_sid = new.call_sid;
  if not found then
    raise sqlstate 'PT404' using message = 'there is no such call';
  end if;
  return new;
end
$function$

CREATE OR REPLACE FUNCTION public.own_lines(p_numbers text[])
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select coalesce(jsonb_agg(o.line), '[]') from (
      select n.e164_number as line from public.telephony_numbers as n where n.e164_number = any (p_numbers)
      union all
      select l.line from public.lines as l where l.line = any (p_numbers) and l.org_id is null
    ) as o
  );
end
$function$

CREATE OR REPLACE FUNCTION public.passages(p_body text, p_start_ms integer, p_end_ms integer)
 RETURNS TABLE(part integer, body text, start_ms integer, end_ms integer)
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_length constant integer := length(p_body);
  v_span constant double precision := (p_end_ms - p_start_ms)::double precision / greatest(v_length, 1);
  v_from integer := 1;
begin
  part := 0;
  if v_length <= 3000 then
    body := p_body;
    start_ms := p_start_ms;
    end_ms := p_end_ms;
    return next;
    return;
  end if;
  loop
    body := substr(p_body, v_from, 3000);
    if v_from + 3000 <= v_length then
      -- Up to the last end of a sentence, else of a word.
      body := left(body, 1500) || coalesce(
        substring(right(body, 1500) from '^(.*[.!?\n])\s'), substring(right(body, 1500) from '^(.*)\s'), right(body, 1500)
      );
    end if;
    start_ms := p_start_ms + (v_span * (v_from - 1))::integer;
    end_ms := p_start_ms + (v_span * (v_from - 1 + length(body)))::integer;
    return next;
    v_from := v_from + length(body);
    exit when v_from > v_length;
    part := part + 1;
    v_from := v_from - coalesce(length(substring(right(body, 500) from '[.!?\n]\s+([^.!?\n]+[.!?\n]?)$')), 0);
  end loop;
end
$function$

CREATE OR REPLACE FUNCTION public.path_of_event(c call_logs, e voice_event, p_facts jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
  if e.ask ? 'line' then
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
$function$

CREATE OR REPLACE FUNCTION public.paths_counted(p_from timestamp with time zone, p_to timestamp with time zone)
 RETURNS TABLE(version_id bigint, node text, outcome text, calls bigint)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.person_at(p_org_id uuid, p_phone text, p_available boolean DEFAULT NULL::boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_person public.people;
begin
  select * into v_person from public.people as p
  where p.phone = p_phone and p.org_id is not distinct from p_org_id and p.verified_at is not null
  order by p.handle limit 1;
  if v_person.id is null then
    return null;
  elsif p_available is not null then
    update public.people as p set available = p_available, dnd_until = null where p.id = v_person.id
    returning * into v_person;
  end if;
  return jsonb_build_object(
    'handle', v_person.handle, 'name', v_person.name, 'available', v_person.available,
    'dnd_until', case when v_person.dnd_until > now() then v_person.dnd_until end
  );
end
$function$

CREATE OR REPLACE FUNCTION public.person_available(p people)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return p.verified_at is not null and p.available and coalesce(p.dnd_until <= now(), true)
    and (p.calendar is null or public.calendar_open(p.calendar, now()));
end
$function$

CREATE OR REPLACE FUNCTION public.phones_like(p_owner uuid, p_digits text[])
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET plan_cache_mode TO 'force_custom_plan'
AS $function$
declare
  -- The longest first: no index takes `like all`.
  v_parts constant text[] := array(select '%' || n || '%' from unnest(p_digits) as n order by length(n) desc);
begin
  return array(
    (
      select k.phone::text from public.contacts as k
      where k.owner = coalesce(p_owner, k.owner) and k.phone like v_parts[1] and k.phone like all (v_parts) limit 1000
    )
    union
    (
      select d.party from public.search_documents as d
      where d.owner = coalesce(p_owner, d.owner) and d.kind = 'message' and d.party like v_parts[1] and d.party like all (v_parts)
      limit 1000
    )
  );
end
$function$

CREATE OR REPLACE FUNCTION public.point_flow(p_flow_id bigint, p_version integer, p_by text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 INSERT INTO call_flow_pointers AS p (flow_id, version, moved_by)
   VALUES (point_flow.p_flow_id, point_flow.p_version, point_flow.p_by) ON CONFLICT(flow_id) DO UPDATE SET version = excluded.version, moved_by = excluded.moved_by, moved_at = clock_timestamp()
   WHERE (p.version <> excluded.version);
END

CREATE OR REPLACE FUNCTION public.promise_callback(c call_logs, p_version_id bigint, p_node text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
    coalesce(v.calendars -> (v.members ->> 'calendar'), jsonb_build_object('zone', v.zone, 'weekly', (
      -- Without hours of the group: by day.
      select jsonb_object_agg(d, '[["08:00", "21:00"]]'::jsonb) from unnest(array['mon','tue','wed','thu','fri','sat','sun']) as d
    ))),
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
$function$

CREATE OR REPLACE FUNCTION public.promise_open(k callbacks)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return public.calendar_states(jsonb_build_object('its', k.calendar)) ->> 'its' = 'open';
end
$function$

CREATE OR REPLACE FUNCTION public.publish_flow(p_org_id uuid, p_name text, p_definition jsonb, p_hash text, p_lines text[] DEFAULT '{}'::text[], p_note text DEFAULT NULL::text, p_by text DEFAULT NULL::text, p_disclosures jsonb DEFAULT '[]'::jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_flow_id bigint;
  v_current public.call_flow_versions;
  v_newest public.call_flow_versions;
  v_version public.call_flow_versions;
  v_uses jsonb;
  v_hash text := p_hash;
  v_fault text;
begin
  insert into public.call_flows (org_id, name) values (p_org_id, p_name) on conflict (org_id, name) do nothing;
  select f.id into v_flow_id from public.call_flows as f
  where f.org_id is not distinct from p_org_id and f.name = p_name for update;

  if not public.is_time_zone(p_definition ->> 'zone') then
    raise sqlstate 'PT400' using message = 'the zone must be one of the IANA time zones, such as America/Edmonton',
      detail = 'definition.zone';
  end if;
  select coalesce(jsonb_object_agg(u.name, u.version_id), '{}'),
    min(u.name) filter (where u.version_id is null or u.name = p_name)
  into v_uses, v_fault
  from public.flows_used(p_org_id, p_definition) as u;
  if v_fault is not null then
    raise sqlstate 'PT400' using detail = 'definition.nodes', message = case
      when v_fault = p_name then format('the flow "%s" leads back to itself', v_fault)
      else format('no flow "%s" of this owner is published', v_fault)
    end;
  end if;
  select min(l) into v_fault from unnest(p_lines) as l
  where exists (
      select from public.telephony_numbers as n where n.e164_number = l and n.org_id is distinct from p_org_id
    )
    or (p_org_id is not null and not exists (select from public.telephony_numbers as n where n.e164_number = l));
  if v_fault is not null then
    raise sqlstate 'PT400' using message = 'each line must be a number of the owner of this flow', detail = 'lines';
  end if;

  if v_uses <> '{}' then
    select encode(sha256(convert_to(
      p_hash || string_agg(format(' %s %s', v.hash, u.key), '' order by u.key collate "C"), 'UTF8'
    )), 'hex')
    into v_hash
    from jsonb_each_text(v_uses) as u join public.call_flow_versions as v on v.id = u.value::bigint;
  end if;

  select v.* into v_current from public.call_flow_versions as v
  where v.id = public.current_version(p_org_id, p_name);
  select v.* into v_newest from public.call_flow_versions as v
  where v.flow_id = v_flow_id order by v.version desc limit 1;
  if v_current.hash = v_hash then
    v_version := v_current;
  elsif v_newest.hash = v_hash then
    v_version := v_newest;
  else
    insert into public.call_flow_versions (
      flow_id, version, hash, definition, replaces, note, published_by, uses, calendars, handles, numbers, asks_returning,
      holds, agents, missed_call, steps
    )
    select
      v_flow_id, coalesce(v_newest.version, 0) + 1, v_hash, p_definition, v_current.version, p_note, p_by, v_uses,
      coalesce(jsonb_object_agg(own.name, own.calendar || jsonb_build_object(
        'flow', v_flow_id, 'calendar', own.name, 'zone', p_definition ->> 'zone'
      )) filter (where own.name is not null), '{}') || (
        select coalesce(jsonb_object_agg(f.name || '/' || c.key, c.value), '{}')
        from jsonb_each_text(v_uses) as u
        join public.call_flow_versions as v on v.id = u.value::bigint
        join public.call_flows as f on f.id = v.flow_id
        cross join lateral jsonb_each(v.calendars) as c
        -- Those of its own.
        where c.value ->> 'flow' = f.id::text
      ),
      array(select r from public.rung_by(p_definition) as r where r not like '+%' union
        select unnest(v.handles) from public.call_flow_versions as v
        where v.id in (select u.value::bigint from jsonb_each_text(v_uses) as u)),
      array(select r from public.rung_by(p_definition) as r where r like '+%' union
        select unnest(v.numbers) from public.call_flow_versions as v
        where v.id in (select u.value::bigint from jsonb_each_text(v_uses) as u)),
      jsonb_path_exists(p_definition, '$.nodes.*?(@.type == "match" && @.on == "returning")') or exists (
        select from public.call_flow_versions as v
        where v.asks_returning and v.id in (select u.value::bigint from jsonb_each_text(v_uses) as u)
      ),
      array(select g #>> '{}' from jsonb_path_query(p_definition, '$.nodes.*?(@.type == "queue").group') as g union
        select unnest(v.holds) from public.call_flow_versions as v
        where v.id in (select u.value::bigint from jsonb_each_text(v_uses) as u)),
      jsonb_path_exists(p_definition, '$.nodes.*?(@.type == "agent")') or exists (
        select from public.call_flow_versions as v
        where v.agents and v.id in (select u.value::bigint from jsonb_each_text(v_uses) as u)
      ),
      p_definition -> 'missed_call', public.steps_of(p_definition)
    from (select) as one
    left join jsonb_each(p_definition -> 'calendars') as own(name, calendar) on true
    returning * into v_version;
  end if;

  perform public.point_flow(v_flow_id, v_version.version, p_by);
  insert into public.lines as l (line, org_id, flow_id)
  select distinct each, p_org_id, v_flow_id from unnest(p_lines) as each order by each
  on conflict (line, org_id) do update set flow_id = excluded.flow_id;
  insert into public.disclosures (name, policy, key, language, words)
  select d.name, d.policy, d.key, d.language, d.words
  from jsonb_populate_recordset(null::public.disclosures, p_disclosures) as d
  on conflict (name) do nothing;
  update public.call_flows set draft = null, drafted_by = null, drafted_at = null
  where id = v_flow_id and draft = p_definition;

  return jsonb_build_object(
    'flow', p_name, 'version', v_version.version, 'hash', v_version.hash, 'lines', public.lines_of_flow(v_flow_id)
  );
end
$function$

CREATE OR REPLACE FUNCTION public.published_flows()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 WITH answering AS (
          SELECT s.subaccount_sid AS account,
             l.line,
             v.id,
             v.hash,
             v.uses
            FROM (((lines l
              JOIN call_flow_pointers p ON ((p.flow_id = l.flow_id)))
              JOIN call_flow_versions v ON (((v.flow_id = p.flow_id) AND (v.version = p.version))))
              LEFT JOIN telephony_subaccounts s ON ((s.org_id = l.org_id)))
         ), shipped AS (
          SELECT DISTINCT ON (i.account, v.hash) i.account,
             v.id
            FROM (( SELECT a.account,
                     a.id
                    FROM answering a
                 UNION
                  SELECT a.account,
                     (u.value)::bigint AS value
                    FROM (answering a
                      CROSS JOIN LATERAL jsonb_each_text(a.uses) u(key, value))) i
              JOIN call_flow_versions v ON ((v.id = i.id)))
           ORDER BY i.account, v.hash, v.id DESC
         )
  SELECT jsonb_build_object('lines', ( SELECT COALESCE(jsonb_agg(jsonb_build_object('account', a.account, 'line', a.line, 'hash', a.hash) ORDER BY a.account NULLS FIRST, a.line), '[]'::jsonb) AS "coalesce"
            FROM answering a), 'versions', ( SELECT COALESCE(jsonb_agg((flow_body(s.id) || jsonb_build_object('account', s.account)) ORDER BY s.account NULLS FIRST, s.id), '[]'::jsonb) AS "coalesce"
            FROM shipped s)) AS jsonb_build_object;
END

CREATE OR REPLACE FUNCTION public.purge_expired(p_batch integer DEFAULT 10000)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_purged constant jsonb := public.purge_personal_data(least(p_batch, 2000)) || public.purge_expired_rows(p_batch);
begin
  perform public.record_worker_run('voice-reconcile');
  perform public.forget_searches(p_batch);
  perform public.mend_dialling();
  perform public.erase_agent_words();
  perform public.mend_campaigns();
  perform public.roll_up_calls();
  perform public.count_paths();
  perform public.keep_call_months();
  return v_purged;
end
$function$

CREATE OR REPLACE FUNCTION public.purge_expired_rows(p_batch integer DEFAULT 1000)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_keys integer := public.purge_idempotency_keys(p_batch);
  v_jobs integer := public.purge_jobs(p_batch);
  v_windows integer;
  v_refusals integer;
  v_dialled integer;
begin
  -- An hour is longer than any window in use.
  delete from public.rate_limit_windows as w using (
    select endpoint, identifier_type, identifier from public.rate_limit_windows
    where coalesce(admitted_at[cardinality(admitted_at)], '-infinity') < now() - interval '1 hour'
    limit p_batch for update skip locked
  ) as old
  where (w.endpoint, w.identifier_type, w.identifier) = (old.endpoint, old.identifier_type, old.identifier);
  get diagnostics v_windows = row_count;

  delete from public.rate_limit_refusals as r using (
    select endpoint, identifier_type, identifier, minute from public.rate_limit_refusals
    where minute < now() - interval '7 days'
    order by minute limit p_batch for update skip locked
  ) as old
  where (r.endpoint, r.identifier_type, r.identifier, r.minute)
    = (old.endpoint, old.identifier_type, old.identifier, old.minute);
  get diagnostics v_refusals = row_count;

  -- A call that was open then is over, and has been counted.
  delete from public.dialled_time as d using (
    select line, day from public.dialled_time
    where day < (now() at time zone 'UTC')::date - 90
    limit p_batch for update skip locked
  ) as old
  where (d.line, d.day) = (old.line, old.day);
  get diagnostics v_dialled = row_count;

  return jsonb_build_object(
    'idempotency_keys', v_keys, 'jobs', v_jobs, 'rate_limit_windows', v_windows,
    'rate_limit_refusals', v_refusals,
    'dialled_time', v_dialled
  );
end
$function$

CREATE OR REPLACE FUNCTION public.purge_idempotency_keys(p_batch integer DEFAULT 1000)
 RETURNS integer
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  with doomed as (
    select k.key from public.idempotency_keys as k
    where k.expires_at < now()
    order by k.expires_at
    limit p_batch
    for update skip locked
  ), gone as (
    delete from public.idempotency_keys as k using doomed where k.key = doomed.key returning 1
  )
  select count(*)::integer from gone
$function$

CREATE OR REPLACE FUNCTION public.purge_jobs(p_batch integer DEFAULT 1000)
 RETURNS integer
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  with doomed as (
    select old.id from public.job_kinds as k
    cross join lateral (
      select j.id from public.jobs as j
      where j.kind = k.kind and j.status = 'done' and j.ended_at < now() - k.keep
      order by j.ended_at limit p_batch for update skip locked
    ) as old
  ), gone as (
    delete from public.jobs as j using doomed where j.id = doomed.id returning 1
  )
  select count(*)::integer from gone
$function$

CREATE OR REPLACE FUNCTION public.purge_monitoring(p_batch integer DEFAULT 1000)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 DELETE FROM function_metrics m
    USING ( SELECT function_metrics.minute,
             function_metrics.function
            FROM function_metrics
           WHERE (function_metrics.minute < (now() - '30 days'::interval))
           ORDER BY function_metrics.minute
          LIMIT purge_monitoring.p_batch
          FOR UPDATE OF function_metrics SKIP LOCKED) old
   WHERE ((m.minute = old.minute) AND (m.function = old.function));
 DELETE FROM health_checks h
    USING ( SELECT health_checks.checked_at
            FROM health_checks
           WHERE (health_checks.checked_at < (now() - '7 days'::interval))
           ORDER BY health_checks.checked_at
          LIMIT purge_monitoring.p_batch
          FOR UPDATE OF health_checks SKIP LOCKED) old
   WHERE (h.checked_at = old.checked_at);
 DELETE FROM alert_episodes e
    USING ( SELECT alert_episodes.id
            FROM alert_episodes
           WHERE (alert_episodes.closed_at < (now() - '365 days'::interval))
           ORDER BY alert_episodes.id
          LIMIT purge_monitoring.p_batch
          FOR UPDATE OF alert_episodes SKIP LOCKED) old
   WHERE (e.id = old.id);
END

CREATE OR REPLACE FUNCTION public.purge_personal_data(p_batch integer DEFAULT 500)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_table record;
  v_count integer;
  v_purged jsonb := public.erase(
    -- A locked row has an event in progress; the next run erases it.
    array(
      select c.call_sid from public.call_logs as c
      where c.call_sid in (select public.expired_calls(p_batch))
      for update skip locked
    ),
    array(
      select m.id from public.contact_messages as m
      where m.created_at < now() - make_interval(days => (
        select days from public.retention_rules where subject = 'contact_messages'
      ))
      order by m.created_at limit p_batch for update skip locked
    )
  );
begin
  for v_table in
    select p.table_name, p.expired, now() - make_interval(days => r.days) as before
    from public.personal_data as p join public.retention_rules as r on r.subject = p.rule
    where p.expired is not null
  loop
    execute format(
      'delete from public.%1$I where ctid = any (array(
        select t.ctid from public.%1$I as t where %2$s limit $2 for update skip locked
      ))',
      v_table.table_name, v_table.expired
    ) using v_table.before, p_batch;
    get diagnostics v_count = row_count;
    v_purged := v_purged || jsonb_build_object(
      v_table.table_name, coalesce((v_purged ->> v_table.table_name)::integer, 0) + v_count
    );
  end loop;
  return v_purged;
end
$function$

CREATE OR REPLACE FUNCTION public.queue_content(p_call_sid text)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT jsonb_build_object('account_sid', s.subaccount_sid, 'call_sid', e.call_sid, 'org_id', e.org_id, 'queue', e.queue, 'queued_at', e.queued_at) AS jsonb_build_object
    FROM (queue_entries e
      LEFT JOIN telephony_subaccounts s ON ((s.org_id = e.org_id)))
   WHERE ((e.call_sid = queue_content.p_call_sid) AND (e.left_at IS NULL) AND (e.connected_at IS NULL) AND (e.seen_at < (now() - '00:02:00'::interval)));
END

CREATE OR REPLACE FUNCTION public.queue_is_full(p_owner uuid, p_queue text)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.queue_told(p_call_sid text, p_state text)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.rate_limits_retry_after(p_endpoint text, p_limits jsonb)
 RETURNS integer
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  select coalesce(max((
    select greatest(1, ceil(extract(epoch from t + make_interval(secs => l.window_sec) - clock_timestamp())))::integer
    from public.rate_limit_windows as w, unnest(w.admitted_at) as t
    where w.endpoint = p_endpoint and w.identifier_type = l.identifier_type and w.identifier = l.identifier
      and t > clock_timestamp() - make_interval(secs => l.window_sec)
    order by t desc
    offset l.max - 1 limit 1
  )), 0)
  from jsonb_to_recordset(p_limits) as l(identifier_type text, identifier text, max integer, window_sec integer)
$function$

CREATE OR REPLACE FUNCTION public.rebuild_search_documents()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_wrong integer;
begin
  with wrong as (select * from public.search_differences()), gone as (
    delete from public.search_documents as d using wrong as w where (d.kind, d.ref, d.part) = (w.kind, w.ref, w.part)
  )
  select count(*) into v_wrong from wrong;
  perform public.store_passages(array(
    select p from public.search_passages as p
    where not exists (select from public.search_documents as d where (d.kind, d.ref, d.part) = (p.kind, p.ref, p.part))
  ));
  delete from public.search_words as k where not public.is_said(k.owner, k.word);
  return v_wrong;
end
$function$

CREATE OR REPLACE FUNCTION public.reconsider_promises(p_flow_id bigint, p_calendar text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.callbacks as k set due_at = now()
  where k.state = 'open' and not k.ready and k.due_at > now() + case when k.tries > 0 then interval '1 hour' else interval '0' end
    and (k.calendar ->> 'flow')::bigint = p_flow_id and k.calendar ->> 'calendar' = p_calendar;
end
$function$

CREATE OR REPLACE FUNCTION public.record_agent_turns(p_session_id text, p_turns jsonb, p_end jsonb DEFAULT NULL::jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET lock_timeout TO '1s'
AS $function$
declare
  s public.agent_sessions;
  v record;
begin
  select * into s from public.agent_sessions as o where o.session_id = p_session_id for no key update;
  -- Erased meanwhile.
  if not found then
    return;
  end if;
  for v in
    with added as (
      insert into public.agent_turns (
        session_id, seq, call_sid, org_id, at, kind, flow_version, node, language, planned_text, heard_text, tool, tool_arguments,
        tool_result, model, first_token_ms, total_ms, tokens_in, tokens_out, cost_usd, outcome, reason
      )
      select
        s.session_id, t.seq, s.call_sid, s.org_id, coalesce(t.at, now()), t.kind, s.flow_version, s.node, s.language, t.planned_text,
        t.heard_text, t.tool, t.tool_arguments, t.tool_result, t.model, t.first_token_ms, t.total_ms, t.tokens_in, t.tokens_out,
        t.cost_usd, t.outcome, t.reason
      from jsonb_populate_recordset(null::public.agent_turns, p_turns) as t
      order by t.seq
      on conflict (session_id, seq) do nothing
      returning *
    )
    select a.provider, sum(a.cost_usd) as cost,
      count(*) filter (where a.kind = 'failure') as failed, count(*) filter (where a.kind = 'agent') as answered
    from added as a where a.provider is not null group by a.provider order by a.provider
  loop
    s.cost_usd := s.cost_usd + coalesce(v.cost, 0);
    if v.failed + v.answered > 0 and v.provider <> 'embedded' then
      insert into public.agent_providers as p (provider, failures, failed_at, answered_at)
      values (
        v.provider, case when v.answered > 0 then 0 else v.failed end,
        case when v.failed > 0 then now() end, case when v.answered > 0 then now() end
      )
      on conflict (provider) do update set
        failures = case when v.answered > 0 then 0 else p.failures + v.failed end,
        failed_at = coalesce(excluded.failed_at, p.failed_at),
        answered_at = coalesce(excluded.answered_at, p.answered_at),
        rests_until = case when v.answered = 0 and p.failures + v.failed >= 5 then now() + interval '1 minute' end;
    end if;
  end loop;
  update public.agent_sessions as o set
    seen_at = clock_timestamp(), cost_usd = s.cost_usd,
    ended_at = coalesce(o.ended_at, case when p_end is not null then clock_timestamp() end),
    outcome = coalesce(o.outcome, p_end ->> 'outcome'),
    reason = coalesce(o.reason, p_end ->> 'reason')
  where o.session_id = p_session_id;
  perform public.index_source('call', null, s.call_sid);
end
$function$

CREATE OR REPLACE FUNCTION public.record_analytics_event(p_event_type text, p_severity text, p_event_data jsonb DEFAULT '{}'::jsonb)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 INSERT INTO analytics_events (event_type, severity, event_data)
   VALUES (record_analytics_event.p_event_type, record_analytics_event.p_severity, record_analytics_event.p_event_data);
END

CREATE OR REPLACE FUNCTION public.record_function_metrics(p_batch jsonb, p_key uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET lock_timeout TO '3s'
AS $function$
begin
  insert into public.idempotency_keys (key, operation, request_hash, status, result, expires_at)
  values (
    'function-metrics/' || p_key, 'function-metrics', sha256(convert_to(p_batch::text, 'UTF8')), 'completed', '{}',
    now() + interval '1 day'
  )
  on conflict (key) do nothing;
  if not found then
    return;
  end if;

  -- In a fixed order, so that two isolates cannot deadlock.
  insert into public.function_metrics as m
  select * from jsonb_populate_recordset(null::public.function_metrics, p_batch) as b
  order by b.minute, b.function
  on conflict (minute, function) do update set
    requests = m.requests + excluded.requests,
    errors = m.errors + excluded.errors,
    database_failures = m.database_failures + excluded.database_failures,
    refused = m.refused + excluded.refused,
    total_ms = m.total_ms + excluded.total_ms,
    database_ms = m.database_ms + excluded.database_ms,
    max_ms = greatest(m.max_ms, excluded.max_ms),
    le_50 = m.le_50 + excluded.le_50, le_100 = m.le_100 + excluded.le_100,
    le_250 = m.le_250 + excluded.le_250, le_500 = m.le_500 + excluded.le_500,
    le_1000 = m.le_1000 + excluded.le_1000, le_2000 = m.le_2000 + excluded.le_2000,
    le_5000 = m.le_5000 + excluded.le_5000;

  insert into public.function_totals as t
  select
    b.function, sum(b.requests), sum(b.errors), sum(b.database_failures), sum(b.refused), sum(b.total_ms),
    sum(b.le_50), sum(b.le_100), sum(b.le_250), sum(b.le_500), sum(b.le_1000), sum(b.le_2000), sum(b.le_5000)
  from jsonb_populate_recordset(null::public.function_metrics, p_batch) as b
  group by b.function order by b.function
  on conflict (function) do update set
    requests = t.requests + excluded.requests,
    errors = t.errors + excluded.errors,
    database_failures = t.database_failures + excluded.database_failures,
    refused = t.refused + excluded.refused,
    total_ms = t.total_ms + excluded.total_ms,
    le_50 = t.le_50 + excluded.le_50, le_100 = t.le_100 + excluded.le_100,
    le_250 = t.le_250 + excluded.le_250, le_500 = t.le_500 + excluded.le_500,
    le_1000 = t.le_1000 + excluded.le_1000, le_2000 = t.le_2000 + excluded.le_2000,
    le_5000 = t.le_5000 + excluded.le_5000;
end
$function$

CREATE OR REPLACE FUNCTION public.record_rate_limit_refusal(p_endpoint text, p_identifier_type text, p_identifier text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 INSERT INTO rate_limit_refusals AS r (endpoint, identifier_type, identifier, minute, last_violation)
   VALUES (record_rate_limit_refusal.p_endpoint, record_rate_limit_refusal.p_identifier_type, record_rate_limit_refusal.p_identifier, date_trunc('minute'::text, clock_timestamp()), clock_timestamp()) ON CONFLICT(endpoint, identifier_type, identifier, minute) DO UPDATE SET refusals = (r.refusals + 1), last_violation = excluded.last_violation;
END

CREATE OR REPLACE FUNCTION public.record_worker_run(p_worker text, p_ok boolean DEFAULT true)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 INSERT INTO worker_runs AS w (worker, last_run_at, last_ok_at, failures)
   VALUES (record_worker_run.p_worker, clock_timestamp(),
         CASE
             WHEN record_worker_run.p_ok THEN clock_timestamp()
             ELSE NULL::timestamp with time zone
         END, ((NOT record_worker_run.p_ok))::integer) ON CONFLICT(worker) DO UPDATE SET last_run_at = excluded.last_run_at, last_ok_at = COALESCE(excluded.last_ok_at, w.last_ok_at), runs = (w.runs + 1), failures = (w.failures + excluded.failures);
END

CREATE OR REPLACE FUNCTION public.recording_url(p_call_sid text, p_recording_sid text, p_claims jsonb DEFAULT NULL::jsonb)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select r.url from public.recordings as r join public.call_logs as c on c.call_sid = r.call_sid
  where r.call_sid = p_call_sid and r.recording_sid = p_recording_sid and r.deleted_at is null
    and case when p_claims is null then r.source = 'voicemail'
      else coalesce(c.org_id, '00000000-0000-0000-0000-000000000000') = (private.membership_of(p_claims)).owner end
$function$

CREATE OR REPLACE FUNCTION public.renew_job(p_id bigint, p_lease uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.jobs as j set run_at = now() + k.lease
  from public.job_kinds as k
  where j.id = p_id and j.lease = p_lease and k.kind = j.kind;
  return found;
end
$function$

CREATE OR REPLACE FUNCTION public.reserve_campaign_dials(p_campaign_id uuid, p_most integer, p_horizon interval DEFAULT '00:00:10'::interval)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  c public.campaigns;
  r public.dial_rates;
  v_now timestamptz;
  -- A slot is a little longer than the rate asks for, as requests do not arrive at even distances.
  v_slot_sec numeric;
  v_most integer;
  v_mine bigint[];
  v_first bigint;
  v_slot bigint;
  v_slots bigint[] := '{}';
  v_per_second integer;
  v_apart numeric;
  v_lines text[];
  v_dials jsonb;
  v_stale jsonb;
begin
  select * into c from public.campaigns as t where t.id = p_campaign_id;
  if c.state is distinct from 'running' then
    return jsonb_build_object('state', c.state, 'dials', jsonb '[]', 'stale', jsonb '[]');
  end if;
  select jsonb_agg(jsonb_build_object('area', a.id, 'rules', a.rules, 'region', a.region, 'zones', a.zones)) into v_stale
  from public.campaign_areas as a
  where a.campaign_id = c.id and coalesce(a.closes_at <= now() + interval '1 minute', true)
    and exists (select from public.campaign_contacts as k where k.area_id = a.id and k.due_at is not null);

  insert into public.dial_rates (owner) values (c.owner) on conflict do nothing;
  select * into r from public.dial_rates as t where t.owner = c.owner for update;
  v_now := clock_timestamp();
  v_slot_sec := 1.04 / r.per_second;
  v_most := least(p_most, c.max_concurrent - (
    select count(*) from public.dial_attempts as a where a.campaign_id = c.id and a.ended_at is null
  ));
  v_first := ceil(extract(epoch from greatest(v_now + interval '50 milliseconds', r.not_before)) / v_slot_sec);

  -- The campaign's own rate: so many in any second, or one in so many seconds.
  v_per_second := greatest(1, floor(c.calls_per_second));
  v_apart := greatest(1, 1 / c.calls_per_second) / v_slot_sec;
  v_mine := array(
    select a.slot from public.dial_attempts as a
    where a.owner = c.owner and a.campaign_id = c.id and a.slot > v_first - ceil(v_apart) order by a.slot
  );
  if v_most > 0 then
    for v_slot in
      select s from generate_series(
        greatest(v_first, v_mine[cardinality(v_mine)] + 1),
        floor(extract(epoch from v_now + p_horizon) / v_slot_sec)::bigint
      ) as s
      where not exists (select from public.dial_attempts as a where a.owner = c.owner and a.slot = s)
      order by s
    loop
      if cardinality(v_mine) < v_per_second or v_slot - v_mine[cardinality(v_mine) - v_per_second + 1] >= v_apart then
        v_slots := v_slots || v_slot;
        v_mine := v_mine || v_slot;
        exit when cardinality(v_slots) >= v_most;
      end if;
    end loop;
  end if;
  v_most := cardinality(v_slots);
  v_lines := array(
    select l.line from public.campaign_lines as l
    where l.campaign_id = c.id and coalesce(l.rests_until <= now(), true)
      and (l.day <> current_date or l.dialled + v_most <= l.per_day)
    order by l.dialled, l.line
  );
  if v_most = 0 or cardinality(v_lines) = 0 then
    return jsonb_build_object('state', c.state, 'dials', jsonb '[]', 'stale', coalesce(v_stale, '[]'));
  end if;

  with open as materialized (
    select a.id from public.campaign_areas as a
    -- Twilio may let a call wait for a moment.
    where a.campaign_id = c.id and a.opens_at <= now() and a.closes_at > v_now + p_horizon + interval '1 minute'
    order by a.closes_at
  ),
  picked as materialized (
    select k.* from open as a cross join lateral (
      select k.id, k.e164 from public.campaign_contacts as k
      where k.area_id = a.id and k.due_at <= now()
      order by k.due_at, k.id limit v_most for update skip locked
    ) as k
    limit v_most
  ),
  looked_at as materialized (
    select
      p.*,
      exists (select from public.suppressions as s where s.e164 = p.e164 and s.org_id is not distinct from c.org_id) as stopped,
      capped.until
    from picked as p
    cross join lateral (
      -- Over all campaigns of the owner.
      select greatest(
        d.at[(c.attempts ->> 'per_day')::integer] + interval '1 day', d.at[(c.attempts ->> 'per_week')::integer] + interval '7 days'
      ) as until
      from (
        select array_agg(a.dialled_at order by a.dialled_at desc) as at from public.dial_attempts as a
        where a.owner = c.owner and a.to_e164 = p.e164 and a.purpose = 'campaign' and a.dialled_at > now() - interval '7 days'
      ) as d
    ) as capped
  ),
  turns as (
    select l.id, l.e164, row_number() over (order by l.id)::integer as turn
    from looked_at as l where not l.stopped and coalesce(l.until <= now(), true)
  ),
  made as (
    insert into public.dial_attempts (purpose, org_id, campaign_id, contact_id, to_e164, line, seconds, slot, send_at)
    select
      'campaign', c.org_id, c.id, t.id, t.e164,
      -- A number of the called area code, where there is one.
      case when cardinality(near.lines) > 0 then near.lines[1 + t.turn % cardinality(near.lines)]
        else v_lines[1 + t.turn % cardinality(v_lines)] end,
      c.ring_seconds, v_slots[t.turn], to_timestamp(v_slots[t.turn] * v_slot_sec)
    from turns as t
    cross join lateral (
      select array(select l from unnest(v_lines) as l where left(l, 5) = left(t.e164, 5) and l like '+1%') as lines
    ) as near
    on conflict do nothing
    returning contact_id, token, to_e164, line, seconds, send_at
  ),
  kept as (
    update public.campaign_contacts as k set
      state = case when l.stopped then 'suppressed' else k.state end,
      due_at = case
        when l.stopped or m.token is not null then null
        when l.until > now() then l.until
        -- The telephone rings for another call.
        else now() + interval '5 minutes'
      end
    from looked_at as l left join made as m on m.contact_id = l.id
    where k.id = l.id
  ),
  counted as (
    update public.campaign_lines as l set
      dialled = case when l.day = current_date then l.dialled else 0 end + m.dials, day = current_date
    from (select m.line, count(*) as dials from made as m group by 1) as m
    where l.campaign_id = c.id and l.line = m.line
  )
  select jsonb_agg(
    jsonb_build_object(
      'token', m.token, 'to', m.to_e164, 'line', m.line, 'seconds', m.seconds,
      'send_in_ms', ceil(extract(epoch from m.send_at - v_now) * 1000)
    ) order by m.send_at
  ) into v_dials from made as m;
  return jsonb_build_object('state', c.state, 'dials', coalesce(v_dials, '[]'), 'stale', coalesce(v_stale, '[]'));
end
$function$

CREATE OR REPLACE FUNCTION public.retry_dead_jobs(p_id bigint DEFAULT NULL::bigint, p_kind text DEFAULT NULL::text)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_count integer;
begin
  update public.jobs as j
  set status = 'waiting', ended_at = null, attempts = 0, run_at = now(), created_at = now(), uncertain_since = null
  where j.status = 'dead' and j.id = coalesce(p_id, j.id) and j.kind = coalesce(p_kind, j.kind);
  get diagnostics v_count = row_count;
  return v_count;
end
$function$

CREATE OR REPLACE FUNCTION public.return_transfer(p_org_id uuid, p_queue text)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  update public.queue_entries as e set members = array[e.returns_to::text], returned_at = now()
  where e.call_sid = p_queue and e.left_at is null and e.taken_at is null and e.returns_to is not null and e.returned_at is null
    and not exists (
      select from public.dial_attempts as a where a.owner = e.owner and a.queue = e.queue and a.ended_at is null
    );
  return case when found then public.dispatch_queue(p_org_id, p_queue) else 0 end;
end
$function$

CREATE OR REPLACE FUNCTION public.roll_up_calls(p_hours integer DEFAULT 24)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.rollback_flow(p_org_id uuid, p_name text, p_version integer DEFAULT NULL::integer, p_by text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_flow_id bigint;
  v_version public.call_flow_versions;
begin
  select f.id into v_flow_id from public.call_flows as f
  where f.org_id is not distinct from p_org_id and f.name = p_name for update;
  select v.* into v_version from public.call_flow_versions as v
  where v.flow_id = v_flow_id and v.version = coalesce(p_version, (
    select c.replaces from public.call_flow_versions as c where c.id = public.current_version(p_org_id, p_name)
  ));
  if v_version.id is null then
    raise sqlstate 'PT404' using message = case
      when public.current_version(p_org_id, p_name) is null then format('no flow "%s" is published', p_name)
      when p_version is null then format('the flow "%s" has no version before the one that answers', p_name)
      else format('the flow "%s" has no version %s', p_name, p_version)
    end;
  end if;
  perform public.point_flow(v_flow_id, v_version.version, p_by);
  return jsonb_build_object(
    'flow', p_name, 'version', v_version.version, 'hash', v_version.hash, 'lines', public.lines_of_flow(v_flow_id)
  );
end
$function$

CREATE OR REPLACE FUNCTION public.run_alerts(p_healthy boolean, p_failing text[], p_channels text[], p_refused_calls integer DEFAULT NULL::integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_changed jsonb;
begin
  if p_healthy is not null then
    insert into public.health_checks (healthy, failing, refused_calls)
    values (p_healthy, coalesce(p_failing, '{}'), p_refused_calls)
    on conflict do nothing;
  end if;
  select coalesce(jsonb_agg(to_jsonb(c)), '[]') into v_changed from public.evaluate_alerts(p_channels) as c;
  perform public.purge_monitoring(1000);
  return jsonb_build_object(
    'changed', v_changed,
    'firing', (select count(*) from public.alert_episodes where closed_at is null)
  );
end
$function$

CREATE OR REPLACE FUNCTION public.run_search(p_owner uuid, p_user uuid, p_query text, p_filters jsonb, p_limit integer, p_cursor text, p_embedding real[], p_model text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_began constant timestamptz := clock_timestamp();
  v_deadline constant timestamptz := v_began + interval '300 ms';
  v_query constant text := nullif(btrim(left(p_query, 4000)), '');
  v_cursor jsonb;
  v_now timestamptz := date_trunc('milliseconds', now());
  v_batch record;
  v_results jsonb;
  v_last jsonb;
  v_count integer;
  v_next jsonb;
  -- Where the page before ended.
  v_score real;
  v_at timestamptz;
  -- What is searched for; `contact`, `corrected`, or `filters` where all words are stop words.
  v_meant text;
  v_match text;
  v_queries tsquery[];
  v_way text;
  -- The time until which snippets are marked.
  v_marked timestamptz;
begin
  if p_limit not between 1 and 100 then
    raise sqlstate 'PT400' using message = 'the limit must be from 1 to 100', detail = 'limit';
  end if;
  if p_cursor is not null then
    begin
      v_cursor := convert_from(decode(translate(p_cursor, '-_', '+/'), 'base64'), 'UTF8')::jsonb;
      v_now := public.from_micros(v_cursor ->> 'n');
      v_score := v_cursor ->> 's';
      v_at := public.from_micros(v_cursor ->> 'a');
      perform public.from_micros(v_cursor #>> '{d,0}'), (v_cursor #>> '{d,1}')::bigint, public.from_micros(v_cursor #>> '{c,0}'),
        1 / (v_now is not null)::integer;
    exception
      when data_exception then
        raise sqlstate 'PT400' using message = 'the cursor must be the next_cursor of an answer', detail = 'cursor';
    end;
    v_way := v_cursor ->> 'w';
  end if;

  loop
    v_meant := case v_way when 'corrected' then public.correct_query(p_owner, v_query) when 'filters' then null else v_query end;
    v_queries := public.search_queries(v_meant);
    v_match := case v_way when 'contact' then public.contact_match(p_owner, v_query) end;
    v_batch := public.search_batch(
      p_owner, v_meant, v_queries, p_filters, v_now, v_cursor, v_deadline, p_embedding, p_model, v_match
    );
    exit when v_batch.hits <> '{}' or v_batch.partial or v_query is null or v_cursor is not null or v_way = 'filters';
    v_way := case
      when v_way = 'corrected' then null
      when v_way is null and public.only_stop_words(v_query) then 'filters'
      when v_way is null and public.contact_match(p_owner, v_query) is not null then 'contact'
      when public.correct_query(p_owner, v_query) is not null then 'corrected'
    end;
    exit when v_way is null;
  end loop;

  v_marked := greatest(v_deadline, clock_timestamp() + interval '50 ms');
  with page as (
    select h.*, row_number() over (order by h.score desc, h.at desc, coalesce(h.id::text, h.call_sid)) as place
    from unnest(v_batch.hits) as h
    where v_score is null or (h.score, h.at, v_cursor ->> 'k') < (v_score, v_at, coalesce(h.id::text, h.call_sid))
    order by place
    limit p_limit + 1
  )
  select
    coalesce(jsonb_agg(jsonb_build_object(
      'kind', p.kind, 'call_sid', p.call_sid, 'org_id', case when d.id is null then c.org_id else d.org_id end, 'ref', d.ref,
      'at', p.at, 'title', coalesce(d.title, k.name, d.party, c.party, ''),
      'snippet', coalesce(
        s.snippet, public.escape_html(concat_ws(', ', c.party, nullif(c.mode, c.disposition), c.disposition))
      ), 'start_sec', s.start_sec,
      'score', round(p.score::numeric, 6)
    ) order by p.place) filter (
      -- Without what was erased, or went to another owner, since it was found.
      where p.place <= p_limit and case when p.id is null then c.call_sid is not null else d.id is not null end
    ), '[]'),
    count(*), (array_agg(
      jsonb_build_object('s', p.score, 'a', public.to_micros(p.at), 'k', coalesce(p.id::text, p.call_sid)) order by p.place
    ))[p_limit]
  into v_results, v_count, v_last
  from page as p
  -- `offset 0`: one look-up a row of the page, whatever the planner makes of their number.
  left join lateral (select * from public.search_documents as o where o.id = p.id offset 0) as d on true
  left join lateral (
    select * from public.call_logs as o
    where o.call_sid = p.call_sid
      and (p_owner is null or coalesce(o.org_id, '00000000-0000-0000-0000-000000000000') = p_owner)
    offset 0
  ) as c on true
  left join lateral (
    select o.name from public.contacts as o
    where o.owner = coalesce(c.org_id, d.org_id, '00000000-0000-0000-0000-000000000000') and o.phone = coalesce(d.party, c.party)
    offset 0
  ) as k on true
  left join lateral public.search_snippet(
    d.body, d.lang, v_queries[case d.lang when 'english' then 1 when 'french' then 2 else 3 end], d.start_ms, d.end_ms, v_marked
  ) as s on d.id is not null;

  if v_count > p_limit then
    -- The same batch goes on.
    v_next := coalesce(v_cursor, '{}') || v_last;
  elsif v_batch.after <> '{"c": false, "d": false}' then
    v_next := v_batch.after;
  end if;
  v_next := v_next || jsonb_build_object('n', public.to_micros(v_now), 'w', v_way);

  if p_cursor is null and (v_query is not null or p_filters <> '{}') then
    insert into public.search_history (org_id, user_id, words, filters, hits, milliseconds, partial, corrected)
    values (
      nullif(p_owner, '00000000-0000-0000-0000-000000000000'), p_user, left(v_query, 1000),
      array(select jsonb_object_keys(p_filters)), least(cardinality(v_batch.hits), 1000),
      extract(epoch from clock_timestamp() - v_began) * 1000, v_batch.partial, v_way is not null and v_way = 'corrected'
    );
  end if;
  return jsonb_build_object(
    'results', v_results, 'facets', public.search_facets(v_batch.hits),
    'correction', case v_way when 'corrected' then v_meant end,
    'next_cursor', translate(encode(convert_to(v_next::text, 'UTF8'), 'base64'), e'+/\n', '-_'),
    'partial', v_batch.partial, 'meaning', p_embedding is not null and v_query is not null and public.has_vectors()
  );
end
$function$

CREATE OR REPLACE FUNCTION public.rung_by(p_definition jsonb)
 RETURNS SETOF text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT (m.m #>> '{}'::text[])
    FROM jsonb_path_query(rung_by.p_definition, '$."groups".*."members"[*]'::jsonpath) m(m)
 UNION
  SELECT (m.m #>> '{}'::text[])
    FROM jsonb_path_query(rung_by.p_definition, '$."nodes".*?(@."type" == "ring")."to"'::jsonpath) m(m);
END

CREATE OR REPLACE FUNCTION public.running_campaigns()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT COALESCE(jsonb_agg(jsonb_build_object('id', c.id, 'account_sid', s.subaccount_sid, 'org_id', c.org_id, 'mode', c.mode, 'machine', c.machine, 'calls_per_second', c.calls_per_second, 'window', c.window_hours) ORDER BY c.started_at, c.id), '[]'::jsonb) AS "coalesce"
    FROM (campaigns c
      LEFT JOIN telephony_subaccounts s ON ((s.org_id = c.org_id)))
   WHERE (c.state = 'running'::text);
END

CREATE OR REPLACE FUNCTION public.running_onboardings()
 RETURNS TABLE(org_id uuid, account text, sealed_token text, number text, business_name text)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select
    t.org_id, s.account ->> 'subaccount_sid', s.account ->> 'sealed_token', s.number ->> 'number',
    t.request ->> 'business_name'
  from public.telephony_transactions as t
  cross join lateral (
    select
      jsonb_path_query_first(t.steps_completed, '$[*] ? (@.step == "subaccount" && @.state != "undone")') as account,
      jsonb_path_query_first(
        t.steps_completed, '$[*] ? (@.step == "number" && @.state != "undone" && exists (@.number_sid))'
      ) as number
  ) as s
  where t.transaction_type = 'onboarding' and t.status in ('in_progress', 'failed')
    and s.account ->> 'subaccount_sid' is not null
$function$

CREATE OR REPLACE FUNCTION public.save_flow_draft(p_org_id uuid, p_name text, p_draft jsonb, p_by text DEFAULT NULL::text)
 RETURNS timestamp with time zone
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 INSERT INTO call_flows (org_id, name, draft, drafted_by, drafted_at)
   VALUES (save_flow_draft.p_org_id, save_flow_draft.p_name, save_flow_draft.p_draft, save_flow_draft.p_by,
         CASE
             WHEN (save_flow_draft.p_draft IS NOT NULL) THEN now()
             ELSE NULL::timestamp with time zone
         END) ON CONFLICT(org_id, name) DO UPDATE SET draft = excluded.draft, drafted_by = excluded.drafted_by, drafted_at = excluded.drafted_at
   RETURNING call_flows.drafted_at;
END

CREATE OR REPLACE FUNCTION public.save_onboarding(p_id uuid, p_lease_token uuid, p_steps jsonb, p_error text DEFAULT NULL::text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform public.hold_onboarding(p_id, p_lease_token);
  update public.telephony_transactions as t set
    steps_completed = p_steps,
    undoing = t.undoing or p_error is not null,
    error_message = coalesce(p_error, t.error_message)
  where t.id = p_id;
end
$function$

CREATE OR REPLACE FUNCTION public.schedule_jobs()
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_worker record;
begin
  for v_worker in
    select * from (values
      ('voice-reconcile', '* * * * *', false),
      ('alert-dispatch', '* * * * *', false),
      -- Called only while a job is due, so that an idle line costs no function call.
      ('notify-worker', '10 seconds', true),
      -- A webhook wakes it as well. This is for what is due later, and for a wake-up that was lost.
      ('dial-worker', '5 seconds', true)
    ) as workers(name, schedule, while_due)
  loop
    -- The answer comes at once and the run continues, because pg_net sends its next batch after all answers to the last.
    perform cron.schedule(v_worker.name, v_worker.schedule, format($job$
      select net.http_post(
        url := url.decrypted_secret || '/%s',
        headers := jsonb_build_object(
          'apikey', token.decrypted_secret, 'prefer', 'respond-async', 'content-type', 'application/json'
        ),
        body := '{}'::jsonb,
        timeout_milliseconds := 10000
      )
      from vault.decrypted_secrets as url, vault.decrypted_secrets as token
      where url.name = 'functions_url' and token.name = 'scheduler_token'%s
    $job$, v_worker.name, case when v_worker.while_due then format(
      ' and exists (select from public.job_lanes as l where l.worker = %L and l.due_at <= now())', v_worker.name
    ) end));
  end loop;
  -- pg_cron keeps a row for each run and deletes none: 11,500 a day.
  perform cron.schedule('purge-job-runs', '41 3 * * *',
    $job$delete from cron.job_run_details where coalesce(end_time, start_time) < now() - interval '2 days'$job$);
end
$function$

CREATE OR REPLACE FUNCTION public.search_batch(p_owner uuid, p_query text, p_queries tsquery[], p_filters jsonb, p_now timestamp with time zone, p_after jsonb, p_deadline timestamp with time zone, p_embedding real[], p_model text, p_match text, OUT hits search_hit[], OUT partial boolean, OUT after jsonb)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
 SET jit TO 'off'
AS $function$
declare
  -- Evaluated for each row: see collect_hits.
  -- (`<> 0`: the planner takes it to be true of nearly all rows.)
  c_in_time constant text := ' and 1 / (clock_timestamp() < $1)::integer <> 0';
  -- Of what is found by its number, whatever its words.
  c_number_score constant text := replace(public.search_score('', p_now), 'ts_rank(d.fts, , 1)', '0.1');
  -- Below what says the words.
  c_call_score constant text := replace(public.search_score('', p_now), 'ts_rank(d.fts, , 1)', '0.01');
  v_calls constant text := public.call_conditions(p_filters);
  v_of_owner text := '';
  v_calls_of_owner text := '';
  v_span text := '';
  v_documents text;
  v_match text;
  v_bound text;
  v_digits text[];
  v_words text;
  v_part constant text := regexp_replace(p_filters ->> 'number', '[^0-9]', '', 'g');
  v_phones text[];
  v_found record;
begin
  if p_owner is not null then
    v_of_owner := format(' and d.owner = %L', p_owner);
    v_calls_of_owner := format(' and coalesce(c.org_id, ''00000000-0000-0000-0000-000000000000'') = %L', p_owner);
  end if;
  select s.digits, s.words into v_digits, v_words from public.split_numbers(coalesce(p_query, '')) as s;
  if cardinality(v_digits) > 0 or v_part is not null then
    v_phones := public.phones_like(p_owner, array_remove(v_digits || v_part, null));
  end if;
  if p_filters ->> 'from' is not null then
    v_span := format(' and %%1$s >= %L', (p_filters ->> 'from')::timestamptz);
  end if;
  if p_filters ->> 'to' is not null then
    v_span := v_span || format(' and %%1$s < %L', (p_filters ->> 'to')::timestamptz);
  end if;
  hits := '{}';
  partial := false;
  after := '{"d": false, "c": false}';

  if p_query is not null and p_after -> 'd' is distinct from 'false' then
    v_documents := v_of_owner || format(v_span, 'd.at')
      || case when v_calls = '' then '' else
        format(' and exists (select from public.call_logs as c where c.call_sid = d.call_sid%s)', v_calls) end
      || case when v_part is null then '' else format(' and d.party like %L', '%' || v_part || '%') end
      || case when jsonb_typeof(p_after -> 'd') = 'array' then
        format(' and (d.at, d.id) < (%L, %L)', public.from_micros(p_after #>> '{d,0}'), (p_after #>> '{d,1}')::bigint) else '' end;
    foreach v_bound in array array[
      c_in_time,
      -- If that takes too long: of the newest 2,000.
      format(
        ' and d.id in (select n.id from public.search_documents as n where true%s order by n.at desc, n.id desc limit 2000)',
        replace(v_of_owner, 'd.owner', 'n.owner')
      )
    ] loop
      v_match := format(
        'select d.kind, d.id, d.call_sid, d.at, %s as score from (
          select d.kind, d.id, d.call_sid, d.at, d.lang, d.fts from public.search_documents as d
          where true%s%s%s order by d.at desc, d.id desc limit 1000
        ) as d',
        public.search_score(public.tsquery_by_language(p_queries), p_now), v_documents, coalesce(p_match, public.document_match(p_queries)), v_bound
      );
      if cardinality(v_digits) > 0 then
        v_match := format(
          '%s union all (
            select d.kind, d.id, d.call_sid, d.at, %s from public.search_documents as d
            where d.party = any (%L::text[])%s%s%s order by d.at desc, d.id desc limit 1000
          )',
          v_match, c_number_score, v_phones, v_documents, case when v_words <> '' then public.document_match(public.search_queries(v_words)) else '' end, v_bound
        );
      end if;
      select * into v_found from public.collect_hits(format(
        'select d.kind, d.id, d.call_sid, d.at, max(d.score) from (%s) as d group by 1, 2, 3, 4
         order by d.at desc, d.id desc limit 1000', v_match
      ), case v_bound when c_in_time then p_deadline else 'infinity' end);
      partial := partial or v_found.partial;
      exit when not v_found.partial;
    end loop;
    hits := v_found.hits;
    if cardinality(hits) = 1000 then
      after := after || jsonb_build_object('d', jsonb_build_array(public.to_micros(hits[cardinality(hits)].at), hits[cardinality(hits)].id));
    end if;
  end if;

  -- Calls have no words: they are found by their number, by the name of their contact, or by filters alone.
  if v_words <> '' then
    select array_agg(d.party) into v_phones from public.search_documents as d
    where d.id in (select h.id from unnest(hits) as h where h.kind = 'contact' limit 100);
  end if;
  if p_embedding is not null and p_query is not null and not coalesce(p_after ? 'd', false) then
    hits := public.fuse_hits(hits, public.near_hits(p_owner, v_documents, p_embedding, p_model));
  end if;
  if p_after -> 'c' is distinct from 'false' and (p_query is null or v_phones <> '{}') then
    v_match := v_calls || format(v_span, 'c.started_at') || v_calls_of_owner
      || case when v_phones is null then '' else format(' and c.party = any (%L::text[])', v_phones) end
      || case when jsonb_typeof(p_after -> 'c') = 'array' then
        format(' and (c.started_at, c.call_sid) < (%L, %L)', public.from_micros(p_after #>> '{c,0}'), p_after #>> '{c,1}') else '' end;
    foreach v_bound in array array[
      c_in_time,
      format(
        ' and c.call_sid in (select n.call_sid from public.call_logs as n where true%s order by n.started_at desc limit 2000)',
        replace(v_calls_of_owner, 'c.org_id', 'n.org_id')
      )
    ] loop
      select * into v_found from public.collect_hits(
        format(
          'select ''call'', null::bigint, c.call_sid, c.started_at, %s
           from public.call_logs as c where true%s%s order by c.started_at desc, c.call_sid desc limit 1000',
          replace(c_call_score, 'd.at', 'c.started_at'), v_match, v_bound
        ),
        case v_bound when c_in_time then greatest(p_deadline, clock_timestamp() + interval '50 ms') else 'infinity' end
      );
      partial := partial or v_found.partial;
      exit when not v_found.partial;
    end loop;
    hits := hits || v_found.hits;
    if cardinality(v_found.hits) = 1000 then
      after := after || jsonb_build_object('c', jsonb_build_array(public.to_micros(v_found.hits[1000].at), v_found.hits[1000].call_sid));
    end if;
  end if;
end
$function$

CREATE OR REPLACE FUNCTION public.search_calls(p_query text DEFAULT NULL::text, p_filters jsonb DEFAULT '{}'::jsonb, p_limit integer DEFAULT 20, p_cursor text DEFAULT NULL::text, p_embedding real[] DEFAULT NULL::real[], p_model text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
RETURN run_search(((p_filters ->> 'org_id'::text))::uuid, NULL::uuid, p_query, (p_filters - 'org_id'::text), p_limit, p_cursor, p_embedding, p_model)

CREATE OR REPLACE FUNCTION public.search_calls_of_member(p_claims jsonb, p_query text DEFAULT NULL::text, p_filters jsonb DEFAULT '{}'::jsonb, p_limit integer DEFAULT 20, p_cursor text DEFAULT NULL::text, p_embedding real[] DEFAULT NULL::real[], p_model text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_owner constant uuid := (private.membership_of(p_claims)).owner;
begin
  if v_owner is null then
    raise sqlstate '42501' using message = 'the sender is a member of no organisation';
  end if;
  if p_filters ->> 'org_id' is not null and (p_filters ->> 'org_id')::uuid <> v_owner then
    return jsonb_build_object('results', '[]'::jsonb, 'facets', '{}'::jsonb, 'correction', null, 'next_cursor', null, 'partial', false, 'meaning', false);
  end if;
  return public.run_search(
    v_owner, (p_claims ->> 'sub')::uuid, p_query, p_filters - 'org_id', p_limit, p_cursor, p_embedding, p_model
  );
end
$function$

CREATE OR REPLACE FUNCTION public.search_differences()
 RETURNS TABLE(kind text, ref text, part smallint, fault text)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select
    coalesce(p.kind, d.kind), coalesce(p.ref, d.ref), coalesce(p.part, d.part),
    case when d.kind is null then 'missing' when p.kind is null then 'left over' else 'changed' end
  from public.search_passages as p
  full join public.search_documents as d on (d.kind, d.ref, d.part) = (p.kind, p.ref, p.part)
  where (p.org_id, p.call_sid, p.party, p.at, p.start_ms, p.end_ms, p.speaker, p.lang, p.title, p.body)
    is distinct from (d.org_id, d.call_sid, d.party, d.at, d.start_ms, d.end_ms, d.speaker, d.lang, d.title, d.body)
    or d.kind is null or p.kind is null
$function$

CREATE OR REPLACE FUNCTION public.search_facets(p_hits search_hit[])
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  with counted as (
    select f.name, f.value, least(count(*), 1000) as hits
    from unnest(p_hits) as h
    left join lateral (
      select o.direction, o.disposition, o.mode, o.line from public.call_logs as o where o.call_sid = h.call_sid offset 0
    ) as c on true
    cross join lateral (values
      ('kind', h.kind), ('direction', c.direction), ('disposition', c.disposition), ('mode', c.mode), ('line', c.line::text)
    ) as f(name, value)
    where f.value is not null
    group by 1, 2
  ), ranked as (
    select k.*, row_number() over (partition by k.name order by k.hits desc, k.value) as place from counted as k
  )
  select coalesce(jsonb_object_agg(g.name, g.counts), '{}') from (
    select r.name, jsonb_object_agg(r.value, r.hits) as counts from ranked as r where r.place <= 20 group by 1
  ) as g
$function$

CREATE OR REPLACE FUNCTION public.search_kinds_of_calls()
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
RETURN ARRAY['voicemail'::text, 'transcript'::text, 'agent_turn'::text]

CREATE OR REPLACE FUNCTION public.search_queries(p_query text)
 RETURNS tsquery[]
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
RETURN ARRAY[search_query(p_query, 'english'::text), search_query(p_query, 'french'::text), search_query(p_query, 'spanish'::text)]

CREATE OR REPLACE FUNCTION public.search_query(p_query text, p_lang text)
 RETURNS tsquery
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_term record;
  v_tsquery tsquery;
  v_all tsquery;
  v_any tsquery;
  v_names tsquery;
  v_alternative integer := 0;
begin
  for v_term in select * from public.search_terms(p_query) loop
    if v_term.alternative > v_alternative then
      v_any := coalesce(v_any || v_all, v_all, v_any);
      v_all := null;
      v_alternative := v_term.alternative;
    end if;
    v_tsquery := public.term_query(v_term.word, p_lang);
    if v_tsquery is null then
      v_tsquery := phraseto_tsquery('public.search_names', v_term.word);
      if numnode(v_tsquery) > 0 and not v_term.negated then
        v_names := coalesce(v_names && v_tsquery, v_tsquery);
      end if;
      continue;
    end if;
    if v_term.negated then
      v_tsquery := !!v_tsquery;
    end if;
    v_all := coalesce(v_all && v_tsquery, v_tsquery);
  end loop;
  return coalesce(v_any || v_all, v_all, v_any, v_names);
end
$function$

CREATE OR REPLACE FUNCTION public.search_score(p_tsquery text, p_now timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
RETURN format('(ts_rank(d.fts, %s, 1) * power(0.5, least(greatest(extract(epoch from %L::timestamptz - d.at) / 2592000, 0), 60)))::real'::text, p_tsquery, p_now)

CREATE OR REPLACE FUNCTION public.search_snippet(p_body text, p_lang text, p_query tsquery, p_start_ms integer, p_end_ms integer, p_deadline timestamp with time zone, OUT snippet text, OUT start_sec integer)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  -- Characters of private use, which are taken out of the text, so that no text brings marks of its own.
  c_open constant text := chr(57344);
  c_close constant text := chr(57345);
  v_body constant text := translate(p_body, c_open || c_close, '');
  v_options constant text := format(
    'StartSel=%s, StopSel=%s, %s', c_open, c_close,
    case when length(v_body) <= 240 then 'HighlightAll=true' else 'MaxFragments=1, MaxWords=30, MinWords=10' end
  );
  v_text constant text := case
    when p_query is null or clock_timestamp() > p_deadline then left(v_body, 200)
    when p_lang = 'english' then ts_headline('public.search_english', v_body, p_query, v_options)
    when p_lang = 'french' then ts_headline('public.search_french', v_body, p_query, v_options)
    else ts_headline('public.search_spanish', v_body, p_query, v_options)
  end;
begin
  if p_start_ms is not null then
    -- As far into the passage as the first marked word is into its text.
    start_sec := (
      p_start_ms + (p_end_ms - p_start_ms)::double precision * (
        greatest(strpos(v_body, translate(v_text, c_open || c_close, '')) - 1, 0) + greatest(strpos(v_text, c_open) - 1, 0)
      ) / greatest(length(v_body), 1)
    )::integer / 1000;
  end if;
  snippet := replace(replace(public.escape_html(v_text), c_open, '<mark>'), c_close, '</mark>');
end
$function$

CREATE OR REPLACE FUNCTION public.search_terms(p_query text)
 RETURNS TABLE(nth integer, alternative integer, negated boolean, phrase boolean, word text)
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_token text[];
begin
  nth := 0;
  alternative := 0;
  for v_token in select regexp_matches(left(p_query, 4000), '(-?)(?:"([^"]*)"?|([^\s"]+))', 'g') limit 64 loop
    nth := nth + 1;
    negated := v_token[1] = '-';
    phrase := v_token[2] is not null;
    word := coalesce(v_token[2], v_token[3]);
    if not phrase and not negated and lower(word) = 'or' then
      alternative := alternative + 1;
    elsif length(word) <= 100 then
      return next;
    end if;
  end loop;
end
$function$

CREATE OR REPLACE FUNCTION public.set_campaign_openings(p_campaign_id uuid, p_openings jsonb)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 UPDATE campaign_areas a SET opens_at = g.opens_at, closes_at = g.closes_at
    FROM jsonb_to_recordset(set_campaign_openings.p_openings) g(area bigint, opens_at timestamp with time zone, closes_at timestamp with time zone)
   WHERE ((a.id = g.area) AND (a.campaign_id = set_campaign_openings.p_campaign_id));
END

CREATE OR REPLACE FUNCTION public.set_override(p_org_id uuid, p_name text, p_calendar text, p_state text, p_until timestamp with time zone, p_by text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_version public.call_flow_versions;
begin
  select v.* into v_version from public.call_flow_versions as v where v.id = public.current_version(p_org_id, p_name);
  if v_version.id is null then
    raise sqlstate 'PT404' using message = format('no flow "%s" is published', p_name), detail = 'name';
  elsif not coalesce(v_version.definition -> 'calendars' ? p_calendar, false) then
    raise sqlstate 'PT404' using message = format('the flow "%s" has no calendar "%s"', p_name, p_calendar),
      detail = 'calendar';
  elsif p_state is null then
    delete from public.calendar_overrides as o where o.flow_id = v_version.flow_id and o.calendar = p_calendar;
  elsif p_until is null or p_until <= now() or p_until > now() + interval '366 days' then
    raise sqlstate 'PT400' using message = 'an override must end in the future, within 366 days', detail = 'until';
  else
    insert into public.calendar_overrides as o (flow_id, calendar, state, until, set_by)
    values (v_version.flow_id, p_calendar, p_state, p_until, p_by)
    on conflict (flow_id, calendar) do update
      set state = excluded.state, until = excluded.until, set_by = excluded.set_by, set_at = excluded.set_at;
  end if;
  perform public.reconsider_promises(v_version.flow_id, p_calendar);
  return jsonb_build_object('flow', p_name, 'calendar', p_calendar, 'state', p_state, 'until', p_until);
end
$function$

CREATE OR REPLACE FUNCTION public.split_numbers(p_query text, OUT digits text[], OUT words text)
 RETURNS record
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_number text;
begin
  digits := '{}';
  words := left(p_query, 4000);
  for v_number in
    select m[1] from regexp_matches(
      regexp_replace(words, '"[^"]*"?', ' ', 'g'), '(?:^|\s)(\+?\(?[0-9][0-9()./ -]*)(?=\s|$)', 'g'
    ) as m
    limit 3
  loop
    if length(regexp_replace(v_number, '[^0-9]', '', 'g')) between 3 and 15 then
      -- Without the zeros that only one's own country dials.
      digits := digits || coalesce(
        nullif(ltrim(regexp_replace(v_number, '[^0-9]', '', 'g'), '0'), ''), regexp_replace(v_number, '[^0-9]', '', 'g')
      );
      words := replace(words, v_number, ' ');
    end if;
  end loop;
  words := btrim(words);
end
$function$

CREATE OR REPLACE FUNCTION public.start_jobs(p_ids bigint[])
 RETURNS TABLE(id bigint, kind text, priority smallint, key text, payload jsonb, content jsonb, lease uuid, attempts integer)
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  with taken as (
    update public.jobs as j set
      status = 'running',
      attempts = j.attempts + 1,
      lease = gen_random_uuid(),
      run_at = now() + k.lease,
      uncertain_since = coalesce(j.uncertain_since, case when j.status = 'running' then j.attempted_at end),
      attempted_at = now(),
      content = case
        when k.fixes_content then coalesce(j.content, public.job_content(j.kind, j.key, j.payload))
      end
    from public.job_kinds as k
    where j.id = any (p_ids) and k.kind = j.kind
    returning j.*, k.fixes_content
  )
  select
    t.id, t.kind, t.priority, t.key, t.payload,
    case when t.fixes_content then t.content else public.job_content(t.kind, t.key, t.payload) end, t.lease, t.attempts
  from taken as t order by array_position(p_ids, t.id)
$function$

CREATE OR REPLACE FUNCTION public.steps_of(p_definition jsonb)
 RETURNS jsonb
 LANGUAGE sql
 IMMUTABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT jsonb_strip_nulls(jsonb_build_object('start', (steps_of.p_definition -> 'start'::text), 'operator', (steps_of.p_definition -> 'operator'::text), 'groups', (steps_of.p_definition -> 'groups'::text), 'nodes', jsonb_object_agg(n.key, ((n.value - 'prompt'::text) ||
         CASE
             WHEN (n.value ? 'options'::text) THEN jsonb_build_object('options', ( SELECT jsonb_agg((o.value -> 'next'::text)) AS jsonb_agg
                FROM jsonb_array_elements((n.value -> 'options'::text)) o(value)))
             ELSE '{}'::jsonb
         END)))) AS jsonb_strip_nulls
    FROM jsonb_each((steps_of.p_definition -> 'nodes'::text)) n(key, value);
END

CREATE OR REPLACE FUNCTION public.stop_campaign_contacts()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_id bigint;
begin
  for v_id in
    select a.id from public.dial_attempts as a
    join new_rows as n on n.e164 = a.to_e164 and n.org_id is not distinct from a.org_id
    where a.purpose = 'campaign' and a.state = 'intended' and a.ended_at is null
    order by a.id for update of a
  loop
    perform public.end_campaign_attempt(v_id, 'canceled');
  end loop;
  update public.campaign_contacts as k set state = case when k.tries > 0 then 'opted_out' else 'suppressed' end, due_at = null
  from new_rows as n
  where k.e164 = n.e164 and k.owner = coalesce(n.org_id, '00000000-0000-0000-0000-000000000000')
    and k.state not in ('opted_out', 'suppressed');
  return null;
end
$function$

CREATE OR REPLACE FUNCTION public.store_call_legs(p_row call_legs, p_is_new boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
      begin
        if p_is_new then
          insert into public.call_legs (call_sid, leg_sid, to_e164, node, status, dialled_at, rang_at, answered_at, bridged, accepted_at, told, transfer, ended_at) values (p_row.call_sid, p_row.leg_sid, p_row.to_e164, p_row.node, p_row.status, p_row.dialled_at, p_row.rang_at, p_row.answered_at, p_row.bridged, p_row.accepted_at, p_row.told, p_row.transfer, p_row.ended_at);
        else
          update public.call_legs as t set (call_sid, leg_sid, to_e164, node, status, dialled_at, rang_at, answered_at, bridged, accepted_at, told, transfer, ended_at) = row (p_row.call_sid, p_row.leg_sid, p_row.to_e164, p_row.node, p_row.status, p_row.dialled_at, p_row.rang_at, p_row.answered_at, p_row.bridged, p_row.accepted_at, p_row.told, p_row.transfer, p_row.ended_at) where t.call_sid = p_row.call_sid and t.leg_sid = p_row.leg_sid;
        end if;
      end
      $function$

CREATE OR REPLACE FUNCTION public.store_call_logs(p_row call_logs, p_is_new boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
      begin
        if p_is_new then
          insert into public.call_logs (call_sid, org_id, direction, from_e164, to_e164, mode, mode_turn, status, consent_given, consent_order, started_at, answered_at, ended_at, duration_sec, dialled, rang_at, connected_at, recording_sid, recording_url, recording_source, recording_duration_sec, recorded_at, transcript, handoff, handoff_reason, flow_version, at_node, rate_limited, created_at, updated_at, last_step, last_step_at, end_fetched, settled) values (p_row.call_sid, p_row.org_id, p_row.direction, p_row.from_e164, p_row.to_e164, p_row.mode, p_row.mode_turn, p_row.status, p_row.consent_given, p_row.consent_order, p_row.started_at, p_row.answered_at, p_row.ended_at, p_row.duration_sec, p_row.dialled, p_row.rang_at, p_row.connected_at, p_row.recording_sid, p_row.recording_url, p_row.recording_source, p_row.recording_duration_sec, p_row.recorded_at, p_row.transcript, p_row.handoff, p_row.handoff_reason, p_row.flow_version, p_row.at_node, p_row.rate_limited, p_row.created_at, p_row.updated_at, p_row.last_step, p_row.last_step_at, p_row.end_fetched, p_row.settled);
        else
          update public.call_logs as t set (call_sid, org_id, direction, from_e164, to_e164, mode, mode_turn, status, consent_given, consent_order, started_at, answered_at, ended_at, duration_sec, dialled, rang_at, connected_at, recording_sid, recording_url, recording_source, recording_duration_sec, recorded_at, transcript, handoff, handoff_reason, flow_version, at_node, rate_limited, created_at, updated_at, last_step, last_step_at, end_fetched, settled) = row (p_row.call_sid, p_row.org_id, p_row.direction, p_row.from_e164, p_row.to_e164, p_row.mode, p_row.mode_turn, p_row.status, p_row.consent_given, p_row.consent_order, p_row.started_at, p_row.answered_at, p_row.ended_at, p_row.duration_sec, p_row.dialled, p_row.rang_at, p_row.connected_at, p_row.recording_sid, p_row.recording_url, p_row.recording_source, p_row.recording_duration_sec, p_row.recorded_at, p_row.transcript, p_row.handoff, p_row.handoff_reason, p_row.flow_version, p_row.at_node, p_row.rate_limited, p_row.created_at, p_row.updated_at, p_row.last_step, p_row.last_step_at, p_row.end_fetched, p_row.settled) where t.call_sid = p_row.call_sid;
        end if;
      end
      $function$

CREATE OR REPLACE FUNCTION public.store_embedding(p_key text, p_model text, p_embedding real[])
 RETURNS boolean
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  with document as (
    -- Locked, so that the key is that of the text that stays.
    select d.id, d.owner, public.embedding_key(d) as key from public.search_documents as d
    where d.id = split_part(p_key, '/', 1)::bigint for share
  ), stored as (
    insert into public.search_embeddings as e (document_id, owner, model, embedding)
    select d.id, d.owner, p_model, p_embedding from document as d where d.key = p_key
    on conflict (document_id) do update set model = excluded.model, embedding = excluded.embedding, made_at = now()
    returning 1
  )
  select exists (select from stored)
$function$

CREATE OR REPLACE FUNCTION public.store_passages(p_passages search_passages[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  with added as (
    insert into public.search_documents (
      org_id, kind, ref, part, call_sid, party, at, start_ms, end_ms, speaker, lang, title, body
    )
    select p.org_id, p.kind, p.ref, p.part, p.call_sid, p.party, p.at, p.start_ms, p.end_ms, p.speaker, p.lang, p.title, p.body
    from unnest(p_passages) as p
    on conflict on constraint search_documents_key do nothing
    returning owner, title, body
  )
  insert into public.search_words (owner, word)
  select distinct a.owner, w.word
  from added as a cross join lateral public.words_of(concat_ws(' ', a.title, a.body)) as w(word)
  -- `limit 1`: one look-up a word, whatever the planner makes of their number.
  left join lateral (
    select true as known from public.search_words as k where k.owner = a.owner and k.word = w.word limit 1
  ) as k on true
  where k.known is null;
end
$function$

CREATE OR REPLACE FUNCTION public.store_prompt(p_org_id uuid, p_hash text, p_mime text, p_seconds numeric, p_bytes integer, p_by text DEFAULT NULL::text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if (select count(*) from public.prompts as p where p.org_id is not distinct from p_org_id) >= 1000 then
    raise sqlstate 'PT400' using message = 'there are 1000 recorded prompts: name stored ones in flows', detail = 'audio';
  end if;
  insert into public.prompts (org_id, hash, mime, seconds, bytes, stored_by)
  values (p_org_id, p_hash, p_mime, p_seconds, p_bytes, p_by)
  on conflict (org_id, hash) do nothing;
end
$function$

CREATE OR REPLACE FUNCTION public.store_recordings(p_row recordings, p_is_new boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
      begin
        if p_is_new then
          insert into public.recordings (call_sid, recording_sid, leg_sid, source, url, duration_sec, transcript, recorded_at, confirmed, deleted_at, handled_at) values (p_row.call_sid, p_row.recording_sid, p_row.leg_sid, p_row.source, p_row.url, p_row.duration_sec, p_row.transcript, p_row.recorded_at, p_row.confirmed, p_row.deleted_at, p_row.handled_at);
        else
          update public.recordings as t set (call_sid, recording_sid, leg_sid, source, url, duration_sec, transcript, recorded_at, confirmed, deleted_at, handled_at) = row (p_row.call_sid, p_row.recording_sid, p_row.leg_sid, p_row.source, p_row.url, p_row.duration_sec, p_row.transcript, p_row.recorded_at, p_row.confirmed, p_row.deleted_at, p_row.handled_at) where t.call_sid = p_row.call_sid and t.recording_sid = p_row.recording_sid;
        end if;
      end
      $function$

CREATE OR REPLACE FUNCTION public.submit_contact_message(p_message jsonb, p_limits jsonb, p_receipt_limits jsonb, p_key text DEFAULT NULL::text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET lock_timeout TO '3s'
AS $function$
declare
  v_key constant text := 'contact-submit:' || p_key;
  v_hash constant bytea := sha256(convert_to(p_message::text, 'UTF8'));
  v_known public.idempotency_keys;
  v_id uuid;
begin
  if v_key is not null then
    perform pg_advisory_xact_lock(hashtextextended(v_key, 0));
    select * into v_known from public.idempotency_keys as k where k.key = v_key;
    if found then
      if v_known.request_hash <> v_hash then
        raise sqlstate 'PT409' using
          message = 'another message was sent under this Idempotency-Key',
          hint = 'Send each message under a key of its own.';
      end if;
      return v_known.result || '{"duplicate": true}';
    end if;
  end if;

  if public.take_rate_limits('contact-submit', p_limits) is not null then
    return jsonb_build_object(
      'admitted', false,
      'retry_after_sec', greatest(1, public.rate_limits_retry_after('contact-submit', p_limits))
    );
  end if;

  insert into public.contact_messages (name, email, phone, subject, message)
  values (
    p_message ->> 'name', p_message ->> 'email', p_message ->> 'phone', p_message ->> 'subject', p_message ->> 'message'
  )
  returning id into v_id;

  perform public.enqueue_job(
    'mail_contact_notification', 'contact_notification/' || v_id, jsonb_build_object('contact_message_id', v_id)
  );
  -- The sender may have entered another person's address: a message beyond the receipts' limits is stored without a receipt.
  if public.take_rate_limits('contact-auto-reply', p_receipt_limits) is null then
    perform public.enqueue_job(
      'mail_contact_auto_reply', 'contact_auto_reply/' || v_id, jsonb_build_object('contact_message_id', v_id)
    );
  end if;

  if v_key is not null then
    insert into public.idempotency_keys (key, operation, request_hash, status, result, expires_at)
    values (
      v_key, 'contact-submit', v_hash, 'completed',
      jsonb_build_object('admitted', true, 'duplicate', false, 'id', v_id), now() + interval '1 day'
    );
  end if;
  return jsonb_build_object('admitted', true, 'duplicate', false, 'id', v_id);
end
$function$

CREATE OR REPLACE FUNCTION public.suppress(p_account_sid text, p_e164 text, p_source text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 INSERT INTO suppressions (org_id, e164, source)
   VALUES (organisation_of(suppress.p_account_sid), suppress.p_e164, suppress.p_source) ON CONFLICT(org_id, e164) DO NOTHING;
END

CREATE OR REPLACE FUNCTION public.take_onboarding(p_id uuid)
 RETURNS jsonb
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 SELECT (j.content || jsonb_build_object('lease', j.lease, 'attempts', j.attempts))
    FROM claim_job('onboarding'::text, (take_onboarding.p_id)::text) j(id, kind, priority, key, payload, content, lease, attempts);
END

CREATE OR REPLACE FUNCTION public.take_rate_limit(p_endpoint text, p_identifier_type text, p_identifier text, p_max integer, p_window interval)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  insert into public.rate_limit_windows as w (endpoint, identifier_type, identifier, admitted_at)
  values (p_endpoint, p_identifier_type, p_identifier, array[clock_timestamp()])
  on conflict (endpoint, identifier_type, identifier) do update
    -- width_bucket counts the elements of a sorted array that are not later.
    set admitted_at = w.admitted_at[width_bucket(clock_timestamp() - p_window, w.admitted_at) + 1:]
      || greatest(clock_timestamp(), w.admitted_at[cardinality(w.admitted_at)])
    where cardinality(w.admitted_at) - width_bucket(clock_timestamp() - p_window, w.admitted_at) < p_max;
  if found then
    return true;
  end if;

  perform public.record_rate_limit_refusal(p_endpoint, p_identifier_type, p_identifier);
  return false;
end
$function$

CREATE OR REPLACE FUNCTION public.take_rate_limits(p_endpoint text, p_limits jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_limit jsonb;
  v_nth bigint;
begin
  for v_limit, v_nth in select * from jsonb_array_elements(p_limits) with ordinality loop
    if not public.take_rate_limit(
      p_endpoint, v_limit ->> 'identifier_type', v_limit ->> 'identifier', (v_limit ->> 'max')::integer,
      make_interval(secs => (v_limit ->> 'window_sec')::integer)
    ) then
      -- Undoes the admissions under the earlier limits: the newest of each, because its row has been locked since.
      update public.rate_limit_windows as w set admitted_at = trim_array(w.admitted_at, 1)
      from jsonb_array_elements(p_limits) with ordinality as taken(l, nth)
      where taken.nth < v_nth and (w.endpoint, w.identifier_type, w.identifier)
        = (p_endpoint, taken.l ->> 'identifier_type', taken.l ->> 'identifier');
      return v_limit;
    end if;
  end loop;
  return null;
end
$function$

CREATE OR REPLACE FUNCTION public.telephony_accounts()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select coalesce(jsonb_agg(a.sid), '[]') from (
    select s.subaccount_sid as sid from public.telephony_subaccounts as s
    union select r.account from public.running_onboardings() as r
  ) as a
$function$

CREATE OR REPLACE FUNCTION public.telephony_tenant(p_account_sid text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_org_id constant uuid := public.organisation_of(p_account_sid);
  v_tenant jsonb;
  v_secret_id uuid;
  v_token text;
begin
  if v_org_id is null then
    return null;
  end if;
  select s.vault_secret_id into v_secret_id
  from public.telephony_secrets as s where s.subaccount_sid = p_account_sid;
  v_tenant := jsonb_build_object(
    'org_id', v_org_id,
    'running', not exists (select from public.telephony_subaccounts as s where s.subaccount_sid = p_account_sid),
    'sealed_token', coalesce(
      (select s.sealed_token from public.telephony_secrets as s where s.subaccount_sid = p_account_sid),
      (select r.sealed_token from public.running_onboardings() as r where r.account = p_account_sid limit 1)
    ),
    'business_name', coalesce(
      (select s.business_name from public.telephony_subaccounts as s where s.subaccount_sid = p_account_sid),
      (select r.business_name from public.running_onboardings() as r where r.account = p_account_sid limit 1)
    )
  );
  if v_secret_id is not null then
    execute 'select decrypted_secret from vault.decrypted_secrets where id = $1' into v_token using v_secret_id;
    v_tenant := v_tenant || jsonb_build_object('token', v_token);
  end if;
  return v_tenant;
end
$function$

CREATE OR REPLACE FUNCTION public.tell_place(p_call_sid text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
  return jsonb_strip_nulls(jsonb_build_object('position', v_position, 'wait', v_wait, 'ringing', (
    select count(*) from public.dial_attempts as a
    where a.owner = q.owner and (a.queue = q.queue or a.to_e164 = q.returns_to) and a.ended_at is null and a.cancelled_at is null
  )));
end
$function$

CREATE OR REPLACE FUNCTION public.term_query(p_word text, p_lang text)
 RETURNS tsquery
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  v_stems constant tsquery := case p_lang
    when 'english' then phraseto_tsquery('public.search_english', p_word)
    when 'french' then phraseto_tsquery('public.search_french', p_word)
    else phraseto_tsquery('public.search_spanish', p_word)
  end;
  v_names constant tsquery := phraseto_tsquery('public.search_names', p_word);
begin
  return case when numnode(v_stems) = 0 then null when v_stems = v_names then v_stems else v_stems || v_names end;
end
$function$

CREATE OR REPLACE FUNCTION public.to_micros(p_at timestamp with time zone)
 RETURNS bigint
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return (extract(epoch from p_at) * 1000000)::bigint;
end
$function$

CREATE OR REPLACE FUNCTION public.touch()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  new.updated_at := now();
  return new;
end
$function$

CREATE OR REPLACE FUNCTION public.transfer_call(a dial_attempts, p_code text)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.transfer_ended(p_token uuid, p_result text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  a public.dial_attempts;
begin
  update public.dial_attempts as t set transfer = p_result where t.token = p_token and t.transfer = 'pending' returning * into a;
  update public.call_legs as l set transfer = p_result where l.call_sid = a.call_sid and l.leg_sid = a.leg_sid;
end
$function$

CREATE OR REPLACE FUNCTION public.transfer_of(p_call_sid text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT
         CASE
             WHEN ((e.transferred_by IS NOT NULL) AND (e.connected_at IS NULL)) THEN 'made'::text
             WHEN ((e.connected_at IS NOT NULL) AND (a.ended_at IS NULL) AND may_transfer(a.*)) THEN 'held'::text
             ELSE NULL::text
         END AS "case"
    FROM (queue_entries e
      LEFT JOIN dial_attempts a ON ((a.token = e.taken_by)))
   WHERE ((e.call_sid = transfer_of.p_call_sid) AND (e.left_at IS NULL));
END

CREATE OR REPLACE FUNCTION public.tsquery_by_language(p_queries tsquery[])
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return case
    when p_queries[1] = p_queries[2] and p_queries[1] = p_queries[3] then format('%L::tsquery', p_queries[1])
    else format(
      'case d.lang when ''english'' then %L::tsquery when ''french'' then %L::tsquery else %L::tsquery end',
      p_queries[1], p_queries[2], p_queries[3]
    )
  end;
end
$function$

CREATE OR REPLACE FUNCTION public.unknown_calls(p_calls jsonb)
 RETURNS SETOF text
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT t.call_sid
    FROM jsonb_to_recordset(unknown_calls.p_calls) t(call_sid text, to_e164 text)
   WHERE ((NOT (EXISTS ( SELECT
            FROM call_logs c
           WHERE (c.call_sid = t.call_sid)))) AND (NOT (EXISTS ( SELECT
            FROM erased_calls e
           WHERE (e.call_hash = call_hash(t.call_sid))))) AND ((EXISTS ( SELECT
            FROM call_logs c
           WHERE ((c.line)::text = t.to_e164))) OR (EXISTS ( SELECT
            FROM telephony_numbers n
           WHERE ((n.e164_number)::text = t.to_e164)))));
END

CREATE OR REPLACE FUNCTION public.unroll_call_hours()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.verify_person(p_org_id uuid, p_handle text, p_line text)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION private.verify_telephone(p_person_id uuid)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  p public.people;
  v_line text;
begin
  select h.* into p from public.people as h left join public.members as m on m.id = h.member_id
  where h.id = p_person_id and coalesce(h.org_id, '00000000-0000-0000-0000-000000000000') = public.current_owner()
    and (public.my_role() >= 'admin' or (public.my_role() = 'agent' and m.user_id = auth.uid()));
  if p.id is null then
    raise sqlstate '42501' using message = 'your role does not allow this';
  end if;
  v_line := coalesce(
    (select l.line from public.lines as l where l.org_id is not distinct from p.org_id order by l.id limit 1),
    (select n.e164_number from public.telephony_numbers as n where n.org_id = p.org_id order by n.provisioned_at limit 1),
    (select c.line from public.call_logs as c where c.org_id is not distinct from p.org_id order by c.started_at desc limit 1)
  );
  if v_line is null then
    raise sqlstate 'PT409' using message = 'there is no line to call from yet: publish a flow for one, or let it take a call';
  end if;
  return public.verify_person(p.org_id, p.handle, v_line);
end
$function$

CREATE OR REPLACE FUNCTION public.verify_telephone(p_person_id uuid)
 RETURNS uuid
 LANGUAGE sql
 SET search_path TO ''
RETURN private.verify_telephone(p_person_id)

CREATE OR REPLACE FUNCTION public.version_by_hash(p_org_id uuid, p_hash text)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  return (
    select v.id
    from public.call_flow_versions as v
    join public.call_flows as f on f.id = v.flow_id
    where v.hash >= p_hash and v.hash <= p_hash || 'g' and p_hash ~ '^[0-9a-f]{8,64}$'
      and f.org_id is not distinct from p_org_id
    order by v.id desc
    limit 1
  );
end
$function$

CREATE OR REPLACE FUNCTION public.voice_answer_json(p_answer voice_answer, p_duplicate boolean, p_facts jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return jsonb_build_object(
    'duplicate', p_duplicate,
    'admitted', p_answer.admitted,
    'call', jsonb_build_object(
      'status', p_answer.status, 'mode', p_answer.mode, 'consent_given', p_answer.consent_given
    ) || case when p_facts is null then '{}' else jsonb_build_object('facts', p_facts) end
  );
end
$function$

CREATE OR REPLACE FUNCTION public.walk_flow(p_version_id bigint, p_node text, c call_logs, p_facts jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
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
$function$

CREATE OR REPLACE FUNCTION public.was_missed(c call_logs)
 RETURNS boolean
 LANGUAGE sql
 STABLE
 SET search_path TO ''
RETURN (((c).disposition = 'abandoned'::text) AND (NOT (EXISTS (SELECT FROM callbacks k WHERE (k.call_sid = (was_missed.c).call_sid)))) AND (NOT (EXISTS (SELECT FROM call_logs o WHERE (((o.party)::text = ((was_missed.c).party)::text) AND (NOT (o.org_id IS DISTINCT FROM (was_missed.c).org_id)) AND (o.started_at > (was_missed.c).started_at) AND ((o.disposition IS NULL) OR (o.disposition = ANY (ARRAY['connected'::text, 'voicemail'::text]))))))))

CREATE OR REPLACE FUNCTION public.with_body(p_facts jsonb, p_org_id uuid, p_ask jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
declare
  v_hash constant text := p_facts #>> '{flow,hash}';
begin
  if not p_ask ? 'line' or v_hash is null or coalesce(p_ask -> 'have' ? v_hash, false) then
    return p_facts;
  end if;
  return jsonb_set(
    p_facts, '{flow}', public.flow_body(public.version_by_hash(p_org_id, v_hash)) || (p_facts -> 'flow')
  );
end
$function$

CREATE OR REPLACE FUNCTION public.words_of(p_text text)
 RETURNS SETOF text
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return query
    select w from unnest(tsvector_to_array(to_tsvector('public.search_names', p_text))) as w
    where length(w) between 4 and 40 and w !~ '[^[:alpha:]]';
end
$function$

CREATE OR REPLACE FUNCTION public.work_on_voicemail()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_last public.voicemail_steps;
begin
  update public.recordings as r set handled_at = case when new.state = 'done' then coalesce(r.handled_at, new.at) end
  where r.call_sid = new.call_sid and r.recording_sid = new.recording_sid and r.source = 'voicemail';
  if not found then
    raise sqlstate 'PT404' using message = 'there is no such voicemail';
  end if;
  -- Of the same organisation.
  if new.assigned_to is not null and not exists (
    select from public.people as p where p.id = new.assigned_to and p.org_id is not distinct from new.org_id
  ) then
    raise sqlstate 'PT404' using message = 'there is no such person', detail = 'assigned_to';
  end if;
  select * into v_last from public.voicemail_steps as s
  where s.call_sid = new.call_sid and s.recording_sid = new.recording_sid and s.id <> new.id
  order by s.id desc limit 1;
  if new.state = 'taken' and v_last.state = 'taken' and v_last.author is distinct from new.author
    and v_last.assigned_to is not distinct from new.assigned_to then
    raise sqlstate 'PT409' using message = 'somebody else has taken this voicemail',
      hint = 'Set it to new first, or assign it to another person.';
  end if;
  return null;
end
$function$

CREATE OR REPLACE FUNCTION public.write_audit()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  v_before constant jsonb := case when tg_op = 'INSERT' then '{}' else to_jsonb(old) end;
  v_after constant jsonb := case when tg_op = 'DELETE' then '{}' else to_jsonb(new) end;
  v_kept constant text[] := tg_argv[1]::text[];
  v_user uuid := auth.uid();
  v_owner uuid := public.current_owner();
begin
  if v_user is null and v_after ->> tg_argv[2] ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    v_user := (v_after ->> tg_argv[2])::uuid;
    select m.owner into v_owner from public.members as m where m.user_id = v_user;
  end if;
  if v_user is null or v_owner is null then
    return null;
  end if;
  insert into public.audit_log (owner, user_id, action, object, key, changes)
  select v_owner, v_user, lower(tg_op), tg_table_name, coalesce(v_after ->> tg_argv[0], v_before ->> tg_argv[0]), coalesce(
    jsonb_object_agg(c.name, case when c.name = any (v_kept) then jsonb_build_array(v_before -> c.name, v_after -> c.name) end),
    '{}'
  )
  from (select jsonb_object_keys(v_before || v_after) as name) as c
  where v_before -> c.name is distinct from v_after -> c.name
    and coalesce(nullif(v_before -> c.name, 'null'), nullif(v_after -> c.name, 'null')) is not null;
  return null;
end
$function$

-- Triggers

CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.agent_questions FOR EACH ROW EXECUTE FUNCTION write_audit('id', '{dismissed}', '');

CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.calendar_overrides FOR EACH ROW EXECUTE FUNCTION write_audit('calendar', '{state,until}', 'set_by');

CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.call_flow_pointers FOR EACH ROW EXECUTE FUNCTION write_audit('flow_id', '{version}', 'moved_by');

CREATE TRIGGER audited AFTER UPDATE ON public.call_flows FOR EACH ROW WHEN (((old.draft IS NULL) <> (new.draft IS NULL))) EXECUTE FUNCTION write_audit('name', '{}', 'drafted_by');

CREATE TRIGGER call_logs_unroll_delete AFTER DELETE ON public.call_logs FOR EACH ROW WHEN ((old.started_at < (now() - '00:10:00'::interval))) EXECUTE FUNCTION unroll_call_hours();

CREATE TRIGGER call_logs_unroll_insert AFTER INSERT ON public.call_logs FOR EACH ROW WHEN ((new.started_at < (now() - '00:10:00'::interval))) EXECUTE FUNCTION unroll_call_hours();

CREATE TRIGGER call_logs_unroll_truncate AFTER TRUNCATE ON public.call_logs FOR EACH STATEMENT EXECUTE FUNCTION unroll_call_hours();

CREATE TRIGGER call_logs_unroll_update AFTER UPDATE ON public.call_logs FOR EACH ROW WHEN ((LEAST(old.started_at, new.started_at) < (now() - '00:10:00'::interval))) EXECUTE FUNCTION unroll_call_hours();

CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.call_notes FOR EACH ROW EXECUTE FUNCTION write_audit('id', '{}', '');

CREATE TRIGGER call_notes_indexed AFTER INSERT OR DELETE OR UPDATE ON public.call_notes FOR EACH ROW EXECUTE FUNCTION index_row('note');

CREATE TRIGGER call_notes_owned BEFORE INSERT ON public.call_notes FOR EACH ROW EXECUTE FUNCTION own_by_call();

CREATE TRIGGER call_notes_touched BEFORE UPDATE ON public.call_notes FOR EACH ROW EXECUTE FUNCTION touch();

CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.call_tags FOR EACH ROW EXECUTE FUNCTION write_audit('tag', '{tag}', '');

CREATE TRIGGER call_tags_owned BEFORE INSERT ON public.call_tags FOR EACH ROW EXECUTE FUNCTION own_by_call();

CREATE TRIGGER campaign_contacts_added AFTER INSERT ON public.campaign_contacts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_contacts();

CREATE TRIGGER campaign_contacts_changed AFTER UPDATE ON public.campaign_contacts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_contacts();

CREATE TRIGGER campaign_contacts_removed AFTER DELETE ON public.campaign_contacts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION count_contacts();

CREATE TRIGGER contact_messages_indexed AFTER INSERT OR DELETE ON public.contact_messages FOR EACH ROW EXECUTE FUNCTION index_row('message');

CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.contacts FOR EACH ROW EXECUTE FUNCTION write_audit('id', '{blocked}', '');

CREATE TRIGGER contacts_forgotten AFTER DELETE ON public.contacts FOR EACH ROW WHEN ((old.name IS NOT NULL)) EXECUTE FUNCTION forget_searches_for_contact();

CREATE TRIGGER contacts_indexed AFTER INSERT ON public.contacts FOR EACH ROW WHEN ((NOT new.bare)) EXECUTE FUNCTION index_row('contact');

CREATE TRIGGER contacts_reindexed AFTER UPDATE ON public.contacts FOR EACH ROW WHEN (((NOT old.bare) OR (NOT new.bare))) EXECUTE FUNCTION index_row('contact');

CREATE TRIGGER contacts_touched BEFORE UPDATE ON public.contacts FOR EACH ROW EXECUTE FUNCTION touch();

CREATE TRIGGER contacts_unindexed AFTER DELETE ON public.contacts FOR EACH ROW WHEN ((NOT old.bare)) EXECUTE FUNCTION index_row('contact');

CREATE TRIGGER dial_rates_changed BEFORE UPDATE OF per_second ON public.dial_rates FOR EACH ROW WHEN ((new.per_second <> old.per_second)) EXECUTE FUNCTION change_dial_rate();

CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.knowledge_entries FOR EACH ROW EXECUTE FUNCTION write_audit('id', '{language}', '');

CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.members FOR EACH ROW EXECUTE FUNCTION write_audit('id', '{role}', '');

CREATE TRIGGER members_gone AFTER DELETE ON public.members FOR EACH ROW WHEN ((old.user_id IS NOT NULL)) EXECUTE FUNCTION drop_searches_of_member();

CREATE TRIGGER members_invited BEFORE INSERT ON public.members FOR EACH ROW EXECUTE FUNCTION invite_member();

CREATE CONSTRAINT TRIGGER members_keep_an_owner AFTER DELETE OR UPDATE ON public.members NOT DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW EXECUTE FUNCTION keep_an_owner();

CREATE TRIGGER members_mailed AFTER INSERT ON public.members FOR EACH ROW EXECUTE FUNCTION invite_member();

CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.people FOR EACH ROW EXECUTE FUNCTION write_audit('id', '{handle,available,dnd_until,member_id}', '');

CREATE TRIGGER people_checked BEFORE INSERT OR UPDATE ON public.people FOR EACH ROW EXECUTE FUNCTION check_person();

CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.prompts FOR EACH ROW EXECUTE FUNCTION write_audit('hash', '{mime,seconds}', 'stored_by');

CREATE TRIGGER search_alerts_limited AFTER INSERT ON public.search_alerts FOR EACH ROW EXECUTE FUNCTION limit_alerts();

CREATE TRIGGER search_documents_gone AFTER DELETE ON public.search_documents REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_words();

CREATE TRIGGER suppressions_stop_campaigns AFTER INSERT ON public.suppressions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION stop_campaign_contacts();

CREATE TRIGGER audited AFTER INSERT OR DELETE OR UPDATE ON public.voicemail_steps FOR EACH ROW EXECUTE FUNCTION write_audit('id', '{state,assigned_to}', '');

CREATE TRIGGER voicemail_steps_done AFTER INSERT ON public.voicemail_steps FOR EACH ROW EXECUTE FUNCTION work_on_voicemail();

CREATE TRIGGER voicemail_steps_owned BEFORE INSERT ON public.voicemail_steps FOR EACH ROW EXECUTE FUNCTION own_by_call();

-- Views

create view active_calls with (security_invoker=true) as
 SELECT call_sid,
    from_e164,
    to_e164,
    mode,
    status,
    consent_given,
    started_at,
    (GREATEST((0)::numeric, EXTRACT(epoch FROM (now() - started_at))))::integer AS duration_seconds
   FROM call_logs
  WHERE (disposition IS NULL);

create view agent_calls with (security_invoker=true) as
 SELECT s.call_sid,
    s.node,
    (min((s.org_id)::text))::uuid AS org_id,
    min((s.line)::text) AS line,
    max(s.flow_version) AS flow_version,
    min(s.opened_at) AS started_at,
    max(s.ended_at) AS ended_at,
    (round(sum(EXTRACT(epoch FROM (COALESCE(s.ended_at, s.seen_at) - s.opened_at)))))::integer AS seconds,
    (count(*))::integer AS sessions,
    (array_agg(s.language ORDER BY s.opened_at DESC))[1] AS language,
    (array_agg(s.outcome ORDER BY s.opened_at DESC))[1] AS outcome,
    (array_agg(s.reason ORDER BY s.opened_at DESC))[1] AS reason,
    sum(s.cost_usd) AS cost_usd,
    (sum(t.caller_turns))::integer AS caller_turns,
    (sum(t.agent_turns))::integer AS agent_turns,
    (sum(t.failures))::integer AS failures
   FROM (agent_sessions s
     CROSS JOIN LATERAL ( SELECT count(*) FILTER (WHERE (a.kind = 'caller'::text)) AS caller_turns,
            count(*) FILTER (WHERE (a.kind = 'agent'::text)) AS agent_turns,
            count(*) FILTER (WHERE (a.kind = 'failure'::text)) AS failures
           FROM agent_turns a
          WHERE (a.session_id = s.session_id)) t)
  GROUP BY s.call_sid, s.node;

create view agent_cost_by_day with (security_invoker=true) as
 SELECT ((t.at AT TIME ZONE 'UTC'::text))::date AS day,
    t.org_id,
    s.line,
    t.model,
    (count(*))::integer AS answers,
    sum(t.tokens_in) AS tokens_in,
    sum(t.tokens_out) AS tokens_out,
    sum(t.cost_usd) AS cost_usd
   FROM (agent_turns t
     JOIN agent_sessions s ON ((s.session_id = t.session_id)))
  WHERE ((t.kind = 'agent'::text) AND (t.model IS NOT NULL))
  GROUP BY (((t.at AT TIME ZONE 'UTC'::text))::date), t.org_id, s.line, t.model;

create view agent_handoffs with (security_invoker=true) as
 SELECT t.call_sid,
    t.org_id,
    t.at,
    t.node,
    t.outcome,
    t.reason,
        CASE
            WHEN (t.outcome ~~ 'departments.%'::text) THEN split_part(t.outcome, '.'::text, 2)
            ELSE NULL::text
        END AS department,
    (w.tool_arguments ->> 'summary'::text) AS summary,
    l.result,
    l.answered_at,
    l.accepted_at
   FROM ((agent_turns t
     LEFT JOIN LATERAL ( SELECT a.tool_arguments
           FROM agent_turns a
          WHERE ((a.session_id = t.session_id) AND (a.tool = 'transfer'::text) AND (a.id < t.id))
          ORDER BY a.id DESC
         LIMIT 1) w ON ((t.outcome ~~ 'departments.%'::text)))
     LEFT JOIN LATERAL ( SELECT g.result,
            g.answered_at,
            g.accepted_at
           FROM call_legs g
          WHERE ((g.call_sid = t.call_sid) AND (g.dialled_at >= (t.at - '00:01:00'::interval)))
          ORDER BY (g.accepted_at IS NULL), (g.answered_at IS NULL), g.dialled_at DESC
         LIMIT 1) l ON (true))
  WHERE ((t.kind = 'left'::text) AND (t.outcome <> 'resume'::text) AND (t.outcome <> 'done'::text));

create view agent_provider_health with (security_invoker=true) as
 SELECT p.provider,
    p.failures AS failures_in_a_row,
    p.failed_at,
    p.answered_at,
    p.rests_until,
        CASE
            WHEN (p.rests_until > now()) THEN 'resting'::text
            WHEN (p.failures > 0) THEN 'failing'::text
            ELSE 'healthy'::text
        END AS state,
    h.answers AS answers_last_hour,
    h.failures AS failures_last_hour,
    h.first_token_p95_ms
   FROM (agent_providers p
     CROSS JOIN LATERAL ( SELECT (count(*) FILTER (WHERE (t.kind = 'agent'::text)))::integer AS answers,
            (count(*) FILTER (WHERE (t.kind = 'failure'::text)))::integer AS failures,
            percentile_disc((0.95)::double precision) WITHIN GROUP (ORDER BY t.first_token_ms) FILTER (WHERE (t.kind = 'agent'::text)) AS first_token_p95_ms
           FROM agent_turns t
          WHERE ((t.kind = ANY (ARRAY['agent'::text, 'failure'::text])) AND (t.provider = p.provider) AND (t.at > (now() - '01:00:00'::interval)))) h);

create view agent_turn_latency with (security_invoker=true) as
 SELECT date_trunc('hour'::text, at) AS hour,
    org_id,
    model,
    provider,
    (count(*))::integer AS answers,
    percentile_disc((0.5)::double precision) WITHIN GROUP (ORDER BY first_token_ms) AS first_token_p50_ms,
    percentile_disc((0.95)::double precision) WITHIN GROUP (ORDER BY first_token_ms) AS first_token_p95_ms,
    max(first_token_ms) AS first_token_max_ms,
    percentile_disc((0.5)::double precision) WITHIN GROUP (ORDER BY total_ms) AS total_p50_ms,
    percentile_disc((0.95)::double precision) WITHIN GROUP (ORDER BY total_ms) AS total_p95_ms
   FROM agent_turns t
  WHERE ((kind = 'agent'::text) AND (model IS NOT NULL) AND (at > (now() - '7 days'::interval)))
  GROUP BY (date_trunc('hour'::text, at)), org_id, model, provider;

create view agent_unanswered_questions with (security_invoker=true) as
 SELECT id,
    org_id,
    language,
    question,
    asked,
    first_at,
    last_at,
    call_sid
   FROM agent_questions q
  WHERE ((NOT dismissed) AND (NOT (EXISTS ( SELECT
           FROM knowledge_entries k
          WHERE ((k.owner = q.owner) AND (k.language = q.language) AND (lower(k.question) = lower(q.question)))))));

create view alert_history with (security_invoker=true) as
 SELECT id,
    alert,
    severity,
    threshold,
    opened_at,
    opened_value,
    closed_at,
    closed_value,
    ( SELECT count(*) AS count
           FROM jobs j
          WHERE ((j.kind = ANY (ARRAY['alert_pagerduty'::text, 'alert_slack'::text, 'mail_alert'::text])) AND (j.status <> 'done'::text) AND (j.key = ANY (ARRAY[format('alert/%s/fired'::text, e.id), format('alert/%s/recovered'::text, e.id)])))) AS undelivered
   FROM alert_episodes e
  WHERE ((closed_at IS NULL) OR (closed_at > (now() - '30 days'::interval)))
  ORDER BY opened_at DESC;

create view alert_status with (security_invoker=true) as
 SELECT r.alert,
    r.severity,
    v.value,
    r.threshold,
    r.window_minutes,
    COALESCE(
        CASE r.comparison
            WHEN 'above'::text THEN (v.value > r.threshold)
            WHEN 'below'::text THEN (v.value < r.threshold)
            ELSE (v.value >= r.threshold)
        END, false) AS firing,
    r.unit,
    r.summary,
    r.action,
    alert_measured(v.value, r.unit, r.comparison, r.threshold) AS measured
   FROM ((alert_rules r
     CROSS JOIN LATERAL ( SELECT make_interval(mins => r.window_minutes) AS span,
            make_interval(mins => (r.window_minutes + 1)) AS minutes) w)
     CROSS JOIN LATERAL ( SELECT
                CASE r.alert
                    WHEN 'system_unhealthy'::text THEN ( SELECT
                            CASE
                                WHEN (max(h.checked_at) > (now() - w.span)) THEN COALESCE(round((EXTRACT(epoch FROM (now() - min(h.checked_at) FILTER (WHERE (h.checked_at > COALESCE(( SELECT max(ok.checked_at) AS max
                                   FROM health_checks ok
                                  WHERE ok.healthy), '-infinity'::timestamp with time zone))))) / (60)::numeric), 2), (0)::numeric)
                                ELSE NULL::numeric
                            END AS "case"
                       FROM health_checks h
                      WHERE (h.checked_at > (now() - '1 day'::interval)))
                    WHEN 'call_concurrency'::text THEN (( SELECT h.refused_calls
                       FROM health_checks h
                      WHERE ((h.refused_calls IS NOT NULL) AND (h.checked_at > (now() - '00:10:00'::interval)))
                      ORDER BY h.checked_at DESC
                     LIMIT 1))::numeric
                    WHEN 'call_success_rate'::text THEN ( SELECT s.success_rate_pct
                       FROM call_success((now() - w.span)) s(total_calls, active_calls, completed_calls, failed_calls, abandoned_calls, rate_limited_calls, success_rate_pct, avg_call_duration_sec)
                      WHERE ((s.completed_calls + s.failed_calls) >= r.minimum))
                    WHEN 'average_call_duration'::text THEN ( SELECT round((s.avg_call_duration_sec / (60)::numeric), 2) AS round
                       FROM call_success((now() - w.span)) s(total_calls, active_calls, completed_calls, failed_calls, abandoned_calls, rate_limited_calls, success_rate_pct, avg_call_duration_sec)
                      WHERE ((s.completed_calls + s.failed_calls) >= r.minimum))
                    WHEN 'function_errors'::text THEN (( SELECT max(m.errors) AS max
                       FROM ( SELECT sum(function_metrics.errors) AS errors
                               FROM function_metrics
                              WHERE ((function_metrics.minute > (now() - w.minutes)) AND (function_metrics.minute > (now() - '02:00:00'::interval)))
                              GROUP BY function_metrics.minute) m))::numeric
                    WHEN 'database_failures'::text THEN (( SELECT sum(function_metrics.database_failures) AS sum
                       FROM function_metrics
                      WHERE ((function_metrics.minute > (now() - w.minutes)) AND (function_metrics.minute > (now() - '02:00:00'::interval)))))::numeric
                    WHEN 'tenant_lookups'::text THEN (( SELECT count(*) AS count
                       FROM analytics_events
                      WHERE ((analytics_events.created_at > (now() - w.span)) AND (analytics_events.severity = 'error'::text) AND (analytics_events.event_type ~~ 'tenant\_%'::text))))::numeric
                    WHEN 'error_rate'::text THEN ( SELECT round(((100.0 * (sum(function_metrics.errors))::numeric) / (NULLIF(sum(function_metrics.requests), 0))::numeric), 2) AS round
                       FROM function_metrics
                      WHERE ((function_metrics.minute > (now() - w.minutes)) AND (function_metrics.minute > (now() - '02:00:00'::interval)))
                     HAVING (sum(function_metrics.requests) >= r.minimum))
                    WHEN 'response_time'::text THEN ( SELECT round((latency_quantile((0.95)::double precision, ARRAY[sum(function_metrics.le_50), sum(function_metrics.le_100), sum(function_metrics.le_250), sum(function_metrics.le_500), sum(function_metrics.le_1000), sum(function_metrics.le_2000), sum(function_metrics.le_5000), sum(function_metrics.requests)]) / (1000)::numeric), 3) AS round
                       FROM function_metrics
                      WHERE ((function_metrics.minute > (now() - w.minutes)) AND (function_metrics.minute > (now() - '02:00:00'::interval)))
                     HAVING (sum(function_metrics.requests) >= r.minimum))
                    WHEN 'database_connections'::text THEN ( SELECT round(((100.0 * (c.used)::numeric) / (c.allowed)::numeric), 2) AS round
                       FROM database_connections() c(used, allowed))
                    WHEN 'voicemail_backlog'::text THEN (( SELECT count(*) AS count
                       FROM recordings
                      WHERE ((recordings.source = 'voicemail'::text) AND (recordings.handled_at IS NULL) AND (recordings.deleted_at IS NULL))))::numeric
                    WHEN 'rate_limit_violations'::text THEN (( SELECT COALESCE(sum(rate_limit_refusals.refusals), (0)::bigint) AS "coalesce"
                       FROM rate_limit_refusals
                      WHERE ((rate_limit_refusals.minute > (now() - w.span)) AND (rate_limit_refusals.minute > (now() - '02:00:00'::interval)) AND (rate_limit_refusals.identifier_type <> 'everyone'::text))))::numeric
                    WHEN 'mail_ceiling'::text THEN (( SELECT COALESCE(sum(rate_limit_refusals.refusals), (0)::bigint) AS "coalesce"
                       FROM rate_limit_refusals
                      WHERE ((rate_limit_refusals.minute > (now() - w.span)) AND (rate_limit_refusals.minute > (now() - '02:00:00'::interval)) AND (rate_limit_refusals.identifier_type = 'everyone'::text))))::numeric
                    WHEN 'jobs_dead'::text THEN (( SELECT count(*) AS count
                       FROM jobs
                      WHERE ((jobs.status = 'dead'::text) AND (jobs.ended_at > (now() - w.span)) AND (jobs.ended_at > (now() - '02:00:00'::interval)))))::numeric
                    WHEN 'dialled_minutes'::text THEN ( SELECT COALESCE(max(round(((100.0 * ((d.seconds + (d.open * d.leg_sec)))::numeric) / (d.ceiling_sec)::numeric), 2)), (0)::numeric) AS "coalesce"
                       FROM dialled_time d
                      WHERE (d.day = ((now() AT TIME ZONE 'UTC'::text))::date))
                    WHEN 'onboarding_stuck'::text THEN (( SELECT count(*) AS count
                       FROM telephony_transactions
                      WHERE ((telephony_transactions.status = ANY (ARRAY['in_progress'::text, 'failed'::text])) AND (telephony_transactions.started_at < (now() - '01:00:00'::interval)))))::numeric
                    WHEN 'failed_transactions'::text THEN (( SELECT count(*) AS count
                       FROM telephony_transactions
                      WHERE ((telephony_transactions.status = ANY (ARRAY['failed'::text, 'rolled_back'::text])) AND (telephony_transactions.completed_at > (now() - w.span)) AND (telephony_transactions.completed_at > (now() - '02:00:00'::interval)))))::numeric
                    WHEN 'calls_unsettled'::text THEN (( SELECT count(*) AS count
                       FROM call_logs
                      WHERE (call_logs.incomplete AND (call_logs.ended_at < (now() - w.span)))))::numeric
                    WHEN 'recordings_undeleted'::text THEN (( SELECT count(*) AS count
                       FROM jobs
                      WHERE ((jobs.kind = 'twilio_deletion'::text) AND (jobs.ended_at IS NULL) AND (jobs.created_at < (now() -
                            CASE
                                WHEN (jobs.key ~~ 'RE%'::text) THEN '1 day'::interval
                                ELSE '15 days'::interval
                            END)))))::numeric
                    ELSE NULL::numeric
                END AS value) v)
  ORDER BY r.severity, r.alert;

create view call_funnel with (security_invoker=true) as
 WITH counted AS (
         SELECT (COALESCE(sum(call_counts.calls), (0)::numeric))::bigint AS arrived,
            (COALESCE((sum(call_counts.consented) + sum(call_counts.opted_out)), (0)::numeric))::bigint AS consent_decided,
            (COALESCE(sum(call_counts.calls) FILTER (WHERE (call_counts.mode <> 'menu'::text)), (0)::numeric))::bigint AS chose,
            (COALESCE(sum(call_counts.dialled), (0)::numeric))::bigint AS dialled,
            (COALESCE(sum(call_counts.answered), (0)::numeric))::bigint AS answered,
            (COALESCE(sum(call_counts.calls) FILTER (WHERE (call_counts.disposition = 'voicemail'::text)), (0)::numeric))::bigint AS voicemail,
            (COALESCE(sum(call_counts.calls) FILTER (WHERE (call_counts.disposition = 'abandoned'::text)), (0)::numeric))::bigint AS abandoned,
            (COALESCE(sum(call_counts.calls) FILTER (WHERE (call_counts.disposition = 'failed'::text)), (0)::numeric))::bigint AS failed,
            (COALESCE(sum(call_counts.calls) FILTER (WHERE (call_counts.disposition = 'rate_limited'::text)), (0)::numeric))::bigint AS rate_limited
           FROM call_counts((now() - '24:00:00'::interval)) call_counts(hour, mode, disposition, hung_up_at, calls, consented, opted_out, dialled, answered, timed, seconds, rang, ring_seconds, longest_ring_seconds)
        )
 SELECT s."position",
    s.stage,
    s.calls,
    round(((100.0 * (s.calls)::numeric) / (NULLIF(c.arrived, 0))::numeric), 2) AS pct_of_arrived
   FROM counted c,
    LATERAL ( VALUES (1,'arrived'::text,c.arrived), (2,'consent_decided'::text,c.consent_decided), (3,'chose'::text,c.chose), (4,'dialled'::text,c.dialled), (5,'answered'::text,c.answered), (6,'voicemail'::text,c.voicemail), (7,'abandoned'::text,c.abandoned), (8,'failed'::text,c.failed), (9,'rate_limited'::text,c.rate_limited)) s("position", stage, calls)
  ORDER BY s."position";

create view call_hangups with (security_invoker=true) as
 SELECT hung_up_at AS stage,
    (sum(calls))::bigint AS calls
   FROM call_counts((now() - '24:00:00'::interval)) call_counts(hour, mode, disposition, hung_up_at, calls, consented, opted_out, dialled, answered, timed, seconds, rang, ring_seconds, longest_ring_seconds)
  WHERE (hung_up_at IS NOT NULL)
  GROUP BY hung_up_at
  ORDER BY ((sum(calls))::bigint) DESC, hung_up_at;

create view call_success_metrics with (security_invoker=true) as
 SELECT total_calls,
    active_calls,
    completed_calls,
    failed_calls,
    abandoned_calls,
    rate_limited_calls,
    success_rate_pct,
    avg_call_duration_sec
   FROM call_success((now() - '01:00:00'::interval)) call_success(total_calls, active_calls, completed_calls, failed_calls, abandoned_calls, rate_limited_calls, success_rate_pct, avg_call_duration_sec);

create view call_success_metrics_24h with (security_invoker=true) as
 SELECT total_calls,
    active_calls,
    completed_calls,
    failed_calls,
    abandoned_calls,
    rate_limited_calls,
    success_rate_pct,
    avg_call_duration_sec
   FROM call_success((now() - '24:00:00'::interval)) call_success(total_calls, active_calls, completed_calls, failed_calls, abandoned_calls, rate_limited_calls, success_rate_pct, avg_call_duration_sec);

create view call_volume_hourly with (security_invoker=true) as
 SELECT hour,
    (sum(calls))::bigint AS total_calls,
    (COALESCE(sum(calls) FILTER (WHERE (mode = 'sales'::text)), (0)::numeric))::bigint AS sales_calls,
    (COALESCE(sum(calls) FILTER (WHERE (mode = 'support'::text)), (0)::numeric))::bigint AS support_calls,
    (COALESCE(sum(calls) FILTER (WHERE (mode = 'voicemail'::text)), (0)::numeric))::bigint AS voicemail_calls,
    (COALESCE(sum(calls) FILTER (WHERE (disposition = ANY (ARRAY['connected'::text, 'voicemail'::text]))), (0)::numeric))::bigint AS completed_calls,
    (COALESCE(sum(calls) FILTER (WHERE (disposition = ANY (ARRAY['failed'::text, 'abandoned'::text]))), (0)::numeric))::bigint AS failed_calls,
    round((sum(seconds) / NULLIF(sum(timed), (0)::numeric)), 1) AS avg_duration_sec
   FROM call_counts((now() - '7 days'::interval)) call_counts(hour, mode, disposition, hung_up_at, calls, consented, opted_out, dialled, answered, timed, seconds, rang, ring_seconds, longest_ring_seconds)
  GROUP BY hour
  ORDER BY hour DESC;

create view callbacks_due with (security_invoker=true) as
 SELECT id,
    org_id,
    group_name,
    call_sid,
    to_e164,
    line,
    queued_at,
    promised_at,
    due_at,
    tries,
    max_tries,
    state,
    why,
    row_number() OVER (PARTITION BY owner, group_name, state ORDER BY queued_at, id) AS place
   FROM callbacks k
  WHERE ((state = 'open'::text) OR ((state = 'failed'::text) AND (ended_at > (now() - '7 days'::interval))))
  ORDER BY state DESC, queued_at;

create view calls_by_day with (security_invoker=true) as
 SELECT ((hour AT TIME ZONE 'UTC'::text))::date AS day,
    (sum(calls))::bigint AS total_calls,
    (COALESCE(sum(calls) FILTER (WHERE (disposition = 'connected'::text)), (0)::numeric))::bigint AS connected_calls,
    (COALESCE(sum(calls) FILTER (WHERE (disposition = 'voicemail'::text)), (0)::numeric))::bigint AS voicemail_calls,
    (COALESCE(sum(calls) FILTER (WHERE (disposition = ANY (ARRAY['abandoned'::text, 'failed'::text]))), (0)::numeric))::bigint AS failed_calls,
    (COALESCE(sum(calls) FILTER (WHERE (disposition = 'rate_limited'::text)), (0)::numeric))::bigint AS rate_limited_calls,
    round((sum(seconds) FILTER (WHERE (disposition <> 'rate_limited'::text)) / NULLIF(sum(timed) FILTER (WHERE (disposition <> 'rate_limited'::text)), (0)::numeric)), 1) AS avg_duration_sec
   FROM call_counts((now() - '30 days'::interval)) call_counts(hour, mode, disposition, hung_up_at, calls, consented, opted_out, dialled, answered, timed, seconds, rang, ring_seconds, longest_ring_seconds)
  GROUP BY (((hour AT TIME ZONE 'UTC'::text))::date)
  ORDER BY (((hour AT TIME ZONE 'UTC'::text))::date) DESC;

create view calls_by_hour_of_day with (security_invoker=true) as
 SELECT (EXTRACT(hour FROM (hour AT TIME ZONE 'UTC'::text)))::integer AS hour_of_day,
    (sum(calls))::bigint AS total_calls,
    round((sum(calls) / 28.0), 2) AS calls_per_day,
    (COALESCE(sum(calls) FILTER (WHERE (disposition = 'connected'::text)), (0)::numeric))::bigint AS connected_calls,
    (COALESCE(sum(calls) FILTER (WHERE (disposition = 'voicemail'::text)), (0)::numeric))::bigint AS voicemail_calls,
    (COALESCE(sum(calls) FILTER (WHERE (disposition = ANY (ARRAY['abandoned'::text, 'failed'::text]))), (0)::numeric))::bigint AS failed_calls
   FROM call_counts((now() - '28 days'::interval)) call_counts(hour, mode, disposition, hung_up_at, calls, consented, opted_out, dialled, answered, timed, seconds, rang, ring_seconds, longest_ring_seconds)
  GROUP BY ((EXTRACT(hour FROM (hour AT TIME ZONE 'UTC'::text)))::integer)
  ORDER BY ((EXTRACT(hour FROM (hour AT TIME ZONE 'UTC'::text)))::integer);

create view campaign_compliance with (security_invoker=true) as
 SELECT d.campaign_id,
    c.org_id,
    c.name AS campaign,
    c.consent,
    (date_trunc('day'::text, d.dialled_at, 'UTC'::text))::date AS day,
    count(*) AS dials,
    count(*) FILTER (WHERE (d.result = 'answered'::text)) AS answered,
    count(*) FILTER (WHERE (d.result = 'machine'::text)) AS machine,
    count(*) FILTER (WHERE (d.result = 'abandoned'::text)) AS abandoned,
    round(((100.0 * (count(*) FILTER (WHERE (d.result = 'abandoned'::text)))::numeric) / (NULLIF(count(*) FILTER (WHERE (d.result = ANY (ARRAY['answered'::text, 'abandoned'::text]))), 0))::numeric), 2) AS abandoned_pct,
    count(*) FILTER (WHERE (d.consent_at IS NOT NULL)) AS with_consent_on_record
   FROM (campaign_dials d
     JOIN campaigns c ON ((c.id = d.campaign_id)))
  GROUP BY d.campaign_id, c.id, ((date_trunc('day'::text, d.dialled_at, 'UTC'::text))::date);

create view campaign_live with (security_invoker=true) as
 SELECT c.id AS campaign_id,
    c.org_id,
    c.name,
    c.mode,
    c.state,
    c.started_at,
    c.ended_at,
    (COALESCE(sum(f.change) FILTER (WHERE (f.figure <> 'dialled'::text)), (0)::bigint))::integer AS contacts,
    (COALESCE(sum(f.change) FILTER (WHERE (f.figure = 'waiting'::text)), (0)::bigint))::integer AS waiting,
    (COALESCE(sum(f.change) FILTER (WHERE (f.figure = 'dialled'::text)), (0)::bigint))::integer AS dialled,
    (COALESCE(sum(f.change) FILTER (WHERE (f.figure = 'ringing'::text)), (0)::bigint))::integer AS ringing,
    (COALESCE(sum(f.change) FILTER (WHERE (f.figure = 'answered'::text)), (0)::bigint))::integer AS answered,
    (COALESCE(sum(f.change) FILTER (WHERE (f.figure = 'machine'::text)), (0)::bigint))::integer AS machine,
    (COALESCE(sum(f.change) FILTER (WHERE (f.figure = 'busy'::text)), (0)::bigint))::integer AS busy,
    (COALESCE(sum(f.change) FILTER (WHERE (f.figure = 'no_answer'::text)), (0)::bigint))::integer AS no_answer,
    (COALESCE(sum(f.change) FILTER (WHERE (f.figure = 'failed'::text)), (0)::bigint))::integer AS failed,
    (COALESCE(sum(f.change) FILTER (WHERE (f.figure = 'opted_out'::text)), (0)::bigint))::integer AS opted_out,
    (COALESCE(sum(f.change) FILTER (WHERE (f.figure = 'suppressed'::text)), (0)::bigint))::integer AS suppressed,
    (COALESCE(sum(f.change) FILTER (WHERE (f.figure = 'abandoned'::text)), (0)::bigint))::integer AS abandoned,
    (COALESCE(sum(f.change) FILTER (WHERE (f.figure = 'unknown'::text)), (0)::bigint))::integer AS unknown
   FROM (campaigns c
     LEFT JOIN campaign_changes f ON ((f.campaign_id = c.id)))
  GROUP BY c.id;

create view campaign_results with (security_invoker=true) as
 SELECT k.campaign_id,
    c.org_id,
    c.name AS campaign,
    k.e164,
    k.name,
    k.state,
    k.tries,
    k.ends,
    k.due_at,
    last.dialled_at,
    last.answered_at,
    last.ended_at,
    last.line,
    last.leg_sid AS call_sid
   FROM ((campaign_contacts k
     JOIN campaigns c ON ((c.id = k.campaign_id)))
     LEFT JOIN LATERAL ( SELECT a.dialled_at,
            a.answered_at,
            a.ended_at,
            a.line,
            a.leg_sid
           FROM dial_attempts a
          WHERE ((a.contact_id = k.id) AND (a.dialled_at IS NOT NULL))
          ORDER BY a.id DESC
         LIMIT 1) last ON (true));

create view consent_metrics with (security_invoker=true) as
 SELECT (COALESCE(sum(calls), (0)::numeric))::bigint AS total_calls,
    (COALESCE(sum(consented), (0)::numeric))::bigint AS consented_calls,
    (COALESCE(sum(opted_out), (0)::numeric))::bigint AS opted_out_calls,
    round(((100.0 * sum(opted_out)) / NULLIF((sum(consented) + sum(opted_out)), (0)::numeric)), 2) AS opt_out_rate_pct
   FROM call_counts((now() - '24:00:00'::interval)) call_counts(hour, mode, disposition, hung_up_at, calls, consented, opted_out, dialled, answered, timed, seconds, rang, ring_seconds, longest_ring_seconds);

create view destination_performance with (security_invoker=true) as
 SELECT mode,
    (sum(dialled))::bigint AS dialled_calls,
    (sum(answered))::bigint AS answered_calls,
    round(((100.0 * sum(answered)) / sum(dialled)), 2) AS answer_rate_pct,
    round((sum(ring_seconds) / NULLIF(sum(rang), (0)::numeric)), 1) AS avg_seconds_to_answer,
    round(max(longest_ring_seconds), 1) AS max_seconds_to_answer
   FROM call_counts((now() - '7 days'::interval)) call_counts(hour, mode, disposition, hung_up_at, calls, consented, opted_out, dialled, answered, timed, seconds, rang, ring_seconds, longest_ring_seconds)
  WHERE (dialled > 0)
  GROUP BY mode
  ORDER BY mode;

create view failed_transactions with (security_invoker=true) as
 SELECT id,
    transaction_type,
    org_id,
    error_message,
    steps_completed,
    started_at,
    completed_at,
    (EXTRACT(epoch FROM (completed_at - started_at)))::numeric(12,3) AS duration_seconds
   FROM telephony_transactions
  WHERE (status = ANY (ARRAY['failed'::text, 'rolled_back'::text]))
  ORDER BY started_at DESC;

create view flow_funnel with (security_invoker=true) as
 WITH counted AS (
         SELECT f_1.version_id,
            f_1.node,
            f_1.outcome,
            f_1.calls,
            0 AS waiting
           FROM flow_counts f_1
        UNION ALL
         SELECT p.version_id,
            p.node,
            p.outcome,
            p.calls,
            0
           FROM paths_counted(COALESCE(( SELECT u.until
                   FROM flow_counts_until u), '-infinity'::timestamp with time zone), 'infinity'::timestamp with time zone) p(version_id, node, outcome, calls)
        UNION ALL
         SELECT ((c.at_node ->> 'version'::text))::bigint AS int8,
            (c.at_node ->> 'node'::text),
            NULL::text,
            0,
            count(*) AS count
           FROM call_logs c
          WHERE ((c.disposition IS NULL) AND ((c.at_node ? 'stays'::text) OR (NOT (c.at_node ? 'outcome'::text))))
          GROUP BY ((c.at_node ->> 'version'::text))::bigint, (c.at_node ->> 'node'::text)
        ), outcomes AS (
         SELECT counted.version_id,
            counted.node,
            counted.outcome,
            (sum(counted.calls))::bigint AS calls,
            (sum(counted.waiting))::bigint AS waiting
           FROM counted
          GROUP BY counted.version_id, counted.node, counted.outcome
        )
 SELECT f.org_id,
    f.name AS flow,
    v.version,
    o.node,
    (COALESCE(sum(o.calls) FILTER (WHERE (o.outcome IS NULL)), (0)::numeric))::bigint AS entered,
    COALESCE(jsonb_object_agg(o.outcome, o.calls) FILTER (WHERE (o.outcome IS NOT NULL)), '{}'::jsonb) AS outcomes,
    (COALESCE(sum(o.waiting), (0)::numeric))::bigint AS waiting,
    (GREATEST((0)::numeric, (COALESCE(sum(
        CASE
            WHEN (o.outcome IS NULL) THEN o.calls
            ELSE (- o.calls)
        END), (0)::numeric) - COALESCE(sum(o.waiting), (0)::numeric))))::bigint AS hung_up
   FROM ((outcomes o
     JOIN call_flow_versions v ON ((v.id = o.version_id)))
     JOIN call_flows f ON ((f.id = v.flow_id)))
  GROUP BY f.org_id, f.name, v.version, o.node;

create view ivr_interactions with (security_invoker=true) as
 SELECT l.call_sid AS session_id,
    (e.value ->> 'node'::text) AS node,
        CASE
            WHEN ((e.value ->> 'node'::text) = (l.meta ->> 'node'::text)) THEN COALESCE((l.meta ->> 'digits'::text), (l.meta ->> 'speech'::text))
            ELSE NULL::text
        END AS input,
    (e.value ->> 'outcome'::text) AS outcome,
    l.occurred_at AS at,
    l.id AS event_id,
    e.ordinality AS nth
   FROM (call_lifecycle l
     CROSS JOIN LATERAL jsonb_array_elements(COALESCE(l.path,
        CASE
            WHEN (l.meta ? 'node'::text) THEN jsonb_build_array(l.meta)
            ELSE NULL::jsonb
        END)) WITH ORDINALITY e(value, ordinality))
  WHERE (e.value ? 'outcome'::text);

create view ivr_sessions with (security_invoker=true) as
 SELECT c.call_sid AS session_id,
    c.org_id,
    COALESCE(f.name, 'default'::text) AS flow,
    v.version,
    COALESCE(c.disposition, 'active'::text) AS status,
    c.mode,
    c.started_at AS created_at,
    c.ended_at,
    c.duration_sec,
    (c.at_node ->> 'node'::text) AS node
   FROM ((call_logs c
     LEFT JOIN call_flow_versions v ON ((v.id = c.flow_version)))
     LEFT JOIN call_flows f ON ((f.id = v.flow_id)))
  WHERE (c.direction = 'inbound'::text);

create view job_lanes with (security_invoker=true) as
 SELECT k.kind,
    k.worker,
    (p.priority)::smallint AS priority,
    GREATEST(first.run_at, k.held_until) AS due_at
   FROM ((job_kinds k
     CROSS JOIN generate_series(0, 3) p(priority))
     CROSS JOIN LATERAL ( SELECT j.run_at
           FROM jobs j
          WHERE ((j.kind = k.kind) AND (j.priority = p.priority) AND (j.ended_at IS NULL))
          ORDER BY j.run_at
         LIMIT 1) first);

create view jobs_dead with (security_invoker=true) as
 SELECT id,
    kind,
    key,
    payload,
    attempts,
    last_error,
    created_at,
    attempted_at,
    ended_at
   FROM jobs
  WHERE (status = 'dead'::text)
  ORDER BY ended_at;

create view jobs_waiting with (security_invoker=true) as
 SELECT k.kind,
    k.worker,
    count(*) FILTER (WHERE (j.status = 'waiting'::text)) AS waiting,
    count(*) FILTER (WHERE ((j.run_at <= now()) AND COALESCE((k.held_until <= now()), true))) AS due,
    count(*) FILTER (WHERE ((j.status = 'running'::text) AND (j.run_at > now()))) AS running,
    COALESCE(max(j.attempts), 0) AS most_attempts,
    min(j.created_at) AS oldest_at,
    (COALESCE(EXTRACT(epoch FROM (now() - min(j.created_at))), (0)::numeric))::integer AS oldest_seconds,
        CASE
            WHEN (k.held_until > now()) THEN k.held_until
            ELSE NULL::timestamp with time zone
        END AS held_until,
        CASE
            WHEN (k.held_until > now()) THEN k.held_for
            ELSE NULL::text
        END AS held_for,
    ( SELECT count(*) AS count
           FROM jobs d
          WHERE ((d.kind = k.kind) AND (d.status = 'dead'::text))) AS dead
   FROM (job_kinds k
     LEFT JOIN jobs j ON (((j.kind = k.kind) AND (j.ended_at IS NULL))))
  GROUP BY k.kind
  ORDER BY k.worker, k.priority, k.kind;

create view leg_results with (security_invoker=true) as
 SELECT node,
    count(*) AS legs,
    count(*) FILTER (WHERE (result = 'accepted'::text)) AS accepted,
    count(*) FILTER (WHERE (result = 'declined'::text)) AS declined,
    count(*) FILTER (WHERE (result = 'mailbox'::text)) AS mailbox,
    count(*) FILTER (WHERE (result = 'taken'::text)) AS taken,
    count(*) FILTER (WHERE (result = 'caller_left'::text)) AS caller_left,
    count(*) FILTER (WHERE (result = 'busy'::text)) AS busy,
    count(*) FILTER (WHERE (result = 'no_answer'::text)) AS no_answer,
    count(*) FILTER (WHERE (result = 'unreachable'::text)) AS unreachable,
    count(*) FILTER (WHERE (result = 'canceled'::text)) AS canceled,
    round(avg(EXTRACT(epoch FROM (connected_at - rang_at))) FILTER (WHERE (connected_at >= rang_at)), 1) AS avg_seconds_to_answer
   FROM call_legs
  WHERE (dialled_at > (now() - '24:00:00'::interval))
  GROUP BY node
  ORDER BY node;

create view missed_calls with (security_invoker=true) as
 SELECT c.org_id,
    c.call_sid,
    c.party AS from_e164,
    c.line,
    c.mode,
    c.started_at,
    q.group_name,
    q.waited_sec,
    c.last_step,
    (NOT was_missed(c.*)) AS settled,
    t.state AS text,
    m.state AS mail
   FROM (((call_logs c
     LEFT JOIN LATERAL ( SELECT (array_agg(e.group_name ORDER BY e.id DESC))[1] AS group_name,
            (sum(EXTRACT(epoch FROM (e.left_at - e.queued_at))))::integer AS waited_sec
           FROM queue_entries e
          WHERE (e.call_sid = c.call_sid)) q ON (true))
     LEFT JOIN LATERAL ( SELECT
                CASE
                    WHEN (j.status = 'done'::text) THEN
                    CASE
                        WHEN (j.result IS NULL) THEN 'not needed'::text
                        ELSE 'sent'::text
                    END
                    ELSE j.status
                END AS state
           FROM jobs j
          WHERE (((j.payload ->> 'call_sid'::text) = c.call_sid) AND (j.kind = 'missed_call_sms'::text))) t ON (true))
     LEFT JOIN LATERAL ( SELECT
                CASE
                    WHEN (j.status = 'done'::text) THEN
                    CASE
                        WHEN (j.result IS NULL) THEN 'not needed'::text
                        ELSE 'sent'::text
                    END
                    ELSE j.status
                END AS state
           FROM jobs j
          WHERE (((j.payload ->> 'call_sid'::text) = c.call_sid) AND (j.kind = 'mail_missed_call'::text))) m ON (true))
  WHERE ((c.disposition = 'abandoned'::text) AND (c.direction = 'inbound'::text) AND (c.started_at > (now() - '7 days'::interval)))
  ORDER BY c.started_at DESC;

create view number_provisioning_status with (security_invoker=true) as
 SELECT n.org_id,
    n.e164_number,
    n.country,
    s.business_name,
    s.subaccount_sid,
    n.provisioned_at,
    ( SELECT count(*) AS count
           FROM call_logs c
          WHERE (((c.line)::text = (n.e164_number)::text) AND (c.started_at > (now() - '24:00:00'::interval)))) AS calls_last_24h
   FROM (telephony_numbers n
     JOIN telephony_subaccounts s USING (org_id));

create view operations_now with (security_invoker=true) as
 SELECT ( SELECT count(*) AS count
           FROM call_logs
          WHERE (call_logs.disposition IS NULL)) AS active_calls,
    ( SELECT round(EXTRACT(epoch FROM (now() - min(call_logs.started_at)))) AS round
           FROM call_logs
          WHERE (call_logs.disposition IS NULL)) AS oldest_active_seconds,
    backlog.messages AS voicemail_backlog,
    backlog.oldest_hours AS oldest_voicemail_hours,
    ( SELECT COALESCE(sum(rate_limit_refusals.refusals), (0)::bigint) AS "coalesce"
           FROM rate_limit_refusals
          WHERE (rate_limit_refusals.minute > (now() - '01:00:00'::interval))) AS rate_limit_refusals_last_hour,
    ( SELECT count(*) AS count
           FROM telephony_transactions
          WHERE ((telephony_transactions.status = ANY (ARRAY['failed'::text, 'rolled_back'::text])) AND (telephony_transactions.completed_at > (now() - '01:00:00'::interval)))) AS failed_transactions_last_hour,
    jobs.due AS jobs_due,
    jobs.oldest_seconds AS oldest_due_job_seconds,
    ( SELECT count(*) AS count
           FROM jobs jobs_1
          WHERE (jobs_1.status = 'dead'::text)) AS jobs_dead,
    connections.used AS connections_used,
    connections.allowed AS connections_allowed
   FROM database_connections() connections(used, allowed),
    ( SELECT count(*) AS messages,
            round((EXTRACT(epoch FROM (now() - min(recordings.recorded_at))) / (3600)::numeric), 2) AS oldest_hours
           FROM recordings
          WHERE ((recordings.source = 'voicemail'::text) AND (recordings.handled_at IS NULL) AND (recordings.deleted_at IS NULL))) backlog,
    ( SELECT COALESCE(sum(d.jobs), (0)::numeric) AS due,
            round(EXTRACT(epoch FROM (now() - min(l.due_at)))) AS oldest_seconds
           FROM (job_lanes l
             CROSS JOIN LATERAL ( SELECT count(*) AS jobs
                   FROM jobs j
                  WHERE ((j.kind = l.kind) AND (j.priority = l.priority) AND (j.ended_at IS NULL) AND (j.run_at <= now()))) d)
          WHERE (l.due_at <= now())) jobs;

create view people_performance with (security_invoker=true) as
 WITH rung AS (
         SELECT a.org_id,
            a.to_e164,
            a.person_id,
            a.group_name,
            a.decided_at AS at,
            a.result,
            a.dialled_at,
            a.accepted_at,
            a.connected_at,
            a.ended_at,
            a.transfer
           FROM dial_attempts a
          WHERE (a.purpose <> ALL (ARRAY['verify'::text, 'campaign'::text]))
        UNION ALL
         SELECT c.org_id,
            l.to_e164,
            NULL::uuid,
            (n.node ->> 'group'::text),
            l.dialled_at,
            l.result,
            l.dialled_at,
            COALESCE(l.accepted_at, l.connected_at) AS "coalesce",
            l.connected_at,
            l.ended_at,
            NULL::text
           FROM (((call_legs l
             JOIN call_logs c ON ((c.call_sid = l.call_sid)))
             LEFT JOIN call_flow_versions v ON ((v.id = c.flow_version)))
             LEFT JOIN LATERAL ( SELECT ((v.steps -> 'nodes'::text) -> l.node) AS node) n ON (true))
          WHERE ((l.to_e164 IS NOT NULL) AND (NOT (EXISTS ( SELECT
                   FROM dial_attempts a
                  WHERE (a.leg_sid = l.leg_sid)))))
        )
 SELECT r.org_id,
    p.handle,
    COALESCE(p.name, (r.to_e164)::text) AS name,
    r.group_name,
    (date_trunc('day'::text, r.at, 'UTC'::text))::date AS day,
    count(*) AS rung,
    count(*) FILTER (WHERE ((r.connected_at IS NOT NULL) OR (r.result = 'accepted'::text))) AS accepted,
    count(*) FILTER (WHERE (r.result = 'declined'::text)) AS declined,
    count(*) FILTER (WHERE (r.result = 'mailbox'::text)) AS mailbox,
    count(*) FILTER (WHERE (r.result = 'taken'::text)) AS too_late,
    count(*) FILTER (WHERE (r.result = 'caller_left'::text)) AS caller_left,
    count(*) FILTER (WHERE (r.result = 'no_answer'::text)) AS no_answer,
    count(*) FILTER (WHERE (r.result = 'busy'::text)) AS busy,
    count(*) FILTER (WHERE (r.result = 'unreachable'::text)) AS unreachable,
    count(*) FILTER (WHERE (r.result = 'canceled'::text)) AS canceled,
    count(*) FILTER (WHERE (r.transfer = 'accepted'::text)) AS transferred,
    (avg(EXTRACT(epoch FROM (r.accepted_at - r.dialled_at))))::numeric(8,1) AS seconds_to_accept,
    (COALESCE(sum(EXTRACT(epoch FROM (r.ended_at - r.connected_at))), (0)::numeric))::bigint AS talk_sec
   FROM (rung r
     LEFT JOIN LATERAL ( SELECT p_1.id,
            p_1.org_id,
            p_1.handle,
            p_1.name,
            p_1.phone,
            p_1.verified_at,
            p_1.available,
            p_1.dnd_until,
            p_1.calendar,
            p_1.member_id,
            p_1.code,
            p_1.created_at
           FROM people p_1
          WHERE ((p_1.id = r.person_id) OR ((r.person_id IS NULL) AND ((p_1.phone)::text = (r.to_e164)::text) AND (NOT (p_1.org_id IS DISTINCT FROM r.org_id))))
          ORDER BY p_1.handle
         LIMIT 1) p ON (true))
  GROUP BY r.org_id, p.handle, COALESCE(p.name, (r.to_e164)::text), r.group_name, ((date_trunc('day'::text, r.at, 'UTC'::text))::date);

create view queue_now with (security_invoker=true) as
 SELECT e.org_id,
    e.group_name,
    e.call_sid,
    c.party AS from_e164,
    e.line,
    (e.queue = e.call_sid) AS rings_all,
    e.node,
    e.queued_at,
    (EXTRACT(epoch FROM (now() - e.queued_at)))::integer AS waited_sec,
    (e.taken_at IS NOT NULL) AS taken,
        CASE
            WHEN (e.taken_at IS NULL) THEN row_number() OVER (PARTITION BY e.owner, e.queue, (e.taken_at IS NULL) ORDER BY e.queued_at, e.id)
            ELSE NULL::bigint
        END AS "position",
    e.told_position
   FROM (queue_entries e
     LEFT JOIN call_logs c ON ((c.call_sid = e.call_sid)))
  WHERE (e.left_at IS NULL)
  ORDER BY e.queued_at, e.id;

create view rate_limit_violations with (security_invoker=true) as
 SELECT identifier,
    identifier_type,
    endpoint,
    sum(refusals) AS violation_count,
    max(last_violation) AS last_violation
   FROM rate_limit_refusals
  WHERE (minute > (now() - '24:00:00'::interval))
  GROUP BY identifier, identifier_type, endpoint
  ORDER BY (max(last_violation)) DESC;

create view recent_errors with (security_invoker=true) as
 SELECT event_type,
    event_data,
    severity,
    created_at
   FROM analytics_events
  WHERE ((severity = ANY (ARRAY['error'::text, 'critical'::text])) AND (created_at > (now() - '24:00:00'::interval)))
  ORDER BY created_at DESC;

create view search_passages with (security_invoker=true) as
 SELECT s.id AS source_id,
    s.org_id,
    s.kind,
    s.ref,
    (p.part)::smallint AS part,
    s.call_sid,
    s.party,
    s.at,
    p.start_ms,
    p.end_ms,
    s.speaker,
    language_of(p.body) AS lang,
    s.title,
    p.body
   FROM (search_sources s
     CROSS JOIN LATERAL passages(s.body, s.start_ms, s.end_ms) p(part, body, start_ms, end_ms));

create view search_performance with (security_invoker=true) as
 SELECT ((at AT TIME ZONE 'UTC'::text))::date AS day,
    count(*) AS searches,
    count(*) FILTER (WHERE (hits = 0)) AS without_results,
    count(*) FILTER (WHERE partial) AS partial,
    count(*) FILTER (WHERE corrected) AS corrected,
    round((percentile_cont((0.5)::double precision) WITHIN GROUP (ORDER BY ((milliseconds)::double precision)))::numeric, 1) AS p50_ms,
    round((percentile_cont((0.95)::double precision) WITHIN GROUP (ORDER BY ((milliseconds)::double precision)))::numeric, 1) AS p95_ms,
    round((max(milliseconds))::numeric, 1) AS max_ms
   FROM search_history h
  WHERE (at > (now() - '365 days'::interval))
  GROUP BY (((at AT TIME ZONE 'UTC'::text))::date)
  ORDER BY (((at AT TIME ZONE 'UTC'::text))::date) DESC;

create view search_sources with (security_invoker=true) as
 SELECT
        CASE r.source
            WHEN 'voicemail'::text THEN 'voicemail'::text
            ELSE 'transcript'::text
        END AS kind,
    ((r.call_sid || '/'::text) || r.recording_sid) AS ref,
    NULL::uuid AS id,
    c.org_id,
    r.call_sid,
    (c.party)::text AS party,
    r.recorded_at AS at,
    0 AS start_ms,
    (COALESCE(r.duration_sec, 0) * 1000) AS end_ms,
        CASE r.source
            WHEN 'voicemail'::text THEN 'caller'::text
            ELSE NULL::text
        END AS speaker,
    NULL::text AS title,
    r.transcript AS body
   FROM (recordings r
     JOIN call_logs c ON ((c.call_sid = r.call_sid)))
  WHERE ((r.transcript <> ''::text) AND (r.deleted_at IS NULL) AND ((r.source = 'voicemail'::text) OR c.consent_given))
UNION ALL
 SELECT 'agent_turn'::text AS kind,
    ((((t.call_sid || '/'::text) || t.session_id) || '/'::text) || t.seq) AS ref,
    NULL::uuid AS id,
    c.org_id,
    t.call_sid,
    (c.party)::text AS party,
    t.at,
    NULL::integer AS start_ms,
    NULL::integer AS end_ms,
        CASE t.kind
            WHEN 'caller'::text THEN 'caller'::text
            ELSE 'agent'::text
        END AS speaker,
    NULL::text AS title,
    COALESCE(t.heard_text, t.planned_text) AS body
   FROM (agent_turns t
     JOIN call_logs c ON ((c.call_sid = t.call_sid)))
  WHERE ((t.kind = ANY (ARRAY['caller'::text, 'agent'::text])) AND (COALESCE(t.heard_text, t.planned_text) <> ''::text) AND c.consent_given)
UNION ALL
 SELECT 'note'::text AS kind,
    (n.id)::text AS ref,
    n.id,
    n.org_id,
    n.call_sid,
    c.party,
    n.created_at AS at,
    NULL::integer AS start_ms,
    NULL::integer AS end_ms,
    NULL::text AS speaker,
    NULL::text AS title,
    n.body
   FROM (call_notes n
     LEFT JOIN call_logs c ON ((c.call_sid = n.call_sid)))
UNION ALL
 SELECT 'contact'::text AS kind,
    (k.id)::text AS ref,
    k.id,
    k.org_id,
    NULL::text AS call_sid,
    k.phone AS party,
    k.updated_at AS at,
    NULL::integer AS start_ms,
    NULL::integer AS end_ms,
    NULL::text AS speaker,
    k.name AS title,
    concat_ws('
'::text, k.company, k.notes) AS body
   FROM contacts k
  WHERE (NOT k.bare)
UNION ALL
 SELECT 'message'::text AS kind,
    (m.id)::text AS ref,
    m.id,
    NULL::uuid AS org_id,
    NULL::text AS call_sid,
        CASE
            WHEN (m.phone ~ '^\+'::text) THEN m.phone
            WHEN (length(m.phone) = 10) THEN ('+1'::text || m.phone)
            ELSE m.phone
        END AS party,
    m.created_at AS at,
    NULL::integer AS start_ms,
    NULL::integer AS end_ms,
    NULL::text AS speaker,
    concat_ws(', '::text, m.name, m.subject) AS title,
    concat_ws('
'::text, m.message, m.email) AS body
   FROM contact_messages m;

create view voicemail_backlog with (security_invoker=true) as
 SELECT r.call_sid,
    c.from_e164,
    r.url AS recording_url,
    r.transcript,
    r.recorded_at AS created_at,
    round((GREATEST((0)::numeric, EXTRACT(epoch FROM (now() - r.recorded_at))) / (3600)::numeric), 2) AS hours_old,
    r.recording_sid
   FROM (recordings r
     JOIN call_logs c ON ((c.call_sid = r.call_sid)))
  WHERE ((r.source = 'voicemail'::text) AND (r.handled_at IS NULL) AND (r.deleted_at IS NULL))
  ORDER BY r.recorded_at DESC;

create view voicemails with (security_invoker=true) as
 SELECT r.call_sid,
    r.recording_sid,
    c.org_id,
    c.from_e164,
    c.line,
    r.recorded_at,
    r.duration_sec,
    r.transcript,
    COALESCE(s.state,
        CASE
            WHEN (r.handled_at IS NULL) THEN 'new'::text
            ELSE 'done'::text
        END) AS state,
    s.assigned_to,
    s.author AS changed_by,
    COALESCE(s.at, r.handled_at) AS changed_at
   FROM ((recordings r
     JOIN call_logs c ON ((c.call_sid = r.call_sid)))
     LEFT JOIN LATERAL ( SELECT s_1.id,
            s_1.call_sid,
            s_1.recording_sid,
            s_1.org_id,
            s_1.owner,
            s_1.state,
            s_1.assigned_to,
            s_1.author,
            s_1.at
           FROM voicemail_steps s_1
          WHERE ((s_1.call_sid = r.call_sid) AND (s_1.recording_sid = r.recording_sid))
          ORDER BY s_1.id DESC
         LIMIT 1) s ON (true))
  WHERE ((r.source = 'voicemail'::text) AND (r.deleted_at IS NULL));

create view webhook_performance with (security_invoker=true) as
 SELECT function,
    sum(requests) AS requests,
    sum(errors) AS errors,
    round(((100.0 * (sum(errors))::numeric) / (NULLIF(sum(requests), 0))::numeric), 2) AS error_rate_pct,
    sum(database_failures) AS database_failures,
    sum(refused) AS refused,
    round((sum(total_ms) / (NULLIF(sum(requests), 0))::numeric), 1) AS avg_ms,
    latency_quantile((0.5)::double precision, ARRAY[sum(le_50), sum(le_100), sum(le_250), sum(le_500), sum(le_1000), sum(le_2000), sum(le_5000), sum(requests)]) AS p50_ms,
    latency_quantile((0.95)::double precision, ARRAY[sum(le_50), sum(le_100), sum(le_250), sum(le_500), sum(le_1000), sum(le_2000), sum(le_5000), sum(requests)]) AS p95_ms,
    max(max_ms) AS max_ms,
    round((sum(database_ms) / (NULLIF(sum(requests), 0))::numeric), 1) AS avg_database_ms
   FROM function_metrics
  WHERE (minute > (now() - '01:00:00'::interval))
  GROUP BY function
  ORDER BY function;

-- Row-level security

alter table months.call_lifecycle_other enable row level security;

alter table public.agent_providers enable row level security;

alter table public.agent_questions enable row level security;

alter table public.agent_sessions enable row level security;

alter table public.agent_turns enable row level security;

alter table public.alert_episodes enable row level security;

alter table public.alert_rules enable row level security;

alter table public.analytics_events enable row level security;

alter table public.audit_log enable row level security;

alter table public.calendar_overrides enable row level security;

alter table public.call_flow_pointers enable row level security;

alter table public.call_flow_versions enable row level security;

alter table public.call_flows enable row level security;

alter table public.call_hours enable row level security;

alter table public.call_legs enable row level security;

alter table public.call_lifecycle enable row level security;

alter table public.call_logs enable row level security;

alter table public.call_notes enable row level security;

alter table public.call_tags enable row level security;

alter table public.callbacks enable row level security;

alter table public.campaign_areas enable row level security;

alter table public.campaign_changes enable row level security;

alter table public.campaign_contacts enable row level security;

alter table public.campaign_dials enable row level security;

alter table public.campaign_lines enable row level security;

alter table public.campaigns enable row level security;

alter table public.consent_evidence enable row level security;

alter table public.contact_messages enable row level security;

alter table public.contacts enable row level security;

alter table public.dial_attempts enable row level security;

alter table public.dial_rates enable row level security;

alter table public.dialled_time enable row level security;

alter table public.disclosures enable row level security;

alter table public.erased_calls enable row level security;

alter table public.erasure_receipts enable row level security;

alter table public.flow_counts enable row level security;

alter table public.flow_counts_until enable row level security;

alter table public.function_metrics enable row level security;

alter table public.function_totals enable row level security;

alter table public.health_checks enable row level security;

alter table public.idempotency_keys enable row level security;

alter table public.job_kinds enable row level security;

alter table public.jobs enable row level security;

alter table public.knowledge_entries enable row level security;

alter table public.lines enable row level security;

alter table public.members enable row level security;

alter table public.people enable row level security;

alter table public.personal_data enable row level security;

alter table public.prompts enable row level security;

alter table public.queue_entries enable row level security;

alter table public.rate_limit_refusals enable row level security;

alter table public.rate_limit_windows enable row level security;

alter table public.recordings enable row level security;

alter table public.retention_rules enable row level security;

alter table public.rolled_hours enable row level security;

alter table public.saved_searches enable row level security;

alter table public.search_alert_matches enable row level security;

alter table public.search_alerts enable row level security;

alter table public.search_documents enable row level security;

alter table public.search_embeddings enable row level security;

alter table public.search_history enable row level security;

alter table public.search_words enable row level security;

alter table public.suppressions enable row level security;

alter table public.telephony_numbers enable row level security;

alter table public.telephony_secrets enable row level security;

alter table public.telephony_subaccounts enable row level security;

alter table public.telephony_transactions enable row level security;

alter table public.voicemail_steps enable row level security;

alter table public.worker_runs enable row level security;

create policy agent_providers_of_the_service on public.agent_providers for all to service_role using (true) with check (true);

create policy agent_questions_by_admins_dismissed on public.agent_questions for update to authenticated using (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'admin'::member_role))) with check ((owner = ( SELECT current_owner() AS current_owner)));

create policy agent_questions_of_own_org on public.agent_questions for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy agent_questions_of_the_service on public.agent_questions for all to service_role using (true) with check (true);

create policy agent_sessions_of_own_org on public.agent_sessions for select to authenticated using ((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)));

create policy agent_sessions_of_the_service on public.agent_sessions for all to service_role using (true) with check (true);

create policy agent_turns_of_own_org on public.agent_turns for select to authenticated using ((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)));

create policy agent_turns_of_the_service on public.agent_turns for all to service_role using (true) with check (true);

create policy alert_episodes_for_operators on public.alert_episodes for select to monitoring, service_role using (true);

create policy alert_episodes_of_the_main_account on public.alert_episodes for select to authenticated using ((( SELECT current_owner() AS current_owner) = '00000000-0000-0000-0000-000000000000'::uuid));

create policy alert_rules_for_operators on public.alert_rules for select to monitoring, service_role using (true);

create policy alert_rules_of_the_main_account on public.alert_rules for select to authenticated using ((( SELECT current_owner() AS current_owner) = '00000000-0000-0000-0000-000000000000'::uuid));

create policy analytics_events_for_monitoring on public.analytics_events for select to monitoring using (true);

create policy analytics_events_of_the_service on public.analytics_events for select to service_role using (true);

create policy audit_log_for_admins on public.audit_log for select to authenticated using (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'admin'::member_role)));

create policy audit_log_of_the_service on public.audit_log for select to service_role using (true);

create policy calendar_overrides_of_own_org on public.calendar_overrides for select to authenticated using ((EXISTS ( SELECT
   FROM call_flows f
  WHERE (f.id = calendar_overrides.flow_id))));

create policy calendar_overrides_of_the_service on public.calendar_overrides for all to service_role using (true) with check (true);

create policy call_flow_pointers_of_own_org on public.call_flow_pointers for select to authenticated using ((EXISTS ( SELECT
   FROM call_flows f
  WHERE (f.id = call_flow_pointers.flow_id))));

create policy call_flow_pointers_of_the_service on public.call_flow_pointers for all to service_role using (true) with check (true);

create policy call_flow_versions_of_own_org on public.call_flow_versions for select to authenticated using ((EXISTS ( SELECT
   FROM call_flows f
  WHERE (f.id = call_flow_versions.flow_id))));

create policy call_flow_versions_of_the_service on public.call_flow_versions for all to service_role using (true) with check (true);

create policy call_flows_of_own_org on public.call_flows for select to authenticated using ((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)));

create policy call_flows_of_the_service on public.call_flows for all to service_role using (true) with check (true);

create policy call_hours_for_operators on public.call_hours for select to monitoring, service_role using (true);

create policy call_hours_of_own_org on public.call_hours for select to authenticated using (((scope = 'org'::text) AND (COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner))));

create policy call_legs_for_monitoring on public.call_legs for select to monitoring using (true);

create policy call_legs_of_own_org on public.call_legs for select to authenticated using ((EXISTS ( SELECT
   FROM call_logs c
  WHERE (c.call_sid = call_legs.call_sid))));

create policy call_lifecycle_for_monitoring on public.call_lifecycle for select to monitoring using (true);

create policy call_lifecycle_of_own_org on public.call_lifecycle for select to authenticated using ((EXISTS ( SELECT
   FROM call_logs c
  WHERE (c.call_sid = call_lifecycle.call_sid))));

create policy call_logs_for_monitoring on public.call_logs for select to monitoring using (true);

create policy call_logs_of_own_org on public.call_logs for select to authenticated using ((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)));

create policy call_notes_added on public.call_notes for insert to authenticated with check (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'agent'::member_role) AND (author = ( SELECT auth.uid() AS uid))));

create policy call_notes_changed on public.call_notes for update to authenticated using (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'agent'::member_role) AND (author = ( SELECT auth.uid() AS uid)))) with check (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'agent'::member_role) AND (author = ( SELECT auth.uid() AS uid))));

create policy call_notes_of_own_org on public.call_notes for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy call_notes_of_the_service on public.call_notes for all to service_role using (true) with check (true);

create policy call_notes_removed on public.call_notes for delete to authenticated using (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'agent'::member_role) AND (author = ( SELECT auth.uid() AS uid))));

create policy call_tags_added on public.call_tags for insert to authenticated with check (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'agent'::member_role) AND (author = ( SELECT auth.uid() AS uid))));

create policy call_tags_of_own_org on public.call_tags for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy call_tags_of_the_service on public.call_tags for all to service_role using (true) with check (true);

create policy call_tags_removed on public.call_tags for delete to authenticated using (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'agent'::member_role)));

create policy callbacks_of_own_org on public.callbacks for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy callbacks_of_the_service on public.callbacks for all to service_role using (true) with check (true);

create policy campaign_areas_of_own_org on public.campaign_areas for select to authenticated using ((EXISTS ( SELECT
   FROM campaigns c
  WHERE (c.id = campaign_areas.campaign_id))));

create policy campaign_areas_of_the_service on public.campaign_areas for all to service_role using (true) with check (true);

create policy campaign_changes_of_own_org on public.campaign_changes for select to authenticated using ((EXISTS ( SELECT
   FROM campaigns c
  WHERE (c.id = campaign_changes.campaign_id))));

create policy campaign_changes_of_the_service on public.campaign_changes for all to service_role using (true) with check (true);

create policy campaign_contacts_of_own_org on public.campaign_contacts for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy campaign_contacts_of_the_service on public.campaign_contacts for all to service_role using (true) with check (true);

create policy campaign_dials_of_own_org on public.campaign_dials for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy campaign_dials_of_the_service on public.campaign_dials for all to service_role using (true) with check (true);

create policy campaign_lines_of_own_org on public.campaign_lines for select to authenticated using ((EXISTS ( SELECT
   FROM campaigns c
  WHERE (c.id = campaign_lines.campaign_id))));

create policy campaign_lines_of_the_service on public.campaign_lines for all to service_role using (true) with check (true);

create policy campaigns_of_own_org on public.campaigns for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy campaigns_of_the_service on public.campaigns for all to service_role using (true) with check (true);

create policy consent_evidence_of_the_service on public.consent_evidence for select to service_role using (true);

create policy contact_messages_of_the_service on public.contact_messages for select to service_role using (true);

create policy contacts_by_members_added on public.contacts for insert to authenticated with check (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'agent'::member_role)));

create policy contacts_by_members_changed on public.contacts for update to authenticated using (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'agent'::member_role))) with check (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'agent'::member_role)));

create policy contacts_by_members_removed on public.contacts for delete to authenticated using (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'agent'::member_role)));

create policy contacts_of_own_org on public.contacts for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy contacts_of_the_service on public.contacts for all to service_role using (true) with check (true);

create policy dial_attempts_of_own_org on public.dial_attempts for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy dial_attempts_of_the_service on public.dial_attempts for all to service_role using (true) with check (true);

create policy dial_rates_of_the_service on public.dial_rates for all to service_role using (true) with check (true);

create policy dialled_time_for_operators on public.dialled_time for select to monitoring, service_role using (true);

create policy disclosures_of_the_service on public.disclosures for all to service_role using (true) with check (true);

create policy erased_calls_of_the_service on public.erased_calls for select to service_role using (true);

create policy erasure_receipts_of_the_service on public.erasure_receipts for select to service_role using (true);

create policy flow_counts_of_own_org on public.flow_counts for select to authenticated using ((EXISTS ( SELECT
   FROM call_flow_versions v
  WHERE (v.id = flow_counts.version_id))));

create policy flow_counts_of_the_service on public.flow_counts for all to service_role using (true) with check (true);

create policy flow_counts_until_for_members on public.flow_counts_until for select to authenticated using (true);

create policy flow_counts_until_of_the_service on public.flow_counts_until for all to service_role using (true) with check (true);

create policy function_metrics_for_operators on public.function_metrics for select to monitoring, service_role using (true);

create policy function_totals_for_operators on public.function_totals for select to monitoring, service_role using (true);

create policy health_checks_for_operators on public.health_checks for select to monitoring, service_role using (true);

create policy idempotency_keys_of_the_service on public.idempotency_keys for select to service_role using (true);

create policy job_kinds_for_operators on public.job_kinds for select to monitoring, service_role using (true);

create policy jobs_for_monitoring on public.jobs for select to monitoring using (true);

create policy jobs_of_the_service on public.jobs for select to service_role using (true);

create policy knowledge_entries_by_admins_added on public.knowledge_entries for insert to authenticated with check (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'admin'::member_role)));

create policy knowledge_entries_by_admins_changed on public.knowledge_entries for update to authenticated using (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'admin'::member_role))) with check ((owner = ( SELECT current_owner() AS current_owner)));

create policy knowledge_entries_by_admins_deleted on public.knowledge_entries for delete to authenticated using (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'admin'::member_role)));

create policy knowledge_entries_of_own_org on public.knowledge_entries for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy knowledge_entries_of_the_service on public.knowledge_entries for all to service_role using (true) with check (true);

create policy lines_of_own_org on public.lines for select to authenticated using ((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)));

create policy lines_of_the_service on public.lines for all to service_role using (true) with check (true);

create policy members_by_admins_changed on public.members for update to authenticated using (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'admin'::member_role) AND (role <= ( SELECT my_role() AS my_role)))) with check (((owner = ( SELECT current_owner() AS current_owner)) AND (role <= ( SELECT my_role() AS my_role))));

create policy members_by_admins_invited on public.members for insert to authenticated with check (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'admin'::member_role) AND (role <= ( SELECT my_role() AS my_role))));

create policy members_by_admins_removed on public.members for delete to authenticated using (((owner = ( SELECT current_owner() AS current_owner)) AND ((user_id = ( SELECT auth.uid() AS uid)) OR ((( SELECT my_role() AS my_role) >= 'admin'::member_role) AND (role <= ( SELECT my_role() AS my_role))))));

create policy members_of_own_org on public.members for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy members_of_the_service on public.members for all to service_role using (true) with check (true);

create policy months_of_the_service on months.call_lifecycle_other for select to service_role using (true);

create policy people_by_admins_added on public.people for insert to authenticated with check (((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'admin'::member_role)));

create policy people_by_admins_and_themselves_changed on public.people for update to authenticated using (((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)) AND ((( SELECT my_role() AS my_role) >= 'admin'::member_role) OR ((( SELECT my_role() AS my_role) = 'agent'::member_role) AND (member_id = ( SELECT m.id
   FROM members m
  WHERE (m.user_id = ( SELECT auth.uid() AS uid)))))))) with check ((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)));

create policy people_by_admins_removed on public.people for delete to authenticated using (((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'admin'::member_role)));

create policy people_of_own_org on public.people for select to authenticated using ((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)));

create policy people_of_the_service on public.people for all to service_role using (true) with check (true);

create policy personal_data_of_the_service on public.personal_data for select to service_role using (true);

create policy prompts_of_own_org on public.prompts for select to authenticated using ((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)));

create policy prompts_of_the_service on public.prompts for all to service_role using (true) with check (true);

create policy queue_entries_of_own_org on public.queue_entries for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy queue_entries_of_the_service on public.queue_entries for all to service_role using (true) with check (true);

create policy rate_limit_refusals_for_monitoring on public.rate_limit_refusals for select to monitoring using (true);

create policy rate_limit_refusals_of_the_service on public.rate_limit_refusals for select to service_role using (true);

create policy rate_limit_windows_of_the_service on public.rate_limit_windows for select to service_role using (true);

create policy recordings_for_monitoring on public.recordings for select to monitoring using (true);

create policy recordings_of_own_org on public.recordings for select to authenticated using ((EXISTS ( SELECT
   FROM call_logs c
  WHERE (c.call_sid = recordings.call_sid))));

create policy retention_rules_of_the_service on public.retention_rules for select to service_role using (true);

create policy rolled_hours_for_all_who_look on public.rolled_hours for select to authenticated, monitoring, service_role using (true);

create policy saved_searches_of_own on public.saved_searches for all to authenticated using (((owner = ( SELECT current_owner() AS current_owner)) AND (user_id = ( SELECT auth.uid() AS uid)))) with check (((owner = ( SELECT current_owner() AS current_owner)) AND (user_id = ( SELECT auth.uid() AS uid))));

create policy saved_searches_of_the_service on public.saved_searches for all to service_role using (true) with check (true);

create policy search_alert_matches_of_own on public.search_alert_matches for select to authenticated using ((EXISTS ( SELECT
   FROM search_alerts a
  WHERE (a.id = search_alert_matches.alert_id))));

create policy search_alert_matches_of_the_service on public.search_alert_matches for select to service_role using (true);

create policy search_alerts_of_own on public.search_alerts for all to authenticated using (((owner = ( SELECT current_owner() AS current_owner)) AND (user_id = ( SELECT auth.uid() AS uid)))) with check (((owner = ( SELECT current_owner() AS current_owner)) AND (user_id = ( SELECT auth.uid() AS uid))));

create policy search_alerts_of_the_service on public.search_alerts for all to service_role using (true) with check (true);

create policy search_documents_of_own_org on public.search_documents for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy search_documents_of_the_service on public.search_documents for select to service_role using (true);

create policy search_embeddings_of_the_service on public.search_embeddings for select to service_role using (true);

create policy search_history_for_operators on public.search_history for select to monitoring, service_role using (true);

create policy search_history_of_own on public.search_history for select to authenticated using (((user_id = ( SELECT auth.uid() AS uid)) AND (owner = ( SELECT current_owner() AS current_owner))));

create policy search_words_of_the_service on public.search_words for select to service_role using (true);

create policy suppressions_by_admins_added on public.suppressions for insert to authenticated with check (((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'admin'::member_role)));

create policy suppressions_of_own_org on public.suppressions for select to authenticated using ((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)));

create policy suppressions_of_the_service on public.suppressions for all to service_role using (true) with check (true);

create policy telephony_numbers_of_own_org on public.telephony_numbers for select to authenticated using ((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)));

create policy telephony_secrets_of_the_service on public.telephony_secrets for select to service_role using (true);

create policy telephony_subaccounts_of_own_org on public.telephony_subaccounts for select to authenticated using ((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)));

create policy telephony_transactions_for_monitoring on public.telephony_transactions for select to monitoring using (true);

create policy telephony_transactions_of_own_org on public.telephony_transactions for select to authenticated using ((COALESCE(org_id, '00000000-0000-0000-0000-000000000000'::uuid) = ( SELECT current_owner() AS current_owner)));

create policy voicemail_steps_added on public.voicemail_steps for insert to authenticated with check (((owner = ( SELECT current_owner() AS current_owner)) AND (( SELECT my_role() AS my_role) >= 'agent'::member_role) AND (author = ( SELECT auth.uid() AS uid))));

create policy voicemail_steps_of_own_org on public.voicemail_steps for select to authenticated using ((owner = ( SELECT current_owner() AS current_owner)));

create policy voicemail_steps_of_the_service on public.voicemail_steps for all to service_role using (true) with check (true);

create policy worker_runs_for_operators on public.worker_runs for select to monitoring, service_role using (true);

-- Grants

grant execute on function accept_voice_event(jsonb) to service_role;

grant execute on function accounts_to_check(integer) to service_role;

grant execute on function agent_barred(text,jsonb) to service_role;

grant execute on function agent_hours(text) to service_role;

grant execute on function alert_content(jsonb) to service_role;

grant execute on function alert_measured(numeric,text,text,numeric) to monitoring;

grant execute on function alert_measured(numeric,text,text,numeric) to service_role;

grant execute on function answer_question(text,text,text,integer) to service_role;

grant execute on function answering_version(uuid,jsonb) to service_role;

grant execute on function attempt_told(uuid,text,text,text,text,text) to service_role;

grant execute on function begin_campaign_dials(uuid[],jsonb) to service_role;

grant execute on function begin_dial(uuid) to service_role;

grant execute on function begin_onboarding(uuid,jsonb,text,boolean) to service_role;

grant execute on function begin_release(uuid) to service_role;

grant execute on function blocked_number(call_logs) to service_role;

grant execute on function bury_job(bigint,text) to service_role;

grant execute on function calendar_open(jsonb,timestamp with time zone) to service_role;

grant execute on function calendar_states(jsonb,timestamp with time zone) to service_role;

grant execute on function calendar_switches(jsonb,timestamp with time zone,integer) to service_role;

grant execute on function call_back(text) to authenticated;

grant execute on function call_counts(timestamp with time zone) to authenticated;

grant execute on function call_counts(timestamp with time zone) to monitoring;

grant execute on function call_counts(timestamp with time zone) to service_role;

grant execute on function call_facts(call_logs,jsonb) to service_role;

grant execute on function call_hash(text) to service_role;

grant execute on function call_hour_lock(timestamp with time zone) to service_role;

grant execute on function call_success(timestamp with time zone) to authenticated;

grant execute on function call_success(timestamp with time zone) to monitoring;

grant execute on function call_success(timestamp with time zone) to service_role;

grant execute on function call_to_ask(text,text) to service_role;

grant execute on function callback_tried(uuid,text) to service_role;

grant execute on function caller_context(text,text) to service_role;

grant execute on function came_callable(call_logs) to service_role;

grant execute on function campaign_leg_told(uuid,text,text,text) to service_role;

grant execute on function can_ring(jsonb,jsonb,call_logs,jsonb) to service_role;

grant execute on function cancel_attempt(dial_attempts,text) to service_role;

grant execute on function cancel_surplus(uuid,text,text) to service_role;

grant execute on function case_of(jsonb,call_logs,jsonb) to service_role;

grant execute on function change_dial_rate() to service_role;

grant execute on function claim_job(text,text) to service_role;

grant execute on function claim_jobs(text[],integer,integer) to service_role;

grant execute on function command_campaign(uuid,text) to service_role;

grant execute on function complete_onboarding(uuid,uuid,jsonb,jsonb) to service_role;

grant execute on function complete_release(uuid,uuid,jsonb,jsonb) to service_role;

grant execute on function connect_caller(dial_attempts,text) to service_role;

grant execute on function contact_stands(dial_attempts) to service_role;

grant execute on function count_calls(timestamp with time zone,timestamp with time zone) to authenticated;

grant execute on function count_calls(timestamp with time zone,timestamp with time zone) to monitoring;

grant execute on function count_calls(timestamp with time zone,timestamp with time zone) to service_role;

grant execute on function count_contacts() to service_role;

grant execute on function count_dialled(call_logs,call_logs) to service_role;

grant execute on function count_paths(timestamp with time zone) to service_role;

grant execute on function current_org_id() to authenticated;

grant execute on function current_org_id() to monitoring;

grant execute on function current_org_id() to service_role;

grant execute on function current_owner() to authenticated;

grant execute on function current_owner() to monitoring;

grant execute on function current_owner() to service_role;

grant execute on function current_version(uuid,text) to service_role;

grant execute on function database_connections() to monitoring;

grant execute on function database_connections() to service_role;

grant execute on function dial_content(text,uuid) to service_role;

grant execute on function dial_told(uuid,text,text) to service_role;

grant execute on function dispatch_phone(uuid,text) to service_role;

grant execute on function dispatch_queue(uuid,text,text) to service_role;

grant execute on function embedded_text(search_documents) to service_role;

grant execute on function embedding_content(text) to service_role;

grant execute on function embedding_key(search_documents) to service_role;

grant execute on function enact(call_logs,voice_event,jsonb) to service_role;

grant execute on function end_agent_sessions(call_logs,jsonb) to service_role;

grant execute on function end_attempt(bigint,text) to service_role;

grant execute on function end_campaign_attempt(bigint,text) to service_role;

grant execute on function end_onboarding(uuid,uuid,text,jsonb,text) to service_role;

grant execute on function end_onboarding_job(uuid,uuid) to service_role;

grant execute on function enqueue_calls(text[],interval) to service_role;

grant execute on function enqueue_job(text,text,jsonb,timestamp with time zone,integer) to service_role;

grant execute on function enter_queue(call_logs,bigint,text,text) to service_role;

grant execute on function erase_agent_words(integer) to service_role;

grant execute on function erase_call(text) to authenticated;

grant execute on function evaluate_alerts(text[]) to service_role;

grant execute on function export_person(text,text) to service_role;

grant execute on function flow_body(bigint) to service_role;

grant execute on function flow_check_facts(uuid,jsonb) to service_role;

grant execute on function flow_definition(uuid,text,integer) to service_role;

grant execute on function flow_of_account(text,text) to service_role;

grant execute on function flow_versions(uuid,text) to service_role;

grant execute on function flows_named_in(jsonb) to service_role;

grant execute on function flows_used(uuid,jsonb) to service_role;

grant execute on function fold_leg(call_legs,voice_event) to service_role;

grant execute on function fold_recording(recordings,voice_event) to service_role;

grant execute on function fold_voice_event(call_logs,voice_event) to service_role;

grant execute on function forget_person(text,text) to service_role;

grant execute on function forget_searches(integer) to service_role;

grant execute on function forget_telephony_token(text) to service_role;

grant execute on function free_members(uuid,text,text[],text) to service_role;

grant execute on function gives_up(call_logs,jsonb) to service_role;

grant execute on function has_role(uuid,member_role) to authenticated;

grant execute on function has_role(uuid,member_role) to service_role;

grant execute on function has_vault() to service_role;

grant execute on function has_vectors() to service_role;

grant execute on function health_migration() to service_role;

grant execute on function health_rate_limiter() to service_role;

grant execute on function health_recent_activity() to service_role;

grant execute on function hold_jobs(uuid[],text,integer,text[],integer) to service_role;

grant execute on function hold_onboarding(uuid,uuid) to service_role;

grant execute on function hurry_jobs(text) to service_role;

grant execute on function import_campaign_contacts(uuid,jsonb) to service_role;

grant execute on function import_contacts(jsonb,uuid) to authenticated;

grant execute on function import_contacts(jsonb,uuid) to service_role;

grant execute on function index_source(text,uuid,text) to service_role;

grant execute on function invitation(uuid) to service_role;

grant execute on function is_member(uuid) to authenticated;

grant execute on function is_member(uuid) to service_role;

grant execute on function is_passage(search_documents,search_passages[]) to service_role;

grant execute on function is_said(uuid,text) to service_role;

grant execute on function is_time_zone(text) to authenticated;

grant execute on function is_time_zone(text) to service_role;

grant execute on function job_content(text,text,jsonb) to service_role;

grant execute on function job_done(bigint,uuid,text) to service_role;

grant execute on function job_failed(bigint,uuid,text,boolean,boolean) to service_role;

grant execute on function join_as_member() to authenticated;

grant execute on function keep_call_months() to service_role;

grant execute on function keep_promise(uuid) to service_role;

grant execute on function keep_telephony_token(text,text,text) to service_role;

grant execute on function language_of(text) to service_role;

grant execute on function latency_quantile(double precision,bigint[]) to monitoring;

grant execute on function latency_quantile(double precision,bigint[]) to service_role;

grant execute on function leave_queue(text,text) to service_role;

grant execute on function leg_told(uuid,text,text,text,text) to service_role;

grant execute on function line_has_spent(call_logs,bigint,integer) to service_role;

grant execute on function lines_of_flow(bigint) to service_role;

grant execute on function lock_dialling(uuid) to service_role;

grant execute on function longest_idle(uuid,text[]) to service_role;

grant execute on function mail_content(text,jsonb) to service_role;

grant execute on function match_alerts(search_passages[]) to service_role;

grant execute on function may_promise(call_logs) to service_role;

grant execute on function may_transfer(dial_attempts) to service_role;

grant execute on function membership_of(jsonb) to service_role;

grant execute on function mend_campaigns() to service_role;

grant execute on function mend_dialling() to service_role;

grant execute on function metrics_snapshot() to service_role;

grant execute on function missed_call_mail(text) to service_role;

grant execute on function missed_call_text(text) to service_role;

grant execute on function my_membership() to authenticated;

grant execute on function my_membership() to service_role;

grant execute on function my_role() to authenticated;

grant execute on function my_role() to service_role;

grant execute on function nearest_documents(uuid,text,real[],integer,integer) to service_role;

grant execute on function next_node(jsonb,text,text) to service_role;

grant execute on function number_hash(text) to service_role;

grant execute on function onboarding_due_in(uuid) to service_role;

grant execute on function onboarding_work(telephony_transactions) to service_role;

grant execute on function open_agent_session(jsonb) to service_role;

grant execute on function organisation_of(text) to service_role;

grant execute on function owe_embedding(search_documents) to service_role;

grant execute on function owe_embeddings(text) to service_role;

grant execute on function owe_missed_call(call_logs) to service_role;

grant execute on function owe_voicemail_mails(text) to service_role;

grant execute on function own_lines(text[]) to service_role;

grant execute on function passages(text,integer,integer) to service_role;

grant execute on function path_of_event(call_logs,voice_event,jsonb) to service_role;

grant execute on function paths_counted(timestamp with time zone,timestamp with time zone) to authenticated;

grant execute on function paths_counted(timestamp with time zone,timestamp with time zone) to service_role;

grant execute on function person_at(uuid,text,boolean) to service_role;

grant execute on function person_available(people) to service_role;

grant execute on function point_flow(bigint,integer,text) to service_role;

grant execute on function private.accept_invitation() to authenticated;

grant execute on function private.call_back(text) to authenticated;

grant execute on function private.erase_call(text) to authenticated;

grant execute on function private.membership() to authenticated;

grant execute on function private.membership() to monitoring;

grant execute on function private.membership() to service_role;

grant execute on function private.membership_of(jsonb) to service_role;

grant execute on function private.verify_telephone(uuid) to authenticated;

grant execute on function promise_callback(call_logs,bigint,text) to service_role;

grant execute on function promise_open(callbacks) to service_role;

grant execute on function publish_flow(uuid,text,jsonb,text,text[],text,text,jsonb) to service_role;

grant execute on function published_flows() to service_role;

grant execute on function purge_expired(integer) to service_role;

grant execute on function purge_expired_rows(integer) to service_role;

grant execute on function purge_idempotency_keys(integer) to service_role;

grant execute on function purge_jobs(integer) to service_role;

grant execute on function purge_monitoring(integer) to service_role;

grant execute on function purge_personal_data(integer) to service_role;

grant execute on function queue_content(text) to service_role;

grant execute on function queue_is_full(uuid,text) to service_role;

grant execute on function queue_told(text,text) to service_role;

grant execute on function rate_limits_retry_after(text,jsonb) to service_role;

grant execute on function rebuild_search_documents() to service_role;

grant execute on function reconsider_promises(bigint,text) to service_role;

grant execute on function record_agent_turns(text,jsonb,jsonb) to service_role;

grant execute on function record_analytics_event(text,text,jsonb) to service_role;

grant execute on function record_function_metrics(jsonb,uuid) to service_role;

grant execute on function record_rate_limit_refusal(text,text,text) to service_role;

grant execute on function record_worker_run(text,boolean) to service_role;

grant execute on function recording_url(text,text,jsonb) to service_role;

grant execute on function renew_job(bigint,uuid) to service_role;

grant execute on function reserve_campaign_dials(uuid,integer,interval) to service_role;

grant execute on function retry_dead_jobs(bigint,text) to service_role;

grant execute on function return_transfer(uuid,text) to service_role;

grant execute on function roll_up_calls(integer) to service_role;

grant execute on function rollback_flow(uuid,text,integer,text) to service_role;

grant execute on function run_alerts(boolean,text[],text[],integer) to service_role;

grant execute on function rung_by(jsonb) to service_role;

grant execute on function running_campaigns() to service_role;

grant execute on function running_onboardings() to service_role;

grant execute on function save_flow_draft(uuid,text,jsonb,text) to service_role;

grant execute on function save_onboarding(uuid,uuid,jsonb,text) to service_role;

grant execute on function search_calls(text,jsonb,integer,text,real[],text) to service_role;

grant execute on function search_calls_of_member(jsonb,text,jsonb,integer,text,real[],text) to service_role;

grant execute on function search_differences() to service_role;

grant execute on function search_kinds_of_calls() to service_role;

grant execute on function search_query(text,text) to service_role;

grant execute on function search_terms(text) to service_role;

grant execute on function set_campaign_openings(uuid,jsonb) to service_role;

grant execute on function set_override(uuid,text,text,text,timestamp with time zone,text) to service_role;

grant execute on function start_jobs(bigint[]) to service_role;

grant execute on function steps_of(jsonb) to service_role;

grant execute on function stop_campaign_contacts() to service_role;

grant execute on function store_call_legs(call_legs,boolean) to service_role;

grant execute on function store_call_logs(call_logs,boolean) to service_role;

grant execute on function store_embedding(text,text,real[]) to service_role;

grant execute on function store_prompt(uuid,text,text,numeric,integer,text) to service_role;

grant execute on function store_recordings(recordings,boolean) to service_role;

grant execute on function submit_contact_message(jsonb,jsonb,jsonb,text) to service_role;

grant execute on function suppress(text,text,text) to service_role;

grant execute on function take_onboarding(uuid) to service_role;

grant execute on function take_rate_limit(text,text,text,integer,interval) to service_role;

grant execute on function take_rate_limits(text,jsonb) to service_role;

grant execute on function telephony_accounts() to service_role;

grant execute on function telephony_tenant(text) to service_role;

grant execute on function tell_place(text) to service_role;

grant execute on function term_query(text,text) to service_role;

grant execute on function transfer_call(dial_attempts,text) to service_role;

grant execute on function transfer_ended(uuid,text) to service_role;

grant execute on function transfer_of(text) to service_role;

grant execute on function unknown_calls(jsonb) to service_role;

grant execute on function verify_person(uuid,text,text) to service_role;

grant execute on function verify_telephone(uuid) to authenticated;

grant execute on function version_by_hash(uuid,text) to service_role;

grant execute on function voice_answer_json(voice_answer,boolean,jsonb) to service_role;

grant execute on function walk_flow(bigint,text,call_logs,jsonb) to service_role;

grant execute on function was_missed(call_logs) to service_role;

grant execute on function with_body(jsonb,uuid,jsonb) to service_role;

grant execute on function words_of(text) to service_role;

grant select on public.active_calls to authenticated;

grant select on public.active_calls to service_role;

grant select on public.agent_calls to authenticated;

grant select on public.agent_calls to service_role;

grant select on public.agent_cost_by_day to authenticated;

grant select on public.agent_cost_by_day to service_role;

grant select on public.agent_handoffs to authenticated;

grant select on public.agent_handoffs to service_role;

grant select on public.agent_provider_health to service_role;

grant insert, select, update on public.agent_providers to service_role;

grant select on public.agent_questions to authenticated;

grant insert, select, update on public.agent_questions to service_role;

grant update on public.agent_questions (dismissed) to authenticated;

grant select on public.agent_sessions to authenticated;

grant insert, select, update on public.agent_sessions to service_role;

grant select on public.agent_turn_latency to authenticated;

grant select on public.agent_turn_latency to service_role;

grant select on public.agent_turns to authenticated;

grant insert, select on public.agent_turns to service_role;

grant select on public.agent_unanswered_questions to authenticated;

grant select on public.agent_unanswered_questions to service_role;

grant select on public.alert_episodes to authenticated;

grant select on public.alert_episodes to monitoring;

grant delete, insert, select, update on public.alert_episodes to service_role;

grant select on public.alert_history to monitoring;

grant select on public.alert_history to service_role;

grant select on public.alert_rules to authenticated;

grant select on public.alert_rules to monitoring;

grant select on public.alert_rules to service_role;

grant update on public.alert_rules (close_after_minutes) to service_role;

grant update on public.alert_rules (minimum) to service_role;

grant update on public.alert_rules (threshold) to service_role;

grant update on public.alert_rules (window_minutes) to service_role;

grant select on public.alert_status to monitoring;

grant select on public.alert_status to service_role;

grant insert, select on public.analytics_events to service_role;

grant select on public.analytics_events (created_at) to monitoring;

grant select on public.analytics_events (event_type) to monitoring;

grant select on public.analytics_events (severity) to monitoring;

grant select on public.audit_log to authenticated;

grant select on public.audit_log to service_role;

grant select on public.calendar_overrides to authenticated;

grant delete, insert, select, update on public.calendar_overrides to service_role;

grant select on public.call_flow_pointers to authenticated;

grant insert, select on public.call_flow_pointers to service_role;

grant update on public.call_flow_pointers (moved_at) to service_role;

grant update on public.call_flow_pointers (moved_by) to service_role;

grant update on public.call_flow_pointers (version) to service_role;

grant select on public.call_flow_versions to authenticated;

grant insert, select on public.call_flow_versions to service_role;

grant select on public.call_flows to authenticated;

grant insert, select on public.call_flows to service_role;

grant update on public.call_flows (draft) to service_role;

grant update on public.call_flows (drafted_at) to service_role;

grant update on public.call_flows (drafted_by) to service_role;

grant select on public.call_funnel to authenticated;

grant select on public.call_funnel to monitoring;

grant select on public.call_funnel to service_role;

grant select on public.call_hangups to authenticated;

grant select on public.call_hangups to monitoring;

grant select on public.call_hangups to service_role;

grant select on public.call_hours to authenticated;

grant select on public.call_hours to monitoring;

grant insert, select on public.call_hours to service_role;

grant select on public.call_legs to authenticated;

grant insert, select, update on public.call_legs to service_role;

grant select on public.call_legs (connected_at) to monitoring;

grant select on public.call_legs (dialled_at) to monitoring;

grant select on public.call_legs (ended_at) to monitoring;

grant select on public.call_legs (node) to monitoring;

grant select on public.call_legs (rang_at) to monitoring;

grant select on public.call_legs (result) to monitoring;

grant select on public.call_lifecycle to authenticated;

grant insert, select on public.call_lifecycle to service_role;

grant select on public.call_lifecycle (call_sid) to monitoring;

grant select on public.call_lifecycle (event) to monitoring;

grant select on public.call_lifecycle (id) to monitoring;

grant select on public.call_lifecycle (occurred_at) to monitoring;

grant select on public.call_lifecycle (parent_call_sid) to monitoring;

grant select on public.call_lifecycle (received_at) to monitoring;

grant select on public.call_lifecycle (status) to monitoring;

grant select on public.call_logs to authenticated;

grant insert, select, update on public.call_logs to service_role;

grant select on public.call_logs (answered_at) to monitoring;

grant select on public.call_logs (call_sid) to monitoring;

grant select on public.call_logs (connected_at) to monitoring;

grant select on public.call_logs (consent_given) to monitoring;

grant select on public.call_logs (dialled) to monitoring;

grant select on public.call_logs (direction) to monitoring;

grant select on public.call_logs (disposition) to monitoring;

grant select on public.call_logs (duration_sec) to monitoring;

grant select on public.call_logs (ended_at) to monitoring;

grant select on public.call_logs (flow_version) to monitoring;

grant select on public.call_logs (handoff) to monitoring;

grant select on public.call_logs (incomplete) to monitoring;

grant select on public.call_logs (last_step) to monitoring;

grant select on public.call_logs (mode) to monitoring;

grant select on public.call_logs (org_id) to monitoring;

grant select on public.call_logs (rang_at) to monitoring;

grant select on public.call_logs (recorded_at) to monitoring;

grant select on public.call_logs (recording_source) to monitoring;

grant select on public.call_logs (started_at) to monitoring;

grant select on public.call_logs (status) to monitoring;

grant delete, select on public.call_notes to authenticated;

grant delete, insert, select, update on public.call_notes to service_role;

grant insert, update on public.call_notes (body) to authenticated;

grant insert on public.call_notes (call_sid) to authenticated;

grant select on public.call_success_metrics to authenticated;

grant select on public.call_success_metrics to monitoring;

grant select on public.call_success_metrics to service_role;

grant select on public.call_success_metrics_24h to authenticated;

grant select on public.call_success_metrics_24h to monitoring;

grant select on public.call_success_metrics_24h to service_role;

grant delete, select on public.call_tags to authenticated;

grant delete, insert, select, update on public.call_tags to service_role;

grant insert on public.call_tags (call_sid) to authenticated;

grant insert on public.call_tags (tag) to authenticated;

grant select on public.call_volume_hourly to authenticated;

grant select on public.call_volume_hourly to monitoring;

grant select on public.call_volume_hourly to service_role;

grant select on public.callbacks to authenticated;

grant insert, select, update on public.callbacks to service_role;

grant select on public.callbacks_due to authenticated;

grant select on public.callbacks_due to service_role;

grant select on public.calls_by_day to authenticated;

grant select on public.calls_by_day to monitoring;

grant select on public.calls_by_day to service_role;

grant select on public.calls_by_hour_of_day to authenticated;

grant select on public.calls_by_hour_of_day to monitoring;

grant select on public.calls_by_hour_of_day to service_role;

grant select on public.campaign_areas to authenticated;

grant delete, insert, select, update on public.campaign_areas to service_role;

grant select on public.campaign_changes to authenticated;

grant delete, insert, select, update on public.campaign_changes to service_role;

grant select on public.campaign_compliance to authenticated;

grant select on public.campaign_compliance to service_role;

grant select on public.campaign_contacts to authenticated;

grant delete, insert, select, update on public.campaign_contacts to service_role;

grant select on public.campaign_dials to authenticated;

grant insert, select on public.campaign_dials to service_role;

grant select on public.campaign_lines to authenticated;

grant delete, insert, select, update on public.campaign_lines to service_role;

grant select on public.campaign_live to authenticated;

grant select on public.campaign_live to service_role;

grant select on public.campaign_results to authenticated;

grant select on public.campaign_results to service_role;

grant select on public.campaigns to authenticated;

grant delete, insert, select, update on public.campaigns to service_role;

grant select on public.consent_evidence to service_role;

grant select on public.consent_metrics to authenticated;

grant select on public.consent_metrics to monitoring;

grant select on public.consent_metrics to service_role;

grant insert, select on public.contact_messages to service_role;

grant update on public.contact_messages (handled_at) to service_role;

grant delete, select on public.contacts to authenticated;

grant delete, insert, select, update on public.contacts to service_role;

grant insert, update on public.contacts (blocked) to authenticated;

grant insert, update on public.contacts (company) to authenticated;

grant insert, update on public.contacts (consent) to authenticated;

grant insert, update on public.contacts (consent_at) to authenticated;

grant insert, update on public.contacts (consent_source) to authenticated;

grant insert, update on public.contacts (name) to authenticated;

grant insert, update on public.contacts (notes) to authenticated;

grant insert on public.contacts (org_id) to authenticated;

grant insert on public.contacts (phone) to authenticated;

grant select on public.destination_performance to authenticated;

grant select on public.destination_performance to monitoring;

grant select on public.destination_performance to service_role;

grant insert, select, update on public.dial_attempts to service_role;

grant select on public.dial_attempts (accepted_at) to authenticated;

grant select on public.dial_attempts (answered_at) to authenticated;

grant select on public.dial_attempts (call_sid) to authenticated;

grant select on public.dial_attempts (callback_id) to authenticated;

grant select on public.dial_attempts (cancelled_at) to authenticated;

grant select on public.dial_attempts (connected_at) to authenticated;

grant select on public.dial_attempts (contact_id) to authenticated;

grant select on public.dial_attempts (decided_at) to authenticated;

grant select on public.dial_attempts (dialled_at) to authenticated;

grant select on public.dial_attempts (ended_at) to authenticated;

grant select on public.dial_attempts (group_name) to authenticated;

grant select on public.dial_attempts (id) to authenticated;

grant select on public.dial_attempts (leg_sid) to authenticated;

grant select on public.dial_attempts (line) to authenticated;

grant select on public.dial_attempts (node) to authenticated;

grant select on public.dial_attempts (org_id) to authenticated;

grant select on public.dial_attempts (owner) to authenticated;

grant select on public.dial_attempts (person_id) to authenticated;

grant select on public.dial_attempts (purpose) to authenticated;

grant select on public.dial_attempts (queue) to authenticated;

grant select on public.dial_attempts (result) to authenticated;

grant select on public.dial_attempts (seconds) to authenticated;

grant select on public.dial_attempts (state) to authenticated;

grant select on public.dial_attempts (to_e164) to authenticated;

grant select on public.dial_attempts (transfer) to authenticated;

grant select on public.dial_attempts (version_id) to authenticated;

grant insert, select, update on public.dial_rates to service_role;

grant delete, insert, select, update on public.dialled_time to service_role;

grant select on public.dialled_time (ceiling_sec) to monitoring;

grant select on public.dialled_time (day) to monitoring;

grant select on public.dialled_time (leg_sec) to monitoring;

grant select on public.dialled_time (open) to monitoring;

grant select on public.dialled_time (seconds) to monitoring;

grant insert, select on public.disclosures to service_role;

grant select on public.erased_calls to service_role;

grant select on public.erasure_receipts to service_role;

grant select on public.failed_transactions to authenticated;

grant select on public.failed_transactions to service_role;

grant select on public.flow_counts to authenticated;

grant insert, select on public.flow_counts to service_role;

grant update on public.flow_counts (calls) to service_role;

grant select on public.flow_counts_until to authenticated;

grant insert, select on public.flow_counts_until to service_role;

grant update on public.flow_counts_until (until) to service_role;

grant select on public.flow_funnel to authenticated;

grant select on public.flow_funnel to service_role;

grant select on public.function_metrics to monitoring;

grant delete, insert, select, update on public.function_metrics to service_role;

grant select on public.function_totals to monitoring;

grant insert, select, update on public.function_totals to service_role;

grant select on public.health_checks to monitoring;

grant delete, insert, select, update on public.health_checks to service_role;

grant delete, insert, select, update on public.idempotency_keys to service_role;

grant select on public.ivr_interactions to authenticated;

grant select on public.ivr_interactions to service_role;

grant select on public.ivr_sessions to authenticated;

grant select on public.ivr_sessions to service_role;

grant select on public.job_kinds to monitoring;

grant select on public.job_kinds to service_role;

grant update on public.job_kinds (delays) to service_role;

grant update on public.job_kinds (expires_after) to service_role;

grant update on public.job_kinds (held_for) to service_role;

grant update on public.job_kinds (held_until) to service_role;

grant update on public.job_kinds (hourly_share) to service_role;

grant update on public.job_kinds (keep) to service_role;

grant update on public.job_kinds (lease) to service_role;

grant update on public.job_kinds (longest_hold) to service_role;

grant update on public.job_kinds (max_attempts) to service_role;

grant update on public.job_kinds (share) to service_role;

grant select on public.job_lanes to monitoring;

grant select on public.job_lanes to service_role;

grant delete, insert, select, update on public.jobs to service_role;

grant select on public.jobs (attempts) to monitoring;

grant select on public.jobs (created_at) to monitoring;

grant select on public.jobs (ended_at) to monitoring;

grant select on public.jobs (id) to monitoring;

grant select on public.jobs (key) to monitoring;

grant select on public.jobs (kind) to monitoring;

grant select on public.jobs (priority) to monitoring;

grant select on public.jobs (run_at) to monitoring;

grant select on public.jobs (status) to monitoring;

grant select on public.jobs_dead to service_role;

grant select on public.jobs_waiting to monitoring;

grant select on public.jobs_waiting to service_role;

grant delete, select on public.knowledge_entries to authenticated;

grant delete, insert, select, update on public.knowledge_entries to service_role;

grant insert, update on public.knowledge_entries (answer) to authenticated;

grant insert, update on public.knowledge_entries (language) to authenticated;

grant insert, update on public.knowledge_entries (question) to authenticated;

grant update on public.knowledge_entries (updated_at) to authenticated;

grant select on public.leg_results to authenticated;

grant select on public.leg_results to monitoring;

grant select on public.leg_results to service_role;

grant select on public.lines to authenticated;

grant delete, insert, select on public.lines to service_role;

grant update on public.lines (flow_id) to service_role;

grant delete, select on public.members to authenticated;

grant delete, insert, select, update on public.members to service_role;

grant insert on public.members (email) to authenticated;

grant insert, update on public.members (name) to authenticated;

grant insert on public.members (org_id) to authenticated;

grant insert, update on public.members (role) to authenticated;

grant select on public.missed_calls to service_role;

grant select on public.number_provisioning_status to authenticated;

grant select on public.number_provisioning_status to service_role;

grant select on public.operations_now to monitoring;

grant select on public.operations_now to service_role;

grant delete, select on public.people to authenticated;

grant delete, insert, select, update on public.people to service_role;

grant insert, update on public.people (available) to authenticated;

grant insert, update on public.people (calendar) to authenticated;

grant insert, update on public.people (code) to authenticated;

grant insert, update on public.people (dnd_until) to authenticated;

grant insert, update on public.people (handle) to authenticated;

grant insert, update on public.people (member_id) to authenticated;

grant insert, update on public.people (name) to authenticated;

grant insert on public.people (org_id) to authenticated;

grant insert, update on public.people (phone) to authenticated;

grant select on public.people_performance to authenticated;

grant select on public.people_performance to service_role;

grant select on public.personal_data to service_role;

grant select on public.prompts to authenticated;

grant insert, select on public.prompts to service_role;

grant insert, select, update on public.queue_entries to service_role;

grant select on public.queue_entries (call_sid) to authenticated;

grant select on public.queue_entries (connected_at) to authenticated;

grant select on public.queue_entries (first_position) to authenticated;

grant select on public.queue_entries (group_name) to authenticated;

grant select on public.queue_entries (id) to authenticated;

grant select on public.queue_entries (left_at) to authenticated;

grant select on public.queue_entries (line) to authenticated;

grant select on public.queue_entries (members) to authenticated;

grant select on public.queue_entries (node) to authenticated;

grant select on public.queue_entries (org_id) to authenticated;

grant select on public.queue_entries (owner) to authenticated;

grant select on public.queue_entries (queue) to authenticated;

grant select on public.queue_entries (queued_at) to authenticated;

grant select on public.queue_entries (result) to authenticated;

grant select on public.queue_entries (returned_at) to authenticated;

grant select on public.queue_entries (returns_to) to authenticated;

grant select on public.queue_entries (seconds) to authenticated;

grant select on public.queue_entries (seen_at) to authenticated;

grant select on public.queue_entries (taken_at) to authenticated;

grant select on public.queue_entries (told_position) to authenticated;

grant select on public.queue_entries (version_id) to authenticated;

grant select on public.queue_now to authenticated;

grant select on public.queue_now to service_role;

grant delete, insert, select, update on public.rate_limit_refusals to service_role;

grant select on public.rate_limit_refusals (endpoint) to monitoring;

grant select on public.rate_limit_refusals (identifier_type) to monitoring;

grant select on public.rate_limit_refusals (minute) to monitoring;

grant select on public.rate_limit_refusals (refusals) to monitoring;

grant select on public.rate_limit_violations to service_role;

grant delete, insert, select, update on public.rate_limit_windows to service_role;

grant select on public.recent_errors to service_role;

grant select on public.recordings to authenticated;

grant insert, select, update on public.recordings to service_role;

grant select on public.recordings (deleted_at) to monitoring;

grant select on public.recordings (handled_at) to monitoring;

grant select on public.recordings (recorded_at) to monitoring;

grant select on public.recordings (source) to monitoring;

grant select on public.retention_rules to service_role;

grant update on public.retention_rules (days) to service_role;

grant select on public.rolled_hours to authenticated;

grant select on public.rolled_hours to monitoring;

grant delete, insert, select on public.rolled_hours to service_role;

grant delete, select on public.saved_searches to authenticated;

grant delete, insert, select, update on public.saved_searches to service_role;

grant insert, update on public.saved_searches (filters) to authenticated;

grant insert, update on public.saved_searches (name) to authenticated;

grant insert on public.saved_searches (org_id) to authenticated;

grant insert, update on public.saved_searches (query) to authenticated;

grant select on public.search_alert_matches to authenticated;

grant select on public.search_alert_matches to service_role;

grant delete on public.search_alerts to authenticated;

grant delete, insert, select, update on public.search_alerts to service_role;

grant insert, select, update on public.search_alerts (active) to authenticated;

grant insert, select, update on public.search_alerts (channel) to authenticated;

grant select on public.search_alerts (created_at) to authenticated;

grant select on public.search_alerts (id) to authenticated;

grant insert, select, update on public.search_alerts (kinds) to authenticated;

grant insert, select, update on public.search_alerts (name) to authenticated;

grant insert, select on public.search_alerts (org_id) to authenticated;

grant select on public.search_alerts (owner) to authenticated;

grant insert, select, update on public.search_alerts (query) to authenticated;

grant insert, update on public.search_alerts (secret) to authenticated;

grant insert, select, update on public.search_alerts (target) to authenticated;

grant select on public.search_alerts (user_id) to authenticated;

grant select on public.search_documents to authenticated;

grant select on public.search_documents to service_role;

grant select on public.search_embeddings to service_role;

grant select on public.search_history to authenticated;

grant select on public.search_history (at) to monitoring;

grant select on public.search_history (at) to service_role;

grant select on public.search_history (corrected) to monitoring;

grant select on public.search_history (corrected) to service_role;

grant select on public.search_history (filters) to monitoring;

grant select on public.search_history (filters) to service_role;

grant select on public.search_history (hits) to monitoring;

grant select on public.search_history (hits) to service_role;

grant select on public.search_history (id) to monitoring;

grant select on public.search_history (id) to service_role;

grant select on public.search_history (milliseconds) to monitoring;

grant select on public.search_history (milliseconds) to service_role;

grant select on public.search_history (org_id) to monitoring;

grant select on public.search_history (org_id) to service_role;

grant select on public.search_history (owner) to monitoring;

grant select on public.search_history (owner) to service_role;

grant select on public.search_history (partial) to monitoring;

grant select on public.search_history (partial) to service_role;

grant select on public.search_passages to service_role;

grant select on public.search_performance to monitoring;

grant select on public.search_performance to service_role;

grant select on public.search_sources to service_role;

grant select on public.search_words to service_role;

grant select on public.suppressions to authenticated;

grant delete, insert, select on public.suppressions to service_role;

grant insert on public.suppressions (e164) to authenticated;

grant insert on public.suppressions (org_id) to authenticated;

grant insert on public.suppressions (source) to authenticated;

grant select on public.telephony_numbers to authenticated;

grant delete, insert, select, update on public.telephony_numbers to service_role;

grant select on public.telephony_subaccounts to authenticated;

grant insert, select, update on public.telephony_subaccounts to service_role;

grant select on public.telephony_transactions to authenticated;

grant delete, insert, select, update on public.telephony_transactions to service_role;

grant select on public.telephony_transactions (completed_at) to monitoring;

grant select on public.telephony_transactions (started_at) to monitoring;

grant select on public.telephony_transactions (status) to monitoring;

grant select on public.telephony_transactions (transaction_type) to monitoring;

grant select on public.voicemail_backlog to authenticated;

grant select on public.voicemail_backlog to service_role;

grant select on public.voicemail_steps to authenticated;

grant insert, select on public.voicemail_steps to service_role;

grant insert on public.voicemail_steps (assigned_to) to authenticated;

grant insert on public.voicemail_steps (call_sid) to authenticated;

grant insert on public.voicemail_steps (recording_sid) to authenticated;

grant insert on public.voicemail_steps (state) to authenticated;

grant select on public.voicemails to authenticated;

grant select on public.voicemails to service_role;

grant select on public.webhook_performance to monitoring;

grant select on public.webhook_performance to service_role;

grant select on public.worker_runs to monitoring;

grant insert, select, update on public.worker_runs to service_role;

grant usage on schema private to authenticated;

grant usage on schema private to monitoring;

grant usage on schema private to service_role;

grant usage on schema public to monitoring;

-- Default privileges

alter default privileges for role postgres grant execute on functions to postgres;

-- Comments

comment on function take_rate_limit(text,text,text,integer,interval) is 'True: admitted and counted. False: refused and recorded. Never more than p_max in any window of p_window.';

comment on table public.agent_providers is 'Health of the providers of language models.';

comment on table public.agent_questions is 'Questions that AI agents could not answer.';

comment on table public.agent_sessions is 'Sockets between calls and AI agents. A talk that moved has several.';

comment on table public.agent_turns is 'What was said and done in talks with AI agents. Append-only.';

comment on table public.alert_episodes is 'When each alert fired and recovered.';

comment on table public.alert_rules is 'The alerts and their thresholds; an operator may change threshold, window_minutes, minimum and close_after_minutes.';

comment on table public.audit_log is 'What signed-in people changed, and when. Append-only.';

comment on table public.call_flow_versions is 'Published flows, immutable: a call keeps the version that it began with.';

comment on table public.call_hours is 'The sums of the last 31 days'' calls, by hour and outcome, for each organisation and for all. It has no single call.';

comment on table public.call_legs is 'One row a leg that a call dialled: the fold of its events, in any order.';

comment on table public.call_legs.result is 'accepted: on the line with the caller; declined: answered, and another key pressed; mailbox: answered, and no key pressed; caller_left: answered, and the caller had gone; taken: accepted after somebody else; busy, no_answer, unreachable; canceled: ended while it rang. Null while it lasts.';

comment on table public.call_lifecycle is 'Every accepted event, append-only, by the month it was received in. No foreign key to call_logs: the events outlive what is folded from them.';

comment on table public.call_logs is 'One row a call: the fold of its call_lifecycle events, in any order.';

comment on table public.call_logs.answered_at is 'When the line picked up.';

comment on table public.call_logs.connected_at is 'When a person answered, and the caller was still there.';

comment on table public.call_logs.dialled is 'A leg was dialled for this call.';

comment on table public.call_logs.disposition is 'How the call ended for the caller: connected, voicemail, abandoned, rate_limited, failed. Null while it lasts.';

comment on table public.call_logs.incomplete is 'Ended without something that such a call usually has: voice-reconcile asks Twilio for it.';

comment on table public.call_logs.last_step is 'The last step with the caller: where callers hung up who reached no person and no voicemail.';

comment on table public.call_logs.line is 'Our telephone number in the call, whichever end it is.';

comment on table public.call_logs.party is 'The other telephone number: the caller, or the called one.';

comment on table public.call_logs.rang_at is 'When the first leg that was dialled for it was on its way.';

comment on table public.call_notes is 'What people write about a call.';

comment on table public.call_tags is 'The tags of calls, in lower case.';

comment on table public.callbacks is 'Promises to call back: one open one for a number and group.';

comment on table public.campaign_areas is 'Places of a campaign''s contacts: rules, possible time zones, and the next time in which all of them may be called.';

comment on table public.campaign_changes is 'Changes of the number of contacts in each state, and of dials; their sums are the live figures.';

comment on table public.campaign_contacts is 'Whom a campaign calls, once a number, and how that stands.';

comment on table public.campaign_dials is 'The record of each dial of a campaign: when, on what consent, under which rules, and how it ended.';

comment on table public.campaign_lines is 'The numbers that a campaign calls from, with the dials of the day (UTC).';

comment on table public.campaigns is 'Lists of people whom an owner calls, each with its hours, rate and rules of repetition.';

comment on table public.contact_messages is 'Messages from visitors of the website.';

comment on table public.contacts is 'A person by number: made at the first call, named by hand, by a file or by a campaign.';

comment on table public.contacts.bare is 'Nothing is known but the number: the contact expires with its last call.';

comment on table public.dial_attempts is 'One row a telephone that was, or is to be, dialled on our own account: written before the dial.';

comment on table public.dial_rates is 'The calls a second that Twilio makes for each account; its row is locked while dials are reserved.';

comment on table public.dialled_time is 'The dialled time of each line by day; MAX_DIALLED_MINUTES_PER_DAY limits it.';

comment on table public.disclosures is 'The disclosures of recording: the words that callers consented to, or refused. Kept for ever; nothing personal.';

comment on table public.function_metrics is 'Requests, errors and latencies of each function by minute, kept for 30 days.';

comment on table public.function_totals is 'The sums of function_metrics since the beginning; they never decrease.';

comment on table public.health_checks is 'The answers of voice-health and Twilio to alert-dispatch, kept for 7 days.';

comment on table public.idempotency_keys is 'One row an accepted request, with its answer, until it expires.';

comment on table public.job_kinds is 'The rules of each kind of work: delays, tries, lease, shares. An operator may change them.';

comment on table public.jobs is 'Work that waits, is being done, was done (for as long as its kind keeps it) or was given up.';

comment on table public.knowledge_entries is 'Questions and answers that AI agents may use. org_id null: of the main account.';

comment on table public.lines is 'Which flow each line follows. Its version is the flow''s pointer.';

comment on table public.members is 'Who signs in for which organisation, and as what. user_id null: invited.';

comment on table public.people is 'Whom a line rings, by the handle that groups of a flow name.';

comment on table public.people.verified_at is 'When the person accepted a call to this number by key; null: not rung for callers.';

comment on table public.personal_data is 'Which columns hold personal data, how a person''s rows are found, and how they are exported, erased and expired.';

comment on table public.queue_entries is 'One row a time that a caller holds for a group.';

comment on table public.rate_limit_refusals is 'Refusals by minute; the view rate_limit_violations reads them.';

comment on table public.rate_limit_windows is 'The limiter''s state: admissions inside the window, per endpoint and identifier.';

comment on table public.recordings is 'One row a recording of a call: the fold of its events, in any order.';

comment on table public.recordings.handled_at is 'When an operator marked the voicemail as handled; it then leaves voicemail_backlog.';

comment on table public.retention_rules is 'Days that each kind of record is kept. An operator may change days; voice-reconcile enforces them each minute.';

comment on table public.rolled_hours is 'The hours (UTC) whose calls are added up in call_hours; the calls of any other hour are counted one by one.';

comment on table public.saved_searches is 'The searches that a person keeps: words and filters.';

comment on table public.search_alert_matches is 'Which documents an alert matched. Each has a job search_alert, which sends the message.';

comment on table public.search_alerts is 'Words that somebody wants to be told of: by mail, Slack or a signed webhook.';

comment on table public.search_documents is 'What search finds by its words. Written in the transaction of its source; rebuild_search_documents proves that nothing else is in it.';

comment on table public.search_embeddings is 'The meaning of a document as numbers, for search by meaning. Empty without pgvector.';

comment on table public.search_history is 'What was searched for, by whom, and how it went. Words for 30 days, counts for a year.';

comment on table public.search_history.filters is 'The names of the filters that were set.';

comment on table public.search_words is 'The words of search_documents, for corrections; a word may stand here twice.';

comment on table public.suppressions is 'Numbers that an owner neither texts nor calls on its own account: one list for every way of saying stop.';

comment on table public.telephony_secrets is 'Auth tokens of the sub-accounts, encrypted; telephony_tenant reads them.';

comment on table public.telephony_transactions.status is 'in_progress; completed; rolled_back: failed, and nothing is left of it; failed: failed, and undoing it has not worked yet; released: completed, and given back since.';

comment on table public.telephony_transactions.steps_completed is 'The steps in the order they were begun. Onboarding: {step, state: intended, done or undone, undo, and what it made}.';

comment on table public.voicemail_steps is 'Who took, assigned and finished a voicemail, and when.';

comment on table public.worker_runs is 'When each worker last ran and last succeeded.';

comment on view public.active_calls is 'Calls whose end has not been reported yet.';

comment on view public.agent_calls is 'Talks with AI agents: how long, how they ended, what they cost.';

comment on view public.agent_cost_by_day is 'What models cost, by day (UTC), line and model.';

comment on view public.agent_handoffs is 'Talks that led to a person or a message: why, and what came of it.';

comment on view public.agent_provider_health is 'How the providers of language models do.';

comment on view public.agent_turn_latency is 'How long models took in the last 7 days, by hour: to the first token and to the end.';

comment on view public.agent_unanswered_questions is 'Questions that nobody has answered or dismissed; an entry with the same question ends one.';

comment on view public.alert_history is 'Open alerts, and those that ended in the last 30 days; undelivered: messages that their channel has not accepted.';

comment on view public.alert_status is 'The state of every alert. With too little data (alert_rules.minimum) value is null and the alert does not fire. response_time is the 95th percentile in seconds; system_unhealthy is how long voice-health has failed.';

comment on view public.call_funnel is 'How far the calls of the last 24 hours came: one row a stage. The first five stages follow each other; the last four are how calls ended without a person.';

comment on view public.call_hangups is 'The last step of the callers of the last 24 hours who hung up without reaching a person or voicemail.';

comment on view public.call_success_metrics is 'The last hour. completed_calls reached a person or left a voicemail; failed_calls ended without either; the rate is the first out of both. Refused and running calls count in neither. Null: no call has ended.';

comment on view public.call_success_metrics_24h is 'As call_success_metrics, over 24 hours.';

comment on view public.call_volume_hourly is 'The last 7 days, by hour (UTC) of the call''s start and by the caller''s choice.';

comment on view public.callbacks_due is 'Promises to call back that are open, in order, and those that failed in the last 7 days, with why.';

comment on view public.calls_by_day is 'The last 30 days, by day (UTC) of the call''s start.';

comment on view public.calls_by_hour_of_day is 'The last 28 days by hour of the day (UTC): when people ring, and when nobody answers.';

comment on view public.campaign_compliance is 'Of each campaign and day (UTC): dials, answers, and the part of answers that found nobody, as the rules count it.';

comment on view public.campaign_live is 'Of each campaign the contacts by state, and the dials made (dialled). waiting: still to be dialled, or again; unknown: a dial of which Twilio has not said whether it made it.';

comment on view public.campaign_results is 'Each contact of a campaign, how it stands, and its last dial.';

comment on view public.consent_metrics is 'Recording consent over the last 24 hours; the rate is out of the calls that decided.';

comment on view public.destination_performance is 'The forwarded calls of the last 7 days, by the caller''s choice: how many were answered, and after how long.';

comment on view public.failed_transactions is 'Failed onboardings and their finished steps.';

comment on view public.flow_funnel is 'Of each node of each version: how often callers came in, by which outcomes they left it, how many wait there now, how many hung up there.';

comment on view public.ivr_interactions is 'What happened at each node that a call left or was asked again at, in the order of at, event_id and nth.';

comment on view public.ivr_sessions is 'Each call that came in: the flow and version that answered it, how it stands, and the node that it was led to last.';

comment on view public.job_lanes is 'When the first job of each kind and priority is due, or its lease ends.';

comment on view public.jobs_dead is 'Jobs that were given up, and why. retry_dead_jobs(id) tries one again.';

comment on view public.jobs_waiting is 'Work that waits or is being done, by kind: how much is due, how old the oldest is, until when the kind is held, and how many are dead.';

comment on view public.leg_results is 'The legs dialled in the last 24 hours, by the node of the flow: their results, and the time to answer.';

comment on view public.missed_calls is 'Callers of the last 7 days who reached nobody and left no message: how long they held, whether that is settled by a promise to call back or a later call, and whether a text and a mail were sent (dead: given up, see jobs_dead).';

comment on view public.number_provisioning_status is 'Each onboarded number, its organisation, and its calls of the last 24 hours.';

comment on view public.operations_now is 'The line at this moment, in one row: calls, waiting voicemails, refusals, work that is due, connections.';

comment on view public.people_performance is 'Of each person, group and day (UTC): how often rung, and how each ended. too_late: somebody else was first; canceled: ended before an answer; transferred: passed on to somebody who took the call.';

comment on view public.queue_now is 'Who holds now, for which group, since when and at which place; taken: somebody has accepted the call and is being connected, or talks.';

comment on view public.rate_limit_violations is 'Refusals of the last 24 hours by identifier and endpoint.';

comment on view public.recent_errors is 'Errors of the last 24 hours, newest first.';

comment on view public.search_passages is 'search_documents as it has to be: search_sources in passages.';

comment on view public.search_performance is 'Searches by day: how many, how many found nothing or were partial, and how long they took inside the database.';

comment on view public.search_sources is 'What search_documents is made from, one row a source.';

comment on view public.voicemail_backlog is 'Voicemails that are not marked as handled (recordings.handled_at), newest first.';

comment on view public.voicemails is 'Each voicemail with its state: new, taken or done, whose it is, and who changed it last.';

comment on view public.webhook_performance is 'The last hour by function: requests let in, errors (5xx, or answered without the database), our own latency, and rejected requests (refused).';

-- Rows

-- alert_rules: {"unit": "%", "alert": "call_success_rate", "action": "Look at call_hangups and destination_performance, then place a call.", "minimum": 20, "summary": "Too few callers reach a person or voicemail", "severity": "critical", "threshold": 90, "comparison": "below", "window_minutes": 30, "close_after_minutes": 10}

-- alert_rules: {"unit": "%", "alert": "database_connections", "action": "End idle sessions, or raise the connection limit.", "minimum": 0, "summary": "Too many of the database's connections are in use", "severity": "warning", "threshold": 80, "comparison": "above", "window_minutes": 0, "close_after_minutes": 10}

-- alert_rules: {"unit": "%", "alert": "dialled_minutes", "action": "Look at dialled_time and destination_performance: toll fraud, or a busy line. Beyond MAX_DIALLED_MINUTES_PER_DAY its callers reach voicemail.", "minimum": 0, "summary": "A line forwards calls for almost as long as it may in a day", "severity": "critical", "threshold": 80, "comparison": "above", "window_minutes": 0, "close_after_minutes": 10}

-- alert_rules: {"unit": "%", "alert": "error_rate", "action": "Look at webhook_performance for the function and at its logs.", "minimum": 20, "summary": "Too many requests fail", "severity": "critical", "threshold": 5, "comparison": "above", "window_minutes": 5, "close_after_minutes": 10}

-- alert_rules: {"unit": "calls", "alert": "call_concurrency", "action": "Get the account's business profile approved at Twilio, or its limit raised.", "minimum": 0, "summary": "Twilio refuses calls, as the account has too many at once", "severity": "critical", "threshold": 0, "comparison": "above", "window_minutes": 60, "close_after_minutes": 10}

-- alert_rules: {"unit": "calls", "alert": "calls_unsettled", "action": "Look at voice-reconcile's log: asked, failed, backed_off. Is TWILIO_ACCOUNT_SID set?", "minimum": 0, "summary": "What callbacks did not bring is not fetched from Twilio", "severity": "warning", "threshold": 20, "comparison": "above", "window_minutes": 60, "close_after_minutes": 10}

-- alert_rules: {"unit": "errors a minute", "alert": "function_errors", "action": "Look at webhook_performance and the functions' logs, level error; roll back if a deploy came before it.", "minimum": 0, "summary": "Functions fail", "severity": "critical", "threshold": 5, "comparison": "above", "window_minutes": 1, "close_after_minutes": 10}

-- alert_rules: {"unit": "failures", "alert": "tenant_lookups", "action": "Look at recent_errors, event types tenant_...: the runbook says what each means.", "minimum": 0, "summary": "Organisations' accounts or tokens cannot be looked up", "severity": "critical", "threshold": 0, "comparison": "above", "window_minutes": 10, "close_after_minutes": 10}

-- alert_rules: {"unit": "jobs", "alert": "jobs_dead", "action": "Look at jobs_dead: last_error says why. `select retry_dead_jobs(id)` tries one again.", "minimum": 0, "summary": "Work was given up", "severity": "warning", "threshold": 0, "comparison": "above", "window_minutes": 60, "close_after_minutes": 10}

-- alert_rules: {"unit": "messages", "alert": "voicemail_backlog", "action": "Listen, call back, and mark each as handled.", "minimum": 0, "summary": "Voicemails wait for a person", "severity": "warning", "threshold": 10, "comparison": "above", "window_minutes": 0, "close_after_minutes": 10}

-- alert_rules: {"unit": "minutes", "alert": "average_call_duration", "action": "Look at active_calls: lines that are not hung up cost money.", "minimum": 20, "summary": "Calls last long on average", "severity": "warning", "threshold": 15, "comparison": "above", "window_minutes": 60, "close_after_minutes": 10}

-- alert_rules: {"unit": "minutes", "alert": "system_unhealthy", "action": "Run `deno task doctor`: it names the check and what to do.", "minimum": 0, "summary": "The health check fails", "severity": "critical", "threshold": 5, "comparison": "at_least", "window_minutes": 5, "close_after_minutes": 10}

-- alert_rules: {"unit": "onboardings", "alert": "onboarding_stuck", "action": "Look at telephony_transactions: steps_completed says what may be paid for at Twilio, error_message what is in the way.", "minimum": 0, "summary": "An onboarding or a release is neither finished nor undone for an hour", "severity": "warning", "threshold": 0, "comparison": "above", "window_minutes": 0, "close_after_minutes": 10}

-- alert_rules: {"unit": "recordings", "alert": "recordings_undeleted", "action": "Run `deno task forget --pending`: it says what Twilio answers.", "minimum": 0, "summary": "Recordings or records of erased calls are still at Twilio", "severity": "warning", "threshold": 0, "comparison": "above", "window_minutes": 0, "close_after_minutes": 10}

-- alert_rules: {"unit": "refusals", "alert": "mail_ceiling", "action": "Look at rate_limit_violations, type everyone: contact-submit refuses visitors (MAX_CONTACT_MESSAGES_PER_HOUR), notify-worker has mails wait (MAX_MAILS_PER_HOUR). Look at contact_messages: a flood, or a good day.", "minimum": 0, "summary": "Website messages or mails reach an hourly ceiling", "severity": "warning", "threshold": 0, "comparison": "above", "window_minutes": 60, "close_after_minutes": 10}

-- alert_rules: {"unit": "refusals", "alert": "rate_limit_violations", "action": "Look at rate_limit_violations: one caller, or many.", "minimum": 0, "summary": "The rate limit refuses many calls", "severity": "warning", "threshold": 50, "comparison": "above", "window_minutes": 60, "close_after_minutes": 10}

-- alert_rules: {"unit": "seconds", "alert": "response_time", "action": "Compare avg_ms with avg_database_ms in webhook_performance: the database, or the functions.", "minimum": 20, "summary": "One request in twenty takes too long", "severity": "warning", "threshold": 2, "comparison": "above", "window_minutes": 1, "close_after_minutes": 10}

-- alert_rules: {"unit": "transactions", "alert": "failed_transactions", "action": "Look at failed_transactions: error_message says why.", "minimum": 0, "summary": "Onboarding fails", "severity": "warning", "threshold": 5, "comparison": "above", "window_minutes": 60, "close_after_minutes": 10}

-- alert_rules: {"unit": "webhooks", "alert": "database_failures", "action": "Callers are served without recording. Look at the database's load and connections.", "minimum": 0, "summary": "Webhooks do not reach the database", "severity": "critical", "threshold": 0, "comparison": "above", "window_minutes": 5, "close_after_minutes": 10}

-- job_kinds: {"keep": "30 days", "kind": "alert_pagerduty", "lease": "00:00:50", "share": 0.5, "delays": ["00:00:50"], "worker": "alert-dispatch", "held_for": null, "priority": 0, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": null, "max_attempts": null, "expires_after": "1 day", "fixes_content": false}

-- job_kinds: {"keep": "30 days", "kind": "alert_slack", "lease": "00:00:50", "share": 0.5, "delays": ["00:00:50"], "worker": "alert-dispatch", "held_for": null, "priority": 1, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": null, "max_attempts": null, "expires_after": "1 day", "fixes_content": false}

-- job_kinds: {"keep": "30 days", "kind": "invite", "lease": "00:01:00", "share": 0, "delays": ["00:00:05", "00:01:00", "00:10:00", "01:00:00"], "worker": "notify-worker", "held_for": null, "priority": 1, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": "00:15:00", "max_attempts": 6, "expires_after": "1 day", "fixes_content": false}

-- job_kinds: {"keep": "30 days", "kind": "mail_alert", "lease": "00:02:00", "share": 0, "delays": ["00:00:05", "00:05:00", "00:30:00", "02:00:00", "05:00:00", "10:00:00", "10:00:00"], "worker": "notify-worker", "held_for": null, "priority": 0, "key_lives": "23:30:00", "held_until": null, "hourly_share": 1, "longest_hold": "00:01:00", "max_attempts": 8, "expires_after": null, "fixes_content": true}

-- job_kinds: {"keep": "30 days", "kind": "mail_contact_auto_reply", "lease": "00:02:00", "share": 0, "delays": ["00:00:05", "00:05:00", "00:30:00", "02:00:00", "05:00:00", "10:00:00", "10:00:00"], "worker": "notify-worker", "held_for": null, "priority": 3, "key_lives": "23:30:00", "held_until": null, "hourly_share": 0.25, "longest_hold": null, "max_attempts": 8, "expires_after": null, "fixes_content": true}

-- job_kinds: {"keep": "30 days", "kind": "mail_contact_notification", "lease": "00:02:00", "share": 0, "delays": ["00:00:05", "00:05:00", "00:30:00", "02:00:00", "05:00:00", "10:00:00", "10:00:00"], "worker": "notify-worker", "held_for": null, "priority": 2, "key_lives": "23:30:00", "held_until": null, "hourly_share": 0.5, "longest_hold": "00:15:00", "max_attempts": 8, "expires_after": null, "fixes_content": true}

-- job_kinds: {"keep": "30 days", "kind": "mail_missed_call", "lease": "00:02:00", "share": 0, "delays": ["00:00:05", "00:05:00", "00:30:00", "02:00:00", "05:00:00", "10:00:00", "10:00:00"], "worker": "notify-worker", "held_for": null, "priority": 2, "key_lives": "23:30:00", "held_until": null, "hourly_share": 0.5, "longest_hold": "00:15:00", "max_attempts": 8, "expires_after": null, "fixes_content": true}

-- job_kinds: {"keep": "30 days", "kind": "mail_search_alert", "lease": "00:02:00", "share": 0, "delays": ["00:00:05", "00:05:00", "00:30:00", "02:00:00", "05:00:00", "10:00:00", "10:00:00"], "worker": "notify-worker", "held_for": null, "priority": 2, "key_lives": "23:30:00", "held_until": null, "hourly_share": 0.5, "longest_hold": "00:15:00", "max_attempts": 8, "expires_after": null, "fixes_content": true}

-- job_kinds: {"keep": "30 days", "kind": "mail_voicemail", "lease": "00:02:00", "share": 0, "delays": ["00:00:05", "00:05:00", "00:30:00", "02:00:00", "05:00:00", "10:00:00", "10:00:00"], "worker": "notify-worker", "held_for": null, "priority": 1, "key_lives": "23:30:00", "held_until": null, "hourly_share": 0.9, "longest_hold": "00:01:00", "max_attempts": 8, "expires_after": null, "fixes_content": true}

-- job_kinds: {"keep": "30 days", "kind": "missed_call_sms", "lease": "00:00:30", "share": 0.25, "delays": ["00:00:10", "00:01:00", "00:05:00"], "worker": "dial-worker", "held_for": null, "priority": 3, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": null, "max_attempts": 4, "expires_after": "01:00:00", "fixes_content": false}

-- job_kinds: {"keep": "30 days", "kind": "search_alert", "lease": "00:01:00", "share": 0.1, "delays": ["00:00:05", "00:05:00", "00:30:00", "02:00:00", "05:00:00"], "worker": "notify-worker", "held_for": null, "priority": 2, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": "00:15:00", "max_attempts": 6, "expires_after": "1 day", "fixes_content": false}

-- job_kinds: {"keep": null, "kind": "callback", "lease": "00:00:30", "share": 0.25, "delays": ["00:00:10", "00:01:00"], "worker": "dial-worker", "held_for": null, "priority": 2, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": null, "max_attempts": null, "expires_after": null, "fixes_content": false}

-- job_kinds: {"keep": null, "kind": "dial", "lease": "00:00:30", "share": 0.5, "delays": ["00:00:01", "00:00:02", "00:00:05"], "worker": "dial-worker", "held_for": null, "priority": 0, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": "00:00:10", "max_attempts": null, "expires_after": null, "fixes_content": false}

-- job_kinds: {"keep": null, "kind": "dial_end", "lease": "00:00:30", "share": 0.25, "delays": ["00:00:02", "00:00:05", "00:00:30", "00:05:00"], "worker": "dial-worker", "held_for": null, "priority": 1, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": "00:00:10", "max_attempts": null, "expires_after": null, "fixes_content": false}

-- job_kinds: {"keep": null, "kind": "embedding", "lease": "00:01:00", "share": 0.25, "delays": ["00:00:10", "00:01:00", "00:10:00", "01:00:00", "06:00:00"], "worker": "notify-worker", "held_for": null, "priority": 3, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": null, "max_attempts": 20, "expires_after": null, "fixes_content": false}

-- job_kinds: {"keep": null, "kind": "incomplete_call", "lease": "00:02:00", "share": 0.25, "delays": ["00:05:00", "00:10:00", "00:20:00", "00:40:00", "01:20:00", "02:40:00", "05:20:00", "06:00:00"], "worker": "voice-reconcile", "held_for": null, "priority": 2, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": null, "max_attempts": null, "expires_after": null, "fixes_content": false}

-- job_kinds: {"keep": null, "kind": "onboarding", "lease": "00:03:00", "share": 0.25, "delays": ["00:01:00", "00:02:00", "00:04:00", "00:08:00", "00:16:00", "00:32:00", "01:04:00", "02:08:00", "04:16:00", "06:00:00"], "worker": "voice-reconcile", "held_for": null, "priority": 0, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": null, "max_attempts": null, "expires_after": null, "fixes_content": false}

-- job_kinds: {"keep": null, "kind": "open_call", "lease": "00:02:00", "share": 0.25, "delays": ["00:05:00"], "worker": "voice-reconcile", "held_for": null, "priority": 1, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": null, "max_attempts": null, "expires_after": null, "fixes_content": false}

-- job_kinds: {"keep": null, "kind": "queue_check", "lease": "00:00:30", "share": 0.25, "delays": ["00:00:10", "00:01:00"], "worker": "dial-worker", "held_for": null, "priority": 2, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": null, "max_attempts": null, "expires_after": null, "fixes_content": false}

-- job_kinds: {"keep": null, "kind": "queue_delete", "lease": "00:00:30", "share": 0, "delays": ["00:01:00", "01:00:00"], "worker": "dial-worker", "held_for": null, "priority": 3, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": null, "max_attempts": 5, "expires_after": null, "fixes_content": false}

-- job_kinds: {"keep": null, "kind": "twilio_deletion", "lease": "00:02:00", "share": 0.25, "delays": ["00:01:00", "00:02:00", "00:04:00", "00:08:00", "00:16:00", "00:32:00", "01:04:00", "02:08:00", "04:16:00", "06:00:00"], "worker": "voice-reconcile", "held_for": null, "priority": 3, "key_lives": null, "held_until": null, "hourly_share": null, "longest_hold": null, "max_attempts": null, "expires_after": null, "fixes_content": false}

-- personal_data: {"rule": "analytics_events", "other": ["event_type", "event_data", "severity"], "expired": "t.created_at < $1 and t.event_type !~ '^(deploy|rollback)_'", "personal": [], "of_person": null, "table_name": "analytics_events", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["call_sid", "direction", "line", "mode", "recording_sid", "recording_source", "handoff_reason", "disposition", "last_step", "at_node"], "expired": null, "personal": ["from_e164", "to_e164", "party", "recording_url", "transcript"], "of_person": "t.call_sid = any ($1)", "table_name": "call_logs", "exported_as": "calls", "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["call_sid", "leg_sid", "node", "told", "transfer", "result"], "expired": null, "personal": ["to_e164"], "of_person": "t.call_sid = any ($1) or t.to_e164 = $2", "table_name": "call_legs", "exported_as": "call_legs", "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["call_sid", "leg_sid", "parent_call_sid", "status", "path"], "expired": null, "personal": ["meta", "answer"], "of_person": "t.call_sid = any ($1) and ($5 or t.meta ?| array['speech', 'digits'] or (t.answer).facts ?| array['people', 'self'])", "table_name": "call_lifecycle", "exported_as": "call_events", "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["call_sid", "line", "group_name", "node", "calendar", "state", "why"], "expired": "t.state <> 'open' and t.ended_at < $1", "personal": ["to_e164", "members"], "of_person": "t.call_sid = any ($1) or t.to_e164 = $2", "table_name": "callbacks", "exported_as": "callbacks", "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["call_sid", "queue", "group_name", "node", "line", "result"], "expired": "t.queued_at < $1", "personal": ["members", "returns_to", "call_token"], "of_person": "t.call_sid = any ($1)", "table_name": "queue_entries", "exported_as": "queue_entries", "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["call_sid", "tag"], "expired": null, "personal": [], "of_person": "t.call_sid = any ($1)", "table_name": "call_tags", "exported_as": "call_tags", "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["call_sid"], "expired": null, "personal": ["body"], "of_person": "t.call_sid = any ($1)", "table_name": "call_notes", "exported_as": "call_notes", "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["kind", "ref", "call_sid", "speaker", "lang"], "expired": null, "personal": ["party", "title", "body", "fts"], "of_person": "t.call_sid = any ($1) or t.party = $2 or (t.kind = 'message' and t.ref = any ($4::text[]))", "table_name": "search_documents", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["kind", "ref", "call_sid"], "expired": "t.at < $1", "personal": [], "of_person": "t.call_sid = any ($1)", "table_name": "search_alert_matches", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["language", "call_sid"], "expired": "t.last_at < $1", "personal": ["question"], "of_person": "t.call_sid = any ($1)", "table_name": "agent_questions", "exported_as": "agent_questions", "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["purpose", "call_sid", "queue", "line", "group_name", "node", "state", "leg_sid", "result", "transfer"], "expired": "t.ended_at < $1", "personal": ["to_e164"], "of_person": "t.call_sid = any ($1) or t.to_e164 = $2", "table_name": "dial_attempts", "exported_as": "dial_attempts", "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["session_id", "call_sid", "kind", "node", "language", "tool", "model", "provider", "outcome", "reason"], "expired": "t.at < $1", "personal": ["planned_text", "heard_text", "tool_arguments", "tool_result"], "of_person": "t.call_sid = any ($1)", "table_name": "agent_turns", "exported_as": "agent_turns", "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["session_id", "call_sid", "line", "node", "language", "outcome", "reason"], "expired": "t.opened_at < $1", "personal": [], "of_person": "t.call_sid = any ($1)", "table_name": "agent_sessions", "exported_as": "agent_sessions", "kept_because": null}

-- personal_data: {"rule": "calls", "other": ["state", "ends"], "expired": "exists (select from public.campaigns as c where c.id = t.campaign_id and c.ended_at < $1)", "personal": ["e164", "name", "postal_code", "consent_source"], "of_person": "t.e164 = $2", "table_name": "campaign_contacts", "exported_as": "campaign_contacts", "kept_because": null}

-- personal_data: {"rule": "calls", "other": [], "expired": "t.bare and t.created_at < $1 and not exists (select from public.call_logs as c where c.party = t.phone)", "personal": ["phone", "name", "company", "notes", "consent_source"], "of_person": "t.phone = $2", "table_name": "contacts", "exported_as": "contacts", "kept_because": null}

-- personal_data: {"rule": "campaign_dials", "other": ["number_hash", "line", "rules", "region", "zones", "consent", "result"], "expired": "t.dialled_at < $1", "personal": [], "of_person": "t.number_hash = public.number_hash($2)", "table_name": "campaign_dials", "exported_as": "campaign_dials", "kept_because": "It proves by whose consent and when a number was dialled, and names nobody."}

-- personal_data: {"rule": "consent_evidence", "other": ["call_hash", "basis", "disclosure"], "expired": "t.decided_at < $1", "personal": [], "of_person": "t.call_hash in (select public.call_hash(sid) from unnest($1) as sid)", "table_name": "consent_evidence", "exported_as": "consent_evidence", "kept_because": "It proves that somebody agreed to be recorded, or did not, and names nobody."}

-- personal_data: {"rule": "contact_messages", "other": [], "expired": null, "personal": ["name", "email", "phone", "subject", "message"], "of_person": "t.id = any ($4)", "table_name": "contact_messages", "exported_as": "website_messages", "kept_because": null}

-- personal_data: {"rule": "dead_jobs", "other": ["kind", "key", "status", "last_error", "result"], "expired": "t.status = 'dead' and t.ended_at < $1", "personal": ["payload", "content"], "of_person": "t.payload ->> 'call_sid' = any ($1) or t.payload ->> 'contact_message_id' = any ($4::text[])", "table_name": "jobs", "exported_as": "jobs", "kept_because": null}

-- personal_data: {"rule": "erasures", "other": ["call_hash"], "expired": "t.erased_at < $1", "personal": [], "of_person": null, "table_name": "erased_calls", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": "erasures", "other": ["counts"], "expired": "t.erased_at < $1", "personal": [], "of_person": null, "table_name": "erasure_receipts", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": "search_history", "other": ["filters"], "expired": "t.at < $1", "personal": ["words"], "of_person": "public.names_number(t.words, $2) or position(lower($3) in lower(t.words)) > 0", "table_name": "search_history", "exported_as": "searches", "kept_because": null}

-- personal_data: {"rule": "voicemails", "other": ["call_sid", "recording_sid", "leg_sid", "source"], "expired": null, "personal": ["url", "transcript"], "of_person": "t.call_sid = any ($1)", "table_name": "recordings", "exported_as": "recordings", "kept_because": null}

-- personal_data: {"rule": "voicemails", "other": ["call_sid", "recording_sid", "state"], "expired": null, "personal": [], "of_person": "t.call_sid = any ($1)", "table_name": "voicemail_steps", "exported_as": "voicemail_steps", "kept_because": null}

-- personal_data: {"rule": null, "other": ["action", "object", "key", "changes"], "expired": null, "personal": [], "of_person": null, "table_name": "audit_log", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["alert", "severity", "comparison", "unit", "summary", "action"], "expired": null, "personal": [], "of_person": null, "table_name": "alert_rules", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["alert", "severity"], "expired": null, "personal": [], "of_person": null, "table_name": "alert_episodes", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["calendar", "state"], "expired": null, "personal": ["set_by"], "of_person": "lower(t.set_by) = lower($3)", "table_name": "calendar_overrides", "exported_as": "calendar_overrides", "kept_because": "Who opened or closed a calendar: until the override ends."}

-- personal_data: {"rule": null, "other": ["e164_number", "number_sid", "country"], "expired": null, "personal": [], "of_person": null, "table_name": "telephony_numbers", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["endpoint", "identifier_type"], "expired": null, "personal": ["identifier"], "of_person": "t.identifier_type = 'caller' and t.identifier = $2", "table_name": "rate_limit_refusals", "exported_as": "rate_limits", "kept_because": null}

-- personal_data: {"rule": null, "other": ["endpoint", "identifier_type"], "expired": null, "personal": ["identifier"], "of_person": "t.identifier_type = 'caller' and t.identifier = $2", "table_name": "rate_limit_windows", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["failing"], "expired": null, "personal": [], "of_person": null, "table_name": "health_checks", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["figure"], "expired": null, "personal": [], "of_person": null, "table_name": "campaign_changes", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["function"], "expired": null, "personal": [], "of_person": null, "table_name": "function_metrics", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["function"], "expired": null, "personal": [], "of_person": null, "table_name": "function_totals", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["handle", "code"], "expired": null, "personal": ["name", "phone", "calendar"], "of_person": "t.phone = $2", "table_name": "people", "exported_as": "people", "kept_because": "Their organisation puts calls through to them."}

-- personal_data: {"rule": null, "other": ["hash", "mime"], "expired": null, "personal": ["stored_by"], "of_person": "lower(t.stored_by) = lower($3)", "table_name": "prompts", "exported_as": "prompts", "kept_because": "The audio is its organisation's; who stored it is part of its history."}

-- personal_data: {"rule": null, "other": ["hash", "uses", "calendars", "handles", "holds", "missed_call"], "expired": null, "personal": ["definition", "numbers", "steps", "published_by", "note"], "of_person": "$2 = any (t.numbers) or lower(t.published_by) = lower($3)", "table_name": "call_flow_versions", "exported_as": "call_flow_versions", "kept_because": "A published version never changes: calls refer to it."}

-- personal_data: {"rule": null, "other": ["key", "operation", "request_hash", "status"], "expired": null, "personal": ["result"], "of_person": "t.result ->> 'id' = any ($4::text[])", "table_name": "idempotency_keys", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["kind", "worker", "held_for"], "expired": null, "personal": [], "of_person": null, "table_name": "job_kinds", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["kinds", "channel", "secret"], "expired": null, "personal": ["name", "query", "target"], "of_person": "t.channel = 'mail' and lower(t.target) = lower($3)", "table_name": "search_alerts", "exported_as": "search_alerts", "kept_because": null}

-- personal_data: {"rule": null, "other": ["line"], "expired": null, "personal": [], "of_person": null, "table_name": "campaign_lines", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["line"], "expired": null, "personal": [], "of_person": null, "table_name": "dialled_time", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["line"], "expired": null, "personal": [], "of_person": null, "table_name": "lines", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["model"], "expired": null, "personal": [], "of_person": null, "table_name": "search_embeddings", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["name", "mode", "flow", "state", "window_hours", "attempts", "machine", "consent"], "expired": null, "personal": [], "of_person": null, "table_name": "campaigns", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["name", "policy", "key", "language", "words"], "expired": null, "personal": [], "of_person": "t.name in (select l.meta #>> '{consent,disclosure}' from public.call_lifecycle as l where l.call_sid = any ($1))", "table_name": "disclosures", "exported_as": "disclosures", "kept_because": "The words of disclosures, which name no person."}

-- personal_data: {"rule": null, "other": ["name"], "expired": null, "personal": ["draft", "drafted_by"], "of_person": "position('\"' || $2 || '\"' in t.draft::text) > 0 or lower(t.drafted_by) = lower($3)", "table_name": "call_flows", "exported_as": "call_flows", "kept_because": "The flow is its organisation's, which may change it."}

-- personal_data: {"rule": null, "other": ["node", "outcome"], "expired": null, "personal": [], "of_person": null, "table_name": "flow_counts", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["provider"], "expired": null, "personal": [], "of_person": null, "table_name": "agent_providers", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["question", "answer", "language", "fts"], "expired": null, "personal": [], "of_person": null, "table_name": "knowledge_entries", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["rules", "region", "zones"], "expired": null, "personal": [], "of_person": null, "table_name": "campaign_areas", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["scope", "mode", "disposition", "hung_up_at"], "expired": null, "personal": [], "of_person": null, "table_name": "call_hours", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["source"], "expired": null, "personal": ["e164"], "of_person": "t.e164 = $2", "table_name": "suppressions", "exported_as": "suppressions", "kept_because": "Somebody who has said stop must not be called or texted again."}

-- personal_data: {"rule": null, "other": ["subaccount_sid", "business_name"], "expired": null, "personal": [], "of_person": null, "table_name": "telephony_subaccounts", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["subaccount_sid", "sealed_token"], "expired": null, "personal": [], "of_person": null, "table_name": "telephony_secrets", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["subject", "why"], "expired": null, "personal": [], "of_person": null, "table_name": "retention_rules", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["table_name", "personal", "other", "of_person", "exported_as", "kept_because", "rule", "expired"], "expired": null, "personal": [], "of_person": null, "table_name": "personal_data", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["transaction_type", "status", "steps_completed", "error_message", "request", "idempotency_key", "result"], "expired": null, "personal": [], "of_person": null, "table_name": "telephony_transactions", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": ["worker"], "expired": null, "personal": [], "of_person": null, "table_name": "worker_runs", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": [], "expired": null, "personal": ["email", "name"], "of_person": "lower($3) = t.email", "table_name": "members", "exported_as": "members", "kept_because": "Their organisation lets them sign in."}

-- personal_data: {"rule": null, "other": [], "expired": null, "personal": ["moved_by"], "of_person": "lower(t.moved_by) = lower($3)", "table_name": "call_flow_pointers", "exported_as": "call_flow_pointers", "kept_because": "Who let a version answer is part of its history."}

-- personal_data: {"rule": null, "other": [], "expired": null, "personal": ["name", "query", "filters"], "of_person": "public.names_number(t.query, $2) or position(lower($3) in lower(t.query)) > 0", "table_name": "saved_searches", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": [], "expired": null, "personal": ["word"], "of_person": "false", "table_name": "search_words", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": [], "expired": null, "personal": [], "of_person": null, "table_name": "dial_rates", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": [], "expired": null, "personal": [], "of_person": null, "table_name": "flow_counts_until", "exported_as": null, "kept_because": null}

-- personal_data: {"rule": null, "other": [], "expired": null, "personal": [], "of_person": null, "table_name": "rolled_hours", "exported_as": null, "kept_because": null}

-- retention_rules: {"why": "Calls that left a message, with its transcript: until it has been handled, and no longer than other calls.", "days": 90, "subject": "voicemails"}

-- retention_rules: {"why": "Calls, and what was said or pressed in them: long enough to answer a question about a bill or a complaint. Their other events, which name nobody, go with the month they were received in.", "days": 90, "subject": "calls"}

-- retention_rules: {"why": "How many searches there were and how they went; their words go after 30 days.", "days": 365, "subject": "search_history"}

-- retention_rules: {"why": "Mails and other work that was given up; what was done is gone after 30 days anyway.", "days": 90, "subject": "dead_jobs"}

-- retention_rules: {"why": "Operators' events, which hold nothing personal. The deploy log stays.", "days": 365, "subject": "analytics_events"}

-- retention_rules: {"why": "That somebody agreed to be recorded, or did not, and to which words: two years, the time in which a claim can be made.", "days": 730, "subject": "consent_evidence"}

-- retention_rules: {"why": "That something was erased, and when: as long as somebody may ask.", "days": 730, "subject": "erasures"}

-- retention_rules: {"why": "The record of each dial of a campaign, which names nobody: five years, as the rules of the United States ask.", "days": 1826, "subject": "campaign_dials"}

-- retention_rules: {"why": "What visitors of the website wrote, and the mails about it.", "days": 365, "subject": "contact_messages"}
