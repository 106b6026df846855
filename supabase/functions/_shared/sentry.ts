import { inBackground } from "./runtime.ts";
import type { SentryDsn } from "./settings.ts";

/**
 * Sends errors to Sentry, each as one event, in the background: nobody waits for it, and nobody hears of it
 * when it fails.
 *
 * @returns takes the fields of a log line, masked already.
 */
export function sentryReporter(
  { url, publicKey }: SentryDsn,
  environment: string,
  deadlineMs = 5000,
): (fields: Readonly<Record<string, unknown>>) => void {
  return (fields) => {
    const { function: name, reason, outcome } = fields;
    const event = {
      event_id: crypto.randomUUID().replaceAll("-", ""),
      timestamp: new Date().toISOString(),
      platform: "javascript",
      level: "error",
      logger: String(name ?? "tradeline"),
      environment,
      message: `${name ?? "tradeline"}: ${reason ?? outcome ?? "error"}`.slice(0, 1000),
      tags: { function: name },
      extra: fields,
    };
    // https://develop.sentry.dev/sdk/data-model/envelopes/
    const envelope = [
      { event_id: event.event_id, sent_at: event.timestamp },
      { type: "event" },
      event,
    ].map((part) => JSON.stringify(part)).join("\n");
    const sending = fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/x-sentry-envelope",
        "x-sentry-auth":
          `Sentry sentry_version=7, sentry_client=tradeline/1.0, sentry_key=${publicKey}`,
      },
      body: `${envelope}\n`,
      signal: AbortSignal.timeout(deadlineMs),
    }).then((response) => response.body?.cancel());
    inBackground(sending);
  };
}
