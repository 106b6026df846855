import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { startTwilioApi } from "../../scripts/local/twilio_api.ts";
import type { TenantRow } from "../../supabase/functions/_shared/db/tenants.ts";
import { depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { formatLogLine } from "../../supabase/functions/_shared/log.ts";
import { sealBy } from "../../supabase/functions/_shared/onboarding/seal.ts";
import {
  createTenants,
  type TenantLookup,
  type Tenants,
} from "../../supabase/functions/_shared/tenants.ts";
import { provisioning } from "../../supabase/functions/_shared/twilio/provisioning.ts";
import { createHandler as frontdoor } from "../../supabase/functions/voice-frontdoor/handler.ts";
import { createHandler as status } from "../../supabase/functions/voice-status/handler.ts";
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  callReported,
  incomingCall,
  LINE_NUMBER,
  PUBLIC_URL,
  signedRequest,
  testDeps,
  testSettings,
  twiml,
} from "../support/webhook.ts";

// Whose token signs a webhook, and which line it is about.

const TENANT = "AC" + "7".repeat(32);
const STRANGER = "AC" + "9".repeat(32);
const TOKEN = "token-of-the-sub-account";
const seal = sealBy("sb_secret_of_the_tests");
const settings = testSettings({ TWILIO_ACCOUNT_SID: ACCOUNT_SID });

/** Tenants over a database and a Twilio that answer as told. */
function directory(row: Partial<TenantRow> | null = {}) {
  const parts = {
    row: row === null ? null : { org_id: "o", sealed_token: null, token: TOKEN, lines: {}, ...row },
    database: true,
    twilio: undefined as string | Error | undefined,
    now: 0,
    reads: 0,
    asked: 0,
  };
  const tenants = createTenants({
    settings,
    seal,
    now: () => parts.now,
    async read() {
      parts.reads++;
      await Promise.resolve();
      if (!parts.database) throw new Error("away");
      return parts.row as TenantRow | null;
    },
    async askTwilio() {
      parts.asked++;
      await Promise.resolve();
      if (parts.twilio instanceof Error) throw parts.twilio;
      return parts.twilio;
    },
  });
  return { parts, tenants };
}

const tokenOf = (found: TenantLookup) =>
  found.kind === "tenant" ? found.tenant.authToken : found.kind;

Deno.test("an account is asked about once a minute, however many ask at once", async () => {
  const { parts, tenants } = directory();
  const found = await Promise.all(Array.from({ length: 20 }, () => tenants.find(TENANT)));
  assertEquals(new Set(found.map(tokenOf)), new Set([TOKEN]));
  assertEquals(parts.reads, 1);
  parts.now = 59_000;
  await tenants.find(TENANT);
  assertEquals(parts.reads, 1);
  parts.now = 61_000;
  await tenants.find(TENANT);
  assertEquals(parts.reads, 2);
});

Deno.test("an unknown account is remembered briefly: it may be onboarded the next moment", async () => {
  const { parts, tenants } = directory(null);
  assertEquals(tokenOf(await tenants.find(TENANT)), "unknown");
  await tenants.find(TENANT);
  assertEquals(parts.reads, 1);
  parts.row = { org_id: "o", sealed_token: null, token: TOKEN, lines: {} };
  parts.now = 6000;
  assertEquals(tokenOf(await tenants.find(TENANT)), TOKEN);
});

Deno.test("what is known is used while the database is away, for hours", async () => {
  const { parts, tenants } = directory();
  await tenants.find(TENANT);
  parts.database = false;
  parts.now = 5 * 60 * 60 * 1000;
  assertEquals(tokenOf(await tenants.find(TENANT)), TOKEN);
  assertEquals(parts.asked, 0);
  // Not each call waits for the database anew.
  const { reads } = parts;
  await tenants.find(TENANT);
  assertEquals(parts.reads, reads);
});

