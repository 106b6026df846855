// A deploy from end to end: the real CLI, a project that runs what was uploaded, a real database.

import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { join } from "@std/path/join.js";
import { CommandError, git, run, supabase } from "../../scripts/deploy/commands.ts";
import { main } from "../../scripts/deploy/main.ts";
import { noteTested } from "../../scripts/deploy/tested.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { startTwilioApi, type TwilioApi } from "../../scripts/local/twilio_api.ts";
import { provisioning } from "../../supabase/functions/_shared/twilio/provisioning.ts";
import { type ManagedProject, startManagedProject } from "../support/management_api.ts";
import { VAULT } from "../support/vault.ts";

const hasTools = await supabase(["--version"], { cwd: ROOT, timeoutMs: 60_000 })
  .then(() => git(["--version"], ROOT)).then(() => true, () => false);
const unless = hasTools
  ? ""
  : " (ignored: npx cannot run the Supabase CLI here, or there is no git)";

/** A repository of its own with this one's functions, as they are now, committed. */
async function repository(): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "tradeline-repository-" });
  await copy("supabase/config.toml", dir);
  await copy("supabase/migrations", dir);
  await copy("supabase/functions", dir);
  await copy("import_map.json", dir);
  await copy("deno.json", dir);
  await copy(".gitignore", dir);
  await copy(".squawk.toml", dir);
  await git(["init", "--quiet", "--initial-branch=main"], dir);
  await commit(dir, "The first release");
  return dir;
}

async function copy(path: string, dir: string): Promise<void> {
  const from = join(ROOT, path);
  const to = join(dir, path);
  if ((await Deno.stat(from)).isFile) {
    await Deno.mkdir(join(to, ".."), { recursive: true });
    return await Deno.copyFile(from, to);
  }
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) await copy(`${path}/${name}`, dir);
}

async function commit(dir: string, message: string): Promise<string> {
  await git(["add", "--all"], dir);
  const author = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"];
  await git([...author, "commit", "--quiet", "--no-gpg-sign", "-m", message], dir);
  return await git(["rev-parse", "HEAD"], dir);
}

/** A project, a repository, and what the task said. */
interface Site {
  readonly project: ManagedProject;
  readonly root: string;
  /** Twilio, where the main account has `number`. */
  readonly twilio: TwilioApi;
  readonly number: string;
  run(task: "deploy" | "rollback", ...args: string[]): Promise<{ code: number; text: string }>;
  /** As `run`, and somebody presses Ctrl-C when a line begins so. */
  stopAt(line: string, ...args: Parameters<Site["run"]>): ReturnType<Site["run"]>;
  /** The events of the deploy log, oldest first; how deploys and rollbacks ended. */
  log(): Promise<string[]>;
}

/** One project and its history: each test goes on where the one before it ended. */
let site: Site | undefined;
let close: () => Promise<void> = () => Promise.resolve();
Deno.test.afterAll(() => close());

async function openSite(): Promise<Site> {
  const own = { log: console.log, error: console.error };
  const account = { accountSid: `AC${"0".repeat(32)}`, authToken: "the-token-of-this-deployment" };
  const twilio = startTwilioApi(account);
  const buyer = provisioning({ baseUrl: twilio.url, ...account });
  const [sold] = await buyer.numbersForSale("CA", { areaCode: "587", limit: 1 });
  const number = sold!.phone_number;
  await buyer.buyNumber(account.accountSid, number);
  const project = await startManagedProject({
    env: { TWILIO_ACCOUNT_SID: account.accountSid, TWILIO_API_URL: twilio.url },
  });
  const root = await repository();
  console.log = console.error = () => {};
  close = async () => {
    Object.assign(console, own);
    await Promise.all([project.stop(), twilio.stop(), Deno.remove(root, { recursive: true })]);
  };
  const stopAt: Site["stopAt"] = async (start, task, ...args) => {
    const lines: string[] = [];
    const stop = new AbortController();
    await noteTested(root, [], () => Promise.resolve({ failed: 0 }));
    const code = await main([task, "--project", project.ref, ...args], {
      env: project.env,
      print(line) {
        lines.push(line);
        if (line.startsWith(start)) stop.abort(new Error("stopped by SIGINT"));
      },
      root,
      patienceMs: 0,
      signal: stop.signal,
    });
    return { code, text: lines.join("\n") };
  };
  return {
    project,
    root,
    twilio,
    number,
    run: (...args) => stopAt("never", ...args),
    stopAt,
    async log() {
      const rows = await project.db.sql`
        select event_type from analytics_events
        where event_type ~ '^(deploy|rollback)_(succeeded|failed)' order by id`;
      return rows.map(({ event_type }) => event_type);
    },
  };
}

