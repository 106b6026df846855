-- The people whom lines ring: those that groups of flows name. A call asks for their availability while it goes on;
-- everything else of a flow's version is frozen. org_id null is the main account.

create table public.people (
  id uuid primary key default gen_random_uuid(),
  org_id uuid default public.current_org_id(),
  handle text not null constraint people_handle_form check (handle ~ '^[a-z][a-z0-9_]{0,31}$'),
  name text not null constraint people_name_length check (length(name) between 1 and 200)
    -- XML takes none of these, so that no whisper with the name could be played.
    constraint people_name_speakable check (name !~ '[[:cntrl:]\ufffe\uffff]'),
  phone public.e164 not null,
  -- When somebody accepted a call to this very number by key. Without it the telephone is rung for no caller, since anybody's
  -- number could be entered here.
  verified_at timestamptz,
  available boolean not null default true,
  -- Do not disturb: not available until then, whatever `available` says.
  dnd_until timestamptz,
  -- Working hours, {zone, weekly, dates} as a calendar of a flow; null: at all hours.
  calendar jsonb constraint people_calendar_object check (jsonb_typeof(calendar) = 'object'),
  -- The member who is this person, and may change the own availability.
  member_id uuid references public.members (id) on delete set null,
  -- The keys by which a call is transferred to the person.
  code text constraint people_code_form check (code ~ '^[0-9]{1,4}$'),
  created_at timestamptz not null default now(),
  constraint people_key unique nulls not distinct (org_id, handle)
);

comment on table public.people is 'Whom a line rings, by the handle that groups of a flow name.';
comment on column public.people.verified_at is 'When the person accepted a call to this number by key; null: not rung for callers.';

create index people_phone_idx on public.people (phone);
create index people_member_idx on public.people (member_id);
create unique index people_code_once on public.people (org_id, code) nulls not distinct where code is not null;

alter table public.people enable row level security;
create policy people_of_own_org on public.people
  for select to authenticated using (coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()));
create policy people_by_admins_added on public.people
  for insert to authenticated
  with check (coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()) and (select public.my_role()) >= 'admin');
-- Of the own row, check_person lets an agent change the availability alone.
create policy people_by_admins_and_themselves_changed on public.people
  for update to authenticated
  using (
    coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner())
    and (
      (select public.my_role()) >= 'admin'
      or ((select public.my_role()) = 'agent' and member_id = (select m.id from public.members as m where m.user_id = (select auth.uid())))
    )
  )
  with check (coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()));
create policy people_by_admins_removed on public.people
  for delete to authenticated
  using (coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()) and (select public.my_role()) >= 'admin');
create policy people_of_the_service on public.people to service_role using (true) with check (true);

-- Another number is not verified, and hours that cannot be read must not fail the calls that ask for them.
create function public.check_person() returns trigger
language plpgsql set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and public.my_role() < 'admin'
    and to_jsonb(new) - '{available, dnd_until, calendar}'::text[] <> to_jsonb(old) - '{available, dnd_until, calendar}'::text[] then
    raise sqlstate '42501' using message = 'an agent may change the own availability and hours alone';
  end if;
  if new.member_id is not null and not exists (
    select from public.members as m where m.id = new.member_id and m.org_id is not distinct from new.org_id
  ) then
    raise sqlstate 'PT400' using message = 'the member must be of the same organisation', detail = 'member_id';
  end if;
  if tg_op = 'UPDATE' and new.phone <> old.phone and new.verified_at is not distinct from old.verified_at then
    new.verified_at := null;
  end if;
  if new.calendar is not null and (tg_op = 'INSERT' or new.calendar is distinct from old.calendar) then
    if not coalesce(public.is_time_zone(new.calendar ->> 'zone'), false) then
      raise sqlstate 'PT400' using message = 'the zone must be one of the IANA time zones, such as America/Edmonton',
        detail = 'calendar.zone';
    elsif exists (
      select from jsonb_path_query(new.calendar, '$.keyvalue() ? (@.key == "weekly" || @.key == "dates").value.*') as d(periods)
      cross join lateral jsonb_array_elements(case jsonb_typeof(d.periods) when 'array' then d.periods else '[0]' end) as p
      where not coalesce(
        jsonb_typeof(p) = 'array' and p ->> 0 ~ '^([01]\d|2[0-3]):[0-5]\d$' and p ->> 1 ~ '^(([01]\d|2[0-3]):[0-5]\d|24:00)$'
          and (p ->> 0) collate "C" < (p ->> 1) collate "C" and jsonb_array_length(p) = 2,
        false
      )
    ) then
      raise sqlstate 'PT400' using message = 'each day must be a list of periods such as ["08:00", "17:00"]',
        detail = 'calendar';
    end if;
  end if;
  return new;
end
$$;

create trigger people_checked before insert or update on public.people
  for each row execute function public.check_person();

-- Whether a person takes calls now; a telephone that is in use is another matter.
create function public.person_available(p public.people) returns boolean
language plpgsql stable set search_path = ''
as $$
begin
  return p.verified_at is not null and p.available and coalesce(p.dnd_until <= now(), true)
    and (p.calendar is null or public.calendar_open(p.calendar, now()));
end
$$;

-- The verified person who calls from this telephone, {handle, name, available, dnd_until}; null: nobody. p_available sets
-- whether the person takes calls, and ends a "do not disturb".
create function public.person_at(p_org_id uuid, p_phone text, p_available boolean default null) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_person public.people;
begin
  select * into v_person from public.people as p
  where p.phone = p_phone and p.org_id is not distinct from p_org_id and p.verified_at is not null
  order by p.handle limit 1;
  if v_person.id is null then
    return null;
  elsif p_available is not null then
    update public.people as p set available = p_available, dnd_until = null where p.id = v_person.id
    returning * into v_person;
  end if;
  return jsonb_build_object(
    'handle', v_person.handle, 'name', v_person.name, 'available', v_person.available,
    'dnd_until', case when v_person.dnd_until > now() then v_person.dnd_until end
  );
end
$$;

grant select, delete, insert (org_id, handle, name, phone, available, dnd_until, calendar, member_id, code),
  update (handle, name, phone, available, dnd_until, calendar, member_id, code) on public.people to authenticated;
grant select, insert, update, delete on public.people to service_role;
grant execute on function public.person_available, public.person_at to service_role;
select public.make_audited('public.people', 'id', '{handle, available, dnd_until, member_id}');
