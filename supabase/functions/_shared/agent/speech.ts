// What a model writes, as it is spoken: in clauses, without markup. Pure.

/** A comma ends a clause only behind so many characters, so that speech does not come in scraps. */
const LEAST_CLAUSE = 24;
/** A text without an end of a sentence is cut at a space after so many characters. */
const MOST_CLAUSE = 240;

/**
 * Takes the clauses that are complete off the front of a stream's text. A clause is complete once something follows its
 * end, so the last sentence of a stream always stays to be sent as the last.
 */
export function takeClauses(buffer: string): { clauses: string[]; rest: string } {
  const clauses: string[] = [];
  let rest = buffer;
  for (let end = clauseEnd(rest); end > 0; end = clauseEnd(rest)) {
    clauses.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return { clauses, rest };
}

const ABBREVIATED = /(^|\s)(\p{L}|\d{1,2}|Dr|Mr|Mrs|Ms|St|Mme|Sra?|Av)$/u;

function clauseEnd(text: string): number {
  for (const { 0: mark, index } of text.matchAll(/[.!?…]["'”’)]*(?=\s)|[,;:—](?=\s)|\n/gu)) {
    const end = index + mark.length;
    if (isInMarkup(text, index)) continue;
    if (/^[,;:—]/u.test(mark) && end < LEAST_CLAUSE) continue;
    if (text.slice(0, end).trim() === "") continue;
    // An initial or an abbreviation: "Dr. Smith", "1. Sales".
    if (mark === "." && ABBREVIATED.test(text.slice(0, index))) continue;
    return end;
  }
  if (text.length <= MOST_CLAUSE) return -1;
  return text.lastIndexOf(" ", MOST_CLAUSE);
}

/** Between a `<` and its `>`, or within a link, as far as one can tell by now. */
function isInMarkup(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 200), at);
  return before.lastIndexOf("<") > before.lastIndexOf(">") ||
    before.lastIndexOf("[") > before.lastIndexOf("]");
}

/**
 * A text as it may be spoken: without Markdown, SSML or other markup, addresses of pages, emoji and control characters.
 * ConversationRelay passes SSML on to some voices and reads Markdown out.
 */
export function speakable(text: string): string {
  return text.toWellFormed()
    .replace(/```[^`]*(```|$)/g, " ")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/<\/?[A-Za-z!?][^>]*(>|$)/g, " ")
    .replace(/https?:\/\/\S+/g, " ")
    .replace(/^\s*(#{1,6}|[-*+•]|>|\d{1,2}[.)])\s+/gm, "")
    .replace(/[*_`~#|<>{}\\^]+/g, " ")
    .replace(/&(amp|lt|gt|quot|apos|nbsp);/g, " ")
    .replace(/\p{Extended_Pictographic}|\ufe0f|\u200d/gu, "")
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ")
    .replace(/ ([.,;:!?])/g, "$1")
    .trim();
}

/** Words that a voice speaks in a second, and how long Twilio takes to begin. Measured by others: 320 to 340 ms. */
const WORDS_A_SECOND = 2.6;
export const START_MS = 330;

/** How long a voice takes for a text, in milliseconds. */
export function spokenMs(text: string): number {
  const words = text.match(/\p{N}|[\p{L}'’-]+/gu)?.length ?? 0;
  return Math.round(words / WORDS_A_SECOND * 1000);
}

/**
 * What was heard of a text that was cut short, and what was not.
 *
 * @param until What Twilio says was spoken; `undefined`: nothing is known, and half a second is taken for nothing.
 */
export function cutAt(planned: string, until: string | undefined): { heard: string; rest: string } {
  if (until === undefined || until.trim() === "") return { heard: "", rest: planned };
  const words = until.match(WORD) ?? [];
  // The words of the text, as far as they are those that were spoken.
  let end = 0;
  let at = 0;
  for (const match of planned.matchAll(WORD)) {
    if (at === words.length || match[0].toLowerCase() !== words[at]!.toLowerCase()) break;
    end = match.index + match[0].length;
    at++;
  }
  // A part of a word is heard as none.
  const rest = planned.slice(end);
  const punctuation = /^[.,;:!?…]*/u.exec(rest)![0].length;
  return {
    heard: planned.slice(0, end + punctuation).trim(),
    rest: rest.slice(punctuation).trim(),
  };
}

const WORD = /[\p{L}\p{N}'’]+/gu;
