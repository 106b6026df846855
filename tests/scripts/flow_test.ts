import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { join } from "@std/path/join.js";
import { flow } from "../../scripts/flow/main.ts";
import { NODE_TYPES } from "../../supabase/functions/_shared/flows/schema.ts";
import { mp3, wav } from "../support/audio.ts";
import { smallFlow } from "../support/call_flows.ts";
import { runCommand } from "../support/command.ts";
import { closedPort } from "../support/fake_data_api.ts";
import { startHotline } from "../support/hotline.ts";

// `task flow`, as a shop owner uses it: first without a server, then at a project.

const stack = await startHotline();
const dir = await Deno.makeTempDir();
Deno.test.afterAll(async () => {
  await stack.stop();
  await Deno.remove(dir, { recursive: true });
});

interface Said {
  readonly code: number;
  /** What was printed, and complained about. */
  readonly text: string;
}

async function run(args: string[], env: Record<string, string> = {}): Promise<Said> {
  const lines: string[] = [];
  const print = (line: string) => void lines.push(line);
  const all: Record<string, string> = { TRADELINE_API_PORT: new URL(stack.url).port, ...env };
  const code = await flow(args, { env: (name) => all[name], print, complain: print });
  return { code, text: lines.join("\n") };
}

let files = 0;
async function fileOf(content: unknown): Promise<string> {
  const path = join(dir, `${++files}.json`);
  const bytes = content instanceof Uint8Array
    ? content
    : new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content));
  await Deno.writeFile(path, bytes);
  return path;
}

const sound = await fileOf(smallFlow());
const faulty = await fileOf({ ...smallFlow(), start: "nowhere" });
const NAMES = () => `flow ${crypto.randomUUID()}`;

// --- usage ----------------------------------------------------------------------------------------------------

Deno.test("flow: help is printed, whatever else is asked, and usage faults end with 2", async () => {
  for (const args of [["--help"], ["publish", "--help"], ["-h"]]) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const { code, text } = await run(args);
    assertEquals(code, 0);
    assertStringIncludes(text, "task flow publish FILE --name dental");
  }
  const wrong: [string[], string][] = [
    [[], "Say what to do: check,"],
    [["constructor"], '"constructor" must be one of check,'],
    [["check"], "flow check takes FILE"],
    [["diff", "dental", "3"], "flow diff takes NAME VERSION VERSION"],
    [["diff", "dental", "3", "x"], "VERSION must be a version's number"],
    [["check", "no-such-file.json"], "FILE must be a file that can be read"],
    [["publish", sound], "--name must be given"],
    [["publish", sound, "--name", "dental", "--line", "5877428885"], "--line must be a number"],
    [["override", "dental", "practice", "shut"], "STATE must be open, closed or normal"],
    [["override", "dental", "practice", "open"], "--until must be given"],
    [
      ["override", "dental", "practice", "normal", "--until", "2026-12-24T17:00:00-07:00"],
      "normal has no end",
    ],
    [["show", "dental", "--mermaid", "--json"], "--mermaid"],
    [["show", "dental", "--org", "prairie"], "--org must be the organisation's UUID"],
    [["check", sound, "--colour", "red"], "Unknown option '--colour'"],
    [["try", sound, "--keys", "12"], "--keys must be keys such as 1,9"],
    [["try", sound, "--at", "Monday"], "--at must be a date and time"],
    [["try", sound, "--at", "2026-02-30T10:00"], "--at must be a date and time that exist"],
    [["override", "dental", "practice", "open", "--until", "tomorrow"], "--until must be when it"],
    [["override", "dental", "practice", "open", "--until", "2026-12-24T17:00"], "with the zone"],
    [["import", sound], "--zone must name the flow's time zone"],
    [["import", sound, "--zone", "Edmonton"], "--zone must be a time zone"],
    [["holidays", sound, "shop", "--region", "CA-XX"], "--region must be one of CA-AB, CA-BC"],
    [["holidays", sound, "shop", "--region", "US", "--year", "27"], "--year must be a year"],
    [["show", "dental", "--url", "https://x.supabase.co"], "SUPABASE_SECRET_KEYS or"],
  ];
  for (const [args, words] of wrong) {
    // deno-lint-ignore no-await-in-loop
    const { code, text } = await run(args);
    assertEquals(code, 2, `${args}: ${text}`);
    assertStringIncludes(text, words);
    assertStringIncludes(text, "See npx -y deno@2.9.6 task flow --help");
  }
});

Deno.test("flow: as a program it prints its help without fetching anything", async () => {
  const { code, out } = await runCommand("scripts/flow/main.ts", ["--help"]);
  assertEquals(code, 0);
  assertStringIncludes(out, "Say how a line answers");
});

