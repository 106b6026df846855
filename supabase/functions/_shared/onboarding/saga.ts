import type {
  OnboardingRequest,
  OnboardingResult,
  Onboardings,
  OnboardingStep,
  OnboardingWork,
  ReleaseResult,
} from "../db/onboarding.ts";
import type { Log } from "../log.ts";
import { OVERRIDES } from "../twilio/callback_url.ts";
import { TwilioError } from "../twilio/client.ts";
import type { NumberBinding, OwnedNumber, Provisioning } from "../twilio/provisioning.ts";
import { type Alternative, failureOf, OnboardingFailure } from "./failure.ts";
import type { Seal } from "./seal.ts";
import { assertActive } from "./standing.ts";

// An organisation gets a sub-account and a number, or nothing that costs money:
//
//   search -> subaccount -> number -> bind -> store          a failure: undone in reverse
//
// Before each step at Twilio the database stores the step and what undoes it. A worker that takes over an abandoned
// onboarding asks Twilio whether the last step happened, and continues from there.
//
// A request that Twilio did not answer may have succeeded and be listed later. Until that is settled nothing that costs
// money is requested in its place: the onboarding is undone, and the undo ends when the resource was found, or has not
// been listed for long enough.

export interface SagaDeps {
  readonly database: Onboardings;
  readonly twilio: Provisioning;
  readonly seal: Seal;
  /** The public base that Twilio calls, without a trailing slash. */
  readonly functionsUrl: string;
  readonly log: Log;
  readonly now: () => Date;
}

export type SagaOutcome =
  | { readonly kind: "completed"; readonly result: OnboardingResult }
  | { readonly kind: "rolled_back"; readonly failure: OnboardingFailure }
  | { readonly kind: "released"; readonly result: ReleaseResult }
  /** Something is left that could not be undone yet. */
  | { readonly kind: "failed"; readonly failure: OnboardingFailure };

/** After this many takeovers an onboarding is undone instead of retried. */
const MOST_ATTEMPTS = 3;
/** How many numbers are tried when others are bought first by someone else. */
const CANDIDATES = 5;
/** A resource that Twilio has not listed for this long after the request does not exist. Milliseconds. */
const SETTLED_MS = 15 * 60_000;
const NOT_AVAILABLE = "21422";
const NO_NUMBER_IN_AREA = "21452";

/**
 * Continues an onboarding or a release to its end. Rejects with `LeaseLost` or `DatabaseFailure` when it cannot write its
 * steps; then it stops, and the next run of voice-reconcile continues.
 */
export async function runOnboarding(work: OnboardingWork, deps: SagaDeps): Promise<SagaOutcome> {
  const saga = new Saga(work, deps);
  if (work.type === "release") return await saga.release();
  if (work.undoing) {
    return await saga.undo(
      new OnboardingFailure(503, "undone", work.error ?? "It failed."),
    );
  }
  if (work.attempts > MOST_ATTEMPTS) {
    return await saga.undo(
      new OnboardingFailure(
        503,
        "interrupted",
        "It was interrupted several times and has been given up: try again.",
        { retryAfter: 60 },
      ),
    );
  }
  try {
    return { kind: "completed", result: await saga.forward() };
  } catch (error) {
    // Throws for errors that are not the onboarding's; then its steps stay as they are.
    return await saga.undo(failureOf(error));
  }
}

/** The name under which a sub-account is found again. */
function subaccountName(orgId: string): string {
  return `tradeline ${orgId}`;
}

/** Where the webhooks of an onboarded number go. */
export function bindingOf(functionsUrl: string): NumberBinding {
  return {
    voiceUrl: `${functionsUrl}/voice-frontdoor#${OVERRIDES.step}`,
    voiceFallbackUrl: `${functionsUrl}/voice-voicemail`,
    statusCallback: `${functionsUrl}/voice-status#${OVERRIDES.callback}`,
  };
}

type Step<Name extends OnboardingStep["step"]> = Extract<OnboardingStep, { step: Name }>;

class Saga {
  readonly #work: OnboardingWork;
  readonly #deps: SagaDeps;
  #steps: readonly OnboardingStep[];

  constructor(work: OnboardingWork, deps: SagaDeps) {
    this.#work = work;
    this.#deps = deps;
    this.#steps = work.steps;
  }

