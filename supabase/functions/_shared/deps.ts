import { functionMetrics, type Observe } from "./alerts/function_metrics.ts";
import { defaultProfile, type LineProfile } from "./calls/profile.ts";
import { analyticsEvents } from "./db/analytics_events.ts";
import { dataApi } from "./db/client.ts";
import { sendFunctionMetrics } from "./db/metrics.ts";
import { type AcceptVoiceEvent, voiceEvents } from "./db/voice_events.ts";
import { type AskLimiter, limitedBy } from "./limits/limited_accept.ts";
import { type Log, logOf } from "./log.ts";
import { readSettings, type Settings } from "./settings.ts";
import { liveTenants, type Tenants } from "./tenants.ts";
import { type AddressCheck, addressCheck } from "./twilio/ip_allowlist.ts";

/** What a webhook's handler needs from outside itself. */
export interface Deps {
  readonly settings: Settings;
  /** The main account's line. */
  readonly line: LineProfile;
  readonly tenants: Tenants;
  readonly accept: AcceptVoiceEvent;
  readonly mayCall: AddressCheck;
  readonly log: Log;
  /** Counts requests for operators; absent: nobody does. */
  readonly observe?: Observe | undefined;
  readonly now: () => Date;
}

/** The parts as a deployment has them, built once an isolate. */
export function depsFrom(settings: Settings): Deps {
  const log = logOf(settings);
  return {
    settings,
    line: defaultProfile(settings),
    tenants: liveTenants(settings),
    accept: acceptBy(settings, log),
    mayCall: addressCheck(settings.twilioIpAllowlist),
    log,
    observe: observeBy(settings),
    now: () => new Date(),
  };
}

/** PostgreSQL counts the calls as it accepts them, unless Upstash is there to count them. */
function acceptBy(settings: Settings, log: Log): AcceptVoiceEvent {
  const api = dataApi(settings.supabaseUrl, settings.secretKey);
  const accept = voiceEvents(api);
  if (settings.upstash === undefined) return accept;
  const { url, token } = settings.upstash;
  let limiter: Promise<AskLimiter> | undefined;
  const ask: AskLimiter = async (event, signal) => {
    // Loaded by the first call that needs it, so that nobody else pays for it at start-up.
    limiter ??= import("./limits/upstash.ts").then((module) => module.upstashLimiter(url, token));
    return await (await limiter)(event, signal);
  };
  return limitedBy(ask, accept, {
    backend: "upstash",
    log,
    report: analyticsEvents(api),
  });
}

function observeBy(settings: Settings): Observe | undefined {
  const { supabaseUrl, secretKey, metricsFlushSeconds } = settings;
  if (metricsFlushSeconds === 0) return undefined;
  const send = sendFunctionMetrics(dataApi(supabaseUrl, secretKey));
  return functionMetrics({ send, everyMs: metricsFlushSeconds * 1000 });
}

/** @throws {SettingError} at start-up, by the setting's name. */
export function liveDeps(): Deps {
  return depsFrom(readSettings((name) => Deno.env.get(name)));
}
