import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { createHash } from "node:crypto";
import { join } from "@std/path/join.js";
import { main } from "../../scripts/backup/main.ts";
import { checksumsAt, listRecordings } from "../../scripts/backup/recordings.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";

const MAIN = `AC${"0".repeat(32)}`;
const SUB = `AC${"5".repeat(32)}`;
const TOKEN = "token";

/** A recording's audio, and its checksum, by any other means than ours. */
const audio = (sid: string) => `RIFF of ${sid}`;
const sum = (sid: string) => createHash("sha256").update(audio(sid)).digest("hex");

interface Recordings {
  readonly url: string;
  /** Paths that were asked for, behind `/2010-04-01/Accounts/`. */
  readonly asked: string[];
  /** Paths at which there is a recording. */
  readonly there: Set<string>;
  /** Answers instead, where it is set. */
  fault?: Response | undefined;
}

/** Twilio's recordings, for the main account's credentials. */
async function withTwilio(body: (twilio: Recordings) => Promise<void>): Promise<void> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (request.headers.get("authorization") !== `Basic ${btoa(`${MAIN}:${TOKEN}`)}`) {
      return new Response(null, { status: 401 });
    }
    const path = new URL(request.url).pathname.replace("/2010-04-01/Accounts/", "");
    twilio.asked.push(path);
    if (twilio.fault !== undefined) return twilio.fault.clone();
    if (!twilio.there.has(path)) return new Response(null, { status: 404 });
    return new Response(audio(path.slice(-38, -4)));
  });
  const twilio: Recordings = {
    url: `http://127.0.0.1:${server.addr.port}`,
    asked: [],
    there: new Set(),
  };
  try {
    await body(twilio);
  } finally {
    await server.shutdown();
  }
}

async function recorded(
  db: TestDatabase,
  callSid: string,
  n: number,
  source: "dial" | "voicemail" = "voicemail",
  account?: string,
): Promise<string> {
  const sid = recordingSid(n);
  const event = voiceEvent(callSid, {
    identity: sid,
    recording_sid: sid,
    recording_source: source,
    meta: { recording_sid: sid },
    ...(account !== undefined && {
      recording_url: `https://api.twilio.com/2010-04-01/Accounts/${account}/Recordings/${sid}`,
    }),
  });
  await db.sql`select public.accept_voice_event(${db.sql.json(event as never)})`;
  return sid;
}

/** A database with recordings, and a Twilio that has them. */
async function withBoth(
  body: (
    given: {
      db: TestDatabase;
      twilio: Recordings;
      dir: string;
      sids: readonly string[];
      backup(env?: Record<string, string>): Promise<{ code: number; text: string; file: string }>;
    },
  ) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  const db = await createTestDatabase();
  try {
    await withTwilio(async (twilio) => {
      const call = newCallSid();
      const sids = [
        await recorded(db, call, 1, "dial", MAIN),
        await recorded(db, call, 2),
        await recorded(db, newCallSid(), 3, "voicemail", SUB),
      ];
      for (const [nth, sid] of sids.entries()) {
        twilio.there.add(`${nth === 2 ? SUB : MAIN}/Recordings/${sid}.wav`);
      }
      const env = {
        TWILIO_ACCOUNT_SID: MAIN,
        TWILIO_AUTH_TOKEN: TOKEN,
        TWILIO_API_URL: twilio.url,
      };
      let second = 0;
      await body({
        db,
        twilio,
        dir,
        sids,
        async backup(other: Record<string, string> = env) {
          // Files are named by the second.
          const now = new Date(Date.UTC(2025, 10, 30, 2, 0, second++));
          const { code, text } = await task(
            ["backup", "--dir", dir],
            { SUPABASE_DB_URL: db.url, ...other },
            now,
          );
          const stamp = now.toISOString().replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
          return { code, text, file: join(dir, `tradeline-${stamp}.backup`) };
        },
      });
    });
  } finally {
    await Promise.all([db.drop(), Deno.remove(dir, { recursive: true })]);
  }
}

