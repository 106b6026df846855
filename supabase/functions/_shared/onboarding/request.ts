import * as z from "zod/mini";
import type { OnboardingRequest } from "../db/onboarding.ts";
import { type Destinations, dialable } from "../destinations.ts";
import type { Issue } from "../errors.ts";
import { isE164 } from "../phone.ts";
import { canNameChoice } from "../calls/menu.ts";
import { LANGUAGES, speaks } from "../voices.ts";
import { isOneVisibleLine, ONE_VISIBLE_LINE } from "../text.ts";

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const text = (most: number) =>
  z.pipe(
    z.string(`must be text of 1 to ${most} characters`),
    z.transform((value: string) => value.trim()),
  ).check(
    z.refine(
      (value) => value.length >= 1 && value.length <= most,
      `must be text of 1 to ${most} characters`,
    ),
    z.refine(isOneVisibleLine, ONE_VISIBLE_LINE),
  );
const matching = (pattern: RegExp, message: string) =>
  z.string(message).check(z.regex(pattern, message));
const whole = (least: number, most: number) => {
  const message = `must be a whole number from ${least} to ${most}`;
  return z.number(message).check(
    z.refine((value) => Number.isInteger(value) && value >= least && value <= most, message),
  );
};
const e164 = z.string("must be a phone number in E.164 form").check(
  z.refine(isE164, "must be a phone number in E.164 form such as +15877428885"),
);

const menuEntry = z.strictObject({
  key: matching(/^[0-9]$/, "must be one of 0 to 9").check(
    z.refine((key) => key !== "3", "must not be 3: that key is about recording"),
  ),
  mode: matching(
    /^[a-z][a-z0-9_]{0,31}$/,
    "must be a word of lower-case letters, digits and underscores",
  ),
  label: text(60),
  destination: z.string('must be a phone number in E.164 form, or "voicemail"').check(
    z.refine(
      (value) => value === "voicemail" || isE164(value),
      'must be a phone number in E.164 form, or "voicemail"',
    ),
  ),
  announcement: z.optional(text(300)),
  spoken: z.optional(
    z.array(
      matching(/^[a-z][a-z' ]{0,59}$/, "must be words in lower case").check(
        z.refine(canNameChoice, "must not be words about recording, nor a mere yes, no or please"),
      ),
    ).check(
      z.minLength(1, "must hold 1 to 10 phrases"),
      z.maxLength(10, "must hold 1 to 10 phrases"),
    ),
  ),
});

const distinct = (of: "key" | "mode") =>
  z.refine<{ key: string; mode: string }[]>(
    (entries) => new Set(entries.map((entry) => entry[of])).size === entries.length,
    `must not hold one ${of} twice`,
  );

const profile = z.strictObject({
  language: z.optional(z.enum(LANGUAGES, `must be one of ${LANGUAGES.join(", ")}`)),
  voice: z.optional(text(64)),
  greeting: z.optional(text(500)),
  recording_consent: z.optional(z.enum(["opt_out", "opt_in"], "must be opt_out or opt_in")),
  disclosure: z.optional(text(1000)),
  menu: z.optional(
    z.array(menuEntry).check(
      z.minLength(1, "must hold 1 to 8 entries"),
      z.maxLength(8, "must hold 1 to 8 entries"),
      distinct("key"),
      distinct("mode"),
    ),
  ),
  ring_seconds: z.optional(whole(5, 60)),
  operator: z.optional(e164),
  voicemail: z.optional(z.strictObject({
    prompt: z.optional(text(500)),
    thanks: z.optional(text(500)),
    max_seconds: z.optional(whole(10, 120)),
  })),
}).check(
  z.refine(
    ({ voice, language }) => voice === undefined || speaks(voice, language ?? "en-US"),
    {
      path: ["voice"],
      error:
        "must be a voice of Twilio's that speaks the line's language, such as Polly.Joanna for en-US",
    },
  ),
);

const request = z.strictObject({
  org_id: z.pipe(
    matching(UUID, "must be a UUID"),
    z.transform((value: string) => value.toLowerCase()),
  ),
  business_name: text(200),
  country: z.enum(["CA", "US"], 'must be "CA" or "US"'),
  area_code: z.optional(
    matching(/^[2-9][0-9]{2}$/, "must be three digits, the first from 2 to 9"),
  ),
  profile: z.optional(profile),
});

/**
 * Reads a request; each field at fault is named, with what it must be. Never repeats a value.
 *
 * @param destinations What callers may be put through to.
 */
export function parseOnboardingRequest(
  body: unknown,
  destinations: Destinations,
): { readonly request: OnboardingRequest } | { readonly issues: readonly Issue[] } {
  const parsed = request.safeParse(body);
  const forbidden = numbersOf(body)
    .filter(([, number]) => isE164(number) && dialable(number, destinations) === undefined)
    .map(([field]) => ({
      field,
      message: "must be a number that ALLOWED_DESTINATIONS lets the system dial",
    }));
  if (parsed.success && forbidden.length === 0) return { request: parsed.data };
  return { issues: [...(parsed.error?.issues ?? []).flatMap(issuesOf), ...forbidden] };
}

/** The fields that name a line that is answered here. A call that went there would come back. */
export function ownLineIssues(request: OnboardingRequest, lines: readonly string[]): Issue[] {
  return numbersOf(request).filter(([, number]) => lines.includes(number)).map(([field]) => ({
    field,
    message: "must not be a line that is answered here: the call would come back",
  }));
}

/** The numbers that a request names, by field, whatever else may be wrong with it. */
function numbersOf(body: unknown): [field: string, number: string][] {
  const { profile } = (body ?? {}) as { profile?: { operator?: unknown; menu?: unknown } };
  const menu: readonly unknown[] = Array.isArray(profile?.menu) ? profile.menu : [];
  const named: [string, unknown][] = menu.map((entry, at) => [
    `profile.menu.${at}.destination`,
    (entry as { destination?: unknown } | null)?.destination,
  ]);
  named.push(["profile.operator", profile?.operator]);
  return named.filter((each): each is [string, string] => typeof each[1] === "string");
}

function issuesOf(issue: z.core.$ZodIssue): Issue[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      field: [...path, key.slice(0, 64)].join("."),
      message: "is not known",
    }));
  }
  return [{
    field: path.join(".") || "body",
    message: issue.code === "invalid_type" && issue.expected === "object"
      ? "must be a JSON object"
      : issue.code === "invalid_type" && issue.expected === "array"
      ? "must be a list"
      : issue.message,
  }];
}
