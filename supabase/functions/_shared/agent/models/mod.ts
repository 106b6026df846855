import type { Settings } from "../../settings.ts";
import { chatCompletions } from "./chat_completions.ts";
import { embedded } from "./embedded.ts";
import { messages } from "./messages.ts";
import { type Model, modelNamed } from "./model.ts";

/** The providers that a deployment has keys for. */
export type ModelSettings = Settings["models"];

/** The models of a list that can be asked here, in its order; where there is none, the embedded one. */
export function usableModels(names: readonly string[], { anthropic, openai }: ModelSettings) {
  const usable = names.filter((name) => {
    const provider = modelNamed(name)?.provider;
    return provider === "embedded" || (provider === "anthropic" && anthropic !== undefined) ||
      (provider === "openai" && openai !== undefined);
  });
  return usable.length > 0 ? usable : ["embedded"];
}

/** Who answers for a model's name, and what its provider calls it. */
export function modelsOf(
  { anthropic, openai }: ModelSettings,
): (name: string) => { model: Model; name: string } | undefined {
  const byProvider: Readonly<Record<string, Model | undefined>> = {
    embedded,
    ...(anthropic && { anthropic: messages(anthropic.baseUrl, anthropic.apiKey) }),
    ...(openai && { openai: chatCompletions(openai.baseUrl, openai.apiKey) }),
  };
  return (name) => {
    const read = modelNamed(name);
    const model = read && byProvider[read.provider];
    return model && { model, name: read.model };
  };
}
