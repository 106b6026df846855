import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { type CallRecord, crowd, Exchange } from "../../scripts/phone/mod.ts";
import { startCalling } from "../support/calling.ts";

// Many people are called through the dialler, Twilio's stand-in and every webhook, on the machine's own clock. A call that hears
// Twilio's error message, or of which nothing is told, was not served. The last two digits of a number say what its telephone does.

/** A multiple of 100. */
const CONTACTS = Number(Deno.env.get("CAMPAIGN_CONTACTS") ?? 300);
/** Dials a second: as many as a machine of two processors serves with ease. */
const RATE = Number(Deno.env.get("CAMPAIGN_RATE") ?? 30);

Deno.test("of a campaign's calls more than 99.9 % are served, nobody is called twice, all figures are those of the crowd, and a dial costs 1.2 requests", async () => {
  const calls = new Map<string, CallRecord>();
  const calling = await startCalling({
    simulator: {
      telephones: ({ to }) => crowd(to),
      exchange: new Exchange({ callsPerSecond: 1000 }),
      delivery: { duplicate: 0.1 },
      fetch: (...request) => fetch(...request),
      onWebhook: (_, record) => void calls.set(record.callSid, record),
      seed: 19,
    },
  });
  const { sql } = calling.db;
  let requests = 0;
  const dial = () =>
    calling.dial((deps) => ({
      ...deps,
      campaigns: Object.fromEntries(
        Object.entries(deps.campaigns).map(([name, ask]) => [name, (...args: never[]) => {
          requests++;
          return (ask as (...args: never[]) => unknown)(...args);
        }]),
      ) as unknown as typeof deps.campaigns,
    }));
  try {
    const numbers = Array.from(
      { length: CONTACTS },
      (_, nth) => `+1403${5_560_000 + nth}`,
    );
    const id = await calling.campaign(numbers, { attempts: { max: 1 } });
    await sql`update campaigns set calls_per_second = ${RATE} where id = ${id}`;
    await sql`update dial_rates set per_second = ${RATE}, at_most = ${RATE}`;
    for (let left = CONTACTS; left > 0;) {
      // deno-lint-ignore no-await-in-loop -- Run after run.
      await Promise.all([dial(), dial()]);
      // deno-lint-ignore no-await-in-loop
      await calling.simulator.settle();
      // Creates that were not answered in time are looked for.
      // deno-lint-ignore no-await-in-loop
      await sql`
        update dial_attempts set decided_at = decided_at - interval '13 minutes', dialled_at = dialled_at - interval '13 minutes'
        where ended_at is null`;
      // deno-lint-ignore no-await-in-loop
      await sql`select mend_dialling()`;
      // deno-lint-ignore no-await-in-loop
      await calling.work();
      // deno-lint-ignore no-await-in-loop
      await sql`select command_campaign(${id}, 'resume')`;
      // deno-lint-ignore no-await-in-loop
      const { waiting = 0, unknown = 0, ringing = 0 } = await calling.live(id);
      left = waiting + unknown + ringing;
    }
    const called = [...calls.values()].map(({ to }) => to);
    assertEquals(called.length, CONTACTS);
    assertEquals(new Set(called).size, CONTACTS);
    const failed = [...calls.values()].filter(({ applicationError }) => applicationError);
    assert(failed.length <= CONTACTS / 1000, `${failed.length} calls were not served`);
    assert(requests <= 1.2 * CONTACTS, `${requests / CONTACTS} requests a dial`);
    const hundreds = CONTACTS / 100;
    assertEquals(await calling.live(id), {
      contacts: CONTACTS,
      dialled: CONTACTS,
      answered: 53 * hundreds,
      machine: 21 * hundreds,
      opted_out: 3 * hundreds,
      no_answer: 15 * hundreds,
      busy: 6 * hundreds,
      failed: 2 * hundreds,
    });
  } finally {
    await calling.stop();
  }
});
