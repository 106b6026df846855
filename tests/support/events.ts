import * as fc from "fast-check";
import type { VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";
import {
  type ConsentDecision,
  consentOrder,
  isGranted,
} from "../../supabase/functions/_shared/calls/consent.ts";
import { CALL_STATUSES } from "../../supabase/functions/_shared/calls/webhook_form.ts";

let calls = 0;

/** A CallSid that no other test of this process uses. */
export function newCallSid(): string {
  const unique = crypto.randomUUID().replaceAll("-", "").slice(0, 24);
  return `CA${unique}${(calls++).toString(16).padStart(8, "0")}`;
}

/** A RecordingSid told apart by `n`. */
export function recordingSid(n: number): string {
  return `RE${n.toString(16).padStart(32, "0")}`;
}

/** An event of a call's arrival, with `changes` over it. */
export function voiceEvent(callSid: string, changes: Partial<VoiceEvent> = {}): VoiceEvent {
  return {
    operation: "voice-frontdoor",
    identity: "arrived",
    call_sid: callSid,
    leg_sid: callSid,
    event: "arrived",
    occurred_at: new Date().toISOString(),
    call_status: "ringing",
    from_e164: "+15551234567",
    to_e164: "+15877428885",
    meta: {},
    ...changes,
  };
}

const decision: fc.Arbitrary<ConsentDecision> = fc.record({
  basis: fc.constantFrom("stayed", "unsure", "yes", "no"),
  turn: fc.integer({ min: 1, max: 4 }),
});

/**
 * Any event that a call can have, drawn from small domains so that events meet: the same recording
 * told twice, choices at one turn, final states that disagree. `identity` is unique to each.
 */
export function anyEvent(callSid: string): fc.Arbitrary<VoiceEvent> {
  const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 });
  return fc.record({
    operation: fc.constantFrom("voice-status", "voice-menu-handler", "voice-voicemail"),
    identity: fc.uuid(),
    occurredAt: fc.integer({ min: 0, max: 600 }),
    status: maybe(fc.constantFrom(...CALL_STATUSES, "lost" as const)),
    numbered: fc.boolean(),
    duration: maybe(fc.integer({ min: 0, max: 90 })),
    choice: maybe(fc.record({
      mode: fc.constantFrom("sales", "support", "voicemail"),
      turn: fc.integer({ min: 1, max: 4 }),
    })),
    consent: maybe(decision),
    talk: maybe(fc.integer({ min: 0, max: 90 })),
    bridged: maybe(fc.boolean()),
    refused: fc.boolean(),
    recording: maybe(fc.record({
      sid: fc.integer({ min: 1, max: 3 }),
      source: fc.constantFrom("dial", "voicemail"),
      seconds: maybe(fc.integer({ min: 1, max: 120 })),
      lost: maybe(fc.constant(true)),
      transcript: maybe(fc.constantFrom("call me back", "it is urgent")),
    })),
    handoff: maybe(fc.constantFrom("caller_asked_for_a_human", "agent_gave_up")),
    step: fc.constantFrom(
      "status",
      "arrived",
      "consent",
      "menu",
      "dial_ended",
      "voicemail_offered",
      "leg_accepted",
    ),
    leg: maybe(fc.record({
      sid: fc.integer({ min: 1, max: 3 }),
      status: maybe(fc.constantFrom("initiated", "ringing", "busy", "canceled", "completed")),
      to: maybe(fc.constantFrom("+15550002001", "+15550002002")),
      node: maybe(fc.constantFrom("sales", "support")),
    })),
  }).map((e): VoiceEvent => ({
    operation: e.operation as VoiceEvent["operation"],
    identity: e.identity,
    call_sid: callSid,
    leg_sid: e.leg ? `CA${String(e.leg.sid).padStart(32, "0")}` : callSid,
    parent_call_sid: e.leg && callSid,
    event: e.step as VoiceEvent["event"],
    leg_status: e.leg?.status as VoiceEvent["leg_status"],
    leg_to: e.leg?.to,
    leg_node: e.leg?.node,
    occurred_at: new Date(Date.UTC(2026, 10, 1, 12, 0, e.occurredAt)).toISOString(),
    call_status: e.status,
    from_e164: e.numbered ? "+15551234567" : undefined,
    to_e164: e.numbered ? "+15877428885" : undefined,
    duration_sec: e.status === "completed" ? e.duration : undefined,
    mode: e.choice?.mode,
    mode_turn: e.choice?.turn,
    consent_given: e.consent && isGranted(e.consent),
    consent_order: e.consent && consentOrder(e.consent),
    talk_sec: e.talk,
    bridged: e.bridged,
    rate_limited: e.refused,
    recording_sid: e.recording && recordingSid(e.recording.sid),
    recording_url: e.recording && `https://api.twilio.com/Recordings/${e.recording.sid}`,
    recording_source: e.recording?.source as "dial" | "voicemail" | undefined,
    recording_duration_sec: e.recording?.seconds,
    recording_lost: e.recording?.lost,
    transcript: e.recording?.transcript,
    handoff_reason: e.handoff,
    meta: {},
  }));
}
