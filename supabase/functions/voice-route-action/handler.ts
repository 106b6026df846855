import type { Deps } from "../_shared/deps.ts";
import { asksToAccept, ringEnded } from "../_shared/flows/advance.ts";
import { interpretationOf } from "../_shared/flows/step.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * The end of a `<Dial>`. After an answer the call goes on in the flow, mostly to its end. Without an answer the next person
 * is rung, or the caller can leave a message.
 * Source: https://www.twilio.com/docs/voice/twiml/dial#dialcallstatus-values
 */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-route-action",

    interpret({ fields, state }, version) {
      const { DialCallStatus, DialBridged } = fields;
      // A voicemail box that was asked in vain may be `completed` too: only the bridge tells it from a person.
      const bridged = asksToAccept(version, state) ? DialBridged === true : DialBridged !== false;
      const answered = (DialCallStatus === "completed" || DialCallStatus === "answered") && bridged;
      return interpretationOf(ringEnded(version, state, answered), {
        event: "dial_ended",
        leg_status: DialCallStatus,
        talk_sec: answered ? fields.DialCallDuration ?? 0 : undefined,
        // False: the callee answered after the caller had hung up.
        bridged: answered || DialBridged,
      });
    },
  });
}
