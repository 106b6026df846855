import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { callFlowsAt, smallFlow } from "../support/call_flows.ts";
import { wav } from "../support/audio.ts";
import { startHotline } from "../support/hotline.ts";
import { practiceFlow } from "../support/practice.ts";
import { memberToken, userToken } from "../support/onboarding.ts";

// What call-flows answers, to whom; how a call goes by what is published is in scenarios/flows_test.ts.

const system = await startHotline();
Deno.test.afterAll(() => system.stop());
const ask = callFlowsAt(system.url);

const as = (token: string) => ({ authorization: `Bearer ${token}` });
const LINE = "+15874050001";
const inAnHour = () => new Date(Date.now() + 3_600_000).toISOString();
/** A name that no other test has. */
const fresh = () => `flow ${crypto.randomUUID()}`;

async function publish(body: Record<string, unknown>, headers?: Record<string, string>) {
  const answer = await ask("/publish", body, headers);
  assertEquals(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

// --- check ----------------------------------------------------------------------------------------------------

Deno.test("a sound flow is checked: its hash, its size, its longest way, its drawing", async () => {
  const { status, body } = await ask("/check", { definition: smallFlow() });
  assertEquals(status, 200);
  const { hash, longest_seconds, mermaid, ...rest } = body;
  assertEquals(rest, { ok: true, nodes: 6, warnings: [] });
  assert(/^[0-9a-f]{64}$/.test(hash) && longest_seconds > 120 && mermaid.includes("desk"));
});

Deno.test("a check tells what of a flow a deployment without Twilio's account cannot do", async () => {
  const { body } = await ask("/check", { definition: practiceFlow(["+15875550111"]) });
  const told = (body.warnings as { path: string; message: string }[])
    .filter(({ message }) => message.includes("TWILIO_ACCOUNT_SID"));
  assertEquals(told.map(({ path }) => path), ["nodes.hold", "nodes.any", "nodes.back"]);
});

Deno.test("every fault is named by its path in the flow, those that only the database knows too", async () => {
  const name = fresh();
  await publish({ definition: smallFlow(), name, lines: ["+15874050099"] });
  const definition = smallFlow();
  definition.zone = "America/Calgary";
  definition.nodes.hello.next = "nowhere";
  definition.nodes.desk.to = "+15874050099";
  definition.groups = { office: { members: ["anna", "anna"] } };
  definition.nodes.menu.options[0].next = "second";
  definition.nodes.second = {
    type: "ring",
    group: "office",
    answered: "bye",
    unanswered: "desk",
  };
  definition.prompts.leave["en-US"] = { audio: "a".repeat(64) };
  definition.nodes.note.colour = "red";
  const { status, body } = await ask("/check", { definition });
  assertEquals([status, body.error], [400, "invalid"]);
  const paths = body.issues.map(({ path }: { path: string }) => path);
  for (
    const path of [
      "zone",
      "nodes.hello.next",
      "nodes.desk.to",
      "groups.office.members.1",
      "prompts.leave.en-US.audio",
      "nodes.note.colour",
    ]
  ) assert(paths.includes(path), `${path} of ${paths}`);
});

Deno.test("a check leaves nothing behind", async () => {
  const [before] = await system.db.sql`select count(*) from call_flow_versions`;
  await ask("/check", { definition: smallFlow("Something else.") });
  const [after] = await system.db.sql`select count(*) from call_flow_versions`;
  assertEquals(after, before);
});

// --- publish, rollback, list ----------------------------------------------------------------------------------

Deno.test("what is published gets a number and a hash; the same again keeps them", async () => {
  const name = fresh();
  const first = await publish({ definition: smallFlow(), name, lines: [LINE] });
  assertEquals([first.flow, first.version, first.lines], [name, 1, [LINE]]);
  assertEquals(await publish({ definition: smallFlow(), name }), first);
  const second = await publish({ definition: smallFlow("Good day."), name, note: "friendlier" });
  assertEquals([second.version, second.lines], [2, [LINE]]);
  assert(second.hash !== first.hash);
});

Deno.test("versions are listed newest first, with who published which, and when", async () => {
  const name = fresh();
  await publish({ definition: smallFlow(), name, lines: ["+15874050002"] });
  await publish({ definition: smallFlow("Good day."), name, note: "friendlier" });
  const { status, body: { versions } } = await ask(`?org_id=&name=${encodeURIComponent(name)}`);
  assertEquals(status, 200);
  const shown = versions.map((each: Record<string, unknown>) => [
    each.flow,
    each.version,
    each.published_by,
    each.note,
    each.lines,
  ]);
  assertEquals(shown, [
    [name, 2, "operator", "friendlier", ["+15874050002"]],
    [name, 1, "operator", null, []],
  ]);
  assert(versions.every((each: { published_at: string }) => Date.parse(each.published_at) > 0));
});

Deno.test("one version is read with its definition, by its number or as the one that answers", async () => {
  const name = fresh();
  await publish({ definition: smallFlow(), name });
  await publish({ definition: smallFlow("Good day."), name });
  const query = `?name=${encodeURIComponent(name)}&version=`;
  const read = async (version: string) => {
    const { body } = await ask(query + version);
    return body.versions.map((each: { version: number; definition: unknown }) => [
      each.version,
      each.definition,
    ]);
  };
  assertEquals(await read("1"), [[1, smallFlow()]]);
  assertEquals(await read("current"), [[2, smallFlow("Good day.")]]);
  assertEquals((await ask(`${query}3`)).status, 404);
  assertEquals((await ask(`${query}x`)).status, 400);
  assertEquals((await ask("?version=1")).status, 400);
});

Deno.test("a rollback leads to the version before, or to the one that is named", async () => {
  const name = fresh();
  for (const words of ["One.", "Two.", "Three."]) {
    // deno-lint-ignore no-await-in-loop -- In this order.
    await publish({ definition: smallFlow(words), name });
  }
  const back = await ask("/rollback", { name });
  assertEquals([back.status, back.body.flow, back.body.version], [200, name, 2]);
  assertEquals((await ask("/rollback", { name, version: 1 })).body.version, 1);
  assertEquals((await ask("/rollback", { name })).status, 404);
  assertEquals((await ask("/rollback", { name, version: 9 })).status, 404);
  assertEquals((await ask("/rollback", { name: fresh() })).status, 404);
});

Deno.test("a flow with a fault is not published, nor is one without a name or for no line", async () => {
  const faulty = smallFlow();
  faulty.nodes.menu.otherwise = "nowhere";
  const bodies = [
    { definition: faulty, name: fresh() },
    { definition: smallFlow() },
    { definition: smallFlow(), name: "default" },
    { definition: smallFlow(), name: " " },
    { definition: smallFlow(), name: fresh(), lines: ["5877428885"] },
    { definition: smallFlow(), name: fresh(), lines: LINE },
    { definition: smallFlow(), name: fresh(), org_id: "prairie" },
    { definition: smallFlow(), name: fresh(), colour: "red" },
    { definition: smallFlow(), name: fresh(), note: "two\nlines" },
    { definition: "a flow", name: fresh() },
    { name: fresh() },
    [],
  ];
  const [before] = await system.db.sql`select count(*) from call_flow_versions`;
  for (const body of bodies) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const { status, body: answer } = await ask("/publish", body);
    assertEquals([status, answer.error], [400, "invalid"], JSON.stringify(body).slice(0, 80));
    assert(answer.issues.length > 0 && answer.issues.every((each: { path: unknown }) => each.path));
  }
  const [after] = await system.db.sql`select count(*) from call_flow_versions`;
  assertEquals(after, before);
});

Deno.test("a flow does not ring the line that it is published for, but the number of the guides outside production", async () => {
  const definition = smallFlow();
  const line = "+15874050077";
  definition.nodes.desk.to = line;
  const { status, body } = await ask("/publish", { definition, name: fresh(), lines: [line] });
  assertEquals([status, body.issues?.[0]?.path], [400, "nodes.desk.to"]);
  // A developer's machine: neither the line nor who answers it is a telephone.
  definition.nodes.desk.to = "+15877428885";
  const name = fresh();
  await publish({ definition, name, lines: ["+15877428885"] });
  definition.prompts.bye["en-US"] = "See you.";
  assertEquals((await publish({ definition, name })).version, 2);
});

Deno.test("a flow whose own tests fail is not published, and its check says which", async () => {
  const name = fresh();
  const definition = smallFlow();
  definition.tests = [
    { name: "the desk", keys: ["1"], expect: { mode: "desk" } },
    { name: "a message", keys: ["9"], expect: { mode: "desk" } },
  ];
  const refused = await ask("/publish", { definition, name });
  assertEquals([refused.status, refused.body.error], [400, "invalid"]);
  assertEquals(refused.body.issues.map(({ path }: { path: string }) => path), [
    "tests.1.expect.mode",
  ]);
  assertEquals((await ask(`?name=${encodeURIComponent(name)}`)).body, { versions: [] });
  const checked = await ask("/check", { definition });
  assertEquals([checked.status, checked.body.warnings.length], [200, 1]);
  definition.tests[1].expect.mode = "voicemail";
  await publish({ definition, name });
});

Deno.test("two publishes at once: one order, both kept", async () => {
  const name = fresh();
  const words = ["A.", "B.", "C.", "D.", "E."];
  const answers = await Promise.all(
    words.map((each) => publish({ definition: smallFlow(each), name })),
  );
  assertEquals(answers.map(({ version }) => version).toSorted(), [1, 2, 3, 4, 5]);
});

// --- override -------------------------------------------------------------------------------------------------

Deno.test("an override is set, and always has an end", async () => {
  const name = fresh();
  await publish({ definition: smallFlow(), name });
  const override = (more: Record<string, unknown>) =>
    ask("/override", { name, calendar: "practice", state: "closed", ...more });
  const until = inAnHour();
  assertEquals(await override({ until }).then(({ status }) => status), 200);
  const [row] = await system.db.sql`
    select o.state, o.until from calendar_overrides as o join call_flows as f on f.id = o.flow_id
    where f.name = ${name}`;
  assertEquals([row!.state, row!.until.toISOString()], ["closed", until]);
  for (
    const wrong of [
      {},
      { until: null },
      { until: "tomorrow" },
      { until: "2099-01-01T00:00:00" },
      { until: "2020-01-01T00:00:00Z" },
      { until: "2099-01-01T00:00:00Z" },
      { until, state: "shut" },
      { until, calendar: "" },
    ]
  ) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const { status, body } = await override(wrong);
    assertEquals([status, body.error], [400, "invalid"], JSON.stringify(wrong));
  }
  assertEquals((await override({ until, calendar: "unknown" })).status, 404);
  assertEquals((await override({ state: null })).status, 200);
  const rows = await system.db.sql`
    select from calendar_overrides as o join call_flows as f on f.id = o.flow_id where f.name = ${name}`;
  assertEquals(rows.length, 0);
});

