import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import postgres, { type Sql } from "postgres";
import type { VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";
import { databaseTests, type TestDatabase } from "../support/database.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";

// People, holding and promises, as the events of calls reach them; Twilio's part is played by what a leg would tell.

const test = databaseTests("dialling");

const LINE = "+15877428885";
const GROUP = { members: ["p1", "p2", "p3"], seconds: 20, confirm: true };
const FLOW = {
  schema: 1,
  zone: "America/Edmonton",
  start: "main",
  groups: { desk: GROUP, all: { ...GROUP, ring: "all" } },
  nodes: {
    main: {
      type: "menu",
      tries: 1,
      options: [{ key: "1", next: "hold" }, { key: "2", next: "back" }, { key: "3", next: "ring" }],
      otherwise: "bye",
    },
    hold: {
      type: "queue",
      group: "desk",
      offer: "back",
      answered: "bye",
      gave_up: "bye",
      full: "bye",
    },
    ring: { type: "ring", group: "all", answered: "bye", unanswered: "bye" },
    back: { type: "callback", group: "desk", next: "bye", refused: "bye" },
    bye: { type: "end" },
  },
};
const HASH = "ab".repeat(32);

interface Facts {
  queue?: { position: number; wait?: { low_sec: number; high_sec: number; samples: number } };
  attempt?: { won: boolean; over: boolean; call_sid?: string };
  callbacks?: Record<string, boolean>;
  queues?: Record<string, { waiting: number; full: boolean }>;
  self?: { handle: string; available: boolean };
  wake?: boolean;
}

let callers = 0;

/** One owner's practice, with the flow published and so many verified people. */
async function practice(db: TestDatabase, people: number, group: Record<string, unknown> = {}) {
  const { sql } = db;
  const members = Array.from({ length: people }, (_, i) => `p${i + 1}`);
  const flow = {
    ...FLOW,
    groups: {
      desk: { ...GROUP, members, ...group },
      all: { ...GROUP, members, ring: "all", ...group },
    },
  };
  await sql`select publish_flow(null, 'practice', ${sql.json(flow as never)}, ${HASH}, ${[LINE]})`;
  for (const [i, handle] of members.entries()) {
    // deno-lint-ignore no-await-in-loop
    await sql`
      insert into people (handle, name, phone, verified_at)
      values (${handle}, ${handle}, ${`+1403555${String(i + 1000)}`}, now())`;
  }
  return sql;
}

async function accept(sql: Sql, event: VoiceEvent): Promise<Facts> {
  const [row] = await sql<{ facts: Facts | null }[]>`
    select accept_voice_event(${sql.json(event as never)}) #> '{call,facts}' as facts`;
  return row!.facts ?? {};
}

class Caller {
  readonly sid = newCallSid();
  readonly from: string | undefined;
  #turn = 0;
  constructor(readonly sql: Sql, from?: string | null) {
    this.from = from === null ? undefined : from ?? `+1780${String(2_000_000 + ++callers)}`;
  }
  event(changes: Partial<VoiceEvent>, ask: Record<string, unknown>): VoiceEvent {
    return voiceEvent(this.sid, {
      operation: "voice-menu-handler",
      identity: `turn-${++this.#turn}`,
      call_status: "in-progress",
      from_e164: this.from as never,
      to_e164: LINE,
      ask: ask as never,
      ...changes,
    });
  }
  arrives = () =>
    accept(
      this.sql,
      this.event({ operation: "voice-frontdoor", event: "arrived" }, { line: LINE }),
    );
  leaves = (node: string, outcome: string, ask: Record<string, unknown> = {}) =>
    accept(
      this.sql,
      this.event({ event: "menu", meta: { node, outcome } }, {
        flow: HASH,
        callable: true,
        ...ask,
      }),
    );
  waits = () => accept(this.sql, this.event({ event: "queue_waited" }, { flow: HASH, queue: {} }));
  hangsUp = () =>
    accept(
      this.sql,
      { ...this.event({ event: "status", call_status: "completed" }, {}), ask: undefined },
    );
  async holds() {
    await this.arrives();
    return await this.leaves("main", "options.0");
  }
}

interface Attempt {
  token: string;
  call_sid: string;
  to_e164: string;
  purpose: string;
  state: string;
  result: string | null;
  ended_at: Date | null;
  callback_id: string | null;
}

const attempts = (sql: Sql, open = true): Promise<Attempt[]> =>
  sql<Attempt[]>`
    select * from dial_attempts where ended_at is null or not ${open} order by id`.then((
    rows,
  ) => [...rows]);

let legs = 0;
const newLeg = () => `CA${String(++legs).padStart(32, "d")}`;

/** What the leg of an attempt tells. */
async function told(
  sql: Sql,
  token: string,
  leg: string,
  status: string | null,
  what: string | null = null,
) {
  const [row] = await sql<{ told: NonNullable<Facts["attempt"]> & { wake: number } }[]>`
    select attempt_told(${token}, ${leg}, ${status}, ${what}) as told`;
  return row!.told;
}

test("of ten people who press 1 at once for one call exactly one wins, and the others' legs are over", async (db) => {
  const sql = await practice(db, 10);
  const sessions = Array.from({ length: 10 }, () => postgres(db.url, { max: 1 }));
  try {
    for (let round = 0; round < 5; round++) {
      const caller = new Caller(sql);
      await caller.arrives();
      assertEquals((await caller.leaves("main", "options.2")).wake, true);
      const rung = await attempts(sql);
      assertEquals(rung.length, 10);
      const pressed = await Promise.all(rung.map((a, i) =>
        accept(
          sessions[i]!,
          voiceEvent(caller.sid, {
            operation: "voice-action",
            identity: `press-${a.token}`,
            event: "leg_accepted",
            leg_sid: `CA${a.token.replaceAll("-", "")}`,
            parent_call_sid: caller.sid,
            call_status: undefined,
            status: "in-progress",
            ask: { attempt: { token: a.token, told: "pressed" } } as never,
          }),
        )
      ));
      assertEquals(pressed.filter(({ attempt }) => attempt!.won && !attempt!.over).length, 1);
      assertEquals(pressed.filter(({ attempt }) => !attempt!.won && attempt!.over).length, 9);
      const [entry] = await sql`select taken_by from queue_entries where call_sid = ${caller.sid}`;
      assertEquals(
        pressed.findIndex(({ attempt }) => attempt!.won),
        rung.findIndex((a) => a.token === entry!.taken_by),
      );
      await caller.hangsUp();
      await sql`update dial_attempts set ended_at = now() - interval '1 minute', result = coalesce(result, 'canceled')`;
      await sql`update call_legs set status = 'completed', ended_at = now()`;
    }
  } finally {
    await Promise.all(sessions.map((session) => session.end()));
  }
});

test("200 callers in one queue and 50 people: order is kept, no position rises, each telephone has one dial", async (db) => {
  const sql = await practice(db, 50);
  const sessions = Array.from({ length: 4 }, () => postgres(db.url, { max: 1 }));
  const all = Array.from({ length: 200 }, (_, n) => new Caller(sessions[n % 4]!));
  const last = new Map<string, number>();
  const hears = ({ sid }: Caller, { queue }: Facts) => {
    if (queue === undefined) return;
    assert(queue.position <= (last.get(sid) ?? Infinity), "a position rose");
    last.set(sid, queue.position);
  };
  try {
    await Promise.all(sessions.map(async (_, i) => {
      for (const caller of all.filter((_, n) => n % 4 === i)) {
        // deno-lint-ignore no-await-in-loop
        await caller.arrives();
        // deno-lint-ignore no-await-in-loop
        hears(caller, await caller.leaves("main", "options.0"));
      }
    }));
    assertEquals((await attempts(sql)).length, 50, "nobody is dialled twice, nobody is idle");
    const order = (await sql`select call_sid from queue_entries order by queued_at, id`).map((e) =>
      e.call_sid
    );
    const connected: string[] = [];
    for (let round = 0; round < 4; round++) {
      // deno-lint-ignore no-await-in-loop
      const open = await attempts(sql);
      assertEquals(new Set(open.map((a) => a.to_e164)).size, open.length);
      for (const a of open) {
        const leg = newLeg();
        // deno-lint-ignore no-await-in-loop
        const { won, call_sid } = await told(sql, a.token, leg, "in-progress", "pressed");
        assert(won);
        connected.push(call_sid!);
        // deno-lint-ignore no-await-in-loop
        await told(sql, a.token, leg, "in-progress", "connected");
        // deno-lint-ignore no-await-in-loop
        await told(sql, a.token, leg, "completed");
      }
      // deno-lint-ignore no-await-in-loop
      for (const caller of all.filter((_, n) => n % 25 === round)) {
        hears(caller, await caller.waits());
      }
    }
    assertEquals(connected, order.slice(0, connected.length));
    assert(connected.length >= 150);
  } finally {
    await Promise.all(sessions.map((session) => session.end()));
  }
});

test("a wait is estimated from more than 20 samples only, as a range", async (db) => {
  const sql = await practice(db, 1);
  const caller = new Caller(sql);
  const place = await caller.holds();
  assertEquals(place.queue!.wait, undefined);
  const taken = (count: number) =>
    sql`
      insert into queue_entries (call_sid, queue, group_name, version_id, node, line, members, seconds, first_position,
        queued_at, taken_by, taken_at, left_at, result)
      select 'CA' || lpad(to_hex(n + extract(epoch from clock_timestamp())::bigint), 32, '0'), 'desk', 'desk', 1, 'hold', ${LINE}, '{}', 20, 1,
        now() - make_interval(secs => 60 + n), gen_random_uuid(), now() - interval '1 second', now(), 'answered'
      from generate_series(1, ${count}::integer) as n`;
  await taken(20);
  assertEquals((await caller.waits()).queue!.wait, undefined);
  await taken(1);
  const { wait } = (await caller.waits()).queue!;
  assertEquals(wait!.samples, 21);
  assert(wait!.low_sec >= 60 && wait!.low_sec < wait!.high_sec && wait!.high_sec <= 80);
});

test("a caller whom a person took and did not reach holds on at the old place, and is rung for again", async (db) => {
  const sql = await practice(db, 2);
  const [first, second] = [new Caller(sql), new Caller(sql)];
  await first.holds();
  await second.holds();
  const [a, b] = await attempts(sql);
  assertEquals((await told(sql, a!.token, newLeg(), "in-progress", "pressed")).call_sid, first.sid);
  const leg = `${newLeg()}`;
  await sql`update dial_attempts set leg_sid = ${leg} where token = ${a!.token}`;
  await told(sql, a!.token, leg, "completed");
  const won = await told(sql, b!.token, newLeg(), "in-progress", "pressed");
  assertEquals([won.won, won.call_sid], [true, first.sid]);
  const waiting = await sql`select call_sid from queue_now where not taken`;
  assertEquals(waiting.map(({ call_sid }) => call_sid), [second.sid]);
});

test("the ringing for a caller who has gone is ended, and what was not dialled yet is never dialled", async (db) => {
  const sql = await practice(db, 3);
  const caller = new Caller(sql);
  await caller.arrives();
  await caller.leaves("main", "options.2");
  const [dialled, waiting] = await attempts(sql);
  assertEquals(await begun(sql, dialled!.token), "dial");
  await caller.hangsUp();
  assertEquals(await begun(sql, waiting!.token), "over");
  assertEquals((await attempts(sql)).map(({ token }) => token), [dialled!.token]);
  const ends = await sql`select key from jobs where kind = 'dial_end'`;
  assertEquals(ends.map(({ key }) => key), [dialled!.token]);
  const pressed = await told(sql, dialled!.token, newLeg(), "in-progress", "pressed");
  assertEquals([pressed.won, pressed.over], [false, true]);
});

const begun = async (sql: Sql, token: string) =>
  (await sql`select begin_dial(${token}) as answer`)[0]!.answer;

test("an attempt is dialled once by however many workers; the next one asks Twilio", async (db) => {
  const sql = await practice(db, 1);
  await new Caller(sql).holds();
  const [a] = await attempts(sql);
  const sessions = Array.from({ length: 8 }, () => postgres(db.url, { max: 1 }));
  const answers = await Promise.all(sessions.map((session) => begun(session, a!.token)));
  await Promise.all(sessions.map((session) => session.end()));
  assertEquals(answers.sort(), [...Array(7).fill("ask"), "dial"]);
  // Twilio has no such leg: once more.
  await sql`select dial_told(${a!.token}, 'intended')`;
  assertEquals(await begun(sql, a!.token), "dial");
  const leg = newLeg();
  await told(sql, a!.token, leg, "in-progress");
  const second = await told(sql, a!.token, newLeg(), "in-progress", "pressed");
  assertEquals([second.won, second.over], [false, true], "a second leg of one attempt is ended");
  assertEquals(await begun(sql, a!.token), "over");
});

/** A caller without hours who was promised a call back. */
async function promised(sql: Sql, from?: string | null) {
  const caller = new Caller(sql, from);
  await caller.arrives();
  const facts = await caller.leaves("main", "options.1");
  await sql`update callbacks set calendar = ${sql.json({ zone: "UTC", weekly: everyDay })}`;
  return { caller, facts };
}
const everyDay = Object.fromEntries(
  ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map((day) => [day, [["00:00", "24:00"]]]),
);

test("a promise has its row before it is spoken, one a number and group; a withheld number has none", async (db) => {
  const sql = await practice(db, 1);
  const { facts, caller } = await promised(sql, "+17805550100");
  assertEquals(facts.callbacks, { desk: true });
  assertEquals((await promised(sql, "+17805550100")).facts.callbacks, { desk: true });
  assertEquals((await promised(sql, null)).facts.callbacks, undefined);
  const barred = new Caller(sql);
  await barred.arrives();
  assertEquals(
    (await barred.leaves("main", "options.1", { callable: false })).callbacks,
    undefined,
  );
  const rows = await sql`select call_sid, to_e164, state from callbacks`;
  assertEquals(rows.map((row) => ({ ...row })), [
    { call_sid: caller.sid, to_e164: "+17805550100", state: "open" },
  ]);
});

test("one who offers to be called back keeps the place in line of the holding", async (db) => {
  const sql = await practice(db, 1);
  const [first, second] = [new Caller(sql), new Caller(sql)];
  await first.holds();
  await second.holds();
  await second.leaves("hold", "offer");
  const [row] = await sql`
    select k.queued_at = e.queued_at as same from callbacks as k join queue_entries as e on e.call_sid = k.call_sid`;
  assertEquals(row!.same, true);
  const [entry] = await sql`select result from queue_entries where call_sid = ${second.sid}`;
  assertEquals(entry!.result, "offer");
});

test("a promise is dialled once under ticks at once, at most its tries, and then shown as failed with why", async (db) => {
  const sql = await practice(db, 3);
  const { caller } = await promised(sql);
  const [{ id }] = await sql`select id from callbacks` as unknown as [{ id: string }];
  const sessions = Array.from({ length: 6 }, () => postgres(db.url, { max: 1 }));
  try {
    for (let tries = 1; tries <= 5; tries++) {
      // deno-lint-ignore no-await-in-loop
      await Promise.all(sessions.map((session) => session`select keep_promise(${id})`));
      // deno-lint-ignore no-await-in-loop
      const open = await attempts(sql);
      assertEquals(open.map(({ callback_id }) => callback_id), [id], `try ${tries}`);
      // deno-lint-ignore no-await-in-loop
      await told(sql, open[0]!.token, newLeg(), "no-answer");
      // deno-lint-ignore no-await-in-loop
      await sql`select keep_promise(${id})`;
      // deno-lint-ignore no-await-in-loop
      assertEquals(await attempts(sql), [], "not before its delay");
      // deno-lint-ignore no-await-in-loop
      await sql`update callbacks set due_at = now()`;
      // deno-lint-ignore no-await-in-loop
      await sql`update dial_attempts set ended_at = now() - interval '1 minute'`;
    }
    await sql`select keep_promise(${id})`;
    assertEquals(await attempts(sql), []);
    const [row] = await sql`select call_sid, state, tries, why from callbacks_due`;
    assertEquals({ ...row }, { call_sid: caller.sid, state: "failed", tries: 5, why: "no_answer" });
  } finally {
    await Promise.all(sessions.map((session) => session.end()));
  }
});

test("a promise ends as done when the two were connected, and is not tried again when that is unknown", async (db) => {
  const sql = await practice(db, 1);
  const ends = async (...what: (string | null)[]) => {
    await sql`delete from dial_attempts`;
    await sql`delete from callbacks`;
    await promised(sql);
    await sql`select keep_promise(id) from callbacks`;
    const [a] = await attempts(sql);
    const leg = newLeg();
    for (const one of what) {
      // deno-lint-ignore no-await-in-loop
      await told(sql, a!.token, leg, "in-progress", one);
    }
    await told(sql, a!.token, leg, "completed");
    const [row] = await sql`select state, why from callbacks`;
    return [row!.state, row!.why];
  };
  assertEquals(await ends("pressed", "connected"), ["done", "done"]);
  assertEquals(await ends("pressed", "caller_busy"), ["open", "caller_busy"]);
  assertEquals(await ends(null), ["open", "declined"], "a mailbox");
  assertEquals(await ends("pressed"), ["failed", "outcome_unknown"]);
});

test("a number is verified by a key, another number is not, and nobody unverified is rung", async (db) => {
  const sql = await practice(db, 1);
  await sql`update people set verified_at = null`;
  assertEquals((await new Caller(sql).holds()).queue, undefined);
  const [{ token }] = await sql`select verify_person(null, 'p1', ${LINE}) as token` as unknown as [
    { token: string },
  ];
  const leg = newLeg();
  assertEquals((await told(sql, token, leg, "in-progress", "pressed")).won, true);
  await told(sql, token, leg, "completed");
  assertEquals((await new Caller(sql).holds()).queue!.position, 1);
  await sql`update people set phone = '+14035559999'`;
  const [person] = await sql`select verified_at from people`;
  assertEquals(person!.verified_at, null);
});

test("a person's own telephone tells and sets whether they take calls, and a free person is dialled at once", async (db) => {
  const sql = await practice(db, 2);
  await sql`update people set available = false where handle = 'p1'`;
  await new Caller(sql).holds();
  await new Caller(sql).holds();
  assertEquals((await attempts(sql)).length, 1);
  const own = new Caller(sql, "+14035551000");
  const ask = (self: Record<string, unknown>) =>
    accept(sql, own.event({ event: "arrived" }, { line: LINE, self }));
  assertEquals((await ask({})).self, { handle: "p1", name: "p1", available: false } as never);
  const facts = await ask({ available: true });
  assertEquals([facts.self!.available, facts.wake], [true, true]);
  assertEquals((await attempts(sql)).length, 2);
});

test("a leg that tells of itself before Twilio's answer is the attempt's own, and a second one is over", async (db) => {
  const sql = await practice(db, 1);
  await new Caller(sql).holds();
  const [a] = await attempts(sql);
  assertEquals(await begun(sql, a!.token), "dial");
  const leg = newLeg();
  await told(sql, a!.token, leg, "ringing");
  const created = async (sid: string) =>
    (await sql`select dial_told(${a!.token}, 'created', ${sid}) as answer`)[0]!.answer;
  assertEquals(await created(leg), { over: false, wake: 0 });
  assertEquals((await created(newLeg())).over, true);
});

test("what nobody dialled in time is ended, so that its telephone and its promise are free again", async (db) => {
  const sql = await practice(db, 1);
  await promised(sql);
  await sql`select keep_promise(id) from callbacks`;
  const [a] = await attempts(sql);
  await sql`select mend_dialling()`;
  assertEquals((await attempts(sql)).length, 1, "not before its time");
  await sql`update dial_attempts set decided_at = now() - interval '4 minutes'`;
  await sql`delete from jobs`;
  await sql`select mend_dialling()`;
  assertEquals(await attempts(sql), []);
  assertEquals(await begun(sql, a!.token), "over");
  await sql`update callbacks set due_at = now()`;
  await sql`delete from jobs`;
  await sql`select mend_dialling()`;
  assertEquals((await sql`select kind from jobs`).map(({ kind }) => kind), ["callback"]);
});

test("an administrator changes the people of the own organisation, never their verification; a viewer nothing", async (db) => {
  const [own, other] = [crypto.randomUUID(), crypto.randomUUID()];
  for (const org of [own, other]) {
    // deno-lint-ignore no-await-in-loop
    await db
      .sql`insert into people (org_id, handle, name, phone) values (${org}, 'anna', 'Anna', '+14035550001')`;
  }
  const as = (role: string, body: (sql: Sql) => Promise<{ count: number }>) =>
    db.sql.begin(async (tx) => {
      const claims = JSON.stringify({ role: "authenticated", app_metadata: { org_id: own, role } });
      await tx`select set_config('request.jwt.claims', ${claims}, true)`;
      await tx`set local role authenticated`;
      return (await body(tx as unknown as Sql)).count;
    });
  const away = (sql: Sql) => sql`update people set available = false`;
  assertEquals([await as("viewer", away), await as("admin", away)], [0, 1]);
  const refused = async (body: (sql: Sql) => Promise<{ count: number }>) =>
    (await assertRejects(() => as("admin", body), postgres.PostgresError)).code;
  assertEquals(await refused((sql) => sql`update people set verified_at = now()`), "42501");
  assertEquals(
    await refused((sql) =>
      sql`insert into people (org_id, handle, name, phone) values (${other}, 'ben', 'Ben', '+14035550002')`
    ),
    "42501",
  );
  const hours = (calendar: unknown) => (sql: Sql) =>
    sql`update people set calendar = ${sql.json(calendar as never)}`;
  assertEquals(await refused(hours({ zone: "ZZZ5", weekly: {} })), "PT400");
  assertEquals(await refused(hours({ zone: "UTC", weekly: { mon: [["8", "9"]] } })), "PT400");
  assertEquals(await as("admin", hours({ zone: "UTC", weekly: { mon: [["08:00", "24:00"]] } })), 1);
});
