// What the tests of e-mail share: a Resend that fails as told, and a front that names each visitor's address.

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { freePort } from "../../scripts/local/ports.ts";
import { startMailbox } from "../../scripts/local/resend_api.ts";
import { LOCAL_SECRET_KEY, serve, withLocalDefaults } from "../../scripts/local/stack.ts";
import { formatLogLine, type Log } from "../../supabase/functions/_shared/log.ts";
import type { SendMail } from "../../supabase/functions/_shared/mail/mail.ts";
import { resendMailer } from "../../supabase/functions/_shared/mail/resend.ts";
import { readSettings, type Settings } from "../../supabase/functions/_shared/settings.ts";
import { liveDeps as contactDeps } from "../../supabase/functions/contact-submit/deps.ts";
import { createHandler as contactSubmit } from "../../supabase/functions/contact-submit/handler.ts";
import { liveDeps as workerDeps } from "../../supabase/functions/notify-worker/deps.ts";
import {
  createHandler as notifyWorker,
  type WorkerDeps,
} from "../../supabase/functions/notify-worker/handler.ts";
import { startTestStack, type TestStack } from "./database.ts";

/** How a request fails: before Resend takes the mail, or after it did. */
export type Fault =
  | { readonly kind: "error" | "hang" | "reset"; readonly taken: boolean }
  | {
    readonly kind: "answer";
    readonly status: number;
    readonly body: unknown;
    readonly headers?: Record<string, string>;
  };

/** A mail that Resend took. */
export interface SentMail {
  readonly id: string;
  readonly from: string;
  readonly to: string[];
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly reply_to: string[];
  readonly headers: Record<string, string>;
}

export interface FaultyResend {
  readonly url: string;
  /** Decides on each request by its idempotency key and how often that key came; `undefined`: all is well. */
  fault: (key: string, time: number) => Fault | undefined;
  /** Called with the key of a request that is never answered. */
  hung: (key: string) => void;
  /** The keys of the requests so far. */
  readonly requests: string[];
  /** What was taken, once each. */
  mails(): Promise<SentMail[]>;
  stop(): Promise<void>;
}

