import { createHash } from "node:crypto";
import {
  type Access,
  type Administrator,
  administratorOf,
  nameOf,
  ownerOf,
  requireRoom,
  type Room,
} from "../_shared/access.ts";
import type { FlowDatabase, Owner } from "../_shared/db/flows.ts";
import { endpoint } from "../_shared/endpoint.ts";
import { HttpError, Refused } from "../_shared/errors.ts";
import { type Checked, checkFlow } from "../_shared/flows/check.ts";
import { disclosuresIn } from "../_shared/flows/disclosure.ts";
import { linesThatLoop } from "../_shared/flows/known.ts";
import type { Flow } from "../_shared/flows/language.ts";
import { type Issue, nestsDeeper, parseFlow } from "../_shared/flows/parse.ts";
import {
  MAX_PROMPT_BYTES,
  promptAdvice,
  PromptAudioError,
  readPromptAudio,
} from "../_shared/flows/prompt_audio.ts";
import { LIMITS } from "../_shared/flows/schema.ts";
import { type Caller, draftVersion, failedTests, type Walk, walk } from "../_shared/flows/walk.ts";
import { type Handler, json, readBytes, readJsonText, requireMethod } from "../_shared/http.ts";
import type { Log } from "../_shared/log.ts";
import type { Settings } from "../_shared/settings.ts";
import { UUID } from "../_shared/text.ts";
import { type FlowRequest, type Operation, operationOf, parseRequest } from "./request.ts";

export interface CallFlowsDeps extends Access, Room {
  readonly settings: Settings;
  readonly database: FlowDatabase;
  /** Keeps a prompt's file in Storage under its hash. */
  readonly storeAudio: (
    hash: string,
    type: string,
    bytes: Uint8Array<ArrayBuffer>,
  ) => Promise<void>;
  readonly log: Log;
}

/** In bytes. The largest flow that the limits allow has two thirds of it, unless its words are in long characters. */
const MAX_BODY_BYTES = 256 * 1024;

/** Checks, publishes and rolls back call flows, for operators and for an organisation's own administrators. */
export function createHandler(deps: CallFlowsDeps): Handler {
  const options = {
    log: deps.log,
    retryAfterSec: 5,
    logs: "all",
    pages: ["GET", "POST"],
  } as const;
  return endpoint("call-flows", options, async (request, note) => {
    const [, , segment = "", ...rest] = new URL(request.url).pathname.split("/");
    const operation = segment === "prompt" ? segment : operationOf(segment);
    note.operation = operation;
    if (rest.length > 0 || (segment !== "" && operation === undefined)) {
      throw new HttpError(404, "not_found");
    }
    requireMethod(request, operation === undefined ? "GET" : "POST");
    const asks = await administratorOf(request, deps);
    if (asks.kind === "admin") {
      await requireRoom(deps, asks.userId ?? String(asks.orgId));
    }
    try {
      const query = new URL(request.url).searchParams;
      const answer = operation === undefined
        ? await list(deps, asks, query)
        : operation === "prompt"
        ? await storePrompt(
          deps,
          ownerOf(asks, query.get("org_id")),
          nameOf(asks),
          await readBytes(request, MAX_PROMPT_BYTES),
        )
        : await operate(deps, asks, operation, await readJsonText(request, MAX_BODY_BYTES));
      return json(200, answer);
    } catch (error) {
      throw error instanceof Refused ? refusal(error) : error;
    }
  });
}

/** Runs an operation after checking the request and the sender's right to it. */
async function operate(
  deps: CallFlowsDeps,
  asks: Administrator,
  operation: Operation,
  text: string,
): Promise<unknown> {
  const parsed = parseRequest(operation, bodyOf(text));
  if ("issues" in parsed) throw invalid(parsed.issues);
  const { org_id } = parsed.request;
  // A check changes nothing; an administrator's check is for the own organisation.
  const owner = operation === "check" && asks.kind === "admin"
    ? org_id ?? asks.orgId
    : org_id ?? null;
  if (asks.kind === "admin" && owner !== asks.orgId) throw new HttpError(403, "forbidden");
  return await OPERATIONS[operation](deps, owner, nameOf(asks), parsed.request as never);
}

const OPERATIONS: {
  readonly [Of in Operation]: (
    deps: CallFlowsDeps,
    owner: Owner,
    by: string,
    request: FlowRequest<Of>,
  ) => Promise<unknown>;
} = {
  async check(deps, owner, _by, { definition, caller }) {
    const { flow: _, tried, ...answer } = await checked(deps, owner, { definition, caller });
    return { ...answer, ...(tried && { tried }) };
  },
  async publish({ database, ...deps }, owner, by, { definition, name, lines, note }) {
    const published = { definition, name, lines };
    const { flow, hash } = await checked({ database, ...deps }, owner, published);
    return await database.publish({
      owner,
      name,
      definition,
      hash,
      lines,
      note: note ?? undefined,
      by,
      // Stored before any caller hears them, so that the words of every consent are known.
      disclosures: [...disclosuresIn(flow)].filter(({ words }) => words !== ""),
    });
  },
  async draft({ database }, owner, by, { name, definition }) {
    return { flow: name, drafted_at: await database.saveDraft(owner, name, definition, by) };
  },
  async rollback({ database }, owner, by, { name, version }) {
    return await database.rollback(owner, name, version ?? undefined, by);
  },
  async override({ database }, owner, by, { name, calendar, state, until }) {
    await database.override({ owner, name, calendar, state, until: until ?? undefined, by });
    return { flow: name, calendar, state, until: state === null ? null : until };
  },
};

