import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { holds, isOverloaded, type LoadReport, runLoad } from "../../scripts/load/load.ts";
import { runCommand } from "../support/command.ts";
import { startTestStack } from "../support/database.ts";
import { closedPort } from "../support/fake_data_api.ts";
import { App, TOKEN } from "./phone_app.ts";

const stack = await startTestStack();
const own = { log: console.log, error: console.error };
console.log = console.error = () => {};
Deno.test.afterAll(async () => {
  Object.assign(console, own);
  await stack.stop();
});

const load = (args: readonly string[], env: Record<string, string> = {}) =>
  runCommand("scripts/load/main.ts", args, {
    env: { TWILIO_AUTH_TOKEN: "local-auth-token", TRADELINE_API_PORT: "", ...env },
  });

/** Few calls, and over soon. */
const QUICK = ["--url", stack.url, "--ramp", "0.5", "--speed", "60", "--seed", "1"];

async function report(
  calls: number,
  env?: Record<string, string>,
): Promise<LoadReport & { code: number }> {
  const { code, out, err } = await load([...QUICK, "--json", "--calls", String(calls)], env);
  assertEquals(err, "", "nothing but the report");
  return { ...JSON.parse(out), code };
}

Deno.test("fifty callers at once are all served, and each call has the row of its branch", async () => {
  // Of other tests.
  await stack.db.sql`truncate call_logs, call_lifecycle cascade`;
  const { code, ...found } = await report(50);
  assertEquals([found.calls, found.successes, found.errors, found.open], [50, 50, [], 0]);
  assertEquals(code, 0);
  assert(found.peak > 10, `${found.peak} at once`);
  const { p50, p95, p99 } = found.webhookMs;
  assert(0 < p50 && p50 <= p95 && p95 <= p99);

  const rows = await stack.db.sql`
    select count(*)::int as calls, count(distinct from_e164)::int as callers,
      count(distinct disposition)::int as ends from call_logs`;
  assertEquals({ ...rows[0] }, { calls: 50, callers: 50, ends: 3 });
  const [events] = await stack.db.sql`select count(*)::int as n from call_lifecycle`;
  assert(found.webhooks >= events!.n, "copies are no events");
});

Deno.test("the summary has calls, success, webhooks a second, percentiles, errors and what is left open", async () => {
  const { code, out, err } = await load([...QUICK, "--calls", "5"]);
  assertEquals(code, 0, out);
  assertMatch(out, /^calls +5 in [\d.]+ s, at most [1-5] at once$/m);
  assertMatch(out, /^success +100\.00 %$/m);
  assertMatch(out, /^webhooks +\d+, \d+ a second$/m);
  assertMatch(out, /^webhook +p50 \d+ ms, p95 \d+ ms, p99 \d+ ms$/m);
  assertMatch(out, /^errors +0$/m);
  assertMatch(out, /^left open +0$/m);
  assertMatch(err, /^1 of 5 begun, 1 going on, 0 over, 0 webhooks$/m);
});

Deno.test("callers who are refused are no success: exit 1, with what was answered", async () => {
  const { code, ...found } = await report(4, { TWILIO_AUTH_TOKEN: "another" });
  assertEquals([code, found.successes, found.open], [1, 0, 4]);
  assertEquals(found.errors, [
    ["the caller heard Twilio's error 11200: voice-voicemail answered 401", 4],
  ]);
});

Deno.test("a call that is left open fails the run, however well its caller was served", async () => {
  await stack.db.sql.unsafe(`
    create function nobody_hangs_up() returns trigger language plpgsql as
      $$ begin new.status := 'in-progress'; new.ended_at := null; return new; end $$;
    create trigger nobody_hangs_up before insert or update on call_logs
      for each row execute function nobody_hangs_up()`);
  try {
    const { code, ...found } = await report(3);
    assertEquals([code, found.open, found.errors], [1, 3, [["the call is still open", 3]]]);
  } finally {
    await stack.db.sql.unsafe(
      "drop trigger nobody_hangs_up on call_logs; drop function nobody_hangs_up()",
    );
  }
});

Deno.test("callers who are served without the database are no success while their calls have no row", async () => {
  await stack.db.sql`alter function accept_voice_event(jsonb) rename to elsewhere`;
  try {
    const { code, ...found } = await report(3);
    assertEquals([code, found.successes, found.open], [1, 0, 3]);
    for (const [reason] of found.errors) {
      assertMatch(reason, /^never delivered: voice-\w+ answered 503$/);
    }
  } finally {
    await stack.db.sql`alter function elsewhere(jsonb) rename to accept_voice_event`;
  }
});

Deno.test("without a stack one line says what to do, and the exit code is 1", async () => {
  const url = `${closedPort()}/functions/v1`;
  const { code, out, err } = await load(["--url", url, "--calls", "3"]);
  assertEquals([code, out], [1, ""]);
  assertEquals(err, `Nothing answers at ${url}: run \`npx -y deno@2.9.6 task start\` first\n`);
});

Deno.test("a wrong secret key is reported, and not counted as open calls", async () => {
  const { code, out, err } = await load([...QUICK, "--calls", "1", "--json"], {
    SUPABASE_SERVICE_ROLE_KEY: "sb_secret_no",
  });
  assertEquals([code, out], [1, ""]);
  assertMatch(
    err,
    /^Cannot look the calls up at .*: it answered 401; is SUPABASE_SECRET_KEYS the project's\?\n$/,
  );
});

Deno.test("calls that are never over count, as errors and as left open, and an overloaded machine is named", async () => {
  await using app = new App({
    "/functions/v1/voice-frontdoor": '<Pause length="3600"/>',
    "/rest/v1/call_logs": () => Response.json([]),
  });
  const found = await runLoad({
    functionsUrl: `${app.base}/functions/v1`,
    authToken: TOKEN,
    secretKey: "sb_secret_x",
    calls: 3,
    rampSec: 0,
    speed: 1,
    seed: 1,
    patienceSec: 0.2,
  });
  assertEquals([found.calls, found.successes, found.open], [3, 0, 3]);
  assertEquals(found.errors, [["the call was not over after 0.2 s", 3]]);
  assertEquals(holds(found), false);
  const idle = { ...found, lagMs: 5, loadPerCore: 0.5 };
  assertEquals(isOverloaded(idle), false);
  assertEquals(isOverloaded({ ...idle, lagMs: 900 }), true);
  assertEquals(isOverloaded({ ...idle, loadPerCore: 4.5 }), true);
  assertEquals(isOverloaded({ ...idle, loadPerCore: 4.5, successes: 3, open: 0 }), false);
});