  /** What was asked for; only of an onboarding. */
  get #request(): OnboardingRequest {
    const { id, request } = this.#work;
    if (request === null) throw new Error(`Cannot go on with ${id}, as it has no request`);
    return request;
  }

  async forward(): Promise<OnboardingResult> {
    const { twilio, functionsUrl, database, seal } = this.#deps;
    const request = this.#request;
    const { vault } = this.#work;
    // First, because without a number for sale there is nothing to undo.
    const candidates = this.#find("number") === undefined ? await this.#search() : [];
    const account = await this.#ensureSubaccount();
    const number = await this.#ensureNumber(account, candidates);

    const binding = bindingOf(functionsUrl);
    await this.#write({ step: "bind", state: "intended", undo: null });
    await twilio.bindNumber(account, number.sid, binding);
    await this.#write({ step: "bind", state: "done", undo: null });

    const sealed = this.#find("subaccount")?.sealed_token;
    const result: OnboardingResult = {
      subaccount_sid: account,
      phone_number: number.phone_number,
      voice_url: binding.voiceUrl,
      status_callback: binding.statusCallback,
    };
    await database.complete(
      this.#work,
      withoutToken(this.#with({ step: "store", state: "done", undo: null })),
      {
        subaccount_sid: account,
        business_name: request.business_name,
        number: {
          e164_number: number.phone_number,
          number_sid: number.sid,
          country: request.country,
        },
        ...(sealed !== undefined &&
          (vault ? { token: await seal.open(sealed, account) } : { sealed_token: sealed })),
        result,
      },
    );
    return result;
  }

  /** Undoes every step that was done or may have been, the last one first. */
  async undo(failure: OnboardingFailure): Promise<SagaOutcome> {
    const { database } = this.#deps;
    await database.save(this.#work, this.#steps, failure.message);
    // After an undo that failed, the message still ends with the obstacle of that undo.
    const words = failure.message.split(STILL_THERE)[0]!;
    try {
      await this.#takeBack();
    } catch (error) {
      await this.#keepForLater(`${words}${STILL_THERE}${failureOf(error).message}`);
      return { kind: "failed", failure };
    }
    await database.end(this.#work, "rolled_back", withoutToken(this.#steps), words);
    return { kind: "rolled_back", failure };
  }

  /** Releases everything that the organisation has. Refusals of Twilio's are retried later. */
  async release(): Promise<SagaOutcome> {
    try {
      await this.#takeBack();
    } catch (error) {
      const failure = failureOf(error);
      await this.#keepForLater(failure.message);
      return { kind: "failed", failure };
    }
    const result: ReleaseResult = {
      subaccount_sid: this.#find("subaccount")!.subaccount_sid!,
      phone_numbers: this.#steps.flatMap((step) => step.step === "number" ? [step.number] : []),
    };
    await this.#deps.database.completeRelease(this.#work, this.#steps, result);
    return { kind: "released", result };
  }

  async #takeBack(): Promise<void> {
    for (const [at, step] of [...this.#steps.entries()].toReversed()) {
      if (step.undo === null || step.state === "undone") continue;
      // deno-lint-ignore no-await-in-loop -- In reverse, one by one.
      const steps = this.#steps.with(at, await this.#undoStep(step));
      // deno-lint-ignore no-await-in-loop
      await this.#save(steps);
    }
  }

  async #keepForLater(reason: string): Promise<void> {
    await this.#deps.database.end(this.#work, "failed", withoutToken(this.#steps), reason);
    this.#deps.log("error", {
      function: "telephony-onboard",
      outcome: "undo_failed",
      transaction: this.#work.id,
      reason,
    });
  }

  /** @returns The current step, with the found resource. */
  async #undoStep(step: OnboardingStep): Promise<OnboardingStep> {
    const { twilio } = this.#deps;
    if (step.undo === "close_subaccount") {
      const sids = step.subaccount_sid === undefined
        ? await twilio.subaccounts(subaccountName(this.#work.org_id))
        : [step.subaccount_sid];
      for (const sid of sids) {
        // deno-lint-ignore no-await-in-loop -- One, in all but the strangest of cases.
        await twilio.closeSubaccount(sid);
      }
      if (sids.length === 0) this.#assertSettled(step);
      return { ...step, state: "undone", subaccount_sid: sids[0] };
    }
    if (step.undo === "release_number") {
      const account = this.#find("subaccount");
      if (account?.subaccount_sid === undefined) return { ...step, state: "undone" };
      const sid = account.subaccount_sid;
      const numbers = step.number_sid === undefined
        ? (await twilio.owned(sid, step.number)).map((number) => number.sid)
        : [step.number_sid];
      for (const number of numbers) {
        // deno-lint-ignore no-await-in-loop
        await twilio.releaseNumber(sid, number).catch((error) => {
          const inactive = failureOf(error).code === "twilio_account_inactive";
          if (account.undo === null || !inactive) throw error;
        });
      }
      // Closing the account, which follows, releases all of its numbers.
      if (numbers.length === 0 && account.undo === null) this.#assertSettled(step);
      return { ...step, state: "undone", number_sid: numbers[0] };
    }
    return { ...step, state: "undone" };
  }

  /** @throws {TwilioError} while Twilio may still carry out the request. */
  #assertSettled({ asked_at }: { readonly asked_at?: string | undefined }): void {
    if (!this.#isSettled(asked_at)) {
      throw new TwilioError("unknown", "Twilio may still carry out what it did not answer");
    }
  }

  #isSettled(askedAt: string | undefined): boolean {
    return askedAt === undefined ||
      this.#deps.now().getTime() - new Date(askedAt).getTime() >= SETTLED_MS;
  }

  async #search(): Promise<string[]> {
    const { twilio } = this.#deps;
    const { country, area_code } = this.#request;
    let found: { phone_number: string }[] = [];
    try {
      found = await twilio.numbersForSale(country, {
        ...(area_code !== undefined && { areaCode: area_code }),
        limit: CANDIDATES,
      });
    } catch (error) {
      if (!(error instanceof TwilioError) || error.code !== NO_NUMBER_IN_AREA) throw error;
    }
    if (found.length > 0) return found.map(({ phone_number }) => phone_number);
    const alternatives = await this.#alternatives();
    const where = area_code === undefined ? country : `area code ${area_code} of ${country}`;
    throw new OnboardingFailure(
      422,
      "no_numbers",
      `Twilio has no local number for voice in ${where}.${
        alternatives.length === 0
          ? " Try again later."
          : ` Area codes that have some: ${
            alternatives.map((alternative) => alternative.area_code).join(", ")
          }.`
      }`,
      { alternatives },
    );
  }

  /** Area codes with numbers: near the one asked for, or else anywhere in the country. */
  async #alternatives(): Promise<Alternative[]> {
    const { twilio } = this.#deps;
    const { country, area_code } = this.#request;
    const searches = [
      ...(area_code === undefined ? [] : [{ near: `+1${area_code}5550100`, limit: 50 }]),
      { limit: 50 },
    ];
    for (const where of searches) {
      // deno-lint-ignore no-await-in-loop -- The second only where the first finds nothing.
      const found = await twilio.numbersForSale(country, where).catch((error) => {
        if (error instanceof TwilioError && error.kind !== "unknown") return [];
        throw error;
      });
      const byArea = new Map(found.map(({ phone_number, locality, region }) => {
        const code = phone_number.slice(2, 5);
        return [code, { area_code: code, locality: locality ?? null, region: region ?? null }];
      }));
      byArea.delete(area_code ?? "");
      if (byArea.size > 0) return [...byArea.values()].slice(0, 5);
    }
    return [];
  }

  async #ensureSubaccount(): Promise<string> {
    const { twilio } = this.#deps;
    const name = subaccountName(this.#work.org_id);
    const before = this.#find("subaccount");
    if (before?.subaccount_sid !== undefined) return before.subaccount_sid;
    const known = this.#work.subaccount_sid;
    if (known !== null) {
      assertActive((await twilio.account(known))?.status);
      return await this.#adopt({ undo: null, subaccount_sid: known });
    }
    const [existing] = await twilio.subaccounts(name);
    if (existing !== undefined) {
      // An account that existed before is not closed.
      return await this.#adopt({
        undo: before?.undo ?? null,
        subaccount_sid: existing,
        sealed_token: await this.#sealedTokenOf(existing),
      });
    }
    // Any account of this name will do.
    if (before !== undefined) this.#assertSettled(before);
    const asked_at = this.#deps.now().toISOString();
    const undo = "close_subaccount";
    const intended: Step<"subaccount"> = { step: "subaccount", state: "intended", undo };
    await this.#write({ ...intended, asked_at });
    try {
      const { sid, token } = await twilio.createSubaccount(name);
      const sealed_token = await this.#deps.seal.close(token, sid);
      return await this.#adopt({ undo, subaccount_sid: sid, sealed_token });
    } catch (error) {
      if (!isUnknown(error)) {
        this.#steps = this.#with(intended);
        throw error;
      }
      const [sid] = await twilio.subaccounts(name);
      if (sid === undefined) throw error;
      const sealed_token = await this.#sealedTokenOf(sid);
      return await this.#adopt({ undo, subaccount_sid: sid, sealed_token });
    }
  }

  async #adopt(
    account: Pick<Step<"subaccount">, "undo" | "sealed_token"> & { subaccount_sid: string },
  ): Promise<string> {
    await this.#write({ step: "subaccount", state: "done", ...account });
    return account.subaccount_sid;
  }

  /** The token of an account that existed before, or whose opening was not answered. */
  async #sealedTokenOf(sid: string): Promise<string> {
    const token = (await this.#deps.twilio.account(sid))?.token;
    if (token !== undefined) return await this.#deps.seal.close(token, sid);
    throw new OnboardingFailure(
      502,
      "token_unknown",
      "Twilio tells a sub-account's token when it opens one, and that answer was lost: close the sub-account in Twilio's console, unless it was closed by itself, and try again.",
    );
  }

  async #ensureNumber(account: string, candidates: readonly string[]) {
    const before = this.#find("number");
    if (before?.number_sid !== undefined) {
      return { sid: before.number_sid, phone_number: before.number };
    }
    // The intended number comes first, because it may have been bought.
    const queue = before === undefined ? [...candidates] : [before.number];
    for (let tried = 0; tried <= CANDIDATES; tried++) {
      // deno-lint-ignore no-await-in-loop -- One number at a time: it is a purchase.
      if (queue.length === 0) queue.push(...await this.#search());
      const number = queue.shift()!;
      // deno-lint-ignore no-await-in-loop
      const bought = await this.#buy(
        account,
        number,
        number === before?.number ? before : undefined,
      );
      if (bought !== undefined) {
        // deno-lint-ignore no-await-in-loop
        await this.#write({
          step: "number",
          state: "done",
          undo: "release_number",
          number,
          number_sid: bought.sid,
        });
        return bought;
      }
    }
    throw new OnboardingFailure(
      503,
      "numbers_taken",
      "Each number that was for sale was sold to somebody else meanwhile: try again.",
      { retryAfter: 10 },
    );
  }

  /**
   * Buys one number; `undefined` when it was sold to another customer. A purchase without an answer is repeated once: Twilio
   * sells a number only once, so the answer to the second attempt shows the result of the first.
   *
   * @param before An earlier process may have bought it.
   */
  async #buy(
    account: string,
    number: string,
    before: Step<"number"> | undefined,
  ): Promise<OwnedNumber | undefined> {
    const { twilio, now } = this.#deps;
    const owned = async () => (await twilio.owned(account, number))[0];
    const there = before && await owned();
    if (there !== undefined) return there;
    let inDoubt = before !== undefined && !this.#isSettled(before.asked_at);
    const intended: Step<"number"> = {
      step: "number",
      state: "intended",
      undo: "release_number",
      number,
    };
    if (!inDoubt) await this.#write({ ...intended, asked_at: now().toISOString() });
    for (let attempt = 1;; attempt++) {
      try {
        // deno-lint-ignore no-await-in-loop -- The second only where the first had no answer.
        return await twilio.buyNumber(account, number);
      } catch (error) {
        const sold = error instanceof TwilioError && error.code === NOT_AVAILABLE;
        if (!sold && !isUnknown(error)) {
          if (!inDoubt) this.#steps = this.#with(intended);
          throw error;
        }
        if (sold && !inDoubt) return undefined;
        // deno-lint-ignore no-await-in-loop
        const bought = await owned();
        if (bought !== undefined) return bought;
        // Sold, probably to us: buying another number could make two.
        if (sold) throw new TwilioError("unknown", "Twilio does not list yet what it sold");
        if (attempt === 2) throw error;
        inDoubt = true;
      }
    }
  }

  #find<Name extends OnboardingStep["step"]>(name: Name): Step<Name> | undefined {
    return this.#steps.find((step): step is Step<Name> => step.step === name);
  }

  #with(step: OnboardingStep): readonly OnboardingStep[] {
    return this.#find(step.step) === undefined
      ? [...this.#steps, step]
      : this.#steps.map((each) => each.step === step.step ? step : each);
  }

  /** Writes a step, replacing its earlier state. */
  async #write(step: OnboardingStep): Promise<void> {
    await this.#save(this.#with(step));
  }

  async #save(steps: readonly OnboardingStep[]): Promise<void> {
    await this.#deps.database.save(this.#work, steps);
    this.#steps = steps;
  }
}

/** Whether Twilio may have carried out the request despite the error. */
function isUnknown(error: unknown): boolean {
  return error instanceof TwilioError && error.kind === "unknown";
}

/** The token is stored when the onboarding completes; until then its steps carry it, encrypted. */
function withoutToken(steps: readonly OnboardingStep[]): OnboardingStep[] {
  return steps.map((step) => {
    if (step.step !== "subaccount") return step;
    const { sealed_token: _, ...others } = step;
    return others;
  });
}

const STILL_THERE =
  " What was done of it is not undone yet, and is tried again by itself every few minutes: ";
