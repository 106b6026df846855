import { type DataApi, run } from "./client.ts";

/** A call that Twilio has to be asked about. */
export interface ClaimedCall {
  readonly call_sid: string;
  /** The sub-account that it belongs to; `null`: the main account. */
  readonly account_sid: string | null;
  /** Its end has not been reported. */
  readonly open: boolean;
  /** ISO 8601. */
  readonly started_at: string;
  readonly last_event_at: string;
}

/** A recording whose call was erased here, and which Twilio still has. */
export interface DoomedRecording {
  readonly recording_sid: string;
  /** The sub-account that it belongs to; `null`: the main account. */
  readonly subaccount_sid: string | null;
}

/** Rows deleted, by table. */
export type Purged = Readonly<Record<string, number>>;

/** The database's part of reconciliation; each call rejects when the database does not answer. */
export interface Reconciliation {
  claim(limit: number): Promise<ClaimedCall[]>;
  /** At most `limit` sub-accounts, others each minute. */
  accounts(limit: number): Promise<string[]>;
  /** Those of `calls` that are to one of our numbers and have no row. */
  unknown(calls: readonly { call_sid: string; to_e164: string }[]): Promise<string[]>;
  purge(): Promise<Purged>;
  /** Recordings to delete now; each is claimed again later, unless `recordingDeleted` is told of it. */
  claimRecordings(limit: number): Promise<DoomedRecording[]>;
  recordingDeleted(recordingSid: string): Promise<void>;
}

/** @param deadlineMs For each call by itself, in milliseconds. */
export function reconciliation(api: DataApi, deadlineMs = 10_000): Reconciliation {
  const call = (name: string, args: Record<string, unknown>) => run(api, name, args, deadlineMs);
  return {
    claim: (limit) => call("claim_calls_to_reconcile", { p_limit: limit }),
    accounts: (limit) => call("accounts_to_check", { p_limit: limit }),
    unknown: (calls) =>
      calls.length === 0 ? Promise.resolve([]) : call("unknown_calls", { p_calls: calls }),
    purge: () => call("purge_expired", {}),
    claimRecordings: (limit) => call("claim_recordings_to_delete", { p_limit: limit }),
    recordingDeleted: (sid) => call("recording_deleted", { p_recording_sid: sid }),
  };
}
