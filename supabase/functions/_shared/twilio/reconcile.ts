import { callerNumber, isE164 } from "../phone.ts";
import type { TwilioCall, TwilioExchange, TwilioRecording } from "./rest.ts";
import { type CallEventName, consentEvidence, decided, type VoiceEvent } from "../calls/events.ts";
import { type CallState, decodeState } from "../calls/state.ts";
import { CALL_STATUSES } from "../calls/webhook_form.ts";

// Turns Twilio's REST resources of a call into events, which are folded like webhooks and have one effect when repeated.

export function isFinal(status: TwilioCall["status"]): boolean {
  return CALL_STATUSES.indexOf(status) >= CALL_STATUSES.indexOf("canceled");
}

/** The end of a call; only of one that has ended. */
export function endedEvent(call: TwilioCall): VoiceEvent {
  return {
    ...base(call.sid, `call-${call.status}`, "reconciled", call.end_time ?? call.start_time),
    status: call.status,
    call_status: call.status,
    from_e164: callerNumber(call.from ?? undefined) ?? undefined,
    to_e164: call.to && isE164(call.to) ? call.to : undefined,
    duration_sec: call.duration ?? undefined,
  };
}

/** A leg that the call dialled, with whether it was answered. */
export function childEvent(parentSid: string, leg: TwilioCall): VoiceEvent {
  return {
    ...base(
      parentSid,
      `leg-${leg.sid}-${leg.status}`,
      "leg_reconciled",
      leg.end_time ?? leg.start_time,
    ),
    leg_sid: leg.sid,
    parent_call_sid: parentSid,
    status: leg.status,
    leg_status: leg.status,
    leg_to: leg.to && isE164(leg.to) ? leg.to : undefined,
    talk_sec: leg.status === "completed" ? leg.duration ?? 0 : undefined,
  };
}

/**
 * A recording with its transcript, if any, or the fact that it is empty; `undefined` while it is not finished.
 */
export function recordingEvent(
  callSid: string,
  { sid, status, source, duration, date_created }: TwilioRecording,
  url: string,
  transcript: string | undefined,
): VoiceEvent | undefined {
  const isLost = status === "absent" || status === "failed" || (duration ?? 1) <= 0;
  if (!isLost && status !== "completed") return undefined;
  const told = isLost ? "lost" : transcript === undefined ? "recording" : "transcript";
  return {
    ...base(callSid, `${told}-${sid}`, "recording_reconciled", date_created),
    status,
    recording_sid: sid,
    recording_source: source === "DialVerb" ? "dial" : "voicemail",
    ...(isLost ? { recording_lost: true } : {
      recording_url: url,
      recording_duration_sec: duration ?? undefined,
      transcript,
    }),
  };
}

/**
 * The decisions on a call, from Twilio's log of it: the last of our URLs that Twilio got or called. `undefined` when the log
 * has none of our URLs.
 */
export function lastState(
  log: readonly TwilioExchange[],
  functionsUrl: string,
): CallState | undefined {
  let last: CallState | undefined;
  for (const { request, response } of log) {
    // A line's spoken text comes from its owner, who could write such a URL there.
    const twiml = (response?.response_body ?? "").replaceAll(/<Say\b[^>]*>[^<]*<\/Say>/g, "");
    const text = `${request?.url ?? ""} ${twiml}`.replaceAll("&amp;", "&");
    for (const ours of text.split(`${functionsUrl}/voice-`).slice(1)) {
      const query = /^[a-z-]+\?([^\s"<#]*)/.exec(ours)?.[1] ?? "";
      const state = decodeState(new URLSearchParams(query));
      if (state !== undefined && state.turn >= (last?.turn ?? 0)) last = state;
    }
  }
  return last;
}

/** Everything that Twilio has about a call is stored; it is not asked about again. */
export function settledEvent(
  call: TwilioCall,
  state: CallState | undefined,
): VoiceEvent {
  return {
    ...base(call.sid, "settled", "settled", call.end_time ?? call.start_time),
    ...decided(state ?? {}),
    meta: { ...(state && consentEvidence(state)) },
  };
}

/** Twilio does not know the call, or no longer. */
export function unknownEvent(callSid: string, lastEventAt: string): VoiceEvent {
  return base(callSid, "settled", "settled", lastEventAt);
}

/** The end of a call with an unknown end: the time of its last event. */
export function lostEvent(callSid: string, lastEventAt: string): VoiceEvent {
  return {
    ...base(callSid, "lost", "closed_unheard", lastEventAt),
    call_status: "lost",
  };
}

function base(
  callSid: string,
  identity: string,
  event: CallEventName,
  time: string | null | undefined,
) {
  return {
    operation: "voice-reconcile" as const,
    identity,
    call_sid: callSid,
    leg_sid: callSid,
    event,
    occurred_at: new Date(time ?? Date.now()).toISOString(),
    meta: {},
  };
}
