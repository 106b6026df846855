import flow from "../../scripts/agent/flow.json" with { type: "json" };
import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";

export const SALES = "+15875550111";

/** A bookshop whose line is answered by an agent. */
export const AGENT_FLOW = flow as unknown as Flow;
