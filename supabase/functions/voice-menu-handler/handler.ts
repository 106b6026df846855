import { answerChoice, interpretChoice } from "../_shared/calls/choice.ts";
import type { Deps } from "../_shared/deps.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/** The answer to the menu: a choice, a repeat, or nothing, once more and then voicemail. */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-menu-handler",
    dials: true,
    interpret: (webhook, line) => interpretChoice("menu", webhook, line),
    answer: answerChoice,
  });
}
