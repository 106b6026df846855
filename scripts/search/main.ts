/**
 * `deno task search`: what was said on a line's calls, from the terminal.
 *
 * @module
 */
import { plain } from "../../supabase/functions/_shared/search/results.ts";
import {
  ADDRESS,
  command,
  type CommandContext,
  environment,
  FLAG,
  nothingAnswers,
  numberFrom,
  type Parsed,
  type Project,
  projectOf,
  TEXT,
  textThat,
  UsageError,
} from "../command.ts";

const HELP =
  `Find what was ever said: calls, voicemails, transcripts, notes, contacts, website messages.

  npx -y deno@2.9.6 task search "late fee"            calls in which both words were said
  npx -y deno@2.9.6 task search '"late fee" -waived'  this phrase, and not that word; or is understood too
  npx -y deno@2.9.6 task search 7428 --has voicemail  three digits or more of a number
  npx -y deno@2.9.6 task search refund --from 2026-11-01 --csv > refunds.csv
  npx -y deno@2.9.6 task search import FILE           contacts of a CSV file: phone, and any of name, company, notes

  --from <day>          from this day on (UTC), or from this time on, such as 2026-11-21T09:00:00-07:00
  --to <day>            up to the end of this day, or before this time
  --number <digits>     calls with this number, or three digits or more of it
  --direction <text>    inbound or outbound
  --disposition <text>  connected, voicemail, abandoned, rate_limited or failed
  --mode <text>         what the call was for: sales, support, ...
  --line <number>       the line that was called
  --person <handle>     the person who answered
  --tag <text>          calls with this tag
  --has <text>          voicemail, recording, transcript or note; may come again
  --min-seconds <n>     calls of this length or longer
  --max-seconds <n>     calls of this length or shorter
  --org <uuid>          this organisation only. Default: all
  --limit <n>           results, 1 to 100 (default 20)
  --csv                 every result, as comma-separated values
  --json                the answer of the function call-search
  --url <url>           the project, such as https://YOUR_PROJECT.supabase.co, with SUPABASE_SECRET_KEYS or
                        SUPABASE_SERVICE_ROLE_KEY in the environment or .env. Default: this machine
  --help

Exit code 0: found, or imported. 1: nothing was found, a line was rejected, or it failed, and why. 2: an option is wrong.`;

const CONFIG = {
  allowPositionals: true,
  options: {
    from: TEXT,
    to: TEXT,
    number: TEXT,
    direction: TEXT,
    disposition: TEXT,
    mode: TEXT,
    line: TEXT,
    person: TEXT,
    tag: TEXT,
    has: { ...TEXT, multiple: true },
    "min-seconds": numberFrom(0, true),
    "max-seconds": numberFrom(0, true),
    org: textThat("be the organisation's UUID", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i),
    limit: numberFrom(1, true, 100),
    csv: FLAG,
    json: FLAG,
    url: ADDRESS,
  },
  either: [["csv", "json"], ["csv", "limit"]],
} as const;

export interface SearchContext extends CommandContext {
  /** Takes a part of the output as it is. */
  readonly write: (part: Uint8Array) => Promise<unknown>;
}

/** @returns the exit code. */
export function main(args: string[], context: SearchContext): Promise<number> {
  return command(
    { task: "search", help: HELP, print: context.print },
    { args, ...CONFIG },
    async ({ values, positionals }) => {
      const [q, file, ...rest] = positionals;
      const imports = q === "import" && file !== undefined;
      if (q === "import" && file === undefined) {
        throw new UsageError("Name the file of contacts, such as import contacts.csv");
      }
      if (rest.length > 0 || (file !== undefined && !imports)) {
        throw new UsageError('Write what to search for as one argument, such as "late fee"');
      }
      const filters = filtersOf(values);
      if (q === undefined && filters.size === 0) {
        throw new UsageError('Say what to search for, such as "late fee", or give a filter');
      }
      const project = projectOf(context.env, values.url);
      try {
        if (imports) return await importFile(project, file, values, context);
        return values.csv
          ? await download(project, q, filters, context)
          : await find(project, q, filters, values, context);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        console.error(error.message);
        return 1;
      }
    },
  );
}

/** The command did not do what was asked; the message says why. */
class Failure extends Error {}

type Values = Parsed<typeof CONFIG>["values"];

/** The filters by the names that the function knows. */
function filtersOf({ csv: _, json: __, url: ___, limit: ____, org, ...filters }: Values) {
  const named = Object.entries({ ...filters, org_id: org })
    .filter((entry): entry is [string, string | string[]] => entry[1] !== undefined)
    .map(([name, value]) => [name.replace("-", "_"), value] as const);
  return new Map(named);
}

interface Result {
  readonly kind: string;
  readonly at: string;
  readonly title: string;
  readonly snippet: string;
  readonly start_sec?: number | null;
}

