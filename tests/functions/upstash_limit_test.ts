// Calls limited by Upstash: the real client and limiter, over a real Redis and a real PostgreSQL, both
// reached by HTTP.

import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import type { AcceptOutcome } from "../../supabase/functions/_shared/calls/events.ts";
import { analyticsEvents } from "../../supabase/functions/_shared/db/analytics_events.ts";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import {
  type AcceptVoiceEvent,
  voiceEvents,
} from "../../supabase/functions/_shared/db/voice_events.ts";
import { depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { callLimits } from "../../supabase/functions/_shared/calls/call_limits.ts";
import {
  limitedBy,
  type LimiterOptions,
} from "../../supabase/functions/_shared/limits/limited_accept.ts";
import { upstashLimiter } from "../../supabase/functions/_shared/limits/upstash.ts";
import type { LogFields } from "../../supabase/functions/_shared/log.ts";
import { createHandler as frontdoor } from "../../supabase/functions/voice-frontdoor/handler.ts";
import { createHandler as status } from "../../supabase/functions/voice-status/handler.ts";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { withBackground } from "../support/background.ts";
import { startTestStack } from "../support/database.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";
import { later, redisTest, upstash } from "../support/redis.ts";
import {
  callReported,
  incomingCall,
  PUBLIC_URL,
  signedRequest,
  testSettings,
  twiml,
} from "../support/webhook.ts";

const stack = await startTestStack({ functions: false });
const { sql } = stack.db;
Deno.test.afterAll(() => stack.stop());

const SECOND = 1000;
const CEILING = { maxCallsPerMinute: 1000 };
/** No test of how many are let in is about how fast: a busy machine may take its time. */
const PATIENT = { deadlineMs: 30 * SECOND };
/** Nothing listens there. */
const NOWHERE = "http://127.0.0.1:9";

let numbers = 0;
/** A number that no other test of this file uses. */
const newNumber = () => `+1555${String(2_000_000 + numbers++)}`;

interface Server {
  readonly url: string;
  readonly token: string;
}

const local: Server = {
  url: upstash?.env.UPSTASH_REDIS_REST_URL ?? NOWHERE,
  token: upstash?.env.UPSTASH_REDIS_REST_TOKEN ?? "none",
};

interface Line {
  readonly accept: AcceptVoiceEvent;
  readonly logged: LogFields[];
}

/** One isolate's way to accept events; each has clients of its own. */
function isolate(
  server: Server = local,
  options: Partial<LimiterOptions> & { readonly databaseUrl?: string } = PATIENT,
): Line {
  const logged: LogFields[] = [];
  const api = dataApi(options.databaseUrl ?? stack.url, LOCAL_SECRET_KEY);
  const accept = limitedBy(
    upstashLimiter(server.url, server.token),
    voiceEvents(api, 30 * SECOND),
    {
      backend: "upstash",
      log: (_level, fields) => logged.push(fields),
      report: analyticsEvents(api),
      ...options,
    },
  );
  return { accept, logged };
}

/** A call's arrival, as voice-frontdoor has it accepted. */
function arrival(from: string, to = newNumber(), limits = callLimits(from, to, CEILING)) {
  const caller = from.startsWith("+") ? from : undefined;
  return voiceEvent(newCallSid(), { from_e164: caller, to_e164: to, limits });
}

const kinds = (outcomes: readonly AcceptOutcome[]) => ({
  accepted: outcomes.filter(({ kind }) => kind === "accepted").length,
  rate_limited: outcomes.filter(({ kind }) => kind === "rate_limited").length,
});

async function violations(identifier: string): Promise<[string, string, number][]> {
  const rows = await sql`
    select endpoint, identifier_type, violation_count::int as count
    from public.rate_limit_violations where identifier = ${identifier}`;
  return rows.map((row) => [row.endpoint, row.identifier_type, row.count]);
}

// --- how many are let in ------------------------------------------------------------------------------------

/** Lets time pass for the calls of both limiters. */
async function pass(seconds: number): Promise<void> {
  await later(upstash!, seconds);
  await sql`
    update rate_limit_windows set admitted_at =
      array(select t - make_interval(secs => ${seconds}) from unnest(admitted_at) as t)`;
}

/** So many calls of one caller, one after the other: which of them were let in. */
async function inTurn({ accept }: Line, caller: string, count: number): Promise<boolean[]> {
  const outcomes: AcceptOutcome[] = [];
  await withBackground(async () => {
    for (let i = 0; i < count; i++) outcomes.push(await accept(arrival(caller)));
  });
  return outcomes.map(({ kind }) => kind === "accepted");
}

/** So many calls of one caller at once, in ten isolates. */
async function atOnce(isolates: readonly Line[], caller: string, count: number) {
  const outcomes = await withBackground(() =>
    Promise.all(
      Array.from(
        { length: count },
        (_, i) => isolates[i % isolates.length]!.accept(arrival(caller)),
      ),
    )
  );
  return kinds(outcomes);
}

const tenIsolates = (...options: Parameters<typeof isolate>) =>
  Array.from({ length: 10 }, () => isolate(...options));

redisTest(
  "two hundred calls at once from one number: exactly ten are admitted, each refusal is recorded",
  async () => {
    const caller = newNumber();
    assertEquals(await atOnce(tenIsolates(), caller, 200), { accepted: 10, rate_limited: 190 });
    assertEquals(await violations(caller), [["voice-frontdoor", "caller", 190]]);
  },
);

redisTest(
  "two hundred at once, with Redis late for some: exactly ten are admitted",
  async () => {
    // Our own queue eats the time of most of them, as in a flood.
    const caller = newNumber();
    const isolates = tenIsolates(local, { deadlineMs: 20 });
    assertEquals(await atOnce(isolates, caller, 200), { accepted: 10, rate_limited: 190 });
  },
);

redisTest(
  "Redis is gone in the middle, and comes back empty: exactly ten of all are admitted",
  async () => {
    const caller = newNumber();
    const admitted = async (server?: Server) =>
      (await inTurn(isolate(server), caller, 6)).filter(Boolean).length;
    const before = await admitted();
    const during = await admitted({ url: NOWHERE, token: "token" });
    await later(upstash!, 3600);
    assertEquals([before, during, await admitted()], [6, 4, 0]);
  },
);

redisTest(
  "numbers that a sub-account says call it use up no caller's calls to others",
  async () => {
    const { accept } = isolate();
    const [caller, line] = [newNumber(), newNumber()];
    const account_sid = `AC${"7".repeat(32)}`;
    const outcomes = await withBackground(async () => [
      ...await Promise.all(
        Array.from({ length: 12 }, () => accept({ ...arrival(caller, line), account_sid })),
      ),
      ...await Promise.all(Array.from({ length: 10 }, () => accept(arrival(caller, line)))),
    ]);
    assertEquals(outcomes.filter(({ kind }) => kind === "foreign").length, 10);
    assertEquals(kinds(outcomes), { accepted: 10, rate_limited: 2 });
  },
);

redisTest("a hundred and twenty different callers of one number are all admitted", async () => {
  const { accept } = isolate();
  const line = newNumber();
  const outcomes = await withBackground(() =>
    Promise.all(Array.from({ length: 120 }, () => accept(arrival(newNumber(), line))))
  );
  assertEquals(kinds(outcomes), { accepted: 120, rate_limited: 0 });
});

redisTest(
  "in any 60 s ten are admitted: each place is free again 60 s after it was taken, refusals take none",
  async () => {
    const line = isolate();
    const caller = newNumber();
    const full = Array<boolean>(10).fill(true);
    assertEquals(await inTurn(line, caller, 12), [...full, false, false]);
    await pass(55);
    assertEquals(await inTurn(line, caller, 2), [false, false]);
    await pass(6);
    // 61 s after a full window all ten places are free, whatever minute of the clock it is.
    assertEquals(await inTurn(line, caller, 4), [true, true, true, true]);
    await pass(30);
    assertEquals(await inTurn(line, caller, 7), [...Array(6).fill(true), false]);
    await pass(31);
    assertEquals(await inTurn(line, caller, 5), [...Array(4).fill(true), false]);
  },
);

redisTest("the clocks of isolates play no part", async () => {
  const own = Date.now;
  const caller = newNumber();
  try {
    for (const ahead of [0, 3600, -3600]) {
      Date.now = () => own() + ahead * SECOND;
      assertEquals(
        await inTurn(isolate(), caller, 4),
        ahead < 0 ? [true, true, false, false] : [true, true, true, true],
      );
    }
  } finally {
    Date.now = own;
  }
});

// --- one count, one answer for all copies -------------------------------------------------------------------

redisTest(
  "ten copies of a call at once, in ten isolates, count once and are all answered alike",
  async () => {
    const caller = newNumber();
    const isolates = tenIsolates();
    for (let call = 1; call <= 12; call++) {
      const event = arrival(caller);
      const outcomes = await withBackground(() =>
        Promise.all(isolates.map(({ accept }) => accept(event)))
      );
      const expected = call <= 10
        ? { accepted: 10, rate_limited: 0 }
        : { accepted: 0, rate_limited: 10 };
      assertEquals(kinds(outcomes), expected, `call ${call}`);
    }
    assertEquals(isolates.flatMap(({ logged }) => logged), []);
    // Copies are refused alike, and recorded once.
    assertEquals(await violations(caller), [["voice-frontdoor", "caller", 2]]);
  },
);

redisTest(
  "a copy is answered as the first was, however full or empty the window is by then, with Redis or without",
  async () => {
    const { accept } = isolate();
    const away = isolate({ url: NOWHERE, token: "token" });
    const caller = newNumber();
    const events = Array.from({ length: 11 }, () => arrival(caller));
    for (const event of events) await withBackground(() => accept(event));
    const [first, last] = [events[0]!, events[10]!];
    await pass(300);
    assertEquals(await inTurn(isolate(), caller, 10), Array(10).fill(true));
    for (const line of [isolate(), away]) {
      assertEquals((await withBackground(() => line.accept(first))).kind, "accepted");
      assertEquals((await withBackground(() => line.accept(last))).kind, "rate_limited");
    }
  },
);

// --- what is kept of a refusal ------------------------------------------------------------------------------

/** The settings of a deployment on this file's database. */
const settingsWith = (changes: Record<string, string>) =>
  testSettings({
    SUPABASE_URL: stack.url,
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: LOCAL_SECRET_KEY }),
    PUBLIC_FUNCTIONS_URL: PUBLIC_URL,
    ...changes,
  });