// --- who asks -------------------------------------------------------------------------------------------------

const PRAIRIE = crypto.randomUUID();
const OPERATIONS: [path: string, body: (org_id?: string) => Record<string, unknown>][] = [
  ["/check", (org_id) => ({ definition: smallFlow(), org_id })],
  ["/publish", (org_id) => ({ definition: smallFlow(), name: "dental", org_id })],
  ["/rollback", (org_id) => ({ name: "dental", org_id })],
  [
    "/override",
    (org_id) => ({
      name: "dental",
      calendar: "practice",
      state: "open",
      until: inAnHour(),
      org_id,
    }),
  ],
  ["/draft", (org_id) => ({ name: "dental", definition: smallFlow(), org_id })],
];

Deno.test("without a key or token there is no access, and members below admin can do nothing", async () => {
  const strangers: [Record<string, string>, number][] = [
    [{}, 401],
    [{ apikey: "sb_secret_wrong" }, 401],
    [as("nonsense"), 401],
    [as(memberToken(PRAIRIE, "admin", { exp: 1 })), 401],
    [as(memberToken(PRAIRIE, "member")), 403],
    [as(memberToken(PRAIRIE, "agent")), 403],
    [as(memberToken(PRAIRIE, "viewer")), 403],
  ];
  for (const [headers, expected] of strangers) {
    for (const [path, body] of OPERATIONS) {
      // deno-lint-ignore no-await-in-loop -- One after the other.
      assertEquals((await ask(path, body(PRAIRIE), headers)).status, expected, path);
    }
    // deno-lint-ignore no-await-in-loop
    assertEquals((await ask(`?org_id=${PRAIRIE}`, undefined, headers)).status, expected);
  }
});

