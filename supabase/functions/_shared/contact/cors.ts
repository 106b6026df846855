import { SECURITY_HEADERS } from "../http.ts";

/**
 * The CORS headers of an answer. Only a listed origin is echoed; `Vary` keeps caches from mixing sites' answers.
 */
export function corsHeaders(
  request: Request,
  allowed: readonly string[],
): Record<string, string> {
  const origin = request.headers.get("origin");
  if (origin === null || !allowed.includes(origin)) return { vary: "Origin" };
  return {
    vary: "Origin",
    "access-control-allow-origin": origin,
    "access-control-expose-headers": "Retry-After",
  };
}

/** Answers a browser's preflight request. */
export function preflight(request: Request, allowed: readonly string[]): Response {
  const headers = corsHeaders(request, allowed);
  if (headers["access-control-allow-origin"] !== undefined) {
    headers["access-control-allow-methods"] = "POST";
    headers["access-control-allow-headers"] = "content-type, idempotency-key";
    headers["access-control-max-age"] = "600";
  }
  return new Response(null, { status: 204, headers: { ...SECURITY_HEADERS, ...headers } });
}
