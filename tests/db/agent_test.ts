import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import type { Sql } from "postgres";
import { databaseTests } from "../support/database.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";

// Talks with agents as the database keeps them.

const test = databaseTests("agent");

const ORG = "11111111-1111-4111-8111-111111111111";
const LINE = "+15877428885";
const CAPS = { minutes: 600, cost_usd: 20, concurrent_line: 10, concurrent: 20 };

let sessions = 0;
const newSession = () => `VX${(sessions++).toString(16).padStart(32, "0")}`;

interface Opened {
  readonly entries: readonly Record<string, unknown>[];
  readonly spent_ms: number;
  readonly cost_usd: number;
  readonly sessions: number;
  readonly moved: boolean;
  readonly owes: boolean;
  readonly barred?: string;
  readonly resting: readonly string[];
}

async function call(sql: Sql, changes: Parameters<typeof voiceEvent>[1] = {}): Promise<string> {
  const sid = newCallSid();
  const event = voiceEvent(sid, changes);
  await sql`select accept_voice_event(${sql.json(event as never)})`;
  return sid;
}

async function open(
  sql: Sql,
  callSid: string,
  sessionId = newSession(),
  caps: Partial<typeof CAPS> = {},
  line = LINE,
): Promise<Opened & { sessionId: string }> {
  const session = {
    session_id: sessionId,
    call_sid: callSid,
    line,
    node: "desk",
    language: "en-US",
    caps: { ...CAPS, ...caps },
  };
  const [row] = await sql<{ opened: Opened }[]>`
    select open_agent_session(${sql.json(session)}) as opened`;
  return { ...row!.opened, sessionId };
}

async function record(
  sql: Sql,
  sessionId: string,
  turns: readonly Record<string, unknown>[],
  end: Record<string, string> | null = null,
) {
  await sql`select record_agent_turns(${sessionId}, ${sql.json(turns as never)}, ${
    sql.json(end as never)
  })`;
}

const SAID = [
  { seq: 0, kind: "disclosure", planned_text: "An automated assistant." },
  { seq: 1, kind: "caller", heard_text: "Do you sell maps?" },
  {
    seq: 2,
    kind: "tool",
    tool: "answer",
    tool_arguments: { question: "maps" },
    tool_result: { ok: true, entries: [] },
    model: "openai:gpt-6-luna",
  },
  {
    seq: 3,
    kind: "agent",
    planned_text: "Yes, we do. Also globes.",
    heard_text: "Yes, we do.",
    model: "openai:gpt-6-luna",
    first_token_ms: 410,
    total_ms: 900,
    tokens_in: 100,
    tokens_out: 10,
    cost_usd: 0.02,
  },
];

test("a session that moved goes on with what was said, heard, spent and paid", async ({ sql }) => {
  const sid = await call(sql);
  const first = await open(sql, sid);
  assertEquals([first.entries, first.sessions, first.moved], [[], 0, false]);
  await record(sql, first.sessionId, SAID, { outcome: "resume", reason: "planned_move" });
  const second = await open(sql, sid);
  assertEquals(second.entries.map(({ role, text }) => [role, text]), [
    ["caller", "Do you sell maps?"],
    ["tool", undefined],
    ["agent", "Yes, we do."],
  ]);
  assertEquals([second.sessions, second.moved, second.cost_usd], [1, true, 0.02]);
  assert(second.spent_ms >= 0);
});

test("a session that moved before its answer says so to the next", async ({ sql }) => {
  const sid = await call(sql);
  const { sessionId } = await open(sql, sid);
  await record(sql, sessionId, SAID.slice(0, 2), { outcome: "resume", reason: "moved_unanswered" });
  const second = await open(sql, sid);
  assertEquals([second.moved, second.owes], [true, true]);
  await record(sql, second.sessionId, [], { outcome: "resume", reason: "planned_move" });
  assertEquals((await open(sql, sid)).owes, false);
});

test("a socket cannot write into another call's session", async ({ sql }) => {
  const { sessionId } = await open(sql, await call(sql));
  const other = await call(sql);
  await assertRejects(() => open(sql, other, sessionId), Error, "another call");
});

