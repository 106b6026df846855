// What a deploy believes of tests: CI's word for its commit, or the note of a whole run here that passed.

import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertRejects } from "@std/assert/rejects.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { join } from "@std/path/join.js";
import { git } from "../../scripts/deploy/commands.ts";
import { noteTested, requireTested } from "../../scripts/deploy/tested.ts";

const hasGit = await git(["--version"], ".").then(() => true, () => false);
const unless = hasGit ? "" : " (ignored: there is no git)";

interface Repository {
  readonly root: string;
  commit(): Promise<string>;
  write(path: string, text: string): Promise<void>;
  /** The message, with `ok` before it where the commit counts as tested. */
  ask(commit: string, testedCommit?: string): Promise<string>;
}

function test(name: string, body: (repository: Repository) => Promise<void>) {
  Deno.test({
    name: `tested: ${name}${unless}`,
    ignore: !hasGit,
    async fn() {
      const root = await Deno.makeTempDir({ prefix: "tradeline-tested-" });
      const author = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"];
      const commit = async () => {
        await git(["add", "--all"], root);
        await git(
          [...author, "commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", "."],
          root,
        );
        return await git(["rev-parse", "HEAD"], root);
      };
      try {
        await git(["init", "--quiet"], root);
        await Deno.writeTextFile(join(root, ".gitignore"), ".tradeline/\n");
        await body({
          root,
          commit,
          write: (path, text) => Deno.writeTextFile(join(root, path), text),
          ask: (commit, testedCommit) =>
            requireTested(root, commit, testedCommit).then(
              (said) => `ok ${said}`,
              (error: Error) => error.message,
            ),
        });
      } finally {
        await Deno.remove(root, { recursive: true });
      }
    },
  });
}

const passes = () => Promise.resolve({ failed: 0 });
const passesAll = async (root: string) => {
  await noteTested(root, "test", passes);
  await noteTested(root, "test:deep", passes);
};
const REFUSED = /^run npx -y deno@2\.9\.6 task test and npx -y deno@2\.9\.6 task test:deep first/;

test("whole runs of both halves that pass vouch for its commit, until there is another", async ({ root, commit, ask }) => {
  const first = await commit();
  assertMatch(await ask(first), REFUSED);
  assertEquals(await noteTested(root, "test", passes), { failed: 0 });
  assertMatch(await ask(first), /^run npx -y deno@2\.9\.6 task test:deep first/);
  await noteTested(root, "test:deep", passes);
  assertMatch(await ask(first), /^ok /);

  const second = await commit();
  assertMatch(await ask(second), REFUSED);
  await passesAll(root);
  assertMatch(await ask(second), /^ok /);
});

test("CI's word is enough, for the commit that it is about", async ({ commit, ask }) => {
  const first = await commit();
  const second = await commit();
  assertMatch(await ask(second, second), /^ok .*TESTED_COMMIT/);
  assertMatch(await ask(second, first), REFUSED);
  assertMatch(await ask(second, second.slice(0, 12)), REFUSED);
});

test("a failing run, and one of single tests, vouch for nothing", async ({ root, commit, ask }) => {
  const head = await commit();
  assertEquals(await noteTested(root, "test", () => Promise.resolve({ failed: 1 })), { failed: 1 });
  await noteTested(root, undefined, passes);
  assertMatch(await ask(head), REFUSED);
  await assertRejects(() => noteTested(root, "test", () => Promise.reject(new Error("no report"))));
  assertMatch(await ask(head), REFUSED);
});

test("a run of what is not committed vouches for nothing", async ({ root, commit, write, ask }) => {
  await write("a.ts", "1");
  const head = await commit();
  for (const path of ["a.ts", "new.ts"]) {
    await write(path, "2");
    await noteTested(root, "test", passes);
    assertMatch(await ask(head), REFUSED, path);
  }
  const next = await commit();
  // Somebody goes on working while the tests run.
  await noteTested(root, "test", async () => {
    await write("a.ts", "3");
    return { failed: 0 };
  });
  await noteTested(root, "test:deep", passes);
  assertMatch(await ask(next), REFUSED);
  let last = "";
  await noteTested(root, "test", async () => {
    last = await commit();
    return { failed: 0 };
  });
  assertMatch(await ask(next), REFUSED);
  assertMatch(await ask(last), REFUSED);
});

Deno.test("where there is no git, a run passes and notes nothing", async () => {
  const root = await Deno.makeTempDir({ prefix: "tradeline-tested-" });
  try {
    assertEquals(await noteTested(root, "test", passes), { failed: 0 });
    assertEquals([...Deno.readDirSync(root)], []);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

test("a note that cannot be written fails no run", async ({ root, commit, write }) => {
  await write(".gitignore", ".tradeline\n");
  await commit();
  await write(".tradeline", "a file where the folder is to be");
  const own = console.error;
  const said: string[] = [];
  console.error = (line: string) => void said.push(line);
  try {
    assertEquals(await noteTested(root, "test", passes), { failed: 0 });
  } finally {
    console.error = own;
  }
  assertStringIncludes(said.join(), "Cannot note");
});

for (
  const [what, ignored, code, last] of [
    ["", "", 0, /\n1 passed, 0 failed, 1 skipped\n$/],
    [
      ", where CI runs it, by which an ignored test has failed",
      "fail",
      1,
      /\n1 passed, 1 failed\n$/,
    ],
  ] as const
) {
  Deno.test(`a run's last line is what it counted${what}`, async () => {
    const file = await Deno.makeTempFile({ suffix: "_test.ts" });
    try {
      await Deno.writeTextFile(
        file,
        `Deno.test("one", () => {}); Deno.test.ignore("two", () => {});`,
      );
      const run = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--node-modules-dir=auto", "-A", "tests/run.ts", file],
        cwd: new URL("../..", import.meta.url),
        env: { NO_COLOR: "1", IGNORED_TESTS: ignored },
      }).output();
      assertMatch(new TextDecoder().decode(run.stdout), last);
      assertEquals(run.code, code);
    } finally {
      await Deno.remove(file);
    }
  });
}
