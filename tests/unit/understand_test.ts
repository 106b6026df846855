import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import { type Disclosed, normaliseSpeech } from "../../supabase/functions/_shared/calls/consent.ts";
import { wordsIn } from "../../supabase/functions/_shared/calls/words/mod.ts";
import { hotline } from "../../supabase/functions/_shared/flows/builtin.ts";
import type { NodeOf } from "../../supabase/functions/_shared/flows/language.ts";
import {
  canNameChoice,
  type Input,
  type Meaning,
  understand as understandAs,
} from "../../supabase/functions/_shared/flows/understand.ts";
import { cases } from "../support/cases.ts";
import { anyText } from "../support/any_text.ts";
import { testSettings } from "../support/webhook.ts";

// What callers of the settings' menu mean.

const { options } = hotline(testSettings()).flow.nodes["menu"] as NodeOf<"menu">;
const PLACES = ["sales", "support", "voicemail"];
const told: Disclosed = { policy: "opt_out", key: "3", language: "en-US", words: "0".repeat(32) };
const toldOptIn: Disclosed = { ...told, policy: "opt_in" };

const understand = (disclosed: Disclosed, input: Input) =>
  understandAs({
    options,
    operator: true,
    language: "en-US",
    disclosed,
    consentKeys: new Set(["3"]),
  }, input);

/** A meaning in short: the option by its mode, and what is true of it. */
function brief(meaning: Meaning) {
  return {
    ...(meaning.option !== undefined && { option: PLACES[meaning.option] }),
    ...(meaning.operator && { operator: true }),
    ...(meaning.consent && { consent: meaning.consent }),
    ...(meaning.repeat && { repeat: true }),
    ...(meaning.goesOn && { goesOn: true }),
    ...(meaning.unsure && { unsure: true }),
    heard: meaning.heard,
  };
}

for (
  const [key, expected] of [
    ["1", { option: "sales", goesOn: true, heard: true }],
    ["2", { option: "support", goesOn: true, heard: true }],
    ["9", { option: "voicemail", goesOn: true, heard: true }],
    ["0", { operator: true, goesOn: true, heard: true }],
    ["*", { repeat: true, heard: true }],
    ["3", { consent: "no", heard: true }],
    ["7", { heard: true }],
    ["#", { heard: true }],
    ["11", { heard: true }],
    ["", { heard: true }],
  ] as const
) {
  Deno.test(`key "${key}" means ${JSON.stringify(expected)}`, () => {
    assertEquals(brief(understand(told, { digits: key })), expected);
  });
}

Deno.test("the recording key agrees where only an explicit yes does", () => {
  assertEquals(brief(understand(toldOptIn, { digits: "3" })), {
    consent: "yes",
    heard: true,
  });
});

for (
  const [speech, expected] of [
    ["Sales, please.", { option: "sales", goesOn: true, heard: true }],
    ["I'd like a quote", { option: "sales", goesOn: true, heard: true }],
    ["technical help", { option: "support", goesOn: true, heard: true }],
    ["I need help", { option: "support", goesOn: true, heard: true }],
    ["leave a message", { option: "voicemail", goesOn: true, heard: true }],
    ["voice mail", { option: "voicemail", goesOn: true, heard: true }],
    ["two", { option: "support", goesOn: true, heard: true }],
    ["say that again", { repeat: true, heard: true }],
    ["sales again", { option: "sales", goesOn: true, heard: true }],
    ["sales or support", { unsure: true, heard: true }],
    ["salesman", { unsure: true, heard: true }],
    ["wholesales", { unsure: true, heard: true }],
    ["someone", { unsure: true, heard: true }],
    ["pizza", { unsure: true, heard: true }],
    ["", { unsure: true, heard: true }],
    ["without recording, sales please", {
      option: "sales",
      consent: "no",
      heard: true,
    }],
    ["recording studio support", { option: "support", consent: "no", heard: true }],
    ["1", { option: "sales", goesOn: true, heard: true }],
    ["one", { option: "sales", goesOn: true, heard: true }],
    ["Press one.", { option: "sales", goesOn: true, heard: true }],
    ["number 2 please", { option: "support", goesOn: true, heard: true }],
    ["option nine", { option: "voicemail", goesOn: true, heard: true }],
    ["*", { repeat: true, heard: true }],
    ["press star", { repeat: true, heard: true }],
    ["asterisk", { repeat: true, heard: true }],
    ["1 2", { unsure: true, heard: true }],
    ["seven", { unsure: true, heard: true }],
    ["I have one question", { unsure: true, heard: true }],
    ["three", { consent: "no", heard: true }],
    ["press 3", { consent: "no", heard: true }],
    ["3, 1", { option: "sales", consent: "no", heard: true }],
    ["nein, sales", { option: "sales", unsure: true, heard: true }],
    ["sales?", { option: "sales", unsure: true, heard: true }],
    ["yes sales please", { option: "sales", goesOn: true, heard: true }],
    ["yes", { consent: "yes", heard: true }],
    ["yes?", { unsure: true, heard: true }],
    ["hello", { unsure: true, heard: true }],
    ["yes I agree, sales", { option: "sales", consent: "yes", heard: true }],
    ["no, sales please", { option: "sales", unsure: true, heard: true }],
    ["I can't log in, support", { option: "support", unsure: true, heard: true }],
  ] as const
) {
  Deno.test(`"${speech}" means ${JSON.stringify(expected)}`, () => {
    assertEquals(brief(understand(told, { speech })), expected);
  });
}

