// What others' linters say of the schema: Supabase's advisors, on a database that has it; squawk, on the files.

import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { supabase } from "../../scripts/deploy/commands.ts";
import { run } from "../../scripts/deploy/commands.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { createTestDatabase } from "../support/database.ts";

const SQUAWK = "squawk-cli@2.66.0";
const options = { cwd: ROOT, timeoutMs: 120_000 };

async function works(command: Promise<unknown>): Promise<boolean> {
  return await command.then(() => true, () => false);
}

const [hasCli, hasSquawk] = await Promise.all([
  works(supabase(["--version"], options)),
  works(run("npx", ["-y", SQUAWK, "--version"], options)),
]);

Deno.test({
  name: `Supabase's advisors find nothing to warn of${
    hasCli ? "" : " (ignored: npx cannot run the Supabase CLI here)"
  }`,
  ignore: !hasCli,
  async fn() {
    const db = await createTestDatabase();
    try {
      const remote = `--remote=${db.url}?sslmode=disable`;
      const said = await supabase(
        ["db", "advisors", remote, "--type", "all", "--level", "warn", "--fail-on", "warn"],
        options,
      );
      assertMatch(said, /No issues found/);
    } finally {
      await db.drop();
    }
  },
});

Deno.test({
  name: `squawk finds no migration that the previous functions could not run on${
    hasSquawk ? "" : ` (ignored: npx cannot run ${SQUAWK} here)`
  }`,
  ignore: !hasSquawk,
  async fn() {
    const files = [...Deno.readDirSync(`${ROOT}/supabase/migrations`)]
      .map(({ name }) => `supabase/migrations/${name}`).sort();
    await run("npx", ["-y", SQUAWK, "--config", ".squawk.toml", ...files], options);
    // It would have spoken up.
    const bad = await Deno.makeTempFile({ suffix: ".sql" });
    try {
      await Deno.writeTextFile(bad, "alter table public.call_logs drop column mode;\n");
      const refused = await works(
        run("npx", ["-y", SQUAWK, "--config", ".squawk.toml", bad], options),
      );
      assertEquals(refused, false);
    } finally {
      await Deno.remove(bad);
    }
  },
});
