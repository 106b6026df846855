import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import fc from "fast-check";
import type { Instruction, Prompt, Reply } from "../../supabase/functions/_shared/calls/reply.ts";
import type { Dialable } from "../../supabase/functions/_shared/destinations.ts";
import { renderTwiml } from "../../supabase/functions/_shared/twilio/twiml.ts";
import { parseTwiml } from "../support/webhook.ts";

const BASE = "https://x.example/f";
const STATE = { turn: 1, attempt: 1 };
const SPEECH = { language: "en-US", voice: "Polly.Joanna" };
const say = (text: string, speech: { language: string; voice: string | undefined } = SPEECH) =>
  ({ verb: "say", text, ...speech }) as const;
const render = (...reply: Reply) => renderTwiml(reply, BASE);
const document = (verbs: string) =>
  `<?xml version="1.0" encoding="UTF-8"?><Response>${verbs}</Response>`;

const STEP = "#rc=2&amp;rp=5xx,ct,rt&amp;ct=2000&amp;rt=6500";
const CALLBACK = "#rc=4&amp;rp=5xx,ct,rt";
const QUERY = "turn=1&amp;attempt=1";

const dial = (record: boolean): Instruction & { verb: "dial" } => ({
  verb: "dial",
  numbers: ["+15875550111" as Dialable],
  seconds: 20,
  callerId: undefined,
  timeLimit: 3600,
  record,
  action: { to: "voice-route-action", state: STATE },
  statusCallback: { to: "voice-status", state: STATE },
  recordingCallback: { to: "voice-status", state: STATE },
});

const gather = (...prompts: readonly Prompt[]): Instruction & { verb: "gather" } => ({
  verb: "gather",
  prompts,
  language: "en-US",
  seconds: 5,
  hints: ["sales", "don't record"],
  poundIsKey: false,
  action: { to: "voice-menu-handler", state: STATE },
});

const record: Instruction & { verb: "record" } = {
  verb: "record",
  maxSec: 120,
  silenceSec: 5,
  transcribe: true,
  action: { to: "voice-voicemail", state: STATE, event: "recorded" },
  recordingCallback: { to: "voice-voicemail", state: STATE, event: "recording" },
  transcriptionCallback: { to: "voice-voicemail", state: STATE, event: "transcription" },
};

Deno.test("nothing to do is an empty response", () => {
  assertEquals(render(), '<?xml version="1.0" encoding="UTF-8"?><Response/>');
});

Deno.test("say speaks in its language, with its voice", () => {
  assertEquals(
    render(say("Hello.")),
    document('<Say voice="Polly.Joanna" language="en-US">Hello.</Say>'),
  );
  assertEquals(
    render(say("Bonjour.", { language: "fr-CA", voice: undefined })),
    document('<Say language="fr-CA">Bonjour.</Say>'),
  );
});

Deno.test("without a voice any English is Twilio's own, while the caller is still understood", () => {
  const speech = { language: "en-ZA", voice: undefined };
  const text = render({ ...gather(say("Choose.", speech)), language: "en-ZA" });
  assertStringIncludes(text, '<Say language="en-US">Choose.</Say>');
  assertStringIncludes(text, ' language="en-ZA" action=');
});

Deno.test("gather listens for one key or for words, and posts them", () => {
  assertEquals(
    render(gather(say("Choose."))),
    document(
      '<Gather input="dtmf speech" numDigits="1" timeout="5" speechTimeout="2" ' +
        `hints="sales,don't record" ` +
        `language="en-US" action="${BASE}/voice-menu-handler?${QUERY}${STEP}" method="POST">` +
        '<Say voice="Polly.Joanna" language="en-US">Choose.</Say></Gather>',
    ),
  );
});

Deno.test("a gather that expects nothing particular gives no hints, as empty ones are a warning of Twilio's", () => {
  const [verb] = parseTwiml(render({ ...gather(), hints: [] }));
  assertEquals(verb?.attributes["hints"], undefined);
  assertEquals(verb?.attributes["input"], "dtmf speech");
});

Deno.test("recorded prompts are played, also while it listens", () => {
  const play = { verb: "play", url: "https://x.example/a?b&c" } as const;
  assertEquals(render(play), document("<Play>https://x.example/a?b&amp;c</Play>"));
  const [verb] = parseTwiml(render(gather(play, say("Choose."))));
  assertEquals(verb?.children.map(({ name }) => name), ["Play", "Say"]);
});

Deno.test("where # is a key to choose by, it ends nothing", () => {
  const [verb] = parseTwiml(render({ ...gather(), poundIsKey: true }));
  assertEquals(verb?.attributes["finishOnKey"], "");
});

Deno.test("redirect posts to the next step", () => {
  assertEquals(
    render({ verb: "redirect", to: { to: "voice-route", state: STATE } }),
    document(`<Redirect method="POST">${BASE}/voice-route?${QUERY}${STEP}</Redirect>`),
  );
});

