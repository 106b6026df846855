import { AGENT_FLOW } from "../support/agent_flow.ts";
import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import fc from "fast-check";
import { type CheckFacts, checkFlow } from "../../supabase/functions/_shared/flows/check.ts";
import { disclosuresIn } from "../../supabase/functions/_shared/flows/disclosure.ts";
import { ACCEPT_SEC } from "../../supabase/functions/_shared/calls/person.ts";
import { phrase } from "../../supabase/functions/_shared/calls/words/mod.ts";
import { secondsOf, spokenSeconds } from "../../supabase/functions/_shared/flows/measure.ts";
import { LIMITS } from "../../supabase/functions/_shared/flows/schema.ts";
import { canonicalJson, hashOf } from "../../supabase/functions/_shared/flows/hash.ts";
import {
  type Issue,
  nestsDeeper,
  parseFlow,
} from "../../supabase/functions/_shared/flows/parse.ts";
import { cases } from "../support/cases.ts";
import { type Draft, FACTS, practice, soundFlow } from "../support/flows.ts";

function faultsOf(definition: unknown, facts: Partial<CheckFacts> = {}): readonly Issue[] {
  const checked = checkFlow(definition, { ...FACTS, ...facts });
  return checked.ok ? [] : checked.issues;
}

function warningsOf(definition: unknown, facts: Partial<CheckFacts> = {}): readonly Issue[] {
  const checked = checkFlow(definition, { ...FACTS, ...facts });
  return checked.ok ? checked.warnings : [];
}

Deno.test("a sound flow is told its hash, its nodes, its longest way and its drawing", () => {
  const checked = soundFlow(practice());
  assertMatch(checked.hash, /^[0-9a-f]{64}$/);
  assertEquals(checked.nodes, 9);
  assert(checked.longest_seconds > 200 && checked.longest_seconds < 900);
  assertMatch(checked.mermaid, /^flowchart TD\n/);
});

// --- one fault each -----------------------------------------------------------------------------------------

type Case = readonly [
  what: string,
  change: (flow: Draft) => void,
  path: string,
  message: RegExp,
  facts?: Partial<CheckFacts>,
];

const AUDIO = "0123456789abcdef".repeat(4);
const long = (count: number) => "word ".repeat(count).trim();