async function task(args: string[], env: Record<string, string> = {}, now?: Date) {
  const lines: string[] = [];
  const context = { env: (name: string) => env[name], print: (line: string) => lines.push(line) };
  const code = await main(args, context, now);
  return { code, text: lines.join("\n") };
}

/** Restores a backup into a database of its own. */
async function restored(file: string): Promise<{ code: number; text: string }> {
  const empty = await createTestDatabase({ empty: true });
  try {
    return await task(["restore", file, "--to", empty.at.url.href], { PGPASSWORD: "postgres" });
  } finally {
    await empty.drop();
  }
}

function linesOf(file: string): string[] {
  return Deno.readTextFileSync(file.replace(".backup", ".recordings")).trimEnd().split("\n");
}

Deno.test("beside a backup every recording is listed with its checksum, each of a call's and a sub-account's too", () =>
  withBoth(async ({ backup, sids, dir }) => {
    const { code, text, file } = await backup();
    assertEquals(code, 0, text);
    assertStringIncludes(text, "3 recordings listed, 3 with checksums, 3 of them new");
    assertEquals(linesOf(file), sids.map((sid) => `${sum(sid)}  ${sid}.wav`));

    // What anybody has who fetched them, and the checksums as coreutils read them.
    for (const sid of sids) await Deno.writeTextFile(join(dir, `${sid}.wav`), audio(sid));
    const list = file.replace(".backup", ".recordings");
    for (const sums of [list, `${list}.sha256`, `${file}.sha256`]) {
      const { success } = await new Deno.Command("sha256sum", {
        args: ["--check", "--strict", sums],
        cwd: dir,
        stdout: "null",
      }).output();
      assertEquals(success, true, sums);
    }
    assertEquals(Deno.statSync(list).mode! & 0o077, 0, "nobody else may read it");
  }));

Deno.test("a recording is fetched once: later backups know its checksum from the list before", () =>
  withBoth(async ({ db, twilio, backup, sids }) => {
    await backup();
    twilio.asked.length = 0;
    const sid = await recorded(db, newCallSid(), 4, "voicemail", MAIN);
    twilio.there.add(`${MAIN}/Recordings/${sid}.wav`);
    const { text, file } = await backup();
    assertStringIncludes(text, "4 recordings listed, 4 with checksums, 1 of them new");
    assertEquals(twilio.asked, [`${MAIN}/Recordings/${sid}.wav`]);
    assertEquals(linesOf(file), [...sids, sid].map((each) => `${sum(each)}  ${each}.wav`));
  }));

Deno.test("a recording that Twilio does not have is reported each time, and listed when it is there", () =>
  withBoth(async ({ twilio, backup, sids }) => {
    const path = `${MAIN}/Recordings/${sids[1]}.wav`;
    twilio.there.delete(path);
    const lacking = await backup();
    assertEquals(lacking.code, 0, lacking.text);
    assertStringIncludes(lacking.text, `GONE from Twilio: ${sids[1]}`);
    assertEquals(linesOf(lacking.file)[1], `# gone from Twilio  ${sids[1]}.wav`);

    twilio.there.add(path);
    const whole = await backup();
    assertEquals(linesOf(whole.file)[1], `${sum(sids[1]!)}  ${sids[1]}.wav`);
  }));

Deno.test("while Twilio does not answer, the database is backed up, known checksums stay, and the exit code is 1", () =>
  withBoth(async ({ db, twilio, backup, sids }) => {
    await backup();
    const sid = await recorded(db, newCallSid(), 4);
    twilio.fault = new Response(null, { status: 503 });
    const { code, text, file } = await backup();
    assertEquals(code, 1, text);
    assertStringIncludes(
      text,
      `NOT FETCHED: ${sid}: Twilio answered 503. The database is backed up`,
    );
    assertEquals(linesOf(file), [
      ...sids.map((each) => `${sum(each)}  ${each}.wav`),
      `# not fetched  ${sid}.wav`,
    ]);
    const verified = await restored(file);
    assertEquals(verified.code, 0, verified.text);
    assertStringIncludes(verified.text, "4 recordings are listed, 3 with their checksums");
  }));

