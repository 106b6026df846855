import { join } from "@std/path/join.js";
import type { Sql } from "postgres";
import { createRoles, migrate } from "../local/migrate.ts";
import { ROOT } from "../local/stack.ts";
import { type Archive, type Entry, readArchive } from "./archive.ts";
import { copyIn } from "./copy.ts";
import { connectTo, type Database } from "../database.ts";
import {
  BackupError,
  CHECK,
  prepare,
  type PromptName,
  promptsOf,
  type RecordingName,
  recordingsOf,
} from "./dump.ts";

const MIGRATIONS = join(ROOT, "supabase", "migrations");

export interface Restored {
  readonly createdAt: Date;
  /** The checks that passed, in words. */
  readonly proven: readonly string[];
  /** Migrations of this checkout that are newer than the backup, applied after its data. */
  readonly migrated: readonly string[];
  readonly recordings: readonly RecordingName[];
  readonly prompts: readonly PromptName[];
}

/**
 * Restores a backup into an empty database, as pg_restore would: the schema, the data and the checks of the data, in one
 * transaction, so that a failed restore leaves nothing. Then it applies newer migrations.
 *
 * @param backup From `open`. Its SQL is executed, so restore only backups that you made.
 * @throws {BackupError | ArchiveError | SealError} when the restored data differs from the backup's.
 */
export async function restore(
  backup: ReadableStream<Uint8Array>,
  database: Database,
): Promise<Restored> {
  const sql = connectTo(database);
  let archive: Archive | undefined;
  try {
    await assertEmpty(sql);
    archive = await readArchive(backup);
    const { entries, head } = archive;
    await createRoles(sql);
    await sql.begin(async (tx) => {
      for (const entry of entries) {
        // Each time anew: a migration ends with RESET ALL.
        // deno-lint-ignore no-await-in-loop -- In their order.
        await prepare(tx as unknown as Sql);
        // deno-lint-ignore no-await-in-loop
        await restoreEntry(tx as unknown as Sql, archive!, entry);
      }
    });
    const migrated = await migrate(sql, MIGRATIONS);
    return {
      createdAt: head.createdAt,
      proven: entries.filter(({ desc }) => desc === CHECK).map(({ tag }) => tag),
      migrated,
      recordings: await sql.begin(async (tx) => {
        await prepare(tx as unknown as Sql);
        return await recordingsOf(tx as unknown as Sql);
      }) as RecordingName[],
      prompts: await promptsOf(sql),
    };
  } finally {
    await archive?.close();
    await sql.end();
  }
}

async function assertEmpty(sql: Sql): Promise<void> {
  const [there] = await sql`select to_regclass('public.call_logs') is not null as calls`;
  if (there?.calls) {
    throw new BackupError(
      "The database has tables already. Restore into a new one, and point the functions there",
    );
  }
}

async function restoreEntry(tx: Sql, archive: Archive, entry: Entry): Promise<void> {
  try {
    if (entry.copy === undefined) await tx.unsafe(entry.defn);
    else await copyIn(tx, entry.copy, archive.rows(entry));
  } catch (error) {
    if ((error as { code?: unknown }).code !== "P0001") throw error;
    throw new BackupError((error as Error).message);
  }
}
