import type { MetricsSnapshot } from "../db/metrics.ts";

// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
// A counter never decreases, so only values that are kept for ever are counters (function_totals). Calls are gauges over
// a stated window, because a call's row changes after it was counted.

interface Sample {
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number | null;
}

/** The text that Prometheus scrapes. */
export function renderMetrics(snapshot: MetricsSnapshot): string {
  const { now, calls, functions, jobs, alerts, workers } = snapshot;
  const byFunction = (value: (row: typeof functions[number]) => number): Sample[] =>
    functions.map((row) => ({ labels: { function: row.function }, value: value(row) }));
  const gauge = (name: string, help: string, value: number | null) =>
    family(name, "gauge", help, [{ value }]);

  return [
    gauge("active_calls", "Calls whose end has not been reported.", now.active_calls),
    gauge(
      "oldest_active_call_seconds",
      "Age of the oldest call that is not over; 0 without one.",
      now.oldest_active_seconds ?? 0,
    ),
    family(
      "recent_calls",
      "gauge",
      "Calls that began within the window, by what the caller chose and how they ended.",
      calls.map(({ window, mode, disposition, calls }) => ({
        labels: { window, mode, disposition },
        value: calls,
      })),
    ),
    family(
      "recent_call_seconds",
      "gauge",
      "Length of those calls, together.",
      calls.map(({ window, mode, disposition, seconds }) => ({
        labels: { window, mode, disposition },
        value: seconds,
      })),
    ),
    gauge(
      "voicemail_backlog",
      "Voicemails that nobody has marked as handled.",
      now.voicemail_backlog,
    ),
    gauge(
      "oldest_voicemail_hours",
      "Age of the oldest of them; 0 without one.",
      now.oldest_voicemail_hours ?? 0,
    ),
    gauge(
      "rate_limit_refusals_1h",
      "Calls and requests refused by a rate limit in the last hour.",
      now.rate_limit_refusals_last_hour,
    ),
    gauge(
      "failed_transactions_1h",
      "Onboardings that failed in the last hour.",
      now.failed_transactions_last_hour,
    ),
    family(
      "jobs",
      "gauge",
      "Jobs by kind: waiting (the due ones included), running, given up.",
      jobs.flatMap(({ kind, waiting, running, dead }) =>
        Object.entries({ waiting, running, dead })
          .map(([state, value]) => ({ labels: { kind, state }, value }))
      ),
    ),
    family(
      "jobs_due",
      "gauge",
      "Jobs that are due and not begun.",
      jobs.map(({ kind, due }) => ({ labels: { kind }, value: due })),
    ),
    family(
      "oldest_job_seconds",
      "gauge",
      "Age of the oldest job of a kind that has not ended; 0 without one.",
      jobs.map(({ kind, oldest_seconds }) => ({ labels: { kind }, value: oldest_seconds })),
    ),
    gauge("database_connections", "Connections to the database.", now.connections_used),
    gauge(
      "database_connections_allowed",
      "As many as the database allows.",
      now.connections_allowed,
    ),
    family(
      "function_requests_total",
      "counter",
      "Requests that a function let in.",
      byFunction((row) => row.requests),
    ),
    family(
      "function_errors_total",
      "counter",
      "Of these, answered 5xx or without the database.",
      byFunction((row) => row.errors),
    ),
    family(
      "function_database_failures_total",
      "counter",
      "Of these, where the database did not answer.",
      byFunction((row) => row.database_failures),
    ),
    family(
      "function_refused_total",
      "counter",
      "Requests turned away before anything was done, such as unsigned ones.",
      byFunction((row) => row.refused),
    ),
    family(
      "function_duration_seconds",
      "histogram",
      "How long a function took to answer.",
      functions.flatMap((row) => histogram(row)),
    ),
    gauge(
      "healthy",
      "1: voice-health said so when last asked; 0: it did not.",
      snapshot.healthy === null ? null : Number(snapshot.healthy),
    ),
    gauge(
      "health_checked_timestamp_seconds",
      "When voice-health was last asked.",
      snapshot.health_checked_at,
    ),
    family(
      "alert_firing",
      "gauge",
      "1 while the database's own alert fires.",
      alerts.map(({ alert, severity, firing }) => ({
        labels: { alert, severity },
        value: Number(firing),
      })),
    ),
    family(
      "alert_value",
      "gauge",
      "What the alert measures; absent where there is too little to judge by.",
      alerts.map(({ alert, value }) => ({ labels: { alert }, value })),
    ),
    family(
      "alert_threshold",
      "gauge",
      "What it is held against.",
      alerts.map(({ alert, threshold }) => ({ labels: { alert }, value: threshold })),
    ),
    family(
      "worker_last_success_timestamp_seconds",
      "gauge",
      "When a worker last came to its end.",
      workers.map(({ worker, last_ok_at }) => ({ labels: { worker }, value: last_ok_at })),
    ),
    family(
      "worker_runs_total",
      "counter",
      "Runs of a worker.",
      workers.map(({ worker, runs }) => ({ labels: { worker }, value: runs })),
    ),
    family(
      "worker_failures_total",
      "counter",
      "Of these, failed ones.",
      workers.map(({ worker, failures }) => ({ labels: { worker }, value: failures })),
    ),
  ].join("");
}

function histogram(row: MetricsSnapshot["functions"][number]): Sample[] {
  const labels = { function: row.function };
  const buckets = [
    ["0.05", row.le_50],
    ["0.1", row.le_100],
    ["0.25", row.le_250],
    ["0.5", row.le_500],
    ["1", row.le_1000],
    ["2", row.le_2000],
    ["5", row.le_5000],
    ["+Inf", row.requests],
  ] as const;
  return [
    ...buckets.map(([le, value]) => ({ name: "_bucket", labels: { ...labels, le }, value })),
    { name: "_sum", labels, value: row.total_ms / 1000 },
    { name: "_count", labels, value: row.requests },
  ];
}

/** A sample without a value is left out, as is a family without a sample. */
function family(
  name: string,
  type: "gauge" | "counter" | "histogram",
  help: string,
  samples: readonly Sample[],
): string {
  const lines = samples.flatMap(({ name: suffix = "", labels = {}, value }) => {
    if (value === null) return [];
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
    const set = pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
    return [`tradeline_${name}${suffix}${set} ${value}\n`];
  });
  if (lines.length === 0) return "";
  return `# HELP tradeline_${name} ${help}\n# TYPE tradeline_${name} ${type}\n${lines.join("")}`;
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
