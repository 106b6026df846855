// Comma-separated values, RFC 4180. JavaScript, because the console's page, which has no build, takes this file as it is.

/** What a spreadsheet takes for the beginning of a formula, in full width too. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

/**
 * One row, with its line end. A cell that a spreadsheet would run as a formula begins with an apostrophe.
 * Source: https://owasp.org/www-community/attacks/CSV_Injection
 *
 * @param {readonly (string | number | null | undefined)[]} cells
 * @returns {string}
 */
export function csvRow(cells) {
  return `${cells.map(cell).join(",")}\r\n`;
}

/**
 * @param {string | number | null | undefined} value
 * @returns {string}
 */
function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  // A telephone number, which a spreadsheet takes for a number, can be read back.
  const text = FORMULA.test(value) && !/^\+\d{7,15}$/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * A record of a file and the line it begins on, counted from 1.
 *
 * @typedef {{ readonly line: number, readonly cells: readonly string[] }} CsvRecord
 */

/**
 * Reads the records of a file, whatever its line ends; blank lines are none. The separator is the comma or, where the
 * first line has more of them, the semicolon, which spreadsheets write in many countries.
 *
 * @param {string} text
 * @returns {Generator<CsvRecord>}
 */
export function* csvRecords(text) {
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
  /** @type {string[]} */
  let cells = [];
  let current = "";
  const end = () => {
    const record = { line: begun, cells: [...cells, current] };
    cells = [];
    current = "";
    return record;
  };
  const isBlank = ({ cells }) => cells.every((each) => each.trim() === "");
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

/**
 * Cuts a file into smaller ones with the same first line, each at most `max.lines` records and little more than
 * `max.characters`.
 *
 * @param {string} text
 * @param {{ readonly lines: number, readonly characters: number }} max
 * @param {number} [from] The first line to take: those before it are left out.
 * @returns {Generator<{
 *   readonly text: string,
 *   readonly first: number,
 *   readonly count: number,
 *   readonly lineOf: (line: number) => number,
 * }>} `first`: the line of the whole file that it begins on; `count`: its records; `lineOf`: the line of the whole file
 *   that a line of it is.
 */
export function* csvSlices(text, max, from = 0) {
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/);
  const begins = [...csvRecords(text)].slice(1).map(({ line }) => line);
  if (begins.length === 0) return;
  const title = lines.slice(0, begins[0] - 1);
  const taken = begins.filter((line) => line >= from);
  const until = (/** @type {number} */ nth) => (taken[nth] ?? lines.length + 1) - 1;
  for (let next = 0; next < taken.length;) {
    const first = taken[next];
    let [count, characters] = [0, 0];
    do {
      characters += lines.slice(taken[next + count] - 1, until(next + count + 1)).join("\n").length;
      count++;
    } while (count < max.lines && next + count < taken.length && characters < max.characters);
    next += count;
    yield {
      text: [...title, ...lines.slice(first - 1, until(next))].join("\n"),
      first,
      count,
      lineOf: (line) => line + first - title.length - 1,
    };
  }
}
