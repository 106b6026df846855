-- Types

create domain e164 as text CHECK ((VALUE ~ '^\+[1-9][0-9]{1,14}$'::text));

create type call_status as enum ('queued', 'initiated', 'ringing', 'in-progress', 'canceled', 'failed', 'busy', 'no-answer', 'completed');

-- Tables and composite types

create type voice_event (
  operation text,
  identity text,
  call_sid text,
  leg_sid text,
  parent_call_sid text,
  event text,
  leg_status text,
  sequence_number integer,
  occurred_at timestamp with time zone,
  call_status call_status,
  from_e164 text,
  to_e164 text,
  duration_sec integer,
  mode text,
  mode_turn smallint,
  consent_given boolean,
  consent_order smallint,
  talk_sec integer,
  recording_sid text,
  recording_url text,
  recording_source text,
  recording_duration_sec integer,
  transcript text,
  handoff_reason text,
  limits jsonb,
  rate_limited boolean,
  meta jsonb
);

create table analytics_events (
  id bigint not null generated always as identity,
  event_type text not null,
  event_data jsonb not null default '{}'::jsonb,
  severity text not null default 'info'::text,
  created_at timestamp with time zone not null default clock_timestamp()
);

create table call_lifecycle (
  id bigint not null generated always as identity,
  call_sid text not null,
  leg_sid text not null,
  parent_call_sid text,
  event text not null,
  status text,
  sequence_number integer,
  occurred_at timestamp with time zone not null,
  received_at timestamp with time zone not null default clock_timestamp(),
  meta jsonb not null default '{}'::jsonb
);

create table call_logs (
  call_sid text not null,
  org_id uuid,
  from_e164 e164,
  to_e164 e164,
  mode text not null default 'menu'::text,
  mode_turn smallint not null default 0,
  status call_status not null default 'queued'::call_status,
  consent_given boolean,
  consent_order smallint not null default 0,
  started_at timestamp with time zone not null,
  answered_at timestamp with time zone,
  connected_at timestamp with time zone,
  ended_at timestamp with time zone,
  duration_sec integer,
  recording_sid text,
  recording_url text,
  recording_source text,
  recording_duration_sec integer,
  recorded_at timestamp with time zone,
  transcript text,
  handoff boolean not null default false,
  handoff_reason text,
  rate_limited boolean not null default false,
  disposition text generated always as (
CASE
    WHEN (status < 'canceled'::call_status) THEN NULL::text
    WHEN rate_limited THEN 'rate_limited'::text
    WHEN (connected_at IS NOT NULL) THEN 'connected'::text
    WHEN (recording_source = 'voicemail'::text) THEN 'voicemail'::text
    WHEN (status = 'failed'::call_status) THEN 'failed'::text
    ELSE 'abandoned'::text
END) stored,
  voicemail_handled_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now()
) with (fillfactor=80);

create table idempotency_keys (
  key text not null,
  operation text not null,
  request_hash bytea not null,
  status text not null,
  result jsonb,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null
);

create table rate_limit_refusals (
  endpoint text not null,
  identifier_type text not null,
  identifier text not null,
  minute timestamp with time zone not null,
  refusals integer not null default 1,
  last_violation timestamp with time zone not null
);

create table rate_limit_windows (
  endpoint text not null,
  identifier_type text not null,
  identifier text not null,
  admitted_at timestamp with time zone[] not null
) with (fillfactor=70);

create table reconcile_attempts (
  call_sid text not null,
  attempts integer not null default 1,
  next_at timestamp with time zone not null
);

create table telephony_numbers (
  e164_number e164 not null,
  org_id uuid not null,
  number_sid text not null,
  country text not null,
  provisioned_at timestamp with time zone not null default now()
);

create table telephony_subaccounts (
  org_id uuid not null,
  subaccount_sid text not null,
  business_name text not null,
  created_at timestamp with time zone not null default now()
);

create table telephony_transactions (
  id uuid not null default gen_random_uuid(),
  transaction_type text not null,
  org_id uuid not null,
  status text not null default 'in_progress'::text,
  steps_completed jsonb not null default '[]'::jsonb,
  error_message text,
  started_at timestamp with time zone not null default now(),
  completed_at timestamp with time zone
);

-- Constraints

alter table analytics_events add constraint analytics_events_data_object CHECK ((jsonb_typeof(event_data) = 'object'::text));

alter table analytics_events add constraint analytics_events_pkey PRIMARY KEY (id);

alter table analytics_events add constraint analytics_events_severity_known CHECK ((severity = ANY (ARRAY['debug'::text, 'info'::text, 'warning'::text, 'error'::text, 'critical'::text])));

