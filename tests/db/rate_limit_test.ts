import { assertEquals } from "@std/assert/equals.js";
import * as fc from "fast-check";
import postgres from "postgres";
import { cases } from "../support/cases.ts";
import { createTestDatabase } from "../support/database.ts";

const db = await createTestDatabase();
Deno.test.afterAll(() => db.drop());

async function take(identifier: string, sql = db.sql): Promise<boolean> {
  const [row] = await sql<{ admitted: boolean }[]>`
    select public.take_rate_limit('voice-frontdoor', 'caller', ${identifier}, 10, interval '60 seconds') as admitted`;
  return row!.admitted;
}

/** Moves every admission of a key into the past: what waiting does, without the wait. */
async function pass(identifier: string, seconds: number): Promise<void> {
  await db.sql`
    update public.rate_limit_windows
    set admitted_at = array(select t - make_interval(secs => ${seconds}) from unnest(admitted_at) as t)
    where identifier = ${identifier}`;
}

Deno.test("a hundred calls at once from one number: exactly ten are admitted", async () => {
  const connections = Array.from({ length: 20 }, () => postgres(db.url, { max: 1 }));
  const admitted = await Promise.all(
    Array.from({ length: 100 }, (_, i) => take("+15550000100", connections[i % 20])),
  );
  await Promise.all(connections.map((sql) => sql.end()));
  assertEquals(admitted.filter(Boolean).length, 10);

  const [violation] = await db.sql`
    select * from public.rate_limit_violations where identifier = '+15550000100'`;
  assertEquals(violation!.violation_count, "90");
  assertEquals([violation!.identifier_type, violation!.endpoint], ["caller", "voice-frontdoor"]);
});

Deno.test("a hundred and twenty different callers are all admitted", async () => {
  const admitted = await Promise.all(
    Array.from({ length: 120 }, (_, i) => take(`+1555100${1000 + i}`)),
  );
  assertEquals(admitted.every(Boolean), true);
});

Deno.test("once the window has passed the caller is admitted again, refusals not counting against it", async () => {
  const caller = "+15550000200";
  for (let i = 0; i < 10; i++) assertEquals(await take(caller), true);
  await pass(caller, 59);
  for (let i = 0; i < 20; i++) assertEquals(await take(caller), false);
  await pass(caller, 1);
  assertEquals(await take(caller), true);
});

Deno.test("no window of 60 s ever holds more than ten admissions, whatever the rhythm", async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ wait: fc.integer({ min: 0, max: 30 }), burst: fc.integer({ min: 1, max: 6 }) }),
        {
          minLength: 4,
          maxLength: 12,
        },
      ),
      async (rhythm) => {
        const caller = `+1555300${1000 + run++}`;
        const admissions: number[] = [];
        let now = 0;
        for (const { wait, burst } of rhythm) {
          now += wait;
          await pass(caller, wait);
          for (let i = 0; i < burst; i++) {
            const inWindow = admissions.filter((t) => t > now - 60).length;
            const admitted = await take(caller);
            assertEquals(admitted, inWindow < 10, `at ${now} s with ${inWindow} in the window`);
            if (admitted) admissions.push(now);
          }
        }
        const [row] = await db.sql`
          select cardinality(admitted_at) as size from public.rate_limit_windows where identifier = ${caller}`;
        assertEquals(row!.size <= 10, true);
      },
    ),
    { numRuns: cases(25) },
  );
});
