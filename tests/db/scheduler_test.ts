import { attemptsOf } from "../../supabase/functions/_shared/campaigns/retry.ts";
import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import type { Sql } from "postgres";
import { JOBS } from "../../scripts/local/schedule.ts";
import { databaseTests } from "../support/database.ts";
import { VAULT } from "../support/vault.ts";

// The scheduled jobs, run one by one on stand-ins of pg_cron and pg_net, which plain PostgreSQL does not have.

// github.com/citusdata/pg_cron, github.com/supabase/pg_net: their names and signatures.
const STAND_INS = `
  create schema cron;
  create table cron.job (jobname text primary key, schedule text, command text);
  create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql as $$
    insert into cron.job values (job_name, schedule, command)
    on conflict (jobname) do update set schedule = excluded.schedule, command = excluded.command
    returning 1
  $$;
  create table cron.job_run_details (
    runid bigint generated always as identity, status text, start_time timestamptz, end_time timestamptz
  );
  create schema net;
  create table net.http_request_queue (id bigint generated always as identity, url text, headers jsonb, body jsonb);
  create function net.http_post(
    url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{}',
    timeout_milliseconds integer default 5000
  ) returns bigint language sql as $$
    insert into net.http_request_queue (url, headers, body) values (url, headers, body) returning id
  $$;
  ${VAULT}
`;

interface Scheduler {
  readonly sql: Sql;
  /** Runs a job as pg_cron does. @returns what it asked pg_net for. */
  run(job: string): Promise<Record<string, unknown>[]>;
  /** Stores what the workers are called by. */
  deploy(): Promise<void>;
}

/** A test on a schedule of its own. */
function test(name: string, body: (scheduler: Scheduler) => Promise<void>): void {
  databaseTests("scheduler")(name, async ({ sql }) => {
    await sql.unsafe(STAND_INS);
    await sql`select schedule_jobs()`;
    await body({
      sql,
      async run(job) {
        await sql`truncate net.http_request_queue`;
        const [found] = await sql`select command from cron.job where jobname = ${job}`;
        await sql.unsafe(found!["command"]);
        return (await sql`select url, headers, body from net.http_request_queue`)
          .map((row) => ({ ...row }));
      },
      async deploy() {
        await sql`
          select vault.create_secret('https://example.com/functions/v1', 'functions_url'),
            vault.create_secret('the-token-of-the-scheduler', 'scheduler_token')`;
      },
    });
  });
}

test("scheduling twice is scheduling once, and the local stack calls the same workers", async ({ sql }) => {
  await sql`select schedule_jobs()`;
  const jobs = (await sql`select jobname from cron.job order by 1`).map(({ jobname }) => jobname);
  assertEquals(jobs, [
    "alert-dispatch",
    "campaign-dialler",
    "dial-worker",
    "notify-worker",
    "purge-job-runs",
    "voice-reconcile",
  ]);
  const workers = jobs.filter((job) => !job.startsWith("purge-"));
  assertEquals(JOBS.map(({ name }) => name).sort(), workers);
});

