import type { FUNCTIONS } from "../functions.ts";
import { inBackground } from "../runtime.ts";
import type { Settings } from "../settings.ts";

/** Starts a run of a worker in the background. If that fails, the next scheduled run does its jobs. */
export function wakeWorker(
  { supabaseUrl, secretKey }: Pick<Settings, "supabaseUrl" | "secretKey">,
  worker: (typeof FUNCTIONS.scheduler)[number],
): void {
  inBackground(
    fetch(`${supabaseUrl}/functions/v1/${worker}`, {
      method: "POST",
      headers: { apikey: secretKey, prefer: "respond-async" },
      signal: AbortSignal.timeout(10_000),
    }).then((response) => response.body?.cancel()),
  );
}
