import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { LOCAL_AUTH_TOKEN } from "../../scripts/defaults.ts";
import { personAt } from "../../scripts/phone/mod.ts";
import { MAIN_ACCOUNT } from "../support/campaigns.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";
import { runKilled, type Step, stepsOf } from "../support/killed.ts";
import { ACCOUNT, LINE, phoneOf, practiceFlow, startPractice } from "../support/practice.ts";

// The process of dial-worker, killed (SIGKILL) at each of its steps outside: before what it asks arrives, and after it has had
// its effect but before the answer. A telephone is rung once, whenever that was.

const practice = await startPractice({ people: 1 });
const { db: { sql }, twilio } = practice;
Deno.test.afterAll(() => practice.stop());
const HASH = "ab".repeat(32);
await sql`
  select publish_flow(null, 'practice', ${sql.json(practiceFlow(["p1"]))}, ${HASH}, ${[LINE]})`;

// The runs follow each other faster than an account's calls a second.
await sql`insert into dial_rates (owner, per_second, at_most) values (${MAIN_ACCOUNT}, 1000, 1000)`;

const run = (killAt?: Step) =>
  runKilled({
    name: "dial-worker",
    env: (outside) => ({
      TWILIO_ACCOUNT_SID: ACCOUNT,
      TWILIO_AUTH_TOKEN: LOCAL_AUTH_TOKEN,
      TWILIO_API_URL: outside,
    }),
    dataApi: practice.url,
    others: twilio.url,
  }, killAt);

let callers = 0;

/** A caller, another each time, to whom a call back is promised, which is due. @returns the number of legs made before. */
async function promise(): Promise<number> {
  for (const call of practice.simulator.exchange.calls.values()) call.hangUp("app");
  await practice.simulator.settle();
  await sql`delete from jobs`;
  // Kept: Twilio still lists the legs of before, and a new attempt must not take one for its own.
  await sql`
    update dial_attempts set ended_at = now() - interval '1 minute', result = 'canceled' where ended_at is null`;
  await sql`update callbacks set state = 'failed', ended_at = now(), ready = false where state = 'open'`;
  practice.telephones = () => personAt({ outcome: "no-answer", ringSeconds: 600 });
  const sid = newCallSid();
  const from_e164 = `+1780555${1000 + callers++}` as never;
  const event = (changes: Record<string, unknown>) => ({
    ...voiceEvent(sid, { from_e164, to_e164: LINE, call_status: "in-progress" }),
    ...changes,
  });
  for (
    const each of [
      event({ ask: { line: LINE } }),
      event({
        operation: "voice-menu-handler",
        identity: "turn-1",
        event: "menu",
        meta: { node: "main", outcome: "options.1" },
        ask: { flow: HASH, callable: true },
      }),
    ]
  ) {
    // deno-lint-ignore no-await-in-loop
    await sql`select accept_voice_event(${sql.json(each as never)})`;
  }
  const weekly = Object.fromEntries(
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map((day) => [day, [["00:00", "24:00"]]]),
  );
  await sql`update callbacks set calendar = ${
    sql.json({ zone: "UTC", weekly })
  } where state = 'open'`;
  return made().length;
}

const made = () =>
  twilio.requests.filter(({ method, path, params }) =>
    method === "POST" && /\/Calls$/.test(path) && params.To === phoneOf(1)
  );

await promise();
const STEPS = await run();

Deno.test("a run is the steps at which it is killed below", () => {
  assertEquals(STEPS.filter((step) => step === "Calls.json").length, 1);
  assertEquals(STEPS.includes("begin_dial") && STEPS.includes("keep_promise"), true);
  assertEquals(STEPS.at(-1), "record_worker_run");
});

for (const { nth, phase } of stepsOf(STEPS)) {
  Deno.test(`killed ${phase} step ${nth} of ${STEPS.length}: the person is rung for the promise, and once`, async () => {
    const before = await promise();
    await run({ nth, phase });
    // Two ticks at once, after the leases have ended, and once Twilio's list must show what was made.
    await practice.later(31);
    await Promise.all([practice.later(31), practice.work()]);
    await practice.later(31);
    assertEquals(made().length - before, 1);
    const attempts = await sql`
        select state, leg_sid from dial_attempts where callback_id in (select id from callbacks where state = 'open')`;
    assertEquals(attempts.map(({ state }) => state), ["created"]);
    assert(attempts[0]!.leg_sid !== null);
    const [row] = await sql`select tries from callbacks where state = 'open'`;
    assertEquals(row!.tries, 1);
  });
}
