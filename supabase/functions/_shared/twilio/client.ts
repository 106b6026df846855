import { type FailureKind, ServiceError } from "../errors.ts";
import { type Delay, delay } from "../runtime.ts";

/** A request to Twilio failed. */
export class TwilioError extends ServiceError {
  override name = "TwilioError";

  constructor(
    kind: FailureKind,
    message: string,
    /** The HTTP status; 0 without an answer. */
    readonly status = 0,
    /** Twilio's number for the reason, such as "21422": https://www.twilio.com/docs/api/errors */
    code = "",
  ) {
    super(kind, message, code);
  }
}

/** Twilio does not delete the record of a call yet; that may take 14 days. */
export const NOT_COMPLETE = "20009";

/** An account at Twilio, and the API's address. */
export interface TwilioAccess {
  /** Without a trailing slash; `https://api.twilio.com`. */
  readonly baseUrl: string;
  readonly accountSid: string;
  readonly authToken: string;
}

export interface TwilioClientOptions extends TwilioAccess {
  /** For each attempt by itself, its answer read. Default 8000. */
  readonly deadlineMs?: number;
  /** Of a request that may be repeated. Default 4. */
  readonly attempts?: number;
  /** Default: real time. */
  readonly wait?: Delay;
}

/** A list is one parameter, repeated. */
export type Params = Readonly<Record<string, string | readonly string[]>>;

interface Schema<T> {
  parse(value: unknown): T;
}

/**
 * Sends requests to Twilio, and retries where that does no harm: after 429, when nothing was done, and after no answer to an
 * idempotent request. A path begins after `/Accounts`, without `.json`; that of another product begins with its name, as
 * `monitor/v1/Alerts`. Everything rejects with `TwilioError` only.
 */
export interface TwilioClient {
  /** The address of a resource. */
  url(path: string): string;
  get<T>(path: string, schema: Schema<T>, params?: Params): Promise<T>;
  /** The items of a list's first page, which Twilio answers under their own name. */
  list<T>(path: string, name: string, schema: Schema<T>, params?: Params): Promise<T[]>;
  /** Changes something; repeating the request has no further effect. */
  set(path: string, params: Params): Promise<void>;
  /** Creates something. Retried after 429 only. */
  create<T>(path: string, schema: Schema<T>, params: Params): Promise<T>;
  /** Succeeds for a resource that no longer exists. */
  delete(path: string): Promise<void>;
  /** A recording's audio as it was made (WAV), once; `undefined`: it is gone. @param path The recording's. */
  media(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array> | undefined>;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;

/**
 * Speaks Twilio's REST API (version 2010-04-01) by `fetch`: the `twilio` package whole is larger than a
 * function may be. Source: https://www.twilio.com/docs/usage/requests-to-twilio
 */
export function twilioClient(options: TwilioClientOptions): TwilioClient {
  const { baseUrl, accountSid, authToken, deadlineMs = 8000, attempts = 4, wait = delay } = options;
  const authorization = `Basic ${btoa(`${accountSid}:${authToken}`)}`;
  const url = (path: string) => {
    const [product = ""] = path.split("/");
    return product === ""
      ? `${baseUrl}/2010-04-01${path}`
      // A stand-in serves all of them.
      : baseUrl.replace("//api.twilio.com", `//${product}.twilio.com`) + path.slice(product.length);
  };

  const ask = async (method: string, path: string, params?: Params): Promise<Response> => {
    const query = method === "GET" && params ? `?${formOf(params)}` : "";
    try {
      const response = await fetch(`${url(path)}${path.startsWith("/") ? ".json" : ""}${query}`, {
        method,
        headers: { authorization, accept: "application/json" },
        ...(method === "POST" && { body: formOf(params) }),
        signal: AbortSignal.timeout(deadlineMs),
      });
      // Read here, as the deadline is for all of it.
      return new Response(await response.text() || null, response);
    } catch (error) {
      throw new TwilioError(
        "unknown",
        `Twilio did not answer: ${error instanceof Error ? error.name : "unknown"}`,
      );
    }
  };

  /** @param repeatable Whether doing it twice has the effect of once. */
  const send = async (
    method: "GET" | "POST" | "DELETE",
    path: string,
    params: Params | undefined,
    repeatable: boolean,
  ): Promise<unknown> => {
    for (let attempt = 1;; attempt++) {
      let failure: TwilioError;
      let retryAfterMs = 0;
      try {
        // deno-lint-ignore no-await-in-loop -- Each attempt follows a failed one.
        const answer = await ask(method, path, params);
        // deno-lint-ignore no-await-in-loop
        const body: unknown = await answer.json().catch(() => undefined);
        if (answer.ok) return body;
        retryAfterMs = Number(answer.headers.get("retry-after")) * 1000 || 0;
        failure = failureOf(answer.status, body);
      } catch (error) {
        failure = error as TwilioError;
      }
      const mayRepeat = failure.kind === "unknown" ? repeatable : failure.status === 429;
      if (!mayRepeat || attempt === attempts) throw failure;
      // Full jitter, so that clients that failed together do not retry together.
      const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
      // deno-lint-ignore no-await-in-loop
      await wait(Math.min(LONGEST_WAIT_MS, retryAfterMs) + Math.random() * longest);
    }
  };

  return {
    url,
    get: async (path, schema, params) => understood(schema, await send("GET", path, params, true)),
    async list(path, name, schema, params) {
      const page = await send("GET", path, params, true) as Record<string, unknown> | undefined;
      const items = page?.[name];
      if (!Array.isArray(items)) throw notDocumented();
      return items.map((item) => understood(schema, item));
    },
    set: async (path, params) => void await send("POST", path, params, true),
    create: async (path, schema, params) =>
      understood(schema, await send("POST", path, params, false)),
    delete: async (path) => void await ifThere(send("DELETE", path, undefined, true)),
    // https://www.twilio.com/docs/voice/api/recording#fetch-a-recordings-media-file
    async media(path, signal) {
      const response = await fetch(`${url(path)}.wav`, { headers: { authorization }, signal });
      if (response.ok && response.body !== null) return response.body;
      await response.body?.cancel();
      if (response.status === 404 || response.status === 410) return undefined;
      throw failureOf(response.status, undefined);
    },
  };
}

function formOf(params: Params = {}): URLSearchParams {
  return new URLSearchParams(
    Object.entries(params).flatMap(([name, value]) => [value].flat().map((each) => [name, each])),
  );
}

/** The resource; `undefined` when Twilio has none (404). */
export async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof TwilioError && error.status === 404) return undefined;
    throw error;
  }
}

function failureOf(status: number, body: unknown): TwilioError {
  // 408: a gateway gave up waiting.
  if (status >= 500 || status === 408) {
    return new TwilioError("unknown", `Twilio answered ${status}`, status);
  }
  const given = (body as { code?: unknown } | null | undefined)?.code;
  const code = typeof given === "number" && given !== 0 ? String(given) : "";
  return new TwilioError(
    status === 429 || code === NOT_COMPLETE ? "busy" : "refused",
    `Twilio answered ${status}${code === "" ? "" : ` with error ${code}`}`,
    status,
    code,
  );
}

/** An unreadable answer counts as no answer. */
function understood<T>(schema: Schema<T>, body: unknown): T {
  try {
    return schema.parse(body);
  } catch {
    throw notDocumented();
  }
}

function notDocumented(): TwilioError {
  return new TwilioError("unknown", "Twilio answered something else than documented");
}
