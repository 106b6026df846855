-- Call flows: documents that say how a line answers, their published versions, and what a flow asks of the database while
-- a call goes on: calendars and prompts. org_id null is the main account throughout.

create table public.call_flows (
  id bigint generated always as identity primary key,
  org_id uuid,
  -- `default` is the flow of the settings, which nobody publishes.
  name text not null constraint call_flows_name_form check (
    name ~ '^[^[:space:][:cntrl:]]([^[:cntrl:]]{0,62}[^[:space:][:cntrl:]])?$' and name <> 'default'
  ),
  -- Work that no caller hears.
  draft jsonb constraint call_flows_draft_object check (jsonb_typeof(draft) = 'object'),
  drafted_by text constraint call_flows_drafted_by_length check (length(drafted_by) between 1 and 200),
  drafted_at timestamptz,
  constraint call_flows_key unique nulls not distinct (org_id, name),
  constraint call_flows_draft_whole check ((draft is null) = (drafted_at is null))
);

alter table public.call_flows enable row level security;
create policy call_flows_of_own_org on public.call_flows
  for select to authenticated using (coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()));
create policy call_flows_of_the_service on public.call_flows to service_role using (true) with check (true);

-- A version never changes and never goes: nobody is granted UPDATE or DELETE.
create table public.call_flow_versions (
  id bigint generated always as identity primary key,
  flow_id bigint not null references public.call_flows (id),
  version integer not null constraint call_flow_versions_version_range check (version > 0),
  -- SHA-256 of the definition's canonical JSON; where it goes on in other flows, of that and of their hashes, because the
  -- same words that lead elsewhere are another version. Collated so that a prefix can be looked up.
  hash text collate "C" not null constraint call_flow_versions_hash_form check (hash ~ '^[0-9a-f]{64}$'),
  definition jsonb not null constraint call_flow_versions_definition_object check (jsonb_typeof(definition) = 'object'),
  -- The version that answered before this one was published: where a rollback leads.
  replaces integer,
  note text constraint call_flow_versions_note_length check (length(note) <= 500),
  published_by text constraint call_flow_versions_published_by_length check (length(published_by) between 1 and 200),
  published_at timestamptz not null default clock_timestamp(),

  -- Derived from the definition, and from those of the flows that it goes on in, by publish_flow: what a call asks about.
  -- {name: version id}: the flows that it goes on in, as they were when this was published. So no later publish can lead
  -- a call in a circle.
  uses jsonb not null default '{}' constraint call_flow_versions_uses_object check (jsonb_typeof(uses) = 'object'),
  -- {name: {flow, calendar, zone, weekly, dates}}; a calendar of a flow that it goes on in is named `<flow>/<calendar>`.
  calendars jsonb not null default '{}'
    constraint call_flow_versions_calendars_object check (jsonb_typeof(calendars) = 'object'),
  -- Of people, and the numbers that may be dialled.
  handles text[] not null default '{}',
  numbers text[] not null default '{}',
  -- Whether it asks if the caller has called before.
  asks_returning boolean not null default false,
  -- Whether AI agents talk in it.
  agents boolean not null default false,
  -- What a caller whom nobody answered is sent; null: nothing.
  missed_call jsonb constraint call_flow_versions_missed_call_object check (jsonb_typeof(missed_call) = 'object'),
  -- Whether telephones may be rung for one of its callers alone: all of a ring, who each have to accept, or by a transfer.
  rings_alone boolean not null default false,
  -- The groups for which it holds callers.
  holds text[] not null default '{}',
  -- Its nodes without words: what walk_flow goes by.
  steps jsonb not null constraint call_flow_versions_steps_object check (jsonb_typeof(steps) = 'object'),
  constraint call_flow_versions_key unique (flow_id, version)
);

comment on table public.call_flow_versions is 'Published flows, immutable: a call keeps the version that it began with.';

create index call_flow_versions_hash_idx on public.call_flow_versions (hash);

alter table public.call_flow_versions enable row level security;
create policy call_flow_versions_of_own_org on public.call_flow_versions
  for select to authenticated using (exists (select from public.call_flows as f where f.id = flow_id));
create policy call_flow_versions_of_the_service on public.call_flow_versions to service_role using (true) with check (true);

-- Which version of a flow answers: the one thing that a publish or a rollback moves.
create table public.call_flow_pointers (
  flow_id bigint primary key references public.call_flows (id),
  version integer not null,
  moved_by text,
  moved_at timestamptz not null default clock_timestamp(),
  constraint call_flow_pointers_to_version foreign key (flow_id, version)
    references public.call_flow_versions (flow_id, version)
);

create index call_flow_pointers_version_idx on public.call_flow_pointers (flow_id, version);

alter table public.call_flow_pointers enable row level security;
create policy call_flow_pointers_of_own_org on public.call_flow_pointers
  for select to authenticated using (exists (select from public.call_flows as f where f.id = flow_id));
create policy call_flow_pointers_of_the_service on public.call_flow_pointers to service_role using (true) with check (true);

