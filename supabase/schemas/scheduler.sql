-- The schedule of the workers on platforms with pg_cron and pg_net, such as Supabase; the local stack has its own timer. The
-- address and a token come from Vault, as functions_url and scheduler_token; until both exist the jobs do nothing. The
-- token starts the workers and nothing else, because every role can read pg_net's queue.
create function public.schedule_jobs() returns void
language plpgsql volatile set search_path = ''
as $$
declare
  v_worker record;
  v_due constant text := 'exists (select from public.job_lanes as l where l.worker = %L and l.due_at <= now())';
begin
  for v_worker in
    select * from (values
      ('voice-reconcile', '* * * * *', null),
      ('alert-dispatch', '* * * * *', null),
      -- Called only while a job is due, so that an idle line costs no function call.
      ('notify-worker', '10 seconds', v_due),
      -- A webhook wakes it as well. This is for what is due later, and for a wake-up that was lost.
      ('dial-worker', '5 seconds', v_due),
      ('campaign-dialler', '5 seconds', 'exists (select from public.campaigns as c where c.state = ''running'')')
    ) as workers(name, schedule, condition)
  loop
    -- The answer comes at once and the run continues, because pg_net sends its next batch after all answers to the last.
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
    $job$, v_worker.name, ' and ' || format(v_worker.condition, v_worker.name)));
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
    -- Otherwise it is created in public, where the platform's Security Advisor warns about it, and cannot be moved.
    create extension if not exists pg_net with schema extensions;
    create extension if not exists supabase_vault;
    perform public.schedule_jobs();
  end if;
end
$block$;
