import { modelNamed } from "../agent/models/model.ts";
import { TOOLS } from "../agent/tools.ts";
import { speaksAgent } from "../agent/words.ts";
import { normaliseSpeech, saysPhrase } from "../calls/consent.ts";
import { wordsIn } from "../calls/words/mod.ts";
import { type Destinations, dialable } from "../destinations.ts";
import { isE164 } from "../phone.ts";
import { LANGUAGES, speaks, voiceOf } from "../voices.ts";
import { consentKey, disclosureOf, menusNext } from "./disclosure.ts";
import { drawFlow } from "./draw.ts";
import {
  type Edge,
  edgesOf,
  type Flow,
  groupOf,
  isInstant,
  type NodeOf,
  type NodeType,
  operatorListens,
  own,
  promptIn,
  ringsAllToAccept,
} from "./language.ts";
import { LIMITS } from "./schema.ts";
import { type AudioLengths, bytesOf, isSayable, most, secondsOf } from "./measure.ts";
import { hashOf } from "./hash.ts";
import { type Issue, issue, type Parsed, parseFlow } from "./parse.ts";
import { canNameChoice } from "./understand.ts";

// Everything that must hold before a flow answers a telephone. All faults at once, in words for the flow's owner. Pure.

/** Facts from outside of a flow. Absent ones are unknown and not checked. */
export interface CheckFacts {
  /** What may be dialled. */
  readonly destinations: Destinations;
  /** `false`: TWILIO_ACCOUNT_SID is not set, so no leg is dialled for callers who hold or are promised a call back. */
  readonly dials?: boolean | undefined;
  /** Our own lines, and people who have one for a telephone: calls to them would loop. */
  readonly ownLines?: ReadonlySet<string> | undefined;
  /** Stored audio, and how long it plays. */
  readonly audio?: AudioLengths | undefined;
  /** Handles of the people who can be rung. */
  readonly people?: ReadonlySet<string> | undefined;
  /** The flow's name, for flows that lead back to it. */
  readonly name?: string | undefined;
  /** The owner's other flows, as published, by name. */
  readonly flows?: ReadonlyMap<string, Flow> | undefined;
}

export type Checked =
  | {
    readonly ok: true;
    readonly flow: Flow;
    /** SHA-256 of the canonical JSON. */
    readonly hash: string;
    readonly nodes: number;
    /** The longest stay of a caller in seconds: prompts, waiting, ringing and recording, without the talk itself. */
    readonly longest_seconds: number;
    readonly warnings: readonly Issue[];
    readonly mermaid: string;
  }
  | { readonly ok: false; readonly issues: readonly Issue[] };

/** The longest allowed stay of a caller beside the time in queues, which the flow's owner sets, in seconds. */
const LONGEST_SEC = 30 * 60;

/** Twilio takes documents of 64 kB. Source: https://www.twilio.com/docs/api/errors/11750 */
const MOST_BYTES = 60_000;

/** Checks a flow: every fault, or its properties. */
export function checkFlow(definition: unknown, facts: CheckFacts): Checked {
  const parsed = parseFlow(definition);
  if (parsed.flow === undefined) return { ok: false, issues: parsed.issues };
  const issues = [...parsed.issues];
  const warnings: Issue[] = [];
  const document: Document = {
    ...parsed,
    facts,
    graph: graphOf(parsed),
    fault: (path, message) => issues.push(issue(path, message)),
    warn: (path, message) => warnings.push(issue(path, message)),
  };
  for (const check of CHECKS) check(document);
  if (issues.length > 0) return { ok: false, issues };
  const { flow } = parsed;
  return {
    ok: true,
    flow,
    hash: hashOf(definition),
    nodes: Object.keys(flow.nodes).length,
    longest_seconds: longestWay(flow, facts).seconds,
    warnings,
    mermaid: drawFlow(flow),
  };
}

type Path = readonly (string | number)[];

interface Document extends Parsed {
  readonly facts: CheckFacts;
  readonly graph: Graph;
  fault(path: Path, message: string): void;
  warn(path: Path, message: string): void;
}

const CHECKS: readonly ((document: Document) => void)[] = [
  checkLanguages,
  checkZone,
  checkReferences,
  checkReachable,
  checkCycles,
  checkPrompts,
  checkMenus,
  checkConsent,
  checkCalendars,
  checkPeople,
  checkMatches,
  checkFlows,
  checkAgents,
  checkLength,
  checkDocuments,
  checkUse,
];

// --- the graph ----------------------------------------------------------------------------------------------

