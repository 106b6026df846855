import {
  type Access,
  type Administrator,
  administratorOf,
  nameOf,
  ownerOf,
  requireRoom,
  type Room,
} from "../_shared/access.ts";
import {
  type CampaignSlice,
  parseSlice,
  type Rejected,
} from "../_shared/campaigns/contacts_file.ts";
import { CAMPAIGN_COMMANDS, type CampaignCommand } from "../_shared/campaigns/states.ts";
import { nextOpening, type Week } from "../_shared/campaigns/hours.ts";
import type { Place } from "../_shared/campaigns/zones.ts";
import { csvRow } from "../_shared/csv.js";
import {
  type CampaignDatabase,
  type CampaignNow,
  type CampaignResult,
} from "../_shared/db/campaigns.ts";
import { dialable } from "../_shared/destinations.ts";
import { endpoint } from "../_shared/endpoint.ts";
import { HttpError, invalid, Refused } from "../_shared/errors.ts";
import {
  csvFile,
  type Handler,
  json,
  readJson,
  readTextOf,
  requireMethod,
} from "../_shared/http.ts";
import type { Log } from "../_shared/log.ts";
import type { Settings } from "../_shared/settings.ts";
import { UUID } from "../_shared/text.ts";
import { parseCampaign, parseResume } from "./request.ts";

export interface CampaignsDeps extends Access, Room {
  readonly settings: Settings;
  readonly database: CampaignDatabase;
  readonly log: Log;
}

/** The largest slice of a list, in bytes. */
const MAX_SLICE_BYTES = 4 * 1024 * 1024;

/** Creates and runs campaigns, for operators and for an organisation's own administrators. */
export function createHandler(deps: CampaignsDeps): Handler {
  const options = { log: deps.log, retryAfterSec: 5, logs: "all", pages: ["GET", "POST"] } as const;
  return endpoint("campaigns", options, async (request, note) => {
    const { pathname, searchParams } = new URL(request.url);
    const [, , id = "", action = "", ...rest] = pathname.split("/");
    const known = action === "" || action === "contacts" || action === "results" ||
      isCommand(action);
    if (rest.length > 0 || (id === "" ? action !== "" : !UUID.test(id)) || !known) {
      throw new HttpError(404, "not_found");
    }
    note.operation = action || (id === "" ? "campaigns" : "campaign");
    if (id === "") requireMethod(request, "GET", "POST");
    else requireMethod(request, action === "" || action === "results" ? "GET" : "POST");
    const asks = await administratorOf(request, deps);
    if (asks.kind === "admin") await requireRoom(deps, asks.userId ?? String(asks.orgId));
    try {
      if (id === "") {
        return request.method === "GET"
          ? json(200, {
            campaigns: (await list(deps, asks, searchParams.get("org_id"))).map((each) =>
              withRate(each, deps.settings)
            ),
          })
          : json(201, { id: await create(deps, asks, await readJson(request)) });
      }
      const campaign = await own(deps, asks, id);
      if (action === "") return json(200, withRate(campaign, deps.settings));
      if (action === "results") return await csvFile("campaign.csv", results(deps, id));
      if (isCommand(action)) {
        const minutes = action === "resume" ? await minutesOf(request) : undefined;
        const rate = deps.settings.twilioCallsPerSecond;
        const state = await deps.database.command(id, action, nameOf(asks), rate, minutes);
        return json(200, { id, state });
      }
      const slice = await readTextOf("text/csv", request, MAX_SLICE_BYTES);
      return json(200, await importSlice(deps, campaign, slice));
    } catch (error) {
      throw error instanceof Refused ? refusal(error) : error;
    }
  });
}

function isCommand(action: string): action is CampaignCommand {
  return (CAMPAIGN_COMMANDS as readonly string[]).includes(action);
}

/** The budget with which a campaign is resumed; a request without a body leaves it. */
async function minutesOf(request: Request): Promise<number | undefined> {
  if (!request.headers.has("content-type")) return undefined;
  const parsed = parseResume(await readJson(request));
  if ("issues" in parsed) throw invalid(parsed.issues);
  return parsed.maxMinutes;
}

/** A campaign with the calls a second that Twilio makes for its account, whatever it asks for. */
function withRate(campaign: CampaignNow, { twilioCallsPerSecond }: Settings): CampaignNow {
  const rate = campaign.account_calls_per_second ?? twilioCallsPerSecond;
  return { ...campaign, account_calls_per_second: rate };
}

async function list({ database }: CampaignsDeps, asks: Administrator, asked: string | null) {
  return await database.list(ownerOf(asks, asked || null));
}

