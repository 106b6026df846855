-- The search: one round trip from words to a page of results.
--
-- Row-level security and an index of words do not go together: `@@` is not leakproof, so a policy would be checked on every row
-- before the words. So the search runs with its owner's rights and takes the organisation from the claims of a verified token. These
-- functions are the only way past the policies, and each result is of the one owner that they found.

-- What a search returns of a document or a call.
create type public.search_hit as (
  kind text,
  id bigint,                -- of search_documents; null: a call
  call_sid text,
  at timestamptz,
  score real
);

-- The conditions that filters set on a call `c`, as SQL. Raises PT400 for an unknown filter or a malformed value.
create function public.call_conditions(p_filters jsonb) returns text
language plpgsql immutable set search_path = ''
as $$
declare
  v_name text;
  v_value jsonb;
  v_text text;
  v_sql text := '';
begin
  for v_name, v_value in select * from jsonb_each(p_filters) loop
    v_text := v_value #>> '{}';
    v_sql := v_sql || case
      when v_value = 'null' or v_name in ('from', 'to', 'number', 'org_id') then ''
      when v_name in ('direction', 'disposition', 'mode', 'line') then format(' and c.%I = %L', v_name, v_text)
      when v_name = 'min_seconds' then format(' and c.duration_sec >= %L', v_text::integer)
      when v_name = 'max_seconds' then format(' and c.duration_sec <= %L', v_text::integer)
      when v_name = 'tag' then format(
        ' and exists (select from public.call_tags as t where t.call_sid = c.call_sid and t.tag = %L)', lower(btrim(v_text))
      )
      when v_name = 'person' then format(
        ' and exists (
          select from public.call_legs as l join public.people as p on p.phone = l.to_e164 and p.org_id is not distinct from c.org_id
          where l.call_sid = c.call_sid and l.connected_at is not null and p.handle = %L
        )', v_text
      )
      when v_name = 'has' and jsonb_typeof(v_value) = 'array' then (
        select coalesce(string_agg(case h
          when 'voicemail' then ' and c.recording_source = ''voicemail'''
          when 'recording' then ' and c.recording_sid is not null'
          when 'transcript' then ' and c.transcript <> '''''
          when 'note' then ' and exists (select from public.call_notes as n where n.call_sid = c.call_sid)'
        end, '' order by h), '')
        from jsonb_array_elements_text(v_value) as h
      )
    end;
    if v_sql is null then
      raise sqlstate 'PT400' using message = 'this filter is not known', detail = 'filters.' || left(v_name, 64);
    end if;
  end loop;
  return v_sql;
exception
  when invalid_text_representation or numeric_value_out_of_range then
    raise sqlstate 'PT400' using message = 'this filter must be a whole number', detail = 'filters.' || v_name;
end
$$;

-- Parts of telephone numbers in a query, as digits, and the query without them. Numbers in phrases are words.
create function public.split_numbers(p_query text, out digits text[], out words text)
language plpgsql immutable set search_path = ''
as $$
declare
  v_number text;
begin
  digits := '{}';
  words := left(p_query, 4000);
  for v_number in
    select m[1] from regexp_matches(
      regexp_replace(words, '"[^"]*"?', ' ', 'g'), '(?:^|\s)(\+?\(?[0-9][0-9()./ -]*)(?=\s|$)', 'g'
    ) as m
    limit 3
  loop
    if length(regexp_replace(v_number, '[^0-9]', '', 'g')) between 3 and 15 then
      -- Without the zeros that only one's own country dials.
      digits := digits || coalesce(
        nullif(ltrim(regexp_replace(v_number, '[^0-9]', '', 'g'), '0'), ''), regexp_replace(v_number, '[^0-9]', '', 'g')
      );
      words := replace(words, v_number, ' ');
    end if;
  end loop;
  words := btrim(words);
end
$$;

-- The score of a document `d`, as SQL: how well it fits a query, times its freshness, half of which is gone after 30 days. A text,
-- because a function with a search path of its own is called for each row.
create function public.search_score(p_tsquery text, p_now timestamptz) returns text
language sql immutable set search_path = ''
return format(
  '(ts_rank(d.fts, %s, 1) * power(0.5, least(greatest(extract(epoch from %L::timestamptz - d.at) / 2592000, 0), 60)))::real',
  p_tsquery, p_now
);

-- The hits of a statement, newest first. It raises division_by_zero once its parameter $1, a time, is over: the answer is then
-- empty and partial.
create function public.collect_hits(p_sql text, p_deadline timestamptz, out hits public.search_hit[], out partial boolean)
language plpgsql volatile set search_path = ''
as $$
begin
  partial := false;
  execute format(
    'select array_agg(row(f.*)::public.search_hit order by f.at desc, f.id desc, f.call_sid desc)
     from (%s) as f(kind, id, call_sid, at, score)', p_sql
  ) into hits using p_deadline;
  hits := coalesce(hits, '{}');
exception
  when division_by_zero then
    hits := '{}';
    partial := true;
end
$$;

-- Times in cursors, which are short.
create function public.to_micros(p_at timestamptz) returns bigint
language plpgsql immutable set search_path = ''
as $$
begin
  return (extract(epoch from p_at) * 1000000)::bigint;
end
$$;

create function public.from_micros(p_micros text) returns timestamptz
language sql stable set search_path = ''
return 'epoch'::timestamptz + p_micros::bigint * interval '1 microsecond';

-- Numbers with all these parts, of contacts and of website messages: at most 1,000 of each. p_owner null: of all.
create function public.phones_like(p_owner uuid, p_digits text[]) returns text[]
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan
as $$
declare
  -- The longest first: no index takes `like all`.
  v_parts constant text[] := array(select '%' || n || '%' from unnest(p_digits) as n order by length(n) desc);
begin
  return array(
    (
      select k.phone::text from public.contacts as k
      where k.owner = coalesce(p_owner, k.owner) and k.phone like v_parts[1] and k.phone like all (v_parts) limit 1000
    )
    union
    (
      select d.party from public.search_documents as d
      where d.owner = coalesce(p_owner, d.owner) and d.kind = 'message' and d.party like v_parts[1] and d.party like all (v_parts)
      limit 1000
    )
  );
end
$$;

-- What a query means in each language: english, french, spanish.
create function public.search_queries(p_query text) returns tsquery[]
language sql immutable set search_path = ''
return array[
  public.search_query(p_query, 'english'), public.search_query(p_query, 'french'), public.search_query(p_query, 'spanish')
];

-- What a query means for a document `d`, as SQL.
create function public.tsquery_by_language(p_queries tsquery[]) returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return case
    when p_queries[1] = p_queries[2] and p_queries[1] = p_queries[3] then format('%L::tsquery', p_queries[1])
    else format(
      'case d.lang when ''english'' then %L::tsquery when ''french'' then %L::tsquery else %L::tsquery end',
      p_queries[1], p_queries[2], p_queries[3]
    )
  end;
end
$$;

-- The condition that a document `d` matches a query, as SQL: what the index finds, in any language, and then exactly. p_indexed
-- false: without the index.
create function public.document_match(p_queries tsquery[], p_indexed boolean default true) returns text
language plpgsql immutable set search_path = ''
as $$
declare
  v_index tsquery := coalesce(p_queries[1], p_queries[2], p_queries[3]);
  -- The planner knows how frequent the words of the index are, and is told by `<> 0` that the rest is true of nearly all rows:
  -- so it goes from the newest on where there will soon be a thousand.
  v_exactly constant text := format(' and (d.fts @@ %s)::integer <> 0', public.tsquery_by_language(p_queries));
begin
  if v_index is null then
    return ' and false';
  end if;
  if p_queries[2] <> v_index then
    v_index := v_index || p_queries[2];
  end if;
  if p_queries[3] not in (p_queries[1], p_queries[2]) then
    v_index := v_index || p_queries[3];
  end if;
  return case
    -- Words that are only excluded are in no index.
    when not p_indexed or querytree(v_index) in ('', 'T') then v_exactly
    else format(' and d.fts @@ %L::tsquery', v_index) || case when v_index is distinct from p_queries[1] then v_exactly else '' end
  end;
end
$$;

-- The condition that a document `d` and the contact of its number have all the terms of a query between them, as SQL: `jane refund`
-- where a contact is called Jane and her voicemail has the other word. Null: no contact has any of the words, or there is an `or`.
create function public.contact_match(p_owner uuid, p_query text) returns text
language plpgsql stable set search_path = '' set plan_cache_mode = force_custom_plan
as $$
declare
  v_term record;
  v_phones text[];
  v_any text[] := '{}';
  v_sql text := '';
begin
  for v_term in
    select t.negated, t.alternative, public.search_queries(t.word) as queries
    from public.search_terms(p_query) as t where public.term_query(t.word, 'english') is not null limit 16
  loop
    if v_term.alternative > 0 then
      return null;
    end if;
    v_phones := '{}';
    if not v_term.negated then
      execute format(
        'select coalesce(array_agg(d.party), ''{}'') from (
          select d.party from public.search_documents as d
          where d.kind = ''contact'' and d.owner = coalesce($1, d.owner)%s limit 1000
        ) as d', public.document_match(v_term.queries)
      ) into v_phones using p_owner;
    end if;
    v_any := v_any || v_phones;
    v_sql := v_sql || format(
      ' and (d.fts @@ (%s) or d.party = any (%L::text[])) = %L',
      public.tsquery_by_language(v_term.queries), v_phones, not v_term.negated
    );
  end loop;
  return case when v_any <> '{}' then format(' and d.party = any (%L::text[])%s', v_any, v_sql) end;
end
$$;

-- The condition that a document `d` has one of a query's terms, and the documents of its call have all of them between them, as
-- SQL: `refund invoice` where the caller said one word and the note has the other. Null: no call has, there is an `or`, or the
-- query is a single term.
create function public.call_match(p_owner uuid, p_query text, p_deadline timestamptz) returns text
language plpgsql volatile set search_path = ''
as $$
declare
  v_term record;
  v_having text := '';
  v_any tsquery[];
  v_calls text[];
begin
  for v_term in
    select t.negated, t.alternative, public.search_queries(t.word) as queries
    from public.search_terms(p_query) as t where public.term_query(t.word, 'english') is not null limit 16
  loop
    if v_term.alternative > 0 then
      return null;
    end if;
    v_having := v_having || format(
      ' and bool_or(d.fts @@ (%s)) = %L', public.tsquery_by_language(v_term.queries), not v_term.negated
    );
    if not v_term.negated then
      v_any := case when v_any is null then v_term.queries else array[
        v_any[1] || v_term.queries[1], coalesce(v_any[2] || v_term.queries[2], v_any[2], v_term.queries[2]),
        coalesce(v_any[3] || v_term.queries[3], v_any[3], v_term.queries[3])
      ] end;
    end if;
  end loop;
  if v_any is null or numnode(v_any[1]) < 2 then
    return null;
  end if;
  -- Of the newest calls that have any of them.
  execute format(
    'select array_agg(c.call_sid) from (
      select d.call_sid from (
        select d.call_sid, d.fts, d.lang from public.search_documents as d
        where d.call_sid is not null%s%s and 1 / (clock_timestamp() < $1)::integer <> 0 order by d.at desc limit 5000
      ) as d group by 1 having true%s limit 1000
    ) as c',
    case when p_owner is null then '' else format(' and d.owner = %L', p_owner) end, public.document_match(v_any), v_having
  ) into v_calls using p_deadline;
  return case when v_calls is not null then
    format(' and d.call_sid = any (%L::text[])%s', v_calls, public.document_match(v_any))
  end;
exception
  when division_by_zero then
    return null;
end
$$;

-- The documents that are nearest in meaning and meet some conditions on `d`, the nearest first. Empty without pgvector.
create function public.near_hits(p_owner uuid, p_conditions text, p_embedding real[], p_model text) returns public.search_hit[]
language plpgsql volatile set search_path = ''
as $$
declare
  v_hits public.search_hit[];
begin
  execute format(
    'select array_agg(row(d.kind, d.id, d.call_sid, d.at, 0)::public.search_hit order by n.distance, d.id)
     from public.nearest_documents($1, $2, $3, 60) as n join public.search_documents as d on d.id = n.document_id
     where true%s', p_conditions
  ) into v_hits using p_owner, p_model, p_embedding;
  return coalesce(v_hits, '{}');
end
$$;

-- Two lists in one by reciprocal rank: a hit counts 1 / (60 + place) for each list that it is in. What is only near in meaning
-- counts when it is among the nearest.
create function public.fuse_hits(p_words public.search_hit[], p_near public.search_hit[]) returns public.search_hit[]
language sql immutable set search_path = ''
as $$
  with placed as (
    select h.kind, h.id, h.call_sid, h.at, row_number() over (order by h.score desc, h.at desc, h.id, h.call_sid) as place
    from unnest(p_words) as h
    union all
    select h.kind, h.id, h.call_sid, h.at, h.place from unnest(p_near) with ordinality as h(kind, id, call_sid, at, score, place)
  )
  select coalesce(array_agg(row(f.kind, f.id, f.call_sid, f.at, f.score)::public.search_hit), '{}') from (
    select p.kind, p.id, p.call_sid, p.at, sum(1.0 / (60 + p.place))::real as score from placed as p group by 1, 2, 3, 4
  ) as f
$$;

-- What pages are made of: the newest 1,000 documents and the newest 1,000 calls that match, each with its score. p_after: where
-- the batch before ended, {d: [microseconds, id], c: [microseconds,
-- call_sid]}; false: there are no more. Returns where this one ends in the same
-- form. p_owner null: all owners. p_query null: only filters; p_queries: what
-- it means. p_match: the condition on a document in place of that, see contact_match. p_embedding: see search_calls.
create function public.search_batch(
  p_owner uuid, p_query text, p_queries tsquery[], p_filters jsonb, p_now timestamptz, p_after jsonb, p_deadline timestamptz,
  p_embedding real[], p_model text, p_match text, out hits public.search_hit[], out partial boolean, out after jsonb
)
-- As on a hosted database. By the default of 4 the planner fetches every match of a common word to find the newest thousand.
language plpgsql volatile set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
  -- Evaluated for each row: see collect_hits.
  -- (`<> 0`: the planner takes it to be true of nearly all rows.)
  c_in_time constant text := ' and 1 / (clock_timestamp() < $1)::integer <> 0';
  -- Of what is found by its number, whatever its words.
  c_number_score constant text := replace(public.search_score('', p_now), 'ts_rank(d.fts, , 1)', '0.1');
  -- Below what says the words.
  c_call_score constant text := replace(public.search_score('', p_now), 'ts_rank(d.fts, , 1)', '0.01');
  v_calls constant text := public.call_conditions(p_filters);
  v_of_owner text := '';
  v_calls_of_owner text := '';
  v_span text := '';
  v_documents text;
  v_match text;
  v_meant text;
  v_common boolean;
  v_bound text;
  v_digits text[];
  v_words text;
  v_part constant text := regexp_replace(p_filters ->> 'number', '[^0-9]', '', 'g');
  v_phones text[];
  v_found record;
begin
  if p_owner is not null then
    v_of_owner := format(' and d.owner = %L', p_owner);
    v_calls_of_owner := format(' and coalesce(c.org_id, ''00000000-0000-0000-0000-000000000000'') = %L', p_owner);
  end if;
  select s.digits, s.words into v_digits, v_words from public.split_numbers(coalesce(p_query, '')) as s;
  if cardinality(v_digits) > 0 or v_part is not null then
    v_phones := public.phones_like(p_owner, array_remove(v_digits || v_part, null));
  end if;
  if p_filters ->> 'from' is not null then
    v_span := format(' and %%1$s >= %L', (p_filters ->> 'from')::timestamptz);
  end if;
  if p_filters ->> 'to' is not null then
    v_span := v_span || format(' and %%1$s < %L', (p_filters ->> 'to')::timestamptz);
  end if;
  hits := '{}';
  partial := false;
  after := '{"d": false, "c": false}';

  if p_query is not null and p_after -> 'd' is distinct from 'false' then
    v_documents := v_of_owner || format(v_span, 'd.at')
      || case when v_calls = '' then '' else
        format(' and exists (select from public.call_logs as c where c.call_sid = d.call_sid%s)', v_calls) end
      || case when v_part is null then '' else format(' and d.party like %L', '%' || v_part || '%') end
      || case when jsonb_typeof(p_after -> 'd') = 'array' then
        format(' and (d.at, d.id) < (%L, %L)', public.from_micros(p_after #>> '{d,0}'), (p_after #>> '{d,1}')::bigint) else '' end;
    v_meant := coalesce(p_match, public.document_match(p_queries));
    if p_match is null and p_owner is not null then
      -- Where many of the newest match, a thousand are read sooner by age than by the index of words, which has them all.
      execute format(
        'select count(*) >= 25 from (
          select * from public.search_documents as d where true%s order by d.at desc, d.id desc limit 400
        ) as d where true%s%s', v_of_owner, v_documents, public.document_match(p_queries, false)
      ) into v_common;
      if v_common then
        v_meant := public.document_match(p_queries, false);
      end if;
    end if;
    foreach v_bound in array array[
      c_in_time,
      -- If that takes too long: of the newest 2,000.
      format(
        ' and d.id in (select n.id from public.search_documents as n where true%s order by n.at desc, n.id desc limit 2000)',
        replace(v_of_owner, 'd.owner', 'n.owner')
      )
    ] loop
      v_match := format(
        'select d.kind, d.id, d.call_sid, d.at, %s as score from (
          select d.kind, d.id, d.call_sid, d.at, d.lang, d.fts from public.search_documents as d
          where true%s%s%s order by d.at desc, d.id desc limit 1000
        ) as d',
        public.search_score(public.tsquery_by_language(p_queries), p_now), v_documents, v_meant, v_bound
      );
      if cardinality(v_digits) > 0 then
        v_match := format(
          '%s union all (
            select d.kind, d.id, d.call_sid, d.at, %s from public.search_documents as d
            where d.party = any (%L::text[])%s%s%s order by d.at desc, d.id desc limit 1000
          )',
          v_match, c_number_score, v_phones, v_documents, case when v_words <> '' then public.document_match(public.search_queries(v_words)) else '' end, v_bound
        );
      end if;
      select * into v_found from public.collect_hits(format(
        'select d.kind, d.id, d.call_sid, d.at, max(d.score) from (%s) as d group by 1, 2, 3, 4
         order by d.at desc, d.id desc limit 1000', v_match
      ), case v_bound when c_in_time then p_deadline else 'infinity' end);
      partial := partial or v_found.partial;
      exit when not v_found.partial;
    end loop;
    hits := v_found.hits;
    if cardinality(hits) = 1000 then
      after := after || jsonb_build_object('d', jsonb_build_array(public.to_micros(hits[cardinality(hits)].at), hits[cardinality(hits)].id));
    end if;
  end if;

  -- Calls have no words: they are found by their number, by the name of their contact, or by filters alone.
  if v_words <> '' then
    select array_agg(d.party) into v_phones from public.search_documents as d
    where d.id in (select h.id from unnest(hits) as h where h.kind = 'contact' limit 100);
  end if;
  if p_embedding is not null and p_query is not null and not coalesce(p_after ? 'd', false) then
    hits := public.fuse_hits(hits, public.near_hits(p_owner, v_documents, p_embedding, p_model));
  end if;
  if p_after -> 'c' is distinct from 'false' and (p_query is null or v_phones <> '{}') then
    v_match := v_calls || format(v_span, 'c.started_at') || v_calls_of_owner
      || case when v_phones is null then '' else format(' and c.party = any (%L::text[])', v_phones) end
      || case when jsonb_typeof(p_after -> 'c') = 'array' then
        format(' and (c.started_at, c.call_sid) < (%L, %L)', public.from_micros(p_after #>> '{c,0}'), p_after #>> '{c,1}') else '' end;
    foreach v_bound in array array[
      c_in_time,
      format(
        ' and c.call_sid in (select n.call_sid from public.call_logs as n where true%s order by n.started_at desc limit 2000)',
        replace(v_calls_of_owner, 'c.org_id', 'n.org_id')
      )
    ] loop
      select * into v_found from public.collect_hits(
        format(
          'select ''call'', null::bigint, c.call_sid, c.started_at, %s
           from public.call_logs as c where true%s%s order by c.started_at desc, c.call_sid desc limit 1000',
          replace(c_call_score, 'd.at', 'c.started_at'), v_match, v_bound
        ),
        case v_bound when c_in_time then greatest(p_deadline, clock_timestamp() + interval '50 ms') else 'infinity' end
      );
      partial := partial or v_found.partial;
      exit when not v_found.partial;
    end loop;
    hits := hits || v_found.hits;
    if cardinality(v_found.hits) = 1000 then
      after := after || jsonb_build_object('c', jsonb_build_array(public.to_micros(v_found.hits[1000].at), v_found.hits[1000].call_sid));
    end if;
  end if;
end
$$;

-- A corrected query where a word of it is in no document of the owner's; null: there is nothing to correct. Each such word
-- becomes the most similar one of the owner's own words, within a distance of two letters.
create function public.correct_query(p_owner uuid, p_query text) returns text
language plpgsql volatile set search_path = '' set plan_cache_mode = force_custom_plan
as $$
declare
  v_term text;
  v_word text;
  v_found text;
  v_query text := p_query;
  v_tried integer := 0;
begin
  for v_term in
    select t.word from public.search_terms(p_query) as t
    where not t.negated and not t.phrase and t.word ~ '^[[:alpha:]]{4,40}$'
  loop
    -- In lower case and without accents.
    select w into v_word from public.words_of(v_term) as w;
    continue when v_word is null or exists (
      select from public.search_words as k where k.owner = coalesce(p_owner, k.owner) and k.word = v_word
    );
    select n.word into v_found from (
      select l.word from (
        select k.word from public.search_words as k
        where k.owner = coalesce(p_owner, k.owner) and length(k.word) between length(v_word) - 2 and length(v_word) + 2
        -- More than an owner has: an operator's search must end too.
        limit 200000
      ) as l
      -- Two swapped letters leave a short word little in common with itself.
      where extensions.levenshtein_less_equal(l.word, v_word, 2) <= 2 and extensions.similarity(l.word, v_word) >= 0.2
      group by l.word
      order by extensions.levenshtein(l.word, v_word), extensions.similarity(l.word, v_word) desc, l.word
      -- The look among the documents comes last, and ends with the first word that is there.
      offset 0
    ) as n
    where public.is_said(p_owner, n.word)
    limit 1;
    if found then
      v_query := regexp_replace(v_query, '\m' || v_term || '\M', v_found);
    end if;
    v_tried := v_tried + 1;
    exit when v_tried = 5;
  end loop;
  return nullif(v_query, p_query);
end
$$;

-- Whether all of a query's words are stop words of one language.
create function public.only_stop_words(p_query text) returns boolean
language sql immutable set search_path = ''
return exists (
  select from unnest(array['english', 'french', 'spanish']) as l
  where not exists (select from public.search_terms(p_query) as t where t.negated or public.term_query(t.word, l) is not null)
);

create function public.escape_html(p_text text) returns text
-- plpgsql: its plan is kept.
language plpgsql immutable set search_path = ''
as $$
begin
  return replace(replace(replace(replace(replace(p_text, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;');
end
$$;

-- A part of a text with the query's words, escaped for HTML, the words within <mark>; and where they begin in the audio. After
-- p_deadline its beginning without marks: many frequent words or phrases take 20 ms to mark in one text.
create function public.search_snippet(
  p_body text, p_lang text, p_query tsquery, p_start_ms integer, p_end_ms integer, p_deadline timestamptz,
  out snippet text, out start_sec integer
)
language plpgsql volatile set search_path = ''
as $$
declare
  -- Characters of private use, which are taken out of the text, so that no text brings marks of its own.
  c_open constant text := chr(57344);
  c_close constant text := chr(57345);
  v_body constant text := translate(p_body, c_open || c_close, '');
  v_options constant text := format(
    'StartSel=%s, StopSel=%s, %s', c_open, c_close,
    case when length(v_body) <= 240 then 'HighlightAll=true' else 'MaxFragments=1, MaxWords=30, MinWords=10' end
  );
  v_text constant text := case
    when p_query is null or clock_timestamp() > p_deadline then left(v_body, 200)
    when p_lang = 'english' then ts_headline('public.search_english', v_body, p_query, v_options)
    when p_lang = 'french' then ts_headline('public.search_french', v_body, p_query, v_options)
    else ts_headline('public.search_spanish', v_body, p_query, v_options)
  end;
begin
  if p_start_ms is not null then
    -- As far into the passage as the first marked word is into its text.
    start_sec := (
      p_start_ms + (p_end_ms - p_start_ms)::double precision * (
        greatest(strpos(v_body, translate(v_text, c_open || c_close, '')) - 1, 0) + greatest(strpos(v_text, c_open) - 1, 0)
      ) / greatest(length(v_body), 1)
    )::integer / 1000;
  end if;
  snippet := replace(replace(public.escape_html(v_text), c_open, '<mark>'), c_close, '</mark>');
end
$$;

-- How often each value occurs among hits, at most 1,000 times: {kind: {call: 12}, direction: ..., disposition: ..., mode: ...,
-- line: ...}, the 20 most frequent values of each.
create function public.search_facets(p_hits public.search_hit[]) returns jsonb
-- plpgsql: its plan is kept.
language plpgsql stable set search_path = ''
as $$
begin
  return (
    with calls as (
      select h.kind, h.call_sid, count(*) as hits from unnest(p_hits) as h group by 1, 2
    ), counted as (
      select c.kind, o.direction, o.disposition, o.mode, o.line, sum(c.hits) as hits
      from calls as c left join lateral (
        select l.direction, l.disposition, l.mode, l.line::text as line from public.call_logs as l where l.call_sid = c.call_sid offset 0
      ) as o on true
      group by 1, 2, 3, 4, 5
    ), ranked as (
      select f.name, f.value, least(sum(c.hits), 1000) as hits,
        row_number() over (partition by f.name order by least(sum(c.hits), 1000) desc, f.value) as place
      from counted as c cross join lateral (values
        ('kind', c.kind), ('direction', c.direction), ('disposition', c.disposition), ('mode', c.mode), ('line', c.line)
      ) as f(name, value)
      where f.value is not null
      group by 1, 2
    )
    select coalesce(jsonb_object_agg(g.name, g.counts), '{}') from (
      select r.name, jsonb_object_agg(r.value, r.hits) as counts from ranked as r where r.place <= 20 group by 1
    ) as g
  );
end
$$;

-- The search in the rows of one owner (null: of all) by one user (null: an operator). See search_calls.
create function public.run_search(
  p_owner uuid, p_user uuid, p_query text, p_filters jsonb, p_limit integer, p_cursor text, p_embedding real[], p_model text
) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_began constant timestamptz := clock_timestamp();
  v_deadline constant timestamptz := v_began + interval '300 ms';
  v_query constant text := nullif(btrim(left(p_query, 4000)), '');
  v_cursor jsonb;
  v_now timestamptz := date_trunc('milliseconds', now());
  v_batch record;
  v_results jsonb;
  v_last jsonb;
  v_count integer;
  v_next jsonb;
  -- Where the page before ended.
  v_score real;
  v_at timestamptz;
  -- What is searched for; `contact`, `call`, `corrected`, or `filters` where all words are stop words.
  v_meant text;
  v_match text;
  v_queries tsquery[];
  v_way text;
  v_next_way text;
  -- What the way was found by.
  v_found text;
  -- The time until which snippets are marked.
  v_marked timestamptz;
begin
  if p_limit not between 1 and 100 then
    raise sqlstate 'PT400' using message = 'the limit must be from 1 to 100', detail = 'limit';
  end if;
  if p_cursor is not null then
    begin
      v_cursor := convert_from(decode(translate(p_cursor, '-_', '+/'), 'base64'), 'UTF8')::jsonb;
      v_now := public.from_micros(v_cursor ->> 'n');
      v_score := v_cursor ->> 's';
      v_at := public.from_micros(v_cursor ->> 'a');
      perform public.from_micros(v_cursor #>> '{d,0}'), (v_cursor #>> '{d,1}')::bigint, public.from_micros(v_cursor #>> '{c,0}'),
        1 / (v_now is not null)::integer;
    exception
      when data_exception then
        raise sqlstate 'PT400' using message = 'the cursor must be the next_cursor of an answer', detail = 'cursor';
    end;
    v_way := v_cursor ->> 'w';
  end if;

  loop
    v_meant := case v_way
      when 'corrected' then coalesce(v_found, public.correct_query(p_owner, v_query)) when 'filters' then null else v_query
    end;
    -- Where several texts have the words between them, any of them counts, and is marked.
    v_queries := public.search_queries(case when v_way in ('contact', 'call') then (
      select string_agg(case when t.phrase then format('"%s"', t.word) else t.word end, ' or ' order by t.nth)
      from public.search_terms(v_query) as t where not t.negated
    ) else v_meant end);
    v_match := case v_way
      when 'contact' then coalesce(v_found, public.contact_match(p_owner, v_query))
      when 'call' then coalesce(v_found, public.call_match(p_owner, v_query, v_deadline))
    end;
    v_batch := public.search_batch(
      p_owner, v_meant, v_queries, p_filters, v_now, v_cursor, v_deadline, p_embedding, p_model, v_match
    );
    exit when v_batch.hits <> '{}' or v_batch.partial or v_query is null or v_cursor is not null or v_way = 'filters';
    if v_way = 'corrected' then
      v_way := null;
      exit;
    end if;
    -- Each further way costs a look at the words: it is taken only where it leads somewhere.
    v_found := null;
    if v_way is null then
      if public.only_stop_words(v_query) then
        v_way := 'filters';
        continue;
      end if;
      v_found := public.contact_match(p_owner, v_query);
      v_next_way := 'contact';
    end if;
    if v_found is null and coalesce(v_way, 'contact') = 'contact' then
      v_found := public.call_match(p_owner, v_query, v_deadline);
      v_next_way := 'call';
    end if;
    if v_found is null then
      v_found := public.correct_query(p_owner, v_query);
      v_next_way := 'corrected';
    end if;
    v_way := case when v_found is not null then v_next_way end;
    exit when v_way is null;
  end loop;

  v_marked := greatest(v_deadline, clock_timestamp() + interval '50 ms');
  with page as (
    select h.*, row_number() over (order by h.score desc, h.at desc, coalesce(h.id::text, h.call_sid)) as place
    from unnest(v_batch.hits) as h
    where v_score is null or (h.score, h.at, v_cursor ->> 'k') < (v_score, v_at, coalesce(h.id::text, h.call_sid))
    order by place
    limit p_limit + 1
  )
  select
    coalesce(jsonb_agg(jsonb_build_object(
      'kind', p.kind, 'call_sid', p.call_sid, 'org_id', case when d.id is null then c.org_id else d.org_id end, 'ref', d.ref,
      'at', p.at, 'title', coalesce(d.title, k.name, d.party, c.party, ''),
      'snippet', coalesce(
        s.snippet, public.escape_html(concat_ws(', ', c.party, nullif(c.mode, c.disposition), c.disposition))
      ), 'start_sec', s.start_sec,
      'score', round(p.score::numeric, 6)
    ) order by p.place) filter (
      -- Without what was erased, or went to another owner, since it was found.
      where p.place <= p_limit and case when p.id is null then c.call_sid is not null else d.id is not null end
    ), '[]'),
    count(*), (array_agg(
      jsonb_build_object('s', p.score, 'a', public.to_micros(p.at), 'k', coalesce(p.id::text, p.call_sid)) order by p.place
    ))[p_limit]
  into v_results, v_count, v_last
  from page as p
  -- `offset 0`: one look-up a row of the page, whatever the planner makes of their number.
  left join lateral (select * from public.search_documents as o where o.id = p.id offset 0) as d on true
  left join lateral (
    select * from public.call_logs as o
    where o.call_sid = p.call_sid
      and (p_owner is null or coalesce(o.org_id, '00000000-0000-0000-0000-000000000000') = p_owner)
    offset 0
  ) as c on true
  left join lateral (
    select o.name from public.contacts as o
    where o.owner = coalesce(c.org_id, d.org_id, '00000000-0000-0000-0000-000000000000') and o.phone = coalesce(d.party, c.party)
    offset 0
  ) as k on true
  left join lateral public.search_snippet(
    d.body, d.lang, v_queries[case d.lang when 'english' then 1 when 'french' then 2 else 3 end], d.start_ms, d.end_ms, v_marked
  ) as s on d.id is not null;

  if v_count > p_limit then
    -- The same batch goes on.
    v_next := coalesce(v_cursor, '{}') || v_last;
  elsif v_batch.after <> '{"c": false, "d": false}' then
    v_next := v_batch.after;
  end if;
  v_next := v_next || jsonb_build_object('n', public.to_micros(v_now), 'w', v_way);

  if p_cursor is null and (v_query is not null or p_filters <> '{}') then
    insert into public.search_history (org_id, user_id, words, filters, hits, milliseconds, partial, corrected)
    values (
      nullif(p_owner, '00000000-0000-0000-0000-000000000000'), p_user, left(v_query, 1000),
      array(select jsonb_object_keys(p_filters)), least(cardinality(v_batch.hits), 1000),
      extract(epoch from clock_timestamp() - v_began) * 1000, v_batch.partial, v_way is not null and v_way = 'corrected'
    );
  end if;
  return jsonb_build_object(
    'results', v_results, 'facets', public.search_facets(v_batch.hits),
    'correction', case v_way when 'corrected' then v_meant end,
    'next_cursor', translate(encode(convert_to(v_next::text, 'UTF8'), 'base64'), e'+/\n', '-_'),
    'partial', v_batch.partial, 'meaning', p_embedding is not null and v_query is not null and public.has_vectors()
  );
end
$$;

-- Finds documents and calls of all organisations, or of the one that p_filters names: for operators. p_query: words,
-- "phrases", -not, or, and parts of numbers of 3 digits or more; of more than 64 terms the first 64 count. p_filters: {from, to,
-- number, direction, disposition, mode, line, person, tag, has, min_seconds, max_seconds, org_id}. p_limit: 1 to 100 results.
-- p_cursor: next_cursor of an answer to the same query. p_embedding: the query's meaning as p_model has it; null: words only.
--
-- Returns {results: [{kind, call_sid, org_id, ref, at, title, snippet, start_sec, score}], facets: {kind: {call: 3}, ...},
-- correction, next_cursor, partial, meaning}. `correction`: nothing was found for the query, and this was searched for instead.
-- `partial`: time ran out, and only newer rows were looked at. `meaning`: meanings were compared too.
--
-- Raises PT400 (HTTP 400) with the field in `detail`; 22007 or 22P02 for times and identifiers that are none. SECURITY DEFINER,
-- here and below, because of the history of searches.
create function public.search_calls(
  p_query text default null, p_filters jsonb default '{}', p_limit integer default 20, p_cursor text default null,
  p_embedding real[] default null, p_model text default null
) returns jsonb
language sql volatile security definer set search_path = ''
return public.run_search(
  (p_filters ->> 'org_id')::uuid, null, p_query, p_filters - 'org_id', p_limit, p_cursor, p_embedding, p_model
);

-- The same for a signed-in person, by the claims of a verified token: in the rows of the organisation that they, and the table
-- members, say. Another organisation's identifier finds nothing. Another function, and no matter of the sender's role, so that
-- a request that lost the person on its way finds nothing instead of everything. Raises 42501 without a membership.
create function public.search_calls_of_member(
  p_claims jsonb, p_query text default null, p_filters jsonb default '{}', p_limit integer default 20,
  p_cursor text default null, p_embedding real[] default null, p_model text default null
) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_owner constant uuid := (private.membership_of(p_claims)).owner;
begin
  if v_owner is null then
    raise sqlstate '42501' using message = 'the sender is a member of no organisation';
  end if;
  if p_filters ->> 'org_id' is not null and (p_filters ->> 'org_id')::uuid <> v_owner then
    return jsonb_build_object('results', '[]'::jsonb, 'facets', '{}'::jsonb, 'correction', null, 'next_cursor', null, 'partial', false, 'meaning', false);
  end if;
  return public.run_search(
    v_owner, (p_claims ->> 'sub')::uuid, p_query, p_filters - 'org_id', p_limit, p_cursor, p_embedding, p_model
  );
end
$$;

grant execute on function public.search_calls, public.search_calls_of_member to service_role;
