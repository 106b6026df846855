import { assertEquals } from "@std/assert/equals.js";
import { type Callee, personAt } from "../../scripts/phone/mod.ts";
import type { CallRecord } from "../../scripts/phone/mod.ts";
import { asksToStop } from "../../supabase/functions/_shared/calls/consent.ts";
import type { AcceptOutcome } from "../../supabase/functions/_shared/calls/events.ts";
import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";
import {
  createHandler,
  type OutboundDeps,
} from "../../supabase/functions/voice-outbound/handler.ts";
import {
  type Calling,
  type CampaignChanges,
  noticeFlow,
  startCalling,
} from "../support/calling.ts";
import { LINE, phoneOf, practiceFlow } from "../support/practice.ts";
import {
  accepted,
  CALLER,
  callReported,
  LINE_NUMBER,
  onTheLine,
  pressed,
  publication,
  signedRequest,
  testDeps,
  twiml,
  UNAVAILABLE,
} from "../support/webhook.ts";

const PHONE = "+15875552000";
const OPENING = [
  "This is a call from Prairie Dental.",
  "To be removed from our list, press 9, or say: stop.",
];

// --- calls of a campaign, through the functions ----------------------------------------------------------------

let calling: Calling;
let callee: Callee = {};
/** Is pressed at the third question alone: the first of the flow. */
let inFlow: string | undefined;
let rung: CallRecord | undefined;
Deno.test.beforeAll(async () => {
  calling = await startCalling({
    people: 1,
    simulator: {
      telephones: ({ to, callSid }) => {
        if (to !== PHONE) return personAt({ presses: "1", talkSeconds: 30 });
        rung = calling.simulator.exchange.calls.get(callSid)!.record;
        const person = personAt({ presses: "", ...callee });
        let asked = 0;
        return inFlow === undefined ? person : {
          ...person,
          onGather: () => ++asked === 3 ? { digits: inFlow! } : "silence",
        };
      },
    },
  });
});
Deno.test.afterAll(() => calling.stop());

/** One call of a campaign to a telephone that is answered so. @returns what is heard, and the campaign's figures. */
async function calls(
  answers: Callee,
  changes: CampaignChanges = {},
  beforeDial: () => Promise<void> = () => Promise.resolve(),
) {
  callee = answers;
  const { sql } = calling.db;
  await sql`update dial_attempts set dialled_at = dialled_at - interval '8 days'`;
  await sql`update campaign_contacts set due_at = null`;
  await sql`delete from suppressions`;
  const id = await calling.campaign([PHONE], changes);
  await calling.dial((deps) => ({
    ...deps,
    campaigns: {
      ...deps.campaigns,
      // The run is over when it has dialled, and waits for nobody who may become free.
      reserve: async (...args) => ({ ...await deps.campaigns.reserve(...args), full: false }),
      async begin(...args) {
        await beforeDial();
        return await deps.campaigns.begin(...args);
      },
    },
  }));
  await calling.simulator.settle();
  await sql`select command_campaign(${id}, 'stop')`;
  const { contacts: _, dialled: __, ...figures } = await calling.live(id);
  return { heard: rung!.spoken, record: rung!, figures };
}

Deno.test("voice-outbound: a person hears who calls and how to stop, then the flow, in one document", async () => {
  const { heard, record, figures } = await calls({});
  assertEquals(heard, [...OPENING, "Your appointment is tomorrow.", "Goodbye."]);
  assertEquals(figures, { answered: 1 });
  assertEquals(record.webhooks.filter(({ url }) => /event=(answered|begin)/.test(url)).length, 1);
});

Deno.test("voice-outbound: 9 in the opening removes the number at once, and nothing else is heard", async () => {
  const { heard, figures } = await calls({ presses: "9" });
  assertEquals(heard.at(-1), "You are removed from our list. Goodbye.");
  assertEquals(heard.includes("Your appointment is tomorrow."), false);
  assertEquals(figures, { opted_out: 1 });
  const rows = await calling.db.sql`select e164, source from suppressions`;
  assertEquals(rows.map((row) => ({ ...row })), [{ e164: PHONE, source: "key" }]);
});

