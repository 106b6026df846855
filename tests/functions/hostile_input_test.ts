// Whatever a signed request holds, a caller is served, and nothing that the database would choke on is sent to it.

import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import { cases } from "../support/cases.ts";
import { anyText } from "../support/any_text.ts";
import {
  CALL_SID,
  type Outcome,
  parseTwiml,
  PUBLIC_URL,
  sign,
  signedRequest,
  testDeps,
  UNAVAILABLE,
} from "../support/webhook.ts";
import { type WebhookCase, WEBHOOKS } from "./cases.ts";

const NAMES = [
  "CallSid",
  "CallStatus",
  "From",
  "To",
  "Digits",
  "SpeechResult",
  "DialCallStatus",
  "DialCallSid",
  "DialCallDuration",
  "ParentCallSid",
  "SequenceNumber",
  "Timestamp",
  "CallDuration",
  "RecordingSid",
  "RecordingUrl",
  "RecordingStatus",
  "RecordingDuration",
  "RecordingStartTime",
  "TranscriptionStatus",
  "TranscriptionText",
  "__proto__",
  "constructor",
  "toString",
  "",
];

const VALUES = [
  "",
  "\0",
  "CA\0",
  CALL_SID,
  `${CALL_SID}\n`,
  "completed",
  "in-progress",
  "1",
  "-1",
  "99999999999999999999",
  "NaN",
  "Infinity",
  "</Say><Hangup/>",
  "'; drop table call_logs; --",
  "${jndi:ldap://x}",
  "sales",
  "no",
  "\u{1F600}\u202e\ufeff\ufffd",
  "Thu, 01 Jan -9999 00:00:00 +0000",
  "+275760-09-13T00:00:00.000Z",
  "[object Object]",
  "x".repeat(5_000),
];

const value = fc.oneof(
  fc.constantFrom(...VALUES),
  anyText({ maxLength: 40 }),
);
const pair = fc.tuple(fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 8 })), value);

const queryValue = fc.oneof(
  fc.constantFrom("", "1", "-1", "99999", "yes-1", "no-9999", "sales-1", "x'\"<>&", "%00", "%ZZ"),
  fc.string({ maxLength: 12 }),
);
const query = fc.array(
  fc.tuple(fc.constantFrom("turn", "attempt", "consent", "mode", "event", "__proto__"), queryValue),
  { maxLength: 6 },
).map((pairs) => pairs.length === 0 ? "" : `?${pairs.map((pair) => pair.join("=")).join("&")}`);

const outcome = fc.constantFrom<Outcome | undefined>(
  undefined,
  UNAVAILABLE,
  new TypeError("unexpected"),
);

/** Whether somebody on the line waits for the answer: callbacks of voicemail and of a person's leg are named by the URL. */
function isStep(webhook: WebhookCase, url: string): boolean {
  const event = new URL(url).searchParams.get("event");
  return webhook.name !== "voice-status" &&
    !(webhook.name === "voice-person" && event === "status") &&
    !(webhook.name === "voice-outbound" && (event === "status" || event === "amd")) &&
    !(webhook.name === "voice-voicemail" && (event === "recording" || event === "transcription"));
}

async function assertServed(webhook: WebhookCase, request: Request, result: Outcome | undefined) {
  const deps = testDeps(result === undefined ? {} : { outcome: result });
  const response = await webhook.createHandler(deps)(request);
  const text = await response.text();
  if (isStep(webhook, request.url)) {
    assertEquals([response.status, parseTwiml(text).length > 0], [200, true]);
  } else if (result === undefined) {
    assertEquals([204, 400].includes(response.status), true, `${response.status} ${text}`);
  }
  for (const event of deps.events) {
    // PostgreSQL's jsonb has neither NUL nor half of a character.
    assertEquals(/\\u0000|\\ud[89a-f]/i.test(JSON.stringify(event)), false);
    assertEquals(Number.isNaN(Date.parse(String(event["occurred_at"]))), false);
  }
  assertEquals(deps.lines.length, 1);
}

for (const webhook of WEBHOOKS) {
  Deno.test(`${webhook.title}: any parameters and any query are answered`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(pair, { maxLength: 12 }), query, outcome, async (pairs, q, o) => {
        await assertServed(webhook, signedRequest(webhook.name, pairs, { query: q }), o);
      }),
      { numRuns: cases(150) },
    );
  });

  Deno.test(`${webhook.title}: one wrong value among right ones is answered`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(pair, { minLength: 1, maxLength: 3 }), async (pairs) => {
        const wrong = new Map(pairs);
        const rest = Object.entries(webhook.params).filter(([name]) => !wrong.has(name));
        const request = signedRequest(webhook.name, [...rest, ...pairs], { query: webhook.query });
        await assertServed(webhook, request, undefined);
      }),
      { numRuns: cases(100) },
    );
  });

  Deno.test(`${webhook.title}: any bytes are answered`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        const form = new URLSearchParams(new TextDecoder().decode(bytes));
        const url = `${PUBLIC_URL}/${webhook.name}${webhook.query}`;
        const request = new Request(
          `http://edge-runtime.supabase.com/${webhook.name}${webhook.query}`,
          {
            method: "POST",
            body: bytes as Uint8Array<ArrayBuffer>,
            headers: {
              "content-type": "application/x-www-form-urlencoded",
              "x-twilio-signature": sign(url, form),
            },
          },
        );
        await assertServed(webhook, request, undefined);
      }),
      { numRuns: cases(100) },
    );
  });

  Deno.test(`${webhook.title}: no header changes what an event is`, async () => {
    const header = fc.stringMatching(/^[\x21-\x7e\x80-\xff]{0,60}$/);
    const plain = testDeps();
    const request = (headers: Record<string, string>) =>
      signedRequest(webhook.name, webhook.params, { query: webhook.query, headers });
    await webhook.createHandler(plain)(request({}));
    await fc.assert(
      fc.asyncProperty(header, header, header, async (token, agent, forwarded) => {
        const deps = testDeps();
        await webhook.createHandler(deps)(request({
          "i-twilio-idempotency-token": token,
          "user-agent": agent,
          "x-forwarded-for": forwarded,
        }));
        assertEquals(deps.events, plain.events);
      }),
      { numRuns: cases(50) },
    );
  });
}
