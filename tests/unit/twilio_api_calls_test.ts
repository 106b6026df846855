import { assertEquals } from "@std/assert/equals.js";
import { startTwilioApi } from "../../scripts/local/twilio_api.ts";
import { Exchange, scripted, Simulator, VirtualClock } from "../../scripts/phone/mod.ts";
import { App, TOKEN } from "../scripts/phone_app.ts";

const SID = `AC${"1".repeat(32)}`;
const LINE = "+15874059000";
const ANNA = "+15550001111";

/** The stand-in with a simulator's telephones behind it, and an app that it calls. */
async function withCalls(
  body: (place: {
    app: App;
    api: ReturnType<typeof startTwilioApi>;
    simulator: Simulator;
    ask(
      path: string,
      form?: Record<string, string | readonly string[]>,
    ): Promise<{ status: number; body: Record<string, unknown> }>;
  }) => Promise<void>,
  exchange = new Exchange(),
) {
  await using app = new App({
    "/voice": '<Enqueue waitUrl="/wait" action="/left">sales</Enqueue>',
    "/wait": '<Pause length="30"/>',
    "/left": "<Hangup/>",
    "/person": '<Pause length="60"/>',
    "/front": "<Say>You are next</Say>",
  });
  const simulator = new Simulator({
    accountSid: SID,
    authToken: TOKEN,
    voiceUrl: `${app.base}/voice`,
    clock: new VirtualClock(new Date("2026-01-05T15:00:00Z"), { shared: true }),
    telephones: () => scripted({}),
    exchange,
  });
  const api = startTwilioApi({ accountSid: SID, authToken: TOKEN });
  api.connect(SID, simulator);
  try {
    await body({
      app,
      api,
      simulator,
      async ask(path, form) {
        const params = new URLSearchParams();
        for (const [name, value] of Object.entries(form ?? {})) {
          for (const each of [value].flat()) params.append(name, each);
        }
        // Virtual time stands still for a request.
        return await simulator.clock.during(async () => {
          const response = await fetch(`${api.url}/2010-04-01/Accounts/${SID}${path}`, {
            headers: { authorization: `Basic ${btoa(`${SID}:${TOKEN}`)}` },
            ...(form && { method: "POST", body: params }),
          });
          return { status: response.status, body: await response.json() };
        });
      },
    });
  } finally {
    await simulator.settle();
    await api.stop();
  }
}

const create = (app: App, further: Record<string, string | readonly string[]> = {}) => ({
  To: ANNA,
  From: LINE,
  Url: `${app.base}/person`,
  StatusCallback: `${app.base}/status`,
  ...further,
});

Deno.test("a created call is queued, rings, and is found by its number, its status and its start", () =>
  withCalls(async ({ app, simulator, ask }) => {
    const events = ["initiated", "ringing", "answered", "completed"];
    const made = await simulator.clock.during(async () => [
      await ask("/Calls.json", create(app, { StatusCallbackEvent: events })),
      await ask("/Calls.json", create(app)),
    ]);
    assertEquals(made.map(({ status, body }) => [status, body.status, body.direction]), [
      [201, "queued", "outbound-api"],
      [201, "queued", "outbound-api"],
    ]);
    const listed = async (query: string) => {
      const { body } = await ask(`/Calls.json?${query}`);
      return (body.calls as { sid: string }[]).map(({ sid }) => sid);
    };
    const [first, second] = made.map(({ body }) => String(body.sid)) as [string, string];
    await simulator.clock.sleep(500);
    assertEquals(await listed(`To=${encodeURIComponent(ANNA)}&Status=queued`), [second]);
    assertEquals(await listed(`To=${encodeURIComponent(ANNA)}&StartTime%3E=2026-01-05T14:00:00Z`), [
      first,
    ]);
    assertEquals(await listed("StartTime=2026-01-04"), []);
    assertEquals(await listed(`To=${encodeURIComponent(LINE)}`), []);
    await simulator.settle();
    assertEquals((await ask(`/Calls/${second}.json`)).body.queue_time, "1000");
    const statuses = (sid: string) =>
      app.to("/status").filter(({ params }) => params.CallSid === sid)
        .map(({ params }) => params.CallStatus);
    assertEquals(statuses(first), ["initiated", "ringing", "in-progress", "completed"]);
    assertEquals(statuses(second), ["completed"]);
  }));

Deno.test("a call that was made while its answer got lost is found by its number, once lists show it", () =>
  withCalls(async ({ app, api, ask }) => {
    const answer = { status: 503, message: "lost" };
    api.inject({ method: "POST", path: /Calls$/, effect: true, listedAfter: 1, answer });
    assertEquals((await ask("/Calls.json", create(app))).status, 503);
    const found = async () =>
      ((await ask(`/Calls.json?To=${encodeURIComponent(ANNA)}`)).body.calls as unknown[]).length;
    assertEquals([await found(), await found()], [0, 1]);
  }));

Deno.test("what cannot be called is refused with Twilio's code", () =>
  withCalls(async ({ app, simulator, ask }) => {
    const caller = simulator.place({ from: "+14035550123", script: { hangupAt: 60_000 } });
    await simulator.clock.sleep(1000);
    const [token] = simulator.exchange.tokens.keys();
    const code = async (further: Record<string, string>) =>
      (await ask("/Calls.json", create(app, further))).body.code;
    assertEquals(await code({ To: "anonymous" }), 21211);
    assertEquals(await code({ To: "" }), 21201);
    assertEquals(await code({ From: "" }), 21213);
    assertEquals(await code({ Url: "nowhere" }), 21205);
    assertEquals(await code({ StatusCallbackEvent: "initiated ringing" }), 21626);
    assertEquals(await code({ MachineDetection: "true" }), 21260);
    assertEquals(await code({ MachineDetection: "Enable", AsyncAmd: "true" }), 21262);
    // The caller's number shows with the token of that call alone.
    assertEquals(await code({ From: "+14035550123" }), 21210);
    assertEquals(await code({ From: "+14035550123", CallToken: "another" }), 21210);
    assertEquals(await code({ From: "+14035550123", CallToken: token! }), undefined);
    await caller.done;
  }));

