import { Buffer } from "node:buffer";
import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";

// A signed link plays a voicemail's recording. It holds the call, the recording, the expiry and a signature over all
// three. The signing key is derived from the project's secret key, so it needs no setting, and a link becomes invalid
// when that secret key is replaced.

/** The address that plays a recording until `expires` (seconds since 1970). */
export function recordingLink(
  functionsUrl: string,
  secretKey: string,
  callSid: string,
  recordingSid: string,
  expires: number,
): string {
  const query = new URLSearchParams({
    call: callSid,
    recording: recordingSid,
    expires: String(expires),
  });
  query.set("sig", signature(secretKey, query).toString("base64url"));
  return `${functionsUrl}/voicemail-audio?${query}`;
}

export type LinkCheck = "valid" | "expired" | "forged";

/**
 * Checks a link's query. Only a link with a valid signature is reported as expired.
 *
 * @param secretKeys The keys that may have signed it.
 */
export function checkRecordingLink(
  secretKeys: readonly string[],
  query: URLSearchParams,
  now: Date,
): LinkCheck {
  const expires = query.get("expires") ?? "";
  const given = Buffer.from(query.get("sig") ?? "", "base64url");
  const made = secretKeys.some((key) => {
    const expected = signature(key, query);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (!made) return "forged";
  return Number(expires) * 1000 > now.getTime() ? "valid" : "expired";
}

function signature(secretKey: string, query: URLSearchParams) {
  const key = hkdfSync("sha256", secretKey, "", "tradeline voicemail-audio v1", 32);
  const signed = ["call", "recording", "expires"].map((name) => query.get(name) ?? "").join("\n");
  return createHmac("sha256", new Uint8Array(key)).update(signed).digest();
}
