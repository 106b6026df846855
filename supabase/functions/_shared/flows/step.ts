import type { AcceptOutcome, Ask, StepFacts } from "../calls/events.ts";
import { own, type Reply } from "../calls/reply.ts";
import type { CallState } from "../calls/state.ts";
import { isOutbound, type Webhook } from "../calls/webhook_form.ts";
import type { FunctionName } from "../functions.ts";
import { hear, type Heard, nextState, speechOf, wantsNoCalls } from "./advance.ts";
import type { Known } from "./known.ts";
import type { Version } from "./version.ts";

/** A step that the caller waits for. All of its functions are pure. */
export interface TwimlStep {
  readonly name: FunctionName;
  /** The meaning of the webhook, before the database has answered. */
  interpret(webhook: Webhook, version: Version): Interpretation;
  /** The call's first step: its version is known only after the database has answered. */
  readonly arrives?: true;
  /** It may dial, whatever flow answers: the database is asked where to. */
  readonly dials?: true;
  /** Twilio requests it when it could not play another document, so it must not fail for the same reason. */
  readonly isFallback?: true;
  /** The caller hears `whenFailed` after so many milliseconds without an answer of the database. Default: its deadlines. */
  readonly withinMs?: number;
  /** The answer when the step fails; by default an apology and voicemail. */
  whenFailed?(state: CallState): Reply;
}

/** What a step reads from its webhook. */
export interface Interpretation {
  /** The state of the call, as far as the event can carry it. */
  readonly state: CallState;
  readonly facts: StepFacts;
  /** Asked of the database beside what every step asks. */
  readonly ask?: Ask | undefined;
  /** What was pressed or said is no part of the event. */
  readonly isKeyless?: true;
  /**
   * How the call goes on, or what the caller hears.
   *
   * @param version The one that answers the call, known by now.
   */
  next(version: Version, outcome: AcceptOutcome, known: Known): Heard | Reply;
}

/** For a step whose event carries all of its decisions. */
export function interpretationOf(heard: Heard, facts: StepFacts): Interpretation {
  return { state: heard.state, facts: { ...facts, left: heard.left }, next: () => heard };
}

/** A step that reads an answer at the node that listens. On a campaign's call 9 removes the number, where 9 is no option. */
export function listens(
  name: "voice-menu-handler" | "voice-consent-speech",
  event: StepFacts["event"],
): TwimlStep {
  return {
    name,
    dials: true,
    interpret({ state, fields }, version) {
      const input = { digits: fields.Digits, speech: fields.SpeechResult };
      if (!isOutbound(fields) || !wantsNoCalls(version, state, input)) {
        return interpretationOf(hear(version, state, input), { event });
      }
      const after = nextState(version, state);
      return {
        state: after,
        facts: { event: "key_pressed" },
        ask: { stop: input.digits === undefined ? "speech" : "key" },
        next: (_version, { kind }) => [
          own(
            speechOf(version.flow, after.language!),
            kind === "accepted" ? "removed" : "notRemoved",
          ),
          { verb: "hangup" },
        ],
      };
    },
  };
}
