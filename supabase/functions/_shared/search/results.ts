import type { SearchResult } from "../db/search.ts";
import { snippetParts } from "./snippet.js";

/** The columns of an export: the fields of a result, with the snippet as plain text. */
export const EXPORT_COLUMNS = [
  "kind",
  "call_sid",
  "at",
  "title",
  "snippet",
  "start_sec",
  "score",
  "url",
] as const;

/** The page of a result in the console, at its second of audio. Relative to the console's address. */
export function urlOf({ kind, call_sid, ref, start_sec }: SearchResult): string {
  if (call_sid !== null) return `#/calls/${call_sid}${start_sec === null ? "" : `/${start_sec}`}`;
  return kind === "message" ? `#/contacts/messages/${ref}` : `#/contacts/${ref}`;
}

/** A result without a second where there is no audio, and without the key of a call, which is `call_sid`. */
export function present({ start_sec, ref, ...result }: SearchResult) {
  return { ...result, ...(ref !== null && { ref }), ...(start_sec !== null && { start_sec }) };
}

/** A result as a row of an export. */
export function exportRow(
  result: { readonly [Column in typeof EXPORT_COLUMNS[number]]?: string | number | null },
): (string | number | null | undefined)[] {
  const row = { ...result, snippet: plain(String(result.snippet)) };
  return EXPORT_COLUMNS.map((column) => row[column]);
}

/** A snippet as text. What was found in it goes through `mark`. */
export function plain(snippet: string, mark: (text: string) => string = (text) => text): string {
  return snippetParts(snippet).map((part, nth) => nth % 2 === 1 ? mark(part) : part).join("");
}
