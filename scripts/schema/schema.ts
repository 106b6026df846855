/**
 * The schema exists twice: `supabase/schemas` is its current state, one file a topic; `supabase/migrations` is how a
 * database gets there. This file keeps the two the same.
 *
 * @module
 */
import { parse as parseToml } from "@std/toml/parse.js";
import { basename } from "@std/path/basename.js";
import { join } from "@std/path/join.js";
import type { Sql } from "postgres";
import { migrationFiles, runFile } from "../local/migrate.ts";

/** The migrations cannot be laid anew. The message says why, and what to do instead. */
export class SchemaError extends Error {
  override name = "SchemaError";
}

/** The files of `supabase/schemas`, in the order in which config.toml loads them. */
export async function schemaFiles(root: string): Promise<string[]> {
  const config = parseToml(await Deno.readTextFile(join(root, "supabase", "config.toml"))) as {
    db: { migrations: { schema_paths: string[] } };
  };
  return config.db.migrations.schema_paths.map((path) => join(root, "supabase", path));
}

/** Applies the schema to a database that has only the platform's roles. */
export async function applySchemas(sql: Sql, root: string): Promise<void> {
  for (const file of await schemaFiles(root)) {
    // deno-lint-ignore no-await-in-loop -- Each builds on the one before.
    await sql.begin((tx) => runFile(tx, file));
  }
}

/** The released migrations by file name, with their SHA-256. */
export type Released = Record<string, string>;

export async function readReleased(root: string): Promise<Released> {
  return JSON.parse(await Deno.readTextFile(releasedFile(root)));
}

const releasedFile = (root: string) => join(root, "supabase", "released.json");

/** Marks the current migrations as released. From then on each change is a new migration. */
export async function release(root: string): Promise<string[]> {
  const dir = join(root, "supabase", "migrations");
  const names = migrationFiles(dir);
  const hashes = await Promise.all(names.map(async (name) => [name, await hash(join(dir, name))]));
  await Deno.writeTextFile(
    releasedFile(root),
    JSON.stringify(Object.fromEntries(hashes), null, 2) + "\n",
  );
  return names;
}

/** The released migrations that have changed. */
export async function rewritten(root: string): Promise<string[]> {
  const released = Object.entries(await readReleased(root));
  const now = await Promise.all(
    released.map(([name]) =>
      hash(join(root, "supabase", "migrations", name)).catch(() => undefined)
    ),
  );
  return released.filter(([, was], i) => was !== now[i]).map(([name]) => name);
}

async function hash(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return new Uint8Array(digest).toHex();
}

/**
 * Writes the migrations anew, one a file of `supabase/schemas`, and the version that the functions ask for.
 *
 * @returns their names.
 * @throws {SchemaError} once a migration has been released.
 */
export async function lay(root: string): Promise<string[]> {
  const newest = Object.keys(await readReleased(root)).sort().at(-1);
  if (newest !== undefined) {
    throw new SchemaError(
      `Cannot lay the migrations anew as ${newest} is released: write what has changed into a new file, supabase/migrations/<14 digits>_<topic>.sql`,
    );
  }
  const dir = join(root, "supabase", "migrations");
  const names: string[] = [];
  for (const [i, file] of (await schemaFiles(root)).entries()) {
    names.push(`202511051${String(i * 100).padStart(5, "0")}_${basename(file)}`);
    // deno-lint-ignore no-await-in-loop -- Some twenty small files.
    await Deno.copyFile(file, join(dir, names.at(-1)!));
  }
  for (const name of migrationFiles(dir)) {
    // deno-lint-ignore no-await-in-loop
    if (!names.includes(name)) await Deno.remove(join(dir, name));
  }
  const version = join(root, "supabase/functions/_shared/db/schema_version.ts");
  const text = await Deno.readTextFile(version);
  await Deno.writeTextFile(version, text.replace(/"\d{14}"/, `"${names.at(-1)!.slice(0, 14)}"`));
  return names;
}
