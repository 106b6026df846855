// A backup holds the database's migrations, every table of schema `public` from one snapshot, and SQL that checks the
// restored rows against the copied ones.

import type { Sql } from "postgres";
import { quotedName, quotedText } from "../local/sql.ts";
import { type Entry, writeArchive } from "./archive.ts";
import { copyOut } from "./copy.ts";

/** A backup cannot be used; the message says what to do. */
export class BackupError extends Error {
  override name = "BackupError";
}

/** A recording at Twilio that the database refers to. */
export interface RecordingName {
  readonly recording_sid: string;
  /** Null for the main account. */
  readonly account_sid: string | null;
}

/** A prompt's file in Storage that the database refers to. */
export interface PromptName {
  /** SHA-256 of its bytes, in hexadecimal. */
  readonly hash: string;
  readonly mime: string;
}

/** Describes a backup. */
export interface Dumped {
  /** Rows by table. */
  readonly rows: Readonly<Record<string, number>>;
  readonly recordings: readonly RecordingName[];
  readonly prompts: readonly PromptName[];
}

interface Table {
  readonly schema: string;
  readonly name: string;
  /** The stored columns, without the generated ones. */
  readonly columns: readonly string[];
}

/** A migration is an entry of this kind; its tag is its version. */
const MIGRATION = "MIGRATION";
/** A check is an entry of this kind; its tag is its description. */
export const CHECK = "CHECK";

const MIGRATIONS: Table = {
  schema: "supabase_migrations",
  name: "schema_migrations",
  columns: ["version", "statements", "name"],
};

/**
 * Fixed text formats, and no statement timeout: in hosted projects a statement of `postgres` may take two minutes.
 * These are statements because Supabase's pooler drops the options of a new connection.
 * Source: https://supabase.com/docs/guides/database/postgres/timeouts
 */
const SESSION = {
  statement_timeout: 0,
  TimeZone: "UTC",
  DateStyle: "ISO",
  IntervalStyle: "postgres",
  bytea_output: "hex",
  extra_float_digits: 1,
} as const;

/** Prepares a transaction: text formats independent of the server's settings, and no timeout. */
export async function prepare(tx: Sql): Promise<void> {
  await tx.unsafe(sessionSettings("SET LOCAL").join(";\n"));
}

function sessionSettings(set: "SET" | "SET LOCAL"): string[] {
  return Object.entries(SESSION).map(([name, value]) =>
    `${set} ${name} = ${quotedText(String(value))}`
  );
}

/**
 * Writes a database as an archive (see `archive.ts`) in chunks. Reads one snapshot and changes nothing.
 *
 * @throws {BackupError} where a migration's SQL is not recorded.
 */
export async function dump(
  sql: Sql,
  createdAt: Date,
  out: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>,
): Promise<Dumped> {
  return await sql.begin("isolation level repeatable read read only", async (transaction) => {
    const tx = transaction as unknown as Sql;
    await prepare(tx);
    const [about] = await tx<{ database: string; version: string }[]>`
      select current_database() as database, current_setting('server_version') as version`;
    const migrations = await migrationsOf(tx);
    const tables = await tablesOf(tx);
    const checks: Entry[] = [];
    const rows: Record<string, number> = {};
    for (const table of tables) {
      // deno-lint-ignore no-await-in-loop -- One connection, one snapshot.
      const sum = await sumOf(tx, table.name);
      rows[table.name] = sum.rows;
      checks.push(checkOf(table.name, sum));
    }
    const copied = new Map([MIGRATIONS, ...tables].map((table) => [copyOf(table), table]));
    const entries: Entry[] = [
      before("ENCODING", "ENCODING", "SET client_encoding = 'UTF8';\n"),
      before("STDSTRINGS", "STDSTRINGS", "SET standard_conforming_strings = 'on';\n"),
      before("TABLE", "schema_migrations", RECORD_OF_MIGRATIONS),
      ...migrations,
      before("SESSION", "to be filled", toBeFilled(tables)),
      ...[...copied].map(([copy, { schema, name }]): Entry => ({
        desc: "TABLE DATA",
        tag: name,
        section: "data",
        defn: "",
        copy,
        schema,
      })),
      ...await sequencesOf(tx),
      ...checks,
      after(CHECK, "every foreign key leads somewhere", ORPHANS),
      after("SESSION", "filled", "RESET ALL;\n"),
    ];
    await writeArchive(
      out,
      { createdAt, database: about!.database, serverVersion: about!.version },
      entries,
      ({ copy }) => rowsOf(tx, copied.get(copy!)!),
    );
    return { rows, recordings: await recordingsOf(tx), prompts: await promptsOf(tx) };
  }) as Dumped;
}

function rowsOf(sql: Sql, { schema, name, columns }: Table): AsyncGenerator<Uint8Array> {
  return copyOut(sql`
    copy (select ${sql(columns as string[])} from ${sql(`${schema}.${name}`)}) to stdout`);
}

function copyOf({ schema, name, columns }: Table): string {
  return `COPY ${quotedName(schema)}.${quotedName(name)} (${
    columns.map(quotedName).join(", ")
  }) FROM stdin;\n`;
}

function before(desc: string, tag: string, defn: string): Entry {
  return { desc, tag, section: "pre-data", defn };
}

function after(desc: string, tag: string, defn: string): Entry {
  return { desc, tag, section: "post-data", defn };
}

