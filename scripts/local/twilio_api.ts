// Twilio without Twilio: accounts, sub-accounts and numbers of its REST API (2010-04-01), with the answers and
// the errors that its documentation shows. Nothing is bought here. Telephones are a simulator's, where one is connected.

import { TWILIO_URL_FILE } from "../defaults.ts";
import type { Simulator } from "../phone/mod.ts";
import { Recordings } from "../console/recordings.ts";
import { recordedMedia } from "./recording.ts";
import { failure, notAllowed, notFound, page } from "./twilio_answer.ts";
import { AccountCalls } from "./twilio_calls.ts";
import { AccountMessages, type Text } from "./twilio_messages.ts";
import { refused } from "./serve.ts";

/** One request that came in. */
export interface TwilioApiRequest {
  readonly method: string;
  /** Behind `/2010-04-01`, without `.json`: `/Accounts/AC.../IncomingPhoneNumbers`. */
  readonly path: string;
  /** The form's parameters, or the query's; of a repeated one, the last. */
  readonly params: Readonly<Record<string, string>>;
}

/** What goes wrong, and how often. */
export interface Injection {
  readonly method?: string;
  readonly path?: RegExp;
  /** So many matching requests pass before it. Default 0. */
  readonly after?: number;
  /** Default 1. */
  readonly times?: number;
  /** Carries out the request before the injected answer. Default false. */
  readonly effect?: boolean;
  /** What it made is left out of so many lists that it belongs into. Default 0. */
  readonly listedAfter?: number;
  /** `hang`: never answers. */
  readonly answer:
    | {
      readonly status: number;
      readonly code?: number;
      readonly message?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
    | "hang";
}

export interface TwilioAccount {
  readonly sid: string;
  auth_token: string;
  friendly_name: string;
  status: "active" | "suspended" | "closed";
  readonly owner_account_sid: string;
  readonly date_created: string;
}

export interface TwilioNumber {
  readonly sid: string;
  readonly account_sid: string;
  readonly phone_number: string;
  /** Ignored while the number belongs to an application or a trunk. */
  voice_url: string;
  voice_fallback_url: string;
  status_callback: string;
  voice_application_sid: string | null;
  trunk_sid: string | null;
  readonly date_created: string;
}

export interface TwilioApiOptions {
  readonly accountSid: string;
  readonly authToken: string;
  /** Default: any free one. */
  readonly port?: number;
  /** Where accounts and numbers are kept between runs. Default: nowhere. */
  readonly file?: string;
  /** Tells a token when its account is opened and never again; whether Twilio does is not documented. */
  readonly tokenOnce?: boolean;
  /** Default `Full`, which an account is once it was upgraded. */
  readonly type?: "Trial" | "Full";
  /** Where the switchboard keeps what was spoken. Default: notes are played in place of every recording. */
  readonly recordings?: Recordings;
  /** Whether a customer profile of the main account is approved. Default true. */
  readonly profile?: boolean;
}

/** Twilio's REST API on 127.0.0.1. */
export interface TwilioApi {
  /** Without a trailing slash; for `TWILIO_API_URL`. */
  readonly url: string;
  readonly requests: readonly TwilioApiRequest[];
  /** The sub-accounts, closed ones included. */
  readonly subaccounts: readonly TwilioAccount[];
  /** The numbers that are paid for now. */
  readonly numbers: readonly TwilioNumber[];
  /** Every number that was ever bought, in order. */
  readonly purchases: readonly string[];
  /** The matching requests fail from now on. @returns lets the rest of them pass. */
  inject(injection: Injection): () => void;
  /** Replaces an account's primary token, as a person does in the console. @returns the new one. */
  rotateToken(accountSid: string): string;
  /** The account's calls and messages go through this simulator from now on. */
  connect(accountSid: string, simulator: Simulator): void;
  /** As `connect`, for each account that has none when it is first asked. */
  connectAll(simulatorOf: (account: TwilioAccount) => Simulator): void;
  /** A person texts one of the account's numbers. @returns what Twilio answers by itself. */
  text(accountSid: string, text: Text): string | undefined;
  /** Makes numbers unavailable, as when another customer buys them. */
  sellOut(matching: (number: string) => boolean): void;
  /** Resolves when so many requests that match have come in since the stand-in started. */
  seen(matching: (request: TwilioApiRequest) => boolean, times?: number): Promise<void>;
  stop(): Promise<void>;
}

interface Place {
  readonly country: string;
  readonly region: string;
  readonly locality: string;
  readonly rateCenter: string;
}

const place = (country: string, region: string, locality: string): Place => ({
  country,
  region,
  locality,
  rateCenter: locality.toUpperCase().slice(0, 10),
});

/** Area codes with numbers for sale: twenty each, of the block that is set aside for fiction. */
const MARKET: Readonly<Record<string, Place>> = {
  "236": place("CA", "BC", "Vancouver"),
  "403": place("CA", "AB", "Calgary"),
  "416": place("CA", "ON", "Toronto"),
  "514": place("CA", "QC", "Montreal"),
  "587": place("CA", "AB", "Calgary"),
  "604": place("CA", "BC", "Vancouver"),
  "647": place("CA", "ON", "Toronto"),
  "780": place("CA", "AB", "Edmonton"),
  "825": place("CA", "AB", "Edmonton"),
  "206": place("US", "WA", "Seattle"),
  "212": place("US", "NY", "New York"),
  "312": place("US", "IL", "Chicago"),
  "415": place("US", "CA", "San Francisco"),
  "503": place("US", "OR", "Portland"),
};
/** Area codes without any, and which ones are near. */
const NEARBY: Readonly<Record<string, readonly string[]>> = {
  "368": ["403", "587", "825"],
  "672": ["236", "604"],
};
const PER_AREA = 20;

/** Starts the stand-in. */
export function startTwilioApi(options: TwilioApiOptions): TwilioApi {
  const state = new State(options);
  const requests: TwilioApiRequest[] = [];
  const injections: (Required<Omit<Injection, "method" | "path">> & Injection)[] = [];
  const waiting = new Set<() => void>();
  const ended = Promise.withResolvers<void>();

  const server = Deno.serve(
    { hostname: "127.0.0.1", port: options.port ?? 0, onListen() {} },
    async (request) => {
      const foreign = refused(request);
      if (foreign !== undefined) return foreign;
      const url = new URL(request.url);
      const form = request.method === "POST"
        ? new URLSearchParams(await request.text())
        : url.searchParams;
      const asked: TwilioApiRequest = {
        method: request.method,
        path: url.pathname.replace(/^\/2010-04-01/, "").replace(/\.json$/, ""),
        params: Object.fromEntries(form),
      };
      requests.push(asked);
      const injected = take(injections, asked);
      const answer = async () =>
        url.pathname.startsWith("/2010-04-01/") && url.pathname.endsWith(".json")
          ? state.answer({ ...asked, form }, request.headers.get("authorization"))
          // Of trusthub.twilio.com, which tells what is asked for by Status.
          : url.pathname === "/v1/CustomerProfiles"
          ? Response.json({
            meta: { key: "results" },
            results: options.profile === false ? [] : [{}],
          })
          // Of monitor.twilio.com. Here no call is refused.
          : url.pathname === "/v1/Alerts"
          ? Response.json({ meta: { key: "alerts" }, alerts: [] })
          : await recordedMedia(
            url.pathname,
            request.headers.get("range"),
            options.recordings,
          ) ?? notFound(url.pathname);
      if (injected === undefined) {
        const response = answer();
        for (const look of waiting) look();
        return response;
      }
      if (injected.effect) {
        state.listedAfter = injected.listedAfter;
        answer();
        state.listedAfter = 0;
      }
      for (const look of waiting) look();
      if (injected.answer === "hang") {
        await ended.promise;
        return new Response(null, { status: 499 });
      }
      const { status, code = 0, message = "", headers } = injected.answer;
      const failed = failure(status, code, message);
      for (const [name, value] of Object.entries(headers ?? {})) failed.headers.set(name, value);
      return failed;
    },
  );

  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    requests,
    get subaccounts() {
      return state.accounts.filter(({ sid }) => sid !== options.accountSid);
    },
    get numbers() {
      return state.numbers;
    },
    get purchases() {
      return state.purchases;
    },
    inject(injection) {
      const added = { after: 0, times: 1, effect: false, listedAfter: 0, ...injection };
      injections.push(added);
      return () => void (added.times = 0);
    },
    rotateToken(accountSid) {
      const account = state.accounts.find(({ sid }) => sid === accountSid);
      if (account === undefined) throw new TypeError(`Cannot rotate: no account ${accountSid}`);
      return account.auth_token = newSid("");
    },
    connect: (accountSid, simulator) => state.connect(accountSid, simulator),
    connectAll: (simulatorOf) => void (state.simulatorOf = simulatorOf),
    text(accountSid, text) {
      const messages = state.messages.get(accountSid);
      if (messages === undefined) {
        throw new TypeError(`Cannot text: ${accountSid} has no telephones`);
      }
      return messages.receive(text);
    },
    sellOut: (matching) => state.sellOut(matching),
    async seen(matching, times = 1) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = () => {
        if (requests.filter(matching).length >= times) resolve();
      };
      waiting.add(look);
      look();
      await promise;
      waiting.delete(look);
    },
    async stop() {
      ended.resolve();
      await server.shutdown();
    },
  };
}

