import { disclosedBy, spokenBy } from "../_shared/calls/profile.ts";
import { menu, say } from "../_shared/calls/reply.ts";
import { nextTurn } from "../_shared/calls/step.ts";
import type { Deps } from "../_shared/deps.ts";
import { callLimits } from "../_shared/calls/call_limits.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * A call comes in: greeted, told about recording, asked. Over the limit: told so, and ended.
 * Without the database everybody is let in.
 */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-frontdoor",

    interpret(webhook, line) {
      const { From, To } = webhook.fields;
      const limits = callLimits(From, To, deps.settings);
      const disclosed = disclosedBy(line);
      return {
        state: { ...nextTurn(webhook), disclosed },
        facts: {
          event: "arrived",
          identity: "arrived",
          limits,
          disclosure: spokenBy(line, disclosed),
        },
        heard: undefined,
      };
    },

    answer({ line, state, outcome }) {
      if (outcome.kind === "rate_limited") {
        return [...say(line.rateLimited), { verb: "hangup" }];
      }
      // The disclosure is a text of its own, before the menu listens: it cannot be cut short by a key.
      return [
        ...say(line.greeting, line.consent?.disclosure ?? ""),
        ...menu(line, state, "voice-consent-speech"),
      ];
    },
  });
}
