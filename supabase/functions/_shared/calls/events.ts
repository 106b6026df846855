import type { EventSource, FunctionName } from "../functions.ts";
import type { CallLimit } from "./call_limits.ts";
import { callerNumber, isE164 } from "../phone.ts";
import { consentOrder, type Disclosed, disclosureName, isGranted } from "./consent.ts";
import type { CallState } from "./state.ts";
import { type CallStatus, DAY_MS, isCallStatus, isOutbound, type Webhook } from "./webhook_form.ts";

/** The kinds of events: the SQL type `call_event`, in its order. Those up to `voicemail_recorded` are steps with the caller. */
export const CALL_EVENTS = [
  "arrived",
  "consent",
  "menu",
  "route",
  "key_pressed",
  "dial_ended",
  "queue_waited",
  "queue_left",
  "agent_left",
  "voicemail_offered",
  "voicemail_recorded",
  "status",
  "leg_status",
  "leg_asked",
  "leg_accepted",
  "leg_declined",
  "recording",
  "transcription",
  "reconciled",
  "leg_reconciled",
  "recording_reconciled",
  "settled",
  "closed_unheard",
] as const;
export type CallEventName = typeof CALL_EVENTS[number];

/** The SQL type `voice_event`, field by field; the database refuses other values. */
export interface VoiceEvent {
  readonly operation: EventSource;
  readonly identity: string;
  /** The sub-account that signed for it; absent: the main account. It can speak of its own calls and lines only. */
  readonly account_sid?: string | undefined;
  readonly call_sid: string;
  readonly leg_sid: string;
  readonly parent_call_sid?: string | undefined;
  readonly event: CallEventName;
  /** Twilio's status of the event's subject: the call, a leg, a recording or a transcription. */
  readonly status?: string | undefined;
  readonly sequence_number?: number | undefined;
  /** ISO 8601. */
  readonly occurred_at: string;
  /** `lost`: its end is unknown, but it is too old to be open. */
  readonly call_status?: CallStatus | "lost" | undefined;
  /** Absent: inbound. */
  readonly direction?: "inbound" | "outbound" | undefined;
  readonly from_e164?: string | undefined;
  readonly to_e164?: string | undefined;
  readonly duration_sec?: number | undefined;
  readonly mode?: string | undefined;
  readonly mode_turn?: number | undefined;
  /** `null`: undecided again. */
  readonly consent_given?: boolean | null | undefined;
  readonly consent_order?: number | undefined;
  /** Of the leg that was dialled. */
  readonly leg_status?: CallStatus | undefined;
  /** The dialled number, and the node of the flow that dialled it. */
  readonly leg_to?: string | undefined;
  readonly leg_node?: string | undefined;
  /** Seconds that a person had been on the line at `occurred_at`; absent: no answer. */
  readonly talk_sec?: number | undefined;
  /** False: the caller had hung up before the answer, or the person has not accepted the call. */
  readonly bridged?: boolean | undefined;
  readonly recording_sid?: string | undefined;
  readonly recording_url?: string | undefined;
  readonly recording_source?: "dial" | "voicemail" | undefined;
  readonly recording_duration_sec?: number | undefined;
  /** The recording does not exist, or no longer. */
  readonly recording_lost?: boolean | undefined;
  readonly transcript?: string | undefined;
  readonly handoff_reason?: string | undefined;
  /** All must admit the call. The database checks and counts them unless `rate_limited` is set. */
  readonly limits?: readonly CallLimit[] | undefined;
  /** The disclosure with its words; later events refer to it by name. */
  readonly disclosure?: SpokenDisclosure | undefined;
  /** Refused by another limiter, under `limits`. */
  readonly rate_limited?: boolean | undefined;
  readonly ask?: Ask | undefined;
  readonly meta: Readonly<Record<string, unknown>>;
}