Deno.test("voice-outbound: another key in the opening leads on to the flow, which is entered once", async () => {
  const { heard, record, figures } = await calls({ presses: "4" });
  assertEquals([heard.slice(-2), figures], [["Your appointment is tomorrow.", "Goodbye."], {
    answered: 1,
  }]);
  const [path] = await calling.db.sql`
    select count(*)::integer as arrivals from call_lifecycle where call_sid = ${record.callSid} and event = 'arrived'`;
  assertEquals(path!.arrivals, 1);
});

Deno.test("voice-outbound: a machine is hung up on, and is no answer by a person", async () => {
  const { record, figures } = await calls({ answeredBy: "machine_end_beep", staysSeconds: 60 });
  assertEquals([record.endedBy, figures], ["app", { waiting: 1 }]);
});

/** After the notice it waits for a key. */
const LISTENS = {
  nodes: {
    notice: { type: "say", prompt: "notice", next: "asks" },
    asks: {
      type: "menu",
      prompt: "bye",
      tries: 2,
      seconds: 20,
      options: [{ key: "1", next: "bye" }],
      otherwise: "bye",
    },
    bye: { type: "end", prompt: "bye" },
  },
};

Deno.test("voice-outbound: a machine gets the message after its greeting, with a way to be removed", async () => {
  const { heard, figures } = await calls(
    { answeredBy: "machine_end_beep", detectedSeconds: 3, staysSeconds: 60 },
    { machine: "message", flow: LISTENS },
  );
  assertEquals(heard.slice(-2), [
    "This is a call from Prairie Dental. To be removed from our list, call this number and press 9.",
    "Your appointment is tomorrow.",
  ]);
  assertEquals(figures, { machine: 1 });
});

Deno.test("voice-outbound: 9 in a menu of the flow removes the number, unless the menu has its own 9", async () => {
  inFlow = "9";
  try {
    const removed = await calls({ staysSeconds: 60 }, { flow: LISTENS });
    assertEquals([removed.heard.at(-1), removed.figures], [
      "You are removed from our list. Goodbye.",
      { opted_out: 1 },
    ]);
    const { asks } = LISTENS.nodes;
    const options = [{ key: "9", next: "bye" }];
    const own = await calls({ staysSeconds: 60 }, {
      flow: { nodes: { ...LISTENS.nodes, asks: { ...asks, options } } },
    });
    assertEquals([own.heard.at(-1), own.figures], ["Goodbye.", { answered: 1 }]);
  } finally {
    inFlow = undefined;
  }
});

Deno.test("voice-outbound: what is not certainly a machine is a person", async () => {
  const { heard, figures } = await calls({ answeredBy: "unknown" });
  assertEquals([heard.at(-1), figures], ["Goodbye.", { answered: 1 }]);
});

const toPeople = {
  mode: "progressive",
  flow: { ...practiceFlow(["p1"]), start: "hold" },
} as const;

Deno.test("voice-outbound: a person is connected with one of the owner's people who is free", async () => {
  await calling.db.sql`update people set available = true`;
  const { heard, figures, record } = await calls({ staysSeconds: 120 }, toPeople);
  assertEquals([heard.slice(0, 2), figures], [OPENING, { answered: 1 }]);
  const [call] = await calling.db.sql`
    select connected_at is not null as connected from call_logs where call_sid = ${record.callSid}`;
  assertEquals(call!.connected, true);
  const [dial] = await calling.db.sql`
    select connected_at is not null as connected from campaign_dials order by id desc limit 1`;
  assertEquals(dial!.connected, true);
  const [leg] = calling.twilio.requests.filter(({ params }) => params.To === phoneOf(1));
  assertEquals(leg !== undefined, true);
});