/** The stand-in of `task start`: it knows its accounts and numbers again the next time. */
export function startLocalTwilio(accountSid: string, authToken: string, dataDir: string) {
  const { url, stop, connectAll } = startTwilioApi({
    accountSid,
    authToken,
    file: `${dataDir}/twilio.json`,
    recordings: new Recordings(`${dataDir}/recordings`),
  });
  const address = `${dataDir}/${TWILIO_URL_FILE}`;
  Deno.writeTextFileSync(address, `${url}\n`);
  return {
    env: { TWILIO_ACCOUNT_SID: accountSid, TWILIO_API_URL: url },
    connectAll,
    async stop() {
      Deno.removeSync(address);
      await stop();
    },
  };
}

/** The injection that a request falls to, if any; counts it. */
function take<T extends Required<Pick<Injection, "after" | "times">> & Injection>(
  injections: T[],
  request: TwilioApiRequest,
): T | undefined {
  for (const injection of injections) {
    if (injection.times === 0) continue;
    if (injection.method !== undefined && injection.method !== request.method) continue;
    if (injection.path !== undefined && !injection.path.test(request.path)) continue;
    const counting = injection as { after: number; times: number };
    if (counting.after > 0) {
      counting.after--;
      continue;
    }
    counting.times--;
    return injection;
  }
  return undefined;
}