redisTest(
  "a refused caller hears why, and the ended call's disposition is rate_limited",
  async () => {
    const settings = settingsWith({
      UPSTASH_REDIS_REST_URL: local.url,
      UPSTASH_REDIS_REST_TOKEN: local.token,
    });
    const deps = { ...depsFrom(settings), log: () => {} };
    const From = newNumber();
    const sids = Array.from({ length: 11 }, newCallSid);
    const heard: string[] = [];
    await withBackground(async () => {
      for (const CallSid of sids) {
        const request = signedRequest("voice-frontdoor", { ...incomingCall, CallSid, From });
        heard.push((await twiml(frontdoor(deps), request)).outline.at(-1)!.split(":")[0]!);
      }
    });
    assertEquals(heard, [...Array(10).fill("Redirect"), "Hangup"]);

    const ended = callReported("completed", { CallSid: sids[10]!, From, CallDuration: "6" });
    const { status: code } = await status(deps)(signedRequest("voice-status", ended));
    assertEquals(code, 204);
    const [call] = await sql`
    select rate_limited, disposition::text from public.call_logs where call_sid = ${sids[10]!}`;
    assertEquals({ ...call }, { rate_limited: true, disposition: "rate_limited" });
    assertEquals(await violations(From), [["voice-frontdoor", "caller", 1]]);
  },
);

