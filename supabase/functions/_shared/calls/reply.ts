import type { Dialable } from "../destinations.ts";
import { type Phrase, phrase } from "./words/mod.ts";
import type { FunctionName } from "../functions.ts";
import type { E164 } from "../phone.ts";
import type { CallState } from "./state.ts";

/** One of our own callback URLs, before it is written (see `twilio/callback_url.ts`). */
export interface Callback {
  readonly to: FunctionName;
  readonly state: CallState;
  /** Which of the function's events it is, where it has several. */
  readonly event?: string;
  /** The call that dialled, where Twilio asks on behalf of a leg of it. */
  readonly call?: string;
  /** The attempt whose leg it is; see the table `dial_attempts`. */
  readonly token?: string;
  /** Who calls, on behalf of a campaign, as it is spoken. */
  readonly who?: string;
}

/** What a caller hears. */
export type Prompt =
  | {
    readonly verb: "say";
    readonly text: string;
    /** BCP 47. */
    readonly language: string;
    /** One of Twilio's that speaks the language; absent: the account's own. */
    readonly voice: string | undefined;
  }
  | { readonly verb: "play"; readonly url: string }
  /** The tone of a telephone that rings elsewhere, each time for `RINGING_SEC`. */
  | { readonly verb: "ringing"; readonly times: number };

/** How long one ringing and the pause after it last, in seconds. */
export const RINGING_SEC = 6;

/** The answer to the caller as data, with everything that `twilio/twiml.ts` writes. */
export type Instruction =
  | Prompt
  | {
    readonly verb: "gather";
    readonly prompts: readonly Prompt[];
    /** What is spoken in; BCP 47. */
    readonly language: string;
    /** Seconds of silence that end it. */
    readonly seconds: number;
    /** What speech recognition should expect: at most 500 entries of 100 characters. */
    readonly hints: readonly string[];
    /** Whether `#` is a key like others; it ends what is pressed otherwise. */
    readonly poundIsKey: boolean;
    /** It listens to no speech. */
    readonly keysOnly?: true;
    /** Keys that are one answer; absent: one key. Several end by `#`. */
    readonly digits?: number;
    readonly action: Callback;
  }
  | { readonly verb: "redirect"; readonly to: Callback }
  | { readonly verb: "pause"; readonly seconds: number }
  | {
    readonly verb: "dial";
    /** Rung simultaneously; the first that answers is connected. */
    readonly numbers: readonly Dialable[];
    /** The caller id of the dial; `undefined`: the caller's own number. */
    readonly callerId: E164 | undefined;
    /** How long they ring, in seconds. */
    readonly seconds: number;
    /** Seconds after which the conversation ends. */
    readonly timeLimit: number;
    readonly record: boolean;
    readonly action: Callback;
    readonly statusCallback: Callback;
    readonly recordingCallback: Callback;
    /** A document for the person who answers, before the connection; absent: none. */
    readonly screen?: Callback | undefined;
    /** Whether `*` by the caller of the dial ends it, and its action is asked. */
    readonly hangupOnStar?: true;
  }
  | {
    /** Connects the leg with the caller who has held longest in a queue. */
    readonly verb: "dial_queue";
    /** See `Hold`. */
    readonly queue: string;
    /** How long it waits for somebody in the queue, in seconds. */
    readonly seconds: number;
    readonly timeLimit: number;
    /** Whether the caller consented; their call's SID is in `recordingCallback`. */
    readonly record: boolean;
    readonly action: Callback;
    /** Asked on the caller's leg, just before the two are connected. */
    readonly connects: Callback;
    readonly recordingCallback: Callback;
    readonly hangupOnStar?: true;
  }
  | {
    /** Lets the caller hold. */
    readonly verb: "enqueue";
    /** The queue's name in the Twilio account, under 64 characters. */
    readonly queue: string;
    /** What the caller hears, again and again. */
    readonly wait: Callback;
    /** Asked when the caller leaves, or the talk after it has ended. */
    readonly action: Callback;
  }
  /** Within what a caller who holds hears: ends the holding. */
  | { readonly verb: "leave" }
  | {
    readonly verb: "record";
    /** Seconds; at most 120, the longest that Twilio transcribes. */
    readonly maxSec: number;
    /** Seconds of silence that end a message. */
    readonly silenceSec: number;
    readonly transcribe: boolean;
    readonly action: Callback;
    readonly recordingCallback: Callback;
    readonly transcriptionCallback: Callback;
  }
  | {
    /** A talk with an agent, over a socket. */
    readonly verb: "talk";
    /** BCP 47. */
    readonly language: string;
    /** The flow's languages, with the voices that it names for them. */
    readonly voices: readonly { readonly language: string; readonly voice: string | undefined }[];
    /** What speech recognition should expect: names of departments, and of the business. */
    readonly hints: readonly string[];
    /** The disclosure; empty where the talk goes on. */
    readonly greeting: string;
    /** Asked when the talk has ended; the socket is told its state. */
    readonly action: Callback;
  }
  | { readonly verb: "hangup" };

export type Reply = readonly Instruction[];

/** How words are spoken. */
export interface Speech {
  /** BCP 47. */
  readonly language: string;
  /** The voice that speaks a language here. */
  voice(language: string): string | undefined;
}

/** In the account's own voice, which Twilio does not refuse. */
export function plainly(language = "en-US"): Speech {
  return { language, voice: () => undefined };
}

/** Our own phrases, as one text. */
export function own(speech: Speech, ...names: Phrase[]): Prompt {
  const [first, ...others] = names.map((name) => phrase(name, speech.language));
  return {
    verb: "say",
    text: [first, ...others].map((each) => each!.text).join(" "),
    language: first!.language,
    voice: speech.voice(first!.language),
  };
}

/** The longest message, which is also the longest that Twilio transcribes. */
export const MESSAGE_SEC = 120;
/** Seconds of silence that end a message. */
export const MESSAGE_SILENCE_SEC = 5;

/** Asks for a message and records it, whatever was decided about recording the call: leaving it is the caller's own act. */
export function takeMessage(speech: Speech, state: CallState, prompts?: readonly Prompt[]): Reply {
  return [
    ...prompts ?? [own(speech, "leaveMessage")],
    {
      verb: "record",
      maxSec: MESSAGE_SEC,
      silenceSec: MESSAGE_SILENCE_SEC,
      // Twilio transcribes US English only.
      transcribe: speech.language === "en-US",
      action: { to: "voice-voicemail", state, event: "recorded" },
      recordingCallback: { to: "voice-voicemail", state, event: "recording" },
      transcriptionCallback: { to: "voice-voicemail", state, event: "transcription" },
    },
    // Twilio always requests the action; if it does not, the caller is not left in silence.
    own(speech, "noMessage", "goodbye"),
    { verb: "hangup" },
  ];
}

/** The answer when a step of ours fails: an apology and voicemail. Records no conversation. */
export function apology(state: CallState): Reply {
  const speech = plainly(state.language);
  return [own(speech, "sorry"), ...takeMessage(speech, state)];
}
