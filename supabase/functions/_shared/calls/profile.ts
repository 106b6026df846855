import type { Dialable } from "../destinations.ts";
import type { Settings } from "../settings.ts";

/** Where a menu choice leads. */
export type Destination =
  | { readonly kind: "dial"; readonly number: Dialable }
  | { readonly kind: "voicemail" };

/** Where a caller can be put through to. */
export interface Target {
  readonly destination: Destination;
  /** Heard before the destination is dialled. */
  readonly announcement: string;
}

export interface MenuOption extends Target {
  /** The key, one of `0`-`9`. */
  readonly key: string;
  /** What `call_logs.mode` becomes when it is chosen. */
  readonly mode: string;
  /** Heard in the menu. */
  readonly prompt: string;
  /** Words and phrases that choose it when spoken, in lower case. */
  readonly spoken: readonly string[];
}

/** Whole phrases, in lower case, in the line's language. */
export interface ConsentPhrases {
  readonly decline: readonly string[];
  readonly grant: readonly string[];
  /** These count only when they are all that was said. */
  readonly declineAlone: readonly string[];
  readonly grantAlone: readonly string[];
  /** Denials, questions and conditions: whoever says one of these has not agreed to anything. */
  readonly doubts: readonly string[];
  /** Any of these makes what was said a statement about recording, if an unclear one. */
  readonly topic: readonly string[];
}

/**
 * Everything that differs between two companies' lines, as one value. No step knows a department, a
 * number or a word of its own.
 */
export interface LineProfile {
  /** BCP 47, as Twilio's `<Say language>` takes it. */
  readonly language: string;
  /** A voice of Twilio's `<Say voice>`. */
  readonly voice: string;
  readonly greeting: string;
  readonly consent: {
    readonly policy: "opt_out" | "opt_in";
    /** Spoken whole before anything is recorded; kept as evidence with the decision. */
    readonly disclosure: string;
    /** The key that decides otherwise than silence does: declines under `opt_out`, grants under `opt_in`. */
    readonly key: string;
    readonly phrases: ConsentPhrases;
    readonly granted: string;
    readonly declined: string;
  };
  readonly menu: {
    readonly options: readonly MenuOption[];
    readonly repeatKey: string;
    readonly repeatPrompt: string;
    readonly repeatSpoken: readonly string[];
    /** How often the menu is heard without an answer before the caller is led to voicemail. */
    readonly attempts: number;
    /** Seconds of silence that end one hearing of the menu. */
    readonly timeoutSec: number;
    readonly noInput: string;
    readonly notUnderstood: string;
    /** What Twilio's speech recognition should expect: at most 500 entries of 100 characters. */
    readonly hints: readonly string[];
  };
  /** Who is dialled when a caller asks for a human (`voice-action`). */
  readonly operator: Target & { readonly key: string };
  /** How long a destination rings, in seconds. */
  readonly ringSec: number;
  /** How long a conversation lasts at most, in seconds. */
  readonly talkSec: number;
  readonly voicemail: {
    readonly unanswered: string;
    readonly prompt: string;
    readonly thanks: string;
    readonly nothingHeard: string;
    /** Seconds; at most 120, the longest that Twilio transcribes. */
    readonly maxSec: number;
    /** Seconds of silence that end a message. */
    readonly silenceSec: number;
  };
  readonly rateLimited: string;
  readonly apology: string;
}

/** Every way from the profile to a destination, by mode: what `voice-route` looks up. */
export function optionOfMode(
  profile: LineProfile,
  mode: string | undefined,
): MenuOption | undefined {
  return profile.menu.options.find((option) => option.mode === mode);
}

/** The menu as one text, in the order of its options. */
export function menuPrompt(profile: LineProfile): string {
  return [...profile.menu.options.map((option) => option.prompt), profile.menu.repeatPrompt].join(
    " ",
  );
}

