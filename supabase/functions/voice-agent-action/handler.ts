import { sessionEnd } from "../_shared/agent/relay.ts";
import type { Deps } from "../_shared/deps.ts";
import { interpretationOf } from "../_shared/flows/step.ts";
import { talkEnded } from "../_shared/flows/talk.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * The end of a talk with an agent: the flow goes on, or the talk does where its socket was lost. What the agent promised
 * happens here, and is spoken by the node that does it.
 * Source: https://www.twilio.com/docs/voice/twiml/connect/conversationrelay#action
 */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-agent-action",
    dials: true,
    interpret({ state, fields }, version) {
      const end = sessionEnd(fields);
      const heard = talkEnded(version, state, end);
      return interpretationOf(heard, {
        event: "agent_left",
        agent: {
          session_id: fields.SessionId,
          outcome: end.kind === "hung_up" ? "hung_up" : heard.left?.outcome ?? "failed",
          reason: end.kind === "left"
            ? end.leaving.reason
            : end.kind === "failed" && end.code !== undefined
            ? `relay_${end.code}`
            : end.kind,
          node: state?.node,
          language: state?.language,
        },
      });
    },
  });
}
