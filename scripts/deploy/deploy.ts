import { join } from "@std/path/join.js";
import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import { bindingOf } from "../../supabase/functions/_shared/onboarding/saga.ts";
import { provisioning } from "../../supabase/functions/_shared/twilio/provisioning.ts";
import { parse as parseToml } from "@std/toml/parse.js";
import { kB, tooHeavy, weigh } from "./bundles.ts";
import { git, squawk, supabase } from "./commands.ts";
import { smokeTest } from "./smoke.ts";
import { remoteDatabase, remoteProject, type Target } from "./target.ts";
import { requireTested } from "./tested.ts";
import { fillVault, VAULT_NAMES } from "./vault.ts";
import {
  beforeThat,
  byCommit,
  deployedNow,
  type DeployLog,
  deployLog,
  type LogEntry,
  servingNow,
  type Versions,
  withCommit,
} from "./versions.ts";

export interface DeployOptions {
  readonly target: Target;
  /** The git checkout whose HEAD is deployed. */
  readonly root: string;
  /** The functions that are deployed; default: all that config.toml names. */
  readonly only?: readonly string[];
  /** Tells what would be done, asks what can be asked, changes nothing. */
  readonly dryRun?: boolean;
  readonly print: (line: string) => void;
  /** How long a new version may take to serve; see `smokeTest`. */
  readonly patienceMs?: number;
  /** Asks to stop: nothing further is begun, and what a deploy has begun is taken back. A rollback goes to its end. */
  readonly signal?: AbortSignal;
  /** Makes a backup of the target before its schema changes; absent: none is made. */
  readonly backup?: (databaseUrl: string) => Promise<string>;
}

/** How it ended; each is an exit code of the task. */
export type DeployOutcome =
  | "deployed"
  /** Nothing was changed. */
  | "refused"
  /** The previous version serves again. */
  | "rolled_back"
  /** A person is needed: there is no version to go back to, or the way back did not come to its end. */
  | "unfinished";

/** One thing that was looked at before anything is changed. */
interface Check {
  readonly name: string;
  /** What was found; or an Error: what is wrong, and what to do about it. */
  look(): Promise<string>;
}

/**
 * Brings a commit to a project: preflight, backup, migrations, secrets, Vault, functions, smoke test, Twilio's webhooks, deploy
 * log. Migrations only expand what the running functions know, so they come first; the functions change all at
 * once; a number is pointed at them when they have proven themselves. Whatever fails from the functions on, the
 * version that served before is deployed again, and the functions that it does not have are deleted.
 */
