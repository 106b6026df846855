import { stateBefore } from "../_shared/calls/step.ts";
import type { Deps } from "../_shared/deps.ts";
import { holdEnded, leavesBy, waiting } from "../_shared/flows/hold.ts";
import { interpretationOf, type TwimlStep } from "../_shared/flows/step.ts";
import { HttpError } from "../_shared/errors.ts";
import { errorResponse, SECURITY_HEADERS } from "../_shared/http.ts";
import { twimlHandler } from "../_shared/twiml_webhook.ts";
import { ringingTone } from "../_shared/twilio/ringing.ts";
import type { Handler } from "../_shared/webhook.ts";

/**
 * What a caller hears who holds. Twilio asks again whenever it has ended, so each asking is an event of its own: it also has
 * those dialled who have become free.
 * Source: https://www.twilio.com/docs/voice/twiml/enqueue#attributes-waiturl
 */
const wait: TwimlStep = {
  name: "voice-queue",
  interpret(webhook, version) {
    const { fields } = webhook;
    const state = stateBefore(webhook);
    const holding = { seconds: fields.QueueTime, digits: fields.Digits };
    return {
      state,
      facts: {
        event: "queue_waited",
        identity: `waited-${state.turn}-${state.attempt}-${fields.Digits ?? ""}`,
      },
      ask: { queue: { leaves: leavesBy(version, state, holding) } },
      next: (version, _outcome, known) => waiting(version, webhook.state, holding, known),
    };
  },
  // Out of the queue: the address that ends the holding leads on.
  whenFailed: () => [{ verb: "leave" }],
};

/**
 * The end of the holding: after a talk, or without one.
 *
 * @param isHeld Asked again while the person with whom the caller has talked may still pass the call on.
 */
function left(deps: Deps, isHeld: boolean): TwimlStep {
  return {
    name: "voice-queue",
    dials: true,
    interpret({ state, fields: { QueueResult, QueueTime } }, version) {
      const result = isHeld ? "bridged" : QueueResult;
      const ended = (by: string | undefined) =>
        holdEnded(version, state, by, { seconds: QueueTime }, deps.now());
      const heard = ended(result);
      return {
        ...interpretationOf(heard, { event: "queue_left" }),
        // By another end than `<Leave>` a caller gives up.
        next: (_version, _outcome, { gives_up }) => gives_up ? ended("error") : heard,
      };
    },
  };
}

/** A caller who holds; `event` in the URL says which part of that a request is about. */
export function createHandler(deps: Deps): Handler {
  const waits = twimlHandler(deps, wait);
  const parts: Record<string, Handler> = {
    wait: waits,
    key: waits,
    held: twimlHandler(deps, left(deps, true)),
    ringing: (request) => Promise.resolve(ringing(request)),
  };
  const leaves = twimlHandler(deps, left(deps, false));
  return (request) => {
    const event = new URL(request.url).searchParams.get("event") ?? "";
    return (Object.hasOwn(parts, event) ? parts[event]! : leaves)(request);
  };
}

/** Public, and the same for ever: Twilio keeps it. */
function ringing({ method }: Request): Response {
  if (method !== "GET" && method !== "HEAD") {
    return errorResponse(new HttpError(405, "method_not_allowed", { allow: "GET, HEAD" }));
  }
  return new Response(method === "GET" ? ringingTone() : null, {
    headers: {
      ...SECURITY_HEADERS,
      "content-type": "audio/wav",
      "cache-control": "public, max-age=31536000, immutable",
    },
  });
}
