import { assertEquals } from "@std/assert/equals.js";
import { LOCAL_SECRET_KEY, serve, withLocalDefaults } from "../../scripts/local/stack.ts";
import { addressOf, runFunction } from "./function_process.ts";

/** A step of a function outside: the nth request that it makes, before it arrives, or after its effect and before the answer. */
export interface Step {
  readonly nth: number;
  readonly phase: "before" | "after";
}

export interface KilledFunction {
  readonly name: string;
  /** Settings beside the local defaults; `outside` is where what is asked goes through. */
  readonly env: (outside: string) => Record<string, string>;
  /** Where the Data API is, and where everything else is. */
  readonly dataApi: string;
  readonly others: string;
}

/**
 * A run of a scheduled function in a process of its own, which is killed (SIGKILL) at a step.
 *
 * @returns the last part of the address of each request that it made.
 */
export async function runKilled(
  { name, env, dataApi, others }: KilledFunction,
  killAt?: Step,
): Promise<string[]> {
  const asked: string[] = [];
  const dead = Promise.withResolvers<never>();
  dead.promise.catch(() => {});
  const never = async () => {
    child.kill("SIGKILL");
    await child.status;
    dead.reject(new Error("killed"));
    return await dead.promise;
  };
  const front = serve(0, () => {}, async (request) => {
    const { pathname, search } = new URL(request.url);
    const nth = asked.push(pathname.split("/").at(-1)!);
    const body = request.method === "GET" ? undefined : await request.text();
    if (killAt?.nth === nth && killAt.phase === "before") return await never();
    const target = pathname.startsWith("/rest/") ? dataApi : others;
    const answer = await fetch(`${target}${pathname}${search}`, {
      method: request.method,
      headers: request.headers,
      ...(body !== undefined && { body }),
    });
    const copy = new Response(await answer.text() || null, answer);
    return killAt?.nth === nth && killAt.phase === "after" ? await never() : copy;
  }, { mayAsk: () => true });
  const settings = { METRICS_FLUSH_SECONDS: "0", ...env(front.url) };
  const child = runFunction(name, withLocalDefaults(settings, front.url, ""));
  try {
    const address = await addressOf(child);
    const response = await Promise.race([
      fetch(address, { method: "POST", headers: { apikey: LOCAL_SECRET_KEY } })
        .catch(() => undefined),
      dead.promise.catch(() => undefined),
    ]);
    await response?.body?.cancel();
    assertEquals(response === undefined, killAt !== undefined, "whether it was killed");
    return asked;
  } finally {
    // It may be dead already.
    try {
      child.kill("SIGKILL");
    } catch { /* It is. */ }
    await child.status;
    await front.drain();
  }
}

/** Each step of a run, before and after. */
export function stepsOf(asked: readonly string[]): Step[] {
  return asked.flatMap((_, at) => [
    { nth: at + 1, phase: "before" as const },
    { nth: at + 1, phase: "after" as const },
  ]);
}
