// What Twilio keeps of a call, and its deletion there. Source: https://www.twilio.com/docs/voice/api/recording

/** Twilio did not do what it was asked for; the message holds no number and no key. */
export class TwilioDeletionError extends Error {
  override name = "TwilioDeletionError";
}

/** A sub-account's SID; `undefined`: the main account. */
export type Account = string | undefined;

export interface TwilioDeletion {
  /** The recordings of a call. */
  recordings(account: Account, callSid: string): Promise<string[]>;
  /** A recording with its transcriptions; one that is gone already is deleted. */
  deleteRecording(account: Account, recordingSid: string): Promise<void>;
  /** The record of a call that is over: its numbers, times and price. */
  deleteCall(account: Account, callSid: string): Promise<void>;
}

/** Speaks Twilio's REST API by the main account's credentials, which reach its sub-accounts too. */
export function twilioDeletion(
  baseUrl: string,
  mainAccount: string,
  authToken: string,
  deadlineMs = 15_000,
): TwilioDeletion {
  const authorization = `Basic ${btoa(`${mainAccount}:${authToken}`)}`;
  const ask = async (
    method: string,
    account: Account = mainAccount,
    path: string,
  ): Promise<unknown> => {
    let response: Response;
    try {
      response = await fetch(`${baseUrl}/2010-04-01/Accounts/${account}/${path}.json`, {
        method,
        headers: { authorization, accept: "application/json" },
        signal: AbortSignal.timeout(deadlineMs),
      });
    } catch (error) {
      throw new TwilioDeletionError(`Twilio did not answer: ${(error as Error).name}`);
    }
    const text = await response.text();
    // Gone already.
    if (response.status === 404) return undefined;
    if (!response.ok) throw new TwilioDeletionError(`Twilio answered ${response.status}`);
    return text === "" ? undefined : JSON.parse(text);
  };
  return {
    async recordings(account, callSid) {
      const page = await ask("GET", account, `Calls/${callSid}/Recordings`) as
        | { recordings?: { sid: string }[] }
        | undefined;
      return (page?.recordings ?? []).map(({ sid }) => sid);
    },
    async deleteRecording(account, recordingSid) {
      await ask("DELETE", account, `Recordings/${recordingSid}`);
    },
    async deleteCall(account, callSid) {
      await ask("DELETE", account, `Calls/${callSid}`);
    },
  };
}
