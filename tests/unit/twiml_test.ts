import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import fc from "fast-check";
import { defaultProfile } from "../../supabase/functions/_shared/calls/profile.ts";
import type { Instruction, Reply } from "../../supabase/functions/_shared/calls/reply.ts";
import { menu, say } from "../../supabase/functions/_shared/calls/reply.ts";
import type { Dialable } from "../../supabase/functions/_shared/destinations.ts";
import { renderTwiml } from "../../supabase/functions/_shared/twilio/twiml.ts";
import { parseTwiml, testSettings } from "../support/webhook.ts";

const BASE = "https://x.example/f";
const STATE = { turn: 1, attempt: 1 };
const profile = defaultProfile(testSettings());
const render = (...reply: Reply) => renderTwiml(reply, profile, BASE);
const document = (verbs: string) =>
  `<?xml version="1.0" encoding="UTF-8"?><Response>${verbs}</Response>`;

const STEP = "#rc=2&amp;rp=5xx,ct,rt&amp;ct=2000&amp;rt=6500";
const CALLBACK = "#rc=4&amp;rp=5xx,ct,rt";
const QUERY = "turn=1&amp;attempt=1";

const dial = (record: boolean): Instruction => ({
  verb: "dial",
  number: "+15875550111" as Dialable,
  callerId: undefined,
  timeLimit: 3600,
  record,
  action: { to: "voice-route-action", state: STATE },
  statusCallback: { to: "voice-status", state: STATE },
  recordingCallback: { to: "voice-status", state: STATE },
});

const record: Instruction = {
  verb: "record",
  action: { to: "voice-voicemail", state: STATE, event: "recorded" },
  recordingCallback: { to: "voice-voicemail", state: STATE, event: "recording" },
  transcriptionCallback: { to: "voice-voicemail", state: STATE, event: "transcription" },
};

Deno.test("nothing to do is an empty response", () => {
  assertEquals(render(), '<?xml version="1.0" encoding="UTF-8"?><Response/>');
});

Deno.test("say speaks with the profile's voice, in its language", () => {
  assertEquals(
    render({ verb: "say", text: "Hello." }),
    document('<Say voice="Polly.Joanna" language="en-US">Hello.</Say>'),
  );
});

Deno.test("without a voice Twilio's own is left its own language, while the line still listens in its own", () => {
  const line = { ...profile, language: "en-ZA", voice: undefined };
  const reply: Reply = [{
    verb: "gather",
    prompt: "Choose.",
    action: { to: "voice-menu-handler", state: STATE },
  }];
  const text = renderTwiml(reply, line, BASE);
  assertStringIncludes(text, '<Say language="en-US">Choose.</Say>');
  assertStringIncludes(text, ' language="en-ZA" action=');
});

Deno.test("gather listens for one key or for words, and posts them", () => {
  assertEquals(
    render({
      verb: "gather",
      prompt: "Choose.",
      action: { to: "voice-menu-handler", state: STATE },
    }),
    document(
      '<Gather input="dtmf speech" numDigits="1" timeout="5" speechTimeout="2" ' +
        `hints="sales,support,leave a message,voicemail,no recording,don't record,yes record,I agree" ` +
        `language="en-US" action="${BASE}/voice-menu-handler?${QUERY}${STEP}" method="POST">` +
        '<Say voice="Polly.Joanna" language="en-US">Choose.</Say></Gather>',
    ),
  );
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
  const [verb] = parseTwiml(renderTwiml([record], { ...profile, language: "fr-CA" }, BASE));
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
    render(...say("One.", "", "Two."), { verb: "hangup" }),
    document(
      '<Say voice="Polly.Joanna" language="en-US">One.</Say>' +
        '<Say voice="Polly.Joanna" language="en-US">Two.</Say><Hangup/>',
    ),
  );
});

Deno.test("markup in a company's words is spoken, not obeyed", () => {
  const text = `</Say><Dial>+19005550100</Dial><Say>Fish & Chips <break time="9s"/> ]]> "'`;
  const verbs = parseTwiml(render({ verb: "say", text }));
  assertEquals(verbs.map(({ name }) => name), ["Say"]);
  assertEquals(verbs[0]?.text, text);
  assertEquals(verbs[0]?.children, []);
});

Deno.test("no words of a profile change what a reply does", () => {
  const words = fc.string({ unit: fc.constantFrom(..."<>&\"'/ aé中🎉]!-?".match(/./gu)!) });
  fc.assert(fc.property(words, words, words, (greeting, prompt, hint) => {
    const line = {
      ...profile,
      menu: { ...profile.menu, repeatPrompt: prompt, hints: [hint] },
    };
    const verbs = parseTwiml(
      renderTwiml(
        [{ verb: "say", text: greeting }, ...menu(line, STATE, "voice-route")],
        line,
        BASE,
      ),
    );
    assertEquals(verbs.map(({ name }) => name), ["Say", "Gather", "Redirect"]);
    assertEquals(verbs[0]?.text, greeting);
    assertEquals(verbs[1]?.children.map(({ name }) => name), ["Say"]);
    assertEquals(verbs[1]?.children[0]?.text.endsWith(prompt), true);
    assertEquals(verbs[1]?.attributes["hints"], hint);
  }));
});
