import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { createHash } from "node:crypto";
import postgres from "postgres";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import { Refused } from "../../supabase/functions/_shared/errors.ts";
import {
  flowDatabase,
  type Owner,
  type Publication,
} from "../../supabase/functions/_shared/db/flows.ts";
import { unpack } from "../../supabase/functions/_shared/flows/shipped.ts";
import { shipment } from "../../scripts/deploy/snapshot.ts";
import { voiceEvents } from "../../supabase/functions/_shared/db/voice_events.ts";
import type { Ask, VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";
import { startTestStack } from "../support/database.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";

// Published flows, as the functions reach them: over the Data API, by the role that has no more rights than they need.

const stack = await startTestStack({ functions: false });
Deno.test.afterAll(() => stack.stop());
const { sql } = stack.db;
const api = dataApi(stack.url, "sb_secret_local");
const flows = flowDatabase(api, 30_000);

let made = 0;

/** An organisation with a number of its own. */
async function tenant() {
  const n = ++made;
  const org = crypto.randomUUID();
  const account = `AC${String(n).padStart(32, "f")}`;
  const number = `+1587444${String(n).padStart(4, "0")}`;
  await sql`
    insert into public.telephony_subaccounts (org_id, subaccount_sid, business_name)
    values (${org}, ${account}, 'Business')`;
  await sql`
    insert into public.telephony_numbers (e164_number, org_id, number_sid, country)
    values (${number}, ${org}, ${`PN${String(n).padStart(32, "0")}`}, 'CA')`;
  return { org, account, number };
}

/** A definition told apart by its words. */
function flow(words: string, more: Record<string, unknown> = {}) {
  return {
    schema: 1,
    zone: "America/Edmonton",
    languages: ["en-US"],
    start: "bye",
    prompts: { bye: { "en-US": words } },
    nodes: { bye: { type: "end", prompt: "bye" } },
    ...more,
  };
}

function publish(owner: Owner, name: string, definition: unknown, more: Partial<Publication> = {}) {
  const hash = createHash("sha256").update(JSON.stringify(definition)).digest("hex");
  return flows.publish({ owner, name, definition, hash, ...more });
}

Deno.test("a publish answers its lines, and the next publish of the flow reaches them without naming them", async () => {
  const { org, number } = await tenant();
  const first = await publish(org, "desk", flow("one"), { lines: [number], by: "anna", note: "n" });
  assertEquals([first.flow, first.version, first.lines], ["desk", 1, [number]]);
  const second = await publish(org, "desk", flow("two"));
  assertEquals([second.version, second.lines], [2, [number]]);
  const [newest, oldest] = await flows.versions(org, "desk");
  assertEquals([newest!.version, newest!.current, newest!.lines], [2, true, [number]]);
  assertEquals(
    [oldest!.version, oldest!.current, oldest!.lines, oldest!.published_by, oldest!.note],
    [1, false, [], "anna", "n"],
  );
  assertEquals(await flows.definition(org, "desk"), {
    flow: "desk",
    version: 2,
    hash: second.hash,
    definition: flow("two"),
  });
});

Deno.test("the definition that answers, or that was published last, keeps its version", async () => {
  const versionOf = async (words: string) => (await publish(null, "same", flow(words))).version;
  assertEquals(await versionOf("a"), 1);
  assertEquals(await versionOf("a"), 1);
  assertEquals(await versionOf("b"), 2);
  assertEquals((await flows.rollback(null, "same")).version, 1);
  assertEquals(await versionOf("a"), 1, "it answers already");
  assertEquals(await versionOf("b"), 2, "it was the last");
  assertEquals(await versionOf("a"), 3, "an earlier one is published anew");
});

Deno.test("a calendar of a flow without calendars cannot be overridden", async () => {
  await publish(null, "without", flow("x"));
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const error = await assertRejects(
    () => flows.override({ owner: null, name: "without", calendar: "main", state: "open", until }),
    Refused,
    'no calendar "main"',
  );
  assertEquals(error.status, 404);
});

Deno.test("a rollback leads to what answered before, step by step, or to the version that is named", async () => {
  const rolledBack = async (version?: number) =>
    (await flows.rollback(null, "back", version, "anna")).version;
  for (const words of ["a", "b", "c"]) await publish(null, "back", flow(words));
  assertEquals(await rolledBack(), 2);
  assertEquals(await rolledBack(), 1);
  const none = await assertRejects(() => rolledBack(), Refused, "no version before");
  assertEquals(none.status, 404);
  assertEquals(await rolledBack(3), 3);
  assertEquals(await rolledBack(1), 1);
  await publish(null, "back", flow("d"));
  assertEquals(await rolledBack(), 1, "not version 3, which did not answer before");
  await assertRejects(() => rolledBack(9), Refused, "no version 9");
  await assertRejects(() => flows.rollback(null, "none"), Refused, 'no flow "none"');
});

Deno.test("of publishes at once all are kept, in one order", async () => {
  const words = Array.from({ length: 8 }, (_, i) => `words ${i}`);
  const answers = await Promise.all(words.map((each) => publish(null, "race", flow(each))));
  assertEquals(answers.map(({ version }) => version).sort(), [1, 2, 3, 4, 5, 6, 7, 8]);
  const versions = await flows.versions(null, "race");
  assertEquals(versions.map(({ version }) => version), [8, 7, 6, 5, 4, 3, 2, 1]);
  assertEquals(versions.filter(({ current }) => current).map(({ version }) => version), [8]);
});

Deno.test("a publish waits for one that is not committed yet, and comes after it", async () => {
  await publish(null, "turns", flow("a"));
  const [first, second] = [1, 2].map(() => postgres(stack.db.url, { max: 1 }));
  const call = (session: postgres.Sql, words: string) =>
    session<{ version: number }[]>`
      select (public.publish_flow(
        null, 'turns', ${sql.json(flow(words) as never)}, ${words.repeat(64)}
      ) ->> 'version')::integer as version`.execute();
  await first!`begin`;
  assertEquals((await call(first!, "b"))[0]!.version, 2);
  const waiting = call(second!, "c");
  const waits = async () =>
    (await sql`select from pg_stat_activity where wait_event_type = 'Lock' and query like '%publish_flow%'
      and datname = current_database()`).length === 1;
  while (!await waits());
  await first!`commit`;
  assertEquals((await waiting)[0]!.version, 3);
  await Promise.all([first!.end(), second!.end()]);
});

Deno.test("an organisation publishes on its own numbers, the main account on none of an organisation's", async () => {
  const [one, other] = [await tenant(), await tenant()];
  const refused = async (owner: Owner, line: string) => {
    const error = await assertRejects(
      () => publish(owner, "lines", flow("x"), { lines: [line] }),
      Refused,
      "a number of the owner",
    );
    assertEquals([error.status, error.field], [400, "lines"]);
  };
  await refused(one.org, other.number);
  await refused(one.org, "+15879990000");
  await refused(null, one.number);
  assertEquals(await flows.versions(one.org), [], "nothing was published on the way");
  assertEquals(
    (await publish(null, "lines", flow("x"), { lines: ["+15879990000"] })).lines,
    ["+15879990000"],
  );
});

Deno.test("an organisation finds no flow of another's, nor of the main account's", async () => {
  const [one, other] = [await tenant(), await tenant()];
  const { hash } = await publish(one.org, "mine", flow("secret"));
  for (const owner of [other.org, null]) {
    assertEquals(await flows.versions(owner, "mine"), []);
    assertEquals(await flows.definition(owner, "mine"), null);
    await assertRejects(() => flows.rollback(owner, "mine"), Refused);
    const goesOn = flow("x", { nodes: { bye: { type: "flow", name: "mine" } } });
    await assertRejects(() => publish(owner, "other", goesOn), Refused, 'no flow "mine"');
  }
  assertEquals(await flows.body(other.account, hash), null);
  assertEquals((await flows.body(one.account, hash.slice(0, 12)))?.hash, hash);
  assertEquals((await flows.body(undefined, hash))?.hash, hash);
  assertEquals(await flows.body(undefined, hash.slice(0, 7)), null, "too short to name one");
  assertEquals(await flows.body(undefined, "%"), null);
});

Deno.test("a signed-in member sees the flows, lines, people and ways of their own organisation, and of no other", async () => {
  const [one, other] = [await tenant(), await tenant()];
  for (const { org, account, number } of [one, other]) {
    // deno-lint-ignore no-await-in-loop
    await publish(org, "seen", flow(org, { calendars: { main: { weekly: {} } } }), {
      lines: [number],
    });
    const until = new Date(Date.now() + 60_000).toISOString();
    // deno-lint-ignore no-await-in-loop
    await flows.override({ owner: org, name: "seen", calendar: "main", state: "open", until });
    // deno-lint-ignore no-await-in-loop
    await sql`insert into people (org_id, handle, name, phone) values (${org}, 'zoe', 'Zoe', '+15870000009')`;
    // deno-lint-ignore no-await-in-loop
    await flows.storePrompt({
      owner: org,
      hash: "e".repeat(64),
      mime: "audio/wav",
      seconds: 1,
      bytes: 9,
    });
    // deno-lint-ignore no-await-in-loop
    await accepted(arrival(newCallSid(), number, {}, { account_sid: account }));
  }
  const seen = (org: string, role = "authenticated") =>
    sql.begin(async (tx) => {
      const claims = JSON.stringify({ role, app_metadata: { org_id: org, role: "viewer" } });
      await tx`select set_config('request.jwt.claims', ${claims}, true)`;
      await tx.unsafe(`set local role ${role}`);
      const counts: Record<string, number> = {};
      for (
        const name of [
          ...["call_flows", "call_flow_versions", "call_flow_pointers", "lines", "people"],
          ...["calendar_overrides", "prompts", "flow_funnel", "ivr_sessions", "ivr_interactions"],
        ]
      ) {
        // deno-lint-ignore no-await-in-loop
        counts[name] = (await tx`select from ${tx(name)}`).length;
      }
      return [...new Set(Object.values(counts))];
    });
  assertEquals(await seen(one.org), [1]);
  assertEquals(await seen(crypto.randomUUID()), [0]);
  await sql`select count_paths(clock_timestamp())`;
  assertEquals(await seen(one.org), [1], "added up");
  assertEquals(await seen(crypto.randomUUID()), [0], "added up");
  await assertRejects(() => seen(one.org, "anon"), postgres.PostgresError, "permission denied");
});

Deno.test("published versions cannot be changed or deleted, nor a flow under a line", async () => {
  await publish(null, "kept", flow("a"), { lines: ["+15879990001"] });
  const asService = (statement: string) =>
    sql.begin(async (tx) => {
      await tx.unsafe("set local role service_role");
      await tx.unsafe(statement);
    });
  for (
    const statement of [
      "update call_flow_versions set definition = '{}'",
      "update call_flow_versions set note = 'x'",
      "delete from call_flow_versions",
      "truncate call_flow_versions",
      "delete from call_flows",
      "delete from call_flow_pointers",
    ]
  ) {
    await assertRejects(() => asService(statement), postgres.PostgresError, "permission denied");
  }
  // Nor by who owns the tables.
  for (const table of ["call_flows", "call_flow_pointers", "call_flow_versions"]) {
    await assertRejects(
      () => sql`delete from ${sql(table)}`,
      postgres.PostgresError,
      "foreign key constraint",
    );
  }
});

Deno.test("what a flow goes on in is the version of then, and cannot lead back to it", async () => {
  const { org } = await tenant();
  const to = (name: string, words = "x") =>
    flow(words, {
      start: "on",
      nodes: { on: { type: "flow", name } },
      calendars: { main: { weekly: {} } },
      groups: { desk: { members: ["ben"] } },
    });
  const night = await publish(org, "night", flow("a", { groups: { g: { members: ["anna"] } } }));
  const day = await publish(org, "day", to("night"));
  const body = await flows.body(undefined, day.hash);
  assertEquals(body!.flows, { night: night.hash });
  const [row] = await sql`
    select handles from call_flow_versions where hash = ${day.hash}`;
  assertEquals(row!.handles.sort(), ["anna", "ben"]);

  await assertRejects(() => publish(org, "night", to("day")), Refused, "leads back to itself");
  await assertRejects(() => publish(org, "self", to("self")), Refused, 'flow "self"');
  await publish(org, "week", to("day"));
  await assertRejects(() => publish(org, "night", to("week")), Refused, "leads back to itself");

  await publish(org, "night", flow("b"));
  assertEquals((await flows.body(undefined, day.hash))!.flows, { night: night.hash });
  const again = await publish(org, "day", to("night"));
  assertEquals(again.version, 2, "the same words lead elsewhere by now");
  assertEquals((await flows.checkFacts(org, to("week"))).flows, {
    week: to("day"),
    day: to("night"),
    night: flow("b"),
  });
});

Deno.test("a zone that only looks like one is refused", async () => {
  for (const zone of ["America/Nowhere", "ZZZ5", "", "EST5EDT,M3.2.0,M11.1.0"]) {
    const error = await assertRejects(
      () => publish(null, "zone", flow("x", { zone })),
      Refused,
      "IANA",
    );
    assertEquals(error.field, "definition.zone");
    assertEquals((await flows.checkFacts(null, flow("x", { zone }))).zone_known, false);
  }
  assertEquals((await flows.checkFacts(null, flow("x"))).zone_known, true);
});

Deno.test("a check learns which of its audio, people and flows there are, and which numbers are ours", async () => {
  const [one, other] = [await tenant(), await tenant()];
  const [stored, foreign] = ["a".repeat(64), "b".repeat(64)];
  const prompt = { mime: "audio/wav", seconds: 1.5, bytes: 24_000 } as const;
  await flows.storePrompt({ owner: one.org, hash: stored, ...prompt });
  await flows.storePrompt({ owner: one.org, hash: stored, ...prompt });
  await flows.storePrompt({ owner: other.org, hash: foreign, ...prompt });
  await sql`
    insert into people (org_id, handle, name, phone) values
      (${one.org}, 'anna', 'Anna', ${other.number}), (${other.org}, 'carl', 'Carl', '+15870000001')`;
  const definition = flow("x", {
    prompts: { a: { audio: stored }, b: { "en-US": { audio: foreign } }, c: { "en-US": "audio" } },
    groups: { desk: { members: ["anna", "carl", one.number, "+15870000002"] } },
    nodes: { a: { type: "flow", name: "gone" } },
  });
  assertEquals(await flows.checkFacts(one.org, definition), {
    zone_known: true,
    audio: { [stored]: 1.5 },
    people: ["anna"],
    // Anna's telephone is one of them.
    own_lines: [...[one.number, other.number].sort(), "anna"],
    flows: { gone: null },
  });
});

Deno.test("a draft is kept until it is published, and answers nobody", async () => {
  await flows.saveDraft(null, "draft", flow("a"), "anna");
  assertEquals(await flows.versions(null, "draft"), []);
  assertEquals(await flows.definition(null, "draft"), null);
  const draft = async () =>
    (await sql`select draft, drafted_by from call_flows where name = 'draft'`)[0]!;
  assertEquals({ ...await draft() }, { draft: flow("a"), drafted_by: "anna" });
  await publish(null, "draft", flow("b"));
  assertEquals((await draft()).draft, flow("a"), "something else was published");
  await publish(null, "draft", flow("a"));
  assertEquals((await draft()).draft, null);
});

Deno.test("a number that is given up takes its line along, and its next owner starts by the settings", async () => {
  const one = await tenant();
  await publish(one.org, "desk", flow("a"), { lines: [one.number] });
  const lines = async () =>
    (await flows.published()).lines.filter(({ line }) => line === one.number).length;
  assertEquals(await lines(), 1);
  await sql`delete from telephony_numbers where e164_number = ${one.number}`;
  assertEquals(await lines(), 0);
  assertEquals((await flows.versions(one.org))[0]!.lines, []);
});

Deno.test("the words of its disclosures are kept with a publish, once", async () => {
  const words = "This call may be recorded.";
  const name = `opt_in-3-en-US-${createHash("sha256").update(words).digest("hex").slice(0, 32)}`;
  const disclosures = [{ name, policy: "opt_in", key: "3", language: "en-US", words }];
  await publish(null, "disclosed", flow("a"), { disclosures });
  await publish(null, "disclosed", flow("b"), { disclosures });
  assertEquals((await sql`select from disclosures where name = ${name}`).length, 1);
});

Deno.test("default is the flow of the settings: nobody publishes under its name", async () => {
  const error = await assertRejects(() => publish(null, "default", flow("a")), Refused);
  assertEquals(error.field, "name");
});

Deno.test("a deploy gets all versions that answer, and those that they go on in, of each owner its own", async () => {
  // All publish the same documents; their hours and their audio are of each.
  const audio = "a".repeat(64);
  const weekly = { mon: [["00:00", "24:00"]] };
  const day = flow("x", {
    prompts: { bye: { audio, text: "Bye" } },
    calendars: { desk: { weekly } },
    nodes: { bye: { type: "flow", name: "night" } },
  });
  const owners = [];
  for (let n = 0; n < 2; n++) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const { org, number, account } = await tenant();
    // deno-lint-ignore no-await-in-loop
    const night = await publish(org, "night", flow("night"));
    // deno-lint-ignore no-await-in-loop
    const { hash } = await publish(org, "day", day, { lines: [number] });
    owners.push({ org, number, account, night, hash });
  }
  const [one, other] = owners as [typeof owners[0], typeof owners[0]];
  const prompt = { hash: audio, mime: "audio/wav", seconds: 1, bytes: 1 } as const;
  await flows.storePrompt({ owner: other.org, ...prompt });
  const until = new Date(Date.now() + 86_400_000).toISOString();
  const name = "day";
  await flows.override({ owner: one.org, name, calendar: "desk", state: "closed", until });
  await flows.override({ owner: other.org, name, calendar: "desk", state: "open", until });
  const line = "+15879991099";
  await publish(null, "night", flow("night"));
  await publish(null, "day", day, { lines: [line] });

  const published = await flows.published();
  const keys = published.versions.map(({ account, hash }) => `${account} ${hash}`);
  assertEquals(new Set(keys).size, keys.length);
  const found = await unpack((await shipment(published)).packed);
  for (const [owner, missing, state] of [[one, [audio], "closed"], [other, [], "open"]] as const) {
    const version = found.ofLine(owner.account, owner.number)!;
    assertEquals(version.hash, one.hash, "one document");
    assertEquals(version, found.ofHash(owner.account, one.hash.slice(0, 32)));
    assertEquals(version, found.ofLine(undefined, owner.number));
    assertEquals(version.flows, { night: owner.night.hash });
    assertEquals(version.missing_audio, missing);
    assertEquals(version.hours.desk!.state, state);
    assert(found.ofHash(owner.account, owner.night.hash));
  }
  assertEquals(found.ofLine(one.account, other.number), undefined);
  const main = found.ofLine(undefined, line)!;
  assertEquals([main.account, main], [null, found.ofHash(undefined, one.hash)]);
  assertEquals((await flows.body(undefined, one.hash))!.flows, main.flows);
});

