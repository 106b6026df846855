import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import {
  LOCAL_ACCOUNT_SID,
  LOCAL_AUTH_TOKEN,
  LOCAL_PUBLISHABLE_KEY,
  LOCAL_SECRET_KEY,
} from "../../scripts/local/stack.ts";
import { startTwilioApi } from "../../scripts/local/twilio_api.ts";
import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";
import { sealBy } from "../../supabase/functions/_shared/onboarding/seal.ts";
import { runCommand } from "../support/command.ts";
import { startHotline } from "../support/hotline.ts";
import { memberToken } from "../support/onboarding.ts";

// An organisation comes, and is called: from the request for a number to the rows of a call, over HTTP.

const twilio = startTwilioApi({ accountSid: LOCAL_ACCOUNT_SID, authToken: LOCAL_AUTH_TOKEN });
const hotline = await startHotline({
  env: { TWILIO_ACCOUNT_SID: LOCAL_ACCOUNT_SID, TWILIO_API_URL: twilio.url },
});
Deno.test.afterAll(async () => {
  await hotline.stop();
  await twilio.stop();
});

const PRAIRIE = crypto.randomUUID();
const HARBOUR = crypto.randomUUID();
const BOOKINGS = "+15875550177";

interface Onboarded {
  readonly subaccount_sid: string;
  readonly phone_number: string;
  readonly voice_url: string;
  readonly status_callback: string;
}

async function onboard(orgId: string, token: string | undefined, more = {}): Promise<Onboarded> {
  const response = await fetch(`${hotline.url}/functions/v1/telephony-onboard`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined
        ? { apikey: LOCAL_SECRET_KEY }
        : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ org_id: orgId, business_name: "A business", country: "CA", ...more }),
  });
  const body = await response.json();
  assertEquals(response.status, 200, JSON.stringify(body));
  return body;
}

/** Twilio as it calls the number that was bought: where it is bound, signed by the account's own token. */
function telephone(number: Onboarded) {
  const account = twilio.subaccounts.find(({ sid }) => sid === number.subaccount_sid)!;
  const bound = twilio.numbers.find(({ phone_number }) => phone_number === number.phone_number)!;
  return hotline.simulator({
    voiceUrl: bound.voice_url,
    fallbackUrl: bound.voice_fallback_url,
    statusCallback: bound.status_callback,
    accountSid: account.sid,
    authToken: account.auth_token,
  });
}

async function rows(path: string, orgId: string): Promise<Record<string, unknown>[]> {
  const response = await fetch(`${hotline.url}/rest/v1/${path}`, {
    headers: {
      apikey: LOCAL_PUBLISHABLE_KEY,
      authorization: `Bearer ${memberToken(orgId, "member")}`,
    },
  });
  const body = await response.json();
  assertEquals(response.status, 200, JSON.stringify(body));
  return body;
}

/** What the dentist's callers hear. */
const DENTIST: Flow = {
  schema: 1,
  zone: "America/Edmonton",
  languages: ["en-US"],
  start: "hello",
  prompts: {
    hello: { "en-US": "Thank you for calling Prairie Dental." },
    menu: { "en-US": "For bookings, press 1. To leave a message, press 9." },
    note: { "en-US": "Please leave a message." },
  },
  nodes: {
    hello: { type: "say", prompt: "hello", next: "recording" },
    recording: { type: "consent", policy: "opt_out", next: "menu" },
    menu: {
      type: "menu",
      prompt: "menu",
      options: [{ key: "1", words: ["bookings"], next: "bookings" }, { key: "9", next: "note" }],
      tries: 2,
      otherwise: "note",
    },
    bookings: { type: "ring", to: BOOKINGS, mode: "bookings", answered: "bye", unanswered: "note" },
    note: { type: "voicemail", prompt: "note", mode: "voicemail", next: "bye" },
    bye: { type: "end" },
  },
};

