import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import type { VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";
import { checkFlow } from "../../supabase/functions/_shared/flows/check.ts";
import type { Heard } from "../../supabase/functions/_shared/flows/advance.ts";
import { draftVersion, walk } from "../../supabase/functions/_shared/flows/walk.ts";
import { createTestDatabase } from "../support/database.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";
import { anyCaller, flowDocument } from "../support/flow_arbitrary.ts";
import { FACTS } from "../support/flows.ts";

// The ways that callers take, as the database tells them out of the events.

const db = await createTestDatabase();
Deno.test.afterAll(() => db.drop());
const { sql } = db;

const LINE = "+15879992001";
let flows = 0;

async function publish(definition: unknown, line = LINE) {
  const name = `flow ${++flows}`;
  const hash = flows.toString(16).padStart(64, "0");
  await sql`
    select public.publish_flow(null, ${name}, ${
    sql.json(definition as never)
  }, ${hash}, array[${line}])`;
  return { name, hash };
}

async function accept(event: VoiceEvent) {
  const [row] = await sql<{ answer: { call: { facts?: unknown } } }[]>`
    select public.accept_voice_event(${sql.json(event as never)}) as answer`;
  return row!.answer;
}

/** A caller of a line, told step by step as `twimlHandler` tells it. */
class Call {
  readonly sid = newCallSid();
  #turn = 0;
  constructor(readonly hash: string, readonly changes: Partial<VoiceEvent> = {}) {}

  async arrives(callable = false) {
    const ask = { line: LINE, callable };
    await accept(voiceEvent(this.sid, { to_e164: LINE, ask, ...this.changes }));
  }
  event(left: Heard["left"], changes: Partial<VoiceEvent> = {}, callable = false): VoiceEvent {
    return voiceEvent(this.sid, {
      operation: "voice-menu-handler",
      identity: `turn-${++this.#turn}`,
      event: "menu",
      call_status: "in-progress",
      to_e164: LINE,
      ask: {
        flow: this.hash.slice(0, 64),
        callable,
        dials: { to: [], leg_sec: 60, day_sec: 1_000_000 },
      },
      ...this.changes,
      meta: { flow: this.hash, ...left },
      ...changes,
    });
  }
  async leaves(node: string, outcome: string, changes: Partial<VoiceEvent> = {}) {
    await accept(this.event({ node, outcome }, changes));
  }
  async hangsUp() {
    await accept(voiceEvent(this.sid, {
      operation: "voice-status",
      identity: "completed",
      event: "status",
      call_status: "completed",
      ...this.changes,
    }));
  }
}

const funnelOf = async (flow: string) =>
  Object.fromEntries(
    (await sql`
      select node, entered::integer, outcomes, waiting::integer, hung_up::integer
      from flow_funnel where flow = ${flow}`).map(({ node, ...row }) => [node, row]),
  );

const SHOP = {
  schema: 1,
  zone: "America/Edmonton",
  start: "hello",
  calendars: { open: { weekly: {} } },
  nodes: {
    hello: { type: "say", prompt: "x", next: "agree" },
    agree: { type: "consent", policy: "opt_out", next: "hours" },
    hours: { type: "hours", calendar: "open", open: "main", closed: "note" },
    main: {
      type: "menu",
      prompt: "x",
      tries: 2,
      options: [{ key: "1", next: "desk" }, { key: "9", next: "note" }],
      otherwise: "note",
    },
    desk: { type: "ring", to: "+15870001001", answered: "bye", unanswered: "note" },
    note: { type: "voicemail", prompt: "x", next: "bye" },
    bye: { type: "end" },
  },
};
const OPEN = {
  ...SHOP,
  calendars: {
    open: {
      weekly: Object.fromEntries(
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map((day) => [day, [["00:00", "24:00"]]]),
      ),
    },
  },
};

Deno.test("the funnel tells where callers came in, which way they took, where they wait and where they hung up", async () => {
  const { name, hash } = await publish(OPEN);
  const calls = Array.from({ length: 4 }, () => new Call(hash));
  for (const call of calls) await call.arrives();
  const [silent, connected, message, waiting] = calls as [Call, Call, Call, Call];
  await silent.leaves("main", "silence");
  await silent.hangsUp();
  await connected.leaves("main", "options.0");
  await connected.leaves("desk", "answered");
  await connected.hangsUp();
  await message.leaves("main", "options.0");
  await message.leaves("desk", "unanswered");
  await message.leaves("note", "next");
  await message.hangsUp();
  await waiting.leaves("main", "options.1");

  const passed = (count: number, outcome: string) => ({
    entered: count,
    outcomes: { [outcome]: count },
    waiting: 0,
    hung_up: 0,
  });
  const expected = {
    hello: passed(4, "next"),
    agree: passed(4, "next"),
    hours: passed(4, "open"),
    main: { entered: 4, outcomes: { "options.0": 2, "options.1": 1 }, waiting: 0, hung_up: 1 },
    desk: { entered: 2, outcomes: { answered: 1, unanswered: 1 }, waiting: 0, hung_up: 0 },
    note: { entered: 2, outcomes: { next: 1 }, waiting: 1, hung_up: 0 },
    bye: passed(2, "end"),
  };
  assertEquals(await funnelOf(name), expected);

  // Adding up changes nothing of it, once or again.
  const until = new Date().toISOString();
  const added = async () => (await sql`select count_paths(${until}) as added`)[0]!.added;
  assertEquals([await added(), await added()], [true, false]);
  assertEquals(await funnelOf(name), expected);
  assert((await sql`select from flow_counts`).length > 10);

  const session = async ({ sid }: Call) =>
    (await sql`
      select flow, version, status, node from ivr_sessions where session_id = ${sid}`)[0];
  assertEquals({ ...await session(silent) }, {
    flow: name,
    version: 1,
    status: "abandoned",
    node: "main",
  });
  assertEquals((await session(waiting))!.status, "active");
});

Deno.test("interactions tell what was pressed at which node, in order, each event once", async () => {
  const { hash } = await publish(OPEN);
  const call = new Call(hash);
  await call.arrives();
  const pressed = call.event({ node: "main", outcome: "options.1" });
  const event = { ...pressed, meta: { ...pressed.meta, digits: "9" } };
  await accept(event);
  await accept(event);
  const rows = await sql`
    select node, input, outcome from ivr_interactions where session_id = ${call.sid}
    order by at, event_id, nth`;
  assertEquals(rows.map((row) => ({ ...row })), [
    { node: "hello", input: null, outcome: "next" },
    { node: "agree", input: null, outcome: "next" },
    { node: "hours", input: null, outcome: "open" },
    { node: "main", input: "9", outcome: "options.1" },
  ]);
});

Deno.test("a caller who hangs up while a telephone rings hung up there", async () => {
  const { name, hash } = await publish(OPEN);
  const call = new Call(hash);
  await call.arrives();
  await call.leaves("main", "options.0");
  await call.leaves("desk", "unanswered", { call_status: "completed" });
  const { desk, note } = await funnelOf(name);
  assertEquals([desk, note], [
    { entered: 1, outcomes: {}, waiting: 0, hung_up: 1 },
    undefined as never,
  ]);
});

Deno.test("where a call waited elsewhere than was thought, its next event puts that right", async () => {
  const { name, hash } = await publish(OPEN);
  const call = new Call(hash);
  await call.arrives();
  await call.leaves("main", "options.0");
  // The desk is the caller's own telephone, forwarded here: nobody was rung.
  await call.leaves("note", "next");
  await call.hangsUp();
  const { desk, note } = await funnelOf(name);
  assertEquals(desk, { entered: 1, outcomes: { unanswered: 1 }, waiting: 0, hung_up: 0 });
  assertEquals(note, { entered: 1, outcomes: { next: 1 }, waiting: 0, hung_up: 0 });
});

Deno.test("what a refused caller never heard is not counted", async () => {
  const { name, hash } = await publish(OPEN);
  await new Call(hash, { rate_limited: true, limits: [] }).arrives();
  assertEquals(await funnelOf(name), {});
});

Deno.test("events go with their month, and their counts stay", async () => {
  const { name, hash } = await publish(SHOP);
  const call = new Call(hash);
  await call.arrives();
  await call.hangsUp();
  const before = await funnelOf(name);
  await sql`select count_paths(clock_timestamp())`;
  await sql`delete from call_lifecycle where call_sid = ${call.sid}`;
  assertEquals(await funnelOf(name), before);
  assertEquals(before["agree"]!.hung_up, 1);
});

Deno.test("the database takes the way that the interpreter takes, through random flows with random callers", async () => {
  await sql`
    insert into people (verified_at, handle, name, phone) values
      (now(), 'anna', 'Anna', '+15870009001'), (now(), 'ben', 'Ben', '+15870009002')`;
  let steps = 0;
  const one = fc.tuple(flowDocument, fc.array(anyCaller, { minLength: 2, maxLength: 2 }));
  for (const [draft, callers] of fc.sample(one, { seed: 11, numRuns: 30 })) {
    const checked = checkFlow(draft, FACTS);
    if (!checked.ok) continue;
    const { flow } = checked;
    const open = OPEN.calendars.open;
    for (const caller of callers) {
      // deno-lint-ignore no-await-in-loop -- Each publishes to the one line.
      const { name, hash } = await publish({
        ...flow,
        note: flows,
        calendars: { day: caller.at === "2026-11-22T10:00" ? { weekly: {} } : open },
      });
      const call = new Call(hash, { from_e164: (caller.caller ?? null) as never });
      const heard: { left: Heard["left"]; entered: readonly string[] }[] = [];
      const withheld = caller.caller === undefined || caller.withheld === true;
      walk(
        draftVersion(flow),
        { ...caller, withheld },
        undefined,
        ({ left }, entered) => heard.push({ left, entered }),
      );
      for (const [nth, { left, entered }] of heard.entries()) {
        // deno-lint-ignore no-await-in-loop
        await (nth === 0 ? call.arrives(!withheld) : accept(call.event(left, {}, !withheld)));
        // deno-lint-ignore no-await-in-loop
        const [row] = await sql<{ nodes: string[] }[]>`
          select array(select e ->> 'node' from jsonb_array_elements(path) as e) as nodes from call_lifecycle
          where call_sid = ${call.sid} order by id desc limit 1`;
        const stays = left !== undefined && entered[0] === left.node;
        const expected = [
          ...left === undefined ? [] : [left.node],
          ...stays ? entered.slice(1) : entered,
        ];
        assertEquals(row!.nodes, expected, `${name} ${JSON.stringify({ flow, caller, left })}`);
        steps++;
      }
    }
  }
  assert(steps > 100, `${steps} steps`);
});
