import type { Leaving, SessionEnd } from "../agent/relay.ts";
import type { CallState } from "../calls/state.ts";
import { decided, type Heard, nextState } from "./advance.ts";
import { listening } from "./disclosure.ts";
import { type Flow, type NodeOf, own } from "./language.ts";
import type { Version } from "./version.ts";

// The end of a talk with an agent. Pure.

/** A socket that is lost so often in one talk will be lost again. */
const MOST_DROPS = 3;
/** As often as a talk may move between isolates: beyond an hour. */
const MOST_MOVES = 30;

/** What the end of a `<Connect>` means for the call. */
export function talkEnded(
  version: Version,
  told: CallState | undefined,
  end: SessionEnd,
): Heard {
  const { flow } = version;
  const state = nextState(version, told);
  const id = state.node;
  const node = id === undefined ? undefined : own(flow.nodes, id);
  if (node?.type !== "agent" || id === undefined) return { state, words: [], to: "message" };
  const goesOn = (next: CallState): Heard => ({
    state: next,
    words: [],
    to: { node: id },
    again: true,
    left: { node: id, outcome: "resume" },
  });
  const leave = (to: string, outcome: string, handoff?: string): Heard =>
    decided(flow, {
      state: { ...state, ...(handoff !== undefined && { handoff }) },
      words: [],
      to: { node: to },
      left: { node: id, outcome },
    }, told?.turn ?? 0);

  switch (end.kind) {
    case "hung_up":
      return { state, words: [], to: "end" };
    case "failed":
      return leave(node.failed, "failed");
    case "dropped":
      return state.attempt > MOST_DROPS
        ? leave(node.failed, "failed")
        : goesOn({ ...state, attempt: state.attempt + 1 });
    case "left": {
      const { outcome, reason } = end.leaving;
      if (outcome === "resume") {
        const moves = (state.repeats ?? 0) + 1;
        return moves > MOST_MOVES
          ? leave(node.failed, "failed")
          : goesOn({ ...state, repeats: moves });
      }
      const way = wayOf(flow, id, node, outcome);
      return leave(way.to, way.outcome, way.isPerson ? reason : undefined);
    }
  }
}

interface Way {
  readonly outcome: string;
  readonly to: string;
  readonly isPerson?: true;
}

/** The edge of an outcome. A wish for a person is met by whatever the flow has: operator, department, or message. */
function wayOf(
  flow: Flow,
  id: string,
  node: NodeOf<"agent">,
  outcome: Leaving["outcome"],
): Way {
  const [, department] = /^departments\.(.*)$/.exec(outcome) ?? [];
  const to = department === undefined ? undefined : own(node.departments, department);
  if (to !== undefined) return { outcome, to, isPerson: true };
  switch (outcome) {
    case "operator": {
      if (flow.operator !== undefined && listening(flow).has(id)) {
        return own(flow.nodes, flow.operator)?.type === "voicemail"
          ? { outcome, to: flow.operator }
          : { outcome, to: flow.operator, isPerson: true };
      }
      const [first] = Object.entries(node.departments);
      return first === undefined
        ? { outcome: "message", to: node.message }
        : { outcome: `departments.${first[0]}`, to: first[1], isPerson: true };
    }
    case "callback":
      return node.callback === undefined
        ? { outcome: "message", to: node.message }
        : { outcome, to: node.callback };
    case "message":
      return { outcome, to: node.message };
    case "done":
      return { outcome, to: node.done };
    default:
      return { outcome: "failed", to: node.failed };
  }
}
