-- What search finds by its words: one row a passage of a transcript, a note, a contact or a message from the website, written
-- in the transaction of its source. Calls themselves are found in call_logs and have no row here, so a call in which nothing
-- is said or written costs nothing.

create table public.search_documents (
  id bigint generated always as identity primary key,
  org_id uuid,
  owner uuid not null generated always as (coalesce(org_id, '00000000-0000-0000-0000-000000000000')) stored,
  kind text not null constraint search_documents_kind_known check (kind in (
    'voicemail', 'transcript', 'agent_turn', 'note', 'contact', 'message', 'campaign'
  )),
  -- The key of the source, and the passage of it, from 0.
  ref text not null constraint search_documents_ref_length check (length(ref) between 1 and 200),
  part smallint not null default 0 constraint search_documents_part_range check (part >= 0),
  call_sid text constraint search_documents_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  -- The number of the person whom it is about, where it is known.
  party text constraint search_documents_party_form check (party ~ '^\+?[0-9]{2,15}$'),
  at timestamptz not null,
  -- Where the passage begins and ends in the audio.
  start_ms integer constraint search_documents_start_range check (start_ms >= 0),
  end_ms integer constraint search_documents_end_range check (end_ms >= start_ms),
  speaker text constraint search_documents_speaker_known check (speaker in ('caller', 'person', 'agent')),
  -- No regconfig, because pg_upgrade refuses columns of that type.
  lang text not null constraint search_documents_lang_known check (lang in ('english', 'french', 'spanish')),
  title text constraint search_documents_title_length check (length(title) <= 500),
  -- Well below the 1 MB of a tsvector.
  body text not null constraint search_documents_body_length check (length(body) <= 6000),
  fts tsvector not null generated always as (
    -- A name is also found as it is: `Will` is no word that an English text is searched for.
    setweight(to_tsvector('public.search_names', coalesce(title, '')), 'A') || case lang
      when 'english' then setweight(to_tsvector('public.search_english', coalesce(title, '')), 'A') || to_tsvector('public.search_english', body)
      when 'french' then setweight(to_tsvector('public.search_french', coalesce(title, '')), 'A') || to_tsvector('public.search_french', body)
      else setweight(to_tsvector('public.search_spanish', coalesce(title, '')), 'A') || to_tsvector('public.search_spanish', body)
    end
  ) stored,
  constraint search_documents_key unique (kind, ref, part)
);

comment on table public.search_documents is 'What search finds by its words. Written in the transaction of its source; rebuild_search_documents proves that nothing else is in it.';

create index search_documents_words_idx on public.search_documents using gin (owner, fts);
-- Of the few that say whom a number belongs to.
create index search_documents_contacts_idx on public.search_documents using gin (owner, fts) where kind = 'contact';
create index search_documents_newest_idx on public.search_documents (owner, at desc, id desc);
create index search_documents_party_idx on public.search_documents (owner, party, at desc) where party is not null;
create index search_documents_call_idx on public.search_documents (call_sid) where call_sid is not null;

alter table public.search_documents enable row level security;
create policy search_documents_of_own_org on public.search_documents
  for select to authenticated using (owner = (select public.current_owner()));
create policy search_documents_of_the_service on public.search_documents for select to service_role using (true);

-- The words of the documents, for corrections. A word goes with its last document. No unique constraint, because a call must
-- not wait for another one that brings the same word.
create table public.search_words (
  id bigint generated always as identity primary key,
  owner uuid not null,
  word text not null constraint search_words_word_length check (length(word) between 4 and 40)
);

comment on table public.search_words is 'The words of search_documents, for corrections; a word may stand here twice.';

create index search_words_key_idx on public.search_words (owner, word);

alter table public.search_words enable row level security;
create policy search_words_of_the_service on public.search_words for select to service_role using (true);

-- Of website messages, whose numbers need not be a contact's.
create index search_documents_message_idx on public.search_documents using gin (party extensions.gin_trgm_ops)
  where kind = 'message';

-- --- feeding ---------------------------------------------------------------------------------------------------------

-- Every source of documents, one row each: the only definition of what search finds. A kind that is added gets its branch here,
-- and its table calls index_sources where it changes.
--
-- The transcript of a conversation is here only while the caller consents to be recorded; a voicemail is recorded by the
-- caller's own act.
create view public.search_sources with (security_invoker = true) as
select
  case r.source when 'voicemail' then 'voicemail' else 'transcript' end as kind, r.call_sid || '/' || r.recording_sid as ref,
  null::uuid as id, c.org_id, r.call_sid, c.party::text as party, r.recorded_at as at, 0 as start_ms,
  coalesce(r.duration_sec, 0) * 1000 as end_ms, case r.source when 'voicemail' then 'caller' end as speaker, null::text as title,
  r.transcript as body
