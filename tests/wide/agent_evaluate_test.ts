// The twenty callers that ship, by the command, against the embedded agent.

import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { AGENT_FLOW } from "../support/agent_flow.ts";
import { callFlowsAt } from "../support/call_flows.ts";
import { runCommand } from "../support/command.ts";
import { startHotline } from "../support/hotline.ts";

Deno.test("twenty scripted callers are served as expected, by rows and dials, and the result is kept by version", async () => {
  const hotline = await startHotline();
  try {
    const publish = (definition: unknown) =>
      callFlowsAt(hotline.url)("/publish", { definition, name: "books", lines: ["+15877428885"] });
    const evaluate = (...options: string[]) =>
      runCommand(
        "scripts/agent/main.ts",
        ["evaluate", "scripts/agent/callers.json", "--url", hotline.url, ...options],
        { env: { SUPABASE_SECRET_KEYS: JSON.stringify({ default: LOCAL_SECRET_KEY }) } },
      );
    const { sql } = hotline.db;
    const nobody = await evaluate("--line", "+14035550199");
    assertEquals([nobody.code, nobody.err.split(":")[0]], [1, "No agent answers +14035550199"]);
    await publish(AGENT_FLOW);
    // Before anything is known, one caller is not told what is expected.
    const before = await evaluate();
    assertEquals(before.code, 1, before.err);
    assertStringIncludes(before.out, "version 1: 19 of 20");

    await sql`insert into knowledge_entries (question, answer)
      values ('Do you sell maps?', 'Yes, on the second floor.')`;
    await sql`delete from rate_limit_windows`;
    await publish({ ...AGENT_FLOW, zone: "America/Toronto" });
    const after = await evaluate("--json");
    assertEquals(after.code, 0, after.out + after.err);
    const { results, runs } = JSON.parse(after.out);
    assertEquals(results.length, 20);
    assertEquals(runs.map((run: Record<string, number>) => [run["version"], run["served"]]), [
      [2, 20],
      [1, 19],
    ]);
    const rows = await sql`select faults from agent_evaluations order by id`;
    assertEquals(
      rows.map(({ faults }) => faults.map((fault: { caller: string }) => fault.caller)),
      [
        ["asks what is written down"],
        [],
      ],
    );
  } finally {
    await hotline.stop();
  }
});
