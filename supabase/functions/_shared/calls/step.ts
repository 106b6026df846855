import type { FunctionName } from "../functions.ts";
import type { Issue } from "../errors.ts";
import type { VoiceEvent } from "./events.ts";
import { ARRIVAL, type CallState } from "./state.ts";
import type { Webhook } from "./webhook_form.ts";

/** A callback: it has an effect and no answer, because no caller waits. Pure. */
export interface CallbackStep {
  readonly name: FunctionName;
  /** @returns the event, or the parameters that are missing. */
  interpret(webhook: Webhook): VoiceEvent | { readonly issues: readonly Issue[] };
}

/** The state of a call before a step, from its URL. */
export function stateBefore(webhook: Pick<Webhook, "state">): CallState {
  return webhook.state ?? ARRIVAL;
}
