import postgres from "postgres";
import { copyOfCaller, copyOfSid, type RecordedCall, sidsOf } from "./recorded_call.ts";
import { median } from "./stats.ts";

/** A statement, or several, run again and again on many connections. */
export interface SqlLoad {
  readonly name: string;
  /** Statements of one turn; `:n` is a number that no other turn has. */
  readonly statements: readonly string[];
}

export interface SqlRate {
  /** Statements a second, all connections together. */
  readonly perSec: number;
  /** Milliseconds of one statement, on average. */
  readonly meanMs: number;
}

const roles = "-c role=service_role -c search_path=public";

/**
 * Runs a load for some seconds by pgbench; where there is none, by a loop over the driver that the tests have,
 * which costs more of the processors and so flatters whatever is held against it.
 */
export async function runSql(
  pgbench: string | undefined,
  url: string,
  load: SqlLoad,
  connections: number,
  seconds: number,
): Promise<SqlRate> {
  return pgbench === undefined
    ? await byDriver(url, load, connections, seconds)
    : await byPgbench(pgbench, url, load, connections, seconds);
}

const N = "random(1, 9007199254740991)";

async function byPgbench(
  pgbench: string,
  url: string,
  { statements }: SqlLoad,
  connections: number,
  seconds: number,
): Promise<SqlRate> {
  const file = await Deno.makeTempFile({ suffix: ".sql" });
  const script = statements.map((statement) => `${statement.replaceAll("\n", " ")};\n`).join("");
  await Deno.writeTextFile(file, `\\set n ${N}\n${script}`);
  const { hostname, port, username, password, pathname } = new URL(url);
  const { success, stdout, stderr } = await new Deno.Command(pgbench, {
    args: [
      ...["--no-vacuum", "--protocol=prepared", `--client=${connections}`, "--jobs=1"],
      ...[`--time=${seconds}`, `--file=${file}`, `--host=${hostname}`, `--port=${port}`],
      ...[`--username=${username}`, pathname.slice(1)],
    ],
    env: { PGPASSWORD: password, PGOPTIONS: roles },
  }).output();
  await Deno.remove(file);
  const text = new TextDecoder().decode(stdout);
  const tps = /^tps = ([\d.]+)/m.exec(text)?.[1];
  if (!success || tps === undefined || !/failed transactions: 0 /.test(text)) {
    throw new Error(`Cannot measure by pgbench: ${new TextDecoder().decode(stderr) || text}`);
  }
  const perSec = Number(tps) * statements.length;
  return { perSec, meanMs: connections * 1000 / perSec };
}

