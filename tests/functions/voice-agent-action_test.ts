import { assertEquals } from "@std/assert/equals.js";
import { handoffData } from "../../supabase/functions/_shared/agent/relay.ts";
import { versionName } from "../../supabase/functions/_shared/flows/version.ts";
import { createHandler } from "../../supabase/functions/voice-agent-action/handler.ts";
import { AGENT_FLOW, SALES } from "../support/agent_flow.ts";
import {
  accepted,
  onTheLine,
  publication,
  signedRequest,
  testDeps,
  type TestDepsOptions,
  twiml,
  UNAVAILABLE,
} from "../support/webhook.ts";

// The end of a talk, by what Twilio says of it.

const { hash } = publication(AGENT_FLOW);
const SESSION = `VX${"0".repeat(31)}1`;

const left = (outcome: string, reason = "caller_asked_for_a_human") => ({
  SessionStatus: "ended",
  HandoffData: handoffData({ outcome, reason }),
});

async function after(
  params: Record<string, string>,
  { attempt = 1, ...options }: TestDepsOptions & { attempt?: number } = {},
) {
  const deps = testDeps({ flow: AGENT_FLOW, ...options });
  const query = `?turn=3&attempt=${attempt}&flow=${versionName(hash)}&node=desk&language=en-US`;
  const request = signedRequest(
    "voice-agent-action",
    { ...onTheLine, SessionId: SESSION, SessionDuration: "30", ...params },
    { query },
  );
  const { verbs } = await twiml(createHandler(deps), request);
  const [first] = verbs;
  const relay = verbs.find(({ name }) => name === "Connect")?.children[0]?.attributes;
  return {
    verbs: verbs.map(({ name }) => name),
    dialled: verbs.find(({ name }) => name === "Dial")?.children.map(({ text }) => text),
    said: first?.name === "Say" ? first.text : undefined,
    relay,
    // deno-lint-ignore no-explicit-any
    event: deps.events[0] as any,
  };
}

Deno.test("a transfer dials the department, and only then says so", async () => {
  const { verbs, dialled, said, event } = await after(
    left("departments.sales", "agent_transferred"),
  );
  assertEquals([verbs, dialled, said], [["Say", "Dial"], [SALES], "Connecting you to sales."]);
  assertEquals([event.event, event.handoff_reason, event.meta.agent], [
    "agent_left",
    "agent_transferred",
    {
      session_id: SESSION,
      outcome: "departments.sales",
      reason: "agent_transferred",
      node: "desk",
      language: "en-US",
    },
  ]);
});

for (
  const [outcome, verbs] of [
    ["operator", ["Dial"]],
    ["message", ["Say", "Record", "Say", "Hangup"]],
    ["done", ["Say", "Hangup"]],
    ["failed", ["Say", "Record", "Say", "Hangup"]],
    // No such edge here: a message is always there.
    ["callback", ["Say", "Record", "Say", "Hangup"]],
    ["departments.cellar", ["Say", "Record", "Say", "Hangup"]],
  ] as const
) {
  Deno.test(`a talk that ends with ${outcome} goes on by the flow`, async () => {
    assertEquals((await after(left(outcome))).verbs, [...verbs]);
  });
}

for (
  const [what, params] of [
    ["was lost", { SessionStatus: "failed", ErrorCode: "64105" }],
    ["moves", left("resume", "planned_move")],
  ] as const
) {
  Deno.test(`a talk whose socket ${what} goes on without a greeting, by another token`, async () => {
    const { verbs, relay } = await after(params);
    assertEquals([verbs, relay?.["welcomeGreeting"]], [["Connect"], undefined]);
    assertEquals(
      relay!["url"]!.startsWith("wss://abcdefgh.supabase.co/functions/v1/voice-agent/main/"),
      true,
    );
  });
}

Deno.test("a socket that is lost again and again leads the flow's way for failures", async () => {
  const dropped = { SessionStatus: "failed", ErrorCode: "64105" };
  assertEquals((await after(dropped, { attempt: 3 })).verbs, ["Connect"]);
  assertEquals((await after(dropped, { attempt: 4 })).verbs, ["Say", "Record", "Say", "Hangup"]);
});

Deno.test("a call that the caller ended is not taken up again", async () => {
  const ends: Record<string, string>[] = [
    { SessionStatus: "completed" },
    { SessionStatus: "failed", ErrorCode: "64105" },
  ];
  for (const end of ends) {
    // deno-lint-ignore no-await-in-loop
    const { verbs, event } = await after({ ...end, CallStatus: "completed" });
    assertEquals([verbs, event.meta.agent.outcome], [["Hangup"], "hung_up"]);
  }
});

for (const code of ["64101", "64102", "64106", "64109"]) {
  Deno.test(`a session that failed with ${code} leads the flow's way for failures, with the reason`, async () => {
    const { verbs, event } = await after({ SessionStatus: "failed", ErrorCode: code });
    assertEquals([verbs[1], event.meta.agent.reason], ["Record", `relay_${code}`]);
  });
}

Deno.test("handoff data that is none of ours leads the flow's way for failures", async () => {
  const { verbs } = await after({
    SessionStatus: "ended",
    HandoffData: '{"outcome":"+19005550100"}',
  });
  assertEquals(verbs[1], "Record");
});

Deno.test("without a database a transfer is made all the same, unrecorded", async () => {
  const { dialled } = await after(left("departments.sales"), { outcome: UNAVAILABLE });
  assertEquals(dialled, [SALES]);
});

Deno.test("agents that are barred are not offered where a talk would go on", async () => {
  const barred = { facts: { agent: { barred: "day_cost" } } };
  const { verbs } = await after(left("resume"), { outcome: accepted(barred) });
  assertEquals(verbs[1], "Record");
});
