// The limits and protection of an account at Twilio, found by requests that change nothing.

import { pooledMap } from "@std/async/pool.js";
import * as z from "zod/mini";
import {
  type TwilioAccess,
  type TwilioClient,
  twilioClient,
} from "../../supabase/functions/_shared/twilio/client.ts";
import { provisioning } from "../../supabase/functions/_shared/twilio/provisioning.ts";

/** Findings about an account, or why there are none. */
export type TwilioAnswer = { readonly unreachable: string } | {
  /** Twilio's word: `Trial` or `Full`. */
  readonly type: string;
  /** Whether a customer profile is approved; undefined: unknown. */
  readonly approvedProfile: boolean | undefined;
  /** The accounts with a recording to test: whether it plays without credentials. */
  readonly recordings: readonly { readonly accountSid: string; readonly open: boolean }[];
};

const DEADLINE_MS = 15_000;
const AT_ONCE = 4;

const resource = z.object({ sid: z.string() });

/** Examines the main account and its active sub-accounts. Never rejects. */
export async function askTwilio(access: TwilioAccess): Promise<TwilioAnswer> {
  const { accountSid } = access;
  const client = twilioClient({ ...access, deadlineMs: DEADLINE_MS, attempts: 1 });
  const twilio = provisioning(client, accountSid);
  try {
    const main = await twilio.account(accountSid);
    const { sids } = await twilio.activeSubaccounts();
    const recordings: { accountSid: string; open: boolean }[] = [];
    for await (
      const found of pooledMap(
        AT_ONCE,
        new Set([accountSid, ...sids]),
        (sid: string) => tryRecording(client, sid),
      )
    ) {
      if (found !== undefined) recordings.push(found);
    }
    return { type: String(main?.type), approvedProfile: await twilio.hasProfile(), recordings };
  } catch (error) {
    return { unreachable: (error as Error).message };
  }
}

/**
 * Whether a recording plays without credentials, which means that "Enforce HTTP Auth on Media URLs" is off.
 * Source: https://www.twilio.com/docs/voice/api/recording
 */
async function tryRecording(client: TwilioClient, accountSid: string) {
  const path = `/Accounts/${accountSid}/Recordings`;
  const [newest] = await client.list(path, "recordings", resource, { PageSize: "1" });
  if (newest === undefined) return undefined;
  const response = await fetch(`${client.url(`${path}/${newest.sid}`)}.wav`, {
    redirect: "manual",
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  await response.body?.cancel();
  // A redirect leads to the audio.
  return { accountSid, open: response.status < 400 };
}
