import * as z from "zod/mini";
import {
  type ArgumentsOf,
  type DataApi,
  DatabaseFailure,
  run,
  type SqlFunction,
} from "./client.ts";
import type { Job } from "./jobs.ts";

const request = z.object({
  org_id: z.string(),
  business_name: z.string(),
  country: z.enum(["CA", "US"]),
  area_code: z.optional(z.string()),
  /** A published flow of the organisation, which the number follows; absent: the settings answer. */
  flow: z.optional(z.string()),
});
/** A validated request to onboard an organisation. */
export type OnboardingRequest = Readonly<z.infer<typeof request>>;

/** `intended`: it may have been done, or not. */
const stepState = z.enum(["intended", "done", "undone"]);

const step = z.discriminatedUnion("step", [
  z.object({
    step: z.literal("subaccount"),
    state: stepState,
    /** Null: the sub-account was there before, and stays. */
    undo: z.nullable(z.literal("close_subaccount")),
    subaccount_sid: z.optional(z.string()),
    /** From Twilio's answer when the sub-account was opened; see `onboarding/seal.ts`. Only until it is stored. */
    sealed_token: z.optional(z.string()),
    /** When it was last requested; ISO 8601. Only while the result is unknown. */
    asked_at: z.optional(z.string()),
  }),
  z.object({
    step: z.literal("number"),
    state: stepState,
    undo: z.literal("release_number"),
    number: z.string(),
    number_sid: z.optional(z.string()),
    asked_at: z.optional(z.string()),
  }),
  /** Undone with the number. */
  z.object({ step: z.literal("bind"), state: stepState, undo: z.null() }),
  /** Part of the transaction that completes it. */
  z.object({ step: z.literal("store"), state: stepState, undo: z.null() }),
]);
/** One step of an onboarding, written down before it is done. */
export type OnboardingStep = Readonly<z.infer<typeof step>>;

const transaction = z.object({
  id: z.string(),
  type: z.enum(["onboarding", "release"]),
  org_id: z.string(),
  /** `null`: of a release. */
  request: z.nullable(request),
  steps: z.array(step),
  /** It failed before and is only undone. */
  undoing: z.boolean(),
  error: z.nullable(z.string()),
  /** Vault is there to keep the token. */
  vault: z.boolean(),
  /** The organisation's sub-account, where it has one already. */
  subaccount_sid: z.nullable(z.string()),
});
const work = z.extend(transaction, {
  lease: z.string(),
  /** How often it was begun or taken over. */
  attempts: z.number(),
});
/** A claimed onboarding, or a release, whose steps are the organisation's resources, which are undone. */
export type OnboardingWork = Readonly<z.infer<typeof work>>;

/** The transaction that a job of kind `onboarding` is about. */
export function workOf({ content, lease, attempts }: Job): OnboardingWork {
  return { ...transaction.parse(content), lease, attempts };
}

const result = z.object({
  subaccount_sid: z.string(),
  phone_number: z.string(),
  voice_url: z.string(),
  status_callback: z.string(),
});
/** The answer of a completed onboarding. */
export type OnboardingResult = Readonly<z.infer<typeof result>>;

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

const inProgress = z.object({ outcome: z.literal("in_progress"), retry_after: z.number() });
const started = z.object({ outcome: z.literal("started"), work });

const beginning = z.discriminatedUnion("outcome", [
  started,
  z.object({ outcome: z.literal("completed"), result }),
  inProgress,
  z.object({ outcome: z.literal("conflict") }),
  /** The organisation has a number, and may not have another by this request. */
  z.object({ outcome: z.literal("enough") }),
  /** No flow of that name is published for the organisation. */
  z.object({ outcome: z.literal("no_flow") }),
]);
export type Beginning = z.infer<typeof beginning>;

const released = z.object({ subaccount_sid: z.string(), phone_numbers: z.array(z.string()) });
/** What a release gave back. */
export type ReleaseResult = Readonly<z.infer<typeof released>>;

const releaseBeginning = z.discriminatedUnion("outcome", [
  started,
  /** Released before, and not onboarded since. */
  z.object({ outcome: z.literal("released"), result: released }),
  inProgress,
  z.object({ outcome: z.literal("nothing") }),
]);
export type ReleaseBeginning = z.infer<typeof releaseBeginning>;

/** Another worker has taken over the onboarding. */
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
  /** @param error The failure; from then on it is being undone. */
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
  const call = async <Name extends SqlFunction, Returned>(
    name: Name,
    args: ArgumentsOf<Name>,
    returns: z.ZodMiniType<Returned>,
  ) => {
    try {
      return await run(api, name, args, returns, deadlineMs);
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
      }, beginning),
    beginRelease: (orgId) => call("begin_release", { p_org_id: orgId }, releaseBeginning),
    async completeRelease(work, steps, result) {
      const made = { ...held(work), p_steps: steps, p_result: result };
      await call("complete_release", made, z.unknown());
    },
    async save(work, steps, error) {
      const saved = { ...held(work), p_steps: steps, p_error: error };
      await call("save_onboarding", saved, z.unknown());
    },
    async complete(work, steps, made) {
      const all = { ...held(work), p_steps: steps, p_made: made };
      await call("complete_onboarding", all, z.unknown());
    },
    async end(work, status, steps, error) {
      const ended = { ...held(work), p_status: status, p_steps: steps, p_error: error };
      await call("end_onboarding", ended, z.unknown());
    },
  };
}
