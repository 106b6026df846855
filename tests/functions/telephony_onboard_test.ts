import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { fromFileUrl } from "@std/path/from_file_url.js";
import { exportJWK } from "jose/key/export";
import { generateKeyPair } from "jose/key/generate/keypair";
import { SignJWT } from "jose/jwt/sign";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import { onboardings, workOf } from "../../supabase/functions/_shared/db/onboarding.ts";
import { depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { createHandler as frontdoor } from "../../supabase/functions/voice-frontdoor/handler.ts";
import { bindingOf, runOnboarding } from "../../supabase/functions/_shared/onboarding/saga.ts";
import { answeredAt } from "../../scripts/local/twilio_api.ts";
import { startTestStack } from "../support/database.ts";
import {
  dyingAfter,
  isPurchase,
  memberToken,
  type Office,
  openOffice,
  organisation,
  userToken,
} from "../support/onboarding.ts";
import { ONE_VISIBLE_LINE } from "../../supabase/functions/_shared/text.ts";
import { newCallSid } from "../support/events.ts";
import {
  incomingCall,
  PUBLIC_URL,
  signedRequest,
  testSettings,
  twiml,
} from "../support/webhook.ts";

const ONBOARDING_PROCESS = fromFileUrl(
  new URL("../support/onboarding_process.ts", import.meta.url),
);
const stack = await startTestStack({ functions: false });
Deno.test.afterAll(() => stack.stop());

/** A test with an office of its own. */
function officeTest(name: string, run: (office: Office) => Promise<void>) {
  Deno.test(name, async () => {
    const office = openOffice(stack);
    try {
      await run(office);
    } finally {
      await office.stop();
    }
  });
}

const active = (office: Office) =>
  office.twilio.subaccounts.filter(({ status }) => status === "active");

// --- the way it goes ----------------------------------------------------------------------------------------

officeTest(
  "an organisation gets a sub-account and a number that is bound to the hotline",
  async (office) => {
    const { org_id, body } = organisation();
    const { status, body: answer } = await office.ask(body);
    const [subaccount] = office.twilio.subaccounts;
    const [number] = office.twilio.numbers;
    assertEquals([status, answer], [200, {
      subaccount_sid: subaccount!.sid,
      phone_number: number!.phone_number,
      voice_url: `${PUBLIC_URL}/voice-frontdoor#rc=2&rp=5xx,ct,rt&ct=2000&rt=6500`,
      status_callback: `${PUBLIC_URL}/voice-status#rc=4&rp=5xx,ct,rt`,
    }]);
    assertMatch(answer.phone_number, /^\+1587/);
    assertEquals(subaccount!.friendly_name, `tradeline ${org_id}`);
    assertEquals(number!.account_sid, subaccount!.sid);
    assertEquals(number!.voice_url, answer.voice_url);
    assertEquals(number!.voice_fallback_url, `${PUBLIC_URL}/voice-voicemail`);
    assertEquals(number!.status_callback, answer.status_callback);

    const [shown] = await stack.db.sql`
    select e164_number, country, business_name, subaccount_sid from number_provisioning_status
    where org_id = ${org_id}`;
    assertEquals({ ...shown }, {
      e164_number: answer.phone_number,
      country: "CA",
      business_name: body.business_name,
      subaccount_sid: subaccount!.sid,
    });
  },
);

officeTest("each step is written down with what undoes it", async (office) => {
  const { org_id, body } = organisation();
  const { body: answer } = await office.ask(body);
  const [transaction] = await office.transactions(org_id);
  assertEquals([transaction.status, transaction.result], ["completed", answer]);
  assertEquals((await stack.db.sql`select from jobs where key = ${transaction.id}`).length, 0);
  assertEquals(transaction.steps_completed, [
    {
      step: "subaccount",
      state: "done",
      undo: "close_subaccount",
      subaccount_sid: answer.subaccount_sid,
    },
    {
      step: "number",
      state: "done",
      undo: "release_number",
      number: answer.phone_number,
      number_sid: office.twilio.numbers[0]!.sid,
    },
    { step: "bind", state: "done", undo: null },
    { step: "store", state: "done", undo: null },
  ]);
});

officeTest("the sub-account's token is stored encrypted, and never shown", async (office) => {
  const { org_id, body } = organisation();
  const { body: answer } = await office.ask(body);
  const { sid, auth_token } = office.twilio.subaccounts[0]!;
  const [secret] = await stack.db
    .sql`select sealed_token, vault_secret_id from telephony_secrets where subaccount_sid = ${sid}`;
  assertEquals(await office.saga.seal.open(secret!.sealed_token, sid), auth_token);
  assertEquals(secret!.vault_secret_id, null);
  const told = JSON.stringify([
    answer,
    office.lines,
    await office.transactions(org_id),
    [...await stack.db.sql`select * from telephony_secrets`],
  ]);
  assertEquals(told.includes(auth_token), false);
  assertEquals(told.includes("local-auth-token"), false);
});

officeTest("without an area code any local number of the country will do", async (office) => {
  const { body: { area_code: _, ...body } } = organisation({ country: "US" });
  assertMatch((await office.ask(body)).body.phone_number, /^\+1(206|212|312|415|503)/);
});

// --- the same again -----------------------------------------------------------------------------------------

officeTest("the same request again is answered as before, and buys nothing", async (office) => {
  const { body } = organisation();
  const first = await office.ask(body);
  const asked = office.twilio.requests.length;
  const second = await office.ask({ ...body, org_id: body.org_id.toUpperCase() });
  assertEquals([second.status, second.body], [200, first.body]);
  assertEquals([first, second].map(({ headers }) => headers.get("idempotent-replayed")), [
    null,
    "true",
  ]);
  // Twilio is asked whether the number is the organisation's still, and for nothing else.
  assertEquals(
    office.twilio.requests.slice(asked).filter(({ method }) => method !== "GET"),
    [],
  );
});

for (
  const [what, change, error] of [
    ["closed", { Status: "closed" }, "subaccount_closed"],
    ["suspended", { Status: "suspended" }, "subaccount_suspended"],
    ["left by its number", undefined, "number_released"],
  ] as const
) {
  officeTest(
    `an organisation whose sub-account was ${what} at Twilio learns that, and can begin again`,
    async (office) => {
      const { org_id, body } = organisation();
      const first = (await office.ask(body, { key: "one" })).body;
      const [account] = office.twilio.subaccounts;
      const [number] = office.twilio.numbers;
      if (change === undefined) await office.saga.twilio.releaseNumber(account!.sid, number!.sid);
      else await office.setStatus(account!.sid, change.Status);

      const again = await office.ask(body, { key: "one" });
      assertEquals([again.status, again.body.error], [409, error]);
      assertMatch(again.body.message, /task onboard --release/);
      if (change !== undefined) {
        // Nothing can be bought for it either.
        const further = await office.ask({ ...body, area_code: "403" }, { key: "two" });
        assertEquals([further.status, further.body.error], [409, error]);
      }
      assertEquals((await office.release(org_id)).status, 200);
      const anew = await office.ask(body, { key: "one" });
      assertEquals(anew.status, 200);
      assert(anew.body.subaccount_sid !== first.subaccount_sid);
      assertEquals(active(office).map(({ sid }) => sid), [anew.body.subaccount_sid]);
      assertEquals(office.twilio.numbers.length, 1);
    },
  );
}

officeTest(
  "while Twilio does not answer, a repeated request promises no number",
  async (office) => {
    const { body } = organisation();
    await office.ask(body);
    office.twilio.inject({ method: "GET", times: 4, answer: { status: 503 } });
    const again = await office.ask(body);
    assertEquals([again.status, again.body.error], [503, "twilio_unavailable"]);
    assertEquals((await office.ask(body)).status, 200);
  },
);

// --- giving it back -----------------------------------------------------------------------------------------

officeTest(
  "a release gives back what an organisation has, once, and keeps what was",
  async (office) => {
    const { org_id, body } = organisation();
    const first = (await office.ask(body, { key: "one" })).body;
    const second = (await office.ask({ ...body, area_code: "403" }, { key: "two" })).body;
    const released = await office.release(org_id.toUpperCase());
    assertEquals([released.status, released.body], [200, {
      subaccount_sid: first.subaccount_sid,
      phone_numbers: [second.phone_number, first.phone_number],
    }]);
    assertEquals([office.twilio.numbers.length, active(office).length], [0, 0]);

    const asked = office.twilio.requests.length;
    const again = await office.release(org_id);
    assertEquals([again.status, again.body, again.headers.get("idempotent-replayed")], [
      200,
      released.body,
      "true",
    ]);
    assertEquals(office.twilio.requests.length, asked);
    assertEquals(
      (await office.transactions(org_id)).map((each) => [each.transaction_type, each.status]),
      [["onboarding", "released"], ["onboarding", "released"], ["release", "completed"]],
    );
    // Late callbacks of its calls are signed by the token of then.
    const [row] = await stack.db.sql`select telephony_tenant(${first.subaccount_sid}) as tenant`;
    assertEquals(row!.tenant.org_id, org_id);
    assert(row!.tenant.sealed_token !== null);
  },
);

officeTest("an organisation that never had anything has nothing to release", async (office) => {
  const { status, body } = await office.release(crypto.randomUUID());
  assertEquals([status, body.error], [404, "not_found"]);
  const malformed = await office.release("five");
  assertEquals([malformed.status, malformed.body.issues], [
    400,
    [{ field: "org_id", message: "must be a UUID" }],
  ]);
});

officeTest("only an operator releases", async (office) => {
  const { org_id, body } = organisation();
  await office.ask(body);
  const headers = { apikey: undefined, authorization: `Bearer ${memberToken(org_id)}` };
  assertEquals((await office.release(org_id, { headers })).status, 403);
  assertEquals((await office.release(org_id, { headers: { apikey: "wrong" } })).status, 401);
  assertEquals(active(office).length, 1);
});

officeTest(
  "a release that Twilio refuses is finished later, and nothing is bought meanwhile",
  async (office) => {
    const { org_id, body } = organisation();
    await office.ask(body);
    office.twilio.inject({ method: "DELETE", times: 4, answer: { status: 503 } });
    const first = await office.release(org_id);
    assertEquals([first.status, first.body.error, first.body.undone], [
      503,
      "twilio_unavailable",
      false,
    ]);
    assertEquals((await office.ask(body, { key: "two" })).body.error, "in_progress");
    assertEquals((await office.release(org_id)).body.error, "in_progress");
    await office.expireLeases();
    assertEquals((await office.reconcile()).body.released, 1);
    assertEquals([office.twilio.numbers.length, active(office).length], [0, 0]);
    assertEquals((await office.release(org_id)).status, 200);
  },
);

officeTest("a release that is killed is finished, wherever it was", async (office) => {
  for (let at = 0; at < 6; at++) {
    const { org_id, body } = organisation();
    assertEquals((await office.ask(body)).status, 200);
    const dying = dyingAfter(office.saga, at);
    void office.release(org_id, {}, dying.saga);
    const call = await dying.died;
    await office.expireLeases();
    assertEquals((await office.reconcile()).body.released, call === "completeRelease" ? 0 : 1);
    assertEquals([office.twilio.numbers.length, active(office).length], [0, 0]);
    assertEquals((await office.release(org_id)).status, 200);
  }
});

officeTest("an onboarding that is being undone is not released in between", async (office) => {
  const { org_id, body } = organisation();
  await office.ask(body, { key: "one" });
  office.twilio.inject({ method: "POST", path: /PN\w{32}$/, answer: { status: 400 } });
  office.twilio.inject({ method: "DELETE", times: 4, answer: { status: 503 } });
  await office.ask({ ...body, area_code: "403" }, { key: "two" });
  const { status, body: answer } = await office.release(org_id);
  assertEquals([status, answer.error], [409, "in_progress"]);
  await office.expireLeases();
  assertEquals((await office.reconcile()).body.undone, 1);
});

officeTest("twenty at once buy one number", async (office) => {
  const { org_id, body } = organisation();
  const answers = await Promise.all(Array.from({ length: 20 }, () => office.ask(body)));
  const served = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status === 409);
  assertEquals(served.length + refused.length, 20);
  assert(served.length >= 1);
  assertEquals(new Set(served.map(({ body }) => body.phone_number)).size, 1);
  for (const { body, headers } of refused) {
    assertEquals(body.error, "in_progress");
    assertMatch(headers.get("retry-after") ?? "", /^[1-9]\d*$/);
  }
  assertEquals(office.twilio.purchases.length, 1);
  assertEquals(office.twilio.subaccounts.length, 1);
  assertEquals((await office.transactions(org_id)).length, 1);
  assertEquals((await office.ask(body)).status, 200);
});

