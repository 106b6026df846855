import { assertEquals } from "@std/assert/equals.js";
import { createHandler } from "../../supabase/functions/voice-voicemail/handler.ts";
import {
  CALL_SID,
  CALLER,
  LINE_NUMBER,
  onTheLine,
  type Params,
  PUBLIC_URL,
  recordEnded,
  RECORDING_SID,
  RECORDING_URL,
  recordingReported,
  signedRequest,
  testDeps,
  type TestDepsOptions,
  transcriptionReported,
  twiml,
  UNAVAILABLE,
} from "../support/webhook.ts";

const STATE = "turn=3&attempt=1&mode=voicemail-2";

async function step(params: Params, query: string, options: TestDepsOptions = {}) {
  const deps = testDeps(options);
  const request = signedRequest("voice-voicemail", params, { query });
  return { ...await twiml(createHandler(deps), request), event: deps.events[0]! };
}

async function callback(params: Params, query: string, options: TestDepsOptions = {}) {
  const deps = testDeps(options);
  const response = await createHandler(deps)(signedRequest("voice-voicemail", params, { query }));
  return { status: response.status, text: await response.text(), events: deps.events };
}

const say = (text: string) => `<Say voice="Polly.Joanna" language="en-US">${text}</Say>`;
const document = (verbs: string) =>
  `<?xml version="1.0" encoding="UTF-8"?><Response>${verbs}</Response>`;
const THANKS = document(`${say("Thank you for your message. Goodbye.")}<Hangup/>`);
const NOTHING = document(`${say("We did not hear a message. Goodbye.")}<Hangup/>`);
const WITH_RECORDING = {
  recording_sid: RECORDING_SID,
  recording_url: RECORDING_URL,
  recording_source: "voicemail",
};

// --- asking for a message -----------------------------------------------------------------------------------

Deno.test("a caller is asked for a message of at most 120 s, and nothing heard is said", async () => {
  const { xml } = await step(onTheLine, "");
  const query = "turn=1&amp;attempt=1";
  const url = (event: string) => `${PUBLIC_URL}/voice-voicemail?event=${event}&amp;${query}`;
  assertEquals(
    xml,
    document(
      say("Please leave a message after the tone. Press pound when you are done.") +
        `<Record action="${
          url("recorded")
        }#rc=2&amp;rp=5xx,ct,rt&amp;ct=2000&amp;rt=6500" method="POST" ` +
        'maxLength="120" timeout="5" finishOnKey="#" playBeep="true" ' +
        `recordingStatusCallback="${url("recording")}#rc=4&amp;rp=5xx,ct,rt" ` +
        'recordingStatusCallbackMethod="POST" recordingStatusCallbackEvent="completed absent" ' +
        `transcribe="true" transcribeCallback="${url("transcription")}#rc=4&amp;rp=5xx,ct,rt"/>` +
        `${say("We did not hear a message. Goodbye.")}<Hangup/>`,
    ),
  );
});

Deno.test("being asked for a message is recorded", async () => {
  const { event } = await step(onTheLine, `?${STATE}`);
  assertEquals(event, {
    operation: "voice-voicemail",
    identity: "turn-3",
    event: "voicemail_offered",
    call_sid: CALL_SID,
    leg_sid: CALL_SID,
    leg_status: "in-progress",
    call_status: "in-progress",
    from_e164: CALLER,
    to_e164: LINE_NUMBER,
    occurred_at: "2026-03-04T05:06:07.000Z",
    mode: "voicemail",
    mode_turn: 2,
    meta: {},
  });
});

Deno.test("the message's action is an address of its own, so that it cannot be asked for in a loop", async () => {
  const { verbs } = await step(onTheLine, "");
  const record = verbs.find(({ name }) => name === "Record");
  assertEquals(new URL(record!.attributes["action"]!).searchParams.get("event"), "recorded");
});

for (const event of ["", "toString", "__proto__", "unknown"]) {
  Deno.test(`a request about "${event}" is asked for a message`, async () => {
    const { verbs } = await step(onTheLine, `?event=${event}&${STATE}`);
    assertEquals(verbs.map(({ name }) => name), ["Say", "Record", "Say", "Hangup"]);
  });
}

// --- the message has been spoken ----------------------------------------------------------------------------

Deno.test("a message is thanked for", async () => {
  assertEquals((await step(recordEnded, `?event=recorded&${STATE}`)).xml, THANKS);
});

Deno.test("a message is recorded with where it is kept", async () => {
  const { event } = await step(recordEnded, `?event=recorded&${STATE}`);
  assertEquals(event, {
    operation: "voice-voicemail",
    identity: `recorded-${RECORDING_SID}`,
    event: "voicemail_recorded",
    call_sid: CALL_SID,
    leg_sid: CALL_SID,
    leg_status: "in-progress",
    call_status: "in-progress",
    from_e164: CALLER,
    to_e164: LINE_NUMBER,
    occurred_at: "2026-03-04T05:06:07.000Z",
    mode: "voicemail",
    mode_turn: 2,
    ...WITH_RECORDING,
    recording_duration_sec: 14,
    meta: { digits: "#" },
  });
});

