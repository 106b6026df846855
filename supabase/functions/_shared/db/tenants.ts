import { type DataApi, run } from "./client.ts";

/** An onboarded account as the database has it. */
export interface TenantRow {
  readonly org_id: string;
  /** Its onboarding is under way, and stores its token at the end. */
  readonly running?: boolean | undefined;
  /** From Vault. */
  readonly token?: string | undefined;
  /** Where there is no Vault; see `onboarding/seal.ts`. */
  readonly sealed_token: string | null;
  readonly business_name?: string | undefined;
}

/** The database's part of knowing tenants; each rejects when the database does not answer. */
export interface TenantDatabase {
  /** `null`: no onboarded account. */
  read(accountSid: string): Promise<TenantRow | null>;
  /** The SIDs of all onboarded accounts. */
  accounts(): Promise<string[]>;
  /** Replaces an account's auth token: in Vault, or sealed where there is none. */
  keepToken(
    accountSid: string,
    token: { readonly token: string } | { readonly sealed: string },
  ): Promise<void>;
}

/** @param deadlineMs A caller waits for it, and for what comes after it. */
export function tenantDatabase(api: DataApi, deadlineMs = 1000): TenantDatabase {
  return {
    read: (accountSid) => run(api, "telephony_tenant", { p_account_sid: accountSid }, deadlineMs),
    accounts: () => run(api, "telephony_accounts", {}, deadlineMs),
    async keepToken(accountSid, token) {
      await run(api, "keep_telephony_token", {
        p_subaccount_sid: accountSid,
        p_token: "token" in token ? token.token : null,
        p_sealed: "sealed" in token ? token.sealed : null,
      }, 4 * deadlineMs);
    },
  };
}
