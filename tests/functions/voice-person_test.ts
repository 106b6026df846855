import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import type { AttemptAnswer } from "../../supabase/functions/_shared/calls/events.ts";
import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";
import { createHandler } from "../../supabase/functions/voice-person/handler.ts";
import { practiceFlow } from "../support/practice.ts";
import {
  accepted,
  CALL_SID,
  callReported,
  CHILD_SID,
  dialEnded,
  LINE_NUMBER,
  only,
  onTheLine,
  pathOf,
  pressed,
  publication,
  SALES,
  signedRequest,
  testDeps,
  twiml,
  UNAVAILABLE,
} from "../support/webhook.ts";

const TOKEN = "0123abcd-0123-4567-89ab-0123456789ab";
const FLOW = practiceFlow(["p1"]) as Flow;
const STATE = `turn=0&attempt=1&flow=${publication(FLOW).hash.slice(0, 32)}&node=hold`;
/** The leg of a person who is rung for a waiting call. */
const FOR_CALL = `&call=${CALL_SID}`;
const leg = <T extends Record<string, string>>(params: T) => ({
  ...params,
  CallSid: CHILD_SID,
  From: LINE_NUMBER,
  To: SALES,
  Direction: "outbound-api",
});

type Answer = Partial<AttemptAnswer> | null | "unavailable";

/** What a request of a leg comes to, when the database answers so about its attempt. */
function asks(
  event: string,
  params: Record<string, string>,
  answer: Answer,
  of: string = FOR_CALL,
  consent: boolean | null = null,
) {
  const told: unknown[] = [];
  let woken = 0;
  const full = answer !== null && answer !== "unavailable" &&
    { purpose: "person" as const, won: false, over: false, ...answer };
  const deps = testDeps({
    flow: FLOW,
    outcome: answer === "unavailable"
      ? UNAVAILABLE
      : accepted({ consent_given: consent, facts: { attempt: full || null } }),
  });
  const handler = createHandler({
    ...deps,
    wakeDialler: () => woken++,
    dialling: {
      legTold(...args) {
        told.push(args);
        return answer === "unavailable"
          ? Promise.reject(new Error("away"))
          : Promise.resolve(full || null);
      },
    },
  });
  const request = signedRequest("voice-person", params, {
    query: `?event=${event}&token=${TOKEN}${of}&${STATE}`,
  });
  return { handler, request, told, deps, woken: () => woken };
}

async function hears(...args: Parameters<typeof asks>) {
  const { handler, request, ...rest } = asks(...args);
  return { ...await twiml(handler, request), ...rest };
}

async function status(...args: Parameters<typeof asks>) {
  const { handler, request, ...rest } = asks(...args);
  return { status: (await handler(request)).status, ...rest };
}

Deno.test("who answers is asked whom the call is for, and to press 1; silence is told as a mailbox", async () => {
  const { verbs, spoken, deps } = await hears("answered", leg(onTheLine), {});
  assertEquals(verbs.map(({ name }) => name), ["Gather", "Gather", "Redirect"]);
  const silent = await hears("accept", leg(onTheLine), {});
  assertEquals(silent.outline, ["Hangup"]);
  assertEquals((silent.deps.events[0] as { ask: unknown }).ask, {
    attempt: { token: TOKEN, told: "mailbox" },
  });
  assertEquals(spoken[0], "Call for Prairie Dental: desk. To accept it, press 1.");
  assertEquals(verbs[0]!.attributes.finishOnKey, "");
  const [event] = deps.events as { ask: unknown; event: string }[];
  assertEquals(event, {
    ...event,
    event: "leg_asked",
    call_sid: CALL_SID,
    leg_sid: CHILD_SID,
    leg_to: SALES,
    ask: { attempt: { token: TOKEN } },
  } as never);
});

Deno.test("a leg for which nobody waits any more is told so, and ends", async () => {
  const { outline } = await hears("answered", leg(onTheLine), { over: true });
  assertEquals(outline, ["Say: The caller is no longer waiting. Thank you.", "Hangup"]);
});

for (
  const [what, answer, outline] of [
    ["an unknown token", null, ["Hangup"]],
    ["a database that is away", "unavailable", [
      "Say: We are sorry, something went wrong on our side.",
      "Hangup",
    ]],
  ] as const
) {
  Deno.test(`under ${what} nobody is connected, whether asked or accepting`, async () => {
    for (const served of [FOR_CALL, ""]) {
      assertEquals((await hears("answered", leg(onTheLine), answer, served)).outline, outline);
      assertEquals((await hears("accept", leg(pressed("1")), answer, served)).outline, outline);
    }
  });
}

