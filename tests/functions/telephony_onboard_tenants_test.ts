import { assertEquals } from "@std/assert/equals.js";
import { startTwilioApi } from "../../scripts/local/twilio_api.ts";
import type { TenantRow } from "../../supabase/functions/_shared/db/tenants.ts";
import { depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { formatLogLine } from "../../supabase/functions/_shared/log.ts";
import { sealBy } from "../../supabase/functions/_shared/onboarding/seal.ts";
import {
  createTenants,
  type TenantLookup,
  type Tenants,
} from "../../supabase/functions/_shared/tenancy/tenants.ts";
import { twilioClient } from "../../supabase/functions/_shared/twilio/client.ts";
import { provisioning } from "../../supabase/functions/_shared/twilio/provisioning.ts";
import { createHandler as action } from "../../supabase/functions/voice-action/handler.ts";
import { createHandler as frontdoor } from "../../supabase/functions/voice-frontdoor/handler.ts";
import { createHandler as status } from "../../supabase/functions/voice-status/handler.ts";
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  callReported,
  incomingCall,
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
    row: row === null ? null : { org_id: "o", sealed_token: null, token: TOKEN, ...row },
    database: true,
    stores: true,
    twilio: undefined as string | Error | undefined,
    subaccounts: [TENANT],
    now: 0,
    reads: 0,
    lists: 0,
    asked: 0,
    listsAtTwilio: 0,
    kept: [] as unknown[],
    lines: [] as string[],
    reported: [] as string[],
  };
  const fails = () => {
    if (!parts.database) throw new Error("away");
  };
  const tenants = createTenants({
    settings,
    seal,
    now: () => parts.now,
    database: {
      async read() {
        parts.reads++;
        await Promise.resolve();
        fails();
        return parts.row as TenantRow | null;
      },
      async accounts() {
        parts.lists++;
        await Promise.resolve();
        fails();
        return parts.row === null ? [] : [TENANT];
      },
      async keepToken(account, token) {
        await Promise.resolve();
        if (!parts.stores) throw new Error("away");
        parts.kept.push([account, token]);
      },
    },
    twilio: {
      async activeSubaccounts() {
        parts.listsAtTwilio++;
        await Promise.resolve();
        if (parts.twilio instanceof Error) throw parts.twilio;
        return { sids: parts.subaccounts, more: false };
      },
      async authToken() {
        parts.asked++;
        await Promise.resolve();
        if (parts.twilio instanceof Error) throw parts.twilio;
        return parts.twilio;
      },
    },
    log: (level, fields) => parts.lines.push(formatLogLine(new Date(0), level, fields)),
    report: (type) => {
      parts.reported.push(type);
      return Promise.resolve();
    },
  });
  return { parts, tenants };
}

const nth = (n: number) => `AC${String(n).padStart(32, "0")}`;

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
  parts.row = { org_id: "o", sealed_token: null, token: TOKEN };
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
  assertEquals(tokenOf(await tenants.find(STRANGER)), "unknown");
});

Deno.test("with neither the database nor Twilio there, an account is not called unknown", async () => {
  const { parts, tenants } = directory();
  parts.database = false;
  parts.twilio = new Error("away");
  assertEquals(tokenOf(await tenants.find(TENANT)), "unavailable");
});

Deno.test("strangers have Twilio asked nothing but one list a minute while the database is away", async () => {
  const { parts, tenants } = directory();
  parts.database = false;
  parts.twilio = TOKEN;
  for (let n = 0; n < 200; n++) assertEquals(tokenOf(await tenants.find(nth(n))), "unknown");
  assertEquals([parts.listsAtTwilio, parts.asked], [1, 0]);
  // Who is a tenant is served meanwhile.
  assertEquals(tokenOf(await tenants.find(TENANT)), TOKEN);
  parts.now = 60_000;
  await tenants.find(nth(1000));
  assertEquals([parts.listsAtTwilio, parts.asked], [2, 1]);
});

Deno.test("strangers have the database asked 30 times a minute, and then for one list in 5 s", async () => {
  const { parts, tenants } = directory(null);
  for (let n = 0; n < 1000; n++) assertEquals(tokenOf(await tenants.find(nth(n))), "unknown");
  assertEquals([parts.reads, parts.lists, parts.asked, parts.listsAtTwilio], [30, 1, 0, 0]);
  // A tenant on an isolate that nobody has told of it, in the middle of that.
  parts.row = { org_id: "o", sealed_token: null, token: TOKEN };
  parts.now = 5000;
  assertEquals(tokenOf(await tenants.find(TENANT)), TOKEN);
  assertEquals([parts.reads, parts.lists], [31, 2]);
});