/** The accounts and the numbers. */
class State {
  readonly accounts: TwilioAccount[];
  numbers: TwilioNumber[] = [];
  readonly purchases: string[] = [];
  readonly #main: TwilioAccount;
  readonly #file: string | undefined;
  readonly #tokenOnce: boolean;
  readonly #type: "Trial" | "Full";
  #soldOut: ((number: string) => boolean)[] = [];
  readonly #calls = new Map<string, AccountCalls>();
  readonly messages = new Map<string, AccountMessages>();
  /** Whose telephones ring for an account that was not connected by itself. */
  simulatorOf: ((account: TwilioAccount) => Simulator) | undefined;
  /** How many lists leave out what is made now. */
  listedAfter = 0;
  readonly #unlisted = new Map<string, number>();

  constructor(
    { accountSid, authToken, file, tokenOnce = false, type = "Full" }: TwilioApiOptions,
  ) {
    this.#file = file;
    this.#tokenOnce = tokenOnce;
    this.#type = type;
    this.#main = {
      sid: accountSid,
      auth_token: authToken,
      friendly_name: "TradeLine",
      status: "active",
      owner_account_sid: accountSid,
      date_created: new Date().toUTCString(),
    };
    const kept = this.#load();
    this.accounts = [this.#main, ...kept.accounts];
    this.numbers = kept.numbers;
  }

