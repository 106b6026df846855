/** A phone number in the international form of ITU-T E.164: `+`, then 2 to 15 digits, no leading 0. */
export type E164 = string & { readonly __brand: "E164" };

const E164_PATTERN = /^\+[1-9]\d{1,14}$/;

/**
 * What Twilio puts into `From` when a caller withholds the number: the word, spelled on a keypad.
 * They look like numbers and are shared by every such caller. Source: Twilio, "How to determine
 * that an incoming call is from a blocked number".
 */
const WITHHELD_SPELLINGS = new Set([
  "+266696687", // ANONYMOUS
  "+86282452253", // UNAVAILABLE
  "+8656696", // UNKNOWN
  "+2562533", // BLOCKED
  "+7378742833", // RESTRICTED
]);

export function isE164(value: string): value is E164 {
  return E164_PATTERN.test(value);
}

/**
 * Whether a subscriber can have the number: longer than emergency and short codes, and within the North American plan an
 * area code and seven digits. Service codes (911, 411) are not area codes.
 */
export function isSubscriberNumber(value: string): value is E164 {
  return isE164(value) &&
    (value.startsWith("+1") ? /^\+1(?!.11)[2-9]\d{9}$/.test(value) : value.length > 8);
}

/** A subscriber's number as people write it; without a country's code it is one of the North American plan. */
export function writtenNumber(text: string): E164 | undefined {
  if (!/^\+?[\d\s().\/-]+$/.test(text)) return undefined;
  const digits = text.replaceAll(/\D/g, "");
  const number = text.startsWith("+")
    ? `+${digits}`
    : digits.length === 10
    ? `+1${digits}`
    : `+${digits.length === 11 && digits.startsWith("1") ? digits : ""}`;
  return isSubscriberNumber(number) ? number : undefined;
}

/**
 * The number that identifies a caller, or `null` when nothing does: a withheld number, a SIP address,
 * a client name. Two callers for whom this is `null` have nothing in common.
 */
export function callerNumber(from: string | undefined): E164 | null {
  return from !== undefined && isE164(from) && !WITHHELD_SPELLINGS.has(from) ? from : null;
}

/**
 * Whether the network that a call came from says that its number is forged.
 *
 * @param verstat `StirVerstat`; absent where no network said anything.
 * Source: https://www.twilio.com/docs/voice/trusted-calling-with-shakenstir
 */
export function isForged(verstat: string | undefined): boolean {
  return verstat?.startsWith("TN-Validation-Failed") === true;
}

/**
 * Whether nothing speaks against the number of a call: where networks sign their calls, the one that it came from knows the
 * caller. An attestation of C is a gateway's, which does not, and `No-TN-Validation` is a signature that does not fit.
 *
 * @param verstat As of `isForged`.
 */
export function isVouchedFor(verstat: string | undefined): boolean {
  return verstat === undefined || /^TN-Validation-Passed-[AB]/.test(verstat);
}

/** A number as it may appear in a log line: `+15877428885` becomes `+1587***85`. */
export function maskPhone(value: string): string {
  return value.replace(/\+\d{6,15}/g, (number) => `${number.slice(0, 5)}***${number.slice(-2)}`);
}
