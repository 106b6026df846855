import type { Call } from "./call.ts";
import type { DocumentRequest } from "./interruption.ts";
import { parseTwiml, TwimlError, type Verb } from "./twiml.ts";

/** TwiML, and the address that relative ones in it are meant from. */
export interface Document {
  readonly url: string;
  readonly verbs: readonly Verb[];
}

/**
 * Asks for a document and reads it.
 *
 * @param allowed The only verbs that it may hold, where not all are carried out.
 * @throws {TwimlError} 11100 no URL, 11205 no answer, 11200 no 2xx, or what `parseTwiml` finds.
 */
export async function fetchDocument(
  call: Call,
  request: DocumentRequest,
  allowed?: ReadonlySet<string>,
): Promise<Document> {
  const { url } = request;
  if (!isHttpUrl(url)) throw new TwimlError(11100, `"${url}" is not a URL`);
  const { status, failure, twiml, headers, url: asked } = await call.request(request);
  if (status === 0) throw new TwimlError(11205, failure ?? "");
  if (twiml === undefined) throw new TwimlError(11200, `Got HTTP ${status} response to ${asked}`);
  return readDocument(call, url, twiml, headers["content-type"] ?? null, allowed);
}

/** @throws {TwimlError} as `parseTwiml`; 12200 for a verb that is not allowed. */
export function readDocument(
  call: Call,
  url: string,
  twiml: string,
  contentType: string | null,
  allowed?: ReadonlySet<string>,
): Document {
  const { verbs, warnings } = parseTwiml(twiml, contentType);
  for (const message of warnings) call.happens({ kind: "warning", code: 12200, message });
  const foreign = verbs.find(({ verb }) => allowed?.has(verb) === false);
  if (foreign) throw new TwimlError(12200, `Cannot carry out <${foreign.verb}> here`);
  return { url, verbs };
}

function isHttpUrl(url: string): boolean {
  return URL.canParse(url) && ["http:", "https:"].includes(new URL(url).protocol);
}
