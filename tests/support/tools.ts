import { SQUAWK, SUPABASE_CLI } from "../../scripts/deploy/commands.ts";
import type { TestTask } from "../../scripts/deploy/tested.ts";
import { HOSTED, HOSTED_ENV, HOSTED_FLAGS, hostedTestFiles } from "./hosted_runtime.ts";

/**
 * Downloads what the tests run beside this Deno, before the first test: how long a registry takes is then no test's
 * affair. Failures are left to the tests that miss the tool: they report it, or are ignored and say why.
 */
export async function fetchTools(root: string, task: TestTask): Promise<void> {
  const npx = (...args: string[]) => runQuietly(root, ["-y", ...args]);
  const shared = [npx(SUPABASE_CLI, "--version"), npx(SQUAWK, "--version")];
  if (task === "test:deep") {
    shared.push(npx(HOSTED, "cache", ...HOSTED_FLAGS, ...hostedTestFiles(root)));
  }
  await Promise.all(shared);
}

async function runQuietly(cwd: string, args: string[]): Promise<void> {
  const command = new Deno.Command("npx", {
    args,
    cwd,
    env: HOSTED_ENV,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  });
  try {
    await command.output();
  } catch (error) {
    // No npx: Deno alone is enough for the rest.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
