import { greetingOf } from "../agent/instructions.ts";
import { asksToStop, type ConsentDecision, standingConsent } from "../calls/consent.ts";
import {
  apology,
  type Instruction,
  own as says,
  type Prompt,
  type Reply,
  type Speech,
  takeMessage,
} from "../calls/reply.ts";
import { AGENT_TRANSFERRED, ARRIVAL, type CallState, LAST_TURN } from "../calls/state.ts";
import type { FunctionName } from "../functions.ts";
import { type PhraseName, wordsIn } from "../calls/words/mod.ts";
import type { Dialable } from "../destinations.ts";
import { consentKeys, disclosureOf, listening } from "./disclosure.ts";
import {
  DEFAULTS,
  edgesOf,
  type Flow,
  type FlowNode,
  groupOf,
  MOST_REPEATS,
  type NodeOf,
  own,
  promptIn,
  ringsAllToAccept,
  wordsOf,
} from "./language.ts";
import { type Known } from "./known.ts";
import { type Input, type Meaning, understand } from "./understand.ts";
import { stateAt, type Version } from "./version.ts";
import { ringSeconds } from "./measure.ts";
import { speaks, voiceOf } from "../voices.ts";

// The one interpreter of call flows. Pure.
//
// A call waits at a node: a menu or a consent node listens, a ring rings, a queue holds, a voicemail records. A webhook ends
// the wait.
// `hear...` reads from it where the call goes on, before the database is asked. `proceed` runs from there to the next node
// that waits, with the facts from the database.

/** The meaning of a webhook for the call. */
export interface Heard {
  /** With the decisions; `proceed` adds the node. */
  readonly state: CallState;
  /** Our own words before the next node. */
  readonly words: readonly PhraseName[];
  /** The node that comes next; or a message is taken, or the call ended. */
  readonly to: { readonly node: string } | "message" | "end";
  /** The node is the one before, and goes on. */
  readonly again?: true;
  /** The node that the call waited at, and what happened there; absent: it waited at none. */
  readonly left?: { readonly node: string; readonly outcome: string } | undefined;
}

/** The state of a call after a step, and the answer to its caller. */
export interface Advanced {
  readonly state: CallState;
  readonly reply: Reply;
}

/** A step of a call that listens. */
export function advance(
  version: Version,
  told: CallState | undefined,
  input: Input,
  known: Known,
): Advanced {
  return proceed(version, hear(version, told, input), known);
}

// --- what a webhook means -----------------------------------------------------------------------------------

/** A call comes in. */
export function arrive(version: Version): Heard {
  const { flow, name } = version;
  return decided(flow, {
    state: { ...ARRIVAL, turn: 1, flow: name, language: flow.languages[0]! },
    words: [],
    to: { node: flow.start },
  }, 0);
}

/** The state after a webhook that decides nothing; the flow's defaults fill what the URL lacks. */
export function nextState({ flow, name }: Version, told: CallState | undefined): CallState {
  const before = told ?? ARRIVAL;
  const isOther = before.flow !== undefined && before.flow !== name;
  const { node: _, ...kept } = before;
  return {
    ...isOther ? kept : before,
    turn: before.turn + 1,
    flow: name,
    language: before.language !== undefined && flow.languages.includes(before.language)
      ? before.language
      : flow.languages[0]!,
  };
}

/** A `<Gather>` has ended: at a menu, or at a consent node that listens by itself. */
export function hear(version: Version, told: CallState | undefined, input: Input): Heard {
  const { flow } = version;
  const state = nextState(version, told);
  const turn = told?.turn ?? 0;
  const node = state.node === undefined ? undefined : own(flow.nodes, state.node);
  // A key 1 of another flow is not the offered one.
  const isOther = told?.flow !== undefined && told.flow !== version.name;
  const id = node?.type === "menu" || node?.type === "consent" ? state.node! : firstMenu(flow);
  const asked = id === undefined ? undefined : own(flow.nodes, id);
  const meaning = meaningOf(flow, id, isOther ? undefined : asked, state, told, input);
  const consent = standingConsent(state.consent, decisionOf(meaning, told));
  const next = { ...state, ...(consent && { consent }) };
  if (asked?.type === "menu") {
    const menu = { id: id!, node: asked };
    return isOther && meaning.heard
      ? again(menu.id, next, meaning, "other_flow")
      : chosen(flow, menu, next, meaning, turn);
  }
  if (asked?.type === "consent") {
    return answered({ id: id!, node: asked }, next, meaning, flow, turn);
  }
  return { state: next, words: [], to: "message" };
}

