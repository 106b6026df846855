// What squawk says of the migrations' files.

import { assertEquals } from "@std/assert/equals.js";
import { run, SQUAWK, squawk } from "../../scripts/deploy/commands.ts";
import { ROOT } from "../../scripts/local/stack.ts";

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
    await squawk(files, options);
    // It would have spoken up.
    const bad = await Deno.makeTempFile({ suffix: ".sql" });
    try {
      await Deno.writeTextFile(bad, "alter table public.call_logs drop column mode;\n");
      assertEquals(await works(squawk([bad], options)), false);
    } finally {
      await Deno.remove(bad);
    }
  },
});