officeTest("twenty at once under keys of their own still go one at a time", async (office) => {
  const { body } = organisation();
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => office.ask(body, { key: `key-${i}` })),
  );
  assertEquals(active(office).length, 1);
  const numbers = answers.filter(({ status }) => status === 200).map(({ body }) =>
    body.phone_number
  );
  assertEquals(numbers.length, office.twilio.purchases.length);
});

officeTest(
  "another request for an organisation that has a number is a conflict",
  async (office) => {
    const { body } = organisation();
    await office.ask(body);
    const { status, body: answer } = await office.ask({ ...body, area_code: "403" });
    assertEquals([status, answer.error], [409, "conflict"]);
    assertMatch(answer.message, /Idempotency-Key/);
    assertEquals(office.twilio.purchases.length, 1);
  },
);

officeTest(
  "a key with another body is a conflict; another key gets a further number",
  async (office) => {
    const { body } = organisation();
    const first = await office.ask(body, { key: "one" });
    assertEquals((await office.ask({ ...body, country: "US" }, { key: "one" })).status, 409);
    assertEquals((await office.ask(body, { key: "one" })).body, first.body);
    const second = await office.ask({ ...body, area_code: "403" }, { key: "two" });
    assertEquals(second.status, 200);
    assertEquals(second.body.subaccount_sid, first.body.subaccount_sid);
    assertMatch(second.body.phone_number, /^\+1403/);
    assertEquals(active(office).length, 1);
  },
);

