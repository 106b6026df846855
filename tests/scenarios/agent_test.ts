// Whole calls that talk with an agent: the real functions, the real database, a telephone that plays Twilio's side of the
// socket, and the embedded agent or stand-ins of providers.

import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import {
  type Callee,
  personAt,
  type Script,
  type SimulatorOptions,
} from "../../scripts/phone/mod.ts";
import { interactive } from "../../scripts/phone/terminal.ts";
import { agentWords } from "../../supabase/functions/_shared/agent/words.ts";
import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";
import { AGENT_FLOW, SALES } from "../support/agent_flow.ts";
import { callFlowsAt } from "../support/call_flows.ts";
import { until } from "../support/faults.ts";
import { startHotline } from "../support/hotline.ts";
import { modelProvider } from "../support/model_provider.ts";

const LINE = "+15874059000";
const { says } = agentWords("en-US").words;

/** A hotline whose line is answered by an agent. */
async function bookshop(
  agent: Record<string, unknown> = {},
  env: Record<string, string> = {},
  changes: Partial<Flow> = {},
) {
  const hotline = await startHotline({ env });
  const desk = { ...AGENT_FLOW.agents!["desk"], ...agent };
  const definition = { ...AGENT_FLOW, ...changes, agents: { desk } };
  const published = await callFlowsAt(hotline.url)("/publish", {
    definition,
    name: "books",
    lines: [LINE],
  });
  assertEquals(published.status, 200, JSON.stringify(published.body));
  await hotline.db.sql`insert into knowledge_entries (question, answer)
    values ('Do you sell maps?', 'Yes, on the second floor.')`;
  return {
    ...hotline,
    async talks(script: Script, simulator: Partial<SimulatorOptions> = {}) {
      const { record, row } = await hotline.ring(script, { simulator });
      return {
        record,
        row,
        // A slow machine has the caller asked for patience before a model's answer.
        heard: record.all("say").map(({ text }) => text)
          .filter((text) => text !== says.moment),
        sessions: record.all("session").map(({ status, error }) => error ?? status),
        dialled: record.all("dial").flatMap(({ numbers }) => numbers),
        turns: await hotline.db.sql`select kind, planned_text, heard_text, tool, outcome, reason
          from agent_turns where call_sid = ${record.callSid} order by id`,
      };
    },
    [Symbol.asyncDispose]: () => hotline.stop(),
  };
}

Deno.test("a caller asks the embedded agent, is told what was written down, and says goodbye", async () => {
  await using shop = await bookshop();
  const { record, heard, row, turns, sessions } = await shop.talks({
    say: ["Do you sell maps?", "Goodbye"],
  });
  assertStringIncludes(heard[0]!, "Riverside Books");
  assertStringIncludes(heard[0]!, "automated assistant");
  assertEquals(heard.slice(1), [
    `Yes, on the second floor. ${says.more}`,
    "Thank you for calling.",
  ]);
  assertEquals([row["mode"], row["status"], sessions], ["assistant", "completed", ["ended"]]);
  assertEquals(turns.map(({ kind, tool, outcome }) => [kind, tool ?? outcome ?? ""]), [
    ["disclosure", ""],
    ["caller", ""],
    ["tool", "answer"],
    ["agent", "answered"],
    ["caller", ""],
    ["tool", "end_call"],
    ["left", "done"],
  ]);
  const [call] = await shop.db
    .sql`select outcome, reason, cost_usd from agent_calls where call_sid = ${record.callSid}`;
  assertEquals([call!["outcome"], call!["reason"]], ["done", "caller_said_goodbye"]);
});

Deno.test("a caller who asks for a department is put through; only the flow says so, and only with a dial", async () => {
  await using shop = await bookshop();
  const { heard, dialled, row } = await shop.talks({ say: ["Sales, please"] });
  assertEquals(heard.slice(1, 2), ["Connecting you to sales."]);
  assertEquals(dialled, [SALES]);
  assertEquals([row["disposition"], row["handoff_reason"], row["mode"]], [
    "connected",
    "agent_transferred",
    "sales",
  ]);
  const handoffs = await shop.db.sql`select department, result from agent_handoffs`;
  assertEquals(handoffs.map((each) => ({ ...each })), [{
    department: "sales",
    result: "accepted",
  }]);
});

