/** `deno task schema`: whether `supabase/migrations` make what `supabase/schemas` says. */
import { join } from "@std/path/join.js";
import postgres, { type Sql } from "postgres";
import { command, FLAG } from "../command.ts";
import { CommandError } from "../deploy/commands.ts";
import { migrate, MigrationError } from "../local/migrate.ts";
import { startCluster } from "../local/postgres.ts";
import { ROOT } from "../local/stack.ts";
import { differences, readCatalog } from "./catalog.ts";
import { applySchemas, lay, release, rewritten, SchemaError } from "./schema.ts";
import { databaseTypes, typesFile } from "./types.ts";

const HELP =
  `Whether supabase/migrations make what supabase/schemas says: each makes a database, and the two are compared.

  npx -y deno@2.9.6 task schema              what differs: - only in the schemas, + only in the migrations
  npx -y deno@2.9.6 task schema --lay        write the migrations anew out of the schemas, a file each; until a release.
                                             Writes database.types.ts too, as --types does by itself
  npx -y deno@2.9.6 task schema --types      write the types of the schema for the functions' client, by Supabase's CLI
  npx -y deno@2.9.6 task schema --release    the migrations as they are have been released: from now on they stay as they are

Exit code 0: the same, or done; 1: they differ, or it cannot be done; 2: wrong usage.`;

const options = { lay: FLAG, types: FLAG, release: FLAG };

async function compare(types: boolean): Promise<number> {
  const cluster = await startCluster({ port: 0, durable: false });
  try {
    const catalogOf = async (name: string, make: (sql: Sql) => Promise<unknown>) => {
      const admin = postgres(cluster.url(), { max: 1 });
      await admin`create database ${admin(name)}`;
      await admin.end();
      const sql = postgres(cluster.url(name), { max: 1, onnotice: () => {} });
      try {
        await make(sql);
        return await readCatalog(sql);
      } finally {
        await sql.end();
      }
    };
    const changed = differences(
      await catalogOf("by_schemas", (sql) => applySchemas(sql, ROOT)),
      await catalogOf("by_migrations", (sql) => migrate(sql, join(ROOT, "supabase/migrations"))),
    );
    const stale = await rewritten(ROOT);
    if (types) {
      await Deno.writeTextFile(
        typesFile(ROOT),
        await databaseTypes(cluster.url("by_migrations"), ROOT),
      );
    }
    for (const line of changed) console.log(`${line}\n`);
    for (const name of stale) console.log(`${name} is released, but has changed since.`);
    if (changed.length + stale.length > 0) return 1;
    console.log("The migrations make what the schemas say.");
    return 0;
  } finally {
    await cluster.stop();
  }
}

async function run(values: { lay: boolean; types: boolean; release: boolean }): Promise<number> {
  try {
    if (values.lay) console.log(`Wrote ${(await lay(ROOT)).length} migrations.`);
    const code = await compare(values.lay || values.types);
    if (code === 0 && values.release) {
      console.log(`Released, up to ${(await release(ROOT)).at(-1)}.`);
    }
    return code;
  } catch (error) {
    const told = [SchemaError, MigrationError, CommandError].some((kind) => error instanceof kind);
    if (!told) throw error;
    console.error((error as Error).message);
    return 1;
  }
}

Deno.exit(
  await command(
    { task: "schema", help: HELP },
    { args: Deno.args, options },
    ({ values }) => run(values),
  ),
);
