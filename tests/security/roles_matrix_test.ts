// What each role can do to each object of the schema, one test an object and role, made from the catalogue: an object
// that is added is tested the moment that it is there.

import { assertEquals } from "@std/assert/equals.js";
import type { Sql } from "postgres";
import { createTestDatabase } from "../support/database.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";

const db = await createTestDatabase();
Deno.test.afterAll(() => db.drop());

const ORG = "11111111-1111-4111-8111-111111111111";
const STRANGER = "99999999-9999-4999-8999-999999999999";
const LINE = "+15550001111";

/** What nobody outside of the organisation may read, whatever the table. */
const PERSONAL = ["4165550777", "PRIVATEWORDS", "jane@example.com"];

await db.sql`
  insert into public.telephony_subaccounts (org_id, subaccount_sid, business_name)
  values (${ORG}, ${"AC" + "1".repeat(32)}, 'A business')`;
await db.sql`
  insert into public.telephony_numbers (e164_number, org_id, number_sid, country)
  values (${LINE}, ${ORG}, ${"PN" + "1".repeat(32)}, 'CA')`;
for (const call_status of ["in-progress", "completed"] as const) {
  const event = voiceEvent(newCallSid(), {
    to_e164: LINE as never,
    from_e164: "+14165550777" as never,
    call_status,
    recording_sid: recordingSid(1),
    recording_source: "voicemail",
    transcript: "PRIVATEWORDS",
    meta: { speech: "PRIVATEWORDS" },
  });
  await db.sql`select public.accept_voice_event(${db.sql.json(event as never)})`;
}
await db.sql`select submit_contact_message(${
  db.sql.json({ name: "Jane", email: "jane@example.com", message: "PRIVATEWORDS" })
}, '[]', '[]')`;
await db.sql`select record_rate_limit_refusal('voice-frontdoor', 'caller', '+14165550777')`;

const relations = await db.sql<{ name: string; kind: "r" | "v"; columns: string[] }[]>`
  select c.relname as name, case c.relkind when 'v' then 'v' else 'r' end as kind, array_agg(a.attname::text order by a.attnum) as columns
  from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') group by 1, 2 order by 1`;
const functions = await db.sql<{ name: string; definer: boolean }[]>`
  select p.oid::regprocedure::text as name, p.prosecdef as definer from pg_proc as p
  where p.pronamespace = 'public'::regnamespace order by 1`;

const PRIVILEGES = "select insert update delete truncate references trigger maintain".split(" ");

/** The privileges that a role has on an object; `update(handled_at)` is one on certain columns only. */
async function privileges(role: string, name: string): Promise<string[]> {
  const rows = await db.sql<{ privilege: string }[]>`
    with object as (select ${`public.${name}`}::regclass as oid),
    held as (
      select p, nth, has_table_privilege(${role}, oid, p) as whole,
        case when p in ('select', 'insert', 'update', 'references') then (
          select string_agg(attname, ', ' order by attnum) from pg_attribute
          where attrelid = oid and attnum > 0 and not attisdropped and has_column_privilege(${role}, oid, attnum, p)
        ) end as columns
      from object, unnest(${PRIVILEGES}::text[]) with ordinality as asked (p, nth)
    )
    select p || case when whole then '' else '(' || columns || ')' end as privilege from held
    where whole or columns is not null order by nth`;
  return rows.map(({ privilege }) => privilege);
}

async function readable(role: string, name: string, columns: string[]): Promise<string[]> {
  const rows = await db.sql<{ column: string }[]>`
    select c as column from unnest(${columns}::text[]) as c
    where has_column_privilege(${role}, ${`public.${name}`}, c, 'SELECT')`;
  return rows.map(({ column }) => column);
}

