// The checks before anything is changed.

import { join } from "@std/path/join.js";
import { parse as parseYaml } from "@std/yaml/parse.js";
import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import { DatabaseError } from "../database.ts";
import { kB, tooHeavy, weigh } from "./bundles.ts";
import { cliVersion, git, squawk, supabase } from "./commands.ts";
import { areFaults, databaseOf, remoteDatabase, type Target } from "./target.ts";
import { requireTested } from "./tested.ts";
import { lookAtTwilio } from "./twilio.ts";
import { deployLog, servingNow } from "./versions.ts";

/** One check. */
export interface Check {
  readonly name: string;
  /** The finding, or an Error that says what is wrong and what to do. */
  look(): string | Promise<string>;
}

/**
 * Runs every check and prints its finding: `MISSING` must be set, `OFFLINE` did not answer, `FAULT` is wrong.
 *
 * @returns the number of findings that are not `ok`.
 */
export async function preflight(
  checks: readonly Check[],
  print: (line: string) => void,
): Promise<number> {
  let faults = 0;
  // All at once: they only read, from different places.
  const looks = checks.map(async ({ name, look }) => {
    try {
      return { name, found: await look(), errors: [] };
    } catch (error) {
      return { name, found: "", errors: error instanceof AggregateError ? error.errors : [error] };
    }
  });
  for (const { name, found, errors } of await Promise.all(looks)) {
    if (errors.length === 0) print(`ok      ${name}: ${found}`);
    for (const error of errors) print(`${labelOf(error)} ${name}: ${messageOf(error)}`);
    faults += errors.length;
  }
  return faults;
}

/** A setting is missing; the message names it. */
class Missing extends Error {
  override name = "Missing";
}

/** The CLI recommends an option that cannot be passed through a deploy. */
const NO_IPV6 =
  "IPv6 is not supported by this network, and the database has no other address: set SUPABASE_DB_URL to the session " +
  "pooler's (Connect, in the project's dashboard)";

/** What stops the CLI, and what to do: its own advice is to rewrite the database's history. Undefined: as it says. */
function pushFault(said: string): Error | undefined {
  if (/IPv6 is not supported/.test(said)) return new Error(NO_IPV6);
  if (!/Remote migration versions not found/i.test(said)) return undefined;
  const versions = [...new Set(said.match(/\b\d{14}\b/g))];
  return new Error(
    `the database has migrations that this commit has not (${
      versions.join(", ")
    }): deploy a commit that has them, or to a new project`,
  );
}

/** How fetch, Deno's sockets, the CLI (Go) and our own deadlines report an address that does not answer. */
const UNREACHABLE =
  /error sending request|fetch failed|dial tcp|no such host|lookup .* on |i\/o timeout|connection (refused|reset)|ECONN(REFUSED|RESET)|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|timed out|did not answer|took longer than|TransportError|IPv6 is not supported/i;

