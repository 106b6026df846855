import { assertEquals } from "@std/assert/equals.js";
import { createHandler } from "../../supabase/functions/voice-voicemail/handler.ts";
import { CALLER_ON_THE_LINE, FLOW, response, say, takeMessage } from "../support/expected.ts";
import {
  CALL_SID,
  onTheLine,
  type Params,
  recordEnded,
  RECORDING_SID,
  RECORDING_URL,
  recordingReported,
  signedRequest,
  takeStep,
  testDeps,
  type TestDepsOptions,
  transcriptionReported,
  UNAVAILABLE,
} from "../support/webhook.ts";

const STATE = "turn=3&attempt=1&mode=voicemail-2";

const step = (params: Params, query: string, options: TestDepsOptions = {}) =>
  takeStep("voice-voicemail", createHandler, params, query, options);

async function callback(params: Params, query: string, options: TestDepsOptions = {}) {
  const deps = testDeps(options);
  const response = await createHandler(deps)(signedRequest("voice-voicemail", params, { query }));
  return { status: response.status, text: await response.text(), events: deps.events };
}

const THANKS = response(say("Thank you for your message. Goodbye."), "<Hangup/>");
const NOTHING = response(say("We did not hear a message. Goodbye."), "<Hangup/>");
const WITH_RECORDING = {
  recording_sid: RECORDING_SID,
  recording_url: RECORDING_URL,
  recording_source: "voicemail",
};

// --- asking for a message -----------------------------------------------------------------------------------

Deno.test("a caller is asked for a message of at most 120 s, and nothing heard is said", async () => {
  const { xml } = await step(onTheLine, "");
  assertEquals(
    xml,
    response(takeMessage(`turn=1&amp;attempt=1&amp;flow=${FLOW}&amp;language=en-US`, "")),
  );
});

Deno.test("being asked for a message is recorded", async () => {
  const { event } = await step(onTheLine, `?${STATE}`);
  assertEquals(event, {
    operation: "voice-voicemail",
    identity: "turn-3",
    event: "voicemail_offered",
    ...CALLER_ON_THE_LINE,
    mode: "voicemail",
    mode_turn: 2,
    meta: { flow: FLOW },
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

const GOODBYE = response(say("Thank you for calling. Goodbye."), "<Hangup/>");

Deno.test("a length that is hardly more than the silence that ended it proves no message: neither is claimed", async () => {
  const { Digits: _, ...silent } = recordEnded;
  const ended = async (RecordingDuration: string) =>
    (await step({ ...silent, RecordingDuration }, `?event=recorded&${STATE}`)).xml;
  assertEquals(await ended("5"), GOODBYE);
  assertEquals(await ended("6"), GOODBYE);
  assertEquals(await ended("7"), THANKS);
});

Deno.test("a message is thanked for", async () => {
  assertEquals((await step(recordEnded, `?event=recorded&${STATE}`)).xml, THANKS);
});

Deno.test("a message is recorded with where it is kept", async () => {
  const { event } = await step(recordEnded, `?event=recorded&${STATE}`);
  assertEquals(event, {
    operation: "voice-voicemail",
    identity: `recorded-${RECORDING_SID}`,
    event: "voicemail_recorded",
    ...CALLER_ON_THE_LINE,
    mode: "voicemail",
    mode_turn: 2,
    ...WITH_RECORDING,
    recording_duration_sec: 14,
    meta: { digits: "#", flow: FLOW, node: "message", outcome: "next" },
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
    ["with a recording of -1 seconds", { ...recordEnded, RecordingDuration: "-1" }],
  ] as const
) {
  Deno.test(`a message ${what} is none, and not thanked for`, async () => {
    const { xml, event } = await step(params, `?event=recorded&${STATE}`);
    assertEquals(xml, NOTHING);
    assertEquals(event["recording_duration_sec"], undefined);
    assertEquals(event["recording_lost"], "RecordingSid" in params ? true : undefined);
  });
}

Deno.test("a message that the database could not note is at Twilio: it is not asked for again", async () => {
  const noted = await step(recordEnded, `?event=recorded&${STATE}`, { outcome: UNAVAILABLE });
  assertEquals(noted.xml, THANKS);
  const outcome = new Error("unexpected");
  const failed = await step(recordEnded, `?event=recorded&${STATE}`, { outcome });
  assertEquals(failed.xml, response(say("Thank you for calling. Goodbye.", ""), "<Hangup/>"));
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
    status: "completed",
    // When it began, and not when the callback came: callbacks overtake each other.
    occurred_at: "2026-03-04T05:05:00.000Z",
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
    ...CALLER_ON_THE_LINE,
    status: "completed",
    call_status: "completed",
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
      [events[0]?.["status"], events[0]?.["recording_lost"], events[0]?.["recording_url"]],
      [RecordingStatus, true, undefined],
    );
  });
}

for (const event of ["recording", "transcription"]) {
  Deno.test(`the answer to a ${event} callback without a recording says so`, async () => {
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

for (
  const [what, params, kept] of [
    ["a recording", recordingReported, "recording"],
    ["a transcript", transcriptionReported, "transcription"],
    ["a message", recordEnded, "voicemail_recorded"],
    ["a call's recording", { ...recordEnded, DialCallStatus: "completed" }, "voicemail_offered"],
  ] as const
) {
  Deno.test(`${what} at the address without an event is stored as ${kept}`, async () => {
    const { event, outline } = await step(params, "");
    assertEquals(event?.["event"], kept);
    assertEquals(outline.includes("Record"), kept === "voicemail_offered");
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
