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

/** Tokens that are accepted during a rotation. A deploy removes those that the settings do not name. */
const WINDOWS = ["TWILIO_AUTH_TOKEN_PREVIOUS", "SCHEDULER_TOKEN_PREVIOUS"] as const;

/**
 * Sets a project's secrets. Other secrets stay, as they may have been set by hand, except `*_PREVIOUS` tokens.
 *
 * @param there The names of the project's secrets.
 * @param dir A private folder that is deleted with the deploy: the secrets are in a file for a moment.
 * @returns a summary without values.
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

/** Quotes a value so that the CLI's parser takes it literally. */
function quoted(value: string): string {
  return value.includes("'") ? JSON.stringify(value) : `'${value}'`;
}
