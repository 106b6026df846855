import { assertEquals } from "@std/assert/equals.js";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import type { Script } from "../../scripts/phone/mod.ts";
import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";
import { startHotline } from "../support/hotline.ts";

// Lines that answer by published flows, through HTTP, on a real PostgreSQL.

const hotline = await startHotline();
Deno.test.afterAll(() => hotline.stop());

const ANNA = "+15875550121";
const BEN = "+15875550122";
const LINE = "+15875550150";

async function publish(name: string, definition: Flow, lines: readonly string[]): Promise<void> {
  const response = await fetch(`${hotline.url}/functions/v1/call-flows/publish`, {
    method: "POST",
    headers: { "content-type": "application/json", apikey: LOCAL_SECRET_KEY },
    body: JSON.stringify({ name, definition, lines }),
  });
  assertEquals(response.status, 200, await response.text());
}

let callers = 0;

/** One call to the line, to its end. */
async function call(script: Script) {
  const twilio = hotline.simulator();
  const record = await twilio.call({ from: `+1604555${1000 + callers++}`, to: LINE, script });
  await twilio.settle();
  return { record, row: await hotline.row(record.callSid) };
}

/** A flow that rings a group, and takes a message where nobody answers. */
function ringing(group: NonNullable<Flow["groups"]>[string]): Flow {
  return {
    schema: 1,
    zone: "America/Edmonton",
    languages: ["en-US"],
    start: "desk",
    prompts: { wait: { "en-US": "One moment." }, note: { "en-US": "Please leave a message." } },
    groups: { desk: group },
    nodes: {
      desk: {
        type: "ring",
        group: "desk",
        prompt: "wait",
        mode: "appointments",
        answered: "bye",
        unanswered: "note",
      },
      note: { type: "voicemail", prompt: "note", mode: "voicemail", next: "bye" },
      bye: { type: "end" },
    },
  };
}

Deno.test("a group that is rung in turn goes on to the next until one answers", async () => {
  await publish("turn", ringing({ members: [ANNA, BEN], ring: "in_turn", seconds: 15 }), [LINE]);
  const { record, row } = await call({ dial: ["no-answer", "answered"] });
  assertEquals(record.dialled, [ANNA, BEN]);
  assertEquals(record.spoken, ["One moment."]);
  assertEquals([row.mode, row.disposition], ["appointments", "connected"]);
});

Deno.test("where nobody answers a message is taken, and the last mode entered stands", async () => {
  await publish("turn", ringing({ members: [ANNA, BEN], ring: "in_turn", seconds: 15 }), [LINE]);
  const { record, row } = await call({ dial: "busy", voicemail: { seconds: 9 } });
  assertEquals(record.dialled, [ANNA, BEN]);
  assertEquals([row.mode, row.disposition], ["voicemail", "voicemail"]);
});

Deno.test("a group that confirms never hands a caller to a voicemail box", async () => {
  await publish(
    "confirm",
    ringing({ members: [ANNA, BEN], ring: "in_turn", seconds: 15, confirm: true }),
    [LINE],
  );
  const { record, row } = await call({ dial: [{ presses: "" }, { presses: "1" }] });
  assertEquals(record.dialled, [ANNA, BEN]);
  assertEquals([row.mode, row.disposition], ["appointments", "connected"]);
  const legs = await hotline.db.sql`
    select to_e164, result, accepted_at is not null as accepted from call_legs
    where call_sid = ${record.callSid} order by to_e164`;
  assertEquals(legs.map((leg) => ({ ...leg })), [
    { to_e164: ANNA, result: "mailbox", accepted: false },
    { to_e164: BEN, result: "accepted", accepted: true },
  ]);
  const refused = await call({ dial: { presses: "2" }, voicemail: { seconds: 9 } });
  assertEquals(refused.row.disposition, "voicemail");
});

Deno.test("a group is rung at once, and the first that answers is put through", async () => {
  await publish("all", ringing({ members: [ANNA, BEN], ring: "all", seconds: 15 }), [LINE]);
  const { record, row } = await call({ dial: "answered" });
  assertEquals([...record.dialled].sort(), [ANNA, BEN]);
  assertEquals(record.all("dial").length, 1);
  assertEquals(row.disposition, "connected");
});

Deno.test("people are rung as they are available at that moment", async () => {
  await hotline.db.sql`
    insert into people (verified_at, handle, name, phone) values (now(), 'anna', 'Anna', ${ANNA}), (now(), 'ben', 'Ben', ${BEN})`;
  await publish("people", ringing({ members: ["anna", "ben"], seconds: 15 }), [LINE]);
  assertEquals((await call({ dial: "answered" })).record.dialled.length, 2);
  await hotline.db.sql`update people set available = false where handle = 'anna'`;
  assertEquals((await call({ dial: "answered" })).record.dialled, [BEN]);
  await hotline.db.sql`update people set available = false`;
  const nobody = await call({ voicemail: { seconds: 9 } });
  assertEquals([nobody.record.dialled, nobody.record.spoken[0]], [[], "Please leave a message."]);
  assertEquals([nobody.row.mode, nobody.row.disposition], ["voicemail", "voicemail"]);
});

/** Callers choose a language; recording is agreed to, or not, in that language; then somebody is rung. */
const BILINGUAL: Flow = {
  schema: 1,
  zone: "America/Edmonton",
  languages: ["en-US", "fr-CA"],
  start: "tongue",
  prompts: {
    tongue: { "en-US": "For English, press 1. Pour le français, faites le 2.", "fr-CA": "1, 2." },
    note: { "en-US": "Please leave a message.", "fr-CA": "Veuillez laisser un message." },
  },
  nodes: {
    tongue: {
      type: "menu",
      prompt: "tongue",
      options: [{ key: "1", next: "agree" }, { key: "2", next: "french" }],
      tries: 2,
      otherwise: "agree",
    },
    french: { type: "language", language: "fr-CA", next: "agree" },
    agree: { type: "consent", policy: "opt_in", next: "desk" },
    desk: { type: "ring", to: ANNA, answered: "bye", unanswered: "note" },
    note: { type: "voicemail", prompt: "note", next: "bye" },
    bye: { type: "end" },
  },
};

for (
  const [say, given, record] of [
    [["oui"], true, "record-from-answer-dual"],
    [["j'accepte"], true, "record-from-answer-dual"],
    [["oui", "mais pas d'enregistrement"], false, "do-not-record"],
    [["non merci"], false, "do-not-record"],
    [["yes"], null, "do-not-record"],
    [[], null, "do-not-record"],
  ] as const
) {
  Deno.test(`asked in French, ${JSON.stringify(say)} leaves consent ${given}`, async () => {
    await publish("bilingual", BILINGUAL, [LINE]);
    const answers = ["2", ...say.map((speech) => ({ speech }))];
    const { record: rung, row } = await call({ answers, dial: "answered" });
    assertEquals(row.consent_given, given);
    assertEquals(rung.all("dial").map((dial) => dial.record), [record]);
    const languages = new Set(rung.all("say").slice(1).map(({ language }) => language));
    assertEquals([...languages], ["fr-CA"]);
  });
}
