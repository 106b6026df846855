import {
  type ConsentDecision,
  type Disclosed,
  disclosureName,
  disclosureNamed,
} from "./consent.ts";

/**
 * The state of a call, in the query of each callback URL and covered by Twilio's signature when it comes back. So a step can
 * go on without a database, and a decision made during an outage is written by the next callback that reaches it.
 */
export interface CallState {
  /** Counts the webhooks that the caller waited for; `voice-frontdoor` is turn 0. */
  readonly turn: number;
  /** The version of the flow that answers the call, by its name; see `Version`. */
  readonly flow?: string | undefined;
  /** The node that this answers. */
  readonly node?: string | undefined;
  /** BCP 47. */
  readonly language?: string | undefined;
  /** Which asking of the node this answers, from 1; at a ring, how many members' turns have come. */
  readonly attempt: number;
  /** Askings of the node that used up none of its tries. */
  readonly repeats?: number | undefined;
  /** At a ring that rotates: the place of the member who was rung first. */
  readonly first?: number | undefined;
  /** The disclosure that the caller heard; absent: none, so nothing is consent. */
  readonly disclosed?: Disclosed | undefined;
  readonly consent?: ConsentDecision | undefined;
  /** The caller's choice, and its turn. */
  readonly choice?: { readonly mode: string; readonly turn: number } | undefined;
  /** Why the call was handed to a person, if it was. */
  readonly handoff?: string | undefined;
}

/** The handoff of a call that an agent passed on with a summary for the person who answers. */
export const AGENT_TRANSFERRED = "agent_transferred";

/** The last turn that a URL can carry. A refusal with an unknown turn counts as made then, so it stands. */
export const LAST_TURN = 9999;

export const ARRIVAL: CallState = { turn: 0, attempt: 1 };

/** The query parameters of `state`; each value is of `[A-Za-z0-9_-]`, so no encoding can differ. */
export function encodeState(state: CallState): Record<string, string> {
  return {
    turn: String(state.turn),
    attempt: String(state.attempt),
    ...(state.flow !== undefined && { flow: state.flow }),
    ...(state.node !== undefined && { node: state.node }),
    ...(state.language !== undefined && { language: state.language }),
    ...(state.repeats !== undefined && { repeats: String(state.repeats) }),
    ...(state.first !== undefined && { first: String(state.first) }),
    ...(state.disclosed && { disclosed: disclosureName(state.disclosed) }),
    ...(state.consent && { consent: `${state.consent.basis}-${state.consent.turn}` }),
    ...(state.choice && { mode: `${state.choice.mode}-${state.choice.turn}` }),
    ...(state.handoff !== undefined && { handoff: state.handoff }),
  };
}

/**
 * Reads the state; `undefined` for a URL without one, such as a number's own URL. A consent without its disclosure, as an
 * older release wrote it, is none; a refusal stands.
 */
export function decodeState(query: URLSearchParams): CallState | undefined {
  const turn = integer(query.get("turn"));
  if (turn === undefined) return undefined;
  const disclosed = disclosureNamed(query.get("disclosed") ?? "");
  const [flow] = /^(default-)?[0-9a-f]{8,64}$/.exec(query.get("flow") ?? "") ?? [];
  const [node] = /^[a-z][a-z0-9_]{0,31}$/.exec(query.get("node") ?? "") ?? [];
  const [language] = /^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$/.exec(query.get("language") ?? "") ?? [];
  const repeats = integer(query.get("repeats"));
  const first = integer(query.get("first"));
  const consent =
    (disclosed === undefined ? /^(no)-(\d{1,4})$/ : /^(stayed|unsure|yes|no)-(\d{1,4})$/)
      .exec(query.get("consent") ?? "");
  const choice = /^([a-z][a-z0-9_]{0,31})-(\d{1,4})$/.exec(query.get("mode") ?? "");
  const [handoff] = /^[a-z][a-z_]{0,63}$/.exec(query.get("handoff") ?? "") ?? [];
  return {
    turn,
    attempt: integer(query.get("attempt")) ?? 1,
    ...(flow !== undefined && { flow }),
    ...(node !== undefined && { node }),
    ...(language !== undefined && { language }),
    ...(repeats !== undefined && { repeats }),
    ...(first !== undefined && { first }),
    ...(disclosed && { disclosed }),
    ...(consent &&
      { consent: { basis: consent[1] as ConsentDecision["basis"], turn: Number(consent[2]) } }),
    ...(choice && { choice: { mode: choice[1]!, turn: Number(choice[2]) } }),
    ...(handoff !== undefined && { handoff }),
  };
}

/** No call has more than 9999 turns; a longer number is not ours. */
function integer(text: string | null): number | undefined {
  return text !== null && /^\d{1,4}$/.test(text) ? Number(text) : undefined;
}
