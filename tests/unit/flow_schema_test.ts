import { assertEquals } from "@std/assert/equals.js";
import { checkFlow } from "../../supabase/functions/_shared/flows/check.ts";
import { NODE_TYPES } from "../../supabase/functions/_shared/flows/schema.ts";
import { FACTS } from "../support/flows.ts";

const ROOT = new URL("../../", import.meta.url);
const FLOWS_PAGE = Deno.readTextFileSync(new URL("docs/flows.md", ROOT));

for (const type of NODE_TYPES) {
  Deno.test(`docs/flows.md has a row about ${type} nodes`, () => {
    const row = FLOWS_PAGE.split("\n").find((line) => line.startsWith(`| \`${type}\``));
    assertEquals((row?.split("|").length ?? 0) > 3, true, row);
  });
}

Deno.test("the flow that docs/flows.md begins with is sound", () => {
  const [, json = ""] = /```json\n(\{\n {2}"schema": 1.*?)```/s.exec(FLOWS_PAGE) ?? [];
  const checked = checkFlow(JSON.parse(json), FACTS);
  assertEquals(checked.ok ? checked.warnings : checked.issues, []);
});
