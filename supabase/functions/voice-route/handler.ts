import { askForKey1 } from "../_shared/calls/person.ts";
import type { Deps } from "../_shared/deps.ts";
import { nextState, reroute } from "../_shared/flows/advance.ts";
import type { TwimlStep } from "../_shared/flows/step.ts";
import { screeningHandler, type ScreeningStep, twimlHandler } from "../_shared/twiml_webhook.ts";
import { voiceOf } from "../_shared/voices.ts";
import type { Handler } from "../_shared/webhook.ts";

/** Dials the destination that the call already has; a call without one hears the menu. */
const route: TwimlStep = {
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
};

/** A person has answered, of a group that confirms: 1 accepts the call, anything else does not. */
const ask: ScreeningStep = {
  name: "voice-route",
  event: "leg_asked",
  isTold: () => true,
  answer(_fields, state, call) {
    const language = state.language ?? "en-US";
    return askForKey1({ language, voice: voiceOf }, [
      ({ callFor }) => callFor(undefined, undefined),
      "accept",
    ], {
      to: "voice-route",
      state,
      event: "accept",
      call,
    });
  },
};

const accepted: ScreeningStep = {
  name: "voice-route",
  event: "leg_accepted",
  isTold: ({ Digits }) => Digits === "1",
  answer: ({ Digits }) => Digits === "1" ? [] : [{ verb: "hangup" }],
};

/** Where a call goes; `event` in the URL says that a person is asked whether they take it. */
export function createHandler(deps: Deps): Handler {
  const parts: Record<string, Handler> = {
    ask: screeningHandler(deps, ask),
    accept: screeningHandler(deps, accepted),
  };
  const routed = twimlHandler(deps, route);
  return (request) => {
    const event = new URL(request.url).searchParams.get("event") ?? "";
    return (Object.hasOwn(parts, event) ? parts[event]! : routed)(request);
  };
}
