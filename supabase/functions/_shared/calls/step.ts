import type { FunctionName } from "../functions.ts";
import type { AcceptOutcome, StepFacts, VoiceEvent } from "./events.ts";
import type { LineProfile } from "./profile.ts";
import type { Dialling, Reply } from "./reply.ts";
import { ARRIVAL, type CallState } from "./state.ts";
import type { Issue } from "../errors.ts";
import type { Webhook } from "./webhook_form.ts";

/** What a step reads out of its webhook, before anything is known of the call. */
export interface Interpretation<Heard> {
  /** Where the call stands after this step. */
  readonly state: CallState;
  readonly facts: StepFacts;
  /** What `answer` needs to know of it. */
  readonly heard: Heard;
}

/** What a step answers from. */
export interface Answering<Heard> extends Dialling {
  readonly line: LineProfile;
  readonly state: CallState;
  readonly heard: Heard;
  readonly outcome: AcceptOutcome;
}

/** A step that the caller waits for. All of its functions are pure. */
export interface TwimlStep<Heard> {
  readonly name: FunctionName;
  interpret(webhook: Webhook, line: LineProfile): Interpretation<Heard>;
  answer(call: Answering<Heard>): Reply;
  /** It may dial: the database is asked where to. */
  readonly dials?: true;
  /** Twilio asks for it when it could not play what it got before, so it must not fail for the same reason. */
  readonly isFallback?: true;
  /** What the caller gets when the step fails; by default an apology and voicemail. */
  whenFailed?(line: LineProfile, state: CallState): Reply;
}

/** A callback that nobody waits for: it has an effect, and no answer. Pure. */
export interface CallbackStep {
  readonly name: FunctionName;
  /** @returns the event, or the parameters that are missing. */
  interpret(webhook: Webhook): VoiceEvent | { readonly issues: readonly Issue[] };
}

/** Where a call stands before a step, as far as its URL tells. */
export function stateBefore(webhook: Pick<Webhook, "state">): CallState {
  return webhook.state ?? ARRIVAL;
}

/** Where it stands after one that decides nothing. */
export function nextTurn(webhook: Pick<Webhook, "state">): CallState {
  const before = stateBefore(webhook);
  return { ...before, turn: before.turn + 1 };
}
