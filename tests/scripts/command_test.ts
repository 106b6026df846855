import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { assertRejects } from "@std/assert/rejects.js";
import { assertThrows } from "@std/assert/throws.js";
import {
  ADDRESS,
  command,
  E164,
  FLAG,
  localUrl,
  numberFrom,
  secretKey,
  TEXT,
  UsageError,
} from "../../scripts/command.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { inFull } from "../support/cases.ts";
import { runCommand } from "../support/command.ts";

async function greet(args: string[], run?: () => Promise<number>) {
  const lines: string[] = [];
  const code = await command(
    { task: "greet", help: "Greets.\n", print: (line) => lines.push(line) },
    {
      args,
      options: {
        name: TEXT,
        loud: FLAG,
        soft: FLAG,
        times: numberFrom(1, true, 9),
        from: E164,
        url: ADDRESS,
        also: { ...TEXT, multiple: true },
      },
      either: [["loud", "soft"]],
    },
    run ?? (({ values: { name, loud } }) => {
      lines.push(`${name}${loud ? "!" : ""}`);
      return Promise.resolve(7);
    }),
  );
  return { code, text: lines.join("\n") };
}

Deno.test("a command gets its options, and its exit code is what it returns", async () => {
  assertEquals(await greet(["--name", "Jane", "--loud"]), { code: 7, text: "Jane!" });
});

Deno.test("--help and -h tell the help, do nothing, and end with 0", async () => {
  for (const args of [["--help"], ["-h"], ["--nmae", "--help"], ["--name", "", "-h"]]) {
    assertEquals(await greet(args), { code: 0, text: "Greets." });
  }
});

Deno.test("what cannot be meant ends with 2, and one line that names it and the help", async () => {
  const wrong: [args: string[], line: string][] = [
    [["--nmae", "Jane"], "Unknown option '--nmae'"],
    [["Jane"], "Unexpected argument 'Jane'"],
    [["--name"], "Option '--name <value>' argument missing"],
    [["--name", ""], "--name must not be empty"],
    [["--name= "], "--name must not be empty"],
    [["--name", "Jane", "--name", "Joe"], "--name is given twice"],
    [["--loud", "--soft"], "--loud and --soft exclude each other"],
    [["--times", "0"], '--times must be a whole number from 1 to 9: "0"'],
    [["--times", "1.5"], '--times must be a whole number from 1 to 9: "1.5"'],
    [["--times", "x"], '--times must be a whole number from 1 to 9: "x"'],
    [["--from", "5551234"], '--from must be a number such as +14035550123: "5551234"'],
    [["--url", "localhost"], "--url must be an address such as https://YOUR_PROJECT"],
    [["--times", "-1"], "--times has no value; one that begins with a dash needs --times=-..."],
    [
      ["--url", "https://YOUR_PROJECT.supabase.co"],
      '--url must have your own value in place of "YOUR_PROJECT"',
    ],
    ...["...", "sb_secret_...", "AC...", "postgresql://..."].map((value): [string[], string] => [
      ["--name", value],
      `--name must have your own value in place of "${value}"`,
    ]),
  ];
  for (const [args, line] of wrong) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const { code, text } = await greet(args);
    assertEquals([code, text.split("\n").length], [2, 1], text);
    assertStringIncludes(text, line);
    assertStringIncludes(text, ". See npx -y deno@2.9.6 task greet --help");
  }
  const refused = await greet([], () => Promise.reject(new UsageError("--name must be given")));
  assertEquals(refused, {
    code: 2,
    text: "--name must be given. See npx -y deno@2.9.6 task greet --help",
  });
  assertEquals((await greet(["--also", "a", "--also", "b", "--times", "9"])).code, 7);
});

Deno.test("any other error is not taken for wrong usage", async () => {
  await assertRejects(() => greet([], () => Promise.reject(new TypeError("a bug"))), TypeError);
});

Deno.test("the secret key is found in either form, and a form that holds none is refused", () => {
  const from = (env: Record<string, string>) => secretKey((name) => env[name]);
  assertEquals(from({ SUPABASE_SECRET_KEYS: '{"default":"sb_secret_a"}' }), "sb_secret_a");
  assertEquals(from({ SUPABASE_SERVICE_ROLE_KEY: "eyJ" }), "eyJ");
  assertEquals(from({}), undefined);
  for (const keys of ["sb_secret_a", "{}", '{"default":""}']) {
    assertThrows(() => from({ SUPABASE_SECRET_KEYS: keys }), UsageError, "SUPABASE_SECRET_KEYS");
  }
});

Deno.test("this machine's address follows TRADELINE_API_PORT", () => {
  assertEquals(localUrl(() => undefined), "http://127.0.0.1:54321");
  assertEquals(
    localUrl((name) => `${name === "TRADELINE_API_PORT" && 9999}`),
    "http://127.0.0.1:9999",
  );
});

