import type { Deps } from "../_shared/deps.ts";
import { hearKey } from "../_shared/flows/advance.ts";
import { interpretationOf } from "../_shared/flows/step.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * A key during a call or an AI leg: 0 brings a person, any other key the menu. The key may refuse recording and never
 * consents, because there was no question. The earlier dial, and its recording, have ended by then.
 */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-action",
    dials: true,
    interpret: ({ state, fields: { Digits, SpeechResult } }, version) =>
      interpretationOf(hearKey(version, state, { digits: Digits, speech: SpeechResult }), {
        event: "key_pressed",
      }),
  });
}
