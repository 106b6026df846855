-- The e-mails that this system owes: each is a row written in the same transaction as what it tells of, and sent
-- afterwards by notify-worker. A mail that was owed when a process died is still owed.

create table public.outbox (
  id bigint generated always as identity primary key,
  kind text not null
    constraint outbox_kind_known check (kind in ('contact_notification', 'contact_auto_reply', 'voicemail', 'alert')),
  -- 0 goes first, and has the whole of what may be sent in an hour; see claim_mails. A receipt is the first to wait.
  urgency smallint not null generated always as (
    case kind when 'alert' then 0 when 'voicemail' then 1 when 'contact_notification' then 2 else 3 end
  ) stored,
  -- One mail an event, whoever reports it and however often. Also what Resend knows the mail by.
  idempotency_key text not null unique
    constraint outbox_idempotency_key_length check (length(idempotency_key) between 1 and 256),
  -- Null: the operator, whose address is a setting; filled in when the mail is first tried.
  recipient text constraint outbox_recipient_length check (length(recipient) between 3 and 254),
  -- What the mail is about: the key of a row elsewhere.
  payload jsonb not null constraint outbox_payload_object check (jsonb_typeof(payload) = 'object'),
  -- What the first try said, so that every later one says the same: Resend takes the same key with other words for a
  -- mistake. Emptied once the mail is sent.
  content jsonb,
  status text not null default 'pending'
    constraint outbox_status_known check (status in ('pending', 'sending', 'sent', 'dead')),
  attempts integer not null default 0 constraint outbox_attempts_range check (attempts >= 0),
  -- While pending: when the mail is due. While sending: when the lease of whoever has it ends.
  next_attempt_at timestamptz not null default now(),
  lease uuid,
  attempted_at timestamptz,
  -- The first try of which nobody knows whether Resend took it.
  uncertain_since timestamptz,
  -- A status and a name out of Resend's list; never its words, which may repeat an address.
  last_error text constraint outbox_last_error_length check (length(last_error) <= 200),
  provider_id text,
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  constraint outbox_leased_while_sending check ((status = 'sending') = (lease is not null)),
  constraint outbox_sent_when_sent check ((status = 'sent') = (sent_at is not null))
)
with (fillfactor = 80);

comment on table public.outbox is 'E-mails that are owed, being sent, sent (30 days) or given up.';

create index outbox_due_idx on public.outbox (urgency, next_attempt_at) where status in ('pending', 'sending');
create index outbox_sent_idx on public.outbox (sent_at) where status = 'sent';
create index outbox_dead_idx on public.outbox (created_at) where status = 'dead';
-- A voicemail's mail is found by the call that it is about.
create index outbox_call_idx on public.outbox ((payload ->> 'call_sid')) where kind = 'voicemail';
create index outbox_contact_idx on public.outbox ((payload ->> 'contact_message_id')) where kind <> 'voicemail';

alter table public.outbox enable row level security;
create policy outbox_of_the_service on public.outbox
  for select to service_role using (true);
create policy outbox_for_monitoring on public.outbox for select to monitoring using (true);

-- Owes the operator a mail for each voicemail of a call that is over: in the transaction that makes it so, and once, in
-- whatever order the events come. The mail waits 2 minutes for the transcript, and no longer than until it is there; 15
-- minutes where Twilio has not confirmed that there is a message at all. A voicemail that is none after all is not mailed.
create function public.owe_voicemail_mails(p_call_sid text) returns void
language sql volatile set search_path = ''
begin atomic
  insert into public.outbox as o (kind, idempotency_key, payload, next_attempt_at)
  select
    'voicemail', format('voicemail/%s/%s', r.call_sid, r.recording_sid),
    jsonb_build_object('call_sid', r.call_sid, 'recording_sid', r.recording_sid),
    case
      when r.transcript is not null then now()
      else least(r.recorded_at, now()) + case when r.confirmed then interval '2 minutes' else interval '15 minutes' end
    end
  from public.recordings as r
  where r.call_sid = p_call_sid and r.source = 'voicemail' and r.deleted_at is null
  on conflict (idempotency_key) do update set next_attempt_at = excluded.next_attempt_at
    where o.status = 'pending' and o.attempts = 0 and excluded.next_attempt_at < o.next_attempt_at;

  delete from public.outbox as o using public.recordings as r
  where o.kind = 'voicemail' and o.payload ->> 'call_sid' = p_call_sid and o.status = 'pending'
    and r.call_sid = p_call_sid and r.recording_sid = o.payload ->> 'recording_sid' and r.deleted_at is not null;
