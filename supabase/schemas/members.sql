-- The people who sign in: whom they act for and what they may do. Policies compare a row's owner with current_owner() and
-- what is wanted with my_role(); edge functions ask membership_of. org_id null is the main
-- account, and `owner` is then all zeros, because null equals nothing.

-- In ascending order: a viewer reads; an agent works on calls; an admin sets up people, flows and members; an owner also
-- makes owners.
create type public.member_role as enum ('viewer', 'agent', 'admin', 'owner');

-- Functions with their owner's rights that policies need. The Data API does not serve this schema.
create schema private;
grant usage on schema private to authenticated, service_role, monitoring;

-- Whom a user acts for, and as what, by the claims of a verified token; nulls: nobody. The row of members decides. A user
-- without one counts as what the service wrote into the token's app_metadata: {org_id, role}.
create function private.membership_of(p_claims jsonb, out owner uuid, out role public.member_role)
language plpgsql stable security definer set search_path = ''
as $$
begin
  -- Who has a second factor must have shown it.
  if p_claims ->> 'aal' = 'aal1' and exists (
    select from auth.mfa_factors as f where f.user_id = (p_claims ->> 'sub')::uuid and f.status = 'verified'
  ) then
    return;
  end if;
  select m.owner, m.role into owner, role from public.members as m where m.user_id = (p_claims ->> 'sub')::uuid;
  if owner is null and p_claims #>> '{app_metadata,org_id}' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    owner := (p_claims #>> '{app_metadata,org_id}')::uuid;
    role := case when p_claims #>> '{app_metadata,role}' in ('agent', 'admin', 'owner')
      then p_claims #>> '{app_metadata,role}' else 'viewer' end;
  end if;
end
$$;

-- The same of the sender of the request.
create function private.membership(out owner uuid, out role public.member_role)
language sql stable security definer set search_path = ''
return private.membership_of(nullif(current_setting('request.jwt.claims', true), '')::jsonb);

-- The owner of the rows that the sender may see; null: none.
create function public.current_owner() returns uuid
language sql stable set search_path = ''
return (private.membership()).owner;

-- Its organisation; null: the main account, or nobody. The value of org_id in rows that a person adds.
create function public.current_org_id() returns uuid
language sql stable set search_path = ''
return nullif((private.membership()).owner, '00000000-0000-0000-0000-000000000000');

-- What the sender may do there; null: nothing.
create function public.my_role() returns public.member_role
language sql stable set search_path = ''
return (private.membership()).role;

create function public.is_member(p_org_id uuid) returns boolean
language sql stable set search_path = ''
return coalesce(
  coalesce(p_org_id, '00000000-0000-0000-0000-000000000000') = (private.membership()).owner, false
);

-- Whether the sender has at least this role in an organisation.
create function public.has_role(p_org_id uuid, p_role public.member_role) returns boolean
language sql stable set search_path = ''
return public.is_member(p_org_id) and public.my_role() >= p_role;

-- Whether the sender is an owner of the main account, whose people run the installation: they see its workers, jobs and
-- onboardings, of every organisation.
create function public.runs_installation() returns boolean
language sql stable set search_path = ''
return public.has_role(null, 'owner');

create table public.members (
  id uuid primary key default gen_random_uuid(),
  org_id uuid default public.current_org_id(),
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  -- At Supabase Auth. Null: invited, and has not signed in yet. A person is a member of one organisation.
  user_id uuid constraint members_of_one_organisation unique,
  email text not null
    constraint members_email_form check (email = lower(email) and email ~ '^[^@[:space:]]+@[^@[:space:]]+$' and length(email) <= 254),
  name text constraint members_name_length check (length(name) between 1 and 200),
  role public.member_role not null,
  invited_by uuid,
  invited_at timestamptz not null default now(),
  joined_at timestamptz,
  constraint members_key unique (owner, email),
  constraint members_joined_whole check ((user_id is null) = (joined_at is null))
);

comment on table public.members is 'Who signs in for which organisation, and as what. user_id null: invited.';

create index members_invited_idx on public.members (email) where user_id is null;

alter table public.members enable row level security;

