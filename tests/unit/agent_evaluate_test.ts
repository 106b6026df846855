import { assertEquals } from "@std/assert/equals.js";
import { assertThrows } from "@std/assert/throws.js";
import { judge, type Kept, readEvaluation } from "../../scripts/agent/evaluate.ts";
import type { CallRecord } from "../../scripts/phone/mod.ts";

const CALLER = { name: "x", does: [], expect: { outcome: "done", tools: ["answer", "end_call"] } };
const turn = (kind: string, tool: string | null = null, planned_text: string | null = null) => ({
  kind,
  tool,
  planned_text,
  heard_text: planned_text,
});
const KEPT: Kept = {
  outcome: "done",
  disposition: "abandoned",
  flow_version: 1,
  turns: [
    turn("disclosure"),
    turn("tool", "answer"),
    turn("agent", null, "Yes."),
    turn("tool", "end_call"),
  ],
};

/** A call in which these numbers were dialled. */
function recordOf(...numbers: string[]): CallRecord {
  const events = numbers.map((number) => ({ kind: "dial", numbers: [number] }));
  return { all: (kind: string) => kind === "dial" ? events : [] } as unknown as CallRecord;
}

for (
  const [what, changes, numbers, fault] of [
    ["what was expected", {}, [], []],
    ["another end", { outcome: "failed" }, [], ["ended with failed, not done"]],
    ["a dial without a transfer", {}, ["+15875550111"], ["dialled without a transfer"]],
    ["no disclosure", { turns: KEPT.turns.slice(1) }, [], ["was not disclosed"]],
    ["other tools", { turns: KEPT.turns.slice(0, 3) }, [], ["used answer, not answer, end_call"]],
    [
      "a claim",
      { turns: [...KEPT.turns, turn("agent", null, "I am transferring you now.")] },
      [],
      ['claimed: "I am transferring you now."'],
    ],
  ] as const
) {
  Deno.test(`a caller's call is judged: ${what}`, () => {
    assertEquals(judge(CALLER, recordOf(...numbers), { ...KEPT, ...changes }), [...fault]);
  });
}

Deno.test("a file of callers with a fault is refused, with its place", () => {
  assertThrows(
    () => readEvaluation('{"line":"+15877428885","callers":[{"name":"x","does":[{"sing":"la"}]}]}'),
    SyntaxError,
    "callers.0",
  );
});