/** A step's questions to the database, beside its event. They are not stored, and not part of the request's hash. */
export interface Ask {
  /** Which version answers this line? Asked by a call's first event. */
  readonly line?: string | undefined;
  /** The call's version, as named in its URL: the beginning of the hash. */
  readonly flow?: string | undefined;
  /** Hashes of the versions that this isolate has; the answer brings the body of any other. */
  readonly have?: readonly string[] | undefined;
  /** Numbers that may be dialled beside those of the pinned version, and for how many seconds a leg and a day. */
  readonly dials?: {
    readonly to: readonly string[];
    readonly leg_sec: number;
    readonly day_sec: number;
  } | undefined;
  /** Caps of the line's agents: whether one may talk now. */
  readonly agent?:
    | {
      readonly minutes: number;
      readonly cost_usd: number;
      readonly concurrent_line: number;
      /** Of all lines. */
      readonly concurrent: number;
    }
    | undefined;
  /** What the agent told of the caller whom it transferred. */
  readonly summary?: true | undefined;
  /** Whether the caller's number may be called back: a destination that is allowed. */
  readonly callable?: boolean | undefined;
  /**
   * The place in the queue, at each request of what a caller who holds hears. `leaves`: the caller is led out, unless somebody
   * has just accepted the call: by the key to the `offer`, or as the longest wait is `over`.
   */
  readonly queue?: { readonly leaves?: "offer" | "over" | undefined } | undefined;
  /** What the leg of an attempt tells: see `attempt_told`. `code`: of `transfer`; absent: back to this person. */
  readonly attempt?: {
    readonly token: string;
    readonly told?: AttemptTold | undefined;
    readonly code?: string | undefined;
  } | undefined;
  /** Twilio's `CallToken`: legs dialled for the call alone may show its caller's number. */
  readonly call_token?: string | undefined;
  /** Twilio's account is not known here: no leg can be made for callers who hold. */
  readonly cannot_dial?: true | undefined;
  /** The party has said so: the number goes on the list of those who said stop. The way, as `suppressions.source`. */
  readonly stop?: string | undefined;
  /** Whether the caller is one of the owner's people; `available` sets whether they take calls. */
  readonly self?: { readonly available?: boolean | undefined } | undefined;
}

/**
 * `pressed`: the person accepts by key; `declined`: has pressed another key; `mailbox`: has pressed none; `connected`: is on
 * the line with the caller of the event; `transfer`: passes that caller on. `caller_*`: why the caller who was promised a call
 * was not reached. Of a campaign: who answered (`human`, `machine`), and `abandoned`: nobody was free for a person who did.
 */
export type AttemptTold =
  | "pressed"
  | "declined"
  | "mailbox"
  | "connected"
  | "transfer"
  | "caller_busy"
  | "caller_no_answer"
  | "caller_failed"
  | "human"
  | "machine"
  | "abandoned";

/** The call as of the first acceptance of the event. */
export interface AcceptedCall {
  readonly status: CallStatus | "lost";
  readonly mode: string;
  readonly consent_given: boolean | null;
  readonly facts?: Facts | undefined;
}

/** When a calendar opens and closes. Instants are ISO 8601. */
export interface Switches {
  readonly from: string;
  readonly until: string;
  /** At `from`; each switch ends the state before it. */
  readonly state: "open" | "closed";
  readonly switches: readonly string[];
}

