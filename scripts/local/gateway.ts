import { deadline } from "@std/async/deadline.js";
import { join } from "@std/path/join.js";
import { toFileUrl } from "@std/path/to_file_url.js";
import { parse as parseToml } from "@std/toml/parse.js";
import { verifyJwt } from "./data_api.ts";

type Handler = (request: Request) => Response | Promise<Response>;

export interface GatewayOptions {
  /** The folder with `config.toml` and `functions`. */
  readonly supabaseDir: string;
  /** What the functions find in their environment, before that of this process. */
  readonly env: Readonly<Record<string, string>>;
  /** Signs users' tokens, for functions with `verify_jwt`. */
  readonly jwtSecret: string;
  /** Answers `/rest/v1/...`. */
  readonly dataApi: (request: Request) => Promise<Response>;
  /** Answers `/auth/v1/...`. */
  readonly authApi?: (request: Request) => Promise<Response>;
  /** Answers `/storage/v1/...`. */
  readonly storageApi?: (request: Request) => Promise<Response>;
  readonly log: (line: string) => void;
}

/** Supabase's front: the edge functions, the Data API and Storage under one address. */
export interface Gateway {
  /** The functions that are served, by name. */
  readonly functions: readonly string[];
  /** Answers one request; `info` tells who asks. */
  handle(request: Request, info: Deno.ServeHandlerInfo): Promise<Response>;
  /** Waits for what the functions left to `EdgeRuntime.waitUntil`, and gives the globals back. */
  close(): Promise<void>;
}

interface EdgeFunction {
  readonly verifyJwt: boolean;
  /** Undefined when its module did not load. */
  readonly handler: Handler | undefined;
}

/** How long `close` waits for background work, in milliseconds. */
const DRAIN = 5_000;

/** Each boot evaluates the functions' modules anew. */
let boots = 0;

/**
 * Loads every edge function, as the hosted runtime does: its `index.ts` runs and hands its handler
 * to `Deno.serve`. One gateway at a time, as the functions share this process's globals.
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const { log, jwtSecret } = options;
  const background = new Set<Promise<unknown>>();
  const restore = [overlayEnv(options.env), provideEdgeRuntime(background, log)];
  const functions = await loadFunctions(options);

  async function callFunction(
    request: Request,
    url: URL,
    info: Deno.ServeHandlerInfo,
  ): Promise<Response> {
    const name = url.pathname.split("/")[3] ?? "";
    const found = functions.get(name);
    if (found === undefined) {
      const message = "Requested function was not found";
      return Response.json({ code: "NOT_FOUND", message }, { status: 404 });
    }
    if (found.verifyJwt && request.method !== "OPTIONS" && !hasJwt(request, jwtSecret)) {
      return Response.json({ code: 401, message: "Invalid JWT" }, { status: 401 });
    }
    if (found.handler === undefined) {
      const message = "Function failed to start (please check logs)";
      return Response.json({ code: "BOOT_ERROR", message }, { status: 503 });
    }
    try {
      return await found.handler(asHosted(request, url, info));
    } catch (error) {
      log(`${name}: ${describe(error)}`);
      return Response.json({ error: "internal" }, { status: 500 });
    }
  }

  return {
    functions: [...functions.keys()],
    async handle(request, info) {
      const url = new URL(request.url);
      if (url.pathname.startsWith("/functions/v1/")) return await callFunction(request, url, info);
      const [, name = "", version] = url.pathname.split("/");
      const api = version !== "v1" ? undefined : {
        rest: options.dataApi,
        auth: options.authApi,
        storage: options.storageApi,
      }[name];
      if (api !== undefined) {
        return forPages(request.method === "OPTIONS" ? new Response() : await api(request));
      }
      return Response.json({ message: "no Route matched with those values" }, { status: 404 });
    },
    async close() {
      await deadline(Promise.allSettled(background), DRAIN).catch(() => {});
      for (const undo of restore) undo();
    },
  };
}

/** As the hosted gateway answers pages of any site: these APIs go by a token, not by a cookie. Functions speak for themselves. */
function forPages(response: Response): Response {
  const answer = new Response(response.body, response);
  answer.headers.set("access-control-allow-origin", "*");
  answer.headers.set("access-control-allow-headers", "*, authorization");
  answer.headers.set("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE");
  answer.headers.set(
    "access-control-expose-headers",
    "content-range, x-supabase-api-version, x-total-count",
  );
  answer.headers.set("access-control-max-age", "600");
  return answer;
}

