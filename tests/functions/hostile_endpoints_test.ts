import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import * as fc from "fast-check";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { cases } from "../support/cases.ts";
import { anyText } from "../support/any_text.ts";
import { startHotline } from "../support/hotline.ts";

// The endpoints that Twilio does not call, through the gateway, under whatever the internet sends.
// (The webhooks have hostile_input_test.ts.)

const system = await startHotline();
Deno.test.afterAll(() => system.stop());

const OPERATORS_ONLY = [
  "call-flows",
  "call-flows/check",
  "call-flows/publish",
  "call-search",
  "call-search/contacts",
  "campaigns",
  "campaigns/5f0c7a52-7f0e-4c39-9e0c-0d6a3f6f2d11/contacts",
  "telephony-onboard",
  "voice-reconcile",
  "notify-worker",
  "dial-worker",
  "campaign-dialler",
  "alert-dispatch",
  "metrics",
];
const OPEN = ["contact-submit", "voicemail-audio"];

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }),
  anyText({ maxLength: 500 }).map((text) => new TextEncoder().encode(text)),
  // Deep, huge, doubled, or with what no text may hold.
  fc.constantFrom(
    "[".repeat(20_000) + "]".repeat(20_000),
    '{"name": "\\u0000", "email": "a@b.co\\r\\nBcc: c@d.co", "message": "\\ud800"}',
    '{"__proto__": {"org_id": 1}, "constructor": null}',
    '{"name": "a", "name": "b"}',
    `{"message": "${"x".repeat(60_000)}"}`,
    "\u0000\ufeff{}",
    "x".repeat(70_000),
  ).map((text) => new TextEncoder().encode(text)),
);
const json = fc.json({ maxDepth: 6 }).map((text) => new TextEncoder().encode(text));

const headers = fc.dictionary(
  fc.constantFrom(
    "x-forwarded-for",
    "cf-connecting-ip",
    "idempotency-key",
    "origin",
    "range",
    "accept",
    "cookie",
  ),
  fc.string({ unit: "grapheme-ascii", maxLength: 200 }).map((value) => value.trim()),
  { maxKeys: 7 },
);

const request = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"),
  type: fc.constantFrom(
    "application/json",
    "application/x-www-form-urlencoded",
    "text/plain",
    "multipart/form-data",
  ),
  headers,
  query: fc.webQueryParameters({ size: "small" }),
  body: fc.oneof(bytes, json),
});

async function send(
  name: string,
  { method, type, headers, query, body }: typeof request extends fc.Arbitrary<infer T> ? T : never,
  credentials: Record<string, string>,
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${system.url}/functions/v1/${name}?${query}`, {
    method,
    headers: { ...headers, "content-type": type, ...credentials },
    redirect: "manual",
    ...(method === "GET" ? {} : { body: body as Uint8Array<ArrayBuffer> }),
  });
  return { status: response.status, text: await response.text() };
}

/** Rows of every table, but for what counting and refusing itself writes. */
async function rows(): Promise<unknown> {
  const [counts] = await system.db.sql`
    select (select count(*) from call_logs) as calls, (select count(*) from call_lifecycle) as events,
      (select count(*) from telephony_transactions) as transactions, (select count(*) from jobs) as mails,
      (select count(*) from idempotency_keys) as keys`;
  return { ...counts };
}

for (const name of OPERATORS_ONLY) {
  Deno.test(`${name}: without the key any request has no effect and gets no information`, async () => {
    const before = await rows();
    await fc.assert(
      fc.asyncProperty(
        request,
        fc.constantFrom<Record<string, string>>(
          {},
          { apikey: "sb_secret_wrong" },
          { authorization: "Bearer eyJhbGciOiJub25lIn0.eyJyb2xlIjoic2VydmljZV9yb2xlIn0." },
          { authorization: `Basic ${btoa(`x:${LOCAL_SECRET_KEY}`)}` },
        ),
        async (sent, credentials) => {
          const { status, text } = await send(name, sent, credentials);
          assert(status >= 400 && status < 500, `${status} ${text.slice(0, 200)}`);
          assert(text.length < 2000 && !text.includes(LOCAL_SECRET_KEY));
        },
      ),
      { numRuns: cases(60) },
    );
    assertEquals(await rows(), before);
  });
}

const WITH_KEY = [
  "telephony-onboard",
  "call-flows",
  "call-flows/check",
  "call-flows/override",
  "call-search",
  "call-search/contacts",
  "campaigns",
  "campaigns/5f0c7a52-7f0e-4c39-9e0c-0d6a3f6f2d11/contacts",
];
for (const name of [...OPEN, ...WITH_KEY]) {
  Deno.test(`${name}: whatever is sent is the sender's fault, never ours, and no answer leaks`, async () => {
    const credentials: Record<string, string> = WITH_KEY.includes(name)
      ? { apikey: LOCAL_SECRET_KEY }
      : {};
    await fc.assert(
      fc.asyncProperty(request, async (sent) => {
        const { status, text } = await send(name, sent, credentials);
        assert(status < 500, `${status} ${text.slice(0, 200)}`);
        assert(
          !/at file:|node_modules|postgres|SELECT|PGRST|stack/i.test(text),
          text.slice(0, 200),
        );
      }),
      { numRuns: cases(150) },
    );
  });
}

Deno.test("the gateway and the functions had no error of their own under all that", () => {
  const errors = [...system.log, ...system.console].filter((line) =>
    line.includes('"level":"error"')
  );
  assertEquals(errors, []);
});
