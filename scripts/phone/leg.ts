import { type Call, progressParams } from "./call.ts";
import { type CallHappening, CallRecord, type CallStatus, STATUS_OF_EVENT } from "./call_record.ts";
import type { RingOffer, Telephone } from "./caller.ts";
import type { DocumentRequest } from "./interruption.ts";
import type { Side } from "./prompt.ts";
import { newSid, type Params } from "./signer.ts";
import { type DialNumber, type ProgressEvent, resolveUrl } from "./twiml.ts";

const OPEN: ReadonlySet<CallStatus> = new Set(["queued", "initiated", "ringing", "in-progress"]);

export interface LegSetup {
  readonly number: DialNumber;
  /** The number that shows on the callee's phone. */
  readonly callerId: string;
  /** Seconds that it rings at most. */
  readonly timeout: number;
  readonly documentUrl: string;
}

/** The called person hangs up before the connection. */
export class PersonHungUp extends Error {
  override name = "PersonHungUp";
}

/** A number that a `<Dial>` rings: a child call of the caller's, with status callbacks of its own. */
export class Leg implements Side {
  readonly sid = newSid("CA");
  /** Of what the called person alone hears. */
  readonly record: CallRecord;
  readonly #call: Call;
  readonly #setup: LegSetup;
  readonly #happening: Extract<CallHappening, { kind: "leg" }>;
  readonly #over = new AbortController();
  readonly #hungUp = Promise.withResolvers<never>();
  #telephone: Telephone = { onGather: () => "silence" };
  #sequence = 0;
  #answeredAt: Date | undefined;

  constructor(call: Call, setup: LegSetup) {
    const { number: { number }, callerId } = setup;
    this.#call = call;
    this.#setup = setup;
    this.#happening = { kind: "leg", sid: this.sid, number, status: "queued" };
    this.record = new CallRecord(this.sid, callerId, number, call.clock.now());
    this.#hungUp.promise.catch(() => {});
  }

  /** What a telephone is told that rings. */
  get offer(): RingOffer {
    const { number: { number }, callerId, timeout } = this.#setup;
    return {
      callSid: this.sid,
      to: number,
      from: callerId,
      timeout,
      clock: this.#call.clock,
      over: this.#over.signal,
      hangUp: () => this.#hungUp.reject(new PersonHungUp("The called person hung up")),
      // Source: https://www.twilio.com/docs/voice/twiml/dial#hangupOnStar: the calling side's key alone.
      press: () => {},
    };
  }

  /** Rejects with `PersonHungUp` when the called person does. */
  get hungUp(): Promise<never> {
    return this.#hungUp.promise;
  }

  // ---- the called person, who hears the document of the number ---------------------------------

  get setup(): Side["setup"] {
    return this.#call.setup;
  }

  get clock(): Side["clock"] {
    return this.#call.clock;
  }

  /** The caller does not hear it. */
  happens(happening: CallHappening): void {
    this.record.transcript.push(Object.assign(happening, { atMs: 0 }));
    if (happening.kind === "say" || happening.kind === "play") {
      const text = happening.kind === "say" ? happening.text : happening.url;
      this.#call.happens({ kind: "whisper", sid: this.sid, text });
    } else if (happening.kind === "error") {
      this.#call.happens(happening);
    }
  }

  async ask<T>(question: (person: Telephone) => T | Promise<T>): Promise<T> {
    return await Promise.race([this.#call.ask(() => question(this.#telephone)), this.hungUp]);
  }

  async pass(ms: number): Promise<void> {
    await Promise.race([this.#call.pass(ms), this.hungUp]);
  }

  leave(): never {
    throw new PersonHungUp("The called person hung up");
  }

  // ---- its course ------------------------------------------------------------------------------

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

  answer(telephone: Telephone): void {
    this.#telephone = telephone;
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
    this.#over.abort();
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
