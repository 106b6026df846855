import type { OnboardingResult } from "../db/onboarding.ts";
import type { Provisioning } from "../twilio/provisioning.ts";
import { OnboardingFailure } from "./failure.ts";

// An organisation's account may have been suspended or closed, and its number released, in Twilio's console.
const RELEASE = "release the organisation (task onboard --release), then onboard it again.";

/** @throws {OnboardingFailure} when the account takes no calls. @param status At Twilio; `undefined`: not an account of ours. */
export function assertActive(status: string | undefined): void {
  if (status === "active") return;
  throw status === "suspended"
    ? new OnboardingFailure(
      409,
      "subaccount_suspended",
      `The organisation's sub-account is suspended at Twilio: make it active again in Twilio's console, or ${RELEASE}`,
    )
    : new OnboardingFailure(
      409,
      "subaccount_closed",
      `The organisation's sub-account is closed at Twilio, and its numbers are gone: ${RELEASE}`,
    );
}

/** @throws {OnboardingFailure} when the account or number is no longer the organisation's. */
export async function assertStanding(twilio: Provisioning, got: OnboardingResult): Promise<void> {
  assertActive((await twilio.account(got.subaccount_sid))?.status);
  if ((await twilio.owned(got.subaccount_sid, got.phone_number)).length === 0) {
    throw new OnboardingFailure(
      409,
      "number_released",
      `The number that the organisation got is no longer its own at Twilio: ${RELEASE}`,
    );
  }
}
