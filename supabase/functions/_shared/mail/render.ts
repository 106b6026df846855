import * as z from "zod/mini";
import { type AlertNotice, alertNotice, headline, runbookSection } from "../alerts/words.ts";
import { type AlertContent, alertContent } from "../db/search.ts";
import { matchHeadline } from "../search/alert.ts";
import { unlinked } from "../text.ts";
import type { Mail } from "./mail.ts";
import { recordingLink } from "./recording_link.ts";

export interface MailContext {
  readonly from: string;
  /** The operator's address: without it, only visitors get mails. */
  readonly notifyTo?: string | undefined;
  readonly functionsUrl: string;
  readonly secretKey: string;
  /** Public address of docs/runbook.md. */
  readonly runbookUrl?: string | undefined;
}

const contact = z.object({
  id: z.string(),
  name: z.string(),
  email: z.string(),
  phone: z.nullable(z.string()),
  subject: z.nullable(z.string()),
  message: z.string(),
  created_at: z.string(),
});

const voicemail = z.object({
  call_sid: z.string(),
  recording_sid: z.string(),
  from_e164: z.nullable(z.string()),
  to_e164: z.nullable(z.string()),
  recorded_at: z.nullable(z.string()),
  duration_sec: z.nullable(z.number()),
  transcript: z.nullable(z.string()),
  link_expires: z.number(),
});

const missedCall = z.object({
  from_e164: z.nullable(z.string()),
  to_e164: z.nullable(z.string()),
  started_at: z.string(),
  duration_sec: z.nullable(z.number()),
  mode: z.string(),
  /** The newest first. */
  history: z.array(z.object({
    started_at: z.string(),
    direction: z.string(),
    disposition: z.nullable(z.string()),
    duration_sec: z.nullable(z.number()),
    mode: z.string(),
  })),
});

/** Everything about a mail but its sender. `to` absent: to the operator. */
type Letter = Pick<Mail, "subject" | "replyTo" | "headers"> & {
  readonly to?: string;
  readonly parts: readonly Part[];
};

/** A link of ours. Text from strangers is shown `unlinked`. */
interface Link {
  readonly link: string;
}

/** A paragraph in our words, a list of named values, or a quotation. */
type Part =
  | { readonly paragraph: string }
  | { readonly facts: readonly (readonly [name: string, value: string | Link])[] }
  | { readonly quote: string };

/**
 * Writes a claimed mail. Pure, so that every attempt has the same text.
 *
 * @returns `undefined` for an unknown kind or content, and for an operator's mail without an address.
 */
export function renderMail(
  kind: string,
  content: unknown,
  context: MailContext,
): Mail | undefined {
  const letter = letterOf(kind, content, context);
  const to = letter?.to ?? context.notifyTo;
  if (letter === undefined || to === undefined) return undefined;
  const { parts, ...rest } = letter;
  return { ...rest, from: context.from, to, text: asText(parts), html: asHtml(parts) };
}

function letterOf(kind: string, content: unknown, context: MailContext): Letter | undefined {
  switch (kind) {
    case "mail_contact_notification": {
      const { success, data } = contact.safeParse(content);
      return success ? contactNotification(data) : undefined;
    }
    case "mail_contact_auto_reply": {
      const { success, data } = contact.safeParse(content);
      return success ? contactAutoReply(data) : undefined;
    }
    case "mail_voicemail": {
      const { success, data } = voicemail.safeParse(content);
      return success ? voicemailNotification(data, context) : undefined;
    }
    case "mail_missed_call": {
      const { success, data } = missedCall.safeParse(content);
      return success ? missedCallNotification(data) : undefined;
    }
    case "mail_alert": {
      const { success, data } = alertNotice.safeParse(content);
      return success ? alertNotification(data, context) : undefined;
    }
    case "mail_search_alert": {
      const { success, data } = alertContent.safeParse(content);
      return success ? searchAlert(data) : undefined;
    }
  }
}

function contactNotification(message: z.infer<typeof contact>): Letter {
  return {
    subject: unlinked(
      `Website message from ${message.name}` +
        (message.subject === null ? "" : `: ${message.subject}`),
    ),
    replyTo: message.email,
    parts: [
      {
        facts: [
          ["From", `${message.name} <${message.email}>`],
          ...(message.phone === null ? [] : [["Phone", message.phone] as const]),
          ...(message.subject === null ? [] : [["Subject", message.subject] as const]),
          ["Time", time(message.created_at)],
          ["Reference", message.id],
        ],
      },
      { quote: message.message },
      { paragraph: "Your answer to this mail goes to the sender." },
    ],
  };
}

/**
 * Repeats nothing that the sender wrote: the address may belong to another person, who would then get a stranger's
 * words in our name.
 */
function contactAutoReply(message: z.infer<typeof contact>): Letter {
  return {
    to: message.email,
    subject: "We have received your message",
    // RFC 3834: no other machine should answer this.
    headers: { "Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All" },
    parts: [
      { paragraph: "Thank you for your message. It has reached us, and we will answer you soon." },
      { paragraph: `Its reference is ${message.id}.` },
      {
        paragraph:
          "If you did not write to us, somebody entered your address by mistake, and you can ignore this mail.",
      },
    ],
  };
}

