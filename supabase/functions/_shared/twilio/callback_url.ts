import { Buffer } from "node:buffer";
import type { Callback } from "../calls/reply.ts";
import { encodeState } from "../calls/state.ts";

/**
 * Twilio's handling of our failures, in the URL's fragment, which is neither sent nor signed. The default is one retry of a
 * failed connection and nothing else.
 * Source: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
 */
export const OVERRIDES = {
  /** A caller waits: abandon a hung attempt early enough for a second one within Twilio's 15 s. */
  step: "rc=2&rp=5xx,ct,rt&ct=2000&rt=6500",
  /** No caller waits, and the event must not be lost. */
  callback: "rc=4&rp=5xx,ct,rt",
} as const;

/**
 * Writes one of our own URLs. Every value consists of `[A-Za-z0-9_-]`, so that Twilio's signed URL and our rebuilt one
 * cannot differ in their encoding.
 *
 * @param base The public base of the functions, without a trailing slash.
 */
export function callbackUrl(
  base: string,
  callback: Callback,
  kind: keyof typeof OVERRIDES,
): string {
  const query = new URLSearchParams({
    ...(callback.event !== undefined && { event: callback.event }),
    ...(callback.call !== undefined && { call: callback.call }),
    ...(callback.token !== undefined && { token: callback.token }),
    ...(callback.who !== undefined && { who: Buffer.from(callback.who).toString("base64url") }),
    ...encodeState(callback.state),
  });
  return `${base}/${callback.to}?${query}#${OVERRIDES[kind]}`;
}
