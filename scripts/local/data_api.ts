import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import postgres from "postgres";
import { refused, RestError, unreachable } from "./rest_error.ts";
import {
  callClause,
  identifier,
  parseRowQuery,
  rowsStatement,
  scalarStatement,
  writeStatement,
} from "./rest_query.ts";
import { type Connection, ConnectionLost, Pool } from "./rest_pool.ts";
import { readSchema, type Routine, type Schema } from "./rest_schema.ts";

export interface DataApiOptions {
  /** The database; connections log in as `authenticator`, whatever role the address names. */
  readonly databaseUrl: string;
  /** The role behind each API key. */
  readonly keys: Readonly<Record<string, "anon" | "service_role">>;
  /** Signs users' tokens (HS256). */
  readonly jwtSecret: string;
  /** Requests in PostgreSQL at once; the others wait. Default 20. */
  readonly poolSize?: number;
}

/** Supabase's Data API (PostgREST) over one database, as far as this project needs it. */
export interface DataApi {
  /** Answers a request to `/rest/v1/...`. Never rejects. */
  handle(request: Request): Promise<Response>;
  /** Closes the connections. */
  close(): Promise<void>;
}

interface Caller {
  readonly role: string;
  /** JSON, for `request.jwt.claims`. */
  readonly claims: string;
}

/** One statement to run for a caller, and how to answer with its result. */
interface Plan {
  readonly statement: string;
  readonly parameters: string[];
  readonly readOnly: boolean;
  readonly form: "rows" | "row" | "scalar" | "void";
  readonly offset: number;
  /** Default: 200, or what a function says. */
  readonly status?: number;
}

interface ResultRow {
  readonly body: string | null;
  readonly rows: number;
  readonly total: number | null;
  readonly status: string | null;
  readonly headers: string | null;
}