Deno.test("a message that ended by hanging up is kept as one that ended by a key", async () => {
  const { event } = await step(
    { ...recordEnded, Digits: "hangup", CallStatus: "completed" },
    `?event=recorded&${STATE}`,
  );
  assertEquals([event["recording_sid"], event["call_status"]], [RECORDING_SID, "completed"]);
});

for (
  const [what, params] of [
    ["without a recording", onTheLine],
    ["with a recording of no length", { ...recordEnded, RecordingDuration: "0" }],
  ] as const
) {
  Deno.test(`a message ${what} is none, and not thanked for`, async () => {
    const { xml, event } = await step(params, `?event=recorded&${STATE}`);
    assertEquals(xml, NOTHING);
    assertEquals([event["identity"], event["recording_sid"]], ["recorded-nothing", undefined]);
  });
}

Deno.test("a message that the database could not note is thanked for, and not asked for again", async () => {
  for (const outcome of [UNAVAILABLE, new Error("unexpected")]) {
    // deno-lint-ignore no-await-in-loop -- two calls, one after the other
    const { xml } = await step(recordEnded, `?event=recorded&${STATE}`, { outcome });
    assertEquals(xml, THANKS);
  }
});

// --- recording and transcript -------------------------------------------------------------------------------

Deno.test("a recording that is ready is kept with its message", async () => {
  const { status, events } = await callback(recordingReported, `?event=recording&${STATE}`);
  assertEquals(status, 204);
  assertEquals(events, [{
    operation: "voice-voicemail",
    identity: `recording-${RECORDING_SID}-completed`,
    event: "recording",
    call_sid: CALL_SID,
    leg_sid: CALL_SID,
    leg_status: "completed",
    occurred_at: "2026-03-04T05:06:07.000Z",
    mode: "voicemail",
    mode_turn: 2,
    ...WITH_RECORDING,
    recording_duration_sec: 14,
    meta: {},
  }]);
});

Deno.test("a transcript is kept with its message", async () => {
  const { status, events } = await callback(transcriptionReported, `?event=transcription&${STATE}`);
  assertEquals(status, 204);
  assertEquals(events, [{
    operation: "voice-voicemail",
    identity: `transcription-${RECORDING_SID}-completed`,
    event: "transcription",
    call_sid: CALL_SID,
    leg_sid: CALL_SID,
    leg_status: "completed",
    call_status: "completed",
    from_e164: CALLER,
    to_e164: LINE_NUMBER,
    occurred_at: "2026-03-04T05:06:07.000Z",
    mode: "voicemail",
    mode_turn: 2,
    ...WITH_RECORDING,
    transcript: "Please call me back about the invoice.",
    meta: {},
  }]);
});

for (
  const [what, changes] of [
    ["failed", { TranscriptionStatus: "failed", TranscriptionText: "(garbled)" }],
    ["is empty", { TranscriptionText: "" }],
  ] as const
) {
  Deno.test(`a message whose transcription ${what} is kept without one`, async () => {
    const { status, events } = await callback(
      { ...transcriptionReported, ...changes },
      `?event=transcription&${STATE}`,
    );
    assertEquals(status, 204);
    assertEquals(
      [events[0]?.["recording_sid"], events[0]?.["transcript"]],
      [RECORDING_SID, undefined],
    );
  });
}

for (const RecordingStatus of ["absent", "failed"]) {
  Deno.test(`a recording that is ${RecordingStatus} is noted, and is none`, async () => {
    const { status, events } = await callback(
      { ...recordingReported, RecordingStatus },
      `?event=recording&${STATE}`,
    );
    assertEquals(status, 204);
    assertEquals(
      [events[0]?.["leg_status"], events[0]?.["recording_sid"], events[0]?.["recording_url"]],
      [RecordingStatus, undefined, undefined],
    );
  });
}

for (const event of ["recording", "transcription"]) {
  Deno.test(`a ${event} callback that names no recording is told so`, async () => {
    const { RecordingSid: _, ...params } = transcriptionReported;
    const { status, text, events } = await callback(params, `?event=${event}&${STATE}`);
    assertEquals([status, events], [400, []]);
    assertEquals(JSON.parse(text), {
      error: "invalid",
      issues: [{ field: "RecordingSid", message: "must be given" }],
    });
  });

  Deno.test(`a ${event} callback that could not be kept is asked for again`, async () => {
    const { status } = await callback(transcriptionReported, `?event=${event}&${STATE}`, {
      outcome: UNAVAILABLE,
    });
    assertEquals(status, 503);
  });
}

Deno.test("a long transcript is kept whole", async () => {
  const TranscriptionText = "word ".repeat(9_000).trim();
  const { events } = await callback(
    { ...transcriptionReported, TranscriptionText },
    `?event=transcription&${STATE}`,
  );
  assertEquals(events[0]?.["transcript"], TranscriptionText);
});
