import type { Flow, FlowNode, Group, NodeOf, Spoken } from "./schema.ts";

// How a flow document is read. Pure, and apart from its schema: what answers a call need not load that.

export type {
  Calendar,
  Flow,
  FlowNode,
  FlowTest,
  Group,
  NodeOf,
  NodeType,
  Spoken,
} from "./schema.ts";

/** Defaults of a flow. */
export const DEFAULTS = {
  /** Seconds of silence that end one asking of a menu. */
  menuSeconds: 5,
  /** Seconds that a telephone rings. */
  ringSeconds: 20,
  /** Of a group. */
  ring: "all",
} as const;

/** What a `ring` or `queue` node rings; `undefined`: one number. */
export function groupOf(
  { groups }: Pick<Flow, "groups">,
  node: NodeOf<"ring"> | NodeOf<"queue">,
): Group | undefined {
  return node.group === undefined ? undefined : own<Group>(groups, node.group);
}

/**
 * Whether the members are rung at once while each has to accept by a key, as a ring of all with `confirm` does. Then the
 * caller holds: of several telephones that one `<Dial>` rings, the first mailbox that answers would end the ringing.
 */
export function ringsAllToAccept(group: Group | undefined): boolean {
  return group?.confirm === true && (group.ring ?? DEFAULTS.ring) === "all";
}

/** A `*` hears a menu again without using up one of its `tries`, so many times. */
export const MOST_REPEATS = 5;

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

/** What a node's call is for, in the owner's own words: "Prairie Dental", "front desk". */
export function whatFor(
  { business, nodes }: Pick<Flow, "business" | "nodes">,
  id: string | undefined,
): { readonly business: string | undefined; readonly department: string | undefined } {
  const node = id === undefined ? undefined : own<FlowNode>(nodes, id);
  const mode = node && "mode" in node ? node.mode : undefined;
  const group = node && "group" in node ? node.group : undefined;
  return { business, department: (mode ?? group)?.replaceAll("_", " ") };
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
function reachableFrom(flow: Pick<Flow, "nodes">, start: string): ReadonlySet<string> {
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
