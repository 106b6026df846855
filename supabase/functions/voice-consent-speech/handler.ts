import type { Deps } from "../_shared/deps.ts";
import { hear } from "../_shared/flows/advance.ts";
import { interpretationOf } from "../_shared/flows/step.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * The first answer after the disclosure, spoken or pressed: about recording, a choice from the menu, or
 * both. Under the `opt_out` that was heard, going on consents; under `opt_in` only a yes does.
 */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-consent-speech",
    dials: true,
    interpret: ({ state, fields: { Digits, SpeechResult } }, version) =>
      interpretationOf(hear(version, state, { digits: Digits, speech: SpeechResult }), {
        event: "consent",
      }),
  });
}
