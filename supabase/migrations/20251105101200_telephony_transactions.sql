-- Onboarding: the organisations' numbers, and the steps that got them. A saga that survives its process:
-- telephony_transactions is its log, and each step is written, with what undoes it, before it is done. While it is
-- unfinished it has a job of kind onboarding, leased by the worker in charge. After the lease has expired, the same
-- request made again or voice-reconcile takes it over, and finishes the work or undoes it. Releasing an organisation is a transaction too: its steps
-- are all that the organisation has, and undoing them is the work.

-- Auth tokens are in Vault, if the platform has it (Supabase does; the local stack does not).
do $block$
begin
  if exists (select from pg_available_extensions where name = 'supabase_vault') then
    create extension if not exists supabase_vault;
  end if;
end
$block$;

create table public.telephony_subaccounts (
  org_id uuid primary key,
  subaccount_sid text not null unique
    constraint telephony_subaccounts_sid_form check (subaccount_sid ~ '^AC[0-9a-fA-F]{32}$'),
  business_name text not null constraint telephony_subaccounts_name_length check (length(business_name) between 1 and 200),
  created_at timestamptz not null default now(),
  -- When it was closed at Twilio. The row stays, because late callbacks of its calls are signed with its token.
  released_at timestamptz
);

alter table public.telephony_subaccounts enable row level security;
create policy telephony_subaccounts_of_own_org on public.telephony_subaccounts
  for select to authenticated using (org_id = (select public.current_owner()) or (select public.runs_installation()));

create table public.telephony_numbers (
  e164_number public.e164 primary key,
  org_id uuid not null references public.telephony_subaccounts (org_id),
  number_sid text not null unique
    constraint telephony_numbers_sid_form check (number_sid ~ '^PN[0-9a-fA-F]{32}$'),
  country text not null constraint telephony_numbers_country_known check (country in ('CA', 'US')),
  provisioned_at timestamptz not null default now(),
  -- For lines: a number of its organisation.
  constraint telephony_numbers_of_org unique (e164_number, org_id)
);

create index telephony_numbers_org_idx on public.telephony_numbers (org_id);

alter table public.telephony_numbers enable row level security;
create policy telephony_numbers_of_own_org on public.telephony_numbers
  for select to authenticated using (org_id = (select public.current_owner()) or (select public.runs_installation()));

create table public.telephony_transactions (
  id uuid primary key default gen_random_uuid(),
  transaction_type text not null constraint telephony_transactions_type_form check (transaction_type ~ '^[a-z][a-z0-9_]{0,63}$'),
  org_id uuid not null,
  status text not null default 'in_progress'
    constraint telephony_transactions_status_known check (status in ('in_progress', 'completed', 'failed', 'rolled_back', 'released')),
  -- In the order they were done.
  steps_completed jsonb not null default '[]'
    constraint telephony_transactions_steps_array check (jsonb_typeof(steps_completed) = 'array'),
  error_message text constraint telephony_transactions_error_length check (length(error_message) <= 2000),
  started_at timestamptz not null default now(),
  completed_at timestamptz,
  -- The request. The same request gets the same answer; a different one is a conflict.
  request jsonb
    constraint telephony_transactions_request_object check (jsonb_typeof(request) = 'object'),
  -- Null: the organisation is the key.
  idempotency_key text
    constraint telephony_transactions_key_length check (length(idempotency_key) between 1 and 255),
  result jsonb
    constraint telephony_transactions_result_object check (jsonb_typeof(result) = 'object'),
  -- It failed and is being undone; it never goes forward again.
  undoing boolean not null default false,
  constraint telephony_transactions_times_in_order check (completed_at >= started_at),
  constraint telephony_transactions_done_when_completed check ((status = 'in_progress') = (completed_at is null)),
  constraint telephony_transactions_onboarding_whole check (
    transaction_type <> 'onboarding'
    or (request is not null and (status <> 'completed' or result is not null))
  )
);

comment on column public.telephony_transactions.steps_completed is
  'The steps in the order they were begun. Onboarding: {step, state: intended, done or undone, undo, and what it made}.';
comment on column public.telephony_transactions.status is
  'in_progress; completed; rolled_back: failed, and nothing is left of it; failed: failed, and undoing it has not worked yet; released: completed, and given back since.';

