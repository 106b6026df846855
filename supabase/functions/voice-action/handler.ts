import { decide } from "../_shared/calls/choice.ts";
import { standingConsent } from "../_shared/calls/consent.ts";
import { understand } from "../_shared/calls/menu.ts";
import { connect, menu, say } from "../_shared/calls/reply.ts";
import { nextTurn, stateBefore } from "../_shared/calls/step.ts";
import type { Deps } from "../_shared/deps.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * A key during a call or an AI leg: one brings a person, any other the menu. It may refuse to be recorded,
 * and never agrees, as nothing was asked. What was going on has ended by then, a recording with it.
 */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-action",
    dials: true,

    interpret(webhook, line) {
      const { Digits: digits, SpeechResult: speech } = webhook.fields;
      const wantsHuman = digits === line.operator.key;
      const { turn } = stateBefore(webhook);
      const state = nextTurn(webhook);
      const decision = decide(webhook, understand(line, state.disclosed, { digits, speech }));
      const refused = decision?.basis === "no";
      const asked = line.operator.destination.kind === "voicemail"
        ? { choice: { mode: "voicemail", turn } }
        : { handoff: "caller_asked_for_a_human" };
      return {
        state: {
          ...state,
          consent: standingConsent(state.consent, refused ? decision : undefined),
          ...(wantsHuman && asked),
        },
        facts: { event: "key_pressed" },
        heard: { wantsHuman, refused },
      };
    },

    answer(call) {
      const { line, state, heard } = call;
      return heard.wantsHuman ? connect(line, line.operator, state, call) : [
        ...say(heard.refused ? line.consent?.declined ?? "" : ""),
        ...menu(line, state, "voice-menu-handler"),
      ];
    },
  });
}
