import { callerNumber } from "../phone.ts";

/** How many calls may come in: at most `max` in any `window_sec` seconds. The database knows it by these names. */
export interface CallLimit {
  readonly identifier_type: "caller";
  /** The caller's number; never an address of Twilio's, which all callers share. */
  readonly identifier: string;
  readonly max: number;
  readonly window_sec: number;
}

/** The limits that a call is under. A caller who withholds the number shares a bucket with nobody, so is in none. */
export function callLimits(from: string | undefined): CallLimit[] {
  const identifier = callerNumber(from);
  return identifier === null
    ? []
    : [{ identifier_type: "caller", identifier, max: 10, window_sec: 60 }];
}
