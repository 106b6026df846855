import { dataApi } from "../_shared/db/client.ts";
import { readMetrics } from "../_shared/db/metrics.ts";
import { logOf } from "../_shared/log.ts";
import type { Settings } from "../_shared/settings.ts";
import type { MetricsDeps } from "./handler.ts";

export function liveDeps(settings: Settings): MetricsDeps {
  const api = dataApi(settings.supabaseUrl, settings.secretKey);
  return { settings, read: () => readMetrics(api), log: logOf(settings) };
}
