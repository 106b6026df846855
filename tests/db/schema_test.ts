import { assertEquals } from "@std/assert/equals.js";
import type { Sql } from "postgres";
import { createTestDatabase } from "../support/database.ts";

// What the migrations make, as text under version control: a change of the schema shows in review, and one
// that nobody meant fails here. After a change that is meant: UPDATE_SCHEMA=1 deno task test tests/db/schema_test.ts

const SNAPSHOT = new URL("./schema.snapshot.sql", import.meta.url);

Deno.test("the migrations make the schema that is committed", async () => {
  const db = await createTestDatabase();
  try {
    const actual = await describe(db.sql);
    if (Deno.env.get("UPDATE_SCHEMA") === "1") await Deno.writeTextFile(SNAPSHOT, actual);
    assertEquals(actual, await Deno.readTextFile(SNAPSHOT));
  } finally {
    await db.drop();
  }
});

async function describe(sql: Sql): Promise<string> {
  const types = await sql<Line[]>`
    select format('create type %I as enum (%s);', t.typname,
      (select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = t.oid)) as line
    from pg_type as t where t.typnamespace = 'public'::regnamespace and t.typtype = 'e'
    union all
    select format('create domain %I as %s %s;', t.typname, format_type(t.typbasetype, t.typtypmod),
      (select string_agg(pg_get_constraintdef(oid), ' ' order by conname) from pg_constraint where contypid = t.oid))
    from pg_type as t where t.typnamespace = 'public'::regnamespace and t.typtype = 'd'
    order by 1`;
  const columns = await sql<Line[]>`
    select format(e'%s %I (\n%s\n)%s;',
      case c.relkind when 'c' then 'create type' else 'create table' end, c.relname,
      (
        select string_agg(format('  %I %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
          case when a.attnotnull then ' not null' else '' end,
          case when a.attidentity <> '' then ' generated always as identity' else '' end,
          case when d.oid is null then '' when a.attgenerated = 's' then ' generated always as (' || pg_get_expr(d.adbin, d.adrelid) || ') stored'
            else ' default ' || pg_get_expr(d.adbin, d.adrelid) end), e',\n' order by a.attnum)
        from pg_attribute as a left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      ),
      coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '')) as line
    from pg_class as c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'c')
    order by c.relkind, c.relname`;
  const constraints = await sql<Line[]>`
    select format('alter table %I add constraint %I %s;', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) as line
    from pg_constraint as c where c.connamespace = 'public'::regnamespace and c.conrelid <> 0 and c.contype <> 'n'
    order by c.conrelid::regclass::text, c.conname`;
  const indexes = await sql<Line[]>`
    select indexdef || ';' as line from pg_indexes where schemaname = 'public' order by indexname`;
  const functions = await sql<Line[]>`
    select pg_get_functiondef(oid) as line from pg_proc
    where pronamespace = 'public'::regnamespace and prokind = 'f' order by proname, oid::regprocedure::text`;
  const triggers = await sql<Line[]>`
    select pg_get_triggerdef(oid) || ';' as line from pg_trigger
    where not tgisinternal and tgrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)
    order by tgrelid::regclass::text, tgname`;
  const views = await sql<Line[]>`
    select format(e'create view %I with (%s) as\n%s', relname, array_to_string(reloptions, ', '), pg_get_viewdef(oid)) as line
    from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v' order by relname`;
  const policies = await sql<Line[]>`
    select format('alter table %I enable row level security;', relname) as line from pg_class
    where relnamespace = 'public'::regnamespace and relrowsecurity
    union all
    select format('create policy %I on %I for %s to %s%s%s;', policyname, tablename, lower(cmd), array_to_string(roles, ', '),
      ' using (' || qual || ')', ' with check (' || with_check || ')')
    from pg_policies where schemaname = 'public' order by 1`;
  const grants = await sql<Line[]>`
    select format('grant %s on %s to %s;', string_agg(lower(acl.privilege_type), ', ' order by acl.privilege_type), object, acl.grantee::regrole) as line
    from (
      select relname::text as object, relacl as acls from pg_class where relnamespace = 'public'::regnamespace
      union all
      select 'function ' || oid::regprocedure, proacl from pg_proc where pronamespace = 'public'::regnamespace
    ) as objects, aclexplode(acls) as acl
    where acl.grantee <> 'postgres'::regrole and acl.grantee <> 0
    group by object, acl.grantee order by object, acl.grantee::regrole::text`;

  const part = (title: string, lines: readonly Line[]) =>
    [`-- ${title}`, ...lines.map(({ line }) => line.trimEnd())].join("\n\n");
  return [
    part("Types", types),
    part("Tables and composite types", columns),
    part("Constraints", constraints),
    part("Indexes", indexes),
    part("Functions", functions),
    part("Triggers", triggers),
    part("Views", views),
    part("Row-level security", policies),
    part("Grants", grants),
  ].join("\n\n") + "\n";
}

interface Line {
  line: string;
}
