/**
 * What shows as nothing, as a break of the line, or changes how others show: controls, marks of writing direction, zero
 * width, fillers, tags, and selectors of a variant that stand behind nothing that has variants (an emoji or
 * a Chinese character has). In a short text they begin another header, hide something, or turn it around.
 */
const INVISIBLE =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Co}\u2800]|(?![\ufe00-\ufe0f\u{e0100}-\u{e01ef}])[\p{Cf}\p{Default_Ignorable_Code_Point}]|(?<![\p{Emoji}\p{Script=Han}])[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/u;

/** Whether a short text, such as a name or a subject, is one line of characters that all can be seen. */
export function isOneVisibleLine(value: string): boolean {
  return !INVISIBLE.test(value);
}

/** For `isOneVisibleLine`, in the words of an error message. */
export const ONE_VISIBLE_LINE =
  "must be one line without control characters, invisible characters or marks of writing direction";

/** Marks that turn the direction of what follows, and those that hide a text within another. */
const MISLEADING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/gu;

/** A text of several lines, as Unix has them, with a space for what cannot be printed and nothing for what misleads. */
export function plainText(value: string): string {
  return value.toWellFormed().replaceAll(/\r\n?|\u2028|\u2029/g, "\n")
    .replaceAll(/[^\P{Cc}\n\t]/gu, " ").replaceAll(MISLEADING, "").trim();
}

/**
 * A stranger's text of which no program makes a link: an address is shown with brackets around what makes it one, as in
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
