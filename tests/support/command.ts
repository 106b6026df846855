import { join } from "@std/path/join.js";
import { ROOT } from "../../scripts/local/stack.ts";

/** What a command said, and how it ended. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs a command as `deno task` does, to its end.
 *
 * @param script From the root, such as `scripts/phone/cli.ts`.
 * @param options `typed`: what comes in on the input, which then ends.
 */
export async function runCommand(
  script: string,
  args: readonly string[],
  { env = {}, typed = "" }: { env?: Record<string, string>; typed?: string } = {},
): Promise<Ended> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(ROOT, script), ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(typed));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const [out = "", err = ""] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, out, err };
}
