import { assertEquals } from "@std/assert/equals.js";
import { createHandler } from "../../supabase/functions/voice-route-action/handler.ts";
import { versionName } from "../../supabase/functions/_shared/flows/version.ts";
import {
  at,
  CALLER_ON_THE_LINE,
  FLOW,
  response,
  say,
  takeMessage,
  VOICEMAIL,
} from "../support/expected.ts";
import { practice, soundFlow } from "../support/flows.ts";
import {
  CALL_SID,
  CHILD_SID,
  dialEnded,
  onTheLine,
  type Params,
  takeStep,
  type TestDepsOptions,
  UNAVAILABLE,
} from "../support/webhook.ts";

const QUERY = "?turn=2&attempt=1&mode=sales-1";

const dialOver = (params: Params, options: TestDepsOptions = {}) =>
  takeStep("voice-route-action", createHandler, params, QUERY, options);

const HANGUP = response("<Hangup/>");
const NOBODY = "Nobody can take your call right now.";
const VOICEMAIL_INSTEAD = [`Say: ${NOBODY}`, ...VOICEMAIL];

for (const status of ["completed", "answered"]) {
  Deno.test(`a dial that ended ${status} ends the call`, async () => {
    const { xml, event } = await dialOver(dialEnded(status, { DialCallDuration: "25" }));
    assertEquals(xml, HANGUP);
    assertEquals(event, {
      operation: "voice-route-action",
      identity: "turn-2",
      event: "dial_ended",
      ...CALLER_ON_THE_LINE,
      leg_sid: CHILD_SID,
      parent_call_sid: CALL_SID,
      status,
      leg_status: "completed",
      leg_node: "sales",
      mode: "sales",
      mode_turn: 1,
      talk_sec: 25,
      bridged: true,
      meta: { flow: FLOW, node: "sales", outcome: "answered" },
    });
  });
}

for (const status of ["busy", "no-answer", "failed", "canceled"]) {
  Deno.test(`a dial that ended ${status} leads to voicemail, without a talk`, async () => {
    const { outline, event } = await dialOver(dialEnded(status));
    assertEquals(outline, VOICEMAIL_INSTEAD);
    assertEquals([event["leg_status"], event["talk_sec"]], [status, undefined]);
  });
}

Deno.test("voicemail after an unanswered dial is spoken and taken, exactly", async () => {
  const { xml } = await dialOver(dialEnded("busy"));
  assertEquals(
    xml,
    response(say(NOBODY), takeMessage(at("missed", 3, "&amp;mode=sales-1"))),
  );
});

Deno.test("a dial that was picked up without reaching the caller is no conversation", async () => {
  const { outline, event } = await dialOver(
    dialEnded("completed", { DialBridged: "false", DialCallDuration: "3" }),
  );
  assertEquals(outline, VOICEMAIL_INSTEAD);
  assertEquals([event["talk_sec"], event["bridged"]], [undefined, false]);
});

Deno.test("without DialBridged a dial counts by its status", async () => {
  assertEquals((await dialOver(dialEnded("completed"))).xml, HANGUP);
});

Deno.test("of a group that accepts, only a dial that says so reached the caller", async () => {
  const { flow, hash } = soundFlow(practice());
  const query = `?turn=4&attempt=1&flow=${versionName(hash)}&node=desk&language=en-US`;
  const outcomeOf = async (status: string, more: Record<string, string>) => {
    const params = dialEnded(status, more);
    const { event } = await takeStep("voice-route-action", createHandler, params, query, { flow });
    return (event["meta"] as { outcome: string }).outcome;
  };
  assertEquals(await outcomeOf("completed", { DialBridged: "true" }), "answered");
  for (const more of [{ DialBridged: "false" }, {}] as Record<string, string>[]) {
    assertEquals(await outcomeOf("completed", more), "next_member");
  }
  assertEquals(await outcomeOf("no-answer", {}), "next_member");
});

Deno.test("an answered dial of no length is a conversation all the same", async () => {
  const { event } = await dialOver(dialEnded("completed"));
  assertEquals(event["talk_sec"], 0);
});

Deno.test("a request without a dial leads to voicemail", async () => {
  assertEquals((await dialOver(onTheLine)).outline, VOICEMAIL_INSTEAD);
});

Deno.test("a dial status that is not known leads to voicemail", async () => {
  const { verbs } = await dialOver(dialEnded("eaten-by-bears"));
  assertEquals(verbs.some(({ name }) => name === "Record"), true);
});

Deno.test("without the database an answered dial still ends, an unanswered one still records a message", async () => {
  assertEquals((await dialOver(dialEnded("completed"), { outcome: UNAVAILABLE })).xml, HANGUP);
  assertEquals(
    (await dialOver(dialEnded("busy"), { outcome: UNAVAILABLE })).outline,
    VOICEMAIL_INSTEAD,
  );
});
