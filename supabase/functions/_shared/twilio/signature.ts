import { validateRequest } from "twilio/lib/webhooks/webhooks.js";

/** Whether a header can be a signature at all: base64 of the 20 bytes of an HMAC-SHA1. */
export function isSignature(header: string): boolean {
  return /^[A-Za-z0-9+/]{27}=$/.test(header);
}

/**
 * Whether Twilio sent these parameters to this URL. Compares in constant time (`twilio`'s own check does).
 * Source: https://www.twilio.com/docs/usage/security#validating-requests
 *
 * @param url The public URL that Twilio called, with its query and without a fragment, rebuilt from the
 *   configuration, never from the request's own headers.
 * @param params Every parameter that was received; one that came more than once as an array.
 */
export function isSignedByTwilio(
  authToken: string,
  signature: string,
  url: string,
  params: Record<string, string | string[]>,
): boolean {
  return validateRequest(authToken, signature, url, params);
}
