import { createHmac, hkdfSync } from "node:crypto";
import { isIP } from "node:net";
import { domainToASCII } from "node:url";

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
 * The networks that an address counts for, the narrowest first: an IPv4 address by itself; of an IPv6 address its /64, of
 * which one visitor has all addresses, and its /48, of which one visitor can easily have all of those. Empty
 * for what is no address.
 */
export function networksOf(address: string | undefined): string[] {
  const plain = address?.trim() ?? "";
  const version = plain.includes("%") ? 0 : isIP(plain);
  if (version === 4) return [plain];
  if (version !== 6) return [];
  // The URL parser writes every spelling of an address in one way.
  const [head = "", tail] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array<string>(zeros).fill("0"), ...right];
  if (groups.slice(0, 6).join(":") === "0:0:0:0:0:ffff") {
    const bytes = groups.slice(6).map((group) => parseInt(group, 16));
    return [bytes.flatMap((word) => [word >> 8, word & 255]).join(".")];
  }
  return [4, 3].map((length) => `${groups.slice(0, length).join(":")}::/${length * 16}`);
}

/** Of these dots in an address mean nothing. */
const DOTLESS = ["gmail.com", "googlemail.com"];

/**
 * The mailbox that an e-mail address leads to, one for all of its spellings, for counting only: what follows a plus,
 * dots at Gmail, case, and the two ways to write a domain.
 */
export function mailboxOf(email: string): string {
  const at = email.lastIndexOf("@");
  const domain = email.slice(at + 1).normalize("NFKC").toLowerCase();
  const host = domainToASCII(domain) || domain;
  const written = email.slice(0, at).normalize("NFKC").toLowerCase();
  const local = written.replace(/(?<=.)\+.*$/s, "");
  return DOTLESS.includes(host) ? `${local.replaceAll(".", "")}@gmail.com` : `${local}@${host}`;
}
