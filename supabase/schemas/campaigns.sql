-- Campaigns: whom an owner calls, in which hours, how fast. How they are dialled: campaign_dialling.sql. org_id null is the main
-- account.

create table public.campaigns (
  id uuid primary key default gen_random_uuid(),
  org_id uuid,
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  name text not null constraint campaigns_name_length check (length(name) between 1 and 200),
  mode text not null constraint campaigns_mode_known check (mode in ('broadcast', 'progressive', 'predictive', 'preview')),
  -- Who calls, as it is spoken; null: the flow's business, or the account's, or else the campaign's name.
  caller_name text constraint campaigns_caller_name_length check (length(caller_name) between 1 and 100),
  -- The flow that serves an answer.
  flow text not null constraint campaigns_flow_length check (length(flow) between 1 and 64),
  -- A second flow that is tried beside it, and the part of contacts that get it, in percent; null: none.
  other_flow text constraint campaigns_other_flow_length check (length(other_flow) between 1 and 64),
  other_share integer constraint campaigns_other_share_range check (other_share between 1 and 99),
  state text not null default 'draft'
    constraint campaigns_state_known check (state in ('draft', 'running', 'paused', 'stopping', 'done')),
  calls_per_second numeric not null constraint campaigns_rate_range check (calls_per_second > 0 and calls_per_second <= 1000),
  max_concurrent integer not null constraint campaigns_concurrent_range check (max_concurrent between 1 and 100000),
  -- {"mon": [["09:00", "20:00"]], ...} in the called party's zone, which narrows the law's hours; null: those.
  window_hours jsonb constraint campaigns_window_object check (jsonb_typeof(window_hours) = 'object'),
  -- As attemptsOf of _shared/campaigns/retry.ts makes them.
  attempts jsonb not null constraint campaigns_attempts_whole check (
    (attempts ->> 'max')::integer between 1 and 10 and (attempts ->> 'per_day')::integer between 1 and 10
      and (attempts ->> 'per_week')::integer between 1 and 70
      and attempts -> 'after' ?& array['busy', 'no_answer', 'machine', 'failed', 'abandoned']
  ),
  -- What an answering machine gets.
  machine text not null constraint campaigns_machine_known check (machine in ('hang_up', 'message', 'flow')),
  consent text not null
    constraint campaigns_consent_known check (consent in ('express_written', 'existing_business', 'none_needed')),
  -- How long it rings: the rules of the United States and the United Kingdom ask for 15 or more.
  ring_seconds integer not null default 25 constraint campaigns_ring_range check (ring_seconds between 15 and 60),
  -- Minutes of talk that Twilio bills, each begun one whole; null: as many as it takes.
  max_minutes integer constraint campaigns_minutes_range check (max_minutes > 0),
  -- Nobody is dialled before.
  starts_at timestamptz,
  -- Why it is paused, where no person has paused it.
  paused_because text
    constraint campaigns_paused_because_known check (paused_because in ('budget', 'failures', 'account', 'credentials', 'concurrency')),
  -- Who created it, or told it what to do last; null: the dialler did.
  changed_by text constraint campaigns_changed_by_length check (length(changed_by) between 1 and 200),
  created_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz,
  -- Since the last start or resume.
  running_since timestamptz,
  -- Of a preview: dials that people have asked for, and that are not reserved yet.
  asked_for integer not null default 0 constraint campaigns_asked_for_range check (asked_for between 0 and 1000),
  -- Recorded and artificial voices need consent in writing, whatever else is between the two; so do words left at a machine.
  constraint campaigns_recorded_with_consent
    check (consent <> 'existing_business' or (mode <> 'broadcast' and machine = 'hang_up')),
  constraint campaigns_other_flow_whole check ((other_flow is null) = (other_share is null) and other_flow <> flow),
  constraint campaigns_paused_for_a_reason check (paused_because is null or state = 'paused')
);

comment on table public.campaigns is 'Lists of people whom an owner calls, each with its hours, rate and rules of repetition.';