async function loadFunctions(options: GatewayOptions): Promise<Map<string, EdgeFunction>> {
  const { supabaseDir, log } = options;
  const config = await readConfig(supabaseDir);
  const boot = boots++;
  const functions = new Map<string, EdgeFunction>();
  for (const name of await functionNames(join(supabaseDir, "functions"))) {
    const settings = config[name] ?? {};
    if (settings.enabled === false) continue;
    let handler: Handler | undefined;
    try {
      // deno-lint-ignore no-await-in-loop -- They take turns in putting themselves into Deno.serve.
      handler = await loadHandler(join(supabaseDir, "functions", name, "index.ts"), boot);
    } catch (error) {
      log(`${name}: does not load: ${describe(error)}`);
    }
    functions.set(name, { verifyJwt: settings.verify_jwt ?? true, handler });
  }
  return functions;
}

async function functionNames(dir: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(dir)) {
      if (!entry.isDirectory || !/^[A-Za-z][A-Za-z0-9_-]*$/.test(entry.name)) continue;
      const index = await Deno.stat(join(dir, entry.name, "index.ts")).catch(() => undefined);
      if (index?.isFile) names.push(entry.name);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names.sort();
}

interface FunctionConfig {
  enabled?: boolean;
  verify_jwt?: boolean;
}

async function readConfig(supabaseDir: string): Promise<Record<string, FunctionConfig>> {
  const text = await Deno.readTextFile(join(supabaseDir, "config.toml")).catch(() => "");
  const config = parseToml(text) as { functions?: Record<string, FunctionConfig> };
  return config.functions ?? {};
}

/** Runs a module and returns what it passes to `Deno.serve`, which meanwhile serves nothing. */
async function loadHandler(path: string, boot: number): Promise<Handler> {
  const serve = Deno.serve;
  let handler: Handler | undefined;
  const capture = (...args: unknown[]) => {
    const options = args.find((arg) => typeof arg === "object") as
      | { handler?: Handler }
      | undefined;
    handler = (args.find((arg) => typeof arg === "function") ?? options?.handler) as Handler;
    return {
      addr: { transport: "tcp", hostname: "0.0.0.0", port: 9999 },
      finished: new Promise(() => {}),
      shutdown: () => Promise.resolve(),
      ref() {},
      unref() {},
    };
  };
  Deno.serve = capture as unknown as typeof Deno.serve;
  try {
    await import(`${toFileUrl(path)}?boot=${boot}`);
  } finally {
    Deno.serve = serve;
  }
  if (handler === undefined) throw new TypeError("it does not call Deno.serve");
  return handler;
}

/** The request as a function sees it when hosted: no prefix, no public host, the peer for certain. */
function asHosted(request: Request, url: URL, info: Deno.ServeHandlerInfo): Request {
  const host = "edge-runtime.supabase.com";
  const path = url.pathname.slice("/functions/v1".length);
  const peer = (info.remoteAddr as Deno.NetAddr).hostname;
  const headers = new Headers(request.headers);
  const before = headers.get("x-forwarded-for");
  headers.set("x-forwarded-for", before === null ? peer : `${before}, ${peer}`);
  headers.set("x-forwarded-proto", "https");
  headers.set("x-forwarded-host", host);
  headers.set("host", host);
  // The real front overwrites this header too.
  headers.set("cf-connecting-ip", peer);
  const target = `http://${host}${path}${url.search}`;
  if (request.headers.get("upgrade")?.toLowerCase() === "websocket") {
    // Deno.upgradeWebSocket takes nothing but the request that the server made.
    return Object.defineProperties(request, {
      url: { value: target },
      headers: { value: headers },
    });
  }
  return new Request(target, {
    method: request.method,
    headers,
    body: request.body,
    redirect: "manual",
  });
}

function hasJwt(request: Request, secret: string): boolean {
  const token = /^Bearer +(.+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  if (token === undefined) return false;
  try {
    verifyJwt(token, secret);
    return true;
  } catch {
    return false;
  }
}

/**
 * Puts variables before those of the process, in this thread only: several test files in one
 * process each have their own.
 */
function overlayEnv(env: Readonly<Record<string, string>>): () => void {
  const { get, has, toObject } = Deno.env;
  Deno.env.get = (name) => Object.hasOwn(env, name) ? env[name] : get.call(Deno.env, name);
  Deno.env.has = (name) => Object.hasOwn(env, name) || has.call(Deno.env, name);
  Deno.env.toObject = () => ({ ...toObject.call(Deno.env), ...env });
  return () => Object.assign(Deno.env, { get, has, toObject });
}

function provideEdgeRuntime(background: Set<Promise<unknown>>, log: (line: string) => void) {
  const holder = globalThis as { EdgeRuntime?: unknown };
  const before = holder.EdgeRuntime;
  holder.EdgeRuntime = {
    waitUntil(promise: Promise<unknown>) {
      const work = Promise.resolve(promise)
        .catch((error) => log(`EdgeRuntime.waitUntil: ${describe(error)}`))
        .finally(() => background.delete(work));
      background.add(work);
      return promise;
    },
  };
  return () => {
    if (before === undefined) delete holder.EdgeRuntime;
    else holder.EdgeRuntime = before;
  };
}

/** One line about an error. */
function describe(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replaceAll(/\s+/g, " ");
}
