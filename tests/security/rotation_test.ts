// The auth token is replaced while calls go on: Twilio signs by the old one until the moment that it signs by the new.

import { assertEquals } from "@std/assert/equals.js";
import { createHandler } from "../../supabase/functions/voice-route/handler.ts";
import { AUTH_TOKEN, onTheLine, signedRequest, testDeps } from "../support/webhook.ts";

async function status(token: string, env: Record<string, string>): Promise<number> {
  const request = signedRequest("voice-route", onTheLine, { query: "?turn=1&attempt=1", token });
  const response = await createHandler(testDeps({ env }))(request);
  await response.body?.cancel();
  return response.status;
}

Deno.test("while a token is replaced, webhooks that the old or the new one signed are taken", async () => {
  const env = { TWILIO_AUTH_TOKEN: "the-new-one", TWILIO_AUTH_TOKEN_PREVIOUS: AUTH_TOKEN };
  assertEquals(await status("the-new-one", env), 200);
  assertEquals(await status(AUTH_TOKEN, env), 200);
  assertEquals(await status("some-other-one", env), 401);
});

Deno.test("once the old token is no longer set, what it signed is refused", async () => {
  for (const previous of ["", "  "]) {
    const env = { TWILIO_AUTH_TOKEN: "the-new-one", TWILIO_AUTH_TOKEN_PREVIOUS: previous };
    assertEquals(await status("the-new-one", env), 200);
    assertEquals(await status(AUTH_TOKEN, env), 401);
    assertEquals(await status("", env), 401);
  }
});
