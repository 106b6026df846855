-- Whom a line talks with, and what people write about calls: contacts by number, notes, tags, and who works on a voicemail.
-- org_id null is the main account.

create table public.contacts (
  id uuid primary key default gen_random_uuid(),
  org_id uuid default public.current_org_id(),
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  phone public.e164 not null,
  name text constraint contacts_name_length check (length(name) between 1 and 200),
  company text constraint contacts_company_length check (length(company) between 1 and 200),
  notes text constraint contacts_notes_length check (length(notes) between 1 and 2000),
  -- Whether the person agreed to be called or written to, when, and how that is known; null: not known.
  consent boolean,
  consent_at timestamptz,
  consent_source text constraint contacts_consent_source_length check (length(consent_source) between 1 and 200),
  -- The front door refuses the calls of this number.
  blocked boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- Made by a call, and nobody has written anything about it.
  bare boolean not null generated always as (
    name is null and company is null and notes is null and consent is null and not blocked
  ) stored,
  constraint contacts_key unique (owner, phone),
  constraint contacts_consent_whole check ((consent is null) = (consent_at is null))
);

comment on table public.contacts is 'A person by number: made at the first call, named by hand, by a file or by a campaign.';
comment on column public.contacts.bare is 'Nothing is known but the number: the contact expires with its last call.';

-- Of parts of numbers.
create index contacts_digits_idx on public.contacts using gin (owner, phone extensions.gin_trgm_ops);
create index contacts_bare_idx on public.contacts (created_at) where bare;

alter table public.contacts enable row level security;
create policy contacts_of_own_org on public.contacts
  for select to authenticated using (owner = (select public.current_owner()));
create policy contacts_by_members_added on public.contacts
  for insert to authenticated with check (owner = (select public.current_owner()) and (select public.my_role()) >= 'agent');
create policy contacts_by_members_changed on public.contacts
  for update to authenticated using (owner = (select public.current_owner()) and (select public.my_role()) >= 'agent') with check (owner = (select public.current_owner()) and (select public.my_role()) >= 'agent');
create policy contacts_by_members_removed on public.contacts
  for delete to authenticated using (owner = (select public.current_owner()) and (select public.my_role()) >= 'agent');
create policy contacts_of_the_service on public.contacts to service_role using (true) with check (true);

