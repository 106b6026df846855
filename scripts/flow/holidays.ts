import { UsageError } from "../command.ts";
import { CommandFailure, type Verb } from "./api.ts";
import { readDocument } from "./file.ts";

export interface Holiday {
  /** ISO 8601. */
  readonly date: string;
  readonly name: string;
}

/** When a holiday is in a year, as the day of the month; months from 1, Sunday is 0. */
type Rule = (year: number) => Date;

const day = (year: number, month: number, date: number) =>
  new Date(Date.UTC(year, month - 1, date));
const plus = (date: Date, days: number) => new Date(date.getTime() + days * 86_400_000);
const fixed = (month: number, date: number): Rule => (year) => day(year, month, date);
/** The nth of a weekday in a month; -1: the last. */
const nth = (n: number, weekday: number, month: number): Rule => (year) => {
  if (n < 0) {
    const last = day(year, month + 1, 0);
    return plus(last, -((last.getUTCDay() - weekday + 7) % 7));
  }
  const first = day(year, month, 1);
  return plus(first, (weekday - first.getUTCDay() + 7) % 7 + (n - 1) * 7);
};
const mondayBefore = (month: number, date: number): Rule => (year) => {
  const before = day(year, month, date - 1);
  return plus(before, -((before.getUTCDay() + 6) % 7));
};

/** Gregorian Easter by the anonymous algorithm. Source: https://en.wikipedia.org/wiki/Date_of_Easter */
function easter(year: number): Date {
  const [a, b, c] = [year % 19, Math.floor(year / 100), year % 100];
  const g = Math.floor((8 * b + 13) / 25);
  const h = (19 * a + b - Math.floor(b / 4) - g + 15) % 30;
  const l = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - h - c % 4) % 7;
  const m = Math.floor((a + 11 * h + 22 * l) / 451);
  const month = Math.floor((h + l - 7 * m + 114) / 31);
  return day(year, month, (h + l - 7 * m + 114) % 31 + 1);
}

const [SUN, MON, THU] = [0, 1, 4];

/** The statutory holidays, each with the provinces and territories that have it; none: all of the country. */
const RULES: Readonly<Record<"CA" | "US", readonly (readonly [string, Rule, string?])[]>> = {
  CA: [
    ["New Year's Day", fixed(1, 1)],
    ["Family Day", nth(3, MON, 2), "AB BC NB ON SK"],
    ["Louis Riel Day", nth(3, MON, 2), "MB"],
    ["Heritage Day", nth(3, MON, 2), "NS"],
    ["Islander Day", nth(3, MON, 2), "PE"],
    ["Good Friday", (year) => plus(easter(year), -2)],
    ["Victoria Day", mondayBefore(5, 25), "AB BC MB NT NU ON SK YT"],
    ["National Patriots' Day", mondayBefore(5, 25), "QC"],
    ["National Indigenous Peoples Day", fixed(6, 21), "NT YT"],
    ["National Holiday of Quebec", fixed(6, 24), "QC"],
    ["Canada Day", fixed(7, 1)],
    ["Nunavut Day", fixed(7, 9), "NU"],
    ["August holiday", nth(1, MON, 8), "BC NB NT NU SK"],
    ["Discovery Day", nth(3, MON, 8), "YT"],
    ["Labour Day", nth(1, MON, 9)],
    ["Day for Truth and Reconciliation", fixed(9, 30), "BC MB NT NU PE YT"],
    ["Thanksgiving", nth(2, MON, 10), "AB BC MB NT NU ON QC SK YT"],
    ["Remembrance Day", fixed(11, 11), "AB BC NB NL NT NU PE SK YT"],
    ["Christmas Day", fixed(12, 25)],
    ["Boxing Day", fixed(12, 26), "ON"],
  ],
  US: [
    ["New Year's Day", fixed(1, 1)],
    ["Martin Luther King Jr. Day", nth(3, MON, 1)],
    ["Washington's Birthday", nth(3, MON, 2)],
    ["Memorial Day", nth(-1, MON, 5)],
    ["Juneteenth", fixed(6, 19)],
    ["Independence Day", fixed(7, 4)],
    ["Labor Day", nth(1, MON, 9)],
    ["Columbus Day", nth(2, MON, 10)],
    ["Veterans Day", fixed(11, 11)],
    ["Thanksgiving", nth(4, THU, 11)],
    ["Christmas Day", fixed(12, 25)],
  ],
};

const PROVINCES = "AB BC MB NB NL NS NT NU ON PE QC SK YT".split(" ");
export const REGIONS: readonly string[] = [...PROVINCES.map((each) => `CA-${each}`), "US"];

/**
 * The statutory holidays of a year, in order, with the weekday on which one of a weekend is kept: in Canada the next
 * Monday, in the United States the nearer weekday. Provinces and employers differ in that: they are proposals.
 *
 * @param region One of `REGIONS`.
 */
export function holidays(region: string, year: number): Holiday[] {
  const [country, province = ""] = region.split("-") as ["CA" | "US", string?];
  const found = RULES[country]
    .filter(([, , where]) => where === undefined || where.split(" ").includes(province))
    .flatMap(([name, rule]) => {
      const date = rule(year);
      const weekday = date.getUTCDay();
      if (weekday % 6 !== 0) return [{ date, name }];
      const kept = weekday === SUN ? plus(date, 1) : plus(date, country === "US" ? -1 : 2);
      return [{ date, name }, { date: kept, name: `${name}, kept` }];
    });
  return found
    .toSorted((a, b) => a.date.getTime() - b.date.getTime())
    .map(({ date, name }) => ({ date: date.toISOString().slice(0, 10), name }));
}

/** Proposes holidays as dated entries of a calendar; with `--add` they go into the file, for its owner to look at and publish. */
export const propose: Verb<{ region?: string; year?: string; add?: boolean }> = async (
  [file = "", calendar = ""],
  { region = "", year, add },
  { print },
) => {
  if (!REGIONS.includes(region)) {
    throw new UsageError(`--region must be one of ${REGIONS.join(", ")}`);
  }
  const definition = await readDocument(file) as {
    calendars?: Record<string, { dates?: Record<string, unknown> }>;
  } | null;
  const found = Object.hasOwn(definition?.calendars ?? {}, calendar)
    ? definition!.calendars![calendar]
    : undefined;
  if (found === undefined) {
    throw new CommandFailure(`${file} has no calendar "${calendar}"`);
  }
  const dates = found.dates ?? {};
  const proposed = holidays(region, Number(year ?? new Date().getFullYear() + 1));
  const missing = proposed.filter(({ date }) => !Object.hasOwn(dates, date));
  for (const { date, name } of proposed) {
    print(`${date}  ${name}${Object.hasOwn(dates, date) ? ", which the calendar has" : ""}`);
  }
  if (add) {
    const entries = [...Object.entries(dates), ...missing.map(({ date }) => [date, []] as const)];
    found.dates = Object.fromEntries(entries.toSorted(([a], [b]) => a < b ? -1 : 1));
    await Deno.writeTextFile(file, JSON.stringify(definition, null, 2) + "\n");
    print(`${missing.length} days were added to ${file} as closed. Look at them, then publish it.`);
  } else {
    print(
      `${missing.length} days are not in the calendar: --add puts them into ${file} as closed.`,
    );
  }
  return 0;
};
