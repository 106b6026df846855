import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { createClient } from "@redis/client";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { startRedis, startUpstash } from "../../scripts/local/upstash.ts";
import { depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { createHandler as frontdoor } from "../../supabase/functions/voice-frontdoor/handler.ts";
import { startTestStack } from "../support/database.ts";
import { newCallSid } from "../support/events.ts";
import { withBackground } from "../support/background.ts";
import {
  incomingCall,
  PUBLIC_URL,
  signedRequest,
  testSettings,
  twiml,
} from "../support/webhook.ts";

// A real Redis that is stopped, frozen or full, under the front door, the only step that asks it: the caller is
// let in, within 6 s, and the call is kept.

interface Client {
  sendCommand(args: string[]): Promise<unknown>;
}

const FAULTS: Record<
  string,
  (redis: { stop(): Promise<void> }, client: Client) => Promise<unknown>
> = {
  "stopped": (redis) => redis.stop(),
  // For longer than the caller is made to wait.
  "frozen": (_, client) => client.sendCommand(["CLIENT", "PAUSE", "2500", "ALL"]),
  "out of memory": (_, client) => client.sendCommand(["CONFIG", "SET", "maxmemory", "1"]),
  "read-only": (_, client) => client.sendCommand(["REPLICAOF", "127.0.0.1", "9"]),
};

const installed = await (async () => {
  const redis = await startRedis();
  await redis?.stop();
  return redis !== undefined;
})();

for (const [fault, breakIt] of Object.entries(FAULTS)) {
  Deno.test({
    name: `Redis ${fault}: the caller is let in, and the call is kept${
      installed ? "" : " (needs redis-server, which is not installed)"
    }`,
    ignore: !installed,
    async fn() {
      const redis = (await startRedis())!;
      const upstash = await startUpstash({ redisPort: redis.port, token: "token" });
      const client = createClient({ url: `redis://127.0.0.1:${redis.port}` });
      // It is told that its server went away; that is what this is about.
      client.on("error", () => {});
      await client.connect();
      const stack = await startTestStack({ functions: false });
      try {
        const call = frontdoor({
          ...depsFrom(testSettings({
            SUPABASE_URL: stack.url,
            SUPABASE_SECRET_KEYS: JSON.stringify({ default: LOCAL_SECRET_KEY }),
            PUBLIC_FUNCTIONS_URL: PUBLIC_URL,
            UPSTASH_REDIS_REST_URL: upstash.url,
            UPSTASH_REDIS_REST_TOKEN: "token",
            LOG_LEVEL: "error",
          })),
          log: () => {},
        });
        await breakIt(redis, client);

        const CallSid = newCallSid();
        const started = performance.now();
        const answer = await withBackground(() =>
          twiml(call, signedRequest("voice-frontdoor", { ...incomingCall, CallSid }))
        );
        assert(performance.now() - started < 6000);
        assertEquals(answer.verbs.some(({ name }) => name === "Gather"), true);
        const [row] = await stack.db
          .sql`select rate_limited from call_logs where call_sid = ${CallSid}`;
        assertEquals(row!.rate_limited, false);
        const told = await stack.db.sql`
          select severity from analytics_events where event_type = 'rate_limiter_unavailable'`;
        assertEquals(told.map(({ severity }) => severity), ["warning"]);
      } finally {
        client.destroy();
        await upstash.stop();
        await redis.stop().catch(() => {});
        await stack.stop();
      }
    },
  });
}