Deno.test("a person at a terminal is put through without another line", async () => {
  await using shop = await bookshop();
  const rings = Promise.withResolvers<string>();
  const typed: Promise<string>[] = [Promise.resolve("Sales, please"), rings.promise];
  const lines = { next: () => typed.shift() ?? Promise.resolve(undefined) };
  const twilio = shop.simulator();
  const { done } = twilio.place({
    to: LINE,
    caller: interactive(lines, (question) => question.includes(SALES) && rings.resolve("")),
  });
  const record = await done;
  await twilio.settle();
  assertEquals(record.all("dialled").map(({ status }) => status), ["completed"]);
});

/** Sales, a workshop whose people accept by key, and an office that is never open. */
const DEPARTMENTS: Partial<Flow> = {
  calendars: { office: { weekly: {} } },
  groups: { workshop: { members: ["+15875550113"], ring: "in_turn", seconds: 20, confirm: true } },
  nodes: {
    ...AGENT_FLOW.nodes,
    desk: {
      ...AGENT_FLOW.nodes["desk"] as Extract<Flow["nodes"][string], { type: "agent" }>,
      departments: { sales: "sales", workshop: "workshop", office: "office" },
    },
    workshop: { type: "ring", group: "workshop", answered: "bye", unanswered: "note" },
    office: { type: "hours", calendar: "office", open: "sales", closed: "note" },
  },
};

Deno.test("the person who takes a transfer is told what it is about, after a key where one is asked for", async () => {
  await using shop = await bookshop({}, {}, DEPARTMENTS);
  for (
    const [says, presses, told] of [
      ["Sales, please", "1", ["From the assistant: The caller said: Sales, please"]],
      ["The workshop", "1", [
        "You have a call. To accept it, press 1.",
        "From the assistant: The caller said: The workshop",
      ]],
      // A mailbox records nothing of the caller's.
      ["The workshop", "", ["You have a call. To accept it, press 1."]],
    ] as const
  ) {
    const whispered: string[] = [];
    // deno-lint-ignore no-await-in-loop
    const { row, heard } = await shop.talks({ say: [says], voicemail: { seconds: 0 } }, {
      telephones: () => ({
        ...personAt({ presses }),
        onHear: ({ text }) => void whispered.push(text),
      }),
    });
    assertEquals([...new Set(whispered)], [...told]);
    assertEquals(row["disposition"], presses === "1" ? "connected" : "abandoned");
    assertEquals(heard.filter((text) => text.includes("From the assistant")), []);
  }
  // It went with the words of the talk: nothing of it is in what is kept of the events.
  const kept = await shop.db
    .sql`select from call_lifecycle where answer::text like '%The caller said%'`;
  assertEquals(kept.length, 0);
});

const LEFT = "Please leave a message after the tone.";
Deno.test("a transfer that comes to nothing goes on by the flow, and the row says what it came to", async () => {
  await using shop = await bookshop({}, {}, DEPARTMENTS);
  for (
    const [says, dial, result] of [
      ["Sales", { outcome: "busy" }, "busy"],
      ["Sales", { outcome: "no-answer" }, "no_answer"],
      ["Sales", { outcome: "failed" }, "unreachable"],
      ["Workshop", { presses: "2" }, "declined"],
      ["Workshop", { presses: "" }, "mailbox"],
      ["The office", {}, "closed"],
    ] as readonly [string, Callee, string][]
  ) {
    // deno-lint-ignore no-await-in-loop
    const { heard, row, record } = await shop.talks({
      say: [says],
      dial,
      voicemail: { seconds: 9 },
    });
    assertEquals([heard.includes(LEFT), row["disposition"]], [true, "voicemail"], result);
    // deno-lint-ignore no-await-in-loop
    const rows = await shop.db
      .sql`select result from agent_handoffs where call_sid = ${record.callSid}`;
    assertEquals(rows.map((each) => each["result"]), [result]);
  }
});

Deno.test("a caller who leaves while a department is rung was not served, and the row says that the ringing ended", async () => {
  await using shop = await bookshop();
  const { row, record, heard } = await shop.talks({ say: ["Sales"], hangupAt: "dial" });
  assertEquals(row["disposition"], "abandoned");
  assertEquals(heard.includes(LEFT), false);
  const [handoff] = await shop.db
    .sql`select result from agent_handoffs where call_sid = ${record.callSid}`;
  assertEquals(handoff!["result"], "canceled");
});

