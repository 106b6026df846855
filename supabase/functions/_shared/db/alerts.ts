import * as z from "zod/mini";
import { type DataApi, run } from "./client.ts";

const alertRun = z.object({
  changed: z.array(z.object({ alert: z.string(), transition: z.string() })),
  /** How many alerts fire. */
  firing: z.number(),
});
export type AlertRun = z.infer<typeof alertRun>;

/** The results of voice-health and Twilio. */
export interface HealthVerdict {
  readonly healthy: boolean;
  /** The checks that were not healthy, by name. */
  readonly failing: readonly string[];
  /** Calls that Twilio refused in the last hour, because the account had too many at once; null: not asked, or no answer. */
  readonly refusedCalls: number | null;
}

/** Evaluates every alert and enqueues the messages; rejects when the database does not answer. */
export type RunAlerts = (
  health: HealthVerdict,
  /** The job kinds of the configured channels. */
  channels: readonly string[],
) => Promise<AlertRun>;

/** @param deadlineMs For the call. */
export function runAlerts(api: DataApi, deadlineMs = 10_000): RunAlerts {
  return ({ healthy, failing, refusedCalls }, channels) =>
    run(
      api,
      "run_alerts",
      {
        p_healthy: healthy,
        p_failing: failing,
        p_channels: channels,
        p_refused_calls: refusedCalls,
      },
      alertRun,
      deadlineMs,
    );
}