Deno.test("the person who wins is connected with the first of the queue, in the name of the call that was won", async () => {
  const other = CALL_SID.replace("0", "9");
  const answer = await hears("accept", leg(pressed("1")), {
    won: true,
    call_sid: other,
    queue: "desk",
  });
  const dial = only(answer, "Dial");
  const [queue] = dial.children;
  assertEquals([queue!.name, queue!.text], ["Queue", "desk"]);
  for (
    const [url, event] of [[queue!.attributes.url, "connected"], [dial.attributes.action, "ended"]]
  ) {
    const query = new URL(`https://x/${pathOf(url)}`).searchParams;
    assertEquals([query.get("event"), query.get("call"), query.get("token")], [
      event,
      other,
      TOKEN,
    ]);
  }
  // Another call than the leg was made for: whether its caller consented is not known here.
  assertEquals(dial.attributes.record, undefined);
  assertEquals(answer.woken(), 1, "the other telephones are let go at once");
  assertEquals((answer.deps.events[0] as { ask: unknown }).ask, {
    attempt: { token: TOKEN, told: "pressed" },
  });
});

Deno.test("a conversation is recorded only of the call that the leg was made for, and that consented", async () => {
  const won = { won: true, call_sid: CALL_SID, queue: "desk" };
  const record = async (consent: boolean | null) =>
    only(await hears("accept", leg(pressed("1")), won, FOR_CALL, consent), "Dial").attributes
      .record;
  assertEquals(await record(true), "record-from-answer-dual");
  assertEquals([await record(false), await record(null)], [undefined, undefined]);
});

Deno.test("of those who press too late each hears that somebody has taken it", async () => {
  const { outline } = await hears("accept", leg(pressed("1")), { over: true });
  assertEquals(outline, ["Say: Somebody has taken it already. Thank you.", "Hangup"]);
});

Deno.test("any other key declines", async () => {
  for (const key of ["2", "*", "#"]) {
    const { outline, deps } = await hears("accept", leg(pressed(key)), {});
    assertEquals(outline, ["Hangup"]);
    const [event] = deps.events as { event: string; ask: unknown }[];
    assertEquals([event!.event, event!.ask], ["leg_declined", {
      attempt: { token: TOKEN, told: "declined" },
    }]);
  }
});

Deno.test("the connection is stored for the person's leg, and happens whatever fails", async () => {
  const onCallersLeg = { ...onTheLine, DequeingCallSid: CHILD_SID, QueueTime: "9" };
  for (const answer of [{ won: true }, null, "unavailable"] as const) {
    const { verbs, deps } = await hears("connected", onCallersLeg, answer);
    assertEquals(verbs, []);
    const [event] = deps.events as { leg_to?: string }[];
    assertEquals(event, {
      ...event,
      event: "leg_accepted",
      call_sid: CALL_SID,
      leg_sid: CHILD_SID,
      ask: { attempt: { token: TOKEN, told: "connected" } },
    } as never);
    assertEquals(event!.leg_to, undefined);
  }
});

for (
  const [caller, words] of [
    [{ name: "Jane", calls: 3 }, "Jane, 3rd call this week. "],
    [{ calls: 12 }, "Their 12th call this week. "],
    [{ name: "Jane", calls: 1 }, "Jane. "],
    [{ calls: 1 }, ""],
    [undefined, ""],
  ] as const
) {
  Deno.test(`who has accepted hears of the caller: "${words}" of ${JSON.stringify(caller)}`, async () => {
    const won = { won: true, call_sid: CALL_SID, queue: "q", ...(caller && { caller }) };
    const { spoken } = await hears("accept", leg(pressed("1")), won);
    const plain = (await hears("accept", leg(pressed("1")), {
      won: true,
      call_sid: CALL_SID,
      queue: "q",
    })).spoken[0];
    assertEquals(spoken[0], `${words}${plain}`);
  });
}

Deno.test("who has accepted a call that an agent transferred hears what it is about, before the caller", async () => {
  const won = { won: true, call_sid: CALL_SID, queue: "q", summary: "Wants maps." };
  const { spoken } = await hears("accept", leg(pressed("1")), won);
  assertStringIncludes(spoken[0]!, "Wants maps.");
  const asked = await hears("answered", leg(onTheLine), { ...won, won: false });
  assertEquals(asked.spoken.join().includes("Wants maps."), false);
});