interface Way extends Edge {
  /** Below `nodes`, or the path of `operator`. */
  readonly at: Path;
}

/** Where each node leads, key 0 to the operator included. */
interface Graph {
  readonly ways: ReadonlyMap<string, readonly Way[]>;
  /** In topological order from the start, without the edges that lead back. */
  readonly order: readonly string[];
  /** The ways that lead back, each with the nodes of its circle. */
  readonly back: readonly { readonly way: Way; readonly circle: readonly string[] }[];
}

function graphOf({ flow, nodes }: Pick<Parsed, "flow" | "nodes">): Graph {
  const listens = operatorListens(flow);
  const ways = new Map(
    Object.entries(nodes).map(([id, node]) => {
      const own: Way[] = edgesOf(node).map((edge) => ({
        ...edge,
        at: ["nodes", id, ...edge.path],
      }));
      const operator = listens.has(id) && flow.operator !== undefined
        ? [{ outcome: "operator", to: flow.operator, path: [], at: ["operator"] }]
        : [];
      return [id, [...own, ...operator] as const];
    }),
  );
  const back: { way: Way; circle: string[] }[] = [];
  const done: string[] = [];
  const state = new Map<string, "open" | "done">();
  const line: string[] = [];
  const visit = (id: string) => {
    state.set(id, "open");
    line.push(id);
    for (const way of ways.get(id) ?? []) {
      if (!ways.has(way.to)) continue;
      const met = state.get(way.to);
      if (met === undefined) visit(way.to);
      else if (met === "open") back.push({ way, circle: line.slice(line.indexOf(way.to)) });
    }
    line.pop();
    state.set(id, "done");
    done.push(id);
  };
  if (ways.has(flow.start)) visit(flow.start);
  // Circles among nodes that no way leads to are faults as well.
  const order = done.toReversed();
  for (const id of ways.keys()) if (!state.has(id)) visit(id);
  return { ways, order, back };
}

function checkReferences({ flow, nodes, graph, has, fault }: Document) {
  const no = (what: string, name: string) =>
    `names "${name.slice(0, 64)}": there is no such ${what}`;
  const node = (path: Path, name: string) => {
    if (!has("nodes", name)) fault(path, no("node", name));
  };
  if (flow.start !== "") node(["start"], flow.start);
  if (flow.operator !== undefined) node(["operator"], flow.operator);
  for (const ways of graph.ways.values()) {
    for (const { outcome, to, at } of ways) if (outcome !== "operator") node(at, to);
  }
  flow.tests?.forEach(({ expect: { path = [], ends_in } }, at) => {
    path.forEach((name, nth) => node(["tests", at, "expect", "path", nth], name));
    if (ends_in !== undefined) node(["tests", at, "expect", "ends_in"], ends_in);
  });
  for (const [name, { calendar }] of Object.entries(flow.groups ?? {})) {
    if (calendar !== undefined && !has("calendars", calendar)) {
      fault(["groups", name, "calendar"], no("calendar", calendar));
    }
  }
  const text = flow.missed_call?.sms;
  if (text !== undefined && !has("prompts", text)) {
    fault(["missed_call", "sms"], no("prompt", text));
  }
  const sections = { prompt: "prompts", calendar: "calendars", group: "groups", agent: "agents" };
  for (const [id, value] of Object.entries(nodes)) {
    for (const [field, section] of Object.entries(sections)) {
      const name = own(value as Record<string, unknown>, field);
      if (typeof name === "string" && !has(section as "prompts", name)) {
        fault(["nodes", id, field], no(field, name));
      }
    }
  }
}

function checkReachable({ flow, graph, has, fault }: Document) {
  if (!has("nodes", flow.start)) return;
  const reached = new Set(graph.order);
  for (const id of graph.ways.keys()) {
    if (!reached.has(id)) {
      fault(["nodes", id], "cannot be reached: no way from the start leads here");
    }
  }
}

function checkCycles({ graph, fault }: Document) {
  for (const { way, circle } of graph.back) {
    const named = circle.length <= 8 ? circle : [...circle.slice(0, 4), "...", ...circle.slice(-3)];
    fault(
      way.at,
      `leads back in a circle, ${
        [...named, way.to].join(" -> ")
      }: the call might never end. A menu asks again by its own tries`,
    );
  }
}

// --- words --------------------------------------------------------------------------------------------------

