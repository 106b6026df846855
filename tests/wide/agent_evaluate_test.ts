// The twenty callers that ship, against the embedded agent.

import { assertEquals } from "@std/assert/equals.js";
import { evaluate, type Kept, readEvaluation, scriptOf } from "../../scripts/agent/evaluate.ts";
import { AGENT_FLOW } from "../support/agent_flow.ts";
import { callFlowsAt } from "../support/call_flows.ts";
import { startHotline } from "../support/hotline.ts";

Deno.test("twenty scripted callers are served as expected, by rows and dials", async () => {
  const hotline = await startHotline();
  try {
    const { line, callers } = readEvaluation(
      await Deno.readTextFile(new URL("../../scripts/agent/callers.json", import.meta.url)),
    );
    await callFlowsAt(hotline.url)("/publish", {
      definition: AGENT_FLOW,
      name: "books",
      lines: [line],
    });
    const { sql } = hotline.db;
    await sql`insert into knowledge_entries (question, answer)
      values ('Do you sell maps?', 'Yes, on the second floor.')`;
    const simulator = hotline.simulator();
    let from = 0;
    const results = await evaluate(
      { callers },
      async (caller) => {
        const script = scriptOf(caller);
        const record = await simulator.call({ from: `+1604555${2000 + from++}`, to: line, script });
        await simulator.settle();
        return record;
      },
      async (callSid): Promise<Kept> => {
        const [row] = await sql`
          select c.disposition, a.outcome, a.flow_version::integer as flow_version
          from call_logs as c left join agent_calls as a on a.call_sid = c.call_sid
          where c.call_sid = ${callSid}`;
        const turns = await sql`
          select kind, tool, planned_text, heard_text from agent_turns
          where call_sid = ${callSid} order by id`;
        return { ...row, turns } as unknown as Kept;
      },
    );
    assertEquals(results.filter(({ faults }) => faults.length > 0), []);
    assertEquals(results.length, 20);
  } finally {
    await hotline.stop();
  }
});