export async function deploy(options: DeployOptions): Promise<DeployOutcome> {
  const { target, root, print, dryRun = false, signal } = options;
  const commit = await git(["rev-parse", "HEAD"], root);
  const all = await functionsOf(root);
  const functions = options.only ?? all;
  print(`Commit ${commit.slice(0, 12)} to project ${target.ref} (${target.projectUrl})\n`);

  let faults = 0;
  // They ask different places, and only ask: all at once.
  const checks = preflight(options, commit, all).map(async ({ name, look }) => {
    try {
      return { name, found: await look(), fault: undefined };
    } catch (error) {
      return { name, found: undefined, fault: messageOf(error) };
    }
  });
  for (const { name, found, fault } of await Promise.all(checks)) {
    if (fault === undefined) print(`ok      ${name}: ${found}`);
    else print(`${dryRun ? "MISSING" : "FAULT  "} ${name}: ${fault}`);
    if (fault !== undefined) faults++;
  }

  if (dryRun) {
    print("\nA deploy would do this, in this order:");
    for (const [index, line] of planOf(options, functions, commit).entries()) {
      print(`  ${index + 1}. ${line}`);
    }
    print(
      faults === 0
        ? "\nNothing was changed. All is there: the same command without --dry-run does it."
        : `\nNothing was changed. ${faults} things above are missing before it can be done.`,
    );
    return "refused";
  }
  if (faults > 0) {
    print(`\nNothing was changed: correct what is marked FAULT, and start again.`);
    return "refused";
  }

  const settings = target.settings;
  if (settings instanceof SettingError) throw settings;
  const cli = { cwd: root, env: target.cliEnv };
  const log = deployLog(target);
  let entries: LogEntry[];
  const done = (step: string) => {
    print(`done    ${step}`);
    signal?.throwIfAborted();
  };
  print("");
  try {
    signal?.throwIfAborted();
    if (target.databaseUrl !== undefined && options.backup !== undefined) {
      done(`backup: ${await options.backup(target.databaseUrl)}`);
    }
    await withCommit(root, commit, async (dir) => {
      await supabase(["db", "push", ...remoteDatabase(target), "--yes"], { ...cli, cwd: dir });
      done("migrations");
      await setSecrets(target, dir);
      done(`secrets: ${Object.keys(target.secrets).join(", ")}`);
      const vault = await fillVault(target, dir);
      done(
        vault === undefined
          ? "schedule: none, as this database has no Vault to read the functions' address from"
          : `schedule: ${[...vault].map(([name, what]) => `${name} ${what}`).join(", ")} in Vault`,
      );
    });
    entries = await log.read();
  } catch (error) {
    print(`FAULT   ${messageOf(error)}\n`);
    print(
      "The functions were not touched: the version that served before still serves. Migrations that were applied stay, as they only add.",
    );
    return "refused";
  }

  const previous = servingNow(entries);
  const versions: Versions = {
    ...previous,
    ...Object.fromEntries(functions.map((name) => [name, commit])),
  };
  try {
    const releases = await deployFunctions(target, root, new Map([[commit, [...functions]]]));
    done(`${functions.length} functions`);
    // With --only some may not be there yet.
    const expected = all.filter((name) => Object.hasOwn(versions, name));
    const found = await smokeTest({ ...smokeOptions(options), functions: expected, releases });
    done(`smoke test: ${found.join("; ")}`);
    print(`done    ${await bindNumber(target, settings.publicFunctionsUrl)}`);
    await log.write({ event: "deploy_succeeded", versions, previous });
  } catch (error) {
    print(`FAULT   ${messageOf(error)}\n`);
    return await goBack(options, log, { versions, previous, reason: messageOf(error) }, [
      ...new Set([...deployedNow(entries), ...functions]),
    ]);
  }
  print(`\nCommit ${commit.slice(0, 12)} serves.`);
  return "deployed";
}

/** Deploys what served before the newest deploy again, and deletes our functions that it does not have. */
export async function rollback(
  options: Omit<DeployOptions, "only" | "backup"> & { readonly to?: string },
): Promise<DeployOutcome> {
  const { target, root, print, dryRun = false, signal } = options;
  // It could not prove itself without.
  if (target.settings instanceof SettingError) throw target.settings;
  const log = deployLog(target);
  const entries = await log.read();
  const previous = servingNow(entries);
  const versions = options.to === undefined
    ? beforeThat(entries)
    : await versionsOf(root, await git(["rev-parse", options.to], root));
  if (Object.keys(versions).length === 0) {
    print("The deploy log knows no earlier version. Name one: deno task rollback --to COMMIT");
    return "refused";
  }
  const there = deployedNow(entries);
  for (const [commit, names] of byCommit(versions)) {
    print(`${commit.slice(0, 12)}: ${names.join(", ")}`);
  }
  if (dryRun) {
    const surplus = surplusOf(versions, there);
    print(
      `\nA rollback would deploy these again${
        surplus.length === 0
          ? ""
          : `, and when they serve delete what they replace: ${surplus.join(", ")}`
      }. Nothing was changed.`,
    );
    return "refused";
  }
  signal?.throwIfAborted();
  let undeleted: string[];
  try {
    undeleted = await bringBack(options, versions, there);
  } catch (error) {
    const reason = messageOf(error);
    print(`FAULT   ${reason}`);
    await note(options, log, { event: "rollback_failed", versions, previous, reason });
    print(
      "\nNo function was deleted. It needs a person now: the same again, or --to another COMMIT",
    );
    return "unfinished";
  }
  const noted = await note(options, log, {
    event: "rollback_succeeded",
    versions,
    previous,
    undeleted,
  });
  print(
    "\nThe previous version serves. The database keeps its newer schema, which it can work with.",
  );
  if (!noted) {
    print(
      "It needs a person now: the deploy log does not know of it. The same again writes it; a deploy before that might go back to what was rolled back.",
    );
  }
  return left(undeleted, print) || !noted ? "unfinished" : "rolled_back";
}

