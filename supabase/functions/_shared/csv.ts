// Comma-separated values, RFC 4180.

/** What a spreadsheet takes for the beginning of a formula, in full width too. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

/**
 * One row, with its line end. A cell that a spreadsheet would run as a formula begins with an apostrophe.
 * Source: https://owasp.org/www-community/attacks/CSV_Injection
 */
export function csvRow(cells: readonly (string | number | null | undefined)[]): string {
  return `${cells.map(cell).join(",")}\r\n`;
}

function cell(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  // A telephone number, which a spreadsheet takes for a number, can be read back.
  const text = FORMULA.test(value) && !/^\+\d{7,15}$/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A record of a file and the line it begins on, counted from 1. */
export interface CsvRecord {
  readonly line: number;
  readonly cells: readonly string[];
}

/**
 * Reads the records of a file, whatever its line ends; blank lines are none. The separator is the comma or, where the
 * first line has more of them, the semicolon, which spreadsheets write in many countries.
 */
export function* csvRecords(text: string): Generator<CsvRecord> {
  const source = text.replace(/^\ufeff/, "");
  const [head = ""] = source.split(/\r|\n/, 1);
  const comma = head.split(";").length > head.split(",").length ? ";" : ",";
  // Quotes count at a cell's beginning only; one that is never closed is a character like others.
  const token = new RegExp(
    `(?<=^|[${comma}\r\n])"((?:[^"]|"")*)"|[^${comma}\r\n"]+|${comma}|\r\n|\r|\n|"`,
    "g",
  );
  let line = 1;
  let begun = 1;
  let cells: string[] = [];
  let current = "";
  const end = () => {
    const record = { line: begun, cells: [...cells, current] };
    cells = [];
    current = "";
    return record;
  };
  const isBlank = ({ cells }: CsvRecord) => cells.every((each) => each.trim() === "");
  for (const [part, quoted] of source.matchAll(token)) {
    if (part === comma) {
      cells.push(current);
      current = "";
    } else if (/^[\r\n]/.test(part)) {
      const record = end();
      begun = ++line;
      if (!isBlank(record)) yield record;
    } else if (quoted === undefined) {
      current += part;
    } else {
      current += quoted.replaceAll('""', '"');
      line += quoted.match(/\r\n|\r|\n/g)?.length ?? 0;
    }
  }
  const record = end();
  if (!isBlank(record)) yield record;
}