officeTest("a further number that fails leaves the organisation what it had", async (office) => {
  const { body } = organisation();
  const first = await office.ask(body, { key: "one" });
  office.twilio.inject({
    method: "POST",
    path: /IncomingPhoneNumbers\/PN/,
    times: 9,
    answer: { status: 400, code: 21402 },
  });
  const second = await office.ask({ ...body, area_code: "403" }, { key: "two" });
  assertEquals([second.status, second.body.undone], [502, true]);
  assertEquals(office.twilio.numbers.map((number) => number.phone_number), [
    first.body.phone_number,
  ]);
  assertEquals(active(office).length, 1);
});

officeTest("after an undone failure the same request runs again", async (office) => {
  const { org_id, body } = organisation();
  office.twilio.inject({
    method: "POST",
    path: /^\/Accounts$/,
    answer: { status: 400, code: 21480 },
  });
  assertEquals((await office.ask(body)).status, 502);
  assertEquals((await office.ask(body)).status, 200);
  assertEquals((await office.transactions(org_id)).map(({ status }) => status), [
    "rolled_back",
    "completed",
  ]);
});

// --- who may ------------------------------------------------------------------------------------------------

const bearer = (token: string) => ({
  apikey: undefined,
  authorization: `Bearer ${token}`,
});

officeTest("a signed-in admin may onboard the own organisation", async (office) => {
  const { org_id, body } = organisation();
  const { status } = await office.ask(body, { headers: bearer(memberToken(org_id)) });
  assertEquals(status, 200);
});

officeTest("an admin cannot have further numbers bought; an operator can", async (office) => {
  const { org_id, body } = organisation();
  const headers = bearer(memberToken(org_id));
  const first = await office.ask(body, { headers, key: "one" });
  assertEquals(first.status, 200);
  assertEquals((await office.ask(body, { headers, key: "one" })).body, first.body);
  const second = await office.ask(body, { headers, key: "two" });
  assertEquals([second.status, second.body.error], [403, "forbidden"]);
  assertMatch(second.body.message, /An operator can/);
  assertEquals((await office.transactions(org_id)).length, 1);
  assertEquals((await office.ask(body, { key: "two" })).status, 200);
});

officeTest("an admin who asks twenty times under as many keys gets one number", async (office) => {
  const { org_id, body } = organisation();
  const headers = bearer(memberToken(org_id));
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => office.ask(body, { headers, key: `key-${i}` })),
  );
  assertEquals(office.twilio.purchases.length, 1);
});

officeTest("other callers are refused, and nothing is begun", async (office) => {
  const { org_id, body } = organisation();
  // Beyond what clocks may differ by.
  const past = Math.floor(Date.now() / 1000) - 60;
  const app_metadata = { org_id, role: "admin" };
  const cases: [string, Record<string, string | undefined>, number][] = [
    ["no key and no token", { apikey: undefined }, 401],
    ["a wrong key", { apikey: "sb_secret_wrong" }, 401],
    ["a token of another organisation", bearer(memberToken(crypto.randomUUID())), 403],
    ["a member who is no admin", bearer(memberToken(org_id, "member")), 403],
    ["an expired token", bearer(memberToken(org_id, "admin", { exp: past })), 401],
    ["a token without an end", bearer(memberToken(org_id, "admin", { exp: undefined })), 401],
    ["one for later", bearer(memberToken(org_id, "admin", { nbf: past + 3600 })), 401],
    ["one of another secret", bearer(userToken({ app_metadata }, "another secret")), 401],
    ["one of another role", bearer(userToken({ app_metadata, role: "anon" })), 401],
    ["an unsigned one", bearer(unsigned({ app_metadata, role: "authenticated" })), 401],
    [
      "what a user can write about oneself",
      bearer(userToken({ user_metadata: app_metadata })),
      403,
    ],
    ["no token at all", bearer("nonsense"), 401],
  ];
  for (const [name, headers, status] of cases) {
    const answer = await office.ask(body, { headers });
    const error = status === 401 ? "unauthorized" : "forbidden";
    assertEquals([answer.status, answer.body], [status, { error }], name);
  }
  assertEquals(await office.transactions(org_id), []);
  assertEquals(office.twilio.requests.length, 0);
});

function unsigned(claims: Record<string, unknown>): string {
  const part = (value: unknown) => btoa(JSON.stringify(value)).replace(/=+$/, "");
  return `${part({ alg: "none" })}.${part({ exp: 9e9, ...claims })}.`;
}

Deno.test("a token that is signed by the project's public keys is taken", async () => {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const keys = [{ ...await exportJWK(publicKey), kid: "k1", alg: "ES256" }];
  const office = openOffice(stack, {
    env: { SUPABASE_JWKS: JSON.stringify({ keys }), SUPABASE_JWT_SECRET: undefined },
  });
  try {
    const { org_id, body } = organisation();
    const claims = { role: "authenticated", app_metadata: { org_id, role: "admin" } };
    const token = await new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid: "k1" })
      .setExpirationTime("1h").sign(privateKey);
    assertEquals((await office.ask(body, { headers: bearer(token) })).status, 200);
    // The secret is not set: a token that names HS256 has no key at all.
    assertEquals((await office.ask(body, { headers: bearer(memberToken(org_id)) })).status, 401);
  } finally {
    await office.stop();
  }
});

// --- what is asked ------------------------------------------------------------------------------------------

