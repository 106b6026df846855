/** A command failed; the message is its last output. */
export class CommandError extends Error {
  override name = "CommandError";
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default 10 minutes. */
  readonly timeoutMs?: number;
}

/**
 * Runs a command and returns both of its outputs. Ctrl-C does not reach it, so that no step of a deploy stops halfway.
 *
 * @throws {CommandError} when it cannot be started, fails, or takes too long. It is then killed with its children.
 */
export async function run(command: string, args: string[], options: RunOptions): Promise<string> {
  const shown = withoutPasswords([command, ...args].join(" "));
  const { timeoutMs = 600_000 } = options;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command, {
      args,
      cwd: options.cwd,
      env: { ...options.env, NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      // A process group of its own.
      detached: true,
    }).spawn();
  } catch (error) {
    throw new CommandError(`Cannot run ${shown}: ${(error as Error).message}`);
  }
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    try {
      // The whole group: npx and the CLI's launcher do not kill their children.
      Deno.kill(-child.pid, "SIGKILL");
    } catch {
      // It ended just now.
    }
  }, timeoutMs);
  const output = await child.output().finally(() => clearTimeout(timer));
  if (late) throw new CommandError(`${shown} took longer than ${timeoutMs / 1000} s`);
  const decoder = new TextDecoder();
  const text = withoutNoise(decoder.decode(output.stdout) + decoder.decode(output.stderr));
  if (output.success) return text;
  const last = withoutPasswords(text.trim().split("\n").slice(-8).join("\n"));
  throw new CommandError(`${shown} ended with code ${output.code}:\n${last}`);
}

/** The version that was tested. */
export const SUPABASE_CLI = "supabase@3.1.0";

/** Runs Supabase's own CLI in a folder that has `supabase/`. */
export async function supabase(args: string[], options: RunOptions): Promise<string> {
  return await runTool(SUPABASE_CLI, "supabase", args, options);
}

/** @throws {CommandError} when npx finds neither the CLI nor the registry. */
export async function cliVersion(cwd: string): Promise<string> {
  const [command] = await located(SUPABASE_CLI, "supabase", cwd);
  // npx did not report a path; running the CLI shows whether it is there.
  if (command === "npx") await supabase(["--version"], { cwd });
  return SUPABASE_CLI;
}

/** Runs a command of the CLI that answers with rows, and returns them without the CLI's text around them. */
export async function supabaseRows(
  args: string[],
  options: RunOptions,
): Promise<Record<string, unknown>[]> {
  const said = await supabase([...args, "--output", "json", "--agent", "no", "--yes"], options);
  const rows = /^\[(\]$|\n.*?^\])/ms.exec(said)?.[0];
  if (rows === undefined) {
    throw new CommandError(`supabase ${args.slice(0, 2).join(" ")} answered without rows`);
  }
  return JSON.parse(rows);
}

/** The linter of migrations, see .squawk.toml. */
export const SQUAWK = "squawk-cli@2.66.0";

/** Lints migration files by the folder's .squawk.toml. */
export async function squawk(files: readonly string[], options: RunOptions): Promise<string> {
  return await runTool(SQUAWK, "squawk", ["--config", ".squawk.toml", ...files], options);
}

async function runTool(
  tool: string,
  name: string,
  args: readonly string[],
  options: RunOptions,
): Promise<string> {
  const [command, ...before] = await located(tool, name, options.cwd);
  return await run(command, [...before, ...args], options);
}

type Located = readonly [command: string, ...before: string[]];
const whereabouts = new Map<string, Promise<Located>>();

/** npx takes a second to start a tool, so its path is looked up once. */
function located(tool: string, name: string, cwd: string): Promise<Located> {
  const known = whereabouts.get(tool) ?? locate(tool, name, cwd);
  whereabouts.set(tool, known);
  return known;
}

async function locate(tool: string, name: string, cwd: string): Promise<Located> {
  const ask = ["-y", "-p", tool, "-c", `command -v ${name}`];
  const said = await run("npx", ask, { cwd, timeoutMs: 120_000 }).catch(() => "");
  const path = said.trim().split("\n").find((line) => line.startsWith("/"));
  return path === undefined ? ["npx", "-y", tool] : [path];
}

export async function git(args: string[], cwd: string): Promise<string> {
  return (await run("git", args, { cwd })).trim();
}

/** Addresses of databases are shown without their password. */
function withoutPasswords(text: string): string {
  return text.replace(/(:\/\/[^\s:/@]*):[^\s/@]*@/g, "$1:***@");
}

function withoutNoise(text: string): string {
  return text.split("\n").filter((line) => !line.startsWith("npm warn")).join("\n");
}
