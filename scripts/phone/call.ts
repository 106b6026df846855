import {
  type CallHappening,
  CallRecord,
  type CallStatus,
  type EndedBy,
  STATUS_OF_EVENT,
} from "./call_record.ts";
import type { Callee, DialOffer, RingOffer, Telephone } from "./caller.ts";
import type { Clock } from "./clock.ts";
import type { Exchange, Live } from "./exchange.ts";
import {
  CallerHungUp,
  type DocumentRequest,
  type Interruption,
  Redirected,
} from "./interruption.ts";
import { type Delivery, Outbox } from "./outbox.ts";
import type { Random } from "./random.ts";
import { newSid, type Params } from "./signer.ts";
import type { Method, ProgressEvent } from "./twiml.ts";
import type { Outgoing, Sender, Webhook } from "./webhook.ts";

/** What goes wrong between Twilio and the app, for tests. */
export interface RelayFaults {
  /** Loses the socket instead of sending the nth prompt, counted over the call from 1. */
  readonly dropAtPrompt?: readonly number[];
  /** Sends each frame twice. */
  readonly doubled?: boolean;
  /** The handshake is refused before it reaches the app. */
  readonly unreachable?: boolean;
  /** `info` frames come after the frame that follows them. */
  readonly late?: boolean;
  /** Where a socket really is; default: where its address says. */
  readonly place?: (url: string) => string | Promise<string>;
  /** Called after each frame that was sent to the app. */
  readonly onFrame?: () => void;
}

export interface CallSetup {
  readonly from: string;
  readonly to: string;
  readonly direction: "inbound" | "outbound-api";
  /** The person at the telephone: who calls, or who is called by REST. */
  readonly caller: Telephone;
  /** Milliseconds after which the caller hangs up, wherever the call is. */
  readonly hangUpAfterMs: number | undefined;
  /** Further parameters of every call webhook, such as `FromCity` or `StirVerstat`. */
  readonly params: Params;
  readonly voiceUrl: string;
  readonly fallbackUrl: string | undefined;
  readonly statusCallback: string | undefined;
  readonly statusCallbackMethod: Method;
  readonly statusCallbackEvents: readonly ProgressEvent[];
  readonly exchange: Exchange;
  readonly accountSid: string;
  readonly sender: Sender;
  readonly clock: Clock;
  readonly random: Random;
  readonly delivery: Delivery;
  readonly callees: (offer: DialOffer) => Callee | undefined;
  readonly telephones: (offer: RingOffer) => Telephone | undefined;
  readonly duplicateSteps: number;
  readonly relay: RelayFaults | undefined;
  readonly actionAfterHangUp: boolean;
  readonly msPerCharacter: number;
  readonly maxSteps: number;
  readonly timestamps: boolean;
  readonly onEvent:
    | ((event: CallRecord["transcript"][number], record: CallRecord) => void)
    | undefined;
  readonly onWebhook: ((webhook: Webhook, record: CallRecord) => void) | undefined;
}

/**
 * One call, inbound or made by REST, from the first webhook to the last callback: its answer, its end, its clock and its webhooks. TwiML
 * decides the rest.
 */
export class Call implements Live {
  readonly setup: CallSetup;
  readonly clock: Clock;
  readonly record: CallRecord;
  /** Posted requests without an answer yet. */
  readonly outbox: Outbox;
  /** What goes on now is part of it. */
  #scope = new AbortController();
  /** Interruptions that are not acted upon yet; the first is the scope's. */
  #pending: Interruption[] = [];
  readonly #over = new AbortController();
  #onStar: (() => void) | undefined;
  #answeredAt: Date | undefined;
  #sequence = 0;

  constructor(setup: CallSetup) {
    this.setup = setup;
    this.clock = setup.clock;
    this.record = new CallRecord(newSid("CA"), setup.from, setup.to, setup.clock.now());
    this.outbox = new Outbox(
      setup.sender,
      setup.clock,
      setup.random,
      setup.delivery,
      (webhook) => this.#log(webhook),
    );
  }

