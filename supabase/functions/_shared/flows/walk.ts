import { agentWords, urgent } from "../agent/words.ts";
import { isGranted, normaliseSpeech, saysPhrase } from "../calls/consent.ts";
import { type Instruction, type Prompt, RINGING_SEC } from "../calls/reply.ts";
import type { CallState } from "../calls/state.ts";
import type { Dialable } from "../destinations.ts";
import type { E164 } from "../phone.ts";
import {
  arrive,
  asksToAccept,
  hear,
  type Heard,
  messageTaken,
  proceed,
  ringEnded,
} from "./advance.ts";
import { holdEnded, waiting } from "./hold.ts";
import type { Known } from "./known.ts";
import {
  type Calendar,
  DEFAULTS,
  edgesOf,
  type Flow,
  type FlowNode,
  type FlowTest,
  groupOf,
  type NodeOf,
  operatorListens,
  own,
} from "./language.ts";
import { talkEnded } from "./talk.ts";
import { type AudioLengths, secondsOf, spokenSeconds } from "./measure.ts";
import { type Issue, issue } from "./parse.ts";
import type { Version } from "./version.ts";

// A caller led through a flow in memory, by the interpreter that answers calls. Pure.

/** A caller's behaviour and circumstances. */
export interface Caller {
  /** One key a question. */
  readonly keys?: readonly string[] | undefined;
  /** One answer a question, once no key is left. */
  readonly say?: readonly string[] | undefined;
  /** Wall-clock time in the flow's zone, as `2026-12-25T10:00`; without it every calendar is open. */
  readonly at?: string | undefined;
  /** Whose call it is. */
  readonly caller?: string | undefined;
  readonly returning?: boolean | undefined;
  /** Whether no telephone that rings is answered. */
  readonly no_answer?: boolean | undefined;
  /** What happens at a telephone that rings where key 1 accepts the call; by default a person presses it. */
  readonly people?: "accept" | "refuse" | "mailbox" | undefined;
  /** Whether the caller shows no number, so that no call back can be promised. */
  readonly withheld?: boolean | undefined;
  /** Whether a voicemail hears nothing. */
  readonly silent?: boolean | undefined;
}

/** One thing that a caller hears, does or waits for. */
export type Happening =
  | { readonly kind: "hears"; readonly text: string; readonly language: string | undefined }
  | { readonly kind: "presses" | "says"; readonly text: string }
  | { readonly kind: "silence" }
  | {
    readonly kind: "rings";
    readonly numbers: readonly string[];
    readonly seconds: number;
    /** Refused: answered, and not accepted by key 1, as by a mailbox. */
    readonly result: "answered" | "refused" | "no_answer";
    readonly recorded: boolean;
  }
  /** For so long, in a queue of that name. What is heard is told once. */
  | { readonly kind: "holds"; readonly queue: string; readonly seconds: number }
  | { readonly kind: "message" }
  | { readonly kind: "end" };

export interface Walk {
  readonly happenings: readonly Happening[];
  /** Every node that the call entered. */
  readonly path: readonly string[];
  /** What `call_logs.mode` is in the end; `undefined`: no node has set one. */
  readonly mode: string | undefined;
  /** How long it took, the talk left out, in seconds. */
  readonly seconds: number;
}

/** More steps than any call of a checked flow has. */
const MOST_STEPS = 10_000;
/** Twilio rings so much longer than it is told. */
const RING_EXTRA_SEC = 5;
/** So long a caller says nothing before a talk ends in a message. */
const TALK_SILENCE_SEC = 24;
type RingResult = Extract<Happening, { kind: "rings" }>["result"];
type Enqueue = Extract<Instruction, { verb: "enqueue" }>;

function isPrompt(instruction: Instruction): instruction is Prompt {
  return ["say", "play", "ringing"].includes(instruction.verb);
}

/** A number of a person whose own is not known here. */
const SOMEBODY = "+15555550100";

/**
 * Leads a caller through a flow. The caller is silent where nothing else is given.
 *
 * @param audio How long recorded prompts play.
 * @param step Told of each webhook what it means, and the nodes that the call entered by it.
 * @throws {Error} where the call does not end: no flow that was checked does that.
 */