create policy members_of_own_org on public.members
  for select to authenticated using (owner = (select public.current_owner()));
-- Nobody gives, changes or takes a role above the own one.
create policy members_by_admins_invited on public.members
  for insert to authenticated
  with check (owner = (select public.current_owner()) and (select public.my_role()) >= 'admin' and role <= (select public.my_role()));
create policy members_by_admins_changed on public.members
  for update to authenticated
  using (owner = (select public.current_owner()) and (select public.my_role()) >= 'admin' and role <= (select public.my_role()))
  with check (owner = (select public.current_owner()) and role <= (select public.my_role()));
create policy members_by_admins_removed on public.members
  for delete to authenticated
  using (
    owner = (select public.current_owner())
    and (user_id = (select auth.uid()) or ((select public.my_role()) >= 'admin' and role <= (select public.my_role())))
  );
create policy members_of_the_service on public.members to service_role using (true) with check (true);

-- Of an organisation that has owners, the last one stays. The lock makes two owners who leave at once take turns.
create function public.keep_an_owner() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if old.role = 'owner' and old.user_id is not null
    and (tg_op = 'DELETE' or (new.role, new.owner, new.user_id) is distinct from (old.role, old.owner, old.user_id)) then
    perform pg_advisory_xact_lock(hashtextextended('members/' || old.owner, 0));
    if not exists (
      select from public.members as m where m.owner = old.owner and m.role = 'owner' and m.user_id is not null
    ) then
      raise sqlstate 'PT409' using message = 'the last owner stays: make another member an owner first';
    end if;
  end if;
  return null;
end
$$;

create constraint trigger members_keep_an_owner after update or delete on public.members
  for each row execute function public.keep_an_owner();

-- An invitation has its mail: see the job kind `invite`.
create function public.invite_member() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if tg_when = 'BEFORE' then
    new.email := lower(trim(new.email));
    new.invited_by := auth.uid();
    perform pg_advisory_xact_lock(hashtextextended('members/' || coalesce(new.org_id::text, ''), 1));
    -- Each invitation is a mail to a stranger.
    if (
      select count(*) from public.members as m where m.org_id is not distinct from new.org_id and m.user_id is null
    ) >= 50 then
      raise sqlstate 'PT409' using message = 'there are 50 open invitations: remove one first';
    end if;
  elsif new.user_id is null then
    perform public.enqueue_job('invite', new.id::text, jsonb_build_object('member_id', new.id));
  end if;
  return new;
end
$$;

create trigger members_invited before insert on public.members for each row execute function public.invite_member();
create trigger members_mailed after insert on public.members for each row execute function public.invite_member();

-- Makes the sender the member whom the oldest open invitation of the own address names. Supabase Auth must have confirmed
-- the address: anybody can type one.
create function private.accept_invitation() returns void
language sql volatile security definer set search_path = ''
as $$
  update public.members as m set user_id = auth.uid(), joined_at = now()
  where m.id = (
    select i.id from auth.users as u join public.members as i on i.email = lower(u.email)
    where u.id = auth.uid() and u.email_confirmed_at is not null and i.user_id is null
    order by i.invited_at, i.id limit 1
  )
  and not exists (select from public.members as k where k.user_id = auth.uid())
$$;

-- For edge functions: {org_id, role} of a user by the claims of a verified token; null: no membership.
create function public.membership_of(p_claims jsonb) returns jsonb
language sql stable set search_path = ''
as $$
  select jsonb_build_object('org_id', nullif(w.owner, '00000000-0000-0000-0000-000000000000'), 'role', w.role)
  from private.membership_of(p_claims) as w where w.owner is not null
$$;

-- Who the sender is, {org_id, role, member_id, name, business}; null: no membership.
create function public.my_membership() returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select jsonb_build_object(
      'org_id', nullif(w.owner, '00000000-0000-0000-0000-000000000000'), 'role', w.role,
      'member_id', m.id, 'name', m.name, 'business', s.business_name
    )
    from private.membership() as w
    left join public.members as m on m.user_id = auth.uid()
    left join public.telephony_subaccounts as s on s.org_id = w.owner
    where w.owner is not null
  );
end
$$;