function checkLanguages({ flow, fault, warn }: Document) {
  const { languages, voices = {} } = flow;
  languages.forEach((language, at) => {
    if (languages.indexOf(language) !== at) fault(["languages", at], "is there twice");
    if (voiceOf(language) === undefined && own(voices, language) === undefined) {
      fault(["languages", at], `has no voice here: choose from ${LANGUAGES.join(", ")}`);
    }
  });
  for (const [language, voice] of Object.entries(voices)) {
    if (!speaks(voice, language)) {
      const example = voiceOf(language);
      fault(
        ["voices", language],
        `must be a voice of Twilio's that speaks ${language}${
          example === undefined ? "" : `, such as ${example}`
        }`,
      );
    } else if (!languages.includes(language)) {
      warn(["voices", language], "is the voice of a language that the flow does not have");
    }
  }
  const set = new Set<string>();
  for (const [id, node] of nodesOf(flow, "language")) {
    set.add(node.language);
    if (!languages.includes(node.language)) {
      fault(
        ["nodes", id, "language"],
        `must be one of the flow's languages: ${languages.join(", ")}`,
      );
    }
  }
  languages.slice(1).forEach((language, at) => {
    if (!set.has(language)) {
      warn(["languages", at + 1], "is never heard: no node of type language leads to it");
    }
  });
}

/** Characters that XML 1.0 cannot carry or that cannot be spoken. */
// deno-lint-ignore no-control-regex
const UNSPEAKABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufffe\uffff\p{Cs}\p{Co}]/u;

const TOO_LONG_TO_SAY =
  "is too long to be said at once: Twilio takes 3000 bytes, and 4500 where each sign beyond letters and digits of English counts three a byte";

/** Two parts of an SMS, where a letter beyond the common ones makes it the longer kind. */
const MOST_SMS_CHARACTERS = 320;

function checkPrompts({ flow, facts, fault, warn }: Document) {
  const text = flow.missed_call?.sms;
  for (const language of text === undefined ? [] : flow.languages) {
    const prompt = promptIn(flow, text!, language);
    const words = typeof prompt === "string" ? prompt : undefined;
    if (prompt !== undefined && (words === undefined || words.length > MOST_SMS_CHARACTERS)) {
      fault(
        ["missed_call", "sms"],
        `must name a prompt with a text of at most ${MOST_SMS_CHARACTERS} characters in ${language}`,
      );
    }
  }
  const used = new Set(
    [...Object.values(flow.nodes).map((node) => "prompt" in node ? node.prompt : undefined), text],
  );
  for (const [name, prompt] of Object.entries(flow.prompts)) {
    const hasOneAudio = typeof prompt.audio === "string";
    if (!used.has(name)) warn(["prompts", name], "is not used by any node");
    for (const language of flow.languages) {
      if (used.has(name) && promptIn(flow, name, language) === undefined) {
        fault(["prompts", name, language], `is missing: every prompt must be there in ${language}`);
      }
    }
    const languages = hasOneAudio ? [undefined] : Object.keys(prompt);
    for (const language of languages) {
      const path = ["prompts", name, ...(language === undefined ? [] : [language])];
      if (language !== undefined && !flow.languages.includes(language)) {
        warn(path, "is not one of the flow's languages");
      }
      const spoken = promptIn(flow, name, language ?? "")!;
      const text = typeof spoken === "string" ? spoken : spoken.text;
      if (text !== undefined && UNSPEAKABLE.test(text)) {
        fault(path, "must not hold control characters or broken characters");
      }
      if (text !== undefined && !isSayable(text)) fault(path, TOO_LONG_TO_SAY);
      if (text !== undefined && /<[a-z!/?]/i.test(text)) {
        fault(path, "must be plain text: markup such as <break> would be read aloud");
      }
      if (typeof spoken !== "string" && facts.audio?.has(spoken.audio) === false) {
        if (text === undefined) {
          fault([...path, "audio"], "is not stored: store the file by `task flow prompt FILE`");
        } else warn([...path, "audio"], "is not stored: callers hear the text");
      }
    }
  }
}

