// A Data API on a port of its own, for what a recording fake of `accept` cannot show: the wire.

import { freePort } from "../../scripts/local/ports.ts";

/** One call of a SQL function, as it came over HTTP. */
export interface RpcCall {
  readonly name: string;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface FakeDataApi extends AsyncDisposable {
  readonly url: string;
  readonly calls: readonly RpcCall[];
}

/** Serves `/rest/v1/rpc/<name>`; `answer` says what each call gets. */
export function fakeDataApi(answer: (call: RpcCall) => Response | Promise<Response>): FakeDataApi {
  const calls: RpcCall[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const text = await request.text();
      const call = {
        name: new URL(request.url).pathname.replace("/rest/v1/rpc/", ""),
        headers: request.headers,
        body: text === "" ? undefined : JSON.parse(text),
      };
      calls.push(call);
      return await answer(call);
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    calls,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** An address at which nobody listens. */
export function closedPort(): string {
  return `http://127.0.0.1:${freePort()}`;
}
