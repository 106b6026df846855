import { BlockList, isIP } from "node:net";
import { SettingError } from "./errors.ts";

/** Whether an address may call. */
export type AddressCheck = (address: string | undefined) => boolean;

/**
 * Builds the check of `TWILIO_IP_ALLOWLIST`. No entries: everybody may call, and the signature decides. Entries make
 * sense with Twilio's Static Proxy only: without it webhooks come from addresses that change.
 * Source: https://www.twilio.com/docs/voice/static-proxy
 *
 * @param entries IPv4 or IPv6 addresses, or ranges in CIDR notation.
 * @throws {SettingError} when an entry is neither.
 */
export function addressCheck(entries: readonly string[]): AddressCheck {
  if (entries.length === 0) return () => true;
  const allowed = new BlockList();
  for (const entry of entries) {
    const [address = "", prefix, ...rest] = entry.split("/");
    const version = ipVersion(address);
    const bits = version === 4 ? 32 : 128;
    const length = prefix === undefined ? bits : Number(prefix);
    const wellFormed = version !== 0 && rest.length === 0 &&
      (prefix === undefined || /^\d{1,3}$/.test(prefix)) && length <= bits;
    if (!wellFormed) {
      throw new SettingError(
        "TWILIO_IP_ALLOWLIST",
        `must list addresses or CIDR ranges such as 203.0.113.0/24, separated by commas: "${entry}" is neither`,
      );
    }
    allowed.addSubnet(address, length, version === 4 ? "ipv4" : "ipv6");
  }
  return (address) => {
    if (address === undefined) return false;
    // A dual-stack listener reports an IPv4 peer as ::ffff:a.b.c.d.
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
    const version = ipVersion(plain);
    return version !== 0 && allowed.check(plain, version === 4 ? "ipv4" : "ipv6");
  };
}

/** 4, 6, or 0 for anything else: an address with a zone (`fe80::1%eth0`) is known to one machine only. */
function ipVersion(address: string): number {
  return address.includes("%") ? 0 : isIP(address);
}
