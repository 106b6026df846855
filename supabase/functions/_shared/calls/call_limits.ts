import { callerNumber, isE164 } from "../phone.ts";

/** How many calls may come in: at most `max` in any `window_sec` seconds. The database knows it by these names. */
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
 * The limits that a call is under. A call that one of them refuses counts under none. A caller who withholds the
 * number shares a bucket with nobody, and so is under the ceiling of the number called only.
 *
 * @param maxCallsPerMinute The ceiling of each number called.
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
