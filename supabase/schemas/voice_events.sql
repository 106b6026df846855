-- The only entry: a verified webhook becomes one event, which one transaction stores and folds.

-- The disclosures of recording, each text once. Events and evidence refer to a disclosure by its name, which contains a hash
-- of the words, so a later change of the line does not change what a caller heard.
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

comment on table public.disclosures is 'The disclosures of recording: the words that callers consented to, or refused. Kept for ever; nothing personal.';

alter table public.disclosures enable row level security;
create policy disclosures_of_the_service on public.disclosures to service_role using (true) with check (true);
grant select, insert on public.disclosures to service_role;

-- A typed webhook. calls/events.ts builds it; the types here and the constraints of the tables refuse anything else.
create type public.voice_event as (
  operation text,           -- the edge function
  identity text,            -- what makes this event itself and no other, within its operation
  account_sid text,         -- the sub-account that signed for it; null: the main account
  call_sid text,            -- the call: for a child leg, its parent
  leg_sid text,
  parent_call_sid text,
  event public.call_event,
  status text,              -- Twilio's word for the state of what the event is about
  sequence_number integer,
  occurred_at timestamptz,
  call_status public.call_status,  -- the call's own; null when the event is about a child leg
  direction text,
  from_e164 text,
  to_e164 text,
  duration_sec integer,
  mode text,
  mode_turn smallint,
  consent_given boolean,    -- null with a consent_order: undecided again
  consent_order smallint,
  leg_status public.call_status,   -- of the leg that was dialled
  leg_to text,              -- whom it rang
  leg_node text,            -- and why: the node of the flow that dialled
  talk_sec integer,         -- a person has answered, this long before occurred_at; null: nobody has
  bridged boolean,          -- whether that person and the caller were on the line together; null: not told
  recording_sid text,
  recording_url text,
  recording_source text,
  recording_duration_sec integer,
  recording_lost boolean,   -- there is no such recording, or no more
  transcript text,
  handoff_reason text,
  limits jsonb,             -- [{identifier_type, identifier, max, window_sec}, ...]: all must admit
  rate_limited boolean,     -- decided by accept_voice_event, or before it by a limiter elsewhere
  disclosure jsonb,         -- the disclosure that the caller hears: a row of disclosures
  ask jsonb,                -- what the step asks beside; see call_facts
  meta jsonb
);

-- Folds one event into its call. Each column is a least upper bound (min, max, "the one of the highest order"), so the
-- function is commutative, associative and idempotent: the row depends only on the set of events, as tests/db/fold_test.ts
-- checks.
-- Pure: reads and writes nothing.
create function public.fold_voice_event(c public.call_logs, e public.voice_event) returns public.call_logs
language plpgsql immutable set search_path = ''
as $$
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
  -- Of the talk's rows: see agent_served.
  c.agent_served := coalesce(c.agent_served, false);
  return c;
end
$$;

-- Folds an event into its leg, independent of order too. Pure.
create function public.fold_leg(l public.call_legs, e public.voice_event) returns public.call_legs
language plpgsql immutable set search_path = ''
as $$
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
$$;

-- Folds an event into its recording, in the same way. Pure.
create function public.fold_recording(r public.recordings, e public.voice_event) returns public.recordings
language plpgsql immutable set search_path = ''
as $$
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
$$;

-- Accepts one event, once: de-duplicates it, applies the rate limit, appends it to call_lifecycle, folds
-- it into call_logs, call_legs and recordings, and returns {duplicate, admitted, call: {status, mode, consent_given}} as it
-- stood when the event was first accepted, so that every copy of a webhook gets one answer. That holds for as long as
-- the call is kept; an event of a call that was erased is a duplicate, and brings nothing back.
--
-- Raises PT403 (HTTP 403) when a sub-account names a call or a line of another account; PT409 (HTTP 409) when a different
-- request used the identity before; 22P02, 22007 or 23514 (HTTP 400) when the event does not fit its types.
create function public.accept_voice_event(p_event jsonb) returns jsonb
-- A caller waits: fail and serve the call without the database instead of queueing behind a stuck transaction.
language plpgsql volatile set search_path = '' set lock_timeout = '3s'
as $$
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
  -- The call is of a dial that is not there any more: its contact was erased while the telephone rang.
  v_is_erased boolean := false;