create index telephony_transactions_org_idx on public.telephony_transactions (org_id, started_at desc);
create index telephony_transactions_failed_idx on public.telephony_transactions (started_at desc)
  where status in ('failed', 'rolled_back');
-- One onboarding or release of an organisation at a time, including one that is being undone: of concurrent requests one
-- insert succeeds.
create unique index telephony_transactions_one_active on public.telephony_transactions (org_id)
  where transaction_type in ('onboarding', 'release') and status in ('in_progress', 'failed');
-- One answer a key, for ever: a later repetition of the request must not buy another number.
create unique index telephony_transactions_one_answer on public.telephony_transactions (org_id, coalesce(idempotency_key, ''))
  where transaction_type = 'onboarding' and status not in ('rolled_back', 'released');
-- For an alert's window.
create index telephony_transactions_ended_idx on public.telephony_transactions (completed_at)
  where status in ('failed', 'rolled_back');

alter table public.telephony_transactions enable row level security;
create policy telephony_transactions_of_own_org on public.telephony_transactions
  for select to authenticated using (org_id = (select public.current_owner()) or (select public.runs_installation()));
create policy telephony_transactions_for_monitoring on public.telephony_transactions for select to monitoring using (true);

-- The sub-accounts' auth tokens: in Vault, or encrypted by the functions (AES-GCM) without Vault. No role has a grant here;
-- only the two functions below read and write it.
create table public.telephony_secrets (
  subaccount_sid text primary key references public.telephony_subaccounts (subaccount_sid) on delete cascade,
  vault_secret_id uuid,
  sealed_token text constraint telephony_secrets_sealed_length check (length(sealed_token) between 1 and 1000),
  updated_at timestamptz not null default now(),
  constraint telephony_secrets_kept_once check ((vault_secret_id is null) <> (sealed_token is null))
);

comment on table public.telephony_secrets is 'Auth tokens of the sub-accounts, encrypted; telephony_tenant reads them.';

alter table public.telephony_secrets enable row level security;
create policy telephony_secrets_of_the_service on public.telephony_secrets
  for select to service_role using (true);

-- Whether Vault can store a token. Reads the catalog, because the caller has no rights in Vault.
create function public.has_vault() returns boolean
language sql stable set search_path = ''
as $$
  select exists (
    select from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = 'vault' and c.relname = 'decrypted_secrets'
  )
$$;

-- A transaction as its worker needs it, beside its job's lease and attempts.
create function public.onboarding_work(t public.telephony_transactions) returns jsonb
language sql stable set search_path = ''
as $$
  select jsonb_build_object(
    'id', t.id, 'type', t.transaction_type, 'org_id', t.org_id, 'request', t.request,
    'steps', t.steps_completed,
    'undoing', t.undoing, 'error', t.error_message, 'vault', public.has_vault(),
    'subaccount_sid', (
      select s.subaccount_sid from public.telephony_subaccounts as s
      where s.org_id = t.org_id and s.released_at is null
    )
  )
$$;

-- Claims a transaction that is due and not leased; null otherwise.
create function public.take_onboarding(p_id uuid) returns jsonb
language sql volatile set search_path = ''
begin atomic
  select j.content || jsonb_build_object('lease', j.lease, 'attempts', j.attempts)
  from public.claim_job('onboarding', p_id::text) as j;
end;

-- Seconds until it may be claimed again.
create function public.onboarding_due_in(p_id uuid) returns integer
language sql stable set search_path = ''
begin atomic
  select greatest(5, ceil(extract(epoch from j.run_at - now())))::integer
  from public.jobs as j where j.kind = 'onboarding' and j.key = p_id::text;
end;

-- Renews the lease of a transaction. Raises PT409 (HTTP 409) when another worker has taken over, or it is over.
create function public.hold_onboarding(p_id uuid, p_lease uuid) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if not coalesce((
    select public.renew_job(j.id, p_lease) from public.jobs as j where j.kind = 'onboarding' and j.key = p_id::text
  ), false) then
    raise sqlstate 'PT409' using message = 'this onboarding is in other hands, or over';
  end if;
end
$$;

-- Ends the job of a finished transaction, whatever worker holds it.
create function public.end_onboarding_job(p_id uuid, p_lease uuid) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if not coalesce((
    select public.job_done(j.id, p_lease) from public.jobs as j where j.kind = 'onboarding' and j.key = p_id::text
  ), false) then
    raise sqlstate 'PT409' using message = 'this onboarding is in other hands, or over';
  end if;
