-- What Twilio never delivered is fetched: which calls to ask about, and when to ask again.

-- One row a call that had to be asked about. Kept apart from call_logs: it is about our asking, not about the call.
create table public.reconcile_attempts (
  call_sid text primary key
    constraint reconcile_attempts_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  attempts integer not null default 1 constraint reconcile_attempts_positive check (attempts > 0),
  next_at timestamptz not null
);

create index reconcile_attempts_next_idx on public.reconcile_attempts (next_at);

alter table public.reconcile_attempts enable row level security;
create policy reconcile_attempts_of_the_service on public.reconcile_attempts
  for select to service_role using (true);

-- Claims calls to ask Twilio about, and sets when each may be claimed again. Two runs at once share the calls and never
-- get the same one: the claim is the write.
-- Due are calls that are open and of which nothing was heard for p_quiet: every 5 minutes, however long the call, so that
-- a lost end is found soon; and those that ended incomplete, until they are settled, after 5 minutes, doubling to 6 hours.
-- These wait for 20 minutes: by then callbacks and transcripts are through, and Twilio has its log of the call. The two
-- kinds take turns, so that neither waits for the other.
-- account_sid is the sub-account that the call belongs to; null: the main account.
create function public.claim_calls_to_reconcile(p_limit integer, p_quiet interval default '5 minutes')
returns table (call_sid text, account_sid text, open boolean, started_at timestamptz, last_event_at timestamptz)
language sql volatile set search_path = ''
as $$
  with open_calls as (
    select c.call_sid, row_number() over (order by a.next_at nulls first, c.started_at) as turn
    from public.call_logs as c
    left join public.reconcile_attempts as a on a.call_sid = c.call_sid
    where c.disposition is null and c.updated_at < now() - p_quiet and coalesce(a.next_at <= now(), true)
    order by turn
    limit p_limit
  ), doubtful_calls as (
    select c.call_sid, row_number() over (order by a.next_at nulls first, c.ended_at) as turn
    from public.call_logs as c
    left join public.reconcile_attempts as a on a.call_sid = c.call_sid
    where c.incomplete and c.ended_at < now() - interval '20 minutes' and coalesce(a.next_at <= now(), true)
    order by turn
    limit p_limit
  ), due as (
    select taken.call_sid, taken.delay
    from (
      select o.call_sid, o.turn, interval '5 minutes' as delay from open_calls as o
      union all
      select d.call_sid, d.turn, interval '6 hours' from doubtful_calls as d
    ) as taken
    order by taken.turn
    limit p_limit
  ), claimed as (
    insert into public.reconcile_attempts as a (call_sid, next_at)
    select due.call_sid, now() + interval '5 minutes' from due
    on conflict (call_sid) do update
      set attempts = a.attempts + 1,
        next_at = now() + least(
          interval '5 minutes' * 2 ^ least(a.attempts, 10),
          (select due.delay from due where due.call_sid = excluded.call_sid)
        )
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

-- Sub-accounts to look for missed calls in: at most p_limit a minute, in turns, so that a run stays bounded
-- however many there are.
create function public.accounts_to_check(p_limit integer) returns setof text
language sql stable set search_path = ''
begin atomic
  select s.subaccount_sid from public.telephony_subaccounts as s
  where s.released_at is null
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
    and not exists (select from public.erased_calls as e where e.call_hash = public.call_hash(t.call_sid))
    and (
      exists (select from public.call_logs as c where c.line = t.to_e164)
      or exists (select from public.telephony_numbers as n where n.e164_number = t.to_e164)
    );
end;

grant select, insert, update, delete on public.reconcile_attempts to service_role;
grant execute on function
  public.claim_calls_to_reconcile, public.accounts_to_check, public.unknown_calls
  to service_role;
