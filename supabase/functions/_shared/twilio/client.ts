/** Twilio did not do what it was asked; the message holds no address, number or key. */
export class TwilioError extends Error {
  override name = "TwilioError";
}

/** Twilio gave no answer, or one that it failed: whether it did what was asked for is not known. */
export class TwilioSilence extends TwilioError {
  override name = "TwilioSilence";
}

export interface TwilioClientOptions {
  /** Without a trailing slash; `https://api.twilio.com`. */
  readonly baseUrl: string;
  readonly accountSid: string;
  readonly authToken: string;
  /** For each request by itself, its answer read. */
  readonly deadlineMs: number;
}

export type Params = Readonly<Record<string, string>>;

/** What Twilio answered, whatever its status. */
export interface TwilioAnswer {
  readonly status: number;
  /** `undefined`: not JSON. */
  readonly body: unknown;
  /** Milliseconds, where Twilio says so. */
  readonly retryAfter: number | undefined;
}

/** One request at a time; what its status means, and whether it is tried again, is the caller's. */
export interface TwilioClient {
  /** The address of a resource. @param path From `/Accounts` on, without `.json`. */
  url(path: string): string;
  /** Rejects with `TwilioSilence` where no answer comes. */
  send(method: "GET" | "POST" | "DELETE", path: string, params?: Params): Promise<TwilioAnswer>;
}

/**
 * Speaks Twilio's REST API (version 2010-04-01) by `fetch`: the `twilio` package whole is larger than a
 * function may be. Source: https://www.twilio.com/docs/usage/requests-to-twilio
 */
export function twilioClient(options: TwilioClientOptions): TwilioClient {
  const { baseUrl, accountSid, authToken, deadlineMs } = options;
  const authorization = `Basic ${btoa(`${accountSid}:${authToken}`)}`;
  const url = (path: string) => `${baseUrl}/2010-04-01${path}`;
  return {
    url,
    async send(method, path, params) {
      const query = method === "GET" && params ? `?${new URLSearchParams(params)}` : "";
      try {
        const response = await fetch(`${url(path)}.json${query}`, {
          method,
          headers: { authorization, accept: "application/json" },
          ...(method === "POST" && { body: new URLSearchParams(params) }),
          signal: AbortSignal.timeout(deadlineMs),
        });
        const text = await response.text();
        const seconds = Number(response.headers.get("retry-after") ?? NaN);
        return {
          status: response.status,
          body: jsonOf(text),
          retryAfter: Number.isFinite(seconds) ? seconds * 1000 : undefined,
        };
      } catch (error) {
        throw new TwilioSilence(
          `Twilio did not answer: ${error instanceof Error ? error.name : "unknown"}`,
        );
      }
    },
  };
}

interface Schema<T> {
  parse(value: unknown): T;
}

/** An answer that cannot be read is as good as none. */
export function understood<T>(schema: Schema<T>, body: unknown): T {
  try {
    return schema.parse(body);
  } catch {
    throw new TwilioSilence(NOT_DOCUMENTED);
  }
}

/** The items of a list, which Twilio answers under their own name. */
export function understoodList<T>(schema: Schema<T>, body: unknown, name: string): T[] {
  const items = (body as Record<string, unknown> | null | undefined)?.[name];
  if (!Array.isArray(items)) throw new TwilioSilence(NOT_DOCUMENTED);
  return items.map((item) => understood(schema, item));
}

const NOT_DOCUMENTED = "Twilio answered something else than documented";

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
