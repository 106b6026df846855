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

/** The token that is accepted while another replaces it: a window that closes once nobody names it. */
const WINDOW = "TWILIO_AUTH_TOKEN_PREVIOUS";

/**
 * Sets a project's secrets. What is not named may have been set by somebody else, and stays; but for the token of before.
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
  if (there.includes(WINDOW) && !done.includes(WINDOW)) {
    await supabase(["secrets", "unset", WINDOW, ...remoteProject(target), "--yes"], cli);
    done.push(`${WINDOW} removed`);
  }
  return done.join(", ");
}

/** As the CLI's reader of such files takes a value literally. */
function quoted(value: string): string {
  return value.includes("'") ? JSON.stringify(value) : `'${value}'`;
}
