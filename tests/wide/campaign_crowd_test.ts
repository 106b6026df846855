import { assertEquals } from "@std/assert/equals.js";
import { crowd, Exchange } from "../../scripts/phone/mod.ts";
import { startCalling } from "../support/calling.ts";

// A hundred people are called, through the dialler, Twilio's stand-in and every webhook, half of which come twice and in any
// order; how each behaves is known from the number.

const calling = await startCalling({
  simulator: {
    telephones: ({ to }) => crowd(to),
    exchange: new Exchange({ callsPerSecond: 1000 }),
    delivery: { duplicate: 0.5, shuffle: false, concurrent: true },
    fetch: (...request) => fetch(...request),
    seed: 19,
  },
});
Deno.test.afterAll(() => calling.stop());
const { sql } = calling.db;

Deno.test("of a hundred contacts each is called once, and all figures are those of the crowd", async () => {
  const numbers = Array.from(
    { length: 100 },
    (_, nth) => `+1403556${String(nth).padStart(4, "0")}`,
  );
  const id = await calling.campaign(numbers, { attempts: { max: 1 } });
  await Promise.all([calling.dial(), calling.dial()]);
  await calling.simulator.settle();
  assertEquals(calling.created().map(({ To }) => To).toSorted(), numbers);
  assertEquals(await calling.live(id), {
    contacts: 100,
    dialled: 100,
    // 45 who listen, 5 who hang up, 3 who say nothing.
    answered: 53,
    // 20 with a beep, and a fax.
    machine: 21,
    opted_out: 3,
    no_answer: 15,
    busy: 6,
    failed: 2,
  });
  const stopped = await sql`select e164 from suppressions order by 1`;
  assertEquals(stopped.map(({ e164 }) => e164), numbers.slice(50, 53));
  const [calls] = await sql`
    select count(*)::integer as calls, count(*) filter (where direction = 'outbound')::integer as outbound from call_logs`;
  assertEquals({ ...calls }, { calls: 77, outbound: 77 });
  const results = await sql<{ result: string; count: number }[]>`
    select result, count(*)::integer as count from campaign_dials group by 1 order by 1`;
  assertEquals(Object.fromEntries(results.map(({ result, count }) => [result, count])), {
    answered: 56,
    busy: 6,
    failed: 2,
    machine: 21,
    no_answer: 15,
  });
});
