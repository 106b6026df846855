import type {
  OnboardingResult,
  Onboardings,
  OnboardingStep,
  OnboardingWork,
} from "../db/onboarding.ts";
import type { Log } from "../log.ts";
import { OVERRIDES } from "../twilio/callback_url.ts";
import {
  type NumberBinding,
  type Provisioning,
  TwilioRefusal,
  TwilioSilence,
} from "../twilio/provisioning.ts";
import { type Alternative, failureOf, OnboardingFailure } from "./failure.ts";
import type { Seal } from "./seal.ts";

// An organisation gets a sub-account and a number, or nothing that costs money:
//
//   search -> subaccount -> number -> bind -> store          a failure: undone in reverse
//
// Before anything is done at Twilio the database knows that it is about to be done, and how it is undone. So
// whoever finds an onboarding that its process left behind asks Twilio whether the last step happened, and
// goes on from there.

export interface SagaDeps {
  readonly database: Onboardings;
  readonly twilio: Provisioning;
  readonly seal: Seal;
  /** The public base that Twilio calls, without a trailing slash. */
  readonly functionsUrl: string;
  readonly log: Log;
}

export type SagaOutcome =
  | { readonly kind: "completed"; readonly result: OnboardingResult }
  | { readonly kind: "rolled_back"; readonly failure: OnboardingFailure }
  /** Something is left that could not be undone yet. */
  | { readonly kind: "failed"; readonly failure: OnboardingFailure };

/** Taken over more often than this, an onboarding is undone rather than tried again. */
const MOST_ATTEMPTS = 3;
/** Numbers that are tried when others buy them first. */
const CANDIDATES = 5;
const NOT_AVAILABLE = 21422;
const NO_NUMBER_IN_AREA = 21452;

/**
 * Carries an onboarding to its end, from wherever it stands. Rejects with `LeaseLost` or
 * `DatabaseUnavailable` when it cannot write down what it does: then it stops where it is, and the next
 * run of voice-reconcile goes on.
 */
export async function runOnboarding(work: OnboardingWork, deps: SagaDeps): Promise<SagaOutcome> {
  const saga = new Saga(work, deps);
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
    // Throws on what is no failure of the onboarding: then its steps stay as they are.
    return await saga.undo(failureOf(error));
  }
}