end;

-- What a mail says, as things stand. A voicemail's link works for 7 days from here.
create function public.mail_content(p_kind text, p_payload jsonb) returns jsonb
language sql stable set search_path = ''
as $$
  select case p_kind
    when 'voicemail' then (
      select jsonb_build_object(
        'call_sid', c.call_sid, 'from_e164', c.from_e164, 'to_e164', c.to_e164, 'recording_sid', r.recording_sid,
        'recorded_at', r.recorded_at, 'duration_sec', r.duration_sec, 'transcript', r.transcript,
        'link_expires', extract(epoch from now() + interval '7 days')::bigint
      )
      from public.recordings as r join public.call_logs as c on c.call_sid = r.call_sid
      where r.call_sid = p_payload ->> 'call_sid' and r.recording_sid = p_payload ->> 'recording_sid'
    )
    else (
      select jsonb_build_object(
        'id', m.id, 'name', m.name, 'email', m.email, 'phone', m.phone, 'subject', m.subject,
        'message', m.message, 'created_at', m.created_at
      )
      from public.contact_messages as m where m.id = (p_payload ->> 'contact_message_id')::uuid
    )
  end
$$;

-- Gives a mail up: it stays, visible in outbox_dead, and is told as an error.
create function public.bury_mail(p_id bigint, p_error text) returns void
language sql volatile set search_path = ''
as $$
  with dead as (
    update public.outbox as o set status = 'dead', lease = null, last_error = p_error
    where o.id = p_id
    returning o.id, o.kind, o.attempts
  )
  select public.record_analytics_event(
    'mail_dead', 'error',
    jsonb_build_object('mail_id', dead.id, 'kind', dead.kind, 'attempts', dead.attempts, 'reason', p_error)
  )
  from dead
$$;

-- Claims mails that are due, and those whose lease has run out: whoever had them died between sending and
-- marking, or was too slow. Two workers at once never get the same mail.
--
-- What may have been sent is tried again only while Resend still knows its key (24 hours). After that nobody
-- could tell a second mail from the first: it is given up as outcome_unknown, for a person to decide.
--
-- p_per_hour: mails that are sent in any hour. Alerts go first and may use all of it, voicemails nine tenths, website
-- messages half, receipts a quarter: a flood of messages leaves room for a voicemail, and one of voicemails for the alert
-- that tells of it.
create function public.claim_mails(
  p_limit integer, p_notify_to text default null, p_per_hour integer default 200,
  p_lease interval default '2 minutes', p_max_attempts integer default 8
) returns table (
  id bigint, kind text, urgency smallint, idempotency_key text, recipient text, content jsonb, lease uuid, attempts integer
)
language plpgsql volatile set search_path = ''
as $$
#variable_conflict use_column
declare
  shares constant integer[] := array[
    p_per_hour, (9 * p_per_hour + 9) / 10, (p_per_hour + 1) / 2, (p_per_hour + 3) / 4
  ];
  v_lost bigint;
  v_claimed integer := 0;
  v_used integer;
  v_room integer;
  v_count integer;
