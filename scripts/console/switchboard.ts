import { join } from "@std/path/join.js";
import { LOCAL_ACCOUNT_SID } from "../defaults.ts";
import { localLines } from "../phone/lines.ts";
import {
  type CallEvent,
  type CallRecord,
  crowd,
  Exchange,
  type RingOffer,
  Simulator,
  type Telephone,
  type Webhook,
} from "../phone/mod.ts";
import { LiveClock } from "./clock.ts";
import { type Audio, Recordings, sampleMessage } from "./recordings.ts";

/** A telephone that somebody holds. */
export interface Held {
  /** Who picks up when it rings. */
  ring(offer: RingOffer): Telephone;
  /** What happens on a call of this telephone's. */
  happens(event: CallEvent, record: CallRecord): void;
  sent(webhook: Webhook): void;
  /** The voicemail that was just spoken, once. */
  spoken(): Audio | undefined;
}

export interface SwitchboardOptions {
  /** Where `/functions/v1/...` is served; without a trailing slash. */
  readonly apiUrl: string;
  /** Recordings are kept in its folder `recordings`. */
  readonly dataDir: string;
  /** The settings of the functions: their Twilio auth token, and their public address. */
  readonly env: Readonly<Record<string, string>>;
}

/** An account of this machine has been granted so many; Twilio grants 1 unless it is asked for more. */
const CALLS_PER_SECOND = 100;

/**
 * The telephones of this machine, and a Twilio that connects them: those that a page or a terminal holds, by number, and
 * unattended ones, which answer after 4 s and press 1. Calls meet here, whichever account and telephone they are of.
 */
export class Switchboard {
  readonly #options: SwitchboardOptions;
  readonly #recordings: Recordings;
  readonly #exchange = new Exchange({ callsPerSecond: CALLS_PER_SECOND });
  readonly #simulators = new Map<string, Simulator>();
  readonly #held = new Map<string, Held>();
  /** Who placed a call, by its sid. */
  readonly #callers = new Map<string, Held>();

  constructor(options: SwitchboardOptions) {
    this.#options = options;
    this.#recordings = new Recordings(join(options.dataDir, "recordings"));
  }

  /** This number rings at that telephone, until another one takes the number or the function is called. */
  hold(number: string, telephone: Held): () => void {
    this.#held.set(number, telephone);
    return () => {
      if (this.#held.get(number) === telephone) this.#held.delete(number);
    };
  }

  /** Calls a line. Rejects where this machine's lines cannot be read. */
  async call(caller: Held & Telephone, from: string, to: string) {
    const line = (await localLines(this.#options.dataDir)).find(({ number }) => number === to);
    const { env } = this.#options;
    const simulator = this.account(
      line?.accountSid ?? env["TWILIO_ACCOUNT_SID"] ?? LOCAL_ACCOUNT_SID,
      line?.authToken ?? env["TWILIO_AUTH_TOKEN"] ?? "",
    );
    const clock = new LiveClock();
    const call = simulator.place({ from, to, clock, caller });
    const { callSid } = call.record;
    this.#callers.set(callSid, caller);
    simulator.settle().catch(() => {}).finally(() => this.#callers.delete(callSid));
    return { ...call, clock };
  }

  /** Twilio as one account has it. */
  account(accountSid: string, authToken: string): Simulator {
    const { apiUrl, env } = this.#options;
    const functionsUrl = `${apiUrl}/functions/v1`;
    const publicUrl = (env["PUBLIC_FUNCTIONS_URL"] || functionsUrl).replace(/\/+$/, "");
    const key = `${accountSid} ${authToken}`;
    const known = this.#simulators.get(key);
    if (known !== undefined) return known;
    const simulator = new Simulator({
      voiceUrl: `${publicUrl}/voice-frontdoor`,
      statusCallback: `${publicUrl}/voice-status#rc=4&rp=5xx,ct,rt`,
      fallbackUrl: `${publicUrl}/voice-voicemail`,
      authToken,
      accountSid,
      exchange: this.#exchange,
      clock: new LiveClock(),
      // A campaign asks what answers; nobody holds its ten thousand telephones.
      telephones: (offer) =>
        this.#held.get(offer.to)?.ring(offer) ?? (offer.detects ? crowd(offer.to) : undefined),
      // A person who skips a wait is ahead of the line's own time.
      timestamps: true,
      // A prompt takes as long as the telephone needs to speak it.
      msPerCharacter: 0,
      // Signatures cover the public address, which need not lead here.
      fetch: (url, init) =>
        fetch(url.startsWith(publicUrl) ? functionsUrl + url.slice(publicUrl.length) : url, init),
      onEvent: (event, record) => this.#happens(event, record),
      onWebhook: (webhook, record) => this.#of(record)?.sent(webhook),
    });
    this.#simulators.set(key, simulator);
    return simulator;
  }

  /** Whose call it is: who placed it, or who is called by REST. */
  #of({ callSid, to }: CallRecord): Held | undefined {
    return this.#callers.get(callSid) ?? this.#held.get(to);
  }

  #happens(event: CallEvent, record: CallRecord): void {
    const telephone = this.#of(record);
    if (event.kind === "recorded" && event.seconds > 0) {
      const spoken = event.source === "RecordVerb" ? telephone?.spoken() : undefined;
      this.#recordings.keep(event.sid, spoken ?? sampleMessage(event.seconds)).catch((error) =>
        console.error(`A recording was not kept: ${error.message}`)
      );
    }
    telephone?.happens(event, record);
  }
}
