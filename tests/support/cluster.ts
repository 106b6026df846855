import { fromFileUrl } from "@std/path/from_file_url.js";
import postgres, { type Sql } from "postgres";
import { migrate } from "../../scripts/local/migrate.ts";
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
  const cluster = await startCluster({ port: 0, durable: false });
  try {
    await makeTemplate(cluster, "template_migrated");
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return {
    env: { [URL_VARIABLE]: cluster.url(), [TEMPLATE_VARIABLE]: "template_migrated" },
    stop: () => cluster.stop(),
  };
}

async function makeTemplate(cluster: Cluster, name: string): Promise<void> {
  const admin = connect(cluster.url());
  await admin`create database ${admin(name)}`;
  await admin.end();
  const sql = connect(cluster.url(name));
  try {
    await migrate(sql, MIGRATIONS);
    // It may be granted by who made it, and is only taken on by who has it.
    await sql`grant monitoring to postgres`;
  } finally {
    await sql.end();
  }
}

/** One connection, silent about notices. End it. */
export function connect(url: string): Sql {
  return postgres(url, { max: 1, onnotice: () => {} });
}
