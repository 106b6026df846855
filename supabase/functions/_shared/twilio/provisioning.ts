import * as z from "zod/mini";
import {
  type Params,
  twilioClient,
  TwilioError,
  TwilioSilence,
  understood,
  understoodList,
} from "./client.ts";

export { TwilioSilence };

/** Twilio understood a request and did not do it. */
export class TwilioRefusal extends TwilioError {
  override name = "TwilioRefusal";

  constructor(
    readonly status: number,
    /** Twilio's own number for the reason, such as 21422; 0 where it gave none. */
    readonly code: number,
  ) {
    super(`Twilio answered ${status}${code === 0 ? "" : ` with error ${code}`}`);
  }
}

const account = z.object({
  sid: z.string().check(z.regex(/^AC[0-9a-fA-F]{32}$/)),
  status: z.string(),
  type: z.nullish(z.string()),
  // Whether it is told once an account is there is not documented.
  auth_token: z.nullish(z.string()),
});
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

/** Twilio took a number's webhooks, and does not show them at the number. */
export class NotBound extends TwilioError {
  override name = "NotBound";
}

/** Where a number's webhooks go. */
export interface NumberBinding {
  readonly voiceUrl: string;
  readonly voiceFallbackUrl: string;
  readonly statusCallback: string;
}

/**
 * Sub-accounts and numbers, by the main account's credentials. Each rejects with `TwilioRefusal` or
 * `TwilioSilence`. All but `createSubaccount` and `buyNumber` may be repeated, and are.
 * Source: https://www.twilio.com/docs/iam/api/subaccounts,
 * https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource
 */
export interface Provisioning {
  /** The active accounts, the main one included: the first 1,000, and whether there are more. */
  activeSubaccounts(): Promise<{ readonly sids: readonly string[]; readonly more: boolean }>;
  /** The active sub-accounts of exactly that name. */
  subaccounts(friendlyName: string): Promise<string[]>;
  /** With its token, which may never be told again. */
  createSubaccount(friendlyName: string): Promise<{ readonly sid: string; readonly token: string }>;
  /** For good: a closed account cannot be opened again. */
  closeSubaccount(sid: string): Promise<void>;
  /** `undefined`: no account of ours. */
  account(accountSid: string): Promise<TwilioAccount | undefined>;
  /** `undefined`: no account of ours. Rejects where Twilio does not tell it. */
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
   * Takes the number out of whatever application or trunk it belongs to, as Twilio ignores its webhooks while it is in
   * one, and looks at the number again. Rejects with `NotBound` where they are not as asked for.
   */
  bindNumber(accountSid: string, numberSid: string, binding: NumberBinding): Promise<void>;
  releaseNumber(accountSid: string, numberSid: string): Promise<void>;
}

