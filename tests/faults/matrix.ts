// The steps of a call as the fault matrix has them: what Twilio sends, and what has to come of it when nothing
// can be written at that moment. docs/faults.md tells the same in words.

import type { FunctionName } from "../../supabase/functions/_shared/functions.ts";
import { DISCLOSED } from "../support/expected.ts";
import {
  BUSINESS,
  callReported,
  dialEnded,
  incomingCall,
  legReported,
  onTheLine,
  type Params,
  pressed,
  recordEnded,
  recordingReported,
  SALES,
  SUPPORT,
  transcriptionReported,
} from "../support/webhook.ts";

/**
 * What a step comes to, as a code of docs/faults.md: the caller hears the menu, a person is dialled, a
 * message is asked for, the message is thanked for; Twilio is asked to deliver again.
 */
export type Outcome = "menu" | "dial" | "message" | "thanks" | "again";

export interface FaultyStep {
  /** The column of docs/faults.md. */
  readonly name: string;
  readonly to: FunctionName;
  readonly query: string;
  readonly params: Params;
  readonly outcome: Outcome;
  /** Whom `dial` dials. */
  readonly dials?: string;
  /** What the call's row holds when Twilio's next webhook, or its retry, has been kept. */
  readonly row: Readonly<Record<string, unknown>>;
  /** The event in `call_lifecycle` that a callback becomes. */
  readonly event?: string;
}

/** A choice was made and recording agreed to, as the URL of a later step tells it. */
const AGREED = `turn=2&attempt=1&disclosed=${DISCLOSED}&consent=stayed-1&mode=sales-1`;
const agreed = { mode: "sales", consent_given: true };
/** Told now: a time that no callback could have would be ours instead. */
const answeredLeg = legReported("in-progress", { Timestamp: new Date().toUTCString() });
const RECORDING = { recording_sid: recordEnded.RecordingSid };

export const STEPS: readonly FaultyStep[] = [
  {
    name: "frontdoor",
    to: "voice-frontdoor",
    query: "",
    params: incomingCall,
    outcome: "menu",
    row: { from_e164: incomingCall.From },
  },
  {
    name: "consent-speech",
    to: "voice-consent-speech",
    query: `?turn=1&attempt=1&disclosed=${DISCLOSED}`,
    params: pressed("1"),
    outcome: "dial",
    dials: SALES,
    row: agreed,
  },
  {
    name: "menu-handler",
    to: "voice-menu-handler",
    query: `?turn=2&attempt=1&disclosed=${DISCLOSED}&consent=no-1`,
    params: pressed("2"),
    outcome: "dial",
    dials: SUPPORT,
    row: { mode: "support", consent_given: false },
  },
  {
    name: "route",
    to: "voice-route",
    query: `?${AGREED}`,
    params: onTheLine,
    outcome: "dial",
    dials: SALES,
    row: agreed,
  },
  {
    name: "route-action",
    to: "voice-route-action",
    query: `?${AGREED}`,
    params: dialEnded("no-answer"),
    outcome: "message",
    row: { ...agreed, ...RECORDING },
  },
  {
    name: "action",
    to: "voice-action",
    query: `?${AGREED}`,
    params: pressed("0"),
    outcome: "dial",
    dials: BUSINESS,
    row: agreed,
  },
  {
    name: "voicemail",
    to: "voice-voicemail",
    query: `?${AGREED}`,
    params: onTheLine,
    outcome: "message",
    row: { ...agreed, ...RECORDING },
  },
  {
    name: "recorded",
    to: "voice-voicemail",
    query: `?event=recorded&${AGREED}`,
    params: recordEnded,
    outcome: "thanks",
    row: { ...agreed, ...RECORDING },
  },
  {
    name: "recording",
    to: "voice-voicemail",
    query: `?event=recording&${AGREED}`,
    params: recordingReported,
    outcome: "again",
    event: "recording",
    row: { ...agreed, ...RECORDING, recording_source: "voicemail", recording_duration_sec: 14 },
  },
  {
    name: "transcription",
    to: "voice-voicemail",
    query: `?event=transcription&${AGREED}`,
    params: transcriptionReported,
    outcome: "again",
    event: "transcription",
    row: { ...agreed, ...RECORDING, transcript: transcriptionReported.TranscriptionText },
  },
  {
    name: "status",
    to: "voice-status",
    query: "",
    params: callReported("completed", { CallDuration: "42", Duration: "1" }),
    outcome: "again",
    event: "status",
    row: { status: "completed", duration_sec: 42 },
  },
  {
    name: "status of a leg",
    to: "voice-status",
    query: `?${AGREED}`,
    params: answeredLeg,
    outcome: "again",
    event: "leg_status",
    row: { ...agreed, connected_at: new Date(answeredLeg.Timestamp) },
  },
  {
    name: "dial recording",
    to: "voice-status",
    query: `?${AGREED}`,
    params: { ...recordingReported, RecordingSource: "DialVerb", RecordingChannels: "2" },
    outcome: "again",
    event: "recording",
    row: { ...agreed, ...RECORDING, recording_source: "dial" },
  },
];

/**
 * What the matrix says of a fault and a step. Where the database did its work and only the answer was lost, a
 * callback is delivered again too, and was kept the first time.
 */
export function cell(fault: string, step: FaultyStep): string {
  if (step.outcome !== "again") return step.outcome;
  return ANSWER_LOST.includes(fault) ? "kept" : "again";
}

/** Faults behind the write: the event is kept, and nobody hears of it. */
export const ANSWER_LOST: readonly string[] = ["api-truncated", "api-stalled"];
