// The flows of supabase/flows, published and called over the telephone: callers hear, word by word, what `task flow try`
// told, and are led where the flows' own tests expect it.

import { assertEquals } from "@std/assert/equals.js";
import { LOCAL_ACCOUNT_SID } from "../../scripts/defaults.ts";
import { callFlowsAt } from "../support/call_flows.ts";
import { startHotline } from "../support/hotline.ts";
import { soundFlow } from "../support/flows.ts";
import {
  callerOf,
  draftVersion,
  isOpen,
  walk,
} from "../../supabase/functions/_shared/flows/walk.ts";

const system = await startHotline({
  env: { TWILIO_ACCOUNT_SID: LOCAL_ACCOUNT_SID },
  asleep: "dial-worker",
});
Deno.test.afterAll(() => system.stop());
const ask = callFlowsAt(system.url);

async function post(path: string, body: unknown) {
  const answer = await ask(path, body);
  assertEquals(answer.status, 200, JSON.stringify(answer.body));
}

for (const { name: file } of Deno.readDirSync("supabase/flows")) {
  const definition = JSON.parse(Deno.readTextFileSync(`supabase/flows/${file}`));
  const { flow } = soundFlow(definition);
  const name = file.replace(".json", "");

  Deno.test(`${file}: published, it answers as its own tests and task flow try say`, async () => {
    await post("/publish", { definition, name, lines: ["+15874059000"] });
    for (const test of flow.tests ?? []) {
      const caller = callerOf(test);
      const tried = walk(draftVersion(flow), caller);
      const holds = tried.happenings.some(({ kind }) => kind === "holds");
      // No worker dials here for a caller who holds.
      if (holds && caller.no_answer !== true && caller.people === undefined) continue;
      for (const [calendar, hours] of Object.entries(flow.calendars ?? {})) {
        const state = caller.at === undefined || isOpen(hours, caller.at) ? "open" : "closed";
        const until = new Date(Date.now() + 3_600_000).toISOString();
        // deno-lint-ignore no-await-in-loop -- One call after the other: they share the calendars.
        await post("/override", { name, calendar, state, until });
      }
      // deno-lint-ignore no-await-in-loop
      const { record, row } = await system.ring({
        answers: [...caller.keys ?? [], ...(caller.say ?? []).map((speech) => ({ speech }))],
        dial: caller.no_answer ? "no-answer" : "answered",
        voicemail: { seconds: 120, end: "maxlength" },
      }, {
        ...(caller.caller !== undefined && { from: caller.caller }),
        ...(caller.withheld && { from: "anonymous" }),
      });
      const heard = tried.happenings.flatMap((each) => each.kind === "hears" ? each.text : []);
      const rung = tried.happenings.flatMap((each) => each.kind === "rings" ? each.numbers : []);
      // Who holds hears the same again and again.
      const spoken = record.spoken.filter((text, at, all) => !holds || all.indexOf(text) === at);
      assertEquals(spoken, heard, test.name);
      // Whose turn it is differs from call to call.
      const turns = Object.values(flow.groups ?? {}).some(({ ring }) => ring === "rotate");
      if (!turns && !holds) assertEquals(record.dialled, rung, test.name);
      assertEquals(row.mode, tried.mode ?? "menu", test.name);
      if (test.expect.mode !== undefined) assertEquals(row.mode, test.expect.mode, test.name);
      assertEquals(record.endedBy, "app", test.name);
      const entered = await system.db.sql<{ node: string }[]>`
        select e.value ->> 'node' as node
        from call_lifecycle as l cross join jsonb_array_elements(l.path) with ordinality as e
        where l.call_sid = ${record.callSid} and (e.ordinality > 1 or l.event = 'arrived')
        order by l.id, e.ordinality`;
      // A node that is asked again is entered once.
      const path = tried.path.filter((node, at) => node !== tried.path[at - 1]);
      assertEquals(entered.map(({ node }) => node), path, test.name);
    }
  });
}
