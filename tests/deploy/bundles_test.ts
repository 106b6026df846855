// What is deployed is small enough for a quick start, and for the platform to take.

import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { dirname } from "@std/path/dirname.js";
import { join } from "@std/path/join.js";
import { bundle, MOST_CODE, tooHeavy, weigh } from "../../scripts/deploy/bundles.ts";
import { CommandError } from "../../scripts/deploy/commands.ts";
import { functionsOf } from "../../scripts/deploy/deploy.ts";
import { ROOT } from "../../scripts/local/stack.ts";

const functions = await functionsOf(ROOT);
const weights = await weigh(ROOT, functions);

for (const name of functions) {
  Deno.test(`${name} has less than 1 MB of code`, () => {
    const bytes = weights.get(name)!;
    // The smallest has its settings, its log and the way to the database.
    assertEquals(bytes > 50_000 && bytes < 1_000_000, true, `${bytes}`);
  });
}

Deno.test("what is too large is named, with what it may be", () => {
  const code = new Map([["one", MOST_CODE], ["other", MOST_CODE + 1]]);
  assertEquals(tooHeavy(code), [
    "other has 1001 kB of code, and may have 1000 kB: import less of what it needs",
  ]);
});

Deno.test("a bundle imports Deno's own modules and nothing else, and has its source map beside it", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await bundle(ROOT, functions, dir);
    for (const name of functions) {
      const code = Deno.readTextFileSync(join(dir, name, "index.js"));
      const imported = [
        ...code.matchAll(/^import\b[^"';]*?\bfrom "([^"]+)"/gm),
        ...code.matchAll(/\bimport\("([^"]+)"\)/g),
      ].map(([, specifier]) => specifier!);
      assertEquals(imported.filter((specifier) => !specifier.startsWith("node:")), [], name);
      const map = JSON.parse(Deno.readTextFileSync(join(dir, name, "index.js.map")));
      assertEquals(
        map.sources.some((source: string) => source.endsWith(`${name}/handler.ts`)),
        true,
        name,
      );
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("code that is imported and used weighs, and code that is not there is an error", async () => {
  const root = await Deno.makeTempDir();
  const write = async (path: string, text: string) => {
    await Deno.mkdir(dirname(`${root}/${path}`), { recursive: true });
    await Deno.writeTextFile(`${root}/${path}`, text);
  };
  try {
    await write("deno.json", "{}");
    await write(
      "supabase/functions/_shared/words.ts",
      `export const words = "${"x".repeat(2_000_000)}";`,
    );
    await write(
      "supabase/functions/large/index.ts",
      `import { words } from "../_shared/words.ts"; console.log(words);`,
    );
    await write("supabase/functions/small/index.ts", `import "../_shared/words.ts";`);
    const code = await weigh(root, ["large", "small"]);
    assertEquals(code.get("large")! > 2_000_000, true);
    assertEquals(code.get("small")! < 1000, true);

    await write("supabase/functions/small/index.ts", `import "../_shared/missing.ts";`);
    const error = await assertRejects(() => weigh(root, ["large", "small"]), CommandError);
    assertEquals(error.message.includes("missing.ts"), true, error.message);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
