import { assertEquals } from "@std/assert/equals.js";
import { DatabaseFailure } from "../../supabase/functions/_shared/db/client.ts";
import { worker } from "../../supabase/functions/_shared/jobs/worker.ts";
import { withBackground } from "../support/background.ts";
import { testSettings } from "../support/webhook.ts";

// How a worker is called, whatever it does.

type Lines = [level: string, fields: Record<string, unknown>][];

const settings = testSettings();

const handlerOf = (run: () => Promise<unknown>, lines: Lines = []) =>
  worker("some-worker", {
    settings,
    retryAfterSec: 7,
    log: (level, fields) => lines.push([level, fields]),
  }, run);

function call(
  run: () => Promise<unknown>,
  headers: Record<string, string> = {},
  lines: Lines = [],
  handler = handlerOf(run, lines),
) {
  return handler(
    new Request("http://edge-runtime.supabase.com/some-worker", {
      method: "POST",
      headers: { apikey: settings.secretKey, ...headers },
    }),
  );
}

const ASYNC = { prefer: "respond-async" };

Deno.test("an operator gets the report of the run", async () => {
  const response = await call(() => Promise.resolve({ sent: 3 }));
  assertEquals([response.status, await response.json()], [200, { sent: 3 }]);
});

Deno.test("with Prefer: respond-async the answer is 202 while the run goes on, and the platform waits for its end", async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let ended = false;
  await withBackground(async () => {
    const response = await call(async () => {
      await released;
      ended = true;
    }, ASYNC);
    assertEquals([response.status, await response.json()], [202, { accepted: true }]);
    assertEquals(response.headers.get("preference-applied"), "respond-async");
    assertEquals(ended, false);
    release();
  });
  assertEquals(ended, true);
});

Deno.test("without the platform's waitUntil, in plain Deno, the run goes on too", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const response = await call(() => Promise.resolve(resolve()), ASYNC);
  await response.body?.cancel();
  await promise;
});

Deno.test("while a run goes on in the background the scheduler begins no second one; an operator does", async () => {
  let { promise: released, resolve: release } = Promise.withResolvers<void>();
  let runs = 0;
  const run = () => {
    runs++;
    return released.then(() => ({}));
  };
  const handler = handlerOf(run);
  const status = async (headers: Record<string, string>) => {
    const response = await call(run, headers, [], handler);
    await response.body?.cancel();
    return response.status;
  };
  await withBackground(async () => {
    assertEquals([await status(ASYNC), await status(ASYNC), runs], [202, 202, 1]);
    const waited = status({});
    assertEquals(runs, 2);
    release();
    assertEquals(await waited, 200);
  });
  ({ promise: released, resolve: release } = Promise.withResolvers<void>());
  await withBackground(async () => {
    assertEquals([await status(ASYNC), runs], [202, 3]);
    release();
  });
});

Deno.test("a failed run is logged: answered 503, or 202 before it with respond-async", async () => {
  const lines: Lines = [];
  const fail = () => Promise.reject(new DatabaseFailure("claim", ""));
  const waited = await call(fail, {}, lines);
  await waited.body?.cancel();
  assertEquals([waited.status, waited.headers.get("retry-after")], [503, "7"]);
  await withBackground(async () => {
    const answered = await call(fail, ASYNC, lines);
    await answered.body?.cancel();
    assertEquals(answered.status, 202);
  });
  const reason = "DatabaseFailure: Cannot run claim: the database answered nothing";
  assertEquals(lines.map(([level, fields]) => [level, fields["function"], fields["reason"]]), [
    ["error", "some-worker", reason],
    ["error", "some-worker", reason],
  ]);
});

Deno.test("who may not start it starts nothing, however the answer is preferred", async () => {
  let runs = 0;
  const response = await call(() => Promise.resolve(runs++), { ...ASYNC, apikey: "sb_secret_x" });
  await response.body?.cancel();
  assertEquals([response.status, runs], [401, 0]);
});

Deno.test("an unexpected error is 500 with a number that the log has too", async () => {
  const lines: Lines = [];
  const response = await call(() => Promise.reject(new TypeError("null is no row")), {}, lines);
  const { request_id } = lines[0]![1];
  assertEquals([response.status, await response.json()], [500, { error: "internal", request_id }]);
});
