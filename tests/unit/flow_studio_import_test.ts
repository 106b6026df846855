import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertThrows } from "@std/assert/throws.js";
import fc from "fast-check";
import { checkFlow } from "../../supabase/functions/_shared/flows/check.ts";
import { importStudio } from "../../supabase/functions/_shared/flows/studio_import.ts";
import { cases } from "../support/cases.ts";
import { type Draft, FACTS, soundFlow } from "../support/flows.ts";

// Flows as Studio exports them. Written after https://www.twilio.com/docs/studio/rest-api/v2/flow-definition.

const ZONE = "America/Edmonton";

function widget(
  name: string,
  type: string,
  properties: Record<string, unknown>,
  transitions: Record<string, string | undefined>,
) {
  return {
    name,
    type,
    properties: { offset: { x: 0, y: 0 }, ...properties },
    transitions: Object.entries(transitions).map(([event, next]) => ({
      event,
      ...(next !== undefined && { next }),
    })),
  };
}

/** A split; each match is by a condition's type and value. */
function split(
  name: string,
  input: string,
  noMatch: string | undefined,
  matches: [type: string, value: string, next: string][],
) {
  const { transitions, ...rest } = widget(name, "split-based-on", { input }, { noMatch });
  return {
    ...rest,
    transitions: [
      ...transitions,
      ...matches.map(([type, value, next]) => ({
        event: "match",
        next,
        conditions: [{
          friendly_name: `If value ${type} ${value}`,
          arguments: [input],
          type,
          value,
        }],
      })),
    ],
  };
}

function flow(...states: unknown[]) {
  return {
    description: "IVR",
    states,
    initial_state: "Trigger",
    flags: { allow_concurrent_calls: true },
  };
}

const trigger = (next?: string) =>
  widget("Trigger", "trigger", {}, {
    incomingMessage: undefined,
    incomingCall: next,
    incomingConversationMessage: undefined,
    incomingRequest: undefined,
    incomingParent: undefined,
  });
const gather = (name: string, properties: object, transitions: object) =>
  widget(name, "gather-input-on-call", {
    voice: "Polly.Joanna",
    language: "en-US",
    speech_timeout: "auto",
    loop: 1,
    finish_on_key: "#",
    stop_gather: true,
    gather_language: "en",
    profanity_filter: "true",
    timeout: 5,
    ...properties,
  }, { keypress: undefined, speech: undefined, timeout: undefined, ...transitions });
const say = (name: string, words: string, next?: string) =>
  widget(name, "say-play", { say: words, loop: 1, voice: "Polly.Joanna", language: "en-US" }, {
    audioComplete: next,
  });
const connect = (name: string, properties: object, next?: string) =>
  widget(name, "connect-call-to", {
    caller_id: "{{contact.channel.address}}",
    noun: "number",
    timeout: 25,
    ...properties,
  }, { callCompleted: next, hangup: undefined });
const record = (name: string, next?: string, properties: object = {}) =>
  widget(name, "record-voicemail", {
    transcribe: true,
    trim: "trim-silence",
    play_beep: "true",
    finish_on_key: "#",
    timeout: 5,
    max_length: 120,
    ...properties,
  }, { recordingComplete: next, noAudio: undefined, hangup: undefined });

const CLINIC = flow(
  trigger("Welcome"),
  say("Welcome", "Thank you for calling the clinic.", "Main Menu"),
  gather("Main Menu", { say: "For sales, press 1. For support, press 2 or say support." }, {
    keypress: "Main Split",
    speech: "Speech Split",
    timeout: "Ask Message",
  }),
  split("Main Split", "{{widgets.Main Menu.Digits}}", "Not Valid", [
    ["equal_to", "1", "Dial Sales"],
    ["matches_any_of", "2, 9", "Dial Support"],
  ]),
  split("Speech Split", "{{widgets.Main Menu.SpeechResult}}", "Main Menu", [
    ["contains", "support", "Dial Support"],
  ]),
  say("Not Valid", "Sorry, that is not valid.", "Main Menu"),
  connect("Dial Sales", { to: "+14035550101" }, "Sales Status"),
  split("Sales Status", "{{widgets.Dial Sales.DialCallStatus}}", "Ask Message", [
    ["equal_to", "completed", "Bye"],
  ]),
  connect("Dial Support", { noun: "number-multi", to: "+14035550102,+14035550103" }, "Ask Message"),
  say("Ask Message", "Please leave a message after the tone.", "Take Message"),
  record("Take Message", "Bye"),
  say("Bye", "Goodbye."),
);