alter table analytics_events add constraint analytics_events_type_form CHECK ((event_type ~ '^[a-z][a-z0-9_.]{0,63}$'::text));

alter table call_lifecycle add constraint call_lifecycle_call_sid_form CHECK ((call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table call_lifecycle add constraint call_lifecycle_event_form CHECK ((event ~ '^[a-z][a-z_]{0,31}$'::text));

alter table call_lifecycle add constraint call_lifecycle_leg_sid_form CHECK ((leg_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table call_lifecycle add constraint call_lifecycle_meta_object CHECK ((jsonb_typeof(meta) = 'object'::text));

alter table call_lifecycle add constraint call_lifecycle_parent_form CHECK ((parent_call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table call_lifecycle add constraint call_lifecycle_pkey PRIMARY KEY (id);

alter table call_lifecycle add constraint call_lifecycle_sequence_range CHECK ((sequence_number >= 0));

alter table call_lifecycle add constraint call_lifecycle_status_form CHECK ((status ~ '^[a-z][a-z-]{0,31}$'::text));

alter table call_logs add constraint call_logs_call_sid_form CHECK ((call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table call_logs add constraint call_logs_consent_order_range CHECK ((consent_order >= 0));

alter table call_logs add constraint call_logs_consent_whole CHECK (((consent_given IS NULL) = (consent_order = 0)));

alter table call_logs add constraint call_logs_duration_sec_range CHECK ((duration_sec >= 0));

alter table call_logs add constraint call_logs_final_when_ended CHECK (((ended_at IS NULL) OR (status >= 'canceled'::call_status)));

alter table call_logs add constraint call_logs_handoff_reason_length CHECK ((length(handoff_reason) <= 200));

alter table call_logs add constraint call_logs_mode_form CHECK ((mode ~ '^[a-z][a-z0-9_]{0,31}$'::text));

alter table call_logs add constraint call_logs_mode_turn_range CHECK ((mode_turn >= 0));

alter table call_logs add constraint call_logs_pkey PRIMARY KEY (call_sid);

alter table call_logs add constraint call_logs_recording_duration_sec_range CHECK ((recording_duration_sec >= 0));

alter table call_logs add constraint call_logs_recording_sid_form CHECK ((recording_sid ~ '^RE[0-9a-fA-F]{32}$'::text));

alter table call_logs add constraint call_logs_recording_source_known CHECK ((recording_source = ANY (ARRAY['dial'::text, 'voicemail'::text])));

alter table call_logs add constraint call_logs_recording_url_form CHECK (((recording_url ~ '^https?://'::text) AND (length(recording_url) <= 2048)));

alter table call_logs add constraint call_logs_recording_whole CHECK (((recording_sid IS NULL) = (recording_source IS NULL)));

alter table call_logs add constraint call_logs_times_in_order CHECK ((ended_at >= started_at));

alter table call_logs add constraint call_logs_transcript_length CHECK ((length(transcript) <= 65536));

alter table idempotency_keys add constraint idempotency_keys_completed_has_result CHECK (((status <> 'completed'::text) OR (result IS NOT NULL)));

alter table idempotency_keys add constraint idempotency_keys_key_length CHECK (((length(key) >= 1) AND (length(key) <= 255)));

alter table idempotency_keys add constraint idempotency_keys_operation_form CHECK ((operation ~ '^[a-z][a-z0-9-]{0,63}$'::text));

alter table idempotency_keys add constraint idempotency_keys_pkey PRIMARY KEY (key);

alter table idempotency_keys add constraint idempotency_keys_request_hash_length CHECK ((length(request_hash) = 32));

alter table idempotency_keys add constraint idempotency_keys_status_known CHECK ((status = ANY (ARRAY['in_progress'::text, 'completed'::text, 'failed'::text])));

alter table rate_limit_refusals add constraint rate_limit_refusals_pkey PRIMARY KEY (endpoint, identifier_type, identifier, minute);

alter table rate_limit_refusals add constraint rate_limit_refusals_positive CHECK ((refusals > 0));

alter table rate_limit_windows add constraint rate_limit_windows_bounded CHECK ((cardinality(admitted_at) <= 1000));

alter table rate_limit_windows add constraint rate_limit_windows_pkey PRIMARY KEY (endpoint, identifier_type, identifier);

alter table reconcile_attempts add constraint reconcile_attempts_call_sid_form CHECK ((call_sid ~ '^CA[0-9a-fA-F]{32}$'::text));

alter table reconcile_attempts add constraint reconcile_attempts_pkey PRIMARY KEY (call_sid);

alter table reconcile_attempts add constraint reconcile_attempts_positive CHECK ((attempts > 0));

alter table telephony_numbers add constraint telephony_numbers_country_known CHECK ((country = ANY (ARRAY['CA'::text, 'US'::text])));

alter table telephony_numbers add constraint telephony_numbers_number_sid_key UNIQUE (number_sid);

alter table telephony_numbers add constraint telephony_numbers_org_id_fkey FOREIGN KEY (org_id) REFERENCES telephony_subaccounts(org_id);

alter table telephony_numbers add constraint telephony_numbers_pkey PRIMARY KEY (e164_number);

alter table telephony_numbers add constraint telephony_numbers_sid_form CHECK ((number_sid ~ '^PN[0-9a-fA-F]{32}$'::text));

alter table telephony_subaccounts add constraint telephony_subaccounts_name_length CHECK (((length(business_name) >= 1) AND (length(business_name) <= 200)));

alter table telephony_subaccounts add constraint telephony_subaccounts_pkey PRIMARY KEY (org_id);

alter table telephony_subaccounts add constraint telephony_subaccounts_sid_form CHECK ((subaccount_sid ~ '^AC[0-9a-fA-F]{32}$'::text));

alter table telephony_subaccounts add constraint telephony_subaccounts_subaccount_sid_key UNIQUE (subaccount_sid);

alter table telephony_transactions add constraint telephony_transactions_done_when_completed CHECK (((status = 'in_progress'::text) = (completed_at IS NULL)));

alter table telephony_transactions add constraint telephony_transactions_error_length CHECK ((length(error_message) <= 2000));

alter table telephony_transactions add constraint telephony_transactions_pkey PRIMARY KEY (id);

alter table telephony_transactions add constraint telephony_transactions_status_known CHECK ((status = ANY (ARRAY['in_progress'::text, 'completed'::text, 'failed'::text, 'rolled_back'::text])));

alter table telephony_transactions add constraint telephony_transactions_steps_array CHECK ((jsonb_typeof(steps_completed) = 'array'::text));

alter table telephony_transactions add constraint telephony_transactions_times_in_order CHECK ((completed_at >= started_at));

alter table telephony_transactions add constraint telephony_transactions_type_form CHECK ((transaction_type ~ '^[a-z][a-z0-9_]{0,63}$'::text));

-- Indexes

CREATE INDEX analytics_events_created_idx ON public.analytics_events USING btree (created_at);

CREATE INDEX analytics_events_errors_idx ON public.analytics_events USING btree (created_at DESC) WHERE (severity = ANY (ARRAY['error'::text, 'critical'::text]));

CREATE UNIQUE INDEX analytics_events_pkey ON public.analytics_events USING btree (id);

CREATE INDEX call_lifecycle_call_idx ON public.call_lifecycle USING btree (call_sid, id);

CREATE UNIQUE INDEX call_lifecycle_pkey ON public.call_lifecycle USING btree (id);

CREATE INDEX call_lifecycle_received_idx ON public.call_lifecycle USING btree (received_at);

CREATE INDEX call_lifecycle_reconciled_idx ON public.call_lifecycle USING btree (received_at, call_sid) WHERE (event = 'reconciled'::text);

CREATE INDEX call_logs_doubtful_idx ON public.call_logs USING btree (ended_at) WHERE ((disposition = 'abandoned'::text) OR (duration_sec IS NULL) OR ((recording_source = 'voicemail'::text) AND ((recording_duration_sec IS NULL) OR (transcript IS NULL))) OR ((connected_at IS NOT NULL) AND consent_given AND (recording_sid IS NULL)));

CREATE INDEX call_logs_from_idx ON public.call_logs USING btree (from_e164, started_at DESC);

CREATE INDEX call_logs_open_idx ON public.call_logs USING btree (started_at) WHERE (status < 'canceled'::call_status);

CREATE INDEX call_logs_org_idx ON public.call_logs USING btree (org_id, started_at DESC);

CREATE UNIQUE INDEX call_logs_pkey ON public.call_logs USING btree (call_sid);

CREATE INDEX call_logs_started_at_idx ON public.call_logs USING btree (started_at DESC);

CREATE INDEX call_logs_to_idx ON public.call_logs USING btree (to_e164, started_at DESC);

CREATE INDEX call_logs_voicemail_backlog_idx ON public.call_logs USING btree (recorded_at) WHERE ((recording_source = 'voicemail'::text) AND (voicemail_handled_at IS NULL));

CREATE INDEX idempotency_keys_expires_idx ON public.idempotency_keys USING btree (expires_at);

CREATE UNIQUE INDEX idempotency_keys_pkey ON public.idempotency_keys USING btree (key);

CREATE INDEX rate_limit_refusals_minute_idx ON public.rate_limit_refusals USING btree (minute);

CREATE UNIQUE INDEX rate_limit_refusals_pkey ON public.rate_limit_refusals USING btree (endpoint, identifier_type, identifier, minute);

CREATE UNIQUE INDEX rate_limit_windows_pkey ON public.rate_limit_windows USING btree (endpoint, identifier_type, identifier);

CREATE INDEX reconcile_attempts_next_idx ON public.reconcile_attempts USING btree (next_at);

CREATE UNIQUE INDEX reconcile_attempts_pkey ON public.reconcile_attempts USING btree (call_sid);

CREATE UNIQUE INDEX telephony_numbers_number_sid_key ON public.telephony_numbers USING btree (number_sid);

CREATE INDEX telephony_numbers_org_idx ON public.telephony_numbers USING btree (org_id);

CREATE UNIQUE INDEX telephony_numbers_pkey ON public.telephony_numbers USING btree (e164_number);

CREATE UNIQUE INDEX telephony_subaccounts_pkey ON public.telephony_subaccounts USING btree (org_id);

CREATE UNIQUE INDEX telephony_subaccounts_subaccount_sid_key ON public.telephony_subaccounts USING btree (subaccount_sid);

CREATE INDEX telephony_transactions_failed_idx ON public.telephony_transactions USING btree (started_at DESC) WHERE (status = ANY (ARRAY['failed'::text, 'rolled_back'::text]));

CREATE INDEX telephony_transactions_org_idx ON public.telephony_transactions USING btree (org_id, started_at DESC);

CREATE UNIQUE INDEX telephony_transactions_pkey ON public.telephony_transactions USING btree (id);

-- Functions

CREATE OR REPLACE FUNCTION public.accept_voice_event(p_event jsonb)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
 SET lock_timeout TO '3s'
AS $function$
declare
  e public.voice_event := jsonb_populate_record(null::public.voice_event, p_event);
  v_key constant text := e.operation || ':' || e.call_sid || ':' || e.identity;
  -- jsonb's text is canonical. When and under which delivery token it came is not what was asked.
  v_hash constant bytea := sha256(convert_to((p_event - 'occurred_at' #- '{meta,token}')::text, 'UTF8'));
  v_known public.idempotency_keys;
  v_before public.call_logs;
  v_call public.call_logs;
  v_limit record;
  v_answer jsonb;
begin
  -- One call's events take turns, copies of one event included; different calls never meet here.
  -- (A lock in memory: nothing is written for it. Two calls of one hash only wait for each other.)
  perform pg_advisory_xact_lock(hashtextextended(e.call_sid, 0));

  select * into v_known from public.idempotency_keys as k where k.key = v_key;
  if found then
    if v_known.request_hash <> v_hash then
      raise sqlstate 'PT409' using
        message = 'a different request was accepted under this identity',
        hint = 'Send a changed request under an identity of its own.';
    end if;
    return v_known.result || '{"duplicate": true}';
  end if;

  for v_limit in
    select * from jsonb_to_recordset(e.limits) as l(identifier_type text, identifier text, max integer, window_sec integer)
  loop
    if e.rate_limited then
      perform public.record_rate_limit_refusal(e.operation, v_limit.identifier_type, v_limit.identifier);
    else
      e.rate_limited := not public.take_rate_limit(
        e.operation, v_limit.identifier_type, v_limit.identifier, v_limit.max,
        make_interval(secs => v_limit.window_sec)
      );
      exit when e.rate_limited;
    end if;
  end loop;

  select * into v_before from public.call_logs as c where c.call_sid = e.call_sid;
  v_call := public.fold_voice_event(v_before, e);
  -- Only an event of the call itself knows the number that was called, and so whose call it is.
  if v_call.org_id is null and v_call.to_e164 is not null then
    v_call.org_id := (select n.org_id from public.telephony_numbers as n where n.e164_number = v_call.to_e164);
  end if;

  if v_before.call_sid is null then
    insert into public.call_logs (
      call_sid, org_id, from_e164, to_e164, mode, mode_turn, status, consent_given, consent_order,
      started_at, answered_at, connected_at, ended_at, duration_sec,
      recording_sid, recording_url, recording_source, recording_duration_sec, recorded_at, transcript,
      handoff, handoff_reason, rate_limited
    ) values (
      v_call.call_sid, v_call.org_id, v_call.from_e164, v_call.to_e164, v_call.mode, v_call.mode_turn,
      v_call.status, v_call.consent_given, v_call.consent_order,
      v_call.started_at, v_call.answered_at, v_call.connected_at, v_call.ended_at, v_call.duration_sec,
      v_call.recording_sid, v_call.recording_url, v_call.recording_source, v_call.recording_duration_sec,
      v_call.recorded_at, v_call.transcript, v_call.handoff, v_call.handoff_reason, v_call.rate_limited
    );
  elsif v_call is distinct from v_before then
    update public.call_logs as c set
      org_id = v_call.org_id, from_e164 = v_call.from_e164, to_e164 = v_call.to_e164,
      mode = v_call.mode, mode_turn = v_call.mode_turn, status = v_call.status,
      consent_given = v_call.consent_given, consent_order = v_call.consent_order,
      started_at = v_call.started_at, answered_at = v_call.answered_at, connected_at = v_call.connected_at,
      ended_at = v_call.ended_at, duration_sec = v_call.duration_sec,
      recording_sid = v_call.recording_sid, recording_url = v_call.recording_url,
      recording_source = v_call.recording_source, recording_duration_sec = v_call.recording_duration_sec,
      recorded_at = v_call.recorded_at, transcript = v_call.transcript,
      handoff = v_call.handoff, handoff_reason = v_call.handoff_reason, rate_limited = v_call.rate_limited,
      updated_at = now()
    where c.call_sid = v_call.call_sid;
  end if;

  insert into public.call_lifecycle (
    call_sid, leg_sid, parent_call_sid, event, status, sequence_number, occurred_at, meta
  ) values (
    e.call_sid, e.leg_sid, e.parent_call_sid, e.event, e.leg_status, e.sequence_number, e.occurred_at,
    -- The words of the disclosure are evidence of the decision: kept with the event that brings it, not
    -- with each later one that carries it along.
    case when v_call.consent_order = coalesce(v_before.consent_order, 0)
      then coalesce(e.meta, '{}') #- '{consent,disclosure}' else e.meta end
  );

  v_answer := jsonb_build_object(
    'duplicate', false,
    'admitted', not v_call.rate_limited,
    'call', jsonb_build_object(
      'status', v_call.status, 'mode', v_call.mode, 'consent_given', v_call.consent_given
    )
  );
  -- Twilio retries within minutes; a day leaves room for a replay by hand.
  insert into public.idempotency_keys (key, operation, request_hash, status, result, expires_at)
  values (v_key, e.operation, v_hash, 'completed', v_answer, now() + interval '1 day');
  return v_answer;
end
$function$

CREATE OR REPLACE FUNCTION public.call_success(p_since timestamp with time zone)
 RETURNS TABLE(total_calls bigint, active_calls bigint, completed_calls bigint, failed_calls bigint, abandoned_calls bigint, rate_limited_calls bigint, success_rate_pct numeric, avg_call_duration_sec numeric)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
BEGIN ATOMIC
 SELECT count(*) AS count,
     count(*) FILTER (WHERE (c.disposition IS NULL)) AS count,
     count(*) FILTER (WHERE (c.disposition = ANY (ARRAY['connected'::text, 'voicemail'::text]))) AS count,
     count(*) FILTER (WHERE (c.disposition = ANY (ARRAY['failed'::text, 'abandoned'::text]))) AS count,
     count(*) FILTER (WHERE (c.disposition = 'abandoned'::text)) AS count,
     count(*) FILTER (WHERE (c.disposition = 'rate_limited'::text)) AS count,
     round(((100.0 * (count(*) FILTER (WHERE (c.disposition = ANY (ARRAY['connected'::text, 'voicemail'::text]))))::numeric) / (NULLIF(count(*) FILTER (WHERE (c.disposition = ANY (ARRAY['connected'::text, 'voicemail'::text, 'failed'::text, 'abandoned'::text]))), 0))::numeric), 2) AS round,
     round(avg(c.duration_sec) FILTER (WHERE (c.disposition <> 'rate_limited'::text)), 1) AS round
    FROM call_logs c
   WHERE (c.started_at > call_success.p_since);
END

CREATE OR REPLACE FUNCTION public.claim_calls_to_reconcile(p_limit integer, p_quiet interval DEFAULT '00:05:00'::interval)
 RETURNS TABLE(call_sid text, open boolean, started_at timestamp with time zone, last_event_at timestamp with time zone)
 LANGUAGE sql
 SET search_path TO ''
AS $function$
  with due as (
    (
      select c.call_sid from public.call_logs as c
      left join public.reconcile_attempts as a on a.call_sid = c.call_sid
      where c.status < 'canceled' and c.updated_at < now() - p_quiet and coalesce(a.next_at <= now(), true)
      order by a.next_at nulls first, c.started_at
      limit p_limit
    )
    union all
    (
      select c.call_sid from (
        select c.call_sid from public.call_logs as c
        where c.ended_at > now() - interval '1 day'
          and (
            c.disposition = 'abandoned' or c.duration_sec is null
            or (c.recording_source = 'voicemail' and (c.recording_duration_sec is null or c.transcript is null))
            or (c.connected_at is not null and c.consent_given and c.recording_sid is null)
          )
        union
        select l.call_sid from public.call_lifecycle as l
        where l.event = 'reconciled' and l.received_at > now() - interval '1 day'
      ) as doubtful
      join public.call_logs as c on c.call_sid = doubtful.call_sid
      left join public.reconcile_attempts as a on a.call_sid = c.call_sid
      where c.ended_at < now() - interval '20 minutes' and coalesce(a.next_at <= now(), true)
        and not exists (
          select from public.call_lifecycle as l where l.call_sid = c.call_sid and l.event = 'settled'
        )
      order by a.next_at nulls first, c.ended_at
      limit p_limit
    )
    limit p_limit
  ), claimed as (
    insert into public.reconcile_attempts as a (call_sid, next_at)
    select due.call_sid, now() + interval '5 minutes' from due
    on conflict (call_sid) do update
      set attempts = a.attempts + 1,
        next_at = now() + least(interval '5 minutes' * 2 ^ least(a.attempts, 10), interval '6 hours')
      where a.next_at <= now()
    returning a.call_sid
  )
  select
    c.call_sid, c.status < 'canceled', c.started_at,
    coalesce((select max(l.occurred_at) from public.call_lifecycle as l where l.call_sid = c.call_sid), c.started_at)
  from claimed join public.call_logs as c on c.call_sid = claimed.call_sid
$function$

CREATE OR REPLACE FUNCTION public.current_org_id()
 RETURNS uuid
 LANGUAGE sql
 STABLE
 SET search_path TO ''
RETURN (NULLIF((((NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb -> 'app_metadata'::text) ->> 'org_id'::text), ''::text))::uuid

CREATE OR REPLACE FUNCTION public.fold_voice_event(c call_logs, e voice_event)
 RETURNS call_logs
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  final constant boolean := coalesce(e.call_status >= 'canceled', false);
begin
  c.call_sid := e.call_sid;
  -- min() rather than "the first that came": order must not matter even where values should agree.
  c.from_e164 := least(c.from_e164, e.from_e164);
  c.to_e164 := least(c.to_e164, e.to_e164);
  c.status := greatest(c.status, e.call_status, 'queued');

  c.mode := coalesce(c.mode, 'menu');
  c.mode_turn := coalesce(c.mode_turn, 0);
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
  if e.talk_sec is not null then
    c.connected_at := least(c.connected_at, e.occurred_at - make_interval(secs => e.talk_sec));
  end if;
  if final then
    c.ended_at := least(c.ended_at, e.occurred_at);
    c.duration_sec := greatest(c.duration_sec, e.duration_sec);
  end if;

  if e.recording_sid is not null then
    if c.recording_sid is null
      or (e.recording_source = 'voicemail', e.recording_sid) > (c.recording_source = 'voicemail', c.recording_sid)
    then
      c.recording_sid := e.recording_sid;
      c.recording_source := e.recording_source;
      c.recording_url := null;
      c.recording_duration_sec := null;
      c.recorded_at := null;
      c.transcript := null;
    end if;
    if (e.recording_source, e.recording_sid) = (c.recording_source, c.recording_sid) then
      c.recording_url := least(c.recording_url, e.recording_url);
      c.recording_duration_sec := greatest(c.recording_duration_sec, e.recording_duration_sec);
      c.recorded_at := least(c.recorded_at, e.occurred_at);
      c.transcript := greatest(c.transcript, e.transcript);
    end if;
  end if;

  c.handoff := coalesce(c.handoff, false) or e.handoff_reason is not null;
  c.handoff_reason := least(c.handoff_reason, e.handoff_reason);
  c.rate_limited := coalesce(c.rate_limited, false) or coalesce(e.rate_limited, false);
  return c;
end
$function$

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
           WHERE (call_logs.status < 'canceled'::call_status)), 'last_event_at', ( SELECT max(call_lifecycle.received_at) AS max
            FROM call_lifecycle)) AS jsonb_build_object;
END

CREATE OR REPLACE FUNCTION public.purge_expired(p_batch integer DEFAULT 1000)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  v_keys integer := public.purge_idempotency_keys(p_batch);
  v_windows integer;
  v_refusals integer;
  v_attempts integer;
begin
  -- An hour: longer than any window that is in use.
  delete from public.rate_limit_windows as w using (
    select endpoint, identifier_type, identifier from public.rate_limit_windows
    where admitted_at[cardinality(admitted_at)] < now() - interval '1 hour'
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

  -- A call that still needs asking has been asked again by then.
  delete from public.reconcile_attempts as a using (
    select call_sid from public.reconcile_attempts
    where next_at < now() - interval '2 days'
    order by next_at limit p_batch for update skip locked
  ) as old
  where a.call_sid = old.call_sid;
  get diagnostics v_attempts = row_count;

  return jsonb_build_object(
    'idempotency_keys', v_keys, 'rate_limit_windows', v_windows,
    'rate_limit_refusals', v_refusals, 'reconcile_attempts', v_attempts
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

CREATE OR REPLACE FUNCTION public.record_analytics_event(p_event_type text, p_severity text, p_event_data jsonb DEFAULT '{}'::jsonb)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 INSERT INTO analytics_events (event_type, severity, event_data)
   VALUES (record_analytics_event.p_event_type, record_analytics_event.p_severity, record_analytics_event.p_event_data);
END

CREATE OR REPLACE FUNCTION public.record_rate_limit_refusal(p_endpoint text, p_identifier_type text, p_identifier text)
 RETURNS void
 LANGUAGE sql
 SET search_path TO ''
BEGIN ATOMIC
 INSERT INTO rate_limit_refusals AS r (endpoint, identifier_type, identifier, minute, last_violation)
   VALUES (record_rate_limit_refusal.p_endpoint, record_rate_limit_refusal.p_identifier_type, record_rate_limit_refusal.p_identifier, date_trunc('minute'::text, clock_timestamp()), clock_timestamp()) ON CONFLICT(endpoint, identifier_type, identifier, minute) DO UPDATE SET refusals = (r.refusals + 1), last_violation = excluded.last_violation;
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
           WHERE (c.call_sid = t.call_sid)))) AND ((EXISTS ( SELECT
            FROM call_logs c
           WHERE ((c.to_e164)::text = t.to_e164))) OR (EXISTS ( SELECT
            FROM telephony_numbers n
           WHERE ((n.e164_number)::text = t.to_e164)))));
END

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
  WHERE (status < 'canceled'::call_status);

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
 SELECT date_trunc('hour'::text, started_at) AS hour,
    count(*) AS total_calls,
    count(*) FILTER (WHERE (mode = 'sales'::text)) AS sales_calls,
    count(*) FILTER (WHERE (mode = 'support'::text)) AS support_calls,
    count(*) FILTER (WHERE (mode = 'voicemail'::text)) AS voicemail_calls,
    count(*) FILTER (WHERE (disposition = ANY (ARRAY['connected'::text, 'voicemail'::text]))) AS completed_calls,
    count(*) FILTER (WHERE (disposition = ANY (ARRAY['failed'::text, 'abandoned'::text]))) AS failed_calls,
    round(avg(duration_sec), 1) AS avg_duration_sec
   FROM call_logs
  WHERE (started_at > (now() - '7 days'::interval))
  GROUP BY (date_trunc('hour'::text, started_at))
  ORDER BY (date_trunc('hour'::text, started_at)) DESC;

create view consent_metrics with (security_invoker=true) as
 SELECT count(*) AS total_calls,
    count(*) FILTER (WHERE consent_given) AS consented_calls,
    count(*) FILTER (WHERE (NOT consent_given)) AS opted_out_calls,
    round(((100.0 * (count(*) FILTER (WHERE (NOT consent_given)))::numeric) / (NULLIF(count(consent_given), 0))::numeric), 2) AS opt_out_rate_pct
   FROM call_logs
  WHERE (started_at > (now() - '24:00:00'::interval));

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

create view number_provisioning_status with (security_invoker=true) as
 SELECT n.org_id,
    n.e164_number,
    n.country,
    s.business_name,
    s.subaccount_sid,
    n.provisioned_at,
    ( SELECT count(*) AS count
           FROM call_logs c
          WHERE (((c.to_e164)::text = (n.e164_number)::text) AND (c.started_at > (now() - '24:00:00'::interval)))) AS calls_last_24h
   FROM (telephony_numbers n
     JOIN telephony_subaccounts s USING (org_id));

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

create view voicemail_backlog with (security_invoker=true) as
 SELECT call_sid,
    from_e164,
    recording_url,
    transcript,
    recorded_at AS created_at,
    round((EXTRACT(epoch FROM (now() - recorded_at)) / (3600)::numeric), 2) AS hours_old
   FROM call_logs
  WHERE ((recording_source = 'voicemail'::text) AND (voicemail_handled_at IS NULL))
  ORDER BY recorded_at;

-- Row-level security

alter table analytics_events enable row level security;

alter table call_lifecycle enable row level security;

alter table call_logs enable row level security;

alter table idempotency_keys enable row level security;

alter table rate_limit_refusals enable row level security;

alter table rate_limit_windows enable row level security;

alter table reconcile_attempts enable row level security;

alter table telephony_numbers enable row level security;

alter table telephony_subaccounts enable row level security;

alter table telephony_transactions enable row level security;

create policy analytics_events_of_the_service on analytics_events for select to service_role using (true);

create policy call_lifecycle_of_own_org on call_lifecycle for select to authenticated using ((EXISTS ( SELECT
   FROM call_logs c
  WHERE (c.call_sid = call_lifecycle.call_sid))));

create policy call_logs_of_own_org on call_logs for select to authenticated using ((org_id = ( SELECT current_org_id() AS current_org_id)));

create policy idempotency_keys_of_the_service on idempotency_keys for select to service_role using (true);

create policy rate_limit_refusals_of_the_service on rate_limit_refusals for select to service_role using (true);

create policy rate_limit_windows_of_the_service on rate_limit_windows for select to service_role using (true);

create policy reconcile_attempts_of_the_service on reconcile_attempts for select to service_role using (true);

create policy telephony_numbers_of_own_org on telephony_numbers for select to authenticated using ((org_id = ( SELECT current_org_id() AS current_org_id)));

create policy telephony_subaccounts_of_own_org on telephony_subaccounts for select to authenticated using ((org_id = ( SELECT current_org_id() AS current_org_id)));

create policy telephony_transactions_of_own_org on telephony_transactions for select to authenticated using ((org_id = ( SELECT current_org_id() AS current_org_id)));

-- Grants

grant select on active_calls to authenticated;

grant select on active_calls to service_role;

grant insert, select on analytics_events to service_role;

grant select on call_lifecycle to authenticated;

grant insert, select on call_lifecycle to service_role;

grant select on call_logs to authenticated;

grant insert, select, update on call_logs to service_role;

grant select on call_success_metrics to authenticated;

grant select on call_success_metrics to service_role;

grant select on call_success_metrics_24h to authenticated;

grant select on call_success_metrics_24h to service_role;

grant select on call_volume_hourly to authenticated;

grant select on call_volume_hourly to service_role;

grant select on consent_metrics to authenticated;

grant select on consent_metrics to service_role;

grant select on failed_transactions to authenticated;

grant select on failed_transactions to service_role;

grant execute on function accept_voice_event(jsonb) to service_role;

grant execute on function call_success(timestamp with time zone) to authenticated;

grant execute on function call_success(timestamp with time zone) to service_role;

grant execute on function claim_calls_to_reconcile(integer,interval) to service_role;

grant execute on function current_org_id() to authenticated;

grant execute on function current_org_id() to service_role;

grant execute on function fold_voice_event(call_logs,voice_event) to service_role;

grant execute on function health_migration() to service_role;

grant execute on function health_rate_limiter() to service_role;

grant execute on function health_recent_activity() to service_role;

grant execute on function purge_expired(integer) to service_role;

grant execute on function purge_idempotency_keys(integer) to service_role;

grant execute on function record_analytics_event(text,text,jsonb) to service_role;

grant execute on function record_rate_limit_refusal(text,text,text) to service_role;

grant execute on function take_rate_limit(text,text,text,integer,interval) to service_role;

grant execute on function unknown_calls(jsonb) to service_role;

grant delete, insert, select, update on idempotency_keys to service_role;

grant select on number_provisioning_status to authenticated;

grant select on number_provisioning_status to service_role;

grant delete, insert, select, update on rate_limit_refusals to service_role;

grant select on rate_limit_violations to service_role;

grant delete, insert, select, update on rate_limit_windows to service_role;

grant select on recent_errors to service_role;

grant delete, insert, select, update on reconcile_attempts to service_role;

grant select on telephony_numbers to authenticated;

grant delete, insert, select, update on telephony_numbers to service_role;

grant select on telephony_subaccounts to authenticated;

grant delete, insert, select, update on telephony_subaccounts to service_role;

grant select on telephony_transactions to authenticated;

grant insert, select, update on telephony_transactions to service_role;

grant select on voicemail_backlog to authenticated;

grant select on voicemail_backlog to service_role;
