import { join } from "@std/path/join.js";
import { run } from "./commands.ts";

/**
 * Most bytes of code that a function may have: all of it is loaded before a first caller is answered. The platform
 * takes 5 MB from `--use-api`, see Supabase's guide "Edge Function bundle size issues".
 */
export const MOST_CODE = 1_000_000;

/**
 * Bundles functions of a checkout: each becomes one file, `<outDir>/<name>/index.js`, that imports nothing but Deno's own
 * modules, by the versions of the checkout's lockfile. So what runs is what was tested: the platform would fetch whole
 * packages anew, in whatever versions their ranges then allow. The source map lies beside it.
 *
 * @throws {CommandError} for one that imports what is not there, or what the lockfile does not have.
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
    // Deno names the files after their folders where there are several.
    `--outdir=${functions.length === 1 ? join(outDir, functions[0]!) : outDir}`,
    ...entries,
  ], { cwd: root, env: { DENO_NO_UPDATE_CHECK: "1" } });
  await Promise.all(functions.map(async (name) => {
    const path = join(outDir, name, "index.js");
    await Deno.writeTextFile(path, withoutPackages(await Deno.readTextFile(path)));
  }));
}

/**
 * A package that another may do without (`resend` renders React by one, if it is there) stays behind as a dynamic import
 * of a bare name, which the platform's bundler might refuse.
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

/** What is wrong with weights, a line each. */
export function tooHeavy(weights: ReadonlyMap<string, number>): string[] {
  return [...weights].filter(([, bytes]) => bytes > MOST_CODE).map(([name, bytes]) =>
    `${name} has ${kB(bytes)} of code, and may have ${kB(MOST_CODE)}: import less of what it needs`
  );
}

export function kB(bytes: number): string {
  return `${Math.ceil(bytes / 1000)} kB`;
}
