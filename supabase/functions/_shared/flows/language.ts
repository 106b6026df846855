import * as z from "zod/mini";

// The language of call flows: what a flow document may hold. What must hold between its parts (edges lead somewhere,
// every path ends, prompts exist) is in check.ts. Pure.

/** What a flow may hold at most; a document beyond them is refused before its parts are looked at. */
export const LIMITS = {
  /** Characters of all texts and names together. */
  characters: 150_000,
  /** JSON values of any kind. */
  values: 6_000,
  /** Levels of nesting. */
  depth: 12,
  nodes: 300,
  languages: 8,
  options: 12,
  /** Phrases of one option in one language: twelve options stay below the 500 hints that a `<Gather>` takes. */
  phrases: 30,
  phraseWords: 8,
  /** Phrases of a whole flow, counted in each language. */
  allPhrases: 600,
  /** A `<Say>` of Twilio's takes 3000 with Polly's voices. Source: https://www.twilio.com/docs/api/errors/13521 */
  promptCharacters: 3000,
  tests: 100,
} as const;

/** What holds where a flow does not say. */
export const DEFAULTS = {
  /** Seconds of silence that end one asking of a menu. */
  menuSeconds: 5,
  /** Seconds that a telephone rings. */
  ringSeconds: 20,
  /** Of a group. */
  ring: "all",
} as const;

/** A `*` hears a menu again without using up one of its `tries`, so many times. */
export const MOST_REPEATS = 5;

/** The names of nodes, prompts, calendars, groups, people, agents and modes. */
export const ID = /^[a-z][a-z0-9_]{0,31}$/;

/** BCP 47, as far as Twilio's `<Say language>` uses it: `en-US`, `cmn-Hans-CN`. */
export const LANGUAGE = /^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$/;

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

const matching = (pattern: RegExp, message: string) =>
  z.string(message).check(z.regex(pattern, message));
const whole = (least: number, most: number) => {
  const message = `must be a whole number from ${least} to ${most}`;
  return z.int(message).check(z.gte(least, message), z.lte(most, message));
};
const text = (most: number) => {
  const message = `must be text of 1 to ${most} characters`;
  return z.string(message).check(z.regex(/\S/, message), z.maxLength(most, message));
};
const list = <T extends z.core.SomeType>(of: T, least: number, most: number) => {
  const message = `must be a list of ${least} to ${most}`;
  return z.array(of, message).check(z.minLength(least, message), z.maxLength(most, message));
};

const ID_MESSAGE =
  "must be a name of at most 32 lower-case letters, digits and underscores that begins with a letter";
const id = matching(ID, ID_MESSAGE);
const language = matching(LANGUAGE, "must be a language such as en-US or fr-CA");
/** The name of something else in the flow; check.ts says where there is no such thing. */
const reference = (what: string) => matching(/^[^]{1,64}$/, `must name a ${what}`);
const node = reference("node");
const prompt = reference("prompt");
const group = reference("group");
const e164 = matching(/^\+[1-9]\d{1,14}$/, "must be a phone number such as +15877428885");
const named = <T extends z.core.SomeType>(of: T) => z.record(id, of, "must be a JSON object");
const byLanguage = <T extends z.core.SomeType>(of: T) =>
  z.record(language, of, "must be a JSON object of texts by language");

// --- prompts ------------------------------------------------------------------------------------------------

const audio = z.strictObject({
  /** The SHA-256 of a file that `task flow prompt` stored, in hexadecimal. */
  audio: matching(
    /^[0-9a-f]{64}$/,
    "must be the hash that `task flow prompt FILE` printed: 64 digits and letters a to f",
  ),
  /** Spoken where the file is missing. */
  text: z.optional(text(LIMITS.promptCharacters)),
}, "must be an object with the field audio");
const spoken = z.union(
  [text(LIMITS.promptCharacters), audio],
  `must be text of 1 to ${LIMITS.promptCharacters} characters, or {"audio": "<hash>"}`,
);
const phrases = list(
  matching(/^[^]{1,100}$/, "must be a phrase of 1 to 100 characters"),
  1,
  LIMITS.phrases,
);

// --- calendars ----------------------------------------------------------------------------------------------

