// The scheduled jobs find the functions by what a deploy puts into Vault, by the real CLI.

import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { supabase } from "../../scripts/deploy/commands.ts";
import { main } from "../../scripts/deploy/main.ts";
import { readTarget, type Target } from "../../scripts/deploy/target.ts";
import { fillVault } from "../../scripts/deploy/vault.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { type ManagedProject, startManagedProject } from "../support/management_api.ts";
import { VAULT } from "../support/vault.ts";

const hasCli = await supabase(["--version"], { cwd: ROOT, timeoutMs: 60_000 })
  .then(() => true, () => false);
const unless = hasCli ? "" : " (ignored: npx cannot run the Supabase CLI here)";

// What a key may have in it, and what breaks out of a statement that is put together carelessly.
const KEY = `sb_secret_it's\\"$1`;

function targetOf(project: ManagedProject, env: Record<string, string | undefined> = {}): Target {
  const keys = JSON.stringify({ default: KEY });
  return readTarget(project.ref, { ...project.env, SUPABASE_SECRET_KEYS: keys, ...env }, "");
}

function test(name: string, body: (project: ManagedProject) => Promise<void>) {
  Deno.test({
    name: `vault: ${name}${unless}`,
    ignore: !hasCli,
    async fn() {
      const project = await startManagedProject();
      try {
        await body(project);
      } finally {
        await project.stop();
      }
    },
  });
}

const inVault = async ({ db }: ManagedProject) =>
  Object.fromEntries(
    (await db.sql`select name, decrypted_secret from vault.decrypted_secrets`)
      .map((row) => [row["name"], row["decrypted_secret"]]),
  );

test("a deploy creates what the jobs need, changes what has changed, and keeps the rest", async (project) => {
  await project.db.sql.unsafe(VAULT);
  await project.db.sql`select vault.create_secret('of somebody else', 'another')`;
  const done = async (target: Target) => Object.fromEntries((await fillVault(target, ROOT))!);

  assertEquals(await done(targetOf(project)), {
    functions_url: "created",
    functions_secret_key: "created",
  });
  const expected = {
    functions_url: `${project.url}/functions/v1`,
    functions_secret_key: KEY,
    another: "of somebody else",
  };
  assertEquals(await inVault(project), expected);

  assertEquals(await done(targetOf(project)), {
    functions_url: "kept",
    functions_secret_key: "kept",
  });
  const [before] = await project.db.sql`select id from vault.secrets where name = 'functions_url'`;
  const moved = { PUBLIC_FUNCTIONS_URL: "https://calls.example.com/functions/v1" };
  assertEquals(await done(targetOf(project, moved)), {
    functions_url: "changed",
    functions_secret_key: "kept",
  });
  assertEquals(await inVault(project), { ...expected, functions_url: moved.PUBLIC_FUNCTIONS_URL });
  const [after] = await project.db.sql`select id from vault.secrets where name = 'functions_url'`;
  assertEquals(after, before);
});

test("where the database is found by the project's reference, too", async (project) => {
  await project.db.sql.unsafe(VAULT);
  const target = targetOf(project, { SUPABASE_DB_URL: undefined });
  assertEquals([...(await fillVault(target, ROOT))!.values()], ["created", "created"]);
  assertEquals((await inVault(project))["functions_secret_key"], KEY);
  assertEquals(
    project.requests.filter((request) => request.endsWith("/database/query")).length,
    2,
  );
});

test("a database without Vault is left as it is", async (project) => {
  assertEquals(await fillVault(targetOf(project), ROOT), undefined);
});

test("what fails tells no secret", async (project) => {
  await project.db.sql.unsafe(VAULT);
  await project.db.sql.unsafe(
    `alter table vault.secrets add check (name <> 'functions_secret_key')`,
  );
  const error = await assertRejects(() => fillVault(targetOf(project), ROOT), Error);
  assertEquals(error.message.includes("secrets_name_check"), true, error.message);
  assertEquals(/sb_secret|:postgres@/.test(error.message), false, error.message);
});

Deno.test("deploy --dry-run says that Vault is filled, and tells no password of a database that it cannot reach", async () => {
  const lines: string[] = [];
  await main(["deploy", "--dry-run", "--env-file", "/dev/null"], {
    env: {
      PATH: Deno.env.get("PATH"),
      SUPABASE_DB_URL: "postgresql://postgres:hunter2@127.0.0.1:1/x",
    },
    print: (line) => lines.push(line),
  });
  const text = lines.join("\n");
  assertEquals(
    /schedule: functions_url and functions_secret_key into Vault/.test(text),
    true,
    text,
  );
  assertEquals(/MISSING database: .*@127\.0\.0\.1:1/.test(text), hasCli, text);
  assertEquals(text.includes("hunter2"), false, text);
});
