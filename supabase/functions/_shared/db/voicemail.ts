import * as z from "zod/mini";
import type { UserClaims } from "../user_token.ts";
import { type DataApi, run } from "./client.ts";
import { claimsOf } from "./members.ts";

/**
 * Where a recording is at Twilio; `null`: there is none. For a signed-in user: of a call that the user may see. Without a
 * user: a voicemail. Rejects when the database does not answer.
 */
export type RecordingUrl = (
  callSid: string,
  recordingSid: string,
  user?: UserClaims,
) => Promise<string | null>;

/** @param deadlineMs Short, because a listener waits. */
export function recordingUrl(api: DataApi, deadlineMs = 5000): RecordingUrl {
  return (callSid, recordingSid, user) =>
    run(
      api,
      "recording_url",
      {
        p_call_sid: callSid,
        p_recording_sid: recordingSid,
        ...(user && { p_claims: claimsOf(user) }),
      },
      z.nullable(z.string()),
      deadlineMs,
    );
}