redisTest(
  "the database down and Upstash refusing: refused, within the time of a step",
  async () => {
    const { accept, logged } = isolate(local, { databaseUrl: NOWHERE });
    const caller = newNumber();
    const outcomes: AcceptOutcome[] = [];
    const started = performance.now();
    await withBackground(async () => {
      for (let i = 0; i < 11; i++) outcomes.push(await accept(arrival(caller)));
    });
    assertEquals(outcomes.map(({ kind }) => kind), [
      ...Array(10).fill("unavailable"),
      "rate_limited",
    ]);
    assert(performance.now() - started < 15 * SECOND);
    assertEquals(logged, []);
  },
);

// --- Upstash away -------------------------------------------------------------------------------------------

/** What a server saw of one request. */
interface Seen {
  readonly path: string;
  readonly headers: readonly string[];
}

/** Answers every request with `response`. */
async function withServer(
  response: () => Response | Promise<Response>,
  test: (server: Server, requests: Seen[]) => Promise<void>,
): Promise<void> {
  const requests: Seen[] = [];
  const abort = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: abort.signal, onListen: () => {} },
    (request) => {
      requests.push({ path: new URL(request.url).pathname, headers: [...request.headers.keys()] });
      return response();
    },
  );
  try {
    await test({ url: `http://127.0.0.1:${server.addr.port}`, token: "token" }, requests);
  } finally {
    abort.abort();
    await server.finished;
  }
}

