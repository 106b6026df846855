import { RINGING_SEC } from "../calls/reply.ts";
import { wordsIn } from "../calls/words/mod.ts";
import {
  DEFAULTS,
  type Flow,
  type FlowNode,
  type Group,
  groupOf,
  MOST_REPEATS,
  promptIn,
  wordsOf,
} from "./language.ts";

// How long a node keeps a caller at most, and how much TwiML it makes. Estimates that are never too low. Pure.

/** Seconds of audio by its hash. */
export type AudioLengths = ReadonlyMap<string, number>;

/** What a file counts whose length is not known here, in seconds. */
const UNKNOWN_AUDIO_SEC = 60;
/** What we say ourselves around a node, at its longest: "That is not one of the choices." */
const OWN_WORDS_SEC = 6;
/** Silence that ends what a caller says. */
const SPEECH_PAUSE_SEC = 2;
/** Twilio rings so much longer than it is told. Source: https://www.twilio.com/docs/voice/twiml/dial */
const RING_EXTRA_SEC = 5;
/** A member who answers is asked twice to press 1: ten seconds of words, as the business is named, and four to press. */
const CONFIRM_SEC = 30;
/** A place in line and the estimated wait, at their longest. */
const PLACE_SEC = 16;
/** "We will call you back at the number that you are calling from." */
const PROMISE_SEC = 14;
/** The longest message, which is also the longest that Twilio transcribes. */
export const MESSAGE_SEC = 120;
/** A consent node that no menu follows listens once more after an answer. */
const CONSENT_ASKINGS = 2;

/** Seconds that a text takes, spoken slowly: two words a second, or the characters where words are long or unspaced. */
export function spokenSeconds(text: string): number {
  // Numbers are read digit by digit; Chinese and Japanese have no spaces.
  const words = text.match(/\p{N}|[\p{L}'’-]+/gu)?.length ?? 0;
  const ideographs =
    text.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/gu)?.length ??
      0;
  return Math.ceil(Math.max(words / 2, text.length * 0.07) + ideographs / 4);
}

/** Seconds of a prompt in the language that takes longest. */
function promptSeconds(flow: Flow, name: string | undefined, audio?: AudioLengths): number {
  if (name === undefined) return 0;
  return most(flow.languages.map((language) => {
    const prompt = promptIn(flow, name, language);
    if (prompt === undefined) return 0;
    if (typeof prompt === "string") return spokenSeconds(prompt);
    return Math.max(
      Math.ceil(audio?.get(prompt.audio) ?? UNKNOWN_AUDIO_SEC),
      spokenSeconds(prompt.text ?? ""),
    );
  }));
}

/** How long one member's telephone keeps the caller at most, in seconds. */
export function ringSeconds(group: Group | undefined, confirm: boolean): number {
  return (group?.seconds ?? DEFAULTS.ringSeconds) + RING_EXTRA_SEC + (confirm ? CONFIRM_SEC : 0);
}

/** Seconds that a node takes at most: prompts, waiting, ringing, recording; not the talk itself. */
export function secondsOf(flow: Flow, node: FlowNode, audio?: AudioLengths): number {
  const prompt = "prompt" in node ? promptSeconds(flow, node.prompt, audio) : 0;
  switch (node.type) {
    case "say":
    case "end":
      return prompt;
    case "consent": {
      const binding = most(
        flow.languages.map((language) =>
          spokenSeconds(wordsIn(language)?.binding[node.policy]("3") ?? "")
        ),
      );
      const listening = DEFAULTS.menuSeconds + SPEECH_PAUSE_SEC + OWN_WORDS_SEC;
      return prompt + binding + CONSENT_ASKINGS * listening;
    }
    case "menu": {
      const asking = OWN_WORDS_SEC + prompt + (node.seconds ?? DEFAULTS.menuSeconds) +
        SPEECH_PAUSE_SEC;
      return (node.tries + MOST_REPEATS) * asking;
    }
    case "ring": {
      const group = groupOf(flow, node);
      // Who accepts by a key is asked one after the other, where the caller cannot be held.
      const oneAfterTheOther = group !== undefined &&
        ((group.ring ?? DEFAULTS.ring) !== "all" || group.confirm === true);
      const each = ringSeconds(group, group?.confirm === true);
      return prompt + OWN_WORDS_SEC + each * (oneAfterTheOther ? group.members.length : 1);
    }
    case "queue":
      // What is heard last may begin just before the time is over. Where the caller cannot be held, one member rings at least.
      return Math.max(
        node.max_seconds + prompt + PLACE_SEC + RINGING_SEC,
        OWN_WORDS_SEC + ringSeconds(groupOf(flow, node), true),
      );
    case "callback":
      return PROMISE_SEC;
    case "agent":
      return OWN_WORDS_SEC;
    case "voicemail":
      return OWN_WORDS_SEC + prompt + MESSAGE_SEC;
    case "language":
    case "hours":
    case "match":
    case "flow":
      return 0;
  }
}

/** A callback URL with a call's state, as an attribute. */
const URL_BYTES = 1500;
const SAY_BYTES = 200;

/** Bytes of TwiML that a node makes at most. Twilio takes documents of 64 kB. */
export function bytesOf(flow: Flow, node: FlowNode): number {
  const spoken = most(flow.languages.map((language) => {
    const prompt = "prompt" in node && node.prompt !== undefined
      ? promptIn(flow, node.prompt, language)
      : undefined;
    if (prompt === undefined) return 0;
    return typeof prompt === "string" ? xmlBytes(prompt) : 500 + xmlBytes(prompt.text ?? "");
  }));
  switch (node.type) {
    case "say":
    case "end":
      return SAY_BYTES + spoken;
    case "consent":
      return 2 * SAY_BYTES + spoken + 1000 + 2 * URL_BYTES;
    case "menu": {
      const hints = most(
        flow.languages.map((language) =>
          xmlBytes(node.options.flatMap((option) => wordsOf(option, language)).join(","))
        ),
      );
      return 3 * SAY_BYTES + spoken + hints + 2 * URL_BYTES;
    }
    case "ring": {
      const group = groupOf(flow, node);
      return SAY_BYTES + spoken + 2 * URL_BYTES + 3 * URL_BYTES * (group?.members.length ?? 1);
    }
    case "voicemail":
    case "queue":
    case "callback":
    case "agent":
      return 3 * SAY_BYTES + spoken + 4 * URL_BYTES;
    case "language":
    case "hours":
    case "match":
    case "flow":
      return 0;
  }
}

/**
 * Whether one `<Say>` can hold a text: 3000 bytes with Polly's voices, and 4500 URL-encoded.
 * Source: https://www.twilio.com/docs/api/errors/13521
 */
export function isSayable(text: string): boolean {
  const bytes = ENCODER.encode(text).length;
  const unencoded = text.match(/[\w.~-]/g)?.length ?? 0;
  return bytes <= 3000 && 3 * bytes - 2 * unencoded <= 4500;
}

const ENCODER = new TextEncoder();
function xmlBytes(text: string): number {
  return ENCODER.encode(text).length + 5 * (text.match(/[<>&"']/g)?.length ?? 0);
}

export function most(numbers: readonly number[]): number {
  return Math.max(0, ...numbers);
}
