/**
 * When somebody may be called: the hours of the called party's law and of the campaign, in every zone where the party may be.
 * A person must confirm the rules before a campaign relies on them (docs/campaigns.md).
 *
 * @module
 */
import { holidays } from "../holidays.ts";
import type { Place, RuleSet } from "./zones.ts";

export const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
export type Weekday = typeof DAYS[number];

/** Local times of a day from `HH:MM` until `HH:MM`, which is not in it; `24:00` is the day's end. */
export type Span = readonly [from: string, until: string];

/** A week; a day that is absent is closed. */
export type Week = Readonly<Partial<Record<Weekday, readonly Span[]>>>;

/** A time in which calls may be made; `until` is not in it. */
export interface Opening {
  readonly from: Date;
  readonly until: Date;
}

const week = (
  weekdays: readonly Span[],
  saturday: readonly Span[] = [],
  sunday: readonly Span[] = [],
): Week => ({
  mon: weekdays,
  tue: weekdays,
  wed: weekdays,
  thu: weekdays,
  fri: weekdays,
  sat: saturday,
  sun: sunday,
});
const daily = (from: string, until: string) =>
  week([[from, until]], [[from, until]], [[from, until]]);
const withoutSunday = (from: string, until: string) => week([[from, until]], [[from, until]]);

interface Rules {
  readonly week: Week;
  /** Closed on the public holidays too. */
  readonly holidays: boolean;
}

/**
 * - US: 47 CFR 64.1200(c)(1).
 * - CA: CRTC Unsolicited Telecommunications Rules, part III.
 * - UK: the hours of the Data & Marketing Association's code; Ofcom counts unsociable hours against the caller.
 * - EU: France's decree 2022-1313, the strictest that is known; it lies within Italy's, Spain's and Germany's hours.
 */
const SETS: Readonly<Record<RuleSet, Rules>> = {
  US: { week: daily("08:00", "21:00"), holidays: false },
  CA: {
    week: week([["09:00", "21:30"]], [["10:00", "18:00"]], [["10:00", "18:00"]]),
    holidays: false,
  },
  UK: { week: withoutSunday("08:00", "21:00"), holidays: true },
  EU: { week: week([["10:00", "13:00"], ["14:00", "20:00"]]), holidays: true },
};

/** States with narrower hours than the federal ones, by the state of the number's area code. */
const STATES: Readonly<Record<string, Rules>> = {
  AL: { week: withoutSunday("08:00", "20:00"), holidays: true },
  CT: { week: daily("09:00", "20:00"), holidays: false },
  FL: { week: daily("08:00", "20:00"), holidays: false },
  KY: { week: daily("10:00", "21:00"), holidays: false },
  LA: { week: withoutSunday("08:00", "20:00"), holidays: true },
  MA: { week: daily("08:00", "20:00"), holidays: false },
  MD: { week: daily("08:00", "20:00"), holidays: false },
  MN: { week: daily("09:00", "21:00"), holidays: false },
  MS: { week: withoutSunday("08:00", "20:00"), holidays: true },
  NM: { week: daily("09:00", "21:00"), holidays: false },
  NV: { week: daily("09:00", "20:00"), holidays: false },
  OK: { week: daily("08:00", "20:00"), holidays: false },
  // HB 3865, since 2026-01-01.
  OR: { week: daily("08:00", "20:00"), holidays: false },
  RI: { week: week([["09:00", "18:00"]], [["10:00", "17:00"]]), holidays: true },
  SD: { week: withoutSunday("09:00", "21:00"), holidays: false },
  TX: {
    week: week([["09:00", "21:00"]], [["09:00", "21:00"]], [["12:00", "21:00"]]),
    holidays: false,
  },
  UT: { week: withoutSunday("09:00", "21:00"), holidays: true },
  WA: { week: daily("08:00", "20:00"), holidays: false },
  WY: { week: daily("08:00", "20:00"), holidays: false },
};

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** So far ahead an opening is looked for: longer than holidays and weekends in a row. Days. */
const HORIZON = 15;

/**
 * The earliest time from `at` on in which somebody at that place may be called: within it each moment is, in each of the zones,
 * within the hours of the law and, where it is given, of the campaign. Where clocks change, the stricter reading counts.
 *
 * @param window The campaign's week, which only narrows the law's.
 * @returns undefined: within 15 days there is none, as where the zones lie too far apart.
 */
