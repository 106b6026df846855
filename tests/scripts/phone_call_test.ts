import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import type { CallRecord, Script } from "../../scripts/phone/mod.ts";
import { APPLICATION_ERROR, realClock, VirtualClock } from "../../scripts/phone/mod.ts";
import { wav } from "../support/audio.ts";
import { App, twiml } from "./phone_app.ts";

/** The transcript in short: what kind, and the one word that matters of it. */
function story(record: CallRecord): string[] {
  return record.transcript.flatMap((event) => {
    switch (event.kind) {
      case "say":
        return [`say ${event.text}${event.interrupted ? " (interrupted)" : ""}`];
      case "keys":
        return [`keys ${event.digits}${event.lost ? " (lost)" : ""}`];
      case "speech":
        return [`speech ${event.text}${event.lost ? " (lost)" : ""}`];
      case "dialled":
        return [`dialled ${event.status} ${event.talkSeconds} s`];
      case "recorded":
        return [`recorded ${event.seconds} s`];
      case "hangup":
        return [`hangup by ${event.by}`];
      case "silence":
        return ["silence"];
      default:
        return [];
    }
  });
}

Deno.test("the first webhook is ringing, the next are in progress, and each has the parameters of the call", async () => {
  await using app = new App({ "/voice": "<Redirect>/next?a=1</Redirect>", "/next": "<Hangup/>" });
  const simulator = app.simulator();
  const call = await simulator.call({
    from: "+14035550199",
    to: "+15874059000",
    params: { StirVerstat: "TN-Validation-Passed-A", FromCity: "CALGARY" },
  });
  await simulator.settle();
  const [voice, next] = app.requests;
  const { CallToken, ...params } = voice?.params ?? {};
  assertEquals(typeof CallToken, "string");
  assertEquals(params, {
    AccountSid: simulator.accountSid,
    ApiVersion: "2010-04-01",
    CallSid: call.callSid,
    CallStatus: "ringing",
    Direction: "inbound",
    From: "+14035550199",
    Caller: "+14035550199",
    To: "+15874059000",
    Called: "+15874059000",
    StirVerstat: "TN-Validation-Passed-A",
    FromCity: "CALGARY",
  });
  assertEquals(next?.path, "/next");
  assertEquals(next?.params, { ...params, CallStatus: "in-progress" });
  assertEquals(/^CA[0-9a-f]{32}$/.test(call.callSid), true);
});

Deno.test("the end of a call is reported with its length", async () => {
  await using app = new App({ "/voice": '<Say>Hi</Say><Pause length="64"/>' });
  const clock = new VirtualClock(new Date("2026-01-05T15:00:00Z"));
  const simulator = app.simulator({ clock });
  const call = await simulator.call();
  await simulator.settle();
  assertEquals([call.status, call.endedBy, call.durationSeconds], ["completed", "app", 64]);
  const [status, ...others] = app.to("/status");
  assertEquals(others, []);
  assertEquals(status?.params, {
    ...status?.params,
    CallSid: call.callSid,
    CallStatus: "completed",
    CallDuration: "64",
    Duration: "2",
    SequenceNumber: "0",
    CallbackSource: "call-progress-events",
    Timestamp: "Mon, 05 Jan 2026 15:01:04 +0000",
  });
});

Deno.test("a number reports those events that are configured, numbered from 0", async () => {
  await using app = new App({ "/voice": "<Hangup/>" });
  const simulator = app.simulator({
    statusCallbackEvents: ["initiated", "ringing", "answered", "completed"],
  });
  await simulator.call();
  await simulator.settle();
  assertEquals(
    app.to("/status").map(({ params }) => [params.CallStatus, params.SequenceNumber]),
    [["initiated", "0"], ["ringing", "1"], ["in-progress", "2"], ["completed", "3"]],
  );
});

Deno.test("a minute of prompts, ringing and pauses costs no real time", async () => {
  await using app = new App({
    "/voice": '<Pause length="60"/><Dial timeout="60">+15550001111</Dial>',
  });
  const start = performance.now();
  const call = await app.simulator().call({ script: { dial: "no-answer" } });
  assertEquals(call.durationSeconds, 60);
  assertEquals(performance.now() - start < 60_000, true);
});

// ---- Gather ------------------------------------------------------------------------------------

const MENU = '<Gather numDigits="1" timeout="3" action="/menu"><Say>Press 1</Say></Gather>';

