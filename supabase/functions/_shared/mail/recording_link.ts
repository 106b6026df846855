import { Buffer } from "node:buffer";
import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";

// A voicemail's recording is heard by whoever holds a link that we made: the call, its recording, until when, and a signature
// over all of it. The signature's key is derived from the project's secret key, so there is nothing to set, and a link ends
// with the secret key that it was made with.

/** Where a recording can be heard until `expires` (seconds since 1970). */
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
 * Reads a link's query. Only of a link that we made is it told that it has expired.
 *
 * @param secretKeys It was made with one of them.
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