async function publish(definition: Flow, orgId: string): Promise<void> {
  const response = await fetch(`${hotline.url}/functions/v1/call-flows/publish`, {
    method: "POST",
    headers: { "content-type": "application/json", apikey: LOCAL_SECRET_KEY },
    body: JSON.stringify({ definition, name: "dentist", org_id: orgId }),
  });
  assertEquals(response.status, 200, await response.text());
}

Deno.test("a number follows no flow that its organisation has not published", async () => {
  const body = { org_id: HARBOUR, business_name: "A business", country: "CA", flow: "dentist" };
  const response = await fetch(`${hotline.url}/functions/v1/telephony-onboard`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      apikey: LOCAL_SECRET_KEY,
      "idempotency-key": "another",
    },
    body: JSON.stringify(body),
  });
  assertEquals([response.status, (await response.json()).issues[0].field], [400, "flow"]);
});

await publish(DENTIST, PRAIRIE);
const prairie = await onboard(PRAIRIE, undefined, {
  area_code: "587",
  flow: "dentist",
});
const harbour = await onboard(HARBOUR, memberToken(HARBOUR), { area_code: "604" });

Deno.test("a call to the new number is served, and lands in its organisation's rows", async () => {
  const line = telephone(prairie);
  const call = await line.call({
    from: "+14035550001",
    to: prairie.phone_number,
    script: { keys: ["1"], dial: "answered", talkSeconds: 30 },
  });
  await line.settle();
  assertEquals(call.applicationError, undefined);
  assertMatch(call.spoken.join(" "), /Thank you for calling Prairie Dental.*For bookings, press 1/);
  assertEquals(call.dialled, [BOOKINGS]);
  const row = await hotline.row(call.callSid);
  assertEquals([row.org_id, row.mode, row.status, row.disposition], [
    PRAIRIE,
    "bookings",
    "completed",
    "connected",
  ]);
});

Deno.test("its voicemail, its recording and its transcript come by the same token", async () => {
  const line = telephone(prairie);
  const call = await line.call({
    to: prairie.phone_number,
    script: { keys: ["9"], voicemail: { seconds: 12, transcript: "Please call me back." } },
  });
  await line.settle();
  const row = await hotline.row(call.callSid);
  assertEquals([row.org_id, row.disposition, row.transcript], [
    PRAIRIE,
    "voicemail",
    "Please call me back.",
  ]);
  assertEquals(call.webhooks.filter(({ status }) => status >= 400), []);
});

Deno.test("each organisation sees its own calls and numbers only", async () => {
  const line = telephone(harbour);
  const call = await line.call({ to: harbour.phone_number, script: { keys: ["2"] } });
  await line.settle();
  // Without a flow of its own, the line answers as the settings say, in the business's name.
  assertMatch(call.spoken.join(" "), /calling A business\..*For support, press 2/);

  const seen = await rows("call_logs", HARBOUR);
  assertEquals(seen.some((row) => row.call_sid === call.callSid), true);
  assertEquals(seen.filter((row) => row.org_id !== HARBOUR), []);
  const others = await rows("call_logs", PRAIRIE);
  assertEquals(others.filter((row) => row.org_id !== PRAIRIE), []);
  for (
    const [org, number] of [[PRAIRIE, prairie.phone_number], [HARBOUR, harbour.phone_number]]
  ) {
    const numbers = await rows("number_provisioning_status", org!);
    assertEquals(numbers.map((row) => row.e164_number), [number]);
    const events = await rows("call_lifecycle", org!);
    const own = new Set((await rows("call_logs", org!)).map((row) => row.call_sid));
    assertEquals(events.filter((event) => !own.has(event.call_sid)), []);
  }
  assertEquals(await rows("call_logs", crypto.randomUUID()), []);
});

Deno.test("a call that the main token signs for a sub-account is refused, and leaves nothing", async () => {
  const account = twilio.subaccounts[0]!.sid;
  for (
    const authToken of [LOCAL_AUTH_TOKEN, twilio.subaccounts[1]!.auth_token]
  ) {
    const line = hotline.simulator({ accountSid: account, authToken });
    const call = await line.call({ to: prairie.phone_number });
    await line.settle();
    assertEquals(new Set(call.webhooks.map(({ status }) => status)), new Set([401]));
    const found = await hotline.db.sql`
      select from call_lifecycle where call_sid = ${call.callSid}`;
    assertEquals(found.length, 0);
  }
});

