import { join } from "@std/path/join.js";
import { toFileUrl } from "@std/path/to_file_url.js";
import { brotliCompressSync, constants } from "node:zlib";
import { run } from "./commands.ts";

/** Most bytes of code that a function may have: all of it is loaded before a first caller is answered. */
export const MOST_CODE = 1_000_000;

/**
 * Most bytes of a function that the platform bundles itself (`--use-api`), as Supabase's guide "Edge Function bundle size
 * issues" has it; 20 MB for one that is bundled with Docker.
 */
export const MOST_BUNDLE = 5_000_000;

/** What functions weigh, in bytes. */
export interface Weights {
  /** Of each function's code, by name: what it imports, and nothing that it does not use. */
  readonly code: ReadonlyMap<string, number>;
  /**
   * At most, of any of them as the platform stores it: the edge runtime puts the whole folder of each package that is
   * imported into a bundle, used or not, with those that it depends on, and compresses it.
   */
  readonly bundle: number;
}

/**
 * Bundles functions, and weighs them. Leaves nothing in the checkout.
 *
 * @param functions More than one.
 * @throws {CommandError} for one that does not bundle: it imports what is not there.
 */
export async function weigh(root: string, functions: readonly string[]): Promise<Weights> {
  const dir = await Deno.makeTempDir({ prefix: "tradeline-bundles-" });
  const entries = functions.map((name) => join(root, "supabase", "functions", name, "index.ts"));
  const flags = [
    "--quiet",
    "--no-lock",
    "--node-modules-dir=none",
    `--config=${join(root, "deno.json")}`,
  ];
  const deno = (...args: string[]) =>
    run(Deno.execPath(), args, { cwd: root, env: { DENO_NO_UPDATE_CHECK: "1" } });
  try {
    const outDir = join(dir, "out");
    await deno("bundle", ...flags, "--platform=deno", `--outdir=${outDir}`, ...entries);
    const sizes = functions.map(async (name) => {
      const { size } = await Deno.stat(join(outDir, name, "index.js"));
      return [name, size] as const;
    });
    const all = join(dir, "all.ts");
    await Deno.writeTextFile(
      all,
      entries.map((path) => `import "${toFileUrl(path)}";\n`).join(""),
    );
    const graph: Graph = JSON.parse(await deno("info", ...flags, "--json", all));
    return { code: new Map(await Promise.all(sizes)), bundle: await compressed(graph) };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** What is wrong with weights, a line each. */
export function tooHeavy({ code, bundle }: Weights): string[] {
  const faults = [...code].filter(([, bytes]) => bytes > MOST_CODE).map(([name, bytes]) =>
    `${name} has ${kB(bytes)} of code, and may have ${kB(MOST_CODE)}: import less of what it needs`
  );
  if (bundle > MOST_BUNDLE) {
    faults.push(
      `the packages that are imported make bundles of ${kB(bundle)}, and ${
        kB(MOST_BUNDLE)
      } are taken: do without one`,
    );
  }
  return faults;
}

export function kB(bytes: number): string {
  return `${Math.ceil(bytes / 1000)} kB`;
}

/** What `deno info --json` tells of a module and all that it imports. */
interface Graph {
  readonly modules: readonly { readonly local?: string; readonly npmPackage?: string }[];
  readonly npmPackages: Readonly<
    Record<string, { readonly localPath: string; readonly dependencies: readonly string[] }>
  >;
}

async function compressed({ modules, npmPackages }: Graph): Promise<number> {
  const files = modules.flatMap(({ local }) => local === undefined ? [] : [local]);
  const packages = new Set(modules.flatMap(({ npmPackage }) => npmPackage ?? []));
  for (const id of packages) {
    const { localPath, dependencies } = npmPackages[id]!;
    // A set that grows is walked to its end.
    for (const needed of dependencies) packages.add(needed);
    files.push(...filesBelow(localPath));
  }
  const contents = await Promise.all(files.map((file) => Deno.readFile(file)));
  const whole = new Uint8Array(await new Blob(contents).arrayBuffer());
  // Nearly as tight as the platform's own compression, in a tenth of the time.
  const params = { [constants.BROTLI_PARAM_QUALITY]: 5 };
  return brotliCompressSync(whole, { params }).length;
}

function filesBelow(dir: string): string[] {
  return [...Deno.readDirSync(dir)].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(join(dir, name)) : [join(dir, name)]
  );
}
