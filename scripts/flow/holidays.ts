import { holidays, REGIONS } from "../../supabase/functions/_shared/holidays.ts";
import { UsageError } from "../command.ts";
import { CommandFailure, type Verb } from "./api.ts";
import { readDocument } from "./file.ts";

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
