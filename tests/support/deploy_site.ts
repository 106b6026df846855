// A deploy from end to end: the real CLI, a project that runs what was uploaded, a real database.

import { assertEquals } from "@std/assert/equals.js";
import { join } from "@std/path/join.js";
import { git, supabase } from "../../scripts/deploy/commands.ts";
import { main } from "../../scripts/deploy/main.ts";
import { noteTested } from "../../scripts/deploy/tested.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { startTwilioApi, type TwilioApi } from "../../scripts/local/twilio_api.ts";
import { twilioClient } from "../../supabase/functions/_shared/twilio/client.ts";
import { provisioning } from "../../supabase/functions/_shared/twilio/provisioning.ts";
import { type ManagedProject, startManagedProject } from "./management_api.ts";

const hasTools: boolean = await supabase(["--version"], { cwd: ROOT, timeoutMs: 60_000 })
  .then(() => git(["--version"], ROOT)).then(() => true, () => false);
const unless = hasTools
  ? ""
  : " (ignored: npx cannot run the Supabase CLI here, or there is no git)";

/** A repository of its own with this one's functions, or some of them, as they are now, committed. */
async function repository(only?: readonly string[]): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "tradeline-repository-" });
  await copy("supabase/config.toml", dir);
  await copy("supabase/migrations", dir);
  await copy("supabase/functions", dir);
  await copy("import_map.json", dir);
  await copy("deno.json", dir);
  await copy("deno.lock", dir);
  await copy(".gitignore", dir);
  await copy(".squawk.toml", dir);
  if (only !== undefined) {
    const config = join(dir, "supabase/config.toml");
    const others = /^\[functions\.([\w-]+)\]\n(?:\w.*\n)*/gm;
    const text = (await Deno.readTextFile(config))
      .replace(others, (section, name) => only.includes(name) ? section : "");
    await Deno.writeTextFile(config, text);
  }
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
export interface Site {
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

/**
 * Makes tests of one project and its history: each goes on where the one before it ended. Once in a test file.
 *
 * @param only The functions of its repository; default: all of ours.
 */
export function siteTests(only?: readonly string[]) {
  let site: [Site, () => Promise<void>] | undefined;
  Deno.test.afterAll(async () => await site?.[1]());
  return (name: string, body: (site: Site) => Promise<void>) =>
    Deno.test({
      name: `deploy: ${name}${unless}`,
      ignore: !hasTools,
      // The project and its connections are the file's, and closed after its last test.
      sanitizeResources: false,
      sanitizeOps: false,
      async fn() {
        site ??= await openSite(only);
        await body(site[0]);
      },
    });
}

async function openSite(
  only: readonly string[] | undefined,
): Promise<[Site, close: () => Promise<void>]> {
  const own = { log: console.log, error: console.error };
  const account = { accountSid: `AC${"0".repeat(32)}`, authToken: "the-token-of-this-deployment" };
  const twilio = startTwilioApi(account);
  const buyer = provisioning(
    twilioClient({ baseUrl: twilio.url, ...account }),
    account.accountSid,
  );
  const [sold] = await buyer.numbersForSale("CA", { areaCode: "587", limit: 1 });
  const number = sold!.phone_number;
  await buyer.buyNumber(account.accountSid, number);
  const project = await startManagedProject({
    env: { TWILIO_ACCOUNT_SID: account.accountSid, TWILIO_API_URL: twilio.url },
  });
  const root = await repository(only);
  console.log = console.error = () => {};
  const close = async () => {
    Object.assign(console, own);
    await Promise.all([project.stop(), twilio.stop(), Deno.remove(root, { recursive: true })]);
  };
  const stopAt: Site["stopAt"] = async (start, task, ...args) => {
    const lines: string[] = [];
    const stop = new AbortController();
    for (const task of ["test", "test:deep"] as const) {
      await noteTested(root, task, () => Promise.resolve({ failed: 0 }));
    }
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
  const site: Site = {
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
  return [site, close];
}

/** A function's file changed, and committed. */
export async function change(
  root: string,
  path: string,
  edit: (text: string) => string,
): Promise<string> {
  const file = join(root, path);
  const before = await Deno.readTextFile(file);
  const after = edit(before);
  assertEquals(after === before, false, `${path} is not changed`);
  await Deno.writeTextFile(file, after);
  return await commit(root, `Change ${path}`);
}

/** New functions, each a copy of voice-route, committed. */
export async function addFunctions(root: string, names: readonly string[]): Promise<void> {
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
export async function ask(project: ManagedProject, name: string): Promise<number> {
  const response = await fetch(`${project.url}/functions/v1/${name}`, { method: "POST" });
  await response.body?.cancel();
  return response.status;
}

/** The code that serves of a function, but for which deploy it came with. */
export function codeOf(project: ManagedProject, name: string): string {
  const [code] = [...project.functions.get(name)!.files.values()];
  return code!.replaceAll(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, "none");
}