const FAULTS: readonly Case[] = [
  // Form.
  ["an unknown version", (f) => f.schema = 2, "schema", /must be 1/],
  ["a field that is not known", (f) => f.colour = "red", "colour", /not known/],
  ["a node's field that is not known", (f) => f.nodes.bye.nxt = "a", "nodes.bye.nxt", /not known/],
  [
    "a field that is missing",
    (f) => delete f.nodes.desk.answered,
    "nodes.desk.answered",
    /missing/,
  ],
  [
    "a type that is not known",
    (f) => f.nodes.bye.type = "hangup",
    "nodes.bye.type",
    /say, consent/,
  ],
  ["a name in capitals", (f) => f.prompts.Extra = {}, "prompts.Extra", /lower-case/],
  [
    "a name that begins with a digit",
    (f) => f.calendars["1a"] = { weekly: {} },
    "calendars.1a",
    /name/,
  ],
  [
    "a prompt that is no text",
    (f) => f.prompts.bye["en-US"] = 5,
    "prompts.bye.en-US",
    /must be text/,
  ],
  ["an empty prompt", (f) => f.prompts.bye["en-US"] = " ", "prompts.bye.en-US", /must be text/],
  [
    "a prompt that is too long to be said",
    (f) => f.prompts.bye["en-US"] = "x".repeat(3001),
    "prompts.bye.en-US",
    /3000 characters/,
  ],
  [
    "a prompt in other letters that is too long to be said",
    (f) => f.prompts.bye["fr-CA"] = "é".repeat(751),
    "prompts.bye.fr-CA",
    /too long to be said/,
  ],
  [
    "a disclosure that is too long to be said with its binding sentence",
    (f) => f.prompts.notice["en-US"] = "x".repeat(2999),
    "nodes.agree.prompt",
    /too long to be said/,
  ],
  [
    "a hash that is none",
    (f) => f.prompts.bye["en-US"] = { audio: "x" },
    "prompts.bye.en-US.audio",
    /hash/,
  ],
  ["a menu without options", (f) => f.nodes.main.options = [], "nodes.main.options", /1 to 12/],
  ["tries that are no number", (f) => f.nodes.main.tries = "2", "nodes.main.tries", /whole number/],
  [
    "an option that nobody can choose",
    (f) => f.nodes.main.options[0] = { next: "desk" },
    "nodes.main.options.0",
    /key, words/,
  ],
  [
    "a key that no telephone has",
    (f) => f.nodes.main.options[0].key = "A",
    "nodes.main.options.0.key",
    /0 to 9/,
  ],
  ["a ring without a target", (f) => delete f.nodes.desk.group, "nodes.desk", /either group or to/],
  ["a ring of two", (f) => f.nodes.desk.to = "+15877428885", "nodes.desk", /either group or to/],
  [
    "a test that expects nothing",
    (f) => f.tests = [{ name: "x", expect: {} }],
    "tests.0.expect",
    /expect something/,
  ],
  [
    "eleven members",
    (f) => f.groups.desk.members = Array.from({ length: 11 }, (_, at) => `m${at}`),
    "groups.desk.members",
    /1 to 10/,
  ],
  // Where edges lead.
  ["a start that is no node", (f) => f.start = "nowhere", "start", /no such node/],
  [
    "an edge to no node",
    (f) => f.nodes.main.options[0].next = "nowhere",
    "nodes.main.options.0.next",
    /"nowhere": there is no such node/,
  ],
  [
    "an edge to constructor",
    (f) => f.nodes.main.otherwise = "constructor",
    "nodes.main.otherwise",
    /no such node/,
  ],
  [
    "an edge to __proto__",
    (f) => f.nodes.main.otherwise = "__proto__",
    "nodes.main.otherwise",
    /no such node/,
  ],
  ["an operator that is no node", (f) => f.operator = "boss", "operator", /no such node/],
  ["an operator called constructor", (f) => f.operator = "constructor", "operator", /no such node/],
  [
    "a prompt called constructor",
    (f) => f.nodes.note.prompt = "constructor",
    "nodes.note.prompt",
    /no such prompt/,
  ],
  [
    "a prompt that is not there",
    (f) => f.nodes.note.prompt = "x",
    "nodes.note.prompt",
    /no such prompt/,
  ],
  [
    "a calendar that is not there",
    (f) => f.nodes.open.calendar = "toString",
    "nodes.open.calendar",
    /no such calendar/,
  ],
  [
    "a group that is not there",
    (f) => f.nodes.desk.group = "nobody",
    "nodes.desk.group",
    /no such group/,
  ],
  [
    "a test of a node that is not there",
    (f) => f.tests = [{ name: "x", expect: { path: ["main", "x"] } }],
    "tests.0.expect.path.1",
    /no such node/,
  ],
  [
    "a test that ends nowhere",
    (f) => f.tests = [{ name: "x", expect: { ends_in: "x" } }],
    "tests.0.expect.ends_in",
    /no such node/,
  ],
  [
    "a node that no way leads to",
    (f) => f.nodes.island = { type: "end" },
    "nodes.island",
    /cannot be reached/,
  ],
  [
    "a circle",
    (f) => f.nodes.note.next = "main",
    "nodes.note.next",
    /circle, main -> desk -> note -> main/,
  ],
  [
    "a node that leads to itself",
    (f) => f.nodes.note.next = "note",
    "nodes.note.next",
    /circle, note -> note/,
  ],
  // Words.
  [
    "a prompt that lacks a language",
    (f) => delete f.prompts.menu["fr-CA"],
    "prompts.menu.fr-CA",
    /is missing/,
  ],
  ["a language twice", (f) => f.languages.push("en-US"), "languages.2", /twice/],
  ["a language without a voice", (f) => f.languages.push("tlh-XX"), "languages.2", /no voice/],
  [
    "a voice that speaks another language",
    (f) => f.voices = { "fr-CA": "Polly.Joanna" },
    "voices.fr-CA",
    /Polly\.Chantal/,
  ],
  [
    "a change to a language that is not the flow's",
    (f) => f.nodes.fr.language = "es-US",
    "nodes.fr.language",
    /en-US, fr-CA/,
  ],
  [
    "markup",
    (f) => f.prompts.bye["en-US"] = "Bye <break time='9s'/>",
    "prompts.bye.en-US",
    /plain text/,
  ],
  [
    "an entity bomb",
    (f) => f.prompts.bye["en-US"] = '<!DOCTYPE a [<!ENTITY b "c">]>',
    "prompts.bye.en-US",
    /plain text/,
  ],
  [
    "a control character",
    (f) => f.prompts.bye["en-US"] = "Bye\u0000",
    "prompts.bye.en-US",
    /control/,
  ],
  ["half a character", (f) => f.prompts.bye["en-US"] = "Bye \ud800", "prompts.bye.en-US", /broken/],
  [
    "audio that is not stored",
    (f) => f.prompts.bye["en-US"] = { audio: AUDIO },
    "prompts.bye.en-US.audio",
    /not stored/,
    { audio: new Map() },
  ],
  [
    "audio for all languages that is not stored",
    (f) => f.prompts.bye = { audio: AUDIO },
    "prompts.bye.audio",
    /not stored/,
    { audio: new Map() },
  ],
  // Menus.
  ["a key twice", (f) => f.nodes.main.options[1].key = "1", "nodes.main.options.1.key", /option 0/],
  [
    "a phrase twice",
    (f) => f.nodes.main.options[1].words = ["Appointments!"],
    "nodes.main.options.1.words.0",
    /option 0/,
  ],
  [
    "a phrase within another's",
    (f) => f.nodes.main.options[1].words = ["cancel appointments"],
    "nodes.main.options.1.words",
    /holds "appointments" of option 0/,
  ],
  [
    "a phrase about recording",
    (f) => f.nodes.main.options[0].words = ["no recording"],
    "nodes.main.options.0.words.0",
    /about recording/,
  ],
  [
    "a mere yes",
    (f) => f.nodes.main.options[0].words = { "en-US": ["yes please"] },
    "nodes.main.options.0.words.en-US.0",
    /mere yes/,
  ],
  [
    "a phrase without a letter",
    (f) => f.nodes.main.options[0].words = ["?!"],
    "nodes.main.options.0.words.0",
    /nobody can say/,
  ],
  [
    "a phrase like a speech",
    (f) => f.nodes.main.options[0].words = [long(9)],
    "nodes.main.options.0.words.0",
    /8 words/,
  ],
  // Recording.
  [
    "a disclosure that names no key, in a language that has no sentence of ours",
    (f) => {
      f.languages.push("de-DE");
      for (const prompt of Object.values<Draft>(f.prompts)) prompt["de-DE"] = "Guten Tag, 13.";
    },
    "prompts.notice.de-DE",
    /key 3, written as a digit, agrees/,
  ],
  [
    "a disclosure without words, in a language that has no sentence of ours",
    (f) => {
      f.languages = ["de-DE"];
      delete f.nodes.fr;
      f.nodes.tongue.options.pop();
      f.nodes.en.language = "de-DE";
      for (const prompt of Object.values<Draft>(f.prompts)) prompt["de-DE"] = "Guten Tag. 3 4";
      delete f.nodes.agree.prompt;
    },
    "nodes.agree.prompt",
    /key 3, written as a digit, agrees/,
  ],
  [
    "a menu that leaves no key for consent",
    (f) => f.nodes.main.options = [..."0123456789"].map((key) => ({ key, next: "desk" })),
    "nodes.main.options",
    /no digit free/,
  ],
  // Time and people.
  ["a zone that is none", (f) => f.zone = "Alberta/Calgary", "zone", /America\/Edmonton/],
  [
    "a time that is none",
    (f) => f.calendars.practice.weekly.tue = [["8:00", "12:00"]],
    "calendars.practice.weekly.tue.0.0",
    /08:30/,
  ],
  [
    "a minute past the end of the day",
    (f) => f.calendars.practice.weekly.tue = [["08:00", "24:01"]],
    "calendars.practice.weekly.tue.0.1",
    /24:00/,
  ],
  [
    "hours past midnight",
    (f) => f.calendars.practice.weekly.fri = [["18:00", "02:00"]],
    "calendars.practice.weekly.fri.0",
    /\["18:00", "24:00"\] and on the next day \["00:00", "02:00"\]/,
  ],
  [
    "no time at all",
    (f) => f.calendars.practice.weekly.fri = [["18:00", "18:00"]],
    "calendars.practice.weekly.fri.0",
    /end after/,
  ],
  [
    "hours that overlap",
    (f) => f.calendars.practice.weekly.fri = [["08:00", "12:00"], ["11:00", "17:00"]],
    "calendars.practice.weekly.fri.1",
    /has ended/,
  ],
  [
    "hours out of order",
    (f) => f.calendars.practice.weekly.fri = [["13:00", "17:00"], ["08:00", "12:00"]],
    "calendars.practice.weekly.fri.1",
    /before/,
  ],
  [
    "a day of the week that is none",
    (f) => f.calendars.practice.weekly.monday = [],
    "calendars.practice.weekly.monday",
    /not known/,
  ],
  [
    "a date that does not exist",
    (f) => f.calendars.practice.dates["2026-02-30"] = [],
    "calendars.practice.dates.2026-02-30",
    /exists/,
  ],
  [
    "a test at a time that does not exist",
    (f) => f.tests = [{ name: "x", at: "2026-02-30T10:00", expect: { mode: "a" } }],
    "tests.0.at",
    /exist/,
  ],
  [
    "a test at an hour that does not exist",
    (f) => f.tests = [{ name: "x", at: "2026-02-28T24:30", expect: { mode: "a" } }],
    "tests.0.at",
    /exist/,
  ],
  [
    "a date in another form",
    (f) => f.calendars.practice.dates["25.12."] = [],
    "calendars.practice.dates.25.12.",
    /2026-12-25/,
  ],
  [
    "a member twice",
    (f) => f.groups.desk.members = ["anna", "anna"],
    "groups.desk.members.1",
    /twice/,
  ],
  [
    "a member called constructor",
    (f) => f.groups.desk.members[1] = "constructor",
    "groups.desk.members.1",
    /cannot be a name/,
  ],
  [
    "a premium number",
    (f) => f.groups.desk.members[1] = "+19005550123",
    "groups.desk.members.1",
    /ALLOWED_DESTINATIONS/,
  ],
  [
    "an emergency number",
    (f) => f.groups.desk.members[1] = "+911",
    "groups.desk.members.1",
    /ALLOWED_DESTINATIONS/,
  ],
  [
    "a number abroad",
    (f) => f.nodes.desk = { ...f.nodes.desk, group: undefined, to: "+442079460000" },
    "nodes.desk.to",
    /ALLOWED_DESTINATIONS/,
  ],
  [
    "a line of our own",
    (f) => f.groups.desk.members[1] = "+15877428885",
    "groups.desk.members.1",
    /come back/,
    { ownLines: new Set(["+15877428885"]) },
  ],
  // Matches.
  [
    "a match by a word",
    (f) => match(f, "caller", [["Anna"]]),
    "nodes.who.cases.0.in.0",
    /\+1587\*/,
  ],
  [
    "a match by a star alone",
    (f) => match(f, "line", [["*"]]),
    "nodes.who.cases.0.in.0",
    /\+1587\*/,
  ],
  [
    "a returning match by a number",
    (f) => match(f, "returning", [["+15877428885"]]),
    "nodes.who.cases.0.in.0",
    /yes or no/,
  ],
  [
    "a value in two cases",
    (f) => match(f, "caller", [["+1587*"], ["+1587*"]]),
    "nodes.who.cases.1.in.0",
    /case 0/,
  ],
  // Other flows.
  [
    "a flow that is not there",
    (f) => f.nodes.bye = { type: "flow", name: "night" },
    "nodes.bye.name",
    /no such flow/,
    { flows: new Map() },
  ],
  [
    "a flow called constructor",
    (f) => f.nodes.bye = { type: "flow", name: "constructor" },
    "nodes.bye.name",
    /no such flow/,
    { flows: new Map() },
  ],
  [
    "a flow that leads to itself",
    (f) => f.nodes.bye = { type: "flow", name: "day" },
    "nodes.bye.name",
    /itself/,
    { name: "day", flows: new Map() },
  ],
  // Groups, and what follows a missed call.
  [
    "a group with hours that are not there",
    (f) => f.groups.desk.calendar = "night",
    "groups.desk.calendar",
    /no such calendar/,
  ],
  [
    "a person whose telephone is a line of ours",
    () => {},
    "groups.desk.members.1",
    /has a line for a telephone/,
    { ownLines: new Set(["ben"]) },
  ],
  [
    "a code of letters",
    (f) => f.groups.desk.code = "12a",
    "groups.desk.code",
    /one to four digits/,
  ],
  [
    "a code twice",
    (f) => {
      f.groups.desk.code = "12";
      f.groups.more = { ...f.groups.desk };
    },
    "groups.more.code",
    /code of desk/,
  ],
  [
    "a text that is not there",
    (f) => f.missed_call = { sms: "sorry" },
    "missed_call.sms",
    /no such prompt/,
  ],
  [
    "a text that is only audio",
    (f) => {
      f.prompts.sorry = { audio: "a".repeat(64), text: "Sorry." };
      f.missed_call = { sms: "sorry" };
    },
    "missed_call.sms",
    /a text of at most 320 characters in en-US/,
  ],
  [
    "a text of 321 characters",
    (f) => {
      f.prompts.sorry = { "en-US": "s".repeat(321), "fr-CA": "Désolés." };
      f.missed_call = { sms: "sorry" };
    },
    "missed_call.sms",
    /in en-US/,
  ],
  [
    "a missed call that nothing follows",
    (f) => f.missed_call = {},
    "missed_call",
    /sms, mail or both/,
  ],
  [
    "a queue with a key that leads nowhere",
    (f) => f.nodes.desk = { ...queue(), key: "1" },
    "nodes.desk",
    /key and offer together/,
  ],
  [
    "a queue for a group that is not there",
    (f) => f.nodes.desk = { ...queue(), group: "none" },
    "nodes.desk.group",
    /no such group/,
  ],
  [
    "a call back that leads back",
    (f) => f.nodes.desk = { type: "callback", group: "desk", next: "main", refused: "note" },
    "nodes.desk.next",
    /circle/,
  ],
  [
    "an agent's model of no provider",
    (f) => talk(f, { models: ["gemini:flash"] }),
    "agents.clerk.models.0",
    /anthropic:claude/,
  ],
  [
    "an agent's unknown tool",
    (f) => talk(f, { tools: ["dial"] }),
    "agents.clerk.tools.0",
    /transfer/,
  ],
  [
    "an agent that talks for hours",
    (f) => talk(f, { max_minutes: 600 }),
    "agents.clerk.max_minutes",
    /60/,
  ],
  [
    "an agent without a cap",
    (f) => talk(f, { max_cost_usd: 0 }),
    "agents.clerk.max_cost_usd",
    /above 0/,
  ],
  [
    "an agent in a language without a disclosure",
    (f) => {
      talk(f);
      f.languages.push("de-DE");
    },
    "languages.2",
    /English, French and Spanish/,
  ],
  [
    "an agent that is not there",
    (f) => {
      talk(f);
      f.nodes.desk.agent = "ghost";
    },
    "nodes.desk.agent",
    /no such agent/,
  ],
  [
    "more than 20 other flows behind it",
    (f) => f.nodes.bye = { type: "flow", name: "f0" },
    "nodes",
    /at most 20 other flows/,
    { flows: new Map(Array.from({ length: 21 }, (_, n) => [`f${n}`, practice()])) },
  ],
  // Length and size.
  [
    "a way that takes too long",
    (f) => {
      f.prompts.menu = { "en-US": long(400), "fr-CA": long(400) };
      f.nodes.main.tries = 9;
    },
    "start",
    /minutes, on the way tongue -> en -> agree -> open -> main -> desk -> note -> bye/,
  ],
  [
    "more than Twilio takes at once",
    (f) => {
      f.prompts.bye = { "en-US": "é".repeat(2900), "fr-CA": "é".repeat(2900) };
      chain(f, 12);
    },
    "nodes.s2",
    /64 kB/,
  ],
];

