import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { liveDeps as dispatchDeps } from "../../supabase/functions/alert-dispatch/deps.ts";
import {
  createHandler,
  type DispatchDeps,
} from "../../supabase/functions/alert-dispatch/handler.ts";
import { channelsOf } from "../../supabase/functions/_shared/alerts/channels.ts";
import { renderMail } from "../../supabase/functions/_shared/mail/render.ts";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { startTestStack, type TestStack } from "../support/database.ts";
import { closedPort } from "../support/fake_data_api.ts";
import { testSettings } from "../support/webhook.ts";

// The alerts of a real database, told to a Slack and a PagerDuty that listen here.

const SLACK_PATH = "/services/T000/B000/secret-of-the-webhook";
const ROUTING_KEY = "0123456789abcdef0123456789abcdef";

// deno-lint-ignore no-explicit-any
type Json = any;

interface World extends AsyncDisposable {
  readonly stack: TestStack;
  readonly slack: Json[];
  readonly pagerDuty: Json[];
  readonly lines: string[];
  /** What Slack answers. */
  slackStatus: number;
  healthy: boolean;
  /** Calls that Twilio refused in the last hour. */
  refusedCalls: number | null;
  dispatch(env?: Record<string, string>): Promise<Json>;
  /** Refusals in the last hour: a warning above 50. */
  refusals(count: number): Promise<void>;
  /** As if a channel that took nothing may be asked again. */
  nextMinute(): Promise<void>;
  /** As if ten minutes had passed since what does not fire was found quiet. */
  dwell(): Promise<void>;
}

async function world(): Promise<World> {
  const stack = await startTestStack({ functions: false });
  const slack: Json[] = [];
  const pagerDuty: Json[] = [];
  const lines: string[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const body = await request.json();
      if (new URL(request.url).pathname === SLACK_PATH) {
        if (self.slackStatus === 200) slack.push(body);
        return new Response(null, { status: self.slackStatus });
      }
      pagerDuty.push(body);
      return new Response("{}", { status: 202 });
    },
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  const self: World = {
    stack,
    slack,
    pagerDuty,
    lines,
    slackStatus: 200,
    healthy: true,
    refusedCalls: null,
    async dispatch(env = {}) {
      const settings = testSettings({
        SUPABASE_URL: stack.url,
        SUPABASE_SECRET_KEYS: JSON.stringify({ default: LOCAL_SECRET_KEY }),
        ALERT_SLACK_WEBHOOK_URL: url + SLACK_PATH,
        ALERT_PAGERDUTY_ROUTING_KEY: ROUTING_KEY,
        ...env,
      });
      const deps: DispatchDeps = {
        ...dispatchDeps(settings),
        channels: channelsOf(settings.alerts, { pagerDutyUrl: `${url}/v2/enqueue` }),
        askHealth: () =>
          Promise.resolve({
            healthy: self.healthy,
            failing: self.healthy ? [] : ["database"],
            refusedCalls: self.refusedCalls,
          }),
        log: (level, fields) => lines.push(`${level} ${JSON.stringify(fields)}`),
      };
      const response = await createHandler(deps)(request("POST", LOCAL_SECRET_KEY));
      assertEquals(response.status, 200);
      return await response.json();
    },
    async refusals(count) {
      await stack.db.sql`delete from rate_limit_refusals`;
      await stack.db.sql`
        insert into rate_limit_refusals
        values ('voice-frontdoor', 'caller', '+14165550123', date_trunc('minute', now()), ${count}, now())`;
    },
    async nextMinute() {
      await stack.db.sql`update job_kinds set held_until = held_until - interval '50 seconds'`;
    },
    async dwell() {
      await self.dispatch();
      await stack.db
        .sql`update alert_episodes set quiet_since = quiet_since - interval '10 minutes'`;
    },
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      await stack.stop();
    },
  };
  return self;
}

function request(method: string, key?: string): Request {
  return new Request("http://edge-runtime.supabase.com/alert-dispatch", {
    method,
    headers: key === undefined ? {} : { apikey: key },
  });
}