officeTest("each field at fault is named, with what it must be", async (office) => {
  const { status, body } = await office.ask({
    org_id: "five",
    business_name: " ",
    country: "MX",
    area_code: "187",
    colour: "blue",
    profile: { greeting: "A line says what its flow says." },
  });
  assertEquals([status, body.error], [400, "invalid"]);
  const issues = Object.fromEntries(
    // deno-lint-ignore no-explicit-any
    body.issues.map((issue: any) => [issue.field, issue.message]),
  );
  assertEquals(Object.keys(issues).sort(), [
    "area_code",
    "business_name",
    "colour",
    "country",
    "org_id",
    "profile",
  ]);
  assertEquals(issues["org_id"], "must be a UUID");
  assertEquals(issues["country"], 'must be "CA" or "US"');
  assertEquals(issues["colour"], "is not known");
  assertEquals(office.twilio.requests.length, 0);
});

officeTest("a field that is missing is named too", async (office) => {
  const { body } = await office.ask({});
  // deno-lint-ignore no-explicit-any
  assertEquals(body.issues.map((issue: any) => issue.field), [
    "org_id",
    "business_name",
    "country",
  ]);
});

officeTest("a name that does not show as it is written is refused", async (office) => {
  for (const business_name of ["Acme\u200f", "Ac\u200bme", "Acme\u2028Inc", "\u202eemcA"]) {
    const answer = await office.ask(organisation({ business_name }).body);
    assertEquals(answer.status, 400);
    assertEquals(answer.body.issues, [{ field: "business_name", message: ONE_VISIBLE_LINE }]);
  }
});

