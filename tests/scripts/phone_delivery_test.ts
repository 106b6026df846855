import { assertEquals } from "@std/assert/equals.js";
import { assertNotEquals } from "@std/assert/not_equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { validateRequest } from "twilio/lib/webhooks/webhooks.js";
import { connectionOverrides, type Delivery } from "../../scripts/phone/mod.ts";
import { cases } from "../support/cases.ts";
import { App, type Received, TOKEN } from "./phone_app.ts";

function isSigned({ headers, url, params, method }: Received, token = TOKEN): boolean {
  const signature = headers.get("x-twilio-signature") ?? "";
  return validateRequest(token, signature, url, method === "GET" ? {} : params);
}

const CALL = {
  "/voice": '<Gather input="dtmf speech" action="/menu?step=2#rc=2"/>',
  "/menu": '<Dial action="/after" method="GET" record="record-from-answer"' +
    ' recordingStatusCallback="/recording#rc=1"><Number statusCallback="/leg#rc=4&amp;rp=5xx"' +
    ' statusCallbackEvent="initiated ringing answered completed">+15550001111</Number></Dial>',
  "/after": '<Record action="/done" transcribe="true" transcribeCallback="/transcript"/>',
  "/done": "<Hangup/>",
};

Deno.test("every request is signed as twilio's own validator wants it", async () => {
  // A network takes no caller without a number, so the line shows its own.
  const menu = CALL["/menu"].replace("<Dial", '<Dial callerId="+15874059000"');
  await using app = new App({ ...CALL, "/menu": menu });
  const simulator = app.simulator();
  await simulator.call({
    from: "anonymous",
    script: {
      say: ["größer & 100 % = ça va?"],
      voicemail: { seconds: 5, end: "#", transcript: " ünïcode + spaces " },
    },
  });
  await simulator.settle();
  const paths = new Set(app.requests.map(({ path }) => path));
  assertEquals(paths.size, 8);
  for (const request of app.requests) {
    assertEquals(isSigned(request), true, request.path);
    assertEquals(isSigned(request, "another token"), false, request.path);
  }
});

Deno.test("a request looks like Twilio's", async () => {
  await using app = new App(CALL);
  await app.simulator({ headers: { "x-forwarded-for": "54.172.60.1" } }).call();
  const headers = app.requests[0]?.headers;
  assertEquals(
    ["content-type", "user-agent", "x-forwarded-for"].map((name) => headers?.get(name)),
    [
      "application/x-www-form-urlencoded; charset=UTF-8",
      "TwilioProxy/1.1",
      "54.172.60.1",
    ],
  );
  assertEquals(typeof headers?.get("i-twilio-idempotency-token"), "string");
});

Deno.test("a fragment is neither sent nor signed", async () => {
  await using app = new App(CALL);
  const simulator = app.simulator({ voiceUrl: `${app.base}/voice?line=a#rc=3&rp=all` });
  const call = await simulator.call();
  assertEquals(call.webhooks[0]?.url, `${app.base}/voice?line=a`);
  assertEquals(app.requests[0]?.url, `${app.base}/voice?line=a`);
});

Deno.test("without overrides a callback that is answered 5xx is lost", async () => {
  await using app = new App({
    "/voice": "<Hangup/>",
    "/status": () => new Response(null, { status: 503 }),
  });
  const simulator = app.simulator();
  await simulator.call();
  await simulator.settle();
  assertEquals(app.to("/status").length, 1);
});

Deno.test("overrides retry what they name, under the same idempotency token, and stop at success", async () => {
  const cases: [overrides: string, statuses: number[], requests: number][] = [
    ["#rc=4&rp=5xx,ct,rt", [503, 500, 204], 3],
    ["#rc=4&rp=5xx,ct,rt", [503, 503, 503, 503, 503, 503], 5],
    ["#rc=4&rp=5xx", [404, 204], 1],
    ["#rc=4&rp=4xx", [404, 429, 204], 3],
    ["#rc=2&rp=all", [500, 404, 500, 500], 3],
    ["#rc=0&rp=all", [500, 204], 1],
    ["#rc=9&rp=5xx", [500, 500, 500], 2],
  ];
  for (const [overrides, statuses, requests] of cases) {
    // deno-lint-ignore no-await-in-loop -- one app after the other
    await using app = new App({
      "/voice": "<Hangup/>",
      "/status": (_, nth) => new Response(null, { status: statuses[nth] ?? 204 }),
    });
    const simulator = app.simulator({ statusCallback: `${app.base}/status${overrides}` });
    // deno-lint-ignore no-await-in-loop
    const call = await simulator.call();
    // deno-lint-ignore no-await-in-loop
    await simulator.settle();
    const received = app.to("/status");
    assertEquals(received.length, requests, overrides);
    const tokens = received.map(({ headers }) => headers.get("i-twilio-idempotency-token"));
    assertEquals(new Set(tokens).size, 1);
    assertEquals(call.requestsTo("/status").map(({ attempt }) => attempt), [
      ...received.keys(),
    ]);
  }
});

Deno.test("a TwiML step is retried too when its URL says so: the caller notices nothing", async () => {
  await using app = new App({
    "/voice": (_, nth) => nth === 0 ? new Response("busy", { status: 503 }) : "<Say>Welcome</Say>",
  });
  const call = await app.simulator({ voiceUrl: `${app.base}/voice#rc=1&rp=5xx` }).call();
  assertEquals([call.spoken, call.applicationError], [["Welcome"], undefined]);
});

