import type { Settings } from "../settings.ts";
import { isSending } from "./mail.ts";

interface EdgeRuntime {
  waitUntil(work: Promise<unknown>): void;
}

/**
 * Runs notify-worker once this request is answered, where the platform keeps an isolate for that. Should it fail,
 * the next scheduled run sends the mails.
 */
export function wakeWorker(settings: Settings): void {
  const { EdgeRuntime } = globalThis as { EdgeRuntime?: EdgeRuntime };
  if (EdgeRuntime === undefined || !isSending(settings.mail)) return;
  const run = fetch(`${settings.supabaseUrl}/functions/v1/notify-worker`, {
    method: "POST",
    headers: { apikey: settings.secretKey },
    signal: AbortSignal.timeout(10_000),
  }).then((response) => response.body?.cancel()).catch(() => {});
  EdgeRuntime.waitUntil(run);
}
