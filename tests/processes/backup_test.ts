import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { assertRejects } from "@std/assert/rejects.js";
import { createHash } from "node:crypto";
import { join } from "@std/path/join.js";
import { BackupError, sumOf } from "../../scripts/backup/dump.ts";
import { type Entry, type Section, writeArchive } from "../../scripts/backup/archive.ts";
import { backUp, expired, open, rotate } from "../../scripts/backup/files.ts";
import { main } from "../../scripts/backup/main.ts";
import { restore } from "../../scripts/backup/restore.ts";
import { importKey, seal, SealError, unseal } from "../../scripts/backup/seal.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";

const KEY = btoa("0123456789abcdef0123456789abcdef");
const OTHER_KEY = btoa("another key, as long as it must ");

/** A database with a bit of everything that is hard to copy. */
async function lived(): Promise<TestDatabase> {
  const db = await createTestDatabase();
  for (
    const transcript of ["Line one\nline two\ttabbed", "back\\slash \\N and \\.", "é ünï 電話"]
  ) {
    const event = voiceEvent(newCallSid(), {
      recording_sid: `RE${crypto.randomUUID().replaceAll("-", "")}`,
      recording_source: "voicemail",
      transcript,
    });
    await db.sql`select public.accept_voice_event(${db.sql.json(event as never)})`;
  }
  await db.sql`select submit_contact_message(${
    db.sql.json({ name: "Jane", email: "jane@example.com", message: "Hello" })
  }, '[]', '[]')`;
  await db.sql`update alert_rules set threshold = 99 where alert = 'voicemail_backlog'`;
  return db;
}

