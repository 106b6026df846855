import { AGENT_TRANSFERRED } from "../calls/state.ts";
import { overstep } from "./bounds.ts";
import { costOf, type Entry, modelNamed, type ModelRequest, type Usage } from "./models/model.ts";
import { edgesOf, kindOf, redact, withoutDigits } from "./redact.ts";
import type { Inbound, Leaving, Outbound } from "./relay.ts";
import { cutAt, speakable, spokenMs, START_MS, takeClauses } from "./speech.ts";
import {
  type Call,
  readCall,
  specsOf,
  type ToolCall,
  type ToolName,
  type ToolResult,
} from "./tools.ts";
import { type AgentWords, agentWords, urgent, yesOrNo } from "./words.ts";

// A talk with an agent as a machine: (session, input, time) -> (session, commands). It does no I/O and has no clock: times
// are milliseconds of whatever clock its driver has. The driver runs the commands, and ticks at `nextDeadline`.

/** Milliseconds; docs/agent.md explains each. */
export const TIMES = {
  /** After these without a useful token the next model is asked as well. */
  hedges: [700, 2000, 3000],
  /** The same where tokens came, and then none before the first clause was complete. */
  stall: 700,
  filler: 1500,
  wayOut: 4000,
  tool: 2000,
  /** After an interruption without words the rest is said. */
  noise: 1500,
  /** Between two keys of a number. */
  keys: 3000,
  silence: 8000,
  /** The same words again within it are a copy. */
  copy: 3000,
  /** Longest wait for the end of our last words. */
  lastWords: 8000,
} as const;

const MOST_ROUNDS = 3;
const MOST_MOVES = 20;
/** Characters of what was said that are kept for a model; the oldest go first. */
const MOST_HISTORY = 12_000;

/** What a session is begun with. */
export interface Setting {
  /** BCP 47. */
  readonly language: string;
  /** What is the same for all turns. */
  readonly system: string;
  /** Of it, what the business wrote; see `bounds.ts`. */
  readonly written: string;
  /** Names as in the flow, best first; `embedded` needs nothing. */
  readonly models: readonly string[];
  readonly tools: readonly ToolName[];
  /** By name. */
  readonly departments: readonly string[];
  /** What the caller heard before the first frame; empty where the session goes on. */
  readonly greeting: string;
  readonly goesOn: boolean;
  /** The flow could not be read: there is no talk, and the greeting's words are only known by their length. */
  readonly unread?: true;
  /** Of the whole talk. */
  readonly maxMs: number;
  readonly maxCostUsd: number;
  /** The session moves at the first pause from here on, and by the second at the latest. */
  readonly moveFrom: number;
  readonly moveBy: number;
}

/** What earlier sessions of the same talk left. */
export interface Memory {
  readonly entries: readonly Entry[];
  readonly spentMs: number;
  readonly costUsd: number;
  /** Sessions before this one. */
  readonly sessions: number;
  /** The last one moved on purpose. */
  readonly moved: boolean;
  /** It moved before it could say anything to what the caller said last. */
  readonly owes?: boolean | undefined;
  /** Why there can be no talk now: caps, or failing models. */
  readonly barred?: string | undefined;
  /** Providers that failed often of late: asked after the others. */
  readonly resting?: readonly string[] | undefined;
}

export type ModelFailure = "refused" | "busy" | "unknown";

export type Input =
  | { readonly kind: "frame"; readonly frame: Inbound }
  /** `undefined`: the database did not answer. */
  | { readonly kind: "remembered"; readonly memory: Memory | undefined }
  | { readonly kind: "delta"; readonly ask: number; readonly text: string }
  | { readonly kind: "call"; readonly ask: number; readonly call: ToolCall }
  | { readonly kind: "finished"; readonly ask: number; readonly usage: Usage | undefined }
  | { readonly kind: "broken"; readonly ask: number; readonly failure: ModelFailure }
  | { readonly kind: "result"; readonly run: number; readonly result: ToolResult }
  | { readonly kind: "tick" }
  /** The socket is gone. */
  | { readonly kind: "closed" };

/** A row of `agent_turns`. */
export interface Turn {
  readonly seq: number;
  readonly kind: "disclosure" | "caller" | "agent" | "fixed" | "tool" | "failure" | "left";
  /** Milliseconds of the driver's clock. */
  readonly at: number;
  readonly planned_text?: string | undefined;
  /** Of the caller's: what was understood. */
  readonly heard_text?: string | undefined;
  readonly tool?: string | undefined;
  readonly tool_arguments?: unknown;
  readonly tool_result?: unknown;
  /** As in the flow. */
  readonly model?: string | undefined;
  readonly first_token_ms?: number | undefined;
  readonly total_ms?: number | undefined;
  readonly tokens_in?: number | undefined;
  readonly tokens_out?: number | undefined;
  readonly cost_usd?: number | undefined;
  /** Of an agent's: `answered`, unless a tool found nothing for it. */
  readonly outcome?: string | undefined;
  readonly reason?: string | undefined;
  /** Replaces the words of the turn of this `seq`. */
  readonly redacts?: true | undefined;
}

export type Command =
  | { readonly kind: "send"; readonly frame: Outbound }
  | {
    readonly kind: "ask";
    readonly ask: number;
    readonly model: string;
    readonly request: Omit<ModelRequest, "model">;
  }
  | { readonly kind: "abort"; readonly ask: number }
  | { readonly kind: "run"; readonly run: number; readonly call: Call }
  | { readonly kind: "record"; readonly turn: Turn }
  /** Write what is not written yet, then end the session. */
  | { readonly kind: "leave"; readonly leaving: Leaving };

/** One thing said since the caller last spoke. */
interface Part {
  readonly text: string;
  /** A model's words, not fixed ones. */
  readonly isModels: boolean;
}