Deno.test("keys go to the gather's action as Digits", async () => {
  await using app = new App({ "/voice": MENU, "/menu": "<Say>Thanks</Say>" });
  const call = await app.simulator().call({ script: { keys: ["1"] } });
  assertEquals(app.to("/menu").map(({ params }) => params.Digits), ["1"]);
  assertEquals(story(call), ["say Press 1", "keys 1", "say Thanks", "hangup by app"]);
});

Deno.test("keys pressed while a nested prompt is heard interrupt it", async () => {
  await using app = new App({ "/voice": MENU, "/menu": "<Hangup/>" });
  const call = await app.simulator().call({ script: { keys: ["1"], bargeIn: true } });
  assertEquals(story(call), ["say Press 1 (interrupted)", "keys 1", "hangup by app"]);
});

Deno.test("keys pressed while a Say outside a gather is heard are lost", async () => {
  await using app = new App({ "/voice": `<Say>Welcome</Say>${MENU}`, "/menu": "<Hangup/>" });
  const call = await app.simulator().call({ script: { pressesWhileHearing: { 1: "1" } } });
  assertEquals(story(call), [
    "say Welcome",
    "keys 1 (lost)",
    "say Press 1",
    "silence",
    "hangup by app",
  ]);
  assertEquals(app.to("/menu"), []);
});

Deno.test("no input falls through to the next verb, after the timeout", async () => {
  await using app = new App({ "/voice": `${MENU}<Say>Nobody</Say>`, "/menu": "<Hangup/>" });
  const call = await app.simulator({ msPerCharacter: 0 }).call();
  assertEquals(story(call), ["say Press 1", "silence", "say Nobody", "hangup by app"]);
  assertEquals(call.durationSeconds, 3);
});

Deno.test("actionOnEmptyResult asks the action although nothing was entered", async () => {
  await using app = new App({
    "/voice": '<Gather action="/menu" actionOnEmptyResult="true"/><Say>Never</Say>',
    "/menu": "<Hangup/>",
  });
  const call = await app.simulator().call();
  assertEquals(app.to("/menu").map(({ params }) => params.Digits), [""]);
  assertEquals(call.spoken, []);
});

Deno.test("a gather without an action asks the current URL again", async () => {
  await using app = new App({
    "/voice": ({ params }) => params.Digits === undefined ? "<Gather/>" : "<Hangup/>",
  });
  await app.simulator().call({ script: { keys: ["42#"] } });
  assertEquals(app.to("/voice").map(({ params }) => params.Digits), [undefined, "42"]);
});

Deno.test("numDigits and finishOnKey end the input; a finishing key alone is no input", async () => {
  const cases: [attributes: string, pressed: string, digits: string | undefined][] = [
    ['numDigits="1"', "12", "1"],
    ["", "12#34", "12"],
    ["", "12", "12"],
    ["", "#", undefined],
    ["", "*", "*"],
    ['finishOnKey="*" numDigits="1"', "*", undefined],
    ['finishOnKey=""', "1#2", "1#2"],
    ['input="speech"', "1", undefined],
  ];
  for (const [attributes, pressed, digits] of cases) {
    // deno-lint-ignore no-await-in-loop -- one app after the other
    await using app = new App({
      "/voice": `<Gather action="/menu" ${attributes}/>`,
      "/menu": "<Hangup/>",
    });
    // deno-lint-ignore no-await-in-loop
    await app.simulator().call({ script: { keys: [pressed] } });
    const received = app.to("/menu").map(({ params }) => params.Digits);
    assertEquals(received, digits === undefined ? [] : [digits], `${pressed} with ${attributes}`);
  }
});

Deno.test("a finishing key alone ends the gather at once, its prompt too, and the next verb follows", async () => {
  await using app = new App({
    "/voice": '<Gather action="/menu" timeout="30"><Say>Press 1</Say></Gather><Say>Nobody</Say>',
  });
  for (const script of [{ keys: ["#"] }, { pressesWhileHearing: { 1: "#" } }]) {
    // deno-lint-ignore no-await-in-loop -- one call after the other
    const call = await app.simulator({ statusCallback: "" }).call({ script });
    assertEquals(call.all("say").map(({ text }) => text), ["Press 1", "Nobody"]);
    assertEquals(call.durationSeconds < 5, true, `${call.durationSeconds} s`);
  }
  assertEquals(app.to("/menu"), []);
});

