import { LeaseLost, workOf } from "../db/onboarding.ts";
import { reasonOf } from "../errors.ts";
import type { Work } from "../jobs/run.ts";
import { runOnboarding, type SagaDeps, type SagaOutcome } from "./saga.ts";

/**
 * Finishes or undoes abandoned onboardings: their process died, or Twilio refused the undo. The saga itself writes the
 * result of each.
 *
 * @param became Called with the result of each; "failed" also for one that a later run must continue.
 */
export function recoverOnboarding(
  deps: SagaDeps,
  became: (kind: SagaOutcome["kind"]) => void,
): Work {
  return async (job) => {
    try {
      became((await runOnboarding(workOf(job), deps)).kind);
    } catch (error) {
      if (!(error instanceof LeaseLost)) {
        became("failed");
        deps.log("error", {
          function: "voice-reconcile",
          outcome: "onboarding_interrupted",
          transaction: job.key,
          reason: reasonOf(error),
        });
      }
    }
    return { kind: "settled" };
  };
}
