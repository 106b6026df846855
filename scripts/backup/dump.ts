// A logical backup without pg_dump, which the embedded PostgreSQL does not have: every table of schema `public` by COPY,
// out of one snapshot. Text: a header line of JSON, then for each table a line of JSON and its rows as COPY
// writes them up to `\.`, then a line of JSON with what must come out again.

import postgres, { type Sql } from "postgres";

/** What a restored database is compared with. */
export interface TableSum {
  readonly rows: number;
  /** Of every row's content, whatever their order. */
  readonly digest: string;
}

export interface Header {
  readonly format: "tradeline-backup";
  readonly version: 1;
  readonly created_at: string;
  /** The newest migration that the database had. */
  readonly migration: string;
}

export interface Trailer {
  readonly tables: Readonly<Record<string, TableSum>>;
  /** The last value that each sequence gave. */
  readonly sequences: Readonly<Record<string, string>>;
}

interface Table {
  readonly name: string;
  readonly columns: readonly string[];
}

/** One connection as backups need it: text that depends on no setting of the server's. */
export function connectTo(url: string): Sql {
  return postgres(url, {
    max: 1,
    onnotice: () => {},
    connection: { TimeZone: "UTC", DateStyle: "ISO", extra_float_digits: 1 },
  });
}

/** The tables of schema `public`, and the columns that are stored and not derived. */
export async function tablesOf(sql: Sql): Promise<Table[]> {
  return [
    ...await sql<Table[]>`
      select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
      from pg_class as c join pg_attribute as a on a.attrelid = c.oid
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
        and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
      group by 1 order by 1`,
  ];
}

/** Counts and digests a table, the same for the same rows in any order. */
export async function sumOf(sql: Sql, table: string): Promise<TableSum> {
  const [row] = await sql<{ rows: number; digest: string }[]>`
    select count(*)::int as rows,
      coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint::numeric), 0)::text as digest
    from ${sql(`public.${table}`)} as t`;
  return row!;
}

/** Writes a backup of a database to `out`, line by line. Reads one snapshot and changes nothing. */
export async function dump(
  sql: Sql,
  out: (text: string | Uint8Array) => Promise<void>,
): Promise<Trailer> {
  return await sql.begin("isolation level repeatable read read only", async (tx) => {
    const [{ migration } = { migration: "" }] = await tx<{ migration: string }[]>`
      select coalesce(max(version), '') as migration from supabase_migrations.schema_migrations`;
    const header: Header = {
      format: "tradeline-backup",
      version: 1,
      created_at: new Date().toISOString(),
      migration,
    };
    await out(`${JSON.stringify(header)}\n`);
    const sums: Record<string, TableSum> = {};
    for (const table of await tablesOf(tx as unknown as Sql)) {
      // deno-lint-ignore no-await-in-loop -- One connection, one snapshot.
      await out(`${JSON.stringify(table)}\n`);
      // deno-lint-ignore no-await-in-loop
      const rows = await tx`
        copy (select ${tx(table.columns as string[])} from ${tx(`public.${table.name}`)}) to stdout`
        .readable();
      // deno-lint-ignore no-await-in-loop
      for await (const chunk of rows) await out(chunk);
      // deno-lint-ignore no-await-in-loop
      await out("\\.\n");
      // deno-lint-ignore no-await-in-loop
      sums[table.name] = await sumOf(tx as unknown as Sql, table.name);
    }
    const sequences = await tx<{ name: string; value: string | null }[]>`
      select sequencename as name, last_value::text as value
      from pg_sequences where schemaname = 'public'`;
    const trailer: Trailer = {
      tables: sums,
      sequences: Object.fromEntries(
        sequences.flatMap(({ name, value }) => value === null ? [] : [[name, value]]),
      ),
    };
    await out(`${JSON.stringify(trailer)}\n`);
    return trailer;
  }) as Trailer;
}