/** What was sent and is being played, as far as one can tell. */
interface Playing {
  readonly parts: readonly Part[];
  readonly since: number;
  /** The end of what the model said, and of everything. */
  readonly contentUntil: number;
  readonly until: number;
  /** Twilio's own word on what was played. */
  readonly played: string | undefined;
  /** Stretches of speech that were sent whole, and ends of one that Twilio told. */
  readonly stretches: number;
  readonly ends: number;
}

interface Running {
  readonly ask: number;
  readonly model: string;
  readonly at: number;
  /** What it wrote before the first clause was complete. */
  readonly buffer: string;
  /** Its first useful token, and its newest. */
  readonly firstAt?: number | undefined;
  readonly newestAt?: number | undefined;
}

/** A caller's turn that ended in digits: maybe a part of a number that must not be kept. */
interface NumberPart {
  readonly seq: number;
  readonly digits: string;
}

/** An answer in the making. */
interface Answering {
  readonly since: number;
  /** When this round of requests began. */
  readonly roundAt: number;
  readonly rounds: number;
  /** Models asked in this round. */
  readonly asked: number;
  readonly running: readonly Running[];
  /** The first whose clause was complete, or that called a tool. */
  readonly winner: Running | undefined;
  readonly buffer: string;
  /** Something was said in this round. */
  readonly spoke: boolean;
  readonly calls: readonly ToolCall[];
  /** Calls that run, and when they began. */
  readonly tools: readonly { readonly run: number; readonly call: ToolCall; readonly at: number }[];
  /** Tool calls of this turn that are over. */
  readonly done: readonly Extract<Entry, { role: "tool" }>[];
  readonly filler: boolean;
  readonly withheld: "claim" | "figure" | undefined;
  readonly firstTokenMs: number | undefined;
  readonly usage: Usage;
  readonly costUsd: number;
}

export interface Session {
  readonly setting: Setting;
  readonly phase: "opening" | "talking" | "left";
  readonly begunAt: number;
  readonly seq: number;
  readonly asks: number;
  readonly history: readonly Entry[];
  /** What models were given beside the system text, and what the caller said; see `bounds.ts`. */
  readonly given: string;
  readonly said: string;
  /** Before the memory came. */
  readonly waiting: readonly string[];
  readonly answering: Answering | undefined;
  readonly playing: Playing | undefined;
  /** An answer that is complete, and not yet heard. */
  readonly pending: {
    readonly planned: string;
    readonly answering: Answering | undefined;
    readonly endedAt: number;
  } | undefined;
  /** `owes`: an answer in the making was ended. */
  readonly noise: { readonly at: number; readonly rest: string; readonly owes?: true } | undefined;
  readonly keys: { readonly digits: string; readonly at: number } | undefined;
  /** A number that was read back. */
  readonly confirm: string | undefined;
  readonly idleFrom: number;
  readonly rung: number;
  readonly parts: readonly NumberPart[];
  /** Turns since the first of them: an answer or a tool may repeat one. */
  readonly partTurns: readonly Turn[];
  readonly lastPrompt: { readonly text: string; readonly at: number } | undefined;
  readonly cuts: number;
  readonly badCalls: number;
  readonly emergencies: number;
  readonly faults: number;
  readonly spentMs: number;
  readonly costUsd: number;
  readonly leaving: { readonly leaving: Leaving; readonly at: number } | undefined;
}

export interface Stepped {
  readonly session: Session;
  readonly commands: readonly Command[];
}

/** A session whose socket has just opened. */
export function begin(setting: Setting, at: number): Session {
  return {
    setting,
    phase: "opening",
    begunAt: at,
    seq: 0,
    asks: 0,
    history: [],
    given: "",
    said: "",
    waiting: [],
    answering: undefined,
    playing: setting.greeting === "" ? undefined : {
      parts: [{ text: setting.greeting, isModels: false }],
      since: at,
      contentUntil: at,
      until: at + START_MS + spokenMs(setting.greeting),
      played: undefined,
      stretches: 1,
      ends: 0,
    },
    pending: undefined,
    noise: undefined,
    keys: undefined,
    confirm: undefined,
    idleFrom: at,
    rung: 0,
    parts: [],
    partTurns: [],
    lastPrompt: undefined,
    cuts: 0,
    badCalls: 0,
    emergencies: 0,
    faults: 0,
    spentMs: 0,
    costUsd: 0,
    leaving: undefined,
  };
}

/** What the machine does with an input. */
export function step(session: Session, input: Input, at: number): Stepped {
  const machine = new Machine(session, at);
  machine.take(input);
  machine.runDeadlines();
  return { session: machine.s, commands: machine.commands };
}

/** When the next tick is due; `undefined`: never. */
export function nextDeadline(session: Session): number | undefined {
  const times = deadlines(session).map(([at]) => at);
  return times.length === 0 ? undefined : Math.min(...times);
}

type Deadline =
  | "leave"
  | "limit"
  | "hedge"
  | "filler"
  | "way_out"
  | "tool"
  | "noise"
  | "keys"
  | "heard"
  | "move"
  | "silence";

/** In the order in which they count where several are due. */
function deadlines(s: Session): [number, Deadline][] {
  const due: [number, Deadline][] = [];
  if (s.phase === "left") return due;
  if (s.leaving !== undefined) return [[s.leaving.at, "leave"]];
  due.push([s.begunAt + Math.max(0, s.setting.maxMs - s.spentMs), "limit"]);
  const { answering, playing } = s;
  if (answering !== undefined) {
    const quietFrom = Math.max(answering.since, playing?.contentUntil ?? 0);
    due.push([quietFrom + TIMES.wayOut, "way_out"]);
    for (const tool of answering.tools) due.push([tool.at + TIMES.tool, "tool"]);
    if (!answering.filler) due.push([quietFrom + TIMES.filler, "filler"]);
    const hedge = TIMES.hedges[answering.asked - 1];
    if (
      answering.running.length > 0 && answering.winner === undefined && hedge !== undefined &&
      answering.asked < s.setting.models.length
    ) {
      const newest = Math.max(...answering.running.map(({ newestAt = -Infinity }) => newestAt));
      due.push([Math.max(answering.roundAt + hedge, newest + TIMES.stall), "hedge"]);
    }
  }
  if (s.noise !== undefined) due.push([s.noise.at + TIMES.noise, "noise"]);
  if (s.keys !== undefined) due.push([s.keys.at + TIMES.keys, "keys"]);
  if (playing !== undefined && answering === undefined) due.push([playing.until, "heard"]);
  const isCalm = answering === undefined && s.noise === undefined && s.keys === undefined &&
    s.phase === "talking";
  const { moveFrom, moveBy } = s.setting;
  due.push([isCalm ? Math.max(moveFrom, playing?.until ?? 0) : moveBy, "move"]);
  if (isCalm && playing === undefined) {
    due.push([s.idleFrom + TIMES.silence * (s.rung + 1), "silence"]);
  }
  return due;
}

