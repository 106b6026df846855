import * as z from "zod/mini";
import { type AgentDatabase, capsOf } from "../agent/memory.ts";
import type { Memory } from "../agent/session.ts";
import type { AgentSettings } from "../settings.ts";
import { type DataApi, run } from "./client.ts";

const call = z.object({ id: z.string(), name: z.string(), arguments: z.string() });
// A row of an older release may have another form: it is left out of what a model reads.
const entry = z.union([
  z.object({ role: z.enum(["caller", "agent"]), text: z.string() }),
  z.object({ role: z.literal("tool"), call, result: z.looseObject({ ok: z.boolean() }) }),
]);
const opened = z.object({
  entries: z.array(entry),
  spent_ms: z.number(),
  cost_usd: z.number(),
  sessions: z.number(),
  moved: z.boolean(),
  owes: z.boolean(),
  barred: z.optional(z.string()),
  resting: z.array(z.string()),
});
const entries = z.array(z.object({ question: z.string(), answer: z.string() }));
const states = z.record(z.string(), z.enum(["open", "closed"]));

/** Longest text of a turn, in characters, as its table has it. */
const MOST_TEXT = 8000;

/** A model may write what PostgreSQL refuses: one such character would keep all of a talk from being stored. */
function storable<T>(value: T): T {
  return JSON.parse(
    JSON.stringify(value),
    (_key, part) =>
      typeof part === "string"
        ? part.replace(/\p{Cc}+/gu, " ").slice(0, MOST_TEXT).toWellFormed()
        : part,
  );
}

/** @param deadlineMs Of each request; a caller waits for most. */
export function agentDatabase(
  api: DataApi,
  settings: AgentSettings,
  deadlineMs = 1500,
): AgentDatabase {
  return {
    async open({ sessionId, callSid, line, node, language }) {
      const session = {
        session_id: sessionId,
        call_sid: callSid,
        line,
        node,
        language,
        caps: capsOf(settings),
      };
      const { entries, spent_ms, cost_usd, sessions, moved, owes, barred, resting } = await run(
        api,
        "open_agent_session",
        { p_session: session },
        opened,
        deadlineMs,
      );
      return {
        entries: entries as Memory["entries"],
        spentMs: spent_ms,
        costUsd: cost_usd,
        sessions,
        moved,
        owes,
        barred,
        resting,
      };
    },
    async record(sessionId, turns, end) {
      const rows = storable(
        turns.map(({ at, ...turn }) => ({ ...turn, at: new Date(at).toISOString() })),
      );
      await run(
        api,
        "record_agent_turns",
        { p_session_id: sessionId, p_turns: rows, p_end: end ?? null },
        z.unknown(),
        deadlineMs,
      );
    },
    async answer(callSid, question, language) {
      const args = {
        p_call_sid: callSid,
        p_question: storable(question),
        p_language: language,
      };
      return {
        ok: true,
        entries: await run(api, "answer_question", args, entries, deadlineMs),
      };
    },
    async hours(callSid) {
      const found = await run(api, "agent_hours", { p_call_sid: callSid }, states, deadlineMs);
      return {
        ok: true,
        calendars: Object.entries(found).map(([name, state]) => ({ name, state })),
      };
    },
  };
}
