import type { AcceptedCall, AcceptOutcome, VoiceEvent } from "../calls/events.ts";
import type { DataApi } from "./client.ts";

/** Accepts one event in one round trip; never rejects. */
export type AcceptVoiceEvent = (event: VoiceEvent) => Promise<AcceptOutcome>;

/** Leaves a step that a caller waits for its answer within 5 s, of the 15 s that Twilio grants. */
const DEADLINE_MS = 4000;

/** @param deadlineMs After this long without an answer the event counts as not accepted. */
export function voiceEvents(api: DataApi, deadlineMs = DEADLINE_MS): AcceptVoiceEvent {
  return async (event) => {
    try {
      const { data, error, status } = await api
        .rpc("accept_voice_event", { p_event: event })
        .abortSignal(AbortSignal.timeout(deadlineMs));
      if (error === null) {
        if (!isAnswer(data)) {
          return { kind: "unavailable", reason: "the Data API answered something else" };
        }
        const { admitted, duplicate, call } = data;
        return admitted ? { kind: "accepted", duplicate, call } : { kind: "rate_limited" };
      }
      if (error.code === "PT403") return { kind: "foreign" };
      if (error.code === "PT409") return { kind: "conflict" };
      // "Data exception" and "integrity constraint violation": the event's own fault. Anything else with 400
      // is the database's, and the same event may be accepted later.
      const ownFault = /^2[23]/.test(error.code) &&
        // Its month was being made at that moment.
        !/partition/.test(error.message);
      if (status === 400 && ownFault) return { kind: "refused", code: error.code };
      return { kind: "unavailable", reason: `Data API ${status} ${error.code}`.trim() };
    } catch (error) {
      return { kind: "unavailable", reason: error instanceof Error ? error.name : "unknown" };
    }
  };
}

function isAnswer(
  data: unknown,
): data is { duplicate: boolean; admitted: boolean; call: AcceptedCall } {
  const answer = data as
    | { duplicate?: unknown; admitted?: unknown; call?: Partial<AcceptedCall> }
    | null;
  return typeof answer?.duplicate === "boolean" && typeof answer.admitted === "boolean" &&
    typeof answer.call?.mode === "string";
}