/** Takes a deploy back that failed. */
async function goBack(
  options: DeployOptions,
  log: DeployLog,
  failed: Pick<LogEntry, "versions" | "previous" | "reason">,
  there: readonly string[],
): Promise<DeployOutcome> {
  const { print } = options;
  const { previous, reason } = failed;
  const event = "deploy_failed";
  if (Object.keys(previous).length === 0) {
    await note(options, log, { event, ...failed });
    print(
      "There is no earlier version to go back to: this was the first deploy. It needs a person now.",
    );
    return "unfinished";
  }
  let undeleted: string[];
  try {
    undeleted = await bringBack(options, previous, there);
  } catch (error) {
    await note(options, log, {
      event,
      ...failed,
      reason: `${reason}; going back failed: ${messageOf(error)}`,
    });
    print(
      `FAULT   Going back failed: ${messageOf(error)}\nIt needs a person now: deno task rollback`,
    );
    return "unfinished";
  }
  await note(options, log, { event, ...failed, versions: previous, undeleted });
  const commits = [...byCommit(previous).keys()].map((each) => each.slice(0, 12)).join(", ");
  print(
    `\nRolled back: the previous version (${commits}) serves again. Secrets keep their new values.`,
  );
  return left(undeleted, print) ? "unfinished" : "rolled_back";
}

/**
 * Deploys a version again. When it has proven that it serves, and no sooner, deletes the functions that it does not have.
 *
 * @param there The functions that the deploy log knows to be there: nobody else's in the same project.
 * @returns the functions that could not be deleted.
 */
async function bringBack(
  options: DeployOptions,
  version: Versions,
  there: readonly string[],
): Promise<string[]> {
  const { target, root, print } = options;
  const releases = await deployFunctions(target, root, byCommit(version));
  const functions = Object.keys(version);
  const found = await smokeTest({ ...smokeOptions(options), functions, releases });
  print(`done    previous version deployed; smoke test: ${found.join("; ")}`);
  const undeleted: string[] = [];
  for (const name of surplusOf(version, there)) {
    try {
      // deno-lint-ignore no-await-in-loop -- Few, and the CLI takes one at a time.
      await supabase(
        ["functions", "delete", name, ...remoteProject(target), "--yes"],
        { cwd: root, env: target.cliEnv },
      );
      print(`done    ${name} is deleted: the previous version does not have it`);
    } catch (error) {
      // It failed before that one was there, or somebody has deleted it.
      if (/does not exist .*nothing to delete/.test(messageOf(error))) continue;
      print(`FAULT   ${name} is not deleted: ${messageOf(error)}`);
      undeleted.push(name);
    }
  }
  return undeleted;
}

/** What is there and a version does not have. */
function surplusOf(version: Versions, there: readonly string[]): string[] {
  return there.filter((name) => !Object.hasOwn(version, name));
}

/** Tells of functions that could not be deleted, if any. */
function left(undeleted: readonly string[], print: (line: string) => void): boolean {
  if (undeleted.length === 0) return false;
  print(
    `It needs a person now: whoever knows their names still reaches ${
      undeleted.join(", ")
    }. deno task rollback tries again to delete them, and goes no further back.`,
  );
  return true;
}

/** Writes to the deploy log; calls are served without. @returns whether it could. */
async function note(
  { print }: DeployOptions,
  log: DeployLog,
  { reason, ...entry }: LogEntry,
): Promise<boolean> {
  try {
    await log.write({ ...entry, ...(reason !== undefined && { reason: reason.slice(0, 500) }) });
    return true;
  } catch (error) {
    print(`FAULT   The deploy log could not be written: ${messageOf(error)}`);
    return false;
  }
}

