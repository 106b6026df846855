// A slice of a campaign's list, as a CSV file.

import { type E164, writtenNumber } from "../phone.ts";
import { csvRecords } from "../csv.js";
import { plainText } from "../text.ts";
import { isZone } from "./hours.ts";
import { type Place, placeOf } from "./zones.ts";

/** A line that is not taken, and why. Repeats nothing of it. */
export interface Rejected {
  readonly line: number;
  readonly reason: string;
}

/** Somebody to be called. */
export interface CampaignContact {
  /** Where it stands in the slice. */
  readonly line: number;
  readonly phone: E164;
  readonly place: Place;
  readonly name?: string;
  readonly postal_code?: string;
  /** ISO 8601. */
  readonly consent_at?: string;
  readonly consent_source?: string;
}

export interface CampaignSlice {
  readonly contacts: readonly CampaignContact[];
  /** Lines with a number of an earlier line. */
  readonly duplicates: number;
  readonly rejected: readonly Rejected[];
}

/** Lines of one request: as many as its two seconds of processor time read with ease. */
export const MOST_LINES = 10_000;

/** The longest text of each column. */
const COLUMNS = {
  phone: 40,
  name: 200,
  zone: 64,
  postal_code: 16,
  consent_at: 40,
  consent_source: 200,
} as const;
type Column = keyof typeof COLUMNS;

/**
 * Reads a slice whose first line names its columns: `phone`, and any of the others; further ones are ignored.
 *
 * @param now Nobody has agreed later than that.
 * @param refuses Why somebody is not taken; `undefined`: nothing speaks against it.
 * @returns a text: why the whole slice cannot be read.
 */
export function parseSlice(
  text: string,
  now: Date,
  refuses: (contact: Omit<CampaignContact, "line">) => string | undefined = () => undefined,
): CampaignSlice | string {
  // What a decoder puts for bytes that are none of UTF-8.
  if (text.includes("\ufffd")) return 'must be in UTF-8: save it as "CSV UTF-8"';
  const records = csvRecords(text);
  const { value: head } = records.next();
  const at = new Map<Column, number>();
  for (const [index, title] of (head?.cells ?? []).entries()) {
    const name = title.trim().toLowerCase();
    if (Object.hasOwn(COLUMNS, name) && !at.has(name as Column)) at.set(name as Column, index);
  }
  if (!at.has("phone")) return "must begin with a line that names its columns, phone among them";
  const contacts = new Map<string, CampaignContact>();
  const rejected: Rejected[] = [];
  let lines = 0;
  for (const { line, cells } of records) {
    if (++lines > MOST_LINES) {
      return `must have at most ${MOST_LINES} lines: send it in slices, each with the first line`;
    }
    const read = contactOf(cells, at, now);
    const reason = typeof read === "string" ? read : refuses(read);
    if (reason !== undefined) rejected.push({ line, reason });
    else if (typeof read !== "string" && !contacts.has(read.phone)) {
      contacts.set(read.phone, { line, ...read });
    }
  }
  return {
    contacts: [...contacts.values()],
    duplicates: lines - rejected.length - contacts.size,
    rejected,
  };
}

function contactOf(
  cells: readonly string[],
  at: ReadonlyMap<Column, number>,
  now: Date,
): Omit<CampaignContact, "line"> | string {
  const given: Partial<Record<Column, string>> = {};
  for (const [column, index] of at) {
    const text = plainText(cells[index] ?? "");
    if (text.length > COLUMNS[column]) {
      return `${column} must have at most ${COLUMNS[column]} characters`;
    }
    if (text !== "") given[column] = text;
  }
  const { phone: written = "", zone, consent_at, ...rest } = given;
  const phone = writtenNumber(written);
  if (phone === undefined) return "phone must be a number such as +15877428885 or (587) 742-8885";
  const place = placeOf(phone);
  if (place === undefined) {
    return "phone must have an area code with a place in the United States, Canada, the United Kingdom or the European Union";
  }
  if (zone !== undefined && !(zone.includes("/") && isZone(zone))) {
    return "zone must be an IANA time zone such as America/Edmonton";
  }
  const consent = consent_at === undefined ? undefined : Date.parse(consent_at);
  if (
    consent !== undefined && !(/^\d{4}-\d\d-\d\d/.test(consent_at!) && consent <= now.getTime())
  ) {
    return "consent_at must be a time in the past such as 2026-11-21 or 2026-11-21T09:00:00-07:00";
  }
  return {
    phone,
    place: zone === undefined ? place : { ...place, zones: [zone] },
    ...rest,
    ...(consent !== undefined && { consent_at: new Date(consent).toISOString() }),
  };
}
