import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { type CallRecord, personAt, type Script, type Telephone } from "../../scripts/phone/mod.ts";
import { callFlowsAt } from "../support/call_flows.ts";
import { LINE, phoneOf, practiceFlow, startPractice } from "../support/practice.ts";

// A practice with people, a queue and promises, called in the simulator: functions, database and Twilio's side together.

const practice = await startPractice({ people: 3, functions: true });
const { sql } = practice.db;
const ours = { log: console.log, error: console.error };
console.log = console.error = () => {};
Deno.test.afterAll(() => {
  Object.assign(console, ours);
  return practice.stop();
});
const published = await callFlowsAt(practice.url)("/publish", {
  name: "practice",
  lines: [LINE],
  definition: practiceFlow(["p1", "p2", "p3"]),
});
assertEquals(published.status, 200, JSON.stringify(published.body));

Deno.test.beforeEach(async () => {
  await sql`delete from jobs`;
  await sql`delete from dial_attempts`;
  await sql`delete from callbacks`;
  await sql`delete from queue_entries`;
  await sql`update people set available = true, code = null`;
  practice.telephones = () => undefined;
  practice.twilio.connect(practice.simulator.accountSid, practice.simulator);
});

let callers = 0;
const newCaller = () => `+1780555${3000 + callers++}`;

/** One call to its end. */
async function ring(script: Script, from = newCaller()): Promise<CallRecord> {
  const record = await practice.simulator.call({ from, to: LINE, script });
  await practice.simulator.settle();
  return record;
}

const heard = (record: CallRecord) => record.all("say").map(({ text }) => text);

const row = async ({ callSid }: CallRecord) =>
  (await sql`select status, mode, disposition from call_logs where call_sid = ${callSid}`)[0]!;

const entry = async ({ callSid }: CallRecord) =>
  (await sql`select result from queue_entries where call_sid = ${callSid}`)[0]?.result;

const legs = async ({ callSid }: CallRecord) =>
  (await sql`select to_e164, result from call_legs where call_sid = ${callSid} order by to_e164`)
    .map(({ to_e164, result }) => [to_e164, result]);

const attempts = async () =>
  (await sql`select to_e164, result from dial_attempts order by id`)
    .map(({ to_e164, result }) => [to_e164, result]);

Deno.test("a caller who holds is connected with the person who presses 1", async () => {
  const call = await ring({ keys: ["1"] });
  assertEquals(heard(call).includes("You are next in line."), true, heard(call).join("|"));
  assertEquals(call.all("bridged").length, 1);
  assertEquals(await entry(call), "answered");
  assertEquals(await legs(call), [[phoneOf(1), "accepted"]]);
  assertEquals(await attempts(), [[phoneOf(1), "accepted"]]);
  assertEquals((await row(call)).disposition, "connected");
});

Deno.test("the recording of a talk is the caller's, and the leg of the person is no call of its own", async () => {
  const line = "+15874059001";
  const { nodes, ...flow } = practiceFlow(["p1"]);
  const published = await callFlowsAt(practice.url)("/publish", {
    name: "recorded",
    lines: [line],
    definition: {
      ...flow,
      start: "agree",
      nodes: { ...nodes, agree: { type: "consent", policy: "opt_out", next: "main" } },
    },
  });
  assertEquals(published.status, 200, JSON.stringify(published.body));
  const { callSid } = await practice.simulator.call({
    from: newCaller(),
    to: line,
    script: { keys: ["1"] },
  });
  await practice.simulator.settle();
  const recordings = await sql`select call_sid, source from recordings`;
  assertEquals(recordings.map((each) => ({ ...each })), [{ call_sid: callSid, source: "dial" }]);
  const [attempt] = await sql`select leg_sid from dial_attempts`;
  assertEquals(
    [...await sql`select call_sid from call_logs where call_sid = ${attempt!["leg_sid"]}`],
    [],
  );
  const [leg] = await sql`select result, status from call_legs where call_sid = ${callSid}`;
  assertEquals({ ...leg }, { result: "accepted", status: "completed" });
});

