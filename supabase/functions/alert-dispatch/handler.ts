import type { Channel } from "../_shared/alerts/channels.ts";
import { alertNotice } from "../_shared/alerts/words.ts";
import type { HealthVerdict, RunAlerts } from "../_shared/db/alerts.ts";
import type { Jobs } from "../_shared/db/jobs.ts";
import { runJobs, type Work } from "../_shared/jobs/run.ts";
import type { Log } from "../_shared/log.ts";
import { isSending } from "../_shared/mail/mail.ts";
import type { Settings } from "../_shared/settings.ts";
import type { Handler } from "../_shared/http.ts";
import { worker } from "../_shared/jobs/worker.ts";

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
