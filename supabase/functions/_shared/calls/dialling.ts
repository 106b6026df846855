import { callerNumber, isE164, isSubscriberNumber } from "../phone.ts";
import type { Settings } from "../settings.ts";
import type { AcceptOutcome, Ask } from "./events.ts";
import type { LineProfile } from "./profile.ts";
import type { Dialling } from "./reply.ts";
import type { CallState } from "./state.ts";
import type { WebhookFields } from "./webhook_form.ts";

/** What the database is asked before a step dials. Pure. */
export function dialsOf(
  line: LineProfile,
  { From }: Pick<WebhookFields, "From">,
  settings: Pick<Settings, "maxDialledMinutesPerDay">,
): Ask["dials"] {
  const destinations = [...line.menu.options, line.operator].map(({ destination }) => destination);
  const numbers = destinations.flatMap((each) => each.kind === "dial" ? [each.number] : []);
  return {
    to: [...new Set<string>([...numbers, callerNumber(From) ?? []].flat())],
    leg_sec: line.talkSec,
    day_sec: settings.maxDialledMinutesPerDay * 60,
  };
}

/**
 * The number that seed 004 gives both to the line and to who answers it, and so the default of a developer's machine, where
 * neither is a telephone. In production a line that is its own destination is a loop, this one too.
 */
const GUIDE_NUMBER = "+15877428885";

/** What holds for the dials of a call, by what Twilio and the database tell of it. Pure. */
export function diallingOf(
  { From, To, ForwardedFrom }: Pick<WebhookFields, "From" | "To" | "ForwardedFrom">,
  { disclosed }: Pick<CallState, "disclosed">,
  outcome: AcceptOutcome,
  { environment }: Pick<Settings, "environment">,
): Dialling {
  const caller = callerNumber(From);
  const facts = outcome.kind === "accepted" ? outcome.call.facts : undefined;
  // The line itself, and whoever the call comes from: dialled, they would be busy, or forward the call here again.
  const line = environment !== "production" && To === GUIDE_NUMBER ? undefined : To;
  const leadsBack = new Set([From, line, ForwardedFrom, ...facts?.own_lines ?? []]);
  // Only legs that were dialled here bear a line of ours as their caller.
  const isOwnLeg = From !== undefined && (From === To || facts?.own_lines?.includes(From) === true);
  return {
    mayRecord: disclosed !== undefined && outcome.kind === "accepted" &&
      outcome.call.consent_given === true,
    mayDial: (number) => !isOwnLeg && facts?.spent !== true && !leadsBack.has(number),
    // A network refuses a leg whose caller is no number. Twilio takes the called number in its place.
    // Source: https://www.twilio.com/docs/api/errors/13214
    callerId: caller !== null && isSubscriberNumber(caller)
      ? undefined
      : To !== undefined && isE164(To)
      ? To
      : undefined,
  };
}
