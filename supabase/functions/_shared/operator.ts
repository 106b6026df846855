import { createHash, timingSafeEqual } from "node:crypto";
import { HttpError } from "./errors.ts";

/**
 * Requires an operator's key, see `isOperator`.
 *
 * @throws {HttpError} 401.
 */
export function requireOperator(request: Request, secretKeys: readonly string[]): void {
  if (!isOperator(request, secretKeys)) throw new HttpError(401, "unauthorized");
}

/**
 * Whether a request has one of the project's secret keys, as `apikey` or as `Authorization: Bearer`. Compares
 * digests in constant time, so that timing reveals neither the length nor a prefix of a key.
 */
export function isOperator(request: Request, secretKeys: readonly string[]): boolean {
  const given = [request.headers.get("apikey") ?? undefined, bearerToken(request)]
    .filter((key) => key !== undefined);
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const expected = secretKeys.map(digest);
  return given.map(digest).some((key) => expected.some((each) => timingSafeEqual(key, each)));
}

/** What `Authorization: Bearer` holds. */
export function bearerToken({ headers }: Request): string | undefined {
  return /^Bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
}
