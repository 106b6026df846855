import type { MailSettings } from "../settings.ts";

/** One e-mail to one recipient. */
export interface Mail {
  readonly from: string;
  readonly to: string;
  readonly replyTo?: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The outcome of one attempt to send. `error` is for operators and holds nothing personal. */
export type SendOutcome =
  /** Accepted, now or by an earlier attempt. */
  | { readonly kind: "sent"; readonly id: string | undefined }
  /** This mail will never be accepted. */
  | { readonly kind: "refused"; readonly error: string }
  /** It may have been accepted: retry under the same key. */
  | { readonly kind: "failed"; readonly error: string }
  /** No mail is accepted at present. */
  | { readonly kind: "busy"; readonly error: string; readonly retryAfterSec: number }
  /** No mail will be accepted until a setting changes. */
  | { readonly kind: "misconfigured"; readonly error: string };

/** Sends once under `key`: the same key again, within a day, sends nothing more. Never rejects. */
export type SendMail = (mail: Mail, key: string) => Promise<SendOutcome>;

/** Whether mails can be sent; otherwise they wait. */
export function isSending(mail: MailSettings): boolean {
  return mail.resendApiKey !== undefined && mail.from !== undefined;
}

/** The missing settings that keep some or all mails from being sent. */
export function missingMailSettings(mail: MailSettings): string[] {
  return [
    ...(mail.resendApiKey === undefined ? ["RESEND_API_KEY"] : []),
    ...(mail.from === undefined ? ["FROM_EMAIL"] : []),
    ...(mail.notifyTo === undefined ? ["NOTIFY_TO"] : []),
  ];
}