Deno.test("the main line asks the database once a webhook, and about no account", async () => {
  const before = hotline.dataApiRequests.length;
  const { record } = await hotline.ring({ keys: ["1"], dial: "answered" }, {
    simulator: { accountSid: LOCAL_ACCOUNT_SID },
  });
  const asked = hotline.dataApiRequests.slice(before);
  assertEquals(new Set(asked), new Set(["POST /rest/v1/rpc/accept_voice_event"]));
  assertEquals(asked.length, record.webhooks.length);
});

Deno.test("no token and no whole number is in the log", () => {
  const log = hotline.console.join("\n");
  for (const secret of [LOCAL_AUTH_TOKEN, LOCAL_SECRET_KEY, prairie.phone_number, BOOKINGS]) {
    assertEquals(log.includes(secret), false);
  }
  for (const { auth_token } of twilio.subaccounts) assertEquals(log.includes(auth_token), false);
});

/** The token of an account as the database has it. */
async function storedToken(account: string): Promise<string> {
  const [row] = await hotline.db.sql`
    select sealed_token from telephony_secrets where subaccount_sid = ${account}`;
  return await sealBy(LOCAL_SECRET_KEY).open(row!.sealed_token, account);
}

const ringOnce = async (number: Onboarded, from: string) => {
  const line = telephone(number);
  const call = await line.call({ from, to: number.phone_number, script: {} });
  await line.settle();
  return call.webhooks.map(({ status }) => status).filter((status) => status >= 300);
};

Deno.test("a sub-account's token is looked up once, not once a webhook", async () => {
  assertEquals(await ringOnce(prairie, "+14035550005"), []);
  const before = hotline.dataApiRequests.length;
  assertEquals(await ringOnce(prairie, "+14035550006"), []);
  const asked = hotline.dataApiRequests.slice(before);
  assert(asked.length > 2);
  assertEquals(asked.filter((request) => request.endsWith("telephony_tenant")), []);
});

Deno.test("after its token was replaced at Twilio a sub-account is served at once, and the new one is stored", async () => {
  const token = twilio.rotateToken(harbour.subaccount_sid);
  assertEquals(await ringOnce(harbour, "+16045550003"), []);
  // It is stored after the answer.
  // deno-lint-ignore no-await-in-loop -- Waits for it.
  while (await storedToken(harbour.subaccount_sid) !== token);
});

Deno.test("a command stores a replaced token by hand, and no other", async () => {
  const office = await onboard(crypto.randomUUID(), undefined, { area_code: "416" });
  const account = office.subaccount_sid;
  const old = await storedToken(account);
  const env = {
    TWILIO_ACCOUNT_SID: LOCAL_ACCOUNT_SID,
    TWILIO_AUTH_TOKEN: LOCAL_AUTH_TOKEN,
    TWILIO_API_URL: twilio.url,
  };
  const store = (args: string[], typed?: string) =>
    runCommand("scripts/onboard/token.ts", [
      "--url",
      hotline.url,
      ...args,
    ], {
      env,
      ...(typed !== undefined && { typed }),
    });
  const token = twilio.rotateToken(account);
  const wrong = await store(["--account", account, "--stdin"], old);
  assertEquals([wrong.code, await storedToken(account)], [1, old]);
  assertMatch(wrong.err, /^Nothing was stored: Twilio refuses this token/);
  const stranger = await store(["--account", `AC${"0".repeat(32)}`]);
  assertEquals(stranger.code, 1);
  assertMatch(stranger.err, /^Nothing was stored: AC\w+ has no sub-account/);
  const usage = await store(["--account", "AC1"]);
  assertEquals(usage.code, 2);

  const done = await store(["--account", account]);
  assertEquals([done.code, done.out], [0, `The auth token of ${account} is stored, sealed.\n`]);
  assertEquals(await storedToken(account), token);
  assertEquals(await ringOnce(office, "+14035550004"), []);
  const again = await store(["--account", account, "--stdin"], `${twilio.rotateToken(account)}\n`);
  assertEquals(again.code, 0);
});

