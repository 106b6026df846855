-- Background work. A job is a row, written in the transaction that makes it necessary and done afterwards by a worker. A
-- worker claims it with a lease. When the lease has expired, the worker died or was too slow, and the job is claimed again.
-- So each job is done at least once; requests to other systems carry the job's key, so that they take effect once.

-- The rules of each kind. An operator may change them; a worker claims the kinds that it knows.
create table public.job_kinds (
  kind text primary key constraint job_kinds_kind_form check (kind ~ '^[a-z][a-z0-9_]{0,63}$'),
  -- The edge function that does it.
  worker text not null,
  -- 0 goes first. The default of jobs of this kind.
  priority smallint not null constraint job_kinds_priority_range check (priority between 0 and 3),
  -- The part of each claim that this kind gets before more urgent kinds get the rest, so that none starves. At least one job;
  -- 0: more urgent kinds go first, however many jobs they have.
  share numeric not null default 0 constraint job_kinds_share_range check (share between 0 and 1),
  -- The part of its worker's hourly ceiling up to which this kind may go on; other kinds count too. Null: no ceiling.
  hourly_share numeric constraint job_kinds_hourly_share_range check (hourly_share > 0 and hourly_share <= 1),
  lease interval not null constraint job_kinds_lease_range check (lease between interval '1 second' and interval '1 hour'),
  -- After the nth failure the next try is within the nth delay; the last one is repeated.
  delays interval[] not null constraint job_kinds_delays_there check (cardinality(delays) > 0),
  -- Then it is dead. Null: it is never given up for that.
  max_attempts integer constraint job_kinds_max_attempts_range check (max_attempts > 0),
  -- How long the other side remembers a job's key. A job that may have been done is not retried after that, because a
  -- repetition could not be recognised.
  key_lives interval,
  -- An older job is dead, because a late effect is worse than none. Null: it is never too late.
  expires_after interval,
  -- The longest hold of this kind, whatever the other side asks for. Null: as long as it asks.
  longest_hold interval,
  -- How long a job that is done is kept, and its key with it. Null: it is deleted at once.
  keep interval,
  -- The content of the first try is kept for later tries: see job_content.
  fixes_content boolean not null default false,
  -- Until then no job of this kind is claimed, because the other side accepts none.
  held_until timestamptz,
  held_for text constraint job_kinds_held_for_length check (length(held_for) <= 200)
);

comment on table public.job_kinds is 'The rules of each kind of work: delays, tries, lease, shares. An operator may change them.';

alter table public.job_kinds enable row level security;
create policy job_kinds_for_operators on public.job_kinds for select to service_role, monitoring using (true);
create policy job_kinds_of_the_installation on public.job_kinds
  for select to authenticated using ((select public.runs_installation()));

create table public.jobs (
  id bigint generated always as identity primary key,
  kind text not null references public.job_kinds (kind),
  -- One job an intent, however often it is enqueued; also the key for the other side.
  key text not null constraint jobs_key_length check (length(key) between 1 and 256),
  priority smallint not null default 3 constraint jobs_priority_range check (priority between 0 and 3),
  -- What the job is about: keys of rows elsewhere.
  payload jsonb not null default '{}' constraint jobs_payload_object check (jsonb_typeof(payload) = 'object'),
  -- The content of the first try, for kinds that keep it. Emptied when the job ends.
  content jsonb,
  status text not null default 'waiting'
    constraint jobs_status_known check (status in ('waiting', 'running', 'done', 'dead')),
  attempts integer not null default 0 constraint jobs_attempts_range check (attempts >= 0),
  -- While waiting: when the job is due. While running: when the lease ends.
  run_at timestamptz not null default now(),
  -- Its holder may report the outcome.
  lease uuid,
  attempted_at timestamptz,
  -- The first try with an unknown outcome.
  uncertain_since timestamptz,
  -- For operators; nothing personal.
  last_error text constraint jobs_last_error_length check (length(last_error) <= 200),
  -- The other side's identifier of the result.
  result text constraint jobs_result_length check (length(result) <= 256),
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint jobs_once unique (kind, key),
  constraint jobs_leased_while_running check ((status = 'running') = (lease is not null)),
  constraint jobs_ended_when_ended check ((status in ('done', 'dead')) = (ended_at is not null))
)
with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

comment on table public.jobs is 'Work that waits, is being done, was done (for as long as its kind keeps it) or was given up.';

