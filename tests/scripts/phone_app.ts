import { Simulator, type SimulatorOptions } from "../../scripts/phone/mod.ts";

export const TOKEN = "12345";

export interface Received {
  readonly path: string;
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly params: Record<string, string>;
}

/** Verbs to answer with, or a whole response; a function sees the request and how many came before. */
type Answer = string | ((request: Received, nth: number) => string | Response | Promise<Response>);

/** A small app on loopback. Paths that are not listed are callbacks: 204. */
export class App implements AsyncDisposable {
  readonly requests: Received[] = [];
  readonly base: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(answers: Record<string, Answer>) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        const url = new URL(request.url);
        const body = await request.text();
        const received: Received = {
          path: url.pathname,
          url: request.url,
          method: request.method,
          headers: request.headers,
          params: Object.fromEntries(
            new URLSearchParams(request.method === "GET" ? url.search : body),
          ),
        };
        const nth = this.to(url.pathname).length;
        this.requests.push(received);
        const answer = answers[url.pathname];
        if (answer === undefined) return new Response(null, { status: 204 });
        const given = typeof answer === "string" ? answer : await answer(received, nth);
        return typeof given === "string" ? twiml(given) : given;
      },
    );
    this.base = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  to(path: string): Received[] {
    return this.requests.filter((request) => request.path === path);
  }

  /** A simulator for `/voice` and `/status` of this app. */
  simulator(options: Partial<SimulatorOptions> = {}): Simulator {
    return new Simulator({
      voiceUrl: `${this.base}/voice`,
      statusCallback: `${this.base}/status`,
      authToken: TOKEN,
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

export function twiml(verbs: string, headers: Record<string, string> = {}): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?><Response>${verbs}</Response>`, {
    headers: { "content-type": "text/xml; charset=utf-8", ...headers },
  });
}
