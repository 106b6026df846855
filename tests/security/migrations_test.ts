// What squawk says of the migrations' files.

import { assertEquals } from "@std/assert/equals.js";
import { run } from "../../scripts/deploy/commands.ts";
import { ROOT } from "../../scripts/local/stack.ts";

const SQUAWK = "squawk-cli@2.66.0";
const options = { cwd: ROOT, timeoutMs: 120_000 };

async function works(command: Promise<unknown>): Promise<boolean> {
  return await command.then(() => true, () => false);
}

const hasSquawk = await works(run("npx", ["-y", SQUAWK, "--version"], options));

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
