import { type AlertContent, alertContent } from "../db/search.ts";
import type { Work } from "../jobs/run.ts";
import { type HookDeps, hookFault, postHook, signature } from "./hook.ts";

const KINDS: Readonly<Record<AlertContent["document"]["kind"], string>> = {
  call: "call",
  voicemail: "voicemail",
  transcript: "call",
  agent_turn: "call with the assistant",
  note: "note",
  contact: "contact",
  message: "website message",
  campaign: "campaign",
};

/** One line: what was found, and where. */
export function matchHeadline({ alert, document: { kind, party } }: AlertContent): string {
  return `${alert.name}: found in a ${KINDS[kind]}${party === null ? "" : ` with ${party}`}`;
}

/** The body of a webhook. */
function matchEvent({ alert: { id, name, query, org_id }, document }: AlertContent): string {
  return JSON.stringify({
    type: "search_alert.matched",
    timestamp: document.at,
    data: { alert: { id, name, query, org_id }, document },
  });
}

/** Slack's message. Source: https://api.slack.com/messaging/webhooks */
function slackMessage(match: AlertContent): string {
  const { at, text } = match.document;
  const when = `${at.slice(0, 16).replace("T", " ")} UTC`;
  const headline = matchHeadline(match);
  // Plain text: a caller's words must not call a channel or make a link.
  return JSON.stringify({
    text: headline.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
    blocks: [{
      type: "section",
      text: {
        type: "plain_text",
        text: `${headline}, ${when}\n${text.replaceAll(/^/gm, "> ")}`.slice(0, 3000),
      },
    }],
  });
}

/** Tells Slack or a webhook of a match; the job's key is the message's. */
export function tellMatch(deps: HookDeps): Work {
  return async ({ key, content }) => {
    const { success, data: match } = alertContent.safeParse(content);
    if (!success || match.alert.channel === "mail") {
      return { kind: "failed", error: "nothing_to_say", permanent: true };
    }
    const { channel, target, secret } = match.alert;
    if (channel === "slack") {
      const fault = hookFault(target, true);
      if (fault !== undefined) return { kind: "failed", error: `target ${fault}`, permanent: true };
      await postHook(target, slackMessage(match), {}, deps);
    } else {
      const body = matchEvent(match);
      const headers = secret === null
        ? { "webhook-id": key }
        : signature(key, deps.now(), body, secret);
      await postHook(target, body, headers, deps);
    }
    return { kind: "done" };
  };
}
