// What a deploy looks at before it changes anything, each against what it would meet.

import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertRejects } from "@std/assert/rejects.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import {
  type Check,
  deployChecks,
  labelOf,
  rollbackChecks,
} from "../../scripts/deploy/preflight.ts";
import { smokeTest } from "../../scripts/deploy/smoke.ts";
import { readTarget, settingsOf, type Target } from "../../scripts/deploy/target.ts";
import { lookAtTwilio } from "../../scripts/deploy/twilio.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { startTwilioApi, type TwilioApiOptions } from "../../scripts/local/twilio_api.ts";
import { twilioClient } from "../../supabase/functions/_shared/twilio/client.ts";
import { createTestDatabase } from "../support/database.ts";
import { provisioning } from "../../supabase/functions/_shared/twilio/provisioning.ts";

const REF = "abcdefghijklmnopqrst";
const OTHER = "zyxwvutsrqponmlkjihg";
const ACCOUNT = { accountSid: `AC${"0".repeat(32)}`, authToken: "primary" };

function target(env: Record<string, string> = {}, file = "", number?: string): Target {
  return readTarget(
    REF,
    {
      NODE_ENV: "production",
      TWILIO_AUTH_TOKEN: ACCOUNT.authToken,
      BUSINESS_TARGET_E164: "+15877428885",
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: "sb_secret_1" }),
      ...env,
    },
    file,
    number,
  );
}

async function look(checks: readonly Check[], name: string): Promise<string> {
  return await checks.find((check) => check.name === name)!.look();
}

const settings = (env: Record<string, string>) =>
  look(deployChecks({ target: target(env), root: ROOT }, "", [], nobody), "settings");
const nobody = () => Promise.resolve([]);

for (
  const [what, name, value] of [
    ["the project's address", "SUPABASE_URL", `https://${OTHER}.supabase.co`],
    [
      "the database's address",
      "SUPABASE_DB_URL",
      `postgresql://postgres:secret@db.${OTHER}.supabase.co:5432/postgres`,
    ],
    [
      "the pooler's address",
      "SUPABASE_DB_URL",
      `postgresql://postgres.${OTHER}:secret@aws-0-ca-central-1.pooler.supabase.com:5432/postgres`,
    ],
  ] as const
) {
  Deno.test(`preflight: ${what} of another project is refused, without its password`, async () => {
    const error = await assertRejects(() => settings({ [name]: value }), Error, name);
    assertStringIncludes(error.message, `belongs to project ${OTHER}, but the target is ${REF}`);
    assertEquals(error.message.includes("secret@"), false);
    assertStringIncludes(await settings({ [name]: value.replace(OTHER, REF) }), "well-formed");
  });
}

Deno.test("preflight: a database with migrations of another history is named, with what to do", async () => {
  const db = await createTestDatabase();
  try {
    await db
      .sql`insert into supabase_migrations.schema_migrations (version) values ('20200101000000')`;
    const checks = deployChecks(
      { target: target({ SUPABASE_DB_URL: db.url }), root: ROOT },
      "",
      [],
      nobody,
    );
    await assertRejects(
      () => look(checks, "database"),
      Error,
      "the database has migrations that this commit has not (20200101000000): deploy a commit that has them, or to a new project",
    );
  } finally {
    await db.drop();
  }
});

Deno.test("preflight: a list of addresses that the functions could not read is refused before they start", async () => {
  await assertRejects(
    () => settings({ TWILIO_IP_ALLOWLIST: "54.172.60.0/99" }),
    Error,
    "TWILIO_IP_ALLOWLIST",
  );
});

/** Twilio, whose main account has one number. */
async function withTwilio(
  body: (url: string, number: string) => Promise<void>,
  standing: Partial<TwilioApiOptions> = {},
): Promise<void> {
  const twilio = startTwilioApi({ ...ACCOUNT, ...standing });
  try {
    const buyer = provisioning(
      twilioClient({ baseUrl: twilio.url, ...ACCOUNT }),
      ACCOUNT.accountSid,
    );
    const [sold] = await buyer.numbersForSale("CA", { areaCode: "587", limit: 1 });
    await buyer.buyNumber(ACCOUNT.accountSid, sold!.phone_number);
    await body(twilio.url, sold!.phone_number);
  } finally {
    await twilio.stop();
  }
}

const twilioOf = (env: Record<string, string>, number?: string) =>
  lookAtTwilio(target(env, "", number));

Deno.test("preflight: a token that Twilio does not know is refused, as every webhook would be", () =>
  withTwilio(async (url) => {
    const env = { TWILIO_ACCOUNT_SID: ACCOUNT.accountSid, TWILIO_API_URL: url };
    assertEquals(await twilioOf(env), "the account's token is right");
    const wrong = { ...env, TWILIO_AUTH_TOKEN: "wrong" };
    await assertRejects(() => twilioOf(wrong), Error, "TWILIO_AUTH_TOKEN is no token of account");
  }));

Deno.test("preflight: a trial account is refused, and the limits of one without a customer profile are reported", async () => {
  const looked = async (standing: Partial<TwilioApiOptions>) => {
    let found = "";
    await withTwilio(async (url) => {
      found = await twilioOf({ TWILIO_ACCOUNT_SID: ACCOUNT.accountSid, TWILIO_API_URL: url });
    }, standing);
    return found;
  };
  await assertRejects(() => looked({ type: "Trial" }), Error, "is of a trial account");
  assertStringIncludes(await looked({ profile: false }), "no approved customer profile");
});

