/** `deno task doctor`: what is wrong with a line, and what to do about it. Exit code 1 when calls are not served. */
import {
  ADDRESS,
  command,
  type CommandContext,
  environment,
  type Parsed,
  projectAt,
  twilioAccess,
  UsageError,
} from "../command.ts";
import { type Database, databaseAt, DatabaseError, localDatabaseUrl } from "../database.ts";
import { diagnose, type Finding, isHealthy } from "./diagnose.ts";
import { examine } from "./examine.ts";

const HELP = `What is wrong with the line, and what to do about it.

  npx -y deno@2.9.6 task doctor                                          this machine's
  npx -y deno@2.9.6 task doctor --url https://YOUR_PROJECT.supabase.co   a deployed one

  --url   the project's address

The project's secret key is read from SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY (environment, then .env).
With it each alert is shown, and overdue mails.

Of a deployed one, with SUPABASE_DB_URL set, it also tells whether the database is as this release made it, and whether its
schedule finds the functions; with TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, whether the account is a trial or has no
approved profile, and whether recordings are played without credentials.

Exit code 0: calls are served; 1: they are not, or a critical alert fires; 2: wrong usage.`;

/** One finding, and beneath it what to do. */
function formatFinding({ level, what, advice }: Finding): string {
  const mark = { ok: "ok      ", warning: "warning ", fault: "FAULT   " }[level];
  return advice === undefined ? `${mark}${what}` : `${mark}${what}\n        -> ${advice}`;
}

const OPTIONS = { url: ADDRESS };

/** @returns the exit code. */
export function main(args: string[], { env, print }: CommandContext): Promise<number> {
  return command(
    { task: "doctor", help: HELP, print },
    { args, options: OPTIONS },
    ({ values }) => run(values, { env, print }),
  );
}

async function run(
  options: Parsed<{ options: typeof OPTIONS }>["values"],
  { env, print }: CommandContext,
): Promise<number> {
  const local = options.url === undefined;
  const { url, key } = projectAt(env, options.url);
  const findings = diagnose(
    await examine(url, key, databaseIn(env, local), local ? undefined : twilioAccess(env, local)),
  );

  print(`The line at ${url}\n`);
  for (const finding of findings) print(formatFinding(finding));
  const count = (level: Finding["level"]) => findings.filter((each) => each.level === level).length;
  print(
    `\n${isHealthy(findings) ? "Calls are served" : "Not healthy"}: ` +
      `${count("fault")} faults, ${count("warning")} warnings`,
  );
  return isHealthy(findings) ? 0 : 1;
}

/** @throws {UsageError} when the address is malformed. */
function databaseIn(env: CommandContext["env"], local: boolean): Database | undefined {
  const address = local ? localDatabaseUrl(env) : env("SUPABASE_DB_URL");
  try {
    return address === undefined ? undefined : databaseAt(address, env, "SUPABASE_DB_URL");
  } catch (error) {
    throw error instanceof DatabaseError ? new UsageError(error.message) : error;
  }
}

if (import.meta.main) {
  Deno.exit(await main(Deno.args, { env: environment(), print: (line) => console.log(line) }));
}
