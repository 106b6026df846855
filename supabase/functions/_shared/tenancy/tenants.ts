import { analyticsEvents, type ReportAnalyticsEvent } from "../db/analytics_events.ts";
import { dataApi } from "../db/client.ts";
import { type TenantDatabase, tenantDatabase, type TenantRow } from "../db/tenants.ts";
import { type Log, logOf } from "../log.ts";
import { type Seal, sealBy } from "../onboarding/seal.ts";
import { inBackground } from "../runtime.ts";
import type { Settings } from "../settings.ts";
import { isMainAccount } from "../twilio/account.ts";
import { twilioClient } from "../twilio/client.ts";
import { provisioning } from "../twilio/provisioning.ts";
import { atMostEvery, budget } from "./budget.ts";

/** An account with its own auth token, which signs its webhooks. */
export interface Tenant {
  readonly authToken: string;
  /** The business name that its callers hear; `undefined`: unknown, because the database did not answer. */
  readonly businessName: string | undefined;
  /**
   * For a request that `authToken` did not sign: the tenant with its current token, if that is a different one. For each
   * account the database is asked at most once in 5 s, and Twilio once a minute.
   */
  renewed(): Promise<Tenant | undefined>;
}

/** The result of looking an account up. */
export type TenantLookup =
  | { readonly kind: "tenant"; readonly tenant: Tenant }
  /** No account that was onboarded here. */
  | { readonly kind: "unknown" }
  /** Neither the database nor Twilio answered. */
  | { readonly kind: "unavailable" };

export interface Tenants {
  /** As `isMainAccount`. */
  isMain(accountSid: string | undefined): boolean;
  /** Never rejects. */
  find(accountSid: string): Promise<TenantLookup>;
}

/** Twilio's part of looking sub-accounts up; each rejects when Twilio does not answer. */
export interface TwilioAccounts {
  /** The active sub-accounts, and whether there are more than these. */
  activeSubaccounts(): Promise<{ readonly sids: readonly string[]; readonly more: boolean }>;
  /** The auth token of an account of ours; `undefined`: not ours. */
  authToken(accountSid: string): Promise<string | undefined>;
}

export interface TenantsOptions {
  readonly settings: Settings;
  readonly database: TenantDatabase;
  readonly seal: Seal;
  readonly twilio: TwilioAccounts;
  readonly log: Log;
  /** Counts failures for the alerts. */
  readonly report: ReportAnalyticsEvent;
  readonly now: () => number;
}

const FRESH_MS = 60_000;
/** A number may be called a moment after it was bought. */
const UNKNOWN_MS = 5000;
/** After a failure the next call need not wait as long as the one before. */
const RETRY_MS = 5000;
/** After a wrong signature: the shortest time between two reads of an account's token, and between two questions to Twilio. */
const REREAD_MS = 5000;
const RENEWAL_MS = 60_000;
const MOST_KEPT = 500;
/** Look-ups of unknown accounts a minute. Beyond them a list of all tenants is used. */
const LOOKUPS_PER_MINUTE = 30;
/** Questions to Twilio a minute about tokens, for all accounts together. */
const TOKEN_QUESTIONS_PER_MINUTE = 10;
/** The same for the database, after wrong signatures. */
const REREADS_PER_MINUTE = 30;
/** Reports of one kind of failure a minute; the log has all of them. */
const REPORTS_PER_MINUTE = 1;
const MINUTE_MS = 60_000;

interface Account {
  readonly authToken: string;
  /** The replaced token, which the database may have until the new one is stored. */
  readonly replaced?: string | undefined;
  readonly businessName: string | undefined;
  readonly freshUntil: number;
}

/**
 * Looks accounts up and caches them for a minute, and for longer while the database is away. While it is away and nothing is
 * cached, Twilio is asked for the token, so that callers are served. Requests for one account share one look-up. Look-ups
 * that strangers can cause are limited: see `LOOKUPS_PER_MINUTE`.
 */