// --- while a call goes on ---------------------------------------------------------------------------------------------

/** What the database answers to an event. */
async function accepted(event: VoiceEvent) {
  const outcome = await voiceEvents(api, 30_000)(event);
  if (outcome.kind !== "accepted") {
    throw new Error(`The event was not accepted: ${JSON.stringify(outcome)}`);
  }
  return outcome;
}

const arrival = (sid: string, line: string, ask: Ask = {}, changes: Partial<VoiceEvent> = {}) =>
  voiceEvent(sid, { to_e164: line, ask: { line, ...ask }, ...changes });

const step = (sid: string, line: string, ask: Ask, changes: Partial<VoiceEvent> = {}) =>
  voiceEvent(sid, {
    operation: "voice-menu-handler",
    identity: crypto.randomUUID(),
    event: "menu",
    to_e164: line,
    ask,
    ...changes,
  });

const pinned = async (sid: string) =>
  (await sql`
    select v.hash from call_logs as c left join call_flow_versions as v on v.id = c.flow_version
    where call_sid = ${sid}`)[0]?.hash;

Deno.test("a call keeps the version that it began with, through a publish and a rollback", async () => {
  const line = "+15879991001";
  const one = await publish(null, "pinned", flow("one"), { lines: [line] });
  const sid = newCallSid();
  const { call } = await accepted(arrival(sid, line));
  assertEquals(call.facts?.flow, {
    hash: one.hash,
    name: "pinned",
    version: 1,
    definition: flow("one"),
    flows: {},
    hours: {},
    missing_audio: [],
  });

  const two = await publish(null, "pinned", flow("two"));
  const later = await accepted(step(sid, line, { flow: one.hash.slice(0, 32) }));
  assertEquals(later.call.facts?.flow, { hash: one.hash, name: "pinned", version: 1 });
  // An URL of the other version, as of an isolate that had served it in an outage: it is answered, and the pin stays.
  const strayed = await accepted(step(sid, line, { flow: two.hash.slice(0, 32) }));
  assertEquals(strayed.call.facts?.flow, { hash: two.hash, name: "pinned", version: 2 });
  assertEquals(await pinned(sid), one.hash);
  const next = newCallSid();
  assertEquals((await accepted(arrival(next, line))).call.facts!.flow!.hash, two.hash);
  await flows.rollback(null, "pinned");
  await accepted(step(next, line, { flow: two.hash.slice(0, 32) }));
  assertEquals([await pinned(sid), await pinned(next)], [one.hash, two.hash]);
  assertEquals(
    (await accepted(arrival(newCallSid(), line))).call.facts!.flow!.hash,
    one.hash,
    "the next call",
  );
});

