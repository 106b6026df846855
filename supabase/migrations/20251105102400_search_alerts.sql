-- Searches that people keep: saved ones, alerts on words, and what was searched for.

create table public.saved_searches (
  id uuid primary key default gen_random_uuid(),
  org_id uuid default public.current_org_id(),
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  -- Whose it is: it runs with the rights of the person who opens it, and only its owner can.
  user_id uuid not null default auth.uid(),
  name text not null constraint saved_searches_name_length check (length(name) between 1 and 100),
  query text not null default '' constraint saved_searches_query_length check (length(query) <= 1000),
  filters jsonb not null default '{}' constraint saved_searches_filters_object check (jsonb_typeof(filters) = 'object'),
  created_at timestamptz not null default now(),
  constraint saved_searches_key unique (user_id, name)
);

comment on table public.saved_searches is 'The searches that a person keeps: words and filters.';

alter table public.saved_searches enable row level security;
create policy saved_searches_of_own on public.saved_searches
  to authenticated
  using (owner = (select public.current_owner()) and user_id = (select auth.uid()))
  with check (owner = (select public.current_owner()) and user_id = (select auth.uid()));
create policy saved_searches_of_the_service on public.saved_searches to service_role using (true) with check (true);

-- "Tell me when somebody says refund." The words are matched in the transaction that writes a document.
create table public.search_alerts (
  id uuid primary key default gen_random_uuid(),
  org_id uuid default public.current_org_id(),
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  user_id uuid default auth.uid(),
  name text not null constraint search_alerts_name_length check (length(name) between 1 and 100),
  query text not null constraint search_alerts_query_length check (length(query) between 1 and 200),
  -- Of these kinds of documents; null: of all.
  kinds text[],
  channel text not null constraint search_alerts_channel_known check (channel in ('mail', 'slack', 'webhook')),
  -- An e-mail address, or an address of Slack's or of a webhook.
  target text not null constraint search_alerts_target_form check (
    length(target) <= 500 and case channel when 'mail' then target ~ '^[^[:space:]@]+@[^[:space:]@]+$' else target ~ '^https://' end
  ),
  -- Signs what is sent to a webhook, as standard-webhooks has it.
  secret text constraint search_alerts_secret_form check (secret ~ '^whsec_[A-Za-z0-9+/=]{32,100}$'),
  active boolean not null default true,
  created_at timestamptz not null default now()
);

comment on table public.search_alerts is 'Words that somebody wants to be told of: by mail, Slack or a signed webhook.';

create index search_alerts_owner_idx on public.search_alerts (owner) where active;

alter table public.search_alerts enable row level security;
create policy search_alerts_of_own on public.search_alerts
  to authenticated
  using (owner = (select public.current_owner()) and user_id = (select auth.uid()))
  with check (owner = (select public.current_owner()) and user_id = (select auth.uid()));
create policy search_alerts_of_the_service on public.search_alerts to service_role using (true) with check (true);

-- Each document that an alert matched, once, however often its text is corrected.
create table public.search_alert_matches (
  alert_id uuid not null references public.search_alerts (id) on delete cascade,
  kind text not null,
  ref text not null,
  call_sid text,
  at timestamptz not null default now(),
  primary key (alert_id, kind, ref)
);

comment on table public.search_alert_matches is 'Which documents an alert matched. Each has a job search_alert, which sends the message.';

create index search_alert_matches_call_idx on public.search_alert_matches (call_sid);

alter table public.search_alert_matches enable row level security;
create policy search_alert_matches_of_own on public.search_alert_matches
  for select to authenticated using (exists (select from public.search_alerts as a where a.id = search_alert_matches.alert_id));
create policy search_alert_matches_of_the_service on public.search_alert_matches for select to service_role using (true);

-- What was searched for. The words are kept for 30 days and shown to the person who searched; the counts for a year.
create table public.search_history (
  id bigint generated always as identity primary key,
  org_id uuid,
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  -- Null: an operator.
  user_id uuid,
  at timestamptz not null default clock_timestamp(),
  words text constraint search_history_words_length check (length(words) <= 1000),
  filters text[] not null default '{}',
  hits integer not null constraint search_history_hits_range check (hits between 0 and 1000),
  milliseconds real not null constraint search_history_milliseconds_range check (milliseconds >= 0),
  partial boolean not null,
  corrected boolean not null
);

comment on table public.search_history is 'What was searched for, by whom, and how it went. Words for 30 days, counts for a year.';
comment on column public.search_history.filters is 'The names of the filters that were set.';

create index search_history_at_idx on public.search_history (at);
create index search_history_words_idx on public.search_history (at) where words is not null;
create index search_history_user_idx on public.search_history (user_id, at desc);

alter table public.search_history enable row level security;
create policy search_history_of_own on public.search_history
  for select to authenticated using (user_id = (select auth.uid()) and owner = (select public.current_owner()));
create policy search_history_for_operators on public.search_history for select to service_role, monitoring using (true);

create view public.search_performance with (security_invoker = true) as
select
  (h.at at time zone 'UTC')::date as day,
  count(*) as searches,
  count(*) filter (where h.hits = 0) as without_results,
  count(*) filter (where h.partial) as partial,
  count(*) filter (where h.corrected) as corrected,
  round((percentile_cont(0.5) within group (order by h.milliseconds))::numeric, 1) as p50_ms,
  round((percentile_cont(0.95) within group (order by h.milliseconds))::numeric, 1) as p95_ms,
  round(max(h.milliseconds)::numeric, 1) as max_ms
from public.search_history as h
where h.at > now() - interval '365 days'
group by 1
order by 1 desc;

comment on view public.search_performance is 'Searches by day: how many, how many found nothing or were partial, and how long they took inside the database.';

grant select, insert (org_id, name, query, filters), update (name, query, filters), delete on public.saved_searches to authenticated;
grant select (id, org_id, owner, user_id, name, query, kinds, channel, target, active, created_at), delete,
  insert (org_id, name, query, kinds, channel, target, secret, active), update (name, query, kinds, channel, target, secret, active)
  on public.search_alerts to authenticated;
grant select on public.search_alert_matches, public.search_history to authenticated;
grant select, insert, update, delete on public.saved_searches, public.search_alerts to service_role;
grant select on public.search_alert_matches to service_role;
-- Not the words.
grant select (id, org_id, owner, at, filters, hits, milliseconds, partial, corrected) on public.search_history to service_role, monitoring;
grant select on public.search_performance to service_role, monitoring;