function voicemailNotification(
  message: z.infer<typeof voicemail>,
  { functionsUrl, secretKey }: MailContext,
): Letter {
  const caller = message.from_e164 ?? "a withheld number";
  const link = recordingLink(
    functionsUrl,
    secretKey,
    message.call_sid,
    message.recording_sid,
    message.link_expires,
  );
  return {
    subject: `Voicemail from ${caller}`,
    parts: [
      {
        facts: [
          ["Caller", caller],
          ...(message.to_e164 === null ? [] : [["Called", message.to_e164] as const]),
          ...(message.recorded_at === null ? [] : [["Time", time(message.recorded_at)] as const]),
          ...(message.duration_sec === null
            ? []
            : [["Length", minutes(message.duration_sec)] as const]),
          ["Listen", { link }],
        ],
      },
      message.transcript
        ? { quote: message.transcript }
        : { paragraph: "There is no transcript of this message." },
      {
        paragraph: `The link works until ${
          time(new Date(message.link_expires * 1000).toISOString())
        }, for everyone who has it.`,
      },
    ],
  };
}

function missedCallNotification(call: z.infer<typeof missedCall>): Letter {
  const caller = call.from_e164 ?? "a withheld number";
  const { history } = call;
  return {
    subject: `Missed call from ${caller}`,
    parts: [
      {
        facts: [
          ["Caller", caller],
          ...(call.to_e164 === null ? [] : [["Called", call.to_e164] as const]),
          ["Time", time(call.started_at)],
          ...(call.duration_sec === null ? [] : [["Waited", minutes(call.duration_sec)] as const]),
          ["Department", call.mode],
        ],
      },
      {
        paragraph: history.length === 0
          ? "This number has not called before."
          : "Earlier calls with this number, the newest first:",
      },
      ...(history.length === 0 ? [] : [{
        facts: history.map((each) =>
          [
            time(each.started_at),
            `${each.direction}, ${each.mode}: ${each.disposition ?? "not over yet"}${
              each.duration_sec === null ? "" : `, ${minutes(each.duration_sec)}`
            }`,
          ] as const
        ),
      }]),
    ],
  };
}

function alertNotification(notice: AlertNotice, { runbookUrl }: MailContext): Letter {
  return {
    subject: headline(notice),
    parts: [
      {
        facts: [
          ["Alert", `${notice.alert} (${notice.severity})`],
          ["Measured", notice.measured],
          ["Since", time(notice.opened_at)],
          ...(notice.closed_at === null ? [] : [["Until", time(notice.closed_at)] as const]),
        ],
      },
      ...(notice.transition === "fired"
        ? [
          { paragraph: notice.action },
          { paragraph: `Runbook: ${runbookSection(runbookUrl, notice.alert)}` },
        ]
        : []),
    ],
  };
}

function searchAlert(match: AlertContent): Letter {
  const { alert: { name, query, target }, document: { at, party, text, start_sec } } = match;
  return {
    to: target,
    subject: unlinked(matchHeadline(match)),
    parts: [
      {
        facts: [
          ["Alert", `${name}: ${query}`],
          ...(party === null ? [] : [["Number", party] as const]),
          ["Time", time(at)],
          ...(start_sec === null ? [] : [["In the audio", minutes(start_sec)] as const]),
        ],
      },
      { quote: text },
      { paragraph: "You get this mail because of a word alert of yours. The console lists them." },
    ],
  };
}

function asText(parts: readonly Part[]): string {
  return parts.map((part) => {
    if ("paragraph" in part) return part.paragraph;
    if ("quote" in part) return unlinked(part.quote).replaceAll(/^/gm, "> ");
    return part.facts.map(([name, value]) => `${name}: ${shown(value)}`).join("\n");
  }).join("\n\n") + "\n";
}

function asHtml(parts: readonly Part[]): string {
  const body = parts.map((part) => {
    if ("paragraph" in part) return `<p>${escape(part.paragraph)}</p>`;
    if ("quote" in part) {
      return `<blockquote style="white-space:pre-wrap">${
        escape(unlinked(part.quote))
      }</blockquote>`;
    }
    return `<p>${
      part.facts.map(([name, value]) => `<b>${escape(name)}:</b> ${linked(value)}`).join("<br>")
    }</p>`;
  }).join("\n");
  return `<!doctype html>\n<meta charset="utf-8">\n${body}\n`;
}

function shown(value: string | Link): string {
  return typeof value === "string" ? unlinked(value) : value.link;
}

function linked(value: string | Link): string {
  const text = escape(shown(value));
  return typeof value === "string" ? text : `<a href="${text}">${text}</a>`;
}

function escape(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replaceAll(/[&<>"']/g, (character) => entities[character]!);
}

function time(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

function minutes(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
