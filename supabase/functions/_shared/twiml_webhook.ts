import { type Ask, callEvent, childLegEvent } from "./calls/events.ts";
import { apology, type Reply } from "./calls/reply.ts";
import { AGENT_TRANSFERRED, ARRIVAL, type CallState, decodeState } from "./calls/state.ts";
import { asIncoming, isOutbound, type Webhook, type WebhookFields } from "./calls/webhook_form.ts";
import type { Deps } from "./deps.ts";
import { SOCKET_SECONDS, socketUrl } from "./agent/token.ts";
import { proceed } from "./flows/advance.ts";
import { spokenBy } from "./flows/disclosure.ts";
import { capsOf } from "./agent/memory.ts";
import { dialsOf, isCallable, knownOf } from "./flows/known.ts";
import type { TwimlStep } from "./flows/step.ts";
import { isBuiltIn, type Version } from "./flows/version.ts";
import type { FunctionName } from "./functions.ts";
import { SECURITY_HEADERS } from "./http.ts";
import { type E164, isE164 } from "./phone.ts";
import type { Line } from "./tenancy/lines.ts";
import { renderTwiml } from "./twilio/twiml.ts";
import { delay } from "./runtime.ts";
import { accept, type Handler, type Note, webhookHandler } from "./webhook.ts";

/** A reply as Twilio takes it. */
export function answered(
  reply: Reply,
  functionsUrl: string,
  socketOf?: (state: CallState) => string,
): Response {
  return new Response(renderTwiml(reply, functionsUrl, socketOf), {
    headers: {
      ...SECURITY_HEADERS,
      "content-type": "text/xml; charset=utf-8",
      "cache-control": "no-store",
    },
  });
}

/** In the account's own voice, which cannot be what Twilio refuses to play. */
function plain(reply: Reply): Reply {
  return reply.map((each) => each.verb === "say" ? { ...each, voice: undefined } : each);
}

/** Serves a step that the caller waits for: once a request is Twilio's, the answer is TwiML and 200. */
export function twimlHandler(deps: Deps, step: TwimlStep): Handler {
  const { settings } = deps;
  const twiml = (reply: Reply, webhook?: Webhook) =>
    answered(
      step.isFallback ? plain(reply) : reply,
      settings.publicFunctionsUrl,
      webhook && ((state) => socketOf(webhook, state)),
    );
  const failed = (before: CallState = ARRIVAL) => {
    const state: CallState = { ...before, turn: before.turn + 1 };
    return twiml(step.whenFailed?.(state) ?? apology(state));
  };

  return webhookHandler(deps, step.name, {
    async serve(webhook, lineOf, note) {
      const served = serve(webhook, lineOf, note);
      if (step.withinMs === undefined) return await served;
      // What it still writes is not undone: the next step finds it.
      served.catch(() => {});
      const late = delay(step.withinMs).then(() => {
        note.outcome = "unavailable";
        return failed(webhook.state);
      });
      return await Promise.race([served, late]);
    },
    malformed: (_issues, query) => failed(decodeState(query)),
    failed: (_requestId, query) => failed(decodeState(query)),
  });

  async function serve(webhook: Webhook, lineOf: () => Promise<Line>, note: Note) {
    const line = await lineOf();
    const version = await line.version(webhook.state?.flow);
    const { state, facts, ask, isKeyless, next } = step.interpret(webhook, version);
    const { Digits: _, SpeechResult: __, ...keyless } = webhook.fields;
    const about = isKeyless ? { ...webhook, fields: keyless } : webhook;
    const asks = { ...asked(webhook, line, version), ...ask };
    const event = {
      ...callEvent(step.name, about, state, {
        // A decision without its words is no evidence, and who published them may be a deploy of other settings.
        ...(state.consent && { disclosure: spokenBy(version.flow, state.disclosed) }),
        ...facts,
      }),
      ...(Object.keys(asks).length > 0 && { ask: asks }),
    };
    const outcome = await accept(deps, event, note);
    const answering = step.arrives ? await line.answering(outcome) : version;
    const known = {
      ...knownOf(asIncoming(webhook.fields), outcome, deps.now(), settings),
      // The party's number is not shown to the people whom a call of ours rings.
      ...(isOutbound(webhook.fields) && isE164(webhook.fields.From ?? "") &&
        { callerId: webhook.fields.From as E164 }),
      people: line.people(answering, outcome),
    };
    const heard = next(answering, outcome, known);
    return twiml("to" in heard ? proceed(answering, heard, known).reply : heard, webhook);
  }

  function socketOf({ fields, account }: Webhook, state: CallState): string {
    return socketUrl(settings.publicFunctionsUrl, settings.secretKey, {
      callSid: fields.CallSid,
      line: asIncoming(fields).To,
      account,
      state,
      expires: Math.floor(deps.now().getTime() / 1000) + SOCKET_SECONDS,
    });
  }

  function asked(webhook: Webhook, line: Line, version: Version): Ask {
    const fields = asIncoming(webhook.fields);
    const isPublished = !isBuiltIn(version.name);
    const dials = step.dials || step.arrives || isPublished
      ? dialsOf(version.flow, fields, settings)
      : undefined;
    const callable = isCallable(fields, settings);
    const legs = settings.twilioAccountSid === undefined
      ? { cannot_dial: true as const }
      // Legs that are dialled for the call may show its caller's number.
      : fields.CallToken !== undefined && { call_token: fields.CallToken };
    const agent = capsOf(settings.agent);
    if (step.arrives) return { line: fields.To, have: line.have, dials, callable, agent, ...legs };
    const talks = version.flow.agents !== undefined && { agent };
    const ofFlow = isPublished ? { flow: version.name, callable, ...talks, ...legs } : {};
    return { ...ofFlow, ...(dials && { dials }) };
  }
}