/** What each command refuses beside what all do; its script is the one of deno.json. */
const REFUSED: Readonly<Record<string, string[][]>> = {
  start: [["now"]],
  phone: [
    ["--from", "5551234"],
    ["--to", "911"],
    ["--keys", "1", "--keys", "2"],
    ["--keys", "a"],
    ["--fast", "--real-time"],
    ["--dial", "maybe"],
    ["--talk", "-1"],
    ["--account", "AC1"],
    ["--as", "Anna Bell"],
    ["--join", "--fast"],
    ["--calls", "0"],
  ],
  load: [["--calls", "0"], ["--calls", "1.5"], ["--speed", "fast"], ["--url", "here"]],
  onboard: [
    [],
    ["--org", "1", "--name", "A"],
    ["--org", crypto.randomUUID()],
    ["--org", crypto.randomUUID(), "--name", "A", "--country", "FR"],
    ["--org", crypto.randomUUID(), "--name", "A", "--area", "5870"],
    ["--release", crypto.randomUUID(), "--name", "A"],
  ],
  flow: [[], ["say"], ["check"], ["publish", "no-such-file.json"], ["rollback", "dental", "2"]],
  people: [
    [],
    ["greet"],
    ["add", "Anna", "--name", "Anna", "--phone", "+14035550110"],
    ["add", "anna", "--name", "Anna"],
    ["available", "anna"],
    ["available", "anna", "maybe"],
    ["available", "anna", "no", "--until", "2020-12-24T17:00:00-07:00"],
    ["change", "anna"],
    ["change", "anna", "--code", "12345"],
    ["change", "anna", "--name", "A".repeat(201)],
    ["available", "anna", "yes", "--until", "2026-12-24T17:00:00-07:00"],
    ["list", "--line", "+14035550110"],
  ],
  search: [
    [],
    ["late", "fee"],
    ["late", "--limit", "0"],
    ["late", "--limit", "101"],
    ["late", "--min-seconds", "long"],
    ["late", "--org", "1"],
    ["late", "--csv", "--json"],
    ["import", "a.csv", "b.csv"],
  ],
  agent: [["judge"], ["evaluate"]],
  campaign: [[], ["dial"], ["simulate", "--answered", "2"], ["simulate", "now"], ["start", "ID"]],
  token: [[], ["--account", "AC1"], ["--account", `AC${"1".repeat(32)}`, "--url", "here"]],
  doctor: [["--url", "here"]],
  deploy: [["--project", "short"], ["--number", "5551234"], ["--only", ","]],
  rollback: [["--project", "short"]],
  backup: [["--database", ""], ["now"], ["--to", "x"], ["--verify"]],
  restore: [
    [],
    ["nofile"],
    ["nofile", "--verify", "--to", "postgresql://127.0.0.1/x"],
    ["nofile", "--verify", "--dir", "x"],
  ],
  forget: [[], ["5551234", "--yes"], ["--email", "jane", "--yes"]],
  schema: [["--lay", "now"]],
  test: [["tests/no_such_test.ts"]],
  "test:deep": [["tests/no_such_test.ts"]],
  bench: [["--only", "nothing"], ["--calls", "0"]],
};

const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`)) as {
  tasks: Record<string, { command: string }>;
};

Deno.test("each command prints help that can be pasted, and refuses unknown options without doing anything", async () => {
  assertEquals(Object.keys(tasks).filter((task) => task !== "check"), Object.keys(REFUSED));
  const wrong = async (task: string, [script = "", ...own]: string[], args: string[]) => {
    const { code, out, err } = await runCommand(script, [...own, ...args], { env: WITHOUT });
    const said = `${out}${err}`.trim();
    assertEquals([code, said.split("\n").length], [2, 1], `${task} ${args.join(" ")}: ${said}`);
    assertStringIncludes(said, `. See npx -y deno@2.9.6 task ${task} --help`);
  };
  /** Nothing is there to be asked, and nothing that is set gets in the way. */
  const WITHOUT = { SUPABASE_PROJECT_REF: "", SUPABASE_DB_URL: "", SUPABASE_URL: "" };
  const tried = Object.entries(REFUSED);
  for (const [task, refused] of inFull ? tried : tried.slice(0, 3)) {
    const script = tasks[task]!.command.replace(/^.* -A /, "").split(" ");
    // deno-lint-ignore no-await-in-loop -- A few processes at a time.
    const [{ code, out, err }] = await Promise.all([
      runCommand(script[0]!, [...script.slice(1), "--help"], { env: WITHOUT }),
      wrong(task, script, ["--no-such-option"]),
    ]);
    assertEquals([code, err], [0, ""], task);
    assertStringIncludes(out, `  npx -y deno@2.9.6 task ${task}`);
    assertEquals(/(^|\s)deno task /.test(out), false, `${task}: not as it can be pasted`);
    // deno-lint-ignore no-await-in-loop
    await Promise.all(refused.map((args) => wrong(task, script, args)));
  }
});
