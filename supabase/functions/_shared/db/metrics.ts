import * as z from "zod/mini";
import { type DataApi, run } from "./client.ts";

/** A function's requests, since the beginning or in a minute. */
const counts = {
  function: z.string(),
  requests: z.number(),
  errors: z.number(),
  database_failures: z.number(),
  refused: z.number(),
  total_ms: z.number(),
  /** Requests of at most so many milliseconds. */
  le_50: z.number(),
  le_100: z.number(),
  le_250: z.number(),
  le_500: z.number(),
  le_1000: z.number(),
  le_2000: z.number(),
  le_5000: z.number(),
};
const functionMetrics = z.object({
  ...counts,
  /** ISO 8601, a whole minute. */
  minute: z.string(),
  database_ms: z.number(),
  max_ms: z.number(),
});
/** One function's requests in one minute, as one isolate counted them; the columns of `function_metrics`. */
export type FunctionMetricsRow = Readonly<z.infer<typeof functionMetrics>>;

/** Adds rows to the database's sums, once for each key (a UUID); rejects when they may not have been added. */
export type SendFunctionMetrics = (
  rows: readonly FunctionMetricsRow[],
  key: string,
) => Promise<void>;

/** @param deadlineMs After this long without an answer the rows count as not added. */
export function sendFunctionMetrics(api: DataApi, deadlineMs = 10_000): SendFunctionMetrics {
  return async (rows, key) => {
    const batch = { p_batch: rows, p_key: key };
    await run(api, "record_function_metrics", batch, z.unknown(), deadlineMs);
  };
}

const snapshot = z.object({
  now: z.object({
    active_calls: z.number(),
    oldest_active_seconds: z.nullable(z.number()),
    voicemail_backlog: z.number(),
    oldest_voicemail_hours: z.nullable(z.number()),
    rate_limit_refusals_last_hour: z.number(),
    failed_transactions_last_hour: z.number(),
    connections_used: z.number(),
    connections_allowed: z.number(),
  }),
  calls: z.array(z.object({
    window: z.string(),
    mode: z.string(),
    disposition: z.string(),
    calls: z.number(),
    seconds: z.number(),
  })),
  functions: z.array(z.object(counts)),
  jobs: z.array(z.object({
    kind: z.string(),
    waiting: z.number(),
    due: z.number(),
    running: z.number(),
    dead: z.number(),
    oldest_seconds: z.number(),
  })),
  alerts: z.array(z.object({
    alert: z.string(),
    severity: z.string(),
    value: z.nullable(z.number()),
    threshold: z.number(),
    firing: z.boolean(),
  })),
  /** Null: not asked yet. */
  healthy: z.nullable(z.boolean()),
  /** Seconds since 1970. */
  health_checked_at: z.nullable(z.number()),
  workers: z.array(z.object({
    worker: z.string(),
    last_ok_at: z.nullable(z.number()),
    runs: z.number(),
    failures: z.number(),
  })),
});
/** What `metrics_snapshot()` returns. */
export type MetricsSnapshot = z.infer<typeof snapshot>;

/** Reads all figures of `metrics`; rejects when the database does not answer in time. */
export function readMetrics(api: DataApi, deadlineMs = 8000): Promise<MetricsSnapshot> {
  return run(api, "metrics_snapshot", {}, snapshot, deadlineMs);
}
