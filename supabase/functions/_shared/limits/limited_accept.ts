import type { VoiceEvent } from "../calls/events.ts";
import type { ReportAnalyticsEvent } from "../db/analytics_events.ts";
import type { AcceptVoiceEvent } from "../db/voice_events.ts";
import type { Log } from "../log.ts";
import { inBackground } from "../runtime.ts";
import type { CallLimit } from "./call_limits.ts";

/** An event that is under limits. */
export type LimitedEvent = VoiceEvent & { readonly limits: readonly CallLimit[] };

/**
 * Asks a limiter for the limit that refuses a call, and counts the call where none does. One answer
 * and one count for all copies of an event. Rejects when it cannot tell, at the latest when
 * `signal` aborts.
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
  /** For the limiter's answer; after that the caller is let in. In milliseconds. */
  readonly deadlineMs?: number;
  /** For everything, the record of a refusal included. In milliseconds. */
  readonly totalMs?: number;
}

/**
 * Has a limiter elsewhere decide on an event's limits while the database accepts the event, neither
 * waiting for the other. What the limiter refuses is refused, whatever became of the database; while
 * the limiter has no answer, callers are let in.
 */
export function limitedBy(
  ask: AskLimiter,
  accept: AcceptVoiceEvent,
  { backend, log, report, deadlineMs = 1000, totalMs = 4500 }: LimiterOptions,
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
    const started = performance.now();
    const [outcome, limit] = await Promise.all([
      accept({ ...event, limits: undefined }),
      refusing(event),
    ]);
    if (limit === undefined) return outcome;

    const recorded = accept({
      ...event,
      event: "rate_limited",
      identity: "rate_limited",
      rate_limited: true,
      limits: [limit],
    });
    inBackground(recorded);
    await within(totalMs - (performance.now() - started), recorded);
    return { kind: "rate_limited" };
  };
}

function isLimited(event: VoiceEvent): event is LimitedEvent {
  return event.limits !== undefined && event.limits.length > 0;
}

/** What the limiter's own words are, without the command, which names the caller. */
function detailOf(error: unknown): string | undefined {
  return error instanceof Error
    ? error.message.split(", command was")[0]!.slice(0, 200)
    : undefined;
}

/** Waits for `work`, but no longer than `milliseconds`. */
async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, milliseconds));
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
