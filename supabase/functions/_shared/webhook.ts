import type { AcceptOutcome, VoiceEvent } from "./calls/events.ts";
import type { CallbackStep } from "./calls/step.ts";
import { parseWebhook, type Webhook } from "./calls/webhook_form.ts";
import type { Deps } from "./deps.ts";
import { HttpError, type Issue } from "./errors.ts";
import type { FunctionName } from "./functions.ts";
import {
  clientAddress,
  errorResponse,
  type Handler,
  json,
  readForm,
  requireForm,
  requireMethod,
  SECURITY_HEADERS,
} from "./http.ts";
import type { Line } from "./tenancy/lines.ts";
import type { Tenant } from "./tenancy/tenants.ts";
import { isSignature, isSignedByTwilio } from "./twilio/signature.ts";

// The way of a webhook, written once:
//
//   request -> verify -> parse -> interpret -> accept -> answer -> render -> response
//                                  pure        one rpc   pure
//
// This file has the common part of all webhooks, and callbacks. The steps that a caller waits for are in
// twiml_webhook.ts, so that a callback does not load the TwiML renderer.

export type { Handler };

/** Serves a callback: 204 when the event is stored; 503 when it could not be, so that Twilio delivers it again. */
export function callbackHandler(deps: Deps, step: CallbackStep): Handler {
  return servesCallback(deps, step.name, async (webhook, note) => {
    const event = step.interpret(webhook);
    if (!("issues" in event)) return (await accept(deps, event, note)).kind;
    note.outcome = "malformed";
    return invalid(event.issues);
  });
}

/** What a callback with faults is answered. */
export const invalid = (issues: readonly Issue[]) => json(400, { error: "invalid", issues });

/** As `callbackHandler`. @param tell Whether it is stored, as `accept` says; or another answer. */
export function servesCallback(
  deps: Deps,
  name: FunctionName,
  tell: (
    webhook: Webhook,
    note: Note,
  ) => Promise<Exclude<AcceptOutcome["kind"], "foreign"> | Response>,
): Handler {
  return webhookHandler(deps, name, {
    async serve(webhook, _lineOf, note) {
      const outcome = await tell(webhook, note);
      switch (outcome) {
        case "accepted":
        // Callbacks are under no limit; a stored event is a success in any case.
        case "rate_limited":
          return new Response(null, { status: 204, headers: SECURITY_HEADERS });
        case "conflict":
          return json(409, { error: "conflict" });
        case "refused":
          return invalid([]);
        case "unavailable":
          return json(503, { error: "unavailable" }, { "retry-after": "5" });
        default:
          return outcome;
      }
    },
    malformed: invalid,
    failed: (requestId) => json(500, { error: "internal", request_id: requestId }),
  });
}

/** The fields of a request's log line beside its status. */
export interface Note {
  outcome: string;
  call_sid?: string;
  db_ms?: number;
  reason?: string;
}

export interface Serving {
  /** @param lineOf The line that was called. */
  serve(webhook: Webhook, lineOf: () => Promise<Line>, note: Note): Promise<Response>;
  malformed(issues: readonly Issue[], query: URLSearchParams): Response;
  failed(requestId: string, query: URLSearchParams): Response;
}

/** Verifies, parses and serves a request, and writes its log line. */
export function webhookHandler(deps: Deps, name: FunctionName, serving: Serving): Handler {
  return async (request) => {
    const started = performance.now();
    const requestId = crypto.randomUUID();
    const note: Note = { outcome: "served" };
    const url = new URL(request.url);
    let response: Response;
    let refused = false;
    try {
      const verification = await verified(deps, name, request, url.search);
      const { params, account, tenant } = verification;
      const parsed = parseWebhook(params, url.searchParams, deps.now());
      if (parsed.ok) {
        note.call_sid = parsed.webhook.fields.CallSid;
        const lineOf = async () =>
          (await deps.flows()).line(account, calledNumber(params), deps.settled(tenant));
        response = await serving.serve({ ...parsed.webhook, account }, lineOf, note);
      } else {
        note.outcome = "malformed";
        note.reason = parsed.issues.map((issue) => issue.field).join(",");
        response = serving.malformed(parsed.issues, url.searchParams);
      }
    } catch (error) {
      if (error instanceof HttpError) {
        refused = error.status < 500;
        note.outcome = error.code;
        response = errorResponse(error);
      } else {
        note.outcome = "failed";
        note.reason = error instanceof Error ? `${error.name}: ${error.message}` : "unknown";
        response = serving.failed(requestId, url.searchParams);
      }
    }
    const ms = performance.now() - started;
    deps.log(note.outcome === "failed" ? "error" : note.outcome === "served" ? "info" : "warn", {
      function: name,
      request_id: requestId,
      status: response.status,
      ms: Math.round(ms),
      ...note,
    });
    const failed = note.outcome === "failed" || note.outcome === "unavailable";
    deps.observe?.({
      function: name,
      outcome: refused ? "refused" : failed || response.status >= 500 ? "failed" : "served",
      databaseFailed: note.outcome === "unavailable",
      ms,
      databaseMs: note.db_ms ?? 0,
    });
    return response;
  };
}