const time = matching(
  /^(([01]\d|2[0-3]):[0-5]\d|24:00)$/,
  "must be a time such as 08:30; 24:00 ends a day",
);
const periods = z.array(
  z.tuple([time, time], 'must be a period such as ["08:00", "17:00"]'),
  'must be a list of periods such as [["08:00", "17:00"]]; [] is closed all day',
).check(z.maxLength(12, "must hold at most 12 periods"));
const calendar = z.strictObject({
  weekly: z.partialRecord(
    z.enum(DAYS, `must be one of ${DAYS.join(", ")}`),
    periods,
    "must be a JSON object of periods by day",
  ),
  /** By date, in the flow's zone: a day that differs from its weekday. */
  dates: z.optional(
    z.record(matching(/^\d{4}-\d{2}-\d{2}$/, "must be a date such as 2026-12-25"), periods),
  ),
}, "must be a JSON object");

// --- groups, agents -----------------------------------------------------------------------------------------

const groupOfPeople = z.strictObject({
  /** Handles of `people`, or numbers. A `<Dial>` of Twilio's has room for ten. */
  members: list(
    matching(
      /^([a-z][a-z0-9_]{0,31}|\+[1-9]\d{1,14})$/,
      "must be a person's handle such as anna, or a phone number such as +15877428885",
    ),
    1,
    10,
  ),
  ring: z.optional(z.enum(["in_turn", "all", "rotate"], "must be in_turn, all or rotate")),
  /** How long one member's telephone rings. */
  seconds: z.optional(whole(5, 600)),
  /** Whether a member accepts the call by pressing 1, so that a voicemail box cannot. */
  confirm: z.optional(z.boolean("must be true or false")),
}, "must be a JSON object");

const agentSettings = z.looseObject({
  instructions: z.optional(text(20_000)),
  models: z.optional(z.array(text(200), "must be a list of models")),
  tools: z.optional(z.array(text(64), "must be a list of tools")),
  max_minutes: z.optional(z.number("must be a number of minutes")),
  max_cost_usd: z.optional(z.number("must be an amount in US dollars")),
}, "must be a JSON object");

// --- nodes --------------------------------------------------------------------------------------------------

