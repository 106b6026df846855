import postgres, { type Sql } from "postgres";
import { assertEquals } from "@std/assert/equals.js";
import { join } from "@std/path/join.js";
import type { Database } from "../../scripts/database.ts";
import { type AuthMail, createAuthApi } from "../../scripts/local/auth_api.ts";
import { createDataApi, type DataApi, type DataApiOptions } from "../../scripts/local/data_api.ts";
import { createGateway } from "../../scripts/local/gateway.ts";
import { createStorageApi } from "../../scripts/local/storage_api.ts";
import {
  apiKeys,
  LOCAL_JWT_SECRET,
  ROOT,
  serve,
  withLocalDefaults,
} from "../../scripts/local/stack.ts";
import { connect, startTestCluster, TEMPLATE_VARIABLE, URL_VARIABLE } from "./cluster.ts";

/** A database of its own with every migration applied, cloned from the template. */
export interface TestDatabase {
  /** For `postgres`, with its rights in a hosted project: not a superuser. */
  readonly url: string;
  /** The same, as commands take it. */
  readonly at: Database;
  /** Connected as `postgres`, which bypasses row-level security. */
  readonly sql: Sql;
  /** Runs a statement as the superuser, which a hosted project does not allow. */
  asAdmin(statement: string): Promise<void>;
  /** A Data API over this database, with the local keys; `drop` closes it. */
  api(options?: Partial<DataApiOptions>): DataApi;
  /** Closes `sql` and deletes the database, with any other connection to it. */
  drop(): Promise<void>;
}

/** As `databaseAt` reads it: these files also run in the hosted runtime, which lacks what that one imports. */
function onThisMachine(address: URL): Database {
  const url = new URL(address);
  url.password = "";
  return { url, password: address.password, tls: false, caFile: undefined };
}

/**
 * Clones the template database.
 *
 * @param options `project`: as a new project of Supabase's is, without migrations; `empty`: also without the schemas that
 * Supabase has.
 */
export async function createTestDatabase(
  options: { project?: boolean; empty?: boolean } = {},
): Promise<TestDatabase> {
  const { admin, template } = server;
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  await admin`create database ${admin(name)} template ${
    admin(options.empty ? "template0" : options.project ? "template1" : template)
  } strategy file_copy`;

  const url = new URL(server.url);
  url.pathname = `/${name}`;
  const apis: DataApi[] = [];
  const sql = postgres(url.href, { max: 4, onnotice: () => {} });
  return {
    url: url.href,
    at: onThisMachine(url),
    sql,
    async asAdmin(statement) {
      const by = new URL(url);
      by.username = "supabase_admin";
      const admin = connect(by.href);
      await admin.unsafe(statement).finally(() => admin.end());
    },
    api(options = {}) {
      const api = createDataApi({
        databaseUrl: url.href,
        keys: apiKeys(withLocalDefaults({}, "", "")),
        jwtSecret: LOCAL_JWT_SECRET,
        ...options,
      });
      apis.push(api);
      return api;
    },
    async drop() {
      await Promise.all([sql.end({ timeout: 1 }), ...apis.map((api) => api.close())]);
      await admin`drop database if exists ${admin(name)} with (force)`;
    },
  };
}

/** What a database holds of its migrations, as Supabase's CLI records them. */
export async function recorded({ sql }: TestDatabase) {
  return [
    ...await sql<{ version: string; name: string; statements: string[] }[]>`
      select version, name, statements from supabase_migrations.schema_migrations order by version`,
  ];
}

/** Makes tests of one topic, each with a database of its own. */
export function databaseTests(topic: string) {
  return (name: string, body: (db: TestDatabase) => Promise<void>) =>
    Deno.test(`${topic}: ${name}`, async () => {
      const db = await createTestDatabase();
      try {
        await body(db);
      } finally {
        await db.drop();
      }
    });
}

