import { assertEquals } from "@std/assert/equals.js";
import { assertThrows } from "@std/assert/throws.js";
import { exportJWK } from "jose/key/export";
import { generateKeyPair } from "jose/key/generate/keypair";
import { SignJWT } from "jose/jwt/sign";
import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import { userTokens } from "../../supabase/functions/_shared/user_token.ts";

const SECRET = "a-secret-of-at-least-32-characters";
const NOW = new Date("2026-03-04T05:06:07Z");
const seconds = (offset: number) => Math.floor(NOW.getTime() / 1000) + offset;

const CLAIMS = {
  sub: "user-1",
  role: "authenticated",
  exp: seconds(3600),
  app_metadata: { org_id: "ABCD", role: "admin" },
};
const USER = { userId: "user-1", appMetadata: CLAIMS.app_metadata, aal: undefined };

type Key = CryptoKey | Uint8Array;

function sign(claims: Record<string, unknown>, key: Key, alg: string, kid?: string) {
  return new SignJWT(claims).setProtectedHeader({ alg, ...(kid && { kid }) }).sign(key);
}

const bySecret = (claims: Record<string, unknown> = CLAIMS, alg = "HS256") =>
  sign(claims, new TextEncoder().encode(SECRET), alg);

/** A key pair, and its public half as Supabase publishes it. */
async function published(alg: "ES256" | "RS256", kid: string) {
  const { publicKey, privateKey } = await generateKeyPair(alg);
  return { privateKey, jwk: { ...await exportJWK(publicKey), alg, kid, use: "sig" } };
}

const read = (token: string, settings: Partial<Parameters<typeof userTokens>[0]>) =>
  userTokens({ secret: undefined, jwks: undefined, ...settings })(token, NOW);

Deno.test("a token signed with the project's secret has its user", async () => {
  assertEquals(await read(await bySecret(), { secret: SECRET }), USER);
});

for (const alg of ["ES256", "RS256"] as const) {
  Deno.test(`a token signed for one of the project's public keys (${alg}) has its user`, async () => {
    const [first, second] = [await published(alg, "k1"), await published(alg, "k2")];
    const jwks = JSON.stringify({ keys: [first.jwk, second.jwk] });
    assertEquals(await read(await sign(CLAIMS, second.privateKey, alg, "k2"), { jwks }), USER);
    const bare = JSON.stringify([first.jwk]);
    assertEquals(await read(await sign(CLAIMS, first.privateKey, alg, "k1"), { jwks: bare }), USER);
    // Of a key that is not published, or under another's name.
    const { privateKey } = await published(alg, "k1");
    assertEquals(await read(await sign(CLAIMS, privateKey, alg, "k1"), { jwks }), undefined);
    assertEquals(await read(await sign(CLAIMS, first.privateKey, alg, "k2"), { jwks }), undefined);
  });
}

Deno.test("a public key is no secret: a token that was signed by its text is refused", async () => {
  const { jwk } = await published("RS256", "k1");
  const jwks = JSON.stringify({ keys: [jwk] });
  const forged = await sign(CLAIMS, new TextEncoder().encode(JSON.stringify(jwk)), "HS256", "k1");
  assertEquals(await read(forged, { jwks }), undefined);
});

Deno.test("the secret serves HS256 only", async () => {
  const long = SECRET.repeat(2);
  const token = await sign(CLAIMS, new TextEncoder().encode(long), "HS512");
  assertEquals(await read(token, { secret: long }), undefined);
});

Deno.test("clocks may differ by half a minute", async () => {
  const at = async (claims: Record<string, unknown>) =>
    await read(await bySecret({ ...CLAIMS, ...claims }), { secret: SECRET });
  assertEquals(await at({ exp: seconds(-29) }), USER);
  assertEquals(await at({ exp: seconds(-31) }), undefined);
  assertEquals(await at({ nbf: seconds(29) }), USER);
  assertEquals(await at({ nbf: seconds(31) }), undefined);
});

for (
  const [name, claims] of [
    ["without an end, as the legacy API keys are", { ...CLAIMS, exp: undefined }],
    ["of another role", { ...CLAIMS, role: "service_role" }],
    ["without a role", { ...CLAIMS, role: undefined }],
  ] as const
) {
  Deno.test(`a token ${name} is refused`, async () => {
    assertEquals(await read(await bySecret(claims), { secret: SECRET }), undefined);
  });
}

Deno.test("what a user can write about oneself counts for nothing", async () => {
  const { app_metadata: user_metadata, ...claims } = CLAIMS;
  const nobody = { userId: "user-1", appMetadata: undefined, aal: undefined };
  const token = await bySecret({ ...claims, user_metadata });
  assertEquals(await read(token, { secret: SECRET }), nobody);
});

Deno.test("what is no token, or has no key, is refused", async () => {
  const token = await bySecret();
  const unsigned = `${btoa('{"alg":"none"}')}.${token.split(".")[1]}.`;
  for (const text of ["", "nonsense", "a.b.c", "..", unsigned, `${token}.x`, token.slice(0, -4)]) {
    assertEquals(await read(text, { secret: SECRET }), undefined, text);
  }
  assertEquals(await read(token, {}), undefined);
});

Deno.test("public keys that cannot be read keep a function from starting", () => {
  for (const jwks of ["", "{", "null", "7", '{"keys": 7}']) {
    assertThrows(() => userTokens({ secret: undefined, jwks }), SettingError, "SUPABASE_JWKS");
  }
});
