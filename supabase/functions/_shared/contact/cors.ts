import { SECURITY_HEADERS } from "../http.ts";

/**
 * The headers of every answer to a browser. An origin is echoed only when it is on the list; `Vary` keeps
 * caches from giving one site's answer to another.
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

/** Answers the browser's question before the request itself. */
export function preflight(request: Request, allowed: readonly string[]): Response {
  const headers = corsHeaders(request, allowed);
  if (headers["access-control-allow-origin"] !== undefined) {
    headers["access-control-allow-methods"] = "POST";
    headers["access-control-allow-headers"] = "content-type, idempotency-key";
    headers["access-control-max-age"] = "600";
  }
  return new Response(null, { status: 204, headers: { ...SECURITY_HEADERS, ...headers } });
}