test("turns that are written twice, and a session that is opened twice, are one", async ({ sql }) => {
  const sid = await call(sql);
  const { sessionId } = await open(sql, sid);
  await open(sql, sid, sessionId);
  await record(sql, sessionId, SAID.slice(0, 3));
  await record(sql, sessionId, SAID, { outcome: "done", reason: "caller_said_goodbye" });
  await record(sql, sessionId, SAID, { outcome: "failed", reason: "late" });
  const [row] =
    await sql`select sessions, outcome, agent_turns, cost_usd from agent_calls where call_sid = ${sid}`;
  assertEquals({ ...row }, { sessions: 1, outcome: "done", agent_turns: 1, cost_usd: "0.020000" });
});

test("a line's talks are barred by minutes, cost, number at a time and failures", async ({ sql }) => {
  const sid = await call(sql);
  const { sessionId } = await open(sql, sid);
  await record(sql, sessionId, SAID);
  assertEquals(
    (await open(sql, await call(sql), newSession(), { concurrent: 1 })).barred,
    "concurrent_talks",
  );
  assertEquals(
    (await open(sql, await call(sql), newSession(), { concurrent_line: 2 })).barred,
    "concurrent_talks_of_line",
  );
  const other = await call(sql, { to_e164: "+15877428886" });
  assertEquals((await open(sql, other, newSession(), { concurrent_line: 1 })).barred, undefined);
  assertEquals(
    (await open(sql, await call(sql), newSession(), { cost_usd: 0.01 })).barred,
    "day_cost",
  );
  // Not begun earlier, which may have been yesterday.
  await sql`update agent_sessions set seen_at = opened_at + interval '10 min' where session_id = ${sessionId}`;
  assertEquals(
    (await open(sql, await call(sql), newSession(), { minutes: 9 })).barred,
    "day_minutes",
  );
  assertEquals((await open(sql, await call(sql))).barred, undefined);
  for (let count = 0; count < 5; count++) {
    // deno-lint-ignore no-await-in-loop
    const each = await open(sql, await call(sql));
    // deno-lint-ignore no-await-in-loop
    await record(sql, each.sessionId, [], { outcome: "failed", reason: "no_model" });
  }
  assertEquals((await open(sql, await call(sql))).barred, "agent_failing");
  const well = await open(sql, await call(sql));
  await record(sql, well.sessionId, [], { outcome: "done", reason: "caller_said_goodbye" });
  assertEquals((await open(sql, await call(sql))).barred, undefined);
});

test("a talk that goes on is not barred in its middle", async ({ sql }) => {
  const sid = await call(sql);
  const { sessionId } = await open(sql, sid);
  await record(sql, sessionId, SAID, { outcome: "resume", reason: "planned_move" });
  assertEquals(
    (await open(sql, sid, newSession(), { concurrent: 0, cost_usd: 0 })).barred,
    undefined,
  );
});

test("a provider that fails five times in a row rests, and is well after an answer", async ({ sql }) => {
  const { sessionId } = await open(sql, await call(sql));
  const failure = (seq: number) => ({ seq, kind: "failure", model: "anthropic:x", reason: "busy" });
  await record(sql, sessionId, [0, 1, 2, 3].map(failure));
  assertEquals((await open(sql, await call(sql))).resting, []);
  await record(sql, sessionId, [4].map(failure));
  assertEquals((await open(sql, await call(sql))).resting, ["anthropic"]);
  const [row] = await sql`select state, failures_last_hour from agent_provider_health`;
  assertEquals({ ...row }, { state: "resting", failures_last_hour: 5 });
  await record(sql, sessionId, [{ ...SAID[3], seq: 5, model: "anthropic:x" }]);
  assertEquals((await open(sql, await call(sql))).resting, []);
});

