import { ServiceError } from "../../errors.ts";

/** An event of a stream longer than this is none of a model's, in characters. */
const MOST_EVENT = 1_000_000;

/**
 * The `data` of each server-sent event. Comments, which keep connections open, are left out.
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export async function* serverSentEvents(
  body: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): AsyncIterable<string> {
  let buffer = "";
  let data: string[] = [];
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      // deno-lint-ignore no-await-in-loop -- One chunk after the other.
      const { done, value } = await reader.read();
      if (done) return;
      buffer += value;
      // The end of a line is known once something follows a CR.
      for (
        let end = /\r\n|\n|\r(?=[^])/.exec(buffer);
        end;
        end = /\r\n|\n|\r(?=[^])/.exec(buffer)
      ) {
        const line = buffer.slice(0, end.index);
        buffer = buffer.slice(end.index + end[0].length);
        if (line === "") {
          signal?.throwIfAborted();
          if (data.length > 0) yield data.join("\n");
          data = [];
        } else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      }
      if (buffer.length > MOST_EVENT) throw new ServiceError("unknown", "An event has no end");
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/**
 * Posts a request that is answered by a stream.
 *
 * @throws {ServiceError}
 */
export async function postForEvents(
  url: string,
  headers: Record<string, string>,
  body: unknown,
  signal: AbortSignal,
): Promise<AsyncIterable<string>> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream", ...headers },
      body: JSON.stringify(body),
      // A key must go nowhere else.
      redirect: "error",
      signal,
    });
  } catch {
    throw new ServiceError("unknown", "The model's provider did not answer");
  }
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    const { status } = response;
    const isBusy = status === 408 || status === 409 || status === 429 || status >= 500;
    throw new ServiceError(
      isBusy ? "busy" : "refused",
      `The model's provider answered ${status}`,
      String(status),
    );
  }
  return serverSentEvents(response.body, signal);
}

/** A stream that ended before the answer did. */
export function cutOff(): ServiceError {
  return new ServiceError("unknown", "The model's answer ended in the middle");
}
