import { say, voicemail } from "../_shared/calls/reply.ts";
import { nextTurn } from "../_shared/calls/step.ts";
import type { Deps } from "../_shared/deps.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * A `<Dial>` is over. Somebody answered: so is the call. Nobody did: the caller can leave a message.
 * Source: https://www.twilio.com/docs/voice/twiml/dial#dialcallstatus-values
 */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-route-action",

    interpret(webhook) {
      const { fields } = webhook;
      const { DialCallStatus, DialBridged } = fields;
      const answered = (DialCallStatus === "completed" || DialCallStatus === "answered") &&
        DialBridged !== false;
      return {
        state: nextTurn(webhook),
        facts: {
          event: "dial_ended",
          leg_status: DialCallStatus,
          talk_sec: answered ? fields.DialCallDuration ?? 0 : undefined,
          // False: the other side picked up, but the caller had already gone.
          bridged: answered || DialBridged,
        },
        heard: { answered },
      };
    },

    answer({ line, state, heard }) {
      return heard.answered
        ? [{ verb: "hangup" }]
        : [...say(line.voicemail.unanswered), ...voicemail(line, state)];
    },
  });
}
