-- Search by meaning, where pgvector is there: an embedding of each document, made by a job after the document was written.
-- Without pgvector no embedding is made, and search goes by words only.

create table public.search_embeddings (
  document_id bigint primary key references public.search_documents (id) on delete cascade,
  owner uuid not null,
  -- Embeddings of different models cannot be compared.
  model text not null constraint search_embeddings_model_length check (length(model) between 1 and 64),
  -- Of unit length. No vector, because the type is not everywhere.
  embedding real[] not null constraint search_embeddings_dimensions check (cardinality(embedding) = 384),
  made_at timestamptz not null default now()
);

comment on table public.search_embeddings is 'The meaning of a document as numbers, for search by meaning. Empty without pgvector.';

alter table public.search_embeddings enable row level security;
create policy search_embeddings_of_the_service on public.search_embeddings for select to service_role using (true);
grant select on public.search_embeddings to service_role;

-- What is embedded of a document.
create function public.embedded_text(p_document public.search_documents) returns text
language sql immutable set search_path = ''
return left(concat_ws(E'\n', p_document.title, p_document.body), 2000);

-- The key of a document's job: another text is another job.
create function public.embedding_key(p_document public.search_documents) returns text
language sql immutable set search_path = ''
return p_document.id || '/' || md5(public.embedded_text(p_document));

-- {text}; null: the document was erased, or its text is another by now.
create function public.embedding_content(p_key text) returns jsonb
language sql stable set search_path = ''
as $$
  select jsonb_build_object('text', public.embedded_text(d))
  from public.search_documents as d
  where d.id = split_part(p_key, '/', 1)::bigint and public.embedding_key(d) = p_key
$$;

-- Keeps an embedding of the text that its key names; false: there is no such text any more. SECURITY DEFINER, because nothing
-- else writes this table.
create function public.store_embedding(p_key text, p_model text, p_embedding real[]) returns boolean
language sql volatile security definer set search_path = ''
as $$
  with document as (
    -- Locked, so that the key is that of the text that stays.
    select d.id, d.owner, public.embedding_key(d) as key from public.search_documents as d
    where d.id = split_part(p_key, '/', 1)::bigint for share
  ), stored as (
    insert into public.search_embeddings as e (document_id, owner, model, embedding)
    select d.id, d.owner, p_model, p_embedding from document as d where d.key = p_key
    on conflict (document_id) do update set model = excluded.model, embedding = excluded.embedding, made_at = now()
    returning 1
  )
  select exists (select from stored)
$$;

-- Enqueues the embedding of a document.
create function public.owe_embedding(p_document public.search_documents) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform public.enqueue_job(
    'embedding', public.embedding_key(p_document), jsonb_strip_nulls(jsonb_build_object('call_sid', p_document.call_sid))
  );
end
$$;

-- Enqueues every document without an embedding of this model, after pgvector was enabled or the model changed.
create function public.owe_embeddings(p_model text) returns bigint
language sql volatile set search_path = ''
as $$
  with owed as (
    select public.owe_embedding(d) from public.search_documents as d
    where not exists (
      select from public.search_embeddings as e where e.document_id = d.id and e.model = p_model
    )
  )
  select count(*) from owed
$$;

create function public.embed_document() returns trigger
language plpgsql volatile set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' then
    delete from public.search_embeddings as e where e.document_id = new.id;
  end if;
  perform public.owe_embedding(new);
  return null;
end
$$;

-- Whether embeddings can be compared here.
create function public.has_vectors() returns boolean
language sql stable set search_path = ''
return to_regtype('extensions.vector') is not null;

-- The documents that are nearest in meaning, the nearest first. p_owner null: of every owner. Of at most p_exact documents
-- all are compared, because the index finds an approximation, and little where one owner has a small part of it.
create function public.nearest_documents(
  p_owner uuid, p_model text, p_embedding real[], p_limit integer, p_exact integer default 20000
) returns table (document_id bigint, distance double precision)
language plpgsql volatile set search_path = ''
as $$
declare
  v_few boolean;
begin
  if not public.has_vectors() then
    return;
  end if;
  v_few := p_owner is not null and (
    select count(*) from (
      select from public.search_embeddings as e where e.owner = p_owner and e.model = p_model limit p_exact + 1
    ) as first
  ) <= p_exact;
  -- Otherwise the index stops at 40 neighbours of all owners.
  perform set_config('hnsw.iterative_scan', 'strict_order', true);
  return query execute format(
    $sql$
      select n.document_id, n.distance from (
        select e.document_id, e.embedding::extensions.halfvec(384) operator(extensions.<=>) $1::extensions.halfvec(384) as distance
        from public.search_embeddings as e
        where e.model = $2 %s
        %s
      ) as n
      order by n.distance, n.document_id
      limit $3
    $sql$,
    case when p_owner is null then '' else 'and e.owner = $4' end,
    case when v_few then 'offset 0' else 'order by 2 limit $3' end
  ) using p_embedding, p_model, p_limit, p_owner;
end
$$;

do $block$
begin
  if exists (select from pg_available_extensions where name = 'vector') then
    create extension if not exists vector with schema extensions;
    create index search_embeddings_owner_idx on public.search_embeddings (owner, model);
    create index search_embeddings_nearest_idx on public.search_embeddings
      using hnsw ((embedding::extensions.halfvec(384)) extensions.halfvec_cosine_ops);
    create trigger search_documents_embedded after insert or update of title, body on public.search_documents
      for each row execute function public.embed_document();
  end if;
end
$block$;

grant execute on function public.embedded_text, public.embedding_key, public.embedding_content, public.store_embedding,
  public.owe_embedding, public.owe_embeddings, public.has_vectors, public.nearest_documents to service_role;
