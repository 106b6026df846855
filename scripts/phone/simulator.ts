import { Call, type CallSetup, type RelayFaults } from "./call.ts";
import type { CallEvent, CallRecord } from "./call_record.ts";
import {
  type Callee,
  type Caller,
  type DialOffer,
  personAt,
  type RingOffer,
  type Script,
  scripted,
  type Telephone,
} from "./caller.ts";
import { type Clock, VirtualClock } from "./clock.ts";
import { Exchange } from "./exchange.ts";
import { Interpreter } from "./interpreter.ts";
import { type DocumentSource, Redirected } from "./interruption.ts";
import type { Delivery } from "./outbox.ts";
import { type MachineDetection, ringOut } from "./ring_out.ts";
import { seededRandom } from "./random.ts";
import { newSid, type Params } from "./signer.ts";
import type { Method, ProgressEvent } from "./twiml.ts";
import { type Fetch, Sender, type Webhook } from "./webhook.ts";

export interface SimulatorOptions {
  /** What is configured at the number; each may carry connection overrides in its fragment. */
  readonly voiceUrl: string;
  readonly statusCallback?: string;
  /** Default `["completed"]`, all that a number reports of an inbound call. */
  readonly statusCallbackEvents?: readonly ProgressEvent[];
  readonly fallbackUrl?: string;
  readonly authToken: string;
  /** Default: one made up for this simulator. */
  readonly accountSid?: string;
  /** Default: virtual, each call on a timeline of its own that begins at the wall time. */
  readonly clock?: Clock;
  /** Default: the global one. Tests may count, delay, fail or reroute requests with it. */
  readonly fetch?: Fetch;
  /** Sent along with every request, such as the `x-forwarded-for` of a gateway. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly delivery?: Delivery;
  /** Decides about delivery alone; default: another one each time. */
  readonly seed?: number;
  /** How the people behind the dialled numbers behave when the caller's script leaves it open. */
  readonly callees?: Readonly<Record<string, Callee>> | ((offer: DialOffer) => Callee | undefined);
  /** Who has the telephones that the app rings, by REST or with `<Dial>`. Default: as `callees` says. */
  readonly telephones?: (offer: RingOffer) => Telephone | undefined;
  /** Where calls meet: given to several simulators, they share queues. Default: one of its own. */
  readonly exchange?: Exchange;
  /** So many more copies, at once, of each webhook that asks for TwiML; answers must be equal. */
  readonly duplicateSteps?: number;
  /** What goes wrong with the sockets of talks. */
  readonly relay?: RelayFaults;
  /** Whether a Dial's action is requested although the caller hung up. Default true. */
  readonly actionAfterHangUp?: boolean;
  /** How fast words are spoken; default 60 ms a character, about 170 words a minute. */
  readonly msPerCharacter?: number;
  /**
   * Each webhook carries `Timestamp`, which Twilio sends with status callbacks alone: for calls whose time is not the
   * app's, as it would take the moment at which a webhook arrives. Default false.
   */
  readonly timestamps?: boolean;
  /** A call that asks for more documents than this goes round in circles. Default 100. */
  readonly maxSteps?: number;
  /** Of calls that name no listeners of their own. */
  readonly onEvent?: (event: CallEvent, record: CallRecord) => void;
  readonly onWebhook?: (webhook: Webhook, record: CallRecord) => void;
}

export interface CallOptions {
  /** Default +14035550123; may be anything Twilio sends, such as `anonymous`. */
  readonly from?: string;
  /** Default +15874059000. */
  readonly to?: string;
  /** Who calls: data, or someone to ask. Without either: listens, stays silent. */
  readonly script?: Script;
  readonly caller?: Caller;
  /** Further parameters of every webhook of the call, such as `StirVerstat` or `FromCity`. */
  readonly params?: Params;
  /** Default: a timeline forked off the simulator's clock. */
  readonly clock?: Clock;
  readonly onEvent?: (event: CallEvent, record: CallRecord) => void;
  readonly onWebhook?: (webhook: Webhook, record: CallRecord) => void;
}