export interface ProvisioningOptions {
  /** Without a trailing slash. */
  readonly baseUrl: string;
  readonly accountSid: string;
  readonly authToken: string;
  /** For each attempt by itself. Default 8000. */
  readonly deadlineMs?: number;
  /** Of a request that may be repeated. Default 4. */
  readonly attempts?: number;
  /** Default: real time. */
  readonly wait?: (milliseconds: number) => Promise<void>;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5000;

/** Asks Twilio, and asks again where that does no harm. */
export function provisioning(options: ProvisioningOptions): Provisioning {
  const { accountSid, deadlineMs = 8000, attempts = 4 } = options;
  const wait = options.wait ?? ((ms) => new Promise((done) => setTimeout(done, ms)));
  const client = twilioClient({ ...options, deadlineMs });

  /** @param repeatable Whether doing it twice has the effect of once. 429 says that nothing was done. */
  const send = async (
    method: "GET" | "POST" | "DELETE",
    path: string,
    params: Params | undefined,
    repeatable: boolean,
  ): Promise<unknown> => {
    for (let attempt = 1;; attempt++) {
      let failure: TwilioRefusal | TwilioSilence;
      let retryAfter: number | undefined;
      try {
        // deno-lint-ignore no-await-in-loop -- Each attempt follows a failed one.
        const answer = await client.send(method, path, params);
        if (answer.status < 300) return answer.body;
        retryAfter = answer.retryAfter;
        failure = answer.status >= 500
          ? new TwilioSilence(`Twilio answered ${answer.status}`)
          : new TwilioRefusal(answer.status, codeOf(answer.body));
      } catch (error) {
        if (!(error instanceof TwilioSilence)) throw error;
        failure = error;
      }
      const mayRepeat = failure instanceof TwilioSilence ? repeatable : failure.status === 429;
      if (!mayRepeat || attempt === attempts) throw failure;
      // Full jitter: whoever failed together does not come back together.
      const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
      // deno-lint-ignore no-await-in-loop
      await wait(Math.min(LONGEST_WAIT_MS, retryAfter ?? 0) + Math.random() * longest);
    }
  };
  const get = (path: string, params?: Params) => send("GET", path, params, true);
  const list = async <T>(
    path: string,
    name: string,
    schema: { parse(value: unknown): T },
    params: Params,
  ) => understoodList(schema, await get(path, params), name);
  /** What is gone already is done. */
  const ignoring404 = async (work: Promise<unknown>) => {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof TwilioRefusal) || error.status !== 404) throw error;
    }
  };

  const accountOf = async (sid: string): Promise<TwilioAccount | undefined> => {
    try {
      const { status, type, auth_token } = understood(account, await get(`/Accounts/${sid}`));
      return { status, type: type ?? undefined, token: auth_token || undefined };
    } catch (error) {
      if (error instanceof TwilioRefusal && error.status === 404) return undefined;
      throw error;
    }
  };

  return {
    async activeSubaccounts() {
      const page = await get("/Accounts", { Status: "active", PageSize: "1000" });
      const accounts = understoodList(account, page, "accounts");
      const { next_page_uri } = page as { readonly next_page_uri?: unknown };
      return { sids: accounts.map(({ sid }) => sid), more: typeof next_page_uri === "string" };
    },
    async subaccounts(friendlyName) {
      const found = await list("/Accounts", "accounts", account, {
        FriendlyName: friendlyName,
        Status: "active",
      });
      return found.filter(({ sid }) => sid !== accountSid).map(({ sid }) => sid);
    },
    async createSubaccount(friendlyName) {
      const created = await send("POST", "/Accounts", { FriendlyName: friendlyName }, false);
      const { sid, auth_token } = understood(openedAccount, created);
      return { sid, token: auth_token };
    },
    async closeSubaccount(sid) {
      try {
        await ignoring404(send("POST", `/Accounts/${sid}`, { Status: "closed" }, true));
      } catch (error) {
        if (!(error instanceof TwilioRefusal) || error.code !== ALREADY_CLOSED) throw error;
      }
    },
    account: accountOf,
    async authToken(sid) {
      const found = await accountOf(sid);
      if (found !== undefined && found.token === undefined) {
        throw new TwilioSilence("Twilio does not tell the account's token");
      }
      return found?.token;
    },
    numbersForSale: (country, { areaCode, near, limit }) =>
      list(
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
    async buyNumber(account, number) {
      const path = `/Accounts/${account}/IncomingPhoneNumbers`;
      return understood(ownedNumber, await send("POST", path, { PhoneNumber: number }, false));
    },
    async owned(account, number) {
      const numbers = await list(
        `/Accounts/${account}/IncomingPhoneNumbers`,
        "incoming_phone_numbers",
        ownedNumber,
        { PhoneNumber: number },
      );
      // Twilio's filter also finds parts of numbers.
      return numbers.filter(({ phone_number }) => phone_number === number);
    },
    async bindNumber(account, numberSid, binding) {
      const path = `/Accounts/${account}/IncomingPhoneNumbers/${numberSid}`;
      await send("POST", path, {
        VoiceApplicationSid: "",
        TrunkSid: "",
        VoiceUrl: binding.voiceUrl,
        VoiceMethod: "POST",
        VoiceFallbackUrl: binding.voiceFallbackUrl,
        VoiceFallbackMethod: "POST",
        StatusCallback: binding.statusCallback,
        StatusCallbackMethod: "POST",
      }, true);
      const bound = understood(boundNumber, await get(path));
      const wrong = [
        !isSameUrl(bound.voice_url, binding.voiceUrl) && "voice_url",
        !isSameUrl(bound.voice_fallback_url, binding.voiceFallbackUrl) && "voice_fallback_url",
        !isSameUrl(bound.status_callback, binding.statusCallback) && "status_callback",
        bound.voice_application_sid && "voice_application_sid",
        bound.trunk_sid && "trunk_sid",
      ].filter(Boolean);
      if (wrong.length > 0) {
        throw new NotBound(`the number's ${wrong.join(", ")} at Twilio is not as it was set`);
      }
    },
    releaseNumber: (account, numberSid) =>
      ignoring404(
        send("DELETE", `/Accounts/${account}/IncomingPhoneNumbers/${numberSid}`, undefined, true),
      ),
  };
}

/** Whether Twilio shows the address that was set; what it does with the fragment is not documented. */
function isSameUrl(shown: string | null | undefined, set: string): boolean {
  return shown?.replace(/#.*$/, "") === set.replace(/#.*$/, "");
}

/** "Unable to update Status for subaccount, subaccount has been closed." */
const ALREADY_CLOSED = 21479;

function codeOf(body: unknown): number {
  const code = (body as { code?: unknown } | null | undefined)?.code;
  return typeof code === "number" ? code : 0;
}
