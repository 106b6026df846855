import type { Deps } from "../_shared/deps.ts";
import { nextState, reroute } from "../_shared/flows/advance.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/** Dials the destination that the call already has; a call without one hears the menu. */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-route",
    dials: true,

    interpret(webhook, version) {
      const state = nextState(version, webhook.state);
      return {
        state,
        facts: { event: "route" },
        next: (version, outcome) =>
          reroute(
            version,
            state,
            outcome.kind === "accepted" ? outcome.call.mode : state.choice?.mode,
          ),
      };
    },
  });
}
