import { assertEquals } from "@std/assert/equals.js";
import {
  type Callee,
  crowd,
  Exchange,
  personAt,
  type RingOffer,
  scripted,
  type Simulator,
  VirtualClock,
} from "../../scripts/phone/mod.ts";
import { App } from "./phone_app.ts";

const EVENTS = ["initiated", "ringing", "answered", "completed"] as const;
const ANNA = "+15550001111";
const LINE = "+15874059000";

const shared = () => ({
  clock: new VirtualClock(new Date("2026-01-05T15:00:00Z"), { shared: true }),
});

function ring(simulator: Simulator, app: App, to = ANNA, timeout = 30) {
  return simulator.dial({
    to,
    from: LINE,
    timeout,
    document: { url: `${app.base}/person?token=t`, method: "POST", params: {} },
    statusCallback: `${app.base}/status`,
    statusCallbackEvents: EVENTS,
  });
}

function statuses(app: App, callSid?: string) {
  return app.to("/status").filter(({ params }) =>
    callSid === undefined || params.CallSid === callSid
  )
    .map(({ params }) => params.CallStatus);
}

Deno.test("a telephone that is rung by REST walks the document it is answered, and reports each event", async () => {
  await using app = new App({
    "/person":
      '<Gather numDigits="1" action="/press"><Say>Press 1 to accept</Say></Gather><Hangup/>',
    "/press": "<Say>Thanks</Say>",
  });
  const simulator = app.simulator(shared());
  const call = await ring(simulator, app).done;
  await simulator.settle();
  const [asked] = app.to("/person");
  assertEquals(asked?.params, {
    ...asked?.params,
    CallSid: call.callSid,
    CallStatus: "in-progress",
    Direction: "outbound-api",
    From: LINE,
    To: ANNA,
  });
  assertEquals(app.to("/press").map(({ params }) => params.Digits), ["1"]);
  assertEquals(call.spoken, ["Press 1 to accept", "Thanks"]);
  assertEquals(statuses(app), ["initiated", "ringing", "in-progress", "completed"]);
  assertEquals(app.to("/status").map(({ params }) => params.SequenceNumber), ["0", "1", "2", "3"]);
});

for (const outcome of ["busy", "no-answer", "failed"] as const) {
  Deno.test(`a telephone that is ${outcome} is asked for nothing, and that is its final status`, async () => {
    await using app = new App({ "/person": "<Hangup/>" });
    const simulator = app.simulator({ ...shared(), callees: { [ANNA]: { outcome } } });
    const { status } = await ring(simulator, app).done;
    await simulator.settle();
    assertEquals([status, app.to("/person").length, statuses(app).at(-1)], [outcome, 0, outcome]);
  });
}

Deno.test("an account dials one call a second: the others are queued until then", async () => {
  await using app = new App({ "/person": "<Hangup/>" });
  const simulator = app.simulator(shared());
  const calls = [1, 2, 3].map(() => ring(simulator, app));
  await simulator.clock.sleep(900);
  assertEquals(calls.map(({ record }) => record.status), ["ringing", "queued", "queued"]);
  await Promise.all(calls.map(({ done }) => done));
  await simulator.settle();
  assertEquals(
    app.to("/status").filter(({ params }) => params.CallStatus === "initiated")
      .map(({ params }) => params.Timestamp?.slice(-14, -6)),
    ["15:00:00", "15:00:01", "15:00:02"],
  );
  assertEquals(calls.map(({ record }) => record.status), Array(3).fill("completed"));
});

