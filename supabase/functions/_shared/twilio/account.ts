import type { Settings } from "../settings.ts";
import type { TwilioAccess } from "./client.ts";

/** Whether an account is the main one by its SID, so that no look-up is needed. */
export function isMainAccount(
  { twilioAccountSid }: Pick<Settings, "twilioAccountSid">,
  accountSid: string | undefined,
): boolean {
  return accountSid === undefined || twilioAccountSid === undefined ||
    accountSid === twilioAccountSid;
}

/** The main account; `undefined` without `TWILIO_ACCOUNT_SID`. */
export function accessOf(
  { twilioApiUrl, twilioAccountSid, twilioAuthToken }: Settings,
): TwilioAccess | undefined {
  return twilioAccountSid === undefined
    ? undefined
    : { baseUrl: twilioApiUrl, accountSid: twilioAccountSid, authToken: twilioAuthToken };
}