Deno.test("with nothing known and the database away, Twilio is asked for the token", async () => {
  const { parts, tenants } = directory();
  parts.database = false;
  parts.twilio = TOKEN;
  assertEquals(tokenOf(await tenants.find(TENANT)), TOKEN);
  parts.twilio = undefined;
  assertEquals(tokenOf(await tenants.find(STRANGER)), "unknown");
  parts.twilio = new Error("away");
  assertEquals(tokenOf(await tenants.find("AC" + "8".repeat(32))), "unavailable");
});

Deno.test("a token that was sealed by an older key is fetched from Twilio", async () => {
  const sealed_token = await sealBy("the key before").close("old", TENANT);
  const { parts, tenants } = directory({ token: undefined, sealed_token });
  parts.twilio = TOKEN;
  assertEquals(tokenOf(await tenants.find(TENANT)), TOKEN);
});

Deno.test("a sealed token opens for its own account only", async () => {
  const sealed_token = await seal.close(TOKEN, TENANT);
  const { parts, tenants } = directory({ token: undefined, sealed_token });
  assertEquals(tokenOf(await tenants.find(TENANT)), TOKEN);
  parts.twilio = undefined;
  assertEquals(tokenOf(await tenants.find(STRANGER)), "unknown");
  assertEquals(sealed_token.includes(TOKEN), false);
});

Deno.test("strangers do not crowd out those who are known", async () => {
  const { parts, tenants } = directory();
  await tenants.find(TENANT);
  parts.row = null;
  for (let n = 0; n < 1000; n++) await tenants.find(`AC${String(n).padStart(32, "0")}`);
  const { reads } = parts;
  assertEquals(tokenOf(await tenants.find(TENANT)), TOKEN);
  assertEquals(parts.reads, reads);
});

// --- webhooks -----------------------------------------------------------------------------------------------

function deps(tenants: Tenants) {
  return { ...testDeps({ env: { TWILIO_ACCOUNT_SID: ACCOUNT_SID } }), tenants };
}

const ofTenant = { ...incomingCall, AccountSid: TENANT };

Deno.test("the main account's webhooks look nothing up", async () => {
  const { parts, tenants } = directory();
  const call = frontdoor(deps(tenants));
  await twiml(call, signedRequest("voice-frontdoor", incomingCall));
  const { AccountSid: _, ...without } = incomingCall;
  await twiml(call, signedRequest("voice-frontdoor", without));
  assertEquals([parts.reads, parts.asked], [0, 0]);
});

Deno.test("a sub-account's webhooks are verified by its own token, and no other", async () => {
  const { tenants } = directory();
  const all = deps(tenants);
  const call = frontdoor(all);
  await twiml(call, signedRequest("voice-frontdoor", ofTenant, { token: TOKEN }));
  assertEquals(all.events.length, 1);
  for (const token of [AUTH_TOKEN, "another", ""]) {
    const answer = await call(signedRequest("voice-frontdoor", ofTenant, { token }));
    assertEquals([answer.status, await answer.json()], [401, { error: "unauthorized" }]);
  }
  // And the main line's by the main one.
  const main = await call(signedRequest("voice-frontdoor", incomingCall, { token: TOKEN }));
  assertEquals(main.status, 401);
  assertEquals(all.events.length, 1);
});

Deno.test("an unknown account gets 401 and has no effect", async () => {
  const { tenants } = directory(null);
  const all = deps(tenants);
  const params = { ...incomingCall, AccountSid: STRANGER };
  const answer = await frontdoor(all)(signedRequest("voice-frontdoor", params, { token: TOKEN }));
  assertEquals(answer.status, 401);
  assertEquals(all.events.length, 0);
});

Deno.test("a request without a signature is not worth a look-up", async () => {
  const { parts, tenants } = directory();
  const unsigned = signedRequest("voice-frontdoor", ofTenant, {
    headers: { "x-twilio-signature": undefined },
  });
  assertEquals((await frontdoor(deps(tenants))(unsigned)).status, 401);
  assertEquals(parts.reads, 0);
});