from public.recordings as r
join public.call_logs as c on c.call_sid = r.call_sid
where r.transcript <> '' and r.deleted_at is null and (r.source = 'voicemail' or c.consent_given)
union all
-- What was heard; of words without a word from the telephone, what was to be said.
select
  'agent_turn', t.call_sid || '/' || t.session_id || '/' || t.seq, null, c.org_id, t.call_sid, c.party::text, t.at, null, null,
  case t.kind when 'caller' then 'caller' else 'agent' end, null, coalesce(t.heard_text, t.planned_text)
from public.agent_turns as t
join public.call_logs as c on c.call_sid = t.call_sid
where t.kind in ('caller', 'agent') and coalesce(t.heard_text, t.planned_text) <> '' and c.consent_given
union all
select 'note', n.id::text, n.id, n.org_id, n.call_sid, c.party, n.created_at, null, null, null, null, n.body
from public.call_notes as n
left join public.call_logs as c on c.call_sid = n.call_sid
union all
select
  'contact', k.id::text, k.id, k.org_id, null, k.phone, k.updated_at, null, null, null, k.name,
  concat_ws(e'\n', k.company, k.notes)
from public.contacts as k
where not k.bare
union all
select
  'message', m.id::text, m.id, null, null,
  case when m.phone ~ '^\+' then m.phone when length(m.phone) = 10 then '+1' || m.phone else m.phone end,
  m.created_at, null, null, null, concat_ws(', ', m.name, m.subject), concat_ws(e'\n', m.message, m.email)
from public.contact_messages as m;

comment on view public.search_sources is 'What search_documents is made from, one row a source.';

-- A text in passages of at most 3,000 characters, each but the first beginning with the last sentence of the one before, so
-- that a phrase across the border is found. A passage's time in the audio is estimated by its place in the text.
create function public.passages(p_body text, p_start_ms integer, p_end_ms integer)
returns table (part integer, body text, start_ms integer, end_ms integer)
language plpgsql immutable set search_path = ''
as $$
declare
  v_length constant integer := length(p_body);
  v_span constant double precision := (p_end_ms - p_start_ms)::double precision / greatest(v_length, 1);
  v_from integer := 1;
begin
  part := 0;
  if v_length <= 3000 then
    body := p_body;
    start_ms := p_start_ms;
    end_ms := p_end_ms;
    return next;
    return;
  end if;
  loop
    body := substr(p_body, v_from, 3000);
    if v_from + 3000 <= v_length then
      -- Up to the last end of a sentence, else of a word.
      body := left(body, 1500) || coalesce(
        substring(right(body, 1500) from '^(.*[.!?\n])\s'), substring(right(body, 1500) from '^(.*)\s'), right(body, 1500)
      );
    end if;
    start_ms := p_start_ms + (v_span * (v_from - 1))::integer;
    end_ms := p_start_ms + (v_span * (v_from - 1 + length(body)))::integer;
    return next;
    v_from := v_from + length(body);
    exit when v_from > v_length;
    part := part + 1;
    v_from := v_from - coalesce(length(substring(right(body, 500) from '[.!?\n]\s+([^.!?\n]+[.!?\n]?)$')), 0);
  end loop;
end
$$;

-- The language of a text, by its most frequent words; English where they do not tell.
create function public.language_of(p_text text) returns text
language plpgsql immutable set search_path = ''
as $$
declare
  v_text constant text := lower(left(p_text, 1000));
  v_french constant integer :=
    regexp_count(v_text, '\m(je|vous|les?|des|est|une?|et|pour|dans|pas|que|avec|bonjour|merci|mon|votre)\M');
  v_spanish constant integer :=
    regexp_count(v_text, '\m(el|los|las|es|una?|y|para|por|que|con|usted|hola|gracias|mi|su|del)\M');
  v_english integer;
begin
  if v_french + v_spanish = 0 then
    return 'english';
  end if;
  v_english := regexp_count(v_text, '\m(the|you|and|is|to|a|of|for|my|your|that|i|please|hello|thanks?)\M');
  return case
    when v_french > greatest(v_spanish, v_english) then 'french'
    when v_spanish > greatest(v_french, v_english) then 'spanish'
    else 'english'
  end;
end
$$;

