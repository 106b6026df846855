// Every local server, with one check of the requester, because web pages that a developer visits can reach 127.0.0.1.

/** A server on 127.0.0.1. */
export interface Server {
  /** Without a trailing slash. */
  readonly url: string;
  /** Takes no more connections; resolves when the last request is answered or has had its time. */
  drain(): Promise<void>;
}

export interface Admission {
  /** Additional host names that are accepted, such as a tunnel's. */
  readonly hosts?: readonly string[];
  /** Whether a page of another site may send this. Default: never. */
  readonly mayAsk?: (request: Request, origin: string) => boolean;
}

/** How long the last requests may take when stopping, in milliseconds. */
const DRAIN = 3_000;

/**
 * Serves on 127.0.0.1 what this machine's programs and the server's own pages ask; others get 403.
 *
 * @param port 0: any free one.
 */
export function serve(
  port: number,
  log: (line: string) => void,
  handler: Deno.ServeHandler<Deno.NetAddr>,
  admission: Admission = {},
): Server {
  const abort = new AbortController();
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port,
    signal: abort.signal,
    onListen: () => {},
    onError(error) {
      log(`A request failed: ${error instanceof Error ? error.message : error}`);
      return Response.json({ error: "internal" }, { status: 500 });
    },
  }, (request, info) => refused(request, admission) ?? handler(request, info));
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    async drain() {
      const timer = setTimeout(() => abort.abort(), DRAIN);
      await Promise.all([server.shutdown(), server.finished]);
      clearTimeout(timer);
    },
  };
}

/** Whether a `Host` is this machine's own name for itself. */
export function isLoopback(host: string): boolean {
  return /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/i.test(host);
}

/**
 * The answer to a refused request. With DNS rebinding a foreign name comes as `Host`; a page of another site comes with
 * that site as `Origin`; programs that are not browsers send no `Origin`.
 */
export function refused(
  request: Request,
  { hosts = [], mayAsk }: Admission = {},
): Response | undefined {
  const host = request.headers.get("host") ?? "";
  const origin = request.headers.get("origin");
  if (!isLoopback(host) && !hosts.includes(host)) {
    return forbidden("Ask as 127.0.0.1 or localhost, or by the name in PUBLIC_FUNCTIONS_URL");
  }
  if (origin === null || origin === `http://${host}` || mayAsk?.(request, origin)) return undefined;
  return forbidden("Pages of other sites are refused");
}

function forbidden(message: string): Response {
  return Response.json({ error: "forbidden", message }, { status: 403 });
}
