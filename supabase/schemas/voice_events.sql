-- The one way in: a verified webhook becomes one event, and one transaction does all that it means.

-- What callers are told about recording, each text once. Events and evidence refer to it by its name, which is made of
-- the words: what a line says later changes nothing about what a caller heard.
create table public.disclosures (
  name text primary key,
  policy text not null constraint disclosures_policy_known check (policy in ('opt_out', 'opt_in')),
  -- Pressed to decline under opt_out, to agree under opt_in.
  key text not null constraint disclosures_key_form check (key ~ '^[0-9]$'),
  language text not null constraint disclosures_language_length check (length(language) between 2 and 35),
  words text not null constraint disclosures_words_length check (length(words) between 1 and 4000),
  first_heard_at timestamptz not null default now(),
  -- As disclosureName in calls/consent.ts.
  constraint disclosures_name_of_words check (name = concat_ws(
    '-', policy, key, language, left(encode(sha256(convert_to(words, 'UTF8')), 'hex'), 32)
  ))
);

comment on table public.disclosures is 'What callers were told about recording: the words that consent was given to, or refused. Kept for good; nothing personal.';

alter table public.disclosures enable row level security;
create policy disclosures_of_the_service on public.disclosures to service_role using (true) with check (true);
grant select, insert on public.disclosures to service_role;

-- What a webhook says, already typed. calls/events.ts builds it; anything that does not fit is refused
-- by the types here and by the constraints of the tables.
create type public.voice_event as (
  operation text,           -- the edge function
  identity text,            -- what makes this event itself and no other, within its operation
  account_sid text,         -- the sub-account that signed for it; null: the main account
  call_sid text,            -- the call: for a child leg, its parent
  leg_sid text,
  parent_call_sid text,
  event text,
  leg_status text,          -- what the leg, the recording or the transcription reports of itself
  sequence_number integer,
  occurred_at timestamptz,
  call_status public.call_status,  -- the call's own; null when the event is about a child leg
  from_e164 text,
  to_e164 text,
  duration_sec integer,
  mode text,
  mode_turn smallint,
  consent_given boolean,    -- null with a consent_order: undecided again
  consent_order smallint,
  talk_sec integer,         -- a person has answered, this long before occurred_at; null: nobody has
  recording_sid text,
  recording_url text,
  recording_source text,
  recording_duration_sec integer,
  transcript text,
  handoff_reason text,
  limits jsonb,             -- [{identifier_type, identifier, max, window_sec}, ...]: all must admit
  rate_limited boolean,     -- decided by accept_voice_event, or before it by a limiter elsewhere
  disclosure jsonb,         -- what the caller is told about recording: a row of disclosures
  meta jsonb
);

