import fc from "fast-check";
import { edgesOf, operatorListens } from "../../supabase/functions/_shared/flows/language.ts";
import type { Caller } from "../../supabase/functions/_shared/flows/walk.ts";
import type { Draft } from "./flows.ts";

// Random flows that the check lets through, and random callers of them.

const LANGUAGES = ["en-US", "fr-CA", "es-US"];
/** Prompts of different lengths. */
const WORDS = [
  "Hello.",
  "Please choose.",
  "Thank you for calling. We are here for you. ".repeat(3),
];
/** No phrase holds another one, or says anything of recording. */
const PHRASES = ["sales", "billing", "winter tires", "pumpkin", "garden center", "oboe"];

const any = <T>(...values: T[]) => fc.constantFrom(...values);

/** How a node of each type is made; `to` draws a node that comes later. */
const node = (to: fc.Arbitrary<number>) =>
  fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({ type: any("say"), prompt: any("p0", "p1", "p2"), next: to }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        type: any("consent"),
        policy: any("opt_out", "opt_in"),
        prompt: any("p0", undefined),
        next: to,
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        type: any("menu"),
        prompt: any("p0", "p1", "p2"),
        options: fc.uniqueArray(
          fc.record({ key: any(..."0123456789*#"), words: fc.option(any(...PHRASES)), next: to }),
          { minLength: 1, maxLength: 5, selector: ({ key }) => key },
        ),
        tries: fc.integer({ min: 1, max: 3 }),
        seconds: any(undefined, 2, 8),
        otherwise: to,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ type: any("language"), language: any(...LANGUAGES), next: to }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        type: any("hours"),
        calendar: any("day"),
        open: to,
        closed: to,
        unknown: fc.option(to, { nil: undefined }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        type: any("match"),
        on: any("caller"),
        cases: fc.array(fc.record({ next: to }), { minLength: 1, maxLength: 2 }),
        otherwise: to,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: any("ring"),
        group: any("one", "turn", "all", "rotate", "confirm"),
        mode: any(undefined, "sales", "support"),
        prompt: any(undefined, "p0"),
        answered: to,
        unanswered: to,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: any("queue"),
        group: any("one", "rotate", "confirm"),
        mode: any(undefined, "support"),
        prompt: any(undefined, "p0", "p2"),
        max_seconds: any(10, 45, 300),
        key: any(undefined, "1", "#"),
        offer: to,
        answered: to,
        gave_up: to,
        full: to,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        type: any("callback"),
        group: any("one", "confirm"),
        next: to,
        refused: to,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        type: any("voicemail"),
        prompt: any("p0", "p1"),
        mode: any(undefined, "voicemail"),
        next: to,
      }),
    },
  );

/** A document that is sound but, at times, for its length: targets are drawn forward, so that no way leads back. */
export const flowDocument: fc.Arbitrary<Draft> = fc.record({
  nodes: fc.array(node(fc.nat({ max: 1_000 })), { minLength: 1, maxLength: 12 }),
  operator: fc.option(fc.nat({ max: 1_000 }), { nil: undefined }),
  end: any(undefined, "p1"),
  languages: fc.shuffledSubarray(LANGUAGES, { minLength: 1 }),
}).map(({ nodes, operator, end, languages }) => {
  /** The node that a drawn number means, seen from the node at `at`: a later one. */
  const later = (at: number, drawn: number) => `n${Math.min(nodes.length, at + 1 + drawn % 4)}`;
  const written = nodes.map((drawn, at) => write(drawn, at, later, languages));
  const all: Draft = Object.fromEntries(written.map((each, at) => [`n${at}`, each]));
  all[`n${nodes.length}`] = { type: "end", ...(end && { prompt: end }) };
  const draft: Draft = {
    schema: 1,
    zone: "America/Edmonton",
    languages,
    start: "n0",
    ...(operator !== undefined && { operator: `n${operator % (nodes.length + 1)}` }),
    prompts: Object.fromEntries(
      WORDS.map((text, at) => [
        `p${at}`,
        Object.fromEntries(languages.map((language) => [language, text])),
      ]),
    ),
    calendars: { day: { weekly: { mon: [["08:00", "17:00"]] } } },
    groups: {
      one: { members: ["+14035550101"] },
      turn: { members: ["+14035550101", "anna"], ring: "in_turn", seconds: 10 },
      all: { members: ["+14035550101", "+14035550102", "anna"], seconds: 15 },
      rotate: { members: ["ben", "anna", "+14035550102"], ring: "rotate", seconds: 5 },
      confirm: { members: ["ben", "+14035550103"], confirm: true, calendar: "day" },
    },
    nodes: all,
  };
  return withoutIslands(draft);
});

function write(
  drawn: Draft,
  at: number,
  later: (at: number, drawn: number) => string,
  languages: string[],
) {
  const node = JSON.parse(JSON.stringify(drawn));
  if (node.type === "queue" && node.key === undefined) delete node.offer;
  for (
    const field of [
      ...["next", "otherwise", "open", "closed", "unknown", "answered", "unanswered"],
      ...["offer", "gave_up", "full", "refused"],
    ]
  ) {
    if (typeof node[field] === "number") node[field] = later(at, node[field]);
  }
  const said = new Set<string>();
  for (const option of node.options ?? []) {
    option.next = later(at, option.next);
    if (option.words === null || said.has(option.words)) delete option.words;
    else {
      said.add(option.words);
      option.words = [option.words];
    }
  }
  node.cases?.forEach((each: Draft, nth: number) => {
    each.next = later(at, each.next);
    each.in = nth === 0 ? ["+14035550190"] : ["+1780*"];
  });
  if (node.type === "language" && !languages.includes(node.language)) node.language = languages[0];
  // A menu behind consent leaves a key free: five of twelve are taken at most.
  return node;
}

/** Without the nodes that no way leads to. An operator for whom nobody can ask goes as well. */
function withoutIslands(draft: Draft): Draft {
  const { nodes, start } = draft;
  const reached = new Set<string>([start]);
  for (const id of reached) {
    for (const { to } of edgesOf(nodes[id])) reached.add(to);
    if (operatorListens(draft).has(id)) reached.add(draft.operator);
  }
  if (draft.operator !== undefined && !reached.has(draft.operator)) {
    const { operator: _, ...rest } = draft;
    return withoutIslands(rest);
  }
  return {
    ...draft,
    nodes: Object.fromEntries(Object.entries(nodes).filter(([id]) => reached.has(id))),
  };
}

/** What callers say: choices, consent, refusals, and what nobody understands. */
const SAID = [
  ...PHRASES,
  ...["no recording", "I agree", "yes", "no", "oui", "sí", "one", "star", "repeat", "zero"],
  ...["I would like to buy winter tires, but don't record me", "", "?!", "blah blah"],
];

/** The facts of a call, in every mixture, and answers in plenty or none. */
export const anyCaller: fc.Arbitrary<Caller> = fc.record({
  keys: fc.array(any(..."0123456789*#"), { maxLength: 30 }),
  say: fc.array(fc.oneof(any(...SAID), fc.string()), { maxLength: 12 }),
  at: any(undefined, "2026-11-23T10:00", "2026-11-22T10:00"),
  caller: any(undefined, "+14035550190", "+17805550100", "+14165550100"),
  no_answer: fc.boolean(),
  people: any(undefined, "refuse"),
  withheld: fc.boolean(),
  silent: fc.boolean(),
});
