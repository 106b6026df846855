import type * as z from "zod/mini";
import { type Flow, isObject, own } from "./language.ts";
import { FLOW, LIMITS } from "./schema.ts";

// From what somebody sent to a flow document, or to every fault of its form. Pure.

/** One fault, or one piece of advice, in words for the flow's owner. */
export interface Issue {
  /** Where it is in the document: `nodes.main.options.0.next`; empty: the whole. */
  readonly path: string;
  readonly message: string;
}

export interface Parsed {
  /** The document; where there are issues, without the parts that are at fault. */
  readonly flow: Flow;
  readonly issues: readonly Issue[];
  /** Its nodes as they were sent, the faulty ones included. */
  readonly nodes: Readonly<Record<string, unknown>>;
  /** Whether it has such a part, faulty or not. */
  has(section: "prompts" | "calendars" | "groups" | "agents" | "nodes", name: string): boolean;
}

/** Reads a document of any shape; where it is none, or beyond `LIMITS`, there is no `flow`. */
export function parseFlow(
  definition: unknown,
): Parsed | { readonly flow?: undefined; readonly issues: readonly Issue[] } {
  const { beyond, traps } = boundsOf(definition);
  if (beyond !== undefined) return { issues: [toIssue(beyond)] };
  if (!isObject(definition)) return { issues: [issue([], "must be a JSON object")] };
  const parsed = FLOW.safeParse(definition);
  const isTrapped = ({ path }: Found) => traps.some((trap) => `${trap.path}` === `${path}`);
  const found = [
    ...traps,
    ...(parsed.error?.issues ?? []).flatMap((each) => issuesOf(each, definition))
      .filter((each) => !isTrapped(each)),
  ];
  const nodes = isObject(definition.nodes) ? definition.nodes : {};
  return {
    flow: parsed.success && found.length === 0 ? parsed.data : readable(definition, found),
    issues: found.map(toIssue),
    nodes: Object.fromEntries(Object.entries(nodes).filter(([id]) => !isTrap(id))),
    has(section, name) {
      const parts = definition[section];
      return isObject(parts) && Object.hasOwn(parts, name) && !isTrap(name);
    },
  };
}

/** Names that every JavaScript object has; looked up carelessly they find something that nobody wrote. */
function isTrap(name: string): boolean {
  return name in Object.prototype || name === "prototype";
}

/**
 * What is larger than `LIMITS` allow, and what bears a name that is none. Ends at the first limit that is passed, so
 * that the work is bounded whatever is sent.
 */
function boundsOf(definition: unknown): { readonly beyond?: Found; readonly traps: Found[] } {
  const traps: Found[] = [];
  const beyond = (path: Path, message: string) => ({ beyond: { path, message }, traps });
  if (isObject(definition) && isObject(definition.nodes)) {
    const { length } = Object.keys(definition.nodes);
    if (length > LIMITS.nodes) {
      return beyond(["nodes"], `must hold at most ${LIMITS.nodes} nodes: it has ${length}`);
    }
  }
  let characters = 0;
  const reached: { readonly value: unknown; readonly path: Path }[] = [
    { value: definition, path: [] },
  ];
  for (const { value, path } of reached) {
    if (typeof value === "string") characters += value.length;
    if (typeof value === "object" && value !== null) {
      if (path.length === LIMITS.depth) {
        return beyond(path.slice(0, 3), `must not be nested over ${LIMITS.depth} levels deep`);
      }
      const isList = Array.isArray(value);
      for (const key of isList ? value.keys() : Object.keys(value)) {
        characters += isList ? 0 : String(key).length;
        if (!isList && isTrap(String(key))) {
          traps.push({ path: [...path, key], message: "cannot be a name: choose another" });
        }
        reached.push({
          value: (value as Record<string | number, unknown>)[key],
          path: [...path, key],
        });
        if (reached.length > LIMITS.values) {
          return beyond([], `must hold at most ${LIMITS.values} values: it has more`);
        }
      }
    }
    if (characters > LIMITS.characters) {
      return beyond([], `must hold at most ${LIMITS.characters} characters: it has more`);
    }
  }
  return { traps };
}

// --- faults of form -----------------------------------------------------------------------------------------

type Path = readonly (string | number)[];
interface Found {
  readonly path: Path;
  readonly message: string;
}