-- search_documents as it has to be.
create view public.search_passages with (security_invoker = true) as
select
  s.id as source_id, s.org_id, s.kind, s.ref, p.part::smallint as part, s.call_sid, s.party, s.at, p.start_ms, p.end_ms, s.speaker,
  public.language_of(p.body) as lang, s.title, p.body
from public.search_sources as s cross join lateral public.passages(s.body, s.start_ms, s.end_ms) as p;

comment on view public.search_passages is 'search_documents as it has to be: search_sources in passages.';

-- The kinds of documents that are made of a call's recordings, and of its talk with an AI agent.
create function public.search_kinds_of_calls() returns text[]
language sql immutable set search_path = ''
return array['voicemail', 'transcript', 'agent_turn'];

-- Brings the documents of a source to what search_passages says, in the transaction that changed it: of a call's own words
-- (p_call_sid), or of the row p_id (p_kind). A changed passage is a new row, with nothing left of the old one. SECURITY DEFINER,
-- because nobody else writes documents. p_tells: alerts on words are matched. Planned once: planning the view takes as long as it.
create function public.index_source(p_kind text, p_id uuid, p_call_sid text default null, p_tells boolean default true) returns void
language plpgsql volatile security definer set search_path = '' set plan_cache_mode = force_generic_plan
as $$
declare
  v_new public.search_passages[];
begin
  -- One statement: a document that it sees has a source that it sees, whatever else is written at the same time.
  if p_call_sid is null then
    with passages as materialized (
      select array(select p from public.search_passages as p where p.kind = p_kind and p.source_id = p_id) as are
    ), gone as (
      delete from public.search_documents as d using passages as p
      where d.kind = p_kind and d.ref = p_id::text and not public.is_passage(d, p.are)
    )
    select p.are into v_new from passages as p;
  else
    with passages as materialized (
      select array(
        select p from public.search_passages as p
        where p.kind = any (public.search_kinds_of_calls()) and p.call_sid = p_call_sid
      ) as are
    ), gone as (
      delete from public.search_documents as d using passages as p
      where d.call_sid = p_call_sid and d.kind = any (public.search_kinds_of_calls()) and not public.is_passage(d, p.are)
    )
    select p.are into v_new from passages as p;
  end if;
  if cardinality(v_new) > 0 then
    perform public.store_passages(v_new);
    if p_tells then
      perform public.match_alerts(v_new);
    end if;
  end if;
end
$$;

-- Whether a document is one of these passages, unchanged.
create function public.is_passage(d public.search_documents, p_passages public.search_passages[]) returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
  return exists (
    select from unnest(p_passages) as p
    where (p.kind, p.ref, p.part, p.at, p.lang, p.body) = (d.kind, d.ref, d.part, d.at, d.lang, d.body)
      and (p.org_id, p.call_sid, p.party, p.start_ms, p.end_ms, p.speaker, p.title)
        is not distinct from (d.org_id, d.call_sid, d.party, d.start_ms, d.end_ms, d.speaker, d.title)
  );
end
$$;

-- Inserts passages of one source that are not documents yet, with their words.
create function public.store_passages(p_passages public.search_passages[]) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_owner uuid;
  v_text text;
  v_words text[];
begin
  with added as (
    insert into public.search_documents (
      org_id, kind, ref, part, call_sid, party, at, start_ms, end_ms, speaker, lang, title, body
    )
    select p.org_id, p.kind, p.ref, p.part, p.call_sid, p.party, p.at, p.start_ms, p.end_ms, p.speaker, p.lang, p.title, p.body
    from unnest(p_passages) as p
    on conflict on constraint search_documents_key do nothing
    returning owner, title, body
  )
  select (array_agg(a.owner))[1], string_agg(concat_ws(' ', a.title, a.body), ' ') into v_owner, v_text from added as a;
  if v_text is null then
    return;
  end if;
  v_words := array(select public.words_of(v_text));
  v_words := array(
    select unnest(v_words) except select k.word from public.search_words as k where k.owner = v_owner and k.word = any (v_words)
  );
  if v_words <> '{}' then
    insert into public.search_words (owner, word) select v_owner, w from unnest(v_words) as w;
  end if;
end
$$;

-- The words of a text that corrections may propose, in lower case and without accents.
create function public.words_of(p_text text) returns setof text
language plpgsql immutable set search_path = ''
as $$
begin
  return query
    select w from unnest(tsvector_to_array(to_tsvector('public.search_names', p_text))) as w
    where length(w) between 4 and 40 and w !~ '[^[:alpha:]]';
end
$$;

