import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import fc from "fast-check";
import type { Disclosed } from "../../supabase/functions/_shared/calls/consent.ts";
import {
  type CallState,
  decodeState,
  encodeState,
} from "../../supabase/functions/_shared/calls/state.ts";

const turn = fc.integer({ min: 0, max: 9999 });
const disclosed: fc.Arbitrary<Disclosed> = fc.record({
  policy: fc.constantFrom("opt_out" as const, "opt_in" as const),
  key: fc.stringMatching(/^[0-9]$/),
  language: fc.constantFrom("en-US", "en", "fr-CA", "zh-Hans-CN"),
  words: fc.stringMatching(/^[0-9a-f]{32}$/),
});
const state: fc.Arbitrary<CallState> = fc.record({
  turn,
  attempt: turn,
  disclosed,
  flow: fc.option(fc.stringMatching(/^(default-[0-9a-f]{8}|[0-9a-f]{32})$/), { nil: undefined }),
  node: fc.option(fc.stringMatching(/^[a-z][a-z0-9_]{0,31}$/), { nil: undefined }),
  language: fc.constantFrom(undefined, "en-US", "fr-CA", "cmn-Hans-CN"),
  repeats: fc.option(turn, { nil: undefined }),
  consent: fc.option(
    fc.record({
      basis: fc.constantFrom("stayed" as const, "unsure" as const, "yes" as const, "no" as const),
      turn,
    }),
    { nil: undefined },
  ),
  choice: fc.option(
    fc.record({ mode: fc.stringMatching(/^[a-z][a-z0-9_]{0,31}$/), turn }),
    { nil: undefined },
  ),
  handoff: fc.option(fc.stringMatching(/^[a-z][a-z_]{0,63}$/), { nil: undefined }),
}, { requiredKeys: ["turn", "attempt", "disclosed"] });

const defined = (value: unknown) => JSON.parse(JSON.stringify(value));

Deno.test("every state comes back from its query as it was", () => {
  fc.assert(fc.property(state, (before) => {
    const after = decodeState(new URLSearchParams(encodeState(before)));
    assertEquals(defined(after), defined(before));
  }));
});

Deno.test("no value of a query needs an encoding that could differ", () => {
  fc.assert(fc.property(state, (before) => {
    for (const value of Object.values(encodeState(before))) assertMatch(value, /^[A-Za-z0-9_-]+$/);
  }));
});

for (
  const [query, why] of [
    ["", "there is none"],
    ["turn=", "it is empty"],
    ["turn=-1", "it is negative"],
    ["turn=10000", "no call has that many"],
    ["turn=1.5", "it is no whole number"],
    ["turn=0x10", "it is no decimal"],
    ["turn=%201", "it has a space"],
    ["turn=1e3", "it has an exponent"],
    ["turn=%D9%A1", "its digits are not ASCII"],
    ["attempt=2&consent=yes-1&mode=sales-1", "only other parameters are there"],
  ] as const
) {
  Deno.test(`a query has no state when its turn ${why}: "${query}"`, () => {
    assertEquals(decodeState(new URLSearchParams(query)), undefined);
  });
}

for (
  const consent of [
    "yes",
    "yes-",
    "-1",
    "YES-1",
    "granted-1",
    "yes-1-1",
    "yes-10000",
    "yes--1",
    " yes-1",
    "yes-1\n",
    "constructor-1",
  ]
) {
  Deno.test(`${JSON.stringify(consent)} is no consent decision`, () => {
    const query = new URLSearchParams({ turn: "1", consent });
    assertEquals(decodeState(query), { turn: 1, attempt: 1 });
  });
}

for (
  const mode of ["sales", "Sales-1", "1sales-1", "sales-1'--", "../x-1", `${"a".repeat(33)}-1`]
) {
  Deno.test(`${JSON.stringify(mode)} is no choice`, () => {
    assertEquals(decodeState(new URLSearchParams({ turn: "1", mode })), { turn: 1, attempt: 1 });
  });
}

Deno.test("whatever a query holds, it is a state within bounds or none", () => {
  const value = fc.oneof(fc.string(), fc.stringMatching(/^(yes|no|stayed|sales)?-?\d{0,6}$/));
  const name = fc.constantFrom(
    "turn",
    "attempt",
    "disclosed",
    "flow",
    "node",
    "language",
    "repeats",
    "consent",
    "mode",
    "__proto__",
    "event",
  );
  fc.assert(fc.property(fc.array(fc.tuple(name, value)), (pairs) => {
    const decoded = decodeState(new URLSearchParams(pairs));
    if (decoded === undefined) return;
    for (
      const number of [
        decoded.turn,
        decoded.attempt,
        decoded.repeats ?? 0,
        decoded.consent?.turn ?? 0,
        decoded.choice?.turn ?? 0,
      ]
    ) {
      assertEquals(Number.isInteger(number) && number >= 0 && number <= 9999, true);
    }
  }));
});

Deno.test("a consent without what it was given to is none, and a refusal stands", () => {
  const after = (consent: string) =>
    decodeState(new URLSearchParams({ turn: "2", consent }))?.consent;
  for (const consent of ["stayed-1", "yes-1", "unsure-1"]) assertEquals(after(consent), undefined);
  assertEquals(after("no-1"), { basis: "no", turn: 1 });
});
