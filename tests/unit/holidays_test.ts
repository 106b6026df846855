import { assertEquals } from "@std/assert/equals.js";
import { holidays, REGIONS } from "../../supabase/functions/_shared/holidays.ts";

const datesOf = (region: string, year: number, ...names: string[]) => {
  const all = holidays(region, year);
  return names.map((name) => all.find((each) => each.name === name)?.date);
};

// Sources: canada.ca and opm.gov, their lists of 2026 and 2027.
Deno.test("holidays that move are on the days that governments publish", () => {
  assertEquals(
    datesOf(
      "CA-AB",
      2026,
      "Family Day",
      "Good Friday",
      "Victoria Day",
      "Labour Day",
      "Thanksgiving",
    ),
    ["2026-02-16", "2026-04-03", "2026-05-18", "2026-09-07", "2026-10-12"],
  );
  assertEquals(datesOf("CA-ON", 2027, "Good Friday", "Victoria Day", "Labour Day"), [
    "2027-03-26",
    "2027-05-24",
    "2027-09-06",
  ]);
  assertEquals(
    datesOf("US", 2026, "Martin Luther King Jr. Day", "Memorial Day", "Labor Day", "Thanksgiving"),
    ["2026-01-19", "2026-05-25", "2026-09-07", "2026-11-26"],
  );
  assertEquals(datesOf("US", 2027, "Memorial Day", "Thanksgiving"), ["2027-05-31", "2027-11-25"]);
  // The earliest and the latest Easter of these years, and Victoria Day where the 25th is a Monday.
  assertEquals(datesOf("CA-QC", 2285, "Good Friday"), ["2285-03-20"]);
  assertEquals(datesOf("CA-QC", 2038, "Good Friday"), ["2038-04-23"]);
  assertEquals(datesOf("CA-BC", 2026, "Day for Truth and Reconciliation"), ["2026-09-30"]);
  assertEquals(datesOf("CA-BC", 2037, "Victoria Day"), ["2037-05-18"]);
});

Deno.test("a holiday is proposed where it is one, and nowhere else", () => {
  const having = (name: string) =>
    REGIONS.filter((region) => holidays(region, 2026).some((each) => each.name === name));
  assertEquals(having("Boxing Day"), ["CA-ON"]);
  assertEquals(having("National Patriots' Day"), ["CA-QC"]);
  assertEquals(having("Juneteenth"), ["US"]);
  assertEquals(having("Canada Day").length, 13);
});

Deno.test("one of a weekend is also kept on a weekday, as the country does", () => {
  // Independence Day 2026 is a Saturday, Canada Day 2028 too; New Year's Day 2028 is a Saturday.
  assertEquals(datesOf("US", 2026, "Independence Day", "Independence Day, kept"), [
    "2026-07-04",
    "2026-07-03",
  ]);
  assertEquals(datesOf("CA-AB", 2028, "Canada Day, kept"), ["2028-07-03"]);
  assertEquals(datesOf("CA-AB", 2027, "Christmas Day, kept"), ["2027-12-27"]);
  assertEquals(datesOf("US", 2027, "Independence Day, kept"), ["2027-07-05"]);
});
