// docs/openapi.yaml, and whether an answer is one that it describes.

import { assertEquals } from "@std/assert/equals.js";
import { parse } from "@std/yaml/parse.js";
import * as z from "zod";

type Json = Record<string, unknown>;
interface Operation {
  readonly responses: Record<string, DocumentedResponse>;
}
interface DocumentedResponse {
  readonly content?: Record<string, { schema?: Json }>;
  readonly headers?: Record<string, { required?: boolean; schema: Json }>;
}

export const METHODS = ["get", "head", "options", "post", "put", "patch", "delete"];

const document = parse(
  Deno.readTextFileSync(new URL("../../docs/openapi.yaml", import.meta.url)),
) as Json & { paths: Json };

/** What a `$ref` names; anything else as it is. @throws {TypeError} where it names nothing. */
function resolve<T>(value: unknown): T {
  const ref = (value as { $ref?: string } | undefined)?.$ref;
  if (ref === undefined) return value as T;
  const found = ref.slice(2).split("/").reduce<unknown>((at, key) => (at as Json)?.[key], document);
  if (found === undefined) throw new TypeError(`docs/openapi.yaml has no ${ref}`);
  return found as T;
}

/** The operations of a path, such as a function's name, by method, in lower case; `undefined`: it is not described. */
function operationsOf(name: string): Record<string, Operation> | undefined {
  const path = document.paths[`/${name}`];
  if (path === undefined) return undefined;
  const item: Record<string, Operation> = { ...path, ...resolve<Json>(path) } as never;
  return Object.fromEntries(METHODS.filter((key) => key in item).map((key) => [key, item[key]!]));
}

const documentedPaths = Object.keys(document.paths).map((path) => path.slice(1)).sort();

/** A path as the document names it. */
function pathOf(name: string): string {
  return name.replace(UUID, "{id}").replace(
    /(?<=\{id\}\/)(start|pause|resume|stop|dial)$/,
    "{command}",
  )
    // The account and the token of a talk's socket.
    .replace(/^voice-agent\/.*/, "voice-agent");
}

const UUID = /(?<=\/)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=\/|$)/;

/** The functions that are described. */
export const documentedFunctions = [
  ...new Set(documentedPaths.map((path) => path.split("/")[0]!)),
];

/** Each answer that is described, as `voice-route POST 200`. */
export const documentedAnswers = documentedPaths.flatMap((name) =>
  Object.entries(operationsOf(name)!).flatMap(([method, { responses }]) =>
    Object.keys(responses).map((status) => `${name} ${method.toUpperCase()} ${status}`)
  )
);

const validators = new Map<Json, z.ZodType>();

function validatorOf(schema: Json): z.ZodType {
  const known = validators.get(schema);
  if (known !== undefined) return known;
  // JSON Schema has its definitions beside it.
  const { schemas } = document["components"] as { schemas: Json };
  const whole = JSON.stringify({ ...schema, $defs: schemas })
    .replaceAll("#/components/schemas/", "#/$defs/");
  const made = z.fromJSONSchema(JSON.parse(whole));
  validators.set(schema, made);
  return made;
}

/**
 * How an answer differs from what docs/openapi.yaml says; none: it does not. A method that is not described must be
 * answered by a 405 that is.
 *
 * @param response Its body is read from a copy.
 */
export async function undocumented(
  name: string,
  method: string,
  response: Response,
): Promise<string[]> {
  const what = `${name} ${method} ${response.status}`;
  // A socket.
  if (response.status === 101) return [];
  const operations = operationsOf(pathOf(name));
  if (operations === undefined) {
    const isNone = name.includes("/") && response.status === 404;
    return isNone ? [] : [`${what}: docs/openapi.yaml has no /${name}`];
  }
  const operation = operations[method.toLowerCase()];
  const described = operation !== undefined
    ? operation.responses[response.status]
    : Object.values(operations).map(({ responses }) => responses[405]).find(Boolean);
  if (operation === undefined && response.status !== 405) {
    return [`${what}: docs/openapi.yaml has no such method`];
  }
  if (described === undefined) return [`${what}: docs/openapi.yaml has no such status`];
  const { content, headers = {} } = resolve<DocumentedResponse>(described);
  const faults: string[] = [];
  for (const [header, { required, schema }] of Object.entries(headers)) {
    const value = response.headers.get(header);
    if (value === null ? required : !validatorOf(schema).safeParse(value).success) {
      faults.push(`${what}: header ${header} is ${value}`);
    }
  }
  if (method === "HEAD") return faults;
  const type = response.headers.get("content-type");
  const body = content?.[type ?? ""];
  if (content === undefined ? type !== null : body === undefined) {
    return [...faults, `${what}: the content type is ${type}`];
  }
  if (body?.schema === undefined) return faults;
  const checked = validatorOf(body.schema).safeParse(await response.clone().json());
  return checked.success
    ? faults
    : [...faults, `${what}: ${z.prettifyError(checked.error).replaceAll("\n", " ")}`];
}

/** The answers that `asDocumented` has had, as `documentedAnswers` writes them. */
export const seen = new Set<string>();

/** The answer itself. @throws {AssertionError} where docs/openapi.yaml does not describe it. */
export async function asDocumented(
  name: string,
  method: string,
  response: Response,
): Promise<Response> {
  assertEquals(await undocumented(name, method, response), []);
  seen.add(`${pathOf(name)} ${method} ${response.status}`);
  return response;
}