class Machine {
  readonly commands: Command[] = [];
  private readonly words: AgentWords;
  /** Whose claims count: models mix languages. */
  private readonly bounds: readonly AgentWords[];

  constructor(public s: Session, private readonly at: number) {
    this.words = agentWords(s.setting.language).words;
    this.bounds = [...new Set([this.words, agentWords("en").words])];
  }

  take(input: Input): void {
    if (this.s.phase === "left") return;
    const { greeting, unread } = this.s.setting;
    if (this.s.seq === 0 && greeting !== "" && !unread) {
      this.record({ kind: "disclosure", planned_text: greeting });
    }
    switch (input.kind) {
      case "frame":
        return this.frame(input.frame);
      case "remembered":
        return this.remembered(input.memory);
      case "delta":
        return this.delta(input.ask, input.text);
      case "call":
        return this.called(input.ask, input.call);
      case "finished":
        return this.finished(input.ask, input.usage);
      case "broken":
        return this.broken(input.ask, input.failure);
      case "result":
        return this.result(input.run, input.result);
      case "closed":
        return this.closed();
      case "tick":
        return;
    }
  }

  /** All that is due; one may make another due. */
  runDeadlines(): void {
    for (let count = 0; count < 50; count++) {
      const due = deadlines(this.s).filter(([at]) => at <= this.at);
      if (due.length === 0) return;
      const [first] = due.sort(([a], [b]) => a - b);
      this.deadline(first![1]);
    }
  }

  private deadline(which: Deadline): void {
    const { answering } = this.s;
    switch (which) {
      case "leave":
        return this.left(this.s.leaving!.leaving);
      case "limit":
        return this.leave({ outcome: "message", reason: "time_limit" }, this.words.says.limit);
      case "hedge":
        return this.ask();
      case "filler":
        this.set({ answering: { ...answering!, filler: true } });
        return this.fixed(this.words.says.moment);
      case "way_out":
        // The first silence of an answer that began is a cut; the spoken part stands.
        if (answering!.spoke) return this.cut("stalled");
        return this.wayOut("no_answer_in_time");
      case "tool": {
        const late = answering!.tools.find((tool) => tool.at + TIMES.tool <= this.at)!;
        return this.result(late.run, { ok: false, failure: "unavailable" });
      }
      case "noise":
        return this.sayRest();
      case "keys":
        return this.keyed();
      case "heard":
        return this.closeTurn();
      case "move": {
        const owes = this.s.waiting.length > 0 ||
          answering !== undefined && this.saidInTurn() === "";
        const reason = owes ? "moved_unanswered" : "planned_move";
        return this.leave({ outcome: "resume", reason });
      }
      case "silence":
        return this.silent();
    }
  }

  private set(changes: Partial<Session>): void {
    this.s = { ...this.s, ...changes };
  }

  private record(turn: Omit<Turn, "seq" | "at">): void {
    const recorded = { seq: this.s.seq, at: this.at, ...turn };
    this.commands.push({ kind: "record", turn: recorded });
    const { parts, partTurns } = this.s;
    this.set({
      seq: this.s.seq + 1,
      ...(parts.length > 0 && { partTurns: [...partTurns, recorded] }),
    });
  }

  // --- frames -----------------------------------------------------------------------------------------------

  private frame(frame: Inbound): void {
    switch (frame.type) {
      case "setup":
        return;
      case "dtmf":
        return this.key(frame.digit);
      case "interrupt":
        return this.interrupted(frame.utteranceUntilInterrupt);
      case "prompt":
        return frame.last === false
          ? this.begins(frame.voicePrompt)
          : this.prompt(frame.voicePrompt);
      case "info":
        return this.info(frame.name, frame.value);
      case "error":
        return this.fault();
    }
  }

  /** Ten bad frames in a row would end the session: something is wrong long before. */
  private fault(): void {
    this.set({ faults: this.s.faults + 1 });
    if (this.s.faults === 5) this.wayOut("relay_errors");
  }

  private info(name: string | undefined, value: unknown): void {
    const { playing } = this.s;
    if (playing === undefined) return;
    if (name === "tokensPlayed" && typeof value === "string") {
      const played = `${playing.played ?? ""} ${value}`.trim();
      this.set({ playing: { ...playing, played } });
    }
    if (name === "agentSpeaking" && value === "off") {
      const ends = playing.ends + 1;
      // Of words before the last ones.
      if (ends < playing.stretches) return this.set({ playing: { ...playing, ends } });
      const until = Math.min(playing.until, this.at);
      const contentUntil = Math.min(playing.contentUntil, this.at);
      this.set({ playing: { ...playing, ends, until, contentUntil }, idleFrom: this.at });
      if (this.s.leaving !== undefined) {
        this.set({ leaving: { ...this.s.leaving, at: Math.min(this.s.leaving.at, this.at) } });
      }
    }
  }

  /** The caller is there. */
  private isHeard(): void {
    const { noise } = this.s;
    this.set({ idleFrom: this.at, rung: 0, noise: noise && { ...noise, at: this.at } });
  }

