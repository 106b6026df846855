import { diallingOf, dialsOf } from "./calls/dialling.ts";
import { callEvent } from "./calls/events.ts";
import { type LineProfile, spokenBy } from "./calls/profile.ts";
import { apology, type Reply } from "./calls/reply.ts";
import { decodeState } from "./calls/state.ts";
import { nextTurn, type TwimlStep } from "./calls/step.ts";
import type { Deps } from "./deps.ts";
import { SECURITY_HEADERS } from "./http.ts";
import { renderTwiml } from "./twilio/twiml.ts";
import { accept, type Handler, webhookHandler } from "./webhook.ts";

/** The line in the account's own voice, which cannot be what Twilio refuses to play. */
const plain = (line: LineProfile): LineProfile => ({ ...line, voice: undefined });

/** Serves a step that the caller waits for: once a request is Twilio's, the answer is TwiML and 200. */
export function twimlHandler<Heard>(deps: Deps, step: TwimlStep<Heard>): Handler {
  const twiml = (reply: Reply, line: LineProfile) =>
    new Response(
      renderTwiml(reply, step.isFallback ? plain(line) : line, deps.settings.publicFunctionsUrl),
      {
        headers: {
          ...SECURITY_HEADERS,
          "content-type": "text/xml; charset=utf-8",
          "cache-control": "no-store",
        },
      },
    );
  const whenFailed = (line: LineProfile, query: URLSearchParams) => {
    const state = nextTurn({ state: decodeState(query) });
    return twiml(step.whenFailed?.(line, state) ?? apology(line, state), plain(line));
  };

  return webhookHandler(deps, step.name, {
    async serve(webhook, line, note) {
      const { state, facts, heard } = step.interpret(webhook, line);
      const event = {
        ...callEvent(step.name, webhook, state, {
          // Its arrival may not have been kept, and a decision without its words is no evidence.
          ...(state.consent && { disclosure: spokenBy(line, state.disclosed) }),
          ...facts,
        }),
        ...(step.dials && {
          ask: { dials: dialsOf(line, webhook.fields, deps.settings) },
        }),
      };
      const outcome = await accept(deps, event, note);
      const dialling = diallingOf(webhook.fields, state, outcome, deps.settings);
      return twiml(step.answer({ line, state, heard, outcome, ...dialling }), line);
    },
    malformed: (_issues, line, query) => whenFailed(line, query),
    failed: (_requestId, line, query) => whenFailed(line, query),
  });
}
