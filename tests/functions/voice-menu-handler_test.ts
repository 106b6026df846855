import { assertEquals } from "@std/assert/equals.js";
import { createHandler } from "../../supabase/functions/voice-menu-handler/handler.ts";
import {
  accepted,
  BUSINESS,
  CALL_SID,
  CALLER,
  LINE_NUMBER,
  only,
  onTheLine,
  type Params,
  pathOf,
  pressed,
  PUBLIC_URL,
  said,
  SALES,
  signedRequest,
  SUPPORT,
  testDeps,
  type TestDepsOptions,
  twiml,
  UNAVAILABLE,
} from "../support/webhook.ts";

const AGREED = "?turn=2&attempt=1&consent=stayed-1";

async function hear(params: Params, query = AGREED, options: TestDepsOptions = {}) {
  const deps = testDeps(options);
  const request = signedRequest("voice-menu-handler", params, { query });
  const answer = await twiml(createHandler(deps), request);
  return { ...answer, event: deps.events[0]! };
}

const VOICEMAIL = [
  "Say: Please leave a message after the tone. Press pound when you are done.",
  "Record",
  "Say: We did not hear a message. Goodbye.",
  "Hangup",
];

Deno.test("key 9 asks for a message and takes it", async () => {
  const { xml } = await hear(pressed("9"), "?turn=2&attempt=1");
  const query = "turn=3&amp;attempt=1&amp;mode=voicemail-2";
  const url = (event: string) => `${PUBLIC_URL}/voice-voicemail?event=${event}&amp;${query}`;
  const callback = "#rc=4&amp;rp=5xx,ct,rt";
  assertEquals(
    xml,
    '<?xml version="1.0" encoding="UTF-8"?><Response>' +
      '<Say voice="Polly.Joanna" language="en-US">Please leave a message after the tone. Press pound when you are done.</Say>' +
      `<Record action="${
        url("recorded")
      }#rc=2&amp;rp=5xx,ct,rt&amp;ct=2000&amp;rt=6500" method="POST" ` +
      'maxLength="120" timeout="5" finishOnKey="#" playBeep="true" ' +
      `recordingStatusCallback="${
        url("recording")
      }${callback}" recordingStatusCallbackMethod="POST" ` +
      'recordingStatusCallbackEvent="completed absent" transcribe="true" ' +
      `transcribeCallback="${url("transcription")}${callback}"/>` +
      '<Say voice="Polly.Joanna" language="en-US">We did not hear a message. Goodbye.</Say><Hangup/></Response>',
  );
});

Deno.test("a choice is recorded with its turn, and with what was decided before", async () => {
  const { event } = await hear(pressed("2"));
  assertEquals(event, {
    operation: "voice-menu-handler",
    identity: "turn-2",
    event: "menu",
    call_sid: CALL_SID,
    leg_sid: CALL_SID,
    leg_status: "in-progress",
    call_status: "in-progress",
    from_e164: CALLER,
    to_e164: LINE_NUMBER,
    occurred_at: "2026-03-04T05:06:07.000Z",
    mode: "support",
    mode_turn: 2,
    consent_given: true,
    consent_order: 1,
    meta: {
      digits: "2",
      consent: {
        basis: "stayed",
        turn: 1,
        disclosure:
          "This call may be recorded, for quality and training. By staying on the line you agree to it. To go on without recording, say no recording, or press 3.",
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

Deno.test("going on in a later hearing of the menu agrees to nothing", async () => {
  const answer = await hear(pressed("1"), "?turn=2&attempt=1");
  assertEquals(answer.event["consent_given"], undefined);
  assertEquals(only(answer, "Dial").attributes["record"], undefined);
});

Deno.test("recording can still be declined in a later hearing of the menu", async () => {
  const { outline, event } = await hear(said("stop recording"));
  assertEquals(outline, [
    "Say: Understood. This call will not be recorded.",
    "Gather",
    "Redirect: voice-menu-handler?turn=3&attempt=1&consent=no-2",
  ]);
  assertEquals([event["consent_given"], event["consent_order"]], [false, 7]);
});

Deno.test("a call is recorded on the database's word, not on its URL's", async () => {
  const options = { outcome: accepted({ consent_given: null }) };
  const answer = await hear(pressed("1"), `${AGREED}&mode=sales-1`, options);
  assertEquals(only(answer, "Dial").attributes["record"], undefined);
});

Deno.test("a call that the database knows to have agreed is recorded", async () => {
  const options = { outcome: accepted({ consent_given: true }) };
  const answer = await hear(pressed("1"), "?turn=2&attempt=1", options);
  assertEquals(only(answer, "Dial").attributes["record"], "record-from-answer-dual");
});

Deno.test("without the database the choice is dialled, unrecorded, and travels on", async () => {
  const answer = await hear(pressed("2"), AGREED, { outcome: UNAVAILABLE });
  const dial = only(answer, "Dial");
  assertEquals(dial.attributes["record"], undefined);
  assertEquals(
    pathOf(dial.attributes["action"]),
    "voice-route-action?turn=3&attempt=1&consent=stayed-1&mode=support-2",
  );
});

Deno.test("a choice changed later outranks the first", async () => {
  const { event } = await hear(pressed("2"), "?turn=4&attempt=1&mode=sales-1");
  assertEquals([event["mode"], event["mode_turn"]], ["support", 4]);
});
