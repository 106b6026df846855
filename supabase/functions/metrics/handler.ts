import { renderMetrics } from "../_shared/alerts/prometheus.ts";
import type { MetricsSnapshot } from "../_shared/db/metrics.ts";
import { endpoint } from "../_shared/endpoint.ts";
import { type Handler, requireMethod, SECURITY_HEADERS } from "../_shared/http.ts";
import type { Log } from "../_shared/log.ts";
import { requireOperator } from "../_shared/operator.ts";
import type { Settings } from "../_shared/settings.ts";

export interface MetricsDeps {
  readonly settings: Settings;
  readonly read: () => Promise<MetricsSnapshot>;
  readonly log: Log;
}

/** The system's figures for Prometheus: text format 0.0.4, one database round trip a scrape. */
export function createHandler({ settings, read, log }: MetricsDeps): Handler {
  const { secretKeys, metricsToken } = settings;
  // A scraper may have a token for this alone.
  const keys = metricsToken === undefined ? secretKeys : [...secretKeys, metricsToken];
  let running: Promise<MetricsSnapshot> | undefined;
  return endpoint("metrics", { log, retryAfterSec: 15 }, async (request) => {
    requireMethod(request, "GET");
    requireOperator(request, keys);
    // Simultaneous scrapes share one request to the database.
    running ??= read().finally(() => running = undefined);
    return new Response(renderMetrics(await running), {
      headers: {
        ...SECURITY_HEADERS,
        "content-type": "text/plain; version=0.0.4; charset=utf-8",
        "cache-control": "no-store",
      },
    });
  });
}
