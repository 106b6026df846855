import { join } from "@std/path/join.js";

/** Supabase's edge runtime is this Deno, as a package of npm. */
export const HOSTED = "deno@2.1.4";

/** How it runs a module of ours: by the import map alone, as it can neither read today's lockfile nor share its `node_modules`. */
export const HOSTED_FLAGS: readonly string[] = [
  "--no-lock",
  "--no-check",
  "--node-modules-dir=none",
  "--import-map=import_map.json",
];

/** Its environment. It trusts its own list of authorities unless told; a network may have one of its own (`task test` must work there). */
export const HOSTED_ENV: Readonly<Record<string, string>> = {
  DENO_NO_UPDATE_CHECK: "1",
  DENO_TLS_CA_STORE: "system,mozilla",
  NO_COLOR: "1",
};

/** The test files of single functions, as paths from the root; what is of many functions is tested in today's Deno. */
export function hostedTestFiles(root: string): string[] {
  const names = (folder: string) =>
    [...Deno.readDirSync(join(root, folder))].map(({ name }) => name).sort();
  const files = ["tests/functions", "tests/faults"].flatMap((folder) =>
    names(folder).map((name) => `${folder}/${name}`)
  );
  return names("supabase/functions").filter((name) => name !== "_shared").flatMap((name) => {
    const own = new RegExp(`/${name.replaceAll("-", "[-_]")}(_[a-z_]+)?_test\\.ts$`);
    return files.filter((path) => own.test(path));
  });
}
