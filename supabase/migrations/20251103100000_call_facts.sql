-- What views and workers ask of a call, told by its own row: whether anybody was dialled, since when it rang, the last
-- step that was taken with the caller, whether something is missing. So no view reads a call's events one by one.
--
-- The generated column rewrites call_logs once. Until that is done callers wait for accept_voice_event's lock_timeout
-- and are then served without the database; Twilio's callbacks are answered 503, and come again.
set local lock_timeout = '10s';
set local statement_timeout = '30min';

alter table public.call_logs
  -- A leg was dialled for it: an event told of a child leg, or of a person who answered.
  add column dialled boolean not null default false,
  -- When the first such leg was reported to be on its way.
  add column rang_at timestamptz,
  -- The last step taken with the caller, and when: of the greatest (time, name), so that order does not matter.
  add column last_step text constraint call_logs_last_step_known check (last_step in (
    'arrived', 'consent', 'menu', 'route', 'key_pressed', 'dial_ended', 'dial_canceled',
    'voicemail_offered', 'voicemail_recorded'
  )),
  add column last_step_at timestamptz,
  -- Ended without something that such a call usually has: a callback of it may have gone astray, so Twilio is asked.
  -- One column that changes once, rather than a condition on eight: an update is HOT unless a column that an index
  -- is about has changed, those of its predicate included.
  -- squawk-ignore adding-field-with-default
  add column incomplete boolean not null generated always as (
    status >= 'canceled' and (
      duration_sec is null
      -- Abandoned.
      or (not rate_limited and connected_at is null and recording_source is distinct from 'voicemail' and status <> 'failed')
      or (recording_source is not distinct from 'voicemail' and (recording_duration_sec is null or transcript is null))
      or (connected_at is not null and consent_given is true and recording_sid is null)
    )
  ) stored,
  add constraint call_logs_last_step_whole check ((last_step is null) = (last_step_at is null));

comment on column public.call_logs.dialled is 'Somebody was rung for this call.';
comment on column public.call_logs.rang_at is 'When the first leg that was dialled for it was on its way.';
comment on column public.call_logs.last_step is 'The last step taken with the caller: where those hung up who reached nobody.';
comment on column public.call_logs.incomplete is 'Ended without something that such a call usually has: voice-reconcile asks Twilio for it.';

-- Open calls by a column that changes when a call ends and not with each of its states.
-- squawk-ignore require-concurrent-index-deletion
drop index public.call_logs_open_idx;
create index call_logs_open_idx on public.call_logs (started_at) where disposition is null;
-- squawk-ignore require-concurrent-index-deletion
drop index public.call_logs_doubtful_idx;
create index call_logs_incomplete_idx on public.call_logs (ended_at) where incomplete;

-- As before (20251101122500), and the new columns.
create or replace function public.fold_voice_event(c public.call_logs, e public.voice_event) returns public.call_logs
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
  c.rate_limited := coalesce(c.rate_limited, false) or coalesce(e.rate_limited, false);
  return c;
end
$$;