Deno.test("what machine detection says goes to its callback, and into the call", () =>
  withCalls(async ({ app, simulator, ask }) => {
    const asked = {
      MachineDetection: "DetectMessageEnd",
      AsyncAmd: "true",
      AsyncAmdStatusCallback: `${app.base}/verdict`,
      StatusCallbackEvent: [],
    };
    const sid = (await ask("/Calls.json", create(app, asked))).body.sid;
    await simulator.settle();
    const told = app.to("/verdict").map(({ params }) => [params.CallSid, params.AnsweredBy]);
    assertEquals(told, [[sid, "human"]]);
    assertEquals((await ask(`/Calls/${sid}.json`)).body.answered_by, "human");
  }));

Deno.test("an account that has all the calls it may have at once is refused another", () =>
  withCalls(
    async ({ app, simulator, ask }) => {
      const again = async () => (await ask("/Calls.json", create(app))).body.code;
      assertEquals([await again(), await again(), await again()], [undefined, undefined, 10004]);
      await simulator.settle();
      assertEquals(await again(), undefined);
    },
    new Exchange({ callsAtOnce: 2 }),
  ));

Deno.test("a call is ended and redirected by its sid, and not once it is over", () =>
  withCalls(async ({ app, simulator, ask }) => {
    const sid = (await ask("/Calls.json", create(app))).body.sid;
    const change = async (form: Record<string, string>) => {
      const { status, body } = await ask(`/Calls/${sid}.json`, form);
      return [status, body.code];
    };
    assertEquals(await change({ Url: `${app.base}/front` }), [400, 21220]);
    await simulator.clock.sleep(10_000);
    assertEquals(await change({ Status: "canceled" }), [400, 21220]);
    assertEquals(await change({ Twiml: "x".repeat(4001) }), [400, 32018]);
    assertEquals(await change({ Url: `${app.base}/front` }), [200, undefined]);
    await simulator.settle();
    assertEquals(app.to("/front").length, 1);
    assertEquals(await change({ Status: "completed" }), [400, 21220]);
  }));

Deno.test("a queue's members are told in order, and the first can be taken out by REST; an empty one is deleted", () =>
  withCalls(async ({ app, api, simulator, ask }) => {
    const callers = [];
    for (const from of ["+14035550101", "+14035550102"]) {
      callers.push(simulator.place({ from, script: { hangupAt: 90_000 } }));
      // deno-lint-ignore no-await-in-loop -- one after the other
      await simulator.clock.sleep(10_000);
    }
    const queues = (await ask("/Queues.json")).body.queues as Record<string, unknown>[];
    assertEquals(queues.map((queue) => [queue.friendly_name, queue.current_size]), [["sales", 2]]);
    const path = `/Queues/${queues[0]!.sid}/Members`;
    const members = (await ask(`${path}.json`)).body.queue_members as Record<string, unknown>[];
    assertEquals(
      members.map((member) => [member.call_sid, member.position]),
      callers.map(({ record }, at) => [record.callSid, at + 1]),
    );
    const remove = async () => {
      const url = `${api.url}/2010-04-01/Accounts/${SID}/Queues/${queues[0]!.sid}.json`;
      const authorization = `Basic ${btoa(`${SID}:${TOKEN}`)}`;
      const response = await simulator.clock.during(() =>
        fetch(url, { method: "DELETE", headers: { authorization } })
      );
      await response.body?.cancel();
      return response.status;
    };
    assertEquals(await remove(), 400);
    await ask(`${path}/Front.json`, { Url: `${app.base}/front` });
    const [first] = await Promise.all(callers.map(({ done }) => done));
    assertEquals(first?.spoken, ["You are next"]);
    assertEquals(app.to("/left").map(({ params }) => params.QueueResult), ["redirected", "hangup"]);
    assertEquals([await remove(), await remove()], [204, 404]);
  }));

Deno.test("a text is delivered and reported, until its reader answers with a stop word alone", () =>
  withCalls(async ({ app, api, ask }) => {
    const text = { To: ANNA, From: LINE, Body: "We missed your call" };
    const sent = await ask("/Messages.json", { ...text, StatusCallback: `${app.base}/sms` });
    assertEquals([sent.status, sent.body.status], [201, "queued"]);
    while (app.to("/sms").length < 2) await fetch(`${app.base}/poll`).then((r) => r.body?.cancel());
    assertEquals(app.to("/sms").map(({ params }) => params.MessageStatus), ["sent", "delivered"]);
    const code = async () => (await ask("/Messages.json", text)).body.code;
    api.text(SID, { from: ANNA, to: LINE, body: "please stop" });
    assertEquals(await code(), undefined);
    assertEquals(typeof api.text(SID, { from: ANNA, to: LINE, body: " Stop " }), "string");
    assertEquals(await code(), 21610);
    assertEquals((await ask("/Messages.json", { ...text, From: "+15874059001" })).status, 201);
    api.text(SID, { from: ANNA, to: LINE, body: "START" });
    assertEquals(await code(), undefined);
    assertEquals((await ask("/Messages.json", { ...text, Body: "" })).body.code, 21602);
  }));
