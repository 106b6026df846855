import postgres, { type Sql } from "postgres";
import { difference, ratio, type Row } from "./report.ts";
import type { RecordedCall } from "./recorded_call.ts";
import { acceptCall, compareSql, runSql } from "./sql_load.ts";
import { median } from "./stats.ts";
import type { ThroughputOptions } from "./throughput.ts";
import type { World } from "./world.ts";

export interface HistoryOptions extends ThroughputOptions {
  /** Calls in the long history and in the short one. */
  readonly long: number;
  readonly short: number;
  readonly log: (line: string) => void;
}

/** A webhook's latency and each view's, with many calls behind them; against few. */
export async function history(
  world: World,
  call: RecordedCall,
  options: HistoryOptions,
): Promise<Row[]> {
  const { long, short, pgbench, seconds, rounds } = options;
  const sizes = { ours: long, rival: short };
  const urls = { ours: "", rival: "" };
  for (const which of ["rival", "ours"] as const) {
    // deno-lint-ignore no-await-in-loop -- They would only slow each other down.
    urls[which] = await world.createDatabase(`bench_history_${which}`);
    const started = performance.now();
    // deno-lint-ignore no-await-in-loop
    await generate(urls[which], sizes[which], call.steps.length);
    options.log(
      `${sizes[which]} calls made up in ${((performance.now() - started) / 1000).toFixed(0)} s`,
    );
  }
  const rows: Row[] = [];
  for (const clients of [1, options.connections]) {
    // deno-lint-ignore no-await-in-loop -- They must not run at once.
    const { ours, rival } = await compareSql(
      (which) => runSql(pgbench, urls[which], acceptCall(call), clients, seconds),
      rounds,
    );
    rows.push({
      measure: `accept_voice_event with ${long} calls in history, ${clients} at once`,
      unit: "ms",
      ...ratio(ours.meanMs, `with ${short}`, rival.meanMs),
      aim: { most: 1.2 },
    });
  }
  // As voice-reconcile leaves it: hours that are over are added up.
  for (const url of Object.values(urls)) {
    // deno-lint-ignore no-await-in-loop -- One at a time.
    await addUp(url);
  }
  // The open calls that the load left would be a line that nobody could run.
  const [slow, quick] = await Promise.all([viewTimes(urls.ours, 3), viewTimes(urls.rival, 3)]);
  for (const [view, ms] of slow) {
    rows.push({
      measure: `view ${view} with ${long} calls`,
      unit: "ms",
      ...difference(ms, `with ${short}`, quick.get(view)!),
      compared: undefined,
      aim: { most: 100 },
    });
  }
  rows.push({
    measure: `erasing 500 calls past their time, of ${long}`,
    unit: "ms",
    ours: await eraseTime(urls.ours, 3),
    rival: { name: `of ${short}`, figure: await eraseTime(urls.rival, 3) },
    note: "one run of voice-reconcile, once a minute",
  });
  const [dropped, fewer] = [await dropTime(urls.ours), await dropTime(urls.rival)];
  rows.push({
    measure: `dropping a month of ${dropped.events} events`,
    unit: "ms",
    ours: dropped.ms,
    rival: { name: `of ${fewer.events}`, figure: fewer.ms },
  });
  return rows;
}

async function addUp(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql`select roll_up_calls(1000)`;
    // A day at a time.
    for (;;) {
      // deno-lint-ignore no-await-in-loop -- One after the other.
      const [row] = await sql<{ added: boolean }[]>`select count_paths() as added`;
      if (!row!.added) break;
    }
    await sql`analyze call_hours, rolled_hours, flow_counts`;
  } finally {
    await sql.end();
  }
}

/** Dropping the oldest month of events, with all that it holds. */
async function dropTime(url: string): Promise<{ ms: number; events: number }> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const [month] = await sql<{ name: string; events: number }[]>`
      select relname as name, reltuples::float8 as events from pg_class
      where relnamespace = 'months'::regnamespace and relkind = 'r' and reltuples > 0 order by 1 limit 1`;
    const started = performance.now();
    await sql`drop table ${sql(`months.${month!.name}`)}`;
    return { ms: performance.now() - started, events: month!.events };
  } finally {
    await sql.end();
  }
}

/** One batch of what retention erases, in the middle of some. */
async function eraseTime(url: string, tries: number): Promise<number> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql`update retention_rules set days = 89`;
    const taken: number[] = [];
    for (let i = 0; i < tries; i++) {
      const started = performance.now();
      // deno-lint-ignore no-await-in-loop -- One after the other.
      await sql`select purge_personal_data(500)`;
      taken.push(performance.now() - started);
    }
    return median(taken);
  } finally {
    await sql.end();
  }
}

