// A deploy applies the migrations to what the release before it has kept, while the functions of that release still
// serve: they must run on the newer schema, and nothing that was kept may be lost.

import { assertEquals } from "@std/assert/equals.js";
import { join } from "@std/path/join.js";
import { git } from "../../scripts/deploy/commands.ts";
import { withCommit } from "../../scripts/deploy/versions.ts";
import { createGateway } from "../../scripts/local/gateway.ts";
import { createRoles, migrate, migrationFiles } from "../../scripts/local/migrate.ts";
import {
  LOCAL_AUTH_TOKEN,
  LOCAL_JWT_SECRET,
  ROOT,
  serve,
  withLocalDefaults,
} from "../../scripts/local/stack.ts";
import { readReleased, schemaFiles } from "../../scripts/schema/schema.ts";
import { Simulator } from "../../scripts/phone/mod.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

const released = Object.keys(await readReleased(ROOT));

/** The commit that made the release before: it wrote down which migrations went out with it. */
async function releaseBefore(): Promise<string | undefined> {
  if (released.length === 0) return undefined;
  const commit = await git(["log", "-1", "--format=%H", "--", "supabase/released.json"], ROOT)
    .catch(() => "");
  return commit === "" ? undefined : commit;
}

const commit = await releaseBefore();
const unless = released.length === 0
  ? " (there is none yet: this tree stands in for it)"
  : commit === undefined
  ? " (ignored: no git, or no history, here)"
  : "";

if (released.length === 0) {
  Deno.test("there is no release before this one: the migrations are still the schemas, file by file", async () => {
    const dir = join(ROOT, "supabase", "migrations");
    const read = (files: string[]) => Promise.all(files.map((file) => Deno.readTextFile(file)));
    assertEquals(
      await read(migrationFiles(dir).map((name) => join(dir, name))),
      await read(await schemaFiles(ROOT)),
      "deno task schema --lay writes them anew",
    );
  });
}

/** Functions that serve on a database, and telephones to ring them with. */
interface Line {
  /** A call to each of the menu's choices, to its end. */
  ring(): Promise<void>;
  /** What voice-health answers. */
  health(): Promise<[status: number, text: string]>;
  /** Ends the functions, not the database. @returns what they complained about. */
  close(): Promise<string[]>;
}

async function openLine(db: TestDatabase, dir: string): Promise<Line> {
  const api = db.api();
  const own = { log: console.log, error: console.error };
  console.log = console.error = () => {};
  const complaints: string[] = [];
  let handle: Deno.ServeHandler<Deno.NetAddr> = (request) => api.handle(request);
  const server = serve(0, () => {}, (request, info) => handle(request, info));
  const gateway = await createGateway({
    supabaseDir: join(dir, "supabase"),
    env: withLocalDefaults({}, server.url, db.url),
    jwtSecret: LOCAL_JWT_SECRET,
    dataApi: api.handle,
    log: (line) => complaints.push(line),
  });
  handle = gateway.handle;
  const base = `${server.url}/functions/v1`;
  return {
    async ring() {
      const twilio = new Simulator({
        voiceUrl: `${base}/voice-frontdoor`,
        statusCallback: `${base}/voice-status#rc=4&rp=5xx,ct,rt`,
        authToken: LOCAL_AUTH_TOKEN,
      });
      const scripts = [
        { keys: ["1"], dial: "answered" as const },
        {
          keys: ["2"],
          dial: "no-answer" as const,
          voicemail: { seconds: 5, transcript: "Hello" },
        },
        { keys: ["9"], voicemail: { seconds: 5 } },
      ];
      // deno-lint-ignore no-await-in-loop -- One caller after the other.
      for (const script of scripts) await twilio.call({ to: "+15874059000", script });
      await twilio.settle();
    },
    async health() {
      const response = await fetch(`${base}/voice-health`);
      return [response.status, await response.text()];
    },
    async close() {
      await gateway.close();
      await server.drain();
      Object.assign(console, own);
      return complaints;
    },
  };
}

function test(
  name: string,
  empty: boolean,
  body: (db: TestDatabase, dir: string) => Promise<void>,
) {
  Deno.test({
    name: `${name}${unless}`,
    ignore: commit === undefined && released.length > 0,
    async fn() {
      const db = await createTestDatabase({ empty });
      try {
        if (commit === undefined) await body(db, ROOT);
        else await withCommit(ROOT, commit, (dir) => body(db, dir));
      } finally {
        await db.drop();
      }
    },
  });
}

const dispositions = async ({ sql }: TestDatabase) =>
  (await sql`select disposition::text as how from call_logs order by 1`).map(({ how }) => how);

test(
  "the functions of the release before serve callers on the newest schema",
  false,
  async (db, dir) => {
    const line = await openLine(db, dir);
    await line.ring();
    const [status, text] = await line.health();
    assertEquals(await line.close(), []);
    assertEquals(status, 200, text);
    assertEquals(await dispositions(db), ["connected", "voicemail", "voicemail"]);
    const [row] = await db.sql`select count(*)::int as mails from jobs`;
    assertEquals(row!.mails, 2);
  },
);

test(
  "the newest migrations keep all that the release before them has kept, and the functions serve on it",
  true,
  async (db, dir) => {
    await createRoles(db.sql);
    await migrate(db.sql, join(dir, "supabase", "migrations"));
    const before = await openLine(db, dir);
    await before.ring();
    assertEquals(await before.close(), []);
    const kept = await contents(db);
    assertEquals(kept.get("call_logs")!.rows.length, 3);

    const applied = await migrate(db.sql, join(ROOT, "supabase", "migrations"));
    assertEquals(applied.filter((name) => released.includes(name)), []);
    for (const [table, { columns, rows }] of kept) {
      // deno-lint-ignore no-await-in-loop -- One table after the other.
      assertEquals(await rowsOf(db, table, columns), rows, table);
    }

    const after = await openLine(db, ROOT);
    await after.ring();
    const [status, text] = await after.health();
    assertEquals(await after.close(), []);
    assertEquals(status, 200, text);
    assertEquals(await dispositions(db), [
      ...Array(2).fill("connected"),
      ...Array(4).fill("voicemail"),
    ]);
    const views = await db.sql`select viewname from pg_views where schemaname = 'public'`;
    for (const { viewname } of views) {
      // deno-lint-ignore no-await-in-loop
      await db.sql`select * from ${db.sql(viewname)}`;
    }
  },
);

interface Contents {
  readonly columns: string[];
  readonly rows: string[];
}

/** What the tables that calls are written to hold. Settings, and what is counted anew, may change. */
async function contents(db: TestDatabase): Promise<Map<string, Contents>> {
  const found = new Map<string, Contents>();
  for (const table of ["call_logs", "call_lifecycle", "recordings", "jobs"]) {
    // deno-lint-ignore no-await-in-loop -- One table after the other.
    const columns = (await db.sql`
      select attname::text as name from pg_attribute
      where attrelid = ${table}::regclass and attnum > 0 and not attisdropped order by attnum`)
      .map(({ name }) => name as string);
    // deno-lint-ignore no-await-in-loop
    found.set(table, { columns, rows: await rowsOf(db, table, columns) });
  }
  return found;
}

async function rowsOf({ sql }: TestDatabase, table: string, columns: string[]): Promise<string[]> {
  const rows = await sql`
    select to_jsonb(t)::text as row from (select ${sql(columns)} from ${
    sql(table)
  }) as t order by 1`;
  return rows.map(({ row }) => row);
}