export function createDataApi(options: DataApiOptions): DataApi {
  const url = new URL(options.databaseUrl);
  url.username = "authenticator";
  url.password = "postgres";
  const pool = new Pool(url, options.poolSize ?? 20);
  const anonymous = callerOf({ role: "anon" });
  const keys = new Map(
    Object.entries(options.keys).map(([key, role]) => [key, callerOf({ role })]),
  );

  let schema: Promise<Schema> | undefined;
  const currentSchema = () => schema ??= loadSchema();
  const loadSchema = (): Promise<Schema> => {
    const loading: Promise<Schema> = pool.use(({ sql }) => orLost(readSchema(sql)));
    loading.catch(() => {
      if (schema === loading) schema = undefined;
    });
    return schema = loading;
  };

  function authenticate(headers: Headers): Caller {
    const bearer = /^Bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
    const token = bearer ?? headers.get("apikey");
    if (token === null) return anonymous;
    const known = keys.get(token);
    if (known !== undefined) return known;
    if (token.startsWith("sb_")) {
      throw new RestError(401, "401", "Unregistered API key", null, "Check the apikey header");
    }
    return callerOf(verifyJwt(token, options.jwtSecret));
  }

  /** Finds what `find` looks for, reading the schema again when it is not there. */
  async function lookUp<T>(find: (schema: Schema) => T | undefined): Promise<T | undefined> {
    return find(await currentSchema()) ?? find(await loadSchema());
  }

  async function planRows(request: Request, url: URL, relation: string): Promise<Plan> {
    const { method } = request;
    if (!["GET", "HEAD", "POST", "PATCH", "DELETE"].includes(method)) {
      throw new RestError(405, "PGRST117", `Unsupported HTTP method: ${method}`);
    }
    if (await lookUp((schema) => schema.relations.has(relation) || undefined) === undefined) {
      const message = `Could not find the table 'public.${relation}' in the schema cache`;
      throw new RestError(404, "PGRST205", message);
    }
    const query = parseRowQuery(url.searchParams);
    if (method === "POST" || method === "PATCH" || method === "DELETE") {
      const body = method === "DELETE" ? "" : await request.text();
      const rows = method === "DELETE" ? [] : rowsOf(body);
      const returning = /\breturn=representation\b/.test(request.headers.get("prefer") ?? "")
        ? wantsObject(request) ? "row" : "rows"
        : undefined;
      const columns = Object.keys(rows[0] ?? {});
      return {
        statement: method === "PATCH" && columns.length === 0
          // Nothing is to be changed. Source: https://docs.postgrest.org, "Tables and Views: Update"
          ? rowsStatement("select 1 where false", parseRowQuery(new URLSearchParams()), {
            form: "rows",
            count: false,
          })
          : writeStatement(method, relation, columns, query, returning),
        parameters: columns.length === 0 ? [] : [method === "POST" ? JSON.stringify(rows) : body],
        readOnly: false,
        form: returning ?? "void",
        offset: 0,
        status: method === "POST" ? 201 : returning ? 200 : 204,
      };
    }
    const form = wantsObject(request) ? "row" : "rows";
    const source = { table: `public.${identifier(relation)}` };
    return {
      statement: rowsStatement(source, query, { form, count: wantsCount(request) }),
      parameters: [],
      readOnly: true,
      form,
      offset: Number(query.offset ?? 0),
    };
  }

  async function planCall(request: Request, url: URL, name: string): Promise<Plan> {
    if (!["GET", "HEAD", "POST"].includes(request.method)) {
      throw new RestError(405, "PGRST101", "Only GET, HEAD and POST verbs are allowed for RPC");
    }
    const post = request.method === "POST";
    const input = post ? await request.text() : queryArguments(url, await currentSchema(), name);
    const given = argumentNames(input);
    const found = await lookUp((schema) => findRoutine(schema.routines.get(name), given, post));
    if (found === undefined) throw noSuchFunction(name, given ?? new Set());

    const { routine, unnamed } = found;
    const call = callClause(routine, unnamed ? "unnamed" : given ?? new Set());
    const common = {
      parameters: call.includes("$1") ? [input === "" ? "{}" : input] : [],
      readOnly: !post || !routine.volatile,
    };
    if (routine.returns === "void" || (routine.returns === "scalar" && !routine.returnsSet)) {
      return {
        ...common,
        statement: scalarStatement(call, routine),
        form: routine.returns === "void" ? "void" : "scalar",
        offset: 0,
      };
    }
    const names = new Set(routine.args.map((arg) => arg.name));
    const query = parseRowQuery(url.searchParams, (param) => !post && names.has(param));
    const form = wantsObject(request) || !routine.returnsSet ? "row" : "rows";
    return {
      ...common,
      statement: rowsStatement(
        routine.returns === "row" ? `select pgrst_call.* ${call}` : `select pgrst_call ${call}`,
        query,
        { form, count: wantsCount(request), values: routine.returns === "scalar" },
      ),
      form,
      offset: Number(query.offset ?? 0),
    };
  }

  async function handle(request: Request): Promise<Response> {
    let role = "anon";
    try {
      const url = new URL(request.url);
      const [, kind, name, rest] = /^\/rest\/v1\/(rpc\/)?([^/]+)(\/.*)?$/.exec(url.pathname) ?? [];
      if (name === undefined || rest !== undefined) {
        throw new RestError(404, "PGRST125", "Invalid path specified in request URL");
      }
      const caller = authenticate(request.headers);
      role = caller.role;
      const target = decodeURIComponent(name);
      const plan = kind === undefined
        ? await planRows(request, url, target)
        : await planCall(request, url, target);
      const row = await pool.use((connection) => transact(connection, request, url, caller, plan));
      return respond(request, plan, row);
    } catch (error) {
      if (error instanceof RestError) return error.toResponse();
      if (error instanceof postgres.PostgresError) {
        // What it does not know any more may have been replaced.
        if (["42883", "42P01"].includes(error.code)) schema = undefined;
        return refused(error, role).toResponse();
      }
      return unreachable().toResponse();
    }
  }

  return { handle, close: () => pool.close() };
}

/**
 * Runs a plan in one transaction, all of it sent at once: a single round trip. When a step fails,
 * PostgreSQL skips the rest and the COMMIT becomes a ROLLBACK.
 */
