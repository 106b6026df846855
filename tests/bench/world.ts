import { dirname } from "@std/path/dirname.js";
import { fromFileUrl } from "@std/path/from_file_url.js";
import { join } from "@std/path/join.js";
import { migrate } from "../../scripts/local/migrate.ts";
import { startCluster } from "../../scripts/local/postgres.ts";
import { connect, TEMPLATE_VARIABLE, URL_VARIABLE } from "../support/cluster.ts";

export const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** A PostgreSQL for measuring: durable, as the one that `task start` runs and as a hosted one is. */
export interface World {
  url(database: string): string;
  /** For the superuser. */
  adminUrl(): string;
  /** A database with every migration, or a copy of another one. */
  createDatabase(name: string, template?: string): Promise<string>;
  stop(): Promise<void>;
}

const TEMPLATE = "template_migrated";

/** @param durable False: commits are not waited for, so that what is left is processor time. */
export async function startWorld(durable: boolean): Promise<World> {
  const cluster = await startCluster({ port: 0, durable });
  const execute = async (statement: string, database = "postgres") => {
    const sql = connect(cluster.url(database));
    await sql.unsafe(statement).finally(() => sql.end());
  };
  const admin = connect(cluster.adminUrl());
  // A database that was filled is brought to rest before it is measured.
  await admin`grant pg_checkpoint to postgres`;
  await admin.end();
  await execute(`create database ${TEMPLATE}`);
  const sql = connect(cluster.url(TEMPLATE));
  await migrate(sql, join(ROOT, "supabase", "migrations"));
  await sql.end();
  // The tests' own helpers then use this server.
  Deno.env.set(URL_VARIABLE, cluster.url());
  Deno.env.set(TEMPLATE_VARIABLE, TEMPLATE);
  return {
    url: (database) => cluster.url(database),
    adminUrl: () => cluster.adminUrl(),
    async createDatabase(name, template = TEMPLATE) {
      await execute(`create database ${name} template ${template} strategy file_copy`);
      return cluster.url(name);
    },
    stop: () => cluster.stop(),
  };
}

/** `pgbench`, from the path or from where Debian keeps it; undefined: there is none. */
export async function findPgbench(): Promise<string | undefined> {
  const candidates = ["pgbench"];
  try {
    for await (const { name } of Deno.readDir("/usr/lib/postgresql")) {
      candidates.push(`/usr/lib/postgresql/${name}/bin/pgbench`);
    }
  } catch {
    // Another system.
  }
  for (const path of candidates) {
    const command = new Deno.Command(path, { args: ["--version"], stderr: "null" });
    // deno-lint-ignore no-await-in-loop -- The next is only asked when this one is missing.
    if ((await command.output().catch(() => undefined))?.success) return path;
  }
  return undefined;
}

/** The Deno program of `tests/bench/<file>` as a process of its own, which says on stderr where it serves. */
export function spawn(file: string, args: readonly string[], env: Record<string, string> = {}) {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(dirname(fromFileUrl(import.meta.url)), file), ...args],
    cwd: ROOT,
    env: { ...env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "piped",
    // The log is written, and read by nobody: reading it would take the processors from what is measured.
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/** The line of a child's stderr that has its address; what follows is discarded. */
export async function addressLine(child: Deno.ChildProcess): Promise<string> {
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let output = "";
  let line: string | undefined;
  while (line === undefined) {
    // deno-lint-ignore no-await-in-loop -- It reads on.
    const { value, done } = await reader.read();
    if (done) throw new Error(`Cannot measure a process that ended: ${output}`);
    output += value;
    line = /^http:\/\/127\.0\.0\.1:.*(?=\n)/m.exec(output)?.[0];
  }
  const discard = async (): Promise<void> => {
    if (!(await reader.read()).done) await discard();
  };
  discard().catch(() => {});
  return line;
}

export function kill(child: Deno.ChildProcess): Promise<unknown> {
  try {
    child.kill("SIGKILL");
  } catch {
    // It is over already.
  }
  child.stdin.close().catch(() => {});
  return child.status;
}