create index campaigns_owner_idx on public.campaigns (owner, created_at);

-- The numbers that called telephones show, in turn; those of the called area code first.
create table public.campaign_lines (
  campaign_id uuid not null references public.campaigns (id) on delete cascade,
  line public.e164 not null,
  -- Dials a day: many short calls from one number earn it a label as spam.
  per_day integer not null default 500 constraint campaign_lines_per_day_range check (per_day > 0),
  day date not null default current_date,
  dialled integer not null default 0,
  rests_until timestamptz,
  primary key (campaign_id, line)
);

create index campaign_lines_line_idx on public.campaign_lines (line);

comment on table public.campaign_lines is 'The numbers that a campaign calls from, with the dials of the day (UTC).';

-- Contacts of one place share its hours. TypeScript works them out (_shared/campaigns/hours.ts); without an opening that is
-- current nobody is dialled.
create table public.campaign_areas (
  id bigint generated always as identity primary key,
  campaign_id uuid not null references public.campaigns (id) on delete cascade,
  rules text not null constraint campaign_areas_rules_known check (rules in ('US', 'CA', 'UK', 'EU')),
  region text not null constraint campaign_areas_region_form check (region ~ '^[A-Z]{2}$'),
  zones text[] not null constraint campaign_areas_zones_there check (cardinality(zones) > 0),
  opens_at timestamptz,
  closes_at timestamptz,
  constraint campaign_areas_key unique (campaign_id, rules, region, zones),
  constraint campaign_areas_opening_whole check ((opens_at is null) = (closes_at is null) and opens_at < closes_at)
);

comment on table public.campaign_areas is 'Places of a campaign''s contacts: rules, possible time zones, and the next time in which all of them may be called.';

create table public.campaign_contacts (
  id bigint generated always as identity primary key,
  campaign_id uuid not null references public.campaigns (id) on delete cascade,
  owner uuid not null,
  area_id bigint not null references public.campaign_areas (id) on delete cascade,
  e164 public.e164 not null,
  name text constraint campaign_contacts_name_length check (length(name) between 1 and 200),
  postal_code text constraint campaign_contacts_postal_code_length check (length(postal_code) between 1 and 16),
  consent_at timestamptz,
  -- Gets the campaign's other flow; drawn once, by the number.
  other boolean not null default false,
  consent_source text constraint campaign_contacts_consent_source_length check (length(consent_source) between 1 and 200),
  -- unknown: Twilio was asked for a call, and has not said whether it made it; until that is known nobody is dialled.
  state text not null default 'waiting' constraint campaign_contacts_state_known check (state in (
    'waiting', 'unknown', 'ringing', 'answered', 'machine', 'busy', 'no_answer', 'failed', 'abandoned', 'opted_out', 'suppressed'
  )),
  -- When a waiting contact may be dialled; null: a dial is reserved, or there is none any more.
  due_at timestamptz default now(),
  tries integer not null default 0,
  -- How the dials that did not reach the person ended.
  ends text[] not null default '{}',
  constraint campaign_contacts_key unique (campaign_id, e164),
  constraint campaign_contacts_due_while_waiting check (due_at is null or state = 'waiting')
)
with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

comment on table public.campaign_contacts is 'Whom a campaign calls, once a number, and how that stands.';

create index campaign_contacts_ready_idx on public.campaign_contacts (area_id, due_at, id) where due_at is not null;
create index campaign_contacts_number_idx on public.campaign_contacts (e164);

-- The live figures: changes are appended, so that no dial waits for another, and added up by mend_campaigns.
create table public.campaign_changes (
  id bigint generated always as identity primary key,
  campaign_id uuid not null references public.campaigns (id) on delete cascade,
  -- Of contacts who get the other flow.
  other boolean not null default false,
  figure text not null constraint campaign_changes_figure_form check (figure ~ '^[a-z_]{1,32}$'),
  change integer not null
);

comment on table public.campaign_changes is 'Changes of the number of contacts in each state, and of dials; their sums are the live figures.';

