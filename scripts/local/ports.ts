/** Below the ephemeral ports, which systems assign to connections and to port 0 (RFC 6335, section 6). */
const LOWEST = 20_000;
const HIGHEST = 32_000;

/** A free port of 127.0.0.1 outside the ephemeral range, so that the system does not assign it meanwhile. */
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
