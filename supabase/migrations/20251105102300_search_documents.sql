-- What search finds by its words: one row a passage of a transcript, a note, a contact or a message from the website, written
-- in the transaction of its source. Calls themselves are found in call_logs and have no row here, so a call in which nothing
-- is said or written costs nothing.

do $block$
declare
  v_name text;
begin
  -- In Supabase's schema for extensions. btree_gin: one index of owner and words.
  foreach v_name in array array['unaccent', 'pg_trgm', 'btree_gin'] loop
    execute format('create extension if not exists %I with schema extensions', v_name);
  end loop;
  -- Accents do not count, neither in texts nor in queries. `names` takes each word as it is.
  for v_name in select unnest(array['english', 'french', 'spanish', 'names']) loop
    execute format(
      'create text search configuration public.search_%1$s (copy = pg_catalog.%2$I)', v_name, replace(v_name, 'names', 'simple')
    );
    execute format(
      'alter text search configuration public.search_%s alter mapping for hword, hword_part, word with extensions.unaccent, %I',
      v_name, replace(v_name, 'names', 'simple') || case v_name when 'names' then '' else '_stem' end
    );
  end loop;
end
$block$;

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
  lang text not null constraint search_documents_lang_known check (lang in ('english', 'french', 'spanish', 'names')),
  title text constraint search_documents_title_length check (length(title) <= 500),
  -- Well below the 1 MB of a tsvector.
  body text not null constraint search_documents_body_length check (length(body) <= 6000),
  fts tsvector not null generated always as (
    setweight(to_tsvector('public.search_names', coalesce(title, '')), 'A') || case lang
      when 'english' then to_tsvector('public.search_english', body)
      when 'french' then to_tsvector('public.search_french', body)
      when 'spanish' then to_tsvector('public.search_spanish', body)
      else to_tsvector('public.search_names', body)
    end
  ) stored,
  constraint search_documents_key unique (kind, ref, part)
);

comment on table public.search_documents is 'What search finds by its words. Written in the transaction of its source; rebuild_search_documents proves that nothing else is in it.';

create index search_documents_words_idx on public.search_documents using gin (owner, fts);
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
create index search_words_like_idx on public.search_words using gin (owner, word extensions.gin_trgm_ops);

alter table public.search_words enable row level security;
create policy search_words_of_the_service on public.search_words for select to service_role using (true);

grant select on public.search_documents to authenticated, service_role;
grant select on public.search_words to service_role;