Deno.test("while nobody can say whose a request is, Twilio is asked to deliver it again", async () => {
  const { parts, tenants } = directory();
  parts.database = false;
  parts.twilio = new Error("away");
  const all = deps(tenants);
  const params = { ...callReported("completed"), AccountSid: TENANT };
  const answer = await status(all)(signedRequest("voice-status", params, { token: TOKEN }));
  assertEquals([answer.status, await answer.json()], [503, { error: "unavailable" }]);
  assertEquals(answer.headers.get("retry-after"), "5");
  assertEquals(all.events.length, 0);
});

Deno.test("with the database down a sub-account's caller is still served", async () => {
  const twilio = startTwilioApi({ accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN });
  try {
    const settings = testSettings({
      SUPABASE_URL: "http://127.0.0.1:1",
      PUBLIC_FUNCTIONS_URL: PUBLIC_URL,
      TWILIO_ACCOUNT_SID: ACCOUNT_SID,
      TWILIO_API_URL: twilio.url,
    });
    const own = provisioning({
      baseUrl: twilio.url,
      accountSid: ACCOUNT_SID,
      authToken: AUTH_TOKEN,
    });
    const sid = await own.createSubaccount("tradeline somebody");
    const token = twilio.subaccounts[0]!.auth_token;
    const lines: string[] = [];
    const call = frontdoor({
      ...depsFrom(settings),
      log: (level, fields) => lines.push(formatLogLine(new Date(), level, fields)),
    });
    const params = { ...incomingCall, AccountSid: sid };
    const answer = await twiml(call, signedRequest("voice-frontdoor", params, { token }));
    assertEquals(answer.outline.at(1), "Say: " + answer.spoken[1]);
    assertEquals(answer.verbs.some(({ name }) => name === "Gather"), true);
    // Whose line it is cannot be known now: another business's phone must not ring for it.
    assertEquals(/sales|support|TradeLine/.test(answer.spoken.join(" ")), false);
    assertEquals(answer.spoken.join(" ").includes("To leave a message, press 9."), true);
    const forged = signedRequest("voice-frontdoor", params, { token: "another" });
    assertEquals((await call(forged)).status, 401);
    assertEquals(lines.join("").includes(token), false);
  } finally {
    await twilio.stop();
  }
});

Deno.test("the line that was called is heard; one without changes is as the main line", async () => {
  const OTHER = "+15875550199";
  const { tenants } = directory({
    lines: {
      [LINE_NUMBER]: {
        greeting: "Welcome to Prairie Dental.",
        voice: "Polly.Amy",
        language: "en-GB",
        ring_seconds: 33,
        recording_consent: "opt_in",
        menu: [
          { key: "4", mode: "bookings", label: "bookings", destination: "+15875550123" },
          { key: "9", mode: "voicemail", label: "a message", destination: "voicemail" },
        ],
      },
      [OTHER]: {},
    },
  });
  const call = frontdoor(deps(tenants));
  const own = await twiml(
    call,
    signedRequest("voice-frontdoor", ofTenant, { token: TOKEN }),
  );
  assertEquals(own.spoken[0], "Welcome to Prairie Dental.");
  assertMatch(own.spoken[1]!, /With your agreement/);
  assertMatch(own.spoken[2]!, /^For bookings, press 4. For a message, press 9. To hear this again/);
  assertEquals(own.verbs[0]!.attributes, { voice: "Polly.Amy", language: "en-GB" });

  const plain = { ...ofTenant, To: OTHER, Called: OTHER };
  const other = await twiml(call, signedRequest("voice-frontdoor", plain, { token: TOKEN }));
  const main = await twiml(call, signedRequest("voice-frontdoor", incomingCall));
  assertEquals(other.spoken, main.spoken);
});
