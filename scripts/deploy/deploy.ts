import { join } from "@std/path/join.js";
import { parse as parseToml } from "@std/toml/parse.js";
import { bundle } from "./bundles.ts";
import { git, supabase } from "./commands.ts";
import { deployChecks, messageOf, preflight, rollbackChecks } from "./preflight.ts";
import { listSecrets, setSecrets } from "./secrets.ts";
import { forgetSyntheticCalls, smokeTest } from "./smoke.ts";
import { publishedFlows } from "./snapshot.ts";
import type { Database } from "../database.ts";
import { databaseOf, remoteDatabase, remoteProject, settingsOf, type Target } from "./target.ts";
import { bindNumber } from "./twilio.ts";
import { fillVault, schedulerSecrets, VAULT_NAMES } from "./vault.ts";
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
  /** Prints the steps and runs the checks; changes nothing. */
  readonly dryRun?: boolean;
  readonly print: (line: string) => void;
  /** How long a new version may take to serve; see `smokeTest`. */
  readonly patienceMs?: number;
  /** Requests a stop: no further step begins, and a deploy is rolled back. A rollback itself is completed. */
  readonly signal?: AbortSignal;
  /** Makes a backup of the target before its schema changes; absent: no backup. */
  readonly backup?: (database: Database) => Promise<string>;
}

/** How it ended; each is an exit code of the task. */
export type DeployOutcome =
  | "deployed"
  /** A dry run. */
  | "planned"
  /** Nothing was changed. */
  | "refused"
  /** The previous version serves again. */
  | "rolled_back"
  /** A person is needed: there is no earlier version, or the rollback failed. */
  | "unfinished";

/**
 * Deploys a commit to a project: preflight, backup, migrations, secrets, Vault, functions, smoke test, Twilio's webhooks,
 * deploy log. Migrations only add to the schema that the running functions know, so they come first. All functions
 * change at once, and the number is bound after they passed the smoke test. On a failure from the functions on, the
 * version before is deployed again, and functions that it lacks are deleted.
 */
export async function deploy(options: DeployOptions): Promise<DeployOutcome> {
  const { target, root, print, dryRun = false, signal } = options;
  const commit = await git(["rev-parse", "HEAD"], root);
  const all = await functionsOf(root);
  const functions = options.only ?? all;
  print(`Commit ${commit.slice(0, 12)} to project ${target.ref} (${target.projectUrl})\n`);

  const secrets = onceListed(target, root);
  const faults = await preflight(deployChecks(options, commit, all, secrets), print);
  if (dryRun) {
    print("\nA deploy would do this, in this order:");
    for (const [index, line] of planOf(options, functions, commit).entries()) {
      print(`  ${index + 1}. ${line}`);
    }
    print(
      faults === 0
        ? "\nNothing was changed. All is there: run it without --dry-run to deploy."
        : `\nNothing was changed. Before a deploy correct ${
          faults === 1 ? "the line" : `the ${faults} lines`
        } above not marked ok.`,
    );
    return faults === 0 ? "planned" : "refused";
  }
  if (faults > 0) {
    print(`\nNothing was changed: correct what is not marked ok, and start again.`);
    return "refused";
  }

  const log = deployLog(target);
  const done = (step: string) => {
    print(`done    ${step}`);
    signal?.throwIfAborted();
  };
  let begun: Begun | undefined;
  print("");
  try {
    signal?.throwIfAborted();
    const database = databaseOf(target);
    if (database === undefined) print("skipped backup: SUPABASE_DB_URL is not set");
    else if (options.backup) done(`backup: ${await options.backup(database)}`);
    await withCommit(root, commit, async (dir) => {
      const cli = { cwd: dir, env: target.cliEnv };
      await supabase(["db", "push", ...remoteDatabase(target), "--yes"], cli);
      done("migrations");
      begun = await begin(log, functions, commit);
      const scheduler = await schedulerSecrets(target, dir);
      const named = { ...target, secrets: { ...target.secrets, ...scheduler } };
      done(`secrets: ${await setSecrets(named, await secrets(), dir)}`);
      if (scheduler === undefined) {
        done("schedule: none, as this database has no Vault to read the functions' address from");
      } else {
        const vault = await fillVault(target, dir, scheduler.SCHEDULER_TOKEN);
        done(
          `schedule: ${[...vault].map(([name, what]) => `${name} ${what}`).join(", ")} in Vault`,
        );
      }
    });
  } catch (error) {
    const reason = messageOf(error);
    print(`FAULT   ${reason}\n`);
    if (begun !== undefined) {
      const { previous } = begun;
      await note(options, log, { event: "deploy_failed", versions: previous, previous, reason });
    }
    print(
      "The functions were not touched: the version that served before still serves. Migrations that were applied stay, as they only add; so do secrets that were set.",
    );
    return "refused";
  }

  const { versions, previous, there } = begun!;
  try {
    const releases = await deployFunctions(options, new Map([[commit, [...functions]]]));
    done(`${functions.length} functions`);
    // With --only some may not be there yet.
    const expected = all.filter((name) => Object.hasOwn(versions, name));
    done(`smoke test: ${await prove(options, expected, releases)}`);
    print(`done    ${await bindNumber(target)}`);
    await log.write({ event: "deploy_succeeded", versions, previous });
  } catch (error) {
    const reason = messageOf(error);
    print(`FAULT   ${reason}\n`);
    return await goBack(options, log, { versions, previous, reason }, [
      ...new Set([...there, ...functions]),
    ]);
  }
  print(`\nCommit ${commit.slice(0, 12)} serves.`);
  return "deployed";
}

