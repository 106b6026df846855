import { assertEquals } from "@std/assert/equals.js";
import type { Script } from "../../scripts/phone/mod.ts";
import { cases } from "../support/cases.ts";
import { type CallLog, startHotline } from "../support/hotline.ts";

// Callbacks late, twice and shuffled: the row at the end is the one of a call on which all went well.

const hotline = await startHotline();
Deno.test.afterAll(() => hotline.stop());

/** What a row says of the call, without what differs between any two calls. */
function essence(row: CallLog): CallLog {
  const { mode, status, consent_given, disposition, duration_sec, transcript, recording_source } =
    row;
  return {
    ...{ mode, status, consent_given, disposition, duration_sec, transcript, recording_source },
    recorded: row.recording_sid !== null,
    connected: row.connected_at !== null,
    ended: row.ended_at !== null,
  };
}

const SCRIPTS: Record<string, Script> = {
  "connected and recorded": { keys: ["1"], dial: "answered", talkSeconds: 40 },
  "unanswered, then a voicemail": {
    keys: ["2"],
    dial: "no-answer",
    voicemail: { seconds: 10, transcript: "It is urgent." },
  },
  "refused recording": { say: ["no recording"], keys: ["1"], dial: "answered" },
  "hung up while it rang": { keys: ["1"], hangupAt: "dial" },
};

for (const [name, script] of Object.entries(SCRIPTS)) {
  Deno.test(`${name}: the same row however its callbacks are delivered`, async () => {
    const expected = essence((await hotline.ring(script)).row);
    for (let seed = 1; seed <= cases(25); seed++) {
      const { record, row } = await hotline.ring(script, {
        simulator: {
          seed,
          duplicateSteps: seed % 3,
          delivery: {
            shuffle: seed % 2 === 0,
            duplicate: (seed % 4) / 2,
            concurrent: seed % 5 === 0,
            late: { fromMs: 0, toMs: 60_000 },
          },
        },
      });
      assertEquals(essence(row), expected, `seed ${seed}`);
      const [events] = await hotline.db.sql`
        select count(*)::int as n, count(distinct (event, leg_sid, status, meta ->> 'token'))::int as distinct_n
        from call_lifecycle where call_sid = ${record.callSid}`;
      assertEquals(events!.n, events!.distinct_n, `seed ${seed}: each event is there once`);
    }
  });
}