Deno.test("words, a menu by keys and speech, telephones and a voicemail come over as they are", () => {
  const { definition, reported } = importStudio(CLINIC, ZONE);
  const { flow, warnings } = soundFlow(definition);
  assertEquals(flow.nodes, {
    welcome: { type: "say", prompt: "welcome", next: "main_menu" },
    main_menu: {
      type: "menu",
      prompt: "main_menu",
      options: [
        { key: "1", next: "dial_sales" },
        { key: "2", next: "dial_support" },
        { key: "9", next: "dial_support" },
        { words: ["support"], next: "dial_support" },
      ],
      tries: 3,
      otherwise: "ask_message",
    },
    dial_sales: {
      type: "ring",
      group: "dial_sales",
      answered: "bye",
      unanswered: "ask_message",
    },
    dial_support: {
      type: "ring",
      group: "dial_support",
      answered: "ask_message",
      unanswered: "ask_message",
    },
    ask_message: { type: "voicemail", prompt: "ask_message", next: "bye" },
    bye: { type: "say", prompt: "bye", next: "end_of_call" },
    end_of_call: { type: "end" },
  });
  assertEquals(flow.groups?.dial_support, {
    members: ["+14035550102", "+14035550103"],
    seconds: 25,
  });
  assertEquals(flow.prompts.bye, { "en-US": "Goodbye." });
  assertEquals(flow.voices, { "en-US": "Polly.Joanna" });
  assertEquals(reported.map(({ path }) => path).sort(), ["Dial Support", "Main Menu", "Not Valid"]);
  assert(warnings.some(({ path }) => path === "nodes"), "people are rung at night");
});

/** What is reported of a widget behind the trigger, and the faults that keep the flow from being published. */
function reportOf(...states: Draft[]) {
  const { definition, reported } = importStudio(
    flow(trigger(states[0]!.name), ...states, say("Bye", "Goodbye.")),
    ZONE,
  );
  const checked = checkFlow(definition, FACTS);
  return { messages: reported.map(({ message }) => message).join("; "), isSound: checked.ok };
}

const say1 = "Press 1.";
const oneKey = split("S", "{{widgets.M.Digits}}", "M", [["equal_to", "1", "Bye"]]);

/** What has no equal: reported, and never published by mistake. */
const REFUSED: readonly [what: string, states: Draft[], told: string][] = [
  [
    "a function",
    [widget("F", "run-function", { url: "https://a" }, { success: "Bye" })],
    "run-function",
  ],
  [
    "an HTTP request",
    [widget("H", "make-http-request", {}, { success: "Bye" })],
    "make-http-request",
  ],
  ["a split by a variable", [
    split("S", "{{flow.variables.vip}}", "Bye", [["equal_to", "1", "Bye"]]),
  ], "flow.variables.vip"],
  [
    "words that differ by call",
    [say("W", "Hello {{trigger.call.From}}", "Bye")],
    "something else in each call",
  ],
  ["audio by its address", [
    widget("W", "say-play", { play: "https://a.example/x.mp3" }, { audioComplete: "Bye" }),
  ], "plays https://a.example/x.mp3"],
  ["a number of many digits", [
    gather("M", { say: say1, number_of_digits: 16 }, { keypress: "Bye" }),
  ], "takes 16 digits"],
  ["a choice by a pattern", [
    gather("M", { say: say1 }, { keypress: "S" }),
    split("S", "{{widgets.M.Digits}}", "M", [["regex", "[1-5]", "Bye"]]),
  ], "compares by regex"],
  ["a choice by several keys", [
    gather("M", { say: say1 }, { keypress: "S" }),
    split("S", "{{widgets.M.Digits}}", "M", [["equal_to", "12", "Bye"]]),
  ], 'waits for "12"'],
  ["a client", [connect("C", { noun: "client", to: "anna" }, "Bye")], "connects to a client"],
  [
    "a number from a variable",
    [connect("C", { to: "{{flow.variables.agent}}" }, "Bye")],
    "same way",
  ],
  ["a recording without words", [record("V", "Bye")], "says nothing"],
];

for (const [what, states, told] of REFUSED) {
  Deno.test(`${what} is reported, and the flow is not sound before somebody has seen to it`, () => {
    const { messages, isSound } = reportOf(...states);
    assert(messages.includes(told), messages);
    assertEquals(isSound, false);
  });
}

/** What is nearly the same: reported, and sound. */
const CHANGED: readonly [what: string, states: Draft[], told: string][] = [
  [
    "a menu without an end",
    [gather("M", { say: say1 }, { keypress: "S", timeout: "M" }), oneKey],
    "3 times at most",
  ],
  ["two ways out of a menu", [
    gather("M", { say: say1 }, { keypress: "S", timeout: "Late" }),
    split("S", "{{widgets.M.Digits}}", "Wrong", [["equal_to", "1", "Bye"]]),
    say("Late", "Too late."),
    say("Wrong", "Wrong."),
  ], "not Wrong"],
  [
    "a long message",
    [say("W", "Speak.", "V"), record("V", "Bye", { max_length: 3600 })],
    "120 seconds at most instead of 3600",
  ],
  ["a message that was none", [
    say("W", "Speak.", "V"),
    {
      ...record("V", "Bye"),
      transitions: [{ event: "noAudio", next: "W" }, { event: "recordingComplete", next: "Bye" }],
    },
  ], "on noAudio too, instead of W"],
  ["a recorded call", [connect("C", { to: "+14035550101", record: true }, "Bye")], "consent node"],
  ["words said twice", [
    widget("W", "say-play", { say: "Hello.", loop: 2 }, { audioComplete: "Bye" }),
  ], "said once"],
  ["another voice", [
    widget("W", "say-play", { say: "Hello.", voice: "alice" }, { audioComplete: "Bye" }),
  ], "voice alice"],
  [
    "a text message's part",
    [say("W", "Hello.", "Bye"), widget("T", "send-message", {}, {})],
    "no incoming call comes to this send-message",
  ],
];