function checkMenus({ flow, fault, warn }: Document) {
  let phrases = 0;
  for (const [id, menu] of nodesOf(flow, "menu")) {
    const options = ["nodes", id, "options"];
    const keys = new Map<string, number>();
    /** By language and what is said, as speech is compared. */
    const chosenBy = new Map<string, number>();
    menu.options.forEach(({ key, words }, at) => {
      const before = key === undefined ? undefined : keys.get(key);
      if (before !== undefined) {
        fault([...options, at, "key"], `is the key of option ${before} as well: ${key}`);
      } else if (key !== undefined) keys.set(key, at);
      for (const { path, list, languages } of phrasesOf(words, flow.languages)) {
        const below = [...options, at, ...path];
        if (languages.some((language) => !flow.languages.includes(language))) {
          warn(below, "is not one of the flow's languages");
        }
        list.forEach((phrase, nth) => {
          phrases += languages.length;
          // Beyond the limit nothing is compared any more.
          if (phrases > LIMITS.allPhrases) return;
          const wrong = faultOfPhrase(phrase, languages, at, chosenBy);
          if (wrong !== undefined) fault([...below, nth], wrong);
        });
      }
    });
    for (const { option, message } of containedIn(chosenBy)) {
      fault([...options, option, "words"], message);
    }
    if (keys.size === 0) warn(options, "have no keys: who cannot speak aloud cannot choose");
    warnOfUnnamedKeys(id, menu, { flow, warn });
  }
  if (phrases > LIMITS.allPhrases) {
    fault(
      ["nodes"],
      `must hold at most ${LIMITS.allPhrases} phrases, counted in each language: they hold ${phrases}`,
    );
  }
}

/** The lists of an option's phrases, each with the languages that it is for. */
function phrasesOf(
  words: NodeOf<"menu">["options"][number]["words"],
  all: readonly string[],
): { path: Path; list: readonly string[]; languages: readonly string[] }[] {
  if (words === undefined) return [];
  if (Array.isArray(words)) return [{ path: ["words"], list: words, languages: all }];
  return Object.entries(words).map(([language, list]) => ({
    path: ["words", language],
    list,
    languages: [language],
  }));
}

/** Why a phrase cannot choose its option; one that can is noted. */
function faultOfPhrase(
  phrase: string,
  languages: readonly string[],
  option: number,
  chosenBy: Map<string, number>,
): string | undefined {
  const said = normaliseSpeech(phrase);
  if (said === "") return "has no letter or digit: nobody can say it";
  if (said.split(" ").length > LIMITS.phraseWords) {
    return `must have at most ${LIMITS.phraseWords} words: nobody says so much for a choice`;
  }
  if (languages.some((language) => !canNameChoice(said, language))) {
    return "is about recording, or a mere yes, no or please: it cannot name a choice";
  }
  const before = languages.map((language) => chosenBy.get(`${language} ${said}`))
    .find((other) => other !== undefined && other !== option);
  if (before !== undefined) {
    return `is said for option ${before} as well: nobody could choose either by it`;
  }
  for (const language of languages) chosenBy.set(`${language} ${said}`, option);
  return undefined;
}

/** Phrases that hold a phrase of another option: "car sales" says "sales" too, and so chooses neither. */
function containedIn(chosenBy: ReadonlyMap<string, number>) {
  const found = new Map<string, { option: number; message: string }>();
  for (const [name, option] of chosenBy) {
    const [language, ...words] = name.split(" ");
    for (let from = 0; from < words.length; from++) {
      for (let to = from + 1; to <= words.length; to++) {
        const part = words.slice(from, to).join(" ");
        const other = chosenBy.get(`${language} ${part}`);
        if (other === undefined || other === option) continue;
        const whole = words.join(" ");
        found.set(`${option} ${whole}`, {
          option,
          message:
            `hold "${whole}", which holds "${part}" of option ${other}: said, it chooses neither`,
        });
      }
    }
  }
  return found.values();
}

function warnOfUnnamedKeys(
  id: string,
  menu: NodeOf<"menu">,
  { flow, warn }: Pick<Document, "flow" | "warn">,
) {
  for (const language of flow.languages) {
    const prompt = promptIn(flow, menu.prompt, language);
    const names = wordsIn(language)?.keys;
    if (typeof prompt !== "string" || names === undefined) continue;
    const heard = normaliseSpeech(prompt);
    menu.options.forEach(({ key }, at) => {
      // A caller who presses 0 wants a person.
      if (
        key === undefined || key === "0" || own(names, key)?.some((name) => saysPhrase(heard, name))
      ) return;
      warn(["nodes", id, "options", at, "key"], `is not named by the prompt in ${language}`);
    });
  }
}

// --- recording ----------------------------------------------------------------------------------------------

/**
 * A conversation is recorded only after a consent node to whose words the caller agreed; a ring that is reached without one
 * is not recorded. A call is asked once. A message needs no consent, because leaving it is the caller's own act.
 */
