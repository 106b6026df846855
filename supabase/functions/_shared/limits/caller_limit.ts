import { callerNumber } from "../phone.ts";

/** How many calls one number may make: `max` in any `windowSec` seconds. */
export interface CallerLimit {
  /** The caller's number; never an address of Twilio's, which all callers share. */
  readonly identifier: string;
  readonly max: number;
  readonly windowSec: number;
}

/** The limit that a caller is under; `undefined` for one that withholds the number: nobody shares a bucket with strangers. */
export function callerLimit(from: string | undefined): CallerLimit | undefined {
  const identifier = callerNumber(from);
  return identifier === null ? undefined : { identifier, max: 10, windowSec: 60 };
}
