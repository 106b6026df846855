import { callEvent, childLegEvent } from "../_shared/calls/events.ts";
import { recordingFacts } from "../_shared/calls/recording.ts";
import { stateBefore } from "../_shared/calls/step.ts";
import type { Deps } from "../_shared/deps.ts";
import { callbackHandler, type Handler } from "../_shared/webhook.ts";

/** Status callbacks: of the call, of the legs that it dialled, of a conversation's recording. */
export function createHandler(deps: Deps): Handler {
  return callbackHandler(deps, {
    name: "voice-status",

    interpret(webhook) {
      const { fields } = webhook;
      const state = stateBefore(webhook);

      // A leg's own `completed` has a RecordingSid too, where the conversation was recorded.
      // Source: https://www.twilio.com/docs/voice/twiml/number#attributes-status-callback-event
      if (fields.RecordingStatus !== undefined && fields.RecordingSid !== undefined) {
        const facts = {
          event: "recording",
          identity: `recording-${fields.RecordingSid}-${fields.RecordingStatus}`,
          status: fields.RecordingStatus,
          ...recordingFacts(fields, "dial"),
        } as const;
        // A person who was called for a waiting caller is recorded on a leg of their own.
        return fields.ParentCallSid === undefined
          ? callEvent("voice-status", webhook, state, facts)
          : childLegEvent("voice-status", webhook, fields.ParentCallSid, state, facts);
      }
      if (fields.CallStatus === undefined) {
        return { issues: [{ field: "CallStatus", message: "must be given" }] };
      }
      // Twilio repeats a callback unchanged. A different one is another event, and the fold takes both in any order.
      const { CallSid, CallStatus, SequenceNumber, CallDuration, Timestamp } = fields;
      const identity = [CallSid, CallStatus, SequenceNumber, CallDuration, Timestamp?.getTime()]
        .join("-");
      if (fields.ParentCallSid === undefined) {
        return callEvent("voice-status", webhook, state, { event: "status", identity });
      }
      const answered = fields.CallStatus === "in-progress" || fields.CallStatus === "completed";
      return childLegEvent("voice-status", webhook, fields.ParentCallSid, state, {
        event: "leg_status",
        identity,
        leg_status: fields.CallStatus,
        talk_sec: answered ? fields.CallDuration ?? 0 : undefined,
      });
    },
  });
}
