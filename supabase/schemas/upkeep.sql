-- Deletion of expired rows.

-- Deletes expired rows, at most p_batch of each kind, and returns the counts. Call it again while a count equals p_batch.
create function public.purge_expired_rows(p_batch integer default 1000) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_keys integer := public.purge_idempotency_keys(p_batch);
  v_jobs integer := public.purge_jobs(p_batch);
  v_windows integer;
  v_refusals integer;
  v_dialled integer;
begin
  -- An hour is longer than any window in use.
  delete from public.rate_limit_windows as w using (
    select endpoint, identifier_type, identifier from public.rate_limit_windows
    where coalesce(admitted_at[cardinality(admitted_at)], '-infinity') < now() - interval '1 hour'
    limit p_batch for update skip locked
  ) as old
  where (w.endpoint, w.identifier_type, w.identifier) = (old.endpoint, old.identifier_type, old.identifier);
  get diagnostics v_windows = row_count;

  delete from public.rate_limit_refusals as r using (
    select endpoint, identifier_type, identifier, minute from public.rate_limit_refusals
    where minute < now() - interval '7 days'
    order by minute limit p_batch for update skip locked
  ) as old
  where (r.endpoint, r.identifier_type, r.identifier, r.minute)
    = (old.endpoint, old.identifier_type, old.identifier, old.minute);
  get diagnostics v_refusals = row_count;

  -- A call that was open then is over, and has been counted.
  delete from public.dialled_time as d using (
    select line, day from public.dialled_time
    where day < (now() at time zone 'UTC')::date - 90
    limit p_batch for update skip locked
  ) as old
  where (d.line, d.day) = (old.line, old.day);
  get diagnostics v_dialled = row_count;

  return jsonb_build_object(
    'idempotency_keys', v_keys, 'jobs', v_jobs, 'rate_limit_windows', v_windows,
    'rate_limit_refusals', v_refusals,
    'dialled_time', v_dialled
  );
end
$$;

-- The end of each run of voice-reconcile, which records the run. Deletes expired rows and what retention
-- no longer keeps, forgets the words of old searches, mends what dialling and campaigns left, takes words out of talks with
-- agents, adds up the hours that are over and the ways through flows, and looks after the months: last, as a DROP locks out callers until
-- it is committed. A run keeps up with 10,000 webhooks and 2,000 calls a minute.
create function public.purge_expired(p_batch integer default 10000) returns jsonb
language plpgsql volatile set search_path = ''
as $$
declare
  v_purged constant jsonb := public.purge_personal_data(least(p_batch, 2000)) || public.purge_expired_rows(p_batch);
begin
  perform public.record_worker_run('voice-reconcile');
  perform public.forget_searches(p_batch);
  perform public.mend_dialling();
  perform public.erase_agent_words();
  perform public.mend_campaigns();
  perform public.roll_up_calls();
  perform public.count_paths();
  perform public.keep_call_months();
  return v_purged;
end
$$;

grant execute on function public.purge_expired_rows, public.purge_expired to service_role;
