import { Redis } from "@upstash/redis";
import type { AskLimiter } from "./limited_accept.ts";

/**
 * An exact sliding log in one atomic script: the times of the admitted calls of each window, by Redis's clock, which all
 * isolates share. A call counts under all of its limits or, when one refuses it, under none. A copy of a counted call is
 * the same member, so it is admitted without counting again.
 *
 * KEYS: one sorted set a limit. ARGV: the event, then the maximum and the window in microseconds of each limit. Returns
 * the position of the refusing limit; 0: admitted.
 */
const TAKE = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for i, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - ARGV[2 * i + 1])
  if redis.call('ZSCORE', key, ARGV[1]) then return 0 end
end
for i, key in ipairs(KEYS) do
  if redis.call('ZCARD', key) >= tonumber(ARGV[2 * i]) then return i end
end
for i, key in ipairs(KEYS) do
  redis.call('ZADD', key, now, ARGV[1])
  redis.call('PEXPIRE', key, math.ceil(ARGV[2 * i + 1] / 1000))
end
return 0`;

/** Limits calls in an Upstash Redis database, in one round trip. */
export function upstashLimiter(url: string, token: string): AskLimiter {
  return async ({ operation, account_sid = "main", call_sid, identity, limits }, signal) => {
    // Accounts count separately, as in accept_voice_event.
    const keys = limits.map(({ identifier_type, identifier }) =>
      `tradeline:calls:${operation}:${account_sid}:${identifier_type}:${identifier}`
    );
    const bounds = limits.flatMap(({ max, window_sec }) => [max, window_sec * 1_000_000]);
    const position = await connect(url, token, signal)
      .eval(TAKE, keys, [`${call_sid}:${identity}`, ...bounds]);
    if (position === 0) return undefined;
    const limit = limits[Number(position) - 1];
    if (typeof position !== "number" || limit === undefined) {
      throw new TypeError("Upstash answered something else");
    }
    return limit;
  };
}

/** A client for one event, whose requests end with `signal`. Making one costs no I/O. */
function connect(url: string, token: string, signal: AbortSignal): Redis {
  return new Redis({
    url,
    token,
    // Not `false`, which still tries twice.
    retry: { retries: 0 },
    // As a function: of a bare signal the client makes "aborted" a result, with status 200.
    signal: () => signal,
    enableTelemetry: false,
    enableAutoPipelining: false,
    automaticDeserialization: false,
  });
}
