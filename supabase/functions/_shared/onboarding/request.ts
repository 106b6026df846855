import * as z from "zod/mini";
import type { OnboardingRequest } from "../db/onboarding.ts";
import { type Issue, issuesOf } from "../errors.ts";
import { isOneVisibleLine, ONE_VISIBLE_LINE, UUID } from "../text.ts";

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
  flow: z.optional(text(64)),
});

/** Reads a request; each field at fault is named, with what it must be. Never repeats a value. */
export function parseOnboardingRequest(
  body: unknown,
): { readonly request: OnboardingRequest } | { readonly issues: readonly Issue[] } {
  const parsed = request.safeParse(body);
  return parsed.success
    ? { request: parsed.data }
    : { issues: parsed.error.issues.flatMap(issuesOf) };
}