async function transact(
  { sql, prepared }: Connection,
  request: Request,
  url: URL,
  caller: Caller,
  plan: Plan,
): Promise<ResultRow> {
  const begin = sql.unsafe(plan.readOnly ? "begin read only" : "begin");
  const settings = sql`select
    set_config('search_path', 'public, extensions', true),
    set_config('role', ${caller.role}, true),
    set_config('request.jwt.claims', ${caller.claims}, true),
    set_config('request.method', ${request.method}, true),
    set_config('request.path', ${url.pathname.slice("/rest/v1".length)}, true),
    set_config('request.headers', ${JSON.stringify(Object.fromEntries(request.headers))}, true)`;
  const main = sql.unsafe<ResultRow[]>(plan.statement, plan.parameters, { prepare: true });
  const end = (command: "commit" | "rollback") => sql.unsafe(command);

  // Whether to commit is mostly decided by PostgreSQL alone, but not how many rows are too many.
  const conditional = plan.form === "row" && !plan.readOnly;
  if (prepared.has(plan.statement) && !conditional) {
    const results = await Promise.allSettled([begin, settings, main, end("commit")].map(orLost));
    const errors = results.flatMap((it) => it.status === "rejected" ? [it.reason] : []);
    if (errors.length > 0) throw errors.find((it) => it instanceof ConnectionLost) ?? errors[0];
    return (await main)[0] as ResultRow;
  }

  // A statement has to be described before its first use, and nothing may wait behind that.
  await orLost(begin);
  try {
    await orLost(settings);
    const [row] = await orLost(main);
    prepared.add(plan.statement);
    await orLost(end(conditional && row?.rows !== 1 ? "rollback" : "commit"));
    return row as ResultRow;
  } catch (error) {
    if (error instanceof postgres.PostgresError) await orLost(end("rollback"));
    throw error;
  }
}

/** Any failure means that the connection broke, unless PostgreSQL refused and stayed. */
async function orLost<T>(work: PromiseLike<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof postgres.PostgresError && error.severity !== "FATAL") throw error;
    throw new ConnectionLost("Cannot finish the transaction", { cause: error });
  }
}

function respond(request: Request, plan: Plan, row: ResultRow): Response {
  if (plan.form === "row" && row.rows !== 1) {
    const message = "Cannot coerce the result to a single JSON object";
    throw new RestError(406, "PGRST116", message, `The result contains ${row.rows} rows`);
  }
  const headers = new Headers();
  if (plan.form !== "void") headers.set("content-type", "application/json; charset=utf-8");
  if (plan.form === "row") {
    headers.set("content-type", "application/vnd.pgrst.object+json; charset=utf-8");
  }
  const partial = row.total !== null && plan.offset + row.rows < row.total;
  if (plan.form === "rows") {
    const range = row.rows === 0 ? "*" : `${plan.offset}-${plan.offset + row.rows - 1}`;
    headers.set("content-range", `${range}/${row.total ?? "*"}`);
  }
  for (const [name, value] of ownHeaders(row.headers)) headers.set(name, value);
  const status = ownStatus(row.status) ?? plan.status ??
    (plan.form === "void" ? 204 : partial ? 206 : 200);
  const empty = plan.form === "void" || request.method === "HEAD" || [204, 304].includes(status);
  return new Response(empty ? null : row.body ?? "null", { status, headers });
}

/** `response.status`, when the function has set it. */
function ownStatus(setting: string | null): number | undefined {
  if (!setting) return undefined;
  const status = Number(setting);
  if (Number.isInteger(status) && status >= 200 && status <= 599) return status;
  throw new RestError(500, "PGRST112", "response.status GUC must be a valid status code");
}

/** `response.headers`, when the function has set it: `[{"name": "value"}, ...]`. */
function ownHeaders(setting: string | null): [string, string][] {
  if (!setting) return [];
  try {
    return (JSON.parse(setting) as Record<string, string>[]).flatMap(Object.entries);
  } catch {
    const message = "response.headers GUC must be a JSON array composed of objects with a " +
      "single key and a string value";
    throw new RestError(500, "PGRST111", message);
  }
}

function wantsObject(request: Request): boolean {
  return request.headers.get("accept")?.includes("application/vnd.pgrst.object+json") ?? false;
}

function wantsCount(request: Request): boolean {
  return request.headers.get("prefer")?.includes("count=exact") ?? false;
}

/** The arguments of a GET as a JSON object; what names no argument is a filter. */
function queryArguments(url: URL, schema: Schema, name: string): string {
  const routines = schema.routines.get(name) ?? [];
  const args = new Map(routines.flatMap((routine) => routine.args).map((arg) => [arg.name, arg]));
  const input: Record<string, string | string[]> = {};
  for (const key of url.searchParams.keys()) {
    const arg = args.get(key);
    if (arg === undefined) continue;
    const values = url.searchParams.getAll(key);
    input[key] = arg.variadic ? values : values.at(-1) as string;
  }
  return JSON.stringify(input);
}