Deno.test("flow: the language is printed as a JSON Schema, for editors", async () => {
  const { code, text } = await run(["schema"]);
  const schema = JSON.parse(text);
  assertEquals([code, schema.type, schema.$schema], [
    0,
    "object",
    "https://json-schema.org/draft/2020-12/schema",
  ]);
  const missing = ["schema", "nodes", "start"].filter((field) => !schema.required.includes(field));
  assertEquals(missing, []);
  for (const type of NODE_TYPES) assertStringIncludes(text, `"const": "${type}"`);
});

Deno.test("flow: holidays are proposed, and put into the file for its owner to publish", async () => {
  const shop = {
    weekly: { mon: [["09:00", "17:00"]] },
    dates: { "2026-12-25": [["09:00", "12:00"]] },
  };
  const file = await fileOf({ ...smallFlow(), calendars: { shop } });
  const args = ["holidays", file, "shop", "--region", "CA-AB", "--year", "2026"];
  const before = await Deno.readTextFile(file);
  const { code, text } = await run(args);
  assertEquals(code, 0);
  assertStringIncludes(text, "2026-02-16  Family Day\n");
  assertStringIncludes(text, "2026-12-25  Christmas Day, which the calendar has");
  assertEquals(await Deno.readTextFile(file), before);

  await run([...args, "--add"]);
  const { dates } = JSON.parse(await Deno.readTextFile(file)).calendars.shop;
  assertEquals([dates["2026-02-16"], dates["2026-12-25"]], [[], [["09:00", "12:00"]]]);
  assertEquals(Object.keys(dates), Object.keys(dates).toSorted());
  assertStringIncludes((await run([...args, "--add"])).text, "0 days were added");

  const other = await run(["holidays", file, "constructor", "--region", "US"]);
  assertEquals([other.code, other.text], [1, `${file} has no calendar "constructor"`]);
});

// --- without a server -----------------------------------------------------------------------------------------

/** No server answers there. */
const NOWHERE = { TRADELINE_API_PORT: new URL(closedPort()).port };

Deno.test("flow check: a sound flow, in a line", async () => {
  const { code, text } = await run(["check", sound], NOWHERE);
  assertEquals(code, 0, text);
  assertMatch(text, /has no fault: 6 nodes, and keeps a caller \d min \d+ s at most/);
});

Deno.test("flow check: every fault with its place, and exit code 1", async () => {
  const { code, text } = await run(["check", faulty], NOWHERE);
  assertEquals(code, 1);
  assertMatch(text, /\d+ faults?:\n/);
  assertMatch(text, /^ {2}start +\S/m);
  const json = await run(["check", faulty, "--json"], NOWHERE);
  assert(JSON.parse(json.text).issues.some(({ path }: { path: string }) => path === "start"));
});

Deno.test("flow check: malformed JSON is reported with its place", async () => {
  const { code, text } = await run(["check", await fileOf('{"schema": 1,}')], NOWHERE);
  assertEquals(code, 1);
  assertMatch(text, /is not JSON: .*(position|line)/);
});

Deno.test("flow check: a flow that fails its own tests has a fault, as a publish refuses it", async () => {
  const tests = [{ name: "night", keys: "9", expect: { mode: "desk" } }];
  const file = await fileOf({ ...smallFlow(), tests });
  const key = { SUPABASE_SECRET_KEYS: '{"default": "sb_secret_local"}' };
  for (const asked of [[], ["--url", stack.url]]) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const { code, text } = await run(["check", file, ...asked], key);
    assertEquals(code, 1);
    assertMatch(text, /a publish refuses it\. It has 1 fault:\n {2}tests\.0\.expect\.mode +is not/);
  }
});

Deno.test("flow try: what a caller hears, does and waits for, without a server", async () => {
  const { code, text } = await run(["try", sound, "--keys", "1", "--no-answer"], NOWHERE);
  assertEquals(code, 0, text);
  const [heard, ...rest] = text.split("\n");
  assertEquals(heard, "en-US: Thank you for calling Prairie Dental.");
  assertEquals(rest.slice(1, 5), [
    "  > presses 1",
    "  ~ +15877428885 rings for 20 s: nobody answers",
    "en-US: Please leave a message after the tone.",
    "  > leaves a message",
  ]);
  assertMatch(text, /Mode: voicemail\. Nodes: hello -> open -> menu -> desk -> note -> bye$/);
});

