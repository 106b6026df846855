import * as z from "zod/mini";
import { type DataApi, run } from "./client.ts";

/** At most `max` in any `window_sec` seconds. */
export interface RateLimit {
  readonly identifier_type: string;
  readonly identifier: string;
  readonly max: number;
  readonly window_sec: number;
}

/** Counts a request. @returns the seconds after which there is room again, where there is none now. */
export type TakeRoom = (limit: RateLimit) => Promise<number | undefined>;

const DEADLINE_MS = 3000;

/**
 * The limiter of the database, which holds for every isolate together. Rejects with `DatabaseFailure`.
 *
 * @param endpoint What is limited; refusals are listed by it.
 */
export function rateLimiter(api: DataApi, endpoint: string): TakeRoom {
  return async (limit) => {
    const limits = { p_endpoint: endpoint, p_limits: [limit] };
    const refusedBy = await run(api, "take_rate_limits", limits, z.unknown(), DEADLINE_MS);
    if (refusedBy === null) return undefined;
    return Math.max(1, await run(api, "rate_limits_retry_after", limits, z.number(), DEADLINE_MS));
  };
}
