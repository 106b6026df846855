import { reasonOf, ServiceError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { AgentDatabase } from "./memory.ts";
import type { Model } from "./models/model.ts";
import { handoffData, type Leaving, MOST_FRAME, readFrame, type Setup } from "./relay.ts";
import {
  begin,
  type Command,
  type Input,
  type Memory,
  nextDeadline,
  type Session,
  type Setting,
  step,
  type Turn,
} from "./session.ts";
import type { Call } from "./tools.ts";

// Runs the machine of session.ts on a socket: frames in and out, requests to models, rows to the database, and a clock.

/** A socket that is open. */
export type RelaySocket = Pick<
  WebSocket,
  "send" | "close" | "onopen" | "onmessage" | "onclose" | "onerror" | "readyState"
>;

export interface TalkDeps {
  readonly database: AgentDatabase;
  readonly models: (
    name: string,
  ) => { readonly model: Model; readonly name: string } | undefined;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly wait: (ms: number) => Promise<unknown>;
}

/** What a socket is to serve. */
export interface Talk {
  readonly callSid: string;
  readonly line: string | undefined;
  readonly node: string;
  readonly setting: Setting;
}

/** Twilio sends it at once. */
const SETUP_MS = 10_000;
/** For the last rows, before the session ends. */
const FLUSH_MS = 1000;
/** Waits before the rows of a talk are written again, while its isolate lives. */
const RETRIES_MS = [1000, 2000, 5000, 10_000, 20_000];
/** Frames that are read in a second; a caller makes fewer. */
const MOST_FRAMES = 100;

/** Serves a socket until it is closed and all of the talk is written, or cannot be. Never rejects. */
export function serveTalk(socket: RelaySocket, talk: Talk, deps: TalkDeps): Promise<void> {
  return new Promise((done) => new Driver(socket, talk, deps, done));
}

/** Nothing of this call may be kept. */
function isErased(error: unknown): boolean {
  return error instanceof ServiceError && error.code === "PT403";
}

class Driver {
  private session: Session | undefined;
  private sessionId = "";
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly asks = new Map<number, AbortController>();
  private unwritten: Turn[] = [];
  private opening: Promise<Memory> | undefined;
  private writing: Promise<void> = Promise.resolve();
  private end: Leaving | undefined;
  private isEndWritten = false;
  /** The session's row exists, without which its turns have no place. */
  private isOpen = false;
  private isClosed = false;
  private second = 0;
  private frames = 0;

  constructor(
    private readonly socket: RelaySocket,
    private readonly talk: Talk,
    private readonly deps: TalkDeps,
    private readonly done: () => void,
  ) {
    this.timer = setTimeout(() => this.refuse("no_setup"), SETUP_MS);
    socket.onmessage = ({ data }) => this.message(data);
    socket.onclose = () => void this.closed();
    // `close` follows.
    socket.onerror = () => {};
  }

  private message(data: unknown): void {
    if (this.isClosed || this.isFlooded()) return;
    const frame = typeof data === "string" && data.length <= MOST_FRAME
      ? readFrame(data)
      : undefined;
    if (frame === undefined) return;
    if (this.session !== undefined) return this.input({ kind: "frame", frame });
    if (frame.type !== "setup" || frame.callSid !== this.talk.callSid) {
      return this.refuse("another_call");
    }
    this.setUp(frame);
  }

  /** More frames than anybody can make are left out. */
  private isFlooded(): boolean {
    const second = Math.floor(this.deps.now() / 1000);
    if (second !== this.second) this.frames = 0;
    this.second = second;
    return ++this.frames > MOST_FRAMES;
  }

  private setUp({ sessionId }: Setup): void {
    clearTimeout(this.timer);
    this.sessionId = sessionId;
    this.session = begin(this.talk.setting, this.deps.now());
    this.schedule();
    // What the turns need is opened when they are written.
    if (this.talk.setting.unread) return this.input({ kind: "remembered", memory: undefined });
    this.opening = this.open();
    this.opening.then(
      (memory) => this.input({ kind: "remembered", memory }),
      (error) => {
        this.log("warn", { event: "memory_unavailable", reason: reasonOf(error) });
        this.input({ kind: "remembered", memory: undefined });
      },
    );
  }

  private async open(): Promise<Memory> {
    const { callSid, line, node, setting: { language } } = this.talk;
    const { sessionId } = this;
    const memory = await this.deps.database.open({ sessionId, callSid, line, node, language });
    this.isOpen = true;
    return memory;
  }

  private refuse(reason: string): void {
    clearTimeout(this.timer);
    this.log("warn", { event: "refused", reason });
    this.socket.close(1008, reason);
  }

  private input(input: Input): void {
    if (this.session === undefined) return;
    const { session, commands } = step(this.session, input, this.deps.now());
    this.session = session;
    for (const command of commands) this.run(command);
    this.schedule();
    if (this.unwritten.length > 0 && this.end === undefined) void this.write();
  }

  private schedule(): void {
    clearTimeout(this.timer);
    const due = this.session && nextDeadline(this.session);
    if (due === undefined || this.isClosed) return;
    const ms = Math.min(Math.max(0, due - this.deps.now()), 2 ** 31 - 1);
    this.timer = setTimeout(() => this.input({ kind: "tick" }), ms);
  }

  private run(command: Command): void {
    switch (command.kind) {
      case "send":
        return this.send(JSON.stringify(command.frame));
      case "ask":
        return void this.ask(command);
      case "abort":
        this.asks.get(command.ask)?.abort();
        this.asks.delete(command.ask);
        return;
      case "run":
        return void this.useTool(command.run, command.call);
      case "record":
        this.unwritten.push(command.turn);
        return;
      case "leave":
        return void this.leave(command.leaving);
    }
  }

  private send(text: string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(text);
  }

  // --- models and tools -------------------------------------------------------------------------------------

  private async ask({ ask, model, request }: Extract<Command, { kind: "ask" }>): Promise<void> {
    const aborting = new AbortController();
    this.asks.set(ask, aborting);
    const found = this.deps.models(model);
    try {
      if (found === undefined) throw new ServiceError("refused", "There is no key for this model");
      const events = found.model({ ...request, model: found.name }, aborting.signal);
      for await (const event of events) {
        if (aborting.signal.aborted) return;
        this.input({ ...event, ask });
      }
    } catch (error) {
      if (aborting.signal.aborted) return;
      const failure = error instanceof ServiceError ? error.kind : "unknown";
      this.log("warn", { event: "model_failed", model, reason: reasonOf(error) });
      this.input({ kind: "broken", ask, failure });
    } finally {
      this.asks.delete(ask);
    }
  }

  private async useTool(run: number, call: Call): Promise<void> {
    const { database } = this.deps;
    const { callSid, setting } = this.talk;
    try {
      const result = call.name === "answer"
        ? await database.answer(callSid, call.question, setting.language)
        : await database.hours(callSid);
      this.input({ kind: "result", run, result });
    } catch (error) {
      this.log("warn", { event: "tool_failed", tool: call.name, reason: reasonOf(error) });
      this.input({ kind: "result", run, result: { ok: false, failure: "unavailable" } });
    }
  }

  // --- rows -------------------------------------------------------------------------------------------------

  /** Writes what is not written yet, one request after the other. What could not be written stays. */
  private write(end?: Leaving): Promise<void> {
    return this.writing = this.writing.then(async () => {
      const turns = this.unwritten;
      if (turns.length === 0 && end === undefined) return;
      this.unwritten = [];
      try {
        await this.opening?.catch(() => {});
        if (!this.isOpen) await this.open();
        await this.deps.database.record(this.sessionId, turns, end);
        this.isEndWritten ||= end !== undefined;
      } catch (error) {
        if (isErased(error)) return;
        this.unwritten = [...turns, ...this.unwritten];
        this.log("warn", { event: "turns_unwritten", reason: reasonOf(error) });
      }
    });
  }

  private writeEnd(): Promise<void> {
    return this.write(this.isEndWritten ? undefined : this.end);
  }

  private async leave(leaving: Leaving): Promise<void> {
    this.end = leaving;
    await Promise.race([this.write(leaving), this.deps.wait(FLUSH_MS)]);
    this.send(JSON.stringify({ type: "end", handoffData: handoffData(leaving) }));
  }

  private async closed(): Promise<void> {
    if (this.isClosed) return;
    this.input({ kind: "closed" });
    this.isClosed = true;
    clearTimeout(this.timer);
    for (const aborting of this.asks.values()) aborting.abort();
    if (this.session !== undefined) {
      // Where the caller hung up, Twilio's action tells the end.
      await this.writeEnd();
      for (const ms of RETRIES_MS) {
        if (this.unwritten.length === 0 && (this.isEndWritten || !this.end)) break;
        // deno-lint-ignore no-await-in-loop -- One try after the other.
        await this.deps.wait(ms);
        // deno-lint-ignore no-await-in-loop
        await this.writeEnd();
      }
      if (this.unwritten.length > 0) {
        this.log("error", { event: "turns_lost", turns: this.unwritten.length });
      }
    }
    this.done();
  }

  private log(level: "warn" | "error", fields: Record<string, string | number>): void {
    this.deps.log(level, { function: "voice-agent", call_sid: this.talk.callSid, ...fields });
  }
}