Deno.test("a talk that ends with the agent is a call that was served, if the caller got an answer", async () => {
  await using shop = await bookshop();
  for (
    const [script, disposition] of [
      [{ say: ["Do you sell maps?", "Goodbye"] }, "connected"],
      [{ answers: [{ speech: "Do you sell maps?" }, "hangup"] }, "connected"],
      [{ answers: [{ speech: "Do you rent boats?" }, "hangup"] }, "abandoned"],
      [{ answers: ["hangup"] }, "abandoned"],
      [
        { answers: [{ speech: "Do you sell maps?" }, { speech: "Sales" }], hangupAt: "dial" },
        "abandoned",
      ],
    ] as readonly [Script, string][]
  ) {
    // deno-lint-ignore no-await-in-loop
    const { record: { callSid } } = await shop.talks(script);
    // The socket stores the last words when the caller has gone.
    if (script.answers?.[0] !== "hangup") {
      // deno-lint-ignore no-await-in-loop
      await until(async () =>
        (await shop.db.sql`select from agent_turns
          where call_sid = ${callSid} and kind in ('agent', 'left')`).length > 0
      );
    }
    // deno-lint-ignore no-await-in-loop
    const row = await shop.row(callSid);
    assertEquals(
      [row["disposition"], row["connected_at"]],
      [disposition, null],
      JSON.stringify(script),
    );
  }
  const [metrics] = await shop.db
    .sql`select completed_calls::integer as served from call_success_metrics`;
  assertEquals(metrics!["served"], 2);
});

Deno.test("key 0 and the wish for a person ring the operator", async () => {
  await using shop = await bookshop();
  for (const script of [{ keys: ["0"] }, { say: ["I want to talk to a real person"] }]) {
    // deno-lint-ignore no-await-in-loop
    const { dialled, row } = await shop.talks(script);
    assertEquals([dialled, row["handoff_reason"]], [["+15875550112"], "caller_asked_for_a_human"]);
  }
});

Deno.test("key 0 counts while the disclosure is still heard", async () => {
  await using shop = await bookshop();
  const { dialled, turns } = await shop.talks({ pressesWhileHearing: { 1: "0" } });
  assertEquals(dialled, ["+15875550112"]);
  assertEquals(turns.at(-1)!["outcome"], "operator");
});

Deno.test("a question that nobody has answered is said to be one, and counted", async () => {
  await using shop = await bookshop();
  const { heard } = await shop.talks({ say: ["Do you rent boats?", "Goodbye"] });
  assertEquals(heard[1], says.cannotAnswer(["person", "message"]));
  const asked = await shop.db.sql`select question, asked from agent_unanswered_questions`;
  assertEquals(asked.map((row) => ({ ...row })), [{ question: "Do you rent boats?", asked: 1 }]);
});

Deno.test("a message is left in the caller's own voice", async () => {
  await using shop = await bookshop();
  const { row } = await shop.talks({ say: ["I would like to leave a message"] });
  assertEquals(row["disposition"], "voicemail");
});

Deno.test("a socket that is lost is taken up again: no greeting, nothing said twice, the same talk", async () => {
  await using shop = await bookshop();
  const { heard, sessions, record } = await shop.talks(
    { say: ["Do you sell maps?", "And what else?", "Do you sell maps or not?", "Goodbye"] },
    { relay: { dropAtPrompt: [2] } },
  );
  assertEquals(sessions, ["64105", "ended"]);
  // A caller who speaks at once is answered instead.
  assertEquals(heard.slice(1).filter((text) => text !== says.resumed), [
    `Yes, on the second floor. ${says.more}`,
    `Yes, on the second floor. ${says.more}`,
    "Thank you for calling.",
  ]);
  const [call] = await shop.db
    .sql`select sessions from agent_calls where call_sid = ${record.callSid}`;
  assertEquals(call!["sessions"], 2);
});

Deno.test("frames that come twice have the effect of one", async () => {
  await using shop = await bookshop();
  const { heard, turns } = await shop.talks(
    { say: ["Do you sell maps?", "Goodbye"] },
    { relay: { doubled: true } },
  );
  assertEquals(heard.slice(1), [
    `Yes, on the second floor. ${says.more}`,
    "Thank you for calling.",
  ]);
  assertEquals(turns.filter(({ kind }) => kind === "caller").length, 2);
});

Deno.test("frames that tell what was played come late: nothing is said twice, and the talk ends as it would", async () => {
  await using shop = await bookshop();
  const { heard, turns } = await shop.talks(
    { say: ["Do you sell maps?", "Goodbye"] },
    { relay: { late: true } },
  );
  assertEquals(heard.slice(1), [
    `Yes, on the second floor. ${says.more}`,
    "Thank you for calling.",
  ]);
  assertEquals(turns.at(-1)!["outcome"], "done");
});

