import { dirname } from "@std/path/dirname.js";
import { join } from "@std/path/join.js";
import { CommandError, git } from "./commands.ts";

/** The two halves of the tests, each with the file that holds the commit of its newest run that passed here. */
const NOTES = {
  "test": join(".tradeline", "tested"),
  "test:deep": join(".tradeline", "tested-deep"),
} as const;

/** A task that runs one half of the tests. */
export type TestTask = keyof typeof NOTES;

/**
 * Runs tests and notes the commit that passed them, for `requireTested`. A run of single tests, a failed run, a run with
 * uncommitted changes before or after it, and a run without git are not noted.
 *
 * @param task The half that is run whole; `undefined`: single tests.
 */
export async function noteTested<T extends { readonly failed: number }>(
  root: string,
  task: TestTask | undefined,
  runTests: () => Promise<T>,
): Promise<T> {
  const commit = task === undefined ? undefined : await cleanCommit(root);
  const result = await runTests();
  if (result.failed === 0 && commit !== undefined && commit === await cleanCommit(root)) {
    const path = join(root, NOTES[task!]);
    try {
      await Deno.mkdir(dirname(path), { recursive: true });
      await Deno.writeTextFile(path, `${commit}\n`);
    } catch (error) {
      // A missing note does not fail the run.
      console.error(`Cannot note in ${NOTES[task!]} that they passed: ${(error as Error).message}`);
    }
  }
  return result;
}

/**
 * Requires that a commit passed the tests, according to CI or to the note of a run here.
 *
 * @param testedCommit The commit that passed them in CI.
 * @throws {Error} saying what to do.
 */
export async function requireTested(
  root: string,
  commit: string,
  testedCommit: string | undefined,
): Promise<string> {
  if (testedCommit === commit) return "passed for this commit, as TESTED_COMMIT says";
  const passed = (task: TestTask) =>
    Deno.readTextFile(join(root, NOTES[task])).then(
      (noted) => noted.trim() === commit,
      (error) => {
        if (error instanceof Deno.errors.NotFound) return false;
        throw error;
      },
    );
  const tasks = Object.keys(NOTES) as TestTask[];
  const owed = (await Promise.all(tasks.map(async (task) => await passed(task) ? [] : [task])))
    .flat();
  if (owed.length === 0) return "passed for this commit, here";
  throw new Error(
    `run ${
      owed.map((task) => `npx -y deno@2.9.6 task ${task}`).join(" and ")
    } first, whole and with nothing uncommitted: ${
      commit.slice(0, 12)
    } is neither TESTED_COMMIT nor in ${owed.map((task) => NOTES[task]).join(" and ")}`,
  );
}

/** The commit that is checked out, if nothing differs from it. */
async function cleanCommit(root: string): Promise<string | undefined> {
  try {
    if (await git(["status", "--porcelain"], root) !== "") return undefined;
    return await git(["rev-parse", "HEAD"], root);
  } catch (error) {
    // No git, no repository, no commit.
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}