officeTest("a body that is no request is answered by what is wrong with it", async (office) => {
  const { body } = organisation();
  const get = await office.ask(undefined, { method: "GET" });
  assertEquals([get.status, get.headers.get("allow")], [405, "POST, DELETE"]);
  const form = await office.ask("a=b", {
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
  assertEquals(form.status, 415);
  assertEquals((await office.ask(" ".repeat(70_000))).status, 413);
  for (const text of ["{", "[]", "null", '"text"', "7"]) {
    const { status, body } = await office.ask(text);
    assertEquals([status, body.error, body.issues[0].field], [400, "invalid", "body"], text);
  }
  const key = await office.ask(body, { key: "two words" });
  assertEquals([key.status, key.body.issues[0].field], [400, "Idempotency-Key"]);
});

officeTest("without TWILIO_ACCOUNT_SID the answer names it", async (office) => {
  const { org_id, body } = organisation();
  const { status, body: answer } = await office.askWith(undefined, body);
  assertEquals([status, answer.error], [503, "not_configured"]);
  assertMatch(answer.message, /TWILIO_ACCOUNT_SID/);
  assertEquals(await office.transactions(org_id), []);
});

// --- failures, and their words ------------------------------------------------------------------------------

officeTest("an area code without numbers is answered with others nearby", async (office) => {
  const { org_id, body } = organisation({ area_code: "368" });
  const { status, body: answer } = await office.ask(body);
  assertEquals([status, answer.error], [422, "no_numbers"]);
  assertEquals(answer.alternatives, [
    { area_code: "403", locality: "Calgary", region: "AB" },
    { area_code: "587", locality: "Calgary", region: "AB" },
    { area_code: "825", locality: "Edmonton", region: "AB" },
  ]);
  const [transaction] = await office.transactions(org_id);
  assertEquals([transaction.status, transaction.error_message], [
    "rolled_back",
    "Twilio has no local number for voice in area code 368 of CA. Area codes that have some: 403, 587, 825.",
  ]);
  // It was looked for before anything was made.
  assertEquals(office.twilio.subaccounts.length, 0);
});

officeTest("where none is near, others of the country are offered", async (office) => {
  const { body } = organisation({ area_code: "902" });
  const { status, body: answer } = await office.ask(body);
  assertEquals([status, answer.alternatives.length], [422, 5]);
});

officeTest("Twilio's own word for an empty area code means the same", async (office) => {
  office.twilio.inject({
    path: /AvailablePhoneNumbers/,
    answer: { status: 404, code: 21452, message: "No phone numbers found in area code 587" },
  });
  const { status, body } = await office.ask(organisation().body);
  assertEquals([status, body.error], [422, "no_numbers"]);
  assertEquals(body.alternatives[0].area_code, "403");
});

for (
  const [name, answer, status, error, words] of [
    ["wrong credentials", { status: 401, code: 20003 }, 502, "twilio_credentials", /AUTH_TOKEN/],
    ["an inactive account", { status: 403, code: 20005 }, 502, "twilio_account_inactive", /bal/],
    ["a trial account", { status: 400, code: 21404 }, 502, "twilio_trial", /upgrade/],
    ["an address that is missing", { status: 400, code: 21631 }, 422, "address_required", /addr/],
    ["an error that is not known", { status: 400, code: 21499 }, 502, "twilio_refused", /21499/],
    ["a refusal without a number", { status: 400 }, 502, "twilio_refused", /status 400/],
    ["too many requests", { status: 429, code: 20429 }, 503, "twilio_busy", /a minute/],
    ["a failure of its own", { status: 500 }, 503, "twilio_unavailable", /not answer/],
  ] as const
) {
  officeTest(`buying: ${name} of Twilio's is undone, and explained`, async (office) => {
    const { org_id, body } = organisation();
    office.twilio.inject({
      method: "POST",
      path: /IncomingPhoneNumbers$/,
      times: 99,
      answer,
    });
    const asked = await office.ask(body);
    assertEquals([asked.status, asked.body.error, asked.body.undone], [status, error, true]);
    assertMatch(asked.body.message, words);
    assertEquals(status === 503, asked.headers.has("retry-after"));
    assertEquals([office.twilio.numbers.length, active(office).length], [0, 0]);
    const [shown] = await stack.db
      .sql`select * from failed_transactions where org_id = ${org_id}`;
    assertMatch(shown!.error_message, words);
    // deno-lint-ignore no-explicit-any
    assertEquals(shown!.steps_completed.map((step: any) => [step.step, step.state]), [
      ["subaccount", "undone"],
      ["number", "undone"],
    ]);
  });
}

officeTest("opening the sub-account refused: nothing is bought", async (office) => {
  office.twilio.inject({
    method: "POST",
    path: /^\/Accounts$/,
    answer: { status: 400, code: 21480 },
  });
  const { status, body } = await office.ask(organisation().body);
  assertEquals([status, body.error], [502, "subaccount_limit"]);
  assertEquals(office.twilio.purchases.length, 0);
});

officeTest(
  "binding refused: the number is released, then the sub-account closed",
  async (office) => {
    office.twilio.inject({
      method: "POST",
      path: /IncomingPhoneNumbers\/PN/,
      answer: { status: 400, code: 21402 },
    });
    const { status, body } = await office.ask(organisation().body);
    assertEquals([status, body.error], [502, "twilio_refused"]);
    assertEquals([office.twilio.numbers.length, active(office).length], [0, 0]);
    const undoing = office.twilio.requests.slice(-2)
      .map(({ method, path }) => `${method} ${path.replace(/(AC|PN)\w{32}/g, "$1")}`);
    assertEquals(undoing, [
      "DELETE /Accounts/AC/IncomingPhoneNumbers/PN",
      "POST /Accounts/AC",
    ]);
  },
);

officeTest(
  "a number that was sold meanwhile is replaced by the next",
  async (office) => {
    office.twilio.inject({
      method: "POST",
      path: /IncomingPhoneNumbers$/,
      times: 2,
      answer: { status: 400, code: 21422 },
    });
    const { status, body } = await office.ask(organisation().body);
    assertEquals([status, body.phone_number], [200, "+15875550102"]);
  },
);

officeTest(
  "a failed undo is reported, stored, and retried by voice-reconcile",
  async (office) => {
    const { org_id, body } = organisation();
    office.twilio.inject({
      method: "POST",
      path: /IncomingPhoneNumbers\/PN/,
      answer: { status: 400, code: 21402 },
    });
    office.twilio.inject({ method: "DELETE", times: 8, answer: { status: 503 } });
    const { status, body: answer } = await office.ask(body);
    assertEquals([status, answer.undone], [502, false]);
    assertEquals((await office.transactions(org_id))[0].status, "failed");
    assertEquals(office.twilio.numbers.length, 1);
    // Nothing new is bought while that is so.
    const again = await office.ask(body);
    assertEquals([again.status, again.body.error], [409, "in_progress"]);

    await office.expireLeases();
    assertEquals((await office.reconcile()).body.failed, 1);
    assertEquals((await office.transactions(org_id))[0].status, "failed");
    await office.expireLeases();
    assertEquals((await office.reconcile()).body.undone, 1);
    const [transaction] = await office.transactions(org_id);
    assertEquals(transaction.status, "rolled_back");
    assertEquals(transaction.error_message.includes("not undone yet"), false);
    assertEquals([office.twilio.numbers.length, active(office).length], [0, 0]);
  },
);

// --- attempts -----------------------------------------------------------------------------------------------

officeTest("429 and 5xx are tried again, after waits that differ", async (office) => {
  office.twilio.inject({
    method: "GET",
    path: /AvailablePhoneNumbers/,
    answer: { status: 429, code: 20429, headers: { "retry-after": "2" } },
  });
  office.twilio.inject({ method: "GET", path: /^\/Accounts$/, times: 3, answer: { status: 502 } });
  const { status } = await office.ask(organisation().body);
  assertEquals(status, 200);
  const [told, ...others] = office.waits;
  assert(told! >= 2000 && told! <= 2500);
  assertEquals(others.length, 3);
  others.forEach((wait, attempt) => assert(wait >= 0 && wait <= 500 * 2 ** attempt));
});

officeTest(
  "a purchase that was not answered is asked about before it is tried again",
  async (office) => {
    office.twilio.inject({
      method: "POST",
      path: /IncomingPhoneNumbers$/,
      effect: true,
      answer: { status: 500 },
    });
    const { status } = await office.ask(organisation().body);
    assertEquals(status, 200);
    assertEquals(office.twilio.purchases.length, 1);
    const purchases = office.twilio.requests.map((request, at) => isPurchase(request) ? at : -1)
      .filter((at) => at >= 0);
    assertEquals(purchases.length, 1);
    const next = office.twilio.requests[purchases[0]! + 1]!;
    assertEquals([next.method, next.path.split("/").at(-1)], ["GET", "IncomingPhoneNumbers"]);
  },
);

officeTest(
  "a purchase that did not happen is made once more, of the same number",
  async (office) => {
    office.twilio.inject({
      method: "POST",
      path: /IncomingPhoneNumbers$/,
      answer: { status: 500 },
    });
    assertEquals((await office.ask(organisation().body)).status, 200);
    assertEquals(office.twilio.purchases.length, 1);
    const wanted = office.twilio.requests.filter(isPurchase).map(({ params }) =>
      params["PhoneNumber"]
    );
    assertEquals(wanted, ["+15875550100", "+15875550100"]);
  },
);

officeTest(
  "a purchase that was never answered is looked for again where the sub-account stays",
  async (office) => {
    const { org_id, body } = organisation();
    const first = await office.ask(body, { key: "one" });
    office.twilio.inject({
      method: "POST",
      path: /IncomingPhoneNumbers$/,
      times: 2,
      answer: { status: 500 },
    });
    const second = await office.ask({ ...body, area_code: "403" }, { key: "two" });
    assertEquals([second.status, second.body.undone], [503, false]);
    // Twilio carries it out after all.
    await office.saga.twilio.buyNumber(first.body.subaccount_sid, "+14035550100");
    await office.expireLeases();
    assertEquals((await office.reconcile()).body.undone, 1);
    assertEquals(office.twilio.numbers.map((number) => number.phone_number), [
      first.body.phone_number,
    ]);
    assertEquals((await office.transactions(org_id)).map(({ status }) => status), [
      "completed",
      "rolled_back",
    ]);
  },
);

officeTest("a purchase that hangs is asked about after its deadline", async (office) => {
  office.twilio.inject({
    method: "POST",
    path: /IncomingPhoneNumbers$/,
    effect: true,
    answer: "hang",
  });
  assertEquals((await office.ask(organisation().body)).status, 200);
  assertEquals(office.twilio.purchases.length, 1);
});

officeTest("a sub-account whose opening was not answered is found by its name", async (office) => {
  office.twilio.inject({
    method: "POST",
    path: /^\/Accounts$/,
    effect: true,
    answer: { status: 500 },
  });
  assertEquals((await office.ask(organisation().body)).status, 200);
  assertEquals(office.twilio.subaccounts.length, 1);
});

officeTest(
  "a sub-account that was there before is used, and survives a failure",
  async (office) => {
    const { org_id, body } = organisation();
    const { sid: existing } = await office.saga.twilio.createSubaccount(`tradeline ${org_id}`);
    office.twilio.inject({
      method: "POST",
      path: /IncomingPhoneNumbers$/,
      times: 9,
      answer: { status: 400, code: 21631 },
    });
    assertEquals((await office.ask(body)).status, 422);
    assertEquals(active(office).map(({ sid }) => sid), [existing]);
  },
);

// --- what Twilio did not answer, and lists later ------------------------------------------------------------

officeTest(
  "a purchase that answers 500 and is listed later: no second number is paid for",
  async (office) => {
    const { org_id, body } = organisation();
    const first = (await office.ask(body, { key: "one" })).body;
    // Done, and left out of so many lists.
    office.twilio.inject({
      method: "POST",
      path: /IncomingPhoneNumbers$/,
      effect: true,
      listedAfter: 5,
      answer: { status: 500 },
    });
    const second = await office.ask({ ...body, area_code: "403" }, { key: "two" });
    assertEquals([second.status, second.body.error, second.body.undone], [
      503,
      "twilio_unavailable",
      false,
    ]);
    // Nothing is bought until it is known what came of it.
    const third = await office.ask({ ...body, area_code: "604" }, { key: "three" });
    assertEquals([third.status, third.body.error], [409, "in_progress"]);
    for (let run = 0; run < 3; run++) {
      await office.expireLeases(1);
      assertEquals((await office.reconcile()).body.failed, run < 2 ? 1 : 0);
    }
    assertEquals(office.twilio.numbers.map((number) => number.phone_number), [
      first.phone_number,
    ]);
    assertEquals((await office.transactions(org_id)).map(({ status }) => status), [
      "completed",
      "rolled_back",
    ]);
  },
);

officeTest(
  "a purchase that answers 500 in a new sub-account, and is listed later, goes with the account",
  async (office) => {
    office.twilio.inject({
      method: "POST",
      path: /IncomingPhoneNumbers$/,
      effect: true,
      listedAfter: 99,
      answer: { status: 500 },
    });
    const { status, body } = await office.ask(organisation().body);
    assertEquals([status, body.undone], [503, true]);
    assertEquals(office.twilio.purchases.length, 1);
    assertEquals([office.twilio.numbers.length, active(office).length], [0, 0]);
  },
);

officeTest(
  "a sub-account whose opening answers 500, and that is listed later, stays the only one",
  async (office) => {
    const { org_id, body } = organisation();
    office.twilio.inject({
      method: "POST",
      path: /^\/Accounts$/,
      effect: true,
      listedAfter: 4,
      answer: { status: 500 },
    });
    const { status, body: answer } = await office.ask(body);
    assertEquals([status, answer.undone], [503, false]);
    for (let run = 0; run < 3; run++) {
      assertEquals((await office.ask(body)).status, 409);
      await office.expireLeases(1);
      await office.reconcile();
    }
    assertEquals([office.twilio.subaccounts.length, active(office).length], [1, 0]);
    assertEquals((await office.transactions(org_id)).map(({ status }) => status), ["rolled_back"]);
    assertEquals((await office.ask(body)).status, 200);
  },
);

officeTest(
  "what Twilio did not answer, and lists nowhere for 15 minutes, did not happen",
  async (office) => {
    const { body } = organisation();
    const opening = /^\/Accounts$/;
    office.twilio.inject({ method: "POST", path: opening, answer: { status: 500 } });
    assertEquals((await office.ask(body)).status, 503);
    await office.expireLeases(14);
    assertEquals((await office.reconcile()).body.undone, 0);
    await office.expireLeases(1);
    assertEquals((await office.reconcile()).body.undone, 1);
    assertEquals((await office.ask(body)).status, 200);
    assertEquals(office.twilio.subaccounts.length, 1);
  },
);

// --- the token, told once -----------------------------------------------------------------------------------

Deno.test("a sub-account's token is kept from the answer that opened it", async () => {
  const office = openOffice(stack, { tokenOnce: true });
  try {
    const { body } = organisation();
    // Killed between the opening and the end, it is not lost either.
    const dying = dyingAfter(office.saga, CALLS.indexOf("buyNumber"));
    void office.askWith(dying.saga, body);
    await dying.died;
    await office.expireLeases();
    assertEquals((await office.reconcile()).body.onboarded, 1);
    const { sid, auth_token } = office.twilio.subaccounts[0]!;
    const [secret] = await stack.db
      .sql`select sealed_token from telephony_secrets where subaccount_sid = ${sid}`;
    assertEquals(await office.saga.seal.open(secret!.sealed_token, sid), auth_token);
    const [transaction] = await office.transactions(body.org_id);
    assertEquals("sealed_token" in transaction.steps_completed[0], false);
    // A further number needs no token at all.
    assertEquals((await office.ask({ ...body, area_code: "403" }, { key: "two" })).status, 200);
  } finally {
    await office.stop();
  }
});

Deno.test("when the answer with the token was lost, the sub-account is closed", async () => {
  const office = openOffice(stack, { tokenOnce: true });
  try {
    const { body } = organisation();
    office.twilio.inject({
      method: "POST",
      path: /^\/Accounts$/,
      effect: true,
      answer: { status: 500 },
    });
    const { status, body: answer } = await office.ask(body);
    assertEquals([status, answer.error, answer.undone], [502, "token_unknown", true]);
    assertEquals(active(office).length, 0);
    assertEquals((await office.ask(body)).status, 200);
  } finally {
    await office.stop();
  }
});

// --- a number's webhooks ------------------------------------------------------------------------------------

for (const where of ["voice_application_sid", "trunk_sid"] as const) {
  officeTest(`a number that has a ${where} is taken out of it, and rings here`, async (office) => {
    const { sid } = await office.saga.twilio.createSubaccount("tradeline somebody");
    const { sid: number } = await office.saga.twilio.buyNumber(sid, "+15875550100");
    const bought = office.twilio.numbers[0]!;
    bought[where] = `${where === "trunk_sid" ? "TK" : "AP"}${"0".repeat(32)}`;
    assertEquals(answeredAt(bought), undefined);
    await office.saga.twilio.bindNumber(sid, number, bindingOf(PUBLIC_URL));
    assertMatch(answeredAt(bought) ?? "", /voice-frontdoor/);
  });
}

officeTest("a number that does not take its webhooks is no success", async (office) => {
  office.twilio.inject({
    method: "POST",
    path: /IncomingPhoneNumbers\/PN/,
    answer: { status: 200 },
  });
  const { status, body } = await office.ask(organisation().body);
  assertEquals([status, body.error, body.undone], [502, "not_bound", true]);
  assertMatch(body.message, /voice_url, voice_fallback_url, status_callback/);
  assertEquals([office.twilio.numbers.length, active(office).length], [0, 0]);
});

officeTest(
  "undoing releases the number that was meant, and none that begins like it",
  async (office) => {
    const { org_id, body } = organisation();
    const first = (await office.ask(body, { key: "one" })).body;
    const begun = await office.saga.database.begin(
      { ...body, area_code: "403" } as never,
      "two",
      true,
    );
    if (begun.outcome !== "started") throw new Error(begun.outcome);
    // Twilio's list filters by a part of the number.
    const part = first.phone_number.slice(0, -2);
    assertEquals(await office.saga.twilio.owned(first.subaccount_sid, part), []);
    await office.saga.database.save(begun.work, [
      { step: "subaccount", state: "done", undo: null, subaccount_sid: first.subaccount_sid },
      { step: "number", state: "intended", undo: "release_number", number: part },
    ], "It failed.");
    await office.expireLeases();
    assertEquals((await office.reconcile()).body.undone, 1);
    assertEquals(office.twilio.numbers.map((number) => number.phone_number), [first.phone_number]);
    assertEquals((await office.transactions(org_id)).length, 2);
  },
);

officeTest("an onboarding that is being undone cannot be completed", async (office) => {
  const { org_id, body } = organisation();
  const begun = await office.saga.database.begin(body as never, undefined, true);
  if (begun.outcome !== "started") throw new Error(begun.outcome);
  await office.saga.database.save(begun.work, [], "It failed.");
  const result = {
    subaccount_sid: `AC${"0".repeat(32)}`,
    phone_number: "+15875550119",
    voice_url: "",
    status_callback: "",
  };
  const completed = await office.saga.database.complete(begun.work, [], {
    subaccount_sid: result.subaccount_sid,
    business_name: "A business",
    number: {
      e164_number: result.phone_number,
      number_sid: `PN${"0".repeat(32)}`,
      country: "CA",
    },
    result,
  }).then(() => "completed", (error) => error.name);
  assertEquals(completed, "LeaseLost");
  assertEquals((await office.transactions(org_id))[0].status, "in_progress");
  const [row] = await stack.db
    .sql`select count(*)::integer as n from telephony_numbers where org_id = ${org_id}`;
  assertEquals(row!.n, 0);
  await office.expireLeases();
  assertEquals((await office.reconcile()).body.undone, 1);
});

officeTest("undoing is tried again, each time within the delay of its try", async (office) => {
  const { org_id, body } = organisation();
  const begun = await office.saga.database.begin(body as never, undefined, true);
  if (begun.outcome !== "started") throw new Error(begun.outcome);
  const { jobs } = office;
  let { work } = begun;
  const delays = [60, 120, 240, 480, 960, 1920, 3840, 7680, 15_360, 21_600, 21_600, 21_600];
  for (const [failures, longest] of delays.entries()) {
    assertEquals(work.attempts, failures + 1);
    await office.saga.database.end(work, "failed", [], "It failed.");
    const [row] = await stack.db.sql`
      select extract(epoch from run_at - now())::float8 as wait, status from jobs
      where kind = 'onboarding' and key = ${work.id}`;
    assertEquals(row!.status, "waiting");
    assert(row!.wait > -1 && row!.wait <= longest, `${row!.wait} s after try ${failures + 1}`);
    assert((await office.ask(body)).status === 409, "nobody takes over before it is due");
    await office.expireLeases();
    work = workOf((await jobs.claim(["onboarding"], 100)).find(({ key }) => key === work.id)!);
    assertEquals(work.org_id, org_id);
  }
  await office.saga.database.end(work, "rolled_back", [], "It failed.");
  assertEquals((await stack.db.sql`select from jobs where key = ${work.id}`).length, 0);
});

officeTest("killed twice, it is finished the third time", async (office) => {
  const { body } = organisation();
  for (let run = 0; run < 2; run++) {
    const dying = dyingAfter(office.saga, run === 0 ? 8 : 1);
    void (run === 0 ? office.askWith(dying.saga, body) : office.reconcile(dying.saga));
    await dying.died;
    await office.expireLeases();
  }
  assertEquals((await office.reconcile()).body.onboarded, 1);
  assertEquals(office.twilio.purchases.length, 1);
});

// --- a process that dies ------------------------------------------------------------------------------------

/** The calls of an onboarding to the database and to Twilio, in their order. */
const CALLS = [
  "begin",
  "numbersForSale",
  "subaccounts",
  "save",
  "createSubaccount",
  "save",
  "save",
  "buyNumber",
  "save",
  "save",
  "bindNumber",
  "save",
  "complete",
];

officeTest(
  "the calls of an onboarding are those after which it is killed below",
  async (office) => {
    const dying = dyingAfter(office.saga, 99);
    assertEquals((await office.askWith(dying.saga, organisation().body)).status, 200);
    assertEquals(dying.calls, CALLS);
  },
);

CALLS.forEach((call, at) => {
  officeTest(
    `killed after call ${at + 1}, ${call}: finished by voice-reconcile, one number bought`,
    async (office) => {
      const { org_id, body } = organisation();
      const dying = dyingAfter(office.saga, at);
      void office.askWith(dying.saga, body);
      assertEquals(await dying.died, call);

      if (call !== "complete") {
        // Nobody takes over what may still be in hands.
        assertEquals((await office.ask(body)).status, 409);
        assertEquals((await office.reconcile()).body.onboarded, 0);
      }
      await office.expireLeases();
      const runs = await Promise.all([office.reconcile(), office.reconcile()]);
      const onboarded = runs.map(({ body }) => body.onboarded as number);
      assertEquals(onboarded[0]! + onboarded[1]!, call === "complete" ? 0 : 1);

      assertEquals(office.twilio.purchases.length, 1);
      assertEquals([office.twilio.subaccounts.length, office.twilio.numbers.length], [1, 1]);
      const [number] = office.twilio.numbers;
      assertMatch(number!.voice_url, /voice-frontdoor/);
      assertEquals((await office.ask(body)).body.phone_number, number!.phone_number);
      assertEquals((await office.transactions(org_id)).map(({ status }) => status), ["completed"]);
    },
  );

  officeTest(
    `killed after call ${at + 1}, ${call}, and Twilio refuses from then on: nothing is left`,
    async (office) => {
      if (call === "complete") return;
      const { org_id, body } = organisation();
      const dying = dyingAfter(office.saga, at);
      void office.askWith(dying.saga, body);
      await dying.died;

      await office.expireLeases();
      office.twilio.inject({
        path: /PN\w{32}$/,
        method: "POST",
        times: 9,
        answer: { status: 400 },
      });
      assertEquals((await office.reconcile()).body.undone, 1);
      assertEquals([office.twilio.numbers.length, active(office).length], [0, 0]);
      assertEquals((await office.transactions(org_id)).map(({ status }) => status), [
        "rolled_back",
      ]);
    },
  );
});

officeTest(
  "a call between the binding of a number and its storing is served by its own line",
  async (office) => {
    const { org_id, body } = organisation({ business_name: "Prairie Dental" });
    const dying = dyingAfter(office.saga, CALLS.indexOf("bindNumber"));
    void office.askWith(dying.saga, body);
    assertEquals(await dying.died, "bindNumber");

    const [account] = office.twilio.subaccounts;
    const [number] = office.twilio.numbers;
    const deps = depsFrom(testSettings(office.env));
    const call = {
      ...incomingCall,
      CallSid: newCallSid(),
      AccountSid: account!.sid,
      To: number!.phone_number,
    };
    const { spoken } = await twiml(
      frontdoor(deps),
      signedRequest("voice-frontdoor", call, { token: account!.auth_token }),
    );
    assertEquals(spoken[0], "Thank you for calling Prairie Dental.");
    const [row] = await stack.db.sql`select org_id from call_logs where call_sid = ${call.CallSid}`;
    assertEquals(row!.org_id, org_id);
    const failures = await stack.db.sql`
      select event_type from analytics_events where event_type like 'tenant%'`;
    assertEquals(failures.length, 0);
  },
);

// With a process that is really killed, while Twilio has done what it asked for and has not answered yet.
for (
  const [step, method, path] of [
    ["the sub-account is opened", "POST", /^\/Accounts$/],
    ["the number is bought", "POST", /IncomingPhoneNumbers$/],
    ["the number is bound", "POST", /IncomingPhoneNumbers\/PN\w+$/],
  ] as const
) {
  officeTest(`a process killed when ${step}: afterwards one number is bound`, async (office) => {
    const { org_id, body } = organisation();
    office.twilio.inject({ method, path, effect: true, answer: "hang" });
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", ONBOARDING_PROCESS, JSON.stringify(body)],
      env: office.env,
      stdout: "null",
      stderr: "null",
    }).spawn();
    await office.twilio.seen((request) => request.method === method && path.test(request.path));
    child.kill("SIGKILL");
    assertEquals((await child.status).signal, "SIGKILL");

    await office.expireLeases();
    await office.reconcile();
    assertEquals((await office.transactions(org_id)).map(({ status }) => status), ["completed"]);
    assertEquals(office.twilio.purchases.length, 1);
    assertMatch(office.twilio.numbers[0]!.voice_url, /voice-frontdoor/);
    assertEquals(active(office).length, 1);
  });
}

