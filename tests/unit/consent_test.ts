import { assertEquals } from "@std/assert/equals.js";
import { assertNotEquals } from "@std/assert/not_equals.js";
import fc from "fast-check";
import {
  type ConsentDecision,
  consentOrder,
  type ConsentStatement,
  consentStatement,
  isGranted,
  normaliseSpeech,
  standingConsent,
} from "../../supabase/functions/_shared/calls/consent.ts";
import { defaultProfile } from "../../supabase/functions/_shared/calls/profile.ts";
import { testSettings } from "../support/webhook.ts";

const { phrases } = defaultProfile(testSettings()).consent;

const UTTERANCES: readonly (readonly [heard: string, meant: ConsentStatement])[] = [
  // Refusals, in the words of the disclosure and in others.
  ["no recording", "declined"],
  ["No recording, please.", "declined"],
  ["No recordings!", "declined"],
  ["no", "declined"],
  ["No.", "declined"],
  ["no thank you", "declined"],
  ["nope", "declined"],
  ["don't record", "declined"],
  ["Don’t record", "declined"],
  ["Don‘t record me", "declined"],
  ["Donʼt record me", "declined"],
  ["don`t record", "declined"],
  ["dont record this", "declined"],
  ["do not record me", "declined"],
  ["Please do not record me, thanks", "declined"],
  ["you can't record", "declined"],
  ["You can’t record this call", "declined"],
  ["you cant record me", "declined"],
  ["you cannot record this", "declined"],
  ["you may not record", "declined"],
  ["I don't want to be recorded", "declined"],
  ["I do not want to be recorded", "declined"],
  ["I don't want recording", "declined"],
  ["I'd like not to be recorded", "declined"],
  ["I'd prefer to go on without being recorded", "declined"],
  ["without recording, sales please", "declined"],
  ["sales, without recording", "declined"],
  ["stop recording", "declined"],
  ["STOP RECORDING ME", "declined"],
  ["never record my calls", "declined"],
  ["opt out", "declined"],
  ["I want to opt out", "declined"],
  ["I'm opting out", "declined"],
  ["I do not consent", "declined"],
  ["I don't consent to this", "declined"],
  ["I don't agree", "declined"],
  ["I do not agree", "declined"],
  ["I disagree", "declined"],
  ["I decline", "declined"],
  ["I refuse", "declined"],
  ["I object to recording", "declined"],
  ["I'd rather not", "declined"],
  ["yes, record... no, actually don't record", "declined"],
  ["I agree to everything except I don't want to be recorded", "declined"],

  // Agreements, in words that can be nothing else.
  ["yes", "granted"],
  ["Yes!", "granted"],
  ["yes please", "granted"],
  ["yeah", "granted"],
  ["sure", "granted"],
  ["okay", "granted"],
  ["That’s fine.", "granted"],
  ["I do", "granted"],
  ["yes, record", "granted"],
  ["Yes, you can record", "granted"],
  ["you may record this call", "granted"],
  ["please record the call", "granted"],
  ["record this call", "granted"],
  ["I agree", "granted"],
  ["Yes, I agree, sales please", "granted"],
  ["I consent", "granted"],
  ["opt in", "granted"],
  ["recording is fine", "granted"],
  ["it's okay to record", "granted"],

  // About recording, and not certainly a yes.
  ["record? no", "unclear"],
  ["I don't mind if you record", "unclear"],
  ["I do not mind recording", "unclear"],
  ["record", "unclear"],
  ["recording", "unclear"],
  ["recording studio support", "unclear"],
  ["Are you recording this?", "unclear"],
  ["Do you record the call?", "unclear"],
  ["did you record me", "unclear"],
  ["you mustn't record me", "unclear"],
  ["You shouldn’t record this call", "unclear"],
  ["I wouldn't want you to record me", "unclear"],
  ["nobody may record this call", "unclear"],
  ["what happens if I agree", "unclear"],
  ["Do I consent?", "unclear"],
  ["you can record if you must", "unclear"],
  ["no problem, you can record", "unclear"],
  ["you can record, not", "unclear"],
  ["why would you record me", "unclear"],
  ["is it okay to record", "unclear"],
  ["how do I opt in", "unclear"],
  ["consent", "unclear"],

  // About something else.
  ["sales", undefined],
  ["sales please", undefined],
  ["support", undefined],
  ["leave a message", undefined],
  ["yesterday I called about my invoice", undefined],
  ["note to sales", undefined],
  ["I know the number", undefined],
  ["yes sales", undefined],
  ["no sales, support", undefined],
  ["", undefined],
  ["?!", undefined],
];

