import * as z from "zod/mini";

/** One message for one channel: the payload of its job. */
export const alertNotice = z.object({
  episode_id: z.number(),
  transition: z.enum(["fired", "recovered"]),
  alert: z.string(),
  severity: z.enum(["critical", "warning"]),
  summary: z.string(),
  /** What to do. */
  action: z.string(),
  unit: z.string(),
  /** Null: too little data. */
  value: z.nullable(z.number()),
  threshold: z.number(),
  /** Value, unit and direction: "81 %, should be at least 90 %". */
  measured: z.string(),
  /** ISO 8601. */
  opened_at: z.string(),
  closed_at: z.nullable(z.string()),
});
export type AlertNotice = z.infer<typeof alertNotice>;

/** One line: the problem, or its end. */
export function headline(notice: AlertNotice): string {
  return notice.transition === "fired"
    ? `${notice.severity.toUpperCase()}: ${notice.summary}: ${notice.measured}`
    : `Recovered after ${duration(notice)}: ${notice.summary}: ${notice.measured}`;
}

/** The runbook's section about an alert. @param url `RUNBOOK_URL`. */
export function runbookSection(url: string | undefined, alert: string): string {
  return `${url ?? "docs/runbook.md"}#${alert}`;
}

function duration({ opened_at, closed_at }: AlertNotice): string {
  const ms = new Date(closed_at ?? opened_at).getTime() - new Date(opened_at).getTime();
  const minutes = Math.max(1, Math.round(ms / 60_000));
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