  /** The caller has begun to speak: what is being answered is not all of it. */
  private begins(voicePrompt: string): void {
    this.isHeard();
    const { answering, leaving } = this.s;
    if (answering === undefined || leaving !== undefined || spoken(voicePrompt) === "") return;
    this.stopSpeaking();
    this.set({ noise: { at: this.at, rest: "", owes: true } });
  }

  private prompt(voicePrompt: string): void {
    const text = redact(spoken(voicePrompt));
    if (text === "") return;
    const { lastPrompt } = this.s;
    this.isHeard();
    const isCopy = lastPrompt?.text === text && this.at - lastPrompt.at < TIMES.copy;
    if (isCopy) return;
    this.set({ lastPrompt: { text, at: this.at } });
    this.hear(text);
  }

  /** Something the caller said or keyed. */
  private hear(heard: string): void {
    if (this.s.leaving !== undefined) {
      if (urgent(heard) === "person") this.person();
      return;
    }
    this.stopSpeaking();
    this.set({ noise: undefined });
    const text = this.withoutParts(heard);
    this.record({ kind: "caller", heard_text: text });
    this.set({
      history: [...this.s.history, { role: "caller", text }],
      said: `${this.s.said} ${text}`.slice(-MOST_HISTORY),
    });
    const kind = urgent(text);
    if (kind === "person") return this.person();
    if (kind === "emergency") {
      this.set({ emergencies: this.s.emergencies + 1 });
      // An emergency plumber is one's job, and says so twice.
      if (this.s.emergencies > 1) return this.person();
      return this.fixed(this.words.says.emergency);
    }
    if (kind === "identity") return this.fixed(this.words.says.isAssistant);
    if (text.includes("[card number]") || text.includes("[identity number]")) {
      return this.fixed(this.words.says.noNumbers);
    }
    if (this.s.confirm !== undefined) {
      const answer = yesOrNo(text, this.words);
      if (answer !== undefined) return this.confirmed(answer === "yes");
      this.set({ confirm: undefined });
    }
    if (this.s.phase === "opening") return this.set({ waiting: [...this.s.waiting, text] });
    this.answer();
  }

  /** Takes back the parts of a card or identity number that is told in several goes, once they make one. */
  private withoutParts(text: string): string {
    const { first, last } = edgesOf(text);
    const before = first === undefined ? [] : this.s.parts;
    const kind = before.length === 0
      ? undefined
      : kindOf([...before, first!].map(({ digits }) => digits).join(""));
    if (kind === undefined) {
      const isWhole = first !== undefined && first.said === last?.said;
      const part = last && { digits: last.digits, seq: this.s.seq };
      const parts = [...isWhole ? before : [], ...part ? [part] : []].slice(-8);
      const since = parts[0]?.seq ?? Infinity;
      this.set({ parts, partTurns: this.s.partTurns.filter(({ seq }) => seq >= since) });
      return text;
    }
    const digits = [...before, first!].map((part) => part.digits).join("");
    const without = (words: string) => withoutDigits(words, digits, kind);
    const inside = (value: unknown): unknown =>
      JSON.parse(
        JSON.stringify(value),
        (_key, part) => typeof part === "string" ? without(part) : part,
      );
    for (const turn of this.s.partTurns) {
      const { planned_text, heard_text, tool_arguments: args } = turn;
      const words = JSON.stringify([planned_text, heard_text, args]);
      if (JSON.stringify(inside([planned_text, heard_text, args])) === words) continue;
      this.commands.push({
        kind: "record",
        turn: {
          seq: turn.seq,
          kind: turn.kind,
          at: this.at,
          ...(planned_text !== undefined && { planned_text: without(planned_text) }),
          ...(heard_text !== undefined && { heard_text: without(heard_text) }),
          ...(args !== undefined && { tool_arguments: inside(args) }),
          redacts: true,
        },
      });
    }
    const ofCaller = this.s.partTurns.flatMap(({ kind, heard_text = "" }) =>
      kind === "caller" ? [heard_text] : []
    );
    this.set({
      parts: [],
      partTurns: [],
      history: this.s.history.map((entry) =>
        entry.role === "tool"
          ? {
            ...entry,
            call: {
              ...entry.call,
              arguments: JSON.stringify(inside(argumentsOf(entry.call) ?? {})),
            },
          }
          : { ...entry, text: without(entry.text) }
      ),
      said: ofCaller.reduce((said, each) => said.replace(each, without(each)), this.s.said),
    });
    return without(text);
  }

  private person(): void {
    this.leave({ outcome: "operator", reason: "caller_asked_for_a_human" });
  }

  // --- keys -------------------------------------------------------------------------------------------------

  private key(digit: string): void {
    this.isHeard();
    const { keys, confirm } = this.s;
    if (digit === "0" && keys === undefined) return this.person();
    if (this.s.leaving !== undefined) return;
    if (confirm !== undefined && keys === undefined && (digit === "1" || digit === "2")) {
      this.stopSpeaking();
      return this.confirmed(digit === "1");
    }
    if (digit === "*") return this.set({ keys: undefined });
    if (digit === "#") return keys === undefined ? undefined : this.keyed();
    if (keys === undefined) this.stopSpeaking();
    this.set({
      keys: { digits: `${keys?.digits ?? ""}${digit}`.slice(0, 32), at: this.at },
      noise: undefined,
      confirm: undefined,
    });
  }

  /** A number is complete. */
  private keyed(): void {
    const { digits } = this.s.keys!;
    this.set({ keys: undefined });
    // Somebody who presses 0 again, or after a slip, wants a person; no number is that short.
    if (digits.length <= 2 && digits.endsWith("0")) return this.person();
    const before = this.s.parts.map((part) => part.digits).join("");
    if (before !== "" && kindOf(before + digits) !== undefined) {
      this.withoutParts(digits);
      return this.fixed(this.words.says.noNumbers);
    }
    if (kindOf(digits) !== undefined) return this.fixed(this.words.says.noNumbers);
    if (digits.length === 1) return this.hear(`(keypad) ${digits}`);
    this.set({ confirm: digits });
    // It is kept once it is confirmed: until then it may be a part of a card's number.
    const { readBack } = this.words.says;
    this.fixed(readBack(digits), readBack("…"));
  }

