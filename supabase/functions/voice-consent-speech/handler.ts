import { answerChoice, interpretChoice } from "../_shared/calls/choice.ts";
import type { Deps } from "../_shared/deps.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * The first answer after the disclosure, spoken or pressed: about recording, a choice from the menu, or
 * both. Under `opt_out`, going on without an objection is what consents; under `opt_in` only a yes is.
 */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-consent-speech",
    interpret: (webhook, line) =>
      interpretChoice("consent", webhook, line, line.consent.policy === "opt_out"),
    answer: answerChoice,
  });
}
