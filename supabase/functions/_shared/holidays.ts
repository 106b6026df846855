// Statutory holidays, computed. They are proposals: provinces, states and employers differ.

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
const RULES: Readonly<
  Record<"CA" | "US" | "UK" | "EU", readonly (readonly [string, Rule, string?])[]>
> = {
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
  // England and Wales.
  UK: [
    ["New Year's Day", fixed(1, 1)],
    ["Good Friday", (year) => plus(easter(year), -2)],
    ["Easter Monday", (year) => plus(easter(year), 1)],
    ["Early May bank holiday", nth(1, MON, 5)],
    ["Spring bank holiday", nth(-1, MON, 5)],
    ["Summer bank holiday", nth(-1, MON, 8)],
    ["Christmas Day", fixed(12, 25)],
    ["Boxing Day", fixed(12, 26)],
  ],
  // Those that most members keep.
  EU: [
    ["New Year's Day", fixed(1, 1)],
    ["Good Friday", (year) => plus(easter(year), -2)],
    ["Easter Monday", (year) => plus(easter(year), 1)],
    ["Labour Day", fixed(5, 1)],
    ["Ascension Day", (year) => plus(easter(year), 39)],
    ["Whit Monday", (year) => plus(easter(year), 50)],
    ["Assumption", fixed(8, 15)],
    ["All Saints' Day", fixed(11, 1)],
    ["Christmas Day", fixed(12, 25)],
    ["Second day of Christmas", fixed(12, 26)],
  ],
};

const PROVINCES = "AB BC MB NB NL NS NT NU ON PE QC SK YT".split(" ");
export const REGIONS: readonly string[] = [...PROVINCES.map((each) => `CA-${each}`), "US"];

/**
 * The statutory holidays of a year, in order, with the weekday on which one of a weekend is kept: in Canada the next
 * Monday and in the United States the nearer weekday. Provinces and employers differ in that: they are proposals.
 *
 * @param region One of `REGIONS`, or `UK` or `EU`. Those of the European Union are not moved.
 */
export function holidays(region: string, year: number): Holiday[] {
  const [country, province = ""] = region.split("-") as [keyof typeof RULES, string?];
  const found = RULES[country]
    .filter(([, , where]) => where === undefined || where.split(" ").includes(province))
    .flatMap(([name, rule]) => {
      const date = rule(year);
      const weekday = date.getUTCDay();
      if (weekday % 6 !== 0 || country === "EU") return [{ date, name }];
      const kept = weekday === SUN ? plus(date, 1) : plus(date, country === "US" ? -1 : 2);
      return [{ date, name }, { date: kept, name: `${name}, kept` }];
    });
  return found
    .toSorted((a, b) => a.date.getTime() - b.date.getTime())
    .map(({ date, name }) => ({ date: date.toISOString().slice(0, 10), name }));
}
