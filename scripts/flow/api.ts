/** What the commands of `task flow` ask of a project: its edge function `call-flows`. */
import { type CommandContext, nothingAnswers, type Project } from "../command.ts";

/** A command that did not do what was asked; the message says why. */
export class CommandFailure extends Error {
  override name = "CommandFailure";
}

/** One fault of a flow or of a request. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

/**
 * Asks `call-flows`.
 *
 * @param path After the function's name, such as `/publish` or `?name=dental`.
 * @param body Bytes are sent as they are, anything else as JSON.
 * @throws {CommandFailure} for any answer but 200, with every fault in it.
 */
// deno-lint-ignore no-explicit-any
export async function callFlows(project: Project, path: string, body?: unknown): Promise<any> {
  const response = await request(`${project.url}/functions/v1/call-flows${path}`, project, {
    ...(body !== undefined && {
      method: "POST",
      ...(body instanceof Uint8Array
        ? { headers: { "content-type": "application/octet-stream" }, body: body as BodyInit }
        : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    }),
  });
  const answer = await response.json().catch(() => undefined);
  if (response.status === 200 && answer !== undefined) return answer;
  throw new CommandFailure(reasonOf(response, answer, project.url));
}

/**
 * Asks a project with its secret key.
 *
 * @param bearer Whether the key is sent as a bearer token beside `apikey`, as supabase-js does.
 * @throws {CommandFailure} where nothing answers.
 */
export async function request(
  url: string,
  { key }: Project,
  init: RequestInit = {},
  bearer = true,
): Promise<Response> {
  try {
    return await fetch(url, {
      ...init,
      headers: { apikey: key, ...(bearer && { authorization: `Bearer ${key}` }), ...init.headers },
    });
  } catch {
    throw new CommandFailure(nothingAnswers(new URL(url).origin));
  }
}

function reasonOf(
  response: Response,
  answer: { issues?: Issue[]; message?: string } | undefined,
  url: string,
): string {
  const wait = response.headers.get("retry-after");
  switch (response.status) {
    case 400:
      return faultsText(answer?.issues ?? []);
    case 401:
      return `The secret key is not that of ${url}: set SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY`;
    case 413:
      return "The flow is too large: a request may have 256 kB";
  }
  const failure = answer?.message ?? `It failed: ${url} answered ${response.status}`;
  return wait === null ? failure : `${failure}. Try again in ${wait} s`;
}

/** Every fault, a line each, with its place in the flow. */
export function faultsText(issues: readonly Issue[]): string {
  const faults = issues.length === 1 ? "1 fault" : `${issues.length} faults`;
  const width = Math.min(40, Math.max(...issues.map(({ path }) => path.length)));
  return [
    `${faults}:`,
    ...issues.map(({ path, message }) => `  ${(path || "the flow").padEnd(width)}  ${message}`),
  ].join("\n");
}

/** What a flow's owner may want to change, a line each. */
export function adviceOf(warnings: readonly Issue[]): string[] {
  return warnings.map(({ path, message }) => `Advice: ${path} ${message}`);
}

export interface FlowContext extends CommandContext {
  /** Tells what is wrong. Default: on the error output. */
  readonly complain?: ((line: string) => void) | undefined;
}

/** How the verbs of `task flow` are run. */
export type Verb<Options> = (
  args: readonly string[],
  options: Options,
  context: FlowContext,
) => Promise<number>;
