import { dirname } from "@std/path/dirname.js";
import { join } from "@std/path/join.js";
import { CommandError, git } from "./commands.ts";

/** Holds the commit of the newest whole test run that passed here. */
const NOTE = join(".tradeline", "tested");

/**
 * Runs tests, and notes the commit that they passed for, for `requireTested`. Nothing is noted of a run of single
 * tests, of one that fails, where a file differs from the commit before or after it, and where there is no git.
 *
 * @param args Those of the run; any makes it one of single tests.
 */
export async function noteTested<T extends { readonly failed: number }>(
  root: string,
  args: readonly string[],
  runTests: () => Promise<T>,
): Promise<T> {
  const commit = args.length === 0 ? await cleanCommit(root) : undefined;
  const result = await runTests();
  if (result.failed === 0 && commit !== undefined && commit === await cleanCommit(root)) {
    const path = join(root, NOTE);
    try {
      await Deno.mkdir(dirname(path), { recursive: true });
      await Deno.writeTextFile(path, `${commit}\n`);
    } catch (error) {
      // They have passed all the same.
      console.error(`Cannot note in ${NOTE} that they passed: ${(error as Error).message}`);
    }
  }
  return result;
}

/**
 * Holds a commit to having passed the tests: by CI's word, or by a run's note.
 *
 * @param testedCommit What CI says that they passed for.
 * @throws {Error} saying what to do.
 */
export async function requireTested(
  root: string,
  commit: string,
  testedCommit: string | undefined,
): Promise<string> {
  const noted = await Deno.readTextFile(join(root, NOTE)).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  if (testedCommit === commit) return "passed for this commit, as TESTED_COMMIT says";
  if (noted?.trim() === commit) return "passed for this commit, here";
  throw new Error(
    `run npx -y deno@2.9.6 task test first, all of it and with nothing uncommitted: neither TESTED_COMMIT nor ${NOTE} says that ${
      commit.slice(0, 12)
    } passed`,
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