function checkConsent({ flow, graph, fault, warn }: Document) {
  const askedAt = new Map<string, string | undefined>([[flow.start, undefined]]);
  const unasked = new Set([flow.start]);
  const consents = nodesOf(flow, "consent");
  for (const id of graph.order) {
    const node = own(flow.nodes, id);
    const asked = node?.type === "consent" ? id : askedAt.get(id);
    if (node?.type === "consent" && askedAt.get(id) !== undefined) {
      warn(["nodes", id], `is passed over where ${askedAt.get(id)} has asked before`);
    }
    for (const { to } of graph.ways.get(id) ?? []) {
      if (asked !== undefined) askedAt.set(to, asked);
      else if (!askedAt.has(to)) askedAt.set(to, undefined);
      if (unasked.has(id) && node?.type !== "consent") unasked.add(to);
    }
  }
  const conversations = graph.order.filter((id) =>
    ["ring", "queue", "agent"].includes(own(flow.nodes, id)?.type ?? "")
  );
  if (consents.length > 0) {
    for (const id of conversations.filter((id) => unasked.has(id))) {
      warn(["nodes", id], "can be reached without a consent node: such a call is not recorded");
    }
  } else {
    for (const [id] of nodesOf(flow, "agent")) {
      warn(
        ["nodes", id],
        "is reached without a consent node: what is said, and what it could not answer, is erased after the call",
      );
    }
  }
  for (const [id, node] of consents) {
    if (!conversations.some((each) => askedAt.get(each) === id)) {
      warn(["nodes", id], "asks about recording, and nothing behind it is recorded");
    }
    for (const menu of menusNext(flow, node.next)) {
      if (consentKey(flow, menu) === undefined) {
        fault(
          ["nodes", menu, "options"],
          `leave no digit free for the answer to ${id}, which is given with the menu's`,
        );
      }
    }
    for (const language of flow.languages) {
      const { words } = disclosureOf(flow, node, language, undefined);
      const prompt = node.prompt === undefined ? undefined : promptIn(flow, node.prompt, language);
      const alone = typeof prompt === "string" ? prompt : prompt?.text ?? "";
      // The binding sentence is said with it.
      if (isSayable(alone) && !isSayable(words)) fault(["nodes", id, "prompt"], TOO_LONG_TO_SAY);
    }
    for (const language of flow.languages.filter((each) => wordsIn(each) === undefined)) {
      checkKeyOnly(id, node, language, { flow, fault, warn });
    }
  }
}

/** In a language without a binding sentence of ours, the owner's words must say which key answers. */
function checkKeyOnly(
  id: string,
  { prompt, policy, next }: NodeOf<"consent">,
  language: string,
  { flow, fault, warn }: Pick<Document, "flow" | "fault" | "warn">,
) {
  const spoken = prompt === undefined ? "" : promptIn(flow, prompt, language);
  const text = typeof spoken === "string" ? spoken : spoken?.text;
  const menus = menusNext(flow, next);
  const keys = menus.length === 0 ? ["3"] : menus.map((menu) => consentKey(flow, menu));
  for (const key of new Set(keys)) {
    if (key === undefined || new RegExp(`(?<!\\d)${key}(?!\\d)`).test(text ?? "")) continue;
    const tell = text === undefined ? warn : fault;
    tell(
      prompt === undefined ? ["nodes", id, "prompt"] : ["prompts", prompt, language],
      `must say that key ${key}, written as a digit, ${
        policy === "opt_in" ? "agrees to" : "refuses"
      } recording: in ${language} there is no sentence of ours that does`,
    );
  }
}

// --- time and people ----------------------------------------------------------------------------------------

function checkZone({ flow, fault }: Document) {
  if (flow.zone !== "" && !isTimeZone(flow.zone)) {
    fault(["zone"], "must be a time zone such as America/Edmonton");
  }
}