function preflight({ target, root, only }: DeployOptions, commit: string, all: string[]): Check[] {
  const cli = { cwd: root, env: target.cliEnv };
  return [
    {
      name: "settings",
      look: () => {
        if (target.settings instanceof SettingError) return Promise.reject(target.settings);
        const { environment } = target.settings;
        if (environment !== "production") {
          return Promise.reject(
            new SettingError("NODE_ENV", `must be "production": current value is "${environment}"`),
          );
        }
        for (
          const [name, address] of [
            ["SUPABASE_URL", target.projectUrl],
            ["PUBLIC_FUNCTIONS_URL", target.settings.publicFunctionsUrl],
          ] as const
        ) {
          if (!/^https:|^http:\/\/127\.0\.0\.1[:/]/.test(address)) {
            return Promise.reject(
              new SettingError(name, `must begin with https://: current value is "${address}"`),
            );
          }
        }
        if (target.secretKey === undefined) {
          return Promise.reject(
            new SettingError(
              "SUPABASE_SECRET_KEYS",
              'must be set: {"default": "sb_secret_..."}, from the project\'s API settings; the deploy log is written with it',
            ),
          );
        }
        return Promise.resolve(`${Object.keys(target.secrets).length} present and well-formed`);
      },
    },
    {
      name: "functions",
      look: () => {
        const unknown = (only ?? []).filter((name) => !all.includes(name));
        if (unknown.length === 0) {
          return Promise.resolve(`${(only ?? all).length} of ${all.length}`);
        }
        return Promise.reject(
          new Error(`supabase/config.toml names no function ${unknown.join(", ")}`),
        );
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
        const weights = await weigh(root, all);
        const faults = tooHeavy(weights);
        if (faults.length > 0) throw new Error(faults.join("\n"));
        return `the largest has ${
          kB(Math.max(...weights.code.values()))
        } of code; with whole packages ${kB(weights.bundle)}, compressed`;
      },
    },
    { name: "CLI", look: async () => (await supabase(["--version"], cli)).trim() },
    {
      name: "login",
      async look() {
        if (target.cliEnv["SUPABASE_ACCESS_TOKEN"] === undefined) {
          throw new Error(
            "set SUPABASE_ACCESS_TOKEN: an access token, from the account page of Supabase's dashboard",
          );
        }
        await supabase(["functions", "list", ...remoteProject(target)], cli);
        return `the project ${target.ref} answers`;
      },
    },
    {
      name: "database",
      async look() {
        if (target.databaseUrl === undefined && !target.cliEnv["SUPABASE_DB_PASSWORD"]) {
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
  ];
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

function planOf({ target }: DeployOptions, functions: readonly string[], commit: string): string[] {
  const remote = target.databaseUrl === undefined
    ? `--remote=${target.ref}`
    : "--remote=$SUPABASE_DB_URL";
  const number = target.number;
  return [
    target.databaseUrl === undefined
      ? "backup: none of its own, as SUPABASE_DB_URL is not set; the project's daily backups remain"
      : "backup: a copy of the database into BACKUP_DIR, else .tradeline/backups (deno task backup)",
    `migrations: supabase db push ${remote} --yes`,
    `secrets: supabase secrets set --env-file ... (${
      Object.keys(target.secrets).join(", ") || "none"
    })`,
    `schedule: ${VAULT_NAMES.join(" and ")} into Vault, for the jobs that call the workers on time`,
    `functions: supabase functions deploy --use-api, from commit ${commit.slice(0, 12)}: ${
      functions.join(", ")
    }; all of them change at once`,
    "smoke test: every function answers, by the version that was just deployed; voice-health answers 200; an unsigned request gets 401; a signed synthetic call is greeted, presses 1, is connected",
    number === undefined
      ? "Twilio: nothing, as neither --number nor TRADELINE_NUMBER names one"
      : `Twilio: ${number} gets the addresses of voice-frontdoor, voice-voicemail (when that fails) and voice-status`,
    "deploy log: deploy_succeeded in analytics_events. A failure from the functions on: the version that served before is deployed again, functions that are new are deleted, and deploy_failed says why",
  ];
}

async function setSecrets(target: Target, dir: string): Promise<void> {
  if (Object.keys(target.secrets).length === 0) return;
  const file = await Deno.makeTempFile({ prefix: "tradeline-secrets-" });
  try {
    await Deno.chmod(file, 0o600);
    const lines = Object.entries(target.secrets).map(([name, value]) => `${name}=${quoted(value)}`);
    await Deno.writeTextFile(file, `${lines.join("\n")}\n`);
    await supabase(
      ["secrets", "set", "--env-file", file, ...remoteProject(target), "--yes"],
      { cwd: dir, env: target.cliEnv },
    );
  } finally {
    await Deno.remove(file);
  }
}

/** As the CLI's reader of such files takes a value literally. */
function quoted(value: string): string {
  return value.includes("'") ? JSON.stringify(value) : `'${value}'`;
}

/** @returns the release of which each function now has to be, see release.ts. */
async function deployFunctions(
  target: Target,
  root: string,
  commits: ReadonlyMap<string, readonly string[]>,
): Promise<Map<string, string>> {
  const releases = new Map<string, string>();
  for (const [commit, names] of commits) {
    // deno-lint-ignore no-await-in-loop -- Few: one, unless single functions were deployed.
    await withCommit(root, commit, async (dir) => {
      const release = await stamp(dir);
      await supabase(
        ["functions", "deploy", ...names, "--use-api", ...remoteProject(target), "--yes"],
        { cwd: dir, env: target.cliEnv },
      );
      if (release !== undefined) { for (const name of names) releases.set(name, release); }
    });
  }
  return releases;
}

/** Writes a new release into a commit's files; undefined: that commit is from before there were releases. */
async function stamp(dir: string): Promise<string | undefined> {
  const file = join(dir, "supabase", "functions", "_shared", "release.ts");
  const release = crypto.randomUUID();
  const text = await Deno.readTextFile(file).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  if (text === undefined) return undefined;
  await Deno.writeTextFile(file, text.replace('"none"', `"${release}"`));
  return release;
}

function smokeOptions({ target: { settings }, patienceMs }: DeployOptions) {
  if (settings instanceof SettingError) throw settings;
  return {
    functionsUrl: settings.publicFunctionsUrl,
    settings,
    ...(patienceMs !== undefined && { patienceMs }),
  };
}

/** Twilio's webhooks at the number; the same as an onboarded number's. */
async function bindNumber(target: Target, functionsUrl: string): Promise<string> {
  const { number, settings } = target;
  if (number === undefined) return "Twilio's webhooks were left as they are";
  if (settings instanceof SettingError) throw settings;
  if (settings.twilioAccountSid === undefined) {
    throw new SettingError("TWILIO_ACCOUNT_SID", `must be set, for ${number} to be bound`);
  }
  const twilio = provisioning({
    baseUrl: settings.twilioApiUrl,
    accountSid: settings.twilioAccountSid,
    authToken: settings.twilioAuthToken,
  });
  const [owned] = await twilio.owned(settings.twilioAccountSid, number);
  if (owned === undefined) throw new Error(`Twilio's main account has no number ${number}`);
  await twilio.bindNumber(settings.twilioAccountSid, owned.sid, bindingOf(functionsUrl));
  return `Twilio: ${number} rings here`;
}

/** The functions that config.toml names. */
export async function functionsOf(root: string): Promise<string[]> {
  const text = await Deno.readTextFile(join(root, "supabase", "config.toml"));
  const config = parseToml(text) as { functions?: Record<string, unknown> };
  return Object.keys(config.functions ?? {}).sort();
}

async function versionsOf(root: string, commit: string): Promise<Versions> {
  return await withCommit(
    root,
    commit,
    async (dir) => Object.fromEntries((await functionsOf(dir)).map((name) => [name, commit])),
  );
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^Cannot start: /, "");
}