/** Whether an answer asks not to be called again: 9, or such words, where they mean nothing else. For calls that we made. */
export function wantsNoCalls(version: Version, told: CallState | undefined, input: Input): boolean {
  const { flow } = version;
  const state = nextState(version, told);
  const node = state.node === undefined ? undefined : own(flow.nodes, state.node);
  const { option, consent } = meaningOf(flow, state.node, node, state, told, input);
  return option === undefined && consent === undefined &&
    (input.digits === "9" ||
      (input.speech !== undefined && asksToStop(input.speech, state.language!)));
}

const NONE: ReadonlySet<string> = new Set();

/** The meaning of a key, of words or of silence. */
function meaningOf(
  flow: Flow,
  id: string | undefined,
  node: FlowNode | undefined,
  { language, disclosed }: CallState,
  told: CallState | undefined,
  input: Input,
): Meaning {
  return understand({
    options: node?.type === "menu" ? node.options : [],
    operator: id !== undefined && node !== undefined && listening(flow).has(id),
    language: language!,
    disclosed,
    consentKeys: told?.flow === undefined ? consentKeys(flow) : NONE,
  }, input);
}

/** The decision about recording in an answer, by the disclosure that the caller heard. */
function decisionOf(meaning: Meaning, told: CallState | undefined): ConsentDecision | undefined {
  const turn = told?.turn ?? LAST_TURN;
  if (meaning.consent !== undefined) return { basis: meaning.consent, turn };
  if (told?.disclosed === undefined) return undefined;
  if (meaning.unsure) return { basis: "unsure", turn };
  const { policy, language } = told.disclosed;
  // In a language without a binding sentence of ours, only the key that the owner's words name counts.
  return meaning.goesOn && policy === "opt_out" && wordsIn(language) !== undefined
    ? { basis: "stayed", turn }
    : undefined;
}

function chosen(
  flow: Flow,
  { id, node }: { readonly id: string; readonly node: NodeOf<"menu"> },
  state: CallState,
  meaning: Meaning,
  turn: number,
): Heard {
  const leave = (to: string, outcome: string, words: Heard["words"] = []): Heard =>
    decided(flow, { state, words, to: { node: to }, left: { node: id, outcome } }, turn);
  if (meaning.option !== undefined) {
    return leave(node.options[meaning.option]!.next, `options.${meaning.option}`);
  }
  if (meaning.operator && flow.operator !== undefined) {
    const heard = leave(flow.operator, "operator");
    return { ...heard, state: handedOver(flow, heard.state) };
  }
  const words: Heard["words"] = meaning.consent === "yes"
    ? ["granted"]
    : meaning.consent === "no"
    ? ["declined"]
    : meaning.repeat
    ? []
    : [meaning.heard ? "notUnderstood" : "notHeard"];
  const isFree = (meaning.consent !== undefined || meaning.repeat) &&
    (state.repeats ?? 0) < MOST_REPEATS;
  if (isFree) return again(id, state, meaning, meaning.repeat ? "repeat" : "consent", words);
  if (state.attempt < node.tries) {
    const outcome = meaning.heard ? "not_understood" : "silence";
    return again(id, { ...state, attempt: state.attempt + 1 }, undefined, outcome, words);
  }
  return leave(node.otherwise, "otherwise", meaning.consent === undefined ? [] : words);
}

/** Asks the same node again. @param free Whether it uses up none of its tries. */
function again(
  id: string,
  state: CallState,
  free: Meaning | undefined,
  outcome: string,
  words: Heard["words"] = [],
): Heard {
  return {
    state: free === undefined ? state : { ...state, repeats: (state.repeats ?? 0) + 1 },
    words,
    to: { node: id },
    again: true,
    left: { node: id, outcome },
  };
}

