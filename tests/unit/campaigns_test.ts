import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import { type Model, simulate } from "../../scripts/campaign/simulate.ts";
import { parseSlice } from "../../supabase/functions/_shared/campaigns/contacts_file.ts";
import { type Floor, linesToDial } from "../../supabase/functions/_shared/campaigns/pacing.ts";
import {
  attemptsOf,
  nextTry,
  type Unreached,
} from "../../supabase/functions/_shared/campaigns/retry.ts";

const NOW = new Date("2026-11-21T20:00:00Z");

function sliceOf(lines: readonly string[]) {
  const slice = parseSlice(lines.join("\r\n"), NOW);
  if (typeof slice === "string") throw new Error(slice);
  return slice;
}

Deno.test("a slice is read line by line, and each line that is not taken has its reason", () => {
  const slice = sliceOf([
    "Name,Phone,zone,consent_at,ignored",
    '"Nguyen, Anh",(587) 742-8885,,2026-10-01,x',
    "Berta,+1 587 742 8885,,,",
    "Carl,911,,,",
    "Dora,+1 800 555 0100,,,",
    "Emil,212-555-0100,Mars/Phobos,,",
    "Fay,212-555-0101,America/Denver,,",
    "Gus,212-555-0102,,2027-01-01,",
    "",
    "Hal,212-555-0103,,yesterday,",
  ]);
  assertEquals(
    slice.contacts.map((
      { phone, place, name, consent_at },
    ) => [phone, place.zones, name, consent_at]),
    [
      ["+15877428885", ["America/Edmonton"], "Nguyen, Anh", "2026-10-01T00:00:00.000Z"],
      // The consented address wins over the number's place.
      ["+12125550101", ["America/Denver"], "Fay", undefined],
    ],
  );
  assertEquals(slice.duplicates, 1);
  assertEquals(slice.rejected.map(({ line, reason }) => [line, reason.split(" ")[0]]), [
    [4, "phone"],
    [5, "phone"],
    [6, "zone"],
    [8, "consent_at"],
    [10, "consent_at"],
  ]);
});

Deno.test("a slice without its first line, without phone, or too long is refused as a whole", () => {
  assert(typeof parseSlice("", NOW) === "string");
  assert(typeof parseSlice("+12125550100\n+12125550101", NOW) === "string");
  const lines = Array.from({ length: 10_001 }, (_, nth) => `+1212${5_550_000 + nth}`);
  assert(typeof parseSlice(["phone", ...lines].join("\n"), NOW) === "string");
  assertEquals(sliceOf(["phone", ...lines.slice(1)]).contacts.length, 10_000);
});

Deno.test("a contact is called again by how the last dial ended, and never more often than the rules say", () => {
  const rules = attemptsOf({ max: 3, busy_minutes: 15, no_answer_minutes: 240 });
  const after = (...ends: Unreached[]) => {
    const due = nextTry(ends, rules, NOW);
    return due && (due.getTime() - NOW.getTime()) / 60_000;
  };
  assertEquals(after(), 0);
  assertEquals(after("busy"), 15);
  assertEquals(after("busy", "no_answer"), 240);
  assertEquals(after("machine"), 1440);
  assertEquals(after("machine", "machine"), undefined);
  assertEquals(after("failed", "failed"), undefined);
  assertEquals(after("abandoned"), undefined);
  assertEquals(after("busy", "busy", "no_answer"), undefined);
});

const people: Floor = {
  free: 5,
  busy: 25,
  ringing: 0,
  answerRate: 0.25,
  ringSec: 20,
  talkSec: 105,
  answered: 1000,
  abandoned: 0,
};

Deno.test("progressive dials one line for each person who is free, whatever rings", () => {
  assertEquals(linesToDial("progressive", people), 5);
  assertEquals(linesToDial("progressive", { ...people, ringing: 3 }), 2);
  assertEquals(linesToDial("progressive", { ...people, ringing: 9 }), 0);
});

Deno.test("predictive dials ahead, and as progressive with few people, without a rate, or near the bound", () => {
  assert(linesToDial("predictive", people) > 15);
  assert(
    linesToDial("predictive", { ...people, abandoned: 15 }) < linesToDial("predictive", people),
  );
  for (
    const floor of [{ ...people, busy: 4 }, { ...people, answerRate: 0 }, {
      ...people,
      abandoned: 25,
    }]
  ) {
    assertEquals(linesToDial("predictive", floor), 5);
  }
});

Deno.test("predictive never dials fewer lines than progressive, nor without end", () => {
  const count = fc.nat(200);
  fc.assert(fc.property(
    fc.record({
      free: count,
      busy: count,
      ringing: count,
      answerRate: fc.double({ min: 0, max: 1, noNaN: true }),
      ringSec: fc.integer({ min: 1, max: 60 }),
      talkSec: fc.integer({ min: 1, max: 600 }),
      answered: fc.nat(10_000),
      abandoned: fc.nat(300),
    }),
    (floor) => {
      const lines = linesToDial("predictive", floor);
      assert(Number.isInteger(lines) && lines >= linesToDial("progressive", floor));
      const most = Math.ceil(2 * (floor.free + floor.busy) / Math.max(floor.answerRate, 0.01));
      assert(lines <= Math.max(most, floor.free));
    },
  ));
});

const MODEL: Model = {
  contacts: 4000,
  mode: "predictive",
  people: 30,
  callsPerSecond: 10,
  maxConcurrent: 1000,
  attempts: attemptsOf({ max: 1 }),
  answered: 0.25,
  machine: 0.2,
  busy: 0.05,
  failed: 0.02,
  ringSec: 25,
  talkSec: 90,
  wrapSec: 15,
  start: new Date("2026-06-01T04:00:00Z"),
  seed: 1,
};

Deno.test("of a predictive campaign 30 people are busier by a fifth, and few answers find nobody", () => {
  for (const seed of [1, 2]) {
    const predictive = simulate({ ...MODEL, seed });
    const progressive = simulate({ ...MODEL, seed, mode: "progressive" });
    assertEquals(progressive.abandoned, 0);
    assert(
      predictive.busyPart / progressive.busyPart >= 1.2,
      JSON.stringify({ predictive, progressive }),
    );
    assert(predictive.abandonedPart <= 0.025, `${predictive.abandonedPart}`);
  }
});

Deno.test("a model dials each contact once where nothing is repeated, within rate, calls at once and hours", () => {
  const broadcast = simulate({
    ...MODEL,
    mode: "broadcast",
    people: 0,
    contacts: 5000,
    maxConcurrent: 100,
  });
  assertEquals(broadcast.dials, 5000);
  assertEquals(broadcast.abandoned, 0);
  assert(broadcast.peakConcurrent <= 100);
  assert(broadcast.callsPerSecond <= 10);
  // From 8:00 in New York on.
  assert(broadcast.elapsedSec >= 8 * 3600 + broadcast.dialledSec - 1);
  assertEquals(simulate({ ...MODEL, seed: 7 }), simulate({ ...MODEL, seed: 7 }));
});
