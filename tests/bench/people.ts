import postgres, { type Sql } from "postgres";
import { connect } from "../support/cluster.ts";
import { attempts, Caller, newLeg, practice, told } from "../support/holding.ts";
import { ratio, type Row } from "./report.ts";
import type { World } from "./world.ts";

export interface PeopleOptions {
  readonly callers: number;
  readonly races: number;
  readonly promises: number;
}

const PEOPLE = 50;
const SESSIONS = 10;

/** Holding, accepting and calling back, at the database: what an event costs, and what must never happen. */
export async function people(world: World, options: PeopleOptions): Promise<Row[]> {
  return [
    ...await holding(world, options),
    ...await races(world, options),
    ...await promises(world, options),
  ];
}

const at = (times: readonly number[], part: number) =>
  times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;

/** The same events with few and with all callers in the queue: each in milliseconds with its round trip, one at a time. */
async function holding(world: World, { callers }: PeopleOptions): Promise<Row[]> {
  // Not the disk's time.
  const connection = { synchronous_commit: "off" };
  const sql = postgres(await world.createDatabase("bench_holding"), { max: 1, connection });
  const round = async (comes: number) => {
    const times: Record<"hold" | "wait" | "end", number[]> = { hold: [], wait: [], end: [] };
    const timed = async <T>(name: keyof typeof times, work: () => Promise<T>): Promise<T> => {
      const began = performance.now();
      const result = await work();
      times[name].push(performance.now() - began);
      return result;
    };
    const all = Array.from({ length: comes }, () => new Caller(sql));
    for (const caller of all) {
      // deno-lint-ignore no-await-in-loop -- One at a time, here and below.
      await caller.arrives();
      // deno-lint-ignore no-await-in-loop
      await timed("hold", () => caller.leaves("main", "options.0"));
    }
    // deno-lint-ignore no-await-in-loop
    for (const caller of all.slice(-100)) await timed("wait", caller.waits);
    for (const a of await attempts(sql)) {
      const leg = newLeg();
      // deno-lint-ignore no-await-in-loop
      await told(sql, a.token, leg, "in-progress", "pressed");
      // deno-lint-ignore no-await-in-loop
      await told(sql, a.token, leg, "in-progress", "connected");
      // deno-lint-ignore no-await-in-loop
      await timed("end", () => told(sql, a.token, leg, "completed"));
    }
    return { ...times, hold: times.hold.slice(-100) };
  };
  try {
    await practice(sql, PEOPLE);
    // Plans are made in the first events.
    await round(60);
    const few = await round(100);
    const many = await round(callers);
    const names = {
      hold: `a caller comes to a queue of ${callers}`,
      wait: "the next wait document",
      end: "a person is free again, and the next one is dialled for",
    };
    return (["hold", "wait", "end"] as const).flatMap((name) => [
      {
        measure: `${names[name]}, p50`,
        unit: "ms",
        ...ratio(at(many[name], 0.5), "with 150", at(few[name], 0.5)),
        aim: { most: 2 },
      },
      { measure: "the same, p99", unit: "ms", ours: at(many[name], 0.99), aim: { most: 5 } },
    ]);
  } finally {
    await sql.end();
  }
}

/** Ten people press 1 for one call, from ten sessions at once. */
async function races(world: World, { races: count }: PeopleOptions): Promise<Row[]> {
  const url = await world.createDatabase("bench_races");
  const sql = connect(url);
  const sessions = Array.from({ length: SESSIONS }, () => postgres(url, { max: 1 }));
  let [wrong, slowest] = [0, 0];
  try {
    await practice(sql, 1);
    for (let done = 0; done < count; done += 100) {
      // deno-lint-ignore no-await-in-loop
      const made = await sql<{ call: string; tokens: string[] }[]>`
        with called as (
          insert into queue_entries (call_sid, queue, group_name, version_id, node, line, members, seconds)
          select sid, sid, 'all', 1, 'ring', '+15877428885', '{}', 20
          from (select 'CA' || lpad(to_hex(n), 32, '0') as sid from generate_series(${done}::integer + 1, ${done}::integer + 100) as n) as s
          returning call_sid
        ), rung as (
          insert into dial_attempts (purpose, call_sid, queue, to_e164, line, group_name, version_id, node, seconds, state, dialled_at, leg_sid)
          select 'person', c.call_sid, c.call_sid, format('+1403%s%s', lpad(right(('x' || right(c.call_sid, 6))::bit(24)::integer::text, 6), 6, '0'), i),
            '+15877428885', 'all', 1, 'ring', 20, 'created', now(), 'CA' || lpad(i || right(c.call_sid, 8), 32, 'a')
          from called as c cross join generate_series(0, ${SESSIONS}::integer - 1) as i
          returning call_sid, token
        )
        select call_sid as call, array_agg(token) as tokens from rung group by 1`;
      for (const { tokens } of made) {
        const began = performance.now();
        // deno-lint-ignore no-await-in-loop
        const pressed = await Promise.all(tokens.map(async (token, i) => {
          const [row] = await sessions[i]!<{ told: { won: boolean; over: boolean } }[]>`
            select attempt_told(a.token, a.leg_sid, 'in-progress', 'pressed') as told
            from dial_attempts as a where a.token = ${token}`;
          return row!.told;
        }));
        slowest = Math.max(slowest, performance.now() - began);
        const won = pressed.filter(({ won, over }) => won && !over).length;
        const over = pressed.filter(({ won, over }) => !won && over).length;
        if (won !== 1 || over !== SESSIONS - 1) wrong++;
      }
    }
    return [
      {
        measure:
          `of ${count} calls that ten people accept at once, those with another number of winners than one`,
        unit: "",
        ours: wrong,
        aim: { most: 0 },
      },
      {
        measure: "all ten know, at the latest after",
        unit: "ms",
        ours: slowest,
        aim: { most: 1000 },
      },
    ];
  } finally {
    await Promise.all([sql, ...sessions].map((each) => each.end()));
  }
}