/** The rows of a body, which all have the same columns. */
function rowsOf(body: string): Record<string, unknown>[] {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new RestError(400, "PGRST102", "Empty or invalid json");
  }
  const rows = [value].flat();
  if (!rows.every((row) => typeof row === "object" && row !== null)) {
    throw new RestError(400, "PGRST102", "Empty or invalid json");
  }
  const columns = (row: object) => Object.keys(row).sort().join();
  const all = rows as Record<string, unknown>[];
  if (all.every((row) => columns(row) === columns(all[0]!))) return all;
  throw new RestError(400, "PGRST102", "All object keys must match");
}

/** The names in a JSON object; undefined when the input is another JSON value. */
function argumentNames(input: string): Set<string> | undefined {
  if (input === "") return new Set();
  let value: unknown;
  try {
    value = JSON.parse(input);
  } catch {
    throw new RestError(400, "PGRST102", "Empty or invalid json");
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
  return new Set(Object.keys(value));
}

/** The overload that takes these arguments; else one whose only argument is the whole body. */
function findRoutine(
  routines: readonly Routine[] | undefined,
  given: ReadonlySet<string> | undefined,
  post: boolean,
): { routine: Routine; unnamed: boolean } | undefined {
  const fitting = given === undefined
    ? []
    : (routines ?? []).filter(({ args }) =>
      args.every((arg) => given.has(arg.name) || !arg.required) &&
      [...given].every((name) => args.some((arg) => arg.name === name))
    );
  if (fitting.length > 1) {
    const signatures = fitting.map(({ name, args }) =>
      `public.${name}(${args.map((arg) => `${arg.name} => ${arg.type}`).join(", ")})`
    ).join(", ");
    throw new RestError(
      300,
      "PGRST203",
      `Could not choose the best candidate function between: ${signatures}`,
      null,
      "Try renaming the parameters or the function itself in the database so function overloading can be resolved",
    );
  }
  const [routine] = fitting;
  if (routine !== undefined) return { routine, unnamed: false };
  const whole = post &&
    routines?.find(({ args: [only, ...others] }) =>
      only?.name === "" && others.length === 0 && /\.(jsonb?|text)$/.test(only.type)
    );
  return whole ? { routine: whole, unnamed: true } : undefined;
}

function noSuchFunction(name: string, given: ReadonlySet<string>): RestError {
  const names = [...given].join(", ");
  const call = given.size === 0 ? `public.${name} without parameters` : `public.${name}(${names})`;
  const searched = given.size === 0 ? "without parameters" : `with parameters ${names}`;
  return new RestError(
    404,
    "PGRST202",
    `Could not find the function ${call} in the schema cache`,
    `Searched for the function public.${name} ${searched} or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache.`,
  );
}

function callerOf(claims: Record<string, unknown>): Caller {
  const role = typeof claims["role"] === "string" ? claims["role"] : "anon";
  return { role, claims: JSON.stringify({ ...claims, role }) };
}

/**
 * The claims of an HS256 token.
 *
 * @throws {RestError} 401 when it is not ours or not valid any more.
 */
export function verifyJwt(token: string, secret: string): Record<string, unknown> {
  const refuse = (code: string, message: string) =>
    new RestError(401, code, message, null, null, { "www-authenticate": "Bearer" });
  const [header = "", payload = "", signature = "", ...rest] = token.split(".");
  const wanted = createHmac("sha256", secret).update(`${header}.${payload}`).digest();
  const given = Buffer.from(signature, "base64url");
  let claims: Record<string, unknown>;
  try {
    const parse = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());
    if (rest.length > 0 || parse(header).alg !== "HS256") throw new Error("no HS256 token");
    claims = parse(payload);
  } catch {
    throw refuse("PGRST301", "JWSError (CompactDecodeError Invalid token)");
  }
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    throw refuse("PGRST301", "JWSError JWSInvalidSignature");
  }
  const now = Date.now() / 1000;
  const { exp, nbf } = claims;
  // PostgREST allows clocks to differ by 30 s.
  if (typeof exp === "number" && exp < now - 30) throw refuse("PGRST303", "JWT expired");
  if (typeof nbf === "number" && nbf > now + 30) throw refuse("PGRST303", "JWT not yet valid");
  return claims;
}
