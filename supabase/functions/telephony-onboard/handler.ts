import type { Beginning } from "../_shared/db/onboarding.ts";
import { DatabaseUnavailable, LeaseLost } from "../_shared/db/onboarding.ts";
import type { Deps } from "../_shared/deps.ts";
import { HttpError, invalid } from "../_shared/errors.ts";
import { errorResponse, json, readJson, requireMethod } from "../_shared/http.ts";
import type { OnboardingFailure } from "../_shared/onboarding/failure.ts";
import { sagaDeps } from "../_shared/onboarding/live.ts";
import { parseOnboardingRequest } from "../_shared/onboarding/request.ts";
import { runOnboarding, type SagaDeps } from "../_shared/onboarding/saga.ts";
import { bearerToken, isOperator } from "../_shared/operator.ts";
import { type ReadUserToken, userTokens } from "../_shared/user_token.ts";
import type { Handler } from "../_shared/webhook.ts";

export interface OnboardDeps extends Pick<Deps, "settings" | "log" | "now"> {
  /** Absent without `TWILIO_ACCOUNT_SID`. */
  readonly saga: SagaDeps | undefined;
  readonly readUserToken: ReadUserToken;
}

export function onboardDeps(deps: Deps): OnboardDeps {
  return {
    ...deps,
    saga: sagaDeps(deps.settings, deps.log),
    readUserToken: userTokens(deps.settings.userTokens),
  };
}

/**
 * Gives an organisation a Twilio sub-account and a number that is bound to the hotline, once: the same
 * request again gets the same answer. A failure leaves nothing that costs money.
 */
export function createHandler(deps: OnboardDeps): Handler {
  return async (request) => {
    const started = performance.now();
    const requestId = crypto.randomUUID();
    let response: Response;
    let reason: string | undefined;
    try {
      response = await serve(deps, request);
    } catch (error) {
      if (error instanceof HttpError) {
        response = errorResponse(error);
        reason = error.code;
      } else if (error instanceof LeaseLost) {
        response = inProgress(5);
      } else if (error instanceof DatabaseUnavailable) {
        reason = error.message;
        response = json(503, {
          error: "unavailable",
          message:
            "The database does not answer: send the same request again in a minute. Whatever was begun is finished or undone by itself.",
        }, { "retry-after": "60" });
      } else {
        reason = error instanceof Error ? `${error.name}: ${error.message}` : "unknown";
        response = json(500, { error: "internal", request_id: requestId });
      }
    }
    deps.log(response.status >= 500 ? "error" : response.ok ? "info" : "warn", {
      function: "telephony-onboard",
      request_id: requestId,
      status: response.status,
      ms: Math.round(performance.now() - started),
      reason,
    });
    return response;
  };
}

async function serve(deps: OnboardDeps, request: Request): Promise<Response> {
  requireMethod(request, "POST");
  const caller = await callerOf(deps, request);
  const key = idempotencyKey(request.headers);
  const parsed = parseOnboardingRequest(await readJson(request), deps.settings.destinations);
  if ("issues" in parsed) throw invalid(parsed.issues);
  if (!caller.mayOnboard(parsed.request.org_id)) throw new HttpError(403, "forbidden");
  if (deps.saga === undefined) {
    throw new HttpError(503, "not_configured", {}, {
      message:
        "TWILIO_ACCOUNT_SID must be set: the main account, under which sub-accounts are opened.",
    });
  }

  const beginning: Beginning = await deps.saga.database.begin(
    parsed.request,
    key,
    caller.mayBuyFurther,
  );
  switch (beginning.outcome) {
    case "completed":
      return json(200, beginning.result);
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
    case "started": {
      const outcome = await runOnboarding(beginning.work, deps.saga);
      return outcome.kind === "completed"
        ? json(200, outcome.result)
        : failed(outcome.failure, outcome.kind === "rolled_back");
    }
  }
}

interface Caller {
  mayOnboard(orgId: string): boolean;
  /** Numbers cost the operator money: an organisation's admins get one. */
  readonly mayBuyFurther: boolean;
}

/**
 * Which organisations the caller may onboard: an operator any, an admin their own.
 *
 * @throws {HttpError} 401 for nobody we know, 403 for somebody who is no admin.
 */
async function callerOf(
  { settings, readUserToken, now }: OnboardDeps,
  request: Request,
): Promise<Caller> {
  if (isOperator(request, settings.secretKeys)) {
    return { mayOnboard: () => true, mayBuyFurther: true };
  }
  const token = bearerToken(request);
  const user = token === undefined ? undefined : await readUserToken(token, now());
  if (user === undefined) throw new HttpError(401, "unauthorized");
  if (user.orgRole !== "admin") throw new HttpError(403, "forbidden");
  return { mayOnboard: (orgId) => user.orgId === orgId, mayBuyFurther: false };
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
      : `${failure.message} What was done of it could not be undone yet; that is tried again by itself.`,
    ...(alternatives !== undefined && { alternatives }),
    undone,
  }, retryAfter === undefined ? {} : { "retry-after": String(retryAfter) });
}
