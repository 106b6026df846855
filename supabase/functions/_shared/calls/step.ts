import type { FunctionName } from "../functions.ts";
import type { Issue } from "../errors.ts";
import type { VoiceEvent } from "./events.ts";
import { ARRIVAL, type CallState } from "./state.ts";
import type { Webhook } from "./webhook_form.ts";

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