/**
 * A consent node without a menu. After words about recording it listens once more before the call goes on, so that the rest
 * of an interrupted sentence ("but don't record") still counts.
 */
function answered(
  { id, node }: { readonly id: string; readonly node: NodeOf<"consent"> },
  state: CallState,
  { consent }: Meaning,
  flow: Flow,
  turn: number,
): Heard {
  const words: Heard["words"] = consent === undefined
    ? []
    : consent === "yes"
    ? ["granted"]
    : ["declined"];
  if (consent !== undefined && state.attempt === 1) {
    return again(id, { ...state, attempt: 2 }, undefined, "consent", words);
  }
  return decided(flow, {
    state,
    words,
    to: { node: node.next },
    left: { node: id, outcome: "next" },
  }, turn);
}

/** A key during a conversation: 0 asks for the operator, any other can only refuse recording. */
export function hearKey(version: Version, told: CallState | undefined, input: Input): Heard {
  const { flow } = version;
  const state = nextState(version, told);
  const turn = told?.turn ?? 0;
  const { operator } = flow;
  if (operator !== undefined && input.digits === "0") {
    const left = state.node === undefined ? undefined : { node: state.node, outcome: "operator" };
    const heard = decided(flow, { state, words: [], to: { node: operator }, left }, turn);
    return { ...heard, state: handedOver(flow, heard.state) };
  }
  const decision = decisionOf(meaningOf(flow, undefined, undefined, state, told, input), told);
  const refused = decision?.basis === "no";
  const consent = standingConsent(state.consent, refused ? decision : undefined);
  const menu = state.node !== undefined && own(flow.nodes, state.node)?.type === "menu"
    ? state.node
    : firstMenu(flow);
  return {
    state: { ...state, attempt: 1, ...(consent && { consent }) },
    words: refused ? ["declined"] : [],
    to: menu === undefined ? "message" : { node: menu },
  };
}

/** A ring has ended; also one in place of a queue, while no caller can be held. */
export function ringEnded(
  version: Version,
  told: CallState | undefined,
  isAnswered: boolean,
): Heard {
  const { flow } = version;
  const state = nextState(version, told);
  const ring = ringOf(flow, state);
  if (ring === undefined) return { state, words: [], to: isAnswered ? "end" : "message" };
  const { id, node } = ring;
  const inVain = node.type === "ring" ? "unanswered" : "gave_up";
  const left = { node: id, outcome: isAnswered ? "answered" : inVain };
  const turn = told?.turn ?? 0;
  if (!isAnswered && isOneByOne(flow, node) && state.attempt < turnsOf(flow, node)) {
    left.outcome = "next_member";
    return { state, words: [], to: { node: id }, again: true, left };
  }
  const to = isAnswered ? node.answered : node.type === "ring" ? node.unanswered : node.gave_up;
  return decided(flow, { state, words: [], to: { node: to }, left }, turn);
}

/** Whether the person who answers the ring is asked to accept the call. */
export function asksToAccept(version: Version, told: CallState | undefined): boolean {
  const { flow } = version;
  const node = ringOf(flow, nextState(version, told))?.node;
  return node !== undefined && mustAccept(flow, node);
}

/** The node that rings, or would hold. */
function ringOf(
  flow: Flow,
  { node, choice }: CallState,
): { readonly id: string; readonly node: Ringing } | undefined {
  const id = nodeOf(flow, ["ring", "queue"], node, choice?.mode);
  return id === undefined ? undefined : { id, node: flow.nodes[id] as Ringing };
}

/** A message was taken, or none. */
export function messageTaken(
  version: Version,
  told: CallState | undefined,
  message: "heard" | "none" | "unsure",
): Heard {
  const { flow } = version;
  const state = nextState(version, told);
  const id = nodeOf(flow, ["voicemail"], state.node, state.choice?.mode);
  const node = id === undefined ? undefined : own(flow.nodes, id);
  const said = ({ heard: "thanks", none: "noMessage", unsure: "called" } as const)[message];
  const next = node?.type === "voicemail" ? own(flow.nodes, node.next) : undefined;
  if (node?.type !== "voicemail" || (next?.type === "end" && next.prompt === undefined)) {
    const left = node && { node: id!, outcome: "next" };
    return { state, words: [said, "goodbye"], to: "end", left };
  }
  return decided(flow, {
    state,
    words: [said],
    to: { node: node.next },
    left: { node: id!, outcome: "next" },
  }, told?.turn ?? 0);
}