Deno.test("silence means nothing, unlike a word that is not understood", () => {
  assertEquals(brief(understand(told, {})), { goesOn: true, heard: false });
});

Deno.test("a key counts before words that came with it", () => {
  assertEquals(
    brief(understand(told, { digits: "2", speech: "sales" })),
    { option: "support", goesOn: true, heard: true },
  );
});

Deno.test("words that fit two options choose neither, whatever else is said", () => {
  const filler = fc.array(fc.constantFrom("please", "the", "hello", "and", "again"));
  fc.assert(fc.property(filler, filler, filler, (a, b, c) => {
    const speech = [...a, "sales", ...b, "support", ...c].join(" ");
    assertEquals(understand(told, { speech }).option, undefined);
  }));
});

Deno.test("unsure words about recording are never an agreement", () => {
  for (const speech of ["record", "what about recording", "I don't mind if you record"]) {
    assertEquals(understand(toldOptIn, { speech }).consent, "no");
  }
});

// --- nothing but known words goes on ------------------------------------------------------------------------

const DENIALS = [
  "nein",
  "non",
  "nicht",
  "turn it off",
  "keep this private",
  "don't",
  "stop that",
  "негативно",
];

Deno.test("an option beside any word that is not known is chosen at most, and agrees to nothing", () => {
  const english = wordsIn("en-US")!;
  const names = options.flatMap(({ words, key }) => [...words as string[], ...english.keys[key!]!]);
  const known = fc.constantFrom(
    ...names,
    ...english.filler,
    ...english.wish,
    ...english.affirm,
    "again",
  );
  const words = new Set(
    [...names, ...english.filler, ...english.wish, ...english.affirm, ...english.repeat]
      .concat(english.keys["*"]!, english.keys[told.key]!, english.keys["0"]!).flatMap((phrase) =>
        phrase.split(" ")
      ),
  );
  const unknown = fc.oneof(
    fc.constantFrom(...DENIALS),
    fc.string({ unit: "grapheme" }),
    anyText(),
    fc.lorem({ maxCount: 3 }),
  ).filter((text) =>
    normaliseSpeech(text).split(" ").some((word) => word !== "" && !words.has(word))
  );
  fc.assert(
    fc.property(fc.array(known), unknown, fc.array(known), (before, word, after) => {
      const speech = [...before, word, ...after].join(" ");
      for (const disclosed of [told, toldOptIn]) {
        const meaning = understand(disclosed, { speech });
        assertEquals([meaning.goesOn, meaning.consent === "yes"], [false, false], speech);
      }
    }),
    { numRuns: cases(3000) },
  );
});

Deno.test('each key that is offered can be said, as a digit or a word, with or without "press"', () => {
  const { keys } = wordsIn("en-US")!;
  for (const [at, { key }] of options.entries()) {
    for (const name of keys[key!]!) {
      for (const speech of [name, `press ${name}`, `Number ${name}, please.`]) {
        assertEquals(understand(told, { speech }).option, at, speech);
      }
    }
  }
});

Deno.test("a tenant's phrases for a choice cannot be what refuses, agrees or fits any answer", () => {
  for (const phrase of ["no", "don't record", "i agree", "yes", "please", "the", "record", ""]) {
    assertEquals(canNameChoice(phrase), false, phrase);
  }
  for (const phrase of ["bookings", "front desk", "a table for two"]) {
    assertEquals(canNameChoice(phrase), true, phrase);
  }
});
