import { askForKey1, whisper } from "../_shared/calls/person.ts";
import { own, type Reply } from "../_shared/calls/reply.ts";
import type { CallState } from "../_shared/calls/state.ts";
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
  event: () => "leg_asked",
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
  event: ({ Digits }) =>
    Digits === "1" ? "leg_accepted" : Digits === undefined ? undefined : "leg_declined",
  answer: ({ Digits }, state, _call, summary) =>
    Digits === "1" ? told(state, summary) : [{ verb: "hangup" }],
};

/** A person has answered a call that an agent transferred. Whatever fails, they are put through. */
const whispers: ScreeningStep = {
  name: "voice-route",
  event: () => "leg_status",
  answer: (_fields, state, _call, summary) => told(state, summary),
  whenFailed: [],
};

function told({ language = "en-US" }: CallState, summary: string | undefined): Reply {
  return summary === undefined ? [] : [own({ language, voice: voiceOf }, whisper(summary))];
}

/** Where a call goes; `event` in the URL says that a person is asked whether they take it, or hears what it is about. */
export function createHandler(deps: Deps): Handler {
  const parts: Record<string, Handler> = {
    ask: screeningHandler(deps, ask),
    accept: screeningHandler(deps, accepted),
    whisper: screeningHandler(deps, whispers),
  };
  const routed = twimlHandler(deps, route);
  return (request) => {
    const event = new URL(request.url).searchParams.get("event") ?? "";
    return (Object.hasOwn(parts, event) ? parts[event]! : routed)(request);
  };
}