async function withDir(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function task(args: string[], given: Record<string, string> = {}) {
  const lines: string[] = [];
  const env: Record<string, string> = { PGPASSWORD: "postgres", ...given };
  const code = await main(args, { env: (name) => env[name], print: (line) => lines.push(line) });
  return { code, text: lines.join("\n") };
}

/** Asks again and again, until it is so. */
async function untilSo(isSo: () => Promise<boolean>): Promise<void> {
  while (!await isSo()) await new Promise((done) => setTimeout(done, 10));
}

async function sums({ sql }: TestDatabase) {
  const all: Record<string, unknown> = {};
  const tables = await sql<{ name: string }[]>`
    select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`;
  for (const { name } of tables) all[name] = await sumOf(sql, name);
  return all;
}

Deno.test("a backup is restored into a new database, every row of it, encrypted on the way", async () => {
  const [db, empty] = await Promise.all([lived(), createTestDatabase({ empty: true })]);
  try {
    await withDir(async (dir) => {
      const made = await task(["backup", "--database", db.at.url.href, "--dir", dir], {
        BACKUP_KEY: KEY,
      });
      assertEquals(made.code, 0, made.text);
      const [file] = [...Deno.readDirSync(dir)].map(({ name }) => join(dir, name))
        .filter((name) => name.endsWith(".backup"));
      const bytes = new TextDecoder("latin1").decode(await Deno.readFile(file!));
      assertStringIncludes(bytes, "TLSEAL2");
      assertEquals((await Deno.stat(file!)).mode! & 0o077, 0, "nobody else may read it");

      const restored = await task(["restore", file!, "--to", empty.at.url.href], {
        BACKUP_KEY: KEY,
      });
      assertEquals(restored.code, 0, restored.text);
      assertStringIncludes(restored.text, "ok      call_logs: 3 rows");
      assertEquals(await sums(empty), await sums(db));
      // It goes on where the first one stopped: no identity comes twice.
      const event = voiceEvent(newCallSid());
      await empty.sql`select public.accept_voice_event(${empty.sql.json(event as never)})`;
      assertEquals((await empty.sql`select from call_lifecycle`).length, 4);

      const again = await task(["restore", file!, "--to", empty.at.url.href], { BACKUP_KEY: KEY });
      assertEquals(again.code, 1);
      assertStringIncludes(again.text, "has tables already");
    });
  } finally {
    await Promise.all([db.drop(), empty.drop()]);
  }
});

Deno.test("a backup is restored into a new hosted project, by a postgres who is no superuser and does not own auth", async () => {
  const [db, project] = await Promise.all([lived(), createTestDatabase({ project: true })]);
  const platform = async () =>
    (await project.sql`
      select rolsuper, rolbypassrls, nspowner::regrole::text as auth_owner,
        (select md5(string_agg(prosrc || coalesce(pg_get_function_sqlbody(oid), '') || proowner, ',' order by proname))
          from pg_proc where pronamespace = 'auth'::regnamespace) as auth_functions
      from pg_roles, pg_namespace where rolname = current_user and nspname = 'auth'`)[0]!;
  try {
    const before = await platform();
    assertEquals([before["rolsuper"], before["rolbypassrls"]], [false, true]);
    assertEquals(before["auth_owner"], "supabase_admin");
    await withDir(async (dir) => {
      const { path } = await backUp(db.at, dir);
      const { code, text } = await task(["restore", path, "--to", project.at.url.href]);
      assertEquals(code, 0, text);
      assertEquals(await sums(project), await sums(db));
      assertEquals(await platform(), before);
    });
  } finally {
    await Promise.all([db.drop(), project.drop()]);
  }
});

Deno.test("a backup takes longer than the role's statement_timeout, which a connection through the pooler cannot raise", async () => {
  const db = await lived();
  try {
    await db.sql`alter database ${
      db.sql(new URL(db.url).pathname.slice(1))
    } set statement_timeout = '300ms'`;
    await withDir(async (dir) => {
      let made: Promise<unknown> = Promise.resolve();
      await db.sql.begin(async (tx) => {
        await tx`lock table call_logs in access exclusive mode`;
        made = backUp(db.at, dir);
        made.catch(() => {});
        // Until it has waited for the lock for longer than it may without more ado, or is done.
        let done = false;
        made.catch(() => {}).finally(() => done = true);
        await untilSo(async () => {
          const [row] = await db.sql`
              select clock_timestamp() - query_start > interval '600 ms' as waited
              from pg_stat_activity
              where datname = current_database() and pid <> pg_backend_pid() and wait_event_type = 'Lock'`;
          return done || row?.["waited"] === true;
        });
      });
      await made;
    });
  } finally {
    await db.drop();
  }
});

Deno.test("a restore takes longer than the role's statement_timeout too", async () => {
  const project = await createTestDatabase({ project: true });
  try {
    await project.sql`alter database ${
      project.sql(new URL(project.url).pathname.slice(1))
    } set statement_timeout = '300ms'`;
    const slow = (section: Section, defn: string): Entry => ({
      desc: "SQL",
      tag: "",
      section,
      defn,
    });
    const entries = [
      slow("pre-data", "RESET ALL;\n"),
      slow("pre-data", "CREATE TABLE public.call_logs AS SELECT 1 AS slept FROM pg_sleep(0.5);\n"),
      slow("post-data", "RESET ALL;\n"),
      slow(
        "post-data",
        "DO $$ BEGIN PERFORM pg_sleep(0.5); RAISE EXCEPTION 'It came to its end'; END $$;\n",
      ),
    ];
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    const head = { createdAt: new Date(), database: "x", serverVersion: "17" };
    await writeArchive((piece) => Promise.resolve(void pieces.push(piece)), head, entries, () => {
      throw new Error("There are no rows");
    });
    await assertRejects(
      () => restore(new Blob(pieces).stream(), project.at),
      BackupError,
      "It came to its end",
    );
  } finally {
    await project.drop();
  }
});

Deno.test("restore --verify proves a backup in a scratch database, and leaves none behind", async () => {
  const db = await lived();
  try {
    await withDir(async (dir) => {
      const { path } = await backUp(db.at, dir);
      const { code, text } = await task(["restore", path, "--verify", "--server", db.at.url.href]);
      assertEquals(code, 0, text);
      assertStringIncludes(text, "can be restored: proven in");
      const left = await db.sql`select from pg_database where datname like 'scratch_%'`;
      assertEquals(left.length, 0);
    });
  } finally {
    await db.drop();
  }
});

Deno.test("a backup is of one moment, whatever is written meanwhile", async () => {
  const [db, empty] = await Promise.all([lived(), createTestDatabase({ empty: true })]);
  try {
    await withDir(async (dir) => {
      const making = backUp(db.at, dir);
      const writing = Promise.all(Array.from({ length: 10 }, () => {
        const event = voiceEvent(newCallSid());
        return db.sql`select public.accept_voice_event(${db.sql.json(event as never)})`;
      }));
      const [{ path }] = await Promise.all([making, writing]);
      // The counts were taken in the same snapshot as the rows: they agree, or this rejects.
      await restore(await open(path, undefined), empty.at);
      const [row] = await empty.sql`
        select (select count(*) from call_logs) = (select count(distinct call_sid) from call_lifecycle) as whole`;
      assertEquals(row!.whole, true);
    });
  } finally {
    await Promise.all([db.drop(), empty.drop()]);
  }
});

Deno.test("a backup that was changed, cut off or locked with another key is refused, and nothing is restored", async () => {
  const [db, empty] = await Promise.all([lived(), createTestDatabase({ empty: true })]);
  try {
    await withDir(async (dir) => {
      const { path } = await backUp(db.at, dir, { key: KEY });
      await assertRejects(() => open(path, undefined), SealError, "is encrypted");
      const locked = await open(path, OTHER_KEY);
      await assertRejects(() => restore(locked, empty.at), SealError, "does not open");

      const bytes = await Deno.readFile(path);
      const sum = await Deno.readTextFile(`${path}.sha256`);
      bytes[100]! ^= 1;
      await Deno.writeFile(path, bytes);
      await assertRejects(() => open(path, KEY), BackupError, "is damaged");
      await Deno.writeFile(path, bytes.slice(0, -50));
      await assertRejects(() => open(path, KEY), BackupError, "is damaged");
      await Deno.writeTextFile(`${path}.sha256`, sum);
      await Deno.remove(`${path}.sha256`);
      await assertRejects(() => open(path, KEY), BackupError, "There is no");
      const [row] = await empty.sql`select to_regclass('public.call_logs') as calls`;
      assertEquals(row!.calls, null);
    });
  } finally {
    await Promise.all([db.drop(), empty.drop()]);
  }
});

Deno.test("where a key is set, an unencrypted backup is refused: an attacker may have put it there", async () => {
  const db = await createTestDatabase();
  try {
    await withDir(async (dir) => {
      const { path } = await backUp(db.at, dir);
      await assertRejects(
        () => open(path, KEY),
        SealError,
        "is not encrypted, but BACKUP_KEY",
      );
    });
  } finally {
    await db.drop();
  }
});

Deno.test("an old encrypted backup under a new name is refused, and so is its list of recordings", async () => {
  const [db, empty] = await Promise.all([lived(), createTestDatabase({ empty: true })]);
  try {
    await withDir(async (dir) => {
      const env = { BACKUP_KEY: KEY, SUPABASE_DB_URL: db.url };
      const { code, text } = await task(["backup", "--dir", dir], env);
      assertEquals(code, 0, text);
      const made = [...Deno.readDirSync(dir)].map(({ name }) => name).toSorted();
      const stamp = made[0]!.slice("tradeline-".length, -".backup".length);
      const files = ["backup", "recordings"].map((kind) => join(dir, `tradeline-${stamp}.${kind}`));
      assertEquals(made.length, 4);
      for (const old of files) {
        const content = await Deno.readFile(old);
        assertEquals(new TextDecoder("latin1").decode(content.slice(0, 7)), "TLSEAL2");
        const renamed = old.replace(stamp, "20991231T235959Z");
        await Deno.writeFile(renamed, content);
        const sum = await Deno.readTextFile(`${old}.sha256`);
        await Deno.writeTextFile(`${renamed}.sha256`, sum.replace(stamp, "20991231T235959Z"));
        const read = async () => await new Response(await open(renamed, KEY)).bytes();
        await assertRejects(read, SealError, `was made as tradeline-${stamp}`);

        // Nor does it help to write the new name into the file.
        const at = 9;
        content.set(new TextEncoder().encode("tradeline-20991231T235959Z"), at);
        await Deno.writeFile(renamed, content);
        await Deno.writeTextFile(
          `${renamed}.sha256`,
          createHash("sha256").update(content).digest("hex"),
        );
        await assertRejects(read, SealError, "does not open");
      }
      const restored = await task(
        ["restore", files[0]!.replace(stamp, "20991231T235959Z"), "--to", empty.at.url.href],
        { BACKUP_KEY: KEY },
      );
      assertEquals(restored.code, 1, restored.text);
      assertEquals((await empty.sql`select from pg_class where relname = 'call_logs'`).length, 0);
    });
  } finally {
    await Promise.all([db.drop(), empty.drop()]);
  }
});

Deno.test("a backup that is not there, or a name that is none, is refused before anything is started", async () => {
  await withDir(async (dir) => {
    for (const file of [join(dir, "nothing.backup"), dir]) {
      // Were a server started or asked, this one would not answer.
      const server = "postgresql://postgres@127.0.0.1:1/postgres";
      const { code, text } = await task(["restore", file, "--verify", "--server", server]);
      assertEquals([code, text], [1, `Cannot restore: There is no file ${file}`]);
    }
  });
  for (const name of ["", " "]) assertEquals((await task(["restore", name, "--verify"])).code, 2);
});

Deno.test("backups are in the data directory, unless BACKUP_DIR says otherwise", async () => {
  const db = await createTestDatabase();
  try {
    await withDir(async (dir) => {
      const env = { SUPABASE_DB_URL: db.url, TRADELINE_DATA_DIR: dir };
      const { code, text } = await task(["backup"], env);
      assertEquals(code, 0, text);
      assertEquals([...Deno.readDirSync(join(dir, "backups"))].length, 4);
      assertStringIncludes(text, "\nno recordings");

      const other = join(dir, "other");
      await task(["backup"], { ...env, BACKUP_DIR: other });
      assertEquals([...Deno.readDirSync(other)].length, 4);
    });
  } finally {
    await db.drop();
  }
});

Deno.test("a backup that fails leaves no file that looks like one", async () => {
  const empty = await createTestDatabase({ empty: true });
  try {
    await withDir(async (dir) => {
      const { code, text } = await task(["backup", "--database", empty.at.url.href, "--dir", dir]);
      assertEquals(code, 1, text);
      assertEquals([...Deno.readDirSync(dir)], []);
    });
  } finally {
    await empty.drop();
  }
});

Deno.test("a seal opens whatever its length, and not in another order", async () => {
  const key = await importKey(KEY);
  const through = async (
    bytes: Uint8Array<ArrayBuffer>,
    by: TransformStream<Uint8Array, Uint8Array<ArrayBuffer>>,
  ) => new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(by)).arrayBuffer());
  for (const length of [0, 1, 65_535, 65_536, 65_537, 200_000]) {
    const plain = new Uint8Array(length).map((_, index) => index % 251);
    const sealed = await through(plain, seal(key, "name"));
    assertEquals(await through(sealed, unseal(key, "name")), plain, `${length} bytes`);
    if (length < 131_072) continue;
    const chunk = 65_536 + 16;
    const head = 21;
    const swapped = sealed.slice();
    swapped.set(sealed.slice(head + chunk, head + 2 * chunk), head);
    swapped.set(sealed.slice(head, head + chunk), head + chunk);
    await assertRejects(() => through(swapped, unseal(key, "name")), SealError);
    // Whole chunks missing at the end: the last one was not the last.
    await assertRejects(
      () => through(sealed.slice(0, head + 2 * chunk), unseal(key, "name")),
      SealError,
    );
  }
  await assertRejects(() => importKey("short"), SealError, "openssl rand -base64 32");
});

