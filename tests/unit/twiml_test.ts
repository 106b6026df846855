import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import fc from "fast-check";
import { askForKey1, lastWord } from "../../supabase/functions/_shared/calls/person.ts";
import {
  type Instruction,
  plainly,
  type Prompt,
  type Reply,
  RINGING_SEC,
} from "../../supabase/functions/_shared/calls/reply.ts";
import { phrase } from "../../supabase/functions/_shared/calls/words/mod.ts";
import type { Dialable } from "../../supabase/functions/_shared/destinations.ts";
import { type Flow, whatFor } from "../../supabase/functions/_shared/flows/language.ts";
import { readPromptAudio } from "../../supabase/functions/_shared/flows/prompt_audio.ts";
import { ringingTone } from "../../supabase/functions/_shared/twilio/ringing.ts";
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

Deno.test("a ringing tone is one file of ours, as often as it takes", () => {
  assertEquals(
    render({ verb: "ringing", times: 3 }),
    document(`<Play loop="3">${BASE}/voice-queue?event=ringing</Play>`),
  );
  const { seconds, type } = readPromptAudio(ringingTone());
  assertEquals([seconds, type], [RINGING_SEC, "audio/wav"]);
});

Deno.test("a caller holds in a queue, with what they hear meanwhile and where they go on", () => {
  assertEquals(
    render({
      verb: "enqueue",
      queue: "desk",
      wait: { to: "voice-queue", state: STATE, event: "wait" },
      action: { to: "voice-queue", state: STATE, event: "left" },
    }),
    document(
      `<Enqueue waitUrl="${BASE}/voice-queue?event=wait&amp;${QUERY}${STEP}" waitUrlMethod="POST" ` +
        `action="${BASE}/voice-queue?event=left&amp;${QUERY}${STEP}" method="POST">desk</Enqueue>`,
    ),
  );
});

Deno.test("who holds hears words and a tone while any key is taken, and leaves by a verb", () => {
  const action = { to: "voice-queue" as const, state: STATE, event: "key" };
  assertEquals(
    render(
      {
        verb: "gather",
        prompts: [say("You are next in line."), { verb: "ringing", times: 1 }],
        language: "en-US",
        seconds: 1,
        hints: [],
        poundIsKey: true,
        keysOnly: true,
        action,
      },
      { verb: "redirect", to: { ...action, event: "wait" } },
    ),
    document(
      `<Gather input="dtmf" numDigits="1" finishOnKey="" timeout="1" ` +
        `action="${BASE}/voice-queue?event=key&amp;${QUERY}${STEP}" method="POST">` +
        `<Say voice="Polly.Joanna" language="en-US">You are next in line.</Say>` +
        `<Play loop="1">${BASE}/voice-queue?event=ringing</Play></Gather>` +
        `<Redirect method="POST">${BASE}/voice-queue?event=wait&amp;${QUERY}${STEP}</Redirect>`,
    ),
  );
  assertEquals(render({ verb: "leave" }), document("<Leave/>"));
});

Deno.test("a person's leg takes the caller who held longest, and * ends the talk for a transfer", () => {
  const token = "0b54c7d6-1fc1-4b52-ae85-7f0bd4d81d01";
  const leg = { to: "voice-person", state: STATE, token } as const;
  const take = {
    verb: "dial_queue",
    queue: "desk",
    seconds: 5,
    timeLimit: 3600,
    record: false,
    action: { ...leg, event: "ended" },
    connects: { ...leg, event: "connects" },
    recordingCallback: { to: "voice-status", state: STATE, call: "CA1" },
  } as const;
  const url = (event: string) =>
    `${BASE}/voice-person?event=${event}&amp;token=${token}&amp;${QUERY}${STEP}`;
  const queue = `<Queue url="${url("connects")}" method="POST">desk</Queue>`;
  assertEquals(
    render({ ...take, hangupOnStar: true }),
    document(
      `<Dial action="${url("ended")}" method="POST" timeout="5" timeLimit="3600" ` +
        `hangupOnStar="true">${queue}</Dial>`,
    ),
  );
  assertEquals(
    render({ ...take, record: true }),
    document(
      `<Dial action="${url("ended")}" method="POST" timeout="5" timeLimit="3600" ` +
        `record="record-from-answer-dual" ` +
        `recordingStatusCallback="${BASE}/voice-status?call=CA1&amp;${QUERY}${CALLBACK}" ` +
        `recordingStatusCallbackMethod="POST" recordingStatusCallbackEvent="completed absent">` +
        `${queue}</Dial>`,
    ),
  );
});

