// The scheduled jobs find the functions by what a deploy puts into Vault, by the real CLI.

import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { supabase } from "../../scripts/deploy/commands.ts";
import { main } from "../../scripts/deploy/main.ts";
import { readTarget, type Target } from "../../scripts/deploy/target.ts";
import { fillVault, schedulerSecrets } from "../../scripts/deploy/vault.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { type ManagedProject, startManagedProject } from "../support/management_api.ts";
import { VAULT } from "../support/vault.ts";

const hasCli = await supabase(["--version"], { cwd: ROOT, timeoutMs: 60_000 })
  .then(() => true, () => false);
const unless = hasCli ? "" : " (ignored: npx cannot run the Supabase CLI here)";

// What a token may have in it, and what breaks out of a statement that is put together carelessly.
const TOKEN = `what-breaks-out'\\"$1`;
const KEY = "sb_secret_of_the_project";

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
  const done = async (target: Target, token = TOKEN) =>
    Object.fromEntries(await fillVault(target, ROOT, token));

  assertEquals(await done(targetOf(project)), {
    functions_url: "created",
    scheduler_token: "created",
  });
  const expected = {
    functions_url: `${project.url}/functions/v1`,
    scheduler_token: TOKEN,
    another: "of somebody else",
  };
  assertEquals(await inVault(project), expected);

  assertEquals(await done(targetOf(project)), {
    functions_url: "kept",
    scheduler_token: "kept",
  });
  const [before] = await project.db.sql`select id from vault.secrets where name = 'functions_url'`;
  const moved = { PUBLIC_FUNCTIONS_URL: "https://calls.example.com/functions/v1" };
  assertEquals(await done(targetOf(project, moved)), {
    functions_url: "changed",
    scheduler_token: "kept",
  });
  assertEquals(await inVault(project), { ...expected, functions_url: moved.PUBLIC_FUNCTIONS_URL });
  const [after] = await project.db.sql`select id from vault.secrets where name = 'functions_url'`;
  assertEquals(after, before);
});

test("each deploy makes a new token of the scheduler, and has the one of before accepted", async (project) => {
  await project.db.sql.unsafe(VAULT);
  const target = targetOf(project);
  const first = (await schedulerSecrets(target, ROOT))!;
  assertEquals(/^[0-9a-f]{64}$/.test(first.SCHEDULER_TOKEN), true);
  assertEquals(Object.keys(first), ["SCHEDULER_TOKEN"]);
  await fillVault(target, ROOT, first.SCHEDULER_TOKEN);

  const second = (await schedulerSecrets(target, ROOT))!;
  assertEquals(second.SCHEDULER_TOKEN_PREVIOUS, first.SCHEDULER_TOKEN);
  assertEquals(second.SCHEDULER_TOKEN === first.SCHEDULER_TOKEN, false);
  // That deploy breaks off before Vault has it: what Vault has is still accepted after the next one.
  const third = (await schedulerSecrets(target, ROOT))!;
  assertEquals(third.SCHEDULER_TOKEN_PREVIOUS, first.SCHEDULER_TOKEN);

  const own = targetOf(project, { SCHEDULER_TOKEN: TOKEN });
  assertEquals((await schedulerSecrets(own, ROOT))!.SCHEDULER_TOKEN, TOKEN);
  await fillVault(own, ROOT, TOKEN);
  assertEquals(await schedulerSecrets(own, ROOT), { SCHEDULER_TOKEN: TOKEN });
  // The project's secret key never gets there.
  assertEquals(Object.values(await inVault(project)).includes(KEY), false);
});

test("where the database is found by the project's reference, too", async (project) => {
  await project.db.sql.unsafe(VAULT);
  const target = targetOf(project, { SUPABASE_DB_URL: undefined });
  assertEquals([...(await fillVault(target, ROOT, TOKEN)).values()], ["created", "created"]);
  assertEquals((await inVault(project))["scheduler_token"], TOKEN);
  assertEquals(
    project.requests.filter((request) => request.endsWith("/database/query")).length,
    1,
  );
});

test("a database without Vault has no schedule, and needs no token", async (project) => {
  assertEquals(await schedulerSecrets(targetOf(project), ROOT), undefined);
});

test("failures reveal no secret", async (project) => {
  await project.db.sql.unsafe(VAULT);
  await project.db.sql.unsafe(
    `alter table vault.secrets add check (name <> 'scheduler_token')`,
  );
  const error = await assertRejects(() => fillVault(targetOf(project), ROOT, TOKEN), Error);
  assertEquals(error.message.includes("secrets_name_check"), true, error.message);
  assertEquals(error.message.includes("what-breaks-out"), false, error.message);
  assertEquals(/sb_secret|:postgres@/.test(error.message), false, error.message);
});

Deno.test("deploy --dry-run says that Vault is filled, and shows no password of a database that it cannot reach", async () => {
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
    /schedule: functions_url and scheduler_token into Vault/.test(text),
    true,
    text,
  );
  assertEquals(/OFFLINE database: .*@127\.0\.0\.1:1/.test(text), hasCli, text);
  assertEquals(text.includes("hunter2"), false, text);
});