interface Verified {
  readonly params: Record<string, string | string[]>;
  /** The sub-account that signed; absent: the main account. */
  readonly account?: string;
  readonly tenant?: Tenant;
}

/** Our own URLs are far shorter. Verifying encodes the query up to four times. */
const MAX_QUERY = 4000;

/**
 * The parameters of a request that Twilio made, and whose account it is about.
 *
 * @throws {HttpError} 405, 414, 415, 413; 401 for anything that is not certainly Twilio's; 503 when the account's token
 * cannot be looked up.
 */
async function verified(
  deps: Deps,
  name: FunctionName,
  request: Request,
  search: string,
): Promise<Verified> {
  const { settings, mayCall } = deps;
  requireMethod(request, "POST");
  requireForm(request);
  // One answer for every reason, so that it reveals nothing.
  const unauthorized = new HttpError(401, "unauthorized");
  // Checks without the body come before reading it.
  if (!mayCall(clientAddress(request.headers))) throw unauthorized;
  const signature = request.headers.get("x-twilio-signature") ?? "";
  if (!settings.allowInsecureWebhooks && !isSignature(signature)) throw unauthorized;
  if (search.length > MAX_QUERY) throw new HttpError(414, "uri_too_long");
  const params = await readForm(request);
  const url = `${settings.publicFunctionsUrl}/${name}${search}`;
  const isSignedBy = (token: string) =>
    settings.allowInsecureWebhooks || isSignedByTwilio(token, signature, url, params);
  const { account, tenant } = await signer(deps, accountOf(params), isSignedBy);
  return account === undefined ? { params } : { params, account, tenant: tenant! };
}

/**
 * The account that signed a request: Twilio signs by the token of the account that the number belongs to.
 *
 * @param account The one that the request claims.
 * @param isSignedBy Whether this token made the signature.
 * @throws {HttpError} 401; 503 when the account's token cannot be looked up.
 */
export async function signer(
  { settings, tenants }: Pick<Deps, "settings" | "tenants">,
  account: string | undefined,
  isSignedBy: (token: string) => boolean,
): Promise<{ account?: string; tenant?: Tenant }> {
  const unauthorized = new HttpError(401, "unauthorized");
  const isSignedByUs = () =>
    isSignedBy(settings.twilioAuthToken) ||
    (settings.previousTwilioAuthToken !== undefined &&
      isSignedBy(settings.previousTwilioAuthToken));
  if (account !== undefined && !tenants.isMain(account)) {
    const found = await tenants.find(account);
    if (found.kind === "tenant") {
      const isItself = isSignedBy(found.tenant.authToken);
      const tenant = isItself ? found.tenant : await found.tenant.renewed();
      if (tenant === undefined || !isItself && !isSignedBy(tenant.authToken)) throw unauthorized;
      return { account, tenant };
    }
    if (found.kind === "unavailable" && !isSignedByUs()) {
      throw new HttpError(503, "unavailable", { "retry-after": "5" });
    }
  }
  if (!isSignedByUs()) throw unauthorized;
  return {};
}

/** The account that a request claims; not trusted until the signature is checked. */
function accountOf(params: Record<string, string | string[]>): string | undefined {
  const sid = textOf(params["AccountSid"]);
  return sid !== undefined && /^AC[0-9a-fA-F]{32}$/.test(sid) ? sid : undefined;
}

/** The line; undefined for a leg that a call dialled, whose numbers are those of two persons. */
function calledNumber(params: Record<string, string | string[]>): string | undefined {
  if (textOf(params["ParentCallSid"])) return undefined;
  return textOf(params[textOf(params["Direction"]) === "outbound-api" ? "From" : "To"]);
}

function textOf(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/**
 * Stores an event, and notes the outcome for the log.
 *
 * @throws {HttpError} 403 when the signing account names a call or a line of another account.
 */
export async function accept(
  deps: Deps,
  event: VoiceEvent,
  note: Note,
): Promise<Exclude<AcceptOutcome, { kind: "foreign" }>> {
  const started = performance.now();
  const outcome = await deps.accept(event);
  note.db_ms = Math.round(performance.now() - started);
  if (outcome.kind === "foreign") throw new HttpError(403, "forbidden");
  if (outcome.kind !== "accepted") note.outcome = outcome.kind;
  else if (outcome.duplicate) note.outcome = "duplicate";
  // A caller who holds no longer: the telephones that ring for them are let go.
  else if (outcome.call.facts?.wake || event.event === "queue_left") deps.wakeDialler?.();
  if (outcome.kind === "unavailable") note.reason = outcome.reason;
  if (outcome.kind === "refused") note.reason = outcome.code;
  return outcome;
}