Deno.test("speech goes to the action with its confidence, if the gather listens to speech", async () => {
  await using app = new App({
    "/voice": '<Gather input="dtmf" action="/menu"/><Gather input="dtmf speech" action="/menu"/>',
    "/menu": "<Hangup/>",
  });
  const call = await app.simulator().call({ script: { say: ["unheard", "no recording"] } });
  assertEquals(story(call), [
    "speech unheard (lost)",
    "silence",
    "speech no recording",
    "hangup by app",
  ]);
  const [{ params } = { params: {} as Record<string, string> }] = app.to("/menu");
  assertEquals([params.SpeechResult, params.Confidence, params.Digits], [
    "no recording",
    "0.9",
    undefined,
  ]);
});

Deno.test("a GET action has its parameters in the query", async () => {
  await using app = new App({
    "/voice": '<Gather numDigits="1" action="/menu?x=1" method="GET"/>',
    "/menu": "<Hangup/>",
  });
  await app.simulator().call({ script: { keys: ["1"] } });
  const [menu] = app.to("/menu");
  assertEquals([menu?.method, menu?.params.x, menu?.params.Digits], ["GET", "1", "1"]);
});

// ---- Dial --------------------------------------------------------------------------------------

const DIAL =
  '<Dial timeout="20" action="/after" callerId="+15874059000" record="record-from-answer-dual"' +
  ' recordingStatusCallback="/recording" recordingStatusCallbackEvent="in-progress completed">' +
  '<Number statusCallback="/leg" statusCallbackEvent="initiated ringing answered completed">' +
  "+15550001111</Number></Dial><Say>Never reached</Say>";

const DIALLING = { "/voice": DIAL, "/after": "<Hangup/>" };

Deno.test("an answered dial reports the leg, the recording and the outcome", async () => {
  await using app = new App(DIALLING);
  const simulator = app.simulator();
  const call = await simulator.call({ script: { talkSeconds: 30 } });
  await simulator.settle();
  assertEquals(story(call), ["recorded 30 s", "dialled completed 30 s", "hangup by app"]);
  assertEquals(
    app.to("/leg").map(({ params }) => [params.CallStatus, params.SequenceNumber]),
    [["initiated", "0"], ["ringing", "1"], ["in-progress", "2"], ["completed", "3"]],
  );
  const leg = app.to("/leg").at(-1)?.params ?? {};
  assertEquals(
    [leg.ParentCallSid, leg.Direction, leg.From, leg.To, leg.CallDuration, leg.Duration],
    [
      call.callSid,
      "outbound-dial",
      "+15874059000",
      "+15550001111",
      "30",
      "1",
    ],
  );
  assertEquals(leg.CallSid === call.callSid, false);
  const after = app.to("/after")[0]?.params ?? {};
  assertEquals(
    [after.DialCallStatus, after.DialCallSid, after.DialCallDuration, after.DialBridged],
    ["completed", leg.CallSid, "30", "true"],
  );
  const [begun, done] = app.to("/recording").map(({ params }) => params);
  assertEquals([begun?.RecordingStatus, done?.RecordingStatus], ["in-progress", "completed"]);
  assertEquals(
    [done?.CallSid, done?.RecordingDuration, done?.RecordingChannels, done?.RecordingSource],
    [call.callSid, "30", "2", "DialVerb"],
  );
  assertEquals(done?.RecordingUrl, after.RecordingUrl);
  assertEquals(
    done?.RecordingUrl,
    `https://api.twilio.com/2010-04-01/Accounts/${simulator.accountSid}/Recordings/${done?.RecordingSid}`,
  );
});

Deno.test("a failing dial gives its action the reason, and reports the leg", async () => {
  for (const outcome of ["busy", "no-answer", "failed", "canceled"] as const) {
    // deno-lint-ignore no-await-in-loop -- one app after the other
    await using app = new App(DIALLING);
    const simulator = app.simulator();
    // deno-lint-ignore no-await-in-loop
    const call = await simulator.call({ script: { dial: outcome } });
    // deno-lint-ignore no-await-in-loop
    await simulator.settle();
    assertEquals(story(call), [`dialled ${outcome} 0 s`, "hangup by app"]);
    const after = app.to("/after")[0]?.params ?? {};
    assertEquals([after.DialCallStatus, after.DialBridged, after.DialCallDuration], [
      outcome,
      "false",
      undefined,
    ]);
    assertEquals(app.to("/leg").at(-1)?.params.CallStatus, outcome);
    assertEquals(app.to("/recording"), []);
  }
});

