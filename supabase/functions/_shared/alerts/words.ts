import type { AlertNotice } from "../db/alerts.ts";

/** What is told of an alert, whichever way it is told. */
export type AlertWords = Omit<AlertNotice, "id" | "channel" | "episode_id">;

/** One line: what is wrong, or that it no longer is. */
export function headline(notice: AlertWords): string {
  return notice.transition === "fired"
    ? `${notice.severity.toUpperCase()}: ${notice.summary} (${measured(notice)})`
    : `Recovered: ${notice.summary} (after ${duration(notice)}, ${measured(notice)})`;
}

/** The measure and what it is held against. */
export function measured({ value, threshold, unit }: AlertWords): string {
  const now = value === null ? "too little to judge by" : `now ${value} ${unit}`;
  return `${now}, threshold ${threshold} ${unit}`;
}

function duration({ opened_at, closed_at }: AlertWords): string {
  const ms = new Date(closed_at ?? opened_at).getTime() - new Date(opened_at).getTime();
  const minutes = Math.max(1, Math.round(ms / 60_000));
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