function test(name: string, body: (site: Site) => Promise<void>) {
  Deno.test({
    name: `deploy: ${name}${unless}`,
    ignore: !hasTools,
    // The project and its connections are the file's, and closed after its last test.
    sanitizeResources: false,
    sanitizeOps: false,
    fn: async () => await body(site ??= await openSite()),
  });
}

/** A function's file changed, and committed. */
async function change(root: string, path: string, edit: (text: string) => string): Promise<string> {
  const file = join(root, path);
  const before = await Deno.readTextFile(file);
  const after = edit(before);
  assertEquals(after === before, false, `${path} is not changed`);
  await Deno.writeTextFile(file, after);
  return await commit(root, `Change ${path}`);
}

/** New functions, each a copy of voice-route, committed. */
async function addFunctions(root: string, names: readonly string[]): Promise<void> {
  const config = join(root, "supabase/config.toml");
  const text = await Deno.readTextFile(config);
  const route = /^\[functions\.voice-route\]\n(?:\w.*\n)+/m.exec(text)![0];
  for (const name of names) {
    const dir = `supabase/functions/${name}`;
    await Deno.mkdir(join(root, dir));
    for (const file of ["index.ts", "handler.ts"]) {
      await Deno.copyFile(
        join(ROOT, "supabase/functions/voice-route", file),
        join(root, dir, file),
      );
    }
  }
  await Deno.writeTextFile(
    config,
    text + names.map((name) => `\n${route.replaceAll("voice-route", name)}`).join(""),
  );
  await commit(root, `Add ${names.join(", ")}`);
}

/** What a function answers to a request that nobody signed: 401, or 404 where it is not there. */
async function ask(project: ManagedProject, name: string): Promise<number> {
  const response = await fetch(`${project.url}/functions/v1/${name}`, { method: "POST" });
  await response.body?.cancel();
  return response.status;
}

/** Where a deploy writes which it is. */
const RELEASE = "supabase/functions/_shared/release.ts";
const UUID = /[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/;

/** The local files that a function needs, by Deno's own account. */
async function filesOf(name: string): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", `supabase/functions/${name}/index.ts`],
    cwd: ROOT,
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: { local?: string; specifier: string }[];
  };
  const root = new URL(`file://${ROOT}`).href;
  return modules.filter(({ specifier }) =>
    specifier.startsWith(root) && !specifier.includes("/node_modules/")
  ).map(({ specifier }) => specifier.slice(root.length)).concat("import_map.json").sort();
}

/** What serves of a function, but for which deploy it came with. */
function filesBut(project: ManagedProject, name: string): [string, string][] {
  return [...project.functions.get(name)!.files].filter(([path]) => path !== RELEASE);
}

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
  assertStringIncludes(text, "FAULT   tests: run npx -y deno@2.9.6 task test first");
  assertStringIncludes(text, "FAULT   bundles: ");
  assertStringIncludes(text, "ban-drop-column");
  await Deno.remove(destructive);
  assertEquals(project.functions.size, 0);
  assertEquals(project.secrets, {});
  assertEquals(await log(), []);
  await git(["checkout", "--quiet", "--", "."], root);
});