/** Whether this runtime knows the time zone. PostgreSQL has the last word: see call-flows. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function checkCalendars({ flow, fault, warn }: Document) {
  flow.tests?.forEach(({ at }, nth) => {
    if (at !== undefined && !isRealTime(at)) {
      fault(["tests", nth, "at"], "must be a date and time that exist, such as 2026-12-25T10:00");
    }
  });
  for (const [name, { weekly, dates = {} }] of Object.entries(flow.calendars ?? {})) {
    for (const [day, periods] of Object.entries(weekly)) {
      checkPeriods(["calendars", name, "weekly", day], periods);
    }
    for (const [date, periods] of Object.entries(dates)) {
      const path = ["calendars", name, "dates", date];
      if (!isRealTime(`${date}T00:00`)) {
        fault(path, "must be a date that exists, such as 2026-12-25");
      }
      checkPeriods(path, periods);
    }
    const all = [...Object.values(weekly), ...Object.values(dates)];
    if (all.every((periods) => periods.length === 0)) {
      warn(["calendars", name], "is never open");
    }
  }

  function checkPeriods(path: Path, periods: readonly (readonly [string, string])[]) {
    periods.forEach(([from, to], at) => {
      if (from >= to) {
        fault(
          [...path, at],
          from === to
            ? "must end after it begins"
            : `must end after it begins: hours past midnight are two periods, ["${from}", "24:00"] and on the next day ["00:00", "${to}"]`,
        );
      }
      const before = periods[at - 1];
      if (before !== undefined && from < before[1]) {
        fault(
          [...path, at],
          from < before[0]
            ? "must come before the period that is listed before it"
            : "must begin when the period before it has ended",
        );
      }
    });
  }
}

/** Whether a date and time, as `2026-12-25T10:00`, is on the calendar; the 30th of February is not. */
export function isRealTime(at: string): boolean {
  const time = new Date(`${at}Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(at);
}

function checkPeople({ flow, facts, fault, warn }: Document) {
  const codes = new Map<string, string>();
  for (const [name, { code }] of Object.entries(flow.groups ?? {})) {
    const other = code === undefined ? undefined : codes.get(code);
    if (other !== undefined) fault(["groups", name, "code"], `is the code of ${other} as well`);
    else if (code !== undefined) codes.set(code, name);
  }
  const number = (path: Path, value: string) => {
    if (dialable(value, facts.destinations) === undefined) {
      fault(path, "must be a number that ALLOWED_DESTINATIONS lets the system dial");
    } else if (facts.ownLines?.has(value)) {
      fault(path, "must not be a line that is answered here: the call would come back");
    }
  };
  for (const [id, { to }] of nodesOf(flow, "ring")) {
    if (to !== undefined) number(["nodes", id, "to"], to);
  }
  if (facts.dials === false) {
    for (const [id, node] of Object.entries(flow.nodes)) {
      const lost = node.type === "callback"
        ? "no call back is promised, and `refused` is taken"
        : node.type === "queue" || (node.type === "ring" && ringsAllToAccept(groupOf(flow, node)))
        ? `no telephone rings, and \`${
          node.type === "queue" ? "gave_up" : "unanswered"
        }\` is taken at once`
        : undefined;
      if (lost !== undefined) {
        warn(["nodes", id], `needs TWILIO_ACCOUNT_SID, which is not set: ${lost}`);
      }
    }
  }
  for (
    const [name, { members, ring = "all", confirm = false }] of Object.entries(flow.groups ?? {})
  ) {
    members.forEach((member, at) => {
      const path = ["groups", name, "members", at];
      if (members.indexOf(member) !== at) fault(path, "is in the group twice");
      if (member.startsWith("+")) number(path, member);
      else if (member in Object.prototype) fault(path, "cannot be a name: choose another");
      else if (facts.ownLines?.has(member)) {
        fault(path, "has a line for a telephone that is answered here: the call would come back");
      } else if (facts.people?.has(member) === false) {
        warn(path, `names "${member}": there is no such person yet, so that nobody is rung`);
      }
    });
    const isRung = nodesOf(flow, "ring").some(([, { group }]) => group === name);
    if (isRung && ring === "all" && members.length > 1 && !confirm) {
      warn(
        ["groups", name],
        "rings all at once without confirm: the first voicemail box that answers takes the call",
      );
    }
  }
}

function checkMatches({ flow, fault }: Document) {
  for (const [id, { on, cases }] of nodesOf(flow, "match")) {
    const seen = new Map<string, number>();
    cases.forEach(({ in: values }, at) =>
      values.forEach((value, nth) => {
        const path = ["nodes", id, "cases", at, "in", nth];
        if (on === "returning" && value !== "yes" && value !== "no") {
          fault(path, "must be yes or no");
        } else if (on !== "returning" && !isE164(value) && !/^\+[1-9]\d{0,13}\*$/.test(value)) {
          fault(
            path,
            "must be a number such as +15877428885, or how numbers begin, such as +1587*",
          );
        }
        const before = seen.get(value);
        if (before !== undefined) {
          fault(path, `is in case ${before} as well, which comes first`);
        } else seen.set(value, at);
      })
    );
  }
}

/** Longest talk that a flow may allow, in minutes, and its highest cost, in US dollars. */
const AGENT_MINUTES = 60;
const AGENT_COST_USD = 20;

