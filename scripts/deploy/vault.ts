import { quotedText } from "../local/sql.ts";
import { supabaseRows } from "./commands.ts";
import { remoteDatabase, settingsOf, type Target } from "./target.ts";

/** What the scheduled jobs of the migrations look up in Vault: where the functions are, and the key that lets them in. */
export const VAULT_NAMES = ["functions_url", "functions_secret_key"] as const;

/**
 * Has Vault hold what the scheduled jobs need, as it is now: creates what is missing, updates what has changed. No
 * value is in a command line, in what is said, or in a statement that the database keeps the text of.
 *
 * @returns what was done, by name; undefined: the database has no Vault.
 */
export async function fillVault(
  target: Target,
  dir: string,
): Promise<Map<string, "created" | "changed" | "kept"> | undefined> {
  const values = {
    functions_url: settingsOf(target).publicFunctionsUrl,
    functions_secret_key: target.secretKey,
  };
  const [found] = await query(
    target,
    dir,
    "select to_regprocedure('vault.create_secret(text, text, text, uuid)') is not null as has_vault",
  );
  if (!found?.["has_vault"]) return undefined;
  // One statement, and of a kind whose constants pg_stat_statements leaves out.
  const wanted = VAULT_NAMES.map((name) =>
    `(${quotedText(name)}, ${quotedText(values[name] ?? "")})`
  );
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

/** Runs one statement by the CLI, which finds the database by its address as by the project's reference. */
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