/** The name that a sub-account is found again by. */
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
  /** A purchase of ours had no answer: it may still come about. */
  #unsettled = false;

  constructor(work: OnboardingWork, deps: SagaDeps) {
    this.#work = work;
    this.#deps = deps;
    this.#steps = work.steps;
  }

  async forward(): Promise<OnboardingResult> {
    const { twilio, functionsUrl, database, seal } = this.#deps;
    const { request, vault } = this.#work;
    // Before anything is made: where none is for sale there is nothing to undo.
    const candidates = this.#find("number") === undefined ? await this.#search() : [];
    const account = await this.#ensureSubaccount();
    const number = await this.#ensureNumber(account, candidates);

    const binding = bindingOf(functionsUrl);
    await this.#write({ step: "bind", state: "intended", undo: null });
    await twilio.bindNumber(account, number.sid, binding);
    await this.#write({ step: "bind", state: "done", undo: null });

    const token = await twilio.authToken(account);
    if (token === undefined) throw new TwilioRefusal(404, 20404);
    const result: OnboardingResult = {
      subaccount_sid: account,
      phone_number: number.phone_number,
      voice_url: binding.voiceUrl,
      status_callback: binding.statusCallback,
    };
    await database.complete(
      this.#work,
      this.#with({ step: "store", state: "done", undo: null }),
      {
        subaccount_sid: account,
        business_name: request.business_name,
        number: {
          e164_number: number.phone_number,
          number_sid: number.sid,
          country: request.country,
          profile: request.profile ?? {},
        },
        ...(vault ? { token } : { sealed_token: await seal.close(token, account) }),
        result,
      },
    );
    return result;
  }

  /** Takes back, last step first, whatever was done or may have been. */
  async undo(failure: OnboardingFailure): Promise<SagaOutcome> {
    const { database, log } = this.#deps;
    await database.save(this.#work, this.#steps, failure.message);
    // Undone in vain before, a failure's words still end in what was in the way then.
    const words = failure.message.split(STILL_THERE)[0]!;
    try {
      for (const step of this.#steps.toReversed()) {
        if (step.undo === null || step.state === "undone") continue;
        // deno-lint-ignore no-await-in-loop -- In reverse, one by one.
        await this.#undoStep(step);
        // deno-lint-ignore no-await-in-loop
        await this.#write({ ...step, state: "undone" });
      }
    } catch (error) {
      const reason = failureOf(error).message;
      await database.end(this.#work, "failed", this.#steps, `${words}${STILL_THERE}${reason}`);
      log("error", {
        function: "telephony-onboard",
        outcome: "undo_failed",
        transaction: this.#work.id,
        reason,
      });
      return { kind: "failed", failure };
    }
    await database.end(this.#work, "rolled_back", this.#steps, words);
    return { kind: "rolled_back", failure };
  }

  async #undoStep(step: OnboardingStep): Promise<void> {
    const { twilio } = this.#deps;
    if (step.undo === "close_subaccount") {
      const sids = step.subaccount_sid === undefined
        ? await twilio.subaccounts(subaccountName(this.#work.org_id))
        : [step.subaccount_sid];
      for (const sid of sids) {
        // deno-lint-ignore no-await-in-loop -- One, in all but the strangest of cases.
        await twilio.closeSubaccount(sid);
      }
    }
    if (step.undo === "release_number") {
      const account = this.#find("subaccount")?.subaccount_sid;
      if (account === undefined) return;
      const sids = step.number_sid === undefined
        ? (await twilio.owned(account, step.number)).map(({ sid }) => sid)
        : [step.number_sid];
      for (const sid of sids) {
        // deno-lint-ignore no-await-in-loop
        await twilio.releaseNumber(account, sid);
      }
      // An account that is closed next gives all of its numbers back. One that stays is looked at again later.
      if (sids.length === 0 && this.#unsettled && this.#find("subaccount")?.undo === null) {
        throw new TwilioSilence("Twilio may still carry out a purchase that it did not answer");
      }
    }
  }

  async #search(): Promise<string[]> {
    const { twilio } = this.#deps;
    const { country, area_code } = this.#work.request;
    let found: { phone_number: string }[] = [];
    try {
      found = await twilio.numbersForSale(country, {
        ...(area_code !== undefined && { areaCode: area_code }),
        limit: CANDIDATES,
      });
    } catch (error) {
      if (!(error instanceof TwilioRefusal) || error.code !== NO_NUMBER_IN_AREA) throw error;
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
    const { country, area_code } = this.#work.request;
    const searches = [
      ...(area_code === undefined ? [] : [{ near: `+1${area_code}5550100`, limit: 50 }]),
      { limit: 50 },
    ];
    for (const where of searches) {
      // deno-lint-ignore no-await-in-loop -- The second only where the first finds nothing.
      const found = await twilio.numbersForSale(country, where).catch((error) => {
        if (error instanceof TwilioRefusal) return [];
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
    const existing = async () => (await twilio.subaccounts(name))[0];

    if (before === undefined) {
      // One that was there before is not ours to close.
      const sid = this.#work.subaccount_sid ?? await existing();
      if (sid !== undefined) {
        await this.#write({ step: "subaccount", state: "done", undo: null, subaccount_sid: sid });
        return sid;
      }
      await this.#write({ step: "subaccount", state: "intended", undo: "close_subaccount" });
    }
    const sid = await madeOnce(() => twilio.createSubaccount(name), existing, before !== undefined);
    await this.#write({
      step: "subaccount",
      state: "done",
      undo: "close_subaccount",
      subaccount_sid: sid,
    });
    return sid;
  }

  async #ensureNumber(account: string, candidates: readonly string[]) {
    const { twilio } = this.#deps;
    const before = this.#find("number");
    if (before?.number_sid !== undefined) {
      return { sid: before.number_sid, phone_number: before.number };
    }
    // What was about to be bought comes first, as it may have been.
    const queue = before === undefined ? [...candidates] : [before.number];
    for (let tried = 0; tried <= CANDIDATES; tried++) {
      // deno-lint-ignore no-await-in-loop -- One number at a time: it is a purchase.
      if (queue.length === 0) queue.push(...await this.#search());
      const number = queue.shift()!;
      const intended: Step<"number"> = {
        step: "number",
        state: "intended",
        undo: "release_number",
        number,
      };
      // deno-lint-ignore no-await-in-loop
      if (number !== before?.number) await this.#write(intended);
      const existing = async () => (await twilio.owned(account, number))[0];
      // deno-lint-ignore no-await-in-loop
      const bought = await madeOnce(
        () => twilio.buyNumber(account, number),
        existing,
        number === before?.number,
      ).catch(async (error) => {
        this.#unsettled = error instanceof TwilioSilence;
        if (!(error instanceof TwilioRefusal) || error.code !== NOT_AVAILABLE) throw error;
        // Sold: to somebody else, or to us by the attempt that had no answer.
        return await existing();
      });
      if (bought !== undefined) {
        // deno-lint-ignore no-await-in-loop
        await this.#write({ ...intended, state: "done", number_sid: bought.sid });
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

  #find<Name extends OnboardingStep["step"]>(name: Name): Step<Name> | undefined {
    return this.#steps.find((step): step is Step<Name> => step.step === name);
  }

  #with(step: OnboardingStep): readonly OnboardingStep[] {
    return this.#find(step.step) === undefined
      ? [...this.#steps, step]
      : this.#steps.map((each) => each.step === step.step ? step : each);
  }

  /** Writes a step down, in place of what was known of it. */
  async #write(step: OnboardingStep): Promise<void> {
    const steps = this.#with(step);
    await this.#deps.database.save(this.#work, steps);
    this.#steps = steps;
  }
}

const STILL_THERE =
  " What was done of it is not undone yet, and is tried again by itself every few minutes: ";

/**
 * Makes something that must not be made twice: where an attempt has no answer, asks whether it is there
 * before it tries once more.
 *
 * @param askFirst An earlier process may have made it.
 */
async function madeOnce<T>(
  make: () => Promise<T>,
  existing: () => Promise<T | undefined>,
  askFirst: boolean,
): Promise<T> {
  const there = askFirst ? await existing() : undefined;
  if (there !== undefined) return there;
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof TwilioSilence)) throw error;
    return await existing() ?? await make();
  }
}
