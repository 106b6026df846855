import { type DataApi, run } from "./client.ts";

/** One entry of an organisation's own menu, as `telephony-onboard` takes it. */
export interface MenuEntry {
  readonly key: string;
  /** What `call_logs.mode` becomes. */
  readonly mode: string;
  /** Heard as "For <label>, press <key>." */
  readonly label: string;
  readonly destination: string;
  readonly announcement?: string | undefined;
  readonly spoken?: readonly string[] | undefined;
}

/**
 * What an organisation's line has of its own; everything else is as on the default line. Validated when it
 * is onboarded (see `request.ts`), and kept with the number.
 */
export interface LineChanges {
  readonly language?: string | undefined;
  readonly voice?: string | undefined;
  readonly greeting?: string | undefined;
  readonly recording_consent?: "opt_out" | "opt_in" | undefined;
  /** Said before the disclosure's binding sentence, which no line is without. */
  readonly disclosure?: string | undefined;
  readonly menu?: readonly MenuEntry[] | undefined;
  readonly ring_seconds?: number | undefined;
  /** Who is dialled when a caller asks for a human. */
  readonly operator?: string | undefined;
  readonly voicemail?: {
    readonly prompt?: string | undefined;
    readonly thanks?: string | undefined;
    readonly max_seconds?: number | undefined;
  } | undefined;
}

/** An onboarded account as the database has it. */
export interface TenantRow {
  readonly org_id: string;
  /** Its onboarding is under way, and stores its token at the end. */
  readonly running?: boolean | undefined;
  /** From Vault. */
  readonly token?: string | undefined;
  /** Where there is no Vault; see `onboarding/seal.ts`. */
  readonly sealed_token: string | null;
  /** What differs from the default line, by number. */
  readonly lines: Readonly<Record<string, LineChanges>>;
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
