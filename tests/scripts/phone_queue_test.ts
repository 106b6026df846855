import { assertEquals } from "@std/assert/equals.js";
import {
  type CallRecord,
  type PlacedCall,
  scripted,
  type Simulator,
  VirtualClock,
} from "../../scripts/phone/mod.ts";
import { App, type Received } from "./phone_app.ts";

/** Calls that meet share their time. */
const shared = () => ({
  clock: new VirtualClock(new Date("2026-01-05T15:00:00Z"), { shared: true }),
});

const HOLD = '<Enqueue waitUrl="/wait" action="/left">sales</Enqueue><Say>Behind</Say>';
const MUSIC = '<Pause length="10"/>';
const AGENT = "+15550001111";

/** The app's document for a person whom it rings by REST. */
function agent(simulator: Simulator, app: App, path = "/agent"): PlacedCall {
  return simulator.dial({
    to: AGENT,
    from: "+15874059000",
    document: { url: `${app.base}${path}`, method: "POST", params: {} },
  });
}

function results(app: App) {
  return app.to("/left").map(({ params }) => params.QueueResult);
}

function bridgedWith(call: CallRecord) {
  return call.all("bridged").map((event) => event.with);
}

Deno.test("a held call asks its waitUrl again and again, each time with its place and its time", async () => {
  await using app = new App({ "/voice": HOLD, "/wait": MUSIC, "/left": "<Hangup/>" });
  const simulator = app.simulator(shared());
  const first = simulator.place({ script: { hangupAt: 35_000 } });
  const second = simulator.place({ script: { hangupAt: 15_000 } });
  await Promise.all([first.done, second.done]);
  const asked = app.to("/wait").filter(({ params }) => params.CallSid === first.record.callSid).map(
    ({ params }) => params,
  );
  assertEquals(
    asked.map((params) => [params.QueuePosition, params.QueueTime, params.CurrentQueueSize]),
    [["1", "0", "1"], ["1", "10", "2"], ["1", "20", "1"], ["1", "30", "1"]],
  );
  assertEquals(asked.map(({ AvgQueueTime }) => AvgQueueTime), ["0", "10", "20", "30"]);
  assertEquals(asked.map(({ MaxQueueSize }) => MaxQueueSize), Array(4).fill("1000"));
  assertEquals(
    new Set(asked.map(({ QueueSid }) => /^QU[0-9a-f]{32}$/.test(QueueSid!))),
    new Set([true]),
  );
  assertEquals(
    app.to("/wait").filter(({ params }) => params.CallSid === second.record.callSid)
      .map(({ params }) => params.QueuePosition),
    ["2", "2"],
  );
});

Deno.test("who hangs up while holding leaves the queue, and its action is told", async () => {
  await using app = new App({
    "/voice": HOLD,
    "/wait": MUSIC,
    "/left": "<Say>Nobody hears it</Say>",
  });
  const simulator = app.simulator(shared());
  const call = await simulator.call({ script: { hangupAt: 12_000 } });
  const [left] = app.to("/left");
  assertEquals(left?.params, {
    ...left?.params,
    QueueResult: "hangup",
    QueueTime: "12",
    CallStatus: "completed",
  });
  assertEquals([call.endedBy, call.spoken], ["caller", []]);
  assertEquals(
    simulator.exchange.queues(simulator.accountSid).map(({ members }) => members.length),
    [0],
  );
});

Deno.test("<Leave> leads to the action, or to the verb behind where there is none", async () => {
  const leaves = (_: Received, nth: number) => nth < 1 ? MUSIC : "<Leave/><Say>Never</Say>";
  await using app = new App({ "/voice": HOLD, "/wait": leaves, "/left": "<Say>Left</Say>" });
  const call = await app.simulator(shared()).call();
  assertEquals(app.to("/left").map(({ params }) => [params.QueueResult, params.QueueTime]), [
    ["leave", "10"],
  ]);
  assertEquals(call.spoken, ["Left"]);
  await using plain = new App({
    "/voice": '<Enqueue waitUrl="/wait">sales</Enqueue><Say>Behind</Say>',
    "/wait": leaves,
  });
  assertEquals((await plain.simulator(shared()).call()).spoken, ["Behind"]);
});

