import { type Channel, channelsOf } from "../_shared/alerts/channels.ts";
import { alertNotice } from "../_shared/alerts/words.ts";
import { type HealthVerdict, type RunAlerts, runAlerts } from "../_shared/db/alerts.ts";
import { dataApi, PATIENT } from "../_shared/db/client.ts";
import { type Jobs, jobs } from "../_shared/db/jobs.ts";
import { runJobs, type Work } from "../_shared/jobs/run.ts";
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
  readonly evaluate: RunAlerts;
  readonly jobs: Jobs;
  readonly channels: readonly Channel[];
  /** Asks voice-health as a monitor would, and Twilio for refused calls; never rejects. */
  readonly askHealth: () => Promise<HealthVerdict>;
  readonly log: Log;
  readonly now: () => Date;
}

export function dispatchDeps(settings: Settings): DispatchDeps {
  const api = dataApi(settings.supabaseUrl, settings.secretKey, PATIENT);
  return {
    settings,
    evaluate: runAlerts(api),
    jobs: jobs(api),
    channels: channelsOf(settings.alerts),
    askHealth: async () => {
      const [verdict, refused] = await Promise.all([
        askHealth(`${settings.supabaseUrl}/functions/v1/voice-health`),
        askTwilio(settings),
      ]);
      return { ...verdict, refusedCalls: refused };
    },
    log: logOf(settings),
    now: () => new Date(),
  };
}

/**
 * Evaluates every alert and sends a message when one fires and when it recovers. Runs each minute, or by hand; two runs
 * at once send nothing twice. A later run sends what a channel did not accept.
 */
export function createHandler(deps: DispatchDeps): Handler {
  return worker("alert-dispatch", { ...deps, retryAfterSec: 60 }, () => dispatch(deps));
}

async function dispatch(deps: DispatchDeps) {
  const { settings, evaluate, jobs, channels, askHealth, log, now } = deps;
  const health = await askHealth();
  const mail = isSending(settings.mail) && settings.mail.notifyTo !== undefined
    ? ["mail_alert"]
    : [];
  const { changed, firing } = await evaluate(
    health,
    [...channels.map(({ kind }) => kind), ...mail],
  );
  for (const { alert, transition } of changed) {
    log("warn", { function: "alert-dispatch", alert, transition });
  }

  const { done: delivered, ...others } = await runJobs(
    "alert-dispatch",
    Object.fromEntries(channels.map((channel) => [channel.kind, tell(channel, log)])),
    { ...BOUNDS, until: now().getTime() + RUN_MS },
    deps,
  );
  const failed = Object.values(others).reduce((sum, count) => sum + count, 0);
  await jobs.ended("alert-dispatch", failed === 0);
  return {
    healthy: health.healthy,
    firing,
    changed: changed.map(({ alert, transition }) => ({ alert, transition })),
    delivered,
    failed,
  };
}

/** In order within a channel, so that a recovery never arrives before its alert. */
const BOUNDS = { batch: 50, atOnce: "in order", most: 200 } as const;
/** No message is sent after this long. Milliseconds. */
const RUN_MS = 30_000;
const HOUR_MS = 3600 * 1000;
/** A message that a channel did not accept waits for the next run. Seconds. */
const UNTIL_NEXT_RUN = 50;

function tell(channel: Channel, log: Log): Work {
  return async ({ payload }) => {
    const { success, data: notice } = alertNotice.safeParse(payload);
    if (!success) return { kind: "failed", error: "nothing_to_say", permanent: true };
    try {
      await channel.send(notice);
      return { kind: "done" };
    } catch (error) {
      // Not the message: it may name the webhook's address, which is a secret.
      const reason = error instanceof Error
        ? /^answered \d+$/.exec(error.message)?.[0] ?? error.name
        : "unknown";
      log("error", {
        function: "alert-dispatch",
        channel: channel.kind,
        alert: notice.alert,
        reason,
      });
      return { kind: "held", error: reason, seconds: UNTIL_NEXT_RUN, scope: "kind" };
    }
  };
}

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
      // Other statuses ("late", "critical") do not affect calls.
      .filter(([, check]) => check?.status === "unhealthy")
      .map(([name]) => name.slice(0, 64)).slice(0, 50);
    return { healthy: response.status === 200, failing };
  } catch {
    return { healthy: false, failing: ["voice-health"] };
  }
}