/** The database decides at the deadline, exactly, and it is told once a call to the log and to operators. */
async function assertDatabaseDecides(server: Server, reason: string): Promise<void> {
  const deadlineMs = 300;
  const { accept, logged } = isolate(server, { deadlineMs });
  const caller = newNumber();
  const event = arrival(caller);
  await sql`delete from public.analytics_events`;

  const started = performance.now();
  const outcome = await withBackground(async () => {
    const outcome = await accept(event);
    assert(performance.now() - started < deadlineMs + 10 * SECOND);
    return outcome;
  });
  assertEquals(outcome.kind, "accepted");
  assertEquals(logged.length, 1);
  assertEquals(
    [logged[0]!["outcome"], logged[0]!["reason"], logged[0]!["call_sid"]],
    ["rate_limiter_unavailable", reason, event.call_sid],
  );
  const rows = await sql`select event_type, severity, event_data from public.analytics_events`;
  assertEquals(rows.map((row) => ({ ...row })), [{
    event_type: "rate_limiter_unavailable",
    severity: "warning",
    event_data: { backend: "upstash", reason },
  }]);
  assertEquals(JSON.stringify([logged, rows]).includes(caller.slice(1)), false);

  // It was counted.
  const { accept: alone } = isolate({ url: NOWHERE, token: "token" });
  const others = await withBackground(() =>
    Promise.all(Array.from({ length: 20 }, () => alone(arrival(caller))))
  );
  assertEquals(kinds(others), { accepted: 9, rate_limited: 11 });
}

Deno.test("Upstash refuses connections: the database decides, and the outage is reported", async () => {
  await assertDatabaseDecides({ url: NOWHERE, token: "token" }, "TypeError");
});

Deno.test("Upstash takes the request and never answers: the database decides at the deadline", async () => {
  const never = Promise.withResolvers<Response>();
  await withServer(() => never.promise, async (server, requests) => {
    await assertDatabaseDecides(server, "TimeoutError");
    assertEquals(requests.length, 1);
  });
  never.resolve(new Response());
});

Deno.test("Upstash begins its answer and never ends it: the database decides at the deadline", async () => {
  const stalled = () =>
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(new TextEncoder().encode('{"result":')),
      }),
    );
  await withServer(stalled, (server) => assertDatabaseDecides(server, "TimeoutError"));
});

