/** Waits for what the functions left to the background, as the hosted runtime does. */
export async function withBackground<T>(work: () => Promise<T>): Promise<T> {
  const left: Promise<unknown>[] = [];
  const holder = globalThis as { EdgeRuntime?: unknown };
  holder.EdgeRuntime = { waitUntil: (promise: Promise<unknown>) => left.push(promise) };
  try {
    const result = await work();
    await Promise.all(left);
    return result;
  } finally {
    delete holder.EdgeRuntime;
  }
}
