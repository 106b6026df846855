import { callEvent } from "../_shared/calls/events.ts";
import { recordingFacts } from "../_shared/calls/recording.ts";
import { MESSAGE_SILENCE_SEC, own, plainly } from "../_shared/calls/reply.ts";
import { type CallbackStep, stateBefore } from "../_shared/calls/step.ts";
import type { WebhookFields } from "../_shared/calls/webhook_form.ts";
import type { Deps } from "../_shared/deps.ts";
import { messageTaken, nextState } from "../_shared/flows/advance.ts";
import { interpretationOf, type TwimlStep } from "../_shared/flows/step.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import { callbackHandler, type Handler } from "../_shared/webhook.ts";

/** Asks for a message. This is also the number's fallback URL, for when another document could not be played. */
const prompt: TwimlStep = {
  isFallback: true,
  name: "voice-voicemail",
  interpret: (webhook, version) =>
    interpretationOf({ state: nextState(version, webhook.state), words: [], to: "message" }, {
      event: "voicemail_offered",
    }),
};

/**
 * `<Record action>`: a message or only silence. Twilio trims and measures the recording later, so a length of little more
 * than the closing silence proves neither. The recording's callback decides.
 * Source: https://www.twilio.com/docs/voice/twiml/record
 */
const recorded: TwimlStep = {
  name: "voice-voicemail",
  interpret(webhook, version) {
    const recording = recordingFacts(webhook.fields, "voicemail");
    const exists = recording.recording_sid !== undefined && !recording.recording_lost;
    const { Digits, RecordingDuration = 0 } = webhook.fields;
    const spoken = Digits !== undefined || RecordingDuration > MESSAGE_SILENCE_SEC + 1;
    const message = !exists ? "none" : spoken ? "heard" : "unsure";
    return interpretationOf(messageTaken(version, webhook.state, message), {
      event: "voicemail_recorded",
      identity: `recorded-${recording.recording_sid ?? "nothing"}`,
      ...recording,
    });
  },
  // Twilio has the recording and reports it by callback, so the caller is not asked again.
  whenFailed: ({ language }) => [own(plainly(language), "called", "goodbye"), { verb: "hangup" }],
};

/** The facts of `recordingStatusCallback` or `transcribeCallback`. */
function reported(fields: WebhookFields, event: "recording" | "transcription") {
  const status = event === "recording" ? fields.RecordingStatus : fields.TranscriptionStatus;
  return {
    event,
    identity: `${event}-${fields.RecordingSid}-${status ?? "unknown"}`,
    status,
    ...recordingFacts(fields, "voicemail"),
  };
}

/** `recordingStatusCallback` and `transcribeCallback`, in either order. */
function callback(event: "recording" | "transcription"): CallbackStep {
  return {
    name: "voice-voicemail",
    interpret(webhook) {
      const { fields } = webhook;
      if (fields.RecordingSid === undefined) {
        return { issues: [{ field: "RecordingSid", message: "must be given" }] };
      }
      return callEvent("voice-voicemail", webhook, stateBefore(webhook), reported(fields, event));
    },
  };
}

/**
 * The address without `event`, as entered by hand. A request about a message is stored and not answered by asking for
 * another one. A recorded conversation, which a fallback may report too, is not a message.
 */
const bare: TwimlStep = {
  ...prompt,
  interpret(webhook, version) {
    const { fields } = webhook;
    if (fields.RecordingSid === undefined || fields.DialCallStatus !== undefined) {
      return prompt.interpret(webhook, version);
    }
    const event = fields.TranscriptionStatus !== undefined
      ? "transcription"
      : fields.RecordingStatus !== undefined
      ? "recording"
      : undefined;
    const message = recorded.interpret(webhook, version);
    return event === undefined ? message : { ...message, facts: reported(fields, event) };
  },
};

/** A caller leaves a message; `event` in the URL says which part of that a request is about. */
export function createHandler(deps: Deps): Handler {
  const parts: Record<string, Handler> = {
    recorded: twimlHandler(deps, recorded),
    recording: callbackHandler(deps, callback("recording")),
    transcription: callbackHandler(deps, callback("transcription")),
  };
  const offer = twimlHandler(deps, bare);
  return (request) => {
    const event = new URL(request.url).searchParams.get("event") ?? "";
    return (Object.hasOwn(parts, event) ? parts[event]! : offer)(request);
  };
}
