import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertRejects } from "@std/assert/rejects.js";
import { join } from "@std/path/join.js";
import {
  createRoles,
  migrate,
  MigrationError,
  OtherSchemaError,
} from "../../scripts/local/migrate.ts";
import { splitStatements } from "../../scripts/local/sql.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { typesFile } from "../../scripts/schema/types.ts";
import { connect } from "../support/cluster.ts";
import { createTestDatabase, recorded, type TestDatabase } from "../support/database.ts";

const MIGRATIONS = join(ROOT, "supabase", "migrations");

/** A test with an empty database, and a directory with the given files. */
function test(
  name: string,
  files: Record<string, string>,
  body: (db: TestDatabase, dir: string) => Promise<void>,
) {
  Deno.test(`migrations: ${name}`, async () => {
    const [db, dir] = await Promise.all([
      createTestDatabase({ empty: true }),
      Deno.makeTempDir(),
    ]);
    try {
      await writeFiles(dir, files);
      await body(db, dir);
    } finally {
      await Promise.all([db.drop(), Deno.remove(dir, { recursive: true })]);
    }
  });
}

async function writeFiles(dir: string, files: Record<string, string>): Promise<void> {
  await Promise.all(
    Object.entries(files).map(([name, text]) => Deno.writeTextFile(join(dir, name), text)),
  );
}

const TWO = {
  "20250101000000_first.sql": "create table t (id int primary key);\ninsert into t values (1);\n",
  "20250102000000_second_one.sql": "-- Why.\nalter table t add column name text default 'a;b';\n",
};

test("are applied in order and recorded", TWO, async (db, dir) => {
  assertEquals(await migrate(db.sql, dir), Object.keys(TWO));
  assertEquals(await recorded(db), [
    {
      version: "20250101000000",
      name: "first",
      statements: ["create table t (id int primary key)", "insert into t values (1)"],
    },
    {
      version: "20250102000000",
      name: "second_one",
      statements: ["-- Why.\nalter table t add column name text default 'a;b'"],
    },
  ]);
  assertEquals([...await db.sql`select * from t`], [{ id: 1, name: "a;b" }]);
});

test("do nothing the second time, and then only what is new", TWO, async (db, dir) => {
  await migrate(db.sql, dir);
  assertEquals(await migrate(db.sql, dir), []);
  await writeFiles(dir, { "20250103000000_third.sql": "insert into t values (3)" });
  assertEquals(await migrate(db.sql, dir), ["20250103000000_third.sql"]);
  assertEquals((await db.sql`select from t`).length, 2);
});

test(
  "refuse a database that other migrations made, and change nothing in it",
  TWO,
  async (db, dir) => {
    await migrate(db.sql, dir);
    await Deno.remove(join(dir, Object.keys(TWO)[0]!));
    await writeFiles(dir, { "20250103000000_third.sql": "insert into t values (3)" });
    await assertRejects(
      () => migrate(db.sql, dir),
      OtherSchemaError,
      "which has no 20250101000000",
    );
    assertEquals((await db.sql`select from t`).length, 1);
  },
);

test("by 20 starters at once are applied once", TWO, async (db, dir) => {
  const starters = Array.from({ length: 20 }, () => connect(db.url));
  try {
    const applied = await Promise.all(starters.map((sql) => migrate(sql, dir)));
    assertEquals(applied.flat().sort(), Object.keys(TWO));
    assertEquals((await db.sql`select from t`).length, 1);
  } finally {
    await Promise.all(starters.map((sql) => sql.end()));
  }
});

test("skip files that the Supabase CLI skips", {
  "notes.sql": "nonsense",
  "1_short_version.sql": "create table t (id int)",
  "20250101000000_old.sql.bak": "nonsense",
}, async (db, dir) => {
  assertEquals(await migrate(db.sql, dir), ["1_short_version.sql"]);
});

test("that fail leave nothing, and say where", {
  ...TWO,
  "20250103000000_broken.sql":
    "create table gone (id int);\n\n-- A comment.\nselect 1\n  from nowhere;\n",
  "20250104000000_after.sql": "create table after (id int);\n",
}, async (db, dir) => {
  const error = await assertRejects(() => migrate(db.sql, dir), MigrationError);
  assertMatch(
    error.message,
    /20250103000000_broken\.sql:5:8: relation "nowhere" does not exist \(SQLSTATE 42P01\)$/,
  );
  assertEquals((await recorded(db)).length, 2);
  const [left] = await db.sql`select to_regclass('gone') as gone, to_regclass('after') as after`;
  assertEquals(left, { gone: null, after: null });
});

