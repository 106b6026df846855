import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertObjectMatch } from "@std/assert/object_match.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { assertThrows } from "@std/assert/throws.js";
import fc from "fast-check";
import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import { readSettings } from "../../supabase/functions/_shared/settings.ts";
import { ENVIRONMENT, testSettings } from "../support/webhook.ts";

const REQUIRED = ["TWILIO_AUTH_TOKEN", "BUSINESS_TARGET_E164", "SUPABASE_URL"] as const;

/** The setting that a change of the environment is refused for, and the words. */
function fault(changes: Record<string, string | undefined>): { setting: string; message: string } {
  const error = assertThrows(() => testSettings(changes), SettingError) as SettingError;
  return { setting: error.setting, message: error.message };
}

for (const name of REQUIRED) {
  Deno.test(`a missing ${name} is named`, () => {
    const { setting, message } = fault({ [name]: undefined });
    assertEquals(setting, name);
    assertStringIncludes(message, `${name} must be set`);
  });

  Deno.test(`${name} set to nothing counts as missing`, () => {
    assertEquals(fault({ [name]: "  " }).setting, name);
  });
}

for (
  const [name, value] of [
    ["BUSINESS_TARGET_E164", "5877428885"],
    ["BUSINESS_TARGET_E164", "+0587742888"],
    ["SALES_TARGET_E164", "+1 587 742 8885"],
    ["SUPPORT_TARGET_E164", "sip:desk@example.com"],
    ["ALLOW_INSECURE_TWILIO_WEBHOOKS", "yes"],
    ["RECORDING_CONSENT", "always"],
    ["SUPABASE_URL", "abcdefgh.supabase.co"],
    ["SUPABASE_URL", "ftp://abcdefgh.supabase.co"],
    ["PUBLIC_FUNCTIONS_URL", "https://abcdefgh.supabase.co/functions/v1?key=1"],
    ["PUBLIC_FUNCTIONS_URL", "https://abcdefgh.supabase.co/functions/v1#rc=2"],
    ["SUPABASE_SECRET_KEYS", "sb_secret_not_json"],
    ["TWILIO_IP_ALLOWLIST", "54.172.60.0/23,twilio.com"],
    ["TWILIO_IP_ALLOWLIST", "54.172.60.0/33"],
  ] as const
) {
  Deno.test(`${name} of "${value}" is refused by its name`, () => {
    const { setting, message } = fault({ [name]: value });
    assertEquals(setting, name);
    assertMatch(message, new RegExp(`^Cannot start: ${name} must (be|list) `));
  });
}

Deno.test("without any secret key, the setting that is missing is named", () => {
  const { setting } = fault({ SUPABASE_SECRET_KEYS: undefined });
  assertEquals(setting, "SUPABASE_SECRET_KEYS");
});

Deno.test("secret keys without a default one, and no legacy key, are refused by name", () => {
  for (const keys of ['{"other":"sb_secret_a"}', "[]", "null", '"text"', '{"default":""}']) {
    assertEquals(fault({ SUPABASE_SECRET_KEYS: keys }).setting, "SUPABASE_SECRET_KEYS");
  }
});

for (
  const [keys, legacy, expected] of [
    ['{"b":"sb_b","default":"sb_a","c":"sb_c"}', undefined, ["sb_a", "sb_b", "sb_c"]],
    // The platform goes on setting a legacy key that has been disabled.
    ['{"default":"sb_a"}', "eyLegacy", ["sb_a"]],
    ['{"b":"sb_b"}', "eyLegacy", ["eyLegacy", "sb_b"]],
    [undefined, "eyLegacy", ["eyLegacy"]],
    // What is no key is none: nobody gets in by nothing, by a number, or by the letters of a word.
    ['{"default":"sb_a","b":"","c":7,"d":null,"e":{"f":"g"}}', undefined, ["sb_a"]],
    ['"text"', "eyLegacy", ["eyLegacy"]],
    ["null", "eyLegacy", ["eyLegacy"]],
  ] as const
) {
  Deno.test(`of the secret keys ${keys} and the legacy one ${legacy}, ${expected} count`, () => {
    const settings = testSettings({
      SUPABASE_SECRET_KEYS: keys,
      SUPABASE_SERVICE_ROLE_KEY: legacy,
    });
    assertEquals([...settings.secretKeys], [...expected]);
    assertEquals(settings.secretKey, expected[0]);
  });
}

