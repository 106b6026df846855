import * as z from "zod/mini";
import { type DataApi, run } from "./client.ts";

/** Where a voicemail's recording is at Twilio; `null`: there is none. Rejects when the database does not answer. */
export type VoicemailRecordingUrl = (
  callSid: string,
  recordingSid: string,
) => Promise<string | null>;

/** @param deadlineMs Short, because a listener waits. */
export function voicemailRecordingUrl(api: DataApi, deadlineMs = 5000): VoicemailRecordingUrl {
  return (callSid, recordingSid) =>
    run(
      api,
      "voicemail_recording_url",
      {
        p_call_sid: callSid,
        p_recording_sid: recordingSid,
      },
      z.nullable(z.string()),
      deadlineMs,
    );
}