begin
  -- Claims take turns, so that two do not count the same hour.
  perform pg_advisory_xact_lock(hashtextextended('claim_mails', 0));
  for v_lost in
    select o.id from public.outbox as o
    where o.status in ('pending', 'sending') and o.next_attempt_at <= now() and (
      coalesce(o.uncertain_since, case when o.status = 'sending' then o.attempted_at end)
        < now() - interval '23 hours 30 minutes'
      or (o.status = 'sending' and o.attempts >= p_max_attempts)
    )
    order by o.next_attempt_at limit p_limit for update skip locked
  loop
    perform public.bury_mail(v_lost, 'outcome_unknown');
  end loop;

  v_used := (select count(*) from public.outbox as o where o.status = 'sent' and o.sent_at > now() - interval '1 hour')
    + (select count(*) from public.outbox as o where o.status = 'sending' and o.next_attempt_at > now());
  for v_urgency in 0 .. 3 loop
    v_room := least(p_limit, shares[v_urgency + 1] - v_used) - v_claimed;
    return query
    with due as (
      select o.id from public.outbox as o
      where o.status in ('pending', 'sending') and o.urgency = v_urgency and o.next_attempt_at <= now()
        and coalesce(o.recipient, p_notify_to) is not null
      order by o.next_attempt_at, o.id
      limit greatest(v_room, 0) for update skip locked
    )
    update public.outbox as o set
      status = 'sending',
      attempts = o.attempts + 1,
      lease = gen_random_uuid(),
      next_attempt_at = now() + p_lease,
      uncertain_since = coalesce(o.uncertain_since, case when o.status = 'sending' then o.attempted_at end),
      attempted_at = now(),
      recipient = coalesce(o.recipient, p_notify_to),
      content = coalesce(o.content, public.mail_content(o.kind, o.payload))
    from due where o.id = due.id
    returning o.id, o.kind, o.urgency, o.idempotency_key, o.recipient, o.content, o.lease, o.attempts;
    get diagnostics v_count = row_count;
    v_claimed := v_claimed + v_count;
    if v_claimed < p_limit and v_count >= v_room and exists (
      select from public.outbox as o
      where o.status = 'pending' and o.urgency = v_urgency and o.next_attempt_at <= now()
        and coalesce(o.recipient, p_notify_to) is not null
    ) then
      perform public.record_rate_limit_refusal('notify-worker', 'everyone', 'urgency ' || v_urgency);
    end if;
  end loop;
end
$$;

-- Marks a mail as sent. False: the lease was lost meanwhile, and another worker will be told the same by Resend.
create function public.mail_sent(p_id bigint, p_lease uuid, p_provider_id text default null) returns boolean
language plpgsql volatile set search_path = ''
as $$
begin
  update public.outbox as o set
    status = 'sent', sent_at = now(), lease = null, content = null, last_error = null, provider_id = p_provider_id
  where o.id = p_id and o.lease = p_lease;
  return found;
end
$$;

-- Marks a try as failed and says when the next one is: after each of Svix's delays at the latest, drawn from the
-- whole of it (full jitter), so that mails that failed together do not come back together. After the
-- eighth try, and after a refusal that no retry can change, the mail is dead. Returns the new status; null: the
-- lease was lost.
create function public.mail_failed(
  p_id bigint, p_lease uuid, p_error text, p_permanent boolean, p_uncertain boolean
) returns text
language plpgsql volatile set search_path = ''
as $$
declare
  delays constant interval[] := array['5 seconds', '5 minutes', '30 minutes', '2 hours', '5 hours', '10 hours', '10 hours'];
  v_mail public.outbox;
begin
  update public.outbox as o set
    uncertain_since = case when p_uncertain then coalesce(o.uncertain_since, o.attempted_at) else o.uncertain_since end
  where o.id = p_id and o.lease = p_lease
  returning * into v_mail;
  if not found then
    return null;
  end if;
  if p_permanent or v_mail.attempts > cardinality(delays) then
    perform public.bury_mail(p_id, p_error);
    return 'dead';
  end if;
  update public.outbox as o set
    status = 'pending', lease = null, last_error = p_error,
    -- While Resend still knows the key of what it may have sent.
    next_attempt_at = least(now() + random() * delays[greatest(v_mail.attempts, 1)], v_mail.uncertain_since + interval '23 hours')
  where o.id = p_id;
  return 'pending';
