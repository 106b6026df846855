/** `deno task backup` and `deno task restore`. */
import {
  ADDRESS,
  command,
  type CommandContext,
  environment,
  FLAG,
  localUrl,
  type Parsed,
  projectAt,
  projectOf,
  TEXT,
  twilioAccess,
  UsageError,
} from "../command.ts";
import { MigrationError } from "../local/migrate.ts";
import {
  connectTo,
  type Database,
  databaseAt,
  DatabaseError,
  databaseNamed,
  localDatabaseUrl,
} from "../database.ts";
import { startCluster } from "../local/postgres.ts";
import { ArchiveError } from "./archive.ts";
import { CommandFailure } from "../flow/api.ts";
import { BackupError } from "./dump.ts";
import { backUp, backupDir, open, rotate } from "./files.ts";
import { type Copied, copyPrompts, restorePrompts } from "./prompts.ts";
import { checksumsAt, type Listed, listRecordings, readList } from "./recordings.ts";
import { restore, type Restored } from "./restore.ts";
import { SealError } from "./seal.ts";

const HELP = `Back a database up into one file, and put it back.

  npx -y deno@2.9.6 task backup                                   the database at SUPABASE_DB_URL; else this machine's
  npx -y deno@2.9.6 task restore FILE --verify                    into a scratch database, which is compared and thrown away
  npx -y deno@2.9.6 task restore FILE --to postgresql://...       into a new, empty database
  npx -y deno@2.9.6 task restore FILE --decrypt PLAIN             writes what pg_restore and pgAdmin read

  --database   backup: the database's address, for a role that may read every table
  --dir        backup: where to; default BACKUP_DIR, else backups/ in the data directory (TRADELINE_DATA_DIR, .tradeline).
               7 daily and 5 weekly ones are kept there
  --server     restore --verify: a PostgreSQL 17 that may make a database; default: one of its own
  --to         restore: the database
  --decrypt    restore: the file to write, in pg_dump's custom format; also of a list of recordings
  --url        the project. backup: whose prompts' files are copied; default SUPABASE_URL, else this machine's. restore --to:
               whose Storage gets them, by its secret key, SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY
  --help

A database that an option names gets its password from PGPASSWORD: other programs can read a command's options. Anywhere
but on this machine it is reached by TLS only, and its certificate verified: by Supabase's own authority for a project's
address, by DATABASE_CA (a file) where that is set, else by the system's.

A backup is a file in pg_dump's custom format. BACKUP_KEY (openssl rand -base64 32) encrypts it, and binds it to its name:
keep the key apart from the files. Without it anybody who has a file reads it, and may change what a restore runs.
Beside it is a list of the recordings at Twilio, each with the checksum of its WAV file for sha256sum --check; that needs
TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, and fetches each recording once. In the folder prompts are the prompts' files from
Storage, each fetched once and encrypted in the same way.
Exit code 0: done and proven. 1: it is not, and why. 2: wrong usage.`;

const CONFIG = {
  allowPositionals: true,
  options: {
    database: TEXT,
    dir: TEXT,
    server: TEXT,
    to: TEXT,
    decrypt: TEXT,
    verify: FLAG,
    url: ADDRESS,
  },
} as const;

const BACKUP_ONLY = ["database", "dir"] as const;
const RESTORE_ONLY = ["server", "to", "decrypt", "verify"] as const;

type CommandLine = Parsed<typeof CONFIG>;

/**
 * @param now The backup's name contains it.
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
  if (task === "backup" && commandLine.positionals.length > 0) {
    throw new UsageError(`backup takes no argument: "${commandLine.positionals[0]}"`);
  }
  const foreign = (task === "backup" ? RESTORE_ONLY : BACKUP_ONLY)
    .find((name) => commandLine.values[name]);
  if (foreign !== undefined) throw new UsageError(`${task} has no --${foreign}`);
  try {
    return task === "backup"
      ? await makeBackup(commandLine, context, now)
      : await useBackup(commandLine, context);
  } catch (error) {
    const expected = [
      ArchiveError,
      BackupError,
      CommandFailure,
      DatabaseError,
      SealError,
      MigrationError,
    ]
      .some((kind) => error instanceof kind);
    const code = (error as { code?: unknown }).code;
    if (!expected && typeof code !== "string") throw error;
    context.print(`Cannot ${task}: ${(error as Error).message || code}`);
    return 1;
  }
}

async function makeBackup({ values }: CommandLine, { env, print }: CommandContext, now: Date) {
  const key = env("BACKUP_KEY");
  const dir = values.dir ?? backupDir(env);
  const database = values.database === undefined
    ? databaseOf(env)
    : databaseNamed(values.database, env, "--database");
  const dumped = await backUp(database, dir, { key, now });
  const { path, bytes, sha256, rows, recordings, prompts } = dumped;
  const tables = Object.values(rows);
  const total = tables.reduce((sum, rows) => sum + rows, 0);
  print(`${path}: ${tables.length} tables, ${total} rows, ${bytes} bytes`);
  print(`sha256 ${sha256}${key === undefined ? "; NOT encrypted: BACKUP_KEY is not set" : ""}`);

  const local = values.database === undefined && env("SUPABASE_DB_URL") === undefined;
  const twilio = twilioAccess(env, local);
  const checksum = twilio === undefined ? undefined : checksumsAt(twilio);
  const listed = await listRecordings(path, recordings, { key, checksum });
  for (const line of told(listed)) print(line);
  const address = values.url ?? env("SUPABASE_URL") ?? (local ? localUrl(env) : undefined);
  const url = address === undefined ? undefined : projectAt(env, address).url;
  const copies = await copyPrompts(path, prompts, { key, url });
  for (const line of toldOfPrompts(copies)) print(line);
  const gone = await rotate(dir);
  if (gone.length > 0) print(`deleted, expired: ${gone.join(", ")}`);
  return listed.reason === undefined && copies.reason === undefined ? 0 : 1;
}

/** The database that the settings name; without any, this machine's. */
function databaseOf(env: CommandContext["env"]): Database {
  return databaseAt(env("SUPABASE_DB_URL") ?? localDatabaseUrl(env), env, "SUPABASE_DB_URL");
}

