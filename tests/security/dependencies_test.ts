// What comes from others: that it is what was reviewed, under which licence, and with which published weaknesses.

import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { join } from "@std/path/join.js";
import { SQUAWK, SUPABASE_CLI } from "../../scripts/deploy/commands.ts";
import { ROOT, serve } from "../../scripts/local/stack.ts";

/** Licences (SPDX) that ask for no more than that they are passed on. */
const PERMISSIVE = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "MIT-0",
  "Unlicense",
]);

/** Others, by package. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  // Its own changed files would have to be published. It runs in tests of the pages, unchanged, and is never deployed.
  "axe-core": "MPL-2.0",
  // The Python Software Foundation's, which asks for its notice. It comes with graphile-worker, the rival of a bench.
  argparse: "Python-2.0",
};

/** This processor, as packages name it. */
const CPU = Deno.build.arch === "x86_64" ? "x64" : "arm64";

/** What is wrong with a package's licence, from its package.json; undefined: nothing. */
function licenceFault(name: string, manifest: { license?: unknown }): string | undefined {
  const { license } = manifest;
  if (typeof license === "string") {
    if (PERMISSIVE.has(license) || EXCEPTIONS[name] === license) return undefined;
    return `${name} is under ${license}, which nobody has allowed`;
  }
  return `${name} does not say its licence`;
}

/** One entry of deno.lock's `npm`: the key is `name@version`, followed by `_` and its peers where it has any. */
interface Locked {
  readonly integrity?: string;
  /** The systems that it is for; absent: all. */
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
}

const lock: { npm: Record<string, Locked> } = JSON.parse(
  Deno.readTextFileSync(join(ROOT, "deno.lock")),
);
const packages = Object.entries(lock.npm).map(([key, locked]) => {
  const [, name, version] = /^(@?[^@]+)@([^_]+)/.exec(key)!;
  return { key, name: name!, version: version!, locked };
});

Deno.test("each package of deno.lock is held to the bytes that were reviewed", () => {
  assertEquals(packages.length > 20, true);
  for (const { key, locked } of packages) {
    assertMatch(locked.integrity ?? "(none)", /^sha512-[\w+/]{86}==$/, key);
  }
});

function* filesIn(path: string): Generator<string> {
  if (Deno.statSync(path).isFile) return yield path;
  for (const { name } of Deno.readDirSync(path)) yield* filesIn(join(path, name));
}

Deno.test("each program that npx fetches is of one exact version, wherever it is named", () => {
  const places = [".ci", ".github", "README.md", "deno.json", "docs", "scripts", "tests"];
  const named = new Set<string>();
  for (const path of places.flatMap((place) => [...filesIn(join(ROOT, place))])) {
    // A pattern that looks for one has its dots escaped.
    const text = Deno.readTextFileSync(path).replaceAll("\\.", ".");
    for (const [one] of text.matchAll(/(?<![\w/-])(deno|supabase|squawk-cli)@[\w.^~*-]+/g)) {
      named.add(one);
    }
  }
  const [hosted, own, ...others] = [...named].toSorted();
  // The hosted runtime, and what everything here is run by.
  assertEquals(hosted, "deno@2.1.4");
  assertMatch(own!, /^deno@\d+\.\d+\.\d+$/);
  assertEquals(others, [SQUAWK, SUPABASE_CLI]);
  for (const one of others) assertMatch(one, /@\d+\.\d+\.\d+$/);
});

Deno.test("each package of deno.lock has a licence that lets this be used and sold", () => {
  const faults: string[] = [];
  for (const { key, name, version, locked } of packages) {
    // Of a binary for another system nothing is installed here; it is of the same source as this system's.
    if (locked.os?.includes(Deno.build.os) === false || locked.cpu?.includes(CPU) === false) {
      continue;
    }
    const folder = `${name.replaceAll("/", "+")}@${version}`;
    const path = join(ROOT, "node_modules", ".deno", folder, "node_modules", name);
    try {
      const manifest = JSON.parse(Deno.readTextFileSync(join(path, "package.json")));
      const fault = licenceFault(name, manifest);
      if (fault !== undefined) faults.push(fault);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      faults.push(`${key} is not installed, so its licence is unknown: deno task check`);
    }
  }
  assertEquals(faults, []);
});

Deno.test("a licence that is not allowed, or missing, is a fault with the package's name", () => {
  const fault = (license: unknown) => licenceFault("left-pad", { license });
  assertEquals(fault("MIT"), undefined);
  assertEquals(fault("AGPL-3.0-only"), "left-pad is under AGPL-3.0-only, which nobody has allowed");
  assertEquals(fault("SEE LICENSE IN LICENSE.md")?.startsWith("left-pad is under SEE"), true);
  // An exception is one package's, and not its licence's.
  assertEquals(fault("MPL-2.0"), "left-pad is under MPL-2.0, which nobody has allowed");
  for (const missing of [undefined, "", {}]) assertEquals(fault(missing)?.slice(0, 8), "left-pad");
});

// --- published weaknesses ---------------------------------------------------------------------------------------

interface Audit {
  readonly outcome: "clean" | "weak" | "unanswered";
  readonly text: string;
}

/** Asks the registry for what is known against the packages of deno.lock, high and critical. */
async function audit(env: Record<string, string> = {}): Promise<Audit> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["audit", "--level", "high"],
    cwd: ROOT,
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    signal: AbortSignal.timeout(60_000),
  }).output();
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout) + decoder.decode(stderr);
  if (success && text.includes("No known vulnerabilities found")) return { outcome: "clean", text };
  if (/Found \d+ vulnerabilit/.test(text)) return { outcome: "weak", text };
  return { outcome: "unanswered", text };
}

const registry = await audit();
const unanswered = registry.outcome === "unanswered";

Deno.test({
  name: `nothing that is installed has a published weakness of level high or critical${
    unanswered ? " (ignored: the registry does not answer audits here)" : ""
  }`,
  ignore: unanswered,
  fn: () => assertEquals(registry.outcome, "clean", registry.text),
});

Deno.test("a published weakness, none, and a silent registry are three results", async () => {
  const weakness = {
    id: 1,
    url: "https://github.com/advisories/GHSA-0000-0000-0000",
    title: "Anybody can read it",
    severity: "high",
    vulnerable_versions: "<1000",
  };
  const answers: [Audit["outcome"], () => Response][] = [
    ["weak", () => Response.json({ zod: [weakness] })],
    ["clean", () => Response.json({})],
    ["unanswered", () => new Response("Method Not Allowed", { status: 405 })],
  ];
  for (const [outcome, answer] of answers) {
    const server = serve(0, () => {}, answer);
    try {
      // deno-lint-ignore no-await-in-loop -- One registry after the other.
      const found = await audit({ NPM_CONFIG_REGISTRY: `${server.url}/` });
      assertEquals(found.outcome, outcome, found.text);
    } finally {
      // deno-lint-ignore no-await-in-loop
      await server.drain();
    }
  }
});
