import type { Settings } from "../settings.ts";

/** Whether an account is the main one, as far as its name tells: then there is nothing to look up. */
export function isMainAccount(
  { twilioAccountSid }: Pick<Settings, "twilioAccountSid">,
  accountSid: string | undefined,
): boolean {
  return accountSid === undefined || twilioAccountSid === undefined ||
    accountSid === twilioAccountSid;
}
