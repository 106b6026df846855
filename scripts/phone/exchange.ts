import type { CallRecord } from "./call_record.ts";
import type { Clock } from "./clock.ts";
import { type DocumentRequest, Interruption } from "./interruption.ts";
import { newSid } from "./signer.ts";

/** Calls that wait. Source: https://www.twilio.com/docs/voice/api/queue-resource */
const DEFAULT_SIZE = 1000;

/** A call that goes on, as others meet it. */
export interface Live {
  readonly record: CallRecord;
  readonly setup: { readonly accountSid: string };
  readonly clock: Clock;
  readonly isAnswered: boolean;
  /** Ends the work in progress. */
  interrupt(interruption: Interruption): void;
  hangUp(by?: "caller" | "app"): void;
  /** Whole seconds. */
  secondsSince(moment: Date): number;
}

/** One that waits. */
export interface Member {
  readonly call: Live;
  readonly joinedAt: Date;
  /** With whom, once it was taken. */
  bridge?: Bridge;
}

/** First in, first out. */
export class Queue {
  readonly sid = newSid("QU");
  maxSize = DEFAULT_SIZE;
  readonly members: Member[] = [];
  /** Calls that wait for somebody to join, in order. */
  readonly #takers: ((member: Member) => void)[] = [];

  constructor(readonly accountSid: string, readonly name: string, readonly madeAt: Date) {}

  /** Undefined: it is full. */
  join(call: Live): Member | undefined {
    if (this.members.length >= this.maxSize) return undefined;
    const member: Member = { call, joinedAt: call.clock.now() };
    this.members.push(member);
    return member;
  }

  /** To be called once the one that joined can be interrupted. */
  offer(): void {
    while (this.members.length > 0 && this.#takers.length > 0) {
      this.#takers.shift()!(this.members.shift()!);
    }
  }

  /** @returns whether it was waiting. */
  remove(member: Member): boolean {
    const at = this.members.indexOf(member);
    if (at !== -1) this.members.splice(at, 1);
    return at !== -1;
  }

  /**
   * Hands over the first, taken out, as soon as there is one.
   *
   * @returns gives up waiting for one.
   */
  take(taker: (member: Member) => void): () => void {
    this.#takers.push(taker);
    this.offer();
    return () => {
      const at = this.#takers.indexOf(taker);
      if (at !== -1) this.#takers.splice(at, 1);
    };
  }

  /** Whole seconds that those who wait have waited on average. */
  averageSeconds(): number {
    const waited = this.members.map(({ call, joinedAt }) => call.secondsSince(joinedAt));
    return Math.round(waited.reduce((sum, each) => sum + each, 0) / Math.max(1, waited.length));
  }
}

/** Somebody has taken this call out of its queue. */
export class Dequeued extends Interruption {}

/** The other side is gone. */
export class BridgeOver extends Interruption {}

/** A queued call and the one that took it. */
export class Bridge {
  readonly #connected = Promise.withResolvers<boolean>();
  #isOver = false;

  constructor(
    readonly agent: Live,
    readonly caller: Live,
    readonly announcement: DocumentRequest | undefined,
  ) {}

  /** Whether the queued caller was still there. */
  get connected(): Promise<boolean> {
    return this.#connected.promise;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  connect(): void {
    this.#connected.resolve(true);
  }

  /** One side is through with it: the other one is told. */
  end(by: Live): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connected.resolve(false);
    const other = by === this.agent ? this.caller : this.agent;
    other.interrupt(new BridgeOver("The other side is gone"));
  }
}

/** What an account is allowed. */
export interface Allowance {
  /** Calls a second that it may make by REST. Default 1. Source: https://www.twilio.com/docs/glossary/what-is-cps */
  readonly callsPerSecond?: number;
  /** Calls at once that REST makes. Default: any number. Source: https://www.twilio.com/docs/api/errors/10004 */
  readonly callsAtOnce?: number;
}

/** What the calls of an account share: where they meet, and how fast they are made. */
export class Exchange {
  /** Those that are not over. */
  readonly calls = new Map<string, Live>();
  /** The `CallToken`s that were given, each with the number that called. */
  readonly tokens = new Map<string, string>();
  readonly #queues = new Map<string, Queue>();
  /** When the next call of an account may be dialled. Milliseconds. */
  readonly #nextAt = new Map<string, number>();
  readonly #callsPerSecond: number;
  readonly #callsAtOnce: number;

  /** @param allowance Of each account. */
  constructor({ callsPerSecond = 1, callsAtOnce = Infinity }: Allowance = {}) {
    this.#callsPerSecond = callsPerSecond;
    this.#callsAtOnce = callsAtOnce;
  }

  /** Whether this account may have one call more. */
  hasRoom(accountSid: string): boolean {
    if (this.calls.size < this.#callsAtOnce) return true;
    const open = [...this.calls.values()].filter(({ setup }) => setup.accountSid === accountSid);
    return open.length < this.#callsAtOnce;
  }

  queue(accountSid: string, name: string): Queue | undefined {
    return this.#queues.get(`${accountSid}/${name}`);
  }

  /** They persist until they are deleted. Source: https://www.twilio.com/docs/voice/api/queue-resource */
  queues(accountSid: string): Queue[] {
    return [...this.#queues.values()].filter((queue) => queue.accountSid === accountSid);
  }

  /** Made on demand. Source: https://www.twilio.com/docs/voice/twiml/enqueue */
  queueFor(accountSid: string, name: string, clock: Clock): Queue {
    const known = this.queue(accountSid, name);
    if (known !== undefined) return known;
    const made = new Queue(accountSid, name, clock.now());
    this.#queues.set(`${accountSid}/${name}`, made);
    return made;
  }

  /** Only an empty one. @returns whether it was. */
  deleteQueue({ accountSid, name, members }: Queue): boolean {
    return members.length === 0 && this.#queues.delete(`${accountSid}/${name}`);
  }

  /** Milliseconds until this account may dial again; takes that turn. */
  turn(accountSid: string, clock: Clock): number {
    const now = clock.now().getTime();
    const at = Math.max(now, this.#nextAt.get(accountSid) ?? 0);
    this.#nextAt.set(accountSid, at + 1000 / this.#callsPerSecond);
    return at - now;
  }
}
