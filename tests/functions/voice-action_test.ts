import { assertEquals } from "@std/assert/equals.js";
import { assertNotEquals } from "@std/assert/not_equals.js";
import { createHandler } from "../../supabase/functions/voice-action/handler.ts";
import { createHandler as routeAction } from "../../supabase/functions/voice-route-action/handler.ts";
import {
  at,
  CALLER_ON_THE_LINE,
  dial,
  DIALS,
  DISCLOSED,
  DISCLOSED_OPT_IN,
  FLOW,
  response,
  say,
} from "../support/expected.ts";
import {
  accepted,
  BUSINESS,
  only,
  onTheLine,
  type Params,
  pressed,
  signedRequest,
  takeStep,
  testDeps,
  type TestDepsOptions,
  twiml,
  UNAVAILABLE,
} from "../support/webhook.ts";

const TOLD = `?turn=4&attempt=1&disclosed=${DISCLOSED}`;

const press = (params: Params, query = "?turn=4&attempt=1", options: TestDepsOptions = {}) =>
  takeStep("voice-action", createHandler, params, query, options);

Deno.test("0 brings a person", async () => {
  const { xml } = await press(pressed("0"));
  assertEquals(
    xml,
    response(
      say("Connecting you to a person."),
      dial(BUSINESS, at("person", 5, "&amp;handoff=caller_asked_for_a_human")),
    ),
  );
});

Deno.test("asking for a person is recorded as a handoff", async () => {
  const { event } = await press(pressed("0"));
  assertEquals(event, {
    operation: "voice-action",
    identity: "turn-4",
    event: "key_pressed",
    ...DIALS,
    ...CALLER_ON_THE_LINE,
    handoff_reason: "caller_asked_for_a_human",
    meta: { digits: "0", flow: FLOW },
  });
});

Deno.test("a wish for a person that could not be stored comes with the next callback", async () => {
  const asked = await press(pressed("0"), undefined, { outcome: UNAVAILABLE });
  const { search } = new URL(String(only(asked, "Dial").attributes["action"]));
  const { event } = await takeStep("voice-route-action", routeAction, {
    ...onTheLine,
    DialCallStatus: "no-answer",
  }, search);
  assertEquals([event["event"], event["handoff_reason"]], [
    "dial_ended",
    "caller_asked_for_a_human",
  ]);
});

for (const params of [pressed("1"), pressed("00"), onTheLine]) {
  const what = "Digits" in params ? `key ${params.Digits}` : "no key";
  Deno.test(`${what} brings the menu, and is no handoff`, async () => {
    const { outline, event } = await press(params);
    assertEquals(outline, ["Gather", "Redirect: voice-menu-handler?turn=5&attempt=1"]);
    assertEquals(event["handoff_reason"], undefined);
  });
}

Deno.test("a person is dialled with recording only where the database knows of consent", async () => {
  const agreed = await press(pressed("0"), TOLD, {
    outcome: accepted({ consent_given: true }),
  });
  assertEquals(only(agreed, "Dial").attributes["record"], "record-from-answer-dual");
  const unknown = await press(pressed("0"), `${TOLD}&consent=yes-1`, {
    outcome: accepted({ consent_given: null }),
  });
  assertEquals(only(unknown, "Dial").attributes["record"], undefined);
});

Deno.test("without the database a person is still brought", async () => {
  const { outline } = await press(pressed("0"), undefined, { outcome: UNAVAILABLE });
  assertEquals(outline, ["Say: Connecting you to a person.", `Dial: ${BUSINESS}`]);
});

Deno.test("two keys of one call with the same URL are two events, however they were delivered", async () => {
  const deps = testDeps();
  const handler = createHandler(deps);
  // A first attempt may come without a token, and its retry with one.
  const deliveries = [["0", {}], ["0", { "i-twilio-idempotency-token": "retry-1" }], [
    "9",
    {},
  ]] as const;
  for (const [key, headers] of deliveries) {
    // deno-lint-ignore no-await-in-loop -- one key is pressed after the other
    await twiml(handler, signedRequest("voice-action", pressed(key), { headers }));
  }
  const [first, retry, other] = deps.events;
  assertEquals(retry, first);
  assertNotEquals(other?.["identity"], first?.["identity"]);
});

Deno.test("a key that refuses during the call outranks an earlier yes, and what follows is not recorded", async () => {
  const refused = await press(pressed("3"), `${TOLD}&consent=yes-3`);
  assertEquals(refused.outline, [
    "Say: Understood. This call will not be recorded.",
    "Gather",
    "Redirect: voice-menu-handler?turn=5&attempt=1&consent=no-4",
  ]);
  assertEquals([refused.event["consent_given"], refused.event["consent_order"]], [false, 12]);
});

Deno.test("a refusal without a turn outranks every yes", async () => {
  const { event } = await press(pressed("3"), "");
  assertEquals([event["consent_given"], event["consent_order"]], [false, 20002]);
});

Deno.test("no key during a call agrees to be recorded", async () => {
  for (const key of ["1", "3", "*", "7"]) {
    const query = `?turn=4&attempt=1&disclosed=${DISCLOSED_OPT_IN}`;
    assertEquals((await press(pressed(key), query)).event["consent_given"], undefined, key);
  }
});
