import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import fc from "fast-check";
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";
import { callbackUrl } from "../../supabase/functions/_shared/twilio/callback_url.ts";
import { isSignedByTwilio } from "../../supabase/functions/_shared/twilio/signature.ts";
import { AUTH_TOKEN, PUBLIC_URL } from "../support/webhook.ts";

const STATE = {
  turn: 3,
  attempt: 2,
  consent: { basis: "stayed", turn: 1 },
  choice: { mode: "sales", turn: 2 },
} as const;

Deno.test("a step's URL has Twilio try again while the caller waits", () => {
  assertEquals(
    callbackUrl(PUBLIC_URL, { to: "voice-route-action", state: STATE }, "step"),
    `${PUBLIC_URL}/voice-route-action?turn=3&attempt=2&consent=stayed-1&mode=sales-2#rc=2&rp=5xx,ct,rt&ct=2000&rt=6500`,
  );
});

Deno.test("a callback's URL has Twilio deliver again what could not be kept", () => {
  assertEquals(
    callbackUrl(
      PUBLIC_URL,
      { to: "voice-voicemail", state: STATE, event: "recording" },
      "callback",
    ),
    `${PUBLIC_URL}/voice-voicemail?event=recording&turn=3&attempt=2&consent=stayed-1&mode=sales-2#rc=4&rp=5xx,ct,rt`,
  );
});

const turn = fc.integer({ min: 0, max: 9999 });
const callback = fc.record({
  to: fc.constantFrom("voice-status" as const, "voice-voicemail" as const),
  event: fc.constantFrom("recorded", "recording", "transcription"),
  state: fc.record({
    turn,
    attempt: turn,
    consent: fc.record({ basis: fc.constantFrom("stayed" as const, "yes" as const), turn }),
    choice: fc.record({ mode: fc.stringMatching(/^[a-z][a-z0-9_]{0,31}$/), turn }),
  }),
});
const kind = fc.constantFrom("step" as const, "callback" as const);

Deno.test("every value of a callback URL is written without an encoding", () => {
  fc.assert(fc.property(callback, kind, (to, kind) => {
    const { search } = new URL(callbackUrl(PUBLIC_URL, to, kind));
    for (const pair of search.slice(1).split("&")) assertMatch(pair, /^[a-z]+=[A-Za-z0-9_-]+$/);
  }));
});

Deno.test("what Twilio signs is the URL without its fragment, as the function rebuilds it", () => {
  fc.assert(fc.property(callback, kind, (to, kind) => {
    const written = callbackUrl(PUBLIC_URL, to, kind);
    const called = written.slice(0, written.indexOf("#"));
    const seen = new URL(called.replace(PUBLIC_URL, "http://edge-runtime.supabase.com"));
    const signature = getExpectedTwilioSignature(AUTH_TOKEN, called, {});
    const rebuilt = `${PUBLIC_URL}${seen.pathname}${seen.search}`;
    assertEquals(isSignedByTwilio(AUTH_TOKEN, signature, rebuilt, {}), true);
    assertEquals(isSignedByTwilio(AUTH_TOKEN, signature, written, {}), false);
  }));
});

Deno.test("the overrides are in the fragment, which only Twilio reads", () => {
  fc.assert(fc.property(callback, kind, (to, kind) => {
    const url = new URL(callbackUrl(PUBLIC_URL, to, kind));
    assertEquals(["rc", "rp", "ct", "rt"].filter((name) => url.searchParams.has(name)), []);
    assertMatch(url.hash, /^#rc=[0-5]&rp=[45xctr,]+(&ct=\d+&rt=\d+)?$/);
  }));
});
