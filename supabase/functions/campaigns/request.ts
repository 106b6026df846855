import * as z from "zod/mini";
import { DAYS, type Week } from "../_shared/campaigns/hours.ts";
import { attemptsOf } from "../_shared/campaigns/retry.ts";
import type { NewCampaign } from "../_shared/db/campaigns.ts";
import { type Issue, issuesOf } from "../_shared/errors.ts";
import { isE164 } from "../_shared/phone.ts";
import { isOneVisibleLine, ONE_VISIBLE_LINE, UUID } from "../_shared/text.ts";

const text = (most: number) => {
  const must = `must be text of 1 to ${most} characters, with no space at either end`;
  return z.string(must).check(
    z.refine(
      (value) => value.trim() === value && value.length >= 1 && value.length <= most,
      must,
    ),
    z.refine(isOneVisibleLine, ONE_VISIBLE_LINE),
  );
};
const whole = (least: number, most: number) => {
  const must = `must be a whole number from ${least} to ${most}`;
  return z.number(must).check(
    z.refine((value) => Number.isInteger(value) && value >= least && value <= most, must),
  );
};
const oneOf = <const T extends readonly string[]>(...values: T) =>
  z.enum(values, `must be one of ${values.join(", ")}`);

const SPAN = 'must be hours such as ["09:00", "20:00"], the first before the second';
const span = z.tuple([z.string(SPAN), z.string(SPAN)], SPAN).check(
  z.refine(
    ([from, until]) =>
      [from, until].every((each) => /^(([01]\d|2[0-3]):[0-5]\d|24:00)$/.test(each)) &&
      from < until,
    SPAN,
  ),
);
const WINDOW = 'must be hours by day of the week, such as {"mon": [["09:00", "20:00"]]}';
const day = z.optional(
  z.array(span, "must be a list of hours").check(z.maxLength(5, "must have at most 5 hours")),
);
const window = z.strictObject(
  Object.fromEntries(DAYS.map((each) => [each, day])) as Record<typeof DAYS[number], typeof day>,
  WINDOW,
).check(z.refine((week) => Object.values(week).some((hours) => hours?.length), WINDOW));

const RATE = "must be a number above 0, at most 1000";
const NUMBER = "must be a phone number such as +15877428885";
const INSTANT = /^[12]\d{3}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;
const TIME = "must be a time with its zone, such as 2026-12-01T09:00:00-07:00";

const FLOWS =
  "must be two flows with shares in percent that make 100, the first of them the campaign's flow, such as " +
  '[{"flow": "main", "share": 50}, {"flow": "short", "share": 50}]';

const campaign = z.strictObject({
  name: text(200),
  caller_name: z.optional(z.nullable(text(100))),
  org_id: z.optional(z.nullable(z.string("must be a UUID").check(z.regex(UUID, "must be a UUID")))),
  mode: oneOf("broadcast", "progressive", "predictive", "preview"),
  flow: text(64),
  flows: z.optional(z.nullable(z.array(
    z.strictObject({ flow: text(64), share: whole(1, 99) }, FLOWS),
    FLOWS,
  ))),
  caller_numbers: z.array(
    z.string(NUMBER).check(z.refine(isE164, NUMBER)),
    "must be a list of phone numbers",
  ).check(
    z.minLength(1, "must have at least one number"),
    z.maxLength(100, "must have at most 100 numbers"),
  ),
  calls_per_second: z.number(RATE).check(z.refine((value) => value > 0 && value <= 1000, RATE)),
  max_concurrent: whole(1, 100_000),
  window: z.optional(z.nullable(window)),
  attempts: z.optional(z.strictObject({
    max: z.optional(whole(1, 10)),
    per_day: z.optional(whole(1, 10)),
    per_week: z.optional(whole(1, 70)),
    busy_minutes: z.optional(whole(1, 10_080)),
    no_answer_minutes: z.optional(whole(1, 10_080)),
  }, "must be a JSON object")),
  machine: oneOf("hang_up", "message", "flow"),
  consent: oneOf("express_written", "existing_business", "none_needed"),
  ring_seconds: z.optional(whole(15, 60)),
  dials_per_line: z.optional(z.nullable(whole(1, 100_000))),
  max_minutes: z.optional(z.nullable(whole(1, 2 ** 31 - 1))),
  starts_at: z.optional(z.nullable(
    z.string(TIME).check(
      z.refine((value) => INSTANT.test(value) && !Number.isNaN(Date.parse(value)), TIME),
    ),
  )),
}).check(
  z.refine(
    ({ flow, flows }) =>
      !flows || flows.length === 2 && flows[0]!.flow === flow && flows[1]!.flow !== flow &&
        flows[0]!.share + flows[1]!.share === 100,
    { path: ["flows"], error: FLOWS },
  ),
  // Recorded and artificial voices: 47 CFR 64.1200(a), CRTC's rules on automatic dialling, ePrivacy article 13.
  z.refine(
    ({ consent, mode, machine }) =>
      consent !== "existing_business" || (mode !== "broadcast" && machine === "hang_up"),
    {
      path: ["consent"],
      error:
        "must be express_written for a recorded or artificial voice: of a broadcast, or at a machine",
    },
  ),
);

/** Reads the request for a campaign; each field at fault is named, with what it must be. Never repeats a value. */
export function parseCampaign(
  body: unknown,
): { readonly campaign: Omit<NewCampaign, "changed_by"> } | { readonly issues: readonly Issue[] } {
  const parsed = campaign.safeParse(body);
  if (!parsed.success) return { issues: parsed.error.issues.flatMap(issuesOf) };
  const {
    org_id,
    caller_name,
    flows,
    window,
    attempts,
    max_minutes,
    starts_at,
    dials_per_line,
    ...rest
  } = parsed.data;
  return {
    campaign: {
      ...rest,
      caller_name: caller_name ?? null,
      org_id: org_id?.toLowerCase() ?? null,
      other_flow: flows?.[1]?.flow ?? null,
      other_share: flows?.[1]?.share ?? null,
      window_hours: window as Week | undefined ?? null,
      attempts: attemptsOf(attempts),
      max_minutes: max_minutes ?? null,
      starts_at: starts_at ?? null,
      dials_per_line: dials_per_line ?? null,
    },
  };
}

const resume = z.strictObject({ max_minutes: z.optional(z.nullable(whole(1, 2 ** 31 - 1))) });

/** Reads what a campaign is resumed with: perhaps more minutes. */
export function parseResume(
  body: unknown,
): { readonly maxMinutes: number | undefined } | { readonly issues: readonly Issue[] } {
  const parsed = resume.safeParse(body);
  if (!parsed.success) return { issues: parsed.error.issues.flatMap(issuesOf) };
  return { maxMinutes: parsed.data.max_minutes ?? undefined };
}