Deno.test("a draft is kept with its author, changes nothing that callers hear, and goes as it is published", async () => {
  const org_id = crypto.randomUUID();
  const userId = crypto.randomUUID();
  const headers = as(memberToken(org_id, "admin", { sub: userId }));
  const name = fresh();
  const draft = async (definition: unknown) =>
    await ask("/draft", { name, org_id, definition }, headers);
  const kept = async () =>
    (await system.db.sql`select draft, drafted_by from call_flows where name = ${name}`)[0];
  const work = { schema: 1, nodes: { hello: {} } };
  const { status, body } = await draft(work);
  assertEquals([status, body.flow, Number.isNaN(Date.parse(body.drafted_at))], [200, name, false]);
  assertEquals(await kept(), { draft: work, drafted_by: userId });
  assertEquals((await ask(`?org_id=${org_id}`, undefined, headers)).body, { versions: [] });
  assertEquals((await draft(null)).body, { flow: name, drafted_at: null });
  assertEquals((await kept())!.draft, null);
  await draft(smallFlow());
  await publish({ definition: smallFlow(), name, org_id }, headers);
  assertEquals((await kept())!.draft, null);
  assertEquals((await draft("words")).status, 400);
});

/** Sends a file to `/prompt`. */
async function storeAs(
  bytes: Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
  org_id?: string,
) {
  const query = org_id === undefined ? "" : `?org_id=${org_id}`;
  const response = await fetch(`${system.url}/functions/v1/call-flows/prompt${query}`, {
    method: "POST",
    headers: { "content-type": "audio/wav", ...headers },
    body: bytes,
  });
  return { status: response.status, body: await response.json() };
}

