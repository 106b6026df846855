import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import { redact } from "../../supabase/functions/_shared/agent/redact.ts";
import {
  handoffData,
  readFrame,
  readHandoff,
  sessionEnd,
} from "../../supabase/functions/_shared/agent/relay.ts";
import { speakable, takeClauses } from "../../supabase/functions/_shared/agent/speech.ts";

const SID = `CA${"0".repeat(31)}1`;

Deno.test("each frame of ConversationRelay is read, by what its pages and its wire say", () => {
  const setup = {
    type: "setup",
    sessionId: `VX${"0".repeat(32)}`,
    callSid: SID,
    accountSid: `AC${"0".repeat(32)}`,
    from: "+15875550101",
    to: "+15877428885",
    direction: "inbound",
    callStatus: "RINGING",
    customParameters: { a: "b" },
  };
  const { callStatus: _, customParameters: __, ...read } = setup;
  assertEquals(readFrame(JSON.stringify(setup)), read as ReturnType<typeof readFrame>);
  const frames = [
    { type: "prompt", voicePrompt: "Hello", lang: "en-US", last: true },
    { type: "dtmf", digit: "#" },
    { type: "interrupt", utteranceUntilInterrupt: "We", durationUntilInterruptMs: 460 },
    { type: "interrupt", utteranceUntilInterrupt: "We", durationUntilInterruptMs: "460" },
    { type: "error", description: "Invalid message" },
    { type: "info", name: "agentSpeaking", value: "on" },
  ];
  for (const frame of frames) assertEquals<unknown>(readFrame(JSON.stringify(frame)), frame);
});

for (
  const [what, text] of [
    ["no JSON", "{"],
    ["no object", "7"],
    ["an unknown type", '{"type":"configUpdated"}'],
    ["two keys in one", '{"type":"dtmf","digit":"12"}'],
    ["no words", '{"type":"prompt"}'],
    ["too long", JSON.stringify({ type: "prompt", voicePrompt: "a".repeat(64_001) })],
  ] as const
) Deno.test(`a frame is left out: ${what}`, () => assertEquals(readFrame(text), undefined));

Deno.test("any text is a frame or none, and throws nothing", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
    readFrame(text);
    readHandoff(text);
  }));
});

Deno.test("what a session hands over comes back as it was", () => {
  const leaving = { outcome: "departments.sales", reason: "agent_transferred" };
  assertEquals(readHandoff(handoffData(leaving)), leaving);
  for (
    const text of [
      undefined,
      "",
      "{}",
      '{"outcome":"+19005550100","reason":"x"}',
      '{"outcome":"departments.__proto__","reason":"x"}',
      '{"outcome":"done","reason":"X y"}',
    ]
  ) assertEquals(readHandoff(text), undefined);
});

const LEFT = handoffData({ outcome: "message", reason: "caller_silent" });
for (
  const [what, fields, kind] of [
    ["our end", { SessionStatus: "ended", HandoffData: LEFT, CallStatus: "in-progress" }, "left"],
    [
      "a lost socket",
      { SessionStatus: "failed", ErrorCode: "64105", CallStatus: "in-progress" },
      "dropped",
    ],
    ["a socket lost as the caller hung up", {
      SessionStatus: "failed",
      ErrorCode: "64105",
      CallStatus: "completed",
    }, "hung_up"],
    ["a caller who hung up", { SessionStatus: "completed", CallStatus: "completed" }, "hung_up"],
    ["a socket that never opened", {
      SessionStatus: "failed",
      ErrorCode: "64102",
      CallStatus: "in-progress",
    }, "failed"],
    ["nothing", {}, "failed"],
    [
      "an end that the call outlived",
      { SessionStatus: "completed", CallStatus: "in-progress" },
      "left",
    ],
  ] as const
) {
  Deno.test(`the end of a session is read: ${what}`, () =>
    assertEquals(sessionEnd(fields).kind, kind));
}

Deno.test("card and identity numbers are replaced, telephone numbers and prices stay", () => {
  for (
    const [text, left] of [
      ["4111 1111 1111 1111", "[card number]"],
      ["it is 4111-1111-1111-1111 and 12/27", "it is [card number] and 12/27"],
      ["3782 822463 10005", "[card number]"],
      ["046 454 286", "[identity number]"],
      ["078-05-1120", "[identity number]"],
      ["quatre un un un un un un un un un un un un un un un", "[card number]"],
      [
        "forty-one eleven eleven eleven eleven eleven eleven eleven, thanks",
        "[card number], thanks",
      ],
      ["fifty five double five 5555 5555 forty four forty four", "[card number]"],
      ["quarante et un onze onze onze onze onze onze onze", "[card number]"],
      ["cuarenta y uno once once once once once once once", "[card number]"],
      [
        "quatre-vingt-douze euros et soixante-quinze",
        "quatre-vingt-douze euros et soixante-quinze",
      ],
      ["one hundred thousand five hundred dollars", "one hundred thousand five hundred dollars"],
      ["We open at nine and close at twenty thirty", "We open at nine and close at twenty thirty"],
      ["+1 403 555 0101", "+1 403 555 0101"],
      ["403-555-0101 at 9:30", "403-555-0101 at 9:30"],
      ["It costs 1,250.00", "It costs 1,250.00"],
    ] as const
  ) assertEquals(redact(text), left);
});

Deno.test("clauses joined are the text, whatever its parts", () => {
  fc.assert(fc.property(fc.string({ maxLength: 400 }), (text) => {
    const { clauses, rest } = takeClauses(text);
    assertEquals(clauses.join("") + rest, text);
  }));
});

Deno.test("nothing that may be spoken has markup, whatever was written", () => {
  fc.assert(fc.property(fc.string({ maxLength: 200, unit: "grapheme" }), (text) => {
    assertEquals(/[<>*_`#{}|\p{Cc}]/u.test(speakable(text)), false);
  }));
});

Deno.test("clauses end at sentences, long commas and line ends, not within tags, links, numbers or titles", () => {
  for (
    const [text, clauses] of [
      ["Yes. No", ["Yes."]],
      ["Dr. Smith is in. He", ["Dr. Smith is in."]],
      ["It is 3.50 today. So", ["It is 3.50 today."]],
      ["Well, yes", []],
      ['A <break time="1. 5s"/> both. C', ['A <break time="1. 5s"/> both.']],
      ["We have very many things here, and more", ["We have very many things here,"]],
    ] as const
  ) assertEquals(takeClauses(text).clauses, [...clauses]);
});