-- The lines that answer by a published flow of their owner's; any other line answers by the settings. The reference to the
-- pointer keeps a flow under a line, and a line in the state of having a version.
create table public.lines (
  id bigint generated always as identity primary key,
  line public.e164 not null,
  org_id uuid,
  flow_id bigint not null references public.call_flow_pointers (flow_id),
  constraint lines_key unique nulls not distinct (line, org_id),
  -- An organisation's lines are its own numbers; the main account's are those that the operator names.
  constraint lines_of_own_number foreign key (line, org_id)
    references public.telephony_numbers (e164_number, org_id) on delete cascade
);

comment on table public.lines is 'Which flow each line follows. Its version is the flow''s pointer.';

create index lines_flow_idx on public.lines (flow_id);

alter table public.lines enable row level security;
create policy lines_of_own_org on public.lines
  for select to authenticated using (coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()));
create policy lines_of_the_service on public.lines to service_role using (true) with check (true);

-- "We close early today": wins over the calendar, and always ends.
create table public.calendar_overrides (
  flow_id bigint not null references public.call_flows (id),
  calendar text not null constraint calendar_overrides_calendar_length check (length(calendar) between 1 and 64),
  state text not null constraint calendar_overrides_state_known check (state in ('open', 'closed')),
  until timestamptz not null,
  set_by text,
  set_at timestamptz not null default now(),
  primary key (flow_id, calendar),
  constraint calendar_overrides_ends check (until > set_at and until <= set_at + interval '366 days')
);

alter table public.calendar_overrides enable row level security;
create policy calendar_overrides_of_own_org on public.calendar_overrides
  for select to authenticated using (exists (select from public.call_flows as f where f.id = flow_id));
create policy calendar_overrides_of_the_service on public.calendar_overrides to service_role using (true) with check (true);

-- Audio of prompts; the files are in Storage, by their hash. Kept by owner: what one organisation stored, another cannot
-- name in a flow.
create table public.prompts (
  id bigint generated always as identity primary key,
  org_id uuid,
  hash text not null constraint prompts_hash_form check (hash ~ '^[0-9a-f]{64}$'),
  mime text not null constraint prompts_mime_known check (mime in ('audio/wav', 'audio/mpeg')),
  seconds numeric(7, 2) not null constraint prompts_seconds_range check (seconds > 0 and seconds <= 2400),
  bytes integer not null constraint prompts_bytes_range check (bytes between 1 and 16777216),
  stored_by text,
  stored_at timestamptz not null default now(),
  constraint prompts_key unique nulls not distinct (org_id, hash)
);

alter table public.prompts enable row level security;
create policy prompts_of_own_org on public.prompts
  for select to authenticated using (coalesce(org_id, '00000000-0000-0000-0000-000000000000') = (select public.current_owner()));
create policy prompts_of_the_service on public.prompts to service_role using (true) with check (true);

-- --- publishing ------------------------------------------------------------------------------------------------------

-- The flows that a definition names in its `flow` nodes.
create function public.flows_named_in(p_definition jsonb) returns setof text
language sql immutable set search_path = ''
begin atomic
  select distinct n #>> '{}' from jsonb_path_query(p_definition, '$.nodes.*?(@.type == "flow").name') as n;
end;

-- Whether a zone is one of the IANA data's, as PostgreSQL has it. It also takes POSIX strings, which are none.
create function public.is_time_zone(p_zone text) returns boolean
language sql stable set search_path = ''
return exists (select from pg_catalog.pg_timezone_names as z where z.name = p_zone);

-- The flows that a definition leads to, directly or through another: each as it answers now; null where there is no such
-- published flow.
create function public.flows_used(p_org_id uuid, p_definition jsonb) returns table (name text, version_id bigint)
language plpgsql stable set search_path = ''
as $$
declare
  v_names text[] := array(select public.flows_named_in(p_definition));
  v_seen text[] := '{}';
begin
  while cardinality(v_names) > 0 loop
    v_seen := v_seen || v_names;
    return query
      select n.name, public.current_version(p_org_id, n.name) from unnest(v_names) as n(name);
    v_names := array(
      select distinct further.name
      from unnest(v_names) as n(name)
      join public.call_flow_versions as v on v.id = public.current_version(p_org_id, n.name)
      cross join lateral public.flows_named_in(v.definition) as further(name)
      where further.name <> all (v_seen)
    );
  end loop;
end
$$;

-- The version of a flow that answers now; null: no such flow, or none published.
create function public.current_version(p_org_id uuid, p_name text) returns bigint
language sql stable set search_path = ''
as $$
  select v.id
  from public.call_flows as f
  join public.call_flow_pointers as p on p.flow_id = f.id
  join public.call_flow_versions as v on v.flow_id = f.id and v.version = p.version
  where f.org_id is not distinct from p_org_id and f.name = p_name
$$;

-- Handles and numbers that a definition may ring.
create function public.rung_by(p_definition jsonb) returns setof text
language sql immutable set search_path = ''
begin atomic
  select m #>> '{}' from jsonb_path_query(p_definition, '$.groups.*.members[*]') as m
  union
  select m #>> '{}' from jsonb_path_query(p_definition, '$.nodes.*?(@.type == "ring").to') as m;
end;

