// The dialects of models against a stand-in that is kept by others, and their streams by the byte.

import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import fc from "fast-check";
import { embedded } from "../../supabase/functions/_shared/agent/models/embedded.ts";
import { modelsOf, usableModels } from "../../supabase/functions/_shared/agent/models/mod.ts";
import {
  costOf,
  type Entry,
  type ModelEvent,
  type ModelRequest,
} from "../../supabase/functions/_shared/agent/models/model.ts";
import { serverSentEvents } from "../../supabase/functions/_shared/agent/models/sse.ts";
import { specsOf, TOOLS } from "../../supabase/functions/_shared/agent/tools.ts";
import { agentWords } from "../../supabase/functions/_shared/agent/words.ts";
import { ServiceError } from "../../supabase/functions/_shared/errors.ts";
import { modelProvider } from "../support/model_provider.ts";

const NAMES = ["openai:gpt-6-luna", "anthropic:claude-haiku-5-5"] as const;
const TOOL = {
  role: "tool",
  call: { id: "call_1", name: "answer", arguments: '{"question":"maps"}' },
  result: { ok: true, entries: [{ question: "Maps?", answer: "We sell maps." }] },
} as const;

function requestOf(entries: readonly Entry[], tools = [...TOOLS]): Omit<ModelRequest, "model"> {
  return {
    system: "You answer for Riverside Books.",
    entries,
    tools: specsOf(tools, ["sales", "front_desk"]),
    language: "en-US",
  };
}
const asks = (text: string) => requestOf([{ role: "caller", text }]);

async function eventsOf(stream: AsyncIterable<ModelEvent>) {
  const events: ModelEvent[] = [];
  for await (const event of stream) events.push(event);
  return {
    text: events.map((event) => event.kind === "delta" ? event.text : "").join(""),
    deltas: events.filter(({ kind }) => kind === "delta").length,
    calls: events.flatMap((event) => event.kind === "call" ? [event.call] : []),
    usage: events.find((event) => event.kind === "finished")?.usage,
    last: events.at(-1)?.kind,
  };
}

/** The body of a request, which is refused. */
async function requested(name: string, request: Omit<ModelRequest, "model">) {
  const body = Promise.withResolvers<string>();
  await using server = Deno.serve({ port: 0, onListen() {} }, async (asked) => {
    body.resolve(await asked.text());
    return new Response(null, { status: 400 });
  });
  const baseUrl = `http://127.0.0.1:${server.addr.port}`;
  const of = { apiKey: "sk-local", baseUrl };
  const { model, name: id } = modelsOf({ openai: of, anthropic: of })(name)!;
  await assertRejects(() =>
    eventsOf(model({ model: id, ...request }, new AbortController().signal))
  );
  return JSON.parse(await body.promise);
}

for (const name of NAMES) {
  Deno.test(`${name}: where only words are wanted, the tools that were used are still named`, async () => {
    const body = await requested(name, {
      ...requestOf([{ role: "caller", text: "Maps?" }, TOOL]),
      noCalls: true,
    });
    assertEquals(body.tools.length, TOOLS.length);
    assertEquals(body.tool_choice, name.startsWith("openai") ? "none" : { type: "none" });
  });

  Deno.test(`${name} streams an answer, with what it used`, async () => {
    await using provider = await modelProvider();
    provider.mock.onMessage("maps", {
      content: "Yes, we sell maps. And globes, too.",
      usage: { input_tokens: 90, output_tokens: 9, prompt_tokens: 90, completion_tokens: 9 },
    }, {
      chunkSize: 5,
    });
    const { model, name: id } = modelsOf(provider.settings)(name)!;
    const answer = await eventsOf(
      model({ model: id, ...asks("Do you sell maps?") }, new AbortController().signal),
    );
    assertEquals(answer.text, "Yes, we sell maps. And globes, too.");
    assertEquals([answer.deltas > 3, answer.last], [true, "finished"]);
    assertEquals(answer.usage, { input: 90, output: 9 });
  });

  Deno.test(`${name} calls a tool, and goes on from its result`, async () => {
    await using provider = await modelProvider();
    provider.mock.on({ userMessage: "maps", hasToolResult: false }, {
      toolCalls: [{ name: "answer", arguments: '{"question":"Do you have maps?"}' }],
    });
    provider.mock.on({ userMessage: "maps", hasToolResult: true }, { content: "We sell maps." });
    const { model, name: id } = modelsOf(provider.settings)(name)!;
    const signal = new AbortController().signal;
    const first = await eventsOf(model({ model: id, ...asks("Do you sell maps?") }, signal));
    assertEquals(first.calls.map(({ name, arguments: json }) => [name, JSON.parse(json)]), [
      ["answer", { question: "Do you have maps?" }],
    ]);
    const entries = [{ role: "caller" as const, text: "Do you sell maps?" }, TOOL];
    const second = await eventsOf(model({ model: id, ...requestOf(entries) }, signal));
    assertEquals(second.text, "We sell maps.");
  });

  for (
    const [status, kind] of [[429, "busy"], [529, "busy"], [500, "busy"], [401, "refused"]] as const
  ) {
    Deno.test(`${name}: ${status} is ${kind}`, async () => {
      await using provider = await modelProvider();
      provider.mock.onMessage("maps", { error: { message: "no" }, status });
      const { model, name: id } = modelsOf(provider.settings)(name)!;
      const error = await assertRejects(
        () => eventsOf(model({ model: id, ...asks("maps") }, new AbortController().signal)),
        ServiceError,
        String(status),
      );
      assertEquals(error.kind, kind);
    });
  }

  Deno.test(`${name}: a stream that is cut is no answer`, async () => {
    await using provider = await modelProvider();
    provider.mock.onMessage("maps", { content: "Yes, we sell very many maps here." }, {
      chunkSize: 4,
      latency: 5,
      truncateAfterChunks: 5,
    });
    const { model, name: id } = modelsOf(provider.settings)(name)!;
    let text = "";
    const error = await assertRejects(async () => {
      for await (
        const event of model({ model: id, ...asks("maps") }, new AbortController().signal)
      ) if (event.kind === "delta") text += event.text;
    });
    assertEquals([error instanceof Error, text.length > 0], [true, true]);
  });

  Deno.test(`${name}: a request that is aborted ends at once`, async () => {
    await using provider = await modelProvider();
    provider.mock.onMessage("maps", { content: "Yes. ".repeat(50) }, { chunkSize: 5, latency: 40 });
    const { model, name: id } = modelsOf(provider.settings)(name)!;
    const aborting = new AbortController();
    let count = 0;
    await assertRejects(async () => {
      for await (const _ of model({ model: id, ...asks("maps") }, aborting.signal)) {
        if (++count === 2) aborting.abort();
      }
    });
    assertEquals(count, 2);
  });
}

