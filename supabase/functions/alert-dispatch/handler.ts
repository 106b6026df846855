import { type Channel, channelsOf } from "../_shared/alerts/channels.ts";
import { type AlertNotice, type Alerts, alerts, type HealthVerdict } from "../_shared/db/alerts.ts";
import { dataApi, PATIENT } from "../_shared/db/client.ts";
import { type Log, logOf } from "../_shared/log.ts";
import { isSending } from "../_shared/mail/mail.ts";
import type { Settings } from "../_shared/settings.ts";
import { accessOf } from "../_shared/twilio/account.ts";
import { twilioClient } from "../_shared/twilio/client.ts";
import { twilioRest } from "../_shared/twilio/rest.ts";
import type { Handler } from "../_shared/webhook.ts";
import { worker } from "../_shared/worker.ts";

export interface DispatchDeps {
  readonly settings: Settings;
  readonly alerts: Alerts;
  readonly channels: readonly Channel[];
  /** Asks voice-health as a monitor would, and Twilio for calls that it refused; never rejects. */
  readonly askHealth: () => Promise<HealthVerdict>;
  readonly log: Log;
}

export function dispatchDeps(settings: Settings): DispatchDeps {
  return {
    settings,
    alerts: alerts(dataApi(settings.supabaseUrl, settings.secretKey, PATIENT)),
    channels: channelsOf(settings.alerts),
    askHealth: async () => {
      const [verdict, refused] = await Promise.all([
        askHealth(`${settings.supabaseUrl}/functions/v1/voice-health`),
        askTwilio(settings),
      ]);
      return { ...verdict, refusedCalls: refused };
    },
    log: logOf(settings),
  };
}

/**
 * Evaluates every alert and tells what changed, once for each episode and once for its end. Run each minute, or by
 * hand; two runs at once tell nothing twice. What a channel does not take is told by a later run.
 */
export function createHandler(deps: DispatchDeps): Handler {
  return worker("alert-dispatch", { ...deps, retryAfterSec: 60 }, () => dispatch(deps));
}

async function dispatch({ settings, alerts, channels, askHealth, log }: DispatchDeps) {
  const health = await askHealth();
  const mail = isSending(settings.mail) && settings.mail.notifyTo !== undefined ? ["email"] : [];
  const names = [...channels.map(({ name }) => name), ...mail];
  const { changed, firing, due } = await alerts.run(health, names);

  const told = await Promise.all(
    channels.map((channel) =>
      tell(channel, due.filter((notice) => notice.channel === channel.name), log)
    ),
  );
  const delivered = told.flatMap((each) => each.delivered);
  const failed = told.flatMap((each) => each.failed);
  if (due.length > 0) await alerts.finish(delivered, failed);
  await alerts.ended(failed.length === 0);

  for (const { alert, transition } of changed) {
    log("warn", { function: "alert-dispatch", alert, transition });
  }
  return {
    healthy: health.healthy,
    firing,
    changed: changed.map(({ alert, transition }) => ({ alert, transition })),
    delivered: delivered.length,
    failed: failed.length,
  };
}

/** One after the other, so that nobody hears of an end before its beginning; the first failure ends it for this run. */
async function tell(channel: Channel, notices: readonly AlertNotice[], log: Log) {
  const delivered: number[] = [];
  for (const notice of notices) {
    try {
      // deno-lint-ignore no-await-in-loop -- In order.
      await channel.send(notice);
      delivered.push(notice.id);
    } catch (error) {
      // Not the message: it may name the webhook's address, which is a secret.
      const reason = error instanceof Error
        ? /^answered \d+$/.exec(error.message)?.[0] ?? error.name
        : "unknown";
      log("error", {
        function: "alert-dispatch",
        channel: channel.name,
        alert: notice.alert,
        reason,
      });
      break;
    }
  }
  return { delivered, failed: notices.slice(delivered.length).map(({ id }) => id) };
}

const HOUR_MS = 60 * 60 * 1000;

/** Calls that Twilio refused in the last hour; `null`: not known, and nothing may depend on it. */
async function askTwilio(settings: Settings): Promise<number | null> {
  const access = accessOf(settings);
  if (access === undefined) return null;
  const client = twilioClient({ ...access, deadlineMs: 5000, attempts: 1 });
  return await twilioRest(client, access.accountSid)
    .refusedCalls(new Date(Date.now() - HOUR_MS)).catch(() => null);
}

/** @param url voice-health's address. */
async function askHealth(url: string): Promise<Omit<HealthVerdict, "refusedCalls">> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    const body: unknown = await response.json();
    const checks = (body as { checks?: Record<string, { status?: unknown }> } | null)?.checks ?? {};
    const failing = Object.entries(checks)
      // Any other word ("late", "critical") tells of something that calls do not wait for.
      .filter(([, check]) => check?.status === "unhealthy")
      .map(([name]) => name.slice(0, 64)).slice(0, 50);
    return { healthy: response.status === 200, failing };
  } catch {
    return { healthy: false, failing: ["voice-health"] };
  }
}