Deno.test("a recorded prompt is stored by an admin for the own organisation, and no other's flow names it", async () => {
  const org_id = crypto.randomUUID();
  const bytes = wav({ seconds: 1 });
  for (const role of ["viewer", "agent", "member"]) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    assertEquals((await storeAs(bytes, as(memberToken(org_id, role)), org_id)).status, 403);
  }
  const admin = as(memberToken(org_id, "admin"));
  assertEquals((await storeAs(bytes, {}, org_id)).status, 401);
  assertEquals((await storeAs(bytes, as(memberToken(PRAIRIE)), org_id)).status, 403);
  assertEquals([...await system.db.sql`select from prompts where org_id = ${org_id}`], []);

  const { status, body: { hash, ...stored } } = await storeAs(bytes, admin, org_id);
  assertEquals([status, stored], [200, {
    type: "audio/wav",
    seconds: 1,
    rate: 8000,
    channels: 1,
    bytes: bytes.length,
    advice: [],
  }]);
  const file = await fetch(`${system.url}/storage/v1/object/public/prompts/${hash}`);
  assertEquals(new Uint8Array(await file.arrayBuffer()), bytes);
  const definition = {
    ...smallFlow(),
    prompts: { ...smallFlow().prompts, hello: { audio: hash } },
  };
  assertEquals((await ask("/check", { definition, org_id }, admin)).status, 200);
  assertEquals((await ask("/check", { definition }, as(memberToken(PRAIRIE)))).status, 400);

  const text = await storeAs(new TextEncoder().encode("no sound"), admin, org_id);
  assertEquals([text.status, text.body.issues[0].path], [400, "audio"]);
  assertEquals((await storeAs(new Uint8Array(2 * 1024 * 1024 + 1), admin, org_id)).status, 413);
});

for (const role of ["owner", "admin"]) {
  Deno.test(`an ${role} publishes for the own organisation, and is named as who did`, async () => {
    const org_id = crypto.randomUUID();
    const userId = crypto.randomUUID();
    const headers = as(memberToken(org_id, role, { sub: userId }));
    const body = { definition: smallFlow(), name: "dental", org_id: org_id.toUpperCase() };
    await publish(body, headers);
    assertEquals((await ask("/check", { definition: smallFlow() }, headers)).status, 200);
    const { body: { versions } } = await ask(`?org_id=${org_id}&name=dental`, undefined, headers);
    assertEquals(
      versions.map((each: Record<string, unknown>) => [each.version, each.published_by]),
      [[1, userId]],
    );
  });
}

