import type { Resend } from "resend";
import type { SendMail, SendOutcome } from "./mail.ts";

/** Deadline of one mail in milliseconds. A mail that takes longer may have been sent. */
const DEADLINE_MS = 10_000;
/** The wait after a refusal for rate or quota without a `Retry-After`. Seconds. */
const RATE_WAIT_SEC = 1;
const QUOTA_WAIT_SEC = 60 * 60;
const LONGEST_WAIT_SEC = 24 * 60 * 60;

/**
 * @param baseUrl Without a trailing slash; `https://api.resend.com`.
 * @param deadline The abort signal of the request under an idempotency key; by default after `DEADLINE_MS`.
 */
export function resendMailer(
  apiKey: string,
  baseUrl: string,
  deadline: (key: string) => AbortSignal = () => AbortSignal.timeout(DEADLINE_MS),
): SendMail {
  let client: Promise<Resend> | undefined;
  return async (mail, key) => {
    // Loaded with the first mail, so that a run with nothing to send does not pay for it.
    client ??= import("resend").then(({ Resend }) => new Resend(apiKey, { baseUrl }));
    const { from, to, replyTo, subject, text, html, headers } = mail;
    try {
      const { data, error, headers: answered } = await (await client).emails.send(
        {
          from,
          to,
          subject,
          text,
          html,
          ...(replyTo !== undefined && { replyTo }),
          ...(headers !== undefined && { headers: { ...headers } }),
        },
        { idempotencyKey: key, signal: deadline(key) } as {
          idempotencyKey: string;
        },
      );
      return error === null ? { kind: "sent", id: data.id } : outcomeOf(error, answered ?? {});
    } catch (error) {
      return { kind: "failed", error: error instanceof Error ? error.name : "unknown" };
    }
  };
}

/**
 * The meaning of Resend's refusal. Only its name is kept, because the message may repeat an address.
 * Source: https://resend.com/docs/api-reference/errors
 */
export function outcomeOf(
  error: { readonly name?: string; readonly statusCode?: number | null; readonly message?: string },
  headers: Readonly<Record<string, string>>,
): SendOutcome {
  const status = error.statusCode ?? 0;
  const name = /^[a-z_]{1,60}$/.test(error.name ?? "") ? error.name! : "unknown";
  const told = status === 0 ? "no_answer" : `${status} ${name}`;

  // An earlier attempt used the key with another text, from before a setting or this code changed.
  if (name === "invalid_idempotent_request") return { kind: "sent", id: undefined };
  if (status === 429) {
    const fallback = name.endsWith("quota_exceeded") ? QUOTA_WAIT_SEC : RATE_WAIT_SEC;
    return {
      kind: "busy",
      error: told,
      retryAfterSec: retryAfter(headers["retry-after"]) ?? fallback,
    };
  }
  const ours = status === 401 || status === 404 || status === 405 || name.endsWith("_api_key") ||
    name === "invalid_from_address" ||
    (status === 403 && /domain is not verified/i.test(error.message ?? ""));
  if (ours) return { kind: "misconfigured", error: told };
  // 409: another attempt under the same key is still running. 403: a limit of the account, such as test mails to its owner
  // only. The mail itself is valid, and other mails may go.
  if (status < 400 || status >= 500 || [403, 408, 409].includes(status)) {
    return { kind: "failed", error: told };
  }
  return { kind: "refused", error: told };
}

/** RFC 9110: seconds, or a date. */
function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = /^\d+$/.test(value)
    ? Number(value)
    : Math.ceil((new Date(value).getTime() - Date.now()) / 1000);
  if (Number.isNaN(seconds)) return undefined;
  return Math.min(Math.max(seconds, 1), LONGEST_WAIT_SEC);
}
