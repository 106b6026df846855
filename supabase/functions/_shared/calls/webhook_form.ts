import * as z from "zod/mini";
import { type CallState, decodeState } from "./state.ts";

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

const sid = (prefix: string) => z.string().check(z.regex(new RegExp(`^${prefix}[0-9a-fA-F]{32}$`)));
const callSid = sid("CA");
const count = z.pipe(
  z.string().check(z.regex(/^\d{1,9}$/)),
  z.transform((text) => Number(text)),
);
const text = z.string();
const timestamp = z.pipe(
  z.string(),
  z.transform((value, context) => {
    const date = new Date(value);
    if (Number.isNaN(date.getTime())) {
      context.issues.push({ code: "custom", message: "must be a date of RFC 2822", input: value });
      return z.NEVER;
    }
    return date;
  }),
);

/** The parameters that we read; Twilio sends more, and new ones without notice. */
const form = z.object({
  CallSid: callSid,
  AccountSid: z.optional(sid("AC")),
  CallStatus: z.optional(z.enum(CALL_STATUSES)),
  From: z.optional(text),
  To: z.optional(text),
  ForwardedFrom: z.optional(text),
  ParentCallSid: z.optional(callSid),
  SequenceNumber: z.optional(count),
  Timestamp: z.optional(timestamp),
  CallDuration: z.optional(count),
  Digits: z.optional(text.check(z.maxLength(64))),
  SpeechResult: z.optional(text.check(z.maxLength(4000))),
  DialCallStatus: z.optional(
    z.enum(["completed", "answered", "busy", "no-answer", "failed", "canceled"]),
  ),
  DialCallSid: z.optional(callSid),
  DialCallDuration: z.optional(count),
  DialBridged: z.optional(z.enum(["true", "false"])),
  RecordingSid: z.optional(sid("RE")),
  RecordingUrl: z.optional(z.string().check(z.regex(/^https?:\/\/\S+$/), z.maxLength(2048))),
  RecordingStatus: z.optional(z.enum(["in-progress", "completed", "absent", "failed"])),
  RecordingDuration: z.optional(count),
  TranscriptionStatus: z.optional(z.enum(["in-progress", "completed", "failed"])),
  TranscriptionText: z.optional(text.check(z.maxLength(60_000))),
});

export type WebhookFields = z.infer<typeof form>;

/** One verified webhook, typed; nothing later reads a raw field. */
export interface Webhook {
  readonly fields: WebhookFields;
  /** The sub-account that signed; `undefined`: the main account. */
  readonly account?: string | undefined;
  /** From the URL; `undefined` where the URL was not one of ours, as a number's own voice URL. */
  readonly state: CallState | undefined;
  /** `I-Twilio-Idempotency-Token`: the same on each retry. Not covered by the signature. */
  readonly token: string | undefined;
  /** When the request reached us. */
  readonly receivedAt: Date;
}

export type ParseResult =
  | { readonly ok: true; readonly webhook: Webhook }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/** A parameter at fault and why; never its value. */
export interface Issue {
  readonly field: string;
  readonly message: string;
}

/**
 * Types one webhook. Empty parameters count as absent, as Twilio sends many of them; a parameter that
 * comes twice is an issue, as is one of the wrong form.
 */
export function parseWebhook(
  params: Readonly<Record<string, string | string[]>>,
  query: URLSearchParams,
  headers: Headers,
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
  const token = headers.get("i-twilio-idempotency-token") ?? "";
  return {
    ok: true,
    webhook: {
      fields: parsed.data,
      state: decodeState(query),
      token: /^[\w-]{1,100}$/.test(token) ? token : undefined,
      receivedAt,
    },
  };
}
