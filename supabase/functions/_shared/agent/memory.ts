import type { AgentSettings } from "../settings.ts";
import type { Leaving } from "./relay.ts";
import type { Memory, Turn } from "./session.ts";
import type { ToolResult } from "./tools.ts";

/** Caps of agents, as the database takes them. */
export function capsOf(
  { minutesPerDay, costPerDayUsd, concurrentPerLine, concurrent }: AgentSettings,
) {
  return {
    minutes: minutesPerDay,
    cost_usd: costPerDayUsd,
    concurrent_line: concurrentPerLine,
    concurrent,
  };
}

/** A session that begins. */
export interface OpeningSession {
  /** Twilio's, `VX...`. */
  readonly sessionId: string;
  readonly callSid: string;
  readonly line: string | undefined;
  readonly node: string;
  readonly language: string;
}

/** Talks with agents. All of it throws `DatabaseFailure`. */
export interface AgentDatabase {
  open(session: OpeningSession): Promise<Memory>;
  /** Writes turns; a turn that is written already stays. @param end The session is over. */
  record(sessionId: string, turns: readonly Turn[], end?: Leaving): Promise<void>;
  answer(callSid: string, question: string, language: string): Promise<ToolResult>;
  hours(callSid: string): Promise<ToolResult>;
}