Deno.test("preflight: a token that Twilio does not tell is not taken for a wrong one", () =>
  withTwilio(async (url) => {
    const env = { TWILIO_ACCOUNT_SID: ACCOUNT.accountSid, TWILIO_API_URL: url };
    assertStringIncludes(await twilioOf(env), "the token opens the account");
    const wrong = { ...env, TWILIO_AUTH_TOKEN: "wrong" };
    await assertRejects(() => twilioOf(wrong), Error, "TWILIO_AUTH_TOKEN is no token of account");
  }, { tokenOnce: true }));

Deno.test("preflight: a secondary token is refused, unless the primary one is accepted beside it", async () => {
  // Twilio takes either for REST, and tells the primary.
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => Response.json({ sid: ACCOUNT.accountSid, status: "active", auth_token: "primary" }),
  );
  const env = {
    TWILIO_ACCOUNT_SID: ACCOUNT.accountSid,
    TWILIO_API_URL: `http://127.0.0.1:${server.addr.port}`,
    TWILIO_AUTH_TOKEN: "secondary",
  };
  await assertRejects(() => twilioOf(env), Error, "Twilio signs with the primary one");
  const rotating = { ...env, TWILIO_AUTH_TOKEN_PREVIOUS: "primary" };
  assertEquals(await twilioOf(rotating), "the account's token is right");
  await server.shutdown();
});

Deno.test("preflight: a number that cannot be bound is reported before any change", () =>
  withTwilio(async (url, number) => {
    const env = { TWILIO_ACCOUNT_SID: ACCOUNT.accountSid, TWILIO_API_URL: url };
    assertStringIncludes(await twilioOf(env, number), `${number} is its number`);
    await assertRejects(() => twilioOf(env, "+15875550199"), Error, "has no number +15875550199");
    const malformed = { ...env, TRADELINE_NUMBER: "587-555-0199" };
    await assertRejects(() => twilioOf(malformed), Error, "TRADELINE_NUMBER must be in E.164 form");
    await assertRejects(() => twilioOf({}, number), Error, "TWILIO_ACCOUNT_SID must be set");
    assertStringIncludes(await twilioOf({}), "not asked");
  }));

for (
  const [what, answer, expected] of [
    [
      "of another project is named as what is refused",
      Response.json({ message: "Invalid API key" }, { status: 401 }),
      /^Cannot start: SUPABASE_SECRET_KEYS is refused by http/,
    ],
    [
      "finds no log before the first migration",
      Response.json({ code: "PGRST205", message: "Could not find the table" }, { status: 404 }),
      "nothing was deployed yet",
    ],
    [
      "finds what serves",
      Response.json([{
        event_type: "deploy_succeeded",
        event_data: { versions: { "voice-route": "a".repeat(40) }, previous: {} },
      }]),
      "aaaaaaaaaaaa serves",
    ],
    [
      "is not taken for right where anything else answers",
      new Response("<html>", { status: 404 }),
      /answered 404/,
    ],
  ] as const
) {
  Deno.test(`preflight: a secret key ${what}`, async () => {
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () => answer.clone(),
    );
    const url = `http://127.0.0.1:${server.addr.port}`;
    const checks = rollbackChecks(target({ SUPABASE_URL: url }));
    if (expected instanceof RegExp) {
      const error = await assertRejects(() => look(checks, "deploy log"), Error);
      assertMatch(error.message, expected);
    } else assertEquals(await look(checks, "deploy log"), expected);
    await server.shutdown();
  });
}

Deno.test("the smoke test places no call where only Twilio's addresses are let in, and says so", async () => {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    asked.push(new URL(request.url).pathname);
    return Response.json({}, { status: request.method === "GET" ? 200 : 401 });
  });
  const functionsUrl = `http://127.0.0.1:${server.addr.port}`;
  const found = await smokeTest({
    functionsUrl,
    settings: settingsOf(target({ TWILIO_IP_ALLOWLIST: "54.172.60.0/30" })),
    functions: ["voice-frontdoor"],
  });
  assertStringIncludes(
    found.join(),
    "no synthetic call: TWILIO_IP_ALLOWLIST lets only Twilio's addresses in",
  );
  assertEquals(asked.toSorted(), ["/voice-frontdoor", "/voice-health"]);
  await server.shutdown();
});

for (
  const [plan, expected] of [
    ["free", /^Free\. .*needs Pro$/],
    ["pro", /^pro$/],
    // A token that is scoped to what a deploy needs. Source: `supabase functions deploy --help`, Permissions
    ["that may not be read", /^not told, .*needs Pro$/],
  ] as const
) {
  Deno.test(`preflight: the plan ${plan} is told for what it is`, async () => {
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === `/v1/projects/${REF}`) return Response.json({ organization_slug: "us" });
      if (plan.includes(" ")) return Response.json({ message: "Forbidden" }, { status: 403 });
      if (pathname === "/v1/organizations/us") return Response.json({ plan });
      return new Response(null, { status: 404 });
    });
    const profile = await Deno.makeTempFile({ suffix: ".yaml" });
    try {
      await Deno.writeTextFile(profile, `api_url: http://127.0.0.1:${server.addr.port}\n`);
      const env = { SUPABASE_ACCESS_TOKEN: "sbp_1", SUPABASE_PROFILE: profile };
      const checks = deployChecks({ target: target(env), root: ROOT }, "", [], nobody);
      assertMatch(await look(checks, "plan"), expected);
    } finally {
      await Deno.remove(profile);
      await server.shutdown();
    }
  });
}

Deno.test("what the CLI says of a network that is away is OFFLINE, and no fault of the project", () => {
  const [offline, fault] = ["OFFLINE", "FAULT  "];
  for (
    const [said, label] of [
      ["failed to list secrets: TransportError", offline],
      ["IPv6 is not supported on your current network", offline],
      ["dial tcp: lookup api.supabase.com: no such host", offline],
      ["failed to list secrets: Unauthorized", fault],
    ] as const
  ) {
    assertEquals(labelOf(new Error(said)), label, said);
  }
});
