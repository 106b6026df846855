/**
 * Characters that are invisible, break a line or change how others look: controls, marks of writing direction, zero
 * width, fillers, tags, and variant selectors behind characters without variants (emoji and Chinese characters have
 * variants). In a short text they can begin another header, hide text or reverse it.
 */
const INVISIBLE =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Co}\u2800]|(?![\ufe00-\ufe0f\u{e0100}-\u{e01ef}])[\p{Cf}\p{Default_Ignorable_Code_Point}]|(?<![\p{Emoji}\p{Script=Han}])[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u;

/** Whether a short text, such as a name or a subject, is one line of characters that all can be seen. */
export function isOneVisibleLine(value: string): boolean {
  return !INVISIBLE.test(value);
}

/** The error message for `isOneVisibleLine`. */
export const ONE_VISIBLE_LINE =
  "must be one line without control characters, invisible characters or marks of writing direction";

/** Marks that turn the direction of what follows, and those that hide a text within another. */
const MISLEADING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/gu;

/** A text with Unix line ends, in which unprintable characters are spaces and misleading ones are removed. */
export function plainText(value: string): string {
  return value.toWellFormed().replaceAll(/\r\n?|\u2028|\u2029/g, "\n")
    .replaceAll(/[^\P{Cc}\n\t]/gu, " ").replaceAll(MISLEADING, "").trim();
}

/**
 * Writes a stranger's text so that no program makes links of it: addresses get brackets, as in
 * `http[:]//www[.]example[.]com` or `jane[@]example[.]com`. Mail programs link whatever has a scheme, begins
 * with `www.`, looks like a domain, an e-mail address or a share (`\\server`), in plain text and in HTML alike.
 */
export function unlinked(value: string): string {
  return value
    // A dot within a word, but for that of a number such as 3.50. One pass: a look back goes no further than the digits.
    .replaceAll(
      /(?<=[^\s.])(?!(?<=(?<![\d.])\d+)\.\d+(?![\d.\p{L}-]))[.\u3002\uff0e\uff61](?=[^\s.])/gu,
      "[$&]",
    )
    .replaceAll(/(?<=\p{L}[\p{L}\d+.-]*):(?=\S)/gu, "[:]")
    .replaceAll(/(?<=\S)[@\uff20](?=\S)/gu, "[$&]")
    .replaceAll(/\\\\(?=\S)/g, "[\\\\]");
}

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