test("a question is answered from the owner's entries, in its language, by its words", async ({ sql }) => {
  await sql`insert into knowledge_entries (org_id, question, answer, language) values
    (null, 'Do you repair bicycles?', 'Yes, on weekdays.', 'en-US'),
    (null, 'Réparez-vous les vélos?', 'Oui, en semaine.', 'fr-CA'),
    (${ORG}, 'Do you repair bicycles?', 'Not ours.', 'en-US')`;
  const sid = await call(sql);
  await open(sql, sid);
  const ask = async (question: string, language = "en-US", callSid = sid) => {
    const [row] = await sql`select answer_question(${callSid}, ${question}, ${language}) as found`;
    return (row!["found"] as { answer: string }[]).map(({ answer }) => answer);
  };
  assertEquals(await ask("Could you repair my bicycle?"), ["Yes, on weekdays."]);
  assertEquals(await ask("reparez vous mon velo", "fr-CA"), ["Oui, en semaine."]);
  assertEquals(await ask("Do you sell aeroplanes?"), []);
  assertEquals(await ask("'); drop table agent_turns; -- | & ! <->"), []);
  assertEquals(await ask(""), []);
});

test("a call whose arrival was not stored has its line's owner, and reads nobody else's entries", async ({ sql }) => {
  await sql`insert into knowledge_entries (org_id, question, answer) values
    (null, 'Do you repair bicycles?', 'Yes, on weekdays.'), (${ORG}, 'Do you repair bicycles?', 'Ours.')`;
  const number = "+15875550177";
  await sql`insert into telephony_subaccounts (org_id, subaccount_sid, business_name)
    values (${ORG}, ${`AC${"7".repeat(32)}`}, 'Business')`;
  await sql`insert into telephony_numbers (e164_number, org_id, number_sid, country)
    values (${number}, ${ORG}, ${`PN${"7".repeat(32)}`}, 'CA')`;
  const sid = newCallSid();
  const ask = async () => {
    const [row] =
      await sql`select answer_question(${sid}, 'Do you repair bicycles?', 'en-US') as found`;
    return (row!["found"] as { answer: string }[]).map(({ answer }) => answer);
  };
  assertEquals(await ask(), []);
  await open(sql, sid, newSession(), {}, number);
  assertEquals(await ask(), ["Ours."]);
  const [row] = await sql`select org_id from agent_sessions where call_sid = ${sid}`;
  assertEquals(row!["org_id"], ORG);
});

test("a question without an answer is counted once, until somebody writes the answer", async ({ sql }) => {
  const sid = await call(sql);
  await open(sql, sid);
  for (const question of ["Do you rent boats?", "do you  rent boats?", "Do you rent boats?"]) {
    // deno-lint-ignore no-await-in-loop
    await sql`select answer_question(${sid}, ${question}, 'en-US')`;
  }
  const rows = await sql`select question, asked from agent_unanswered_questions`;
  assertEquals(rows.map((row) => ({ ...row })), [{ question: "Do you rent boats?", asked: 3 }]);
  await sql`insert into knowledge_entries (question, answer) values ('Do you rent boats?', 'In summer.')`;
  assertEquals((await sql`select from agent_unanswered_questions`).length, 0);
});

test("a question that is dismissed stays away, also where other calls ask it, until that is undone", async ({ sql }) => {
  const asks = async () => {
    const sid = await call(sql);
    await open(sql, sid);
    await sql`select answer_question(${sid}, 'Do you rent boats?', 'en-US')`;
  };
  const unanswered = () => sql`select id, asked from agent_unanswered_questions`;
  await asks();
  await asks();
  const [question] = await unanswered();
  await sql`update agent_questions set dismissed = true where id = ${question!["id"]}`;
  await asks();
  assertEquals((await unanswered()).length, 0);
  await sql`update agent_questions set dismissed = false where id = ${question!["id"]}`;
  assertEquals((await unanswered()).map(({ asked }) => asked), [3]);
});