  private confirmed(isRight: boolean): void {
    const digits = this.s.confirm!;
    this.set({ confirm: undefined });
    if (!isRight) return this.fixed(this.words.says.keyAgain);
    this.hear(`(keypad) ${digits}`);
  }

  // --- silence ----------------------------------------------------------------------------------------------

  private silent(): void {
    const rung = this.s.rung + 1;
    this.set({ rung });
    const { stillThere, askAgain, noSpeech } = this.words.says;
    if (rung > 2) return this.leave({ outcome: "message", reason: "caller_silent" }, noSpeech);
    const { idleFrom } = this.s;
    this.fixed(rung === 1 ? stillThere : askAgain);
    // The ladder counts from the caller's last sign, whatever is said meanwhile.
    this.set({ idleFrom });
  }

  // --- memory -----------------------------------------------------------------------------------------------

  private remembered(memory: Memory | undefined): void {
    if (this.s.phase !== "opening") return;
    const { setting, history } = this.s;
    const entries = memory?.entries ?? [];
    const rests = (model: string) =>
      memory?.resting?.includes(modelNamed(model)?.provider ?? "") === true;
    this.set({
      phase: "talking",
      setting: {
        ...setting,
        models: [
          ...setting.models.filter((model) => !rests(model)),
          ...setting.models.filter(rests),
        ],
      },
      history: [...entries, ...history],
      spentMs: memory?.spentMs ?? 0,
      costUsd: memory?.costUsd ?? 0,
      given: entries.map((entry) => entry.role === "tool" ? JSON.stringify(entry.result) : "")
        .join(" "),
      said: `${
        entries.map((entry) => entry.role === "caller" ? entry.text : "").join(" ")
      } ${this.s.said}`,
    });
    if (this.s.leaving !== undefined) return;
    if (setting.unread) return this.wayOut("flow_not_read");
    if (memory?.barred !== undefined) return this.wayOut(memory.barred);
    if ((memory?.sessions ?? 0) >= MOST_MOVES) return this.wayOut("too_many_sessions");
    // Nobody knows how much of a lost answer was heard: it is not said again.
    if (this.s.waiting.length > 0 || memory?.owes === true) {
      this.set({ waiting: [] });
      return this.answer();
    }
    if (setting.goesOn && memory?.moved !== true) this.fixed(this.words.says.resumed);
  }

  // --- an answer --------------------------------------------------------------------------------------------

  private answer(): void {
    if (this.s.costUsd >= this.s.setting.maxCostUsd) {
      return this.leave({ outcome: "message", reason: "cost_limit" }, this.words.says.limit);
    }
    this.set({
      answering: {
        since: this.at,
        roundAt: this.at,
        rounds: 0,
        asked: 0,
        running: [],
        winner: undefined,
        buffer: "",
        spoke: false,
        calls: [],
        tools: [],
        done: [],
        filler: false,
        withheld: undefined,
        firstTokenMs: undefined,
        usage: { input: 0, output: 0 },
        costUsd: 0,
      },
    });
    this.ask();
  }

  /** Asks the next model of the list. */
  private ask(): void {
    const { answering, setting, asks } = this.s;
    if (answering === undefined) return;
    const model = setting.models[answering.asked];
    if (model === undefined) {
      if (answering.running.length > 0) return;
      return this.wayOut("no_model");
    }
    const content = this.saidInTurn();
    const entries: Entry[] = [
      ...this.s.history,
      ...(content === "" ? [] : [{ role: "agent" as const, text: content }]),
      ...answering.done,
    ];
    this.set({
      asks: asks + 1,
      answering: {
        ...answering,
        asked: answering.asked + 1,
        running: [...answering.running, { ask: asks, model, at: this.at, buffer: "" }],
      },
    });
    this.commands.push({
      kind: "ask",
      ask: asks,
      model,
      request: {
        system: setting.system,
        entries: newest(entries),
        tools: specsOf(setting.tools, setting.departments),
        // After the last round there is only speech.
        ...(answering.rounds >= MOST_ROUNDS && { noCalls: true as const }),
        language: setting.language,
      },
    });
  }

  private abort(running: Running): void {
    this.commands.push({ kind: "abort", ask: running.ask });
    // What it read is paid for.
    const { answering } = this.s;
    const input = Math.ceil(
      (this.s.setting.system.length + JSON.stringify(newest(this.s.history)).length) / 4,
    );
    const cost = costOf(modelNamed(running.model)?.model ?? "", { input, output: 0 });
    this.set({
      costUsd: this.s.costUsd + cost,
      answering: answering && {
        ...answering,
        running: answering.running.filter(({ ask }) => ask !== running.ask),
        costUsd: answering.costUsd + cost,
      },
    });
  }

  /** The first that has something to say or to do wins; the others are ended. */
  private wins(ask: number): Answering | undefined {
    const { answering } = this.s;
    if (answering === undefined) return undefined;
    if (answering.winner !== undefined) {
      return answering.winner.ask === ask ? answering : undefined;
    }
    const winner = answering.running.find((running) => running.ask === ask);
    if (winner === undefined) return undefined;
    for (const other of answering.running) if (other !== winner) this.abort(other);
    const won: Answering = {
      ...this.s.answering!,
      winner,
      buffer: winner.buffer,
      firstTokenMs: answering.firstTokenMs ?? (winner.firstAt ?? this.at) - answering.since,
    };
    this.set({ answering: won });
    return won;
  }

