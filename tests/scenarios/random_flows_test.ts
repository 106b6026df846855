// Random flows, published, called by random callers over the telephone: with everything up, and with a database that
// fails every third request, on isolates that have seen the flow and on some that have not.

import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import { LOCAL_SECRET_KEY, serve } from "../../scripts/local/stack.ts";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import { flowDatabase } from "../../supabase/functions/_shared/db/flows.ts";
import { depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { wordsIn } from "../../supabase/functions/_shared/calls/words/mod.ts";
import { checkFlow } from "../../supabase/functions/_shared/flows/check.ts";
import type { Caller } from "../../supabase/functions/_shared/flows/walk.ts";
import { hotline } from "../../supabase/functions/_shared/flows/builtin.ts";
import { cases } from "../support/cases.ts";
import { createTestDatabase } from "../support/database.ts";
import { anyCaller, flowDocument } from "../support/flow_arbitrary.ts";
import { FACTS } from "../support/flows.ts";
import { switchboard, twilioFor } from "../support/faults.ts";
import { ACCOUNT_SID, PUBLIC_URL, testSettings } from "../support/webhook.ts";

/** `FLOW_CALLS=10000` rings as often. */
const CALLS = Number(Deno.env.get("FLOW_CALLS") ?? cases(40));

const db = await createTestDatabase();
const api = db.api();
/** Whether the Data API answers the next request. */
let answers = () => true;
const server = serve(
  0,
  () => {},
  (request) => answers() ? api.handle(request) : new Response("away", { status: 503 }),
);
// Isolates complain of the outages.
const { error } = console;
console.error = () => {};
Deno.test.afterAll(async () => {
  console.error = error;
  await server.drain();
  await db.drop();
});

const settings = testSettings({
  SUPABASE_URL: server.url,
  SUPABASE_SECRET_KEYS: JSON.stringify({ default: LOCAL_SECRET_KEY }),
  PUBLIC_FUNCTIONS_URL: PUBLIC_URL,
  TWILIO_ACCOUNT_SID: ACCOUNT_SID,
});
const flows = flowDatabase(dataApi(server.url, LOCAL_SECRET_KEY));
await db.sql`insert into people (verified_at, handle, name, phone) values
  (now(), 'anna', 'Anna', '+14035550111'), (now(), 'ben', 'Ben', '+14035550112')`;

const builtIn = checkFlow(hotline(settings).flow, FACTS);
const hotlineSeconds = builtIn.ok ? builtIn.longest_seconds : NaN;

let lines = 0;

/** One call to its end. @param isUp Whether the database answers, asked for each of its requests. */
async function ring(definition: unknown, caller: Caller, isUp: () => boolean) {
  const checked = checkFlow(definition, FACTS);
  if (!checked.ok) return undefined;
  const nth = ++lines;
  const line = `+1587405${String(nth).padStart(4, "0")}`;
  await flows.publish({
    owner: null,
    name: `flow ${nth}`,
    definition,
    hash: checked.hash,
    lines: [line],
  });
  const isolates = Array.from(
    { length: 3 },
    () => switchboard({ ...depsFrom(settings), log() {} }),
  );
  let asked = 0;
  const twilio = twilioFor((url, init) => isolates[asked++ % isolates.length]!(url, init), {
    callees: () => ({
      outcome: caller.no_answer ? "no-answer" : "answered",
      talkSeconds: 30,
      // As a voicemail box answers.
      ...(caller.silent && { presses: "" }),
    }),
  });
  answers = isUp;
  try {
    const record = await twilio.call({
      from: `+1604${String(5_550_000 + nth)}`,
      to: line,
      script: {
        answers: [
          ...(caller.keys ?? []),
          ...(caller.say ?? []).filter((words) => words.trim() !== "").map((speech) => ({
            speech,
          })),
        ],
        voicemail: caller.silent ? "silence" : { seconds: 200, end: "maxlength" },
      },
    });
    await twilio.settle();
    return { record, checked };
  } finally {
    answers = () => true;
  }
}

const SPOKEN = ["en", "fr", "es"].map((language) => wordsIn(language)!);
const SORRY = SPOKEN.map(({ says }) => says.sorry);

/** Whether the caller heard what agreeing and refusing mean. */
function heardDisclosure(spoken: readonly string[]): boolean {
  return SPOKEN.some(({ binding }) => {
    return [..."0123456789"].some((key) =>
      spoken.some((text) =>
        text.includes(binding.opt_in(key)) || text.includes(binding.opt_out(key))
      )
    );
  });
}

for (const [what, isUp] of [["up", () => () => true], ["failing", failing]] as const) {
  Deno.test(`with the database ${what}, any caller of any flow is served to the end, and recorded only by consent`, async () => {
    const calls = fc.sample(fc.tuple(flowDocument, anyCaller), { numRuns: CALLS });
    let rung = 0;
    for (const [definition, caller] of calls) {
      // deno-lint-ignore no-await-in-loop -- One outage at a time.
      const call = await ring(definition, caller, isUp());
      if (call === undefined) continue;
      rung++;
      const { record, checked } = call;
      const told = () => JSON.stringify({ definition, caller, heard: record.transcript });
      assertEquals(record.applicationError, undefined, told());
      assertEquals(record.endedBy, "app", told());
      assertEquals([...record.all("error"), ...record.all("warning")], [], told());
      if (record.all("dial").some((dial) => dial.record !== "do-not-record")) {
        assert(heardDisclosure(record.spoken), told());
      }
      const talk = record.all("dialled").reduce((sum, each) => sum + each.talkSeconds, 0);
      // In an outage the flow of the settings may answer, and a message be taken in place of what the flow says.
      const most = checked.longest_seconds + (what === "up" ? 0 : hotlineSeconds);
      assert(
        record.durationSeconds - talk <= most,
        `${record.durationSeconds} of ${most}: ${told()}`,
      );
      if (what === "up") {
        assert(!record.spoken.some((text) => SORRY.some((sorry) => text.includes(sorry))), told());
      }
    }
    assert(rung > CALLS / 2, `${rung} of ${CALLS} flows were sound`);
  });
}

/** Every third request fails, more or less. */
function failing(): () => boolean {
  let seed = ++lines * 7919;
  return () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % 100 >= 33;
  };
}
