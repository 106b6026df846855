import type { Routine } from "./rest_schema.ts";
import { RestError } from "./rest_error.ts";
import { quotedName, quotedText } from "./sql.ts";

/** What a query string asks of the rows of a table, a view or a function. */
export interface RowQuery {
  /** As they came, such as `["status", "eq.ringing"]`. */
  readonly filters: readonly (readonly [column: string, condition: string])[];
  readonly select: string | null;
  readonly order: string | null;
  readonly limit: string | null;
  readonly offset: string | null;
}

/** Splits a query string; `argument` tells which names are a function's arguments. */
export function parseRowQuery(
  params: URLSearchParams,
  argument: (name: string) => boolean = () => false,
): RowQuery {
  const reserved = ["select", "order", "limit", "offset", "columns", "on_conflict"];
  for (const name of params.keys()) {
    if (["and", "or", "not.and", "not.or"].includes(name)) {
      throw unparsable(`"${name}" is not supported by the local Data API`);
    }
  }
  return {
    filters: [...params].filter(([name]) => !reserved.includes(name) && !argument(name)),
    select: params.get("select"),
    order: params.get("order"),
    limit: params.get("limit"),
    offset: params.get("offset"),
  };
}

/**
 * The statement that answers with the rows of `source` as one JSON text.
 *
 * @param source A SELECT; or a table, of which only the columns that are asked for are read: a role may have no others.
 * @param options `form`: an array, or one object; `count`: all rows too, whatever the limit;
 * `values`: the source has one column, `pgrst_call`, and its bare values are wanted.
 */
export function rowsStatement(
  source: string | { readonly table: string },
  query: RowQuery,
  { form, count, values = false }: { form: "rows" | "row"; count: boolean; values?: boolean },
): string {
  const where = whereClause(query);
  const items = `json_agg(pgrst_row${values ? ".pgrst_call" : ""})`;
  const body = form === "row" ? `(${items} -> 0)` : `coalesce(${items}, '[]'::json)`;
  const [given, from] = typeof source === "string"
    ? [`with pgrst_source as (${source})\n`, "pgrst_source"]
    : ["", `${source.table} as pgrst_source`];
  return `${given}select ${body}::text as body, count(*)::int as rows, ${GUCS},
  ${count ? `(select count(*)::int from ${from}${where})` : "null::int"} as total
from (
  select ${selection(query.select)} from ${from}${where}${orderClause(query.order)}${
    limited(query.limit)
  }${bound("offset", query.offset)}
) pgrst_row`;
}

/**
 * The statement that writes rows of a table: `POST` adds those of the JSON text `$1`, `PATCH` sets the columns of that
 * object in the rows that the query finds, `DELETE` removes these.
 *
 * @param columns That the JSON text has.
 * @param returning Whether the rows are wanted back: as an array, or as one object.
 */
export function writeStatement(
  method: "POST" | "PATCH" | "DELETE",
  relation: string,
  columns: readonly string[],
  query: RowQuery,
  returning: "rows" | "row" | undefined,
): string {
  const table = `public.${identifier(relation)}`;
  const names = columns.map(identifier).join(", ");
  const given = (set: "" | "set") =>
    `select ${names} from json_populate_record${set}(null::${table}, $1::text::json)`;
  const write = {
    POST: () =>
      columns.length === 0
        ? `insert into ${table} default values`
        : `insert into ${table} (${names}) ${given("set")}`,
    PATCH: () => `update ${table} set (${names}) = (${given("")})${whereClause(query)}`,
    DELETE: () => `delete from ${table}${whereClause(query)}`,
  }[method]();
  return rowsStatement(
    `${write} returning ${returning ? "*" : "1 as written"}`,
    { ...query, filters: [], ...(!returning && { select: null, order: null }) },
    { form: returning ?? "rows", count: false },
  );
}

/** The statement that answers with one value as JSON text, or with nothing for `void`. */
export function scalarStatement(source: string, routine: Routine): string {
  const body = routine.returns === "void" ? "null" : "to_json(pgrst_call)::text";
  return `select ${body} as body, 1 as rows, ${GUCS}, null::int as total ${source}`;
}

/** Read in the statement's last step, when the function has set them. */
const GUCS = "current_setting('response.status', true) as status, " +
  "current_setting('response.headers', true) as headers";

/**
 * The FROM clause that calls a function with named arguments out of a JSON object, `$1`.
 *
 * @param given the names of the arguments that the object has; `unnamed`: all of `$1` is the one
 * argument.
 */
