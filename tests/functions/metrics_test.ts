import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertNotEquals } from "@std/assert/not_equals.js";
import { functionMetrics } from "../../supabase/functions/_shared/alerts/function_metrics.ts";
import type { FunctionMetricsRow } from "../../supabase/functions/_shared/db/metrics.ts";
import { logOf } from "../../supabase/functions/_shared/log.ts";
import { liveDeps as metricsDeps } from "../../supabase/functions/metrics/deps.ts";
import { createHandler } from "../../supabase/functions/metrics/handler.ts";
import { createHandler as statusHandler } from "../../supabase/functions/voice-status/handler.ts";
import { depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { withBackground } from "../support/background.ts";
import { startTestStack } from "../support/database.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";
import { closedPort } from "../support/fake_data_api.ts";
import { callReported, PUBLIC_URL, signedRequest, testSettings } from "../support/webhook.ts";
import { parseExposition } from "../support/exposition.ts";

const TOKEN = "a-token-of-sixteen-or-more";
const stack = await startTestStack({ functions: false });
Deno.test.afterAll(() => stack.stop());

const settings = testSettings({
  SUPABASE_URL: stack.url,
  SUPABASE_SECRET_KEYS: JSON.stringify({ default: LOCAL_SECRET_KEY }),
  METRICS_TOKEN: TOKEN,
  PUBLIC_FUNCTIONS_URL: PUBLIC_URL,
});
const handler = createHandler(metricsDeps(settings));
const scrape = (token?: string, method = "GET") =>
  handler(
    new Request("http://edge-runtime.supabase.com/metrics", {
      method,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    }),
  );

Deno.test("a scrape is Prometheus's text format, of one round trip", async () => {
  const sql = stack.db.sql;
  // Of other tests.
  await sql`delete from call_logs`;
  await sql`select accept_voice_event(${
    sql.json(voiceEvent(newCallSid(), { mode: "sales", mode_turn: 1 }) as never)
  })`;
  await sql`select run_alerts(true, '{}', '{}')`;
  const before = stack.dataApiRequests.length;
  const response = await scrape(TOKEN);
  assertEquals(response.status, 200);
  assertEquals(
    response.headers.get("content-type"),
    "text/plain; version=0.0.4; charset=utf-8",
  );
  assertEquals(stack.dataApiRequests.slice(before), ["POST /rest/v1/rpc/metrics_snapshot"]);
  const families = parseExposition(await response.text());
  const value = (name: string, labels = "") =>
    families.get(name)?.samples.find((sample) => sample.labels === labels)?.value;
  assertEquals(value("tradeline_active_calls"), 1);
  assertEquals(
    value("tradeline_recent_calls", 'window="1h",mode="sales",disposition="active"'),
    1,
  );
  assertEquals(value("tradeline_healthy"), 1);
  assertEquals(
    value("tradeline_alert_firing", 'alert="voicemail_backlog",severity="warning"'),
    0,
  );
  assertEquals(value("tradeline_alert_value", 'alert="voicemail_backlog"'), 0);
  // Too little to judge by: no value, rather than a nought.
  assertEquals(value("tradeline_alert_value", 'alert="call_success_rate"'), undefined);
  assert(value("tradeline_database_connections")! > 0);
});

Deno.test("the secret key or the metrics token lets in, nothing else does", async () => {
  const status = async (token?: string, method?: string) => {
    const response = await scrape(token, method);
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await status(LOCAL_SECRET_KEY), 200);
  assertEquals(await status(), 401);
  assertEquals(await status("another-token-of-16-characters"), 401);
  assertEquals(await status(TOKEN, "POST"), 405);
});

Deno.test("without a database a scrape fails, rather than to tell noughts", async () => {
  const deps = metricsDeps(testSettings({ SUPABASE_URL: closedPort() }));
  const response = await createHandler({ ...deps, log: () => {} })(
    new Request("http://edge-runtime.supabase.com/metrics", {
      headers: { apikey: deps.settings.secretKey },
    }),
  );
  assertEquals([response.status, await response.json()], [503, { error: "unavailable" }]);
});

const seen = (ms: number, outcome: "served" | "failed" | "refused" = "served") => ({
  function: "voice-status",
  outcome,
  databaseFailed: outcome === "failed",
  ms,
  databaseMs: 3,
});

Deno.test("requests are reported together, after a while, in the background", async () => {
  const sent: FunctionMetricsRow[][] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const waits: number[] = [];
  await withBackground(() => {
    const observe = functionMetrics({
      everyMs: 10_000,
      now: () => new Date("2026-03-04T05:06:59Z"),
      send: (rows) => Promise.resolve(void sent.push([...rows])),
      wait: (ms) => (waits.push(ms), promise),
    });
    for (const ms of [50, 51, 1999, 9000]) observe(seen(ms));
    observe(seen(10, "failed"));
    observe(seen(10, "refused"));
    assertEquals(sent, []);
    resolve();
    return Promise.resolve();
  });
  assertEquals(waits, [10_000]);
  assertEquals(sent, [[{
    minute: "2026-03-04T05:06:00.000Z",
    function: "voice-status",
    requests: 5,
    errors: 1,
    database_failures: 1,
    refused: 1,
    total_ms: 11_110,
    database_ms: 15,
    max_ms: 9000,
    le_50: 2,
    le_100: 3,
    le_250: 3,
    le_500: 3,
    le_1000: 3,
    le_2000: 4,
    le_5000: 4,
  }]]);
});

Deno.test("a batch that may have been taken goes again as it was, and what came since after it", async () => {
  const told: [requests: number, key: string][] = [];
  let answers = false;
  const observe = functionMetrics({
    everyMs: 1,
    send: ([row], key) => {
      told.push([row!.requests, key]);
      return answers ? Promise.resolve() : Promise.reject(new Error("no answer"));
    },
    now: () => new Date(0),
    wait: () => Promise.resolve(),
  });
  const seenOnce = () => withBackground(() => Promise.resolve(observe(seen(1))));
  await seenOnce();
  await seenOnce();
  answers = true;
  await seenOnce();
  const [first, last] = [told[0]![1], told.at(-1)![1]];
  assertEquals(told, [[1, first], [1, first], [1, first], [2, last]]);
  assertNotEquals(first, last);
});

Deno.test("a webhook is counted where that is switched on, apart from its one round trip", async () => {
  const signed = () => signedRequest("voice-status", callReported("ringing"));
  const unsigned = new Request("http://edge-runtime.supabase.com/voice-status", {
    method: "POST",
    body: new URLSearchParams(callReported("ringing")),
  });
  const deps = {
    ...depsFrom(settings),
    log: () => {},
  };
  assertEquals(deps.observe, undefined);
  const counted: unknown[] = [];
  const handle = statusHandler({
    ...deps,
    observe: ({ outcome, databaseFailed }) => counted.push([outcome, databaseFailed]),
  });
  const before = stack.dataApiRequests.length;
  for (const request of [signed(), unsigned]) await (await handle(request)).body?.cancel();
  assertEquals(stack.dataApiRequests.slice(before), ["POST /rest/v1/rpc/accept_voice_event"]);
  const down = statusHandler({
    ...deps,
    accept: () => Promise.resolve({ kind: "unavailable", reason: "TimeoutError" }),
    observe: ({ outcome, databaseFailed }) => counted.push([outcome, databaseFailed]),
  });
  await (await down(signed())).body?.cancel();
  assertEquals(counted, [["served", false], ["refused", false], ["failed", true]]);
  assert(depsFrom({ ...settings, metricsFlushSeconds: 10 }).observe !== undefined);
});

Deno.test("lines below LOG_LEVEL are not written, and errors reach Sentry masked", async () => {
  const received: { headers: Headers; body: string }[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      received.push({ headers: request.headers, body: await request.text() });
      return Response.json({});
    },
  );
  const written: string[] = [];
  const own = { log: console.log, error: console.error };
  console.log = console.error = (line: string) => void written.push(line);
  try {
    const { logLevel, sentry, environment } = testSettings({
      LOG_LEVEL: "warn",
      SENTRY_DSN: `http://publickey@127.0.0.1:${server.addr.port}/42`,
    });
    await withBackground(() => {
      const log = logOf({ logLevel, sentry, environment });
      log("info", { function: "voice-status" });
      log("warn", { function: "voice-status" });
      log("error", { function: "voice-status", reason: "no row for +15877428885" });
      return Promise.resolve();
    });
  } finally {
    Object.assign(console, own);
    await server.shutdown();
  }
  assertEquals(written.map((line) => JSON.parse(line).level), ["warn", "error"]);
  assertEquals(received.length, 1);
  const [header, item, event] = received[0]!.body.trim().split("\n").map((line) =>
    JSON.parse(line)
  );
  assertEquals(item, { type: "event" });
  assertEquals(header.event_id, event.event_id);
  assertEquals(event.message, "voice-status: no row for +1587***85");
  assert(received[0]!.headers.get("x-sentry-auth")!.includes("sentry_key=publickey"));
  assertEquals(received[0]!.body.includes("+15877428885"), false);
});

for (
  const [name, value] of [
    ["LOG_LEVEL", "loud"],
    ["SENTRY_DSN", "https://sentry.example.com/1"],
    ["METRICS_TOKEN", "short"],
    ["METRICS_FLUSH_SECONDS", "often"],
    ["ALERT_SLACK_WEBHOOK_URL", "slack"],
    ["ALERT_PAGERDUTY_ROUTING_KEY", "key"],
  ]
) {
  Deno.test(`${name} of "${value}" stops the start, by its name`, () => {
    let message = "";
    try {
      testSettings({ [name!]: value });
    } catch (error) {
      message = (error as Error).message;
    }
    assert(message.startsWith(`Cannot start: ${name} must be`), message);
  });
}
