import { type DataApi, run } from "./client.ts";

/** Counts and times, nothing personal. */
export interface RecentActivity {
  readonly calls_last_hour: number;
  readonly active_calls: number;
  readonly last_event_at: string | null;
  readonly connections?: { readonly used: number; readonly allowed: number };
  /** When each worker last ran, and last came to its end. */
  readonly workers?: Readonly<
    Record<string, {
      readonly last_run_at: string;
      readonly last_ok_at: string | null;
      /** Seconds since `last_ok_at`. */
      readonly age_seconds: number | null;
      /** It should have come to its end since. */
      readonly late: boolean;
    }>
  >;
  /** As they were when last evaluated. */
  readonly alerts?: {
    readonly critical: number;
    readonly warning: number;
    readonly firing: readonly string[];
  };
}

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
  const ask = (name: string) => run(api, name, {}, deadlineMs);
  return {
    recentActivity: () => ask("health_recent_activity"),
    rateLimiter: () => ask("health_rate_limiter"),
    migration: () => ask("health_migration"),
  };
}
