import { supabase, supabaseRows } from "./commands.ts";
import { remoteProject, type Target } from "./target.ts";

/** The names of a project's secrets. */
export async function listSecrets(target: Target, dir: string): Promise<string[]> {
  const rows = await supabaseRows(["secrets", "list", ...remoteProject(target)], {
    cwd: dir,
    env: target.cliEnv,
  });
  return rows.map(({ name }) => String(name));
}

/** Tokens that are accepted while others replace them: a deploy that does not name one removes it. */
const WINDOWS = ["TWILIO_AUTH_TOKEN_PREVIOUS", "SCHEDULER_TOKEN_PREVIOUS"] as const;

/**
 * Sets a project's secrets. What is not named may have been set by somebody else, and stays; but for the tokens of before.
 *
 * @param there The names of those that it has.
 * @param dir A folder that nobody else reads, and that goes when the deploy does: they are in a file for a moment.
 * @returns what was done, in words without a value.
 */
export async function setSecrets(
  target: Target,
  there: readonly string[],
  dir: string,
): Promise<string> {
  const cli = { cwd: dir, env: target.cliEnv };
  const set = Object.entries(target.secrets);
  if (set.length > 0) {
    const file = await Deno.makeTempFile({ dir, prefix: "secrets-" });
    try {
      await Deno.chmod(file, 0o600);
      const lines = set.map(([name, value]) => `${name}=${quoted(value)}`);
      await Deno.writeTextFile(file, `${lines.join("\n")}\n`);
      await supabase(
        ["secrets", "set", "--env-file", file, ...remoteProject(target), "--yes"],
        cli,
      );
    } finally {
      await Deno.remove(file);
    }
  }
  const done = set.map(([name]) => name);
  const closed = WINDOWS.filter((name) => there.includes(name) && !done.includes(name));
  if (closed.length > 0) {
    await supabase(["secrets", "unset", ...closed, ...remoteProject(target), "--yes"], cli);
    done.push(...closed.map((name) => `${name} removed`));
  }
  return done.join(", ");
}

/** As the CLI's reader of such files takes a value literally. */
function quoted(value: string): string {
  return value.includes("'") ? JSON.stringify(value) : `'${value}'`;
}
