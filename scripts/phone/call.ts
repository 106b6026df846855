import {
  type CallHappening,
  CallRecord,
  type CallStatus,
  type EndedBy,
  STATUS_OF_EVENT,
} from "./call_record.ts";
import type { Callee, Caller, DialOffer } from "./caller.ts";
import type { Clock } from "./clock.ts";
import { type Delivery, Outbox } from "./outbox.ts";
import type { Random } from "./random.ts";
import { newSid, type Params } from "./signer.ts";
import type { Method, ProgressEvent } from "./twiml.ts";
import type { Outgoing, Sender, Webhook } from "./webhook.ts";

export interface CallSetup {
  readonly from: string;
  readonly to: string;
  readonly caller: Caller;
  /** Milliseconds after which the caller hangs up, wherever the call is. */
  readonly hangUpAfterMs: number | undefined;
  /** Further parameters of every call webhook, such as `FromCity` or `StirVerstat`. */
  readonly params: Params;
  readonly voiceUrl: string;
  readonly fallbackUrl: string | undefined;
  readonly statusCallback: string | undefined;
  readonly statusCallbackEvents: readonly ProgressEvent[];
  readonly accountSid: string;
  readonly sender: Sender;
  readonly clock: Clock;
  readonly random: Random;
  readonly delivery: Delivery;
  readonly callees: (offer: DialOffer) => Callee | undefined;
  readonly duplicateSteps: number;
  readonly actionAfterHangUp: boolean;
  readonly msPerCharacter: number;
  readonly maxSteps: number;
  readonly timestamps: boolean;
  readonly onEvent:
    | ((event: CallRecord["transcript"][number], record: CallRecord) => void)
    | undefined;
  readonly onWebhook: ((webhook: Webhook, record: CallRecord) => void) | undefined;
}

/** A call webhook: the call waits for the TwiML that it is answered. */
export interface DocumentRequest {
  readonly url: string;
  readonly method: Method;
  /** Beside those of every call webhook. */
  readonly params: Params;
}

/** Ends all work in progress when the caller hangs up. */
export class CallerHungUp extends Error {
  override name = "CallerHungUp";
}

/**
 * One inbound call, from the first webhook to the last callback: its answer, its end, its clock and its webhooks. TwiML
 * decides the rest.
 */
export class Call {
  readonly setup: CallSetup;
  readonly clock: Clock;
  readonly record: CallRecord;
  /** Posted requests without an answer yet. */
  readonly outbox: Outbox;
  readonly #hungUp = new AbortController();
  readonly #over = new AbortController();
  /** Rejects once the caller has hung up. */
  readonly #gone: Promise<never>;
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
    this.#gone = new Promise((_, reject) => {
      this.#hungUp.signal.addEventListener("abort", () => reject(this.#hungUp.signal.reason));
    });
    this.#gone.catch(() => {});
  }

  /**
   * Lets `conversation` go on until it ends the call or the caller hangs up. Resolves when the call
   * is over; its callbacks may still be under way.
   */
  async run(conversation: () => Promise<void>): Promise<CallRecord> {
    const { hangUpAfterMs } = this.setup;
    this.#reportStatus("initiated");
    this.#reportStatus("ringing");
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
      this.end("caller");
    } finally {
      this.#over.abort();
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
    this.record.status = "in-progress";
    this.#reportStatus("answered");
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
  async ask<T>(question: (caller: Caller) => T | Promise<T>): Promise<T> {
    this.#hungUp.signal.throwIfAborted();
    return await this.clock.during(() => Promise.race([question(this.setup.caller), this.#gone]));
  }

  /** The caller hangs up at any moment. */
  hangUp(): void {
    this.#hungUp.abort(new CallerHungUp("The caller hung up"));
  }

  /** The caller hangs up here. */
  leave(): never {
    this.hangUp();
    throw this.#hungUp.signal.reason;
  }

  // ---- time ------------------------------------------------------------------------------------

  /** Time passes on the line, unless the caller hangs up before. */
  async pass(ms: number): Promise<void> {
    await this.clock.sleep(ms, this.#hungUp.signal);
  }

  /** Whole seconds. */
  secondsSince(moment: Date): number {
    return Math.round((this.clock.now().getTime() - moment.getTime()) / 1000);
  }

  // ---- webhooks --------------------------------------------------------------------------------

  /** Source: Twilio, "TwiML for Programmable Voice: request parameters". */
  params(): Params {
    const { from, to, accountSid, params } = this.setup;
    return {
      AccountSid: accountSid,
      ApiVersion: "2010-04-01",
      CallSid: this.record.callSid,
      CallStatus: this.record.status,
      Direction: "inbound",
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
    this.#hungUp.signal.throwIfAborted();
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

  /** The number's own status callback. */
  #reportStatus(event: ProgressEvent): void {
    const { statusCallback, statusCallbackEvents } = this.setup;
    if (statusCallback === undefined || !statusCallbackEvents.includes(event)) return;
    this.post({
      kind: "status",
      url: statusCallback,
      method: "POST",
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