Deno.test("a phone rings as long as the dial's timeout", async () => {
  await using app = new App(DIALLING);
  const call = await app.simulator().call({ script: { dial: { ringSeconds: 25 } } });
  assertEquals(story(call), ["dialled no-answer 0 s", "hangup by app"]);
  assertEquals(call.durationSeconds, 20);
});

Deno.test("a leg reports only completed by default, with its final status", async () => {
  await using app = new App({
    "/voice": '<Dial><Number statusCallback="/leg">+15550001111</Number></Dial>',
  });
  const simulator = app.simulator();
  await simulator.call({ script: { dial: "busy" } });
  await simulator.settle();
  assertEquals(app.to("/leg").map(({ params }) => params.CallStatus), ["busy"]);
});

Deno.test("a dial without an action goes on with the next verb", async () => {
  await using app = new App({ "/voice": "<Dial>+15550001111</Dial><Say>Goodbye</Say>" });
  const call = await app.simulator().call();
  assertEquals(call.spoken, ["Goodbye"]);
});

Deno.test("of several numbers the first to answer is connected, the others are canceled", async () => {
  await using app = new App({
    "/voice":
      '<Dial action="/after"><Number>+15550001111</Number><Number>+15550002222</Number></Dial>',
    "/after": "<Hangup/>",
  });
  const call = await app.simulator({
    callees: { "+15550001111": { ringSeconds: 9 }, "+15550002222": { ringSeconds: 3 } },
  }).call();
  assertEquals(call.all("leg").map(({ number, status }) => [number, status]), [
    ["+15550001111", "canceled"],
    ["+15550002222", "completed"],
  ]);
});

Deno.test("of two numbers that answer at the same moment one is connected, the other canceled", async () => {
  await using app = new App({
    "/voice":
      '<Dial action="/after"><Number>+15550001111</Number><Number>+15550002222</Number></Dial>',
    "/after": "<Hangup/>",
  });
  const call = await app.simulator({
    callees: { "+15550001111": { ringSeconds: 3 }, "+15550002222": { ringSeconds: 3 } },
  }).call();
  const statuses = call.all("leg").map(({ status }) => status);
  assertEquals(statuses.toSorted(), ["canceled", "completed"]);
});

Deno.test("a file is played for as long as it lasts, and one that is not there is passed over", async () => {
  await using app = new App({
    "/voice": ({ url }) => {
      const [hello, lost, page] = ["/hello.wav", "/lost.wav", "/page"].map((path) =>
        `<Play>${new URL(path, url)}</Play>`
      );
      return `${hello}<Say>Hi</Say>${lost}${page}`;
    },
    "/hello.wav": () => new Response(wav({ seconds: 12 })),
    "/lost.wav": () => new Response(null, { status: 404 }),
    "/page": () => new Response("<p>no audio</p>"),
  });
  const call = await app.simulator().call();
  const times = call.transcript.flatMap(({ kind, atMs }) => kind === "say" ? [atMs] : []);
  assertEquals(times, [12_100]);
  assertEquals(call.all("play").map(({ url }) => url), [`${app.base}/hello.wav`]);
  assertEquals(call.all("error").map(({ code, url }) => [code, url]), [
    [11200, `${app.base}/lost.wav`],
    [11200, `${app.base}/page`],
  ]);
});

Deno.test("sequential numbers ring one after the other, until one answers", async () => {
  const numbers = ["+15550001111", "+15550002222", "+15550003333"];
  await using app = new App({
    "/voice": `<Dial action="/after" sequential="true" timeout="15">${
      numbers.map((number) => `<Number>${number}</Number>`).join("")
    }</Dial>`,
    "/after": "<Hangup/>",
  });
  const callees = {
    "+15550001111": { outcome: "no-answer" as const },
    "+15550002222": { ringSeconds: 3, talkSeconds: 7 },
  };
  const call = await app.simulator({ callees }).call();
  assertEquals(call.all("leg").map(({ number, status, atMs }) => [number, status, atMs]), [
    ["+15550001111", "no-answer", 100],
    ["+15550002222", "completed", 15_100],
  ]);
  assertEquals(call.all("dialled")[0]?.talkSeconds, 7);
});

const SCREENED = {
  "/voice": `<Dial action="/after"><Number url="/screen">+15550001111</Number></Dial>`,
  "/screen":
    '<Gather numDigits="1" action="/accept"><Say>Press 1 to take the call</Say></Gather><Hangup/>',
  "/accept": ({ params }: { params: Record<string, string> }) =>
    params.Digits === "1" ? "<Say>Thank you</Say>" : "<Hangup/>",
  "/after": "<Hangup/>",
};

