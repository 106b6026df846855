import type { FailedTry, Hold, Job, Jobs } from "../db/jobs.ts";
import { ServiceError } from "../errors.ts";
import type { Log } from "../log.ts";

/** The outcome of one try. */
export type Outcome =
  | { readonly kind: "done"; readonly result?: string | undefined }
  | { readonly kind: "failed" } & FailedTry
  /** Not tried; again after so many seconds. */
  | { readonly kind: "postponed"; readonly error: string; readonly seconds: number }
  /**
   * Not tried, because the other side accepts nothing at present. This job's kind waits for that long, or every kind of the
   * run that is not more urgent than this job, or every kind of the run.
   */
  | {
    readonly kind: "held";
    readonly error: string;
    readonly seconds: number;
    readonly scope: "kind" | "no more urgent" | "all";
  }
  /** The work itself has written the job's outcome. */
  | { readonly kind: "settled" };

/**
 * Does one job. A rejection is a failure: a `ServiceError` decides its kind; with any other error the job may have had its
 * effect.
 */
export type Work = (job: Job) => Promise<Outcome>;

/** Bounds of one run. */
export interface Bounds {
  /** Jobs that are claimed at a time: few enough that each is begun long before its lease ends. */
  readonly batch: number;
  /** Jobs that are done at a time. 1 a kind, in their order: `"in order"`. */
  readonly atOnce: number | "in order";
  /** No further batch is claimed after so many jobs. */
  readonly most: number;
  /** No further job is begun after this time. Milliseconds since 1970. */
  readonly until: number;
  /** Of kinds with an hourly ceiling: how many are done in any hour. */
  readonly perHour?: number | undefined;
}

export interface RunDeps {
  readonly jobs: Jobs;
  readonly log: Log;
  readonly now: () => Date;
}

/** The number of jobs by outcome. */
export interface Tally {
  done: number;
  /** Failed, to be tried again. */
  retried: number;
  /** Given up; see the view jobs_dead. */
  dead: number;
  /** Given back untried. */
  held: number;
  /** The lease was lost, or the outcome could not be written; the next run finds out. */
  unmarked: number;
}

/**
 * Claims jobs and does them, batch by batch, until none is due or a bound is reached. Several runs at once share the work.
 * A run that dies leaves its jobs to the end of their lease.
 *
 * @param worker Its name in the log.
 * @param works What to do with each kind; only these are claimed.
 * @throws {DatabaseFailure} when no jobs can be claimed.
 */
export async function runJobs(
  worker: string,
  works: Readonly<Record<string, Work>>,
  bounds: Bounds,
  deps: RunDeps,
): Promise<Tally> {
  const tally: Tally = { done: 0, retried: 0, dead: 0, held: 0, unmarked: 0 };
  const kinds = Object.keys(works);
  const inTime = () => deps.now().getTime() <= bounds.until;
  const run: Run = {
    worker,
    works,
    kinds,
    atOnce: bounds.atOnce,
    inTime,
    tally,
    holds: [],
    ...deps,
  };
  for (let claimed = 0; claimed < bounds.most && inTime();) {
    // deno-lint-ignore no-await-in-loop -- A batch at a time: a lease is for what is being done.
    const batch = await deps.jobs.claim(kinds, bounds.batch, bounds.perHour);
    claimed += batch.length;
    // deno-lint-ignore no-await-in-loop
    await runBatch(batch, run);
    if (batch.length < bounds.batch) break;
  }
  return tally;
}

interface Run extends RunDeps {
  readonly worker: string;
  readonly works: Readonly<Record<string, Work>>;
  readonly kinds: readonly string[];
  readonly atOnce: Bounds["atOnce"];
  readonly inTime: () => boolean;
  readonly tally: Tally;
  /** The kinds that this run must hold. */
  readonly holds: {
    readonly error: string;
    readonly kinds: readonly string[];
    readonly priority: number;
  }[];
}

async function runBatch(batch: readonly Job[], run: Run): Promise<void> {
  const { atOnce, holds, inTime } = run;
  const lanes = atOnce === "in order"
    ? [...Map.groupBy(batch, ({ kind }) => kind).values()]
    : Array<Job[]>(atOnce).fill([...batch]);
  const back = new Map<string, Job[]>();
  await Promise.all(lanes.map(async (queue) => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const { kind, priority } = job;
      const hold = holds.find((each) => each.kinds.includes(kind) && each.priority <= priority);
      const reason = hold?.error ?? (inTime() ? undefined : "out of time");
      // deno-lint-ignore no-await-in-loop -- One after the other in each lane.
      if (reason === undefined) await runJob(job, run);
      else back.set(reason, [...back.get(reason) ?? [], job]);
    }
  }));
  for (const [error, jobs] of back) {
    // deno-lint-ignore no-await-in-loop -- One reason, in all but the strangest of runs.
    await giveBack(jobs, { error, seconds: 0 }, run);
  }
}

async function runJob(job: Job, run: Run): Promise<void> {
  const { works, kinds, holds, tally, jobs } = run;
  const outcome = await works[job.kind]!(job).catch(failureOf);
  switch (outcome.kind) {
    case "settled":
      tally.done++;
      return;
    case "postponed":
      return await giveBack([job], outcome, run);
    case "held": {
      const { error, seconds, scope } = outcome;
      const hold = {
        error,
        kinds: scope === "kind" ? [job.kind] : kinds,
        priority: scope === "no more urgent" ? job.priority : 0,
      };
      holds.push(hold);
      return await giveBack([job], { ...hold, seconds }, run);
    }
    case "done":
      return await mark([job], run, async () => {
        tally[await jobs.done(job, outcome.result) ? "done" : "unmarked"]++;
      });
    case "failed":
      return await mark([job], run, async () => {
        const became = await jobs.failed(job, outcome);
        tally[became === null ? "unmarked" : became === "dead" ? "dead" : "retried"]++;
      });
  }
}

function failureOf(error: unknown): Outcome {
  if (error instanceof ServiceError) {
    const { kind, message } = error;
    return {
      kind: "failed",
      error: message.slice(0, 200),
      permanent: kind === "refused",
      uncertain: kind === "unknown",
    };
  }
  // Not the message, which may contain personal data.
  const name = error instanceof Error ? error.name : "unknown";
  return { kind: "failed", error: name, uncertain: true };
}

async function giveBack(back: readonly Job[], hold: Hold, run: Run): Promise<void> {
  await mark(back, run, async () => {
    await run.jobs.hold(back, hold);
    run.tally.held += back.length;
  });
}

/** An outcome that cannot be written is found out after the lease has expired. */
async function mark(marked: readonly Job[], run: Run, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    run.tally.unmarked += marked.length;
    const reason = error instanceof Error ? error.message : "unknown";
    for (const { id, kind } of marked) {
      run.log("error", { function: run.worker, job_id: id, kind, reason });
    }
  }
}