end
$$;

-- Begins an onboarding, or returns its state:
--   {outcome: started, work}             the caller has the lease and does the work
--   {outcome: completed, result}
--   {outcome: in_progress, retry_after}  another worker has it, or it is being undone
--   {outcome: conflict}                  the key, or without a key the organisation, belongs to another request
--   {outcome: enough}                    the organisation has a number, and p_further is false
--   {outcome: no_flow}                   the organisation has not published the flow that the number is to follow
create function public.begin_onboarding(
  p_org_id uuid, p_request jsonb, p_key text default null, p_further boolean default true
) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  t public.telephony_transactions;
  v_work jsonb;
begin
  for v_look in 1..2 loop
    select * into t from public.telephony_transactions as known
    where known.transaction_type = 'onboarding' and known.org_id = p_org_id
      and known.status not in ('rolled_back', 'released')
      and (p_key is null or known.idempotency_key = p_key)
    order by known.started_at, known.id limit 1;
    exit when found;

    -- Waits for a concurrent insert and then does nothing: the unique indexes decide.
    insert into public.telephony_transactions
      (transaction_type, org_id, request, idempotency_key)
    values ('onboarding', p_org_id, p_request, p_key)
    on conflict do nothing
    returning * into t;
    if found then
      -- Read after the insert: an onboarding that was active a moment ago is visible now.
      if not p_further and exists (select from public.telephony_numbers as n where n.org_id = p_org_id) then
        delete from public.telephony_transactions as mine where mine.id = t.id;
        return jsonb_build_object('outcome', 'enough');
      end if;
      if p_request ? 'flow' and public.current_version(p_org_id, p_request ->> 'flow') is null then
        delete from public.telephony_transactions as mine where mine.id = t.id;
        return jsonb_build_object('outcome', 'no_flow');
      end if;
      perform public.enqueue_job('onboarding', t.id::text);
      return jsonb_build_object('outcome', 'started', 'work', public.take_onboarding(t.id));
    end if;
  end loop;

  -- Another onboarding of this organisation, with its own key.
  if t.id is null then
    return jsonb_build_object('outcome', 'in_progress', 'retry_after', 5);
  end if;
  if t.request <> p_request then
    return jsonb_build_object('outcome', 'conflict');
  end if;
  if t.status = 'completed' then
    return jsonb_build_object('outcome', 'completed', 'result', t.result);
  end if;

  -- The same request after its worker died: this caller finishes it.
  if t.status = 'in_progress' and not t.undoing then
    v_work := public.take_onboarding(t.id);
    if v_work is not null then
      return jsonb_build_object('outcome', 'started', 'work', v_work);
    end if;
  end if;
  return jsonb_build_object(
    'outcome', 'in_progress',
    -- Work in progress takes seconds; a retry of an undo waits longer.
    'retry_after', case when t.status = 'in_progress' and not t.undoing then 5
      else coalesce(public.onboarding_due_in(t.id), 5) end
  );
end
$$;

-- Begins to release an organisation, or returns the state:
--   {outcome: started, work}
--   {outcome: in_progress, retry_after}  another worker has it, or an onboarding is in progress
--   {outcome: released, result}          released before, and nothing since
--   {outcome: nothing}                   it never had anything
create function public.begin_release(p_org_id uuid) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  t public.telephony_transactions;
  v_active public.telephony_transactions;
  v_work jsonb;
