import * as z from "zod/mini";
import { CALL_STATUSES } from "../calls/webhook_form.ts";
import {
  type Params,
  type TwilioClient,
  twilioClient,
  TwilioError,
  understood,
  understoodList,
} from "./client.ts";

export { TwilioError };

/** Twilio asked us to slow down (429, error 20429): nothing was done, and nothing more should be asked for now. */
export class TwilioBusyError extends Error {
  override name = "TwilioBusyError";
}

/** Twilio does not delete the record of a call yet (error 20009): it may take 14 days until it does. */
export class TwilioNotYetError extends Error {
  override name = "TwilioNotYetError";
}

const NOT_COMPLETE = 20009;

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

/** Twilio's paging: https://www.twilio.com/docs/usage/twilios-response#pagination */
const callList = z.object({ next_page_uri: z.nullish(z.string()) });

/** One page of a list of calls. */
export interface CallPage {
  readonly calls: readonly TwilioCall[];
  /** The query of the page after it; `undefined`: there is none. */
  readonly next: string | undefined;
}

/** What we ask Twilio's REST API; each request rejects with `TwilioBusyError` or `TwilioError`. */
export interface TwilioRest {
  /** The same questions about a sub-account, by its parent's credentials. */
  ofAccount(accountSid: string): TwilioRest;
  /** `null`: Twilio knows no such call. */
  call(sid: string): Promise<TwilioCall | null>;
  /** Legs that the call dialled. */
  childCalls(parentSid: string): Promise<TwilioCall[]>;
  /**
   * The account's newest calls, `limit` (1 to 1000) a page, newest first.
   *
   * @param next The page after one: its `next`.
   */
  recentCalls(limit: number, next?: string): Promise<CallPage>;
  recordings(callSid: string): Promise<TwilioRecording[]>;
  transcriptions(recordingSid: string): Promise<TwilioTranscription[]>;
  /** The requests that Twilio made of us for a call; there from 15 minutes after its end on, for 30 days. */
  exchanges(callSid: string): Promise<TwilioExchange[]>;
  /** With its transcriptions. One that is gone already is deleted. */
  deleteRecording(recordingSid: string): Promise<void>;
  /** The record of a call that is over: its numbers, times and price. @throws {TwilioNotYetError} */
  deleteCall(callSid: string): Promise<void>;
  /** Where a recording's media is; fetching it may need the account's credentials. */
  recordingUrl(recordingSid: string): string;
}

/**
 * Asks by the account's credentials. Source: https://www.twilio.com/docs/voice/api/call-resource
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
  return restOf(twilioClient({ baseUrl, accountSid, authToken, deadlineMs }), accountSid);
}

function restOf(client: TwilioClient, accountSid: string): TwilioRest {
  const account = `/Accounts/${accountSid}`;
  /** @returns `null`: Twilio has no such thing. */
  const ask = async (method: "GET" | "DELETE", path: string, query?: Params): Promise<unknown> => {
    const { status, body } = await client.send(method, `${account}${path}`, query);
    if (status < 300) return method === "GET" ? body : null;
    if (status === 404) return null;
    if (status === 429) throw new TwilioBusyError("Twilio answered 429");
    if ((body as { code?: unknown } | undefined)?.code === NOT_COMPLETE) {
      throw new TwilioNotYetError("Twilio answered 20009");
    }
    throw new TwilioError(`Twilio answered ${status}`);
  };
  const list = async <T>(
    path: string,
    name: string,
    schema: { parse(value: unknown): T },
    query?: Params,
  ) => {
    const page = await ask("GET", path, query);
    return page === null ? [] : understoodList(schema, page, name);
  };

  return {
    ofAccount: (sid) => restOf(client, sid),
    async call(sid) {
      const found = await ask("GET", `/Calls/${sid}`);
      return found === null ? null : understood(call, found);
    },
    childCalls: (parentSid) => list("/Calls", "calls", call, { ParentCallSid: parentSid }),
    async recentCalls(limit, next) {
      const query = next === undefined
        ? { PageSize: String(limit) }
        : Object.fromEntries(new URLSearchParams(next));
      const page = await ask("GET", "/Calls", query);
      const { next_page_uri } = understood(callList, page);
      return {
        calls: understoodList(call, page, "calls"),
        next: next_page_uri?.split("?")[1],
      };
    },
    recordings: (callSid) => list(`/Calls/${callSid}/Recordings`, "recordings", recording),
    transcriptions: (recordingSid) =>
      list(`/Recordings/${recordingSid}/Transcriptions`, "transcriptions", transcription),
    exchanges: (callSid) =>
      list(`/Calls/${callSid}/Events`, "events", exchange, { PageSize: "1000" }),
    async deleteRecording(recordingSid) {
      // They outlive their recording, and are found by it.
      const transcriptions = await list(
        `/Recordings/${recordingSid}/Transcriptions`,
        "transcriptions",
        transcription,
      );
      for (const { sid } of transcriptions) {
        // deno-lint-ignore no-await-in-loop -- One, as a rule.
        await ask("DELETE", `/Transcriptions/${sid}`);
      }
      await ask("DELETE", `/Recordings/${recordingSid}`);
    },
    async deleteCall(callSid) {
      await ask("DELETE", `/Calls/${callSid}`);
    },
    recordingUrl: (recordingSid) => client.url(`${account}/Recordings/${recordingSid}`),
  };
}