function queue() {
  return {
    type: "queue",
    group: "desk",
    max_seconds: 300,
    answered: "bye",
    gave_up: "note",
    full: "note",
  };
}

/** An agent in place of the desk. */
function talk(flow: Draft, agent: Record<string, unknown> = {}) {
  flow.agents = { clerk: agent };
  flow.nodes.desk = {
    type: "agent",
    agent: "clerk",
    departments: {},
    message: "note",
    done: "bye",
    failed: "note",
  };
}

/** A match before the main menu. */
function match(flow: Draft, on: string, values: string[][]) {
  flow.nodes.open.open = "who";
  flow.nodes.who = {
    type: "match",
    on,
    cases: values.map((list) => ({ in: list, next: "main" })),
    otherwise: "main",
  };
}

/** Says the same so many times at the end. */
function chain(flow: Draft, times: number) {
  flow.nodes.note.next = "s0";
  for (let at = 0; at < times; at++) {
    const next = at + 1 === times ? "bye" : `s${at + 1}`;
    flow.nodes[`s${at}`] = { type: "say", prompt: "bye", next };
  }
}

for (const [what, change, path, message, facts] of FAULTS) {
  Deno.test(`a flow with ${what} is refused there, in words`, () => {
    const flow = practice();
    change(flow);
    const faults = faultsOf(flow, facts);
    const [fault] = faults.filter((each) => each.path === path);
    assert(fault !== undefined, `no fault at ${path}: ${JSON.stringify(faults)}`);
    assertMatch(fault!.message, message);
  });
}

