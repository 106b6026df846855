// A hotline of which the parts can be broken: a PostgreSQL of its own, a Data API behind a door that can
// misbehave, and the functions, called without a socket.

import { join } from "@std/path/join.js";
import postgres, { type Sql } from "postgres";
import { createDataApi } from "../../scripts/local/data_api.ts";
import { migrate } from "../../scripts/local/migrate.ts";
import { atEnd } from "../../scripts/local/ending.ts";
import { type Cluster, startCluster } from "../../scripts/local/postgres.ts";
import {
  apiKeys,
  LOCAL_JWT_SECRET,
  LOCAL_SECRET_KEY,
  ROOT,
  serve,
  withLocalDefaults,
} from "../../scripts/local/stack.ts";
import { type Clock, Simulator, type SimulatorOptions } from "../../scripts/phone/mod.ts";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import {
  type AcceptVoiceEvent,
  voiceEvents,
} from "../../supabase/functions/_shared/db/voice_events.ts";
import { type Deps, depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { formatLogLine, type Log } from "../../supabase/functions/_shared/log.ts";
import type { Handler } from "../../supabase/functions/_shared/webhook.ts";
import { createHandler as voiceAction } from "../../supabase/functions/voice-action/handler.ts";
import { createHandler as voiceConsentSpeech } from "../../supabase/functions/voice-consent-speech/handler.ts";
import { createHandler as voiceFrontdoor } from "../../supabase/functions/voice-frontdoor/handler.ts";
import { createHandler as voiceMenuHandler } from "../../supabase/functions/voice-menu-handler/handler.ts";
import { createHandler as voiceQueue } from "../../supabase/functions/voice-queue/handler.ts";
import { createHandler as voiceRoute } from "../../supabase/functions/voice-route/handler.ts";
import { createHandler as voiceRouteAction } from "../../supabase/functions/voice-route-action/handler.ts";
import { createHandler as voiceStatus } from "../../supabase/functions/voice-status/handler.ts";
import { createHandler as voiceVoicemail } from "../../supabase/functions/voice-voicemail/handler.ts";
import { connect } from "./cluster.ts";
import { ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, testSettings } from "./webhook.ts";

/** Every function that Twilio calls, by name. */
export const FUNCTIONS: Readonly<Record<string, (deps: Deps) => Handler>> = {
  "voice-frontdoor": voiceFrontdoor,
  "voice-consent-speech": voiceConsentSpeech,
  "voice-menu-handler": voiceMenuHandler,
  "voice-queue": voiceQueue,
  "voice-route": voiceRoute,
  "voice-route-action": voiceRouteAction,
  "voice-action": voiceAction,
  "voice-voicemail": voiceVoicemail,
  "voice-status": voiceStatus,
};

/** The functions of one set of dependencies, called as Twilio calls them. */
export function switchboard(deps: Deps): (url: string, init: RequestInit) => Promise<Response> {
  const handlers = new Map(
    Object.entries(FUNCTIONS).map(([name, create]) => [name, create(deps)]),
  );
  return async (url, init) => {
    const path = url.slice(PUBLIC_URL.length);
    const handler = handlers.get(/^\/([a-z-]+)/.exec(path)?.[1] ?? "");
    if (handler === undefined) throw new Error(`Cannot call ${url}: not one of ours`);
    const { signal: _, ...rest } = init;
    return await handler(new Request(`http://edge-runtime.supabase.com${path}`, rest));
  };
}

/** Twilio, with a number that is answered by `call`. */
export function twilioFor(
  call: (url: string, init: RequestInit) => Promise<Response>,
  options: Partial<SimulatorOptions> = {},
): Simulator {
  return new Simulator({
    voiceUrl: `${PUBLIC_URL}/voice-frontdoor`,
    statusCallback: `${PUBLIC_URL}/voice-status#rc=4&rp=5xx,ct,rt`,
    fallbackUrl: `${PUBLIC_URL}/voice-voicemail`,
    authToken: AUTH_TOKEN,
    accountSid: ACCOUNT_SID,
    fetch: call,
    ...options,
  });
}

/** How the Data API's door treats a request: `pass` has it answered as ever. */
export type Door = (request: Request, pass: () => Promise<Response>) => Promise<Response>;

/** One way to break a rig. What it returns mends it again. */
export type Fault = (rig: Rig) => Promise<() => Promise<void>>;

export interface RigDepsOptions {
  /** How long an event may take; default: what a deployment has. */
  readonly deadlineMs?: number;
  /** Default: the time of the wall. */
  readonly clock?: Clock;
  /** Settings beside those of the tests. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Rig {
  /** Connected as `postgres` to the hotline's database. Not to be used while PostgreSQL is broken. */
  readonly sql: Sql;
  /** The same server's database `postgres`. */
  readonly admin: Sql;
  /** Where PostgreSQL listens, when it does. */
  readonly databasePort: number;
  /** What the functions logged. */
  readonly lines: string[];
  /** What a deployment has, with this rig's Data API. */
  deps(options?: RigDepsOptions): Deps;
  /** Ends PostgreSQL without a word to anybody, as a crash does. */
  killDatabase(): Promise<void>;
  /** Has it recover, and resolves when it takes connections. */
  reviveDatabase(): Promise<void>;
  /** Stops all of PostgreSQL's processes where they are; what it returns has them go on. */
  freezeDatabase(): Promise<() => void>;
  /** Sets who answers at the Data API's address; without one: the Data API itself. */
  setDoor(door?: Door): void;
  /** Nobody listens at the Data API's address any more. */
  closePort(): Promise<void>;
  openPort(): void;
  /** Resolves when the Data API has got over it: each of its connections is good or gone. */
  recovered(): Promise<void>;
  stop(): Promise<void>;
}

const DATABASE = "hotline";

/** Starts a PostgreSQL of its own, with the migrations applied, and a Data API over it. */
export async function startRig(): Promise<Rig> {
  const dir = await Deno.makeTempDir({ prefix: "tradeline-faults-" });
  // Once PostgreSQL is gone, or does not go.
  const ending = atEnd(
    `n=0; while [ -e "$1/db/postmaster.pid" ] && [ $n -lt 200 ]; do sleep 0.1; n=$((n + 1)); done
    rm -rf "$1"`,
    dir,
  );
  let cluster: Cluster = await startCluster({ dataDir: dir, port: 0, durable: false });
  const { port } = cluster;
  const url = cluster.url(DATABASE);
  const setup = connect(cluster.url());
  await setup`create database ${setup(DATABASE)}`;
  await setup.end();
  const options = { max: 4, onnotice: () => {}, backoff: () => 0.02 };
  const sql = postgres(url, options);
  await migrate(sql, join(ROOT, "supabase", "migrations"));
  const admin = postgres(cluster.adminUrl(), { ...options, max: 1 });
  // Commits are not waited for: a server that is killed right away would lose the last migrations.
  await admin`checkpoint`;

  const api = createDataApi({
    databaseUrl: url,
    keys: apiKeys(withLocalDefaults({}, "", "")),
    jwtSecret: LOCAL_JWT_SECRET,
  });
  let door: Door | undefined;
  const answer = (request: Request) =>
    door === undefined ? api.handle(request) : door(request, () => api.handle(request));
  let server = serve(0, () => {}, answer);
  const apiUrl = server.url;
  const lines: string[] = [];
  const log: Log = (level, fields) => lines.push(formatLogLine(new Date(), level, fields));

  const postmaster = () =>
    Number(Deno.readTextFileSync(join(dir, "db", "postmaster.pid")).split("\n")[0]);

  const rig: Rig = {
    sql,
    admin,
    databasePort: port,
    lines,
    deps({ deadlineMs, clock, env } = {}) {
      const settings = testSettings({
        SUPABASE_URL: apiUrl,
        SUPABASE_SECRET_KEYS: JSON.stringify({ default: LOCAL_SECRET_KEY }),
        PUBLIC_FUNCTIONS_URL: PUBLIC_URL,
        TWILIO_ACCOUNT_SID: ACCOUNT_SID,
        ...env,
      });
      const accept: AcceptVoiceEvent | undefined = deadlineMs === undefined
        ? undefined
        : voiceEvents(dataApi(apiUrl, LOCAL_SECRET_KEY), deadlineMs);
      return {
        ...depsFrom(settings),
        ...(accept && { accept }),
        ...(clock && { now: () => clock.now() }),
        log,
      };
    },
    async killDatabase() {
      Deno.kill(postmaster(), "SIGQUIT");
      await until(async () => !await exists(join(dir, "db", "postmaster.pid")));
    },
    async reviveDatabase() {
      await cluster.stop();
      cluster = await startCluster({ dataDir: dir, port, durable: false });
    },
    async freezeDatabase() {
      const backends = await admin<{ pid: number }[]>`select pid from pg_stat_activity`;
      // The postmaster first: it must not see its children stop.
      const pids = [postmaster(), ...backends.map(({ pid }) => pid)];
      for (const pid of pids) Deno.kill(pid, "SIGSTOP");
      return () => pids.reverse().forEach((pid) => Deno.kill(pid, "SIGCONT"));
    },
    setDoor(next) {
      door = next;
    },
    async closePort() {
      await server.drain();
    },
    openPort() {
      server = serve(Number(new URL(apiUrl).port), () => {}, answer);
    },
    async recovered() {
      const ask = async () => {
        const response = await fetch(`${apiUrl}/rest/v1/rpc/health_recent_activity`, {
          method: "POST",
          headers: { apikey: LOCAL_SECRET_KEY },
        }).catch(() => undefined);
        await response?.body?.cancel();
        return response?.status === 200;
      };
      await until(async () => (await Promise.all(Array.from({ length: 20 }, ask))).every(Boolean));
    },
    async stop() {
      await Promise.all([sql.end({ timeout: 1 }), admin.end({ timeout: 1 }), api.close()]);
      await server.drain();
      await cluster.stop();
      await ending.run();
    },
  };
  return rig;
}

/** Breaks the connections that the Data API has: its next request needs new ones. */
async function endConnections(rig: Rig): Promise<void> {
  await rig.admin`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = ${DATABASE} and pid <> pg_backend_pid()`;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** Asks again and again, until it is so. */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  // deno-lint-ignore no-await-in-loop -- It polls.
  while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** A message of PostgreSQL's protocol that opens a connection, and leaves it at the password prompt. */
function startupMessage(): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(`user\0postgres\0database\0${DATABASE}\0\0`);
  const message = new Uint8Array(8 + body.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, message.length);
  view.setUint32(4, 196_608);
  message.set(body, 8);
  return message;
}

/** Takes every connection that `max_connections` allows. Gives them back when called. */
async function takeAllConnections(rig: Rig): Promise<() => void> {
  const taken: Deno.TcpConn[] = [];
  const hello = startupMessage();
  for (let full = false; !full;) {
    // deno-lint-ignore no-await-in-loop -- In batches, until one is refused.
    const answers = await Promise.all(Array.from({ length: 50 }, async () => {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: rig.databasePort });
      await connection.write(hello);
      const answer = new Uint8Array(1);
      await connection.read(answer);
      taken.push(connection);
      // E: an error, "sorry, too many clients already"; R: asks for the password.
      return String.fromCharCode(answer[0]!);
    }));
    full = answers.includes("E");
  }
  return () => taken.forEach((connection) => connection.close());
}

