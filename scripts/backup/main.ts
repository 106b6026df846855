/** `deno task backup` and `deno task restore`. */
import { join } from "@std/path/join.js";
import {
  command,
  type CommandContext,
  environment,
  FLAG,
  type Parsed,
  TEXT,
  UsageError,
} from "../command.ts";
import { MigrationError } from "../local/migrate.ts";
import { startCluster } from "../local/postgres.ts";
import { ROOT } from "../local/stack.ts";
import { ArchiveError } from "./archive.ts";
import { BackupError, connectTo } from "./dump.ts";
import { backUp, readBackup, rotate } from "./files.ts";
import { checksumsAt, type Listed, listRecordings, readList } from "./recordings.ts";
import { restore, type Restored } from "./restore.ts";
import { SealError } from "./seal.ts";

const HELP = `Back a database up into one file, and put it back.

  deno task backup                                   the database at SUPABASE_DB_URL; else this machine's
  deno task restore FILE --verify                    into a scratch database, which is compared and thrown away
  deno task restore FILE --to postgresql://...       into a new, empty database
  deno task restore FILE --decrypt PLAIN             writes what pg_restore and pgAdmin read

  --database   backup: the database's address, for a role that may read every table
  --dir        backup: where to; default BACKUP_DIR, else .tradeline/backups. 7 daily and 5 weekly ones are kept there
  --server     restore --verify: a PostgreSQL 17 that may make a database; default: one of its own
  --to         restore: the database
  --decrypt    restore: the file to write, in pg_dump's custom format
  --help

A backup is a file in pg_dump's custom format. BACKUP_KEY (openssl rand -base64 32) encrypts it: keep it apart from the
files. Without it whoever has a file reads it, and may change what a restore runs.
Beside it is a list of the recordings at Twilio, each with the checksum of its WAV file for sha256sum --check; that needs
TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, and fetches each recording once.
Exit code 0: done and proven. 1: it is not, and why. 2: wrong usage.`;

const CONFIG = {
  allowPositionals: true,
  options: { database: TEXT, dir: TEXT, server: TEXT, to: TEXT, decrypt: TEXT, verify: FLAG },
} as const;

type CommandLine = Parsed<typeof CONFIG>;

/**
 * @param now A backup is named by it.
 * @returns the exit code.
 */
export function main(
  [task = "", ...args]: string[],
  context: CommandContext,
  now = new Date(),
): Promise<number> {
  return command(
    { task, help: HELP, print: context.print },
    { args, ...CONFIG },
    (commandLine) => run(task, commandLine, context, now),
  );
}

async function run(
  task: string,
  commandLine: CommandLine,
  context: CommandContext,
  now: Date,
): Promise<number> {
  try {
    return task === "backup"
      ? await makeBackup(commandLine, context, now)
      : await useBackup(commandLine, context);
  } catch (error) {
    const expected = [ArchiveError, BackupError, SealError, MigrationError, Deno.errors.NotFound]
      .some((kind) => error instanceof kind);
    const code = (error as { code?: unknown }).code;
    if (!expected && typeof code !== "string") throw error;
    context.print(`Cannot ${task}: ${(error as Error).message || code}`);
    return 1;
  }
}

async function makeBackup({ values }: CommandLine, { env, print }: CommandContext, now: Date) {
  const key = env("BACKUP_KEY");
  const port = env("TRADELINE_DB_PORT") ?? "54322";
  const url = values.database ?? env("SUPABASE_DB_URL") ??
    `postgresql://postgres:postgres@127.0.0.1:${port}/postgres`;
  const dir = values.dir ?? env("BACKUP_DIR") ?? join(ROOT, ".tradeline", "backups");
  const { path, bytes, sha256, rows, recordings } = await backUp(url, dir, { key, now });
  const tables = Object.values(rows);
  const total = tables.reduce((sum, rows) => sum + rows, 0);
  print(`${path}: ${tables.length} tables, ${total} rows, ${bytes} bytes`);
  print(`sha256 ${sha256}${key === undefined ? "; NOT encrypted: BACKUP_KEY is not set" : ""}`);

  const account = env("TWILIO_ACCOUNT_SID");
  const token = env("TWILIO_AUTH_TOKEN");
  const checksum = account === undefined || token === undefined
    ? undefined
    : checksumsAt(env("TWILIO_API_URL") ?? "https://api.twilio.com", account, token);
  const listed = await listRecordings(path, recordings, checksum);
  for (const line of told(listed)) print(line);
  const gone = await rotate(dir);
  if (gone.length > 0) print(`deleted, having served their time: ${gone.join(", ")}`);
  return listed.reason === undefined ? 0 : 1;
}

