// Upstash without Upstash: its REST protocol, https://upstash.com/docs/redis/features/restapi, over a
// real Redis on this machine.

import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import { createClient, ErrorReply, RESP_TYPES } from "@redis/client";
import { freePort } from "./ports.ts";
import { refused } from "./serve.ts";

/** A redis-server of our own, empty and in memory only. */
export interface Redis {
  /** On 127.0.0.1. */
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Starts redis-server on a free port. It ends with this process, however that ends.
 *
 * @returns `undefined` when there is none on the PATH.
 */
export async function startRedis(): Promise<Redis | undefined> {
  if (!await isInstalled("redis-server")) return undefined;
  // A port that is free now may be taken a moment later.
  for (let attempt = 1;; attempt++) {
    const port = freePort();
    // deno-lint-ignore no-await-in-loop -- Each attempt follows a failed one.
    const stop = await runRedis(port);
    if (stop !== undefined) return { port, stop };
    if (attempt === 5) throw new Error("Cannot start redis-server: it ends before it is ready");
  }
}

async function isInstalled(program: string): Promise<boolean> {
  const paths = (Deno.env.get("PATH") ?? "").split(":").filter((path) => path !== "");
  const found = await Promise.all(
    paths.map((path) => Deno.stat(`${path}/${program}`).then((file) => file.isFile, () => false)),
  );
  return found.includes(true);
}

/** @returns what stops it; `undefined` when it did not come up. */
async function runRedis(port: number): Promise<(() => Promise<void>) | undefined> {
  const options = { port, bind: "127.0.0.1", save: "", appendonly: "no", daemonize: "no" };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = new Deno.Command("sh", {
    // The shell's input ends when we close it, or with us; whatever ends the shell ends Redis.
    args: [
      "-c",
      'redis-server "$@" & trap "kill $!; wait $!" EXIT; trap exit HUP INT TERM; exec > /dev/null; read -r _',
      "sh",
      ...args,
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const stop = async () => {
    await child.stdin.close();
    await child.stdout.cancel();
    await child.status;
  };

  const decoder = new TextDecoder();
  const reader = child.stdout.getReader();
  let output = "";
  while (!output.includes("Ready to accept connections")) {
    // deno-lint-ignore no-await-in-loop -- It reads on.
    const { value, done } = await reader.read();
    if (done) break;
    output += decoder.decode(value, { stream: true });
  }
  reader.releaseLock();
  if (output.includes("Ready to accept connections")) return stop;
  await stop();
  return undefined;
}

export interface UpstashOptions {
  readonly redisPort: number;
  /** The one token that is let in. */
  readonly token: string;
  /** Default: any free one. */
  readonly port?: number;
}

export interface Upstash {
  /** Without a trailing slash. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Serves the part of Upstash's REST API that the limiter uses: single commands as JSON arrays, posted to `/`.
 * Whatever Redis knows is passed on to it.
 */
export async function startUpstash(options: UpstashOptions): Promise<Upstash> {
  const redis = await connect(options.redisPort);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: options.port ?? 0, onListen: () => {} },
    (request) => refused(request) ?? answer(request, redis, options.token),
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    async stop() {
      await server.shutdown();
      redis.close();
    },
  };
}

/** What the functions need in their environment to use the local Upstash. */
export interface LocalUpstash {
  readonly env: {
    readonly UPSTASH_REDIS_REST_URL: string;
    readonly UPSTASH_REDIS_REST_TOKEN: string;
  };
  stop(): Promise<void>;
}

/** @returns `undefined` when there is no redis-server on the PATH. */
export async function startLocalUpstash(): Promise<LocalUpstash | undefined> {
  const redis = await startRedis();
  if (redis === undefined) return undefined;
  const token = crypto.randomUUID();
  try {
    const upstash = await startUpstash({ redisPort: redis.port, token });
    return {
      env: { UPSTASH_REDIS_REST_URL: upstash.url, UPSTASH_REDIS_REST_TOKEN: token },
      async stop() {
        await upstash.stop();
        await redis.stop();
      },
    };
  } catch (error) {
    await redis.stop();
    throw error;
  }
}

type Command = readonly string[];

/** What Redis replied: strings as bytes, unless they are a status such as `OK`. */
type Reply = null | number | string | Uint8Array | ErrorReply | readonly Reply[];

interface Connection {
  /** Rejects with an `ErrorReply` where Redis refuses. */
  send(command: Command): Promise<Reply>;
  close(): void;
}

async function connect(port: number): Promise<Connection> {
  const client = createClient({
    RESP: 2,
    socket: { host: "127.0.0.1", port, reconnectStrategy: false },
  });
  // Without a listener it would end the process; each command's own failure tells as much.
  client.on("error", () => {});
  await client.connect();
  const options = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };
  return {
    send: (command) => client.sendCommand<Reply>([...command], options),
    close: () => client.destroy(),
  };
}

/** Answers one request; never rejects. */
async function answer(request: Request, redis: Connection, token: string): Promise<Response> {
  if (request.method !== "POST") {
    return failure(405, "ERR unsupported HTTP method", { allow: "POST" });
  }
  if (!isAuthorized(request.headers, token)) {
    return failure(401, "WRONGPASS invalid or missing auth token");
  }
  const body: unknown = await request.json().catch(() => undefined);
  const encode = request.headers.get("upstash-encoding") === "base64" ? inBase64 : inText;
  if (new URL(request.url).pathname !== "/") {
    return failure(404, "ERR unknown path: single commands are taken, in the body");
  }
  if (!isCommand(body)) return failure(400, "ERR failed to parse command");
  try {
    return Response.json({ result: encode(await redis.send(body.map(String))) });
  } catch (error) {
    return error instanceof ErrorReply
      ? failure(400, error.message)
      : failure(503, "ERR Redis is not reachable");
  }
}

function inText(reply: Reply): unknown {
  if (reply instanceof Uint8Array) return new TextDecoder().decode(reply);
  if (reply instanceof ErrorReply) return reply.message;
  return Array.isArray(reply) ? reply.map(inText) : reply;
}

/** All strings but a bare `OK`. */
function inBase64(reply: Reply): unknown {
  if (reply === "OK") return reply;
  const within = (reply: Reply): unknown => {
    if (reply instanceof ErrorReply) return within(reply.message);
    if (typeof reply === "string" || reply instanceof Uint8Array) {
      return Buffer.from(reply as string).toString("base64");
    }
    return Array.isArray(reply) ? reply.map(within) : reply;
  };
  return within(reply);
}

function failure(status: number, error: string, headers: Record<string, string> = {}): Response {
  return Response.json({ error }, { status, headers });
}

function isAuthorized(headers: Headers, token: string): boolean {
  const given = Buffer.from(headers.get("authorization") ?? "");
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

type Word = string | number | boolean;

function isCommand(body: unknown): body is Word[] {
  return Array.isArray(body) && typeof body[0] === "string" &&
    body.every((word) => ["string", "number", "boolean"].includes(typeof word));
}
