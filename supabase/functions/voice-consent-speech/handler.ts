import type { Deps } from "../_shared/deps.ts";
import { listens } from "../_shared/flows/step.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * The first answer after the disclosure, spoken or pressed: about recording, a choice from the menu, or
 * both. Under the `opt_out` that was heard, going on consents; under `opt_in` only a yes does.
 */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, listens("voice-consent-speech", "consent"));
}