test("without consent the words go when the call is over; with it they stay", async ({ sql }) => {
  const talk = async (consent: boolean | undefined) => {
    const sid = await call(
      sql,
      consent === undefined ? {} : { consent_given: consent, consent_order: 5 },
    );
    const { sessionId } = await open(sql, sid);
    await record(sql, sessionId, SAID);
    return sid;
  };
  const calls = [await talk(undefined), await talk(false), await talk(true)];
  const words = async () =>
    (await sql`select call_sid, count(heard_text)::integer as words, count(first_token_ms)::integer as kept,
        count(planned_text) filter (where kind = 'disclosure')::integer as disclosed
      from agent_turns group by 1 order by array_position(${calls}::text[], call_sid)`)
      .map((row) => [row["words"], row["kept"], row["disclosed"]]);
  await sql`select erase_agent_words()`;
  assertEquals(await words(), [[2, 1, 1], [2, 1, 1], [2, 1, 1]]);
  for (const sid of calls) {
    const end = voiceEvent(sid, { event: "status", identity: "end", call_status: "completed" });
    // deno-lint-ignore no-await-in-loop
    await sql`select accept_voice_event(${sql.json(end as never)})`;
  }
  await sql`select purge_expired()`;
  assertEquals(await words(), [[0, 1, 1], [0, 1, 1], [2, 1, 1]]);
});

test("without consent a call's questions go when it is over; those of other calls stay", async ({ sql }) => {
  const asks = async (consent_given: boolean) => {
    const sid = await call(sql, { consent_given, consent_order: 5 });
    await open(sql, sid);
    for (const question of ["Is my brother Tom there?", "Do you rent boats?"]) {
      // deno-lint-ignore no-await-in-loop
      await sql`select answer_question(${sid}, ${question}, 'en-US')`;
    }
    const end = voiceEvent(sid, { event: "status", identity: "end", call_status: "completed" });
    await sql`select accept_voice_event(${sql.json(end as never)})`;
  };
  await asks(false);
  await sql`select erase_agent_words()`;
  assertEquals((await sql`select from agent_questions`).length, 0);
  await asks(false);
  await asks(true);
  await sql`select erase_agent_words()`;
  const left = await sql`select question, asked from agent_unanswered_questions order by id`;
  assertEquals(left.map((row) => [row["question"], row["asked"]]), [
    ["Is my brother Tom there?", 1],
    ["Do you rent boats?", 1],
  ]);
});

test("a talk's end is the call's, in whatever order its rows and the call's events come", async ({ sql }) => {
  const answered = { ...SAID[3], outcome: "answered" };
  const cases: [string, Record<string, unknown>[], string | undefined, string][] = [
    ["done", [], "done", "connected"],
    ["hung up after an answer", [answered], undefined, "connected"],
    ["hung up without one", [SAID[3]!], undefined, "abandoned"],
    ["transferred to nobody after an answer", [answered], "departments.sales", "abandoned"],
    ["failed after an answer", [answered], "failed", "abandoned"],
    ["promised a call back that was refused", [], "callback", "abandoned"],
  ];
  for (const [what, turns, outcome, disposition] of cases) {
    for (const order of [[0, 1, 2], [0, 2, 1], [2, 0, 1], [2, 1, 0], [1, 0, 2], [1, 2, 0]]) {
      // deno-lint-ignore no-await-in-loop
      const sid = await call(sql);
      const { sessionId } = await open(sql, sid);
      const steps = [
        () =>
          record(sql, sessionId, turns, outcome === undefined ? null : { outcome, reason: "said" }),
        () => {
          const agent = { session_id: sessionId, outcome: outcome ?? "hung_up", reason: "said" };
          const left = voiceEvent(sid, {
            event: "agent_left",
            identity: "turn-3",
            meta: { agent },
          });
          return sql`select accept_voice_event(${sql.json(left as never)})`;
        },
        () => {
          const end = voiceEvent(sid, {
            event: "status",
            identity: "end",
            call_status: "completed",
          });
          return sql`select accept_voice_event(${sql.json(end as never)})`;
        },
      ];
      for (const at of order) await steps[at]!();
      const [row] = await sql`select disposition from call_logs where call_sid = ${sid}`;
      assertEquals(row!["disposition"], disposition, `${what}, ${order}`);
    }
  }
});

