-- What Twilio never delivered is fetched: which calls to ask about, and when to ask again.

-- One row a call that had to be asked about. Kept apart from call_logs: it is about our asking, not about the call.
create table public.reconcile_attempts (
  call_sid text primary key
    constraint reconcile_attempts_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  attempts integer not null default 1 constraint reconcile_attempts_positive check (attempts > 0),
  next_at timestamptz not null
);

create index reconcile_attempts_next_idx on public.reconcile_attempts (next_at);

-- Calls that ended without something that such a call usually has: a callback of theirs may have gone astray.
create index call_logs_doubtful_idx on public.call_logs (ended_at)
  where disposition = 'abandoned' or duration_sec is null
    or (recording_source = 'voicemail' and (recording_duration_sec is null or transcript is null))
    or (connected_at is not null and consent_given and recording_sid is null);

-- Calls of which something had to be fetched: what was decided on them may have gone astray too.
create index call_lifecycle_reconciled_idx on public.call_lifecycle (received_at, call_sid) where event = 'reconciled';

-- Claims calls to ask Twilio about, and sets when each may be claimed again (5 minutes, doubling to
-- 6 hours). Two runs at once share the calls and never get the same one: the claim is the write.
-- Due are calls that are open and of which nothing was heard for p_quiet; and, until an event says that they are
-- settled, calls of the last day that ended and lack something, or whose end had to be fetched. Those wait for
-- 20 minutes: by then callbacks and transcripts are through, and Twilio has its log of the call.
-- account_sid is the sub-account that the call belongs to; null: the main account.
create function public.claim_calls_to_reconcile(p_limit integer, p_quiet interval default '5 minutes')
returns table (call_sid text, account_sid text, open boolean, started_at timestamptz, last_event_at timestamptz)
language sql volatile set search_path = ''
as $$
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
    c.call_sid, s.subaccount_sid, c.status < 'canceled', c.started_at,
    coalesce((select max(l.occurred_at) from public.call_lifecycle as l where l.call_sid = c.call_sid), c.started_at)
  from claimed
  join public.call_logs as c on c.call_sid = claimed.call_sid
  left join public.telephony_subaccounts as s on s.org_id = c.org_id
$$;

-- Sub-accounts to look for missed calls in: at most p_limit a minute, in turns, so that a run stays bounded
-- however many there are.
create function public.accounts_to_check(p_limit integer) returns setof text
language sql stable set search_path = ''
begin atomic
  select s.subaccount_sid from public.telephony_subaccounts as s
  order by md5(s.subaccount_sid || date_trunc('minute', now())::text)
  limit p_limit;
end;

-- Which of these calls are ours and unknown here: the number has been called before, the call has no row.
create function public.unknown_calls(p_calls jsonb) returns setof text
language sql stable set search_path = ''
begin atomic
  select t.call_sid
  from jsonb_to_recordset(p_calls) as t(call_sid text, to_e164 text)
  where not exists (select from public.call_logs as c where c.call_sid = t.call_sid)
    and (
      exists (select from public.call_logs as c where c.to_e164 = t.to_e164)
      or exists (select from public.telephony_numbers as n where n.e164_number = t.to_e164)
    );
end;

-- Deletes what has served its time, at most p_batch rows of each kind, and returns how many went. Call
-- it again while a count equals p_batch.
create function public.purge_expired(p_batch integer default 1000) returns jsonb
language plpgsql volatile set search_path = ''
as $$
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
$$;

alter table public.reconcile_attempts enable row level security;

create policy reconcile_attempts_of_the_service on public.reconcile_attempts
  for select to service_role using (true);

revoke all on public.reconcile_attempts from anon, authenticated, service_role;
revoke all on function
  public.claim_calls_to_reconcile(integer, interval), public.accounts_to_check(integer),
  public.unknown_calls(jsonb), public.purge_expired(integer)
  from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.reconcile_attempts to service_role;
grant execute on function
  public.claim_calls_to_reconcile(integer, interval), public.accounts_to_check(integer),
  public.unknown_calls(jsonb), public.purge_expired(integer)
  to service_role;

-- Every minute, where the platform has pg_cron and pg_net (Supabase does; the local stack has a timer of its own).
-- The address and the key come from Vault, under the names functions_url and functions_secret_key; until
-- both are there the job does nothing.
do $block$
begin
  if (select count(*) from pg_available_extensions where name in ('pg_cron', 'pg_net', 'supabase_vault')) = 3 then
    create extension if not exists pg_cron;
    create extension if not exists pg_net;
    create extension if not exists supabase_vault;
    perform cron.schedule('voice-reconcile', '* * * * *', $job$
      select net.http_post(
        url := url.decrypted_secret || '/voice-reconcile',
        headers := jsonb_build_object('apikey', key.decrypted_secret, 'content-type', 'application/json'),
        body := '{}'::jsonb,
        timeout_milliseconds := 55000
      )
      from vault.decrypted_secrets as url, vault.decrypted_secrets as key
      where url.name = 'functions_url' and key.name = 'functions_secret_key'
    $job$);
  end if;
end
$block$;