Deno.test("a token that was sealed by an older key is fetched from Twilio", async () => {
  const sealed_token = await sealBy("the key before").close("old", TENANT);
  const { parts, tenants } = directory({ token: undefined, sealed_token });
  parts.twilio = TOKEN;
  assertEquals(tokenOf(await tenants.find(TENANT)), TOKEN);
  // And sealed by the key of now, so that no other isolate has to ask.
  await until(() => parts.kept.length > 0);
  const [[account, { sealed }]] = parts.kept as [[string, { sealed: string }]];
  assertEquals([account, await seal.open(sealed, TENANT)], [TENANT, TOKEN]);
  assertEquals(parts.reported, ["tenant_seal_not_opened"]);
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
  for (let n = 0; n < 1000; n++) await tenants.find(nth(n));
  const { reads } = parts;
  assertEquals(tokenOf(await tenants.find(TENANT)), TOKEN);
  assertEquals(parts.reads, reads);
});

// --- a token that was replaced at Twilio ------------------------------------------------------------------------

/** Waits for what goes on in the background. */
async function until(holds: () => boolean): Promise<void> {
  // deno-lint-ignore no-await-in-loop
  while (!holds()) await new Promise((done) => setTimeout(done));
}

const renewedOf = async (tenants: Tenants) => {
  const found = await tenants.find(TENANT);
  return found.kind === "tenant" ? (await found.tenant.renewed())?.authToken : found.kind;
};

Deno.test("a token that was replaced is asked of Twilio, used and kept", async () => {
  const { parts, tenants } = directory();
  await tenants.find(TENANT);
  parts.twilio = "the-token-of-now";
  assertEquals(await renewedOf(tenants), "the-token-of-now");
  assertEquals(tokenOf(await tenants.find(TENANT)), "the-token-of-now");
  await until(() => parts.kept.length > 0);
  assertEquals(parts.kept, [[TENANT, { token: "the-token-of-now" }]]);
  assertEquals(parts.lines.join("").includes("the-token-of-now"), false);
});

Deno.test("where there is no Vault, the new token is kept sealed", async () => {
  const { parts, tenants } = directory({
    token: undefined,
    sealed_token: await seal.close(TOKEN, TENANT),
  });
  parts.twilio = "the-token-of-now";
  assertEquals(await renewedOf(tenants), "the-token-of-now");
  await until(() => parts.kept.length > 0);
  const [[, { sealed }]] = parts.kept as [[string, { sealed: string }]];
  assertEquals(await seal.open(sealed, TENANT), "the-token-of-now");
});

Deno.test("a token that another isolate or an operator has stored is found without Twilio", async () => {
  const { parts, tenants } = directory();
  await tenants.find(TENANT);
  parts.row = { org_id: "o", sealed_token: null, token: "stored-by-hand" };
  assertEquals(await renewedOf(tenants), "stored-by-hand");
  assertEquals([parts.asked, parts.kept], [0, []]);
});

Deno.test("for an account wrong signatures have the database asked once in 5 s, and Twilio once a minute", async () => {
  const { parts, tenants } = directory();
  parts.twilio = TOKEN;
  for (let n = 0; n < 100; n++) assertEquals(await renewedOf(tenants), undefined);
  assertEquals([parts.reads, parts.asked], [2, 1]);
  parts.now = 5000;
  for (let n = 0; n < 100; n++) assertEquals(await renewedOf(tenants), undefined);
  assertEquals([parts.reads, parts.asked], [3, 1]);
  parts.now = 60_000;
  parts.twilio = "the-token-of-now";
  assertEquals(await renewedOf(tenants), "the-token-of-now");
  assertEquals(parts.asked, 2);
});

Deno.test("however many accounts get wrong signatures, Twilio is asked ten times a minute", async () => {
  const { parts, tenants } = directory();
  parts.twilio = TOKEN;
  for (let n = 0; n < 25; n++) {
    const found = await tenants.find(nth(n));
    if (found.kind === "tenant") await found.tenant.renewed();
  }
  assertEquals(parts.asked, 10);
});

// --- failures -----------------------------------------------------------------------------------------------