  /**
   * Lets `conversation` go on until it ends the call or the caller hangs up. Resolves when the call
   * is over; its callbacks may still be under way.
   */
  async run(conversation: () => Promise<void>): Promise<CallRecord> {
    const { hangUpAfterMs, exchange } = this.setup;
    exchange.calls.set(this.record.callSid, this);
    if (hangUpAfterMs !== undefined) {
      // Not before the first webhook: Twilio sends that when the call comes in.
      this.clock.sleep(Math.max(1, hangUpAfterMs), this.#over.signal).then(
        () => this.hangUp(),
        () => {},
      );
    }
    try {
      await conversation();
    } catch (error) {
      if (!(error instanceof CallerHungUp)) throw error;
      this.end(error.by, error.by === "app" ? "canceled" : "no-answer");
    } finally {
      this.#over.abort();
      exchange.calls.delete(this.record.callSid);
      this.outbox.release();
    }
    // Callbacks that are due now arrive before the call counts as over.
    await this.clock.sleep(0);
    return this.record;
  }

  /** The call is picked up, unless it was before. */
  answer(): void {
    if (this.#answeredAt !== undefined) return;
    this.#answeredAt = this.clock.now();
    this.progress("answered");
  }

  get isAnswered(): boolean {
    return this.#answeredAt !== undefined;
  }

  progress(event: Exclude<ProgressEvent, "completed">): void {
    this.record.status = STATUS_OF_EVENT[event];
    this.record.dialledAt ??= this.clock.now();
    this.#reportStatus(event);
  }

  /**
   * The first end counts.
   *
   * @param unanswered the final status of an unanswered call. Not confirmed: that a caller who gives up before the answer
   * leaves `no-answer`.
   */
  end(by: EndedBy, unanswered: CallStatus = "no-answer"): void {
    if (this.record.endedBy !== undefined) return;
    this.record.endedBy = by;
    this.record.status = this.#answeredAt ? "completed" : unanswered;
    if (this.#answeredAt) this.record.durationSeconds = this.secondsSince(this.#answeredAt);
    this.happens({ kind: "hangup", by });
    this.#reportStatus("completed");
  }

  // ---- the caller ------------------------------------------------------------------------------

  /** Virtual time waits for the caller's answer; a hang-up does not. */
  async ask<T>(question: (caller: Telephone) => T | Promise<T>): Promise<T> {
    const { signal } = this.#scope;
    signal.throwIfAborted();
    return await this.clock.during(() => unless(signal, question(this.setup.caller)));
  }

  /** Waits for the other side of the line, unless this call is interrupted before. Time passes. */
  async until<T>(happening: Promise<T>): Promise<T> {
    return await unless(this.#scope.signal, happening);
  }

  /** Ends the work in progress. Its end catches this, and calls `resume` where the call goes on. */
  interrupt(interruption: Interruption): void {
    this.#pending.push(interruption);
    this.#scope.abort(interruption);
  }

  /**
   * After an interruption. Those of the whole call outlast the work that was interrupted.
   *
   * @param done The one of the whole call that was acted upon.
   */
  resume(done?: Redirected): void {
    this.#pending = this.#pending.filter((each) =>
      each !== done && (each instanceof CallerHungUp || each instanceof Redirected)
    );
    this.#scope = new AbortController();
    if (this.#pending.length > 0) this.#scope.abort(this.#pending[0]);
  }

  /** The caller hangs up at any moment, or the app ends the call by REST. */
  hangUp(by: "caller" | "app" = "caller"): void {
    this.interrupt(new CallerHungUp(by));
  }

  /** A key while two talk: a star may end the talk, where the `<Dial>` of this call says so. Others are lost. */
  press(key: string): void {
    const lost = key !== "*" || this.#onStar === undefined;
    this.happens({ kind: "keys", digits: key, lost });
    if (!lost) this.#onStar?.();
  }

  /**
   * Two talk for so many seconds.
   *
   * @param star Whether the star of this call's person ends it.
   * @param ended Ends it by its rejection.
   * @returns whether the time has passed.
   */
  async talk(seconds: number, star: boolean, ended?: Promise<never>): Promise<boolean> {
    const over = new AbortController();
    const pressed = Promise.withResolvers<boolean>();
    if (star) this.#onStar = () => pressed.resolve(false);
    const time = this.pass(seconds * 1000, over.signal).then(() => true);
    time.catch(() => {});
    try {
      return await Promise.race([time, pressed.promise, ...(ended ? [ended] : [])]);
    } finally {
      this.#onStar = undefined;
      over.abort();
    }
  }

  /** The caller hangs up here. */
  leave(): never {
    this.hangUp();
    throw this.#scope.signal.reason;
  }

  // ---- time ------------------------------------------------------------------------------------

  /**
   * Time passes on the line, unless the caller hangs up before.
   *
   * @param signal Ends it too, and rejects with its reason.
   */
  async pass(ms: number, signal?: AbortSignal): Promise<void> {
    const scope = this.#scope.signal;
    await this.clock.sleep(ms, signal ? AbortSignal.any([scope, signal]) : scope);
  }

  /** Whole seconds. */
  secondsSince(moment: Date): number {
    return Math.round((this.clock.now().getTime() - moment.getTime()) / 1000);
  }

  // ---- webhooks --------------------------------------------------------------------------------

  /** Source: Twilio, "TwiML for Programmable Voice: request parameters". */
  params(): Params {
    const { from, to, accountSid, direction, params } = this.setup;
    return {
      AccountSid: accountSid,
      ApiVersion: "2010-04-01",
      CallSid: this.record.callSid,
      CallStatus: this.record.status,
      Direction: direction,
      From: from,
      Caller: from,
      To: to,
      Called: to,
      ...params,
    };
  }

  async request(request: DocumentRequest): Promise<Webhook> {
    // Callbacks that are due before this request arrive before it; on wall time they may overlap.
    await this.pass(0);
    const webhook = await this.#send(request);
    this.#scope.signal.throwIfAborted();
    return webhook;
  }

  /** The caller has hung up: the webhook is sent, and its answer is ignored. */
  async requestIgnoringAnswer(request: DocumentRequest): Promise<void> {
    await this.clock.sleep(0);
    await this.#send(request);
  }

  /** Sends copies at once, which must all get the same answer. */
  async #send({ url, method, params }: DocumentRequest): Promise<Webhook> {
    const outgoing = {
      kind: "twiml" as const,
      url,
      method,
      params: this.#stamped({ ...this.params(), ...params }),
      idempotencyToken: crypto.randomUUID(),
    };
    const copies = Array.from(
      { length: 1 + this.setup.duplicateSteps },
      () => this.setup.sender.send(outgoing, this.clock, (webhook) => this.#log(webhook)),
    );
    const [first, ...others] = await Promise.all(copies) as [Webhook, ...Webhook[]];
    for (const other of others) {
      if (other.status !== first.status || other.body !== first.body) {
        throw new Error(
          `Copies of one webhook to ${first.url} were answered differently:\n` +
            `${first.status} ${first.body}\n${other.status} ${other.body}`,
        );
      }
    }
    return first;
  }

  /** A callback: the call does not wait for the answer. */
  post(callback: Outgoing & { readonly params: Params }, afterMs = 0): void {
    this.outbox.post({ ...callback, params: this.#stamped(callback.params) }, afterMs);
  }

  #stamped(params: Params): Params {
    return this.setup.timestamps ? { Timestamp: rfc2822(this.clock.now()), ...params } : params;
  }

  /** The number's own status callback, or that of the REST request. */
  #reportStatus(event: ProgressEvent): void {
    const { statusCallback, statusCallbackMethod, statusCallbackEvents } = this.setup;
    if (statusCallback === undefined || !statusCallbackEvents.includes(event)) return;
    this.post({
      kind: "status",
      url: statusCallback,
      method: statusCallbackMethod,
      params: {
        ...this.params(),
        ...(event !== "completed" && { CallStatus: STATUS_OF_EVENT[event] }),
        ...progressParams(event, this.#sequence++, this.clock.now(), this.record.durationSeconds),
      },
    });
  }

  // ---- the record ------------------------------------------------------------------------------

  happens(happening: CallHappening): void {
    const atMs = this.clock.now().getTime() - this.record.startedAt.getTime();
    const event = Object.assign(happening, { atMs });
    this.record.transcript.push(event);
    this.setup.onEvent?.(event, this.record);
  }

  #log(webhook: Webhook): void {
    this.record.webhooks.push(webhook);
    this.setup.onWebhook?.(webhook, this.record);
  }
}

/**
 * The parameters of each status callback, of a call or of a leg.
 *
 * @param seconds from the answer to the end, of what is completed
 */
export function progressParams(
  event: ProgressEvent,
  sequence: number,
  at: Date,
  seconds: number,
): Params {
  return {
    CallbackSource: "call-progress-events",
    SequenceNumber: String(sequence),
    Timestamp: rfc2822(at),
    // `Duration` is in minutes begun.
    ...(event === "completed" && {
      CallDuration: String(seconds),
      Duration: String(Math.ceil(seconds / 60)),
    }),
  };
}

export function rfc2822(date: Date): string {
  return date.toUTCString().replace("GMT", "+0000");
}

/** Waits for work, or throws the reason why it is interrupted. */
async function unless<T>(signal: AbortSignal, work: T | Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
