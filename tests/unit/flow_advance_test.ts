import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import type { Disclosed } from "../../supabase/functions/_shared/calls/consent.ts";
import type { Reply } from "../../supabase/functions/_shared/calls/reply.ts";
import {
  type CallState,
  decodeState,
  encodeState,
} from "../../supabase/functions/_shared/calls/state.ts";
import { wordsIn } from "../../supabase/functions/_shared/calls/words/mod.ts";
import type { Dialable } from "../../supabase/functions/_shared/destinations.ts";
import {
  advance,
  arrive,
  hear,
  hearKey,
  messageTaken,
  proceed,
  reroute,
  ringEnded,
} from "../../supabase/functions/_shared/flows/advance.ts";
import { consentKey } from "../../supabase/functions/_shared/flows/disclosure.ts";
import type { Known } from "../../supabase/functions/_shared/flows/known.ts";
import type { Flow, NodeOf } from "../../supabase/functions/_shared/flows/language.ts";
import type { Input } from "../../supabase/functions/_shared/flows/understand.ts";
import type { Version } from "../../supabase/functions/_shared/flows/version.ts";
import type { E164 } from "../../supabase/functions/_shared/phone.ts";
import { renderTwiml } from "../../supabase/functions/_shared/twilio/twiml.ts";
import { cases } from "../support/cases.ts";
import { flowDocument } from "../support/flow_arbitrary.ts";
import { parseTwiml } from "../support/webhook.ts";

const KNOWN: Known = {
  callSid: "CA00000000000000000000000000000007",
  now: new Date("2026-03-04T05:06:07Z"),
  mode: undefined,
  consentGiven: false,
  caller: "+15875550199" as E164,
  line: "+15875550100",
  mayDial: (number) => number as Dialable,
  callerId: undefined,
  talkSec: 3600,
  audioUrl: (hash) => `https://x.example/${hash}`,
};

/** A version of a flow whose prompts are their names. */
function version(nodes: Flow["nodes"], more: Partial<Flow> = {}): Version {
  const { languages = ["en-US"] } = more;
  const names = Object.values(nodes).flatMap((node) =>
    "prompt" in node && node.prompt !== undefined ? [node.prompt] : []
  );
  const prompts = Object.fromEntries(
    names.map((name) => [name, Object.fromEntries(languages.map((each) => [each, name]))]),
  );
  const [start] = Object.keys(nodes);
  const end = { end: { type: "end" as const } };
  return {
    name: "0".repeat(32),
    flow: {
      schema: 1,
      zone: "UTC",
      languages,
      start: start!,
      prompts,
      nodes: { ...nodes, ...end },
      ...more,
    },
  };
}

/** A reply in short. */
const brief = (reply: Reply) =>
  reply.map((each) =>
    each.verb === "say"
      ? each.text
      : each.verb === "dial"
      ? `dial ${each.numbers.join(" ")}${each.record ? " recorded" : ""}`
      : each.verb === "gather"
      ? `gather ${each.action.to} ${each.action.state.node}`
      : each.verb
  );

/** Where the next webhook is told the call to be. */
const stateOf = (reply: Reply): CallState => {
  for (const each of reply) if ("action" in each) return each.action.state;
  throw new Error(`Cannot go on from ${brief(reply)}`);
};

const ring = (to: string) => ({ type: "ring" as const, to, answered: "end", unanswered: "end" });
const menu = (options: NodeOf<"menu">["options"]) => ({
  type: "menu" as const,
  prompt: "menu",
  options,
  tries: 2,
  otherwise: "end",
});

// --- recording ----------------------------------------------------------------------------------------------

for (
  const [keys, expected] of [[["1", "2"], "3"], [["1", "3"], "2"], [["3", "1", "2"], "4"]] as const
) {
  Deno.test(`beside a menu of ${keys}, the disclosure names key ${expected}, and that key answers it`, () => {
    const flow = version({
      agree: { type: "consent", policy: "opt_in", next: "menu" },
      menu: menu(keys.map((key) => ({ key, next: `to${key}` }))),
      ...Object.fromEntries(keys.map((key) => [`to${key}`, ring("+15875550111")])),
    });
    const { reply } = proceed(flow, arrive(flow), KNOWN);
    assertEquals(brief(reply).slice(0, 2), [
      wordsIn("en-US")!.binding.opt_in(expected),
      "gather voice-consent-speech menu",
    ]);
    const { state } = hear(flow, stateOf(reply), { digits: expected });
    assertEquals(state.consent, { basis: "yes", turn: 1 });
    // A key of the menu chooses, and says nothing of recording.
    assertEquals(hear(flow, stateOf(reply), { digits: keys[0] }).state.consent, undefined);
  });
}

