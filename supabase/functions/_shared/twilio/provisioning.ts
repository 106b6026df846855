import * as z from "zod/mini";
import { ifThere, type TwilioClient, TwilioError } from "./client.ts";

const account = z.object({
  sid: z.string().check(z.regex(/^AC[0-9a-fA-F]{32}$/)),
  status: z.string(),
  type: z.nullish(z.string()),
  // Whether Twilio shows it for an existing account is not documented.
  auth_token: z.nullish(z.string()),
});
const accountPage = z.object({ accounts: z.array(account), next_page_uri: z.nullish(z.string()) });
const openedAccount = z.extend(account, { auth_token: z.string().check(z.minLength(1)) });
/** An account as it stands. */
export interface TwilioAccount {
  /** `active`, `suspended` or `closed`. */
  readonly status: string;
  /** `Trial` or `Full`. */
  readonly type?: string | undefined;
  readonly token: string | undefined;
}
const availableNumber = z.object({
  phone_number: z.string().check(z.regex(/^\+1\d{10}$/)),
  locality: z.nullish(z.string()),
  region: z.nullish(z.string()),
});
/** A number that is for sale. */
export type AvailableNumber = z.infer<typeof availableNumber>;
const ownedNumber = z.object({
  sid: z.string().check(z.regex(/^PN[0-9a-fA-F]{32}$/)),
  phone_number: z.string(),
});
/** A number that an account has. */
export type OwnedNumber = z.infer<typeof ownedNumber>;

const boundNumber = z.object({
  voice_url: z.nullish(z.string()),
  voice_fallback_url: z.nullish(z.string()),
  status_callback: z.nullish(z.string()),
  voice_application_sid: z.nullish(z.string()),
  trunk_sid: z.nullish(z.string()),
});

/** `TwilioError.code` when Twilio accepted a number's webhooks but does not show them at the number. */
export const NOT_BOUND = "not_bound";

/** Where a number's webhooks go. */
export interface NumberBinding {
  readonly voiceUrl: string;
  readonly voiceFallbackUrl: string;
  readonly statusCallback: string;
}

/**
 * Sub-accounts and numbers, by the main account's credentials. Each rejects with `TwilioError` only. All but
 * `createSubaccount` and `buyNumber` may be repeated, and are.
 * Source: https://www.twilio.com/docs/iam/api/subaccounts,
 * https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource
 */
export interface Provisioning {
  /** The active accounts, the main one included: the first 1,000, and whether there are more. */
  activeSubaccounts(): Promise<{ readonly sids: readonly string[]; readonly more: boolean }>;
  /** The active sub-accounts of exactly that name. */
  subaccounts(friendlyName: string): Promise<string[]>;
  /** With its token, which Twilio may never show again. */
  createSubaccount(friendlyName: string): Promise<{ readonly sid: string; readonly token: string }>;
  /** For good: a closed account cannot be opened again. */
  closeSubaccount(sid: string): Promise<void>;
  /** `undefined`: no account of ours. */
  account(accountSid: string): Promise<TwilioAccount | undefined>;
  /** `undefined`: no account of ours. Rejects when Twilio does not show it. */
  authToken(accountSid: string): Promise<string | undefined>;
  /** Local numbers for voice that may be bought without an address. */
  numbersForSale(
    country: string,
    where: { readonly areaCode?: string; readonly near?: string; readonly limit: number },
  ): Promise<AvailableNumber[]>;
  buyNumber(accountSid: string, number: string): Promise<OwnedNumber>;
  /** The account's numbers that are exactly that one: one or none. */
  owned(accountSid: string, number: string): Promise<OwnedNumber[]>;
  /**
   * Removes the number from any application or trunk, in which Twilio would ignore its webhooks, and reads the number again.
   * The error has the code `NOT_BOUND` when the webhooks differ from the requested ones.
   */
  bindNumber(accountSid: string, numberSid: string, binding: NumberBinding): Promise<void>;
  releaseNumber(accountSid: string, numberSid: string): Promise<void>;
  /**
   * Whether the main account has an approved customer profile; `undefined`: unknown.
   * Source: https://www.twilio.com/docs/trust-hub/trusthub-rest-api
   */
  hasProfile(): Promise<boolean | undefined>;
}

