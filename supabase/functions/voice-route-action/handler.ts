import type { Deps } from "../_shared/deps.ts";
import { ringEnded } from "../_shared/flows/advance.ts";
import { interpretationOf } from "../_shared/flows/step.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * A `<Dial>` is over. Somebody answered: the call goes where the flow says, mostly to its end. Nobody did: the next
 * one is rung, or the caller can leave a message.
 * Source: https://www.twilio.com/docs/voice/twiml/dial#dialcallstatus-values
 */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-route-action",

    interpret({ fields, state }, version) {
      const { DialCallStatus, DialBridged } = fields;
      const answered = (DialCallStatus === "completed" || DialCallStatus === "answered") &&
        DialBridged !== false;
      return interpretationOf(ringEnded(version, state, answered), {
        event: "dial_ended",
        leg_status: DialCallStatus,
        talk_sec: answered ? fields.DialCallDuration ?? 0 : undefined,
        // False: the other side picked up, but the caller had already gone.
        bridged: answered || DialBridged,
      });
    },
  });
}
