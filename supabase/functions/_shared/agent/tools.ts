import * as z from "zod/mini";

// The tools of an agent: typed in and out. Pure. Two of them ask something; the others are ways out of the node: what they
// promise is done, and spoken, by the flow behind them.

export const TOOLS = [
  "answer",
  "hours",
  "transfer",
  "take_message",
  "book_callback",
  "end_call",
] as const;
export type ToolName = typeof TOOLS[number];

/** A tool as a model reads it. */
export interface ToolSpec {
  readonly name: ToolName;
  readonly description: string;
  /** JSON Schema of its arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** A model's call of a tool, before it is believed. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON. */
  readonly arguments: string;
}

const text = (most: number) => z.string().check(z.minLength(1), z.maxLength(most));

const ARGUMENTS = {
  answer: z.object({ question: text(500) }),
  hours: z.object({}),
  transfer: z.object({
    department: text(64),
    reason: z.optional(z.string().check(z.maxLength(300))),
    summary: z.optional(z.string().check(z.maxLength(1000))),
  }),
  take_message: z.object({}),
  book_callback: z.object({}),
  end_call: z.object({}),
} as const satisfies Record<ToolName, z.ZodMiniType>;

/** A call whose arguments are what the tool takes. */
export type Call =
  | { readonly name: "answer"; readonly question: string }
  | { readonly name: "hours" }
  | {
    readonly name: "transfer";
    readonly department: string;
    readonly reason?: string | undefined;
    readonly summary?: string | undefined;
  }
  | { readonly name: "take_message" | "book_callback" | "end_call" };

/** What a tool found, or why it did not. A model gets it as JSON and nothing else. */
export type ToolResult =
  | {
    readonly ok: true;
    /** Answers that were written by the business, best first; none: it has none. */
    readonly entries: readonly { readonly question: string; readonly answer: string }[];
  }
  | {
    readonly ok: true;
    readonly calendars: readonly { readonly name: string; readonly state: "open" | "closed" }[];
  }
  | {
    readonly ok: false;
    readonly failure: "invalid_arguments" | "unknown_tool" | "unknown_department" | "unavailable";
  };

/** Reads a model's call. @param offered The tools that it got. @param departments By name. */
export function readCall(
  { name, arguments: json }: ToolCall,
  offered: readonly ToolName[],
  departments: readonly string[],
): { readonly ok: true; readonly call: Call } | Extract<ToolResult, { ok: false }> {
  const tool = offered.find((each) => each === name);
  if (tool === undefined) return { ok: false, failure: "unknown_tool" };
  let value: unknown;
  try {
    // Some models send no text where a tool takes nothing.
    value = JSON.parse(json.trim() === "" ? "{}" : json);
  } catch {
    return { ok: false, failure: "invalid_arguments" };
  }
  const read = ARGUMENTS[tool].safeParse(value);
  if (!read.success) return { ok: false, failure: "invalid_arguments" };
  const call = { name: tool, ...read.data } as Call;
  if (call.name === "transfer" && !departments.includes(call.department)) {
    return { ok: false, failure: "unknown_department" };
  }
  return { ok: true, call };
}

/** The tools as a model reads them. */
export function specsOf(
  offered: readonly ToolName[],
  departments: readonly string[],
): readonly ToolSpec[] {
  const object = (properties: Record<string, unknown>, required: readonly string[]) => ({
    type: "object",
    properties,
    required,
    additionalProperties: false,
  });
  const specs: Readonly<Record<ToolName, Omit<ToolSpec, "name">>> = {
    answer: {
      description:
        "Searches what the business has written down. Use it for every question about the business: services, prices, addresses, policies. Answer from its result only; an empty result means that nobody has written it down.",
      parameters: object({ question: { type: "string", description: "The caller's question." } }, [
        "question",
      ]),
    },
    hours: {
      description: "Says whether the business is open at this moment.",
      parameters: object({}, []),
    },
    transfer: {
      description:
        "Ends this talk and rings a department. Say nothing about it: the caller is told once somebody is being rung.",
      parameters: object({
        department: { type: "string", enum: departments },
        reason: { type: "string", description: "Why, in a few words." },
        summary: { type: "string", description: "What the person should know, in two sentences." },
      }, ["department", "reason", "summary"]),
    },
    take_message: {
      description:
        "Ends this talk and records a message in the caller's own voice. Say nothing about it.",
      parameters: object({}, []),
    },
    book_callback: {
      description:
        "Ends this talk and arranges that a person calls the caller's number back. Say nothing about it: the caller is told once it is arranged.",
      parameters: object({}, []),
    },
    end_call: {
      description: "Ends the call once the caller has said goodbye.",
      parameters: object({}, []),
    },
  };
  return offered.map((name) => ({ name, ...specs[name] }));
}