for (const [what, states, told] of CHANGED) {
  Deno.test(`${what} is told, and can be published as it is`, () => {
    const { messages, isSound } = reportOf(...states);
    assert(messages.includes(told), messages);
    assertEquals(isSound, true);
  });
}

Deno.test("a telephone rings as long as in Studio, by a number that may lack its plus", () => {
  const { definition } = importStudio(
    flow(trigger("C"), connect("C", { to: "1 (403) 555-0101", timeout: undefined })),
    ZONE,
  );
  assertEquals(soundFlow(definition).flow.groups?.c, { members: ["+14035550101"], seconds: 30 });
});

Deno.test("a split by the caller's number becomes a match", () => {
  const { definition } = importStudio(
    flow(
      trigger("Who"),
      split("Who", "{{trigger.call.From}}", "Bye", [
        ["equal_to", "+14035550190", "Vip"],
        ["starts_with", "+1780", "Vip"],
      ]),
      say("Vip", "Hello again.", "Bye"),
      say("Bye", "Goodbye."),
    ),
    ZONE,
  );
  assertEquals(soundFlow(definition).flow.nodes.who, {
    type: "match",
    on: "caller",
    cases: [{ in: ["+14035550190"], next: "vip" }, { in: ["+1780*"], next: "vip" }],
    otherwise: "bye",
  });
});

const enqueue = (type: string, properties: Record<string, unknown>) => {
  const transitions = { callComplete: "Bye", failedToEnqueue: "Busy", callFailure: "Busy" };
  return flow(
    trigger("Hold"),
    widget("Hold", type, properties, transitions),
    say("Bye", "Goodbye."),
    say("Busy", "Nobody is free."),
  );
};

for (
  const [type, properties, told, seconds] of [
    ["enqueue-call", { queue_name: "Front desk", timeout: 120 }, /the queue "Front desk"/, 120],
    [
      "enqueue-call",
      { workflow_sid: "WW1", wait_url: "https://x.example/m.mp3" },
      /own music/,
      600,
    ],
    ["send-to-flex", { workflow: "WW1", channel: "TC1", waitUrl: "" }, /agents of Flex/, 600],
  ] as const
) {
  Deno.test(`a ${type} with ${JSON.stringify(properties)} becomes a queue, whose people are to be named`, () => {
    const { definition, reported } = importStudio(enqueue(type, properties), ZONE);
    // deno-lint-ignore no-explicit-any
    const { nodes, groups } = definition as any;
    assertEquals(nodes.hold, {
      type: "queue",
      group: "hold",
      max_seconds: seconds,
      answered: "bye",
      gave_up: "busy",
      full: "busy",
    });
    assert(reported.some(({ message }) => told.test(message)), JSON.stringify(reported));
    assert(reported.some(({ message }) => message.includes("name them in groups.hold")));
    assert(!checkFlow(definition, FACTS).ok, "a group without members is not published");
    groups.hold.members = ["+15875550101"];
    assert(checkFlow(definition, FACTS).ok);
  });
}

Deno.test("widgets whose names are alike, foreign, or JavaScript's become different nodes", () => {
  const names = [
    "Say Hello",
    "say_hello",
    "1. Menü",
    "constructor",
    "___",
    "x".repeat(40),
    "end of call",
  ];
  const { definition } = importStudio(
    flow(trigger(names[0]), ...names.map((name, at) => say(name, "Hello.", names[at + 1]))),
    ZONE,
  );
  assertEquals(Object.keys(soundFlow(definition).flow.nodes).length, names.length + 1);
});

Deno.test("what is no flow of Studio's, or takes no calls, is refused with the reason", () => {
  for (
    const [document, told] of [[{}, "JSON of a Studio flow"], [
      flow(trigger()),
      "incomingCall",
    ]] as const
  ) {
    assertThrows(() => importStudio(document, ZONE), RangeError, told);
  }
});

Deno.test("a document of any shape is imported or refused, never a failure of ours", () => {
  const paths: string[][] = [];
  const collect = (value: Draft, path: string[]) => {
    if (path.length > 0) paths.push(path);
    if (typeof value === "object" && value !== null) {
      for (const key of Object.keys(value)) collect(value[key], [...path, key]);
    }
  };
  collect(CLINIC, []);
  fc.assert(
    fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 2 }), (path, value) => {
      const document: Draft = structuredClone(CLINIC);
      let at = document;
      for (const key of path.slice(0, -1)) at = at[key];
      at[path.at(-1)!] = value;
      try {
        checkFlow(importStudio(document, ZONE).definition, FACTS);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }),
    { numRuns: cases(500) },
  );
});