const behind = (door: Door): Fault => (rig) => {
  rig.setDoor(door);
  return Promise.resolve(() => Promise.resolve(rig.setDoor()));
};

/** Breaks with one SQL statement and mends with another, both by the owner of the database. */
const bySql = (broken: string, mended: string): Fault => async (rig) => {
  await rig.sql.unsafe(broken);
  return async () => void await rig.sql.unsafe(mended);
};

const json = (body: unknown, status = 200) => Response.json(body, { status });

/** Half of an answer: whole as HTTP tells, or with the rest never coming. */
async function half(answer: Response): Promise<string> {
  const text = await answer.text();
  return text.slice(0, text.length / 2);
}

/** Everything that can be broken, by the name that docs/faults.md has for it. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  "postgres-stopped": async (rig) => {
    await rig.killDatabase();
    return () => rig.reviveDatabase();
  },
  "postgres-frozen": async (rig) => {
    const thaw = await rig.freezeDatabase();
    return () => Promise.resolve(thaw());
  },
  "postgres-refusing": async (rig) => {
    await rig.admin`alter database ${rig.admin(DATABASE)} allow_connections false`;
    await endConnections(rig);
    return async () => {
      await rig.admin`alter database ${rig.admin(DATABASE)} allow_connections true`;
    };
  },
  "postgres-full": async (rig) => {
    await endConnections(rig);
    const giveBack = await takeAllConnections(rig);
    return () => Promise.resolve(giveBack());
  },
  "postgres-read-only": async (rig) => {
    const set = (value: string) =>
      rig.admin.unsafe(`alter database ${DATABASE} set default_transaction_read_only = ${value}`);
    await set("on");
    await endConnections(rig);
    return async () => {
      await set("off");
      await endConnections(rig);
    };
  },
  "postgres-locked": async (rig) => {
    const holder = connect(databaseUrl(rig));
    await holder.unsafe("begin; lock table call_logs in access exclusive mode");
    return async () => {
      await holder.unsafe("commit");
      await holder.end();
    };
  },
  "function-missing": bySql(
    "alter function accept_voice_event(jsonb) rename to accept_voice_event_elsewhere",
    "alter function accept_voice_event_elsewhere(jsonb) rename to accept_voice_event",
  ),
  "function-raising": bySql(
    `create function out_of_order() returns trigger language plpgsql as
       $$ begin raise exception 'out of order'; end $$;
     create trigger out_of_order before insert on call_lifecycle
       for each row execute function out_of_order()`,
    "drop trigger out_of_order on call_lifecycle; drop function out_of_order()",
  ),
  "api-503": behind(() =>
    Promise.resolve(json({ code: "PGRST002", message: "no schema cache" }, 503))
  ),
  "api-key-revoked": behind(() => Promise.resolve(json({ message: "Unregistered API key" }, 401))),
  "api-html": behind(() =>
    Promise.resolve(
      new Response("<html><body>Welcome</body></html>", {
        headers: { "content-type": "text/html" },
      }),
    )
  ),
  "api-wrong-json": behind(() => Promise.resolve(json({ ok: true, consent_given: true }))),
  "api-truncated": behind(async (_request, pass) =>
    new Response(await half(await pass()), { headers: { "content-type": "application/json" } })
  ),
  "api-stalled": (rig) => {
    const ends: (() => void)[] = [];
    rig.setDoor(async (_request, pass) => {
      const text = new TextEncoder().encode(await half(await pass()));
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(text);
          ends.push(() => controller.close());
        },
        // The client has given up.
        cancel: () => void ends.splice(0),
      });
      return new Response(body, { headers: { "content-type": "application/json" } });
    });
    return Promise.resolve(() => {
      rig.setDoor();
      ends.forEach((end) => end());
      return Promise.resolve();
    });
  },
  "api-hanging": (rig) => {
    const over = Promise.withResolvers<Response>();
    rig.setDoor(async () => (await over.promise).clone());
    return Promise.resolve(() => {
      rig.setDoor();
      over.resolve(json({ message: "too late" }, 504));
      return Promise.resolve();
    });
  },
  "api-closed": async (rig) => {
    await rig.closePort();
    return () => Promise.resolve(rig.openPort());
  },
};

function databaseUrl(rig: Rig): string {
  return `postgresql://postgres:postgres@127.0.0.1:${rig.databasePort}/${DATABASE}`;
}
