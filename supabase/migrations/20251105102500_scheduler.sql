-- Who calls the workers, where the platform has pg_cron and pg_net (Supabase does; the local stack has a timer of its
-- own). The address and a token come from Vault, under the names functions_url and scheduler_token; until both are there
-- the jobs do nothing. The token starts the workers and nothing else: every role can read what pg_net has queued.
create function public.schedule_jobs() returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_worker record;
begin
  for v_worker in
    select * from (values
      ('voice-reconcile', '* * * * *', ''),
      ('alert-dispatch', '* * * * *', ''),
      -- Asks only while something is due, so that an idle line costs no function call.
      ('notify-worker', '10 seconds', $sql$
        and exists (
          select from public.job_lanes as l where l.worker = 'notify-worker' and l.due_at <= now()
        )$sql$)
    ) as workers(name, schedule, condition)
  loop
    -- The answer comes at once and the run goes on: pg_net begins its next batch when all of the last are answered.
    perform cron.schedule(v_worker.name, v_worker.schedule, format($job$
      select net.http_post(
        url := url.decrypted_secret || '/%s',
        headers := jsonb_build_object(
          'apikey', token.decrypted_secret, 'prefer', 'respond-async', 'content-type', 'application/json'
        ),
        body := '{}'::jsonb,
        timeout_milliseconds := 10000
      )
      from vault.decrypted_secrets as url, vault.decrypted_secrets as token
      where url.name = 'functions_url' and token.name = 'scheduler_token'%s
    $job$, v_worker.name, v_worker.condition));
  end loop;
  -- pg_cron keeps a row for each run and deletes none: 11,500 a day.
  perform cron.schedule('purge-job-runs', '41 3 * * *',
    $job$delete from cron.job_run_details where coalesce(end_time, start_time) < now() - interval '2 days'$job$);
end
$$;

do $block$
begin
  if (select count(*) from pg_available_extensions where name in ('pg_cron', 'pg_net', 'supabase_vault')) = 3 then
    create extension if not exists pg_cron;
    -- By itself it goes to public, which the platform's Security Advisor warns of, and cannot be moved from there.
    create extension if not exists pg_net with schema extensions;
    create extension if not exists supabase_vault;
    perform public.schedule_jobs();
  end if;
end
$block$;
