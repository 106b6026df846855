import { join } from "@std/path/join.js";
import { LOCAL_AUTH_TOKEN } from "../../scripts/defaults.ts";
import { FUNCTIONS } from "../../supabase/functions/_shared/functions.ts";
import { Client, requestBytes } from "./http_client.ts";
import { copyOfCall, type RecordedCall } from "./recorded_call.ts";
import { difference, type Row } from "./report.ts";
import { median } from "./stats.ts";
import { ROOT } from "./world.ts";

/** The functions that a caller waits for, or that are called several times a call. */
export const HOT: readonly string[] = [...FUNCTIONS.twilio, "voice-agent"];

/** From the start of a process to its first answer, its code in Deno's cache; an empty handler beside it. */
export async function coldStart(
  call: RecordedCall,
  functions: readonly string[],
  rounds: number,
): Promise<Row[]> {
  // Stands in for the Data API, and costs nothing.
  const answer = {
    duplicate: false,
    admitted: true,
    call: { status: "in-progress", mode: "menu", consent_given: true },
  };
  const api = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      await request.body?.cancel();
      return Response.json(answer);
    },
  );
  try {
    const supabaseUrl = `http://127.0.0.1:${api.addr.port}`;
    const names = ["empty", ...functions];
    const times = names.map((): number[] => []);
    const requests = names.map((name) => firstRequest(call, name));
    for (let round = -1; round < rounds; round++) {
      for (const [i, name] of names.entries()) {
        // deno-lint-ignore no-await-in-loop -- One process at a time.
        const ms = await startToAnswer(entryOf(name), requests[i]!, supabaseUrl);
        // The first round fills Deno's cache.
        if (round >= 0) times[i]!.push(ms);
      }
    }
    const empty = median(times[0]!);
    return functions.map((name, i) => ({
      measure: `cold start of ${name}`,
      unit: "ms",
      ...difference(median(times[i + 1]!), "empty handler", empty),
      aim: HOT.includes(name) ? { most: 120 } : undefined,
    }));
  } finally {
    await api.shutdown();
  }
}

function entryOf(name: string): string {
  return name === "empty"
    ? join(ROOT, "tests", "bench", "empty.ts")
    : join(ROOT, "supabase", "functions", name, "index.ts");
}

/** A webhook of the call that the function is there for; of the others, any request that it refuses itself. */
function firstRequest(call: RecordedCall, name: string): Uint8Array<ArrayBuffer> {
  const at = call.steps.findIndex((step) => step.name === name);
  if (at !== -1) return copyOfCall(call, 1, "http://127.0.0.1/functions/v1", "")[at]!;
  return requestBytes(`/${name}`, { "content-type": "application/x-www-form-urlencoded" }, "");
}

async function startToAnswer(
  entry: string,
  request: Uint8Array<ArrayBuffer>,
  supabaseUrl: string,
): Promise<number> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", entry],
    cwd: ROOT,
    env: {
      TWILIO_AUTH_TOKEN: LOCAL_AUTH_TOKEN,
      BUSINESS_TARGET_E164: "+15877428885",
      SUPABASE_URL: supabaseUrl,
      SUPABASE_SECRET_KEYS: '{"default":"sb_secret_local"}',
      PUBLIC_FUNCTIONS_URL: "http://127.0.0.1/functions/v1",
      DENO_SERVE_ADDRESS: `tcp:127.0.0.1:${port}`,
      DENO_NO_UPDATE_CHECK: "1",
    },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const deadline = started + 60_000;
    while (performance.now() < deadline) {
      try {
        // deno-lint-ignore no-await-in-loop -- It tries until somebody listens.
        const client = await Client.open(port);
        // deno-lint-ignore no-await-in-loop
        await client.send(request);
        client.close();
        return performance.now() - started;
      } catch {
        // deno-lint-ignore no-await-in-loop
        await new Promise((done) => setTimeout(done, 1));
      }
    }
    throw new Error(`Cannot measure ${entry}: it did not answer within a minute`);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}