/** The database's answers for a step, decided at the first acceptance of the event; a copy of the event gets the same. */
export interface Facts {
  /** The version that answers the call; absent: the line has none of its own. */
  readonly flow?: {
    /** SHA-256 of its canonical JSON, in hexadecimal. */
    readonly hash: string;
    readonly name: string;
    readonly version: number;
    /** Only when `have` lacks it. */
    readonly definition?: unknown;
    /** The hashes of the flows that it goes on in, by name; with `definition`. */
    readonly flows?: Readonly<Record<string, string>> | undefined;
    /** When its calendars open and close; with `definition`. */
    readonly hours?: Readonly<Record<string, Switches>> | undefined;
    /** Hashes of audio that its owner has not stored; with `definition`. */
    readonly missing_audio?: readonly string[] | undefined;
  } | undefined;
  /** The pinned version's calendars as they are now. */
  readonly calendars?: Readonly<Record<string, "open" | "closed">> | undefined;
  /** Whether the caller has called this line before. */
  readonly returning?: boolean | undefined;
  /** Those of the numbers that are answered here. */
  readonly own_lines?: readonly string[] | undefined;
  /** The line has used up its minutes of the day. */
  readonly spent?: boolean | undefined;
  /** The people of the pinned version's groups, by handle. */
  readonly people?:
    | Readonly<Record<string, { readonly phone: string; readonly available: boolean }>>
    | undefined;
  /** Of the groups for which the pinned version holds callers. */
  readonly queues?:
    | Readonly<Record<string, { readonly full: boolean }>>
    | undefined;
  /** Why the line's agents cannot talk now; absent: they can. */
  readonly agent?: { readonly barred?: string | undefined } | undefined;
  /** No leg can be made: nobody holds, and no call back is promised. */
  readonly cannot_dial?: true | undefined;
  /** What the person who answers is to know. */
  readonly summary?: string | undefined;
  /** Whether a call back may be promised. */
  readonly callable?: boolean | undefined;
  /** The groups for which a call back is promised by now: only then may the caller hear so. */
  readonly callbacks?: Readonly<Record<string, true>> | undefined;
  /** At a ring that rotates: the telephone of the available member who has been idle longest. */
  readonly longest_idle?: string | undefined;
  /** The caller's place; absent: the call holds nowhere. */
  readonly queue?: Place | undefined;
  /**
   * To a `queue_left` of outcome `answered`: `held`, the person is still on the line and may pass the caller on, so the caller
   * holds without a queue and asks again; `made`, the caller is to hold in the queue of the call alone. Absent: the call goes on.
   */
  readonly transfer?: "held" | "made" | undefined;
  /** To a `queue_left` of outcome `offer`: the caller has pressed no key, and the group has closed or has nobody left. */
  readonly gives_up?: boolean | undefined;
  readonly attempt?: AttemptAnswer | null | undefined;
  /** The verified person who calls from this number; absent: nobody. */
  readonly self?: {
    readonly handle: string;
    readonly name: string;
    readonly available: boolean;
    /** ISO 8601. */
    readonly dnd_until?: string | undefined;
  } | undefined;
  /** A campaign calls the caller from this line: they can have their number removed. */
  readonly campaign?: boolean | undefined;
  /** Somebody is to be dialled: the worker of `dial` jobs should not wait for its tick. */
  readonly wake?: boolean | undefined;
  /** The call is refused because its number is blocked. */
  readonly blocked?: boolean | undefined;
}

/** A caller's place in a queue. */
export interface Place {
  /** Those ahead, and the caller; never greater than the one before. */
  readonly position: number;
  /** How many telephones ring for the queue, those whose owner is asked to accept included. */
  readonly ringing?: number | undefined;
  /** Somebody has accepted the call, and is about to be connected. */
  readonly taken?: true | undefined;
  /** Seconds that half of the callers at such a place waited in the last 4 hours; from more than 20 samples. */
  readonly wait?:
    | { readonly low_sec: number; readonly high_sec: number; readonly samples: number }
    | undefined;
}

/** What the leg of an attempt is to do. */
export interface AttemptAnswer {
  readonly purpose: "person" | "callback_person" | "verify" | "campaign";
  /** Of all who pressed, this one. */
  readonly won: boolean;
  /** The leg is to be ended: somebody else was first, or nobody waits any more. */
  readonly over: boolean;
  /** Of one who has not won, the result so far: `taken` by somebody else, `caller_left`. */
  readonly why?: string | undefined;
  /** The call that the person was won for. */
  readonly call_sid?: string | undefined;
  /** The queue that it holds in: a group, or the call. */
  readonly queue?: string | undefined;
  /** Of a promise that the person has accepted to keep: the number to call back. */
  readonly to?: string | undefined;
  /** Whom the person who accepted is about to talk with; `calls`: in 7 days, this one among them. Where the group says so. */
  readonly caller?: { readonly name?: string | undefined; readonly calls: number } | undefined;
  /** What the agent told that transferred the caller, to the person who accepted. */
  readonly summary?: string | undefined;
  /** The name of the person who has passed the caller on. */
  readonly transferred_by?: string | undefined;
  /** There is somebody to whom the person could pass the caller on. */
  readonly may_transfer?: boolean | undefined;
  /** `unknown`: no such code; `busy`: `to` cannot be rung now; `made`: `to` is being rung; `gone`: the caller is. */
  readonly transfer?:
    | { readonly state: "made" | "busy" | "unknown" | "gone"; readonly to?: string | undefined }
    | undefined;
  /** Of a campaign: what the machine that has answered gets. */
  readonly machine?: "hang_up" | "message" | "flow" | undefined;
  /** Of a campaign: a person has answered, and none of the owner's people is free. */
  readonly abandoned?: boolean | undefined;
  /** How many others are to be dialled now. */
  readonly wake?: number | undefined;
}