Deno.test("key 0 answers no disclosure where it leads to the operator", () => {
  const options = [..."123456789"].map((key) => ({ key, next: "end" }));
  const nodes = { menu: menu(options), person: ring("+15875550111") };
  assertEquals(consentKey(version(nodes).flow, "menu"), "0");
  assertEquals(consentKey(version(nodes, { operator: "person" }).flow, "menu"), undefined);
});

Deno.test("a caller hears one disclosure only", () => {
  const flow = version({
    agree: { type: "consent", policy: "opt_out", next: "menu" },
    menu: menu([{ key: "1", next: "again" }]),
    again: { type: "consent", policy: "opt_in", next: "ring" },
    ring: ring("+15875550111"),
  });
  const asked = stateOf(proceed(flow, arrive(flow), KNOWN).reply);
  const { reply, state } = advance(flow, asked, { digits: "1" }, KNOWN);
  assertEquals(brief(reply), ["dial +15875550111"]);
  assertEquals(state.disclosed?.policy, "opt_out");
});

Deno.test("before the disclosure only words that refuse by themselves are about recording", () => {
  const flow = version({
    tongue: menu([{ key: "1", next: "agree" }]),
    agree: { type: "consent", policy: "opt_out", next: "ring" },
    ring: ring("+15875550111"),
  });
  const asked = stateOf(proceed(flow, arrive(flow), KNOWN).reply);
  const basis = (input: Input) => hear(flow, asked, input).state.consent?.basis;
  const nothing = [{ digits: "3" }, { speech: "no" }, { speech: "pizza" }, { speech: "yes" }, {}];
  assertEquals(nothing.map(basis), Array(5).fill(undefined));
  assertEquals(basis({ speech: "don't record me" }), "no");
});

const ALONE = (policy: "opt_out" | "opt_in", language = "en-US") =>
  version({
    agree: { type: "consent", policy, prompt: "own", next: "ring" },
    ring: ring("+15875550111"),
  }, { languages: [language] });

Deno.test("a consent node that no menu follows listens by itself, and once more after a word about recording", () => {
  const flow = ALONE("opt_in");
  const asked = proceed(flow, arrive(flow), KNOWN).reply;
  assertEquals(brief(asked).slice(1), ["gather voice-consent-speech agree", "redirect"]);
  const agreed = advance(flow, stateOf(asked), { speech: "yes" }, KNOWN).reply;
  assertEquals(brief(agreed), [
    "Thank you. This call may be recorded.",
    "gather voice-consent-speech agree",
    "redirect",
  ]);
  const given = { ...KNOWN, consentGiven: true };
  const silent = advance(flow, stateOf(agreed), {}, given).reply;
  assertEquals(brief(silent), ["dial +15875550111 recorded"]);
  const after = hear(flow, stateOf(agreed), { speech: "but don't record" });
  assertEquals(after.state.consent?.basis, "no");
  assertEquals(after.again, undefined, "It listens once more, and not for ever");
});

Deno.test("where nobody answers the question, staying agrees under opt_out alone", () => {
  for (const [policy, basis] of [["opt_out", "stayed"], ["opt_in", undefined]] as const) {
    const flow = ALONE(policy);
    const asked = proceed(flow, arrive(flow), KNOWN).reply;
    assertEquals(hear(flow, stateOf(asked), {}).state.consent?.basis, basis);
  }
});

Deno.test("in a language that we have no words in, only the key counts, and staying is no agreement", () => {
  for (const policy of ["opt_out", "opt_in"] as const) {
    const flow = ALONE(policy, "pl-PL");
    const asked = proceed(flow, arrive(flow), KNOWN).reply;
    assertEquals(brief(asked)[0], "own");
    const decided = (input: Input) => hear(flow, stateOf(asked), input).state.consent?.basis;
    assertEquals(decided({}), undefined);
    assertEquals(decided({ speech: "tak" }), "unsure");
    assertEquals(decided({ speech: "yes" }), "unsure");
    assertEquals(decided({ digits: "3" }), policy === "opt_in" ? "yes" : "no");
  }
});

