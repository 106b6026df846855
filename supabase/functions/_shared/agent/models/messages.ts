import * as z from "zod/mini";
import { ServiceError } from "../../errors.ts";
import { type Entry, type Model, MOST_TOKENS } from "./model.ts";
import { cutOff, postForEvents } from "./sse.ts";

const usage = z.object({
  input_tokens: z.optional(z.nullable(z.number())),
  output_tokens: z.optional(z.nullable(z.number())),
  cache_creation_input_tokens: z.optional(z.nullable(z.number())),
  cache_read_input_tokens: z.optional(z.nullable(z.number())),
});

const event = z.object({
  type: z.string(),
  index: z.optional(z.number()),
  message: z.optional(z.object({ usage: z.optional(usage) })),
  content_block: z.optional(z.object({
    type: z.string(),
    id: z.optional(z.string()),
    name: z.optional(z.string()),
    text: z.optional(z.string()),
  })),
  delta: z.optional(z.object({
    type: z.optional(z.string()),
    text: z.optional(z.string()),
    partial_json: z.optional(z.string()),
  })),
  usage: z.optional(usage),
  error: z.optional(z.object({ type: z.optional(z.string()) })),
});

/**
 * Anthropic's messages.
 * Source: https://docs.anthropic.com/en/api/messages-streaming
 *
 * @param baseUrl Without `/v1` and without a trailing slash.
 */
export function messages(baseUrl: string, apiKey: string): Model {
  return async function* (request, signal) {
    const events = await postForEvents(
      `${baseUrl}/v1/messages`,
      { "x-api-key": apiKey, "anthropic-version": "2023-06-01" },
      {
        model: request.model,
        ...thinkingOf(request.model),
        system: [{ type: "text", text: request.system, cache_control: { type: "ephemeral" } }],
        messages: messagesOf(request.entries),
        ...(request.tools.length > 0 && {
          tools: request.tools.map(({ name, description, parameters }) => ({
            name,
            description,
            input_schema: parameters,
          })),
          ...(request.noCalls && { tool_choice: { type: "none" } }),
        }),
        stream: true,
      },
      signal,
    );
    const calls = new Map<number, { id: string; name: string; arguments: string }>();
    const used = { input: 0, output: 0 };
    for await (const data of events) {
      const read = event.safeParse(jsonOf(data));
      if (!read.success) throw cutOff();
      const { type, index = 0, message, content_block, delta } = read.data;
      switch (type) {
        case "message_start": {
          const told = message?.usage;
          used.input = (told?.input_tokens ?? 0) + (told?.cache_creation_input_tokens ?? 0) +
            (told?.cache_read_input_tokens ?? 0);
          break;
        }
        case "content_block_start":
          if (content_block?.type === "tool_use") {
            const { id = "", name = "" } = content_block;
            calls.set(index, { id, name, arguments: "" });
          } else if (content_block?.text) yield { kind: "delta", text: content_block.text };
          break;
        case "content_block_delta":
          if (delta?.type === "text_delta" && delta.text) yield { kind: "delta", text: delta.text };
          if (delta?.type === "input_json_delta") {
            const call = calls.get(index);
            if (call !== undefined) call.arguments += delta.partial_json ?? "";
          }
          break;
        case "message_delta":
          used.output = read.data.usage?.output_tokens ?? used.output;
          break;
        case "error":
          throw new ServiceError("busy", "The model failed");
        case "message_stop":
          for (const call of calls.values()) yield { kind: "call", call };
          yield { kind: "finished", usage: used };
          return;
      }
    }
    throw cutOff();
  };
}

/** Tokens that a model may think where it cannot but think. */
const MOST_THOUGHT = 1000;

/**
 * The least thinking that a model takes, as it keeps the caller waiting: some refuse a request that turns it off.
 * Source: https://platform.claude.com/docs/en/models/sonnet-5-5/whats-new-sonnet-5-5,
 * https://platform.claude.com/docs/en/build-with-claude/thinking#configuring-thinking
 */
function thinkingOf(model: string) {
  const output_config = { effort: "low" };
  if (/^claude-sonnet-5-5/.test(model)) {
    return { max_tokens: MOST_TOKENS, thinking: { type: "between_tools" }, output_config };
  }
  if (/^claude-(opus-5-5|fable|mythos)/.test(model)) {
    const max_tokens = MOST_TOKENS + MOST_THOUGHT;
    return { max_tokens, thinking: { type: "adaptive" }, output_config };
  }
  return { max_tokens: MOST_TOKENS, thinking: { type: "disabled" } };
}

interface Message {
  readonly role: "user" | "assistant";
  readonly content: unknown[];
}

/** Turns alternate, and the first and the last are the user's: what would be the beginning of an answer is refused. */
function messagesOf(entries: readonly Entry[]): readonly Message[] {
  const turns: Message[] = [];
  const add = (role: Message["role"], block: unknown) => {
    const last = turns.at(-1);
    if (last?.role === role) last.content.push(block);
    else turns.push({ role, content: [block] });
  };
  if (entries[0]?.role !== "caller") add("user", { type: "text", text: "(The call begins.)" });
  for (const entry of entries) {
    switch (entry.role) {
      case "caller":
        add("user", { type: "text", text: entry.text });
        break;
      case "agent":
        add("assistant", { type: "text", text: entry.text });
        break;
      case "tool": {
        const { id, name, arguments: json } = entry.call;
        add("assistant", { type: "tool_use", id, name, input: jsonOf(json) ?? {} });
        add("user", {
          type: "tool_result",
          tool_use_id: id,
          content: JSON.stringify(entry.result),
        });
      }
    }
  }
  if (turns.at(-1)?.role === "assistant") add("user", { type: "text", text: "(Silence.)" });
  return turns;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