-- The queue itself. One lane a kind and priority: the first entry of a lane says whether anything in it is due.
create index jobs_lane_idx on public.jobs (kind, priority, run_at, id) where ended_at is null;
create index jobs_running_idx on public.jobs (kind, run_at) where status = 'running';
create index jobs_ended_idx on public.jobs (kind, status, ended_at) where ended_at is not null;
create index jobs_dead_idx on public.jobs (ended_at) where status = 'dead';
-- The jobs of a call and of a website message, for their erasure.
create index jobs_call_idx on public.jobs ((payload ->> 'call_sid')) where payload ->> 'call_sid' is not null;
create index jobs_contact_idx on public.jobs ((payload ->> 'contact_message_id'))
  where payload ->> 'contact_message_id' is not null;

insert into public.job_kinds
  (kind, worker, priority, share, hourly_share, lease, delays, max_attempts, key_lives, expires_after, longest_hold, keep,
    fixes_content)
values
  -- Resend remembers a key for 24 hours. The delays are those of Svix. Receipts wait first.
  ('mail_alert', 'notify-worker', 0, 0, 1, '2 min', '{5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h}', 8, '23 h 30 min', null,
    '60 s', '30 days', true),
  ('mail_voicemail', 'notify-worker', 1, 0, 0.9, '2 min', '{5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h}', 8, '23 h 30 min',
    null, '60 s', '30 days', true),
  ('mail_contact_notification', 'notify-worker', 2, 0, 0.5, '2 min', '{5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h}', 8,
    '23 h 30 min', null, '15 min', '30 days', true),
  ('mail_missed_call', 'notify-worker', 2, 0, 0.5, '2 min', '{5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h}', 8, '23 h 30 min',
    null, '15 min', '30 days', true),
  ('mail_contact_auto_reply', 'notify-worker', 3, 0, 0.25, '2 min', '{5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h}', 8,
    '23 h 30 min', null, null, '30 days', true),
  -- Supabase Auth sends these. It has no keys: a repeated request is a second mail, which does no harm.
  ('invite', 'notify-worker', 1, 0, null, '1 min', '{5 s, 1 min, 10 min, 1 h}', 6, null, '1 day', '15 min', '30 days', false),
  ('embedding', 'notify-worker', 3, 0.25, null, '1 min', '{10 s, 1 min, 10 min, 1 h, 6 h}', 20, null, null, null, null, false),
  ('mail_search_alert', 'notify-worker', 2, 0, 0.5, '2 min', '{5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h}', 8, '23 h 30 min',
    null, '15 min', '30 days', true),
  -- Receivers know a repetition by the job's key.
  ('search_alert', 'notify-worker', 2, 0.1, null, '1 min', '{5 s, 5 min, 30 min, 2 h, 5 h}', 6, null, '1 day', '15 min', '30 days', false),
  -- Each run retries, in order; after a day the message is dropped.
  ('alert_pagerduty', 'alert-dispatch', 0, 0.5, null, '50 s', '{50 s}', null, null, '1 day', null, '30 days', false),
  ('alert_slack', 'alert-dispatch', 1, 0.5, null, '50 s', '{50 s}', null, null, '1 day', null, '30 days', false),
  -- Twilio makes a leg a second for each account. What comes too late for a caller is ended by mend_dialling.
  ('dial', 'dial-worker', 0, 0.5, null, '30 s', '{1 s, 2 s, 5 s}', null, null, null, '10 s', null, false),
  ('dial_end', 'dial-worker', 1, 0.25, null, '30 s', '{2 s, 5 s, 30 s, 5 min}', null, null, null, '10 s', null, false),
  ('callback', 'dial-worker', 2, 0.25, null, '30 s', '{10 s, 1 min}', null, null, null, null, null, false),
  ('queue_check', 'dial-worker', 2, 0.25, null, '30 s', '{10 s, 1 min}', null, null, null, null, null, false),
  ('queue_delete', 'dial-worker', 3, 0, null, '30 s', '{1 min, 1 h}', 5, null, null, null, null, false),
  -- The key allows one text a number and day. Kept as mails are, for missed_calls.
  ('missed_call_sms', 'dial-worker', 3, 0.25, null, '30 s', '{10 s, 1 min, 5 min}', 4, null, '1 hour', null, '30 days', false),
  ('onboarding', 'voice-reconcile', 0, 0.25, null, '3 min',
    '{1 min, 2 min, 4 min, 8 min, 16 min, 32 min, 64 min, 128 min, 256 min, 6 h}', null, null, null, null, null, false),
  ('open_call', 'voice-reconcile', 1, 0.25, null, '2 min', '{5 min}', null, null, null, null, null, false),
  ('incomplete_call', 'voice-reconcile', 2, 0.25, null, '2 min',
    '{5 min, 10 min, 20 min, 40 min, 80 min, 160 min, 320 min, 6 h}', null, null, null, null, null, false),
  ('twilio_deletion', 'voice-reconcile', 3, 0.25, null, '2 min',
    '{1 min, 2 min, 4 min, 8 min, 16 min, 32 min, 64 min, 128 min, 256 min, 6 h}', null, null, null, null, null, false);

