import * as z from "zod/mini";
import { CALL_STATUSES } from "../calls/webhook_form.ts";
import { ifThere, type Params, type TwilioClient } from "./client.ts";

const number = z.nullish(
  z.pipe(z.union([z.string(), z.number()]), z.transform((value) => Number(value))),
);

export const call = z.object({
  sid: z.string(),
  parent_call_sid: z.nullish(z.string()),
  status: z.enum(CALL_STATUSES),
  direction: z.nullish(z.string()),
  from: z.nullish(z.string()),
  to: z.nullish(z.string()),
  /** RFC 2822; `start_time` is absent while the call is queued. */
  date_created: z.nullish(z.string()),
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

/** One request of Twilio's for a call, and our answer. */
const exchange = z.object({
  request: z.nullish(z.object({ url: z.nullish(z.string()) })),
  response: z.nullish(z.object({ response_body: z.nullish(z.string()) })),
});
export type TwilioExchange = z.infer<typeof exchange>;

/** Twilio's paging: https://www.twilio.com/docs/usage/twilios-response#pagination */
const callPage = z.object({ calls: z.array(call), next_page_uri: z.nullish(z.string()) });

/** An entry of the debugger. */
const alert = z.object({ error_code: z.nullish(z.string()) });
/** A call rejected at the account's limit of concurrent calls: https://www.twilio.com/docs/api/errors/10004, .../86008 */
const TOO_MANY_CALLS: readonly unknown[] = ["10004", "86008"];

/** One page of a list of calls. */
export interface CallPage {
  readonly calls: readonly TwilioCall[];
  /** The query of the page after it; `undefined`: there is none. */
  readonly next: string | undefined;
}

/** Calls and recordings at Twilio, with the account's credentials. Each request rejects with `TwilioError` only. */
export interface TwilioRest {
  /** The same for a sub-account, with its parent's credentials. */
  ofAccount(accountSid: string): TwilioRest;
  /** `undefined`: Twilio knows no such call. */
  call(sid: string): Promise<TwilioCall | undefined>;
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
  /** Twilio's requests for a call, available from 15 minutes after its end, for 30 days. */
  exchanges(callSid: string): Promise<TwilioExchange[]>;
  /** With its transcriptions. One that is gone already is deleted. */
  deleteRecording(recordingSid: string): Promise<void>;
  /** The record of a call that is over: its numbers, times and price. Its error may have the code `NOT_COMPLETE`. */
  deleteCall(callSid: string): Promise<void>;
  /** The address of a recording's media; fetching it may need the account's credentials. */
  recordingUrl(recordingSid: string): string;
  /**
   * How many calls Twilio refused since `start` because the account had its maximum of simultaneous calls, among the newest
   * 1000 errors. Twilio sends no webhook for them, so its debugger is the only source.
   */
  refusedCalls(start: Date): Promise<number>;
}

/**
 * Source: https://www.twilio.com/docs/voice/api/call-resource, https://www.twilio.com/docs/usage/monitor-alert
 *
 * @param accountSid The account that is asked about: the client's, or one below it.
 */
export function twilioRest(client: TwilioClient, accountSid: string): TwilioRest {
  const account = `/Accounts/${accountSid}`;
  const list = async <T>(
    path: string,
    name: string,
    schema: { parse(value: unknown): T },
    params?: Params,
  ) => await ifThere(client.list(`${account}${path}`, name, schema, params)) ?? [];
  const transcriptionsOf = (recordingSid: string) =>
    list(`/Recordings/${recordingSid}/Transcriptions`, "transcriptions", transcription);

  return {
    ofAccount: (sid) => twilioRest(client, sid),
    call: (sid) => ifThere(client.get(`${account}/Calls/${sid}`, call)),
    childCalls: (parentSid) => list("/Calls", "calls", call, { ParentCallSid: parentSid }),
    async recentCalls(limit, next) {
      const query = next === undefined
        ? { PageSize: String(limit) }
        : Object.fromEntries(new URLSearchParams(next));
      const { calls, next_page_uri } = await client.get(`${account}/Calls`, callPage, query);
      return { calls, next: next_page_uri?.split("?")[1] };
    },
    recordings: (callSid) => list(`/Calls/${callSid}/Recordings`, "recordings", recording),
    transcriptions: transcriptionsOf,
    exchanges: (callSid) =>
      list(`/Calls/${callSid}/Events`, "events", exchange, { PageSize: "1000" }),
    async deleteRecording(recordingSid) {
      // They outlive their recording and are found through it.
      for (const { sid } of await transcriptionsOf(recordingSid)) {
        // deno-lint-ignore no-await-in-loop -- One, as a rule.
        await client.delete(`${account}/Transcriptions/${sid}`);
      }
      await client.delete(`${account}/Recordings/${recordingSid}`);
    },
    deleteCall: (callSid) => client.delete(`${account}/Calls/${callSid}`),
    recordingUrl: (recordingSid) => client.url(`${account}/Recordings/${recordingSid}`),
    async refusedCalls(start) {
      const alerts = await client.list("monitor/v1/Alerts", "alerts", alert, {
        LogLevel: "error",
        StartDate: start.toISOString().replace(/\.\d+Z$/, "Z"),
        PageSize: "1000",
      });
      return alerts.filter(({ error_code }) => TOO_MANY_CALLS.includes(error_code)).length;
    },
  };
}
