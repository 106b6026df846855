import type { Call } from "./call.ts";
import type { Clock } from "./clock.ts";
import { Queue } from "./queue.ts";

/** Calls a second that an account may make by REST. Source: https://www.twilio.com/docs/glossary/what-is-cps */
const CALLS_PER_SECOND = 1;

/** What the calls of an account share: where they meet, and how fast they are made. */
export class Exchange {
  /** Those that are not over. */
  readonly calls = new Map<string, Call>();
  /** The `CallToken`s that were given, each with the number that called. */
  readonly tokens = new Map<string, string>();
  readonly queues: Queue[] = [];
  /** When the next call of an account may be dialled. Milliseconds. */
  readonly #nextAt = new Map<string, number>();

  queue(accountSid: string, name: string): Queue | undefined {
    return this.queues.find((queue) => queue.accountSid === accountSid && queue.name === name);
  }

  /** Made on demand. Source: https://www.twilio.com/docs/voice/twiml/enqueue */
  queueFor(accountSid: string, name: string, clock: Clock): Queue {
    const known = this.queue(accountSid, name);
    if (known !== undefined) return known;
    const made = new Queue(accountSid, name, clock.now());
    this.queues.push(made);
    return made;
  }

  /** Milliseconds until this account may dial again; takes that turn. */
  turn(accountSid: string, clock: Clock): number {
    const now = clock.now().getTime();
    const at = Math.max(now, this.#nextAt.get(accountSid) ?? 0);
    this.#nextAt.set(accountSid, at + 1000 / CALLS_PER_SECOND);
    return at - now;
  }
}
