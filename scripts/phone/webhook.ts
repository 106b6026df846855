import type { Clock } from "./clock.ts";
import { type Params, sign, withoutFragment } from "./signer.ts";
import type { Method } from "./twiml.ts";

/** Why Twilio asks: for the next TwiML (the call waits), or to report something. */
export type WebhookKind = "twiml" | "status" | "recording" | "transcription" | "raw";

/** One request that the app received, or should have: every attempt and every copy has its own. */
export interface Webhook {
  readonly kind: WebhookKind;
  readonly method: Method;
  /** As requested and signed: absolute, without fragment. */
  readonly url: string;
  readonly params: Params;
  /** 0 for the first attempt; retries count up and share its idempotency token. */
  readonly attempt: number;
  readonly idempotencyToken: string;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** `body`, when it was asked for as TwiML and came with a 2xx. */
  readonly twiml: string | undefined;
  /** What went wrong, when no answer came. */
  readonly failure: string | undefined;
  /** On the call's own timeline. */
  readonly startedAt: Date;
  /** Wall time until the whole answer was there. */
  readonly ms: number;
}

/**
 * Source: Twilio, "Webhooks: connection overrides". All times in milliseconds. The connect timeout
 * (`ct`) is not here: on loopback a connection is there or refused at once.
 */
export interface ConnectionOverrides {
  readonly retries: number;
  readonly retryOn: ReadonlySet<string>;
  readonly readTimeoutMs: number;
  readonly totalTimeoutMs: number;
}

/** Longest that a call-related webhook may take, retries included. */
const LONGEST_MS = 15_000;

