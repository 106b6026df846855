// The security headers for browsers, and the release header for a deploy's smoke test.

import { assertEquals } from "@std/assert/equals.js";
import { join } from "@std/path/join.js";
import { functionsOf } from "../../scripts/deploy/deploy.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { RELEASE } from "../../supabase/functions/_shared/release.ts";
import { createHandler as voiceRoute } from "../../supabase/functions/voice-route/handler.ts";
import { createHandler as voiceStatus } from "../../supabase/functions/voice-status/handler.ts";
import { startTestStack } from "../support/database.ts";
import { callReported, onTheLine, signedRequest, testDeps } from "../support/webhook.ts";

const functions = await functionsOf(ROOT);

async function assertCareful(response: Response, what: string): Promise<void> {
  await response.body?.cancel();
  const header = (name: string) => response.headers.get(name);
  assertEquals(header("x-content-type-options"), "nosniff", what);
  assertEquals(header("referrer-policy"), "no-referrer", what);
  assertEquals(header("strict-transport-security"), "max-age=63072000", what);
  assertEquals(header("content-security-policy")?.startsWith("default-src 'none'"), true, what);
  assertEquals(header("server") ?? header("x-powered-by"), null, what);
}

Deno.test("every function's answers bear the security headers, and the refused ones the release", async () => {
  const stack = await startTestStack();
  const own = { log: console.log, error: console.error };
  console.log = console.error = () => {};
  try {
    for (const name of functions) {
      for (const method of ["GET", "POST", "OPTIONS", "DELETE"]) {
        const url = `${stack.url}/functions/v1/${name}`;
        // deno-lint-ignore no-await-in-loop -- One server, one after the other.
        const response = await fetch(url, { method });
        const { status } = response;
        // deno-lint-ignore no-await-in-loop
        await assertCareful(response, `${method} ${name}: ${status}`);
        if (status !== 204) assertEquals(response.headers.get("x-release"), RELEASE, name);
      }
    }
    const scraped = await fetch(`${stack.url}/functions/v1/metrics`, {
      headers: { apikey: "sb_secret_local" },
    });
    assertEquals(scraped.status, 200);
    await assertCareful(scraped, "metrics");
  } finally {
    Object.assign(console, own);
    await stack.stop();
  }
});

Deno.test("so do the answers to Twilio", async () => {
  const step = await voiceRoute(testDeps())(
    signedRequest("voice-route", onTheLine, { query: "?turn=1&attempt=1" }),
  );
  assertEquals(step.headers.get("content-type"), "text/xml; charset=utf-8");
  await assertCareful(step, "voice-route");
  const callback = await voiceStatus(testDeps())(
    signedRequest("voice-status", callReported("ringing")),
  );
  assertEquals(callback.status, 204);
  await assertCareful(callback, "voice-status");
});

Deno.test("a checkout's own code is of no release: only a deploy gives it one", async () => {
  assertEquals(RELEASE, "none");
  const text = await Deno.readTextFile(join(ROOT, "supabase/functions/_shared/release.ts"));
  assertEquals(text.match(/export const RELEASE\b.*$/gm), [
    'export const RELEASE: string = "none";',
  ]);
});
