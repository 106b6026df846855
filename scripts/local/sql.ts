/** One statement of an SQL file, without the semicolon that ends it. */
export interface Statement {
  readonly text: string;
  /** Where it begins in the file, in UTF-16 code units. */
  readonly offset: number;
}

/**
 * What a semicolon can hide in, and the words that open and close a `begin atomic` body. Block
 * comments nest, so they are only recognised here and skipped by hand.
 */
const TOKEN =
  /--[^\n]*|\/\*|\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?<![\w$])\$(?:[A-Za-z_]\w*)?\$|\bbegin\s+atomic\b|[A-Za-z_][\w$]*|[();]/gis;

/**
 * Splits SQL at the semicolons between statements, as the Supabase CLI does: comments stay with
 * the statement that follows them, and nothing but space is dropped.
 */
export function splitStatements(sql: string): Statement[] {
  const statements: Statement[] = [];
  let start = 0;
  let parentheses = 0;
  // How many `begin atomic` and `case` wait for their `end`.
  let blocks = 0;

  const finish = (end: number) => {
    const raw = sql.slice(start, end);
    const text = raw.trim();
    if (text !== "") statements.push({ text, offset: start + raw.indexOf(text) });
    start = end + 1;
  };

  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(sql); match !== null; match = TOKEN.exec(sql)) {
    const token = match[0].toLowerCase();
    if (token === "/*") {
      TOKEN.lastIndex = endOfComment(sql, TOKEN.lastIndex);
    } else if (token.startsWith("$")) {
      const close = sql.indexOf(match[0], TOKEN.lastIndex);
      TOKEN.lastIndex = close === -1 ? sql.length : close + match[0].length;
    } else if (token === "(") parentheses++;
    else if (token === ")") parentheses--;
    else if (/^begin\s/.test(token)) blocks++;
    else if (blocks > 0 && token === "case") blocks++;
    else if (blocks > 0 && token === "end") blocks--;
    else if (token === ";" && parentheses <= 0 && blocks === 0) {
      finish(match.index);
      parentheses = 0;
    }
  }
  finish(sql.length);
  return statements;
}

function endOfComment(sql: string, from: number): number {
  const mark = /\/\*|\*\//g;
  mark.lastIndex = from;
  for (let depth = 1, match = mark.exec(sql); match !== null; match = mark.exec(sql)) {
    depth += match[0] === "/*" ? 1 : -1;
    if (depth === 0) return mark.lastIndex;
  }
  return sql.length;
}

/** A name as SQL has it. It must not hold a zero byte. */
export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as SQL has it, with `standard_conforming_strings`. It must not hold a zero byte. */
export function quotedText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