/** The call goes where it was going: to the node of its mode; one that chose nothing hears the menu. */
export function reroute({ flow }: Version, state: CallState, mode: string | undefined): Heard {
  const id =
    Object.keys(flow.nodes).find((each) =>
      mode !== undefined && modeOf(flow.nodes[each]!) === mode
    ) ??
      firstMenu(flow);
  return { state, words: [], to: id === undefined ? "message" : { node: id } };
}

/** Adds the mode that every way from here leads to, so that the event can carry it. */
export function decided(flow: Flow, heard: Heard, turn: number): Heard {
  if (typeof heard.to !== "object") return heard;
  const modes = modesFrom(flow, heard.to.node, new Map());
  const [mode] = modes.size === 1 ? modes : [];
  return mode === undefined
    ? heard
    : { ...heard, state: { ...heard.state, choice: { mode, turn } } };
}

/** The modes that a call may have when it next waits, or ends; `undefined`: the one that it has. */
function modesFrom(
  flow: Flow,
  id: string,
  known: Map<string, ReadonlySet<string | undefined>>,
): ReadonlySet<string | undefined> {
  const before = known.get(id);
  if (before !== undefined) return before;
  known.set(id, new Set());
  const node = own(flow.nodes, id);
  const modes = new Set<string | undefined>();
  const from = (next: string) => modesFrom(flow, next, known);
  if (node?.type === "ring" || node?.type === "queue") {
    modes.add(node.mode);
    // With nobody to ring it goes on at once.
    const onward = node.type === "ring" ? [node.unanswered] : [node.gave_up, node.full];
    for (const mode of onward.flatMap((to) => [...from(to)])) modes.add(mode ?? node.mode);
  } else if (
    node !== undefined && ["say", "language", "hours", "match", "callback"].includes(node.type)
  ) {
    for (const { to } of edgesOf(node)) for (const mode of from(to)) modes.add(mode);
  } else modes.add(node === undefined ? undefined : modeOf(node));
  known.set(id, modes);
  return modes;
}

function modeOf(node: FlowNode): string | undefined {
  return "mode" in node ? node.mode : undefined;
}

function handedOver(flow: Flow, state: CallState): CallState {
  return own(flow.nodes, flow.operator!)?.type === "voicemail"
    ? state
    : { ...state, handoff: "caller_asked_for_a_human" };
}

/** The node of these types that the URL names; an URL without one: that of the mode. */
function nodeOf(
  flow: Flow,
  types: readonly string[],
  id: string | undefined,
  mode: string | undefined,
): string | undefined {
  if (id !== undefined) return types.includes(own(flow.nodes, id)?.type ?? "") ? id : undefined;
  return Object.entries(flow.nodes)
    .find(([, node]) => types.includes(node.type) && mode !== undefined && modeOf(node) === mode)
    ?.[0];
}

/** The menu that a caller comes to first. */
function firstMenu(flow: Flow): string | undefined {
  const ways = new Set([flow.start]);
  for (const id of ways) {
    const node = own(flow.nodes, id);
    if (node?.type === "menu") return id;
    for (const { to } of edgesOf(node)) ways.add(to);
  }
  return undefined;
}

// --- how the call goes on -----------------------------------------------------------------------------------

/** Enough for any checked flow; beyond it an unchecked document has a cycle. */
const MOST_STEPS = 1000;
/** How long a consent node listens by itself, in seconds. */
const CONSENT_SEC = 3;

/**
 * Runs from the node that a webhook led to, up to the next node that waits, or to the end.
 *
 * @param onEnter Is called with each node that is entered, in order.
 */
