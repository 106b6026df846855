// A file of contacts, as spreadsheets and address books write it.

import type { ContactRow } from "../db/contacts.ts";
import { writtenNumber } from "../phone.ts";
import { plainText } from "../text.ts";
import { csvRecords } from "../csv.js";

/** A line that is not taken, and why. Repeats nothing of it. */
export interface Rejected {
  readonly line: number;
  readonly reason: string;
}

export interface ContactFile {
  readonly contacts: readonly ContactRow[];
  readonly rejected: readonly Rejected[];
}

/** Contacts of one request. */
const MOST_CONTACTS = 5000;

/** The longest text of each column. */
const COLUMNS = { phone: 40, name: 200, company: 200, notes: 2000 } as const;
type Column = keyof typeof COLUMNS;

/**
 * Reads a file whose first line names its columns: `phone`, and any of `name`, `company` and `notes`; others are ignored.
 * Of a number that comes twice the first line counts.
 *
 * @returns a text: why the whole file cannot be read.
 */
export function parseContacts(text: string): ContactFile | string {
  // What a decoder puts for bytes that are none of UTF-8.
  if (text.includes("\ufffd")) return 'must be in UTF-8: save it as "CSV UTF-8"';
  const records = csvRecords(text);
  const { value: head } = records.next();
  if (!head) return "must begin with a line that names its columns, such as phone,name,company";
  const at = new Map<Column, number>();
  for (const [index, title] of head.cells.entries()) {
    const name = title.trim().toLowerCase();
    if (Object.hasOwn(COLUMNS, name) && !at.has(name as Column)) at.set(name as Column, index);
  }
  if (!at.has("phone")) return "must have a column named phone in its first line";
  const contacts: ContactRow[] = [];
  const rejected: Rejected[] = [];
  const seen = new Set<string>();
  for (const { line, cells } of records) {
    if (contacts.length + rejected.length === MOST_CONTACTS) {
      return `must have at most ${MOST_CONTACTS} contacts: send it in parts, each with the first line`;
    }
    const read = contactOf(cells, at);
    if (typeof read === "string") rejected.push({ line, reason: read });
    else if (seen.has(read.phone)) {
      rejected.push({ line, reason: "this number is in an earlier line" });
    } else {
      seen.add(read.phone);
      contacts.push(read);
    }
  }
  return { contacts, rejected };
}

function contactOf(
  cells: readonly string[],
  at: ReadonlyMap<Column, number>,
): ContactRow | string {
  const contact: Partial<Record<Column, string>> = {};
  for (const [column, index] of at) {
    // What our own export put before a formula is none of the text.
    const text = plainText(cells[index] ?? "").replace(/^'(?=[=+\-@])/, "");
    if (text.length > COLUMNS[column]) {
      return `${column} must have at most ${COLUMNS[column]} characters`;
    }
    if (text !== "") contact[column] = text;
  }
  const phone = writtenNumber(contact.phone ?? "");
  return phone === undefined
    ? "phone must be a number such as +15877428885 or (587) 742-8885"
    : { ...contact, phone };
}
