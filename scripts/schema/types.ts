import { join } from "@std/path/join.js";
import { supabase } from "../deploy/commands.ts";

/** Where the types of the schema are, for the functions' client. */
export const typesFile = (root: string) =>
  join(root, "supabase/functions/_shared/db/database.types.ts");

/**
 * The types that Supabase's CLI makes of a database, formatted: of its functions, as the functions' client calls nothing
 * else, and not those that take a table's row, which no client can send.
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
  const all = await format(types, root);
  const part = (name: string) =>
    new RegExp(`^ {4}${name}: \\{\\n.*?^ {4}\\};\\n`, "ms").exec(all)![0];
  const functions = part("Functions").replace(/ {4}\};\n$/, "").split(/^(?= {6}")/m)
    .filter((each) => !/\["(Tables|Views)"\]/.test(each)).join("");
  return await format(
    `// Made by deno task schema --lay.

${all.slice(0, all.indexOf("export type Database"))}export type Database = {
  public: {
    Tables: Record<never, never>;
    Views: Record<never, never>;
${functions}    };
${part("Enums")}${part("CompositeTypes")}  };
};
`,
    root,
  );
}

async function format(text: string, root: string): Promise<string> {
  const fmt = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "-q", "--ext=ts", "-"],
    cwd: root,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = fmt.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  return new TextDecoder().decode((await fmt.output()).stdout);
}
