import type { Call } from "./call.ts";
import { Interpreter } from "./interpreter.ts";
import { CallerHungUp, type DocumentSource } from "./interruption.ts";
import { letRing } from "./ringing.ts";

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
  const over = new AbortController();
  try {
    const offer = {
      callSid: call.record.callSid,
      from,
      to,
      timeout,
      clock: call.clock,
      over: over.signal,
      hangUp: () => call.hangUp(),
      press: (key: string) => call.press(key),
    };
    const { outcome } = await letRing(
      call,
      async () => await call.ask((person) => person.onRing?.(offer)) ?? {},
      timeout,
      () => call.progress("ringing"),
    );
    if (outcome !== "answered") return call.end("caller", outcome);
    call.answer();
    call.clock.sleep(timeLimit * 1000, over.signal).then(
      () => call.interrupt(new CallerHungUp("app")),
      () => {},
    );
    await new Interpreter(call).run(document);
  } finally {
    over.abort();
  }
}
