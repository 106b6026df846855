import * as z from "zod/mini";
import { type DataApi, run } from "./client.ts";

/** Records an event for operators, of counts and names, nothing personal; rejects when it could not. */
export type ReportAnalyticsEvent = (
  type: string,
  severity: "info" | "warning" | "error",
  data: Readonly<Record<string, string | number | boolean>>,
) => Promise<void>;

/** @param deadlineMs After this long without an answer the event counts as not recorded. */
export function analyticsEvents(api: DataApi, deadlineMs = 4000): ReportAnalyticsEvent {
  return async (type, severity, data) => {
    const event = { p_event_type: type, p_severity: severity, p_event_data: data };
    await run(api, "record_analytics_event", event, z.unknown(), deadlineMs);
  };
}