Deno.test("the same words that lead to another flow are another version, to calls and to isolates", async () => {
  const line = "+15879991050";
  const day = flow("day", { start: "on", nodes: { on: { type: "flow", name: "led_to" } } });
  const before = await publish(null, "led_to", flow("before"));
  const one = await publish(null, "leads", day, { lines: [line] });
  const after = await publish(null, "led_to", flow("after"));
  const two = await publish(null, "leads", day);
  assertEquals([one.version, two.version], [1, 2]);
  // An isolate that has read version one keeps it by its hash.
  const answered = async () =>
    (await accepted(arrival(newCallSid(), line, { have: [one.hash] }))).call.facts!.flow!;
  assertEquals((await answered()).flows, { led_to: after.hash });
  assertEquals((await flows.body(undefined, one.hash.slice(0, 32)))?.flows, {
    led_to: before.hash,
  }, "a call that is going on");
  await flows.rollback(null, "leads");
  assertEquals(await answered(), { hash: one.hash, name: "leads", version: 1 });
});

Deno.test("the body comes along once: not where the isolate has it", async () => {
  const line = "+15879991002";
  const { hash } = await publish(null, "bodies", flow("x"), { lines: [line] });
  const answer = async (have: string[]) =>
    (await accepted(arrival(newCallSid(), line, { have }))).call.facts!.flow!;
  assertEquals((await answer(["f".repeat(64)])).definition, flow("x"));
  assertEquals(await answer([hash]), { hash, name: "bodies", version: 1 });
});

