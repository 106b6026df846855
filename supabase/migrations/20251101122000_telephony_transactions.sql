-- Onboarding: whose numbers these are, and what was done, step by step, to get them.

create table public.telephony_subaccounts (
  org_id uuid primary key,
  subaccount_sid text not null unique
    constraint telephony_subaccounts_sid_form check (subaccount_sid ~ '^AC[0-9a-fA-F]{32}$'),
  business_name text not null constraint telephony_subaccounts_name_length check (length(business_name) between 1 and 200),
  created_at timestamptz not null default now()
);

create table public.telephony_numbers (
  e164_number public.e164 primary key,
  org_id uuid not null references public.telephony_subaccounts (org_id),
  number_sid text not null unique
    constraint telephony_numbers_sid_form check (number_sid ~ '^PN[0-9a-fA-F]{32}$'),
  country text not null constraint telephony_numbers_country_known check (country in ('CA', 'US')),
  provisioned_at timestamptz not null default now()
);

create index telephony_numbers_org_idx on public.telephony_numbers (org_id);

create table public.telephony_transactions (
  id uuid primary key default gen_random_uuid(),
  transaction_type text not null constraint telephony_transactions_type_form check (transaction_type ~ '^[a-z][a-z0-9_]{0,63}$'),
  org_id uuid not null,
  status text not null default 'in_progress'
    constraint telephony_transactions_status_known check (status in ('in_progress', 'completed', 'failed', 'rolled_back')),
  -- In the order they were done.
  steps_completed jsonb not null default '[]'
    constraint telephony_transactions_steps_array check (jsonb_typeof(steps_completed) = 'array'),
  error_message text constraint telephony_transactions_error_length check (length(error_message) <= 2000),
  started_at timestamptz not null default now(),
  completed_at timestamptz,
  constraint telephony_transactions_times_in_order check (completed_at >= started_at),
  constraint telephony_transactions_done_when_completed check ((status = 'in_progress') = (completed_at is null))
);

create index telephony_transactions_org_idx on public.telephony_transactions (org_id, started_at desc);
create index telephony_transactions_failed_idx on public.telephony_transactions (started_at desc)
  where status in ('failed', 'rolled_back');

alter table public.telephony_subaccounts enable row level security;
alter table public.telephony_numbers enable row level security;
alter table public.telephony_transactions enable row level security;

create policy telephony_subaccounts_of_own_org on public.telephony_subaccounts
  for select to authenticated using (org_id = (select public.current_org_id()));
create policy telephony_numbers_of_own_org on public.telephony_numbers
  for select to authenticated using (org_id = (select public.current_org_id()));
create policy telephony_transactions_of_own_org on public.telephony_transactions
  for select to authenticated using (org_id = (select public.current_org_id()));

revoke all on public.telephony_subaccounts, public.telephony_numbers, public.telephony_transactions
  from anon, authenticated, service_role;
grant select on public.telephony_subaccounts, public.telephony_numbers, public.telephony_transactions
  to authenticated;
grant select, insert, update, delete on public.telephony_subaccounts, public.telephony_numbers to service_role;
grant select, insert, update on public.telephony_transactions to service_role;