/** The outcome of an event. A failure is a value, so that every step must handle it. */
export type AcceptOutcome =
  | {
    readonly kind: "accepted";
    /** The event was accepted before, and the answer is that one. */
    readonly duplicate: boolean;
    readonly call: AcceptedCall;
  }
  /** The call is over one of its limits, or its number is blocked. */
  | { readonly kind: "rate_limited"; readonly blocked?: true }
  /** The call or the line belongs to another account than the signing one. */
  | { readonly kind: "foreign" }
  /** Another request was accepted under the same identity. */
  | { readonly kind: "conflict" }
  /** The database refused the event as invalid. `code` is its SQLSTATE. */
  | { readonly kind: "refused"; readonly code: string }
  /** It is not known whether anything was written. */
  | { readonly kind: "unavailable"; readonly reason: string };

/** A row of the table `disclosures`, with its name. */
export interface SpokenDisclosure extends Omit<Disclosed, "words"> {
  readonly name: string;
  readonly words: string;
}

/** The facts about a leg. */
export type LegFacts = Pick<VoiceEvent, "talk_sec" | "bridged"> & {
  /** Twilio's word. */
  readonly leg_status?: string | undefined;
};

/** The facts about a recording; empty without one. */
export type RecordingFacts = Pick<
  VoiceEvent,
  | "recording_sid"
  | "recording_url"
  | "recording_source"
  | "recording_duration_sec"
  | "recording_lost"
  | "transcript"
>;

/** The end of a talk with an agent, as the database keeps it. */
export interface AgentEnd {
  readonly session_id: string | undefined;
  readonly outcome: string;
  readonly reason: string;
  readonly node: string | undefined;
  readonly language: string | undefined;
}

/** A step's facts beside those of every webhook. */
export type StepFacts =
  & {
    /** The event's identity, if the turn of the call does not give it. */
    readonly identity?: string | undefined;
    /** The node at which the call waited, and what ended the wait. */
    readonly left?: { readonly node: string; readonly outcome: string } | undefined;
    readonly disclosure?: VoiceEvent["disclosure"];
    /** How a talk with an agent ended. */
    readonly agent?: AgentEnd | undefined;
  }
  & (
    | { readonly event: "agent_left" }
    | { readonly event: "arrived"; readonly limits?: VoiceEvent["limits"] }
    | {
      readonly event:
        | "consent"
        | "menu"
        | "route"
        | "key_pressed"
        | "queue_waited"
        | "queue_left"
        | "voicemail_offered"
        | "status";
    }
    // `leg_asked`: a person has answered, and is asked to accept the call; `leg_accepted`: and has; `leg_declined`: has
    // pressed another key.
    | {
      readonly event: "dial_ended" | "leg_status" | "leg_asked" | "leg_accepted" | "leg_declined";
    } & LegFacts
    | {
      readonly event: "voicemail_recorded" | "recording" | "transcription";
      /** Twilio's word for the recording's state, or the transcription's. */
      readonly status?: string | undefined;
    } & RecordingFacts
  );

/**
 * Makes the event of a webhook about the call itself.
 *
 * @param state The state of the call after it, with its decisions and those of earlier steps.
 */
