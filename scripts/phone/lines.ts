import { join } from "@std/path/join.js";

/** A line that an organisation was given at the stand-in for Twilio's REST API. */
export interface LocalLine {
  readonly number: string;
  /** The organisation's sub-account, whose token signs its webhooks. */
  readonly accountSid: string;
  readonly authToken: string;
}

/** The lines that are kept in a data directory; none where nothing was onboarded. */
export async function localLines(dataDir: string): Promise<LocalLine[]> {
  const text = await Deno.readTextFile(join(dataDir, "twilio.json")).catch(() => "{}");
  const { accounts = [], numbers = [] } = JSON.parse(text) as {
    accounts?: { sid: string; auth_token: string }[];
    numbers?: { phone_number: string; account_sid: string }[];
  };
  return numbers.flatMap(({ phone_number: number, account_sid: accountSid }) => {
    const account = accounts.find(({ sid }) => sid === accountSid);
    return account === undefined ? [] : [{ number, accountSid, authToken: account.auth_token }];
  });
}
