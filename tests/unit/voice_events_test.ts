import { assertEquals } from "@std/assert/equals.js";
import type { VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import { voiceEvents } from "../../supabase/functions/_shared/db/voice_events.ts";
import { closedPort, fakeDataApi } from "../support/fake_data_api.ts";
import { CALL_SID } from "../support/webhook.ts";

const EVENT: VoiceEvent = {
  operation: "voice-status",
  identity: "only",
  call_sid: CALL_SID,
  leg_sid: CALL_SID,
  event: "status",
  occurred_at: "2026-03-04T05:06:07.000Z",
  mode: undefined,
  meta: {},
};
const CALL = { status: "completed", mode: "sales", consent_given: null };
const KEY = "sb_secret_of_the_tests";

Deno.test("an event is accepted in one request, under the secret key, without what it does not say", async () => {
  await using api = fakeDataApi(() =>
    Response.json({ duplicate: false, admitted: true, call: CALL })
  );
  const outcome = await voiceEvents(dataApi(api.url, KEY))(EVENT);
  assertEquals(outcome, { kind: "accepted", duplicate: false, call: CALL });
  const { mode: _, ...sent } = EVENT;
  assertEquals(
    api.calls.map(({ name, body }) => ({ name, body })),
    [{ name: "accept_voice_event", body: { p_event: sent } }],
  );
  assertEquals(api.calls[0]?.headers.get("apikey"), KEY);
  assertEquals(api.calls[0]?.headers.get("authorization"), null);
});

Deno.test("a legacy key, which is a JWT, is sent as a bearer too", async () => {
  await using api = fakeDataApi(() => Response.json({}));
  await voiceEvents(dataApi(api.url, "eyJhbGciOi.x.y"))(EVENT);
  assertEquals(api.calls[0]?.headers.get("authorization"), "Bearer eyJhbGciOi.x.y");
});

Deno.test("a copy is reported as a duplicate", async () => {
  await using api = fakeDataApi(() =>
    Response.json({ duplicate: true, admitted: true, call: CALL })
  );
  assertEquals(await voiceEvents(dataApi(api.url, KEY))(EVENT), {
    kind: "accepted",
    duplicate: true,
    call: CALL,
  });
});

Deno.test("an event that was not admitted is over its limit", async () => {
  await using api = fakeDataApi(() =>
    Response.json({ duplicate: false, admitted: false, call: CALL })
  );
  assertEquals(await voiceEvents(dataApi(api.url, KEY))(EVENT), { kind: "rate_limited" });
});

Deno.test("a call or line of another account is not a refused event", async () => {
  await using api = fakeDataApi(() => Response.json({ code: "PT403" }, { status: 403 }));
  assertEquals(await voiceEvents(dataApi(api.url, KEY))(EVENT), { kind: "foreign" });
});

for (
  const [status, code, expected] of [
    [409, "PT409", { kind: "conflict" }],
    [400, "23514", { kind: "refused", code: "23514" }],
    [401, "PGRST301", { kind: "unavailable", reason: "Data API 401 PGRST301" }],
    [404, "PGRST202", { kind: "unavailable", reason: "Data API 404 PGRST202" }],
    [500, "XX000", { kind: "unavailable", reason: "Data API 500 XX000" }],
    [503, "PGRST002", { kind: "unavailable", reason: "Data API 503 PGRST002" }],
  ] as const
) {
  Deno.test(`an answer of ${status} ${code} is ${expected.kind}, tried once`, async () => {
    await using api = fakeDataApi(() =>
      Response.json({ code, message: "+15877428885", details: null, hint: null }, { status })
    );
    assertEquals(await voiceEvents(dataApi(api.url, KEY))(EVENT), expected);
    assertEquals(api.calls.length, 1);
  });
}

Deno.test("an event that meets the making of its month is not at fault, and may come again", async () => {
  await using api = fakeDataApi(() =>
    Response.json({
      code: "23514",
      message: 'new row for relation "call_lifecycle_other" violates partition constraint',
    }, { status: 400 })
  );
  assertEquals(await voiceEvents(dataApi(api.url, KEY))(EVENT), {
    kind: "unavailable",
    reason: "Data API 400 23514",
  });
});

for (const body of ["null", "[]", '"ok"', "{}", '{"duplicate":false,"admitted":true}', "<html>"]) {
  Deno.test(`an answer of ${body} is none: nothing is known to be written`, async () => {
    await using api = fakeDataApi(() => new Response(body));
    const outcome = await voiceEvents(dataApi(api.url, KEY))(EVENT);
    assertEquals(outcome.kind, "unavailable");
  });
}

Deno.test("a database that does not answer is unavailable, and nothing is thrown", async () => {
  const outcome = await voiceEvents(dataApi(closedPort(), KEY))(EVENT);
  assertEquals(outcome.kind, "unavailable");
});

Deno.test("a database that does not answer is unavailable after the deadline", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  await using api = fakeDataApi(() => promise);
  const outcome = await voiceEvents(dataApi(api.url, KEY), 50)(EVENT);
  assertEquals(outcome.kind, "unavailable");
  resolve(Response.json({}));
});