export function walk(
  version: Version,
  caller: Caller,
  audio?: AudioLengths,
  step?: (heard: Heard, entered: readonly string[]) => void,
): Walk {
  const happenings: Happening[] = [];
  const path: string[] = [];
  const keys = [...caller.keys ?? []];
  const answers = [...caller.say ?? []];
  const versions = versionsOf(version);
  const known = knownOf(versions, caller);
  const prefixes = new Map(prefixed(version).map(([prefix, { name }]) => [name, prefix]));
  let seconds = 0;
  let mode: string | undefined;
  const versionAt = ({ flow }: CallState) => versions.get(flow ?? "") ?? version;

  const hears = (prompt: Prompt) => {
    if (prompt.verb === "ringing") {
      seconds += prompt.times * RINGING_SEC;
      return;
    }
    const text = prompt.verb === "say" ? prompt.text : prompt.url;
    happenings.push({
      kind: "hears",
      text,
      language: prompt.verb === "say" ? prompt.language : undefined,
    });
    seconds += prompt.verb === "say" ? spokenSeconds(text) : audio?.get(text) ?? 0;
  };
  /** What ends the wait for an answer. */
  const answer = (listens: number) => {
    const key = keys.shift();
    const said = key === undefined ? answers.shift() : undefined;
    if (key !== undefined) happenings.push({ kind: "presses", text: key });
    else if (said !== undefined) happenings.push({ kind: "says", text: said });
    else {
      happenings.push({ kind: "silence" });
      seconds += listens;
    }
    return { digits: key, speech: said };
  };

  /** How a telephone's ringing ends. @param asks Whether the person has to accept. */
  const result = (asks: boolean): RingResult => {
    if (caller.no_answer) return "no_answer";
    return asks && caller.people !== undefined && caller.people !== "accept"
      ? "refused"
      : "answered";
  };
  /** A caller holds until somebody takes the call, the key is pressed, or the time is over. */
  const hold = ({ wait, action, queue }: Enqueue, facts: Known): Heard => {
    const at = versionAt(wait.state);
    const node = own(at.flow.nodes, wait.state.node!) as NodeOf<"ring"> | NodeOf<"queue">;
    const group = groupOf(at.flow, node);
    const holds = { kind: "holds" as const, queue, seconds: 0 };
    happenings.push(holds);
    const rung = result(true);
    happenings.push({
      kind: "rings",
      numbers: group?.members ?? [],
      seconds: group?.seconds ?? DEFAULTS.ringSeconds,
      result: rung,
      recorded: rung === "answered" && facts.consentGiven,
    });
    const from = seconds;
    const ended = (why: string) => {
      holds.seconds = seconds - from;
      return holdEnded(at, action.state, why, holds, facts.now);
    };
    let told = wait.state;
    for (let nth = 0; nth < MOST_STEPS; nth++) {
      // A telephone that was answered in vain does not ring on.
      const ringing = nth > 0 && rung === "refused" ? 0 : 1;
      const known = { ...facts, place: { position: 1, ringing } };
      const reply = waiting(at, told, { seconds: seconds - from }, known);
      let next: CallState | undefined;
      const before = happenings.length;
      for (const each of reply) {
        if (each.verb === "redirect") next = each.to.state;
        else if (each.verb === "gather") {
          each.prompts.forEach(hears);
          if (node.type === "queue" && keys[0] === node.key) {
            happenings.push({ kind: "presses", text: keys.shift()! });
            const pressed = { seconds: seconds - from, digits: node.key };
            if (waiting(at, each.action.state, pressed, known)[0]?.verb === "leave") {
              return ended("leave");
            }
          }
          seconds += each.seconds;
        } else if (isPrompt(each)) hears(each);
      }
      if (nth > 0) happenings.length = before;
      if (next === undefined) return ended("leave");
      if (rung === "answered") return ended("bridged");
      told = next;
    }
    throw new Error(`The holding does not end: ${path.slice(-20).join(", ")}`);
  };

  /** A caller talks with an agent: names a department, or asks for a person, a message or a call; else says goodbye. */
  const talk = ({ flow }: Version, { node: id, language }: CallState): string => {
    const node = own(flow.nodes, id!) as NodeOf<"agent">;
    for (let turns = 0;; turns++) {
      const { digits, speech } = answer(TALK_SILENCE_SEC);
      if (digits === "0") return "operator";
      if (digits === undefined && speech === undefined) return turns === 0 ? "message" : "done";
      const said = normaliseSpeech(speech ?? "");
      const department = Object.keys(node.departments)
        .find((name) => saysPhrase(said, normaliseSpeech(name.replaceAll("_", " "))));
      if (department !== undefined) return `departments.${department}`;
      if (urgent(said) === "person") return "operator";
      const { wants } = agentWords(language!).words;
      const wish = (["message", "callback"] as const)
        .find((each) => wants[each].some((phrase) => saysPhrase(said, phrase)));
      if (wish !== undefined) return wish;
    }
  };

  let heard: Heard | undefined = arrive(version);
  for (let steps = 0; heard !== undefined; steps++) {
    if (steps > MOST_STEPS) throw new Error(`The call does not end: ${path.slice(-20).join(", ")}`);
    const at = versionAt(heard.state);
    const facts = {
      ...known,
      calendars: calendarsOf(at, caller.at),
      mode,
      consentGiven: heard.state.consent !== undefined && isGranted(heard.state.consent) === true,
    };
    const before = path.length;
    const enter = (node: string, { name }: Version) => path.push((prefixes.get(name) ?? "") + node);
    const advanced = proceed(at, heard, facts, enter);
    // Behind a message a bare `end` is passed over for our own goodbye.
    const left = heard.to === "end" && heard.left && own(at.flow.nodes, heard.left.node);
    if (left && left.type === "voicemail") enter(left.next, at);
    step?.(heard, path.slice(before));
    mode = advanced.state.choice?.mode ?? mode;
    heard = undefined;
    for (const instruction of advanced.reply) {
      // Behind what is waited for comes only what serves where Twilio does not ask.
      if (heard !== undefined) break;
      const state = "action" in instruction ? instruction.action.state : advanced.state;
      switch (instruction.verb) {
        case "say":
        case "play":
          hears(instruction);
          break;
        case "gather":
          for (const prompt of instruction.prompts) hears(prompt);
          heard = hear(versionAt(state), state, answer(instruction.seconds));
          break;
        case "dial": {
          const rung = result(asksToAccept(versionAt(state), state));
          const { numbers, record } = instruction;
          happenings.push({
            kind: "rings",
            numbers,
            seconds: instruction.seconds,
            result: rung,
            recorded: rung === "answered" && record,
          });
          if (rung !== "answered") seconds += instruction.seconds + RING_EXTRA_SEC;
          heard = ringEnded(versionAt(state), state, rung === "answered");
          break;
        }
        case "enqueue":
          heard = hold(instruction, facts);
          break;
        case "record":
          if (caller.silent !== true) happenings.push({ kind: "message" });
          seconds += instruction.maxSec;
          heard = messageTaken(versionAt(state), state, caller.silent ? "none" : "heard");
          break;
        case "talk":
          hears({
            verb: "say",
            text: instruction.greeting,
            language: instruction.language,
            voice: undefined,
          });
          heard = talkEnded(versionAt(state), state, {
            kind: "left",
            leaving: { outcome: talk(versionAt(state), state), reason: "tried" },
          });
          break;
        case "ringing":
          hears(instruction);
          break;
        case "redirect":
        case "hangup":
        case "pause":
        // Not of a caller's own call.
        case "dial_queue":
        case "leave":
          break;
      }
    }
  }
  happenings.push({ kind: "end" });
  return { happenings, path, mode, seconds };
}

