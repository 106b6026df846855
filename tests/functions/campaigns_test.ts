import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { startTestStack } from "../support/database.ts";
import { callFlowsAt, smallFlow } from "../support/call_flows.ts";
import { memberToken } from "../support/onboarding.ts";

// How campaigns are created and run, and by whom; how they dial is in db/campaigns_test.ts.

const stack = await startTestStack();
Deno.test.afterAll(() => stack.stop());
const { sql } = stack.db;

const ORG = "5f0c7a52-7f0e-4c39-9e0c-0d6a3f6f2d11";
const OTHER = "6f0c7a52-7f0e-4c39-9e0c-0d6a3f6f2d12";
const LINE = "+15874050001";

async function ask(
  path: string,
  { body, csv, method, ...headers }: {
    body?: unknown;
    csv?: string;
    method?: string;
    apikey?: string;
    authorization?: string;
  } = {},
) {
  const by: Record<string, string> = Object.keys(headers).length > 0
    ? headers as Record<string, string>
    : { apikey: LOCAL_SECRET_KEY };
  const sent = csv ?? (body === undefined ? undefined : JSON.stringify(body));
  const type = csv === undefined ? "application/json" : "text/csv";
  const response = await fetch(`${stack.url}/functions/v1/campaigns${path}`, {
    method: method ?? (sent === undefined ? "GET" : "POST"),
    ...(sent !== undefined && { body: sent }),
    headers: { ...by, ...(sent !== undefined && { "content-type": type }) },
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  return { status: response.status, text, body: isJson ? JSON.parse(text) : undefined };
}

const reminders = (changes: Record<string, unknown> = {}) => ({
  name: "Reminders",
  mode: "broadcast",
  flow: "main",
  caller_numbers: [LINE],
  calls_per_second: 5,
  max_concurrent: 20,
  machine: "hang_up",
  consent: "express_written",
  ...changes,
});

async function published(org_id?: string) {
  const { status, body } = await callFlowsAt(stack.url)("/publish", {
    definition: smallFlow(),
    name: "main",
    org_id,
  });
  assertEquals(status, 200, JSON.stringify(body));
}

async function created(changes?: Record<string, unknown>): Promise<string> {
  const { status, body } = await ask("", { body: reminders(changes) });
  assertEquals(status, 201, JSON.stringify(body));
  return body.id;
}

const LIST = [
  "phone,name,zone,consent_at",
  "(212) 555-0100,Ann,,2026-01-05",
  "+12125550101,Bob,,",
  "212-555-0100,Ann again,,",
  "hello,Nobody,,",
  "+18005550100,Toll free,,",
  "+442079460000,Elsewhere,,",
  `${LINE},A line,America/Edmonton,`,
].join("\r\n");

Deno.test.beforeAll(async () => {
  for (const [org, account, number] of [[ORG, "1", "+14035550001"], [OTHER, "2", "+14035550002"]]) {
    // deno-lint-ignore no-await-in-loop -- Two rows.
    await sql`insert into telephony_subaccounts (org_id, subaccount_sid, business_name) values (${org!}, ${`AC${
      account!.repeat(32)
    }`}, 'Dental')`;
    // deno-lint-ignore no-await-in-loop
    await sql`insert into telephony_numbers (e164_number, org_id, number_sid, country) values (${number!}, ${org!}, ${`PN${
      account!.repeat(32)
    }`}, 'CA')`;
  }
  await callFlowsAt(stack.url)("/publish", {
    definition: smallFlow(),
    name: "front",
    lines: [LINE],
  });
  await published();
  await published(ORG);
});

Deno.test("a campaign is created, takes its list once, and goes through its states", async () => {
  await sql`insert into suppressions (e164, source) values ('+12125550102', 'sms')`;
  const id = await created({
    window: { mon: [["09:00", "20:00"]] },
    attempts: { max: 2, busy_minutes: 5 },
    max_minutes: 600,
    caller_name: "Prairie Dental",
  });
  const slice = `${LIST}\r\n+12125550102,Stopped,,`;
  const first = await ask(`/${id}/contacts`, { csv: slice });
  assertEquals(first.status, 200, first.text);
  const { rejected, ...counts } = first.body;
  assertEquals(counts, { added: 2, duplicates: 1, suppressed: 1 });
  assertEquals(rejected.map(({ line }: { line: number }) => line), [5, 6, 7, 8]);
  assert(/number such as/.test(rejected[0].reason) && /area code/.test(rejected[1].reason));
  assert(rejected[2].reason.includes("ALLOWED_DESTINATIONS"));
  assert(rejected[3].reason.includes("lines themselves"));
  // The same file again adds nothing.
  const again = await ask(`/${id}/contacts`, { csv: slice });
  assertEquals([again.body.added, again.body.duplicates, again.body.suppressed], [0, 4, 0]);

  const draft = (await ask(`/${id}`)).body;
  assertEquals([draft.state, draft.contacts, draft.waiting, draft.suppressed, draft.machine], [
    "draft",
    3,
    2,
    1,
    0,
  ]);
  assertEquals(
    [draft.settings.machine, draft.settings.window, draft.settings.caller_numbers],
    ["hang_up", { mon: [["09:00", "20:00"]] }, [LINE]],
  );
  assertEquals(
    [draft.settings.caller_name, draft.settings.max_minutes],
    ["Prairie Dental", 600],
  );
  assertEquals([draft.settings.attempts.max, draft.settings.attempts.after.busy.minutes], [2, 5]);
  for (
    const [command, state] of [
      ["start", "running"],
      ["start", "running"],
      ["pause", "paused"],
      ["resume", "running"],
      ["stop", "stopping"],
    ]
  ) {
    // deno-lint-ignore no-await-in-loop -- In this order.
    const { status, body } = await ask(`/${id}/${command}`, { method: "POST" });
    assertEquals([status, body], [200, { id, state }]);
  }
  const resume = await ask(`/${id}/resume`, { method: "POST" });
  assertEquals([resume.status, resume.body.error], [409, "conflict"]);
  assertEquals((await ask(`/${id}/contacts`, { csv: LIST })).status, 409);
  const [listed] = (await ask("")).body.campaigns;
  assertEquals([listed.id, listed.state, listed.contacts], [id, "stopping", 3]);
});

Deno.test("a budget that is used up is raised by resuming, and nothing else resumes the campaign", async () => {
  const id = await created({ max_minutes: 3 });
  await ask(`/${id}/start`, { method: "POST" });
  await sql`insert into campaign_changes (campaign_id, figure, change) values (${id}, 'minutes', 3)`;
  await sql`select command_campaign(${id}, 'pause', 'budget')`;
  const resume = (body?: unknown) => ask(`/${id}/resume`, { method: "POST", body });
  for (const body of [undefined, {}, { max_minutes: 3 }]) {
    // deno-lint-ignore no-await-in-loop -- In this order.
    const refused = await resume(body);
    assertEquals([refused.status, /more max_minutes/.test(refused.text)], [409, true]);
  }
  assertEquals((await resume({ max_minutes: 0 })).body.issues[0].field, "max_minutes");
  assertEquals((await resume({ max_minutes: 4 })).body, { id, state: "running" });
  assertEquals((await ask(`/${id}`)).body.settings.max_minutes, 4);
});

Deno.test("of two flows each contact gets one, by the shares and once, and the figures are by flow", async () => {
  await callFlowsAt(stack.url)("/publish", { definition: smallFlow(), name: "short" });
  const flows = [{ flow: "main", share: 75 }, { flow: "short", share: 25 }];
  for (
    const wrong of [
      flows.slice(0, 1),
      [flows[0], { flow: "short", share: 30 }],
      [flows[1], flows[0]],
      [flows[0], { flow: "main", share: 25 }],
      [flows[0], { flow: "unknown", share: 25 }],
    ]
  ) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const { status, body } = await ask("", { body: reminders({ flows: wrong }) });
    assertEquals([status, body.issues[0].field], [400, "flows"]);
  }
  const id = await created({ flows });
  const phones = Array.from({ length: 400 }, (_, nth) => `+1212555${1000 + nth}`);
  await ask(`/${id}/contacts`, { csv: ["phone", ...phones].join("\n") });
  const results = async () => {
    const [head, ...lines] = (await ask(`/${id}/results`)).text.trimEnd().split("\r\n");
    const at = head!.split(",").indexOf("flow");
    return lines.map((line) => line.split(",")[at]);
  };
  const before = await results();
  const short = before.filter((flow) => flow === "short").length;
  assert(short > 70 && short < 130, `${short} of 400`);
  const { by_flow, settings } = (await ask(`/${id}`)).body;
  assertEquals(settings.flows, flows);
  assertEquals(by_flow, [
    { flow: "main", contacts: 400 - short, waiting: 400 - short },
    { flow: "short", contacts: short, waiting: short },
  ]);
  await ask(`/${id}/contacts`, { csv: ["phone", ...phones.toReversed()].join("\n") });
  assertEquals(await results(), before);
});

Deno.test("the results are a CSV file, one line a contact, that spreadsheets do not run", async () => {
  const id = await created();
  await ask(`/${id}/contacts`, {
    csv: "phone,name\n+12125550110,=1+1\n+12125550111,Bob",
  });
  const { status, text } = await ask(`/${id}/results`);
  const [head, ...lines] = text.trimEnd().split("\r\n");
  assertEquals([status, head!.startsWith("phone,name,state,dials,"), lines.length], [200, true, 2]);
  assertEquals(lines[0]!.split(",").slice(0, 4), ["+12125550110", "'=1+1", "waiting", "0"]);
});

Deno.test("nobody is taken whom no hour allows to call, and the reason says why", async () => {
  // Before any hours of the law.
  const id = await created({ window: { mon: [["05:00", "06:00"]] } });
  const { body } = await ask(`/${id}/contacts`, {
    csv: "phone,zone\n+12125550120,\n+12125550121,America/Denver",
  });
  assertEquals([body.added, body.rejected.length], [0, 2]);
  assert(body.rejected[0].reason.includes("window"));
  // Where a number may be in zones that have no hour in common, the zone of the line decides.
  const wide = await created({ window: { mon: [["08:00", "08:30"]] } });
  const far = await ask(`/${wide}/contacts`, {
    csv: "phone,zone\n+18505550120,\n+18505550121,America/Chicago",
  });
  assertEquals([far.body.added, far.body.rejected.map(({ line }: { line: number }) => line)], [1, [
    2,
  ]]);
  assert(far.body.rejected[0].reason.includes("America/Chicago, America/New_York"));
});

Deno.test("each field at fault is named, those that only the database knows too", async () => {
  const faults = async (changes: Record<string, unknown>) => {
    const { status, body } = await ask("", { body: reminders(changes) });
    assertEquals(status, 400, JSON.stringify(changes));
    return body.issues.map(({ field }: { field: string }) => field);
  };
  for (
    const [changes, field] of [
      [{ name: "" }, "name"],
      [{ name: "two\nlines" }, "name"],
      [{ mode: "robocall" }, "mode"],
      [{ flow: "nowhere" }, "flow"],
      [{ caller_numbers: [] }, "caller_numbers"],
      [{ caller_numbers: ["5551234"] }, "caller_numbers.0"],
      [{ caller_numbers: ["+14035550001"] }, "caller_numbers"],
      [{ calls_per_second: 0 }, "calls_per_second"],
      [{ max_concurrent: 1.5 }, "max_concurrent"],
      [{ window: {} }, "window"],
      [{ window: { mon: [["20:00", "09:00"]] } }, "window.mon.0"],
      [{ window: { mon: [["9:00", "10:00"]] } }, "window.mon.0"],
      [{ window: { monday: [["09:00", "10:00"]], tue: [["09:00", "10:00"]] } }, "window.monday"],
      [{ attempts: { max: 11 } }, "attempts.max"],
      [{ machine: "beep" }, "machine"],
      [{ consent: "verbal" }, "consent"],
      // A recorded voice needs consent in writing, at a machine too.
      [{ consent: "existing_business" }, "consent"],
      [{ consent: "existing_business", mode: "progressive", machine: "message" }, "consent"],
      [{ starts_at: "tomorrow" }, "starts_at"],
      [{ colour: "red" }, "colour"],
    ] as const
    // deno-lint-ignore no-await-in-loop -- One request after the other.
  ) assertEquals(await faults(changes), [field]);
  assertEquals((await ask("", { body: [] })).body.issues[0].field, "body");
  const id = await created({ consent: "existing_business", mode: "progressive" });
  assertEquals((await ask(`/${id}/contacts`, { csv: "name\nAnn" })).body.issues[0].field, "body");
  assertEquals((await ask(`/${id}/contacts`, { body: {} })).status, 415);
  assertEquals((await ask(`/${crypto.randomUUID()}`)).status, 404);
  assertEquals((await ask("/nothing")).status, 404);
  assertEquals((await ask(`/${id}/call`, { method: "POST" })).status, 404);
});

Deno.test("an organisation's admin runs its own campaigns only, with its own numbers and flows", async () => {
  const owner = {
    authorization: `Bearer ${memberToken(ORG, "owner")}`,
  };
  const stranger = {
    authorization: `Bearer ${memberToken(OTHER, "admin")}`,
  };
  const viewer = {
    authorization: `Bearer ${memberToken(ORG, "viewer")}`,
  };
  const mine = reminders({ caller_numbers: ["+14035550001"] });
  const made = await ask("", { body: mine, ...owner });
  assertEquals(made.status, 201, made.text);
  const { id } = made.body;
  assertEquals((await ask(`/${id}`, owner)).body.org_id, ORG);
  assertEquals((await ask("", owner)).body.campaigns.length, 1);
  assertEquals((await ask("", stranger)).body.campaigns, []);
  assertEquals((await ask("", { body: { ...mine, org_id: ORG }, ...stranger })).status, 403);
  // Another organisation has not published the flow, and does not have the number.
  assertEquals((await ask("", { body: mine, ...stranger })).body.issues[0].field, "caller_numbers");
  for (const action of ["", "/results"]) {
    // deno-lint-ignore no-await-in-loop -- Two requests.
    assertEquals((await ask(`/${id}${action}`, stranger)).status, 403);
  }
  assertEquals((await ask(`/${id}/start`, { method: "POST", ...stranger })).status, 403);
  assertEquals((await ask(`/${id}/contacts`, { csv: LIST, ...stranger })).status, 403);
  assertEquals((await ask(`/${id}/start`, { method: "POST", ...viewer })).status, 403);
  assertEquals((await ask("", { apikey: "wrong" })).status, 401);

  // The log says who did what; not what the dialler does.
  const user = crypto.randomUUID();
  await sql`insert into members (org_id, user_id, email, role, joined_at)
    values (${ORG}, ${user}, 'ann@example.com', 'admin', now())`;
  const ann = { authorization: `Bearer ${memberToken(ORG, "admin", { sub: user })}` };
  for (const command of ["start", "start", "pause", "stop"]) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    assertEquals((await ask(`/${id}/${command}`, { method: "POST", ...ann })).status, 200);
  }
  await sql`select mend_campaigns()`;
  const log = await sql`
    select action, changes -> 'state' ->> 1 as state from audit_log
    where object = 'campaigns' and user_id = ${user} order by id`;
  assertEquals(log.map(({ action, state }) => [action, state]), [
    ["update", "running"],
    ["update", "paused"],
    ["update", "stopping"],
  ]);
});
