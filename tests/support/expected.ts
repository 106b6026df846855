// What several steps answer or record alike, written out once: tests compare with these words, not with the code's.

import { BUSINESS, CALL_SID, CALLER, LINE_NUMBER, PUBLIC_URL, SALES, SUPPORT } from "./webhook.ts";

/** What a caller hears about recording where staying on the line agrees to it. */
export const DISCLOSURE =
  "This call may be recorded, for quality and training. By staying on the line you agree to it. To go on without recording, say no recording, or press 3.";

/** It as URLs and events name it, and what is heard where only a yes agrees. */
export const DISCLOSED = "opt_out-3-en-US-24d8ec8de64459833645ec75a7a2d926";
export const DISCLOSED_OPT_IN = "opt_in-3-en-US-55e1918e64f9dacda5369052af18d81e";

/** It as events bring it, for the table that keeps its words. */
export const SPOKEN = {
  name: DISCLOSED,
  policy: "opt_out",
  key: "3",
  language: "en-US",
  words: DISCLOSURE,
} as const;

/** The settings' flow, as URLs name it. */
export const FLOW = "default-e40b8a1c";

/** What URLs tell of the first asking of a node, as XML has it. */
export const at = (node: string, turn: number, more = "") =>
  `turn=${turn}&amp;attempt=1&amp;flow=${FLOW}&amp;node=${node}&amp;language=en-US${more}`;

/** What each event has that is about the caller's own leg, once the caller is on the line. */
export const CALLER_ON_THE_LINE = {
  call_sid: CALL_SID,
  leg_sid: CALL_SID,
  status: "in-progress",
  call_status: "in-progress",
  from_e164: CALLER,
  to_e164: LINE_NUMBER,
  occurred_at: "2026-03-04T05:06:07.000Z",
} as const;

/** What the database is asked by a step that may dial. */
export const DIALS = {
  ask: { dials: { to: [SALES, SUPPORT, BUSINESS, CALLER], leg_sec: 3600, day_sec: 3_600_000 } },
} as const;

/** The outline of a message that is asked for and taken. */
export const VOICEMAIL = [
  "Say: Please leave a message after the tone. Press pound when you are done.",
  "Record",
  "Say: We did not hear a message. Goodbye.",
  "Hangup",
] as const;

/** A TwiML document of these verbs. */
export const response = (...verbs: string[]) =>
  `<?xml version="1.0" encoding="UTF-8"?><Response>${verbs.join("")}</Response>`;

export const say = (text: string, voice = ' voice="Polly.Joanna"') =>
  `<Say${voice} language="en-US">${text}</Say>`;

/** Fetched while a caller waits: tried again soon, and then given up. */
const WAITED_FOR = "#rc=2&amp;rp=5xx,ct,rt&amp;ct=2000&amp;rt=6500";
/** Nobody waits: delivered again until it is kept. */
const CALLED_BACK = "#rc=4&amp;rp=5xx,ct,rt";

/** A message is asked for and taken. @param query Of each URL, as XML has it. @param voice As `say` takes it. */
export function takeMessage(query: string, voice?: string): string {
  const url = (event: string) => `${PUBLIC_URL}/voice-voicemail?event=${event}&amp;${query}`;
  return say("Please leave a message after the tone. Press pound when you are done.", voice) +
    `<Record action="${url("recorded")}${WAITED_FOR}" method="POST" ` +
    'maxLength="120" timeout="5" finishOnKey="#" playBeep="true" ' +
    `recordingStatusCallback="${url("recording")}${CALLED_BACK}" ` +
    'recordingStatusCallbackMethod="POST" recordingStatusCallbackEvent="completed absent" ' +
    `transcribe="true" transcribeCallback="${url("transcription")}${CALLED_BACK}"/>` +
    `${say("We did not hear a message. Goodbye.", voice)}<Hangup/>`;
}

/** A person is dialled. @param query Of each URL, as XML has it. */
export function dial(
  number: string,
  query: string,
  { recorded = false, callerId = "" } = {},
): string {
  const callback = `${PUBLIC_URL}/voice-status?${query}${CALLED_BACK}`;
  const record = ` record="record-from-answer-dual" recordingStatusCallback="${callback}" ` +
    'recordingStatusCallbackMethod="POST" recordingStatusCallbackEvent="completed absent"';
  return `<Dial action="${PUBLIC_URL}/voice-route-action?${query}${WAITED_FOR}" ` +
    `method="POST" timeout="20" timeLimit="3600"${callerId && ` callerId="${callerId}"`}` +
    `${recorded ? record : ""}>` +
    `<Number statusCallback="${callback}" statusCallbackMethod="POST" ` +
    `statusCallbackEvent="initiated ringing answered completed">${number}</Number></Dial>`;
}
