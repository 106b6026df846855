import type { Deps } from "../_shared/deps.ts";
import { listens } from "../_shared/flows/step.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/** The answer to a menu: a choice, a repeat, or nothing, as often as the menu is asked and then where it leads. */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, listens("voice-menu-handler", "menu"));
}
