import { HttpError } from "./errors.ts";
import { errorResponse, type Handler, json } from "./http.ts";
import type { Log } from "./log.ts";

/**
 * Serves those who can ask again: an `HttpError` is answered as it says; any other failure goes to the log, and is
 * answered 503.
 *
 * @param name The function's, for the log.
 */
export function endpoint(
  name: string,
  { log, retryAfterSec }: { readonly log: Log; readonly retryAfterSec: number },
  serve: Handler,
): Handler {
  return async (request) => {
    try {
      return await serve(request);
    } catch (error) {
      if (error instanceof HttpError) return errorResponse(error);
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : "unknown";
      log("error", { function: name, reason });
      return json(503, { error: "unavailable" }, { "retry-after": String(retryAfterSec) });
    }
  };
}
