import { randomBytes } from "node:crypto";
import { quotedText } from "../local/sql.ts";
import { supabaseRows } from "./commands.ts";
import { remoteDatabase, settingsOf, type Target } from "./target.ts";

/**
 * The secrets that the scheduled jobs look up in Vault: the address of the functions, and the token that starts the
 * workers. Never the secret key, because every role of the database can read pg_net's queue.
 */
export const VAULT_NAMES = ["functions_url", "scheduler_token"] as const;

/** The tokens that the functions accept from the scheduler. */
export interface SchedulerSecrets {
  readonly SCHEDULER_TOKEN: string;
  /** The scheduler's token until Vault has the new one. */
  readonly SCHEDULER_TOKEN_PREVIOUS?: string;
}

/**
 * A new token for the scheduler, unless `SCHEDULER_TOKEN` is set, and the one that Vault has now.
 *
 * @returns undefined: the database has no Vault, and so no schedule.
 */
export async function schedulerSecrets(
  target: Target,
  dir: string,
): Promise<SchedulerSecrets | undefined> {
  const [found] = await query(
    target,
    dir,
    "select to_regprocedure('vault.create_secret(text, text, text, uuid)') is not null as has_vault",
  );
  if (!found?.["has_vault"]) return undefined;
  const [known] = await query(
    target,
    dir,
    "select decrypted_secret as token from vault.decrypted_secrets where name = 'scheduler_token'",
  );
  const before = known?.["token"];
  const token = target.secrets["SCHEDULER_TOKEN"] ?? randomBytes(32).toString("hex");
  return {
    SCHEDULER_TOKEN: token,
    ...(typeof before === "string" && before !== token && { SCHEDULER_TOKEN_PREVIOUS: before }),
  };
}

/**
 * Stores the scheduled jobs' secrets in Vault: creates missing ones and updates changed ones. No value appears in a
 * command line, in the output, or in a statement whose text the database keeps.
 *
 * @returns what was done, by name.
 */
export async function fillVault(
  target: Target,
  dir: string,
  schedulerToken: string,
): Promise<Map<string, "created" | "changed" | "kept">> {
  const values = {
    functions_url: settingsOf(target).publicFunctionsUrl,
    scheduler_token: schedulerToken,
  };
  // One statement of a kind whose constants pg_stat_statements leaves out.
  const wanted = VAULT_NAMES.map((name) => `(${quotedText(name)}, ${quotedText(values[name])})`);
  const rows = await query(
    target,
    dir,
    `with secret as (
       select name, value, id, decrypted_secret is distinct from value as changed
       from (values ${wanted.join(", ")}) as wanted (name, value)
       left join vault.decrypted_secrets as known using (name)
     )
     select
       name,
       case when id is null then 'created' when changed then 'changed' else 'kept' end as done,
       case
         when id is null then vault.create_secret(value, name, 'deno task deploy')::text
         when changed then vault.update_secret(id, value)::text
       end as id
     from secret`,
  );
  return new Map(rows.map(({ name, done }) => [String(name), done as "created"]));
}

/** Runs one statement through the CLI, which finds the database by address or by the project's reference. */
async function query(
  target: Target,
  dir: string,
  statement: string,
): Promise<Record<string, unknown>[]> {
  const file = await Deno.makeTempFile({ dir, prefix: "query-", suffix: ".sql" });
  try {
    await Deno.chmod(file, 0o600);
    await Deno.writeTextFile(file, statement);
    return await supabaseRows(["db", "query", ...remoteDatabase(target), "--file", file], {
      cwd: dir,
      env: target.cliEnv,
    });
  } finally {
    await Deno.remove(file);
  }
}
