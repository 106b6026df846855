import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertObjectMatch } from "@std/assert/object_match.js";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import { healthProbes } from "../../supabase/functions/_shared/db/health.ts";
import { SCHEMA_VERSION } from "../../supabase/functions/_shared/db/schema_version.ts";
import { formatLogLine } from "../../supabase/functions/_shared/log.ts";
import { createHandler } from "../../supabase/functions/voice-health/handler.ts";
import { closedPort, fakeDataApi, type RpcCall } from "../support/fake_data_api.ts";
import { ENVIRONMENT } from "../support/webhook.ts";

type Env = Record<string, string | undefined>;

const ACTIVITY = {
  calls_last_hour: 7,
  active_calls: 2,
  last_event_at: "2026-03-04T05:06:07+00:00",
};
const HEALTHY: Record<string, unknown> = {
  health_recent_activity: ACTIVITY,
  health_rate_limiter: true,
  health_migration: SCHEMA_VERSION,
};

/** A database that answers each probe with what is said of it here. */
const answering = (answers: Record<string, unknown>) => ({ name }: RpcCall) => {
  const answer = { ...HEALTHY, ...answers }[name];
  return answer instanceof Response ? answer : Response.json(answer);
};

const handlerFor = (env: Env, now = Date.now, lines: string[] = []) =>
  createHandler({
    env: (name) => ({ ...ENVIRONMENT, ...env })[name],
    connect: dataApi,
    log: () => (level, fields) => void lines.push(formatLogLine(new Date(0), level, fields)),
    now,
  });

const OPERATOR = { apikey: "sb_secret_of_the_tests" };

