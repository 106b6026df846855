import type { RecordingUrl } from "../_shared/db/voicemail.ts";
import { endpoint } from "../_shared/endpoint.ts";
import { HttpError, ServiceError } from "../_shared/errors.ts";
import { type Handler, requireMethod, SECURITY_HEADERS } from "../_shared/http.ts";
import type { Log } from "../_shared/log.ts";
import { checkRecordingLink } from "../_shared/mail/recording_link.ts";
import { bearerToken, isOperator } from "../_shared/operator.ts";
import type { Settings } from "../_shared/settings.ts";
import type { ReadUserToken, UserClaims } from "../_shared/user_token.ts";

export interface AudioDeps {
  readonly settings: Settings;
  readonly recordingUrl: RecordingUrl;
  readonly readUserToken: ReadUserToken;
  readonly fetch: typeof fetch;
  readonly log: Log;
  readonly now: () => Date;
}

/** The deadline for the beginning of Twilio's answer, in milliseconds. */
const DEADLINE_MS = 10_000;
/** The headers of Twilio's answer that are passed on. */
const PASSED_ON = ["content-length", "content-range", "accept-ranges", "etag", "last-modified"];

/**
 * Plays a voicemail for a signed link (see `mail/recording_link.ts`) or an operator's key, and any recording of their calls
 * for signed-in people: fetches it from Twilio with the account's credentials, which are not passed on.
 */
export function createHandler(deps: AudioDeps): Handler {
  const options = { log: deps.log, retryAfterSec: 10, pages: ["GET", "HEAD"] };
  return endpoint("voicemail-audio", options, async (request) => {
    requireMethod(request, "GET", "HEAD");
    const query = new URL(request.url).searchParams;
    const user = await authorize(request, query, deps);
    const url = await deps.recordingUrl(
      query.get("call") ?? "",
      query.get("recording") ?? "",
      user,
    );
    if (url === null) throw new HttpError(404, "not_found");
    return await play(request, url, deps);
  });
}

/**
 * @returns the signed-in user, whose calls the database knows; `undefined` for a link or an operator.
 * @throws {HttpError} 401, or 410 for a link of ours that has expired.
 */
async function authorize(
  request: Request,
  query: URLSearchParams,
  { settings, readUserToken, now }: AudioDeps,
): Promise<UserClaims | undefined> {
  const link = checkRecordingLink(settings.secretKeys, query, now());
  if (link === "valid") return;
  if (link === "expired") throw new HttpError(410, "expired");
  if (isOperator(request, settings.secretKeys)) return;
  const token = bearerToken(request);
  const user = token === undefined ? undefined : await readUserToken(token, now());
  if (user === undefined) throw new HttpError(401, "unauthorized");
  return user;
}

async function play(
  request: Request,
  recordingUrl: string,
  { settings, fetch, log }: AudioDeps,
): Promise<Response> {
  const url = mediaUrl(recordingUrl, settings.twilioApiUrl);
  // The row came from a signed webhook; even so the credentials are sent to Twilio only.
  if (url === undefined) {
    log("error", { function: "voicemail-audio", reason: "the recording is not at Twilio" });
    throw new HttpError(404, "not_found");
  }
  const account = settings.twilioAccountSid ?? /\/Accounts\/(AC\w+)\//.exec(url.pathname)?.[1];
  const range = request.headers.get("range");
  // Bounds the wait for the answer's beginning, not the answer: a listener may pause.
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
    // A browser shows audio in a page of its own, which loads this address again.
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
 * The address that Twilio redirects to, if it does: whether it redirects is not documented. It is followed once, by
 * HTTPS, without the credentials.
 */
function whereItIs({ status, headers }: Response): URL | undefined {
  const location = headers.get("location") ?? "";
  if (![301, 302, 303, 307, 308].includes(status) || !URL.canParse(location)) return undefined;
  const url = new URL(location);
  return url.protocol === "https:" ? url : undefined;
}

/**
 * The recording's MP3 form, which every browser plays, at the configured Twilio API; `undefined` for any other address.
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
