import type { Facts } from "../_shared/calls/events.ts";
import { own, type Reply } from "../_shared/calls/reply.ts";
import { ARRIVAL } from "../_shared/calls/state.ts";
import { callLimits } from "../_shared/calls/call_limits.ts";
import type { Deps } from "../_shared/deps.ts";
import { arrive, nextState, proceed, speechOf } from "../_shared/flows/advance.ts";
import type { TwimlStep } from "../_shared/flows/step.ts";
import type { Version } from "../_shared/flows/version.ts";
import { isVouchedFor } from "../_shared/phone.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * A call comes in: the line's flow greets, discloses recording and asks. A call over the limit, or of a blocked number, hears
 * a message and ends.
 * Without the database every call is admitted. One of the owner's people, who calls from their own telephone, first hears
 * whether they receive calls.
 */
function arrival(deps: Deps): TwimlStep {
  return {
    name: "voice-frontdoor",
    arrives: true,

    interpret(webhook) {
      const { From, To, StirVerstat } = webhook.fields;
      const limits = callLimits(From, To, deps.settings);
      return {
        state: { ...ARRIVAL, turn: 1 },
        facts: { event: "arrived", identity: "arrived", limits },
        // A number that no network vouches for may be another telephone's.
        ask: isVouchedFor(StirVerstat) ? { self: {} } : {},
        next(version, outcome, known) {
          const heard = arrive(version);
          if (outcome.kind === "rate_limited") {
            const why = outcome.blocked ? "notTaken" : "tooManyCalls";
            return { ...heard, words: [why, "goodbye"], to: "end" };
          }
          const facts = outcome.kind === "accepted" ? outcome.call.facts : undefined;
          if (facts?.self !== undefined) return tellsAvailability(version, facts.self);
          return facts?.campaign === true
            ? [mayStop(version), ...proceed(version, heard, known).reply]
            : heard;
        },
      };
    },
  };
}

/** How long a person has to press a key before the call goes on as a caller's, in seconds. */
const KEY_SEC = 4;

function tellsAvailability(
  version: Version,
  { available, dnd_until }: NonNullable<Facts["self"]>,
): Reply {
  const { state } = arrive(version);
  const now = available && dnd_until === undefined ? "available" : "unavailable";
  const action = { to: "voice-frontdoor", event: now, state } as const;
  return [
    {
      verb: "gather",
      prompts: [own(speechOf(version.flow, state.language!), now)],
      language: state.language!,
      seconds: KEY_SEC,
      hints: [],
      poundIsKey: true,
      keysOnly: true,
      action,
    },
    { verb: "redirect", to: action },
  ];
}

/** To a person who calls a campaign's number: 9 removes theirs. The flow follows in the same document. */
function mayStop(version: Version): Reply[number] {
  const { state } = arrive(version);
  return {
    verb: "gather",
    prompts: [own(speechOf(version.flow, state.language!), "weCalled", "removeByKey")],
    language: state.language!,
    seconds: 1,
    hints: [],
    poundIsKey: true,
    keysOnly: true,
    action: { to: "voice-frontdoor", event: "called", state },
  };
}

/** Such a person has pressed a key. */
const stops: TwimlStep = {
  name: "voice-frontdoor",
  dials: true,
  interpret({ fields: { Digits }, state }, version) {
    const start = arrive(version);
    const heard = { ...start, state: { ...start.state, ...nextState(version, state) } };
    const isStop = Digits === "9";
    return {
      state: heard.state,
      facts: { event: "key_pressed" },
      ask: isStop ? { stop: "call" } : {},
      next(_version, outcome) {
        if (!isStop) return heard;
        const speech = speechOf(version.flow, heard.state.language!);
        const word = outcome.kind === "accepted" ? "removed" : "notRemoved";
        return [own(speech, word), { verb: "hangup" }];
      },
    };
  },
};

/** A person has heard whether they receive calls: 1 changes it, and anything else goes on as a caller. */
function changes(isAvailable: boolean): TwimlStep {
  return {
    name: "voice-frontdoor",
    dials: true,
    interpret({ fields: { Digits }, state }, version) {
      const start = arrive(version);
      const heard = { ...start, state: { ...start.state, ...nextState(version, state) } };
      const isChange = Digits === "1";
      return {
        state: heard.state,
        facts: { event: "key_pressed" },
        ask: isChange ? { self: { available: !isAvailable } } : {},
        next(_version, outcome) {
          if (!isChange) return heard;
          const self = outcome.kind === "accepted" ? outcome.call.facts?.self : undefined;
          // Nothing has changed: the database is away.
          if (self === undefined) return { ...heard, words: ["sorry"] };
          const word = self.available ? "nowAvailable" : "nowUnavailable";
          return { ...heard, words: [word, "goodbye"], to: "end" };
        },
      };
    },
  };
}

/** The first webhook of a call; `event` in the URL says that a person has heard about their own availability. */
export function createHandler(deps: Deps): Handler {
  const parts: Record<string, Handler> = {
    available: twimlHandler(deps, changes(true)),
    unavailable: twimlHandler(deps, changes(false)),
    called: twimlHandler(deps, stops),
  };
  const arrives = twimlHandler(deps, arrival(deps));
  return (request) => {
    const event = new URL(request.url).searchParams.get("event") ?? "";
    return (Object.hasOwn(parts, event) ? parts[event]! : arrives)(request);
  };
}
