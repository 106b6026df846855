import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { concat } from "@std/bytes/concat.js";
import { indexOfNeedle } from "@std/bytes/index_of_needle.js";
import { join } from "@std/path/join.js";
import fc from "fast-check";
import {
  ArchiveError,
  type Entry,
  type Head,
  readArchive,
  writeArchive,
} from "../../scripts/backup/archive.ts";
import { BackupError, dump } from "../../scripts/backup/dump.ts";
import { connectTo, type Database } from "../../scripts/database.ts";
import { backUp } from "../../scripts/backup/files.ts";
import { main } from "../../scripts/backup/main.ts";
import { restore } from "../../scripts/backup/restore.ts";
import { createRoles } from "../../scripts/local/migrate.ts";
import { SCHEMA_VERSION } from "../../supabase/functions/_shared/db/schema_version.ts";
import { anyText } from "../support/any_text.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";

const HEAD: Head = {
  createdAt: new Date("2025-11-30T02:00:01Z"),
  database: "postgres",
  serverVersion: "17.5",
};
const KEY = btoa("0123456789abcdef0123456789abcdef");

type Rows = Readonly<Record<string, Uint8Array>>;

async function written(entries: readonly Entry[], rows: Rows): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const out = (piece: Uint8Array) => {
    pieces.push(piece);
    return Promise.resolve();
  };
  await writeArchive(out, HEAD, entries, async function* ({ tag }) {
    yield rows[tag]!;
  });
  return concat(pieces);
}

/** The bytes in chunks of one size, as files and networks give them. */
function inChunks(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  const chunks = Array.from(
    { length: Math.ceil(bytes.length / size) },
    (_, nth) => bytes.slice(nth * size, (nth + 1) * size),
  );
  return ReadableStream.from(chunks);
}

async function read(stream: ReadableStream<Uint8Array>) {
  const { head, entries, rows } = await readArchive(stream);
  const found: Record<string, Uint8Array> = {};
  for (const entry of entries) {
    if (entry.copy !== undefined) found[entry.tag] = concat(await Array.fromAsync(rows(entry)));
  }
  return { head, entries, rows: found };
}

const texts = fc.oneof(fc.string(), anyText());

const anyArchive = fc.uniqueArray(
  fc.record({
    tag: texts,
    defn: texts,
    schema: fc.option(texts, { nil: undefined }),
    section: fc.constantFrom("pre-data", "post-data"),
    rows: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }),
  }),
  { selector: ({ tag }) => tag, maxLength: 6 },
).map((parts) => ({
  entries: parts.map(({ tag, defn, schema, section, rows }): Entry => ({
    desc: rows === undefined ? "CHECK" : "TABLE DATA",
    tag,
    section: rows === undefined ? section as "pre-data" : "data",
    defn,
    ...(rows !== undefined && { copy: `COPY ${tag} FROM stdin;\n` }),
    ...(schema !== undefined && { schema }),
  })),
  rows: Object.fromEntries(
    parts.flatMap(({ tag, rows }) => rows === undefined ? [] : [[tag, rows]]),
  ),
}));