Deno.test("flow try: a caller who has called before", async () => {
  const flow = JSON.parse(await Deno.readTextFile(sound));
  const cases = [{ in: ["yes"], next: "note" }];
  flow.nodes.known = { type: "match", on: "returning", cases, otherwise: flow.nodes.hello.next };
  flow.nodes.hello.next = "known";
  flow.tests = [];
  const file = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeTextFile(file, JSON.stringify(flow));
  const pathOf = async (...options: string[]) =>
    JSON.parse((await run(["try", file, "--json", ...options], NOWHERE)).text).path;
  assertEquals((await pathOf("--returning")).slice(0, 3), ["hello", "known", "note"]);
  assertEquals((await pathOf())[2], "open");
  await Deno.remove(file);
});

Deno.test("flow try: by words, at a time of the flow's zone, and as JSON", async () => {
  const args = ["try", sound, "--say", "front desk", "--json"];
  const at = async (time: string) => JSON.parse((await run([...args, "--at", time], NOWHERE)).text);
  assertEquals((await at("2026-11-23T10:00")).mode, "desk");
  assertEquals((await at("2026-11-22T10:00")).mode, "voicemail");
});

Deno.test("flow try: every way through a flow, the longest first", async () => {
  const { code, text } = await run(["try", sound, "--all"], NOWHERE);
  assertEquals(code, 0);
  const ways = text.split("\n").map((line) =>
    Number(/^ *(\d+) s {2}hello -> open/.exec(line)?.[1])
  );
  assertEquals(ways, ways.toSorted((one, other) => other - one));
  // Open and unknown: 1 answered or not, 9, otherwise; closed: a message.
  assertEquals(ways.length, 9);
});

Deno.test("flow try: keys that no question was left for are told", async () => {
  const { text } = await run(["try", sound, "--keys", "9,1", "--say", "sales"], NOWHERE);
  assertStringIncludes(text, "The call ended before it asked for: 1, sales");
});

Deno.test("flow try: a flow with faults is not tried", async () => {
  const { code, text } = await run(["try", faulty], NOWHERE);
  assertEquals(code, 1);
  assertMatch(text, /^ {2}start +\S/m);
});

Deno.test("flow import: a Studio flow becomes one of ours, and differences are reported", async () => {
  const studio = {
    states: [
      { name: "Trigger", type: "trigger", transitions: [{ event: "incomingCall", next: "Hi" }] },
      {
        name: "Hi",
        type: "say-play",
        properties: { say: "Hello.", loop: 2 },
        transitions: [{ event: "audioComplete" }],
      },
    ],
  };
  const file = await fileOf(studio);
  const { code, text } = await run(["import", file, "--zone", "America/Edmonton"], NOWHERE);
  assertEquals(code, 0);
  const [json = "", told = ""] = text.split(/(?<=^\})\n/m);
  const imported = await run(["check", await fileOf(json)], NOWHERE);
  assertEquals(imported.code, 0, imported.text);
  assertStringIncludes(told, "Hi: is said once");
  const none = await run(["import", sound, "--zone", "America/Edmonton"], NOWHERE);
  assertEquals(none.code, 1);
  assertStringIncludes(none.text, "must be the JSON of a Studio flow");
});

Deno.test("flow: a project that does not answer is told, with what to do", async () => {
  const { code, text } = await run(["versions", "dental"], NOWHERE);
  assertEquals(code, 1);
  assertStringIncludes(text, "npx -y deno@2.9.6 task start");
});

// --- at a project ---------------------------------------------------------------------------------------------

Deno.test("flow publish, versions, show, diff, rollback: the life of a flow", async () => {
  const name = NAMES();
  const published = await run(["publish", sound, "--name", name, "--line", "+15874058001"]);
  assertEquals(published.code, 0, published.text);
  assertStringIncludes(published.text, `Published ${name}, version 1.`);
  assertStringIncludes(published.text, "task phone --to +15874058001");
  const better = await fileOf(smallFlow("Good day, Prairie Dental."));
  await run(["publish", better, "--name", name, "--note", "friendlier"]);
  const again = await run(["publish", better, "--name", name, "--note", "friendlier still"]);
  assertStringIncludes(again.text, "The note was not kept: version 2 has this definition");

  const list = await run(["versions", name]);
  assertMatch(list.text, /^ +2 {2}.* UTC {2}operator {2}friendlier {2}answers \+15874058001$/m);
  assertMatch(list.text, /^ +1 {2}.* UTC {2}operator$/m);
  assertEquals(JSON.parse((await run(["show", name])).text).prompts.hello, {
    "en-US": "Good day, Prairie Dental.",
  });
  const first = await run(["show", name, "--version", "1"]);
  assertEquals(JSON.parse(first.text), smallFlow());
  assertStringIncludes((await run(["show", name, "--mermaid"])).text, "flowchart");
  const diff = await run(["diff", name, "1", "2"]);
  assertEquals(diff.code, 0);
  assertStringIncludes(diff.text, "Good day, Prairie Dental.");
  assertEquals((await run(["diff", name, "2", "2"])).text, "Nothing changed.");

  const back = await run(["rollback", name]);
  assertStringIncludes(back.text, `Version 1 of ${name} answers from the next call on.`);
  assertEquals((await run(["rollback", name])).code, 1);
  assertEquals((await run(["show", name, "--version", "7"])).code, 1);
  assertEquals(await run(["show", `${name}?`]), {
    code: 1,
    text: `no flow "${name}?" is published`,
  });
});

