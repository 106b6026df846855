import { assertEquals } from "@std/assert/equals.js";
import { diffFlows } from "../../supabase/functions/_shared/flows/diff.ts";
import { type Draft, practice } from "../support/flows.ts";

const CHANGES: readonly [what: string, change: (flow: Draft) => void, lines: string[]][] = [
  ["nothing", () => {}, []],
  [
    "the order of a document",
    (f) => f.nodes = Object.fromEntries(Object.entries(f.nodes).reverse()),
    [],
  ],
  ["the zone", (f) => f.zone = "America/Toronto", [
    "zone: America/Toronto instead of America/Edmonton",
  ]],
  ["an operator", (f) => f.operator = "desk", ["operator: desk instead of none"]],
  ["a language", (f) => f.languages.push("es-US"), ["languages: es-US added"]],
  ["a language that becomes the default", (f) => f.languages.unshift("es-US"), [
    "default language: es-US instead of en-US",
    "languages: es-US added",
  ]],
  ["the default language", (f) => f.languages.reverse(), [
    "default language: fr-CA instead of en-US",
  ]],
  ["words", (f) => f.prompts.bye["fr-CA"] = "Salut.", [
    "prompt bye in fr-CA: Salut. instead of Au revoir.",
  ]],
  ["a recording in place of words", (f) => f.prompts.bye = { audio: "a" }, [
    "prompt bye in en-US is gone",
    "prompt bye in fr-CA is gone",
    'prompt bye in all languages is new: {"audio":"a"}',
  ]],
  ["a day", (f) => f.calendars.practice.weekly.sat = [["09:00", "12:00"]], [
    "calendar practice, sat: 09:00 to 12:00 instead of closed",
  ]],
  ["a date", (f) => f.calendars.practice.dates = {}, [
    "calendar practice, 2026-12-25: as its weekday instead of closed",
  ]],
  ["a member", (f) => f.groups.desk.members = ["anna", "carl"], [
    "group desk, members: carl added",
    "group desk, members: ben removed",
  ]],
  ["the order of members", (f) => f.groups.desk.members = ["ben", "anna"], [
    "group desk, order: ben, anna instead of anna, ben",
  ]],
  ["an edge", (f) => f.nodes.main.otherwise = "bye", [
    "node main, otherwise: bye instead of note",
  ]],
  ["where a key leads", (f) => f.nodes.main.options[0].next = "note", [
    "node main, key 1 leads to: note instead of desk",
  ]],
  ["a key", (f) => f.nodes.main.options[0].key = "2", [
    "node main, key 1 is gone",
    'node main, key 2 is new: {"key":"2","next":"desk","words":["appointments"]}',
  ]],
  ["a phrase", (f) => f.nodes.main.options[0].words.push("visit"), [
    "node main, key 1, words: visit added",
  ]],
  ["a node", (f) => f.nodes.hold = { type: "say", prompt: "bye", next: "bye" }, [
    "node hold is new: say",
  ]],
  ["what a node is", (f) => f.nodes.note = { type: "end" }, [
    "node note: end instead of voicemail",
  ]],
  ["a test", (f) => f.tests = [{}], ["tests: 1 instead of 0, or other ones"]],
];

for (const [what, change, lines] of CHANGES) {
  Deno.test(`the difference tells of ${what}, and of nothing else`, () => {
    const flow = practice();
    change(flow);
    assertEquals([...diffFlows(practice(), flow)].sort(), lines.toSorted());
  });
}
