import type { Clock } from "../phone/mod.ts";

/**
 * Wall time, for a call that a person makes. A person's answer takes the time that it takes: what
 * was waited for already (a phone that rang, a silence, a message being spoken) does not pass again
 * when the line goes over it.
 */
export class LiveClock implements Clock {
  #behind = 0;
  #skip: (() => void) | undefined;

  now(): Date {
    return new Date(Date.now() - this.#behind);
  }

  /** The last `ms` were part of the call, which has not come to them yet. */
  waited(ms: number): void {
    this.#behind = Math.max(0, ms);
  }

  /** Ends what the line is waiting for now, such as a conversation. */
  skip(): void {
    this.#skip?.();
  }

  /** The line passes its signal; callbacks, which have none, are never skipped. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal === undefined) return new Promise((resolve) => setTimeout(resolve, ms));
    if (signal.aborted) return Promise.reject(signal.reason);
    const passed = Math.min(ms, this.#behind);
    this.#behind -= passed;
    if (passed === ms) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const over = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", hungUp);
        this.#skip = undefined;
        resolve();
      };
      const hungUp = () => {
        clearTimeout(timer);
        this.#skip = undefined;
        reject(signal.reason);
      };
      const timer = setTimeout(over, ms - passed);
      signal.addEventListener("abort", hungUp, { once: true });
      this.#skip = over;
    });
  }

  async during<T>(work: () => T | Promise<T>): Promise<T> {
    return await work();
  }

  fork(): Clock {
    return new LiveClock();
  }
}
