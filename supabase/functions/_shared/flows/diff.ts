import { type Flow, type FlowNode, isObject, type NodeOf, own } from "./language.ts";
import { canonicalJson } from "./hash.ts";

// The differences between two versions of a flow, in words. Pure.

/** One line a difference, in the order of the document; none: both behave alike. */
export function diffFlows(before: Flow, after: Flow): readonly string[] {
  const lines: string[] = [];
  const say = (line: string) => lines.push(line);
  for (const field of ["zone", "start", "operator"] as const) {
    changed(field, before[field], after[field], say);
  }
  lists("languages", before.languages, after.languages, say);
  changed("default language", before.languages[0], after.languages[0], say);
  sections(
    "voice of",
    before.voices,
    after.voices,
    say,
    (name, old, now) => changed(name, old, now, say),
  );
  sections(
    "prompt",
    before.prompts,
    after.prompts,
    say,
    (name, old, now) =>
      sections(
        `${name} in`,
        byLanguage(old),
        byLanguage(now),
        say,
        (each, was, is) => changed(each, was, is, say),
      ),
  );
  sections("calendar", before.calendars, after.calendars, say, (name, old, now) => {
    for (const part of ["weekly", "dates"] as const) {
      const days = new Set([...Object.keys(old[part] ?? {}), ...Object.keys(now[part] ?? {})]);
      for (const day of days) {
        const was = own<string[][]>(old[part] as Record<string, string[][]>, day);
        const is = own<string[][]>(now[part] as Record<string, string[][]>, day);
        changed(`${name}, ${day}`, hours(part, was), hours(part, is), say);
      }
    }
  });
  sections("group", before.groups, after.groups, say, (name, old, now) => {
    lists(`${name}, members`, old.members, now.members, say);
    if (equalAsSets(old.members, now.members)) {
      changed(`${name}, order`, old.members.join(", "), now.members.join(", "), say);
    }
    for (const field of ["ring", "seconds", "confirm"] as const) {
      changed(`${name}, ${field}`, old[field], now[field], say);
    }
  });
  sections(
    "agent",
    before.agents,
    after.agents,
    say,
    (name, old, now) => changed(name, old, now, say),
  );
  sections("node", before.nodes, after.nodes, say, (name, old, now) => nodes(name, old, now, say));
  if (canonicalJson(before.tests ?? []) !== canonicalJson(after.tests ?? [])) {
    say(
      `tests: ${after.tests?.length ?? 0} instead of ${before.tests?.length ?? 0}, or other ones`,
    );
  }
  return lines;
}

type Say = (line: string) => void;

function changed(what: string, before: unknown, after: unknown, say: Say) {
  if (shown(before) === shown(after)) return;
  say(`${what}: ${shown(after)} instead of ${shown(before)}`);
}

function shown(value: unknown): string {
  return value === undefined ? "none" : typeof value === "string" ? value : canonicalJson(value);
}

/** Names that are new, removed, and in both. */
function sections<T>(
  kind: string,
  before: Readonly<Record<string, T>> = {},
  after: Readonly<Record<string, T>> = {},
  say: Say,
  compare: (name: string, before: T, after: T) => void,
) {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const old = own(before, name);
    const now = own(after, name);
    if (old === undefined) say(`${kind} ${name} is new: ${briefly(now)}`);
    else if (now === undefined) say(`${kind} ${name} is gone`);
    else if (canonicalJson(old) !== canonicalJson(now)) compare(`${kind} ${name}`, old, now);
  }
}

function lists(what: string, before: readonly string[], after: readonly string[], say: Say) {
  const more = after.filter((each) => !before.includes(each));
  const less = before.filter((each) => !after.includes(each));
  if (more.length > 0) say(`${what}: ${more.join(", ")} added`);
  if (less.length > 0) say(`${what}: ${less.join(", ")} removed`);
}

function equalAsSets(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((each) => other.includes(each));
}

/** A prompt by language, or its one audio file for all of them. */
function byLanguage(prompt: Flow["prompts"][string]): Record<string, unknown> {
  return typeof prompt.audio === "string" ? { "all languages": prompt } : prompt;
}

function hours(part: "weekly" | "dates", periods: string[][] | undefined): string {
  if (periods === undefined) return part === "weekly" ? "closed" : "as its weekday";
  return periods.length === 0 ? "closed" : periods.map((period) => period.join(" to ")).join(", ");
}

function briefly(value: unknown): string {
  if (isObject(value) && typeof value.type === "string") return value.type;
  const text = shown(value);
  return text.length > 200 ? `${text.slice(0, 197)}...` : text;
}

// --- nodes --------------------------------------------------------------------------------------------------

function nodes(name: string, before: FlowNode, after: FlowNode, say: Say) {
  if (before.type !== after.type) return say(`${name}: ${after.type} instead of ${before.type}`);
  const old: Record<string, unknown> = before;
  const now: Record<string, unknown> = after;
  for (const field of new Set([...Object.keys(old), ...Object.keys(now)])) {
    if (field === "options") {
      options(name, before as NodeOf<"menu">, after as NodeOf<"menu">, say);
    } else changed(`${name}, ${field}`, old[field], now[field], say);
  }
}

/** Options are the same where their key is; without one, where their first words are. */
function options(name: string, before: NodeOf<"menu">, after: NodeOf<"menu">, say: Say) {
  const named = ({ options }: NodeOf<"menu">) =>
    Object.fromEntries(options.map((option) => {
      const [first] = words(option);
      return [option.key === undefined ? `"${first}"` : `key ${option.key}`, option] as const;
    }));
  sections(`${name},`, named(before), named(after), say, (option, old, now) => {
    changed(`${option} leads to`, old.next, now.next, say);
    lists(`${option}, words`, words(old), words(now), say);
  });
}

function words({ words = [] }: NodeOf<"menu">["options"][number]): string[] {
  return Array.isArray(words) ? words : Object.values(words).flat();
}
