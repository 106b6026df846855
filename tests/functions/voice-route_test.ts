import { assertEquals } from "@std/assert/equals.js";
import { createHandler } from "../../supabase/functions/voice-route/handler.ts";
import { CALLER_ON_THE_LINE, dial, response, say } from "../support/expected.ts";
import {
  accepted,
  only,
  onTheLine,
  SALES,
  SUPPORT,
  takeStep,
  type TestDepsOptions,
  UNAVAILABLE,
} from "../support/webhook.ts";

const route = (query: string, options: TestDepsOptions = {}) =>
  takeStep("voice-route", createHandler, onTheLine, query, options);

const MENU = ["Gather", "Redirect: voice-menu-handler?turn=2&attempt=1"];

Deno.test("a call goes where the database says that it goes", async () => {
  const { xml } = await route("?turn=1&attempt=1", { outcome: accepted({ mode: "support" }) });
  assertEquals(
    xml,
    response(say("Connecting you to support."), dial(SUPPORT, "turn=2&amp;attempt=1")),
  );
});

Deno.test("being routed is recorded, and decides nothing", async () => {
  const { event } = await route("?turn=1&attempt=1");
  assertEquals(event, {
    operation: "voice-route",
    identity: "turn-1",
    event: "route",
    ...CALLER_ON_THE_LINE,
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
