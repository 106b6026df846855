import * as z from "zod/mini";
import type { Work } from "../jobs/run.ts";
import { type HookDeps, hookFault, postHook, signature } from "./hook.ts";

/** A document that a word alert matched: what its job says. */
export const searchMatch = z.object({
  alert_id: z.string(),
  name: z.string(),
  query: z.string(),
  channel: z.enum(["mail", "slack", "webhook"]),
  target: z.string(),
  /** Of a webhook. */
  secret: z.nullable(z.string()),
  kind: z.string(),
  call_sid: z.nullable(z.string()),
  /** ISO 8601. */
  at: z.string(),
  /** The other side's number. */
  number: z.nullable(z.string()),
  /** The words around the match, as they were said. */
  passage: z.string(),
  /** Where the passage begins in the audio. */
  start_sec: z.nullable(z.number()),
});
export type SearchMatch = z.infer<typeof searchMatch>;

const KINDS: Readonly<Record<string, string>> = {
  voicemail: "voicemail",
  transcript: "call",
  agent_turn: "call with the assistant",
  note: "note",
  contact: "contact",
  message: "website message",
  campaign: "campaign",
};

/** One line: what was found, and where. */
export function matchHeadline({ name, kind, number }: SearchMatch): string {
  return `${name}: found in a ${KINDS[kind] ?? kind}${number === null ? "" : ` with ${number}`}`;
}

/** The body of a webhook. */
export function matchEvent(match: SearchMatch): string {
  const { channel: _, target: __, secret: ___, at, ...data } = match;
  return JSON.stringify({ type: "search_alert.matched", timestamp: at, data: { ...data, at } });
}

/** Slack's message. Source: https://api.slack.com/messaging/webhooks */
export function slackMessage(match: SearchMatch): string {
  const { passage, at } = match;
  const quote = passage.replaceAll(/^/gm, "> ");
  const when = `${at.slice(0, 16).replace("T", " ")} UTC`;
  // Plain text: a caller's words must not call a channel or make a link.
  return JSON.stringify({
    text: matchHeadline(match),
    blocks: [{
      type: "section",
      text: {
        type: "plain_text",
        text: `${matchHeadline(match)}, ${when}\n${quote}`.slice(0, 3000),
      },
    }],
  });
}

/** Tells Slack or a webhook of a match; the job's key is the message's. */
export function tellMatch(deps: HookDeps): Work {
  return async ({ key, content }) => {
    const { success, data: match } = searchMatch.safeParse(content);
    if (!success || match.channel === "mail") {
      return { kind: "failed", error: "nothing_to_say", permanent: true };
    }
    const { channel, target, secret } = match;
    if (channel === "slack") {
      const fault = hookFault(target, true);
      if (fault !== undefined) return { kind: "failed", error: `target ${fault}`, permanent: true };
      await postHook(target, slackMessage(match), {}, deps);
    } else {
      const body = matchEvent(match);
      const id = `search_alert/${key}`;
      const headers = secret === null ? {} : signature(id, deps.now(), body, secret);
      await postHook(target, body, headers, deps);
    }
    return { kind: "done" };
  };
}
