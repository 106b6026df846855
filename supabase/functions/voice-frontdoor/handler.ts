import { ARRIVAL } from "../_shared/calls/state.ts";
import { callLimits } from "../_shared/calls/call_limits.ts";
import type { Deps } from "../_shared/deps.ts";
import { arrive } from "../_shared/flows/advance.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * A call comes in: the line's flow greets, discloses recording and asks. A call over the limit hears a message and ends.
 * Without the database every call is admitted.
 */
export function createHandler(deps: Deps): Handler {
  return twimlHandler(deps, {
    name: "voice-frontdoor",
    arrives: true,

    interpret(webhook) {
      const { From, To } = webhook.fields;
      const limits = callLimits(From, To, deps.settings);
      return {
        state: { ...ARRIVAL, turn: 1 },
        facts: { event: "arrived", identity: "arrived", limits },
        next(version, outcome) {
          const heard = arrive(version);
          return outcome.kind === "rate_limited"
            ? { ...heard, words: ["tooManyCalls", "goodbye"], to: "end" }
            : heard;
        },
      };
    },
  });
}
