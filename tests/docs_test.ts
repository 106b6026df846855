// What the pages say of the tree holds: links, paths, commands, and plain words.

import { assertEquals } from "@std/assert/equals.js";
import { assertGreater } from "@std/assert/greater.js";
import { existsSync } from "node:fs";

const ROOT = new URL("../", import.meta.url);
const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));
const exists = (path: string) => existsSync(new URL(path, ROOT));
const names = (path: string) => [...Deno.readDirSync(new URL(path, ROOT))].map(({ name }) => name);

const pages = [
  ...names(".").filter((name) => name.endsWith(".md")),
  ...names("docs/").filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`),
].sort();

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replaceAll(" ", "-")
  );
}

Deno.test("README is an introduction: under 150 lines", () => {
  assertGreater(150, read("README.md").split("\n").length);
});

Deno.test("README's index leads to every page of docs/", () => {
  const linked = [...read("README.md").matchAll(/\]\((docs\/[^)#]+)/g)].map(([, path]) => path);
  assertEquals(pages.filter((page) => page.startsWith("docs/") && !linked.includes(page)), []);
});

Deno.test("every link of a page leads to a file, and to a heading in it", () => {
  const dead: string[] = [];
  let checked = 0;
  for (const page of pages) {
    for (const [, link] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link!)) continue;
      checked++;
      const { pathname, hash } = new URL(link!, new URL(page, "file:///"));
      const target = pathname.slice(1);
      const isThere = exists(target) &&
        (hash === "" || anchorsOf(target).includes(decodeURIComponent(hash.slice(1))));
      if (!isThere) dead.push(`${page}: ${link}`);
    }
  }
  assertEquals(dead, []);
  assertGreater(checked, 50);
});

Deno.test("every path that a page names exists", () => {
  const missing: string[] = [];
  let checked = 0;
  for (const page of pages) {
    for (const [, path] of read(page).matchAll(/`([\w./-]+)`/g)) {
      const full = path!.replace(/^_shared\//, "supabase/functions/_shared/");
      if (!/^(supabase|scripts|tests|docs|monitoring|\.github|\.ci)\//.test(full)) continue;
      checked++;
      if (!exists(full)) missing.push(`${page}: ${path}`);
    }
  }
  assertEquals(missing, []);
  assertGreater(checked, 50);
});

const tasks = Object.keys(JSON.parse(read("deno.json")).tasks);

Deno.test("every task that a page or a workflow names exists", () => {
  const missing: string[] = [];
  let checked = 0;
  for (
    const page of [
      ...pages,
      ...["backup", "console", "deploy"].map((name) => `.github/workflows/${name}.yml`),
    ]
  ) {
    for (const [, name] of read(page).matchAll(/\b(?:deno|deno@2\.9\.6) task ([a-z:]+)\b/g)) {
      checked++;
      if (!tasks.includes(name!)) missing.push(`${page}: deno task ${name}`);
    }
  }
  assertEquals(missing, []);
  assertGreater(checked, 50);
});

Deno.test("docs/data.md names every table and view, docs/functions.md every task", () => {
  const [data, commands] = [read("docs/data.md"), read("docs/functions.md")];
  const made = names("supabase/schemas/").flatMap((file) => [
    ...read(`supabase/schemas/${file}`).matchAll(
      /^create (?:unlogged )?(?:table|(?:materialized )?view) public\.(\w+)/gm,
    ),
  ]).map(([, name]) => name!);
  assertGreater(made.length, 100);
  assertEquals(made.filter((name) => !data.includes(`\`${name}\``)), []);
  assertEquals(
    tasks.filter((name) => !new RegExp(`^\\|.*\`${name}[\` ].*\\|`, "m").test(commands)),
    [],
  );
});

// --- plain words --------------------------------------------------------------------------------------------

/** Phrases that CONTRIBUTING.md's "Words" rules out and that once were everywhere. */
const RIDDLES =
  /\b(?:who(?:m|s)?ever|nobody's|of nobody|serve[sd]? (?:its|their) time|(?:is|are|was|were) told (?:of|about|apart|anew))\b/i;

function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}${name}/`) : [`${folder}${name}`]
  );
}

Deno.test("comments, messages and pages say things plainly", () => {
  const folders = [".github/", "docs/", "monitoring/", "scripts/", "supabase/", "tests/"];
  const written = [...pages, ".env.example", ...folders.flatMap(filesBelow)].filter((file) =>
    /\.(?:ts|js|sql|md|ya?ml|html|example)$/.test(file) &&
    !["supabase/migrations/", "tests/docs_test.ts"]
      .some((generated) => file.startsWith(generated))
  );
  assertGreater(written.length, 300);
  const riddles = [...new Set(written)].flatMap((file) =>
    read(file).split("\n").flatMap((line, at) =>
      RIDDLES.test(line) ? [`${file}:${at + 1}: ${line.trim()}`] : []
    )
  );
  assertEquals(riddles, []);
});