export function nextOpening(place: Place, at: Date, window?: Week): Opening | undefined {
  const rules = [SETS[place.rules]];
  if (place.rules === "US" && STATES[place.region] !== undefined) rules.push(STATES[place.region]!);
  const weeks = rules.map((each) => each.week);
  if (window !== undefined) weeks.push(window);
  const closed = rules.some((each) => each.holidays) ? place : undefined;
  // Most openings are today or tomorrow.
  for (const days of [2, HORIZON]) {
    const until = at.getTime() + days * DAY;
    const [open] = place.zones
      .flatMap((zone) => weeks.map((each) => openingsOf(each, zone, at.getTime(), until, closed)))
      .reduce(intersected)
      .filter(([, end]) => end > at.getTime());
    if (open !== undefined) {
      return { from: new Date(Math.max(open[0], at.getTime())), until: new Date(open[1]) };
    }
  }
  return undefined;
}

type Interval = readonly [from: number, until: number];

/** The openings of a week in a zone, from the one of the day before `from` to that of the day after `until`, in order. */
function openingsOf(
  days: Week,
  zone: string,
  from: number,
  until: number,
  closed: Place | undefined,
): Interval[] {
  const found: Interval[] = [];
  const first = Math.floor((from + offsetAt(zone, from)) / DAY) * DAY - DAY;
  for (let day = first; day < until + 2 * DAY; day += DAY) {
    if (closed !== undefined && isHoliday(closed, day)) continue;
    for (const [opens, closes] of days[DAYS[new Date(day).getUTCDay()]!] ?? []) {
      const start = Math.max(...instantsOf(zone, day + sinceMidnight(opens)));
      const end = Math.min(...instantsOf(zone, day + sinceMidnight(closes)));
      if (end > start) found.push([start, end]);
    }
  }
  return found.toSorted(([a], [b]) => a - b);
}

function intersected(one: readonly Interval[], other: readonly Interval[]): Interval[] {
  const both: Interval[] = [];
  for (let i = 0, j = 0; i < one.length && j < other.length;) {
    const from = Math.max(one[i]![0], other[j]![0]);
    const until = Math.min(one[i]![1], other[j]![1]);
    if (until > from) both.push([from, until]);
    if (one[i]![1] < other[j]![1]) i++;
    else j++;
  }
  return both;
}

/** Milliseconds since midnight. */
function sinceMidnight(time: string): number {
  const [hours, minutes] = time.split(":").map(Number) as [number, number];
  return (hours * 60 + minutes) * MINUTE;
}

/**
 * The moments at which clocks of a zone show a local time: two in the night that has an hour twice; of a time that is left out,
 * those an hour before and after it. `local` as if it were UTC; milliseconds since 1970.
 */
function instantsOf(zone: string, local: number): [number, ...number[]] {
  const before = local - offsetAt(zone, local - DAY);
  const after = local - offsetAt(zone, local + DAY);
  if (before === after) return [before];
  const real = [before, after].filter((each) => each + offsetAt(zone, each) === local);
  return real.length === 0 ? [before, after] : real as [number, ...number[]];
}

const clocks = new Map<string, Intl.DateTimeFormat>();

/** How far a zone's clocks are ahead of UTC. Milliseconds. */
function offsetAt(zone: string, at: number): number {
  let clock = clocks.get(zone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    clocks.set(zone, clock);
  }
  const part: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of clock.formatToParts(at)) part[type] = Number(value);
  return Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute, part.second) -
    Math.floor(at / 1000) * 1000;
}

const kept = new Map<string, ReadonlySet<string>>();

/** Whether a day, as midnight UTC, is a public holiday at a place. */
function isHoliday({ rules }: Place, day: number): boolean {
  const year = new Date(day).getUTCFullYear();
  const key = `${rules} ${year}`;
  let dates = kept.get(key);
  if (dates === undefined) {
    // A New Year's Day of the next year may be kept in this one.
    dates = new Set(
      [year, year + 1].flatMap((each) => holidays(rules, each)).map(({ date }) => date),
    );
    kept.set(key, dates);
  }
  return dates.has(new Date(day).toISOString().slice(0, 10));
}

/** A zone's name that this platform knows. */
export function isZone(name: string): boolean {
  try {
    offsetAt(name, 0);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
