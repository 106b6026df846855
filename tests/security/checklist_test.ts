// The security checklist of the production guide, one test an item, named as the item is. Each asks the system itself;
// SECURITY.md says which further tests stand behind it.

import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { existsSync } from "node:fs";
import { git } from "../../scripts/deploy/commands.ts";
import { main as deploy } from "../../scripts/deploy/main.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { FUNCTIONS } from "../../supabase/functions/_shared/functions.ts";
import { createHandler as voiceRoute } from "../../supabase/functions/voice-route/handler.ts";
import { STEPS } from "../functions/cases.ts";
import { DISCLOSED } from "../support/expected.ts";
import { startHotline } from "../support/hotline.ts";
import {
  accepted,
  AUTH_TOKEN,
  onTheLine,
  signedRequest,
  testDeps,
  twiml,
  UNAVAILABLE,
} from "../support/webhook.ts";

const item = (name: string, body: () => Promise<void>) =>
  Deno.test(`security checklist: ${name}`, body);

item("All webhooks validate Twilio signatures", async () => {
  const hotline = await startHotline();
  try {
    for (const name of FUNCTIONS.twilio) {
      for (const signature of [undefined, "", "bm90IGEgc2lnbmF0dXJl"]) {
        const response = await fetch(`${hotline.url}/functions/v1/${name}`, {
          method: "POST",
          headers: signature === undefined ? {} : { "x-twilio-signature": signature },
          body: new URLSearchParams({ CallSid: `CA${"1".repeat(32)}`, From: "+14165550123" }),
        });
        assertEquals(
          [response.status, await response.json()],
          [401, { error: "unauthorized" }],
          name,
        );
      }
    }
    assertEquals((await hotline.db.sql`select from call_lifecycle`).length, 0);
  } finally {
    await hotline.stop();
  }
});

item("Rate limiting enabled and tested", async () => {
  const hotline = await startHotline();
  try {
    const calls = await Promise.all(
      Array.from(
        { length: 12 },
        () => hotline.ring({ hangupAt: "gather" }, { from: "+14165550123" }),
      ),
    );
    const refused = calls.filter(({ row }) => row["rate_limited"]);
    assertEquals(refused.length, 2);
    for (const { record } of refused) assertEquals(record.applicationError, undefined);
    const [row] = await hotline.db.sql`select violation_count::int as n from rate_limit_violations`;
    assertEquals(row!.n, 2);
  } finally {
    await hotline.stop();
  }
});

item("Environment variables secured (not in code)", async () => {
  // A checkout without git has nothing to look through but its files, which are the same.
  const files = await git(["ls-files", "-z"], ROOT).catch(() => "");
  const tracked = files.split("\0").filter((name) => name !== "");
  assertEquals(tracked.length > 300, existsSync(`${ROOT}/.git`));
  assertEquals(
    tracked.filter((name) => /(^|\/)\.env(\.|$)/.test(name) && name !== ".env.example"),
    [],
  );
  assertStringIncludes(await Deno.readTextFile(`${ROOT}/.gitignore`), ".env");
  const SECRET = [
    /sbp_[0-9a-f]{40}/,
    /sb_secret_[A-Za-z0-9_-]{31}/,
    /\bSK[0-9a-f]{32}\b/,
    /\bre_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}/,
    /xox[abp]-\d{6,}/,
    /hooks\.slack\.com\/services\/T[A-Z0-9]{8,}\/B[A-Z0-9]{8,}\/[A-Za-z0-9]{20,}/,
    /-----BEGIN (RSA |EC )?PRIVATE KEY-----/,
    /\beyJ[A-Za-z0-9_-]{30,}\.eyJ[A-Za-z0-9_-]{30,}\./,
  ];
  for (const name of tracked) {
    const text = await Deno.readTextFile(`${ROOT}/${name}`).catch(() => "");
    for (const pattern of SECRET) {
      assertEquals(pattern.exec(text)?.[0].slice(0, 8), undefined, `${name} has ${pattern}`);
    }
  }
});

item("Database RLS policies enabled", async () => {
  const hotline = await startHotline();
  try {
    const open = await hotline.db.sql`
      select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
        and (not relrowsecurity or not exists (select from pg_policy where polrelid = pg_class.oid))`;
    assertEquals([...open], []);
    // The publishable key is in every browser: with it nothing is read.
    for (const table of ["call_logs", "contact_messages", "active_calls"]) {
      const response = await fetch(`${hotline.url}/rest/v1/${table}`, {
        headers: { apikey: "sb_publishable_local" },
      });
      await response.body?.cancel();
      assertEquals([401, 403].includes(response.status), true, `${table}: ${response.status}`);
    }
  } finally {
    await hotline.stop();
  }
});

