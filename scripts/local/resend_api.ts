import { createEmulator } from "emulate";

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
  const emulator = await createEmulator({ service: "resend", port, hostname: "127.0.0.1" });
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
