import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { join } from "@std/path/join.js";
import { main } from "../../scripts/campaign/main.ts";
import { callFlowsAt, smallFlow } from "../support/call_flows.ts";
import { startTestStack } from "../support/database.ts";
import { closedPort } from "../support/fake_data_api.ts";

// `task campaign`, as somebody uses it who has a list.

const stack = await startTestStack();
const dir = await Deno.makeTempDir();
/** Whether the project answers 503 to a slice, by the number of those before. */
let isAway = (_nth: number) => false;
let slices = 0;
const between = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
  if (request.url.endsWith("/contacts") && isAway(slices++)) {
    return Response.json({ error: "unavailable" }, {
      status: 503,
      headers: { "retry-after": "3" },
    });
  }
  const { pathname, search } = new URL(request.url);
  return await fetch(`${stack.url}${pathname}${search}`, {
    method: request.method,
    headers: request.headers,
    ...(request.method === "POST" && { body: await request.arrayBuffer() }),
  });
});
Deno.test.afterAll(async () => {
  await between.shutdown();
  await stack.stop();
  await Deno.remove(dir, { recursive: true });
});

async function run(
  args: string[],
  port = new URL(stack.url).port,
  meanwhile: () => Promise<void> = () => Promise.resolve(),
) {
  const lines: string[] = [];
  const waits: number[] = [];
  const print = (line: string) => void lines.push(line);
  const code = await main(args, {
    env: (name) => name === "TRADELINE_API_PORT" ? port : undefined,
    print,
    complain: print,
    async wait(ms) {
      waits.push(ms);
      await meanwhile();
    },
  });
  return { code, text: lines.join("\n"), lines, waits };
}

const LINE = "+15874050001";
const MADE = ["create", "--name", "Reminders", "--flow", "main", "--line", LINE]
  .concat("--consent", "express_written");

async function created(...more: string[]): Promise<string> {
  const { code, text } = await run([...MADE, ...more, "--json"]);
  assertEquals(code, 0, text);
  return JSON.parse(text).id;
}

async function fileOf(lines: readonly string[]): Promise<string> {
  const path = join(dir, `${crypto.randomUUID()}.csv`);
  await Deno.writeTextFile(path, lines.join("\r\n"));
  return path;
}

Deno.test.beforeAll(async () => {
  await callFlowsAt(stack.url)("/publish", { definition: smallFlow(), name: "main" });
});

Deno.test("help is printed, and usage faults end with 2", async () => {
  for (const args of [["--help"], ["import", "--help"]]) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const { code, text } = await run(args);
    assertEquals([code, text.includes("task campaign create --name")], [0, true]);
  }
  const id = crypto.randomUUID();
  for (
    const [args, fault] of [
      [[], "Say what to do: create, import,"],
      [["constructor"], '"constructor" must be one of create,'],
      [["create"], "--name must be given"],
      [[...MADE, "--line", "5551234"], "--line must be a number"],
      [[...MADE, "--window", "always"], "--window must be JSON"],
      [["import", id], "campaign import takes ID FILE"],
      [["start", "mine"], "ID must be a campaign's"],
      [["start", id, "--mode", "preview"], "--mode"],
      [[...MADE, "--other-share", "20"], "--other-share needs --other-flow"],
      [["status", "--watch", "--json"], "--watch and --json do not go together"],
      [["status", "--results", "x.csv"], "--results needs the campaign's ID"],
    ] as const
  ) {
    // deno-lint-ignore no-await-in-loop
    const { code, text } = await run([...args]);
    assertEquals(code, 2, text);
    assertStringIncludes(text, fault);
  }
});

Deno.test("a campaign is created, gets its list, is started, shown and stopped", async () => {
  const { code, text } = await run(MADE);
  assertEquals(code, 0, text);
  const [id] = /[0-9a-f-]{36}/.exec(text)!;
  const file = await fileOf(["phone,name", "+12125550100,Ann", "hello,Bob", '+12125550101,"C\r\nD"']
    .concat("+12125550100,Ann", "911,Emergency"));
  const list = await run(["import", id, file]);
  assertEquals(list.code, 1);
  assertMatch(
    list.lines[0]!,
    /^5 of 5 lines: 2 added, 1 there before, 0 that said stop, 2 rejected$/,
  );
  // Lines are those of the file, also after a cell of two lines.
  assertEquals(list.lines.slice(1).map((line) => line.split(":")[0]), ["Line 3", "Line 7"]);
  assertEquals((await run(["start", id])).text, "The campaign is running.");
  const shown = await run(["status", id]);
  assertStringIncludes(shown.text, "Reminders: running");
  assertMatch(shown.text, /2 contacts, 0 dials[^]*waiting +2 +100\.0 %[^]*unknown +0 +0\.0 %/);
  assertStringIncludes((await run(["status"])).text, id);
  const results = join(dir, "results.csv");
  assertEquals((await run(["status", id, "--results", results])).code, 0);
  assertEquals((await Deno.readTextFile(results)).trimEnd().split("\r\n").length, 3);
  await run(["pause", id]);
  await stack.db
    .sql`insert into campaign_changes (campaign_id, figure, change) values (${id}, 'minutes', 5)`;
  assertEquals((await run(["resume", id, "--max-minutes", "5"])).code, 1);
  assertEquals((await run(["resume", id, "--max-minutes", "6"])).text, "The campaign is running.");
  // Until it runs no more.
  const watched = await run(["status", id, "--watch"], undefined, async () => {
    await stack.db.sql`update campaigns set state = 'paused' where id = ${id}`;
  });
  assertEquals([watched.code, watched.waits], [0, [2000]]);
  assertMatch(watched.text, /Reminders: running[^]*Reminders: paused/);
  assertEquals((await run(["stop", id])).text, "The campaign is stopping.");
  const again = await run(["start", id]);
  assertEquals([again.code, again.text], [1, "a campaign that is stopping cannot start"]);
});

