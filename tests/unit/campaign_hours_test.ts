import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import {
  nextOpening,
  type Opening,
  type Week,
} from "../../supabase/functions/_shared/campaigns/hours.ts";
import { placeOf, PREFIXES } from "../../supabase/functions/_shared/campaigns/zones.ts";
import {
  HOUR,
  lawful,
  moment,
  NIGHTS,
  place,
  wall,
  window,
  within,
} from "../support/campaign_hours.ts";

Deno.test("no moment of an opening is outside the law's hours or the campaign's, in any zone of a number", () => {
  let found = 0;
  fc.assert(
    fc.property(place, moment, fc.option(window, { nil: undefined }), (where, at, week) => {
      const opening = nextOpening(where, new Date(at), week);
      if (opening === undefined) return;
      found++;
      const [from, until] = [opening.from.getTime(), opening.until.getTime()];
      assert(from >= at && until > from);
      for (let nth = 0; nth <= 12; nth++) {
        const then = Math.min(from + Math.floor((until - from) * nth / 12), until - 1);
        for (const zone of where.zones) {
          const clock = wall(zone, then);
          assert(lawful(where, clock), `${where.region} ${zone} ${new Date(then).toISOString()}`);
          assert(
            week === undefined || within(week, clock),
            `${zone} ${new Date(then).toISOString()}`,
          );
        }
      }
    }),
    { numRuns: 400 },
  );
  assert(found > 200, `${found} openings`);
});

Deno.test("each zone's openings around its clocks' changes lie within the hours, and are none too late", () => {
  const places = new Map(PREFIXES.map((prefix) => {
    const where = placeOf(`${prefix}2255010`)!;
    return [`${where.rules} ${where.region} ${where.zones}`, where];
  }));
  for (const where of places.values()) {
    for (const night of NIGHTS) {
      let at = night - 18 * HOUR;
      while (at < night + 40 * HOUR) {
        const { from, until } = nextOpening(where, new Date(at))!;
        for (const zone of where.zones) {
          assert(lawful(where, wall(zone, from.getTime())), `${zone} ${from.toISOString()}`);
          assert(lawful(where, wall(zone, until.getTime() - 1)), `${zone} ${until.toISOString()}`);
        }
        at = until.getTime();
      }
    }
  }
});

const opening = (phone: string, at: string, week?: Week) =>
  iso(nextOpening(placeOf(phone)!, new Date(at), week));
const iso = (found: Opening | undefined) =>
  found && [found.from, found.until].map((each) => each.toISOString().slice(0, 16));

Deno.test("hours are the called party's, the stricter state's and the campaign's", () => {
  // New York; Calgary on a weekday and a Saturday; Miami; London; Paris at lunch.
  assertEquals(opening("+12125550100", "2026-11-21T05:00:00Z"), [
    "2026-11-21T13:00",
    "2026-11-22T02:00",
  ]);
  assertEquals(opening("+14035550100", "2026-11-20T05:00:00Z"), [
    "2026-11-20T16:00",
    "2026-11-21T04:30",
  ]);
  assertEquals(opening("+14035550100", "2026-11-21T05:00:00Z"), [
    "2026-11-21T17:00",
    "2026-11-22T01:00",
  ]);
  assertEquals(opening("+13055550100", "2026-11-21T05:00:00Z"), [
    "2026-11-21T13:00",
    "2026-11-22T01:00",
  ]);
  assertEquals(opening("+442071838750", "2026-11-22T05:00:00Z"), [
    "2026-11-23T08:00",
    "2026-11-23T21:00",
  ]);
  assertEquals(opening("+33142685300", "2026-11-20T12:30:00Z"), [
    "2026-11-20T13:00",
    "2026-11-20T19:00",
  ]);
  assertEquals(
    opening("+12125550100", "2026-11-21T05:00:00Z", { mon: [["17:00", "23:00"]] }),
    ["2026-11-23T22:00", "2026-11-24T02:00"],
  );
});

Deno.test("a moment within an opening begins it, and one at its end belongs to the next", () => {
  assertEquals(opening("+12125550100", "2026-11-21T20:00:00Z"), [
    "2026-11-21T20:00",
    "2026-11-22T02:00",
  ]);
  assertEquals(opening("+12125550100", "2026-11-22T02:00:00Z"), [
    "2026-11-22T13:00",
    "2026-11-23T02:00",
  ]);
});

Deno.test("a number that may be in several zones is called only in the hours of all", () => {
  // Idaho: from 8:00 Pacific to 21:00 mountain time.
  assertEquals(opening("+12085550100", "2026-11-21T05:00:00Z"), [
    "2026-11-21T16:00",
    "2026-11-22T04:00",
  ]);
});

Deno.test("where the zones or the hours have nothing in common nobody is called", () => {
  assertEquals(
    opening("+12125550100", "2026-11-21T05:00:00Z", { mon: [["21:00", "24:00"]] }),
    undefined,
  );
  const apart = { rules: "US", region: "NY", zones: ["America/New_York", "Asia/Tokyo"] } as const;
  assertEquals(
    nextOpening(apart, new Date("2026-06-01T00:00:00Z"), { sun: [["08:00", "12:00"]] }),
    undefined,
  );
});

Deno.test("public holidays are closed where the set says so", () => {
  // Christmas of 2026 is a Friday, and the Second day or Boxing Day a Saturday, kept on Monday in the United Kingdom.
  assertEquals(opening("+33142685300", "2026-12-24T19:30:00Z"), [
    "2026-12-28T09:00",
    "2026-12-28T12:00",
  ]);
  assertEquals(opening("+442071838750", "2026-12-24T21:30:00Z"), [
    "2026-12-29T08:00",
    "2026-12-29T21:00",
  ]);
  // Alabama; New York has no such rule.
  assertEquals(opening("+12055550100", "2026-12-25T06:30:00Z")![0], "2026-12-26T14:00");
  assertEquals(opening("+12125550100", "2026-12-25T06:30:00Z")![0], "2026-12-25T13:00");
});

Deno.test("a number whose digits say no place with rules has none", () => {
  for (const number of ["+18005550100", "+18765550100", "+819012345678", "+19005550100"]) {
    assertEquals(placeOf(number), undefined, number);
  }
  // Premium, shared cost, personal, of companies, freephone.
  const abroad =
    "+449098790000 +447012345678 +448712345678 +443001234567 +448001234567 +447600123456 +33899700123 +33912345678 " +
    "+499001234567 +498001234567 +34806123456 +34902123456 +39899123456 +39800123456 +31900123456 +43720123456 +420900123456 " +
    "+3531850123456 +3545551234";
  for (const number of abroad.split(" ")) assertEquals(placeOf(number), undefined, number);
  const real =
    "+442071838750 +447700900123 +447624123456 +33142685300 +33612345678 +4930123456 +4915123456789 +34912345678 +34612345678 " +
    "+390612345678 +393123456789 +43732123456 +35812345678 +3531123456 +46701234567 +48221234567 +420212345678";
  for (const number of real.split(" ")) {
    assert(placeOf(number) !== undefined, number);
  }
});

Deno.test("Oregon's numbers are called until eight in the evening", () => {
  const evening = nextOpening(placeOf("+15035550100")!, new Date("2026-03-03T03:00:00Z"))!;
  assertEquals(evening.until.toISOString(), "2026-03-03T04:00:00.000Z");
});
