import { PostgrestClient, type PostgrestError } from "@supabase/postgrest-js";
import type * as z from "zod/mini";
import { Refused, ServiceError } from "../errors.ts";
import { type Delay, delay } from "../runtime.ts";
import type { Database, Json } from "./database.types.ts";

/** The Data API as supabase-js speaks it, through the part of supabase-js that does: a tenth of its start-up. */
export type DataApi = PostgrestClient<Database> & {
  /** Of a worker, which can wait for what `untilKnown` waits for. */
  readonly patience?: Delay | undefined;
};

/** @param secretKey The project's secret key; it goes into `apikey`, as the newer keys are no JWTs. */
export function dataApi(supabaseUrl: string, secretKey: string, patience?: Delay): DataApi {
  const api = new PostgrestClient<Database>(`${supabaseUrl}/rest/v1`, {
    headers: {
      apikey: secretKey,
      // A legacy key is a JWT and names its role there.
      ...(secretKey.startsWith("ey") && { authorization: `Bearer ${secretKey}` }),
    },
    // A caller waits, and Twilio retries: a second try of ours would only eat its time.
    retry: false,
  });
  return Object.assign(api, { patience });
}

/** The database did not do something, or did not say so. */
export class DatabaseFailure extends ServiceError {
  override name = "DatabaseFailure";

  /** @param code The SQLSTATE, or PostgREST's code; empty where nothing answered. */
  constructor(functionName: string, code: string) {
    super(
      code === "" ? "unknown" : PASSING.test(code) ? "busy" : "refused",
      `Cannot run ${functionName}: the database answered ${code || "nothing"}`,
      code,
    );
  }
}

/**
 * Of a transaction that was rolled back, for a reason that goes: connections, conflicts, resources, shutdown, and
 * PostgREST without a connection or with the schema of before.
 */
const PASSING = /^(08|40|53|55|57)|^PGRST[02]/;

/** What an error says of the request; `undefined`: nothing. */
export function refusalOf({ code, details, message }: PostgrestError): Refused | undefined {
  const [, status] = /^PT(400|404|409)$/.exec(code ?? "") ?? [];
  return status === undefined
    ? undefined
    : new Refused(Number(status) as Refused["status"], details || undefined, message);
}

type Functions = Database["public"]["Functions"];
export type SqlFunction = keyof Functions & string;

/** What a SQL function takes: jsonb is anything that JSON can be made of; null is allowed, as SQL allows it. */
export type ArgumentsOf<Name extends SqlFunction> = {
  readonly [Key in keyof Functions[Name]["Args"]]: Argument<Functions[Name]["Args"][Key]>;
};
type Argument<T> = Json extends T ? unknown
  : T extends (infer Item)[] ? readonly Item[] | null
  : T | null;

/** What the Data API answered. */
export interface RpcAnswer {
  readonly data: unknown;
  readonly error: PostgrestError | null;
  /** Of HTTP. */
  readonly status: number;
}

/** Calls a SQL function, for those who tell one failure from another. Rejects after `deadlineMs` without an answer. */
export async function rpc<Name extends SqlFunction>(
  api: DataApi,
  name: Name,
  args: ArgumentsOf<Name>,
  deadlineMs: number,
): Promise<RpcAnswer> {
  const untyped: PostgrestClient = api;
  return await untyped.rpc(name, args).abortSignal(AbortSignal.timeout(deadlineMs));
}

/**
 * Runs a SQL function, and gives what it returns.
 *
 * @param returns What that is. The database's own types say of jsonb, and of null, too little.
 * @param deadlineMs After this long without an answer.
 * @throws {DatabaseFailure} which repeats nothing that the function was given; `other_form` where it returned something else.
 */
export async function run<Name extends SqlFunction, Returned>(
  api: DataApi,
  name: Name,
  args: ArgumentsOf<Name>,
  returns: z.ZodMiniType<Returned>,
  deadlineMs: number,
): Promise<Returned> {
  const ask = () => rpc(api, name, args, deadlineMs);
  const answer = api.patience === undefined
    ? await ask()
    : await untilKnown(ask, ({ error }) => error?.code, api.patience);
  return returned(name, answer, returns);
}

/** What an answer returns; throws as `run` does. */
export function returned<Returned>(
  name: SqlFunction,
  { data, error }: RpcAnswer,
  returns: z.ZodMiniType<Returned>,
): Returned {
  // A gateway's error has no code, whatever the type says.
  if (error !== null) throw new DatabaseFailure(name, error.code ?? "");
  const read = returns.safeParse(data);
  if (!read.success) throw new DatabaseFailure(name, "other_form");
  return read.data;
}

/** For `dataApi`: of a worker. */
export const PATIENT: Delay = delay;

/**
 * Asks again each second, for a minute at most, while the Data API does not know a function (PGRST202) or a table
 * (PGRST205): after migrations it uses the old schema for some seconds. For requests that no caller waits for.
 * Source: https://docs.postgrest.org/en/stable/references/schema_cache.html
 *
 * @param codeOf The error's code that an answer has.
 */
export async function untilKnown<T>(
  ask: () => Promise<T>,
  codeOf: (answer: T) => string | undefined | Promise<string | undefined>,
  wait: Delay = delay,
): Promise<T> {
  for (let seconds = 0;; seconds++) {
    // deno-lint-ignore no-await-in-loop -- One attempt after the other.
    const answer = await ask();
    // deno-lint-ignore no-await-in-loop
    const code = await codeOf(answer);
    if ((code !== "PGRST202" && code !== "PGRST205") || seconds === 60) return answer;
    // deno-lint-ignore no-await-in-loop
    await wait(1000);
  }
}

/** The code of an error that the Data API answered over plain `fetch`; the answer can still be read. */
export async function errorCodeOf(response: Response | undefined): Promise<string | undefined> {
  if (response?.status !== 404) return undefined;
  const body: unknown = await response.clone().json().catch(() => undefined);
  const code = (body as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}
