import { assertEquals } from "@std/assert/equals.js";
import type { Ask } from "../../supabase/functions/_shared/calls/events.ts";
import { createHandler } from "../../supabase/functions/voice-frontdoor/handler.ts";
import { at, DIALS, DISCLOSED, DISCLOSURE, response, say } from "../support/expected.ts";
import {
  accepted,
  ACCOUNT_SID,
  CALL_SID,
  CALLER,
  incomingCall,
  LINE_NUMBER,
  PUBLIC_URL,
  RATE_LIMITED,
  signedRequest,
  testDeps,
  twiml,
  UNAVAILABLE,
} from "../support/webhook.ts";

const arrival = (changes: Record<string, string> = {}) =>
  signedRequest("voice-frontdoor", { ...incomingCall, ...changes });

const GREETING = "Thank you for calling TradeLine 24 7.";
const MENU =
  "For sales, press 1. For support, press 2. To leave a message, press 9. To hear this again, press star.";

const NEXT = `${PUBLIC_URL}/voice-consent-speech?${
  at("menu", 1)
}&amp;disclosed=${DISCLOSED}#rc=2&amp;rp=5xx,ct,rt&amp;ct=2000&amp;rt=6500`;
const HINTS =
  "sales,buy,purchase,quote,support,help,technical,service,message,voicemail,voice mail,no recording,don't record,yes record,I agree";
const WELCOME = response(
  say(GREETING),
  say(DISCLOSURE),
  '<Gather input="dtmf speech" numDigits="1" timeout="5" speechTimeout="2" ' +
    `hints="${HINTS}" ` +
    `language="en-US" action="${NEXT}" method="POST">${say(MENU)}</Gather>`,
  `<Redirect method="POST">${NEXT}</Redirect>`,
);

Deno.test("a caller hears the greeting, the disclosure and the question", async () => {
  const { xml } = await twiml(createHandler(testDeps()), arrival());
  assertEquals(xml, WELCOME);
});

const LINE_LIMIT = {
  identifier_type: "called",
  identifier: LINE_NUMBER,
  max: 1000,
  window_sec: 60,
};

const ACCOUNT = { TWILIO_ACCOUNT_SID: ACCOUNT_SID };

Deno.test("a deployment without Twilio's account says that it can dial nobody, and asks for no leave to", async () => {
  const deps = testDeps();
  await twiml(createHandler(deps), arrival());
  const { callable, cannot_dial, call_token } = deps.events[0]!.ask as Ask;
  assertEquals([callable, cannot_dial, call_token], [false, true, undefined]);
});

Deno.test("an arrival is recorded under the caller's limit and the line's, and decides nothing", async () => {
  const deps = testDeps({ env: ACCOUNT });
  await twiml(createHandler(deps), arrival());
  assertEquals(deps.events, [{
    operation: "voice-frontdoor",
    identity: "arrived",
    event: "arrived",
    call_sid: CALL_SID,
    leg_sid: CALL_SID,
    status: "ringing",
    call_status: "ringing",
    from_e164: CALLER,
    to_e164: LINE_NUMBER,
    occurred_at: "2026-03-04T05:06:07.000Z",
    limits: [
      { identifier_type: "caller", identifier: CALLER, max: 10, window_sec: 60 },
      LINE_LIMIT,
    ],
    ask: {
      line: LINE_NUMBER,
      have: [],
      ...DIALS.ask,
      callable: true,
      agent: { minutes: 600, cost_usd: 20, concurrent: 20, concurrent_line: 10 },
      call_token: incomingCall.CallToken,
      self: {},
    },
    meta: {},
  }]);
});

Deno.test("the disclosure is spoken before anything listens", async () => {
  const { verbs } = await twiml(createHandler(testDeps()), arrival());
  assertEquals(verbs.map(({ name }) => name), ["Say", "Say", "Gather", "Redirect"]);
  assertEquals(verbs[1]?.text, DISCLOSURE);
});

Deno.test("where only a yes agrees, the disclosure says so", async () => {
  const deps = testDeps({ env: { RECORDING_CONSENT: "opt_in" } });
  const { spoken } = await twiml(createHandler(deps), arrival());
  assertEquals(
    spoken[1],
    "With your agreement, this call is recorded, for quality and training. To agree, say yes, or press 3. Without it, nothing is recorded.",
  );
});

Deno.test("a caller over the limit hears so, and the call ends", async () => {
  const { xml } = await twiml(createHandler(testDeps({ outcome: RATE_LIMITED })), arrival());
  assertEquals(
    xml,
    response(
      say("There are too many calls right now. Please try again in a minute. Goodbye."),
      "<Hangup/>",
    ),
  );
});

Deno.test("without the database everybody is let in", async () => {
  const { xml } = await twiml(createHandler(testDeps({ outcome: UNAVAILABLE })), arrival());
  assertEquals(xml, WELCOME);
});

Deno.test("a copy of an arrival is answered as the first was", async () => {
  const { xml } = await twiml(
    createHandler(testDeps({ outcome: accepted({}, true) })),
    arrival(),
  );
  assertEquals(xml, WELCOME);
});

for (
  const From of ["anonymous", "Restricted", "+266696687", "", "client:desk", "sip:a@b.example"]
) {
  Deno.test(`a caller from "${From}" is served under the line's limit alone, and no number`, async () => {
    const deps = testDeps();
    const { xml } = await twiml(createHandler(deps), arrival({ From, Caller: From }));
    assertEquals(xml, WELCOME);
    assertEquals([deps.events[0]?.["limits"], deps.events[0]?.["from_e164"]], [
      [LINE_LIMIT],
      undefined,
    ]);
  });
}

Deno.test("the limit never counts by an address of Twilio's", async () => {
  const deps = testDeps();
  const headers = { "cf-connecting-ip": "54.172.60.1", "x-forwarded-for": "54.172.60.1" };
  await twiml(
    createHandler(deps),
    signedRequest("voice-frontdoor", { ...incomingCall, From: "" }, { headers }),
  );
  assertEquals(JSON.stringify(deps.events).includes("54.172"), false);
});

Deno.test("a call counts whose CallToken is longer than any that is kept", async () => {
  const deps = testDeps({ env: ACCOUNT });
  const { xml } = await twiml(createHandler(deps), arrival({ CallToken: "x".repeat(9000) }));
  assertEquals(xml, WELCOME);
  assertEquals((deps.events[0]!.ask as Ask).call_token, undefined);
});

Deno.test("a number that its network says is forged is not called back, and changes no availability", async () => {
  const asked = async (StirVerstat: string) => {
    const deps = testDeps({ env: ACCOUNT });
    await twiml(createHandler(deps), arrival({ StirVerstat }));
    const { callable, self } = deps.events[0]!.ask as Ask;
    return [callable, self !== undefined];
  };
  assertEquals(await asked("TN-Validation-Passed-A"), [true, true]);
  assertEquals(await asked("TN-Validation-Passed-B-Diverted"), [true, true]);
  assertEquals(await asked("TN-Validation-Passed-C"), [true, false]);
  assertEquals(await asked("No-TN-Validation"), [true, false]);
  assertEquals(await asked("TN-Validation-Failed-A"), [false, false]);
});
