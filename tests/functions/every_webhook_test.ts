// What holds for each webhook alike: who may call it, in which form, and what a failure of ours becomes.

import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  CALL_SID,
  CALLER,
  CONFLICT,
  FOREIGN,
  LINE_NUMBER,
  type Params,
  parseTwiml,
  REFUSED,
  type RequestOptions,
  signedRequest,
  testDeps,
  type TestDepsOptions,
  twiml,
  type TwimlAnswer,
  UNAVAILABLE,
} from "../support/webhook.ts";
import { asDocumented } from "../support/openapi.ts";
import { CALLBACKS, HOLDING, PERSONS, STEPS, type WebhookCase, WEBHOOKS } from "./cases.ts";

/** Faults of a request's form are answered to strangers too, because they are found before the body is read. */
const UNSIGNED = { "x-twilio-signature": undefined };

/** Has a webhook answered; parameters and request are the case's own unless changed. */
async function call(
  webhook: WebhookCase,
  options: RequestOptions & TestDepsOptions & { params?: Params } = {},
) {
  const deps = testDeps(options);
  const request = signedRequest(webhook.name, options.params ?? webhook.params, {
    query: webhook.query,
    ...options,
  });
  const response = await webhook.createHandler(deps)(request);
  await asDocumented(webhook.name, request.method, response);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, ...deps };
}

async function assertUnauthorized(answering: ReturnType<typeof call>) {
  const { status, text, headers, events } = await answering;
  assertEquals([status, text], [401, '{"error":"unauthorized"}']);
  assertEquals(headers.get("content-type"), "application/json");
  assertEquals(events, []);
}

