import { createHash } from "node:crypto";
import type { Dialable } from "../destinations.ts";
import type { Settings } from "../settings.ts";
import { type ConsentPolicy, type Disclosed, disclosureName } from "./consent.ts";
import type { SpokenDisclosure } from "./events.ts";
import { vocabularyOf } from "./words.ts";

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
  /** Words and phrases that choose it when spoken, beside its key's name; as `normaliseSpeech` leaves them. */
  readonly spoken: readonly string[];
}

/** What a line tells its callers about recording. */
export interface LineConsent {
  readonly policy: ConsentPolicy;
  /** The key that decides otherwise than silence does: declines under `opt_out`, grants under `opt_in`. */
  readonly key: string;
  /** Spoken whole before anything is recorded; ends with the language's binding sentence. */
  readonly disclosure: string;
  readonly granted: string;
  readonly declined: string;
}

/**
 * Everything that differs between two companies' lines, as one value. No step knows a department, a
 * number or a word of its own.
 */
export interface LineProfile {
  /** BCP 47, as Twilio's `<Say language>` takes it. */
  readonly language: string;
  /** A voice of Twilio's `<Say voice>` that speaks the language; absent: the account's own. */
  readonly voice?: string | undefined;
  readonly greeting: string;
  /** Absent: callers are told nothing about recording, and nothing is recorded. */
  readonly consent?: LineConsent | undefined;
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
    /** True of a caller who left a message and of one who said nothing. */
    readonly goodbye: string;
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

/** What a caller of this line is told about recording; `undefined`: nothing. */
export function disclosedBy({ language, consent }: LineProfile): Disclosed | undefined {
  if (consent === undefined) return undefined;
  const { policy, key, disclosure } = consent;
  return { policy, key, language, words: fingerprint(disclosure, 32) };
}

/** What a caller was told, with its words, where the line still says them. */
export function spokenBy(
  line: LineProfile,
  disclosed: Disclosed | undefined,
): SpokenDisclosure | undefined {
  const now = disclosedBy(line);
  if (line.consent === undefined || now === undefined || disclosed === undefined) return undefined;
  const name = disclosureName(now);
  return name === disclosureName(disclosed)
    ? { ...now, name, words: line.consent.disclosure }
    : undefined;
}

/** Tells one menu as it is heard from another, so that a key is never read by a menu that nobody heard. */
export function menuName(line: LineProfile): string {
  const keys = line.menu.options.map(({ key, mode }) => `${key} ${mode}`);
  return fingerprint([menuPrompt(line), line.menu.repeatKey, ...keys].join("\n"), 8);
}

function fingerprint(text: string, digits: number): string {
  return createHash("sha256").update(text).digest("hex").slice(0, digits);
}

/**
 * What a line tells about recording: the language's binding sentence, after whatever its owner says about
 * it; `undefined` in a language that has none.
 */
export function consentOf(
  policy: ConsentPolicy,
  language: string,
  addition?: string,
): LineConsent | undefined {
  const binding = vocabularyOf(language)?.binding[policy];
  return binding && {
    policy,
    key: CONSENT_KEY,
    disclosure: (addition === undefined ? "" : `${addition.replace(/[^.!?]$/, "$&.")} `) +
      binding(CONSENT_KEY),
    granted: "Thank you. This call may be recorded.",
    declined: "Understood. This call will not be recorded.",
  };
}

const CONSENT_KEY = "3";

/** The line as the settings describe it: English, with sales, support and voicemail. */
export function defaultProfile(settings: Settings): LineProfile {
  return {
    language: "en-US",
    voice: "Polly.Joanna",
    greeting: "Thank you for calling TradeLine 24 7.",
    consent: consentOf(settings.recordingConsent, "en-US"),
    menu: {
      options: [
        {
          key: "1",
          mode: "sales",
          destination: { kind: "dial", number: settings.salesTarget },
          prompt: "For sales, press 1.",
          announcement: "Connecting you to sales.",
          spoken: ["sales", "buy", "purchase", "quote"],
        },
        {
          key: "2",
          mode: "support",
          destination: { kind: "dial", number: settings.supportTarget },
          prompt: "For support, press 2.",
          announcement: "Connecting you to support.",
          spoken: ["support", "help", "technical", "service"],
        },
        {
          key: "9",
          mode: "voicemail",
          destination: { kind: "voicemail" },
          prompt: "To leave a message, press 9.",
          announcement: "",
          spoken: ["message", "voicemail", "voice mail"],
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
      goodbye: "Thank you for calling. Goodbye.",
      maxSec: 120,
      silenceSec: 5,
    },
    rateLimited: "There are too many calls right now. Please try again in a minute. Goodbye.",
    apology: "We are sorry, something went wrong on our side.",
  };
}
