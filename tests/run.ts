/**
 * Runs the tests on one PostgreSQL of its own and closes with `N passed, N failed`. A commit that passes a whole
 * half is noted, as `deno task deploy` asks for both.
 */
import { existsSync } from "node:fs";
import { fromFileUrl } from "@std/path/from_file_url.js";
import { resolve } from "@std/path/resolve.js";
import { command, FLAG, numberFrom, type Parsed, TEXT, UsageError } from "../scripts/command.ts";
import { noteTested, type TestTask } from "../scripts/deploy/tested.ts";
import { childrenOf, parseXml } from "../scripts/xml.ts";
import { abandoned, type AtEnd, atEnd } from "../scripts/local/ending.ts";
import { CASES_VARIABLE } from "./support/cases.ts";
import { startTestCluster } from "./support/cluster.ts";
import { fetchTools } from "./support/tools.ts";

const HELP = `Run the tests, on a PostgreSQL of their own.

  npx -y deno@2.9.6 task test                                 all that are quick
  npx -y deno@2.9.6 task test:deep                            the slow rest: browsers, Supabase's CLI, the hosted runtime,
                                                              and all cases of which the quick half tries a tenth
  npx -y deno@2.9.6 task test tests/unit/menu_test.ts         files, or folders
  npx -y deno@2.9.6 task test --filter "part of a name"

  --filter <text>  the tests whose name has it, or /matches it/
  --shuffle <seed> in an order of chance, the same for the same number
  --fail-fast      stop at the first that fails
  --help

With IGNORED_TESTS=fail a test that is ignored, as where a program is missing, counts as failed.
Exit code 0: none has failed. 1: some have, or there are none. 2: an option is wrong.
`;

const CONFIG = {
  allowPositionals: true,
  options: { deep: FLAG, filter: TEXT, shuffle: numberFrom(0, true), "fail-fast": FLAG },
} as const;

const root = fromFileUrl(new URL("..", import.meta.url));

/** The folders of `task test:deep`. */
const DEEP = ["browser", "deploy", "processes", "wide"];
/** Folders without tests of their own. */
const WITHOUT_TESTS = ["bench", "support"];

/** The files and folders of this half of the tests. */
function pathsOf(half: "quick" | "deep"): string[] {
  const quick = [...Deno.readDirSync(`${root}/tests`)]
    .filter(({ name, isDirectory }) =>
      isDirectory ? ![...DEEP, ...WITHOUT_TESTS].includes(name) : name.endsWith("_test.ts")
    );
  if (half === "quick") return quick.map(({ name }) => `tests/${name}`).sort();
  const inSmall = quick.filter(({ isDirectory }) => isDirectory).flatMap(({ name: folder }) =>
    [...Deno.readDirSync(`${root}/tests/${folder}`)].map(({ name }) => `tests/${folder}/${name}`)
  ).filter((file) =>
    file.endsWith("_test.ts") &&
    Deno.readTextFileSync(`${root}/${file}`).includes('"../support/cases.ts"')
  );
  return [...DEEP.map((folder) => `tests/${folder}/`), ...inSmall.sort()];
}

interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Counts the tests of a JUnit report; steps, which it lists as tests of their own, are left out. */
function countTests(junit: string): Count {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const suite of junit === "" ? [] : childrenOf(parseXml(junit))) {
    const names = new Set(childrenOf(suite).map(({ attributes }) => attributes["name"]));
    for (const test of childrenOf(suite)) {
      if (isStep(test.attributes["name"] ?? "", names)) continue;
      const told = childrenOf(test).map(({ name }) => name);
      if (told.includes("skipped")) count.skipped++;
      else if (told.includes("failure") || told.includes("error")) count.failed++;
      else count.passed++;
    }
  }
  return count;
}

/** A step is named `test > step`, and its test is in the same report. */
function isStep(name: string, names: Set<string | undefined>): boolean {
  const separator = " > ";
  for (let at = name.indexOf(separator); at !== -1; at = name.indexOf(separator, at + 1)) {
    if (names.has(name.slice(0, at))) return true;
  }
  return false;
}

async function runTests(
  half: TestTask,
  whole: boolean,
  args: readonly string[],
): Promise<Count> {
  if (whole) await fetchTools(root, half);
  const cluster = await startTestCluster();
  // All that the tests start is in a process group, and all that they make in a directory, that end with this run.
  const dir = await Deno.makeTempDir({ prefix: "tradeline-tests-" });
  await Deno.chmod(dir, 0o755);
  const report = `${dir}/report.xml`;
  let ending: AtEnd | undefined;
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        // `deno task check` has checked the types.
        "--no-check",
        "--node-modules-dir=auto",
        "-A",
        "--parallel",
        `--junit-path=${report}`,
        ...args,
      ],
      cwd: root,
      env: {
        // Three on two cores: a page that speaks, and a program that starts, leave one idle.
        DENO_JOBS: String(Math.max(3, Math.min(navigator.hardwareConcurrency, 4))),
        ...Deno.env.toObject(),
        ...cluster.env,
        ...(half === "test:deep" && { [CASES_VARIABLE]: "all" }),
        TMPDIR: dir,
      },
      detached: true,
    }).spawn();
    ending = atEnd('kill -s KILL -- "-$2"; rm -rf "$1"', dir, String(child.pid));
    const stop = () => Deno.kill(-child.pid, "SIGTERM");
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, stop);
    }
    abandoned(half).then(stop);
    const { code } = await child.status;

    const count = countTests(await Deno.readTextFile(report).catch(() => ""));
    // A file that does not load, or a leak between tests, fails the run without failing a test.
    const failed = count.failed === 0 && (code !== 0 || count.passed === 0) ? 1 : count.failed;
    if (count.skipped === 0 || Deno.env.get("IGNORED_TESTS") !== "fail") {
      return { ...count, failed };
    }
    console.log(`IGNORED_TESTS=fail: ${count.skipped} tests were ignored, and count as failed.`);
    return { ...count, failed: failed + count.skipped, skipped: 0 };
  } finally {
    await ending?.run();
    await Deno.remove(dir, { recursive: true }).catch(() => {});
    await cluster.stop();
  }
}

async function run({ values, positionals }: Parsed<typeof CONFIG>): Promise<number> {
  const { deep, filter, shuffle, "fail-fast": failFast } = values;
  const half: TestTask = deep ? "test:deep" : "test";
  const whole = positionals.length === 0 && filter === undefined && !failFast;
  for (const path of positionals) {
    if (!existsSync(resolve(root, path))) throw new UsageError(`There is no ${path}`);
  }
  const args = [
    ...(filter === undefined ? [] : [`--filter=${filter}`]),
    ...(shuffle === undefined ? [] : [`--shuffle=${shuffle}`]),
    ...(failFast ? ["--fail-fast"] : []),
    ...(positionals.length > 0 ? positionals : pathsOf(deep ? "deep" : "quick")),
  ];
  const { passed, failed, skipped } = await noteTested(
    root,
    whole ? half : undefined,
    () => runTests(half, whole, args),
  );
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return failed === 0 ? 0 : 1;
}

const task = Deno.args.includes("--deep") ? "test:deep" : "test";
Deno.exit(await command({ task, help: HELP }, { args: Deno.args, ...CONFIG }, run));
