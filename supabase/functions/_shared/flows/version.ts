import type { Switches } from "../calls/events.ts";
import type { Flow, Spoken } from "./language.ts";
import { hashOf } from "./hash.ts";

/** A version of a flow that answers calls. */
export interface Version {
  /** Its name in URLs: the beginning of its hash; for a built-in flow with `default-` before it. */
  readonly name: string;
  readonly flow: Flow;
  /** The versions of the flows that it goes on in, by their flows' names. */
  readonly uses?: ReadonlyMap<string, Version> | undefined;
  /** When its calendars open and close, computed by PostgreSQL, for use while the database is away. */
  readonly hours?: Readonly<Record<string, Switches>> | undefined;
}

/** Digits of a hash in a URL: 128 bits tell any two versions apart. */
const NAME_DIGITS = 32;

/** What URLs call a published version. */
export function versionName(hash: string): string {
  return hash.slice(0, NAME_DIGITS);
}

/** A built-in flow made from settings; flows of different settings have different names. */
export function builtIn(flow: Flow): Version {
  return { name: `default-${hashOf(flow).slice(0, 8)}`, flow };
}

/** Whether URLs call a flow so that is built in. */
export function isBuiltIn(name: string): boolean {
  return name.startsWith("default-");
}

/** A flow that speaks the text of prompts whose audio is missing. What has no text stays. */
export function withoutAudio(flow: Flow, missing: ReadonlySet<string>): Flow {
  if (missing.size === 0) return flow;
  const spoken = (prompt: Spoken): Spoken =>
    typeof prompt !== "string" && prompt.text !== undefined && missing.has(prompt.audio)
      ? prompt.text
      : prompt;
  const prompts = Object.entries(flow.prompts).map(([name, prompt]) => [
    name,
    typeof prompt.audio === "string"
      // One file for all languages has one text for all.
      ? Object.fromEntries(flow.languages.map((language) => [language, spoken(prompt as Spoken)]))
      : Object.fromEntries(
        Object.entries(prompt as Record<string, Spoken>).map(([key, each]) => [key, spoken(each)]),
      ),
  ]);
  return { ...flow, prompts: Object.fromEntries(prompts) };
}

/** What a calendar is at a time, as far as its switches tell. */
export function stateAt(hours: Switches | undefined, at: Date): "open" | "closed" | undefined {
  if (hours === undefined || at < new Date(hours.from) || at >= new Date(hours.until)) {
    return undefined;
  }
  const passed = hours.switches.filter((each) => new Date(each) <= at).length;
  return passed % 2 === 0 ? hours.state : hours.state === "open" ? "closed" : "open";
}