Deno.test("a person who is asked before being connected takes the call by a key", async () => {
  await using app = new App(SCREENED);
  const call = await app.simulator().call();
  assertEquals(call.all("whisper").map(({ text }) => text), [
    "Press 1 to take the call",
    "Thank you",
  ]);
  assertEquals(call.spoken, []);
  const [leg] = call.all("leg");
  const [asked] = app.to("/screen");
  assertEquals(
    [asked?.params.CallSid, asked?.params.ParentCallSid, asked?.params.CallStatus],
    [leg?.sid, call.callSid, "in-progress"],
  );
  const [after] = app.to("/after");
  assertEquals([after?.params.DialCallStatus, after?.params.DialBridged], ["completed", "true"]);
});

Deno.test("a whisper that fails, or holds a forbidden verb, does not connect", async () => {
  for (const whisper of ["<Dial>+15550002222</Dial>", () => new Response(null, { status: 500 })]) {
    await using app = new App({ ...SCREENED, "/screen": whisper });
    // deno-lint-ignore no-await-in-loop -- One app at a time.
    const call = await app.simulator().call();
    assertEquals(app.to("/after").map(({ params }) => params.DialBridged), ["false"]);
    assertEquals(call.all("error").length, 1);
  }
});

for (const presses of ["", "2"]) {
  Deno.test(`who presses "${presses}" when asked is not connected`, async () => {
    await using app = new App(SCREENED);
    const call = await app.simulator({ callees: { "+15550001111": { presses } } }).call();
    const [after] = app.to("/after");
    // The leg was answered, so Twilio calls it completed.
    assertEquals([after?.params.DialCallStatus, after?.params.DialBridged], ["completed", "false"]);
    assertEquals(call.all("dialled")[0]?.talkSeconds, 0);
  });
}

Deno.test("the people behind the numbers behave as configured, unless the script says otherwise", async () => {
  await using app = new App(DIALLING);
  const simulator = app.simulator({ callees: { "+15550001111": { outcome: "busy" } } });
  const [busy, answered] = await Promise.all([
    simulator.call(),
    simulator.call({ script: { dial: "answered" } }),
  ]);
  assertEquals(busy.all("dialled")[0]?.status, "busy");
  assertEquals(answered.all("dialled")[0]?.status, "completed");
});

Deno.test("the time limit ends a conversation; a star does where hangupOnStar allows it", async () => {
  await using app = new App({
    "/voice":
      '<Dial timeLimit="60">+15550001111</Dial><Dial hangupOnStar="true">+15550001111</Dial><Say>Back</Say>',
  });
  const call = await app.simulator().call({
    script: { dial: [{ talkSeconds: 600 }, { talkSeconds: 10, endedBy: "star" }] },
  });
  assertEquals(story(call), [
    "dialled completed 60 s",
    "keys *",
    "dialled completed 10 s",
    "say Back",
    "hangup by app",
  ]);
});

Deno.test("with answerOnBridge the call rings until the other side answers", async () => {
  await using app = new App({
    "/voice": '<Dial answerOnBridge="true" action="/after">+15550001111</Dial>',
    "/after": "<Hangup/>",
  });
  const simulator = app.simulator();
  await simulator.call({ script: { dial: "busy" } });
  await simulator.call({ script: { talkSeconds: 7 } });
  assertEquals(app.to("/after").map(({ params }) => params.CallStatus), ["ringing", "in-progress"]);
});

// ---- Record ------------------------------------------------------------------------------------

const RECORD = '<Record action="/done" maxLength="120" transcribe="true" timeout="5"' +
  ' transcribeCallback="/transcript" recordingStatusCallback="/recording"' +
  ' recordingStatusCallbackEvent="completed absent"/><Say>Nothing</Say>';

async function leave(voicemail: Script["voicemail"]) {
  await using app = new App({ "/voice": RECORD, "/done": "<Hangup/>" });
  const simulator = app.simulator();
  const call = await simulator.call({ script: voicemail === undefined ? {} : { voicemail } });
  await simulator.settle();
  const of = (path: string) => app.to(path).map(({ params }) => params);
  return { call, done: of("/done"), recordings: of("/recording"), transcripts: of("/transcript") };
}