function told({ list, fetched, gone, unknown, reason }: Listed): string[] {
  if (list.size === 0) return ["no recordings"];
  const summed = list.size - gone.length - unknown.length;
  const lines = [
    `${list.size} recordings listed, ${summed} with checksums, ${fetched} of them new`,
  ];
  if (gone.length > 0) lines.push(`GONE from Twilio: ${some(gone)}`);
  if (reason !== undefined) {
    lines.push(
      `NOT FETCHED: ${
        some(unknown)
      }: ${reason}. The database is backed up; the next backup asks again`,
    );
  } else if (unknown.length > 0) {
    lines.push("checksums of recordings need TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN");
  }
  return lines;
}

function toldOfPrompts({ copied, gone, unknown, reason }: Copied): string[] {
  const lines = copied > 0 ? [`${copied} prompts' files copied`] : [];
  if (gone.length > 0) lines.push(`GONE from Storage: ${some(gone)}`);
  if (reason !== undefined) {
    lines.push(
      `NOT COPIED: ${
        some(unknown)
      }: ${reason}. The database is backed up; the next backup asks again`,
    );
  } else if (unknown.length > 0) {
    lines.push(`NOT COPIED: ${unknown.length} prompts' files: that needs SUPABASE_URL or --url`);
  }
  return lines;
}

function some(sids: readonly string[]): string {
  const shown = sids.slice(0, 5).join(", ");
  return sids.length > 5 ? `${shown} and ${sids.length - 5} more` : shown;
}

async function useBackup({ values, positionals }: CommandLine, { env, print }: CommandContext) {
  const [file, ...more] = positionals;
  const { verify, to, decrypt } = values;
  const ways = [verify, to !== undefined, decrypt !== undefined].filter(Boolean).length;
  if (!file?.trim() || more.length > 0 || ways !== 1) {
    throw new UsageError("restore needs one file, and one of --verify, --to and --decrypt");
  }
  if (values.url !== undefined && to === undefined) throw new UsageError("--url needs --to");
  const project = values.url === undefined ? undefined : projectOf(env, values.url);
  const target = to === undefined ? undefined : databaseNamed(to, env, "--to");
  const server = values.server === undefined
    ? undefined
    : databaseNamed(values.server, env, "--server");
  const key = env("BACKUP_KEY");
  // First, so that a fault of the file is reported before a database is created for it.
  const archive = await open(file, key);
  if (decrypt !== undefined) {
    const plain = await Deno.open(decrypt, { write: true, createNew: true, mode: 0o600 });
    await archive.pipeTo(plain.writable).catch(async (error) => {
      await Deno.remove(decrypt);
      throw error;
    });
    print(`${decrypt}: decrypted; the file is not protected`);
    return 0;
  }

  const started = performance.now();
  const restored = target !== undefined
    ? await restore(archive, target)
    : await inScratch(server, async (scratch) => await restore(archive, scratch));
  for (const proven of restored.proven) print(`ok      ${proven}`);
  const { migrated } = restored;
  if (migrated.length > 0) print(`ok      ${migrated.length} migrations applied since`);
  print(await proveList(file, key, restored));
  const { prompts } = restored;
  const missing = await restorePrompts(file, prompts, { key, project });
  if (prompts.length > missing.length) {
    const where = project !== undefined
      ? `, and stored at ${project.url}`
      : to === undefined
      ? ""
      : "; none is stored, as --url is not set";
    print(
      `ok      ${prompts.length - missing.length} prompts' files are as their hashes say${where}`,
    );
  }
  if (missing.length > 0) print(`LACKING prompts' files that were not copied: ${some(missing)}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const as = restored.createdAt.toISOString();
  print(
    verify
      ? `\nThe backup of ${as} can be restored: proven in ${seconds} s, in a scratch database that was deleted afterwards.`
      : `\nRestored as of ${as}, in ${seconds} s.`,
  );
  return 0;
}

/** @throws {BackupError} when the list beside a backup lacks some of its recordings. */
async function proveList(
  file: string,
  key: string | undefined,
  { recordings }: Restored,
): Promise<string> {
  const list = await readList(file, key);
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

/** Runs with a scratch database, on the given server or on a temporary one. */
async function inScratch<T>(
  server: Database | undefined,
  use: (scratch: Database) => Promise<T>,
): Promise<T> {
  if (server === undefined) {
    const cluster = await startCluster({ port: 0, durable: false });
    try {
      return await inScratch(databaseAt(cluster.url(), () => undefined, "scratch"), use);
    } finally {
      await cluster.stop();
    }
  }
  const name = `scratch_${crypto.randomUUID().replaceAll("-", "")}`;
  const admin = connectTo(server);
  try {
    await admin`create database ${admin(name)} template template0`;
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    try {
      return await use({ ...server, url });
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