for (const webhook of WEBHOOKS) {
  const { title, name, query } = webhook;

  // --- signed or nothing ------------------------------------------------------------------------------------

  Deno.test(`${title}: a request that Twilio signed is served`, async () => {
    const { status, events } = await call(webhook);
    assertEquals(status, CALLBACKS.includes(webhook) ? 204 : 200);
    assertEquals(events.length, 1);
  });

  Deno.test(`${title}: without a signature there is no answer and no effect`, async () => {
    await assertUnauthorized(call(webhook, { headers: { "x-twilio-signature": undefined } }));
  });

  Deno.test(`${title}: a signature by another token is refused`, async () => {
    await assertUnauthorized(call(webhook, { token: `${AUTH_TOKEN}0` }));
  });

  Deno.test(`${title}: a signature for another host is refused`, async () => {
    await assertUnauthorized(
      call(webhook, { publicUrl: "https://attacker.example/functions/v1" }),
    );
  });

  Deno.test(`${title}: a signature for the runtime's own address is refused`, async () => {
    await assertUnauthorized(call(webhook, { publicUrl: "http://edge-runtime.supabase.com" }));
  });

  Deno.test(`${title}: headers that name another host or scheme change nothing`, async () => {
    const forwarded = {
      "host": "attacker.example",
      "x-forwarded-host": "attacker.example",
      "x-forwarded-proto": "https",
    };
    assertEquals((await call(webhook, { headers: forwarded })).events.length, 1);
    await assertUnauthorized(
      call(webhook, { headers: forwarded, publicUrl: "https://attacker.example" }),
    );
  });

  Deno.test(`${title}: a signature does not pass for another query`, async () => {
    const signed = signedRequest(name, webhook.params, { query });
    const deps = testDeps();
    const moved = new Request(`${signed.url}${query === "" ? "?" : "&"}consent=yes-1`, signed);
    const response = await webhook.createHandler(deps)(moved);
    assertEquals([response.status, deps.events], [401, []]);
  });

  Deno.test(`${title}: a signature does not pass for changed parameters`, async () => {
    const { headers } = signedRequest(name, webhook.params, { query });
    await assertUnauthorized(call(webhook, {
      params: { ...webhook.params, From: "+19005550100" },
      headers: { "x-twilio-signature": headers.get("x-twilio-signature")! },
    }));
  });

  Deno.test(`${title}: an address that is not on the list is refused, signed or not`, async () => {
    const env = { TWILIO_IP_ALLOWLIST: "54.172.60.0/23" };
    const at = (address: string) => ({ "cf-connecting-ip": address });
    await assertUnauthorized(call(webhook, { env, headers: at("203.0.113.9") }));
    await assertUnauthorized(call(webhook, { env }));
    assertEquals((await call(webhook, { env, headers: at("54.172.61.1") })).events.length, 1);
  });

  Deno.test(`${title}: the sender's own word on its address does not count`, async () => {
    await assertUnauthorized(call(webhook, {
      env: { TWILIO_IP_ALLOWLIST: "54.172.60.0/23" },
      headers: { "x-forwarded-for": "54.172.60.1", "x-real-ip": "54.172.60.1" },
    }));
  });

  Deno.test(`${title}: an address in no known form is refused, and is no failure`, async () => {
    const env = { TWILIO_IP_ALLOWLIST: "54.172.60.0/23,fe80::/10" };
    for (const address of ["fe80::1%eth0", "54.172.60.1:80", "unknown"]) {
      await assertUnauthorized(call(webhook, { env, headers: { "cf-connecting-ip": address } }));
    }
  });

  Deno.test(`${title}: a call that is not the signer's own gets 403`, async () => {
    const { status, text, lines } = await call(webhook, { outcome: FOREIGN });
    assertEquals([status, text], [403, '{"error":"forbidden"}']);
    assertEquals(JSON.parse(lines[0]!).level, "warn");
  });

  Deno.test(`${title}: where insecure webhooks are allowed, no signature is needed`, async () => {
    const { events } = await call(webhook, {
      env: { ALLOW_INSECURE_TWILIO_WEBHOOKS: "true" },
      headers: { "x-twilio-signature": undefined },
    });
    assertEquals(events.length, 1);
  });

  // --- the form of a request --------------------------------------------------------------------------------

  for (const method of ["GET", "HEAD", "PUT", "DELETE", "PATCH"]) {
    Deno.test(`${title}: ${method} is refused with the allowed method`, async () => {
      const { status, headers, events } = await call(webhook, { method });
      assertEquals([status, headers.get("allow"), events], [405, "POST", []]);
    });
  }

  for (const type of ["application/json", "multipart/form-data; boundary=x", "text/plain", ""]) {
    Deno.test(`${title}: content of type "${type}" is not taken`, async () => {
      for (const stranger of [{}, UNSIGNED]) {
        const headers = { "content-type": type, ...stranger };
        const { status, events } = await call(webhook, { headers });
        assertEquals([status, events], [415, []]);
      }
    });
  }

  Deno.test(`${title}: a body that says it is over 64 KiB is not read`, async () => {
    for (const stranger of [{}, UNSIGNED]) {
      const { status, text, events } = await call(webhook, {
        headers: { "content-length": String(64 * 1024 + 1), ...stranger },
      });
      assertEquals([status, text, events], [413, '{"error":"payload_too_large"}', []]);
    }
  });

  Deno.test(`${title}: a body that is over 64 KiB without saying so is read no further`, async () => {
    const deps = testDeps();
    const { url, headers } = signedRequest(name, webhook.params, { query });
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 1;
        controller.enqueue(new Uint8Array(8 * 1024).fill(97));
      },
    });
    const response = await webhook.createHandler(deps)(
      new Request(url, { method: "POST", headers, body }),
    );
    assertEquals([response.status, deps.events], [413, []]);
    assertEquals(pulled <= 10, true);
  });

  Deno.test(`${title}: a body of just below 64 KiB is taken`, async () => {
    const { events } = await call(webhook, {
      params: { ...webhook.params, AddOns: "a".repeat(60 * 1024) },
    });
    assertEquals(events.length, 1);
  });

  for (
    const [what, body] of [
      ["of 201 parameters", Array.from({ length: 201 }, (_, n) => `p${n}=`).join("&")],
      ["of one parameter 201 times", "a=1&".repeat(201).slice(0, -1)],
      ["of nothing but separators", "&".repeat(60_000)],
      ["in 257 pieces", new Array<string>(257).fill("a")],
    ] as const
  ) {
    Deno.test(`${title}: a body ${what} is refused, and has no effect`, async () => {
      const { url, headers } = signedRequest(name, webhook.params, { query });
      const pieces = [body].flat().map((piece) => new TextEncoder().encode(piece));
      const deps = testDeps();
      const response = await webhook.createHandler(deps)(
        new Request(url, { method: "POST", headers, body: ReadableStream.from(pieces) }),
      );
      assertEquals([response.status, deps.events], [413, []]);
    });
  }

  Deno.test(`${title}: 200 parameters are accepted, repeated ones too`, async () => {
    const own = Object.entries(webhook.params);
    const more = Array.from({ length: 200 - own.length }, (_, n) => [`p${n % 9}`, `${n}`] as const);
    const params: [string, string][] = [...own, ...more.map(([k, v]): [string, string] => [k, v])];
    assertEquals((await call(webhook, { params })).events.length, 1);
  });

  Deno.test(`${title}: a query that no URL of ours has is refused`, async () => {
    const { status, events } = await call(webhook, {
      query: `${query || "?"}&x=${"x".repeat(4000)}`,
    });
    assertEquals([status, events], [414, []]);
  });

  for (
    const [what, env, headers] of [
      ["without a signature", {}, { "x-twilio-signature": undefined }],
      ["with what is no signature", {}, { "x-twilio-signature": "a".repeat(28) }],
      ["from an address that is not on the list", { TWILIO_IP_ALLOWLIST: "203.0.113.0/24" }, {}],
    ] as const
  ) {
    Deno.test(`${title}: of a request ${what} the body is not read`, async () => {
      const signed = signedRequest(name, webhook.params, { query, headers });
      let read = false;
      const body = new ReadableStream({
        pull(controller) {
          read = true;
          controller.close();
        },
      }, { highWaterMark: 0 });
      const response = await webhook.createHandler(testDeps({ env }))(
        new Request(signed.url, { method: "POST", headers: signed.headers, body }),
      );
      assertEquals([response.status, read], [401, false]);
    });
  }

  // --- nothing personal in the log --------------------------------------------------------------------------

  for (
    const [what, options] of [
      ["served", {}],
      ["unavailable", { outcome: UNAVAILABLE }],
      ["refused", { outcome: REFUSED }],
      ["failed", {
        outcome: new Error(`no row of ${CALLER} for jane.doe@example.com at ${LINE_NUMBER}`),
      }],
      ["malformed", { params: { ...webhook.params, ParentCallSid: "+14165550123 says hi" } }],
      ["unauthorized", { token: "another" }],
    ] as const satisfies readonly (readonly [string, Parameters<typeof call>[1]])[]
  ) {
    Deno.test(`${title}: the log line of a request that is ${what} holds nothing personal`, async () => {
      const own: Params = "params" in options ? options.params : webhook.params;
      const { lines } = await call(webhook, {
        ...options,
        params: {
          ...own,
          Digits: "4242424242",
          SpeechResult: "my e-mail is jane.doe@example.com and my code is tangerine",
          TranscriptionText: "call jane.doe@example.com, the code is tangerine",
          CallerName: "JANE DOE",
          ForwardedFrom: CALLER,
        },
        headers: { "i-twilio-idempotency-token": "b7b6d0a1-token-of-delivery" },
      });
      assertEquals(lines.length, 1);
      const secrets = [
        CALLER,
        CALLER.slice(1),
        LINE_NUMBER,
        AUTH_TOKEN,
        "sb_secret",
        "jane.doe",
        "JANE",
        "tangerine",
        "4242424242",
        "token-of-delivery",
        ACCOUNT_SID,
      ];
      assertEquals(secrets.filter((secret) => lines[0]!.includes(secret)), []);
    });
  }

  Deno.test(`${title}: a request is one log line, with its function, status and call`, async () => {
    const { lines, status } = await call(webhook);
    const line = JSON.parse(lines[0]!);
    assertEquals(lines.length, 1);
    assertEquals(
      [line.level, line.function, line.status, line.outcome, line.call_sid],
      ["info", name, status, "served", webhook.params["CallSid"]],
    );
  });

  // --- the same again ---------------------------------------------------------------------------------------

  Deno.test(`${title}: a copy of a webhook is the same event, and gets the same answer`, async () => {
    const headers = { "i-twilio-idempotency-token": "6d2a-1" };
    const first = await call(webhook, { headers });
    const again = await call(webhook, { headers });
    assertEquals([again.status, again.text], [first.status, first.text]);
    assertEquals(again.events, first.events);
  });
}

