import { normaliseSpeech, saysPhrase } from "../../calls/consent.ts";
import type { ToolName } from "../tools.ts";
import { agentWords } from "../words.ts";
import type { Model, ModelEvent, ModelRequest } from "./model.ts";

/**
 * The agent that needs no provider: it says what the business wrote down, and knows the ways out. It says nothing of its own
 * but fixed words, among them what it cannot do.
 */
export const embedded: Model = async function* (request) {
  yield* answer(request);
  yield { kind: "finished", usage: { input: 0, output: 0 } };
};

function* answer(request: ModelRequest): Iterable<ModelEvent> {
  const { words } = agentWords(request.language);
  const { says, wants } = words;
  const text = (...parts: string[]): ModelEvent => ({ kind: "delta", text: parts.join(" ") });
  const call = (name: ToolName, args: unknown = {}): ModelEvent => ({
    kind: "call",
    call: { id: `e${request.entries.length}`, name, arguments: JSON.stringify(args) },
  });
  const has = (name: ToolName) => request.tools.some((tool) => tool.name === name);
  const last = request.entries.at(-1);

  if (last?.role === "tool") {
    const { result } = last;
    if (result.ok && "calendars" in result) {
      const [first] = result.calendars;
      return yield text(
        first === undefined ? says.hoursUnknown : says[first.state],
        says.more,
      );
    }
    const [best] = result.ok && "entries" in result ? result.entries : [];
    if (best !== undefined) return yield text(best.answer, says.more);
    return yield text(says.cannotAnswer([
      "person",
      ...(has("take_message") ? ["message" as const] : []),
      ...(has("book_callback") ? ["callback" as const] : []),
    ]));
  }

  const said = normaliseSpeech(last?.text ?? "").replaceAll("-", " ");
  const wantsTo = (what: keyof typeof wants) =>
    wants[what].some((phrase) => saysPhrase(said, phrase));
  const department = departmentsOf(request).find((name) =>
    saysPhrase(said, normaliseSpeech(name.replaceAll("_", " ")))
  );
  if (department !== undefined) {
    return yield call("transfer", {
      department,
      reason: "The caller named it.",
      summary: `The caller said: ${(last?.role === "caller" ? last.text : "").slice(0, 300)}`,
    });
  }
  if (has("book_callback") && wantsTo("callback")) return yield call("book_callback");
  if (has("take_message") && wantsTo("message")) return yield call("take_message");
  if (has("end_call") && wantsTo("end")) return yield call("end_call");
  if (has("hours") && wantsTo("hours")) return yield call("hours");
  if (has("answer") && said !== "") {
    return yield call("answer", { question: (last?.text ?? "").slice(0, 500) });
  }
  yield text(says.cannotAnswer(["person"]));
}

function departmentsOf({ tools }: ModelRequest): readonly string[] {
  const transfer = tools.find(({ name }) => name === "transfer");
  const { department } = (transfer?.parameters["properties"] ?? {}) as {
    department?: { enum?: readonly string[] };
  };
  return department?.enum ?? [];
}