/**
 * A flow that is not published yet, as a version.
 *
 * @param flows Those that it goes on in, by name; none leads back.
 */
export function draftVersion(
  flow: Flow,
  flows: ReadonlyMap<string, Flow> = new Map(),
  name = "draft",
): Version {
  const uses = new Map<string, Version>();
  for (const node of Object.values(flow.nodes)) {
    const other = node.type === "flow" ? flows.get(node.name) : undefined;
    if (node.type !== "flow" || other === undefined || uses.has(node.name)) continue;
    uses.set(node.name, draftVersion(other, flows, `${name}/${node.name}`));
  }
  return { name, flow, uses };
}

/** A version and all that it goes on in, by their names in URLs. */
function versionsOf(version: Version): ReadonlyMap<string, Version> {
  const versions = new Map<string, Version>();
  const waiting = [version];
  for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
    if (versions.has(each.name)) continue;
    versions.set(each.name, each);
    waiting.push(...each.uses?.values() ?? []);
  }
  return versions;
}

/** What a call's facts would be: everybody is available, and every number may be dialled. */
function knownOf(
  versions: ReadonlyMap<string, Version>,
  { caller, returning, withheld }: Caller,
): Known {
  const groups = [...versions.values()].flatMap(({ flow }) => Object.keys(flow.groups ?? {}));
  const members = [...versions.values()].flatMap(({ flow }) =>
    Object.values(flow.groups ?? {}).flatMap(({ members }) => members)
  );
  return {
    now: new Date(0),
    mode: undefined,
    consentGiven: false,
    caller: caller as E164 | undefined,
    line: undefined,
    returning,
    people: Object.fromEntries(
      members.map((member) => [member, { phone: SOMEBODY, available: true }]),
    ),
    mayDial: (number) => number as Dialable,
    callerId: undefined,
    talkSec: 3600,
    audioUrl: (hash) => hash,
    callSid: "CA00000000000000000000000000000000",
    queues: {},
    callbacks: withheld ? {} : Object.fromEntries(groups.map((group) => [group, true])),
    place: { position: 1 },
  };
}