Deno.test("canceled ends what is queued or rings, completed also what talks", async () => {
  await using app = new App({ "/person": '<Pause length="600"/>' });
  const simulator = app.simulator(shared());
  const [talks, rings, queued] = [ring(simulator, app), ring(simulator, app), ring(simulator, app)];
  const change = (call: typeof talks, to: "canceled" | "completed") =>
    simulator.update(call.record.callSid, to);
  await simulator.clock.sleep(1_600);
  assertEquals([rings, queued].map(({ record }) => record.status), ["ringing", "queued"]);
  assertEquals([change(rings, "canceled"), change(queued, "canceled")], [true, true]);
  await Promise.all([rings.done, queued.done]);
  await simulator.clock.sleep(10_000);
  assertEquals(change(talks, "canceled"), false);
  assertEquals(change(talks, "completed"), true);
  await talks.done;
  assertEquals(change(talks, "completed"), false);
  assertEquals([talks, rings, queued].map(({ record }) => [record.status, record.endedBy]), [
    ["completed", "app"],
    ["canceled", "app"],
    ["canceled", "app"],
  ]);
});

Deno.test("a document given by REST replaces what goes on, and a held caller's action is told", async () => {
  await using app = new App({
    "/voice": '<Enqueue waitUrl="/wait" action="/left">sales</Enqueue>',
    "/wait": '<Pause length="30"/>',
    "/left": "<Say>Nobody hears it</Say>",
    "/elsewhere": "<Say>Elsewhere</Say>",
  });
  const simulator = app.simulator(shared());
  const call = simulator.place();
  await simulator.clock.sleep(5_000);
  const document = { url: `${app.base}/elsewhere`, method: "POST", params: {} } as const;
  assertEquals(simulator.update(call.record.callSid, document), true);
  const record = await call.done;
  assertEquals(record.spoken, ["Elsewhere"]);
  assertEquals(app.to("/left").map(({ params }) => params.QueueResult), ["redirected"]);
});

Deno.test("TwiML given by REST takes a caller out of a talk; the person's dial ends", async () => {
  await using app = new App({
    "/voice": '<Enqueue waitUrl="/wait" action="/left">sales</Enqueue>',
    "/wait": '<Pause length="30"/>',
    "/person": '<Dial action="/talked"><Queue>sales</Queue></Dial>',
    "/talked": "<Say>Over</Say>",
  });
  const simulator = app.simulator({
    ...shared(),
    telephones: () => ({ ...scripted({}), onTalk: () => ({ talkSeconds: 600 }) }),
  });
  const caller = simulator.place();
  const person = ring(simulator, app);
  await simulator.clock.sleep(60_000);
  simulator.update(caller.record.callSid, { twiml: "<Response><Say>Taken out</Say></Response>" });
  const [called, rang] = await Promise.all([caller.done, person.done]);
  assertEquals([called.spoken, rang.spoken], [["Taken out"], ["Over"]]);
  assertEquals(app.to("/left").map(({ params }) => params.QueueResult), [
    "redirected-from-bridged",
  ]);
});

Deno.test("a call by REST ends at its time limit", async () => {
  await using app = new App({ "/person": '<Pause length="600"/>' });
  const simulator = app.simulator(shared());
  const call = simulator.dial({
    to: ANNA,
    from: LINE,
    timeLimit: 60,
    document: { twiml: '<Response><Pause length="600"/></Response>' },
  });
  const { durationSeconds, endedBy } = await call.done;
  assertEquals([durationSeconds, endedBy], [60, "app"]);
});

/** Rings telephones that Twilio is to judge, one a row. @returns what it said of each, and after how many seconds. */
async function judged(
  callees: readonly Callee[],
  mode: "Enable" | "DetectMessageEnd",
  isAsync: boolean,
) {
  await using app = new App({ "/person": '<Pause length="60"/>', "/verdict": "" });
  const simulator = app.simulator({
    ...shared(),
    exchange: new Exchange({ callsPerSecond: 1000 }),
    telephones: ({ to }) => personAt(callees[Number(to.slice(-2))]!),
  });
  const calls = callees.map((_, nth) =>
    simulator.dial({
      to: `+1555000110${nth}`,
      from: LINE,
      document: { url: `${app.base}/person`, method: "POST", params: {} },
      detection: {
        mode,
        ...(isAsync && { callback: { url: `${app.base}/verdict`, method: "POST" } }),
      },
    })
  );
  await Promise.all(calls.map(({ done }) => done));
  await simulator.settle();
  return calls.map(({ record }) => {
    const [verdict] = record.requestsTo(isAsync ? "/verdict" : "/person");
    const picked = record.startedAt.getTime() + 4000;
    assertEquals(verdict?.params.AnsweredBy, record.answeredBy);
    if (isAsync) assertEquals(record.requestsTo("/person").length, 1);
    return [
      record.answeredBy,
      verdict && Math.round((verdict.startedAt.getTime() - picked) / 100) / 10,
    ];
  });
}