alter table public.jobs enable row level security;
create policy jobs_of_the_service on public.jobs for select to service_role using (true);
create policy jobs_for_monitoring on public.jobs for select to monitoring using (true);
create policy jobs_of_the_installation on public.jobs
  for select to authenticated using ((select public.runs_installation()));

-- When the first job of each kind and priority is due. Costs the same however many wait.
create view public.job_lanes with (security_invoker = true) as
select k.kind, k.worker, p.priority::smallint as priority, greatest(first.run_at, k.held_until) as due_at
from public.job_kinds as k
cross join generate_series(0, 3) as p(priority)
cross join lateral (
  select j.run_at from public.jobs as j
  where j.kind = k.kind and j.priority = p.priority and j.ended_at is null
  order by j.run_at limit 1
) as first;

comment on view public.job_lanes is 'When the first job of each kind and priority is due, or its lease ends.';

-- Enqueues a job, in the caller's transaction. A key that is known is not enqueued again; a job that waits for its first
-- try is brought forward to an earlier p_run_at. p_priority null: the kind's.
create function public.enqueue_job(
  p_kind text, p_key text, p_payload jsonb default '{}', p_run_at timestamptz default now(), p_priority integer default null
) returns void
-- plpgsql: its plan is kept.
language plpgsql volatile set search_path = ''
as $$
begin
  insert into public.jobs as j (kind, key, payload, run_at, priority)
  values (
    p_kind, p_key, p_payload, p_run_at,
    coalesce(p_priority, (select k.priority from public.job_kinds as k where k.kind = p_kind), 3)
  )
  on conflict (kind, key) do update set run_at = excluded.run_at
    where j.status = 'waiting' and j.attempts = 0 and excluded.run_at < j.run_at;
end
$$;

-- The current content of a job, beside its payload; null: its subject no longer exists.
create function public.job_content(p_kind text, p_key text, p_payload jsonb) returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return case
    when p_kind like 'mail\_%' then public.mail_content(p_kind, p_payload)
    when p_kind in ('open_call', 'incomplete_call') then public.call_to_ask(p_kind, p_key)
    when p_kind = 'embedding' then public.embedding_content(p_key)
    when p_kind = 'search_alert' then public.alert_content(p_payload)
    when p_kind in ('dial', 'dial_end') then public.dial_content(p_kind, p_key::uuid)
    when p_kind = 'queue_check' then public.queue_content(p_key)
    when p_kind = 'queue_delete' then jsonb_build_object(
      'account_sid', (select s.subaccount_sid from public.telephony_subaccounts as s where s.org_id = p_key::uuid)
    )
    when p_kind = 'missed_call_sms' then public.missed_call_text(p_payload ->> 'call_sid')
    when p_kind = 'onboarding' then (
      select public.onboarding_work(t) from public.telephony_transactions as t where t.id = p_key::uuid
    )
  end;
end
$$;

-- Gives a job up: it stays, visible in jobs_dead, and is reported as an error.
create function public.bury_job(p_id bigint, p_error text) returns void
language sql volatile set search_path = ''
as $$
  with dead as (
    update public.jobs as j
    set status = 'dead', lease = null, content = null, last_error = p_error, ended_at = now()
    where j.id = p_id
    returning j.id, j.kind, j.attempts
  )
  select public.record_analytics_event(
    'job_dead', 'error',
    jsonb_build_object('job_id', dead.id, 'kind', dead.kind, 'attempts', dead.attempts, 'reason', p_error)
  )
  from dead
$$;

