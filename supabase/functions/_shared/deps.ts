import { functionMetrics, type Observe } from "./alerts/function_metrics.ts";
import { dataApi } from "./db/client.ts";
import { hotline } from "./flows/builtin.ts";
import type { Version } from "./flows/version.ts";
import { sendFunctionMetrics } from "./db/metrics.ts";
import { type AcceptVoiceEvent, voiceEvents } from "./db/voice_events.ts";
import { type Log, logOf } from "./log.ts";
import { clock, environment } from "./runtime.ts";
import { readSettings, type Settings } from "./settings.ts";
import type { Lines } from "./tenancy/lines.ts";
import type { Tenant, Tenants } from "./tenancy/tenants.ts";
import { wakeWorker } from "./jobs/wake.ts";
import { isMainAccount } from "./twilio/account.ts";
import { type AddressCheck, addressCheck } from "./ip_allowlist.ts";

/** The outside dependencies of a webhook's handler. */
export interface Deps {
  readonly settings: Settings;
  /** Which version of a flow answers on which number; loaded by the first call that needs it. */
  readonly flows: () => Promise<Lines>;
  /** What answers for an account where no flow is published; `undefined`: nothing is known of it. */
  readonly settled: (tenant: Tenant | undefined) => Version | undefined;
  readonly tenants: Tenants;
  readonly accept: AcceptVoiceEvent;
  readonly mayCall: AddressCheck;
  readonly log: Log;
  /** Counts requests for operators; absent: not counted. */
  readonly observe?: Observe | undefined;
  readonly now: () => Date;
  /** Somebody is to be dialled, or a leg to be ended: dial-worker should not wait for its tick. Absent: it does. */
  readonly wakeDialler?: (() => void) | undefined;
}

/** A deployment's dependencies, built once an isolate. */
export function depsFrom(settings: Settings): Deps {
  const log = logOf(settings);
  return {
    settings,
    flows: flowsOf(settings, log),
    settled: settledBy(settings),
    tenants: tenantsOf(settings),
    accept: acceptBy(settings, log),
    mayCall: addressCheck(settings.twilioIpAllowlist),
    log,
    observe: observeBy(settings, log),
    now: clock,
    wakeDialler: settings.twilioAccountSid === undefined
      ? undefined
      : () => wakeWorker(settings, "dial-worker"),
  };
}

/** Loads on first use, so that other requests do not pay for it at start-up. */
function once<T>(load: () => T): () => T {
  let loaded: { readonly value: T } | undefined;
  return () => (loaded ??= { value: load() }).value;
}

/** The main account needs no look-up. */
function tenantsOf(settings: Settings): Tenants {
  const live = once(async () => (await import("./tenancy/tenants.ts")).liveTenants(settings));
  return {
    isMain: (accountSid) => isMainAccount(settings, accountSid),
    find: async (accountSid) => await (await live()).find(accountSid),
  };
}

function flowsOf(settings: Settings, log: Log): () => Promise<Lines> {
  return once(async () => {
    const [{ createLines }, { shipped }, { flowDatabase }] = await Promise.all([
      import("./tenancy/lines.ts"),
      import("./flows/shipped.ts"),
      import("./db/flows.ts"),
    ]);
    // A caller waits for it, and for what comes after it.
    const database = flowDatabase(dataApi(settings.supabaseUrl, settings.secretKey), 1500);
    return createLines({ read: database.body, shipped, log });
  });
}

/** The settings' own flow, greeting for the business that an account was onboarded as. */
function settledBy(settings: Settings): Deps["settled"] {
  const own = once(() => hotline(settings));
  const greeting = new Map<string, Version>();
  return (tenant) => {
    if (tenant === undefined) return own();
    const { businessName } = tenant;
    if (businessName === undefined) return undefined;
    const version = greeting.get(businessName) ?? hotline(settings, businessName);
    if (greeting.size > MOST_GREETINGS) greeting.clear();
    greeting.set(businessName, version);
    return version;
  };
}

const MOST_GREETINGS = 1000;

/** PostgreSQL counts the calls as it accepts them; where Upstash is set, after it. */
function acceptBy(settings: Settings, log: Log): AcceptVoiceEvent {
  const api = dataApi(settings.supabaseUrl, settings.secretKey);
  const accept = voiceEvents(api);
  if (settings.upstash === undefined) return accept;
  const { url, token } = settings.upstash;
  const limited = once(async () => {
    const [{ limitedBy }, { upstashLimiter }, { analyticsEvents }] = await Promise.all([
      import("./limits/limited_accept.ts"),
      import("./limits/upstash.ts"),
      import("./db/analytics_events.ts"),
    ]);
    const report = analyticsEvents(api);
    return limitedBy(upstashLimiter(url, token), accept, { backend: "upstash", log, report });
  });
  return async (event) => await (event.limits === undefined ? accept : await limited())(event);
}

function observeBy(settings: Settings, log: Log): Observe | undefined {
  const { supabaseUrl, secretKey, metricsFlushSeconds } = settings;
  if (metricsFlushSeconds === 0) return undefined;
  const send = sendFunctionMetrics(dataApi(supabaseUrl, secretKey));
  return functionMetrics({ send, log, everyMs: metricsFlushSeconds * 1000 });
}

/** @throws {SettingError} at start-up, by the setting's name. */
export function liveDeps(): Deps {
  return depsFrom(readSettings(environment));
}