test("a part of a card's number that was stored is taken back by its session: words, tools and questions", async ({ sql }) => {
  const sid = await call(sql);
  const { sessionId } = await open(sql, sid);
  const other = await open(sql, await call(sql));
  await record(sql, other.sessionId, SAID);
  const said = SAID.map((turn) =>
    turn.kind === "tool" ? { ...turn, tool_arguments: { question: " 4111  1111 " } } : turn
  );
  await sql`select answer_question(${sid}, ' 4111  1111 ', 'en-US'), answer_question(${sid}, 'Maps?', 'en-US')`;
  const redacts = [
    { seq: 1, kind: "caller", heard_text: "[card number]", redacts: true },
    { seq: 2, kind: "tool", tool_arguments: { question: "[card number]" }, redacts: true },
    { seq: 3, kind: "agent", planned_text: "[card number]", heard_text: "[card", redacts: true },
  ];
  // Also where none of it was stored before.
  await record(sql, sessionId, [
    ...redacts,
    ...said,
    { seq: 4, kind: "caller", heard_text: "[card number] okay" },
  ]);
  const rows = await sql`
    select planned_text, heard_text, tool_arguments ->> 'question' as question, model is null as plain
    from agent_turns where session_id = ${sessionId} and seq > 0 order by seq`;
  assertEquals(rows.map((row) => Object.values(row)), [
    [null, "[card number]", null, true],
    [null, null, "[card number]", false],
    ["[card number]", "[card", null, false],
    [null, "[card number] okay", null, true],
  ]);
  assertEquals(
    (await sql`select question from agent_questions`).map(({ question }) => question),
    ["Maps?"],
  );
  const [untouched] = await sql`
    select heard_text from agent_turns where session_id = ${other.sessionId} and seq = 3`;
  assertEquals(untouched!["heard_text"], "Yes, we do.");
});

test("runs of an evaluation are kept by version, and the last of each is told", async ({ sql }) => {
  const [flow] = await sql`insert into call_flows (name) values ('books') returning id`;
  const version = async (number: number) => {
    const [row] = await sql`
      insert into call_flow_versions (flow_id, version, hash, definition, steps)
      values (${flow!["id"]}, ${number}, ${String(number).repeat(64)}, '{}', '{}') returning id`;
    return Number(row!["id"]);
  };
  const keep = async (id: number, served: number) => {
    const [row] = await sql`
      select keep_agent_evaluation(${id}, 'callers.json', 20, ${served}, '[]') as runs`;
    return row!["runs"].map((run: Record<string, number>) => [run["version"], run["served"]]);
  };
  const [one, two] = [await version(1), await version(2)];
  assertEquals(await keep(one, 17), [[1, 17]]);
  assertEquals(await keep(one, 18), [[1, 18]]);
  assertEquals(await keep(two, 20), [[2, 20], [1, 18]]);
});

test("what was said is found while its caller consents, and never once the call is erased", async ({ sql }) => {
  const from_e164 = "+14035550198" as never;
  const sid = await call(sql, { from_e164 });
  const { sessionId } = await open(sql, sid);
  const found = async (q: string) => {
    const [row] = await sql`select search_calls(${q}) as answer`;
    return row!["answer"].results.map((
      each: Record<string, unknown>,
    ) => [each["kind"], each["call_sid"]]);
  };
  const decides = async (identity: string, consent_given: boolean, consent_order: number) => {
    const event = voiceEvent(sid, { identity, from_e164, consent_given, consent_order });
    await sql`select accept_voice_event(${sql.json(event as never)})`;
  };
  await record(sql, sessionId, SAID);
  assertEquals(await found("maps"), [], "nothing was decided yet");

  await decides("agrees", true, 5);
  const turn = [["agent_turn", sid]];
  assertEquals([await found("maps"), await found("yes"), await found("globes")], [turn, turn, []]);
  await record(sql, sessionId, [{ seq: 9, kind: "caller", heard_text: "And an atlas?" }]);
  assertEquals(await found("atlas"), turn);
  assertEquals((await sql`select from search_differences()`).length, 0);

  await decides("withdraws", false, 6);
  assertEquals(await found("atlas"), []);
  await decides("agrees again", true, 7);
  assertEquals(await found("atlas"), turn);
  const end = voiceEvent(sid, {
    event: "status",
    identity: "end",
    from_e164,
    call_status: "completed",
  });
  await sql`select accept_voice_event(${sql.json(end as never)})`;
  await sql`select forget_person(${from_e164})`;
  assertEquals([await found("atlas"), await found("maps")], [[], []]);
  assertEquals((await sql`select from search_differences()`).length, 0);
});

