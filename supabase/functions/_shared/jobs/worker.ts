import { endpoint } from "../endpoint.ts";
import { type Handler, json, requireMethod } from "../http.ts";
import type { Log } from "../log.ts";
import { requireOperator } from "../operator.ts";
import { inBackground } from "../runtime.ts";
import type { Settings } from "../settings.ts";

export interface WorkerOptions {
  readonly settings: Pick<Settings, "secretKeys" | "schedulerTokens">;
  readonly log: Log;
  readonly retryAfterSec: number;
  /** A run may begin while another goes on: what a webhook wakes it for cannot wait. Default false. */
  readonly overlapping?: boolean;
}

/**
 * Serves a worker: one POST is one run, for the scheduler's token or the operator key. The answer is the run's report.
 * With `Prefer: respond-async` (RFC 7240) the answer is 202 at once, and the run continues in the background, because
 * the scheduler's pg_net sends its next requests only after all of the last ones were answered. An isolate has one such
 * run at a time, unless they may overlap; the scheduler calls again.
 *
 * @param name The function's, for the log.
 * @param run Must bound its own time: the platform kills a run after the plan's wall-clock limit (150 s or more).
 */
export function worker(name: string, options: WorkerOptions, run: () => Promise<unknown>): Handler {
  const { settings, log, overlapping = false } = options;
  const keys = [...settings.secretKeys, ...settings.schedulerTokens];
  let running = false;
  return endpoint(name, options, async (request) => {
    requireMethod(request, "POST");
    requireOperator(request, keys);
    if (!/\brespond-async\b/i.test(request.headers.get("prefer") ?? "")) {
      return json(200, await run());
    }
    if (!running || overlapping) {
      running = true;
      inBackground(
        run().catch((error) => {
          const reason = error instanceof Error ? `${error.name}: ${error.message}` : "unknown";
          log("error", { function: name, reason });
        }).finally(() => running = false),
      );
    }
    return json(202, { accepted: true }, { "preference-applied": "respond-async" });
  });
}