const ENGLISH: ConsentPhrases = {
  decline: [
    "no recording",
    "no recordings",
    "not record",
    "not be recorded",
    "not to be recorded",
    "not being recorded",
    "not want to be recorded",
    "not want recording",
    "not recorded",
    "don't record",
    "don't want to be recorded",
    "don't want recording",
    "without recording",
    "without being recorded",
    "stop recording",
    "never record",
    "can't record",
    "cannot record",
    "opt out",
    "opting out",
    "do not consent",
    "don't consent",
    "no consent",
    "not consent",
    "do not agree",
    "don't agree",
    "not agree",
    "disagree",
    "i decline",
    "i refuse",
    "i object",
    "rather not",
  ],
  grant: [
    "you can record",
    "you may record",
    "please record",
    "yes record",
    "go ahead and record",
    "okay to record",
    "ok to record",
    "fine to record",
    "recording is fine",
    "recording is okay",
    "recording is ok",
    "i consent",
    "i agree",
    "opt in",
  ],
  declineAlone: ["no", "no thanks", "no thank you", "nope", "decline"],
  grantAlone: [
    "yes",
    "yes please",
    "yeah",
    "yep",
    "sure",
    "okay",
    "ok",
    "i do",
    "that's fine",
    "record me",
    "record the call",
    "record this call",
  ],
  doubts: [
    "no",
    "not",
    "never",
    "none",
    "nobody",
    "nothing",
    "nor",
    "neither",
    "without",
    "stop",
    "don't",
    "doesn't",
    "didn't",
    "can't",
    "cannot",
    "couldn't",
    "won't",
    "wouldn't",
    "shouldn't",
    "mustn't",
    "needn't",
    "isn't",
    "aren't",
    "wasn't",
    "weren't",
    "hasn't",
    "haven't",
    "hadn't",
    "ain't",
    "nope",
    "nah",
    "refuse",
    "decline",
    "object",
    "rather",
    "unless",
    "if",
    "until",
    "whether",
    "why",
    "what",
    "how",
    "who",
    "when",
    "do i",
    "do you",
    "did i",
    "did you",
    "is it",
    "are you",
    "am i",
    "can i",
    "should i",
    "will you",
    "would you",
  ],
  topic: ["record", "records", "recorded", "recording", "recordings", "consent", "opt"],
};

/** The line as the settings describe it: English, with sales, support and voicemail. */
export function defaultProfile(settings: Settings): LineProfile {
  const optIn = settings.recordingConsent === "opt_in";
  return {
    language: "en-US",
    voice: "Polly.Joanna",
    greeting: "Thank you for calling TradeLine 24 7.",
    consent: {
      policy: settings.recordingConsent,
      disclosure: optIn
        ? "With your agreement, this call is recorded, for quality and training. To agree, say yes, record, or press 3. Without it, nothing is recorded."
        : "This call may be recorded, for quality and training. By staying on the line you agree to it. To go on without recording, say no recording, or press 3.",
      key: "3",
      phrases: ENGLISH,
      granted: "Thank you. This call may be recorded.",
      declined: "Understood. This call will not be recorded.",
    },
    menu: {
      options: [
        {
          key: "1",
          mode: "sales",
          destination: { kind: "dial", number: settings.salesTarget },
          prompt: "For sales, press 1.",
          announcement: "Connecting you to sales.",
          spoken: ["sales", "buy", "purchase", "quote", "one"],
        },
        {
          key: "2",
          mode: "support",
          destination: { kind: "dial", number: settings.supportTarget },
          prompt: "For support, press 2.",
          announcement: "Connecting you to support.",
          spoken: ["support", "help", "technical", "service", "two"],
        },
        {
          key: "9",
          mode: "voicemail",
          destination: { kind: "voicemail" },
          prompt: "To leave a message, press 9.",
          announcement: "",
          spoken: ["message", "voicemail", "voice mail", "nine"],
        },
      ],
      repeatKey: "*",
      repeatPrompt: "To hear this again, press star.",
      repeatSpoken: ["repeat", "again", "star"],
      attempts: 2,
      timeoutSec: 5,
      noInput: "We did not hear a choice.",
      notUnderstood: "That is not one of the choices.",
      hints: [
        "sales",
        "support",
        "leave a message",
        "voicemail",
        "no recording",
        "don't record",
        "yes record",
        "I agree",
      ],
    },
    operator: {
      key: "0",
      destination: { kind: "dial", number: settings.businessTarget },
      announcement: "Connecting you to a person.",
    },
    ringSec: 20,
    talkSec: settings.maxCallMinutes * 60,
    voicemail: {
      unanswered: "Nobody can take your call right now.",
      prompt: "Please leave a message after the tone. Press pound when you are done.",
      thanks: "Thank you for your message. Goodbye.",
      nothingHeard: "We did not hear a message. Goodbye.",
      maxSec: 120,
      silenceSec: 5,
    },
    rateLimited: "There are too many calls right now. Please try again in a minute. Goodbye.",
    apology: "We are sorry, something went wrong on our side.",
  };
}
