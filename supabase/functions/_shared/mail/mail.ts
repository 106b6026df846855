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

/** What became of one try to send. `error` is for operators and holds nothing personal. */
export type SendOutcome =
  /** Taken, now or at an earlier try. */
  | { readonly kind: "sent"; readonly id: string | undefined }
  /** This mail will never be taken. */
  | { readonly kind: "refused"; readonly error: string }
  /** It may have been taken: try again under the same key. */
  | { readonly kind: "failed"; readonly error: string }
  /** Nothing is taken at present, this mail included. */
  | { readonly kind: "busy"; readonly error: string; readonly retryAfterSec: number }
  /** Nothing will be taken until somebody changes a setting. */
  | { readonly kind: "misconfigured"; readonly error: string };

/** Sends once under `key`: the same key again, within a day, sends nothing more. Never rejects. */
export type SendMail = (mail: Mail, key: string) => Promise<SendOutcome>;

/** Whether anything can be sent; if not, mails are kept until it can. */
export function isSending(mail: MailSettings): boolean {
  return mail.resendApiKey !== undefined && mail.from !== undefined;
}

/** The settings without which some mails, or all, are kept and not sent. */
export function missingMailSettings(mail: MailSettings): string[] {
  return [
    ...(mail.resendApiKey === undefined ? ["RESEND_API_KEY"] : []),
    ...(mail.from === undefined ? ["FROM_EMAIL"] : []),
    ...(mail.notifyTo === undefined ? ["NOTIFY_TO"] : []),
  ];
}