export function proceed(
  first: Version,
  heard: Heard,
  known: Known,
  onEnter?: (node: string, version: Version) => void,
): Advanced {
  let version = first;
  let state = heard.state;
  const reply: Instruction[] = [];
  const speech = () => speechOf(version.flow, state.language!);
  if (heard.words.length > 0) reply.push(says(speech(), ...heard.words));
  if (known.transfer !== undefined && heard.left?.outcome === "answered") {
    return passedOn({ ...state, node: heard.left.node }, known.transfer, speech(), known);
  }
  if (heard.to === "end") return { state, reply: [...reply, { verb: "hangup" }] };
  if (heard.to === "message") return { state, reply: [...reply, ...takeMessage(speech(), state)] };

  let id = heard.to.node;
  let goesOn = heard.again === true;
  /** A disclosure is heard in this reply: the next `<Gather>` is the first after it. */
  let isFirst = false;
  /** Of calendars, where the call has gone on in another flow: the facts are those of the first. */
  let prefix = "";
  for (let step = 0; step < MOST_STEPS; step++) {
    const { flow } = version;
    const node = own(flow.nodes, id);
    const spoken = (name: string | undefined) => promptsOf(flow, name, speech(), known);
    state = goesOn ? { ...state, node: id } : entered(state, id, node, known);
    if (!goesOn) onEnter?.(id, version);
    switch (node?.type) {
      case "say":
        reply.push(...spoken(node.prompt));
        break;
      case "language":
        state = { ...state, language: node.language };
        break;
      case "consent": {
        if (goesOn) return { state, reply: [...reply, ...listen(id, node, state, speech(), true)] };
        if (state.disclosed !== undefined) break;
        const menu = menuAhead(version, node.next, prefix, known);
        const { disclosed, words, binding } = disclosureOf(flow, node, state.language!, menu);
        const said = spoken(node.prompt);
        // One text, unless a part of it is audio: it is heard whole before anything listens.
        if (said.every(({ verb }) => verb === "say")) {
          reply.push(...text(words, speech()));
        } else reply.push(...said, ...text(binding ?? "", speech()));
        state = { ...state, disclosed };
        isFirst = true;
        if (menu === undefined) {
          return { state, reply: [...reply, ...listen(id, node, state, speech(), true)] };
        }
        break;
      }
      case "menu":
        return {
          state,
          reply: [...reply, ...listen(id, node, state, speech(), isFirst, spoken(node.prompt))],
        };
      case "ring": {
        const rung = callees(flow, node, state, known, goesOn);
        if (rung === undefined) break;
        state = rungState(state, rung);
        // The next member rings without a word.
        if (!goesOn) reply.push(...spoken(node.prompt));
        const isHeld = !goesOn && known.place &&
          ringsAllToAccept(groupOf(flow, node));
        reply.push(isHeld ? enqueue(state, known.callSid) : dial(state, rung, known));
        return { state, reply };
      }
      case "queue": {
        const rung = callees(flow, node, state, known, goesOn);
        if (rung === undefined || isClosed(version, node, prefix, known) || isFull(node, known)) {
          break;
        }
        if (!goesOn && known.place) {
          return { state, reply: [...reply, enqueue(state, node.group)] };
        }
        // Nobody is dialled for a caller whom the database does not hold: the members are rung in turn.
        state = rungState(state, rung);
        if (!goesOn) reply.push(says(speech(), "holding"));
        return { state, reply: [...reply, dial(state, rung, known)] };
      }
      case "callback":
        if (own(known.callbacks, node.group)) reply.push(says(speech(), "promised"));
        break;
      case "voicemail":
        return { state, reply: [...reply, ...takeMessage(speech(), state, spoken(node.prompt))] };
      case "end":
        return { state, reply: [...reply, ...spoken(node.prompt), { verb: "hangup" }] };
      case "flow": {
        const next = version.uses?.get(node.name) ?? first.uses?.get(node.name);
        if (next === undefined) return { state, reply: [...reply, ...apology(state)] };
        version = next;
        prefix = `${node.name}/`;
        state = nextState(version, { ...state, turn: state.turn - 1, flow: version.name });
        id = version.flow.start;
        continue;
      }
      case "agent": {
        const agent = own(flow.agents, node.agent);
        // Caps of the line, or an agent that fails: the flow goes its way for that.
        if (agent === undefined || known.agent?.barred !== undefined) break;
        const { language } = speech();
        const greeting = goesOn ? "" : greetingOf(agent, language);
        const action = { to: "voice-agent-action", state } as const;
        const voices = flow.languages.map((each) => ({
          language: each,
          voice: own(flow.voices, each),
        }));
        const hints = [
          ...Object.keys(node.departments).map((name) => name.replaceAll("_", " ")),
          ...(agent.business === undefined ? [] : [agent.business]),
        ];
        return {
          state,
          reply: [...reply, { verb: "talk", language, voices, hints, greeting, action }],
        };
      }
      // An unchecked document takes a message.
      case undefined:
        return { state, reply: [...reply, ...apology(state)] };
      case "hours":
      case "match":
        break;
      default:
        node satisfies never;
    }
    goesOn = false;
    id = nextOf(version, node!, prefix, known)!;
  }
  return { state, reply: apology(state) };
}

