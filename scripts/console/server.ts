/**
 * The web phone and the console: static files, a WebSocket for the phone, and a little JSON for it. No page holds a key:
 * the console asks the project under the person's own token, and this server asks the database for the phone.
 *
 * @module
 */
import { fromFileUrl } from "@std/path/from_file_url.js";
import { join } from "@std/path/join.js";
import { localLines } from "../phone/lines.ts";
import { ranged } from "../ranges.ts";
import { promptUrl } from "../../supabase/functions/_shared/flows/prompt_audio.ts";
import type { Simulator } from "../phone/mod.ts";
import { openDirectory } from "./directory.ts";
import { consoleFile, consolePolicy, type ConsoleProject } from "./static.ts";
import { servePhone } from "./phone_line.ts";
import { Switchboard } from "./switchboard.ts";

export interface StudioOptions {
  /** Where `/functions/v1/...` is served; without a trailing slash. */
  readonly apiUrl: string;
  readonly databaseUrl: string;
  /** Recordings are kept in its folder `recordings`. */
  readonly dataDir: string;
  /** The settings of the functions: their Twilio auth token, and their public address. */
  readonly env: Readonly<Record<string, string>>;
  /** Gives the stand-in for Twilio's REST API the telephones that it rings. */
  readonly connect?: ((simulatorOf: SimulatorOf) => void) | undefined;
}

/** Twilio as an account has it. */
type SimulatorOf = (account: { readonly sid: string; readonly auth_token: string }) => Simulator;

/** The pages, answering requests. */
export interface Studio {
  handle(request: Request): Promise<Response>;
  /** Hangs up, and closes the connections. */
  close(): Promise<void>;
}

const PAGE = fromFileUrl(new URL("page", import.meta.url));

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** Sent with every answer. Trusted Types: a script that writes HTML from a string is stopped. */
const SECURITY = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; " +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
    "require-trusted-types-for 'script'; trusted-types 'none'",
  "permissions-policy": "microphone=(self), camera=(), geolocation=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-store",
};

export function createConsole(options: StudioOptions): Studio {
  const { apiUrl, databaseUrl, dataDir, env, connect } = options;
  const functionsUrl = `${apiUrl}/functions/v1`;
  const switchboard = new Switchboard({ apiUrl, dataDir, env });
  const project = {
    url: apiUrl,
    publishableKey: Object.values(
      JSON.parse(env["SUPABASE_PUBLISHABLE_KEYS"] ?? "{}"),
    )[0] as string,
    phone: "../",
  };
  connect?.(({ sid, auth_token }) => switchboard.account(sid, auth_token));
  const directory = openDirectory(databaseUrl);
  /** Ends what a request may keep open. */
  const open = new Set<() => void>();

  function phone(request: Request): Response {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return text(426, "This is the phone's WebSocket", { upgrade: "websocket" });
    }
    const { socket, response } = Deno.upgradeWebSocket(request);
    const end = () => socket.close();
    socket.addEventListener("open", () => open.add(end));
    servePhone(socket, switchboard);
    socket.addEventListener("close", () => open.delete(end));
    return response;
  }

  /** The numbers that can be called beside the main line's: those that were onboarded here, and those with a flow. */
  async function lines(): Promise<{ number: string; flow?: string; version?: number }[]> {
    const [onboarded, following] = await Promise.all([localLines(dataDir), directory.lines()]);
    const known = new Map(following.map((line) => [line.number, line]));
    for (const { number } of onboarded) if (!known.has(number)) known.set(number, { number });
    return [...known.values()];
  }

  /** A flow's audio, out of Storage. */
  async function prompt(hash: string, range: string | null): Promise<Response> {
    const url = promptUrl({ publicFunctionsUrl: functionsUrl, supabaseUrl: apiUrl }, hash);
    const response = await fetch(url).catch(() => undefined);
    if (!response?.ok) {
      await response?.body?.cancel();
      return text(404, "This prompt is not in Storage");
    }
    const type = response.headers.get("content-type") ?? "audio/wav";
    return ranged(new Uint8Array(await response.arrayBuffer()), range, { "content-type": type });
  }

  async function route(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.method !== "GET") return text(405, "Use GET", { allow: "GET" });
    const [, folder = "", name = ""] = pathname.split("/");
    if (folder === "prompts" && /^[0-9a-f]{64}$/.test(name)) {
      return await prompt(name, request.headers.get("range"));
    }
    if (folder === "console") return await consolePage(pathname, project);
    if (folder !== "api") return await page(pathname);
    if (name === "phone") return phone(request);
    if (name === "lines") return json(200, await lines());
    if (name === "telephones") return json(200, await directory.telephones());
    return text(404, "Not found");
  }

  return {
    async handle(request) {
      const response = await route(request);
      // The answer to an upgrade cannot be changed, and needs none of these.
      if (response.status === 101) return response;
      for (const [name, value] of Object.entries(SECURITY)) response.headers.set(name, value);
      if (new URL(request.url).pathname.startsWith("/console/")) {
        const policy = `${consolePolicy(project)}; frame-ancestors 'none'`;
        response.headers.set("content-security-policy", policy);
      }
      return response;
    },
    async close() {
      for (const end of open) end();
      open.clear();
      await directory.close();
    },
  };
}

/** A file of the page. Only plain names: there is no way out of the folder. */
async function page(pathname: string): Promise<Response> {
  const name = pathname === "/" ? "index.html" : pathname.slice(1);
  const type = MEDIA_TYPES[/^[a-z_]+\.([a-z]+)$/.exec(name)?.[1] ?? ""];
  if (type === undefined) return text(404, "Not found");
  try {
    return new Response(await Deno.readFile(join(PAGE, name)), {
      headers: { "content-type": type },
    });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return text(404, "Not found");
    throw error;
  }
}

async function consolePage(pathname: string, project: ConsoleProject): Promise<Response> {
  if (pathname === "/console") {
    return new Response(null, { status: 308, headers: { location: "/console/" } });
  }
  const name = pathname.slice("/console/".length) || "index.html";
  const type = { ...MEDIA_TYPES, json: "application/json" }[/\.([a-z]+)$/.exec(name)?.[1] ?? ""];
  const content = type && await consoleFile(name, project);
  return content
    ? new Response(content, { headers: { "content-type": type } })
    : text(404, "Not found");
}

function json(status: number, body: unknown): Response {
  return Response.json(body, { status });
}

function text(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(`${body}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
  });
}
