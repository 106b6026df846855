-- Every event of a call.

-- Outside the Data API's schema: a month is never queried by its name.
create schema months;

-- What an event tells of, as calls/events.ts has it: steps taken with the caller, what Twilio reports, and what was found
-- out by asking it.
create type public.call_event as enum (
  'arrived', 'consent', 'menu', 'route', 'key_pressed', 'dial_ended', 'queue_waited', 'queue_left', 'agent_left', 'voicemail_offered',
  'voicemail_recorded', 'status', 'leg_status', 'leg_asked', 'leg_accepted', 'leg_declined', 'recording', 'transcription',
  'reconciled', 'leg_reconciled', 'recording_reconciled', 'settled', 'closed_unheard'
);

-- The answer to an event: the call at that moment.
create type public.voice_answer as (
  admitted boolean,
  status public.call_status,
  mode text,
  consent_given boolean,
  facts jsonb               -- see call_facts
);

-- Partitioned by the month of receipt. An expired month is dropped, which costs the same for any number of rows and leaves
-- no work for autovacuum. These are nine of ten rows of a call.
--
-- call_logs stays one table: its key is call_sid, and a partitioned table's key must hold what it is partitioned by, so
-- two months could each have a row of one call. Its rows are erased one by one, a tenth of all rows.
create table public.call_lifecycle (
  id bigint generated always as identity,
  call_sid text not null constraint call_lifecycle_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  -- The leg that the event is about: the call itself, or a child that it dialled.
  leg_sid text not null constraint call_lifecycle_leg_sid_form check (leg_sid ~ '^CA[0-9a-fA-F]{32}$'),
  parent_call_sid text constraint call_lifecycle_parent_form check (parent_call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  event public.call_event not null,
  -- Twilio's status of the event's subject: a call, a leg, a recording or a transcription.
  status text constraint call_lifecycle_status_form check (status ~ '^[a-z][a-z-]{0,31}$'),
  sequence_number integer constraint call_lifecycle_sequence_range check (sequence_number >= 0),
  occurred_at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  meta jsonb not null default '{}' constraint call_lifecycle_meta_object check (jsonb_typeof(meta) = 'object'),
  -- The nodes of a published flow that it led the call through: [{version, node, outcome}], the last without an outcome
  -- where the call waits there; see walk_flow.
  path jsonb constraint call_lifecycle_path_array check (jsonb_typeof(path) = 'array'),
  -- The event's identity, request and answer: a repeated event gets the same answer while its call is kept. Hashes of 64 bits,
  -- which must differ only among the events of one call.
  identity_hash bigint,
  request_hash bigint,
  answer public.voice_answer,
  primary key (received_at, id)
) partition by range (received_at);

comment on table public.call_lifecycle is 'Every accepted event, append-only, by the month it was received in. No foreign key to call_logs: the events outlive what is folded from them.';

create index call_lifecycle_call_idx on public.call_lifecycle (call_sid, received_at);

alter table public.call_lifecycle enable row level security;
create policy call_lifecycle_of_own_org on public.call_lifecycle
  for select to authenticated
  using (exists (select from public.call_logs as c where c.call_sid = call_lifecycle.call_sid));
create policy call_lifecycle_for_monitoring on public.call_lifecycle for select to monitoring using (true);

-- For events of a month without a partition, so that every event has a place, whatever the workers do.
create table months.call_lifecycle_other partition of public.call_lifecycle default;
alter table months.call_lifecycle_other enable row level security;
-- Months are reached through their table, whose policies hold; a month itself has no grants.
create policy months_of_the_service on months.call_lifecycle_other for select to service_role using (true);

-- Makes the coming months, and drops expired ones: their days are over, and no call of them is left. Returns how many it
-- made and dropped. SECURITY DEFINER because only the owner may do this, and the function does nothing else.
--
-- A month is made before its first event or after its last one: events written while their month is being made would be
-- refused. So the events of a late month stay in call_lifecycle_other until the month is over.
create function public.keep_call_months() returns jsonb
-- Callers would queue behind a waiting DROP, so it gives up and the next run retries. Months are in UTC.
language plpgsql volatile security definer set search_path = '' set lock_timeout = '500ms' set timezone = 'UTC'
as $$
declare
  v_this constant timestamptz := date_trunc('month', now());
  v_kept constant interval := make_interval(
    days => (select max(days) from public.retention_rules where subject in ('calls', 'voicemails'))
  );
  v_month timestamptz;
  v_name text;
  v_made integer := 0;
  v_dropped integer := 0;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('keep_call_months', 0)) then
    return jsonb_build_object('made', 0, 'dropped', 0);
  end if;

  for v_month in
    select m from (
      select generate_series(v_this, v_this + interval '2 months', interval '1 month')
      union
      select date_trunc('month', o.received_at) from months.call_lifecycle_other as o
    ) as wanted(m)
    where to_regclass(to_char(m, '"months.call_lifecycle_"YYYY_MM')) is null
      and case
        when m > v_this then true
        when m = v_this then not exists (select from public.call_lifecycle)
        -- Moved while no session writes to either table.
        else to_regclass(to_char(v_this, '"months.call_lifecycle_"YYYY_MM')) is not null
      end
    order by m
  loop
    v_name := to_char(v_month, '"call_lifecycle_"YYYY_MM');
    lock table months.call_lifecycle_other in access exclusive mode;
    -- Attached, because creating a partition would lock all months for reading and writing.
    execute format('create table months.%I (like public.call_lifecycle including defaults including constraints)', v_name);
    execute format('alter table months.%I enable row level security', v_name);
    execute format('create policy months_of_the_service on months.%I for select to service_role using (true)', v_name);
    execute format(
      'with moved as (delete from months.call_lifecycle_other where received_at >= %L and received_at < %L returning *)
       insert into months.%I select * from moved',
      v_month, v_month + interval '1 month', v_name
    );
    execute format(
      'alter table public.call_lifecycle attach partition months.%I for values from (%L) to (%L)',
      v_name, v_month, v_month + interval '1 month'
    );
    v_made := v_made + 1;
  end loop;

  for v_month, v_name in
    select m, to_char(m, '"call_lifecycle_"YYYY_MM')
    from (
      select to_date(right(t.tablename, 7), 'YYYY_MM')::timestamptz as m
      from pg_catalog.pg_tables as t
      where t.schemaname = 'months' and t.tablename ~ '^call_lifecycle_[0-9]{4}_[0-9]{2}$'
    ) as made
    where m + interval '1 month' < now() - v_kept
      and not exists (select from public.call_logs as c where c.started_at < m + interval '1 month')
    order by m
  loop
    begin
      execute format('drop table months.%I', v_name);
      v_dropped := v_dropped + 1;
    exception
      -- It is in use; the next run retries.
      when lock_not_available then null;
    end;
  end loop;
  return jsonb_build_object('made', v_made, 'dropped', v_dropped);
exception
  when lock_not_available then
    -- A month could not be made; the next run retries. Until then its events go to call_lifecycle_other.
    return jsonb_build_object('made', 0, 'dropped', 0);
end
$$;

select public.keep_call_months();

grant select on public.call_lifecycle to authenticated;
-- Append-only: no role has UPDATE or DELETE.
grant select, insert on public.call_lifecycle to service_role;
grant select (
  id, call_sid, parent_call_sid, event, status, occurred_at, received_at
) on public.call_lifecycle to monitoring;
grant execute on function public.keep_call_months to service_role;