/** A node is entered: its askings are counted anew, and its mode becomes the call's. */
function entered(
  { repeats: _, first: __, ...state }: CallState,
  id: string,
  node: FlowNode | undefined,
  { mode: before }: Known,
): CallState {
  const mode = node && modeOf(node);
  const turn = state.turn - 1;
  const isKnown = mode === undefined || mode === (state.choice?.mode ?? before);
  return { ...state, node: id, attempt: 1, ...(!isKnown && { choice: { mode, turn } }) };
}

/** The node after one that does not wait; of a ring or a queue, where nobody can be rung. */
function nextOf(
  version: Version,
  node: FlowNode,
  prefix: string,
  known: Known,
): string | undefined {
  switch (node.type) {
    case "say":
    case "language":
    case "consent":
      return node.next;
    case "agent":
      return node.failed;
    case "ring":
      return node.unanswered;
    case "queue":
      return isFull(node, known) ? node.full : node.gave_up;
    case "callback":
      // Only what is kept is promised.
      return own(known.callbacks, node.group) ? node.next : node.refused;
    case "hours": {
      const state = calendarState(version, node.calendar, prefix, known);
      return state === undefined ? node.unknown ?? node.open : node[state];
    }
    case "match": {
      const value = valueOf(node.on, known);
      const met = value !== undefined &&
        node.cases.find(({ in: patterns }) =>
          patterns.some((pattern) =>
            pattern.endsWith("*") ? value.startsWith(pattern.slice(0, -1)) : value === pattern
          )
        );
      return met ? met.next : node.otherwise;
    }
    default:
      return undefined;
  }
}

/** @param prefix Of the calendar's name in facts. */
function calendarState(
  { hours }: Version,
  calendar: string,
  prefix: string,
  { calendars, now }: Pick<Known, "calendars" | "now">,
): "open" | "closed" | undefined {
  return own(calendars, prefix + calendar) ?? stateAt(own(hours, calendar), now);
}

/** Whether the group that a queue holds callers for has closed. */
export function isClosed(
  version: Version,
  node: NodeOf<"queue">,
  prefix: string,
  known: Pick<Known, "calendars" | "now">,
): boolean {
  const calendar = groupOf(version.flow, node)?.calendar;
  return calendar !== undefined &&
    calendarState(version, calendar, prefix, known) === "closed";
}

function isFull({ group }: NodeOf<"queue">, { queues }: Known): boolean {
  return own(queues, group)?.full === true;
}

function valueOf(
  on: NodeOf<"match">["on"],
  { caller, line, returning }: Known,
): string | undefined {
  if (on === "caller") return caller;
  if (on === "line") return line;
  return returning === undefined ? undefined : returning ? "yes" : "no";
}

/** The menu that comes next without anything in between that waits; `undefined`: something else does. */
function menuAhead(
  version: Version,
  from: string,
  prefix: string,
  known: Known,
): string | undefined {
  let id: string | undefined = from;
  for (let step = 0; id !== undefined && step < MOST_STEPS; step++) {
    const node: FlowNode | undefined = own(version.flow.nodes, id);
    if (node?.type === "menu") return id;
    if (node === undefined || ["ring", "queue", "callback"].includes(node.type)) return undefined;
    id = nextOf(version, node, prefix, known);
  }
  return undefined;
}

