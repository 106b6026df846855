import { Client, requestBytes } from "./http_client.ts";
import { copyOfCall, type RecordedCall } from "./recorded_call.ts";
import { difference, type Row } from "./report.ts";
import { median, percentile } from "./stats.ts";
import { addressLine, kill, spawn } from "./world.ts";

/** Our own time per webhook: everything but the round trip to the database. */
export async function ownTime(
  call: RecordedCall,
  { rounds, requests }: { rounds: number; requests: number },
): Promise<Row[]> {
  const names = [...new Set(call.steps.map(({ name }) => name))];
  const servers = ["empty", ...names];
  const children = servers.map((name) => spawn("serve_function.ts", [name]));
  try {
    const ports = await Promise.all(
      children.map(async (child) => Number(new URL(await addressLine(child)).port)),
    );
    const clients = await Promise.all(ports.map((port) => Client.open(port)));
    // Every request is signed, and of a call of its own.
    const copies = Array.from(
      { length: requests },
      (_, n) => copyOfCall(call, n, "http://127.0.0.1/functions/v1", ""),
    );
    // Without a body: a handler that does not read one makes Deno close the connection.
    const nothing = requestBytes("/", { "user-agent": "TwilioProxy/1.1" }, "");
    const times = servers.map(() => ({ p50: [] as number[], p99: [] as number[] }));
    for (let round = -1; round < rounds; round++) {
      for (const [at, name] of servers.entries()) {
        const step = Math.max(0, call.steps.findIndex((one) => one.name === name));
        const taken = new Float64Array(requests);
        for (const [i, copy] of copies.entries()) {
          const started = performance.now();
          // deno-lint-ignore no-await-in-loop -- One at a time: it is the latency of an idle function.
          const status = await clients[at]!.send(name === "empty" ? nothing : copy[step]!);
          taken[i] = performance.now() - started;
          if (status >= 300) throw new Error(`Cannot measure ${name}: it answered ${status}`);
        }
        // The first round warms up.
        if (round < 0) continue;
        times[at]!.p50.push(percentile(taken, 0.5));
        times[at]!.p99.push(percentile(taken, 0.99));
      }
    }
    clients.forEach((client) => client.close());
    const [empty, ...functions] = times;
    return names.flatMap((name, i) =>
      ([["p50", 0.5], ["p99", 3]] as const).map(([which, most]) => ({
        measure: `own time of ${name}, ${which}`,
        unit: "ms",
        ...difference(median(functions[i]![which]), "empty handler", median(empty![which])),
        aim: { most },
      }))
    );
  } finally {
    await Promise.all(children.map(kill));
  }
}