Deno.test("a text that Twilio does not take at once is told where it becomes too long, not at each node before", () => {
  const flow = practice();
  flow.prompts.bye = { "en-US": "é".repeat(2900), "fr-CA": "é".repeat(2900) };
  chain(flow, 15);
  assertEquals(
    faultsOf(flow).map(({ path }) => path).filter((path) => path.startsWith("nodes")),
    ["nodes.s5"],
  );
});

Deno.test("an agent without a consent node before it is told what becomes of its words", () => {
  assertEquals(warningsOf(AGENT_FLOW).filter(({ message }) => /consent/.test(message)), [{
    path: "nodes.desk",
    message:
      "is reached without a consent node: what is said, and what it could not answer, is erased after the call",
  }]);
});

Deno.test("every fault is named at once: of form, of edges, of words, of people", () => {
  const flow = practice();
  flow.zone = 5;
  flow.nodes.bye = { type: "hangup" };
  flow.nodes.main.otherwise = "nowhere";
  flow.nodes.main.tries = 0;
  flow.nodes.island = { type: "end" };
  flow.prompts.menu["fr-CA"] = "";
  delete flow.prompts.notice["fr-CA"];
  flow.groups.desk.members.push("+911");
  flow.calendars.practice.weekly.tue = [["12:00", "08:00"]];
  assertEquals(
    faultsOf(flow).map(({ path }) => path).sort(),
    [
      "calendars.practice.weekly.tue.0",
      "groups.desk.members.2",
      "nodes.bye.type",
      "nodes.island",
      "nodes.main.otherwise",
      "nodes.main.tries",
      "prompts.menu.fr-CA",
      "prompts.notice.fr-CA",
      "zone",
    ],
  );
});