item("HTTPS enforced on all endpoints", async () => {
  const lines: string[] = [];
  await deploy(["deploy", "--dry-run", "--env-file", "/dev/null"], {
    env: {
      TWILIO_AUTH_TOKEN: "token",
      BUSINESS_TARGET_E164: "+15877428885",
      NODE_ENV: "production",
      SUPABASE_SECRET_KEYS: '{"default":"sb_secret_x"}',
      PUBLIC_FUNCTIONS_URL: "http://calls.example.com/functions/v1",
    },
    print: (line) => lines.push(line),
  });
  assertStringIncludes(
    lines.join("\n"),
    "FAULT   settings: PUBLIC_FUNCTIONS_URL must begin with https://",
  );
  // Every address that Twilio is told is under the public base, whose scheme that is.
  const { xml } = await twiml(
    voiceRoute(testDeps()),
    signedRequest("voice-route", onTheLine, { query: "?turn=1&attempt=1" }),
  );
  assertEquals(/["']http:\/\//.test(xml), false, xml);
});

item("Sensitive data masked in logs", async () => {
  const hotline = await startHotline();
  try {
    const { record } = await hotline.ring({
      keys: ["9"],
      voicemail: { seconds: 5, transcript: "My card number is 4111" },
    }, { from: "+14165550123" });
    await hotline.ring({ say: ["no"], keys: ["1"], dial: "answered" }, { from: "+14165550123" });
    const log = [...hotline.console, ...hotline.log].join("\n");
    assertStringIncludes(log, record.callSid);
    for (
      const word of ["4165550123", "5877428885", "local-auth-token", "sb_secret_local", "My card"]
    ) {
      assertEquals(log.includes(word), false, word);
    }
  } finally {
    await hotline.stop();
  }
});

item("IP allowlist configured (if required)", async () => {
  const deps = testDeps({ env: { TWILIO_IP_ALLOWLIST: "54.172.60.0/23" } });
  const answer = async (address: string) => {
    const request = signedRequest("voice-route", onTheLine, {
      query: "?turn=1&attempt=1",
      headers: { "cf-connecting-ip": address, "x-forwarded-for": address },
    });
    const response = await voiceRoute(deps)(request);
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await answer("54.172.61.7"), 200);
  assertEquals(await answer("203.0.113.9"), 401);
});

item("Error messages don't leak internals", async () => {
  for (const { name, createHandler, params, query } of STEPS) {
    const deps = testDeps({
      outcome: new Error("password authentication failed for user postgres"),
    });
    const response = await createHandler(deps)(signedRequest(name, params, { query }));
    const text = await response.text() + JSON.stringify([...response.headers]);
    assertEquals(response.status, 200, name);
    for (const word of ["password", "postgres", "Error", "handler.ts", AUTH_TOKEN]) {
      assertEquals(text.includes(word), false, `${name}: ${text}`);
    }
  }
});

item("Consent handling compliant (PIPEDA/PIPA)", async () => {
  const hotline = await startHotline();
  try {
    // Told before anything is recorded; the words are kept as evidence.
    const stayed = await hotline.ring({ keys: ["1"], dial: "answered" });
    assertStringIncludes(stayed.record.spoken.slice(0, 2).join(" "), "recorded");
    assertEquals(stayed.row["consent_given"], true);
    const [evidence] = await hotline.db.sql`
      select words from call_lifecycle join disclosures on name = meta #>> '{consent,disclosure}'
      where call_sid = ${stayed.record.callSid}`;
    assertStringIncludes(evidence!.words, "recorded");
    // A refusal holds, and costs the caller nothing.
    const refused = await hotline.ring({ say: ["no"], keys: ["1"], dial: "answered" });
    assertEquals([refused.row["consent_given"], refused.row["disposition"]], [false, "connected"]);
    assertEquals(refused.record.all("dial").map(({ record }) => record), ["do-not-record"]);
  } finally {
    await hotline.stop();
  }
});

item("Recording defaults to OFF on errors", async () => {
  for (const outcome of [UNAVAILABLE, new Error("anything"), accepted({ consent_given: null })]) {
    const { xml } = await twiml(
      voiceRoute(testDeps({ outcome })),
      signedRequest("voice-route", onTheLine, {
        query: `?turn=2&attempt=1&disclosed=${DISCLOSED}&consent=stayed-1&mode=sales-1`,
      }),
    );
    assertEquals(/<Dial[^>]*\brecord=/.test(xml), false, xml);
  }
});
