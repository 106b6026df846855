import type { AnsweredBy } from "./caller.ts";
import type { ProgressEvent, RecordMode } from "./twiml.ts";
import type { Webhook } from "./webhook.ts";

/** Source: Twilio, "Call resource: call status values". */
export type CallStatus =
  | "queued"
  | "initiated"
  | "ringing"
  | "in-progress"
  | "completed"
  | "busy"
  | "failed"
  | "no-answer"
  | "canceled";

/** What happened on a call, in order. */
export type CallEvent = { readonly atMs: number } & CallHappening;

export type CallHappening =
  | {
    readonly kind: "say";
    readonly text: string;
    readonly voice: string | undefined;
    readonly language: string | undefined;
    /** Said within a `<Gather>`. */
    readonly gathering: boolean;
    /** Keys, words or a hang-up cut it short. */
    interrupted: boolean;
  }
  | {
    readonly kind: "play";
    readonly url: string;
    readonly gathering: boolean;
    interrupted: boolean;
  }
  | { readonly kind: "pause"; readonly seconds: number }
  | {
    readonly kind: "gather";
    readonly input: readonly ("dtmf" | "speech")[];
    readonly action: string;
    readonly numDigits: number | undefined;
    readonly timeout: number;
  }
  /** `lost`: pressed while no gather listened for keys. */
  | { readonly kind: "keys"; readonly digits: string; readonly lost: boolean }
  | { readonly kind: "speech"; readonly text: string; readonly lost: boolean }
  | { readonly kind: "silence"; readonly during: "gather" | "record" }
  | {
    readonly kind: "dial";
    readonly number: string;
    readonly numbers: readonly string[];
    readonly record: RecordMode;
    readonly timeout: number;
    readonly callerId: string;
    readonly action: string | undefined;
  }
  | { readonly kind: "leg"; readonly sid: string; readonly number: string; status: CallStatus }
  /** Spoken to the called person before the connection; the caller did not hear it. */
  | { readonly kind: "whisper"; readonly sid: string; readonly text: string }
  /** With the person of this number. */
  | { readonly kind: "talking"; readonly number: string }
  | { readonly kind: "dialled"; readonly status: CallStatus; readonly talkSeconds: number }
  | {
    readonly kind: "record";
    readonly maxLength: number;
    readonly transcribe: boolean;
    readonly playBeep: boolean;
  }
  | {
    readonly kind: "recorded";
    readonly source: "DialVerb" | "RecordVerb";
    readonly sid: string;
    readonly seconds: number;
  }
  | { readonly kind: "queued"; readonly queue: string; readonly position: number }
  | { readonly kind: "dequeued"; readonly result: QueueResult; readonly seconds: number }
  /** On both calls. */
  | { readonly kind: "bridged"; readonly queue: string; readonly with: string }
  /** What the caller says in a talk over a socket, and how its session ended. */
  | { readonly kind: "prompt"; readonly text: string }
  | {
    readonly kind: "session";
    readonly status: "completed" | "ended" | "failed";
    readonly error: string | undefined;
  }
  | { readonly kind: "redirect"; readonly url: string }
  | { readonly kind: "reject"; readonly reason: "rejected" | "busy" }
  | { readonly kind: "warning"; readonly code: number; readonly message: string }
  | {
    readonly kind: "error";
    readonly code: number;
    readonly message: string;
    readonly url: string;
  }
  | { readonly kind: "fallback"; readonly url: string }
  | { readonly kind: "hangup"; readonly by: EndedBy };

/** Source: https://www.twilio.com/docs/voice/twiml/enqueue#attributes-action-parameters */
export type QueueResult =
  | "bridged"
  | "error"
  | "hangup"
  | "leave"
  | "redirected"
  | "redirected-from-bridged"
  | "queue-full"
  | "system-error";

/** `app`: a Hangup, a Reject, or no verb left; `error`: the caller heard the application error. */
export type EndedBy = "caller" | "app" | "error";

/** Everything about one call; it grows while the call, and then its callbacks, go on. */
export class CallRecord {
  readonly transcript: CallEvent[] = [];
  readonly webhooks: Webhook[] = [];
  status: CallStatus = "ringing";
  endedBy: EndedBy | undefined = undefined;
  /** What machine detection has made of it. */
  answeredBy: AnsweredBy | undefined = undefined;
  /** Undefined while it is queued. */
  dialledAt: Date | undefined = undefined;
  /** Seconds from answer to end; 0 for a call that was never answered. */
  durationSeconds = 0;
  /** Set when the caller heard Twilio's error message: the app failed this caller. */
  applicationError: { code: number; message: string; url: string } | undefined = undefined;

  constructor(
    readonly callSid: string,
    readonly from: string,
    readonly to: string,
    readonly startedAt: Date,
  ) {}

  /** The words that were said to the caller, in order. */
  get spoken(): string[] {
    return this.all("say").map((event) => event.text);
  }

  /** The numbers that were rung, in order. */
  get dialled(): string[] {
    return this.all("dial").flatMap((event) => event.numbers);
  }

  /** Every event of one kind. */
  all<K extends CallEvent["kind"]>(kind: K): Extract<CallEvent, { kind: K }>[] {
    return this.transcript.filter((event) => event.kind === kind) as Extract<
      CallEvent,
      { kind: K }
    >[];
  }

  /** The requests whose path ends so, for example `voice-status`. */
  requestsTo(pathEnd: string): Webhook[] {
    return this.webhooks.filter(({ url }) => new URL(url).pathname.endsWith(pathEnd));
  }
}

/** The status that a subscribed event reports while the call is not over. */
export const STATUS_OF_EVENT: Readonly<Record<Exclude<ProgressEvent, "completed">, CallStatus>> = {
  initiated: "initiated",
  ringing: "ringing",
  answered: "in-progress",
};