test("do not hand their session settings to the next", {
  "1_set.sql": "create schema s; set search_path = s;",
  "2_use.sql": "create table t (id int);",
}, async (db, dir) => {
  await migrate(db.sql, dir);
  assertEquals((await db.sql`select to_regclass('public.t')::text as t`)[0]?.t, "t");
});

test("of this project apply to an empty database, and the roles twice", {}, async (db) => {
  await createRoles(db.sql);
  await migrate(db.sql, MIGRATIONS);
  assertEquals(await migrate(db.sql, MIGRATIONS), []);
  await createRoles(db.sql);
});

test("start from roles without any grant on new tables", {}, async (db) => {
  await createRoles(db.sql);
  const [row] = await db.sql`
    create table public.plain (id int primary key)`.then(() =>
    db.sql`
      select has_table_privilege('anon', 'public.plain', 'select') as anon,
        has_table_privilege('authenticated', 'public.plain', 'select') as authenticated,
        has_table_privilege('service_role', 'public.plain', 'select') as service_role,
        has_schema_privilege('service_role', 'public', 'usage') as usage,
        (select rolbypassrls from pg_roles where rolname = 'service_role') as bypasses,
        extensions.gen_random_uuid() is not null as crypto`
  );
  assertEquals(row, {
    anon: false,
    authenticated: false,
    service_role: false,
    usage: true,
    bypasses: true,
    crypto: true,
  });
});

Deno.test("SQL is split at the semicolons between statements only", () => {
  const split = (sql: string) => splitStatements(sql).map((statement) => statement.text);
  assertEquals(split("select 1; select 2"), ["select 1", "select 2"]);
  assertEquals(split(" ;; \n;"), []);
  assertEquals(split("select 'a;''b'; select \"c;\"\"d\";"), [
    "select 'a;''b'",
    'select "c;""d"',
  ]);
  assertEquals(split(String.raw`select E'\';'; select '\';`), [
    String.raw`select E'\';'`,
    String.raw`select '\'`,
  ]);
  assertEquals(split("-- it's; \nselect 1; /* ; /* ' */ ; */ select 2;"), [
    "-- it's; \nselect 1",
    "/* ; /* ' */ ; */ select 2",
  ]);
  assertEquals(split("do $$ begin; $x$ ; $x$ end $$; select $a$;$$;$a$;"), [
    "do $$ begin; $x$ ; $x$ end $$",
    "select $a$;$$;$a$",
  ]);
  const atomic = "create function f() returns int begin atomic\n" +
    "select case when true then 1 end;\nselect 2;\nend";
  assertEquals(split(`${atomic}; select 3;`), [atomic, "select 3"]);
  assertEquals(split("create rule r as on insert to t do (select 1; select 2); select 3"), [
    "create rule r as on insert to t do (select 1; select 2)",
    "select 3",
  ]);
  assertEquals(splitStatements("select 1;\n  select 2;")[1]?.offset, 12);
});

// All of the file is compared where Supabase's CLI may take its time: tests/deploy/cli_migrations_test.ts.
Deno.test("migrations: make the functions and parameters that database.types.ts has", async () => {
  const [, types = ""] = /^ {4}Functions: \{\n(.*?)^ {4}\};\n/ms.exec(
    await Deno.readTextFile(typesFile(ROOT)),
  )!;
  const typed = types.split(/^(?= {6}")/m).map((each) => {
    const [name, ...parameters] = each.split("Returns:")[0]!.matchAll(/"(\w+)"\??:/g);
    return `${name![1]}(${parameters.map(([, parameter]) => parameter).sort().join(", ")})`;
  });
  const db = await createTestDatabase();
  try {
    const made = await db.sql<{ line: string }[]>`
      select format('%s(%s)', proname, (
        select string_agg(name, ', ' order by name collate "C") from unnest(proargnames[1:pronargs]) as name
      )) as line
      from pg_proc
      where pronamespace = 'public'::regnamespace and prokind = 'f'
        and prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
        and not exists (
          select from unnest(proargtypes) as argument
          join pg_type as t on argument in (t.oid, t.typarray) join pg_class as c on c.oid = t.typrelid
          where c.relkind <> 'c'
        )`;
    assertEquals(typed.sort(), made.map(({ line }) => line).sort(), "run deno task schema --types");
  } finally {
    await db.drop();
  }
});