/** Views that list every call: what is asked of them is a page. */
const PAGES: Readonly<Record<string, string>> = {
  ivr_sessions: "order by created_at desc limit 100",
  ivr_interactions:
    "where session_id = (select call_sid from public.call_logs order by started_at desc limit 1)",
};

/** Each view that operators have: planning and all of its rows, in the middle of some tries. */
async function viewTimes(url: string, tries: number): Promise<Map<string, number>> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const views = await sql<{ name: string }[]>`
      select viewname as name from pg_views where schemaname = 'public' order by 1`;
    await sql`set role service_role`;
    const times = new Map<string, number>();
    for (const { name } of views) {
      const taken: number[] = [];
      for (let i = 0; i < tries; i++) {
        // deno-lint-ignore no-await-in-loop -- One at a time.
        const [row] = await sql.unsafe<{ "QUERY PLAN": Plan[] }[]>(
          `explain (analyze, timing off, format json) select * from public.${name} ${
            PAGES[name] ?? ""
          }`,
        );
        const plan = row!["QUERY PLAN"][0]!;
        taken.push(plan["Planning Time"] + plan["Execution Time"]);
      }
      times.set(name, median(taken));
    }
    return times;
  } finally {
    await sql.end();
  }
}

interface Plan {
  "Planning Time": number;
  "Execution Time": number;
}

/**
 * Fills a database with calls of the last 90 days, evenly spread, as their events would have left them: of ten, seven
 * reached somebody, one left a voicemail, one gave up and one is mixed; 300,000 callers; the last thousandth
 * is going on. All of it by statements over sets, past triggers and without indexes, which are made after.
 */
export async function generate(url: string, calls: number, eventsPerCall: number): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql`set session_replication_role = replica`;
    await sql`set synchronous_commit = off`;
    await sql`set maintenance_work_mem = '256MB'`;
    // The number that all of them ring is an organisation's, so that the view of numbers has calls to count.
    const org = "11111111-1111-4111-8111-111111111111";
    await sql`
      insert into telephony_subaccounts (org_id, subaccount_sid, business_name)
      values (${org}, ${"AC" + "1".repeat(32)}, 'Bench')`;
    await sql`
      insert into telephony_numbers (org_id, e164_number, number_sid, country)
      values (${org}, '+15877428885', ${"PN" + "1".repeat(32)}, 'CA')`;
    for (let i = 1; i <= VERSIONS; i++) {
      // deno-lint-ignore no-await-in-loop -- The last one's id is VERSIONS.
      await sql`
        select publish_flow(null, ${`flow ${i % 50}`}, ${sql.json(FLOW)}, ${
        String(i).padStart(64, "0")
      })`;
    }
    // Their months, by an event of each.
    await sql`
      insert into call_lifecycle (call_sid, leg_sid, event, occurred_at, received_at)
      select 'CA' || repeat('0', 32), 'CA' || repeat('0', 32), 'status', t, t
      from generate_series(now() - interval '95 days', now(), interval '10 days') as t`;
    await sql`select keep_call_months()`;
    await sql`delete from call_lifecycle`;
    const rebuild = await dropIndexes(sql, [
      "call_logs",
      "call_lifecycle",
      "call_legs",
      "recordings",
    ]);
    const batch = 250_000;
    for (let from = 1; from <= calls; from += batch) {
      const to = Math.min(calls, from + batch - 1);
      // deno-lint-ignore no-await-in-loop -- In order of time, as calls come.
      await generateCalls(sql, from, to, calls, eventsPerCall);
    }
    for (const statement of rebuild) {
      // deno-lint-ignore no-await-in-loop -- One at a time.
      await sql.unsafe(statement);
    }
    await sql`
      insert into analytics_events (event_type, severity, event_data, created_at)
      select 'bench', case when i % 10 = 0 then 'error' else 'info' end, '{"reason": "made up"}',
        now() - (i * 90.0 / ${calls / 100}) * interval '1 day'
      from generate_series(1, ${Math.ceil(calls / 100)}::int) as i`;
    await sql`vacuum analyze`;
    await sql`checkpoint`;
  } finally {
    await sql.end();
  }
}

/** Of fifty flows. */
const VERSIONS = 150;

const NODES = ["hello", "agree", "hours", "main", "desk", "note", "bye"];

const FLOW = {
  schema: 1,
  zone: "America/Edmonton",
  start: "hello",
  nodes: Object.fromEntries(NODES.map((node) => [node, { type: "end" }])),
};