  private delta(ask: number, text: string): void {
    const { answering } = this.s;
    const running = answering?.running.find((each) => each.ask === ask);
    if (answering === undefined || running === undefined) return;
    if (answering.winner === undefined) {
      const buffer = running.buffer + text;
      if (buffer.trim() === "") return;
      const written = {
        ...running,
        buffer,
        firstAt: running.firstAt ?? this.at,
        newestAt: this.at,
      };
      this.set({
        answering: {
          ...answering,
          running: answering.running.map((each) => each === running ? written : each),
        },
      });
      if (takeClauses(buffer).clauses.length === 0) return;
    } else this.set({ answering: { ...answering, buffer: answering.buffer + text } });
    const won = this.wins(ask);
    if (won === undefined) return;
    const { clauses, rest } = takeClauses(won.buffer);
    this.set({ answering: { ...won, buffer: rest } });
    for (const clause of clauses) this.clause(clause, false);
  }

  private called(ask: number, call: ToolCall): void {
    const won = this.wins(ask);
    if (won !== undefined) this.set({ answering: { ...won, calls: [...won.calls, call] } });
  }

  /** A part of an answer, if it may be said. */
  private clause(raw: string, last: boolean): void {
    const text = redact(speakable(raw));
    const { answering } = this.s;
    if (answering === undefined) return;
    const before = this.saidInTurn();
    if (text !== "" && !repeats(text, before)) {
      const grounds = {
        given: `${this.s.setting.written} ${this.s.given}`,
        said: this.s.said,
      };
      const withheld = overstep(text, before, grounds, this.bounds);
      if (withheld === undefined) {
        this.set({ answering: { ...answering, spoke: true } });
        return this.say(text, last);
      }
      this.set({ answering: { ...answering, withheld } });
    }
    // Ends the stretch of speech that is under way.
    if (last && answering.spoke) this.endStretch();
  }

  private finished(ask: number, usage: Usage | undefined): void {
    const { answering } = this.s;
    const running = answering?.running.find((each) => each.ask === ask);
    if (answering === undefined || running === undefined) return;
    if (answering.winner === undefined) {
      // An answer of nothing is none.
      if (running.buffer === "") return this.broken(ask, "unknown");
      this.wins(ask);
      return this.finished(ask, usage);
    }
    if (answering.winner.ask !== ask) return;
    const used = usage ??
      {
        input: Math.ceil(this.s.setting.system.length / 4),
        output: Math.ceil(this.saidInTurn().length / 4),
      };
    const cost = costOf(modelNamed(running.model)?.model ?? "", used);
    this.set({
      costUsd: this.s.costUsd + cost,
      answering: {
        ...answering,
        running: [],
        usage: {
          input: answering.usage.input + used.input,
          output: answering.usage.output + used.output,
        },
        costUsd: answering.costUsd + cost,
      },
    });
    const { buffer } = answering;
    this.set({ answering: { ...this.s.answering!, buffer: "" } });
    // Without a mark at its end, what stands before a tool's call is a clause as well.
    this.clause(buffer, true);
    if (this.s.answering!.calls.length > 0) return this.runCalls();
    this.answered();
  }

  private answered(): void {
    const { answering } = this.s;
    if (answering === undefined) return;
    const { withheld } = answering;
    this.endTurn();
    const { offerPerson, noFigure } = this.words.says;
    // What was kept back may have been all there was.
    if (this.saidInTurn() === "") this.fixed(withheld === "figure" ? noFigure : offerPerson);
  }

  private broken(ask: number, failure: ModelFailure): void {
    const { answering } = this.s;
    const running = answering?.running.find((each) => each.ask === ask);
    if (answering === undefined || running === undefined) return;
    this.record({ kind: "failure", model: running.model, reason: failure });
    const others = answering.running.filter((each) => each !== running);
    const current = this.s.answering!;
    if (answering.winner?.ask === ask) {
      if (answering.spoke) return this.cut(failure);
      // Nothing of it was heard: the next one may answer.
      this.set({
        answering: { ...current, running: others, winner: undefined, buffer: "", calls: [] },
      });
    } else this.set({ answering: { ...current, running: others } });
    if (this.s.answering!.running.length === 0) this.ask();
  }

  /** An answer ended in the middle. It is not begun anew: the caller would hear it twice. */
  private cut(reason: string): void {
    const { answering } = this.s;
    if (answering?.winner !== undefined) {
      for (const running of answering.running) this.abort(running);
      if (reason === "stalled") {
        this.record({ kind: "failure", model: answering.winner.model, reason });
      }
    }
    this.endStretch();
    this.set({ cuts: this.s.cuts + 1 });
    this.endTurn();
    if (this.s.cuts >= 2) this.wayOut("answers_cut");
  }

  /** Fixed words, then the flow's way for failures. */
  private wayOut(reason: string): void {
    if (this.s.leaving !== undefined) return;
    this.leave({ outcome: "failed", reason }, this.words.says.sorry);
  }

  // --- tools ------------------------------------------------------------------------------------------------

  private runCalls(): void {
    const answering = this.s.answering!;
    const { tools: offered, departments } = this.s.setting;
    const calls = answering.calls;
    this.set({ answering: { ...answering, calls: [], rounds: answering.rounds + 1 } });
    const read = calls.map((call) => ({ call, read: readCall(call, offered, departments) }));
    const out = read.find(({ read }) => read.ok && isWayOut(read.call));
    if (out !== undefined && out.read.ok) return this.takeWayOut(out.read.call);
    const wrong = read.find(({ read }) => !read.ok);
    if (wrong !== undefined && !wrong.read.ok) {
      this.set({ badCalls: this.s.badCalls + 1 });
      this.record({
        kind: "tool",
        tool: wrong.call.name.slice(0, 64),
        tool_result: wrong.read,
        model: answering.winner?.model,
      });
      if (this.s.badCalls > 1) return this.wayOut("bad_tool_calls");
      this.set({ answering: { ...this.s.answering!, withheld: undefined } });
      this.endTurn();
      return this.fixed(
        departments.length > 0
          ? this.words.says.departments(departments.map(readable))
          : this.words.says.offerPerson,
      );
    }
    for (const { call, read: { ok, ...rest } } of read) {
      if (!ok || !("call" in rest)) continue;
      const run = this.s.asks;
      this.set({
        asks: run + 1,
        answering: {
          ...this.s.answering!,
          tools: [...this.s.answering!.tools, { run, call, at: this.at }],
        },
      });
      this.commands.push({ kind: "run", run, call: rest.call });
    }
  }

