import { inBackground } from "../runtime.ts";
import type { LogFields } from "../log.ts";

/** Where a Sentry project takes its events. */
export interface SentryDsn {
  /** Its envelope endpoint. */
  readonly url: string;
  readonly publicKey: string;
}

/** Reads `https://KEY@HOST/PROJECT`, with a path before the project where Sentry is hosted under one. */
export function parseSentryDsn(dsn: string): SentryDsn | undefined {
  if (!URL.canParse(dsn)) return undefined;
  const { protocol, username, host, pathname } = new URL(dsn);
  const [, path, project] = /^(.*)\/(\d+)\/?$/.exec(pathname) ?? [];
  if (!["http:", "https:"].includes(protocol) || username === "" || project === undefined) {
    return undefined;
  }
  return { url: `${protocol}//${host}${path}/api/${project}/envelope/`, publicKey: username };
}

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
): (fields: LogFields) => void {
  return (fields) => {
    const { function: name, reason } = fields;
    const event = {
      event_id: crypto.randomUUID().replaceAll("-", ""),
      timestamp: new Date().toISOString(),
      platform: "javascript",
      level: "error",
      logger: String(name ?? "tradeline"),
      environment,
      message: `${name ?? "tradeline"}: ${reason ?? fields["outcome"] ?? "error"}`.slice(0, 1000),
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
