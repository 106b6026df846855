import { fromFileUrl } from "@std/path/from_file_url.js";
import { join } from "@std/path/join.js";
import { resolve } from "@std/path/resolve.js";
import postgres from "postgres";
import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import { readSettings, type Settings } from "../../supabase/functions/_shared/settings.ts";
import { type AuthMail, createAuthApi, ensureUser } from "./auth_api.ts";
import { createDataApi } from "./data_api.ts";
import {
  LOCAL_ACCOUNT_SID,
  LOCAL_AUTH_TOKEN,
  LOCAL_JWT_SECRET,
  LOCAL_OWNER,
  LOCAL_PUBLISHABLE_KEY,
  LOCAL_SECRET_KEY,
} from "../defaults.ts";
import { createGateway } from "./gateway.ts";
import { migrate, OtherSchemaError } from "./migrate.ts";
import { assertPortFree, startCluster, StartError } from "./postgres.ts";
import { JOBS, startSchedule } from "./schedule.ts";
import { type Admission, isLoopback, serve } from "./serve.ts";
import { createStorageApi } from "./storage_api.ts";
import type { TwilioApi } from "./twilio_api.ts";

export const ROOT = fromFileUrl(new URL("../..", import.meta.url));

export * from "../defaults.ts";
export { serve } from "./serve.ts";

export interface StackOptions {
  /**
   * The settings. A name that is missing or blank has its local default, the ports and the data
   * directory included. Default: this process's environment.
   */
  readonly env?: Readonly<Record<string, string>>;
  /** Called with progress and failures, line by line. */
  readonly log?: (line: string) => void;
  /** False: faster and lost with a crash, for tests. Default true. */
  readonly durable?: boolean;
  /**
   * Also runs what the hosted platform schedules, and stand-ins for Resend, Twilio's REST API and
   * Upstash where none is set. Default false.
   */
  readonly services?: boolean;
  /** Makes what answers at the port of the local pages; without it that port is left alone. */
  readonly ui?: (running: Running) => Pages;
}

/** The local pages. */
export interface Pages {
  handle(request: Request): Response | Promise<Response>;
  /** Ends what its requests keep open. */
  close(): Promise<void>;
}

/** What the pages can build on. */
export interface Running {
  /** Without a trailing slash: `/functions/v1/...`, `/rest/v1/...` and `/storage/v1/...` are under it. */
  readonly apiUrl: string;
  /** For `postgres`, who is no superuser. */
  readonly databaseUrl: string;
  readonly dataDir: string;
  /** The environment that the functions see, local defaults included. */
  readonly env: Readonly<Record<string, string>>;
  /** Gives the stand-in for Twilio's REST API its telephones; undefined where another Twilio is set. */
  readonly connect: TwilioApi["connectAll"] | undefined;
}

