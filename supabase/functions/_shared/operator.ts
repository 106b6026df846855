import { createHash, timingSafeEqual } from "node:crypto";
import { HttpError } from "./errors.ts";

/**
 * Lets an operator in, see `isOperator`.
 *
 * @param secretKeys Any of them will do.
 * @throws {HttpError} 401.
 */
export function requireOperator(request: Request, ...secretKeys: string[]): void {
  if (!secretKeys.some((key) => isOperator(request, key))) throw new HttpError(401, "unauthorized");
}

/**
 * Whether a request has the project's secret key, as `apikey` or as `Authorization: Bearer`. Compares
 * digests in constant time, so that neither the length nor a prefix of the key can be found out.
 */
export function isOperator(request: Request, secretKey: string): boolean {
  const given = [request.headers.get("apikey") ?? undefined, bearerToken(request)]
    .filter((key) => key !== undefined);
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const expected = digest(secretKey);
  return given.some((key) => timingSafeEqual(digest(key), expected));
}

/** What `Authorization: Bearer` holds. */
export function bearerToken({ headers }: Request): string | undefined {
  return /^Bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
}