/** All that a role reads of some columns, as text; as the Data API asks. */
async function text(
  role: string,
  claims: unknown,
  name: string,
  columns: string[],
): Promise<string> {
  return await db.sql.begin(async (sql) => {
    await sql`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
    await sql.unsafe(`set local role ${role}`);
    const rows = await (sql as unknown as Sql)`select ${sql(columns)} from ${sql(name)}`;
    return JSON.stringify(rows);
  }) as string;
}

const CHANGES = ["select", "insert", "update", "delete"];

/** The rights of the functions' own role on each table. It reads views. A new table needs an entry here. */
const WORK: Readonly<Record<string, readonly string[]>> = {
  // History: it comes, and is not taken away or rewritten.
  call_lifecycle: ["select", "insert"],
  call_logs: ["select", "insert", "update"],
  call_legs: ["select", "insert", "update"],
  recordings: ["select", "insert", "update"],
  analytics_events: ["select", "insert"],
  contact_messages: ["select", "insert", "update(handled_at)"],
  // Written by what erases, which runs with its owner's rights.
  consent_evidence: ["select"],
  disclosures: ["select", "insert"],
  erased_calls: ["select"],
  erasure_receipts: ["select"],
  // Read by definers alone, and by nobody directly.
  telephony_secrets: [],
  number_keys: [],
  // An operator's to set.
  alert_rules: ["select", "update(threshold, window_minutes, minimum, close_after_minutes)"],
  job_kinds: [
    "select",
    "update(share, hourly_share, lease, delays, max_attempts, expires_after, longest_hold, keep, held_until, held_for)",
  ],
  retention_rules: ["select", "update(days)"],
  personal_data: ["select"],
  // Sums, that are taken back by the hour and made anew.
  call_hours: ["select", "insert"],
  rolled_hours: ["select", "insert", "delete"],
  // Totals only grow.
  function_totals: ["select", "insert", "update"],
  worker_runs: ["select", "insert", "update"],
  // Counts, purged after 90 days.
  dialled_time: ["select", "insert", "update", "delete"],
  // A number goes when its organisation is released; the account stays, as its calls do.
  telephony_numbers: ["select", "insert", "update", "delete"],
  telephony_subaccounts: ["select", "insert", "update"],
  // A version of a flow never changes; what answers by it moves.
  call_flow_versions: ["select", "insert"],
  call_flows: ["select", "insert", "update(draft, drafted_by, drafted_at)"],
  call_flow_pointers: ["select", "insert", "update(version, moved_by, moved_at)"],
  lines: ["select", "insert", "update(flow_id)", "delete"],
  prompts: ["select", "insert"],
  flow_counts: ["select", "insert", "update(calls)"],
  flow_counts_until: ["select", "insert", "update(until)"],
  // What comes and goes.
  calendar_overrides: CHANGES,
  people: CHANGES,
  callbacks: ["select", "insert", "update"],
  queue_entries: ["select", "insert", "update"],
  call_tokens: ["select", "insert", "delete"],
  dial_attempts: ["select", "insert", "update"],
  campaigns: CHANGES,
  campaign_lines: CHANGES,
  campaign_areas: CHANGES,
  campaign_contacts: CHANGES,
  campaign_changes: CHANGES,
  dial_rates: ["select", "insert", "update"],
  // The record of each dial, kept for five years.
  campaign_dials: ["select", "insert"],
  agent_sessions: ["select", "insert", "update"],
  // Append-only: erasure runs with its owner's rights.
  agent_turns: ["select", "insert"],
  agent_questions: ["select", "insert", "update"],
  agent_evaluations: ["select", "insert"],
  agent_providers: ["select", "insert", "update"],
  knowledge_entries: CHANGES,
  // Said once, it stands.
  suppressions: ["select", "insert", "delete"],
  contacts: CHANGES,
  call_notes: CHANGES,
  call_tags: CHANGES,
  saved_searches: CHANGES,
  search_alerts: CHANGES,
  voicemail_steps: ["select", "insert"],
  // Written by definers.
  search_documents: ["select"],
  search_embeddings: ["select"],
  search_words: ["select"],
  search_alert_matches: ["select"],
  // What was searched for is nobody else's.
  search_history: [
    "select(id, org_id, owner, at, filters, hits, milliseconds, partial, corrected)",
  ],
  members: CHANGES,
  // Written by triggers, which run with their owner's rights.
  audit_log: ["select"],
  alert_episodes: CHANGES,
  function_metrics: CHANGES,
  health_checks: CHANGES,
  idempotency_keys: CHANGES,
  jobs: CHANGES,
  rate_limit_refusals: CHANGES,
  rate_limit_windows: CHANGES,
  telephony_transactions: CHANGES,
};

/** What signed-in people may change, within their policies: see tests/db/members_test.ts. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  members: ["insert(org_id, email, name, role)", "update(name, role)", "delete"],
  people: [
    "insert(org_id, handle, name, phone, available, dnd_until, calendar, member_id, code)",
    "update(handle, name, phone, available, dnd_until, calendar, member_id, code)",
    "delete",
  ],
  agent_questions: ["update(dismissed)"],
  knowledge_entries: [
    "insert(question, answer, language)",
    "update(question, answer, language, updated_at)",
    "delete",
  ],
  callbacks: ["update(dismissed)"],
  suppressions: ["insert(org_id, e164, source)"],
  contacts: [
    "insert(org_id, phone, name, company, notes, consent, consent_at, consent_source, blocked)",
    "update(name, company, notes, consent, consent_at, consent_source, blocked)",
    "delete",
  ],
  call_notes: ["insert(call_sid, body)", "update(body)", "delete"],
  call_tags: ["insert(call_sid, tag)", "delete"],
  voicemail_steps: ["insert(call_sid, recording_sid, state, assigned_to)"],
  saved_searches: [
    "insert(org_id, name, query, filters)",
    "update(name, query, filters)",
    "delete",
  ],
  search_alerts: [
    "insert(org_id, name, query, kinds, channel, target, secret, active)",
    "update(name, query, kinds, channel, target, secret, active)",
    "delete",
  ],
};

for (const { name, kind, columns } of relations) {
  Deno.test(`anon can do nothing with ${name}`, async () => {
    assertEquals(await privileges("anon", name), []);
  });

  Deno.test(`a signed-in member of another organisation learns nothing from ${name}`, async () => {
    const held = await privileges("authenticated", name);
    assertEquals(held.filter((privilege) => !privilege.startsWith("select")), MEMBERS[name] ?? []);
    const open = await readable("authenticated", name, columns);
    if (open.length === 0) return;
    const member = { role: "authenticated", app_metadata: { org_id: STRANGER } };
    const seen = await text("authenticated", member, name, open);
    for (const word of [...PERSONAL, ORG, LINE.slice(1)]) {
      assertEquals(seen.includes(word), false, `${word} in ${seen}`);
    }
    if (kind === "r") assertEquals(seen, "[]");
  });

  Deno.test(`monitoring changes nothing in ${name}, and reads no personal column there`, async () => {
    const held = await privileges("monitoring", name);
    assertEquals(held.filter((privilege) => !privilege.startsWith("select")), []);
    const open = await readable("monitoring", name, columns);
    if (open.length === 0) return;
    const seen = await text("monitoring", {}, name, open);
    for (const word of PERSONAL) assertEquals(seen.includes(word), false, `${word} in ${seen}`);
  });

  Deno.test(`the functions' own role has no more of ${name} than its work needs`, async () => {
    const expected = kind === "v" ? ["select"] : WORK[name];
    assertEquals(await privileges("service_role", name), expected);
  });
}