/** A step of a person whose telephone rang, before they are put through. */
export interface ScreeningStep {
  readonly name: FunctionName;
  /** What there is to tell of it; `undefined`: nothing. */
  event(
    fields: WebhookFields,
  ): "leg_asked" | "leg_accepted" | "leg_declined" | "leg_status" | undefined;
  /** An empty reply puts the two through. @param summary What an agent told of the caller whom it transferred. */
  answer(fields: WebhookFields, state: CallState, call: string, summary?: string): Reply;
  /** The answer when the step fails; by default the leg ends. */
  readonly whenFailed?: Reply;
}

/**
 * Serves a person who is asked to accept a call. Whatever fails, they are not put through: the caller goes on to the next
 * one, or to a message, and never to a voicemail box that answered in somebody's place.
 */
export function screeningHandler(deps: Deps, step: ScreeningStep): Handler {
  const twiml = (reply: Reply) => answered(reply, deps.settings.publicFunctionsUrl);
  const hangUp = () => twiml(step.whenFailed ?? [{ verb: "hangup" }]);
  return webhookHandler(deps, step.name, {
    async serve(webhook, _lineOf, note) {
      const { fields, state = ARRIVAL } = webhook;
      const call = fields.ParentCallSid;
      if (call === undefined) return hangUp();
      const event = step.event(fields);
      if (event === undefined) return twiml(step.answer(fields, state, call));
      const identity = `${event}-${fields.CallSid}`;
      const facts = { event, identity, leg_status: "in-progress" };
      const outcome = await accept(deps, {
        ...childLegEvent(step.name, webhook, call, state, facts),
        // A mailbox that has only been asked is told nothing.
        ...(event !== "leg_asked" && state.handoff === AGENT_TRANSFERRED &&
          { ask: { summary: true as const } }),
      }, note);
      const summary = outcome.kind === "accepted" ? outcome.call.facts?.summary : undefined;
      return twiml(step.answer(fields, state, call, summary));
    },
    malformed: hangUp,
    failed: hangUp,
  });
}
