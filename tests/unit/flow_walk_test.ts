import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import { edgesOf } from "../../supabase/functions/_shared/flows/language.ts";
import { spokenSeconds } from "../../supabase/functions/_shared/flows/measure.ts";
import {
  draftVersion,
  everyWay,
  failedTests,
  isOpen,
  walk,
} from "../../supabase/functions/_shared/flows/walk.ts";
import { checkFlow } from "../../supabase/functions/_shared/flows/check.ts";
import { cases } from "../support/cases.ts";
import { anyCaller, flowDocument } from "../support/flow_arbitrary.ts";
import { type Draft, FACTS, practice, soundFlow } from "../support/flows.ts";

const versionOf = (definition: Draft) => draftVersion(soundFlow(definition).flow);

// --- a caller -----------------------------------------------------------------------------------------------

Deno.test("a caller is led from the first question to the end, and the steps come in order", () => {
  const { happenings, path, mode } = walk(versionOf(practice()), { keys: ["1", "1"] });
  assertEquals(path, ["tongue", "en", "agree", "open", "main", "desk", "bye"]);
  assertEquals(mode, "appointments");
  assertEquals(happenings.map(({ kind }) => kind), [
    ...["hears", "presses", "hears", "hears", "presses", "rings", "hears", "end"],
  ]);
});

Deno.test("keys come first, then words, then silence", () => {
  const { happenings } = walk(versionOf(practice()), { keys: ["2"], say: ["blah"] });
  assertEquals(
    happenings.filter(({ kind }) => ["presses", "says", "silence"].includes(kind))
      .map((each) => "text" in each ? each.text : each.kind),
    ["2", "blah", "silence"],
  );
});

Deno.test("the caller hears the language that they chose", () => {
  const { happenings } = walk(versionOf(practice()), { keys: ["2", "9"] });
  const languages = happenings.flatMap((each) => each.kind === "hears" ? each.language : []);
  assertEquals([...new Set(languages)], ["en-US", "fr-CA"]);
  assertEquals(languages.at(-1), "fr-CA");
});

Deno.test("a telephone that nobody answers leads on, member by member, announced once", () => {
  const flow = practice();
  flow.nodes.desk.prompt = "ringing";
  flow.prompts.ringing = { "en-US": "I am ringing the desk.", "fr-CA": "J'appelle." };
  const { happenings, path } = walk(versionOf(flow), { keys: ["1", "1"], no_answer: true });
  const heard = happenings.filter((each) => each.kind === "hears" && each.text.includes("ringing"));
  assertEquals(heard.length, 1);
  assertEquals(happenings.filter(({ kind }) => kind === "rings").length, 2);
  assertEquals(path.slice(-3), ["desk", "note", "bye"]);
});

Deno.test("calendars are read by the wall clock of the flow's zone", () => {
  const open = (at: string) => isOpen(practice().calendars.practice, at);
  // 2026-11-23 is a Monday.
  assertEquals(open("2026-11-23T07:59"), false);
  assertEquals(open("2026-11-23T08:00"), true);
  assertEquals(open("2026-11-23T11:59"), true);
  assertEquals(open("2026-11-23T12:00"), false);
  assertEquals(open("2026-11-24T10:00"), false);
  const { weekly } = practice().calendars.practice;
  const whole = { weekly: { fri: [["00:00", "24:00"]] as [string, string][] }, dates: {} };
  assertEquals(isOpen(whole, "2026-12-25T23:59"), true);
  assertEquals(isOpen({ ...whole, dates: { "2026-12-25": [] } }, "2026-12-25T23:59"), false);
  assertEquals(isOpen({ weekly, dates: { "2026-11-23": weekly.mon } }, "2026-11-23T09:00"), true);
});

Deno.test("a caller goes on in another flow, by its own calendars", () => {
  const flow = practice();
  flow.nodes.note = { type: "flow", name: "night" };
  delete flow.prompts.leave;
  const night = practice();
  night.start = "open";
  night.calendars.practice.weekly = { tue: [["08:00", "12:00"]] };
  for (const id of ["tongue", "en", "fr", "agree"]) delete night.nodes[id];
  const flows = new Map([["night", soundFlow(night).flow]]);
  const version = draftVersion(soundFlow(flow, { flows }).flow, flows);
  const go = (at: string) => walk(version, { keys: ["1", "9", "1"], at }).path.slice(4);
  // By day the consent shares the menu's question; on Tuesday it has one of its own.
  assertEquals(go("2026-11-23T10:00"), ["main", "note", "night/open", "night/note", "night/bye"]);
  assertEquals(go("2026-11-24T10:00").slice(0, 4), [
    ...["note", "night/open", "night/main", "night/desk"],
  ]);
});

Deno.test("a caller who hears a menu again as often as it lets them stays within the longest way", () => {
  const flow = practice();
  const { longest_seconds } = soundFlow(flow);
  const keys = ["1", "*", "*", "*", "*", "*", "5", "6"];
  const { seconds, happenings } = walk(versionOf(flow), { keys, no_answer: true });
  assertEquals(happenings.filter(({ kind }) => kind === "presses").length, 8);
  assert(seconds <= longest_seconds, `${seconds} of ${longest_seconds}`);
  // Each asking takes at least its prompt and its silence, five repeats included.
  const asking = spokenSeconds(flow.prompts.menu["fr-CA"]) + 5;
  const more = practice();
  more.nodes.main.tries = 3;
  const added = soundFlow(more).longest_seconds - longest_seconds;
  assert(added >= asking && added < 2 * asking);
  const { bye } = practice().nodes;
  const alone = {
    ...practice(),
    start: "main",
    nodes: {
      main: { ...flow.nodes.main, options: [{ key: "1", next: "bye" }], otherwise: "bye" },
      bye,
    },
  };
  assert(soundFlow(alone).longest_seconds >= (2 + 5) * asking);
});

