import {
  type AttemptAnswer,
  type AttemptTold,
  childLegEvent,
  type StepFacts,
} from "../_shared/calls/events.ts";
import { askForKey1, lastWord, whisper } from "../_shared/calls/person.ts";
import type { Callback, Reply, Speech } from "../_shared/calls/reply.ts";
import { own } from "../_shared/calls/reply.ts";
import { stateBefore } from "../_shared/calls/step.ts";
import type { Webhook } from "../_shared/calls/webhook_form.ts";
import type { Dialling } from "../_shared/db/dialling.ts";
import type { Deps } from "../_shared/deps.ts";
import { dialable } from "../_shared/destinations.ts";
import { reasonOf } from "../_shared/errors.ts";
import type { Phrase } from "../_shared/calls/words/mod.ts";
import { speechOf } from "../_shared/flows/advance.ts";
import { whatFor } from "../_shared/flows/language.ts";
import { type E164, isE164 } from "../_shared/phone.ts";
import { json, SECURITY_HEADERS } from "../_shared/http.ts";
import { answered } from "../_shared/twiml_webhook.ts";
import {
  accept,
  callbackHandler,
  type Handler,
  type Note,
  webhookHandler,
} from "../_shared/webhook.ts";

export interface PersonDeps extends Deps {
  readonly dialling: Pick<Dialling, "legTold">;
}

/** What a webhook of the leg tells, and what the database makes of it. */
interface Told {
  readonly answer: AttemptAnswer;
  /** The caller has consented to be recorded: known of the call that the leg was made for. */
  readonly consented: boolean;
}

/** How long a person waits for the caller to be handed over, and the caller's telephone rings, in seconds. */
const HANDED_OVER_SEC = 10;
/** How long a person has to enter a code, in seconds, and how long codes are at most. */
const CODE_SEC = 8;
const CODE_DIGITS = 6;
/** After so many turns of a leg nobody is asked again. */
const MOST_TURNS = 8;
const RINGS_SEC = 30;

/**
 * The telephone of one of the owner's people, which was rung by REST (see dial-worker): it is asked to accept with 1, and is
 * connected with the caller who has held longest, or with the caller who was promised a call back. `event` in the URL says
 * what Twilio asks. A leg for a waiting caller names the call, and its events belong to that call; the others have none.
 *
 * Whatever fails, the leg ends: the caller holds on, and no mailbox is taken for a person.
 */
