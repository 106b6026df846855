import { own as says, type Prompt, type Reply, RINGING_SEC } from "../calls/reply.ts";
import { ARRIVAL, type CallState, LAST_TURN } from "../calls/state.ts";
import {
  decided,
  hasAnybody,
  type Heard,
  holdsAlone,
  isClosed,
  isPassedOn,
  nextState,
  promptsOf,
  speechOf,
} from "./advance.ts";
import type { Known } from "./known.ts";
import { groupOf, type NodeOf, own } from "./language.ts";
import { ringSeconds, spokenSeconds } from "./measure.ts";
import type { Version } from "./version.ts";

// A caller who holds: at a queue, or at a ring of all members who each have to accept. Pure.
//
// Twilio asks for what the caller hears again and again, and once more when the holding has ended, by `<Leave>` or after the
// talk. The URLs of both are written when it begins: why a caller left is told by the time that it took.

/** What Twilio says of a caller who holds. */
export interface Holding {
  /** Seconds since it began; `undefined`: not told. */
  readonly seconds: number | undefined;
  /** The key that the caller pressed. */
  readonly digits?: string | undefined;
}

/** Repetitions of the tone behind the words of a queue: some twenty seconds between two places told. */
const TONES = 3;

/** Seconds after which a caller no longer holds. Where telephones ring for one call, so that the last can still accept. */
function longest(
  { flow }: Version,
  node: NodeOf<"ring"> | NodeOf<"queue">,
  state: CallState,
): number {
  if (node.type === "queue" && !holdsAlone(node, state)) return node.max_seconds;
  const rings = ringSeconds(groupOf(flow, node), true);
  // A caller who was passed on in vain returns to the first person.
  return isPassedOn(state) ? 2 * rings : rings;
}

/** What a caller hears who holds, up to the next time that Twilio asks; or the end of the holding. */
export function waiting(
  version: Version,
  told: CallState | undefined,
  { seconds, digits }: Holding,
  known: Known,
): Reply {
  const { flow } = version;
  const before = told ?? ARRIVAL;
  const node = holdNode(version, before);
  if (node === undefined) return [{ verb: "leave" }];
  const rest = restOf(version, node, before, seconds);
  const isAlone = holdsAlone(node, before);
  const { place } = known;
  // While the database is away the caller holds on: those who are rung by then may still be put through.
  const isInVain = place === null ||
    (isAlone ? place?.ringing === 0 : place !== undefined && !hasAnybody(flow, node, known));
  const isOver = leavesBy(version, before, { seconds, digits }) !== undefined || isInVain ||
    (node.type === "queue" && !isAlone && isClosed(version, node, "", known));
  // Who has accepted the call finds the caller still there.
  const isTaken = place?.taken === true;
  if (isOver && !isTaken) return [{ verb: "leave" }];

  const state = { ...before, attempt: Math.min(before.attempt + 1, LAST_TURN) };
  const again = { to: "voice-queue", event: "wait", state } as const;
  if (node.type === "ring" || isAlone || isTaken) {
    return [{ verb: "ringing", times: 1 }, { verb: "redirect", to: again }];
  }
  const prompts = heard(version, node, before, rest, known);
  if (node.key === undefined) return [...prompts, { verb: "redirect", to: again }];
  return [
    {
      verb: "gather",
      prompts,
      language: before.language ?? flow.languages[0]!,
      seconds: 1,
      hints: [],
      poundIsKey: true,
      keysOnly: true,
      action: { ...again, event: "key" },
    },
    { verb: "redirect", to: again },
  ];
}

/** Why a caller is to be led out: by the key of the queue, or as the longest wait is over. */
export function leavesBy(
  version: Version,
  state: CallState,
  { seconds, digits }: Holding,
): "offer" | "over" | undefined {
  const node = holdNode(version, state);
  if (node === undefined) return undefined;
  const isKey = node.type === "queue" && !holdsAlone(node, state) && digits !== undefined &&
    digits === node.key;
  if (isKey) return "offer";
  return restOf(version, node, state, seconds) <= 0 ? "over" : undefined;
}