async function create(
  { database }: CampaignsDeps,
  asks: Administrator,
  body: unknown,
): Promise<string> {
  const parsed = parseCampaign(body);
  if ("issues" in parsed) throw invalid(parsed.issues);
  const { campaign } = parsed;
  return await database.create({
    ...campaign,
    org_id: ownerOf(asks, campaign.org_id),
    changed_by: nameOf(asks),
  });
}

/** The campaign, if the sender may run it. @throws {HttpError} 404 for none, 403 for another organisation's. */
async function own(
  { database }: CampaignsDeps,
  asks: Administrator,
  id: string,
): Promise<CampaignNow> {
  const campaign = await database.now(id);
  if (campaign === null) {
    throw new HttpError(404, "not_found", {}, { message: "there is no such campaign" });
  }
  if (asks.kind === "admin" && asks.orgId !== campaign.org_id) {
    throw new HttpError(403, "forbidden");
  }
  return campaign;
}

/** Takes in a slice of the list. Whom nobody may ever call is rejected: nothing would say why such a contact waits. */
async function importSlice(
  { database, settings, now }: CampaignsDeps,
  { id, settings: { window } }: CampaignNow,
  text: string,
) {
  const hours = neverOpen(now(), window ?? undefined);
  const slice = parseSlice(
    text,
    now(),
    ({ phone, place }) =>
      dialable(phone, settings.destinations) === undefined
        ? "phone is outside ALLOWED_DESTINATIONS, the numbers that may be called"
        : hours(place),
  );
  if (typeof slice === "string") throw invalid([{ field: "body", message: slice }]);
  const { lines, ...answer } = await database.importContacts(id, slice.contacts);
  return {
    ...answer,
    duplicates: answer.duplicates + slice.duplicates,
    rejected: rejected(slice, new Set(lines)),
  };
}

function rejected({ contacts, rejected }: CampaignSlice, lines: ReadonlySet<string>): Rejected[] {
  const own = contacts.filter(({ phone }) => lines.has(phone))
    .map(({ line }) => ({ line, reason: "phone is one of the lines themselves" }));
  return [...rejected, ...own].toSorted((a, b) => a.line - b.line);
}

/** Why nobody at a place may ever be called; each place is worked out once. */
function neverOpen(at: Date, window: Week | undefined): (place: Place) => string | undefined {
  const reasons = new Map<string, string | undefined>();
  return (place) => {
    const key = `${place.rules} ${place.region} ${place.zones}`;
    if (!reasons.has(key)) {
      reasons.set(
        key,
        nextOpening(place, at, window) !== undefined
          ? undefined
          : `phone may not be called at any time: the hours of ${
            place.zones.length > 1 ? `its possible zones (${place.zones.join(", ")})` : "its zone"
          }${window === undefined ? "" : " and the campaign's window"} have none in common`,
      );
    }
    return reasons.get(key);
  };
}

/** Rows of one query. */
const PAGE = 1000;

/** How each contact stands, page by page as it is read. */
async function* results({ database }: CampaignsDeps, id: string) {
  let after: string | null = null;
  let page: CampaignResult[];
  do {
    // deno-lint-ignore no-await-in-loop -- Each page begins where the one before ends.
    page = await database.results(id, after, PAGE);
    const head: string = after === null ? csvRow(Object.keys(COLUMNS)) : "";
    after = page.at(-1)?.e164 ?? null;
    yield head + page.map((row) => csvRow(Object.values(COLUMNS).map((of) => of(row)))).join("");
  } while (page.length === PAGE);
}

const COLUMNS: Readonly<Record<string, (row: CampaignResult) => string | number | null>> = {
  phone: ({ e164 }) => e164,
  name: ({ name }) => name,
  state: ({ state }) => state,
  dials: ({ tries }) => tries,
  ended: ({ ends }) => ends.join(" "),
  next_dial_at: ({ due_at }) => due_at,
  dialled_at: ({ dialled_at }) => dialled_at,
  answered_at: ({ answered_at }) => answered_at,
  ended_at: ({ ended_at }) => ended_at,
  caller_number: ({ line }) => line,
  call_sid: ({ call_sid }) => call_sid,
  flow: ({ flow }) => flow,
};

/** Turns the database's refusal into an answer. */
function refusal({ status, field, message }: Refused): HttpError {
  if (status === 400) return invalid([{ field: field ?? "body", message }]);
  return new HttpError(status, status === 404 ? "not_found" : "conflict", {}, { message });
}
