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
import { connectTo } from "./dump.ts";
import { backUp, BackupError, readBackup, rotate } from "./files.ts";
import { restore } from "./restore.ts";
import { SealError } from "./seal.ts";

const HELP = `Back a database up into one file, and put it back.

  deno task backup                                   the database at SUPABASE_DB_URL; else this machine's
  deno task restore FILE --verify                    into a scratch database, which is compared and thrown away
  deno task restore FILE --to postgresql://...       into a new, empty database

  --database   backup: the database's address, for a role that may read every table
  --dir        backup: where to; default BACKUP_DIR, else .tradeline/backups. 7 daily and 5 weekly ones are kept there
  --server     restore --verify: a PostgreSQL 17 that may make a database; default: one of its own
  --to         restore: the database
  --help

BACKUP_KEY (openssl rand -base64 32) encrypts: keep it apart from the files. Without it whoever has a file reads it.
Exit code 0: done and proven. 1: it is not, and why. 2: wrong usage.`;

const CONFIG = {
  allowPositionals: true,
  options: { database: TEXT, dir: TEXT, server: TEXT, to: TEXT, verify: FLAG },
} as const;

type CommandLine = Parsed<typeof CONFIG>;

/** @returns the exit code. */
export function main([task = "", ...args]: string[], context: CommandContext): Promise<number> {
  return command(
    { task, help: HELP, print: context.print },
    { args, ...CONFIG },
    (commandLine) => run(task, commandLine, context),
  );
}

async function run(
  task: string,
  { values, positionals }: CommandLine,
  { env, print }: CommandContext,
): Promise<number> {
  const port = env("TRADELINE_DB_PORT") ?? "54322";
  const key = env("BACKUP_KEY");
  try {
    if (task === "backup") {
      const url = values.database ?? env("SUPABASE_DB_URL") ??
        `postgresql://postgres:postgres@127.0.0.1:${port}/postgres`;
      const dir = values.dir ?? env("BACKUP_DIR") ?? join(ROOT, ".tradeline", "backups");
      const { path, bytes, sha256, trailer } = await backUp(url, dir, { key });
      const rows = Object.values(trailer.tables).reduce((sum, { rows }) => sum + rows, 0);
      print(`${path}: ${Object.keys(trailer.tables).length} tables, ${rows} rows, ${bytes} bytes`);
      print(`sha256 ${sha256}${key === undefined ? "; NOT encrypted: BACKUP_KEY is not set" : ""}`);
      const gone = await rotate(dir);
      if (gone.length > 0) print(`deleted, having served their time: ${gone.join(", ")}`);
      return 0;
    }
    const [file] = positionals;
    if (file === undefined || values.verify === (values.to !== undefined)) {
      throw new UsageError("restore needs a file, and either --verify or --to");
    }
    const backup = () => readBackup(file, key);
    const started = performance.now();
    const { header, trailer, migrated } = values.to !== undefined
      ? await restore(await backup(), values.to)
      : await inScratch(values.server, async (url) => await restore(await backup(), url));
    for (const [table, { rows }] of Object.entries(trailer.tables)) {
      if (rows > 0) print(`ok      ${table}: ${rows} rows, the same as when they were copied`);
    }
    print("ok      every foreign key leads somewhere");
    if (migrated.length > 0) print(`ok      ${migrated.length} migrations applied since`);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    print(
      values.verify
        ? `\nThe backup of ${header.created_at} can be restored: proven in ${seconds} s, in a database that is gone again.`
        : `\nRestored as of ${header.created_at}, in ${seconds} s.`,
    );
    return 0;
  } catch (error) {
    const expected = [BackupError, SealError, MigrationError, Deno.errors.NotFound]
      .some((kind) => error instanceof kind);
    const code = (error as { code?: unknown }).code;
    if (!expected && typeof code !== "string") throw error;
    print(`Cannot ${task}: ${(error as Error).message || code}`);
    return 1;
  }
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
