import type { AlertNotice } from "../db/alerts.ts";

/** What a message says of an alert, on every channel. */
export type AlertWords = Pick<
  AlertNotice,
  | "transition"
  | "alert"
  | "severity"
  | "summary"
  | "action"
  | "measured"
  | "opened_at"
  | "closed_at"
>;

/** One line: what is wrong, or that it no longer is. */
export function headline(notice: AlertWords): string {
  return notice.transition === "fired"
    ? `${notice.severity.toUpperCase()}: ${notice.summary}: ${notice.measured}`
    : `Recovered after ${duration(notice)}: ${notice.summary}: ${notice.measured}`;
}

/** Where it is written what the alert means and what to do. @param url `RUNBOOK_URL`. */
export function runbookSection(url: string | undefined, alert: string): string {
  return `${url ?? "docs/runbook.md"}#${alert}`;
}

function duration({ opened_at, closed_at }: AlertWords): string {
  const ms = new Date(closed_at ?? opened_at).getTime() - new Date(opened_at).getTime();
  const minutes = Math.max(1, Math.round(ms / 60_000));
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
