// The plan of the rooms, held against the module graph that Deno itself makes of the code: types are imports too.

import { assertEquals } from "@std/assert/equals.js";
import { assertGreater } from "@std/assert/greater.js";
import { fromFileUrl } from "@std/path/from_file_url.js";
import { FUNCTIONS } from "../supabase/functions/_shared/functions.ts";
import importMap from "../import_map.json" with { type: "json" };

const ROOT = new URL("../", import.meta.url).href;
const FLOOR = "supabase/functions/";
const SHARED = `${FLOOR}_shared/`;

/** By file, as a path from the root: the files and packages that it imports. */
type Graph = ReadonlyMap<string, readonly string[]>;

interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}${name}/`) : [`${folder}${name}`]
  );
}

/** One run for all: a file that imports each. */
async function readInfo(): Promise<Info> {
  const files = [FLOOR, "scripts/"].flatMap(filesBelow).filter((file) => file.endsWith(".ts"));
  const all = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(all, files.map((file) => `import "${ROOT}${file}";\n`).join(""));
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--config", "deno.json", "--node-modules-dir=manual", all],
    cwd: fromFileUrl(ROOT),
  }).output();
  await Deno.remove(all);
  assertEquals(success, true, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

function graphOf({ modules }: Info, kinds: readonly ("code" | "type")[]): Graph {
  const here = (specifier: string | undefined) =>
    specifier?.startsWith(ROOT) && !specifier.startsWith(`${ROOT}node_modules/`)
      ? specifier.slice(ROOT.length)
      : undefined;
  return new Map(modules.flatMap(({ specifier, dependencies = [] }) => {
    const file = here(specifier);
    if (file === undefined) return [];
    const imports = dependencies.flatMap((each) =>
      kinds.filter((kind) => each[kind] !== undefined)
        .map((kind) => here(each[kind]!.specifier) ?? each.specifier)
    );
    return [[file, [...new Set(imports)]]];
  }));
}

const info = await readInfo();
const graph = graphOf(info, ["code", "type"]);
/** What is there while the program runs. */
const running = graphOf(info, ["code"]);
const files = [...graph.keys()];

/** What lies on circles: left over when those without imports and those that nothing imports are taken away. */
function circlesOf(graph: Graph): string[] {
  const left = new Map([...graph].map(([from, to]) => [from, new Set(to)]));
  for (let before = -1; before !== left.size;) {
    before = left.size;
    const imported = new Set([...left.values()].flatMap((to) => [...to]));
    for (const [from, to] of left) {
      for (const each of to) if (!left.has(each)) to.delete(each);
      if (to.size === 0 || !imported.has(from)) left.delete(from);
    }
  }
  return [...left].map(([from, to]) => `${from} -> ${[...to].join(", ")}`);
}

/** A folder of `_shared` or of scripts, or a file that stands beside them; elsewhere `undefined`. */
function roomOf(file: string): string | undefined {
  return /^(supabase\/functions\/_shared|scripts)\/[^/]+/.exec(file)?.[0];
}

/** All that a file imports, and what that imports. */
function reachedFrom(start: readonly string[]): Set<string> {
  const reached = new Set(start);
  for (const file of reached) for (const each of graph.get(file) ?? []) reached.add(each);
  return reached;
}

Deno.test("the graph has every file, and what it imports", () => {
  assertGreater(files.filter((file) => file.startsWith(SHARED)).length, 80);
  assertGreater(files.filter((file) => file.startsWith("scripts/")).length, 80);
  assertEquals(graph.get(`${FLOOR}voice-route/index.ts`), [
    `${SHARED}deps.ts`,
    `${FLOOR}voice-route/handler.ts`,
  ]);
  // A type is an import too.
  assertEquals(graph.get(`${SHARED}log.ts`)!.includes(`${SHARED}settings.ts`), true);
});

Deno.test("a circle is found, and what only leads to one or away from one is not", () => {
  assertEquals(
    circlesOf(new Map([["a", ["b"]], ["b", ["c"]], ["c", ["b", "d"]], ["d", []]])),
    ["b -> c", "c -> b"],
  );
});

Deno.test("no file imports itself, over however many others", () => {
  assertEquals(circlesOf(graph), []);
});

Deno.test("rooms import each other one way", () => {
  const rooms = new Map<string, string[]>();
  for (const [file, imports] of graph) {
    const room = roomOf(file);
    if (room === undefined) continue;
    const others = imports.map(roomOf).filter((other) => other !== undefined && other !== room);
    rooms.set(room, [...rooms.get(room) ?? [], ...others as string[]]);
  }
  assertEquals(circlesOf(rooms), []);
});

Deno.test("a function imports its own folder and _shared, which imports no function", () => {
  for (const [file, imports] of graph) {
    if (!file.startsWith(FLOOR)) continue;
    const own = file.split("/").slice(0, 3).join("/") + "/";
    const others = imports.filter((each) =>
      each.startsWith(FLOOR) && !each.startsWith(own) && !each.startsWith(SHARED)
    );
    assertEquals(others, [], file);
  }
});

Deno.test("what is deployed imports nothing but itself and the packages of the import map", () => {
  const packages = Object.keys(importMap.imports);
  const deployed = files.filter((file) => file.startsWith(FLOOR));
  const foreign = [...reachedFrom(deployed)].filter((each) =>
    !each.startsWith(FLOOR) && !each.startsWith("node:") &&
    !packages.some((name) => each === name || (name.endsWith("/") && each.startsWith(name)))
  );
  assertEquals(foreign, []);
});

Deno.test("flows, calls and campaigns reach nothing that does I/O, types included", () => {
  const rooms = ["flows/", "calls/", "campaigns/"].map((room) => SHARED + room);
  // Each a function of its arguments: `settings.ts` reads whatever environment it is handed.
  const pure = new Set(
    [
      ...["agent/bounds", "agent/instructions", "agent/models/model", "agent/redact"],
      ...["agent/relay", "agent/session", "agent/speech", "agent/tools", "agent/words"],
      ...[
        "destinations",
        "errors",
        "functions",
        "holidays",
        "ip_allowlist",
        "phone",
        "settings",
        "text",
      ],
      "voices",
    ]
      .map((name) => `${SHARED}${name}.ts`),
  ).add(`${SHARED}csv.js`);
  const packages = ["zod/mini", "node:crypto", "node:net"];
  const own = files.filter((file) => rooms.some((room) => file.startsWith(room)));
  assertGreater(own.length, 10);
  const doors = [...reachedFrom(own)].filter((each) =>
    !own.includes(each) && !pure.has(each) && !packages.includes(each)
  );
  assertEquals(doors, []);
});

Deno.test("an index.ts wires: it imports what the function needs, and its handler", () => {
  const wiring = ["db/client.ts", "deps.ts", "log.ts", "runtime.ts", "settings.ts"]
    .map((file) => SHARED + file);
  for (const name of Object.values(FUNCTIONS).flat()) {
    const own = `${FLOOR}${name}/`;
    const imports = graph.get(`${own}index.ts`) ?? [];
    assertEquals(imports.includes(`${own}handler.ts`), true, name);
    assertEquals(imports.filter((each) => !each.startsWith(own) && !wiring.includes(each)), []);
  }
});

Deno.test("a handler is handed what does I/O: it makes no client, no mailer and no clock of its own", () => {
  const makers = ["db/client.ts", "mail/resend.ts", "runtime.ts"].map((file) => SHARED + file);
  for (const name of Object.values(FUNCTIONS).flat()) {
    const imports = running.get(`${FLOOR}${name}/handler.ts`) ?? [];
    assertGreater(imports.length, 0, name);
    assertEquals(imports.filter((each) => makers.includes(each)), [], name);
  }
});

Deno.test("the environment is read in one place", () => {
  const readers = files.filter((file) =>
    file.startsWith(FLOOR) && Deno.readTextFileSync(new URL(file, ROOT)).includes("Deno.env.get(")
  );
  assertEquals(readers, [`${SHARED}runtime.ts`]);
});