-- A definition without its words: {start, operator, groups, nodes}, where the options of a menu are where they lead.
create function public.steps_of(p_definition jsonb) returns jsonb
language sql immutable set search_path = ''
begin atomic
  select jsonb_strip_nulls(jsonb_build_object(
    'start', p_definition -> 'start', 'operator', p_definition -> 'operator', 'groups', p_definition -> 'groups',
    'nodes', jsonb_object_agg(n.key, n.value - 'prompt' || case when n.value ? 'options' then jsonb_build_object(
      'options', (select jsonb_agg(o -> 'next') from jsonb_array_elements(n.value -> 'options') as o)
    ) else '{}' end)
  ))
  from jsonb_each(p_definition -> 'nodes') as n;
end;

-- Those of the numbers that are answered here: numbers of organisations, and lines of the main account.
create function public.own_lines(p_numbers text[]) returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_agg(o.line), '[]') from (
      select n.e164_number as line from public.telephony_numbers as n where n.e164_number = any (p_numbers)
      union
      select l.line from public.lines as l where l.line = any (p_numbers) and l.org_id is null
    ) as o
  );
end
$$;

-- Whether one of the numbers is no line of this owner. The main account's are those that the operator names.
create function public.has_foreign_line(p_org_id uuid, p_lines text[]) returns boolean
language sql stable set search_path = ''
begin atomic
  select exists (
    select from unnest(p_lines) as l left join public.telephony_numbers as n on n.e164_number = l
    where n.org_id is distinct from p_org_id
  );
end;

