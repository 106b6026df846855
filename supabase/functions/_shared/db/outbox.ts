import { type DataApi, run } from "./client.ts";

/** A mail that is this worker's to send while its lease lasts. */
export interface ClaimedMail {
  readonly id: number;
  readonly kind: string;
  /** 1 goes first; see `claim_mails`. */
  readonly urgency: number;
  /** The same at each try: what Resend knows the mail by. */
  readonly idempotency_key: string;
  readonly recipient: string;
  /** What it says, the same at each try; `null`: what it was about is gone. */
  readonly content: unknown;
  readonly lease: string;
  readonly attempts: number;
}

export interface FailedTry {
  /** For operators; nothing personal. */
  readonly error: string;
  /** No other try can end otherwise. */
  readonly permanent: boolean;
  /** Nobody knows whether the mail was taken. */
  readonly uncertain: boolean;
}

/** The database's part of sending mails; each call rejects when the database does not answer. */
export interface Outbox {
  /**
   * The most urgent first.
   *
   * @param notifyTo The operator's address; without it, mails to the operator wait.
   * @param perHour Mails that are sent in any hour.
   */
  claim(limit: number, notifyTo: string | undefined, perHour: number): Promise<ClaimedMail[]>;
  /** False: the lease was lost. */
  sent(mail: ClaimedMail, providerId: string | undefined): Promise<boolean>;
  /** What became of the mail; `null`: the lease was lost. */
  failed(mail: ClaimedMail, failure: FailedTry): Promise<"pending" | "dead" | null>;
  /** Gives mails back untried, and holds all that are due and of no more than `urgency`; see `hold_mails`. */
  hold(
    mails: readonly ClaimedMail[],
    error: string,
    waitSec: number,
    urgency: number,
  ): Promise<void>;
  /** Deletes what was sent long ago. */
  purge(): Promise<number>;
  /** Notes that a run has come to its end. */
  ended(): Promise<void>;
}

/** @param deadlineMs For each call by itself. */
export function outbox(api: DataApi, deadlineMs = 10_000): Outbox {
  const call = (name: string, args: Record<string, unknown>) => run(api, name, args, deadlineMs);
  return {
    claim: (limit, notifyTo, perHour) =>
      call("claim_mails", {
        p_limit: limit,
        p_notify_to: notifyTo ?? null,
        p_per_hour: perHour,
      }),
    sent: ({ id, lease }, providerId) =>
      call("mail_sent", { p_id: id, p_lease: lease, p_provider_id: providerId ?? null }),
    failed: ({ id, lease }, { error, permanent, uncertain }) =>
      call("mail_failed", {
        p_id: id,
        p_lease: lease,
        p_error: error,
        p_permanent: permanent,
        p_uncertain: uncertain,
      }),
    hold: (mails, error, waitSec, urgency) =>
      call("hold_mails", {
        p_leases: mails.map((mail) => mail.lease),
        p_error: error,
        p_wait_sec: waitSec,
        p_urgency: urgency,
      }),
    purge: () => call("purge_outbox", {}),
    ended: () => call("record_worker_run", { p_worker: "notify-worker" }),
  };
}
