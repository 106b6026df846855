import { LeaseLost, workOf } from "../db/onboarding.ts";
import { reasonOf } from "../errors.ts";
import type { Work } from "../jobs/run.ts";
import { runOnboarding, type SagaDeps, type SagaOutcome } from "./saga.ts";

/**
 * Finishes or undoes onboardings that nobody works on any more: their process died, or Twilio would not have
 * them undone. What became of each is written by the saga itself.
 *
 * @param became Called with what became of one; "failed" also where it stopped as it is, for a later run.
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