for (
  const [fault, response, reason] of [
    [
      "500 with JSON",
      () => Response.json({ error: "ERR internal" }, { status: 500 }),
      "UpstashError",
    ],
    [
      "500 with HTML",
      () => new Response("<h1>Oops</h1>", { status: 500 }),
      "UpstashJSONParseError",
    ],
    ["429", () => Response.json({ error: "ERR max requests" }, { status: 429 }), "UpstashError"],
    ["200 with no JSON", () => new Response("<h1>Welcome</h1>"), "UpstashJSONParseError"],
    ["200 with an empty object", () => Response.json({}), "TypeError"],
    ["200 with another result", () => Response.json({ result: "bm9uc2Vuc2U=" }), "TypeError"],
    ["200 with OK to everything", () => Response.json({ result: "OK" }), "TypeError"],
    ["200 with a list", () => Response.json({ result: ["LTE=", "LTE="] }), "TypeError"],
    ["200 with a limit that is none", () => Response.json({ result: 3 }), "TypeError"],
    ["200 with a number in quotes", () => Response.json({ result: "MQ==" }), "TypeError"],
  ] as const
) {
  Deno.test(`Upstash answers ${fault}: the database decides, and the outage is reported`, async () => {
    await withServer(response, (server) => assertDatabaseDecides(server, reason));
  });
}

redisTest(
  "a wrong token leaves it to the database, and the log has Upstash's words for it",
  async () => {
    await assertDatabaseDecides({ url: local.url, token: "wrong" }, "UpstashError");
    const { accept, logged } = isolate({ url: local.url, token: "wrong" });
    await withBackground(() => accept(arrival(newNumber())));
    assertEquals(logged[0]?.["detail"], "WRONGPASS invalid or missing auth token");
  },
);

Deno.test("Upstash and the database both away: the step learns it in time to serve the caller", async () => {
  const { accept, logged } = isolate({ url: NOWHERE, token: "token" }, { databaseUrl: NOWHERE });
  const started = performance.now();
  const outcome = await withBackground(() => accept(arrival(newNumber())));
  assertEquals(outcome.kind, "unavailable");
  assert(performance.now() - started < 15 * SECOND);
  assertEquals(logged.length, 1);
});

Deno.test("a command whose connection breaks is not sent again, as it may have counted", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let connections = 0;
  const serving = (async () => {
    for await (const connection of listener) {
      connections++;
      await connection.read(new Uint8Array(65_536));
      connection.close();
    }
  })();
  await assertDatabaseDecides(
    { url: `http://127.0.0.1:${listener.addr.port}`, token: "token" },
    "TypeError",
  );
  listener.close();
  await serving;
  assertEquals(connections, 1);
});

Deno.test("only what is needed is sent: no telemetry, one request a call", async () => {
  await withServer(() => Response.json({ result: 0 }), async (server, requests) => {
    await withBackground(() => isolate(server).accept(arrival(newNumber())));
    assertEquals(requests.map(({ path }) => path), ["/"]);
    const headers = requests.flatMap(({ headers }) => headers);
    assertEquals(headers.filter((name) => name.includes("telemetry")), []);
  });
});

// --- the ceiling of a number called -------------------------------------------------------------------------

const backends: [
  string,
  (name: string, test: () => Promise<void>) => void,
  () => AcceptVoiceEvent,
][] = [
  ["PostgreSQL", Deno.test, () => voiceEvents(dataApi(stack.url, LOCAL_SECRET_KEY), 30 * SECOND)],
  ["Upstash", redisTest, () => isolate().accept],
];