/** The names of the project's secrets, read once. */
function onceListed(target: Target, root: string): () => Promise<string[]> {
  let listed: Promise<string[]> | undefined;
  return () => listed ??= listSecrets(target, root);
}

/** The entry of a deploy in progress, from which a later command can roll back after a power cut. */
interface Begun {
  /** The versions to deploy. */
  readonly versions: Versions;
  readonly previous: Versions;
  readonly there: readonly string[];
}

async function begin(
  log: DeployLog,
  functions: readonly string[],
  commit: string,
): Promise<Begun> {
  const entries = await log.read();
  const previous = servingNow(entries);
  const versions: Versions = {
    ...previous,
    ...Object.fromEntries(functions.map((name) => [name, commit])),
  };
  await log.write({ event: "deploy_started", versions, previous });
  return { versions, previous, there: deployedNow(entries) };
}

/** Deploys the version from before the newest deploy again, and deletes our functions that it lacks. */
export async function rollback(
  options: Omit<DeployOptions, "only" | "backup"> & { readonly to?: string },
): Promise<DeployOutcome> {
  const { target, root, print, dryRun = false, signal } = options;
  if (await preflight(rollbackChecks(target), print) > 0) {
    print("\nNothing was changed.");
    return "refused";
  }
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
        surplus.length === 0 ? "" : `, and delete after the smoke test: ${surplus.join(", ")}`
      }. Nothing was changed.`,
    );
    return "planned";
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
      "\nNo function was deleted. A person is needed: run it again, or with --to another COMMIT",
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
      "A person is needed: the deploy log does not have this rollback. Run it again to write it, before the next deploy: otherwise that one may roll back to the version that failed.",
    );
  }
  return left(undeleted, print) || !noted ? "unfinished" : "rolled_back";
}

/** Rolls a failed deploy back. */
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
      "There is no earlier version: this was the first deploy. A person is needed.",
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
      `FAULT   Going back failed: ${messageOf(error)}\nA person is needed: deno task rollback`,
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
 * Deploys a version again. After it passed the smoke test, deletes the functions that it lacks.
 *
 * @param there The functions of the deploy log, which has none that others deployed to the same project.
 * @returns the functions that could not be deleted.
 */
async function bringBack(
  options: DeployOptions,
  version: Versions,
  there: readonly string[],
): Promise<string[]> {
  const { target, root, print } = options;
  const releases = await deployFunctions(options, byCommit(version));
  const found = await prove(options, Object.keys(version), releases);
  print(`done    previous version deployed; smoke test: ${found}`);
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
      // The deploy failed before it existed, or it was deleted meanwhile.
      if (/does not exist .*nothing to delete/.test(messageOf(error))) continue;
      print(`FAULT   ${name} is not deleted: ${messageOf(error)}`);
      undeleted.push(name);
    }
  }
  return undeleted;
}

/** Functions that exist and that a version lacks. */
function surplusOf(version: Versions, there: readonly string[]): string[] {
  return there.filter((name) => !Object.hasOwn(version, name));
}

/** Reports functions that could not be deleted. */
function left(undeleted: readonly string[], print: (line: string) => void): boolean {
  if (undeleted.length === 0) return false;
  print(
    `A person is needed: these functions can still be called: ${
      undeleted.join(", ")
    }. deno task rollback tries again to delete them, and goes no further back.`,
  );
  return true;
}

/** Writes to the deploy log, which calls do not need. @returns whether it could. */
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

function planOf({ target }: DeployOptions, functions: readonly string[], commit: string): string[] {
  const remote = target.database === undefined
    ? `--remote=${target.ref}`
    : "--remote=$SUPABASE_DB_URL";
  const number = target.number;
  return [
    target.database === undefined
      ? "backup: none, as SUPABASE_DB_URL is not set; what the project's plan backs up remains"
      : "backup: a copy of the database into BACKUP_DIR, else the data directory (deno task backup)",
    `migrations: supabase db push ${remote} --yes`,
    `secrets: supabase secrets set --env-file ... (${
      Object.keys(target.secrets).join(", ") || "none"
    })`,
    `schedule: ${VAULT_NAMES.join(" and ")} into Vault, for the jobs that call the workers on time`,
    `functions: each bundled into one file, then supabase functions deploy --use-api, from commit ${
      commit.slice(0, 12)
    }: ${functions.join(", ")}; all of them change at once`,
    "smoke test: every function answers, by the version that was just deployed; voice-health answers 200; an unsigned request gets 401; a signed synthetic call is greeted, presses 1, is connected",
    number === undefined
      ? "Twilio: nothing, as neither --number nor TRADELINE_NUMBER names one"
      : `Twilio: ${number} gets the addresses of voice-frontdoor, voice-voicemail (when that fails) and voice-status`,
    "deploy log: deploy_succeeded in analytics_events. A failure from the functions on: the version that served before is deployed again, functions that are new are deleted, and deploy_failed says why",
  ];
}

/** The folder of deployed source maps below the checkout; one subfolder a release. */
const SOURCE_MAPS = join(".tradeline", "source-maps");

/** @returns the release that each function must report now, see release.ts. */
async function deployFunctions(
  { target, root, print }: DeployOptions,
  commits: ReadonlyMap<string, readonly string[]>,
): Promise<Map<string, string>> {
  const flows = await publishedFlows(target);
  print(`done    flows: ${flows.told} go along, for an outage of the database`);
  const releases = new Map<string, string>();
  for (const [commit, names] of commits) {
    // deno-lint-ignore no-await-in-loop -- Few: one, unless single functions were deployed.
    await withCommit(root, commit, async (dir) => {
      const release = crypto.randomUUID();
      const isStamped = await write(dir, "release.ts", release);
      await write(dir, "flows/shipped.ts", flows.packed);
      const upload = await stage(dir, names);
      await supabase(
        ["functions", "deploy", ...names, "--use-api", ...remoteProject(target), "--yes"],
        { cwd: upload, env: target.cliEnv },
      );
      await keepSourceMaps(upload, names, join(root, SOURCE_MAPS, isStamped ? release : commit));
      if (isStamped) { for (const name of names) releases.set(name, release); }
    });
  }
  return releases;
}

/** Lays out the upload of a commit: each function as one file, and its configuration. */
async function stage(dir: string, names: readonly string[]): Promise<string> {
  const upload = join(dir, ".upload");
  const supabaseDir = join(upload, "supabase");
  await bundle(dir, names, join(supabaseDir, "functions"));
  const config = parseToml(await Deno.readTextFile(join(dir, "supabase", "config.toml"))) as {
    functions: Record<string, { verify_jwt?: boolean }>;
  };
  const sections = names.map((name) =>
    `[functions.${name}]\nenabled = true\nverify_jwt = ${
      config.functions[name]?.verify_jwt ?? true
    }\nentrypoint = "./functions/${name}/index.js"\n`
  );
  await Deno.writeTextFile(
    join(supabaseDir, "config.toml"),
    `project_id = "tradeline"\n\n${sections.join("\n")}`,
  );
  return upload;
}

async function keepSourceMaps(
  upload: string,
  names: readonly string[],
  folder: string,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Promise.all(names.map((name) =>
    Deno.copyFile(
      join(upload, "supabase", "functions", name, "index.js.map"),
      join(folder, `${name}.js.map`),
    )
  ));
}

/** Writes what only the deploy knows in place of "none"; false: that commit is from before it had such a file. */
async function write(dir: string, name: string, value: string): Promise<boolean> {
  const file = join(dir, "supabase", "functions", "_shared", name);
  const text = await Deno.readTextFile(file).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  if (text === undefined) return false;
  await Deno.writeTextFile(file, text.replace('"none"', `"${value}"`));
  return true;
}

/** Runs the smoke test, and erases its call. */
async function prove(
  { target, patienceMs }: DeployOptions,
  functions: readonly string[],
  releases: ReadonlyMap<string, string>,
): Promise<string> {
  const settings = settingsOf(target);
  try {
    const found = await smokeTest({
      functionsUrl: settings.publicFunctionsUrl,
      settings,
      functions,
      releases,
      ...(patienceMs !== undefined && { patienceMs }),
    });
    return found.join("; ");
  } finally {
    await forgetSyntheticCalls(target);
  }
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