export function createHandler(deps: PersonDeps): Handler {
  const { settings, dialling } = deps;
  const talkSec = settings.maxCallMinutes * 60;

  /** @returns undefined: there is no such attempt; null: the database did not answer. */
  const told = async (
    webhook: Webhook,
    leg: string,
    note: Note,
    what: AttemptTold | undefined,
    facts: StepFacts,
    code?: string,
  ): Promise<Told | undefined | null> => {
    const { fields, token } = webhook;
    if (token === undefined) return undefined;
    const call = fields.ParentCallSid;
    const status = fields.CallStatus ?? "in-progress";
    if (call === undefined) {
      try {
        const answer = await dialling.legTold(webhook.account ?? null, token, leg, status, what);
        if ((answer?.wake ?? 0) > 0) deps.wakeDialler?.();
        return answer === null ? undefined : { answer, consented: false };
      } catch (error) {
        note.outcome = "unavailable";
        note.reason = reasonOf(error);
        return null;
      }
    }
    const outcome = await accept(deps, {
      ...childLegEvent("voice-person", webhook, call, stateBefore(webhook), facts),
      leg_sid: leg,
      ask: { attempt: { token, told: what, code } },
    }, note);
    if (outcome.kind !== "accepted") return null;
    const answer = outcome.call.facts?.attempt;
    return answer ? { answer, consented: outcome.call.consent_given === true } : undefined;
  };

  /** A step of the person's: TwiML in every case. */
  const step = (
    serve: (webhook: Webhook, place: Place, note: Note) => Promise<Reply>,
    otherwise: Reply = HANG_UP,
  ): Handler => {
    const twiml = (reply: Reply) => answered(reply, settings.publicFunctionsUrl);
    return webhookHandler(deps, "voice-person", {
      async serve(webhook, lineOf, note) {
        const state = stateBefore(webhook);
        const { flow } = await (await lineOf()).version(state.flow);
        const speech = speechOf(flow, state.language ?? flow.languages[0]!);
        return twiml(await serve(webhook, { speech, ...whatFor(flow, state.node) }, note));
      },
      malformed: () => twiml(otherwise),
      failed: () => twiml(otherwise),
    });
  };

  /** The next of our addresses for this leg. */
  const at = (webhook: Webhook, event: string, call = webhook.fields.ParentCallSid): Callback => ({
    to: "voice-person",
    event,
    state: { ...stateBefore(webhook), turn: stateBefore(webhook).turn + 1 },
    ...(call !== undefined && { call }),
    ...(webhook.token !== undefined && { token: webhook.token }),
  });

  /** Somebody has answered, or something. @param why Their telephone rings. */
  const asks = (why: (place: Place, answer: AttemptAnswer) => Phrase) =>
    step(async (webhook, place, note) => {
      const { speech, business } = place;
      const { CallSid } = webhook.fields;
      const heard = await told(webhook, CallSid, note, undefined, {
        event: "leg_asked",
        identity: `asked-${CallSid}`,
        leg_status: "in-progress",
      });
      if (heard === undefined) return HANG_UP;
      if (heard === null) return lastWord(speech, "sorry");
      const { purpose, over } = heard.answer;
      if (over) return lastWord(speech, "callerGone");
      const action = at(webhook, "accept");
      const asked = purpose === "verify"
        ? askForKey1(speech, [({ asksToVerify }) => asksToVerify(business), "verify"], action)
        : askForKey1(speech, [
          why(place, heard.answer),
          purpose === "person" ? "accept" : "acceptCallBack",
        ], action);
      // Silence is told too: a mailbox has answered, or nobody is there.
      return [...asked.slice(0, -1), { verb: "redirect", to: action }];
    });

  /** Asks for the code of the one to whom the caller is to be transferred. */
  const asksForCode = (webhook: Webhook, { speech }: Place, ...words: Phrase[]): Reply => {
    const action = at(webhook, "transfer");
    const gather = {
      verb: "gather",
      prompts: [own(speech, ...words, "transferCode")],
      language: speech.language,
      seconds: CODE_SEC,
      hints: [],
      poundIsKey: false,
      keysOnly: true,
      digits: CODE_DIGITS,
      action,
    } as const;
    return [gather, { verb: "redirect", to: action }];
  };

  const accepts = (again: boolean) =>
    step(async (webhook, { speech }, note) => {
      const { CallSid, Digits } = webhook.fields;
      if (Digits !== "1" && !again) {
        const [event, what] = Digits === undefined
          ? ["leg_asked", "mailbox"] as const
          : ["leg_declined", "declined"] as const;
        const identity = `${what}-${CallSid}`;
        await told(webhook, CallSid, note, what, { event, identity, leg_status: "in-progress" });
        return HANG_UP;
      }
      const heard = await told(webhook, CallSid, note, "pressed", {
        // Of all who press, one is put through: only being connected counts as accepted in the call.
        event: "leg_asked",
        identity: again ? `pressed-${stateBefore(webhook).turn}-${CallSid}` : `pressed-${CallSid}`,
        leg_status: "in-progress",
      });
      if (heard === undefined) return HANG_UP;
      if (heard === null) return lastWord(speech, "sorry");
      const { won, why, purpose, call_sid, queue, to, may_transfer, caller, summary } =
        heard.answer;
      // The telephones of the others still ring.
      deps.wakeDialler?.();
      if (purpose === "verify") return lastWord(speech, won ? "verified" : "notVerified");
      if (!won) return lastWord(speech, why === "caller_left" ? "callerGone" : "taken");
      const call = purpose === "person" ? call_sid : undefined;
      const about: Phrase[] = caller === undefined || (caller.name ?? "") === "" && caller.calls < 2
        ? []
        : [({ callerContext }) => callerContext(caller.name, caller.calls)];
      const connecting: Phrase[] = [
        ...about,
        ...summary === undefined ? [] : [whisper(summary)],
        "connecting",
      ];
      const dialled = {
        timeLimit: talkSec,
        action: at(webhook, "ended", call),
        recordingCallback: {
          to: "voice-status" as const,
          state: stateBefore(webhook),
          ...(call && { call }),
        },
      };
      if (purpose === "person") {
        return [own(speech, ...connecting), {
          verb: "dial_queue",
          queue: queue!,
          seconds: HANDED_OVER_SEC,
          record: heard.consented && call === webhook.fields.ParentCallSid,
          connects: at(webhook, "connected", call),
          ...(may_transfer && { hangupOnStar: true as const }),
          ...dialled,
        }];
      }
      const number = to === undefined ? undefined : dialable(to, settings.destinations);
      if (number === undefined) return lastWord(speech, "notReached");
      return [own(speech, ...connecting), {
        verb: "dial",
        numbers: [number],
        // The line: the number that called this telephone.
        callerId: isE164(webhook.fields.From ?? "") ? webhook.fields.From as E164 : undefined,
        seconds: RINGS_SEC,
        record: false,
        statusCallback: at(webhook, "reached"),
        screen: at(webhook, "connected"),
        ...dialled,
      }];
    });

  const parts: Record<string, Handler> = {
    answered: asks(({ business, department }) => ({ callFor }) => callFor(business, department)),
    /** By another of the owner's people, of a caller with whom they have talked. */
    transferred: asks(({ department }, { transferred_by }) => ({ transferredBy }) =>
      transferredBy(transferred_by, department)
    ),
    /** The caller whom this person has transferred, and whom nobody took. */
    returned: asks(() => "transferReturned"),

    /** A key was pressed: 1 accepts, any other does not. */
    accept: accepts(false),
    /** It was 1, and the caller was not in the queue yet. */
    again: accepts(true),

    /** The caller is about to be connected: asked on the caller's leg, who goes through whatever fails. */
    connected: step(async (webhook, { speech, business }, note) => {
      const { CallSid, DequeingCallSid, ParentCallSid } = webhook.fields;
      if (DequeingCallSid === undefined) {
        // A call back: the leg is the parent that Twilio names.
        if (ParentCallSid === undefined) return [];
        const { ParentCallSid: _, ...fields } = webhook.fields;
        await told({ ...webhook, fields }, ParentCallSid, note, "connected", CONNECTED);
        return [own(speech, ({ callingBack }) => callingBack(business))];
      }
      const { To: _, ...fields } = webhook.fields;
      await told(
        { ...webhook, fields: { ...fields, ParentCallSid: CallSid } },
        DequeingCallSid,
        note,
        "connected",
        { ...CONNECTED, identity: `connected-${DequeingCallSid}` },
      );
      return [];
    }, []),

    /** The talk is over, or there was none. */
    ended: step(async (webhook, { speech }, note) => {
      const { CallSid, DialCallStatus, DialCallDuration = 0, DialBridged } = webhook.fields;
      const { turn } = stateBefore(webhook);
      const talked = DialBridged === true ||
        (DialBridged === undefined && DialCallStatus === "completed");
      if (webhook.fields.ParentCallSid === undefined) {
        const why = talked ? "connected" : notReached(DialCallStatus);
        if (why !== undefined) await told(webhook, CallSid, note, why, CONNECTED);
        return talked ? HANG_UP : lastWord(speech, "notReached");
      }
      // Once more, in case the webhook that said so was lost.
      const heard = await told(webhook, CallSid, note, talked ? "connected" : undefined, {
        event: "leg_status",
        identity: `ended-${turn}-${CallSid}`,
        leg_status: "in-progress",
        talk_sec: talked ? DialCallDuration : undefined,
        bridged: talked,
      });
      if (!talked) {
        // The queue of a caller who is transferred exists once the caller has come to it.
        return DialCallStatus === "failed" && heard?.answer.won && turn < MOST_TURNS
          ? [{ verb: "pause", seconds: 2 }, { verb: "redirect", to: at(webhook, "again") }]
          : lastWord(speech, "callerGone");
      }
      // By a star, or by a caller whose own end is not stored yet.
      const { may_transfer, over } = heard?.answer ?? {};
      return may_transfer && !over
        ? [{ verb: "pause", seconds: 1 }, { verb: "redirect", to: at(webhook, "starred") }]
        : HANG_UP;
    }),

    /** A moment later the caller is still there: a star has ended the talk. */
    starred: step(async (webhook, place, note) => {
      const { CallSid } = webhook.fields;
      const heard = await told(webhook, CallSid, note, "connected", {
        event: "leg_status",
        identity: `starred-${stateBefore(webhook).turn}-${CallSid}`,
        leg_status: "in-progress",
      });
      const { may_transfer, over } = heard?.answer ?? {};
      return may_transfer && !over ? asksForCode(webhook, place) : HANG_UP;
    }),

    /** A code was entered; a star, or nothing: back to the caller, by this telephone. */
    transfer: step(async (webhook, place, note) => {
      const { speech } = place;
      const { CallSid, Digits = "" } = webhook.fields;
      const { turn } = stateBefore(webhook);
      const code = /^\d+$/.test(Digits) && turn < MOST_TURNS ? Digits : undefined;
      const heard = await told(webhook, CallSid, note, "transfer", {
        event: "leg_status",
        identity: `transfer-${turn}-${CallSid}`,
        leg_status: "in-progress",
      }, code);
      switch (heard?.answer.transfer?.state) {
        case "made":
          // The other telephone rings.
          deps.wakeDialler?.();
          return lastWord(speech, "goodbye");
        case "unknown":
          return asksForCode(webhook, place, "unknownCode");
        case "busy":
          return code === undefined ? HANG_UP : asksForCode(webhook, place, "nobodyFree");
        default:
          return lastWord(speech, heard === null ? "sorry" : "callerGone");
      }
    }),

    /** How the telephone of a caller who is called back rings. */
    reached: callback(async (webhook, note) => {
      const { ParentCallSid, CallStatus } = webhook.fields;
      const why = notReached(CallStatus);
      if (ParentCallSid === undefined || why === undefined) return undefined;
      const { ParentCallSid: _, ...fields } = webhook.fields;
      const own = { ...webhook, fields: { ...fields, CallStatus: "in-progress" } };
      return await told(own, ParentCallSid, note, why, CONNECTED);
    }),

    /** Of the leg itself. */
    status: (request) =>
      (new URL(request.url).searchParams.has("call") ? statusForCall : status)(request),

    failed: step(() => Promise.resolve(HANG_UP)),
  };

  function callback(
    tell: (webhook: Webhook, note: Note) => Promise<Told | undefined | null>,
  ): Handler {
    return webhookHandler(deps, "voice-person", {
      async serve(webhook, _lineOf, note) {
        return await tell(webhook, note) === null
          ? json(503, { error: "unavailable" }, { "retry-after": "5" })
          : new Response(null, { status: 204, headers: SECURITY_HEADERS });
      },
      malformed: (issues) => json(400, { error: "invalid", issues }),
      failed: (requestId) => json(500, { error: "internal", request_id: requestId }),
    });
  }

  const status = callback((webhook, note) =>
    told(webhook, webhook.fields.CallSid, note, undefined, CONNECTED)
  );
  const statusForCall = callbackHandler(deps, {
    name: "voice-person",
    interpret(webhook) {
      const { fields, token } = webhook;
      const { CallSid, CallStatus, SequenceNumber, CallDuration, Timestamp } = fields;
      if (fields.ParentCallSid === undefined || token === undefined || CallStatus === undefined) {
        return {
          issues: [{ field: "CallStatus", message: "must be given, with the token and the call" }],
        };
      }
      const wasAnswered = CallStatus === "in-progress" || CallStatus === "completed";
      const event = childLegEvent(
        "voice-person",
        webhook,
        fields.ParentCallSid,
        stateBefore(webhook),
        {
          event: "leg_status",
          identity: [CallSid, CallStatus, SequenceNumber, CallDuration, Timestamp?.getTime()].join(
            "-",
          ),
          leg_status: CallStatus,
          talk_sec: wasAnswered ? CallDuration ?? 0 : undefined,
          // What was answered may be a mailbox: `connected` says more.
          bridged: wasAnswered ? false : undefined,
        },
      );
      return { ...event, ask: { attempt: { token } } };
    },
  });

  return (request) => {
    const event = new URL(request.url).searchParams.get("event") ?? "";
    return (Object.hasOwn(parts, event) ? parts[event]! : parts["failed"]!)(request);
  };
}

const HANG_UP: Reply = [{ verb: "hangup" }];
const CONNECTED = { event: "leg_accepted", leg_status: "in-progress" } as const;

interface Place {
  readonly speech: Speech;
  readonly business: string | undefined;
  readonly department: string | undefined;
}

/** Why a caller who is called back was not reached; undefined: it rings, or was answered. */
function notReached(status: string | undefined): AttemptTold | undefined {
  if (status === "busy") return "caller_busy";
  if (status === "no-answer" || status === "canceled") return "caller_no_answer";
  return status === "failed" ? "caller_failed" : undefined;
}