/** A fault at a path; a name that is part of it is shown shortened. */
export function issue(path: Path, message: string): Issue {
  return { path: path.map((part) => String(part).slice(0, 64)).join("."), message };
}

const toIssue = ({ path, message }: Found) => issue(path, message);

function issuesOf(fault: z.core.$ZodIssue, definition: unknown, below: Path = []): Found[] {
  const path = [...below, ...fault.path as (string | number)[]];
  if (fault.code === "unrecognized_keys") {
    return fault.keys.map((key) => ({ path: [...path, key], message: "is not known here" }));
  }
  if (fault.code === "invalid_key") {
    return fault.issues.map(({ message }) => ({ path, message: `as a name ${message}` }));
  }
  if (fault.code === "invalid_union" && fault.errors.length > 0) {
    // The one that has the right kind of value tells what is wrong within it.
    const closest = fault.errors.find((each) => each.every(({ path }) => path.length > 0));
    if (closest !== undefined) return closest.flatMap((each) => issuesOf(each, definition, path));
  }
  const isMissing = valueAt(definition, path) === undefined;
  return [{ path, message: isMissing ? `is missing: it ${fault.message}` : fault.message }];
}

function valueAt(value: unknown, path: Path): unknown {
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) {
      return undefined;
    }
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** The document without the parts at fault, so that what is wrong between the others can be said as well. */
function readable(definition: Record<string, unknown>, found: readonly Found[]): Flow {
  const isEntry = ({ path: [section, , field, entry] }: Found) =>
    entry !== undefined &&
    (section === "calendars" || (section === "groups" && field === "members"));
  const faulty = new Set(
    found.filter((each) => !isEntry(each)).map(({ path }) => path.slice(0, 2).join(".")),
  );
  const whole = (section: string) => !faulty.has(section);
  const parts = (section: string): Record<string, unknown> => {
    const value = definition[section];
    if (!isObject(value) || !whole(section)) return {};
    return Object.fromEntries(
      Object.entries(value).filter(([name]) => !faulty.has(`${section}.${name}`)),
    );
  };
  const items = (section: string, inPlace?: unknown): unknown[] => {
    const value = definition[section];
    if (!Array.isArray(value) || !whole(section)) return [];
    return value.map((each, at) => faulty.has(`${section}.${at}`) ? inPlace : each)
      .filter((each) => each !== undefined);
  };
  const text = (section: string) => {
    const value = definition[section];
    return typeof value === "string" && whole(section) ? value : undefined;
  };
  /** A day of a calendar, or a member of a group, that is at fault takes no other with it. */
  const withoutEntries = (section: string): Record<string, unknown> => {
    const whole = structuredClone(parts(section)) as Record<string, Record<string, unknown>>;
    for (const { path } of found.filter((each) => isEntry(each) && each.path[0] === section)) {
      const [, name, field, entry] = path.map(String) as [string, string, string, string];
      const entries = own(own(whole, name), field);
      // The others keep their places.
      if (Array.isArray(entries)) entries[Number(entry)] = `-${entry}`;
      else if (isObject(entries)) delete entries[entry];
    }
    return whole;
  };
  // Each part is as the schema has it: the faulty ones are gone.
  return {
    schema: 1,
    zone: text("zone") ?? "",
    business: text("business"),
    languages: items("languages"),
    voices: parts("voices"),
    start: text("start") ?? "",
    prompts: parts("prompts"),
    calendars: withoutEntries("calendars"),
    groups: withoutEntries("groups"),
    agents: parts("agents"),
    operator: text("operator"),
    missed_call: Object.keys(parts("missed_call")).length > 0 ? parts("missed_call") : undefined,
    nodes: parts("nodes"),
    tests: items("tests", { name: "", expect: {} }),
  } as unknown as Flow;
}

/**
 * Whether JSON nests more than so many levels. To be asked before `JSON.parse`, which takes its time over a
 * megabyte of brackets.
 */
export function nestsDeeper(json: string, levels: number): boolean {
  let depth = 0;
  let isText = false;
  // Character by character: on a large document ten times as fast as a regular expression.
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (isText) {
      if (character === "\\") at++;
      else if (character === '"') isText = false;
    } else if (character === '"') {
      isText = true;
    } else if (character === "[" || character === "{") {
      if (++depth > levels) return true;
    } else if (character === "]" || character === "}") {
      depth--;
    }
  }
  return false;
}
