import * as z from "zod/mini";
import type { AttemptAnswer, AttemptTold } from "../calls/events.ts";
import { type DataApi, run } from "./client.ts";

/** As `attempt_told` answers. */
export const attemptAnswer: z.ZodMiniType<AttemptAnswer> = z.object({
  purpose: z.enum(["person", "callback_person", "verify", "campaign"]),
  won: z.boolean(),
  over: z.boolean(),
  why: z.optional(z.string()),
  call_sid: z.optional(z.string()),
  queue: z.optional(z.string()),
  to: z.optional(z.string()),
  transferred_by: z.optional(z.string()),
  may_transfer: z.optional(z.boolean()),
  summary: z.optional(z.string()),
  caller: z.optional(z.object({ name: z.optional(z.string()), calls: z.number() })),
  transfer: z.optional(z.object({
    state: z.enum(["made", "busy", "unknown", "gone"]),
    to: z.optional(z.string()),
  })),
  machine: z.optional(z.enum(["hang_up", "message", "flow"])),
  abandoned: z.optional(z.boolean()),
  wake: z.optional(z.number()),
});

/** What `job_content` says of a `dial` or `dial_end` job: the leg to make, or to end. */
export const dial = z.object({
  purpose: z.enum(["person", "callback_person", "verify", "campaign"]),
  to: z.string(),
  /** The line: whose number the telephone shows. */
  line: z.string(),
  /** `null`: the main account. */
  account_sid: z.nullable(z.string()),
  /** The call that it serves, or in which a call back was promised; `null`: none. */
  call_sid: z.nullable(z.string()),
  group: z.nullable(z.string()),
  node: z.nullable(z.string()),
  /** How long it rings. */
  seconds: z.number(),
  state: z.enum(["intended", "created", "unknown", "refused"]),
  leg_sid: z.nullable(z.string()),
  decided_at: z.string(),
  /** When Twilio was asked for the leg; `null`: not yet. */
  dialled_at: z.nullable(z.string()),
  /** The hash of the flow's version, whose words are spoken. */
  flow: z.nullable(z.string()),
  person: z.nullable(z.string()),
  /** Known beforehand where the call holds alone: the caller's number, and Twilio's permission to show it. */
  caller: z.nullable(z.string()),
  call_token: z.nullable(z.string()),
  /** Who has transferred the caller; `null`: nobody. `returned`: to the very person who is rung. */
  transferred_by: z.nullable(z.string()),
  returned: z.boolean(),
  /** The person has accepted, and may be talking. */
  talks: z.boolean(),
});
export type Dial = Readonly<z.infer<typeof dial>>;

/** What `job_content` says of a `queue_check` job: a call that holds, and of which nothing was heard for minutes. */
export const heldCall = z.object({
  account_sid: z.nullable(z.string()),
  call_sid: z.string(),
  org_id: z.nullable(z.string()),
  /** A group; of a queue of the call's own, the call. */
  queue: z.string(),
  queued_at: z.string(),
});

/** What `job_content` says of a `queue_delete` job; `null`: the main account. */
export const ofAccount = z.object({ account_sid: z.nullable(z.string()) });

/** What `job_content` says of a `missed_call_sms` job. */
export const missedCallText = z.object({
  to: z.string(),
  /** The line that was called. */
  from: z.string(),
  account_sid: z.nullable(z.string()),
  text: z.string(),
});

/** What Twilio said of the leg that it was asked for. */
export type DialOutcome =
  | { readonly state: "created"; readonly leg: string }
  | { readonly state: "refused" }
  /** It was asked again, and has no such leg. */
  | { readonly state: "intended" };

const dialAnswer = z.object({
  /** The leg is to be ended. */
  over: z.boolean(),
  /** It is the leg of another attempt. */
  other: z.optional(z.boolean()),
  /** How many others are to be dialled now. */
  wake: z.number(),
});

/** Attempts to reach a person by telephone; each call rejects when the database does not answer. */
export interface Dialling {
  /**
   * To be asked just before Twilio is.
   *
   * @returns `dial`, once for each attempt; `ask`: the leg may exist, so Twilio is asked for it first; `over`: nothing is to
   * be dialled.
   */
  begin(token: string): Promise<"dial" | "ask" | "over">;
  /**
   * Takes the next slot of the account's time for the leg, among all that is dialled for it.
   *
   * @returns the milliseconds until then; `null`: more than `mostMs`.
   */
  slot(token: string, mostMs: number): Promise<number | null>;
  told(token: string, outcome: DialOutcome): Promise<Readonly<z.infer<typeof dialAnswer>>>;
  /**
   * What the leg of an attempt tells outside a call: of a promise, or of a verification.
   *
   * @param account The sub-account that says so; `null`: the main account.
   * @param status In Twilio's word.
   * @returns null: the account's owner has no such attempt.
   */
  legTold(
    account: string | null,
    token: string,
    leg: string,
    status: string,
    what?: AttemptTold,
  ): Promise<AttemptAnswer | null>;
  /** Dials for a promise that is due; while it is dialled: nothing. @returns How many are to be dialled. */
  keepPromise(id: string): Promise<number>;
  /**
   * What Twilio says of a call that holds: `waiting` in its queue; `left` the queue and still on the line; `ended`.
   *
   * @returns How many are to be dialled.
   */
  queueTold(callSid: string, state: "waiting" | "left" | "ended"): Promise<number>;
  /**
   * Puts a number on the list of those who said stop to a line of this account; `null`: the main account.
   *
   * @param source How it was said, as `sms`.
   */
  suppress(account: string | null, e164: string, source: string): Promise<void>;
}

/** @param deadlineMs For each call by itself. */
export function dialling(api: DataApi, deadlineMs = 4000): Dialling {
  return {
    begin: (token) =>
      run(api, "begin_dial", { p_token: token }, z.enum(["dial", "ask", "over"]), deadlineMs),
    slot: (token, mostMs) =>
      run(
        api,
        "take_dial_slot",
        { p_token: token, p_most: mostMs },
        z.nullable(z.number()),
        deadlineMs,
      ),
    told: (token, outcome) =>
      run(
        api,
        "dial_told",
        {
          p_token: token,
          p_state: outcome.state,
          p_leg_sid: outcome.state === "created" ? outcome.leg : null,
        },
        dialAnswer,
        deadlineMs,
      ),
    legTold: (account, token, leg, status, what) =>
      run(
        api,
        "leg_told",
        {
          p_token: token,
          p_leg_sid: leg,
          p_status: status,
          p_told: what ?? null,
          p_account_sid: account,
        },
        z.nullable(attemptAnswer),
        deadlineMs,
      ),
    keepPromise: (id) => run(api, "keep_promise", { p_id: id }, z.number(), deadlineMs),
    queueTold: (callSid, state) =>
      run(api, "queue_told", { p_call_sid: callSid, p_state: state }, z.number(), deadlineMs),
    async suppress(account, e164, source) {
      await run(
        api,
        "suppress",
        { p_account_sid: account, p_e164: e164, p_source: source },
        z.null(),
        deadlineMs,
      );
    },
  };
}
