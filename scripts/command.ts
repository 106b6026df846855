/**
 * What the commands of `deno task` share: their options, the variables that they read, and their exit code for
 * wrong usage.
 *
 * @module
 */
import { parseArgs, type ParseArgsConfig, parseEnv } from "node:util";

/** An option or a variable that cannot be used; the message says which and why. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A variable's value; a blank one is none. */
export type Environment = (name: string) => string | undefined;

/** What a command that a test can run in its own process is given. */
export interface CommandContext {
  readonly env: Environment;
  readonly print: (line: string) => void;
}

export interface About {
  /** Its name after `deno task`. */
  readonly task: string;
  readonly help: string;
  /** Tells the help, and what is wrong. Default: on the output, and on the error output. */
  readonly print?: (line: string) => void;
}

/** What `parseArgs` makes of a command line. */
export type Parsed<Config extends ParseArgsConfig> = ReturnType<typeof parseArgs<Config>>;

/** Options of the kinds that every command has. */
export const TEXT = { type: "string" } as const;
export const FLAG = { type: "boolean", default: false } as const;

/**
 * Runs a command with its options read, or answers `--help`.
 *
 * @param config As of `parseArgs`, without `--help`.
 * @returns the exit code: 2 where an option is wrong or `run` throws a `UsageError`, else what `run` returns.
 */
export async function command<const Config extends ParseArgsConfig>(
  { task, help, print }: About,
  config: Config,
  run: (parsed: Parsed<Config>) => Promise<number>,
): Promise<number> {
  try {
    const parsed = parse(config);
    if (parsed.values.help) {
      (print ?? console.log)(help.trimEnd());
      return 0;
    }
    return await run(parsed);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    (print ?? console.error)(`${error.message}\nSee: npx -y deno@2.9.6 task ${task} --help`);
    return 2;
  }
}

function parse<Config extends ParseArgsConfig>(config: Config) {
  const options = { ...config.options, help: { ...FLAG, short: "h" } };
  try {
    return parseArgs({ ...config, options }) as unknown as
      & Parsed<Config>
      & { readonly values: { readonly help: boolean } };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The variables of this process, then those of `.env`. */
export function environment(): Environment {
  let file: Record<string, string | undefined> = {};
  try {
    file = parseEnv(Deno.readTextFileSync(new URL("../.env", import.meta.url)));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return (name) => Deno.env.get(name)?.trim() || file[name]?.trim() || undefined;
}

/** Where this machine's functions and Data API are, without a trailing slash. */
export function localUrl(env: Environment): string {
  return `http://127.0.0.1:${env("TRADELINE_API_PORT") ?? "54321"}`;
}

/**
 * The project's secret key, in either form that Supabase gives it; undefined where none is set.
 *
 * @throws {UsageError} where `SUPABASE_SECRET_KEYS` holds none, and there is no legacy one.
 */
export function secretKey(env: Environment): string | undefined {
  const keys = env("SUPABASE_SECRET_KEYS");
  const legacy = env("SUPABASE_SERVICE_ROLE_KEY");
  if (keys === undefined) return legacy;
  try {
    const { default: key } = JSON.parse(keys);
    if (typeof key === "string" && key !== "") return key;
  } catch {
    // Said below.
  }
  if (legacy !== undefined) return legacy;
  throw new UsageError('SUPABASE_SECRET_KEYS must be JSON such as {"default": "sb_secret_..."}');
}
