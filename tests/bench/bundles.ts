import { join } from "@std/path/join.js";
import type { Row } from "./report.ts";
import { HOT } from "./cold_start.ts";
import { ROOT } from "./world.ts";

const KB = 1000;

interface Bundle {
  readonly name: string;
  /** All that is deployed, and what of it every start loads. */
  readonly bytes: number;
  readonly loadedBytes: number;
  readonly loadedModules: number;
}

/** Each function's code, as `deno bundle` puts it together. */
export async function bundles(functions: readonly string[]): Promise<Row[]> {
  const all: Bundle[] = [];
  // deno-lint-ignore no-await-in-loop -- Each takes every processor.
  for (const name of functions) all.push(await bundle(name));
  const sum = (at: "bytes") => Math.max(...all.map((one) => one[at])) / KB;
  return [
    ...all.map(({ name, bytes, loadedBytes, loadedModules }) => ({
      measure: `code of ${name}`,
      unit: "kB",
      ours: bytes / KB,
      aim: { most: 1000 },
      note: `${HOT.includes(name) ? "call step; " : ""}${
        (loadedBytes / KB).toFixed(0)
      } kB in ${loadedModules} modules loaded at every start`,
    })),
    {
      measure: "code of the largest function",
      unit: "kB",
      ours: sum("bytes"),
      aim: { most: 3000 },
    },
  ];
}

async function bundle(name: string): Promise<Bundle> {
  const dir = await Deno.makeTempDir();
  try {
    const entry = join(ROOT, "supabase", "functions", name, "index.ts");
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      // In parts, to separate modules that are imported later or never.
      args: ["bundle", "--platform=deno", "--code-splitting", `--outdir=${dir}`, entry],
      cwd: ROOT,
    }).output();
    if (!success) throw new Error(`Cannot bundle ${name}: ${new TextDecoder().decode(stderr)}`);
    const parts = new Map<string, string>();
    for await (const { name: file } of Deno.readDir(dir)) {
      // deno-lint-ignore no-await-in-loop -- A handful of files.
      parts.set(file, await Deno.readTextFile(join(dir, file)));
    }
    const loaded = new Set<string>();
    const load = (file: string) => {
      if (loaded.has(file)) return;
      loaded.add(file);
      const imports = parts.get(file)!.matchAll(
        /^(?:import|export)\b[^;"']*["']\.\/([^"']+)["']/gm,
      );
      for (const [, imported] of imports) load(imported!);
    };
    load("index.js");
    const code = [...loaded].map((file) => parts.get(file)!).join("\n");
    return {
      name,
      bytes: [...parts.values()].reduce((total, text) => total + text.length, 0),
      loadedBytes: code.length,
      loadedModules: code.match(/^\s*\/\/ (?:\S+\/)?[\w.@-]+\.(?:ts|js|mjs|cjs)$/gm)?.length ?? 0,
    };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** The functions there are, as the platform finds them. */
export async function functionNames(): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(join(ROOT, "supabase", "functions"))) {
    if (entry.isDirectory && /^[A-Za-z]/.test(entry.name)) names.push(entry.name);
  }
  return names.sort();
}