export function createTenants(options: TenantsOptions): Tenants {
  const { settings, database, seal, twilio, now } = options;
  const accounts = new Map<string, Account>();
  /** Until when. */
  const strangers = new Map<string, number>();
  const rereads = new Map<string, number>();
  const renewals = new Map<string, number>();
  const asking = new Map<string, Promise<TenantLookup>>();

  const mayLookUp = budget(LOOKUPS_PER_MINUTE, MINUTE_MS, now);
  const mayAskForToken = budget(TOKEN_QUESTIONS_PER_MINUTE, MINUTE_MS, now);
  const mayReread = budget(REREADS_PER_MINUTE, MINUTE_MS, now);
  const onboarded = atMostEvery(UNKNOWN_MS, now, async () => new Set(await database.accounts()));
  const subaccounts = atMostEvery(MINUTE_MS, now, async () => {
    const { sids, more } = await twilio.activeSubaccounts();
    return { sids: new Set(sids), more };
  });
  const failed = failureReports(options);

  const keep = (accountSid: string, account: Account): TenantLookup => {
    strangers.delete(accountSid);
    put(accounts, accountSid, account);
    return { kind: "tenant", tenant: tenantOf(accountSid, account) };
  };
  const stranger = (accountSid: string): TenantLookup => {
    put(strangers, accountSid, now() + UNKNOWN_MS);
    return { kind: "unknown" };
  };

  const look = async (accountSid: string): Promise<TenantLookup> => {
    const before = accounts.get(accountSid);
    try {
      if (before === undefined && !mayLookUp() && !(await onboarded()).has(accountSid)) {
        return stranger(accountSid);
      }
      const row = await database.read(accountSid);
      if (row === null) {
        accounts.delete(accountSid);
        return stranger(accountSid);
      }
      const read = await tokenOf(accountSid, row);
      if (read === undefined) return stranger(accountSid);
      const { authToken, replaced } = read === before?.replaced ? before : { authToken: read };
      return keep(accountSid, {
        authToken,
        replaced,
        businessName: row.business_name ?? undefined,
        freshUntil: now() + FRESH_MS,
      });
    } catch (error) {
      failed("tenant_lookup_failed", error);
      if (before !== undefined) {
        return keep(accountSid, { ...before, freshUntil: now() + RETRY_MS });
      }
    }
    try {
      // One list a minute says which tokens may be requested, so that strangers cannot cause requests about invented accounts.
      const ours = await subaccounts();
      if (!ours.sids.has(accountSid)) {
        return ours.more ? { kind: "unavailable" } : stranger(accountSid);
      }
      if (!mayAskForToken()) return { kind: "unavailable" };
      const authToken = await twilio.authToken(accountSid);
      return authToken === undefined
        ? stranger(accountSid)
        : keep(accountSid, { authToken, businessName: undefined, freshUntil: now() + RETRY_MS });
    } catch (error) {
      failed("tenant_token_unanswered", error);
      return { kind: "unavailable" };
    }
  };

  /** Simultaneous requests for one account share one look-up. */
  const lookUp = async (accountSid: string): Promise<TenantLookup> => {
    const asked = asking.get(accountSid);
    if (asked !== undefined) return await asked;
    const answer = look(accountSid).finally(() => asking.delete(accountSid));
    asking.set(accountSid, answer);
    return await answer;
  };

  const tokenOf = async (accountSid: string, row: TenantRow): Promise<string | undefined> => {
    if (row.token !== undefined) return row.token;
    try {
      if (row.sealed_token !== null) return await seal.open(row.sealed_token, accountSid);
    } catch (error) {
      failed("tenant_seal_not_opened", error);
    }
    // A token that is missing, or encrypted with an older secret key, is requested from Twilio.
    const known = accounts.get(accountSid)?.authToken;
    if (!mayAskForToken()) {
      if (known === undefined) throw new Error("Twilio was asked for too many tokens this minute");
      return known;
    }
    const token = await twilio.authToken(accountSid);
    if (token !== undefined) store(accountSid, row, token);
    return token;
  };

  /** After the answer: the next isolate finds it. */
  const store = (accountSid: string, row: TenantRow, token: string): void => {
    if (row.running) return;
    const write = async () => {
      try {
        await database.keepToken(
          accountSid,
          row.token === undefined ? { sealed: await seal.close(token, accountSid) } : { token },
        );
        options.log("warn", { function: "tenants", outcome: "token_renewed", account: accountSid });
      } catch (error) {
        failed("tenant_token_not_stored", error);
      }
    };
    inBackground(write());
  };

  const renew = async (accountSid: string, used: string): Promise<Account | undefined> => {
    const latest = accounts.get(accountSid);
    // Another request has just found it.
    if (latest !== undefined && latest.authToken !== used) return latest;
    if (now() < (rereads.get(accountSid) ?? -Infinity) || !mayReread()) return undefined;
    put(rereads, accountSid, now() + REREAD_MS);
    try {
      const row = await database.read(accountSid);
      if (row === null) return undefined;
      let authToken = await tokenOf(accountSid, row);
      if (authToken === used) {
        if (now() < (renewals.get(accountSid) ?? -Infinity) || !mayAskForToken()) return undefined;
        put(renewals, accountSid, now() + RENEWAL_MS);
        authToken = await twilio.authToken(accountSid);
        if (authToken !== undefined && authToken !== used) store(accountSid, row, authToken);
      }
      if (authToken === undefined || authToken === used) return undefined;
      const account = {
        authToken,
        replaced: used,
        businessName: row.business_name ?? undefined,
        freshUntil: now() + FRESH_MS,
      };
      keep(accountSid, account);
      return account;
    } catch (error) {
      failed("tenant_token_unanswered", error);
      return undefined;
    }
  };

  const tenantOf = (accountSid: string, { authToken, businessName }: Account): Tenant => ({
    authToken,
    businessName,
    async renewed() {
      const account = await renew(accountSid, authToken);
      return account && tenantOf(accountSid, account);
    },
  });

  return {
    isMain: (accountSid) => isMainAccount(settings, accountSid),
    async find(accountSid) {
      const known = accounts.get(accountSid);
      if (known !== undefined && known.freshUntil > now()) {
        return { kind: "tenant", tenant: tenantOf(accountSid, known) };
      }
      if ((strangers.get(accountSid) ?? -Infinity) > now()) return { kind: "unknown" };
      return await lookUp(accountSid);
    },
  };
}

