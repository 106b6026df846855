import { SettingError } from "./errors.ts";
import type { Settings } from "./settings.ts";

/** What a signed-in user's token says that matters here. */
export interface UserClaims {
  /** The user's UUID at Supabase Auth. */
  readonly userId: string | undefined;
  readonly orgId: string | undefined;
  /** Of the organisation: `app_metadata.role`, which only the service can write. */
  readonly orgRole: string | undefined;
}

/** Reads a token; `undefined` for whatever is not certainly one of ours and valid now. */
export type ReadUserToken = (token: string, now: Date) => Promise<UserClaims | undefined>;

/** The asymmetric algorithms that Supabase signs with. */
const ALGORITHMS = {
  ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
} as const;

/**
 * Verifies the JWTs that Supabase Auth issues: HS256 by the project's JWT secret, ES256 and RS256 by its
 * public keys. A key serves the algorithm that it is for and no other, whatever a token's header says.
 *
 * @throws {SettingError} when the public keys cannot be read.
 */
export function userTokens(settings: Settings["userTokens"]): ReadUserToken {
  const keys = { secret: settings.secret, jwks: publicKeys(settings.jwks) };
  return async (token, now) => {
    const [head = "", body = "", signature = "", ...rest] = token.split(".");
    if (rest.length > 0) return undefined;
    try {
      const { alg, kid } = jsonOf(head) as { alg?: unknown; kid?: unknown };
      const signed = new TextEncoder().encode(`${head}.${body}`);
      const candidates = await keysFor(keys, alg, kid);
      const verified = await Promise.all(
        candidates.map((key) =>
          crypto.subtle.verify(
            { name: key.algorithm.name, hash: "SHA-256" },
            key,
            bytesOf(signature),
            signed,
          )
        ),
      );
      return verified.includes(true) ? claimsOf(jsonOf(body), now) : undefined;
    } catch {
      // Not a token.
      return undefined;
    }
  };
}

interface Keys {
  readonly secret: string | undefined;
  readonly jwks: readonly JsonWebKey[];
}

/** As `{"keys": [...]}` or a bare list. */
function publicKeys(text: string | undefined): JsonWebKey[] {
  if (text === undefined) return [];
  try {
    const parsed = JSON.parse(text);
    const keys = Array.isArray(parsed) ? parsed : parsed?.keys;
    if (Array.isArray(keys)) return keys;
  } catch {
    // Said below.
  }
  throw new SettingError("SUPABASE_JWKS", 'must be JSON such as {"keys": [...]}');
}

async function keysFor(
  { secret, jwks }: Keys,
  alg: unknown,
  kid: unknown,
): Promise<CryptoKey[]> {
  if (alg === "HS256") {
    if (secret === undefined) return [];
    const raw = new TextEncoder().encode(secret);
    const hmac = { name: "HMAC", hash: "SHA-256" };
    return [await crypto.subtle.importKey("raw", raw, hmac, false, ["verify"])];
  }
  if (alg !== "ES256" && alg !== "RS256") return [];
  const type = alg === "ES256" ? "EC" : "RSA";
  const fitting = jwks.filter((key) =>
    key.kty === type && (key.alg === undefined || key.alg === alg) &&
    (kid === undefined || (key as { kid?: unknown }).kid === kid)
  );
  return await Promise.all(
    fitting.map(({ key_ops: _, use: __, ...key }) =>
      crypto.subtle.importKey("jwk", key, ALGORITHMS[alg], false, ["verify"])
    ),
  );
}

function claimsOf(claims: Record<string, unknown>, now: Date): UserClaims | undefined {
  const seconds = now.getTime() / 1000;
  const { exp, nbf, role } = claims;
  // One without an end is no user's: the legacy API keys are signed by the same secret.
  if (typeof exp !== "number" || exp <= seconds || role !== "authenticated") return undefined;
  // Clocks may differ a little.
  if (typeof nbf === "number" && nbf > seconds + 30) return undefined;
  const metadata = (claims["app_metadata"] ?? {}) as Record<string, unknown>;
  const text = (value: unknown) => typeof value === "string" ? value : undefined;
  return {
    userId: text(claims["sub"]),
    orgId: text(metadata["org_id"])?.toLowerCase(),
    orgRole: text(metadata["role"]),
  };
}

function jsonOf(part: string): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(bytesOf(part)));
}

function bytesOf(base64url: string) {
  const base64 = base64url.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
