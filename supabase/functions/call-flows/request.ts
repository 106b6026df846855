import * as z from "zod/mini";
import { issuesOf } from "../_shared/errors.ts";
import { isRealTime } from "../_shared/flows/check.ts";
import type { Issue } from "../_shared/flows/parse.ts";
import { isE164 } from "../_shared/phone.ts";
import { isOneVisibleLine, ONE_VISIBLE_LINE, UUID } from "../_shared/text.ts";

const line = (most: number) =>
  z.string(`must be text of 1 to ${most} characters`).check(
    z.refine(
      (value) => value.trim() === value && value.length >= 1 && value.length <= most,
      `must be text of 1 to ${most} characters, with no space at either end`,
    ),
    z.refine(isOneVisibleLine, ONE_VISIBLE_LINE),
  );
/** Absent or null: the main account. */
const org_id = z.optional(z.nullable(z.pipe(
  z.string("must be a UUID").check(z.regex(UUID, "must be a UUID")),
  z.transform((value: string) => value.toLowerCase()),
)));
const name = line(64).check(
  z.refine((value) => value !== "default", "must be another name: default is the built-in flow"),
);
const definition = z.looseObject({}, "must be a flow: a JSON object");
const version = z.number("must be a version's number").check(
  z.refine(
    (value) => Number.isInteger(value) && value >= 1 && value < 2 ** 31,
    "must be a version's number",
  ),
);
const e164 = z.string("must be a phone number such as +15877428885").check(
  z.refine(isE164, "must be a phone number such as +15877428885"),
);

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;
const UNTIL = "must be when it ends, with the zone, such as 2026-12-24T17:00:00-07:00";

const CLOCK = "must be a date and time that exist, such as 2026-12-25T10:00";

/** A caller who tries the flow: what they press and say, and when they call. */
const caller = z.strictObject({
  keys: z.optional(
    z.array(z.string().check(z.regex(/^[0-9*#]$/, "must be a key"))).check(z.maxLength(50)),
  ),
  say: z.optional(z.array(line(200)).check(z.maxLength(50))),
  at: z.optional(z.string(CLOCK).check(z.refine(isRealTime, CLOCK))),
  no_answer: z.optional(z.boolean("must be true or false")),
});

/** What each operation takes. */
const REQUESTS = {
  check: z.strictObject({ definition, org_id, caller: z.optional(caller) }),
  publish: z.strictObject({
    definition,
    name,
    org_id,
    lines: z.optional(
      z.array(e164, "must be a list of phone numbers").check(
        z.maxLength(100, "must hold at most 100 numbers"),
      ),
    ),
    note: z.optional(z.nullable(line(500))),
  }),
  /** Null: there is no draft any more. */
  draft: z.strictObject({ definition: z.nullable(definition), name, org_id }),
  rollback: z.strictObject({ name, org_id, version: z.optional(z.nullable(version)) }),
  override: z.strictObject({
    org_id,
    name,
    calendar: line(64),
    state: z.nullable(z.enum(["open", "closed"], "must be open, closed or null")),
    until: z.optional(z.nullable(
      z.string(UNTIL).check(
        z.refine((value) => INSTANT.test(value) && !Number.isNaN(Date.parse(value)), UNTIL),
      ),
    )),
  }).check(
    z.refine(
      ({ state, until }) => state === null || typeof until === "string",
      { path: ["until"], error: UNTIL },
    ),
  ),
} as const;

export type Operation = keyof typeof REQUESTS;
export type FlowRequest<Of extends Operation> = z.infer<typeof REQUESTS[Of]>;

/** The operation that a path names. */
export function operationOf(segment: string): Operation | undefined {
  return Object.hasOwn(REQUESTS, segment) ? segment as Operation : undefined;
}

/** Reads a request of an operation, or tells every fault of its form. Never repeats a value. */
export function parseRequest<Of extends Operation>(
  operation: Of,
  body: unknown,
): { readonly request: FlowRequest<Of> } | { readonly issues: readonly Issue[] } {
  const parsed = REQUESTS[operation].safeParse(body);
  if (parsed.success) return { request: parsed.data as FlowRequest<Of> };
  const issues = parsed.error.issues.flatMap(issuesOf);
  return { issues: issues.map(({ field, message }) => ({ path: field, message })) };
}
