import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import { bindingOf } from "../../supabase/functions/_shared/onboarding/saga.ts";
import type { Settings } from "../../supabase/functions/_shared/settings.ts";
import {
  type OwnedNumber,
  type Provisioning,
  provisioning,
} from "../../supabase/functions/_shared/twilio/provisioning.ts";
import { twilioClient, TwilioError } from "../../supabase/functions/_shared/twilio/client.ts";
import { settingsOf, type Target } from "./target.ts";

/** E.164, of the length of real telephone numbers. */
export const NUMBER = /^\+[1-9]\d{6,14}$/;

/**
 * Checks that the account can serve callers, that the auth token is the primary one, which Twilio signs with, and that
 * the number to bind exists.
 *
 * @throws {SettingError} naming the wrong setting; `TwilioError`.
 */
export async function lookAtTwilio(target: Target): Promise<string> {
  const settings = settingsOf(target);
  const { number } = target;
  if (number !== undefined && !NUMBER.test(number)) {
    throw new SettingError(
      "TRADELINE_NUMBER",
      `must be in E.164 form such as +15877428885: "${number}"`,
    );
  }
  if (settings.twilioAccountSid === undefined) {
    if (number !== undefined) throw noAccount(number);
    return "not asked, as TWILIO_ACCOUNT_SID is not set: that TWILIO_AUTH_TOKEN is right shows only when a call comes";
  }
  const accountSid = settings.twilioAccountSid;
  const twilio = mainAccount(settings, accountSid);
  const found = [await lookAtAccount(twilio, settings, accountSid)];
  if (number !== undefined) {
    await owned(twilio, accountSid, number);
    found.push(`${number} is its number`);
  }
  // A warning only: accounts upgraded before February 2026 need none. Source: https://help.twilio.com/articles/223180028
  if (await twilio.hasProfile() === false) {
    found.push(
      "it has no approved customer profile: it may have 2 calls at once, in and out together, and one forwarded caller uses both",
    );
  }
  return found.join("; ");
}

/** @throws {SettingError} when the account cannot serve callers, or its webhooks would be refused. */
async function lookAtAccount(
  twilio: Provisioning,
  { twilioAuthToken, previousTwilioAuthToken }: Settings,
  sid: string,
): Promise<string> {
  const account = await twilio.account(sid).catch((error) => {
    if (!(error instanceof TwilioError) || error.status !== 401) throw error;
  });
  if (account === undefined) {
    throw new SettingError(
      "TWILIO_AUTH_TOKEN",
      `is no token of account ${sid}, by Twilio's word`,
    );
  }
  if (account.type === "Trial") {
    throw new SettingError(
      "TWILIO_ACCOUNT_SID",
      "is of a trial account, which takes calls of verified numbers only and ends after 30 days: upgrade it in Twilio's console",
    );
  }
  if (account.token === undefined) {
    return "the token opens the account; that it is the primary one, which signs, Twilio does not tell, and the first call shows";
  }
  if (account.token !== twilioAuthToken && account.token !== previousTwilioAuthToken) {
    throw new SettingError(
      "TWILIO_AUTH_TOKEN",
      "is the account's secondary token, and Twilio signs with the primary one: set that as TWILIO_AUTH_TOKEN_PREVIOUS until this one is promoted",
    );
  }
  return "the account's token is right";
}

/** Twilio's webhooks at the number; the same as an onboarded number's. */
export async function bindNumber(target: Target): Promise<string> {
  const { number } = target;
  if (number === undefined) return "Twilio's webhooks were left as they are";
  const settings = settingsOf(target);
  const account = settings.twilioAccountSid;
  if (account === undefined) throw noAccount(number);
  const twilio = mainAccount(settings, account);
  const { sid } = await owned(twilio, account, number);
  await twilio.bindNumber(account, sid, bindingOf(settings.publicFunctionsUrl));
  return `Twilio: ${number} rings here`;
}

async function owned(twilio: Provisioning, account: string, number: string): Promise<OwnedNumber> {
  const [found] = await twilio.owned(account, number);
  if (found === undefined) throw new Error(`Twilio's main account has no number ${number}`);
  return found;
}

function mainAccount({ twilioApiUrl, twilioAuthToken }: Settings, account: string): Provisioning {
  return provisioning(
    twilioClient({ baseUrl: twilioApiUrl, accountSid: account, authToken: twilioAuthToken }),
    account,
  );
}

function noAccount(number: string): SettingError {
  return new SettingError("TWILIO_ACCOUNT_SID", `must be set, for ${number} to be bound`);
}