function checkAgents({ flow, fault, warn }: Document) {
  const talks = nodesOf(flow, "agent");
  for (const [name, { models = [], tools = [], max_minutes, max_cost_usd }] of agentsOf(flow)) {
    const path = ["agents", name];
    models.forEach((model, at) => {
      if (modelNamed(model) === undefined) {
        fault(
          [...path, "models", at],
          "must be embedded, or a provider and its model, such as anthropic:claude-haiku-5-5 or openai:gpt-6-luna",
        );
      }
    });
    tools.forEach((tool, at) => {
      if (!(TOOLS as readonly string[]).includes(tool)) {
        fault([...path, "tools", at], `must be one of ${TOOLS.join(", ")}`);
      }
    });
    if (max_minutes !== undefined && !(max_minutes >= 1 && max_minutes <= AGENT_MINUTES)) {
      fault([...path, "max_minutes"], `must be from 1 to ${AGENT_MINUTES}`);
    }
    if (max_cost_usd !== undefined && !(max_cost_usd > 0 && max_cost_usd <= AGENT_COST_USD)) {
      fault([...path, "max_cost_usd"], `must be above 0 and at most ${AGENT_COST_USD}`);
    }
  }
  // The disclosure and what keeps a model within bounds exist in these.
  if (talks.length > 0) {
    flow.languages.forEach((language, at) => {
      if (!speaksAgent(language)) {
        fault(["languages", at], "agents speak English, French and Spanish");
      }
    });
  }
  for (const [id, { departments, agent }] of talks) {
    if (flow.operator === undefined && Object.keys(departments).length === 0) {
      warn(["nodes", id], "leads to no person: a caller who asks for one leaves a message");
    }
    const tools = own(flow.agents, agent)?.tools;
    if (tools !== undefined && !tools.includes("transfer") && Object.keys(departments).length > 0) {
      warn(["agents", agent, "tools"], "lacks transfer, without which no department is reached");
    }
  }
}

function agentsOf({ agents }: Flow) {
  return Object.entries(agents ?? {});
}

// --- other flows --------------------------------------------------------------------------------------------

function checkFlows({ flow, facts, fault, warn }: Document) {
  const { size = 0 } = facts.flows ?? {};
  if (size > LIMITS.flows) {
    fault(["nodes"], `must lead to at most ${LIMITS.flows} other flows: they lead to ${size}`);
  }
  for (const [id, { name }] of nodesOf(flow, "flow")) {
    const path = ["nodes", id, "name"];
    if (facts.flows === undefined) {
      warn(path, "leads to another flow, which was not looked at here");
      continue;
    }
    const other = facts.flows.get(name);
    if (name === facts.name) {
      fault(path, "leads back in a circle: it is this flow itself");
    } else if (other === undefined) {
      fault(path, `names "${name}": there is no such flow, or it was never published`);
    } else {
      if (facts.name !== undefined && leadsTo(other, facts.name, facts.flows)) {
        fault(path, `leads back in a circle: ${name} leads to ${facts.name} again`);
      }
      for (const language of flow.languages.filter((each) => !other.languages.includes(each))) {
        fault(path, `must have the flow's languages: ${name} does not speak ${language}`);
      }
    }
  }
}

/** Whether a flow goes on in the flow of that name, itself or through others. */
function leadsTo(flow: Flow, name: string, flows: ReadonlyMap<string, Flow>): boolean {
  const seen = new Set<Flow>();
  const waiting = [flow];
  for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
    if (seen.has(each)) continue;
    seen.add(each);
    for (const [, next] of nodesOf(each, "flow")) {
      if (next.name === name) return true;
      const other = flows.get(next.name);
      if (other !== undefined) waiting.push(other);
    }
  }
  return false;
}

// --- length and size ----------------------------------------------------------------------------------------

interface LongestWay {
  readonly seconds: number;
  readonly nodes: readonly string[];
}

/**
 * The way through a flow that takes longest, through the flows that it goes on in too; ways that lead back are left out.
 *
 * @param known Of the flows that were looked at, because many nodes may lead to one.
 */
function longestWay(
  flow: Flow,
  facts: CheckFacts,
  weigh: typeof secondsOf = secondsOf,
  known = new Map<Flow, LongestWay>(),
) {
  const before = known.get(flow);
  if (before !== undefined) return before;
  // One that leads back to it is a fault of its own.
  known.set(flow, { seconds: 0, nodes: [] });
  const { order, ways } = graphOf({ flow, nodes: flow.nodes });
  const longest = new Map<string, { seconds: number; next: string | undefined }>();
  for (const id of order.toReversed()) {
    const node = flow.nodes[id]!;
    let after = { seconds: 0, next: undefined as string | undefined };
    for (const { to } of ways.get(id) ?? []) {
      const seconds = longest.get(to)?.seconds ?? 0;
      if (seconds > after.seconds) after = { seconds, next: to };
    }
    const other = node.type === "flow" ? facts.flows?.get(node.name) : undefined;
    const there = other === undefined ? 0 : longestWay(other, facts, weigh, known).seconds;
    longest.set(id, {
      ...after,
      seconds: after.seconds + there + weigh(flow, node, facts.audio),
    });
  }
  const nodes: string[] = [];
  for (let id: string | undefined = flow.start; id !== undefined; id = longest.get(id)?.next) {
    nodes.push(id);
  }
  const way = { seconds: longest.get(flow.start)?.seconds ?? 0, nodes };
  known.set(flow, way);
  return way;
}

