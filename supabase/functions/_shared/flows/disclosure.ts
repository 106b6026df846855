import { createHash } from "node:crypto";
import { type Disclosed, disclosureName } from "../calls/consent.ts";
import type { SpokenDisclosure } from "../calls/events.ts";
import {
  edgesOf,
  type Flow,
  isInstant,
  type NodeOf,
  operatorListens,
  own,
  promptIn,
} from "./language.ts";
import { wordsIn } from "../calls/words/mod.ts";

// The disclosures of a flow's consent nodes. Pure.

/** The menus that the call may come to from a node without waiting for the caller before. */
export function menusNext(flow: Flow, from: string): readonly string[] {
  const menus = new Set<string>();
  const ways = new Set([from]);
  for (const id of ways) {
    const node = own(flow.nodes, id);
    if (node?.type === "menu") menus.add(id);
    else if (node !== undefined && isInstant(node)) {
      for (const { to } of edgesOf(node)) ways.add(to);
    }
  }
  return [...menus];
}

/** What is read out of a whole flow, once for each. */
function perFlow<T>(read: (flow: Flow) => T): (flow: Flow) => T {
  const known = new WeakMap<Flow, { readonly value: T }>();
  return (flow) => {
    const kept = known.get(flow) ?? { value: read(flow) };
    known.set(flow, kept);
    return kept.value;
  };
}

/** `operatorListens`, kept for each flow. */
export const listening = perFlow(operatorListens);

/** The key that answers a consent node beside a menu: 3, or the first digit that the menu leaves free. */
export function consentKey(flow: Flow, menu: string | undefined): string | undefined {
  const node = menu === undefined ? undefined : own(flow.nodes, menu);
  if (menu === undefined || node?.type !== "menu") return "3";
  const taken = new Set(node.options.map(({ key }) => key));
  if (listening(flow).has(menu)) taken.add("0");
  return [..."3124567890"].find((key) => !taken.has(key));
}

/** What the consent nodes of a flow may disclose, each once: a node that does, and the key that answers, by the menus next. */
const asked = perFlow((flow) => {
  const found = new Map<string, { readonly node: NodeOf<"consent">; readonly key: string }>();
  for (const node of Object.values(flow.nodes)) {
    if (node.type !== "consent") continue;
    for (const menu of [...menusNext(flow, node.next), undefined]) {
      const key = consentKey(flow, menu) ?? "3";
      const what = JSON.stringify([key, node.policy, node.prompt]);
      if (!found.has(what)) found.set(what, { node, key });
    }
  }
  return [...found.values()];
});

/** The keys about recording that the flow's disclosures name. */
export const consentKeys = perFlow((flow): ReadonlySet<string> => {
  const keys = new Set<string>();
  for (const node of Object.values(flow.nodes)) {
    if (node.type !== "consent") continue;
    const menus = menusNext(flow, node.next);
    for (const menu of menus.length === 0 ? [undefined] : menus) {
      keys.add(consentKey(flow, menu) ?? "3");
    }
  }
  return keys;
});

/** The disclosure of a consent node. */
export interface Disclosure {
  readonly disclosed: Disclosed;
  /** The whole text. */
  readonly words: string;
  /** The language's binding sentence; absent when we have none: then the owner's prompt names the key. */
  readonly binding: string | undefined;
}

/** @param menu The menu whose `<Gather>` hears the answer, if any. */
export function disclosureOf(
  flow: Flow,
  node: NodeOf<"consent">,
  language: string,
  menu: string | undefined,
): Disclosure {
  return disclosureBy(flow, node, language, consentKey(flow, menu) ?? "3");
}

function disclosureBy(
  flow: Flow,
  { policy, prompt }: NodeOf<"consent">,
  language: string,
  key: string,
): Disclosure {
  const binding = wordsIn(language)?.binding[policy](key);
  const spoken = prompt === undefined ? undefined : promptIn(flow, prompt, language);
  const said = typeof spoken === "object" ? spoken.text ?? `[${spoken.audio}]` : spoken;
  // Without a final stop the words would run into the binding sentence.
  const own = said !== undefined && binding !== undefined ? said.replace(/[^.!?\s]$/, "$&.") : said;
  const words = [own, binding].filter((text) => text !== undefined).join(" ");
  const fingerprint = createHash("sha256").update(words).digest("hex").slice(0, 32);
  return { disclosed: { policy, key, language, words: fingerprint }, words, binding };
}

/** A disclosure that a caller heard, with its words if the flow has them. */
export function spokenBy(
  flow: Flow,
  disclosed: Disclosed | undefined,
): SpokenDisclosure | undefined {
  if (disclosed === undefined) return undefined;
  const name = disclosureName(disclosed);
  for (const told of disclosuresIn(flow, [disclosed.language])) {
    if (told.name === name) return told;
  }
  return undefined;
}

/** All disclosures that callers of a flow may hear, each once. */
export function* disclosuresIn(
  flow: Flow,
  languages: readonly string[] = flow.languages,
): Generator<SpokenDisclosure> {
  for (const { node, key } of asked(flow)) {
    for (const language of languages) {
      const { disclosed, words } = disclosureBy(flow, node, language, key);
      yield { ...disclosed, name: disclosureName(disclosed), words };
    }
  }
}