Deno.test("a message is recorded, transcribed, and its action gets the key that ended it", async () => {
  const { call, done, recordings, transcripts } = await leave({
    seconds: 12,
    end: "#",
    transcript: "Please call me back",
  });
  assertEquals(story(call), ["keys #", "recorded 12 s", "hangup by app"]);
  assertEquals([done[0]?.Digits, done[0]?.RecordingDuration], ["#", "12"]);
  assertEquals(
    [recordings[0]?.RecordingStatus, recordings[0]?.RecordingSource, recordings[0]?.RecordingSid],
    ["completed", "RecordVerb", done[0]?.RecordingSid],
  );
  assertEquals(
    [transcripts[0]?.TranscriptionStatus, transcripts[0]?.TranscriptionText],
    ["completed", "Please call me back"],
  );
  assertEquals(transcripts[0]?.RecordingSid, done[0]?.RecordingSid);
});

Deno.test("silence is recorded too: its action is asked, and no verb behind is reached", async () => {
  const { call, done, recordings } = await leave("silence");
  assertEquals(story(call), ["silence", "recorded 1 s", "hangup by app"]);
  assertEquals([done[0]?.Digits, done[0]?.RecordingDuration], [undefined, "5"]);
  assertEquals([recordings[0]?.RecordingStatus, recordings[0]?.RecordingDuration], [
    "completed",
    "1",
  ]);
});

Deno.test("a hang-up at the beep requests the action, and the callback then reports no recording", async () => {
  const { call, done, recordings } = await leave({ seconds: 0, end: "hangup" });
  assertEquals(story(call), ["recorded 0 s", "hangup by caller"]);
  assertEquals([done[0]?.Digits, done[0]?.RecordingDuration], ["hangup", "1"]);
  assertEquals(recordings.map((params) => params.RecordingStatus), ["absent"]);
});

Deno.test("silence after words, and the longest length, end a recording without a key", async () => {
  const quiet = await leave({ seconds: 10, end: "silence" });
  assertEquals([quiet.done[0]?.Digits, quiet.done[0]?.RecordingDuration], [undefined, "15"]);
  assertEquals(quiet.recordings[0]?.RecordingDuration, "10", "without the silence");
  const long = await leave({ seconds: 400 });
  assertEquals([long.done[0]?.Digits, long.done[0]?.RecordingDuration], [undefined, "120"]);
});

Deno.test("only what lasts more than 2 s and less than 120 s is transcribed", async () => {
  const transcribed = await Promise.all(
    [2, 3, 119, 120].map(async (seconds) =>
      (await leave({ seconds, end: "silence" })).transcripts.length
    ),
  );
  assertEquals(transcribed, [0, 1, 1, 0]);
});

Deno.test("a transcription can fail, or never come", async () => {
  const failed = await leave({ seconds: 9, end: "#", transcription: "failed" });
  assertEquals(failed.transcripts.map((params) => params.TranscriptionStatus), ["failed"]);
  const never = await leave({ seconds: 9, end: "#", transcription: "never" });
  assertEquals([never.transcripts.length, never.recordings.length], [0, 1]);
});

Deno.test("a record without an action asks the current URL again", async () => {
  await using app = new App({
    "/voice": ({ params }) => params.RecordingSid === undefined ? "<Record/>" : "<Hangup/>",
  });
  await app.simulator().call({ script: { voicemail: { seconds: 5, end: "1" } } });
  assertEquals(app.to("/voice").map(({ params }) => params.Digits), [undefined, "1"]);
});

// ---- hanging up --------------------------------------------------------------------------------

const HOTLINE = {
  "/voice": `<Say>Welcome</Say>${MENU}`,
  "/menu": '<Dial action="/after"><Number statusCallback="/leg">+15550001111</Number></Dial>',
  "/after": `<Say>Leave a message</Say>${RECORD}`,
  "/done": "<Say>Bye</Say>",
};

async function hangUp(script: Script, options = {}) {
  await using app = new App(HOTLINE);
  const simulator = app.simulator(options);
  const call = await simulator.call({ script });
  await simulator.settle();
  assertEquals(call.endedBy, "caller");
  assertEquals(app.to("/status").map(({ params }) => params.CallStatus), [call.status]);
  return { call, app, requests: app.requests.map(({ path }) => path) };
}

Deno.test("hanging up during a prompt stops everything", async () => {
  const { call, requests } = await hangUp({ hangupAt: "say:1" });
  assertEquals(story(call), ["say Welcome (interrupted)", "hangup by caller"]);
  assertEquals([call.status, requests], ["completed", ["/voice", "/status"]]);
});

