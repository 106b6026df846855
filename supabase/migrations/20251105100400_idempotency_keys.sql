-- Requests that were done, with their answers: a repeated request gets the same answer.

create table public.idempotency_keys (
  key text primary key constraint idempotency_keys_key_length check (length(key) between 1 and 255),
  operation text not null constraint idempotency_keys_operation_form check (operation ~ '^[a-z][a-z0-9-]{0,63}$'),
  -- SHA-256 of the request. The same key with another hash is a different request and is refused.
  request_hash bytea not null constraint idempotency_keys_request_hash_length check (length(request_hash) = 32),
  status text not null
    constraint idempotency_keys_status_known check (status in ('in_progress', 'completed', 'failed')),
  result jsonb,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  constraint idempotency_keys_completed_has_result check (status <> 'completed' or result is not null)
);

comment on table public.idempotency_keys is 'One row an accepted request, with its answer, until it expires.';

create index idempotency_keys_expires_idx on public.idempotency_keys (expires_at);

alter table public.idempotency_keys enable row level security;
create policy idempotency_keys_of_the_service on public.idempotency_keys
  for select to service_role using (true);

-- Deletes at most p_batch expired keys and returns how many; safe to run twice at once. A bounded
-- batch keeps the purge's locks and its WAL short: call it again while it returns p_batch.
create function public.purge_idempotency_keys(p_batch integer default 1000) returns integer
language sql volatile set search_path = ''
as $$
  with doomed as (
    select k.key from public.idempotency_keys as k
    where k.expires_at < now()
    order by k.expires_at
    limit p_batch
    for update skip locked
  ), gone as (
    delete from public.idempotency_keys as k using doomed where k.key = doomed.key returning 1
  )
  select count(*)::integer from gone
$$;

grant select, insert, update, delete on public.idempotency_keys to service_role;
grant execute on function public.purge_idempotency_keys to service_role;