-- Leases jobs that the caller has locked, and returns them in their order.
create function public.start_jobs(p_ids bigint[])
returns table (
  id bigint, kind text, priority smallint, key text, payload jsonb, content jsonb, lease uuid, attempts integer
)
language sql volatile set search_path = ''
as $$
  with taken as (
    update public.jobs as j set
      status = 'running',
      attempts = j.attempts + 1,
      lease = gen_random_uuid(),
      run_at = now() + k.lease,
      uncertain_since = coalesce(j.uncertain_since, case when j.status = 'running' then j.attempted_at end),
      attempted_at = now(),
      content = case
        when k.fixes_content then coalesce(j.content, public.job_content(j.kind, j.key, j.payload))
      end
    from public.job_kinds as k
    where j.id = any (p_ids) and k.kind = j.kind
    returning j.*, k.fixes_content
  )
  select
    t.id, t.kind, t.priority, t.key, t.payload,
    case when t.fixes_content then t.content else public.job_content(t.kind, t.key, t.payload) end, t.lease, t.attempts
  from taken as t order by array_position(p_ids, t.id)
$$;

-- Claims one job by its key, held or not; nothing if it is not due, or another has it.
create function public.claim_job(p_kind text, p_key text)
returns table (
  id bigint, kind text, priority smallint, key text, payload jsonb, content jsonb, lease uuid, attempts integer
)
language sql volatile set search_path = ''
as $$
  select s.* from public.start_jobs(array(
    select j.id from public.jobs as j
    where j.kind = p_kind and j.key = p_key and j.ended_at is null and j.run_at <= now()
    for update
  )) as s
$$;

-- Claims at most p_limit jobs of these kinds that are due, and those whose lease has run out. Two workers at once never
-- get the same job. The most urgent go first; but each kind first gets its share of p_limit, which should be no smaller
-- than the number of kinds. What can no longer be done as promised is given up here: see job_kinds.
--
-- p_per_hour: jobs of kinds with an hourly_share that are done in any hour, all of them together.
create function public.claim_jobs(p_kinds text[], p_limit integer, p_per_hour integer default null)
returns table (
  id bigint, kind text, priority smallint, key text, payload jsonb, content jsonb, lease uuid, attempts integer
)
language plpgsql volatile set search_path = ''
as $$
#variable_conflict use_column
declare
  v_lane record;
  v_ids bigint[];
  v_unknown bigint[];
  v_late bigint[];
  v_used integer := 0;
  v_claimed integer := 0;
  v_room integer;
  v_allowed integer;
begin
  if p_per_hour is not null then
    -- Claims take turns, so that two do not count the same hour.
    perform pg_advisory_xact_lock(hashtextextended('claim_jobs', 0));
    select count(*) into v_used from public.job_kinds as k
    cross join lateral (
      select from public.jobs as j where j.kind = k.kind and j.status = 'done' and j.ended_at > now() - interval '1 hour'
      union all
      select from public.jobs as j where j.kind = k.kind and j.status = 'running' and j.run_at > now()
    ) as used
    where k.kind = any (p_kinds) and k.hourly_share is not null;
  end if;

  for v_lane in
    select
      l.kind, l.priority, k.worker, k.hourly_share, k.max_attempts, k.key_lives, k.expires_after,
      o.owed, sum(o.owed) over (order by l.priority, l.kind rows between 1 following and unbounded following) as owed_later
    from public.job_lanes as l
    join public.job_kinds as k on k.kind = l.kind
    cross join lateral (
      select count(*)::integer as owed from (
        select from public.jobs as j
        where j.kind = l.kind and j.priority = l.priority and j.ended_at is null and j.run_at <= now()
        limit case when k.share > 0 then greatest(floor(k.share * p_limit), 1) else 0 end
      ) as due
    ) as o
    where l.kind = any (p_kinds) and l.due_at <= now()
    order by l.priority, l.kind
  loop
    v_room := least(
      p_limit - v_claimed, greatest(v_lane.owed, p_limit - v_claimed - coalesce(v_lane.owed_later, 0))
    );
    v_allowed := ceil(v_lane.hourly_share * p_per_hour) - v_used;
    with due as (
      select j.id, j.run_at, case
        when coalesce(j.uncertain_since, case when j.status = 'running' then j.attempted_at end) < now() - v_lane.key_lives
          or (j.status = 'running' and j.attempts >= v_lane.max_attempts) then 'unknown'
        when j.created_at < now() - v_lane.expires_after then 'late'
      end as lost
      from public.jobs as j
      where j.kind = v_lane.kind and j.priority = v_lane.priority and j.ended_at is null and j.run_at <= now()
      order by j.run_at, j.id
      limit greatest(least(v_room, v_allowed), 0) for update skip locked
    )
    select
      array_agg(due.id order by due.run_at, due.id) filter (where due.lost is null),
      array_agg(due.id) filter (where due.lost = 'unknown'), array_agg(due.id) filter (where due.lost = 'late')
    into v_ids, v_unknown, v_late from due;
    perform public.bury_job(lost, 'outcome_unknown') from unnest(v_unknown) as lost;
    perform public.bury_job(lost, 'too_late') from unnest(v_late) as lost;

    return query select * from public.start_jobs(v_ids);
    v_claimed := v_claimed + coalesce(cardinality(v_ids), 0);
    if v_lane.hourly_share is not null then
      v_used := v_used + coalesce(cardinality(v_ids), 0);
    end if;
    if v_claimed < p_limit and coalesce(cardinality(v_ids), 0) >= v_allowed and exists (
      select from public.jobs as j
      where j.kind = v_lane.kind and j.priority = v_lane.priority and j.status = 'waiting' and j.run_at <= now()
        and j.ended_at is null
    ) then
      perform public.record_rate_limit_refusal(v_lane.worker, 'everyone', v_lane.kind);
    end if;
  end loop;
