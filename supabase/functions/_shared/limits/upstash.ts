import { Ratelimit } from "@upstash/ratelimit";
import { Redis } from "@upstash/redis";
import { inBackground } from "../runtime.ts";
import type { CallLimit } from "./call_limits.ts";
import type { AskLimiter, LimitedEvent } from "./limited_accept.ts";

/** While the copy that asks has not answered the others; then a later copy asks anew. */
const PENDING_MS = 2000;
/** As long as the database knows an event's copies. */
const VERDICT_SEC = 24 * 60 * 60;
const POLL_MS = 25;

const PENDING = "pending";
const ADMITTED = "admitted";

/**
 * Limits calls by `@upstash/ratelimit`'s sliding window. Of all copies of an event the first one asks
 * and leaves its verdict; the others read that.
 */
export function upstashLimiter(url: string, token: string): AskLimiter {
  return async (event, signal) => {
    const redis = connect(url, token, signal);
    const key = `tradeline:verdict:${event.operation}:${event.call_sid}:${event.identity}`;

    const first = await redis.set(key, PENDING, { nx: true, px: PENDING_MS });
    if (first === null) return limitOf(await verdictOfFirst(redis, key, signal), event);
    if (first !== "OK") throw new TypeError("Upstash answered something else");

    const limit = await refusing(redis, event);
    // Nobody waits for it but copies; one that finds none is let in at its deadline.
    inBackground(redis.set(key, limit?.identifier_type ?? ADMITTED, { ex: VERDICT_SEC }));
    return limit;
  };
}

/** One event's connection: all that it does ends with `signal`. Making one costs no I/O. */
function connect(url: string, token: string, signal: AbortSignal): Redis {
  return new Redis({
    url,
    token,
    // Not `false`, which still tries twice: what was counted but not answered would count again.
    retry: { retries: 0 },
    // As a function: of a bare signal the client makes "aborted" a result, with status 200.
    signal: () => signal,
    enableTelemetry: false,
    enableAutoPipelining: false,
    automaticDeserialization: false,
  });
}

/** Asks the limits in turn; the first that refuses ends it. */
async function refusing(redis: Redis, event: LimitedEvent): Promise<CallLimit | undefined> {
  for (const limit of event.limits) {
    const ratelimit = new Ratelimit({
      redis,
      limiter: Ratelimit.slidingWindow(limit.max, `${limit.window_sec} s`),
      prefix: "tradeline:calls",
      // Would let the call in without a word; the signal ends it, so that it can be told.
      timeout: 0,
      // Remembers a refusal until the fixed window's end, when the sliding one has long moved on:
      // isolates would disagree about one caller.
      ephemeralCache: false,
      analytics: false,
      enableTelemetry: false,
    });
    // deno-lint-ignore no-await-in-loop -- A call that one limit refuses must not count against the next.
    const answer = await ratelimit.limit(
      `${event.operation}:${limit.identifier_type}:${limit.identifier}`,
    );
    // The library takes whatever comes for an answer: nonsense would refuse the call.
    if (answer.limit !== limit.max || !Number.isInteger(answer.remaining)) {
      throw new TypeError("Upstash answered something else");
    }
    if (!answer.success) return limit;
  }
  return undefined;
}

/** Waits for what the first copy was told. */
async function verdictOfFirst(redis: Redis, key: string, signal: AbortSignal): Promise<string> {
  while (true) {
    // deno-lint-ignore no-await-in-loop -- It polls.
    const verdict = await redis.get<string>(key);
    // A replica may not know of the key yet.
    if (verdict !== null && verdict !== PENDING) return verdict;
    // deno-lint-ignore no-await-in-loop
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    signal.throwIfAborted();
  }
}

function limitOf(verdict: string, event: LimitedEvent): CallLimit | undefined {
  if (verdict === ADMITTED) return undefined;
  const limit = event.limits.find(({ identifier_type }) => identifier_type === verdict);
  if (limit === undefined) throw new TypeError("Upstash holds a verdict of something else");
  return limit;
}
