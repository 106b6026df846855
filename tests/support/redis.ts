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

/** Has the clock of this process stand at `time` (milliseconds) while `work` runs. Timers go on. */
export async function at<T>(time: number, work: () => Promise<T>): Promise<T> {
  const now = Date.now;
  Date.now = () => time;
  try {
    return await work();
  } finally {
    Date.now = now;
  }
}

/** The middle of a fixed minute: what happens at once there happens in one window. */
export const MID_WINDOW: number = Math.floor(Date.now() / 60_000) * 60_000 + 30_000;