-- What the database knows that a check of a definition asks: {zone_known, audio: {hash: seconds},
-- people: [handle], own_lines: [number], flows: {name: definition or null}}: of what it names, what its owner has. flows has
-- all that it leads to, those that these lead to included; own_lines the numbers of people too, and
-- the people whose telephones are such lines.
create function public.flow_check_facts(p_org_id uuid, p_definition jsonb) returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object(
    'zone_known', public.is_time_zone(p_definition ->> 'zone'),
    'audio', coalesce((
      select jsonb_object_agg(p.hash, p.seconds) from public.prompts as p
      where p.org_id is not distinct from p_org_id
        and p.hash in (select h #>> '{}' from jsonb_path_query(p_definition, '$.prompts.**.audio') as h)
    ), '{}'),
    'people', coalesce((
      select jsonb_agg(p.handle order by p.handle) from public.people as p
      where p.org_id is not distinct from p_org_id and p.handle in (select public.rung_by(p_definition))
    ), '[]'),
    'own_lines', public.own_lines(array(
      select coalesce(p.phone, m)
      from public.rung_by(p_definition) as m
      left join public.people as p on p.handle = m and p.org_id is not distinct from p_org_id
    )) || coalesce((
      select jsonb_agg(p.handle order by p.handle) from public.people as p
      where p.org_id is not distinct from p_org_id and p.handle in (select public.rung_by(p_definition))
        and public.own_lines(array[p.phone::text]) <> '[]'
    ), '[]'),
    'flows', coalesce((
      select jsonb_object_agg(u.name, v.definition)
      from public.flows_used(p_org_id, p_definition) as u
      left join public.call_flow_versions as v on v.id = u.version_id
    ), '{}')
  );
end;

-- Publishes a definition that was checked: a new version of the flow, which its lines answer by from the next call on, and
-- p_lines with them. The definition that answers now, or that was published last, keeps its version. Publishes of one flow
-- take turns. Returns {flow, version, hash, lines}.
--
-- p_hash: SHA-256 of the definition's canonical JSON. p_disclosures: the disclosures that its callers hear, as rows of
-- disclosures. The hash of the version also covers those of the flows that it goes on in. Raises PT400 (HTTP 400), with the field in `detail`, for a zone that is none, a flow that is not published
-- or leads back, or a line that is not the owner's.
create function public.publish_flow(
  p_org_id uuid, p_name text, p_definition jsonb, p_hash text, p_lines text[] default '{}', p_note text default null,
  p_by text default null, p_disclosures jsonb default '[]'
) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_flow_id bigint;
  v_current public.call_flow_versions;
  v_newest public.call_flow_versions;
  v_version public.call_flow_versions;
  v_uses jsonb;
  v_hash text := p_hash;
  v_fault text;
begin
  insert into public.call_flows (org_id, name) values (p_org_id, p_name) on conflict (org_id, name) do nothing;
  select f.id into v_flow_id from public.call_flows as f
  where f.org_id is not distinct from p_org_id and f.name = p_name for update;

  if not public.is_time_zone(p_definition ->> 'zone') then
    raise sqlstate 'PT400' using message = 'the zone must be one of the IANA time zones, such as America/Edmonton',
      detail = 'definition.zone';
  end if;
  select coalesce(jsonb_object_agg(u.name, u.version_id), '{}'),
    min(u.name) filter (where u.version_id is null or u.name = p_name)
  into v_uses, v_fault
  from public.flows_used(p_org_id, p_definition) as u;
  if v_fault is not null then
    raise sqlstate 'PT400' using detail = 'definition.nodes', message = case
      when v_fault = p_name then format('the flow "%s" leads back to itself', v_fault)
      else format('no flow "%s" of this owner is published', v_fault)
    end;
  end if;
  if public.has_foreign_line(p_org_id, p_lines) then
    raise sqlstate 'PT400' using message = 'each line must be a number of the owner of this flow', detail = 'lines';
  end if;

  if v_uses <> '{}' then
    select encode(sha256(convert_to(
      p_hash || string_agg(format(' %s %s', v.hash, u.key), '' order by u.key collate "C"), 'UTF8'
    )), 'hex')
    into v_hash
    from jsonb_each_text(v_uses) as u join public.call_flow_versions as v on v.id = u.value::bigint;
  end if;

  select v.* into v_current from public.call_flow_versions as v
  where v.id = public.current_version(p_org_id, p_name);
  select v.* into v_newest from public.call_flow_versions as v
  where v.flow_id = v_flow_id order by v.version desc limit 1;
  if v_current.hash = v_hash then
    v_version := v_current;
  elsif v_newest.hash = v_hash then
    v_version := v_newest;
  else
    insert into public.call_flow_versions (
      flow_id, version, hash, definition, replaces, note, published_by, uses, calendars, handles, numbers, asks_returning,
      rings_alone, holds, agents, missed_call, steps
    )
    select
      v_flow_id, coalesce(v_newest.version, 0) + 1, v_hash, p_definition, v_current.version, p_note, p_by, v_uses,
      coalesce(jsonb_object_agg(own.name, own.calendar || jsonb_build_object(
        'flow', v_flow_id, 'calendar', own.name, 'zone', p_definition ->> 'zone'
      )) filter (where own.name is not null), '{}') || (
        select coalesce(jsonb_object_agg(f.name || '/' || c.key, c.value), '{}')
        from jsonb_each_text(v_uses) as u
        join public.call_flow_versions as v on v.id = u.value::bigint
        join public.call_flows as f on f.id = v.flow_id
        cross join lateral jsonb_each(v.calendars) as c
        -- Those of its own.
        where c.value ->> 'flow' = f.id::text
      ),
      array(select r from public.rung_by(p_definition) as r where r not like '+%' union
        select unnest(v.handles) from public.call_flow_versions as v
        where v.id in (select u.value::bigint from jsonb_each_text(v_uses) as u)),
      array(select r from public.rung_by(p_definition) as r where r like '+%' union
        select unnest(v.numbers) from public.call_flow_versions as v
        where v.id in (select u.value::bigint from jsonb_each_text(v_uses) as u)),
      jsonb_path_exists(p_definition, '$.nodes.*?(@.type == "match" && @.on == "returning")') or exists (
        select from public.call_flow_versions as v
        where v.asks_returning and v.id in (select u.value::bigint from jsonb_each_text(v_uses) as u)
      ),
      -- Without `ring` a group is rung all at once.
      jsonb_path_exists(p_definition, '$.nodes.*?(@.type == "queue")')
        or jsonb_path_exists(p_definition, '$.groups.*?(@.confirm == true && (@.ring == "all" || !exists(@.ring)))')
        or exists (
          select from public.call_flow_versions as v
          where v.rings_alone and v.id in (select u.value::bigint from jsonb_each_text(v_uses) as u)
        ),
      array(select g #>> '{}' from jsonb_path_query(p_definition, '$.nodes.*?(@.type == "queue").group') as g union
        select unnest(v.holds) from public.call_flow_versions as v
        where v.id in (select u.value::bigint from jsonb_each_text(v_uses) as u)),
      jsonb_path_exists(p_definition, '$.nodes.*?(@.type == "agent")') or exists (
        select from public.call_flow_versions as v
        where v.agents and v.id in (select u.value::bigint from jsonb_each_text(v_uses) as u)
      ),
      p_definition -> 'missed_call', public.steps_of(p_definition)
    from (select) as one
    left join jsonb_each(p_definition -> 'calendars') as own(name, calendar) on true
    returning * into v_version;
  end if;

  perform public.point_flow(v_flow_id, v_version.version, p_by);
  insert into public.lines as l (line, org_id, flow_id)
  select distinct each, p_org_id, v_flow_id from unnest(p_lines) as each order by each
  on conflict (line, org_id) do update set flow_id = excluded.flow_id;
  insert into public.disclosures (name, policy, key, language, words)
  select d.name, d.policy, d.key, d.language, d.words
  from jsonb_populate_recordset(null::public.disclosures, p_disclosures) as d
  on conflict (name) do nothing;
  update public.call_flows set draft = null, drafted_by = null, drafted_at = null
  where id = v_flow_id and draft = p_definition;

  return jsonb_build_object(
    'flow', p_name, 'version', v_version.version, 'hash', v_version.hash, 'lines', public.lines_of_flow(v_flow_id)
  );
end
$$;

-- Moves what a flow's lines answer by.
create function public.point_flow(p_flow_id bigint, p_version integer, p_by text) returns void
language sql volatile set search_path = ''
begin atomic
  insert into public.call_flow_pointers as p (flow_id, version, moved_by) values (p_flow_id, p_version, p_by)
  on conflict (flow_id) do update set version = excluded.version, moved_by = excluded.moved_by, moved_at = clock_timestamp()
  where p.version <> excluded.version;
end;

-- The lines that follow a flow, in order.
create function public.lines_of_flow(p_flow_id bigint) returns jsonb
language sql stable set search_path = ''
begin atomic
  select coalesce(jsonb_agg(l.line order by l.line), '[]') from public.lines as l where l.flow_id = p_flow_id;
end;

-- Lets a flow's lines answer by an earlier version: p_version, or the one that the present one replaced. Returns
-- {flow, version, hash, lines}. Raises PT404 (HTTP 404) where there is no such flow or version.
create function public.rollback_flow(
  p_org_id uuid, p_name text, p_version integer default null, p_by text default null
) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_flow_id bigint;
  v_version public.call_flow_versions;
begin
  select f.id into v_flow_id from public.call_flows as f
  where f.org_id is not distinct from p_org_id and f.name = p_name for update;
  select v.* into v_version from public.call_flow_versions as v
  where v.flow_id = v_flow_id and v.version = coalesce(p_version, (
    select c.replaces from public.call_flow_versions as c where c.id = public.current_version(p_org_id, p_name)
  ));
  if v_version.id is null then
    raise sqlstate 'PT404' using message = case
      when public.current_version(p_org_id, p_name) is null then format('no flow "%s" is published', p_name)
      when p_version is null then format('the flow "%s" has no version before the one that answers', p_name)
      else format('the flow "%s" has no version %s', p_name, p_version)
    end;
  end if;
  perform public.point_flow(v_flow_id, v_version.version, p_by);
  return jsonb_build_object(
    'flow', p_name, 'version', v_version.version, 'hash', v_version.hash, 'lines', public.lines_of_flow(v_flow_id)
  );
end
$$;

-- Keeps what somebody works on; null: nothing any more. Returns when it was kept.
create function public.save_flow_draft(p_org_id uuid, p_name text, p_draft jsonb, p_by text default null) returns timestamptz
language sql volatile set search_path = ''
begin atomic
  insert into public.call_flows (org_id, name, draft, drafted_by, drafted_at)
  values (p_org_id, p_name, p_draft, p_by, case when p_draft is not null then now() end)
  on conflict (org_id, name) do update
    set draft = excluded.draft, drafted_by = excluded.drafted_by, drafted_at = excluded.drafted_at
  returning drafted_at;
end;

-- The versions of an owner's flows, or of one of them, newest first: [{flow, version, hash, published_at, published_by,
-- note, current, lines}]; lines has those that answer by that very version.
create function public.flow_versions(p_org_id uuid, p_name text default null) returns jsonb
language sql stable set search_path = ''
begin atomic
  select coalesce(jsonb_agg(jsonb_build_object(
    'flow', f.name, 'version', v.version, 'hash', v.hash, 'published_at', v.published_at,
    'published_by', v.published_by, 'note', v.note, 'current', p.version is not null,
    'lines', case when p.version is null then '[]' else public.lines_of_flow(f.id) end
  ) order by v.published_at desc, v.id desc), '[]')
  from public.call_flows as f
  join public.call_flow_versions as v on v.flow_id = f.id
  left join public.call_flow_pointers as p on p.flow_id = f.id and p.version = v.version
  where f.org_id is not distinct from p_org_id and (p_name is null or f.name = p_name);