Deno.test("flow publish: advises of a person who is not there yet", async () => {
  const flow = smallFlow();
  flow.groups = { office: { members: ["nobody_here"] } };
  delete flow.nodes.desk.to;
  flow.nodes.desk.group = "office";
  const { code, text } = await run(["publish", await fileOf(flow), "--name", NAMES()]);
  assertEquals(code, 0, text);
  assertStringIncludes(text, 'Advice: groups.office.members.0 names "nobody_here"');
});

Deno.test("flow publish: faults are printed, and nothing is published", async () => {
  const name = NAMES();
  const { code, text } = await run(["publish", faulty, "--name", name]);
  assertEquals(code, 1);
  assertMatch(text, /^ {2}start +\S/m);
  assertEquals((await run(["versions", name])).code, 1);
});

Deno.test("flow override: closes a calendar for a while, and lets it go by its hours again", async () => {
  const name = NAMES();
  await run(["publish", sound, "--name", name]);
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const closed = await run(["override", name, "practice", "closed", "--until", until]);
  assertEquals(closed, {
    code: 0,
    text: `practice is closed until ${until}, whatever its hours say.`,
  });
  assertEquals((await run(["override", name, "practice", "normal"])).code, 0);
  assertEquals((await run(["override", name, "office", "closed", "--until", until])).code, 1);
});

Deno.test("flow check: a project knows the lines that are its own", async () => {
  const name = NAMES();
  await run(["publish", sound, "--name", name, "--line", "+15874058002"]);
  const looping = smallFlow();
  looping.nodes.desk.to = "+15874058002";
  const file = await fileOf(looping);
  assertEquals((await run(["check", file])).code, 0);
  const key = { SUPABASE_SECRET_KEYS: '{"default": "sb_secret_local"}' };
  const { code, text } = await run(["check", file, "--url", stack.url], key);
  assertEquals(code, 1);
  assertStringIncludes(text, "nodes.desk.to");
});

Deno.test("flow: another project's key is told as such", async () => {
  const wrong = { SUPABASE_SECRET_KEYS: '{"default": "sb_secret_of_another"}' };
  const { code, text } = await run(["versions", "dental"], wrong);
  assertEquals(code, 1);
  assertStringIncludes(text, "The secret key is not that of http://127.0.0.1");
});

// --- prompts --------------------------------------------------------------------------------------------------

Deno.test("flow prompt: stores a file under its hash, for good, so that a flow can name it", async () => {
  const bytes = wav({ seconds: 2 });
  const file = await fileOf(bytes);
  const { code, text } = await run(["prompt", file]);
  assertEquals(code, 0, text);
  const hash = text.split("\n").at(-1)!;
  assertMatch(hash, /^[0-9a-f]{64}$/);
  const response = await fetch(`${stack.url}/storage/v1/object/public/prompts/${hash}`);
  assertEquals(new Uint8Array(await response.arrayBuffer()), bytes);
  assertEquals(response.headers.get("content-type"), "audio/wav");
  assertEquals(response.headers.get("cache-control"), "max-age=31536000, immutable");

  assertEquals((await run(["prompt", file])).text, text);
  const definition = smallFlow();
  definition.prompts.hello = { audio: hash, text: "Hello." };
  const named = await run(["publish", await fileOf(definition), "--name", NAMES()]);
  assertEquals(named.code, 0, named.text);
  definition.prompts.hello = { audio: "c".repeat(64) };
  const unknown = await run(["publish", await fileOf(definition), "--name", NAMES()]);
  assertEquals(unknown.code, 1);
  assertStringIncludes(unknown.text, "prompts.hello.audio");
});

Deno.test("flow prompt: advises what starts sooner, refuses what Twilio cannot play", async () => {
  const music = await run(["prompt", await fileOf(mp3(100)), "--json"]);
  assertEquals(music.code, 0, music.text);
  const { type, seconds } = JSON.parse(music.text);
  assertEquals([type, Math.round(seconds * 10)], ["audio/mpeg", 36]);
  const advised = await run(["prompt", await fileOf(wav({ rate: 44_100, channels: 2 }))]);
  assertStringIncludes(advised.text, "Advice: 8000 Hz mono");
  const { code, text } = await run(["prompt", sound]);
  assertEquals(code, 1);
  assertStringIncludes(text, "must be a WAV or MP3 file");
});
