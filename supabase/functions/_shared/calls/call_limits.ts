import { callerNumber, isE164 } from "../phone.ts";

/** A limit of incoming calls: at most `max` in any `window_sec` seconds. The names are those of the database. */
export interface CallLimit {
  readonly identifier_type: "caller" | "called";
  /** A phone number; never an address of Twilio's, which all callers share. */
  readonly identifier: string;
  readonly max: number;
  readonly window_sec: number;
}

const CALLS_PER_CALLER = 10;
const WINDOW_SEC = 60;

/**
 * The limits of a call. A call that one of them refuses counts under none. A caller with a withheld number has no bucket and
 * is only under the limit of the called number.
 *
 * @param maxCallsPerMinute The limit of each called number.
 */
export function callLimits(
  from: string | undefined,
  to: string | undefined,
  { maxCallsPerMinute }: { readonly maxCallsPerMinute: number },
): CallLimit[] {
  const limits: CallLimit[] = [];
  const caller = callerNumber(from);
  if (caller !== null) {
    limits.push({
      identifier_type: "caller",
      identifier: caller,
      max: CALLS_PER_CALLER,
      window_sec: WINDOW_SEC,
    });
  }
  if (to !== undefined && isE164(to)) {
    limits.push({
      identifier_type: "called",
      identifier: to,
      max: maxCallsPerMinute,
      window_sec: WINDOW_SEC,
    });
  }
  return limits;
}