Deno.test("production refuses webhooks without a signature", () => {
  const { setting } = fault({ NODE_ENV: "production", ALLOW_INSECURE_TWILIO_WEBHOOKS: "true" });
  assertEquals(setting, "ALLOW_INSECURE_TWILIO_WEBHOOKS");
});

Deno.test("an environment that is misspelt does not start as development", () => {
  for (const name of ["prod", "Production", "live"]) {
    assertEquals(
      fault({ NODE_ENV: name }).message,
      `Cannot start: NODE_ENV must be development, test, staging or production: current value is "${name}"`,
    );
  }
  assertEquals(testSettings({ NODE_ENV: "staging" }).environment, "staging");
});

Deno.test("outside production webhooks without a signature can be allowed", () => {
  assertEquals(
    testSettings({ ALLOW_INSECURE_TWILIO_WEBHOOKS: "true" }).allowInsecureWebhooks,
    true,
  );
});

Deno.test("what is not set has its default", () => {
  const settings = testSettings({ SALES_TARGET_E164: undefined, SUPPORT_TARGET_E164: "" });
  assertObjectMatch(settings, {
    twilioAuthToken: ENVIRONMENT["TWILIO_AUTH_TOKEN"],
    businessTarget: ENVIRONMENT["BUSINESS_TARGET_E164"],
    salesTarget: ENVIRONMENT["BUSINESS_TARGET_E164"],
    supportTarget: ENVIRONMENT["BUSINESS_TARGET_E164"],
    twilioIpAllowlist: [],
    allowInsecureWebhooks: false,
    recordingConsent: "opt_out",
    publicFunctionsUrl: "https://abcdefgh.supabase.co/functions/v1",
    supabaseUrl: "https://abcdefgh.supabase.co",
    secretKey: "sb_secret_of_the_tests",
  });
});

Deno.test("a public address of its own is used as it is, without trailing slashes", () => {
  const settings = testSettings({ PUBLIC_FUNCTIONS_URL: "https://voice.example.com/hooks//" });
  assertEquals(settings.publicFunctionsUrl, "https://voice.example.com/hooks");
});

Deno.test("the address list is split at commas, spaces and empty entries dropped", () => {
  const settings = testSettings({ TWILIO_IP_ALLOWLIST: " 54.172.60.0/23, ,2001:db8::1 ," });
  assertEquals(settings.twilioIpAllowlist, ["54.172.60.0/23", "2001:db8::1"]);
});

Deno.test("no fault's message holds a secret, whatever else is wrong", () => {
  const secrets = {
    TWILIO_AUTH_TOKEN: "0123456789abcdefsecrettoken",
    SUPABASE_SECRET_KEYS: '{"default":"sb_secret_do_not_tell"}',
    SUPABASE_SERVICE_ROLE_KEY: "eyDoNotTellEither",
    BUSINESS_TARGET_E164: "+15871112222",
    SALES_TARGET_E164: "+15873334444",
  };
  const names = [...Object.keys(secrets), ...REQUIRED, "RECORDING_CONSENT", "NODE_ENV"];
  const tells = [
    "0123456789abcdefsecrettoken",
    "sb_secret_do_not_tell",
    "eyDoNotTell",
    "5871112222",
    "5873334444",
  ];
  fc.assert(fc.property(
    fc.dictionary(fc.constantFrom(...names), fc.constantFrom(undefined, "", "nonsense")),
    (faults) => {
      const env: Record<string, string | undefined> = { ...ENVIRONMENT, ...secrets, ...faults };
      try {
        readSettings((name) => env[name]);
      } catch (error) {
        if (!(error instanceof SettingError)) throw error;
        for (const tell of tells) assertEquals(error.message.includes(tell), false);
      }
    },
  ));
});

Deno.test("a malformed secret is not repeated", () => {
  const { message } = fault({ SUPABASE_SECRET_KEYS: "sb_secret_forgot_the_json" });
  assertEquals(message.includes("forgot_the_json"), false);
});

Deno.test("a malformed phone number is not repeated", () => {
  const { message } = fault({ BUSINESS_TARGET_E164: "403-555-9876" });
  assertEquals(message.includes("9876"), false);
});
