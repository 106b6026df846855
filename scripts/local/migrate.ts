import { join } from "@std/path/join.js";
import postgres, { type Sql, type TransactionSql } from "postgres";
import { splitStatements } from "./sql.ts";

/** A migration was refused. The message has its file, line and column, and PostgreSQL's reason. */
export class MigrationError extends Error {
  override name = "MigrationError";
}

/** The database was made by migrations that this checkout does not have. */
export class OtherSchemaError extends MigrationError {
  override name = "OtherSchemaError";
}

/** As the Supabase CLI has it: a file with any other name is not a migration. */
const MIGRATION_NAME = /^([0-9]+)_(.*)\.sql$/;

/** Any number, the same for every starter. */
const MIGRATION_LOCK = 20251101;

/**
 * Brings a database to what a new Supabase project has: roles, schemas `auth` and `extensions`. What is there stays as
 * it is; what is lacking only a superuser, or the database's owner, can make.
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
 * @returns the file names that this call applied.
 * @throws {OtherSchemaError} before anything is applied, if the database has a migration that the directory has not.
 * @throws {MigrationError} for the first that fails; it leaves no trace, those before it stay.
 */
export async function migrate(sql: Sql, dir: string): Promise<string[]> {
  const files = migrationFiles(dir);

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
    select version from supabase_migrations.schema_migrations order by version`;
  const known = new Set(rows.map((row) => row.version));
  const here = new Set(files.map((file) => MIGRATION_NAME.exec(file)![1]));
  const foreign = rows.filter(({ version }) => !here.has(version)).map(({ version }) => version);
  if (foreign.length > 0) {
    throw new OtherSchemaError(
      `the database was made by other migrations than those of ${dir}, which has no ${foreign[0]}`,
    );
  }

  const applied: string[] = [];
  for (const file of files) {
    const [, version, name] = MIGRATION_NAME.exec(file) as unknown as [string, string, string];
    if (known.has(version)) continue;
    // deno-lint-ignore no-await-in-loop -- Each builds on the one before.
    if (await applyMigration(sql, join(dir, file), version, name)) applied.push(file);
  }
  return applied;
}

/** The migrations of a directory, in order. */
export function migrationFiles(dir: string): string[] {
  return [...Deno.readDirSync(dir)]
    .filter((entry) => entry.isFile && MIGRATION_NAME.test(entry.name))
    .map(({ name }) => name).sort();
}

async function applyMigration(
  sql: Sql,
  path: string,
  version: string,
  name: string,
): Promise<boolean> {
  return await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(${MIGRATION_LOCK})`;
    const [done] = await tx`
      select from supabase_migrations.schema_migrations where version = ${version}`;
    if (done !== undefined) return false;

    const statements = await runFile(tx, path);
    await tx`
      insert into supabase_migrations.schema_migrations (version, statements, name)
      values (${version}, ${statements}, ${name})`;
    return true;
  });
}

/**
 * Runs a file's statements in a transaction.
 *
 * @returns the statements.
 * @throws {MigrationError} for the first that fails, with its place in the file.
 */
export async function runFile(tx: TransactionSql, path: string): Promise<string[]> {
  const text = await Deno.readTextFile(path);
  const statements = splitStatements(text);
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
  // What a file set for its session, such as search_path, must not reach the next one.
  await tx.unsafe("reset all");
  return statements.map((statement) => statement.text);
}
