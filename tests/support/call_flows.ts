import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";

/** A small flow without fault; `greeting` tells versions apart. */
// deno-lint-ignore no-explicit-any
export function smallFlow(greeting = "Thank you for calling Prairie Dental."): any {
  return {
    schema: 1,
    zone: "America/Edmonton",
    languages: ["en-US"],
    start: "hello",
    prompts: {
      hello: { "en-US": greeting },
      menu: { "en-US": "For the front desk, press 1. To leave a message, press 9." },
      leave: { "en-US": "Please leave a message after the tone." },
      bye: { "en-US": "Goodbye." },
    },
    calendars: {
      practice: { weekly: { mon: [["08:00", "17:00"]], tue: [["08:00", "17:00"]] } },
    },
    nodes: {
      hello: { type: "say", prompt: "hello", next: "open" },
      open: { type: "hours", calendar: "practice", open: "menu", closed: "note", unknown: "menu" },
      menu: {
        type: "menu",
        prompt: "menu",
        options: [
          { key: "1", words: ["front desk"], next: "desk" },
          { key: "9", words: ["message"], next: "note" },
        ],
        tries: 2,
        otherwise: "note",
      },
      desk: {
        type: "ring",
        to: "+15877428885",
        mode: "desk",
        answered: "bye",
        unanswered: "note",
      },
      note: { type: "voicemail", prompt: "leave", mode: "voicemail", next: "bye" },
      bye: { type: "end", prompt: "bye" },
    },
  };
}

/** The whole answer of `call-flows`. */
export interface FlowsAnswer {
  readonly status: number;
  readonly headers: Headers;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/** Asks `call-flows` of a stack, as the operator unless other headers are given. */
export function callFlowsAt(url: string) {
  return async (
    path: string,
    body?: unknown,
    headers: Record<string, string> = { apikey: LOCAL_SECRET_KEY },
  ): Promise<FlowsAnswer> => {
    const response = await fetch(`${url}/functions/v1/call-flows${path}`, {
      ...(body !== undefined && {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
      headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
}
