import { getExpectedTwilioSignature } from "twilio/lib/webhooks/webhooks.js";

/** Form parameters as Twilio posts them. Insertion order is the order in the body. */
export type Params = Readonly<Record<string, string>>;

/** The address as it is requested and signed: connection overrides in the fragment stay at home. */
export function withoutFragment(url: string): string {
  const hash = url.indexOf("#");
  return hash === -1 ? url : url.slice(0, hash);
}

/** `X-Twilio-Signature` of a form POST. A GET has its parameters in the URL: pass none then. */
export function sign(authToken: string, url: string, params: Params): string {
  return getExpectedTwilioSignature(authToken, withoutFragment(url), { ...params });
}

/** 32 hexadecimal digits behind the two letters of a resource: `CA...` a call, `RE...` a recording. */
export function newSid(prefix: "AC" | "CA" | "QU" | "RE" | "SM" | "TR" | "VX"): string {
  return prefix + crypto.randomUUID().replaceAll("-", "");
}
