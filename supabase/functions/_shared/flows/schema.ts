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
  /** Other flows that a flow leads to, directly or through another. An isolate reads each while a caller waits. */
  flows: 20,
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
  /** Whether a member who accepts a queued caller or a call back hears the caller's name and how often they called. */
  context: z.optional(z.boolean("must be true or false")),
  /** When its members work: outside, callers stop holding for it, and no promise to call back is kept. */
  calendar: z.optional(reference("calendar")),
  /** What a person keys after `*` to pass a caller on to the group; people have codes of their own. */
  code: z.optional(matching(/^[0-9]{1,4}$/, "must be one to four digits")),
}, "must be a JSON object");

const agentSettings = z.looseObject({
  /** Named in the disclosure. */
  business: z.optional(text(100)),
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
export const NODES = {
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
  /** What happens where key 1 accepts a call; by default a person presses it. */
  people: z.optional(
    z.enum(["accept", "refuse", "mailbox"], "must be accept, refuse or mailbox"),
  ),
  /** Whether the caller shows no number, so that no call back can be promised. */
  withheld: z.optional(z.boolean("must be true or false")),
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
  /** What its people hear of a call that rings: "Call for Prairie Dental". */
  business: z.optional(text(60)),
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
  /** What follows a call that nobody answered, and that left no message. */
  missed_call: z.optional(
    z.strictObject({
      /** The prompt whose text is sent to the caller by SMS. */
      sms: z.optional(prompt),
      /** Whether the operator gets a mail. */
      mail: z.optional(z.boolean("must be true or false")),
    }, "must be a JSON object").check(
      z.refine(
        ({ sms, mail }) => sms !== undefined || mail !== undefined,
        "must have sms, mail or both: nothing follows a missed call",
      ),
    ),
  ),
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
