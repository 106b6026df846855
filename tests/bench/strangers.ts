import process from "node:process";
import { depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { readSettings } from "../../supabase/functions/_shared/settings.ts";
import { liveDeps as contactDeps } from "../../supabase/functions/contact-submit/deps.ts";
import { createHandler as contactSubmit } from "../../supabase/functions/contact-submit/handler.ts";
import { liveDeps as onboardDeps } from "../../supabase/functions/telephony-onboard/deps.ts";
import { createHandler as telephonyOnboard } from "../../supabase/functions/telephony-onboard/handler.ts";
import { createHandler as voiceStatus } from "../../supabase/functions/voice-status/handler.ts";
import type { Row } from "./report.ts";
import { percentile } from "./stats.ts";

const ACCOUNT = `AC${"1".repeat(32)}`;
const LARGEST = 64 * 1024;
const fill = (piece: string) => piece.repeat(Math.floor(LARGEST / piece.length));
const many = (piece: (n: number) => string, count: number) =>
  Array.from({ length: count }, (_, n) => piece(n)).join("&").slice(0, LARGEST);
const webhook = `AccountSid=${ACCOUNT}&CallSid=CA${"2".repeat(32)}&CallStatus=completed`;

/** Bodies of at most 64 KiB that are dear to read, by what is in them. */
const FORMS: Readonly<Record<string, string>> = {
  "one name": fill("a"),
  "one name, percent-encoded": fill("%61"),
  "one value of wrong UTF-8": `a=${fill("%ff").slice(0, -5)}`,
  "30,000 names": many((n) => n.toString(36), 30_000),
  "one name 30,000 times": fill("a&").slice(0, -1),
  "one name 10,000 times, with values": many((n) => `a=${n}`, 10_000),
  "200 names": many((n) => `${n}=${"%ff".repeat(100)}`, 200),
  "one name 200 times": many((n) => `a=${String(n).repeat(100)}`, 200),
  "a webhook": webhook,
  "a webhook of 64 KiB": `${webhook}&AddOns=${"x".repeat(LARGEST - 200)}`,
};
const JSONS: Readonly<Record<string, string>> = {
  "nested arrays": "[".repeat(LARGEST / 2) + "]".repeat(LARGEST / 2),
  "10,000 members": `{${
    Array.from({ length: 10_000 }, (_, n) => `"${n}":0`).join(",").slice(0, LARGEST - 2)
  }`,
  "a long message": JSON.stringify({
    name: "a".repeat(16_000),
    email: `${"a.".repeat(8000)}@${"a.".repeat(4000)}`,
    message: "\u202e".repeat(5000),
  }),
};

/**
 * What one request costs that nobody signed, at its dearest: processor time, and requests to the database or Twilio.
 *
 * @param times How often each is sent; the median counts.
 */
export async function strangers(times: number): Promise<Row[]> {
  const env: Record<string, string> = {
    TWILIO_AUTH_TOKEN: "a-token",
    TWILIO_AUTH_TOKEN_PREVIOUS: "the-token-before",
    TWILIO_ACCOUNT_SID: ACCOUNT,
    BUSINESS_TARGET_E164: "+15877428885",
    SUPABASE_URL: "http://127.0.0.1:9",
    SUPABASE_SECRET_KEYS: '{"default":"sb_secret_local"}',
    SUPABASE_JWT_SECRET: "a-secret-of-at-least-32-characters",
    PUBLIC_FUNCTIONS_URL: "https://example.supabase.co/functions/v1",
  };
  const settings = readSettings((name) => env[name]);
  const deps = { ...depsFrom(settings), log: () => {} };
  const status = voiceStatus(deps);
  const contact = contactSubmit({ ...contactDeps(settings), log: () => {} });
  const onboard = telephonyOnboard({ ...onboardDeps(settings), log: deps.log });
  const post = (type: string, body: BodyInit, more: Record<string, string> = {}, query = "") =>
    new Request(`http://edge-runtime.supabase.com/f${query}`, {
      method: "POST",
      headers: { "content-type": type, ...more },
      body,
    });
  const form = "application/x-www-form-urlencoded";
  const wrong = { "x-twilio-signature": `${"A".repeat(27)}=` };
  const byteByByte = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array([97])),
    });
  const forms = Object.entries(FORMS);
  const groups: Record<string, [string, () => Promise<Response>][]> = {
    "no signature": forms.map(([what, body]) => [what, () => status(post(form, body))]),
    "a wrong signature": [
      ...forms.map(([what, body]): [string, () => Promise<Response>] => [
        what,
        () => status(post(form, body, wrong)),
      ]),
      ["a query of 4,000", () => status(post(form, webhook, wrong, `?${"%27".repeat(1300)}`))],
      ["a body without an end, byte by byte", () => status(post(form, byteByByte(), wrong))],
    ],
    "no key, to telephony-onboard": Object.entries(JSONS).map(([what, body]) => [
      what,
      () =>
        onboard(post("application/json", body, { authorization: `Bearer ${"e".repeat(8000)}` })),
    ]),
    "an invalid message to contact-submit": Object.entries(JSONS).map(([what, body]) => [
      what,
      () => contact(post("application/json", body)),
    ]),
  };

  const own = globalThis.fetch;
  let asked = 0;
  globalThis.fetch = () => {
    asked++;
    return Promise.reject(new TypeError("connection refused"));
  };
  try {
    const rows: Row[] = [];
    for (const [group, requests] of Object.entries(groups)) {
      let dearest = { what: "", ms: -1 };
      for (const [what, send] of requests) {
        const taken = new Float64Array(times);
        for (let round = -3; round < times; round++) {
          const before = process.cpuUsage();
          // deno-lint-ignore no-await-in-loop -- One at a time: it is the time of one.
          const { status } = await send();
          const { user, system } = process.cpuUsage(before);
          if (status < 400 || status >= 500) {
            throw new Error(`Cannot measure ${group}, ${what}: it was answered ${status}`);
          }
          // The first ones warm up.
          if (round >= 0) taken[round] = (user + system) / 1000;
        }
        const ms = percentile(taken, 0.5);
        if (ms > dearest.ms) dearest = { what, ms };
      }
      rows.push({
        measure: `processor time of a request with ${group}, the dearest of ${requests.length}`,
        unit: "ms",
        ours: dearest.ms,
        aim: { most: 5 },
        note: dearest.what,
      });
    }
    rows.push({
      measure: "requests to the database and Twilio that all of these caused",
      unit: "",
      ours: asked,
      aim: { most: 0 },
    });
    return rows;
  } finally {
    globalThis.fetch = own;
  }
}
