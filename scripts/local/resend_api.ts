import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createEmulator } from "emulate";
import { refused } from "./serve.ts";

/** The stand-in for Resend: takes mails by Resend's own API and shows them; nothing leaves this machine. */
export interface Mailbox {
  /** Without a trailing slash: `/emails` lists what was sent as JSON, `/inbox` as a page. */
  readonly url: string;
  /** The settings by which the functions send to it. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/**
 * Serves the `emulate` package's Resend on 127.0.0.1: idempotency keys of 24 hours included, mails kept in memory.
 *
 * @param port 0: any free one.
 */
export async function startMailbox(port: number): Promise<Mailbox> {
  const emulator = await guarded(() =>
    createEmulator({ service: "resend", port, hostname: "127.0.0.1" })
  );
  const url = emulator.url.replace("localhost", "127.0.0.1");
  return {
    url,
    env: {
      RESEND_API_KEY: "re_local",
      RESEND_BASE_URL: url,
      FROM_EMAIL: "TradeLine <hotline@example.com>",
      NOTIFY_TO: "operator@example.com",
    },
    close: () => emulator.close(),
  };
}

/**
 * Puts the check of every local server in front of the one that a package starts, which lets any page read the mails and
 * does not hand its server out.
 */
async function guarded<T>(start: () => Promise<T>): Promise<T> {
  const prototype = Object.getPrototypeOf(createServer()) as Server;
  const { listen } = prototype;
  prototype.listen = function (this: Server, ...args: unknown[]) {
    const handlers = this.listeners("request");
    this.removeAllListeners("request");
    this.on("request", (request: IncomingMessage, response: ServerResponse) => {
      const { host = "", origin } = request.headers;
      const headers = { host, ...(origin !== undefined && { origin }) };
      const foreign = refused(new Request("http://127.0.0.1/", { headers }));
      if (foreign === undefined) {
        for (const handle of handlers) handle.call(this, request, response);
      } else {
        response.writeHead(foreign.status).end();
      }
    });
    return Reflect.apply(listen, this, args);
  } as Server["listen"];
  try {
    return await start();
  } finally {
    prototype.listen = listen;
  }
}