Deno.test("a refusal counts in the language of the disclosure, and in the one of by then", () => {
  const flow = version({
    agree: { type: "consent", policy: "opt_out", next: "french" },
    french: { type: "language", language: "fr-CA", next: "menu" },
    menu: menu([{ key: "1", words: ["ventes"], next: "ring" }]),
    ring: ring("+15875550111"),
  }, { languages: ["en-US", "fr-CA"] });
  const asked = stateOf(proceed(flow, arrive(flow), KNOWN).reply);
  const basis = (speech: string) => hear(flow, asked, { speech }).state.consent?.basis;
  assertEquals(
    [basis("no recording"), basis("sans enregistrement"), basis("non")],
    Array(3).fill("no"),
  );
  assertEquals(basis("ventes s'il vous plaît"), "stayed");
});

Deno.test("a yes that is the name of a choice agrees to nothing", () => {
  const flow = version({
    agree: { type: "consent", policy: "opt_in", next: "menu" },
    menu: menu([{ key: "1", words: ["yes"], next: "ring" }]),
    ring: ring("+15875550111"),
  });
  const asked = stateOf(proceed(flow, arrive(flow), KNOWN).reply);
  assertEquals(hear(flow, asked, { speech: "yes" }).state.consent?.basis, undefined);
});

// --- where a call goes --------------------------------------------------------------------------------------

Deno.test("a star repeats five times for nothing, and then uses up tries", () => {
  const flow = version({ menu: menu([{ key: "1", next: "end" }]) });
  let { reply } = proceed(flow, arrive(flow), KNOWN);
  let askings = 0;
  while (reply.some(({ verb }) => verb === "gather") && askings < 50) {
    askings++;
    ({ reply } = advance(flow, stateOf(reply), { digits: "*" }, KNOWN));
  }
  assertEquals(askings, 2 + 5);
});

Deno.test("a star, a pound and a zero choose where a menu offers them", () => {
  const flow = version({
    menu: menu([{ key: "*", next: "a" }, { key: "#", next: "b" }, { key: "0", next: "c" }]),
    a: { type: "say", prompt: "star", next: "end" },
    b: { type: "say", prompt: "pound", next: "end" },
    c: { type: "say", prompt: "zero", next: "end" },
    person: ring("+15875550111"),
  }, { operator: "person" });
  const { reply } = proceed(flow, arrive(flow), KNOWN);
  const [gather] = parseTwiml(renderTwiml(reply, "https://x.example"));
  assertEquals(gather?.attributes["finishOnKey"], "");
  for (const [digits, words] of [["*", "star"], ["#", "pound"], ["0", "zero"]] as const) {
    assertEquals(brief(advance(flow, stateOf(reply), { digits }, KNOWN).reply), [words, "hangup"]);
  }
});

for (
  const [on, patterns, known, met] of [
    ["caller", ["+15875550199"], {}, true],
    ["caller", ["+1587*"], {}, true],
    ["caller", ["+1588*", "+44*"], {}, false],
    ["caller", ["*"], { caller: undefined }, false],
    ["line", ["+15875550100"], {}, true],
    ["returning", ["yes"], { returning: true }, true],
    ["returning", ["no"], { returning: false }, true],
    ["returning", ["yes", "no"], { returning: undefined }, false],
  ] as const
) {
  Deno.test(`${on} ${JSON.stringify(known)} ${met ? "matches" : "does not match"} ${patterns}`, () => {
    const flow = version({
      match: {
        type: "match",
        on,
        cases: [{ in: [...patterns], next: "met" }],
        otherwise: "end",
      },
      met: { type: "say", prompt: "met", next: "end" },
    });
    const { reply } = proceed(flow, arrive(flow), { ...KNOWN, ...known });
    assertEquals(brief(reply), met ? ["met", "hangup"] : ["hangup"]);
  });
}

