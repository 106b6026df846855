import type { ConsentPhrases } from "./profile.ts";

/**
 * What a caller's words say about being recorded. `unclear`: they are about recording, but not
 * certainly a yes, which counts as a no. `undefined`: they are about something else.
 */
export type ConsentStatement = "granted" | "declined" | "unclear" | undefined;

const CONTRACTION_WITHOUT_APOSTROPHE =
  /\b(do|does|did|ca|could|wo|would|should|must|need|is|are|was|were|has|have|had|ai)nt\b/g;

/** Speech as it is compared: lower case, one kind of apostrophe, single spaces, no punctuation. */
export function normaliseSpeech(speech: string): string {
  return speech
    .toLowerCase()
    .replace(/[\u2018\u2019\u02bc\u00b4\u2032\uff07`]/g, "'")
    .replace(CONTRACTION_WITHOUT_APOSTROPHE, "$1n't")
    .replace(/[^\p{L}\p{N}']+/gu, " ")
    .trim();
}

/** Whether `phrase` occurs in `speech` (both normalised) as whole words. */
export function saysPhrase(speech: string, phrase: string): boolean {
  return ` ${speech} `.includes(` ${phrase} `);
}

/**
 * Reads a consent decision out of what was heard. A refusal always wins; a grant counts only where
 * nothing said with it casts a doubt on it; whatever else is said about recording is `unclear`.
 *
 * @param heard Twilio's `SpeechResult`.
 */
export function consentStatement(heard: string, phrases: ConsentPhrases): ConsentStatement {
  const speech = normaliseSpeech(heard);
  const says = (phrase: string) => saysPhrase(speech, phrase);
  if (phrases.decline.some(says) || phrases.declineAlone.includes(speech)) return "declined";
  if (phrases.grantAlone.includes(speech)) return "granted";
  if (phrases.grant.some(says)) return isDoubtful(speech, phrases) ? "unclear" : "granted";
  return phrases.topic.some(says) ? "unclear" : undefined;
}

/** Whether `speech` (normalised) denies, asks or sets a condition: going on with such words is no agreement. */
export function isDoubtful(speech: string, phrases: ConsentPhrases): boolean {
  return phrases.doubts.some((phrase) => saysPhrase(speech, phrase));
}

/** Why a call may, or may not, be recorded. */
export interface ConsentDecision {
  /** `stayed`: went on after the disclosure (under `opt_out` only); `yes`, `no`: said or pressed. */
  readonly basis: "stayed" | "yes" | "no";
  /** The turn of the call at which it was made; see `CallState`. */
  readonly turn: number;
}

export function isGranted(decision: ConsentDecision): boolean {
  return decision.basis !== "no";
}

/**
 * The rank of a decision: the highest one of a call stands, in whatever order they become known. Said
 * or pressed outranks staying on the line, later outranks earlier, and at the same turn no outranks
 * yes. At least 1; no two decisions that differ in their answer share a rank.
 */
export function consentOrder(decision: ConsentDecision): number {
  switch (decision.basis) {
    case "stayed":
      return 1;
    case "yes":
      return 2 * decision.turn + 2;
    case "no":
      return 2 * decision.turn + 3;
  }
}

/** The one of two decisions that stands. */
export function standingConsent(
  a: ConsentDecision | undefined,
  b: ConsentDecision | undefined,
): ConsentDecision | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return consentOrder(b) > consentOrder(a) ? b : a;
}