end;

-- One version, p_version or the one that answers, with its definition: {flow, version, hash, definition}; null: none.
create function public.flow_definition(p_org_id uuid, p_name text, p_version integer default null) returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object('flow', f.name, 'version', v.version, 'hash', v.hash, 'definition', v.definition)
  from public.call_flows as f
  join public.call_flow_versions as v on v.flow_id = f.id
  where f.org_id is not distinct from p_org_id and f.name = p_name
    and v.version = coalesce(p_version, (select p.version from public.call_flow_pointers as p where p.flow_id = f.id));
end;

-- Keeps that a file of audio is in Storage; again: nothing. Raises PT400 (HTTP 400) beyond 1000 files of one owner, as each
-- takes up to 2 MiB of Storage.
create function public.store_prompt(
  p_org_id uuid, p_hash text, p_mime text, p_seconds numeric, p_bytes integer, p_by text default null
) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if (select count(*) from public.prompts as p where p.org_id is not distinct from p_org_id) >= 1000 then
    raise sqlstate 'PT400' using message = 'there are 1000 recorded prompts: name stored ones in flows', detail = 'audio';
  end if;
  insert into public.prompts (org_id, hash, mime, seconds, bytes, stored_by)
  values (p_org_id, p_hash, p_mime, p_seconds, p_bytes, p_by)
  on conflict (org_id, hash) do nothing;
end
$$;

-- --- hours -----------------------------------------------------------------------------------------------------------

-- Whether a calendar is open at an instant, overrides apart. What counts is the wall clock of the zone, so there is no gap
-- and no overlap when clocks change: open if it shows a time in [from, to) of a period of that date. A dated entry stands
-- in for its weekday. Times are `HH:MM`, which sort as text; 24:00 is after all of them.
create function public.calendar_open(p_calendar jsonb, p_at timestamptz) returns boolean
-- Expressions alone, without a query: it runs while a caller waits.
language plpgsql stable set search_path = ''
as $$
declare
  v_now constant timestamp := p_at at time zone (p_calendar ->> 'zone');
  v_clock constant text collate "C" := to_char(v_now, 'HH24:MI');
  v_periods constant jsonb := coalesce(
    p_calendar -> 'dates' -> to_char(v_now, 'YYYY-MM-DD'), p_calendar -> 'weekly' -> to_char(v_now, 'dy'), '[]'
  );