begin
  insert into public.telephony_transactions
    (transaction_type, org_id, undoing, steps_completed)
  select
    'release', s.org_id, true,
    jsonb_build_object(
      'step', 'subaccount', 'state', 'done', 'undo', 'close_subaccount', 'subaccount_sid', s.subaccount_sid
    ) || coalesce((
      select jsonb_agg(
        jsonb_build_object(
          'step', 'number', 'state', 'done', 'undo', 'release_number', 'number', n.e164_number, 'number_sid', n.number_sid
        ) order by n.e164_number
      ) from public.telephony_numbers as n where n.org_id = s.org_id
    ), '[]')
  from public.telephony_subaccounts as s where s.org_id = p_org_id and s.released_at is null
  on conflict do nothing
  returning * into t;
  if found then
    perform public.enqueue_job('onboarding', t.id::text);
    return jsonb_build_object('outcome', 'started', 'work', public.take_onboarding(t.id));
  end if;

  select * into v_active from public.telephony_transactions as a
  where a.org_id = p_org_id and a.transaction_type in ('onboarding', 'release') and a.status in ('in_progress', 'failed');
  if found then
    -- Its worker died: this caller finishes it.
    if v_active.transaction_type = 'release' then
      v_work := public.take_onboarding(v_active.id);
      if v_work is not null then
        return jsonb_build_object('outcome', 'started', 'work', v_work);
      end if;
    end if;
    return jsonb_build_object(
      'outcome', 'in_progress', 'retry_after', coalesce(public.onboarding_due_in(v_active.id), 5)
    );
  end if;

  select * into t from public.telephony_transactions as r
  where r.org_id = p_org_id and r.transaction_type = 'release' and r.status = 'completed'
  order by r.completed_at desc limit 1;
  return case when found then jsonb_build_object('outcome', 'released', 'result', t.result)
    else jsonb_build_object('outcome', 'nothing') end;
end
$$;

-- Ends a release: the organisation has nothing at Twilio and may be onboarded again. Its calls, transactions and the closed
-- sub-account stay. Raises PT409 when another worker has taken over.
create function public.complete_release(p_id uuid, p_lease_token uuid, p_steps jsonb, p_result jsonb) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_org_id uuid;
begin
  perform public.end_onboarding_job(p_id, p_lease_token);
  update public.telephony_transactions as t set
    status = 'completed', steps_completed = p_steps, result = p_result, error_message = null,
    completed_at = clock_timestamp()
  where t.id = p_id and t.transaction_type = 'release' and t.status in ('in_progress', 'failed')
  returning t.org_id into strict v_org_id;
  delete from public.telephony_numbers as n where n.org_id = v_org_id;
  update public.telephony_subaccounts as s set released_at = now() where s.org_id = v_org_id;
  update public.telephony_transactions as t set status = 'released'
  where t.org_id = v_org_id and t.transaction_type = 'onboarding' and t.status = 'completed';
end
$$;

-- Writes the steps and renews the lease. p_error: the failure; from then on it is being undone. Raises PT409 (HTTP 409)
-- when another worker has taken over.
create function public.save_onboarding(
  p_id uuid, p_lease_token uuid, p_steps jsonb, p_error text default null
) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  perform public.hold_onboarding(p_id, p_lease_token);
  update public.telephony_transactions as t set
    steps_completed = p_steps,
    undoing = t.undoing or p_error is not null,
    error_message = coalesce(p_error, t.error_message)
  where t.id = p_id;
end
$$;

-- Ends an attempt to undo: rolled_back when nothing is left, otherwise failed and retried by the rules of its kind. Raises
-- PT409 when another worker has taken over.
create function public.end_onboarding(
  p_id uuid, p_lease_token uuid, p_status text, p_steps jsonb, p_error text
) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  if p_status = 'rolled_back' then
    perform public.end_onboarding_job(p_id, p_lease_token);
  else
    perform public.hold_onboarding(p_id, p_lease_token);
    perform public.job_failed(j.id, p_lease_token, 'not undone')
    from public.jobs as j where j.kind = 'onboarding' and j.key = p_id::text;
  end if;
  update public.telephony_transactions as t set
    status = p_status, steps_completed = p_steps, error_message = p_error, undoing = true,
    completed_at = clock_timestamp()
  where t.id = p_id;
end
$$;

-- Stores a sub-account's auth token: p_token in Vault, or p_sealed without Vault. SECURITY DEFINER because only the owner
-- may write the table and Vault.
create function public.keep_telephony_token(p_subaccount_sid text, p_token text, p_sealed text) returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_name constant text := 'twilio_auth_token_' || p_subaccount_sid;
  v_id uuid;
begin
  if p_token is not null then
    execute 'select id from vault.secrets where name = $1' into v_id using v_name;
    if v_id is null then
      execute 'select vault.create_secret($1, $2, $3)' into v_id
        using p_token, v_name, 'Auth token of a Twilio sub-account; see telephony_secrets.';
    else
      execute 'select vault.update_secret($1, $2)' using v_id, p_token;
    end if;
  end if;
  insert into public.telephony_secrets as s (subaccount_sid, vault_secret_id, sealed_token)
  values (p_subaccount_sid, v_id, p_sealed)
  on conflict (subaccount_sid) do update
    set vault_secret_id = excluded.vault_secret_id, sealed_token = excluded.sealed_token, updated_at = now();