officeTest("killed while it is being undone: the undoing is finished", async (office) => {
  for (let at = 11; at < 18; at++) {
    const { org_id, body } = organisation();
    office.twilio.inject({
      method: "POST",
      path: /PN\w{32}$/,
      answer: { status: 400, code: 21402 },
    });
    const dying = dyingAfter(office.saga, at);
    const asked = office.askWith(dying.saga, body);
    await Promise.race([dying.died, asked]);
    await office.expireLeases();
    await office.reconcile();
    assertEquals((await office.transactions(org_id)).map(({ status }) => status), ["rolled_back"]);
    assertEquals([office.twilio.numbers.length, active(office).length], [0, 0]);
  }
});

officeTest("killed again and again, it is given up and undone", async (office) => {
  const { org_id, body } = organisation();
  for (let run = 0; run < 3; run++) {
    const dying = dyingAfter(office.saga, run === 0 ? 8 : 1);
    void office.askWith(dying.saga, body);
    await dying.died;
    await office.expireLeases();
  }
  assertEquals((await office.reconcile()).body.undone, 1);
  assertEquals([office.twilio.numbers.length, active(office).length], [0, 0]);
  assertMatch((await office.transactions(org_id))[0].error_message, /interrupted several times/);
});

officeTest("the same request takes over what its process left behind", async (office) => {
  const { body } = organisation();
  const dying = dyingAfter(office.saga, CALLS.indexOf("buyNumber"));
  void office.askWith(dying.saga, body);
  await dying.died;
  await office.expireLeases();
  assertEquals((await office.ask(body)).status, 200);
  assertEquals(office.twilio.purchases.length, 1);
});