test("a socket that never opened counts as a failed talk, once", async ({ sql }) => {
  const sid = await call(sql);
  const end = voiceEvent(sid, {
    operation: "voice-frontdoor",
    event: "agent_left",
    identity: "turn-3",
    meta: {
      agent: { session_id: newSession(), outcome: "failed", reason: "relay_64102", node: "desk" },
    },
  });
  await sql`select accept_voice_event(${sql.json(end as never)})`;
  await sql`select accept_voice_event(${sql.json(end as never)})`;
  const rows = await sql`select outcome, reason, seconds from agent_calls where call_sid = ${sid}`;
  assertEquals(rows.map((row) => ({ ...row })), [{
    outcome: "failed",
    reason: "relay_64102",
    seconds: 0,
  }]);
});

test("an erased call's talk does not come back", async ({ sql }) => {
  const sid = await call(sql, { from_e164: "+14035550199" });
  const { sessionId } = await open(sql, sid);
  await record(sql, sessionId, SAID);
  const end = voiceEvent(sid, { event: "status", identity: "end", call_status: "completed" });
  await sql`select accept_voice_event(${sql.json(end as never)})`;
  await sql`select forget_person('+14035550199')`;
  assertEquals((await sql`select from agent_turns where call_sid = ${sid}`).length, 0);
  await record(sql, sessionId, SAID);
  await assertRejects(() => open(sql, sid), Error, "erased");
  assertEquals((await sql`select from agent_sessions where call_sid = ${sid}`).length, 0);
});

test("turns are append-only, and an organisation sees its own", async ({ sql }) => {
  const { sessionId } = await open(sql, await call(sql));
  await record(sql, sessionId, SAID);
  await assertRejects(
    () =>
      sql.begin(async (tx) => {
        await tx`set local role service_role`;
        await tx`update agent_turns set heard_text = 'No.'`;
      }),
    Error,
    "permission denied",
  );
  const seen = await sql.begin(async (tx) => {
    await tx`select set_config('request.jwt.claims', ${
      JSON.stringify({ app_metadata: { org_id: ORG, role: "admin" } })
    }, true)`;
    await tx`set local role authenticated`;
    return (await tx`select from agent_turns`).length;
  });
  assertEquals(seen, 0);
});

test("the views say what a talk cost, how long its models took, and what came of a transfer", async ({ sql }) => {
  const sid = await call(sql);
  const { sessionId } = await open(sql, sid);
  await record(sql, sessionId, [
    ...SAID,
    {
      seq: 4,
      kind: "tool",
      tool: "transfer",
      tool_arguments: { department: "sales", summary: "Wants maps." },
    },
    { seq: 5, kind: "left", outcome: "departments.sales", reason: "agent_transferred" },
  ], { outcome: "departments.sales", reason: "agent_transferred" });
  const [handoff] =
    await sql`select department, summary, outcome, result from agent_handoffs where call_sid = ${sid}`;
  assertEquals({ ...handoff }, {
    department: "sales",
    summary: "Wants maps.",
    outcome: "departments.sales",
    result: null,
  });
  const [latency] = await sql`select answers, first_token_p50_ms from agent_turn_latency`;
  assertEquals({ ...latency }, { answers: 1, first_token_p50_ms: 410 });
  const [cost] =
    await sql`select line, answers, tokens_in::integer, cost_usd::float from agent_cost_by_day`;
  assertEquals({ ...cost }, { line: LINE, answers: 1, tokens_in: 100, cost_usd: 0.02 });
});
