import * as z from "zod/mini";
import { type DataApi, DatabaseFailure, run } from "./client.ts";

/** The open questions about a call: the content of its job. */
export const callToAsk = z.object({
  /** The sub-account that it belongs to; `null`: the main account. */
  account_sid: z.nullable(z.string()),
  /** Its end has not been reported. */
  open: z.boolean(),
  /** ISO 8601. */
  started_at: z.string(),
  last_event_at: z.string(),
});
export type CallToAsk = z.infer<typeof callToAsk>;

/** Rows deleted, by table. */
export type Purged = Readonly<Record<string, number>>;
const purged = z.record(z.string(), z.number());
const strings = z.array(z.string());

/** The database's part of reconciliation; each call rejects when the database does not answer. */
export interface Reconciliation {
  /** Enqueues the calls to ask about; those of `calls`, which are over, at once. */
  enqueueCalls(calls: readonly string[]): Promise<void>;
  /** At most `limit` sub-accounts, others each minute. */
  accounts(limit: number): Promise<string[]>;
  /** Those of `calls` that are to one of our numbers and have no row. */
  unknown(calls: readonly { call_sid: string; to_e164: string }[]): Promise<string[]>;
  purge(): Promise<Purged>;
}

/** Rows of a kind that one purge deletes at most: what it can in the 8 s that the platform gives the role. */
const MOST_PURGED = 10_000;
const FEWEST_PURGED = 100;
/** SQLSTATE of a statement that ran out of its time. */
const OUT_OF_TIME = "57014";

/** @param deadlineMs For each call by itself, in milliseconds. */
export function reconciliation(api: DataApi, deadlineMs = 10_000): Reconciliation {
  let batch = MOST_PURGED;
  return {
    async enqueueCalls(calls) {
      await run(api, "enqueue_calls", { p_calls: calls }, z.unknown(), deadlineMs);
    },
    accounts: (limit) => run(api, "accounts_to_check", { p_limit: limit }, strings, deadlineMs),
    unknown: (calls) =>
      calls.length === 0
        ? Promise.resolve([])
        : run(api, "unknown_calls", { p_calls: calls }, strings, deadlineMs),
    async purge() {
      for (;;) {
        try {
          // deno-lint-ignore no-await-in-loop -- A smaller batch after one that was too large.
          const deleted = await run(api, "purge_expired", { p_batch: batch }, purged, deadlineMs);
          batch = Math.min(batch * 2, MOST_PURGED);
          return deleted;
        } catch (error) {
          const tooMuch = error instanceof DatabaseFailure && error.code === OUT_OF_TIME;
          if (!tooMuch || batch <= FEWEST_PURGED) throw error;
          batch = Math.max(Math.floor(batch / 2), FEWEST_PURGED);
        }
      }
    },
  };
}