Deno.test("a day or a member at fault hides no other's fault", () => {
  const flow = practice();
  flow.calendars.practice.weekly.mon = [["8:00", "12:00"]];
  flow.calendars.practice.weekly.tue = [["12:00", "08:00"]];
  flow.calendars.practice.dates = { "12/25/2026": [], "2026-02-30": [] };
  flow.groups.desk.members = ["403-555-0110", "+447700900123", "anna", "anna", "x y"];
  assertEquals(faultsOf(flow).map(({ path }) => path).sort(), [
    "calendars.practice.dates.12/25/2026",
    "calendars.practice.dates.2026-02-30",
    "calendars.practice.weekly.mon.0.0",
    "calendars.practice.weekly.tue.0",
    "groups.desk.members.0",
    "groups.desk.members.1",
    "groups.desk.members.3",
    "groups.desk.members.4",
  ]);
});

Deno.test("a node with a fault of its own still leads where it says", () => {
  const flow = practice();
  flow.nodes.main.tries = "many";
  assertEquals(faultsOf(flow).map(({ path }) => path), ["nodes.main.tries"]);
});

// --- hostile documents --------------------------------------------------------------------------------------

for (const name of ["__proto__", "constructor"]) {
  Deno.test(`${name} is no name, wherever it stands`, () => {
    const section = (entry: string) => JSON.parse(`{"${name}": ${entry}}`);
    for (
      const [where, entry] of [
        ["nodes", '{"type": "end"}'],
        ["prompts", '{"en-US": "a"}'],
        ["calendars", '{"weekly": {}}'],
        ["groups", '{"members": ["a"]}'],
      ] as const
    ) {
      const flow = practice();
      flow[where] = Object.assign(section(entry), flow[where]);
      Object.defineProperty(flow[where], name, {
        value: JSON.parse(entry),
        enumerable: true,
        configurable: true,
        writable: true,
      });
      const faults = faultsOf(flow);
      assert(faults.some(({ path }) => path === `${where}.${name}`), JSON.stringify(faults));
    }
    const flow = JSON.parse(JSON.stringify(practice()).replace("{", `{"${name}": {"schema": 1}, `));
    assertEquals(faultsOf(flow).map(({ path }) => path), [name]);
    assertEquals(({} as Draft).schema, undefined);
  });
}

