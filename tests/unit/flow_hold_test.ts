import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import type { Place } from "../../supabase/functions/_shared/calls/events.ts";
import type { Instruction, Reply } from "../../supabase/functions/_shared/calls/reply.ts";
import type { CallState } from "../../supabase/functions/_shared/calls/state.ts";
import type { Dialable } from "../../supabase/functions/_shared/destinations.ts";
import {
  arrive,
  asksToAccept,
  proceed,
  ringEnded,
} from "../../supabase/functions/_shared/flows/advance.ts";
import { holdEnded, waiting } from "../../supabase/functions/_shared/flows/hold.ts";
import type { Known } from "../../supabase/functions/_shared/flows/known.ts";
import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";
import type { Version } from "../../supabase/functions/_shared/flows/version.ts";
import type { E164 } from "../../supabase/functions/_shared/phone.ts";

const ANNA = "+15875550111";
const BEN = "+15875550112";
const PLACE: Place = { position: 3 };
const KNOWN: Known = {
  callSid: "CA00000000000000000000000000000008",
  now: new Date("2026-03-04T05:06:07Z"),
  mode: undefined,
  consentGiven: false,
  caller: "+15875550199" as E164,
  line: "+15875550100",
  people: {
    anna: { phone: ANNA, available: true },
    ben: { phone: BEN, available: true },
    carl: { phone: "+15875550113", available: false },
  },
  mayDial: (number) => number as Dialable,
  callerId: undefined,
  talkSec: 3600,
  audioUrl: (hash) => `https://x.example/${hash}`,
  place: PLACE,
};

function version(
  desk: Partial<NonNullable<Flow["groups"]>[string]>,
  nodes: Flow["nodes"],
  prompt: Flow["prompts"][string] = { "en-US": "Please hold." },
): Version {
  return {
    name: "0".repeat(32),
    flow: {
      schema: 1,
      zone: "UTC",
      languages: ["en-US", "fr-CA"],
      start: Object.keys(nodes)[0]!,
      prompts: { hold: prompt, leave: { "en-US": "Leave a message." } },
      calendars: { day: { weekly: {} } },
      groups: { desk: { members: ["anna", "ben"], seconds: 20, ...desk } },
      nodes: {
        ...nodes,
        offered: { type: "voicemail", prompt: "leave", mode: "offered", next: "end" },
        gone_on: { type: "voicemail", prompt: "leave", mode: "gone_on", next: "end" },
        full: { type: "voicemail", prompt: "leave", mode: "full", next: "end" },
        end: { type: "end" },
      },
    },
  };
}

const QUEUE = {
  type: "queue",
  group: "desk",
  mode: "appointments",
  prompt: "hold",
  max_seconds: 300,
  key: "1",
  offer: "offered",
  answered: "end",
  gave_up: "gone_on",
  full: "full",
} as const;
const queue = (desk = {}, changes: Partial<typeof QUEUE> = {}) =>
  version(desk, { hold: { ...QUEUE, ...changes } });
const ringAll = (desk = {}) =>
  version({ ring: "all", confirm: true, ...desk }, {
    ring: { type: "ring", group: "desk", answered: "end", unanswered: "gone_on" },
  });

const enters = (at: Version, known: Partial<Known> = {}) =>
  proceed(at, arrive(at), { ...KNOWN, ...known });
const modeAfter = (at: Version, known: Partial<Known>) => enters(at, known).state.choice?.mode;
function only<Verb extends Instruction["verb"]>(reply: Reply, verb: Verb) {
  return reply.find((each): each is Extract<Instruction, { verb: Verb }> => each.verb === verb)!;
}
const spoken = (reply: Reply): string[] =>
  reply.flatMap((each) =>
    each.verb === "gather"
      ? spoken(each.prompts)
      : each.verb === "say"
      ? each.text
      : each.verb === "ringing"
      ? `ringing ${each.times}`
      : each.verb === "play"
      ? each.url
      : []
  );

// --- into the queue -----------------------------------------------------------------------------------------