Deno.test("what the project refuses is said by field, and a project that is away by its address", async () => {
  const refused = await run([...MADE.slice(0, -1), "existing_business"]);
  assertEquals([refused.code, refused.text.startsWith("--consent must be express_written")], [
    1,
    true,
  ]);
  const unknown = await run(["status", crypto.randomUUID()]);
  assertEquals([unknown.code, unknown.text], [1, "there is no such campaign"]);
  const nobody = await run(["status"], new URL(closedPort()).port);
  assertEquals(nobody.code, 1);
  assertStringIncludes(nobody.text, "task start");
  const missing = await run(["import", crypto.randomUUID(), join(dir, "none.csv")]);
  assertEquals([missing.code, missing.text.startsWith("Cannot read")], [1, true]);
});

Deno.test("what keeps a campaign from dialling as it asks is said where it is created, started and shown", async () => {
  const rate = "Twilio makes 1 call a second for this account: TWILIO_CALLS_PER_SECOND says so";
  const made = await run([...MADE, "--calls-per-second", "50", "--per-line", "7"]);
  assertEquals(made.code, 0, made.text);
  assertStringIncludes(made.text, rate);
  const [id] = /[0-9a-f-]{36}/.exec(made.text)!;
  const { sql } = stack.db;
  const [line] = await sql`select per_day from campaign_lines where campaign_id = ${id}`;
  assertEquals(line!.per_day, 7);
  const started = await run(["start", id]);
  assertStringIncludes(started.text, rate);
  assertStringIncludes(started.text, "It has no contacts yet: import its list");
  const beyond = await run(["import", id, await fileOf(["phone", "+12125550100"]), "--from", "9"]);
  assertEquals([beyond.code, beyond.text], [
    1,
    "The file has no line 9: its last contact is line 2",
  ]);
  await run(["import", id, await fileOf(["phone", "+12125550100"])]);
  await sql`update campaign_lines set dialled = 7 where campaign_id = ${id}`;
  await sql`update campaigns set starts_at = '2100-01-01T08:00:00Z' where id = ${id}`;
  const { text } = await run(["status", id]);
  assertStringIncludes(text, "Its numbers have made their dials of today");
  assertStringIncludes(text, "Nobody may be called before 2100-01-01 08:00 UTC");
  assertEquals(
    (await run([...MADE, "--flow", "x"].toSpliced(3, 2))).text.split(":")[0],
    "--flow must be published by the owner of this campaign",
  );
});

Deno.test("an import waits for a project that is busy, and says where to go on after one that stays away", async () => {
  const count = 10_400;
  const numbers = Array.from({ length: count }, (_, nth) => `+1212${5_600_000 + nth}`);
  const file = await fileOf(["phone", ...numbers]);
  const port = String((between.addr as Deno.NetAddr).port);
  const id = await created();
  isAway = (nth) => nth < 2;
  const waited = await run(["import", id, await fileOf(["phone", ...numbers.slice(0, 10)])], port);
  assertEquals([waited.code, waited.waits], [0, [3000, 3000]], waited.text);
  // The first slice is taken in, and nothing after it.
  isAway = (nth) => nth > 0;
  slices = 0;
  const broken = await run(["import", id, file], port);
  assertEquals([broken.code, broken.waits.length], [1, 5]);
  assertStringIncludes(broken.text, "Go on with --from 5002");
  const on = await run(["import", id, file, "--from", "5002", "--json"]);
  assertEquals(JSON.parse(on.text), {
    added: count - 5000,
    duplicates: 0,
    suppressed: 0,
    rejected: [],
  });
  // From the beginning nothing is added twice.
  const whole = JSON.parse((await run(["import", id, file, "--json"])).text);
  assertEquals([whole.added, whole.duplicates], [0, count]);
  const [{ contacts }] = await stack.db.sql<[{ contacts: number }]>`
    select count(*)::int as contacts from campaign_contacts where campaign_id = ${id}`;
  assert(contacts === count);
});
