import { fromFileUrl } from "@std/path/from_file_url.js";
import postgres, { type Sql } from "postgres";
import { createRoles, migrate } from "../../scripts/local/migrate.ts";
import { type Cluster, startCluster } from "../../scripts/local/postgres.ts";

/** The environment variables by which `deno task test` hands its server to the tests. */
export const URL_VARIABLE = "TRADELINE_TEST_DATABASE_URL";
export const TEMPLATE_VARIABLE = "TRADELINE_TEST_TEMPLATE";

const MIGRATIONS = fromFileUrl(new URL("../../supabase/migrations", import.meta.url));

/** A throw-away PostgreSQL with the template database made. It ends with this process. */
export interface TestCluster {
  /** What the tests of another process need in their environment to share it. */
  readonly env: Record<string, string>;
  stop(): Promise<void>;
}

/** Boots PostgreSQL in a temporary directory, not durable, and makes the template database. */
export async function startTestCluster(): Promise<TestCluster> {
  const dir = await Deno.makeTempDir({ prefix: "tradeline-test-" });
  // As root, PostgreSQL runs as another user, who has to get in.
  await Deno.chmod(dir, 0o755);
  const watch = watchdog(dir);
  const cluster = await startCluster({ dataDir: dir, port: 0, durable: false });
  const stop = async () => {
    await cluster.stop();
    await watch.stdin.close();
    await watch.status;
  };
  try {
    await makeTemplate(cluster, "template_migrated");
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    env: { [URL_VARIABLE]: cluster.url(), [TEMPLATE_VARIABLE]: "template_migrated" },
    stop,
  };
}

/**
 * A shell whose input ends when we close it, or with this process, however that ends: then it ends
 * PostgreSQL, if it still runs or is frozen, and deletes the directory.
 */
export function watchdog(dir: string): Deno.ChildProcess {
  const script = `read -r _
    if pid=$(head -n 1 "$1/db/postmaster.pid" 2> /dev/null); then kill -QUIT "$pid"; kill -CONT "$pid"; fi
    for _ in 1 2 3 4 5; do rm -rf "$1" && break; sleep 0.2; done`;
  const child = new Deno.Command("sh", {
    args: ["-c", script, "sh", dir],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  child.unref();
  return child;
}

async function makeTemplate(cluster: Cluster, name: string): Promise<void> {
  const admin = connect(cluster.url());
  await admin`create database ${admin(name)}`;
  await admin.end();
  const sql = connect(cluster.url(name));
  try {
    await createRoles(sql);
    await migrate(sql, MIGRATIONS);
  } finally {
    await sql.end();
  }
}

/** One connection, silent about notices. End it. */
export function connect(url: string): Sql {
  return postgres(url, { max: 1, onnotice: () => {} });
}