test("uploads what each function needs, and nothing else; the line then serves", async ({ project, twilio, number, run, log }) => {
  await project.db.sql.unsafe(VAULT);
  // A token whose window is over goes; what somebody else has set stays.
  project.secrets["TWILIO_AUTH_TOKEN_PREVIOUS"] = "the one before";
  project.secrets["FROM_EMAIL"] = "us@example.com";
  const { code, text } = await run("deploy", "--number", number);
  assertEquals(code, 0, text);
  assertStringIncludes(text, "TWILIO_AUTH_TOKEN, TWILIO_AUTH_TOKEN_PREVIOUS removed\n");
  assertEquals(project.secrets["TWILIO_AUTH_TOKEN_PREVIOUS"], undefined);
  assertEquals(project.secrets["FROM_EMAIL"], "us@example.com");
  assertStringIncludes(
    text,
    "done    schedule: functions_url created, functions_secret_key created in Vault",
  );
  for (const secret of ["sb_secret_local", "the-token-of-this-deployment", ":postgres@"]) {
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
      entrypoint_path: `supabase/functions/${name}/index.ts`,
      import_map_path: "import_map.json",
      static_patterns: [],
      verify_jwt: false,
    });
    // What --use-api takes at most is 5 MB.
    assertEquals(uploaded.bytes < 1_000_000, true, `${name} weighs ${uploaded.bytes} bytes`);
    for (const [path, sent] of uploaded.files) {
      const own = await Deno.readTextFile(join(ROOT, path));
      assertEquals(path === RELEASE ? sent.replace(UUID, "none") : sent, own, path);
    }
  }
  for (const name of ["voice-frontdoor", "telephony-onboard"]) {
    // Types are needed by whoever bundles, too; what is not there cannot be imported.
    const sent = new Set(project.functions.get(name)!.files.keys());
    assertEquals((await filesOf(name)).filter((path) => !sent.has(path)), [], name);
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

test("of a function that is broken ends with the previous version serving, without an operator", async ({ project, root, run, log }) => {
  const good = filesBut(project, "voice-menu-handler");

  // It starts, it refuses strangers, and it serves nobody: only a call shows that.
  await change(
    root,
    "supabase/functions/voice-menu-handler/index.ts",
    (text) =>
      text.replace(
        /Deno\.serve\(.*\);/s,
        `import { json } from "../_shared/http.ts";
    Deno.serve((request) =>
      request.headers.has("x-twilio-signature")
        ? new Response("<Response><Hangup/></Response>", { headers: { "content-type": "text/xml" } })
        : json(401, {}));`,
      ),
  );
  const broken = await run("deploy");
  assertEquals(broken.code, 3, broken.text);
  assertStringIncludes(broken.text, "was not connected to sales");
  assertStringIncludes(broken.text, "serves again");
  assertEquals(filesBut(project, "voice-menu-handler"), good);
  assertEquals(await log(), ["deploy_succeeded", "deploy_failed"]);
  await git(["reset", "--quiet", "--hard", "HEAD^"], root);
});

test("of a function that does not start is noticed and undone, and --only touches no other", async ({ project, root, run, log }) => {
  await change(
    root,
    "supabase/functions/voice-action/index.ts",
    (text) => `throw new Error("broken on purpose");\n${text}`,
  );
  const broken = await run("deploy", "--only", "voice-action");
  assertEquals(broken.code, 3, broken.text);
  assertStringIncludes(broken.text, "voice-action answered 503");
  assertEquals((await log()).slice(1), ["deploy_failed", "deploy_failed"]);
  await git(["reset", "--quiet", "--hard", "HEAD^"], root);
  const response = await fetch(`${project.url}/functions/v1/voice-action`, {
    method: "POST",
    body: new URLSearchParams({ a: "b" }),
  });
  await response.body?.cancel();
  assertEquals(response.status, 401);
});

test("that fails deletes the functions that are new in it, and tells which it cannot", async ({ project, root, run, log }) => {
  const before = await log();
  const added = ["voice-newer", "voice-stuck", "voice-kept"];
  await addFunctions(root, added);
  // One never comes to be there, which fails the deploy; one cannot be deleted.
  project.stuck.set("voice-stuck", 1);
  project.undeletable.add("voice-kept");
  const failed = await run("deploy");
  assertEquals(failed.code, 4, failed.text);
  assertStringIncludes(failed.text, "voice-stuck answered 404");
  assertStringIncludes(failed.text, "serves again");
  assertStringIncludes(failed.text, "done    voice-newer is deleted");
  assertStringIncludes(failed.text, "FAULT   voice-kept is not deleted: ");
  assertStringIncludes(failed.text, "still reaches voice-kept. deno task rollback");
  assertEquals(failed.text.includes("voice-stuck is"), false, failed.text);
  assertEquals(added.filter((name) => project.functions.has(name)), ["voice-kept"]);
  assertEquals([await ask(project, "voice-newer"), await ask(project, "voice-route")], [404, 401]);
  assertEquals(await log(), [...before, "deploy_failed"]);

  project.undeletable.clear();
  const again = await run("rollback");
  assertEquals(again.code, 0, again.text);
  assertStringIncludes(again.text, "done    voice-kept is deleted");
  assertEquals(project.functions.has("voice-kept"), false);
  await git(["reset", "--quiet", "--hard", "HEAD^"], root);
});

test("of which one function goes on with its old version is noticed and undone", async ({ project, root, run, log }) => {
  const before = await log();
  const comment = (name: string) =>
    change(root, `supabase/functions/${name}/handler.ts`, (text) => `${text}\n// Newer.\n`);
  await comment("voice-route");
  await comment("metrics");
  const route = "supabase/functions/voice-route/handler.ts";
  const newer = () =>
    project.functions.get("voice-route")!.files.get(route)!.endsWith("// Newer.\n");

  // It answers everything as it must, calls included: only that it is not what was deployed tells.
  project.stuck.set("voice-route", 1);
  const stuck = await run("deploy", "--only", "metrics,voice-route");
  assertEquals(stuck.code, 3, stuck.text);
  assertStringIncludes(
    stuck.text,
    "FAULT   voice-route answers, but by another version than the one deployed",
  );
  assertStringIncludes(stuck.text, "serves again");
  assertEquals(newer(), false);

  // What is said of the way back is proven, too: where a function is stuck on it, a person is needed.
  const failing = (text: string) =>
    text.replace(/Deno\.serve\(.*\);/s, 'Deno.serve(() => new Response("", { status: 500 }));');
  await change(root, "supabase/functions/voice-route/index.ts", failing);
  project.stuck.set("metrics", 2);
  const lost = await run("deploy", "--only", "metrics,voice-route");
  assertEquals(lost.code, 4, lost.text);
  assertStringIncludes(
    lost.text,
    "Going back failed: metrics answers, but by another version than the one deployed",
  );
  assertEquals(await log(), [...before, "deploy_failed", "deploy_failed"]);
  // Going on from there ends at the version that it was to go back to.
  const found = await run("rollback");
  assertEquals(found.code, 0, found.text);
  assertEquals([await ask(project, "voice-route"), newer()], [401, false]);
  await git(["reset", "--quiet", "--hard", "HEAD^^^"], root);
});

test("is taken back by rollback, which deletes what was new when the older version serves, and nobody else's, and which run again goes on where it stopped", async ({ project, root, run, log }) => {
  const first = filesBut(project, "voice-route");
  const added = ["voice-newer", "voice-kept"];
  await addFunctions(root, added);
  // Those that are not there yet are not asked for.
  const second = await run("deploy", "--only", "voice-route");
  assertEquals(second.code, 0, second.text);
  const changed = filesBut(project, "voice-route");
  const third = await run("deploy", "--only", added.join());
  assertEquals(third.code, 0, third.text);
  const elsewhere = await Deno.makeTempDir({ prefix: "tradeline-elsewhere-" });
  const theirs = join(elsewhere, "supabase", "functions", "theirs");
  await Deno.mkdir(theirs, { recursive: true });
  await Deno.writeTextFile(join(theirs, "index.ts"), "Deno.serve(() => new Response());\n");
  await supabase(
    ["functions", "deploy", "theirs", "--use-api", `--remote=${project.ref}`, "--yes"]
      .concat("--profile", project.profile),
    { cwd: elsewhere, env: project.env },
  );
  await Deno.remove(elsewhere, { recursive: true });
  const all = [...added, "theirs"];
  const there = () => all.filter((name) => project.functions.has(name));
  assertEquals(there(), all);

  const planned = await run("rollback", "--dry-run");
  assertEquals(planned.code, 0, planned.text);
  assertStringIncludes(planned.text, "delete what they replace: voice-kept, voice-newer.");
  // The older version does not come to serve: callers keep what they have.
  project.stuck.set("voice-route", 1);
  const failed = await run("rollback");
  assertEquals(failed.code, 4, failed.text);
  assertStringIncludes(failed.text, "FAULT   voice-route answers, but by another version");
  assertStringIncludes(failed.text, "No function was deleted.");
  assertEquals(there(), all);

  // Nor does the deploy log come to know how far this one comes.
  const before = await log();
  const write = "function public.record_analytics_event(text, text, jsonb)";
  project.undeletable.add("voice-kept");
  await project.db.sql.unsafe(`revoke execute on ${write} from service_role`);
  const half = await run("rollback");
  await project.db.sql.unsafe(`grant execute on ${write} to service_role`);
  assertEquals(half.code, 4, half.text);
  assertStringIncludes(half.text, "FAULT   The deploy log could not be written: ");
  assertEquals(await log(), before);
  assertStringIncludes(half.text, "done    voice-newer is deleted");
  assertStringIncludes(half.text, "FAULT   voice-kept is not deleted: ");
  assertStringIncludes(half.text, "The previous version serves.");
  assertStringIncludes(half.text, "still reaches voice-kept. deno task rollback tries again");
  assertEquals(there(), ["voice-kept", "theirs"]);

  // Run again it ends what it began, and takes nothing further back.
  project.undeletable.clear();
  const whole = await run("rollback");
  assertEquals(whole.code, 0, whole.text);
  assertStringIncludes(whole.text, "done    voice-kept is deleted");
  assertEquals(whole.text.includes("voice-newer"), false, whole.text);
  assertEquals(there(), ["theirs"]);
  assertEquals(filesBut(project, "voice-route"), changed);
  assertEquals(await log(), [...before, "rollback_succeeded"]);

  // The next goes further back, as far as there is something.
  const further = await run("rollback");
  assertEquals(further.code, 0, further.text);
  assertEquals([filesBut(project, "voice-route"), there()], [first, ["theirs"]]);
  const none = await run("rollback");
  assertEquals(none.code, 1, none.text);
  assertStringIncludes(none.text, "knows no earlier version");
});

test("that is stopped takes back what it began; before that, nothing is touched", async ({ project, stopAt, log }) => {
  const before = await log();
  const served = filesBut(project, "voice-route");
  const requests = project.requests.length;
  const early = await stopAt("ok ", "deploy", "--only", "voice-route");
  assertEquals(early.code, 1, early.text);
  assertStringIncludes(early.text, "FAULT   stopped by SIGINT");
  assertStringIncludes(early.text, "The functions were not touched");
  assertEquals(early.text.includes("done "), false, early.text);
  assertEquals(project.requests.slice(requests).filter((each) => !each.startsWith("GET")), []);

  const late = await stopAt("done    1 functions", "deploy", "--only", "voice-route");
  assertEquals(late.code, 3, late.text);
  assertStringIncludes(late.text, "FAULT   stopped by SIGINT");
  assertStringIncludes(late.text, "serves again");
  assertEquals(filesBut(project, "voice-route"), served);
  assertEquals(await log(), [...before, "deploy_failed"]);

  const back = await stopAt("", "rollback", "--to", "HEAD");
  assertEquals(back.code, 1, back.text);
  assertStringIncludes(back.text, "Cannot rollback: stopped by SIGINT");
  assertEquals(await log(), [...before, "deploy_failed"]);
});

Deno.test("a command that takes too long is ended, and all that it started", async () => {
  // As the CLI's launcher: it waits for another process, which has its outputs.
  const late = run("sh", ["-c", "sleep 30 & wait"], { cwd: ROOT, timeoutMs: 100 });
  const started = Date.now();
  await assertRejects(() => late, CommandError, "took longer than 0.1 s");
  assertEquals(Date.now() - started < 20_000, true);
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

Deno.test("--only without a name is wrong usage, and not all functions", async () => {
  const lines: string[] = [];
  const code = await main(["deploy", "--dry-run", "--only", ","], {
    env: {},
    print: (line) => lines.push(line),
  });
  assertEquals(code, 2, lines.join("\n"));
});

Deno.test("deploy --dry-run explains itself without credentials, and fails nobody", async () => {
  const lines: string[] = [];
  const code = await main(["deploy", "--dry-run", "--env-file", "/dev/null"], {
    env: { PATH: Deno.env.get("PATH") },
    print: (line) => lines.push(line),
  });
  const text = lines.join("\n");
  assertEquals(code, 0, text);
  for (
    const line of [
      "MISSING settings: ",
      "MISSING login: set SUPABASE_ACCESS_TOKEN",
      "MISSING database: set SUPABASE_DB_PASSWORD",
      "1. backup",
      "8. deploy log",
      "Nothing was changed.",
    ]
  ) assertStringIncludes(text, line);
});
