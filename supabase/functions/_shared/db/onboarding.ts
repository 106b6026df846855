import { type DataApi, DatabaseFailure, run } from "./client.ts";
import type { Job } from "./jobs.ts";

/** A validated request to onboard an organisation. */
export interface OnboardingRequest {
  readonly org_id: string;
  readonly business_name: string;
  readonly country: "CA" | "US";
  readonly area_code?: string | undefined;
  /** A published flow of the organisation, which the number follows; absent: the settings answer. */
  readonly flow?: string | undefined;
}

/** One step of an onboarding, written down before it is done. */
export type OnboardingStep =
  | {
    readonly step: "subaccount";
    readonly state: StepState;
    /** Null: the sub-account was there before, and stays. */
    readonly undo: "close_subaccount" | null;
    readonly subaccount_sid?: string | undefined;
    /** As Twilio told it when the sub-account was opened; see `onboarding/seal.ts`. Only until it is stored. */
    readonly sealed_token?: string | undefined;
    /** When it was last asked for; ISO 8601. Only while it is not known what came of that. */
    readonly asked_at?: string | undefined;
  }
  | {
    readonly step: "number";
    readonly state: StepState;
    readonly undo: "release_number";
    readonly number: string;
    readonly number_sid?: string | undefined;
    readonly asked_at?: string | undefined;
  }
  /** Undone with the number. */
  | { readonly step: "bind"; readonly state: StepState; readonly undo: null }
  /** Part of the transaction that completes it. */
  | { readonly step: "store"; readonly state: StepState; readonly undo: null };

/** `intended`: it may have been done, or not. */
export type StepState = "intended" | "done" | "undone";

/** An onboarding in our hands; or a release, whose steps are what the organisation has, and are to be undone. */
export interface OnboardingWork {
  readonly id: string;
  readonly type: "onboarding" | "release";
  readonly lease: string;
  readonly org_id: string;
  /** Of an onboarding. */
  readonly request: OnboardingRequest;
  readonly steps: readonly OnboardingStep[];
  /** It failed before, and is only to be undone. */
  readonly undoing: boolean;
  readonly error: string | null;
  /** How often it was begun or taken over. */
  readonly attempts: number;
  /** Vault is there to keep the token. */
  readonly vault: boolean;
  /** The organisation's sub-account, where it has one already. */
  readonly subaccount_sid: string | null;
}

/** The transaction that a job of kind `onboarding` is about. */
export function workOf({ content, lease, attempts }: Job): OnboardingWork {
  return { ...content as Omit<OnboardingWork, "lease" | "attempts">, lease, attempts };
}

/** What a completed onboarding is answered with. */
export interface OnboardingResult {
  readonly subaccount_sid: string;
  readonly phone_number: string;
  readonly voice_url: string;
  readonly status_callback: string;
}

/** All that a completed onboarding made. */
export interface Onboarded {
  readonly subaccount_sid: string;
  readonly business_name: string;
  readonly number: {
    readonly e164_number: string;
    readonly number_sid: string;
    readonly country: string;
  };
  readonly token?: string;
  readonly sealed_token?: string;
  readonly result: OnboardingResult;
}

export type Beginning =
  | { readonly outcome: "started"; readonly work: OnboardingWork }
  | { readonly outcome: "completed"; readonly result: OnboardingResult }
  | { readonly outcome: "in_progress"; readonly retry_after: number }
  | { readonly outcome: "conflict" }
  /** The organisation has a number, and may not have another by this request. */
  | { readonly outcome: "enough" }
  /** No flow of that name is published for the organisation. */
  | { readonly outcome: "no_flow" };

/** What a release gave back. */
export interface ReleaseResult {
  readonly subaccount_sid: string;
  readonly phone_numbers: readonly string[];
}

export type ReleaseBeginning =
  | { readonly outcome: "started"; readonly work: OnboardingWork }
  /** Released before, and not onboarded since. */
  | { readonly outcome: "released"; readonly result: ReleaseResult }
  | { readonly outcome: "in_progress"; readonly retry_after: number }
  | { readonly outcome: "nothing" };

/** Somebody else has taken over an onboarding that was ours. */
export class LeaseLost extends Error {
  override name = "LeaseLost";
}

/** The database's part of onboarding; each rejects with `LeaseLost` or `DatabaseFailure`. */
export interface Onboardings {
  /**
   * @param key The idempotency key; without one, the organisation is the key.
   * @param further Whether it may be a further number of an organisation that has one.
   */
  begin(request: OnboardingRequest, key: string | undefined, further: boolean): Promise<Beginning>;
  beginRelease(orgId: string): Promise<ReleaseBeginning>;
  completeRelease(
    work: OnboardingWork,
    steps: readonly OnboardingStep[],
    result: ReleaseResult,
  ): Promise<void>;
  /** @param error What went wrong: from then on it is being undone. */
  save(work: OnboardingWork, steps: readonly OnboardingStep[], error?: string): Promise<void>;
  complete(
    work: OnboardingWork,
    steps: readonly OnboardingStep[],
    made: Onboarded,
  ): Promise<void>;
  end(
    work: OnboardingWork,
    status: "rolled_back" | "failed",
    steps: readonly OnboardingStep[],
    error: string,
  ): Promise<void>;
}

/** @param deadlineMs For each call by itself. */
export function onboardings(api: DataApi, deadlineMs = 10_000): Onboardings {
  const call = async (name: string, args: Record<string, unknown>) => {
    try {
      return await run(api, name, args, deadlineMs);
    } catch (error) {
      const lost = error instanceof DatabaseFailure && error.code === "PT409";
      throw lost ? new LeaseLost(`Cannot run ${name}`) : error;
    }
  };
  const held = (work: OnboardingWork) => ({ p_id: work.id, p_lease_token: work.lease });
  return {
    begin: (request, key, further) =>
      call("begin_onboarding", {
        p_org_id: request.org_id,
        p_request: request,
        p_key: key,
        p_further: further,
      }),
    beginRelease: (orgId) => call("begin_release", { p_org_id: orgId }),
    completeRelease: (work, steps, result) =>
      call("complete_release", { ...held(work), p_steps: steps, p_result: result }),
    save: (work, steps, error) =>
      call("save_onboarding", { ...held(work), p_steps: steps, p_error: error }),
    complete: (work, steps, made) =>
      call("complete_onboarding", { ...held(work), p_steps: steps, p_made: made }),
    end: (work, status, steps, error) =>
      call("end_onboarding", { ...held(work), p_status: status, p_steps: steps, p_error: error }),
  };
}
