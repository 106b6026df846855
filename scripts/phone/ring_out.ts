import type { Call } from "./call.ts";
import type { AnsweredBy, Callee } from "./caller.ts";
import { Interpreter } from "./interpreter.ts";
import { CallerHungUp, type DocumentSource } from "./interruption.ts";
import { letRing } from "./ringing.ts";

export interface RingOut {
  /** Seconds that it rings at most. */
  readonly timeout: number;
  /** Seconds that it lasts at most, once answered. */
  readonly timeLimit: number;
  readonly document: DocumentSource;
  readonly detection?: MachineDetection | undefined;
}

/**
 * Twilio tells a person from a machine.
 * Source: https://www.twilio.com/docs/voice/answering-machine-detection, which names the defaults.
 */
export interface MachineDetection {
  /** `Enable`: as soon as it is recognised; `DetectMessageEnd`: of a machine, once its greeting is over. */
  readonly mode: "Enable" | "DetectMessageEnd";
  /** Where the verdict goes, while the call goes on (`AsyncAmd`); without it the call waits in silence for the verdict. */
  readonly callback?: { readonly url: string; readonly method: "GET" | "POST" } | undefined;
  /** Seconds until it gives up; default 30. */
  readonly timeout?: number | undefined;
}

/** Twilio gives up a call that has waited for its turn so long. Milliseconds. */
const QUEUED_AT_MOST_MS = 24 * 60 * 60 * 1000;

/** Seconds from the answer to each verdict: the thresholds for speech, for what follows it, and for silence; of a greeting, its length. */
const DETECTED: Readonly<Record<AnsweredBy, number>> = {
  human: 1.5,
  fax: 3,
  unknown: 5,
  machine_start: 2.4,
  machine_end_beep: 12,
  machine_end_silence: 12,
  machine_end_other: 12,
};

/** What Twilio says of whom it has reached, and when. */
function verdictOf(
  { answeredBy = "human", detectedSeconds }: Callee,
  { mode, timeout = 30 }: MachineDetection,
): { AnsweredBy: AnsweredBy; ms: number } {
  const isMachine = answeredBy.startsWith("machine");
  const word = isMachine && mode === "Enable" ? "machine_start" : answeredBy;
  const seconds = detectedSeconds ?? DETECTED[word];
  return seconds <= timeout
    ? { AnsweredBy: word, ms: seconds * 1000 }
    // A greeting without an end in time is one nevertheless.
    : { AnsweredBy: isMachine ? "machine_start" : "unknown", ms: timeout * 1000 };
}

/** A call that was made by REST: waits for its turn, rings, and carries out its document once it is answered. */
export async function ringOut(
  call: Call,
  { timeout, timeLimit, document, detection }: RingOut,
): Promise<void> {
  const { exchange, accountSid, from, to } = call.setup;
  call.record.status = "queued";
  const turnMs = exchange.turn(accountSid, call.clock);
  await call.pass(Math.min(turnMs, QUEUED_AT_MOST_MS));
  if (turnMs > QUEUED_AT_MOST_MS) return call.end("error", "canceled");
  call.progress("initiated");
  const over = new AbortController();
  try {
    const offer = {
      callSid: call.record.callSid,
      from,
      to,
      timeout,
      detects: detection !== undefined,
      clock: call.clock,
      over: over.signal,
      hangUp: () => call.hangUp(),
      press: (key: string) => call.press(key),
    };
    const { outcome, callee } = await letRing(
      call,
      async () => await call.ask((person) => person.onRing?.(offer)) ?? {},
      timeout,
      () => call.progress("ringing"),
    );
    if (outcome !== "answered") return call.end("caller", outcome);
    call.answer();
    const after = (seconds: number, happens: () => void) =>
      void call.clock.sleep(seconds * 1000, over.signal).then(happens, () => {});
    after(timeLimit, () => call.interrupt(new CallerHungUp("app")));
    if (callee.staysSeconds !== undefined) after(callee.staysSeconds, () => call.hangUp());
    await new Interpreter(call).run(await detected(call, document, detection, callee, after));
  } finally {
    over.abort();
  }
}

/** The document that the call begins with: where the verdict is waited for, its request tells of it. */
async function detected(
  call: Call,
  document: DocumentSource,
  detection: MachineDetection | undefined,
  callee: Callee,
  after: (seconds: number, happens: () => void) => void,
): Promise<DocumentSource> {
  if (detection === undefined) return document;
  const { AnsweredBy, ms } = verdictOf(callee, detection);
  const params = { AnsweredBy, MachineDetectionDuration: String(ms) };
  const { callback } = detection;
  if (callback === undefined) {
    await call.pass(ms);
    call.record.answeredBy = AnsweredBy;
    return "twiml" in document
      ? document
      : { ...document, params: { ...document.params, ...params } };
  }
  after(ms / 1000, () => {
    call.record.answeredBy = AnsweredBy;
    const { AccountSid = "", CallSid = "" } = call.params();
    call.post({ kind: "status", ...callback, params: { AccountSid, CallSid, ...params } });
  });
  return document;
}