Deno.test("a copy of an arrival is answered by the version of then, with its body, whatever was published between", async () => {
  const line = "+15879991003";
  await publish(null, "copies", flow("one"), { lines: [line] });
  const event = arrival(newCallSid(), line, {}, { meta: { flow: "default-00000000" } });
  const first = await accepted(event);
  await publish(null, "copies", flow("two"));
  const again = await accepted({ ...event, meta: { flow: "what another isolate guessed" } });
  assertEquals([again.duplicate, again.call.facts!.flow!.definition], [true, flow("one")]);
  assertEquals(again.call.facts, first.call.facts);
});

Deno.test("a line without a flow of its owner's answers by the settings", async () => {
  const { account, number } = await tenant();
  const line = "+15879991004";
  await publish(null, "main", flow("x"), { lines: [line] });
  assertEquals((await accepted(arrival(newCallSid(), number))).call.facts, {});
  // The same number, said to be called by an account that it is not of.
  const sid = newCallSid();
  const { call } = await accepted(arrival(sid, line, {}, { account_sid: account }));
  assertEquals([call.facts, await pinned(sid)], [{}, null]);
});

Deno.test("a call whose arrival was not kept is pinned to what its URL names, if that is the owner's", async () => {
  const [one, other] = [await tenant(), await tenant()];
  const { hash } = await publish(one.org, "late", flow("one"), { lines: [one.number] });
  await publish(one.org, "late", flow("two"));
  const sid = newCallSid();
  const ask = { flow: hash.slice(0, 32) };
  await accepted(step(sid, one.number, ask, { account_sid: one.account }));
  assertEquals(await pinned(sid), hash);
  const foreign = newCallSid();
  const { call } = await accepted(
    step(foreign, other.number, ask, { account_sid: other.account }),
  );
  assertEquals([call.facts, await pinned(foreign)], [{}, null]);
});

