import type { DataApi } from "../_shared/db/client.ts";
import { type HealthProbes, healthProbes, type RecentActivity } from "../_shared/db/health.ts";
import { SCHEMA_VERSION } from "../_shared/db/schema_version.ts";
import { HttpError, SettingError } from "../_shared/errors.ts";
import { errorResponse, type Handler, json, requireMethod } from "../_shared/http.ts";
import type { Log } from "../_shared/log.ts";
import { isSending, missingMailSettings } from "../_shared/mail/mail.ts";
import { isOperator } from "../_shared/operator.ts";
import { type Environment, readSettings, type Settings } from "../_shared/settings.ts";

export interface HealthDeps {
  readonly env: Environment;
  readonly connect: (supabaseUrl: string, secretKey: string) => DataApi;
  readonly log: (settings: Settings) => Log;
  /** Milliseconds. */
  readonly now: () => number;
}

interface Check {
  /** Only `unhealthy` means that calls cannot be served. `late`: a worker is; `warning`, `critical`: such an alert fires. */
  readonly status: "healthy" | "unhealthy" | "late" | "warning" | "critical";
  readonly [detail: string]: unknown;
}

interface Examination {
  readonly checks: Readonly<Record<string, Check>>;
  /** An operator with one of these keys sees each check's figures. */
  readonly secretKeys: readonly string[];
  readonly at: number;
}

/** The function is public, so the database is asked at most once in this many milliseconds. */
const FRESH_MS = 5000;

/**
 * Reports whether calls can be served: 503 when a check is unhealthy, else 200. The status is `degraded` when calls are
 * served but a worker is late or a critical alert fires. With `?strict` that is 503 too, for a second monitor: alerts run
 * on the scheduler, so only an outside monitor notices that the scheduler has stopped. Each check's status is public; its
 * figures are for operators.
 */
export function createHandler(deps: HealthDeps): Handler {
  let latest: Examination | undefined;
  let running: Promise<Examination> | undefined;
  return async (request) => {
    try {
      requireMethod(request, "GET", "HEAD");
    } catch (error) {
      if (error instanceof HttpError) return errorResponse(error);
      throw error;
    }
    if (latest === undefined || deps.now() - latest.at >= FRESH_MS) {
      running ??= examine(deps).finally(() => running = undefined);
      latest = await running;
    }
    const { checks, secretKeys, at } = latest;
    const status = overall(checks);
    const strict = new URL(request.url).searchParams.has("strict");
    const served = status === "healthy" || (status === "degraded" && !strict);
    return json(served ? 200 : 503, {
      status,
      timestamp: new Date(at).toISOString(),
      checks: isOperator(request, secretKeys) ? checks : statusesOf(checks),
    });
  };
}

function overall(checks: Examination["checks"]): "healthy" | "degraded" | "unhealthy" {
  const statuses = new Set(Object.values(checks).map(({ status }) => status));
  if (statuses.has("unhealthy")) return "unhealthy";
  return statuses.has("late") || statuses.has("critical") ? "degraded" : "healthy";
}

function statusesOf(checks: Examination["checks"]): Record<string, Check> {
  return Object.fromEntries(
    Object.entries(checks).map(([name, { status, setting }]) => [
      name,
      // With a faulty setting no key can be checked; the setting's name is not secret.
      setting === undefined ? { status } : { status, setting },
    ]),
  );
}

async function examine({ env, connect, log, now }: HealthDeps): Promise<Examination> {
  const at = now();
  let settings: Settings;
  try {
    settings = readSettings(env);
  } catch (error) {
    // A setting's name is not secret; its value may be.
    const setting = error instanceof SettingError ? error.setting : "unknown";
    return {
      checks: {
        env: { status: "unhealthy", setting },
        database: { status: "unhealthy" },
      },
      secretKeys: [],
      at,
    };
  }
  const probes = healthProbes(connect(settings.supabaseUrl, settings.secretKey));
  const checks = await runChecks(settings, probes, log(settings));
  return { checks, secretKeys: settings.secretKeys, at };
}

async function runChecks(
  settings: Settings,
  probes: HealthProbes,
  log: Log,
): Promise<Record<string, Check>> {
  const measured = async (
    check: string,
    probe: () => Promise<Readonly<Record<string, unknown>>>,
  ): Promise<Check> => {
    const started = performance.now();
    const elapsed = () => Math.round(performance.now() - started);
    try {
      const detail = await probe();
      return { status: "healthy", latency_ms: elapsed(), ...detail };
    } catch (error) {
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : "unknown";
      log("error", { function: "voice-health", check, reason });
      return { status: "unhealthy", latency_ms: elapsed() };
    }
  };
  const [activity, rate_limiter, migrations] = await Promise.all([
    measured("recent_activity", async () => ({ ...await probes.recentActivity() })),
    measured("rate_limiter", async () => requireTrue(await probes.rateLimiter())),
    measured("migrations", () => migrationCheck(probes)),
  ]);
  // Every check asks the database; reading calls is the simplest query.
  const { status, latency_ms, connections, workers, alerts, ...recent } = activity as
    & Check
    & Partial<RecentActivity>;
  return {
    env: { status: "healthy", ip_allowlist: settings.twilioIpAllowlist.length > 0 },
    database: { status, latency_ms, connections },
    recent_activity: { status, latency_ms, ...recent },
    rate_limiter,
    migrations,
    // Without a key mails wait and calls are served.
    mail: {
      status: "healthy",
      sending: isSending(settings.mail),
      missing: missingMailSettings(settings.mail),
    },
    // Without the account callers who hold wait in vain, and campaigns dial nobody; any other call is served.
    dialling: {
      status: "healthy",
      missing: settings.twilioAccountSid === undefined ? ["TWILIO_ACCOUNT_SID"] : [],
    },
    // Never unhealthy: calls do not need them, and an alert about health would keep itself firing.
    ...(workers !== undefined && {
      workers: {
        status: Object.values(workers).some(({ late }) => late) ? "late" : "healthy",
        runs: workers,
      },
    }),
    ...(alerts !== undefined && {
      alerts: {
        ...alerts,
        status: alerts.critical > 0 ? "critical" : alerts.warning > 0 ? "warning" : "healthy",
      },
    }),
  };
}

function requireTrue(ok: boolean): Record<string, unknown> {
  if (!ok) throw new Error("the limiter refused its own probe");
  return {};
}

/** A database without a record of migrations was set up by hand, and is not checked. */
async function migrationCheck(probes: HealthProbes): Promise<Record<string, unknown>> {
  const version = await probes.migration();
  const behind = version !== null && version < SCHEMA_VERSION;
  return { version, needed: SCHEMA_VERSION, ...(behind && { status: "unhealthy" }) };
}
