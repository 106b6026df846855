// Messages to addresses that customers enter: where they may go, and how they are signed.

import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { BlockList, isIP } from "node:net";
import { ServiceError } from "../errors.ts";

/** The addresses of a name. Rejects where it has none. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

export interface HookDeps {
  readonly resolve: Resolve;
  readonly fetch: typeof fetch;
  readonly now: () => Date;
}

export const hookDeps: HookDeps = {
  async resolve(hostname) {
    const [four, six] = await Promise.all([
      Deno.resolveDns(hostname, "A").catch(() => []),
      Deno.resolveDns(hostname, "AAAA").catch(() => []),
    ]);
    return [...four, ...six];
  },
  fetch: (input, init) => fetch(input, init),
  now: () => new Date(),
};

const DEADLINE_MS = 5000;
const SLACK = /^hooks\.slack(-gov)?\.com$/;
/** Names that lead into a private network, by RFC 6761 and 8375 and by habit. */
const PRIVATE_NAME =
  /(^|\.)(localhost|local|localdomain|internal|intranet|lan|corp|home|arpa|test|invalid|onion)\.?$/;

/** Why an address of a webhook cannot be used; `undefined`: it can. Says nothing of what its name leads to. */
export function hookFault(address: string, slack = false): string | undefined {
  const url = URL.canParse(address) && address.length <= 500 ? new URL(address) : undefined;
  if (url?.protocol !== "https:") return "must be an address that begins with https://";
  if (url.username !== "" || url.password !== "") return "must have no user and no password";
  if (url.port !== "") return "must have no port but 443";
  const { hostname } = url;
  if (isIP(hostname) !== 0 || hostname.startsWith("[") || !hostname.includes(".")) {
    return "must name a host on the internet, such as hooks.example.com";
  }
  if (PRIVATE_NAME.test(hostname)) return "must name a host on the internet";
  if (slack && !SLACK.test(hostname)) return "must be an address of hooks.slack.com";
  return undefined;
}

/** Every range that is not the public internet. Source: IANA's special-purpose address registries. */
const NOT_PUBLIC = new BlockList();
for (
  const [range, bits] of [
    ["0.0.0.0", 8],
    ["10.0.0.0", 8],
    ["100.64.0.0", 10],
    ["127.0.0.0", 8],
    ["169.254.0.0", 16],
    ["172.16.0.0", 12],
    ["192.0.0.0", 24],
    ["192.0.2.0", 24],
    ["192.88.99.0", 24],
    ["192.168.0.0", 16],
    ["198.18.0.0", 15],
    ["198.51.100.0", 24],
    ["203.0.113.0", 24],
    ["224.0.0.0", 3],
  ] as const
) NOT_PUBLIC.addSubnet(range, bits, "ipv4");
/** Of IPv6 only the global unicast space is public, without the ranges of it that carry another address. */
const PUBLIC_6 = new BlockList();
PUBLIC_6.addSubnet("2000::", 3, "ipv6");
const NOT_PUBLIC_6 = new BlockList();
for (
  const [range, bits] of [["2001::", 23], ["2001:db8::", 32], ["2002::", 16], [
    "3fff::",
    20,
  ]] as const
) NOT_PUBLIC_6.addSubnet(range, bits, "ipv6");

/** Whether an IP address is one of the public internet. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !NOT_PUBLIC.check(address, "ipv4");
    case 6:
      return PUBLIC_6.check(address, "ipv6") && !NOT_PUBLIC_6.check(address, "ipv6");
    default:
      return false;
  }
}

/**
 * Posts JSON to an address that a customer entered. Goes to the public internet only, follows no redirect and reads
 * nothing of the answer but its status.
 *
 * @throws {ServiceError} `refused`: the address cannot be used.
 */
export async function postHook(
  address: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  { resolve, fetch }: HookDeps,
): Promise<void> {
  const fault = hookFault(address);
  if (fault !== undefined) throw new ServiceError("refused", `The address ${fault}`);
  const found = await resolve(new URL(address).hostname).catch(() => []);
  if (found.length === 0) throw new ServiceError("busy", "The address has no host");
  if (!found.every(isPublicAddress)) {
    throw new ServiceError("refused", "The address leads into a private network");
  }
  let response: Response;
  try {
    response = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } catch {
    throw new ServiceError("unknown", "The address did not answer");
  }
  await response.body?.cancel();
  if (response.ok) return;
  // 410: the receiver wants no more. A redirect is not followed: it could lead anywhere.
  const kind = response.status === 410 || (response.status >= 300 && response.status < 400)
    ? "refused"
    : "busy";
  throw new ServiceError(kind, `The address answered ${response.status}`, String(response.status));
}

/**
 * The headers that prove a message's sender, as standard-webhooks 1.0 has them.
 *
 * @param id The same at each try, so that the receiver knows a repetition.
 * @param secret `whsec_` and the key in Base64.
 * @throws {ServiceError} `refused` for a secret of another form.
 */
export function signature(
  id: string,
  at: Date,
  body: string,
  secret: string,
): Record<string, string> {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]{32,88}={0,2})$/.exec(secret) ?? [];
  if (encoded === undefined) throw new ServiceError("refused", "The alert's secret is malformed");
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const signed = createHmac("sha256", Buffer.from(encoded, "base64"))
    .update(`${id}.${timestamp}.${body}`).digest("base64");
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${signed}`,
  };
}
