// What the onboarding tests share: a Twilio that sells numbers, a function that buys them, and ways to
// break either.

import {
  startTwilioApi,
  type TwilioApi,
  type TwilioApiRequest,
} from "../../scripts/local/twilio_api.ts";
import {
  LOCAL_ACCOUNT_SID,
  LOCAL_AUTH_TOKEN,
  LOCAL_JWT_SECRET,
  LOCAL_SECRET_KEY,
} from "../../scripts/local/stack.ts";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import { type Jobs, jobs } from "../../supabase/functions/_shared/db/jobs.ts";
import { memberships } from "../../supabase/functions/_shared/db/members.ts";
import { onboardings } from "../../supabase/functions/_shared/db/onboarding.ts";
import { reconciliation } from "../../supabase/functions/_shared/db/reconciliation.ts";
import { type Deps, depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { formatLogLine } from "../../supabase/functions/_shared/log.ts";
import type { SagaDeps } from "../../supabase/functions/_shared/onboarding/saga.ts";
import { sealBy } from "../../supabase/functions/_shared/onboarding/seal.ts";
import { twilioClient } from "../../supabase/functions/_shared/twilio/client.ts";
import { provisioning } from "../../supabase/functions/_shared/twilio/provisioning.ts";
import { userTokens } from "../../supabase/functions/_shared/user_token.ts";
import {
  createHandler as createOnboard,
  type OnboardDeps,
} from "../../supabase/functions/telephony-onboard/handler.ts";
import { createHandler as createReconcile } from "../../supabase/functions/voice-reconcile/handler.ts";
import type { TestStack } from "./database.ts";
import { signJwt } from "./jwt.ts";
import { asDocumented } from "./openapi.ts";
import { PUBLIC_URL, testSettings } from "./webhook.ts";

/** The whole answer of a request. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/** A deployment's onboarding, over a database of the tests and a Twilio of its own. */
export interface Office {
  /** The settings, for a process of its own. */
  readonly env: Record<string, string>;
  readonly twilio: TwilioApi;
  readonly saga: SagaDeps;
  /** What went to the log. */
  readonly lines: string[];
  /** How long it waited between attempts, in milliseconds. */
  readonly waits: number[];
  ask(body: unknown, options?: AskOptions): Promise<Answer>;
  release(orgId: string, options?: AskOptions, saga?: SagaDeps): Promise<Answer>;
  /** Changes an account at Twilio, as its console does. */
  setStatus(accountSid: string, status: "active" | "suspended" | "closed"): Promise<void>;
  /** Has the function ask with other parts than the office's. */
  askWith(saga: SagaDeps | undefined, body: unknown, options?: AskOptions): Promise<Answer>;
  readonly jobs: Jobs;
  /** One run of voice-reconcile. */
  reconcile(saga?: SagaDeps): Promise<Answer>;
  /** Lets leases expire, and the time pass after which unanswered requests count as settled. */
  expireLeases(minutes?: number): Promise<void>;
  /** The transactions of an organisation, oldest first. */
  // deno-lint-ignore no-explicit-any
  transactions(orgId: string): Promise<any[]>;
  stop(): Promise<void>;
}

export interface AskOptions {
  readonly key?: string;
  /** Default: the operator's. `undefined` values leave a header out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly method?: string;
  readonly query?: string;
}

let organisations = 0;

/** An organisation that no other test of this process has, with a request to onboard it. */
export function organisation(more: Record<string, unknown> = {}) {
  const id = crypto.randomUUID();
  const name = `Business ${++organisations}`;
  return {
    org_id: id,
    body: { org_id: id, business_name: name, country: "CA", area_code: "587", ...more },
  };
}

export function openOffice(
  stack: TestStack,
  options: { env?: Record<string, string | undefined>; tokenOnce?: boolean } = {},
): Office {
  const twilio = startTwilioApi({
    accountSid: LOCAL_ACCOUNT_SID,
    authToken: LOCAL_AUTH_TOKEN,
    tokenOnce: options.tokenOnce ?? false,
  });
  const env = {
    BUSINESS_TARGET_E164: "+15877428885",
    SUPABASE_URL: stack.url,
    PUBLIC_FUNCTIONS_URL: PUBLIC_URL,
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: LOCAL_SECRET_KEY }),
    SUPABASE_JWT_SECRET: LOCAL_JWT_SECRET,
    TWILIO_AUTH_TOKEN: LOCAL_AUTH_TOKEN,
    TWILIO_ACCOUNT_SID: LOCAL_ACCOUNT_SID,
    TWILIO_API_URL: twilio.url,
  };
  const settings = testSettings({ ...env, ...options.env });
  const lines: string[] = [];
  const waits: number[] = [];
  let now = Date.now();
  const log: Deps["log"] = (level, fields) => lines.push(formatLogLine(new Date(), level, fields));
  const deps: Deps = { ...depsFrom(settings), log };
  const saga: SagaDeps = {
    database: onboardings(dataApi(settings.supabaseUrl, settings.secretKey)),
    twilio: provisioning(
      twilioClient({
        baseUrl: settings.twilioApiUrl,
        accountSid: LOCAL_ACCOUNT_SID,
        authToken: settings.twilioAuthToken,
        deadlineMs: 1000,
        wait: (milliseconds) => {
          waits.push(milliseconds);
          return Promise.resolve();
        },
      }),
      LOCAL_ACCOUNT_SID,
    ),
    seal: sealBy(settings.secretKey),
    functionsUrl: settings.publicFunctionsUrl,
    log,
    now: () => new Date(now),
  };
  const onboard = (parts: SagaDeps | undefined) => {
    const all: OnboardDeps = {
      ...deps,
      saga: parts,
      readUserToken: userTokens(settings.userTokens),
      membershipOf: memberships(dataApi(settings.supabaseUrl, settings.secretKey)),
    };
    return createOnboard(all);
  };
  const api = dataApi(settings.supabaseUrl, settings.secretKey);
  const reconcile = (parts: SagaDeps) =>
    createReconcile({
      ...deps,
      database: reconciliation(api),
      jobs: office.jobs,
      twilio: undefined,
      saga: parts,
    });

  const office: Office = {
    env,
    twilio,
    saga,
    jobs: jobs(api),
    lines,
    waits,
    ask: (body, options) => office.askWith(saga, body, options),
    release: (orgId, options, parts = saga) =>
      office.askWith(parts, undefined, { ...options, method: "DELETE", query: `?org_id=${orgId}` }),
    async setStatus(sid, Status) {
      const response = await fetch(`${twilio.url}/2010-04-01/Accounts/${sid}.json`, {
        method: "POST",
        headers: { authorization: `Basic ${btoa(`${LOCAL_ACCOUNT_SID}:${LOCAL_AUTH_TOKEN}`)}` },
        body: new URLSearchParams({ Status }),
      });
      if (!response.ok) throw new Error(await response.text());
      await response.body?.cancel();
    },
    async askWith(parts, body, { key, headers = {}, method = "POST", query = "" } = {}) {
      const all: Record<string, string | undefined> = {
        "content-type": "application/json",
        apikey: LOCAL_SECRET_KEY,
        "idempotency-key": key,
        ...headers,
      };
      const given = Object.entries(all).filter((entry): entry is [string, string] =>
        entry[1] !== undefined
      );
      const response = await onboard(parts)(
        new Request(`http://edge-runtime.supabase.com/telephony-onboard${query}`, {
          method,
          headers: given,
          ...(method === "POST" && {
            body: typeof body === "string" ? body : JSON.stringify(body),
          }),
        }),
      );
      return await read(await asDocumented("telephony-onboard", method, response));
    },
    reconcile: async (parts = saga) =>
      await read(
        await reconcile(parts)(
          new Request("http://edge-runtime.supabase.com/voice-reconcile", {
            method: "POST",
            headers: { apikey: LOCAL_SECRET_KEY },
          }),
        ),
      ),
    async expireLeases(minutes = 15) {
      now += minutes * 60_000;
      await stack.db.sql`
        update jobs set run_at = now() - interval '1 second' where kind = 'onboarding'`;
    },
    transactions: async (orgId) => [
      ...await stack.db.sql`
        select * from telephony_transactions where org_id = ${orgId} order by started_at, id`,
    ],
    stop: () => twilio.stop(),
  };
  return office;
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === "" ? undefined : JSON.parse(text),
  };
}

