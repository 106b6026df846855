import type { ToolCall, ToolResult, ToolSpec } from "../tools.ts";

// One interface for every model.

/** A part of a talk, as a model reads it. */
export type Entry =
  | { readonly role: "caller"; readonly text: string }
  /** What the caller heard of an answer. */
  | { readonly role: "agent"; readonly text: string }
  | { readonly role: "tool"; readonly call: ToolCall; readonly result: ToolResult };

export interface ModelRequest {
  /** As its provider calls it. */
  readonly model: string;
  /** The same for all turns of a call, so that a provider may cache it. */
  readonly system: string;
  readonly entries: readonly Entry[];
  readonly tools: readonly ToolSpec[];
  /** Only words are wanted. The tools are named all the same, as those that were used before are read with them. */
  readonly noCalls?: true | undefined;
  /** BCP 47. */
  readonly language: string;
}

export interface Usage {
  readonly input: number;
  readonly output: number;
}

export type ModelEvent =
  | { readonly kind: "delta"; readonly text: string }
  | { readonly kind: "call"; readonly call: ToolCall }
  | { readonly kind: "finished"; readonly usage: Usage | undefined };

/**
 * Streams one answer, which ends with `finished`.
 *
 * @throws {ServiceError} `refused` for a wrong key or request, `busy` for 429, 529 and 5xx, `unknown` for a stream that
 * ended before its end.
 */
export type Model = (request: ModelRequest, signal: AbortSignal) => AsyncIterable<ModelEvent>;

/** Longest answer. Spoken replies have 1 to 3 sentences. */
export const MOST_TOKENS = 300;

const PROVIDERS = ["anthropic", "openai"] as const;
export type Provider = typeof PROVIDERS[number] | "embedded";

/** Reads a model's name in a flow: `anthropic:claude-haiku-5-5`, `openai:gpt-6-luna`, `embedded`. */
export function modelNamed(name: string): { provider: Provider; model: string } | undefined {
  if (name === "embedded") return { provider: "embedded", model: "embedded" };
  const [, provider, model] = /^(anthropic|openai):([\w./:@-]{1,128})$/.exec(name) ?? [];
  return provider === undefined ? undefined : { provider: provider as Provider, model: model! };
}

/** US dollars for a million tokens. Of unknown models the price is set high, so that a cap comes too early, not too late. */
const PRICES: readonly (readonly [RegExp, number, number])[] = [
  [/^claude-haiku-5/, 0.1, 0.5],
  [/^claude-haiku/, 1, 5],
  [/^claude-sonnet/, 3, 15],
  [/^gpt-6-luna/, 0.1, 0.5],
  [/^gpt-5\.4-mini/, 0.25, 2],
  [/^embedded$/, 0, 0],
];
const UNKNOWN_PRICE = [5, 25] as const;

/** What an answer cost, in US dollars. */
export function costOf(model: string, { input, output }: Usage): number {
  const [, inputPrice, outputPrice] = PRICES.find(([pattern]) => pattern.test(model)) ??
    ["", ...UNKNOWN_PRICE];
  return (input * inputPrice + output * outputPrice) / 1e6;
}