Deno.test("keys that are pressed while holding lead to a document that may leave the queue", async () => {
  await using app = new App({
    "/voice": HOLD,
    "/wait": '<Gather numDigits="1" timeout="2" action="/key"><Say>Press 1</Say></Gather>',
    "/key": ({ params }) => params.QueuePosition === "1" ? "<Leave/>" : "<Hangup/>",
    "/left": "<Say>Left</Say>",
  });
  const call = await app.simulator(shared()).call({ script: { keys: ["", "1"] } });
  assertEquals([call.spoken, results(app)], [["Press 1", "Press 1", "Left"], ["leave"]]);
});

Deno.test("a full queue takes nobody", async () => {
  await using app = new App({ "/voice": HOLD, "/wait": MUSIC, "/left": "<Hangup/>" });
  const simulator = app.simulator(shared());
  simulator.exchange.queueFor(simulator.accountSid, "sales", simulator.clock).maxSize = 1;
  const held = simulator.place({ script: { hangupAt: 60_000 } });
  const refused = simulator.place();
  await refused.done;
  const [left] = app.to("/left");
  assertEquals([left?.params.QueueResult, left?.params.QueueSid], ["queue-full", undefined]);
  held.hangUp();
  await held.done;
});

for (
  const [name, wait, result] of [
    ["holds a forbidden verb", "<Dial>+15550002222</Dial>", "error"],
    ["cannot be had", () => new Response("", { status: 500 }), "system-error"],
  ] as const
) {
  Deno.test(`a wait document that ${name} ends the waiting`, async () => {
    await using app = new App({ "/voice": HOLD, "/wait": wait, "/left": "<Say>Sorry</Say>" });
    const call = await app.simulator(shared()).call();
    assertEquals([results(app), call.spoken], [[result], ["Sorry"]]);
  });
}

Deno.test("<Dial><Queue> connects with those who wait in order of arrival; the caller's action comes after the talk", async () => {
  await using app = new App({
    "/voice": HOLD,
    "/wait": MUSIC,
    "/left": "<Say>Goodbye</Say>",
    "/agent": '<Dial action="/talked"><Queue url="/announce">sales</Queue></Dial>',
    "/announce": "<Say>Here is Anna</Say>",
    "/talked": "<Redirect>/agent</Redirect>",
  });
  const simulator = app.simulator({
    ...shared(),
    telephones: () => ({ ...scripted({}), onTalk: () => ({ talkSeconds: 60, endedBy: "caller" }) }),
  });
  const callers = [];
  for (const _ of Array(3)) {
    callers.push(simulator.place());
    // deno-lint-ignore no-await-in-loop -- one after the other
    await simulator.clock.sleep(1000);
  }
  const person = agent(simulator, app);
  const records = await Promise.all(callers.map(({ done }) => done));
  assertEquals(bridgedWith(person.record), records.map(({ callSid }) => callSid));
  assertEquals(records.map(({ spoken }) => spoken), Array(3).fill(["Here is Anna"]));
  const announced = app.to("/announce")[0]?.params;
  assertEquals([announced?.CallSid, announced?.DequeingCallSid], [
    records[0]?.callSid,
    person.record.callSid,
  ]);
  assertEquals(app.to("/left").map(({ params }) => [params.QueueResult, params.CallStatus]), [
    ...Array(3).fill(["bridged", "completed"]),
  ]);
  assertEquals(
    app.to("/talked").map(({ params }) => [params.DialCallStatus, params.DialCallDuration]).slice(
      0,
      3,
    ),
    Array(3).fill(["completed", "60"]),
  );
  person.hangUp();
  await person.done;
});

Deno.test("when the person hangs up, the caller goes on with the action's document", async () => {
  await using app = new App({
    "/voice": HOLD,
    "/wait": MUSIC,
    "/left": "<Say>How was it</Say>",
    "/agent": '<Dial action="/talked"><Queue>sales</Queue></Dial>',
  });
  const simulator = app.simulator({ ...shared(), callees: { [AGENT]: { talkSeconds: 30 } } });
  const caller = simulator.place();
  const person = agent(simulator, app);
  const [called, rang] = await Promise.all([caller.done, person.done]);
  assertEquals(called.spoken, ["How was it"]);
  assertEquals([rang.status, rang.endedBy, rang.durationSeconds], ["completed", "caller", 30]);
  assertEquals(app.to("/talked").map(({ params }) => params.DialBridged), ["true"]);
});