Deno.test("another organisation's flows are neither changed nor seen, nor are the main account's", async () => {
  const org_id = crypto.randomUUID();
  await publish({ definition: smallFlow(), name: "dental", org_id });
  await publish({ definition: smallFlow(), name: "dental" });
  const other = as(memberToken(PRAIRIE));
  for (const [path, body] of OPERATIONS) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    assertEquals((await ask(path, body(org_id), other)).status, 403, path);
    if (path === "/check") continue;
    // deno-lint-ignore no-await-in-loop
    assertEquals((await ask(path, body(), other)).status, 403, path);
  }
  for (const query of [`?org_id=${org_id}`, "?name=dental", "", `?name=dental&version=1`]) {
    // deno-lint-ignore no-await-in-loop
    const { status, body } = await ask(query, undefined, other);
    assertEquals([status, body], [200, { versions: [] }], query);
  }
});

Deno.test("an organisation's flow goes to no line that is not its own, and names no audio of others", async () => {
  const headers = as(memberToken(PRAIRIE));
  const body = { definition: smallFlow(), name: "dental", org_id: PRAIRIE };
  const stolen = await ask("/publish", { ...body, lines: [LINE] }, headers);
  assertEquals(stolen.status, 400);
  const hash = "b".repeat(64);
  await system.db.sql`
    insert into prompts (org_id, hash, mime, seconds, bytes) values (null, ${hash}, 'audio/wav', 2, 100)`;
  const definition = smallFlow();
  definition.prompts.hello = { audio: hash };
  const { status, body: answer } = await ask(
    "/check",
    { ...body, name: undefined, definition },
    headers,
  );
  assertEquals([status, answer.issues[0].path], [400, "prompts.hello.audio"]);
  assertEquals((await ask("/check", { definition })).status, 200);
});

Deno.test("a signed-in person asks 60 times a minute, an operator as often as needed", async () => {
  const headers = as(memberToken(crypto.randomUUID()));
  const answers: Awaited<ReturnType<typeof ask>>[] = [];
  while (answers.length < 70) {
    const ten = Array.from({ length: 10 }, () => ask("?name=none", undefined, headers));
    // deno-lint-ignore no-await-in-loop -- As many at once as a slow machine answers in time.
    answers.push(...await Promise.all(ten));
  }
  const refused = answers.filter(({ status }) => status === 429);
  assertEquals(answers.filter(({ status }) => status === 200).length, 60);
  assertEquals(refused.length, 10);
  for (const { headers, body } of refused) {
    assertEquals(body, { error: "rate_limited" });
    assert(Number(headers.get("retry-after")) >= 1);
  }
  const free = await Promise.all(Array.from({ length: 70 }, () => ask("?name=none")));
  assertEquals(free.every(({ status }) => status === 200), true);
});

// --- the form of a request ------------------------------------------------------------------------------------

Deno.test("a wrong method, path, type or size is refused before anything is read", async () => {
  const url = `${system.url}/functions/v1/call-flows`;
  const key = { apikey: LOCAL_SECRET_KEY };
  const status = async (path: string, init: RequestInit) => {
    const response = await fetch(url + path, init);
    await response.body?.cancel();
    return [response.status, response.headers.get("allow")];
  };
  assertEquals(await status("", { method: "POST" }), [405, "GET"]);
  assertEquals(await status("/publish", { headers: key }), [405, "POST"]);
  assertEquals(await status("/delete", { headers: key, method: "POST" }), [404, null]);
  assertEquals(await status("/check/x", { headers: key, method: "POST" }), [404, null]);
  assertEquals(await status("/constructor", { headers: key, method: "POST" }), [404, null]);
  const post = (type: string, body: string) =>
    status("/check", { method: "POST", headers: { ...key, "content-type": type }, body });
  assertEquals(await post("text/plain", "{}"), [415, null]);
  assertEquals(await post("application/json", " ".repeat(256 * 1024 + 1)), [413, null]);
  assertEquals(await post("application/json", " ".repeat(256 * 1024)), [400, null]);
});

