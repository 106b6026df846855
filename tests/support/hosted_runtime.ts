/** Supabase's edge runtime is this Deno, as a package of npm. */
export const HOSTED = "deno@2.1.4";

/** How it runs a module of ours: by the import map alone, as it can neither read today's lockfile nor share its `node_modules`. */
export const HOSTED_FLAGS: readonly string[] = [
  "--no-lock",
  "--no-check",
  "--node-modules-dir=none",
  "--import-map=import_map.json",
];
