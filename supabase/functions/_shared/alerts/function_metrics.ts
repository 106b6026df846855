import type { FunctionMetricsRow, SendFunctionMetrics } from "../db/metrics.ts";
import type { Log } from "../log.ts";
import { inBackground } from "../runtime.ts";

/** One request as its function saw it. */
export interface RequestSeen {
  readonly function: string;
  /** `refused`: turned away before anything was done; `failed`: an answer of 5xx, or one without the database. */
  readonly outcome: "served" | "failed" | "refused";
  /** The database did not answer. */
  readonly databaseFailed: boolean;
  readonly ms: number;
  readonly databaseMs: number;
}

/** Counts a request; takes no time and never throws. */
export type Observe = (seen: RequestSeen) => void;

/** Rows that wait for a database that is away; more than that, and the oldest are forgotten. */
const MOST_ROWS = 500;

export interface FunctionMetricsOptions {
  readonly send: SendFunctionMetrics;
  readonly log?: Log | undefined;
  /** How long requests are added up before they are told. */
  readonly everyMs: number;
  readonly now?: () => Date;
  /** Resolves after so many milliseconds. */
  readonly wait?: (ms: number) => Promise<void>;
}

/**
 * Adds requests up by function and minute, and tells the sums in one request every `everyMs` at most, in the
 * background: no webhook waits for it, and an idle isolate tells nothing. What could not be told is told
 * with the next.
 */
export function functionMetrics(options: FunctionMetricsOptions): Observe {
  const { send, log, everyMs, now = () => new Date(), wait = sleep } = options;
  const rows = new Map<string, FunctionMetricsRow>();
  let scheduled = false;

  const flush = async () => {
    await wait(everyMs);
    scheduled = false;
    const batch = [...rows.values()];
    rows.clear();
    try {
      await send(batch);
    } catch (error) {
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : "unknown";
      log?.("warn", { function: "function_metrics", outcome: "not_sent", reason });
      for (const row of batch) add(rows, row);
    }
  };

  return (seen) => {
    add(rows, rowOf(seen, now()));
    if (scheduled) return;
    scheduled = true;
    inBackground(flush());
  };
}

function rowOf(seen: RequestSeen, time: Date): FunctionMetricsRow {
  const minute = new Date(Math.floor(time.getTime() / 60_000) * 60_000).toISOString();
  const refused = seen.outcome === "refused";
  const letIn = Number(!refused);
  const ms = Math.max(0, Math.round(seen.ms));
  const within = (bound: number) => letIn * Number(ms <= bound);
  return {
    minute,
    function: seen.function,
    requests: letIn,
    errors: letIn * Number(seen.outcome === "failed"),
    database_failures: letIn * Number(seen.databaseFailed),
    refused: Number(refused),
    total_ms: letIn * ms,
    database_ms: letIn * Math.max(0, Math.round(seen.databaseMs)),
    max_ms: letIn * ms,
    le_50: within(50),
    le_100: within(100),
    le_250: within(250),
    le_500: within(500),
    le_1000: within(1000),
    le_2000: within(2000),
    le_5000: within(5000),
  };
}

function add(rows: Map<string, FunctionMetricsRow>, row: FunctionMetricsRow): void {
  const key = `${row.function} ${row.minute}`;
  const known = rows.get(key);
  if (known === undefined) {
    const oldest = rows.keys().next().value;
    if (rows.size >= MOST_ROWS && oldest !== undefined) rows.delete(oldest);
    rows.set(key, row);
    return;
  }
  const { minute, function: name, ...counts } = row;
  const sums = Object.entries(counts).map(([column, count]) => {
    const before = known[column as keyof typeof counts];
    return [column, column === "max_ms" ? Math.max(before, count) : before + count];
  });
  rows.set(key, { minute, function: name, ...Object.fromEntries(sums) });
}

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
