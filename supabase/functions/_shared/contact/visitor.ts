import { createHmac, hkdfSync } from "node:crypto";
import { isIP } from "node:net";

/**
 * Names a visitor to the rate limiter without saying who it is: a keyed hash, of which only a holder of the
 * project's secret key can tell whether it stands for a given address. (An unkeyed hash of an IPv4
 * address is found out by trying all of them.) It changes with the key; the limits begin anew then.
 *
 * @param kind Tells identifiers of different kinds apart.
 */
export function pseudonym(secretKey: string, kind: "address" | "email", value: string): string {
  const key = hkdfSync("sha256", secretKey, "", "tradeline contact limits v1", 32);
  return createHmac("sha256", new Uint8Array(key)).update(`${kind}:${value}`).digest("hex")
    .slice(0, 32);
}

/**
 * What counts as one client: an IPv4 address, or the /64 network of an IPv6 address, of which one visitor
 * has all addresses. `undefined` for what is no address.
 */
export function clientOf(address: string | undefined): string | undefined {
  const plain = address?.trim().replace(/^::ffff:(?=\d+\.)/i, "") ?? "";
  const version = plain.includes("%") ? 0 : isIP(plain);
  if (version === 4) return plain;
  if (version !== 6) return undefined;
  // The URL parser writes every spelling of an address in one way.
  const [head = "", tail] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array<string>(zeros).fill("0"), ...right];
  return `${groups.slice(0, 4).join(":")}::/64`;
}
