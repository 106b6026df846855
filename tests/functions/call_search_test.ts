import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { LOCAL_JWT_SECRET, LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import { contactImport } from "../../supabase/functions/_shared/db/contacts.ts";
import { csvRecords } from "../../supabase/functions/_shared/csv.js";
import { liveDeps } from "../../supabase/functions/call-search/deps.ts";
import { createHandler } from "../../supabase/functions/call-search/handler.ts";
import { callFlowsAt, smallFlow } from "../support/call_flows.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";
import { fakeDataApi } from "../support/fake_data_api.ts";
import { startHotline } from "../support/hotline.ts";
import { memberToken, userToken } from "../support/onboarding.ts";
import { testSettings } from "../support/webhook.ts";

// What call-search answers, to whom. How it ranks is in db/search_test.ts, what a request may say in unit/search_test.ts.

const system = await startHotline();
Deno.test.afterAll(() => system.stop());
const { db: { sql } } = system;

const ORG = "11111111-1111-4111-8111-111111111111";
const OTHER = "22222222-2222-4222-8222-222222222222";
const LINES = { [ORG]: "+15550001111", [OTHER]: "+15550002222" } as const;
for (const [org, line] of Object.entries(LINES)) {
  const digit = line.slice(-1);
  // deno-lint-ignore no-await-in-loop
  await sql`
    insert into telephony_subaccounts (org_id, subaccount_sid, business_name)
    values (${org}, ${"AC" + digit.repeat(32)}, 'A business')`;
  // deno-lint-ignore no-await-in-loop
  await sql`
    insert into telephony_numbers (e164_number, org_id, number_sid, country)
    values (${line}, ${org}, ${"PN" + digit.repeat(32)}, 'CA')`;
}

let voicemails = 0;
/** A finished call with a voicemail of these words. @returns its SID */
async function voicemail(org: keyof typeof LINES, words: string, from = "+14165550777") {
  const sid = newCallSid();
  const event = voiceEvent(sid, {
    to_e164: LINES[org] as never,
    from_e164: from as never,
    call_status: "completed",
    recording_sid: recordingSid(++voicemails),
    recording_source: "voicemail",
    recording_duration_sec: 20,
    transcript: words,
  });
  await sql`select accept_voice_event(${sql.json(event as never)})`;
  return sid;
}

const operator = { apikey: LOCAL_SECRET_KEY };
const as = (token: string) => ({ authorization: `Bearer ${token}` });
const member = as(memberToken(ORG, "viewer"));

// deno-lint-ignore no-explicit-any
type Json = any;
async function ask(
  body: unknown,
  headers: Record<string, string> = operator,
): Promise<{ status: number; headers: Headers; body: Json }> {
  const response = await fetch(`${system.url}/functions/v1/call-search`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

async function found(q: string, headers?: Record<string, string>, more: Json = {}) {
  const { status, body } = await ask({ q, ...more }, headers);
  assertEquals(status, 200, JSON.stringify(body));
  return body.results.map(({ call_sid }: Json) => call_sid);
}

// --- search ---------------------------------------------------------------------------------------------------

Deno.test("what was said is found as soon as it is stored, marked, with its second and its page", async () => {
  const sid = await voicemail(ORG, "Please send the refund & repair my broken furnace");
  const { status, body } = await ask({ q: "refund furnace" });
  assertEquals(status, 200);
  const [{ score, at, start_sec, ref: _, ...result }] = body.results;
  assertEquals(result, {
    kind: "voicemail",
    call_sid: sid,
    org_id: ORG,
    title: "+14165550777",
    snippet: "Please send the <mark>refund</mark> &amp; repair my broken <mark>furnace</mark>",
    url: `#/calls/${sid}/${start_sec}`,
  });
  assert(score > 0 && Date.parse(at) > 0 && start_sec >= 0);
  assertEquals([body.partial, body.meaning, body.facets.kind.voicemail], [false, false, 1]);
  assert(!("correction" in body) && !("next_cursor" in body));
});

Deno.test("pages go on where the one before ended, each result once", async () => {
  const sids = [];
  // deno-lint-ignore no-await-in-loop
  for (let nth = 0; nth < 5; nth++) sids.push(await voicemail(ORG, "pagination please"));
  const seen = [];
  let cursor: string | undefined;
  do {
    // deno-lint-ignore no-await-in-loop
    const { body } = await ask({ q: "pagination", limit: 2, ...(cursor && { cursor }) });
    seen.push(...body.results.map(({ call_sid }: Json) => call_sid));
    cursor = body.next_cursor;
  } while (cursor !== undefined);
  assertEquals(seen.toSorted(), sids.toSorted());
});

Deno.test("a correction is said", async () => {
  await voicemail(ORG, "The dishwasher leaks");
  const { body } = await ask({ q: "dishwaher" });
  assertEquals([body.correction, body.results.length], ["dishwasher", 1]);
});

Deno.test("every field at fault is named, and none of its value repeated", async () => {
  const { status, body } = await ask({ limit: 0, filters: { colour: "secret", number: "1" } });
  assertEquals([status, body.error], [400, "invalid"]);
  assertEquals(body.issues.map(({ field }: Json) => field).toSorted(), [
    "filters.colour",
    "filters.number",
    "limit",
  ]);
  assert(!JSON.stringify(body).includes("secret"));
  const cursors = await ask({ q: "refund", cursor: "abc" });
  assertEquals([cursors.status, cursors.body.issues[0].field], [400, "cursor"]);
});

for (
  const [what, q] of [
    ["10,000 words", Array.from({ length: 10_000 }, (_, n) => `w${n}`).join(" ")],
    ["operators only", `" - or -- "" OR or | & ! ( ) <-> :* ' \\ %`],
    ["SQL", `'; drop table calls; select * from contacts where '1'='1`],
    ["a regular expression", "(a+)+$".repeat(200)],
    ["emoji", "😀".repeat(500)],
    ["another direction", "\u202eلماذا".repeat(100)],
    ["one long word", "x".repeat(5000)],
    ["an accent on nothing", "\u0301".repeat(300)],
  ] as const
) {
  Deno.test(`a hostile query is answered: ${what}`, async () => {
    const { status, body } = await ask({ q });
    assertEquals([status, Array.isArray(body.results)], [200, true]);
  });
}

// --- who may ask ----------------------------------------------------------------------------------------------

Deno.test("a member finds the own organisation's and nothing of another, not even in counts and corrections", async () => {
  const word = "zymurgyfest";
  const ours = await voicemail(ORG, `Our ${word}`);
  const theirs = await voicemail(OTHER, `Their ${word} and the quetzalcoatl`);
  assertEquals(await found(word, member), [ours]);
  assertEquals((await found(word)).toSorted(), [ours, theirs].toSorted());
  assertEquals(await found(word, operator, { filters: { org_id: OTHER } }), [theirs]);
  assertEquals(await found(word, member, { filters: { org_id: OTHER } }), []);
  const { body } = await ask({ q: "quetzalcoatlx" }, member);
  assertEquals([body.results, body.facets, "correction" in body], [[], {}, false]);
  const facets = (await ask({ q: word }, member)).body.facets;
  assertEquals(facets.kind, { voicemail: 1 });
});

Deno.test("a member's search asks under the key alone, and names the person", async () => {
  const word = "xylographer";
  const ours = await voicemail(ORG, `Our ${word}`);
  await voicemail(OTHER, `Their ${word}`);
  // A gateway that takes the role from `apikey`, whatever stands beside it.
  await using gateway = fakeDataApi(({ name, headers, body }) => {
    const { apikey = "" } = Object.fromEntries(headers);
    return fetch(`${system.url}/rest/v1/rpc/${name}`, {
      method: "POST",
      headers: { apikey, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  });
  const settings = testSettings({
    SUPABASE_URL: gateway.url,
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: LOCAL_SECRET_KEY }),
    SUPABASE_JWT_SECRET: LOCAL_JWT_SECRET,
  });
  const handler = createHandler(liveDeps(settings));
  const sub = crypto.randomUUID();
  const headers = as(memberToken(ORG, "viewer", { sub }));
  const search = await handler(
    new Request("http://localhost/call-search", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ q: word }),
    }),
  );
  const { results } = await search.json();
  assertEquals(results.map(({ call_sid }: Json) => call_sid), [ours]);
  const csv = await handler(
    new Request(`http://localhost/call-search/export?q=${word}`, { headers }),
  );
  assertEquals((await csv.text()).split("\r\n").length, 3);
  const searches = gateway.calls.filter(({ name }) => name !== "take_rate_limits")
    .map(({ name, headers, body }) => ({
      name,
      token: headers.get("authorization"),
      claims: (body as Json).p_claims,
    }));
  const claims = { sub, app_metadata: { org_id: ORG, role: "viewer" } };
  assertEquals(
    searches,
    Array(2).fill({ name: "search_calls_of_member", token: null, claims }),
  );
  const [history] = await sql`
    select org_id, count(*)::int as searches from search_history where user_id = ${sub} group by 1`;
  assertEquals({ ...history }, { org_id: ORG, searches: 2 });
});

Deno.test("without a key or a member's token nothing is told", async () => {
  for (
    const [headers, status] of [
      [{}, 401],
      [{ apikey: "sb_publishable_local" }, 401],
      [as("no token"), 401],
      [as(memberToken(ORG, "viewer", { exp: 1 })), 401],
      [as(userToken({ sub: crypto.randomUUID() })), 403],
    ] as const
  ) {
    // deno-lint-ignore no-await-in-loop
    const { status: answered, body } = await ask({ q: "refund" }, headers as never);
    assertEquals([answered, Object.keys(body)], [status, ["error"]]);
  }
});

Deno.test("a member who asks too often waits", async () => {
  const sub = crypto.randomUUID();
  const limits = [{ identifier_type: "user", identifier: sub, max: 120, window_sec: 60 }];
  for (let nth = 0; nth < 120; nth++) {
    // deno-lint-ignore no-await-in-loop
    await sql`select take_rate_limits('call-search', ${sql.json(limits)})`;
  }
  const { status, headers } = await ask({ q: "x" }, as(memberToken(ORG, "viewer", { sub })));
  assertEquals(status, 429);
  assert(Number(headers.get("retry-after")) >= 1);
});

Deno.test("exports have a limit of their own, and use up no searches", async () => {
  const headers = as(memberToken(ORG, "viewer", { sub: crypto.randomUUID() }));
  for (let nth = 0; nth < 6; nth++) {
    // deno-lint-ignore no-await-in-loop
    assertEquals((await exported("q=nothing", headers)).response.status, 200);
  }
  assertEquals((await exported("q=nothing", headers)).response.status, 429);
  assertEquals((await ask({ q: "x" }, headers)).status, 200);
});

// --- export ---------------------------------------------------------------------------------------------------

async function exported(query: string, headers: Record<string, string> = operator) {
  const response = await fetch(`${system.url}/functions/v1/call-search/export?${query}`, {
    headers,
  });
  return { response, text: await response.text() };
}

Deno.test("an export has every result, page after page, and no cell that is run", async () => {
  // More than one page of 100.
  await sql`
    insert into contacts (org_id, phone, name)
    select ${ORG}, '+1403556' || 1000 + n, case n % 3 when 0 then '=1+1 exportable' else 'exportable, "n"' end
    from generate_series(1, 150) as n`;
  const { response, text } = await exported("q=exportable&from=2020-01-01");
  const type = response.headers.get("content-type");
  assertEquals([response.status, type], [200, "text/csv; charset=utf-8"]);
  const [head, ...rows] = [...csvRecords(text)].map(({ cells }) => cells);
  assertEquals(head!.join(), "kind,call_sid,at,title,snippet,start_sec,score,url");
  assertEquals(rows.length, 150);
  const titles = new Set(rows.map(([, , , title]) => title));
  assertEquals([...titles].toSorted(), [`'=1+1 exportable`, 'exportable, "n"']);
  assert(
    rows.every(([kind, sid, , , snippet]) =>
      kind === "contact" && sid === "" && !/[<&]/.test(snippet!)
    ),
  );
});

Deno.test("an export is refused as a search is, and tells a member of the own organisation only", async () => {
  assertEquals((await exported("q=x&sort=1")).response.status, 400);
  assertEquals((await exported("q=exportable", {})).response.status, 401);
  const stranger = await exported("q=exportable", as(memberToken(OTHER, "viewer")));
  assertEquals([stranger.response.status, stranger.text.split("\r\n").length], [200, 2]);
});

// --- contacts -------------------------------------------------------------------------------------------------

async function importFile(
  file: string,
  headers: Record<string, string> = operator,
  query = `?org_id=${ORG}`,
) {
  const response = await fetch(`${system.url}/functions/v1/call-search/contacts${query}`, {
    method: "POST",
    headers: { "content-type": "text/csv", ...headers },
    body: file,
  });
  return { status: response.status, body: await response.json() };
}

Deno.test("a file of contacts is taken in once, its faults are named by line, and its people are found", async () => {
  const file = "phone,name,company\r\n(403) 555-0188,Ophelia Ngata,Roofs\r\n12,Nobody,\r\n";
  const rejected = [{
    line: 3,
    reason: "phone must be a number such as +15877428885 or (587) 742-8885",
  }];
  assertEquals(await importFile(file), {
    status: 200,
    body: { added: 1, changed: 0, unchanged: 0, rejected },
  });
  assertEquals((await importFile(file)).body, { added: 0, changed: 0, unchanged: 1, rejected });
  const { body } = await ask({ q: "ophelia" }, member);
  assertEquals(body.results.map(({ kind, title }: Json) => [kind, title]), [
    ["contact", "Ophelia Ngata"],
  ]);
  assertEquals((await importFile(file.replace("Roofs", "Doors"))).body.changed, 1);
});

Deno.test("a large file goes to the database in parts", async () => {
  let [asked, most] = [0, 0];
  await using api = fakeDataApi(({ body }) => {
    asked++;
    most = Math.max(most, (body as Json).p_contacts.length);
    return Response.json({ added: (body as Json).p_contacts.length, changed: asked });
  });
  const contacts = Array.from({ length: 1001 }, (_, n) => ({ phone: `+1403555${1000 + n}` }));
  assertEquals(await contactImport(dataApi(api.url, "sb_secret_of_the_tests"))(ORG, contacts), {
    added: 1001,
    changed: 6,
  });
  assertEquals([asked, most], [3, 500]);
});

Deno.test("only an operator and the own administrators take in contacts", async () => {
  const file = "phone\n+14035550199";
  assertEquals((await importFile(file, member)).status, 403);
  assertEquals((await importFile(file, as(memberToken(OTHER)))).status, 403);
  assertEquals((await importFile(file, as(memberToken(ORG)), "")).body.added, 1);
  assertEquals((await importFile(file, {})).status, 401);
  assertEquals((await importFile("name\nJane")).status, 400);
  assertEquals((await importFile(`phone\n${"x".repeat(1024 * 1024)}`)).status, 413);
});

// --- notes, tags, work on voicemails, saved searches: the Data API under each role ---------------------------

/** Writes through the Data API as a member. @returns the status */
async function write(
  headers: Record<string, string>,
  table: string,
  body: unknown,
  method = "POST",
  query = "",
): Promise<number> {
  const response = await fetch(`${system.url}/rest/v1/${table}${query}`, {
    method,
    headers: { "content-type": "application/json", apikey: "sb_publishable_local", ...headers },
    ...(method !== "DELETE" && { body: JSON.stringify(body) }),
  });
  await response.body?.cancel();
  return response.status;
}

Deno.test("agents write notes and tags and work on voicemails; viewers and strangers do not", async () => {
  const call_sid = await voicemail(ORG, "Please repair the greenhouse");
  const [{ recording_sid } = {}] =
    await sql`select recording_sid from recordings where call_sid = ${call_sid}`;
  const rows = [
    ["call_notes", { call_sid, body: "Sent the greenhouse crew" }],
    ["call_tags", { call_sid, tag: "urgent" }],
    ["voicemail_steps", { call_sid, recording_sid, state: "taken" }],
  ] as const;
  const stranger = as(memberToken(OTHER, "owner"));
  for (const [table, row] of rows) {
    // deno-lint-ignore no-await-in-loop
    for (
      const [asker, may] of [[as(memberToken(ORG, "viewer")), false], [stranger, false], [
        as(memberToken(ORG, "agent")),
        true,
      ]] as const
    ) {
      // deno-lint-ignore no-await-in-loop
      const status = await write(asker, table, row);
      assertEquals(status < 300, may, `${table}: ${status}`);
    }
  }
  assertEquals((await ask({ q: "greenhouse crew" }, member)).body.results.length, 1);
  const tagged = await ask({ filters: { tag: "urgent" } }, member);
  assertEquals(tagged.body.results.map((each: Json) => each.call_sid), [call_sid]);
  assertEquals((await ask({ q: "greenhouse" }, stranger)).body.results, []);
});

Deno.test("of two who take a voicemail at once one has it, and each step says who", async () => {
  const call_sid = await voicemail(ORG, "The first one has it");
  const [{ recording_sid } = {}] =
    await sql`select recording_sid from recordings where call_sid = ${call_sid}`;
  const subs = [crypto.randomUUID(), crypto.randomUUID()];
  const statuses = await Promise.all(
    subs.map((sub) =>
      write(as(memberToken(ORG, "agent", { sub })), "voicemail_steps", {
        call_sid,
        recording_sid,
        state: "taken",
      })
    ),
  );
  assertEquals(statuses.toSorted(), [201, 409]);
  const winner = subs[statuses.indexOf(201)]!;
  assertEquals(
    await write(as(memberToken(ORG, "agent", { sub: winner })), "voicemail_steps", {
      call_sid,
      recording_sid,
      state: "done",
    }),
    201,
  );
  const steps =
    await sql`select state, author from voicemail_steps where call_sid = ${call_sid} order by id`;
  assertEquals(steps.map(({ state, author }) => [state, author]), [["taken", winner], [
    "done",
    winner,
  ]]);
});

Deno.test("a saved search and an alert are their owner's, unseen by colleagues", async () => {
  const [mine, colleague] = [as(memberToken(ORG, "agent")), as(memberToken(ORG, "owner"))];
  assertEquals(await write(mine, "saved_searches", { name: "Refunds", query: "refund" }), 201);
  assertEquals(
    await write(mine, "search_alerts", {
      name: "R",
      query: "refund",
      channel: "mail",
      target: "a@example.com",
    }),
    201,
  );
  for (const table of ["saved_searches", "search_alerts"]) {
    const read = async (headers: Record<string, string>) =>
      (await (await fetch(`${system.url}/rest/v1/${table}?select=name`, {
        headers: { apikey: "sb_publishable_local", ...headers },
      })).json()).length;
    // deno-lint-ignore no-await-in-loop
    assertEquals([await read(mine), await read(colleague)], [1, 0], table);
  }
});

// --- the caller's context ------------------------------------------------------------------------------------

Deno.test("who accepts a caller is told the name and the calls of the week, where the group says so", async () => {
  const from = "+14165550188";
  await voicemail(ORG, "The first call", from);
  await voicemail(OTHER, "Called somebody else", from);
  const call = await voicemail(ORG, "The second call", from);
  await importFile(`phone,name\n${from},Jane`);
  const context = async (group: string) =>
    (await sql`select caller_context(${call}, ${group}) as caller`)[0]!["caller"];
  assertEquals(await context("office"), null);
  const definition = smallFlow();
  const members = ["+15877428885"];
  definition.groups = { office: { members, context: true }, quiet: { members } };
  const flows = callFlowsAt(system.url);
  const { status } = await flows("/publish", { definition, name: "context", org_id: ORG });
  assertEquals(status, 200);
  await sql`update call_logs set flow_version = (select max(id) from call_flow_versions) where call_sid = ${call}`;
  assertEquals(await context("office"), { name: "Jane", calls: 2 });
  assertEquals(await context("quiet"), null);
});