Deno.test("gather takes several keys, up to pound", () => {
  const { hints: _, ...code } = gather(say("Enter the code."));
  assertEquals(
    render({ ...code, hints: [], keysOnly: true, digits: 6 }),
    document(
      `<Gather input="dtmf" numDigits="6" timeout="5" ` +
        `action="${BASE}/voice-menu-handler?${QUERY}${STEP}" method="POST">` +
        `<Say voice="Polly.Joanna" language="en-US">Enter the code.</Say></Gather>`,
    ),
  );
});

Deno.test("a person accepts by key 1 alone, and a mailbox, which presses none, is hung up on", () => {
  for (
    const [language, words] of [
      ["en-US", "Call for Prairie Dental: appointments. To accept it, press 1."],
      ["fr-CA", "Appel pour Prairie Dental : appointments. Pour le prendre, appuyez sur le 1."],
      ["es-MX", "Llamada para Prairie Dental: appointments. Para aceptarla, presione 1."],
    ] as const
  ) {
    const flow = {
      business: "Prairie Dental",
      nodes: { desk: { type: "queue", group: "desk", mode: "appointments" } },
    } as unknown as Flow;
    const { business, department } = whatFor(flow, "desk");
    const gather = `<Gather input="dtmf" numDigits="1" finishOnKey="" timeout="4" ` +
      `action="${BASE}/voice-route?event=accept&amp;${QUERY}${STEP}" method="POST">` +
      `<Say language="${language}">${words}</Say></Gather>`;
    assertEquals(
      render(...askForKey1(plainly(language), [
        ({ callFor }) => callFor(business, department),
        "accept",
      ], { to: "voice-route", event: "accept", state: STATE })),
      document(`${gather}${gather}<Hangup/>`),
    );
  }
});

Deno.test("who pressed too late hears so, and the leg ends", () => {
  assertEquals(
    render(...lastWord(plainly(), "taken")),
    document('<Say language="en-US">Somebody has taken it already. Thank you.</Say><Hangup/>'),
  );
});

Deno.test("a wait is told as a range of minutes, the shortest as one", () => {
  const wait = (low: number, high: number) => phrase(({ wait }) => wait(low, high), "en-US").text;
  assertEquals(wait(0, 1), "The wait is about a minute.");
  assertEquals(wait(0, 4), "The wait is up to 4 minutes.");
  assertEquals(wait(3, 3), "The wait is about 3 minutes.");
  assertEquals(wait(2, 5), "The wait is about 2 to 5 minutes.");
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

Deno.test("a talk has the flow's voices by provider, its languages, hints and a backup of its providers", () => {
  const talk = (voices: readonly { language: string; voice: string | undefined }[]) =>
    renderTwiml(
      [{
        verb: "talk",
        language: "en-US",
        voices,
        hints: ["front desk", "Riverside Books"],
        greeting: "Hello.",
        action: { to: "voice-agent-action", state: { turn: 1, attempt: 1 } },
      }],
      "https://example.com/functions/v1",
      () => "wss://example.com/socket",
    );
  assertStringIncludes(
    talk([
      { language: "en-US", voice: "Polly.Joanna-Neural" },
      { language: "fr-CA", voice: "Google.fr-CA-Chirp3-HD-Aoede" },
      { language: "es-US", voice: undefined },
    ]),
    '<ConversationRelay url="wss://example.com/socket" language="en-US" ttsProvider="Amazon" voice="Joanna-Neural" ' +
      'hints="front desk,Riverside Books" welcomeGreeting="Hello." welcomeGreetingInterruptible="dtmf" ' +
      'interruptible="any" dtmfDetection="true" reportInputDuringAgentSpeech="dtmf" ' +
      'events="speaker-events tokens-played">' +
      '<Language code="fr-CA" ttsProvider="Google" voice="fr-CA-Chirp3-HD-Aoede"/><Language code="es-US"/><Failover/>' +
      "</ConversationRelay>",
  );
  // Which providers have these is not known: Twilio's default speaks.
  for (const voice of ["Polly.Joanna", "alice", "Google.en-US-Standard-A"]) {
    assertEquals(talk([{ language: "en-US", voice }]).includes("ttsProvider"), false, voice);
  }
});