/** The `emulate` package's Resend, behind a front that fails as told. */
async function startResend(): Promise<FaultyResend> {
  // A port of its own choice is one that the hosted runtime does not tell at once.
  const mailbox = await startMailbox(freePort());
  const times = new Map<string, number>();
  const pass = async (request: IncomingMessage) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const response = await fetch(`${mailbox.url}${request.url}`, {
      method: request.method,
      headers: {
        authorization: request.headers.authorization ?? "",
        "content-type": "application/json",
        "idempotency-key": String(request.headers["idempotency-key"]),
      },
      body: await new Blob(chunks as BlobPart[]).text(),
    });
    return { status: response.status, body: await response.text() };
  };
  const answer = (
    response: ServerResponse,
    status: number,
    body: string,
    headers: Record<string, string> = {},
  ) => response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);

  const serveMail = async (request: IncomingMessage, response: ServerResponse) => {
    const key = String(request.headers["idempotency-key"]);
    const time = (times.get(key) ?? 0) + 1;
    times.set(key, time);
    resend.requests.push(key);
    const fault = resend.fault(key, time);
    if (fault?.kind === "answer") {
      return void answer(response, fault.status, JSON.stringify(fault.body), fault.headers);
    }
    const taken = fault === undefined || fault.taken ? await pass(request) : undefined;
    if (fault === undefined) return void answer(response, taken!.status, taken!.body);
    if (fault.kind === "reset") return void request.socket.destroy();
    if (fault.kind === "error") return void answer(response, 500, "Internal Server Error");
    resend.hung(key);
  };
  const server = createServer((request, response) => {
    // A client that ends its request while it is read ends only that.
    serveMail(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  const resend: FaultyResend = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fault: () => undefined,
    hung: () => {},
    requests: [],
    async mails() {
      const response = await fetch(`${mailbox.url}/emails`, {
        headers: { authorization: "Bearer re_test" },
      });
      return (await response.json()).data;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await mailbox.close();
    },
  };
  return resend;
}

/** The website's and the worker's side of the system, on a database of its own. */
export interface MailSystem {
  readonly stack: TestStack;
  readonly resend: FaultyResend;
  readonly settings: Settings;
  /** Every line that was logged. */
  readonly logged: string[];
  /** Sends to contact-submit as a visitor with this address; `null`: nothing stands in front. */
  submit(body: unknown, options?: SubmitOptions): Promise<Response>;
  /** Gives a mail up when its request hangs; any other has all the time that a busy machine needs. */
  readonly impatient: SendMail;
  /** One run of notify-worker; its report. */
  work(changes?: Partial<WorkerDeps>): Promise<Record<string, unknown>>;
  /** Lets so much time pass for every job, leases and holds included, and for the hours that are counted. */
  later(interval: string): Promise<void>;
  stop(): Promise<void>;
}

export interface SubmitOptions {
  readonly address?: string | null;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  /** Sent as it is. */
  readonly raw?: string;
}

/** @param env Settings over those that send mails to the faulty Resend; `""`: not set. */
export async function startMailSystem(env: Record<string, string> = {}): Promise<MailSystem> {
  const resend = await startResend();
  const stack = await startTestStack({ functions: false });
  const variables = withLocalDefaults(
    {
      RESEND_API_KEY: "re_test",
      RESEND_BASE_URL: resend.url,
      FROM_EMAIL: "TradeLine <hotline@example.com>",
      NOTIFY_TO: "operator@example.com",
      // For tests of other things: what they send is not a flood.
      MAX_CONTACT_MESSAGES_PER_HOUR: "1000",
      MAX_MAILS_PER_HOUR: "10000",
      ...env,
    },
    stack.url,
    "",
  );
  const settings = readSettings((name) => variables[name]);
  const logged: string[] = [];
  const log: Log = (level, fields) => void logged.push(formatLogLine(new Date(), level, fields));
  const contact = contactSubmit({ ...contactDeps(settings), wake: () => {}, log });
  // The platform lets every page in: what one may do is the function's affair.
  const front = serve(0, (line) => logged.push(line), contact, { mayAsk: () => true });
  let visitors = 0;
  const waiting = new Map<string, AbortController>();
  resend.hung = (key) =>
    waiting.get(key)?.abort(new DOMException("Signal timed out.", "TimeoutError"));

  return {
    stack,
    resend,
    settings,
    logged,
    impatient: resendMailer("re_test", resend.url, (key) => {
      const given = new AbortController();
      waiting.set(key, given);
      return given.signal;
    }),
    submit(body, { address, method = "POST", headers, raw } = {}) {
      const from = address === undefined
        ? `10.${visitors >> 16}.${(visitors >> 8) & 255}.${visitors++ & 255}`
        : address;
      return fetch(front.url, {
        method,
        headers: {
          "content-type": "application/json",
          ...(from !== null && { "cf-connecting-ip": from }),
          ...headers,
        },
        body: method === "POST" ? raw ?? JSON.stringify(body) : null,
      });
    },
    async work(changes = {}) {
      const handler = notifyWorker({
        ...workerDeps(settings),
        send: resendMailer("re_test", resend.url),
        log,
        ...changes,
      });
      const response = await handler(
        new Request("http://localhost/notify-worker", {
          method: "POST",
          headers: { apikey: LOCAL_SECRET_KEY },
        }),
      );
      return { status: response.status, ...await response.json() };
    },
    async later(interval) {
      const { sql } = stack.db;
      await sql`
        update jobs set
          run_at = run_at - ${interval}::interval,
          attempted_at = attempted_at - ${interval}::interval,
          ended_at = ended_at - ${interval}::interval,
          uncertain_since = uncertain_since - ${interval}::interval`;
      await sql`update job_kinds set held_until = held_until - ${interval}::interval`;
      await sql`
        update rate_limit_windows set
          admitted_at = array(select t - ${interval}::interval from unnest(admitted_at) as t)`;
    },
    async stop() {
      await front.drain();
      await stack.stop();
      await resend.stop();
    },
  };
}

let people = 0;

/** A message that is fine, from somebody new. */
export function contactMessage(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const n = people++;
  return {
    name: `Visitor ${n}`,
    email: `visitor.${n}@example.com`,
    message: "Do you come to Red Deer?",
    ...changes,
  };
}
