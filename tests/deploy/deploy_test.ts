// A deploy: what it looks at, what it uploads, and that the line then serves. The way back: back_test.ts.

import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { join } from "@std/path/join.js";
import { CommandError, git, run } from "../../scripts/deploy/commands.ts";
import { main } from "../../scripts/deploy/main.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { unpack } from "../../supabase/functions/_shared/flows/shipped.ts";
import { callFlowsAt, smallFlow } from "../support/call_flows.ts";
import { closedPort } from "../support/fake_data_api.ts";
import { siteTests } from "../support/deploy_site.ts";
import { VAULT } from "../support/vault.ts";

const test = siteTests();

const UUID = /[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/;

test("is refused while something is missing, and changes nothing", async ({ project, root, run, log }) => {
  await Deno.writeTextFile(
    join(root, "supabase/functions/voice-action/handler.ts"),
    `import "./missing.ts";\n`,
  );
  const destructive = join(root, "supabase/migrations/20991231000000_tidy.sql");
  await Deno.writeTextFile(destructive, "alter table public.call_logs drop column mode;\n");
  const { code, text } = await run("deploy", "--only", "voice-nowhere");
  assertEquals(code, 1, text);
  assertStringIncludes(
    text,
    "FAULT   functions: supabase/config.toml names no function voice-nowhere",
  );
  assertStringIncludes(text, "FAULT   commit: commit these first");
  assertStringIncludes(
    text,
    "FAULT   tests: run npx -y deno@2.9.6 task test and npx -y deno@2.9.6 task test:deep first",
  );
  assertStringIncludes(text, "FAULT   bundles: ");
  assertStringIncludes(text, "ban-drop-column");
  await Deno.remove(destructive);
  assertEquals(project.functions.size, 0);
  assertEquals(project.secrets, {});
  assertEquals(await log(), []);
  await git(["checkout", "--quiet", "--", "."], root);
});

test("uploads each function as one file, keeps its source map; the line then serves", async ({ project, twilio, number, root, run, log }) => {
  await project.db.sql.unsafe(VAULT);
  // A token whose window is over goes; what somebody else has set stays.
  project.secrets["TWILIO_AUTH_TOKEN_PREVIOUS"] = "the one before";
  project.secrets["FROM_EMAIL"] = "us@example.com";
  const { code, text } = await run("deploy", "--number", number);
  assertEquals(code, 0, text);
  assertStringIncludes(text, "TWILIO_AUTH_TOKEN_PREVIOUS removed\n");
  assertEquals(project.secrets["TWILIO_AUTH_TOKEN_PREVIOUS"], undefined);
  assertEquals(project.secrets["FROM_EMAIL"], "us@example.com");
  assertStringIncludes(
    text,
    "done    schedule: functions_url created, scheduler_token created in Vault",
  );
  // The functions and the scheduler have the same new token, and nobody else has it.
  const [known] = await project.db.sql`
    select decrypted_secret as token from vault.decrypted_secrets where name = 'scheduler_token'`;
  const token = known!["token"];
  assertEquals([project.secrets["SCHEDULER_TOKEN"], token.length], [token, 64]);
  for (const secret of ["sb_secret_local", "the-token-of-this-deployment", ":postgres@", token]) {
    assertEquals(text.includes(secret), false, text);
  }
  assertStringIncludes(text, "was greeted, refused recording, chose 1, was connected");
  assertStringIncludes(text, "done    backup: ");
  assertEquals(await log(), ["deploy_succeeded"]);

  const config = await Deno.readTextFile(join(ROOT, "supabase", "config.toml"));
  const named = [...config.matchAll(/^\[functions\.([\w-]+)\]/gm)].map(([, name]) => name!);
  assertEquals([...project.functions.keys()].sort(), named.sort());
  for (const [name, uploaded] of project.functions) {
    assertEquals(uploaded.metadata, {
      name,
      entrypoint_path: `supabase/functions/${name}/index.js`,
      import_map_path: "",
      static_patterns: [],
      verify_jwt: false,
    });
    assertEquals(uploaded.bytes < 1_000_000, true, `${name} weighs ${uploaded.bytes} bytes`);
    // One file, made from the commit and the versions of its lockfile.
    assertEquals([...uploaded.files.keys()], [uploaded.metadata["entrypoint_path"]]);
    const [code] = [...uploaded.files.values()];
    const release = UUID.exec(code!.split("_shared/release.ts")[1]!)![0];
    const map = join(root, ".tradeline", "source-maps", release, `${name}.js.map`);
    assertEquals((await Deno.stat(map)).isFile, true, name);
  }
  assertEquals(
    project.requests.filter((request) => request.startsWith("PUT")).length,
    1,
    "all change at once",
  );
  assertEquals(project.secrets["TWILIO_AUTH_TOKEN"], "the-token-of-this-deployment");
  assertEquals(Object.keys(project.secrets).filter((name) => name.startsWith("SUPABASE_")), []);
  // And the number rings there, by the addresses that Twilio is to sign.
  const base = `${project.url}/functions/v1`;
  const [bound] = twilio.numbers;
  assertEquals(bound!.voice_url.replace(/#.*/, ""), `${base}/voice-frontdoor`);
  assertEquals(bound!.voice_fallback_url, `${base}/voice-voicemail`);
  assertEquals(bound!.status_callback, `${base}/voice-status#rc=4&rp=5xx,ct,rt`);
  // The call by which it proved itself is no customer's.
  assertEquals((await project.db.sql`select from call_logs`).length, 0);
  const [evidence] = await project.db.sql`select consent_given from consent_evidence`;
  assertEquals(evidence, { consent_given: false });
});

test("takes along what answers the lines, for isolates without a database", async ({ project, run }) => {
  const publication = { definition: smallFlow(), name: "dental", lines: ["+15874059000"] };
  const published = await callFlowsAt(project.url)("/publish", publication);
  assertEquals(published.status, 200, JSON.stringify(published.body));
  const { code, text } = await run("deploy", "--only", "voice-frontdoor");
  assertEquals(code, 0, text);
  assertStringIncludes(text, "done    flows: 1 line's published flow");
  const [uploaded] = [...project.functions.get("voice-frontdoor")!.files.values()];
  const packed = /SNAPSHOT = "([^"]+)"/.exec(uploaded!)![1]!;
  const found = (await unpack(packed)).ofLine(undefined, "+15874059000");
  assertEquals([found?.hash, found?.definition], [published.body.hash, smallFlow()]);
});

test("of a first release has nothing to go back to", async ({ run }) => {
  const { code, text } = await run("rollback");
  assertEquals(code, 1, text);
  assertStringIncludes(text, "knows no earlier version");
});

Deno.test("a command that takes too long is ended, and all that it started", async () => {
  // As the CLI's launcher: it waits for another process, which has its outputs.
  const late = run("sh", ["-c", "sleep 600 & wait"], { cwd: ROOT, timeoutMs: 100 });
  const started = Date.now();
  await assertRejects(() => late, CommandError, "took longer than 0.1 s");
  assertEquals(Date.now() - started < 300_000, true);
});

Deno.test("rollback --dry-run says what is missing, and that it could not look", async () => {
  const lines: string[] = [];
  const code = await main(
    ["rollback", "--project", "abcdefghijklmnopqrst", "--dry-run", "--env-file", "/dev/null"],
    { env: { PATH: Deno.env.get("PATH") }, print: (line) => lines.push(line) },
  );
  const text = lines.join("\n");
  assertEquals(code, 1, text);
  assertStringIncludes(text, "MISSING settings: ");
  assertStringIncludes(text, "MISSING login: set SUPABASE_ACCESS_TOKEN");
  assertStringIncludes(text, "MISSING deploy log: ");
});

for (
  const named of [
    "https://abcdefghijklmnopqrst.supabase.co",
    "https://abcdefghijklmnopqrst.supabase.co/rest/v1/",
    "https://supabase.com/dashboard/project/abcdefghijklmnopqrst/settings/api-keys",
  ]
) {
  Deno.test(`a project is found in its pasted address ${named}`, async () => {
    const lines: string[] = [];
    await main(["rollback", "--project", named, "--dry-run", "--env-file", "/dev/null"], {
      env: { SUPABASE_URL: closedPort(), SUPABASE_SECRET_KEYS: '{"default": "x"}' },
      print: (line) => lines.push(line),
    });
    assertEquals(lines.some((line) => line.includes("--project")), false, lines.join("\n"));
    assertEquals(
      lines.some((line) => line.startsWith("OFFLINE deploy log: ")),
      true,
      lines.join("\n"),
    );
  });
}

for (
  const named of ["https://example.com", "abc", "https://abcdefghijklmnopqrst.supabase.co.evil.com"]
) {
  Deno.test(`${named} is no project, and wrong usage`, async () => {
    const lines: string[] = [];
    const options = { env: {}, print: (line: string) => void lines.push(line) };
    assertEquals(await main(["deploy", "--project", named, "--dry-run"], options), 2);
    assertStringIncludes(lines.join("\n"), "--project must be a project's reference");
  });
}

Deno.test("--only without a name is wrong usage, and not all functions", async () => {
  const lines: string[] = [];
  const code = await main(["deploy", "--dry-run", "--only", ","], {
    env: {},
    print: (line) => lines.push(line),
  });
  assertEquals(code, 2, lines.join("\n"));
});

Deno.test("deploy --dry-run lists everything that is missing, explains itself, and exits with 1", async () => {
  const lines: string[] = [];
  const code = await main(["deploy", "--dry-run", "--env-file", "/dev/null"], {
    env: { PATH: Deno.env.get("PATH"), MAX_CALL_MINUTES: "soon" },
    print: (line) => lines.push(line),
  });
  const text = lines.join("\n");
  assertEquals(code, 1, text);
  for (
    const line of [
      "MISSING project: ",
      "MISSING settings: TWILIO_AUTH_TOKEN must be set",
      "MISSING settings: BUSINESS_TARGET_E164 must be set",
      "FAULT   settings: MAX_CALL_MINUTES must be a whole number",
      "MISSING settings: NODE_ENV must be set",
      "MISSING settings: SUPABASE_SECRET_KEYS must be set",
      "MISSING login: set SUPABASE_ACCESS_TOKEN",
      "MISSING database: set SUPABASE_DB_PASSWORD",
      "1. backup",
      "8. deploy log",
      "Nothing was changed.",
    ]
  ) assertStringIncludes(text, line);
});

Deno.test("--console writes the page with the project's address and publishable key, and no secret one", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const lines: string[] = [];
    const args = ["deploy", "--project", "abcdefghijklmnopqrst", "--console", dir];
    const write = (env: Record<string, string>) =>
      main(args, { env, print: (line) => lines.push(line) });
    const keys = JSON.stringify({ other: "sb_secret_x", default: "sb_publishable_x" });
    assertEquals(await write({ SUPABASE_PUBLISHABLE_KEYS: keys }), 0, lines.join("\n"));
    assertEquals(JSON.parse(await Deno.readTextFile(`${dir}/config.json`)), {
      url: "https://abcdefghijklmnopqrst.supabase.co",
      publishableKey: "sb_publishable_x",
    });
    const page = await Deno.readTextFile(`${dir}/index.html`);
    assertStringIncludes(page, "connect-src 'self' https://abcdefghijklmnopqrst.supabase.co;");
    for (const file of ["vendor/supabase.js", "vendor/preact.js", "pages/today.js"]) {
      // deno-lint-ignore no-await-in-loop
      assert((await Deno.stat(`${dir}/${file}`)).size > 1000, file);
    }
    assertEquals(await write({ SUPABASE_PUBLISHABLE_KEYS: '{"default": "sb_secret_x"}' }), 2);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