Deno.test("look-ups that fail are logged each, and counted once a minute", async () => {
  const { parts, tenants } = directory();
  parts.database = false;
  parts.twilio = new Error("silent");
  await tenants.find(TENANT);
  await tenants.find(TENANT);
  const logged = parts.lines.map((line) => JSON.parse(line));
  assertEquals(logged.map(({ level, outcome, reason }) => [level, outcome, reason]), [
    ["error", "tenant_lookup_failed", "Error: away"],
    ["error", "tenant_token_unanswered", "Error: silent"],
    ["error", "tenant_lookup_failed", "Error: away"],
    ["error", "tenant_token_unanswered", "Error: silent"],
  ]);
  assertEquals(parts.reported, ["tenant_lookup_failed", "tenant_token_unanswered"]);
  parts.now = 60_000;
  await tenants.find(TENANT);
  assertEquals(parts.reported.length, 4);
});

Deno.test("a new token that cannot be stored is used and reported", async () => {
  const { parts, tenants } = directory();
  const found = await tenants.find(TENANT);
  parts.twilio = "the-token-of-now";
  parts.stores = false;
  if (found.kind === "tenant") await found.tenant.renewed();
  await until(() => parts.reported.length > 0);
  assertEquals(parts.reported, ["tenant_token_not_stored"]);
  // Read again, the database still has the old one.
  parts.now = 60_000;
  assertEquals(tokenOf(await tenants.find(TENANT)), "the-token-of-now");
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

Deno.test("while an account cannot be looked up, Twilio gets 503 and delivers again", async () => {
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
    const own = provisioning(
      twilioClient({
        baseUrl: twilio.url,
        accountSid: ACCOUNT_SID,
        authToken: AUTH_TOKEN,
      }),
      ACCOUNT_SID,
    );
    const { sid } = await own.createSubaccount("tradeline somebody");
    const token = twilio.subaccounts[0]!.auth_token;
    const lines: string[] = [];
    const call = frontdoor({
      ...depsFrom(settings),
      log: (level, fields) => lines.push(formatLogLine(new Date(), level, fields)),
    });
    const params = { ...incomingCall, AccountSid: sid };
    const answer = await twiml(call, signedRequest("voice-frontdoor", params, { token }));
    // Nor can it be what it says of recording: nothing is said, so nothing is recorded.
    assertEquals(/record/.test(answer.spoken.join(" ")), false);
    // Whose line it is cannot be known now: another business's phone must not ring for it.
    assertEquals(/sales|support|TradeLine/.test(answer.spoken.join(" ")), false);
    assertEquals(answer.verbs.some(({ name }) => name === "Record"), true);
    const forged = signedRequest("voice-frontdoor", params, { token: "another" });
    assertEquals((await call(forged)).status, 401);
    assertEquals(lines.join("").includes(token), false);
  } finally {
    await twilio.stop();
  }
});

Deno.test("a line without a published flow answers as the settings say, in its business's name", async () => {
  const { tenants } = directory({ business_name: "Prairie Dental" });
  const call = frontdoor(deps(tenants));
  const own = await twiml(call, signedRequest("voice-frontdoor", ofTenant, { token: TOKEN }));
  assertEquals(own.spoken[0], "Thank you for calling Prairie Dental.");
  const main = await twiml(call, signedRequest("voice-frontdoor", incomingCall));
  assertEquals(own.spoken.slice(1), main.spoken.slice(1));
});

Deno.test("key 0 dials no number while nothing is known of the account", async () => {
  const { parts, tenants } = directory();
  parts.database = false;
  parts.twilio = TOKEN;
  const all = deps(tenants);
  const request = signedRequest("voice-action", { ...ofTenant, Digits: "0" }, {
    query: "?turn=2&attempt=1",
    token: TOKEN,
  });
  const { outline } = await twiml(action(all), request);
  assertEquals(outline.filter((verb) => !verb.startsWith("Say")), ["Record", "Hangup"]);
  assertEquals(all.events[0]!.handoff_reason, undefined);
});

Deno.test("a webhook that the replaced token signed is served at once", async () => {
  const { parts, tenants } = directory();
  await tenants.find(TENANT);
  parts.twilio = "the-token-of-now";
  const call = frontdoor(deps(tenants));
  await twiml(call, signedRequest("voice-frontdoor", ofTenant, { token: "the-token-of-now" }));
  const old = await call(signedRequest("voice-frontdoor", ofTenant, { token: TOKEN }));
  assertEquals(old.status, 401);
});
