import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import postgres, { type Sql } from "postgres";
import { join } from "@std/path/join.js";
import { createRoles, migrate } from "../../scripts/local/migrate.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { differences, readCatalog } from "../../scripts/schema/catalog.ts";
import { createTestDatabase } from "../support/database.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";

const db = await createTestDatabase();
Deno.test.afterAll(() => db.drop());

const ORG = "11111111-1111-4111-8111-111111111111";
const OTHER_ORG = "22222222-2222-4222-8222-222222222222";
const ours = newCallSid();
const theirs = newCallSid();

for (
  const [org, number, sid] of [[ORG, "+15550001111", ours], [
    OTHER_ORG,
    "+15550002222",
    theirs,
  ]] as const
) {
  const digit = number.slice(-1);
  await db.sql`
    insert into public.telephony_subaccounts (org_id, subaccount_sid, business_name)
    values (${org}, ${"AC" + digit.repeat(32)}, 'A business')`;
  await db.sql`
    insert into public.telephony_numbers (e164_number, org_id, number_sid, country)
    values (${number}, ${org}, ${"PN" + digit.repeat(32)}, 'CA')`;
  await db.sql`select public.accept_voice_event(${
    db.sql.json(voiceEvent(sid, { to_e164: number }) as never)
  })`;
}

