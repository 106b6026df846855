// What fails in a deploy is taken back by itself, and what did not by rollback.

import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { join } from "@std/path/join.js";
import { git, supabase } from "../../scripts/deploy/commands.ts";
import { addFunctions, ask, change, codeOf, siteTests } from "../support/deploy_site.ts";

// What a synthetic call goes through, and what the tests below change.
const test = siteTests([
  "metrics",
  "voice-action",
  "voice-consent-speech",
  "voice-frontdoor",
  "voice-health",
  "voice-menu-handler",
  "voice-route",
  "voice-route-action",
  "voice-status",
]);

test("of a first release serves", async ({ run, log }) => {
  const { code, text } = await run("deploy");
  assertEquals(code, 0, text);
  assertEquals(await log(), ["deploy_succeeded"]);
});

test("of a function that is broken ends with the previous version serving, without an operator", async ({ project, root, run, log }) => {
  const good = codeOf(project, "voice-menu-handler");

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
  assertEquals(codeOf(project, "voice-menu-handler"), good);
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

test("that fails deletes its new functions, and names those that it cannot delete", async ({ project, root, run, log }) => {
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
  assertStringIncludes(failed.text, "still be called: voice-kept. deno task rollback");
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
  const touch = (name: string) =>
    change(root, `supabase/functions/${name}/handler.ts`, (text) => `${text}\nvoid "newer";\n`);
  await touch("voice-route");
  await touch("metrics");
  const served = codeOf(project, "voice-route");

  // It answers everything as it must, calls included: only that it is not what was deployed tells.
  project.stuck.set("voice-route", 1);
  const stuck = await run("deploy", "--only", "metrics,voice-route");
  assertEquals(stuck.code, 3, stuck.text);
  assertStringIncludes(
    stuck.text,
    "FAULT   voice-route answers, but by another version than the one deployed",
  );
  assertStringIncludes(stuck.text, "serves again");
  assertEquals(codeOf(project, "voice-route"), served);

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
  await git(["reset", "--quiet", "--hard", "HEAD^^^"], root);
});

test("is undone by rollback, which deletes only its new functions, after the older version serves, and continues when run again", async ({ project, root, run, log }) => {
  const added = ["voice-newer", "voice-kept"];
  await addFunctions(root, added);
  // Those that are not there yet are not asked for.
  const second = await run("deploy", "--only", "voice-route");
  assertEquals(second.code, 0, second.text);
  const changed = codeOf(project, "voice-route");
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
  assertStringIncludes(planned.text, "delete after the smoke test: voice-kept, voice-newer.");
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
  assertStringIncludes(half.text, "still be called: voice-kept. deno task rollback tries again");
  assertEquals(there(), ["voice-kept", "theirs"]);

  // Run again it ends what it began, and takes nothing further back.
  project.undeletable.clear();
  const whole = await run("rollback");
  assertEquals(whole.code, 0, whole.text);
  assertStringIncludes(whole.text, "done    voice-kept is deleted");
  assertEquals(whole.text.includes("voice-newer"), false, whole.text);
  assertEquals(there(), ["theirs"]);
  assertEquals(codeOf(project, "voice-route"), changed);
  assertEquals(await log(), [...before, "rollback_succeeded"]);
});

test("that is stopped takes back what it began; before that, nothing is touched", async ({ project, stopAt, log }) => {
  const before = await log();
  const served = codeOf(project, "voice-route");
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
  assertEquals(codeOf(project, "voice-route"), served);
  assertEquals(await log(), [...before, "deploy_failed"]);

  const back = await stopAt("", "rollback", "--to", "HEAD");
  assertEquals(back.code, 1, back.text);
  assertStringIncludes(back.text, "Cannot rollback: stopped by SIGINT");
  assertEquals(await log(), [...before, "deploy_failed"]);
});
