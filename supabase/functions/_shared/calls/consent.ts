import { wordsIn } from "./words/mod.ts";

/** The meaning of a caller's words about recording. `unclear`: about recording, but not certainly a yes. */
export type ConsentStatement = "granted" | "declined" | "unclear" | undefined;

/** `opt_out`: going on after the disclosure consents; `opt_in`: only a yes does. */
export type ConsentPolicy = "opt_out" | "opt_in";

/**
 * The disclosure that a caller heard. It travels with the call and alone decides the meaning of an answer, whatever changes
 * in the line and its settings meanwhile. Without a disclosure nothing is consent.
 */
export interface Disclosed {
  readonly policy: ConsentPolicy;
  /** The key that declines under `opt_out`, and grants under `opt_in`. */
  readonly key: string;
  /** BCP 47. */
  readonly language: string;
  /** Half the SHA-256 of the words, in hexadecimal: the table `disclosures` has the words themselves. */
  readonly words: string;
}

/** The name of `disclosed` in URLs, events and the table `disclosures`. */
export function disclosureName({ policy, key, language, words }: Disclosed): string {
  return `${policy}-${key}-${language}-${words}`;
}

/** Reads a `disclosureName` back; `undefined` for anything else. */
export function disclosureNamed(name: string): Disclosed | undefined {
  const parts = /^(opt_out|opt_in)-([0-9])-([a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3})-([0-9a-f]{32})$/
    .exec(name);
  return parts === null ? undefined : {
    policy: parts[1] as ConsentPolicy,
    key: parts[2]!,
    language: parts[3]!,
    words: parts[4]!,
  };
}

const CONTRACTION_WITHOUT_APOSTROPHE =
  /\b(do|does|did|ca|could|wo|would|should|must|need|is|are|was|were|has|have|had|ai)nt\b/g;

/** Normalises speech for comparison: lower case, one kind of apostrophe and digit, single spaces, no punctuation but stars. */
export function normaliseSpeech(speech: string): string {
  return speech
    .replace(/[\u2018\u2019\u02bc\u00b4\u2032\uff07`]/g, "'")
    .normalize("NFKC")
    .toLowerCase()
    .replace(CONTRACTION_WITHOUT_APOSTROPHE, "$1n't")
    .replace(/\*/g, " * ")
    .replace(/[^\p{L}\p{N}'*]+/gu, " ")
    .trim();
}

/** Whether `phrase` occurs in `speech` (both normalised) as whole words. */
export function saysPhrase(speech: string, phrase: string): boolean {
  return ` ${speech} `.includes(` ${phrase} `);
}

/** Whether `speech` (normalised) is a sequence of these phrases, and not a word more. */
export function isMadeOf(speech: string, phrases: readonly string[]): boolean {
  const text = `${speech} `;
  const reached = new Set([0]);
  for (const at of reached) {
    for (const phrase of phrases) {
      if (text.startsWith(`${phrase} `, at)) reached.add(at + phrase.length + 1);
    }
  }
  return speech !== "" && reached.has(text.length);
}

/** Punctuation by which speech recognition marks a question. */
export function isQuestion(heard: string): boolean {
  return /[?？؟]/.test(heard);
}

/**
 * Reads a consent decision from speech. A refusal always wins. A grant counts only when every word around it is known;
 * anything else about recording is `unclear`.
 *
 * @param heard Twilio's `SpeechResult`.
 * @param disclosed `undefined`: the disclosure is unknown, so nothing can be granted.
 * @param choices Phrases that may occur beside a grant, such as names of options. A mere yes with one of them is not a grant.
 */
export function consentStatement(
  heard: string,
  language: string,
  disclosed: Disclosed | undefined,
  choices: readonly string[] = [],
): ConsentStatement {
  const vocabulary = wordsIn(disclosed?.language ?? language);
  if (vocabulary === undefined) return undefined;
  const speech = normaliseSpeech(heard);
  const says = (phrase: string) => saysPhrase(speech, phrase);
  const key = disclosed === undefined ? [] : vocabulary.keys[disclosed.key] ?? [];

  const { declineAlone, affirm, filler } = vocabulary;
  if (vocabulary.decline.some(says)) return "declined";
  // Also said twice, politely, or after a yes: "no, no", "please don't", "yes... no".
  if (declineAlone.some(says) && isMadeOf(speech, [...declineAlone, ...affirm, ...filler])) {
    return "declined";
  }
  if (disclosed?.policy === "opt_out" && key.some(says)) return "declined";

  const grants = disclosed?.policy === "opt_in" ? [...vocabulary.grant, ...key] : vocabulary.grant;
  if (
    disclosed !== undefined && !isQuestion(heard) && grants.some(says) &&
    isMadeOf(speech, [...grants, ...affirm, ...filler, ...choices])
  ) return "granted";
  // A bare yes without a choice: the menu comes again before any dial, so the rest of an interrupted sentence ("but don't
  // record") still counts.
  const yes = affirm.some(says) && isMadeOf(speech, [...affirm, ...filler]) && !choices.some(says);
  if (disclosed !== undefined && yes && !isQuestion(heard)) return "granted";
  return vocabulary.topic.some(says) ? "unclear" : undefined;
}

/** Whether words refuse to be recorded by themselves, without a question before them. */
export function refusesRecording(heard: string, language: string): boolean {
  const speech = normaliseSpeech(heard);
  return wordsIn(language)?.decline.some((phrase) => saysPhrase(speech, phrase)) === true;
}

/** Whether words ask not to be called again. */
export function asksToStop(heard: string, language: string): boolean {
  const speech = normaliseSpeech(heard);
  return wordsIn(language)?.stop.some((phrase) => saysPhrase(speech, normaliseSpeech(phrase))) ===
    true;
}

/** The reason of a decision about recording. */
export interface ConsentDecision {
  /**
   * `stayed`: went on after the disclosure (under `opt_out` only); `yes`, `no`: said or pressed; `unsure`:
   * said something that was not understood, so that going on agrees to nothing any more.
   */
  readonly basis: "stayed" | "unsure" | "yes" | "no";
  /** The turn of the call at which it was made; see `CallState`. */
  readonly turn: number;
}

/** `null`: undecided. */
export function isGranted(decision: ConsentDecision): boolean | null {
  return decision.basis === "unsure" ? null : decision.basis !== "no";
}

/**
 * The rank of a decision. The highest rank of a call's decisions stands, whatever order they arrive in. Spoken or pressed
 * outranks staying on the line, later outranks earlier, and in one turn no outranks yes. Words that were not understood
 * outrank only staying on the line. At least 1; decisions with different answers never share a rank.
 */
export function consentOrder(decision: ConsentDecision): number {
  switch (decision.basis) {
    case "stayed":
      return 1;
    case "unsure":
      return 2;
    case "yes":
      return 2 * decision.turn + 3;
    case "no":
      return 2 * decision.turn + 4;
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
