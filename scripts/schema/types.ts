import { join } from "@std/path/join.js";
import { supabase } from "../deploy/commands.ts";

/** Where the types of the schema are, for the functions' client. */
export const typesFile = (root: string) =>
  join(root, "supabase/functions/_shared/db/database.types.ts");

/**
 * The types that Supabase's CLI makes of a database, formatted.
 *
 * @param url The database's address, for a connection without TLS.
 * @throws {CommandError} where npx finds no CLI.
 */
export async function databaseTypes(url: string, root: string): Promise<string> {
  const said = await supabase([
    "gen",
    "types",
    `--remote=${url}?sslmode=disable`,
    "--lang=typescript",
    "--schema=public",
  ], { cwd: root });
  // After the types it says where it asked.
  const types = said.slice(said.indexOf("export type Json"), said.lastIndexOf("} as const") + 10);
  const fmt = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "-q", "--ext=ts", "-"],
    cwd: root,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = fmt.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`// Made by deno task schema --lay.\n\n${types}`));
  await writer.close();
  return new TextDecoder().decode((await fmt.output()).stdout);
}