function checkLength({ flow, facts, fault }: Document) {
  const { seconds, nodes } = longestWay(
    flow,
    facts,
    (flow, node, audio) => node.type === "queue" ? 0 : secondsOf(flow, node, audio),
  );
  if (seconds <= LONGEST_SEC) return;
  const way = nodes.length <= 12 ? nodes : [...nodes.slice(0, 6), "...", ...nodes.slice(-5)];
  fault(
    ["start"],
    `can keep a caller for ${Math.ceil(seconds / 60)} minutes, on the way ${
      way.join(" -> ")
    }: at most ${LONGEST_SEC / 60} minutes are allowed`,
  );
}

function checkDocuments({ flow, graph, facts, fault }: Document) {
  const bytes = documentBytes(flow, graph, facts);
  for (const id of graph.order) {
    const { all, after } = bytes.get(id) ?? { all: 0, after: 0 };
    if (all > MOST_BYTES && after <= MOST_BYTES) {
      fault(
        ["nodes", id],
        "says too much without a pause: Twilio takes 64 kB at once, with all that follows up to the next question, ring or message",
      );
    }
  }
}

/** The outcomes of a ring or a queue with nobody to ring. */
const PASSED_BY = ["unanswered", "gave_up", "full"];

/** Bytes of the document that begins at each node. Instant nodes are spoken in one document with the node that they lead to. */
function documentBytes(
  flow: Flow,
  { order, ways }: Graph,
  facts: CheckFacts,
  known = new Map<Flow, number>(),
): ReadonlyMap<string, { readonly all: number; readonly after: number }> {
  known.set(flow, 0);
  const bytes = new Map<string, { all: number; after: number }>();
  for (const id of order.toReversed()) {
    const node = own(flow.nodes, id);
    if (node === undefined) continue;
    const other = node.type === "flow" ? facts.flows?.get(node.name) : undefined;
    if (other !== undefined && !known.has(other)) {
      documentBytes(other, graphOf({ flow: other, nodes: other.nodes }), facts, known);
    }
    const next = (ways.get(id) ?? []).filter(({ outcome }) =>
      isInstant(node) || node.type === "callback" || PASSED_BY.includes(outcome)
    ).map(({ to }) => bytes.get(to)?.all ?? 0);
    const after = other === undefined ? most(next) : known.get(other)!;
    // Where nobody can be rung, nothing is said of it.
    const isPassed = node.type === "ring" || node.type === "queue";
    const alone = bytesOf(flow, node);
    bytes.set(id, { all: isPassed ? Math.max(alone, after) : alone + after, after });
  }
  known.set(flow, bytes.get(flow.start)?.all ?? 0);
  return bytes;
}

// --- advice -------------------------------------------------------------------------------------------------

function checkUse({ flow, graph, warn }: Document) {
  const nodes = Object.values(flow.nodes);
  const uses = (field: string, name: string) =>
    [...nodes, ...field === "calendar" ? Object.values(flow.groups ?? {}) : []]
      .some((each) => own(each as Record<string, unknown>, field) === name);
  for (const [section, field] of [["calendars", "calendar"], ["groups", "group"]] as const) {
    for (const name of Object.keys(flow[section] ?? {})) {
      if (!uses(field, name)) warn([section, name], "is not used by any node");
    }
  }
  if (flow.operator !== undefined && operatorListens(flow).size === 0) {
    warn(["operator"], "is never asked for: no menu leaves key 0 free");
  }
  const rings = graph.order.some((id) =>
    ["ring", "queue"].includes(own(flow.nodes, id)?.type ?? "")
  );
  if (rings && nodesOf(flow, "hours").length === 0) {
    warn(["nodes"], "hold no hours: people are rung at night too");
  }
}

function nodesOf<Type extends NodeType>(
  flow: Flow,
  type: Type,
): (readonly [id: string, node: NodeOf<Type>])[] {
  return Object.entries(flow.nodes).filter((entry): entry is [string, NodeOf<Type>] =>
    entry[1].type === type
  );
}
