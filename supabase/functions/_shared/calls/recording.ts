import type { RecordingFacts } from "./events.ts";
import type { WebhookFields } from "./webhook_form.ts";

/**
 * A webhook's facts about a recording, including that it does not exist, which Twilio reports as `absent`, as `failed`, or
 * by a length of 0 or -1 seconds.
 */
export function recordingFacts(
  fields: WebhookFields,
  source: "dial" | "voicemail",
): RecordingFacts {
  const { RecordingSid, RecordingStatus, RecordingDuration } = fields;
  if (RecordingSid === undefined) return {};
  const of = { recording_sid: RecordingSid, recording_source: source };
  const isLost = RecordingStatus === "absent" || RecordingStatus === "failed" ||
    (RecordingDuration !== undefined && RecordingDuration <= 0);
  if (isLost) return { ...of, recording_lost: true };
  return {
    ...of,
    recording_url: fields.RecordingUrl,
    recording_duration_sec: RecordingDuration,
    // A failed transcription, or an empty one, leaves the message as it is.
    transcript: fields.TranscriptionStatus === "completed" ? fields.TranscriptionText : undefined,
  };
}