Deno.test("voice-outbound: with nobody free the person hears so at once, and counts as abandoned", async () => {
  const { sql } = calling.db;
  await sql`update people set available = true`;
  const { heard, figures } = await calls({ staysSeconds: 120 }, toPeople, async () => {
    await sql`update people set available = false`;
  });
  assertEquals(heard.slice(0, 2), [
    "This is a call from Prairie Dental. We are sorry, nobody is free to talk to you now.",
    OPENING[1],
  ]);
  assertEquals(figures, { abandoned: 1 });
  const [row] = await sql`select result from campaign_dials order by id desc limit 1`;
  assertEquals(row!.result, "abandoned");
});

Deno.test("voice-outbound: while none of the owner's people is free nobody is dialled", async () => {
  await calling.db.sql`update people set available = false`;
  const id = await calling.campaign([PHONE], toPeople);
  const dialled = calling.created().length;
  let looks = 0;
  await calling.dial((deps) => ({
    ...deps,
    now: () => new Date(Date.now() + (looks > 3 ? 60_000 : 0)),
    wait: () => Promise.resolve(void looks++),
  }));
  assertEquals(calling.created().length, dialled);
  await calling.db.sql`select command_campaign(${id}, 'stop')`;
});

Deno.test("voice-outbound: somebody who calls a campaign's number back can be removed by 9; others hear the flow alone", async () => {
  const { sql } = calling.db;
  await sql`delete from suppressions`;
  const id = await calling.campaign([PHONE]);
  const { simulator } = calling;
  const other = await simulator.call({ from: "+15875552999", to: LINE, script: { keys: ["9"] } });
  assertEquals(other.spoken.some((each) => each.includes("our list")), false);
  const back = await simulator.call({ from: PHONE, to: LINE, script: { keys: ["9"] } });
  assertEquals(back.spoken.slice(0, 2), [
    "We have called you from this number. To be removed from our list, press 9.",
    "You are removed from our list. Goodbye.",
  ]);
  await simulator.settle();
  assertEquals(await calling.live(id), { contacts: 1, suppressed: 1 });
  await sql`select command_campaign(${id}, 'stop')`;
});

// --- one request ----------------------------------------------------------------------------------------------

const FLOW = noticeFlow() as unknown as Flow;
const STATE = `turn=0&attempt=1&flow=${publication(FLOW).hash.slice(0, 32)}&language=en-US`;
const TOKEN = "0123abcd-0123-4567-89ab-0123456789ab";
const OUT = { From: LINE_NUMBER, To: CALLER, Direction: "outbound-api" };

/** What a request of Twilio's comes to. */
function asks(
  event: string,
  params: Record<string, string>,
  changes: Partial<OutboundDeps> & { readonly outcome?: AcceptOutcome } = {},
) {
  const { outcome, ...others } = changes;
  const deps = testDeps({ flow: FLOW, ...(outcome && { outcome }) });
  const handler = createHandler({
    ...deps,
    dialling: { legTold: () => Promise.reject(new Error("away")) },
    twilio: undefined,
    ...others,
  });
  const query = `?event=${event}&token=${TOKEN}&who=${btoa("Prairie Dental")}&${STATE}`;
  const request = signedRequest("voice-outbound", { ...params, ...OUT }, { query });
  return { handler, request, events: deps.events };
}

async function hears(...args: Parameters<typeof asks>) {
  const { handler, request, events } = asks(...args);
  const { verbs, spoken, xml } = await twiml(handler, request);
  return { names: verbs.map(({ name }) => name), spoken, xml, events };
}

async function told(...args: Parameters<typeof asks>) {
  const { handler, request, events } = asks(...args);
  return { status: (await handler(request)).status, events };
}

const ANSWERED = accepted({
  facts: { attempt: { purpose: "campaign", won: false, over: false } },
});

