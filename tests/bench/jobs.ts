import { join } from "@std/path/join.js";
import postgres, { type Sql } from "postgres";
import type { Job, Jobs } from "../../supabase/functions/_shared/db/jobs.ts";
import { runJobs } from "../../supabase/functions/_shared/jobs/run.ts";
import { connect } from "../support/cluster.ts";
import { ratio, type Row } from "./report.ts";
import { median } from "./stats.ts";
import { ROOT, type World } from "./world.ts";

export interface JobsOptions {
  /** Jobs that a round does. */
  readonly count: number;
  readonly rounds: number;
  /** Jobs that wait beside them in the long queue. */
  readonly long: number;
  readonly log: (line: string) => void;
}

/** Jobs that are done at a time, and connections, of ours and of the rival. */
const AT_ONCE = 8;

/** Jobs that do nothing, done by the worker's own loop, beside graphile-worker doing as many; and with many that wait. */
export async function jobsPerSecond(world: World, options: JobsOptions): Promise<Row[]> {
  const rows: Row[] = [];
  const rival = await graphile(await world.createDatabase("bench_jobs_rival"));
  if (rival === undefined) options.log("graphile-worker cannot be had: nothing to compare with");
  for (const [name, waiting] of [["empty", 0], ["long", options.long]] as const) {
    // deno-lint-ignore no-await-in-loop -- One at a time.
    rows.push(...await inQueue(world, options, rival, name, waiting));
  }
  const url = await world.createDatabase("bench_claims");
  const sql = connect(url);
  try {
    await fill(sql, 1000, "few");
    const few = await claimMs(sql);
    await fill(sql, options.long, "many");
    rows.push({
      measure: `claim 10 jobs and end them, with ${options.long} waiting`,
      unit: "ms",
      ...ratio(await claimMs(sql), "with 1000", few),
      aim: { most: 1.5 },
    });
  } finally {
    await sql.end();
  }
  return rows;
}

async function inQueue(
  world: World,
  { count, rounds, log }: JobsOptions,
  rival: Rival | undefined,
  name: string,
  waiting: number,
): Promise<Row[]> {
  const url = await world.createDatabase(`bench_jobs_${name}`);
  const sql = connect(url);
  try {
    await kind(sql);
    await rival?.prepare(url);
    if (waiting > 0) {
      log(`Filling the queues with ${waiting} jobs each`);
      await fill(sql, waiting, "waiting");
      await rival?.fill(sql, waiting);
      await sql`vacuum analyze`;
    }
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const turns = [
        async () => void ours.push(await perSecond(sql, url, count, round)),
        async () => void (rival && theirs.push(await rival.perSecond(sql, url, count))),
      ];
      // deno-lint-ignore no-await-in-loop -- In turns, the order swapped each time.
      for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
    }
    const measure = waiting === 0
      ? `jobs by one worker, ${AT_ONCE} at a time`
      : `the same with ${waiting} more that are due`;
    return [{
      measure,
      unit: "/s",
      ...(rival === undefined
        ? { ours: median(ours) }
        : ratio(median(ours), "graphile-worker", median(theirs))),
      aim: rival && { least: 1 },
    }];
  } finally {
    await sql.end();
  }
}

const kind = (sql: Sql) =>
  sql`insert into job_kinds (kind, worker, priority, lease, delays)
    values ('bench', 'bench', 1, '2 min', '{1 min}') on conflict do nothing`;

/** Jobs that are due, and would be claimed after those of a round. */
async function fill(sql: Sql, count: number, prefix: string): Promise<void> {
  await kind(sql);
  await sql`
    insert into jobs (kind, key, priority, payload)
    select 'bench', ${prefix} || n, 2, '{"n": 1}' from generate_series(1, ${count}::int) as n`;
}

async function perSecond(sql: Sql, url: string, count: number, round: number): Promise<number> {
  await sql`
    insert into jobs (kind, key, priority, payload)
    select 'bench', ${`round ${round} `} || n, 1, '{"n": 1}' from generate_series(1, ${count}::int) as n`;
  const pool = postgres(url, { max: AT_ONCE });
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, () => pool`select 1`));
    const started = performance.now();
    const { done } = await runJobs(
      "bench",
      { bench: () => Promise.resolve({ kind: "done" }) },
      { batch: 40, atOnce: AT_ONCE, most: count, until: Infinity },
      { jobs: jobsIn(pool), log: () => {}, now: () => new Date() },
    );
    return done / (performance.now() - started) * 1000;
  } finally {
    await pool.end();
  }
}

/** The queue by a direct connection, as the rival has it; the functions reach it by the Data API. */
function jobsIn(sql: Sql): Jobs {
  return {
    claim: async (kinds, limit) => [
      ...await sql<Job[]>`select * from claim_jobs(${kinds as string[]}, ${limit})`,
    ],
    done: async ({ id, lease }) => (await sql`select job_done(${id}, ${lease}) as it`)[0]!["it"],
    failed: () => Promise.reject(new Error("Cannot fail")),
    hold: () => Promise.reject(new Error("Cannot hold")),
    ended: () => Promise.resolve(),
  };
}

/** The middle of many claims of ten. */
async function claimMs(sql: Sql): Promise<number> {
  const taken: number[] = [];
  for (let i = 0; i < 60; i++) {
    const started = performance.now();
    // deno-lint-ignore no-await-in-loop -- One at a time.
    await sql`select job_done(id, lease) from claim_jobs('{bench}', 10)`;
    taken.push(performance.now() - started);
  }
  return median(taken);
}

interface Rival {
  prepare(url: string): Promise<void>;
  fill(sql: Sql, count: number): Promise<void>;
  perSecond(sql: Sql, url: string, count: number): Promise<number>;
}

/** `undefined` where it cannot be had. */
async function graphile(url: string): Promise<Rival | undefined> {
  const run = async (url: string, count: number) => {
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-lock", "--no-config", "--node-modules-dir=none"],
        ...["--import-map", join(ROOT, "import_map.json")],
        ...[join(ROOT, "tests", "bench", "graphile.ts"), url, String(count), String(AT_ONCE)],
      ],
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      stderr: "null",
    }).output();
    return success ? Number(new TextDecoder().decode(stdout)) : undefined;
  };
  if (await run(url, 0) === undefined) return undefined;
  const add = async (sql: Sql, count: number, priority: number) => {
    for (let left = count; left > 0; left -= 50_000) {
      // deno-lint-ignore no-await-in-loop -- One array of them after the other.
      await sql`
        select count(*) from graphile_worker.add_jobs(array(
          select ('bench', '{"n": 1}', null, null, null, null, ${priority}::smallint, null)::graphile_worker.job_spec
          from generate_series(1, ${Math.min(left, 50_000)}::int)))`;
    }
  };
  return {
    prepare: async (url) => void await run(url, 0),
    fill: (sql, count) => add(sql, count, 2),
    async perSecond(sql, url, count) {
      await add(sql, count, 1);
      return await run(url, count) ?? NaN;
    },
  };
}