Deno.test("an archive is read as it was written, however its bytes arrive", async () => {
  const end = new TextEncoder().encode("\\.\n\n\n");
  await fc.assert(
    fc.asyncProperty(anyArchive, fc.integer({ min: 1, max: 50 }), async (archive, size) => {
      const found = await read(inChunks(await written(archive.entries, archive.rows), size));
      assertEquals(found.head, HEAD);
      assertEquals(found.entries, archive.entries);
      for (const [tag, rows] of Object.entries(archive.rows)) {
        assertEquals(found.rows[tag], concat([rows, end]), tag);
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("an archive that is cut off anywhere is refused", async () => {
  const rows = { calls: crypto.getRandomValues(new Uint8Array(200)) };
  const entry: Entry = {
    desc: "TABLE DATA",
    tag: "calls",
    section: "data",
    defn: "",
    copy: "COPY",
  };
  const whole = await written([entry], rows);
  for (let length = 0; length < whole.length; length++) {
    await assertRejects(
      () => read(inChunks(whole.slice(0, length), 64)),
      ArchiveError,
      "cut off",
      `${length} bytes of ${whole.length}`,
    );
  }
});

Deno.test("what is no archive of ours is refused in words that say what it is", async () => {
  const refused = (bytes: Uint8Array, words: string) =>
    assertRejects(() => readArchive(inChunks(bytes, 64)), ArchiveError, words);
  await refused(
    new TextEncoder().encode("-- a script for psql"),
    "not an archive in pg_dump's custom format",
  );
  const newer = await written([], {});
  newer[6] = 16;
  await refused(newer, "version 1.16 of the format");
});

/** A database with three calls, one of which has what is hard to copy. */
async function lived(): Promise<TestDatabase> {
  const db = await createTestDatabase();
  for (const transcript of ["Line one\nline two\ttabbed", "back\\slash \\N\n\\.\n", "é ünï 電話"]) {
    const event = voiceEvent(newCallSid(), {
      recording_sid: recordingSid(transcript.length),
      recording_source: "voicemail",
      transcript,
    });
    await db.sql`select public.accept_voice_event(${db.sql.json(event as never)})`;
  }
  return db;
}

async function inTwo(body: (db: TestDatabase, empty: TestDatabase, dir: string) => Promise<void>) {
  const dir = await Deno.makeTempDir();
  const [db, empty] = await Promise.all([lived(), createTestDatabase({ empty: true })]);
  try {
    await body(db, empty, dir);
  } finally {
    await Promise.all([db.drop(), empty.drop(), Deno.remove(dir, { recursive: true })]);
  }
}

/** Runs pg_restore; rejects with what it says. */
async function pgRestore(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("pg_restore", {
    args,
    stdout: "piped",
    stderr: "piped",
  }).output();
  const [out, said] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success) throw new Error(said);
  return out!;
}

const installed = await pgRestore("--version").then(() => true, () => false);

Deno.test({
  name: `PostgreSQL's own pg_restore lists a backup, restores it and proves it${
    installed ? "" : " (needs pg_restore, which is not installed)"
  }`,
  ignore: !installed,
  fn: () =>
    inTwo(async (db, empty, dir) => {
      const { path } = await backUp(db.at, dir, { key: KEY });
      const plain = join(dir, "plain.dump");
      const lines: string[] = [];
      const code = await main(["restore", path, "--decrypt", plain], {
        env: (name) => name === "BACKUP_KEY" ? KEY : undefined,
        print: (line) => lines.push(line),
      });
      assertEquals(code, 0, lines.join("\n"));
      assertEquals((await Deno.stat(plain)).mode! & 0o077, 0, "nobody else may read it");

      const listed = await pgRestore("--list", plain);
      assertStringIncludes(listed, "Dumped from database version: 17");
      assertStringIncludes(listed, "TABLE DATA public call_logs");
      await createRoles(empty.sql);
      await pgRestore("--single-transaction", "--exit-on-error", "--dbname", empty.url, plain);
      const rows = async (sql: TestDatabase["sql"]) => [
        ...await sql`select to_jsonb(c) as row from call_logs as c order by call_sid`,
      ];
      assertEquals(await rows(empty.sql), await rows(db.sql));
      assertEquals(
        (await empty.sql`show session_replication_role`)[0]!.session_replication_role,
        "origin",
      );
    }),
});

/** A backup, some of whose entries or data are others. */
async function changed(
  path: string,
  change: (entry: Entry, rows: string) => string,
  keep: (entry: Entry) => boolean = () => true,
): Promise<ReadableStream<Uint8Array>> {
  const found = await read((await Deno.open(path)).readable);
  const rows: Record<string, Uint8Array> = {};
  for (const entry of found.entries) {
    if (entry.copy === undefined) continue;
    const text = new TextDecoder().decode(found.rows[entry.tag]).replace(/\\\.\n\n\n$/, "");
    rows[entry.tag] = new TextEncoder().encode(change(entry, text));
  }
  return inChunks(await written(found.entries.filter(keep), rows), 4096);
}

/** That a backup is refused for a reason, and that nothing of it is there. */
async function assertRefused(
  backup: ReadableStream<Uint8Array>,
  empty: TestDatabase,
  reason: string,
) {
  await assertRejects(() => restore(backup, empty.at), BackupError, reason);
  const [row] = await empty.sql`select to_regclass('public.call_logs') as calls`;
  assertEquals(row!.calls, null);
}

Deno.test("a backup that lacks a row is refused, and nothing is restored", () =>
  inTwo(async (db, empty, dir) => {
    const { path } = await backUp(db.at, dir);
    const lacking = await changed(
      path,
      ({ tag }, rows) => tag === "call_logs" ? rows.slice(rows.indexOf("\n") + 1) : rows,
    );
    await assertRefused(lacking, empty, "call_logs: 2 rows of 3");
  }));

Deno.test("a backup with a row that is another one is refused, and nothing is restored", () =>
  inTwo(async (db, empty, dir) => {
    const { path } = await backUp(db.at, dir);
    const other = await changed(path, (_, rows) => rows.replaceAll("+15551234567", "+15551234568"));
    await assertRefused(other, empty, "call_logs: 3 rows of 3");
  }));

Deno.test("a backup with a broken foreign key is refused, and nothing is restored", () =>
  inTwo(async (db, empty, dir) => {
    const org = crypto.randomUUID();
    await db.sql`
      insert into telephony_subaccounts (org_id, subaccount_sid, business_name)
      values (${org}, ${`AC${"a".repeat(32)}`}, 'Acme')`;
    await db.sql`
      insert into telephony_secrets (subaccount_sid, sealed_token)
      values (${`AC${"a".repeat(32)}`}, 'sealed')`;
    const { path } = await backUp(db.at, dir);
    const orphaned = await changed(
      path,
      ({ tag }, rows) => tag === "telephony_subaccounts" ? "" : rows,
      ({ tag }) => !tag.startsWith("telephony_subaccounts:"),
    );
    await assertRefused(orphaned, empty, "rows lead nowhere");
  }));

Deno.test("a database whose migrations are recorded without SQL is not backed up", () =>
  inTwo(async (db, _, dir) => {
    await db.sql`
      update supabase_migrations.schema_migrations set statements = null where version = ${SCHEMA_VERSION}`;
    await assertRejects(
      () => backUp(db.at, dir),
      BackupError,
      `supabase migration repair ${SCHEMA_VERSION} --status applied`,
    );
    assertEquals([...Deno.readDirSync(dir)], []);
  }));

Deno.test("a restore whose backup ends in the middle of a table ends with that reason, and leaves nothing", () =>
  inTwo(async (db, empty, dir) => {
    const { path } = await backUp(db.at, dir);
    const bytes = await Deno.readFile(path);
    const cut = inChunks(bytes.slice(0, -300), 4096);
    await assertRejects(() => restore(cut, empty.at), ArchiveError, "cut off");
    const [row] = await empty.sql`select to_regclass('public.call_logs') as calls`;
    assertEquals(row!.calls, null);
  }));

/** A way to a database on which what follows the end of a copy comes a little later. */
function withLateEnds(database: Database): { database: Database; close(): void } {
  const { hostname, port } = database.url;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const copyDone = Uint8Array.of("c".charCodeAt(0), 0, 0, 0, 4);
  (async () => {
    for await (const client of listener) {
      const server = await Deno.connect({ hostname, port: Number(port) });
      client.readable.pipeTo(server.writable).catch(() => {});
      (async () => {
        for await (const chunk of server.readable) {
          const end = indexOfNeedle(chunk, copyDone) + copyDone.length;
          const cut = end < copyDone.length ? chunk.length : end;
          await client.write(chunk.subarray(0, cut));
          if (cut === chunk.length) continue;
          await new Promise((done) => setTimeout(done, 20));
          await client.write(chunk.subarray(cut));
        }
      })().catch(() => {});
    }
  })();
  const url = new URL(database.url);
  url.port = String(listener.addr.port);
  return { database: { ...database, url }, close: () => listener.close() };
}

Deno.test("a dump comes to its end though its reader is slow and the server's last words are late", () =>
  inTwo(async (db) => {
    await db.sql`
      insert into analytics_events (event_type, event_data, severity)
      select 'test', jsonb_build_object('words', (select string_agg(md5(random()::text), '') from generate_series(1, 200) where n > 0)), 'info'
      from generate_series(1, 300) as n`;
    const { database, close } = withLateEnds(db.at);
    const sql = connectTo(database);
    const slow = () => new Promise<void>((done) => setTimeout(done, 1));
    const { rows } = await dump(sql, new Date(), slow);
    assertEquals(rows["analytics_events"], 300);
    await sql.end();
    close();
  }));

Deno.test("a dump that cannot be written ends with the reason, and not by waiting", () =>
  inTwo(async (db) => {
    await db.sql`
      insert into analytics_events (event_type, event_data, severity)
      select 'test', jsonb_build_object('words', repeat(md5(n::text), 100)), 'info' from generate_series(1, 2000) as n`;
    const sql = connectTo(db.at);
    let written = 0;
    const full = (piece: Uint8Array) =>
      (written += piece.length) > 300_000
        ? Promise.reject(new Error("No space left on device"))
        : Promise.resolve();
    await assertRejects(() => dump(sql, new Date(), full), Error, "No space left on device");
    await sql.end();
  }));
