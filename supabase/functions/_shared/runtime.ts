// The platform's services: environment, clock and background work. The rest of `_shared` uses them through this file.

/** Supabase's additions to plain Deno. */
interface EdgeRuntime {
  waitUntil(work: Promise<unknown>): void;
}

/** One variable of the environment; `readSettings` asks for each. */
export const environment = (name: string): string | undefined => Deno.env.get(name);

/** The time of day. */
export const clock = (): Date => new Date();

/** Waits for so many milliseconds. */
export type Delay = (ms: number) => Promise<unknown>;

export const delay: Delay = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * Continues `work` after the answer. The hosted platform keeps the isolate until the work is done, within the wall-clock
 * limit of the project's plan. Errors are dropped: the work must report its own.
 */
export function inBackground(work: Promise<unknown>): void {
  const settled = work.catch(() => {});
  (globalThis as { EdgeRuntime?: EdgeRuntime }).EdgeRuntime?.waitUntil(settled);
}
