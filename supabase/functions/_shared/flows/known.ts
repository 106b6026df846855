import { type Dialable, dialable } from "../destinations.ts";
import type { Flow } from "./language.ts";
import { promptUrl } from "./prompt_audio.ts";
import { callerNumber, type E164, isE164, isForged, isSubscriberNumber } from "../phone.ts";
import type { Settings } from "../settings.ts";
import type { AcceptOutcome, Ask, Facts } from "../calls/events.ts";
import type { WebhookFields } from "../calls/webhook_form.ts";

/** The facts about a call for the next step. */
export interface Known extends
  Pick<
    Facts,
    | "calendars"
    | "returning"
    | "people"
    | "queues"
    | "callbacks"
    | "gives_up"
    | "transfer"
    | "longest_idle"
    | "agent"
    | "cannot_dial"
  > {
  /** The caller holds: the row exists, and somebody is dialled for it. `null`: holds nowhere; `undefined`: not known. */
  readonly place?: Facts["queue"] | null;

  readonly callSid: string;
  readonly now: Date;
  /** `call_logs.mode`; `undefined`: unknown. */
  readonly mode: string | undefined;
  /** The database confirms consent to the disclosure that the caller heard. */
  readonly consentGiven: boolean;
  /** `undefined`: the caller has no number. */
  readonly caller: E164 | undefined;
  /** The number that was called. */
  readonly line: string | undefined;
  /**
   * The number if the call may be forwarded to it: it is allowed, does not loop, and the line's minutes of the day are not used
   * up.
   */
  mayDial(number: string): Dialable | undefined;
  /** Shown in place of the caller's number, where the caller has none that a network takes. */
  readonly callerId: E164 | undefined;
  /** Seconds after which a conversation ends. */
  readonly talkSec: number;
  /** Where Twilio fetches a stored prompt, by its hash. */
  audioUrl(hash: string): string;
}

/** The numbers that a flow may dial by itself. */
export function numbersIn(flow: Flow): string[] {
  const rung = Object.values(flow.nodes).flatMap((node) =>
    node.type === "ring" ? node.to ?? [] : []
  );
  const members = Object.values(flow.groups ?? {}).flatMap(({ members }) => members);
  return [...new Set([...rung, ...members.filter((member) => member.startsWith("+"))])];
}

/**
 * Whether a call to the caller's number may be made: Twilio's account is known, and the number looks like a telephone's, no network calls it forged, and it is an
 * allowed destination.
 */
export function isCallable(
  { From, StirVerstat }: Pick<WebhookFields, "From" | "StirVerstat">,
  { destinations, twilioAccountSid }: Pick<Settings, "destinations" | "twilioAccountSid">,
): boolean {
  const caller = callerNumber(From);
  return twilioAccountSid !== undefined && caller !== null && isSubscriberNumber(caller) &&
    !isForged(StirVerstat) &&
    dialable(caller, destinations) !== undefined;
}

/** The questions to the database before a step dials. */
export function dialsOf(
  flow: Flow,
  { From }: Pick<WebhookFields, "From">,
  { maxCallMinutes, maxDialledMinutesPerDay }: Pick<
    Settings,
    "maxCallMinutes" | "maxDialledMinutesPerDay"
  >,
): Ask["dials"] {
  return {
    to: [...new Set([...numbersIn(flow), callerNumber(From) ?? []].flat())],
    leg_sec: maxCallMinutes * 60,
    day_sec: maxDialledMinutesPerDay * 60,
  };
}

/**
 * The default number of a developer's machine, which seed 004 gives both to the line and to its destination. There neither is
 * a telephone. In production a line that is its own destination is a loop, this one too.
 */
const GUIDE_NUMBER = "+15877428885";

/** The numbers, each of which is answered here, to which a call would come back. */
export function linesThatLoop(
  numbers: readonly string[],
  { environment }: Pick<Settings, "environment">,
): readonly string[] {
  return environment === "production"
    ? numbers
    : numbers.filter((number) => number !== GUIDE_NUMBER);
}

/** Derives the facts about a call from the webhook and the database's answer. */
export function knownOf(
  { CallSid, From, To, ForwardedFrom }: Pick<
    WebhookFields,
    "CallSid" | "From" | "To" | "ForwardedFrom"
  >,
  outcome: AcceptOutcome,
  now: Date,
  settings: Settings,
): Omit<Known, "people"> {
  const caller = callerNumber(From);
  const call = outcome.kind === "accepted" ? outcome.call : undefined;
  const facts = call?.facts;
  // The line itself, and the number that the call comes from: dialled, they would be busy, or forward the call here again.
  const ownLines = linesThatLoop([To ?? [], facts?.own_lines ?? []].flat(), settings);
  const leadsBack = new Set([From, ForwardedFrom, ...ownLines]);
  // Only legs that were dialled here have a line of ours as their caller.
  const isOwnLeg = From !== undefined && (From === To || facts?.own_lines?.includes(From) === true);
  const isBarred = isOwnLeg || facts?.spent === true;
  return {
    callSid: CallSid,
    now,
    mode: call?.mode,
    consentGiven: call?.consent_given === true,
    caller: caller ?? undefined,
    line: To,
    calendars: facts?.calendars,
    returning: facts?.returning,
    queues: facts?.queues,
    callbacks: facts?.callbacks,
    gives_up: facts?.gives_up,
    transfer: facts?.transfer,
    agent: facts?.agent,
    cannot_dial: facts?.cannot_dial,
    longest_idle: facts?.longest_idle,
    place: call && (facts?.queue ?? null),
    mayDial: (number) =>
      isBarred || leadsBack.has(number) ? undefined : dialable(number, settings.destinations),
    // A network refuses a leg whose caller is no number. Twilio takes the called number in its place.
    // Source: https://www.twilio.com/docs/api/errors/13214
    callerId: caller !== null && isSubscriberNumber(caller)
      ? undefined
      : To !== undefined && isE164(To)
      ? To
      : undefined,
    talkSec: settings.maxCallMinutes * 60,
    audioUrl: (hash) => promptUrl(settings, hash),
  };
}