async function ask(
  handler: ReturnType<typeof createHandler>,
  method = "GET",
  headers: Record<string, string> = {},
  query = "",
) {
  const response = await handler(
    new Request(`http://edge-runtime.supabase.com/voice-health${query}`, { method, headers }),
  );
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

const worker = (age: number | null, late: boolean) => ({
  last_run_at: "2026-03-04T05:06:07+00:00",
  last_ok_at: age === null ? null : "2026-03-04T05:06:07+00:00",
  age_seconds: age,
  late,
});

const alertsFiring = (critical: number, warning: number) => ({
  critical,
  warning,
  firing: Array.from({ length: critical + warning }, (_, n) => `alert_${n}`),
});

/** The answer's body with its measured values checked for form, then left out. */
function checks(text: string) {
  const body = JSON.parse(text, (name, value) => {
    if (name !== "latency_ms") return value;
    assertEquals(Number.isInteger(value) && value >= 0, true);
    return undefined;
  });
  assertMatch(body.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  return { status: body.status, checks: body.checks };
}

Deno.test("healthy: an operator gets every check with its figures, with 200", async () => {
  await using api = fakeDataApi(answering({}));
  const handler = handlerFor({ SUPABASE_URL: api.url });
  const { status, headers, text } = await ask(handler, "GET", OPERATOR);
  assertEquals(status, 200);
  assertEquals(headers.get("cache-control"), "no-store");
  assertObjectMatch(checks(text), {
    status: "healthy",
    checks: {
      env: { status: "healthy" },
      database: { status: "healthy" },
      recent_activity: { status: "healthy", ...ACTIVITY },
      rate_limiter: { status: "healthy" },
      migrations: { status: "healthy", version: SCHEMA_VERSION, needed: SCHEMA_VERSION },
      dialling: { status: "healthy", missing: ["TWILIO_ACCOUNT_SID"] },
    },
  });
});

for (
  const [who, headers] of [["anybody", {}], ["a wrong key", { apikey: "sb_secret_x" }]] as const
) {
  Deno.test(`${who} gets each check's status and nothing more`, async () => {
    const figures = {
      ...ACTIVITY,
      connections: { used: 10, allowed: 60 },
      workers: { "notify-worker": worker(7, false) },
      alerts: { critical: 1, warning: 0, firing: ["error_rate"] },
    };
    await using api = fakeDataApi(answering({ health_recent_activity: figures }));
    const { status, text } = await ask(handlerFor({ SUPABASE_URL: api.url }), "GET", headers);
    const healthy = { status: "healthy" };
    assertEquals([status, checks(text)], [200, {
      status: "degraded",
      checks: {
        env: healthy,
        database: healthy,
        recent_activity: healthy,
        rate_limiter: healthy,
        migrations: healthy,
        mail: healthy,
        dialling: healthy,
        workers: healthy,
        alerts: { status: "critical" },
      },
    }]);
  });
}

for (
  const [what, activity, overall, words, strict] of [
    ["no alert", { alerts: alertsFiring(0, 0) }, "healthy", { alerts: "healthy" }, 200],
    ["a warning", { alerts: alertsFiring(0, 2) }, "healthy", { alerts: "warning" }, 200],
    ["a critical alert", { alerts: alertsFiring(3, 1) }, "degraded", { alerts: "critical" }, 503],
    ["workers in time", { workers: { a: worker(60, false) } }, "healthy", {
      workers: "healthy",
    }, 200],
    [
      "a scheduler that stopped",
      { workers: { a: worker(60, false), b: worker(9000, true) } },
      "degraded",
      {
        workers: "late",
      },
      503,
    ],
    ["a worker that never came to its end", { workers: { a: worker(null, true) } }, "degraded", {
      workers: "late",
    }, 503],
  ] as const
) {
  Deno.test(`${what}: calls are served, 200; ${overall}; a strict monitor gets ${strict}`, async () => {
    await using api = fakeDataApi(
      answering({ health_recent_activity: { ...ACTIVITY, ...activity } }),
    );
    const handler = handlerFor({ SUPABASE_URL: api.url });
    const { status, text } = await ask(handler);
    const body = checks(text);
    assertEquals([status, body.status], [200, overall]);
    for (const [check, word] of Object.entries(words)) {
      assertEquals(body.checks[check].status, word);
    }
    assertEquals((await ask(handler, "GET", {}, "?strict")).status, strict);
    const known = checks((await ask(handler, "GET", OPERATOR)).text).checks;
    if ("workers" in activity) assertEquals(known.workers.runs, activity.workers);
    else assertEquals(known.alerts.firing, activity.alerts.firing);
  });
}

Deno.test("a database that is down is unhealthy, with 503 and no raw error", async () => {
  const url = closedPort();
  const { status, text } = await ask(handlerFor({ SUPABASE_URL: url }));
  assertEquals(status, 503);
  const unhealthy = { status: "unhealthy" };
  assertObjectMatch(checks(text), {
    status: "unhealthy",
    checks: {
      env: { status: "healthy" },
      database: unhealthy,
      recent_activity: unhealthy,
      rate_limiter: unhealthy,
      migrations: unhealthy,
    },
  });
  assertEquals(/refused|connect|127\.0\.0\.1|sb_secret/i.test(text), false);
});

for (
  const [name, value] of [
    ["TWILIO_AUTH_TOKEN", undefined],
    ["BUSINESS_TARGET_E164", undefined],
    ["SUPABASE_URL", undefined],
    ["SUPABASE_SECRET_KEYS", undefined],
    ["BUSINESS_TARGET_E164", "4035559876"],
    ["SUPABASE_SECRET_KEYS", "sb_secret_without_json"],
    ["TWILIO_IP_ALLOWLIST", "not-an-address"],
  ] as const
) {
  Deno.test(`${name} ${value === undefined ? "missing" : `of "${value}"`} is unhealthy, by its name and not its value`, async () => {
    const { status, text } = await ask(handlerFor({ [name]: value }));
    assertEquals(status, 503);
    assertEquals(checks(text), {
      status: "unhealthy",
      checks: {
        env: { status: "unhealthy", setting: name },
        database: { status: "unhealthy" },
      },
    });
    if (value !== undefined) assertEquals(text.includes(value), false);
  });
}

for (
  const [what, answers, check] of [
    ["a probe that fails", {
      health_recent_activity: Response.json(
        { code: "42883", message: "raw error of the database" },
        { status: 404 },
      ),
    }, "recent_activity"],
    ["a limiter that refuses its own probe", { health_rate_limiter: false }, "rate_limiter"],
    ["a schema of before", { health_migration: "20200101000000" }, "migrations"],
  ] as const
) {
  Deno.test(`${what} makes ${check} unhealthy, with 503`, async () => {
    await using api = fakeDataApi(answering(answers));
    const { status, text } = await ask(handlerFor({ SUPABASE_URL: api.url }));
    assertEquals([status, checks(text).checks[check].status], [503, "unhealthy"]);
    assertEquals(text.includes("raw error"), false);
  });
}

Deno.test("why a check failed is in the log", async () => {
  const failed = Response.json({ code: "42501", message: "permission denied" }, { status: 403 });
  await using api = fakeDataApi(answering({ health_rate_limiter: failed }));
  const lines: string[] = [];
  await ask(handlerFor({ SUPABASE_URL: api.url }, Date.now, lines));
  const { level, check, reason } = JSON.parse(lines[0]!);
  assertEquals([lines.length, level, check, reason], [
    1,
    "error",
    "rate_limiter",
    "DatabaseFailure: Cannot run health_rate_limiter: the database answered 42501",
  ]);
});

Deno.test("an operator sees whether an allow-list is set", async () => {
  await using api = fakeDataApi(answering({}));
  for (const [list, expected] of [[undefined, false], ["203.0.113.0/24", true]] as const) {
    const handler = handlerFor({ SUPABASE_URL: api.url, TWILIO_IP_ALLOWLIST: list });
    // deno-lint-ignore no-await-in-loop
    const { text } = await ask(handler, "GET", OPERATOR);
    assertEquals(JSON.parse(text).checks.env.ip_allowlist, expected);
  }
});

Deno.test("a schema of later is healthy: migrations come before the functions that need them", async () => {
  await using api = fakeDataApi(answering({ health_migration: "29990101000000" }));
  assertEquals((await ask(handlerFor({ SUPABASE_URL: api.url }))).status, 200);
});

Deno.test("many who ask at once ask the database once", async () => {
  await using api = fakeDataApi(answering({}));
  const handler = handlerFor({ SUPABASE_URL: api.url });
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(handler)));
  assertEquals(answers.map(({ status }) => status), Array(50).fill(200));
  assertEquals(api.calls.map(({ name }) => name).sort(), Object.keys(HEALTHY).sort());
});

