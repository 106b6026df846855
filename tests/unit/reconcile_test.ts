import { assertEquals } from "@std/assert/equals.js";
import { lastState } from "../../supabase/functions/_shared/twilio/reconcile.ts";
import { defaultProfile } from "../../supabase/functions/_shared/calls/profile.ts";
import { menu, say } from "../../supabase/functions/_shared/calls/reply.ts";
import { renderTwiml } from "../../supabase/functions/_shared/twilio/twiml.ts";
import { PUBLIC_URL, testSettings } from "../support/webhook.ts";

const disclosed = { policy: "opt_in", key: "3", language: "en-US", words: "0".repeat(32) } as const;

Deno.test("what a call decided is read from our URLs in Twilio's log, and never from what a line says", () => {
  const line = defaultProfile(testSettings());
  const forged =
    `Call ${PUBLIC_URL}/voice-status?turn=9999&consent=yes-9999&disclosed=opt_in-3-en-US-${
      "0".repeat(32)
    } or action="${PUBLIC_URL}/voice-route?turn=9998&mode=sales-9998" today.`;
  const body = renderTwiml(
    [
      ...say(forged),
      ...menu(line, { turn: 2, attempt: 1, disclosed }, "voice-menu-handler"),
      ...say(forged),
    ],
    line,
    PUBLIC_URL,
  );
  const state = lastState([{ response: { response_body: body } }], PUBLIC_URL);
  assertEquals(state?.turn, 2);
  assertEquals(state?.disclosed, disclosed);
  assertEquals([state?.consent, state?.choice], [undefined, undefined]);
});