/** The tables of schema `public`. */
async function tablesOf(sql: Sql): Promise<Table[]> {
  return [
    ...await sql<Table[]>`
      select 'public' as schema, c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
      from pg_class as c join pg_attribute as a on a.attrelid = c.oid
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
        and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
      group by c.relname order by c.relname`,
  ];
}

const RECORD_OF_MIGRATIONS = `CREATE SCHEMA IF NOT EXISTS supabase_migrations;
CREATE TABLE IF NOT EXISTS supabase_migrations.schema_migrations (
  version text NOT NULL PRIMARY KEY,
  statements text[],
  name text
);
`;

/** The schema as `supabase db push` and \`task start\` made it, step by step. */
async function migrationsOf(sql: Sql): Promise<Entry[]> {
  const rows = await sql<{ version: string; name: string | null; statements: string[] | null }[]>`
    select version, name, statements from supabase_migrations.schema_migrations order by version`;
  return rows.map(({ version, name, statements }) => {
    if (statements === null) {
      throw new BackupError(
        `Migration ${version} is recorded without its SQL. This records it: supabase migration repair ${version} --status applied`,
      );
    }
    // A migration's session settings, such as search_path, must not affect the next migration.
    const defn = `${[...statements, "RESET ALL"].join(";\n\n")};\n`;
    return before(MIGRATION, `${version}${name === null ? "" : `_${name}`}`, defn);
  });
}

/**
 * Triggers and foreign keys are off while the tables fill: both held when the rows were written, and foreign keys are
 * checked afterwards. Rows that migrations insert, such as alert rules, come from the backup's data instead.
 */
function toBeFilled(tables: readonly Table[]): string {
  return [
    "SET session_replication_role = replica",
    // Digests are of text.
    ...sessionSettings("SET"),
    ...tables.map(({ schema, name }) => `DELETE FROM ${quotedName(schema)}.${quotedName(name)}`),
    "",
  ].join(";\n");
}

async function sequencesOf(sql: Sql): Promise<Entry[]> {
  const rows = await sql<{ name: string; value: string }[]>`
    select sequencename as name, last_value::text as value
    from pg_sequences where schemaname = 'public' and last_value is not null order by 1`;
  return rows.map(({ name, value }) => ({
    desc: "SEQUENCE SET",
    tag: name,
    section: "data",
    defn: `SELECT pg_catalog.setval(${
      quotedText(`public.${quotedName(name)}`)
    }, ${value}, true);\n`,
  }));
}

/** The expected content of a restored table. */
export interface TableSum {
  readonly rows: number;
  /** A digest of all rows, independent of their order. */
  readonly digest: string;
}

const SUM = `count(*)::int AS rows,
  coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint::numeric), 0)::text AS digest`;

/** Counts and digests a table of schema `public`, the same for the same rows in any order. */
export async function sumOf(sql: Sql, table: string): Promise<TableSum> {
  const [row] = await sql<TableSum[]>`
    select ${sql.unsafe(SUM)} from ${sql(`public.${table}`)} as t`;
  return row!;
}

function checkOf(table: string, { rows, digest }: TableSum): Entry {
  return after(
    CHECK,
    `${table}: ${rows} rows, the same as when they were copied`,
    `DO $check$
DECLARE
  found record;
BEGIN
  SELECT ${SUM} INTO found FROM public.${quotedName(table)} AS t;
  IF (found.rows, found.digest) <> (${rows}, ${quotedText(digest)}) THEN
    RAISE EXCEPTION 'The restored data is not what it was: %: % rows of ${rows}', ${
      quotedText(table)
    }, found.rows;
  END IF;
END
$check$;
`,
  );
}

/** Fails when a row's foreign key has no target. */
const ORPHANS = `DO $check$
DECLARE
  key record;
  found bigint;
BEGIN
  FOR key IN
    SELECT k.conname AS name, k.conrelid::regclass AS child, k.confrelid::regclass AS parent,
      string_agg(format('c.%I = p.%I', a.attname, b.attname), ' AND ') AS pairs,
      string_agg(format('c.%I IS NOT NULL', a.attname), ' AND ') AS whole
    FROM pg_constraint AS k
      CROSS JOIN unnest(k.conkey, k.confkey) AS u(child, parent)
      JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.child
      JOIN pg_attribute AS b ON b.attrelid = k.confrelid AND b.attnum = u.parent
    WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace
    GROUP BY 1, 2, 3
  LOOP
    EXECUTE format(
      'SELECT count(*) FROM %s AS c WHERE %s AND NOT EXISTS (SELECT FROM %s AS p WHERE %s)',
      key.child, key.whole, key.parent, key.pairs
    ) INTO found;
    IF found > 0 THEN
      RAISE EXCEPTION 'The restored data is not what it was: %: % rows lead nowhere', key.name, found;
    END IF;
  END LOOP;
END
$check$;
`;

/** Every known recording with its account. */
export async function recordingsOf(sql: Sql): Promise<RecordingName[]> {
  return [
    ...await sql<RecordingName[]>`
      select r.recording_sid,
        coalesce(substring(r.url from '/Accounts/(AC[0-9a-fA-F]{32})/'), a.subaccount_sid) as account_sid
      from public.recordings as r
      left join public.call_logs as c on c.call_sid = r.call_sid
      left join public.telephony_subaccounts as a on a.org_id = c.org_id
      where r.deleted_at is null
      order by r.recording_sid`,
  ];
}

/** Every prompt's file; owners may share one. */
export async function promptsOf(sql: Sql): Promise<PromptName[]> {
  return [
    ...await sql<PromptName[]>`
      select hash, min(mime) as mime from public.prompts group by hash order by hash`,
  ];
}