end
$$;

-- Renews the lease of a job that takes long. False: the lease was lost.
create function public.renew_job(p_id bigint, p_lease uuid) returns boolean
language plpgsql volatile set search_path = ''
as $$
begin
  update public.jobs as j set run_at = now() + k.lease
  from public.job_kinds as k
  where j.id = p_id and j.lease = p_lease and k.kind = j.kind;
  return found;
end
$$;

-- Ends a job that is done. False: the lease was lost meanwhile, and another worker finds that it is done.
create function public.job_done(p_id bigint, p_lease uuid, p_result text default null) returns boolean
language plpgsql volatile set search_path = ''
as $$
begin
  update public.jobs as j
  set status = 'done', ended_at = now(), lease = null, content = null, last_error = null, result = p_result
  from public.job_kinds as k
  where j.id = p_id and j.lease = p_lease and k.kind = j.kind and k.keep is not null;
  if found then
    return true;
  end if;
  delete from public.jobs as j where j.id = p_id and j.lease = p_lease;
  return found;
end
$$;

-- Marks a try as failed. The next one is within the delay of its kind, drawn from the whole of it (full jitter), so that
-- jobs that failed together do not retry together. After the kind's last try, and after a refusal that no retry can change
-- (p_permanent), the job is dead. p_uncertain: it may have had its effect; it is retried while the other side remembers its
-- key. Returns the new status; null: the lease was lost.
create function public.job_failed(
  p_id bigint, p_lease uuid, p_error text, p_permanent boolean default false, p_uncertain boolean default false
) returns text
language plpgsql volatile set search_path = ''
as $$
declare
  v_job record;
begin
  select j.attempts, k.delays, k.key_lives, p_permanent or coalesce(j.attempts >= k.max_attempts, false) as over,
    coalesce(j.uncertain_since, case when p_uncertain then j.attempted_at end) as uncertain_since
  into v_job
  from public.jobs as j join public.job_kinds as k on k.kind = j.kind
  where j.id = p_id and j.lease = p_lease for update of j;
  if not found then
    return null;
  end if;
  if v_job.over then
    perform public.bury_job(p_id, p_error);
    return 'dead';
  end if;
  update public.jobs as j set
    status = 'waiting', lease = null, last_error = p_error, uncertain_since = v_job.uncertain_since,
    run_at = least(
      now() + random() * v_job.delays[least(v_job.attempts, cardinality(v_job.delays))],
      -- While the other side remembers the key of an uncertain try.
      v_job.uncertain_since + v_job.key_lives - interval '30 minutes'
    )
  where j.id = p_id;
  return 'waiting';
end
$$;

-- Gives claimed jobs back without counting a try. With p_kinds, these kinds are held for p_wait_sec as well, if
-- they are not more urgent than p_priority, because the other side accepts nothing of theirs at present. Each is held no
-- longer than its longest_hold, so that urgent kinds try again soon.
create function public.hold_jobs(
  p_leases uuid[], p_error text, p_wait_sec integer, p_kinds text[] default null, p_priority integer default 0
) returns void
language plpgsql volatile set search_path = ''
as $$
begin
  update public.jobs as j set
    status = 'waiting', lease = null, attempts = j.attempts - 1, last_error = p_error,
    run_at = case when p_kinds is null then now() + make_interval(secs => p_wait_sec) else now() end
  where j.status = 'running' and j.lease = any (p_leases);

  update public.job_kinds as k set
    held_until = now() + least(make_interval(secs => p_wait_sec), k.longest_hold), held_for = p_error
  where k.kind = any (p_kinds) and k.priority >= p_priority;
