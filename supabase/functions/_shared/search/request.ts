import * as z from "zod/mini";
import { type Issue, issuesOf } from "../errors.ts";
import { isE164 } from "../phone.ts";
import { UUID } from "../text.ts";

/** Results of a page. */
export const PAGE = { default: 20, most: 100 } as const;

// PostgreSQL has no year 0, and takes none of five digits as `Date` writes it.
const DAY = /^[12]\d{3}-\d\d-\d\d$/;
const INSTANT = /^[12]\d{3}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;
const DAY_MS = 24 * 60 * 60 * 1000;

const short = (most: number) => {
  const must = `must be text of 1 to ${most} characters`;
  return z.pipe(z.string(must), z.transform((value: string) => value.trim())).check(
    z.refine((value) => value.length >= 1 && value.length <= most && isStorable(value), must),
  );
};
const oneOf = <const T extends readonly string[]>(...values: T) =>
  z.enum(values, `must be one of ${values.join(", ")}`);
const wholeNumber = (least: number, most: number) => {
  const must = `must be a whole number from ${least} to ${most}`;
  return z.number(must).check(
    z.refine((value) => Number.isInteger(value) && value >= least && value <= most, must),
  );
};

/** @param last Whether a day stands for its end. */
const time = (last: boolean) => {
  const must =
    "must be a day such as 2026-11-21 (UTC), or a time such as 2026-11-21T09:00:00-07:00";
  return z.pipe(
    z.string(must).check(
      z.refine(
        (value) => (DAY.test(value) || INSTANT.test(value)) && isTime(value),
        must,
      ),
    ),
    z.transform((value: string) =>
      new Date(Date.parse(value) + (last && DAY.test(value) ? DAY_MS : 0)).toISOString()
    ),
  );
};

/** Whether a day exists: `Date` takes 30 February for 2 March. */
function isTime(value: string): boolean {
  const at = Date.parse(value);
  if (Number.isNaN(at)) return false;
  const day = Date.parse(value.slice(0, 10));
  return new Date(day).toISOString().startsWith(value.slice(0, 10));
}

const org_id = z.pipe(
  z.string("must be a UUID").check(z.regex(UUID, "must be a UUID")),
  z.transform((value: string) => value.toLowerCase()),
);

/** At least as many digits as an index of three characters can look for. */
const NUMBER = "must have 3 to 15 digits of a phone number";

const filters = z.strictObject({
  /** At or after this time. */
  from: z.optional(time(false)),
  /** Before this time. */
  to: z.optional(time(true)),
  /** Digits of a number, from anywhere in it. */
  number: z.optional(z.pipe(
    z.string(NUMBER).check(
      z.refine(
        (value) => /^[\d+(). /-]{3,40}$/.test(value) && /^\d{3,15}$/.test(digits(value)),
        NUMBER,
      ),
    ),
    z.transform(digits),
  )),
  direction: z.optional(oneOf("inbound", "outbound")),
  disposition: z.optional(oneOf("connected", "voicemail", "abandoned", "rate_limited", "failed")),
  mode: z.optional(short(64)),
  line: z.optional(
    z.string("must be a phone number such as +15877428885").check(
      z.refine(isE164, "must be a phone number such as +15877428885"),
    ),
  ),
  /** A person's handle. */
  person: z.optional(short(64)),
  tag: z.optional(short(64)),
  has: z.optional(
    z.array(oneOf("voicemail", "recording", "transcript", "note"), "must be a list").check(
      z.maxLength(4, "must have at most 4 entries"),
    ),
  ),
  min_seconds: z.optional(wholeNumber(0, 1_000_000)),
  max_seconds: z.optional(wholeNumber(0, 1_000_000)),
  org_id: z.optional(org_id),
}).check(
  z.refine(({ from, to }) => !(from! >= to!), { path: ["to"], error: "must be after from" }),
  z.refine(({ min_seconds, max_seconds }) => !(min_seconds! > max_seconds!), {
    path: ["max_seconds"],
    error: "must be at least min_seconds",
  }),
);

const request = z.strictObject({
  q: z.optional(
    z.string("must be text").check(
      z.refine(isStorable, "must be text that can be stored: no NUL, no half of a character"),
    ),
  ),
  filters: z._default(filters, {}),
  limit: z._default(wholeNumber(1, PAGE.most), PAGE.default),
  cursor: z.optional(
    z.string("must be the next_cursor of an answer").check(
      z.regex(/^[\w.~:+/=-]{1,400}$/, "must be the next_cursor of an answer"),
    ),
  ),
  org_id: z.optional(org_id),
});

/** A checked search. Times are ISO 8601 in UTC; `number` has digits only. */
export type SearchRequest = Omit<z.infer<typeof request>, "org_id">;

/** Reads a search, or names every field at fault. Never repeats a value. */
export function parseSearch(
  body: unknown,
): { readonly request: SearchRequest } | { readonly issues: readonly Issue[] } {
  const parsed = request.safeParse(body);
  if (!parsed.success) return { issues: parsed.error.issues.flatMap(issuesOf) };
  const { org_id, ...rest } = parsed.data;
  // `org_id` stands beside `filters` in the requests of other functions.
  return {
    request: org_id === undefined ? rest : { ...rest, filters: { org_id, ...rest.filters } },
  };
}

const NUMBERS: ReadonlySet<string> = new Set(["min_seconds", "max_seconds"]);

/** A search as a query string has it: `?q=refund&from=2026-11-01&has=voicemail,note`. */
export function searchOfQuery(query: URLSearchParams): unknown {
  const body: Record<string, unknown> = {};
  const filters: Record<string, unknown> = {};
  for (const [name, value] of query) {
    if (value === "") continue;
    if (name === "q") body.q = value;
    else if (name === "has") filters.has = value.split(",");
    else filters[name] = NUMBERS.has(name) && /^\d{1,9}$/.test(value) ? Number(value) : value;
  }
  return { ...body, filters };
}

function digits(value: string): string {
  return value.replaceAll(/\D/g, "");
}

/** Whether PostgreSQL can store a text. */
function isStorable(value: string): boolean {
  return value.isWellFormed() && !value.includes("\0");
}