end
$$;

-- Deletes the token of a closed sub-account. SECURITY DEFINER as keep_telephony_token.
create function public.forget_telephony_token(p_subaccount_sid text) returns void
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_secret_id uuid;
begin
  delete from public.telephony_secrets as s where s.subaccount_sid = p_subaccount_sid
  returning s.vault_secret_id into v_secret_id;
  if v_secret_id is not null then
    execute 'delete from vault.secrets where id = $1' using v_secret_id;
  end if;
end
$$;

-- Completes an onboarding: stores what it made in the same transaction. p_made: {subaccount_sid, business_name,
-- number: {e164_number, number_sid, country}, token or sealed_token of a new sub-account, result}. Raises PT409 when
-- another worker has taken over.
create function public.complete_onboarding(p_id uuid, p_lease_token uuid, p_steps jsonb, p_made jsonb) returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_org_id uuid;
  v_flow text;
begin
  perform public.end_onboarding_job(p_id, p_lease_token);
  update public.telephony_transactions as t set
    status = 'completed', steps_completed = p_steps, result = p_made -> 'result', completed_at = clock_timestamp()
  where t.id = p_id and t.status = 'in_progress' and not t.undoing
  returning t.org_id, t.request ->> 'flow' into v_org_id, v_flow;
  if not found then
    raise sqlstate 'PT409' using message = 'this onboarding is in other hands, or over';
  end if;

  -- Replaces the sub-account of an organisation that was released.
  perform public.forget_telephony_token(s.subaccount_sid) from public.telephony_subaccounts as s
  where s.org_id = v_org_id and s.released_at is not null;
  insert into public.telephony_subaccounts as s (org_id, subaccount_sid, business_name)
  values (v_org_id, p_made ->> 'subaccount_sid', p_made ->> 'business_name')
  on conflict (org_id) do update
    set subaccount_sid = excluded.subaccount_sid, business_name = excluded.business_name, released_at = null;
  if p_made ?| array['token', 'sealed_token'] then
    perform public.keep_telephony_token(
      p_made ->> 'subaccount_sid', p_made ->> 'token', p_made ->> 'sealed_token'
    );
  end if;
  -- The flow of the number's previous owner is not kept.
  delete from public.lines as l
  where l.line = p_made #>> '{number,e164_number}' and l.org_id is distinct from v_org_id;
  insert into public.telephony_numbers as n (e164_number, org_id, number_sid, country)
  select m.e164_number, v_org_id, m.number_sid, m.country
  from jsonb_to_record(p_made -> 'number') as m(e164_number text, number_sid text, country text)
  -- A previous owner released this number, or Twilio would not have sold it.
  on conflict (e164_number) do update
    set org_id = excluded.org_id, number_sid = excluded.number_sid, country = excluded.country,
      provisioned_at = now();
  insert into public.lines (line, org_id, flow_id)
  select p_made #>> '{number,e164_number}', v_org_id, f.id
  from public.call_flows as f join public.call_flow_pointers as p on p.flow_id = f.id
  where f.org_id = v_org_id and f.name = v_flow
  on conflict (line, org_id) do update set flow_id = excluded.flow_id;
end
$$;

-- The accounts and numbers of unfinished onboardings, because a number takes calls from the moment that it is bound.
-- `account` is the sub-account's SID; `number` is null before the purchase.
create function public.running_onboardings()
returns table (org_id uuid, account text, sealed_token text, number text, business_name text)
language sql stable set search_path = ''
as $$
  select
    t.org_id, s.account ->> 'subaccount_sid', s.account ->> 'sealed_token', s.number ->> 'number',
    t.request ->> 'business_name'
  from public.telephony_transactions as t
  cross join lateral (
    select
      jsonb_path_query_first(t.steps_completed, '$[*] ? (@.step == "subaccount" && @.state != "undone")') as account,
      jsonb_path_query_first(
        t.steps_completed, '$[*] ? (@.step == "number" && @.state != "undone" && exists (@.number_sid))'
      ) as number
  ) as s
  where t.transaction_type = 'onboarding' and t.status in ('in_progress', 'failed')
    and s.account ->> 'subaccount_sid' is not null
