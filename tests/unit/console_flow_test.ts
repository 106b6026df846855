import { assertEquals } from "@std/assert/equals.js";
import { checkFlow } from "../../supabase/functions/_shared/flows/check.ts";
import { NODES } from "../../supabase/functions/_shared/flows/schema.ts";
import {
  edges,
  FIELDS,
  freeName,
  ofType,
  periodsOf,
  periodsText,
  renamed,
  TYPE_WORDS,
  TYPES,
} from "../../scripts/console/page/console/pages/flow_spec.js";
import { testSettings } from "../support/webhook.ts";
import { smallFlow } from "../support/call_flows.ts";

// The flow editor's forms, against the language that flows are checked by.

Deno.test("the editor has a form for each type of step, with its fields, and knows which may be left out", () => {
  const shapes = Object.entries(NODES).map(([type, { _zod: { def } }]) => {
    const shape = def.shape as Record<string, { _zod: { def: { type: string } } }>;
    const fields = Object.entries(shape).filter(([field]) => field !== "type");
    return [
      type,
      fields.map(([field, { _zod }]) => _zod.def.type === "optional" ? `${field}?` : field)
        .toSorted(),
    ];
  });
  const forms = Object.entries(TYPES).map(([type, fields]) => [type, fields.toSorted()]);
  assertEquals(forms, shapes);
  assertEquals(Object.keys(TYPE_WORDS), Object.keys(TYPES));
  const fields = new Set(Object.values(TYPES).flat().map((field) => field.replace("?", "")));
  assertEquals(fields, new Set(Object.keys(FIELDS)));
});

Deno.test("a step of any type that the editor makes has all its fields, and leads somewhere", () => {
  const flow = {
    ...smallFlow(),
    groups: { team: { members: ["+15875550111"] } },
    agents: { desk: { models: ["embedded"] } },
  };
  for (const type of Object.keys(TYPES) as (keyof typeof TYPES)[]) {
    const made = ofType(flow, "fresh", type);
    const known = new Set(["type", ...TYPES[type].map((field) => field.replace("?", ""))]);
    assertEquals(Object.keys(made).filter((field) => !known.has(field)), [], type);
    if (["flow", "match", "agent", "end"].includes(type)) continue;
    const definition = {
      ...flow,
      start: "fresh",
      nodes: { ...flow.nodes, fresh: made },
    };
    const checked = checkFlow(definition, {
      destinations: testSettings().destinations,
      dials: true,
      ownLines: new Set(),
      audio: new Map(),
      people: new Set(),
      flows: new Map(),
    });
    const faults = checked.ok
      ? []
      : checked.issues.filter(({ path }) => path.startsWith("nodes.fresh"));
    assertEquals(faults, [], type);
  }
});

Deno.test("a step that is renamed is renamed wherever the flow names it", () => {
  const flow = {
    ...smallFlow(),
    operator: "note",
    tests: [{ name: "a", expect: { path: ["menu", "note"], ends_in: "note" } }],
  };
  const { nodes, operator, tests } = renamed(flow, "note", "box");
  assertEquals(Object.hasOwn(nodes, "note"), false);
  assertEquals([operator, tests[0].expect], ["box", { path: ["menu", "box"], ends_in: "box" }]);
  assertEquals(nodes.menu.options[1].next, "box");
  assertEquals([nodes.open.closed, nodes.menu.otherwise, nodes.desk.unanswered], [
    "box",
    "box",
    "box",
  ]);
  assertEquals(edges(nodes.open).map(([, to]) => to), ["menu", "box", "menu"]);
  assertEquals(renamed(flow, "hello", "hi").start, "hi");
});

Deno.test("hours are read as people write them, and what is none is not taken", () => {
  assertEquals(periodsOf("8:00-12:00, 13:00 – 17:30"), [["08:00", "12:00"], ["13:00", "17:30"]]);
  assertEquals(periodsText([["08:00", "12:00"], ["13:00", "17:30"]]), "08:00-12:00, 13:00-17:30");
  assertEquals([periodsOf(""), periodsOf("eight to five"), periodsOf("8-17")], [
    [],
    undefined,
    undefined,
  ]);
  assertEquals([freeName("step", {}), freeName("step", { step: 1, step_2: 1 })], [
    "step",
    "step_3",
  ]);
});
