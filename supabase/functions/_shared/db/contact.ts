import * as z from "zod/mini";
import type { ContactLimit } from "../contact/limits.ts";
import type { ContactMessage } from "../contact/submission.ts";
import { type DataApi, rpc } from "./client.ts";

export interface ContactSubmission {
  readonly message: ContactMessage;
  /** Of the message, and of the receipt that its sender gets. */
  readonly limits: { readonly message: ContactLimit[]; readonly receipt: ContactLimit[] };
  /** A hash of the `Idempotency-Key`. */
  readonly key: string | undefined;
}

export type SubmitOutcome =
  | { readonly kind: "accepted"; readonly id: string; readonly duplicate: boolean }
  | { readonly kind: "rate_limited"; readonly retryAfterSec: number }
  /** Another message came before under this key. */
  | { readonly kind: "conflict" }
  /** It is not known whether anything was written. */
  | { readonly kind: "unavailable"; readonly reason: string };

/** Stores a message and enqueues its mails in one round trip; never rejects. */
export type SubmitContactMessage = (submission: ContactSubmission) => Promise<SubmitOutcome>;

const answer = z.discriminatedUnion("admitted", [
  z.object({ admitted: z.literal(true), id: z.string(), duplicate: z.boolean() }),
  z.object({ admitted: z.literal(false), retry_after_sec: z.number() }),
]);

/** @param deadlineMs After this long without an answer the message counts as not accepted. */
export function contactMessages(api: DataApi, deadlineMs = 5000): SubmitContactMessage {
  return async ({ message, limits, key }) => {
    try {
      const { data, error, status } = await rpc(api, "submit_contact_message", {
        p_message: message,
        p_limits: limits.message,
        p_receipt_limits: limits.receipt,
        ...(key !== undefined && { p_key: key }),
      }, deadlineMs);
      if (status === 409) return { kind: "conflict" };
      if (error !== null) {
        return { kind: "unavailable", reason: `Data API ${status} ${error.code}`.trim() };
      }
      const read = answer.safeParse(data);
      if (!read.success) {
        return { kind: "unavailable", reason: "the Data API answered something else" };
      }
      return read.data.admitted
        ? { kind: "accepted", id: read.data.id, duplicate: read.data.duplicate }
        : { kind: "rate_limited", retryAfterSec: read.data.retry_after_sec };
    } catch (error) {
      return { kind: "unavailable", reason: error instanceof Error ? error.name : "unknown" };
    }
  };
}
