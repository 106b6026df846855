// The hosted runtime is Deno 2.1.4. Each function must start there, by the import map alone, and pass its tests.

import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { fromFileUrl } from "@std/path/from_file_url.js";
import { join } from "@std/path/join.js";
import { toFileUrl } from "@std/path/to_file_url.js";
import { bundle } from "../../scripts/deploy/bundles.ts";
import { closedPort } from "../support/fake_data_api.ts";
import { HOSTED, HOSTED_ENV, HOSTED_FLAGS, hostedTestFiles } from "../support/hosted_runtime.ts";
import { ENVIRONMENT } from "../support/webhook.ts";

const ROOT = new URL("../../", import.meta.url);

/** The older Deno's own path. A lockfile of today is one that it cannot read: it is asked from elsewhere. */
async function hostedDeno(): Promise<string | undefined> {
  const elsewhere = await Deno.makeTempDir();
  try {
    const { success, stdout } = await new Deno.Command("npx", {
      args: ["-y", HOSTED, "eval", "console.log(Deno.execPath())"],
      cwd: elsewhere,
      env: HOSTED_ENV,
      stdin: "null",
      stderr: "null",
      signal: AbortSignal.timeout(120_000),
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined;
  } finally {
    await Deno.remove(elsewhere, { recursive: true });
  }
}

const deno = await hostedDeno();
const unless = deno === undefined ? ` (ignored: npx cannot run ${HOSTED} here)` : "";

async function runHosted(args: string[], env: Record<string, string> = {}) {
  const { success, stdout, stderr } = await new Deno.Command(deno!, {
    args,
    cwd: ROOT,
    env: { ...env, ...HOSTED_ENV },
    stdin: "null",
    signal: AbortSignal.timeout(900_000),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success, stdout: text(stdout), stderr: text(stderr) };
}

const functions = [...Deno.readDirSync(new URL("supabase/functions", ROOT))]
  .map(({ name }) => name).filter((name) => name !== "_shared").sort();

/** Runs there: loads each function as the platform does, from ROOT, and has it answer a stranger. */
const START = `
  const answers = {};
  for (const name of JSON.parse(Deno.env.get("FUNCTIONS"))) {
    let handler;
    Deno.serve = (given) => { handler = given; return {}; };
    await import(new URL(name + "/" + Deno.env.get("ENTRY"), Deno.env.get("ROOT")).href);
    const ask = async (method) => (await handler(new Request("http://edge/" + name, { method }))).status;
    answers[name] = [await ask("GET"), await ask("POST")];
  }
  console.info("ANSWERS " + JSON.stringify(answers));
  Deno.exit(0);
`;

/** Starts the functions of a folder there. */
async function start(folder: URL, entry: string): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".mjs" });
  try {
    await Deno.writeTextFile(file, START);
    const { stdout, stderr } = await runHosted(["run", "-A", ...HOSTED_FLAGS, file], {
      ...ENVIRONMENT,
      SUPABASE_URL: closedPort(),
      FUNCTIONS: JSON.stringify(functions),
      ROOT: folder.href,
      ENTRY: entry,
    });
    const found = /^ANSWERS (.*)$/m.exec(stdout)?.[1];
    assertEquals(found !== undefined, true, stderr);
    const answers: Record<string, [number, number]> = JSON.parse(found!);
    for (const name of functions) {
      if (name === "voice-health") assertEquals(answers[name], [503, 405], name);
      // A socket's handshake is a GET.
      else if (name === "voice-agent") assertEquals(answers[name], [401, 405], name);
      else if (name.startsWith("voice-")) assertEquals(answers[name], [405, 401], name);
      else for (const status of answers[name]!) assertMatch(`${status}`, /^(400|401|405|415)$/);
    }
  } finally {
    await Deno.remove(file);
  }
}

Deno.test({
  name: `every function starts in the hosted runtime, Deno 2.1.4, and refuses strangers${unless}`,
  ignore: deno === undefined,
  fn: () => start(new URL("supabase/functions/", ROOT), "index.ts"),
});

Deno.test({
  name: `every function starts there as it is deployed, bundled into one file${unless}`,
  ignore: deno === undefined,
  async fn() {
    const dir = await Deno.makeTempDir();
    try {
      await bundle(fromFileUrl(ROOT), functions, dir);
      await start(toFileUrl(`${dir}/`), "index.js");
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test({
  name: `every function passes its tests in the hosted runtime, Deno 2.1.4${unless}`,
  ignore: deno === undefined,
  async fn() {
    const paths = hostedTestFiles(fromFileUrl(ROOT));
    assertEquals(paths.length >= functions.length, true);
    const load = new URL("tests/support/hosted_test_file.ts", ROOT).href;
    const dir = await Deno.makeTempDir();
    try {
      const files = paths.map((path) => {
        const file = join(dir, path.replaceAll("/", "_"));
        const source = `import { load } from "${load}";\nawait load("${new URL(path, ROOT)}");\n`;
        Deno.writeTextFileSync(file, source);
        return file;
      });
      const { success, stdout, stderr } = await runHosted(
        ["test", "-A", "--parallel", ...HOSTED_FLAGS, ...files],
      );
      assertEquals(success, true, (stdout + stderr).slice(-5000));
      assertMatch(stdout, /\| \d{3,} passed .*\| 0 failed/);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});
