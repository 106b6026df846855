import { Redis } from "@upstash/redis";
import { type LocalUpstash, startLocalUpstash } from "../../scripts/local/upstash.ts";

/**
 * Upstash's protocol over a Redis of this file's own, both ended after its last test; `undefined`
 * where redis-server is not installed.
 */
export const upstash: LocalUpstash | undefined = await startLocalUpstash();

Deno.test.afterAll(async () => {
  await upstash?.stop();
});

/** A test that needs Redis. Without one it is reported as ignored, and its name says why. */
export function redisTest(
  name: string,
  test: (upstash: LocalUpstash) => Promise<void>,
): void {
  if (upstash === undefined) {
    Deno.test({
      name: `${name} (needs redis-server, which is not installed)`,
      ignore: true,
      fn: () => {},
    });
  } else {
    Deno.test(name, () => test(upstash));
  }
}

/** Lets so much time pass for every call that Redis has counted. */
export async function later({ env }: LocalUpstash, seconds: number): Promise<void> {
  const redis = new Redis({
    url: env.UPSTASH_REDIS_REST_URL,
    token: env.UPSTASH_REDIS_REST_TOKEN,
    enableTelemetry: false,
    enableAutoPipelining: false,
  });
  const script = `for _, key in ipairs(redis.call('KEYS', 'tradeline:calls:*')) do
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      redis.call('ZINCRBY', key, -ARGV[1] * 1000000, member)
    end
  end`;
  await redis.eval(script, [], [seconds]);
}
