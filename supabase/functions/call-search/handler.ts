import {
  type Access,
  administratorOf,
  type Asker,
  askerOf,
  ownerOf,
  requireRoom,
  type Room,
} from "../_shared/access.ts";
import type { ImportContacts } from "../_shared/db/contacts.ts";
import type { Search, SearchAnswer } from "../_shared/db/search.ts";
import { endpoint } from "../_shared/endpoint.ts";
import { HttpError, invalid, ServiceError } from "../_shared/errors.ts";
import {
  csvFile,
  type Handler,
  json,
  readJson,
  readTextOf,
  requireMethod,
} from "../_shared/http.ts";
import type { Log } from "../_shared/log.ts";
import { parseContacts } from "../_shared/search/contacts.ts";
import { csvRow } from "../_shared/csv.js";
import type { MeaningOf } from "../_shared/search/embed.ts";
import { PAGE, parseSearch, searchOfQuery, type SearchRequest } from "../_shared/search/request.ts";
import { EXPORT_COLUMNS, exportRow, present, urlOf } from "../_shared/search/results.ts";
import type { Settings } from "../_shared/settings.ts";

export interface CallSearchDeps extends Access, Room {
  /** As `takeRoom`, of exports, each of which is as much as a hundred searches. */
  readonly takeExport: Room["takeRoom"];
  readonly settings: Settings;
  /** Searches with the rights of who asks. */
  readonly search: (asker: Asker, search: Search) => Promise<SearchAnswer>;
  readonly importContacts: ImportContacts;
  readonly meaningOf: MeaningOf;
  readonly log: Log;
}

/** The largest file of contacts, in bytes. */
const MAX_FILE_BYTES = 1024 * 1024;
/** Rows of an export. */
const MOST_ROWS = 10_000;

/** Searches what was ever said, exports what is found, and takes in contacts. */
export function createHandler(deps: CallSearchDeps): Handler {
  const options = { log: deps.log, retryAfterSec: 5, pages: ["GET", "POST"] } as const;
  return endpoint("call-search", options, async (request, note) => {
    const { pathname, searchParams } = new URL(request.url);
    const [, , operation = "", ...rest] = pathname.split("/");
    if (rest.length > 0 || !Object.hasOwn(METHODS, operation)) {
      throw new HttpError(404, "not_found");
    }
    note.operation = operation;
    requireMethod(request, METHODS[operation as keyof typeof METHODS]);
    if (operation === "contacts") return json(200, await importContacts(deps, request));
    const asker = await askerOf(request, deps);
    if (asker.kind === "member") {
      const takeRoom = operation === "export" ? deps.takeExport : deps.takeRoom;
      await requireRoom({ takeRoom }, asker.userId);
    }
    if (operation === "export") {
      return await csvFile(
        "search.csv",
        exported(deps, asker, checked(searchOfQuery(searchParams))),
      );
    }
    const asked = checked(await readJson(request));
    return json(
      200,
      await page(deps, asker, { ...asked, embedding: await deps.meaningOf(asked.q) }),
    );
  });
}

const METHODS = { "": "POST", export: "GET", contacts: "POST" } as const;

function checked(body: unknown): SearchRequest {
  const parsed = parseSearch(body);
  if ("issues" in parsed) throw invalid(parsed.issues);
  return parsed.request;
}

/** A page as it is answered: without what is not there, and with the address of each result. */
async function page({ search }: Pick<CallSearchDeps, "search">, asker: Asker, asked: Search) {
  const { results, correction, next_cursor, ...rest } = await search(asker, asked).catch(refusal);
  return {
    results: results.map((result) => ({ ...present(result), url: urlOf(result) })),
    ...rest,
    ...(correction !== null && { correction }),
    ...(next_cursor !== null && { next_cursor }),
  };
}

/** What the database refuses is the sender's fault; other failures stay. */
function refusal(error: unknown): never {
  if (error instanceof ServiceError) {
    if (error.code === "42501") throw new HttpError(403, "forbidden");
    if (error.code === "PT400") {
      throw invalid([{ field: "cursor", message: "must be the next_cursor of an answer" }]);
    }
  }
  throw error;
}

/** Every result, page by page, as it is found. */
async function* exported(deps: CallSearchDeps, asker: Asker, request: SearchRequest) {
  let cursor: string | undefined;
  let rows = 0;
  do {
    // deno-lint-ignore no-await-in-loop -- Each page begins where the one before ends.
    const { results, next_cursor } = await page(deps, asker, {
      ...request,
      limit: PAGE.most,
      cursor,
    });
    const head = rows === 0 ? csvRow(EXPORT_COLUMNS) : "";
    rows += results.length;
    cursor = next_cursor;
    yield head + results.map((result) => csvRow(exportRow(result))).join("");
  } while (cursor !== undefined && rows < MOST_ROWS);
}

/** Takes in a file of contacts, for an organisation's administrators and for operators. */
async function importContacts(deps: CallSearchDeps, request: Request) {
  const asks = await administratorOf(request, deps);
  if (asks.kind === "admin") await requireRoom(deps, asks.userId ?? "");
  const owner = ownerOf(asks, new URL(request.url).searchParams.get("org_id"));
  const file = parseContacts(await readTextOf("text/csv", request, MAX_FILE_BYTES));
  if (typeof file === "string") throw invalid([{ field: "body", message: file }]);
  const { contacts, rejected } = file;
  const { added, changed } = await deps.importContacts(owner, contacts);
  return { added, changed, unchanged: contacts.length - added - changed, rejected };
}
