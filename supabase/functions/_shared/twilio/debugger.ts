import * as z from "zod/mini";
import { understoodList } from "./client.ts";

/** A call rejected at the account's limit of concurrent calls: https://www.twilio.com/docs/api/errors/10004, .../86008 */
const TOO_MANY_CALLS: readonly unknown[] = ["10004", "86008"];
const HOUR_MS = 60 * 60 * 1000;

const entry = z.object({ error_code: z.nullish(z.string()) });

export interface DebuggerOptions {
  /** `https://api.twilio.com`, whose debugger is at monitor.twilio.com; a stand-in serves both. */
  readonly baseUrl: string;
  readonly accountSid: string;
  readonly authToken: string;
  readonly deadlineMs?: number;
}

/**
 * How many calls Twilio refused in the last hour because the account had as many as it may have at once. Twilio calls
 * no webhook for them, so its debugger is the only place that knows: https://www.twilio.com/docs/usage/monitor-alert.
 * Of the main account; at most the newest 1000 errors are looked through.
 *
 * @returns `null` where Twilio does not answer: nothing is known then, and nothing may depend on it.
 */
export async function refusedCalls(
  { baseUrl, accountSid, authToken, deadlineMs = 5000 }: DebuggerOptions,
  now: Date,
): Promise<number | null> {
  const start = new Date(now.getTime() - HOUR_MS).toISOString().replace(/\.\d+Z$/, "Z");
  const query = new URLSearchParams({ LogLevel: "error", StartDate: start, PageSize: "1000" });
  const monitor = baseUrl.replace("//api.twilio.com", "//monitor.twilio.com");
  try {
    const response = await fetch(`${monitor}/v1/Alerts?${query}`, {
      headers: { authorization: `Basic ${btoa(`${accountSid}:${authToken}`)}` },
      signal: AbortSignal.timeout(deadlineMs),
    });
    if (!response.ok) {
      await response.body?.cancel();
      return null;
    }
    return understoodList(entry, await response.json(), "alerts")
      .filter(({ error_code }) => TOO_MANY_CALLS.includes(error_code)).length;
  } catch {
    return null;
  }
}