Deno.test("hostile bodies are refused in words, quickly, and break nothing", async () => {
  const nodes = Object.fromEntries(
    Array.from(
      { length: 3000 },
      (_, n) => [`n${n}`, { type: "say", prompt: "p", next: `n${n + 1}` }],
    ),
  );
  const bodies = [
    "[".repeat(100_000),
    `{"definition": ${"[".repeat(50)}${"]".repeat(50)}}`,
    `{"definition": {"prompts": {"a": {"en-US": "\\u0000"}}}}`,
    `{"definition": {"prompts": {"a": {"en-US": "\\ud800"}}}}`,
    `{"definition": {"nodes": {"__proto__": {"type": "end"}}}}`,
    JSON.stringify({ definition: { ...smallFlow(), nodes } }),
    JSON.stringify({ definition: { ...smallFlow(), start: "x".repeat(200_000) } }),
    `{"definition": 1e400}`,
    "null",
    "",
  ];
  const asked = system.dataApiRequests.length;
  for (const body of bodies) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const { status, body: answer } = await ask("/check", body);
    assertEquals([status, answer.error], [400, "invalid"], body.slice(0, 60));
    assert(JSON.stringify(answer).length < 100_000);
  }
  // The one whose form is readable, but for a name that no flow may have.
  assertEquals(system.dataApiRequests.length - asked, 1);
  assertEquals(({} as Record<string, unknown>).type, undefined);
});

Deno.test("without the database the answer is 503, and says nothing of it", async () => {
  const { createHandler } = await import("../../supabase/functions/call-flows/handler.ts");
  const { liveDeps } = await import("../../supabase/functions/call-flows/deps.ts");
  const { closedPort } = await import("../support/fake_data_api.ts");
  const { testSettings } = await import("../support/webhook.ts");
  const settings = testSettings({ SUPABASE_URL: closedPort() });
  const handler = createHandler({ ...liveDeps(settings), log: () => {} });
  const response = await handler(
    new Request("http://edge-runtime.supabase.com/call-flows", {
      headers: { apikey: settings.secretKey },
    }),
  );
  assertEquals([response.status, await response.json()], [503, { error: "unavailable" }]);
  assertEquals(response.headers.get("retry-after"), "5");
});

Deno.test("nothing of all this was an error of ours", () => {
  assertEquals([...system.log, ...system.console].filter((line) => line.includes("error")), []);
});

Deno.test("a check tells what a caller hears who presses keys at a time", async () => {
  const { status, body } = await ask("/check", {
    definition: smallFlow(),
    caller: { keys: ["9"], at: "2026-01-05T10:00" },
  });
  assertEquals([status, body.tried.path], [200, ["hello", "open", "menu", "note", "bye"]]);
  assertEquals(body.tried.happenings[0], {
    kind: "hears",
    text: "Thank you for calling Prairie Dental.",
    language: "en-US",
  });
  const closed = await ask("/check", {
    definition: smallFlow(),
    caller: { at: "2026-01-04T10:00" },
  });
  assertEquals(closed.body.tried.path, ["hello", "open", "note", "bye"]);
  const wrong = await ask("/check", {
    definition: smallFlow(),
    caller: { keys: ["12"], at: "2026-02-30T10:00" },
  });
  assertEquals([wrong.status, wrong.body.issues.map(({ path }: { path: string }) => path)], [
    400,
    ["caller.keys.0", "caller.at"],
  ]);
});

Deno.test("an owner of the main account publishes its flows, which the log has; an agent does not", async () => {
  const sub = { owner: crypto.randomUUID(), agent: crypto.randomUUID() };
  for (const role of ["owner", "agent"] as const) {
    // deno-lint-ignore no-await-in-loop
    await system.db.sql`insert into members (user_id, email, role, joined_at)
      values (${sub[role]}, ${`${role}@example.com`}, ${role}, now())`;
  }
  const name = fresh();
  const body = { definition: smallFlow(), name };
  assertEquals((await ask("/publish", body, as(userToken({ sub: sub.agent })))).status, 403);
  assertEquals((await ask("/publish", body, as(userToken({ sub: sub.owner })))).status, 200);
  const [row] = await system.db.sql`
    select action, object, changes from audit_log where user_id = ${sub.owner}`;
  assertEquals(row, {
    action: "insert",
    object: "call_flow_pointers",
    changes: { flow_id: null, moved_at: null, moved_by: null, version: [null, 1] },
  });
  const elsewhere = { ...body, org_id: crypto.randomUUID() };
  assertEquals((await ask("/publish", elsewhere, as(userToken({ sub: sub.owner })))).status, 403);
});