-- Whether a document of this owner has a word. p_owner null: of any owner.
create function public.is_said(p_owner uuid, p_word text) returns boolean
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan
as $$
begin
  return exists (
    select from public.search_documents as d
    where d.owner = coalesce(p_owner, d.owner) and d.fts @@ (
      plainto_tsquery('public.search_english', p_word) || plainto_tsquery('public.search_french', p_word)
      || plainto_tsquery('public.search_spanish', p_word) || plainto_tsquery('public.search_names', p_word)
    )
  );
end
$$;

-- Deletes the words of deleted documents that no other document of their owner has. Of two transactions at once that delete the
-- last two documents with a word, each sees the other's: corrections ask is_said too, and a rebuild deletes the word.
create function public.forget_words() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_lost record;
begin
  for v_lost in
    select distinct g.owner, w.word from gone as g cross join lateral public.words_of(concat_ws(' ', g.title, g.body)) as w(word)
  loop
    if not public.is_said(v_lost.owner, v_lost.word) then
      delete from public.search_words as k where k.owner = v_lost.owner and k.word = v_lost.word;
    end if;
  end loop;
  return null;
end
$$;

create trigger search_documents_gone after delete on public.search_documents
  referencing old table as gone for each statement execute function public.forget_words();

-- For a table whose rows are sources themselves; tg_argv: their kind.
create function public.index_row() returns trigger
language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform public.index_source(tg_argv[0], case tg_op when 'DELETE' then old.id else new.id end);
  return null;
end
$$;

create trigger call_notes_indexed after insert or update or delete on public.call_notes
  for each row execute function public.index_row('note');
create trigger contact_messages_indexed after insert or delete on public.contact_messages
  for each row execute function public.index_row('message');
-- A contact of which only the number is known is found by that.
create trigger contacts_indexed after insert on public.contacts
  for each row when (not new.bare) execute function public.index_row('contact');
create trigger contacts_reindexed after update on public.contacts
  for each row when (not old.bare or not new.bare) execute function public.index_row('contact');
create trigger contacts_unindexed after delete on public.contacts
  for each row when (not old.bare) execute function public.index_row('contact');

-- What differs between the documents and their sources: nothing, unless a source was changed past its feeding, or restored.
create function public.search_differences() returns table (kind text, ref text, part smallint, fault text)
language sql stable set search_path = ''
as $$
  select
    coalesce(p.kind, d.kind), coalesce(p.ref, d.ref), coalesce(p.part, d.part),
    case when d.kind is null then 'missing' when p.kind is null then 'left over' else 'changed' end
  from public.search_passages as p
  full join public.search_documents as d on (d.kind, d.ref, d.part) = (p.kind, p.ref, p.part)
  where (p.org_id, p.call_sid, p.party, p.at, p.start_ms, p.end_ms, p.speaker, p.lang, p.title, p.body)
    is distinct from (d.org_id, d.call_sid, d.party, d.at, d.start_ms, d.end_ms, d.speaker, d.lang, d.title, d.body)
    or d.kind is null or p.kind is null
$$;

-- Mends the documents from their sources, alerts none, and returns how many differed. Each such source is locked first, so that
-- one who erases or changes it meanwhile waits, and finds what was written here.
create function public.rebuild_search_documents() returns integer
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v record;
  v_wrong integer := 0;
begin
  for v in
    select
      d.kind, case when d.kind = any (public.search_kinds_of_calls()) then split_part(d.ref, '/', 1) end as call_sid,
      case when d.kind <> all (public.search_kinds_of_calls()) then d.ref::uuid end as id, count(*) as parts
    from public.search_differences() as d group by 1, 2, 3 order by 2, 1, 3
  loop
    v_wrong := v_wrong + v.parts;
    case v.kind
      when 'note' then perform from public.call_notes as t where t.id = v.id for no key update;
      when 'contact' then perform from public.contacts as t where t.id = v.id for no key update;
      when 'message' then perform from public.contact_messages as t where t.id = v.id for no key update;
      else perform from public.call_logs as t where t.call_sid = v.call_sid for no key update;
    end case;
    perform public.index_source(v.kind, v.id, v.call_sid, false);
  end loop;
  delete from public.search_words as k where not public.is_said(k.owner, k.word);
  return v_wrong;
end
$$;

grant select on public.search_documents to authenticated, service_role;
grant select on public.search_words, public.search_sources, public.search_passages to service_role;
grant execute on function public.index_source, public.search_differences, public.rebuild_search_documents, public.is_passage,
  public.is_said, public.words_of, public.passages, public.language_of, public.search_kinds_of_calls to service_role;
