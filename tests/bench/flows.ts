import fc from "fast-check";
import { ARRIVAL } from "../../supabase/functions/_shared/calls/state.ts";
import type { Dialable } from "../../supabase/functions/_shared/destinations.ts";
import { advance } from "../../supabase/functions/_shared/flows/advance.ts";
import { checkFlow } from "../../supabase/functions/_shared/flows/check.ts";
import type { Known } from "../../supabase/functions/_shared/flows/known.ts";
import { hashOf } from "../../supabase/functions/_shared/flows/hash.ts";
import { parseFlow } from "../../supabase/functions/_shared/flows/parse.ts";
import { versionName } from "../../supabase/functions/_shared/flows/version.ts";
import { draftVersion, walk } from "../../supabase/functions/_shared/flows/walk.ts";
import { createLines } from "../../supabase/functions/_shared/tenancy/lines.ts";
import { anyCaller, flowDocument } from "../support/flow_arbitrary.ts";
import { type Draft, FACTS } from "../support/flows.ts";
import type { Row } from "./report.ts";
import { percentile } from "./stats.ts";

/** What flows cost beside the database: checking, answering, keeping. */
export async function flows(
  { rounds, walks, published }: { rounds: number; walks: number; published: number },
): Promise<Row[]> {
  return [...checking(rounds), ...answering(rounds), ...await keeping(published), ...random(walks)];
}

/** A flow of 100 nodes in two languages: 33 menus, each with a ring and a voicemail behind it, and an end. */
function hundredNodes(salt = ""): Draft {
  const words = (text: string) => ({ "en-US": `${text} ${salt}`, "fr-CA": `${text} ${salt}` });
  const nodes: Draft = { bye: { type: "end" } };
  const prompts: Draft = { note: words("Please leave a message after the tone.") };
  for (let at = 0; at < 33; at++) {
    prompts[`menu_${at}`] = words("For the desk, press 1. For more, press 2.");
    nodes[`menu_${at}`] = {
      type: "menu",
      prompt: `menu_${at}`,
      options: [
        { key: "1", words: ["the desk"], next: `ring_${at}` },
        { key: "2", words: ["more choices"], next: at === 32 ? "bye" : `menu_${at + 1}` },
      ],
      tries: 1,
      seconds: 1,
      otherwise: `note_${at}`,
    };
    nodes[`ring_${at}`] = {
      type: "ring",
      group: "desk",
      mode: `desk_${at}`,
      answered: "bye",
      unanswered: `note_${at}`,
    };
    nodes[`note_${at}`] = { type: "voicemail", prompt: "note", next: "bye" };
  }
  return {
    schema: 1,
    zone: "America/Edmonton",
    languages: ["en-US", "fr-CA"],
    start: "menu_0",
    prompts,
    groups: { desk: { members: ["+14035550101"] } },
    nodes,
  };
}

/** Documents that are made to be slow, each within what a request may hold. */
function hostile(): Record<string, unknown> {
  const base = hundredNodes();
  const ids = Array.from({ length: 300 }, (_, at) => `n${at}`);
  const menus = (options: (at: number) => Draft[]) =>
    Object.fromEntries(
      ids.map((id, at) => [id, {
        type: "menu",
        prompt: "note",
        options: options(at),
        tries: 1,
        otherwise: ids[(at + 1) % ids.length],
      }]),
    );
  const to = (at: number, key: number) => ({ key: String(key), next: ids[(at * 7 + key) % 300] });
  return {
    "10,000 nodes": {
      ...base,
      nodes: Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`n${at}`, {}])),
    },
    "circles everywhere": { ...base, start: "n0", nodes: menus((at) => [to(at, 1), to(at, 2)]) },
    "every field wrong": { ...base, nodes: menus(() => [{}, {}, {}]) },
    "600 phrases": {
      ...base,
      nodes: Object.fromEntries(
        Object.entries<Draft>(base.nodes).map(([id, node], at) => [id, {
          ...node,
          ...(node.options && {
            options: [{
              next: "bye",
              words: Array.from({ length: 9 }, (_, nth) => `record a b c d e f ${at} ${nth}`),
            }],
          }),
        }]),
      ),
    },
    "a megabyte of text": { ...base, zone: "z".repeat(1_000_000) },
  };
}

function timed(times: number, run: () => void): Float64Array {
  run();
  return Float64Array.from({ length: times }, () => {
    const started = performance.now();
    run();
    return performance.now() - started;
  });
}