end
$$;

-- Gives claimed mails back untried, and holds all that are due and no more urgent than p_urgency, the most urgent that was
-- refused, as long: Resend takes nothing of theirs at present. What is urgent asks again soon, however long
-- the rest is told to wait.
create function public.hold_mails(p_leases uuid[], p_error text, p_wait_sec integer, p_urgency integer default 0)
returns void
language plpgsql volatile set search_path = ''
as $$
declare
  waits constant interval[] := array[
    make_interval(secs => least(p_wait_sec, 60)),
    make_interval(secs => least(p_wait_sec, 60)),
    make_interval(secs => least(p_wait_sec, 900)),
    make_interval(secs => p_wait_sec)
  ];
begin
  update public.outbox as o set
    status = 'pending', lease = null, attempts = o.attempts - 1, last_error = p_error,
    next_attempt_at = now() + waits[o.urgency + 1]
  where o.status = 'sending' and o.lease = any (p_leases);

  update public.outbox as o set next_attempt_at = now() + waits[o.urgency + 1]
  from (
    select w.id from public.outbox as w
    where w.status = 'pending' and w.urgency >= p_urgency and w.next_attempt_at < now() + waits[w.urgency + 1]
    for update skip locked
  ) as waiting
  where o.id = waiting.id;
end
$$;

-- For an operator who has seen why: tries a dead mail again, or all of them. Returns how many.
create function public.retry_dead_mails(p_id bigint default null) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_count integer;
begin
  update public.outbox as o set
    status = 'pending', attempts = 0, next_attempt_at = now(), uncertain_since = null,
    -- A link that works again, and by now perhaps a transcript.
    content = case when o.kind = 'voicemail' then null else o.content end,
    -- The operator's address is a setting, and may have been the fault.
    recipient = case when o.kind = 'contact_auto_reply' then o.recipient end
  where o.status = 'dead' and o.id = coalesce(p_id, o.id);
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

-- Deletes at most p_batch mails that were sent 30 days ago or earlier, and returns how many.
create function public.purge_outbox(p_batch integer default 1000) returns integer
language sql volatile set search_path = ''
as $$
  with doomed as (
    select o.id from public.outbox as o
    where o.status = 'sent' and o.sent_at < now() - interval '30 days'
    order by o.sent_at limit p_batch for update skip locked
  ), gone as (
    delete from public.outbox as o using doomed where o.id = doomed.id returning 1
  )
  select count(*)::integer from gone
$$;

create view public.outbox_backlog with (security_invoker = true) as
select
  kind, status,
  count(*) as mails,
  count(*) filter (where status in ('pending', 'sending') and next_attempt_at <= now()) as due,
  max(attempts) as most_attempts,
  min(created_at) as oldest_at,
  extract(epoch from now() - min(created_at))::integer as oldest_seconds
from public.outbox
group by kind, status
order by kind, status;

comment on view public.outbox_backlog is 'E-mails by kind and status, and how old the oldest of each is. Sent ones are kept 30 days.';

create view public.outbox_dead with (security_invoker = true) as
select id, kind, idempotency_key, payload, attempts, last_error, created_at, attempted_at
from public.outbox
where status = 'dead'
order by created_at;

comment on view public.outbox_dead is 'E-mails that were given up, and why. retry_dead_mails(id) tries one again.';

grant select on public.outbox_backlog to service_role, monitoring;
grant select on public.outbox_dead to service_role;
grant select, insert, update, delete on public.outbox to service_role;
grant select (id, kind, status, attempts, next_attempt_at, created_at) on public.outbox to monitoring;
grant execute on function
  public.owe_voicemail_mails, public.mail_content, public.bury_mail, public.claim_mails, public.mail_sent, public.mail_failed,
  public.hold_mails, public.retry_dead_mails, public.purge_outbox
  to service_role;
