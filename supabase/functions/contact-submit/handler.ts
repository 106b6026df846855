import { createHash } from "node:crypto";
import { corsHeaders, preflight } from "../_shared/contact/cors.ts";
import { contactLimits } from "../_shared/contact/limits.ts";
import { parseSubmission } from "../_shared/contact/submission.ts";
import type { SubmitContactMessage } from "../_shared/db/contact.ts";
import { endpoint, type EndpointNote } from "../_shared/endpoint.ts";
import { invalid } from "../_shared/errors.ts";
import { clientAddress, type Handler, json, readJson, requireMethod } from "../_shared/http.ts";
import type { Log } from "../_shared/log.ts";
import type { Settings } from "../_shared/settings.ts";

export interface ContactDeps {
  readonly settings: Settings;
  readonly submit: SubmitContactMessage;
  /** Sends the mails right after the answer instead of with the next scheduled run. */
  readonly wake: () => void;
  readonly log: Log;
}

/** Stores a message from the website and queues its mails; the answer does not wait for the sending. */
export function createHandler(deps: ContactDeps): Handler {
  const { contactAllowedOrigins } = deps.settings;
  const submit = endpoint(
    "contact-submit",
    { log: deps.log, retryAfterSec: 5, logs: "all" },
    (request, note) => serve(deps, request, note),
  );
  return async (request) => {
    if (request.method === "OPTIONS") return preflight(request, contactAllowedOrigins);
    const response = await submit(request);
    for (const [name, value] of Object.entries(corsHeaders(request, contactAllowedOrigins))) {
      response.headers.set(name, value);
    }
    return response;
  };
}

async function serve(
  { settings: { secretKey, contactMaxPerHour }, submit, wake }: ContactDeps,
  request: Request,
  note: EndpointNote,
): Promise<Response> {
  requireMethod(request, "POST", "OPTIONS");
  const parsed = parseSubmission(await readJson(request));
  const key = idempotencyKey(request);
  note.outcome = parsed.kind;
  if (parsed.kind === "trap") return json(202, { id: crypto.randomUUID() });
  if (parsed.kind === "invalid") {
    note.fields = parsed.issues.map((issue) => issue.field).join(",");
    return json(400, { error: "invalid", issues: parsed.issues });
  }

  const { message } = parsed;
  const address = clientAddress(request.headers);
  const limits = contactLimits(address, message.email, { secretKey, perHour: contactMaxPerHour });
  const outcome = await submit({ message, limits, key });
  note.outcome = outcome.kind;
  switch (outcome.kind) {
    case "accepted":
      if (outcome.duplicate) note.outcome = "duplicate";
      else wake();
      return json(202, { id: outcome.id });
    case "rate_limited":
      return json(429, { error: "rate_limited" }, {
        "retry-after": String(outcome.retryAfterSec),
      });
    case "conflict":
      return json(409, { error: "conflict" });
    case "unavailable":
      note.reason = outcome.reason;
      return json(503, { error: "unavailable" }, { "retry-after": "5" });
  }
}

/** The hash of the request's key, which must be too long for two visitors to choose the same. */
function idempotencyKey(request: Request): string | undefined {
  const key = request.headers.get("idempotency-key");
  if (key === null) return undefined;
  if (!/^[\x21-\x7e]{16,255}$/.test(key)) {
    throw invalid([{
      field: "Idempotency-Key",
      message: "must be 16 to 255 printable characters, such as a UUID",
    }]);
  }
  return createHash("sha256").update(key).digest("hex");
}
