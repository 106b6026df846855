/** The verbs of `task campaign` that ask a project: its edge function `campaigns`. */
import { csvRecords, csvSlices } from "../../supabase/functions/_shared/csv.js";
import type { CampaignNow } from "../../supabase/functions/_shared/db/campaigns.ts";
import type { Project } from "../command.ts";
import { CommandFailure, request } from "../flow/api.ts";

export interface RunContext {
  readonly project: Project;
  readonly print: (line: string) => void;
  /** Waits, in milliseconds. */
  readonly wait: (ms: number) => Promise<void>;
}

/** @returns the new campaign's id. */
export async function create({ project }: RunContext, campaign: unknown): Promise<string> {
  const answer = await ask(project, "", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(campaign),
  });
  return (await answer.json()).id;
}

/** @returns the state that follows. */
export async function send(
  { project }: RunContext,
  id: string,
  verb: string,
  body?: unknown,
): Promise<string> {
  const answer = await ask(project, `/${id}/${verb}`, {
    method: "POST",
    ...(body !== undefined && {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  });
  return (await answer.json()).state;
}

/** One campaign, or the newest of an owner. */
export async function read(
  { project }: RunContext,
  id: string | undefined,
  org: string | undefined,
): Promise<CampaignNow[]> {
  if (id !== undefined) return [await (await ask(project, `/${id}`)).json()];
  const answer = await ask(project, org === undefined ? "" : `?org_id=${org}`);
  return (await answer.json()).campaigns;
}

/** Writes a campaign's results to a file. */
export async function save({ project }: RunContext, id: string, file: string): Promise<void> {
  const { body } = await ask(project, `/${id}/results`);
  await Deno.writeFile(file, body!).catch((error) => {
    throw error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied
      ? new CommandFailure(`Cannot write ${file}`)
      : error;
  });
}

/** Lines and characters of one request, so that each takes a second or less. */
const SLICE = { lines: 5000, characters: 1_000_000 };
/** A slice is sent so often, while the project is busy or away. */
const TRIES = 6;

/** What became of a list. */
export interface ImportedList {
  added: number;
  duplicates: number;
  suppressed: number;
  readonly rejected: { readonly line: number; readonly reason: string }[];
}

/**
 * Sends a list slice by slice, and tells how far it is.
 *
 * @param from The first line to send: those before it were taken in by an earlier run.
 * @throws {CommandFailure} which says where to go on.
 */
export async function importList(
  context: RunContext,
  id: string,
  text: string,
  from: number,
): Promise<ImportedList> {
  const [, ...contacts] = csvRecords(text);
  if (contacts.length === 0) {
    throw new CommandFailure(
      "The file must have a line that names its columns, and one or more contacts",
    );
  }
  const total = contacts.filter(({ line }) => line >= from).length;
  const all: ImportedList = { added: 0, duplicates: 0, suppressed: 0, rejected: [] };
  if (total === 0) {
    const last = contacts.at(-1)!.line;
    throw new CommandFailure(`The file has no line ${from}: its last contact is line ${last}`);
  }
  let sent = 0;
  for (const slice of csvSlices(text, SLICE, from)) {
    // deno-lint-ignore no-await-in-loop -- One after the other: so it is known how far the list is in.
    const answer = await sendSlice(context, id, slice.text).catch((error) => {
      if (!(error instanceof CommandFailure) || sent === 0) throw error;
      throw new CommandFailure(
        `${error.message}\nLines before ${slice.first} are taken in. Go on with --from ${slice.first}, or from the ` +
          "beginning: no number is added twice",
      );
    });
    all.added += answer.added;
    all.duplicates += answer.duplicates;
    all.suppressed += answer.suppressed;
    all.rejected.push(
      ...answer.rejected.map(({ line, reason }) => ({ line: slice.lineOf(line), reason })),
    );
    sent += slice.count;
    context.print(
      `${sent} of ${total} lines: ${all.added} added, ${all.duplicates} there before, ` +
        `${all.suppressed} that said stop, ${all.rejected.length} rejected`,
    );
  }
  return all;
}

async function sendSlice(
  { project, print, wait }: RunContext,
  id: string,
  slice: string,
): Promise<ImportedList> {
  for (let tries = 1;; tries++) {
    const init = { method: "POST", headers: { "content-type": "text/csv" }, body: slice };
    try {
      // deno-lint-ignore no-await-in-loop -- One attempt after the other.
      return await (await ask(project, `/${id}/contacts`, init)).json();
    } catch (error) {
      if (!(error instanceof CommandFailure) || tries === TRIES) throw error;
      const sec = error instanceof Busy ? error.retryAfterSec : undefined;
      if (sec === undefined) throw error;
      print(`${error.message}: trying again in ${sec} s`);
      // deno-lint-ignore no-await-in-loop
      await wait(sec * 1000);
    }
  }
}

/** The project could not do it now, and may in a while. */
class Busy extends CommandFailure {
  constructor(message: string, readonly retryAfterSec: number) {
    super(message);
  }
}

/** What a field of the request is, to somebody who gave options. */
const OPTIONS: Readonly<Record<string, string>> = {
  body: "The file",
  name: "--name",
  caller_name: "--caller-name",
  caller_numbers: "--line",
  flow: "--flow",
  consent: "--consent",
  window: "--window",
  starts_at: "--starts-at",
  max_minutes: "--max-minutes",
  org_id: "--org",
};

/**
 * Asks the function `campaigns`.
 *
 * @throws {CommandFailure} for any answer but 2xx, with every fault in it.
 */
async function ask(project: Project, path: string, init: RequestInit = {}): Promise<Response> {
  const response = await request(`${project.url}/functions/v1/campaigns${path}`, project, init)
    .catch((error) => {
      throw error instanceof CommandFailure ? new Busy(error.message, 5) : error;
    });
  if (response.ok) return response;
  const answer = await response.json().catch(() => undefined);
  const issues: { field: string; message: string }[] = answer?.issues ?? [];
  if (response.status === 400 && issues.length > 0) {
    throw new CommandFailure(
      issues.map(({ field, message }) => `${OPTIONS[field] ?? field} ${message}`).join("\n"),
    );
  }
  if (response.status === 401) {
    throw new CommandFailure(
      `The secret key is not that of ${project.url}: set SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY`,
    );
  }
  const failure = answer?.message ?? `It failed: ${project.url} answered ${response.status}`;
  const wait = Number(response.headers.get("retry-after") ?? 5);
  throw response.status === 429 || response.status >= 502
    ? new Busy(failure, wait)
    : new CommandFailure(failure);
}

const SHOWN = [
  "waiting",
  "ringing",
  "answered",
  "machine",
  "busy",
  "no_answer",
  "failed",
  "abandoned",
  "opted_out",
  "suppressed",
  "unknown",
] as const;

/** Why a campaign is slower than it asks to be, or does not dial at all. */
export function notesOf(campaign: CampaignNow, now: Date): string[] {
  const { state, contacts, waiting, starts_at, next_opening, settings } = campaign;
  const notes: string[] = [];
  const rate = campaign.account_calls_per_second ?? settings.calls_per_second;
  if (rate < settings.calls_per_second && state !== "done") {
    notes.push(
      `Twilio makes ${calls(rate)} a second for this account: TWILIO_CALLS_PER_SECOND says so, ` +
        "and is to be raised once Twilio has granted more",
    );
  }
  if (state !== "running") return notes;
  if (contacts === 0) notes.push("It has no contacts yet: import its list");
  if (waiting === 0) return notes;
  const opens = Math.max(
    ...[starts_at, next_opening].map((time) => Date.parse(time ?? "1970-01-01")),
  );
  if (opens > now.getTime()) notes.push(`Nobody may be called before ${minute(opens)}`);
  if (campaign.dials_left_today === 0) {
    notes.push(
      "Its numbers have made their dials of today, or rest: it goes on at 00:00 UTC at the earliest",
    );
  }
  return notes;
}

const calls = (rate: number) => `${rate} ${rate === 1 ? "call" : "calls"}`;

/** A campaign as a person reads it, at this time. */
export function shown(campaign: CampaignNow, now: Date): string[] {
  const { name, state, id, mode, settings, contacts, dialled, minutes } = campaign;
  const reason = campaign.paused_because;
  return [
    `${name}: ${state}${reason === null ? "" : `, because of ${REASONS[reason]}`}`,
    `  ${id}  ${mode}, flow ${settings.flow}, ${settings.calls_per_second} calls a second`,
    ...notesOf(campaign, now).map((note) => `  ${note}`),
    `  ${contacts} contacts, ${dialled} dials, ${minutes} minutes of talk`,
    ...figures(campaign),
    ...(campaign.by_flow ?? []).flatMap(({ flow, ...of }) => [
      `  Of these, flow ${flow}: ${of.contacts} contacts, ${of.dialled ?? 0} dials`,
      ...figures(of as Record<string, number>).map((line) => `  ${line}`),
    ]),
  ];
}

/** The contacts by how they stand, with their part. */
function figures(of: Partial<Record<typeof SHOWN[number] | "contacts", number>>): string[] {
  const { contacts = 0 } = of;
  return SHOWN.map((figure) => {
    const count = of[figure] ?? 0;
    const part = contacts === 0 ? 0 : 100 * count / contacts;
    return `  ${figure.padEnd(12)}${String(count).padStart(8)}  ${part.toFixed(1).padStart(5)} %`;
  });
}

const REASONS = {
  budget: "its minutes, which are used up: resume it with more --max-minutes",
  failures: "failures: most of its dials fail",
  account: "its account, which Twilio has suspended or closed",
  credentials: "the account's credentials, which Twilio refuses: see `task doctor`",
  concurrency: "the account's most calls at once: lower --max-concurrent",
} as const;

function minute(time: number): string {
  return `${new Date(time).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
