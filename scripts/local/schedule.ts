/** A function that the platform's scheduler (pg_cron, when hosted) calls. */
export interface Job {
  readonly name: string;
  readonly everyMs: number;
}

/** As the migrations schedule them. */
export const JOBS: readonly Job[] = [
  { name: "dial-worker", everyMs: 5_000 },
  { name: "campaign-dialler", everyMs: 5_000 },
  { name: "notify-worker", everyMs: 5_000 },
  { name: "voice-reconcile", everyMs: 60_000 },
  { name: "alert-dispatch", everyMs: 60_000 },
];

/**
 * Calls functions at intervals, one run of each at a time, as the platform's scheduler does. A failing run is logged once until
 * another succeeds.
 *
 * @returns Ends it; resolves when the last runs are over.
 */
export function startSchedule(
  jobs: readonly Job[],
  functionsUrl: string,
  token: string,
  log: (line: string) => void,
): () => Promise<void> {
  const running = new Map<string, Promise<void>>();
  const failing = new Set<string>();
  const run = async (name: string) => {
    let fault: string | undefined;
    try {
      const response = await fetch(`${functionsUrl}/${name}`, {
        method: "POST",
        headers: { apikey: token },
      });
      await response.body?.cancel();
      if (!response.ok) fault = `it answered ${response.status}`;
    } catch (error) {
      fault = error instanceof Error ? error.message : "unknown";
    }
    if (fault !== undefined && !failing.has(name)) log(`${name}, as scheduled: ${fault}`);
    if (fault === undefined) failing.delete(name);
    else failing.add(name);
  };
  const timers = jobs.map(({ name, everyMs }) =>
    setInterval(() => {
      if (running.has(name)) return;
      running.set(name, run(name).finally(() => running.delete(name)));
    }, everyMs)
  );
  return async () => {
    for (const timer of timers) clearInterval(timer);
    await Promise.all(running.values());
  };
}
