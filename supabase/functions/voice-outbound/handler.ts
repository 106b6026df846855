import { Buffer } from "node:buffer";
import {
  type AcceptOutcome,
  callEvent,
  type StepFacts,
  type VoiceEvent,
} from "../_shared/calls/events.ts";
import { type Callback, own, plainly, type Reply, type Speech } from "../_shared/calls/reply.ts";
import { asksToStop } from "../_shared/calls/consent.ts";
import { ARRIVAL, type CallState } from "../_shared/calls/state.ts";
import { stateBefore } from "../_shared/calls/step.ts";
import type { Webhook } from "../_shared/calls/webhook_form.ts";
import { type Phrase, wordsIn } from "../_shared/calls/words/mod.ts";
import type { Dialling } from "../_shared/db/dialling.ts";
import type { Deps } from "../_shared/deps.ts";
import { reasonOf } from "../_shared/errors.ts";
import { arrive, proceed, promptsOf, speechOf } from "../_shared/flows/advance.ts";
import { MESSAGE_ONLY } from "../_shared/flows/builtin.ts";
import type { TwimlStep } from "../_shared/flows/step.ts";
import type { Version } from "../_shared/flows/version.ts";
import type { Handler } from "../_shared/http.ts";
import { callbackUrl } from "../_shared/twilio/callback_url.ts";
import { TwilioError } from "../_shared/twilio/client.ts";
import type { TwilioLegs } from "../_shared/twilio/legs.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import { accept, invalid, type Note, servesCallback } from "../_shared/webhook.ts";

export interface OutboundDeps extends Deps {
  readonly dialling: Pick<Dialling, "legTold">;
  /** Of an account; `undefined`: the main one. Absent without `TWILIO_ACCOUNT_SID`, and then nothing was dialled. */
  readonly twilio: ((accountSid: string | undefined) => TwilioLegs) | undefined;
  /** Milliseconds; default 1200. */
  readonly heardWithinMs?: number;
}

/** A person who answered hears something this soon after, whatever the database does. Milliseconds. */
const HEARD_WITHIN_MS = 1200;
/** Silence in which the key still counts: between the opening words, and after the last, before the flow. Seconds. */
const KEY_SEC = 1;
const LAST_KEY_SEC = 3;
/** A wish that cannot be stored is given up after so many tries, some seconds apart. */
const STOP_TRIES = 10;
const STOP_AGAIN_SEC = 3;

/**
 * A call of a campaign. `event` in the URL says what Twilio asks; the token names the dial, and `who` is spoken, so that the
 * opening words need no database: who calls, and that 9 removes the number from the list. Then the flow goes on as in a call
 * that came in. A machine gets what the campaign says.
 */
export function createHandler(deps: OutboundDeps): Handler {
  const steps: Record<string, (dial: Dial) => TwimlStep> = {
    /** Somebody has answered, or something. */
    answered: (dial) => opens(dial, deps.heardWithinMs ?? HEARD_WITHIN_MS),
    /** The opening words are over, without an answer of the database; or a key was pressed. */
    begin: (dial) => opens(dial),
    stop: (dial) => stops(dial),
    said: (dial) => stops(dial, "speech"),
    /** A machine's greeting is over. */
    message: leavesMessage,
    /** In place of a document that Twilio could not play. */
    failed: (dial) => ({
      ...opens(dial),
      isFallback: true,
      interpret(webhook) {
        const state = stateBefore(webhook);
        return {
          state: { ...state, turn: state.turn + 1 },
          facts: { event: "route", identity: "failed" },
          next: () => safeEnd(plainly(state.language), dial),
        };
      },
    }),
  };
  const callbacks: Record<string, (dial: Dial) => Handler> = {
    status: () => servesCallback(deps, "voice-outbound", statusOf),
    amd: (dial) =>
      servesCallback(deps, "voice-outbound", (webhook, note) => verdict(webhook, note, dial)),
  };

  /** How the call stands. Before an answer it is none of the calls, but an attempt. */
  async function statusOf(webhook: Webhook, note: Note): Promise<Stored | Response> {
    const { token, account, fields } = webhook;
    const { CallSid, CallStatus, SequenceNumber, CallDuration, Timestamp } = fields;
    if (CallStatus === undefined) return lacks(note, "CallStatus");
    if (token === undefined) return "accepted";
    if (CallStatus !== "in-progress" && CallStatus !== "completed") {
      return await isDone(note, deps.dialling.legTold(account ?? null, token, CallSid, CallStatus));
    }
    const outcome = await accept(deps, {
      ...outbound(webhook, stateBefore(webhook), {
        event: "status",
        identity: [CallSid, CallStatus, SequenceNumber, CallDuration, Timestamp?.getTime()].join(
          "-",
        ),
      }),
      ask: { attempt: { token } },
    }, note);
    return outcome.kind;
  }

  /** What machine detection makes of it; what is not certainly a machine is a person. */
  async function verdict(webhook: Webhook, note: Note, dial: Dial): Promise<Stored | Response> {
    const { token, account, fields: { CallSid, AnsweredBy } } = webhook;
    if (AnsweredBy === undefined) return lacks(note, "AnsweredBy");
    if (token === undefined || !/^(machine_|fax$)/.test(AnsweredBy)) return "accepted";
    const state = stateBefore(webhook);
    const outcome = await accept(deps, {
      ...outbound(webhook, state, { event: "status", identity: "machine" }),
      ask: { attempt: { token, told: "machine" } },
    }, note);
    if (outcome.kind !== "accepted") return outcome.kind;
    const gets = outcome.call.facts?.attempt?.machine;
    const legs = deps.twilio?.(account);
    if (legs === undefined || gets === undefined || gets === "flow") return "accepted";
    if (gets === "hang_up" || AnsweredBy === "fax") return await isDone(note, legs.end(CallSid));
    const to = { to: "voice-outbound", event: "message", ...dial, state } as const;
    const redirected = legs.redirect(
      CallSid,
      callbackUrl(deps.settings.publicFunctionsUrl, to, "step"),
    ).catch((error) => {
      // The machine has hung up.
      if (!(error instanceof TwilioError) || error.kind !== "refused") throw error;
    });
    return await isDone(note, redirected);
  }

  return (request) => {
    const { searchParams: query } = new URL(request.url);
    const event = query.get("event") ?? "";
    const dial: Dial = {
      token: query.get("token") ?? "",
      who: Buffer.from(query.get("who") ?? "", "base64url").toString(),
    };
    const callback = Object.hasOwn(callbacks, event) ? callbacks[event] : undefined;
    if (callback !== undefined) return callback(dial)(request);
    const step = Object.hasOwn(steps, event) ? steps[event]! : steps["failed"]!;
    return twimlHandler(deps, step(dial))(request);
  };
}

