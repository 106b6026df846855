import { type Call, progressParams } from "./call.ts";
import { type CallHappening, type CallStatus, STATUS_OF_EVENT } from "./call_record.ts";
import type { Callee } from "./caller.ts";
import type { DocumentRequest } from "./interruption.ts";
import { newSid, type Params } from "./signer.ts";
import { type DialNumber, type ProgressEvent, resolveUrl } from "./twiml.ts";

const OPEN: ReadonlySet<CallStatus> = new Set(["queued", "initiated", "ringing", "in-progress"]);

export interface LegSetup {
  readonly number: DialNumber;
  readonly callee: Callee;
  /** The number that shows on the callee's phone. */
  readonly callerId: string;
  /** Seconds that it rings at most. */
  readonly timeout: number;
  readonly documentUrl: string;
}

/** A number that a `<Dial>` rings: a child call of the caller's, with status callbacks of its own. */
export class Leg {
  readonly sid = newSid("CA");
  readonly callee: Callee;
  /** What becomes of it, unless it is canceled before. */
  readonly outcome: NonNullable<Callee["outcome"]>;
  /** When that shows, from the beginning of the dial. */
  readonly decidedAtMs: number;
  readonly #call: Call;
  readonly #setup: LegSetup;
  readonly #happening: Extract<CallHappening, { kind: "leg" }>;
  #sequence = 0;
  #answeredAt: Date | undefined;

  constructor(call: Call, setup: LegSetup) {
    const { number, callee, timeout } = setup;
    this.callee = callee;
    ({ outcome: this.outcome, decidedAtMs: this.decidedAtMs } = outcomeOf(callee, timeout));
    this.#call = call;
    this.#setup = setup;
    this.#happening = { kind: "leg", sid: this.sid, number: number.number, status: "queued" };
  }

  get status(): CallStatus {
    return this.#happening.status;
  }

  /** What is asked for when it is answered, before the two are connected. */
  get screening(): DocumentRequest | undefined {
    const { number: { url, method }, documentUrl } = this.#setup;
    return url === undefined
      ? undefined
      : { url: resolveUrl(url, documentUrl), method, params: this.params };
  }

  /** Of each webhook about it. */
  get params(): Params {
    const { number: { number }, callerId } = this.#setup;
    return {
      AccountSid: this.#call.setup.accountSid,
      ApiVersion: "2010-04-01",
      CallSid: this.sid,
      ParentCallSid: this.#call.record.callSid,
      CallStatus: this.status,
      Direction: "outbound-dial",
      From: callerId,
      Caller: callerId,
      To: number,
      Called: number,
    };
  }

  /** Seconds since it was answered; 0 until then. */
  get talkSeconds(): number {
    return this.#answeredAt ? this.#call.secondsSince(this.#answeredAt) : 0;
  }

  initiate(): void {
    this.#call.happens(this.#happening);
    this.#progress("initiated");
  }

  ring(): void {
    this.#progress("ringing");
  }

  answer(): void {
    this.#answeredAt = this.#call.clock.now();
    this.#progress("answered");
  }

  /**
   * Once only: a leg that is over stays as it is. Returns whether it is over by this.
   *
   * @param recording The callback's parameters about the conversation's recording, if any.
   */
  end(status: CallStatus, recording: Params = {}): boolean {
    if (!OPEN.has(this.status)) return false;
    this.#happening.status = status;
    this.#report("completed", recording);
    return true;
  }

  #progress(event: Exclude<ProgressEvent, "completed">): void {
    this.#happening.status = STATUS_OF_EVENT[event];
    this.#report(event);
  }

  #report(event: ProgressEvent, recording: Params = {}): void {
    const { number, documentUrl } = this.#setup;
    if (number.statusCallback === undefined) return;
    if (!number.statusCallbackEvents.includes(event)) return;
    this.#call.post({
      kind: "status",
      url: resolveUrl(number.statusCallback, documentUrl),
      method: number.statusCallbackMethod,
      params: {
        ...this.params,
        ...progressParams(event, this.#sequence++, this.#call.clock.now(), this.talkSeconds),
        ...recording,
      },
    });
  }
}

/**
 * What becomes of a telephone that rings, and when that shows.
 *
 * @param timeout Seconds that it rings at most.
 */
export function outcomeOf(callee: Callee, timeout: number): {
  outcome: NonNullable<Callee["outcome"]>;
  decidedAtMs: number;
} {
  const wished = callee.outcome ?? "answered";
  const ringSeconds = callee.ringSeconds ??
    (wished === "answered" ? 4 : wished === "no-answer" ? Infinity : 1);
  const inTime = wished !== "no-answer" && ringSeconds < timeout;
  return {
    outcome: inTime ? wished : "no-answer",
    decidedAtMs: Math.min(ringSeconds, timeout) * 1000,
  };
}
