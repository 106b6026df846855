-- Export and erasure of a person's data, and expiry.
--
-- Only the owner may delete calls and their events. The SECURITY DEFINER functions below do that and nothing else, and only
-- the service may execute them.

-- What remains of the decision about recording after its call is erased. It has a hash of the call's identifier of 128
-- random bits: the identifier leads to the decision, but the decision does not lead to a person.
create table public.consent_evidence (
  call_hash bytea primary key constraint consent_evidence_hash_length check (length(call_hash) = 32),
  org_id uuid,
  consent_given boolean not null,
  decided_at timestamptz not null,
  -- How it was given or refused, from the event; without the caller's words.
  basis jsonb not null constraint consent_evidence_basis_object check (jsonb_typeof(basis) = 'object'),
  -- The name of the disclosure that the caller heard: see disclosures.
  disclosure text
);

create index consent_evidence_decided_idx on public.consent_evidence (decided_at);

alter table public.consent_evidence enable row level security;
create policy consent_evidence_of_the_service on public.consent_evidence for select to service_role using (true);

-- Erased calls: no late or repeated event, and no answer of Twilio's, must bring them back.
create table public.erased_calls (
  call_hash bytea primary key constraint erased_calls_hash_length check (length(call_hash) = 32),
  erased_at timestamptz not null default now()
);

create index erased_calls_erased_idx on public.erased_calls (erased_at);

alter table public.erased_calls enable row level security;
create policy erased_calls_of_the_service on public.erased_calls for select to service_role using (true);

-- The fact and amount of an erasure, without the person.
create table public.erasure_receipts (
  id uuid primary key default gen_random_uuid(),
  erased_at timestamptz not null default now(),
  counts jsonb not null constraint erasure_receipts_counts_object check (jsonb_typeof(counts) = 'object')
);

create index erasure_receipts_erased_idx on public.erasure_receipts (erased_at);

alter table public.erasure_receipts enable row level security;
create policy erasure_receipts_of_the_service on public.erasure_receipts for select to service_role using (true);

-- The hash of an erased call's identifier.
create function public.call_hash(p_call_sid text) returns bytea
language plpgsql immutable set search_path = ''
as $$
begin
  return sha256(convert_to(p_call_sid, 'UTF8'));
end
$$;

-- Erases a person's data: the rows, found through personal_data, about these calls, messages, number or address. Keeps the
-- evidence of consent, and enqueues the deletion of recordings. p_asked: the person asked; otherwise the rows have expired.
-- Returns the number of erased rows by table. No role may execute it: the functions below call it as its owner.
create function public.erase(
  p_calls text[], p_messages uuid[], p_number text default null, p_email text default null, p_asked boolean default false
) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_table record;
  v_count integer;
  v_counts jsonb := '{}';
begin
  insert into public.consent_evidence as k (call_hash, org_id, consent_given, decided_at, basis, disclosure)
  select
    public.call_hash(c.call_sid), c.org_id, c.consent_given, coalesce(e.occurred_at, c.started_at),
    coalesce(e.consent, '{}') - 'disclosure', e.consent ->> 'disclosure'
  from public.call_logs as c
  left join lateral (
    select l.occurred_at, l.meta -> 'consent' as consent
    from public.call_lifecycle as l
    where l.call_sid = c.call_sid and l.meta -> 'consent' ->> 'order' = c.consent_order::text
    order by l.occurred_at
    limit 1
  ) as e on true
  where c.call_sid = any (p_calls) and c.consent_given is not null
  on conflict (call_hash) do nothing;

  insert into public.erased_calls (call_hash)
  select public.call_hash(sid) from unnest(p_calls) as sid
  on conflict (call_hash) do nothing;

  -- Deletions that Twilio refuses are retried with growing delays: it may refuse the record of a call for 14 days (error
  -- 20009).
  insert into public.jobs (kind, key, payload)
  select 'twilio_deletion', r.recording_sid, jsonb_build_object('account', a.subaccount_sid)
  from public.recordings as r
  left join public.call_logs as c on c.call_sid = r.call_sid
  left join public.telephony_subaccounts as a on a.org_id = c.org_id
  where r.call_sid = any (p_calls)
  on conflict (kind, key) do nothing;

  if p_asked then
    update public.suppressions as s set e164 = null where s.number_hash = public.number_hash(p_number);
    -- That it was dialled stays on record, which names nobody.
    perform public.end_campaign_attempt(a.id, 'canceled') from public.dial_attempts as a
    where a.to_e164 = p_number and a.purpose = 'campaign' and a.ended_at is null;
  end if;
  for v_table in
    select p.table_name, p.of_person from public.personal_data as p
    where p.of_person is not null and p.kept_because is null order by p.table_name
  loop
    execute format('delete from public.%I as t where %s', v_table.table_name, v_table.of_person)
    using p_calls, p_number, p_email, p_messages, p_asked;
    get diagnostics v_count = row_count;
    v_counts := v_counts || jsonb_build_object(v_table.table_name, v_count);
  end loop;
  return v_counts;
end
$$;