create index campaign_changes_idx on public.campaign_changes (campaign_id, figure) include (change, other);

create function public.count_contacts() returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    insert into public.campaign_changes (campaign_id, other, figure, change)
    select n.campaign_id, n.other, n.state, count(*) from new_rows as n group by 1, 2, 3;
  elsif tg_op = 'DELETE' then
    insert into public.campaign_changes (campaign_id, other, figure, change)
    select o.campaign_id, o.other, o.state, -count(*) from old_rows as o
    where exists (select from public.campaigns as c where c.id = o.campaign_id) group by 1, 2, 3;
  else
    insert into public.campaign_changes (campaign_id, other, figure, change)
    select c.campaign_id, c.other, c.figure, sum(c.change) from (
      select n.campaign_id, n.other, n.state as figure, 1 as change from new_rows as n
      union all select o.campaign_id, o.other, o.state, -1 from old_rows as o
      union all select n.campaign_id, n.other, 'dialled', n.tries from new_rows as n
      union all select o.campaign_id, o.other, 'dialled', -o.tries from old_rows as o
    ) as c
    group by 1, 2, 3 having sum(c.change) <> 0;
  end if;
  return null;
end
$$;

create trigger campaign_contacts_added after insert on public.campaign_contacts
  referencing new table as new_rows for each statement execute function public.count_contacts();
create trigger campaign_contacts_changed after update on public.campaign_contacts
  referencing old table as old_rows new table as new_rows for each statement execute function public.count_contacts();
create trigger campaign_contacts_removed after delete on public.campaign_contacts
  referencing old table as old_rows for each statement execute function public.count_contacts();

-- How many calls a second an account makes: time has slots, and one dial of an owner goes into a slot.
create table public.dial_rates (
  owner uuid primary key,
  -- The rate of the fastest campaign that runs, as far as the account may.
  per_second numeric not null constraint dial_rates_range check (per_second > 0 and per_second <= 1000),
  -- What Twilio does for the account, where it is not what TWILIO_CALLS_PER_SECOND says.
  at_most numeric constraint dial_rates_most_range check (at_most > 0 and at_most <= 1000),
  -- No slot before it: after a change the dials of the old rate go out first.
  not_before timestamptz not null default '-infinity',
  -- Until then campaigns leave each second slot empty, as Twilio has refused dials for want of time.
  slow_until timestamptz not null default '-infinity'
);

comment on table public.dial_rates is 'The calls a second that Twilio makes for each account; its row is locked while dials are reserved.';

create function public.change_dial_rate() returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.not_before := coalesce((
    select max(a.send_at) + interval '1 second' from public.dial_attempts as a
    where a.owner = new.owner and a.slot is not null and a.decided_at > now() - interval '1 minute'
  ), '-infinity');
  return new;
end
$$;

create trigger dial_rates_changed before update of per_second on public.dial_rates
  for each row when (new.per_second <> old.per_second) execute function public.change_dial_rate();

-- What must be shown of each dial for five years; it names nobody.
create table public.campaign_dials (
  id bigint generated always as identity primary key,
  campaign_id uuid not null references public.campaigns (id),
  owner uuid not null,
  -- Of the number, so that a complaint can be answered: see number_hash.
  number_hash bytea not null,
  line public.e164 not null,
  rules text not null,
  region text not null,
  zones text[] not null,
  consent text not null,
  consent_at timestamptz,
  dialled_at timestamptz not null,
  answered_at timestamptz,
  -- When one of the owner's people was on the line too.
  connected_at timestamptz,
  ended_at timestamptz not null,
  result text not null constraint campaign_dials_result_known check (result in (
    'answered', 'machine', 'busy', 'no_answer', 'failed', 'abandoned'
  ))
);

comment on table public.campaign_dials is 'The record of each dial of a campaign: when, on what consent, under which rules, and how it ended.';

create index campaign_dials_campaign_idx on public.campaign_dials (campaign_id, dialled_at);
create index campaign_dials_number_idx on public.campaign_dials (number_hash);
create index campaign_dials_dialled_idx on public.campaign_dials (dialled_at);

