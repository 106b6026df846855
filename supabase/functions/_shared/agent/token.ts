import { Buffer } from "node:buffer";
import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { type CallState, decodeState, encodeState } from "../calls/state.ts";

// The address of a talk's socket names the account, and holds what the talk is about in a signed token: the handshake of
// Twilio is signed over the address alone, so the same address for all calls could be replayed. In the path, because Twilio's
// pages disagree on how a query is signed. No database is asked for the token. The key is derived from the
// project's secret key.

/** What a socket serves. */
export interface SocketClaims {
  readonly callSid: string;
  /** The number that was called. */
  readonly line: string | undefined;
  /** The sub-account; `undefined`: the main one. */
  readonly account: string | undefined;
  readonly state: CallState;
  /** Seconds since 1970. */
  readonly expires: number;
}

/** No socket is opened later: Twilio opens it as soon as it has read the TwiML. */
export const SOCKET_SECONDS = 120;

const MAIN = "main";

/**
 * The address of a socket.
 *
 * @param base The public base of the functions, http(s).
 */
export function socketUrl(base: string, secretKey: string, claims: SocketClaims): string {
  const { callSid, line, account = MAIN, state, expires } = claims;
  const query = new URLSearchParams({
    call: callSid,
    ...(line !== undefined && { line }),
    expires: String(expires),
    ...encodeState(state),
  });
  const payload = Buffer.from(String(query)).toString("base64url");
  const sig = signature(secretKey, account, payload).toString("base64url");
  return `${base.replace(/^http/, "ws")}/voice-agent/${account}/${payload}.${sig}`;
}

/** The account in a socket's path, and the rest of it; `undefined` for any other path. */
export function accountInPath(path: string): { account: string; token: string } | undefined {
  const [, account, token] =
    /\/voice-agent\/(main|AC[0-9a-fA-F]{32})\/([\w.-]{1,3000})$/.exec(path) ?? [];
  return account === undefined ? undefined : { account, token: token! };
}

/** Reads a token; `undefined` for one that is forged, of another account, or too old. */
export function readToken(
  secretKeys: readonly string[],
  account: string,
  token: string,
  now: Date,
): SocketClaims | undefined {
  const [payload = "", sig = "", ...others] = token.split(".");
  const given = Buffer.from(sig, "base64url");
  const isOurs = others.length === 0 && secretKeys.some((key) => {
    const expected = signature(key, account, payload);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (!isOurs) return undefined;
  const query = new URLSearchParams(Buffer.from(payload, "base64url").toString());
  const expires = Number(query.get("expires"));
  const state = decodeState(query);
  const callSid = query.get("call");
  if (!(expires * 1000 > now.getTime()) || state === undefined || callSid === null) {
    return undefined;
  }
  return {
    callSid,
    line: query.get("line") ?? undefined,
    account: account === MAIN ? undefined : account,
    state,
    expires,
  };
}

function signature(secretKey: string, account: string, payload: string) {
  const key = hkdfSync("sha256", secretKey, "", "tradeline voice-agent v1", 32);
  return createHmac("sha256", new Uint8Array(key)).update(`${account}\n${payload}`).digest();
}
