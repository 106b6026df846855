// What an account at Twilio lets a line do: looked at by questions that change nothing.

import { pooledMap } from "@std/async/pool.js";
import type { TwilioAccess } from "../command.ts";

/** What was found out of an account, or why nothing was. */
export type TwilioAnswer = { readonly unreachable: string } | {
  /** Twilio's word: `Trial` or `Full`. */
  readonly type: string;
  /** Whether a customer profile is approved; undefined: it cannot be known. */
  readonly approvedProfile: boolean | undefined;
  /** The accounts that have a recording to try with; of each whether it is played without credentials. */
  readonly recordings: readonly { readonly accountSid: string; readonly open: boolean }[];
};

const DEADLINE_MS = 15_000;
const AT_ONCE = 4;

/** Asks of the main account and its active sub-accounts. Never rejects. */
export async function askTwilio(access: TwilioAccess): Promise<TwilioAnswer> {
  const { apiUrl, accountSid } = access;
  const root = `${apiUrl}/2010-04-01/Accounts`;
  try {
    const { type } = await get(access, `${root}/${accountSid}.json`);
    const { accounts = [] } = await get(access, `${root}.json?Status=active&PageSize=1000`);
    const sids = new Set<string>([accountSid, ...accounts.map(({ sid }: { sid: string }) => sid)]);
    const recordings: { accountSid: string; open: boolean }[] = [];
    for await (
      const found of pooledMap(AT_ONCE, sids, (sid: string) => tryRecording(access, root, sid))
    ) {
      if (found !== undefined) recordings.push(found);
    }
    return { type: String(type), approvedProfile: await hasProfile(access), recordings };
  } catch (error) {
    return { unreachable: (error as Error).message };
  }
}

/**
 * Whether a recording is played to anybody: "Enforce HTTP Auth on Media URLs" is off, then.
 * Source: https://www.twilio.com/docs/voice/api/recording
 */
async function tryRecording(access: TwilioAccess, root: string, accountSid: string) {
  const page = await get(access, `${root}/${accountSid}/Recordings.json?PageSize=1`);
  const sid: unknown = page["recordings"]?.[0]?.sid;
  if (typeof sid !== "string") return undefined;
  const response = await fetch(`${root}/${accountSid}/Recordings/${sid}.wav`, {
    redirect: "manual",
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  await response.body?.cancel();
  // A redirect leads to the audio.
  return { accountSid, open: response.status < 400 };
}

/**
 * Whether a customer profile is approved; undefined: it cannot be known.
 * Source: https://www.twilio.com/docs/trust-hub/trusthub-rest-api
 */
export async function hasProfile(access: TwilioAccess): Promise<boolean | undefined> {
  const url = access.apiUrl.replace("//api.twilio.com", "//trusthub.twilio.com");
  const page = await get(access, `${url}/v1/CustomerProfiles?Status=twilio-approved&PageSize=1`)
    .catch(() => undefined);
  const results: unknown = page?.["results"];
  return Array.isArray(results) ? results.length > 0 : undefined;
}

async function get(
  { accountSid, authToken }: TwilioAccess,
  url: string,
  // deno-lint-ignore no-explicit-any -- Twilio's JSON; what is read of it is checked where it is.
): Promise<Record<string, any>> {
  const response = await fetch(url, {
    headers: { authorization: `Basic ${btoa(`${accountSid}:${authToken}`)}` },
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  if (response.ok) return await response.json();
  await response.body?.cancel();
  throw new Error(`Twilio answered ${response.status}`);
}
