/** `deno task deploy` and `deno task rollback`. */
import { join } from "@std/path/join.js";
import { parseEnv } from "node:util";
import { backUp, backupDir } from "../backup/files.ts";
import { listRecordings } from "../backup/recordings.ts";
import { command, FLAG, type Parsed, TEXT, UsageError } from "../command.ts";
import { writeConsole } from "../console/static.ts";
import { ROOT } from "../local/stack.ts";
import { deploy, type DeployOutcome, rollback } from "./deploy.ts";
import { PROJECT_REF, readTarget } from "./target.ts";
import { NUMBER } from "./twilio.ts";

const HELP = `Bring this commit to a Supabase project, or go back to the version before.

  npx -y deno@2.9.6 task deploy --project abcdefghijklmnopqrst --dry-run    what it would do, and what is missing
  npx -y deno@2.9.6 task deploy --project abcdefghijklmnopqrst
  npx -y deno@2.9.6 task rollback --project abcdefghijklmnopqrst

  --project    the project's reference, 20 letters, or its address; default SUPABASE_PROJECT_REF
  --only       deploy: functions, separated by commas; default all
  --to         rollback: a commit; default: the version before the newest deploy
  --number     deploy: the Twilio number whose webhooks are bound; default TRADELINE_NUMBER, else none
  --env-file   the settings; default .env. The environment comes before it
  --console    deploy: write the console's files for the project into this folder, and deploy nothing
  --dry-run    change nothing
  --help

Needs, from the environment or the file: SUPABASE_ACCESS_TOKEN, SUPABASE_DB_PASSWORD or SUPABASE_DB_URL,
SUPABASE_SECRET_KEYS, and the settings that .env.example describes. And that the tests have passed here, all of them,
with this commit and nothing else; or TESTED_COMMIT, by which CI says for which commit it has.

Ctrl-C in a deploy takes back what was begun; a rollback goes to its end.

Exit code 0: done, or nothing is missing (--dry-run). 1: no function was changed, or something is missing. 2: wrong
usage. 3: the new version failed, the one before serves again. 4: a person is needed now: the way back did not come to its end, and what was said last says why.`;

const EXIT_CODES: Readonly<Record<DeployOutcome, number>> = {
  deployed: 0,
  planned: 0,
  refused: 1,
  rolled_back: 3,
  unfinished: 4,
};

export interface MainOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly print: (line: string) => void;
  /** The checkout. Default: this one. */
  readonly root?: string;
  readonly patienceMs?: number;
  /** Requests a stop, see `DeployOptions`. */
  readonly signal?: AbortSignal;
}

const OPTIONS = {
  project: TEXT,
  only: TEXT,
  to: TEXT,
  number: TEXT,
  "env-file": TEXT,
  console: TEXT,
  "dry-run": FLAG,
};

/** Writes the console for a project. @returns the exit code. */
async function consoleInto(
  dir: string,
  project: string,
  env: Readonly<Record<string, string | undefined>>,
  print: (line: string) => void,
): Promise<number> {
  const publishableKey = publishableKeyOf(env);
  if (publishableKey === undefined) {
    throw new UsageError(
      "SUPABASE_PUBLISHABLE_KEYS must hold the project's publishable key, such as " +
        '{"default": "sb_publishable_..."}, or SUPABASE_ANON_KEY the legacy one',
    );
  }
  const names = await writeConsole(dir, { url: `https://${project}.supabase.co`, publishableKey });
  print(
    `Wrote ${names.length} files to ${dir}: serve them over HTTPS, and set the project's Site URL to their address`,
  );
  return 0;
}

/** A secret key among the publishable ones would be public: only the two kinds that may be are taken. */
function publishableKeyOf(env: Readonly<Record<string, string | undefined>>): string | undefined {
  let keys: unknown[] = [];
  try {
    keys = Object.values(JSON.parse(env["SUPABASE_PUBLISHABLE_KEYS"] || "{}"));
  } catch {
    // As if there were none.
  }
  const published = keys.find((key) =>
    typeof key === "string" && key.startsWith("sb_publishable_")
  );
  if (typeof published === "string") return published;
  const legacy = env["SUPABASE_ANON_KEY"] ?? "";
  try {
    return JSON.parse(atob(legacy.split(".")[1] ?? "")).role === "anon" ? legacy : undefined;
  } catch {
    return undefined;
  }
}