$$;

-- The organisation that a sub-account belongs to; null: none.
create function public.organisation_of(p_account_sid text) returns uuid
-- plpgsql: its plan is kept.
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select coalesce(
      (select s.org_id from public.telephony_subaccounts as s where s.subaccount_sid = p_account_sid),
      (select r.org_id from public.running_onboardings() as r where r.account = p_account_sid limit 1)
    )
  );
end
$$;

-- An account's organisation, the token that signs its webhooks, and its business name; null for an account of no
-- organisation. SECURITY DEFINER because the tokens are readable only here.
create function public.telephony_tenant(p_account_sid text) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_org_id constant uuid := public.organisation_of(p_account_sid);
  v_tenant jsonb;
  v_secret_id uuid;
  v_token text;
begin
  if v_org_id is null then
    return null;
  end if;
  select s.vault_secret_id into v_secret_id
  from public.telephony_secrets as s where s.subaccount_sid = p_account_sid;
  v_tenant := jsonb_build_object(
    'org_id', v_org_id,
    'running', not exists (select from public.telephony_subaccounts as s where s.subaccount_sid = p_account_sid),
    'sealed_token', coalesce(
      (select s.sealed_token from public.telephony_secrets as s where s.subaccount_sid = p_account_sid),
      (select r.sealed_token from public.running_onboardings() as r where r.account = p_account_sid limit 1)
    ),
    'business_name', coalesce(
      (select s.business_name from public.telephony_subaccounts as s where s.subaccount_sid = p_account_sid),
      (select r.business_name from public.running_onboardings() as r where r.account = p_account_sid limit 1)
    )
  );
  if v_secret_id is not null then
    execute 'select decrypted_secret from vault.decrypted_secrets where id = $1' into v_token using v_secret_id;
    v_tenant := v_tenant || jsonb_build_object('token', v_token);
  end if;
  return v_tenant;
end
$$;

-- The SIDs of all accounts that are onboarded or being onboarded, so that unknown accounts need no look-up each.
create function public.telephony_accounts() returns jsonb
language sql stable set search_path = ''
as $$
  select coalesce(jsonb_agg(a.sid), '[]') from (
    select s.subaccount_sid as sid from public.telephony_subaccounts as s
    union select r.account from public.running_onboardings() as r
  ) as a
$$;

create view public.failed_transactions with (security_invoker = true) as
select
  id, transaction_type, org_id, error_message, steps_completed, started_at, completed_at,
  extract(epoch from completed_at - started_at)::numeric(12, 3) as duration_seconds
from public.telephony_transactions
where status in ('failed', 'rolled_back')
order by started_at desc;

comment on view public.failed_transactions is 'Failed onboardings and their finished steps.';

create view public.number_provisioning_status with (security_invoker = true) as
select
  n.org_id, n.e164_number, n.country, s.business_name, s.subaccount_sid, n.provisioned_at,
  (
    select count(*) from public.call_logs as c
    where c.line = n.e164_number and c.started_at > now() - interval '24 hours'
  ) as calls_last_24h
from public.telephony_numbers as n
join public.telephony_subaccounts as s using (org_id);

comment on view public.number_provisioning_status is 'Each onboarded number, its organisation, and its calls of the last 24 hours.';

grant select on
  public.telephony_subaccounts, public.telephony_numbers, public.telephony_transactions
  to authenticated;
grant select on public.failed_transactions, public.number_provisioning_status to authenticated, service_role;
grant select, insert, update on public.telephony_subaccounts, public.telephony_numbers to service_role;
-- For complete_release.
grant delete on public.telephony_numbers to service_role;
-- Delete: for begin_onboarding, which may delete the row that it has just inserted.
grant select, insert, update, delete on public.telephony_transactions to service_role;
grant select (
  transaction_type, status, started_at, completed_at
) on public.telephony_transactions to monitoring;
grant execute on function
  public.has_vault, public.onboarding_work, public.take_onboarding, public.onboarding_due_in, public.hold_onboarding,
  public.end_onboarding_job, public.begin_onboarding, public.begin_release,
  public.complete_release, public.forget_telephony_token,
  public.save_onboarding, public.end_onboarding, public.keep_telephony_token, public.complete_onboarding,
  public.telephony_tenant, public.telephony_accounts,
  public.running_onboardings, public.organisation_of
  to service_role;