/** Reads `#rc=4&rp=5xx,ct,rt`; anything malformed or out of range leaves Twilio's default. */
export function connectionOverrides(url: string): ConnectionOverrides {
  const hash = url.indexOf("#");
  const fragment = new URLSearchParams(hash === -1 ? "" : url.slice(hash + 1));
  const within = (name: string, least: number, most: number, fallback: number): number => {
    const value = Number(fragment.get(name) ?? fallback);
    return Number.isInteger(value) && value >= least && value <= most ? value : fallback;
  };
  return {
    retries: within("rc", 0, 5, 1),
    retryOn: new Set((fragment.get("rp") ?? "ct").split(",").map((word) => word.trim())),
    readTimeoutMs: within("rt", 100, LONGEST_MS, LONGEST_MS),
    totalTimeoutMs: within("tt", 100, LONGEST_MS, LONGEST_MS),
  };
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface Outgoing {
  readonly kind: WebhookKind;
  /** May carry connection overrides in its fragment. */
  readonly url: string;
  readonly method?: Method;
  readonly params: Params;
  /** Further headers; they replace those that are sent anyway. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly idempotencyToken?: string;
}

/** Sends what Twilio sends: signed, with a deadline, and with the retries that the URL asks for. */
export class Sender {
  readonly #authToken: string;
  readonly #fetch: Fetch;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(
    authToken: string,
    fetch: Fetch = globalThis.fetch,
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.#authToken = authToken;
    this.#fetch = fetch;
    this.#headers = headers;
  }

  /**
   * Sends with retries. Each attempt goes to `log` as soon as it is over; the last one is returned.
   * How long Twilio waits between retries is not documented: here 500 ms, doubled each time.
   */
  async send(outgoing: Outgoing, clock: Clock, log: (webhook: Webhook) => void): Promise<Webhook> {
    const first = await this.attempt(outgoing, 0, clock);
    log(first);
    return await this.retry(outgoing, first, clock, log);
  }

  /** The headers of a socket's handshake: signed over its address, without parameters. */
  handshake(url: string): Record<string, string> {
    return { ...this.#headers, "x-twilio-signature": sign(this.#authToken, url, {}) };
  }

  /** The retries alone, after `last` was the first attempt. */
  async retry(
    outgoing: Outgoing,
    last: Webhook,
    clock: Clock,
    log: (webhook: Webhook) => void,
  ): Promise<Webhook> {
    const overrides = connectionOverrides(outgoing.url);
    const token = last.idempotencyToken;
    let spentMs = last.ms;
    for (let attempt = 1; attempt <= overrides.retries; attempt++) {
      if (!asksForRetry(last, overrides)) break;
      const pauseMs = 500 * 2 ** (attempt - 1);
      spentMs += pauseMs;
      if (spentMs >= overrides.totalTimeoutMs) break;
      // deno-lint-ignore no-await-in-loop -- an attempt follows from the one before
      await clock.sleep(pauseMs);
      // deno-lint-ignore no-await-in-loop
      last = await this.attempt({ ...outgoing, idempotencyToken: token }, attempt, clock, spentMs);
      spentMs += last.ms;
      log(last);
    }
    return last;
  }

  /** A file that is to be played; undefined where it cannot be had. It is no webhook: unsigned, without parameters. */
  async media(url: string): Promise<Uint8Array | undefined> {
    try {
      const response = await this.#fetch(url, { signal: AbortSignal.timeout(15_000) });
      const bytes = new Uint8Array(await response.arrayBuffer());
      return response.ok ? bytes : undefined;
    } catch {
      return undefined;
    }
  }

  /** One request. Never throws: no answer is an answer with status 0. */
  async attempt(
    outgoing: Outgoing,
    attempt: number,
    clock: Clock,
    spentMs = 0,
  ): Promise<Webhook> {
    const { kind, method = "POST", params } = outgoing;
    const overrides = connectionOverrides(outgoing.url);
    const bare = withoutFragment(outgoing.url);
    const form = new URLSearchParams(params).toString();
    const query = bare.includes("?") ? "&" : "?";
    const url = method === "GET" ? `${bare}${query}${form}` : bare;
    const idempotencyToken = outgoing.idempotencyToken ?? crypto.randomUUID();
    const startedAt = clock.now();
    const start = performance.now();
    const headers = new Headers({
      "accept": "*/*",
      "user-agent": "TwilioProxy/1.1",
      "x-twilio-signature": sign(this.#authToken, url, method === "GET" ? {} : params),
      "i-twilio-idempotency-token": idempotencyToken,
    });
    if (method === "POST") {
      headers.set("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    }
    for (const [name, value] of Object.entries({ ...this.#headers, ...outgoing.headers })) {
      headers.set(name, value);
    }
    const deadlineMs = Math.min(overrides.readTimeoutMs, overrides.totalTimeoutMs - spentMs);
    const answer = await clock.during(() =>
      this.#exchange(url, { method, headers, body: method === "POST" ? form : null }, deadlineMs)
    );
    const served = answer.status >= 200 && answer.status < 300;
    return {
      kind,
      method,
      url,
      params,
      attempt,
      idempotencyToken,
      ...answer,
      twiml: kind === "twiml" && served ? answer.body : undefined,
      startedAt,
      ms: performance.now() - start,
    };
  }

  async #exchange(url: string, init: RequestInit, deadlineMs: number) {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), deadlineMs);
    try {
      const response = await this.#fetch(url, {
        ...init,
        // Twilio would follow with a GET and lose the parameters: an app must never send it there.
        redirect: "manual",
        signal: deadline.signal,
      });
      const body = await response.text();
      const headers = Object.fromEntries(response.headers);
      return { status: response.status, headers, body, failure: undefined };
    } catch (error) {
      // The connection and the answer share one deadline: fetch does not tell them apart.
      const failure = deadline.signal.aborted
        ? TIMED_OUT
        : error instanceof Error
        ? error.message
        : String(error);
      return { status: 0, headers: {}, body: "", failure };
    } finally {
      clearTimeout(timer);
    }
  }
}

const TIMED_OUT = "timed out";

function asksForRetry(webhook: Webhook, { retryOn }: ConnectionOverrides): boolean {
  if (webhook.status >= 200 && webhook.status < 300) return false;
  if (retryOn.has("all")) return true;
  if (webhook.status >= 500) return retryOn.has("5xx");
  if (webhook.status >= 400) return retryOn.has("4xx");
  if (webhook.status !== 0) return false;
  return retryOn.has(webhook.failure === TIMED_OUT ? "rt" : "ct");
}