/** @returns the exit code. */
export function main([task = "", ...args]: string[], options: MainOptions): Promise<number> {
  return command(
    { task, help: HELP, print: options.print },
    { args, options: OPTIONS },
    ({ values }) => run(task, values, options),
  );
}

async function run(
  task: string,
  values: Parsed<{ options: typeof OPTIONS }>["values"],
  { env, print, root = ROOT, patienceMs, signal }: MainOptions,
): Promise<number> {
  const dryRun = values["dry-run"];
  const named = values.project ?? env["SUPABASE_PROJECT_REF"];
  const project = named === undefined ? undefined : refOf(named);
  if (project === undefined && (named !== undefined || !dryRun)) {
    throw new UsageError(
      `--project must be a project's reference, 20 lower-case letters, or its address${
        named === undefined ? "" : `: "${named}"`
      }`,
    );
  }
  if (values.number !== undefined && !NUMBER.test(values.number)) {
    throw new UsageError(
      `--number must be in E.164 form such as +15877428885: "${values.number}"`,
    );
  }
  const path = values["env-file"] ?? join(root, ".env");
  const file = await readFile(path, values["env-file"] !== undefined);
  if (file === undefined) throw new UsageError(`--env-file: there is no ${path}`);
  if (values.console !== undefined) {
    if (project === undefined || task !== "deploy") {
      throw new UsageError("--console needs --project");
    }
    return await consoleInto(values.console, project, { ...parseEnv(file), ...env }, print);
  }
  const common = {
    // Without a project a dry run still explains itself.
    target: readTarget(project ?? "yourprojectreference", env, file, values.number),
    root,
    dryRun,
    print,
    ...(patienceMs !== undefined && { patienceMs }),
    ...(signal !== undefined && { signal }),
  };
  const only = values.only?.split(",").map((name) => name.trim()).filter((name) => name !== "");
  if (only?.length === 0) throw new UsageError("--only names no function");
  if (project === undefined) {
    print("MISSING project: --project, or SUPABASE_PROJECT_REF: 20 letters, from its address");
  }
  const outcome =
    await (task === "rollback"
      ? rollback({ ...common, ...(values.to !== undefined && { to: values.to }) })
      : deploy({
        ...common,
        ...(only !== undefined && { only }),
        async backup(database) {
          const setting = (name: string) => env[name] || parseEnv(file)[name] || undefined;
          const key = setting("BACKUP_KEY");
          const dir = backupDir(setting, root);
          const { path, rows, recordings } = await backUp(database, dir, { key });
          // No recording is fetched while a deploy waits; known checksums are kept.
          await listRecordings(path, recordings, { key });
          const total = Object.values(rows).reduce((sum, rows) => sum + rows, 0);
          return `${path} (${total} rows${key === undefined ? ", not encrypted" : ""})`;
        },
      })).catch((error: Error): DeployOutcome => {
        print(`Cannot ${task}: ${error.message.replace(/^Cannot start: /, "")}`);
        return "refused";
      });
  if (project === undefined) return EXIT_CODES.refused;
  return task === "rollback" && outcome === "rolled_back" ? 0 : EXIT_CODES[outcome];
}

/** A reference, or the one in a pasted address of the project or of its dashboard. */
function refOf(named: string): string | undefined {
  if (PROJECT_REF.test(named)) return named;
  return /^https:\/\/([a-z]{20})\.supabase\.co(?:\/|$)/.exec(named)?.[1] ??
    /^https:\/\/supabase\.com\/dashboard\/project\/([a-z]{20})(?:[/?#]|$)/.exec(named)?.[1];
}

async function readFile(path: string, needed: boolean): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return needed ? undefined : "";
  }
}

if (import.meta.main) {
  const stop = new AbortController();
  const print = (line: string) => {
    try {
      console.log(line);
    } catch {
      // The terminal is gone; the deploy is rolled back all the same.
    }
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(name, () => {
      // One Ctrl-C arrives several times: from the terminal, and from npx and deno task.
      if (stop.signal.aborted) return;
      print("        Stopping: the current step is finished first, and a deploy is rolled back");
      stop.abort(new Error(`stopped by ${name}`));
    });
  }
  Deno.exit(
    await main(Deno.args, { env: Deno.env.toObject(), print, signal: stop.signal }),
  );
}
