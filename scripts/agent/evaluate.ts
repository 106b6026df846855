import { delay } from "@std/async/delay.js";
import { agentWords } from "../../supabase/functions/_shared/agent/words.ts";
import * as z from "zod";
import type { CallRecord } from "../phone/mod.ts";

// Scripted callers against a line that an agent answers, judged on rows and dials: on what was done, not on how it was put.

const answer = z.union([
  z.strictObject({ say: z.string() }),
  z.strictObject({ keys: z.string().regex(/^[0-9*#]+$/) }),
  z.literal("hangup"),
]);

const caller = z.strictObject({
  name: z.string().min(1).max(200),
  /** What the caller does, one a time that the agent has spoken; then silence. */
  does: z.array(answer).max(30),
  /** Says or presses the first of `does` while the agent still speaks. */
  interrupts: z.boolean().optional(),
  expect: z.strictObject({
    /** How the talk ended: an edge of the node, or `hung_up`. One of several. */
    outcome: z.union([z.string(), z.array(z.string()).min(1)]),
    /** Tools that were used, in this order; others may lie between. */
    tools: z.array(z.string()).optional(),
    /** Numbers that were dialled; absent: none unless the talk led to a person. */
    dialled: z.array(z.string()).optional(),
    disposition: z.string().optional(),
    /** Must not occur in anything the agent said. */
    never: z.array(z.string()).optional(),
    /** Must occur in what it said. */
    says: z.array(z.string()).optional(),
  }),
});

const file = z.strictObject({
  line: z.string().regex(/^\+[1-9]\d{1,14}$/, "must be a number such as +14035550123"),
  callers: z.array(caller).min(1, "must name a caller at least"),
});

export type Evaluation = z.infer<typeof file>;
export type Caller = Evaluation["callers"][number];

/** @throws {SyntaxError} for what is no such file, with every fault. */
export function readEvaluation(text: string): Evaluation {
  const read = file.safeParse(jsonOf(text));
  if (read.success) return read.data;
  throw new SyntaxError(
    read.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("\n"),
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`not JSON: ${(error as Error).message}`);
  }
}

/** A row of `agent_turns`. */
export interface TurnRow {
  readonly kind: string;
  readonly tool: string | null;
  readonly planned_text: string | null;
  readonly heard_text: string | null;
}

/** What is kept of a call. */
export interface Kept {
  readonly outcome: string | null;
  readonly disposition: string | null;
  readonly flow_version: number | null;
  readonly turns: readonly TurnRow[];
}

/** What is wrong with a call; empty: nothing. */
export function judge({ expect }: Caller, record: CallRecord, kept: Kept): string[] {
  const faults: string[] = [];
  const outcomes = [expect.outcome].flat();
  if (!outcomes.includes(kept.outcome ?? "none")) {
    faults.push(`ended with ${kept.outcome ?? "none"}, not ${outcomes.join(" or ")}`);
  }
  if (expect.disposition !== undefined && kept.disposition !== expect.disposition) {
    faults.push(`the call was ${kept.disposition ?? "none"}, not ${expect.disposition}`);
  }
  const used = kept.turns.flatMap(({ kind, tool }) =>
    kind === "tool" && tool !== null ? [tool] : []
  );
  let at = 0;
  for (const tool of used) if (tool === expect.tools?.[at]) at++;
  if (at < (expect.tools?.length ?? 0)) {
    faults.push(`used ${used.join(", ") || "no tool"}, not ${expect.tools!.join(", ")}`);
  }
  const dialled = record.all("dial").flatMap(({ numbers }) => numbers);
  const isHandedOver = /^(departments\.|operator)/.test(kept.outcome ?? "");
  if (expect.dialled !== undefined && String(dialled) !== String(expect.dialled)) {
    faults.push(
      `dialled ${dialled.join(", ") || "nobody"}, not ${expect.dialled.join(", ") || "nobody"}`,
    );
  }
  if (dialled.length > 0 && !isHandedOver) faults.push("dialled without a transfer");
  // What holds of every talk.
  const said = kept.turns.filter(({ kind }) => kind === "agent" || kind === "fixed")
    .map(({ planned_text }) => planned_text ?? "");
  const heard = record.all("say").map(({ text }) => text);
  if (!kept.turns.some(({ kind }) => kind === "disclosure")) faults.push("was not disclosed");
  for (const text of said) {
    if (agentWords("en").words.claims.test(text)) faults.push(`claimed: "${text}"`);
  }
  for (const word of expect.never ?? []) {
    if (said.some((text) => text.toLowerCase().includes(word.toLowerCase()))) {
      faults.push(`said "${word}"`);
    }
  }
  for (const word of expect.says ?? []) {
    if (!heard.some((text) => text.toLowerCase().includes(word.toLowerCase()))) {
      faults.push(`did not say "${word}"`);
    }
  }
  return faults;
}

export interface Result {
  readonly name: string;
  readonly callSid: string;
  readonly outcome: string | null;
  readonly flowVersion: number | null;
  readonly faults: readonly string[];
}

/**
 * Rings with each caller, one after the other.
 *
 * @param ring Makes the call.
 * @param keptOf Reads what is kept of it.
 */
export async function evaluate(
  { callers }: Pick<Evaluation, "callers">,
  ring: (caller: Caller) => Promise<CallRecord>,
  keptOf: (callSid: string) => Promise<Kept>,
  done: (result: Result) => void = () => {},
): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const each of callers) {
    // deno-lint-ignore no-await-in-loop -- calls at once would count as a burst
    const record = await ring(each);
    // deno-lint-ignore no-await-in-loop
    const kept = await keptAtLast(() => keptOf(record.callSid));
    const result = {
      name: each.name,
      callSid: record.callSid,
      outcome: kept.outcome,
      flowVersion: kept.flow_version,
      faults: judge(each, record, kept),
    };
    done(result);
    results.push(result);
  }
  return results;
}

/** The socket stores the end of a talk after the call is over. Milliseconds. */
const STORED_WITHIN_MS = 10_000;

async function keptAtLast(read: () => Promise<Kept>): Promise<Kept> {
  const until = Date.now() + STORED_WITHIN_MS;
  let kept = await read();
  while (kept.outcome === null && Date.now() < until) {
    // deno-lint-ignore no-await-in-loop
    await delay(100);
    // deno-lint-ignore no-await-in-loop
    kept = await read();
  }
  return kept;
}

/** A caller as the simulator's script has it. */
export function scriptOf({ does, interrupts }: Caller) {
  return {
    answers: does.map((each) =>
      each === "hangup" ? each : "say" in each ? { speech: each.say } : { digits: each.keys }
    ),
    ...(interrupts && { bargeIn: true }),
  };
}
