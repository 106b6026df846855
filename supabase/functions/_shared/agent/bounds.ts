// What a model must not say by itself: that something is done or will be, and figures that nobody gave it. Pure.

import type { AgentWords } from "./words.ts";

/** Why a clause is not spoken. */
export type Overstep = "claim" | "figure";

/** What a model was given. */
export interface Grounds {
  /** Its instructions, and the results of its tools. */
  readonly given: string;
  /** What the caller said: numbers of theirs may be repeated, amounts of money may not. */
  readonly said: string;
}

/**
 * Whether a model's clause goes beyond what it may say.
 *
 * @param before What it said in the same answer before: a claim may run over the end of a clause.
 */
export function overstep(
  clause: string,
  before: string,
  { given, said }: Grounds,
  words: readonly AgentWords[],
): Overstep | undefined {
  const sentence = `${before.slice(before.search(/[^.!?…]*$/u))} ${clause}`;
  for (const { claims } of words) if (claims.test(clause) || claims.test(sentence)) return "claim";
  const isMoney = words.some(({ money }) => money.test(clause));
  if (!areKnown(numbersIn(clause), isMoney ? given : `${given} ${said}`)) return "figure";
  if (!isMoney) return undefined;
  for (const { numerals } of words) {
    const spelt = clause.toLowerCase().match(new RegExp(numerals.source, "giu")) ?? [];
    const known = given.toLowerCase();
    if (spelt.some((each) => !known.includes(each.trim()))) return "figure";
  }
  return undefined;
}

/** Digits as they stand together: those of a time, an amount or a telephone number are several. */
function numbersIn(text: string): string[] {
  return text.match(/\d+/g) ?? [];
}

/** A part of three digits or more may stand within a number that is written otherwise. */
function areKnown(numbers: readonly string[], grounds: string): boolean {
  if (numbers.length === 0) return true;
  const known = new Set(numbersIn(grounds));
  const compact = grounds.replace(/(?<=\d)[\s().-]+(?=\d)/g, "");
  return numbers.every((each) =>
    known.has(each) || each === "00" || (each.length >= 3 && compact.includes(each))
  );
}