async function byDriver(
  url: string,
  { statements }: SqlLoad,
  connections: number,
  seconds: number,
): Promise<SqlRate> {
  const sql = postgres(url, {
    max: connections,
    onnotice: () => {},
    fetch_types: false,
    connection: { options: roles },
  });
  const prepared = statements.map((statement) => {
    let used = false;
    const text = statement.replaceAll(/:n\b/g, () => (used = true, "$1"));
    return { text, used };
  });
  const started = performance.now();
  const end = started + seconds * 1000;
  let done = 0;
  const loop = async () => {
    while (performance.now() < end) {
      const n = String(Math.floor(Math.random() * Number.MAX_SAFE_INTEGER));
      for (const { text, used } of prepared) {
        // deno-lint-ignore no-await-in-loop -- One after the other on this connection.
        await sql.unsafe(text, used ? [n] : [], { prepare: true });
        done++;
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, loop));
  const perSec = done / ((performance.now() - started) / 1000);
  await sql.end();
  return { perSec, meanMs: connections * 1000 / perSec };
}

/** The recorded call's events, given to the database itself; each turn is a call of its own. */
export function acceptCall(call: RecordedCall): SqlLoad {
  return {
    name: "accept_voice_event",
    statements: call.steps.map(({ event }) => accept(call, event)),
  };
}

/** As many single-row inserts of the same JSON, into a table with a primary key and nothing else. */
export function insertCall(call: RecordedCall): SqlLoad {
  return {
    name: "insert",
    statements: call.steps.map(({ event }) =>
      `insert into bench.events (event) values (${copied(call, event)})`
    ),
  };
}

/**
 * The rows that a call leaves, written without asking anything of them: the floor of any function that keeps
 * them, with their constraints and indexes.
 */
export function bareRows(call: RecordedCall): SqlLoad {
  const statement = (event: string, i: number) => `
    with e as (select ${copied(call, event)} as event), kept as (
      insert into public.call_lifecycle (
        call_sid, leg_sid, event, status, occurred_at, meta, identity_hash, request_hash, answer
      )
      select event ->> 'call_sid', event ->> 'leg_sid', (event ->> 'event')::public.call_event, event ->> 'status',
        (event ->> 'occurred_at')::timestamptz, event -> 'meta', ${i}, ${i},
        row(true, 'in-progress', 'sales', true, null)::public.voice_answer from e
    ), leg as (
      insert into public.call_legs as l (call_sid, leg_sid, dialled_at)
      select event ->> 'call_sid', event ->> 'leg_sid', (event ->> 'occurred_at')::timestamptz from e
      where event ? 'parent_call_sid'
      on conflict (call_sid, leg_sid) do update set answered_at = excluded.dialled_at + interval '${i} s'
    )
    insert into public.call_logs as c (call_sid, from_e164, to_e164, status, started_at)
    select event ->> 'call_sid', event ->> 'from_e164', event ->> 'to_e164',
      'in-progress', (event ->> 'occurred_at')::timestamptz from e
    on conflict (call_sid) do update set status = 'in-progress', mode_turn = ${i}`;
  return { name: "bare rows", statements: call.steps.map(({ event }, i) => statement(event, i)) };
}

/** The table of `insertCall`. */
export async function createInsertTable(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await sql.unsafe(`
    create schema bench;
    create table bench.events (id bigint generated always as identity primary key, event jsonb not null);
    grant usage on schema bench to service_role;
    grant insert on bench.events to service_role`);
  await sql.end();
}

function accept(call: RecordedCall, event: string): string {
  return `select public.accept_voice_event(${copied(call, event)})`;
}

/** An SQL expression of the event as turn `:n`'s own. Both loads pay for it. */
function copied(call: RecordedCall, event: string): string {
  const n = "lpad(to_hex(:n::bigint), 31, '0')";
  const caller = "lpad((:n::bigint % 10000000000)::text, 10, '0')";
  const sids = sidsOf(call);
  let text = event.replaceAll("'", "''").replaceAll("%", "%%");
  sids.forEach((sid, at) => {
    // As copyOfSid and copyOfCaller write them, with a place where the number goes.
    text = text.replaceAll(sid, copyOfSid(sid, at, 0).replace(/0{31}$/, "%1$s"));
  });
  text = text.replaceAll(call.from, copyOfCaller(0).replace(/0{10}$/, "%2$s"));
  // Each rings a line of its own: one line takes no more than MAX_CALLS_PER_MINUTE.
  text = text.replaceAll(call.to, "+2%2$s");
  // pgbench takes a colon before a letter for a variable.
  return `format('${text.replaceAll(/:(?=[A-Za-z_])/g, ": ")}', ${n}, ${caller})::jsonb`;
}

export interface Compared {
  readonly ours: SqlRate;
  readonly rival: SqlRate;
}

/** Two loads in turns, so that whatever else the machine does falls on both; the medians of the rounds. */
export async function compareSql(
  run: (which: "ours" | "rival") => Promise<SqlRate>,
  rounds: number,
): Promise<Compared> {
  const taken = { ours: [] as SqlRate[], rival: [] as SqlRate[] };
  for (let round = 0; round < rounds; round++) {
    for (const which of round % 2 === 0 ? ["ours", "rival"] as const : ["rival", "ours"] as const) {
      // deno-lint-ignore no-await-in-loop -- They must not run at once.
      taken[which].push(await run(which));
    }
  }
  const middle = (rates: readonly SqlRate[]) => ({
    perSec: median(rates.map(({ perSec }) => perSec)),
    meanMs: median(rates.map(({ meanMs }) => meanMs)),
  });
  return { ours: middle(taken.ours), rival: middle(taken.rival) };
}
