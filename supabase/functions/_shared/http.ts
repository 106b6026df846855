import { HttpError, invalid } from "./errors.ts";
import { RELEASE } from "./release.ts";

/** Answers a request; never rejects. */
export type Handler = (request: Request) => Promise<Response>;

/** The headers of every answer: no sniffing of types, no frames, no referrer, HTTPS only. */
export const SECURITY_HEADERS = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "no-referrer",
  "strict-transport-security": "max-age=63072000",
  "x-content-type-options": "nosniff",
} as const;

// Limits of what is read before the sender is verified. Twilio's bodies are below 20 KiB and have fewer than 100
// parameters. Each limit stops a small body that would be expensive: see tests/bench/strangers.ts.
const MAX_BODY_BYTES = 64 * 1024;
const MAX_PARAMETERS = 200;
/** The least average size of a body's chunks, in bytes. */
const MIN_CHUNK_BYTES = 256;

export function json(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): Response {
  return Response.json(body, {
    status,
    headers: {
      ...SECURITY_HEADERS,
      "cache-control": "no-store",
      // Public: an opaque name that only the deploy can interpret.
      "x-release": RELEASE,
      ...headers,
    },
  });
}

/**
 * A CSV file that is sent page by page, as it is read.
 *
 * @param pages Texts with whole lines, one or more.
 */
export async function csvFile(name: string, pages: AsyncIterator<string>): Promise<Response> {
  // A fault of the first page still has a status.
  const first = await pages.next();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start: (stream) => stream.enqueue(encoder.encode(first.value)),
    async pull(stream) {
      // An error breaks the download off, so that nobody takes a part for the whole.
      const { done, value } = await pages.next();
      if (done) stream.close();
      else stream.enqueue(encoder.encode(value));
    },
  });
  return new Response(body, {
    headers: {
      ...SECURITY_HEADERS,
      "cache-control": "no-store",
      "content-type": "text/csv; charset=utf-8",
      "content-disposition": `attachment; filename="${name}"`,
    },
  });
}

/** The one place where an error of the request becomes an answer. */
export function errorResponse(error: HttpError): Response {
  return json(error.status, { error: error.code, ...error.detail }, error.headers);
}

/** @throws {HttpError} 405 with `Allow`. */
export function requireMethod(request: Request, ...allowed: string[]): void {
  if (!allowed.includes(request.method)) {
    throw new HttpError(405, "method_not_allowed", { allow: allowed.join(", ") });
  }
}

/**
 * Checks the headers of a form that Twilio posts, without reading the body.
 *
 * @throws {HttpError} 415 for another content type, 413 for more than `MAX_BODY_BYTES`.
 */
export function requireForm(request: Request): void {
  const type = request.headers.get("content-type");
  // A request without a body may have no type.
  if (
    type !== null &&
    type.split(";")[0]!.trim().toLowerCase() !== "application/x-www-form-urlencoded"
  ) {
    throw new HttpError(415, "unsupported_media_type", {
      accept: "application/x-www-form-urlencoded",
    });
  }
  requireSize(request);
}

function requireSize(request: Request, most = MAX_BODY_BYTES): void {
  if (Number(request.headers.get("content-length") ?? 0) > most) throw tooLarge();
}

/**
 * Reads a form that Twilio posts: each parameter is a string, or an array when it is repeated.
 *
 * @throws {HttpError} 415 for another content type, 413 for more than `MAX_BODY_BYTES` or `MAX_PARAMETERS`,
 * 400 where it breaks off.
 */
export async function readForm(request: Request): Promise<Record<string, string | string[]>> {
  requireForm(request);
  const text = await readText(request);
  // Counted before it is parsed: parsing 30,000 parameters takes longer than answering a call.
  if (text.split("&", MAX_PARAMETERS + 1).length > MAX_PARAMETERS) throw tooLarge();
  const params = new Map<string, string | string[]>();
  for (const [name, value] of new URLSearchParams(text)) {
    const before = params.get(name);
    if (before === undefined) params.set(name, value);
    else if (typeof before === "string") params.set(name, [before, value]);
    else before.push(value);
  }
  return Object.fromEntries(params);
}

/**
 * Reads any JSON body.
 *
 * @throws {HttpError} 400 for anything but JSON, and as `readJsonText`.
 */
export async function readJson(request: Request): Promise<unknown> {
  const text = await readJsonText(request);
  try {
    return JSON.parse(text);
  } catch {
    throw invalid([{ field: "body", message: "must be JSON" }]);
  }
}

/**
 * The text of a body whose content type is JSON.
 *
 * @param most The maximum in bytes.
 * @throws {HttpError} 415 for another content type, 413 for more than `most`, 400 where it breaks off.
 */
export async function readJsonText(request: Request, most?: number): Promise<string> {
  return await readTextOf("application/json", request, most);
}

/** The text of a body of another content type; otherwise as `readJsonText`. */
export async function readTextOf(
  accepted: string,
  request: Request,
  most = MAX_BODY_BYTES,
): Promise<string> {
  const [type = ""] = (request.headers.get("content-type") ?? "").split(";");
  if (type.trim().toLowerCase() !== accepted) {
    throw new HttpError(415, "unsupported_media_type", { accept: accepted });
  }
  return await readText(request, most);
}

async function readText(request: Request, most = MAX_BODY_BYTES): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunksOf(request, most)) {
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/**
 * The bytes of a body, whatever its content type.
 *
 * @param most The maximum in bytes.
 * @throws {HttpError} 413 for more than `most`, 400 where it breaks off.
 */
export async function readBytes(request: Request, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of chunksOf(request, most)) chunks.push(chunk);
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

async function* chunksOf(request: Request, most: number) {
  requireSize(request, most);
  if (request.body === null) return;
  let bytes = 0;
  let chunks = 0;
  try {
    // A body may be longer than its `Content-Length`, or have none.
    for await (const chunk of request.body) {
      bytes += chunk.byteLength;
      if (bytes > most || ++chunks > most / MIN_CHUNK_BYTES) throw tooLarge();
      yield chunk;
    }
  } catch (error) {
    // A body that breaks off is the sender's failure, and the sender is not verified yet.
    throw error instanceof HttpError ? error : new HttpError(400, "incomplete_body");
  }
}

function tooLarge(): HttpError {
  return new HttpError(413, "payload_too_large");
}

/**
 * The client's address, from the header that the platform's edge overwrites on every request. The first part of
 * `x-forwarded-for` is under the sender's control.
 */
export function clientAddress(headers: Headers): string | undefined {
  return headers.get("cf-connecting-ip") ?? undefined;
}