/** Checks a file of audio, and stores it under its hash, for good: its owner's flows can name it from then on. */
async function storePrompt(
  { database, storeAudio }: CallFlowsDeps,
  owner: Owner,
  by: string,
  bytes: Uint8Array<ArrayBuffer>,
) {
  try {
    const audio = readPromptAudio(bytes);
    const hash = createHash("sha256").update(bytes).digest("hex");
    const seconds = Math.max(0.01, Math.round(audio.seconds * 100) / 100);
    await storeAudio(hash, audio.type, bytes);
    await database.storePrompt({
      owner,
      hash,
      mime: audio.type,
      seconds,
      bytes: bytes.length,
      by,
    });
    return { hash, ...audio, seconds, bytes: bytes.length, advice: promptAdvice(audio) };
  } catch (error) {
    if (!(error instanceof PromptAudioError)) throw error;
    throw invalid([{ path: "audio", message: error.message }]);
  }
}

/**
 * A flow's failed tests are faults for a publish, and warnings for a check.
 *
 * @param flow `name`: under which it is to be published; `lines`: that will answer by it; `caller`: who tries it.
 * @throws {HttpError} 400 with every fault of the flow.
 */
async function checked(
  { database, settings }: Pick<CallFlowsDeps, "database" | "settings">,
  owner: Owner,
  { definition, name, lines = [], caller }: {
    readonly caller?: Caller | undefined;
    readonly definition: unknown;
    readonly name?: string;
    readonly lines?: readonly string[] | undefined;
  },
): Promise<Extract<Checked, { ok: true }> & { readonly tried?: Walk }> {
  // What is beyond the limits is work for the database too.
  const parsed = parseFlow(definition);
  if (parsed.flow === undefined) throw invalid(parsed.issues);
  const known = await database.checkFacts(owner, definition);
  const flows = new Map(
    Object.entries(known.flows).filter((entry): entry is [string, Flow] => entry[1] !== null),
  );
  const audio = new Map(Object.entries(known.audio));
  const result = checkFlow(definition, {
    destinations: settings.destinations,
    dials: settings.twilioAccountSid !== undefined,
    ownLines: new Set(linesThatLoop([...known.own_lines, ...lines], settings)),
    audio,
    people: new Set(known.people),
    flows,
    name,
  });
  const issues = result.ok ? [] : [...result.issues];
  if (!known.zone_known && !issues.some(({ path }) => path === "zone")) {
    issues.push({ path: "zone", message: "must be a time zone such as America/Edmonton" });
  }
  if (!result.ok || issues.length > 0) throw invalid(issues);
  const version = draftVersion(result.flow, flows);
  const failed = failedTests(version, audio);
  if (name !== undefined && failed.length > 0) throw invalid(failed);
  const tried = caller && walk(version, caller, audio);
  return { ...result, warnings: [...result.warnings, ...failed], ...(tried && { tried }) };
}

/** The versions that the sender may see; with `version`, that one with its definition. */
async function list(
  { database }: CallFlowsDeps,
  asks: Administrator,
  query: URLSearchParams,
): Promise<{ versions: unknown[] }> {
  const owner = query.get("org_id")?.toLowerCase() || null;
  const name = query.get("name") || undefined;
  const version = query.get("version") || undefined;
  if (asks.kind === "admin" && owner !== asks.orgId) return { versions: [] };
  if (owner !== null && !UUID.test(owner)) {
    throw invalid([{ path: "org_id", message: "must be a UUID" }]);
  }
  if (version === undefined) return { versions: await database.versions(owner, name) };
  if (name === undefined) throw invalid([{ path: "name", message: "must be the flow's name" }]);
  if (!/^(current|[1-9]\d{0,8})$/.test(version)) {
    throw invalid([{ path: "version", message: "must be a version's number, or current" }]);
  }
  const found = await database.definition(
    owner,
    name,
    version === "current" ? undefined : Number(version),
  );
  if (found === null) {
    throw new HttpError(404, "not_found", {}, {
      message: version === "current"
        ? `no flow "${name}" is published`
        : `the flow "${name}" has no version ${version}`,
    });
  }
  return { versions: [found] };
}

/** The deepest request that is parsed, because parsing a deeper one is expensive. */
const MOST_LEVELS = LIMITS.depth + 8;

function bodyOf(text: string): unknown {
  if (nestsDeeper(text, MOST_LEVELS)) {
    throw invalid([{
      path: "body",
      message: `must not be nested over ${MOST_LEVELS} levels deep`,
    }]);
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw invalid([{ path: "body", message: "must be JSON" }]);
  }
  if (UNSTORABLE.test(JSON.stringify(body))) {
    throw invalid([{
      path: "body",
      message: "must be text that can be stored: no NUL, no half of a character",
    }]);
  }
  return body;
}

/** Characters in the output of `JSON.stringify` that PostgreSQL cannot store. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

function invalid(issues: readonly Issue[]): HttpError {
  return new HttpError(400, "invalid", {}, { issues });
}

/** Turns the database's refusal into an answer. Fields are those of the request; a flow's fault has its path in the flow. */
function refusal({ status, field, message }: Refused): HttpError {
  return status === 404
    ? new HttpError(404, "not_found", {}, { message })
    : invalid([{ path: (field ?? "body").replace(/^definition\./, ""), message }]);
}
