import { assertEquals } from "@std/assert/equals.js";
import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";
import fc from "fast-check";
import { isSignedByTwilio } from "../../supabase/functions/_shared/twilio/signature.ts";
import { anyText } from "../support/any_text.ts";

// The example of https://www.twilio.com/docs/usage/security#validating-requests
const TOKEN = "12345";
const URL = "https://example.com/myapp.php?foo=1&bar=2";
const PARAMS = {
  CallSid: "CA1234567890ABCDE",
  Caller: "+14158675310",
  Digits: "1234",
  From: "+14158675310",
  To: "+18005551212",
};
const SIGNATURE = "L/OH5YylLD5NRKLltdqwSvS0BnU=";

interface Request {
  token: string;
  signature: string;
  url: string;
  params: Record<string, string | string[]>;
}

function isSigned(changes: Partial<Request> = {}): boolean {
  const { token, signature, url, params } = {
    token: TOKEN,
    signature: SIGNATURE,
    url: URL,
    params: PARAMS,
    ...changes,
  };
  return isSignedByTwilio(token, signature, url, params);
}

Deno.test("Twilio's published example is accepted", () => {
  assertEquals(isSigned(), true);
});

Deno.test("the order of the parameters does not matter", () => {
  assertEquals(isSigned({ params: Object.fromEntries(Object.entries(PARAMS).reverse()) }), true);
});

const { Digits: _, ...withoutDigits } = PARAMS;

for (
  const [fault, changes] of [
    ["another account's token", { token: "12346" }],
    ["an empty token", { token: "" }],
    ["a changed parameter", { params: { ...PARAMS, Digits: "1235" } }],
    ["an added parameter", { params: { ...PARAMS, Extra: "1" } }],
    ["an added parameter without a value", { params: { ...PARAMS, Extra: "" } }],
    ["a removed parameter", { params: withoutDigits }],
    ["no parameters at all", { params: {} }],
    ["a parameter of another case", { params: { ...withoutDigits, digits: "1234" } }],
    ["a value with a space that was not sent", { params: { ...PARAMS, Digits: "1234 " } }],
    ["a parameter sent twice, with another value", {
      params: { ...PARAMS, Digits: ["1234", "5678"] },
    }],
    ["a changed query", { url: URL.replace("foo=1", "foo=2") }],
    ["a query in another order", { url: "https://example.com/myapp.php?bar=2&foo=1" }],
    ["a query cut off", { url: "https://example.com/myapp.php" }],
    ["another host", { url: URL.replace("example.com", "example.org") }],
    ["another path", { url: URL.replace("myapp", "yourapp") }],
    ["http in place of https", { url: URL.replace("https:", "http:") }],
    ["a trailing slash too many", { url: "https://example.com/myapp.php/?foo=1&bar=2" }],
    ["an empty signature", { signature: "" }],
    ["a shorter signature", { signature: SIGNATURE.slice(0, -1) }],
    ["a longer signature", { signature: `${SIGNATURE}=` }],
    ["a signature of another case", { signature: SIGNATURE.toLowerCase() }],
    ["a signature with a space", { signature: ` ${SIGNATURE}` }],
    ["two signatures in one header", { signature: `${SIGNATURE}, ${SIGNATURE}` }],
    ["a signature outside of ASCII", { signature: "Ł".repeat(28) }],
  ] as const satisfies readonly (readonly [string, Partial<Request>])[]
) {
  Deno.test(`${fault} is refused`, () => {
    assertEquals(isSigned(changes), false);
  });
}

Deno.test("a value that was signed with its spaces is accepted with them, and refused trimmed", () => {
  const params = { ...PARAMS, SpeechResult: " sales please " };
  const signature = getExpectedTwilioSignature(TOKEN, URL, params);
  assertEquals(isSigned({ params, signature }), true);
  assertEquals(
    isSigned({ params: { ...params, SpeechResult: "sales please" }, signature }),
    false,
  );
});

Deno.test("a parameter that Twilio sent twice is accepted as both", () => {
  const params = { ...PARAMS, MediaUrl: ["b", "a"] };
  const signature = getExpectedTwilioSignature(TOKEN, URL, params);
  assertEquals(isSigned({ params, signature }), true);
  assertEquals(isSigned({ params: { ...PARAMS, MediaUrl: ["a"] }, signature }), false);
});

Deno.test("a port is accepted on either side, as Twilio signs with and without it", () => {
  assertEquals(isSigned({ url: URL.replace("example.com", "example.com:443") }), true);
});

Deno.test("an apostrophe in the URL does not break a signature", () => {
  const url = "https://example.com/myapp.php?name=O'Brien";
  const signature = getExpectedTwilioSignature(TOKEN, url, PARAMS);
  assertEquals(isSigned({ url, signature }), true);
});

Deno.test("an umlaut in a value is signed as UTF-8", () => {
  const params = { ...PARAMS, SpeechResult: "Grüße 你好 🎉" };
  assertEquals(
    isSigned({ params, signature: getExpectedTwilioSignature(TOKEN, URL, params) }),
    true,
  );
});

Deno.test("no signature that is not the right one is accepted, and none throws", () => {
  fc.assert(fc.property(anyText(), fc.base64String(), (text, base64) => {
    assertEquals(isSigned({ signature: text }), false);
    assertEquals(isSigned({ signature: base64 }), base64 === SIGNATURE);
  }));
});
