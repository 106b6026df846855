import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { join } from "@std/path/join.js";
import { supabase } from "../../scripts/deploy/commands.ts";
import { createRoles, migrate } from "../../scripts/local/migrate.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { databaseTypes, typesFile } from "../../scripts/schema/types.ts";
import { createTestDatabase, recorded, type TestDatabase } from "../support/database.ts";

// This project's migrations, by Supabase's own CLI.

const MIGRATIONS = join(ROOT, "supabase", "migrations");
const options = { cwd: ROOT, timeoutMs: 60_000 };
const hasCli = await supabase(["--version"], options).then(() => true, () => false);

function test(name: string, from: { empty?: boolean }, fn: (db: TestDatabase) => Promise<void>) {
  Deno.test({
    name: `migrations: ${name}${hasCli ? "" : " (ignored: npx cannot run the Supabase CLI here)"}`,
    ignore: !hasCli,
    async fn() {
      const db = await createTestDatabase(from);
      try {
        await fn(db);
      } finally {
        await db.drop();
      }
    },
  });
}

const push = (db: TestDatabase, ...args: string[]) =>
  supabase(["db", "push", `--remote=${db.url}?sslmode=disable`, ...args, "--yes"], options);

test("make what database.types.ts says", {}, async (db) => {
  assertEquals(
    await Deno.readTextFile(typesFile(ROOT)),
    await databaseTypes(db.url, ROOT),
    "run deno task schema --types",
  );
});

test("leave nothing to do for the Supabase CLI's db push", { empty: true }, async (db) => {
  await createRoles(db.sql);
  await migrate(db.sql, MIGRATIONS);
  assertMatch(await push(db, "--dry-run"), /up to date/);
});

test("are recorded as the Supabase CLI records them", { empty: true }, async (db) => {
  await createRoles(db.sql);
  assertMatch(await push(db), /Finished/);
  const byCli = await recorded(db);
  assertEquals(await migrate(db.sql, MIGRATIONS), []);

  const ours = await createTestDatabase();
  try {
    assertEquals(await recorded(ours), byCli);
  } finally {
    await ours.drop();
  }
});
