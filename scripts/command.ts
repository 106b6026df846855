/**
 * What the commands of `deno task` share: their options, the variables that they read, and their exit code for
 * wrong usage.
 *
 * @module
 */
// Imports no package that has to be fetched, so that help and the first line of progress appear at once.
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, type ParseArgsConfig, parseEnv } from "node:util";
import type { TwilioAccess } from "../supabase/functions/_shared/twilio/client.ts";
import {
  LOCAL_ACCOUNT_SID,
  LOCAL_AUTH_TOKEN,
  LOCAL_SECRET_KEY,
  TWILIO_URL_FILE,
} from "./defaults.ts";

/** An option or a variable that cannot be used; the message says which and why. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A variable's value; a blank one counts as unset. */
export type Environment = (name: string) => string | undefined;

/** The context of a command, which a test can replace. */
export interface CommandContext {
  readonly env: Environment;
  readonly print: (line: string) => void;
}

export interface About {
  /** Its name after `deno task`. */
  readonly task: string;
  readonly help: string;
  /** Prints help and errors. Default: help to standard output, errors to standard error. */
  readonly print?: (line: string) => void;
}

/** The result of `parseArgs`. */
export type Parsed<Config extends ParseArgsConfig> = ReturnType<typeof parseArgs<Config>>;

/** Common kinds of options. */
export const TEXT = { type: "string" } as const;
export const FLAG = { type: "boolean", default: false } as const;

/** A text of a required form; `must` completes the message "--from must be a number such as +14035550123". */
export function textThat(must: string, form: RegExp | ((value: string) => boolean)) {
  const is = typeof form === "function" ? form : (value: string) => form.test(value);
  return { type: "string", must, is } as const;
}

export const E164 = textThat("be a number such as +14035550123", /^\+[1-9]\d{7,14}$/);
export const ACCOUNT = textThat("be an account's SID: AC and 32 hex digits", /^AC[0-9a-fA-F]{32}$/);
export const ADDRESS = textThat(
  "be an address such as https://YOUR_PROJECT.supabase.co (http:// on this machine only, as it takes keys)",
  (value) =>
    URL.canParse(value) &&
    /^https:\/\/[^/]|^http:\/\/(127(\.\d+){3}|localhost|\[::1\])([:/]|$)/.test(value),
);

/** Placeholders of help and docs, which are refused when pasted unchanged. */
const PLACEHOLDER = /\bYOUR_[A-Z_]+|^(sb_secret_|AC|\+1|(https|postgresql):\/\/)?\.\.\.$/;

/** @param whole Whether fractions are refused. */
export function numberFrom(least: number, whole = false, most = Infinity) {
  const kind = whole ? "a whole number" : "a number";
  const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
  return textThat(`be ${kind} ${range}`, (value) => {
    const number = Number(value);
    return number >= least && number <= most && Number.isFinite(number) &&
      (!whole || Number.isInteger(number));
  });
}

export interface CommandConfig extends ParseArgsConfig {
  /** Options that exclude each other. */
  readonly either?: readonly (readonly string[])[];
}

/**
 * Reads a command's options and runs it; `--help` comes before everything else. Unknown options, repeated options that
 * are not lists, and empty or malformed values are refused.
 *
 * @param config As of `parseArgs`, without `--help`.
 * @returns the exit code: 2 where an option is wrong or `run` throws a `UsageError`, else what `run` returns.
 */
export async function command<const Config extends CommandConfig>(
  { task, help, print }: About,
  config: Config,
  run: (parsed: Parsed<Config>) => Promise<number>,
): Promise<number> {
  try {
    const { args = [] } = config;
    const end = args.indexOf("--");
    if (args.slice(0, end === -1 ? undefined : end).some((arg) => /^(-h|--help)$/.test(arg))) {
      (print ?? console.log)(help.trimEnd());
      return 0;
    }
    return await run(parse(config));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    (print ?? console.error)(
      `${error.message.replace(/\.$/, "")}. See npx -y deno@2.9.6 task ${task} --help`,
    );
    return 2;
  }
}