-- The expired calls: they ended before the day of their rule.
create function public.expired_calls(p_limit integer) returns setof text
language sql stable set search_path = ''
begin atomic
  select c.call_sid
  from public.call_logs as c
  where c.status >= 'lost'
    and c.started_at < now() - make_interval(days => (
      select least(min(r.days), 3650) from public.retention_rules as r where r.subject in ('calls', 'voicemails')
    ))
    and coalesce(c.ended_at, c.updated_at) < now() - make_interval(days => (
      select r.days from public.retention_rules as r
      where r.subject = case when c.recording_source = 'voicemail' then 'voicemails' else 'calls' end
    ))
  order by c.started_at
  limit p_limit;
end;

-- Erases expired rows, at most p_batch of each kind, and returns the counts. SECURITY DEFINER because the service itself may
-- not delete a call or an event.
create function public.purge_personal_data(p_batch integer default 500) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_table record;
  v_count integer;
  v_purged jsonb := public.erase(
    -- A locked row has an event in progress; the next run erases it.
    array(
      select c.call_sid from public.call_logs as c
      where c.call_sid in (select public.expired_calls(p_batch))
      for update skip locked
    ),
    array(
      select m.id from public.contact_messages as m
      where m.created_at < now() - make_interval(days => (
        select days from public.retention_rules where subject = 'contact_messages'
      ))
      order by m.created_at limit p_batch for update skip locked
    )
  );
begin
  for v_table in
    select p.table_name, p.expired, now() - make_interval(days => r.days) as before
    from public.personal_data as p join public.retention_rules as r on r.subject = p.rule
    where p.expired is not null
  loop
    execute format(
      'delete from public.%1$I where ctid = any (array(
        select t.ctid from public.%1$I as t where %2$s limit $2 for update skip locked
      ))',
      v_table.table_name, v_table.expired
    ) using v_table.before, p_batch;
    get diagnostics v_count = row_count;
    v_purged := v_purged || jsonb_build_object(
      v_table.table_name, coalesce((v_purged ->> v_table.table_name)::integer, 0) + v_count
    );
  end loop;
  return v_purged;
end
$$;

-- A person's calls (by number) and website messages (by number or e-mail address).
create function public.calls_of_person(p_number text) returns setof text
language sql stable set search_path = ''
begin atomic
  select c.call_sid from public.call_logs as c where c.party = p_number;
end;

create function public.messages_of_person(p_number text, p_email text) returns setof uuid
language sql stable set search_path = ''
begin atomic
  select m.id from public.contact_messages as m where lower(m.email) = lower(p_email)
  union
  -- Also where it was written without the country's code.
  select m.id from public.contact_messages as m
  where m.phone is not null
    and ltrim(m.phone, '+') in (ltrim(p_number, '+'), case when p_number like '+1%' then substr(p_number, 3) end);
end;

-- All data of one person, for that person. SECURITY DEFINER, so that nothing is left out.
create function public.export_person(p_number text, p_email text default null) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
declare
  v_table record;
  v_rows jsonb;
  v_known jsonb := '{}';
begin
  if p_number is null and p_email is null then
    raise sqlstate '22023' using message = 'a person is known by a number or an e-mail address';
  end if;
  for v_table in
    select p.table_name, p.of_person, p.exported_as from public.personal_data as p
    where p.exported_as is not null order by p.exported_as
  loop
    execute format(
      $sql$ select coalesce(jsonb_agg(to_jsonb(t)), '[]') from public.%I as t where %s $sql$,
      v_table.table_name, v_table.of_person
    )
    into v_rows
    using
      array(select public.calls_of_person(p_number)), p_number, p_email,
      array(select public.messages_of_person(p_number, p_email)), true;
    v_known := v_known || jsonb_build_object(v_table.exported_as, v_rows);
  end loop;
  return v_known;
end
$$;

-- Erases all data of one person, every event of their calls included, and returns the receipt:
-- {receipt, erased_at, counts, open_calls}. An open call is left alone and counted in open_calls: repeat the erasure when it is over. The evidence of
-- consent stays, without the person. SECURITY DEFINER: nobody else may delete a call.
create function public.forget_person(p_number text, p_email text default null) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_calls text[];
  v_messages constant uuid[] := array(select public.messages_of_person(p_number, p_email));
  v_counts jsonb;
  v_open integer;
  v_receipt public.erasure_receipts;
begin
  if p_number is null and p_email is null then
    raise sqlstate '22023' using message = 'a person is known by a number or an e-mail address';
  end if;
  -- A transaction that accepts an event of a call holds its row. Row locks, because a number may have many calls and advisory
  -- locks share limited memory.
  perform from public.call_logs as c where c.party = p_number order by c.call_sid for update;
  v_calls := array(
    select c.call_sid from public.call_logs as c
    where c.call_sid in (select public.calls_of_person(p_number)) and c.status >= 'lost'
  );
  select count(*) into v_open from public.call_logs as c
  where c.call_sid in (select public.calls_of_person(p_number)) and c.status < 'lost';
  v_counts := public.erase(v_calls, v_messages, p_number, p_email, true);
  insert into public.erasure_receipts (counts) values (v_counts) returning * into v_receipt;
  return jsonb_build_object(
    'receipt', v_receipt.id, 'erased_at', v_receipt.erased_at, 'counts', v_counts, 'open_calls', v_open
  );
end
$$;

grant select on public.consent_evidence, public.erased_calls, public.erasure_receipts to service_role;
grant execute on function
  public.call_hash, public.purge_personal_data, public.export_person, public.forget_person
  to service_role;
