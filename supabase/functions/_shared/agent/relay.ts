import * as z from "zod/mini";

// The frames of Twilio's ConversationRelay. Pure.
//
// Sources: https://www.twilio.com/docs/voice/conversationrelay/websocket-messages,
// https://www.twilio.com/docs/voice/twiml/connect/conversationrelay. What only a real account tells is read here so
// that both answers fit, and nowhere else: numbers that older pages write as text, `info` frames, which the pages do not
// list, and types that do not exist yet.

/** Longest frame that is read, in characters. What a caller says in one go is far shorter. */
export const MOST_FRAME = 64_000;

const number = z.union([z.number(), z.string().check(z.regex(/^\d{1,9}$/))]);

const FRAMES = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("setup"),
    sessionId: z.string().check(z.regex(/^VX[0-9a-fA-F]{32}$/)),
    callSid: z.string().check(z.regex(/^CA[0-9a-fA-F]{32}$/)),
    accountSid: z.optional(z.string()),
    from: z.optional(z.string()),
    to: z.optional(z.string()),
    direction: z.optional(z.string()),
  }),
  z.object({
    type: z.literal("prompt"),
    voicePrompt: z.string(),
    lang: z.optional(z.string()),
    /** Only the last is final; those before it are cumulative. */
    last: z.optional(z.boolean()),
  }),
  z.object({ type: z.literal("dtmf"), digit: z.string().check(z.regex(/^[0-9*#]$/)) }),
  z.object({
    type: z.literal("interrupt"),
    utteranceUntilInterrupt: z.optional(z.string()),
    durationUntilInterruptMs: z.optional(number),
  }),
  z.object({ type: z.literal("error"), description: z.optional(z.string()) }),
  z.object({
    type: z.literal("info"),
    name: z.optional(z.string()),
    value: z.optional(z.union([z.string(), z.number(), z.boolean()])),
  }),
]);

/** A frame from Twilio. */
export type Inbound = z.infer<typeof FRAMES>;

/** What is true of a session, from its first frame. */
export type Setup = Extract<Inbound, { type: "setup" }>;

/** A frame to Twilio. */
export type Outbound =
  | {
    readonly type: "text";
    readonly token: string;
    /** Ends one stretch of speech. */
    readonly last: boolean;
    /** BCP 47; absent: the session's. */
    readonly lang?: string;
    readonly interruptible?: boolean;
  }
  | { readonly type: "end"; readonly handoffData: string };

/** Reads a frame; `undefined` for one of a type that is not known here, or that is malformed. */
export function readFrame(text: string): Inbound | undefined {
  if (text.length > MOST_FRAME) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const read = FRAMES.safeParse(value);
  return read.success ? read.data : undefined;
}

// --- how a session ends -------------------------------------------------------------------------------------

/** The longest `handoffData` that is sent or read, in characters. The page names no limit. */
export const MOST_HANDOFF = 4000;

const OUTCOME =
  /^(departments\.[a-z][a-z0-9_]{0,31}|operator|message|callback|done|failed|resume)$/;

const LEAVING = z.object({
  /** The way out of the node: an edge of it, `operator`, or `resume` where the session only moves. */
  outcome: z.string().check(z.regex(OUTCOME)),
  reason: z.string().check(z.regex(/^[a-z][a-z_]{0,63}$/)),
});

/** Why and whither a session ends. */
export type Leaving = z.infer<typeof LEAVING>;

/** Writes `handoffData`. It names no person and holds no words of theirs. */
export function handoffData({ outcome, reason }: Leaving): string {
  return JSON.stringify({ outcome, reason });
}

/** Reads what `handoffData` wrote; `undefined` for anything else. */
export function readHandoff(text: string | undefined): Leaving | undefined {
  if (text === undefined || text.length > MOST_HANDOFF) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const read = LEAVING.safeParse(value);
  return read.success ? read.data : undefined;
}

/** Twilio's `ErrorCode` of a socket that ended without our `end`. */
const SOCKET_ENDED = "64105";

/** What the end of a `<Connect>` means, from the action's parameters. */
export type SessionEnd =
  /** We ended it. */
  | { readonly kind: "left"; readonly leaving: Leaving }
  /** The socket was lost in mid-call. */
  | { readonly kind: "dropped" }
  /** The caller hung up. */
  | { readonly kind: "hung_up" }
  /** It never worked, or Twilio ended it. */
  | { readonly kind: "failed"; readonly code: string | undefined };

/** Reads the parameters of `<Connect action>`. */
export function sessionEnd(fields: {
  readonly SessionStatus?: string | undefined;
  readonly ErrorCode?: string | undefined;
  readonly HandoffData?: string | undefined;
  readonly CallStatus?: string | undefined;
}): SessionEnd {
  if (fields.CallStatus !== undefined && fields.CallStatus !== "in-progress") {
    return { kind: "hung_up" };
  }
  const leaving = readHandoff(fields.HandoffData);
  if (leaving !== undefined) return { kind: "left", leaving };
  // The call is up: it goes on by the flow.
  if (fields.SessionStatus === "completed") {
    return { kind: "left", leaving: { outcome: "done", reason: "session_completed" } };
  }
  if (fields.ErrorCode === SOCKET_ENDED) return { kind: "dropped" };
  return { kind: "failed", code: fields.ErrorCode };
}