  /** Whether a list shows it by now; counts the lists that do not. */
  #isListed = ({ sid }: { readonly sid: string }): boolean => {
    const left = this.#unlisted.get(sid) ?? 0;
    if (left > 0) this.#unlisted.set(sid, left - 1);
    return left === 0;
  };

  #accountResource(account: TwilioAccount) {
    const { auth_token, ...others } = { ...accountResource(account), type: this.#type };
    return this.#tokenOnce ? others : { ...others, auth_token };
  }

  sellOut(matching: (number: string) => boolean): void {
    this.#soldOut.push(matching);
  }

  /** Whose telephones ring when this account makes a call. */
  connect(accountSid: string, simulator: Simulator): void {
    this.#calls.set(accountSid, new AccountCalls(accountSid, simulator));
    this.messages.set(accountSid, new AccountMessages(accountSid, simulator));
  }

  answer(
    request: TwilioApiRequest & { readonly form: URLSearchParams },
    authorization: string | null,
  ): Response {
    const user = this.#authenticate(authorization);
    if (user === undefined) return failure(401, 20003, "Authenticate");
    const { method, path, params } = request;
    const [, root, accountSid, collection, ...rest] = path.split("/");
    if (root !== "Accounts") return notFound(path);
    if (accountSid === undefined) {
      if (method === "GET") return this.#listAccounts(user, params);
      return method === "POST" ? this.#createAccount(user, params) : notAllowed(path);
    }
    const account = this.accounts.find(({ sid, owner_account_sid }) =>
      sid === accountSid && (sid === user.sid || owner_account_sid === user.sid)
    );
    if (account === undefined) return notFound(path);
    if (collection === undefined) {
      if (method === "GET") return Response.json(this.#accountResource(account));
      return method === "POST" ? this.#updateAccount(account, params) : notAllowed(path);
    }
    if (account.status !== "active" && method !== "GET") {
      return failure(403, 20005, "Account not active");
    }
    if (this.simulatorOf !== undefined && !this.#calls.has(account.sid)) {
      this.connect(account.sid, this.simulatorOf(account));
    }
    switch (collection) {
      case "AvailablePhoneNumbers":
        return this.#search(rest[0] ?? "", params, path);
      case "IncomingPhoneNumbers":
        return this.#incoming(request, account, rest[0]);
      case "Calls":
      case "Queues": {
        const own = this.numbers.filter(({ account_sid }) => account_sid === account.sid)
          .map(({ phone_number }) => phone_number);
        return this.#calls.get(account.sid)?.answer(request, own, this.listedAfter) ??
          unconnected(request);
      }
      case "Messages":
        return this.messages.get(account.sid)?.answer(request) ?? unconnected(request);
      // None is kept here.
      case "Recordings":
        return unconnected(request);
      default:
        return notFound(path);
    }
  }

  /** An account may act for itself, and the main one for all. */
  #authenticate(authorization: string | null): TwilioAccount | undefined {
    const credentials = /^Basic (.+)$/.exec(authorization ?? "")?.[1];
    return this.accounts.find(({ sid, auth_token }) =>
      credentials === btoa(`${sid}:${auth_token}`)
    );
  }

  #listAccounts(user: TwilioAccount, { FriendlyName, Status }: Record<string, string>): Response {
    const found = this.accounts.filter((account) =>
      (account.sid === user.sid || account.owner_account_sid === user.sid) &&
      (FriendlyName === undefined || account.friendly_name === FriendlyName) &&
      (Status === undefined || account.status === Status)
    ).filter(this.#isListed);
    return page("/Accounts", "accounts", found.map((account) => this.#accountResource(account)));
  }

  #createAccount(user: TwilioAccount, { FriendlyName }: Record<string, string>): Response {
    const created: TwilioAccount = {
      sid: newSid("AC"),
      auth_token: newSid(""),
      friendly_name: (FriendlyName ?? "SubAccount").slice(0, 64),
      status: "active",
      owner_account_sid: user.sid,
      date_created: new Date().toUTCString(),
    };
    this.accounts.push(created);
    this.#unlisted.set(created.sid, this.listedAfter);
    this.#save();
    return Response.json({ ...accountResource(created), type: this.#type }, { status: 201 });
  }

  #updateAccount(account: TwilioAccount, params: Record<string, string>): Response {
    const { Status, FriendlyName } = params;
    if (account.status === "closed" && Status !== undefined) {
      return failure(
        400,
        21479,
        "Unable to update Status for subaccount, subaccount has been closed.",
      );
    }
    if (Status === "active" || Status === "suspended" || Status === "closed") {
      account.status = Status;
      if (Status === "closed") {
        this.numbers = this.numbers.filter(({ account_sid }) => account_sid !== account.sid);
      }
    } else if (Status !== undefined) {
      return failure(400, 20001, `Status ${Status} is not valid`);
    }
    if (FriendlyName !== undefined) account.friendly_name = FriendlyName;
    this.#save();
    return Response.json(this.#accountResource(account));
  }

  #isForSale(number: string): boolean {
    return MARKET[number.slice(2, 5)] !== undefined &&
      /^\+1\d{3}55501\d\d$/.test(number) && Number(number.slice(-2)) < PER_AREA &&
      !this.numbers.some(({ phone_number }) => phone_number === number) &&
      !this.#soldOut.some((matching) => matching(number));
  }

  #search(country: string, params: Readonly<Record<string, string>>, path: string): Response {
    if (!/^[A-Z]{2}$/.test(country)) return notFound(path);
    const { AreaCode, NearNumber } = params;
    const near = NearNumber?.slice(2, 5) ?? "";
    const region = MARKET[near]?.region;
    const areas = Object.entries(MARKET).filter(([code, { country: home, region: its }]) =>
      home === country && (AreaCode === undefined || code === AreaCode) &&
      (NearNumber === undefined || NEARBY[near]?.includes(code) ||
        (region !== undefined && its === region))
    ).map(([code]) => code);
    const limit = Number(params["PageSize"] ?? 30);
    const found: string[] = [];
    // From each area in turn, so that a short page still shows several.
    for (let n = 0; n < PER_AREA; n++) {
      for (const code of areas) {
        const number = `+1${code}55501${String(n).padStart(2, "0")}`;
        if (found.length < limit && this.#isForSale(number)) found.push(number);
      }
    }
    return Response.json({
      available_phone_numbers: found.map(availableResource),
      uri: `/2010-04-01${path}.json`,
    });
  }

  #incoming(
    { method, path, params }: TwilioApiRequest,
    account: TwilioAccount,
    sid: string | undefined,
  ): Response {
    const own = this.numbers.filter(({ account_sid }) => account_sid === account.sid);
    if (sid === undefined) {
      if (method === "POST") return this.#buy(account, params);
      const wanted = params["PhoneNumber"];
      const found = own.filter(({ phone_number }) =>
        wanted === undefined || phone_number.includes(wanted)
      ).filter(this.#isListed);
      return page(path, "incoming_phone_numbers", found.map(numberResource));
    }
    const number = own.find((each) => each.sid === sid);
    if (number === undefined) return notFound(path);
    if (method === "DELETE") {
      this.numbers = this.numbers.filter((each) => each !== number);
      this.#save();
      return new Response(null, { status: 204 });
    }
    if (method === "POST") {
      number.voice_url = params["VoiceUrl"] ?? number.voice_url;
      number.voice_fallback_url = params["VoiceFallbackUrl"] ?? number.voice_fallback_url;
      number.status_callback = params["StatusCallback"] ?? number.status_callback;
      // An empty one takes the number out of it. Source:
      // https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource#update-an-incomingphonenumber-resource
      const { VoiceApplicationSid, TrunkSid } = params;
      if (VoiceApplicationSid !== undefined) {
        number.voice_application_sid = VoiceApplicationSid || null;
      }
      if (TrunkSid !== undefined) number.trunk_sid = TrunkSid || null;
      this.#save();
    }
    return Response.json(numberResource(number));
  }

  #buy(account: TwilioAccount, { PhoneNumber = "" }: Record<string, string>): Response {
    if (!/^\+[1-9]\d{6,14}$/.test(PhoneNumber)) {
      return failure(400, 21421, `PhoneNumber ${PhoneNumber} is invalid`);
    }
    if (!this.#isForSale(PhoneNumber)) {
      return failure(400, 21422, `PhoneNumber ${PhoneNumber} is not available`);
    }
    const bought: TwilioNumber = {
      sid: newSid("PN"),
      account_sid: account.sid,
      phone_number: PhoneNumber,
      voice_url: "",
      voice_fallback_url: "",
      status_callback: "",
      voice_application_sid: null,
      trunk_sid: null,
      date_created: new Date().toUTCString(),
    };
    this.numbers.push(bought);
    this.#unlisted.set(bought.sid, this.listedAfter);
    this.purchases.push(PhoneNumber);
    this.#save();
    return Response.json(numberResource(bought), { status: 201 });
  }

  #load(): { accounts: TwilioAccount[]; numbers: TwilioNumber[] } {
    try {
      if (this.#file !== undefined) return JSON.parse(Deno.readTextFileSync(this.#file));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return { accounts: [], numbers: [] };
  }

  #save(): void {
    if (this.#file === undefined) return;
    const accounts = this.accounts.filter((account) => account !== this.#main);
    const text = JSON.stringify({ accounts, numbers: this.numbers }, null, 2);
    // In one step: a process that is killed leaves the old file or the new one.
    Deno.writeTextFileSync(`${this.#file}.new`, text, { mode: 0o600 });
    Deno.renameSync(`${this.#file}.new`, this.#file);
  }
}

/** Without telephones there is nothing to list, and nothing can be made. */
function unconnected({ method, path }: TwilioApiRequest): Response {
  const [, , , collection = "", sid] = path.split("/");
  if (method === "GET" && sid === undefined) return page(path, collection.toLowerCase(), []);
  return sid === undefined
    ? failure(503, 20503, "This stand-in for Twilio has no telephones to ring")
    : notFound(path);
}

/** Where a call to the number goes; its own address counts for nothing in an application or a trunk. */
export function answeredAt(number: TwilioNumber): string | undefined {
  const elsewhere = number.voice_application_sid ?? number.trunk_sid ?? null;
  return elsewhere === null ? number.voice_url : undefined;
}

function newSid(prefix: string): string {
  return prefix + crypto.randomUUID().replaceAll("-", "");
}

function accountResource(account: TwilioAccount) {
  const uri = `/2010-04-01/Accounts/${account.sid}`;
  return {
    ...account,
    date_updated: account.date_created,
    uri: `${uri}.json`,
    subresource_uris: {
      available_phone_numbers: `${uri}/AvailablePhoneNumbers.json`,
      calls: `${uri}/Calls.json`,
      incoming_phone_numbers: `${uri}/IncomingPhoneNumbers.json`,
      recordings: `${uri}/Recordings.json`,
    },
  };
}

function friendly(number: string): string {
  return `(${number.slice(2, 5)}) ${number.slice(5, 8)}-${number.slice(8)}`;
}

function availableResource(number: string) {
  const { country, region, locality, rateCenter } = MARKET[number.slice(2, 5)]!;
  return {
    friendly_name: friendly(number),
    phone_number: number,
    lata: "888",
    rate_center: rateCenter,
    latitude: null,
    longitude: null,
    locality,
    region,
    postal_code: null,
    iso_country: country,
    address_requirements: "none",
    beta: false,
    capabilities: { voice: true, SMS: true, MMS: true },
  };
}

function numberResource(number: TwilioNumber) {
  return {
    ...number,
    friendly_name: friendly(number.phone_number),
    api_version: "2010-04-01",
    voice_method: "POST",
    voice_fallback_method: "POST",
    status_callback_method: "POST",
    address_requirements: "none",
    capabilities: { voice: true, sms: true, mms: true },
    status: "in-use",
    date_updated: number.date_created,
    uri: `/2010-04-01/Accounts/${number.account_sid}/IncomingPhoneNumbers/${number.sid}.json`,
  };
}