Deno.test("a mailbox never counts: the next person is rung, and the mailbox hears no caller", async () => {
  practice.telephones = ({ to }) => to === phoneOf(1) ? personAt({ presses: "" }) : undefined;
  const call = await ring({ keys: ["1"] });
  assertEquals(await entry(call), "answered");
  assertEquals(await attempts(), [[phoneOf(1), "mailbox"], [phoneOf(2), "accepted"]]);
});

Deno.test("all telephones ring at once; one press wins, the others are let go", async () => {
  const call = await ring({ keys: ["3"] });
  assertEquals(call.all("bridged").length, 1);
  assertEquals(await entry(call), "answered");
  const results = (await attempts()).map(([, result]) => result).toSorted();
  assertEquals(results.filter((each) => each === "accepted").length, 1);
  assert(!results.includes(null), "no telephone is left ringing");
});

Deno.test("the queue of a single call is deleted at Twilio, which would keep it for ever; a group's stays", async () => {
  const { exchange, accountSid } = practice.simulator;
  const names = () => exchange.queues(accountSid).map(({ name }) => name);
  await ring({ keys: ["1"] });
  const { callSid } = await ring({ keys: ["3"] });
  assert(names().includes(callSid));
  await practice.later(3601);
  assertEquals(names(), ["desk"]);
});

Deno.test("a caller whom nobody wants hears telephones ring, and then leaves a message", async () => {
  practice.telephones = () => personAt({ outcome: "no-answer" });
  const call = await ring({ keys: ["3"], voicemail: { seconds: 8 } });
  assertEquals((await row(call)).disposition, "voicemail");
  assertEquals(await entry(call), "unanswered");
  assertEquals((await attempts()).map(([, result]) => result), Array(3).fill("no_answer"));
});

Deno.test("callers are connected in the order in which they came", async () => {
  await sql`update people set available = handle = 'p1'`;
  const calls = [1, 2, 3].map(() =>
    practice.simulator.place({ from: newCaller(), to: LINE, script: { keys: ["1"] } })
  );
  await practice.simulator.settle();
  const order = await sql`select call_sid from queue_entries order by queued_at, id`;
  const served = await sql`select call_sid from queue_entries order by connected_at`;
  assertEquals(served.map((each) => each.call_sid), order.map((each) => each.call_sid));
  assertEquals(new Set(calls.map(({ record }) => record.callSid)).size, 3);
});

Deno.test("a caller who hangs up while holding leaves no telephone ringing", async () => {
  practice.telephones = () => personAt({ outcome: "no-answer" });
  const call = await ring({ keys: ["1"], hangupAt: 12_000 });
  assertEquals(await entry(call), "hung_up");
  assertEquals((await attempts()).map(([, result]) => result), ["caller_left"]);
});

Deno.test("who presses the key keeps the place in line, is promised a call back, and gets exactly one", async () => {
  await sql`update people set available = handle = 'p1'`;
  practice.telephones = () => personAt({ outcome: "no-answer" });
  const from = newCaller();
  const call = await ring({ keys: ["1", "2"] }, from);
  assert(heard(call).some((text) => text.startsWith("We will call you back")));
  assertEquals(await entry(call), "offer");
  await always();
  practice.telephones = () => undefined;
  await sql`update dial_attempts set ended_at = ended_at - interval '1 minute'`;
  await sql`select mend_dialling()`;
  await practice.later(1);
  await practice.simulator.settle();
  const [kept] = await sql`select state, tries, why from callbacks`;
  assertEquals({ ...kept }, { state: "done", tries: 1, why: "done" });
});

/** A person who presses 1, ends the talk by a star, and enters these keys. */
function passesOn(code: string): Telephone {
  let asked = 0;
  return {
    onRing: () => ({}),
    onGather: () => ({ digits: asked++ === 0 ? "1" : code }),
    onTalk: () => ({ talkSeconds: 5, endedBy: "star" }),
  };
}

