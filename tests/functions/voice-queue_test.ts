import { assertEquals } from "@std/assert/equals.js";
import { assertStrictEquals } from "@std/assert/strict_equals.js";
import { ringingTone } from "../../supabase/functions/_shared/twilio/ringing.ts";
import type { Facts } from "../../supabase/functions/_shared/calls/events.ts";
import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";
import { createHandler } from "../../supabase/functions/voice-queue/handler.ts";
import { asDocumented } from "../support/openapi.ts";
import { phoneOf, practiceFlow } from "../support/practice.ts";
import {
  accepted,
  onTheLine,
  pathOf,
  pressed,
  publication,
  signedRequest,
  testDeps,
  twiml,
  UNAVAILABLE,
} from "../support/webhook.ts";

const FLOW = practiceFlow(["p1"]) as Flow;
const VERSION = publication(FLOW).hash.slice(0, 32);
const PEOPLE = { p1: { phone: phoneOf(1), available: true } };

/** What a caller hears who holds at `node`, when the database answers with these facts; null: it is away. */
async function hears(
  event: "wait" | "key" | "left",
  params: Record<string, string>,
  facts: Facts | null,
  { node = "hold", attempt = 1 } = {},
) {
  let woken = 0;
  const deps = testDeps({
    flow: FLOW,
    outcome: facts === null ? UNAVAILABLE : accepted({ facts: { people: PEOPLE, ...facts } }),
  });
  const query = `?event=${event}&turn=2&attempt=${attempt}&flow=${VERSION}&node=${node}`;
  const handler = createHandler({ ...deps, wakeDialler: () => woken++ });
  const request = signedRequest("voice-queue", { ...onTheLine, ...params }, { query });
  return { ...await twiml(handler, request), event: deps.events[0]!, woken };
}

const place = (position: number, wait?: NonNullable<Facts["queue"]>["wait"]) => ({
  queue: { position, ringing: 1, wait },
});
const IN_QUEUE = { QueueTime: "12", QueuePosition: "4" };

Deno.test("a caller who holds hears the place in line and the key, over a tone, again and again", async () => {
  const { verbs, spoken, event } = await hears("wait", IN_QUEUE, place(3));
  assertEquals(spoken, [
    "You are number 3 in line.",
    "If you do not want to wait, press 2.",
  ]);
  assertEquals(verbs.map(({ name }) => name), ["Gather", "Redirect"]);
  assertEquals(verbs[0]!.children.at(-1)!.name, "Play");
  const again = new URL(`https://x/${pathOf(verbs[1]!.text)}`).searchParams;
  assertEquals([again.get("event"), again.get("attempt")], ["wait", "2"]);
  assertEquals([event.event, event.identity], ["queue_waited", "waited-2-1-"]);
  assertEquals((event.ask as { queue: unknown; flow: string }).queue, {});
  // It says nothing of where the call goes: the caller stays.
  assertEquals(event.meta, { flow: VERSION });
});

Deno.test("the wait is told as a range", async () => {
  const wait = { low_sec: 70, high_sec: 200, samples: 21 };
  const { spoken } = await hears("wait", IN_QUEUE, place(1, wait));
  assertEquals(spoken[0], "You are next in line. The wait is about 1 to 4 minutes.");
});

Deno.test("each asking is an event of its own, and its copy the same one", async () => {
  const identity = async (attempt: number, digits = {}) =>
    (await hears("wait", { ...IN_QUEUE, ...digits }, place(1), { attempt })).event.identity;
  const all = [
    await identity(1),
    await identity(1),
    await identity(2),
    await identity(2, {
      Digits: "9",
    }),
  ];
  assertEquals(new Set(all).size, 3);
  assertEquals(all[0], all[1]);
});

for (
  const [what, event, params, facts] of [
    ["the key is pressed", "key", pressed("2"), place(2)],
    ["the longest wait is over", "wait", { QueueTime: "300" }, place(2)],
    ["the database has nobody waiting", "wait", {}, {}],
    ["everybody has become unavailable", "wait", {}, {
      ...place(2),
      people: { p1: { phone: phoneOf(1), available: false } },
    }],
  ] as const
) {
  Deno.test(`a caller leaves the queue when ${what}`, async () => {
    const { outline } = await hears(event, { ...IN_QUEUE, ...params }, facts as Facts);
    assertEquals(outline, ["Leave"]);
  });
}

Deno.test("any other key lets the caller hold on", async () => {
  const { verbs } = await hears("key", { ...pressed("7"), ...IN_QUEUE }, place(2));
  assertEquals(verbs.map(({ name }) => name), ["Gather", "Redirect"]);
});

Deno.test("while the database is away a caller holds on, hears something, and leaves at the longest wait all the same", async () => {
  const { spoken } = await hears("wait", IN_QUEUE, null);
  assertEquals(spoken, [
    "Thank you for holding. Your call is answered in the order in which it came in.",
    "If you do not want to wait, press 2.",
  ]);
  assertEquals((await hears("wait", { QueueTime: "300" }, null)).outline, ["Leave"]);
  // Twilio tells no time: each document counts.
  assertEquals((await hears("wait", {}, null, { attempt: 51 })).outline, ["Leave"]);
});

