import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import { type Meaning, understand } from "../../supabase/functions/_shared/calls/menu.ts";
import { defaultProfile, menuPrompt } from "../../supabase/functions/_shared/calls/profile.ts";
import { testSettings } from "../support/webhook.ts";

const optOut = defaultProfile(testSettings({ RECORDING_CONSENT: "opt_out" }));
const optIn = defaultProfile(testSettings({ RECORDING_CONSENT: "opt_in" }));

/** A meaning in short: the option by its mode, and what is true of it. */
function brief(meaning: Meaning) {
  return {
    ...(meaning.option && { option: meaning.option.mode }),
    ...(meaning.consent && { consent: meaning.consent }),
    ...(meaning.repeat && { repeat: true }),
    ...(meaning.doubtful && { doubtful: true }),
    heard: meaning.heard,
  };
}

for (
  const [key, expected] of [
    ["1", { option: "sales", heard: true }],
    ["2", { option: "support", heard: true }],
    ["9", { option: "voicemail", heard: true }],
    ["*", { repeat: true, heard: true }],
    ["3", { consent: "no", heard: true }],
    ["7", { heard: true }],
    ["#", { heard: true }],
    ["11", { heard: true }],
    ["", { heard: true }],
  ] as const
) {
  Deno.test(`key "${key}" means ${JSON.stringify(expected)}`, () => {
    assertEquals(brief(understand(optOut, { digits: key })), expected);
  });
}

Deno.test("the recording key agrees where only an explicit yes does", () => {
  assertEquals(brief(understand(optIn, { digits: "3" })), { consent: "yes", heard: true });
});

for (
  const [speech, expected] of [
    ["Sales, please.", { option: "sales", heard: true }],
    ["I'd like a quote", { option: "sales", heard: true }],
    ["technical help", { option: "support", heard: true }],
    ["I need help", { option: "support", heard: true }],
    ["leave a message", { option: "voicemail", heard: true }],
    ["voice mail", { option: "voicemail", heard: true }],
    ["two", { option: "support", heard: true }],
    ["say that again", { repeat: true, heard: true }],
    ["sales again", { option: "sales", heard: true }],
    ["sales or support", { heard: true }],
    ["salesman", { heard: true }],
    ["wholesales", { heard: true }],
    ["someone", { heard: true }],
    ["pizza", { heard: true }],
    ["", { heard: true }],
    ["without recording, sales please", {
      option: "sales",
      consent: "no",
      doubtful: true,
      heard: true,
    }],
    ["recording studio support", { option: "support", consent: "no", heard: true }],
    ["yes I agree, sales", { option: "sales", consent: "yes", heard: true }],
    ["no, sales please", { option: "sales", doubtful: true, heard: true }],
    ["I can't log in, support", { option: "support", doubtful: true, heard: true }],
  ] as const
) {
  Deno.test(`"${speech}" means ${JSON.stringify(expected)}`, () => {
    assertEquals(brief(understand(optOut, { speech })), expected);
  });
}

Deno.test("silence means nothing, and is told from a word that is not understood", () => {
  assertEquals(brief(understand(optOut, {})), { heard: false });
});

Deno.test("a key counts before words that came with it", () => {
  assertEquals(
    brief(understand(optOut, { digits: "2", speech: "sales" })),
    { option: "support", heard: true },
  );
});

Deno.test("words that fit two options choose neither, whatever else is said", () => {
  const filler = fc.array(fc.constantFrom("please", "the", "hello", "and", "again"));
  fc.assert(fc.property(filler, filler, filler, (a, b, c) => {
    const speech = [...a, "sales", ...b, "support", ...c].join(" ");
    assertEquals(understand(optOut, { speech }).option, undefined);
  }));
});

Deno.test("unsure words about recording are never an agreement", () => {
  for (const speech of ["record", "what about recording", "I don't mind if you record"]) {
    assertEquals(understand(optIn, { speech }).consent, "no");
  }
});

Deno.test("the menu is heard in the order of its options, the way to hear it again last", () => {
  assertEquals(
    menuPrompt(optOut),
    "For sales, press 1. For support, press 2. To leave a message, press 9. To hear this again, press star.",
  );
});
