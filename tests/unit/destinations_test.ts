import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { assertThrows } from "@std/assert/throws.js";
import fc from "fast-check";
import { dialable, parseDestinations } from "../../supabase/functions/_shared/destinations.ts";
import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";
import { createHandler as voiceAction } from "../../supabase/functions/voice-action/handler.ts";
import { createHandler as voiceConsentSpeech } from "../../supabase/functions/voice-consent-speech/handler.ts";
import { createHandler as voiceMenuHandler } from "../../supabase/functions/voice-menu-handler/handler.ts";
import { createHandler as voiceRoute } from "../../supabase/functions/voice-route/handler.ts";
import {
  accepted,
  type Element,
  onTheLine,
  pressed,
  publication,
  signedRequest,
  testDeps,
  testSettings,
  twiml,
} from "../support/webhook.ts";

const mayDial = (list: string, number: string) =>
  dialable(number, parseDestinations(list)) === number;

for (
  const [list, number, may] of [
    ["+1", "+15877428885", true],
    ["+1", "+18005550100", true],
    // Premium, personal, satellite, and countries that share +1.
    ["+1", "+19005550100", false],
    ["+1", "+15879765550", false],
    ["+1", "+15005550006", false],
    ["+1", "+18765550100", false],
    ["+1", "+12425550100", false],
    ["+1", "+18675550100", false],
    ["+1", "+881612345678", false],
    ["+1", "+442071838750", false],
    // No number of a subscriber.
    ["+1", "+911", false],
    ["+1,+9", "+911", false],
    ["+1", "+1911", false],
    ["+1", "+19115550100", false],
    ["+1", "+14115550100", false],
    ["+1", "+1587742888", false],
    ["+1", "+158774288850", false],
    ["+1,+44,+49", "+44999", false],
    ["+1,+44,+49", "+49110", false],
    ["+1", "voicemail", false],
    ["+1", "", false],
    ["+1", "+1587742888\n", false],
    // The longest prefix decides.
    ["+1,!+1587", "+15877428885", false],
    ["+1,!+1587,+15877428885", "+15877428885", true],
    [" +1 , +44 , !+447 ", "+442071838750", true],
    [" +1 , +44 , !+447 ", "+447700900123", false],
    // So are premium numbers of the countries that campaigns call.
    ["+44", "+449098790000", false],
    ["+44", "+447012345678", false],
    ["+44", "+448712345678", false],
    ["+44", "+447700900123", true],
    ["+33,+34,+39,+49", "+33899700123", false],
    ["+33,+34,+39,+49", "+34806123456", false],
    ["+33,+34,+39,+49", "+39899123456", false],
    ["+33,+34,+39,+49", "+499001234567", false],
    ["+33,+34,+39,+49", "+4930123456", true],
    ["+49,+49900", "+499001234567", true],
    // What is forbidden by default is allowed by its name only.
    ["+1,+44", "+18765550100", false],
    ["+1,+1876", "+18765550100", true],
    ["+1,+1587976", "+15879765550", true],
    // Named both ways, it is forbidden, in whichever order.
    ["+1,+44,!+44", "+442071838750", false],
    ["!+44,+44,+1", "+442071838750", false],
  ] as const
) {
  Deno.test(`of "${list}", ${JSON.stringify(number)} ${may ? "may" : "may not"} be dialled`, () => {
    assertEquals(mayDial(list, number), may);
  });
}

for (const list of ["1", "+", "+0", "++1", "+1;+44", "everything", "!+1", "+1,sip:a@b.c", ","]) {
  Deno.test(`"${list}" is no list of destinations`, () => {
    assertThrows(() => parseDestinations(list), RangeError, "must list ");
  });
}

