interface EdgeRuntime {
  waitUntil(work: Promise<unknown>): void;
}

/**
 * Goes on with `work` after the answer: the platform keeps the isolate until it is done; elsewhere
 * the process lives on anyway. Its failure is nobody's, so whoever has something to do then does
 * it before.
 */
export function inBackground(work: Promise<unknown>): void {
  const settled = work.catch(() => {});
  (globalThis as { EdgeRuntime?: EdgeRuntime }).EdgeRuntime?.waitUntil(settled);
}