begin
  for i in 0 .. jsonb_array_length(v_periods) - 1 loop
    if v_clock >= v_periods -> i ->> 0 and v_clock < v_periods -> i ->> 1 then
      return true;
    end if;
  end loop;
  return false;
end
$$;

-- The calendars of a version as they are at an instant, {name: open or closed}: override, else date, else weekday.
create function public.calendar_states(p_calendars jsonb, p_at timestamptz default now()) returns jsonb
-- Its queries are planned once a session, which those of a function in SQL are not.
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select coalesce(jsonb_object_agg(c.key, coalesce(
      o.state, case when public.calendar_open(c.value, p_at) then 'open' else 'closed' end
    )), '{}')
    from jsonb_each(p_calendars) as c
    left join public.calendar_overrides as o
      on o.flow_id = (c.value ->> 'flow')::bigint and o.calendar = c.value ->> 'calendar' and o.until > p_at
  );
end
$$;

-- When a calendar opens and closes from p_from on, for p_days: {from, until, state, switches: [instant]}; state is that of
-- `from`, and each switch ends it. It serves while the database is away. Clocks change at whole quarters of an hour.
create function public.calendar_switches(p_calendar jsonb, p_from timestamptz default now(), p_days integer default 14)
returns jsonb
language sql stable set search_path = ''
begin atomic
  with span as (
    select
      p_from as since, p_from + make_interval(days => p_days) as until, p_calendar ->> 'zone' as zone,
      (
        select o from public.calendar_overrides as o
        where o.flow_id = (p_calendar ->> 'flow')::bigint and o.calendar = p_calendar ->> 'calendar' and o.until > p_from
      ) as override
  ),
  clocks as (
    select q.at, (q.at at time zone s.zone) - (q.at at time zone 'UTC') as ahead
    from span as s
    cross join lateral generate_series(
      date_trunc('hour', s.since, 'UTC'), s.until + interval '15 minutes', interval '15 minutes'
    ) as q(at)
  ),
  times as (
    select distinct (t #>> '{}')::interval as clock
    from jsonb_path_query(jsonb_build_array(p_calendar -> 'weekly', p_calendar -> 'dates'), '$[*].*[*][*]') as t
    union
    select interval '0'
  ),
  -- Every instant at which the clock shows such a time, or jumps.
  instants as (
    select (d.day + t.clock - c.ahead) at time zone 'UTC' as at
    from span as s
    cross join lateral generate_series(
      (s.since at time zone s.zone)::date - 1, (s.until at time zone s.zone)::date + 1, interval '1 day'
    ) as d(day)
    cross join times as t
    cross join (select distinct ahead from clocks) as c
    union
    select j.at from (select at, ahead <> lag(ahead) over (order by at) as jumps from clocks) as j where j.jumps
    union
    select s.since from span as s
    union
    select (s.override).until from span as s
  ),
  states as (
    select i.at, case
      when i.at < (s.override).until then (s.override).state = 'open' else public.calendar_open(p_calendar, i.at)
    end as open
    from instants as i, span as s where i.at >= s.since and i.at < s.until
  ),
  switches as (
    select w.at from (select at, open is distinct from lag(open, 1, open) over (order by at) as switches from states) as w
    where w.switches
  )
  select jsonb_build_object(
    'from', s.since, 'until', s.until,
    'state', (select case when t.open then 'open' else 'closed' end from states as t where t.at = s.since),
    'switches', (select coalesce(jsonb_agg(w.at order by w.at), '[]') from switches as w)
  )
  from span as s;
end;

-- Opens or closes a calendar of the version that answers, until p_until, whatever it says; p_state null: by the calendar
-- again. Takes effect on the next call. Raises PT404 (HTTP 404) for no such flow or calendar, PT400 (HTTP 400) without an
-- end in the next 366 days.
create function public.set_override(
  p_org_id uuid, p_name text, p_calendar text, p_state text, p_until timestamptz, p_by text default null
) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_version public.call_flow_versions;
begin
  select v.* into v_version from public.call_flow_versions as v where v.id = public.current_version(p_org_id, p_name);
  if v_version.id is null then
    raise sqlstate 'PT404' using message = format('no flow "%s" is published', p_name), detail = 'name';
  elsif not coalesce(v_version.definition -> 'calendars' ? p_calendar, false) then
    raise sqlstate 'PT404' using message = format('the flow "%s" has no calendar "%s"', p_name, p_calendar),
      detail = 'calendar';
  elsif p_state is null then
    delete from public.calendar_overrides as o where o.flow_id = v_version.flow_id and o.calendar = p_calendar;
  elsif p_until is null or p_until <= now() or p_until > now() + interval '366 days' then
    raise sqlstate 'PT400' using message = 'an override must end in the future, within 366 days', detail = 'until';
  else
    insert into public.calendar_overrides as o (flow_id, calendar, state, until, set_by)
    values (v_version.flow_id, p_calendar, p_state, p_until, p_by)
    on conflict (flow_id, calendar) do update
      set state = excluded.state, until = excluded.until, set_by = excluded.set_by, set_at = excluded.set_at;
  end if;
  perform public.reconsider_promises(v_version.flow_id, p_calendar);
  return jsonb_build_object('flow', p_name, 'calendar', p_calendar, 'state', p_state, 'until', p_until);
end
$$;

-- --- while a call goes on ----------------------------------------------------------------------------------------------

-- The version that a call is pinned to by an event: the one that p_ask.flow names, where that is one of the owner's, as when
-- the call's arrival was not kept; else the one that answers on p_ask.line now. Null: the settings answer.
create function public.answering_version(p_org_id uuid, p_ask jsonb) returns bigint
language plpgsql stable set search_path = ''
as $$
begin
  return case when p_ask ? 'flow' then public.version_by_hash(p_org_id, p_ask ->> 'flow') else (
    select v.id
    from public.lines as l
    join public.call_flow_pointers as p on p.flow_id = l.flow_id
    join public.call_flow_versions as v on v.flow_id = p.flow_id and v.version = p.version
    where l.line = p_ask ->> 'line' and l.org_id is not distinct from p_org_id
  ) end;
end
$$;

-- What the database decides for a step of a call: {flow: {hash, name, version}, calendars, returning, people, own_lines,
-- spent}, as Facts in calls/events.ts; what the version does not ask about is left out. A step that names the version that
-- it goes by is answered about that one: what a caller was offered counts.
create function public.call_facts(c public.call_logs, p_ask jsonb) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v record;
  v_facts jsonb := '{}';
  v_numbers text[] := array(select jsonb_array_elements_text(p_ask #> '{dials,to}'));
  v_people jsonb;
begin
  if c.flow_version is not null and p_ask ?| array['line', 'flow'] then
    select w.id, w.hash, w.version, f.name, w.calendars, w.handles, w.numbers, w.asks_returning, w.holds, w.agents into v
    from public.call_flow_versions as w join public.call_flows as f on f.id = w.flow_id
    where w.id = c.flow_version;
    if not starts_with(v.hash, coalesce(p_ask ->> 'flow', '')) then
      select w.id, w.hash, w.version, f.name, w.calendars, w.handles, w.numbers, w.asks_returning, w.holds, w.agents into v
      from public.call_flow_versions as w join public.call_flows as f on f.id = w.flow_id
      where w.id = coalesce(public.version_by_hash(c.org_id, p_ask ->> 'flow'), c.flow_version);
    end if;
    v_facts := jsonb_build_object('flow', jsonb_build_object('hash', v.hash, 'name', v.name, 'version', v.version));
    if v.calendars <> '{}' then
      v_facts := v_facts || jsonb_build_object('calendars', public.calendar_states(v.calendars));
    end if;
    if v.asks_returning then
      v_facts := v_facts || jsonb_build_object('returning', exists (
        select from public.call_logs as o
        where o.party = c.party and o.org_id is not distinct from c.org_id
          and o.call_sid <> c.call_sid and o.started_at < c.started_at
      ));
    end if;
    v_numbers := v_numbers || v.numbers;
    if v.handles <> '{}' then
      select
        coalesce(jsonb_object_agg(p.handle, jsonb_build_object(
          'phone', p.phone, 'available', public.person_available(p)
        )), '{}'),
        v_numbers || coalesce(array_agg(p.phone::text), '{}')
      into v_people, v_numbers
      from public.people as p
      where p.handle = any (v.handles) and p.org_id is not distinct from c.org_id;
      v_facts := v_facts || jsonb_build_object('people', v_people);
    end if;
    if v.agents and p_ask ? 'agent' then
      v_facts := v_facts || jsonb_strip_nulls(jsonb_build_object(
        'agent', jsonb_build_object('barred', public.agent_barred(c.line, p_ask -> 'agent'))
      ));
    end if;
    if v.holds <> '{}' then
      v_facts := v_facts || jsonb_build_object('queues', (
        select jsonb_object_agg(h.name, jsonb_build_object('full', public.queue_is_full(
          coalesce(c.org_id, '00000000-0000-0000-0000-000000000000'), h.name
        )))
        from unnest(v.holds) as h(name)
      ));
    end if;
  end if;
  -- A call that comes in where the settings answer hears a menu first: nobody is rung for it yet.
  if p_ask ? 'dials' and (not p_ask ? 'line' or c.flow_version is not null) then
    v_facts := v_facts || jsonb_build_object(
      'spent', public.line_has_spent(c, (p_ask #>> '{dials,leg_sec}')::bigint, (p_ask #>> '{dials,day_sec}')::integer),
      'own_lines', public.own_lines(v_numbers)
    );
  end if;
  if p_ask ? 'cannot_dial' then
    v_facts := v_facts || '{"cannot_dial": true}';
  end if;
  -- The step knows which destinations are allowed.
  if p_ask ? 'callable' then
    v_facts := v_facts || jsonb_build_object('callable', coalesce(
      (p_ask ->> 'callable')::boolean and c.party is not null and c.line is not null
        and not coalesce((v_facts ->> 'spent')::boolean, false) and public.own_lines(array[c.party::text]) = '[]',
      false
    ));
  end if;
  return v_facts;
end
$$;

-- A version as an isolate keeps it for good: {hash, name, version, definition, flows: {name: hash}, hours: {calendar:
-- switches}, missing_audio: [hash]}. Null: no such version.
create function public.flow_body(p_version_id bigint) returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object(
    'hash', v.hash, 'name', f.name, 'version', v.version, 'definition', v.definition,
    'flows', (
      select coalesce(jsonb_object_agg(u.key, w.hash), '{}')
      from jsonb_each_text(v.uses) as u join public.call_flow_versions as w on w.id = u.value::bigint
    ),
    'hours', (
      select coalesce(jsonb_object_agg(c.key, public.calendar_switches(c.value)), '{}') from jsonb_each(v.calendars) as c
    ),
    'missing_audio', (
      select coalesce(jsonb_agg(distinct h), '[]') from jsonb_path_query(v.definition, '$.prompts.**.audio') as h
      where not exists (
        select from public.prompts as p where p.hash = h #>> '{}' and p.org_id is not distinct from f.org_id
      )
    )
  )
  from public.call_flow_versions as v
  join public.call_flows as f on f.id = v.flow_id
  where v.id = p_version_id;
end;

-- The newest version of an owner's whose hash begins so; null: none.
create function public.version_by_hash(p_org_id uuid, p_hash text) returns bigint
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select v.id
    from public.call_flow_versions as v
    join public.call_flows as f on f.id = v.flow_id
    where v.hash >= p_hash and v.hash <= p_hash || 'g' and p_hash ~ '^[0-9a-f]{8,64}$'
      and f.org_id is not distinct from p_org_id
    order by v.id desc
    limit 1
  );
end
$$;

-- The body of the version that a call's URL names, for an isolate that has never seen it. An account reads its own; the main
-- account (null) also those of its organisations, whose numbers may be its own; of equal documents its own.
create function public.flow_of_account(p_account_sid text, p_hash text) returns jsonb
language sql stable set search_path = ''
begin atomic
  select public.flow_body(v.id)
  from public.call_flow_versions as v
  join public.call_flows as f on f.id = v.flow_id
  where v.hash >= p_hash and v.hash <= p_hash || 'g' and p_hash ~ '^[0-9a-f]{8,64}$'
    and (p_account_sid is null or f.org_id = public.organisation_of(p_account_sid))
  order by f.org_id is not null and p_account_sid is null, v.id desc
  limit 1;
end;

-- What answers now, whole: {lines: [{account, line, hash}], versions: [as flow_body, and its account]}. A deploy takes it
-- along, for an isolate that starts while the database is away. `account` is the sub-account of the owner, null for the main
-- account: owners that publish the same document have flows, hours and audio of their own under one hash. The main account
-- comes first.
create function public.published_flows() returns jsonb
language sql stable set search_path = ''
begin atomic
  with answering as (
    select s.subaccount_sid as account, l.line, v.id, v.hash, v.uses
    from public.lines as l
    join public.call_flow_pointers as p on p.flow_id = l.flow_id
    join public.call_flow_versions as v on v.flow_id = p.flow_id and v.version = p.version
    left join public.telephony_subaccounts as s on s.org_id = l.org_id
  ),
  shipped as (
    -- Of an owner's equal documents the newest, as in version_by_hash.
    select distinct on (i.account, v.hash) i.account, v.id
    from (
      select a.account, a.id from answering as a
      union
      select a.account, u.value::bigint from answering as a cross join lateral jsonb_each_text(a.uses) as u
    ) as i
    join public.call_flow_versions as v on v.id = i.id
    order by i.account, v.hash, v.id desc
  )
  select jsonb_build_object(
    'lines', (
      select coalesce(jsonb_agg(
        jsonb_build_object('account', a.account, 'line', a.line, 'hash', a.hash) order by a.account nulls first, a.line
      ), '[]') from answering as a
    ),
    'versions', (
      select coalesce(jsonb_agg(
        public.flow_body(s.id) || jsonb_build_object('account', s.account) order by s.account nulls first, s.id
      ), '[]') from shipped as s
    )
  );
end;

grant select on
  public.call_flows, public.call_flow_versions, public.call_flow_pointers, public.lines, public.calendar_overrides,
  public.prompts
  to authenticated;
grant select, insert, update (draft, drafted_by, drafted_at) on public.call_flows to service_role;
grant select, insert on public.call_flow_versions to service_role;
grant select, insert, update (version, moved_by, moved_at) on public.call_flow_pointers to service_role;
grant select, insert, delete, update (flow_id) on public.lines to service_role;
grant select, insert, update, delete on public.calendar_overrides to service_role;
grant select, insert on public.prompts to service_role;
grant execute on function
  public.flows_named_in, public.is_time_zone, public.flows_used, public.current_version, public.rung_by, public.steps_of, public.own_lines,
  public.has_foreign_line,
  public.flow_check_facts, public.publish_flow, public.point_flow, public.lines_of_flow, public.rollback_flow,
  public.save_flow_draft, public.store_prompt, public.flow_versions, public.flow_definition, public.calendar_open,
  public.calendar_states, public.calendar_switches, public.set_override, public.answering_version, public.call_facts, public.flow_body, public.version_by_hash,
  public.flow_of_account, public.published_flows
  to service_role;
-- A person's hours are checked as the one who enters them.
grant execute on function public.is_time_zone to authenticated;
