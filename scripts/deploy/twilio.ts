import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import { bindingOf } from "../../supabase/functions/_shared/onboarding/saga.ts";
import type { Settings } from "../../supabase/functions/_shared/settings.ts";
import {
  type OwnedNumber,
  type Provisioning,
  provisioning,
  TwilioRefusal,
} from "../../supabase/functions/_shared/twilio/provisioning.ts";
import { settingsOf, type Target } from "./target.ts";

/** In E.164 form, as a telephone number that rings somewhere. */
export const NUMBER = /^\+[1-9]\d{6,14}$/;

/**
 * Whether Twilio's requests will be known as Twilio's, which signs with the account's primary token; and whether the
 * number that is to be bound is there.
 *
 * @throws {SettingError} with the setting that is wrong; `TwilioRefusal` or `TwilioSilence`.
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
  const twilio = mainAccount(settings, settings.twilioAccountSid);
  await assertSigns(twilio, settings, settings.twilioAccountSid);
  if (number === undefined) return "the account's token is right";
  await owned(twilio, settings.twilioAccountSid, number);
  return `the account's token is right, and ${number} is its number`;
}

async function assertSigns(
  twilio: Provisioning,
  { twilioAuthToken, previousTwilioAuthToken }: Settings,
  account: string,
): Promise<void> {
  let primary: string | undefined;
  try {
    primary = await twilio.authToken(account);
  } catch (error) {
    if (!(error instanceof TwilioRefusal) || error.status !== 401) throw error;
  }
  if (primary === undefined) {
    throw new SettingError(
      "TWILIO_AUTH_TOKEN",
      `is no token of account ${account}, by Twilio's word`,
    );
  }
  if (primary !== twilioAuthToken && primary !== previousTwilioAuthToken) {
    throw new SettingError(
      "TWILIO_AUTH_TOKEN",
      "is the account's secondary token, and Twilio signs with the primary one: set that as TWILIO_AUTH_TOKEN_PREVIOUS until this one is promoted",
    );
  }
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
  return provisioning({ baseUrl: twilioApiUrl, accountSid: account, authToken: twilioAuthToken });
}

function noAccount(number: string): SettingError {
  return new SettingError("TWILIO_ACCOUNT_SID", `must be set, for ${number} to be bound`);
}
