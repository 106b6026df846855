import { type Access, type Administrator, administratorOf } from "../_shared/access.ts";
import { type Beginning, LeaseLost } from "../_shared/db/onboarding.ts";
import { endpoint } from "../_shared/endpoint.ts";
import { HttpError, invalid, ServiceError } from "../_shared/errors.ts";
import { type Handler, json, readJson, requireMethod } from "../_shared/http.ts";
import { failureOf, type OnboardingFailure } from "../_shared/onboarding/failure.ts";
import { parseOnboardingRequest } from "../_shared/onboarding/request.ts";
import { UUID } from "../_shared/text.ts";
import { runOnboarding, type SagaDeps } from "../_shared/onboarding/saga.ts";
import { assertStanding } from "../_shared/onboarding/standing.ts";
import type { Log } from "../_shared/log.ts";
import type { Settings } from "../_shared/settings.ts";

export interface OnboardDeps extends Access {
  readonly settings: Settings;
  readonly log: Log;
  /** Absent without `TWILIO_ACCOUNT_SID`. */
  readonly saga: SagaDeps | undefined;
}

/**
 * Gives an organisation a Twilio sub-account and a number that is bound to the hotline. The same request again gets the
 * same answer. A failure is undone, so that nothing that costs money remains.
 */
export function createHandler(deps: OnboardDeps): Handler {
  return endpoint(
    "telephony-onboard",
    { log: deps.log, retryAfterSec: 60, logs: "all" },
    async (request, note) => {
      try {
        return await serve(deps, request);
      } catch (error) {
        if (error instanceof LeaseLost) return inProgress(5);
        if (!(error instanceof ServiceError)) throw error;
        note.reason = error.message;
        throw new HttpError(503, "unavailable", { "retry-after": "60" }, {
          message:
            "The database does not answer: send the same request again in a minute. What was begun is finished or undone automatically.",
        });
      }
    },
  );
}

async function serve(deps: OnboardDeps, request: Request): Promise<Response> {
  requireMethod(request, "POST", "DELETE");
  const asks = await administratorOf(request, deps);
  if (request.method === "DELETE") return await release(deps, request, asks);
  const key = idempotencyKey(request.headers);
  const parsed = parseOnboardingRequest(await readJson(request));
  if ("issues" in parsed) throw invalid(parsed.issues);
  if (asks.kind === "admin" && asks.orgId !== parsed.request.org_id) {
    throw new HttpError(403, "forbidden");
  }
  if (deps.saga === undefined) {
    throw notConfigured();
  }

  const beginning: Beginning = await deps.saga.database.begin(
    parsed.request,
    key,
    // Numbers cost the operator money: an organisation's admins get one.
    asks.kind === "operator",
  );
  switch (beginning.outcome) {
    case "completed":
      await assertStanding(deps.saga.twilio, beginning.result).catch((error) => {
        throw refusal(failureOf(error));
      });
      return json(200, beginning.result, REPLAYED);
    case "in_progress":
      return inProgress(beginning.retry_after);
    case "conflict":
      throw new HttpError(409, "conflict", {}, {
        message: key === undefined
          ? "This organisation was onboarded by another request. For a further number send an Idempotency-Key of its own."
          : "This Idempotency-Key belongs to another request.",
      });
    case "enough":
      throw new HttpError(403, "forbidden", {}, {
        message: "This organisation has a number. An operator can give it a further one.",
      });
    case "no_flow":
      throw invalid([{
        field: "flow",
        message: "must be a flow that is published for this organisation: publish it first",
      }]);
    case "started": {
      const outcome = await runOnboarding(beginning.work, deps.saga);
      if (outcome.kind === "completed") return json(200, outcome.result);
      if (outcome.kind === "released") throw new Error("An onboarding cannot end as released");
      return failed(outcome.failure, outcome.kind === "rolled_back");
    }
  }
}

/** Releases an organisation's numbers and account. Operators only: its callers are not served from then on. */
async function release(
  { saga }: OnboardDeps,
  request: Request,
  asks: Administrator,
): Promise<Response> {
  if (asks.kind !== "operator") throw new HttpError(403, "forbidden");
  const org_id = new URL(request.url).searchParams.get("org_id")?.toLowerCase() ?? "";
  if (!UUID.test(org_id)) throw invalid([{ field: "org_id", message: "must be a UUID" }]);
  if (saga === undefined) throw notConfigured();
  const beginning = await saga.database.beginRelease(org_id);
  switch (beginning.outcome) {
    case "released":
      return json(200, beginning.result, REPLAYED);
    case "in_progress":
      return inProgress(beginning.retry_after);
    case "nothing":
      throw new HttpError(404, "not_found", {}, { message: "This organisation has nothing." });
    case "started": {
      const outcome = await runOnboarding(beginning.work, saga);
      if (outcome.kind === "released") return json(200, outcome.result);
      if (outcome.kind === "failed") return failed(outcome.failure, false);
      throw new Error(`A release cannot end as ${outcome.kind}`);
    }
  }
}

const REPLAYED = { "idempotent-replayed": "true" };

function notConfigured(): HttpError {
  return new HttpError(503, "not_configured", {}, {
    message:
      "TWILIO_ACCOUNT_SID must be set: the main account, under which sub-accounts are opened.",
  });
}

function idempotencyKey(headers: Headers): string | undefined {
  const key = headers.get("idempotency-key");
  if (key === null) return undefined;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw invalid([
      { field: "Idempotency-Key", message: "must be 1 to 255 printable characters without spaces" },
    ]);
  }
  return key;
}

/** The answer to a request for which nothing was begun. */
function refusal({ status, code, message, options: { retryAfter } }: OnboardingFailure): HttpError {
  const headers = retryAfter === undefined ? undefined : { "retry-after": String(retryAfter) };
  return new HttpError(status, code, headers, { message });
}

function inProgress(retryAfter: number): Response {
  return json(409, {
    error: "in_progress",
    message: "An onboarding of this organisation is under way, or still being undone.",
  }, { "retry-after": String(retryAfter) });
}

function failed(failure: OnboardingFailure, undone: boolean): Response {
  const { alternatives, retryAfter } = failure.options;
  return json(failure.status, {
    error: failure.code,
    message: undone
      ? failure.message
      : `${failure.message} Undoing it has not succeeded yet and is retried automatically.`,
    ...(alternatives !== undefined && { alternatives }),
    undone,
  }, retryAfter === undefined ? {} : { "retry-after": String(retryAfter) });
}
