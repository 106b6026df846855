// What a model must not say by itself: that something is done or will be, and figures that nobody gave it. Pure.

import { withoutSpelling } from "./redact.ts";
import type { AgentWords } from "./words.ts";

/** Leads to a person in every talk. */
const OPERATOR_KEY = "0";

/** Why a clause is not spoken. */
export type Overstep = "claim" | "figure";

/** What a model was given. */
export interface Grounds {
  /** What the business wrote: its instructions, and the results of tools. Our own rules are none of it. */
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
  if (standsIn(clause, given)) return undefined;
  const sentence = `${before.slice(before.search(/[^.!?…]*$/u))} ${clause}`;
  for (const { claims } of words) if (claims.test(clause) || claims.test(sentence)) return "claim";
  const isMoney = words.some(({ money }) => money.test(clause));
  const grounds = isMoney ? given : `${given} ${said} ${OPERATOR_KEY}`;
  if (!areKnown(numbersIn(clause), grounds)) return "figure";
  // A telephone number that is spelt out.
  if (!areKnown(numbersIn(withoutSpelling(clause)), withoutSpelling(grounds))) return "figure";
  if (!isMoney) return undefined;
  for (const { numerals } of words) {
    const spelt = clause.toLowerCase().match(new RegExp(numerals.source, "giu")) ?? [];
    const known = new Set(wordsIn(given));
    if (spelt.some((each) => !wordsIn(each).every((word) => known.has(word)))) return "figure";
  }
  return undefined;
}

const wordsIn = (text: string) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** Whether the business wrote this clause itself. */
function standsIn(clause: string, given: string): boolean {
  const words = wordsIn(clause);
  return words.length >= 3 && ` ${wordsIn(given).join(" ")} `.includes(` ${words.join(" ")} `);
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