async function find(
  project: Project,
  q: string | undefined,
  filters: Map<string, string | string[]>,
  { limit, json }: Values,
  { print }: SearchContext,
): Promise<number> {
  const numbers = ["min_seconds", "max_seconds"];
  const asked = [...filters].map(([name, value]) => [
    name,
    numbers.includes(name) ? Number(value) : value,
  ]);
  const answer = await (await ask(project, "", {
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...(q !== undefined && { q }),
      filters: Object.fromEntries(asked),
      ...(limit !== undefined && { limit: Number(limit) }),
    }),
  })).json();
  if (json) {
    print(JSON.stringify(answer, null, 2));
    return answer.results.length > 0 ? 0 : 1;
  }
  const results: readonly Result[] = answer.results;
  if (answer.correction) print(`Searched for ${answer.correction}.`);
  const mark = (text: string) => Deno.stdout.isTerminal() ? `\x1b[1m${text}\x1b[22m` : text;
  for (const { kind, at, title, snippet, start_sec } of results) {
    const second = typeof start_sec === "number" ? `at ${clock(start_sec)}` : "";
    const when = `${at.slice(0, 16).replace("T", " ")} UTC`;
    print([when, kind, visible(title), second].filter(Boolean).join("  "));
    if (snippet !== "") print(`    ${visible(plain(snippet, mark))}`);
  }
  if (results.length === 0) print("Nothing was found.");
  else if (answer.next_cursor) print("There is more: raise --limit, or use --csv for all.");
  if (answer.partial) {
    print("This is not all: the search ran out of time. A filter makes it quicker.");
  }
  return results.length > 0 ? 0 : 1;
}

async function download(
  project: Project,
  q: string | undefined,
  filters: Map<string, string | string[]>,
  { write }: SearchContext,
): Promise<number> {
  const query = new URLSearchParams(q === undefined ? {} : { q });
  for (const [name, value] of filters) query.set(name, String(value));
  const { body } = await ask(project, `/export?${query}`);
  try {
    // deno-lint-ignore no-await-in-loop -- A stream, in its order.
    for await (const part of body ?? []) await write(part);
  } catch {
    throw new Failure("The export broke off, and is not complete. Run it again.");
  }
  return 0;
}

async function importFile(
  project: Project,
  file: string,
  { org }: Values,
  { print }: SearchContext,
): Promise<number> {
  const text = await Deno.readTextFile(file).catch(() => {
    throw new Failure(`Cannot read ${file}`);
  });
  const query = org === undefined ? "" : `?org_id=${org}`;
  const { added, changed, unchanged, rejected } = await (await ask(project, `/contacts${query}`, {
    headers: { "content-type": "text/csv" },
    body: text,
  })).json();
  print(`${added} added, ${changed} changed, ${unchanged} as they were`);
  for (const { line, reason } of rejected) print(`Line ${line} is rejected: ${reason}`);
  return rejected.length === 0 ? 0 : 1;
}

/** @throws {Failure} for any answer but 200. */
async function ask(
  { url, key }: Project,
  path: string,
  init?: { headers: Record<string, string>; body: string },
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`${url}/functions/v1/call-search${path}`, {
      ...(init && { method: "POST", body: init.body }),
      headers: { apikey: key, ...init?.headers },
    });
  } catch {
    throw new Failure(nothingAnswers(url));
  }
  if (response.status === 200) return response;
  const answer = await response.json().catch(() => undefined);
  const issues: { field: string; message: string }[] = answer?.issues ?? [];
  if (response.status === 400 && issues.length > 0) {
    const names = issues.map(({ field, message }) => {
      const [first, filter = ""] = field.split(".");
      if (first === "filters") return `--${filter.replace("_", "-")} ${message}`;
      return `${first === "body" ? "The file" : first} ${message}`;
    });
    if (issues[0]!.field !== "body") throw new UsageError(names.join("\n"));
    throw new Failure(names.join("\n"));
  }
  if (response.status === 401) {
    throw new Failure(
      `The secret key is not that of ${url}: set SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY`,
    );
  }
  throw new Failure(answer?.message ?? `It failed: ${url} answered ${response.status}`);
}

/** Without what moves the terminal's cursor or hides text. */
function visible(text: string): string {
  // deno-lint-ignore no-control-regex -- Escape begins the terminal's commands; those of `mark` stay.
  return text.replaceAll(/[^\P{Cc}\u001b]|\u001b(?!\[(?:1|22)m)/gu, " ");
}

function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

if (import.meta.main) {
  const writer = Deno.stdout.writable.getWriter();
  const write = (part: Uint8Array) => writer.write(part);
  Deno.exit(
    await main(Deno.args, { env: environment(), print: (line) => console.log(line), write }),
  );
}
