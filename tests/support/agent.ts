import type { Inbound, Leaving } from "../../supabase/functions/_shared/agent/relay.ts";
import {
  begin,
  type Command,
  type Input,
  type Memory,
  type ModelFailure,
  nextDeadline,
  type Session,
  type Setting,
  step,
  type Turn,
} from "../../supabase/functions/_shared/agent/session.ts";
import type { ToolCall, ToolResult } from "../../supabase/functions/_shared/agent/tools.ts";

export const SETTING: Setting = {
  language: "en-US",
  system: "You answer for Riverside Books at 12 Main Street. Press 0 for a person.",
  written: "You answer for Riverside Books at 12 Main Street.",
  models: ["anthropic:claude-haiku-5-5", "openai:gpt-6-luna"],
  tools: ["answer", "hours", "transfer", "take_message", "book_callback", "end_call"],
  departments: ["sales", "support"],
  greeting: "",
  goesOn: false,
  maxMs: 600_000,
  maxCostUsd: 1,
  moveFrom: 1e9,
  moveBy: 1e9,
};

export const NO_MEMORY: Memory = { entries: [], spentMs: 0, costUsd: 0, sessions: 0, moved: false };

/** A session at a clock of its own: what comes in, what goes out, when. */
export class Talk {
  at = 0;
  session: Session;
  readonly commands: (Command & { readonly at: number })[] = [];

  constructor(changes: Partial<Setting> = {}, memory: Memory | "none" | "late" = NO_MEMORY) {
    this.session = begin({ ...SETTING, ...changes }, 0);
    if (memory !== "late") {
      this.input({ kind: "remembered", memory: memory === "none" ? undefined : memory });
    }
  }

  input(input: Input): this {
    const { session, commands } = step(this.session, input, this.at);
    this.session = session;
    this.commands.push(...commands.map((command) => ({ ...command, at: this.at })));
    return this;
  }

  /** Lets time pass, with a tick at each deadline. */
  after(ms: number): this {
    const end = this.at + ms;
    for (let due = nextDeadline(this.session); due !== undefined && due <= end;) {
      this.at = Math.max(this.at, due);
      this.input({ kind: "tick" });
      due = nextDeadline(this.session);
    }
    this.at = end;
    return this;
  }

  frame(frame: Inbound): this {
    return this.input({ kind: "frame", frame });
  }

  says(voicePrompt: string): this {
    return this.frame({ type: "prompt", voicePrompt, lang: "en-US", last: true });
  }

  presses(digits: string): this {
    for (const digit of digits) this.frame({ type: "dtmf", digit });
    return this;
  }

  interrupts(utteranceUntilInterrupt?: string): this {
    return this.frame({ type: "interrupt", utteranceUntilInterrupt });
  }

  /** The newest request to a model. */
  get ask(): number {
    return this.asks.at(-1)!.ask;
  }

  get asks() {
    return this.of("ask");
  }

  /** The model answers with these texts. */
  writes(...texts: string[]): this {
    for (const text of texts) this.input({ kind: "delta", ask: this.ask, text });
    return this;
  }

  calls(name: string, args: unknown = {}): this {
    const call: ToolCall = { id: "t1", name, arguments: JSON.stringify(args) };
    return this.input({ kind: "call", ask: this.ask, call });
  }

  ends(usage = { input: 100, output: 10 }): this {
    return this.input({ kind: "finished", ask: this.ask, usage });
  }

  answers(text: string): this {
    return this.writes(text).ends();
  }

  breaks(failure: ModelFailure = "unknown", ask = this.ask): this {
    return this.input({ kind: "broken", ask, failure });
  }

  finds(result: ToolResult): this {
    return this.input({ kind: "result", run: this.of("run").at(-1)!.run, result });
  }

  of<Kind extends Command["kind"]>(kind: Kind) {
    return this.commands.filter((command): command is Extract<typeof command, { kind: Kind }> =>
      command.kind === kind
    );
  }

  /** Texts as they were sent, with their times. */
  get sent(): { readonly text: string; readonly last: boolean; readonly at: number }[] {
    return this.of("send").flatMap(({ frame, at }) =>
      frame.type === "text" ? [{ text: frame.token, last: frame.last, at }] : []
    );
  }

  /** All that was sent. */
  get spoken(): string {
    return this.sent.map(({ text }) => text.trim()).filter((text) => text !== "").join(" ");
  }

  get left(): (Leaving & { readonly at: number }) | undefined {
    const [last] = this.of("leave");
    return last && { ...last.leaving, at: last.at };
  }

  turns(kind: Turn["kind"]): Turn[] {
    return this.of("record").map(({ turn }) => turn).filter((turn) => turn.kind === kind);
  }
}