Deno.test("a caller whom the database holds is put into the group's queue, and told where to go on", () => {
  const { state, reply } = enters(queue());
  assertEquals(reply, [{
    verb: "enqueue",
    queue: "desk",
    wait: { to: "voice-queue", event: "wait", state },
    action: { to: "voice-queue", event: "left", state },
  }]);
  assertEquals([state.node, state.choice?.mode], ["hold", "appointments"]);
});

Deno.test("nobody of the group available: the caller does not hold, and no member of a ring is rung", () => {
  assertEquals(modeAfter(queue({ members: ["carl", "nobody"] }), {}), "gone_on");
  assertEquals(modeAfter(ringAll({ members: ["carl"] }), {}), "gone_on");
  // Whom the system may not dial is nobody either.
  assertEquals(modeAfter(queue(), { mayDial: () => undefined }), "gone_on");
});

Deno.test("a full queue and a group that has closed lead on at once", () => {
  const queues = { desk: { waiting: 1000, full: true } };
  assertEquals(modeAfter(queue(), { queues }), "full");
  assertEquals(modeAfter(queue({ calendar: "day" }), { calendars: { day: "closed" } }), "gone_on");
  assertEquals(
    modeAfter(queue({ calendar: "day" }), { calendars: { day: "open" } }),
    "appointments",
  );
});

Deno.test("a ring of all that confirms holds the caller in a queue of the call's own", () => {
  const { reply } = enters(ringAll());
  assertEquals(reply.map((each) => each.verb === "enqueue" ? each.queue : each.verb), [
    KNOWN.callSid,
  ]);
  // In turn there is one telephone at a time, which a <Dial> can ask.
  const { reply: inTurn } = enters(ringAll({ ring: "in_turn" }));
  assertEquals(only(inTurn, "dial").numbers, [ANNA as Dialable]);
});

Deno.test("while the database is away the members are rung one after the other, each asked to accept, and the caller goes on", () => {
  for (const [at, words] of [[queue(), true], [ringAll(), false]] as const) {
    const { state, reply } = enters(at, { place: undefined });
    const first = only(reply, "dial");
    assertEquals(first.numbers, [ANNA as Dialable]);
    assert(first.screen !== undefined && asksToAccept(at, state));
    assertEquals(spoken(reply).length, words ? 1 : 0);
    const next = proceed(at, ringEnded(at, state, false), { ...KNOWN, place: undefined });
    assertEquals(only(next.reply, "dial").numbers, [BEN as Dialable]);
    // Back in between, the database holds nobody who is being rung.
    assertEquals(only(proceed(at, ringEnded(at, state, false), KNOWN).reply, "dial").numbers, [
      BEN as Dialable,
    ]);
    const ended = ringEnded(at, next.state, false);
    assertEquals(ended.to, { node: "gone_on" });
    assertEquals(ringEnded(at, state, true).to, { node: "end" });
  }
});

Deno.test("in place of a queue so many members are rung as have a turn in its time", () => {
  const at = queue({}, { max_seconds: 60 as never });
  const { state } = enters(at, { place: undefined });
  assertEquals(ringEnded(at, state, false).to, { node: "gone_on" });
});

// --- what is heard ------------------------------------------------------------------------------------------

const held = (at: Version) => enters(at).state;
const hears = (
  at: Version,
  holding: { seconds?: number; digits?: string },
  known: Partial<Known> = {},
  state: CallState = held(at),
) => waiting(at, state, { seconds: 0, ...holding }, { ...KNOWN, ...known });

Deno.test("who holds hears the place, the estimated wait, the prompt and a telephone that rings, and may press a key all the while", () => {
  const wait = { low_sec: 130, high_sec: 290, samples: 21 };
  const reply = hears(queue(), {}, { place: { position: 3, wait } });
  assertEquals(spoken(reply), [
    "You are number 3 in line. The wait is about 2 to 5 minutes.",
    "Please hold.",
    "ringing 3",
  ]);
  const gather = only(reply, "gather");
  assertEquals([gather.keysOnly, gather.poundIsKey, gather.action.event], [true, true, "key"]);
  const again = only(reply, "redirect").to;
  assertEquals([again.to, again.event, again.state.attempt], ["voice-queue", "wait", 2]);
  // The turn is the call's: it went on to no other step.
  assertEquals(again.state.turn, held(queue()).turn);
});

