import type { AcceptOutcome, StepFacts } from "../calls/events.ts";
import type { Reply } from "../calls/reply.ts";
import type { CallState } from "../calls/state.ts";
import type { Webhook } from "../calls/webhook_form.ts";
import type { FunctionName } from "../functions.ts";
import type { Heard } from "./advance.ts";
import type { Version } from "./version.ts";

/** A step that the caller waits for. All of its functions are pure. */
export interface TwimlStep {
  readonly name: FunctionName;
  /** What the webhook means, before anything is known from the database. */
  interpret(webhook: Webhook, version: Version): Interpretation;
  /** The call's first: which version answers it is known only when the database has answered. */
  readonly arrives?: true;
  /** It may dial, whatever flow answers: the database is asked where to. */
  readonly dials?: true;
  /** Twilio asks for it when it could not play what it got before, so it must not fail for the same reason. */
  readonly isFallback?: true;
  /** What the caller gets when the step fails; by default an apology and voicemail. */
  whenFailed?(state: CallState): Reply;
}

/** What a step reads out of its webhook. */
export interface Interpretation {
  /** Where the call stands, as far as its event can tell. */
  readonly state: CallState;
  readonly facts: StepFacts;
  /** How the call goes on. @param version The one that answers the call, known by now. */
  next(version: Version, outcome: AcceptOutcome): Heard;
}

/** Of a step whose event tells all that it decides. */
export function interpretationOf(heard: Heard, facts: StepFacts): Interpretation {
  return { state: heard.state, facts: { ...facts, left: heard.left }, next: () => heard };
}