for (const [backend, test, acceptBy] of backends) {
  const ring = (accept: AcceptVoiceEvent, from: string, to: string) =>
    accept(arrival(from, to, callLimits(from, to, { maxCallsPerMinute: 20 })));

  test(`on ${backend}, distinct callers at once, withheld ones among them: as many as the ceiling are admitted`, async () => {
    const accept = acceptBy();
    const line = newNumber();
    const callers = Array.from({ length: 60 }, (_, i) => i % 2 ? newNumber() : "+266696687");
    const outcomes = await withBackground(() =>
      Promise.all(callers.map((from) => ring(accept, from, line)))
    );
    assertEquals(kinds(outcomes), { accepted: 20, rate_limited: 40 });
    assertEquals(await violations(line), [["voice-frontdoor", "called", 40]]);
  });

  test(`on ${backend}, one number's ceiling is not another's`, async () => {
    const accept = acceptBy();
    const outcomes = await withBackground(() =>
      Promise.all(Array.from({ length: 40 }, () => ring(accept, newNumber(), newNumber())))
    );
    assertEquals(kinds(outcomes), { accepted: 40, rate_limited: 0 });
  });

  test(`on ${backend}, a call that the ceiling refuses takes nothing from the caller's own ten`, async () => {
    const accept = acceptBy();
    const [line, other] = [newNumber(), newNumber()];
    const caller = newNumber();
    const rung = async (callers: string[], to: string) =>
      kinds(await withBackground(() => Promise.all(callers.map((from) => ring(accept, from, to)))));
    assertEquals(await rung(Array.from({ length: 20 }, newNumber), line), {
      accepted: 20,
      rate_limited: 0,
    });
    assertEquals(await rung(Array(10).fill(caller), line), { accepted: 0, rate_limited: 10 });
    assertEquals(await rung(Array(11).fill(caller), other), { accepted: 10, rate_limited: 1 });
    assertEquals(await violations(line), [["voice-frontdoor", "called", 10]]);
  });

  test(`on ${backend}, a caller who is refused takes nothing from the ceiling`, async () => {
    const accept = acceptBy();
    const line = newNumber();
    const robot = newNumber();
    const from = (callers: string[]) =>
      withBackground(() => Promise.all(callers.map((caller) => ring(accept, caller, line))));
    assertEquals(kinds(await from(Array(50).fill(robot))), { accepted: 10, rate_limited: 40 });
    const others = Array.from({ length: 12 }, newNumber);
    assertEquals(kinds(await from(others)), { accepted: 10, rate_limited: 2 });
    assertEquals(await violations(robot), [["voice-frontdoor", "caller", 40]]);
    assertEquals(await violations(line), [["voice-frontdoor", "called", 2]]);
  });

  test(`on ${backend}, a call that the line has no room for takes nothing from its caller's ten`, async () => {
    const accept = acceptBy();
    const full = newNumber();
    const caller = newNumber();
    const rings = (from: string, to: string, times: number) =>
      withBackground(() =>
        Promise.all(Array.from({ length: times }, () => ring(accept, from, to)))
      );
    await rings("+266696687", full, 20);
    assertEquals(kinds(await rings(caller, full, 15)), { accepted: 0, rate_limited: 15 });
    assertEquals(kinds(await rings(caller, newNumber(), 12)), { accepted: 10, rate_limited: 2 });
    assertEquals(await violations(full), [["voice-frontdoor", "called", 15]]);
  });
}

Deno.test("the setting reaches the front door: beyond MAX_CALLS_PER_MINUTE withheld callers are refused", async () => {
  const deps = { ...depsFrom(settingsWith({ MAX_CALLS_PER_MINUTE: "2" })), log: () => {} };
  const To = newNumber();
  const answers: string[] = [];
  for (let i = 0; i < 3; i++) {
    const call = { ...incomingCall, CallSid: newCallSid(), From: "+266696687", To };
    const { outline } = await twiml(frontdoor(deps), signedRequest("voice-frontdoor", call));
    answers.push(outline.at(-1)!.split(":")[0]!);
  }
  assertEquals(answers, ["Redirect", "Redirect", "Hangup"]);
});
