import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { assertRejects } from "@std/assert/rejects.js";
import { assertThrows } from "@std/assert/throws.js";
import { command, FLAG, localUrl, secretKey, TEXT, UsageError } from "../../scripts/command.ts";

async function greet(args: string[], run?: () => Promise<number>) {
  const lines: string[] = [];
  const code = await command(
    { task: "greet", help: "Greets.\n", print: (line) => lines.push(line) },
    { args, options: { name: TEXT, loud: FLAG } },
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
  for (const option of ["--help", "-h"]) {
    assertEquals(await greet([option]), { code: 0, text: "Greets." });
  }
});

Deno.test("an option that is not known, and one that a command refuses, end with 2 and name the help", async () => {
  const unknown = await greet(["--nmae", "Jane"]);
  assertEquals(unknown.code, 2);
  assertStringIncludes(unknown.text, "--nmae");
  assertStringIncludes(unknown.text, "See: npx -y deno@2.9.6 task greet --help");
  const refused = await greet([], () => Promise.reject(new UsageError("--name must be given")));
  assertEquals([refused.code, refused.text.split("\n")[0]], [2, "--name must be given"]);
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
