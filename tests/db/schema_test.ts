import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertRejects } from "@std/assert/rejects.js";
import { basename } from "@std/path/basename.js";
import { join } from "@std/path/join.js";
import { createRoles, migrationFiles } from "../../scripts/local/migrate.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { differences, outline, readCatalog, readSchema } from "../../scripts/schema/catalog.ts";
import {
  applySchemas,
  lay,
  readReleased,
  release,
  rewritten,
  SchemaError,
  schemaFiles,
} from "../../scripts/schema/schema.ts";
import { createTestDatabase, databaseTests } from "../support/database.ts";

const test = databaseTests("schema");

// What the migrations make, a line an object: deno task doctor compares a database with it, and a change that was not
// intended fails here. After an intended change: UPDATE_SCHEMA=1 deno task test tests/db/schema_test.ts

const SNAPSHOT = new URL("../../supabase/schema.snapshot.txt", import.meta.url);

test("the migrations make the schema that is committed", async ({ sql }) => {
  const actual = outline(await readSchema(sql)).join("\n") + "\n";
  if (Deno.env.get("UPDATE_SCHEMA") === "1") await Deno.writeTextFile(SNAPSHOT, actual);
  assertEquals(actual, await Deno.readTextFile(SNAPSHOT));
});

test("supabase/schemas make what the migrations make", async ({ sql }) => {
  const empty = await createTestDatabase({ empty: true });
  try {
    await createRoles(empty.sql);
    await applySchemas(empty.sql, ROOT);
    assertEquals(differences(await readCatalog(empty.sql), await readCatalog(sql)), []);
  } finally {
    await empty.drop();
  }
});

test("every difference between two databases is reported", async ({ sql }) => {
  const was = await readCatalog(sql);
  const changes: Record<string, RegExp> = {
    "alter table call_logs add column extra int": /create table public\.call_logs/,
    "alter table call_logs alter mode set default 'x'": /create table public\.call_logs/,
    "alter table call_logs drop constraint call_logs_mode_form":
      /- alter table call_logs .*mode_form/,
    "alter table call_logs set (fillfactor = 90)": /fillfactor=90/,
    "drop index call_logs_party_idx": /- CREATE INDEX call_logs_party_idx/,
    "alter function call_hash(text) volatile": /FUNCTION public\.call_hash/,
    "create or replace function call_hash(p_call_sid text) returns bytea language sql immutable return ''::bytea":
      /FUNCTION public\.call_hash/,
    "alter table call_logs disable trigger call_logs_unroll_insert":
      /call_logs_unroll_insert .* -- D/,
    "alter view recent_errors set (security_invoker = false)": /create view recent_errors/,
    "drop policy call_logs_of_own_org on call_logs": /- create policy call_logs_of_own_org/,
    "alter table call_logs disable row level security": /- alter table public\.call_logs enable/,
    "grant delete on call_logs to service_role":
      /\+ grant delete, .* on public\.call_logs to service_role/,
    "grant select (transcript) on call_logs to monitoring":
      /\+ grant select on public\.call_logs \(transcript\)/,
    "grant execute on function call_hash(text) to public":
      /\+ grant execute on function call_hash\(text\) to public/,
    "alter default privileges in schema public grant select on tables to anon":
      /\+ alter default privileges/,
    "comment on table call_logs is 'x'": /\+ comment on table public\.call_logs is 'x'/,
    "comment on column call_logs.mode is 'x'": /\+ comment on table public\.call_logs\.mode is 'x'/,
    "alter table call_lifecycle detach partition months.call_lifecycle_other":
      /call_lifecycle_other/,
    "alter type call_status add value 'gone'": /\+ create type call_status/,
    "update retention_rules set days = 1 where subject = 'calls'":
      /\+ -- retention_rules: .*"days": 1,/,
  };
  for (const [change, expected] of Object.entries(changes)) {
    // deno-lint-ignore no-await-in-loop -- Each is taken back before the next.
    await sql.begin(async (tx) => {
      await tx.unsafe(change);
      assertMatch(differences(was, await readCatalog(tx)).join("\n"), expected, change);
      throw new Error("back");
    }).catch((error) => {
      if (error.message !== "back") throw error;
    });
  }
});

Deno.test("every file of supabase/schemas is loaded, and each object is made once, as it is", async () => {
  const files = await schemaFiles(ROOT);
  const dir = join(ROOT, "supabase", "schemas");
  assertEquals(
    files.map((file) => basename(file)).sort(),
    [...Deno.readDirSync(dir)].map(({ name }) => name).sort(),
  );
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(file)));
  const made = texts.join("\n").matchAll(
    /^create (?:\w+ )*?(table|function|view|type|index) (\S+?)[ (]/gm,
  );
  const names = [...made].map(([, kind, name]) => `${kind} ${name}`).sort();
  assertEquals(names, [...new Set(names)]);
  assertEquals(names.length > 100, true);
  for (const [i, text] of texts.entries()) {
    // What an object was before has no place here.
    const history = text.match(
      /^(?:create or replace|drop|alter table \S+ (?!enable row level)|alter (?!table|default)).*/m,
    );
    assertEquals(history?.[0], undefined, files[i]);
  }
});

async function copyOfTheTree(): Promise<string> {
  const root = await Deno.makeTempDir({ prefix: "tradeline-schema-test-" });
  const copy = async (path: string) => {
    await Deno.mkdir(join(root, path, ".."), { recursive: true });
    await Deno.copyFile(join(ROOT, path), join(root, path));
  };
  const paths = ["schemas", "migrations"].flatMap((dir) =>
    [...Deno.readDirSync(join(ROOT, "supabase", dir))].map(({ name }) => `supabase/${dir}/${name}`)
  );
  await Promise.all([
    "supabase/config.toml",
    "supabase/functions/_shared/db/schema_version.ts",
    ...paths,
  ].map(copy));
  await Deno.writeTextFile(join(root, "supabase/released.json"), "{}");
  return root;
}

Deno.test("migrations are rewritten until they are released, and never afterwards", async () => {
  assertEquals(await rewritten(ROOT), [], "a released migration was changed");

  const root = await copyOfTheTree();
  try {
    const dir = join(root, "supabase", "migrations");
    await Deno.writeTextFile(join(dir, "20991231000000_stray.sql"), "select 1;");
    const names = await lay(root);
    assertEquals(migrationFiles(dir), names);
    const [first = ""] = names;
    assertEquals(
      await Deno.readTextFile(join(dir, first)),
      await Deno.readTextFile((await schemaFiles(root))[0]!),
    );
    const version = await Deno.readTextFile(
      join(root, "supabase/functions/_shared/db/schema_version.ts"),
    );
    assertEquals(version.includes(`"${names.at(-1)!.slice(0, 14)}"`), true);

    assertEquals(await release(root), names);
    assertEquals(Object.keys(await readReleased(root)), names);
    await assertRejects(() => lay(root), SchemaError, "write what has changed into a new file");

    await Deno.writeTextFile(join(dir, "20991231000000_more.sql"), "select 1;");
    assertEquals(await rewritten(root), []);
    await Deno.writeTextFile(join(dir, first), "select 2;");
    await Deno.remove(join(dir, names[1]!));
    assertEquals(await rewritten(root), names.slice(0, 2));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