for (
  const [result, seconds, outcome, hangsUp] of [
    ["bridged", "30", "answered", "Say: Goodbye."],
    ["leave", "30", "offer", "Say: Please leave a message."],
    ["leave", "300", "gave_up", "Say: Please leave a message."],
    ["queue-full", "0", "full", "Say: Please leave a message."],
    ["error", "3", "gave_up", "Say: Please leave a message."],
    ["system-error", "3", "gave_up", "Say: Please leave a message."],
  ] as const
) {
  Deno.test(`the holding that ended by ${result} after ${seconds} s leads on by ${outcome}`, async () => {
    const params = { QueueResult: result, QueueTime: seconds };
    const { outline, event, woken } = await hears("left", params, { callable: false });
    assertEquals(outline[0], hangsUp);
    assertEquals((event.meta as { node: string; outcome: string }).outcome, outcome);
    assertEquals([event.event, event.identity], ["queue_left", "turn-2"]);
    assertEquals(woken, 1, "the telephones that ring for nobody are let go");
    // Without the database the caller is led on as well.
    const away = await hears("left", params, null);
    assertEquals(away.outline[0], hangsUp);
  });
}

Deno.test("a caller who leaves by no key, as the group has closed, gives up; one who pressed it is reported", async () => {
  const left = { QueueResult: "leave", QueueTime: "30" };
  const note = { queues: {}, callable: false };
  const { outline } = await hears("left", left, { ...note, callbacks: { desk: true } });
  assertEquals(
    outline[0],
    "Say: We will call you back at the number that you are calling from. You keep your place in line.",
  );
  const closed = await hears("left", left, { ...note, callbacks: { desk: true }, gives_up: true });
  assertEquals(closed.outline[0], "Say: Please leave a message.");
  const ask = async (digits: string) =>
    ((await hears("key", { ...pressed(digits), ...IN_QUEUE }, place(2))).event.ask as {
      queue: unknown;
    }).queue;
  const over = (await hears("wait", { QueueTime: "300" }, place(2))).event.ask as {
    queue: unknown;
  };
  assertEquals([await ask("2"), await ask("7"), over.queue], [
    { leaves: "offer" },
    {},
    { leaves: "over" },
  ]);
});

for (
  const [what, event, params] of [
    ["the longest wait is over", "wait", { QueueTime: "300" }],
    ["the key is pressed", "key", pressed("2")],
  ] as const
) {
  Deno.test(`a caller whose call somebody has just accepted stays for them, although ${what}`, async () => {
    const taken = { queue: { position: 1, ringing: 1, taken: true } } as const;
    const { outline } = await hears(event, { ...IN_QUEUE, ...params }, taken);
    assertEquals(outline.length, 2);
    assertEquals(outline[1]!.startsWith("Redirect"), true, outline.join());
  });
}

Deno.test("a caller does not hold on where no telephone can be rung any more", async () => {
  const { outline } = await hears("wait", IN_QUEUE, { ...place(2), cannot_dial: true });
  assertEquals(outline, ["Leave"]);
});

Deno.test("who offers to be called back hears the promise only where it is kept", async () => {
  const params = { QueueResult: "leave", QueueTime: "30" };
  const kept = await hears("left", params, { callbacks: { desk: true } });
  assertEquals(
    kept.spoken[0],
    "We will call you back at the number that you are calling from. You keep your place in line.",
  );
  for (const facts of [{}, null]) {
    assertEquals((await hears("left", params, facts)).spoken[0], "Please leave a message.");
  }
});

Deno.test("a hang-up is stored, and nothing is said", async () => {
  const { outline } = await hears("left", { QueueResult: "hangup", QueueTime: "3" }, {});
  assertEquals(outline, ["Hangup"]);
});

Deno.test("a caller for whom all telephones ring hears them ring, and leaves once none does", async () => {
  const at = { node: "any" };
  const rings = await hears("wait", { QueueTime: "6" }, place(1), at);
  assertEquals(rings.verbs.map(({ name }) => name), ["Play", "Redirect"]);
  const none = { queue: { position: 1, ringing: 0 } };
  assertEquals((await hears("wait", { QueueTime: "6" }, none, at)).outline, ["Leave"]);
});

Deno.test("the tone is a WAV file for everybody, to be kept", async () => {
  const handler = createHandler(testDeps());
  const ask = (method: string) =>
    handler(new Request("http://edge-runtime.supabase.com/voice-queue?event=ringing", { method }));
  const response = await ask("GET");
  await asDocumented("voice-queue", "GET", response);
  const bytes = new Uint8Array(await response.arrayBuffer());
  assertEquals(new TextDecoder().decode(bytes.slice(0, 4)), "RIFF");
  assertEquals(response.headers.get("cache-control"), "public, max-age=31536000, immutable");
  assertEquals((await ask("POST")).status, 405);
  assertStrictEquals(ringingTone(), ringingTone(), "made once: anybody may ask for it, unsigned");
});