Deno.test("ringing and recording take their time, talking none", () => {
  const version = versionOf(practice());
  const answered = walk(version, { keys: ["1", "1"] }).seconds;
  const unanswered = walk(version, { keys: ["1", "1"], no_answer: true }).seconds;
  const said = ["Please leave a message.", "Thank you for your message."];
  const words = said.reduce((sum, text) => sum + spokenSeconds(text), 0);
  assertEquals(unanswered - answered, 2 * (20 + 5) + 120 + words);
});

// --- tests of a flow's own ----------------------------------------------------------------------------------

function failures(...tests: Draft[]) {
  return failedTests(versionOf({ ...practice(), tests }));
}

Deno.test("a test that holds is silent: by keys or words, in a list or in one text", () => {
  const expect = { path: ["main", "note"], mode: "voicemail", ends_in: "bye" };
  assertEquals(
    failures(
      { name: "list", keys: ["1", "9"], expect },
      { name: "text", keys: "1, 9", expect },
      { name: "words", keys: "1", say: "a message please", expect },
      {
        name: "closed",
        keys: "2",
        at: "2026-12-25T10:00",
        expect: { path: ["fr", "open", "note"] },
      },
      { name: "before the end", keys: "1,9", expect: { ends_in: "note" } },
    ),
    [],
  );
});

Deno.test("a test that does not hold is a fault where it says what is expected, with what happened instead", () => {
  const [path, mode, ends, ...more] = failures(
    { name: "way", keys: "1,9", expect: { path: ["note", "main"] } },
    { name: "mode", keys: "1,9", expect: { mode: "appointments" } },
    { name: "end", keys: "1,9", expect: { ends_in: "desk" } },
  );
  assertEquals(path?.path, "tests.0.expect.path");
  assert(path?.message.includes("tongue -> en -> agree -> open -> main -> note -> bye"));
  assertEquals(mode?.path, "tests.1.expect.mode");
  assert(mode?.message.includes("voicemail"));
  assertEquals(ends?.path, "tests.2.expect.ends_in");
  assert(ends?.message.includes("bye or note"));
  assertEquals(more, []);
});

// --- the examples -------------------------------------------------------------------------------------------

const examples = [...Deno.readDirSync("supabase/flows")].map(({ name }) => name);

Deno.test("there are four examples", () => {
  assertEquals(examples.sort(), ["city.json", "dental.json", "law.json", "plumber.json"]);
});

for (const name of examples) {
  Deno.test(`supabase/flows/${name} is sound, gives no cause for advice, and passes its own tests`, () => {
    const definition = JSON.parse(Deno.readTextFileSync(`supabase/flows/${name}`));
    const { flow, warnings } = soundFlow(definition);
    assertEquals(warnings, []);
    assert((flow.tests?.length ?? 0) >= 5);
    assertEquals(failedTests(versionOf(definition)), []);
  });
}

// --- every way ----------------------------------------------------------------------------------------------

Deno.test("every way through a flow is listed, and the longest takes as long as the check says", () => {
  const { flow, longest_seconds } = soundFlow(practice());
  const ways = everyWay(flow, 1000);
  // Two keys and silence choose a language. Open: the desk answers or not, 9, silence; closed: a message.
  assertEquals(ways.length, 3 * 5);
  assertEquals(ways[0]?.seconds, longest_seconds);
  assertEquals(everyWay(flow, 4).length, 4);
  assert(ways.every(({ steps }) => steps.at(-1)?.node === "bye"));
  // Key 0 is one more way out of each of the two menus, to the desk, which answers or not.
  const withOperator = everyWay(soundFlow({ ...practice(), operator: "desk" }).flow, 1000);
  assertEquals(withOperator.length, 3 * (5 + 2) + 2);
});

// --- random flows, random callers ---------------------------------------------------------------------------

/** `FLOW_WALKS=100000` walks as many; see tests/bench/README.md. */
const WALKS = Number(Deno.env.get("FLOW_WALKS") ?? cases(500));

Deno.test("any caller of any flow comes to an end in time, by edges that are there, recorded only by consent", () => {
  let walked = 0;
  fc.assert(
    fc.property(flowDocument, anyCaller, (definition, caller) => {
      const checked = checkFlow(definition, FACTS);
      // Random flows may take too long; nothing else is wrong with them.
      if (!checked.ok) {
        assertEquals(checked.issues.map(({ path }) => path), ["start"], JSON.stringify(definition));
        return;
      }
      walked++;
      const { flow } = checked;
      const { path, seconds, happenings } = walk(draftVersion(flow), caller);
      assert(seconds <= checked.longest_seconds, `${seconds} s of ${checked.longest_seconds}`);
      assertEquals(flow.nodes[path.at(-1)!]?.type, "end");
      assertEquals(path[0], flow.start);
      path.slice(1).forEach((to, at) => {
        const from = path[at]!;
        const edges = edgesOf(flow.nodes[from]).map((edge) => edge.to);
        const asked = flow.nodes[from]?.type === "menu" ? [flow.operator] : [];
        assert([...edges, ...asked].includes(to), `${from} does not lead to ${to}`);
      });
      const isRecorded = happenings.some((each) => each.kind === "rings" && each.recorded);
      assert(!isRecorded || path.some((id) => flow.nodes[id]?.type === "consent"));
    }),
    { numRuns: WALKS },
  );
  assert(walked > WALKS / 2, `${walked} of ${WALKS} flows were sound`);
});
