import { assertEquals } from "@std/assert/equals.js";
import { createHandler } from "../../supabase/functions/voice-route/handler.ts";
import {
  accepted,
  CALL_SID,
  CALLER,
  LINE_NUMBER,
  only,
  onTheLine,
  PUBLIC_URL,
  SALES,
  signedRequest,
  SUPPORT,
  testDeps,
  type TestDepsOptions,
  twiml,
  UNAVAILABLE,
} from "../support/webhook.ts";

async function route(query: string, options: TestDepsOptions = {}) {
  const deps = testDeps(options);
  const answer = await twiml(
    createHandler(deps),
    signedRequest("voice-route", onTheLine, { query }),
  );
  return { ...answer, event: deps.events[0]! };
}

const MENU = ["Gather", "Redirect: voice-menu-handler?turn=2&attempt=1"];

Deno.test("a call goes where the database says that it goes", async () => {
  const { xml } = await route("?turn=1&attempt=1", { outcome: accepted({ mode: "support" }) });
  const query = "turn=2&amp;attempt=1";
  assertEquals(
    xml,
    '<?xml version="1.0" encoding="UTF-8"?><Response>' +
      '<Say voice="Polly.Joanna" language="en-US">Connecting you to support.</Say>' +
      `<Dial action="${PUBLIC_URL}/voice-route-action?${query}#rc=2&amp;rp=5xx,ct,rt&amp;ct=2000&amp;rt=6500" ` +
      'method="POST" timeout="20">' +
      `<Number statusCallback="${PUBLIC_URL}/voice-status?${query}#rc=4&amp;rp=5xx,ct,rt" ` +
      'statusCallbackMethod="POST" statusCallbackEvent="initiated ringing answered completed">' +
      `${SUPPORT}</Number></Dial></Response>`,
  );
});

Deno.test("being routed is recorded, and decides nothing", async () => {
  const { event } = await route("?turn=1&attempt=1");
  assertEquals(event, {
    operation: "voice-route",
    identity: "turn-1",
    event: "route",
    call_sid: CALL_SID,
    leg_sid: CALL_SID,
    leg_status: "in-progress",
    call_status: "in-progress",
    from_e164: CALLER,
    to_e164: LINE_NUMBER,
    occurred_at: "2026-03-04T05:06:07.000Z",
    meta: {},
  });
});

Deno.test("the database's destination counts before the one of the URL", async () => {
  const { outline } = await route("?turn=1&attempt=1&mode=sales-1", {
    outcome: accepted({ mode: "support" }),
  });
  assertEquals(outline[1], `Dial: ${SUPPORT}`);
});

Deno.test("without the database the URL's destination is dialled, unrecorded", async () => {
  const answer = await route("?turn=1&attempt=1&consent=yes-1&mode=sales-1", {
    outcome: UNAVAILABLE,
  });
  assertEquals(answer.outline[1], `Dial: ${SALES}`);
  assertEquals(only(answer, "Dial").attributes["record"], undefined);
});

Deno.test("a call that agreed is recorded", async () => {
  const answer = await route("?turn=1&attempt=1", {
    outcome: accepted({ mode: "sales", consent_given: true }),
  });
  assertEquals(only(answer, "Dial").attributes["record"], "record-from-answer-dual");
});

Deno.test("a call whose destination is voicemail is asked for a message", async () => {
  const { verbs } = await route("?turn=1&attempt=1", { outcome: accepted({ mode: "voicemail" }) });
  assertEquals(verbs.map(({ name }) => name), ["Say", "Record", "Say", "Hangup"]);
});

for (const mode of ["menu", "a_department_of_last_year", "__proto__"]) {
  Deno.test(`a call whose destination is "${mode}" hears the menu`, async () => {
    assertEquals(
      (await route("?turn=1&attempt=1", { outcome: accepted({ mode }) })).outline,
      MENU,
    );
  });
}

Deno.test("without the database a call that chose nothing hears the menu", async () => {
  assertEquals((await route("?turn=1&attempt=1", { outcome: UNAVAILABLE })).outline, MENU);
});
