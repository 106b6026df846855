import { connect, menu } from "../_shared/calls/reply.ts";
import { nextTurn, stateBefore } from "../_shared/calls/step.ts";
import type { Deps } from "../_shared/deps.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/** A key during a call or an AI leg: one brings a person, any other the menu. */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-action",

    interpret(webhook, line) {
      const wantsHuman = webhook.fields.Digits === line.operator.key;
      const { turn } = stateBefore(webhook);
      const state = nextTurn(webhook);
      const asked = line.operator.destination.kind === "voicemail"
        ? { choice: { mode: "voicemail", turn } }
        : { handoff: "caller_asked_for_a_human" };
      return {
        state: wantsHuman ? { ...state, ...asked } : state,
        facts: { event: "key_pressed" },
        heard: { wantsHuman },
      };
    },

    answer(call) {
      const { line, state, heard } = call;
      return heard.wantsHuman
        ? connect(line, line.operator, state, call)
        : menu(line, state, "voice-menu-handler");
    },
  });
}
