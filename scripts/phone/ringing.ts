import type { Call } from "./call.ts";
import type { Callee } from "./caller.ts";

export type RingOutcome = NonNullable<Callee["outcome"]>;

/** When a telephone is reached and rings, in milliseconds. */
const REACHED_MS = 500;

/**
 * Lets a telephone ring until the person decides, or nobody does.
 *
 * @param decide What becomes of it: known at once, or when a person acts.
 * @param timeout Seconds that it rings at most.
 * @param onRinging Called when it rings; a busy or unreachable telephone does not.
 * @param signal Ends the ringing: rejects with its reason.
 */
export async function letRing(
  call: Call,
  decide: () => Promise<Callee>,
  timeout: number,
  onRinging: () => void,
  signal?: AbortSignal,
): Promise<{ outcome: RingOutcome; callee: Callee }> {
  const start = call.clock.now().getTime();
  const until = async (ms: number, wait = signal) =>
    await call.pass(Math.max(0, start + ms - call.clock.now().getTime()), wait);
  /** Whether the decision came before that moment. */
  const decidedBefore = async (ms: number) => {
    const timer = new AbortController();
    const late = until(ms, signal ? AbortSignal.any([signal, timer.signal]) : timer.signal);
    try {
      return await Promise.race([decided.then(() => true), late.then(() => false)]);
    } finally {
      timer.abort();
      late.catch(() => {});
    }
  };
  const decided = decide();
  decided.catch(() => {});
  let rings = false;
  if (!await decidedBefore(REACHED_MS)) {
    rings = true;
    onRinging();
    if (!await decidedBefore(timeout * 1000)) return { outcome: "no-answer", callee: {} };
  }
  const callee = await decided;
  const { outcome, decidedAtMs } = outcomeOf(callee, timeout);
  if (!rings && outcome !== "busy" && outcome !== "failed") {
    await until(Math.min(REACHED_MS, decidedAtMs));
    onRinging();
  }
  await until(decidedAtMs);
  return { outcome, callee };
}

/** What becomes of a telephone that rings, and when that shows. */
function outcomeOf(callee: Callee, timeout: number): { outcome: RingOutcome; decidedAtMs: number } {
  const wished = callee.outcome ?? "answered";
  const ringSeconds = callee.ringSeconds ??
    (wished === "answered" ? 4 : wished === "no-answer" ? Infinity : 1);
  const inTime = wished !== "no-answer" && ringSeconds < timeout;
  return {
    outcome: inTime ? wished : "no-answer",
    decidedAtMs: Math.min(ringSeconds, timeout) * 1000,
  };
}