export function callClause(routine: Routine, given: ReadonlySet<string> | "unnamed"): string {
  const name = `public.${identifier(routine.name)}`;
  if (given === "unnamed") {
    return `from ${name}($1::text::${routine.args[0]?.type}) as pgrst_call`;
  }
  const args = routine.args.filter((arg) => given.has(arg.name));
  if (args.length === 0) return `from ${name}() as pgrst_call`;
  const columns = args.map((arg) => `${identifier(arg.name)} ${arg.type}`);
  const values = args.map((arg) =>
    `${arg.variadic ? "variadic " : ""}${identifier(arg.name)} := pgrst_args.${
      identifier(arg.name)
    }`
  );
  return `from json_to_record($1::text::json) as pgrst_args(${columns.join(", ")}), ` +
    `lateral ${name}(${values.join(", ")}) as pgrst_call`;
}

export function identifier(name: string): string {
  if (name.includes("\0")) throw unparsable("a name cannot hold a zero byte");
  return quotedName(name);
}

/** A literal of unknown type, which PostgreSQL reads as what it is compared with. */
function literal(value: string): string {
  if (value.includes("\0")) throw unparsable("a value cannot hold a zero byte");
  return quotedText(value);
}

const OPERATORS: Record<string, string> = {
  eq: "=",
  neq: "<>",
  gt: ">",
  gte: ">=",
  lt: "<",
  lte: "<=",
};

function filter(column: string, condition: string): string {
  const [, not, operator = "", value = ""] = /^(not\.)?([a-z]+)\.(.*)$/s.exec(condition) ?? [];
  const left = path(column).expression;
  const negation = not === undefined ? "" : "not ";
  const symbol = OPERATORS[operator];
  if (symbol !== undefined) return `${negation}${left} ${symbol} ${literal(value)}`;
  switch (operator) {
    case "like":
    case "ilike":
      return `${negation}${left} ${operator} ${literal(value.replaceAll("*", "%"))}`;
    case "is":
      if (/^(null|not_null|true|false|unknown)$/i.test(value)) {
        return `${negation}${left} is ${value.toLowerCase().replace("_", " ")}`;
      }
      break;
    case "in":
      if (/^\(.*\)$/s.test(value)) {
        const items = [...value.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|[^,]+/gs)]
          .map(([plain, quoted]) => literal(quoted?.replace(/\\(.)/gs, "$1") ?? plain));
        // An empty list matches no value, and is not valid SQL.
        return items.length === 0
          ? `${negation}false`
          : `${negation}${left} in (${items.join(", ")})`;
      }
  }
  throw unparsable(`cannot read the filter "${column}=${condition}"`);
}

/** `col`, `col->key` or `col->>key`; a result is named after its last part. */
function path(text: string): { expression: string; name: string } {
  const [column = "", ...steps] = text.split(/(->>?)/);
  if (column === "") throw unparsable(`cannot read the column "${text}"`);
  let expression = identifier(column);
  let name = column;
  for (let i = 0; i + 1 < steps.length; i += 2) {
    name = steps[i + 1] ?? "";
    expression += ` ${steps[i]} ${/^-?\d+$/.test(name) ? name : literal(name)}`;
  }
  return { expression: steps.length > 0 ? `(${expression})` : expression, name };
}

function selection(select: string | null): string {
  if (select === null || select === "") return "*";
  return select.split(",").map((item) => {
    if (item === "*") return "*";
    const [, alias, source = "", cast] =
      /^(?:([^:()]+):(?!:))?([^:()]+)(?:::([a-z0-9_ ]+))?$/s.exec(item.trim()) ?? [];
    if (source === "") throw unparsable(`cannot read "${item}" in select`);
    const { expression, name } = path(source);
    return `${expression}${cast === undefined ? "" : `::${cast}`} as ${identifier(alias ?? name)}`;
  }).join(", ");
}

function whereClause({ filters }: RowQuery): string {
  const conditions = filters.map(([column, condition]) => filter(column, condition));
  return conditions.length === 0 ? "" : ` where ${conditions.join(" and ")}`;
}

function orderClause(order: string | null): string {
  if (order === null || order === "") return "";
  const terms = order.split(",").map((term) => {
    const [, column = "", direction = "", nulls] =
      /^(.+?)(\.asc|\.desc)?(?:\.nulls(first|last))?$/s.exec(term) ?? [];
    return `${path(column).expression} ${direction.slice(1)}${
      nulls === undefined ? "" : ` nulls ${nulls}`
    }`;
  });
  return ` order by ${terms.join(", ")}`;
}

/**
 * The most rows that a project answers with, unless its settings say otherwise; nothing tells that there are more.
 * Source: https://supabase.com/docs/guides/local-development/cli/config#api.max_rows
 */
const MAX_ROWS = 1000;

function limited(value: string | null): string {
  const clause = bound("limit", value);
  return clause === "" || Number(value) > MAX_ROWS ? ` limit ${MAX_ROWS}` : clause;
}

function bound(clause: "limit" | "offset", value: string | null): string {
  if (value === null || value === "") return "";
  if (!/^\d{1,15}$/.test(value)) throw unparsable(`${clause} must be a number`);
  return ` ${clause} ${value}`;
}

function unparsable(details: string): RestError {
  return new RestError(400, "PGRST100", "Failed to parse the query string", details);
}