/** The whole system, running. */
export interface Stack extends Running {
  /** Undefined when no pages are served. */
  readonly uiUrl: string | undefined;
  /** Where sent mails can be read; undefined when they go elsewhere. */
  readonly mailUrl: string | undefined;
  /** The edge functions that are served, by name. */
  readonly functions: readonly string[];
  /** Ends the servers, waits for background work, and stops PostgreSQL. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL, brings it up to the migrations, and serves the edge functions, the Data API
 * and the pages on 127.0.0.1. One at a time in a process; after `stop` another may follow.
 *
 * @throws {SettingError | StartError | MigrationError} with nothing left running.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const log = options.log ?? (() => {});
  const given = withoutBlanks(options.env ?? Deno.env.toObject());
  const apiPort = portOf(given, "TRADELINE_API_PORT", 54321);
  const dbPort = portOf(given, "TRADELINE_DB_PORT", 54322);
  const uiPort = portOf(given, "TRADELINE_UI_PORT", 54323);
  const mailPort = portOf(given, "TRADELINE_MAIL_PORT", 54324);
  const keepsMails = options.services && !given["RESEND_API_KEY"] && !given["RESEND_BASE_URL"];
  assertPortsDiffer({
    TRADELINE_API_PORT: apiPort,
    TRADELINE_DB_PORT: dbPort,
    ...(options.ui && { TRADELINE_UI_PORT: uiPort }),
    ...(keepsMails && { TRADELINE_MAIL_PORT: mailPort }),
  });
  const dataDir = resolve(ROOT, given["TRADELINE_DATA_DIR"] ?? ".tradeline");
  // Before anything is started; the address is only known for certain once the port is bound.
  const settings = checkSettings(withLocalDefaults(given, `http://127.0.0.1:${apiPort}`, ""));

  const closers: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (let close = closers.pop(); close !== undefined; close = closers.pop()) {
      // deno-lint-ignore no-await-in-loop -- In the opposite order of their start.
      await close();
    }
  };
  try {
    const cluster = await startCluster({
      dataDir,
      port: dbPort,
      durable: options.durable ?? true,
      revive: options.services ?? false,
      log,
      onLocked() {
        assertPortFree(apiPort, "TRADELINE_API_PORT");
        if (options.ui) assertPortFree(uiPort, "TRADELINE_UI_PORT");
        if (keepsMails) assertPortFree(mailPort, "TRADELINE_MAIL_PORT");
      },
    });
    closers.push(() => cluster.stop());
    await prepareDatabase(cluster.url(), dataDir, log);

    const keys = apiKeys(withLocalDefaults(given, "", ""));
    const dataApi = createDataApi({
      databaseUrl: cluster.url(),
      keys,
      jwtSecret: LOCAL_JWT_SECRET,
    });
    closers.push(() => dataApi.close());

    const database = postgres(cluster.url(), { max: 2, onnotice: () => {} });
    closers.push(() => database.end({ timeout: 1 }));
    if (options.services) await ensureOwner(database);

    let uiUrl: string | undefined;
    let handle: Deno.ServeHandler<Deno.NetAddr> = () =>
      Response.json({ error: "starting" }, { status: 503, headers: { "retry-after": "1" } });
    const api = serve(
      apiPort,
      log,
      (request, info) => fromOutside(request) ?? handle(request, info),
      admission(settings, () => uiUrl),
    );
    closers.push(() => api.drain());

    const mailbox = keepsMails
      ? await (await import("./resend_api.ts")).startMailbox(mailPort)
      : undefined;
    if (mailbox !== undefined) closers.push(() => mailbox.close());

    const twilio = options.services && !given["TWILIO_ACCOUNT_SID"] && !given["TWILIO_API_URL"]
      ? (await import("./twilio_api.ts")).startLocalTwilio(
        LOCAL_ACCOUNT_SID,
        given["TWILIO_AUTH_TOKEN"] ?? LOCAL_AUTH_TOKEN,
        dataDir,
      )
      : undefined;
    if (twilio !== undefined) closers.push(() => twilio.stop());

    // Without a redis-server on this machine, PostgreSQL counts the calls.
    const upstash = options.services && !given["UPSTASH_REDIS_REST_URL"]
      ? await (await import("./upstash.ts")).startLocalUpstash()
      : undefined;
    if (upstash !== undefined) {
      closers.push(() => upstash.stop());
      log("Counting calls in Redis, through a stand-in for Upstash");
    }

    const env = withLocalDefaults(
      {
        ...mailbox?.env,
        ...twilio?.env,
        ...upstash?.env,
        // The console shows them while one watches.
        ...(options.services && { METRICS_FLUSH_SECONDS: "1" }),
        // As a deploy does: one token for the scheduler alone.
        ...(options.services && { SCHEDULER_TOKEN: crypto.randomUUID() }),
        ...given,
      },
      api.url,
      cluster.url(),
    );
    const gateway = await createGateway({
      supabaseDir: join(ROOT, "supabase"),
      env,
      jwtSecret: LOCAL_JWT_SECRET,
      dataApi: dataApi.handle,
      authApi: createAuthApi({
        sql: database,
        keys,
        jwtSecret: LOCAL_JWT_SECRET,
        url: () => api.url,
        siteUrl: () => `${uiUrl ?? api.url}/console/`,
        sendMail: (mail) => sendAuthMail(mail, mailbox?.url, log),
      }),
      storageApi: createStorageApi({ dir: join(dataDir, "storage"), keys }),
      log,
    });
    handle = gateway.handle;
    closers.push(() => gateway.close());
    if (options.services) {
      const { schedulerTokens: [token] } = readSettings((name) => env[name]);
      closers.push(startSchedule(JOBS, `${api.url}/functions/v1`, token!, log));
    }

    const connect = twilio?.connectAll;
    const running = { apiUrl: api.url, databaseUrl: cluster.url(), dataDir, env, connect };
    if (options.ui) {
      const pages = options.ui(running);
      const ui = serve(uiPort, log, (request) => pages.handle(request));
      // Its last requests end only when the pages let them go.
      closers.push(() => Promise.all([pages.close(), ui.drain()]));
      uiUrl = ui.url;
    }
    const mailUrl = mailbox?.url;
    return { ...running, uiUrl, mailUrl, functions: gateway.functions, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The settings as the functions see them: what is given, and the local default for the others. */
export function withLocalDefaults(
  given: Readonly<Record<string, string>>,
  apiUrl: string,
  databaseUrl: string,
): Record<string, string> {
  const env: Record<string, string> = {
    TWILIO_AUTH_TOKEN: LOCAL_AUTH_TOKEN,
    BUSINESS_TARGET_E164: "+15877428885",
    // One process serves for as long as it runs.
    AGENT_ISOLATE_SECONDS: "0",
    SUPABASE_URL: apiUrl,
    SUPABASE_DB_URL: databaseUrl,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: LOCAL_PUBLISHABLE_KEY }),
    SUPABASE_JWT_SECRET: LOCAL_JWT_SECRET,
    ...given,
  };
  if (!given["SUPABASE_SECRET_KEYS"] && !given["SUPABASE_SERVICE_ROLE_KEY"]) {
    env["SUPABASE_SECRET_KEYS"] = JSON.stringify({ default: LOCAL_SECRET_KEY });
  }
  return env;
}