// pg_cron and Vault have a schema of their own, whatever is said; pg_net has one for what it makes, and is in public itself.
// Source: https://github.com/supabase/supabase/pull/48694
Deno.test("no extension is put into public, where the platform's advisor finds it", async () => {
  const made: string[] = [];
  for await (const { name } of Deno.readDir("supabase/schemas")) {
    const text = await Deno.readTextFile(`supabase/schemas/${name}`);
    made.push(...text.matchAll(/create extension if not exists ([^;]+);/g).map((each) => each[1]!));
  }
  const placed = made.filter((each) => !["pg_cron", "supabase_vault"].includes(each));
  assert(placed.length >= 3);
  assertEquals(placed.filter((each) => !/ with schema extensions('|$)/.test(each)), []);
});

test("without an address and a token in Vault the workers are not called", async ({ sql, run }) => {
  assertEquals(await run("voice-reconcile"), []);
  await sql`select vault.create_secret('https://example.com/functions/v1', 'functions_url')`;
  // A key that an earlier deploy left there is nothing that may pass through pg_net.
  await sql`select vault.create_secret('sb_secret_x', 'functions_secret_key')`;
  assertEquals(await run("voice-reconcile"), []);
});

test("each worker is called with the scheduler's token and nothing else, and asked to answer at once", async ({ sql, run, deploy }) => {
  await deploy();
  await sql`select enqueue_job('mail_alert', 'a'), enqueue_job('dial_end', gen_random_uuid()::text)`;
  await sql`
    insert into campaigns (name, mode, flow, state, calls_per_second, max_concurrent, attempts, machine, consent)
    values ('One', 'broadcast', 'main', 'running', 1, 1, ${
    sql.json(attemptsOf() as never)
  }, 'hang_up', 'none_needed')`;
  for (const { name } of JOBS) {
    assertEquals(await run(name), [{
      url: `https://example.com/functions/v1/${name}`,
      headers: {
        "apikey": "the-token-of-the-scheduler",
        "prefer": "respond-async",
        "content-type": "application/json",
      },
      body: {},
    }]);
  }
});

test("notify-worker is called only while a mail is due", async ({ sql, run, deploy }) => {
  await deploy();
  await sql`select enqueue_job('mail_alert', 'a')`;
  await sql`update jobs set run_at = now() + interval '1 hour'`;
  assertEquals(await run("notify-worker"), []);
  await sql`update jobs set run_at = now() - interval '1 second'`;
  await sql`update job_kinds set held_until = now() + interval '1 minute' where kind = 'mail_alert'`;
  assertEquals(await run("notify-worker"), []);
  await sql`update job_kinds set held_until = null`;
  assertEquals((await run("notify-worker")).length, 1);
});

test("campaign-dialler is called only while a campaign runs", async ({ run, deploy }) => {
  await deploy();
  assertEquals(await run("campaign-dialler"), []);
});

test("pg_cron's notes of runs are kept for two days, those that never ended too", async ({ sql, run }) => {
  await sql`
    insert into cron.job_run_details (status, start_time, end_time) values
      ('now', now(), now()),
      ('running', now() - interval '1 hour', null),
      ('yesterday', now() - interval '47 hours', now() - interval '47 hours'),
      ('old', now() - interval '49 hours', now() - interval '49 hours'),
      ('crashed', now() - interval '49 hours', null),
      ('long', now() - interval '49 hours', now() - interval '47 hours')`;
  await run("purge-job-runs");
  const kept = await sql`select status from cron.job_run_details order by runid`;
  assertEquals(kept.map(({ status }) => status), ["now", "running", "yesterday", "long"]);
});

test("a worker is late when it has not come to its end for five minutes; notify-worker only while a mail is due", async ({ sql }) => {
  await sql`select enqueue_job('mail_alert', 'a')`;
  const late = async () => {
    const [row] = await sql`select health_recent_activity()->'workers' as workers`;
    const workers = row!["workers"] as Record<string, { late: boolean }>;
    return Object.keys(workers).filter((worker) => workers[worker]!.late).sort();
  };
  const due = (minutes: number) =>
    sql`update jobs set run_at = now() - make_interval(mins => ${minutes})`;
  await due(-60);
  assertEquals(await late(), []);
  for (const { name } of JOBS) await sql`select record_worker_run(${name})`;
  assertEquals(await late(), []);
  await sql`update worker_runs set last_ok_at = now() - interval '290 seconds'`;
  assertEquals(await late(), []);
  await sql`update worker_runs set last_ok_at = now() - interval '301 seconds'`;
  assertEquals(await late(), ["alert-dispatch", "voice-reconcile"]);
  await due(4);
  assertEquals(await late(), ["alert-dispatch", "voice-reconcile"]);
  await due(6);
  assertEquals(await late(), ["alert-dispatch", "notify-worker", "voice-reconcile"]);
  // A run that failed did not come to its end.
  await sql`select record_worker_run('voice-reconcile', false)`;
  await sql`select record_worker_run('alert-dispatch')`;
  assertEquals(await late(), ["notify-worker", "voice-reconcile"]);
  const [row] = await sql`
    select (health_recent_activity()->'workers'->'voice-reconcile'->>'age_seconds')::integer as age`;
  assertEquals(row!["age"] >= 301, true);
});