/** The state of every calendar that a version may ask, those of the flows that it goes on in as `<flow>/<calendar>`. */
function calendarsOf(version: Version, at: string | undefined) {
  const calendars: Record<string, "open" | "closed"> = {};
  for (const [prefix, { flow }] of [["", version] as const, ...prefixed(version)]) {
    for (const [name, calendar] of Object.entries(flow.calendars ?? {})) {
      calendars[prefix + name] = at === undefined || isOpen(calendar, at) ? "open" : "closed";
    }
  }
  return calendars;
}

/** The versions that a version goes on in, each with what comes before its names in facts. */
function prefixed({ uses }: Version): [prefix: string, version: Version][] {
  return [...uses ?? []].flatMap((
    [name, version],
  ) => [[`${name}/`, version], ...prefixed(version)]);
}

/** Whether a calendar is open at a wall-clock time of its zone. */
export function isOpen({ weekly, dates }: Calendar, at: string): boolean {
  const [date = "", time = ""] = at.split("T");
  const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
  const day = days[new Date(`${date}T00:00:00Z`).getUTCDay()]!;
  const periods = own(dates, date) ?? weekly[day] ?? [];
  return periods.some(([from, to]) => from <= time && time < to);
}

// --- tests --------------------------------------------------------------------------------------------------

/** What a flow's own tests find: one fault each, where the document says what is expected. */
export function failedTests(version: Version, audio?: AudioLengths): readonly Issue[] {
  return (version.flow.tests ?? []).flatMap((test, at) => {
    const { path, mode } = walk(version, callerOf(test), audio);
    const wrong = (field: string, message: string) =>
      issue(["tests", at, "expect", field], `${message}, in "${test.name}"`);
    const { expect } = test;
    const issues: Issue[] = [];
    if (expect.path !== undefined && !isWithin(expect.path, path)) {
      issues.push(wrong("path", `is not the way of the call, which is ${path.join(" -> ")}`));
    }
    if (expect.mode !== undefined && expect.mode !== mode) {
      issues.push(wrong("mode", `is not the mode of the call, which is ${mode ?? "none"}`));
    }
    const ends = endsOf(version.flow, path);
    if (expect.ends_in !== undefined && !ends.includes(expect.ends_in)) {
      issues.push(wrong("ends_in", `is not where the call ends, which is ${ends.join(" or ")}`));
    }
    return issues;
  });
}

/** Who calls in a flow's own test. */
export function callerOf({ keys, say, ...rest }: FlowTest): Caller {
  return {
    ...rest,
    keys: typeof keys === "string" ? keys.split(/[\s,]+/).filter((key) => key !== "") : keys,
    say: typeof say === "string" ? [say] : say,
  };
}

/** Whether `some` occur in `all` in this order. */
function isWithin(some: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  for (const each of all) if (each === some[at]) at++;
  return at === some.length;
}

/** The last node, and the last before the `end`. */
function endsOf(flow: Flow, path: readonly string[]): readonly string[] {
  const last = path.at(-1)!;
  const before = path.findLast((id) => own(flow.nodes, id)?.type !== "end");
  return [...new Set([last, before ?? last])];
}

// --- every path ---------------------------------------------------------------------------------------------

/** One way through a flow, from its start to an end. */
export interface Way {
  /** Each node with what happened at it: `main 1`, `desk unanswered`. */
  readonly steps: readonly { readonly node: string; readonly outcome: string }[];
  /** How long it takes at most, the talk left out, in seconds. */
  readonly seconds: number;
}

/** Every way through a flow, those that take longest first; at most so many of them are looked for. */
export function everyWay(flow: Flow, most: number, audio?: AudioLengths): readonly Way[] {
  const listens = operatorListens(flow);
  const ways: Way[] = [];
  const go = (id: string, steps: Way["steps"], seconds: number) => {
    const node = own<FlowNode>(flow.nodes, id);
    if (node === undefined || ways.length >= most) return;
    const all = seconds + secondsOf(flow, node, audio);
    const edges = [...edgesOf(node)];
    if (listens.has(id)) edges.push({ outcome: "0", to: flow.operator!, path: [] });
    if (edges.length === 0) {
      ways.push({ steps: [...steps, { node: id, outcome: "" }], seconds: all });
    }
    for (const { outcome, to } of edges) {
      go(to, [...steps, { node: id, outcome: outcomeOf(node, outcome) }], all);
    }
  };
  go(flow.start, [], 0);
  return ways.sort((one, other) => other.seconds - one.seconds);
}

/** An option by its key, everything else as the flow names it. */
function outcomeOf(node: FlowNode, outcome: string): string {
  const [field, at] = outcome.split(".");
  if (node.type !== "menu" || field !== "options") return outcome;
  const { key, words } = node.options[Number(at)]!;
  return key ?? `"${(Array.isArray(words) ? words : Object.values(words ?? {}).flat())[0]}"`;
}
