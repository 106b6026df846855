import { assertEquals } from "@std/assert/equals.js";
import { createHandler } from "../../supabase/functions/voice-route-action/handler.ts";
import {
  CALL_SID,
  CALLER,
  CHILD_SID,
  dialEnded,
  LINE_NUMBER,
  onTheLine,
  type Params,
  PUBLIC_URL,
  signedRequest,
  testDeps,
  twiml,
  UNAVAILABLE,
} from "../support/webhook.ts";

const QUERY = "?turn=2&attempt=1&mode=sales-1";

async function dialOver(params: Params, options: Parameters<typeof testDeps>[0] = {}) {
  const deps = testDeps(options);
  const request = signedRequest("voice-route-action", params, { query: QUERY });
  return { ...await twiml(createHandler(deps), request), event: deps.events[0]! };
}

const HANGUP = '<?xml version="1.0" encoding="UTF-8"?><Response><Hangup/></Response>';
const VOICEMAIL = [
  "Say: Nobody can take your call right now.",
  "Say: Please leave a message after the tone. Press pound when you are done.",
  "Record",
  "Say: We did not hear a message. Goodbye.",
  "Hangup",
];

for (const status of ["completed", "answered"]) {
  Deno.test(`a dial that ended ${status} ends the call`, async () => {
    const { xml, event } = await dialOver(dialEnded(status, { DialCallDuration: "25" }));
    assertEquals(xml, HANGUP);
    assertEquals(event, {
      operation: "voice-route-action",
      identity: "turn-2",
      event: "dial_ended",
      call_sid: CALL_SID,
      leg_sid: CHILD_SID,
      parent_call_sid: CALL_SID,
      leg_status: status,
      call_status: "in-progress",
      from_e164: CALLER,
      to_e164: LINE_NUMBER,
      occurred_at: "2026-03-04T05:06:07.000Z",
      mode: "sales",
      mode_turn: 1,
      talk_sec: 25,
      meta: {},
    });
  });
}

for (const status of ["busy", "no-answer", "failed", "canceled"]) {
  Deno.test(`a dial that ended ${status} leads to voicemail, and nobody has talked`, async () => {
    const { outline, event } = await dialOver(dialEnded(status));
    assertEquals(outline, VOICEMAIL);
    assertEquals([event["leg_status"], event["talk_sec"]], [status, undefined]);
  });
}

Deno.test("voicemail after an unanswered dial is spoken and taken, exactly", async () => {
  const { xml } = await dialOver(dialEnded("busy"));
  const query = "turn=3&amp;attempt=1&amp;mode=sales-1";
  const url = (event: string) => `${PUBLIC_URL}/voice-voicemail?event=${event}&amp;${query}`;
  const say = (text: string) => `<Say voice="Polly.Joanna" language="en-US">${text}</Say>`;
  assertEquals(
    xml,
    '<?xml version="1.0" encoding="UTF-8"?><Response>' +
      say("Nobody can take your call right now.") +
      say("Please leave a message after the tone. Press pound when you are done.") +
      `<Record action="${
        url("recorded")
      }#rc=2&amp;rp=5xx,ct,rt&amp;ct=2000&amp;rt=6500" method="POST" ` +
      'maxLength="120" timeout="5" finishOnKey="#" playBeep="true" ' +
      `recordingStatusCallback="${url("recording")}#rc=4&amp;rp=5xx,ct,rt" ` +
      'recordingStatusCallbackMethod="POST" recordingStatusCallbackEvent="completed absent" ' +
      `transcribe="true" transcribeCallback="${url("transcription")}#rc=4&amp;rp=5xx,ct,rt"/>` +
      say("We did not hear a message. Goodbye.") + "<Hangup/></Response>",
  );
});

Deno.test("a dial that was picked up without reaching the caller is no conversation", async () => {
  const { outline, event } = await dialOver(
    dialEnded("completed", { DialBridged: "false", DialCallDuration: "3" }),
  );
  assertEquals(outline, VOICEMAIL);
  assertEquals(event["talk_sec"], undefined);
});

Deno.test("a dial that is not told to have been bridged counts by its status", async () => {
  const { xml } = await dialOver(dialEnded("completed", { DialBridged: "true" }));
  assertEquals(xml, HANGUP);
});

Deno.test("an answered dial of no length is a conversation all the same", async () => {
  const { event } = await dialOver(dialEnded("completed"));
  assertEquals(event["talk_sec"], 0);
});

Deno.test("a request that tells of no dial leads to voicemail", async () => {
  assertEquals((await dialOver(onTheLine)).outline, VOICEMAIL);
});

Deno.test("a dial status that is not known leads to voicemail", async () => {
  const { verbs } = await dialOver(dialEnded("eaten-by-bears"));
  assertEquals(verbs.some(({ name }) => name === "Record"), true);
});

Deno.test("without the database an answered dial still ends, an unanswered one still records a message", async () => {
  assertEquals((await dialOver(dialEnded("completed"), { outcome: UNAVAILABLE })).xml, HANGUP);
  assertEquals(
    (await dialOver(dialEnded("busy"), { outcome: UNAVAILABLE })).outline,
    VOICEMAIL,
  );
});
