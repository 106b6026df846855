import { mailboxOf, networksOf, pseudonym } from "./visitor.ts";

/** At most `max` in any `window_sec` seconds. The database knows it by these names. */
export interface ContactLimit {
  readonly identifier_type: "address" | "network" | "recipient" | "everyone";
  readonly identifier: string;
  readonly max: number;
  readonly window_sec: number;
}

/** Messages an hour of one IPv4 address, or one /64 network of IPv6; and of one /48. */
const PER_NETWORK = [3, 12];
/**
 * Messages an hour of all clients without an address. Supabase's front always sends the address; without a front all
 * visitors share this limit, which is enough for a website and too little for a flood.
 */
const OF_UNKNOWN_CLIENTS = 60;
/** Receipts an hour to one mailbox. */
const PER_MAILBOX = 3;

const anHour = (
  identifier_type: ContactLimit["identifier_type"],
  identifier: string,
  max: number,
): ContactLimit => ({ identifier_type, identifier, max, window_sec: 3600 });

/**
 * The limits of a message, and those of the receipt to its sender. Wider limits come later, and a message that one limit
 * refuses counts under none. Receipts have a third of the ceiling, so they stop first.
 *
 * @param perHour Messages an hour from all visitors.
 */
export function contactLimits(
  address: string | undefined,
  email: string,
  { secretKey, perHour }: { readonly secretKey: string; readonly perHour: number },
): { readonly message: ContactLimit[]; readonly receipt: ContactLimit[] } {
  const networks = networksOf(address);
  const mailbox = pseudonym(secretKey, "email", mailboxOf(email));
  return {
    message: [
      ...networks.map((network, i) =>
        anHour(
          i === 0 ? "address" : "network",
          pseudonym(secretKey, "address", network),
          PER_NETWORK[i]!,
        )
      ),
      ...(networks.length === 0 ? [anHour("address", "unknown", OF_UNKNOWN_CLIENTS)] : []),
      anHour("everyone", "website", perHour),
    ],
    receipt: [
      anHour("recipient", mailbox, PER_MAILBOX),
      anHour("everyone", "website", Math.ceil(perHour / 3)),
    ],
  };
}
