import { inBackground } from "../runtime.ts";
import type { Settings } from "../settings.ts";
import { isSending } from "./mail.ts";

/**
 * Starts a run of notify-worker in the background. If it fails, the next scheduled run sends the mails.
 */
export function wakeWorker(settings: Settings): void {
  if (!isSending(settings.mail)) return;
  inBackground(
    fetch(`${settings.supabaseUrl}/functions/v1/notify-worker`, {
      method: "POST",
      headers: { apikey: settings.secretKey, prefer: "respond-async" },
      signal: AbortSignal.timeout(10_000),
    }).then((response) => response.body?.cancel()),
  );
}
