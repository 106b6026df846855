// The hosted runtime is Deno 2.1.4. Each function must start there, by the import map alone, and pass its tests.

import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { closedPort } from "../support/fake_data_api.ts";
import { ENVIRONMENT } from "../support/webhook.ts";

const HOSTED = "deno@2.1.4";
const ROOT = new URL("../../", import.meta.url);

/** The older Deno's own path. A lockfile of today is one that it cannot read: it is asked from elsewhere. */
async function hostedDeno(): Promise<string | undefined> {
  const elsewhere = await Deno.makeTempDir();
  try {
    const { success, stdout } = await new Deno.Command("npx", {
      args: ["-y", HOSTED, "eval", "console.log(Deno.execPath())"],
      cwd: elsewhere,
      env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
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
const FLAGS = [
  "-A",
  "--no-lock",
  "--no-check",
  "--node-modules-dir=none",
  "--import-map=import_map.json",
];

async function runHosted(args: string[], env: Record<string, string> = {}) {
  const { success, stdout, stderr } = await new Deno.Command(deno!, {
    args,
    cwd: ROOT,
    env: { ...env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    signal: AbortSignal.timeout(120_000),
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success, stdout: text(stdout), stderr: text(stderr) };
}

const functions = [...Deno.readDirSync(new URL("supabase/functions", ROOT))]
  .map(({ name }) => name).filter((name) => name !== "_shared").sort();

/** Runs there: loads each function as the platform does, and has it answer a stranger. */
const START = `
  const answers = {};
  for (const name of JSON.parse(Deno.env.get("FUNCTIONS"))) {
    let handler;
    Deno.serve = (given) => { handler = given; return {}; };
    await import(new URL("supabase/functions/" + name + "/index.ts", Deno.env.get("ROOT")).href);
    const ask = async (method) => (await handler(new Request("http://edge/" + name, { method }))).status;
    answers[name] = [await ask("GET"), await ask("POST")];
  }
  console.info("ANSWERS " + JSON.stringify(answers));
  Deno.exit(0);
`;

Deno.test({
  name: `every function starts in the hosted runtime, Deno 2.1.4, and refuses strangers${unless}`,
  ignore: deno === undefined,
  async fn() {
    const file = await Deno.makeTempFile({ suffix: ".mjs" });
    try {
      await Deno.writeTextFile(file, START);
      const { stdout, stderr } = await runHosted(["run", ...FLAGS, "--config=deno.json", file], {
        ...ENVIRONMENT,
        SUPABASE_URL: closedPort(),
        FUNCTIONS: JSON.stringify(functions),
        ROOT: ROOT.href,
      });
      const found = /^ANSWERS (.*)$/m.exec(stdout)?.[1];
      assertEquals(found !== undefined, true, stderr);
      const answers: Record<string, [number, number]> = JSON.parse(found!);
      for (const name of functions) {
        if (name === "voice-health") assertEquals(answers[name], [503, 405], name);
        else if (name.startsWith("voice-")) assertEquals(answers[name], [405, 401], name);
        else for (const status of answers[name]!) assertMatch(`${status}`, /^(400|401|405|415)$/);
      }
    } finally {
      await Deno.remove(file);
    }
  },
});

/** What a test file may need for the older runtime to run it: no database, and nothing of a newer `Deno.test`. */
const PLAIN =
  /support\/(?!webhook\.ts|events\.ts|expected\.ts|fake_data_api\.ts|background\.ts)|afterAll|scripts\//;

function plainTests(): string[] {
  return ["tests/unit", "tests/functions"].flatMap((dir) =>
    [...Deno.readDirSync(new URL(dir, ROOT))].map(({ name }) => `${dir}/${name}`)
  ).filter((path) =>
    path.endsWith("_test.ts") && !PLAIN.test(Deno.readTextFileSync(new URL(path, ROOT)))
  ).sort();
}

Deno.test({
  name: `the functions pass their tests in the hosted runtime, Deno 2.1.4${unless}`,
  ignore: deno === undefined,
  async fn() {
    const files = plainTests();
    // All steps of a call are among them.
    for (const name of ["frontdoor", "consent-speech", "menu-handler", "route", "voicemail"]) {
      assertEquals(files.includes(`tests/functions/voice-${name}_test.ts`), true, name);
    }
    const { success, stdout, stderr } = await runHosted(["test", ...FLAGS, ...files]);
    assertEquals(success, true, (stdout + stderr).slice(-3000));
    assertMatch(stdout, /\| \d{3,} passed .*\| 0 failed/);
  },
});