Deno.test("a promised caller is called only once the person has pressed 1, with the line as caller id", async () => {
  const asked = await hears("answered", leg(onTheLine), { purpose: "callback_person" }, "");
  assertEquals(
    asked.spoken[0],
    "Call for Prairie Dental: desk. The caller asked to be called back. To call them now, press 1.",
  );
  const won = {
    purpose: "callback_person",
    won: true,
    call_sid: CALL_SID,
    to: "+17805550100",
  } as const;
  const answer = await hears("accept", leg(pressed("1")), won, "");
  const dial = only(answer, "Dial");
  assertEquals([dial.children[0]!.text, dial.attributes.callerId], ["+17805550100", LINE_NUMBER]);
  assertEquals(answer.told, [[null, TOKEN, CHILD_SID, "in-progress", "pressed"]]);
});

Deno.test("a promise to a number that may not be dialled any more is not kept by dialling it", async () => {
  const won = { purpose: "callback_person", won: true, to: "+18765550100" } as const;
  const { outline } = await hears("accept", leg(pressed("1")), won, "");
  assertEquals(outline.filter((each) => each.startsWith("Dial")), []);
});

Deno.test("the caller who is called back hears who calls, and the promise is told as kept", async () => {
  const callee = { ...onTheLine, CallSid: CALL_SID, ParentCallSid: CHILD_SID };
  const { spoken, told } = await hears("connected", callee, { purpose: "callback_person" }, "");
  assertEquals(spoken, ["This is the call back from Prairie Dental that you asked for."]);
  assertEquals(told, [[null, TOKEN, CHILD_SID, "in-progress", "connected"]]);
});

for (
  const [word, why] of [
    ["busy", "caller_busy"],
    ["no-answer", "caller_no_answer"],
    ["failed", "caller_failed"],
    ["canceled", "caller_no_answer"],
  ] as const
) {
  Deno.test(`a promised caller whose telephone is ${word} was not reached, by either webhook that says so`, async () => {
    const ended = await hears("ended", leg(dialEnded(word)), {}, "");
    assertEquals(ended.spoken, ["The caller could not be reached. Goodbye."]);
    assertEquals(ended.told, [[null, TOKEN, CHILD_SID, "in-progress", why]]);
    const rang = { ...callReported(word), CallSid: CALL_SID, ParentCallSid: CHILD_SID };
    const reached = await status("reached", rang, {}, "");
    assertEquals([reached.status, reached.told], [204, [[
      null,
      TOKEN,
      CHILD_SID,
      "in-progress",
      why,
    ]]]);
  });
}

Deno.test("a telephone is verified by 1, and by nothing else", async () => {
  const verify = { purpose: "verify" } as const;
  const asked = await hears("answered", leg(onTheLine), verify, "");
  assertEquals(
    asked.spoken[0],
    "This is a test call from Prairie Dental. To confirm that this telephone may be called, press 1. Otherwise hang up.",
  );
  const one = await hears("accept", leg(pressed("1")), { ...verify, won: true }, "");
  assertEquals(one.spoken, ["Thank you. This telephone is confirmed."]);
  const two = await hears("accept", leg(pressed("2")), { ...verify, won: true }, "");
  assertEquals([two.outline, two.told], [["Hangup"], [[
    null,
    TOKEN,
    CHILD_SID,
    "in-progress",
    "declined",
  ]]]);
});

Deno.test("a talk's end ends the leg, and the person hears of a caller who had gone", async () => {
  const talked = await hears("ended", leg(dialEnded("completed", { DialBridged: "true" })), {});
  assertEquals(talked.outline, ["Hangup"]);
  assertEquals(talked.deps.events[0], {
    ...talked.deps.events[0],
    event: "leg_status",
    leg_status: "in-progress",
    bridged: true,
  });
  const gone = await hears("ended", leg(dialEnded("no-answer", { DialBridged: "false" })), {});
  assertEquals(gone.spoken, ["The caller is no longer waiting. Thank you."]);
});

const won = { won: true, call_sid: CALL_SID, queue: "desk" };

Deno.test("a star ends the talk only where there is somebody to pass the caller on to", async () => {
  const star = async (more: Answer) =>
    only(await hears("accept", leg(pressed("1")), { ...won, ...more as object }), "Dial")
      .attributes.hangupOnStar;
  assertEquals([await star({}), await star({ may_transfer: true })], [undefined, "true"]);
});