Deno.test("hanging up at a gather sends nothing to its action", async () => {
  const { requests } = await hangUp({ hangupAt: "gather" });
  assertEquals(requests, ["/voice", "/status"]);
});

Deno.test("hanging up while it rings cancels the leg, and the action gets that", async () => {
  const { app } = await hangUp({ keys: ["1"], hangupAt: "dial" });
  assertEquals(app.to("/leg").map(({ params }) => params.CallStatus), ["canceled"]);
  const [after] = app.to("/after");
  assertEquals([after?.params.CallStatus, after?.params.DialCallStatus], ["completed", "canceled"]);
});

Deno.test("hanging up while they talk completes the leg, and the action gets that", async () => {
  const { app, call } = await hangUp({ keys: ["1"], hangupAt: "talk", talkSeconds: 15 });
  assertEquals(story(call).slice(-2), ["dialled completed 15 s", "hangup by caller"]);
  assertEquals(app.to("/leg").map(({ params }) => params.CallStatus), ["completed"]);
  const [after] = app.to("/after");
  assertEquals([after?.params.CallStatus, after?.params.DialCallDuration], ["completed", "15"]);
});

Deno.test("whether a dial's action is asked for after a hang-up can be turned off", async () => {
  const { requests } = await hangUp({ keys: ["1"], hangupAt: "dial" }, {
    actionAfterHangUp: false,
  });
  assertEquals(requests.includes("/after"), false);
});

Deno.test("hanging up while recording keeps the message; the action gets Digits=hangup", async () => {
  const { app, call } = await hangUp({
    keys: ["1"],
    dial: "no-answer",
    voicemail: { seconds: 6, transcript: "It is me" },
  });
  assertEquals(story(call).slice(-2), ["recorded 6 s", "hangup by caller"]);
  const [done] = app.to("/done");
  assertEquals([done?.params.CallStatus, done?.params.Digits], ["completed", "hangup"]);
  assertEquals(app.to("/recording")[0]?.params.RecordingDuration, "6");
  assertEquals(app.to("/transcript")[0]?.params.TranscriptionText, "It is me");
});

Deno.test("hanging up before the answer leaves an unanswered call", async () => {
  const { call, requests } = await hangUp({ hangupAt: 0 });
  assertEquals([call.status, call.durationSeconds], ["no-answer", 0]);
  assertEquals(requests, ["/voice", "/status"]);
});

Deno.test("whatever the moment, a hang-up ends the call with exactly one final status", async () => {
  const moments = Array.from({ length: 60 }, (_, index) => index * 1000 + 500);
  const script = { keys: ["1"], dial: "no-answer", voicemail: { seconds: 30 } } as const;
  await Promise.all(moments.map((hangupAt) => hangUp({ ...script, hangupAt })));
});

Deno.test("a call can be hung up from outside, even while its caller is being asked", async () => {
  await using app = new App({ "/voice": MENU });
  const simulator = app.simulator();
  const asked = Promise.withResolvers<void>();
  const placed = simulator.place({
    caller: {
      onGather: () => {
        asked.resolve();
        return new Promise(() => {});
      },
    },
  });
  await asked.promise;
  placed.hangUp();
  assertEquals((await placed.done).endedBy, "caller");
  await simulator.settle();
  assertEquals(app.to("/status").length, 1);
});

Deno.test("a rejected call is never answered", async () => {
  await using app = new App({ "/voice": '<Reject reason="busy"/><Say>Never</Say>' });
  const call = await app.simulator().call();
  assertEquals([call.status, call.spoken, call.durationSeconds], ["busy", [], 0]);
});

// ---- application errors ------------------------------------------------------------------------

Deno.test("what is no proper TwiML is heard as an application error", async () => {
  const faults: [code: number, answer: () => Response][] = [
    [11200, () => new Response("oops", { status: 500 })],
    [11200, () => new Response(null, { status: 302, headers: { location: "/other" } })],
    [12300, () => Response.json({})],
    [12300, () => twiml("<Hangup/>", { "content-type": "text/plain" })],
    [12100, () => twiml("<Say>")],
    [12200, () => twiml("<Shout/>")],
    [11750, () => twiml(`<Say>${"a".repeat(70_000)}</Say>`)],
  ];
  for (const [code, answer] of faults) {
    // deno-lint-ignore no-await-in-loop -- one app after the other
    await using app = new App({ "/voice": "<Redirect>/broken</Redirect>", "/broken": answer });
    const simulator = app.simulator();
    // deno-lint-ignore no-await-in-loop
    const call = await simulator.call();
    // deno-lint-ignore no-await-in-loop
    await simulator.settle();
    assertEquals(call.applicationError?.code, code);
    assertEquals([call.spoken, call.endedBy], [[APPLICATION_ERROR], "error"]);
    assertEquals(app.to("/other"), []);
    // Twilio says completed of such a call too.
    assertEquals(app.to("/status").map(({ params }) => params.CallStatus), ["completed"]);
  }
});