export function callEvent(
  operation: FunctionName,
  webhook: Webhook,
  state: CallState,
  facts: StepFacts,
): VoiceEvent {
  const { fields } = webhook;
  return {
    ...common(operation, webhook, state, facts),
    call_sid: fields.CallSid,
    leg_sid: fields.DialCallSid ?? fields.CallSid,
    parent_call_sid: fields.DialCallSid && fields.CallSid,
    call_status: isCallStatus(fields.CallStatus) ? fields.CallStatus : undefined,
    direction: isOutbound(fields) ? "outbound" : undefined,
    from_e164: callerNumber(fields.From) ?? undefined,
    to_e164: e164(fields.To),
    duration_sec: fields.CallDuration,
  };
}

/** Makes the event of a dialled leg. It carries facts about the call, but never the call's own status. */
export function childLegEvent(
  operation: FunctionName,
  webhook: Webhook,
  parentCallSid: string,
  state: CallState,
  facts: StepFacts,
): VoiceEvent {
  const { fields } = webhook;
  return {
    ...common(operation, webhook, state, facts),
    call_sid: parentCallSid,
    leg_sid: fields.CallSid,
    parent_call_sid: parentCallSid,
    leg_to: e164(fields.To),
  };
}

/** The decisions on a call, as fields of an event. */
export function decided(
  { consent, choice, handoff }: Pick<CallState, "consent" | "choice" | "handoff">,
) {
  return {
    mode: choice?.mode,
    mode_turn: choice?.turn,
    consent_given: consent && isGranted(consent),
    consent_order: consent && consentOrder(consent),
    handoff_reason: handoff,
  };
}

/** The decision about recording, and the disclosure that it answers. */
export function consentEvidence({ consent, disclosed }: CallState) {
  return consent &&
    {
      consent: {
        ...consent,
        order: consentOrder(consent),
        ...(disclosed && { disclosure: disclosureName(disclosed) }),
      },
    };
}

function common(
  operation: FunctionName,
  webhook: Webhook,
  state: CallState,
  facts: StepFacts,
) {
  const { fields, receivedAt } = webhook;
  const { identity, left, agent, ...rest } = facts;
  const leg = "leg_status" in facts ? facts.leg_status : undefined;
  const status = "status" in facts ? facts.status : leg;
  return {
    ...rest,
    operation,
    account_sid: webhook.account,
    identity: identity ?? (webhook.state ? `turn-${webhook.state.turn}` : saidIn(fields)),
    status: status ?? fields.CallStatus,
    leg_status: leg === "answered" ? "completed" as const : isCallStatus(leg) ? leg : undefined,
    // The node that dialled, which the call may have left since.
    leg_node: leg && (webhook.state?.node ?? state.choice?.mode),
    sequence_number: fields.SequenceNumber,
    // A recording's callback says only when the recording began; of a call's recordings the newest counts.
    occurred_at: occurredAt(fields.Timestamp ?? fields.RecordingStartTime, receivedAt)
      .toISOString(),
    ...decided(state),
    meta: {
      ...(fields.Digits !== undefined && { digits: fields.Digits }),
      ...(fields.SpeechResult !== undefined && { speech: fields.SpeechResult }),
      ...(state.flow !== undefined && { flow: state.flow }),
      ...left,
      ...(agent && { agent }),
      ...consentEvidence(state),
    },
  };
}

function e164(number: string | undefined): string | undefined {
  return number !== undefined && isE164(number) ? number : undefined;
}

/**
 * Distinguishes two webhooks of one call with the same URL. Never by `I-Twilio-Idempotency-Token`: it is not signed, and
 * Twilio does not document that the first attempt has it.
 */
function saidIn({ Digits = "", SpeechResult = "", DialCallStatus = "" }: Webhook["fields"]) {
  return `said-${Digits}-${DialCallStatus}-${SpeechResult}`;
}

/** Twilio's time of an event, or our own time when a callback cannot be that late or early. */
function occurredAt(told: Date | undefined, receivedAt: Date): Date {
  const isNear = told !== undefined &&
    Math.abs(told.getTime() - receivedAt.getTime()) <= DAY_MS;
  return isNear ? told : receivedAt;
}
