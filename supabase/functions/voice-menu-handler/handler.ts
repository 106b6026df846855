import type { Deps } from "../_shared/deps.ts";
import { hear } from "../_shared/flows/advance.ts";
import { interpretationOf } from "../_shared/flows/step.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/** The answer to a menu: a choice, a repeat, or nothing, as often as the menu is asked and then where it leads. */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-menu-handler",
    dials: true,
    interpret: ({ state, fields: { Digits, SpeechResult } }, version) =>
      interpretationOf(hear(version, state, { digits: Digits, speech: SpeechResult }), {
        event: "menu",
      }),
  });
}
