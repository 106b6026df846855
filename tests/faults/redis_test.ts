import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { createClient } from "@redis/client";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { startRedis, startUpstash } from "../../scripts/local/upstash.ts";
import { analyticsEvents } from "../../supabase/functions/_shared/db/analytics_events.ts";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import { voiceEvents } from "../../supabase/functions/_shared/db/voice_events.ts";
import { depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { limitedBy } from "../../supabase/functions/_shared/limits/limited_accept.ts";
import { upstashLimiter } from "../../supabase/functions/_shared/limits/upstash.ts";
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

// A real Redis that is stopped, frozen or full, under the front door, the only step that asks it: PostgreSQL decides,
// which has counted all along. The caller waits less than 6 s, and no flood is let in.

interface Client {
  sendCommand(args: string[]): Promise<unknown>;
}

const FAULTS: Record<
  string,
  (redis: { stop(): Promise<void> }, client: Client) => Promise<unknown>
> = {
  "stopped": (redis) => redis.stop(),
  // For longer than this test lasts.
  "frozen": (_, client) => client.sendCommand(["CLIENT", "PAUSE", "600000", "ALL"]),
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
    name:
      `Redis ${fault} in the middle of a flood: the first ten are let in and no other, all are kept${
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
        const settings = testSettings({
          SUPABASE_URL: stack.url,
          SUPABASE_SECRET_KEYS: JSON.stringify({ default: LOCAL_SECRET_KEY }),
          PUBLIC_FUNCTIONS_URL: PUBLIC_URL,
        });
        const api = dataApi(stack.url, LOCAL_SECRET_KEY);
        const accept = limitedBy(
          upstashLimiter(upstash.url, "token"),
          // Patient: a busy machine may take its time over a flood.
          voiceEvents(api, 30_000),
          { backend: "upstash", log: () => {}, report: analyticsEvents(api) },
        );
        const call = frontdoor({ ...depsFrom(settings), accept, log: () => {} });
        const ring = async (From: string) => {
          const form = { ...incomingCall, CallSid: newCallSid(), From };
          const { verbs } = await twiml(call, signedRequest("voice-frontdoor", form));
          return verbs.some(({ name }) => name === "Gather");
        };
        const ringAtOnce = async (From: string, count: number) =>
          (await Promise.all(Array.from({ length: count }, () => ring(From)))).filter(Boolean)
            .length;
        const kept = async (From: string) => {
          const [row] = await stack.db.sql`
            select count(*)::int as calls, count(*) filter (where not rate_limited)::int as let_in
            from call_logs where from_e164 = ${From}`;
          return { ...row };
        };

        await withBackground(async () => {
          const [robot, other] = ["+14165550101", "+14165550102"];
          assertEquals(await ringAtOnce(robot, 4), 4);
          // Broken while the calls are under way.
          const [, letIn] = await Promise.all([breakIt(redis, client), ringAtOnce(robot, 60)]);
          assertEquals(letIn, 6);
          assertEquals(await kept(robot), { calls: 64, let_in: 10 });

          const started = performance.now();
          assertEquals(await ring(other), true);
          // As long as Twilio waits.
          assert(performance.now() - started < 15_000);
          assertEquals(await ringAtOnce(other, 20), 9);
        });
        const told = await stack.db.sql`
          select distinct severity from analytics_events where event_type = 'rate_limiter_unavailable'`;
        // A full Redis may go on counting: a script is not stopped once it has written.
        if (fault !== "out of memory") {
          assertEquals(told.map(({ severity }) => severity), ["warning"]);
        }
      } finally {
        client.destroy();
        // First, so that no request waits for a frozen one.
        await redis.stop().catch(() => {});
        await upstash.stop();
        await stack.stop();
      }
    },
  });
}