const option = z.strictObject({
  key: z.optional(matching(/^[0-9*#]$/, "must be one of 0 to 9, * and #")),
  /** Phrases in any of the flow's languages, or those of each language. */
  words: z.optional(z.union(
    [phrases, byLanguage(phrases)],
    `must be a list of 1 to ${LIMITS.phrases} phrases, or one such list by language`,
  )),
  next: node,
}, "must be a JSON object").check(
  z.refine(
    (option) => option.key !== undefined || option.words !== undefined,
    "must have a key, words or both: no caller could choose it",
  ),
);

const matchCase = z.strictObject({ in: list(text(64), 1, 500), next: node });
const mode = z.optional(id);

/** What each type of node holds. */
const NODES = {
  say: z.strictObject({ type: z.literal("say"), prompt, next: node }),
  consent: z.strictObject({
    type: z.literal("consent"),
    policy: z.enum(["opt_out", "opt_in"], "must be opt_out or opt_in"),
    /** Heard before the language's own binding sentence, which no disclosure is without. */
    prompt: z.optional(prompt),
    next: node,
  }),
  menu: z.strictObject({
    type: z.literal("menu"),
    prompt,
    options: list(option, 1, LIMITS.options),
    /** All askings, the first included. */
    tries: whole(1, 10),
    /** Seconds of silence that end one asking. */
    seconds: z.optional(whole(1, 60)),
    otherwise: node,
  }),
  language: z.strictObject({ type: z.literal("language"), language, next: node }),
  hours: z.strictObject({
    type: z.literal("hours"),
    calendar: reference("calendar"),
    open: node,
    closed: node,
    /** Where the database cannot tell; by default as if open. */
    unknown: z.optional(node),
  }),
  match: z.strictObject({
    type: z.literal("match"),
    on: z.enum(["caller", "line", "returning"], "must be caller, line or returning"),
    cases: list(matchCase, 1, 50),
    otherwise: node,
  }),
  ring: z.strictObject({
    type: z.literal("ring"),
    group: z.optional(group),
    to: z.optional(e164),
    /** Heard once somebody is about to be rung, and only then: "Connecting you to sales." */
    prompt: z.optional(prompt),
    mode,
    answered: node,
    unanswered: node,
  }).check(
    z.refine(
      ({ group, to }) => (group === undefined) !== (to === undefined),
      "must have either group or to: whom it rings",
    ),
  ),
  queue: z.strictObject({
    type: z.literal("queue"),
    group,
    mode,
    prompt: z.optional(prompt),
    max_seconds: whole(10, 3600),
    key: z.optional(matching(/^[0-9*#]$/, "must be one of 0 to 9, * and #")),
    offer: z.optional(node),
    answered: node,
    gave_up: node,
    full: node,
  }).check(
    z.refine(
      ({ key, offer }) => (key === undefined) === (offer === undefined),
      "must have key and offer together: the key leads to the offer",
    ),
  ),
  callback: z.strictObject({ type: z.literal("callback"), group, next: node, refused: node }),
  voicemail: z.strictObject({
    type: z.literal("voicemail"),
    mailbox: z.optional(id),
    prompt,
    mode,
    next: node,
  }),
  agent: z.strictObject({
    type: z.literal("agent"),
    agent: reference("agent"),
    mode,
    departments: named(node),
    message: node,
    callback: z.optional(node),
    done: node,
    failed: node,
  }),
  flow: z.strictObject({ type: z.literal("flow"), name: text(64) }),
  end: z.strictObject({ type: z.literal("end"), prompt: z.optional(prompt) }),
} as const;

export type NodeType = keyof typeof NODES;
export const NODE_TYPES = Object.keys(NODES) as NodeType[];

/** The types that are in the language and that the interpreter does not run yet. */
export const NOT_YET: readonly NodeType[] = ["queue", "callback", "agent"];

const anyNode = z.discriminatedUnion(
  "type",
  Object.values(NODES) as unknown as readonly [typeof NODES["say"], ...typeof NODES[NodeType][]],
  `must be one of ${NODE_TYPES.join(", ")}`,
);

// --- tests, the whole ---------------------------------------------------------------------------------------

const oneOrMore = z.union([text(200), list(text(200), 0, 50)], "must be text, or a list of texts");
const flowTest = z.strictObject({
  name: text(200),
  /** What the caller presses, one key a question: a list, or `1,2`. */
  keys: z.optional(oneOrMore),
  /** What the caller says where no key is left, one answer a question. */
  say: z.optional(oneOrMore),
  /** Wall-clock time in the flow's zone; without it every calendar is open. */
  at: z.optional(
    matching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/, "must be a date and time such as 2026-12-25T10:00"),
  ),
  /** Whose call it is; for `match`. */
  caller: z.optional(e164),
  /** Whether no telephone that rings is answered. */
  no_answer: z.optional(z.boolean("must be true or false")),
  expect: z.strictObject({
    /** Nodes that the call enters in this order; others may lie between them. */
    path: z.optional(list(node, 1, 200)),
    mode,
    /** The last node, or the last before the `end`. */
    ends_in: z.optional(node),
  }, "must be a JSON object").check(
    z.refine(
      ({ path, mode, ends_in }) => [path, mode, ends_in].some((each) => each !== undefined),
      "must expect something: path, mode or ends_in",
    ),
  ),
}, "must be a JSON object");

const flow = z.strictObject({
  schema: z.literal(1, "must be 1, the version of the language"),
  /** An IANA time zone, such as America/Edmonton. */
  zone: matching(
    /^[A-Za-z][A-Za-z0-9_+\/-]{0,63}$/,
    "must be a time zone such as America/Edmonton",
  ),
  /** The first is the default. */
  languages: list(language, 1, LIMITS.languages),
  /** A voice of Twilio's by language. */
  voices: z.optional(byLanguage(text(64))),
  start: node,
  /** By name and language; audio may serve all languages. */
  prompts: named(
    z.union([audio, byLanguage(spoken)], "must be a JSON object of texts by language"),
  ),
  calendars: z.optional(named(calendar)),
  groups: z.optional(named(groupOfPeople)),
  agents: z.optional(named(agentSettings)),
  operator: z.optional(node),
  nodes: named(anyNode),
  tests: z.optional(list(flowTest, 0, LIMITS.tests)),
}, "must be a JSON object");

/** The schema of a flow document, version 1. */
export const FLOW = flow;

/** A flow document. Names in it come from outside: look them up by `own`, never by `[name]`. */
export type Flow = z.infer<typeof flow>;
export type FlowNode = Flow["nodes"][string];
export type NodeOf<Type extends NodeType> = Extract<FlowNode, { type: Type }>;
export type Calendar = z.infer<typeof calendar>;
export type Group = z.infer<typeof groupOfPeople>;
export type FlowTest = z.infer<typeof flowTest>;
/** What a prompt is in one language. */
export type Spoken = z.infer<typeof spoken>;

// --- reading a flow -----------------------------------------------------------------------------------------

/** A member of an object whose keys come from outside: `constructor` and `__proto__` are no members. */
export function own<T>(
  record: Readonly<Record<string, T>> | undefined,
  name: string,
): T | undefined {
  return isObject(record) && Object.hasOwn(record, name) ? record[name] : undefined;
}

/** What the prompt says in the language; `undefined` where the flow has no such prompt or translation. */
export function promptIn(
  { prompts }: Pick<Flow, "prompts">,
  name: string,
  language: string,
): Spoken | undefined {
  const prompt = own<Flow["prompts"][string]>(prompts, name);
  if (prompt === undefined || typeof prompt.audio === "string") return prompt as Spoken | undefined;
  return own(prompt as Record<string, Spoken>, language);
}

/** The phrases that choose an option in the language, as the flow has them. */
export function wordsOf(
  { words }: NodeOf<"menu">["options"][number],
  language: string,
): readonly string[] {
  return (Array.isArray(words) ? words : own(words, language)) ?? [];
}

/** Types whose part of a TwiML document is followed by that of the next node; the others wait for something first. */
const INSTANT = ["say", "consent", "language", "hours", "match", "flow"];

/** Whether the call goes on to the next node within one document. */
export function isInstant(node: FlowNode): boolean {
  return INSTANT.includes(node.type);
}

/** One way out of a node. */
export interface Edge {
  /** What happens on this way: `next`, `unanswered`, `options.0`, `departments.sales`. */
  readonly outcome: string;
  readonly to: string;
  /** Where the flow says so, below the node: `["options", 0, "next"]`. */
  readonly path: readonly (string | number)[];
}

const EDGES = [
  ...["next", "open", "closed", "unknown", "answered", "unanswered", "offer", "gave_up", "full"],
  ...["refused", "message", "callback", "done", "failed", "otherwise"],
];

/**
 * Every way out of a node that the flow writes out. Takes any JSON value, so that a node with a fault of its own
 * still leads where it says.
 */
export function edgesOf(node: unknown): readonly Edge[] {
  if (!isObject(node)) return [];
  const edges: Edge[] = [];
  const add = (outcome: string, to: unknown, path: Edge["path"]) => {
    if (typeof to === "string") edges.push({ outcome, to, path });
  };
  for (const field of ["options", "cases"]) {
    const items: unknown = own(node, field);
    if (!Array.isArray(items)) continue;
    items.forEach((item, at) =>
      add(`${field}.${at}`, isObject(item) ? own(item, "next") : undefined, [field, at, "next"])
    );
  }
  const departments = own(node, "departments");
  if (isObject(departments)) {
    for (const [name, to] of Object.entries(departments)) {
      add(`departments.${name}`, to, ["departments", name]);
    }
  }
  for (const field of EDGES) add(field, own(node, field), [field]);
  return edges;
}

/** The nodes that can be reached from one by the edges that are written out, itself included. */
export function reachableFrom(flow: Pick<Flow, "nodes">, start: string): ReadonlySet<string> {
  const reached = new Set<string>();
  const waiting = [start];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (reached.has(id) || !Object.hasOwn(flow.nodes, id)) continue;
    reached.add(id);
    for (const { to } of edgesOf(flow.nodes[id])) waiting.push(to);
  }
  return reached;
}

/**
 * The nodes at which key 0 leads to the operator: menus that have no key 0 of their own, and agents. Not those that
 * lie behind the operator, from where the caller would go round in a circle.
 */
export function operatorListens(flow: Pick<Flow, "nodes" | "operator">): ReadonlySet<string> {
  if (flow.operator === undefined) return new Set();
  const behind = reachableFrom(flow, flow.operator);
  return new Set(
    Object.entries(flow.nodes).filter(([id, node]) =>
      !behind.has(id) && (node.type === "agent" ||
        (node.type === "menu" && node.options.every(({ key }) => key !== "0")))
    ).map(([id]) => id),
  );
}

export function isObject<T>(value: T): value is T & Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
