import { assertEquals } from "@std/assert/equals.js";
import { assertNotEquals } from "@std/assert/not_equals.js";
import fc from "fast-check";
import { CALL_STATUSES } from "../../supabase/functions/_shared/calls/webhook_form.ts";
import { createHandler } from "../../supabase/functions/voice-status/handler.ts";
import { DISCLOSED } from "../support/expected.ts";
import {
  CALL_SID,
  CALLER,
  callReported,
  CHILD_SID,
  legReported,
  LINE_NUMBER,
  type Params,
  RECORDING_SID,
  RECORDING_URL,
  recordingReported,
  SALES,
  signedRequest,
  testDeps,
} from "../support/webhook.ts";

const AGREED = `?turn=2&attempt=1&disclosed=${DISCLOSED}&consent=yes-1&mode=sales-1`;

/** When the callback says that it happened. */
const TOLD_AT = Date.parse("2026-03-04T05:05:00.000Z");

async function report(params: Params, query = "") {
  const deps = testDeps();
  const response = await createHandler(deps)(signedRequest("voice-status", params, { query }));
  return { status: response.status, text: await response.text(), event: deps.events[0] };
}

for (const status of CALL_STATUSES) {
  Deno.test(`a call that is ${status} is kept as such`, async () => {
    const { status: http, event } = await report(callReported(status));
    assertEquals(http, 204);
    assertEquals(event, {
      operation: "voice-status",
      identity: `${CALL_SID}-${status}-0--${TOLD_AT}`,
      event: "status",
      call_sid: CALL_SID,
      leg_sid: CALL_SID,
      status,
      call_status: status,
      sequence_number: 0,
      from_e164: CALLER,
      to_e164: LINE_NUMBER,
      occurred_at: "2026-03-04T05:05:00.000Z",
      meta: {},
    });
  });
}

Deno.test("the length of a call is its seconds, not the minutes that are billed", async () => {
  const { event } = await report(callReported("completed", { CallDuration: "61", Duration: "2" }));
  assertEquals(event?.["duration_sec"], 61);
});

Deno.test("a callback that comes again is the same event, and one that says something else another", async () => {
  const identityOf = async (changes: Record<string, string>) =>
    (await report(callReported("completed", { CallDuration: "61", ...changes }))).event
      ?.["identity"];
  const first = await identityOf({});
  assertEquals(await identityOf({}), first);
  const others: Record<string, string>[] = [
    { CallDuration: "62" },
    { SequenceNumber: "9" },
    { Timestamp: "Wed, 04 Mar 2026 05:05:01 +0000" },
  ];
  for (const changes of others) {
    assertNotEquals(await identityOf(changes), first, JSON.stringify(changes));
  }
});

Deno.test("a callback without a time happened when it came", async () => {
  const { event } = await report(callReported("completed", { Timestamp: "" }));
  assertEquals(event?.["occurred_at"], "2026-03-04T05:06:07.000Z");
});

Deno.test("a dialled leg's callback is kept under its parent, with what its URL carries", async () => {
  const { status, event } = await report(
    legReported("completed", { CallDuration: "30", SequenceNumber: "3" }),
    AGREED,
  );
  assertEquals(status, 204);
  assertEquals(event, {
    operation: "voice-status",
    identity: `${CHILD_SID}-completed-3-30-${TOLD_AT}`,
    event: "leg_status",
    call_sid: CALL_SID,
    leg_sid: CHILD_SID,
    parent_call_sid: CALL_SID,
    status: "completed",
    leg_status: "completed",
    leg_to: SALES,
    leg_node: "sales",
    sequence_number: 3,
    talk_sec: 30,
    occurred_at: "2026-03-04T05:05:00.000Z",
    mode: "sales",
    mode_turn: 1,
    consent_given: true,
    consent_order: 5,
    meta: {
      consent: {
        basis: "yes",
        turn: 1,
        order: 5,
        disclosure: DISCLOSED,
      },
    },
  });
});

Deno.test("whatever a dialled leg reports, it says nothing of the call's own status, length or numbers", async () => {
  await fc.assert(fc.asyncProperty(
    fc.constantFrom(...CALL_STATUSES),
    fc.option(fc.nat(9999).map(String), { nil: "" }),
    async (status, CallDuration) => {
      const { event } = await report(legReported(status, { CallDuration }), AGREED);
      assertEquals(
        ["call_status", "duration_sec", "from_e164", "to_e164"].filter((name) => name in event!),
        [],
      );
      assertEquals([event?.["call_sid"], event?.["leg_sid"]], [CALL_SID, CHILD_SID]);
    },
  ));
});

