import type { FunctionMetricsRow, SendFunctionMetrics } from "../db/metrics.ts";
import type { Log } from "../log.ts";
import { reasonOf } from "../errors.ts";
import { clock, type Delay, delay, inBackground } from "../runtime.ts";

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
  /** The shortest time between two reports. Milliseconds. */
  readonly everyMs: number;
  readonly now?: () => Date;
  /** Default: real time. */
  readonly wait?: Delay;
}

/**
 * Sums requests by function and minute, and reports the sums in the background, at most every `everyMs`. No webhook
 * waits for a report, and an idle isolate sends none. A report that had no answer is sent again as it was, under its own
 * key, before the next one.
 */
export function functionMetrics(options: FunctionMetricsOptions): Observe {
  const { send, log, everyMs, now = clock, wait = delay } = options;
  const rows = new Map<string, FunctionMetricsRow>();
  let unanswered: { readonly rows: FunctionMetricsRow[]; readonly key: string } | undefined;
  let scheduled = false;

  const report = async () => {
    if (unanswered === undefined) {
      unanswered = { rows: [...rows.values()], key: crypto.randomUUID() };
      rows.clear();
    }
    await send(unanswered.rows, unanswered.key);
    unanswered = undefined;
  };
  const flush = async () => {
    await wait(everyMs);
    try {
      if (unanswered !== undefined) await report();
      await report();
    } catch (error) {
      log?.("warn", {
        function: "function_metrics",
        outcome: "not_sent",
        reason: reasonOf(error),
      });
    }
    scheduled = false;
    // What came while the report was sent. After a failure the next request is soon enough.
    if (unanswered === undefined && rows.size > 0) schedule();
  };
  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    inBackground(flush());
  };

  return (seen) => {
    add(rows, rowOf(seen, now()));
    schedule();
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
