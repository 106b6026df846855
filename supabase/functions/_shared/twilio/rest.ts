import * as z from "zod/mini";
import { CALL_STATUSES } from "../calls/webhook_form.ts";

/** Twilio asked us to slow down (429, error 20429): nothing was done, and nothing more should be asked for now. */
export class TwilioBusyError extends Error {
  override name = "TwilioBusyError";
}

/** Twilio did not answer a question; the message holds no address, number or key. */
export class TwilioError extends Error {
  override name = "TwilioError";
}

const number = z.nullish(
  z.pipe(z.union([z.string(), z.number()]), z.transform((value) => Number(value))),
);

const call = z.object({
  sid: z.string(),
  parent_call_sid: z.nullish(z.string()),
  status: z.enum(CALL_STATUSES),
  direction: z.nullish(z.string()),
  from: z.nullish(z.string()),
  to: z.nullish(z.string()),
  /** RFC 2822. */
  start_time: z.nullish(z.string()),
  end_time: z.nullish(z.string()),
  /** Seconds. */
  duration: number,
});
export type TwilioCall = z.infer<typeof call>;

const recording = z.object({
  sid: z.string(),
  status: z.string(),
  source: z.string(),
  duration: number,
  date_created: z.nullish(z.string()),
});
export type TwilioRecording = z.infer<typeof recording>;

const transcription = z.object({
  sid: z.string(),
  status: z.string(),
  transcription_text: z.nullish(z.string()),
});
export type TwilioTranscription = z.infer<typeof transcription>;

/** One request that Twilio made of us for a call, and what we answered. */
const exchange = z.object({
  request: z.nullish(z.object({ url: z.nullish(z.string()) })),
  response: z.nullish(z.object({ response_body: z.nullish(z.string()) })),
});
export type TwilioExchange = z.infer<typeof exchange>;

/** What we ask Twilio's REST API; each request rejects with `TwilioBusyError` or `TwilioError`. */
export interface TwilioRest {
  /** The same questions about a sub-account, by its parent's credentials. */
  ofAccount(accountSid: string): TwilioRest;
  /** `null`: Twilio knows no such call. */
  call(sid: string): Promise<TwilioCall | null>;
  /** Legs that the call dialled. */
  childCalls(parentSid: string): Promise<TwilioCall[]>;
  /** The account's newest calls, at most `limit` (1 to 1000), newest first. */
  recentCalls(limit: number): Promise<TwilioCall[]>;
  recordings(callSid: string): Promise<TwilioRecording[]>;
  transcriptions(recordingSid: string): Promise<TwilioTranscription[]>;
  /** The requests that Twilio made of us for a call; there from 15 minutes after its end on, for 30 days. */
  exchanges(callSid: string): Promise<TwilioExchange[]>;
  /** With its transcriptions. One that is gone already is deleted. */
  deleteRecording(recordingSid: string): Promise<void>;
  /** The record of a call that is over: its numbers, times and price. */
  deleteCall(callSid: string): Promise<void>;
  /** Where a recording's media is; fetching it may need the account's credentials. */
  recordingUrl(recordingSid: string): string;
}

/**
 * Speaks Twilio's REST API (version 2010-04-01) by `fetch`: the `twilio` package whole is larger than a
 * function may be. Source: https://www.twilio.com/docs/voice/api/call-resource
 *
 * @param baseUrl Without a trailing slash; `https://api.twilio.com`.
 * @param deadlineMs For each question by itself.
 */
export function twilioRest(
  baseUrl: string,
  accountSid: string,
  authToken: string,
  deadlineMs = 5000,
): TwilioRest {
  const authorization = `Basic ${btoa(`${accountSid}:${authToken}`)}`;
  return restOf(`${baseUrl}/2010-04-01/Accounts`, accountSid, authorization, deadlineMs);
}

function restOf(
  accounts: string,
  accountSid: string,
  authorization: string,
  deadlineMs: number,
): TwilioRest {
  const account = `${accounts}/${accountSid}`;
  /** @returns `null`: Twilio has no such thing. */
  const ask = async (
    method: "GET" | "DELETE",
    path: string,
    query: Record<string, string> = {},
  ): Promise<unknown> => {
    const search = new URLSearchParams(query);
    let response: Response;
    try {
      response = await fetch(`${account}${path}.json?${search}`, {
        method,
        headers: { authorization, accept: "application/json" },
        signal: AbortSignal.timeout(deadlineMs),
      });
    } catch (error) {
      throw new TwilioError(
        `Twilio did not answer: ${error instanceof Error ? error.name : "unknown"}`,
      );
    }
    if (response.ok && method === "GET") return await response.json();
    await response.body?.cancel();
    if (response.ok || response.status === 404) return null;
    if (response.status === 429) throw new TwilioBusyError("Twilio answered 429");
    throw new TwilioError(`Twilio answered ${response.status}`);
  };
  const list = async <T>(
    path: string,
    member: string,
    schema: { parse(value: unknown): T },
    query?: Record<string, string>,
  ) => {
    const page = await ask("GET", path, query) as Record<string, unknown> | null;
    if (page === null) return [];
    const items = page[member];
    if (!Array.isArray(items)) throw new TwilioError("Twilio answered something else than a list");
    return items.map((item) => understood(schema, item));
  };

  return {
    ofAccount: (sid) => restOf(accounts, sid, authorization, deadlineMs),
    async call(sid) {
      const found = await ask("GET", `/Calls/${sid}`);
      return found === null ? null : understood(call, found);
    },
    childCalls: (parentSid) => list("/Calls", "calls", call, { ParentCallSid: parentSid }),
    recentCalls: (limit) => list("/Calls", "calls", call, { PageSize: String(limit) }),
    recordings: (callSid) => list(`/Calls/${callSid}/Recordings`, "recordings", recording),
    transcriptions: (recordingSid) =>
      list(`/Recordings/${recordingSid}/Transcriptions`, "transcriptions", transcription),
    exchanges: (callSid) =>
      list(`/Calls/${callSid}/Events`, "events", exchange, { PageSize: "1000" }),
    async deleteRecording(recordingSid) {
      await ask("DELETE", `/Recordings/${recordingSid}`);
    },
    async deleteCall(callSid) {
      await ask("DELETE", `/Calls/${callSid}`);
    },
    recordingUrl: (recordingSid) => `${account}/Recordings/${recordingSid}`,
  };
}

function understood<T>(schema: { parse(value: unknown): T }, value: unknown): T {
  try {
    return schema.parse(value);
  } catch {
    throw new TwilioError("Twilio answered something else than documented");
  }
}
