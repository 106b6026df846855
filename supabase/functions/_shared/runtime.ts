/** What the platform gives to functions beside plain Deno. */
interface EdgeRuntime {
  waitUntil(work: Promise<unknown>): void;
}

/**
 * Goes on with `work` after the answer. The hosted platform keeps the isolate until the work is done, within the
 * wall-clock limit of the project's plan; in plain Deno the process lives on anyway. Errors are dropped: the work
 * reports its own.
 */
export function inBackground(work: Promise<unknown>): void {
  const settled = work.catch(() => {});
  (globalThis as { EdgeRuntime?: EdgeRuntime }).EdgeRuntime?.waitUntil(settled);
}