-- As before (20251101122500), and the new columns.
create or replace function public.accept_voice_event(p_event jsonb) returns jsonb
-- A caller waits: rather than queue behind a stuck transaction, fail and be served without the database.
language plpgsql volatile set search_path = '' set lock_timeout = '3s'
as $$
declare
  e public.voice_event := jsonb_populate_record(null::public.voice_event, p_event);
  v_key constant text := e.operation || ':' || e.call_sid || ':' || e.identity;
  -- jsonb's text is canonical. When it came, under which delivery token, and who counts it, is not what was asked.
  v_hash constant bytea :=
    sha256(convert_to((p_event - array['occurred_at', 'limits'] #- '{meta,token}')::text, 'UTF8'));
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
      started_at, answered_at, connected_at, ended_at, duration_sec, dialled, rang_at, last_step, last_step_at,
      recording_sid, recording_url, recording_source, recording_duration_sec, recorded_at, transcript,
      handoff, handoff_reason, rate_limited
    ) values (
      v_call.call_sid, v_call.org_id, v_call.from_e164, v_call.to_e164, v_call.mode, v_call.mode_turn,
      v_call.status, v_call.consent_given, v_call.consent_order,
      v_call.started_at, v_call.answered_at, v_call.connected_at, v_call.ended_at, v_call.duration_sec,
      v_call.dialled, v_call.rang_at, v_call.last_step, v_call.last_step_at,
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
      dialled = v_call.dialled, rang_at = v_call.rang_at,
      last_step = v_call.last_step, last_step_at = v_call.last_step_at,
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
$$;

-- The calls that are there already.
update public.call_logs as c
set dialled = c.connected_at is not null or e.dialled, rang_at = e.rang_at, last_step = e.last_step, last_step_at = e.last_step_at
from (
  select
    l.call_sid,
    bool_or(l.parent_call_sid is not null) as dialled,
    min(l.occurred_at) filter (
      where l.parent_call_sid is not null and l.status in ('queued', 'initiated', 'ringing')
    ) as rang_at,
    (array_agg(l.step order by l.occurred_at desc, l.step desc) filter (where l.step is not null))[1] as last_step,
    max(l.occurred_at) filter (where l.step is not null) as last_step_at
  from (
    select *, case
      when event = 'dial_ended' and status = 'canceled' then 'dial_canceled'
      when event in (
        'arrived', 'consent', 'menu', 'route', 'key_pressed', 'dial_ended', 'voicemail_offered', 'voicemail_recorded'
      ) then event
    end as step
    from public.call_lifecycle
  ) as l
  group by l.call_sid
) as e
where e.call_sid = c.call_sid;

-- Everything that asks for open calls asks by the index's word (health_recent_activity: 20251103120000).
create or replace view public.active_calls with (security_invoker = true) as
select
  call_sid, from_e164, to_e164, mode, status, consent_given, started_at,
  greatest(0, extract(epoch from now() - started_at))::integer as duration_seconds
from public.call_logs
where disposition is null;

-- As before (20251101124000), by the column that says what is missing.
create or replace function public.claim_calls_to_reconcile(p_limit integer, p_quiet interval default '5 minutes')
returns table (call_sid text, account_sid text, open boolean, started_at timestamptz, last_event_at timestamptz)
language sql volatile set search_path = ''
as $$
  with due as (
    (
      select c.call_sid from public.call_logs as c
      left join public.reconcile_attempts as a on a.call_sid = c.call_sid
      where c.disposition is null and c.updated_at < now() - p_quiet and coalesce(a.next_at <= now(), true)
      order by a.next_at nulls first, c.started_at
      limit p_limit
    )
    union all
    (
      select c.call_sid from (
        select c.call_sid from public.call_logs as c
        where c.ended_at > now() - interval '1 day' and c.incomplete
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
    c.call_sid, s.subaccount_sid, c.disposition is null, c.started_at,
    coalesce((select max(l.occurred_at) from public.call_lifecycle as l where l.call_sid = c.call_sid), c.started_at)
  from claimed
  join public.call_logs as c on c.call_sid = claimed.call_sid
  left join public.telephony_subaccounts as s on s.org_id = c.org_id
$$;

create or replace view public.operations_now with (security_invoker = true) as
select
  (select count(*) from public.call_logs where disposition is null) as active_calls,
  (select round(extract(epoch from now() - min(started_at))) from public.call_logs where disposition is null)
    as oldest_active_seconds,
  backlog.messages as voicemail_backlog,
  backlog.oldest_hours as oldest_voicemail_hours,
  (select coalesce(sum(refusals), 0) from public.rate_limit_refusals where minute > now() - interval '1 hour')
    as rate_limit_refusals_last_hour,
  (
    select count(*) from public.telephony_transactions
    where status in ('failed', 'rolled_back') and completed_at > now() - interval '1 hour'
  ) as failed_transactions_last_hour,
  mails.waiting as mails_waiting,
  mails.oldest_seconds as oldest_waiting_mail_seconds,
  (select count(*) from public.outbox where status = 'dead') as mails_dead,
  connections.used as connections_used,
  connections.allowed as connections_allowed
from public.database_connections() as connections,
  (
    select count(*) as messages, round(extract(epoch from now() - min(recorded_at)) / 3600, 2) as oldest_hours
    from public.call_logs where recording_source = 'voicemail' and voicemail_handled_at is null
  ) as backlog,
  (
    select count(*) as waiting, round(extract(epoch from now() - min(created_at))) as oldest_seconds
    from public.outbox where status in ('pending', 'sending')
  ) as mails;

-- What the views of role monitoring count.
grant select (dialled, rang_at, last_step) on public.call_logs to monitoring;