/** The tenants of a deployment. */
export function liveTenants(settings: Settings): Tenants {
  const { supabaseUrl, secretKey, secretKeys, twilioApiUrl, twilioAuthToken } = settings;
  const accountSid = settings.twilioAccountSid ?? "";
  const api = dataApi(supabaseUrl, secretKey);
  const twilio = twilioClient({
    baseUrl: twilioApiUrl,
    accountSid,
    authToken: twilioAuthToken,
    // A caller waits.
    deadlineMs: 1500,
    attempts: 1,
  });
  return createTenants({
    settings,
    database: tenantDatabase(api),
    seal: sealBy(...secretKeys),
    twilio: provisioning(twilio, accountSid),
    log: logOf(settings),
    report: analyticsEvents(api),
    now: Date.now,
  });
}

/** The kinds of failures; the alert `tenant_lookups` counts the events of these names. */
type Failure =
  | "tenant_lookup_failed"
  | "tenant_token_unanswered"
  | "tenant_seal_not_opened"
  | "tenant_token_not_stored";

/** Logs each failure, and counts the first of its kind in a minute for the alerts. Never throws. */
function failureReports({ log, report, now }: Pick<TenantsOptions, "log" | "report" | "now">) {
  const kinds = new Map<Failure, () => boolean>();
  return (kind: Failure, error: unknown): void => {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : "unknown";
    log("error", { function: "tenants", outcome: kind, reason });
    const mayReport = kinds.get(kind) ?? budget(REPORTS_PER_MINUTE, MINUTE_MS, now);
    kinds.set(kind, mayReport);
    if (mayReport()) inBackground(report(kind, "error", { reason: reason.slice(0, 200) }));
  };
}

/** Puts an entry as the newest, and drops the oldest beyond the maximum. */
function put<T>(entries: Map<string, T>, key: string, value: T): void {
  entries.delete(key);
  entries.set(key, value);
  if (entries.size > MOST_KEPT) entries.delete(entries.keys().next().value!);
}
