import { optionOfMode } from "../_shared/calls/profile.ts";
import { connect, menu } from "../_shared/calls/reply.ts";
import { nextTurn } from "../_shared/calls/step.ts";
import type { Deps } from "../_shared/deps.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/** Dials the destination that the call already has; a call without one hears the menu. */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-route",
    dials: true,

    interpret: (webhook) => ({
      state: nextTurn(webhook),
      facts: { event: "route" },
      heard: undefined,
    }),

    answer(call) {
      const { line, state, outcome } = call;
      const mode = outcome.kind === "accepted" ? outcome.call.mode : state.choice?.mode;
      const option = optionOfMode(line, mode);
      return option === undefined
        ? menu(line, state, "voice-menu-handler")
        : connect(line, option, state, call);
    },
  });
}
