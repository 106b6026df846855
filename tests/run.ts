/**
 * Runs the tests on one PostgreSQL of its own and closes with `N passed, N failed`. `task test` runs all
 * that is quick; `task test:deep` (`--deep`) the slow rest: real browsers, the real Supabase CLI, the hosted
 * runtime. Other arguments go to `deno test`: a file, or `--filter "part of a name"`. Without any, a commit
 * that passes is noted, as `deno task deploy` asks for both. With `IGNORED_TESTS=fail` an ignored test, as
 * where a program is missing, counts as failed: CI vouches for a commit, and leaves nothing out.
 */
import { fromFileUrl } from "@std/path/from_file_url.js";
import { noteTested, type TestTask } from "../scripts/deploy/tested.ts";
import { abandoned, type AtEnd, atEnd } from "../scripts/local/ending.ts";
import { startTestCluster } from "./support/cluster.ts";
import { fetchTools } from "./support/tools.ts";

const root = fromFileUrl(new URL("..", import.meta.url));

/** The folders of `task test:deep`. */
const DEEP = ["browser", "deploy"];
/** Folders without tests of their own. */
const WITHOUT_TESTS = ["bench", "support"];

const deep = Deno.args.includes("--deep");
const args = Deno.args.filter((arg) => arg !== "--deep");
const task: TestTask | undefined = args.length > 0 ? undefined : deep ? "test:deep" : "test";

/** The files and folders of this half of the tests. */
function pathsOf(half: "quick" | "deep"): string[] {
  if (half === "deep") return DEEP.map((folder) => `tests/${folder}/`);
  return [...Deno.readDirSync(`${root}/tests`)]
    .filter(({ name, isDirectory }) =>
      isDirectory ? ![...DEEP, ...WITHOUT_TESTS].includes(name) : name.endsWith("_test.ts")
    )
    .map(({ name }) => `tests/${name}`).sort();
}

interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Counts the tests of a JUnit report; steps, which it lists as tests of their own, are left out. */
function countTests(junit: string): Count {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const [, suite = ""] of junit.matchAll(/<testsuite [^>]*>(.*?)<\/testsuite>/gs)) {
    const tests = [...suite.matchAll(/<testcase name="([^"]*)"[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs)]
      .map(([, name = "", body = ""]) => ({ name, body }));
    const names = new Set(tests.map((test) => test.name));
    for (const { name, body } of tests) {
      if (isStep(name, names)) continue;
      if (body.includes("<skipped")) count.skipped++;
      else if (/<failure|<error/.test(body)) count.failed++;
      else count.passed++;
    }
  }
  return count;
}

/** A step is named `test > step`, and its test is in the same report. */
function isStep(name: string, names: Set<string>): boolean {
  const separator = " &gt; ";
  for (let at = name.indexOf(separator); at !== -1; at = name.indexOf(separator, at + 1)) {
    if (names.has(name.slice(0, at))) return true;
  }
  return false;
}

async function runTests(): Promise<Count> {
  const paths = args.some((arg) => /\.ts$|^tests\b/.test(arg))
    ? []
    : pathsOf(deep ? "deep" : "quick");
  if (task !== undefined) await fetchTools(root, task);
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
        "--node-modules-dir=auto",
        "-A",
        "--parallel",
        `--junit-path=${report}`,
        ...args,
        ...paths,
      ],
      cwd: root,
      env: {
        // Three on two cores: a page that speaks, and a program that starts, leave one idle.
        DENO_JOBS: String(Math.max(3, Math.min(navigator.hardwareConcurrency, 4))),
        ...Deno.env.toObject(),
        ...cluster.env,
        TMPDIR: dir,
      },
      detached: true,
    }).spawn();
    ending = atEnd('kill -s KILL -- "-$2"; rm -rf "$1"', dir, String(child.pid));
    const stop = () => Deno.kill(-child.pid, "SIGTERM");
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, stop);
    }
    abandoned(deep ? "test:deep" : "test").then(stop);
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

const { passed, failed, skipped } = await noteTested(root, task, runTests);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
Deno.exit(failed === 0 ? 0 : 1);
