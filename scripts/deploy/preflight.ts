// What is looked at before anything is changed.

import { join } from "@std/path/join.js";
import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import { kB, tooHeavy, weigh } from "./bundles.ts";
import { cliVersion, git, squawk, supabase } from "./commands.ts";
import { databaseOf, remoteDatabase, settingsOf, type Target } from "./target.ts";
import { requireTested } from "./tested.ts";
import { lookAtTwilio } from "./twilio.ts";
import { deployLog, servingNow } from "./versions.ts";

/** One thing to look at. */
export interface Check {
  readonly name: string;
  /** What was found; or an Error: what is wrong, and what to do about it. */
  look(): string | Promise<string>;
}

/**
 * Looks at everything, and tells what was found.
 *
 * @param missing How a fault is called where nothing is to be done yet.
 * @returns the number of faults.
 */
export async function preflight(
  checks: readonly Check[],
  print: (line: string) => void,
  missing: boolean,
): Promise<number> {
  let faults = 0;
  // They ask different places, and only ask: all at once.
  const looks = checks.map(async ({ name, look }) => {
    try {
      return { name, found: await look(), fault: undefined };
    } catch (error) {
      return { name, found: undefined, fault: messageOf(error) };
    }
  });
  for (const { name, found, fault } of await Promise.all(looks)) {
    if (fault === undefined) print(`ok      ${name}: ${found}`);
    else print(`${missing ? "MISSING" : "FAULT  "} ${name}: ${fault}`);
    if (fault !== undefined) faults++;
  }
  return faults;
}

/** Before a deploy. */
export function deployChecks(
  { target, root, only }: {
    readonly target: Target;
    readonly root: string;
    readonly only?: readonly string[];
  },
  commit: string,
  all: readonly string[],
  secrets: () => Promise<readonly string[]>,
): Check[] {
  const cli = { cwd: root, env: target.cliEnv };
  return [
    { name: "settings", look: () => lookAtSettings(target) },
    {
      name: "functions",
      look() {
        const unknown = (only ?? []).filter((name) => !all.includes(name));
        if (unknown.length === 0) return `${(only ?? all).length} of ${all.length}`;
        throw new Error(`supabase/config.toml names no function ${unknown.join(", ")}`);
      },
    },
    {
      name: "commit",
      async look() {
        const changed = await git(
          ["status", "--porcelain", "--", "supabase", "import_map.json"],
          root,
        );
        if (changed !== "") {
          throw new Error(`commit these first, as only what is committed is deployed:\n${changed}`);
        }
        return commit.slice(0, 12);
      },
    },
    { name: "tests", look: () => requireTested(root, commit, target.testedCommit) },
    { name: "migrations", look: () => lintMigrations(root) },
    {
      name: "bundles",
      async look() {
        const weights = await weigh(root, [...all]);
        const faults = tooHeavy(weights);
        if (faults.length > 0) throw new Error(faults.join("\n"));
        return `the largest has ${kB(Math.max(...weights.values()))} of code`;
      },
    },
    { name: "CLI", look: () => cliVersion(root) },
    login(target, secrets),
    {
      name: "database",
      async look() {
        if (databaseOf(target) === undefined && !target.cliEnv["SUPABASE_DB_PASSWORD"]) {
          throw new Error(
            "set SUPABASE_DB_PASSWORD (the project's database password), or SUPABASE_DB_URL",
          );
        }
        const said = await supabase(
          ["db", "push", ...remoteDatabase(target), "--dry-run", "--yes"],
          cli,
        );
        const pending = said.match(/\d{14}_\w+\.sql/g) ?? [];
        return pending.length === 0
          ? "has every migration"
          : `${pending.length} migrations to apply, up to ${pending.at(-1)}`;
      },
    },
    log(target),
    { name: "Twilio", look: () => lookAtTwilio(target) },
  ];
}

/** Before a way back, which deploys and proves what was deployed before. Only what its first step would not find. */
export function rollbackChecks(target: Target): Check[] {
  return [
    { name: "settings", look: () => lookAtSettings(target) },
    { name: "login", look: () => accessToken(target) && "SUPABASE_ACCESS_TOKEN is set" },
    log(target),
  ];
}

function lookAtSettings(target: Target): string {
  const { environment, publicFunctionsUrl } = settingsOf(target);
  if (environment !== "production") {
    throw new SettingError("NODE_ENV", `must be "production": current value is "${environment}"`);
  }
  for (
    const [name, address] of [
      ["SUPABASE_URL", target.projectUrl],
      ["PUBLIC_FUNCTIONS_URL", publicFunctionsUrl],
    ] as const
  ) {
    if (!/^https:|^http:\/\/127\.0\.0\.1[:/]/.test(address)) {
      throw new SettingError(name, `must begin with https://: current value is "${address}"`);
    }
  }
  for (
    const [name, address] of [
      ["SUPABASE_URL", target.projectUrl],
      ["SUPABASE_DB_URL", databaseOf(target)?.url.href],
    ] as const
  ) {
    const other = projectOf(address);
    if (other !== undefined && other !== target.ref) {
      throw new SettingError(name, `is of project ${other}, and this is for ${target.ref}`);
    }
  }
  if (target.secretKey === undefined) {
    throw new SettingError(
      "SUPABASE_SECRET_KEYS",
      'must be set: {"default": "sb_secret_..."}, from the project\'s API settings; the deploy log is written with it',
    );
  }
  return `${Object.keys(target.secrets).length} present and well-formed`;
}

/** The project whose address this is, where it is the platform's own. */
function projectOf(address: string | undefined): string | undefined {
  return /\/\/(?:[^@/]*@)?(?:db\.)?([a-z]{20})\.supabase\.co\b/.exec(address ?? "")?.[1] ??
    /\/\/postgres\.([a-z]{20})[:@]/.exec(address ?? "")?.[1];
}

function login(target: Target, secrets: () => Promise<readonly string[]>): Check {
  return {
    name: "login",
    async look() {
      accessToken(target);
      await secrets();
      return `the project ${target.ref} answers`;
    },
  };
}

function accessToken({ cliEnv }: Target): string {
  const token = cliEnv["SUPABASE_ACCESS_TOKEN"];
  if (token !== undefined) return token;
  throw new Error(
    "set SUPABASE_ACCESS_TOKEN: an access token, from the account page of Supabase's dashboard",
  );
}

/** Whether the secret key is this project's, and what the log says. */
function log(target: Target): Check {
  return {
    name: "deploy log",
    async look() {
      const commits = new Set(Object.values(servingNow(await deployLog(target).read())));
      return commits.size === 0
        ? "nothing was deployed yet"
        : `${[...commits].map((commit) => commit.slice(0, 12)).join(", ")} serves`;
    },
  };
}

async function lintMigrations(root: string): Promise<string> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(join(root, "supabase", "migrations"))) names.push(name);
  const wrong = names.filter((name) => !/^\d{14}_[a-z0-9_]+\.sql$/.test(name));
  if (wrong.length > 0) {
    throw new Error(`the CLI would skip ${wrong.join(", ")}: name them <14 digits>_<topic>.sql`);
  }
  await squawk(names.sort().map((name) => `supabase/migrations/${name}`), { cwd: root });
  return `${names.length}, well-named, and squawk finds nothing in them`;
}

/** An error in words for whoever deploys. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^Cannot start: /, "");
}