Deno.test("a recording whose first answer is 429 is asked for again", () =>
  withBoth(async ({ dir, twilio, sids }) => {
    twilio.fault = new Response(null, { status: 429 });
    const recordings = [{ recording_sid: sids[0]!, account_sid: MAIN }];
    const checksum = checksumsAt({ baseUrl: twilio.url, accountSid: MAIN, authToken: TOKEN });
    const { list, reason } = await listRecordings(
      join(dir, "tradeline-20251130T020000Z.backup"),
      recordings,
      {
        checksum: (recording) => checksum(recording).finally(() => twilio.fault = undefined),
        patienceMs: 1,
      },
    );
    assertEquals(reason, undefined);
    assertEquals(list.get(sids[0]!), sum(sids[0]!));
    assertEquals(twilio.asked.length, 2);
  }));

Deno.test("without Twilio's credentials the recordings are listed without checksums, and one line says what those need", () =>
  withBoth(async ({ twilio, backup, sids }) => {
    const { code, text, file } = await backup({});
    assertEquals(code, 0, text);
    assertStringIncludes(
      text,
      "\n3 recordings listed, 0 with checksums, 0 of them new\nchecksums of recordings need TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN",
    );
    assertEquals(linesOf(file), sids.map((sid) => `# not fetched  ${sid}.wav`));
    assertEquals(twilio.asked, []);
  }));

Deno.test("a backup whose list of recordings lacks one, or was changed, is not proven", () =>
  withBoth(async ({ backup, sids }) => {
    const { file } = await backup();
    const list = file.replace(".backup", ".recordings");
    const verify = () => restored(file);
    assertStringIncludes((await verify()).text, "3 recordings are listed, 3 with their checksums");

    const text = await Deno.readTextFile(list);
    await Deno.writeTextFile(list, text.replace(sum(sids[0]!), "0".repeat(64)));
    const changed = await verify();
    assertEquals(changed.code, 1);
    assertStringIncludes(changed.text, "does not match its checksum");

    const short = linesOf(file).slice(1).join("\n");
    await Deno.writeTextFile(list, short);
    await Deno.writeTextFile(`${list}.sha256`, createHash("sha256").update(short).digest("hex"));
    const lacking = await verify();
    assertEquals(lacking.code, 1);
    assertStringIncludes(lacking.text, `lacks ${sids[0]}`);
  }));

Deno.test("with BACKUP_KEY the list of recordings is encrypted too, and the next backup goes on from it", () =>
  withBoth(async ({ twilio, dir, backup, sids }) => {
    const env = {
      BACKUP_KEY: btoa("0123456789abcdef0123456789abcdef"),
      TWILIO_ACCOUNT_SID: MAIN,
      TWILIO_AUTH_TOKEN: TOKEN,
      TWILIO_API_URL: twilio.url,
    };
    const { code, text } = await backup(env);
    assertEquals(code, 0, text);
    twilio.asked.length = 0;
    const { file } = await backup(env);
    assertEquals(twilio.asked, []);
    const list = file.replace(".backup", ".recordings");
    assertEquals((await Deno.readTextFile(list)).includes(sids[0]!), false);

    const plain = join(dir, "plain.txt");
    const opened = await task(["restore", list, "--decrypt", plain], env);
    assertEquals(opened.code, 0, opened.text);
    const expected = sids.map((sid) => `${sum(sid)}  ${sid}.wav\n`).join("");
    assertEquals(await Deno.readTextFile(plain), expected);
  }));
