import { join } from "@std/path/join.js";
import { run } from "./commands.ts";

/**
 * The most code of a function in bytes: all of it loads before the first caller is answered. With `--use-api` the
 * platform takes 5 MB, see Supabase's guide "Edge Function bundle size issues".
 */
export const MOST_CODE = 1_000_000;

/**
 * Bundles functions of a checkout, with the versions of its lockfile. Each becomes one file, `<outDir>/<name>/index.js`,
 * that imports only Deno's own modules, so that the tested code runs: the platform would otherwise fetch packages again,
 * in any version that their ranges allow. The source map is beside the file.
 *
 * @throws {CommandError} for an import that is missing or not in the lockfile.
 */
export async function bundle(
  root: string,
  functions: readonly string[],
  outDir: string,
): Promise<void> {
  const entries = functions.map((name) => join(root, "supabase", "functions", name, "index.ts"));
  await run(Deno.execPath(), [
    "bundle",
    "--quiet",
    "--frozen",
    "--node-modules-dir=none",
    `--config=${join(root, "deno.json")}`,
    "--platform=deno",
    "--sourcemap=external",
    // With several files Deno names each after its folder.
    `--outdir=${functions.length === 1 ? join(outDir, functions[0]!) : outDir}`,
    ...entries,
  ], { cwd: root, env: { DENO_NO_UPDATE_CHECK: "1" } });
  await Promise.all(functions.map(async (name) => {
    const path = join(outDir, name, "index.js");
    await Deno.writeTextFile(path, withoutPackages(await Deno.readTextFile(path)));
  }));
}

/**
 * An optional package (one with which `resend` renders React) stays in the bundle as a dynamic import of a bare name,
 * which the platform's bundler might refuse.
 */
function withoutPackages(code: string): string {
  return code.replace(
    /\bimport\("(?!node:)([^"]+)"\)/g,
    'Promise.reject(new Error("$1 is not deployed"))',
  );
}

/** The bytes of each function's code, by name. @throws {CommandError} as `bundle`. */
export async function weigh(
  root: string,
  functions: readonly string[],
): Promise<Map<string, number>> {
  const dir = await Deno.makeTempDir({ prefix: "tradeline-bundles-" });
  try {
    await bundle(root, functions, dir);
    const sizes = functions.map(async (name) => {
      const { size } = await Deno.stat(join(dir, name, "index.js"));
      return [name, size] as const;
    });
    return new Map(await Promise.all(sizes));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** The functions that are too large, a line each. */
export function tooHeavy(weights: ReadonlyMap<string, number>): string[] {
  return [...weights].filter(([, bytes]) => bytes > MOST_CODE).map(([name, bytes]) =>
    `${name} has ${kB(bytes)} of code, and may have ${kB(MOST_CODE)}: import less of what it needs`
  );
}

export function kB(bytes: number): string {
  return `${Math.ceil(bytes / 1000)} kB`;
}
