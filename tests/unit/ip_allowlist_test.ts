import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { assertThrows } from "@std/assert/throws.js";
import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import { addressCheck } from "../../supabase/functions/_shared/ip_allowlist.ts";

Deno.test("without a list, every address may call, and so may an unknown one", () => {
  const mayCall = addressCheck([]);
  assertEquals([mayCall("203.0.113.9"), mayCall(undefined)], [true, true]);
});

for (
  const [entry, address, expected] of [
    ["54.172.60.5", "54.172.60.5", true],
    ["54.172.60.5", "54.172.60.6", false],
    ["54.172.60.0/23", "54.172.59.255", false],
    ["54.172.60.0/23", "54.172.60.0", true],
    ["54.172.60.0/23", "54.172.61.255", true],
    ["54.172.60.0/23", "54.172.62.0", false],
    ["54.172.61.77/23", "54.172.60.1", true],
    ["0.0.0.0/0", "255.255.255.255", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["54.172.60.5/32", "54.172.60.5", true],
    ["54.172.60.5/32", "54.172.60.4", false],
    ["2001:db8::1", "2001:db8::1", true],
    ["2001:db8::1", "2001:0db8:0000:0000:0000:0000:0000:0001", true],
    ["2001:db8::1", "2001:db8::2", false],
    ["2001:db8::/32", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false],
    ["2001:db8::/32", "2001:db8::", true],
    ["2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true],
    ["2001:db8::/32", "2001:db9::", false],
    ["54.172.60.0/23", "::ffff:54.172.60.9", true],
    ["54.172.60.0/23", "::FFFF:54.172.60.9", true],
    ["54.172.60.0/23", "::ffff:36ac:3c09", true],
    ["54.172.60.0/23", "::ffff:54.172.62.9", false],
    ["::ffff:54.172.60.9", "54.172.60.9", true],
    ["54.172.60.0/23", "", false],
    ["54.172.60.0/23", "54.172.60.1, 203.0.113.9", false],
    ["54.172.60.0/23", "54.172.60.1:443", false],
    ["54.172.60.0/23", "054.172.060.001", false],
    ["54.172.60.0/23", "localhost", false],
    ["fe80::/10", "fe80::1%eth0", false],
  ] as const
) {
  Deno.test(`a list of ${entry} ${expected ? "lets in" : "keeps out"} "${address}"`, () => {
    assertEquals(addressCheck([entry])(address), expected);
  });
}

Deno.test("a caller without an address is refused by a list", () => {
  assertEquals(addressCheck(["0.0.0.0/0", "::/0"])(undefined), false);
});

Deno.test("one entry of a list is enough", () => {
  const mayCall = addressCheck(["54.172.60.0/23", "203.0.113.9", "2001:db8::/32"]);
  assertEquals(
    ["54.172.61.1", "203.0.113.9", "2001:db8::5", "203.0.113.10"].map(mayCall),
    [true, true, true, false],
  );
});

for (
  const entry of [
    "54.172.60",
    "54.172.60.0/33",
    "54.172.60.0/-1",
    "54.172.60.0/",
    "54.172.60.0/8/8",
    "54.172.60.0/8a",
    "54.172.60.0-54.172.60.9",
    "54.172.60.256",
    "2001:db8::/129",
    "2001:db8",
    "fe80::1%eth0",
    "twilio.com",
    "*",
  ]
) {
  Deno.test(`"${entry}" in the list stops the start, by the setting's name`, () => {
    const error = assertThrows(
      () => addressCheck(["54.172.60.0/23", entry]),
      SettingError,
    ) as SettingError;
    assertEquals(error.setting, "TWILIO_IP_ALLOWLIST");
    assertStringIncludes(error.message, `"${entry}"`);
  });
}