Deno.test("after a star the person is asked for a code, and silence returns to the caller", async () => {
  const ended = leg(dialEnded("completed", { DialBridged: "true" }));
  const first = await hears("ended", ended, { ...won, may_transfer: true });
  assertEquals(first.verbs.map(({ name }) => name), ["Pause", "Redirect"]);
  const next = new URL(`https://x/${pathOf(first.verbs[1]!.text)}`).searchParams.get("event")!;
  const { verbs, spoken } = await hears(next, leg(onTheLine), { ...won, may_transfer: true });
  assertEquals(verbs.map(({ name }) => name), ["Gather", "Redirect"]);
  assertEquals([verbs[0]!.attributes.numDigits, spoken.length], ["6", 1]);
  for (const [digits, code] of [["12", "12"], ["*", undefined], [undefined, undefined]] as const) {
    const params = leg(digits === undefined ? onTheLine : pressed(digits));
    const made = { ...won, over: true, transfer: { state: "made" } } as const;
    const { outline, deps, woken } = await hears("transfer", params, made);
    assertEquals(outline, ["Say: Goodbye.", "Hangup"]);
    assertEquals(woken(), 1, "the other telephone is rung at once");
    const { ask } = deps.events[0] as { ask: { attempt: Record<string, unknown> } };
    assertEquals([ask.attempt.told, ask.attempt.code], ["transfer", code]);
  }
});

Deno.test("a caller whose hanging up is stored after the talk's end is not taken for a star", async () => {
  const ended = leg(dialEnded("completed", { DialBridged: "true" }));
  const early = await hears("ended", ended, { ...won, may_transfer: true });
  assertEquals(early.spoken, []);
  const { outline, deps } = await hears("starred", leg(onTheLine), { ...won, may_transfer: false });
  assertEquals(outline, ["Hangup"]);
  const [{ ask }] = deps.events as [{ ask: unknown }];
  assertEquals(ask, { attempt: { token: TOKEN, told: "connected" } });
});

for (
  const [state, outline] of [
    ["unknown", ["Gather", "Redirect"]],
    ["busy", ["Gather", "Redirect"]],
    ["gone", ["Say: The caller is no longer waiting. Thank you.", "Hangup"]],
  ] as const
) {
  Deno.test(`a transfer that is ${state} says so, and asks again where the caller is still there`, async () => {
    const { verbs, outline: told } = await hears("transfer", leg(pressed("12")), {
      ...won,
      transfer: { state },
    });
    assertEquals(state === "gone" ? told : verbs.map(({ name }) => name), [...outline]);
  });
}

Deno.test("while the database is away a transfer is told as failed, and nobody is lost: the caller goes on", async () => {
  const { outline } = await hears("transfer", leg(pressed("12")), "unavailable");
  assertEquals(outline, ["Say: We are sorry, something went wrong on our side.", "Hangup"]);
});

Deno.test("whose telephone rings for a transfer, or for its return, is told so", async () => {
  assertEquals(
    (await hears("transferred", leg(onTheLine), { transferred_by: "Anna" })).spoken[0],
    "Call transferred by Anna: desk. To accept it, press 1.",
  );
  assertEquals(
    (await hears("returned", leg(onTheLine), {})).spoken[0],
    "The call was not taken. You are connected with the caller again. To accept it, press 1.",
  );
});

Deno.test("a leg's status is stored before it is acknowledged", async () => {
  const completed = leg(callReported("completed", { CallDuration: "12" }));
  for (const served of [FOR_CALL, ""]) {
    assertEquals((await status("status", completed, {}, served)).status, 204);
    assertEquals((await status("status", completed, null, served)).status, 204);
    assertEquals((await status("status", completed, "unavailable", served)).status, 503);
  }
  const { deps } = await status("status", completed, {});
  assertEquals(deps.events[0], {
    ...deps.events[0],
    event: "leg_status",
    status: "completed",
    // It may have been a mailbox.
    bridged: false,
    talk_sec: 12,
    ask: { attempt: { token: TOKEN } },
  });
});

Deno.test("a telephone that is free again has dial-worker woken for the next caller", async () => {
  const { woken } = await status("status", leg(callReported("completed")), { wake: 2 }, "");
  assertEquals(woken(), 1);
});

Deno.test("a request without a token, or for no event of ours, ends the leg", async () => {
  for (const query of [`?event=answered${FOR_CALL}&${STATE}`, `?event=constructor&${STATE}`, ""]) {
    const deps = testDeps({ flow: FLOW });
    const handler = createHandler({ ...deps, dialling: { legTold: () => Promise.reject() } });
    const request = signedRequest("voice-person", leg(onTheLine), { query });
    assertEquals((await twiml(handler, request)).outline, ["Hangup"]);
    assertEquals(deps.events, []);
  }
});