Deno.test("of the backups 7 daily and 5 weekly ones are kept, and no other file is touched", async () => {
  const names = Array.from({ length: 60 }, (_, age) => {
    const day = new Date(Date.UTC(2025, 10, 30 - age)).toISOString().slice(0, 10).replaceAll(
      "-",
      "",
    );
    return `tradeline-${day}T020000Z.backup`;
  });
  const kept = names.filter((name) => !expired(names).includes(name));
  assertEquals(kept.slice(0, 7), names.slice(0, 7));
  // 30 November 2025 was a Sunday: the newest of each week before is the Sunday before.
  assertEquals(kept.slice(7), [7, 14, 21, 28].map((age) => names[age]));
  assertEquals(expired([...names, "notes.txt", "tradeline-old.backup"]), expired(names));

  await withDir(async (dir) => {
    for (const name of names) await Deno.writeTextFile(join(dir, name), "");
    await Deno.writeTextFile(join(dir, "notes.txt"), "");
    // Lists of recordings go with their backups. Those that came from elsewhere go too, but not the newest.
    const lists = names.map((name) => name.replace("backup", "recordings"));
    const older = "tradeline-20251201T020000Z.recordings";
    const newest = "tradeline-20251202T020000Z.recordings";
    for (const name of [...lists, older, newest]) {
      await Deno.writeTextFile(join(dir, name), "");
      await Deno.writeTextFile(join(dir, `${name}.sha256`), "");
    }
    await rotate(dir);
    const left = [...Deno.readDirSync(dir)].map(({ name }) => name);
    const keptLists = [newest, ...kept.map((name) => name.replace("backup", "recordings"))];
    assertEquals(
      left.toSorted(),
      ["notes.txt", ...kept, ...keptLists.flatMap((name) => [name, `${name}.sha256`])].toSorted(),
    );
  });
});
