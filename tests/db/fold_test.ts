import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import * as fc from "fast-check";
import type { VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";
import { cases } from "../support/cases.ts";
import { createTestDatabase } from "../support/database.ts";
import { anyEvent, newCallSid } from "../support/events.ts";

// The folds alone, without the tables: what makes the rows of a call, its legs and its recordings independent of the order
// of its events.

const CALL = newCallSid();

/** Events, and the same events in another order, some of them several times. */
const shuffled = fc.array(anyEvent(CALL), { minLength: 1, maxLength: 12 }).chain((events) =>
  fc.tuple(
    fc.constant(events),
    fc.tuple(
      fc.shuffledSubarray(events, { minLength: events.length }),
      fc.array(fc.constantFrom(...events), { maxLength: 6 }),
    ).chain(([all, again]) =>
      fc.shuffledSubarray([...all, ...again], { minLength: all.length + again.length })
    ),
  )
);

Deno.test("a call, its legs and its recordings are the same for every order and repetition of events", async () => {
  const db = await createTestDatabase();
  try {
    await db.sql.unsafe(`
      create aggregate public.fold_of(public.voice_event) (
        sfunc = public.fold_voice_event, stype = public.call_logs
      );
      create aggregate public.leg_of(public.voice_event) (sfunc = public.fold_leg, stype = public.call_legs);
      create aggregate public.recording_of(public.voice_event) (
        sfunc = public.fold_recording, stype = public.recordings
      )`);
    const fold = async (pairs: readonly (readonly VoiceEvent[])[]): Promise<unknown[]> => {
      const rows = await db.sql`
        select (
          with events as (
            select n, jsonb_populate_record(null::public.voice_event, e) as e
            from jsonb_array_elements(pair) with ordinality as events(e, n)
          )
          select jsonb_build_array(
            (select to_jsonb(public.fold_of(e order by n)) from events),
            array(select to_jsonb(public.leg_of(e order by n)) from events group by (e).leg_sid order by (e).leg_sid),
            array(
              select to_jsonb(public.recording_of(e order by n)) from events
              where (e).recording_sid is not null group by (e).recording_sid order by (e).recording_sid
            )
          )
        ) as row
        from jsonb_array_elements(${db.sql.json(pairs as never)}) with ordinality as pairs(pair, at)
        order by at`;
      return rows.map(({ row }) => row);
    };
    await fc.assert(
      fc.asyncProperty(fc.array(shuffled, { minLength: 50, maxLength: 50 }), async (cases) => {
        const once = await fold(cases.map(([events]) => events));
        const again = await fold(cases.map(([, other]) => other));
        assertEquals(again, once);
      }),
      // 100 times 50 shuffles.
      { numRuns: cases(100) },
    );
  } finally {
    await db.drop();
  }
});

Deno.test("no event reopens a finished call or takes back a decision", async () => {
  const db = await createTestDatabase();
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(anyEvent(CALL), { minLength: 2, maxLength: 8 }), async (events) => {
        const rows = await db.sql<Row[]>`
          with recursive steps as (
            select 0 as n, public.fold_voice_event(null, jsonb_populate_record(null::public.voice_event, ${
          db.sql.json(events as never)
        }::jsonb -> 0)) as c
            union all
            select n + 1, public.fold_voice_event(c, jsonb_populate_record(null::public.voice_event, ${
          db.sql.json(events as never)
        }::jsonb -> (n + 1)))
            from steps where n + 1 < ${events.length}
          )
          select (c).status >= 'lost' as final, (c).consent_order from steps order by n`;
        for (const [i, row] of rows.entries()) {
          const before = rows[i - 1];
          if (before === undefined) continue;
          assert(!before.final || row.final);
          assert(row.consent_order >= before.consent_order);
        }
      }),
      { numRuns: cases(200) },
    );
  } finally {
    await db.drop();
  }
});

interface Row {
  final: boolean;
  consent_order: number;
}
