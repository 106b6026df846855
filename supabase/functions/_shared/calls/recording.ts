import type { StepFacts } from "./events.ts";
import type { WebhookFields } from "./webhook_form.ts";

/**
 * What a webhook tells of a recording. Nothing where there is none to keep: an empty one, or one that
 * Twilio reports as absent or failed.
 */
export function recordingFacts(
  fields: WebhookFields,
  source: "dial" | "voicemail",
): Partial<StepFacts> {
  const lost = fields.RecordingStatus === "absent" || fields.RecordingStatus === "failed";
  if (fields.RecordingSid === undefined || lost || fields.RecordingDuration === 0) return {};
  return {
    recording_sid: fields.RecordingSid,
    recording_url: fields.RecordingUrl,
    recording_source: source,
    recording_duration_sec: fields.RecordingDuration,
    // A failed transcription, or an empty one, leaves the message as it is.
    transcript: fields.TranscriptionStatus === "completed" ? fields.TranscriptionText : undefined,
  };
}
