-- Who calls the workers, where the platform has pg_cron and pg_net (Supabase does; the local stack has a timer of its
-- own). The address and the key come from Vault, under the names functions_url and functions_secret_key; until both are
-- there the jobs do nothing.
do $block$
declare
  v_worker record;
begin
  if (select count(*) from pg_available_extensions where name in ('pg_cron', 'pg_net', 'supabase_vault')) = 3 then
    create extension if not exists pg_cron;
    create extension if not exists pg_net;
    create extension if not exists supabase_vault;
    for v_worker in
      select * from (values
        ('voice-reconcile', '* * * * *', ''),
        ('alert-dispatch', '* * * * *', ''),
        -- Asks only while something is due, so that an idle line costs no function call.
        ('notify-worker', '10 seconds', $sql$
          and exists (
            select from public.outbox as o where o.status in ('pending', 'sending') and o.next_attempt_at <= now()
          )$sql$)
      ) as workers(name, schedule, condition)
    loop
      perform cron.schedule(v_worker.name, v_worker.schedule, format($job$
        select net.http_post(
          url := url.decrypted_secret || '/%s',
          headers := jsonb_build_object('apikey', key.decrypted_secret, 'content-type', 'application/json'),
          body := '{}'::jsonb,
          timeout_milliseconds := 55000
        )
        from vault.decrypted_secrets as url, vault.decrypted_secrets as key
        where url.name = 'functions_url' and key.name = 'functions_secret_key'%s
      $job$, v_worker.name, v_worker.condition));
    end loop;
    perform cron.schedule('purge-outbox', '17 * * * *', 'select public.purge_outbox(10000)');
  end if;
end
$block$;