/** The keys that the Data API takes, out of the settings that hold them. */
export function apiKeys(
  env: Readonly<Record<string, string>>,
): Record<string, "anon" | "service_role"> {
  const keys: Record<string, "anon" | "service_role"> = {};
  const add = (role: "anon" | "service_role", json: string, legacy: string) => {
    const all = [...Object.values(JSON.parse(env[json] || "{}")), env[legacy]];
    for (const key of all) if (typeof key === "string" && key !== "") keys[key] = role;
  };
  add("anon", "SUPABASE_PUBLISHABLE_KEYS", "SUPABASE_ANON_KEY");
  add("service_role", "SUPABASE_SECRET_KEYS", "SUPABASE_SERVICE_ROLE_KEY");
  return keys;
}

/** The main account's first owner, who can sign in from the start. */
async function ensureOwner(sql: postgres.Sql): Promise<void> {
  const { email, password } = LOCAL_OWNER;
  const user = await ensureUser(sql, email, password);
  await sql`
    insert into public.members (user_id, email, role, joined_at)
    select ${user}, ${email}, 'owner', now()
    where not exists (select from public.members where org_id is null and role = 'owner')`;
}

/** Puts a mail of the stand-in for Supabase Auth beside the others; without a mailbox, into the log. */
async function sendAuthMail(
  { to, subject, html }: AuthMail,
  mailUrl: string | undefined,
  log: (line: string) => void,
): Promise<void> {
  if (mailUrl === undefined) {
    log(`Mail to ${to}: ${/href="([^"]+)"/.exec(html)?.[1]?.replaceAll("&amp;", "&")}`);
    return;
  }
  const response = await fetch(`${mailUrl}/emails`, {
    method: "POST",
    headers: { authorization: "Bearer re_local", "content-type": "application/json" },
    body: JSON.stringify({ from: "TradeLine <auth@example.com>", to: [to], subject, html }),
  });
  await response.body?.cancel();
}

