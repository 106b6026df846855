import * as z from "zod/mini";
import type { Issue } from "../errors.ts";
import { type CallState, decodeState } from "./state.ts";

/** No call lasts longer: Twilio ends it. Milliseconds. */
export const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Twilio's call states in the order in which a call can take them; from `canceled` on they are final.
 * The type `call_status` in the database has the same order.
 * Source: https://www.twilio.com/docs/voice/api/call-resource#call-status-values
 */
export const CALL_STATUSES = [
  "queued",
  "initiated",
  "ringing",
  "in-progress",
  "canceled",
  "failed",
  "busy",
  "no-answer",
  "completed",
] as const;
export type CallStatus = typeof CALL_STATUSES[number];

/** A status as Twilio has it, also one that is new. */
export function isCallStatus(status: string | undefined): status is CallStatus {
  return (CALL_STATUSES as readonly (string | undefined)[]).includes(status);
}

const sid = (prefix: string) => z.string().check(z.regex(new RegExp(`^${prefix}[0-9a-fA-F]{32}$`)));
const callSid = sid("CA");
const text = z.string();
/** A value that is not understood is unknown and not a fault, because Twilio would not deliver the callback again. */
const lenient = <T>(read: (text: string) => T | undefined) =>
  z.optional(z.pipe(text, z.transform(read)));
const count = lenient((value) => /^\d{1,9}$/.test(value) ? Number(value) : undefined);
/** Twilio ends a call after a day, so no length is greater. It reports -1 for a recording that does not exist. */
const seconds = (least: number) =>
  lenient((value) => {
    const given = /^-?\d{1,9}$/.test(value) ? Number(value) : NaN;
    return given >= least && given <= DAY_MS / 1000 ? given : undefined;
  });
/** Twilio's value, or `unknown` for an impossible one. */
const status = lenient((value) => /^[a-z][a-z-]{0,31}$/.test(value) ? value : "unknown");

/** The parameters that we read; Twilio sends more, and new ones without notice. */
const form = z.object({
  CallSid: callSid,
  AccountSid: z.optional(sid("AC")),
  CallStatus: status,
  From: z.optional(text),
  To: z.optional(text),
  Direction: z.optional(text),
  ForwardedFrom: z.optional(text),
  StirVerstat: z.optional(text),
  // A longer one, of a call that was passed on often, is left out: the call counts.
  CallToken: lenient((value) => value.length <= 4000 ? value : undefined),
  ParentCallSid: z.optional(callSid),
  SequenceNumber: count,
  Timestamp: lenient((value) => new Date(value)),
  CallDuration: seconds(0),
  Digits: z.optional(text.check(z.maxLength(64))),
  SpeechResult: z.optional(text.check(z.maxLength(4000))),
  DialCallStatus: status,
  DialCallSid: z.optional(callSid),
  DialCallDuration: seconds(0),
  DialBridged: lenient((value) => ({ true: true, false: false })[value]),
  // Of a machine detection: https://www.twilio.com/docs/voice/answering-machine-detection
  AnsweredBy: z.optional(text),
  // Of a call that holds: https://www.twilio.com/docs/voice/twiml/enqueue, .../queue
  QueueResult: status,
  QueueTime: seconds(0),
  DequeingCallSid: z.optional(callSid),
  // Of a talk with an agent: https://www.twilio.com/docs/voice/twiml/connect/conversationrelay#action
  SessionId: z.optional(sid("VX")),
  SessionStatus: status,
  ErrorCode: lenient((value) => /^\d{1,9}$/.test(value) ? value : undefined),
  HandoffData: lenient((value) => value.length <= 4000 ? value : undefined),
  RecordingSid: z.optional(sid("RE")),
  RecordingUrl: lenient((value) =>
    /^https?:\/\/\S+$/.test(value) && value.length <= 2048 ? value : undefined
  ),
  RecordingStatus: status,
  RecordingDuration: seconds(-1),
  RecordingStartTime: lenient((value) => new Date(value)),
  TranscriptionStatus: status,
  TranscriptionText: lenient((value) => value.slice(0, 60_000)),
});

export type WebhookFields = z.infer<typeof form>;

/** Whether the account made the call, by REST; a leg that a call of ours dialled is none. */
export function isOutbound(
  { Direction, ParentCallSid }: Pick<WebhookFields, "Direction" | "ParentCallSid">,
): boolean {
  return Direction === "outbound-api" && ParentCallSid === undefined;
}

/** The fields with the other party as `From` and our line as `To`, whichever end made the call. */
export function asIncoming(fields: WebhookFields): WebhookFields {
  return isOutbound(fields) ? { ...fields, From: fields.To, To: fields.From } : fields;
}

/** One verified webhook, typed; nothing later reads a raw field. */
export interface Webhook {
  readonly fields: WebhookFields;
  /** The sub-account that signed; `undefined`: the main account. */
  readonly account?: string | undefined;
  /** From the URL; `undefined` where the URL was not one of ours, as a number's own voice URL. */
  readonly state: CallState | undefined;
  /** The attempt whose leg asks, from the URL; see the table `dial_attempts`. */
  readonly token?: string | undefined;
  /** When the request reached us. */
  readonly receivedAt: Date;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export type ParseResult =
  | { readonly ok: true; readonly webhook: Webhook }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/**
 * Types one webhook. Empty parameters count as absent, because Twilio sends many of them, and unknown statuses and values as
 * `unknown`. Issues are repeated parameters, wrong identifiers, and more input than a caller can have spoken or pressed.
 */
export function parseWebhook(
  params: Readonly<Record<string, string | string[]>>,
  query: URLSearchParams,
  receivedAt: Date,
): ParseResult {
  const present = Object.fromEntries(
    Object.entries(params)
      .filter(([, value]) => value !== "")
      // PostgreSQL's text has no NUL.
      .map((
        [name, value],
      ) => [name, typeof value === "string" ? value.replaceAll("\0", "") : value]),
  );
  const parsed = form.safeParse(present);
  if (!parsed.success) {
    return {
      ok: false,
      issues: parsed.error.issues.map((issue) => ({
        field: issue.path.join("."),
        message: issue.code === "invalid_type"
          ? `must be given once, as ${issue.expected}`
          : issue.message,
      })),
    };
  }
  // A leg's own webhooks may lack the call that dialled it; our URLs have it.
  const call = callSid.safeParse(query.get("call"));
  const fields = { ...parsed.data, ParentCallSid: parsed.data.ParentCallSid ?? call.data };
  const [token] = UUID.exec(query.get("token") ?? "") ?? [];
  return { ok: true, webhook: { fields, state: decodeState(query), token, receivedAt } };
}
