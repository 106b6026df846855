-- Searches that people keep: saved ones, alerts on words, and what was searched for.

create table public.saved_searches (
  id uuid primary key default gen_random_uuid(),
  org_id uuid default public.current_org_id(),
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  -- Whose it is: it runs with the rights of the person who opens it, and only its owner can.
  user_id uuid not null default auth.uid(),
  name text not null constraint saved_searches_name_length check (length(name) between 1 and 100),
  query text not null default '' constraint saved_searches_query_length check (length(query) <= 1000),
  filters jsonb not null default '{}' constraint saved_searches_filters_object check (jsonb_typeof(filters) = 'object')
    constraint saved_searches_filters_length check (length(filters::text) <= 2000),
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

create index search_alerts_owner_idx on public.search_alerts (owner);

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

-- Writes down which alerts match passages that were just stored, each document once, and enqueues a message for each.
create function public.match_alerts(p_passages public.search_passages[]) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_match record;
begin
  for v_match in
    with matched as (
      insert into public.search_alert_matches (alert_id, kind, ref, call_sid)
      select distinct a.id, d.kind, d.ref, d.call_sid
      from unnest(p_passages) as p
      join public.search_alerts as a on a.owner = coalesce(p.org_id, '00000000-0000-0000-0000-000000000000') and a.active
        and coalesce(p.kind = any (a.kinds), true)
      join public.search_documents as d on (d.kind, d.ref, d.part) = (p.kind, p.ref, p.part)
      where d.fts @@ public.search_query(a.query, d.lang)
      on conflict do nothing
      returning alert_id, kind, ref, call_sid
    )
    select m.*, a.channel from matched as m join public.search_alerts as a on a.id = m.alert_id
  loop
    perform public.enqueue_job(
      case v_match.channel when 'mail' then 'mail_search_alert' else 'search_alert' end,
      format('%s/%s/%s', v_match.alert_id, v_match.kind, v_match.ref),
      jsonb_strip_nulls(jsonb_build_object(
        'alert_id', v_match.alert_id, 'kind', v_match.kind, 'ref', v_match.ref, 'call_sid', v_match.call_sid,
        'contact_message_id', case v_match.kind when 'message' then v_match.ref end
      ))
    );
  end loop;
end
$$;

-- What the message of an alert says, {alert: {id, name, query, channel, target, secret, org_id}, document: {kind, ref, call_sid,
-- at, speaker, start_sec, text, party}}; null: the document is gone, or the alert, which ends with its owner's membership. Mail
-- goes to members and to the address that its owner signs in with, not to strangers. SECURITY DEFINER because of that address.
create function public.alert_content(p_payload jsonb) returns jsonb
language sql stable security definer set search_path = ''
as $$
  select jsonb_build_object(
    'alert', jsonb_build_object(
      'id', a.id, 'name', a.name, 'query', a.query, 'channel', a.channel, 'target', a.target, 'secret', a.secret, 'org_id', a.org_id
    ),
    'document', jsonb_build_object(
      'kind', d.kind, 'ref', d.ref, 'call_sid', d.call_sid, 'at', d.at, 'speaker', d.speaker, 'start_sec', d.start_ms / 1000,
      'text', left(d.body, 1000), 'party', d.party
    )
  )
  from public.search_alerts as a
  join public.search_documents as d on d.owner = a.owner and d.kind = p_payload ->> 'kind' and d.ref = p_payload ->> 'ref'
    and d.fts @@ public.search_query(a.query, d.lang)
  where a.id = (p_payload ->> 'alert_id')::uuid and a.active
    and (
      a.user_id is null
      or exists (select from public.members as m where m.user_id = a.user_id and m.owner = a.owner)
      -- Organisations whose people are told by their tokens only.
      or not exists (select from public.members as m where m.owner = a.owner)
    )
    and (
      a.channel <> 'mail' or a.user_id is null
      or exists (
        select from public.members as m where m.owner = a.owner and m.user_id is not null and m.email = lower(a.target)
      )
      or exists (
        select from auth.users as u
        where u.id = a.user_id and u.email_confirmed_at is not null and lower(u.email) = lower(a.target)
      )
    )
  order by d.part
  limit 1
$$;

-- Each alert is matched against each document, so an owner has 50 of them; a person has 200 saved searches.
create function public.limit_searches() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(concat_ws('/', tg_table_name, new.owner), 0));
  if tg_table_name = 'search_alerts' and (select count(*) from public.search_alerts as a where a.owner = new.owner) > 50 then
    raise sqlstate 'PT409' using message = 'there are 50 alerts on words: remove one first';
  elsif tg_table_name = 'saved_searches' and (select count(*) from public.saved_searches as s where s.user_id = new.user_id) > 200 then
    raise sqlstate 'PT409' using message = 'there are 200 saved searches: remove one first';
  end if;
  return null;
end
$$;

create trigger search_alerts_limited after insert on public.search_alerts
  for each row execute function public.limit_searches();
create trigger saved_searches_limited after insert on public.saved_searches
  for each row execute function public.limit_searches();

-- Whether a query names a number, or a part of it of so many digits. What people keep is about this person only where it names
-- most of the number: three digits are in one of every few hundred numbers.
create function public.names_number(p_query text, p_number text, p_least integer default 3) returns boolean
language plpgsql immutable set search_path = ''
as $$
declare
  v_digits constant text := regexp_replace(p_query, '[^0-9]', '', 'g');
begin
  return length(v_digits) >= p_least and (position(v_digits in p_number) > 0 or position(substr(p_number, 2) in v_digits) > 0);
end
$$;

-- Forgets the words of searches after 30 days, at most p_batch at a time. Returns how many.
create function public.forget_searches(p_batch integer default 10000) returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_count integer;
begin
  update public.search_history as h set words = null
  where h.id in (
    select o.id from public.search_history as o
    where o.words is not null and o.at < now() - interval '30 days' order by o.at limit p_batch for update skip locked
  );
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

-- A person who is no member any more has no searches: an alert would go on telling what is said.
create function public.drop_searches_of_member() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  delete from public.saved_searches as s where s.user_id = old.user_id and s.owner = old.owner;
  delete from public.search_alerts as a where a.user_id = old.user_id and a.owner = old.owner;
  return null;
end
$$;

create trigger members_gone after delete on public.members
  for each row when (old.user_id is not null) execute function public.drop_searches_of_member();

-- A name that was searched for is forgotten with its contact, as numbers are: see personal_data.
create function public.forget_searches_for_contact() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.search_history as h set words = null
  where h.owner = old.owner and h.words is not null and position(lower(old.name) in lower(h.words)) > 0;
  return null;
end
$$;

create trigger contacts_forgotten after delete on public.contacts
  for each row when (old.name is not null) execute function public.forget_searches_for_contact();

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
grant execute on function public.match_alerts, public.alert_content, public.forget_searches to service_role;
