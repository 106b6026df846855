// The workflows are what GitHub takes: by GitHub's own language service, as nothing here can run them.

import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { join } from "@std/path/join.js";
import { parse as parseYaml } from "@std/yaml/parse.js";
import { run } from "../../scripts/deploy/commands.ts";
import { ROOT } from "../../scripts/local/stack.ts";

const FOLDER = join(ROOT, ".github", "workflows");
const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).sort();
const read = (name: string) => Deno.readTextFileSync(join(FOLDER, name));

/** What is wrong with workflows, by file name, each as `name:line message`. */
async function faults(texts: ReadonlyMap<string, string>): Promise<string[]> {
  const dir = await Deno.makeTempDir();
  try {
    const program = join(dir, "program.js");
    const source = join(ROOT, "tests", "support", "workflow_faults.ts");
    const cwd = ROOT;
    await run(Deno.execPath(), ["bundle", "--platform=deno", "-o", program, source], { cwd });
    // By its path it is told what a file is.
    const folder = join(dir, ".github", "workflows");
    await Deno.mkdir(folder, { recursive: true });
    for (const [name, text] of texts) Deno.writeTextFileSync(join(folder, name), text);
    const files = [...texts.keys()].map((name) => join(folder, name));
    const said = await run(Deno.execPath(), ["run", "-A", program, ...files], { cwd });
    const found: { file: string; line: number; message: string }[] = JSON.parse(said);
    return found.map(({ file, line, message }) => `${file.split("/").at(-1)}:${line} ${message}`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("workflows: GitHub finds nothing wrong with them", async () => {
  assertEquals(names.length > 2, true);
  assertEquals(await faults(new Map(names.map((name) => [name, read(name)]))), []);
});

Deno.test("workflows: a fault of each kind would be found", async () => {
  const deploy = read("deploy.yml");
  const broken: [name: string, text: string, fault: string][] = [
    ["key.yml", deploy.replace("runs-on:", "run-on:"), "Unexpected value 'run-on'"],
    ["job.yml", deploy.replace("needs: check", "needs: nothing"), "unknown job 'nothing'"],
    ["input.yml", deploy.replace("inputs.task == 'deploy' &&", "inputs.tsk &&"), "invalid: tsk"],
    ["function.yml", deploy.replace("!failure()", "!failed()"), "Unrecognized function: 'failed'"],
    ["right.yml", deploy.replace("contents: read", "contents: reed"), "Unexpected value 'reed'"],
    ["time.yml", read("check.yml").replace("17 6 * * 1", "17 66 * * 1"), "Invalid cron"],
  ];
  const found = await faults(new Map(broken.map(([name, text]) => [name, text])));
  for (const [name, , fault] of broken) {
    assertStringIncludes(found.filter((line) => line.startsWith(name)).join("\n"), fault, name);
  }
});

for (const name of names) {
  Deno.test(`workflows: ${name} runs others' code by commit, and is given no more rights than it needs`, () => {
    const text = read(name);
    for (const [, used] of text.matchAll(/\buses: (.+)$/gm)) {
      if (used!.startsWith("./")) Deno.statSync(join(ROOT, used!));
      // A tag can be moved to other code; a commit cannot. The version is for people.
      else assertMatch(used!, /^[\w-]+(\/[\w-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
    assertMatch(text, /^permissions:\n {2}contents: read\n(?! )/m);
    assertEquals(text.includes("pull_request_target"), false);
    const checkouts = text.split("uses: actions/checkout@").length - 1;
    assertEquals(text.split("persist-credentials: false").length - 1, checkouts);
    // What somebody typed is handed over as a variable, and never becomes part of a script.
    for (const [, script] of text.matchAll(/\brun: (.+)$/gm)) {
      assertEquals(script!.includes("${{"), false, script);
    }
  });
}

interface Step {
  readonly if?: string;
  readonly run?: string;
  readonly uses?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, string>>;
}

interface Job {
  readonly environment: string;
  readonly steps: readonly Step[];
}

const jobOf = (name: string) =>
  (parseYaml(read(`${name}.yml`)) as { jobs: Record<string, Job> }).jobs[name]!;

const BACKUP = [
  ["deploy", /task "\$TASK"/, ["SUPABASE_DB_URL", "BACKUP_KEY"]],
  ["backup", /task backup$/, [
    "SUPABASE_DB_URL",
    "BACKUP_KEY",
    "TWILIO_ACCOUNT_SID",
    "TWILIO_AUTH_TOKEN",
  ]],
] as const;

for (const [name, task, secrets] of BACKUP) {
  Deno.test(`workflows: ${name} makes a backup, and keeps it whatever fails later, but not in the clear`, () => {
    const { steps } = jobOf(name);
    const { env } = steps.find(({ run }) => task.test(run ?? ""))!;
    for (const secret of secrets) assertEquals(env![secret], `\${{ secrets.${secret} }}`);
    const kept = steps.find(({ uses }) => uses?.startsWith("actions/upload-artifact@"))!;
    assertMatch(kept.if ?? "", /always\(\)|!cancelled\(\)/);
    assertEquals(
      kept.with!["path"],
      `\${{ secrets.BACKUP_KEY != '' && '${env!["BACKUP_DIR"]}/' ` +
        "|| 'nothing, as BACKUP_KEY is not set' }}",
    );
  });
}

Deno.test("workflows: a backup at night does not wait for the reviewers of deploys", () => {
  assertEquals(jobOf("backup").environment, "backup");
});

Deno.test("workflows: the console is published with the project's public values, and no secret", () => {
  const { steps } = jobOf("console");
  const { env } = steps.find(({ run }) => run?.includes("--console"))!;
  assertEquals(env, {
    SUPABASE_PROJECT_REF: "${{ vars.SUPABASE_PROJECT_REF }}",
    SUPABASE_PUBLISHABLE_KEYS: "${{ vars.SUPABASE_PUBLISHABLE_KEYS }}",
  });
  assertEquals(read("console.yml").includes("secrets."), false);
});
