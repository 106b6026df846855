import { maskPhone } from "./phone.ts";

export type LogLevel = "info" | "warn" | "error";

/** Fields of one log line; strings are masked on their way out. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export type Log = (level: LogLevel, fields: LogFields) => void;

const EMAIL = /[^\s@"<>]+@[^\s@"<>]+\.[^\s@"<>]+/g;

/** One JSON line. Phone numbers and e-mail addresses are masked wherever they stand. */
export function formatLogLine(time: Date, level: LogLevel, fields: LogFields): string {
  const masked = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === "string" ? maskPhone(value).replace(EMAIL, "***@***") : value,
  ]);
  return JSON.stringify({ time: time.toISOString(), level, ...Object.fromEntries(masked) });
}

/** Writes to the console, which the platform collects: errors to stderr, the rest to stdout. */
export const consoleLog: Log = (level, fields) => {
  const line = formatLogLine(new Date(), level, fields);
  if (level === "error") console.error(line);
  else console.log(line);
};