/** Seconds that are left of the longest wait. Where Twilio tells no time, each document took at least one tone. */
function restOf(
  version: Version,
  node: NodeOf<"ring"> | NodeOf<"queue">,
  state: CallState,
  waited = (state.attempt - 1) * RINGING_SEC,
): number {
  return longest(version, node, state) - waited;
}

/** The place in line, then the flow's prompt; behind words the tone of a telephone that rings. */
function heard(
  { flow }: Version,
  node: NodeOf<"queue">,
  { language = flow.languages[0]! }: CallState,
  rest: number,
  known: Known,
): readonly Prompt[] {
  const speech = speechOf(flow, language);
  const { place } = known;
  const told = !place ? says(speech, "holding") : says(
    speech,
    ({ place: at }) => at(place.position),
    ...place.wait ? [waitOf(place.wait)] : [],
  );
  const prompt = promptsOf(flow, node.prompt, speech, known);
  if (prompt.some(({ verb }) => verb === "play")) return [told, ...prompt];
  const words = [
    told,
    ...prompt,
    ...node.prompt === undefined && node.key !== undefined
      ? [says(speech, ({ leaveByKey }) => leaveByKey(node.key!))]
      : [],
  ];
  const spoken = words.reduce(
    (sum, each) => sum + (each.verb === "say" ? spokenSeconds(each.text) : 0),
    0,
  );
  const room = Math.ceil((rest - spoken) / RINGING_SEC);
  return [...words, { verb: "ringing", times: Math.min(TONES, Math.max(1, room)) }];
}

/** In minutes: the shorter one rounded down, the longer one up. */
function waitOf({ low_sec, high_sec }: { readonly low_sec: number; readonly high_sec: number }) {
  const high = Math.max(1, Math.ceil(high_sec / 60));
  return ({ wait }: { wait(low: number, high: number): string }) =>
    wait(Math.min(high, Math.floor(low_sec / 60)), high);
}

/**
 * The holding has ended.
 *
 * @param result Twilio's `QueueResult`.
 * @param now For the calendar of the group.
 */
export function holdEnded(
  version: Version,
  told: CallState | undefined,
  result: string | undefined,
  { seconds }: Holding,
  now: Date,
): Heard {
  const { flow } = version;
  const state = nextState(version, told);
  const node = holdNode(version, state);
  if (node === undefined) return { state, words: [], to: "message" };
  // The caller is gone.
  if (result === "hangup") return { state, words: [], to: "end" };
  const outcome = outcomeOf(version, node, state, result, seconds ?? 0, now);
  const to = own(node as unknown as Record<string, string>, outcome)!;
  const left = { node: state.node!, outcome };
  // Another queue is the group's again.
  const { handoff, ...others } = state;
  const after = isPassedOn(state) ? others : { ...others, handoff };
  return decided(flow, { state: after, words: [], to: { node: to }, left }, told?.turn ?? 0);
}

const TALKED = ["bridged", "bridging-in-process", "redirected-from-bridged"];

function outcomeOf(
  version: Version,
  node: NodeOf<"ring"> | NodeOf<"queue">,
  state: CallState,
  result: string | undefined,
  seconds: number,
  now: Date,
): "answered" | "unanswered" | "offer" | "gave_up" | "full" {
  if (TALKED.includes(result ?? "")) return "answered";
  if (node.type === "ring") return "unanswered";
  if (result === "queue-full") return "full";
  const isByCaller = result === "leave" && !isPassedOn(state) && seconds < node.max_seconds &&
    !isClosed(version, node, "", { now, calendars: undefined });
  return isByCaller && node.offer !== undefined ? "offer" : "gave_up";
}

function holdNode(
  { flow }: Version,
  { node: id }: CallState,
): NodeOf<"ring"> | NodeOf<"queue"> | undefined {
  const node = id === undefined ? undefined : own(flow.nodes, id);
  return node?.type === "ring" || node?.type === "queue" ? node : undefined;
}
