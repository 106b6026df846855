import type { VoicemailRecordingUrl } from "../_shared/db/voicemail.ts";
import { endpoint } from "../_shared/endpoint.ts";
import { HttpError, ServiceError } from "../_shared/errors.ts";
import { type Handler, requireMethod, SECURITY_HEADERS } from "../_shared/http.ts";
import type { Log } from "../_shared/log.ts";
import { checkRecordingLink } from "../_shared/mail/recording_link.ts";
import { requireOperator } from "../_shared/operator.ts";
import type { Settings } from "../_shared/settings.ts";

export interface AudioDeps {
  readonly settings: Settings;
  readonly recordingUrl: VoicemailRecordingUrl;
  readonly fetch: typeof fetch;
  readonly log: Log;
  readonly now: () => Date;
}

/** Until Twilio's answer begins, in milliseconds. */
const DEADLINE_MS = 10_000;
/** What is passed on of Twilio's answer; its other headers are none of the listener's business. */
const PASSED_ON = ["content-length", "content-range", "accept-ranges", "etag", "last-modified"];

/**
 * Plays a voicemail to whoever holds a link that we made (see `mail/recording_link.ts`), or a secret key: fetches
 * it from Twilio with the account's credentials, which stay here.
 */
export function createHandler(deps: AudioDeps): Handler {
  return endpoint("voicemail-audio", { log: deps.log, retryAfterSec: 10 }, async (request) => {
    requireMethod(request, "GET", "HEAD");
    const query = new URL(request.url).searchParams;
    authorize(request, query, deps);
    const url = await deps.recordingUrl(query.get("call") ?? "", query.get("recording") ?? "");
    if (url === null) throw new HttpError(404, "not_found");
    return await play(request, url, deps);
  });
}

/** @throws {HttpError} 401, or 410 for a link of ours that has expired. */
function authorize(request: Request, query: URLSearchParams, { settings, now }: AudioDeps): void {
  const link = checkRecordingLink(settings.secretKeys, query, now());
  if (link === "valid") return;
  if (link === "expired") throw new HttpError(410, "expired");
  requireOperator(request, settings.secretKeys);
}

async function play(
  request: Request,
  recordingUrl: string,
  { settings, fetch, log }: AudioDeps,
): Promise<Response> {
  const url = mediaUrl(recordingUrl, settings.twilioApiUrl);
  // The row came from a signed webhook; still, our credentials go to Twilio and nowhere else.
  if (url === undefined) {
    log("error", { function: "voicemail-audio", reason: "the recording is not at Twilio" });
    throw new HttpError(404, "not_found");
  }
  const account = settings.twilioAccountSid ?? /\/Accounts\/(AC\w+)\//.exec(url.pathname)?.[1];
  const range = request.headers.get("range");
  // Ends the wait for an answer, not the answer: a listener may pause for as long as the platform lets him.
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new DOMException("", "TimeoutError")), DEADLINE_MS);
  const ask = (address: URL, headers: Record<string, string>) =>
    fetch(address, {
      method: request.method,
      headers: {
        ...headers,
        ...(range !== null && /^bytes=\d*-\d*$/.test(range) && { range }),
      },
      redirect: "manual",
      signal: late.signal,
    });
  let media: Response;
  try {
    const credentials = btoa(`${account}:${settings.twilioAuthToken}`);
    media = await ask(url, { authorization: `Basic ${credentials}` });
    const elsewhere = whereItIs(media);
    if (elsewhere !== undefined) {
      await media.body?.cancel();
      media = await ask(elsewhere, {});
    }
  } catch (error) {
    throw new ServiceError("unknown", `Twilio did not answer: ${(error as Error).name}`);
  } finally {
    clearTimeout(timer);
  }
  const type = media.headers.get("content-type") ?? "";
  const playable = (media.status === 200 || media.status === 206) && type.startsWith("audio/");
  if (!playable && media.status !== 416) {
    await media.body?.cancel();
    if (media.status === 404 || media.status === 410) throw new HttpError(404, "not_found");
    log("error", { function: "voicemail-audio", reason: `Twilio answered ${media.status}` });
    throw new HttpError(502, "recording_unavailable");
  }
  const headers = new Headers({
    ...SECURITY_HEADERS,
    // A browser shows it in a page of its own, which then plays this address.
    "content-security-policy": "default-src 'none'; media-src 'self'; frame-ancestors 'none'",
    "cache-control": "private, no-store",
    "content-disposition": 'inline; filename="voicemail.mp3"',
  });
  for (const name of PASSED_ON) {
    const value = media.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  if (!playable) {
    await media.body?.cancel();
    headers.delete("content-length");
    return new Response(null, { status: 416, headers });
  }
  headers.set("content-type", type);
  return new Response(media.body, { status: media.status, headers });
}

/**
 * Where Twilio sends for the audio: whether it does, instead of answering by itself, is not documented. It is asked there
 * by HTTPS, once, and without the credentials, which are Twilio's only.
 */
function whereItIs({ status, headers }: Response): URL | undefined {
  const location = headers.get("location") ?? "";
  if (![301, 302, 303, 307, 308].includes(status) || !URL.canParse(location)) return undefined;
  const url = new URL(location);
  return url.protocol === "https:" ? url : undefined;
}

/**
 * The recording as MP3, which every browser plays, at Twilio's API as it is set; `undefined` where the recording is
 * anywhere else.
 */
function mediaUrl(recordingUrl: string, apiUrl: string): URL | undefined {
  const url = URL.canParse(recordingUrl) ? new URL(recordingUrl) : undefined;
  const at = [new URL(apiUrl).origin, "https://api.twilio.com"];
  if (url === undefined || !at.includes(url.origin) || url.username || url.password) {
    return undefined;
  }
  const path =
    /^\/2010-04-01\/Accounts\/AC[0-9a-fA-F]{32}\/Recordings\/RE[0-9a-fA-F]{32}(?=$|\.\w+$)/
      .exec(url.pathname)?.[0];
  return path === undefined ? undefined : new URL(`${apiUrl}${path}.mp3`);
}