/** What the URL says of a dial. */
interface Dial {
  readonly token: string;
  readonly who: string;
}

/**
 * The opening words, then the flow in the same document, so that people whom it rings are rung at once. Where the database has
 * not answered, what comes after the words asks again, and at last the call ends.
 */
function opens(dial: Dial, withinMs?: number): TwimlStep {
  const isFirst = withinMs !== undefined;
  const opening = (speech: Speech, state: CallState) =>
    listens(speech, dial, state, [callFrom(dial)]);
  return {
    name: "voice-outbound",
    dials: true,
    ...(isFirst && { withinMs }),
    interpret(webhook, version) {
      const before = stateBefore(webhook);
      const { Digits, SpeechResult } = webhook.fields;
      if (Digits === "9") return stops(dial).interpret(webhook, version);
      const heard = arrive(version);
      const speech = speechOf(version.flow, before.language ?? heard.state.language!);
      if (SpeechResult !== undefined && asksToStop(SpeechResult, speech.language)) {
        return stops(dial, "speech").interpret(webhook, version);
      }
      return {
        state: { ...ARRIVAL, turn: 1 },
        // One event, whichever of the two addresses tells of it first.
        isKeyless: true,
        facts: { event: "arrived", identity: "arrived" },
        ask: { attempt: { token: dial.token } },
        next(_version, outcome, known) {
          const attempt = outcome.kind === "accepted" ? outcome.call.facts?.attempt : undefined;
          if (outcome.kind !== "accepted" || version.flow === MESSAGE_ONLY.flow) {
            return isFirst
              ? [...opening(speech, before), goesOn(dial, before)]
              : safeEnd(speech, dial);
          }
          // Given up, or erased, meanwhile.
          if (!attempt || attempt.over) {
            return [...listens(speech, dial, before, [callFrom(dial)]), ...END(speech)];
          }
          if (attempt.abandoned) {
            return [
              ...listens(speech, dial, before, [callFrom(dial), "nobodyForYou"]),
              ...END(speech),
            ];
          }
          const { reply } = proceed(version, heard, known);
          if (isFirst) return [...opening(speech, before), ...reply];
          // Other words have cut off how to stop.
          return SpeechResult === undefined
            ? reply
            : [keyAt(dial, before, speech, "removeByKey"), ...reply];
        },
      };
    },
    whenFailed(state) {
      const speech = plainly(state.language);
      const before = { ...state, turn: state.turn - 1 };
      return isFirst ? [...opening(speech, before), goesOn(dial, before)] : safeEnd(speech, dial);
    },
  };
}

