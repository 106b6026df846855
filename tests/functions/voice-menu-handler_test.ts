import { assertEquals } from "@std/assert/equals.js";
import { createHandler } from "../../supabase/functions/voice-menu-handler/handler.ts";
import {
  at,
  CALLER_ON_THE_LINE,
  DIALS,
  DISCLOSED,
  FLOW,
  response,
  SPOKEN,
  takeMessage,
  VOICEMAIL,
} from "../support/expected.ts";
import {
  accepted,
  briefPathOf,
  BUSINESS,
  only,
  onTheLine,
  type Params,
  pressed,
  said,
  SALES,
  SUPPORT,
  takeStep,
  type TestDepsOptions,
  UNAVAILABLE,
} from "../support/webhook.ts";

const TOLD = `?turn=2&attempt=1&disclosed=${DISCLOSED}`;
const AGREED = `${TOLD}&consent=stayed-1`;

const hear = (params: Params, query = AGREED, options: TestDepsOptions = {}) =>
  takeStep("voice-menu-handler", createHandler, params, query, options);

Deno.test("key 9 asks for a message and takes it", async () => {
  const { xml } = await hear(pressed("9"), "?turn=2&attempt=1");
  assertEquals(xml, response(takeMessage(at("message", 3, "&amp;mode=voicemail-2"))));
});

Deno.test("a choice is recorded with its turn, and with what was decided before", async () => {
  const { event } = await hear(pressed("2"));
  assertEquals(event, {
    operation: "voice-menu-handler",
    identity: "turn-2",
    event: "menu",
    ...DIALS,
    ...CALLER_ON_THE_LINE,
    mode: "support",
    mode_turn: 2,
    consent_given: true,
    consent_order: 1,
    disclosure: SPOKEN,
    meta: {
      digits: "2",
      flow: FLOW,
      node: "menu",
      outcome: "options.1",
      consent: {
        basis: "stayed",
        turn: 1,
        order: 1,
        disclosure: DISCLOSED,
      },
    },
  });
});

for (
  const [key, words, number] of [
    ["1", "Say: Connecting you to sales.", SALES],
    ["2", "Say: Connecting you to support.", SUPPORT],
  ] as const
) {
  Deno.test(`key ${key} dials its destination`, async () => {
    assertEquals((await hear(pressed(key))).outline, [words, `Dial: ${number}`]);
  });
}

Deno.test("a destination that is not set is the business's own number", async () => {
  const env = { SALES_TARGET_E164: undefined };
  assertEquals((await hear(pressed("1"), AGREED, { env })).outline[1], `Dial: ${BUSINESS}`);
});

Deno.test("no choice, once more: the menu; and then voicemail", async () => {
  const again = await hear(onTheLine, "?turn=2&attempt=1");
  assertEquals(again.outline, [
    "Say: We did not hear a choice.",
    "Gather",
    "Redirect: voice-menu-handler?turn=3&attempt=2",
  ]);
  const last = await hear(onTheLine, "?turn=3&attempt=2");
  assertEquals(last.outline, VOICEMAIL);
  assertEquals([last.event["mode"], last.event["mode_turn"]], ["voicemail", 3]);
});

Deno.test("a wrong key on the last attempt leads to voicemail", async () => {
  assertEquals((await hear(pressed("7"), "?turn=3&attempt=2")).outline, VOICEMAIL);
});

Deno.test("an attempt that no menu ever had leads to voicemail", async () => {
  assertEquals((await hear(pressed("7"), "?turn=3&attempt=9999")).outline, VOICEMAIL);
});

Deno.test("star repeats the menu, however often, and costs no attempt", async () => {
  const { outline } = await hear(pressed("*"), "?turn=8&attempt=2");
  assertEquals(outline, ["Gather", "Redirect: voice-menu-handler?turn=9&attempt=2"]);
});

Deno.test("going on agrees in a later hearing of the menu too, as long as nothing was said against it", async () => {
  const after = (query: string) => hear(pressed("1"), query);
  assertEquals((await after(TOLD)).event["consent_given"], true);
  for (const before of ["unsure-1", "no-1"]) {
    const answer = await after(`${TOLD}&consent=${before}`);
    assertEquals(answer.event["consent_given"], before === "no-1" ? false : null);
    assertEquals(only(answer, "Dial").attributes["record"], undefined);
  }
});

Deno.test("words that are not understood take back what silence agreed to, and no more", async () => {
  assertEquals((await hear(said("nicht aufnehmen"))).event["consent_given"], null);
  const said1 = await hear(said("pizza"), `${TOLD}&consent=yes-1`);
  assertEquals(said1.event["consent_given"], true);
});

Deno.test("recording can still be declined in a later hearing of the menu", async () => {
  const { outline, event } = await hear(said("stop recording"));
  assertEquals(outline, [
    "Say: Understood. This call will not be recorded.",
    "Gather",
    "Redirect: voice-menu-handler?turn=3&attempt=1&consent=no-2",
  ]);
  assertEquals([event["consent_given"], event["consent_order"]], [false, 8]);
});

Deno.test("a call is recorded on the database's word, not on its URL's", async () => {
  const options = { outcome: accepted({ consent_given: null }) };
  const answer = await hear(pressed("1"), `${AGREED}&mode=sales-1`, options);
  assertEquals(only(answer, "Dial").attributes["record"], undefined);
});

Deno.test("a call that the database knows to have agreed is recorded", async () => {
  const options = { outcome: accepted({ consent_given: true }) };
  const answer = await hear(pressed("1"), TOLD, options);
  assertEquals(only(answer, "Dial").attributes["record"], "record-from-answer-dual");
});

Deno.test("without the database the choice is dialled, unrecorded, and travels on", async () => {
  const answer = await hear(pressed("2"), AGREED, { outcome: UNAVAILABLE });
  const dial = only(answer, "Dial");
  assertEquals(dial.attributes["record"], undefined);
  assertEquals(
    briefPathOf(dial.attributes["action"]),
    "voice-route-action?turn=3&attempt=1&consent=stayed-1&mode=support-2",
  );
});

Deno.test("a choice changed later outranks the first", async () => {
  const { event } = await hear(pressed("2"), "?turn=4&attempt=1&mode=sales-1");
  assertEquals([event["mode"], event["mode_turn"]], ["support", 4]);
});
