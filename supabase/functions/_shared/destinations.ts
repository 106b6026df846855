import { type E164, isSubscriberNumber, maskPhone } from "./phone.ts";

// Which numbers the system may dial. The operator pays for forwarded calls, and toll fraud forwards them to numbers that
// pay the fraudster a share, so every destination (of settings, flows and admins) is checked here. SECURITY.md lists the
// other limits.

/** A number that the system may dial; only `dialable` makes one, and only one of these reaches a `<Dial>`. */
export type Dialable = E164 & { readonly __dialable: true };

/** Whether numbers may be dialled, by prefix. */
export type Destinations = ReadonlyMap<string, boolean>;

/**
 * Area codes of the North American plan that cost more than a call within the United States and Canada.
 * Sources: the area codes in service by place (https://www.nanpa.com/number-resource-info/area-codes and
 * https://nationalnanpa.com/reports/area_code_search.html), and what Twilio bills apart from "United States and Canada"
 * (https://www.twilio.com/en-us/voice/pricing/us).
 */
const HIGH_COST_AREAS = [
  // Premium services.
  "900",
  // No place: personal numbers, numbers of one carrier, the government's.
  ...["500", "521", "522", "523", "524", "525", "526", "527", "528", "529", "533", "544", "566"],
  ...["577", "588", "600", "622", "633", "644", "655", "677", "688", "700", "710"],
  // Countries of their own in the Caribbean and the Atlantic: Bahamas to Jamaica.
  ...["242", "246", "264", "268", "284", "345", "441", "473", "649", "658", "664", "721", "758"],
  ...["767", "784", "809", "829", "849", "868", "869", "876"],
  // Overseas territories of the United States: Virgin Islands, Northern Marianas, Guam, American Samoa, Puerto Rico.
  ...["340", "670", "671", "684", "787", "939"],
  // Canada's northern territories.
  "867",
];

/**
 * Premium, shared-cost and personal numbers of the countries with rules for campaigns: the calling code, then what follows it.
 * Source: each country's numbering plan (https://www.itu.int/oth/T0202.aspx?parent=T0202).
 */
const HIGH_COST_ABROAD = [
  ...["+30 70 801 806 812 825 827 850 875 901 909", "+31 84 87 90", "+32 70 90", "+33 81 82 89"],
  ...["+34 70 803 806 807 901 902 905 907", "+351 601 607 608 646 648 70 76 808 809 884"],
  ...["+352 801 90", "+353 15 1850 1890 700", "+356 50 51 52", "+357 700 90", "+358 600 606 700"],
  ...["+359 700 90", "+36 90 91", "+370 700 705 808 90 910", "+371 81 90", "+372 40 70 900"],
  ...["+385 60 61 64 65 69 74 75", "+386 89 90", "+39 0878 144 163 164 166 178 199 84 89"],
  ...["+40 801 90", "+420 700 701 81 83 84 90 976", "+421 85 86 87 88 89 900 97 98"],
  ...["+43 81 82 86 89 9", "+44 70 84 87 9", "+45 90", "+46 649 75 77 900 939 944 99"],
  ...["+48 70 801", "+49 118 137 138 180 190 700 900"],
];

/** Prefixes of a list such as `+44 70 9`: +4470 and +449. */
export function prefixesOf(list: string): string[] {
  const [country, ...after] = list.split(" ");
  return after.map((digits) => country + digits);
}

/** Prefixes of the countries with rules for campaigns that are not dialled unless `ALLOWED_DESTINATIONS` names them. */
export const PREMIUM_ABROAD: readonly string[] = HIGH_COST_ABROAD.flatMap(prefixesOf);

/** Exchange 976 is premium within any area code. */
const PREMIUM_EXCHANGE = /^\+1\d{3}976/;

export const DEFAULT_DESTINATIONS = "+1";

/**
 * Reads a list such as `+1,+44,!+447,+1876`. Premium and high-cost codes of the North American plan, and premium
 * ones of the European countries that it allows, are forbidden unless the list names them.
 *
 * @throws {RangeError} with the expected form of an entry; the message never repeats a whole number.
 */
export function parseDestinations(list: string): Destinations {
  const named = new Map<string, boolean>();
  for (const entry of list.split(",").map((each) => each.trim()).filter((each) => each !== "")) {
    const [, forbidden, prefix] = /^(!?)\s*(\+[1-9]\d{0,14})$/.exec(entry) ?? [];
    if (prefix === undefined) {
      throw new RangeError(
        `must list prefixes such as +1 or !+1900, separated by commas: one entry is "${
          maskPhone(entry).slice(0, 32)
        }"`,
      );
    }
    // A prefix that is listed both ways is forbidden.
    named.set(prefix, forbidden === "" && named.get(prefix) !== false);
  }
  if (![...named.values()].includes(true)) {
    throw new RangeError("must list at least one prefix that may be dialled, such as +1");
  }
  const costly = [...HIGH_COST_AREAS.map((area) => `+1${area}`), ...PREMIUM_ABROAD];
  return new Map([...costly.map((prefix) => [prefix, false] as const), ...named]);
}

/** The number, if the system may dial it: the longest prefix that is listed decides. */
export function dialable(number: string, destinations: Destinations): Dialable | undefined {
  if (!isSubscriberNumber(number)) return undefined;
  for (let length = number.length; length > 1; length--) {
    const prefix = number.slice(0, length);
    const allowed = destinations.get(prefix);
    if (allowed !== undefined) return allowed ? number as Dialable : undefined;
    if (length === "+1NPA976".length && PREMIUM_EXCHANGE.test(prefix)) return undefined;
  }
  return undefined;
}