/** Listens for keys and words. Silence falls through to the same address, so that one step decides whatever the caller does. */
function listen(
  id: string,
  node: NodeOf<"menu"> | NodeOf<"consent">,
  state: CallState,
  { language }: Speech,
  isFirst: boolean,
  prompts: readonly Prompt[] = [],
): Reply {
  const to: FunctionName = isFirst ? "voice-consent-speech" : "voice-menu-handler";
  const action = { to, state: { ...state, node: id } };
  const options = node.type === "menu" ? node.options : [];
  const about = state.disclosed === undefined ? [] : wordsIn(language)?.hints ?? [];
  return [
    {
      verb: "gather",
      prompts,
      language,
      seconds: node.type === "menu" ? node.seconds ?? DEFAULTS.menuSeconds : CONSENT_SEC,
      hints: [...options.flatMap((option) => wordsOf(option, language)).slice(0, 400), ...about],
      poundIsKey: options.some(({ key }) => key === "#"),
      action,
    },
    { verb: "redirect", to: action },
  ];
}

// --- members of a ring --------------------------------------------------------------------------------------

interface Rung {
  readonly numbers: readonly Dialable[];
  readonly seconds: number;
  readonly confirm: boolean;
  /** How many members' turns have come. */
  readonly turns: number;
  /** The place of the member who is rung first; absent: as the call's number says. */
  readonly first?: number | undefined;
}

function rungState(state: CallState, { turns, first }: Rung): CallState {
  return { ...state, attempt: turns, ...(first !== undefined && { first }) };
}

type Ringing = NodeOf<"ring"> | NodeOf<"queue">;

/** Who may only talk after pressing a key: a mailbox never is. */
function mustAccept(flow: Flow, node: Ringing): boolean {
  return node.type === "queue" || groupOf(flow, node)?.confirm === true;
}

/** Whether members are rung one after the other. Those who have to accept always are, unless the caller is held meanwhile. */
function isOneByOne(flow: Flow, node: Ringing): boolean {
  const group = groupOf(flow, node);
  return mustAccept(flow, node) || (group !== undefined && (group.ring ?? DEFAULTS.ring) !== "all");
}

/** How many members are rung one after the other: in place of a queue, as many as have a turn in its time. */
function turnsOf(flow: Flow, node: Ringing): number {
  const group = groupOf(flow, node);
  const { length } = group?.members ?? [];
  if (node.type === "ring") return length;
  const most = Math.floor(node.max_seconds / ringSeconds(group, true));
  return Math.min(length, Math.max(1, most));
}

/** The members that can be rung now; `undefined`: none, or none left. */
function callees(
  flow: Flow,
  node: Ringing,
  { attempt, first: before }: CallState,
  known: Pick<Known, "callSid" | "people" | "mayDial" | "longest_idle" | "cannot_dial">,
  goesOn: boolean,
): Rung | undefined {
  const group = groupOf(flow, node);
  const isHeld = node.type === "queue" || ringsAllToAccept(group);
  if (isHeld && !goesOn && known.cannot_dial) return undefined;
  const single = node.type === "ring" && node.to !== undefined ? [node.to] : [];
  const members = group?.members ?? single;
  const numberOf = (member: string): Dialable | undefined => {
    if (member.startsWith("+")) return known.mayDial(member);
    const person = own(known.people, member);
    return person?.available ? known.mayDial(person.phone) : undefined;
  };
  // The one who has been idle longest begins; where that is not known, another one each call.
  const rotates = group?.ring === "rotate";
  const found = goesOn
    ? before
    : members.findIndex((member) =>
      known.longest_idle !== undefined && numberOf(member) === known.longest_idle
    );
  const first = rotates && found !== undefined && found >= 0 ? found : undefined;
  const nth = Number.parseInt(known.callSid.slice(-8), 16) % members.length;
  const begin = rotates ? first ?? nth : 0;
  const order = [...members.slice(begin), ...members.slice(0, begin)];
  const seconds = group?.seconds ?? DEFAULTS.ringSeconds;
  const confirm = mustAccept(flow, node);
  if (!isOneByOne(flow, node)) {
    const numbers = [...new Set(order.flatMap((member) => numberOf(member) ?? []))];
    return numbers.length === 0 ? undefined : { numbers, seconds, confirm, turns: 1 };
  }
  // Whether there is anybody is asked of all of them.
  const end = goesOn ? turnsOf(flow, node) : order.length;
  for (let at = goesOn ? attempt : 0; at < end; at++) {
    const number = numberOf(order[at]!);
    if (number !== undefined) return { numbers: [number], seconds, confirm, turns: at + 1, first };
  }
  return undefined;
}