Deno.test("an alert sends one message when it fires and one when it recovers, however often it is evaluated", async () => {
  await using w = await world();
  assertEquals(await w.dispatch(), {
    healthy: true,
    firing: 0,
    changed: [],
    delivered: 0,
    failed: 0,
  });
  await w.refusals(51);
  assertEquals((await w.dispatch()).delivered, 1);
  for (let i = 0; i < 3; i++) assertEquals((await w.dispatch()).delivered, 0);
  await w.refusals(1);
  await w.dwell();
  assertEquals((await w.dispatch()).changed, [
    { alert: "rate_limit_violations", transition: "recovered" },
  ]);
  assertEquals(w.slack.map(({ text }) => text.split("\n")[0]), [
    ":warning: WARNING: The rate limit refuses many calls: 51 refusals, should be at most 50 refusals",
    ":white_check_mark: Recovered after 1 min: The rate limit refuses many calls: 1 refusal, should be at most 50 refusals",
  ]);
  assertEquals(
    w.slack[0].text.split("\n")[1],
    "Look at rate_limit_violations: one caller, or many. Runbook: docs/runbook.md#rate_limit_violations",
  );
  // A warning wakes nobody.
  assertEquals(w.pagerDuty, []);
});

Deno.test("what is critical pages, and its end resolves the same incident", async () => {
  await using w = await world();
  w.healthy = false;
  await w.dispatch();
  await w.stack.db.sql`update health_checks set checked_at = checked_at - interval '5 minutes'`;
  await w.dispatch({ RUNBOOK_URL: "https://example.com/runbook" });
  w.healthy = true;
  await w.dwell();
  await w.dispatch();
  const [trigger, resolve] = w.pagerDuty;
  assertEquals(w.pagerDuty.length, 2);
  assertEquals([trigger.event_action, trigger.routing_key], ["trigger", ROUTING_KEY]);
  assertEquals([trigger.payload.severity, trigger.payload.component], [
    "critical",
    "system_unhealthy",
  ]);
  assertMatch(
    trigger.payload.summary,
    /^CRITICAL: The health check fails: [\d.]+ minutes, should be less than 5 minutes$/,
  );
  assertEquals(trigger.links, [
    { href: "https://example.com/runbook#system_unhealthy", text: "Runbook" },
  ]);
  assertEquals([resolve.event_action, resolve.dedup_key], ["resolve", trigger.dedup_key]);
});

Deno.test("the next run sends a refused message, in order and once", async () => {
  await using w = await world();
  await w.refusals(51);
  w.slackStatus = 500;
  assertEquals((await w.dispatch()).failed, 1);
  await w.refusals(1);
  await w.dwell();
  await w.nextMinute();
  assertEquals((await w.dispatch()).failed, 2);
  w.slackStatus = 200;
  assertEquals((await w.dispatch()).delivered, 0, "not before the next minute");
  await w.nextMinute();
  assertEquals((await w.dispatch()).delivered, 2);
  assertEquals((await w.dispatch()).delivered, 0);
  assertMatch(w.slack[0].text, /^:warning:/);
  assertMatch(w.slack[1].text, /^:white_check_mark:/);
  const [run] = await w.stack.db.sql`
    select runs::int, failures::int from worker_runs where worker = 'alert-dispatch'`;
  assertEquals({ ...run }, { runs: 6, failures: 2 });
});

Deno.test("five runs at once tell it once", async () => {
  await using w = await world();
  await w.refusals(51);
  const runs = await Promise.all(Array.from({ length: 5 }, () => w.dispatch()));
  assertEquals(runs.reduce((sum, { delivered }) => sum + delivered, 0), 1);
  assertEquals(w.slack.length, 1);
});

Deno.test("with mail set up, it is owed as a mail too, and the mail says what to do", async () => {
  await using w = await world();
  await w.refusals(51);
  await w.dispatch();
  const owedMails = () =>
    w.stack.db.sql`select kind, key, payload from jobs where kind = 'mail_alert'`;
  assertEquals((await owedMails()).length, 0);
  await w.refusals(1);
  await w.dwell();
  await w.dispatch();
  await w.refusals(77);
  const mail = {
    RESEND_API_KEY: "re_test",
    FROM_EMAIL: "hotline@example.com",
    NOTIFY_TO: "office@example.com",
  };
  await w.dispatch(mail);
  await w.dispatch(mail);
  const owed = await owedMails();
  assertEquals(owed.length, 1);
  const letter = renderMail("mail_alert", owed[0]!.payload, {
    from: "hotline@example.com",
    notifyTo: "office@example.com",
    functionsUrl: "https://example.com/functions/v1",
    secretKey: "sb_secret_x",
    runbookUrl: "https://example.com/runbook",
  })!;
  assertEquals(
    letter.subject,
    "WARNING: The rate limit refuses many calls: 77 refusals, should be at most 50 refusals",
  );
  assertStringIncludes(letter.text, "Look at rate_limit_violations");
  assertStringIncludes(
    letter.text,
    "Runbook: https://example.com/runbook#rate_limit_violations",
  );
});

