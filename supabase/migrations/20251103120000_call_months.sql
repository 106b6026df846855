-- A call's events by the month in which they were received. A month that is no longer kept is dropped whole: that
-- costs the same whatever it held, and leaves nothing for autovacuum to do. It is nine rows of ten that a call leaves.
--
-- call_logs stays one table: its key is call_sid, and a partitioned table's key must hold what it is partitioned by, so
-- two months could each have a row of one call. Its rows go one by one, a tenth of what went before.
--
-- Copies the events that are there once. Until that is done callers wait for accept_voice_event's lock_timeout and
-- are then served without the database; Twilio's callbacks are answered 503, and come again.
set local lock_timeout = '10s';
set local statement_timeout = '30min';

-- Apart from what the Data API shows: a month is never asked by its name.
create schema months;

alter table public.call_lifecycle set schema months;
-- squawk-ignore renaming-table
alter table months.call_lifecycle rename to before;

create table public.call_lifecycle (
  id bigint generated always as identity,
  call_sid text not null constraint call_lifecycle_call_sid_form check (call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  -- The leg that the event is about: the call itself, or a child that it dialled.
  leg_sid text not null constraint call_lifecycle_leg_sid_form check (leg_sid ~ '^CA[0-9a-fA-F]{32}$'),
  parent_call_sid text constraint call_lifecycle_parent_form check (parent_call_sid ~ '^CA[0-9a-fA-F]{32}$'),
  event text not null constraint call_lifecycle_event_form check (event ~ '^[a-z][a-z_]{0,31}$'),
  status text constraint call_lifecycle_status_form check (status ~ '^[a-z][a-z-]{0,31}$'),
  sequence_number integer constraint call_lifecycle_sequence_range check (sequence_number >= 0),
  occurred_at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  meta jsonb not null default '{}' constraint call_lifecycle_meta_object check (jsonb_typeof(meta) = 'object'),
  primary key (received_at, id)
) partition by range (received_at);

comment on table public.call_lifecycle is 'Every accepted event, append-only, by the month it was received in. No foreign key to call_logs: the events outlive what is folded from them.';

create index call_lifecycle_call_idx on public.call_lifecycle (call_sid, received_at);
create index call_lifecycle_reconciled_idx on public.call_lifecycle (received_at, call_sid) where event = 'reconciled';

-- For events of a month that nobody has made yet: whatever the workers do, an event finds a place.
create table months.call_lifecycle_other partition of public.call_lifecycle default;
alter table months.call_lifecycle_other enable row level security;
-- A month is reached by the whole, whose policies hold, and nobody is granted anything on a month itself.
create policy months_of_the_service on months.call_lifecycle_other for select to service_role using (true);

alter table public.call_lifecycle enable row level security;
create policy call_lifecycle_of_own_org on public.call_lifecycle
  for select to authenticated
  using (exists (select from public.call_logs as c where c.call_sid = call_lifecycle.call_sid));
create policy call_lifecycle_for_monitoring on public.call_lifecycle for select to monitoring using (true);

revoke all on public.call_lifecycle, months.call_lifecycle_other from anon, authenticated, service_role;
grant select on public.call_lifecycle to authenticated;
-- Append-only: nobody is granted UPDATE or DELETE.
grant select, insert on public.call_lifecycle to service_role;
grant select (id, call_sid, parent_call_sid, event, status, occurred_at, received_at) on public.call_lifecycle to monitoring;

insert into public.call_lifecycle
  (id, call_sid, leg_sid, parent_call_sid, event, status, sequence_number, occurred_at, received_at, meta)
overriding system value
select id, call_sid, leg_sid, parent_call_sid, event, status, sequence_number, occurred_at, received_at, meta
from months.before;
select setval('public.call_lifecycle_id_seq', max(id)) from months.before;

-- It was bound to the table that goes; and asks for open calls by their index (20251103100000).
create or replace function public.health_recent_activity() returns jsonb
language sql stable set search_path = ''
begin atomic
  select jsonb_build_object(
    'calls_last_hour', (select count(*) from public.call_logs where started_at > now() - interval '1 hour'),
    'active_calls', (select count(*) from public.call_logs where disposition is null),
    'last_event_at', (select max(received_at) from public.call_lifecycle),
    'connections', (select jsonb_build_object('used', used, 'allowed', allowed) from public.database_connections()),
    'workers', (
      select coalesce(jsonb_object_agg(worker, jsonb_build_object('last_run_at', last_run_at, 'last_ok_at', last_ok_at)), '{}')
      from public.worker_runs
    ),
    'alerts', (
      select jsonb_build_object(
        'critical', count(*) filter (where severity = 'critical'),
        'warning', count(*) filter (where severity = 'warning'),
        'firing', coalesce(jsonb_agg(alert order by severity, alert), '[]')
      )
      from public.alert_episodes where closed_at is null
    )
  );
end;

-- Every event of it has just been copied.
-- squawk-ignore ban-drop-table
drop table months.before;

-- Makes the months to come, and drops those that are no longer kept: whose days are over, and of which no call is left.
-- Returns how many it made and dropped. SECURITY DEFINER: only the owner may, and this does nothing else.
create function public.keep_call_months() returns jsonb
-- Callers wait behind a DROP that waits: rather try again in a minute. Months are those of UTC.
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
      -- Months that nobody had made when their first event came.
      select date_trunc('month', o.received_at) from months.call_lifecycle_other as o
    ) as wanted(m)
    where to_regclass(to_char(m, '"months.call_lifecycle_"YYYY_MM')) is null
    order by m
  loop
    v_name := to_char(v_month, '"call_lifecycle_"YYYY_MM');
    lock table months.call_lifecycle_other in access exclusive mode;
    -- Attached rather than made as a partition: that would lock out whoever reads or writes any month.
    execute format('create table months.%I (like public.call_lifecycle including defaults including constraints)', v_name);
    execute format('alter table months.%I enable row level security', v_name);
    execute format('create policy months_of_the_service on months.%I for select to service_role using (true)', v_name);
    execute format('revoke all on months.%I from anon, authenticated, service_role', v_name);
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
      -- Somebody reads it; again in a minute.
      when lock_not_available then null;
    end;
  end loop;
  return jsonb_build_object('made', v_made, 'dropped', v_dropped);