  private takeWayOut(call: Call): void {
    const answering = this.s.answering!;
    const summary = call.name === "transfer"
      ? { department: call.department, reason: call.reason, summary: call.summary }
      : undefined;
    this.record({
      kind: "tool",
      tool: call.name,
      tool_arguments: summary && JSON.parse(redact(JSON.stringify(summary))),
      model: answering.winner?.model,
      // An answer that is spoken bears its cost itself.
      ...(this.saidInTurn() === "" && costsOf(answering)),
    });
    const leave = (outcome: string, reason: string) => this.leave({ outcome, reason }, "", true);
    switch (call.name) {
      case "transfer":
        return leave(`departments.${call.department}`, AGENT_TRANSFERRED);
      case "take_message":
        return leave("message", "caller_leaves_a_message");
      case "book_callback":
        return leave("callback", "caller_wants_a_call");
      default:
        return leave("done", "caller_said_goodbye");
    }
  }

  private result(run: number, result: ToolResult): void {
    const { answering } = this.s;
    const tool = answering?.tools.find((each) => each.run === run);
    if (answering === undefined || tool === undefined) return;
    this.record({
      kind: "tool",
      tool: tool.call.name,
      tool_arguments: argumentsOf(tool.call),
      tool_result: result,
      model: answering.winner?.model,
      total_ms: this.at - tool.at,
    });
    const tools = answering.tools.filter((each) => each !== tool);
    const done = [...answering.done, { role: "tool" as const, call: tool.call, result }];
    this.set({
      given: `${this.s.given} ${JSON.stringify(result)}`.slice(-MOST_HISTORY),
      answering: { ...answering, tools, done },
    });
    if (tools.length > 0) return;
    // The one that asked goes on; where it fails now, the others follow.
    const winner = answering.winner?.model;
    const at = Math.max(0, this.s.setting.models.findIndex((model) => model === winner));
    this.set({
      answering: {
        ...this.s.answering!,
        asked: at,
        roundAt: this.at,
        winner: undefined,
        buffer: "",
        spoke: false,
      },
    });
    this.ask();
  }

  // --- speaking ---------------------------------------------------------------------------------------------

  private send(frame: Outbound): void {
    this.commands.push({ kind: "send", frame });
  }

  /** Says words of a model. */
  private say(text: string, last: boolean): void {
    this.speak({ text, isModels: true }, last);
  }

  /** Says words of ours. @param kept What is written down of them. */
  private fixed(text: string, kept = text): void {
    this.record({ kind: "fixed", planned_text: kept });
    this.speak({ text, isModels: false }, true);
  }

  private endStretch(): void {
    this.send({ type: "text", token: "", last: true });
    const { playing } = this.s;
    if (playing !== undefined) {
      this.set({ playing: { ...playing, stretches: playing.stretches + 1 } });
    }
  }

  private speak(part: Part, last: boolean): void {
    // The space keeps two tokens from becoming one word.
    this.send({ type: "text", token: last ? part.text : `${part.text} `, last });
    const { playing } = this.s;
    const begins = Math.max(this.at + START_MS, playing?.until ?? 0);
    const until = begins + spokenMs(part.text);
    this.set({
      playing: {
        parts: [...playing?.parts ?? [], part],
        since: playing?.since ?? this.at,
        contentUntil: part.isModels ? until : playing?.contentUntil ?? 0,
        until,
        played: playing?.played,
        stretches: (playing?.stretches ?? 0) + (last ? 1 : 0),
        ends: playing?.ends ?? 0,
      },
      idleFrom: Math.max(this.s.idleFrom, until),
    });
  }

  /** What the model said in the turn that is being answered. */
  private saidInTurn(): string {
    return contentOf(this.s.playing);
  }

  // --- what was heard ---------------------------------------------------------------------------------------

  /** No more comes of this answer; what was heard of it is known once it has been played. */
  private endTurn(): void {
    const { answering, history } = this.s;
    if (answering === undefined) return;
    for (const running of answering.running) this.abort(running);
    const ended = this.s.answering;
    const planned = this.saidInTurn();
    this.set({
      answering: undefined,
      history: [
        ...history,
        ...answering.done,
        ...(planned === "" ? [] : [{ role: "agent" as const, text: planned }]),
      ],
      pending: planned === "" ? undefined : { planned, answering: ended, endedAt: this.at },
    });
  }

  /** Ends an answer, and writes down what was heard of it. @param heard `undefined`: all. */
  private closeTurn(heard?: string): void {
    this.endTurn();
    const { pending, history } = this.s;
    this.set({ pending: undefined, playing: undefined });
    if (pending === undefined) return;
    const { planned, answering, endedAt } = pending;
    this.record({
      kind: "agent",
      planned_text: planned,
      heard_text: heard ?? planned,
      ...(answering !== undefined && {
        model: answering.winner?.model,
        outcome: heard === "" || answering.done.some(foundNothing) ? undefined : "answered",
        first_token_ms: answering.firstTokenMs,
        total_ms: endedAt - answering.since,
        ...costsOf(answering),
      }),
    });
    if (heard === undefined || heard === planned) return;
    const last = history.findLastIndex((entry) => entry.role === "agent");
    this.set({
      history: history.flatMap((entry, at) =>
        at !== last ? [entry] : heard === "" ? [] : [{ role: "agent" as const, text: heard }]
      ),
    });
  }

