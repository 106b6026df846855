import { channelsOf } from "../_shared/alerts/channels.ts";
import { type HealthVerdict, runAlerts } from "../_shared/db/alerts.ts";
import { dataApi, PATIENT } from "../_shared/db/client.ts";
import { jobs } from "../_shared/db/jobs.ts";
import { logOf } from "../_shared/log.ts";
import { clock } from "../_shared/runtime.ts";
import type { Settings } from "../_shared/settings.ts";
import { accessOf } from "../_shared/twilio/account.ts";
import { twilioClient } from "../_shared/twilio/client.ts";
import { twilioRest } from "../_shared/twilio/rest.ts";
import type { DispatchDeps } from "./handler.ts";

export function liveDeps(settings: Settings): DispatchDeps {
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
    now: clock,
  };
}

const HOUR_MS = 3600 * 1000;
/** The calls that Twilio refused in the last hour; `null`: not known, and nothing may depend on it. */
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