const AT = { from: "2026-03-04T00:00:00Z", until: "2026-03-18T00:00:00Z" };
for (
  const [calendars, hours, led] of [
    [{ desk: "open" }, undefined, "open"],
    [{ desk: "closed" }, undefined, "closed"],
    [undefined, { state: "open", switches: [] }, "open"],
    [undefined, { state: "open", switches: ["2026-03-04T01:00:00Z"] }, "closed"],
    [undefined, { state: "open", switches: ["2026-03-04T06:00:00Z"] }, "open"],
    [undefined, undefined, "unknown"],
  ] as const
) {
  Deno.test(`by ${JSON.stringify({ calendars, hours })} the way is ${led}`, () => {
    const flow = version({
      hours: {
        type: "hours",
        calendar: "desk",
        open: "open",
        closed: "closed",
        unknown: "unknown",
      },
      ...Object.fromEntries(
        ["open", "closed", "unknown"].map((
          name,
        ) => [name, { type: "say" as const, prompt: name, next: "end" }]),
      ),
    });
    const known = { ...KNOWN, calendars };
    const answering = hours ? { ...flow, hours: { desk: { ...AT, ...hours } } } : flow;
    assertEquals(brief(proceed(answering, arrive(flow), known).reply), [led, "hangup"]);
  });
}

Deno.test("members that take turns begin with another one each call, and each is rung once", () => {
  const members = ["+15875550111", "+15875550122", "+15875550133"];
  const flow = version({
    desk: { type: "ring", group: "desk", answered: "end", unanswered: "end" },
  }, { groups: { desk: { members, ring: "rotate" } } });
  const orders = ["1", "2", "3"].map((digit) => {
    const known = { ...KNOWN, callSid: `CA${digit.padStart(32, "0")}` };
    const order: string[] = [];
    let { reply } = proceed(flow, arrive(flow), known);
    for (let n = 0; n < 9 && reply[0]?.verb === "dial"; n++) {
      order.push(...reply[0].numbers);
      ({ reply } = proceed(flow, ringEnded(flow, stateOf(reply), false), known));
    }
    return order;
  });
  assertEquals(new Set(orders.map(([first]) => first)), new Set(members));
  for (const order of orders) assertEquals([...order].sort(), members);
});

Deno.test("the one who has been idle longest is rung first, and the others after it", () => {
  const members = ["+15875550111", "+15875550122", "+15875550133"];
  const flow = version({
    desk: { type: "ring", group: "desk", answered: "end", unanswered: "end" },
  }, { groups: { desk: { members, ring: "rotate" } } });
  const order: string[] = [];
  let { reply } = proceed(flow, arrive(flow), { ...KNOWN, longest_idle: members[1] });
  for (let n = 0; n < 9 && reply[0]?.verb === "dial"; n++) {
    order.push(...reply[0].numbers);
    const told = decodeState(new URLSearchParams(encodeState(stateOf(reply))));
    const known = { ...KNOWN, longest_idle: members[n] };
    ({ reply } = proceed(flow, ringEnded(flow, told, false), known));
  }
  assertEquals(order, [members[1], members[2], members[0]]);
});

Deno.test("a mode is told before the database is asked where every way agrees on it, else by what comes next", () => {
  const flow = (closed: string) =>
    version({
      menu: menu([{ key: "1", next: "hours" }]),
      hours: { type: "hours", calendar: "desk", open: "ring", closed },
      ring: { ...ring("+15875550111"), mode: "desk" },
      same: { type: "voicemail", prompt: "note", mode: "desk", next: "end" },
      other: { type: "voicemail", prompt: "note", mode: "night", next: "end" },
    });
  const choose = (version: Version) => {
    const asked = stateOf(proceed(version, arrive(version), KNOWN).reply);
    return hear(version, asked, { digits: "1" });
  };
  assertEquals(choose(flow("same")).state.choice, { mode: "desk", turn: 1 });
  assertEquals(choose(flow("other")).state.choice, undefined);
  const closed = { ...KNOWN, calendars: { desk: "closed" as const } };
  const { reply } = proceed(flow("other"), choose(flow("other")), closed);
  assertEquals(stateOf(reply.slice(1)).choice, { mode: "night", turn: 1 });
});

