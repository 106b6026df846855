import * as z from "zod/mini";
import { type DataApi, run } from "./client.ts";

const job = z.object({
  id: z.number(),
  kind: z.string(),
  /** 0 goes first. */
  priority: z.number(),
  /** The same at each try: what the other side knows the job by. */
  key: z.string(),
  /** Keys of rows elsewhere. */
  payload: z.record(z.string(), z.unknown()),
  /** What `job_content` says of it; `null`: what it was about is gone. */
  content: z.unknown(),
  lease: z.string(),
  /** This try included. */
  attempts: z.number(),
});
/** A job that this worker holds while its lease lasts. */
export type Job = Readonly<z.infer<typeof job>>;

export interface FailedTry {
  /** For operators; nothing personal. At most 200 characters. */
  readonly error: string;
  /** No other try can end otherwise. */
  readonly permanent?: boolean | undefined;
  /** It may have had its effect. */
  readonly uncertain?: boolean | undefined;
}

/** How long jobs wait, and what waits with them. */
export interface Hold {
  readonly error: string;
  readonly seconds: number;
  /** Kinds that are held too, as far as they are no more urgent than `priority`. */
  readonly kinds?: readonly string[] | undefined;
  readonly priority?: number | undefined;
}

/** The database's part of doing jobs; each call rejects when the database does not answer. */
export interface Jobs {
  /**
   * Claims jobs that are due, the most urgent first.
   *
   * @param limit At least as many as there are kinds.
   * @param perHour Of kinds with an hourly ceiling: how many are done in any hour.
   */
  claim(kinds: readonly string[], limit: number, perHour?: number): Promise<Job[]>;
  /** @returns false: the lease was lost. */
  done(job: Job, result: string | undefined): Promise<boolean>;
  /** The job's new state; `null`: the lease was lost. */
  failed(job: Job, failure: FailedTry): Promise<"waiting" | "dead" | null>;
  /** Gives jobs back without counting a try. */
  hold(jobs: readonly Job[], hold: Hold): Promise<void>;
  /** Records a finished run of a worker. */
  ended(worker: string, ok?: boolean): Promise<void>;
}

/** @param deadlineMs For each call by itself. */
export function jobs(api: DataApi, deadlineMs = 10_000): Jobs {
  return {
    claim: (kinds, limit, perHour) =>
      kinds.length === 0 ? Promise.resolve([]) : run(
        api,
        "claim_jobs",
        { p_kinds: kinds, p_limit: limit, p_per_hour: perHour ?? null },
        z.array(job),
        deadlineMs,
      ),
    done: ({ id, lease }, result) =>
      run(
        api,
        "job_done",
        { p_id: id, p_lease: lease, p_result: result ?? null },
        z.boolean(),
        deadlineMs,
      ),
    failed: ({ id, lease }, { error, permanent = false, uncertain = false }) =>
      run(
        api,
        "job_failed",
        {
          p_id: id,
          p_lease: lease,
          p_error: error,
          p_permanent: permanent,
          p_uncertain: uncertain,
        },
        z.nullable(z.enum(["waiting", "dead"])),
        deadlineMs,
      ),
    async hold(held, { error, seconds, kinds, priority = 0 }) {
      await run(
        api,
        "hold_jobs",
        {
          p_leases: held.map(({ lease }) => lease),
          p_error: error,
          p_wait_sec: seconds,
          p_kinds: kinds ?? null,
          p_priority: priority,
        },
        z.unknown(),
        deadlineMs,
      );
    },
    async ended(worker, ok = true) {
      const ended = { p_worker: worker, p_ok: ok };
      await run(api, "record_worker_run", ended, z.unknown(), deadlineMs);
    },
  };
}