// --- malformed: signed, and yet not what Twilio sends -------------------------------------------------------

interface Malformed {
  readonly fault: string;
  readonly field: string;
  readonly change: (params: Readonly<Record<string, string>>) => Params;
}

const MALFORMED: readonly Malformed[] = [
  {
    fault: "without a CallSid",
    field: "CallSid",
    change: ({ CallSid: _, ...rest }) => rest,
  },
  {
    fault: "with a CallSid of another form",
    field: "CallSid",
    change: (params) => ({ ...params, CallSid: "CA123'; drop table call_logs" }),
  },
  {
    fault: "with two CallSids",
    field: "CallSid",
    change: (params) => [...Object.entries(params), ["CallSid", CALL_SID.replace("0", "1")]],
  },
  {
    fault: "with a parent of another form",
    field: "ParentCallSid",
    change: (params) => ({ ...params, ParentCallSid: "on-fire" }),
  },
  {
    fault: "with two keys at once",
    field: "Digits",
    change: (params) => [...Object.entries({ ...params, Digits: "1" }), ["Digits", "3"]],
  },
];

/** Every answer to a caller when something is wrong: it can be left a message with, and records no conversation. */
function assertLeadsToVoicemail(webhook: WebhookCase, answer: TwimlAnswer) {
  const names = answer.verbs.map(({ name }) => name);
  assertEquals(
    names,
    webhook.title.endsWith("message spoken")
      // Twilio has the message: it is thanked for, not asked for again.
      ? ["Say", "Hangup"]
      : ["Say", "Say", "Record", "Say", "Hangup"],
  );
}