Deno.test("a ring that may be passed over, to another mode, tells none before it rings", () => {
  const flow = version({
    menu: menu([{ key: "1", next: "ring" }]),
    ring: { ...ring("+15875550111"), mode: "desk", unanswered: "note" },
    note: { type: "voicemail", prompt: "note", mode: "night", next: "end" },
  });
  const asked = stateOf(proceed(flow, arrive(flow), KNOWN).reply);
  const heard = hear(flow, asked, { digits: "1" });
  assertEquals(heard.state.choice, undefined);
  const barred = { ...KNOWN, mayDial: () => undefined };
  const modes = [KNOWN, barred].map((known) => proceed(flow, heard, known).state.choice?.mode);
  assertEquals(modes, ["desk", "night"]);
});

// --- whatever comes -----------------------------------------------------------------------------------------

const disclosed: fc.Arbitrary<Disclosed> = fc.record({
  policy: fc.constantFrom("opt_out" as const, "opt_in" as const),
  key: fc.constantFrom(..."0123456789"),
  language: fc.constantFrom("en-US", "fr-CA", "es-US", "pl-PL"),
  words: fc.constant("0".repeat(32)),
});
const told = (nodes: readonly string[]): fc.Arbitrary<CallState | undefined> =>
  fc.option(
    fc.record({
      turn: fc.nat(9999),
      attempt: fc.nat(9999),
      flow: fc.constantFrom(undefined, "0".repeat(32), "default-00000000"),
      node: fc.constantFrom(undefined, "__proto__", "constructor", "nowhere", ...nodes),
      language: fc.constantFrom(undefined, "en-US", "fr-CA", "tlh"),
      repeats: fc.option(fc.nat(9999), { nil: undefined }),
      disclosed: fc.option(disclosed, { nil: undefined }),
      choice: fc.option(fc.record({ mode: fc.constantFrom("sales", "x"), turn: fc.nat(9) }), {
        nil: undefined,
      }),
    }, { noNullPrototype: true }),
    { nil: undefined },
  );
const input: fc.Arbitrary<Input> = fc.oneof(
  fc.constant({}),
  fc.record({ digits: fc.string({ maxLength: 2 }) }),
  fc.record({ digits: fc.constantFrom(..."0123456789*#") }),
  fc.record({ speech: fc.oneof(fc.string(), fc.constantFrom("yes", "no", "sales", "oui", "non")) }),
);
const facts = fc.record({
  calendars: fc.constantFrom<Known["calendars"][]>(undefined, { day: "closed" }),
  returning: fc.constantFrom(undefined, true, false),
  consentGiven: fc.boolean(),
  mode: fc.constantFrom(undefined, "menu", "sales", "__proto__"),
  people: fc.constantFrom<Known["people"][]>(undefined, {}, {
    anna: { phone: "+15875550111", available: true },
  }),
  mayDial: fc.constantFrom(KNOWN.mayDial, () => undefined),
});

Deno.test("whatever a URL says and a caller does, the call is served, and recorded only with consent to what was told", () => {
  fc.assert(
    fc.property(
      flowDocument.chain((flow) =>
        fc.tuple(fc.constant(flow as Flow), told(Object.keys(flow.nodes)))
      ),
      input,
      facts,
      fc.boolean(),
      ([flow, state], said, given, isAnswered) => {
        const version = { name: "0".repeat(32), flow };
        const known = { ...KNOWN, ...given };
        for (
          const heard of [
            arrive(version),
            hear(version, state, said),
            hearKey(version, state, said),
            ringEnded(version, state, isAnswered),
            messageTaken(version, state, "unsure"),
            reroute(version, hear(version, state, said).state, known.mode),
          ]
        ) {
          const { reply } = proceed(version, heard, known);
          const verbs = parseTwiml(renderTwiml(reply, "https://x.example/functions/v1"));
          const last = verbs.at(-1)?.name;
          assert(["Hangup", "Redirect", "Dial"].includes(last!), `ends by ${last}`);
          for (const each of reply) {
            if (each.verb === "dial" && each.record) {
              assert(given.consentGiven && each.action.state.disclosed !== undefined);
            }
            if ("action" in each) {
              const query = new URLSearchParams(encodeState(each.action.state)).toString();
              assert(query.length < 600, query);
            }
          }
        }
      },
    ),
    { numRuns: cases(400) },
  );
});