Deno.test("without an estimate none is told, and without the database no place is", () => {
  assertEquals(spoken(hears(queue(), {}, { place: { position: 1 } }))[0], "You are next in line.");
  assertEquals(
    spoken(hears(queue(), {}, { place: undefined }))[0],
    "Thank you for holding. Your call is answered in the order in which it came in.",
  );
  const french = { ...held(queue()), language: "fr-CA" };
  assertEquals(
    spoken(hears(queue(), {}, {}, french))[0],
    "Vous êtes au rang 3 dans la file.",
  );
});

Deno.test("music of the owner's plays in place of the tone, and a queue without a prompt names its key itself", () => {
  const audio = "a".repeat(64);
  const music = version({}, { hold: QUEUE }, { audio });
  assertEquals(spoken(hears(music, {}))[1], `https://x.example/${audio}`);
  const { prompt: _, ...bare } = QUEUE;
  assertEquals(spoken(hears(version({}, { hold: bare }), {})), [
    "You are number 3 in line.",
    "If you do not want to wait, press 1.",
    "ringing 3",
  ]);
});

Deno.test("a queue without a key listens to none", () => {
  const { key: _, offer: __, ...plain } = QUEUE;
  const reply = hears(version({}, { hold: plain }), { digits: "1" });
  assertEquals(reply.map(({ verb }) => verb), ["say", "say", "ringing", "redirect"]);
});

Deno.test("of the last seconds as much is filled as is left", () => {
  assertEquals(spoken(hears(queue(), { seconds: 288 })).at(-1), "ringing 2");
  assertEquals(spoken(hears(queue(), { seconds: 299 })).at(-1), "ringing 1");
});

Deno.test("who waits for a ring of all hears it ring, a tone at a time", () => {
  const reply = hears(ringAll(), {}, { place: { position: 1, ringing: 2 } });
  assertEquals(reply.map(({ verb }) => verb), ["ringing", "redirect"]);
  assertEquals(spoken(reply), ["ringing 1"]);
});

// --- out of it ----------------------------------------------------------------------------------------------

const leaves = (reply: Reply) => reply.length === 1 && reply[0]!.verb === "leave";

for (
  const [why, at, holding, known, isLeft] of [
    ["the key", queue(), { digits: "1" }, {}, true],
    ["another key", queue(), { digits: "2" }, {}, false],
    ["the time", queue(), { seconds: 300 }, {}, true],
    ["a second less", queue(), { seconds: 299 }, {}, false],
    ["closing time", queue({ calendar: "day" }), {}, { calendars: { day: "closed" } }, true],
    ["nobody left", queue(), {}, { people: {} }, true],
    ["a caller whom the database no longer holds", queue(), {}, { place: null }, true],
    ["no database, and nobody known", queue(), {}, { place: undefined, people: {} }, false],
    ["no database, after the time", queue(), { seconds: 300 }, { place: undefined }, true],
    ["nobody who rings, at a queue", queue(), {}, { place: { position: 1, ringing: 0 } }, false],
    ["nobody who rings, at a ring", ringAll(), {}, { place: { position: 1, ringing: 0 } }, true],
    ["a ring's time", ringAll(), { seconds: 55 }, { place: { position: 1, ringing: 2 } }, true],
    [
      "a ring's last second",
      ringAll(),
      { seconds: 54 },
      { place: { position: 1, ringing: 2 } },
      false,
    ],
  ] as const
) {
  Deno.test(`${why}: the caller ${isLeft ? "leaves" : "holds on"}`, () => {
    assertEquals(leaves(hears(at, holding, known)), isLeft);
  });
}

for (
  const [result, seconds, outcome] of [
    ["bridged", 40, "answered"],
    ["leave", 40, "offer"],
    ["leave", 300, "gave_up"],
    ["queue-full", 0, "full"],
    ["error", 5, "gave_up"],
    ["system-error", 5, "gave_up"],
    [undefined, undefined, "gave_up"],
  ] as const
) {
  Deno.test(`holding that ends with ${result} after ${seconds} s goes on at ${outcome}`, () => {
    const at = queue();
    const heard = holdEnded(at, held(at), result, { seconds }, KNOWN.now);
    assertEquals(heard.left, { node: "hold", outcome });
    assertEquals(heard.to, { node: at.flow.nodes["hold"]![outcome as never] });
  });
}

