// The load generator: HTTP/1.1 on bare sockets, one request at a time on each, made up before the clock
// runs. It shares the processors with what it measures, so it has to cost next to nothing; `fetch` does not.

/** The bytes of a POST request. */
export function requestBytes(
  path: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const content = encoder.encode(body);
  const lines = [
    `POST ${path} HTTP/1.1`,
    "host: 127.0.0.1",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${content.length}`,
  ];
  const head = encoder.encode(`${lines.join("\r\n")}\r\n\r\n`);
  const bytes = new Uint8Array(head.length + content.length);
  bytes.set(head);
  bytes.set(content, head.length);
  return bytes;
}

/** One connection that is kept. */
export class Client {
  readonly #connection: Deno.TcpConn;
  readonly #buffer = new Uint8Array(65_536);
  readonly #decoder = new TextDecoder();

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<Client> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    return new Client(connection);
  }

  /** @returns the status, once the whole answer is there. */
  async send(request: Uint8Array<ArrayBuffer>): Promise<number> {
    for (let sent = 0; sent < request.length;) {
      // deno-lint-ignore no-await-in-loop -- The rest follows what was taken.
      sent += await this.#connection.write(request.subarray(sent));
    }
    let text = "";
    while (true) {
      // deno-lint-ignore no-await-in-loop -- It reads on.
      const read = await this.#connection.read(this.#buffer);
      if (read === null) throw new Error("Cannot read an answer: the connection was closed");
      text += this.#decoder.decode(this.#buffer.subarray(0, read), { stream: true });
      const end = text.indexOf("\r\n\r\n");
      if (end === -1) continue;
      const head = text.slice(0, end).toLowerCase();
      const status = Number(head.slice(9, 12));
      const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
      const complete = length !== undefined
        ? new TextEncoder().encode(text.slice(end + 4)).length >= Number(length)
        : head.includes("transfer-encoding: chunked")
        ? text.endsWith("0\r\n\r\n")
        : true;
      if (complete) return status;
    }
  }

  close(): void {
    this.#connection.close();
  }
}