// --- the reader of streams ------------------------------------------------------------------------------------

function streamOf(bytes: Uint8Array, cuts: readonly number[]): ReadableStream<Uint8Array> {
  const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  return new ReadableStream({
    start(controller) {
      for (let at = 1; at < edges.length; at++) {
        if (edges[at]! > edges[at - 1]!) controller.enqueue(bytes.slice(edges[at - 1], edges[at]));
      }
      controller.close();
    },
  });
}

Deno.test("a stream is read the same however its bytes are cut", async () => {
  const text =
    ': ping\r\n\r\ndata: {"a":"é"}\r\n\r\nevent: x\ndata: one\ndata:two\n\ndata: 日本\r\r';
  const bytes = new TextEncoder().encode(`${text}\n`);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: bytes.length }), { maxLength: 12 }), async (cuts) => {
      const events: string[] = [];
      for await (const data of serverSentEvents(streamOf(bytes, cuts))) events.push(data);
      assertEquals(events, ['{"a":"é"}', "one\ntwo", "日本"]);
    }),
  );
});

// --- which models ---------------------------------------------------------------------------------------------

Deno.test("without a key the embedded model answers, whatever the flow lists", () => {
  const none = { anthropic: undefined, openai: undefined };
  assertEquals(usableModels([...NAMES], none), ["embedded"]);
  assertEquals(usableModels([], none), ["embedded"]);
  const openai = { apiKey: "sk-1", baseUrl: "http://127.0.0.1/v1" };
  assertEquals(usableModels([...NAMES, "embedded"], { ...none, openai }), [NAMES[0], "embedded"]);
});

Deno.test("an answer's cost follows its tokens; an unknown model is dear", () => {
  assertEquals(costOf("claude-haiku-5-5", { input: 1_000_000, output: 1_000_000 }), 0.6);
  assertEquals(costOf("embedded", { input: 1e6, output: 1e6 }), 0);
  assertEquals(costOf("new-model", { input: 1e6, output: 0 }), 5);
});

// --- the embedded one -----------------------------------------------------------------------------------------

const { says } = agentWords("en-US").words;
Deno.test("each Claude thinks as little as it takes", async () => {
  const thinks = async (model: string) => {
    const body = await requested(`anthropic:${model}`, asks("maps"));
    return [body.thinking.type, body.output_config?.effort, body.max_tokens];
  };
  assertEquals(await thinks("claude-haiku-5-5"), ["disabled", undefined, 300]);
  assertEquals(await thinks("claude-sonnet-5-5"), ["between_tools", "low", 300]);
  assertEquals(await thinks("claude-opus-5-5"), ["adaptive", "low", 1300]);
});

Deno.test("Claude is never given the beginning of its answer", async () => {
  const { messages } = await requested(
    "anthropic:claude-sonnet-5-5",
    requestOf([{ role: "caller", text: "Maps?" }, { role: "agent", text: "We" }]),
  );
  assertEquals(messages.map(({ role }: { role: string }) => role), ["user", "assistant", "user"]);
});

async function embeddedTo(entries: readonly Entry[], tools = [...TOOLS], language = "en-US") {
  const request = { model: "embedded", ...requestOf(entries, tools), language };
  return await eventsOf(embedded(request, new AbortController().signal));
}

for (
  const [said, name, args] of [
    ["Do you repair maps?", "answer", { question: "Do you repair maps?" }],
    ["Are you open today?", "hours", {}],
    ["Please call me back", "book_callback", {}],
    ["I'd like to leave a message", "take_message", {}],
    ["Goodbye!", "end_call", {}],
  ] as const
) {
  Deno.test(`the embedded agent, told "${said}", uses ${name}`, async () => {
    const { calls } = await embeddedTo([{ role: "caller", text: said }]);
    assertEquals(calls.map((call) => [call.name, JSON.parse(call.arguments)]), [[name, args]]);
  });
}

Deno.test("the embedded agent transfers to a department by its name", async () => {
  const { calls } = await embeddedTo([{ role: "caller", text: "The front desk, please" }]);
  assertEquals(JSON.parse(calls[0]!.arguments).department, "front_desk");
});

Deno.test("the embedded agent says what was written down, and what it cannot do where nothing was", async () => {
  assertEquals((await embeddedTo([TOOL])).text, `We sell maps. ${says.more}`);
  const none = { ...TOOL, result: { ok: true, entries: [] } } as const;
  assertEquals(
    (await embeddedTo([none])).text,
    says.cannotAnswer(["person", "message", "callback"]),
  );
  assertEquals((await embeddedTo([none], ["answer"])).text, says.cannotAnswer(["person"]));
});