/** A saga whose process dies: its `at`-th call, from 0, has its effect, and nothing ever comes back. */
export interface DyingSaga {
  readonly saga: SagaDeps;
  /** The call after which it died; `undefined` where it lived to its end. */
  readonly died: Promise<string>;
  readonly calls: string[];
}

export function dyingAfter(saga: SagaDeps, at: number): DyingSaga {
  const calls: string[] = [];
  const { promise: died, resolve } = Promise.withResolvers<string>();
  const mortal = <T extends object>(part: T): T =>
    new Proxy(part, {
      get(target, name) {
        const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
        return async (...args: unknown[]) => {
          const mine = calls.push(String(name)) - 1;
          const result = await method(...args);
          if (mine < at) return result;
          resolve(String(name));
          return await new Promise(() => {});
        };
      },
    });
  return {
    saga: { ...saga, database: mortal(saga.database), twilio: mortal(saga.twilio) },
    died,
    calls,
  };
}

/** A user's token as Supabase Auth makes it. */
export function userToken(claims: Record<string, unknown>, secret = LOCAL_JWT_SECRET): string {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  return signJwt({ role: "authenticated", aud: "authenticated", exp, ...claims }, secret);
}

/** The token of somebody who belongs to an organisation. */
export function memberToken(orgId: string, role = "admin", more: Record<string, unknown> = {}) {
  return userToken({ sub: crypto.randomUUID(), app_metadata: { org_id: orgId, role }, ...more });
}

/** Whether a request buys a number. */
export function isPurchase({ method, path }: TwilioApiRequest): boolean {
  return method === "POST" && path.endsWith("/IncomingPhoneNumbers");
}