/** Whether anybody of a group can be rung, now or once a talk has ended. */
export function hasAnybody(
  flow: Flow,
  node: Ringing,
  known: Pick<Known, "callSid" | "people" | "mayDial" | "cannot_dial">,
): boolean {
  return callees(flow, node, ARRIVAL, known, false) !== undefined;
}

/** What the state of a call says that a person passed on. */
const PASSED_ON = "transferred_by_a_person";

export function isPassedOn({ handoff }: CallState): boolean {
  return handoff === PASSED_ON;
}

/** Whether the caller holds in a queue of the call's own: for all of a ring, or passed on by a person. */
export function holdsAlone({ type }: FlowNode, state: CallState): boolean {
  return type === "ring" || isPassedOn(state);
}

/**
 * The talk has ended for the caller, not for the person, who may still enter a code; or has, and the caller holds for another
 * person.
 */
function passedOn(
  told: CallState,
  transfer: "held" | "made",
  speech: Speech,
  known: Known,
): Advanced {
  if (transfer === "made") {
    const state = { ...told, attempt: 1, handoff: PASSED_ON };
    return { state, reply: [says(speech, "transferring"), enqueue(state, known.callSid)] };
  }
  // Mostly the person hangs up a moment later, and the caller should hear no telephone ring.
  const reply: Instruction[] = told.attempt === 1
    ? [{ verb: "pause", seconds: 2 }]
    : [{ verb: "ringing", times: 1 }];
  const state = { ...told, attempt: told.attempt + 1 };
  return {
    state,
    reply: [...reply, { verb: "redirect", to: { to: "voice-queue", event: "held", state } }],
  };
}

/** @param queue As the database calls it. */
function enqueue(state: CallState, queue: string): Instruction {
  return {
    verb: "enqueue",
    queue,
    wait: { to: "voice-queue", state, event: "wait" },
    action: { to: "voice-queue", state, event: "left" },
  };
}

function dial(state: CallState, { numbers, seconds, confirm }: Rung, known: Known): Instruction {
  return {
    verb: "dial",
    numbers,
    callerId: known.callerId,
    seconds,
    timeLimit: known.talkSec,
    record: known.consentGiven && state.disclosed !== undefined,
    action: { to: "voice-route-action", state },
    statusCallback: { to: "voice-status", state },
    recordingCallback: { to: "voice-status", state },
    screen: confirm || state.handoff === AGENT_TRANSFERRED
      ? { to: "voice-route", state, event: confirm ? "ask" : "whisper", call: known.callSid }
      : undefined,
  };
}

// --- prompts ------------------------------------------------------------------------------------------------

/** How a flow speaks. */
export function speechOf({ voices }: Pick<Flow, "voices">, language: string): Speech {
  return {
    language,
    voice: (each) => {
      const chosen = own(voices, each);
      return chosen !== undefined && speaks(chosen, each) ? chosen : voiceOf(each);
    },
  };
}

export function promptsOf(
  flow: Flow,
  name: string | undefined,
  speech: Speech,
  known: Pick<Known, "audioUrl">,
): Prompt[] {
  if (name === undefined) return [];
  const first = flow.languages[0]!;
  const own = promptIn(flow, name, speech.language);
  const language = own === undefined ? first : speech.language;
  const prompt = own ?? promptIn(flow, name, first);
  if (prompt === undefined) return [];
  if (typeof prompt === "string") return text(prompt, { ...speech, language });
  return [{ verb: "play", url: known.audioUrl(prompt.audio) }];
}

function text(text: string, { language, voice }: Speech): Prompt[] {
  return text === "" ? [] : [{ verb: "say", text, language, voice: voice(language) }];
}