end
$$;

-- For an operator who has removed the cause: retries a dead job, or all of a kind, or all. Returns how many.
create function public.retry_dead_jobs(p_id bigint default null, p_kind text default null) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_count integer;
begin
  update public.jobs as j
  set status = 'waiting', ended_at = null, attempts = 0, run_at = now(), created_at = now(), uncertain_since = null
  where j.status = 'dead' and j.id = coalesce(p_id, j.id) and j.kind = coalesce(p_kind, j.kind);
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

-- For an operator who does not want to wait: makes all jobs of a kind due, and ends its hold. Returns how many wait.
create function public.hurry_jobs(p_kind text) returns integer
language plpgsql volatile set search_path = ''
as $$
declare
  v_count integer;
begin
  update public.job_kinds as k set held_until = null, held_for = null where k.kind = p_kind;
  update public.jobs as j set run_at = least(j.run_at, now()) where j.kind = p_kind and j.status = 'waiting';
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

-- Deletes at most p_batch jobs of each kind that were done longer ago than their kind keeps them. Returns how many.
create function public.purge_jobs(p_batch integer default 1000) returns integer
language sql volatile set search_path = ''
as $$
  with doomed as (
    select old.id from public.job_kinds as k
    cross join lateral (
      select j.id from public.jobs as j
      where j.kind = k.kind and j.status = 'done' and j.ended_at < now() - k.keep
      order by j.ended_at limit p_batch for update skip locked
    ) as old
  ), gone as (
    delete from public.jobs as j using doomed where j.id = doomed.id returning 1
  )
  select count(*)::integer from gone
$$;

create view public.jobs_waiting with (security_invoker = true) as
select
  k.kind, k.worker,
  count(*) filter (where j.status = 'waiting') as waiting,
  count(*) filter (where j.run_at <= now() and coalesce(k.held_until <= now(), true)) as due,
  count(*) filter (where j.status = 'running' and j.run_at > now()) as running,
  coalesce(max(j.attempts), 0) as most_attempts,
  min(j.created_at) as oldest_at,
  coalesce(extract(epoch from now() - min(j.created_at)), 0)::integer as oldest_seconds,
  case when k.held_until > now() then k.held_until end as held_until,
  case when k.held_until > now() then k.held_for end as held_for,
  (select count(*) from public.jobs as d where d.kind = k.kind and d.status = 'dead') as dead
from public.job_kinds as k
left join public.jobs as j on j.kind = k.kind and j.ended_at is null
group by k.kind
order by k.worker, k.priority, k.kind;

comment on view public.jobs_waiting is 'Work that waits or is being done, by kind: how much is due, how old the oldest is, until when the kind is held, and how many are dead.';

create view public.jobs_dead with (security_invoker = true) as
select id, kind, key, payload, attempts, last_error, created_at, attempted_at, ended_at
from public.jobs
where status = 'dead'
order by ended_at;

comment on view public.jobs_dead is 'Jobs that were given up, and why. retry_dead_jobs(id) tries one again.';

grant select on public.job_kinds to authenticated;
grant select on public.jobs_waiting to authenticated;
grant select on public.jobs_waiting, public.job_lanes to service_role, monitoring;
-- Without the content and what it is about.
grant select (id, kind, status, attempts, run_at, last_error, created_at, ended_at) on public.jobs to authenticated;
grant select on public.jobs_dead to service_role;
grant select on public.job_kinds to service_role, monitoring;
grant update (
  share, hourly_share, lease, delays, max_attempts, expires_after, longest_hold, keep, held_until, held_for
) on public.job_kinds to service_role;
grant select, insert, update, delete on public.jobs to service_role;
grant select (id, kind, key, priority, status, attempts, run_at, created_at, ended_at) on public.jobs to monitoring;
grant execute on function
  public.enqueue_job, public.job_content, public.bury_job, public.start_jobs, public.claim_job, public.claim_jobs, public.renew_job, public.job_done,
  public.job_failed, public.hold_jobs, public.retry_dead_jobs, public.hurry_jobs,
  public.purge_jobs
  to service_role;