/** What Twilio and the worker do with promises, each step of which may be lost after its effect, or be done twice. */
async function promises(world: World, { promises: count }: PeopleOptions): Promise<Row[]> {
  const url = await world.createDatabase("bench_promises");
  const sql = connect(url);
  const sessions = Array.from({ length: 4 }, () => postgres(url, { max: 1 }));
  let seed = 7;
  const draw = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
  /** The worker, or the answer to Twilio, is lost here. */
  const lost = () => draw() < 0.08;
  const twice = () => draw() < 0.1 ? 2 : 1;
  const legs = new Map<string, string>();
  const called = new Map<string, number>();
  /** Legs that have ended; the callback that says so may be lost. */
  const ended = new Set<string>();
  let legsTooMany = 0;

  const drive = async (session: Sql, a: { token: string; callback_id: string | null }) => {
    const { token } = a;
    const tell = async (status: string, what: string | null = null) => {
      let first: { won: boolean; over: boolean } | undefined;
      for (let n = twice(); n > 0; n--) {
        // deno-lint-ignore no-await-in-loop
        first ??= await told(session, token, legs.get(token)!, status, what);
      }
      return first!;
    };
    if (ended.has(token)) return void await tell("completed");
    let leg = legs.get(token);
    if (leg === undefined || lost()) {
      const [{ answer }] = await session`select begin_dial(${token}) as answer` as unknown as [
        { answer: string },
      ];
      if (answer === "over" || lost()) return;
      if (answer === "dial") {
        if (leg !== undefined) legsTooMany++;
        leg = newLeg();
        legs.set(token, leg);
        // Twilio has made it, and its answer does not come.
        if (lost()) return;
      }
      await (leg === undefined
        ? session`select dial_told(${token}, 'intended')`
        : session`select dial_told(${token}, 'created', ${leg})`);
      if (leg === undefined || lost()) return;
    }
    const fate = draw();
    ended.add(token);
    if (fate < 0.2) return void await tell(fate < 0.1 ? "busy" : "no-answer");
    const answer = await tell("in-progress", "pressed");
    // The answer to the key was lost: the leg ends, and the caller is not called.
    if (answer.won && !answer.over && !lost()) {
      called.set(a.callback_id!, (called.get(a.callback_id!) ?? 0) + 1);
      if (fate < 0.3) await tell("in-progress", "caller_busy");
      else if (!lost()) await tell("in-progress", "connected");
      if (fate < 0.3) called.set(a.callback_id!, called.get(a.callback_id!)! - 1);
    }
    if (!lost()) await tell("completed");
  };
  try {
    await practice(sql, PEOPLE);
    await sql`
      insert into callbacks (call_sid, to_e164, line, group_name, version_id, node, members, seconds, calendar, queued_at)
      select 'CA' || lpad(to_hex(n), 32, '0'), '+1780' || lpad(n::text, 7, '0'), '+15877428885', 'desk', 1, 'back',
        array(select handle from people), 20, jsonb_build_object('zone', 'UTC', 'weekly', (
          select jsonb_object_agg(d, '[["00:00", "24:00"]]'::jsonb) from unnest('{mon,tue,wed,thu,fri,sat,sun}'::text[]) as d
        )), now() - make_interval(secs => ${count}::integer - n)
      from generate_series(1, ${count}::integer) as n`;
    for (let tick = 0; tick < 4 * count; tick++) {
      // Its hour has come, and each promise has its job, some of them twice.
      // deno-lint-ignore no-await-in-loop
      const due = await sql`
        update callbacks as c set due_at = now() where c.id in (
          select k.id from callbacks as k where k.state = 'open' and not k.ready order by k.queued_at limit 50
        ) returning id`;
      // deno-lint-ignore no-await-in-loop
      await Promise.all(
        due.map(({ id }, n) => sessions[n % 4]!`select keep_promise(${id}), keep_promise(${id})`),
      );
      // deno-lint-ignore no-await-in-loop
      const open = await attempts(sql);
      if (open.length === 0 && due.length === 0) break;
      // deno-lint-ignore no-await-in-loop
      await Promise.all(open.map((a, n) => drive(sessions[n % 4]!, a)));
    }
    const [sum] = await sql<{ open: number; done: number; silent: number }[]>`
      select count(*) filter (where state = 'open')::integer as open, count(*) filter (where state = 'done')::integer as done,
        count(*) filter (where state = 'failed' and why is null)::integer as silent
      from callbacks`;
    const reached = [...called.values()].filter((times) => times > 0).length;
    return [
      {
        measure:
          `of ${count} promises with faults at each step, lost: neither kept nor failed with why`,
        unit: "",
        ours: sum!.open + sum!.silent,
        aim: { most: 0 },
        note: `${sum!.done} done, ${reached} callers reached`,
      },
      {
        measure: "callers called twice, legs made twice",
        unit: "",
        ours: [...called.values()].filter((times) => times > 1).length + legsTooMany,
        aim: { most: 0 },
      },
    ];
  } finally {
    await Promise.all([sql, ...sessions].map((each) => each.end()));
  }
}