function parse<Config extends CommandConfig>(config: Config): Parsed<Config> {
  const { either = [], options = {}, ...rest } = config;
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ ...rest, options, tokens: true });
  } catch (error) {
    const { message } = error as Error;
    const [, dashed] = /^Option '(?:-\w, )?(--[\w-]+)\b.*' argument is ambiguous/.exec(message) ??
      [];
    if (dashed !== undefined) {
      throw new UsageError(
        `${dashed} has no value; one that begins with a dash needs ${dashed}=-...`,
      );
    }
    // The rest of the message is about words that look like options.
    throw new UsageError(message.replace(/(\. To specify |\n).*/s, ""));
  }
  const given = new Set<string>();
  for (const token of parsed.tokens ?? []) {
    if (token.kind === "option-terminator") continue;
    const name = token.kind === "option" ? `--${token.name}` : "an argument";
    if (token.value !== undefined && token.value.trim() === "") {
      throw new UsageError(`${name} must not be empty`);
    }
    const [placeholder] = PLACEHOLDER.exec(token.value ?? "") ?? [];
    if (placeholder !== undefined) {
      throw new UsageError(`${name} must have your own value in place of "${placeholder}"`);
    }
    if (token.kind !== "option") continue;
    const option: { multiple?: boolean; must?: string; is?: (value: string) => boolean } =
      options[token.name] ?? {};
    if (given.has(token.name) && !option.multiple) {
      throw new UsageError(`${name} is given twice`);
    }
    given.add(token.name);
    if (token.value !== undefined && option.is?.(token.value) === false) {
      throw new UsageError(`${name} must ${option.must}: "${token.value}"`);
    }
  }
  for (const names of either) {
    const together = names.filter((name) => given.has(name));
    if (together.length > 1) {
      throw new UsageError(`--${together.join(" and --")} exclude each other`);
    }
  }
  return parsed as unknown as Parsed<Config>;
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

/** The local stack's data directory. */
export function dataDirOf(env: Environment): string {
  const root = fileURLToPath(new URL("..", import.meta.url));
  return resolve(root, env("TRADELINE_DATA_DIR") ?? ".tradeline");
}

/** The message for an address that does not answer. */
export function nothingAnswers(url: string): string {
  return `Nothing answers at ${url}: ${
    isLocal(url) ? "run `npx -y deno@2.9.6 task start` first" : "is the address in --url right?"
  }`;
}

/** The local functions and Data API, without a trailing slash. */
export function localUrl(env: Environment): string {
  return `http://127.0.0.1:${env("TRADELINE_API_PORT") ?? "54321"}`;
}

/**
 * The project's secret key, in either of Supabase's forms; undefined when none is set.
 *
 * @throws {UsageError} when `SUPABASE_SECRET_KEYS` has no key and there is no legacy key.
 */
export function secretKey(env: Environment): string | undefined {
  const keys = env("SUPABASE_SECRET_KEYS");
  const legacy = env("SUPABASE_SERVICE_ROLE_KEY");
  if (keys === undefined) return legacy;
  try {
    const { default: key } = JSON.parse(keys);
    if (typeof key === "string" && key !== "") return key;
  } catch {
    // Reported below.
  }
  if (legacy !== undefined) return legacy;
  throw new UsageError('SUPABASE_SECRET_KEYS must be JSON such as {"default": "sb_secret_..."}');
}

/** A project that a command asks. */
export interface Project {
  /** Without a trailing slash; its functions are at `/functions/v1`. */
  readonly url: string;
  readonly key: string;
}

/**
 * The project at an address, its own or one of its functions', with the secret key of the settings: an option would show
 * the key to everybody who lists this machine's processes.
 *
 * @param url Default: this machine's.
 * @returns `key` undefined where none is set, and the project is not this machine's.
 */
export function projectAt(
  env: Environment,
  url = localUrl(env),
): { readonly url: string; readonly key: string | undefined } {
  return {
    url: url.replace(/(\/functions\/v1.*)?\/*$/, ""),
    key: secretKey(env) ?? (isLocal(url) ? LOCAL_SECRET_KEY : undefined),
  };
}

/**
 * As `projectAt`, for what needs the key.
 *
 * @throws {UsageError} where it is not set.
 */
export function projectOf(env: Environment, address?: string): Project {
  const { url, key } = projectAt(env, address);
  if (key !== undefined) return { url, key };
  throw new UsageError(
    `SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY must be set, in the environment or .env: the secret key of ${url}`,
  );
}

function isLocal(url: string): boolean {
  return /^(localhost|127\.|\[::1\])/.test(new URL(url).hostname);
}

/**
 * The Twilio account of the settings; for the local line without one, the account of `task start`'s stand-in.
 *
 * @param local Whether the local line is meant.
 */
export function twilioAccess(env: Environment, local: boolean): TwilioAccess | undefined {
  const accountSid = env("TWILIO_ACCOUNT_SID");
  const authToken = env("TWILIO_AUTH_TOKEN");
  const baseUrl = env("TWILIO_API_URL");
  if (accountSid === undefined && baseUrl === undefined && local) {
    const standIn = standInUrl(env);
    if (standIn === undefined) return undefined;
    return {
      baseUrl: standIn,
      accountSid: LOCAL_ACCOUNT_SID,
      authToken: authToken ?? LOCAL_AUTH_TOKEN,
    };
  }
  if (accountSid === undefined || authToken === undefined) return undefined;
  return { baseUrl: baseUrl ?? "https://api.twilio.com", accountSid, authToken };
}

/** The running stand-in's address. */
function standInUrl(env: Environment): string | undefined {
  try {
    return Deno.readTextFileSync(join(dataDirOf(env), TWILIO_URL_FILE)).trim();
  } catch {
    return undefined;
  }
}