Deno.test("a socket that cannot be reached leads the flow's way for failures, and is counted", async () => {
  await using shop = await bookshop();
  for (let count = 0; count < 5; count++) {
    // deno-lint-ignore no-await-in-loop
    const { row, sessions } = await shop.talks({}, { relay: { unreachable: true } });
    assertEquals([sessions, row["disposition"]], [["64102"], "voicemail"]);
  }
  // The breaker: the agent is not offered any more.
  const { sessions, row } = await shop.talks({ say: ["Do you sell maps?"] });
  assertEquals([sessions, row["disposition"]], [[], "voicemail"]);
});

Deno.test("a caller who hangs up in mid-talk leaves a talk that is closed", async () => {
  await using shop = await bookshop();
  const { record, row } = await shop.talks({
    answers: [{ speech: "Do you sell maps?" }, "hangup"],
  });
  assertEquals(row["status"], "completed");
  const [call] = await shop.db
    .sql`select outcome from agent_calls where call_sid = ${record.callSid}`;
  assertEquals(call!["outcome"], "hung_up");
});

const MODELS = { models: ["openai:gpt-6-luna", "anthropic:claude-haiku-5-5"] };
const keysOf = (url: string) => ({
  OPENAI_API_KEY: "sk-local",
  OPENAI_BASE_URL: `${url}/v1`,
  ANTHROPIC_API_KEY: "sk-ant-local",
  ANTHROPIC_BASE_URL: url,
});

Deno.test("a model answers from what the tool found, and its claim of a transfer is not heard", async () => {
  await using provider = await modelProvider();
  const { mock } = provider;
  mock.on({ userMessage: "maps", hasToolResult: false }, {
    toolCalls: [{ name: "answer", arguments: '{"question":"Do you sell maps?"}' }],
  });
  mock.on({ userMessage: "maps", hasToolResult: true }, { content: "We do: on the second floor." });
  mock.onMessage("sales", {
    content: "Sure, I am transferring you to sales right now.",
    toolCalls: [{
      name: "transfer",
      arguments: '{"department":"sales","reason":"asked","summary":"Wants maps."}',
    }],
  });
  await using shop = await bookshop(MODELS, keysOf(mock.url));
  const { heard, dialled, turns } = await shop.talks({ say: ["Do you sell maps?", "Then sales"] });
  assertEquals(heard.slice(1), [
    "We do: on the second floor.",
    "Connecting you to sales.",
    "Thank you for calling.",
  ]);
  assertEquals(dialled, [SALES]);
  assertEquals(
    turns.find(({ kind }) => kind === "agent")!["planned_text"],
    "We do: on the second floor.",
  );
});

Deno.test("what a model writes is stored and whispered, whatever characters are in it", async () => {
  await using provider = await modelProvider();
  provider.mock.onMessage("sales", {
    toolCalls: [{
      name: "transfer",
      arguments: String
        .raw`{"department":"sales","summary":"Wants\u0000 <break/> \ud800maps\u0007."}`,
    }],
  });
  await using shop = await bookshop(MODELS, keysOf(provider.mock.url));
  const { record, turns } = await shop.talks({ say: ["To sales"] });
  assertEquals(turns.map(({ kind }) => kind), ["disclosure", "caller", "tool", "left"]);
  const [told] = record.all("whisper").map(({ text }) => text.replace("\ufffd", "?"));
  assertEquals(told, "From the assistant: Wants <break/> ?maps .");
});

Deno.test("a provider that refuses is followed by the other one; where both do, an apology and the flow's way out", async () => {
  await using provider = await modelProvider();
  const { mock } = provider;
  mock.on({ model: /gpt/ }, { error: { message: "no" }, status: 429 });
  mock.on({ model: /claude/, userMessage: "maps" }, { content: "Yes, we do." });
  mock.on({ model: /claude/, userMessage: "globes" }, { error: { message: "no" }, status: 529 });
  await using shop = await bookshop(MODELS, keysOf(mock.url));
  const { heard, row, turns } = await shop.talks({ say: ["Do you sell maps?", "And globes?"] });
  assertEquals(heard.slice(1, 3), ["Yes, we do.", says.sorry]);
  assertEquals(row["disposition"], "voicemail");
  assertEquals(turns.filter(({ kind }) => kind === "failure").map(({ reason }) => reason), [
    "busy",
    "busy",
    "busy",
  ]);
  assertEquals(turns.at(-1)!["outcome"], "failed");
});
