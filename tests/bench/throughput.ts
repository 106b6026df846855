import { Client } from "./http_client.ts";
import { copyOfCall, type RecordedCall } from "./recorded_call.ts";
import { ratio, type Row } from "./report.ts";
import { acceptCall, compareSql, runSql } from "./sql_load.ts";
import { median, percentile } from "./stats.ts";
import { addressLine, kill, spawn } from "./world.ts";

export interface ThroughputOptions {
  readonly pgbench: string | undefined;
  readonly connections: number;
  readonly seconds: number;
  readonly rounds: number;
}

/** Webhooks a second through gateway, functions, Data API and database; against the database alone. */
export async function throughput(
  call: RecordedCall,
  { pgbench, connections, seconds, rounds }: ThroughputOptions,
): Promise<Row[]> {
  const child = spawn("serve_stack.ts", []);
  try {
    const [address = "", url = ""] = (await addressLine(child)).split(" ");
    const { port } = new URL(address);
    const base = `http://127.0.0.1:${port}/functions/v1`;
    const clients = await Promise.all(
      Array.from({ length: connections }, () => Client.open(Number(port))),
    );
    let copies = 0;
    const latencies: number[][] = [];
    /** Each connection plays one call after the other, webhook by webhook. */
    const play = async (calls: number) => {
      const prepared = Array.from(
        { length: calls },
        () => copyOfCall(call, copies++, base, "/functions/v1"),
      );
      const ms: number[] = [];
      const started = performance.now();
      await Promise.all(clients.map(async (client) => {
        for (let next = prepared.pop(); next !== undefined; next = prepared.pop()) {
          for (const request of next) {
            const sent = performance.now();
            // deno-lint-ignore no-await-in-loop -- A call's webhooks follow each other.
            const status = await client.send(request);
            ms.push(performance.now() - sent);
            if (status >= 300) throw new Error(`Cannot measure a stack that answers ${status}`);
          }
        }
      }));
      const perSec = ms.length / ((performance.now() - started) / 1000);
      return { perSec, ms };
    };

    // Warms up, and tells how many calls fill a round.
    const warm = await play(connections * 20);
    const calls = Math.max(connections, Math.round(warm.perSec * seconds / call.steps.length));
    const { ours, rival } = await compareSql(async (which) => {
      if (which === "rival") {
        return await runSql(pgbench, url, acceptCall(call), connections, seconds);
      }
      const { perSec, ms } = await play(calls);
      latencies.push(ms);
      return { perSec, meanMs: 1000 * connections / perSec };
    }, rounds);
    clients.forEach((client) => client.close());
    const at = (share: number) => median(latencies.map((ms) => percentile(ms, share)));
    return [
      {
        measure: `webhooks per second, whole stack, ${connections} at once`,
        unit: "/s",
        ...ratio(
          ours.perSec,
          `${pgbench ? "pgbench" : "driver loop"}, same function`,
          rival.perSec,
        ),
        aim: { least: 0.5 },
      },
      ...[["p50", 0.5], ["p99", 0.99]].map(([name, share]) => ({
        measure: `webhook under that load, ${name}`,
        unit: "ms",
        ours: at(share as number),
      })),
    ];
  } finally {
    await kill(child);
  }
}