const command = (...args: string[]) => runCommand("scripts/onboard/cli.ts", args);

Deno.test("the command shows the number, or why there is none", async () => {
  const url = ["--url", `${hotline.url}/functions/v1/telephony-onboard`];
  const org = crypto.randomUUID();
  const asked = ["--org", org, "--name", "Gas & Go", "--country", "CA"];
  const [none, wrong, unknown, usage] = await Promise.all([
    command(...asked, "--area", "368", ...url),
    command("--org", org, "--name", "x".repeat(999), ...url),
    runCommand("scripts/onboard/cli.ts", [...asked, ...url], {
      env: { SUPABASE_SERVICE_ROLE_KEY: "sb_secret_wrong" },
    }),
    command("--name", "x"),
  ]);
  assertEquals(none.code, 1);
  assertMatch(none.err, /no local number.*\n {2}--area 403 {2}Calgary, AB\n/);
  assertMatch(none.err, /Nothing is left of it/);
  assertEquals([wrong.code, wrong.err], [
    1,
    "The request is not valid:\n  business_name must be text of 1 to 200 characters\n",
  ]);
  assertMatch(unknown.err, /SUPABASE_SECRET_KEYS is not this project's/);
  assertEquals([usage.code, usage.out], [2, ""]);
  assertMatch(usage.err, /--org must be given/);

  const done = await command(...asked, "--area", "403", ...url);
  assertEquals([done.code, done.err], [0, ""]);
  assertMatch(
    done.out,
    /sub-account opened[^]*number bought[^]*bound to the hotline[^]*number +\+1403555/,
  );

  // Told once, whatever the command is given again.
  const again = await command(...asked, "--area", "403", ...url);
  assertEquals([again.code, again.err], [0, ""]);
  assertEquals(/number bought|opened|bound|stored/.exec(again.out), null);
  assertMatch(again.out, /already has its number[^]*number +\+1403555/);

  const released = await command("--release", org, ...url);
  assertEquals([released.code, released.err], [0, ""]);
  assertMatch(released.out, /number released\n[^]*sub-account closed\n[^]*number +\+1403555/);
  const twice = await command("--release", org, ...url);
  assertEquals([twice.code, twice.err], [0, ""]);
  assertMatch(twice.out, /^Releasing organisation .*\n {2}already released by an earlier request/);
  const [nothing, malformed] = await Promise.all([
    command("--release", crypto.randomUUID(), ...url),
    command("--release", "five", ...url),
  ]);
  assertEquals([nothing.code, nothing.err], [1, "This organisation has nothing.\n"]);
  assertEquals([malformed.code, malformed.out], [2, ""]);
  assertMatch(malformed.err, /--release must be the organisation's UUID/);
});

Deno.test("a failing command reports what was done and undone, and nothing else", async () => {
  const url = ["--url", `${hotline.url}/functions/v1/telephony-onboard`];
  const asked = () => [
    "--org",
    crypto.randomUUID(),
    "--name",
    "Gas & Go",
    "--area",
    "780",
    ...url,
  ];
  twilio.inject({
    method: "POST",
    path: /IncomingPhoneNumbers$/,
    answer: { status: 400, code: 21631 },
  });
  const unbought = await command(...asked());
  assertEquals(unbought.code, 1);
  assertMatch(unbought.out, /sub-account closed/);
  assertEquals(/number (bought|released)|bound|stored/.exec(unbought.out), null);

  twilio.inject({
    method: "POST",
    path: /IncomingPhoneNumbers\/PN/,
    answer: { status: 400, code: 21402 },
  });
  const unbound = await command(...asked());
  assertEquals(unbound.code, 1);
  assertMatch(unbound.out, /number released[^]*sub-account closed/);
  assertEquals(/bound to|stored/.exec(unbound.out), null);
  assertMatch(unbound.err, /Nothing is left of it/);
});