Deno.test("a person passes the caller on by a star and a code, and both conversations are the call's", async () => {
  await sql`update people set code = '22' where handle = 'p2'`;
  practice.telephones = ({ to }) => to === phoneOf(1) ? passesOn("22") : undefined;
  const call = await ring({ keys: ["1"] });
  assertEquals(call.all("bridged").length, 2);
  assertEquals(await legs(call), [[phoneOf(1), "accepted"], [phoneOf(2), "accepted"]]);
  const [first] = await sql`select transfer from dial_attempts order by id`;
  assertEquals(first!.transfer, "accepted");
});

Deno.test("who takes a transfer over before the caller is in the queue again waits for them", async () => {
  await sql`update people set code = '22' where handle = 'p2'`;
  practice.telephones = ({ to }) =>
    to === phoneOf(1) ? passesOn("22") : personAt({ ringSeconds: 0 });
  const call = await ring({ keys: ["1"] });
  assertEquals(call.all("bridged").length, 2);
  assertEquals(await attempts(), [[phoneOf(1), "accepted"], [phoneOf(2), "accepted"]]);
});

Deno.test("a caller whom nobody takes over returns to the person who passed them on", async () => {
  await sql`update people set code = '22' where handle = 'p2'`;
  let rung = 0;
  practice.telephones = ({ to }) =>
    to === phoneOf(2)
      ? personAt({ outcome: "no-answer" })
      : rung++ === 0
      ? passesOn("22")
      : personAt({});
  const call = await ring({ keys: ["1"] });
  assertEquals(call.all("bridged").length, 2);
  assertEquals(await attempts(), [
    [phoneOf(1), "accepted"],
    [phoneOf(2), "no_answer"],
    [phoneOf(1), "accepted"],
  ]);
  const [first] = await sql`select transfer from dial_attempts order by id`;
  assertEquals(first!.transfer, "returned");
});

Deno.test("a person's own telephone tells and changes whether they receive calls, and else is a caller's", async () => {
  const away = await ring({ keys: ["1"] }, phoneOf(3));
  assertEquals(heard(away), [
    "You are available for calls. To stop receiving calls, press 1. To go on as a caller, press 2.",
    "You receive no calls from now on. Goodbye.",
  ]);
  const available = async () =>
    (await sql`select handle from people where available order by handle`).map((p) => p.handle);
  assertEquals(await available(), ["p1", "p2"]);
  const back = await ring({ keys: ["1"] }, phoneOf(3));
  assert(heard(back)[1]!.startsWith("You receive calls from now on."));
  assertEquals(await available(), ["p1", "p2", "p3"]);
  for (const key of ["2", ""]) {
    const caller = await ring({ keys: [key, "1"] }, phoneOf(3));
    assert(heard(caller).some((text) => text.startsWith("For the desk, press 1.")));
    assertEquals(await entry(caller), "answered");
    await sql`delete from dial_attempts`;
  }
  assertEquals(await available(), ["p1", "p2", "p3"]);
});

Deno.test("a number that no network vouches for changes no availability", async () => {
  for (
    const StirVerstat of ["TN-Validation-Failed-C", "TN-Validation-Passed-C", "No-TN-Validation"]
  ) {
    // deno-lint-ignore no-await-in-loop
    const record = await practice.simulator.call({
      from: phoneOf(3),
      to: LINE,
      params: { StirVerstat },
      script: {},
    });
    // deno-lint-ignore no-await-in-loop
    await practice.simulator.settle();
    assert(heard(record)[0]!.startsWith("For the desk"), StirVerstat);
  }
});

/** The hours of every promise. */
async function always(of = sql) {
  const weekly = Object.fromEntries(
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map((day) => [day, [["00:00", "24:00"]]]),
  );
  await of`update callbacks set calendar = ${sql.json({ zone: "UTC", weekly })}`;
}

/** A practice in which every webhook of every leg comes twice, and statuses late. */
const doubled = await startPractice({
  people: 2,
  functions: true,
  simulator: { duplicateSteps: 1, delivery: { duplicate: 1, late: { fromMs: 0, toMs: 3000 } } },
});
Deno.test.afterAll(() => doubled.stop());
await callFlowsAt(doubled.url)("/publish", {
  name: "practice",
  lines: [LINE],
  definition: practiceFlow(["p1", "p2"]),
});

