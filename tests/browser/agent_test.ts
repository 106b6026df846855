// The web phone, in a real Chromium, on a line that an AI agent answers.

import { assertEquals } from "@std/assert/equals.js";
import { agentWords } from "../../supabase/functions/_shared/agent/words.ts";
import { AGENT_FLOW } from "../support/agent_flow.ts";
import { browserTests } from "../support/browser.ts";
import { callFlowsAt } from "../support/call_flows.ts";
import { until } from "../support/faults.ts";

const { lab, test, caller } = browserTests();
const LINE = "+15874059111";
const { says } = agentWords("en-US").words;

test("a caller talks with the agent by typed words: told who it is, answered, and said goodbye to", async (open) => {
  const { hotline } = lab();
  const { sql } = hotline.db;
  const published = await callFlowsAt(hotline.url)("/publish", {
    definition: AGENT_FLOW,
    name: "books",
    lines: [LINE],
  });
  assertEquals(published.status, 200);
  await sql`insert into knowledge_entries (question, answer)
    values ('Do you sell maps?', 'Yes, on the second floor.')`;

  const { page } = await open("phone");
  const { e164 } = caller();
  const conversation = page.getByRole("log");
  await page.getByLabel("Your number").fill(e164);
  await page.locator("#to").fill(LINE);
  await page.getByRole("button", { name: "Call", exact: true }).click();
  await conversation.getByText("automated assistant").waitFor();
  const say = async (words: string) => {
    const input = page.getByLabel("Words to say");
    await page.locator("#words:enabled").waitFor();
    await input.fill(words);
    await input.press("Enter");
  };
  await say("Do you sell maps?");
  await conversation.getByText(`Yes, on the second floor. ${says.more}`).waitFor();
  await say("Goodbye");
  await conversation.getByText("Thank you for calling.").waitFor();
  const row = async () =>
    (await sql`select mode, status, disposition from call_logs where from_e164 = ${e164}`)[0]!;
  await until(async () => (await row())["status"] === "completed");
  assertEquals({ ...await row() }, {
    mode: "assistant",
    status: "completed",
    disposition: "connected",
  });
});