-- One event folded into what is known of its call. Each column is a least upper bound (min, max, "the
-- one of the highest order"), so the function is commutative, associative and idempotent: the row
-- depends on the set of events and on nothing else. tests/db/fold_test.ts holds it to that.
-- Pure: reads and writes nothing.
create function public.fold_voice_event(c public.call_logs, e public.voice_event) returns public.call_logs
language plpgsql immutable set search_path = ''
as $$
declare
  final constant boolean := coalesce(e.call_status >= 'canceled', false);
  step constant text := case
    -- Hung up while it rang.
    when e.event = 'dial_ended' and e.leg_status = 'canceled' then 'dial_canceled'
    when e.event in (
      'arrived', 'consent', 'menu', 'route', 'key_pressed', 'dial_ended', 'voicemail_offered', 'voicemail_recorded'
    ) then e.event
  end;
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
  if step is not null and (c.last_step is null or (e.occurred_at, step) > (c.last_step_at, c.last_step)) then
    c.last_step := step;
    c.last_step_at := e.occurred_at;
  end if;
  c.dialled := coalesce(c.dialled, false) or e.parent_call_sid is not null or e.talk_sec is not null;
  if e.parent_call_sid is not null and e.leg_status in ('queued', 'initiated', 'ringing') then
    c.rang_at := least(c.rang_at, e.occurred_at);
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
  c.end_fetched := coalesce(c.end_fetched, false) or e.event = 'reconciled';
  c.settled := coalesce(c.settled, false) or e.event = 'settled';
  c.rate_limited := coalesce(c.rate_limited, false) or coalesce(e.rate_limited, false);
  return c;
end
$$;

-- Accepts one event, once: de-duplicates it, applies the rate limit, appends it to call_lifecycle, folds
-- it into call_logs, and returns {duplicate, admitted, call: {status, mode, consent_given}} as it
-- stood when the event was first accepted, so that every copy of a webhook gets one answer.
--
-- Raises PT403 (HTTP 403) when a sub-account speaks of a call or of a line that is not its own; PT409 (HTTP 409) when the identity was used before by a different request; 22P02, 22007 or
-- 23514 (HTTP 400) when the event does not fit its types.
create function public.accept_voice_event(p_event jsonb) returns jsonb
-- A caller waits: rather than queue behind a stuck transaction, fail and be served without the database.
language plpgsql volatile set search_path = '' set lock_timeout = '3s'
as $$
declare
  e public.voice_event := jsonb_populate_record(null::public.voice_event, p_event);
  v_key constant text := e.operation || ':' || e.call_sid || ':' || e.identity;
  -- jsonb's text is canonical. When it came, under which delivery token, who counts it, what a limiter elsewhere said,
  -- and what the line says by then, is not what was asked: the first copy that is kept decides.
  v_hash constant bytea := sha256(convert_to(
    (p_event - array['occurred_at', 'limits', 'rate_limited', 'disclosure'] #- '{meta,token}')::text, 'UTF8'
  ));
  v_known public.idempotency_keys;
  v_before public.call_logs;
  v_call public.call_logs;
  -- The organisation that a sub-account belongs to.
  v_org_id constant uuid := case when e.account_sid is not null then public.organisation_of(e.account_sid) end;
  v_limit record;
  v_answer jsonb;
begin
  -- One call's events take turns, copies of one event included; different calls never meet here.
  -- (A lock in memory: nothing is written for it. Two calls of one hash only wait for each other.)
  perform pg_advisory_xact_lock(hashtextextended(e.call_sid, 0));

  select * into v_before from public.call_logs as c where c.call_sid = e.call_sid;
  if e.account_sid is not null and (
    v_org_id is null
    or (v_before.call_sid is not null and v_before.org_id is distinct from v_org_id)
    or (
      exists (select from public.telephony_numbers as n where n.e164_number = e.to_e164 and n.org_id <> v_org_id)
      -- Its owner of before may have given it up a moment ago.
      and not exists (
        select from public.running_onboardings() as r where r.account = e.account_sid and r.number = e.to_e164
      )
    )
  ) then
    raise sqlstate 'PT403' using message = 'this account has no such call or line';
  end if;

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

  v_call := public.fold_voice_event(v_before, e);
  -- Whose call it is: the account's that signed, or of the number that was called, which only an event of the call itself knows.
  if v_call.org_id is null then
    v_call.org_id := coalesce(
      v_org_id, (select n.org_id from public.telephony_numbers as n where n.e164_number = v_call.to_e164)
    );
  end if;

  if v_before.call_sid is null then
    insert into public.call_logs (
      call_sid, org_id, from_e164, to_e164, mode, mode_turn, status, consent_given, consent_order,
      started_at, answered_at, connected_at, ended_at, duration_sec, dialled, rang_at, last_step, last_step_at,
      recording_sid, recording_url, recording_source, recording_duration_sec, recorded_at, transcript,
      handoff, handoff_reason, end_fetched, settled, rate_limited
    ) values (
      v_call.call_sid, v_call.org_id, v_call.from_e164, v_call.to_e164, v_call.mode, v_call.mode_turn,
      v_call.status, v_call.consent_given, v_call.consent_order,
      v_call.started_at, v_call.answered_at, v_call.connected_at, v_call.ended_at, v_call.duration_sec,
      v_call.dialled, v_call.rang_at, v_call.last_step, v_call.last_step_at,
      v_call.recording_sid, v_call.recording_url, v_call.recording_source, v_call.recording_duration_sec,
      v_call.recorded_at, v_call.transcript, v_call.handoff, v_call.handoff_reason, v_call.end_fetched, v_call.settled,
      v_call.rate_limited
    );
  elsif v_call is distinct from v_before then
    update public.call_logs as c set
      org_id = v_call.org_id, from_e164 = v_call.from_e164, to_e164 = v_call.to_e164,
      mode = v_call.mode, mode_turn = v_call.mode_turn, status = v_call.status,
      consent_given = v_call.consent_given, consent_order = v_call.consent_order,
      started_at = v_call.started_at, answered_at = v_call.answered_at, connected_at = v_call.connected_at,
      ended_at = v_call.ended_at, duration_sec = v_call.duration_sec,
      dialled = v_call.dialled, rang_at = v_call.rang_at,
      last_step = v_call.last_step, last_step_at = v_call.last_step_at,
      recording_sid = v_call.recording_sid, recording_url = v_call.recording_url,
      recording_source = v_call.recording_source, recording_duration_sec = v_call.recording_duration_sec,
      recorded_at = v_call.recorded_at, transcript = v_call.transcript,
      handoff = v_call.handoff, handoff_reason = v_call.handoff_reason, end_fetched = v_call.end_fetched,
      settled = v_call.settled, rate_limited = v_call.rate_limited,
      updated_at = now()
    where c.call_sid = v_call.call_sid;
  end if;

  if e.disclosure is not null then
    insert into public.disclosures (name, policy, key, language, words)
    select d.name, d.policy, d.key, d.language, d.words
    from jsonb_populate_record(null::public.disclosures, e.disclosure) as d
    on conflict (name) do nothing;
  end if;

  insert into public.call_lifecycle (
    call_sid, leg_sid, parent_call_sid, event, status, sequence_number, occurred_at, meta
  ) values (
    e.call_sid, e.leg_sid, e.parent_call_sid, e.event, e.leg_status, e.sequence_number, e.occurred_at, e.meta
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
$$;

grant execute on function public.fold_voice_event, public.accept_voice_event to service_role;