for (const { fault, field, change } of MALFORMED) {
  for (const webhook of STEPS) {
    Deno.test(`${webhook.title}: a caller is served though the request came ${fault}`, async () => {
      const deps = testDeps();
      const request = signedRequest(webhook.name, change(webhook.params), { query: webhook.query });
      const answer = await twiml(webhook.createHandler(deps), request);
      assertLeadsToVoicemail(webhook, answer);
      assertEquals(deps.events, []);
    });
  }

  for (const webhook of [...HOLDING, ...PERSONS]) {
    const [what, verb] = PERSONS.includes(webhook)
      ? ["a leg is ended", "Hangup"]
      : ["a caller leaves the queue for what comes next", "Leave"];
    Deno.test(`${webhook.title}: ${what} whose request came ${fault}`, async () => {
      const deps = testDeps();
      const request = signedRequest(webhook.name, change(webhook.params), { query: webhook.query });
      assertEquals((await twiml(webhook.createHandler(deps), request)).outline, [verb]);
      assertEquals(deps.events, []);
    });
  }

  for (const webhook of CALLBACKS) {
    Deno.test(`${webhook.title}: the answer to a callback ${fault} names the wrong parameter`, async () => {
      const { status, text, events } = await call(webhook, { params: change(webhook.params) });
      const body = JSON.parse(text);
      assertEquals([status, body.error, events], [400, "invalid", []]);
      assertEquals(body.issues.map((issue: { field: string }) => issue.field), [field]);
      assertEquals(/drop table|on-fire/.test(text), false);
    });
  }
}

// --- unknown: what Twilio may send one day, and would not send again ----------------------------------------

const UNKNOWN: readonly Params[] = [
  { CallStatus: "on-fire" },
  { CallStatus: "+14165550123 says hi" },
  { DialCallStatus: "parked" },
  { RecordingStatus: "processing" },
  { TranscriptionStatus: "paused" },
  { DialBridged: "perhaps" },
  { CallDuration: "-1" },
  { CallDuration: "999999999" },
  { DialCallDuration: "soon" },
  { RecordingDuration: "1.5" },
  { SequenceNumber: "1e3" },
  { RecordingUrl: "javascript:alert(1)" },
  { Timestamp: "yesterday" },
  { Timestamp: "Mon, 01 Jan 0001 00:00:00 +0000" },
  { Timestamp: "Fri, 31 Dec 9999 23:59:59 +0000" },
];

for (const webhook of WEBHOOKS) {
  Deno.test(`${webhook.title}: an unknown status or value is stored as unknown, not refused`, async () => {
    const expected = await call(webhook);
    for (const unknown of UNKNOWN) {
      // deno-lint-ignore no-await-in-loop
      const { status, events } = await call(webhook, { params: { ...webhook.params, ...unknown } });
      assertEquals([status, events.length], [expected.status, 1], JSON.stringify(unknown));
      const text = JSON.stringify(events);
      assertEquals(/javascript|yesterday|999999999|0001-|9999-|says hi/.test(text), false, text);
      const [event] = events as { call_status?: string }[];
      if ("CallStatus" in unknown) assertEquals(event?.call_status, undefined);
      for (const [name, value] of Object.entries(event!)) {
        assertEquals(value === "on-fire" && name !== "status", false, name);
      }
    }
  });
}

