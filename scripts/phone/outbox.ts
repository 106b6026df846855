import type { Clock } from "./clock.ts";
import { type Random, shuffled } from "./random.ts";
import type { Outgoing, Sender, Webhook } from "./webhook.ts";

/** How callbacks are delivered. Requests for TwiML are not affected. */
export interface Delivery {
  /** Each callback is held up by this much on the call's timeline, at random, in milliseconds. */
  readonly late?: { readonly fromMs: number; readonly toMs: number };
  /** The probability that a callback never arrives. Default 0. */
  readonly lost?: number;
  /** Below 1: the probability of a second copy. From 1: the number of additional copies. */
  readonly duplicate?: number;
  /** All are held back until the call is over, and then sent in random order. */
  readonly shuffle?: boolean;
  /** Due callbacks are sent at the same time, otherwise one after the other. */
  readonly concurrent?: boolean;
}

/** The callbacks of one call. */
export class Outbox {
  readonly #sender: Sender;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #delivery: Delivery;
  readonly #log: (webhook: Webhook) => void;
  readonly #held: Outgoing[] = [];
  readonly #underway = new Set<Promise<void>>();
  #line: Promise<unknown> = Promise.resolve();

  constructor(
    sender: Sender,
    clock: Clock,
    random: Random,
    delivery: Delivery,
    log: (webhook: Webhook) => void,
  ) {
    this.#sender = sender;
    this.#clock = clock;
    this.#random = random;
    this.#delivery = delivery;
    this.#log = log;
  }

  /** @param afterMs how long the event itself takes, such as a recording that is processed */
  post(outgoing: Outgoing, afterMs = 0): void {
    const { late, lost = 0, duplicate = 0, shuffle } = this.#delivery;
    if (lost > 0 && this.#random() < lost) return;
    const copies = duplicate >= 1 ? Math.floor(duplicate) : this.#random() < duplicate ? 1 : 0;
    // To the app a copy is a retry: the same event under the same token.
    const event = { ...outgoing, idempotencyToken: crypto.randomUUID() };
    for (let copy = 0; copy <= copies; copy++) {
      const lateMs = late ? late.fromMs + this.#random() * (late.toMs - late.fromMs) : 0;
      if (shuffle) this.#held.push(event);
      else this.#track(this.#deliver(event, afterMs + lateMs));
    }
  }

  /** The call is over: what was held back goes out. */
  release(): void {
    const events = shuffled(this.#held.splice(0), this.#random);
    for (const event of events) this.#track(this.#deliver(event, 0));
  }

  async settled(): Promise<void> {
    // deno-lint-ignore no-await-in-loop -- what is delivered may bring retries
    while (this.#underway.size > 0) await Promise.all(this.#underway);
  }

  #track(delivery: Promise<void>): void {
    this.#underway.add(delivery);
    const forget = () => void this.#underway.delete(delivery);
    delivery.then(forget, forget);
  }

  async #deliver(event: Outgoing, delayMs: number): Promise<void> {
    if (delayMs > 0) await this.#clock.sleep(delayMs);
    const send = () => this.#sender.attempt(event, 0, this.#clock);
    // Held for the whole wait in line, so that virtual time cannot pass a callback that is due.
    const first = await this.#clock.during(() => {
      if (this.#delivery.concurrent) return send();
      const turn = this.#line.then(send);
      this.#line = turn;
      return turn;
    });
    this.#log(first);
    await this.#sender.retry(event, first, this.#clock, this.#log);
  }
}