/** 9 was pressed, or it was said: before anything else the number goes on the list of those who said stop. */
function stops(dial: Dial, by: "key" | "speech" = "key"): TwimlStep {
  const again = (speech: Speech, state: CallState): Reply =>
    state.turn > STOP_TRIES ? [own(speech, "notRemoved"), { verb: "hangup" }] : [
      own(speech, "moment"),
      { verb: "pause", seconds: STOP_AGAIN_SEC },
      { verb: "redirect", to: at(dial, by === "key" ? "stop" : "said", state) },
    ];
  return {
    name: "voice-outbound",
    interpret(webhook, version) {
      const before = stateBefore(webhook);
      const state = { ...before, turn: before.turn + 1 };
      const speech = speechOf(version.flow, before.language ?? version.flow.languages[0]!);
      return {
        state,
        facts: { event: "key_pressed", identity: "stop" },
        ask: { attempt: { token: dial.token }, stop: by },
        next: (_version, outcome) =>
          outcome.kind === "accepted"
            ? [own(speech, "removed"), { verb: "hangup" }]
            : again(speech, state),
      };
    },
    whenFailed: (state) => again(plainly(state.language), state),
  };
}

/** What a machine records: the flow's prompt `machine`, or what it says before it waits for anything. */
function leavesMessage(dial: Dial): TwimlStep {
  return {
    name: "voice-outbound",
    interpret(webhook, version) {
      const before = stateBefore(webhook);
      return {
        state: { ...before, turn: before.turn + 1 },
        facts: { event: "route", identity: "message" },
        next(_version, _outcome, known) {
          const heard = arrive(version);
          const speech = speechOf(version.flow, heard.state.language!);
          const prompts = messageOf(version, speech, known) ??
            (version.flow === MESSAGE_ONLY.flow ? [] : proceed(version, heard, known).reply);
          return [
            own(speech, callFrom(dial), "removeByCall"),
            ...prompts.filter(({ verb }) => verb === "say" || verb === "play"),
            { verb: "hangup" },
          ];
        },
      };
    },
    whenFailed: (state) => [
      own(plainly(state.language), callFrom(dial), "removeByCall"),
      { verb: "hangup" },
    ],
  };
}

function messageOf(
  { flow }: Version,
  speech: Speech,
  known: Parameters<typeof promptsOf>[3],
): Reply | undefined {
  return Object.hasOwn(flow.prompts, "machine")
    ? promptsOf(flow, "machine", speech, known)
    : undefined;
}

const callFrom = ({ who }: Dial): Phrase => ({ callFrom }) => callFrom(who);

const END = (speech: Speech): Reply => [own(speech, "goodbye"), { verb: "hangup" }];

/** Who calls, and how to stop; nothing else can be done. */
const safeEnd = (speech: Speech, dial: Dial): Reply => [
  ...listens(speech, dial, { ...ARRIVAL, language: speech.language }, [
    callFrom(dial),
    "sorry",
  ]),
  ...END(speech),
];

function at(dial: Dial, event: string, state: CallState): Callback {
  return { to: "voice-outbound", event, ...dial, state };
}

function goesOn(dial: Dial, state: CallState): Reply[number] {
  return { verb: "redirect", to: at(dial, "begin", state) };
}

/**
 * Words in which 9 counts at any time, and how to stop, during which that may also be said: other speech, such as a greeting,
 * cuts off no more than this.
 */
function listens(speech: Speech, dial: Dial, state: CallState, words: Phrase[]): Reply {
  const stop = wordsIn(speech.language)?.stop;
  if (stop === undefined) return [keyAt(dial, state, speech, ...words, "removeByKey")];
  const { keysOnly: _, ...spoken } = keyAt(dial, state, speech, "removeByKeyOrWord");
  return [{ ...keyAt(dial, state, speech, ...words), seconds: KEY_SEC }, {
    ...spoken,
    hints: stop,
  }];
}

/** Words in which keys count, the last before the flow. */
function keyAt(dial: Dial, state: CallState, speech: Speech, ...words: Phrase[]) {
  return {
    verb: "gather",
    prompts: [own(speech, ...words)],
    language: speech.language,
    seconds: LAST_KEY_SEC,
    hints: [],
    poundIsKey: true,
    keysOnly: true,
    action: at(dial, "begin", state),
  } as const;
}

function lacks(note: Note, field: string): Response {
  note.outcome = "malformed";
  return invalid([{ field, message: "must be given" }]);
}

type Stored = Exclude<AcceptOutcome["kind"], "foreign">;

/** What fails here is to be told again. */
async function isDone(note: Note, doing: Promise<unknown>): Promise<Stored> {
  try {
    await doing;
    return "accepted";
  } catch (error) {
    note.outcome = "unavailable";
    note.reason = reasonOf(error);
    return "unavailable";
  }
}

/** An event of a call that we made. */
function outbound(webhook: Webhook, state: CallState, facts: StepFacts): VoiceEvent {
  return { ...callEvent("voice-outbound", webhook, state, facts), direction: "outbound" };
}