/**
 * Requests that the functions and the Data API accept from outside this machine's programs: tunnels, allowed sites, and
 * the console.
 */
function admission(
  { publicFunctionsUrl, contactAllowedOrigins }: Settings,
  uiUrl: () => string | undefined,
): Admission {
  return {
    hosts: [new URL(publicFunctionsUrl).host],
    mayAsk: (request, origin) =>
      isOwnPage(origin, uiUrl()) ||
      new URL(request.url).pathname === "/functions/v1/contact-submit" &&
        contactAllowedOrigins.includes(origin),
  };
}

/** Whether an origin is that of the local pages, by either name of this machine. */
function isOwnPage(origin: string, uiUrl: string | undefined): boolean {
  return uiUrl !== undefined && origin.replace("//localhost:", "//127.0.0.1:") === uiUrl;
}

/** Refuses the published default keys for requests through a tunnel's name. */
function fromOutside({ headers, url }: Request): Response | undefined {
  if (isLoopback(headers.get("host") ?? "")) return undefined;
  // A function accepts a key in either header.
  const given = [headers.get("authorization")?.replace(/^Bearer +/i, ""), headers.get("apikey")];
  const known = given.some((key) => key === LOCAL_SECRET_KEY || key?.split(".").length === 3);
  // What everybody may read in production too: the functions that check their callers, and public files.
  if (!known && /^\/(functions\/v1|storage\/v1\/object\/public)\//.test(new URL(url).pathname)) {
    return undefined;
  }
  return Response.json({ error: "unauthorized" }, { status: 401 });
}

/** @throws {SettingError} for the first that is missing or malformed. */
function checkSettings(env: Readonly<Record<string, string>>): Settings {
  const settings = readSettings((name) => env[name]);
  for (const name of ["SUPABASE_SECRET_KEYS", "SUPABASE_PUBLISHABLE_KEYS"]) {
    try {
      JSON.parse(env[name] || "{}");
    } catch {
      throw new SettingError(name, 'must be JSON such as {"default": "sb_..."}');
    }
  }
  return settings;
}

function portOf(env: Readonly<Record<string, string>>, name: string, fallback: number): number {
  const value = env[name];
  if (value === undefined) return fallback;
  const port = Number(value);
  if (/^\d+$/.test(value) && port <= 65_535) return port;
  throw new SettingError(
    name,
    `must be a port number up to 65535 (0: any free one): current value is "${value}"`,
  );
}

function assertPortsDiffer(ports: Readonly<Record<string, number>>): void {
  const names = new Map<number, string>();
  for (const [name, port] of Object.entries(ports)) {
    const other = names.get(port);
    if (port !== 0 && other !== undefined) {
      throw new SettingError(name, `must be another port than ${other}: both are ${port}`);
    }
    names.set(port, name);
  }
}

/** `NAME=` in `.env` is a setting that was left out. */
function withoutBlanks(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value.trim() !== ""));
}

async function prepareDatabase(
  url: string,
  dataDir: string,
  log: (line: string) => void,
): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const applied = await migrate(sql, join(ROOT, "supabase", "migrations"));
    if (applied.length > 0) log(`Applied ${applied.length} migrations, up to ${applied.at(-1)}`);
  } catch (error) {
    if (!(error instanceof OtherSchemaError)) throw error;
    throw new StartError(
      `Cannot start: the data directory ${dataDir} (TRADELINE_DATA_DIR) was made by another version's schema: move it away, or set TRADELINE_DATA_DIR to a new one. What it holds is read by the version that made it`,
    );
  } finally {
    await sql.end();
  }
}
