import { renderMetrics } from "../_shared/alerts/prometheus.ts";
import { dataApi } from "../_shared/db/client.ts";
import { type MetricsSnapshot, readMetrics } from "../_shared/db/metrics.ts";
import { HttpError } from "../_shared/errors.ts";
import { errorResponse, json, requireMethod, SECURITY_HEADERS } from "../_shared/http.ts";
import { type Log, logOf } from "../_shared/log.ts";
import { requireOperator } from "../_shared/operator.ts";
import type { Settings } from "../_shared/settings.ts";
import type { Handler } from "../_shared/webhook.ts";

export interface MetricsDeps {
  readonly settings: Settings;
  readonly read: () => Promise<MetricsSnapshot>;
  readonly log: Log;
}

export function metricsDeps(settings: Settings): MetricsDeps {
  const api = dataApi(settings.supabaseUrl, settings.secretKey);
  return { settings, read: () => readMetrics(api), log: logOf(settings) };
}

/** How the line is, for Prometheus: text format 0.0.4, one round trip to the database a scrape. */
export function createHandler({ settings, read, log }: MetricsDeps): Handler {
  let running: Promise<MetricsSnapshot> | undefined;
  return async (request) => {
    try {
      requireMethod(request, "GET");
      requireScraper(request, settings);
      // However many scrape at once, the database is asked once.
      running ??= read().finally(() => running = undefined);
      return new Response(renderMetrics(await running), {
        headers: {
          ...SECURITY_HEADERS,
          "content-type": "text/plain; version=0.0.4; charset=utf-8",
          "cache-control": "no-store",
        },
      });
    } catch (error) {
      if (error instanceof HttpError) return errorResponse(error);
      const reason = error instanceof Error ? error.message : "unknown";
      log("error", { function: "metrics", reason });
      return json(503, { error: "unavailable" }, { "retry-after": "15" });
    }
  };
}

/** @throws {HttpError} 401 for whoever has neither the secret key nor the token for this alone. */
function requireScraper(request: Request, { metricsToken, secretKey }: Settings): void {
  try {
    requireOperator(request, secretKey);
  } catch (error) {
    if (metricsToken === undefined) throw error;
    requireOperator(request, metricsToken);
  }
}
