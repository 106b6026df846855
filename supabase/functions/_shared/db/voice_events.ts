import * as z from "zod/mini";
import type { AcceptedCall, AcceptOutcome, VoiceEvent } from "../calls/events.ts";
import { CALL_STATUSES } from "../calls/webhook_form.ts";
import { type DataApi, rpc } from "./client.ts";
import { attemptAnswer } from "./dialling.ts";
import { flowBody } from "./flows.ts";

const answer: z.ZodMiniType<{ duplicate: boolean; admitted: boolean; call: AcceptedCall }> = z
  .object({
    duplicate: z.boolean(),
    admitted: z.boolean(),
    call: z.object({
      status: z.enum([...CALL_STATUSES, "lost"]),
      mode: z.string(),
      consent_given: z.nullable(z.boolean()),
      facts: z.optional(z.object({
        flow: z.optional(
          z.partial(flowBody, { definition: true, flows: true, hours: true, missing_audio: true }),
        ),
        calendars: z.optional(z.record(z.string(), z.enum(["open", "closed"]))),
        returning: z.optional(z.boolean()),
        own_lines: z.optional(z.array(z.string())),
        spent: z.optional(z.boolean()),
        people: z.optional(
          z.record(z.string(), z.object({ phone: z.string(), available: z.boolean() })),
        ),
        queues: z.optional(
          z.record(z.string(), z.object({ full: z.boolean() })),
        ),
        agent: z.optional(z.object({ barred: z.optional(z.string()) })),
        cannot_dial: z.optional(z.literal(true)),
        callable: z.optional(z.boolean()),
        longest_idle: z.optional(z.string()),
        callbacks: z.optional(z.record(z.string(), z.literal(true))),
        queue: z.optional(z.object({
          position: z.number(),
          ringing: z.optional(z.number()),
          taken: z.optional(z.literal(true)),
          wait: z.optional(
            z.object({ low_sec: z.number(), high_sec: z.number(), samples: z.number() }),
          ),
        })),
        gives_up: z.optional(z.boolean()),
        transfer: z.optional(z.enum(["held", "made"])),
        summary: z.optional(z.string()),
        attempt: z.optional(z.nullable(attemptAnswer)),
        self: z.optional(z.object({
          handle: z.string(),
          name: z.string(),
          available: z.boolean(),
          dnd_until: z.optional(z.string()),
        })),
        campaign: z.optional(z.boolean()),
        wake: z.optional(z.boolean()),
        blocked: z.optional(z.boolean()),
      })),
    }),
  });

/** Accepts one event in one round trip; never rejects. */
export type AcceptVoiceEvent = (event: VoiceEvent) => Promise<AcceptOutcome>;

/** Leaves a step that a caller waits for its answer within 5 s, of the 15 s that Twilio grants. */
const DEADLINE_MS = 4000;

/** @param deadlineMs After this long without an answer the event counts as not accepted. */
export function voiceEvents(api: DataApi, deadlineMs = DEADLINE_MS): AcceptVoiceEvent {
  return async (event) => {
    try {
      const { data, error, status } = await rpc(
        api,
        "accept_voice_event",
        { p_event: event },
        deadlineMs,
      );
      if (error === null) {
        const read = answer.safeParse(data);
        if (!read.success) {
          return { kind: "unavailable", reason: "the Data API answered something else" };
        }
        const { admitted, duplicate, call } = read.data;
        if (admitted) return { kind: "accepted", duplicate, call };
        return { kind: "rate_limited", ...(call.facts?.blocked && { blocked: true }) };
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