Deno.test("who leaves after closing time was not asked for an offer", () => {
  const day = { from: "2026-03-04T00:00:00Z", until: "2026-03-18T00:00:00Z", switches: [] };
  const at = {
    ...queue({ calendar: "day" }),
    hours: { day: { ...day, state: "closed" as const } },
  };
  assertEquals(
    holdEnded(at, held(queue()), "leave", { seconds: 40 }, KNOWN.now).left?.outcome,
    "gave_up",
  );
});

Deno.test("a ring of all goes on as answered or unanswered, and nowhere once the caller has hung up", () => {
  const at = ringAll();
  const ended = (result: string) => holdEnded(at, held(at), result, { seconds: 20 }, KNOWN.now);
  assertEquals(ended("bridged").left?.outcome, "answered");
  assertEquals(ended("leave").left?.outcome, "unanswered");
  assertEquals([ended("hangup").to, ended("hangup").left], ["end", undefined]);
});

// --- passed on by a person ----------------------------------------------------------------------------------

Deno.test("after the talk the caller holds on while the person may pass the call on, and then alone for whom it is passed on to", () => {
  const at = queue();
  const talked = holdEnded(at, held(at), "bridged", { seconds: 40 }, KNOWN.now);
  const first = proceed(at, talked, { ...KNOWN, transfer: "held" });
  assertEquals(first.reply.map(({ verb }) => verb), ["pause", "redirect"]);
  const { to } = only(first.reply, "redirect");
  assertEquals([to.event, to.state.node], ["held", "hold"]);
  // Asked again, for as long as the person chooses.
  const asked = holdEnded(at, to.state, "bridged", { seconds: undefined }, KNOWN.now);
  const second = proceed(at, asked, { ...KNOWN, transfer: "held" });
  assertEquals(second.reply.map(({ verb }) => verb), ["ringing", "redirect"]);

  const { state, reply } = proceed(at, asked, { ...KNOWN, transfer: "made" });
  assertEquals(spoken(reply), ["Please hold while you are put through."]);
  assertEquals(only(reply, "enqueue").queue, KNOWN.callSid);
  // Alone: no place in line, no key, and an end once no telephone rings any more.
  const place = { position: 1, ringing: 1 };
  assertEquals(spoken(hears(at, { digits: "1", seconds: 30 }, { place }, state)), ["ringing 1"]);
  assert(leaves(hears(at, { seconds: 30 }, { place: { ...place, ringing: 0 } }, state)));
  const ended = holdEnded(at, state, "leave", { seconds: 30 }, KNOWN.now);
  assertEquals(ended.left?.outcome, "gave_up");
  // Whatever queue comes next is a group's.
  assertEquals(proceed(at, { ...ended, to: { node: "hold" } }, KNOWN).state.handoff, undefined);
  assertEquals(
    only(proceed(at, { ...ended, to: { node: "hold" } }, KNOWN).reply, "enqueue").queue,
    "desk",
  );
});

Deno.test("a talk that nobody passes on ends as the flow says", () => {
  const at = queue();
  const talked = holdEnded(at, held(at), "bridged", { seconds: 40 }, KNOWN.now);
  assertEquals(proceed(at, talked, KNOWN).reply, [{ verb: "hangup" }]);
});

// --- a call back --------------------------------------------------------------------------------------------

Deno.test("a call back is promised where it is kept, and else nothing is said of it", () => {
  const at = version({}, {
    back: { type: "callback", group: "desk", next: "end", refused: "offered" },
  });
  const promise =
    "We will call you back at the number that you are calling from. You keep your place in line.";
  const kept = enters(at, { callbacks: { desk: true } });
  assertEquals(spoken(kept.reply), [promise]);
  for (const callbacks of [undefined, {}, { other: true }] as Known["callbacks"][]) {
    assertEquals(spoken(enters(at, { callbacks }).reply)[0], "Leave a message.");
  }
});
