import type { Callback } from "../calls/reply.ts";
import { encodeState } from "../calls/state.ts";

/**
 * How Twilio treats a failure of ours, written into the URL's fragment, which is neither sent nor signed.
 * By default it would retry a failed connection once and nothing else.
 * Source: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
 */
export const OVERRIDES = {
  /** A caller waits: give up on a hung attempt early enough for a second one within Twilio's 15 s. */
  step: "rc=2&rp=5xx,ct,rt&ct=2000&rt=6500",
  /** Nobody waits, and what is told must not be lost. */
  callback: "rc=4&rp=5xx,ct,rt",
} as const;

/**
 * Writes out one of our own URLs. Every value is of `[A-Za-z0-9_-]`, so that what Twilio signs and what
 * we rebuild cannot differ by an encoding.
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
    ...encodeState(callback.state),
  });
  return `${base}/${callback.to}?${query}#${OVERRIDES[kind]}`;
}