/** The edge functions and the Data API over HTTP, on a database of their own. */
export interface TestStack {
  /** Without a trailing slash: `/functions/v1/...`, `/rest/v1/...` and `/storage/v1/...` are under it. */
  readonly url: string;
  readonly db: TestDatabase;
  /** The requests to the Data API so far, such as `POST /rest/v1/rpc/accept_voice_event`. */
  readonly dataApiRequests: string[];
  /** What the functions and the gateway complained about. */
  readonly log: string[];
  /** What the stand-in for Supabase Auth sent. */
  readonly mails: AuthMail[];
  /** Ends the server and deletes the database. @throws where an answer was not as docs/openapi.yaml has it. */
  stop(): Promise<void>;
}

/**
 * Serves the edge functions as `deno task start` does, on any free port and a cloned database. One
 * at a time in a test file, as the functions share its globals.
 *
 * @param options `functions: false`: only the Data API, any number at a time; `env`: settings for
 * the functions beside the local defaults.
 */
export async function startTestStack(
  options: {
    functions?: boolean;
    env?: Record<string, string>;
    siteUrl?: () => string | undefined;
    now?: () => Date;
    /** A function that is not run when others wake it: the test does. */
    asleep?: string;
  } = {},
): Promise<TestStack> {
  const db = await createTestDatabase();
  const log: string[] = [];
  const dataApiRequests: string[] = [];
  const mails: AuthMail[] = [];
  const storageDir = await Deno.makeTempDir({ prefix: "tradeline-storage-" });
  const api = db.api();
  const dataApi = (request: Request) => {
    dataApiRequests.push(`${request.method} ${new URL(request.url).pathname}`);
    return api.handle(request);
  };

  let handle: Deno.ServeHandler<Deno.NetAddr> = dataApi;
  const server = serve(0, (line) => log.push(line), (request, info) => handle(request, info), {
    mayAsk: (_, origin) => origin === options.siteUrl?.(),
  });
  const keys = apiKeys(withLocalDefaults({}, "", ""));
  const gateway = options.functions === false ? undefined : await createGateway({
    supabaseDir: join(ROOT, "supabase"),
    env: withLocalDefaults(options.env ?? {}, server.url, db.url),
    jwtSecret: LOCAL_JWT_SECRET,
    dataApi,
    authApi: createAuthApi({
      sql: db.sql,
      keys,
      jwtSecret: LOCAL_JWT_SECRET,
      url: () => server.url,
      siteUrl: () => `${options.siteUrl?.() ?? "http://127.0.0.1:54323"}/console/`,
      sendMail: (mail) => Promise.resolve(void mails.push(mail)),
      ...(options.now && { now: options.now }),
    }),
    storageApi: createStorageApi({ dir: storageDir, keys }),
    log: (line) => log.push(line),
  });
  const undescribed: string[] = [];
  if (gateway !== undefined) {
    const { undocumented } = await import("./openapi.ts");
    handle = async (request, info) => {
      const name = new URL(request.url).pathname.split("/functions/v1/")[1] ?? "";
      if (name !== "" && name === options.asleep) return new Response(null, { status: 202 });
      const response = await gateway.handle(request, info);
      if (gateway.functions.includes(name.split("/")[0]!)) {
        undescribed.push(...await undocumented(name, request.method, response));
      }
      return response;
    };
  }
  return {
    url: server.url,
    db,
    dataApiRequests,
    log,
    mails,
    async stop() {
      await gateway?.close();
      await server.drain();
      await Promise.all([db.drop(), Deno.remove(storageDir, { recursive: true })]);
      assertEquals(undescribed, [], "answers that docs/openapi.yaml does not describe");
    },
  };
}

/**
 * The server that `deno task test` started; for `deno test` by hand one of this process's own. It is started, and the
 * connection opened that makes the databases, while the module loads: no test is blamed for what they keep open.
 */
const server = await (async () => {
  const inherited = Deno.env.toObject();
  const env = inherited[URL_VARIABLE] === undefined ? (await startTestCluster()).env : inherited;
  const url = env[URL_VARIABLE] as string;
  const admin = connect(url);
  await admin`select 1`;
  return { url, admin, template: env[TEMPLATE_VARIABLE] as string };
})();
