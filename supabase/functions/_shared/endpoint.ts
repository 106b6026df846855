import { HttpError, reasonOf, ServiceError } from "./errors.ts";
import { errorResponse, type Handler, json, SECURITY_HEADERS } from "./http.ts";
import type { Log } from "./log.ts";

export interface EndpointOptions {
  readonly log: Log;
  /** The `Retry-After` of an answer about another system's failure, in seconds. */
  readonly retryAfterSec: number;
  /** Default `failures`, so that frequent requests do not fill the log. */
  readonly logs?: "all" | "failures";
  /**
   * The console's pages ask it, from any site: it goes by a token that a page must have, not by a cookie. The methods that
   * they use. Default: none.
   */
  readonly pages?: readonly string[];
}

/** The fields of a request's log line beside its status. */
export type EndpointNote = Record<string, string | undefined>;

/**
 * Serves those who can ask again: an `HttpError` is answered as it says, the failure of another system 503, anything
 * else 500.
 *
 * @param name The function's, for the log.
 */
export function endpoint(
  name: string,
  { log, retryAfterSec, logs = "failures", pages = [] }: EndpointOptions,
  serve: (request: Request, note: EndpointNote) => Promise<Response>,
): Handler {
  const handle: Handler = async (request) => {
    const started = performance.now();
    const request_id = crypto.randomUUID();
    const note: EndpointNote = {};
    let response: Response;
    try {
      response = await serve(request, note);
    } catch (error) {
      if (error instanceof HttpError) {
        note.outcome = error.code;
        response = errorResponse(error);
      } else {
        note.outcome = "failed";
        note.reason = reasonOf(error);
        response = error instanceof ServiceError
          ? json(503, { error: "unavailable" }, { "retry-after": String(retryAfterSec) })
          : json(500, { error: "internal", request_id });
      }
    }
    const { status } = response;
    if (logs === "all" || status >= 500) {
      const ms = Math.round(performance.now() - started);
      const level = status >= 500 ? "error" : status >= 400 ? "warn" : "info";
      log(level, { function: name, request_id, status, ms, ...note });
    }
    return response;
  };
  if (pages.length === 0) return handle;
  return async (request) => {
    const asksFirst = request.method === "OPTIONS" &&
      request.headers.has("access-control-request-method");
    const response = asksFirst
      ? new Response(null, { status: 204, headers: SECURITY_HEADERS })
      : await handle(request);
    const { headers } = response;
    headers.set("access-control-allow-origin", "*");
    if (asksFirst) {
      headers.set("access-control-allow-methods", pages.join(", "));
      headers.set(
        "access-control-allow-headers",
        "authorization, apikey, content-type, range, x-client-info",
      );
      headers.set("access-control-max-age", "600");
    }
    return response;
  };
}
