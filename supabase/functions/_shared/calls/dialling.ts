import { callerNumber, isE164, isSubscriberNumber } from "../phone.ts";
import type { AcceptOutcome } from "./events.ts";
import type { Dialling } from "./reply.ts";
import type { CallState } from "./state.ts";
import type { WebhookFields } from "./webhook_form.ts";

/** What holds for the dials of a call, by what Twilio and the database tell of it. Pure. */
export function diallingOf(
  { From, To, ForwardedFrom }: Pick<WebhookFields, "From" | "To" | "ForwardedFrom">,
  { disclosed }: Pick<CallState, "disclosed">,
  outcome: AcceptOutcome,
): Dialling {
  const caller = callerNumber(From);
  // The line itself, and whoever the call comes from: dialled, they would be busy, or forward the call here again.
  const leadsBack = new Set([From, To, ForwardedFrom]);
  // Only legs that were dialled here bear the line as their caller.
  const isOwnLeg = From !== undefined && From === To;
  return {
    mayRecord: disclosed !== undefined && outcome.kind === "accepted" &&
      outcome.call.consent_given === true,
    mayDial: (number) => !isOwnLeg && !leadsBack.has(number),
    // A network refuses a leg whose caller is no number. Twilio takes the called number in its place.
    // Source: https://www.twilio.com/docs/api/errors/13214
    callerId: caller !== null && isSubscriberNumber(caller)
      ? undefined
      : To !== undefined && isE164(To)
      ? To
      : undefined,
  };
}
