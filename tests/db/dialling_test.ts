import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import postgres, { type Sql } from "postgres";
import { databaseTests, type TestDatabase } from "../support/database.ts";
import { voiceEvent } from "../support/events.ts";
import {
  accept,
  attempts,
  Caller,
  HASH,
  holdInOrder,
  LINE,
  newLeg,
  practice,
  told,
} from "../support/holding.ts";

// People, holding and promises, as the events of calls reach them; Twilio's part is played by what a leg would tell.

const test = databaseTests("dialling");

test("of ten people who press 1 at once for one call exactly one wins, and the others' legs are over", async (db) => {
  const sql = await practice(db.sql, 10);
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

test("a ring that rotates begins with the available member who was dialled least recently", async (db) => {
  const sql = await practice(db.sql, 3, { ring: "rotate" });
  const phone = (nth: number) => `+1403555${999 + nth}`;
  const rings = async () => {
    const caller = new Caller(sql);
    await caller.arrives();
    return (await caller.leaves("main", "options.2")).longest_idle;
  };
  const talked = (nth: number, ago: string, until: string | null) =>
    sql`
      insert into call_legs (call_sid, leg_sid, to_e164, status, dialled_at, ended_at)
      values (${newLeg()}, ${newLeg()}, ${phone(nth)}, ${
      until && "completed"
    }, now() - ${ago}::interval,
        now() - ${until}::interval)`;
  assertEquals(await rings(), phone(1));
  await talked(1, "3 hours", "1 hour");
  await talked(2, "2 hours", "90 minutes");
  await talked(3, "50 minutes", null);
  assertEquals(await rings(), phone(2));
  await sql`update people set available = false where handle = 'p2'`;
  assertEquals(await rings(), phone(1));
});

test("callers hold in order, no position rises, and each telephone has one dial", (db) =>
  holdInOrder(db, { callers: 40, people: 12 }));

test("a wait is estimated from more than 20 samples only, as a range", async (db) => {
  const sql = await practice(db.sql, 1);
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

test("of a caller who is led out and a person who presses 1, the first comes before the other", async (db) => {
  const sql = await practice(db.sql, 1);
  for (const leaves of ["over", "offer"]) {
    const waits = (caller: Caller) =>
      accept(sql, caller.event({ event: "queue_waited" }, { flow: HASH, queue: { leaves } }));
    const isTold = async (leg: string) =>
      (await sql`select told from call_legs where leg_sid = ${leg}`)[0]?.told;
    const rests = () =>
      sql`update dial_attempts set ended_at = now() - interval '1 minute' where ended_at is not null`;

    const late = new Caller(sql);
    await late.holds();
    const [rung] = await attempts(sql);
    assertEquals((await waits(late)).queue!.taken, undefined);
    const leg = newLeg();
    const pressed = (await late.leg(rung!.token, leg, "pressed")).attempt!;
    assertEquals([pressed.won, pressed.over, pressed.why], [false, true, "caller_left"]);
    assertEquals(await isTold(leg), "caller_left");
    const meta = { node: "hold", outcome: leaves === "offer" ? "offer" : "gave_up" };
    await accept(sql, late.event({ event: "queue_left", meta }, { flow: HASH }));
    await late.hangsUp();
    await told(sql, rung!.token, leg, "completed");
    await rests();

    const early = new Caller(sql);
    await early.holds();
    const [again] = await attempts(sql);
    const other = newLeg();
    assertEquals((await told(sql, again!.token, other, "in-progress", "pressed")).won, true);
    assertEquals((await waits(early)).queue!.taken, true);
    const [entry] =
      await sql`select leaving, left_at from queue_entries where call_sid = ${early.sid}`;
    assertEquals([entry!.leaving, entry!.left_at], [null, null]);
    // Not connected after all: the caller leaves the next time.
    await told(sql, again!.token, other, "completed");
    assertEquals((await waits(early)).queue!.taken, undefined);
    await early.hangsUp();
    await rests();
    await sql`update dial_attempts set ended_at = now() - interval '1 minute', result = 'canceled' where ended_at is null`;
  }
});

test("who presses 1 after the caller has gone hears so, not that somebody else was first", async (db) => {
  const sql = await practice(db.sql, 1);
  const caller = new Caller(sql);
  await caller.holds();
  const [rung] = await attempts(sql);
  const leg = newLeg();
  await sql`update dial_attempts set dialled_at = now(), state = 'unknown'`;
  await caller.hangsUp();
  const { won, over, why } = await told(sql, rung!.token, leg, "in-progress", "pressed");
  assertEquals([won, over, why], [false, true, "caller_left"]);
});

test("without Twilio's account nobody holds and nothing is promised: the flow goes on at once", async (db) => {
  const sql = await practice(db.sql, 2);
  const ask = { cannot_dial: true, callable: false };
  const way = async (outcome: string) => {
    const caller = new Caller(sql);
    await caller.arrives();
    const facts = await caller.leaves("main", outcome, ask);
    const [call] = await sql`select at_node from call_logs where call_sid = ${caller.sid}`;
    const path = await sql`
      select e ->> 'node' as node, e ->> 'outcome' as outcome from call_lifecycle as l, jsonb_array_elements(l.path) as e
      where l.call_sid = ${caller.sid} and l.event = 'menu'`;
    assertEquals([facts.queue, facts.callbacks, facts.wake], [undefined, undefined, undefined]);
    assertEquals(call!.at_node.outcome, "end");
    return path.map((each) => `${each.node} ${each.outcome}`);
  };
  assertEquals(await way("options.0"), ["main options.0", "hold gave_up", "bye end"]);
  assertEquals(await way("options.1"), ["main options.1", "back refused", "bye end"]);
  assertEquals(await way("options.2"), ["main options.2", "ring unanswered", "bye end"]);
  const [made] = await sql`
    select (select count(*)::integer from dial_attempts) + (select count(*)::integer from queue_entries)
      + (select count(*)::integer from callbacks) as rows`;
  assertEquals(made!.rows, 0);
});

test("the CallToken of the arrival is kept for the legs of a call alone, and gone with its end", async (db) => {
  const sql = await practice(db.sql, 1);
  const kept = async () => (await sql`select token from call_tokens`).map(({ token }) => token);
  const caller = new Caller(sql);
  const ask = { line: LINE, call_token: "of Twilio's" };
  await accept(sql, caller.event({ operation: "voice-frontdoor", event: "arrived" }, ask));
  assertEquals(await kept(), ["of Twilio's"]);
  // No later webhook has it.
  await caller.leaves("main", "options.2");
  const [rung] = await attempts(sql);
  const shown = async () =>
    (await sql`select dial_content('dial', ${rung!.token}) ->> 'call_token' as token`)[0]!.token;
  assertEquals(await shown(), "of Twilio's");
  await caller.hangsUp();
  assertEquals(await kept(), []);
  // What comes after the end, and calls whose end is never told.
  await accept(sql, caller.event({ event: "menu" }, { flow: HASH, call_token: "late" }));
  assertEquals(await kept(), []);
  const lost = new Caller(sql);
  await accept(sql, lost.event({ operation: "voice-frontdoor", event: "arrived" }, ask));
  await sql`update call_tokens set kept_at = now() - interval '5 hours'`;
  await sql`select mend_dialling()`;
  assertEquals(await kept(), []);
  await sql`update call_flow_versions set rings_alone = false`;
  const plain = new Caller(sql);
  await accept(sql, plain.event({ operation: "voice-frontdoor", event: "arrived" }, ask));
  assertEquals(await kept(), [], "a flow that rings nobody for one call alone keeps none");
});

test("a caller whom a person took and did not reach holds on at the old place, and is rung for again", async (db) => {
  const sql = await practice(db.sql, 2);
  const [first, second] = [new Caller(sql), new Caller(sql)];
  await first.holds();
  await second.holds();
  const [a, b] = await attempts(sql);
  assertEquals((await told(sql, a!.token, newLeg(), "in-progress", "pressed")).call_sid, first.sid);
  const leg = `${newLeg()}`;
  await sql`update dial_attempts set leg_sid = ${leg} where token = ${a!.token}`;
  await told(sql, a!.token, leg, "completed");
  const asked =
    await sql`select job_content(kind, key, payload) ->> 'call_sid' as sid from jobs where kind = 'queue_check'`;
  assertEquals(
    asked.map(({ sid }) => sid),
    [first.sid],
    "Twilio is asked whether the caller is there",
  );
  const won = await told(sql, b!.token, newLeg(), "in-progress", "pressed");
  assertEquals([won.won, won.call_sid], [true, first.sid]);
  const waiting = await sql`select call_sid from queue_now where not taken`;
  assertEquals(waiting.map(({ call_sid }) => call_sid), [second.sid]);
});

test("the ringing for a caller who has gone is ended, and what was not dialled yet is never dialled", async (db) => {
  const sql = await practice(db.sql, 3);
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

test("the person who wins a transferred caller gets the agent's summary, each time, and the event does not keep it", async (db) => {
  const sql = await practice(db.sql, 1);
  const caller = new Caller(sql);
  await caller.holds();
  const session = `VX${"1".repeat(32)}`;
  await sql`insert into agent_sessions (session_id, call_sid, node, language) values (${session}, ${caller.sid}, 'hold', 'en-US')`;
  await sql`
    insert into agent_turns (session_id, seq, call_sid, at, kind, node, language, tool, tool_arguments)
    values (${session}, 0, ${caller.sid}, now(), 'tool', 'hold', 'en-US', 'transfer', '{"summary": "Wants maps."}')`;
  const [rung] = await attempts(sql);
  const leg = newLeg();
  for (let copy = 0; copy < 2; copy++) {
    // deno-lint-ignore no-await-in-loop
    const told = (await caller.leg(rung!.token, leg, "pressed")).attempt!;
    assertEquals([told.won, told.summary], [true, "Wants maps."]);
  }
  const kept =
    await sql`select from call_lifecycle where answer::text like '%maps%' or meta::text like '%maps%'`;
  assertEquals(kept.length, 0);
});

test("an attempt is dialled once by however many workers; the next one asks Twilio", async (db) => {
  const sql = await practice(db.sql, 1);
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
  const sql = await practice(db.sql, 1);
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
  const sql = await practice(db.sql, 1);
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
  const sql = await practice(db.sql, 3);
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
  const sql = await practice(db.sql, 1);
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
  assertEquals(await ends("declined", "pressed"), ["failed", "outcome_unknown"], "out of order");
});

test("a person's name is one that can be spoken", async ({ sql }) => {
  const named = (name: string) =>
    sql`insert into people (handle, name, phone) values ('anna', ${name}, '+14035550001')`;
  for (const character of ["\u0001", "\u000b", "\u001f", "\ufffe", "\n"]) {
    // deno-lint-ignore no-await-in-loop
    const { constraint_name } = await assertRejects(
      () => named(`Anna${character}Bell`),
      postgres.PostgresError,
    );
    assertEquals(constraint_name, "people_name_speakable");
  }
  await named("Zoë O'Hara 李 🙂");
});

test("only a line of the owner's own shows when a telephone is called to be verified", async (db) => {
  const sql = await practice(db.sql, 1);
  const line = "+15877429998";
  const { org } = await organisation(sql, line);
  await sql`insert into people (org_id, handle, name, phone) values (${org}, 'p1', 'p1', '+14035551000')`;
  const verify = (of: string | null, by: string) => sql`select verify_person(${of}, 'p1', ${by})`;
  for (const [of, by] of [[org, LINE], [null, line], [null, "+15875550199"]] as const) {
    // deno-lint-ignore no-await-in-loop
    const error = await assertRejects(() => verify(of, by), postgres.PostgresError);
    assertEquals([error.code, error.detail], ["PT400", "line"]);
  }
  await verify(org, line);
  await verify(null, LINE);
});

test("a number is verified by a key, another number is not, and nobody unverified is rung", async (db) => {
  const sql = await practice(db.sql, 1);
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
  const sql = await practice(db.sql, 2);
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
  const sql = await practice(db.sql, 1);
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
  const sql = await practice(db.sql, 1);
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
  const [{ tries }] = await sql<[{ tries: number }]>`select tries from callbacks`;
  assertEquals(tries, 0, "no telephone was dialled");
});

test("a leg of one call and the end of another, at once, do not deadlock", async (db) => {
  const sql = await practice(db.sql, 2);
  const [x, y] = [new Caller(sql), new Caller(sql)];
  await x.holds();
  await y.holds();
  const [, second] = await attempts(sql);
  const leg = newLeg();
  const sessions = Array.from({ length: 3 }, () => postgres(db.url, { max: 1 }));
  const [holder, ofEnd, ofLeg] = sessions as [Sql, Sql, Sql];
  const waiting = async (count: number) => {
    const locks = () =>
      sql`
        select from pg_locks where locktype = 'advisory' and not granted
          and database = (select oid from pg_database where datname = current_database())`;
    // deno-lint-ignore no-await-in-loop
    while ((await locks()).length < count);
  };
  const [a, b] = [new Caller(ofLeg, y.from), new Caller(ofEnd, x.from)];
  const of = (caller: Caller, { sid }: Caller) => Object.assign(caller, { sid });
  try {
    await y.leg(second!.token, leg, "ringing");
    await holder`begin`;
    await holder`select lock_dialling(null)`;
    // The end of the first call lets the second telephone go, which tells of itself meanwhile.
    const ends = of(b, x).hangsUp();
    await waiting(1);
    const tells = of(a, y).leg(second!.token, leg, "declined", { talk_sec: 3, identity: "tells" });
    await waiting(2);
    await holder`commit`;
    await Promise.all([ends, tells]);
  } finally {
    await Promise.all(sessions.map((session) => session.end()));
  }
});

test("a person who accepted and of whom nothing more was heard keeps neither the caller nor the telephone", async (db) => {
  const sql = await practice(db.sql, 2);
  const caller = new Caller(sql);
  await caller.holds();
  const [a] = await attempts(sql);
  await told(sql, a!.token, newLeg(), "in-progress", "pressed");
  await caller.waits();
  assertEquals((await attempts(sql)).length, 1, "they are being connected");
  await sql`update queue_entries set taken_at = taken_at - interval '2 minutes'`;
  await sql`update dial_attempts set accepted_at = accepted_at - interval '2 minutes 10 seconds'`;
  await caller.waits();
  assertEquals((await attempts(sql)).map(({ to_e164 }) => to_e164), [
    "+14035551000",
    "+14035551001",
  ]);
  await sql`delete from jobs`;
  await sql`select mend_dialling()`;
  const asked =
    await sql`select kind, key, job_content(kind, key, payload) -> 'talks' as talks from jobs`;
  assertEquals(asked.map((each) => ({ ...each })), [{
    kind: "dial_end",
    key: a!.token,
    talks: true,
  }]);
});

test("a caller who leaves by no key as nobody is left, or the group has closed, gives up; by the key it is the offer", async (db) => {
  const hours = { zone: "UTC", weekly: {} };
  const sql = await practice(db.sql, 1, { calendar: "day" }, { calendars: { day: hours } });
  const day = (state: "open" | "closed" | null) =>
    sql`select set_override(null, 'practice', 'day', ${state}, now() + interval '1 hour')`;
  const leaves = async (changes: () => PromiseLike<unknown>, key = false) => {
    await day("open");
    await sql`update people set available = true`;
    const caller = new Caller(sql);
    const facts = await caller.holds();
    assert(facts.queue !== undefined);
    await changes();
    if (key) {
      await accept(
        sql,
        caller.event({ event: "queue_waited" }, { flow: HASH, queue: { leaves: "offer" } }),
      );
    }
    const meta = { node: "hold", outcome: "offer" };
    const ended = caller.event({ event: "queue_left", meta }, { flow: HASH, callable: true });
    const { gives_up = false } = await accept(sql, ended) as { gives_up?: boolean };
    const [left] = await sql`select result from queue_entries where call_sid = ${caller.sid}`;
    return [gives_up, left!.result];
  };
  const away = () => sql`update people set available = false`;
  assertEquals(await leaves(() => day("open")), [false, "offer"]);
  assertEquals(await leaves(() => day("closed")), [true, "gave_up"]);
  assertEquals(await leaves(away), [true, "gave_up"]);
  assertEquals(await leaves(away, true), [false, "offer"]);
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

/** A caller who talks with p1 and could be passed on to p2, whose code is 22. */
async function talking(db: TestDatabase) {
  const sql = await practice(db.sql, 1);
  await sql`
    insert into people (handle, name, phone, verified_at, code)
    values ('ben', 'Ben', '+14035552222', now(), '22')`;
  const caller = new Caller(sql);
  await caller.holds();
  const [a] = await attempts(sql);
  const leg = newLeg();
  const { may_transfer } = await told(sql, a!.token, leg, "in-progress", "pressed");
  assertEquals(may_transfer, true);
  await caller.leg(a!.token, leg, "connected");
  return { sql, caller, token: a!.token, leg };
}

const transferOf = async (sql: Sql, leg: string) => {
  const [row] = await sql`
    select a.transfer, l.transfer as told from dial_attempts as a
    join call_legs as l on l.leg_sid = a.leg_sid where a.leg_sid = ${leg}`;
  assertEquals(row!.transfer, row!.told);
  return row!.transfer;
};

test("a person passes the caller on by a code, and the next one takes the call", async (db) => {
  const { sql, caller, token, leg } = await talking(db);
  assertEquals((await caller.comesBack()).transfer, "held");
  const passes = async (code: string) =>
    (await told(sql, token, leg, "in-progress", "transfer", code)).transfer;
  assertEquals(await passes("9"), { state: "unknown" });
  await sql`update people set available = false where handle = 'ben'`;
  assertEquals(await passes("22"), { state: "busy", to: "Ben" });
  await sql`update people set available = true where handle = 'ben'`;
  assertEquals(await passes("22"), { state: "made", to: "Ben" });
  assertEquals(await passes("22"), { state: "made" }, "once");
  assertEquals((await caller.comesBack()).transfer, "made");
  assertEquals(await transferOf(sql, leg), "pending");
  await told(sql, token, leg, "completed");
  const [b, ...others] = await attempts(sql);
  assertEquals([b!.to_e164, others], ["+14035552222", []]);
  const [{ content }] = await sql`
    select job_content('dial', ${b!.token}, '{}') as content` as unknown as [
    { content: Record<string, unknown> },
  ];
  assertEquals(
    [content.transferred_by, content.caller, content.returned],
    ["p1", caller.from, false],
  );
  const second = newLeg();
  assertEquals((await caller.waits()).queue!.position, 1);
  assertEquals((await told(sql, b!.token, second, "in-progress", "pressed")).won, true);
  await caller.leg(b!.token, second, "connected");
  assertEquals(await transferOf(sql, leg), "accepted");
  await told(sql, b!.token, second, "completed");
  assertEquals((await caller.comesBack()).transfer, undefined);
  const entries = await sql`select result from queue_entries order by id`;
  assertEquals(entries.map(({ result }) => result), ["transferred", "answered"]);
});

test("a caller whom nobody takes over returns to the person who passed the call on", async (db) => {
  const { sql, caller, token, leg } = await talking(db);
  await told(sql, token, leg, "in-progress", "transfer", "22");
  const [, b] = await attempts(sql);
  await told(sql, b!.token, newLeg(), "no-answer");
  assertEquals((await attempts(sql)).length, 1, "the first leg is still there");
  assertEquals((await caller.waits()).queue!.ringing, 1);
  assertEquals((await told(sql, token, leg, "completed")).wake, 1);
  const [again] = await attempts(sql);
  assertEquals(again!.to_e164, "+14035551000");
  const [{ content }] = await sql`
    select job_content('dial', ${again!.token}, '{}') as content` as unknown as [
    { content: Record<string, unknown> },
  ];
  assertEquals([content.returned, content.transferred_by], [true, "p1"]);
  await told(sql, again!.token, newLeg(), "in-progress", "pressed");
  assertEquals(await transferOf(sql, leg), "returned");
});

test("a caller whom nobody takes, the first person neither, goes on in the flow", async (db) => {
  const { sql, caller, token, leg } = await talking(db);
  await told(sql, token, leg, "in-progress", "transfer", "22");
  await told(sql, token, leg, "completed");
  for (let left = 2; left > 0; left--) {
    // deno-lint-ignore no-await-in-loop
    const [rung] = await attempts(sql);
    // deno-lint-ignore no-await-in-loop
    await told(sql, rung!.token, newLeg(), "busy");
  }
  assertEquals((await caller.waits()).queue!.ringing, 0);
  await caller.leaves("hold", "gave_up");
  assertEquals(await transferOf(sql, leg), "unanswered");
});

test("a person who hangs up ends the talk for the caller too, whichever is heard of first", async (db) => {
  const { sql, caller, token, leg } = await talking(db);
  assertEquals((await caller.comesBack()).transfer, "held");
  await told(sql, token, leg, "completed");
  assertEquals((await caller.comesBack()).transfer, undefined);
  const [entry] = await sql`select result from queue_entries`;
  assertEquals(entry!.result, "answered");
});

test("the caller whom Twilio has connected counts, and the two who were mixed up are swapped", async (db) => {
  const sql = await practice(db.sql, 2);
  const [first, second] = [new Caller(sql), new Caller(sql)];
  await first.holds();
  await second.holds();
  const [a, b] = await attempts(sql);
  const legs = [newLeg(), newLeg()] as const;
  assertEquals((await first.leg(a!.token, legs[0], "pressed")).attempt!.call_sid, first.sid);
  assertEquals((await second.leg(b!.token, legs[1], "pressed")).attempt!.call_sid, second.sid);
  assertEquals((await second.leg(a!.token, legs[0], "connected")).attempt!.call_sid, second.sid);
  // Told again by the end of the <Dial>, whose URL was written before.
  const again = await first.leg(a!.token, legs[0], "connected");
  assertEquals(again.attempt!.call_sid, second.sid);
  const [swapped] = await sql`
    select e.taken_by, a.call_sid from queue_entries as e join dial_attempts as a on a.token = ${
    b!.token
  }
    where e.call_sid = ${first.sid}`;
  assertEquals([swapped!.taken_by, swapped!.call_sid], [b!.token, first.sid]);
  assertEquals((await first.leg(b!.token, legs[1], "connected")).attempt!.call_sid, first.sid);
  for (const [i, token] of [a!.token, b!.token].entries()) {
    // Its URL still names the call that it was dialled for.
    // deno-lint-ignore no-await-in-loop
    await [first, second][i]!.leg(token, legs[i]!, "", {
      event: "leg_status",
      status: "completed",
      leg_status: "completed",
      talk_sec: 30,
    });
  }
  const rows = await sql`select call_sid, leg_sid, result from call_legs`;
  const results = new Map(rows.map((l) => [`${l.call_sid} ${l.leg_sid}`, l.result]));
  assertEquals(results.get(`${second.sid} ${legs[0]}`), "accepted");
  assertEquals(results.get(`${first.sid} ${legs[1]}`), "accepted");
  assertEquals(results.get(`${first.sid} ${legs[0]}`), "taken");
  const left = await sql`select call_sid, result from queue_entries order by id`;
  assertEquals(left.map((e) => [e.call_sid, e.result]), [
    [first.sid, "answered"],
    [second.sid, "answered"],
  ]);
});

const organisation = async (sql: Sql, line: string) => {
  const org = crypto.randomUUID();
  const account = `AC${org.replaceAll("-", "")}`;
  await sql`
    insert into telephony_subaccounts (org_id, business_name, subaccount_sid) values (${org}, 'A practice', ${account})`;
  await sql`
    insert into telephony_numbers (e164_number, org_id, country, number_sid)
    values (${line}, ${org}, 'CA', ${`PN${org.replaceAll("-", "")}`})`;
  return { org, account };
};

test("a leg that is no call's tells only of attempts of the account that signs for it", async ({ sql }) => {
  const line = "+15877429998";
  const { org, account } = await organisation(sql, line);
  const other = await organisation(sql, "+15877429997");
  await sql`insert into people (org_id, handle, name, phone) values (${org}, 'p1', 'p1', '+14035551000')`;
  const [{ token }] =
    await sql`select verify_person(${org}, 'p1', ${line}) as token` as unknown as [
      { token: string },
    ];
  const leg = newLeg();
  const presses = async (by: string | null) =>
    (await sql`select leg_told(${token}, ${leg}, 'in-progress', 'pressed', ${by}) ->> 'won' as won`)[
      0
    ]!.won;
  const isVerified = async () =>
    (await sql`select verified_at is not null as is from people`)[0]!.is;
  assertEquals([await presses(other.account), await presses(null), await isVerified()], [
    null,
    null,
    false,
  ]);
  assertEquals([await presses(account), await isVerified()], ["true", true]);
});

test("members, callers and promises of one owner never meet those of another, whatever their names", async (db) => {
  const { sql } = db;
  // All have the same handles, groups and flow.
  const owners = [{ org: null, line: LINE, account: undefined, digit: 0 } as {
    org: string | null;
    line: string;
    account: string | undefined;
    digit: number;
  }];
  await practice(sql, 3);
  for (const digit of [1, 2]) {
    const line = `+1587742999${digit}`;
    // deno-lint-ignore no-await-in-loop
    const { org, account } = await organisation(sql, line);
    owners.push({ org, line, account, digit });
    // deno-lint-ignore no-await-in-loop
    await sql`select publish_flow(${org}, 'practice', (select definition from call_flow_versions limit 1), ${HASH}, ${[
      line,
    ]})`;
    for (const handle of ["p1", "p2", "p3"]) {
      // deno-lint-ignore no-await-in-loop
      await sql`
        insert into people (org_id, handle, name, phone, verified_at)
        values (${org}, ${handle}, ${handle}, ${`+1403666${digit}00${handle[1]}`}, now())`;
    }
  }
  const [seed] = await sql`select floor(random() * 1e6)::integer as seed`;
  let state = seed!.seed as number;
  const draw = (most: number) => (state = (state * 1103515245 + 12345) % 2147483648) % most;
  const held: { caller: Caller; owner: (typeof owners)[number] }[] = [];
  for (let step = 0; step < 60; step++) {
    const owner = owners[draw(3)]!;
    const open = await attempts(sql);
    if (draw(2) === 0 || open.length === 0) {
      const caller = new Caller(sql, undefined, { line: owner.line, account: owner.account });
      held.push({ caller, owner });
      // deno-lint-ignore no-await-in-loop
      await caller.arrives();
      // deno-lint-ignore no-await-in-loop
      await caller.leaves("main", `options.${draw(3)}`);
      // deno-lint-ignore no-await-in-loop
      await sql`select keep_promise(id) from callbacks where state = 'open' and due_at <= now()`;
    } else {
      const a = open[draw(open.length)]!;
      // deno-lint-ignore no-await-in-loop
      await told(
        sql,
        a.token,
        `CA${a.token.replaceAll("-", "")}`,
        ["busy", "in-progress", "completed"][draw(3)]!,
        "pressed",
      );
    }
  }
  const mixed = await sql`
    select a.id from dial_attempts as a
    left join people as p on p.id = a.person_id
    left join call_logs as c on c.call_sid = a.call_sid
    left join call_flow_versions as v on v.id = a.version_id
    left join call_flows as f on f.id = v.flow_id
    left join queue_entries as e on e.taken_by = a.token
    where p.org_id is distinct from a.org_id or c.org_id is distinct from a.org_id or f.org_id is distinct from a.org_id
      or (e.id is not null and e.org_id is distinct from a.org_id) or a.line is distinct from c.line`;
  assertEquals([...mixed], [], `seed ${seed!.seed}`);
  const [made] = await sql`select count(distinct owner)::integer as owners from dial_attempts`;
  assertEquals(made!.owners, 3, `seed ${seed!.seed}`);
});

test("the views say who holds, what is promised, and how each person answers, plain dials too", async (db) => {
  const sql = await practice(db.sql, 2);
  const [first, second] = [new Caller(sql), new Caller(sql)];
  await first.holds();
  await second.holds();
  await new Caller(sql, "+17805550199").holds();
  const [a] = await attempts(sql);
  const leg = newLeg();
  await first.leg(a!.token, leg, "pressed");
  await first.leg(a!.token, leg, "connected");
  const now = await sql`select call_sid, from_e164, position, taken, told_position from queue_now`;
  assertEquals(now.slice(0, 2).map((row) => ({ ...row })), [
    { call_sid: first.sid, from_e164: first.from, position: null, taken: true, told_position: 1 },
    { call_sid: second.sid, from_e164: second.from, position: "1", taken: false, told_position: 2 },
  ]);
  await promised(sql, "+17805550100");
  const due = await sql`select to_e164, state, place, tries from callbacks_due`;
  assertEquals(due.map((row) => ({ ...row })), [
    { to_e164: "+17805550100", state: "open", place: "1", tries: 0 },
  ]);
  // A telephone that a plain <Dial> rang.
  await second.leg("", newLeg(), "", {
    event: "leg_status",
    status: "busy",
    leg_status: "busy",
    leg_to: "+14035551001" as never,
    leg_node: "ring",
    talk_sec: undefined,
    ask: undefined,
  });
  const people = await sql`
    select handle, group_name, rung, accepted, busy from people_performance order by handle, group_name`;
  assertEquals(people.map((row) => ({ ...row })), [
    { handle: "p1", group_name: "desk", rung: "1", accepted: "1", busy: "0" },
    { handle: "p2", group_name: "all", rung: "1", accepted: "0", busy: "1" },
    { handle: "p2", group_name: "desk", rung: "1", accepted: "0", busy: "0" },
  ]);
});

test("a promise that nobody could keep for a week has failed, and says so", async (db) => {
  const sql = await practice(db.sql, 1);
  await promised(sql);
  await sql`update people set available = false`;
  await sql`update callbacks set promised_at = now() - interval '8 days'`;
  await sql`select mend_dialling()`;
  const [row] = await sql`select state, why from callbacks_due`;
  assertEquals({ ...row }, { state: "failed", why: "expired" });
});

test("a promise waits for its hours, and is due when they begin", async (db) => {
  const sql = await practice(db.sql, 1);
  await promised(sql);
  const [{ id }] = await sql`
    update callbacks set calendar = jsonb_build_object('zone', 'UTC', 'weekly', '{}'::jsonb, 'dates', jsonb_build_object(
      (now() at time zone 'UTC')::date + 2, '[["09:00", "10:00"]]'::jsonb)) returning id` as unknown as [
    { id: string },
  ];
  await sql`select keep_promise(${id})`;
  assertEquals(await attempts(sql), []);
  const [row] = await sql`
    select due_at = (((now() at time zone 'UTC')::date + 2) + time '09:00') at time zone 'UTC' as opens from callbacks`;
  assertEquals(row!.opens, true);
});

test("an override of its calendar opens and closes a promise too, at once and until it ends", async (db) => {
  const calendars = { office: { weekly: {} } };
  const sql = await practice(db.sql, 1, { calendar: "office" }, { calendars });
  const caller = new Caller(sql);
  await caller.arrives();
  await caller.leaves("main", "options.1");
  const override = async (state: string | null) => {
    await sql`
      select set_override(null, 'practice', 'office', ${state}, ${
      state && new Date(Date.now() + 3 * 3_600_000)
    })`;
    await sql`select keep_promise(id) from callbacks where due_at <= now()`;
    await sql`select mend_dialling()`;
    const [row] = await sql`
      select ready, due_at <= now() as due, due_at > now() + interval '2 hours 55 minutes' as later from callbacks`;
    const open = (await attempts(sql)).length;
    await sql`delete from dial_attempts`;
    return { ...row, open };
  };
  const waits = { ready: false, due: false, later: true, open: 0 };
  await sql`select keep_promise(id) from callbacks`;
  assertEquals(await override("closed"), waits);
  assertEquals(await override("open"), { ready: true, due: true, later: false, open: 1 });
  assertEquals(await override("closed"), waits);
  assertEquals(await override("open"), { ready: true, due: true, later: false, open: 1 });
  assertEquals(await override(null), waits);
});

test("each end of a telephone's ringing has a result of its own", async (db) => {
  const sql = await practice(db.sql, 1);
  const caller = new Caller(sql);
  await caller.holds();
  const ends = async (...what: [status: string, told?: string][]) => {
    await sql`delete from dial_attempts`;
    await sql`select dispatch_queue(null, 'desk')`;
    const [a] = await attempts(sql);
    const leg = newLeg();
    for (const [status, told] of what) {
      // deno-lint-ignore no-await-in-loop
      await caller.leg(a!.token, leg, told!, {
        event: told === undefined ? "leg_status" : "leg_asked",
        status,
        leg_status: status as never,
        talk_sec: ["in-progress", "completed"].includes(status) ? 0 : undefined,
      });
    }
    const [row] = await sql`
      select a.result, l.result as leg from dial_attempts as a join call_legs as l using (leg_sid) where l.leg_sid = ${leg}`;
    assertEquals(row!.result, row!.leg);
    return row!.result;
  };
  assertEquals(await ends(["busy"]), "busy");
  assertEquals(await ends(["no-answer"]), "no_answer");
  assertEquals(await ends(["failed"]), "unreachable");
  assertEquals(await ends(["in-progress", "declined"], ["completed"]), "declined");
  assertEquals(await ends(["in-progress", "mailbox"], ["completed"]), "mailbox");
  assertEquals(await ends(["in-progress", "pressed"], ["completed"]), "caller_left");
});

test("Twilio is asked about a caller of whom nothing was heard, and its answer mends the queue", async (db) => {
  const sql = await practice(db.sql, 1);
  const caller = new Caller(sql);
  const holds = async () => {
    await sql`delete from dial_attempts`;
    await sql`update queue_entries set left_at = now(), result = 'full' where left_at is null`;
    await sql`delete from jobs`;
    await caller.leaves("main", "options.0");
    const [a] = await attempts(sql);
    await told(sql, a!.token, newLeg(), "in-progress", "pressed");
    return a!;
  };
  await caller.arrives();
  const asked = async () => {
    await sql`select mend_dialling()`;
    return (await sql`select job_content(kind, key, payload) ->> 'queue' as queue from jobs where kind = 'queue_check'`)
      .map(({ queue }) => queue);
  };
  await holds();
  assertEquals(await asked(), []);
  await sql`update queue_entries set seen_at = now() - interval '4 minutes'`;
  assertEquals(await asked(), ["desk"]);
  const answers = (state: string) => sql`select queue_told(${caller.sid}, ${state})`;
  const entry = async () => {
    const [row] = await sql`
      select result, taken_at is not null as taken, connected_at is not null as connected from queue_entries order by id desc limit 1`;
    return [row!.result, row!.taken, row!.connected];
  };
  await answers("waiting");
  assertEquals(await entry(), [null, true, false], "who accepted is still on the way");
  await sql`update dial_attempts set ended_at = now(), result = 'caller_left'`;
  await answers("waiting");
  assertEquals(await entry(), [null, false, false], "waits again");
  await holds();
  await answers("left");
  assertEquals(await entry(), [null, true, true], "the two talk");
  await holds();
  await answers("ended");
  assertEquals(await entry(), ["hung_up", true, false]);
});

test("a caller whom nobody answered gets one text a day and the operator a mail, when the flow says so", async (db) => {
  const sql = await practice(db.sql, 1, {}, {
    missed_call: { sms: "sorry", mail: true },
    languages: ["en-US"],
    prompts: { sorry: { "en-US": "We missed you." } },
  });
  const owed = async (from: string) =>
    (await sql`
      select kind, job_content(kind, key, payload) as content from jobs
      where payload ->> 'call_sid' in (select call_sid from call_logs where party = ${from})
        and kind in ('missed_call_sms', 'mail_missed_call') order by id`)
      .map(({ kind, content }) => [kind, content?.text ?? content?.history?.length ?? null]);
  const calls = async (from: string) => {
    const caller = new Caller(sql, from);
    await caller.arrives();
    await caller.hangsUp();
    return caller;
  };
  await calls("+17805550101");
  assertEquals(await owed("+17805550101"), [
    ["missed_call_sms", "We missed you."],
    ["mail_missed_call", 0],
  ]);
  await calls("+17805550101");
  assertEquals((await owed("+17805550101")).map(([kind]) => kind), [
    "missed_call_sms",
    "mail_missed_call",
    "mail_missed_call",
  ]);
  const [{ key: textKey }] = await sql`
    select key from jobs where kind = 'missed_call_sms'` as unknown as [{ key: string }];
  await sql`select suppress(null, '+17805550102', 'sms')`;
  await sql`select suppress(null, '+17805550102', 'operator')`;
  await calls("+17805550102");
  assertEquals(await owed("+17805550102"), [["missed_call_sms", null], ["mail_missed_call", 0]]);
  // Answered after all, before the text is sent.
  await calls("+17805550103");
  await new Caller(sql, "+17805550103").arrives();
  assertEquals(await owed("+17805550103"), [["missed_call_sms", null], ["mail_missed_call", null]]);
  await sql`
    update jobs set status = 'done', ended_at = now(), result = case key when ${textKey} then 'SM1' end
    where kind = 'missed_call_sms'`;
  const missed = await sql`
    select from_e164, line, settled, text, mail from missed_calls where text is not null order by started_at, from_e164`;
  assertEquals(missed.map((row) => ({ ...row })), [
    { from_e164: "+17805550101", line: LINE, settled: false, text: "sent", mail: "waiting" },
    { from_e164: "+17805550102", line: LINE, settled: false, text: "not needed", mail: "waiting" },
    { from_e164: "+17805550103", line: LINE, settled: true, text: "not needed", mail: "waiting" },
  ]);
  await sql`update call_flow_versions set missed_call = null`;
  await calls("+17805550104");
  assertEquals(await owed("+17805550104"), []);
});

test("the day of which a caller gets one text is that of the flow's zone", async (db) => {
  const sql = await practice(db.sql, 1, {}, {
    missed_call: { sms: "sorry" },
    prompts: { sorry: { "en-US": "We missed you." } },
  });
  const misses = async (zone: string) => {
    await sql`update call_flow_versions set definition = definition || ${sql.json({ zone })}`;
    const caller = new Caller(sql, "+17805550109");
    await caller.arrives();
    await caller.hangsUp();
    return (await sql`select count(*)::integer as texts from jobs where kind = 'missed_call_sms'`)[
      0
    ]!.texts;
  };
  // Between the two it is never the same day.
  assertEquals(
    [await misses("Etc/GMT+12"), await misses("Etc/GMT+12"), await misses("Etc/GMT-14")],
    [1, 1, 2],
  );
});

test("a leg that came back to a line of ours rings nobody", async (db) => {
  const sql = await practice(db.sql, 2);
  const dials = { to: [LINE], leg_sec: 60, day_sec: 6000 };
  for (const outcome of ["options.0", "options.2"]) {
    const back = new Caller(sql, LINE);
    // deno-lint-ignore no-await-in-loop
    await back.arrives();
    // deno-lint-ignore no-await-in-loop
    assertEquals((await back.leaves("main", outcome, { dials })).queue, undefined);
  }
  assertEquals(await attempts(sql, false), []);
});

test("a number that was called back five times in a day is promised no further call", async (db) => {
  const sql = await practice(db.sql, 1);
  for (let time = 1; time <= 6; time++) {
    // deno-lint-ignore no-await-in-loop
    const { facts } = await promised(sql, "+17805550100");
    assertEquals(facts.callbacks, time <= 5 ? { desk: true } : undefined, `time ${time}`);
    // deno-lint-ignore no-await-in-loop
    await sql`
      update callbacks set state = 'done', ready = false, ended_at = now(), promised_at = now() - interval '20 hours'`;
  }
  await sql`update callbacks set promised_at = now() - interval '25 hours'`;
  assertEquals((await promised(sql, "+17805550100")).facts.callbacks, { desk: true });
});

test("a number that was forged when the call came in is neither called back nor texted, whatever is told later", async (db) => {
  const sql = await practice(db.sql, 1, {}, {
    missed_call: { sms: "sorry" },
    prompts: { sorry: { "en-US": "We missed you." } },
  });
  const comes = async (callable: boolean) => {
    const caller = new Caller(sql);
    const ask = { line: LINE, callable };
    await accept(sql, caller.event({ operation: "voice-frontdoor", event: "arrived" }, ask));
    const { callbacks } = await caller.leaves("main", "options.1");
    await sql`delete from callbacks`;
    await caller.hangsUp();
    const jobs = await sql`
      select from jobs where kind = 'missed_call_sms' and payload ->> 'call_sid' = ${caller.sid}`;
    return [callbacks !== undefined, jobs.length];
  };
  assertEquals(await comes(true), [true, 1]);
  assertEquals(await comes(false), [false, 0]);
});

test("a call that nobody answered is mailed once with the caller's other calls, and not once the caller was served", async (db) => {
  const sql = await practice(db.sql, 0, {}, { missed_call: { mail: true } });
  const from = "+17805554411";
  const missed = async () => {
    const caller = new Caller(sql, from);
    await caller.arrives();
    await caller.hangsUp();
    return caller.sid;
  };
  const mail = async (sid: string) =>
    await sql`
      select key, job_content(kind, key, payload) ->> 'from_e164' as of,
        jsonb_array_length(job_content(kind, key, payload) -> 'history') as calls
      from jobs where kind = 'mail_missed_call' and payload ->> 'call_sid' = ${sid}`;
  const first = await missed();
  const second = await missed();
  assertEquals([...await mail(second)], [{ key: `missed/${second}`, of: from, calls: 1 }]);
  await new Caller(sql, from).arrives();
  assertEquals((await mail(first)).map((each) => each.of), [null], "is being served");
});

test("calls from ever new numbers have a line send 200 texts a day and no more", async (db) => {
  const sql = await practice(db.sql, 0, {}, { missed_call: { sms: "We missed you." } });
  const [{ at }] = await sql`
    select array_agg(now() - interval '1 hour')::text[] as at from generate_series(1, 199)` as unknown as [
    { at: string[] },
  ];
  await sql`
    insert into rate_limit_windows values ('missed_call_sms', 'called', ${LINE}, ${at})`;
  for (let i = 0; i < 3; i++) {
    const caller = new Caller(sql);
    // deno-lint-ignore no-await-in-loop
    await caller.arrives();
    // deno-lint-ignore no-await-in-loop
    await caller.hangsUp();
  }
  const [{ count }] = await sql`
    select count(*)::integer from jobs where kind = 'missed_call_sms'` as unknown as [
    { count: number },
  ];
  assertEquals(count, 1);
});

test("a promise fails once its caller has said stop, and waits once the line's minutes are used up", async (db) => {
  const sql = await practice(db.sql, 1);
  const state = async () => {
    await sql`select keep_promise(id) from callbacks`;
    const [row] = await sql`select state, why, due_at > now() as later from callbacks`;
    return { ...row, dialled: (await attempts(sql)).length };
  };
  const { caller } = await promised(sql);
  await sql`
    insert into dialled_time (line, day, seconds, open, ceiling_sec, leg_sec)
    values (${LINE}, (now() at time zone 'UTC')::date, 50, 1, 100, 50)`;
  assertEquals(await state(), { state: "open", why: null, later: true, dialled: 0 });
  await sql`delete from dialled_time`;
  await sql`update callbacks set due_at = now()`;
  await sql`select suppress(null, ${caller.from!}, 'sms')`;
  assertEquals(await state(), { state: "failed", why: "stopped", later: false, dialled: 0 });
});

test("the talk of a call back counts among the line's minutes of the day", async (db) => {
  const sql = await practice(db.sql, 1);
  await promised(sql);
  await sql`select keep_promise(id) from callbacks`;
  const [a] = await attempts(sql);
  const leg = newLeg();
  await told(sql, a!.token, leg, "in-progress", "pressed");
  await told(sql, a!.token, leg, "in-progress", "connected");
  await sql`update dial_attempts set connected_at = connected_at - interval '90 seconds'`;
  await told(sql, a!.token, leg, "completed");
  await told(sql, a!.token, leg, "completed");
  const [row] = await sql`select line, seconds::integer from dialled_time`;
  const [{ talked }] = await sql`
    select ceil(extract(epoch from ended_at - connected_at))::integer as talked from dial_attempts` as unknown as [
    { talked: number },
  ];
  assertEquals([row!.line, row!.seconds], [LINE, talked]);
  assert(talked >= 90);
});

test("to be verified a telephone is called five times a day at most, all of an owner fifty times, and a line never", async (db) => {
  const sql = await practice(db.sql, 1);
  const verify = async (handle: string) =>
    (await sql`select verify_person(null, ${handle}, ${LINE}) as token`)[0]!.token as string | null;
  for (let time = 1; time <= 5; time++) {
    // deno-lint-ignore no-await-in-loop
    const token = await verify("p1");
    // deno-lint-ignore no-await-in-loop
    await told(sql, token!, newLeg(), "no-answer");
  }
  const refused = async (handle: string) =>
    (await assertRejects(() => verify(handle), postgres.PostgresError)).code;
  assertEquals(await refused("p1"), "PT429");
  await sql`insert into people (handle, name, phone) values ('own', 'Own', ${LINE})`;
  assertEquals(await refused("own"), "PT400");
  await sql`insert into people (handle, name, phone) values ('next', 'Next', '+14035559999')`;
  await sql`
    insert into dial_attempts (purpose, to_e164, line, seconds, ended_at, result)
    select 'verify', '+1587555' || n, ${LINE}, 30, now(), 'declined' from generate_series(1000, 1044) as n`;
  assertEquals(await refused("next"), "PT429", "of an owner who has 50 numbers called");
});

test("a member reads who holds and who is rung, and no token", async (db) => {
  const sql = await practice(db.sql, 1);
  const caller = new Caller(sql);
  await caller.arrives();
  await caller.leaves("main", "options.2", { call_token: "a token of Twilio's" });
  const as = (query: string) =>
    db.sql.begin(async (tx) => {
      const claims = { role: "authenticated", app_metadata: { role: "owner" } };
      await tx`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
      await tx`set local role authenticated`;
      return await tx.unsafe(query);
    });
  for (
    const column of ["call_tokens.token", "queue_entries.taken_by", "dial_attempts.token"]
  ) {
    // deno-lint-ignore no-await-in-loop
    const error = await assertRejects(
      () => as(`select ${column} from ${column.split(".")[0]}`),
      postgres.PostgresError,
    );
    assertEquals(error.code, "42501", column);
  }
  for (const view of ["queue_now", "callbacks_due", "people_performance"]) {
    // deno-lint-ignore no-await-in-loop
    await as(`select * from ${view}`);
  }
});