Deno.test("an answer is shared for 5 s, and then renewed", async () => {
  let down = true;
  let now = 1_000_000;
  await using api = fakeDataApi((call) =>
    down ? new Response(null, { status: 503 }) : answering({})(call)
  );
  const handler = handlerFor({ SUPABASE_URL: api.url }, () => now);
  const first = await ask(handler);
  assertEquals(first.status, 503);
  down = false;
  now += 4999;
  assertEquals([(await ask(handler)).text, api.calls.length], [first.text, 3]);
  assertEquals((await ask(handler, "GET", OPERATOR)).status, 503);
  now += 1;
  assertEquals([(await ask(handler)).status, api.calls.length], [200, 6]);
});

for (const method of ["POST", "PUT", "DELETE"]) {
  Deno.test(`${method} is refused with the allowed methods, and nothing is asked`, async () => {
    await using api = fakeDataApi(answering({}));
    const { status, headers } = await ask(handlerFor({ SUPABASE_URL: api.url }), method);
    assertEquals([status, headers.get("allow"), api.calls.length], [405, "GET, HEAD", 0]);
  });
}

Deno.test("the answer holds no secret and no phone number", async () => {
  await using api = fakeDataApi(answering({}));
  const { text } = await ask(handlerFor({ SUPABASE_URL: api.url }));
  for (const name of ["TWILIO_AUTH_TOKEN", "BUSINESS_TARGET_E164", "SALES_TARGET_E164"]) {
    assertEquals(text.includes(ENVIRONMENT[name]!), false);
  }
  assertEquals(text.includes("sb_secret"), false);
});

Deno.test("each probe has a deadline of its own", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  await using api = fakeDataApi((call) =>
    call.name === "health_rate_limiter" ? promise : answering({})(call)
  );
  const probes = healthProbes(dataApi(api.url, "sb_secret_x"), 200);
  const [activity, limiter] = await Promise.allSettled([
    probes.recentActivity(),
    probes.rateLimiter(),
  ]);
  assertEquals([activity.status, limiter.status], ["fulfilled", "rejected"]);
  resolve(Response.json(true));
});