exception
  when lock_not_available then
    -- A month could not be made; again in a minute. Until then its events go to call_lifecycle_other.
    return jsonb_build_object('made', 0, 'dropped', 0);
end
$$;

select public.keep_call_months();

-- As before (20251102130000), but of the events only those go at once that hold what the caller said or pressed. The
-- others hold no number and no word; they go with their month.
create or replace function public.erase_calls(p_calls text[]) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_recordings integer;
  v_mails integer;
  v_events integer;
  v_calls integer;
begin
  insert into public.consent_evidence as k (call_hash, org_id, consent_given, decided_at, basis, disclosure)
  select
    public.call_hash(c.call_sid), c.org_id, c.consent_given, coalesce(e.occurred_at, c.started_at),
    coalesce(e.consent, '{}') - 'disclosure', e.consent ->> 'disclosure'
  from public.call_logs as c
  left join lateral (
    select l.occurred_at, l.meta -> 'consent' as consent
    from public.call_lifecycle as l
    where l.call_sid = c.call_sid and jsonb_typeof(l.meta -> 'consent') = 'object'
    -- The event that brought the decision is the one that has its words.
    order by (l.meta -> 'consent' ? 'disclosure') desc, l.occurred_at desc
    limit 1
  ) as e on true
  where c.call_sid = any (p_calls) and c.consent_given is not null
  on conflict (call_hash) do nothing;

  insert into public.erased_calls (call_hash)
  select public.call_hash(sid) from unnest(p_calls) as sid
  on conflict (call_hash) do nothing;

  -- Every recording that an event told of, not only the one that the call's row shows.
  insert into public.recordings_to_delete (recording_sid, subaccount_sid)
  select distinct on (sid) sid, subaccount_sid
  from (
    select c.recording_sid as sid, a.subaccount_sid
    from public.call_logs as c left join public.telephony_subaccounts as a on a.org_id = c.org_id
    where c.call_sid = any (p_calls)
    union all
    select l.meta ->> 'recording_sid', a.subaccount_sid
    from public.call_lifecycle as l
    left join public.call_logs as c on c.call_sid = l.call_sid
    left join public.telephony_subaccounts as a on a.org_id = c.org_id
    where l.call_sid = any (p_calls)
  ) as found
  where sid ~ '^RE[0-9a-fA-F]{32}$'
  on conflict (recording_sid) do nothing;
  get diagnostics v_recordings = row_count;

  delete from public.outbox where kind = 'voicemail' and payload ->> 'call_sid' = any (p_calls);
  get diagnostics v_mails = row_count;
  delete from public.reconcile_attempts where call_sid = any (p_calls);
  delete from public.call_lifecycle where call_sid = any (p_calls) and meta ?| array['speech', 'digits'];
  get diagnostics v_events = row_count;
  delete from public.call_logs where call_sid = any (p_calls);
  get diagnostics v_calls = row_count;
  return jsonb_build_object(
    'call_logs', v_calls, 'call_lifecycle', v_events, 'outbox', v_mails, 'recordings', v_recordings
  );
end
$$;

-- As before (20251102130000), without the events of erased calls: they go with their month.
create or replace function public.purge_personal_data(p_batch integer default 500) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_erased jsonb := public.erase_calls(array(select public.expired_calls(p_batch)));
  v_messages integer;
  v_mails integer;
  v_analytics integer;
  v_evidence integer;
