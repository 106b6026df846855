import { parseEnv } from "node:util";
import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import {
  type Environment,
  readSettings,
  type Settings,
} from "../../supabase/functions/_shared/settings.ts";
import { type Database, databaseAt, DatabaseError, forCli } from "../database.ts";

/** The project of a deploy, with its settings. */
export interface Target {
  /** The project's reference: 20 letters. */
  readonly ref: string;
  /** Without a trailing slash; `https://<ref>.supabase.co` unless `SUPABASE_URL` says otherwise. */
  readonly projectUrl: string;
  /** The database's address for the migrations; undefined: the CLI finds it by reference; an error: it cannot be used. */
  readonly database: Database | DatabaseError | undefined;
  /** Writes the deploy log. */
  readonly secretKey: string | undefined;
  /** The number whose webhooks are bound; absent: none is. */
  readonly number: string | undefined;
  /** The settings that become secrets, by name. */
  readonly secrets: Readonly<Record<string, string>>;
  /** The functions' settings, or every reason why they are invalid. */
  readonly settings: Settings | readonly SettingError[];
  /** The CLI's environment. */
  readonly cliEnv: Readonly<Record<string, string>>;
  /** The commit that passed all tests according to CI; see also `requireTested`. */
  readonly testedCommit: string | undefined;
}

export const PROJECT_REF = /^[a-z]{20}$/;

/** Names that the commands read and no function needs. */
const CLI_NAMES = [
  "SUPABASE_ACCESS_TOKEN",
  "SUPABASE_DB_PASSWORD",
  "SUPABASE_PROFILE",
] as const;

/**
 * Reads a project from the environment, then from a file of settings.
 *
 * @param file The text of the file, as `.env` has it; empty when there is none.
 */
export function readTarget(
  ref: string,
  env: Readonly<Record<string, string | undefined>>,
  file: string,
  number?: string,
): Target {
  const own = parseEnv(file) as Record<string, string>;
  const get = (name: string) => env[name]?.trim() || own[name]?.trim() || undefined;
  const projectUrl = (get("SUPABASE_URL") ?? `https://${ref}.supabase.co`).replace(/\/+$/, "");
  const key = secretKey(get);

  // The platform sets these by itself; here they are needed to read the settings.
  const platform: Record<string, string> = {
    SUPABASE_URL: projectUrl,
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: key ?? "sb_secret_set_by_the_platform" }),
  };
  const asked = new Set<string>();
  const settings = readAll((name) => {
    asked.add(name);
    return name.startsWith("SUPABASE_") ? platform[name] : get(name);
  });
  const secrets: Record<string, string> = {};
  for (const name of [...asked].sort()) {
    const value = get(name);
    // The platform refuses names of its own.
    if (value !== undefined && !name.startsWith("SUPABASE_")) secrets[name] = value;
  }
  const cliEnv: Record<string, string> = {};
  for (const name of CLI_NAMES) {
    const value = get(name);
    if (value !== undefined) cliEnv[name] = value;
  }
  const address = get("SUPABASE_DB_URL");
  let database: Database | DatabaseError | undefined;
  try {
    database = address === undefined ? undefined : databaseAt(address, get, "SUPABASE_DB_URL");
    if (database !== undefined) Object.assign(cliEnv, forCli(database).env);
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    database = error;
  }
  return {
    ref,
    projectUrl,
    database,
    secretKey: key,
    number: number ?? get("TRADELINE_NUMBER"),
    secrets,
    settings,
    cliEnv,
    testedCommit: get("TESTED_COMMIT"),
  };
}

/** Replacements for missing or malformed settings, so that the others are checked too. */
const STAND_INS: Readonly<Record<string, string>> = {
  TWILIO_AUTH_TOKEN: "stand-in",
  BUSINESS_TARGET_E164: "+15877428885",
};

/** @returns the settings, or every setting at fault. */
function readAll(env: Environment): Settings | SettingError[] {
  const faults: SettingError[] = [];
  for (;;) {
    try {
      const settings = readSettings((name) =>
        faults.some(({ setting }) => setting === name) ? STAND_INS[name] : env(name)
      );
      return faults.length === 0 ? settings : faults;
    } catch (error) {
      if (!(error instanceof SettingError)) throw error;
      // Without a replacement for it the check ends here.
      if (faults.some(({ setting }) => setting === error.setting)) return faults;
      faults.push(error);
    }
  }
}

/** Whether the functions could not start with the settings, each fault one reason. */
export function areFaults(
  settings: Target["settings"],
): settings is readonly SettingError[] {
  return Array.isArray(settings);
}

/** @throws {SettingError} the first, where the functions could not start with them. */
export function settingsOf({ settings }: Target): Settings {
  if (areFaults(settings)) throw settings[0]!;
  return settings;
}

/** By which options the CLI finds the project. */
export function remoteProject({ ref, cliEnv }: Target): string[] {
  const profile = cliEnv["SUPABASE_PROFILE"];
  return [`--remote=${ref}`, ...(profile === undefined ? [] : ["--profile", profile])];
}

/** @throws {DatabaseError} where its address cannot be used. */
export function databaseOf({ database }: Target): Database | undefined {
  if (database instanceof DatabaseError) throw database;
  return database;
}

/** By which options the CLI finds the project's database; its password is in `cliEnv`. */
export function remoteDatabase(target: Target): string[] {
  const database = databaseOf(target);
  return database === undefined ? remoteProject(target) : forCli(database).args;
}

function secretKey(get: (name: string) => string | undefined): string | undefined {
  try {
    const key = JSON.parse(get("SUPABASE_SECRET_KEYS") ?? "{}").default;
    if (typeof key === "string" && key !== "") return key;
  } catch {
    // Not JSON counts as not set, which preflight reports.
  }
  return get("SUPABASE_SERVICE_ROLE_KEY");
}