async function generateCalls(
  sql: Sql,
  from: number,
  to: number,
  calls: number,
  eventsPerCall: number,
): Promise<void> {
  await sql`
    insert into call_logs (
      call_sid, from_e164, to_e164, mode, mode_turn, status, consent_given, consent_order,
      started_at, answered_at, connected_at, ended_at, duration_sec, dialled, rang_at, last_step, last_step_at,
      recording_sid, recording_url, recording_source, recording_duration_sec, recorded_at, transcript,
      created_at, updated_at, flow_version, at_node
    )
    select
      'CA' || md5(i::text), '+1' || lpad((2000000000 + i % 300000)::text, 10, '0'), '+15877428885',
      case when voicemail then 'voicemail' when i % 3 = 0 then 'support' else 'sales' end, 1,
      case when open then 'in-progress'::call_status else 'completed' end, true, 3,
      t, t, case when connected then t + interval '20 s' end, case when not open then t + interval '90 s' end,
      case when not open then 90 end,
      i % 10 < 8, case when i % 10 < 8 then t + interval '10 s' end, 'consent', t + interval '8 s',
      case when voicemail then 'RE' || md5(i::text) end,
      case when voicemail then 'https://api.twilio.com/2010-04-01/Recordings/RE' || md5(i::text) end,
      case when voicemail then 'voicemail' end, case when voicemail then 30 end,
      case when voicemail then t + interval '80 s' end,
      case when voicemail then repeat('please call me back ', 5) end,
      t, t + interval '90 s', 1 + i % ${VERSIONS}::int,
      jsonb_build_object('version', 1 + i % ${VERSIONS}::int, 'node', case when open then 'desk' else 'bye' end)
        || case when open then '{}'::jsonb else '{"outcome": "end"}' end
    from (
      select i, now() - (${calls} - i) * interval '90 days' / ${calls}::float8 as t,
        i > ${calls} - ${Math.ceil(calls / 1000)}::int as open,
        i % 10 < 7 as connected, i % 10 = 7 and i <= ${calls} - ${
    Math.ceil(calls / 1000)
  }::int as voicemail
      from generate_series(${from}::int, ${to}::int) as i
    ) as made`;
  await sql`
    insert into recordings (recording_sid, call_sid, leg_sid, source, url, duration_sec, recorded_at, transcript, handled_at)
    select recording_sid, call_sid, call_sid, recording_source, recording_url, recording_duration_sec, recorded_at,
      transcript, case when started_at < now() - interval '12 hours' then started_at + interval '1 hour' end
    from call_logs where recording_sid is not null
    on conflict do nothing`;
  await sql`
    insert into call_legs (call_sid, leg_sid, to_e164, node, status, dialled_at, rang_at, answered_at, ended_at)
    select call_sid, 'CA' || md5(call_sid), '+15550002001', mode,
      case when ended_at is not null then case when connected_at is null then 'no-answer' else 'completed' end::call_status end,
      rang_at, rang_at, connected_at, ended_at
    from call_logs where dialled
    on conflict do nothing`;
  await sql`
    insert into call_lifecycle (
      call_sid, leg_sid, event, status, sequence_number, occurred_at, received_at, meta, path, identity_hash, request_hash, answer
    )
    select sid, sid, (case e when 1 then 'arrived' when 2 then 'consent' else 'status' end)::call_event, 'in-progress', e,
      t + e * interval '10 s', t + e * interval '10 s',
      jsonb_build_object('consent', jsonb_build_object('basis', 'stayed', 'turn', 1)),
      -- Through the first four nodes, to the fifth, and to the end.
      (
        select jsonb_agg(jsonb_build_object('version', version, 'node', node) ||
          case when nth = (array[4, 5])[e] then '{}'::jsonb else '{"outcome": "next"}' end order by nth)
        from unnest(${NODES}::text[]) with ordinality as n(node, nth)
        where case e when 1 then nth <= 4 when 2 then nth in (4, 5) when 3 then nth in (5, 7) end
      ),
      e, e,
      row(true, 'in-progress', 'sales', true, null)::voice_answer
    from (
      select 'CA' || md5(i::text) as sid, 1 + i % ${VERSIONS}::int as version,
        now() - (${calls} - i) * interval '90 days' / ${calls}::float8 as t
      from generate_series(${from}::int, ${to}::int) as i
    ) as made, generate_series(1, ${eventsPerCall}::int) as e`;
}

/** @returns the statements that make them again. */
async function dropIndexes(sql: Sql, tables: string[]): Promise<string[]> {
  const indexes = await sql<{ name: string; definition: string }[]>`
    select i.indexrelid::regclass::text as name, 
      -- Of a partitioned table it names that table alone; an index on it is to reach its parts.
      replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') as definition
    from pg_index as i join pg_class as c on c.oid = i.indrelid
    where c.relnamespace = 'public'::regnamespace and c.relname = any(${tables}) and c.relkind in ('r', 'p')
      and not i.indisprimary and not i.indisunique`;
  for (const { name } of indexes) {
    // deno-lint-ignore no-await-in-loop -- One at a time.
    await sql.unsafe(`drop index public.${name}`);
  }
  return indexes.map(({ definition }) => definition);
}