Deno.test("an answer that takes longer than the read timeout is none", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const late = () => released.then(() => new Response(null));
  await using app = new App({ "/voice": "<Hangup/>", "/status": late });
  const simulator = app.simulator({ statusCallback: `${app.base}/status#rt=100&rc=1&rp=rt` });
  const call = await simulator.call();
  await simulator.settle();
  assertEquals(
    call.requestsTo("/status").map(({ status, failure }) => [status, failure]),
    [[0, "timed out"], [0, "timed out"]],
  );
  release();
});

Deno.test("a refused connection is retried once by default", async () => {
  await using app = new App({ "/voice": "<Say>Welcome</Say>" });
  let failures = 1;
  const simulator = app.simulator({
    fetch: (url, init) =>
      failures-- > 0 ? Promise.reject(new TypeError("connection refused")) : fetch(url, init),
  });
  const call = await simulator.call();
  assertEquals(call.webhooks.filter(({ kind }) => kind === "twiml").map(({ status }) => status), [
    0,
    200,
  ]);
});

Deno.test("overrides out of range leave the default", () => {
  assertEquals(connectionOverrides("https://a.example/x#rc=6&rt=99&tt=abc"), {
    retries: 1,
    retryOn: new Set(["ct"]),
    readTimeoutMs: 15_000,
    totalTimeoutMs: 15_000,
  });
});

/** The order in which the callbacks of one call arrive, by what they say. */
async function arrivals(delivery: Delivery, seed: number): Promise<string[]> {
  await using app = new App(CALL);
  const simulator = app.simulator({ delivery, seed });
  await simulator.call({ script: { say: ["sales"], voicemail: { seconds: 5, end: "#" } } });
  await simulator.settle();
  assertEquals(app.requests.every((request) => isSigned(request)), true);
  return app.requests
    .filter(({ path }) => !(path in CALL))
    .map(({ path, params }) => `${path} ${params.CallStatus ?? params.RecordingStatus}`);
}

const IN_ORDER = [
  "/leg initiated",
  "/leg ringing",
  "/leg in-progress",
  "/leg completed",
  "/recording completed",
  "/status completed",
  "/transcript completed",
];

Deno.test("by default callbacks arrive at once and in order", async () => {
  assertEquals(await arrivals({}, 1), IN_ORDER);
});

Deno.test("shuffled callbacks are complete, come after the call, and follow from the seed", async () => {
  const first = await arrivals({ shuffle: true }, 7);
  assertEquals([...first].sort(), [...IN_ORDER].sort());
  assertNotEquals(first, IN_ORDER);
  assertEquals(await arrivals({ shuffle: true }, 7), first);
  assertNotEquals(await arrivals({ shuffle: true }, 8), first);
});

Deno.test("late callbacks overtake each other by the seed", async () => {
  const late = { late: { fromMs: 0, toMs: 120_000 } };
  const first = await arrivals(late, 3);
  assertEquals([...first].sort(), [...IN_ORDER].sort());
  assertNotEquals(first, IN_ORDER);
  assertEquals(await arrivals(late, 3), first);
});

Deno.test("duplicates come by count or by probability, by the seed", async () => {
  assertEquals(await arrivals({ duplicate: 2 }, 1), IN_ORDER.flatMap((each) => [each, each, each]));
  const some = await arrivals({ duplicate: 0.5 }, 5);
  assertEquals(some.length > IN_ORDER.length && some.length < 2 * IN_ORDER.length, true);
  assertEquals(await arrivals({ duplicate: 0.5 }, 5), some);
});

Deno.test("a duplicate is the same event under the same idempotency token", async () => {
  await using app = new App({ "/voice": "<Hangup/>" });
  const simulator = app.simulator({ delivery: { duplicate: 1, concurrent: true } });
  await simulator.call();
  await simulator.settle();
  const [one, two] = app.to("/status");
  assertEquals(one?.params, two?.params);
  const token = "i-twilio-idempotency-token";
  assertEquals(one?.headers.get(token), two?.headers.get(token));
});

Deno.test("duplicated steps go out at once; an app that answers them alike is not disturbed", async () => {
  await using app = new App(CALL);
  const call = await app.simulator({ duplicateSteps: 4 }).call({ script: { say: ["sales"] } });
  assertEquals(app.to("/voice").length, 5);
  assertEquals(app.to("/menu").length, 5);
  assertEquals(call.dialled, ["+15550001111"]);
});

Deno.test("an app that answers copies of one step differently is found out", async () => {
  await using app = new App({ "/voice": (_, nth) => `<Say>Caller ${nth}</Say>` });
  await assertRejects(
    () => app.simulator({ duplicateSteps: 1 }).call(),
    Error,
    "answered differently",
  );
});

Deno.test("a single request can be delivered, with headers of its own", async () => {
  await using app = new App({});
  const simulator = app.simulator();
  const url = `${app.base}/status`;
  await simulator.deliver(url, { CallSid: "CA1" });
  await simulator.deliver(url, { CallSid: "CA1" }, { "X-Twilio-Signature": "forged" });
  assertEquals(app.requests.map((request) => isSigned(request)), [true, false]);
});

const CALLS = cases(1000);

Deno.test("calls by the hundred end within seconds, each with its own timeline", async () => {
  await using app = new App(CALL);
  const simulator = app.simulator();
  const calls = await Promise.all(
    Array.from({ length: CALLS }, () => simulator.call({ script: { say: ["sales"] } })),
  );
  await simulator.settle();
  assertEquals(calls.every(({ status }) => status === "completed"), true);
  assertEquals(app.to("/status").length, CALLS);
});