/** @param accountSid The main account, whose credentials the client has. */
export function provisioning(client: TwilioClient, accountSid: string): Provisioning {
  const accountOf = async (sid: string): Promise<TwilioAccount | undefined> => {
    const found = await ifThere(client.get(`/Accounts/${sid}`, account));
    if (found === undefined) return undefined;
    const { status, type, auth_token } = found;
    return { status, type: type ?? undefined, token: auth_token || undefined };
  };

  return {
    async activeSubaccounts() {
      const { accounts, next_page_uri } = await client.get("/Accounts", accountPage, {
        Status: "active",
        PageSize: "1000",
      });
      return { sids: accounts.map(({ sid }) => sid), more: typeof next_page_uri === "string" };
    },
    async subaccounts(friendlyName) {
      const found = await client.list("/Accounts", "accounts", account, {
        FriendlyName: friendlyName,
        Status: "active",
      });
      return found.filter(({ sid }) => sid !== accountSid).map(({ sid }) => sid);
    },
    async createSubaccount(friendlyName) {
      const { sid, auth_token } = await client.create("/Accounts", openedAccount, {
        FriendlyName: friendlyName,
      });
      return { sid, token: auth_token };
    },
    async closeSubaccount(sid) {
      try {
        await ifThere(client.set(`/Accounts/${sid}`, { Status: "closed" }));
      } catch (error) {
        if (!(error instanceof TwilioError) || error.code !== ALREADY_CLOSED) throw error;
      }
    },
    account: accountOf,
    async authToken(sid) {
      const found = await accountOf(sid);
      if (found !== undefined && found.token === undefined) {
        throw new TwilioError("unknown", "Twilio does not tell the account's token");
      }
      return found?.token;
    },
    numbersForSale: (country, { areaCode, near, limit }) =>
      client.list(
        `/Accounts/${accountSid}/AvailablePhoneNumbers/${country}/Local`,
        "available_phone_numbers",
        availableNumber,
        {
          ...(areaCode !== undefined && { AreaCode: areaCode }),
          ...(near !== undefined && { NearNumber: near, Distance: "300" }),
          VoiceEnabled: "true",
          ExcludeAllAddressRequired: "true",
          PageSize: String(limit),
        },
      ),
    buyNumber: (account, number) =>
      client.create(`/Accounts/${account}/IncomingPhoneNumbers`, ownedNumber, {
        PhoneNumber: number,
      }),
    async owned(account, number) {
      const numbers = await client.list(
        `/Accounts/${account}/IncomingPhoneNumbers`,
        "incoming_phone_numbers",
        ownedNumber,
        { PhoneNumber: number },
      );
      // Twilio's filter also matches parts of numbers.
      return numbers.filter(({ phone_number }) => phone_number === number);
    },
    async bindNumber(account, numberSid, binding) {
      const path = `/Accounts/${account}/IncomingPhoneNumbers/${numberSid}`;
      await client.set(path, {
        VoiceApplicationSid: "",
        TrunkSid: "",
        VoiceUrl: binding.voiceUrl,
        VoiceMethod: "POST",
        VoiceFallbackUrl: binding.voiceFallbackUrl,
        VoiceFallbackMethod: "POST",
        StatusCallback: binding.statusCallback,
        StatusCallbackMethod: "POST",
      });
      const bound = await client.get(path, boundNumber);
      const wrong = [
        !isSameUrl(bound.voice_url, binding.voiceUrl) && "voice_url",
        !isSameUrl(bound.voice_fallback_url, binding.voiceFallbackUrl) && "voice_fallback_url",
        !isSameUrl(bound.status_callback, binding.statusCallback) && "status_callback",
        bound.voice_application_sid && "voice_application_sid",
        bound.trunk_sid && "trunk_sid",
      ].filter(Boolean);
      if (wrong.length > 0) {
        const message = `the number's ${wrong.join(", ")} at Twilio is not as it was set`;
        throw new TwilioError("refused", message, 0, NOT_BOUND);
      }
    },
    releaseNumber: (account, numberSid) =>
      client.delete(`/Accounts/${account}/IncomingPhoneNumbers/${numberSid}`),
    async hasProfile() {
      const query = { Status: "twilio-approved", PageSize: "1" };
      const path = "trusthub/v1/CustomerProfiles";
      const found = await client.list(path, "results", z.unknown(), query).catch(() => undefined);
      return found && found.length > 0;
    },
  };
}

/** Whether Twilio shows the address that was set; what it does with the fragment is not documented. */
function isSameUrl(shown: string | null | undefined, set: string): boolean {
  return shown?.replace(/#.*$/, "") === set.replace(/#.*$/, "");
}

/** "Unable to update Status for subaccount, subaccount has been closed." */
const ALREADY_CLOSED = "21479";