/** A call to its end, and all that comes after it. */
async function ringDoubled(
  keys: string[],
  telephones: typeof doubled.telephones = () => undefined,
) {
  doubled.telephones = telephones;
  const { sql } = doubled.db;
  await sql`delete from dial_attempts`;
  const call = await doubled.simulator.call({ from: newCaller(), to: LINE, script: { keys } });
  await doubled.simulator.settle();
  return call;
}

/** Each leg that was made, as the attempts and the legs of calls have it. */
const legsDoubled = async () =>
  (await doubled.db.sql`
    select a.to_e164, a.result, a.transfer, l.result as leg
    from dial_attempts as a left join call_legs as l on l.leg_sid = a.leg_sid and l.call_sid = a.call_sid order by a.id`)
    .map(({ to_e164, result, transfer, leg }) => [to_e164, result, transfer, leg]);

Deno.test("every webhook of every leg comes twice, and statuses late: same rows, same outcome", async () => {
  const call = await ringDoubled(["1"]);
  assertEquals(await legsDoubled(), [[phoneOf(1), "accepted", null, "accepted"]]);
  const rows = await doubled.db.sql`
    select c.disposition, q.result as held from call_logs as c left join queue_entries as q using (call_sid)`;
  assertEquals(rows.map((each) => ({ ...each })), [{ disposition: "connected", held: "answered" }]);
  assertEquals(call.all("bridged").length, 1);
});

Deno.test("every webhook of a transfer comes twice: one transfer, two talks", async () => {
  await doubled.db.sql`update people set code = '22' where handle = 'p2'`;
  const call = await ringDoubled(["1"], ({ to }) => to === phoneOf(1) ? passesOn("22") : undefined);
  assertEquals(call.all("bridged").length, 2);
  assertEquals(await legsDoubled(), [
    [phoneOf(1), "accepted", "accepted", "accepted"],
    [phoneOf(2), "accepted", null, "accepted"],
  ]);
});

Deno.test("every webhook of a call back comes twice: one promise, one call to the person, one to the caller", async () => {
  const { sql } = doubled.db;
  const rung: string[] = [];
  const call = await ringDoubled(["2"], ({ to }) => void rung.push(to));
  assert(heard(call).some((text) => text.startsWith("We will call you back")));
  await always(sql);
  await doubled.later(1);
  await doubled.simulator.settle();
  await sql`select mend_dialling()`;
  await doubled.later(120);
  await doubled.simulator.settle();
  const [kept] = await sql`select state, tries, why from callbacks`;
  assertEquals({ ...kept }, { state: "done", tries: 1, why: "done" });
  assertEquals(await legsDoubled(), [[phoneOf(1), "accepted", null, null]]);
  assertEquals(rung, [phoneOf(1), call.from]);
});

Deno.test("without Twilio's account no caller holds and none is promised a call: the flow leads on at once", async () => {
  const bare = await startPractice({
    people: 1,
    functions: true,
    env: { TWILIO_ACCOUNT_SID: "" },
  });
  try {
    await callFlowsAt(bare.url)("/publish", {
      name: "practice",
      lines: [LINE],
      definition: practiceFlow(["p1"]),
    });
    for (const key of ["1", "2", "3"]) {
      // deno-lint-ignore no-await-in-loop -- one after the other
      const call = await bare.simulator.call({
        from: newCaller(),
        to: LINE,
        script: { keys: [key] },
      });
      // deno-lint-ignore no-await-in-loop
      await bare.simulator.settle();
      assertEquals(heard(call).slice(1, 2), ["Please leave a message."], `key ${key}`);
    }
    const [rows] = await bare.db.sql`
      select (select count(*)::integer from queue_entries) as held, (select count(*)::integer from callbacks) as promised,
        (select count(*)::integer from dial_attempts) as dialled,
        (select count(*)::integer from call_logs where disposition = 'voicemail') as messages`;
    assertEquals({ ...rows }, { held: 0, promised: 0, dialled: 0, messages: 3 });
  } finally {
    await bare.stop();
  }
});
