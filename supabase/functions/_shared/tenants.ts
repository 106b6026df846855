import { defaultProfile, type LineProfile } from "./calls/profile.ts";
import { dataApi } from "./db/client.ts";
import { type ReadTenant, tenantRows } from "./db/tenants.ts";
import { type LineChanges, lineWith } from "./onboarding/line.ts";
import { type Seal, sealBy } from "./onboarding/seal.ts";
import type { Settings } from "./settings.ts";
import { isMainAccount } from "./twilio/account.ts";
import { provisioning } from "./twilio/provisioning.ts";

/** An account whose webhooks are signed by a token of its own. */
export interface Tenant {
  readonly authToken: string;
  /**
   * The line that was called. Callbacks about a recording or a dialled leg do not name it: then the
   * account's line, where it has but one.
   */
  line(to: string | undefined): LineProfile;
}

/** What is known of an account. */
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

/** The auth token by which Twilio signs for an account of ours; `undefined`: none of ours. */
export type AskTwilioForToken = (accountSid: string) => Promise<string | undefined>;

export interface TenantsOptions {
  readonly settings: Settings;
  readonly read: ReadTenant;
  readonly seal: Seal;
  readonly askTwilio: AskTwilioForToken;
  readonly now: () => number;
}

const FRESH_MS = 60_000;
/** A number may be called a moment after it was bought. */
const UNKNOWN_MS = 5000;
/** After a failure the next call need not wait as long as the one before. */
const RETRY_MS = 5000;
const MOST_KEPT = 500;

interface Kept {
  readonly lookup: TenantLookup;
  readonly freshUntil: number;
}

/**
 * Looks accounts up and keeps what it found: for a minute, and beyond that while the database is away.
 * While it is away and nothing is kept, Twilio itself is asked for the token, so that callers are served;
 * by a line of nobody's then, which takes a message: the default one would ring another business. Requests for one account share one look-up.
 */
export function createTenants(
  { settings, read, seal, askTwilio, now }: TenantsOptions,
): Tenants {
  const unknownLine = lineOfNobody(settings);
  const kept = new Map<string, Kept>();
  const asking = new Map<string, Promise<TenantLookup>>();

  const keep = (accountSid: string, lookup: TenantLookup, forMs: number): TenantLookup => {
    kept.delete(accountSid);
    kept.set(accountSid, { lookup, freshUntil: now() + forMs });
    if (kept.size > MOST_KEPT) evict(kept);
    return lookup;
  };

  const ask = async (accountSid: string): Promise<TenantLookup> => {
    try {
      const row = await read(accountSid);
      if (row === null) return keep(accountSid, { kind: "unknown" }, UNKNOWN_MS);
      const token = row.token ?? await unsealed(row.sealed_token, accountSid) ??
        await askTwilio(accountSid);
      return token === undefined
        ? keep(accountSid, { kind: "unknown" }, UNKNOWN_MS)
        : keep(accountSid, tenantOf(settings, token, row.lines), FRESH_MS);
    } catch {
      const before = kept.get(accountSid)?.lookup;
      if (before?.kind === "tenant") return keep(accountSid, before, RETRY_MS);
    }
    try {
      const token = await askTwilio(accountSid);
      return token === undefined
        ? keep(accountSid, { kind: "unknown" }, UNKNOWN_MS)
        : keep(accountSid, {
          kind: "tenant",
          tenant: { authToken: token, line: () => unknownLine },
        }, RETRY_MS);
    } catch {
      return { kind: "unavailable" };
    }
  };

  /** A seal of an older secret key cannot be opened; Twilio still knows the token. */
  const unsealed = async (sealed: string | null, accountSid: string) => {
    if (sealed === null) return undefined;
    return await seal.open(sealed, accountSid).catch(() => undefined);
  };

  return {
    isMain: (accountSid) => isMainAccount(settings, accountSid),
    async find(accountSid) {
      const known = kept.get(accountSid);
      if (known !== undefined && known.freshUntil > now()) return known.lookup;
      const asked = asking.get(accountSid);
      if (asked !== undefined) return await asked;
      const answer = ask(accountSid).finally(() => asking.delete(accountSid));
      asking.set(accountSid, answer);
      return await answer;
    },
  };
}

/** The tenants of a deployment. */
export function liveTenants(settings: Settings): Tenants {
  const { supabaseUrl, secretKey, secretKeys, twilioApiUrl, twilioAccountSid, twilioAuthToken } =
    settings;
  const twilio = provisioning({
    baseUrl: twilioApiUrl,
    accountSid: twilioAccountSid ?? "",
    authToken: twilioAuthToken,
    // A caller waits.
    deadlineMs: 1500,
    attempts: 1,
  });
  return createTenants({
    settings,
    read: tenantRows(dataApi(supabaseUrl, secretKey)),
    seal: sealBy(...secretKeys),
    askTwilio: twilio.authToken,
    now: Date.now,
  });
}

function tenantOf(
  settings: Settings,
  authToken: string,
  changes: Readonly<Record<string, LineChanges>>,
): TenantLookup {
  const lines = new Map(
    Object.entries(changes).map(([number, own]) => [number, lineWith(settings, own)]),
  );
  const only = lines.size === 1 ? [...lines.values()][0] : undefined;
  const otherwise = only ?? defaultProfile(settings);
  return {
    kind: "tenant",
    tenant: { authToken, line: (to) => lines.get(to ?? "") ?? otherwise },
  };
}

/** A line of which only the account is known: names no business, rings no phone, takes a message. */
function lineOfNobody(settings: Settings): LineProfile {
  const line = defaultProfile(settings);
  return {
    ...line,
    greeting: "Thank you for calling.",
    menu: {
      ...line.menu,
      options: line.menu.options.filter(({ destination }) => destination.kind === "voicemail"),
    },
  };
}

/** Makes room: strangers go first, then whatever was kept longest ago. */
function evict(kept: Map<string, Kept>): void {
  const stranger = [...kept].find(([, { lookup }]) => lookup.kind === "unknown");
  const [oldest] = kept.keys();
  kept.delete(stranger?.[0] ?? oldest!);
}
