// The hours in which somebody may be called, written down a second time, and random places and times to hold the code against.

import fc from "fast-check";
import type { Week } from "../../supabase/functions/_shared/campaigns/hours.ts";
import { type Place, placeOf, PREFIXES } from "../../supabase/functions/_shared/campaigns/zones.ts";

export const HOUR = 3_600_000;
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

const clocks = new Map<string, Intl.DateTimeFormat>();

/** What a clock on the wall of a zone shows, by another way than the code's. */
export function wall(zone: string, at: number): { day: number; minutes: number } {
  let clock = clocks.get(zone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
    });
    clocks.set(zone, clock);
  }
  const text = clock.format(at);
  const [, day, hours, minutes] = /^(\w+)\D*(\d+):(\d+)/.exec(text)!;
  return { day: DAYS.indexOf(day!), minutes: Number(hours) * 60 + Number(minutes) };
}

/** The widest hours of each set, in minutes; holidays apart. */
export function lawful({ rules }: Place, { day, minutes }: ReturnType<typeof wall>): boolean {
  const weekend = day === 0 || day === 6;
  if (rules === "US") return minutes >= 480 && minutes < 1260;
  if (rules === "UK") return day !== 0 && minutes >= 480 && minutes < 1260;
  if (rules === "CA") {
    return weekend ? minutes >= 600 && minutes < 1080 : minutes >= 540 && minutes < 1290;
  }
  return !weekend && (minutes >= 600 && minutes < 780 || minutes >= 840 && minutes < 1200);
}

export const within = (week: Week, { day, minutes }: ReturnType<typeof wall>) =>
  (week[DAYS[day]!.toLowerCase() as keyof Week] ?? []).some(([from, until]) => {
    const [a, b] = [from, until].map((each) =>
      Number(each.slice(0, 2)) * 60 + Number(each.slice(3))
    );
    return minutes >= a! && minutes < b!;
  });

const time = fc.integer({ min: 0, max: 24 * 4 }).map((quarter) =>
  `${String(Math.floor(quarter / 4)).padStart(2, "0")}:${String(quarter % 4 * 15).padStart(2, "0")}`
);
const span = fc.tuple(time, time).map((pair) => pair.toSorted() as [string, string]);
export const window = fc.record(
  Object.fromEntries(DAYS.map((day) => [day.toLowerCase(), fc.array(span, { maxLength: 2 })])),
  { requiredKeys: [] },
) as fc.Arbitrary<Week>;
/** Nights in which clocks change, in North America and in Europe, forward and back. */
export const NIGHTS = [
  "2026-03-08",
  "2026-11-01",
  "2026-03-29",
  "2026-10-25",
  "2027-03-14",
  "2027-11-07",
]
  .map((day) => Date.parse(day));
export const moment = fc.oneof(
  fc.tuple(fc.constantFrom(...NIGHTS), fc.integer({ min: -40, max: 40 }))
    .map(([night, quarters]) => night + quarters * HOUR / 4),
  fc.date({
    min: new Date("2026-01-01"),
    max: new Date("2030-12-31"),
    noInvalidDate: true,
  }).map((date) => date.getTime()),
);
export const place = fc.constantFrom(...PREFIXES).map((prefix) => placeOf(`${prefix}2255010`)!);