Deno.test("what is too large or too deep is refused by one fault, and not looked at", () => {
  /** Counts how often the document is read. */
  let reads = 0;
  const counted = (value: Draft): Draft =>
    typeof value !== "object" || value === null ? value : new Proxy(value, {
      get(target, key, receiver) {
        reads++;
        return counted(Reflect.get(target, key, receiver));
      },
    });
  const deep = JSON.parse(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`);
  const nested = (levels: number): Draft => levels === 0 ? 1 : { a: nested(levels - 1) };
  assertEquals(faultsOf({ ...practice(), agents: { desk: nested(LIMITS.depth - 2) } }), []);
  const nodes = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, at) => [`n${at}`, { type: "end" }]),
  );
  for (
    const [document, path] of [
      [{ ...practice(), nodes }, "nodes"],
      [{ ...practice(), tests: Array(500_000).fill(1) }, ""],
      [{ ...practice(), zone: "z".repeat(1_000_000) }, ""],
      [deep, "a.a.a"],
      [{ ...practice(), groups: deep }, "groups.a.a"],
      [{ ...practice(), agents: { desk: nested(LIMITS.depth - 1) } }, "agents.desk.a"],
    ] as const
  ) {
    reads = 0;
    const faults = parseFlow(counted(document)).issues;
    assertEquals(faults.map((fault) => fault.path), [path]);
    assert(reads <= 2 * LIMITS.values, `${reads} reads`);
  }
});

Deno.test("nesting is counted before JSON is parsed, brackets within texts left out", () => {
  assert(nestsDeeper("[".repeat(1_000_000), LIMITS.depth));
  assert(nestsDeeper(`{"a": ${"[".repeat(LIMITS.depth)}`, LIMITS.depth));
  assert(!nestsDeeper(JSON.stringify(practice()), LIMITS.depth));
  assert(!nestsDeeper(JSON.stringify(["[".repeat(99), '"[\\'.repeat(99)]), 1));
  assert(!nestsDeeper("[]".repeat(99), 1));
});

Deno.test("nothing that is sent makes the check throw", () => {
  fc.assert(fc.property(fc.json({ maxDepth: 6 }), (json) => {
    assertEquals(checkFlow(JSON.parse(json), FACTS).ok, false);
  }));
  // A sound flow with any value in any place.
  const paths: string[][] = [];
  const collect = (value: Draft, path: string[]) => {
    if (path.length > 0) paths.push(path);
    if (typeof value === "object" && value !== null) {
      for (const key of Object.keys(value)) collect(value[key], [...path, key]);
    }
  };
  collect(practice(), []);
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 2 }), (path, value) => {
      const flow = practice();
      let at = flow;
      for (const key of path.slice(0, -1)) at = at[key];
      at[path.at(-1)!] = JSON.parse(JSON.stringify(value));
      checkFlow(flow, FACTS);
    }),
    { numRuns: cases(500) },
  );
});

// --- what is sound ------------------------------------------------------------------------------------------

const SOUND: readonly Case[] = [
  [
    "a phrase of an option twice",
    (f) => f.nodes.main.options[0].words = ["appointments", "Appointments!", "my appointments"],
    "",
    /./,
  ],
  [
    "hours that end and begin at once",
    (f) => f.calendars.practice.weekly.fri = [["00:00", "12:00"], ["12:00", "24:00"]],
    "",
    /./,
  ],
  ["a star among its options", (f) => f.nodes.main.options[1].key = "*", "", /./],
  ["one audio file for all languages", (f) => f.prompts.bye = { audio: AUDIO }, "", /./, {
    audio: new Map([[AUDIO, 3]]),
  }],
  [
    "a missing file that has a text",
    (f) => f.prompts.bye["en-US"] = { audio: AUDIO, text: "Goodbye." },
    "",
    /./,
    { audio: new Map() },
  ],
  ["key 3 in the menu behind consent", (f) => f.nodes.main.options[1].key = "3", "", /./],
  [
    "text that only looks like markup",
    (f) => f.prompts.bye["en-US"] = 'Prices < 5 & > 3, "fair".',
    "",
    /./,
  ],
  [
    "a flow that another flow goes on in",
    (f) => f.nodes.bye = { type: "flow", name: "night" },
    "",
    /./,
    { name: "day", flows: new Map([["night", soundFlow(practice()).flow]]) },
  ],
  ["a 29th of February", (f) => f.calendars.practice.dates["2028-02-29"] = [], "", /./],
  [
    "no consent at all",
    (f) => {
      delete f.nodes.agree;
      f.nodes.en.next = f.nodes.fr.next = "open";
      delete f.prompts.notice;
    },
    "",
    /./,
  ],
];

for (const [what, change, , , facts] of SOUND) {
  Deno.test(`a flow with ${what} is sound`, () => {
    const flow = practice();
    change(flow);
    assertEquals(faultsOf(flow, facts), []);
  });
}

const WARNED: readonly Case[] = [
  [
    "a prompt that nobody hears",
    (f) => f.prompts.extra = { "en-US": "a" },
    "prompts.extra",
    /not used/,
  ],
  [
    "a calendar that nobody asks",
    (f) => f.calendars.night = { weekly: { mon: [["00:00", "01:00"]] } },
    "calendars.night",
    /not used/,
  ],
  [
    "a group that nobody rings",
    (f) => f.groups.night = { members: ["anna"] },
    "groups.night",
    /not used/,
  ],
  [
    "a calendar that never opens",
    (f) => f.calendars.practice = { weekly: {} },
    "calendars.practice",
    /never open/,
  ],
  [
    "no hours",
    (f) => {
      f.nodes.agree.next = "main";
      delete f.nodes.open;
      delete f.calendars;
    },
    "nodes",
    /at night/,
  ],
  [
    "telephones that ring at once without confirm",
    (f) => f.groups.desk = { members: ["anna", "ben"] },
    "groups.desk",
    /voicemail box/,
  ],
  [
    "callers held where no leg can be dialled",
    (f) => f.groups.desk = { members: ["anna", "ben"], confirm: true },
    "nodes.desk",
    /TWILIO_ACCOUNT_SID/,
    { dials: false },
  ],
  ["a person who is not there", () => {}, "groups.desk.members.1", /no such person/, {
    people: new Set(["anna"]),
  }],
  [
    "a key that the prompt does not name",
    (f) => f.nodes.main.options[0].key = "4",
    "nodes.main.options.0.key",
    /not named/,
  ],
  [
    "a menu for speech alone",
    (f) => {
      for (const option of f.nodes.main.options) delete option.key;
    },
    "nodes.main.options",
    /no keys/,
  ],
  [
    "a language that no way leads to",
    (f) => {
      f.languages.push("en-GB");
      for (const prompt of Object.values<Draft>(f.prompts)) prompt["en-GB"] = "a";
    },
    "languages.2",
    /never heard/,
  ],
  [
    "an operator whom nobody can ask for",
    (f) => {
      f.operator = "desk";
      f.nodes.tongue.options[0].key = "0";
      f.nodes.main.options[0].key = "0";
    },
    "operator",
    /key 0/,
  ],
  ["a ring beside the consent", (f) => f.nodes.en.next = "open", "nodes.desk", /not recorded/],
  [
    "a second consent on one way",
    (f) => {
      f.nodes.note.next = "again";
      f.nodes.again = { type: "consent", policy: "opt_out", prompt: "notice", next: "bye" };
    },
    "nodes.again",
    /where agree has asked/,
  ],
  [
    "a second consent on one of two ways",
    (f) => {
      f.nodes.en.next = "again";
      f.nodes.agree.next = "again";
      f.nodes.again = { type: "consent", policy: "opt_out", prompt: "notice", next: "open" };
    },
    "nodes.again",
    /where agree has asked/,
  ],
  [
    "a second consent on the other of two ways",
    (f) => {
      f.nodes.fr.next = "again";
      f.nodes.agree.next = "again";
      f.nodes.again = { type: "consent", policy: "opt_out", prompt: "notice", next: "open" };
    },
    "nodes.again",
    /where agree has asked/,
  ],
  [
    "consent to nothing",
    (f) => {
      f.nodes.main.options[0].next = "note";
      delete f.nodes.desk;
      delete f.groups;
      delete f.operator;
    },
    "nodes.agree",
    /nothing behind it/,
  ],
];

for (const [what, change, path, message, facts] of WARNED) {
  Deno.test(`a flow with ${what} is sound, and its owner is told`, () => {
    const flow = practice();
    change(flow);
    assertEquals(faultsOf(flow, facts), []);
    const warning = warningsOf(flow, facts).find((each) => each.path === path);
    assert(warning !== undefined, JSON.stringify(warningsOf(flow, facts)));
    assertMatch(warning!.message, message);
  });
}

Deno.test("a bilingual practice gives no cause for advice", () => {
  assertEquals(warningsOf(practice()), []);
});

Deno.test("flows that lead to each other are a circle, also by way of a third", () => {
  const leadingTo = (name: string) => {
    const flow = practice();
    flow.nodes.bye = { type: "flow", name };
    delete flow.prompts.bye;
    return flow;
  };
  const flows = new Map([["b", soundFlow(leadingTo("c")).flow], [
    "c",
    soundFlow(leadingTo("a")).flow,
  ]]);
  const [fault] = faultsOf(leadingTo("b"), { name: "a", flows });
  assertEquals(fault?.path, "nodes.bye.name");
  assertMatch(fault!.message, /circle/);
});

Deno.test("the longest way counts what follows in another flow, and recorded audio by its length", () => {
  const seconds = (definition: Draft, facts: Partial<CheckFacts> = {}) =>
    soundFlow(definition, facts).longest_seconds;
  const alone = seconds(practice());
  const flow = practice();
  flow.nodes.bye = { type: "flow", name: "night" };
  const together = seconds(flow, { flows: new Map([["night", soundFlow(practice()).flow]]) });
  assert(together > 1.9 * alone && together < 2 * alone, `${together} of ${alone}`);
  const played = practice();
  played.prompts.bye = { audio: AUDIO };
  const of = (length: number) => seconds(played, { audio: new Map([[AUDIO, length]]) });
  assertEquals(of(90) - of(30), 60);
});

Deno.test("flows in flows are measured to the last one, each once", () => {
  const call = (name: string) => ({ type: "flow", name });
  const flows = new Map([["f0", soundFlow(practice()).flow]]);
  const alone = soundFlow(practice()).longest_seconds;
  for (let at = 1; at <= 12; at++) {
    const flow = practice();
    flow.start = "fork";
    flow.prompts = { fork: flow.prompts.menu };
    const cases = Array.from(
      { length: 50 },
      (_, nth) => ({ in: [`+1${nth + 100}*`], next: `n${nth}` }),
    );
    delete flow.groups;
    delete flow.calendars;
    flow.nodes = {
      fork: { type: "match", on: "caller", cases, otherwise: "n0" },
      ...Object.fromEntries(cases.map(({ next }) => [next, call(`f${at - 1}`)])),
    };
    const { flow: parsed, longest_seconds } = soundFlow(flow, { flows });
    assertEquals(longest_seconds, alone);
    flows.set(`f${at}`, parsed);
  }
});

Deno.test("a flow is spoken in one document with the way to it", () => {
  // Six bytes each, as XML.
  const ands = { "en-US": "&".repeat(1500), "fr-CA": "&".repeat(1500) };
  const night = practice();
  night.prompts = { bye: ands };
  night.start = "s0";
  night.nodes = { bye: night.nodes.bye, note: {} };
  chain(night, 5);
  for (const part of ["groups", "calendars"]) delete night[part];
  delete night.nodes.note;
  const day = practice();
  day.prompts.bye = ands;
  chain(day, 1);
  day.nodes.s0.next = "on";
  day.nodes.on = { type: "flow", name: "night" };
  delete day.nodes.bye;
  day.nodes.desk.answered = "on";
  const flows = new Map([["night", soundFlow(night).flow]]);
  assertEquals(faultsOf(day, { flows }).map(({ path }) => path), ["nodes.s0"]);
});

Deno.test("a disclosure that many consent nodes and menus share is kept once in each language", () => {
  const flow = practice();
  const cases = (name: string) =>
    Array.from({ length: 30 }, (_, n) => ({ in: [`+1${n + 100}*`], next: `${name}${n}` }));
  flow.nodes.agree = {
    type: "match",
    on: "caller",
    cases: cases("agree"),
    otherwise: "agree0",
  };
  flow.nodes.who = { type: "match", on: "caller", cases: cases("main"), otherwise: "main" };
  const consent = { type: "consent", policy: "opt_in", prompt: "notice", next: "who" };
  for (let n = 0; n < 30; n++) {
    flow.nodes[`agree${n}`] = consent;
    flow.nodes[`main${n}`] = flow.nodes.main;
  }
  flow.nodes.main29 = {
    ...flow.nodes.main,
    options: [...flow.nodes.main.options, { key: "3", next: "open" }],
  };
  const told = [...disclosuresIn(soundFlow(flow).flow)];
  assertEquals(told.map(({ key, language }) => `${key} ${language}`), [
    "3 en-US",
    "3 fr-CA",
    "2 en-US",
    "2 fr-CA",
  ]);
});

Deno.test("what is longer on one way counts, not the sum of all", () => {
  const seconds = (flow: Draft) => soundFlow(flow).longest_seconds;
  const base = seconds(practice());
  const slower = practice();
  slower.groups.desk.seconds = 50;
  assertEquals(seconds(slower) - base, 2 * 30);
  // At once, when nobody has to press 1.
  slower.groups.desk = { members: ["anna", "ben"], ring: "all", seconds: 50 };
  assertEquals(seconds(slower) - base, 50 + 5 - 2 * (20 + 5 + 30));
});

Deno.test("a text takes as long as it is spoken slowly: by words, by characters, by digits", () => {
  assertEquals(spokenSeconds(""), 0);
  assertEquals(spokenSeconds("one two three four five six"), 3);
  // A number is read digit by digit.
  assertEquals(spokenSeconds("Call 403 555 0123"), 6);
  assertEquals(spokenSeconds("Donaudampfschifffahrtsgesellschaftskapitaen"), 4);
  assertEquals(spokenSeconds("お電話ありがとうございます"), 5);
});

Deno.test("a ring that confirms counts each member's two askings, in whatever language", () => {
  const secondsWith = (confirm: boolean) => {
    const draft = practice();
    draft.groups.desk = { ...draft.groups.desk, members: ["anna"], confirm };
    const { flow } = soundFlow(draft);
    return secondsOf(flow, flow.nodes["desk"]!);
  };
  const asking = secondsWith(true) - secondsWith(false);
  for (const language of ["en-US", "fr-CA", "es-US"]) {
    const words = [
      phrase(({ callFor }) => callFor("Prairie Dental ".repeat(4), "m".repeat(32)), language),
      phrase("accept", language),
    ].map(({ text }) => text).join(" ");
    const twice = 2 * (spokenSeconds(words) + ACCEPT_SEC);
    assert(twice <= asking, `${language}: ${twice} s`);
  }
});

// --- the hash -----------------------------------------------------------------------------------------------

Deno.test("a hash is of what a document says, not of how it is written", () => {
  assertEquals(
    canonicalJson({ b: [1, { d: "é", c: null }], a: true }),
    '{"a":true,"b":[1,{"c":null,"d":"é"}]}',
  );
  const reordered = Object.fromEntries(Object.entries(practice()).reverse());
  assertEquals(hashOf(reordered), hashOf(practice()));
  const other = practice();
  other.nodes.main.tries = 3;
  assert(hashOf(other) !== hashOf(practice()));
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const sent = JSON.parse(JSON.stringify(value));
    assertEquals(JSON.parse(canonicalJson(sent)), sent);
  }));
});

// --- the drawing --------------------------------------------------------------------------------------------

Deno.test("a drawing has every node and every edge, and nothing that Mermaid would act upon", () => {
  const flow = practice();
  flow.prompts.bye["en-US"] = 'Bye"] --> x; < script >alert(1) `%% ';
  flow.operator = "desk";
  const { mermaid } = soundFlow(flow);
  for (const id of Object.keys(flow.nodes)) assert(mermaid.includes(`  n_${id}`), id);
  assertMatch(mermaid, /n_main -->\|"1"\| n_desk/);
  assertMatch(mermaid, /n_main -->\|"0"\| n_desk/);
  assertMatch(mermaid, /n_open -->\|"closed"\| n_note/);
  const [line] = mermaid.split("\n").filter((each) => each.startsWith("  n_bye"));
  assertEquals(
    line?.replace(/#\d+;/g, "").replace(/ +/g, " "),
    ' n_bye(("bye: end<br>Bye -- x; script alert(1) "))',
  );
});
