import type { LineChanges } from "../onboarding/line.ts";
import { type DataApi, run } from "./client.ts";

/** An onboarded account as the database has it. */
export interface TenantRow {
  readonly org_id: string;
  /** From Vault. */
  readonly token?: string | undefined;
  /** Where there is no Vault; see `onboarding/seal.ts`. */
  readonly sealed_token: string | null;
  /** What differs from the default line, by number. */
  readonly lines: Readonly<Record<string, LineChanges>>;
}

/** `null`: no onboarded account. Rejects when the database does not answer. */
export type ReadTenant = (accountSid: string) => Promise<TenantRow | null>;

/** @param deadlineMs A caller waits for it, and for what comes after it. */
export function tenantRows(api: DataApi, deadlineMs = 1000): ReadTenant {
  return (accountSid) => run(api, "telephony_tenant", { p_account_sid: accountSid }, deadlineMs);
}