officeTest("a worker that lost its lease does nothing more", async (office) => {
  const { body } = organisation();
  const begun = await office.saga.database.begin(body as never, undefined, true);
  if (begun.outcome !== "started") throw new Error(begun.outcome);
  await office.expireLeases();
  await office.reconcile();
  const asked = office.twilio.requests.length;
  const lost = await runOnboarding(begun.work, office.saga).catch((error) => error.name);
  assertEquals(lost, "LeaseLost");
  assertEquals(office.twilio.requests.slice(asked).filter(({ method }) => method !== "GET"), []);
  assertEquals(office.twilio.numbers.length, 1);
});

officeTest("while the database is away nothing is asked of Twilio", async (office) => {
  const refusing = {
    ...office.saga,
    database: onboardings(dataApi("http://127.0.0.1:1", "sb_secret_local")),
  };
  const { status, body, headers } = await office.askWith(refusing, organisation().body);
  assertEquals([status, body.error, headers.get("retry-after")], [503, "unavailable", "60"]);
  assertEquals(office.twilio.requests.length, 0);
});

// --- the token's place --------------------------------------------------------------------------------------

Deno.test("where there is a Vault the token is kept there", async () => {
  const stack = await startTestStack({ functions: false });
  const office = openOffice(stack);
  try {
    // As much of it as is used; the platform's own is an extension that is not here.
    await stack.db.sql.unsafe(`
      create schema vault;
      create table vault.secrets (id uuid primary key default gen_random_uuid(), name text unique, secret text);
      create view vault.decrypted_secrets as select id, name, secret as decrypted_secret from vault.secrets;
      create function vault.create_secret(new_secret text, new_name text, new_description text) returns uuid
        language sql as $$ insert into vault.secrets (name, secret) values (new_name, new_secret) returning id $$;
      create function vault.update_secret(secret_id uuid, new_secret text) returns void
        language sql as $$ update vault.secrets set secret = new_secret where id = secret_id $$;`);
    const { org_id, body } = organisation();
    assertEquals((await office.ask(body)).status, 200);
    assertEquals((await office.ask(body, { key: "another" })).status, 200);
    const { sid, auth_token } = office.twilio.subaccounts[0]!;
    const [kept] = await stack.db.sql`select sealed_token, vault_secret_id from telephony_secrets`;
    assertEquals(kept!.sealed_token, null);
    const secrets = await stack.db.sql`select id, secret from vault.secrets`;
    assertEquals(secrets.map((row) => ({ ...row })), [
      { id: kept!.vault_secret_id, secret: auth_token },
    ]);
    const [row] = await stack.db.sql`select telephony_tenant(${sid}) as tenant`;
    assertEquals([row!.tenant.org_id, row!.tenant.token], [org_id, auth_token]);
  } finally {
    await office.stop();
    await stack.stop();
  }
});

Deno.test("no role can read the table of tokens, the service included", async () => {
  const answer = await fetch(`${stack.url}/rest/v1/telephony_secrets`, {
    headers: { apikey: "sb_secret_local" },
  });
  assertEquals(answer.status, 403);
  await answer.body?.cancel();
});
