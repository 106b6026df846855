-- Which calls to ask Twilio about, because callbacks are missing.

-- Enqueues the calls to ask Twilio about: open calls without an event for p_quiet, until they are over, and incomplete ended
-- calls, until they are settled. An ended call is due after 20 minutes, when callbacks and transcripts have arrived and
-- Twilio has its log of the call; the calls of p_calls, about which Twilio was asked just now, are due at once.
create function public.enqueue_calls(p_calls text[] default '{}', p_quiet interval default '5 minutes') returns void
language sql volatile set search_path = ''
begin atomic
  insert into public.jobs (kind, priority, key, payload)
  select k.kind, k.priority, due.call_sid, jsonb_build_object('call_sid', due.call_sid)
  from (
    (
      select 'open_call' as kind, c.call_sid, c.started_at as since from public.call_logs as c
      where c.disposition is null and c.updated_at < now() - p_quiet
        and not exists (select from public.jobs as j where j.kind = 'open_call' and j.key = c.call_sid)
      order by c.started_at limit 5000
    )
    union all
    (
      select 'incomplete_call', c.call_sid, c.ended_at from public.call_logs as c
      where c.incomplete and c.ended_at < now() - interval '20 minutes'
        and not exists (select from public.jobs as j where j.kind = 'incomplete_call' and j.key = c.call_sid)
      order by c.ended_at limit 5000
    )
    union all
    select 'incomplete_call', c.call_sid, c.ended_at from public.call_logs as c
    where c.call_sid = any (p_calls) and c.incomplete
  ) as due
  join public.job_kinds as k on k.kind = due.kind
  order by due.since
  on conflict (kind, key) do nothing;
end;

-- The open questions about a call; null: none. account_sid is its sub-account; null: the main account.
create function public.call_to_ask(p_kind text, p_call_sid text) returns jsonb
language sql stable set search_path = ''
as $$
  select jsonb_build_object(
    'account_sid', s.subaccount_sid, 'open', c.disposition is null, 'started_at', c.started_at,
    'last_event_at',
    coalesce((select max(l.occurred_at) from public.call_lifecycle as l where l.call_sid = c.call_sid), c.started_at)
  )
  from public.call_logs as c
  left join public.telephony_subaccounts as s on s.org_id = c.org_id
  where c.call_sid = p_call_sid and case p_kind when 'open_call' then c.disposition is null else c.incomplete end
$$;

-- Sub-accounts to search for missed calls: at most p_limit a minute, in turns, so that a run is bounded.
create function public.accounts_to_check(p_limit integer) returns setof text
language sql stable set search_path = ''
begin atomic
  select s.subaccount_sid from public.telephony_subaccounts as s
  where s.released_at is null
  order by md5(s.subaccount_sid || date_trunc('minute', now())::text)
  limit p_limit;
end;

-- Which of these calls are ours and missing: the number was called before, and the call has no row.
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

grant execute on function
  public.enqueue_calls, public.call_to_ask, public.accounts_to_check, public.unknown_calls
  to service_role;
