import type { AlertSettings } from "../settings.ts";
import { type AlertNotice, headline, runbookSection } from "./words.ts";

/** A channel for alert messages. */
export interface Channel {
  /** The kind of its jobs. */
  readonly kind: "alert_slack" | "alert_pagerduty";
  /** Rejects when the channel did not accept the message. */
  send(notice: AlertNotice): Promise<void>;
}

const PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue";

/** The configured channels. @param deadlineMs For one message. */
export function channelsOf(
  settings: AlertSettings,
  { pagerDutyUrl = PAGERDUTY_URL, deadlineMs = 5000 } = {},
): Channel[] {
  const { slackWebhookUrl, pagerDutyRoutingKey, runbookUrl } = settings;
  const channels: Channel[] = [];
  if (slackWebhookUrl !== undefined) {
    channels.push({
      kind: "alert_slack",
      send: (notice) => post(slackWebhookUrl, slackMessage(notice, runbookUrl), deadlineMs),
    });
  }
  if (pagerDutyRoutingKey !== undefined) {
    channels.push({
      kind: "alert_pagerduty",
      send: (notice) =>
        post(pagerDutyUrl, pagerDutyEvent(notice, pagerDutyRoutingKey, runbookUrl), deadlineMs),
    });
  }
  return channels;
}

/** https://api.slack.com/messaging/webhooks */
function slackMessage(notice: AlertNotice, runbookUrl: string | undefined) {
  // The three characters with a meaning in Slack's markup.
  const escape = (text: string) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const icon = notice.transition === "recovered"
    ? ":white_check_mark:"
    : notice.severity === "critical"
    ? ":rotating_light:"
    : ":warning:";
  const advice = notice.transition === "fired"
    ? `\n${escape(`${notice.action} Runbook: ${runbookSection(runbookUrl, notice.alert)}`)}`
    : "";
  return { text: `${icon} ${escape(headline(notice))}${advice}` };
}

/** https://developer.pagerduty.com/docs/events-api-v2/trigger-events/: the key makes a repeated event the same one. */
function pagerDutyEvent(notice: AlertNotice, routingKey: string, runbookUrl: string | undefined) {
  const { alert, episode_id, severity, action, value, threshold, unit, opened_at } = notice;
  const runbook = runbookSection(runbookUrl, alert);
  const event = { routing_key: routingKey, dedup_key: `tradeline/${alert}/${episode_id}` };
  if (notice.transition === "recovered") return { ...event, event_action: "resolve" };
  return {
    ...event,
    event_action: "trigger",
    payload: {
      summary: headline(notice).slice(0, 1024),
      source: "tradeline",
      severity,
      timestamp: opened_at,
      component: alert,
      custom_details: { action, runbook, value, threshold, unit },
    },
    ...(runbookUrl !== undefined && { links: [{ href: runbook, text: "Runbook" }] }),
  };
}

async function post(url: string, body: unknown, deadlineMs: number): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    redirect: "error",
    signal: AbortSignal.timeout(deadlineMs),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`answered ${response.status}`);
}