// --- a failure of ours --------------------------------------------------------------------------------------

for (const webhook of STEPS) {
  for (
    const [what, outcome] of [
      ["is down", UNAVAILABLE],
      ["refuses the event", REFUSED],
      ["knows another event of its name", CONFLICT],
    ] as const
  ) {
    Deno.test(`${webhook.title}: a caller is served, unrecorded, while the database ${what}`, async () => {
      const deps = testDeps({ outcome });
      const request = signedRequest(webhook.name, webhook.params, { query: webhook.query });
      const answer = await twiml(webhook.createHandler(deps), request);
      assertEquals(answer.verbs.length > 0, true);
      for (const verb of answer.verbs) {
        if (verb.name === "Dial") assertEquals(verb.attributes["record"], undefined);
      }
      assertEquals(deps.events.length, 1);
    });
  }

  Deno.test(`${webhook.title}: an unexpected error is an apology and voicemail`, async () => {
    const deps = testDeps({ outcome: new TypeError("nobody expected this") });
    const request = signedRequest(webhook.name, webhook.params, { query: webhook.query });
    const answer = await twiml(webhook.createHandler(deps), request);
    assertLeadsToVoicemail(webhook, answer);
    assertEquals(answer.xml.includes("nobody expected this"), false);
    assertEquals(JSON.parse(deps.lines[0]!).level, "error");
  });

  Deno.test(`${webhook.title}: TwiML is not kept by any cache`, async () => {
    const { headers } = await call(webhook);
    assertEquals(headers.get("cache-control"), "no-store");
    assertEquals(headers.get("content-type"), "text/xml; charset=utf-8");
  });
}

for (const webhook of CALLBACKS) {
  Deno.test(`${webhook.title}: kept is 204, without a body`, async () => {
    const { status, text } = await call(webhook);
    assertEquals([status, text], [204, ""]);
  });

  Deno.test(`${webhook.title}: what could not be kept is asked for again`, async () => {
    const { status, headers, text } = await call(webhook, { outcome: UNAVAILABLE });
    assertEquals([status, text], [503, '{"error":"unavailable"}']);
    assertMatch(headers.get("retry-after") ?? "", /^\d+$/);
  });

  Deno.test(`${webhook.title}: another event of the same name is a conflict`, async () => {
    const { status, text } = await call(webhook, { outcome: CONFLICT });
    assertEquals([status, text], [409, '{"error":"conflict"}']);
  });

  Deno.test(`${webhook.title}: an event that the database refuses is not asked for again`, async () => {
    const { status, text } = await call(webhook, { outcome: REFUSED });
    assertEquals([status, text], [400, '{"error":"invalid","issues":[]}']);
  });

  Deno.test(`${webhook.title}: an unexpected error answers with its number and nothing else`, async () => {
    const { status, text, lines } = await call(webhook, {
      outcome: new TypeError("nobody expected this"),
    });
    const body = JSON.parse(text);
    assertEquals(status, 500);
    assertEquals(body, { error: "internal", request_id: body.request_id });
    assertMatch(body.request_id, /^[0-9a-f-]{36}$/);
    const line = JSON.parse(lines[0]!);
    assertEquals([line.level, line.request_id], ["error", body.request_id]);
  });
}

Deno.test("an unsigned body that breaks off gets no information", async () => {
  const [frontdoor] = STEPS;
  const deps = testDeps();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.error(new Error("connection reset")),
  });
  const { url, headers } = signedRequest(frontdoor!.name, frontdoor!.params, { token: "another" });
  const response = await frontdoor!.createHandler(deps)(
    new Request(url, { method: "POST", headers, body }),
  );
  assertEquals([response.status, deps.events], [400, []]);
});

Deno.test("the apology that is played is well-formed, and calls back with the turn that comes next", async () => {
  const [, consent] = STEPS;
  const { text } = await call(consent!, { outcome: new Error() });
  const record = parseTwiml(text).find(({ name }) => name === "Record");
  assertMatch(
    record?.attributes["action"] ?? "",
    /event=recorded&turn=2&attempt=1&disclosed=[^&#]+#/,
  );
  // A voice may be what could not be played.
  assertEquals(/ voice=/.test(text), false);
});
