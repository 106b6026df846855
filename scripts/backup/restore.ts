import { join } from "@std/path/join.js";
import type { Sql } from "postgres";
import { createRoles, migrate } from "../local/migrate.ts";
import { ROOT } from "../local/stack.ts";
import { connectTo, type Header, sumOf, type Trailer } from "./dump.ts";
import { BackupError } from "./files.ts";

const MIGRATIONS = join(ROOT, "supabase", "migrations");

export interface Restored {
  readonly header: Header;
  readonly trailer: Trailer;
  /** Migrations that are newer than the backup, applied after its data. */
  readonly migrated: readonly string[];
}

/**
 * Puts a backup into a database that holds no calls yet: the schema as it was, the data, what must come out of it
 * compared, then the migrations since. All of the data comes in one transaction: a restore that fails leaves none.
 *
 * @param backup As `readBackup` gives it.
 * @throws {BackupError} when anything is not as it was.
 */
export async function restore(
  backup: ReadableStream<Uint8Array>,
  databaseUrl: string,
): Promise<Restored> {
  const sql = connectTo(databaseUrl);
  const lines = new Lines(backup);
  try {
    const header: Header = JSON.parse(await lines.next() ?? "{}");
    if (header.format !== "tradeline-backup" || header.version !== 1) {
      throw new BackupError("This is no backup that `deno task backup` made");
    }
    await assertEmpty(sql);
    await createRoles(sql);
    await migrateUpTo(sql, header.migration);
    const trailer = await sql.begin(async (tx) =>
      await load(tx as unknown as Sql, lines)
    ) as Trailer;
    const migrated = await migrate(sql, MIGRATIONS);
    return { header, trailer, migrated };
  } finally {
    await lines.close();
    await sql.end();
  }
}

async function assertEmpty(sql: Sql): Promise<void> {
  const [there] = await sql`select to_regclass('public.call_logs') is not null as calls`;
  if (!there?.calls) return;
  const [row] = await sql`select exists (select from public.call_logs) as used`;
  if (row?.used) {
    throw new BackupError(
      "The database has calls already. Restore into a new one, and point the functions there",
    );
  }
}

/** The schema as it was when the backup was made. */
async function migrateUpTo(sql: Sql, newest: string): Promise<void> {
  const known = [...Deno.readDirSync(MIGRATIONS)].some(({ name }) => name.startsWith(`${newest}_`));
  if (!known) {
    throw new BackupError(
      `The backup was made with migration ${newest}, which is not in this checkout: take the commit that has it`,
    );
  }
  await migrate(sql, MIGRATIONS, newest);
}

async function load(tx: Sql, lines: Lines): Promise<Trailer> {
  // Neither triggers nor foreign keys while the tables fill; both held when the data was made, and are checked below.
  await tx`set local session_replication_role = replica`;
  const loaded: string[] = [];
  for (;;) {
    // deno-lint-ignore no-await-in-loop -- One connection.
    const text = await lines.next();
    if (text === undefined) throw new BackupError("The backup is cut off");
    const next: Trailer | { name: string; columns: string[] } = JSON.parse(text);
    if ("tables" in next) {
      // deno-lint-ignore no-await-in-loop
      await check(tx, next, loaded);
      return next;
    }
    loaded.push(next.name);
    // What migrations put in, such as the alerts' rules, is in the backup as it was.
    // deno-lint-ignore no-await-in-loop
    await tx`delete from ${tx(`public.${next.name}`)}`;
    // deno-lint-ignore no-await-in-loop
    const into = await tx`
      copy ${tx(`public.${next.name}`)} (${tx(next.columns)}) from stdin`.writable();
    const failed = new Promise<never>((_, reject) => into.once("error", reject));
    failed.catch(() => {});
    for (;;) {
      // deno-lint-ignore no-await-in-loop
      const row = await lines.next();
      if (row === undefined) throw new BackupError("The backup is cut off");
      if (row === "\\.") break;
      if (!into.write(`${row}\n`)) {
        // deno-lint-ignore no-await-in-loop
        await Promise.race([new Promise((done) => into.once("drain", done)), failed]);
      }
    }
    // deno-lint-ignore no-await-in-loop
    await Promise.race([new Promise<void>((done) => into.end(() => done())), failed]);
  }
}

async function check(tx: Sql, { tables, sequences }: Trailer, loaded: string[]): Promise<void> {
  for (const [name, value] of Object.entries(sequences)) {
    // deno-lint-ignore no-await-in-loop
    await tx`select setval(${`public.${name}`}::regclass, ${value}::bigint)`;
  }
  const wrong: string[] = [];
  for (const [name, expected] of Object.entries(tables)) {
    // deno-lint-ignore no-await-in-loop
    const found = await sumOf(tx, name);
    if (
      !loaded.includes(name) || found.rows !== expected.rows || found.digest !== expected.digest
    ) {
      wrong.push(`${name}: ${found.rows} rows of ${expected.rows}`);
    }
  }
  wrong.push(...await orphans(tx));
  if (wrong.length > 0) {
    throw new BackupError(`The restored data is not what it was: ${wrong.join("; ")}`);
  }
}

/** Rows whose foreign key leads nowhere, by constraint. */
async function orphans(sql: Sql): Promise<string[]> {
  const keys = await sql<
    { name: string; child: string; parent: string; pairs: string; set: string }[]
  >`
    select k.conname as name, k.conrelid::regclass::text as child, k.confrelid::regclass::text as parent,
      string_agg(format('c.%I = p.%I', a.attname, b.attname), ' and ') as pairs,
      string_agg(format('c.%I is not null', a.attname), ' and ') as set
    from pg_constraint as k
      cross join unnest(k.conkey, k.confkey) as u(child, parent)
      join pg_attribute as a on a.attrelid = k.conrelid and a.attnum = u.child
      join pg_attribute as b on b.attrelid = k.confrelid and b.attnum = u.parent
    where k.contype = 'f' and k.connamespace = 'public'::regnamespace group by 1, 2, 3`;
  const found: string[] = [];
  for (const { name, child, parent, pairs, set } of keys) {
    // Names and columns are the catalogue's own, quoted by it.
    // deno-lint-ignore no-await-in-loop
    const [row] = await sql.unsafe(
      `select count(*)::int as count from ${child} as c where ${set}
         and not exists (select from ${parent} as p where ${pairs})`,
    );
    if (row!.count > 0) found.push(`${name}: ${row!.count} rows lead nowhere`);
  }
  return found;
}

/** A stream of bytes, line by line. */
class Lines {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #rest = "";
  #ready: string[] = [];
  #done = false;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = (stream as ReadableStream<BufferSource>)
      .pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Without its end of line; undefined: there is no other. */
  async next(): Promise<string | undefined> {
    while (this.#ready.length === 0 && !this.#done) {
      // deno-lint-ignore no-await-in-loop
      const { value, done } = await this.#reader.read();
      if (done) {
        this.#done = true;
        if (this.#rest !== "") this.#ready = [this.#rest];
        break;
      }
      const parts = (this.#rest + value).split("\n");
      this.#rest = parts.pop()!;
      this.#ready = parts.reverse();
    }
    return this.#ready.pop();
  }

  async close(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }
}
