import * as fc from "fast-check";
import { assertEquals } from "@std/assert/equals.js";
import type { Sql } from "postgres";
import type { Calendar } from "../../supabase/functions/_shared/flows/language.ts";
import { isOpen } from "../../supabase/functions/_shared/flows/walk.ts";

// Calendars in PostgreSQL against those of `task flow try`, which knows the wall clock and no zone.

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const clock = fc.integer({ min: 0, max: 95 }).map((quarter) =>
  new Date(quarter * 900_000).toISOString().slice(11, 16)
);
const period = fc.oneof(
  fc.tuple(clock, fc.oneof(clock, fc.constant("24:00"))).filter(([from, to]) => from < to),
  // About the hours at which clocks change.
  fc.constantFrom<[string, string]>(["01:15", "01:45"], ["02:15", "02:45"], ["00:00", "03:00"]),
);
const periods = fc.array(period, { maxLength: 3 });

/** Calendars with some of the dates as entries of their own. */
function anyCalendar(dates: readonly string[]): fc.Arbitrary<Calendar> {
  const some = (keys: readonly string[]) =>
    fc.array(fc.tuple(fc.constantFrom(...keys), periods), { maxLength: keys.length })
      .map((entries) => Object.fromEntries(entries));
  return fc.record({ weekly: some(DAYS), dates: some(dates) });
}

/** The two changes of a zone's clocks after a time, or a night without one; in UTC. */
async function nights(sql: Sql, zone: string): Promise<Date[]> {
  const changes = await sql<{ at: Date }[]>`
    select at from (
      select at, (at at time zone ${zone}) - (at at time zone 'UTC') as ahead,
        lag((at at time zone ${zone}) - (at at time zone 'UTC')) over (order by at) as before
      from generate_series(timestamptz '2026-06-01Z', timestamptz '2027-06-01Z', interval '1 hour') as at
    ) as hours where ahead <> before order by at limit 2`;
  return changes.length > 0 ? changes.map(({ at }) => at) : [new Date("2026-11-01T06:00Z")];
}

/** Holds calendars of a zone against the other about both changes of its clocks; returns how many instants. */
export async function holdZone(sql: Sql, zone: string, seed: number): Promise<number> {
  let held = 0;
  for (const [nth, night] of (await nights(sql, zone)).entries()) {
    // Minutes of a day around the change, and none of them a whole one.
    const instants = Array.from(
      { length: 49 },
      (_, i) =>
        new Date(night.getTime() + (i - 24) * 30 * 60_000 + ((i * 7) % 31) * 1000).toISOString(),
    );
    // deno-lint-ignore no-await-in-loop -- One zone after the other, for a database that others use.
    const walls = await sql<{ wall: string }[]>`
      select to_char(at at time zone ${zone}, 'YYYY-MM-DD"T"HH24:MI') as wall
      from unnest(${instants}::text[]::timestamptz[]) with ordinality as i(at, nth) order by nth`;
    const dates = [...new Set(walls.map(({ wall }) => wall.slice(0, 10)))];
    const calendars = fc.sample(anyCalendar(dates), { seed: seed + nth, numRuns: 4 });
    for (const calendar of calendars) {
      const whole = { ...calendar, zone, flow: 0, calendar: "main" };
      // deno-lint-ignore no-await-in-loop
      const told = await sql<{ open: boolean; listed: string }[]>`
        with listed as (
          select public.calendar_switches(${sql.json(whole)}, ${instants[0]!}::timestamptz, 2) as s
        )
        select public.calendar_open(${sql.json(whole)}, at) as open,
          case when ((select s ->> 'state' from listed) = 'open') = (
            (select count(*) from listed, jsonb_array_elements_text(s -> 'switches') as w where w::timestamptz <= at) % 2 = 0
          ) then 'open' else 'closed' end as listed
        from unnest(${instants}::text[]::timestamptz[]) with ordinality as i(at, nth) order by nth`;
      assertEquals(
        told.map(({ open, listed }, i) => [instants[i]!, open, listed]),
        walls.map(({ wall }, i) => {
          const open = isOpen(calendar, wall);
          return [instants[i]!, open, open ? "open" : "closed"];
        }),
        `${zone} ${JSON.stringify(calendar)}`,
      );
      held += told.length;
    }
  }
  return held;
}