  /** The caller interrupts. @param until What Twilio says was spoken until then. */
  private interrupted(until: string | undefined): void {
    this.isHeard();
    const { playing, leaving, answering } = this.s;
    if (leaving !== undefined) {
      // Our last words are gone; the caller may still ask for a person.
      const at = Math.min(leaving.at, this.at + TIMES.noise);
      return this.set({ leaving: { ...leaving, at } });
    }
    if (playing === undefined) return this.stopSpeaking();
    const { heard, rest } = cut(playing, playing.played ?? until);
    const owes = answering !== undefined && this.saidInTurn() === "";
    this.closeTurn(heard);
    this.set({ noise: { at: this.at, rest, ...(owes && { owes }) } });
  }

  /** The caller goes on: nothing more of an answer in the making is said. */
  private stopSpeaking(): void {
    if (this.s.leaving !== undefined) return;
    const { playing } = this.s;
    if (playing?.played === undefined) return this.closeTurn();
    this.closeTurn(cut(playing, playing.played).heard);
  }

  private sayRest(): void {
    const { rest, owes } = this.s.noise!;
    this.set({ noise: undefined });
    // The caller's words did not come after all.
    if (owes) return this.answer();
    if (rest === "") return;
    this.set({
      history: [...this.s.history, { role: "agent", text: rest }],
      pending: { planned: rest, answering: undefined, endedAt: this.at },
    });
    this.say(rest, true);
  }

  // --- the end ----------------------------------------------------------------------------------------------

  /** @param words Ours, said before. @param afterSpeech What was said is heard to its end. */
  private leave(leaving: Leaving, words = "", afterSpeech = words !== ""): void {
    this.endTurn();
    if (words !== "") this.fixed(words);
    const until = afterSpeech ? this.s.playing?.until ?? this.at : this.at;
    this.set({
      leaving: { leaving, at: Math.min(until, this.at + TIMES.lastWords) },
      noise: undefined,
      keys: undefined,
      confirm: undefined,
    });
  }

  private left(leaving: Leaving): void {
    this.closeTurn(this.heardByNow());
    this.record({ kind: "left", outcome: leaving.outcome, reason: leaving.reason });
    this.commands.push({ kind: "leave", leaving });
    this.set({ phase: "left" });
  }

  private closed(): void {
    this.closeTurn(this.heardByNow());
    this.set({ phase: "left" });
  }

  /** As far as time tells. */
  private heardByNow(): string | undefined {
    const { playing } = this.s;
    if (playing === undefined || this.at >= playing.until) return undefined;
    if (playing.played !== undefined) return cut(playing, playing.played).heard;
    let left = this.at - playing.since - START_MS;
    const heard: string[] = [];
    for (const { text, isModels } of playing.parts) {
      const words = text.split(" ");
      const count = Math.floor(Math.min(1, Math.max(0, left / spokenMs(text))) * words.length);
      if (isModels && count > 0) heard.push(words.slice(0, count).join(" "));
      left -= spokenMs(text);
    }
    return heard.join(" ");
  }
}

function contentOf(playing: Playing | undefined): string {
  return (playing?.parts ?? []).filter(({ isModels }) => isModels)
    .map(({ text }) => text).join(" ");
}

/** What was heard of a model's words, and what was not. Twilio may count from any part on. */
function cut(playing: Playing, until: string | undefined): { heard: string; rest: string } {
  const { parts } = playing;
  const from = (at: number) => cutAt(parts.slice(at).map(({ text }) => text).join(" "), until);
  const words = (text: string) => text.match(/[\p{L}\p{N}'’]+/gu)?.length ?? 0;
  const whole = parts.keys().find((at) => words(from(at).heard) === words(until ?? ""));
  const start = whole ?? 0;
  let left = until === undefined ? 0 : words(from(start).heard);
  const heard: string[] = [];
  const rest: string[] = [];
  parts.forEach(({ text, isModels }, at) => {
    const count = at < start ? words(text) : Math.min(left, words(text));
    if (at >= start) left -= count;
    if (!isModels) return;
    const said = text.match(
      new RegExp(`^([^\\p{L}\\p{N}'’]*[\\p{L}\\p{N}'’]+){${count}}[.,;:!?…]*`, "u"),
    );
    const end = count === 0 ? 0 : said?.[0].length ?? text.length;
    if (end > 0) heard.push(text.slice(0, end).trim());
    if (end < text.length) rest.push(text.slice(end).trim());
  });
  return { heard: heard.join(" "), rest: rest.join(" ").trim() };
}

function costsOf({ usage, costUsd }: Answering) {
  return { tokens_in: usage.input, tokens_out: usage.output, cost_usd: costUsd };
}

function isWayOut({ name }: Call): boolean {
  return name !== "answer" && name !== "hours";
}

function foundNothing({ result }: Extract<Entry, { role: "tool" }>): boolean {
  return !result.ok || "entries" in result && result.entries.length === 0;
}

/** Whether a clause was said before in the same answer. */
function repeats(clause: string, before: string): boolean {
  const plain = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, " ").trim();
  const words = plain(clause);
  return words.split(" ").length >= 3 && ` ${plain(before)} `.includes(` ${words} `);
}

function argumentsOf({ arguments: json }: ToolCall): unknown {
  try {
    return JSON.parse(redact(json));
  } catch {
    return undefined;
  }
}

function spoken(text: string): string {
  return text.toWellFormed().replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim().slice(0, 2000);
}

/** `front_desk` as it is said. */
function readable(name: string): string {
  return name.replaceAll("_", " ");
}

/** The newest entries that fit; the oldest are left out whole. */
function newest(entries: readonly Entry[]): readonly Entry[] {
  let length = 0;
  const first = entries.findLastIndex((entry) => {
    length += entry.role === "tool" ? JSON.stringify(entry).length : entry.text.length;
    return length > MOST_HISTORY;
  });
  return entries.slice(first + 1);
}
