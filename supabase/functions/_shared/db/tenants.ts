import * as z from "zod/mini";
import { type DataApi, run } from "./client.ts";

const tenant = z.object({
  org_id: z.string(),
  /** Its onboarding is under way, and stores its token at the end. */
  running: z.optional(z.boolean()),
  /** From Vault. */
  token: z.optional(z.string()),
  /** Where there is no Vault; see `onboarding/seal.ts`. */
  sealed_token: z.nullable(z.string()),
  business_name: z.optional(z.nullable(z.string())),
});
/** An onboarded account as the database has it. */
export type TenantRow = Readonly<z.infer<typeof tenant>>;

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
    read: (accountSid) =>
      run(api, "telephony_tenant", { p_account_sid: accountSid }, z.nullable(tenant), deadlineMs),
    accounts: () => run(api, "telephony_accounts", {}, z.array(z.string()), deadlineMs),
    async keepToken(accountSid, token) {
      await run(
        api,
        "keep_telephony_token",
        {
          p_subaccount_sid: accountSid,
          p_token: "token" in token ? token.token : null,
          p_sealed: "sealed" in token ? token.sealed : null,
        },
        z.unknown(),
        4 * deadlineMs,
      );
    },
  };
}