const DETECTED: readonly Callee[] = [
  {},
  { answeredBy: "machine_end_beep" },
  { answeredBy: "machine_end_silence", detectedSeconds: 31 },
  { answeredBy: "unknown" },
  { answeredBy: "human", detectedSeconds: 9 },
  { answeredBy: "fax" },
];

Deno.test("an asynchronous verdict on who answers comes while the call goes on, at its own time", async () => {
  assertEquals(await judged(DETECTED, "Enable", true), [
    ["human", 1.5],
    ["machine_start", 2.4],
    ["machine_start", 30],
    ["unknown", 5],
    ["human", 9],
    ["fax", 3],
  ]);
  assertEquals(await judged(DETECTED, "DetectMessageEnd", true), [
    ["human", 1.5],
    ["machine_end_beep", 12],
    ["machine_start", 30],
    ["unknown", 5],
    ["human", 9],
    ["fax", 3],
  ]);
});

Deno.test("a synchronous verdict holds up the document that tells of it", async () => {
  assertEquals((await judged(DETECTED, "DetectMessageEnd", false)).slice(0, 2), [
    ["human", 1.5],
    ["machine_end_beep", 12],
  ]);
});

Deno.test("of a person who hangs up before the verdict there is none", async () => {
  assertEquals(await judged([{ staysSeconds: 1 }], "Enable", true), [[undefined, undefined]]);
});

Deno.test("a call whose turn would come after a day is given up then, and rings nobody", async () => {
  await using app = new App({ "/person": "<Hangup/>" });
  const simulator = app.simulator({
    ...shared(),
    exchange: new Exchange({ callsPerSecond: 1 / 90_000 }),
  });
  const [first, late] = [ring(simulator, app), ring(simulator, app)];
  await Promise.all([first.done, late.done]);
  await simulator.settle();
  assertEquals([first.record.status, late.record.status], ["completed", "canceled"]);
  assertEquals(statuses(app, late.record.callSid), ["canceled"]);
});

Deno.test("callbacks are lost as often as asked, and documents are not", async () => {
  await using app = new App({ "/person": "<Hangup/>" });
  const simulator = app.simulator({
    ...shared(),
    exchange: new Exchange({ callsPerSecond: 1000 }),
    delivery: { lost: 0.3 },
    seed: 7,
  });
  await Promise.all(Array.from({ length: 40 }, () => ring(simulator, app).done));
  await simulator.settle();
  assertEquals(app.to("/person").length, 40);
  const { length } = statuses(app);
  assertEquals(length > 80 && length < 144, true, `${length} of 160`);
});

Deno.test("the crowd of a campaign behaves by its numbers, a hundred in a row always the same", () => {
  const picture = new Map<string, number>();
  for (let nth = 0; nth < 10_000; nth++) {
    const callee = crowd(`+1403555${String(nth).padStart(4, "0")}`).onRing!(
      {} as RingOffer,
    ) as Callee;
    const what = callee.outcome ?? callee.answeredBy ?? "human";
    picture.set(what, (picture.get(what) ?? 0) + 1);
  }
  assertEquals(Object.fromEntries(picture), {
    "human": 5300,
    "unknown": 300,
    "machine_end_beep": 2000,
    "no-answer": 1500,
    "busy": 600,
    "failed": 200,
    "fax": 100,
  });
});
