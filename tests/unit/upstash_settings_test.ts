import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { assertThrows } from "@std/assert/throws.js";
import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import { callLimits } from "../../supabase/functions/_shared/calls/call_limits.ts";
import { testSettings } from "../support/webhook.ts";

const URL_NAME = "UPSTASH_REDIS_REST_URL";
const TOKEN_NAME = "UPSTASH_REDIS_REST_TOKEN";
const ADDRESS = "https://brave-fox-12345.upstash.io";
const TOKEN = "AX0fASQgNjE4ZGVhZGJlZWY";

function fault(changes: Record<string, string>): SettingError {
  return assertThrows(() => testSettings(changes), SettingError) as SettingError;
}

Deno.test("without its two settings there is no Upstash; the ceiling is 1000 without its own", () => {
  const { upstash, maxCallsPerMinute } = testSettings();
  assertEquals([upstash, maxCallsPerMinute], [undefined, 1000]);
});

Deno.test("Upstash's address and token are read together, the address without trailing slashes", () => {
  const { upstash } = testSettings({ [URL_NAME]: `${ADDRESS}/`, [TOKEN_NAME]: ` ${TOKEN} ` });
  assertEquals(upstash, { url: ADDRESS, token: TOKEN });
});

Deno.test("an address of Upstash's without a token names the token", () => {
  for (const token of ["", " "]) {
    const { setting, message } = fault({ [URL_NAME]: ADDRESS, [TOKEN_NAME]: token });
    assertEquals(setting, TOKEN_NAME);
    assertStringIncludes(message, `${TOKEN_NAME} must be set`);
  }
});

Deno.test("a token of Upstash's without an address names the address", () => {
  const { setting, message } = fault({ [TOKEN_NAME]: TOKEN });
  assertEquals(setting, URL_NAME);
  assertStringIncludes(message, `${URL_NAME} must be set`);
});

for (
  const address of [
    "brave-fox-12345.upstash.io",
    "rediss://default:secret@brave-fox-12345.upstash.io:6379",
    "https://",
    `${ADDRESS}?_token=x`,
  ]
) {
  Deno.test(`${URL_NAME} of "${address}" is refused by its name`, () => {
    assertEquals(fault({ [URL_NAME]: address, [TOKEN_NAME]: TOKEN }).setting, URL_NAME);
  });
}

Deno.test("an address and a token that were entered in each other's place are not repeated", () => {
  const { setting, message } = fault({ [URL_NAME]: TOKEN, [TOKEN_NAME]: ADDRESS });
  assertEquals(setting, URL_NAME);
  assertEquals(message.includes(TOKEN), false);
});

Deno.test("a token that no header can carry is refused by its name, and not repeated", () => {
  for (const token of ["two words", "line\nbreak", "Schlüssel"]) {
    const { setting, message } = fault({ [URL_NAME]: ADDRESS, [TOKEN_NAME]: token });
    assertEquals(setting, TOKEN_NAME);
    assertEquals(message.includes(token), false);
  }
});

for (const value of ["0", "-1", "1.5", "1e2", "ten", "10001", "99999999999999999999"]) {
  Deno.test(`MAX_CALLS_PER_MINUTE of "${value}" is refused by its name`, () => {
    const { setting, message } = fault({ MAX_CALLS_PER_MINUTE: value });
    assertEquals(setting, "MAX_CALLS_PER_MINUTE");
    assertStringIncludes(message, "must be a whole number from 1 to 10000: ");
  });
}

Deno.test("MAX_CALLS_PER_MINUTE is a number of calls", () => {
  assertEquals(testSettings({ MAX_CALLS_PER_MINUTE: "1" }).maxCallsPerMinute, 1);
  assertEquals(testSettings({ MAX_CALLS_PER_MINUTE: "10000" }).maxCallsPerMinute, 10_000);
});

const CEILING = { maxCallsPerMinute: 30 };
const caller = {
  identifier_type: "caller",
  identifier: "+14165550123",
  max: 10,
  window_sec: 60,
} as const;
const called = {
  identifier_type: "called",
  identifier: "+15875550100",
  max: 30,
  window_sec: 60,
} as const;

Deno.test("a call is under its caller's limit, and under the ceiling of the number called", () => {
  assertEquals(callLimits("+14165550123", "+15875550100", CEILING), [caller, called]);
});

Deno.test("callers without a number of their own are under the ceiling alone", () => {
  for (const from of ["+266696687", "anonymous", "sip:desk@example.com", undefined]) {
    assertEquals(callLimits(from, "+15875550100", CEILING), [called]);
  }
});

Deno.test("what is called by no number has no ceiling", () => {
  for (const to of ["sip:line@example.com", "", undefined]) {
    assertEquals(callLimits("+14165550123", to, CEILING), [caller]);
  }
});
