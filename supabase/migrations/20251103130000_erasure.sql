-- What is erased, elsewhere and quickly.
--
-- Recordings of erased calls are deleted at Twilio by voice-reconcile, a few each minute. One that Twilio does not
-- delete is tried again later and later, so that it never stands in the way of the others.
alter table public.recordings_to_delete
  add column attempts integer not null default 0
    constraint recordings_to_delete_attempts_range check (attempts >= 0),
  add column next_at timestamptz not null default now();

create index recordings_to_delete_next_idx on public.recordings_to_delete (next_at);

comment on table public.recordings_to_delete is 'Recordings whose call was erased here, and which Twilio still has; voice-reconcile deletes them there.';

-- Claims up to p_limit recordings, and sets when each may be claimed again: a minute, doubling to 6 hours. Two runs at
-- once never get the same one. subaccount_sid null: the main account.
create function public.claim_recordings_to_delete(p_limit integer)
returns table (recording_sid text, subaccount_sid text)
language sql volatile set search_path = ''
begin atomic
  update public.recordings_to_delete as r
  set attempts = r.attempts + 1, next_at = now() + least(interval '1 minute' * 2 ^ least(r.attempts, 10), interval '6 hours')
  where r.recording_sid in (
    select due.recording_sid from public.recordings_to_delete as due
    where due.next_at <= now() order by due.next_at limit p_limit for update skip locked
  )
  returning r.recording_sid, r.subaccount_sid;
end;

revoke all on function public.claim_recordings_to_delete(integer) from public, anon, authenticated, service_role;
grant update (attempts, next_at) on public.recordings_to_delete to service_role;
grant execute on function public.claim_recordings_to_delete(integer) to service_role;

-- As before (20251102130000), each by its index.
create index contact_messages_phone_idx on public.contact_messages (ltrim(phone, '+')) where phone is not null;

create or replace function public.messages_of_person(p_number text, p_email text) returns setof uuid
language sql stable set search_path = ''
begin atomic
  select m.id from public.contact_messages as m where lower(m.email) = lower(p_email)
  union
  -- Also where it was written without the country's code.
  select m.id from public.contact_messages as m
  where m.phone is not null
    and ltrim(m.phone, '+') in (ltrim(p_number, '+'), case when p_number like '+1%' then substr(p_number, 3) end);
end;