Deno.test("a fallback URL gets the error and takes the call over", async () => {
  await using app = new App({
    "/voice": () => new Response("oops", { status: 503 }),
    "/fallback": "<Say>One moment</Say>",
  });
  const call = await app.simulator({ fallbackUrl: `${app.base}/fallback` }).call();
  const [fallback] = app.to("/fallback");
  assertEquals([fallback?.params.ErrorCode, fallback?.params.ErrorUrl], [
    "11200",
    `${app.base}/voice`,
  ]);
  assertEquals([call.spoken, call.applicationError, call.endedBy], [
    ["One moment"],
    undefined,
    "app",
  ]);
});

Deno.test("a fallback URL that fails too ends in the application error", async () => {
  await using app = new App({
    "/voice": () => new Response("oops", { status: 503 }),
    "/fallback": () => new Response("oops", { status: 500 }),
  });
  const call = await app.simulator({ fallbackUrl: `${app.base}/fallback` }).call();
  assertEquals(call.applicationError?.url, `${app.base}/fallback`);
  assertEquals(app.to("/fallback").length, 1);
});

Deno.test("an app where nothing listens is an application error", async () => {
  const { base } = await (async () => {
    await using app = new App({});
    return app;
  })();
  await using app = new App({ "/voice": `<Redirect>${base}/gone</Redirect>` });
  const call = await app.simulator().call();
  assertEquals(call.applicationError?.code, 11205);
});

Deno.test("schema warnings are noted, and the call goes on", async () => {
  await using app = new App({ "/voice": '<Say tone="kind">Hi</Say>' });
  const call = await app.simulator().call();
  assertEquals(call.all("warning").map(({ code, message }) => [code, message]), [
    [12200, "attribute tone on <Say>"],
  ]);
  assertEquals(call.spoken, ["Hi"]);
});

Deno.test("a call that goes round in circles fails loudly", async () => {
  await using app = new App({ "/voice": "<Redirect/>" });
  await assertRejects(
    () => app.simulator({ maxSteps: 10 }).call(),
    Error,
    "more than 10 documents",
  );
});

Deno.test("telephones that people hold ring at once: the first that is picked up is connected, the others stop", async () => {
  await using app = new App({
    "/voice":
      '<Dial answerOnBridge="true" action="/after"><Number url="/screen">+15550001111</Number><Number url="/screen">+15550002222</Number></Dial>',
    "/screen": '<Gather numDigits="1" action="/press"><Say>Press 1</Say></Gather><Hangup/>',
    "/press": "<Pause length='0'/>",
    "/after": "<Hangup/>",
  });
  const rung = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  const talking = Promise.withResolvers<void>();
  const heard: string[] = [];
  let hangUp = () => {};
  let ringing = 0;
  const simulator = app.simulator({
    clock: realClock(1000),
    telephones: ({ to, over, hangUp: ends }) => ({
      async onRing() {
        if (++ringing === 2) rung.resolve();
        if (to.endsWith("1111")) {
          over.addEventListener("abort", () => stopped.resolve());
          await stopped.promise;
          return {};
        }
        await rung.promise;
        hangUp = ends;
        return { ringSeconds: 0, talkSeconds: 1e6 };
      },
      onHear: ({ text }) => void heard.push(text),
      onGather: () => ({ digits: "1", afterMs: 0 }),
    }),
  });
  const call = simulator.place({
    onEvent: ({ kind }) => kind === "whisper" && talking.resolve(),
    onWebhook: ({ url }) => url.endsWith("/press") && hangUp(),
  });
  await talking.promise;
  await stopped.promise;
  const { transcript } = await call.done;
  await simulator.settle();
  assertEquals(heard, ["Press 1"]);
  assertEquals(
    transcript.flatMap((event) => event.kind === "leg" ? [[event.number, event.status]] : []),
    [["+15550001111", "canceled"], ["+15550002222", "completed"]],
  );
  assertEquals(app.to("/after").map(({ params }) => params.DialCallStatus), ["completed"]);
});
