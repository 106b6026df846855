import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { people } from "../../scripts/people/main.ts";
import { startTestStack } from "../support/database.ts";

// `task people`, as an operator uses it; that a person is verified by a call is in tests/browser/people_test.ts.

const stack = await startTestStack({ functions: false });
Deno.test.afterAll(() => stack.stop());

async function run(...args: string[]) {
  const lines: string[] = [];
  const print = (line: string) => void lines.push(line);
  const port = new URL(stack.url).port;
  const env = (name: string) => name === "TRADELINE_API_PORT" ? port : undefined;
  const code = await people(args, { env, print, complain: print });
  return { code, text: lines.join("\n") };
}

const ADD = ["add", "anna", "--name", "Anna Bell", "--phone", "+14035550110"];

Deno.test("a person is added, listed as not verified, made available or not, and removed", async () => {
  assertStringIncludes((await run("list")).text, "Nobody yet");
  assertEquals((await run(...ADD)).code, 0);
  assertStringIncludes((await run("list")).text, "not verified: no calls come");
  await stack.db.sql`update people set verified_at = now()`;
  assertStringIncludes((await run("list")).text, "available");
  assertStringIncludes((await run("available", "anna", "no")).text, "not available");
  const until = new Date(Date.now() + 86_400_000).toISOString();
  assertEquals((await run("available", "anna", "yes")).code, 0);
  assertStringIncludes(
    (await run("available", "anna", "no", "--until", until)).text,
    `no calls until ${until.slice(0, 16).replace("T", " ")} UTC`,
  );
  // Do not disturb ends by itself, or with a yes.
  const [row] = await stack.db.sql`select available, dnd_until is not null as dnd from people`;
  assertEquals(row, { available: true, dnd: true });
  assertEquals(
    JSON.parse((await run("available", "anna", "yes", "--json")).text).dnd_until,
    null,
  );
  assertEquals(await run("remove", "anna"), { code: 0, text: "Anna Bell is removed." });
  assertEquals(await run("remove", "anna"), { code: 1, text: 'Nobody has the handle "anna"' });
});

Deno.test("the list tells a person's working hours", async () => {
  assertEquals((await run(...ADD)).code, 0);
  const calendar = {
    zone: "America/Edmonton",
    weekly: { mon: [["08:00", "12:00"], ["13:00", "17:00"]], tue: [], fri: [["08:00", "24:00"]] },
    dates: { "2026-12-25": [] },
  };
  await stack.db.sql`update people set calendar = ${stack.db.sql.json(calendar as never)}`;
  assertStringIncludes(
    (await run("list")).text,
    ", works mon 08:00-12:00 and 13:00-17:00, fri 08:00-24:00 (America/Edmonton), other hours on 1 date",
  );
  assertEquals(JSON.parse((await run("list", "--json")).text)[0].calendar, calendar);
  assertEquals((await run("remove", "anna")).code, 0);
});

Deno.test("a person is not verified by a call from a number that is none of the owner's lines", async () => {
  const org = crypto.randomUUID();
  assertEquals((await run(...ADD, "--org", org)).code, 0);
  assertEquals(await run("verify", "anna", "--org", org, "--line", "+15875550199"), {
    code: 1,
    text: "+15875550199 is not a line of this owner",
  });
  assertEquals((await run("remove", "anna", "--org", org)).code, 0);
});

Deno.test("a handle is one person of an owner, and another's of another", async () => {
  const org = crypto.randomUUID();
  assertEquals((await run(...ADD)).code, 0);
  assertEquals(await run(...ADD), { code: 1, text: "There is a person of this handle already" });
  assertEquals((await run(...ADD, "--org", org)).code, 0);
  assertEquals((await run("remove", "anna")).code, 0);
  assertStringIncludes((await run("list", "--org", org)).text, "anna");
  assertStringIncludes((await run("list")).text, "Nobody yet");
  assertStringIncludes((await run("verify", "anna", "--org", org)).text, "--line must be given");
});

Deno.test("a person's code is given and changed, is one person's, and a new number is not verified", async () => {
  assertEquals((await run(...ADD, "--code", "11")).code, 0);
  assertEquals((await run("add", "ben", "--name", "Ben", "--phone", "+14035550111")).code, 0);
  assertEquals(await run("change", "ben", "--code", "11"), {
    code: 1,
    text: "Somebody else has this code",
  });
  await stack.db.sql`update people set verified_at = now()`;
  const changed = await run("change", "ben", "--code", "12", "--name", "Ben O'Hara");
  assertStringIncludes(changed.text, "Ben O'Hara");
  assertStringIncludes(changed.text, "available, code 12");
  const moved = await run("change", "ben", "--phone", "+14035550119");
  assertStringIncludes(moved.text, "not verified: no calls come, code 12");
});
