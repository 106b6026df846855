import type { Deps } from "../_shared/deps.ts";
import { hearKey } from "../_shared/flows/advance.ts";
import { interpretationOf } from "../_shared/flows/step.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * A key during a call or an AI leg: 0 brings a person, any other the menu. It may refuse to be recorded,
 * and never agrees, as nothing was asked. What was going on has ended by then, a recording with it.
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
