import postgres, { type Sql } from "postgres";
import { connect, startTestCluster, TEMPLATE_VARIABLE, URL_VARIABLE } from "./cluster.ts";

/** A database of its own with every migration applied, cloned from the template. */
export interface TestDatabase {
  /** For the superuser `postgres`. */
  readonly url: string;
  /** Connected as `postgres`, whom row-level security does not hold. */
  readonly sql: Sql;
  /** Closes `sql` and deletes the database, whoever is still connected. */
  drop(): Promise<void>;
}

/**
 * Clones the template database, or makes an empty one when `empty` is set: without migrations,
 * and without the schemas that Supabase has.
 */
export async function createTestDatabase(
  options: { empty?: boolean } = {},
): Promise<TestDatabase> {
  const { admin: adminUrl, template } = server;
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  const admin = connect(adminUrl);
  await admin`create database ${admin(name)} template ${
    admin(options.empty ? "template0" : template)
  }`;
  await admin.end();

  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  const sql = postgres(url.href, { max: 4, onnotice: () => {} });
  return {
    url: url.href,
    sql,
    async drop() {
      await sql.end({ timeout: 1 });
      const admin = connect(adminUrl);
      await admin`drop database if exists ${admin(name)} with (force)`;
      await admin.end();
    },
  };
}

/**
 * The server that `deno task test` started; for `deno test` by hand one of this process's own,
 * started while the module loads so that no test is blamed for what it keeps open.
 */
const server = await (async () => {
  let env = Deno.env.toObject();
  if (env[URL_VARIABLE] === undefined) {
    const cluster = await startTestCluster();
    env = cluster.env;
    globalThis.addEventListener("unload", () => {
      // No time to wait here: SIGQUIT ends PostgreSQL at once.
      const pid = Deno.readTextFileSync(`${cluster.dir}/db/postmaster.pid`).split("\n")[0];
      Deno.kill(Number(pid), "SIGQUIT");
      Deno.removeSync(cluster.dir, { recursive: true });
    });
  }
  return { admin: env[URL_VARIABLE] as string, template: env[TEMPLATE_VARIABLE] as string };
})();
