/** Below the ports that systems hand out by themselves, to whoever connects or listens at port 0 (RFC 6335, section 6). */
const LOWEST = 20_000;
const HIGHEST = 32_000;

/** A port of 127.0.0.1 at which nobody listens now, and that the system gives to nobody else meanwhile. */
export function freePort(): number {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
