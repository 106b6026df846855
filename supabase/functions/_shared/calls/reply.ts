import type { FunctionName } from "../functions.ts";
import type { E164 } from "../phone.ts";
import type { Dialable } from "../destinations.ts";
import { type LineProfile, menuName, menuPrompt, type Target } from "./profile.ts";
import type { CallState } from "./state.ts";

/** One of our own URLs for Twilio to call, before it is written out (see `twilio/callback_url.ts`). */
export interface Callback {
  readonly to: FunctionName;
  readonly state: CallState;
  /** Which of the function's events it is, where it has several. */
  readonly event?: string;
}

/** What the caller gets, as data; `twilio/twiml.ts` writes it as TwiML. */
export type Instruction =
  | { readonly verb: "say"; readonly text: string }
  | { readonly verb: "gather"; readonly prompt: string; readonly action: Callback }
  | { readonly verb: "redirect"; readonly to: Callback }
  | {
    readonly verb: "dial";
    readonly number: Dialable;
    /** Shown to the one who is dialled; `undefined`: the caller's own number. */
    readonly callerId: E164 | undefined;
    /** Seconds after which the conversation ends. */
    readonly timeLimit: number;
    readonly record: boolean;
    readonly action: Callback;
    readonly statusCallback: Callback;
    readonly recordingCallback: Callback;
  }
  | {
    readonly verb: "record";
    readonly action: Callback;
    readonly recordingCallback: Callback;
    readonly transcriptionCallback: Callback;
  }
  | { readonly verb: "hangup" };

export type Reply = readonly Instruction[];

/** Texts that are empty are not said. */
export function say(...texts: string[]): Reply {
  return texts.filter((text) => text !== "").map((text) => ({ verb: "say", text }));
}

/**
 * The menu, answered by `to`. Silence falls through to the same address, so that whatever the caller
 * does, or does not do, one step decides what comes next.
 */
export function menu(profile: LineProfile, state: CallState, to: FunctionName): Reply {
  const action: Callback = { to, state: { ...state, menu: menuName(profile) } };
  return [
    { verb: "gather", prompt: menuPrompt(profile), action },
    { verb: "redirect", to: action },
  ];
}

/** What is known of a call when somebody is to be dialled for it. */
export interface Dialling {
  /** Consent to what the caller was told is known, from the database, to be given: the one ground for a recording. */
  readonly mayRecord: boolean;
  /** Whether the call may go to this number: not where it would come back, nor beyond what a line may dial in a day. */
  mayDial(number: Dialable): boolean;
  /** Shown in place of the caller's number, where the caller has none that a network takes. */
  readonly callerId: E164 | undefined;
}

/** Puts the caller through to a person, or to voicemail, without another webhook in between. */
export function connect(
  profile: LineProfile,
  { destination, announcement }: Target,
  state: CallState,
  call: Dialling,
): Reply {
  if (destination.kind === "voicemail") return voicemail(profile, state);
  if (!call.mayDial(destination.number)) {
    return [...say(profile.voicemail.unanswered), ...voicemail(profile, state)];
  }
  return [
    ...say(announcement),
    {
      verb: "dial",
      number: destination.number,
      callerId: call.callerId,
      timeLimit: profile.talkSec,
      record: call.mayRecord,
      action: { to: "voice-route-action", state },
      statusCallback: { to: "voice-status", state },
      recordingCallback: { to: "voice-status", state },
    },
  ];
}

/** Asks for a message and takes it. Leaving one is the caller's own act, whatever was decided about the call. */
export function voicemail(profile: LineProfile, state: CallState): Reply {
  return [
    ...say(profile.voicemail.prompt),
    {
      verb: "record",
      action: { to: "voice-voicemail", state, event: "recorded" },
      recordingCallback: { to: "voice-voicemail", state, event: "recording" },
      transcriptionCallback: { to: "voice-voicemail", state, event: "transcription" },
    },
    // Twilio requests the action whatever is recorded; should it not, nobody is left in silence.
    ...say(profile.voicemail.nothingHeard),
    { verb: "hangup" },
  ];
}

/** What a caller gets when a step of ours fails: an apology, and voicemail. Records no conversation. */
export function apology(profile: LineProfile, state: CallState): Reply {
  return [...say(profile.apology), ...voicemail(profile, state)];
}