function told({ list, fetched, gone, unknown, reason }: Listed): string[] {
  const summed = list.size - gone.length - unknown.length;
  const lines = [`${summed} recordings with their checksums, ${fetched} of them new`];
  if (gone.length > 0) lines.push(`GONE from Twilio: ${some(gone)}`);
  if (unknown.length > 0) {
    const why = reason === undefined
      ? "TWILIO_ACCOUNT_SID or TWILIO_AUTH_TOKEN is not set"
      : `${reason}. The database is backed up; the next backup asks again`;
    lines.push(`WITHOUT checksum: ${some(unknown)}: ${why}`);
  }
  return lines;
}

function some(sids: readonly string[]): string {
  const shown = sids.slice(0, 5).join(", ");
  return sids.length > 5 ? `${shown} and ${sids.length - 5} more` : shown;
}

async function useBackup({ values, positionals }: CommandLine, { env, print }: CommandContext) {
  const [file, ...more] = positionals;
  const { verify, to, decrypt, server } = values;
  const ways = [verify, to !== undefined, decrypt !== undefined].filter(Boolean).length;
  if (file === undefined || more.length > 0 || ways !== 1) {
    throw new UsageError("restore needs one file, and one of --verify, --to and --decrypt");
  }
  const backup = () => readBackup(file, env("BACKUP_KEY"));
  if (decrypt !== undefined) {
    const archive = await backup();
    const plain = await Deno.open(decrypt, { write: true, createNew: true, mode: 0o600 });
    await archive.pipeTo(plain.writable).catch(async (error) => {
      await Deno.remove(decrypt);
      throw error;
    });
    print(`${decrypt}: an archive for pg_restore, which nothing protects`);
    return 0;
  }

  const started = performance.now();
  const restored = to !== undefined
    ? await restore(await backup(), to)
    : await inScratch(server, async (url) => await restore(await backup(), url));
  for (const proven of restored.proven) print(`ok      ${proven}`);
  const { migrated } = restored;
  if (migrated.length > 0) print(`ok      ${migrated.length} migrations applied since`);
  print(await proveList(file, restored));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const as = restored.createdAt.toISOString();
  print(
    verify
      ? `\nThe backup of ${as} can be restored: proven in ${seconds} s, in a database that is gone again.`
      : `\nRestored as of ${as}, in ${seconds} s.`,
  );
  return 0;
}

/** @throws {BackupError} where the list beside a backup is not the list of its recordings. */
async function proveList(file: string, { recordings }: Restored): Promise<string> {
  const list = await readList(file);
  if (list === undefined) return "none    no list of recordings beside it";
  const missing = recordings.map(({ recording_sid }) => recording_sid)
    .filter((sid) => !list.has(sid));
  if (missing.length > 0) {
    throw new BackupError(`The list of recordings beside ${file} lacks ${some(missing)}`);
  }
  const summed = recordings.filter(({ recording_sid }) =>
    !list.get(recording_sid)!.startsWith("#")
  );
  return `ok      ${recordings.length} recordings are listed, ${summed.length} with their checksums`;
}

/** A database of its own, on a server that is given, or on one that ends with it. */
async function inScratch<T>(
  server: string | undefined,
  use: (url: string) => Promise<T>,
): Promise<T> {
  if (server === undefined) {
    const dir = await Deno.makeTempDir({ prefix: "tradeline-scratch-" });
    await Deno.chmod(dir, 0o755);
    const cluster = await startCluster({ dataDir: dir, port: 0, durable: false });
    try {
      return await inScratch(cluster.url(), use);
    } finally {
      await cluster.stop();
      await Deno.remove(dir, { recursive: true });
    }
  }
  const name = `scratch_${crypto.randomUUID().replaceAll("-", "")}`;
  const admin = connectTo(server);
  try {
    await admin`create database ${admin(name)} template template0`;
    const url = new URL(server);
    url.pathname = `/${name}`;
    try {
      return await use(url.href);
    } finally {
      await admin`drop database if exists ${admin(name)} with (force)`;
    }
  } finally {
    await admin.end();
  }
}

if (import.meta.main) {
  Deno.exit(await main(Deno.args, { env: environment(), print: (line) => console.log(line) }));
}
