// The process of voice-agent, killed (SIGKILL) after each frame of a talk in turn, and another begun in its place: the same
// end, and no sentence twice.

import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { withLocalDefaults } from "../../scripts/local/stack.ts";
import { agentWords } from "../../supabase/functions/_shared/agent/words.ts";
import { AGENT_FLOW } from "../support/agent_flow.ts";
import { callFlowsAt } from "../support/call_flows.ts";
import { addressOf, runFunction } from "../support/function_process.ts";
import { until } from "../support/faults.ts";
import { startHotline } from "../support/hotline.ts";

const { says } = agentWords("en-US").words;
const hotline = await startHotline();
const { sql } = hotline.db;
const published = await callFlowsAt(hotline.url)("/publish", {
  definition: AGENT_FLOW,
  name: "books",
  lines: ["+15874059000"],
});
assertEquals(published.status, 200);
await sql`insert into knowledge_entries (question, answer) values
  ('Do you sell maps?', 'Yes, on the second floor.'), ('Do you sell globes?', 'Next to the till.')`;
Deno.test.afterAll(() => hotline.stop());

/** A process of voice-agent; each socket goes to the one that lives. */
function isolates() {
  const start = () => {
    const env = { PUBLIC_FUNCTIONS_URL: `${hotline.url}/functions/v1`, METRICS_FLUSH_SECONDS: "0" };
    const child = runFunction("voice-agent", withLocalDefaults(env, hotline.url, ""));
    return { child, address: addressOf(child) };
  };
  let living = start();
  const end = async () => {
    living.child.kill("SIGKILL");
    await living.child.status;
  };
  return {
    async kill() {
      const { child } = living;
      child.kill("SIGKILL");
      living = start();
      await child.status;
    },
    async place(url: string) {
      const { pathname } = new URL(url);
      const path = pathname.slice(pathname.indexOf("/voice-agent/"));
      return `${(await living.address).replace("http:", "ws:")}${path}`;
    },
    [Symbol.asyncDispose]: end,
  };
}

/** A talk whose process dies after so many frames. @returns what was heard and what is kept. */
async function talk(killAfter = Infinity) {
  await using processes = isolates();
  let frames = 0;
  let killed: Promise<void> | undefined;
  const { record } = await hotline.ring(
    { say: ["Do you sell maps?", "Do you sell globes?", "Goodbye", "Goodbye", "Goodbye"] },
    {
      simulator: {
        relay: {
          place: (url) => processes.place(url),
          onFrame() {
            if (++frames === killAfter) killed = processes.kill();
          },
        },
      },
    },
  );
  await killed;
  const { callSid } = record;
  const ended = async () =>
    (await sql`select from agent_calls where call_sid = ${callSid} and outcome = 'done'`).length >
      0;
  await until(ended);
  const { status, mode, disposition, agent_served } = await hotline.row(callSid);
  return {
    frames,
    heard: record.all("say").map(({ text }) => text),
    lost: record.all("session").filter(({ error }) => error === "64105").length,
    row: { status, mode, disposition, agent_served },
  };
}

const whole = await talk();

Deno.test("a talk on which nothing fails is served by the process, and ends as the agent says", () => {
  assertEquals(whole.row, {
    status: "completed",
    mode: "assistant",
    disposition: "connected",
    agent_served: true,
  });
  assert(whole.frames >= 8, `${whole.frames} frames`);
});

for (let nth = 1; nth <= whole.frames; nth++) {
  Deno.test(`killed after frame ${nth} of ${whole.frames}: the same row, and no sentence twice`, async () => {
    const { heard, row, lost } = await talk(nth);
    // After the last frame the talk may be over before the process is.
    assert(lost === 1 || nth === whole.frames, `${lost} sockets were lost`);
    assertEquals(row, whole.row);
    const answers = heard.filter((text) => text !== says.resumed && text !== says.stillThere);
    assertEquals(new Set(answers).size, answers.length, answers.join(" | "));
    assertEquals(answers.filter((text) => text.includes("automated assistant")).length, 1);
  });
}