for (const hangupOnStar of [true, false]) {
  Deno.test(`a star of the person ${hangupOnStar ? "ends the talk and not the call" : "without hangupOnStar ends nothing alone"}`, async () => {
    await using app = new App({
      "/voice": HOLD,
      "/wait": MUSIC,
      "/left": "<Enqueue>parked</Enqueue>",
      "/agent":
        `<Dial hangupOnStar="${hangupOnStar}" timeLimit="90" action="/code"><Queue>sales</Queue></Dial>`,
      "/code": '<Gather numDigits="2" action="/transfer"/>',
      "/transfer": "<Dial><Queue>parked</Queue></Dial>",
    });
    let talks = 0;
    const simulator = app.simulator({
      ...shared(),
      telephones: () => ({
        ...scripted({ keys: ["21"] }),
        onTalk: () => ++talks === 1 ? { talkSeconds: 15, endedBy: "star" } : { talkSeconds: 5 },
      }),
    });
    const caller = simulator.place();
    const person = agent(simulator, app);
    await Promise.all([caller.done, person.done]);
    assertEquals(person.record.all("keys")[0]?.lost, !hangupOnStar);
    assertEquals(app.to("/transfer").map(({ params }) => params.Digits), ["21"]);
    assertEquals(app.to("/code")[0]?.params.DialCallDuration, hangupOnStar ? "15" : "90");
    assertEquals(bridgedWith(caller.record).length, 2);
  });
}

Deno.test("dialling an empty queue waits for somebody as long as the dial rings; one that there is not fails", async () => {
  await using app = new App({
    "/voice": HOLD,
    "/wait": MUSIC,
    "/left": "<Hangup/>",
    "/agent": '<Dial timeout="20" action="/talked"><Queue>sales</Queue></Dial>',
    "/talked": "<Hangup/>",
  });
  const simulator = app.simulator({ ...shared(), callees: { [AGENT]: { talkSeconds: 7 } } });
  const outcome = () => {
    const { DialCallStatus, DialBridged } = app.to("/talked").at(-1)?.params ?? {};
    return [DialCallStatus, DialBridged];
  };
  await agent(simulator, app).done;
  assertEquals(outcome(), ["failed", "false"]);
  await simulator.call({ script: { hangupAt: 1000 } });
  const waited = await agent(simulator, app).done;
  assertEquals([outcome(), waited.durationSeconds], [["no-answer", "false"], 20]);
  const served = agent(simulator, app);
  await simulator.clock.sleep(10_000);
  await Promise.all([simulator.call(), served.done]);
  assertEquals(outcome(), ["completed", "true"]);
});

Deno.test("a caller who is gone at the moment of being taken leaves the person with nobody", async () => {
  await using app = new App({
    "/voice": HOLD,
    "/wait": MUSIC,
    "/left": "<Hangup/>",
    "/agent": '<Dial action="/talked"><Queue url="/announce">sales</Queue></Dial>',
    "/announce": '<Pause length="5"/>',
    "/talked": "<Say>They are gone</Say>",
  });
  const simulator = app.simulator(shared());
  // The person answers after 4 s.
  const caller = simulator.place({ script: { hangupAt: 6000 } });
  const person = agent(simulator, app);
  const [, rang] = await Promise.all([caller.done, person.done]);
  assertEquals([rang.spoken, bridgedWith(rang)], [["They are gone"], []]);
  assertEquals(results(app), ["bridged"]);
});

Deno.test("a person who hangs up at the moment of taking leaves nobody behind in the queue", async () => {
  await using app = new App({
    "/voice": HOLD,
    "/wait": MUSIC,
    "/left": "<Say>Sorry</Say>",
    "/agent": '<Dial timeout="20" action="/talked"><Queue>sales</Queue></Dial>',
  });
  const simulator = app.simulator(shared());
  await simulator.call({ script: { hangupAt: 1000 } });
  const person = agent(simulator, app);
  await simulator.clock.sleep(10_000);
  const queue = simulator.exchange.queue(simulator.accountSid, "sales")!;
  const offer = queue.offer.bind(queue);
  // The caller is taken as it joins: the person is gone before anything follows from that.
  queue.offer = () => {
    offer();
    if (queue.members.length === 0) person.hangUp();
  };
  const [called, rang] = await Promise.all([simulator.call(), person.done]);
  assertEquals([called.spoken, rang.endedBy], [["Sorry"], "caller"]);
  assertEquals(results(app), ["hangup", "bridged"]);
});