-- What people write about a call.
create table public.call_notes (
  id uuid primary key default gen_random_uuid(),
  -- Deferred, here and below: an erasure deletes a call before its notes. What is written while a call is erased is refused.
  call_sid text not null constraint call_notes_of_call references public.call_logs (call_sid) deferrable initially deferred,
  org_id uuid,
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  -- The user at Supabase Auth; null: the service.
  author uuid default auth.uid(),
  body text not null constraint call_notes_body_length check (length(body) between 1 and 4000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.call_notes is 'What people write about a call.';

create index call_notes_call_idx on public.call_notes (call_sid, created_at);

alter table public.call_notes enable row level security;
create policy call_notes_of_own_org on public.call_notes
  for select to authenticated using (owner = (select public.current_owner()));
create policy call_notes_added on public.call_notes
  for insert to authenticated
  with check (owner = (select public.current_owner()) and (select public.my_role()) >= 'agent' and author = (select auth.uid()));
create policy call_notes_changed on public.call_notes
  for update to authenticated
  using (owner = (select public.current_owner()) and (select public.my_role()) >= 'agent' and author = (select auth.uid()))
  with check (owner = (select public.current_owner()) and (select public.my_role()) >= 'agent' and author = (select auth.uid()));
create policy call_notes_removed on public.call_notes
  for delete to authenticated using (owner = (select public.current_owner()) and (select public.my_role()) >= 'agent' and author = (select auth.uid()));
create policy call_notes_of_the_service on public.call_notes to service_role using (true) with check (true);

create table public.call_tags (
  call_sid text not null constraint call_tags_of_call references public.call_logs (call_sid) deferrable initially deferred,
  tag text not null constraint call_tags_tag_form check (tag = lower(btrim(tag)) and length(tag) between 1 and 64),
  org_id uuid,
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  author uuid default auth.uid(),
  created_at timestamptz not null default now(),
  primary key (call_sid, tag)
);

comment on table public.call_tags is 'The tags of calls, in lower case.';

create index call_tags_tag_idx on public.call_tags (owner, tag, call_sid);

alter table public.call_tags enable row level security;
create policy call_tags_of_own_org on public.call_tags
  for select to authenticated using (owner = (select public.current_owner()));
create policy call_tags_added on public.call_tags
  for insert to authenticated
  with check (owner = (select public.current_owner()) and (select public.my_role()) >= 'agent' and author = (select auth.uid()));
create policy call_tags_removed on public.call_tags
  for delete to authenticated using (owner = (select public.current_owner()) and (select public.my_role()) >= 'agent');
create policy call_tags_of_the_service on public.call_tags to service_role using (true) with check (true);

-- Who took a voicemail, assigned it or finished it, and when. Append-only: the newest step of a recording is its state; one
-- without a step is new.
create table public.voicemail_steps (
  id bigint generated always as identity primary key,
  call_sid text not null,
  recording_sid text not null,
  org_id uuid,
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  state text not null constraint voicemail_steps_state_known check (state in ('new', 'taken', 'done')),
  assigned_to uuid references public.people (id) on delete set null,
  author uuid default auth.uid(),
  at timestamptz not null default clock_timestamp(),
  constraint voicemail_steps_recording foreign key (call_sid, recording_sid)
    references public.recordings (call_sid, recording_sid) on delete cascade
);

comment on table public.voicemail_steps is 'Who took, assigned and finished a voicemail, and when.';

create index voicemail_steps_recording_idx on public.voicemail_steps (call_sid, recording_sid, id);
create index voicemail_steps_person_idx on public.voicemail_steps (assigned_to);

alter table public.voicemail_steps enable row level security;
create policy voicemail_steps_of_own_org on public.voicemail_steps
  for select to authenticated using (owner = (select public.current_owner()));
create policy voicemail_steps_added on public.voicemail_steps
  for insert to authenticated
  with check (owner = (select public.current_owner()) and (select public.my_role()) >= 'agent' and author = (select auth.uid()));
create policy voicemail_steps_of_the_service on public.voicemail_steps to service_role using (true) with check (true);

-- A note, a tag or a step belongs to the organisation of its call, which its author must see.
create function public.own_by_call() returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  select c.org_id into new.org_id from public.call_logs as c where c.call_sid = new.call_sid;
  if not found then
    raise sqlstate 'PT404' using message = 'there is no such call';
  end if;
  return new;
end
$$;

create trigger call_notes_owned before insert on public.call_notes for each row execute function public.own_by_call();
create trigger call_tags_owned before insert on public.call_tags for each row execute function public.own_by_call();
create trigger voicemail_steps_owned before insert on public.voicemail_steps for each row execute function public.own_by_call();

-- One person at a time works on a voicemail: of two who take it at once the second gets PT409. SECURITY DEFINER, because its
-- author may not change a recording.
create function public.work_on_voicemail() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
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
$$;

create trigger voicemail_steps_done after insert on public.voicemail_steps
  for each row execute function public.work_on_voicemail();

-- The change of a contact or of a note has its time.
create function public.touch() returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  new.updated_at := now();
  return new;
end
$$;

create trigger contacts_touched before update on public.contacts for each row execute function public.touch();
create trigger call_notes_touched before update on public.call_notes for each row execute function public.touch();

-- Each voicemail with its state.
create view public.voicemails with (security_invoker = true) as
select
  r.call_sid, r.recording_sid, c.org_id, c.from_e164, c.line, r.recorded_at, r.duration_sec, r.transcript,
  coalesce(s.state, case when r.handled_at is null then 'new' else 'done' end) as state,
  s.assigned_to, s.author as changed_by, coalesce(s.at, r.handled_at) as changed_at,
  -- Null unless it is done. Of many voicemails the open ones, and the newest done ones, are found by it.
  r.handled_at
from public.recordings as r
join public.call_logs as c on c.call_sid = r.call_sid
left join lateral (
  select s.* from public.voicemail_steps as s
  where s.call_sid = r.call_sid and s.recording_sid = r.recording_sid
  order by s.id desc limit 1
) as s on true
where r.source = 'voicemail' and r.deleted_at is null;

comment on view public.voicemails is 'Each voicemail with its state: new, taken or done, whose it is, and who changed it last.';

-- Whether campaigns may not call a number: it has said stop, or is a contact who did not agree to be called, or whose own calls are refused.
-- p_key: of many numbers, asked for once.
create function public.wants_no_calls(p_owner uuid, p_e164 text, p_key bytea default public.number_key()) returns boolean
language sql stable set search_path = ''
return exists (
  select from public.suppressions as s
  where s.number_hash = sha256(p_key || convert_to(p_e164, 'UTF8')) and coalesce(s.org_id, '00000000-0000-0000-0000-000000000000') = p_owner
) or exists (
  select from public.contacts as k where k.owner = p_owner and k.phone = p_e164 and (k.consent = false or k.blocked)
);

-- Whether a call's number is blocked; null: the number is no contact yet.
create function public.blocked_number(c public.call_logs) returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select k.blocked from public.contacts as k
    where k.owner = coalesce(c.org_id, '00000000-0000-0000-0000-000000000000') and k.phone = c.party
  );
end
$$;

-- Adds contacts, and fills in what a contact lacks or what has changed: a field that is absent stays. p_contacts: [{phone, name?,
-- company?, notes?}], each number once. Runs with its sender's rights. Returns {added, changed}.
create function public.import_contacts(p_contacts jsonb, p_org_id uuid default null) returns jsonb
language sql volatile set search_path = ''
as $$
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
$$;

-- Whom a person is about to talk with, {name, calls}: the contact's name, and the calls with this number in 7 days, this one
-- among them. Null: the group's flow does not say `context`, or the number is withheld.
create function public.caller_context(p_call_sid text, p_group text) returns jsonb
-- plpgsql: its plan is kept.
language plpgsql stable set search_path = ''
as $$
begin
  return (
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
  );
end
$$;

grant execute on function public.caller_context to service_role;
grant select, delete, insert (org_id, phone, name, company, notes, consent, consent_at, consent_source, blocked),
  update (name, company, notes, consent, consent_at, consent_source, blocked) on public.contacts to authenticated;
grant select, delete, insert (call_sid, body), update (body) on public.call_notes to authenticated;
grant select, delete, insert (call_sid, tag) on public.call_tags to authenticated;
grant select, insert (call_sid, recording_sid, state, assigned_to) on public.voicemail_steps to authenticated;
grant select on public.voicemails to authenticated, service_role;
grant select, insert, update, delete on public.contacts, public.call_notes, public.call_tags to service_role;
grant select, insert on public.voicemail_steps to service_role;
grant execute on function public.blocked_number, public.wants_no_calls to service_role;
grant execute on function public.import_contacts to authenticated, service_role;
