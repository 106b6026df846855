import { decodeProtectedHeader } from "jose/decode/protected_header";
import { createLocalJWKSet } from "jose/jwks/local";
import { jwtVerify } from "jose/jwt/verify";
import { SettingError } from "./errors.ts";
import type { Settings } from "./settings.ts";

/** The claims of a signed-in user's token that are used here. Whose member the user is, the database says. */
export interface UserClaims {
  /** The user's UUID at Supabase Auth. */
  readonly userId: string | undefined;
  /** What only the service can write about the user. */
  readonly appMetadata: unknown;
  /** `aal1`: without a second factor; `aal2`: with one. */
  readonly aal: unknown;
}

/** Reads a token; `undefined` unless it is ours and valid now. */
export type ReadUserToken = (token: string, now: Date) => Promise<UserClaims | undefined>;

/** Clocks may differ by as many seconds. */
const TOLERANCE_SEC = 30;

/**
 * Verifies the JWTs that Supabase Auth issues: HS256 by the project's JWT secret, ES256 and RS256 by its public keys. A
 * key is used only with its own algorithms, whatever a token's header says.
 *
 * @throws {SettingError} when the public keys cannot be read.
 */
export function userTokens({ secret, jwks }: Settings["userTokens"]): ReadUserToken {
  const shared = secret === undefined ? undefined : new TextEncoder().encode(secret);
  const published = jwks === undefined ? undefined : publicKeys(jwks);
  return async (token, now) => {
    // One without an end is no user's: the legacy API keys are signed by the same secret.
    const valid = { currentDate: now, clockTolerance: TOLERANCE_SEC, requiredClaims: ["exp"] };
    try {
      if (decodeProtectedHeader(token).alg === "HS256") {
        if (shared === undefined) return undefined;
        return claimsOf(
          (await jwtVerify(token, shared, { ...valid, algorithms: ["HS256"] })).payload,
        );
      }
      if (published === undefined) return undefined;
      const algorithms = ["ES256", "RS256"];
      return claimsOf((await jwtVerify(token, published, { ...valid, algorithms })).payload);
    } catch {
      // Not a token, or not a valid one.
      return undefined;
    }
  };
}

/** As `{"keys": [...]}` or a bare list. */
function publicKeys(text: string) {
  try {
    const parsed = JSON.parse(text);
    return createLocalJWKSet(Array.isArray(parsed) ? { keys: parsed } : parsed);
  } catch {
    throw new SettingError("SUPABASE_JWKS", 'must be JSON such as {"keys": [...]}');
  }
}

function claimsOf(claims: Readonly<Record<string, unknown>>): UserClaims | undefined {
  const { role, sub, app_metadata, aal } = claims;
  if (role !== "authenticated") return undefined;
  return { userId: typeof sub === "string" ? sub : undefined, appMetadata: app_metadata, aal };
}
