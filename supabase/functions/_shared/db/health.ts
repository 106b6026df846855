import * as z from "zod/mini";
import { type DataApi, run } from "./client.ts";

const recentActivity = z.object({
  calls_last_hour: z.number(),
  active_calls: z.number(),
  last_event_at: z.nullable(z.string()),
  connections: z.optional(z.object({ used: z.number(), allowed: z.number() })),
  /** When each worker last ran and last succeeded. */
  workers: z.optional(z.record(
    z.string(),
    z.object({
      last_run_at: z.string(),
      last_ok_at: z.nullable(z.string()),
      /** Seconds since `last_ok_at`. */
      age_seconds: z.nullable(z.number()),
      /** It should have succeeded since. */
      late: z.boolean(),
    }),
  )),
  /** As they were when last evaluated. */
  alerts: z.optional(
    z.object({ critical: z.number(), warning: z.number(), firing: z.array(z.string()) }),
  ),
});
/** Counts and times, nothing personal. */
export type RecentActivity = z.infer<typeof recentActivity>;

/** The questions that `voice-health` asks. Each rejects when it has no answer within its own deadline. */
export interface HealthProbes {
  recentActivity(): Promise<RecentActivity>;
  /** Whether the limiter can lock and write. */
  rateLimiter(): Promise<boolean>;
  /** The newest migration that the database has; `null` where none is recorded. */
  migration(): Promise<string | null>;
}

/** @param deadlineMs For each question by itself, in milliseconds. */
export function healthProbes(api: DataApi, deadlineMs = 2000): HealthProbes {
  return {
    recentActivity: () => run(api, "health_recent_activity", {}, recentActivity, deadlineMs),
    rateLimiter: () => run(api, "health_rate_limiter", {}, z.boolean(), deadlineMs),
    migration: () => run(api, "health_migration", {}, z.nullable(z.string()), deadlineMs),
  };
}
