import { type DataApi, run } from "./client.ts";

/** What one function did in one minute, as far as one isolate saw it; the columns of `function_metrics`. */
export interface FunctionMetricsRow {
  /** ISO 8601, a whole minute. */
  readonly minute: string;
  readonly function: string;
  readonly requests: number;
  readonly errors: number;
  readonly database_failures: number;
  readonly refused: number;
  readonly total_ms: number;
  readonly database_ms: number;
  readonly max_ms: number;
  /** Requests of at most so many milliseconds. */
  readonly le_50: number;
  readonly le_100: number;
  readonly le_250: number;
  readonly le_500: number;
  readonly le_1000: number;
  readonly le_2000: number;
  readonly le_5000: number;
}

/** Adds rows to what the database has, once for each key (a UUID); rejects when they may not have been added. */
export type SendFunctionMetrics = (
  rows: readonly FunctionMetricsRow[],
  key: string,
) => Promise<void>;

/** @param deadlineMs After this long without an answer the rows count as not added. */
export function sendFunctionMetrics(api: DataApi, deadlineMs = 10_000): SendFunctionMetrics {
  return async (rows, key) => {
    await run(api, "record_function_metrics", { p_batch: rows, p_key: key }, deadlineMs);
  };
}

/** What `metrics_snapshot()` returns. */
export interface MetricsSnapshot {
  readonly now: {
    readonly active_calls: number;
    readonly oldest_active_seconds: number | null;
    readonly voicemail_backlog: number;
    readonly oldest_voicemail_hours: number | null;
    readonly rate_limit_refusals_last_hour: number;
    readonly failed_transactions_last_hour: number;
    readonly connections_used: number;
    readonly connections_allowed: number;
  };
  readonly calls: readonly {
    readonly window: string;
    readonly mode: string;
    readonly disposition: string;
    readonly calls: number;
    readonly seconds: number;
  }[];
  readonly functions: readonly (Omit<FunctionMetricsRow, "minute" | "database_ms" | "max_ms">)[];
  readonly jobs: readonly {
    readonly kind: string;
    readonly waiting: number;
    readonly due: number;
    readonly running: number;
    readonly dead: number;
    readonly oldest_seconds: number;
  }[];
  readonly alerts: readonly {
    readonly alert: string;
    readonly severity: string;
    readonly value: number | null;
    readonly threshold: number;
    readonly firing: boolean;
  }[];
  /** Null: nobody has asked yet. */
  readonly healthy: boolean | null;
  /** Seconds since 1970. */
  readonly health_checked_at: number | null;
  readonly workers: readonly {
    readonly worker: string;
    readonly last_ok_at: number | null;
    readonly runs: number;
    readonly failures: number;
  }[];
}

/** Reads everything that `metrics` tells; rejects when the database does not answer in time. */
export function readMetrics(api: DataApi, deadlineMs = 8000): Promise<MetricsSnapshot> {
  return run(api, "metrics_snapshot", {}, deadlineMs);
}
