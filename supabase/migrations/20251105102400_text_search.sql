-- How texts become words that are searched for, and what a query means.

do $block$
declare
  v_name text;
begin
  -- In Supabase's schema for extensions. btree_gin: one index of owner and words; fuzzystrmatch: the distance of two words.
  foreach v_name in array array['unaccent', 'pg_trgm', 'btree_gin', 'fuzzystrmatch'] loop
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

-- A query in its terms: words, "phrases", -not and or. Of a longer query the first 64 terms count, and no term of more than 100
-- characters. `alternative` counts the parts that `or` divides it into.
create function public.search_terms(p_query text)
returns table (nth integer, alternative integer, negated boolean, phrase boolean, word text)
-- plpgsql, here and below: its plans are kept.
language plpgsql immutable set search_path = ''
as $$
declare
  v_token text[];
begin
  nth := 0;
  alternative := 0;
  for v_token in select regexp_matches(left(p_query, 4000), '(-?)(?:"([^"]*)"?|([^\s"]+))', 'g') limit 64 loop
    nth := nth + 1;
    negated := v_token[1] = '-';
    phrase := v_token[2] is not null;
    word := coalesce(v_token[2], v_token[3]);
    if not phrase and not negated and lower(word) = 'or' then
      alternative := alternative + 1;
    elsif length(word) <= 100 then
      return next;
    end if;
  end loop;
end
$$;

-- What a term means in a language: its stems in their order, or, for names, the words themselves. Null: a stop word.
create function public.term_query(p_word text, p_lang text) returns tsquery
language plpgsql immutable set search_path = ''
as $$
declare
  v_stems constant tsquery := case p_lang
    when 'english' then phraseto_tsquery('public.search_english', p_word)
    when 'french' then phraseto_tsquery('public.search_french', p_word)
    else phraseto_tsquery('public.search_spanish', p_word)
  end;
  v_names constant tsquery := phraseto_tsquery('public.search_names', p_word);
begin
  return case when numnode(v_stems) = 0 then null when v_stems = v_names then v_stems else v_stems || v_names end;
end
$$;

-- What a query means for texts in a language; null: nothing. A stop word counts only where all terms are stop words: it may be a
-- name.
create function public.search_query(p_query text, p_lang text) returns tsquery
language plpgsql immutable set search_path = ''
as $$
declare
  v_term record;
  v_tsquery tsquery;
  v_all tsquery;
  v_any tsquery;
  v_names tsquery;
  v_alternative integer := 0;
begin
  for v_term in select * from public.search_terms(p_query) loop
    if v_term.alternative > v_alternative then
      v_any := coalesce(v_any || v_all, v_all, v_any);
      v_all := null;
      v_alternative := v_term.alternative;
    end if;
    v_tsquery := public.term_query(v_term.word, p_lang);
    if v_tsquery is null then
      v_tsquery := phraseto_tsquery('public.search_names', v_term.word);
      if numnode(v_tsquery) > 0 and not v_term.negated then
        v_names := coalesce(v_names && v_tsquery, v_tsquery);
      end if;
      continue;
    end if;
    if v_term.negated then
      v_tsquery := !!v_tsquery;
    end if;
    v_all := coalesce(v_all && v_tsquery, v_tsquery);
  end loop;
  return coalesce(v_any || v_all, v_all, v_any, v_names);
end
$$;

grant execute on function public.search_terms, public.term_query, public.search_query to service_role;