-- The same, after accepting an open invitation.
create function public.join_as_member() returns jsonb
language plpgsql volatile set search_path = ''
as $$
begin
  perform private.accept_invitation();
  return public.my_membership();
end
$$;

-- The invitation that a job is about: {email, known}; known: the address has a user, who needs no account but a link to sign
-- in. Null: it was accepted or taken back.
create function public.invitation(p_member_id uuid) returns jsonb
language sql stable security definer set search_path = ''
as $$
  select jsonb_build_object('email', m.email, 'known', exists (select from auth.users as u where lower(u.email) = m.email))
  from public.members as m where m.id = p_member_id and m.user_id is null
$$;

grant select, delete, insert (org_id, email, name, role), update (name, role) on public.members to authenticated;
grant select, insert, update, delete on public.members to service_role;
grant execute on function private.membership, public.current_owner, public.current_org_id to authenticated, service_role, monitoring;
grant execute on function public.my_role, public.is_member, public.has_role, public.runs_installation, public.my_membership to authenticated, service_role;
grant execute on function private.accept_invitation, public.join_as_member to authenticated;
grant execute on function private.membership_of, public.membership_of, public.invitation to service_role;

-- --- what people did -------------------------------------------------------------------------------------------------

create table public.audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  owner uuid not null,
  user_id uuid not null,
  action text not null constraint audit_log_action_known check (action in ('insert', 'update', 'delete')),
  object text not null,
  key text not null,
  -- {column: [before, after]} of the changed columns that hold nothing personal, {column: null} of the others.
  changes jsonb not null constraint audit_log_changes_object check (jsonb_typeof(changes) = 'object')
);

comment on table public.audit_log is 'What signed-in people changed, and when. Append-only.';

create index audit_log_owner_idx on public.audit_log (owner, at desc, id desc);

alter table public.audit_log enable row level security;
create policy audit_log_for_admins on public.audit_log
  for select to authenticated using (owner = (select public.current_owner()) and (select public.my_role()) >= 'admin');
create policy audit_log_of_the_service on public.audit_log for select to service_role using (true);
grant select on public.audit_log to authenticated, service_role;

-- Writes down a change by a signed-in person; changes by the functions and by operators are not this log's.
-- tg_argv: the key column, the columns whose values may be kept, and the column that names the person where an edge function
-- acts for one.
create function public.write_audit() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_before constant jsonb := case when tg_op = 'INSERT' then '{}' else to_jsonb(old) end;
  v_after constant jsonb := case when tg_op = 'DELETE' then '{}' else to_jsonb(new) end;
  v_kept constant text[] := tg_argv[1]::text[];
  v_user uuid := auth.uid();
  v_owner uuid := public.current_owner();
begin
  if v_user is null and v_after ->> tg_argv[2] ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    v_user := (v_after ->> tg_argv[2])::uuid;
    select m.owner into v_owner from public.members as m where m.user_id = v_user;
  end if;
  if v_user is null or v_owner is null then
    return null;
  end if;
  insert into public.audit_log (owner, user_id, action, object, key, changes)
  select v_owner, v_user, lower(tg_op), tg_table_name, coalesce(v_after ->> tg_argv[0], v_before ->> tg_argv[0]), coalesce(
    jsonb_object_agg(c.name, case when c.name = any (v_kept) then jsonb_build_array(v_before -> c.name, v_after -> c.name) end),
    '{}'
  )
  from (select jsonb_object_keys(v_before || v_after) as name) as c
  where v_before -> c.name is distinct from v_after -> c.name
    and coalesce(nullif(v_before -> c.name, 'null'), nullif(v_after -> c.name, 'null')) is not null;
  return null;
end
$$;

-- Has the changes of a table's rows written down: see write_audit.
create function public.make_audited(p_table regclass, p_key text, p_kept text[], p_by text default '') returns void
language plpgsql volatile set search_path = ''
as $$
begin
  execute format(
    'create trigger audited after insert or update or delete on %s for each row execute function public.write_audit(%L, %L, %L)',
    p_table, p_key, p_kept, p_by
  );
end
$$;

select public.make_audited('public.members', 'id', '{role}');