for (const status of ["in-progress", "completed"]) {
  Deno.test(`a dialled leg that is ${status} has been answered`, async () => {
    assertEquals((await report(legReported(status), AGREED)).event?.["talk_sec"], 0);
  });
}

for (const status of ["initiated", "ringing", "busy", "no-answer", "failed", "canceled"]) {
  Deno.test(`a dialled leg that is ${status} has not been answered`, async () => {
    const { event } = await report(legReported(status, { CallDuration: "0" }), AGREED);
    assertEquals(event?.["talk_sec"], undefined);
  });
}

Deno.test("a conversation's recording is kept with the call, and says nothing of its status", async () => {
  const { status, event } = await report(
    { ...recordingReported, RecordingSource: "DialVerb", RecordingChannels: "2" },
    "?turn=2&attempt=1",
  );
  assertEquals(status, 204);
  assertEquals(event, {
    operation: "voice-status",
    identity: `recording-${RECORDING_SID}-completed`,
    event: "recording",
    call_sid: CALL_SID,
    leg_sid: CALL_SID,
    status: "completed",
    recording_sid: RECORDING_SID,
    recording_url: RECORDING_URL,
    recording_source: "dial",
    recording_duration_sec: 14,
    occurred_at: "2026-03-04T05:05:00.000Z",
    meta: {},
  });
});

Deno.test("a conversation's recording that is absent is noted, and is none", async () => {
  const { event } = await report({ ...recordingReported, RecordingStatus: "absent" });
  assertEquals(
    [event?.["status"], event?.["recording_lost"], event?.["recording_url"]],
    ["absent", true, undefined],
  );
});

Deno.test("a recording of -1 seconds is an absent one", async () => {
  const { event } = await report({ ...recordingReported, RecordingDuration: "-1" });
  assertEquals([event?.["recording_lost"], event?.["recording_duration_sec"]], [true, undefined]);
});

Deno.test("a recorded leg's end is its end, though it names the recording", async () => {
  const { event } = await report(
    legReported("completed", {
      CallDuration: "30",
      RecordingSid: RECORDING_SID,
      RecordingUrl: RECORDING_URL,
      RecordingDuration: "29",
    }),
    AGREED,
  );
  assertEquals(
    [event?.["event"], event?.["call_sid"], event?.["leg_sid"], event?.["talk_sec"]],
    ["leg_status", CALL_SID, CHILD_SID, 30],
  );
  assertEquals(event?.["recording_sid"], undefined);
});

Deno.test("a status that is new is kept by its name, and is no state of the call", async () => {
  const { status, event } = await report(callReported("on-fire", { SequenceNumber: "1e3" }));
  assertEquals(
    [status, event?.["status"], event?.["call_status"], event?.["sequence_number"]],
    [204, "on-fire", undefined, undefined],
  );
});

for (
  const [told, kept] of [
    ["Mon, 01 Jan 0001 00:00:00 +0000", "2026-03-04T05:06:07.000Z"],
    ["Fri, 31 Dec 9999 23:59:59 +0000", "2026-03-04T05:06:07.000Z"],
    ["Tue, 03 Mar 2026 05:06:06 +0000", "2026-03-04T05:06:07.000Z"],
    ["Tue, 03 Mar 2026 05:06:07 +0000", "2026-03-03T05:06:07.000Z"],
  ] as const
) {
  Deno.test(`a callback that says ${told} happened at ${kept}`, async () => {
    const { event } = await report(callReported("completed", { Timestamp: told }));
    assertEquals(event?.["occurred_at"], kept);
  });
}

Deno.test("each status of each leg is an event of its own", async () => {
  const events = await Promise.all([
    report(callReported("ringing")),
    report(callReported("completed")),
    report(legReported("ringing")),
    report(legReported("completed")),
  ]);
  assertEquals(new Set(events.map(({ event }) => event?.["identity"])).size, 4);
});

Deno.test("the answer to a callback without a report names what it lacks", async () => {
  const { status, text, event } = await report(callReported(""));
  assertEquals([status, event], [400, undefined]);
  assertEquals(JSON.parse(text), {
    error: "invalid",
    issues: [{ field: "CallStatus", message: "must be given" }],
  });
});

Deno.test("every parameter at fault is named, and no value is repeated", async () => {
  const { status, text } = await report({
    ...callReported("completed"),
    CallSid: "CAnot-a-sid",
    ParentCallSid: "on-fire",
  });
  const { issues } = JSON.parse(text);
  assertEquals(status, 400);
  assertEquals(
    issues.map((issue: { field: string }) => issue.field).sort(),
    ["CallSid", "ParentCallSid"],
  );
  assertEquals(/on-fire|not-a-sid/.test(text), false);
});
