import { maskPhone } from "./phone.ts";
import { sentryReporter } from "./sentry.ts";
import { LOG_LEVELS, type LogLevel, type Settings } from "./settings.ts";

/** Fields of one log line; strings are masked on their way out. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export type Log = (level: LogLevel, fields: LogFields) => void;

const EMAIL = /[^\s@"<>]+@[^\s@"<>]+\.[^\s@"<>]+/g;

/** One JSON line. Phone numbers and e-mail addresses are masked wherever they stand. */
export function formatLogLine(time: Date, level: LogLevel, fields: LogFields): string {
  return JSON.stringify({ time: time.toISOString(), level, ...masked(fields) });
}

function masked(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === "string" ? maskPhone(value).replace(EMAIL, "***@***") : value,
    ]),
  );
}

/** Writes to the console, which the platform collects: errors to stderr, the rest to stdout. */
const consoleLog: Log = (level, fields) => {
  const line = formatLogLine(new Date(), level, fields);
  if (level === "error") console.error(line);
  else console.log(line);
};

/** The log as a deployment has set it: from `LOG_LEVEL` on, and errors to Sentry too where `SENTRY_DSN` says so. */
export function logOf(
  { logLevel, sentry, environment }: Pick<Settings, "logLevel" | "sentry" | "environment">,
): Log {
  const report = sentry && sentryReporter(sentry, environment);
  return (level, fields) => {
    if (LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(logLevel)) consoleLog(level, fields);
    if (level === "error") report?.(masked(fields));
  };
}
