import type { VoiceEvent } from "../calls/events.ts";
import type { ReportAnalyticsEvent } from "../db/analytics_events.ts";
import type { AcceptVoiceEvent } from "../db/voice_events.ts";
import type { Log } from "../log.ts";
import { inBackground } from "../runtime.ts";
import type { CallLimit } from "../calls/call_limits.ts";

/** An event that is under limits. */
export type LimitedEvent = VoiceEvent & { readonly limits: readonly CallLimit[] };

/**
 * Returns the limit that refuses a call, or counts the call when none does. All copies of an event count once. Rejects
 * when the limiter cannot decide, at the latest when `signal` aborts.
 */
export type AskLimiter = (
  event: LimitedEvent,
  signal: AbortSignal,
) => Promise<CallLimit | undefined>;

export interface LimiterOptions {
  /** The limiter's name, for the log. */
  readonly backend: string;
  readonly log: Log;
  readonly report: ReportAnalyticsEvent;
  /** The limiter's deadline in milliseconds; after it the database decides alone. */
  readonly deadlineMs?: number;
}

/**
 * Asks an outside limiter before the database. A call that it refuses is stored as refused. A call that it admits, or
 * does not answer for, is also counted by the database, so a limiter that is away, slow or has lost its counts lets no
 * flood in.
 */
export function limitedBy(
  ask: AskLimiter,
  accept: AcceptVoiceEvent,
  { backend, log, report, deadlineMs = 1000 }: LimiterOptions,
): AcceptVoiceEvent {
  const refusing = async (event: LimitedEvent) => {
    try {
      return await ask(event, AbortSignal.timeout(deadlineMs));
    } catch (error) {
      const reason = error instanceof Error ? error.name : "unknown";
      log("warn", {
        function: event.operation,
        call_sid: event.call_sid,
        outcome: "rate_limiter_unavailable",
        backend,
        reason,
        detail: detailOf(error),
      });
      inBackground(report("rate_limiter_unavailable", "warning", { backend, reason }));
      return undefined;
    }
  };

  return async (event) => {
    if (!isLimited(event)) return await accept(event);
    const limit = await refusing(event);
    if (limit === undefined) return await accept(event);
    const outcome = await accept({ ...event, rate_limited: true, limits: [limit] });
    // Accepted: a copy of a call that the database admitted before. Otherwise the refusal stands, stored or not.
    return outcome.kind === "accepted" ? outcome : { kind: "rate_limited" };
  };
}

function isLimited(event: VoiceEvent): event is LimitedEvent {
  return event.limits !== undefined && event.limits.length > 0;
}

/** The limiter's error message without the command, which contains the caller's number. */
function detailOf(error: unknown): string | undefined {
  return error instanceof Error
    ? error.message.split(", command was")[0]!.slice(0, 200)
    : undefined;
}