Deno.test("a setting outside of the destinations stops the start, masked", () => {
  for (const name of ["BUSINESS_TARGET_E164", "SALES_TARGET_E164", "SUPPORT_TARGET_E164"]) {
    const { message } = assertThrows(() => testSettings({ [name]: "+19005550177" }), Error);
    assertStringIncludes(message, `Cannot start: ${name} must be a number that ALLOWED_DESTINATIO`);
    assertStringIncludes(message, "+1900***77");
    assert(!message.includes("+19005550177"));
  }
  assertThrows(() => testSettings({ SALES_TARGET_E164: "+911" }), Error, '"+911"');
  assertThrows(
    () => testSettings({ ALLOWED_DESTINATIONS: "+1,+15877428885x" }),
    Error,
    'Cannot start: ALLOWED_DESTINATIONS must list prefixes such as +1 or !+1900, separated by commas: one entry is "+1587***85x"',
  );
});

/** Every number that a document dials. */
const dialled = (elements: readonly Element[]): string[] =>
  elements.flatMap(({ name, text, children }) =>
    name === "Number"
      ? [text]
      : name === "Dial" && children.length === 0
      ? [text]
      : dialled(children)
  );

const number = fc.oneof(
  fc.stringMatching(/^\+[1-9]\d{1,14}$/),
  fc.stringMatching(/^\+1[2-9]\d{9}$/),
  fc.constantFrom("+911", "+19005550100", "+881612345678", "+18765550100", "+15879765550"),
);
const prefix = fc.tuple(fc.constantFrom("", "", "!"), fc.stringMatching(/^\+[1-9]\d{0,5}$/))
  .map((parts) => parts.join(""));

/** A flow that rings each of the numbers. */
function ringing(numbers: readonly string[], operator: string): Flow {
  const ring = (to: string) => ({ type: "ring" as const, to, answered: "end", unanswered: "note" });
  return {
    schema: 1,
    zone: "UTC",
    languages: ["en-US"],
    start: "menu",
    operator: "operator",
    prompts: { any: { "en-US": "Hello." } },
    nodes: {
      menu: {
        type: "menu",
        prompt: "any",
        options: numbers.map((_, at) => ({ key: String(at + 4), next: `ring${at}` })),
        tries: 1,
        otherwise: "note",
      },
      ...Object.fromEntries(
        numbers.map((to, at) => [`ring${at}`, { ...ring(to), mode: `mode${at}` }]),
      ),
      operator: ring(operator),
      note: { type: "voicemail", prompt: "any", next: "end" },
      end: { type: "end" },
    },
  };
}

Deno.test("whatever a published flow names, no number outside of the destinations is dialled", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(prefix, { maxLength: 4 }),
      fc.array(number, { minLength: 1, maxLength: 3 }),
      number,
      number,
      async (prefixes, destinations, operator, from) => {
        const list = ["+15877428885", "+1587555", ...prefixes].join(",");
        const flow = ringing(destinations, operator);
        const deps = testDeps({
          env: { ALLOWED_DESTINATIONS: list, BUSINESS_TARGET_E164: "+15877428885" },
          outcome: accepted({ mode: "mode0" }),
          flow,
        });
        const query = `?turn=1&attempt=1&flow=${publication(flow).hash.slice(0, 32)}`;
        const keys = destinations.map((_, at) => pressed(String(at + 4)));
        const answers = await Promise.all([
          ...keys.map((key) => [voiceConsentSpeech, "voice-consent-speech", key] as const),
          ...keys.map((key) => [voiceMenuHandler, "voice-menu-handler", key] as const),
          [voiceAction, "voice-action", pressed("0")] as const,
          [voiceRoute, "voice-route", onTheLine] as const,
        ].map(async ([createHandler, name, params]) =>
          await twiml(
            createHandler(deps),
            signedRequest(name, { ...params, From: from }, { query }),
          )
        ));
        for (const { verbs } of answers) {
          const numbers = dialled(verbs);
          assertEquals(numbers.filter((each) => !mayDial(list, each)), [], `of ${list}`);
          // A caller who cannot be put through can leave a message.
          assert(numbers.length === 1 || verbs.some(({ name }) => name === "Record"));
        }
      },
    ),
  );
});
