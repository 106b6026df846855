// What is written for operators holds: alerts by their names, commands that exist, workflows without logic of their own.

import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { createTestDatabase } from "../support/database.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));

Deno.test("the runbook has a section for each alert, and for no other", async () => {
  const db = await createTestDatabase();
  try {
    const rows = await db.sql`select alert from alert_rules order by alert`;
    const runbook = read("docs/runbook.md");
    const sections = [...runbook.matchAll(/^### ([a-z_]+)$/gm)].map(([, name]) => name!);
    assertEquals(sections.toSorted(), rows.map(({ alert }) => alert));
    for (const part of runbook.split(/^### /m).slice(1)) {
      for (const word of ["**Means**", "**Look**", "**Do**|\\*\\*do\\*\\*"]) {
        assertMatch(part, new RegExp(word.replace(/^\*\*(\w+)\*\*/, "\\*\\*$1\\*\\*")));
      }
    }
  } finally {
    await db.drop();
  }
});

Deno.test("the views and tables that the operators' pages name are there", async () => {
  const db = await createTestDatabase();
  try {
    const known = new Set(
      (await db.sql`select relname from pg_class where relnamespace = 'public'::regnamespace`)
        .map(({ relname }) => relname),
    );
    for (const page of ["docs/runbook.md", "docs/deployment.md", "docs/privacy.md"]) {
      for (const [, name] of read(page).matchAll(/\b(?:from|update) ([a-z]+_[a-z_0-9]+)\b/g)) {
        if (!name!.startsWith("pg_")) assertEquals(known.has(name), true, `${page}: ${name}`);
      }
    }
  } finally {
    await db.drop();
  }
});

Deno.test("each query that the operators' pages show is one that the database answers", async () => {
  const db = await createTestDatabase();
  try {
    for (const page of ["docs/runbook.md", "docs/deployment.md", "docs/monitoring.md"]) {
      const queries = [...read(page).matchAll(/`(select [^`]+)`/g)]
        .map(([, query]) => query!.replace(/\s+/g, " "))
        // Of which session, is for the reader to say.
        .filter((query) => !query.startsWith("select pg_terminate_backend("))
        // Extensions that plain PostgreSQL does not have.
        .filter((query) => !/\b(cron|net)\./.test(query));
      assertEquals(queries.length > 0, true, page);
      for (const query of queries) {
        // deno-lint-ignore no-await-in-loop -- One after the other, so that a fault has its query.
        await db.sql.unsafe(query).catch((error) => {
          throw new Error(`${page}: ${query}: ${error.message}`);
        });
      }
    }
  } finally {
    await db.drop();
  }
});

Deno.test("workflows run this project's commands, and have no logic of their own", () => {
  const commands = [...Deno.readDirSync(new URL(".github/workflows", ROOT))].flatMap(({ name }) =>
    [...read(`.github/workflows/${name}`).matchAll(/^\s*(?:- )?run: (.*)$/gm)].map(([, text]) =>
      text!
    )
  );
  assertEquals(commands.length > 4, true);
  for (const command of commands) {
    assertMatch(
      command,
      /^(\.ci\/run$|npx -y deno@2\.9\.6 task |\(umask 077 && printenv )/,
    );
  }
});

Deno.test("each item of the security checklist is in the guide and has a test named for it", () => {
  const guide = read("docs/deployment.md").split("## Security checklist")[1]!.split("\n## ")[0]!;
  const items = [...guide.matchAll(/^- (.+)$/gm)].map(([, text]) => text!);
  assertEquals(items.length, 10);
  const tests = read("tests/security/checklist_test.ts");
  for (const name of items) assertEquals(tests.includes(`item("${name}"`), true, name);
});

Deno.test("each test that SECURITY.md names exists", () => {
  const dirs = [...Deno.readDirSync(new URL("tests", ROOT))]
    .filter(({ isDirectory }) => isDirectory).map(({ name }) => `/${name}`);
  const sources = ["", ...dirs].map((dir) => `tests${dir}`).flatMap((dir) =>
    [...Deno.readDirSync(new URL(dir, ROOT))].filter(({ name }) => name.endsWith("_test.ts"))
      .map(({ name }) => read(`${dir}/${name}`))
  ).join("\n");
  const proven = read("SECURITY.md").split("\n").filter((line) => line.startsWith("| "))
    .map((line) => line.split("|")[3] ?? "").join(" ");
  for (const [, named] of proven.matchAll(/`([^`]+)`/g)) {
    if (named!.startsWith("tests/")) {
      Deno.statSync(new URL(named!, ROOT));
      continue;
    }
    // The part that a test's title has in its file: prefixes and names of objects are filled in there.
    const parts = named!.replace(/^(security checklist|deploy|privacy): /, "").split("...")
      .map((part) => part.replace(/^[\s,]+|[\s,]+$/g, "")).filter((part) => part.length > 8);
    for (const part of parts) assertEquals(sources.includes(part), true, named);
  }
});
