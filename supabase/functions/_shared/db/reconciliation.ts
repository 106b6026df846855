import type { DataApi } from "./client.ts";

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
}

/** @param deadlineMs For each call by itself, in milliseconds. */
export function reconciliation(api: DataApi, deadlineMs = 10_000): Reconciliation {
  const run = async (name: string, args: Record<string, unknown>) => {
    const { data, error } = await api.rpc(name, args).abortSignal(AbortSignal.timeout(deadlineMs));
    if (error !== null) {
      throw new Error(`Cannot run ${name}: the database answered ${error.code || "nothing"}`);
    }
    return data;
  };
  return {
    claim: (limit) => run("claim_calls_to_reconcile", { p_limit: limit }),
    accounts: (limit) => run("accounts_to_check", { p_limit: limit }),
    unknown: (calls) =>
      calls.length === 0 ? Promise.resolve([]) : run("unknown_calls", { p_calls: calls }),
    purge: () => run("purge_expired", {}),
  };
}