Deno.test("the facts are those that the version asks about, as they were when the event came", async () => {
  const { org, account, number } = await tenant();
  const [anna, ben, away] = ["+15870001001", "+15870001002", "+15870001003"];
  await sql`
    insert into people (verified_at, org_id, handle, name, phone, available, dnd_until) values
      (now(), ${org}, 'anna', 'Anna', ${anna}, true, now() - interval '1 minute'),
      (now(), ${org}, 'ben', 'Ben', ${ben}, true, now() + interval '1 hour'),
      (now(), ${org}, 'carl', 'Carl', ${away}, false, null),
      (now(), ${org}, 'dora', 'Dora', ${number}, true, null),
      (now(), ${org}, 'unasked', 'Una', '+15870001004', true, null),
      (now(), null, 'anna', 'Another', '+15870001005', false, null)`;
  const hours = { weekly: {}, dates: {} };
  await publish(
    org,
    "facts",
    flow("x", {
      calendars: { main: hours, other: hours },
      groups: { desk: { members: ["anna", "ben", "carl", "dora", "nobody"] } },
      nodes: { seen: { type: "match", on: "returning" }, bye: { type: "end" } },
    }),
    { lines: [number] },
  );
  const until = new Date(Date.now() + 3_600_000).toISOString();
  await flows.override({ owner: org, name: "facts", calendar: "main", state: "open", until });
  const dials = { to: ["+15870001009"], leg_sec: 600, day_sec: 1200 };
  const event = arrival(newCallSid(), number, { dials }, {
    account_sid: account,
    from_e164: "+15551230001",
  });
  const { flow: _, ...facts } = (await accepted(event)).call.facts!;
  assertEquals(facts, {
    calendars: { main: "open", other: "closed" },
    returning: false,
    people: {
      anna: { phone: anna, available: true },
      ben: { phone: ben, available: false },
      carl: { phone: away, available: false },
      dora: { phone: number, available: true },
    },
    own_lines: [number],
    spent: false,
  });

  await flows.override({ owner: org, name: "facts", calendar: "main", state: null });
  await sql`update people set available = false where org_id = ${org}`;
  const copy = (await accepted(event)).call.facts!;
  assertEquals(
    [copy.calendars, copy.people],
    [facts.calendars, facts.people],
    "kept with the event",
  );
  const again = arrival(newCallSid(), number, {}, {
    account_sid: account,
    from_e164: "+15551230001",
  });
  const now = (await accepted(again)).call.facts!;
  assertEquals([now.calendars, now.returning, now.people!["anna"]!.available], [
    { main: "closed", other: "closed" },
    true,
    false,
  ]);
  assertEquals(now.spent, undefined, "nothing is dialled");

  const occurred_at = new Date(Date.now() - 600_000).toISOString();
  const delayed = arrival(newCallSid(), number, {}, {
    account_sid: account,
    from_e164: "+15551230001",
    occurred_at,
  });
  assertEquals((await accepted(delayed)).call.facts!.returning, false, "the others came later");
});

Deno.test("a caller without a number, or of another owner's line, has not called before", async () => {
  const line = "+15879991005";
  const returning = flow("x", { nodes: { seen: { type: "match", on: "returning" } } });
  await publish(null, "seen", returning, { lines: [line] });
  const asked = async (from_e164: string | undefined) =>
    (await accepted(arrival(newCallSid(), line, {}, { from_e164 }))).call.facts!.returning;
  const { account, number } = await tenant();
  await accepted(
    arrival(newCallSid(), number, {}, { account_sid: account, from_e164: "+15551230002" }),
  );
  assertEquals(await asked("+15551230002"), false);
  assertEquals(await asked("+15551230002"), true);
  assertEquals([await asked(undefined), await asked(undefined)], [false, false]);
});