for (const [heard, meant] of UTTERANCES) {
  Deno.test(`${JSON.stringify(heard)} is ${meant ?? "not about recording"}`, () => {
    assertEquals(consentStatement(heard, phrases), meant);
  });
}

const NEGATIONS = [
  "no",
  "not",
  "never",
  "none",
  "nobody",
  "nothing",
  "neither",
  "nor",
  "without",
  "stop",
  "cannot",
  "refuse",
  ...["do", "does", "did", "ca", "could", "wo", "would", "should", "must", "need", "is", "are"]
    .flatMap((verb) => [`${verb}n't`, `${verb}n’t`, `${verb}n‘t`, `${verb}n´t`, `${verb}nt`]),
];

Deno.test("nothing that holds a negation is ever an agreement", () => {
  const word = fc.constantFrom(
    ...phrases.grant,
    ...phrases.grantAlone,
    ...phrases.topic,
    "sales",
    "please",
    "you",
    "i",
    "me",
  );
  const separator = fc.constantFrom(" ", ", ", ". ", "  ", "! ", " - ", "… ");
  const some = fc.array(word, { maxLength: 5 });
  fc.assert(
    fc.property(
      some,
      fc.constantFrom(...NEGATIONS),
      some,
      separator,
      fc.boolean(),
      (before, negation, after, between, loud) => {
        const text = [...before, negation, ...after].join(between);
        assertNotEquals(consentStatement(loud ? text.toUpperCase() : text, phrases), "granted");
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("nothing that a recogniser could hear is read with an error", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
    assertNotEquals(consentStatement(text, phrases), null);
  }));
});

Deno.test("speech is compared in lower case, without punctuation, with one kind of apostrophe", () => {
  assertEquals(normaliseSpeech("  DON’T — record, me!  (please) "), "don't record me please");
});

// --- which decision stands ----------------------------------------------------------------------------------

const decision: fc.Arbitrary<ConsentDecision> = fc.record({
  basis: fc.constantFrom("stayed" as const, "yes" as const, "no" as const),
  turn: fc.integer({ min: 0, max: 9999 }),
});
const maybe = fc.option(decision, { nil: undefined });
/** What the database keeps of a decision: what it says, and its rank. */
const kept = (d: ConsentDecision | undefined) => d && [isGranted(d), consentOrder(d)];

Deno.test("the decision that stands does not depend on the order of two", () => {
  fc.assert(fc.property(maybe, maybe, (a, b) => {
    assertEquals(kept(standingConsent(a, b)), kept(standingConsent(b, a)));
  }));
});

Deno.test("the decision that stands does not depend on how three are grouped", () => {
  fc.assert(fc.property(maybe, maybe, maybe, (a, b, c) => {
    assertEquals(
      kept(standingConsent(standingConsent(a, b), c)),
      kept(standingConsent(a, standingConsent(b, c))),
    );
  }));
});

Deno.test("a decision that is known twice stands as if known once", () => {
  fc.assert(fc.property(maybe, (a) => {
    assertEquals(kept(standingConsent(a, a)), kept(a));
  }));
});

Deno.test("two decisions of one rank never differ in what they say", () => {
  fc.assert(
    fc.property(decision, decision, (a, b) => {
      if (consentOrder(a) === consentOrder(b)) assertEquals(isGranted(a), isGranted(b));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("every rank is at least 1 and fits the database's smallint", () => {
  fc.assert(fc.property(decision, (a) => {
    const rank = consentOrder(a);
    assertEquals(rank >= 1 && rank <= 32767, true);
  }));
});

Deno.test("a no at the same turn outranks a yes", () => {
  const no: ConsentDecision = { basis: "no", turn: 3 };
  assertEquals(standingConsent({ basis: "yes", turn: 3 }, no), no);
});

Deno.test("a later yes outranks an earlier no", () => {
  const yes: ConsentDecision = { basis: "yes", turn: 4 };
  assertEquals(standingConsent({ basis: "no", turn: 3 }, yes), yes);
});

Deno.test("staying on the line never outranks what was said", () => {
  const no: ConsentDecision = { basis: "no", turn: 0 };
  assertEquals(standingConsent(no, { basis: "stayed", turn: 9 }), no);
});
