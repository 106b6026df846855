import { createHmac, hkdfSync } from "node:crypto";
import { isIP } from "node:net";
import { domainToASCII } from "node:url";

/**
 * A keyed hash that stands for a visitor in the rate limiter. Only with the project's secret key can it be compared with
 * an address; an unkeyed hash of an IPv4 address could be reversed by trying all of them. When the key changes, the
 * limits begin again.
 *
 * @param kind Separates identifiers of different kinds.
 */
export function pseudonym(secretKey: string, kind: "address" | "email", value: string): string {
  const key = hkdfSync("sha256", secretKey, "", "tradeline contact limits v1", 32);
  return createHmac("sha256", new Uint8Array(key)).update(`${kind}:${value}`).digest("hex")
    .slice(0, 32);
}

/**
 * The networks that an address counts under, the narrowest first: an IPv4 address itself; for IPv6 the /64, which belongs
 * to one visitor, and the /48, which one visitor can easily obtain. Empty for anything that is not an address.
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

/** Domains whose mailboxes ignore dots in the local part. */
const DOTLESS = ["gmail.com", "googlemail.com"];

/**
 * The mailbox of an e-mail address, the same for all of its spellings: plus tags, dots at Gmail, case, and both forms of
 * a domain. For counting only.
 */
export function mailboxOf(email: string): string {
  const at = email.lastIndexOf("@");
  const domain = email.slice(at + 1).normalize("NFKC").toLowerCase();
  const host = domainToASCII(domain) || domain;
  const written = email.slice(0, at).normalize("NFKC").toLowerCase();
  const local = written.replace(/(?<=.)\+.*$/s, "");
  return DOTLESS.includes(host) ? `${local.replaceAll(".", "")}@gmail.com` : `${local}@${host}`;
}
