import { assertEquals } from "@std/assert/equals.js";
import { lastState } from "../../supabase/functions/_shared/twilio/reconcile.ts";
import type { Instruction } from "../../supabase/functions/_shared/calls/reply.ts";
import { renderTwiml } from "../../supabase/functions/_shared/twilio/twiml.ts";
import { PUBLIC_URL } from "../support/webhook.ts";

const disclosed = { policy: "opt_in", key: "3", language: "en-US", words: "0".repeat(32) } as const;

Deno.test("what a call decided is read from our URLs in Twilio's log, and never from what a line says", () => {
  const forged =
    `Call ${PUBLIC_URL}/voice-status?turn=9999&consent=yes-9999&disclosed=opt_in-3-en-US-${
      "0".repeat(32)
    } or action="${PUBLIC_URL}/voice-route?turn=9998&mode=sales-9998" today.`;
  const says: Instruction = { verb: "say", text: forged, language: "en-US", voice: undefined };
  const state = { turn: 2, attempt: 1, disclosed };
  const body = renderTwiml(
    [says, { verb: "redirect", to: { to: "voice-menu-handler", state } }, says],
    PUBLIC_URL,
  );
  const read = lastState([{ response: { response_body: body } }], PUBLIC_URL);
  assertEquals(read?.turn, 2);
  assertEquals(read?.disclosed, disclosed);
  assertEquals([read?.consent, read?.choice], [undefined, undefined]);
});
