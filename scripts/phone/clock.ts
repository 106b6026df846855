import { setImmediate } from "node:timers";

/** Where a call takes its time from. All times are milliseconds. */
export interface Clock {
  now(): Date;

  /** Rejects with the signal's reason, and forgets the timer, once `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;

  /** Work in the real world (a request, a question to a person): virtual time stands still for it. */
  during<T>(work: () => T | Promise<T>): Promise<T>;

  /** The timeline of one call. Virtual timelines do not share their time. */
  fork(): Clock;
}

/**
 * Wall time. With `speed` 20 a pause of a minute takes 3 s, and `now()` runs ahead accordingly: this
 * is how a load test compresses its calls without giving up their overlap.
 */
export function realClock(speed = 1): Clock {
  const start = Date.now();
  const clock: Clock = {
    now: () => new Date(start + (Date.now() - start) * speed),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const stop = () => {
          clearTimeout(timer);
          reject(signal?.reason);
        };
        const timer = setTimeout(() => {
          signal?.removeEventListener("abort", stop);
          resolve();
        }, ms / speed);
        signal?.addEventListener("abort", stop, { once: true });
      }),
    during: async (work) => await work(),
    fork: () => clock,
  };
  return clock;
}

interface Timer {
  readonly due: number;
  readonly fire: () => void;
}

/**
 * Time that advances only when there is nothing left to do: when every promise has settled and no work is in progress, it
 * jumps to the earliest timer. Timers fire by due time, then in the order in which they were set, one at a time, so the
 * consequences of one are complete before the next.
 */
export class VirtualClock implements Clock {
  readonly #anchored: boolean;
  readonly #shared: boolean;
  #now: number;
  #working = 0;
  #turnAsked = false;
  readonly #timers: Timer[] = [];

  /**
   * Without `start`, each timeline that is forked off begins at the wall time of that moment.
   *
   * @param shared There is one timeline: for calls that meet, as in a queue.
   */
  constructor(start?: Date, { shared = false } = {}) {
    this.#shared = shared;
    this.#anchored = start !== undefined;
    this.#now = (start ?? new Date()).getTime();
  }

  now(): Date {
    return new Date(this.#now);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        this.#timers.splice(this.#timers.indexOf(timer), 1);
        reject(signal?.reason);
      };
      const timer: Timer = {
        due: this.#now + Math.max(0, ms),
        fire: () => {
          signal?.removeEventListener("abort", stop);
          resolve();
        },
      };
      const later = this.#timers.findIndex((other) => other.due > timer.due);
      this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer);
      signal?.addEventListener("abort", stop, { once: true });
      this.#askForTurn();
    });
  }

  async during<T>(work: () => T | Promise<T>): Promise<T> {
    this.#working++;
    try {
      return await work();
    } finally {
      this.#working--;
      this.#askForTurn();
    }
  }

  fork(): VirtualClock {
    if (this.#shared) return this;
    return new VirtualClock(
      this.#anchored ? this.now() : new Date(Math.max(this.#now, Date.now())),
    );
  }

  /** The next timer fires in a turn of the event loop of its own, after all settled promises. */
  #askForTurn(): void {
    if (this.#turnAsked || this.#working > 0 || this.#timers.length === 0) return;
    this.#turnAsked = true;
    setImmediate(() => {
      this.#turnAsked = false;
      if (this.#working > 0) return;
      const timer = this.#timers.shift();
      if (timer === undefined) return;
      this.#now = Math.max(this.#now, timer.due);
      timer.fire();
      this.#askForTurn();
    });
  }
}