/** @returns of seven characters. */
export function labelOf(error: unknown): string {
  const message = messageOf(error);
  if (
    error instanceof Missing || (error instanceof SettingError && / must be set\b/.test(message))
  ) {
    return "MISSING";
  }
  return UNREACHABLE.test(message) ? "OFFLINE" : "FAULT  ";
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
    { name: "plan", look: () => lookAtPlan(target) },
    {
      name: "database",
      async look() {
        if (databaseOf(target) === undefined && !target.cliEnv["SUPABASE_DB_PASSWORD"]) {
          throw new Missing(
            "set SUPABASE_DB_PASSWORD (the project's database password), or SUPABASE_DB_URL",
          );
        }
        const said = await supabase(
          ["db", "push", ...remoteDatabase(target), "--dry-run", "--yes"],
          cli,
        ).catch((error) => {
          throw pushFault(messageOf(error)) ?? error;
        });
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

/** Before a rollback: only the checks whose faults its first step would not find. */
export function rollbackChecks(target: Target): Check[] {
  return [
    { name: "settings", look: () => lookAtSettings(target) },
    { name: "login", look: () => accessToken(target) && "SUPABASE_ACCESS_TOKEN is set" },
    log(target),
  ];
}

function lookAtSettings(target: Target): string {
  const { settings } = target;
  const faults = areFaults(settings) ? [...settings] : [];
  const addresses = [["SUPABASE_URL", target.projectUrl]] as [name: string, address: string][];
  if (!areFaults(settings)) addresses.push(["PUBLIC_FUNCTIONS_URL", settings.publicFunctionsUrl]);
  if (target.secrets["NODE_ENV"] !== "production") {
    faults.push(
      new SettingError(
        "NODE_ENV",
        `must be set to "production": it is "${target.secrets["NODE_ENV"] ?? ""}"`,
      ),
    );
  }
  for (const [name, address] of addresses) {
    if (!/^https:|^http:\/\/127\.0\.0\.1[:/]/.test(address)) {
      faults.push(
        new SettingError(name, `must begin with https://: current value is "${address}"`),
      );
    }
  }
  for (
    const [name, address] of [
      ["SUPABASE_URL", target.projectUrl],
      [
        "SUPABASE_DB_URL",
        // Another check reports it.
        target.database instanceof DatabaseError ? undefined : target.database?.url.href,
      ],
    ] as const
  ) {
    const other = projectOf(address);
    if (other !== undefined && other !== target.ref) {
      faults.push(
        new SettingError(name, `belongs to project ${other}, but the target is ${target.ref}`),
      );
    }
  }
  if (target.secretKey === undefined) {
    faults.push(
      new SettingError(
        "SUPABASE_SECRET_KEYS",
        'must be set: {"default": "sb_secret_..."}, from the project\'s API settings; the deploy log is written with it',
      ),
    );
  }
  if (faults.length === 1) throw faults[0];
  if (faults.length > 1) throw new AggregateError(faults);
  return `${Object.keys(target.secrets).length} present and well-formed`;
}

/** The project of an address, for addresses of the platform. */
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

/**
 * The plan of the project's organisation.
 * Source: https://supabase.com/docs/reference/api/v1-get-an-organization
 */
async function lookAtPlan(target: Target): Promise<string> {
  const authorization = `Bearer ${accessToken(target)}`;
  const profile = target.cliEnv["SUPABASE_PROFILE"];
  const api = profile === undefined
    ? "https://api.supabase.com"
    : (parseYaml(await Deno.readTextFile(profile)) as { api_url: string }).api_url;
  const ask = async (path: string) => {
    const response = await fetch(`${api}/v1/${path}`, {
      headers: { authorization },
      signal: AbortSignal.timeout(15_000),
    });
    if (!response.ok) {
      await response.body?.cancel();
      // A token may be scoped to a deploy's needs, which are less than this. The check "login" covers those.
      if (response.status === 403) return undefined;
      throw new Error(
        response.status === 401 || response.status === 404
          ? `SUPABASE_ACCESS_TOKEN does not open project ${target.ref}: Supabase answered ${response.status}`
          : `Supabase's management API answered ${response.status} to ${path.split("/")[0]}`,
      );
    }
    return await response.json() as Record<string, unknown>;
  };
  const project = await ask(`projects/${target.ref}`);
  const organization = project && await ask(`organizations/${project["organization_slug"]}`);
  if (organization === undefined) {
    return "not told, as SUPABASE_ACCESS_TOKEN may not read the project's organisation: a telephone line needs Pro";
  }
  const { plan } = organization;
  return plan === "free"
    ? "Free. It pauses a project after a week without activity, and ends a function after 150 s: a telephone line needs Pro"
    : `${plan}`;
}

function accessToken({ cliEnv }: Target): string {
  const token = cliEnv["SUPABASE_ACCESS_TOKEN"];
  if (token !== undefined) return token;
  throw new Missing(
    "set SUPABASE_ACCESS_TOKEN: an access token, from the account page of Supabase's dashboard",
  );
}

/** Whether the secret key is this project's, and the state of the deploy log. */
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

/** An error in words for the operator. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^Cannot start: /, "");
}