function checking(rounds: number): Row[] {
  const definition = hundredNodes();
  const size = JSON.stringify(definition).length / 1000;
  return [
    {
      measure: "parse of a flow of 100 nodes, p50",
      unit: "ms",
      ours: percentile(timed(rounds, () => void parseFlow(definition)), 0.5),
      note: `${size.toFixed(0)} kB`,
    },
    {
      measure: "parse and check of it, p50",
      unit: "ms",
      ours: percentile(timed(rounds, () => void checkFlow(definition, FACTS)), 0.5),
    },
    ...Object.entries(hostile()).map(([name, document]) => ({
      measure: `refusal of a hostile document: ${name}`,
      unit: "ms",
      ours: percentile(timed(5, () => void checkFlow(document, FACTS)), 0.5),
      aim: { most: 50 },
    })),
  ];
}

const KNOWN: Known = {
  now: new Date(),
  mode: undefined,
  consentGiven: false,
  caller: undefined,
  line: undefined,
  mayDial: (number) => number as Dialable,
  callerId: undefined,
  talkSec: 3600,
  audioUrl: (hash) => hash,
  callSid: "CA00000000000000000000000000000000",
};

function answering(rounds: number): Row[] {
  const { flow } = parseFlow(hundredNodes());
  const version = draftVersion(flow!);
  const state = { ...ARRIVAL, turn: 1, flow: version.name, node: "menu_9", language: "en-US" };
  const said = timed(
    rounds * 50,
    () => void advance(version, state, { speech: "the desk please" }, KNOWN),
  );
  const pressed = timed(rounds * 50, () => void advance(version, state, { digits: "1" }, KNOWN));
  return [
    ...([["a key", pressed], ["words", said]] as const).flatMap(([what, times]) => [
      {
        measure: `advance by ${what} in a flow of 100 nodes, p50`,
        unit: "ms",
        ours: percentile(times, 0.5),
        aim: { most: 0.1 },
      },
      { measure: `advance by ${what}, p99`, unit: "ms", ours: percentile(times, 0.99) },
    ]),
  ];
}

/** An isolate that serves one line after the other, each by a flow of 100 nodes of its own. */
async function keeping(published: number): Promise<Row[]> {
  const hashes = Array.from({ length: published }, (_, at) => hashOf({ at }));
  const byName = new Map(hashes.map((hash) => [versionName(hash), hash]));
  const lines = createLines({
    read(_account, name) {
      const hash = byName.get(versionName(name))!;
      const definition = hundredNodes(hash);
      return Promise.resolve({ hash, name: "a flow", version: 1, definition });
    },
    shipped: () => Promise.reject(new Error("There is no deploy.")),
    log() {},
  });
  const before = Deno.memoryUsage().heapUsed;
  const times = new Float64Array(hashes.length);
  for (const [at, hash] of hashes.entries()) {
    // deno-lint-ignore no-await-in-loop -- An isolate answers one webhook after the other.
    await lines.line(undefined, `+1587${at}`, undefined).version(versionName(hash));
    const started = performance.now();
    // deno-lint-ignore no-await-in-loop
    await lines.line(undefined, `+1587${at}`, undefined).version(versionName(hash));
    times[at] = performance.now() - started;
  }
  return [
    {
      measure: "look-up of a version that the isolate has, p50",
      unit: "ms",
      ours: percentile(times, 0.5),
    },
    {
      measure: `memory of an isolate that served ${published} flows of 100 nodes`,
      unit: "MB",
      ours: Math.max(0, Deno.memoryUsage().heapUsed - before) / 1e6,
      note: "heap before garbage is collected",
    },
  ];
}

/** Random callers of random flows: those who do not come to an end in time. */
function random(walks: number): Row[] {
  let failed = 0;
  let walked = 0;
  fc.assert(
    fc.property(flowDocument, anyCaller, (definition, caller) => {
      const checked = checkFlow(definition, FACTS);
      if (!checked.ok) return;
      walked++;
      try {
        const { seconds, path } = walk(draftVersion(checked.flow), caller);
        const ends = checked.flow.nodes[path.at(-1)!]?.type === "end";
        if (seconds > checked.longest_seconds || !ends) failed++;
      } catch {
        failed++;
      }
    }),
    { numRuns: walks },
  );
  return [{
    measure: `random callers of ${walked} random flows who do not come to an end in time`,
    unit: "",
    ours: failed,
    aim: { most: 0 },
  }];
}
