import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import { nextOpening } from "../../supabase/functions/_shared/campaigns/hours.ts";
import { HOUR, lawful, moment, place, wall, window, within } from "../support/campaign_hours.ts";
import { ownClock, phones, running } from "../support/campaigns.ts";
import { createTestDatabase } from "../support/database.ts";

interface Reserved {
  readonly dials: { readonly token: string; readonly send_in_ms: number }[];
  readonly stale: { readonly area: number }[];
  /** By the database's clock, in milliseconds. */
  readonly at: number;
}

Deno.test("no dial is reserved or sent outside the hours of any of a number's zones, in nights in which clocks change neither", async () => {
  const { sql, drop } = await createTestDatabase();
  try {
    const forward = await ownClock(sql);
    let ahead = 0;
    const id = await running(sql, 0, {
      account: 1000,
      rate: 1000,
      attempts: { per_day: 10, per_week: 70 },
    });
    let [dialled, refused, callers] = [0, 0, 0];
    await fc.assert(
      fc.asyncProperty(
        place,
        moment,
        fc.option(window, { nil: undefined }),
        fc.array(fc.integer({ min: 1, max: 30 * 4 }), { minLength: 2, maxLength: 8 }),
        async (where, at, week, steps) => {
          await sql`delete from campaign_contacts`;
          await sql`delete from campaign_areas`;
          await sql`delete from dial_attempts`;
          let now = at;
          for (const quarters of [0, ...steps]) {
            now += quarters * HOUR / 4;
            await forward(now - Date.now() - ahead);
            ahead = now - Date.now();
            const contacts = phones(1, callers++ % 9_000_000).map((phone) => ({ phone, ...where }));
            await sql`select import_campaign_contacts(${id}, ${sql.json(contacts as never)})`;
            const reserve = async () =>
              (await sql<Reserved[]>`
                select r.dials, r.stale, (extract(epoch from test_now()) * 1000)::float8 as at
                from jsonb_to_record(reserve_campaign_dials(${id}, 10)) as r(dials jsonb, stale jsonb)`)[
                0
              ]!;
            let { dials, stale, at: asked } = await reserve();
            // As a tick does, where the hours of a place are not known or over.
            if (stale.length > 0) {
              assertEquals(dials, []);
              const opening = nextOpening(where, new Date(now), week);
              const openings = stale.map(({ area }) => ({
                area,
                opens_at: opening?.from.toISOString() ?? null,
                closes_at: opening?.until.toISOString() ?? null,
              }));
              await sql`select set_campaign_openings(${id}, ${sql.json(openings)})`;
              ({ dials, at: asked } = await reserve());
            }
            const clocks = (then: number) => where.zones.map((zone) => wall(zone, then));
            const allowed = (then: number) =>
              clocks(then).every((clock) =>
                lawful(where, clock) && (week === undefined || within(week, clock))
              );
            if (dials.length === 0) refused++;
            for (const { send_in_ms } of dials) {
              dialled++;
              // It may ring a minute later, as Twilio has a queue.
              for (const then of [asked, asked + send_in_ms, asked + send_in_ms + 60_000]) {
                assert(
                  allowed(then),
                  `${where.region} ${where.zones} ${new Date(then).toISOString()}`,
                );
              }
            }
            await sql`select begin_campaign_dials(${dials.map(({ token }) => token)})`;
          }
        },
      ),
      { numRuns: 300, endOnFailure: true },
    );
    assert(dialled > 50 && refused > 50, `${dialled} dialled, ${refused} times nobody`);
  } finally {
    await drop();
  }
});