Deno.test("a dial that may not record says nothing of recording", () => {
  assertEquals(
    render(dial(false)),
    document(
      `<Dial action="${BASE}/voice-route-action?${QUERY}${STEP}" method="POST" timeout="20" timeLimit="3600">` +
        `<Number statusCallback="${BASE}/voice-status?${QUERY}${CALLBACK}" statusCallbackMethod="POST" ` +
        'statusCallbackEvent="initiated ringing answered completed">+15875550111</Number></Dial>',
    ),
  );
});

Deno.test("a dial that may record does so from the answer, each side on its own channel", () => {
  assertEquals(
    render(dial(true)),
    document(
      `<Dial action="${BASE}/voice-route-action?${QUERY}${STEP}" method="POST" timeout="20" timeLimit="3600" ` +
        'record="record-from-answer-dual" ' +
        `recordingStatusCallback="${BASE}/voice-status?${QUERY}${CALLBACK}" ` +
        'recordingStatusCallbackMethod="POST" recordingStatusCallbackEvent="completed absent">' +
        `<Number statusCallback="${BASE}/voice-status?${QUERY}${CALLBACK}" statusCallbackMethod="POST" ` +
        'statusCallbackEvent="initiated ringing answered completed">+15875550111</Number></Dial>',
    ),
  );
});

Deno.test("while a person is asked to accept, the caller hears it ring", () => {
  const screen = { to: "voice-route", state: STATE, event: "ask", call: "CA1" } as const;
  const [verb] = parseTwiml(render({ ...dial(false), screen }));
  assertEquals(verb?.attributes["answerOnBridge"], "true");
  assertEquals(verb?.children[0]?.attributes["method"], "POST");
  assertEquals(parseTwiml(render(dial(false)))[0]?.attributes["answerOnBridge"], undefined);
});

Deno.test("several people are rung at once", () => {
  const [verb] = parseTwiml(
    render({ ...dial(false), numbers: ["+15875550111", "+15875550122"] as Dialable[] }),
  );
  assertEquals(verb?.children.map(({ text }) => text), ["+15875550111", "+15875550122"]);
});

Deno.test("record takes a message that Twilio transcribes, and reports both", () => {
  const url = (event: string) => `${BASE}/voice-voicemail?event=${event}&amp;${QUERY}`;
  assertEquals(
    render(record),
    document(
      `<Record action="${url("recorded")}${STEP}" method="POST" maxLength="120" timeout="5" ` +
        'finishOnKey="#" playBeep="true" ' +
        `recordingStatusCallback="${url("recording")}${CALLBACK}" ` +
        'recordingStatusCallbackMethod="POST" recordingStatusCallbackEvent="completed absent" ' +
        `transcribe="true" transcribeCallback="${url("transcription")}${CALLBACK}"/>`,
    ),
  );
});

Deno.test("a message in a language that Twilio does not transcribe is recorded all the same", () => {
  const [verb] = parseTwiml(render({ ...record, transcribe: false }));
  assertEquals(verb?.name, "Record");
  assertEquals(verb?.attributes["transcribe"], undefined);
  assertEquals(verb?.attributes["transcribeCallback"], undefined);
  assertStringIncludes(verb?.attributes["recordingStatusCallback"] ?? "", "event=recording");
});

Deno.test("hangup ends the call", () => {
  assertEquals(render({ verb: "hangup" }), document("<Hangup/>"));
});

Deno.test("instructions are written in their order", () => {
  assertEquals(
    render(say("One."), say("Two."), { verb: "hangup" }),
    document(
      '<Say voice="Polly.Joanna" language="en-US">One.</Say>' +
        '<Say voice="Polly.Joanna" language="en-US">Two.</Say><Hangup/>',
    ),
  );
});

Deno.test("markup in a company's words is spoken, not obeyed", () => {
  const text = `</Say><Dial>+19005550100</Dial><Say>Fish & Chips <break time="9s"/> ]]> "'`;
  const verbs = parseTwiml(render(say(text)));
  assertEquals(verbs.map(({ name }) => name), ["Say"]);
  assertEquals(verbs[0]?.text, text);
  assertEquals(verbs[0]?.children, []);
});

Deno.test("no words change what a reply does", () => {
  const words = fc.string({ unit: fc.constantFrom(..."<>&\"'/ aé中🎉]!-?".match(/./gu)!) });
  fc.assert(fc.property(words, words, words, (greeting, prompt, hint) => {
    const verbs = parseTwiml(render(say(greeting), { ...gather(say(prompt)), hints: [hint] }));
    assertEquals(verbs.map(({ name }) => name), ["Say", "Gather"]);
    assertEquals(verbs[0]?.text, greeting);
    assertEquals(verbs[1]?.children.map(({ name, text }) => [name, text]), [["Say", prompt]]);
    assertEquals(verbs[1]?.attributes["hints"], hint);
  }));
});
