import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import { disclosedBy } from "../../supabase/functions/_shared/calls/profile.ts";
import { lineWith } from "../../supabase/functions/_shared/onboarding/line.ts";
import { parseOnboardingRequest } from "../../supabase/functions/_shared/onboarding/request.ts";
import { voiceOf } from "../../supabase/functions/_shared/voices.ts";
import { DISCLOSURE } from "../support/expected.ts";
import { testSettings } from "../support/webhook.ts";

// An organisation's own line: what it may change of what callers hear, and what not.

const settings = testSettings();

/** The fields of a profile that a request is refused for. */
function faults(profile: Record<string, unknown>): readonly string[] {
  const parsed = parseOnboardingRequest({
    org_id: "5b2f4d6e-0000-4000-8000-000000000001",
    business_name: "Prairie Dental",
    country: "CA",
    profile,
  }, settings.destinations);
  return "issues" in parsed ? parsed.issues.map(({ field }) => field) : [];
}

// --- the disclosure -----------------------------------------------------------------------------------------

Deno.test("an organisation's own words about recording come before the binding sentence, and never in its place", () => {
  for (const recording_consent of ["opt_out", "opt_in"] as const) {
    const binding = lineWith(settings, { recording_consent }).consent!.disclosure;
    fc.assert(fc.property(fc.string(), (disclosure) => {
      const own = lineWith(settings, { recording_consent, disclosure }).consent!.disclosure;
      assert(own.startsWith(disclosure) && own.endsWith(` ${binding}`), own);
    }));
  }
});

Deno.test("words that end without a stop get one", () => {
  const { consent } = lineWith(settings, { disclosure: "We train our staff" });
  assertEquals(consent!.disclosure, `We train our staff. ${DISCLOSURE}`);
});

Deno.test("whatever a line says of recording, what was heard is told apart by policy, language and words", () => {
  const names = [
    {},
    { disclosure: "Thanks." },
    { recording_consent: "opt_in" as const },
    { language: "en-GB" },
  ].map((changes) => JSON.stringify(disclosedBy(lineWith(settings, changes))));
  assertEquals(new Set(names).size, names.length);
  assertEquals(disclosedBy(lineWith(settings, { language: "tlh" })), undefined);
});

// --- voices -------------------------------------------------------------------------------------------------

for (
  const [voice, language] of [
    ["Polly.Joanna", "en-GB"],
    ["Polly.Amy", "en-US"],
    ["Polly.Amy", undefined],
    ["Polly.Nobody", "en-US"],
    ["Polly.Niamh", "en-IE"],
    ["polly.joanna", "en-US"],
    ["Google.en-US-Standard-Z", "en-US"],
    ["Google.en-GB-Standard-A", "en-AU"],
    ["Polly.Mathieu", "fr-CA"],
    ["constructor", "en-US"],
  ] as const
) {
  Deno.test(`the voice ${voice} in ${language ?? "no language of its own"} is refused, and one that is stored is not used`, () => {
    assert(faults({ voice, ...(language && { language }) }).length > 0);
    const line = lineWith(settings, { voice, language });
    assertEquals(line.voice, voiceOf(language ?? "en-US"));
  });
}

for (
  const [voice, language] of [
    ["Polly.Joanna-Neural", "en-US"],
    ["Polly.Amy", "en-GB"],
    ["Polly.Niamh-Neural", "en-IE"],
    ["Google.en-AU-Wavenet-D", "en-AU"],
  ] as const
) {
  Deno.test(`the voice ${voice} speaks ${language}`, () => {
    assertEquals(faults({ voice, language }), []);
    assertEquals(lineWith(settings, { voice, language }).voice, voice);
  });
}

// --- words for choices --------------------------------------------------------------------------------------

Deno.test("a choice cannot be named by what refuses, agrees or is said with anything", () => {
  const menu = (spoken: string[]) => [{
    key: "1",
    mode: "sales",
    label: "sales",
    destination: "voicemail",
    spoken,
  }];
  assertEquals(faults({ menu: menu(["bookings"]) }), []);
  for (const phrase of ["no", "yes", "don't record", "i agree", "please"]) {
    assertEquals(faults({ menu: menu(["bookings", phrase]) }), ["profile.menu.0.spoken.1"], phrase);
    const [option] = lineWith(settings, { menu: menu(["bookings", phrase]) }).menu.options;
    assertEquals(option!.spoken, ["bookings"]);
  }
});

Deno.test("a choice's label is heard as speech recognition writes it", () => {
  const [option] = lineWith(settings, {
    menu: [{ key: "1", mode: "front", label: "Front-Desk", destination: "voicemail" }],
  }).menu.options;
  assertEquals(option!.spoken, ["front desk"]);
});
