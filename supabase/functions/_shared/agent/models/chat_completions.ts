import * as z from "zod/mini";
import { ServiceError } from "../../errors.ts";
import type { ToolCall } from "../tools.ts";
import { type Entry, type Model, MOST_TOKENS, type Usage } from "./model.ts";
import { cutOff, postForEvents } from "./sse.ts";

const chunk = z.object({
  choices: z.optional(z.array(z.object({
    delta: z.optional(z.object({
      content: z.optional(z.nullable(z.string())),
      tool_calls: z.optional(z.nullable(z.array(z.object({
        index: z.number(),
        id: z.optional(z.nullable(z.string())),
        function: z.optional(z.object({
          name: z.optional(z.nullable(z.string())),
          arguments: z.optional(z.nullable(z.string())),
        })),
      })))),
    })),
    finish_reason: z.optional(z.nullable(z.string())),
  }))),
  usage: z.optional(
    z.nullable(z.object({ prompt_tokens: z.number(), completion_tokens: z.number() })),
  ),
  error: z.optional(z.unknown()),
});

/**
 * OpenAI's chat completions, which others speak too.
 * Source: https://platform.openai.com/docs/api-reference/chat-streaming
 *
 * @param baseUrl With `/v1`, without a trailing slash.
 */
export function chatCompletions(baseUrl: string, apiKey: string): Model {
  return async function* (request, signal) {
    const events = await postForEvents(
      `${baseUrl}/chat/completions`,
      { authorization: `Bearer ${apiKey}` },
      {
        model: request.model,
        messages: [{ role: "system", content: request.system }, ...messagesOf(request.entries)],
        ...(request.tools.length > 0 && {
          tools: request.tools.map((tool) => ({ type: "function", function: tool })),
          ...(request.noCalls && { tool_choice: "none" }),
        }),
        max_completion_tokens: MOST_TOKENS,
        // Reasoning would use up the answer's tokens, and the caller's patience.
        ...(/^gpt-(5\.[1-9]|[6-9])/.test(request.model) && { reasoning_effort: "none" }),
        stream: true,
        stream_options: { include_usage: true },
      },
      signal,
    );
    const calls = new Map<number, { id: string; name: string; arguments: string }>();
    let isComplete = false;
    let usage: Usage | undefined;
    for await (const data of events) {
      if (data === "[DONE]") break;
      const read = chunk.safeParse(jsonOf(data));
      if (!read.success) throw cutOff();
      if (read.data.error !== undefined) throw new ServiceError("busy", "The model failed");
      const [choice] = read.data.choices ?? [];
      if (read.data.usage) {
        usage = { input: read.data.usage.prompt_tokens, output: read.data.usage.completion_tokens };
      }
      if (choice?.delta?.content) yield { kind: "delta", text: choice.delta.content };
      for (const part of choice?.delta?.tool_calls ?? []) {
        const call = calls.get(part.index) ?? { id: "", name: "", arguments: "" };
        call.id ||= part.id ?? "";
        call.name += part.function?.name ?? "";
        call.arguments += part.function?.arguments ?? "";
        calls.set(part.index, call);
      }
      if (choice?.finish_reason) isComplete = true;
    }
    if (!isComplete) throw cutOff();
    for (const call of calls.values()) yield { kind: "call", call };
    yield { kind: "finished", usage };
  };
}

function messagesOf(entries: readonly Entry[]): unknown[] {
  return entries.flatMap((entry): unknown[] => {
    if (entry.role === "caller") return [{ role: "user", content: entry.text }];
    if (entry.role === "agent") return [{ role: "assistant", content: entry.text }];
    const { id, name, arguments: json }: ToolCall = entry.call;
    return [
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id, type: "function", function: { name, arguments: json } }],
      },
      { role: "tool", tool_call_id: id, content: JSON.stringify(entry.result) },
    ];
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
