import { ENGLISH } from "./english.ts";
import { FRENCH } from "./french.ts";
import { SPANISH } from "./spanish.ts";
import type { Words } from "./words.ts";

export type { Words } from "./words.ts";

/** One of our own phrases. */
export type PhraseName = keyof Words["says"];

const WORDS: Readonly<Record<string, Words>> = { en: ENGLISH, fr: FRENCH, es: SPANISH };

/**
 * Our words in a language. One that is not here has no known way to agree: nothing that is said in it is taken for
 * consent, staying on the line is none either, and only the key that the flow's own prompt names counts.
 *
 * @param language BCP 47.
 */
export function wordsIn(language: string): Words | undefined {
  const base = language.split("-")[0]!;
  return Object.hasOwn(WORDS, base) ? WORDS[base] : undefined;
}

/** A phrase of ours: by its name, or what it tells. */
export type Phrase = PhraseName | ((tells: Words["tells"]) => string);

/** One of our own phrases, in the language where we have it, else in English. */
export function phrase(name: Phrase, language: string) {
  const words = wordsIn(language);
  const { says, tells } = words ?? ENGLISH;
  return {
    text: typeof name === "string" ? says[name] : name(tells),
    language: words === undefined ? "en-US" : language,
  };
}
