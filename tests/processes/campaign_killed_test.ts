import { assertEquals } from "@std/assert/equals.js";
import { LOCAL_AUTH_TOKEN } from "../../scripts/defaults.ts";
import { Exchange, personAt } from "../../scripts/phone/mod.ts";
import { startCalling } from "../support/calling.ts";
import { runKilled, type Step, stepsOf } from "../support/killed.ts";
import { ACCOUNT } from "../support/practice.ts";

// The process of campaign-dialler, killed (SIGKILL) at each of its steps outside. No contact is called twice, and none whose dial
// was not in doubt is left out.

const calling = await startCalling({
  simulator: {
    telephones: () => personAt({ outcome: "busy" }),
    exchange: new Exchange({ callsPerSecond: 1000 }),
    fetch: (...request) => fetch(...request),
  },
});
Deno.test.afterAll(() => calling.stop());
const { sql } = calling.db;

const run = (killAt?: Step) =>
  runKilled({
    name: "campaign-dialler",
    env: (outside) => ({
      TWILIO_ACCOUNT_SID: ACCOUNT,
      TWILIO_AUTH_TOKEN: LOCAL_AUTH_TOKEN,
      TWILIO_API_URL: outside,
      // The webhooks' addresses.
      PUBLIC_FUNCTIONS_URL: `${calling.url}/functions/v1`,
    }),
    dataApi: calling.url,
    others: calling.twilio.url,
  }, killAt);

let lists = 0;

/** A campaign of three contacts, and none beside it. */
async function campaign(): Promise<{ id: string; numbers: string[] }> {
  await sql`update campaigns set state = 'done' where state <> 'done'`;
  const from = 4_035_560_000 + 3 * lists++;
  const numbers = [0, 1, 2].map((nth) => `+1${from + nth}`);
  return { id: await calling.campaign(numbers, { attempts: { max: 1 } }), numbers };
}

const callsTo = (numbers: readonly string[]) =>
  calling.created().map(({ To }) => To!).filter((to) => numbers.includes(to)).toSorted();

const { numbers } = await campaign();
const STEPS = await run();
const CALLED = callsTo(numbers);

Deno.test("a run is the steps at which it is killed below", () => {
  assertEquals(CALLED, numbers);
  assertEquals(STEPS.filter((step) => step === "Calls.json").length, 3);
  assertEquals(STEPS.at(-1), "record_worker_run");
});

for (const { nth, phase } of stepsOf(STEPS)) {
  Deno.test(`killed ${phase} step ${nth} of ${STEPS.length}: each contact is called once, in the end`, async () => {
    const { id, numbers } = await campaign();
    await run({ nth, phase });
    await Promise.all([calling.dial(), calling.dial()]);
    await calling.simulator.settle();
    const atOnce = callsTo(numbers);
    assertEquals(atOnce.length, new Set(atOnce).size);
    // Those in doubt wait until Twilio's list must show a call that was made.
    await sql`
      update dial_attempts set decided_at = decided_at - interval '13 minutes', dialled_at = dialled_at - interval '13 minutes'
      where campaign_id = ${id} and ended_at is null`;
    await sql`select mend_dialling()`;
    await calling.work();
    await Promise.all([calling.dial(), calling.dial()]);
    await calling.simulator.settle();
    assertEquals(callsTo(numbers), numbers);
    assertEquals(await calling.live(id), { contacts: 3, dialled: 3, busy: 3 });
  });
}