Deno.test("voice-outbound: with the database away the person hears who calls, can press 9, and comes to a safe end", async () => {
  const first = await hears("answered", onTheLine, { outcome: UNAVAILABLE });
  assertEquals([first.names, first.spoken], [["Gather", "Gather", "Redirect"], OPENING]);
  const then = await hears("begin", onTheLine, { outcome: UNAVAILABLE });
  assertEquals(then.names, ["Gather", "Gather", "Say", "Hangup"]);
  assertEquals(/record/i.test(first.xml + then.xml), false);
});

Deno.test("voice-outbound: a database that hangs does not keep the person waiting", async () => {
  const { names } = await hears("answered", onTheLine, {
    heardWithinMs: 5,
    accept: () => new Promise(() => {}),
  });
  assertEquals(names, ["Gather", "Gather", "Redirect"]);
});

Deno.test("voice-outbound: nothing is said to be removed before it is stored, and the wish is tried again", async () => {
  const away = await hears("begin", pressed("9"), { outcome: UNAVAILABLE });
  assertEquals([away.names, away.spoken], [["Say", "Pause", "Redirect"], ["One moment, please."]]);
  const stored = await hears("stop", onTheLine, { outcome: ANSWERED });
  assertEquals(stored.names, ["Say", "Hangup"]);
  const { attempt, stop } = stored.events[0]!.ask as Record<string, unknown>;
  assertEquals([attempt, stop], [{ token: TOKEN }, "key"]);
});

Deno.test("voice-outbound: a spoken stop is stored before it is said, in the flow's language, and other words go on", async () => {
  const said = (words: string) => ({ ...onTheLine, SpeechResult: words, Confidence: "0.9" });
  for (const words of ["Stop.", "please remove me from your list", "don't call me again"]) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const { spoken, events } = await hears("begin", said(words), { outcome: ANSWERED });
    assertEquals(spoken, ["You are removed from our list. Goodbye."]);
    assertEquals((events[0]!.ask as Record<string, unknown>).stop, "speech");
  }
  const away = await hears("begin", said("Stop"), { outcome: UNAVAILABLE });
  assertEquals(away.spoken, ["One moment, please."]);
  assertEquals(/event=said/.test(away.xml), true);
  const hello = await hears("begin", said("Hello?"), { outcome: ANSWERED });
  assertEquals(hello.spoken.slice(0, 2), [
    "To be removed from our list, press 9.",
    "Your appointment is tomorrow.",
  ]);
  assertEquals(asksToStop("Arrêtez !", "fr-CA"), true);
  assertEquals(asksToStop("No me llamen más.", "es-US"), true);
  assertEquals(asksToStop("Bonjour, qui est là ?", "fr-CA"), false);
});

Deno.test("voice-outbound: a call that was given up meanwhile says who called, and ends", async () => {
  const over = accepted({ facts: { attempt: { purpose: "campaign", won: false, over: true } } });
  const { names } = await hears("answered", onTheLine, { outcome: over });
  assertEquals(names, ["Gather", "Gather", "Say", "Hangup"]);
});

Deno.test("voice-outbound: without Twilio's signature nothing is stored or said", async () => {
  const deps = testDeps({ flow: FLOW });
  const handler = createHandler({ ...deps, dialling: undefined, twilio: undefined } as never);
  const query = `?event=begin&token=${TOKEN}&who=x&${STATE}`;
  const request = signedRequest("voice-outbound", pressed("9"), { query, token: "another" });
  assertEquals([(await handler(request)).status, deps.events], [401, []]);
});

Deno.test("voice-outbound: a callback that cannot be stored is delivered again", async () => {
  for (
    const [event, params] of [
      ["status", { ...callReported("completed"), ...OUT }],
      ["status", { ...callReported("busy"), ...OUT }],
      ["amd", { ...onTheLine, AnsweredBy: "machine_start" }],
    ] as const
  ) {
    assertEquals((await told(event, params, { outcome: UNAVAILABLE })).status, 503);
  }
  const human = await told("amd", { ...onTheLine, AnsweredBy: "human" });
  assertEquals(human, { status: 204, events: [] });
});
