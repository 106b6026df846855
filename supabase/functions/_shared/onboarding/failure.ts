import { TwilioError } from "../twilio/client.ts";
import { NOT_BOUND } from "../twilio/provisioning.ts";

/** An area code that has numbers for sale, and where it is. */
export interface Alternative {
  readonly area_code: string;
  readonly locality: string | null;
  readonly region: string | null;
}

/** Why an onboarding failed, in words for its requester. Holds no number and no secret. */
export class OnboardingFailure extends Error {
  override name = "OnboardingFailure";

  constructor(
    readonly status: number,
    /** The machine-readable `error` of the answer. */
    readonly code: string,
    /** What happened and what to do. */
    message: string,
    readonly options: {
      readonly alternatives?: readonly Alternative[];
      /** Seconds after which the same request may succeed. */
      readonly retryAfter?: number;
    } = {},
  ) {
    super(message);
  }
}

/**
 * Twilio's errors that tell an operator what to do; the others are named by their number.
 * Source: https://www.twilio.com/docs/api/errors
 */
const KNOWN: Readonly<Record<string, readonly [status: number, code: string, message: string]>> = {
  20003: [
    502,
    "twilio_credentials",
    "Twilio refuses the credentials: TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN must be the main account's, as in Twilio's console.",
  ],
  10001: [502, "twilio_account_inactive", inactive()],
  20005: [502, "twilio_account_inactive", inactive()],
  20403: [502, "twilio_account_inactive", inactive()],
  10002: [
    502,
    "twilio_trial",
    "Twilio's trial accounts cannot do this: upgrade the account in Twilio's console.",
  ],
  21404: [
    502,
    "twilio_trial",
    "Twilio's trial accounts may have one number only: upgrade the account in Twilio's console.",
  ],
  21480: [
    502,
    "subaccount_limit",
    "The Twilio account has as many sub-accounts as it may have: ask Twilio's support for more, or close some.",
  ],
  21613: [422, "address_required", address()],
  21615: [422, "address_required", address()],
  21631: [422, "address_required", address()],
  21649: [422, "address_required", address()],
};

function inactive() {
  return "The Twilio account is not active: look at its balance and its status in Twilio's console.";
}

function address() {
  return "These numbers are sold with an address of the business only: add one in Twilio's console, or ask for another area code.";
}

/** Translates an error of Twilio's. */
export function failureOf(error: unknown): OnboardingFailure {
  if (error instanceof OnboardingFailure) return error;
  if (!(error instanceof TwilioError)) throw error;
  const { kind, status, code, message } = error;
  const known = KNOWN[status === 401 && code !== "20005" ? "20003" : code];
  if (known !== undefined) return new OnboardingFailure(...known);
  if (code === NOT_BOUND) {
    return new OnboardingFailure(
      502,
      "not_bound",
      `Twilio did not take the number's webhooks (${message}): look at the number in Twilio's console.`,
    );
  }
  switch (kind) {
    case "refused":
      return new OnboardingFailure(
        502,
        "twilio_refused",
        code === ""
          ? `Twilio refused with status ${status}.`
          : `Twilio refused with error ${code}: see https://www.twilio.com/docs/api/errors/${code}.`,
      );
    case "busy":
      return new OnboardingFailure(
        503,
        "twilio_busy",
        "Twilio asks for fewer requests: try again in a minute.",
        { retryAfter: 60 },
      );
    case "unknown":
      return new OnboardingFailure(
        503,
        "twilio_unavailable",
        "Twilio does not answer, or answers that it failed: try again in a minute.",
        { retryAfter: 60 },
      );
  }
}
