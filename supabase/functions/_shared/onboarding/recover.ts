import { LeaseLost } from "../db/onboarding.ts";
import { runOnboarding, type SagaDeps } from "./saga.ts";

/** What became of onboardings that were left behind. */
export interface Recovered {
  readonly onboarded: number;
  readonly undone: number;
  readonly released: number;
  /** Still to be undone; tried again later. */
  readonly failed: number;
}

/** In one run; each takes a few requests to Twilio. */
const PER_RUN = 3;

/**
 * Finishes or undoes onboardings that nobody works on any more: their process died, or Twilio would not have
 * them undone. Two runs at once share them. Rejects when the database cannot be asked.
 */
export async function recoverOnboardings(deps: SagaDeps): Promise<Recovered> {
  const claimed = await deps.database.claim(PER_RUN);
  const outcomes = await Promise.all(claimed.map(async (work) => {
    try {
      return (await runOnboarding(work, deps)).kind;
    } catch (error) {
      if (error instanceof LeaseLost) return undefined;
      deps.log("error", {
        function: "voice-reconcile",
        outcome: "onboarding_interrupted",
        transaction: work.id,
        reason: error instanceof Error ? `${error.name}: ${error.message}` : "unknown",
      });
      return "failed";
    }
  }));
  const count = (kind: string) => outcomes.filter((outcome) => outcome === kind).length;
  return {
    onboarded: count("completed"),
    undone: count("rolled_back"),
    released: count("released"),
    failed: count("failed"),
  };
}
