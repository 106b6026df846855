import { type DataApi, run } from "./client.ts";

/** Something to tell, once, over one channel. */
export interface AlertNotice {
  readonly id: number;
  readonly channel: string;
  readonly transition: "fired" | "recovered";
  readonly episode_id: number;
  readonly alert: string;
  readonly severity: "critical" | "warning";
  readonly summary: string;
  /** What to do. */
  readonly action: string;
  readonly unit: string;
  /** Null: there is no longer enough to judge by. */
  readonly value: number | null;
  readonly threshold: number;
  /** Value, unit and direction: "81 %, should be at least 90 %". */
  readonly measured: string;
  /** ISO 8601. */
  readonly opened_at: string;
  readonly closed_at: string | null;
}

export interface AlertRun {
  readonly changed: readonly { readonly alert: string; readonly transition: string }[];
  /** How many alerts fire. */
  readonly firing: number;
  /** What is this run's to tell. */
  readonly due: readonly AlertNotice[];
}

/** What voice-health said, and Twilio. */
export interface HealthVerdict {
  readonly healthy: boolean;
  /** The checks that were not healthy, by name. */
  readonly failing: readonly string[];
  /** Calls that Twilio refused in the last hour, as the account had too many at once; null: it was not asked, or did not answer. */
  readonly refusedCalls: number | null;
}

/** The database's part of telling alerts; each call rejects when the database does not answer. */
export interface Alerts {
  /** Evaluates every alert, and claims what is to be told over `channels`. */
  run(health: HealthVerdict, channels: readonly string[]): Promise<AlertRun>;
  finish(delivered: readonly number[], failed: readonly number[]): Promise<void>;
  /** Notes that the run came to its end. */
  ended(ok: boolean): Promise<void>;
}

/** @param deadlineMs For each call by itself. */
export function alerts(api: DataApi, deadlineMs = 10_000): Alerts {
  const call = (name: string, args: Record<string, unknown>) => run(api, name, args, deadlineMs);
  return {
    run: ({ healthy, failing, refusedCalls }, channels) =>
      call("run_alerts", {
        p_healthy: healthy,
        p_failing: failing,
        p_channels: channels,
        p_refused_calls: refusedCalls,
      }),
    finish: (delivered, failed) =>
      call("finish_alert_deliveries", { p_delivered: delivered, p_failed: failed }),
    ended: (ok) => call("record_worker_run", { p_worker: "alert-dispatch", p_ok: ok }),
  };
}
