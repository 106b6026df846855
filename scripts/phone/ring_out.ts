import type { Call } from "./call.ts";
import { Interpreter } from "./interpreter.ts";
import { CallerHungUp, type DocumentSource } from "./interruption.ts";
import { outcomeOf } from "./leg.ts";

export interface RingOut {
  /** Seconds that it rings at most. */
  readonly timeout: number;
  /** Seconds that it lasts at most, once answered. */
  readonly timeLimit: number;
  readonly document: DocumentSource;
}

/** A call that was made by REST: waits for its turn, rings, and carries out its document once it is answered. */
export async function ringOut(
  call: Call,
  { timeout, timeLimit, document }: RingOut,
): Promise<void> {
  const { exchange, accountSid, from, to } = call.setup;
  call.record.status = "queued";
  await call.pass(exchange.turn(accountSid, call.clock));
  call.progress("initiated");
  const offer = { callSid: call.record.callSid, from, to, timeout };
  const callee = await call.ask((person) => person.onRing?.(offer)) ?? {};
  const { outcome, decidedAtMs } = outcomeOf(callee, timeout);
  if (outcome === "answered" || outcome === "no-answer") {
    const untilRinging = Math.min(500, decidedAtMs);
    await call.pass(untilRinging);
    call.progress("ringing");
    await call.pass(decidedAtMs - untilRinging);
  } else {
    await call.pass(decidedAtMs);
  }
  if (outcome !== "answered") return call.end("caller", outcome);
  call.answer();
  const over = new AbortController();
  call.clock.sleep(timeLimit * 1000, over.signal).then(
    () => call.interrupt(new CallerHungUp("app")),
    () => {},
  );
  try {
    await new Interpreter(call).run(document);
  } finally {
    over.abort();
  }
}