/**
 * A call that the app asks for. Source: https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource,
 * which names the defaults.
 */
export interface RestCall {
  readonly to: string;
  readonly from: string;
  /** What is carried out once it is answered. */
  readonly document: DocumentSource;
  readonly statusCallback?: string | undefined;
  readonly statusCallbackMethod?: Method;
  /** Default `["completed"]`. */
  readonly statusCallbackEvents?: readonly ProgressEvent[];
  /** Seconds that it rings at most; default 60. */
  readonly timeout?: number;
  /** Seconds that it lasts at most; default 14400. */
  readonly timeLimit?: number;
  /** Default: none. */
  readonly detection?: MachineDetection | undefined;
  readonly fallbackUrl?: string | undefined;
  readonly onEvent?: CallOptions["onEvent"];
  readonly onWebhook?: CallOptions["onWebhook"];
}

/** A call that goes on. */
export interface PlacedCall {
  /** Grows while the call goes on. */
  readonly record: CallRecord;
  /** The call is over. Rejects when the app contradicts itself (see `duplicateSteps`, `maxSteps`). */
  readonly done: Promise<CallRecord>;
  /** The caller hangs up now. */
  hangUp(): void;
  /** The caller presses a key while talking. */
  press(key: string): void;
}

/**
 * Twilio as a hotline sees it: places calls at a number, carries out the TwiML that it is answered,
 * and reports what happens, with signed requests over HTTP.
 *
 * @example
 * ```ts
 * const simulator = new Simulator({ voiceUrl, statusCallback, authToken });
 * const call = await simulator.call({ script: { keys: ["1"], dial: "no-answer" } });
 * await simulator.settle();
 * assertEquals(call.dialled, ["+15877428885"]);
 * ```
 */
export class Simulator {
  readonly accountSid: string;
  readonly clock: Clock;
  /** Where its calls meet. */
  readonly exchange: Exchange;
  readonly #options: SimulatorOptions;
  readonly #sender: Sender;
  readonly #seed: number;
  readonly #unsettled = new Set<Promise<void>>();
  #calls = 0;

  constructor(options: SimulatorOptions) {
    this.#options = options;
    this.accountSid = options.accountSid ?? newSid("AC");
    this.clock = options.clock ?? new VirtualClock();
    this.exchange = options.exchange ?? new Exchange();
    this.#sender = new Sender(options.authToken, options.fetch, options.headers);
    this.#seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
  }

  /** One inbound call, until it is over. Its callbacks may be under way: see `settle`. */
  async call(options: CallOptions = {}): Promise<CallRecord> {
    return await this.place(options).done;
  }