Deno.test("no log line holds the webhook's address, the routing key or a number", async () => {
  await using w = await world();
  await w.refusals(51);
  w.slackStatus = 404;
  await w.dispatch();
  assert(w.lines.some((line) => line.includes('"reason":"answered 404"')));
  await w.nextMinute();
  await w.dispatch({ ALERT_SLACK_WEBHOOK_URL: closedPort() + SLACK_PATH });
  const log = w.lines.join("\n");
  for (const secret of [SLACK_PATH, ROUTING_KEY, "+14165550123"]) {
    assertEquals(log.includes(secret), false);
  }
});

Deno.test("only an operator may ask for a run; without a database it says so", async () => {
  const settings = testSettings({ SUPABASE_URL: closedPort() });
  const lines: string[] = [];
  const handler = createHandler({
    ...dispatchDeps(settings),
    log: (level) => lines.push(level),
  });
  const status = async (method: string, key?: string) => {
    const response = await handler(request(method, key));
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await status("POST"), 401);
  assertEquals(await status("POST", "sb_secret_of_somebody"), 401);
  assertEquals(await status("GET", settings.secretKey), 405);
  // voice-health does not answer either, which is a verdict; the database is what fails.
  assertEquals(await status("POST", settings.secretKey), 503);
  assertEquals(lines, ["error"]);
});

Deno.test("a call that Twilio refuses for want of capacity pages", async () => {
  await using w = await world();
  w.refusedCalls = 0;
  await w.dispatch();
  assertEquals(w.pagerDuty, []);
  w.refusedCalls = 2;
  await w.dispatch();
  assertEquals(w.pagerDuty.map(({ payload }) => payload.summary), [
    "CRITICAL: Twilio refuses calls, as the account has too many at once: 2 calls, should be at most 0 calls",
  ]);
});

/** What Twilio's debugger and voice-health answer to dispatchDeps. */
async function verdict(health: unknown, alerts: () => Response) {
  const asked: URL[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const url = new URL(request.url);
    asked.push(url);
    return url.pathname === "/v1/Alerts" ? alerts() : Response.json(health);
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  const settings = testSettings({
    SUPABASE_URL: url,
    TWILIO_API_URL: url,
    TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`,
  });
  const answer = await dispatchDeps(settings).askHealth();
  await server.shutdown();
  return { ...answer, asked };
}

Deno.test("calls that Twilio refused for want of capacity are counted from its debugger, of the last hour", async () => {
  const entries = ["10004", "11200", "86008", null].map((error_code) => ({
    error_code,
    sid: "NO1",
  }));
  const { refusedCalls, asked } = await verdict(
    { checks: {} },
    () => Response.json({ alerts: entries, meta: { next_page_url: null } }),
  );
  assertEquals(refusedCalls, 2);
  const { searchParams } = asked.find(({ pathname }) => pathname === "/v1/Alerts")!;
  assertEquals(searchParams.get("LogLevel"), "error");
  const span = Date.now() - new Date(searchParams.get("StartDate")!).getTime();
  // To the second, and as long ago as the machine is slow.
  assert(span >= 3_600_000 && span < 4_200_000, String(span));
});

Deno.test("a Twilio that refuses, fails or says something else is no news of refused calls, and of health neither", async () => {
  for (
    const answer of [
      new Response(null, { status: 401 }),
      new Response(null, { status: 500 }),
      new Response("<html>"),
      Response.json({ alerts: "none" }),
    ]
  ) {
    // deno-lint-ignore no-await-in-loop -- few
    const { refusedCalls, healthy, failing } = await verdict({ checks: {} }, () => answer);
    assertEquals([refusedCalls, healthy, failing], [null, true, []]);
  }
});

Deno.test("only a check that is unhealthy keeps the alert about health alive: no alert, and no late worker", async () => {
  const status = (word: string) => ({ status: word });
  const checks = {
    database: status("unhealthy"),
    alerts: status("critical"),
    workers: status("late"),
    mail: status("healthy"),
  };
  const { failing } = await verdict({ checks }, () => new Response(null, { status: 404 }));
  assertEquals(failing, ["database"]);
});