-- The key of number_hash. There are few enough numbers to try them all: without it a hash leads to no number. No role may read
-- the table.
create table public.number_keys (
  is_it boolean primary key default true constraint number_keys_one check (is_it),
  key bytea not null default sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
);

comment on table public.number_keys is 'The key with which numbers are hashed that must be recognised after an erasure.';

alter table public.number_keys enable row level security;
create policy number_keys_of_the_service on public.number_keys for select to service_role using (true);

-- Makes the key, once: before a first hash is stored. SECURITY DEFINER, as number_key, because no role may read the table; only
-- the service may execute the two.
create function public.make_number_key() returns void
language plpgsql volatile security definer set search_path = ''
as $$
begin
  if not exists (select from public.number_keys) then
    insert into public.number_keys default values on conflict do nothing;
  end if;
end
$$;

-- Null before there is a hash.
create function public.number_key() returns bytea
language sql stable security definer set search_path = ''
return (select k.key from public.number_keys as k);

-- What stays of a number after an erasure.
create function public.number_hash(p_e164 text) returns bytea
language sql stable set search_path = ''
return sha256(public.number_key() || convert_to(p_e164, 'UTF8'));

alter table public.campaigns enable row level security;
create policy campaigns_of_own_org on public.campaigns
  for select to authenticated using (owner = (select public.current_owner()));
create policy campaigns_of_the_service on public.campaigns to service_role using (true) with check (true);
alter table public.campaign_lines enable row level security;
create policy campaign_lines_of_own_org on public.campaign_lines
  for select to authenticated using (exists (select from public.campaigns as c where c.id = campaign_id));
create policy campaign_lines_of_the_service on public.campaign_lines to service_role using (true) with check (true);
alter table public.campaign_areas enable row level security;
create policy campaign_areas_of_own_org on public.campaign_areas
  for select to authenticated using (exists (select from public.campaigns as c where c.id = campaign_id));
create policy campaign_areas_of_the_service on public.campaign_areas to service_role using (true) with check (true);
alter table public.campaign_contacts enable row level security;
create policy campaign_contacts_of_own_org on public.campaign_contacts
  for select to authenticated using (owner = (select public.current_owner()));
create policy campaign_contacts_of_the_service on public.campaign_contacts to service_role using (true) with check (true);
alter table public.campaign_changes enable row level security;
create policy campaign_changes_of_own_org on public.campaign_changes
  for select to authenticated using (exists (select from public.campaigns as c where c.id = campaign_id));
create policy campaign_changes_of_the_service on public.campaign_changes to service_role using (true) with check (true);
alter table public.dial_rates enable row level security;
create policy dial_rates_of_the_service on public.dial_rates to service_role using (true) with check (true);
alter table public.campaign_dials enable row level security;
create policy campaign_dials_of_own_org on public.campaign_dials
  for select to authenticated using (owner = (select public.current_owner()));
create policy campaign_dials_of_the_service on public.campaign_dials to service_role using (true) with check (true);

grant select on public.campaigns, public.campaign_lines, public.campaign_areas, public.campaign_contacts, public.campaign_changes,
  public.campaign_dials to authenticated;
grant select, insert, update, delete on public.campaigns, public.campaign_lines, public.campaign_areas, public.campaign_contacts,
  public.campaign_changes to service_role;
grant select, insert, update on public.dial_rates to service_role;
grant select, insert on public.campaign_dials to service_role;
grant execute on function public.count_contacts, public.change_dial_rate, public.make_number_key, public.number_key, public.number_hash to service_role;
-- For alerts.
create policy campaigns_for_monitoring on public.campaigns for select to monitoring using (true);
create policy campaign_dials_for_monitoring on public.campaign_dials for select to monitoring using (true);
grant select (id, mode, state, paused_because, running_since) on public.campaigns to monitoring;
grant select (campaign_id, dialled_at, rules, result) on public.campaign_dials to monitoring;