begin
  with doomed as (
    select m.id from public.contact_messages as m
    where m.created_at < now() - make_interval(days => (
      select days from public.retention_rules where subject = 'contact_messages'
    ))
    order by m.created_at limit p_batch for update skip locked
  ), mails as (
    delete from public.outbox as o using doomed
    where o.kind <> 'voicemail' and o.payload ->> 'contact_message_id' = doomed.id::text
  )
  delete from public.contact_messages as m using doomed where m.id = doomed.id;
  get diagnostics v_messages = row_count;

  delete from public.outbox as o using (
    select id from public.outbox
    where status = 'dead'
      and created_at < now() - make_interval(days => (select days from public.retention_rules where subject = 'mails'))
    order by created_at limit p_batch for update skip locked
  ) as old where o.id = old.id;
  get diagnostics v_mails = row_count;

  delete from public.analytics_events as a using (
    select id from public.analytics_events
    where created_at < now() - make_interval(days => (
        select days from public.retention_rules where subject = 'analytics_events'
      ))
      -- A rollback reads the deploy log, however long ago the last deploy was.
      and event_type !~ '^(deploy|rollback)_'
    order by created_at limit p_batch for update skip locked
  ) as old where a.id = old.id;
  get diagnostics v_analytics = row_count;

  delete from public.consent_evidence as k using (
    select call_hash from public.consent_evidence
    where decided_at < now() - make_interval(days => (
      select days from public.retention_rules where subject = 'consent_evidence'
    ))
    order by decided_at limit p_batch for update skip locked
  ) as old where k.call_hash = old.call_hash;
  get diagnostics v_evidence = row_count;

  delete from public.erased_calls where call_hash in (
    select call_hash from public.erased_calls
    where erased_at < now() - make_interval(days => (select days from public.retention_rules where subject = 'erasures'))
    order by erased_at limit p_batch for update skip locked
  );
  delete from public.erasure_receipts where id in (
    select id from public.erasure_receipts
    where erased_at < now() - make_interval(days => (select days from public.retention_rules where subject = 'erasures'))
    order by erased_at limit p_batch for update skip locked
  );
  return jsonb_build_object(
    'call_logs', v_erased -> 'call_logs', 'call_lifecycle', v_erased -> 'call_lifecycle',
    'contact_messages', v_messages, 'dead_mails', v_mails, 'analytics_events', v_analytics,
    'consent_evidence', v_evidence
  );
end
$$;

-- As before (20251102130000), and every event of the person's calls.
create or replace function public.forget_person(p_number text, p_email text default null) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_calls text[];
  v_messages constant uuid[] := array(select public.messages_of_person(p_number, p_email));
  v_counts jsonb;
  v_open integer;
  v_count integer;
  v_receipt public.erasure_receipts;
begin
  if p_number is null and p_email is null then
    raise sqlstate '22023' using message = 'a person is known by a number or an e-mail address';
  end if;
  -- One call's events take turns (accept_voice_event), and this one too; in one order, so that two never wait in a ring.
  perform pg_advisory_xact_lock(hash) from (
    select distinct hashtextextended(sid, 0) as hash from public.calls_of_person(p_number) as sid order by 1
  ) as locks;
  v_calls := array(
    select c.call_sid from public.call_logs as c
    where c.call_sid in (select public.calls_of_person(p_number)) and c.status >= 'canceled'
  );
  select count(*) into v_open from public.call_logs as c
  where c.call_sid in (select public.calls_of_person(p_number)) and c.status < 'canceled';
  v_counts := public.erase_calls(v_calls);
  -- All of their events, and not with their month.
  delete from public.call_lifecycle where call_sid = any (v_calls);
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('call_lifecycle', (v_counts ->> 'call_lifecycle')::integer + v_count);

  delete from public.idempotency_keys as k
  where split_part(k.key, ':', 2) = any (v_calls) or (k.result ->> 'id')::text = any (v_messages::text[]);
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('idempotency_keys', v_count);

  delete from public.outbox as o
  where (o.kind <> 'voicemail' and o.payload ->> 'contact_message_id' = any (v_messages::text[]))
    or lower(o.recipient) = lower(p_email);
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('outbox', (v_counts ->> 'outbox')::integer + v_count);

  delete from public.contact_messages where id = any (v_messages);
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('contact_messages', v_count);

  delete from public.rate_limit_refusals where identifier_type = 'caller' and identifier = p_number;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('rate_limit_refusals', v_count);
  delete from public.rate_limit_windows where identifier_type = 'caller' and identifier = p_number;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('rate_limit_windows', v_count);

  insert into public.erasure_receipts (counts) values (v_counts) returning * into v_receipt;
  return jsonb_build_object(
    'receipt', v_receipt.id, 'erased_at', v_receipt.erased_at, 'counts', v_counts, 'open_calls', v_open
  );
end
$$;

-- As before (20251103110000), and looks after the months: last, as a DROP locks out callers until it is committed. A run
-- keeps up with 10,000 webhooks and 2,000 calls a minute.
create or replace function public.purge_expired(p_batch integer default 10000) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_purged constant jsonb := public.purge_expired_rows(p_batch) || public.purge_personal_data(least(p_batch, 2000));
begin
  perform public.record_worker_run('voice-reconcile');
  perform public.roll_up_calls();
  perform public.keep_call_months();
  return v_purged;
end
$$;

update public.retention_rules
set why = 'Calls, and what was said or pressed in them: long enough to answer a question about a bill or a complaint. Their other events, which name nobody, go with the month they were received in.'
where subject = 'calls';

revoke all on function public.keep_call_months() from public, anon, authenticated, service_role;
grant execute on function public.keep_call_months() to service_role;