/** Runs as a role, as the Data API does: in a transaction, with the token's claims. */
async function as<T>(role: string, claims: unknown, run: (sql: Sql) => Promise<T>): Promise<T> {
  return await db.sql.begin(async (sql) => {
    await sql`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
    await sql.unsafe(`set local role ${role}`);
    return await run(sql as unknown as Sql);
  }) as T;
}

const member = (org: string) => ({ role: "authenticated", app_metadata: { org_id: org } });

const TABLES_AND_VIEWS = await db.sql<{ name: string; kind: string }[]>`
  select c.relname as name, c.relkind as kind from pg_class as c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') order by 1`;

Deno.test("anon can read no table and no view, and call no function", async () => {
  for (const { name } of TABLES_AND_VIEWS) {
    const error = await assertRejects(
      () => as("anon", { role: "anon" }, (sql) => sql`select from ${sql(name)}`),
      postgres.PostgresError,
      undefined,
      name,
    );
    assertEquals(error.code, "42501", name);
  }
  const functions = await db.sql`
    select p.oid::regprocedure::text as name from pg_proc as p
    where p.pronamespace = 'public'::regnamespace and has_function_privilege('anon', p.oid, 'execute')`;
  assertEquals(functions.map(({ name }) => name), []);
});

Deno.test("a signed-in user sees the calls of the own organisation and no other", async () => {
  for (const [org, sid] of [[ORG, ours], [OTHER_ORG, theirs]] as const) {
    const seen = await as("authenticated", member(org), async (sql) => ({
      calls: await sql`select call_sid from call_logs`,
      active: await sql`select call_sid from active_calls`,
      events: await sql`select call_sid from call_lifecycle`,
      numbers: await sql`select org_id, calls_last_24h::int from number_provisioning_status`,
    }));
    assertEquals(seen.calls.map((row) => row.call_sid), [sid]);
    assertEquals(seen.active.map((row) => row.call_sid), [sid]);
    assertEquals(seen.events.map((row) => row.call_sid), [sid]);
    assertEquals([...seen.numbers], [{ org_id: org, calls_last_24h: 1 }]);
  }
});

Deno.test("a signed-in user without an organisation sees nothing", async () => {
  const seen = await as(
    "authenticated",
    { role: "authenticated" },
    (sql) => sql`select from call_logs`,
  );
  assertEquals(seen.length, 0);
});

Deno.test("a signed-in user changes nothing, and cannot play a webhook", async () => {
  const attempts: ((sql: Sql) => Promise<unknown>)[] = [
    (sql) => sql`update call_logs set consent_given = true, consent_order = 1`,
    (sql) => sql`delete from call_lifecycle`,
    (sql) => sql`insert into analytics_events (event_type) values ('x')`,
    (sql) => sql`select from idempotency_keys`,
    (sql) => sql`select from rate_limit_windows`,
    (sql) => sql`select accept_voice_event('{}')`,
    (sql) => sql`select take_rate_limit('a', 'b', 'c', 1, interval '1 second')`,
    (sql) => sql`select health_migration()`,
  ];
  for (const [i, attempt] of attempts.entries()) {
    const error = await assertRejects(
      () => as("authenticated", member(ORG), attempt),
      postgres.PostgresError,
      undefined,
      `attempt ${i}`,
    );
    assertEquals(error.code, "42501", `attempt ${i}`);
  }
});

Deno.test("even the functions' own role cannot rewrite what has happened", async () => {
  for (
    const attempt of [
      (sql: Sql) => sql`update call_lifecycle set event = 'menu'`,
      (sql: Sql) => sql`delete from call_lifecycle`,
      (sql: Sql) => sql`delete from call_logs`,
      (sql: Sql) => sql`truncate analytics_events`,
    ]
  ) {
    const error = await assertRejects(
      () => as("service_role", { role: "service_role" }, attempt),
      postgres.PostgresError,
    );
    assertEquals(error.code, "42501");
  }
});

Deno.test("the functions' own role can do all that a webhook needs", async () => {
  const answer = await as("service_role", { role: "service_role" }, async (sql) => {
    const event = voiceEvent(newCallSid(), {
      limits: [{ identifier_type: "caller", identifier: "+15550009999", max: 10, window_sec: 60 }],
    });
    const [row] = await sql`select accept_voice_event(${sql.json(event as never)}) as answer`;
    return row!.answer;
  });
  assertEquals(answer.admitted, true);
});

Deno.test("each table has row-level security and a policy, each view the asker's rights, each function its search path", async () => {
  const tables = await db.sql`
    select c.relname as name from pg_class as c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
      and (not c.relrowsecurity or not exists (select from pg_policy as p where p.polrelid = c.oid))`;
  assertEquals([...tables], []);
  const views = await db.sql`
    select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'v'
      and not coalesce(reloptions @> array['security_invoker=true'], false)`;
  assertEquals([...views], []);
  const functions = await db.sql`
    select oid::regprocedure::text as name from pg_proc
    where pronamespace = 'public'::regnamespace
      and not exists (select from unnest(proconfig) as setting where setting like 'search_path=%')`;
  assertEquals([...functions], []);
});

Deno.test("each foreign key has an index, and each table a primary key", async () => {
  const unindexed = await db.sql`
    select c.conname as name from pg_constraint as c
    where c.contype = 'f' and c.connamespace = 'public'::regnamespace and not exists (
      select from pg_index as i where i.indrelid = c.conrelid
        and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey
    )`;
  assertEquals([...unindexed], []);
  const keyless = await db.sql`
    select relname as name from pg_class as t
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
      and not exists (select from pg_index as i where i.indrelid = t.oid and i.indisprimary)`;
  assertEquals([...keyless], []);
});

Deno.test("roles: objects made after the migrations have no grants, on an old project too", async () => {
  const [old, fresh] = await Promise.all([
    createTestDatabase({ empty: true }),
    createTestDatabase(),
  ]);
  try {
    await createRoles(old.sql);
    // As Supabase set its projects up until November 2026.
    for (const kind of ["tables", "functions", "sequences"]) {
      // deno-lint-ignore no-await-in-loop
      await old.sql.unsafe(
        `alter default privileges in schema public grant all on ${kind} to anon, authenticated, service_role`,
      );
    }
    await migrate(old.sql, join(ROOT, "supabase", "migrations"));
    assertEquals(differences(await readCatalog(fresh.sql), await readCatalog(old.sql)), []);
    await old.sql.unsafe(`
      create table public.made (id int);
      create sequence public.counted;
      create function public.done() returns int language sql return 1`);
    const [row] = await old.sql`
      select count(*)::int as reached from unnest(array['anon', 'authenticated', 'service_role', 'monitoring']) as role
      where has_table_privilege(role, 'public.made', 'select, insert, update, delete, truncate, references, trigger, maintain')
        or has_sequence_privilege(role, 'public.counted', 'usage, select, update')
        or has_function_privilege(role, 'public.done()', 'execute')`;
    assertEquals(row!.reached, 0);
  } finally {
    await Promise.all([old.drop(), fresh.drop()]);
  }
});