begin
  if e.ask ? 'attempt' then
    select a.call_sid, a.org_id, a.connected_at, a.purpose into v_attempt
    from public.dial_attempts as a where a.token = (e.ask #>> '{attempt,token}')::uuid;
    -- The leg may have taken another caller of its queue than the one that it was dialled for: the first one that it was
    -- connected with stands.
    if v_attempt.connected_at is not null or e.ask #>> '{attempt,told}' is distinct from 'connected' then
      e.call_sid := coalesce(v_attempt.call_sid, e.call_sid);
    end if;
    if v_attempt.purpose <> 'campaign' then
      e.parent_call_sid := e.call_sid;
    elsif v_attempt.org_id is distinct from v_org_id then
      raise sqlstate 'PT403' using message = 'this account has no such dial';
    end if;
    v_is_erased := v_attempt.purpose is null and e.operation = 'voice-outbound';
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
        v_known.answer, true, public.with_unstored((v_known.answer).facts, v_before.org_id, e.call_sid, e.ask)
      );
    end if;
  elsif v_is_erased or exists (select from public.erased_calls as x where x.call_hash = public.call_hash(e.call_sid)) then
    if e.ask ? 'stop' then
      perform public.make_number_key();
      insert into public.suppressions (org_id, number_hash, source)
      select v_org_id, public.number_hash(t.party), e.ask ->> 'stop'
      from (select case e.direction when 'outbound' then e.to_e164 else e.from_e164 end as party) as t where t.party is not null
      on conflict do nothing;
    end if;
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
    delete from public.call_tokens as t where t.call_sid = v_call.call_sid;
    perform public.owe_missed_call(v_call);
  end if;

  if e.event = 'agent_left' then
    perform public.end_agent_sessions(v_call, e.meta -> 'agent');
    v_call.agent_served := public.agent_served(v_call.call_sid);
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
    case when v_answer.facts ? 'flow' or e.ask ?| array['summary', 'attempt'] then
      public.with_unstored(v_answer.facts, v_call.org_id, e.call_sid, e.ask)
    else v_answer.facts end
  );
end
$$;

-- The result of accept_voice_event. p_facts may hold more than the stored facts.
create function public.voice_answer_json(p_answer public.voice_answer, p_duplicate boolean, p_facts jsonb) returns jsonb
-- plpgsql: its plan is kept.
language plpgsql immutable set search_path = ''
as $$
begin
  return jsonb_build_object(
    'duplicate', p_duplicate,
    'admitted', p_answer.admitted,
    'call', jsonb_build_object(
      'status', p_answer.status, 'mode', p_answer.mode, 'consent_given', p_answer.consent_given
    ) || case when p_facts is null then '{}' else jsonb_build_object('facts', p_facts) end
  );
end
$$;

-- Adds to the facts what is not stored with the answer: the body of the version, of an arrival whose isolate lacks it, because
-- it never changes; and what an agent told of the caller, because it is erased before the event is.
create function public.with_unstored(p_facts jsonb, p_org_id uuid, p_call_sid text, p_ask jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
  v_hash constant text := p_facts #>> '{flow,hash}';
  v_summary text;
begin
  if p_ask ? 'summary' or (p_ask #>> '{attempt,told}' = 'pressed' and p_facts #> '{attempt,won}' = 'true') then
    -- The person may have taken another caller of the queue than the one they were rung for.
    v_summary := public.transfer_summary(coalesce(p_facts #>> '{attempt,call_sid}', p_call_sid));
    return case
      when v_summary is null then p_facts
      when p_ask ? 'summary' then coalesce(p_facts, '{}') || jsonb_build_object('summary', v_summary)
      else jsonb_set(p_facts, '{attempt,summary}', to_jsonb(v_summary))
    end;
  end if;
  if not coalesce(p_ask ? 'line', false) or v_hash is null or coalesce(p_ask -> 'have' ? v_hash, false) then
    return p_facts;
  end if;
  return jsonb_set(
    p_facts, '{flow}', public.flow_body(public.version_by_hash(p_org_id, v_hash)) || (p_facts -> 'flow')
  );
end
$$;

grant execute on function
  public.fold_voice_event, public.fold_leg, public.fold_recording, public.accept_voice_event, public.voice_answer_json,
  public.with_unstored
  to service_role;
