import { join } from "@std/path/join.js";
import postgres, { type Sql } from "postgres";
import { splitStatements } from "./sql.ts";

/** A migration was refused. The message has its file, line and column, and PostgreSQL's reason. */
export class MigrationError extends Error {
  override name = "MigrationError";
}

/** As the Supabase CLI has it: a file with any other name is not a migration. */
const MIGRATION_NAME = /^([0-9]+)_(.*)\.sql$/;

/** Any number, the same for every starter. */
const MIGRATION_LOCK = 20251101;

/**
 * Brings a database to what a new Supabase project has: roles, schemas `auth` and `extensions`.
 * Needs the superuser; may be run any number of times.
 */
export async function createRoles(sql: Sql): Promise<void> {
  const text = await Deno.readTextFile(new URL("./roles.sql", import.meta.url));
  await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(${MIGRATION_LOCK})`;
    await tx.unsafe(text);
  });
}

/**
 * Applies the migrations of a directory that the database does not have yet, in order, each in a
 * transaction of its own, and records them as `supabase db push` does, which then finds nothing
 * left to do. Any number of processes may call it at once.
 *
 * @param upTo The newest version that is applied; absent: all of them.
 * @returns the file names that this call applied.
 * @throws {MigrationError} for the first that fails; it leaves no trace, those before it stay.
 */
export async function migrate(sql: Sql, dir: string, upTo?: string): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(dir)) {
    if (entry.isFile && MIGRATION_NAME.test(entry.name)) files.push(entry.name);
  }
  files.sort();

  await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(${MIGRATION_LOCK})`;
    await tx`create schema if not exists supabase_migrations`;
    await tx`
      create table if not exists supabase_migrations.schema_migrations (
        version text not null primary key,
        statements text[],
        name text
      )`;
  });
  const rows = await sql<{ version: string }[]>`
    select version from supabase_migrations.schema_migrations`;
  const known = new Set(rows.map((row) => row.version));

  const applied: string[] = [];
  for (const file of files) {
    const [, version, name] = MIGRATION_NAME.exec(file) as unknown as [string, string, string];
    if (known.has(version) || (upTo !== undefined && version > upTo)) continue;
    // deno-lint-ignore no-await-in-loop -- Each builds on the one before.
    if (await applyMigration(sql, join(dir, file), version, name)) applied.push(file);
  }
  return applied;
}

async function applyMigration(
  sql: Sql,
  path: string,
  version: string,
  name: string,
): Promise<boolean> {
  const text = await Deno.readTextFile(path);
  const statements = splitStatements(text);
  return await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(${MIGRATION_LOCK})`;
    const [done] = await tx`
      select from supabase_migrations.schema_migrations where version = ${version}`;
    if (done !== undefined) return false;

    for (const statement of statements) {
      try {
        // deno-lint-ignore no-await-in-loop -- Each builds on the one before.
        await tx.unsafe(statement.text);
      } catch (error) {
        if (!(error instanceof postgres.PostgresError)) throw error;
        const at = statement.offset + Math.max(Number(error.position ?? 1) - 1, 0);
        const before = text.slice(0, at).split("\n");
        const column = (before.at(-1)?.length ?? 0) + 1;
        throw new MigrationError(
          `${path}:${before.length}:${column}: ${error.message} (SQLSTATE ${error.code})`,
          { cause: error },
        );
      }
    }
    // What a migration set for its session, such as search_path, must not reach the next one.
    await tx.unsafe("reset all");
    await tx`
      insert into supabase_migrations.schema_migrations (version, statements, name)
      values (${version}, ${statements.map((statement) => statement.text)}, ${name})`;
    return true;
  });
}