Deno.test("each table in the list of the functions' rights exists", () => {
  const tables = relations.filter(({ kind }) => kind === "r").map(({ name }) => name);
  assertEquals(Object.keys(WORK).toSorted(), tables);
});

for (const { name, definer } of functions) {
  Deno.test(`${name} can be executed only by the roles that need it`, async () => {
    const [may] = await db.sql`
      select has_function_privilege('anon', ${name}::regprocedure, 'execute') as anon,
        has_function_privilege('authenticated', ${name}::regprocedure, 'execute') as authenticated,
        has_function_privilege('monitoring', ${name}::regprocedure, 'execute') as monitoring`;
    assertEquals(may!.anon, false);
    // A function with its owner's rights lends them to its callers.
    if (definer) assertEquals(may, { anon: false, authenticated: false, monitoring: false });
  });
}

Deno.test("only the functions' own role and the owner may use sequences", async () => {
  const open = await db.sql`
    select c.relname, r as role from pg_class as c, unnest(array['anon', 'authenticated', 'monitoring']) as r
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'S'
      and has_sequence_privilege(r, c.oid, 'usage, select, update')`;
  assertEquals([...open], []);
});

Deno.test("no role may use a partition directly: access goes through its table and its policies", async () => {
  const parts = await db.sql`select from pg_class where relispartition and relkind = 'r'`;
  assertEquals(parts.length > 0, true);
  const open = await db.sql`
    select c.oid::regclass::text as part, r as role
    from pg_class as c, unnest(array['anon', 'authenticated', 'monitoring', 'service_role']) as r
    where c.relispartition and c.relkind = 'r'
      and (has_table_privilege(r, c.oid, 'select, insert, update, delete, truncate, references, trigger')
        or has_any_column_privilege(r, c.oid, 'select, insert, update, references'))`;
  assertEquals([...open], []);
});