  /** Begins a call that can be watched and hung up from outside. */
  place(options: CallOptions = {}): PlacedCall {
    const call = new Call(this.#setup(options));
    return this.#begin(call, async () => {
      call.progress("initiated");
      call.progress("ringing");
      await new Interpreter(call).answer();
    });
  }

  /** Rings a telephone, as the app asked by REST. The call is `queued` first: calls are made at a limited rate. */
  dial(rest: RestCall): PlacedCall {
    const { to, from, timeout = 60, timeLimit = 14_400 } = rest;
    let telephone: Telephone = personAt({});
    // Asked when it rings: at first nobody knows the call's sid.
    const caller: Telephone = {
      onRing: (offer) => {
        const { telephones, callees } = this.#options;
        const known = typeof callees === "object" ? callees[to] : undefined;
        telephone = telephones?.(offer) ?? personAt(known ?? {});
        return telephone.onRing?.(offer);
      },
      onHear: (heard) => telephone.onHear?.(heard),
      onGather: (offer) => telephone.onGather?.(offer),
      onDial: (offer) => telephone.onDial?.(offer),
      onRecord: (offer) => telephone.onRecord?.(offer),
      onTalk: () => telephone.onTalk?.(),
    };
    const call = new Call({
      ...this.#setup({
        from,
        to,
        caller,
        ...(rest.onEvent && { onEvent: rest.onEvent }),
        ...(rest.onWebhook && { onWebhook: rest.onWebhook }),
      }),
      direction: "outbound-api",
      fallbackUrl: rest.fallbackUrl,
      statusCallback: rest.statusCallback,
      statusCallbackMethod: rest.statusCallbackMethod ?? "POST",
      statusCallbackEvents: rest.statusCallbackEvents ?? ["completed"],
    });
    const { document, detection } = rest;
    return this.#begin(call, () => ringOut(call, { timeout, timeLimit, document, detection }));
  }

  /**
   * Changes a call that goes on, as the app asked by REST. Source: https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource
   *
   * @param change `canceled` ends a call that is not answered yet, `completed` any; a document replaces what goes on now.
   * @returns whether the call can be changed so.
   */
  update(callSid: string, change: "completed" | "canceled" | DocumentSource): boolean {
    const call = this.exchange.calls.get(callSid);
    if (call === undefined || call.setup.accountSid !== this.accountSid) return false;
    if (typeof change === "object") {
      if (!call.isAnswered) return false;
      call.interrupt(new Redirected(change));
    } else {
      if (change === "canceled" && call.isAnswered) return false;
      call.hangUp("app");
    }
    return true;
  }

  #begin(call: Call, conversation: () => Promise<void>): PlacedCall {
    const done = call.run(conversation);
    const settled = done.then(() => {}, () => {}).then(() => call.outbox.settled());
    this.#unsettled.add(settled);
    const forget = () => void this.#unsettled.delete(settled);
    settled.then(forget, forget);
    return {
      record: call.record,
      done,
      hangUp: () => call.hangUp(),
      press: (key) => call.press(key),
    };
  }

  /** Waits until every call is over and each of its callbacks was delivered or given up. */
  async settle(): Promise<void> {
    // deno-lint-ignore no-await-in-loop -- calls may be placed meanwhile
    while (this.#unsettled.size > 0) await Promise.all(this.#unsettled);
  }

  /** Sends one signed request once, without the retries of the URL's overrides. */
  async deliver(
    url: string,
    params: Params,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Webhook> {
    return await this.#sender.attempt({ kind: "raw", url, params, headers }, 0, this.clock);
  }

  #setup(options: CallOptions): CallSetup {
    const { callees = {}, ...own } = this.#options;
    const { script = {} } = options;
    const hangUpAfterMs = typeof script.hangupAt === "number" ? script.hangupAt : undefined;
    return {
      from: options.from ?? "+14035550123",
      to: options.to ?? "+15874059000",
      direction: "inbound",
      caller: options.caller ?? scripted(script),
      hangUpAfterMs: options.caller ? undefined : hangUpAfterMs,
      params: options.params ?? {},
      voiceUrl: own.voiceUrl,
      fallbackUrl: own.fallbackUrl,
      statusCallback: own.statusCallback,
      statusCallbackMethod: "POST",
      statusCallbackEvents: own.statusCallbackEvents ?? ["completed"],
      exchange: this.exchange,
      accountSid: this.accountSid,
      sender: this.#sender,
      clock: options.clock ?? this.clock.fork(),
      // Each call its own stream, so that concurrent calls do not disturb each other's.
      random: seededRandom(this.#seed + 0x9e3779b9 * ++this.#calls),
      delivery: own.delivery ?? {},
      callees: typeof callees === "function" ? callees : ({ number }) => callees[number],
      telephones: own.telephones ?? (() => undefined),
      duplicateSteps: own.duplicateSteps ?? 0,
      relay: own.relay,
      actionAfterHangUp: own.actionAfterHangUp ?? true,
      msPerCharacter: own.msPerCharacter ?? 60,
      maxSteps: own.maxSteps ?? 100,
      timestamps: own.timestamps ?? false,
      onEvent: options.onEvent ?? own.onEvent,
      onWebhook: options.onWebhook ?? own.onWebhook,
    };
  }
}
